r"""The solution that starts on one harmonic, as a power series in its amplitude: the linear phase and what follows.

From :math:`f(0) = 1 + \varepsilon P_m(\langle x, e\rangle)` (dim 2: :math:`1 + \varepsilon \cos m\theta`) the equation

.. math:: \partial_t f = -\nabla\cdot(f v) + \nu \Delta f, \qquad v = \nabla W*f \;\text{(USA)}, \quad
          v = \frac{\nabla W*f}{h*f} \;\text{(SA)}

gives :math:`f = 1 + \sum_n \varepsilon^n \sum_k a_{n,k}(t)\,P_k`: first the linear growth :math:`e^{\gamma_m t}`, then
the harmonics that it drives, and so on, by :mod:`gegenflow.theory.expansions.recurrence`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import flint
import mpmath
import sympy as sp
from flint import arb

from gegenflow.pictures import TIME, axes_of, legend, of_degree
from gegenflow.theory.exact.arguments import Expr, Model, Real, check_model, check_noise, check_real, check_time
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_count, check_digits, check_dim
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.tables import Table
from gegenflow.theory.exact.values import brief
from gegenflow.theory.expansions.evaluation import at_time, check_power, first_time, late_term, looks, resolve
from gegenflow.theory.expansions.rates import ball_rates, exact_growth, exact_normaliser, symbolic_rates
from gegenflow.theory.expansions.recurrence import Modes, Rates, recurrence
from gegenflow.theory.growth.rates import check_normaliser
from gegenflow.theory.kernels.attention import KernelLike, attention
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.sphere import harmonic_dimension

if TYPE_CHECKING:
    from gegenflow.pictures import Axes

time = sp.Symbol("t", nonnegative=True)
PRECISION = 256
"""Bits of what is only looked at."""


@dataclass(frozen=True)
class Expansion:
    r"""The solution from :math:`1 + \varepsilon P_m` to an order in the amplitude, derived here.

    :param order: the last power of the amplitude, >= 1
    :param degree: degree of the harmonic m at the start, >= 1
    :param dim: d of the sphere S^{d-1}, >= 2
    :param model: "usa" (unnormalised) or "sa" (softmax)
    :param kernel: attention weight h(t)
    :param noise: noise 1/kappa, >= 0

    See also :func:`.expansion`.
    """

    order: int
    degree: int
    dim: int
    model: Model
    kernel: Kernel
    noise: Expr

    @property
    def values(self) -> dict[sp.Symbol, Expr]:
        r"""What the symbols of :meth:`coefficient` stand for: :math:`\gamma_k`, and :math:`\rho_k = w_k/w_0` in SA."""
        rates, modes = _symbolic(self)
        degrees = sorted({k for order in modes[1:] for k in order})
        named = {rates.growth(k): exact_growth(k, self.dim, self.model, self.kernel, self.noise) for k in degrees}
        named |= {rates.normaliser(k): exact_normaliser(k, self.dim, self.kernel) for k in degrees}
        return {symbol: value for symbol, value in named.items() if symbol.is_Symbol}

    def coefficient(self, order: int, degree: int) -> Expr:
        r"""The coefficient :math:`a_{n,k}(t)` of :math:`\varepsilon^n P_k`, exact, in symbols for the growth rates.

        :param order: the power n of the amplitude, 0 <= n <= the order of the expansion
        :param degree: degree of the harmonic k, >= 0

        >>> g3, g6 = sp.symbols("gamma_3 gamma_6")
        >>> driven = g3 * (sp.exp(2 * g3 * time) - sp.exp(g6 * time)) / (2 * g3 - g6)
        >>> sp.simplify(expansion(2, degree=3).coefficient(2, 6) - driven)
        0

        On the circle the first saturation of USA without noise is the same for every kernel:

        >>> expansion(3, degree=3).coefficient(3, 3).coeff(sp.exp(3 * g3 * time))
        -1/8

        :attr:`values` says what the symbols stand for. Order 4 takes about a second, order 5 several.
        Raises ValueError unless 0 <= order <= the order of the expansion and degree >= 0.
        """
        rates, modes = _symbolic(self)
        terms = modes[_whole("order", order, 0, self.order)].get(_whole("degree", degree, 0), {})
        return sp.Add(
            *(
                sp.factor(c) * time**power * sp.exp(sp.Add(*map(rates.growth, degrees)) * time)
                for (degrees, power), c in terms.items()
            )
        )

    def evaluate(self, time: Real, amplitude: Real, digits: int = 15) -> dict[int, mpmath.mpf]:
        r"""The amplitudes of the degrees at a time, from all terms up to the order of the expansion.

        .. math:: b_k = \int f\,\hat P_k\,d\sigma = \frac1{\sqrt{D_k}} \sum_{n \ge 1} \varepsilon^n a_{n,k}(t), \qquad
                  \hat P_k = \sqrt{D_k}\,P_k \quad (\sqrt2 \cos k\theta \text{ in dim 2})

        so the harmonics are orthonormal for :math:`\sigma`, while the start is :math:`\varepsilon P_m`. Balls see to
        the digits of each.

        :param time: time of the flow, >= 0
        :param amplitude: epsilon, any real number
        :param digits: significant digits to certify, >= 1 (default 15), or an error below 10^(-2 digits) of the largest
            amplitude

        >>> second = expansion(2, degree=1, dim=3, beta=2)
        >>> {k: mpmath.nstr(b, 10) for k, b in second.evaluate("0.5", "0.01").items()}
        {1: '0.009397750202', 2: '4.655959274e-5'}

        Raises ValueError for a symbolic beta, kernel or noise, or a time that is negative or not finite.
        """
        moment, amplitude = check_time(time, symbols=False), _amplitude(amplitude)

        def balls() -> dict[int, arb]:
            total: dict[int, arb] = {}
            size = enclose(amplitude)
            for n, modes in enumerate(at_time(enclose(moment), *_balls(self, flint.ctx.prec)), 1):
                for k, a in modes.items():
                    total[k] = total.get(k, arb(0)) + size**n * a / arb(harmonic_dimension(k, self.dim)).sqrt()
            return dict(sorted(total.items()))

        return resolve(balls, check_digits(digits))

    def end(self, order: int, tolerance: Real, amplitude: Real) -> float:
        r"""The time at which the next order's term reaches ``tolerance`` times the first, in the norm of L2(sigma).

        .. math:: |\varepsilon|^n\, \|f_{n+1}(t)\| = \text{tolerance} \cdot \|f_1(t)\|, \qquad n = \text{order}

        This ends the linear phase (n = 1), the quasi-linear phase (2), and so on: the first such time, sought in steps
        of a tenth and refined to 12 digits; infinite if it never comes.

        :param order: the order n whose phase ends, 1 <= n < the order of the expansion
        :param tolerance: share of the first order's term that the next one reaches, > 0
        :param amplitude: epsilon, any real number

        >>> growing = expansion(3, degree=3, beta=5)
        >>> [round(growing.end(n, 0.1, 0.01), 4) for n in (1, 2)]
        [0.1526, 0.2129]
        >>> expansion(2, degree=3, beta=5, noise=3).end(1, 0.1, 0.01)              # all degrees are damped
        inf

        Raises ValueError unless 1 <= order < the order of the expansion and tolerance > 0, and as :meth:`evaluate`.
        """
        order = _whole("order", order, 1, self.order - 1)
        allowed = "the tolerance must be a finite number > 0"
        limit = check_real(tolerance, "tolerance", allowed, above=0, symbols=False)
        factor = (_amplitude(amplitude) ** order / limit) ** 2 * harmonic_dimension(self.degree, self.dim)

        def reached(moment: float) -> bool:
            def balls() -> dict[int, arb]:
                first, *_, last = at_time(arb(moment), *_balls(self, flint.ctx.prec))[: order + 1]
                square = sum((a**2 / harmonic_dimension(k, self.dim) for k, a in last.items()), arb(0))
                return {0: 1 + enclose(factor) * square / first[self.degree] ** 2}

            return bool(resolve(balls, 15)[0] >= 2)

        rates, modes = _balls(self, PRECISION)
        return first_time(reached, looks(modes[order + 1], self.degree, rates))

    def plot(self, times: Iterable[float], amplitude: Real, *, ax: Axes | None = None, power: Any = None) -> Axes:
        r"""The amplitudes :math:`A_k = |b_k|/\sqrt{D_k}` over time, lines; those that were measured, markers.

        :param times: when, in the flow's time, finite and >= 0
        :param amplitude: :math:`\varepsilon` of the start, real
        :param ax: axes to draw on, the current ones by default
        :param power: squares of the measured amplitudes of degrees 0, 1, ..., shape (times, degrees); None for none

        Raises ValueError for no times, a power of another shape, and as :meth:`evaluate`.
        """
        if not isinstance(times, Iterable) or not (times := [check_time(time, symbols=False) for time in times]):
            raise Refused("times", repr(times), "at least one time is needed")
        check_power(power, len(times))
        values, ax, times = [self.evaluate(time, amplitude, 6) for time in times], axes_of(ax), [*map(float, times)]
        for degree in sorted({degree for found in values for degree in found}):
            count = float(harmonic_dimension(degree, self.dim)) ** 0.5
            curve, style = [abs(float(found.get(degree, 0))) / count for found in values], of_degree(degree, len(times))
            marker = {name: style.pop(name) for name in ("marker", "markevery", "markersize")}
            ax.plot(times, curve, **style, label=f"degree {degree}")
            if power is not None and degree < len(power[0]):
                ax.plot(times, [row[degree] ** 0.5 for row in power], **marker, ls="", mfc="none", color=style["color"])
        ax.set(xlabel=TIME, ylabel="amplitude", yscale="log")
        legend(ax)
        return ax

    def __repr__(self) -> str:
        return brief(str(self))

    def __str__(self) -> str:
        head = f"Solution from 1 + eps P_{self.degree}, dim {self.dim}, {self.model.upper()}, h = {self.kernel.weight}"
        head += f", noise {self.noise}" if self.noise != 0 else ""
        symbolic = self.kernel.symbols or self.noise.free_symbols
        rates, modes = _symbolic(self) if symbolic else _balls(self, PRECISION)
        rows = tuple(
            {"order": n, "degree": k, "terms": len(terms)}
            | ({} if symbolic else {"late times": late_term(terms, rates)})
            for n in range(1, self.order + 1)
            for k, terms in modes[n].items()
        )
        return f"{head}\n{Table(rows)}"

    def _repr_latex_(self) -> str:
        shown = min(self.order, 2)
        terms = (
            rf"\varepsilon{f'^{n}' if n > 1 else ''} \left[{latex(self.coefficient(n, k))}\right] P_{{{k}}}"
            for n in range(1, shown + 1)
            for k in _symbolic(self)[1][n]
        )
        return f"$\\displaystyle f = 1 + {' + '.join(terms)} + O(\\varepsilon^{{{shown + 1}}})$"


def expansion(
    order: int,
    degree: int,
    dim: int = 2,
    beta: Real | None = None,
    *,
    kernel: KernelLike | None = None,
    model: str = "usa",
    noise: Real = 0,
) -> Expansion:
    r"""The mean-field solution from :math:`1 + \varepsilon P_m`, order by order in the amplitude.

    .. math:: f = 1 + \sum_{n=1}^{\text{order}} \varepsilon^n \sum_k a_{n,k}(t)\,P_k + O(\varepsilon^{\text{order}+1}),
              \qquad a_{n,k} = \sum c\,t^p e^{\mu t}

    where each :math:`\mu` is a sum of at most n growth rates and a power of t comes with a resonance.

    :param order: the last power of the amplitude, >= 1; above 4 it takes seconds
    :param degree: degree of the harmonic m at the start, >= 1
    :param dim: d of the sphere S^{d-1}, >= 2 (default 2)
    :param beta: inverse temperature, >= 0 (of either sign in a kernel that holds it), or a symbol; None (default)
        leaves the symbol
    :param kernel: attention weight h(t) as a Kernel, a formula or its text; None (default) is exp(beta*t)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param noise: noise 1/kappa, >= 0, or a symbol (default 0)

    >>> expansion(3, degree=3, beta=5)
    Solution from 1 + eps P_3, dim 2, USA, h = exp(5*t)
    order  degree  terms  late times
    1      3       1      1 exp(18.596 t)
    2      6       2      0.59058 exp(37.192 t)
    3      3       3      -0.125 exp(55.788 t)
    3      9       3      0.3425 exp(55.788 t)

    The Kuramoto model (beta = 0) resonates, as degree 2 does not grow by itself and drives degree 1:

    >>> expansion(3, degree=1, beta=0).coefficient(3, 1)
    t*exp(t/2)/8 - exp(3*t/2)/8 + exp(t/2)/8

    Raises ValueError for order < 1, degree < 1 or dim < 2, a symbol for one of them, beta beside a kernel that holds
    none, an unknown model, a negative noise, or SA with a kernel whose mean is not positive. Source: derived here; the
    phases that the orders are for are those of arXiv 2410.23228.

    See also :func:`.growth_rate`, :func:`.competition_exponent`, :meth:`.Expansion.evaluate`.
    """
    weight = attention(beta, kernel)
    order, degree = _whole("order", order), _whole("degree", degree)
    dim, noise = _whole("dim", check_dim(dim)), sp.sympify(check_noise(noise))
    if check_model(model) == "sa":
        check_normaliser(weight, dim)
    return Expansion(order, degree, dim, check_model(model), weight, noise)


def _whole(name: str, value: Any, low: int = 1, high: int | None = None) -> int:
    allowed = f"an integer >= {low} is needed" + ("" if high is None else f", at most {high}")
    return check_count(value, name, allowed, least=low, most=high)


def _amplitude(amplitude: Real) -> Expr:
    return check_real(amplitude, "amplitude", "the amplitude must be a finite number", symbols=False)


@lru_cache(maxsize=32)
def _symbolic(case: Expansion) -> tuple[Rates, list[Modes]]:
    rates = symbolic_rates(case.dim, case.model, case.kernel, case.noise)
    return rates, recurrence(case.order, case.degree, case.dim, rates)


@lru_cache(maxsize=32)
def _balls(case: Expansion, precision: int) -> tuple[Rates, list[Modes]]:
    with flint.ctx.workprec(precision):
        try:
            rates = ball_rates(case.dim, case.model, case.kernel, case.noise)
            return rates, recurrence(case.order, case.degree, case.dim, rates)
        except ArithmeticError as error:
            raise Refused("kernel", case.kernel.weight, str(error)) from error
