r"""Interaction kernels: what a token feels of another at overlap t = <x, y>.

A kernel is the attention weight :math:`h(t)` (``exp(beta*t)`` for softmax attention) together with the potential
:math:`W`, :math:`W' = h`, whose gradient moves the tokens. Its Funk-Hecke multipliers are

.. math:: w_k[h] = \int_{-1}^{1} h(t)\,P_k(t)\,\omega(t)\,dt, \qquad
          w_k^{(d)}[W] = \tfrac1d\, w_{k-1}^{(d+2)}[h] \quad (k \ge 1)

(the second by parts), so the multipliers of h alone determine every growth rate, also where W has a removable 1/beta.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import flint
import sympy as sp
from flint import arb, fmpq

from gegenflow.theory.certified import Certified, certify, exact_number
from gegenflow.theory.sphere import Expr, check_degree, check_dim, d, k, t

beta = sp.Symbol("beta", positive=True)
MOST_TERMS = 10_000
j = sp.Symbol("j", integer=True, nonnegative=True)


@dataclass(frozen=True)
class Kernel:
    """An attention weight h(t), its potential W(t) with W' = h, and the multipliers w_k[h].

    ``multiplier(degree, dim)`` is the exact expression; ``ball(degree, dim)`` encloses the number in a ``flint.arb`` at
    the current precision, and raises ValueError where the kernel still holds a symbol.
    """

    name: str
    weight: Expr
    potential: Expr
    multiplier: Callable[[Expr, Expr], Expr] = field(repr=False)
    ball: Callable[[int, int], arb] = field(repr=False)

    def potential_multiplier(self, degree: Expr = k, dim: Expr = d) -> Expr:
        """The multiplier w_k[W] of the potential, degree >= 1.

        >>> exponential().potential_multiplier(3, 2)
        besseli(3, beta)/beta
        """
        return sp.gammasimp(self.multiplier(check_degree(degree) - 1, check_dim(dim) + 2) / dim)

    def _repr_latex_(self) -> str:
        return f"$h(t) = {sp.latex(self.weight)}$"


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
    exact = None if _stays_symbolic(beta) else exact_number(beta)
    inverse_temperature = beta if exact is None else sp.Rational(int(exact.p), int(exact.q))

    def ball(degree: int, dim: int) -> arb:
        if exact is None:
            raise ValueError(f"beta {beta}: a rational number is needed for certified digits")
        if exact == 0:
            return arb(int(degree == 0))
        half, z = fmpq(dim, 2), arb(exact)
        return arb.gamma_fmpq(half) * (2 / z) ** arb(half - 1) * z.bessel_i(arb(half - 1 + degree))

    return Kernel(
        name="exponential",
        weight=sp.exp(inverse_temperature * t),
        potential=sp.exp(inverse_temperature * t) / inverse_temperature if inverse_temperature != 0 else t,
        multiplier=lambda degree, dim: _exponential_multiplier(degree, dim, inverse_temperature),
        ball=ball,
    )


def _stays_symbolic(beta: Expr) -> bool:
    """Whether beta holds a symbol or is an irrational number >= 0, such as sqrt(2)."""
    if not isinstance(beta, sp.Expr) or beta.is_Rational or beta.is_Float:
        return False
    return bool(beta.is_nonnegative or (beta.free_symbols and beta.is_nonnegative is not False))


def _exponential_multiplier(degree: Expr, dim: Expr, beta: Expr) -> Expr:
    degree, dim = sp.sympify(check_degree(degree, 0)), sp.sympify(check_dim(dim))
    if beta == 0:
        return sp.KroneckerDelta(degree, 0)
    scale = 2 ** (dim / 2 - 1) * beta ** (1 - dim / 2)
    return sp.gamma(dim / 2) * scale * modified_bessel(degree + dim / 2 - 1, beta)


def modified_bessel(order: Expr, argument: Expr) -> Expr:
    r"""The modified Bessel function :math:`I_\nu(z)`, in sinh and cosh at half-integer orders.

    .. math:: \sqrt{\tfrac{\pi z}{2}}\, I_{n+1/2}(z) = \sum_{m=0}^{n} (-1)^m \frac{(n+m)!}{m!\,(n-m)!\,(2z)^m}
              \begin{cases}\sinh z & n+m \text{ even}\\ \cosh z & n+m \text{ odd}\end{cases}

    >>> modified_bessel(sp.Rational(3, 2), beta).equals(sp.besseli(sp.Rational(3, 2), beta))
    True
    >>> modified_bessel(3, beta)
    besseli(3, beta)

    Source: DLMF 10.49.8 (10.49(ii)).
    """
    n = sp.sympify(order) - sp.Rational(1, 2)
    if not (n.is_Integer and n >= 0):
        return sp.besseli(order, argument)
    even = odd = sp.Integer(0)
    term = sp.Integer(1)
    for m in range(int(n) + 1):
        even, odd = (even + term, odd) if (n + m) % 2 == 0 else (even, odd + term)
        term *= -(n + m + 1) * (n - m) / (2 * (m + 1) * argument)
    return sp.sqrt(2 / (sp.pi * argument)) * (even * sp.sinh(argument) + odd * sp.cosh(argument))


def power_multiplier(degree: Expr, index: Expr, dim: Expr = d) -> Expr:
    r"""Multiplier of the power :math:`t^{k+2j}`; those of :math:`t^n` with n < k or n - k odd vanish.

    .. math:: w_k[t^{k+2j}] = \frac{\Gamma(d/2)\,(k+2j)!}{2^{k+2j}\, j!\; \Gamma(k+j+d/2)}

    >>> [power_multiplier(2, j, dim=3) for j in range(3)]        # int_0^1 t^n (3 t^2 - 1)/2 dt, n = 2, 4, 6
    [2/15, 4/35, 2/21]

    Source: derived here by induction on the power, which :mod:`gegenflow.theory.linearization` verifies.
    """
    degree, index, dim = sp.sympify(degree), sp.sympify(index), sp.sympify(dim)
    power = degree + 2 * index
    half, order = dim / 2, degree + index
    rising = sp.rf(half, order) if order.is_Integer else sp.gamma(half + order) / sp.gamma(half)
    return sp.factorial(power) / (2**power * sp.factorial(index) * rising)


def power_series(
    coefficients: Sequence[Expr] | Callable[[Expr], Expr], tail: Callable[[int], Expr] | None = None
) -> Kernel:
    r"""Any attention weight with a power series, :math:`h(t) = \sum_n a_n t^n`, through the series formula.

    .. math:: w_k = \Gamma(d/2) \sum_{j \ge 0} \frac{a_{k+2j}\,(k+2j)!}{2^{k+2j}\, j!\; \Gamma(k+j+d/2)}

    ``coefficients`` is a finite sequence a_0, a_1, ... (a polynomial, e.g. linear attention ``[1, beta]``) or a
    function n -> a_n. Certified digits of an infinite series also need ``tail(n)``, a number that bounds
    :math:`\sum_{m \ge n} |a_m|`: as :math:`|P_k| \le 1`, it bounds what is left out after n terms.

    >>> power_series([0, 0, 1]).multiplier(2, 3)                  # t^2 = 1/3 + (2/3) P_2, and P_2 has norm 1/5
    2/15
    >>> series = power_series(lambda n: 2**n / sp.factorial(n), tail=lambda n: 8 * 2**n / sp.factorial(n))
    >>> abs(series.multiplier(1, 2) - sp.besseli(1, 2)).evalf() < 1e-14
    True

    Raises ValueError where an infinite series without ``tail`` or with symbols is asked for certified digits.
    Source: arXiv 2410.23228 for the expansion; the formula is derived here.
    """
    one: fmpq | arb
    if callable(coefficients):
        coefficient, last, one = coefficients, sp.oo, arb(1)
    else:
        finite = [sp.sympify(a) for a in coefficients]
        coefficient, last, one = _lookup(finite), sp.Integer(len(finite) - 1), fmpq(1)
        tail = lambda n: 0 if n > last else sp.oo  # noqa: E731
    n = sp.Symbol("n", integer=True, nonnegative=True)

    def multiplier(degree: Expr, dim: Expr) -> Expr:
        degree, dim = check_degree(degree, 0), check_dim(dim)
        if last == sp.oo or not sp.sympify(degree).is_Integer:
            summand = coefficient(degree + 2 * j) * power_multiplier(degree, j, dim)
            return sp.Sum(summand, (j, 0, sp.floor(last / 2)))
        terms = range((int(last) - int(degree)) // 2 + 1)
        return sum((coefficient(degree + 2 * i) * power_multiplier(degree, i, dim) for i in terms), sp.Integer(0))

    return Kernel(
        name="power series",
        weight=sp.Sum(coefficient(n) * t**n, (n, 0, last)).doit(),
        potential=sp.Sum(coefficient(n) * t ** (n + 1) / (n + 1), (n, 0, last)).doit(),
        multiplier=multiplier,
        ball=_series_ball(coefficient, tail, one),
    )


def _lookup(coefficients: Sequence[Expr]) -> Callable[[Expr], Expr]:
    """n -> a_n of a finite list, zero beyond, also for a symbolic n."""
    return lambda n: sum((a * sp.KroneckerDelta(n, m) for m, a in enumerate(coefficients)), sp.Integer(0))


def _series_ball(
    coefficient: Callable[[Expr], Expr], tail: Callable[[int], Expr] | None, one: fmpq | arb
) -> Callable[[int, int], arb]:
    """Sum the series until the bound on its tail is negligible: in balls, or exactly (a polynomial) if ``one`` is."""

    def ball(degree: int, dim: int) -> arb:
        if tail is None:
            raise ValueError("power series: certified digits need tail(n), a bound on the sum of |a_m| over m >= n")
        moment, total, power = one, 0 * one, degree
        for n in range(degree):
            moment *= fmpq(n + 1, 2 * n + dim)
        for _ in range(MOST_TERMS):
            total += _rational(coefficient(power)) * moment
            moment *= fmpq((power + 1) * (power + 2), (power - degree + 2) * (power + degree + dim))
            power += 2
            rest = tail(power)
            if rest != sp.oo and (left := arb(_rational(rest))) <= _negligible(arb(total)):
                return arb(total) + arb(0, left.abs_upper())
        raise ArithmeticError(f"power series: its tail is not negligible after {MOST_TERMS} terms")

    return ball


def _rational(number: Expr) -> fmpq:
    rational = sp.sympify(number)
    if not rational.is_Rational:
        raise ValueError(f"coefficient {number}: certified digits need rational coefficients and tails")
    return fmpq(int(rational.p), int(rational.q))


def _negligible(total: arb) -> arb:
    """What may be left out of a sum: the last bit, or, of a sum that looks like zero, far less than anything real."""
    bits = flint.ctx.prec
    return abs(total).lower() * arb(2) ** -bits if not total.contains(0) else arb(2) ** (-4 * bits)


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
