r"""Bounds :math:`|f(x)| \le C e^{c|x|}`, x real, read off an expression, which make tails of integrals certain."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from flint import arb

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.symbols import t

BOUNDED = {sp.tanh: 1, sp.erf: 1, sp.sin: 1, sp.cos: 1, sp.sech: 1, sp.Heaviside: 1, sp.sign: 1, sp.atan: 2}
UNKNOWN = "its growth is not known to stay below that of exp(c |t|), so that no mean over a Gaussian can be certified"


@dataclass(frozen=True)
class Growth:
    """The bound :math:`C e^{c|x|}`, or :math:`C + c|x|` where it is that of an exponent."""

    factor: arb
    rate: arb


def growth(expression: Expr) -> Growth:
    """A bound on the size of an expression in t, real and finite for every real t.

    >>> bound = growth(t / (1 + sp.exp(-2 * t)))
    >>> float(bound.factor), float(bound.rate)
    (1.0, 1.0)

    Raises Refused where the expression is not of the kinds that are understood.
    """
    if not expression.has(t):
        return Growth(_size(expression), arb(0))
    if expression == t:
        return Growth(arb(1), arb(1))
    if expression.func in BOUNDED:
        return Growth(arb(BOUNDED[expression.func]), arb(0))
    parts = [part for part in expression.args if part.has(t) or not isinstance(expression, sp.Pow)]
    match expression:
        case sp.exp():
            ceiling = _ceiling(expression.args[0])
            return Growth(ceiling.factor.exp(), ceiling.rate)
        case sp.sinh() | sp.cosh():
            both = _ceiling(expression.args[0]), _ceiling(-expression.args[0])
            return Growth(_larger(*(b.factor for b in both)).exp(), _larger(*(b.rate for b in both)))
        case sp.Add() | sp.Max() | sp.Min():
            bounds = [growth(part) for part in parts]
            return Growth(sum((b.factor for b in bounds), arb(0)), _larger(*(b.rate for b in bounds)))
        case sp.Mul():
            bounds = [growth(part) for part in parts]
            factor = arb(1)
            for bound in bounds:
                factor *= bound.factor
            return Growth(factor, sum((b.rate for b in bounds), arb(0)))
        case sp.Abs():
            return growth(parts[0])
        case sp.log():
            bound, low = growth(parts[0]), floor_of(parts[0])
            if low > 0:
                return Growth(bound.factor + abs(low.log()), bound.rate)
        case sp.Pow():
            return _power(expression)
    raise Refused("activation", expression, UNKNOWN)


def _power(power: Expr) -> Growth:
    base, exponent = power.as_base_exp()
    if base is sp.E:
        ceiling = _ceiling(exponent)
        return Growth(ceiling.factor.exp(), ceiling.rate)
    if exponent.is_Rational and exponent > 0:
        bound, p = growth(base), enclose(exponent)
        return Growth(bound.factor**p, p * bound.rate)
    if exponent.is_Rational and (low := floor_of(base)) > 0:
        return Growth(low ** enclose(exponent), arb(0))
    raise Refused("activation", power, UNKNOWN)


def floor_of(expression: Expr) -> arb:
    """A lower bound on an expression for all real t; -infinity where none is seen."""
    if not expression.has(t):
        return enclose(expression).lower()
    match expression:
        case sp.exp() | sp.Abs() | sp.Heaviside() | sp.sech():
            return arb(0)
        case sp.cosh():
            return arb(1)
        case sp.Add():
            return sum((floor_of(part) for part in expression.args), arb(0))
        case sp.Max():
            return _larger(*(floor_of(part) for part in expression.args))
        case sp.Pow() if expression.exp.is_Integer and (expression.exp % 2 == 0 or floor_of(expression.base) > 0):
            return arb(0)
        case sp.Pow() if expression.exp.is_Rational and expression.exp > 0 and floor_of(expression.base) >= 0:
            return floor_of(expression.base) ** enclose(expression.exp)
        case sp.Mul() if all(floor_of(part) >= 0 for part in expression.args):
            return arb(0)
    if expression.func in BOUNDED:
        return arb(-BOUNDED[expression.func])
    scale, rest = expression.as_independent(t, as_Add=False)
    if rest.func in BOUNDED:
        return -_size(scale) * BOUNDED[rest.func]
    return arb("-inf")


def _ceiling(exponent: Expr) -> Growth:
    """Bounds u <= C + c|x| of an exponent."""
    total = Growth(arb(0), arb(0))
    for part in sp.Add.make_args(sp.expand(exponent)):
        scale, rest = part.as_independent(t, as_Add=False)
        if rest == 1:
            one = Growth(_size(scale), arb(0))
        elif rest == t:
            one = Growth(arb(0), _size(scale))
        elif rest.func in BOUNDED:
            one = Growth(_size(scale) * BOUNDED[rest.func], arb(0))
        elif enclose(scale) < 0 and floor_of(rest) >= 0:
            one = Growth(arb(0), arb(0))
        else:
            raise Refused("activation", sp.exp(exponent), UNKNOWN)
        total = Growth(total.factor + one.factor, total.rate + one.rate)
    return total


def _size(number: Expr) -> arb:
    return abs(enclose(number)).upper()


def _larger(*bounds: arb) -> arb:
    return max(bounds, key=float)
