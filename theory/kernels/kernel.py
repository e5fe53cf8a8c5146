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
from typing import Any

import flint
import sympy as sp
from flint import arb, fmpq

from gegenflow.theory.exact.arguments import (
    Expr,
    check_degree,
    check_dim,
    exact_number,
    exact_parameter,
)
from gegenflow.theory.exact.certified import Certified, certify
from gegenflow.theory.exact.enclosures import Values, enclose
from gegenflow.theory.kernels.formulas import read_weight, weight_parity, weight_terms
from gegenflow.theory.kernels.integrals import zonal_integral
from gegenflow.theory.kernels.terms import Term
from gegenflow.theory.sphere import P, gegenbauer, zonal_weight
from gegenflow.theory.symbols import beta, d, k, t

COARSE = 30
"""Bits that tell whether an integral exists."""


@dataclass(frozen=True)
class Kernel:
    """An attention weight h(t), its potential W(t) with W' = h, and the multipliers w_k[h].

    ``multiplier(degree, dim)`` is the exact expression; ``ball(degree, dim, values)`` encloses the number in a
    ``flint.arb`` at the current precision, each symbol of the weight within the ball that ``values`` gives it (else
    ValueError). ``terms`` are those of a weight made of powers and exponentials, empty for any other.
    """

    weight: Expr
    potential: Expr
    multiplier: Callable[[Expr, Expr], Expr] = field(repr=False)
    ball: Callable[..., arb] = field(repr=False)
    terms: tuple[Term, ...] = field(default=(), repr=False)

    def potential_multiplier(self, degree: Expr = k, dim: Expr = d) -> Expr:
        """The multiplier w_k[W] of the potential, degree >= 1.

        >>> exponential().potential_multiplier(3, 2)
        besseli(3, beta)/beta
        """
        raised = self.multiplier(check_degree(degree) - 1, check_dim(dim) + 2)
        return sp.Add(*(term / dim for term in sp.Add.make_args(raised)))

    def function(self, values: Mapping[sp.Symbol, object]) -> Callable[[Any], Any]:
        """The attention weight as a function of an array of overlaps, its symbols replaced by numbers.

        >>> float(attention_kernel("relu(t) + beta*t").function({beta: "2.5"})(0.5))
        1.75
        """
        numbers = {symbol: sp.Rational(str(value)) for symbol, value in values.items()}
        function: Callable[[Any], Any] = sp.lambdify(t, self.weight.subs(numbers), "numpy")
        return function

    @property
    def symbols(self) -> set[sp.Symbol]:
        """The parameters that are still symbols."""
        return set(self.weight.free_symbols) - {t}

    def at(self, values: Mapping[sp.Symbol, Any]) -> Kernel:
        """The kernel with numbers, kept exact, or expressions in the place of symbols.

        >>> heads([1, sp.Symbol("v")], [1, -1]).at({sp.Symbol("v"): "0.1", beta: 2}).weight
        exp(2*t) + exp(-2*t)/10
        """
        return attention_kernel(self.weight.subs({symbol: exact_parameter(value) for symbol, value in values.items()}))

    def derivative(self, parameter: sp.Symbol) -> Kernel:
        """The kernel whose multipliers are the derivatives of these in a parameter.

        >>> exponential().derivative(beta).weight
        t*exp(beta*t)
        """
        return attention_kernel(sp.diff(self.weight, parameter))

    def tail(self, degree: int, dim: int, values: Values) -> arb | None:
        r"""A bound from above on :math:`L_j w_j[W]` for all j >= ``degree``; None where none is known.

        The sum of the bounds of the terms; or 0 where the steepest exponential, with a negative coefficient, outweighs
        the others: :math:`w_j[e^{at}]/w_j[e^{bt}]`, 0 < a < b, decreases in j, so it does so for all higher degrees.
        """
        if self.weight == 0:
            return arb(0)
        bounds = [bound for term in self.terms if (bound := term.tail(degree, dim, values)) is not None]
        if not bounds or len(bounds) < len(self.terms):
            return None
        return arb(0) if self._decays(degree, dim, values) else sum(bounds, arb(0))

    def _decays(self, degree: int, dim: int, values: Values) -> bool:
        """Whether the steepest exponential, with a negative coefficient, outweighs the others."""
        if any(term.power or term.half for term in self.terms):
            return False
        rates = [enclose(term.rate, values) for term in self.terms]
        sizes = [abs(arb(term.ball(degree - 1, dim + 2, values))) for term in self.terms]
        first = max(range(len(rates)), key=lambda i: float(rates[i].mid()))
        others = [i for i in range(len(rates)) if i != first]
        steepest = rates[first] > 0 and all(abs(rates[i]) <= rates[first] for i in others)
        negative = enclose(self.terms[first].coefficient, values) < 0
        return bool(steepest and negative and sum((sizes[i] for i in others), arb(0)) < sizes[first])

    def _repr_latex_(self) -> str:
        return f"$h(t) = {sp.latex(self.weight)}$"


