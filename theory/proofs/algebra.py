r"""Equalities by algebra, values at the ends of an interval, and Beta integrals, every symbol free."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp
from sympy.core.function import AppliedUndef

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.kernels.terms import by_degree
from gegenflow.theory.proofs.normal import vanishes
from gegenflow.theory.symbols import d, t

if TYPE_CHECKING:
    from gegenflow.theory.proofs.steps import Step

KINKED = (sp.DiracDelta, sp.Heaviside, sp.Max, sp.Min, sp.Abs, sp.sign, sp.Piecewise)
END = sp.Symbol("e", real=True)
"""An end of an interval that is symmetric about 0: 1 or -1."""


def by_algebra(step: Step) -> bool:
    """The difference simplifies to zero, with a kink or jump at t = 0 on either side of it."""
    return equal(step.lhs, step.rhs)


def equal(left: Expr, right: Expr) -> bool:
    """Whether two expressions are the same for all values of their symbols; False where that is not found.

    >>> equal(sp.sin(t) ** 2, 1 - sp.cos(t) ** 2), equal(t * sp.Heaviside(t), sp.Max(t, 0)), equal(t, abs(t))
    (True, True, False)
    """
    difference = by_degree(_termwise(left - right).doit())
    if isinstance(difference, sp.Piecewise) and not difference.has(t):
        return all(_vanishes(case) for case, _ in difference.args)
    return all(_vanishes(part) for part in (_sides(difference) if difference.has(*KINKED) else [difference]))


def _termwise(difference: Expr) -> Expr:
    """A combination of sums over one and the same range, and of their derivatives, as that of their terms.

    One is 0 where the other is. Where the difference is no such combination it stays.
    """
    if not difference.has(sp.Sum):
        return difference
    parts = [_inside(part).as_independent(sp.Sum, as_Add=False) for part in sp.Add.make_args(difference)]
    ranges = {total.limits if isinstance(total, sp.Sum) else () for _, total in parts}
    if len(ranges) != 1 or () in ranges:
        return difference
    indices = {index for index, *_ in next(iter(ranges))}
    if any(factor.free_symbols & indices for factor, _ in parts):
        return difference
    return sp.Add(*(factor * total.function for factor, total in parts))


def _inside(part: Expr) -> Expr:
    """A multiple of the derivative of a multiple of a sum, as a multiple of the sum of derivatives."""
    before, slope = part.as_independent(sp.Derivative, as_Add=False)
    if not isinstance(slope, sp.Derivative):
        return part
    factor, total = slope.expr.as_independent(sp.Sum, as_Add=False)
    if not isinstance(total, sp.Sum) or factor.free_symbols & set(slope.variables):
        return part
    return before * factor * sp.Sum(sp.Derivative(total.function, *slope.variable_count), *total.limits)


def by_exchange(step: Step) -> bool:
    """Two double sums over the same range are equal where their terms are, once added to those of the other order."""
    sums = [side.as_independent(sp.Sum, as_Add=False) for side in (step.lhs, step.rhs)]
    if not all(isinstance(total, sp.Sum) and len(total.limits) == 2 for _, total in sums):
        return False
    (first, low, high), (second, *ends) = sums[0][1].limits
    if sums[0][1].limits != sums[1][1].limits or [low, high] != ends:
        return False
    terms = [factor * total.function for factor, total in sums]
    other = {first: second, second: first}
    return equal(*(term + term.subs(other, simultaneous=True) for term in terms))


def _vanishes(expression: Expr) -> bool:
    if vanishes(expression):
        return True
    if refuted(expression):
        return False
    return bool(sp.simplify(sp.gammasimp(sp.powsimp(sp.expand(sp.expand_func(expression))))) == 0)


def refuted(expression: Expr) -> bool:
    """Whether the expression is far from 0 at one point: no number proves it 0, but one is enough to refute it.

    >>> refuted(sp.sin(t) - t), refuted(sp.sin(t) ** 2 + sp.cos(t) ** 2 - 1)
    (True, False)
    """
    unknown = expression.atoms(sp.Subs, sp.Derivative, AppliedUndef)
    whole = iter(range(4, 1000))
    known = {atom: sp.Rational(number, 97) for number, atom in enumerate(sorted(unknown, key=str), 13)}
    lifted = expression.xreplace({atom: known[atom] for atom in unknown})
    point = {
        symbol: sp.Integer(next(whole)) if symbol.is_integer else sp.Rational(next(whole), 31)
        for symbol in sorted(lifted.free_symbols, key=str)
    }
    value = lifted.subs(point).evalf(20)
    return bool(value.is_Float and abs(value) > sp.Float("1e-9"))


def _sides(expression: Expr) -> list[Expr]:
    """The expression for t > 0, for t < 0, and what a delta function at t = 0 stands with: all of it if all are 0."""
    away, spike = sp.Dummy("away", positive=True), sp.Dummy("spike")
    expanded = sp.expand(expression).subs(sp.DiracDelta(t), spike)
    if expanded.has(sp.DiracDelta):
        return [sp.Integer(1)]
    smooth, jump = expanded.coeff(spike, 0), expanded.coeff(spike, 1)
    return [smooth.subs(t, away), smooth.subs(t, -away), jump.subs(t, 0)]


def at_ends(step: Step) -> bool:
    """The left side, ``Subs(function, variable, e)``, has the value of the right one at e = 1 and at e = -1."""
    beyond = {d: step.least + sp.Dummy("n", integer=True, nonnegative=True)}
    if not isinstance(step.lhs, sp.Subs):
        return False
    values = (step.lhs.subs(END, end).doit().subs(beyond) - step.rhs.subs(END, end) for end in (1, -1))
    return all(value == 0 for value in values)


def by_beta(step: Step) -> bool:
    r"""An integral of a power times a power of 1 - t^2.

    .. math:: \int_0^1 t^a (1-t^2)^b\,dt = \frac{\Gamma(\frac{a+1}2)\,\Gamma(b+1)}{2\,\Gamma(\frac{a+1}2 + b + 1)}
              \qquad\text{(DLMF 5.12.1)}
    """
    value = beta_integral(step.lhs, step.least)
    return value is not None and vanishes(value - step.rhs)


def beta_integral(integral: Expr, least: int) -> Expr | None:
    """The value of such an integral over (0, 1) or (-1, 1) times a constant, for d >= least; None for any other."""
    constant, integral = integral.as_independent(sp.Integral, as_Add=False)
    if not isinstance(integral, sp.Integral) or len(integral.limits) != 1:
        return None
    variable, low, high = integral.limits[0]
    power = bend = sp.S.Zero
    for factor in sp.Mul.make_args(integral.function):
        base, exponent = factor.as_base_exp()
        if not factor.has(variable):
            constant *= factor
        elif base == variable:
            power += exponent
        elif base == 1 - variable**2:
            bend += exponent
        else:
            return None
    beyond = {d: least + sp.Dummy("n", integer=True, nonnegative=True)}
    if (
        high != 1
        or low not in (0, -1)
        or not (power + 1).is_positive
        or not sp.expand(bend.subs(beyond) + 1).is_positive
    ):
        return None
    if low == -1 and not power.is_even:
        return sp.S.Zero if power.is_odd else None
    half = (power + 1) / 2
    value = constant * sp.gamma(half) * sp.gamma(bend + 1) / sp.gamma(half + bend + 1)
    return value if low == -1 else value / 2
