r"""Balls around the value of a sympy expression, and around its integrals over the sphere.

The expression may hold symbols: each takes the ball that ``values`` gives it, which may be as wide as an interval. An
:class:`~gegenflow.theory.exact.balls.Enclosed` stands for its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import sympy as sp
from flint import acb, arb, fmpq

from gegenflow.theory.exact.balls import Enclosed
from gegenflow.theory.exact.refusals import Refused

Values = Mapping[sp.Symbol, arb]

FUNCTIONS: dict[Any, Callable[..., acb]] = {
    **{getattr(sp, name): getattr(acb, name) for name in ("exp", "sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{getattr(sp, name): getattr(acb, name) for name in ("sech", "csch", "coth", "erf", "gamma")},
}
NOWHERE = acb("nan")


def _arctangent(z: acb, analytic: bool) -> acb:
    return NOWHERE if analytic and z.real.contains(0) and not abs(z.imag).upper() < 1 else z.atan()


def _bessel(order: acb, z: acb, analytic: bool) -> acb:
    meets_cut = z.imag.contains(0) and not z.real > 0 and order.real.unique_fmpz() is None
    return NOWHERE if analytic and meets_cut else z.bessel_i(order)


def _arcsine(z: acb, analytic: bool) -> acb:
    return NOWHERE if analytic and z.imag.contains(0) and not abs(z.real).upper() < 1 else z.asin()


def _arccosine(z: acb, analytic: bool) -> acb:
    return acb.pi() / 2 - _arcsine(z, analytic)


CUT: dict[Any, Callable[..., acb]] = {
    sp.log: acb.log,
    sp.atan: _arctangent,
    sp.asin: _arcsine,
    sp.acos: _arccosine,
    sp.besseli: _bessel,
    sp.Abs: acb.real_abs,
    sp.sign: acb.real_sgn,
    sp.Heaviside: acb.real_heaviside,
    sp.Max: acb.real_max,
    sp.Min: acb.real_min,
}
"""Functions that are not analytic everywhere: they are told whether they must be."""


def enclose(expression: sp.Expr, values: Values | None = None) -> arb:
    """A ball around the real value of an expression at the current precision.

    >>> b = sp.Symbol("b")
    >>> enclose(sp.exp(b) / 3, {b: arb(1, 0.25)}).contains(arb(1).exp() / 3)
    True
    >>> root = enclose(sp.sqrt(2) + sp.Rational(1, 3)) - fmpq(1, 3)
    >>> (root**2).contains(2), root.rad() < 1e-14
    (True, True)

    Raises ValueError for a symbol without a value or a function that cannot be enclosed. Source: derived here.
    """
    return _real(_evaluate(sp.sympify(expression), dict(values or {}), False), expression)


def _real(value: acb, expression: sp.Expr) -> arb:
    if value.is_finite() and not value.imag.contains(0):
        raise Refused(str(expression), None, "it is not real everywhere")
    return value.real


def _evaluate(expression: sp.Expr, values: Mapping[sp.Symbol, Any], analytic: bool) -> acb:
    """The expression in complex balls; not finite where ``analytic`` is asked and it is not."""
    if expression.is_Rational:
        return acb(fmpq(int(expression.p), int(expression.q)))
    if expression.is_Symbol:
        if expression not in values:
            raise Refused(str(expression), None, "a number is needed for certified digits")
        return acb(values[expression])
    if expression.is_Float:
        rational = sp.Rational(expression)
        return acb(fmpq(int(rational.p), int(rational.q)))
    if isinstance(expression, Enclosed):
        return acb(expression.ball)
    if expression is sp.pi:
        return acb.pi()
    if expression is sp.E:
        return acb(1).exp()
    if expression.is_Pow:
        return _power(expression, values, analytic)
    if expression.func is sp.Heaviside:
        return acb.real_heaviside(_evaluate(expression.args[0], values, analytic), analytic)
    parts = [_evaluate(part, values, analytic) for part in expression.args]
    if expression.is_Add:
        return sum(parts, acb(0))
    if expression.is_Mul:
        product = acb(1)
        for part in parts:
            product *= part
        return product
    if expression.func in FUNCTIONS:
        return FUNCTIONS[expression.func](*parts)
    if expression.func in CUT and parts:
        first, *rest = parts
        return (
            reduce(lambda x, y: CUT[expression.func](x, y, analytic), rest, first)
            if rest
            else CUT[expression.func](first, analytic)
        )
    raise Refused(str(expression), None, f"{expression.func.__name__} cannot be enclosed in a ball")


def _power(power: sp.Expr, values: Mapping[sp.Symbol, Any], analytic: bool) -> acb:
    base, exponent = power.as_base_exp()
    if base is sp.E:
        return _evaluate(exponent, values, analytic).exp()
    ball = _evaluate(base, values, analytic)
    if exponent.is_Integer:
        return ball ** int(exponent)
    return ball.pow(_evaluate(exponent, values, analytic), analytic)