def attention_kernel(weight: Expr | str) -> Kernel:
    r"""The kernel of any attention weight h(t): a sympy expression in t and parameters, or its text.

    Sums of :math:`c\,t^n e^{at}` and :math:`c\,t_+^n` have exact multipliers (:mod:`gegenflow.theory.kernels.terms`);
    those of any other weight stay integrals, with certified digits by integration in balls.

    >>> attention_kernel("1 + beta*t").multiplier(1, 3)                 # linear attention
    beta/3
    >>> attention_kernel(t * sp.exp(t)).multiplier(0, 2)                # the mean of t e^t is I_0'(1)
    besseli(1, 1)
    >>> certify(lambda: attention_kernel("tanh(3*t)").ball(1, 3), digits=10)
    [0.4552702386 +/- 2.4e-11]

    Raises ValueError for a text that is no formula in t, parameters and the functions of
    :data:`~gegenflow.theory.kernels.formulas.WORDS`. Source: derived here.
    """
    weight = read_weight(weight) if isinstance(weight, str) else sp.sympify(weight)
    terms, parity = weight_terms(weight), weight_parity(weight)

    def multiplier(degree: Expr, dim: Expr) -> Expr:
        degree, dim = sp.sympify(check_degree(degree, 0)), check_dim(dim)
        if terms is not None:
            return sp.Add(*(term.multiplier(degree, dim) for term in terms))
        harmonic = gegenbauer(int(degree), dim) if degree.is_Integer else P(degree, t)
        return sp.Integral(weight * harmonic * zonal_weight(dim), (t, -1, 1))

    def ball(degree: int, dim: int, values: Values | None = None) -> arb:
        vanishes = parity == -((-1) ** degree)
        if terms is None and vanishes:
            with flint.ctx.workprec(COARSE):
                zonal_integral(weight, degree, dim, values)  # it must exist
        if vanishes:
            return arb(0)
        if terms is not None:
            return arb(sum((term.ball(degree, dim, values or {}) for term in terms), fmpq(0)))
        return zonal_integral(weight, degree, dim, values)

    s = sp.Dummy("s", real=True)
    closed = terms is not None
    potential = sp.Add(*(x.potential for x in terms or ())) if closed else sp.Integral(weight.subs(t, s), (s, 0, t))
    return Kernel(weight, potential, multiplier, ball, terms or ())


def exponential(beta: Expr = beta) -> Kernel:
    r"""Softmax attention, :math:`h(t) = e^{\beta t}`, :math:`W = e^{\beta t}/\beta`.

    .. math:: w_k = \Gamma(d/2)\,(2/\beta)^{d/2-1}\, I_{k+d/2-1}(\beta)

    and at ``beta`` = 0, the Kuramoto limit, h = 1 and W = t: only w_0 = 1 is left.

    >>> exponential().multiplier(3, 2), exponential().multiplier(0, 3)
    (besseli(3, beta), sinh(beta)/beta)
    >>> exponential("0.3").weight                       # decimals stay exact
    exp(3*t/10)

    Raises ValueError for beta negative, infinite or not a number. Source: arXiv 2410.23228; DLMF 10.32.2, by parts.
    """
    if not _stays_symbolic(beta):
        exact = exact_number(beta)
        beta = sp.Rational(int(exact.p), int(exact.q))
    return attention_kernel(sp.exp(beta * t))


