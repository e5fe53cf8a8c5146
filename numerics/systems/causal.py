r"""What a token under a causal mask keeps of the start of an earlier one, and who gathers the others.

A correlation of two tokens is of order 1/n, far below the spread of one run. So the source alone is drawn anew: on an
equispaced grid of angles, with all others as they are, and the token that reads it starts on another grid. As no token
sees a later one, all readers go along in one run, with weights that nobody feels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gegenflow.numerics.fields.circle import circle_points
from gegenflow.numerics.fields.method import prepare_field
from gegenflow.numerics.flows.flow import Flow, check_parts
from gegenflow.numerics.flows.parts import Causal
from gegenflow.numerics.integrators.paths import integrate
from gegenflow.numerics.tokens.arguments import check_number, check_rng, check_whole
from gegenflow.numerics.tokens.geometry import Array, check_tokens
from gegenflow.numerics.tokens.refusals import Refused

UNFELT = 1e-13  # weight of a reader, relative to a token
RTOL, ATOL = 1e-7, 1e-9


def source_correlations(
    flow: Flow,
    *,
    tokens: int,
    sources: Sequence[int],
    max_degree: int,
    time: float | Sequence[float] | Array,
    runs: int,
    rng: int | np.random.Generator | None = None,
    grid: int = 8,
) -> Array:
    r"""Correlation of a token with the start of earlier ones on the circle, samples, shape=[runs, sources, degrees].

    .. math:: n\,\overline{\cos k(\theta(t) - \theta_i(0))}, \qquad k = 1, \dots, \text{max\_degree}

    Tokens are independent and uniform, and the reader is the one after them: it sees all n.  Each source is put on a
    ``grid`` of angles, the reader on one of an angle more, so that no harmonic is mistaken on both, each turned at
    random, and the mean is over both.  Its expectation is that of independent starts for any such grids.  Of a list of
    times samples have shape=[runs, times, sources, degrees].

    :param flow: what moves them, a :class:`Flow` with a causal mask, the decay of which is over the n tokens, a weight
        and a model alone
    :param tokens: number of tokens n, >= 2
    :param sources: indices of the earlier tokens, a list, each >= 0 and < n
    :param max_degree: highest degree, >= 1
    :param time: when the reader is looked at, > 0, in units of the flow, or a list of times that do not decrease
    :param runs: number of samples, >= 1
    :param rng: seed >= 0 or numpy Generator; None (default): seeded by the system
    :param grid: angles of a source, > max_degree, default 8

    >>> flow = Flow(beta=1, causal=Causal(decay=1.0, own=False))
    >>> found = source_correlations(flow, tokens=64, sources=[8], max_degree=1, time=0.2, runs=20, rng=0)
    >>> found.shape, bool(abs(found.mean() - 0.085) < 0.005)
    ((20, 1, 1), True)

    Raises ValueError for a flow without a mask or with parts beyond its weight and model, a source that is none of the
    tokens, or numbers out of range.  Source: arXiv 2605.09213 for the correlation; the estimator is derived here.

    See also :class:`.Causal`, :func:`.strong_centres`.
    """
    if not isinstance(flow, Flow) or flow.causal is None:
        raise Refused("flow", repr(flow), "a flow with a causal mask is needed")
    check_parts(flow, "source_correlations", "causal")
    n, top = check_whole("tokens", tokens, 2), check_whole("max_degree", max_degree, 1)
    count, degrees = check_whole("grid", grid, top + 1, why=", above max_degree"), np.arange(1, top + 1)
    if np.ndim(sources) != 1 or len(sources) == 0:
        raise Refused("sources", repr(sources), f"they must be a list of indices from 0 to {n - 1}")
    places = [check_whole("sources", source, 0, n - 1) for source in sources]
    times = [check_number("time", each, above=0.0) for each in np.atleast_1d(np.asarray(time, dtype=object))]
    if not times or sorted(times) != times:
        raise Refused("time", repr(time), "it must be a number, or a list of times that do not decrease")
    stream = check_rng(rng)
    samples = np.empty((check_whole("runs", runs, 1), len(times), len(places), len(degrees)))
    all_of_them = n + count + 1
    mask = Causal(flow.causal.decay * all_of_them / n, own=flow.causal.own)
    weights = np.append(np.full(n, 1.0), np.full(count + 1, UNFELT))
    weights /= weights.sum()
    field = prepare_field(
        circle_points(np.arange(float(all_of_them))), weights, replace(flow, causal=mask), method="circle"
    )

    def velocity(state: Array, out: Array) -> None:
        for angles, speed in zip(state.reshape(-1, all_of_them), out.reshape(-1, all_of_them), strict=True):
            field(angles, speed)

    for run in range(len(samples)):
        start = np.tile(stream.uniform(0, 2 * np.pi, all_of_them), (len(places), count, 1))
        start[:, :, n:] = _grid(count + 1, stream)
        told = _grid(count, stream)
        for row, place in enumerate(places):
            start[row, :, place] = told
        way = integrate(velocity, start.ravel(), t_end=times[-1], save_at=times, rtol=RTOL, atol=ATOL)
        turned = np.array(way.saved).reshape(-1, *start.shape)[..., n:] - told[:, None]
        samples[run] = n * np.cos(degrees * turned[..., None]).mean(axis=(2, 3))
    return samples if np.ndim(time) else samples[:, 0]


def _grid(count: int, stream: np.random.Generator) -> Array:
    """Equispaced angles, turned at random."""
    return 2 * np.pi * (np.arange(count) + stream.uniform()) / count


def strong_centres(tokens: ArrayLike, angle: float) -> NDArray[np.int64]:
    r"""Indices of the tokens that are farther than an angle from every earlier one, shape=[centres].

    .. math:: \{i : \angle(x_i, x_j) > \delta \ \text{for all}\ j < i\}

    ``tokens`` lie on the sphere, shape=[n, dim], in the order of the mask; ``angle`` :math:`\delta` is in radians, in
    (0, pi].

    >>> strong_centres([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.6, 0.8]], 0.7)
    array([0, 2])

    Raises ValueError for bad tokens, or an angle out of range.  Source: arXiv 2411.04990.

    See also :class:`.Causal`, :func:`.source_correlations`.
    """
    rows = check_tokens(tokens)
    nearest = np.cos(check_number("angle", angle, above=0.0, most=np.pi))
    far = [not i or (rows[:i] @ row).max() < nearest for i, row in enumerate(rows)]
    return np.flatnonzero(far)
