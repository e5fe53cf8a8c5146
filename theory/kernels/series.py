r"""Kernels given by an infinite power series, :math:`h(t) = \sum_n a_n t^n`: a sum over n that stays unevaluated."""

from __future__ import annotations

from collections.abc import Callable

import flint
import sympy as sp
from flint import arb, fmpq

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.kernels.terms import power_multiplier
from gegenflow.theory.symbols import t

MOST_TERMS = 10_000
j = sp.Symbol("j", integer=True, nonnegative=True)
n = sp.Symbol("n", integer=True, nonnegative=True)


def series_of(coefficients: Callable[[sp.Symbol], Expr]) -> sp.Sum:
    """The weight of a function n -> a_n, called once with a symbol.

    >>> series_of(lambda n: 1 / sp.factorial(n))
    Sum(t**n/factorial(n), (n, 0, oo))

    Raises Refused for a function that cannot be called with a symbol.
    """
    return sp.Sum(_called("coefficients", coefficients) * t**n, (n, 0, sp.oo))


def remainder_of(tail: Callable[[sp.Symbol], Expr]) -> Expr:
    """The bound n -> tail(n) as an expression in n; Refused if it cannot be called with a symbol."""
    return _called("tail", tail)


def _called(name: str, function: Callable[[sp.Symbol], Expr]) -> Expr:
    allowed = "it must be a function of n that takes a sympy symbol; tell cases by sp.Piecewise"
    try:
        value = sp.sympify(function(n), strict=True)
    except (TypeError, ValueError, ArithmeticError, AttributeError, sp.SympifyError) as error:
        raise Refused(name, getattr(function, "__name__", function), allowed) from error
    if not isinstance(value, sp.Expr):
        raise Refused(name, value, allowed)
    return value


def _coefficient(weight: sp.Sum) -> Expr:
    return weight.function / t**n


def series_multiplier(weight: sp.Sum, degree: Expr, dim: Expr) -> Expr:
    """The multiplier of a series as a series.

    >>> abs(series_multiplier(series_of(lambda n: 2**n / sp.factorial(n)), 1, 2) - sp.besseli(1, 2)).evalf() < 1e-14
    True
    """
    moment = power_multiplier(degree, j, dim)
    return sp.Sum(_coefficient(weight).subs(n, degree + 2 * j) * moment, (j, 0, sp.oo))


def series_ball(weight: sp.Sum, remainder: Expr | None, degree: int, dim: int) -> arb:
    """The multiplier in a ball: sum the series until the bound on its tail is negligible."""
    if remainder is None:
        raise Refused("tail", None, "certified digits of a power series need a bound on the sum of |a_m| over m >= n")
    coefficient = _coefficient(weight)
    moment, total, power = arb(1), arb(0), degree
    for m in range(degree):
        moment *= fmpq(m + 1, 2 * m + dim)
    for _ in range(MOST_TERMS):
        total += _rational(coefficient.subs(n, power)) * moment
        moment *= fmpq((power + 1) * (power + 2), (power - degree + 2) * (power + degree + dim))
        power += 2
        rest = remainder.subs(n, power)
        if rest != sp.oo and (left := arb(_rational(rest))) <= _negligible(total):
            return total + arb(0, left.abs_upper())
    raise ArithmeticError(f"power series: its tail is not negligible after {MOST_TERMS} terms")


def _rational(number: Expr) -> fmpq:
    if not number.is_Rational:
        raise Refused("coefficients", number, "certified digits need rational coefficients and tails")
    return fmpq(int(number.p), int(number.q))


def _negligible(total: arb) -> arb:
    """What may be left out of a sum: the last bit, or, of a sum that looks like zero, far less than anything real."""
    bits = flint.ctx.prec
    return abs(total).lower() * arb(2) ** -bits if not total.contains(0) else arb(2) ** (-4 * bits)
