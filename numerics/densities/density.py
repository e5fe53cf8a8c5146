"""What densities on the sphere have in common, whatever their geometry: coefficients in orthonormal harmonics.

A density f with respect to the uniform probability measure has mass one, so its degree 0 is left out:
:math:`f = 1 + \\sum_i a_i \\phi_i`, with :math:`\\phi_i` orthonormal in :math:`L^2(\\sigma)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.heads import isotropic
from gegenflow.numerics.tokens.arguments import check_array, check_whole, real_array
from gegenflow.numerics.tokens.geometry import Array, harmonic_dimension, mass_tolerance
from gegenflow.numerics.tokens.refusals import Refused

NEGATIVE = 1e-12  # values this far below zero, relative to the maximum, are rounding


@runtime_checkable
class Density(Protocol):
    """A density resolved up to a degree: on the circle, zonal in any dim, or on the sphere of dim 3.

    ``coefficients`` and ``degrees`` shape=[modes]; ``samples`` gives values and weights on a grid that resolves it,
    or on one so many times finer, up to a size of its own;
    ``multipliers`` those of the kernel and of its potential; ``motion`` the time derivative of coefficients under
    attention, as a function of them.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def coefficients(self) -> Array: ...

    @property
    def dim(self) -> int: ...

    @property
    def max_degree(self) -> int: ...

    @property
    def degrees(self) -> NDArray[np.int64]: ...

    def resized(self, max_degree: int) -> Density: ...

    def samples(self, finer: int = 1) -> tuple[Array, Array]: ...

    def multipliers(self, flow: Flow) -> tuple[Array, Array]: ...

    def motion(self, flow: Flow) -> Callable[[Array], Array]: ...


def sum_of_motions(density: Density, flow: Flow) -> Callable[[Array], Array]:
    """The motion under several heads, whose matrices are multiples of the identity.

    >>> from gegenflow.numerics.densities.circle import CircleDensity
    >>> from gegenflow.numerics.flows.parts import Head
    >>> density, head = CircleDensity(np.array([1e-9, 0.0])), Head(beta=0)
    >>> (density.motion(Flow(heads=[head, head]))(density.coefficients) / 1e-9).round(12) + 0.0  # 1/2 each
    array([1., 0.])
    """
    parts = [(gain, density.motion(one)) for gain, one in isotropic(flow, "solve_density", density.dim)]

    def motion(coefficients: Array) -> Array:
        return sum((gain * one(coefficients) for gain, one in parts), np.zeros_like(coefficients))

    return motion


def density_power(density: Density, max_degree: int) -> Array:
    r"""Squared amplitude of every degree 0..K of a density, shape=[K + 1], as :func:`harmonic_power` of its tokens.

    .. math:: A_k^2 = \frac{1}{D_k} \sum_{i:\ \deg i = k} a_i^2, \qquad
              D_k = \binom{k+d-1}{k} - \binom{k+d-3}{k-2}

    >>> from gegenflow.numerics.densities.circle_starts import circle_density
    >>> density_power(circle_density(lambda angle: 1 + np.cos(2 * angle)), 2).round(12)  # |mu_2|^2, mu_2 = 1/2
    array([1.  , 0.  , 0.25])

    Source: derived here (addition theorem).
    """
    max_degree = check_whole("max_degree", max_degree, 0)
    power = np.bincount(density.degrees, density.coefficients**2, max_degree + 1)[: max_degree + 1]
    power[0] = 1.0
    result: Array = power / np.array([float(harmonic_dimension(k, density.dim)) for k in range(max_degree + 1)])
    return result


def check_values(values: Array, place: Callable[[int], str], tolerance: float = NEGATIVE) -> None:
    """Refuse values of a density that are not finite, or negative beyond rounding; ``place`` says where one is.

    >>> check_values(np.array([1.0, -0.5]), lambda i: f"node {i}")
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: density: it is -0.5 at node 1, it must not be negative
    """
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise Refused("density", None, f"it is {values[bad[0]]} at {place(int(bad[0]))}, it must be finite")
    lowest = int(values.argmin())
    if values[lowest] < -tolerance * np.abs(values).max():
        raise Refused("density", None, f"it is {values[lowest]:.6g} at {place(lowest)}, it must not be negative")


def checked_mass(mass: float, values: ArrayLike, normalize: bool) -> float:
    """The mass that a density with these values has; refused if not one, or, to ``normalize``, if there is none.

    >>> checked_mass(0.5, [0.5], normalize=True)
    0.5
    >>> checked_mass(0.5, [0.5], normalize=False)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: density: it has mass 0.5, not 1, with respect to the uniform probability
    """
    if normalize and not mass > 0:
        raise Refused("density", None, f"it has mass {mass:.12g}, there is none to normalise")
    if not normalize and not abs(mass - 1) <= mass_tolerance(values):
        raise Refused("density", None, f"it has mass {mass:.12g}, not 1, with respect to the uniform probability")
    return mass


def check_coefficients(coefficients: ArrayLike, shape: str, fits: Callable[[int], bool]) -> Array:
    """Coefficients of a density as an array of their own: finite real numbers, as many as ``fits`` allows.

    >>> check_coefficients([0.1, 0.2, 0.3], "(2 K,)", lambda count: count % 2 == 0)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: coefficients: they have shape (3,), expected (2 K,)
    """
    array = real_array("coefficients", coefficients)
    if array.ndim != 1 or not fits(len(array)):
        raise Refused("coefficients", None, f"they have shape {array.shape}, expected {shape}")
    return check_array("coefficients", array, shape, None)


def function_values(function: Callable[[Array], ArrayLike], places: Array, what: str) -> NDArray[Any]:
    """Values of a density at places, shape=[n], in the dtype it has; refused if not real or of another shape.

    >>> function_values(lambda t: 1.0, np.zeros(3), "overlaps")
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: density: it maps 3 overlaps to shape (), each needs its value
    """
    values = np.asarray(function(places))
    if values.shape != places.shape[:1]:
        raise Refused("density", None, f"it maps {len(places)} {what} to shape {values.shape}, each needs its value")
    real_array("density", values)
    return values


def coarser(values: ArrayLike) -> float:
    """How many times coarser than float64 the rounding of values is: float32 has 29 bits less.

    >>> coarser(np.ones(1, dtype=np.float32)) == 2**29, coarser([1, 2])
    (True, 1.0)
    """
    dtype = np.asarray(values).dtype
    return max(1.0, float(np.finfo(dtype).eps / np.finfo(np.float64).eps)) if dtype.kind == "f" else 1.0


def summary(density: Density) -> str:
    """One line on a density, however many coefficients it has.

    >>> from gegenflow.numerics.densities.circle import CircleDensity
    >>> summary(CircleDensity(np.array([0.5, 0.0])))
    'CircleDensity: dim 2, degrees up to 1, |f - 1| = 0.5'
    """
    norm = float(np.linalg.norm(density.coefficients))
    kind = type(density).__name__
    return f"{kind}: dim {density.dim}, degrees up to {density.max_degree}, |f - 1| = {norm:.6g}"
