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
from numpy.typing import NDArray

from gegenflow.numerics.elementary import sincos
from gegenflow.numerics.geometry import Array
from gegenflow.numerics.pairs import FAST

MOST_MODES = 2**20
ROUNDING = 4e-16  # coefficients this far below the mean of the modulus are noise
BLOCK = 256  # tokens advanced together: their powers stay in the first-level cache
PARALLEL_FROM = 60_000  # tokens times modes: below it a parallel region costs more than it saves


@dataclass(frozen=True, eq=False)
class CircleModes:
    r"""Fourier coefficients of a kernel on the circle and of its force, each shape=[modes + 1].

    .. math:: h(\cos\varphi) = \sum_{m \ge 0} c_m \cos m\varphi, \qquad
              h(\cos\varphi)\sin\varphi = \sum_{m \ge 1} s_m \sin m\varphi

    ``value`` holds :math:`c_m`, ``force`` holds :math:`s_m` (with :math:`s_0 = 0`); ``error`` estimates what drift and
    normaliser can be off by, relative to the largest force and the largest value of the kernel, rounding included.
    """

    value: Array
    force: Array
    error: float


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

    Raises ValueError when the kernel is zero or not finite, and when its spectrum does not decay within 2^20 modes,
    within milliseconds for a kernel with a kink or a jump.
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
        for series in (cosines, sines):
            series[np.abs(series) < ROUNDING * np.abs(value).mean()] = 0.0
        largest = np.array([np.abs(value).max(), np.abs(force).max()])
        if largest[0] == 0:
            raise ValueError("the kernel is zero on the whole circle: it has no scale to be accurate to")
        count = max(series_length(cosines, tol * largest[0]), series_length(sines, tol * largest[1]))
        if count <= points // 4:
            sizes = np.abs([cosines, sines]) / largest[:, None]
            error = sizes[:, count:].sum(axis=1) + rounding(sizes[:, :count])
            return CircleModes(cosines[:count].copy(), sines[:count].copy(), float(error.max()))
        if never_decays(cosines, tol * largest[0], MOST_MODES):
            break
        points *= 2
    raise ValueError(
        f"the kernel needs more than {MOST_MODES} Fourier modes at tol = {tol:g}: it is too sharp or not smooth"
    )


@lru_cache(maxsize=64)
def exponential_modes(beta: float, tol: float = 1e-13) -> CircleModes:
    r"""Modes of the attention kernel in units of :math:`e^\beta`, :math:`h(t) = e^{\beta(t-1)}`; remembered.

    >>> exponential_modes(0.0).force.round(14) + 0.0  # the force is sin phi: Kuramoto
    array([0., 1.])
    """
    return circle_modes(lambda gap: np.exp(-beta * gap), tol)


def circle_sums(
    tokens: Array,
    weights: Array,
    modes: CircleModes,
    out: tuple[Array, Array] | None = None,
    *,
    normalizer: bool = True,
) -> tuple[Array, Array]:
    r"""Drift, shape=[n, 2], and normaliser, shape=[n], as :func:`dense_sums` for any kernel on the circle.

    The error is about ``modes.error`` times the largest force.  ``out``, the result of an earlier call, is overwritten
    and spares new memory; without ``normalizer``, which USA does not need, the second array is empty.

    >>> drift, normalizer = circle_sums(np.eye(2), np.array([0.25, 0.75]), exponential_modes(2.0))
    >>> bool(np.allclose(normalizer, [0.25 + 0.75 * np.exp(-2), 0.75 + 0.25 * np.exp(-2)], rtol=1e-12))
    True
    """
    drift, total = room_for_sums(tokens, out)
    x, y = np.ascontiguousarray(tokens.T)
    speed = np.empty(len(weights))
    total = total if normalizer else total[:0]
    _sums(x, y, weights, modes, speed, total)
    np.multiply(-y, speed, out=drift[:, 0])
    np.multiply(x, speed, out=drift[:, 1])
    return drift, total


