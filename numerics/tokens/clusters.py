"""Clusters of tokens: connected groups that hold enough weight and point one way."""

from __future__ import annotations

from math import pi, sin, sqrt

import numpy as np
from numba import njit, prange
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from gegenflow.numerics.tokens.arguments import check_number, real_array
from gegenflow.numerics.tokens.compiling import one_at_a_time
from gegenflow.numerics.tokens.geometry import Array, check_tokens, check_weights, normalize
from gegenflow.numerics.tokens.refusals import Refused

Labels = NDArray[np.int64]

FINEST_CUBES = 1e-5  # angle from which the numbers of the cubes along one axis fit into 21 bits
FINEST = 1e-17  # distance below which tokens in one cube are one: cubes have no smaller numbers
SLACK = 1 + 4 * 2.0**-52  # of squared distances, so that orthogonal tokens are within pi/2


def cluster_labels(
    tokens: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    angle: float = 0.1,
    min_mass: float = 0.01,
    coherence: float = 0.9,
) -> Labels:
    r"""Number of the cluster that each token belongs to, or -1, shape=[n].

    Tokens within ``angle`` are linked, :math:`\langle x_i, x_j\rangle \ge \cos(\text{angle})`; a connected
    group is a cluster if it holds at least ``min_mass`` of the weight and its mean vector has length at
    least ``coherence``, so that tokens spread over the sphere are no cluster: tokens of mean cosine c with each other
    have one of about :math:`\sqrt c`, embeddings of one topic in a high dim well below 0.9, and 0 takes any group.
    Cluster 0 is the heaviest.  Distances are those of differences, so any angle will do, identical tokens are one at
    each.  Costs O(n log n) in dim 2, about that in dim 3, otherwise O(n) memory, time O(n) for each tight cluster and
    O(n^2) for scattered tokens.

    :param tokens: tokens on the sphere, shape (n, dim)
    :param weights: weights of the tokens, shape (n,), > 0 with sum 1; None (default): 1/n each
    :param angle: largest angle of a link, in radians, > 0 and <= pi, default 0.1
    :param min_mass: least share of the weight in a cluster, in [0, 1], default 0.01
    :param coherence: least length of the mean of a cluster, in [0, 1], default 0.9

    >>> cluster_labels([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    array([1, 0, 0])
    >>> cluster_labels([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], min_mass=0.5)
    array([-1,  0,  0])

    Raises ValueError for bad tokens or weights, ``angle`` outside (0, pi], ``min_mass`` or ``coherence`` outside
    [0, 1].

    See also :func:`.find_clusters`, which chooses the scale, :func:`.cluster_centres`, :class:`.Clusters`.
    """
    tokens = check_tokens(tokens)
    weights = check_weights(weights, len(tokens))
    angle = check_number("angle", angle, above=0, most=pi)
    min_mass = check_number("min_mass", min_mass, least=0, most=1)
    coherence = check_number("coherence", coherence, least=0, most=1)
    dim, most = tokens.shape[1], SLACK * (2 * sin(angle / 2)) ** 2
    group = _arcs(tokens, angle) if dim == 2 else _patches(tokens, most) if dim == 3 else _components(tokens, most)
    mass = np.bincount(group, weights)
    mean = np.column_stack([np.bincount(group, weights * column) for column in tokens.T]) / mass[:, None]
    kept = np.flatnonzero((mass >= min_mass) & (np.linalg.norm(mean, axis=1) >= coherence * (1 - 1e-12)))
    number = np.full(len(mass), -1)
    number[kept[np.argsort(-mass[kept], kind="stable")]] = np.arange(len(kept))
    return number[group]


