"""Sums over tokens in dim 3 through the non-uniform spherical-harmonic transforms of ducc0."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from math import pi, sqrt
from typing import Any

import numpy as np
from ducc0 import sht
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

from gegenflow.numerics.fields.compiled.elementary import angle
from gegenflow.numerics.fields.legendre import FINEST_EPSILON, SphereModes
from gegenflow.numerics.fields.sums import Pair, room_for_sums
from gegenflow.numerics.tokens.compiling import is_worth_threads, one_at_a_time
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.sharing import added_up

PARALLEL_FROM = 2000  # tokens: below it threads cost more than they save
HALVES_FROM = 20_000  # tokens: the same for their moments, whose work beside the tokens is done twice
BLOCK = 256  # tokens whose components are held apart: they stay in the first-level cache


def transform_sums(
    tokens: Array, weights: Array, modes: SphereModes, out: Pair | None = None, *, normalizer: bool = True
) -> Pair:
    r"""The sums of :func:`sphere_sums` by the transforms of ducc0, for any degree.

    .. math:: \sum_j w_j P_l(\langle x, x_j\rangle) = \frac{4\pi}{2l+1} \sum_{|m| \le l} a_{lm} Y_{lm}(x), \qquad
              a_{lm} = \sum_j w_j \overline{Y_{lm}(x_j)}

    >>> from gegenflow.numerics.fields.legendre import exponential_sphere_modes
    >>> drift, _ = transform_sums(np.eye(3), np.full(3, 1 / 3), exponential_sphere_modes(0.0))
    >>> bool(np.allclose(drift, (1 - np.eye(3)) / 3, atol=1e-12))
    True
    """
    drift, total = room_for_sums(tokens, out)
    parallel = is_worth_threads(len(tokens), PARALLEL_FROM)
    top = max(len(modes.value) - 1, 1)
    degree = _degrees(top)
    places = np.empty((len(tokens), 2))
    (_angles_parallel if parallel else _angles)(tokens, places)
    common = {
        "lmax": top,
        "loc": places,
        "epsilon": max(modes.tol, FINEST_EPSILON),
        "nthreads": get_num_threads() if parallel else 1,
    }
    moments = added_up(_moments(weights, common))

    def amplitudes(series: Array) -> NDArray[np.complex128]:
        scale = np.zeros(top + 1)
        scale[: len(series)] = 4 * pi * series / (2 * np.arange(len(series)) + 1)
        return scale[degree] * moments

    slopes = sht.synthesis_general(alm=amplitudes(modes.potential), spin=1, mode="DERIV1", **common)
    (_rotate_parallel if parallel else _rotate)(tokens, slopes, drift)
    if not normalizer:
        return drift, total[:0]
    sht.synthesis_general(alm=amplitudes(modes.value), spin=0, map=total[None], **common)
    return drift, total


def _moments(weights: Array, common: Mapping[str, Any]) -> NDArray[np.complex128]:
    # one transform adds in an order that its threads settle; the halves of many tokens, a thread each, do not
    parts = 2 if len(weights) >= HALVES_FROM else 1

    def part(k: int) -> NDArray[np.complex128]:
        rows = slice(k * len(weights) // parts, (k + 1) * len(weights) // parts)
        mine = {**common, "loc": common["loc"][rows], "nthreads": 1}
        moments: NDArray[np.complex128] = sht.adjoint_synthesis_general(map=weights[None, rows], spin=0, **mine)
        return moments

    if parts == 1:
        return part(0)
    with ThreadPoolExecutor(min(parts, get_num_threads())) as pool:
        first, second = pool.map(part, range(parts))
    return first + second


@lru_cache(maxsize=8)
def _degrees(top: int) -> NDArray[np.int64]:
    return np.concatenate([np.arange(m, top + 1) for m in range(top + 1)])


@njit(cache=True)
def _split(tokens: Array, parts: Array) -> None:
    # columns as rows, and the distance to the axis: 0 so near a pole that the squares would lose digits
    for j in range(len(tokens)):
        parts[0, j], parts[1, j], parts[2, j] = tokens[j]
    x, y, radius = parts[0, : len(tokens)], parts[1, : len(tokens)], parts[3, : len(tokens)]
    for j in range(len(tokens)):
        square = x[j] * x[j] + y[j] * y[j]
        radius[j] = sqrt(square if square > 1e-280 else 0.0)


@njit(cache=True, error_model="numpy")
def _angles(tokens: Array, places: Array) -> None:
    parts, south, east = np.empty((4, BLOCK)), np.empty(BLOCK), np.empty(BLOCK)
    for first in range(0, len(tokens), BLOCK):
        size = min(BLOCK, len(tokens) - first)
        _split(tokens[first : first + size], parts)
        x, y, z, radius = parts[0, :size], parts[1, :size], parts[2, :size], parts[3, :size]
        for j in range(size):
            south[j] = angle(radius[j], z[j])
        for j in range(size):
            longitude = angle(y[j], x[j])
            longitude = longitude if longitude >= 0 else 2 * pi + longitude
            east[j] = longitude if radius[j] > 0 else 0.0
        for j in range(size):
            places[first + j, 0] = south[j]
            places[first + j, 1] = east[j]


@njit(cache=True, error_model="numpy")
def _rotate(tokens: Array, slopes: Array, drift: Array) -> None:
    # at the poles the frame (e_theta, e_phi) is the one of longitude 0, as in _angles
    parts, pull = np.empty((4, BLOCK)), np.empty((2, BLOCK))
    for first in range(0, len(tokens), BLOCK):
        size = min(BLOCK, len(tokens) - first)
        _split(tokens[first : first + size], parts)
        x, y, z, radius = parts[0, :size], parts[1, :size], parts[2, :size], parts[3, :size]
        south, east = slopes[0, first : first + size], slopes[1, first : first + size]
        across, along = pull
        for j in range(size):
            polar = radius[j] == 0.0
            inverse = 1.0 / (1.0 if polar else radius[j])
            cosine, sine = (1.0 if polar else x[j] * inverse), (0.0 if polar else y[j] * inverse)
            across[j] = south[j] * z[j] * cosine - east[j] * sine
            along[j] = south[j] * z[j] * sine + east[j] * cosine
        for j in range(size):
            drift[first + j, 0] = across[j]
            drift[first + j, 1] = along[j]
            drift[first + j, 2] = -south[j] * radius[j]


@one_at_a_time
@njit(cache=True, parallel=True)
def _angles_parallel(tokens: Array, places: Array) -> None:
    chunks = (len(tokens) + 16 * BLOCK - 1) // (16 * BLOCK)
    for k in prange(chunks):
        rows = slice(k * 16 * BLOCK, (k + 1) * 16 * BLOCK)
        _angles(tokens[rows], places[rows])


@one_at_a_time
@njit(cache=True, parallel=True)
def _rotate_parallel(tokens: Array, slopes: Array, drift: Array) -> None:
    chunks = (len(tokens) + 16 * BLOCK - 1) // (16 * BLOCK)
    for k in prange(chunks):
        rows = slice(k * 16 * BLOCK, (k + 1) * 16 * BLOCK)
        _rotate(tokens[rows], slopes[:, rows], drift[rows])
