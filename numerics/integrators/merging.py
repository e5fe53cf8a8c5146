r"""Slow motion: tokens that have come together go on as one weighted cluster.

Tokens in a cluster contract at rate one while the clusters wait for :math:`e^{100}` and longer, which no explicit step
could follow.  Two tokens at a distance :math:`\xi` in the same place x obey, to first order,

.. math:: \dot\xi = \Big(\sum_j p_j (\beta\, y_j y_j^T - c_j)\Big)\xi \ \text{(USA)}, \qquad
          \Big(\beta \operatorname{Cov}_p(y) - \sum_j p_j c_j\Big)\xi \ \text{(SA)}

with :math:`c_j = \langle x, x_j\rangle`, :math:`y_j = P_x x_j` and :math:`p_j = w_j e^{\beta(c_j - 1)}`, divided by
their sum for SA; tokens at x, the two themselves among them, enter with c = 1 and y = 0.  Where the matrix contracts,
putting the two together changes nothing but their distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from gegenflow.numerics.fields.compiled.spreads import watch
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.heads import exponentials
from gegenflow.numerics.integrators.driver import AT_ZERO, Breakdown, Memory, Origin
from gegenflow.numerics.integrators.few_tokens import FewSteps, pulls
from gegenflow.numerics.tokens.geometry import Array, normalize
from gegenflow.numerics.tokens.refusals import Refused

SMALLEST_MERGE = 1e-14
DEFAULT_MERGE = 1e-10
MOST_TOKENS = 5000  # every step looks at all their pairs
REMEDY = "choose a smaller merge, or follow them without merging"


@dataclass(frozen=True, eq=False)
class _Clusters:
    # Who is with whom since when, and how far apart the tokens of each cluster may be, as logarithms.
    labels: NDArray[np.int64]
    masses: Array
    sizes: Array
    since: Array
    few: FewSteps
    met: tuple[tuple[float, int], ...]
    work: NDArray[np.int64]


class MergingSteps:
    r"""A stepper for tokens under exponential attention through any length of time, merging those that come together.

    Tokens at the chord ``merge`` that contract on each other, by :func:`stretching_rates`, go on as one cluster with
    the sum of their weights, at their weighted mean put back on the sphere; the moment is located inside the step.  The
    other arguments are those of :class:`gegenflow.numerics.integrators.few_tokens.FewSteps`, which does the work with a
    dense field on one core: at most 5000 tokens.  States hold all of them; ``merges``, shape=[events, 2], are the times
    at which tokens merged and the number of clusters after; ``labels``, shape=[n], number the cluster of each token.

    A cluster that is pulled apart later, such as a light one on its way into a heavy one, only matters if its tokens
    could come further apart than the tolerance.  A bound on their distance, the integral of the largest stretching
    rate, is carried along; where it reaches the tolerance the stepper breaks down and says so.  Unstable equilibria,
    such as clusters in exact balance, last only as long as rounding allows.

    Two clusters 1 radian apart at beta = 60 wait for a time near :math:`e^{60(1 - \cos 1)}/(120\sin^2 1)`:

    >>> start = np.array([[1.0, 0.0], [np.cos(1e-3), np.sin(1e-3)], [np.cos(1), np.sin(1)]])
    >>> steps = MergingSteps(start, np.array([0.25, 0.25, 0.5]), Flow(beta=60, model="sa"), tol=1e-8, merge=1e-10)
    >>> while steps.time < 1e15:
    ...     steps.advance(1e15)
    >>> met, remaining = steps.merges.T
    >>> remaining, bool(np.isclose(met[1], np.exp(60 * (1 - np.cos(1))) / (120 * np.sin(1) ** 2), rtol=0.02))
    (array([2., 1.]), True)

    Source: derived here.
    """

    hopeless = inf

    def __init__(
        self,
        tokens: Array,
        weights: Array,
        flow: Flow,
        *,
        tol: float,
        merge: float,
        origin: Origin = AT_ZERO,
    ) -> None:
        self.flow, self.tol, self.merge = flow, tol, merge
        n = len(tokens)
        labels, sizes, since = np.arange(n), np.full(n, -inf), np.zeros(n)
        if origin.memory is not None:
            labels, sizes, since = (np.array(origin.memory[name]) for name in ("labels", "sizes", "since"))
        rows, masses = _cluster_rows(tokens, labels), np.bincount(labels, weights).astype(np.float64)
        few = self._few(rows, masses, sizes, origin)
        self.now = self.last = _Clusters(labels, masses, sizes, since, few, (), np.zeros(3, dtype=np.int64))
        self._unite(origin.time)  # those that have met at the start, or as an earlier stepper was interrupted
        self.last = self.now

    @property
    def time(self) -> float:
        return self.now.few.time

    @property
    def counts(self) -> tuple[int, int, int]:
        steps, evaluations, rejected = (self.now.work + self.now.few.counts).tolist()
        return steps, evaluations, rejected

    @property
    def merges(self) -> Array:
        return np.array(self.now.met, dtype=np.float64).reshape(-1, 2)

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.now.labels

    def memory(self, time: float) -> Memory:
        at = self._holder(time)
        return {"labels": at.labels, "sizes": at.sizes.copy(), "since": at.since, **at.few.memory(time)}

    def advance(self, end: float, wanted: float = inf, single: bool = False) -> None:
        self.last = self.now
        try:
            self.now.few.advance(end, wanted, single)
        except FloatingPointError as problem:
            if self.now.sizes.max() <= log(self.tol):
                raise
            torn = self.now.labels == self.now.sizes.argmax()
            when = self.now.since[torn].max()
            raise Breakdown(
                f"the {torn.sum()} tokens merged by t = {when:g} could be pulled apart", REMEDY
            ) from problem
        if self.now.few.met:
            self._unite(self.time)

    def at(self, time: float) -> Array:
        holder = self._holder(time)
        return holder.few.at(time)[holder.labels]

    def _holder(self, time: float) -> _Clusters:
        return self.now if time >= self.time else self.last

    def _few(self, rows: Array, masses: Array, sizes: Array, origin: Origin) -> FewSteps:
        return FewSteps(rows, masses, self.flow, tol=self.tol, origin=origin, merge=self.merge, sizes=sizes)

    def _unite(self, time: float) -> None:
        # all that have met, until no two are left that have
        old = self.now
        rows, masses, sizes, labels, since = old.few.at(time), old.masses, old.sizes, old.labels, old.since.copy()
        while True:
            group = _meetings(rows, stretching_rates(rows, masses, self.flow), self.merge)
            if group.max() + 1 == len(group):
                break
            since[(np.bincount(group) > 1)[group][labels]] = time
            rows, masses, sizes = _united(rows, masses, sizes, group)
            labels = group[labels]
        if len(rows) == len(old.masses):
            return
        few = self._few(rows, masses, sizes, Origin(time, memory=old.few.memory(time)))
        self.now = _Clusters(
            labels, masses, sizes, since, few, (*old.met, (time, len(rows))), old.work + old.few.counts
        )


def default_merge(tol: float) -> float:
    """The distance of merging that serves a tolerance: 1e-10, or a hundredth of it if that is less.

    >>> default_merge(1e-7), default_merge(1e-10)
    (1e-10, 1e-12)
    """
    return min(DEFAULT_MERGE, max(SMALLEST_MERGE, 0.01 * tol))


def check_merge(merge: float, n: int, tolerance: float, flow: Flow) -> None:
    """Refuse a flow that may part tokens, a distance that a tolerance does not resolve, and too many tokens.

    >>> check_merge(1e-3, 10, 1e-8, Flow(beta=1))
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: merge 0.001: it must lie in [1e-14, 1e-09], a tenth of the tolerance
    """
    if flow.causal is not None:
        raise Refused("merge", merge, "under a causal mask tokens that have met see different ones, and part")
    if min((beta for _, beta in exponentials(flow)), default=-1.0) < 0:
        known = "for weights exp(beta t), beta >= 0, without matrices, or in heads with multiples of I"
        raise Refused("merge", merge, f"it knows whether tokens that have met stay together {known}")
    if not SMALLEST_MERGE <= merge <= 0.1 * tolerance * (1 + 1e-9):
        span = f"[{SMALLEST_MERGE:g}, {0.1 * tolerance:g}]"
        raise Refused("merge", merge, f"it must lie in {span}, a tenth of the tolerance")
    if n > MOST_TOKENS:
        raise Refused("merge", merge, f"it takes at most {MOST_TOKENS} tokens, not {n}; let more gather without it")


def stretching_rates(tokens: Array, weights: Array, flow: Flow) -> Array:
    r"""A bound on the rate at which the attention field pulls apart two tokens next to each token, shape=[n].

    .. math:: s_i = \sum_j p_j \big(\beta (1 - c_j^2) - c_j\big) \ \text{(USA)}, \qquad
              s_i = \sum_j p_j \big(\beta (1 - c_j^2) - c_j\big) - \beta |v_i|^2 \ \text{(SA)}

    with :math:`c_j = \langle x_i, x_j\rangle`, :math:`p_j = w_j e^{\beta(c_j - 1)}`, divided by its sum for SA, and the
    velocity :math:`v_i`; in units of :math:`e^\beta` (USA) or one (SA).  The trace of a positive matrix bounds its
    largest eigenvalue: in dim 2 this is the rate itself.  It is negative where tokens contract from all sides.  Several
    heads add up, in units of the largest :math:`e^\beta` (USA); of one that repels, beyond dim 2, the spread is left
    out, for no eigenvalue of it need be far from zero.

    Tokens that have met contract at the rate of their own weight, here against one other cluster a quarter turn away:

    >>> tokens, weights = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.array([0.25, 0.25, 0.5])
    >>> bool(np.allclose(stretching_rates(tokens, weights, Flow(beta=3))[0], -0.5 + 0.5 * 3 * np.exp(-3), rtol=1e-14))
    True

    Source: derived here, and compared with differences of the field in the tests.
    """
    rates = np.empty(len(tokens))
    watch(tokens, weights, *pulls(flow), flow.model == "sa", rates)
    return rates


def _cluster_rows(tokens: Array, labels: NDArray[np.int64]) -> Array:
    # one row of each cluster, whose tokens are all in one place
    first = np.unique(labels, return_index=True)[1]
    return np.array(tokens[first], dtype=np.float64)


def _meetings(tokens: Array, stretching: Array, merge: float) -> NDArray[np.int64]:
    # The group of each token, linked to its nearest within merge where both contract; for many in one place, repeat.
    n = len(tokens)
    _, near = cKDTree(tokens).query(tokens, k=2, distance_upper_bound=merge)
    pairs = np.column_stack([np.repeat(np.arange(n), 2), near.ravel()])
    pairs = pairs[pairs[:, 1] < n]
    pairs = pairs[(stretching[pairs] < 0).all(axis=1)]
    links = coo_array((np.ones(len(pairs)), pairs.T), shape=(n, n))
    group: NDArray[np.int64] = connected_components(links, directed=False)[1].astype(np.int64)
    return group


def _united(tokens: Array, weights: Array, sizes: Array, group: NDArray[np.int64]) -> tuple[Array, Array, Array]:
    # Groups as clusters, with the logarithm of a bound on the distance of any two of their tokens.
    masses: Array = np.bincount(group, weights).astype(np.float64)
    clusters = normalize(np.column_stack([np.bincount(group, weights * column) for column in tokens.T]))
    alone = np.bincount(group)[group] == 1
    clusters[group[alone]] = tokens[alone]
    reach = np.linalg.norm(tokens - clusters[group], axis=1) + np.exp(sizes)
    order, count = np.lexsort((reach, group)), np.bincount(group)
    last = np.cumsum(count) - 1
    largest = reach[order[last]] + np.where(count > 1, reach[order[last - 1]], 0.0)
    with np.errstate(divide="ignore"):
        grown = np.log(largest)
    grown[group[alone]] = sizes[alone]
    return clusters, masses, grown