def cluster_centres(tokens: ArrayLike, labels: ArrayLike) -> Array:
    """Mean directions of the clusters 0, 1, ... that :func:`cluster_labels` found, unit rows, shape=[clusters, dim].

    :param tokens: tokens on the sphere, shape (n, dim)
    :param labels: number of the cluster of each token, shape (n,): 0, 1, ... without a gap, -1 for none

    >>> tokens = np.array([[0.6, 0.8], [0.6, -0.8], [0.0, 1.0]])
    >>> cluster_centres(tokens, np.array([0, 0, 1]))
    array([[1., 0.],
           [0., 1.]])

    Raises ValueError where there is no cluster, and for labels of another shape or with a number left out.

    Source: derived here.
    """
    rows, numbers = check_tokens(tokens), real_array("labels", labels)
    if numbers.shape != (len(rows),):
        raise Refused("labels", None, f"they have shape {numbers.shape}, {len(rows)} tokens need ({len(rows)},)")
    found = np.unique(numbers[numbers != -1])
    if not (found.size and np.array_equal(found, np.arange(found.size))):
        raise Refused("labels", None, "clusters are numbered from 0 on, and there must be one; -1 is none")
    sums = np.array([rows[numbers == label].sum(axis=0) for label in found])
    return normalize(sums)


def _arcs(tokens: Array, angle: float) -> Labels:
    # a group is a run of sorted tokens without a gap above the angle; the last run may wrap around
    theta = np.arctan2(tokens[:, 1], tokens[:, 0])
    order = np.argsort(theta)
    gaps = np.diff(theta[order], prepend=theta[order[-1]] - 2 * pi)
    run = np.cumsum(gaps > angle)
    group = np.empty(len(theta), dtype=np.int64)
    group[order] = run % max(run[-1], 1)
    return group


def _patches(tokens: Array, most: float) -> Labels:
    # Tokens in one cube of diagonal ``chord`` are linked; cubes are linked if two of their tokens are.
    chord = max(sqrt(most), FINEST)
    corner = np.floor(tokens / (chord / sqrt(3))).astype(np.int64)
    if chord >= FINEST_CUBES:
        _, cube, sizes = np.unique(corner @ [1, 2**21, 2**42], return_inverse=True, return_counts=True)
    else:
        _, cube, sizes = np.unique(corner, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(cube, kind="stable")
    ends = np.cumsum(sizes)
    starts = ends - sizes
    low, high = (extreme.reduceat(tokens[order], starts) for extreme in (np.minimum, np.maximum))
    near = cKDTree((low + high) / 2).query_pairs(2 * chord, output_type="ndarray")
    links = near[_linked(tokens[order], starts, ends, low, high, near, most)]
    graph = coo_array((np.ones(len(links)), links.T), shape=(len(sizes), len(sizes)))
    group: Labels = connected_components(graph, directed=False)[1].astype(np.int64)[cube]
    return group


@njit(cache=True)
def _box_distance(x: Array, low: Array, high: Array) -> float:
    # squared, of a point from a box
    total = 0.0
    for c in range(3):
        gap = max(low[c] - x[c], x[c] - high[c], 0.0)
        total += gap * gap
    return total


@one_at_a_time
@njit(cache=True, parallel=True)
def _linked(
    tokens: Array, starts: Labels, ends: Labels, low: Array, high: Array, pairs: Labels, most: float
) -> NDArray[np.bool_]:
    linked = np.zeros(len(pairs), dtype=np.bool_)
    for k in prange(len(pairs)):
        a, b = pairs[k]
        for i in range(starts[a], ends[a]):
            if linked[k]:
                break
            if _box_distance(tokens[i], low[b], high[b]) > most:
                continue
            for j in range(starts[b], ends[b]):
                square = 0.0
                for c in range(3):
                    square += (tokens[i, c] - tokens[j, c]) ** 2
                if square <= most:
                    linked[k] = True
                    break
    return linked


@njit(cache=True)
def _components(tokens: Array, most: float) -> Labels:
    # breadth-first search; a token leaves the pool as soon as it is reached
    n, dim = tokens.shape
    group = np.empty(n, dtype=np.int64)
    pool, queue = np.arange(n), np.empty(n, dtype=np.int64)
    left, count = n, 0
    while left > 0:
        left -= 1
        queue[0] = pool[left]
        group[queue[0]] = count
        done, found = 0, 1
        while done < found:
            centre = tokens[queue[done]]
            done += 1
            kept = 0
            for k in range(left):
                candidate = pool[k]
                square = 0.0
                for c in range(dim):
                    square += (centre[c] - tokens[candidate, c]) ** 2
                if square <= most:
                    group[candidate] = count
                    queue[found] = candidate
                    found += 1
                else:
                    pool[kept] = candidate
                    kept += 1
            left = kept
        count += 1
    return group
