r"""The velocity field in dim 3 through spherical harmonics of the kernel: O(n) for a given degree instead of O(n^2).

The coefficients come from the kernel as a function, by quadrature, and from no formula for them.  Up to a moderate
degree the harmonics are summed directly, as polynomials :math:`(x + iy)^m T_p(z)`, which know no poles; above it the
non-uniform spherical-harmonic transforms of ducc0 take over, whose cost hardly depends on the degree.  Accuracy is
relative to the largest force, so exponentially small forces between separated clusters need the dense field.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import pi, sqrt

import numpy as np
from ducc0 import sht
from numba import njit, prange
from scipy.fft import dct

from gegenflow.numerics.attention import FAST
from gegenflow.numerics.circle import series_length
from gegenflow.numerics.elementary import angle
from gegenflow.numerics.geometry import Array

MOST_DEGREES = 2**12
DIRECT_TO = 40  # degree up to which direct sums are faster than the transforms
PARALLEL_FROM = 30_000  # tokens times degrees: below it a parallel region costs more than it saves
BLOCK = 128  # tokens advanced together: their polynomials stay in the first-level cache
CHUNKS = 64  # work items of a parallel region
ROUNDING = 2e-15  # integrals this far below that of the modulus are noise
FINEST = 2.5e-13  # the smallest error that ducc0 can be asked for


@dataclass(frozen=True, eq=False)
class SphereModes:
    r"""Legendre coefficients of a kernel in dim 3 and of its potential, each shape=[degree + 1].

    .. math:: h(t) = \sum_l c_l P_l(t), \qquad W(t) = \sum_{l \ge 1} W_l P_l(t), \qquad W' = h

    ``value`` holds :math:`c_l`, ``potential`` :math:`W_l` (with :math:`W_0 = 0`), ``tol`` the tolerance they are
    truncated to; ``slope`` is the constant s of :math:`h = c_0 + sW` for the kernels, such as the exponential, that
    have one, otherwise None.
    """

    value: Array
    potential: Array
    tol: float
    slope: float | None


def sphere_modes(kernel: Callable[[Array], Array], tol: float = 1e-13) -> SphereModes:
    r"""Legendre coefficients of a smooth kernel, truncated to a tolerance.

    .. math:: c_l = \frac{2l+1}{2} \int_{-1}^{1} h(t) P_l(t)\,dt, \qquad
              W_l = \frac{c_{l-1}}{2l-1} - \frac{c_{l+1}}{2l+3}

    ``kernel`` maps an array of gaps 1 - t in [0, 2], which keep their digits near t = 1, to an array of the same
    shape.  The number of quadrature nodes doubles until the upper half of the spectrum is negligible; then the
    shortest series is kept whose discarded tail is below ``tol`` times the largest value (of h, and of its force
    :math:`h(t)\sqrt{1-t^2}`).

    >>> modes = sphere_modes(lambda gap: (1 - gap) ** 2)  # t^2 = 1/3 + 2/3 P_2, t^3/3 = P_1/5 + 2/15 P_3
    >>> (modes.value * 3).round(14) + 0.0, (modes.potential * 15).round(14) + 0.0
    (array([1., 0., 2., 0.]), array([0., 3., 0., 2.]))

    Raises ValueError when the kernel is not finite or its spectrum does not decay within 2^12 degrees.  Source: DLMF
    18.9.20 for the recurrence :math:`(2l+1)P_l = (P_{l+1} - P_{l-1})'`, checked in the tests.
    """
    if not 1e-15 <= tol < 1:
        raise ValueError(f"tol is {tol:g}: the tolerance of the Legendre modes must lie in [1e-15, 1)")
    degrees = 16
    while degrees <= 2 * MOST_DEGREES:
        angle = pi * (np.arange(2 * degrees) + 0.5) / (2 * degrees)
        gap = 2 * np.sin(angle / 2) ** 2
        value = np.asarray(kernel(gap), dtype=np.float64)
        if not np.isfinite(value).all():
            raise ValueError("the kernel is not finite on the sphere: scale it, for instance by exp(-beta)")
        count = np.arange(degrees + 2)
        masses = value * _fejer_weights(2 * degrees)
        integrals = _legendre_integrals(gap, masses, degrees + 2)
        integrals[np.abs(integrals) < ROUNDING * np.abs(masses).sum()] = 0.0
        series = (count + 0.5) * integrals
        potential = series[:-2] / (2 * count[1:-1] - 1) - series[2:] / (2 * count[1:-1] + 3)
        potential, series = np.concatenate([[0.0], potential]), series[:-1]
        slopes = count[:-1] * potential  # a bound of the l-th force
        highest = np.abs(value).max(), np.abs(value * np.sin(angle)).max()
        length = max(series_length(series, tol * highest[0]), series_length(slopes, tol * highest[1]), 1)
        if length <= degrees // 2:
            series, potential = series[:length].copy(), potential[:length].copy()
            return SphereModes(series, potential, tol, _slope(series, potential, tol * highest[0]))
        degrees *= 2
    raise ValueError(f"the kernel needs more than {MOST_DEGREES} Legendre modes at tol = {tol:g}")


@lru_cache(maxsize=64)
def exponential_sphere_modes(beta: float, tol: float = 1e-13) -> SphereModes:
    r"""Modes of the attention kernel in units of :math:`e^\beta`, :math:`h(t) = e^{\beta(t-1)}`; remembered.

    >>> exponential_sphere_modes(0.0).potential.round(14) + 0.0  # the potential is t
    array([0., 1.])
    """
    return sphere_modes(lambda gap: np.exp(-beta * gap), tol)


def sphere_sums(tokens: Array, weights: Array, modes: SphereModes) -> tuple[Array, Array]:
    r"""Drift, shape=[n, 3], and normaliser, shape=[n], as :func:`dense_sums` for any smooth kernel in dim 3.

    .. math:: F(x) = \nabla_x \sum_l W_l \sum_j w_j P_l(\langle x, x_j\rangle), \qquad
              Z(x) = \sum_l c_l \sum_j w_j P_l(\langle x, x_j\rangle)

    with the gradient along the sphere; ``tokens`` shape=[n, 3] and ``weights`` shape=[n] are checked already.

    >>> drift, normalizer = sphere_sums(np.eye(3), np.array([0.25, 0.5, 0.25]), exponential_sphere_modes(2.0))
    >>> bool(np.allclose(normalizer, np.array([1, 2, 1]) / 4 + np.array([3, 2, 3]) / 4 * np.exp(-2), rtol=1e-12))
    True
    >>> bool(np.allclose(drift[0], np.array([0, 2, 1]) / 4 * np.exp(-2), rtol=1e-11, atol=1e-14))
    True

    Raises ValueError for ``dim`` other than 3.  Source: derived here (addition theorem, DLMF 14.30.9).
    """
    if tokens.shape[1] != 3:
        raise ValueError(f"dim is {tokens.shape[1]}: the sphere field needs dim 3; attention_field takes any")
    if len(modes.value) <= DIRECT_TO + 1:
        return direct_sums(tokens, weights, modes)
    return transform_sums(tokens, weights, modes)


def transform_sums(tokens: Array, weights: Array, modes: SphereModes) -> tuple[Array, Array]:
    r"""The sums of :func:`sphere_sums` by the transforms of ducc0, for any degree.

    .. math:: \sum_j w_j P_l(\langle x, x_j\rangle) = \frac{4\pi}{2l+1} \sum_{|m| \le l} a_{lm} Y_{lm}(x), \qquad
              a_{lm} = \sum_j w_j \overline{Y_{lm}(x_j)}

    >>> drift, _ = transform_sums(np.eye(3), np.full(3, 1 / 3), exponential_sphere_modes(0.0))
    >>> bool(np.allclose(drift, (1 - np.eye(3)) / 3, atol=1e-12))
    True
    """
    top = max(len(modes.value) - 1, 1)
    places = np.empty((len(tokens), 2))
    _angles(tokens, places)
    common = {"lmax": top, "loc": places, "epsilon": max(modes.tol, FINEST), "nthreads": 2 if len(tokens) > 2000 else 1}
    moments = sht.adjoint_synthesis_general(map=weights[None], spin=0, **common)
    degree = np.concatenate([np.arange(m, top + 1) for m in range(top + 1)])
    scale = np.zeros((2, top + 1))
    scale[:, : len(modes.value)] = modes.value, modes.potential
    scale *= 4 * pi / (2 * np.arange(top + 1) + 1)
    normalizer = sht.synthesis_general(alm=scale[0, degree] * moments, spin=0, **common)[0]
    slopes = sht.synthesis_general(alm=scale[1, degree] * moments, spin=1, mode="DERIV1", **common)
    drift = np.empty_like(tokens)
    _rotate(tokens, slopes, drift)
    return drift, normalizer


def direct_sums(tokens: Array, weights: Array, modes: SphereModes) -> tuple[Array, Array]:
    r"""The sums of :func:`sphere_sums` by polynomials in place of harmonics, for low degrees.

    .. math:: Y_{lm} \propto (x + iy)^m \sum_p g_{lmp} T_p(z), \qquad
              A_{mp} = \sum_j w_j (x_j + i y_j)^m T_p(z_j)

    >>> drift, _ = direct_sums(np.eye(3), np.full(3, 1 / 3), exponential_sphere_modes(0.0))
    >>> bool(np.allclose(drift, (1 - np.eye(3)) / 3, atol=1e-15))
    True
    """
    basis = harmonic_polynomials(len(modes.value) - 1)
    parallel = len(tokens) * len(modes.value) > PARALLEL_FROM
    moments = (_moments_parallel if parallel else _moments_serial)(tokens, weights, len(basis))
    amplitudes = np.matmul(basis, moments.transpose(0, 2, 1) * np.array([1.0, -1.0]))

    drift, normalizer = np.empty_like(tokens), np.empty(len(tokens))
    evaluate = _evaluate_parallel if parallel else _evaluate_serial

    def table(series: Array) -> Array:
        return _with_slopes(np.matmul(basis.transpose(0, 2, 1), series[:, None] * amplitudes))

    if modes.slope is None:
        evaluate(tokens, table(modes.value), 0.0, 1.0, drift, normalizer)
        evaluate(tokens, table(modes.potential), 0.0, 1.0, drift, np.empty(len(tokens)))
    else:
        constant = modes.value[0] * weights.sum()
        evaluate(tokens, table(modes.potential), constant, modes.slope, drift, normalizer)
    return drift, normalizer


@lru_cache(maxsize=8)
def harmonic_polynomials(degree: int) -> Array:
    r"""Chebyshev coefficients of the harmonics without their :math:`(x + iy)^m`, shape=[m, l, p], up to a degree.

    .. math:: P_l(\langle x, x'\rangle) = \sum_m \operatorname{Re}(\zeta^m \overline{\zeta'^m}) q_{lm}(z) q_{lm}(z'),
              \qquad q_{lm} = \sum_p g_{lmp} T_p, \qquad
              q_{l+1,m} = \frac{(2l+1) z q_{lm} - \sqrt{l^2 - m^2}\,q_{l-1,m}}{\sqrt{(l+1)^2 - m^2}}

    with :math:`\zeta = x + iy`; all axes have degree + 1 entries, those with m > l or p > l - m are zero.

    >>> harmonic_polynomials(2)[0, 2] * 4  # P_2 = (3 z^2 - 1)/2 = 1/4 + 3/4 T_2
    array([1., 0., 3.])
    """
    size = degree + 1
    table = np.zeros((size, size, size))
    first = 1.0
    for m in range(size):
        first *= sqrt((2 * m - 1) / (2 * m)) if m else 1.0
        table[m, m, 0] = first * sqrt(2) if m else first
        for k in range(m, degree):
            now = table[m, k]
            shifted = np.concatenate([[0.0, now[0]], now[1:-1] / 2])[:size]  # z T_p = (T_{p-1} + T_{p+1})/2
            shifted[:-1] += now[1:] / 2
            before = sqrt(k * k - m * m) * table[m, k - 1] if k > m else 0.0
            table[m, k + 1] = ((2 * k + 1) * shifted - before) / sqrt((k + 1) ** 2 - m * m)
    return table


def _fejer_weights(points: int) -> Array:
    even = np.zeros(points)
    even[::2] = 2 / (1 - np.arange(0, points, 2) ** 2)  # the integrals of T_p
    weights: Array = dct(even, type=3) / points
    return weights


def _slope(value: Array, potential: Array, bound: float) -> float | None:
    power = float(potential @ potential)
    slope = float(value[1:] @ potential[1:]) / power if power > 0 else 0.0
    return slope if np.abs(value - slope * potential)[1:].sum() <= bound else None


def _with_slopes(table: Array) -> Array:
    # shape=[m, 4, p]: real and imaginary part, then those of the derivative in z, p padded to a multiple of 4
    size = len(table)
    padded = np.zeros((size, 4, size + -size % 4))
    padded[:, :2, :size] = table.transpose(0, 2, 1)
    after = np.zeros((2, size, 2))  # c'_{p-1} = c'_{p+1} + 2 p c_p
    for p in range(size - 1, 0, -1):
        after[p % 2] += 2 * p * table[:, p]
        padded[:, 2:, p - 1] = after[p % 2] / (2 if p == 1 else 1)
    return padded


@njit(cache=True)
def _legendre_integrals(gap: Array, masses: Array, count: int) -> Array:
    # (l+1)(P_{l+1} - P_l) = l (P_l - P_{l-1}) - (2l+1)(1-t) P_l keeps the digits near t = 1
    sums = np.zeros(count)
    now, step = np.ones_like(gap), np.zeros_like(gap)
    for k in range(count):
        sums[k] = masses @ now
        step = (k * step - (2 * k + 1) * gap * now) / (k + 1)
        now = now + step
    return sums


@njit(cache=True)
def _radius(x: float, y: float) -> float:
    # 0 so near a pole that the squares would lose digits
    square = x * x + y * y
    return sqrt(square) if square > 1e-280 else 0.0


@njit(cache=True, parallel=True, error_model="numpy")
def _angles(tokens: Array, places: Array) -> None:
    n = len(tokens)
    for k in prange(CHUNKS):
        part, place = tokens[k * n // CHUNKS : (k + 1) * n // CHUNKS], places[k * n // CHUNKS : (k + 1) * n // CHUNKS]
        for j in range(len(part)):
            x, y, z = part[j, 0], part[j, 1], part[j, 2]
            radius = _radius(x, y)
            place[j, 0] = angle(radius, z)
            longitude = angle(y, x) if radius > 0 else 0.0
            place[j, 1] = longitude if longitude >= 0 else 2 * pi + longitude


@njit(cache=True, parallel=True, error_model="numpy")
def _rotate(tokens: Array, slopes: Array, drift: Array) -> None:
    # at the poles the frame (e_theta, e_phi) is the one of longitude 0, as in _angles
    n = len(tokens)
    for k in prange(CHUNKS):
        first = k * n // CHUNKS
        part, pull = tokens[first : (k + 1) * n // CHUNKS], drift[first : (k + 1) * n // CHUNKS]
        south, east = slopes[0, first:], slopes[1, first:]
        for j in range(len(part)):
            x, y, z = part[j, 0], part[j, 1], part[j, 2]
            radius = _radius(x, y)
            cosine, sine = (x / radius, y / radius) if radius > 0 else (1.0, 0.0)
            pull[j, 0] = south[j] * z * cosine - east[j] * sine
            pull[j, 1] = south[j] * z * sine + east[j] * cosine
            pull[j, 2] = -south[j] * radius


@njit(cache=True, fastmath=FAST)
def _chebyshev(z: Array, table: Array) -> None:
    table[0] = 1.0
    table[1] = z
    for p in range(2, len(table)):
        for j in range(BLOCK):
            table[p, j] = 2 * z[j] * table[p - 1, j] - table[p - 2, j]


@njit(cache=True, fastmath=FAST)
def _moments(start: int, stop: int, tokens: Array, weights: Array, count: int, sums: Array) -> None:
    # sums, shape=[m, 2, p padded to a multiple of 4], p < count - m
    real, imag, table = np.empty(BLOCK), np.empty(BLOCK), np.empty((sums.shape[2], BLOCK))
    x, y, z = np.zeros((3, BLOCK))
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        for j in range(size):
            x[j], y[j], z[j] = tokens[first + j]
        _chebyshev(z, table)
        real[:size] = weights[first : first + size]
        imag[:size] = 0.0
        for m in range(count):
            for p in range(0, count - m, 4):
                a0, a1, a2, a3, b0, b1, b2, b3 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
                for j in range(size):
                    a0 += real[j] * table[p, j]
                    a1 += real[j] * table[p + 1, j]
                    a2 += real[j] * table[p + 2, j]
                    a3 += real[j] * table[p + 3, j]
                    b0 += imag[j] * table[p, j]
                    b1 += imag[j] * table[p + 1, j]
                    b2 += imag[j] * table[p + 2, j]
                    b3 += imag[j] * table[p + 3, j]
                sums[m, 0, p] += a0
                sums[m, 0, p + 1] += a1
                sums[m, 0, p + 2] += a2
                sums[m, 0, p + 3] += a3
                sums[m, 1, p] += b0
                sums[m, 1, p + 1] += b1
                sums[m, 1, p + 2] += b2
                sums[m, 1, p + 3] += b3
            for j in range(size):
                turned = real[j] * x[j] - imag[j] * y[j]
                imag[j] = real[j] * y[j] + imag[j] * x[j]
                real[j] = turned


@njit(cache=True)
def _moments_serial(tokens: Array, weights: Array, count: int) -> Array:
    sums = np.zeros((count, 2, count + -count % 4))
    _moments(0, len(weights), tokens, weights, count, sums)
    return sums[:, :, :count]


@njit(cache=True, parallel=True)
def _moments_parallel(tokens: Array, weights: Array, count: int) -> Array:
    n = len(weights)
    sums = np.zeros((CHUNKS, count, 2, count + -count % 4))
    for k in prange(CHUNKS):
        _moments(k * n // CHUNKS, (k + 1) * n // CHUNKS, tokens, weights, count, sums[k])
    total: Array = sums.sum(axis=0)[:, :, :count]
    return total


@njit(cache=True, fastmath=FAST)
def _evaluate(
    start: int, stop: int, tokens: Array, series: Array, shift: float, slope: float, gradient: Array, value: Array
) -> None:
    # Horner in zeta: V = sum_m zeta^m U_m, D = dV/dzeta, E = dV/dz, with U_m and its slope by Chebyshev sums
    count = len(series)
    x, y, z = np.zeros((3, BLOCK))
    table, inner, outer = np.empty((series.shape[2], BLOCK)), np.empty((4, BLOCK)), np.empty((6, BLOCK))
    ur, ui, sr, si = inner
    vr, vi, dr, di, er, ei = outer
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        for j in range(size):
            x[j], y[j], z[j] = tokens[first + j]
        _chebyshev(z, table)
        outer[:] = 0.0
        for m in range(count - 1, -1, -1):
            inner[:] = 0.0
            for p in range(0, count - m, 4):
                a0, a1, a2, a3 = series[m, 0, p], series[m, 0, p + 1], series[m, 0, p + 2], series[m, 0, p + 3]
                b0, b1, b2, b3 = series[m, 1, p], series[m, 1, p + 1], series[m, 1, p + 2], series[m, 1, p + 3]
                c0, c1, c2, c3 = series[m, 2, p], series[m, 2, p + 1], series[m, 2, p + 2], series[m, 2, p + 3]
                d0, d1, d2, d3 = series[m, 3, p], series[m, 3, p + 1], series[m, 3, p + 2], series[m, 3, p + 3]
                for j in range(size):
                    t0, t1, t2, t3 = table[p, j], table[p + 1, j], table[p + 2, j], table[p + 3, j]
                    ur[j] += a0 * t0 + a1 * t1 + a2 * t2 + a3 * t3
                    ui[j] += b0 * t0 + b1 * t1 + b2 * t2 + b3 * t3
                    sr[j] += c0 * t0 + c1 * t1 + c2 * t2 + c3 * t3
                    si[j] += d0 * t0 + d1 * t1 + d2 * t2 + d3 * t3
            for j in range(size):
                turned = dr[j] * x[j] - di[j] * y[j] + vr[j]
                di[j] = dr[j] * y[j] + di[j] * x[j] + vi[j]
                dr[j] = turned
                turned = vr[j] * x[j] - vi[j] * y[j] + ur[j]
                vi[j] = vr[j] * y[j] + vi[j] * x[j] + ui[j]
                vr[j] = turned
                turned = er[j] * x[j] - ei[j] * y[j] + sr[j]
                ei[j] = er[j] * y[j] + ei[j] * x[j] + si[j]
                er[j] = turned
        for j in range(size):
            radial = dr[j] * x[j] - di[j] * y[j] + er[j] * z[j]
            value[first + j] = shift + slope * vr[j]
            gradient[first + j, 0] = dr[j] - radial * x[j]
            gradient[first + j, 1] = -di[j] - radial * y[j]
            gradient[first + j, 2] = er[j] - radial * z[j]


@njit(cache=True)
def _evaluate_serial(tokens: Array, series: Array, shift: float, slope: float, gradient: Array, value: Array) -> None:
    _evaluate(0, len(value), tokens, series, shift, slope, gradient, value)


@njit(cache=True, parallel=True)
def _evaluate_parallel(tokens: Array, series: Array, shift: float, slope: float, gradient: Array, value: Array) -> None:
    n = len(value)
    for k in prange(CHUNKS):
        _evaluate(k * n // CHUNKS, (k + 1) * n // CHUNKS, tokens, series, shift, slope, gradient, value)
