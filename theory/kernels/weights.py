"""Attention weights as expressions: in the symbols of the theory, as terms with known multipliers, even or odd."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from gegenflow.theory.exact.arguments import Expr, Real, check_parameter
from gegenflow.theory.exact.integers import check_items
from gegenflow.theory.exact.refusals import refusal
from gegenflow.theory.kernels.terms import Term
from gegenflow.theory.symbols import beta, t

OWN = {"t": t, "beta": beta}
"""The symbols that a weight shares with the rest of the theory, by name."""
FINITE = "the weight of a kernel is a finite expression in t and parameters"


def with_own_symbols(weight: sp.Expr | float) -> sp.Expr:
    """An expression whose symbols named t and beta, whatever is assumed of them, are those of the theory.

    >>> with_own_symbols(sp.exp(sp.Symbol("t"))) == sp.exp(t)
    True

    Raises Refused for what is no expression.
    """
    try:
        expression = sp.sympify(weight, strict=True)
    except sp.SympifyError as error:
        raise refusal("kernel", weight, FINITE) from error
    body = expression.function if isinstance(expression, sp.Sum) else expression
    if not isinstance(body, sp.Expr) or body.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise refusal("kernel", weight, FINITE)
    foreign = {symbol: OWN[symbol.name] for symbol in expression.free_symbols if symbol.name in OWN}
    return expression.xreplace(foreign)


def mixture(values: Sequence[Real], scales: Sequence[Real], beta: Real) -> Expr:
    """The sum of v e^{beta m t} over heads with the values v and the scales m; Refused unless there are as many.

    >>> mixture([1, "-0.5"], [1, 2], 3)
    -exp(6*t)/2 + exp(3*t)
    """
    scales = check_items(scales, "scales", "a sequence of numbers is needed")
    allowed = f"one number is needed for each of the {len(scales)} scales, at least one"
    values = check_items(values, "values", allowed, count=max(len(scales), 1))
    rate = check_parameter(beta, "beta")
    sizes = [check_parameter(v, f"values[{i}]") for i, v in enumerate(values)]
    steepness = [check_parameter(m, f"scales[{i}]") for i, m in enumerate(scales)]
    return sp.Add(*(v * sp.exp(rate * m * t) for v, m in zip(sizes, steepness, strict=True)))


def terms_of(weight: Expr) -> tuple[Term, ...] | None:
    """The weight as a sum of terms c t^n e^{at} and c t_+^n, or None."""
    weight = in_half_powers(weight)
    if weight.has(sp.sinh, sp.cosh):
        weight = weight.rewrite(sp.exp)
    collected: dict[tuple[int, Expr, bool], Expr] = {}
    for summand in sp.Add.make_args(sp.expand(weight)):
        found = _term(summand)
        if found is None:
            return None
        coefficient, *kind = found
        collected[tuple(kind)] = collected.get(tuple(kind), sp.Integer(0)) + coefficient
    return tuple(Term(c, n, a, half) for (n, a, half), c in collected.items() if c != 0)


def in_half_powers(weight: Expr) -> Expr:
    """Kinks and jumps at t = 0, however they are written, in t_+ and the step; all others stay.

    >>> in_half_powers(sp.Abs(t) + sp.Max(t, -t)), in_half_powers(sp.Piecewise((t, t < 0), (2 * t, True))).expand()
    (-2*t + 4*Max(0, t), t*Heaviside(t) + t)
    """
    for kind, rewrite in REWRITES.items():
        if weight.has(kind):
            weight = weight.replace(kind, rewrite)
    return weight


def _slope(expression: Expr) -> Expr | None:
    """The c of an expression c t whose sign is known, else None."""
    slope = sp.diff(expression, t)
    known = not slope.has(t) and (slope.is_positive or slope.is_negative) and sp.expand(expression - slope * t) == 0
    return slope if known else None


def _step(argument: Expr, *at_zero: Expr) -> Expr:
    slope = _slope(argument)
    if slope is None:
        return sp.Heaviside(argument, *at_zero)
    return sp.Heaviside(t) if slope.is_positive else 1 - sp.Heaviside(t)


def _larger(*parts: Expr) -> Expr:
    slope = _slope(parts[1] - parts[0]) if len(parts) == 2 else None
    if slope is None:
        return sp.Max(*parts)
    half = sp.Max(t, 0)
    return parts[0] + slope * (half if slope.is_positive else t - half)


def _smaller(*parts: Expr) -> Expr:
    opposite = _larger(*(-part for part in parts))
    return sp.Min(*parts) if len(parts) != 2 or _slope(parts[1] - parts[0]) is None else -opposite


def _choice(*cases: tuple[Expr, sp.Basic]) -> Expr:
    if not any(condition.has(t) for _, condition in cases):
        return sp.Piecewise(*cases)
    value = cases[-1][0]
    for expression, condition in reversed(cases[:-1]):
        inside = _indicator(condition)
        value = expression * inside + value * (1 - inside)
    return value


def _indicator(condition: sp.Basic) -> Expr:
    """1 where a condition on t holds, 0 where not, whatever at the ends.

    >>> _indicator((t > 0) & (t < sp.Rational(1, 2)))
    Heaviside(t)*Heaviside(1/2 - t)
    """
    if isinstance(condition, sp.And):
        return sp.Mul(*(_indicator(part) for part in condition.args))
    if isinstance(condition, sp.Or):
        return 1 - sp.Mul(*(1 - _indicator(part) for part in condition.args))
    if isinstance(condition, sp.Eq | sp.Ne):
        return sp.Integer(isinstance(condition, sp.Ne))
    return _step(condition.gts - condition.lts)


REWRITES = {
    sp.Piecewise: _choice,
    sp.Abs: lambda argument: _larger(argument, -argument) if _slope(argument) is not None else sp.Abs(argument),
    sp.sign: lambda argument: 2 * _step(argument) - 1 if _slope(argument) is not None else sp.sign(argument),
    sp.Min: _smaller,
    sp.Max: _larger,
    sp.Heaviside: _step,
}


def degrees_of(terms: tuple[Term, ...]) -> tuple[int, ...] | None:
    """The degrees k >= 1 of which a sum of terms drives the harmonics; None where there is no end of them.

    >>> degrees_of(terms_of(1 + t**3)), degrees_of(terms_of(sp.exp(t)))
    ((1, 2, 4), None)
    """
    if any(term.half or term.rate != 0 for term in terms):
        return None
    return tuple(sorted({degree for term in terms for degree in range(term.power + 1, 0, -2)}))


def parity_of(weight: Expr) -> int:
    """1 for an even weight, -1 for an odd one, else 0.

    >>> parity_of(sp.cosh(t)), parity_of(t**3), parity_of(sp.exp(t))
    (1, -1, 0)
    """
    mirrored = weight.subs(t, -t)
    return next((sign for sign in (1, -1) if sp.expand(mirrored - sign * weight) == 0), 0)


def _term(summand: Expr) -> tuple[Expr, int, Expr, bool] | None:
    coefficient, power, rate, half = sp.Integer(1), 0, sp.Integer(0), False
    for factor in sp.Mul.make_args(summand):
        base, exponent = factor.as_base_exp()
        if not factor.has(t):
            coefficient *= factor
        elif isinstance(factor, sp.exp) and factor.exp.is_polynomial(t) and sp.degree(factor.exp, t) == 1:
            rate += factor.exp.coeff(t, 1)
            coefficient *= sp.exp(factor.exp.coeff(t, 0))
        elif base in (t, sp.Max(0, t), sp.Heaviside(t)) and exponent.is_Integer and exponent > 0:
            half = half or base != t
            power += 0 if isinstance(base, sp.Heaviside) else int(exponent)
        else:
            return None
    return None if half and rate != 0 else (coefficient, power, rate, half)
