r"""Kernels given by a power series, :math:`h(t) = \sum_n a_n t^n`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import flint
import sympy as sp
from flint import arb, fmpq

from gegenflow.theory.exact.arguments import Expr, check_degree, check_dim
from gegenflow.theory.exact.enclosures import Values
from gegenflow.theory.kernels.kernel import Kernel, attention_kernel
from gegenflow.theory.kernels.terms import power_multiplier
from gegenflow.theory.symbols import t

MOST_TERMS = 10_000
j = sp.Symbol("j", integer=True, nonnegative=True)


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
    if not callable(coefficients):
        return attention_kernel(sp.Add(*(a * t**n for n, a in enumerate(coefficients))))
    n = sp.Symbol("n", integer=True, nonnegative=True)

    def multiplier(degree: Expr, dim: Expr) -> Expr:
        degree, dim = check_degree(degree, 0), check_dim(dim)
        return sp.Sum(coefficients(degree + 2 * j) * power_multiplier(degree, j, dim), (j, 0, sp.oo))

    return Kernel(
        weight=sp.Sum(coefficients(n) * t**n, (n, 0, sp.oo)).doit(),
        potential=sp.Sum(coefficients(n) * t ** (n + 1) / (n + 1), (n, 0, sp.oo)).doit(),
        multiplier=multiplier,
        ball=_series_ball(coefficients, tail),
    )


def _series_ball(coefficient: Callable[[Expr], Expr], tail: Callable[[int], Expr] | None) -> Callable[..., arb]:
    """Sum the series in balls until the bound on its tail is negligible."""

    def ball(degree: int, dim: int, values: Values | None = None) -> arb:
        if tail is None:
            raise ValueError("power series: certified digits need tail(n), a bound on the sum of |a_m| over m >= n")
        moment, total, power = arb(1), arb(0), degree
        for n in range(degree):
            moment *= fmpq(n + 1, 2 * n + dim)
        for _ in range(MOST_TERMS):
            total += _rational(coefficient(power)) * moment
            moment *= fmpq((power + 1) * (power + 2), (power - degree + 2) * (power + degree + dim))
            power += 2
            rest = tail(power)
            if rest != sp.oo and (left := arb(_rational(rest))) <= _negligible(total):
                return total + arb(0, left.abs_upper())
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
