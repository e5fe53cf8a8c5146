"""Paths of tokens."""

from typing import TYPE_CHECKING, Any

import numpy as np

from gegenflow.numerics.runs.run import Run
from gegenflow.numerics.tokens.clusters import cluster_labels
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.pictures import axes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_trajectories(run: Run, *, ax: "Axes | None" = None, **kwargs: Any) -> "Axes":
    r"""Paths of the tracked tokens against time, one line each.

    In dim 2 the angle in (-pi, pi], with a gap where it wraps around; in higher dims the overlap
    :math:`\langle x_i(t), m\rangle` with the mean direction m of the heaviest final cluster (of all tokens if
    there is no cluster).  ``kwargs`` go to ``Axes.plot``.  Raises ValueError for anything but a run of tokens.
    """
    if not isinstance(run, Run):
        raise Refused("run", None, f"it is a {type(run).__name__}, paths are those of the tokens of a Run")
    ax = axes_of(ax)
    style: dict[str, Any] = {"color": "C0", "linewidth": 0.5, "alpha": 0.5} | kwargs
    if run.tokens.shape[1] == 2:
        ax.plot(run.t, _broken_angles(run.trajectories), **style)
        ax.set(xlabel="time", ylabel="angle", ylim=(-np.pi, np.pi))
    else:
        labels = cluster_labels(run.tokens, run.weights)
        chosen = labels == min(0, labels.max())
        mean = run.weights[chosen] @ run.tokens[chosen]
        ax.plot(run.t, run.trajectories @ mean / np.linalg.norm(mean), **style)
        ax.set(xlabel="time", ylabel="overlap with the heaviest cluster", ylim=(-1.02, 1.02))
    return ax


def _broken_angles(trajectories: Array) -> Array:
    # a jump by more than half a turn is a wrap-around: the earlier point goes, and the line with it
    angles = np.arctan2(trajectories[..., 1], trajectories[..., 0])
    wraps = np.abs(np.diff(angles, axis=0)) > np.pi
    angles[:-1][wraps] = np.nan
    return angles
