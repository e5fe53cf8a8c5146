"""What the room of synchronisation accepts: exact numbers or symbols, in their ranges, each refusal one sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp
from flint import arb

from gegenflow.theory.certified import Certified, certify, exact_fraction
from gegenflow.theory.sphere import Expr


def check_real(number: Any, name: str, allowed: str) -> Expr:
    """A symbol or an irrational sympy number as it is, any other finite real number exactly, else a ValueError.

    >>> check_real("-0.1", "beta", "a number is needed"), check_real(sp.sqrt(2), "beta", "a number is needed")
    (-1/10, sqrt(2))
    """
    if isinstance(number, sp.Expr) and (number.free_symbols or (number.is_real and not number.is_Float)):
        return number
    exact = exact_fraction(number, name, allowed)
    return sp.Rational(int(exact.p), int(exact.q))


def check_beta(beta: Any) -> Expr:
    """Beta of either sign, exactly, or a ValueError unless it is finite and real."""
    return check_real(beta, "beta", "the inverse temperature must be a finite real number")


def check_tokens(tokens: Any) -> Expr:
    """The number of tokens, an integer >= 2 or a symbol, or a ValueError."""
    if isinstance(tokens, sp.Expr) and tokens.free_symbols:
        return tokens
    if isinstance(tokens, bool) or not hasattr(tokens, "__index__") or int(tokens) < 2:
        raise ValueError(f"tokens {tokens}: the number of tokens must be an integer >= 2")
    return sp.Integer(int(tokens))


def check_overlap(overlap: Any, tokens: Expr, name: str = "overlap") -> Expr:
    """A common overlap of n tokens, or a ValueError unless it lies strictly between -1/(n-1) and 1."""
    allowed = "the common overlap of n tokens must lie in -1/(n-1) < overlap < 1"
    value = check_real(overlap, name, allowed)
    if sp.false in (value < 1, 1 + (tokens - 1) * value > 0):
        raise ValueError(f"{name} {overlap}: {allowed}")
    return value


def certify_at(beta: Expr, evaluate: Callable[[], arb], digits: int) -> Certified:
    """:func:`~gegenflow.theory.certified.certify`, or a ValueError that names beta if no precision is enough."""
    try:
        return certify(evaluate, digits)
    except ArithmeticError as error:
        raise ValueError(f"beta {beta}: {error}") from error
