"""Fourier coefficients of kernels on the circle, and how many of a series to keep.

The coefficients come from the kernel as a function, by a discrete Fourier transform, and from no formula for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gegenflow.numerics.fields.sums import NotSmooth
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused

MOST_MODES = 2**20
ROUNDING = 4e-16  # coefficients this far below the mean of the modulus are noise
LEAST_CHECKED = 2**13  # points at which a series from fewer is compared with its kernel


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
    series is kept whose discarded tail is below ``tol`` times the largest value (of h, and of its force).  Features
    narrower than 0.002 may fall between the first 8192 points at which that is checked.

    >>> modes = circle_modes(lambda gap: (1 - gap) ** 2)  # cos^2 and cos^2 sin = (sin phi + sin 3phi)/4
    >>> modes.value.round(14) + 0.0, modes.force.round(14) + 0.0
    (array([0.5, 0. , 0.5, 0. ]), array([0.  , 0.25, 0.  , 0.25]))

    Raises NotSmooth when the kernel is zero or not finite, and when its spectrum does not decay within 2^20 modes,
    within milliseconds for a kernel with a kink or a jump.
    """
    if not 1e-15 <= tol < 1:
        raise Refused("tol", tol, "the tolerance of the Fourier modes must lie in [1e-15, 1)")
    points = 32
    while points <= 2 * MOST_MODES:
        angle = 2 * np.pi * np.arange(points) / points
        value = np.asarray(kernel(2 * np.sin(angle / 2) ** 2), dtype=np.float64)
        if not np.isfinite(value).all():
            raise NotSmooth("the kernel is not finite on the circle: scale it, for instance by exp(-beta)")
        force = value * np.sin(angle)
        cosines = np.fft.rfft(value).real * (2 / points)
        sines = -np.fft.rfft(force).imag * (2 / points)
        cosines[0] /= 2
        for series in (cosines, sines):
            series[np.abs(series) < ROUNDING * np.abs(value).mean()] = 0.0
        largest = np.array([np.abs(value).max(), np.abs(force).max()])
        if largest[0] == 0:
            raise NotSmooth("the kernel is zero on the whole circle: it has no scale to be accurate to")
        count = max(series_length(cosines, tol * largest[0]), series_length(sines, tol * largest[1]))
        if count <= points // 4 and (points >= LEAST_CHECKED or _agrees(kernel, cosines[:count], tol * largest[0])):
            sizes = np.abs([cosines, sines]) / largest[:, None]
            error = sizes[:, count:].sum(axis=1) + rounding(sizes[:, :count])
            return CircleModes(cosines[:count].copy(), sines[:count].copy(), float(error.max()))
        if never_decays(cosines, tol * largest[0], MOST_MODES):
            break
        points *= 2
    raise NotSmooth(
        f"the kernel needs more than {MOST_MODES} Fourier modes at tol = {tol:g}: it is too sharp or not smooth"
    )


@lru_cache(maxsize=64)
def exponential_modes(beta: float, tol: float = 1e-13) -> CircleModes:
    r"""Modes of the attention kernel in units of :math:`e^\beta`, :math:`h(t) = e^{\beta(t-1)}`; remembered.

    >>> exponential_modes(0.0).force.round(14) + 0.0  # the force is sin phi: Kuramoto
    array([0., 1.])
    """
    return circle_modes(lambda gap: np.exp(-beta * gap), tol)


def _agrees(kernel: Callable[[Array], Array], cosines: Array, bound: float) -> bool:
    # between the points that the series was made from, so that no narrow feature is lost
    angle = 2 * np.pi * np.arange(LEAST_CHECKED) / LEAST_CHECKED
    spectrum = np.zeros(LEAST_CHECKED // 2 + 1)
    spectrum[: len(cosines)] = cosines * (LEAST_CHECKED / 2)
    spectrum[:1] *= 2
    mismatch = np.fft.irfft(spectrum) - kernel(2 * np.sin(angle / 2) ** 2)
    return bool(np.abs(mismatch).max() <= 2 * bound + 1e-13 * np.abs(cosines).sum())


def series_length(coefficients: Array, bound: float) -> int:
    """How many coefficients to keep so that the moduli of the rest add up to no more than a bound.

    >>> series_length(np.array([1.0, -0.5, 0.25, 0.125]), 0.4)
    2
    """
    tail = np.cumsum(np.abs(coefficients[::-1]))[::-1]
    return int(np.count_nonzero(tail > bound))


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
