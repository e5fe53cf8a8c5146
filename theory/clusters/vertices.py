r"""Vertices of regular configurations on the sphere, in exact coordinates.

Rows are directions of equal length, not of length 1: so the coordinates stay integers or hold one square root.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import sympy as sp

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.exact.integers import check_dim, check_number
from gegenflow.theory.exact.refusals import Refused

Vertices = Sequence[Sequence[Expr]]
"""One row of exact coordinates a vertex."""
SOLIDS = ("tetrahedron", "octahedron", "cube", "icosahedron", "dodecahedron")
"""The platonic solids, the names of :func:`platonic`."""


def simplex(dim: int) -> Vertices:
    r"""The d+1 vertices of a regular simplex, as directions of equal length.

    :param dim: d of the sphere S^{d-1}, >= 2

    >>> [[sum(x * y for x, y in zip(v, w)).expand() for w in simplex(2)] for v in simplex(2)]
    [[2, -1, -1], [-1, 2, -1], [-1, -1, 2]]

    Raises ValueError for dim < 2 or a symbolic dim. Source: derived here; the overlaps above prove it.

    See also :func:`.simplex_spectrum`.
    """
    dim = check_number("dim", check_dim(dim))
    root = sp.sqrt(dim + 1)
    rest = [[root * int(i == j) - (root + 1) / dim for j in range(dim)] for i in range(dim)]
    return [[sp.Integer(1)] * dim, *rest]


def cross_polytope(dim: int) -> Vertices:
    r"""The 2d vertices :math:`\pm e_i`.

    :param dim: d of the sphere S^{d-1}, >= 2

    >>> cross_polytope(2)
    [[1, 0], [0, 1], [-1, 0], [0, -1]]

    Raises ValueError for dim < 2 or a symbolic dim. Source: its definition.

    See also :func:`.cross_polytope_spectrum`.
    """
    dim = check_number("dim", check_dim(dim))
    return [[sign * int(i == j) for j in range(dim)] for sign in (1, -1) for i in range(dim)]


def platonic(solid: str) -> Vertices:
    r"""Vertices of a platonic solid as directions of equal length, coordinates in :math:`\mathbb Q(\sqrt5)`.

    :param solid: its name, one of "tetrahedron", "octahedron", "cube", "icosahedron", "dodecahedron"

    >>> [len(platonic(name)) for name in SOLIDS]
    [4, 6, 8, 12, 20]
    >>> overlaps = [sorted(map(float, sp.Matrix(platonic(name)) * sp.Matrix(platonic(name)[0]))) for name in SOLIDS]
    >>> [sum(abs(x - row[-2]) < 1e-9 for x in row) for row in overlaps]                  # edges that meet in a vertex
    [3, 4, 3, 5, 3]

    Raises ValueError for a name that is not in SOLIDS. Source: the classical coordinates, with the golden ratio.

    See also :func:`.cluster_spectrum`.
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
    if not isinstance(solid, str) or solid not in solids:
        raise Refused("solid", solid, f"the platonic solids are {', '.join(SOLIDS)}")
    return solids[solid]()


def _cyclic(x: Expr, y: Expr) -> list[list[Expr]]:
    """The cyclic permutations of (0, +-x, +-y)."""
    points = [[sp.Integer(0), r * x, s * y] for r, s in product((1, -1), repeat=2)]
    return [point[turn:] + point[:turn] for point in points for turn in range(3)]
