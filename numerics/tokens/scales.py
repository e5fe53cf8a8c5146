"""Clusters at the scale that the tokens themselves have, and how likely uniform tokens would show as much."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, pi, sqrt

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from gegenflow.numerics.tokens.arguments import check_number, check_rng, check_whole
from gegenflow.numerics.tokens.clusters import Labels, cluster_labels
from gegenflow.numerics.tokens.geometry import Array, check_tokens, check_weights, uniform
from gegenflow.numerics.tokens.values import Value, record_html

LOOKED_AT = 1000  # tokens, drawn at random, in which a scale is looked for
WIDTHS = 19  # draws of uniform tokens that say how far apart their last two groups are
HELD = 0.5  # of the weight that groups of least mass must hold at a scale
CLOSEST = 1e-7  # angle below which tokens are one: the cosine no longer tells


@dataclass(frozen=True, eq=False)
class Clustering(Value):
    """Clusters of tokens at their own scale, and how sure it is: what :func:`find_clusters` returns.

    :param labels: number of the cluster of each token, -1 for none, shape (n,)
    :param count: number of clusters, >= 0
    :param angle: the scale, largest angle of a link, in radians
    :param gap: factor, >= 1, by which the angle may grow without a change of the groups
    :param p_value: chance of as large a gap among independent uniform tokens, in (0, 1]

    See also :func:`.find_clusters`.
    """

    labels: Labels
    count: int
    angle: float
    gap: float
    p_value: float

    _repr_html_ = record_html

    def __str__(self) -> str:
        chance = f"p = {self.p_value:.2g} among uniform tokens"
        return f"{self.count} clusters at the angle {self.angle:.3g}, which may grow {self.gap:.3g} times ({chance})"


def find_clusters(
    tokens: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    min_mass: float = 0.01,
    draws: int = 99,
    rng: int | np.random.Generator | None = 0,
) -> Clustering:
    r"""Clusters at the scale at which they last: where the angle may grow the most before the next groups join.

    .. math:: T = \max_j \log\frac{e_{j+1}}{e_j}, \qquad p = \frac{1 + \#\{T_0 \ge T\}}{1 + \text{draws}}

    with the angles :math:`e_1 \le e_2 \le \dots` at which groups of tokens join (the edges of the minimal spanning
    tree), of which those count at which groups of at least ``min_mass`` hold half of the weight, and after the last
    the median of the last among uniform tokens, so that one single cluster is found, too.  The scale is
    :math:`\sqrt{e_j e_{j+1}}`.  The null hypothesis: as many independent uniform tokens with the same weights;
    :math:`T_0` of ``draws`` such sets, so p <= a comes with a chance of at most a.  A scale is looked
    for in at most 1000 tokens, drawn at random, at a cost O(1000^2 dim) a set; labels are those of
    :func:`cluster_labels` of all tokens there, whatever the coherence.

    :param tokens: tokens on the sphere, shape (n, dim)
    :param weights: weights of the tokens, shape (n,), > 0 with sum 1; None (default): 1/n each
    :param min_mass: least share of the weight in a cluster, in [0, 1], default 0.01
    :param draws: sets of uniform tokens to compare with, >= 1, default 99
    :param rng: seed >= 0 or numpy Generator, default 0; None: seeded by the system

    >>> from gegenflow.numerics.tokens.geometry import normalize
    >>> rng = np.random.default_rng(0)
    >>> topics = np.repeat(np.eye(384)[:4], 50, axis=0) * 0.8**0.5  # embeddings of cosine 0.8 within a topic
    >>> spread = rng.standard_normal((200, 384))
    >>> found = find_clusters(normalize(topics + spread * 0.2**0.5 / np.linalg.norm(spread, axis=1)[:, None]))
    >>> found.count, found.p_value
    (4, 0.01)

    Raises ValueError for bad tokens or weights, ``min_mass`` outside [0, 1] and ``draws`` < 1.  Source: derived here
    (single linkage; Monte Carlo test of Barnard, 1963).

    See also :func:`.cluster_labels`, :func:`.cluster_centres`.
    """
    rows = check_tokens(tokens)
    masses = check_weights(weights, len(rows))
    min_mass = check_number("min_mass", min_mass, least=0, most=1)
    draws, generator = check_whole("draws", draws, 1), check_rng(rng)
    seen = np.arange(len(rows))
    if len(rows) > LOOKED_AT:
        seen = generator.choice(len(rows), LOOKED_AT, replace=False)
    own, shares = rows[seen], masses[seen] / masses[seen].sum()
    last = [_joins(uniform(len(own), rows.shape[1], rng=generator))[0] for _ in range(WIDTHS)]
    widest = float(np.median([edges[-1] if len(edges) else pi for edges in last]))
    gap, angle = _lasting(own, shares, min_mass, widest)
    among = [_lasting(uniform(len(own), rows.shape[1], rng=generator), shares, min_mass, widest) for _ in range(draws)]
    chance = (1 + sum(null >= gap for null, _ in among)) / (1 + draws)
    labels = cluster_labels(rows, masses, angle=angle, min_mass=min_mass, coherence=0.0)
    return Clustering(labels, int(labels.max()) + 1, angle, float(np.exp(min(gap, 700.0))), chance)


def _lasting(tokens: Array, weights: Array, min_mass: float, widest: float) -> tuple[float, float]:
    # the largest logarithmic gap between angles of joining that counts, and the angle in its middle
    angles, pairs = _joins(tokens)
    held = _held(pairs, weights, min_mass)
    later = np.append(angles[1:], max(widest, angles[-1])) if len(angles) else np.array([widest])
    gaps = np.where(held >= HELD, np.log(later / (angles if len(angles) else CLOSEST)), -inf)
    best = int(gaps.argmax())
    if not np.isfinite(gaps[best]):
        return 0.0, widest
    first = float(angles[best]) if len(angles) else CLOSEST
    return float(gaps[best]), sqrt(first * float(later[best]))


def _joins(tokens: Array) -> tuple[Array, Labels]:
    # the edges of the minimal spanning tree: angles in rising order, and the tokens that they join
    pairs, overlap = _tree(tokens @ tokens.T)
    order = np.argsort(-overlap, kind="stable")
    angles = np.maximum(np.arccos(np.clip(overlap[order], -1.0, 1.0)), CLOSEST)
    return angles, pairs[order]


@njit(cache=True)
def _tree(overlaps: Array) -> tuple[Labels, Array]:
    # Prim's algorithm on a full matrix
    n = len(overlaps)
    pairs, best = np.empty((n - 1, 2), dtype=np.int64), np.empty(n - 1)
    nearest, near, outside = np.zeros(n, dtype=np.int64), overlaps[0].copy(), np.ones(n, dtype=np.bool_)
    outside[0] = False
    for step in range(n - 1):
        chosen = -1
        for i in range(n):
            if outside[i] and (chosen < 0 or near[i] > near[chosen]):
                chosen = i
        outside[chosen] = False
        pairs[step, 0], pairs[step, 1], best[step] = nearest[chosen], chosen, near[chosen]
        for i in range(n):
            if outside[i] and overlaps[chosen, i] > near[i]:
                near[i], nearest[i] = overlaps[chosen, i], chosen
    return pairs, best


@njit(cache=True)
def _held(pairs: Labels, weights: Array, least: float) -> Array:
    # after each join, the weight in groups of at least the least mass
    n = len(weights)
    parent, mass = np.arange(n), weights.copy()
    held, total = np.empty(max(n - 1, 1)), 0.0
    for i in range(n):
        total += mass[i] if mass[i] >= least else 0.0
    held[0] = total
    for k in range(n - 1):
        a, b = pairs[k]
        while parent[a] != a:
            a = parent[a]
        while parent[b] != b:
            b = parent[b]
        for root in (a, b):
            total -= mass[root] if mass[root] >= least else 0.0
        if mass[a] < mass[b]:
            a, b = b, a
        parent[b] = a
        mass[a] += mass[b]
        total += mass[a] if mass[a] >= least else 0.0
        held[k] = total
    return held
