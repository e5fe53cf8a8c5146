"""Sums over tokens in dim 3 through harmonics as polynomials :math:`(x + iy)^m T_p(z)`, which know no poles."""

from functools import lru_cache
from math import sqrt

import numpy as np
from numba import njit, prange

from gegenflow.numerics.fields.compiled.elementary import FAST, write
from gegenflow.numerics.fields.legendre import SphereModes
from gegenflow.numerics.fields.sums import Pair, room_for_sums
from gegenflow.numerics.tokens.compiling import is_worth_threads, one_at_a_time
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.sharing import added_up, total

PARALLEL_FROM = 150_000  # tokens times degrees: below it a parallel region costs more than it saves
BLOCK = 128  # tokens advanced together: their polynomials stay in the first-level cache
CHUNKS = 64  # work items of a parallel region


def direct_sums(
    tokens: Array, weights: Array, modes: SphereModes, out: Pair | None = None, *, normalizer: bool = True
) -> Pair:
    r"""The sums of :func:`sphere_sums` by polynomials in place of harmonics, for low degrees.

    .. math:: Y_{lm} \propto (x + iy)^m \sum_p g_{lmp} T_p(z), \qquad
              A_{mp} = \sum_j w_j (x_j + i y_j)^m T_p(z_j)

    >>> from gegenflow.numerics.fields.legendre import exponential_sphere_modes
    >>> drift, _ = direct_sums(np.eye(3), np.full(3, 1 / 3), exponential_sphere_modes(0.0))
    >>> bool(np.allclose(drift, (1 - np.eye(3)) / 3, atol=1e-15))
    True
    """
    drift, values = room_for_sums(tokens, out)
    tokens = tokens.view()
    tokens.flags.writeable = False  # as those of results are: else all would be compiled once for each kind
    basis = harmonic_polynomials(len(modes.value) - 1)
    parallel = is_worth_threads(len(tokens) * len(modes.value), PARALLEL_FROM)
    moments = added_up((_moments_parallel if parallel else _moments_serial)(tokens, weights, len(basis)))
    amplitudes = np.matmul(basis, moments.transpose(0, 2, 1) * np.array([1.0, -1.0]))
    evaluate = _evaluate_parallel if parallel else _evaluate_serial

    def table(series: Array) -> Array:
        return _with_slopes(np.matmul(basis.transpose(0, 2, 1), series[:, None] * amplitudes))

    if normalizer and modes.slope is None:
        evaluate(tokens, table(modes.value), 0.0, 1.0, drift, values)
        evaluate(tokens, table(modes.potential), 0.0, 1.0, drift, np.empty(len(tokens)))
    else:
        evaluate(
            tokens, table(modes.potential), modes.value[0] * total(weights.sum()), modes.slope or 0.0, drift, values
        )
    return drift, values if normalizer else values[:0]


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


@njit(cache=True, fastmath=FAST)
def _chebyshev(z: Array, table: Array) -> None:
    table[0] = 1.0
    write(table[1], z)
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
        write(real[:size], weights[first : first + size])
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


@one_at_a_time
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


@one_at_a_time
@njit(cache=True, parallel=True)
def _evaluate_parallel(tokens: Array, series: Array, shift: float, slope: float, gradient: Array, value: Array) -> None:
    n = len(value)
    for k in prange(CHUNKS):
        _evaluate(k * n // CHUNKS, (k + 1) * n // CHUNKS, tokens, series, shift, slope, gradient, value)
