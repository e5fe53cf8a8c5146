r"""Funk-Hecke multipliers of what kernels are made of: :math:`t^n`, its half :math:`t_+^n`, and :math:`t^n e^{at}`.

.. math:: w_k[h] = \int_{-1}^{1} h(t)\,P_k(t)\,\omega(t)\,dt

A :class:`Term` is a multiple of one of them, and knows its multiplier exactly and in balls.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import flint
import sympy as sp
from flint import arb, fmpq

from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_real
from gegenflow.theory.exact.enclosures import Values, enclose
from gegenflow.theory.exact.integers import check_degree, check_dim, check_whole
from gegenflow.theory.sphere import laplacian_eigenvalue
from gegenflow.theory.symbols import d, t


def in_elementary_functions(expression: Expr) -> Expr:
    r"""The expression with the Bessel functions :math:`I_\nu(z)` of half-integer orders in sinh and cosh.

    .. math:: \sqrt{\tfrac{\pi z}{2}}\, I_{n+1/2}(z) = \sum_{m=0}^{n} (-1)^m \frac{(n+m)!}{m!\,(n-m)!\,(2z)^m}
              \begin{cases}\sinh z & n+m \text{ even}\\ \cosh z & n+m \text{ odd}\end{cases}

    Its terms cancel where n is large or z small: exact, and no form for floats.

    >>> z = sp.Symbol("z", positive=True)
    >>> bessel = sp.besseli(sp.Rational(3, 2), z)
    >>> in_elementary_functions(bessel).equals(bessel), in_elementary_functions(2 * sp.besseli(3, z))
    (True, 2*besseli(3, z))

    Source: DLMF 10.49.8 (10.49(ii)).
    """
    return sp.powsimp(expression.replace(sp.besseli, _elementary)) if expression.has(sp.besseli) else expression


def _elementary(order: Expr, argument: Expr) -> Expr:
    n = sp.sympify(order) - sp.Rational(1, 2)
    if not (n.is_Integer and n >= 0):
        return sp.besseli(order, argument)
    even = odd = sp.Integer(0)
    term = sp.Integer(1)
    for m in range(int(n) + 1):
        even, odd = (even + term, odd) if (n + m) % 2 == 0 else (even, odd + term)
        term *= -(n + m + 1) * (n - m) / (2 * (m + 1) * argument)
    scale = sp.sqrt(2 / sp.pi) / sp.sqrt(argument)
    return scale * (even * sp.sinh(argument) + odd * sp.cosh(argument))


def power_multiplier(degree: Whole, index: Whole, dim: Whole = d) -> Expr:
    r"""Multiplier of the power :math:`t^{k+2j}`; those of :math:`t^n` with n < k or n - k odd vanish.

    .. math:: w_k[t^{k+2j}] = \frac{\Gamma(d/2)\,(k+2j)!}{2^{k+2j}\, j!\; \Gamma(k+j+d/2)}

    :param degree: degree of the harmonic, >= 0, or a symbol
    :param index: j, half of what the power exceeds the degree by, >= 0, or a symbol
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)

    >>> [power_multiplier(2, j, dim=3) for j in range(3)]        # int_0^1 t^n (3 t^2 - 1)/2 dt, n = 2, 4, 6
    [2/15, 4/35, 2/21]

    Raises Refused for a degree or an index that is no integer >= 0 nor a symbol, and for dim < 2. Source: derived here
    by induction on the power, which :mod:`gegenflow.theory.growth.derivation` verifies.

    See also :func:`.half_power_multiplier`, :func:`.funk_hecke`.
    """
    index = sp.sympify(check_whole(index, "index", "the index j of t^(k+2j) must be an integer >= 0", least=0))
    degree, dim = sp.sympify(check_degree(degree, 0)), sp.sympify(check_dim(dim))
    power = degree + 2 * index
    half, order = dim / 2, degree + index
    rising = sp.rf(half, order) if order.is_Integer else sp.gamma(half + order) / sp.gamma(half)
    return sp.factorial(power) / (2**power * sp.factorial(index) * rising)


def half_power_multiplier(degree: Whole, power: Real, dim: Whole = d) -> Expr:
    r"""Multiplier of :math:`t_+^n = \max(t, 0)^n`, supported on a half sphere (n = 1: ReLU; n = 0: a step).

    .. math:: w_k[t_+^n] = \frac{n!\;\Gamma(d/2)}{2^{n+1}\,\Gamma(1+(n-k)/2)\,\Gamma((n+k+d)/2)}

    By Rodrigues' formula, :math:`P_k\,\omega = c_k\,\frac{d^k}{dt^k}(1-t^2)^{k+(d-3)/2}`: k integrations by parts for
    n >= k, where no boundary term is left at 0, give a Beta integral; both sides are analytic in n > -1. It vanishes
    for n - k even, k > n, where :math:`t_+^n` is half of a polynomial that has no such degree.

    :param degree: degree of the harmonic, >= 0, or a symbol
    :param power: the exponent n, any real number > -1, or a symbol
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)

    >>> [half_power_multiplier(k, 1, dim=3) for k in range(5)]       # int_0^1 t P_k(t)/2 dt, DLMF 14.17(i)
    [1/4, 1/6, 1/16, 0, -1/96]

    Raises Refused for degree < 0, power <= -1 and dim < 2. Source: DLMF 18.5.5 (Rodrigues), integrated here.

    See also :func:`.power_multiplier`, :meth:`.Kernel.relu`.
    """
    degree, dim = sp.sympify(check_degree(degree, 0)), sp.sympify(check_dim(dim))
    power = check_real(power, "power", "the power of max(t, 0) must be a number > -1", above=-1)
    ratio = sp.expand_func(sp.gamma(dim / 2)) / sp.gamma((power + degree + dim) / 2)
    return sp.factorial(power) / 2 ** (power + 1) * ratio / sp.gamma(1 + (power - degree) / 2)


def by_degree(expression: Expr) -> Expr:
    """An expression with cases of the degree as one table of them, with each degree put into its own case.

    >>> k = sp.Symbol("k")
    >>> by_degree(k * sp.Piecewise((1, sp.Eq(k, 2)), (0, True)))
    Piecewise((2, Eq(k, 2)), (0, True))
    """
    tables = [
        table for table in expression.atoms(sp.Piecewise) if any(isinstance(told, sp.Eq) for _, told in table.args)
    ]
    degrees = {told for table in tables for _, told in table.args if isinstance(told, sp.Eq)}
    if not degrees:
        return expression
    cases = [(expression.subs(told.lhs, told.rhs), told) for told in sorted(degrees, key=lambda told: told.rhs)]
    return sp.Piecewise(*cases, (expression.xreplace({table: table.args[-1][0] for table in tables}), True))


@dataclass(frozen=True)
class Term:
    r"""One term :math:`c\,t^n e^{at}` of an attention weight, or :math:`c\,t_+^n` if ``half``.

    >>> Term(sp.Integer(3), 1, sp.Integer(2)).weight
    3*t*exp(2*t)
    """

    coefficient: Expr
    power: int
    rate: Expr
    half: bool = False

    @property
    def weight(self) -> Expr:
        """The term as an expression in t."""
        return self.coefficient * t**self.power * (sp.Heaviside(t) if self.half else sp.exp(self.rate * t))

    @property
    def potential(self) -> Expr:
        """An antiderivative in t."""
        n, a = self.power, self.rate
        if self.half or a == 0:
            return self.coefficient * t ** (n + 1) / (n + 1) * (sp.Heaviside(t) if self.half else 1)
        parts = (sp.ff(n, i) * (-1) ** i * t ** (n - i) / a ** (i + 1) for i in range(n + 1))
        return self.coefficient * sp.exp(a * t) * sp.Add(*parts)

    def multiplier(self, degree: Expr, dim: Expr) -> Expr:
        """The exact multiplier; degree and dimension already checked, possibly symbols."""
        degree, dim, n = sp.sympify(degree), sp.sympify(dim), self.power
        if self.half:
            return self.coefficient * half_power_multiplier(degree, n, dim)
        if self.rate != 0:
            return self.coefficient * _tilted_multiplier(degree, dim, n, self.rate)
        if not degree.is_Integer:
            ranks = range(n % 2, n + 1, 2)
            shift = degree.as_coeff_Add()[0]
            cases = [(power_multiplier(i, (n - i) // 2, dim), sp.Eq(degree - shift, i - shift)) for i in ranks]
            return self.coefficient * sp.Piecewise(*cases, (0, True))
        if degree > n or (n - degree) % 2:
            return sp.Integer(0)
        return self.coefficient * power_multiplier(degree, (n - degree) / 2, dim)

    def ball(self, degree: int, dim: int, values: Values) -> arb | fmpq:
        """The multiplier with these values of the symbols; an exact fraction for a polynomial."""
        n = self.power
        if self.half:
            poles = arb(fmpq(n - degree, 2) + 1).rgamma() * arb(fmpq(n + degree + dim, 2)).rgamma()
            scale: arb = arb(fmpq(dim, 2)).gamma() * arb(n).fac() / 2 ** (n + 1)
            return enclose(self.coefficient, values) * scale * poles
        if self.rate != 0:
            return enclose(self.coefficient, values) * _tilted_ball(degree, dim, n, enclose(self.rate, values))
        exact = fmpq(0)
        if n >= degree and (n - degree) % 2 == 0:
            ratio = power_multiplier(degree, sp.Integer(n - degree) / 2, dim)
            exact = fmpq(int(ratio.p), int(ratio.q))
        if self.coefficient.is_Rational:
            return exact * fmpq(int(self.coefficient.p), int(self.coefficient.q))
        return exact * enclose(self.coefficient, values)

    def tail(self, degree: int, dim: int, values: Values) -> arb | None:
        r"""A bound from above on :math:`L_j w_j[W]`, W the potential, for all j >= ``degree``, or None.

        0 where :math:`c \le 0 \le a`: the multipliers of :math:`t^n e^{at}`, :math:`a \ge 0`, are not negative.
        Powers have no degree beyond n + 1. For :math:`t_+^n` the bound of each parity decreases beyond that. For
        :math:`t^n e^{at}`, :math:`|w_j[t^n e^{at}]| \le w_{j-n}[e^{|a|t}]` and :math:`L_j/L_{j-n}` decreases, so
        the rate of degree j - n for :math:`e^{|a|t}`, unimodal in the degree, bounds it beyond its maximum.
        """
        shift = degree - self.power
        if self.rate == 0 and not self.half:
            return arb(0) if shift > 1 else None
        if shift <= 1:
            return None
        if not self.half and enclose(self.rate, values) >= 0 and enclose(self.coefficient, values) <= 0:
            return arb(0)
        if self.half:
            bounds = [abs(_lifted(self.ball(j - 1, dim + 2, values), j, dim)).upper() for j in (degree, degree + 1)]
            return max(bounds)
        steepness = arb(abs(enclose(self.rate, values)).upper())
        if steepness.is_zero():
            return arb(0)
        here, above = (_lifted(_tilted_ball(j - 1, dim + 2, 0, steepness), j, dim) for j in (shift, shift + 1))
        if not above < here:
            return None
        ratio = fmpq(laplacian_eigenvalue(degree, dim), laplacian_eigenvalue(shift, dim))
        return (abs(enclose(self.coefficient, values)) * here * ratio).upper()


def _lifted(multiplier: arb | fmpq, degree: int, dim: int) -> arb:
    """L_k w_k[W] from w_{k-1}[h] in two dimensions more."""
    return arb(multiplier * fmpq(laplacian_eigenvalue(degree, dim), dim))


def _tilted_multiplier(degree: Expr, dim: Expr, power: int, rate: Expr) -> Expr:
    """w_k[t^n e^{at}]: from degrees k - 1 and k + 1 at one power less, by the recurrence of P_k."""
    if power and not degree.is_Integer:
        return _tilted_derivative(degree, dim, power, rate)
    if power == 0:
        if rate.could_extract_minus_sign():
            return (-1) ** degree * _tilted_multiplier(degree, dim, 0, -rate)
        scale = 2 ** (dim / 2 - 1) * rate ** (1 - dim / 2)
        return sp.expand_func(sp.gamma(dim / 2)) * scale * sp.besseli(degree + dim / 2 - 1, rate)
    above = _tilted_multiplier(degree + 1, dim, power - 1, rate)
    if degree == 0:
        return above
    below = _tilted_multiplier(degree - 1, dim, power - 1, rate)
    return ((degree + dim - 2) * above + degree * below) / (2 * degree + dim - 2)


def _tilted_derivative(degree: Expr, dim: Expr, power: int, rate: Expr) -> Expr:
    r"""The same for a symbolic degree, as the derivative :math:`\partial_a^n w_k[e^{at}]`, finite at every degree.

    With :math:`w_k = c\,a^{-\nu} I_{k+\nu}(a)`, :math:`\nu = d/2-1`, DLMF 10.29.2 gives
    :math:`\partial_a (a^{-\nu} I_{k+i+\nu}) = a^{-\nu} (I_{k+i+1+\nu} + \frac{k+i}{a} I_{k+i+\nu})`: orders only rise.
    (The recurrence of P_k divides by what vanishes at some low degree, a removable 0/0.)
    """
    if rate.could_extract_minus_sign():
        return (-1) ** (degree + power) * _tilted_derivative(degree, dim, power, -rate)
    a = sp.Dummy("a", positive=True)
    shares = [sp.Integer(1)]
    for _ in range(power):
        risen = [sp.Integer(0), *shares]
        shares = [sp.diff(c, a) + c * (degree + i) / a for i, c in enumerate(shares)]
        shares = [sp.expand(x + y) for x, y in zip([*shares, sp.Integer(0)], risen, strict=True)]
    return sp.Add(*(c.subs(a, rate) * _tilted_multiplier(degree + i, dim, 0, rate) for i, c in enumerate(shares)))


def _tilted_ball(degree: int, dim: int, power: int, rate: arb) -> arb:
    r"""A ball around :math:`w_k[t^n e^{at}]` for every a in a ball.

    It is a power series in a with positive coefficients and the parity of k + n, hence monotone in \|a\|.
    """
    if not rate.is_finite():
        return arb("nan")
    low, high = arb(rate.lower()), arb(rate.upper())
    ends = [_tilted_point(degree, dim, power, end) for end in ([low] if rate.is_exact() else [low, high])]
    hull: arb = ends[0].union(ends[-1])
    return hull.union(_tilted_point(degree, dim, power, arb(0))) if low < 0 < high else hull


def _tilted_point(degree: int, dim: int, power: int, rate: arb) -> arb:
    """The multiplier at an exact rate."""
    mantissa, exponent = (int(part) for part in abs(rate).man_exp())
    row = {
        order: _exponential_ball(order, dim, mantissa, exponent, flint.ctx.prec)
        for order in range(max(0, degree - power), degree + power + 1)
    }
    for less in range(power - 1, -1, -1):
        row = {
            order: row[1]
            if order == 0
            else ((order + dim - 2) * row[order + 1] + order * row[order - 1]) / (2 * order + dim - 2)
            for order in range(max(0, degree - less), degree + less + 1)
        }
    return -row[degree] if rate < 0 and (degree + power) % 2 else row[degree]


@lru_cache(maxsize=10_000)
def _exponential_ball(degree: int, dim: int, mantissa: int, exponent: int, precision: int) -> arb:
    """w_k[e^{at}] at a = mantissa * 2**exponent >= 0: the derivatives at a point share these."""
    if mantissa == 0:
        return arb(int(degree == 0))
    half, rate = fmpq(dim, 2), arb((mantissa, exponent))
    return arb.gamma_fmpq(half) * (2 / rate) ** arb(half - 1) * rate.bessel_i(arb(half - 1 + degree))
