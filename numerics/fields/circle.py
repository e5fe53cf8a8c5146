"""The velocity field on the circle through Fourier modes of the kernel: O(n modes) instead of O(n^2).

The coefficients are those of :mod:`gegenflow.numerics.fields.fourier`.  Accuracy is ``tol`` relative to the largest
force that the kernel allows, so exponentially small forces between separated clusters need the dense field.
"""

from __future__ import annotations

from functools import partial
from math import sqrt

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from gegenflow.numerics.fields.compiled.elementary import FAST, sincos, write
from gegenflow.numerics.fields.fourier import CircleModes, circle_modes, exponential_modes
from gegenflow.numerics.fields.sums import Method, Pair, Size, Sums, room_for_sums
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.compiling import is_worth_threads, one_at_a_time
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.sharing import added_up

BLOCK = 256  # tokens advanced together: their powers stay in the first-level cache
FROM, PER_ROOT = 90, 6  # tokens, and per root of beta: measured break-even is 96 (beta .5), 115 (50), 130 to 190 (200)
FROM_KERNEL = 20
PARALLEL_FROM = 60_000  # tokens times modes: below it a parallel region costs more than it saves


class Circle(Method):
    """Fourier modes of the kernel, for tokens on the circle or their angles."""

    name, dims, series = "circle", frozenset({2}), True

    def pays(self, n: int, dim: int, flow: Flow) -> bool:
        """The later the sharper the exponential; a kernel is slow to evaluate, so that its modes are worth it early."""
        return n > (FROM_KERNEL if flow.beta is None else FROM + PER_ROOT * sqrt(abs(flow.beta)))

    def prepare(self, flow: Flow, size: Size, tol: float) -> Sums:
        """The modes of the kernel, to a tolerance."""
        kernel = flow.kernel
        modes = circle_modes(lambda gap: kernel(1 - gap), tol) if kernel else exponential_modes(flow.beta, tol)
        return Sums(partial(circle_sums, modes=modes), modes.error, angles=True)


def circle_sums(
    places: Array, weights: Array, modes: CircleModes, out: Pair | None = None, *, normalizer: bool = True
) -> Pair:
    r"""Drift and normaliser, as :func:`dense_sums` for any kernel on the circle, of tokens or of angles.

    ``places`` are tokens, shape=[n, 2], with a drift of that shape, or angles, shape=[n], of moduli to 1e5, with

    .. math:: \dot\varphi_i = \sum_j w_j\, h(\cos(\varphi_j - \varphi_i)) \sin(\varphi_j - \varphi_i)

    The error is about ``modes.error`` times the largest force.  ``out``, the result of an earlier call, is overwritten
    and spares new memory; without ``normalizer``, which USA does not need, the second array is empty.

    >>> drift, normalizer = circle_sums(np.eye(2), np.array([0.25, 0.75]), exponential_modes(2.0))
    >>> bool(np.allclose(normalizer, [0.25 + 0.75 * np.exp(-2), 0.75 + 0.25 * np.exp(-2)], rtol=1e-12))
    True
    >>> speed, _ = circle_sums(np.array([0.0, 2.5 * np.pi]), np.array([0.25, 0.75]), exponential_modes(2.0))
    >>> bool(np.allclose(speed, np.exp(-2) * np.array([0.75, -0.25]), rtol=1e-12))
    True
    """
    drift, total = room_for_sums(places, out)
    total = total if normalizer else total[:0]
    n, count, planar = len(weights), len(modes.force), places.ndim == 2
    if planar:
        x, y = np.ascontiguousarray(places.T)
        speed = np.empty(n)
    else:
        x, y, speed = np.empty(n), np.empty(n), drift
        _turn(places, x, y)
    moments = _sums(x, y, weights, count - 1).conj()
    if is_worth_threads(n * count, PARALLEL_FROM):
        _evaluate_parallel(x, y, *_series(modes, moments), speed, total)
    else:
        _evaluate(0, n, x, y, *_series(modes, moments), speed, total)
    if planar:
        np.multiply(-y, speed, out=drift[:, 0])
        np.multiply(x, speed, out=drift[:, 1])
    return drift, total


def circle_points(angles: Array) -> Array:
    r"""Tokens on the circle, shape=[n, 2], of angles, shape=[n], of moduli to 1e5.

    .. math:: x_i = (\cos\varphi_i, \sin\varphi_i)

    >>> bool(np.allclose(circle_points(np.array([0.0, np.pi / 3])), [[1, 0], [0.5, 0.75**0.5]], rtol=0, atol=2e-16))
    True

    Source: derived here.
    """
    tokens = np.empty((len(angles), 2))
    _points(angles, tokens)
    return tokens


