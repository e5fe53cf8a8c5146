r"""Slow motion: tokens that have come together go on as one weighted cluster.

Tokens in a cluster contract at rate one while the clusters wait for :math:`e^{100}` and longer, which no explicit step
could follow.  Two tokens at a distance :math:`\xi` in the same place x obey, to first order,

.. math:: \dot\xi = \Big(\sum_j p_j (\beta\, y_j y_j^T - c_j)\Big)\xi \ \text{(USA)}, \qquad
          \Big(\beta \operatorname{Cov}_p(y) - \sum_j p_j c_j\Big)\xi \ \text{(SA)}

with :math:`c_j = \langle x, x_j\rangle`, :math:`y_j = P_x x_j` and :math:`p_j = w_j e^{\beta(c_j - 1)}`, divided by
their sum for SA; tokens at x, the two themselves among them, enter with c = 1 and y = 0.  Where the matrix contracts,
putting the two together changes nothing but their distance.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from gegenflow.numerics.fields.flow import Flow, check_parts
from gegenflow.numerics.integrators.driver import Status, broken_off
from gegenflow.numerics.integrators.few_tokens import _watch, integrate_few
from gegenflow.numerics.tokens.arguments import check_times
from gegenflow.numerics.tokens.geometry import Array, check_tokens, check_weights, normalize

SMALLEST_MERGE = 1e-14
DEFAULT_MERGE = 1e-10
MOST_TOKENS = 5000  # every step looks at all their pairs


@dataclass(frozen=True, eq=False)
class Merging:
    """Outcome of :func:`integrate_merging`: all ``tokens`` shape=[n, dim] at time ``reached``; ``t`` the saved times.

    ``labels`` shape=[n] number the cluster of each token at the end; the k-th time at which tokens merged is
    ``merged[k]`` and left ``remaining[k]`` clusters.
    """

    t: Array
    tokens: Array
    reached: float
    steps: int
    evaluations: int
    status: Status
    labels: NDArray[np.int64]
    merged: Array
    remaining: NDArray[np.int64]


def integrate_merging(
    tokens: ArrayLike,
    weights: ArrayLike | None,
    beta: float,
    *,
    model: str = "usa",
    merge: float | None = None,
    t_end: float,
    save_at: ArrayLike | None = None,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    first_step: float | None = None,
    on_save: Callable[[float, Array], object] = lambda t, tokens: None,
    progress: bool = False,
) -> Merging:
    r"""Follow tokens under exponential attention through any length of time, merging those that have come together.

    Tokens closer than the chord ``merge`` that contract on each other, by :func:`stretching_rates`, go on as one
    cluster with the sum of their weights, at their weighted mean put back on the sphere; ``merge`` lies in
    [1e-14, (``rtol`` + ``atol``)/10], by default 1e-10 or a hundredth of ``rtol`` + ``atol`` if less.  The other
    arguments are those of :func:`gegenflow.numerics.integrators.few_tokens.integrate_few`, which does the work with a
    dense field on one core: at most 5000 tokens.  ``on_save`` receives all of them.

    A cluster that is pulled apart later, such as a light one on its way into a heavy one, only matters if its tokens
    could come further apart than the tolerance.  A bound on their distance, the integral of the largest stretching
    rate, is carried along; where it reaches the tolerance the run stops and ``status`` says so.  Unstable
    equilibria, such as clusters in exact balance, last only as long as rounding allows.

    Two clusters 1 radian apart at beta = 60 wait for a time near :math:`e^{60(1 - \cos 1)}/(120\sin^2 1)`:

    >>> start = [[1.0, 0.0], [np.cos(1e-3), np.sin(1e-3)], [np.cos(1), np.sin(1)]]
    >>> end = integrate_merging(start, [0.25, 0.25, 0.5], 60.0, model="sa", t_end=1e15)
    >>> end.remaining, bool(np.isclose(end.merged[1], np.exp(60 * (1 - np.cos(1))) / (120 * np.sin(1) ** 2), rtol=0.02))
    (array([2, 1]), True)

    Raises ValueError for a bad ``merge`` and all that :func:`gegenflow.numerics.integrators.few_tokens.integrate_few`
    refuses. Source: derived here.
    """
    check_parts(Flow(beta=beta, model=model), "merge", smallest_beta=0.0)
    start = check_tokens(tokens)
    masses = check_weights(weights, len(start))
    times = check_times(save_at, t_end)
    merge = min(DEFAULT_MERGE, max(SMALLEST_MERGE, 0.01 * (rtol + atol))) if merge is None else merge
    check_merge(merge, len(start), rtol + atol)
    clusters, labels, sizes = start, np.arange(len(start)), np.full(len(start), -np.inf)
    reached, saved, steps, evaluations = 0.0, 0, 0, 0
    merged: list[float] = []
    remaining: list[int] = []
    since = np.zeros(len(start))
    while True:
        count = len(clusters)
        while True:
            group = _meetings(clusters, stretching_rates(clusters, masses, beta, model), merge)
            if group.max() + 1 == len(group):
                break
            since[(np.bincount(group) > 1)[group][labels]] = reached
            clusters, masses, sizes = _united(clusters, masses, sizes, group)
            labels = group[labels]
        if len(clusters) < count:
            merged.append(reached)
            remaining.append(len(clusters))
        part = integrate_few(
            clusters,
            masses,
            beta,
            model=model,
            t_end=t_end,
            t_start=reached,
            save_at=times[saved:],
            rtol=rtol,
            atol=atol,
            first_step=first_step,
            merge=merge,
            sizes=sizes,
            on_save=partial(_expanded, on_save, labels),
            progress=progress,
        )
        clusters, reached, first_step = part.tokens, part.reached, part.next_step
        saved, steps, evaluations = saved + len(part.t), steps + part.steps, evaluations + part.evaluations
        if not part.stopped:
            break
    status = part.status
    if sizes.max() > log(rtol + atol):
        torn = labels == sizes.argmax()
        problem = f"the {torn.sum()} tokens merged by t = {since[torn].max():g} could be pulled apart"
        remedy = "choose a smaller merge, or follow them without merging"
        status = broken_off(FloatingPointError(problem), reached, t_end, remedy)
    return Merging(
        t=times[:saved],
        tokens=clusters[labels],
        reached=reached,
        steps=steps,
        evaluations=evaluations,
        status=status,
        labels=labels,
        merged=np.array(merged),
        remaining=np.array(remaining, dtype=np.int64),
    )


def check_merge(merge: float, n: int, tolerance: float) -> None:
    """Refuse a distance of merging that a tolerance does not resolve, and more tokens than can be watched in pairs.

    >>> check_merge(1e-3, 10, 1e-8)
    Traceback (most recent call last):
    ValueError: merge is 0.001: it must lie in [1e-14, 1e-09], up to a tenth of rtol + atol
    """
    if not SMALLEST_MERGE <= merge <= 0.1 * tolerance * (1 + 1e-9):
        span = f"[{SMALLEST_MERGE:g}, {0.1 * tolerance:g}]"
        raise ValueError(f"merge is {merge}: it must lie in {span}, up to a tenth of rtol + atol")
    if n > MOST_TOKENS:
        raise ValueError(f"merge is {merge} with {n} tokens: at most {MOST_TOKENS}; let more gather without it")


def stretching_rates(tokens: Array, weights: Array, beta: float, model: str) -> Array:
    r"""A bound on the rate at which the attention field pulls apart two tokens next to each token, shape=[n].

    .. math:: s_i = \sum_j p_j \big(\beta (1 - c_j^2) - c_j\big) \ \text{(USA)}, \qquad
              s_i = \sum_j p_j \big(\beta (1 - c_j^2) - c_j\big) - \beta |v_i|^2 \ \text{(SA)}

    with :math:`c_j = \langle x_i, x_j\rangle`, :math:`p_j = w_j e^{\beta(c_j - 1)}`, divided by its sum for SA, and the
    velocity :math:`v_i`; in units of :math:`e^\beta` (USA) or one (SA).  The trace of a positive matrix bounds its
    largest eigenvalue: in dim 2 this is the rate itself.  It is negative where tokens contract from all sides.

    Tokens that have met contract at the rate of their own weight, here against one other cluster a quarter turn away:

    >>> tokens, weights = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.array([0.25, 0.25, 0.5])
    >>> bool(np.allclose(stretching_rates(tokens, weights, 3.0, "usa")[0], -0.5 + 0.5 * 3 * np.exp(-3), rtol=1e-14))
    True

    Source: derived here, and compared with differences of the field in the tests.
    """
    rates = np.empty(len(tokens))
    _watch(tokens, weights, float(beta), model == "sa", 0.0, rates)
    return rates


def _expanded(on_save: Callable[[float, Array], object], labels: NDArray[np.int64], time: float, rows: Array) -> None:
    on_save(time, rows[labels])


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
