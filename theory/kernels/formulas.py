"""Reading an attention weight: from a text to an expression, from an expression to terms with known multipliers."""

from __future__ import annotations

import re

import sympy as sp
from sympy.parsing.sympy_parser import parse_expr, rationalize, standard_transformations

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.kernels.terms import Term
from gegenflow.theory.symbols import beta, t

WORDS = ("exp", "sin", "cos", "sinh", "cosh", "tanh", "atan", "erf", "log", "sqrt", "Max", "Min", "Abs", "Heaviside")


def read_weight(text: str) -> Expr:
    """A formula typed by a user: numbers stay exact, only known words have a meaning."""
    allowed = f"a kernel is a formula in t and parameters, of {', '.join(WORDS)}, relu(t)"
    names = set(re.findall(r"[^\W\d]\w*", text))
    if (
        not re.fullmatch(r"[\w\s.+\-*/(),]*", text)
        or any("_" in name or name == "I" for name in names)
        or re.search(r"\.\s*[^\W\d]", text)
    ):
        raise Refused("kernel", text, allowed)
    known = {word: getattr(sp, word) for word in WORDS} | {"t": t, "beta": beta, "relu": lambda x: sp.Max(x, 0)}
    known |= {"pi": sp.pi, "E": sp.E}
    symbols = {name: sp.Symbol(name, real=True) for name in names - set(known)}
    try:
        weight = parse_expr(text, {**known, **symbols}, transformations=(*standard_transformations, rationalize))
    except Exception as error:
        raise Refused("kernel", text, allowed) from error
    if not isinstance(weight, sp.Expr) or weight.has(sp.nan, sp.zoo, sp.oo, sp.I):
        raise Refused("kernel", text, allowed)
    return weight


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
