"""Harmonic polynomials of one degree in exact arithmetic: forms and rotations among them, means over the sphere."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations_with_replacement
from math import prod

import mpmath
import sympy as sp
from flint import fmpq, fmpq_mat

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.sphere import harmonic_dimension
from gegenflow.theory.symbols import t

MOST_HARMONICS = 150
Powers = tuple[int, ...]


def zonal_mean(polynomial: Expr, dim: int) -> Expr:
    r"""The mean of a polynomial in :math:`t = \langle x, e\rangle` over the sphere, exactly.

    >>> zonal_mean(t**2, 5)
    1/5
    """
    terms = sp.Poly(sp.expand(polynomial), t).terms()
    return sp.Add(*(c * sp.Rational(*_moment((power,), dim)) for (power,), c in terms))


def first_order(form: sp.MatrixBase, turn: sp.MatrixBase, degree: int) -> list[complex]:
    r"""The eigenvalues of :math:`f \mapsto \Pi_k(x^\top S x\,f) + \Omega x\cdot\nabla f` on the harmonics of degree k.

    The largest real part first, in floats, for S symmetric and :math:`\Omega` antisymmetric. On degree 1 a traceless S
    acts as 2 S/(d + 2):

    >>> [round(value.real, 12) for value in first_order(sp.diag(2, -1, -1), sp.zeros(3), 1)]
    [0.8, -0.4, -0.4]

    Raises ValueError beyond 150 harmonics. Source: derived here.
    """
    dim = form.rows
    if harmonic_dimension(degree, dim) > MOST_HARMONICS:
        raise Refused("degree", degree, f"dim {dim} has more than {MOST_HARMONICS} harmonics of it")
    with mpmath.workdps(40):
        axes, frame = mpmath.eigsy(mpmath.matrix(form.evalf(40).tolist()))
        turned = frame.T * mpmath.matrix(turn.evalf(40).tolist()) * frame
        squares, turns, gram = _tables(degree, dim)
        inside = sum((value * part for value, part in zip(axes, squares, strict=True)), mpmath.matrix(gram.rows))
        for (i, j), part in turns.items():
            inside += turned[i, j] * part
        root = mpmath.inverse(mpmath.cholesky(gram))
        values = mpmath.eig(root * inside * root.T, left=False, right=False)
    return sorted((complex(value) for value in values), key=lambda value: -value.real)


@lru_cache(maxsize=32)
def _tables(degree: int, dim: int) -> tuple[list[mpmath.matrix], dict[tuple[int, int], mpmath.matrix], mpmath.matrix]:
    """Means over a basis of harmonics p, q: of x_i^2 p q, of p (x_j d_i - x_i d_j) q for i < j, and of p q."""
    basis, powers = _harmonics(degree, dim)
    place = {power: row for row, power in enumerate(powers)}

    def table(extra: Powers) -> fmpq_mat:
        return fmpq_mat([[_mean(a, b, extra, dim) for b in powers] for a in powers])

    def between(means: fmpq_mat) -> mpmath.matrix:
        product = basis * means * basis.transpose()
        return mpmath.matrix([[mpmath.mpf(int(x.p)) / int(x.q) for x in row] for row in product.tolist()])

    def turn(i: int, j: int) -> fmpq_mat:
        found = fmpq_mat(len(powers), len(powers))
        for column, power in enumerate(powers):
            for away, onto, sign in ((i, j, 1), (j, i, -1)):
                if power[away]:
                    moved = [n + int(axis == onto) - int(axis == away) for axis, n in enumerate(power)]
                    found[place[tuple(moved)], column] += sign * power[away]
        return found

    plain = table((0,) * dim)
    squares = [between(table(tuple(2 * int(i == axis) for i in range(dim)))) for axis in range(dim)]
    turns = {(i, j): between(plain * turn(i, j)) for i in range(dim) for j in range(i + 1, dim)}
    return squares, turns, between(plain)


def _harmonics(degree: int, dim: int) -> tuple[fmpq_mat, list[Powers]]:
    """A basis of the harmonic polynomials: rows of coefficients of the monomials."""
    powers, lower = _monomials(degree, dim), {p: i for i, p in enumerate(_monomials(degree - 2, dim))}
    if not lower:
        return fmpq_mat(
            len(powers), len(powers), [int(i == j) for i in range(len(powers)) for j in range(len(powers))]
        ), powers
    laplacian = sp.zeros(len(lower), len(powers))
    for column, power in enumerate(powers):
        for axis, n in enumerate(power):
            if n >= 2:
                laplacian[lower[(*power[:axis], n - 2, *power[axis + 1 :])], column] += n * (n - 1)
    rows = [[fmpq(int(x.p), int(x.q)) for x in vector] for vector in laplacian.nullspace()]
    return fmpq_mat(rows), powers


def _monomials(degree: int, dim: int) -> list[Powers]:
    if degree < 0:
        return []
    chosen = combinations_with_replacement(range(dim), degree)
    return [tuple(axes.count(axis) for axis in range(dim)) for axes in chosen]


def _mean(one: Powers, other: Powers, extra: Powers, dim: int) -> fmpq:
    return fmpq(*_moment([a + b + c for a, b, c in zip(one, other, extra, strict=True)], dim))


def _moment(powers: Sequence[int], dim: int) -> tuple[int, int]:
    """The mean of a monomial over the sphere as numerator and denominator."""
    if any(power % 2 for power in powers):
        return 0, 1
    odds = prod(prod(range(1, power, 2)) for power in powers)
    return odds, prod(dim + 2 * i for i in range(sum(powers) // 2))
