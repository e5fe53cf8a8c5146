"""Attention weights as expressions: in the symbols of the theory, as terms with known multipliers, even or odd."""

from __future__ import annotations

import sympy as sp

from gegenflow.theory.exact.arguments import Expr
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


def weight_terms(weight: Expr) -> tuple[Term, ...] | None:
    """The weight as a sum of terms c t^n e^{at} and c t_+^n, or None."""
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


def weight_parity(weight: Expr) -> int:
    """1 for an even weight, -1 for an odd one, else 0.

    >>> weight_parity(sp.cosh(t)), weight_parity(t**3), weight_parity(sp.exp(t))
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
