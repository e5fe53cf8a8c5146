r"""Many pairs of tokens through layers with random weights, in one compiled loop.

Layers are alike in all directions, so that two tokens need only the plane that they span and, of what leaves it, the
lengths and the angle: numbers of Bartlett's factor of a Wishart matrix. The difference of the tokens is carried along
by itself, so that a distance of 1e-100 is as exact as one of 1.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numba import get_num_threads, njit
from numpy.typing import ArrayLike, NDArray

from gegenflow.numerics.fields.random_fields import covariance
from gegenflow.numerics.flows.activations import activation_function
from gegenflow.numerics.flows.flow import Flow, check_parts
from gegenflow.numerics.flows.parts import RandomLayers
from gegenflow.numerics.integrators.layers import fixed_step
from gegenflow.numerics.integrators.stochastic import check_pace_of_noise
from gegenflow.numerics.tokens.arguments import check_array, check_dim, check_number, check_rng, check_whole
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused

MOST_RUNS = 10**8
SMALLEST = 1e-200
"""Distance at which two tokens are one."""
SHARES = 32
"""Parts of the runs, each with a stream of its own, whatever the number of threads."""


class _Pair(NamedTuple):
    # what a layer does to a pair: its step, the attention, the table of gaps of its field, the rest of the dim
    step: float
    beta: float
    divided: bool
    unit: float
    attends: bool
    values: bool
    own: float
    table: Array
    order: int
    beyond: int


def pair_distances(
    flow: Flow,
    dim: int,
    *,
    overlap: float,
    times: ArrayLike,
    runs: int,
    step: float | None = None,
    rng: int | np.random.Generator | None = None,
) -> Array:
    r"""Distances :math:`|x - y|` of two tokens in independent runs through random layers, shape=[runs, times].

    .. math:: \langle x, y\rangle = 1 - |x - y|^2/2

    Of a network of finite width the m pairs of inner numbers are drawn, of the limit its Gaussian field.  At a time
    within a layer the pair is that before it.  The result depends on ``rng`` alone, not on the number of threads.

    :param flow: what moves the pairs, a :class:`Flow` with random layers, and beta or no weight
    :param dim: d of the sphere S^{d-1}, >= 2
    :param overlap: of the pairs at time 0, >= -1 and < 1
    :param times: when to look, >= 0, not decreasing, shape (times,), in units of the flow
    :param runs: number of pairs, >= 1 and <= 10**8
    :param step: in time, > 0 and <= the last of the times, of the limit in which layers are infinitely many;
        None (default): that of :func:`gegenflow.numerics.integrators.layers.fixed_step`
    :param rng: seed >= 0 or numpy Generator; None (default): seeded by the system

    For the linear activation, K(r) = r, in dim 2 the overlap starts with the drift :math:`-r(1 - r^2)` and the variance
    :math:`2(1 - r^2)^2`:

    >>> flow = Flow(random_layers=RandomLayers("linear", layers=500))
    >>> distances = pair_distances(flow, 2, overlap=0.5, times=[0.0, 0.02], runs=40_000, rng=0)
    >>> start, end = 1 - distances.T**2 / 2
    >>> bool(abs((end.mean() - 0.5) / 0.02 + 0.375) < 0.05), bool(abs(end.var() / 0.02 - 2 * 0.75**2) < 0.05)
    (True, True)

    Raises ValueError for a flow without random layers, with other parts or a kernel, and numbers out of range. Source:
    arXiv 2604.26898 for the system; the scheme is derived here.

    See also :class:`.RandomLayers`, :func:`.simulate`.
    """
    if not isinstance(flow, Flow) or flow.random_layers is None:
        raise Refused("flow", repr(flow), "a flow with random_layers is needed")
    check_parts(flow, "pair_distances", "random_layers")
    if flow.kernel is not None:
        raise Refused("kernel", None, "pair_distances takes beta, or no weight")
    start = check_number("overlap", overlap, least=-1.0, below=1.0)
    count, stream = check_whole("runs", runs, 1, MOST_RUNS), check_rng(rng)
    saved = check_array("times", times, "(times,)", None)
    if not len(saved) or (np.diff(saved, prepend=0.0) < 0).any():
        raise Refused("times", None, "they must be >= 0 and must not decrease")
    if step is not None and flow.random_layers.layers is None and saved[-1] > 0:
        check_number("step", step, above=0.0, most=float(saved[-1]))
    size = fixed_step(flow, check_dim(dim), step)
    check_pace_of_noise(size, float(saved[-1]), "times")
    pair = _pair(flow, dim, size)
    layers = np.floor(saved / size + 1e-9).astype(np.int64)
    distances = np.full((count, len(saved)), np.sqrt(2 * (1 - start)))
    part = flow.random_layers
    shares = np.array_split(np.arange(count), min(SHARES, count))
    streams = stream.spawn(len(shares))

    def follow(rows: NDArray[np.int64], own: np.random.Generator) -> None:
        found = distances[rows]
        if part.width is None:
            _follow(found, layers, pair, own)
        else:
            _through_networks(found, layers, pair, part, own)
        distances[rows] = found

    with ThreadPoolExecutor(get_num_threads()) as pool:
        list(pool.map(follow, shares, streams))
    return distances


def _pair(flow: Flow, dim: int, step: float) -> _Pair:
    part = flow.random_layers
    assert part is not None
    own, table, order = 0.0, np.zeros(4), 2
    if part.activation is not None and part.width is None:
        field = covariance(part.activation)
        own, table, order = field.own, field.table, field.order
    beta, unit = flow.beta or 0.0, 1.0 if flow.model == "sa" else flow.unit
    return _Pair(step, beta, flow.model == "sa", unit, flow.attends, part.values, own, table, order, dim - 2)


def _through_networks(
    distances: Array, layers: NDArray[np.int64], pair: _Pair, part: RandomLayers, rng: np.random.Generator
) -> None:
    """The same with networks of finite width, whose outer weights, given the inner ones, are a Gaussian field."""
    assert part.activation is not None
    assert part.width is not None
    function, width = activation_function(part.activation), part.width
    distance, done = distances[:, 0].copy(), 0
    for column, count in enumerate(layers):
        for _ in range(done, count):
            inner = rng.standard_normal((2, len(distance), width))
            half = (distance / 2)[:, None]
            turned = inner[0] + 2 * half * (np.sqrt(1 - half**2) * inner[1] - half * inner[0])
            first = function(inner[0])
            change = function(turned) - first
            squares, products, changes = first * first, first * change, change * change
            _one_layer(distance, squares.mean(axis=1), products.mean(axis=1), changes.mean(axis=1), pair, rng)
        distances[:, column], done = distance, max(done, count)


@njit(cache=True, nogil=True, error_model="numpy")
def _follow(distances: Array, layers: NDArray[np.int64], pair: _Pair, rng: np.random.Generator) -> None:
    for run in range(len(distances)):
        distance, done = distances[run, 0], 0
        for column in range(len(layers)):
            for _ in range(done, layers[column]):
                gap = _gap(pair, distance)
                distance = _layer(pair, distance, pair.own, -gap, 2.0 * gap, rng)
            distances[run, column], done = distance, max(done, layers[column])


@njit(cache=True, nogil=True, error_model="numpy")
def _one_layer(
    distance: Array, first: Array, cross: Array, change: Array, pair: _Pair, rng: np.random.Generator
) -> None:
    for run in range(len(distance)):
        distance[run] = _layer(pair, distance[run], first[run], cross[run], change[run], rng)


@njit(cache=True, nogil=True, error_model="numpy")
def _gap(pair: _Pair, distance: float) -> float:
    # from the table, by the cubic through four of its places
    if pair.own == 0.0:
        return 0.0
    half = min(0.5 * distance, 1.0)
    place = 2.0 * np.arcsin(half) / np.pi * (len(pair.table) - 1)
    i = min(max(int(place) - 1, 0), len(pair.table) - 4)
    x = place - i
    a, b, c, d = pair.table[i], pair.table[i + 1], pair.table[i + 2], pair.table[i + 3]
    outer = (x - 1.0) * (x - 2.0) * (d * x - a * (x - 3.0)) / 6.0
    inner = x * (x - 3.0) * (b * (x - 2.0) - c * (x - 1.0)) / 2.0
    gap: float = (outer + inner) * half**pair.order
    return gap


@njit(cache=True, nogil=True, error_model="numpy")
def _chi(freedom: int, rng: np.random.Generator) -> float:
    total = 0.0
    if freedom > 6:
        total = rng.chisquare(freedom)
    else:
        for _ in range(freedom):
            total += rng.standard_normal() ** 2
    root: float = np.sqrt(total)
    return root


@njit(cache=True, nogil=True, error_model="numpy")
def _layer(pair: _Pair, distance: float, first: float, cross: float, change: float, rng: np.random.Generator) -> float:
    # x = (1, 0), y = x + w; pushes of x have the variance ``first``, those of y - x ``change``, both the covariance
    # ``cross``; what leaves the plane in dim - 2 further directions is told by two of them
    if distance < SMALLEST:
        return 0.0
    below, side = -0.5 * distance**2, distance * np.sqrt(max(1.0 - 0.25 * distance**2, 0.0))
    pull = 0.0
    if pair.attends:
        other = np.exp(pair.beta * below)
        mine, other = (1.0 / (1.0 + other), other / (1.0 + other)) if pair.divided else (0.5, 0.5 * other)
        mine, other = mine * pair.unit, other * pair.unit
        if pair.values:
            apart = -((mine - other) ** 2) * below
            first += (mine + other) ** 2 + 2.0 * mine * other * below
            cross -= apart
            change += 2.0 * apart
        else:
            pull = pair.step * other
    root = np.sqrt(pair.step)
    own = np.sqrt(first)
    along = cross / own if own > 0.0 else 0.0
    across = root * np.sqrt(max(change - along**2, 0.0))
    own, along = root * own, root * along
    n1, n2, n3, n4 = rng.standard_normal(), rng.standard_normal(), rng.standard_normal(), rng.standard_normal()
    u1 = u2 = u3 = 0.0
    if pair.beyond > 0:
        u1, u2 = _chi(pair.beyond, rng), rng.standard_normal()
        u3 = _chi(pair.beyond - 1, rng)
    x0, x1, x2 = 1.0 + own * n1, own * n2 + pull * side, own * u1
    back = 1.0 - pull * (2.0 + below)
    w0, w1 = back * below + along * n1 + across * n3, back * side + along * n2 + across * n4
    w2, w3 = along * u1 + across * u2, across * u3
    square = x0**2 + x1**2 + x2**2
    grown = w0 * (2.0 * x0 + w0) + w1 * (2.0 * x1 + w1) + w2 * (2.0 * x2 + w2) + w3**2
    length, other_length = np.sqrt(square), np.sqrt(square + grown)
    shrink = -grown / (length * (length + other_length))
    d0, d1, d2 = w0 + shrink * x0, w1 + shrink * x1, w2 + shrink * x2
    after: float = np.sqrt(d0**2 + d1**2 + d2**2 + w3**2) / other_length
    return after
