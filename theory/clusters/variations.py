r"""First and second variation of the interaction energy of finitely many tokens, exactly.

For a kernel h with potential :math:`W' = h`, any matrix M and weights :math:`w_i`, along the geodesics
:math:`x_i(s) = \cos(|\xi_i|s)\,x_i + \sin(|\xi_i|s)\,\xi_i/|\xi_i|` of tangent velocities :math:`\xi_i \perp x_i`,

.. math:: E(s) = \tfrac12\sum_{ij} w_i w_j\, W(\langle x_i, M x_j\rangle), \qquad
          A_{ij} = \langle \xi_i, M x_j\rangle + \langle x_i, M \xi_j\rangle .

M need not be symmetric here; only its symmetric part is felt by the flow that raises E,
:math:`\dot x_i = P_{x_i}\frac12\sum_j w_j(h_{ij} M + h_{ji} M^T)x_j`, and attention with values M is that flow iff M is
symmetric.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from gegenflow.theory.exact.arguments import Expr, Real, check_beta, check_expression
from gegenflow.theory.exact.integers import check_items, check_rows
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.kernels.attention import KernelLike, attention
from gegenflow.theory.symbols import beta, t

Vectors = Sequence[Sequence[Any]]


def energy_slope(
    tokens: Vectors,
    velocities: Vectors,
    beta: Real = beta,
    *,
    weights: Sequence[Any] | None = None,
    matrix: Vectors | None = None,
    kernel: KernelLike | None = None,
) -> Expr:
    r"""First variation of the energy of tokens that move at the given tangent velocities.

    .. math:: \frac{dE}{ds} = \tfrac12 \sum_{ij} w_i w_j\, h(c_{ij})\, A_{ij}, \qquad c_{ij} = \langle x_i, M x_j\rangle

    Numbers stay as exact as they come, symbols stay free.

    :param tokens: unit vectors x, shape (n, dim), of numbers or symbols
    :param velocities: tangent vectors xi, shape (n, dim)
    :param beta: inverse temperature, any real number or a symbol (default beta)
    :param weights: masses w, shape (n,); None (default): 1/n each
    :param matrix: M, shape (dim, dim); None (default): the identity
    :param kernel: attention weight h(t) as a Kernel, a formula or its text; None (default) is exp(beta*t)

    >>> energy_slope([[1, 0], [0, 1]], [[0, 1], [0, 0]], 1)
    1/4
    >>> energy_slope([[1, 0], [0, 1]], [[0, 1], [0, 0]], 1, matrix=[[0, 1], [0, 0]])         # <x_0, M x_1> = 1
    1/8

    Raises ValueError for shapes that do not match or beta not finite. Unit tokens and tangent velocities are the
    caller's part. Source: arXiv 2504.14697, in this form derived here.

    See also :func:`.energy_curvature`.
    """
    h, pairs = _pairs(tokens, velocities, beta, weights, matrix, kernel)
    return sp.Add(*(w * h.subs(t, c) * first for w, c, first, _ in pairs)) / 2


def energy_curvature(
    tokens: Vectors,
    velocities: Vectors,
    beta: Real = beta,
    *,
    weights: Sequence[Any] | None = None,
    matrix: Vectors | None = None,
    kernel: KernelLike | None = None,
) -> Expr:
    r"""Second variation of the energy along the geodesics of the given tangent velocities.

    .. math:: \frac{d^2E}{ds^2} = \tfrac12 \sum_{ij} w_i w_j \Big( h(c_{ij})\big[ 2\langle\xi_i, M\xi_j\rangle
              - (|\xi_i|^2 + |\xi_j|^2)\,c_{ij} \big] + h'(c_{ij})\, A_{ij}^2 \Big)

    the middle term is the acceleration :math:`-|\xi|^2 x` of a geodesic.

    :param tokens: unit vectors x, shape (n, dim), of numbers or symbols
    :param velocities: tangent vectors xi, shape (n, dim)
    :param beta: inverse temperature, any real number or a symbol (default beta)
    :param weights: masses w, shape (n,); None (default): 1/n each
    :param matrix: M, shape (dim, dim); None (default): the identity
    :param kernel: attention weight h(t) as a Kernel, a formula or its text; None (default) is exp(beta*t)

    >>> s = sp.Symbol("s")
    >>> energy_curvature([[1, 0], [1, 0]], [[0, s], [0, -s]], 3)                 # a pair that splits loses energy
    -s**2*exp(3)

    Raises ValueError as :func:`energy_slope` does. Source: arXiv 2504.14697, in this form derived here.

    See also :func:`.energy_slope`.
    """
    h, pairs = _pairs(tokens, velocities, beta, weights, matrix, kernel)
    rise = sp.diff(h, t)
    return sp.Add(*(w * (h.subs(t, c) * second + rise.subs(t, c) * first**2) for w, c, first, second in pairs)) / 2


def _pairs(
    tokens: Vectors,
    velocities: Vectors,
    beta: Real,
    weights: Sequence[Any] | None,
    matrix: Vectors | None,
    kernel: KernelLike | None,
) -> tuple[Expr, list[tuple[Expr, Expr, Expr, Expr]]]:
    """The attention weight, and for every pair its mass, c and the first and second derivative of c."""
    x, xi = _matrix(tokens, "tokens"), _matrix(velocities, "velocities")
    count, dim = x.shape
    m = sp.eye(dim) if matrix is None else _matrix(matrix, "matrix")
    equal = [sp.Rational(1, count)] * count
    given = equal if weights is None else check_items(weights, "weights", "one for each token is needed")
    masses = [check_expression(mass, "weights") for mass in given]
    shapes = {
        "velocities": (xi.shape, (count, dim)),
        "matrix": (m.shape, (dim, dim)),
        "weights": ((len(masses),), (count,)),
    }
    for name, (shape, needed) in shapes.items():
        if shape != needed:
            raise Refused(name, f"of shape {list(shape)}", f"shape {list(needed)} is needed")
    overlaps, mixed, second = x * m * x.T, xi * m * x.T, xi * m * xi.T
    first = mixed + x * m * xi.T
    speeds = [xi.row(i).dot(xi.row(i)) for i in range(count)]
    h = sp.exp(check_beta(beta) * t) if kernel is None else attention(beta, kernel).weight
    return h, [
        (
            masses[i] * masses[j],
            overlaps[i, j],
            first[i, j],
            2 * second[i, j] - (speeds[i] + speeds[j]) * overlaps[i, j],
        )
        for i in range(count)
        for j in range(count)
    ]


def _matrix(rows: Vectors, name: str) -> sp.Matrix:
    allowed = "rows of numbers, all of the same length, are needed"
    return sp.Matrix([[check_expression(x, name) for x in line] for line in check_rows(rows, name, allowed)])
