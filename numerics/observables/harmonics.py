"""How much of each spherical harmonic degree a cloud of tokens holds, in any dimension.

The addition theorem turns the sum over the harmonics of one degree into the normalised Gegenbauer polynomial
:math:`P_k(\\langle x, y\\rangle)`, :math:`P_k(1) = 1`, so no harmonic is ever written down.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import ArrayLike

from gegenflow.numerics.fields.circle import fourier_moments
from gegenflow.numerics.fields.compiled.elementary import FAST, write
from gegenflow.numerics.tokens.arguments import check_whole
from gegenflow.numerics.tokens.compiling import is_worth_threads, one_at_a_time
from gegenflow.numerics.tokens.geometry import (
    Array,
    check_tokens,
    check_weights,
    harmonic_dimension,
    quadrature,
)
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.sharing import added_up, is_shared

BLOCK = 256  # tokens whose polynomials are held at once: they stay in the first-level cache
CHUNKS = 64  # work items of a parallel region
ROUNDING = 1e-15  # of sums of overlaps: powers below it, or below its square where they are squares, are zero
HELD = 2**20  # overlaps held at once where derivatives are summed up
PARALLEL_FROM = 100_000  # pairs times degrees: below it a parallel region costs more than it saves


def harmonic_power(tokens: ArrayLike, max_degree: int, weights: ArrayLike | None = None) -> Array:
    r"""Squared amplitude of every harmonic degree 0..K of weighted tokens, shape=[K + 1].

    .. math:: A_k^2 = \sum_{ij} w_i w_j P_k(\langle x_i, x_j\rangle)

    It is 1 in every degree for coinciding tokens, in any dim; :math:`|\mu_k|^2` in dim 2; and
    :math:`D_k A_k^2` is the sum of squares of the :math:`D_k` coefficients in orthonormal harmonics. With
    many tokens the sum over pairs is a sum over quadrature nodes q, exact to degree 2K,
    :math:`A_k^2 = D_k \sum_q w_q (\sum_i w_i P_k(\langle x_i, q\rangle))^2`, which also keeps small powers
    accurate.

    :param tokens: tokens on the sphere, shape (n, dim)
    :param max_degree: highest degree K, >= 0
    :param weights: weights of the tokens, shape (n,), > 0 with sum 1; None (default): 1/n each

    >>> harmonic_power([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]], max_degree=3)
    array([1., 0., 1., 0.])

    Raises ValueError for bad tokens or weights or ``max_degree`` < 0.  Source: derived here (addition
    theorem).

    See also :class:`.HarmonicPower`, :func:`.harmonic_overlap`.
    """
    max_degree = check_whole("max_degree", max_degree, 0)
    tokens = check_tokens(tokens)
    n, dim = tokens.shape
    weights = check_weights(weights, n)
    if dim == 2:
        return np.abs(fourier_moments(tokens, weights, max_degree)) ** 2
    if is_shared() or (2 * max_degree + 1) * (max_degree + 1) ** (dim - 2) < n:
        nodes, node_weights = quadrature(dim, 2 * max_degree)
        counts = [harmonic_dimension(k, dim) for k in range(max_degree + 1)]
        return np.array(counts) * (node_weights @ added_up(harmonic_profile(nodes, tokens, weights, max_degree)) ** 2)
    return np.maximum(weights @ harmonic_profile(tokens, tokens, weights, max_degree), 0.0)


def harmonic_overlap(tokens: ArrayLike, other: ArrayLike, max_degree: int, weights: ArrayLike | None = None) -> Array:
    r"""Overlap of weighted tokens with equally weighted other tokens in degrees 0..K, shape=[K + 1].

    .. math:: \sum_i w_i \frac{1}{m} \sum_{j=1}^m P_k(\langle x_i, y_j\rangle)

    :param tokens: tokens on the sphere, shape (n, dim)
    :param other: tokens on the sphere, shape (m, dim)
    :param max_degree: highest degree K, >= 0
    :param weights: weights of the tokens, shape (n,), > 0 with sum 1; None (default): 1/n each

    With a single other token y it is the coefficient of the harmonic that is symmetric about y:

    >>> harmonic_overlap([[0.6, 0.8, 0.0]], [[1.0, 0.0, 0.0]], 2).round(12)  # 1, t, (3 t^2 - 1)/2 at t = 0.6
    array([1.  , 0.6 , 0.04])

    Raises ValueError for bad tokens or weights, dims that differ, or ``max_degree`` < 0.  Source: derived
    here.

    See also :func:`.harmonic_power`.
    """
    max_degree = check_whole("max_degree", max_degree, 0)
    tokens, other = check_tokens(tokens), check_tokens(other, "other")
    weights, other_weights = check_weights(weights, len(tokens)), check_weights(None, len(other))
    if tokens.shape[1] != other.shape[1]:
        raise Refused("other", None, f"they have dim {other.shape[1]}, tokens dim {tokens.shape[1]}, they must agree")
    if tokens.shape[1] == 2:
        moments = fourier_moments(tokens, weights, max_degree)
        return np.real(moments * fourier_moments(other, other_weights, max_degree).conj())
    overlap: Array = other_weights @ harmonic_profile(other, tokens, weights, max_degree)
    return overlap


def harmonic_profile(points: Array, tokens: Array, weights: Array, max_degree: int) -> Array:
    r"""The sums :math:`\sum_j w_j P_k(\langle p, x_j\rangle)` at every point p, shape=[points, K + 1].

    Arguments are checked already.

    >>> harmonic_profile(np.eye(3), np.array([[0.6, 0.8, 0.0]]), np.ones(1), 1)[:, 1]
    array([0.6, 0.8, 0. ])
    """
    components = np.ascontiguousarray(tokens.T)
    profile = np.zeros((len(points), max_degree + 1))
    if is_worth_threads(profile.size * len(tokens), PARALLEL_FROM):
        _profile_rows_parallel(points, components, weights, profile)
    else:
        _profile_rows(0, len(points), points, components, weights, profile)
    return profile


def power_change(tokens: Array, velocities: Array, max_degree: int, weights: Array) -> tuple[Array, Array]:
    r"""Squared amplitudes of degrees 1..K and their time derivatives along velocities, each shape=[K].

    .. math:: \frac{d}{dt} A_k^2 = 2 \sum_{ij} w_i w_j P_k'(\langle x_i, x_j\rangle) \langle x_i, v_j\rangle

    with many tokens over quadrature nodes as in :func:`harmonic_power`.  ``velocities`` shape=[n, dim] are tangent;
    arguments are checked already.

    >>> power, change = power_change(np.eye(2), np.array([[0.0, 1.0], [1.0, 0.0]]), 1, np.full(2, 0.5))
    >>> power, change  # A_1^2 = (1 + cos a)/2 for two tokens at the angle a, which shrinks at the rate 2
    (array([0.5]), array([1.]))

    Source: derived here, by the derivative of DLMF 18.9(i).
    """
    dim, counts = tokens.shape[1], [harmonic_dimension(k, tokens.shape[1]) for k in range(1, max_degree + 1)]
    points, masses, factors = tokens, weights, np.ones(max_degree)
    few = (2 * max_degree + 1) * (max_degree + 1) ** (dim - 2) < len(tokens)
    if few:
        points, masses = quadrature(dim, 2 * max_degree)
        factors = np.array(counts, dtype=np.float64)
    power, change = np.zeros((2, max_degree))
    rows = max(1, HELD // len(tokens))
    for first in range(0, len(points), rows):
        own, mass = points[first : first + rows], masses[first : first + rows]
        overlap, along = own @ tokens.T, own @ velocities.T
        before, now, slope_before, slope = np.ones_like(overlap), overlap, np.zeros_like(overlap), np.ones_like(overlap)
        for k in range(1, max_degree + 1):
            sums, moved = now @ weights, (slope * along) @ weights
            power[k - 1] += mass @ (sums**2 if few else sums)
            change[k - 1] += 2 * mass @ (sums * moved if few else moved)
            up, down = (2 * k + dim - 2) / (k + dim - 2), k / (k + dim - 2)
            before, now, slope_before, slope = (
                now,
                up * overlap * now - down * before,
                slope,
                up * (now + overlap * slope) - down * slope_before,
            )
    change[power < (ROUNDING**2 if few else ROUNDING)] = 0.0
    power[power < (ROUNDING**2 if few else ROUNDING)] = 0.0
    return factors * power, factors * change


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _profile_rows(start: int, stop: int, points: Array, components: Array, weights: Array, profile: Array) -> None:
    # (k + d - 2) P_{k+1} = (2k + d - 2) t P_k - k P_{k-1}, all tokens of a block at once
    dim, n = components.shape
    overlap, before, now = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    for i in range(start, stop):
        for first in range(0, n, BLOCK):
            size = min(BLOCK, n - first)
            masses = weights[first : first + size]
            overlap[:] = 0.0
            for c in range(dim):
                others, own = components[c, first : first + size], points[i, c]
                for j in range(size):
                    overlap[j] += others[j] * own
            before[:] = 1.0
            write(now, overlap)
            for j in range(size):
                profile[i, 0] += masses[j]
            for k in range(1, profile.shape[1]):
                up, down = (2 * k + dim - 2) / (k + dim - 2), k / (k + dim - 2)
                total = 0.0
                for j in range(size):
                    total += masses[j] * now[j]
                    after = up * overlap[j] * now[j] - down * before[j]
                    before[j] = now[j]
                    now[j] = after
                profile[i, k] += total


@one_at_a_time
@njit(cache=True, parallel=True)
def _profile_rows_parallel(points: Array, components: Array, weights: Array, profile: Array) -> None:
    n = len(points)
    chunks = min(CHUNKS, n)
    for k in prange(chunks):
        _profile_rows(k * n // chunks, (k + 1) * n // chunks, points, components, weights, profile)
