"""Densities on the circle that a function, values at equispaced angles, or noise stand for."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft, rfft

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.density import (
    NEGATIVE,
    check_values,
    checked_mass,
    coarser,
    function_values,
)
from gegenflow.numerics.tokens.arguments import check_number, check_rng, check_whole, real_array
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused

MOST_DEGREES = 2**16
LEAST_DEGREE = 16
ROUNDING = 4e-16  # coefficients this far below the maximum and the slope, as angles are rounded, are noise
BETWEEN = 10_007  # angles, odd and off the nodes, at which a function is compared with its series, ...
OFF = 0.38196601125  # ... so far beyond the nodes, in steps
AGREED = 1e-12  # of the maximum, and a hundredth of it of the slope: how far both may differ
UNRESOLVED = 1e-6  # relative to the maximum, the least that a series through values may fall short of them


def circle_density(density: Callable[[Array], Array] | ArrayLike, *, normalize: bool = False) -> CircleDensity:
    r"""The density that a function of the angle, or values at n equispaced angles :math:`2\pi j/n`, stand for.

    A function is sampled at twice as many angles until its spectrum has fallen to rounding and the series agrees with
    it at 10,007 angles between; coefficients below rounding are zero.  Features narrower than 0.0006 may fall between
    those.  Values are interpolated by degrees up to n/2, of which an even n tells the cosine alone.

    :param density: a function that takes angles in radians, shape (n,), to values >= 0 of the same shape; or values
        >= 0 at equispaced angles, shape (n,), n >= 3
    :param normalize: divide by the mean over the circle; False (default): it must be one

    >>> circle_density(lambda angle: 1 + 0.5 * np.sin(angle)).coefficients.round(12) + 0.0
    array([0.        , 0.35355339])
    >>> circle_density([4.0, 2.0, 0.0, 2.0], normalize=True).values([0.0, np.pi]).round(12) + 0.0
    array([2., 0.])
    >>> circle_density([2.0, 2.0, 2.0])
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: density: it has mass 2, not 1, with respect to the uniform probability

    Raises ValueError for values that are negative or not of mean one (each beyond rounding), not finite or of another
    shape, or too few for their series to stay positive, and for a function that 65,536 degrees do not resolve.
    Source: derived here.

    See also :func:`.white_noise`, :func:`.quantiles`, :func:`.solve_density`, :func:`.sphere_density`,
    :func:`.zonal_density`.
    """
    if callable(density):
        return _of_function(density, normalize)
    values = real_array("density", density)
    if values.ndim != 1 or len(values) < 3:
        raise Refused("density", None, f"it has shape {values.shape}, expected (n,) at equispaced angles, n >= 3")
    result = _checked(_positive(values, 0.0), len(values) // 2, density, normalize)
    if result.samples()[0].min() < -UNRESOLVED * values.max() / values.mean():
        raise Refused("density", None, f"{len(values)} values do not resolve it: give more, or a function")
    return result


def white_noise(n: int, amplitude: float, *, rng: int | np.random.Generator | None = None) -> Array:
    r"""Values at n equispaced angles of a density that is uniform but for independent normal noise, shape=[n].

    .. math:: f(2\pi j/n) = 1 + a\,(\xi_j - \bar\xi), \qquad \xi_j \sim N(0, 1), \quad j = 0, \dots, n - 1

    of mean one, for :func:`circle_density` and :func:`solve_density`: how the papers start.  Every coefficient of a
    degree below n/2 is then normal and independent, of variance :math:`a^2/n`.

    :param n: number of angles, >= 3
    :param amplitude: a, standard deviation of the noise, >= 0
    :param rng: seed >= 0 or numpy Generator; None (default): seeded by the system

    >>> values = white_noise(1000, 0.01, rng=0)
    >>> bool(np.isclose(values.mean(), 1)), bool(abs(values.std() - 0.01) < 0.001)
    (True, True)
    >>> circle_density(values).max_degree
    500

    Raises ValueError for noise so large that the density is negative.  Source: arXiv 2410.23228; the law of the
    coefficients is derived here.

    See also :func:`.circle_density`, :func:`.uniform`.
    """
    n, amplitude = check_whole("n", n, 3), check_number("amplitude", amplitude, least=0.0)
    noise = check_rng(rng).standard_normal(n)
    values: Array = 1 + amplitude * (noise - noise.mean())
    if values.min() < 0:
        raise Refused("amplitude", amplitude, f"the density falls to {values.min():.3g}, it must not be negative")
    return values


def _of_function(function: Callable[[Array], ArrayLike], normalize: bool) -> CircleDensity:
    points = 4 * LEAST_DEGREE
    while points <= 2 * MOST_DEGREES:
        given = function_values(function, _angles(points), "angles")
        values = _positive(given, 0.0)
        size = np.abs(rfft(values, norm="forward"))
        top = int(np.flatnonzero(size > coarser(given) * _noise(values, size)).max(initial=0))
        if top <= points // 4 and _agrees(function, values, size, top):
            return _checked(values, top, given, normalize)
        points *= 2
    raise Refused("density", None, f"it is not resolved by {MOST_DEGREES} degrees, it must be smooth")


def _noise(values: Array, size: Array) -> float:
    # what rounding, of values and of the angles that they belong to, may put into a coefficient
    highest = float(np.abs(values).max())
    held = size > ROUNDING * highest
    return ROUNDING * (highest + float(np.flatnonzero(held) @ size[held]))


def _agrees(function: Callable[[Array], ArrayLike], values: Array, size: Array, top: int) -> bool:
    # between the angles that the series was made from, so that nothing passes for a lower degree or falls between
    count = max(BETWEEN, 2 * top + 1)
    given = function_values(function, _angles(count, OFF), "angles")
    values_between = _positive(given, OFF)
    spectrum = rfft(values, norm="forward")[: top + 1] * np.exp(2j * np.pi * OFF / count * np.arange(top + 1))
    series = irfft(spectrum, count, norm="forward")
    bound = np.abs(values).max() + 0.01 * float(np.arange(top + 1) @ size[: top + 1])
    return bool(np.abs(series - values_between).max() <= coarser(given) * AGREED * bound)


def _angles(count: int, off: float = 0.0) -> Array:
    angles: Array = 2 * np.pi * (np.arange(count) + off) / count
    return angles


def _positive(given: NDArray[Any], off: float) -> Array:
    values: Array = given.astype(np.float64)
    step = 2 * np.pi / len(values)
    check_values(values, lambda j: f"angle {step * (j + off):.6g}", coarser(given) * NEGATIVE)
    return values


def _checked(values: Array, top: int, given: ArrayLike, normalize: bool) -> CircleDensity:
    mass = checked_mass(float(values.mean()), given, normalize)
    spectrum = rfft(values, norm="forward")[: top + 1] / mass
    noise = coarser(given) * _noise(values / mass, np.abs(spectrum))
    if 2 * top == len(values):
        spectrum[top] /= 2  # its cosine alone: the transform counts both signs
    parts = sqrt(2) * np.column_stack([spectrum[1:].real, -spectrum[1:].imag])
    parts[np.abs(parts) < noise] = 0.0
    return CircleDensity(parts.ravel())
