r"""Interaction kernels: what a token feels of another at overlap t = <x, y>.

A kernel is the attention weight :math:`h(t)` (``exp(beta*t)`` for softmax attention) together with the potential
:math:`W`, :math:`W' = h`, whose gradient moves the tokens. Its Funk-Hecke multipliers are

.. math:: w_k[h] = \int_{-1}^{1} h(t)\,P_k(t)\,\omega(t)\,dt, \qquad
          w_k^{(d)}[W] = \tfrac1d\, w_{k-1}^{(d+2)}[h] \quad (k \ge 1)

(the second by parts), so the multipliers of h alone determine every growth rate, also where W has a removable 1/beta.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import flint
import sympy as sp
from flint import arb, fmpq

from gegenflow.theory.exact.arguments import Expr, Real, check_beta, check_parameter
from gegenflow.theory.exact.enclosures import Values
from gegenflow.theory.exact.formulas import read_weight
from gegenflow.theory.exact.integers import check_count, check_degree, check_dim, check_items
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.kernels.functions import overlap_function
from gegenflow.theory.kernels.integrals import zonal_integral
from gegenflow.theory.kernels.multipliers import Multiplier
from gegenflow.theory.kernels.series import remainder_of, series_ball, series_multiplier, series_of
from gegenflow.theory.kernels.tails import tail_of
from gegenflow.theory.kernels.terms import Term, by_degree
from gegenflow.theory.kernels.weights import degrees_of, in_half_powers, mixture, parity_of, terms_of, with_own_symbols
from gegenflow.theory.symbols import beta, d, k, t

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

COARSE = 30
"""Bits that tell whether an integral exists."""


@dataclass(frozen=True, init=False)
class Kernel:
    r"""An attention weight h(t): a sympy expression in t and parameters, or its text. Equal weights are equal kernels.

    Sums of :math:`c\,t^n e^{at}` and :math:`c\,t_+^n` have exact multipliers (:mod:`gegenflow.theory.kernels.terms`);
    those of any other weight stay integrals, with certified digits by integration in balls. Symbols named t and beta
    are those of the theory.

    :param weight: h(t), a sympy expression, a number, or the text of a formula
    :param remainder: what bounds the tail of a power series; None (default) but in :meth:`series`

    >>> Kernel("1 + beta*t").multiplier(1, 3)                           # linear attention
    beta/3
    >>> Kernel(t * sp.exp(t)).multiplier(0, 2)                          # the mean of t e^t is I_0'(1)
    besseli(1, 1)
    >>> Kernel("tanh(3*t)").ball(1, 3).overlaps(-Kernel("-tanh(3*t)").ball(1, 3))
    True
    >>> Kernel("exp(2*t)") == Kernel.exponential(2) == Kernel("exp(beta*t)").at(beta=2)
    True

    A kernel is a function of an array of overlaps as soon as its parameters are numbers:

    >>> Kernel("relu(t) + beta*t").at(beta="2.5")([0.5, -0.5]).tolist()
    [1.75, -1.25]

    Raises Refused for a text that is no formula in t, parameters and the functions of
    :data:`~gegenflow.theory.exact.formulas.FUNCTIONS`. Source: derived here.

    See also :func:`.funk_hecke`, :func:`.growth_rate`, :func:`.boundaries`.
    """

    weight: sp.Expr
    remainder: sp.Expr | None = field(default=None, repr=False)

    def __init__(self, weight: sp.Expr | str | float, remainder: sp.Expr | None = None) -> None:
        expression = read_weight(weight) if isinstance(weight, str) else with_own_symbols(weight)
        object.__setattr__(self, "weight", expression)
        object.__setattr__(self, "remainder", remainder)

    def __reduce__(self) -> tuple[type[Kernel], tuple[sp.Expr, sp.Expr | None]]:
        return type(self), (self.weight, self.remainder)

    # ways to make one

    @classmethod
    def exponential(cls, beta: Real = beta) -> Kernel:
        r"""Softmax attention, :math:`h(t) = e^{\beta t}`, :math:`W = e^{\beta t}/\beta`.

        .. math:: w_k = \Gamma(d/2)\,(2/\beta)^{d/2-1}\, I_{k+d/2-1}(\beta)

        and at ``beta`` = 0, the Kuramoto limit, h = 1 and W = t: only w_0 = 1 is left. Its default is the symbol.

        >>> Kernel.exponential().multiplier(3, 2), Kernel.exponential().multiplier(0, 3)
        (besseli(3, beta), sqrt(2)*sqrt(pi)*besseli(1/2, beta)/(2*sqrt(beta)))
        >>> Kernel.exponential("0.3").weight                # decimals stay exact
        exp(3*t/10)

        Raises Refused for beta negative, infinite or not a number. Source: arXiv 2410.23228; DLMF 10.32.2, by parts.
        """
        return cls(sp.exp(check_beta(beta, least=0) * t))

    @classmethod
    def heads(cls, values: Sequence[Real], scales: Sequence[Real], beta: Real = beta) -> Kernel:
        r"""Isotropic heads, :math:`h(t) = \sum_h v_h e^{\beta m_h t}`.

        .. math:: W(t) = \sum_h \frac{v_h}{\beta m_h}\, e^{\beta m_h t}

        Head h has key-query matrix :math:`m_h I` (``scales``) and value matrix :math:`v_h I` (``values``), both, as
        ``beta`` (default the symbol), any real numbers or symbols; :math:`v_h = m_h` is the gradient flow of arXiv
        2605.04279. The growth rates of the heads add up.

        >>> Kernel.heads([1, "-0.5"], [1, 2]).weight
        -exp(2*beta*t)/2 + exp(beta*t)
        >>> Kernel.heads([1, 1], [1, -1]).multiplier(1, 3)             # an even weight has no odd degrees
        0

        Raises Refused unless there are as many values as scales, at least one. Source: arXiv 2605.04279 for the heads.
        """
        return cls(mixture(values, scales, beta))

    @classmethod
    def relu(cls, power: int = 1) -> Kernel:
        r"""Rectified attention, :math:`h(t) = \max(t, 0)^n`, ``power`` n >= 0: 1 is ReLU, 0 a step.

        .. math:: w_k = \frac{n!\;\Gamma(d/2)}{2^{n+1}\,\Gamma(1+(n-k)/2)\,\Gamma((n+k+d)/2)}

        >>> [Kernel.relu().multiplier(k, 2) for k in range(5)]        # Fourier series of a rectified cosine
        [1/pi, 1/4, 1/(3*pi), 0, -1/(15*pi)]

        Raises Refused unless n is an integer >= 0. Source: DLMF 18.5.5 (Rodrigues), see
        :func:`~gegenflow.theory.kernels.half_power_multiplier`.
        """
        power = check_count(power, "power", "the power of a rectified kernel must be an integer >= 0", least=0)
        return cls(sp.Max(t, 0) ** power if power else sp.Heaviside(t))

    @classmethod
    def series(
        cls,
        coefficients: Sequence[Expr] | Callable[[sp.Symbol], Expr],
        tail: Callable[[sp.Symbol], Expr] | None = None,
    ) -> Kernel:
        r"""Any attention weight with a power series, :math:`h(t) = \sum_n a_n t^n`, through the series formula.

        .. math:: w_k = \Gamma(d/2) \sum_{j \ge 0} \frac{a_{k+2j}\,(k+2j)!}{2^{k+2j}\, j!\; \Gamma(k+j+d/2)}

        ``coefficients`` is a finite sequence a_0, a_1, ... (a polynomial, e.g. linear attention ``[1, beta]``) or a
        function n -> a_n. Certified digits of an infinite series also need ``tail(n)``, a number that bounds
        :math:`\sum_{m \ge n} |a_m|`: as :math:`|P_k| \le 1`, it bounds what is left out after n terms. Both functions
        are called once, with a symbol n; cases are told by ``sp.Piecewise``.

        >>> Kernel.series([0, 0, 1]).multiplier(2, 3)              # t^2 = 1/3 + (2/3) P_2, and P_2 has norm 1/5
        2/15
        >>> series = Kernel.series(lambda n: 2**n / sp.factorial(n), tail=lambda n: 8 * 2**n / sp.factorial(n))
        >>> series.ball(1, 2).overlaps(arb(2).bessel_i(1)), series.ball(1, 2).rad() < 1e-14
        (True, True)

        Raises Refused for a function that cannot be called with a symbol, and, for certified digits, for an infinite
        series without ``tail`` or with parameters. Source: arXiv 2410.23228 for the expansion; derived here.
        """
        if callable(coefficients):
            return cls(series_of(coefficients), None if tail is None else remainder_of(tail))
        given = check_items(coefficients, "coefficients", "a sequence of numbers or a function of n is needed")
        return cls(sp.Add(*(check_parameter(a, f"coefficients[{n}]") * t**n for n, a in enumerate(given))))

    # what it is

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """The terms of a weight made of powers and exponentials, empty for 0 and for any other weight."""
        return self._terms or ()

    @cached_property
    def _terms(self) -> tuple[Term, ...] | None:
        return terms_of(self.weight)

    @cached_property
    def parity(self) -> int:
        """1 for an even weight, -1 for an odd one, else 0."""
        return parity_of(self.weight)

    @cached_property
    def potential(self) -> sp.Expr:
        """An antiderivative W of the weight."""
        if self._terms is not None:
            return sp.Add(*(term.potential for term in self._terms))
        if isinstance(self.weight, sp.Sum):
            return self.weight.func(sp.integrate(self.weight.function, t), *self.weight.limits)
        s = sp.Dummy("s", real=True)
        return sp.Integral(self.weight.subs(t, s), (s, 0, t))

    @property
    def degrees(self) -> tuple[int, ...] | None:
        """The degrees that a polynomial weight acts on, so the only ones that can grow; None where there is no end."""
        return None if self._terms is None else degrees_of(self._terms)

    @property
    def symbols(self) -> set[sp.Symbol]:
        """The parameters that are still symbols."""
        return set(self.weight.free_symbols) - {t}

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters that are still symbols, sorted."""
        return tuple(sorted({symbol.name for symbol in self.symbols}))

    def multiplier(self, degree: Expr = k, dim: Expr = d) -> Expr:
        """The Funk-Hecke multiplier w_k[h], exactly: ``degree`` k >= 0, ``dim`` d >= 2, or symbols (default k, d)."""
        degree, dim = sp.sympify(check_degree(degree, 0)), check_dim(dim)
        if self._terms is not None:
            return by_degree(sp.Add(*(term.multiplier(degree, dim) for term in self._terms)))
        if isinstance(self.weight, sp.Sum):
            return series_multiplier(self.weight, degree, dim)
        return Multiplier(self.weight, degree, dim)

    def potential_multiplier(self, degree: Expr = k, dim: Expr = d) -> Expr:
        """The multiplier w_k[W] of the potential: ``degree`` k >= 1, ``dim`` d >= 2, or symbols (default k, d).

        >>> Kernel.exponential().potential_multiplier(3, 2)
        besseli(3, beta)/beta
        """
        raised = self.multiplier(check_degree(degree) - 1, check_dim(dim) + 2)
        return by_degree(sp.Add(*(term / dim for term in sp.Add.make_args(raised))))

    def ball(self, degree: int, dim: int, values: Values | None = None) -> arb:
        """The multiplier w_k[h], ``degree`` k >= 0, ``dim`` d >= 2, in a ball at the current precision.

        ``values`` holds a ball for each symbol of the weight (default None: there is none). Raises Refused for a symbol
        without one; ArithmeticError where there is no finite number.
        """
        if self.parity == -((-1) ** degree):
            if self._terms is None:
                with flint.ctx.workprec(COARSE):
                    self._integral(0, dim, values)  # the weight must be integrable
            return arb(0)
        if self._terms is None:
            return self._integral(degree, dim, values)
        return arb(sum((term.ball(degree, dim, values or {}) for term in self._terms), fmpq(0)))

    def _integral(self, degree: int, dim: int, values: Values | None) -> arb:
        if isinstance(self.weight, sp.Sum):
            return series_ball(self.weight, self.remainder, degree, dim)
        return zonal_integral(self.weight, degree, dim, values)

    def tail(self, degree: int, dim: int, values: Values) -> arb | None:
        r"""A bound from above on :math:`L_j w_j[W]` for all j >= ``degree``, ``dim`` >= 2; None where none is known.

        ``values`` as for :meth:`ball`; see :func:`~gegenflow.theory.kernels.tails.tail_of`.
        """
        return arb(0) if self.weight == 0 else tail_of(self.terms, degree, dim, values)

    # other kernels, and the function

    def at(self, values: Mapping[sp.Symbol | str, Real] | None = None, /, **named: Real) -> Kernel:
        """The kernel with numbers, kept exact, or expressions in the place of parameters.

        ``values`` maps symbols or their names (default None: nothing), ``named`` gives them by keyword.

        >>> Kernel.heads([1, sp.Symbol("v")], [1, -1]).at({sp.Symbol("v"): "0.1"}, beta=2).weight
        exp(2*t) + exp(-2*t)/10

        Raises Refused for a parameter that the kernel does not hold.
        """
        given = {str(name): value for name, value in (values or {}).items()} | named
        for name in given.keys() - set(self.parameters):
            held = f"only {', '.join(self.parameters)}" if self.parameters else "and no other parameter"
            raise Refused(name, given[name], f"the kernel {self.weight} holds no {name}, {held}")
        known = {
            symbol: check_parameter(given[symbol.name], symbol.name) for symbol in self.symbols if symbol.name in given
        }
        rest = None if self.remainder is None else self.remainder.subs(known, simultaneous=True)
        return Kernel(self.weight.subs(known, simultaneous=True), rest)

    def derivative(self, parameter: sp.Symbol, order: int = 1) -> Kernel:
        """The kernel of the derivative in ``parameter``, ``order`` times; Refused where a kink moves with it.

        >>> Kernel.exponential().derivative(beta).weight
        t*exp(beta*t)
        """
        slope, known = sp.diff(in_half_powers(self.weight), parameter, order), f"a number in the place of {parameter}"
        if slope.has(sp.DiracDelta):
            raise Refused("kernel", self.weight, f"a kink or jump of it moves with {parameter}: put {known}")
        return Kernel(slope)

    def __call__(self, overlaps: ArrayLike) -> NDArray[np.float64]:
        """The weight at an array of ``overlaps`` in [-1, 1], in its shape; Refused while a parameter is a symbol."""
        if self.parameters:
            raise Refused("kernel", self.weight, f"a number is needed for {', '.join(self.parameters)}; see Kernel.at")
        return self._function(overlaps)

    @cached_property
    def _function(self) -> Callable[[ArrayLike], NDArray[np.float64]]:
        return overlap_function(self.weight)

    def _repr_latex_(self) -> str:
        return f"$h(t) = {latex(self.weight)}$"
