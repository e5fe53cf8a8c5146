"""Quantiles of a density on the circle: the map that carries equal masses to where the density has them.

A density of harmonic degree K is a polynomial to rounding on each of 8 K equal cells; its distribution function is
evaluated and inverted there, at a cost per label that depends neither on K nor on how sharp the density is.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

import numpy as np
from numba import njit
from numpy.typing import ArrayLike
from scipy.fft import irfft, next_fast_len, rfft

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.tokens.arguments import check_whole, real_array
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused

CELLS_PER_DEGREE = 8  # then the Taylor terms of the highest harmonic are (pi/8)^m / m!, below rounding at m = 15
LEAST_CELLS = 256
TERMS = 15
NEGATIVE = 1e-12  # a density this far below zero, in units of its largest value, is taken for one with a gap
MOST_STEPS = 100  # of Newton's method within a bracket, 3 or 4 where the density is positive
LEAST_LABELS = 8
MOST_ADDED = 0.25  # of the slope of the map: what its upper half of terms may add where they resolve it


@dataclass(frozen=True, eq=False)
class Distribution:
    r"""Distribution function of a density on the circle, a polynomial on each of equal cells.

    .. math:: F(\theta) = \int_0^\theta f\,\frac{d\theta}{2\pi} = \sum_m c_{jm} s^m, \qquad
              \theta = (j + \tfrac12 + \tfrac s2)\,\delta, \quad -1 \le s \le 1, \quad \delta = 2\pi/\text{cells}

    ``labels`` shape=[cells + 1] are the values at the edges of the cells, increasing from 0 to 1, and ``series``
    shape=[cells, 15] the coefficients.
    """

    labels: Array
    series: Array

    def at(self, angles: Array) -> tuple[Array, Array]:
        """Distribution function and density at angles in [0, 2 pi], each of the shape of the angles."""
        label, density = np.empty(angles.shape), np.empty(angles.shape)
        _evaluate(self.series, angles.ravel(), label.ravel(), density.ravel())
        return label, density

    def inverse(self, labels: Array) -> Array:
        r"""Angles :math:`X(u) = \min\{\theta : F(\theta) \ge u\}`, :math:`X(u + 1) = X(u) + 2\pi`, of labels u."""
        angles = np.empty(labels.shape)
        _invert(self.labels, self.series, labels.ravel(), angles.ravel())
        return angles


def distribution(density: CircleDensity) -> Distribution:
    r"""Distribution function of a density on the circle, to rounding at every angle.

    >>> label, value = distribution(CircleDensity(np.array([0.5, 0.0]))).at(np.array([np.pi / 2]))
    >>> label.round(14), value.round(14)  # of 1 + cos(theta)/sqrt 2: 1/4 + 1/(2 pi sqrt 2), and 1
    (array([0.36253954]), array([1.]))

    Raises ValueError for a density that is negative beyond rounding.  Source: derived here.
    """
    if not isinstance(density, CircleDensity):
        raise Refused("density", None, f"it is a {type(density).__name__}, quantiles need a CircleDensity")
    coefficients, max_degree = density.coefficients, density.max_degree
    cells = next_fast_len(max(LEAST_CELLS, CELLS_PER_DEGREE * max_degree), real=True)
    half = np.pi / cells
    degrees = 1j * np.arange(1, max_degree + 1)
    terms = (coefficients[0::2] - 1j * coefficients[1::2]) / np.sqrt(2) / degrees * (cells / (2 * np.pi))
    spectrum = np.zeros((TERMS + 1, cells // 2 + 1), dtype=np.complex128)
    spectrum[TERMS, 1 : max_degree + 1] = terms
    for m in range(TERMS):
        spectrum[m, 1 : max_degree + 1] = terms * np.exp(degrees * half) * (degrees * half) ** m / factorial(m)
    *series, edges = irfft(spectrum, cells)
    origin = edges[0]
    series[0] += (np.arange(cells) + 0.5) / cells - origin
    series[1] += 0.5 / cells
    edges = np.append(edges - origin + np.arange(cells) / cells, 1.0)
    found = Distribution(np.clip(np.maximum.accumulate(edges), 0.0, 1.0), np.column_stack(series))
    _check_sign(found.series)
    return found


def quantiles(density: CircleDensity, n: int) -> Array:
    r"""Angles below which i/n of the mass lies, i = 0..n-1, increasing from 0 towards 2 pi, shape=[n].

    .. math:: \int_0^{X(u)} f\,\frac{d\theta}{2\pi} = u, \qquad u = i/n, \quad X(0) = 0

    To rounding, which is :math:`10^{-15}/f`; where the density has a gap, at its beginning.  The angles of n/2 are
    among those of n.

    :param density: a :class:`CircleDensity` that is nowhere negative beyond rounding
    :param n: number of angles, >= 1

    >>> angles = quantiles(CircleDensity(np.array([0.0, 0.5])), 4)  # 1 + sin(theta)/sqrt 2
    >>> np.round(angles / (2 * np.pi) + (1 - np.cos(angles)) / (2 * np.pi * np.sqrt(2)), 14)
    array([0.  , 0.25, 0.5 , 0.75])

    Raises ValueError for ``n`` < 1 and, with the least value and its angle, for a density that is negative beyond
    1e-12 of its largest value.  Source: derived here.

    See also :func:`.density_at_quantiles`, :func:`.solve_quantiles`, :func:`.circle_density`.
    """
    n = check_whole("n", n, 1)
    return distribution(density).inverse(np.arange(n) / n)


def density_at_quantiles(angles: ArrayLike) -> tuple[Array, float]:
    r"""Density at its own quantiles, shape=[n], and how far n of them are from resolving the map, in radians.

    .. math:: f(X(u)) = \frac{2\pi}{X'(u)}, \qquad X(u) - 2\pi u = \sum_k c_k e^{2\pi i k u}

    ``angles`` in radians, shape=[n], n >= 8, at the labels u = i/n, increasing, over less than a turn; X' by Fourier
    series. The second number is the largest of the tail of that series, :math:`4 \sum_{k > 3n/8} |c_k|`, of :math:`2/n`
    times what the terms beyond n/4 add to :math:`X'` anywhere, and of :math:`(32\pi/n) \sum_{k > 3n/8} k |c_k|`, which
    lets the terms left out add four times what the last quarter does: at least the error of the map between its labels;
    n f/4 pi times it is that of the density, relative. Near a vacuum the map is so steep that its labels do not tell
    how small the density is, only that it is below the mean over the gap beside: where those beyond n/4 make up a
    quarter of :math:`X'`, it is refused.

    >>> angles = quantiles(CircleDensity(np.array([0.0, 0.3])), 128)
    >>> density, tail = density_at_quantiles(angles)
    >>> bool(np.allclose(density, 1 + np.sin(angles) * 0.18**0.5, rtol=1e-9)), tail < 1e-9
    (True, True)

    Raises ValueError for fewer than 8 angles, angles that do not increase over less than a turn, and a map so steep
    that its series is not increasing or not resolved.  Source: derived here.

    See also :func:`.quantiles`.
    """
    positions = real_array("angles", angles)
    if positions.ndim != 1 or len(positions) < LEAST_LABELS:
        raise Refused("angles", None, f"they have shape {positions.shape}, expected (n,) with n >= {LEAST_LABELS}")
    n = len(positions)
    steps = np.diff(positions, append=positions[0] + 2 * np.pi)
    if not np.all(steps > 0):
        row = int(np.flatnonzero(~(steps > 0))[0])
        pair = f"{positions[row]:.9g} and {positions[(row + 1) % n]:.9g}"
        what = f"entries {row} and {(row + 1) % n} are {pair}, quantiles increase strictly, over less than a turn"
        raise Refused("angles", None, what)
    spectrum = rfft(positions - 2 * np.pi * np.arange(n) / n)
    terms = 1j * np.arange(len(spectrum)) * spectrum
    slope = 1 + irfft(terms, n)
    terms[: n // 4] = 0
    added = np.abs(irfft(terms, n))
    if not (added < MOST_ADDED * slope).all():
        row = int(steps.argmax())
        least = 2 * np.pi / n / steps[row]
        what = f"{n} quantiles do not resolve the density, its map is too steep; take more"
        where = f"its mean from the angle {positions[row]:.6g} to the next is {least:.3g}, and it may be smaller there"
        raise Refused("angles", None, f"{what}: {where}")
    last = np.abs(spectrum[3 * n // 8 :])
    steep = 32 * np.pi / n**2 * (np.arange(3 * n // 8, len(spectrum)) * last).sum()
    return 1 / slope, float(max(4 * last.sum() / n, 2 * added.max() / n, steep))


def _check_sign(series: Array) -> None:
    # the minimum of every cell by Newton's method downhill, as a negative dip may lie between the edges
    cells = len(series)
    density = cells * 2 * np.arange(1, TERMS)[:, None] * series.T[1:]
    first = np.arange(1, TERMS - 1)[:, None] * density[1:]
    second = np.arange(1, TERMS - 2)[:, None] * first[1:]
    place = np.zeros(cells)
    for _ in range(6):
        bend = np.abs(_polynomial(second, place)) + np.finfo(np.float64).tiny
        place = np.clip(place - np.clip(_polynomial(first, place) / bend, -2, 2), -1, 1)
    least = _polynomial(density, place)
    cell = int(least.argmin())
    if least[cell] < -NEGATIVE * max(1.0, density[0].max()):
        angle = (cell + 0.5 + 0.5 * place[cell]) * 2 * np.pi / cells
        raise Refused("density", None, f"it is {least[cell]:.6g} at the angle {angle:.6g}, it must not be negative")


def _polynomial(coefficients: Array, place: Array) -> Array:
    value = np.zeros(len(place))
    for row in coefficients[::-1]:
        value = value * place + row
    return value


@njit(cache=True)
def _local(terms: Array, s: float) -> tuple[float, float]:
    value, slope = 0.0, 0.0
    for m in range(len(terms) - 1, -1, -1):
        slope = slope * s + value
        value = value * s + terms[m]
    return value, slope


@njit(cache=True)
def _evaluate(series: Array, angles: Array, label: Array, density: Array) -> None:
    cells = len(series)
    for i in range(len(angles)):
        place = angles[i] * (cells / (2 * np.pi))
        cell = max(0, min(int(place), cells - 1))
        label[i], slope = _local(series[cell], 2 * (place - cell) - 1)
        density[i] = 2 * cells * slope


@njit(cache=True)
def _invert(edges: Array, series: Array, labels: Array, angles: Array) -> None:
    cells = len(series)
    small = 1e-16 * cells
    for i in range(len(labels)):
        turn = np.floor(labels[i])
        label = labels[i] - turn
        cell = max(0, np.searchsorted(edges, label) - 1)
        low, high = -1.0, 1.0
        s = -1.0
        if label > edges[cell]:
            s += 2 * (label - edges[cell]) / (edges[cell + 1] - edges[cell])
            for _ in range(MOST_STEPS):
                value, slope = _local(series[cell], s)
                if value > label:
                    high = s
                else:
                    low = s
                middle = 0.5 * (low + high)
                step = s - (value - label) / slope if slope > 0 else middle
                step = step if low <= step <= high else middle
                moved = abs(step - s)
                s = step
                if moved <= small:
                    break
        angles[i] = ((cell + 0.5 + 0.5 * s) / cells + turn) * (2 * np.pi)
