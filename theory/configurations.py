r"""Equal clusters at the points of a regular configuration on :math:`S^{d-1}`: how they spread, and how they escape.

For k equal clusters at stationary points :math:`x_a`, with overlaps :math:`c_{ab}` and
:math:`P_a = I - x_a x_a^T`, the linearised flow (USA) of a token displaced by u within cluster a, and of
clusters displaced by :math:`u_a` as wholes, is

.. math:: A_a u = P_a\Big[\tfrac1k \sum_b e^{\beta c_{ab}} (\beta\, x_b x_b^T - c_{ab})\Big] u, \qquad
          (L u)_a = A_a u_a + \tfrac1k \sum_b e^{\beta c_{ab}} P_a (I + \beta\, x_b x_a^T) u_b ;

L is k times the Hessian of the energy, which the flow increases. SA divides row a by
:math:`Z_a = \frac1k\sum_b e^{\beta c_{ab}}`.

1. The clusters hold together at every beta > 0 wherever :math:`A_a` is a multiple of the identity, the same for all a
   (all configurations below): with the amplitudes :math:`A_l^2` = mean of :math:`P_l(c_{ab})` and the growth rates
   :math:`\gamma_l` of the uniform state it is :math:`-\frac{1}{d-1}\sum_l D_l\gamma_l A_l^2 < 0`.
2. In d >= 3 every stationary arrangement of at least two clusters, of any masses, escapes at every beta: over
   displacements :math:`u_a = P_a z`, z each of d orthogonal directions, the second variation of the energy adds up to
   :math:`\sum_{ab} m_a m_b e^{\beta c}(1-c)[(d-2-c) + \beta(1-c^2)] > 0`. Where that mode is an eigenvector (all
   configurations below) its eigenvalue is that sum, over :math:`d-1`. SA has the same signs.

Source: arXiv 2410.23228 for the flow; spectra and both statements are derived here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import flint
import sympy as sp
from flint import acb_mat, arb, arb_mat

from gegenflow.theory.certified import Certified, certify, check_digits, exact_number
from gegenflow.theory.clusters import inverse_temperature
from gegenflow.theory.enclosures import enclose
from gegenflow.theory.growth import check_model
from gegenflow.theory.sphere import Expr, check_dim, check_number, d
from gegenflow.theory.weights import beta

Pairs = tuple[tuple[Expr, Expr], ...]
"""Eigenvalues with their multiplicities."""
Vertices = Sequence[Sequence[Expr]]

SOLIDS = ("tetrahedron", "octahedron", "cube", "icosahedron", "dodecahedron")
"""They have 5, 9, 11, 21 and 29 unstable directions at every beta that was tried, from 1e-3 to 600."""


SEPARATING_BITS = 256
"""Spent so that eigenvalues which agree to few digits are told apart from one multiple eigenvalue."""


@dataclass(frozen=True)
class ClusterSpectrum:
    """Energy and linearised spectrum of equal clusters; eigenvalues come with their multiplicities.

    ``inter`` are the d-1 directions of each cluster as a whole, rotations included, ``intra`` the d-1 directions of a
    token within each cluster; ``unstable`` counts the growing directions of ``inter``, ``holds`` says whether all of
    ``intra`` contract.
    """

    dim: Expr
    clusters: Expr
    beta: Expr
    model: str
    energy: Expr
    inter: Pairs
    intra: Pairs
    unstable: Expr
    holds: bool

    @property
    def stable(self) -> bool:
        """Whether no direction grows."""
        return self.holds and self.unstable == 0


def antipodal_spectrum(dim: Expr = d, beta: Expr = beta, *, model: str = "usa") -> ClusterSpectrum:
    r"""Spectrum of two equal antipodal clusters.

    .. math:: \text{inter: } e^{-\beta}\,(d-1), \quad 0\,(d-1); \qquad
              \text{intra: } -\sinh\beta\;(2d-2); \qquad Z = \cosh\beta

    multiplicities in brackets; SA divides by Z.

    >>> antipodal_spectrum().inter
    ((exp(-beta), d - 1), (0, d - 1))

    Raises ValueError for dim < 2, beta not > 0 or not finite, an unknown model. Source: derived here.
    """
    dim, b = check_dim(dim), inverse_temperature(beta)
    inter = ((sp.exp(-b), dim - 1), (sp.Integer(0), dim - 1))
    return _closed_form(dim, 2, b, model, sp.cosh(b), inter, -sp.sinh(b))


def simplex_spectrum(dim: Expr = d, beta: Expr = beta, *, model: str = "usa") -> ClusterSpectrum:
    r"""Spectrum of d+1 equal clusters at the vertices of a regular simplex.

    .. math:: \text{inter: } e^{-\beta/d}\Big(\frac{d-1}{d} + \frac{d+1}{d^2}\beta\Big)\,(d), \quad
              \frac{2\beta}{d} e^{-\beta/d}\;\Big(\frac{(d+1)(d-2)}{2}\Big), \quad 0\;\Big(\frac{d(d-1)}{2}\Big)

    .. math:: \text{intra: } \frac{\beta}{d} e^{-\beta/d} - \frac{e^\beta - e^{-\beta/d}}{d+1}\;(d^2-1); \qquad
              Z = \frac{e^\beta + d\,e^{-\beta/d}}{d+1}

    multiplicities in brackets (the irreducible parts of the displacements under the permutations of the vertices);
    SA divides by Z.

    >>> sum(multiplicity for _, multiplicity in simplex_spectrum().inter).factor()      # d-1 for each of d+1 clusters
    (d - 1)*(d + 1)
    >>> simplex_spectrum(2).inter[0]                                                    # three clusters on the circle
    ((3*beta/4 + 1/2)*exp(-beta/2), 2)

    Raises ValueError for dim < 2, beta not > 0 or not finite, an unknown model. Source: derived here.
    """
    dim, b = sp.sympify(check_dim(dim)), inverse_temperature(beta)
    far = sp.exp(-b / dim)
    inter = (
        (far * ((dim - 1) / dim + (dim + 1) / dim**2 * b), dim),
        (2 * b / dim * far, (dim + 1) * (dim - 2) / 2),
        (sp.Integer(0), dim * (dim - 1) / 2),
    )
    intra = b / dim * far - (sp.exp(b) - far) / (dim + 1)
    return _closed_form(dim, dim + 1, b, model, (sp.exp(b) + dim * far) / (dim + 1), inter, intra)


def cross_polytope_spectrum(dim: Expr = d, beta: Expr = beta, *, model: str = "usa") -> ClusterSpectrum:
    r"""Spectrum of 2d equal clusters at :math:`\pm e_1, \ldots, \pm e_d`.

    .. math:: \text{inter: } \frac{\beta + e^{-\beta} + d - 2}{d}\,(d), \quad
              \frac{2\beta}{d}\,\Big(\frac{d(d-1)}{2}\Big), \quad
              \frac{\beta + e^{-\beta} - 1}{d}\,(d(d-2)), \quad 0\,\Big(\frac{d(d-1)}{2}\Big)

    .. math:: \text{intra: } \frac{\beta - \sinh\beta}{d}\;(2d(d-1)); \qquad Z = \frac{\cosh\beta + d - 1}{d}

    multiplicities in brackets (the irreducible parts of the displacements under signed permutations); SA divides by Z.
    The first mode grows fastest below :math:`\beta - e^{-\beta} = d - 2`, the second above.

    >>> sum(multiplicity for _, multiplicity in cross_polytope_spectrum().inter).factor()
    2*d*(d - 1)
    >>> cross_polytope_spectrum(2).inter[:2]                                     # four clusters on the circle
    ((beta/2 + exp(-beta)/2, 2), (beta, 1))

    Raises ValueError for dim < 2, beta not > 0 or not finite, an unknown model. Source: derived here.
    """
    dim, b = sp.sympify(check_dim(dim)), inverse_temperature(beta)
    inter = (
        ((b + sp.exp(-b) + dim - 2) / dim, dim),
        (2 * b / dim, dim * (dim - 1) / 2),
        ((b + sp.exp(-b) - 1) / dim, dim * (dim - 2)),
        (sp.Integer(0), dim * (dim - 1) / 2),
    )
    return _closed_form(dim, 2 * dim, b, model, (sp.cosh(b) + dim - 1) / dim, inter, (b - sp.sinh(b)) / dim)


def _closed_form(
    dim: Expr, clusters: Expr, b: Expr, model: str, normaliser: Expr, inter: Pairs, intra: Expr
) -> ClusterSpectrum:
    """Divide by the normaliser for SA; the energy follows from it; all but the rotations grow."""
    scale = normaliser if check_model(model) == "sa" else sp.Integer(1)
    inter = tuple((value / scale, multiplicity) for value, multiplicity in inter if multiplicity != 0)
    unstable = sp.expand(sum(multiplicity for value, multiplicity in inter if value != 0))
    within = ((intra / scale, clusters * (dim - 1)),)
    return ClusterSpectrum(dim, clusters, b, model, normaliser / (2 * b), inter, within, unstable, True)


def simplex(dim: int) -> Vertices:
    r"""The d+1 vertices of a regular simplex, as directions of equal length.

    >>> [[sum(x * y for x, y in zip(v, w)).expand() for w in simplex(2)] for v in simplex(2)]
    [[2, -1, -1], [-1, 2, -1], [-1, -1, 2]]
    """
    dim = check_number("dim", check_dim(dim))
    root = sp.sqrt(dim + 1)
    rest = [[root * int(i == j) - (root + 1) / dim for j in range(dim)] for i in range(dim)]
    return [[sp.Integer(1)] * dim, *rest]


def cross_polytope(dim: int) -> Vertices:
    """The 2d vertices :math:`\\pm e_i`.

    >>> cross_polytope(2)
    [[1, 0], [0, 1], [-1, 0], [0, -1]]
    """
    dim = check_number("dim", check_dim(dim))
    return [[sign * int(i == j) for j in range(dim)] for sign in (1, -1) for i in range(dim)]


def platonic(name: str) -> Vertices:
    r"""Vertices of a platonic solid as directions of equal length, coordinates in :math:`\mathbb Q(\sqrt5)`.

    >>> [len(platonic(name)) for name in SOLIDS]
    [4, 6, 8, 12, 20]

    Raises ValueError for a name that is not in SOLIDS.
    """
    golden = (1 + sp.sqrt(5)) / 2
    cube = [[sp.Integer(x) for x in corner] for corner in product((1, -1), repeat=3)]
    solids: dict[str, Callable[[], Vertices]] = {
        "tetrahedron": lambda: [corner for corner in cube if sp.prod(corner) == 1],
        "octahedron": lambda: cross_polytope(3),
        "cube": lambda: cube,
        "icosahedron": lambda: _cyclic(sp.Integer(1), golden),
        "dodecahedron": lambda: [*cube, *_cyclic(golden - 1, golden)],
    }
    if name not in solids:
        raise ValueError(f"solid {name}: the platonic solids are {', '.join(SOLIDS)}")
    return solids[name]()


def _cyclic(x: Expr, y: Expr) -> list[list[Expr]]:
    """The cyclic permutations of (0, +-x, +-y)."""
    points = [[sp.Integer(0), r * x, s * y] for r, s in product((1, -1), repeat=2)]
    return [point[turn:] + point[:turn] for point in points for turn in range(3)]


def spectrum(vertices: Vertices, beta: Expr, *, model: str = "usa", digits: int = 15) -> ClusterSpectrum:
    r"""Certified energy and spectrum of equal clusters in the directions ``vertices``, shape=[clusters, dim].

    Coordinates are exact: integers, fractions, roots and other sympy numbers; rows of any length but 0. Eigenvalues
    that no ball separates (they differ by less than 1e-30 of the largest) count as one, with their multiplicity; those
    of the rotations are exactly 0.

    >>> solid = spectrum(platonic("cube"), 4, digits=6)
    >>> solid.inter[0], solid.unstable, solid.holds
    (([5.40969 +/- 3.3e-6], 2), 11, True)
    >>> [multiplicity for _, multiplicity in spectrum(platonic("icosahedron"), 4, digits=6).inter]
    [4, 5, 3, 4, 5, 3]

    Raises ValueError for coordinates that cannot be enclosed, rows that are zero or of unequal length, clusters that
    are not stationary, beta not > 0, not finite or a symbol, an unknown model, digits < 1.
    Source: derived here; discs of Gershgorin about approximate eigenvectors.
    """
    rows = [[sp.sympify(x) for x in row] for row in vertices]
    dim = len(rows[0]) if rows else 0
    if dim < 2 or any(len(row) != dim for row in rows):
        raise ValueError(f"vertices of lengths {[len(row) for row in rows]}: rows of one length >= 2 are needed")
    exact = exact_number(inverse_temperature(beta))
    check_model(model)
    check_digits(digits)

    @cache
    def balls(precision: int) -> tuple[arb, list[arb], list[arb]]:
        with flint.ctx.workprec(2 * precision + SEPARATING_BITS):
            return _balls(_units(rows), arb(exact), model)

    try:
        energy = certify(lambda: balls(flint.ctx.prec)[0], digits)
        size = len(rows) * (dim - 1)
        inter, intra = (_distinct([certify(_entry(balls, part, i), digits) for i in range(size)]) for part in (1, 2))
    except ArithmeticError as error:
        raise ValueError(f"beta {beta}: {error}") from error
    unstable = sum(multiplicity for value, multiplicity in inter if value.ball > 0)
    holds = all(value.ball < 0 for value, _ in intra)
    return ClusterSpectrum(dim, len(rows), exact, model, energy, inter, intra, unstable, holds)


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
            raise ValueError(f"vertices: row {number} is zero and has no direction")
        column = arb_mat([[enclose(x)] for x in row])
        units.append(column * (1 / _dot(column, column).sqrt()))
    return units


def _dot(x: arb_mat, y: arb_mat) -> arb:
    product: arb = (x.transpose() * y)[0, 0]
    return product


def _frame(unit: arb_mat) -> arb_mat:
    """Rows: an orthonormal basis of the tangent space, by the Householder reflection that maps the unit to -+e_1."""
    dim = unit.nrows()
    axis = arb_mat([[unit[i, 0] + (i == 0) * (1 if unit[0, 0].mid() >= 0 else -1)] for i in range(dim)])
    scale = 2 / _dot(axis, axis)
    return arb_mat([[(i == j) - scale * axis[i, 0] * axis[j, 0] for j in range(dim)] for i in range(1, dim)])


def _balls(units: list[arb_mat], b: arb, model: str) -> tuple[arb, list[arb], list[arb]]:
    """Energy, inter-cluster and intra-cluster eigenvalues at the current precision, the latter two sorted."""
    count, frames = len(units), [_frame(unit) for unit in units]
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
        spread += _discs((outside + terms[i]) * (1 / scale[i]))
    whole = [[block[r, c] for block in row for c in range(block.ncols())] for row in rows for r in range(unity.nrows())]
    energy = sum(normalisers, arb(0)) / (2 * b * count)
    return energy, _without_rotations(_sorted(_discs(arb_mat(whole))), units), _sorted(spread)


def _check_stationary(index: int, weights: list[arb], views: list[arb_mat]) -> None:
    push = _total([weight * view for weight, view in zip(weights, views, strict=True)], views[0])
    if not push.contains(0 * push):
        raise ValueError(f"vertices: cluster {index} is pushed sideways by the others, so they are not stationary")


def _total(matrices: list[arb_mat], like: arb_mat) -> arb_mat:
    return sum(matrices, 0 * like)


def _without_rotations(eigenvalues: list[arb], units: list[arb_mat]) -> list[arb]:
    """The rotations that move the clusters have eigenvalue 0: if no other ball contains 0, these are exactly 0."""
    scatter = _total([unit * unit.transpose() for unit in units], units[0] * units[0].transpose())
    fixed = sum(value.contains(0) for value in _discs(scatter))
    rotations = scatter.nrows() * (scatter.nrows() - 1) // 2 - fixed * (fixed - 1) // 2
    if sum(value.contains(0) for value in eigenvalues) != rotations:
        return eigenvalues
    return [arb(0) if value.contains(0) else value for value in eigenvalues]


def _discs(matrix: arb_mat) -> list[arb]:
    """Gershgorin's discs of a symmetric matrix in a basis of approximate eigenvectors, its diagonal slightly tilted
    so that none of its eigenvalues is multiple."""
    size = matrix.nrows()
    tilt = arb(2) ** -(flint.ctx.prec // 2) * max(abs(x).upper() for x in matrix.entries())
    tilted = [
        [matrix[i, j].mid() + (tilt * arb(i + 1).sqrt()).mid() * (i == j) for j in range(size)] for i in range(size)
    ]
    _, basis = acb_mat(arb_mat(tilted)).eig(right=True, algorithm="approx")
    discs = basis.solve(acb_mat(matrix) * basis)
    radii = [sum((abs(discs[i, j]).upper() for j in range(size) if j != i), arb(0)) for i in range(size)]
    return [discs[i, i].real + arb(0, (radius + abs(discs[i, i].imag)).upper()) for i, radius in enumerate(radii)]


def _sorted(discs: list[arb]) -> list[arb]:
    """Enclosures of the eigenvalues from the largest down: discs that overlap hold as many as they are."""
    groups: list[list[arb]] = []
    for disc in sorted(discs, key=arb.mid, reverse=True):
        if groups and groups[-1][0].overlaps(disc):
            groups[-1] = [groups[-1][0].union(disc), *groups[-1]]
        else:
            groups.append([disc])
    return [group[0] for group in groups for _ in group]
