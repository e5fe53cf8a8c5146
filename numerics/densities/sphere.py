"""Probability densities on the sphere in dim 3 by their spherical harmonics, and how attention moves them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from math import isqrt, pi, sqrt

import numpy as np
from ducc0 import sht
from numpy.typing import ArrayLike, NDArray

from gegenflow.numerics.densities.density import (
    NEGATIVE,
    check_coefficients,
    check_values,
    checked_mass,
    coarser,
    function_values,
    sum_of_motions,
    summary,
)
from gegenflow.numerics.densities.sphere_grid import SphereGrid, harmonic_layout, packed
from gegenflow.numerics.fields.legendre import FINEST_EPSILON, exponential_sphere_modes, sphere_modes
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.arguments import check_whole
from gegenflow.numerics.tokens.geometry import Array, check_tokens
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import Value, record_html, sealed

MOST_DEGREES = 2**9
LEAST_RINGS, MOST_RINGS = 32, 512
BETWEEN = 2**15  # points at which a function is compared with its series
AGREED = 1e-10  # of the maximum: how far both may differ, the rounding of high degrees included
ROUNDING = 1e-15  # coefficients this far below the norm, times the root of the number of rings, are noise


@dataclass(frozen=True, eq=False, repr=False)
class SphereDensity(Value):
    r"""A density on :math:`S^2` with respect to the uniform probability measure, of mass one.

    .. math:: f = 1 + \sqrt{4\pi} \sum_{l=1}^{K} \Big(a_{l0} Y_{l0}
              + \sqrt2 \sum_{m=1}^{l} (a_{lm} \operatorname{Re} Y_{lm} + b_{lm} \operatorname{Im} Y_{lm})\Big)

    ``coefficients``, any finite numbers, shape=[(K + 1)^2 - 1], go by degree,
    :math:`a_{l0}, a_{l1}, b_{l1}, \dots, a_{ll}, b_{ll}`; they are those in an orthonormal basis, so that their squares
    add up to :math:`\int (f-1)^2 d\sigma`.

    >>> density = SphereDensity(np.array([0.1, 0.0, 0.2]))  # 1 + sqrt(3) (0.1 z - 0.2 y)
    >>> density.max_degree, bool(np.allclose(density.values([[0, 0.6, 0.8]]), 1 + 3**0.5 * (0.08 - 0.12), atol=1e-12))
    (1, True)

    Raises ValueError for a number of coefficients that fills no degree, and for those that are not finite.
    Source: derived here (addition theorem).

    See also :func:`.sphere_density`, :func:`.solve_density`.
    """

    coefficients: Array

    _repr_html_ = record_html

    def __post_init__(self) -> None:
        shape = "((K + 1)^2 - 1,), 2 l + 1 of each degree l"
        found = check_coefficients(self.coefficients, shape, lambda count: isqrt(count + 1) ** 2 == count + 1)
        object.__setattr__(self, "coefficients", sealed(found))

    def __repr__(self) -> str:
        return summary(self)

    @property
    def dim(self) -> int:
        return 3

    @property
    def max_degree(self) -> int:
        return isqrt(self.coefficients.size + 1) - 1

    @property
    def degrees(self) -> NDArray[np.int64]:
        """Degree of each coefficient, shape=[(K + 1)^2 - 1]."""
        return harmonic_layout(self.max_degree).degree

    def resized(self, max_degree: int) -> SphereDensity:
        """The same up to a degree ``max_degree`` >= 0: zeros appended, or the highest degrees dropped."""
        max_degree = check_whole("max_degree", max_degree, 0)
        kept = self.coefficients[: (max_degree + 1) ** 2 - 1]
        return SphereDensity(np.pad(kept, (0, (max_degree + 1) ** 2 - 1 - len(kept))))

    def values(self, points: ArrayLike) -> Array:
        """The density at ``points`` of the sphere, shape=[n, 3], to 2.5e-13 of its norm; shape=[n]."""
        rows = check_tokens(points, "points")
        if rows.shape[1] != 3:
            raise Refused("points", None, f"they have shape {rows.shape}, expected (n, 3)")
        x, y, z = rows.T
        places = np.column_stack([np.arctan2(np.hypot(x, y), z), np.arctan2(y, x) % (2 * pi)])
        top = self.max_degree
        alm = packed(self.coefficients, 1.0, top)
        result: Array = sht.synthesis_general(alm=alm, spin=0, lmax=top, loc=places, epsilon=FINEST_EPSILON)[0]
        return result

    def samples(self, finer: int = 1) -> tuple[Array, Array]:
        """Values on a Gauss-Legendre grid, four a degree or more each way round, and weights of sum one, shape=[n].

        ``finer`` >= 1, whole, 1 by default, asks for that many times as many rings, up to 512.
        """
        least = max(LEAST_RINGS, 2 * self.max_degree)
        grid = SphereGrid(max(least, min(check_whole("finer", finer, 1) * least, MOST_RINGS)), self.max_degree)
        values = grid.values(self.coefficients, 1.0)
        return values.ravel(), np.repeat(grid.weights, values.shape[1])

    def multipliers(self, flow: Flow) -> tuple[Array, Array]:
        r"""Funk-Hecke multipliers of the kernel h and of its potential W, W' = h, each shape=[K + 1].

        .. math:: w_l = \tfrac12 \int_{-1}^{1} h(t) P_l(t)\,dt, \qquad
                  \lambda_l = \tfrac12 \int_{-1}^{1} W(t) P_l(t)\,dt

        of the ``flow``, in units of :math:`e^\beta` for the exponential kernel; :math:`\lambda_0`, which moves nothing,
        is put to zero.

        >>> value, potential = SphereDensity(np.zeros(8)).multipliers(Flow(beta=2))
        >>> bool(np.allclose(value[1:], 2.0 * potential[1:], rtol=1e-12))  # W = h / beta
        True
        """
        attention = flow.attention
        if callable(attention):
            modes = sphere_modes(lambda gap: attention(1 - gap))
        else:
            modes = exponential_sphere_modes(attention)
        result = np.zeros((2, self.max_degree + 1))
        known = min(len(modes.value), self.max_degree + 1)
        result[:, :known] = modes.value[:known], modes.potential[:known]
        value, potential = result / (2 * np.arange(self.max_degree + 1) + 1)
        return value, potential

    def motion(self, flow: Flow) -> Callable[[Array], Array]:
        r"""The time derivative of coefficients under attention without noise, as a function of them.

        .. math:: \dot a_i = \int \nabla\phi_i \cdot v f\,d\sigma, \qquad v = \nabla(W*f), \quad W' = h

        for a ``flow`` of USA, v divided by :math:`h*f` for SA, where the function raises FloatingPointError if that is
        not positive.  The grid integrates USA exactly (SA: as far as it resolves the quotient).  A density that is
        even, of a period about the third axis, or its own mirror image in the second or third direction stays so to
        the last bit.

        The first degree at ``beta`` = 0 grows at the rate 2/3:

        >>> start = np.array([0.0, 1e-9, 0.0])
        >>> (SphereDensity(start).motion(Flow(beta=0))(start) / 1e-9).round(8) + 0.0
        array([0.        , 0.66666667, 0.        ])

        Source: arXiv 2410.23228 for the equation, derived here for the weak form.
        """
        if flow.heads:
            return sum_of_motions(self, flow)
        top = self.max_degree
        if top == 0:
            return np.zeros_like
        value, potential = self.multipliers(flow)
        reach = int(np.flatnonzero((value != 0) | (potential != 0)).max(initial=0))
        kept = slice((reach + 1) ** 2 - 1)
        mean, force = value[self.degrees[kept]], potential[self.degrees[kept]]
        scale = flow.unit
        allowed = scale * _symmetric(self.coefficients, top)
        rings = 3 * top // 2 + 1 if flow.model == "usa" else max(16, 2 * top + 1)
        grid, smooth = SphereGrid(rings, top), SphereGrid(rings, reach)

        def rate(coefficients: Array) -> Array:
            flux = smooth.gradient(force * coefficients[kept])
            flux *= grid.values(coefficients, 1.0) * grid.weights[:, None]
            if flow.model == "sa":
                normalizer = smooth.values(mean * coefficients[kept], float(value[0]))
                if not normalizer.min() > 0:
                    raise FloatingPointError("the normaliser is not positive")
                flux /= normalizer
            return allowed * grid.against_gradients(flux)

        return rate


def sphere_density(density: Callable[[Array], Array], *, normalize: bool = False) -> SphereDensity:
    r"""The density that a function of points on the sphere stands for.

    .. math:: a_i = \int f \phi_i\,d\sigma

    The degree of a Gauss-Legendre grid doubles until the upper half of the coefficients has fallen to rounding and the
    series agrees with it at 32,768 points between; coefficients below rounding are zero.  Features narrower than 0.02
    may fall between those.

    :param density: a function that takes points of the sphere, shape (n, 3), to values >= 0, shape (n,)
    :param normalize: divide by the mean over the sphere; False (default): it must be one

    >>> sphere_density(lambda points: 1 + 0.3 * points[:, 2]).coefficients.round(12)  # the mean of z^2 is 1/3
    array([0.17320508, 0.        , 0.        ])
    >>> sphere_density(lambda points: 2 + points[:, 2])
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: density: it has mass 2, not 1, with respect to the uniform probability

    Raises ValueError for values that are negative or not of mean one (each beyond rounding), not finite or of another
    shape, and for a function that 512 degrees do not resolve.  Source: derived here.

    See also :func:`.circle_density`, :func:`.zonal_density`, :func:`.solve_density`.
    """
    if not callable(density):
        raise Refused("density", None, "it must be a function of points, shape (n, 3)")
    between = _spiral()
    found = function_values(density, between, "points")
    check_values(found.astype(np.float64), partial(_point, between), coarser(found) * NEGATIVE)
    rings = LEAST_RINGS
    while rings <= 2 * MOST_DEGREES:
        grid = SphereGrid(rings, rings - 1)
        points = grid.points()
        given = function_values(density, points, "points")
        check_values(given.astype(np.float64), partial(_point, points), coarser(given) * NEGATIVE)
        values = given.astype(np.float64).reshape(rings, -1)
        coefficients = grid.coefficients(values)
        norm = np.sqrt((grid.weights @ values**2).sum())
        coefficients[np.abs(coefficients) < coarser(given) * ROUNDING * np.sqrt(rings) * norm] = 0.0
        used = int(harmonic_layout(rings - 1).degree[coefficients != 0].max(initial=0))
        mass = float((grid.weights @ values).sum())
        series = SphereDensity(coefficients[: (used + 1) ** 2 - 1])
        if used <= rings // 2 and _agrees(series, mass, between, found):
            return SphereDensity(series.coefficients / checked_mass(mass, given, normalize))
        rings *= 2
    raise Refused("density", None, f"it is not resolved by {MOST_DEGREES} degrees, it must be smooth")


def _agrees(series: SphereDensity, mass: float, points: Array, given: NDArray[np.floating]) -> bool:
    # between the points that the series was made from, so that nothing passes for a lower degree or falls between
    mismatch = series.values(points) + (mass - 1) - given
    return bool(np.abs(mismatch).max() <= coarser(given) * AGREED * np.abs(given).max())


@cache
def _spiral() -> Array:
    # both poles, and points that lie evenly between any rings and meridians
    height = 1 - (2 * np.arange(BETWEEN) + 1) / BETWEEN
    east = np.arange(BETWEEN) * pi * (3 - sqrt(5))
    radius = np.sqrt(1 - height**2)
    spiral = np.column_stack([radius * np.cos(east), radius * np.sin(east), height])
    return np.vstack([[[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]], spiral])


def _point(points: Array, row: int) -> str:
    x, y, z = points[row]
    return f"point ({x:.6g}, {y:.6g}, {z:.6g})"


def _symmetric(coefficients: Array, top: int) -> NDArray[np.bool_]:
    """Where coefficients may become other than zero, as far as the symmetries that one can read off zeros say."""
    layout, used = harmonic_layout(top), coefficients != 0
    allowed = np.ones(len(coefficients), dtype=bool)
    if used.any():
        period = max(int(np.gcd.reduce(layout.order[used])), 1) if layout.order[used].any() else top + 1
        even, mirrored = layout.degree % 2 == 0, (layout.degree + layout.order) % 2 == 0
        for kept in (even, mirrored, ~layout.sine, layout.order % period == 0):
            if not (used & ~kept).any():
                allowed &= kept
    return allowed