def _stays_symbolic(beta: Expr) -> bool:
    """Whether beta holds a symbol or is an irrational number >= 0, such as sqrt(2)."""
    if not isinstance(beta, sp.Expr) or beta.is_Rational or beta.is_Float:
        return False
    return bool(beta.is_nonnegative or (beta.free_symbols and beta.is_nonnegative is not False))


def heads(values: Sequence[Any], scales: Sequence[Any], beta: Expr = beta) -> Kernel:
    r"""Isotropic heads, :math:`h(t) = \sum_h v_h e^{\beta m_h t}`.

    .. math:: W(t) = \sum_h \frac{v_h}{\beta m_h}\, e^{\beta m_h t}

    Head h has key-query matrix :math:`m_h I` (``scales``) and value matrix :math:`v_h I` (``values``), both of either
    sign; :math:`v_h = m_h` is the gradient flow of arXiv 2605.04279. Numbers stay exact, symbols stay free, and the
    growth rates of the heads add up.

    >>> heads([1, "-0.5"], [1, 2]).weight
    -exp(2*beta*t)/2 + exp(beta*t)
    >>> heads([1, 1], [1, -1]).multiplier(1, 3)                    # an even weight has no odd degrees
    0

    Raises ValueError unless there are as many values as scales, at least one. Source: arXiv 2605.04279 for the heads.
    """
    if len(values) != len(scales) or not len(values):
        raise ValueError(f"values {values}: one is needed for each of the {len(scales)} scales, at least one")
    parameters = [(exact_parameter(v), exact_parameter(m)) for v, m in zip(values, scales, strict=True)]
    return attention_kernel(sp.Add(*(v * sp.exp(exact_parameter(beta) * m * t) for v, m in parameters)))


def relu(power: int = 1) -> Kernel:
    r"""Rectified attention, :math:`h(t) = \max(t, 0)^n`: 0 beyond a half sphere; n = 1 is ReLU, n = 0 a step.

    .. math:: w_k = \frac{n!\;\Gamma(d/2)}{2^{n+1}\,\Gamma(1+(n-k)/2)\,\Gamma((n+k+d)/2)}

    >>> [relu().multiplier(k, 2) for k in range(5)]               # Fourier series of a rectified cosine
    [1/pi, 1/4, 1/(3*pi), 0, -1/(15*pi)]

    Raises ValueError unless n is an integer >= 0. Source: DLMF 18.5.5 (Rodrigues), see
    :func:`~gegenflow.theory.kernels.half_power_multiplier`.
    """
    if isinstance(power, bool) or not isinstance(power, int) or power < 0:
        raise ValueError(f"power {power}: the power of a rectified kernel must be an integer >= 0")
    return attention_kernel(sp.Max(t, 0) ** power if power else sp.Heaviside(t))


def multiplier(degree: Expr = k, dim: Expr = d, beta: Expr = beta, *, digits: int | None = None) -> Expr | Certified:
    r"""Funk-Hecke multiplier :math:`w_k` of the attention weight :math:`e^{\beta t}` (see :func:`exponential`).

    Exact; with ``digits`` a certified number. Source: arXiv 2410.23228; DLMF 10.32.2, by parts.

    >>> multiplier()
    2**(d/2 - 1)*beta**(1 - d/2)*besseli(d/2 + k - 1, beta)*gamma(d/2)
    >>> multiplier(1, 3, 2, digits=20)
    [0.97438274358006103786 +/- 4.1e-21]
    """
    kernel = exponential(beta)
    if digits is None:
        return kernel.multiplier(degree, dim)
    return certify(lambda: kernel.ball(check_degree(degree, 0), check_dim(dim)), digits)
