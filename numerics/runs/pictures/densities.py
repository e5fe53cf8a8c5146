"""Densities on the circle, and histograms of tokens there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.runs.run import DensityRun, Run
from gegenflow.numerics.tokens.arguments import check_whole
from gegenflow.numerics.tokens.geometry import check_tokens, check_weights
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.pictures import ANGLE, COLORS, axes_of, overridden

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_density(
    run: Run | DensityRun | CircleDensity | ArrayLike,
    *,
    ax: Axes | None = None,
    bins: int = 100,
    **kwargs: Any,
) -> Axes:
    r"""Histogram of the angles of a run's final tokens, or of any tokens on the circle, or a density there.

    Scaled to the density with respect to the uniform probability measure, so that uniform tokens give 1.

    :param run: a run in dim 2, tokens of shape (n, 2), or a density on the circle
    :param ax: axes to draw on, the current ones by default
    :param bins: number of bins of tokens, >= 1 (default 100)
    :param kwargs: options of ``Axes.stairs``, of a density of ``Axes.plot``

    Raises ValueError for ``dim`` other than 2. See also :func:`.plot_trajectories`, :func:`.plot_sphere`.
    """
    density = run.density if isinstance(run, DensityRun) else run
    if isinstance(density, CircleDensity):
        ax, angle = axes_of(ax), np.linspace(-np.pi, np.pi, 1001)
        ax.plot(angle, density.values(angle), **overridden({"color": COLORS[0], "linestyle": "-"}, kwargs))
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
        style: dict[str, Any] = {"fill": True, "alpha": 0.7, "color": COLORS[0]}
        ax.stairs(mass * bins, edges, **overridden(style, kwargs))
    ax.set(xlabel=ANGLE, ylabel="density (uniform = 1)", xlim=(-np.pi, np.pi))
    return ax
