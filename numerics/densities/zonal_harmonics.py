"""Zonal harmonics in any dim, and the expansion of functions of an overlap in them.

Coefficients come from the function, by Gauss quadrature, and from no formula for them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.linalg import eigh_tridiagonal

from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused

MOST_DEGREES = 2**10
LEAST_NODES = 64
DECAYED = 2**9  # degrees after which a smooth kernel has nothing left, or is taken on all degrees
CHANGE = 1e-11  # of a multiplier when the number of nodes doubles, in units of the integral of its modulus
AGREED = 1e-12  # how far a function and its series may differ, in units of one and of the sum of all moduli
ROUNDING = 4e-16  # coefficients this far below the norm, times the number of nodes, are noise


def funk_hecke(kernel: Callable[[Array], Array], dim: int, top: int) -> Array:
    r"""Funk-Hecke multipliers of a kernel in degrees 0..K, shape=[K + 1], by quadrature.

    .. math:: w_k = c_d \int_{-1}^{1} h(t) P_k(t) (1-t^2)^{(d-3)/2}\,dt

    >>> funk_hecke(lambda t: t**2, dim=3, top=3).round(14) + 0.0  # t^2 = 1/3 + 2/3 P_2, and 5 harmonics
    array([0.33333333, 0.        , 0.13333333, 0.        ])

    The number of Gauss nodes doubles until no multiplier changes by more than rounding, relative to the integral of
    :math:`|h P_k|`; what is below that is zero, and so are all beyond degree 511 where those from 384 on are.

    Raises ValueError for a kernel that is not finite or that 2048 nodes, or two a degree, do not resolve.  Source: the
    theorem of Funk and Hecke.
    """
    if top >= DECAYED:
        first = funk_hecke(kernel, dim, DECAYED - 1)
        if not first[3 * DECAYED // 4 :].any():
            return np.pad(first, (0, top + 1 - DECAYED))
    count, before = max(LEAST_NODES, top + 1), np.full(top + 1, np.inf)
    most = max(2 * MOST_DEGREES, 2 * count)
    while count <= most:
        overlaps, weights = gauss_rule(dim, count)
        polynomials = zonal_polynomials(dim, top, overlaps) / zonal_polynomials(dim, top, np.ones(1))
        masses = weights * finite_values(kernel, overlaps, "kernel")
        result: Array = polynomials @ masses
        size = np.abs(polynomials) @ np.abs(masses)
        result[np.abs(result) < ROUNDING * np.sqrt(count) * size] = 0.0
        if (np.abs(result - before) <= CHANGE * size).all():
            return result
        count, before = 2 * count, result
    raise Refused("kernel", None, f"it is not resolved by {most} Gauss nodes, it must be smooth")


def expansion(
    function: Callable[[Array], Array], dim: int, name: str, coarser: float = 1.0, between: Array | None = None
) -> Array:
    r"""Coefficients of a function of the overlap in orthonormal zonal harmonics, shape=[K + 1], as many as it needs.

    .. math:: c_k = c_d \int_{-1}^{1} F(t) \sqrt{D_k} P_k(t) (1-t^2)^{(d-3)/2}\,dt

    ``name`` is what a refusal calls the function; its values are ``coarser`` times less exact than float64.  At the
    overlaps ``between``, shape=[m], it must agree with its series, as far as the coefficients that count as noise
    allow.

    >>> expansion(lambda t: 1 + t, 4, "function").round(14)
    array([1. , 0.5])

    Raises ValueError for values that are not finite or of another shape, and when 1024 degrees do not resolve it.
    """
    count = LEAST_NODES
    while count <= 2 * MOST_DEGREES:
        overlaps, weights = gauss_rule(dim, count)
        masses = finite_values(function, overlaps, name)
        norm = float(np.sqrt(weights @ masses**2))
        masses *= weights
        coefficients = zonal_polynomials(dim, count - 1, overlaps) @ masses
        noise = coarser * ROUNDING * count * norm
        coefficients[np.abs(coefficients) < noise] = 0.0
        length = int(np.flatnonzero(coefficients).max(initial=0)) + 1
        if length <= count // 2 and (between is None or _agrees(function, dim, coefficients[:length], noise, between)):
            return coefficients[:length].copy()
        count *= 2
    raise Refused(name, None, f"it is not resolved by {MOST_DEGREES} degrees, it must be smooth")


def _agrees(function: Callable[[Array], Array], dim: int, series: Array, noise: float, overlaps: Array) -> bool:
    # at overlaps between the nodes; near the poles of a high dim noise alone may be larger than any function
    with np.errstate(over="ignore", invalid="ignore"):
        table = zonal_polynomials(dim, max(len(series) - 1, LEAST_NODES // 2), overlaps)
        bound = noise * np.abs(table).sum(axis=0) + AGREED * (1 + np.abs(series) @ np.abs(table[: len(series)]))
        differs = np.abs(series @ table[: len(series)] - function(overlaps)) > bound
    return not differs.any()


def zonal_polynomials(dim: int, top: int, overlaps: Array) -> Array:
    r"""Orthonormal zonal harmonics :math:`\sqrt{D_k} P_k(t)` of degrees 0..K at overlaps t, shape=[K + 1, n].

    >>> zonal_polynomials(3, 2, np.array([0.5])).ravel() ** 2 / [1, 3, 5]  # P_1 = t, P_2 = (3 t^2 - 1)/2
    array([1.      , 0.25    , 0.015625])

    Source: DLMF 18.9(i), scaled to norm one.
    """
    link = _links(dim, top)
    table = np.ones((top + 1, len(overlaps)))
    if top > 0:
        table[1] = overlaps / link[0]
    for k in range(1, top):
        table[k + 1] = (overlaps * table[k] - link[k - 1] * table[k - 1]) / link[k]
    return table


@lru_cache(maxsize=32)
def gauss_rule(dim: int, count: int) -> tuple[Array, Array]:
    r"""Gauss nodes t in rising order and weights of sum one for :math:`c_d (1-t^2)^{(d-3)/2} dt`, each shape=[n].

    Nodes are eigenvalues of the Jacobi matrix, weights :math:`1/\sum_{k<n} \phi_k(t)^2`, which keeps the digits of
    those that are tiny; the nodes are symmetric to the last bit.  Both arrays are remembered and read-only.

    >>> overlaps, weights = gauss_rule(5, 10)
    >>> bool(np.isclose(weights @ overlaps**4, 3 / (5 * 7), rtol=1e-14))
    True

    Raises ValueError where a weight underflows, as from dim 256 with 2048 nodes on.  Source: Golub and Welsch (1969).
    """
    overlaps = eigh_tridiagonal(np.zeros(count), _links(dim, count - 1), eigvals_only=True)
    overlaps = (overlaps - overlaps[::-1]) / 2
    with np.errstate(over="ignore", invalid="ignore"):
        weights: Array = 1 / np.square(zonal_polynomials(dim, count - 1, overlaps)).sum(axis=0)
    if not weights.min() > 0:
        raise Refused("dim", dim, f"the least weight of {count} Gauss nodes underflows float64; take fewer degrees")
    overlaps.setflags(write=False)
    weights.setflags(write=False)
    return overlaps, weights


def _links(dim: int, top: int) -> Array:
    """What couples degree k to k - 1 in the recurrence, k = 1..top, shape=[top]."""
    k = np.arange(2.0, top + 1)
    later = np.sqrt(k * (k + dim - 3) / ((2 * k + dim - 2) * (2 * k + dim - 4)))
    return np.concatenate([[dim**-0.5], later])[:top]


def finite_values(function: Callable[[Array], Array], overlaps: Array, name: str) -> Array:
    """Values of a function at overlaps, shape=[n]; refused, under its name, if not finite or of another shape.

    >>> finite_values(lambda t: 1.0, np.zeros(3), "density")
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: density: it maps 3 overlaps to shape (), each needs its value
    """
    values = np.array(function(overlaps), dtype=np.float64)
    if values.shape != overlaps.shape:
        raise Refused(name, None, f"it maps {len(overlaps)} overlaps to shape {values.shape}, each needs its value")
    if not np.isfinite(values).all():
        first = int(np.flatnonzero(~np.isfinite(values))[0])
        raise Refused(name, None, f"it is {values[first]} at overlap {overlaps[first]:.6g}, it must be finite")
    return values
