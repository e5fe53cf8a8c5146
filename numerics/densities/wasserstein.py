"""Wasserstein distances between tokens, densities and the ends of runs, for the geodesic distance on the sphere.

On the circle transport is a matching of quantiles up to one shift, so the distance is found to rounding; in higher
dimension it is a linear program, for which the optional package POT is called, or an average over great circles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.spatial.distance import cdist

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.densities.distribution import Distribution, distribution
from gegenflow.numerics.tokens.arguments import check_rng, check_whole
from gegenflow.numerics.tokens.geometry import Array, check_tokens, check_weights
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import Value, record_html

Measure: TypeAlias = Any  # tokens, a CircleDensity, or what holds them as .tokens and .weights, or as .density

SHIFT_ROUNDING = 1e-15
MASS_ROUNDING = 1e-14  # masses below this come from the rounding of sums of weights
MOST_PAIRS = 25_000_000  # of the linear program: 5000 tokens against 5000
MOST_PIVOTS = 10**8
NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(8)


@dataclass(frozen=True, eq=False)
class SlicedDistance(Value):
    """An average over random great circles: ``value``, its standard ``error``, and how many ``slices`` it took."""

    value: float
    error: float
    slices: int

    _repr_html_ = record_html


@dataclass(frozen=True, eq=False)
class _Atoms:
    # tokens on the circle: sorted angles in [-pi, pi], and the mass up to and with each

    angles: Array
    labels: Array

    def inverse(self, labels: Array) -> Array:
        turn = np.floor(labels)
        token = np.searchsorted(self.labels[:-1], labels - turn, side="right")
        positions: Array = self.angles[token] + 2 * np.pi * turn
        return positions


def wasserstein_distance(
    first: Measure,
    second: Measure,
    *,
    first_weights: ArrayLike | None = None,
    second_weights: ArrayLike | None = None,
) -> float:
    r"""Wasserstein distance of order two between two measures on the sphere, for the angle between points, in radians.

    .. math:: W_2^2(\mu, \nu) = \min_\pi \int \arccos^2\langle x, y\rangle\,d\pi(x, y)
              = \min_\alpha \int_0^1 (F(u) - G(u - \alpha))^2\,du \quad\text{in dim 2}

    over the couplings of the two; F and G are their quantile functions, :math:`F(u + 1) = F(u) + 2\pi`, and the
    integral is convex in the shift :math:`\alpha`.

    In dim 2 it costs a few dozen sweeps over sorted tokens and is right to 1e-14 radians between tokens and to ten
    digits with densities, eight where both have zeros.  Where both measures fall apart into distant clusters the
    rounding of the masses, times :math:`\pi^2`, adds to the square of the distance.  Other dims call POT, a program of
    O(n^3) and for up to 25 million pairs of tokens; :func:`sliced_wasserstein_distance` takes more.

    :param first: tokens on the sphere, shape (n, dim); a :class:`CircleDensity`; or a run, which stands for its last
        state
    :param second: another of these, in the same dim
    :param first_weights: weights of the tokens of the first, shape (n,), > 0 with sum 1; None (default): 1/n each, or
        those of the run
    :param second_weights: likewise of the second; None (default): 1/n each, or those of the run

    >>> wasserstein_distance([[1.0, 0.0]], [[0.0, -1.0]]) / np.pi
    0.5
    >>> from math import isclose
    >>> isclose(wasserstein_distance(CircleDensity(np.zeros(0)), [[1.0, 0.0]]), np.pi / 3**0.5, rel_tol=1e-14)
    True

    Raises ValueError for bad tokens or weights, a negative density, dims that differ, weights of a density or of a run,
    too many pairs, and where POT is needed and not installed.  Source: Delon, Salomon, Sobolevski, SIAM J. Appl. Math.
    70 (2010) for the shift; its derivative and the quadrature derived here.

    See also :func:`.sliced_wasserstein_distance`, :class:`.DiracDistance`.
    """
    dim, (one, other) = _measures(first, second, first_weights, second_weights)
    if dim == 2:
        return float(np.sqrt(_circle_cost(_on_circle(one), _on_circle(other))))
    return float(np.sqrt(_program_cost(*one, *other)))


def sliced_wasserstein_distance(
    first: Measure,
    second: Measure,
    *,
    first_weights: ArrayLike | None = None,
    second_weights: ArrayLike | None = None,
    slices: int = 200,
    rng: int | np.random.Generator | None = None,
) -> SlicedDistance:
    r"""Spherical sliced Wasserstein distance of order two between tokens in any dim, in radians.

    .. math:: S_2^2(\mu, \nu) = \int W_2^2(P_U \mu, P_U \nu)\,dU, \qquad P_U x = \frac{U^T x}{|U^T x|}

    the mean square distance of their projections on a uniformly random great circle, the plane of which is spanned by
    the columns of U.  It is another distance than :math:`W_2`, equal to it in dim 2 only; its cost is that of sorting.
    The result has the distance as ``value``, its standard ``error`` over the great circles, and ``slices``.

    :param first: tokens on the sphere, shape (n, dim), or a run of tokens, which stands for its last state
    :param second: another of these, in the same dim
    :param first_weights: weights of the tokens of the first, shape (n,), > 0 with sum 1; None (default): 1/n each, or
        those of the run
    :param second_weights: likewise of the second; None (default): 1/n each, or those of the run
    :param slices: number of great circles, >= 2, default 200
    :param rng: seed >= 0 or numpy Generator; None (default): seeded by the system

    >>> poles = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    >>> distance = sliced_wasserstein_distance(poles[:1], poles[1:], rng=0).value
    >>> bool(np.isclose(distance, np.pi, rtol=1e-15))  # great circles keep antipodes apart
    True

    Raises ValueError for bad tokens or weights, a density, dims that differ and ``slices`` < 2.
    Source: Bonet, Berg, Courty, Septier, Drumetz, Pham, arXiv 2206.08780.

    See also :func:`.wasserstein_distance`.
    """
    dim, (one, other) = _measures(first, second, first_weights, second_weights)
    if isinstance(one, CircleDensity) or isinstance(other, CircleDensity):
        name = "first" if isinstance(one, CircleDensity) else "second"
        raise Refused(name, None, "a density lives on the circle, where wasserstein_distance is exact")
    slices = check_whole("slices", slices, 2, why=", for a standard error")
    planes, _ = np.linalg.qr(check_rng(rng).standard_normal((slices, dim, 2)))
    squares = np.array([_circle_cost(*(_on_circle((tokens @ U, w)) for tokens, w in (one, other))) for U in planes])
    value = float(np.sqrt(squares.mean()))
    error = float(squares.std(ddof=1) / np.sqrt(slices)) / (2 * value) if value > 0 else 0.0
    return SlicedDistance(value, error, slices)


def _measures(
    first: Measure, second: Measure, first_weights: ArrayLike | None, second_weights: ArrayLike | None
) -> tuple[int, list[Any]]:
    measures, dims = [], []
    for name, measure, weights in (("first", first, first_weights), ("second", second, second_weights)):
        held: Any = getattr(measure, "density", measure)
        run = hasattr(held, "tokens")
        if (run or isinstance(held, CircleDensity)) and weights is not None:
            what = "they are for an array of tokens; a density or a run has its own masses"
            raise Refused(f"{name}_weights", None, what)
        if isinstance(held, Density) and not isinstance(held, CircleDensity):
            raise Refused(name, None, f"it is a {type(held).__name__}, expected tokens or a density on the circle")
        if not isinstance(held, CircleDensity):
            tokens = check_tokens(held.tokens if run else held, name)
            held = tokens, check_weights(held.weights if run else weights, len(tokens), f"{name}_weights")
        measures.append(held)
        dims.append(2 if isinstance(held, CircleDensity) else tokens.shape[1])
    if dims[0] != dims[1]:
        raise Refused("second", None, f"it has dim {dims[1]} and first has dim {dims[0]}, they must agree")
    return dims[0], measures


def _on_circle(measure: CircleDensity | tuple[Array, Array]) -> _Atoms | Distribution:
    if isinstance(measure, CircleDensity):
        return distribution(measure)
    tokens, weights = measure
    angles = np.arctan2(tokens[:, 1], tokens[:, 0])
    order = np.argsort(angles)
    masses = np.cumsum(weights[order].astype(np.longdouble))
    return _Atoms(angles[order], (masses / masses[-1]).astype(np.float64))


def _circle_cost(first: _Atoms | Distribution, second: _Atoms | Distribution) -> float:
    if isinstance(second, _Atoms):
        first, second = second, first
    shift = brentq(_half_slope(first, second), -2.0, 2.0, xtol=SHIFT_ROUNDING, maxiter=1000)
    if isinstance(second, Distribution):
        widths, apart, density = _matched(first, second, shift)
        return float((widths * density * apart**2).sum() / (2 * np.pi))
    cuts = np.sort(np.concatenate([first.labels, (second.labels + shift) % 1]), kind="stable")
    masses = np.diff(cuts, append=cuts[0] + 1)
    centers = cuts + masses / 2
    masses[masses < MASS_ROUNDING] = 0
    return float(masses @ (first.inverse(centers) - second.inverse(centers - shift)) ** 2 / masses.sum())


def _half_slope(first: _Atoms | Distribution, second: _Atoms | Distribution) -> Callable[[float], float]:
    # of the cost in the shift: the integral of F(u) - G(u - shift) in dF, exact for steps, or in dG; both increase
    if isinstance(first, _Atoms):
        after = np.append(first.angles[1:], first.angles[0] + 2 * np.pi)
        jumps, middles = after - first.angles, (after + first.angles) / 2
        return lambda shift: float(jumps @ (middles - second.inverse(first.labels - shift)))

    def slope(shift: float) -> float:
        assert isinstance(second, Distribution)
        widths, apart, _ = _matched(first, second, shift)
        return float((widths * apart).sum())

    return slope


def _matched(first: _Atoms | Distribution, second: Distribution, shift: float) -> tuple[Array, Array, Array]:
    # Gauss-Legendre in the angle of the second, cut where either quantile function passes to another polynomial
    edges = np.linspace(0.0, 2 * np.pi, len(second.labels))
    images = second.inverse(first.labels - shift) % (2 * np.pi)
    cuts = np.sort(np.concatenate([edges, images]), kind="stable")
    half = np.diff(cuts)[:, None] / 2
    angles = cuts[:-1, None] + half * (1 + NODES)
    label, density = second.at(angles)
    return half * NODE_WEIGHTS, first.inverse(label + shift) - angles, density


def _program_cost(first: Array, first_weights: Array, second: Array, second_weights: Array) -> float:
    try:
        ot: Any = import_module("ot")
    except ImportError as error:
        what = 'pip install "gegenflow[transport]", or take sliced_wasserstein_distance, which does without'
        raise Refused("first", None, f"exact transport in dim 3 and more needs POT: {what}") from error
    if len(first) * len(second) > MOST_PAIRS:
        what = f"{len(first)} tokens against {len(second)} are over {MOST_PAIRS} pairs, too many for exact transport"
        raise Refused("first", None, f"{what}; sliced_wasserstein_distance takes any number")
    squares = (2 * np.arctan2(cdist(first, second), cdist(first, -second))) ** 2
    cost, log = ot.emd2(first_weights, second_weights, squares, numItermax=MOST_PIVOTS, log=True)
    if log["warning"] is not None:
        raise RuntimeError(f"POT did not find the optimal transport: {log['warning']}")
    return float(cost)
