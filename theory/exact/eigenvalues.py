"""Balls around real eigenvalues, multiple ones included, and frames of the tangent spaces of a sphere."""

from __future__ import annotations

import flint
from flint import acb_mat, arb, arb_mat


def discs(matrix: arb_mat) -> list[arb]:
    """Gershgorin's discs of a matrix of real eigenvalues in a basis of approximate eigenvectors, in no order.

    Its diagonal is slightly tilted for the basis, so that none of its eigenvalues is multiple there.

    >>> sorted(round(float(disc.mid()), 9) for disc in discs(arb_mat([[2, 1], [1, 2]])))
    [1.0, 3.0]
    """
    size = matrix.nrows()
    tilt = arb(2) ** -(flint.ctx.prec // 2) * max(abs(x).upper() for x in matrix.entries())
    tilted = [
        [matrix[i, j].mid() + (tilt * arb(i + 1).sqrt()).mid() * (i == j) for j in range(size)] for i in range(size)
    ]
    _, basis = acb_mat(arb_mat(tilted)).eig(right=True, algorithm="approx")
    found = basis.solve(acb_mat(matrix) * basis)
    radii = [sum((abs(found[i, j]).upper() for j in range(size) if j != i), arb(0)) for i in range(size)]
    return [found[i, i].real + arb(0, (radius + abs(found[i, i].imag)).upper()) for i, radius in enumerate(radii)]


def sorted_discs(balls: list[arb]) -> list[arb]:
    """Enclosures of the eigenvalues from the largest down: discs that overlap hold as many as they are.

    >>> sorted_discs([arb(1), arb(3, 0.5), arb(2.75, 0.5)])[2]
    1.00000000000000
    """
    groups: list[tuple[arb, int]] = []
    for disc in sorted(balls, key=arb.mid, reverse=True):
        hull, count = disc, 1
        while groups and groups[-1][0].overlaps(hull):
            other, more = groups.pop()
            hull, count = hull.union(other), count + more
        groups.append((hull, count))
    return [hull for hull, count in groups for _ in range(count)]


def tangent_frame(unit: arb_mat) -> arb_mat:
    """Rows: an orthonormal basis of the tangent space, by the Householder reflection that maps the unit to -+e_1.

    >>> tangent_frame(arb_mat([[1], [0], [0]]))[1, 2]
    1.00000000000000
    """
    dim = unit.nrows()
    axis = arb_mat([[unit[i, 0] + (i == 0) * (1 if unit[0, 0].mid() >= 0 else -1)] for i in range(dim)])
    scale = 2 / (axis.transpose() * axis)[0, 0]
    return arb_mat([[(i == j) - scale * axis[i, 0] * axis[j, 0] for j in range(dim)] for i in range(1, dim)])
