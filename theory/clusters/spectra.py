r"""Certified spectra of equal clusters at any stationary set of exact directions, such as the platonic solids.

The operators are those of :mod:`gegenflow.theory.clusters.configurations`, A for a token within its cluster and L for
clusters as wholes (SA: made symmetric by :math:`\sqrt{Z_a}`), in an orthonormal frame of each tangent space. Their
eigenvalues lie in Gershgorin's discs about approximate eigenvectors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import flint
from flint import arb, arb_mat

from gegenflow.theory.clusters.circle import inverse_temperature
from gegenflow.theory.clusters.configurations import ClusterSpectrum, Pairs
from gegenflow.theory.clusters.vertices import Vertices
from gegenflow.theory.exact.arguments import Expr, Real, check_expression, check_model
from gegenflow.theory.exact.certified import Certified, certify
from gegenflow.theory.exact.eigenvalues import discs, sorted_discs, tangent_frame
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_digits
from gegenflow.theory.exact.refusals import Refused

SEPARATING_BITS = 256
"""Spent so that eigenvalues which agree to few digits are told apart from one multiple eigenvalue."""


def cluster_spectrum(vertices: Vertices, beta: Real, *, model: str = "usa", digits: int = 15) -> ClusterSpectrum:
    r"""Certified energy and spectrum of equal clusters in exact directions.

    Eigenvalues that no ball separates (they differ by less than 1e-30 of the largest) count as one, with their
    multiplicity; those of the rotations are exactly 0.

    :param vertices: directions of the clusters, shape (clusters, dim), dim >= 2: integers, fractions, roots and other
        sympy numbers; rows of any length but 0
    :param beta: inverse temperature, a number > 0
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> from gegenflow.theory.clusters.vertices import platonic
    >>> solid = cluster_spectrum(platonic("cube"), 4, digits=6)
    >>> solid.inter[0], solid.unstable, solid.holds
    (([5.40969 +/- 3.3e-6], 2), 11, True)
    >>> [multiplicity for _, multiplicity in cluster_spectrum(platonic("icosahedron"), 4, digits=6).inter]
    [4, 5, 3, 4, 5, 3]

    The platonic solids, in the order of :data:`~gegenflow.theory.clusters.vertices.SOLIDS`, have 5, 9, 11, 21 and 29
    unstable directions at every beta that was tried, from 1e-3 to 600.

    Raises ValueError for coordinates that are no numbers or cannot be enclosed, rows that are zero or of unequal
    length, clusters that are not stationary, beta not > 0, not finite or a symbol, an unknown model, digits < 1.
    Source: derived here; discs of Gershgorin about approximate eigenvectors.

    See also :func:`.platonic`, :func:`.simplex_spectrum`, :func:`.cross_polytope_spectrum`.
    """
    rows = _exact_rows(vertices)
    dim = len(rows[0]) if rows else 0
    if dim < 2 or any(len(row) != dim for row in rows):
        lengths = [len(row) for row in rows]
        raise Refused("vertices", None, f"rows of one length >= 2 are needed, not of lengths {lengths}")
    exact = inverse_temperature(beta)
    if exact.free_symbols:
        raise Refused("beta", beta, "a number is needed for certified digits")
    check_model(model)
    check_digits(digits)

    @cache
    def balls(precision: int) -> tuple[arb, list[arb], list[arb]]:
        with flint.ctx.workprec(2 * precision + SEPARATING_BITS):
            return _balls(_units(rows), enclose(exact), model)

    try:
        energy = certify(lambda: balls(flint.ctx.prec)[0], digits)
        size = len(rows) * (dim - 1)
        inter, intra = (_distinct([certify(_entry(balls, part, i), digits) for i in range(size)]) for part in (1, 2))
    except ArithmeticError as error:
        raise Refused("beta", beta, str(error)) from error
    unstable = sum(multiplicity for value, multiplicity in inter if value.ball > 0)
    holds = all(value.ball < 0 for value, _ in intra)
    return ClusterSpectrum(dim, len(rows), exact, model, energy, inter, intra, unstable, holds)


def _exact_rows(vertices: Vertices) -> list[list[Expr]]:
    """The coordinates as sympy expressions, or a ValueError unless they are rows of numbers."""
    try:
        return [[check_expression(x, "vertices") for x in row] for row in vertices]
    except TypeError as error:
        raise Refused("vertices", vertices, "rows of numbers are needed") from error


def _entry(balls: Callable[[int], Any], part: int, index: int) -> Callable[[], arb]:
    return lambda: balls(flint.ctx.prec)[part][index]


def _distinct(eigenvalues: list[Certified]) -> Pairs:
    """Group the sorted eigenvalues whose enclosures overlap."""
    pairs: list[tuple[Certified, int]] = []
    for value in eigenvalues:
        if pairs and pairs[-1][0].ball.overlaps(value.ball):
            pairs[-1] = (pairs[-1][0], pairs[-1][1] + 1)
        else:
            pairs.append((value, 1))
    return tuple(pairs)


def _units(rows: list[list[Expr]]) -> list[arb_mat]:
    """The rows as unit columns of balls."""
    units = []
    for number, row in enumerate(rows):
        if all(x == 0 for x in row):
            raise Refused("vertices", None, f"row {number} is zero and has no direction")
        column = arb_mat([[enclose(x)] for x in row])
        units.append(column * (1 / _dot(column, column).sqrt()))
    return units


def _dot(x: arb_mat, y: arb_mat) -> arb:
    product: arb = (x.transpose() * y)[0, 0]
    return product


def _balls(units: list[arb_mat], b: arb, model: str) -> tuple[arb, list[arb], list[arb]]:
    """Energy, inter-cluster and intra-cluster eigenvalues at the current precision, the latter two sorted."""
    count, frames = len(units), [tangent_frame(unit) for unit in units]
    unity = arb_mat(frames[0].nrows(), frames[0].nrows(), 1)
    overlaps = [[_dot(x, y) for y in units] for x in units]
    weights = [[(b * overlap).exp() / count for overlap in row] for row in overlaps]
    normalisers = [sum(row, arb(0)) for row in weights]
    scale = normalisers if model == "sa" else [arb(1)] * count
    rows, spread = [], []
    for i, (frame, own) in enumerate(zip(frames, units, strict=True)):
        views = [frame * unit for unit in units]
        _check_stationary(i, weights[i], views)
        terms = [
            weight * (b * view * view.transpose() - overlap * unity)
            for weight, view, overlap in zip(weights[i], views, overlaps[i], strict=True)
        ]
        row = [
            (frame * other.transpose() + b * view * (other * own).transpose()) * (weight / (scale[i] * scale[j]).sqrt())
            for j, (weight, view, other) in enumerate(zip(weights[i], views, frames, strict=True))
        ]
        outside = _total(terms[:i] + terms[i + 1 :], unity)
        row[i] = outside * (1 / scale[i])
        rows.append(row)
        spread += discs((outside + terms[i]) * (1 / scale[i]))
    whole = [[block[r, c] for block in row for c in range(block.ncols())] for row in rows for r in range(unity.nrows())]
    energy = sum(normalisers, arb(0)) / (2 * b * count)
    return energy, _without_rotations(sorted_discs(discs(arb_mat(whole))), units), sorted_discs(spread)


def _check_stationary(index: int, weights: list[arb], views: list[arb_mat]) -> None:
    push = _total([weight * view for weight, view in zip(weights, views, strict=True)], views[0])
    if not push.contains(0 * push):
        raise Refused("vertices", None, f"cluster {index} is pushed sideways by the others, so they are not stationary")


def _total(matrices: list[arb_mat], like: arb_mat) -> arb_mat:
    return sum(matrices, 0 * like)


def _without_rotations(eigenvalues: list[arb], units: list[arb_mat]) -> list[arb]:
    """The rotations that move the clusters have eigenvalue 0: if no other ball contains 0, these are exactly 0."""
    scatter = _total([unit * unit.transpose() for unit in units], units[0] * units[0].transpose())
    fixed = sum(value.contains(0) for value in discs(scatter))
    rotations = scatter.nrows() * (scatter.nrows() - 1) // 2 - fixed * (fixed - 1) // 2
    if sum(value.contains(0) for value in eigenvalues) != rotations:
        return eigenvalues
    return [arb(0) if value.contains(0) else value for value in eigenvalues]