def circle_angle_sums(
    angles: Array,
    weights: Array,
    modes: CircleModes,
    out: tuple[Array, Array] | None = None,
    *,
    normalizer: bool = True,
) -> tuple[Array, Array]:
    r"""Angular speed and normaliser, each shape=[n], of tokens given by their angles, shape=[n], of moduli to 1e5.

    .. math:: \dot\varphi_i = \sum_j w_j\, h(\cos(\varphi_j - \varphi_i)) \sin(\varphi_j - \varphi_i)

    ``out`` and ``normalizer`` as for :func:`circle_sums`.

    >>> speed, _ = circle_angle_sums(np.array([0.0, 2.5 * np.pi]), np.array([0.25, 0.75]), exponential_modes(2.0))
    >>> bool(np.allclose(speed, np.exp(-2) * np.array([0.75, -0.25]), rtol=1e-12))
    True
    """
    speed, total = room_for_sums(angles, out)
    total = total if normalizer else total[:0]
    x, y = np.empty(len(weights)), np.empty(len(weights))
    _turn(angles, x, y)
    _sums(x, y, weights, modes, speed, total)
    return speed, total


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


def room_for_sums(places: Array, out: tuple[Array, Array] | None) -> tuple[Array, Array]:
    """Arrays for the drift and the normaliser of tokens, those of ``out`` as far as it has them.

    >>> [part.shape for part in room_for_sums(np.eye(2), (np.empty((2, 2)), np.empty(0)))]
    [(2, 2), (2,)]
    """
    drift, normalizer = out or (np.empty(places.shape), np.empty(len(places)))
    return drift, normalizer if len(normalizer) == len(places) else np.empty(len(places))


def rounding(sizes: Array) -> Array:
    r"""What rounding adds to series with coefficients of given sizes, shape=[..., modes + 1], in the same unit.

    .. math:: \varepsilon \sum_m (1 + m) |c_m|, \qquad \varepsilon = 2^{-52}

    about the change of the series when its argument changes by a rounding.

    >>> rounding(np.array([1.0, 0.5])) * 2**52
    np.float64(2.0)
    """
    total: Array = np.finfo(np.float64).eps * (sizes @ np.arange(1.0, sizes.shape[-1] + 1))
    return total


def never_decays(coefficients: Array, bound: float, most: int) -> bool:
    r"""Whether coefficients, shape=[2^k + 1] of at least 2^10, fall so slowly that the tail beyond ``most`` matters.

    The largest in each octave falls faster and faster for a smooth function, by a steady factor :math:`2^p` for one
    with a kink or a jump, whose tail beyond M is about :math:`M^{1-p}`, and hardly for noise, which must then be small.

    >>> m = np.arange(1.0, 4098.0)
    >>> never_decays(m**-2, 1e-12, 2**20), never_decays(m**-5, 1e-12, 2**20), never_decays(0.99**m, 1e-50, 2**20)
    (True, False, False)

    Source: derived here.
    """
    quarter = len(coefficients) // 4
    if quarter < 256:
        return False
    size = np.abs(coefficients)
    octaves = [size[quarter // k : 2 * quarter // k].max() for k in (4, 2, 1)]  # aliases fill the one above
    if min(octaves) == 0 or octaves[2] > 0.1 * size.max():
        return False
    before, now = np.log2(octaves[0] / octaves[1]), np.log2(octaves[1] / octaves[2])
    if now > 1.1 * before + 0.2:
        return False
    if now < 0.5:
        return bool(octaves[2] * quarter > 100 * bound)
    tail = octaves[2] * quarter * (quarter / most) ** (now - 1) / max(now - 1, 0.1)
    return bool(tail > bound)


def _sums(x: Array, y: Array, weights: Array, modes: CircleModes, speed: Array, normalizer: Array) -> None:
    n, count = len(weights), len(modes.force)
    if n * count < PARALLEL_FROM:
        moments = _moments(0, n, x, y, weights, count - 1).view(np.complex128).conj()
        _evaluate(0, n, x, y, *_series(modes, moments), speed, normalizer)
    else:
        moments = _moments_parallel(x, y, weights, count - 1).view(np.complex128).conj()
        _evaluate_parallel(x, y, *_series(modes, moments), speed, normalizer)


def _series(modes: CircleModes, moments: NDArray[np.complex128]) -> tuple[Array, Array]:
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
        if len(normalizer):
            _horner(x[first:last], y[first:last], value, normalizer[first:last], rest)


@njit(cache=True, parallel=True)
def _evaluate_parallel(x: Array, y: Array, force: Array, value: Array, turn: Array, normalizer: Array) -> None:
    chunks = (len(x) + 4 * BLOCK - 1) // (4 * BLOCK)
    for k in prange(chunks):
        stop = min(len(x), (k + 1) * 4 * BLOCK)
        _evaluate(k * 4 * BLOCK, stop, x, y, force, value, turn, normalizer)
