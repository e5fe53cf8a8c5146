"""Bounds on the growth rates of all degrees from one on: they end a search for the fastest."""

from __future__ import annotations

from flint import arb

from gegenflow.theory.exact.enclosures import Values, enclose
from gegenflow.theory.kernels.terms import Term


def tail_of(terms: tuple[Term, ...], degree: int, dim: int, values: Values) -> arb | None:
    r"""A bound from above on :math:`L_j w_j[W]` of a sum of terms for all j >= ``degree``; None where none is known.

    The sum of the bounds of the terms; or 0 where the steepest exponential, with a negative coefficient, outweighs
    the others: :math:`w_j[e^{at}]/w_j[e^{bt}]`, 0 < a < b, decreases in j, so it does so for all higher degrees.

    >>> from sympy import Integer
    >>> steep, flat = Term(Integer(-1), 0, Integer(2)), Term(Integer(1), 0, Integer(1))
    >>> tail_of((steep, flat), 5, 2, {}).is_zero(), tail_of((flat,), 5, 2, {}) < 0.01       # L_5 w_5 = 25 I_5(1)
    (True, True)

    Source: derived here.
    """
    bounds = [bound for term in terms if (bound := term.tail(degree, dim, values)) is not None]
    if not bounds or len(bounds) < len(terms):
        return None
    return arb(0) if _decays(terms, degree, dim, values) else sum(bounds, arb(0))


def _decays(terms: tuple[Term, ...], degree: int, dim: int, values: Values) -> bool:
    """Whether the steepest exponential, with a negative coefficient, outweighs the others."""
    if any(term.power or term.half for term in terms):
        return False
    rates = [enclose(term.rate, values) for term in terms]
    sizes = [abs(arb(term.ball(degree - 1, dim + 2, values))) for term in terms]
    first = max(range(len(rates)), key=lambda i: float(rates[i].mid()))
    others = [i for i in range(len(rates)) if i != first]
    steepest = rates[first] > 0 and all(abs(rates[i]) <= rates[first] for i in others)
    negative = enclose(terms[first].coefficient, values) < 0
    return bool(steepest and negative and sum((sizes[i] for i in others), arb(0)) < sizes[first])
