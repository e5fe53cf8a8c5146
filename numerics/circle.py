"""The velocity field on the circle through Fourier modes of the kernel: O(n modes) instead of O(n^2).

The coefficients come from the kernel as a function, by a discrete Fourier transform, and from no formula for
them.  Accuracy is ``tol`` relative to the largest force that the kernel allows, so exponentially small forces
between separated clusters need the dense field.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit, prange
from numpy.typing import ArrayLike, NDArray

from gegenflow.numerics.attention import FAST, check_model, velocity
from gegenflow.numerics.geometry import Array, check_tokens, check_weights

MOST_MODES = 2**20
BLOCK = 256  # tokens advanced together: their powers stay in the first-level cache
PARALLEL_FROM = 60_000  # tokens times modes: below it a parallel region costs more than it saves


@dataclass(frozen=True, eq=False)
class CircleModes:
    r"""Fourier coefficients of a kernel on the circle and of its force, each shape=[modes + 1].

    .. math:: h(\cos\varphi) = \sum_{m \ge 0} c_m \cos m\varphi, \qquad
              h(\cos\varphi)\sin\varphi = \sum_{m \ge 1} s_m \sin m\varphi

    ``value`` holds :math:`c_m`, ``force`` holds :math:`s_m` (with :math:`s_0 = 0`).
    """

    value: Array
    force: Array


def circle_modes(kernel: Callable[[Array], Array], tol: float = 1e-13) -> CircleModes:
    r"""Fourier coefficients of a kernel, truncated to a tolerance.

    .. math:: h(\cos\varphi) = \text{kernel}(1 - \cos\varphi), \qquad 1 - \cos\varphi = 2\sin^2(\varphi/2)

    A sharp kernel needs the gap 1 - t in [0, 2] rather than t, which has lost its digits near t = 1;
    ``kernel`` maps an array of gaps to an array of the same shape.

    The number of sample points doubles until the upper half of the spectrum is negligible; then the shortest
    series is kept whose discarded tail is below ``tol`` times the largest value (of h, and of its force).

    >>> modes = circle_modes(lambda gap: (1 - gap) ** 2)  # cos^2 and cos^2 sin = (sin phi + sin 3phi)/4
    >>> modes.value.round(14) + 0.0, modes.force.round(14) + 0.0
    (array([0.5, 0. , 0.5, 0. ]), array([0.  , 0.25, 0.  , 0.25]))

    Raises ValueError when the kernel is not finite or its spectrum does not decay within 2^20 modes.
    """
    if not 1e-15 <= tol < 1:
        raise ValueError(f"tol is {tol:g}: the tolerance of the Fourier modes must lie in [1e-15, 1)")
    points = 32
    while points <= 2 * MOST_MODES:
        angle = 2 * np.pi * np.arange(points) / points
        value = np.asarray(kernel(2 * np.sin(angle / 2) ** 2), dtype=np.float64)
        if not np.isfinite(value).all():
            raise ValueError("the kernel is not finite on the circle: scale it, for instance by exp(-beta)")
        force = value * np.sin(angle)
        cosines = np.fft.rfft(value).real * (2 / points)
        sines = -np.fft.rfft(force).imag * (2 / points)
        cosines[0] /= 2
        count = max(series_length(cosines, tol * np.abs(value).max()), series_length(sines, tol * np.abs(force).max()))
        if count <= points // 4:
            return CircleModes(cosines[:count].copy(), sines[:count].copy())
        points *= 2
    raise ValueError(f"the kernel needs more than {MOST_MODES} Fourier modes at tol = {tol:g}")


@lru_cache(maxsize=64)
def exponential_modes(beta: float, tol: float = 1e-13) -> CircleModes:
    r"""Modes of the attention kernel in units of :math:`e^\beta`, :math:`h(t) = e^{\beta(t-1)}`; remembered.

    >>> exponential_modes(0.0).force.round(14) + 0.0  # the force is sin phi: Kuramoto
    array([0., 1.])
    """
    return circle_modes(lambda gap: np.exp(-beta * gap), tol)


def circle_field(
    tokens: ArrayLike,
    beta: float,
    *,
    model: str = "usa",
    weights: ArrayLike | None = None,
    tol: float = 1e-13,
) -> Array:
    r"""Velocity of tokens on the circle through the Fourier modes of the kernel, shape=[n, 2].

    .. math:: \dot\theta_i = -\sum_{m \ge 1} s_m \operatorname{Im}(z_i^m \overline{\mu_m}), \qquad
              \mu_m = \sum_j w_j z_j^m,\quad z = x + iy,\quad \dot x_i = \dot\theta_i\,(-y_i, x_i)

    with :math:`s_m` the force coefficients of :class:`CircleModes`; arguments, scaling and result as those of
    :func:`attention_field`, with error at most about ``tol`` times the largest force.

    >>> half = np.sqrt(0.5)  # pull of the second token: e^(beta cos) sin / 2 at an angle of 45 degrees
    >>> field = circle_field([[1.0, 0.0], [half, half]], beta=3.0)
    >>> bool(np.isclose(field[0, 1], np.exp(3 * half) * half / 2, rtol=1e-11))
    True

    Raises ValueError as :func:`attention_field` does, and for ``dim`` other than 2.  Source: derived here.
    """
    check_model(beta, model)
    tokens = check_tokens(tokens)
    if tokens.shape[1] != 2:
        raise ValueError(f"dim is {tokens.shape[1]}: the circle field needs dim 2; attention_field takes any")
    modes = exponential_modes(float(beta), tol)
    drift, normalizer = circle_sums(tokens, check_weights(weights, len(tokens)), modes)
    return velocity(drift, normalizer, beta, model)


def circle_sums(tokens: Array, weights: Array, modes: CircleModes) -> tuple[Array, Array]:
    r"""Drift, shape=[n, 2], and normaliser, shape=[n], as :func:`dense_sums` for any kernel on the circle.

    >>> drift, normalizer = circle_sums(np.eye(2), np.array([0.25, 0.75]), exponential_modes(2.0))
    >>> bool(np.allclose(normalizer, [0.25 + 0.75 * np.exp(-2), 0.75 + 0.25 * np.exp(-2)], rtol=1e-12))
    True
    """
    moments = fourier_moments(tokens, weights, len(modes.force) - 1).conj()
    x, y = np.ascontiguousarray(tokens.T)
    turn, normalizer = np.empty(len(x)), np.empty(len(x))
    series = (modes.force * moments).view(np.float64), (modes.value * moments).view(np.float64)
    if len(x) * len(moments) < PARALLEL_FROM:
        _evaluate(0, len(x), x, y, *series, turn, normalizer)
    else:
        _evaluate_parallel(x, y, *series, turn, normalizer)
    return np.column_stack([-y * turn, x * turn]), normalizer


def fourier_moments(tokens: Array, weights: Array, max_degree: int) -> NDArray[np.complex128]:
    r"""Fourier moments of tokens on the circle, shape=[max_degree + 1].

    .. math:: \mu_m = \sum_j w_j z_j^m, \qquad z_j = x_j + i y_j,\quad m = 0, \dots, K

    >>> fourier_moments(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0.5, 0.5]), 3)
    array([1. +0.j , 0.5+0.5j, 0. +0.j , 0.5-0.5j])
    """
    x, y = np.ascontiguousarray(tokens.T)
    if len(x) * (max_degree + 1) < PARALLEL_FROM:
        return _moments(0, len(x), x, y, weights, max_degree).view(np.complex128)
    return _moments_parallel(x, y, weights, max_degree).view(np.complex128)


def series_length(coefficients: Array, bound: float) -> int:
    """How many coefficients to keep so that the moduli of the rest add up to no more than a bound.

    >>> series_length(np.array([1.0, -0.5, 0.25, 0.125]), 0.4)
    2
    """
    tail = np.cumsum(np.abs(coefficients[::-1]))[::-1]
    return int(np.count_nonzero(tail > bound))


@njit(cache=True, fastmath=FAST)
def _moments(start: int, stop: int, x: Array, y: Array, weights: Array, max_degree: int) -> Array:
    sums = np.zeros(2 * max_degree + 2)
    real, imag = np.empty(BLOCK), np.empty(BLOCK)
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        a, b, w = x[first : first + size], y[first : first + size], weights[first : first + size]
        real[:size] = w
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


@njit(cache=True, parallel=True)
def _moments_parallel(x: Array, y: Array, weights: Array, max_degree: int) -> Array:
    chunks = (len(x) + 16 * BLOCK - 1) // (16 * BLOCK)
    sums = np.empty((chunks, 2 * max_degree + 2))
    for k in prange(chunks):
        stop = min(len(x), (k + 1) * 16 * BLOCK)
        sums[k] = _moments(k * 16 * BLOCK, stop, x, y, weights, max_degree)
    total: Array = sums.sum(axis=0)
    return total


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
        turn[first:last] *= -1.0
        _horner(x[first:last], y[first:last], value, normalizer[first:last], rest)


@njit(cache=True, parallel=True)
def _evaluate_parallel(x: Array, y: Array, force: Array, value: Array, turn: Array, normalizer: Array) -> None:
    chunks = (len(x) + 4 * BLOCK - 1) // (4 * BLOCK)
    for k in prange(chunks):
        stop = min(len(x), (k + 1) * 4 * BLOCK)
        _evaluate(k * 4 * BLOCK, stop, x, y, force, value, turn, normalizer)
