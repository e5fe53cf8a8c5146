r"""What runs from given tokens end with: their gain of energy, the angles of clusters, the times of gathering."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import simpson

from gegenflow.numerics.flows.flow import Flow, FlowParts, check_parts, flow_of
from gegenflow.numerics.observables.energy import Dissipation, Energy
from gegenflow.numerics.systems.synchronization import SmallestOverlap
from gegenflow.numerics.tokens.arguments import check_number, check_rng
from gegenflow.numerics.tokens.clusters import cluster_centres, cluster_labels
from gegenflow.numerics.tokens.geometry import Array, check_tokens, normalize, uniform
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.measurements import Unfinished, follow


def energy_gain(
    start: ArrayLike, flow: Flow | None = None, *, t_end: float, **short: Unpack[FlowParts]
) -> tuple[float, float, float]:
    r"""Integral of the dissipation along a run, the gain of energy, and the error bar of their comparison.

    .. math:: \int_0^T \frac{dE}{dt}\,dt = E(T) - E(0)

    The error bar is the change of Simpson's rule on halving its step, plus the tolerance of the run and the rounding of
    the energy (which holds the constant 1/(2 beta)).

    :param start: tokens on the sphere, shape (n, dim)
    :param flow: what moves them, a :class:`Flow` with beta, a model and one symmetric matrix as query_key and value, or
        none; None (default): the one whose parts are given as keywords
    :param t_end: time to end at, > 0, in units of the flow
    :param short: parts of a :class:`Flow` in place of it: beta, model, query_key, value, scaled

    >>> integral, gain, error = energy_gain(uniform(50, dim=3, rng=0), beta=2, t_end=1.0)
    >>> bool(abs(integral - gain) < 3 * error < 1e-3 * gain)
    True

    See also :class:`.Energy`, :class:`.Dissipation`.
    """
    flow = flow_of(flow, short)
    check_parts(flow, "energy_gain", "query_key", "value")
    start = check_tokens(start, "start")
    t_end = check_number("t_end", t_end, above=0.0)
    times = np.linspace(0, t_end, 65)
    run = follow(start, flow, t_end, observe=[Energy(), Dissipation()], save_at=times, rtol=1e-9)
    energy, dissipation = run.observables["energy"], run.observables["dissipation"].astype(float)
    fine, coarse = float(simpson(dissipation, x=times)), float(simpson(dissipation[::2], x=times[::2]))
    gain = float(energy[-1] - energy[0])
    return fine, gain, abs(fine - coarse) + 1e-7 * abs(gain) + 1e-13 * float(abs(energy[-1]))


def cluster_angles(
    start: ArrayLike, flow: Flow | None = None, *, t_end: float, min_mass: float, **short: Unpack[FlowParts]
) -> Array:
    """Angles in [0, 2 pi] of the clusters that tokens on the circle have formed by ``t_end``, shape=[clusters].

    :param start: tokens on the circle, shape (n, 2)
    :param flow: what moves them, a :class:`Flow`; None (default): the one whose parts are given as keywords
    :param t_end: time to end at, >= 0, in units of the flow
    :param min_mass: least share of the weight in a cluster, in [0, 1]
    :param short: parts of a :class:`Flow` in place of it, such as beta

    Raises ValueError for bad tokens or another dim, and :class:`Unfinished` if there is no cluster of at least
    ``min_mass`` by then.

    See also :class:`.Clusters`, :func:`.cluster_labels`, :func:`.cluster_centres`.
    """
    start, min_mass = check_tokens(start, "start"), check_number("min_mass", min_mass, least=0.0, most=1.0)
    if start.shape[1] != 2:
        raise Refused("start", None, f"its tokens are of dim {start.shape[1]}, angles are those of dim 2")
    run = follow(start, flow_of(flow, short), t_end, save_at=[], rtol=1e-7)
    labels = cluster_labels(run.tokens, min_mass=min_mass)
    if labels.max() < 0:
        raise Unfinished(f"no clusters after t = {t_end:.3g}")
    x, y = cluster_centres(run.tokens, labels).T
    angles: Array = np.arctan2(y, x) % (2 * np.pi)
    return angles


def gathering_times(
    dim: int, flow: Flow, *, tokens: int, overlap: float, runs: int, t_end: float, rng: Any = None
) -> Array:
    """Times at which all overlaps of independent uniform tokens pass a level, inf for not by ``t_end``, shape=[runs].

    Linear between 300 times. More than ``tokens`` dims cost no more: the overlaps at the start are all that counts.

    >>> gathering_times(2, Flow(beta=0), tokens=2, overlap=-1.0, runs=2, t_end=1.0, rng=0)
    array([0., 0.])
    """
    times, found = np.linspace(0, t_end, 301), np.full(runs, np.inf)
    for place, stream in enumerate(check_rng(rng).spawn(runs)):
        start = uniform(tokens, dim, rng=stream)
        if dim > tokens:
            start = normalize(np.linalg.cholesky(start @ start.T))
        run = follow(start, flow, t_end, save_at=times, rtol=1e-7, observe=[SmallestOverlap()])
        least = run.observables["smallest_overlap"]
        if (least >= overlap).any():
            i = int(np.argmax(least >= overlap))
            found[place] = np.interp(overlap, least[i - 1 : i + 1], times[i - 1 : i + 1]) if i else 0.0
    return found
