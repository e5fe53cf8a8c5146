"""What this room accepts: signs of tokens, eigenvalues of a symmetric value matrix, and one of them as the mode."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

from flint import fmpq_mat

from gegenflow.theory.exact.arguments import Expr, Real, check_rational, check_real, passes
from gegenflow.theory.exact.integers import check_count, check_items
from gegenflow.theory.exact.refusals import Refused, refusal

SIGNS = "one or more signs are needed, each of them 1 or -1"
SPECTRUM = "two or more real eigenvalues are needed, one a dimension"
MATRIX = "a symmetric square matrix of finite rational numbers is needed, at least 2 x 2"
SIMPLE = "its eigenvalue must differ from all others: in a plane of equal ones every direction is an equilibrium"


def check_signs(signs: Sequence[int]) -> tuple[int, ...]:
    """The signs as integers, or a refusal unless each is 1 or -1.

    >>> check_signs([1, -1.0, 1])
    (1, -1, 1)
    """
    items = check_items(signs, "signs", SIGNS)
    if not items:
        raise refusal("signs", signs, SIGNS)
    found = tuple(
        check_count(sign, f"signs[{i}]", "it must be 1 or -1", least=-1, most=1) for i, sign in enumerate(items)
    )
    if 0 in found:
        raise Refused(f"signs[{found.index(0)}]", 0, "it must be 1 or -1")
    return found


def check_eigenvalues(eigenvalues: Sequence[Real], *, symbols: bool = False) -> tuple[Expr, ...]:
    """The eigenvalues exactly, or a refusal of fewer than two.

    >>> check_eigenvalues(["0.1", 2, "-1/3"])
    (1/10, 2, -1/3)
    """
    items = check_items(eigenvalues, "eigenvalues", SPECTRUM)
    if len(items) < 2:
        raise refusal("eigenvalues", eigenvalues, SPECTRUM)
    allowed = "an eigenvalue must be a finite real number"
    return tuple(check_real(x, f"eigenvalues[{i}]", allowed, symbols=symbols) for i, x in enumerate(items))


def check_mode(mode: int, eigenvalues: Sequence[Expr], name: str = "mode") -> int:
    """The index of an eigenvalue, or a refusal if there is none."""
    last = len(eigenvalues) - 1
    return check_count(mode, name, f"it must be the index of an eigenvalue, 0 to {last}", least=0, most=last)


def own_and_others(mode: int, eigenvalues: Sequence[Real]) -> tuple[Expr, tuple[Expr, ...]]:
    """The eigenvalue of the mode and the others, or a refusal unless it is simple.

    >>> own_and_others(1, [3, "0.5", -1])
    (1/2, (3, -1))
    """
    exact = check_eigenvalues(eigenvalues)
    index = check_mode(mode, exact)
    own, others = exact[index], exact[:index] + exact[index + 1 :]
    if not all(passes(own - other) or passes(other - own) for other in others):
        raise Refused("mode", mode, SIMPLE)
    return own, others


def largest(numbers: Iterable[Expr]) -> tuple[Expr, ...]:
    """Those of exact numbers that may be the largest: one, or several that no ball tells apart.

    >>> import sympy as sp
    >>> largest([sp.Integer(1), sp.sqrt(2), -sp.pi])
    (sqrt(2),)
    """
    distinct = tuple(dict.fromkeys(numbers))
    best = max(distinct, key=float)
    return tuple(number for number in distinct if number == best or not passes(best - number))


def check_symmetric(values: Any) -> fmpq_mat:
    """A symmetric matrix of rational numbers, decimals as text, or a refusal.

    >>> check_symmetric([["0.5", 1], [1, 0]])
    [1/2, 1]
    [  1, 0]
    """
    rows = [check_items(row, "values", MATRIX) for row in check_items(values, "values", MATRIX)]
    if len(rows) < 2 or any(len(row) != len(rows) for row in rows):
        raise refusal("values", values, MATRIX)
    matrix = fmpq_mat(
        [[check_rational(x, f"values[{i}][{j}]", MATRIX) for j, x in enumerate(row)] for i, row in enumerate(rows)]
    )
    for i, j in combinations(range(len(rows)), 2):
        if matrix[i, j] != matrix[j, i]:
            raise Refused(
                f"values[{i}][{j}]", matrix[i, j], f"it must equal values[{j}][{i}] = {matrix[j, i]}: {MATRIX}"
            )
    return matrix


def check_beta_of_modes(beta: Real) -> Expr:
    """Beta >= 0, no symbol, or a refusal."""
    allowed = "the inverse temperature must be a finite number >= 0"
    return check_real(beta, "beta", allowed, least=0, symbols=False)
