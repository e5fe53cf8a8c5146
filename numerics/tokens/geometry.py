"""Tokens on the sphere :math:`S^{d-1}`: starts, quadrature rules, and the checks every entry point shares.

Tokens are the unit rows of an array, shape=[n, dim]; token weights are positive and sum to one.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import roots_gegenbauer

from gegenflow.numerics.tokens.arguments import check_dim, check_rng, check_whole, real_array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.sharing import total

Array = NDArray[np.float64]

UNIT_TOLERANCE = {2: 1e-2, 4: 1e-6}
"""How far the norm of a row may be off, by the bytes of a float; 1e-8 for float64."""
MASS_TOLERANCE = {2: 1e-2, 4: 1e-5}
"""How far the sum of weights may be off, likewise; 1e-9 for float64."""


def uniform(n: int, dim: int, *, rng: int | np.random.Generator | None = None) -> Array:
    r"""Independent tokens drawn from the uniform probability measure on :math:`S^{d-1}`, shape=[n, dim].

    .. math:: x_i = g_i / |g_i|, \qquad g_i \sim N(0, I_d)

    :param n: number of tokens, >= 1
    :param dim: d of the sphere S^{d-1}, >= 2
    :param rng: seed >= 0 or numpy Generator, by ``numpy.random.default_rng``: the same seed gives the same tokens;
        None (default): seeded by the system

    >>> tokens = uniform(40_000, dim=5, rng=0)
    >>> bool(np.allclose(tokens.T @ tokens / 40_000, np.eye(5) / 5, atol=0.01))
    True

    Raises ValueError for ``n`` < 1 or ``dim`` < 2.

    See also :func:`.lattice`, :func:`.quadrature`.
    """
    n, dim = check_whole("n", n, 1), check_dim(dim)
    return normalize(check_rng(rng).standard_normal((n, dim)))


def circle_points(angles: Array) -> Array:
    """Tokens on the circle at these angles, shape=[n, 2]; arguments are checked already.

    >>> circle_points(np.array([0.0]))
    array([[1., 0.]])
    """
    return np.column_stack([np.cos(angles), np.sin(angles)])


def lattice(n: int) -> Array:
    r"""Equispaced tokens on the circle, ``n`` >= 1 of them, shape=[n, 2].

    .. math:: x_j = (\cos 2\pi j/n,\ \sin 2\pi j/n)

    Its Fourier moments of order 1..n-1 vanish, so equal weights integrate degree n-1 exactly.

    >>> lattice(4).round(15) + 0.0
    array([[ 1.,  0.],
           [ 0.,  1.],
           [-1.,  0.],
           [ 0., -1.]])

    Raises ValueError for ``n`` < 1.

    See also :func:`.uniform`, :func:`.quadrature`.
    """
    n = check_whole("n", n, 1)
    return circle_points(2 * np.pi * np.arange(n) / n)


def quadrature(dim: int, degree: int) -> tuple[Array, Array]:
    r"""Weighted tokens that integrate every polynomial up to a degree exactly over :math:`S^{d-1}`.

    .. math:: \int f\,d\sigma = \sum_j w_j f(x_j), \qquad x = (t, \sqrt{1-t^2}\,y),\ y \in S^{d-2}

    Returns nodes, shape=[n, dim], and positive weights with sum one, shape=[n]: Gauss-Gegenbauer nodes in t
    for the weight :math:`(1-t^2)^{(d-3)/2}` times the rule one dimension lower, down to the lattice of
    degree+1 tokens.  Hence n = (degree+1) (degree//2+1)^(dim-2).

    :param dim: d of the sphere S^{d-1}, >= 2
    :param degree: degree of the polynomials, >= 0

    >>> tokens, weights = quadrature(dim=4, degree=6)
    >>> moment = weights @ (tokens[:, 0] ** 2 * tokens[:, 1] ** 4)  # 1 * 3 / (4 * 6 * 8) in dim 4
    >>> bool(np.isclose(moment, 3 / 192, rtol=1e-13))
    True

    Raises ValueError for ``dim`` < 2 or ``degree`` < 0.  Source: derived here (odd powers of
    :math:`\sqrt{1-t^2}` come with odd powers of y, which both sides integrate to zero).

    See also :func:`.lattice`, :func:`.sphere_density`.
    """
    dim, degree = check_dim(dim), check_whole("degree", degree, 0)
    if dim == 2:
        return lattice(degree + 1), np.full(degree + 1, 1 / (degree + 1))
    equator, equator_weights = quadrature(dim - 1, degree)
    height, height_weights = roots_gegenbauer(degree // 2 + 1, dim / 2 - 1)
    radius = np.sqrt(1 - height**2)
    tokens = np.column_stack([np.repeat(height, len(equator)), np.kron(radius[:, None], equator)])
    weights = np.kron(height_weights, equator_weights)
    return normalize(tokens), weights / weights.sum()


def normalize(tokens: ArrayLike) -> Array:
    r"""The same directions as unit vectors, :math:`x_i / |x_i|`, shape=[n, dim].

    ``tokens`` are real numbers of any size, shape=[n, dim], n >= 1 and dim >= 2.

    >>> normalize([[3.0, 4.0], [0.0, -1e-200]])
    array([[ 0.6,  0.8],
           [ 0. , -1. ]])

    Raises ValueError, with the number of the row, for a row that is zero or not finite.

    See also :func:`.read_tokens`, :func:`.uniform`.
    """
    array = _as_rows(tokens)
    _check_finite(array, "tokens")
    scale = np.abs(array).max(axis=1, keepdims=True)
    if not np.all(scale > 0):
        row = int(np.flatnonzero(~(scale[:, 0] > 0))[0])
        raise Refused("tokens", None, f"row {row} is zero and has no direction")
    array /= scale
    array /= np.linalg.norm(array, axis=1, keepdims=True)
    return array


def span_basis(tokens: Array) -> Array:
    r"""An orthonormal basis of a space of dimension max(n, 2) that holds n tokens, shape=[dim, max(n, 2)].

    .. math:: x_i = Q (Q^T x_i), \qquad \langle Q^T x_i, Q^T x_j\rangle = \langle x_i, x_j\rangle

    ``tokens`` shape=[n, dim] with n <= dim.  Attention moves tokens within their span, so they may be followed there.

    >>> tokens = uniform(3, dim=100, rng=0)
    >>> basis = span_basis(tokens)
    >>> basis.shape, bool(np.allclose(tokens @ basis @ basis.T, tokens, rtol=0, atol=1e-15))
    ((100, 3), True)

    Source: Golub, Van Loan, Matrix Computations, 5.2.
    """
    rows = np.vstack([tokens, np.eye(1, tokens.shape[1])]) if len(tokens) == 1 else tokens
    basis: Array = np.linalg.qr(rows.T)[0]
    return basis


def check_tokens(tokens: ArrayLike, name: str = "tokens") -> Array:
    r"""Tokens as a C-contiguous float64 array with unit rows to rounding, shape=[n, dim].

    Rows may be off by 1e-8 in norm, of float32 by 1e-6, which is then removed; anything further off is not a token.
    ``name`` is what a refusal calls them.

    >>> check_tokens([[0.0, 1.0], [2.0, 0.0]])
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: tokens: row 1 has norm 2, not 1; normalize makes unit vectors

    Raises ValueError for a wrong shape, ``dim`` < 2, no rows, and rows that are not finite or not unit.
    """
    array = _as_rows(tokens, name)
    norm = np.sqrt(np.einsum("ij,ij->i", array, array))
    unit = np.abs(norm - 1) <= _tolerance(tokens, UNIT_TOLERANCE, 1e-8)
    if unit.all():
        array /= norm[:, None]
        return array
    _check_finite(array, name)
    row = int(np.flatnonzero(~unit)[0])
    if norm[row] == 0:
        raise Refused(name, None, f"row {row} is zero and has no direction")
    raise Refused(name, None, f"row {row} has norm {norm[row]:.9g}, not 1; normalize makes unit vectors")


def check_weights(weights: ArrayLike | None, n: int, name: str = "weights") -> Array:
    r"""Token weights :math:`w_j > 0`, :math:`\sum_j w_j = 1`, shape=[n]; ``None`` means 1/n each.

    >>> check_weights(None, 4)
    array([0.25, 0.25, 0.25, 0.25])

    Raises ValueError for a wrong shape, a weight that is not positive and finite, or a sum off by over 1e-9, of float32
    by 1e-5.
    """
    if weights is None:
        return np.full(n, 1 / total(n))
    array = real_array(name, weights)
    if array.shape != (n,):
        raise Refused(name, None, f"they have shape {array.shape}, {n} tokens need shape ({n},)")
    if not np.all((array > 0) & (array < np.inf)):
        row = int(np.flatnonzero(~((array > 0) & (array < np.inf)))[0])
        raise Refused(name, None, f"entry {row} is {array[row]:.9g}, weights must be positive and finite")
    tolerance = mass_tolerance(weights)
    mass = total(array.sum())
    if abs(mass - 1) > tolerance:
        raise Refused(name, None, f"they sum to {mass:.12g}, they must sum to 1 within {tolerance:g}")
    array /= mass
    return array


def mass_tolerance(values: ArrayLike) -> float:
    """How far the sum of masses or the mean of a density may be off, by their dtype.

    >>> mass_tolerance(np.ones(2)), mass_tolerance(np.ones(2, dtype=">f4"))
    (1e-09, 1e-05)
    """
    return _tolerance(values, MASS_TOLERANCE, 1e-9)


def _tolerance(values: ArrayLike, by_size: dict[int, float], else_: float) -> float:
    dtype = np.asarray(values).dtype
    return by_size.get(dtype.itemsize, else_) if dtype.kind == "f" else else_


def _as_rows(tokens: ArrayLike, name: str = "tokens") -> Array:
    array = real_array(name, tokens)
    if array.ndim != 2 or array.shape[0] < 1 or array.shape[1] < 2:
        raise Refused(name, None, f"they have shape {array.shape}, expected (n, dim) with n >= 1 and dim >= 2")
    return array


def _check_finite(array: Array, name: str) -> None:
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        raise Refused(name, None, f"row {np.flatnonzero(~finite)[0]} is not finite")


def harmonic_dimension(degree: int, dim: int) -> int:
    """Number of independent spherical harmonics of a degree in a dim.

    >>> [harmonic_dimension(k, 3) for k in range(4)]
    [1, 3, 5, 7]
    """
    return comb(degree + dim - 1, degree) - (comb(degree + dim - 3, degree - 2) if degree >= 2 else 0)


def tangent_frame(point: Array) -> Array:
    """Orthonormal rows orthogonal to a unit vector, shape=[dim - 1, dim].

    >>> tangent_frame(np.array([1.0, 0.0])).round(12) ** 2
    array([[0., 1.]])
    """
    rows: Array = np.linalg.svd(point[None])[2][1:]
    return rows


def tangent_matrix(points: Array, answer: Callable[[int, Array], Array]) -> Array:
    """A linear map of tangent displacements in frames at unit vectors, shape=[n (dim - 1), n (dim - 1)].

    ``answer`` gives, for a point and a unit tangent there, the displacements of all points, shape=[n, dim].

    >>> tangent_matrix(np.eye(2), lambda place, direction: 3 * np.outer(np.eye(2)[place], direction))
    array([[3., 0.],
           [0., 3.]])
    """
    frames = [tangent_frame(point) for point in points]
    columns = []
    for place, rows in enumerate(frames):
        for direction in rows:
            parts = zip(frames, answer(place, direction), strict=True)
            columns.append(np.concatenate([frame @ part for frame, part in parts]))
    return np.array(columns).T
