"""Paths: of tokens, and of the quantiles of a density."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.distribution import quantiles
from gegenflow.numerics.densities.zonal import ZonalDensity
from gegenflow.numerics.densities.zonal_harmonics import gauss_rule
from gegenflow.numerics.runs.run import DensityRun, Run
from gegenflow.numerics.tokens.clusters import cluster_labels
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.pictures import ANGLE, COLORS, TIME, axes_of, overridden

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUANTILES, NODES = 64, 1000
"""Lines of a density; overlaps on which the mass of a zonal one is added up."""


def plot_trajectories(run: Run | DensityRun, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    r"""Paths of the tracked tokens against time, one line each; of a density, 64 of its quantiles.

    In dim 2 the angle in :math:`(-\pi, \pi]`, with a gap where it wraps around; in higher dims the overlap
    :math:`\langle x_i(t), m\rangle` with the mean direction m of the heaviest final cluster (of all tokens if there is
    no cluster), of a zonal density that with its axis. Between two neighbouring quantiles lies 1/64 of the mass,
    counted from the angle 0, or from the overlap -1.

    :param run: a run of tokens, or of a density that is not negative, on the circle or zonal
    :param ax: axes to draw on, the current ones by default
    :param kwargs: options of ``Axes.plot``

    Raises ValueError for anything else. See also :func:`.plot_density`, :func:`.plot_sphere`.
    """
    known = (Run,) if not isinstance(run, DensityRun) else (CircleDensity, ZonalDensity)
    if (kind := type(run.density if isinstance(run, DensityRun) else run)) not in known:
        what = "paths are those of the tokens of a Run, or of quantiles of a density on the circle or zonal"
        raise Refused("run", None, f"it is a {kind.__name__}, {what}")
    ax = axes_of(ax)
    style = overridden({"color": COLORS[0], "linestyle": "-", "linewidth": 0.5, "alpha": 0.5}, kwargs)
    if isinstance(run, DensityRun):
        paths, name = _quantile_paths(run)
    elif run.tokens.shape[1] == 2:
        paths, name = np.arctan2(run.trajectories[..., 1], run.trajectories[..., 0]), ANGLE
    else:
        labels = cluster_labels(run.tokens, run.weights)
        chosen = labels == min(0, labels.max())
        mean = run.weights[chosen] @ run.tokens[chosen]
        paths, name = run.trajectories @ mean / np.linalg.norm(mean), "overlap with the heaviest cluster"
    if name == ANGLE:
        ax.plot(run.t, _broken(paths), **style)
        ax.set(xlabel=TIME, ylabel=ANGLE, ylim=(-np.pi, np.pi))
    else:
        ax.plot(run.t, paths, **style)
        ax.set(xlabel=TIME, ylabel=name, ylim=(-1.02, 1.02))
    return ax


def _quantile_paths(run: DensityRun) -> tuple[Array, str]:
    """Places of the quantiles at every saved time, shape=[times, 64], and what they are."""
    if isinstance(run.density, CircleDensity):
        found = [quantiles(density, QUANTILES) for density in run.densities if isinstance(density, CircleDensity)]
        return np.angle(np.exp(1j * np.array(found).reshape(-1, QUANTILES))), ANGLE
    overlaps, weights = gauss_rule(run.density.dim, NODES)
    wanted = (np.arange(QUANTILES) + 0.5) / QUANTILES
    densities = [density for density in run.densities if isinstance(density, ZonalDensity)]
    masses = [weights * np.maximum(density.values(overlaps), 0.0) for density in densities]
    found = [np.interp(wanted, (np.cumsum(mass) - mass / 2) / mass.sum(), overlaps) for mass in masses]
    return np.array(found).reshape(-1, QUANTILES), "overlap with the axis"


def _broken(angles: Array) -> Array:
    # a jump by more than half a turn is a wrap-around: the earlier point goes, and the line with it
    wraps = np.abs(np.diff(angles, axis=0)) > np.pi
    angles[:-1][wraps] = np.nan
    return angles
