"""Legendre coefficients of kernels in dim 3.

They come from the kernel as a function, by quadrature, and from no formula for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import pi

import numpy as np
from numba import njit
from numpy.polynomial.legendre import legval
from scipy.fft import dct

from gegenflow.numerics.fields.fourier import never_decays, rounding, series_length
from gegenflow.numerics.fields.sums import NotSmooth
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused

CHECKED = 4001  # points, even in the angle, at which a series is compared with its kernel
MOST_DEGREES = 2**12
DIRECT_TO = 22  # degree up to which direct sums are faster than the transforms, from 1000 to a million tokens
FINEST_EPSILON = 2.5e-13  # of the norm; ducc0 takes 1e-14, but is slower then, and at degree 500 no more exact
ROUNDING = 2e-15  # integrals this far below that of the modulus are noise


@dataclass(frozen=True, eq=False)
class SphereModes:
    r"""Legendre coefficients of a kernel in dim 3 and of its potential, each shape=[degree + 1].

    .. math:: h(t) = \sum_l c_l P_l(t), \qquad W(t) = \sum_{l \ge 1} W_l P_l(t), \qquad W' = h

    ``value`` holds :math:`c_l`, ``potential`` :math:`W_l` (with :math:`W_0 = 0`), ``tol`` the tolerance they are
    truncated to; ``slope`` is the constant s of :math:`h = c_0 + sW` for the kernels, such as the exponential, that
    have one, otherwise None; ``error`` estimates what drift and normaliser can be off by, relative to the largest force
    and the largest value of the kernel, rounding and the transforms included.
    """

    value: Array
    potential: Array
    tol: float
    slope: float | None
    error: float


def sphere_modes(kernel: Callable[[Array], Array], tol: float = 1e-13) -> SphereModes:
    r"""Legendre coefficients of a smooth kernel, truncated to a tolerance.

    .. math:: c_l = \frac{2l+1}{2} \int_{-1}^{1} h(t) P_l(t)\,dt, \qquad
              W_l = \frac{c_{l-1}}{2l-1} - \frac{c_{l+1}}{2l+3}

    ``kernel`` maps an array of gaps 1 - t in [0, 2], which keep their digits near t = 1, to an array of the same
    shape.  The number of quadrature nodes doubles until the upper half of the spectrum is negligible; then the
    shortest series is kept whose discarded tail is below ``tol`` times the largest value (of h, and of its force
    :math:`h(t)\sqrt{1-t^2}`).  Features narrower than 0.002 may fall between the 4001
    points at which the series is compared with its kernel.

    >>> modes = sphere_modes(lambda gap: (1 - gap) ** 2)  # t^2 = 1/3 + 2/3 P_2, t^3/3 = P_1/5 + 2/15 P_3
    >>> (modes.value * 3).round(14) + 0.0, (modes.potential * 15).round(14) + 0.0
    (array([1., 0., 2., 0.]), array([0., 3., 0., 2.]))

    Raises NotSmooth when the kernel is zero or not finite, and when its spectrum does not decay within 2^12 degrees,
    within milliseconds for a kernel with a kink or a jump.  Source: DLMF
    18.9.20 for the recurrence :math:`(2l+1)P_l = (P_{l+1} - P_{l-1})'`, checked in the tests.
    """
    if not 1e-15 <= tol < 1:
        raise Refused("tol", tol, "the tolerance of the Legendre modes must lie in [1e-15, 1)")
    degrees = 16
    while degrees <= 2 * MOST_DEGREES:
        angle = pi * (np.arange(2 * degrees) + 0.5) / (2 * degrees)
        gap = 2 * np.sin(angle / 2) ** 2
        value = np.asarray(kernel(gap), dtype=np.float64)
        if not np.isfinite(value).all():
            raise NotSmooth("the kernel is not finite on the sphere: scale it, for instance by exp(-beta)")
        count = np.arange(degrees + 2)
        masses = value * _fejer_weights(2 * degrees)
        integrals = _legendre_integrals(gap, masses, degrees + 2)
        integrals[np.abs(integrals) < ROUNDING * np.abs(masses).sum()] = 0.0
        series = (count + 0.5) * integrals
        potential = series[:-2] / (2 * count[1:-1] - 1) - series[2:] / (2 * count[1:-1] + 3)
        potential, series = np.concatenate([[0.0], potential]), series[:-1]
        slopes = count[:-1] * potential  # a bound of the l-th force
        highest = np.array([np.abs(value).max(), np.abs(value * np.sin(angle)).max()])
        if highest[0] == 0:
            raise NotSmooth(f"the kernel is zero at all {2 * degrees} nodes: it has no scale to be accurate to")
        length = max(series_length(series, tol * highest[0]), series_length(slopes, tol * highest[1]), 1)
        if length <= degrees // 2 and _agrees(kernel, series[:length], tol * highest[0]):
            sizes = np.abs([series, slopes]) / highest[:, None]
            error = float((sizes[:, length:].sum(axis=1) + rounding(sizes[:, :length])).max())
            error += max(tol, FINEST_EPSILON) if length > DIRECT_TO + 1 else 0.0
            series, potential = series[:length].copy(), potential[:length].copy()
            return SphereModes(series, potential, tol, _slope(series, potential, tol * highest[0]), error)
        if never_decays(series, tol * highest[0], MOST_DEGREES):
            break
        degrees *= 2
    raise NotSmooth(
        f"the kernel needs more than {MOST_DEGREES} Legendre modes at tol = {tol:g}: it is too sharp or not smooth"
    )


@lru_cache(maxsize=64)
def exponential_sphere_modes(beta: float, tol: float = 1e-13) -> SphereModes:
    r"""Modes of the attention kernel in units of :math:`e^\beta`, :math:`h(t) = e^{\beta(t-1)}`; remembered.

    >>> exponential_sphere_modes(0.0).potential.round(14) + 0.0  # the potential is t
    array([0., 1.])
    """
    return sphere_modes(lambda gap: np.exp(-beta * gap), tol)


def _agrees(kernel: Callable[[Array], Array], series: Array, bound: float) -> bool:
    # between the nodes that the series was made from, so that no narrow feature is lost
    gap = 2 * np.sin(pi * np.arange(CHECKED) / (2 * CHECKED - 2)) ** 2
    mismatch = legval(1 - gap, series) - kernel(gap)
    return bool(np.abs(mismatch).max() <= 2 * bound + 1e-12 * np.abs(series).sum())


def _fejer_weights(points: int) -> Array:
    even = np.zeros(points)
    even[::2] = 2 / (1 - np.arange(0, points, 2) ** 2)  # the integrals of T_p
    weights: Array = dct(even, type=3) / points
    return weights


def _slope(value: Array, potential: Array, bound: float) -> float | None:
    power = float(potential @ potential)
    slope = float(value[1:] @ potential[1:]) / power if power > 0 else 0.0
    return slope if np.abs(value - slope * potential)[1:].sum() <= bound else None


@njit(cache=True)
def _legendre_integrals(gap: Array, masses: Array, count: int) -> Array:
    # (l+1)(P_{l+1} - P_l) = l (P_l - P_{l-1}) - (2l+1)(1-t) P_l keeps the digits near t = 1, and parity those near -1
    half = len(gap) // 2
    sums, now, step = np.zeros(count), np.empty(half), np.empty(half)
    now[:], step[:] = 1.0, 0.0
    for k in range(count):
        total, sign = 0.0, -1.0 if k % 2 else 1.0
        for j in range(half):
            total += (masses[j] + sign * masses[len(masses) - 1 - j]) * now[j]
            step[j] = (k * step[j] - (2 * k + 1) * gap[j] * now[j]) / (k + 1)
            now[j] += step[j]
        sums[k] = total
    return sums