def fourier_moments(tokens: Array, weights: Array, max_degree: int) -> NDArray[np.complex128]:
    r"""Fourier moments of tokens on the circle, shape=[max_degree + 1].

    .. math:: \mu_m = \sum_j w_j z_j^m, \qquad z_j = x_j + i y_j,\quad m = 0, \dots, K

    >>> fourier_moments(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0.5, 0.5]), 3)
    array([1. +0.j , 0.5+0.5j, 0. +0.j , 0.5-0.5j])
    """
    x, y = np.ascontiguousarray(tokens.T)
    return _sums(x, y, weights, max_degree)


def _sums(x: Array, y: Array, weights: Array, max_degree: int) -> NDArray[np.complex128]:
    if is_worth_threads(len(x) * (max_degree + 1), PARALLEL_FROM):
        sums = _moments_parallel(x, y, weights, max_degree).sum(axis=0)
    else:
        sums = _moments(0, len(x), x, y, weights, max_degree)
    moments: NDArray[np.complex128] = added_up(sums).view(np.complex128)
    return moments


def _series(modes: CircleModes, moments: NDArray[np.complex128]) -> Pair:
    return (modes.force * moments).view(np.float64), (modes.value * moments).view(np.float64)


@njit(cache=True, fastmath={"contract"})
def _points(angles: Array, tokens: Array) -> None:
    for j in range(len(angles)):
        tokens[j, 1], tokens[j, 0] = sincos(angles[j])


@njit(cache=True, fastmath={"contract"})
def _turn(angles: Array, x: Array, y: Array) -> None:
    for j in range(len(angles)):
        y[j], x[j] = sincos(angles[j])


@njit(cache=True, fastmath=FAST)
def _moments(start: int, stop: int, x: Array, y: Array, weights: Array, max_degree: int) -> Array:
    sums = np.zeros(2 * max_degree + 2)
    real, imag = np.empty(BLOCK), np.empty(BLOCK)
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        a, b, w = x[first : first + size], y[first : first + size], weights[first : first + size]
        write(real[:size], w)
        imag[:size] = 0.0
        for m in range(max_degree + 1):
            sum_real, sum_imag = 0.0, 0.0
            for j in range(size):
                sum_real += real[j]
                sum_imag += imag[j]
                turned = real[j] * a[j] - imag[j] * b[j]
                imag[j] = real[j] * b[j] + imag[j] * a[j]
                real[j] = turned
            sums[2 * m] += sum_real
            sums[2 * m + 1] += sum_imag
    return sums


@one_at_a_time
@njit(cache=True, parallel=True)
def _moments_parallel(x: Array, y: Array, weights: Array, max_degree: int) -> Array:
    chunks = (len(x) + 16 * BLOCK - 1) // (16 * BLOCK)
    sums = np.empty((chunks, 2 * max_degree + 2))
    for k in prange(chunks):
        stop = min(len(x), (k + 1) * 16 * BLOCK)
        write(sums[k], _moments(k * 16 * BLOCK, stop, x, y, weights, max_degree))
    return sums


@njit(cache=True, fastmath=FAST)
def _horner(x: Array, y: Array, series: Array, real: Array, imag: Array) -> None:
    # real + i imag = sum_m a_m z^m for complex a_m stored as pairs
    real[:] = 0.0
    imag[:] = 0.0
    for m in range(len(series) // 2 - 1, -1, -1):
        a, b = series[2 * m], series[2 * m + 1]
        for j in range(len(x)):
            turned = real[j] * x[j] - imag[j] * y[j] + a
            imag[j] = real[j] * y[j] + imag[j] * x[j] + b
            real[j] = turned


@njit(cache=True)
def _evaluate(
    start: int, stop: int, x: Array, y: Array, force: Array, value: Array, turn: Array, normalizer: Array
) -> None:
    scratch = np.empty(BLOCK)
    for first in range(start, stop, BLOCK):
        last = min(stop, first + BLOCK)
        rest = scratch[: last - first]
        _horner(x[first:last], y[first:last], force, rest, turn[first:last])
        for j in range(first, last):
            turn[j] = -turn[j]
        if len(normalizer):
            _horner(x[first:last], y[first:last], value, normalizer[first:last], rest)


@one_at_a_time
@njit(cache=True, parallel=True)
def _evaluate_parallel(x: Array, y: Array, force: Array, value: Array, turn: Array, normalizer: Array) -> None:
    chunks = (len(x) + 4 * BLOCK - 1) // (4 * BLOCK)
    for k in prange(chunks):
        stop = min(len(x), (k + 1) * 4 * BLOCK)
        _evaluate(k * 4 * BLOCK, stop, x, y, force, value, turn, normalizer)
