"""Pictures of runs: each function draws on the given or the current axes and returns them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.runs.run import DensityRun, Run
from gegenflow.numerics.tokens.arguments import check_whole
from gegenflow.numerics.tokens.clusters import cluster_labels
from gegenflow.numerics.tokens.geometry import Array, check_tokens, check_weights
from gegenflow.numerics.tokens.refusals import Refused

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


def plot_density(
    run: Run | DensityRun | CircleDensity | ArrayLike,
    *,
    ax: "Axes | None" = None,
    bins: int = 100,
    **kwargs: Any,
) -> "Axes":
    r"""Histogram of the angles of a run's final tokens, or of any tokens shape=[n, 2], or a density on the circle.

    Scaled to the density with respect to the uniform probability measure, so that uniform tokens give 1.
    ``kwargs`` go to ``Axes.stairs``, of a density to ``Axes.plot``.  Raises ValueError for ``dim`` other than 2.
    """
    density = run.density if isinstance(run, DensityRun) else run
    if isinstance(density, CircleDensity):
        ax, angle = axes_of(ax), np.linspace(-np.pi, np.pi, 1001)
        ax.plot(angle, density.values(angle), **kwargs)
    elif isinstance(run, DensityRun):
        raise Refused("run", None, f"its density is of dim {run.density.dim}, only one on the circle can be drawn")
    elif isinstance(run, Density):
        raise Refused("run", None, f"it is a {type(run).__name__}, only a density on the circle can be drawn")
    else:
        tokens = check_tokens(run.tokens if isinstance(run, Run) else run, "run")
        weights = check_weights(run.weights if isinstance(run, Run) else None, len(tokens))
        if tokens.shape[1] != 2:
            raise Refused("run", None, f"its tokens are of dim {tokens.shape[1]}, those of dim 2 can be drawn")
        bins = check_whole("bins", bins, 1)
        ax, angle = axes_of(ax), np.arctan2(tokens[:, 1], tokens[:, 0])
        mass, edges = np.histogram(angle, bins=bins, range=(-np.pi, np.pi), weights=weights)
        ax.stairs(mass * bins, edges, **{"fill": True, "alpha": 0.7} | kwargs)
    ax.set(xlabel="angle", ylabel="density (uniform = 1)", xlim=(-np.pi, np.pi))
    return ax


def plot_power(run: Run | DensityRun, *, ax: "Axes | None" = None, **kwargs: Any) -> "Axes":
    r"""Amplitude :math:`A_k` of every degree k >= 1 against time, on a logarithmic scale.

    ``kwargs`` go to ``Axes.plot``.  Raises ValueError for a run that did not observe ``HarmonicPower``.
    """
    if not isinstance(run, Run | DensityRun) or "harmonic_power" not in run.observables:
        raise Refused("run", None, "it has no harmonic_power: a run with observe=[HarmonicPower(max_degree)] has")
    ax = axes_of(ax)
    for degree, power in enumerate(run.observables["harmonic_power"].T[1:], start=1):
        ax.plot(run.t, np.sqrt(power), **{"label": f"degree {degree}"} | kwargs)
    ax.set(xlabel="time", ylabel="amplitude", yscale="log")
    ax.legend()
    return ax


def _broken_angles(trajectories: Array) -> Array:
    # a jump by more than half a turn is a wrap-around: the earlier point goes, and the line with it
    angles = np.arctan2(trajectories[..., 1], trajectories[..., 0])
    wraps = np.abs(np.diff(angles, axis=0)) > np.pi
    angles[:-1][wraps] = np.nan
    return angles


def axes_of(ax: "Axes | None") -> "Axes":
    """The axes to draw on: those given, or the current ones.

    Raises ValueError for anything but axes.
    """
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes

    if ax is not None and not isinstance(ax, Axes):
        raise Refused("ax", repr(ax), "it must be matplotlib axes, or None for the current ones")
    return plt.gca() if ax is None else ax
