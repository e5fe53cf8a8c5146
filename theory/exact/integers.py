"""What the theory accepts as integers: degrees, dimensions and counts, 3.0 being 3; and sequences of things."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any

import sympy as sp

from gegenflow.theory.exact.arguments import Expr, Whole
from gegenflow.theory.exact.refusals import Refused, refusal

MOST_DIGITS = 100_000


def check_degree(degree: Whole, least: int = 1) -> Expr:
    """The degree as it came, or a refusal unless it is a symbol or an integer >= ``least``.

    >>> check_degree(0)
    Traceback (most recent call last):
    gegenflow.theory.exact.refusals.Refused: degree 0: the degree must be an integer >= 1
    """
    return check_whole(degree, "degree", f"the degree must be an integer >= {least}", least=least)


def check_dim(dim: Whole) -> Expr:
    """The dimension as it came, or a refusal unless it is a symbol or an integer >= 2.

    >>> check_dim(1)
    Traceback (most recent call last):
    gegenflow.theory.exact.refusals.Refused: dim 1: the sphere S^{d-1} needs an integer dim >= 2
    """
    return check_whole(dim, "dim", "the sphere S^{d-1} needs an integer dim >= 2", least=2)


def check_whole(value: Any, name: str, allowed: str, *, least: int) -> Expr:
    """A symbol as it came, an integer as a sympy one if it was one, else as an int."""
    if isinstance(value, sp.Basic) and not value.is_number:
        return value
    whole = check_count(value, name, allowed, least=least)
    return sp.Integer(whole) if isinstance(value, sp.Basic) else whole


def check_number(name: str, value: Whole) -> int:
    """The degree or dimension as an int, or a refusal if it is a symbol.

    >>> check_number("degree", sp.Symbol("k"))
    Traceback (most recent call last):
    gegenflow.theory.exact.refusals.Refused: degree k: a number is needed for certified digits
    """
    if isinstance(value, sp.Basic) and not value.is_number:
        raise Refused(name, value, "a number is needed for certified digits")
    return int(value)


def check_tokens(tokens: Whole) -> Expr:
    """The number of tokens, an integer >= 2 or a symbol, or a refusal."""
    return sp.sympify(check_whole(tokens, "tokens", "the number of tokens must be an integer >= 2", least=2))


def check_count(value: Any, name: str, allowed: str, *, least: int | None = None, most: int | None = None) -> int:
    """An integer of any type from ``least`` to ``most`` as an int, or a refusal; 3.0 is 3.

    >>> check_count(3.0, "terms", "an integer is needed", least=1), check_count("3", "terms", "not a text", least=1)
    Traceback (most recent call last):
    gegenflow.theory.exact.refusals.Refused: terms 3: not a text
    """
    try:
        whole = index(value) if hasattr(value, "__index__") else int(value)
        valid = whole == value and (least is None or whole >= least) and (most is None or whole <= most)
    except (TypeError, ValueError, ArithmeticError):
        valid = False
    if not valid or isinstance(value, bool):
        raise refusal(name, value, allowed)
    return whole


def check_digits(digits: int) -> int:
    """The number of digits, or a refusal unless it is an integer >= 1 and at most 100,000, as in the command.

    >>> check_digits(10**9)
    Traceback (most recent call last):
    gegenflow.theory.exact.refusals.Refused: digits 1000000000: it must be an integer >= 1 and at most 100,000
    """
    allowed = f"it must be an integer >= 1 and at most {MOST_DIGITS:,}"
    return check_count(digits, "digits", allowed, least=1, most=MOST_DIGITS)


def check_terms(terms: int) -> int:
    """The number of terms, or a refusal unless it is an integer >= 1."""
    return check_count(terms, "terms", "the number of terms must be an integer >= 1", least=1)


def check_items(values: Iterable[Any], name: str, allowed: str, *, count: int | None = None) -> tuple[Any, ...]:
    """The items of a sequence, ``count`` of them, or a refusal of a text and of what holds no items.

    >>> check_items(range(2), "dims", "a sequence is needed"), check_items("23", "dims", "a sequence is needed")
    Traceback (most recent call last):
    gegenflow.theory.exact.refusals.Refused: dims 23: a sequence is needed
    """
    try:
        items = None if isinstance(values, str) else tuple(values)
    except TypeError:
        items = None
    if items is None or (count is not None and len(items) != count):
        raise refusal(name, values, allowed)
    return items


def check_rows(rows: Iterable[Any], name: str, allowed: str) -> list[tuple[Any, ...]]:
    """The rows of a table as tuples, or a refusal unless there is one, not empty, and all are as long.

    >>> check_rows([[1, 2], (3, 4)], "values", "rows are needed")
    [(1, 2), (3, 4)]
    >>> check_rows([[1, 2], [3]], "values", "rows of one length are needed")
    Traceback (most recent call last):
    gegenflow.theory.exact.refusals.Refused: values [[1, 2], [3]]: rows of one length are needed
    """
    lines = [check_items(row, name, allowed) for row in check_items(rows, name, allowed)]
    if not lines or not lines[0] or any(len(line) != len(lines[0]) for line in lines):
        raise refusal(name, rows, allowed)
    return lines
