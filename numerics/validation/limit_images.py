r"""Densities at low temperature beside where the limit sends them, by sums of their own: the field, fall and drift.

Averages here are plain softmax sums over quadrature nodes, in points that need not be unit vectors, and a density that
is symmetric in each coordinate is followed in one octant alone.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from gegenflow.numerics.densities.wasserstein import wasserstein_distance
from gegenflow.numerics.integrators.paths import integrate
from gegenflow.numerics.tokens.geometry import Array, normalize, quadrature, uniform
from gegenflow.numerics.validation.measurements import Unfinished

VALUES = np.array([1.0, 1.0, -0.5])
TILT = 0.5
SIGNS = np.array(list(product([1, -1], repeat=3)))


def softmax_average(points: Array, sources: Array, weights: Array, beta: float) -> Array:
    """Average of the sources with weights w_j exp(beta <x, y_j>) at each point, shape=[points, dim].

    >>> softmax_average(np.array([[2.0, 0.0]]), np.eye(2), np.full(2, 0.5), 0.0)
    array([[0.5, 0.5]])
    """
    score = beta * points @ sources.T
    share = np.exp(score - score.max(axis=1, keepdims=True)) * weights
    average: Array = share @ sources / share.sum(axis=1, keepdims=True)
    return average


def field_errors(dim: int, betas: Array, rng: np.random.Generator) -> Array:
    r"""How far velocities at random points are from :math:`P_x V B^T x/|B^Tx|`, and from that with a correction.

    V and B are random, and the density is :math:`\propto e^{0.8 x_1}`: the first correction of its softmax average is
    :math:`(P \nabla\log\mu - \tfrac{d-1}{2} y)/(\beta|B^Tx|)` at :math:`y = B^Tx/|B^Tx|`.
    Root mean squares, shape=[betas, 2].

    >>> errors = field_errors(2, np.array([20.0, 40.0]), np.random.default_rng(0))
    >>> (errors[0] / errors[1]).round(1)
    array([2., 4.])
    """
    points, tilt = uniform(12, dim, rng=rng), 0.8 * np.eye(dim)[0]
    values, form = np.eye(dim) + 0.4 * rng.standard_normal((2, dim, dim))
    scores = points @ form
    reach = np.linalg.norm(scores, axis=1, keepdims=True)
    limit = scores / reach
    slope = tilt - (limit @ tilt)[:, None] * limit - (dim - 1) / 2 * limit
    errors = []
    for beta in betas:
        sources, weights = quadrature(dim, 40 + int(14 * np.sqrt(beta * reach.max())))
        average = softmax_average(scores, sources, weights * np.exp(sources @ tilt), beta)
        pulls = [part @ values.T for part in (average - limit, average - limit - slope / (beta * reach))]
        tangent = [pull - np.sum(pull * points, axis=1, keepdims=True) * points for pull in pulls]
        errors.append([np.sqrt(np.mean(np.sum(v**2, axis=1))) for v in tangent])
    return np.array(errors)


def octant(latitudes: int, longitudes: int) -> tuple[Array, Array]:
    """Tokens in one octant of the sphere with the weights of the density 1 + TILT (x^2 - y^2), which add up to one.

    >>> tokens, weights = octant(8, 8)
    >>> bool(abs(8 * weights @ tokens[:, 2] ** 2 / 8 - 1 / 3) < 1e-12)
    True
    """
    height, mass = (part[latitudes:] for part in np.polynomial.legendre.leggauss(2 * latitudes))
    angle = (np.arange(longitudes) + 0.5) * np.pi / (2 * longitudes)
    radius = np.sqrt(1 - height**2)
    equator = np.column_stack([np.cos(angle), np.sin(angle)])
    tokens = np.column_stack([np.kron(radius[:, None], equator), np.repeat(height, longitudes)])
    weights = np.repeat(mass, longitudes) * (1 + TILT * (tokens[:, 0] ** 2 - tokens[:, 1] ** 2))
    return tokens, weights / weights.sum()


def image_distances(beta: float, times: Array, latitudes: int, longitudes: int) -> tuple[Array, Array]:
    r"""W_2 from the image of the start on the equator, and its part along the equator, each shape=[times].

    For V = diag(1, 1, -1/2) and B = I. Latitude and longitude are transported one by one,
    :math:`W_2^2 = E\,\text{lat}^2 + W_2(\text{longitudes})^2`, which a linear program over all tokens confirmed.

    >>> distances, along = image_distances(10.0, np.array([0.0, 0.5]), 6, 6)
    >>> bool(distances[1] < distances[0]), along.round(2)
    (True, array([0.  , 0.03]))
    """
    start, weights = octant(latitudes, longitudes)
    all_weights, history = np.tile(weights / 8, 8), list[Array]()

    def field(state: Array, out: Array) -> None:
        pull = VALUES * softmax_average(state, (state * SIGNS[:, None]).reshape(-1, 3), all_weights, beta)
        out[:] = pull - np.sum(pull * state, axis=1, keepdims=True) * state

    options = {"save_at": times, "order": 5, "rtol": 1e-6, "observe": lambda _, x: history.append(x.copy())}
    end = integrate(field, start, t_end=float(times[-1]), **options)  # type: ignore[arg-type]
    if not end.status.ok:
        raise Unfinished(str(end.status))

    def along(state: Array) -> Array:
        return normalize((state * SIGNS[::2, None]).reshape(-1, 3)[:, :2])

    first, mass = along(start), np.tile(weights / 4, 4)
    turned = [wasserstein_distance(along(x), first, first_weights=mass, second_weights=mass) for x in history]
    raised = [np.sqrt(weights @ np.arcsin(x[:, 2]) ** 2) for x in history]
    return np.hypot(raised, turned), np.array(turned)


def fall(gap: float, times: Array, tokens: Array, weights: Array) -> Array:
    """That distance where tan(latitude) decays as exp(-gap t) on every meridian, shape=[times].

    >>> fall(1.5, np.array([0.0, 10.0]), *octant(20, 20)).round(3)
    array([0.684, 0.   ])
    """
    steepness = tokens[:, 2] / np.hypot(*tokens.T[:2])
    return np.sqrt([weights @ np.arctan(np.exp(-gap * time) * steepness) ** 2 for time in times])
