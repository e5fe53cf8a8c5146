"""Amplitudes of the degrees over time, and overlaps of pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gegenflow.numerics.runs.run import DensityRun, Run
from gegenflow.numerics.tokens.arguments import check_number, check_whole
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.pictures import TIME, axes_of, legend, of_degree, overridden

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PREDICTED: dict[str, Any] = {"linestyle": ":", "linewidth": 1.0, "zorder": 1}


def plot_power(
    run: Run | DensityRun,
    *,
    predicted: Mapping[int, float] | None = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Amplitude :math:`A_k` of every degree k >= 1 against time, on a logarithmic scale unless all are 0.

    A degree of ``predicted`` also has the line :math:`A_k(t_0)\,e^{\gamma_k (t - t_0)}` from the first saved time on,
    thin and without markers.

    :param run: a run of tokens or of a density that observed :class:`.HarmonicPower`
    :param predicted: growth rates by degree, in units of 1/time; None (default): no lines
    :param ax: axes to draw on, the current ones by default
    :param kwargs: options of ``Axes.plot``, for the measured curves

    Raises ValueError for any other run, one without saved times, and for a predicted degree that it did not observe.
    See also :func:`.plot_trajectories`, :func:`.harmonic_power`.
    """
    if not isinstance(run, Run | DensityRun) or "harmonic_power" not in run.observables:
        raise Refused("run", None, "it has no harmonic_power: a run with observe=[HarmonicPower(max_degree)] has")
    if not len(run.t):
        raise Refused("run", None, "it has no saved times")
    amplitudes = np.sqrt(run.observables["harmonic_power"])
    rates = _rates(predicted, amplitudes.shape[1] - 1)
    ax = axes_of(ax)
    if rates:
        ax.plot([], [], color="black", **PREDICTED, label="predicted")
    for degree, amplitude in enumerate(amplitudes.T[1:], start=1):
        style = of_degree(degree, len(run.t)) | {"label": f"degree {degree}"}
        ax.plot(run.t, amplitude, **overridden(style, kwargs))
    ax.set(xlabel=TIME, ylabel="amplitude", yscale="log" if amplitudes[:, 1:].any() else "linear")
    ax.set_ylim(ax.get_ylim())
    for degree, rate in rates.items():
        line = amplitudes[0, degree] * np.exp(np.minimum(rate * (run.t - run.t[0]), 700.0))
        ax.plot(run.t, line, color=of_degree(degree)["color"], **PREDICTED)
    legend(ax)
    return ax


def _rates(predicted: Mapping[int, float] | None, top: int) -> dict[int, float]:
    if not isinstance(predicted, Mapping | None):
        raise Refused("predicted", predicted, "growth rates by degree are needed")
    given = {} if predicted is None else predicted
    return {
        check_whole("predicted", degree, 1, top, why=", the degrees of the run"): check_number("predicted", rate)
        for degree, rate in given.items()
    }


def plot_overlaps(run: Run | DensityRun, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """How the overlaps of pairs are distributed at every saved time: shares per unit of overlap, as shades.

    :param run: a run of tokens or of a density that observed :class:`.OverlapHistogram`, with two saved times or more
    :param ax: axes to draw on, the current ones by default
    :param kwargs: options of ``Axes.pcolormesh``

    Raises ValueError for any other run, and for a single token. See also :func:`.plot_trajectories`.
    """
    if not isinstance(run, Run | DensityRun) or "overlap_histogram" not in run.observables or len(run.t) < 2:
        what = "it has no overlap_histogram at two times: a run with observe=[OverlapHistogram(bins)] has"
        raise Refused("run", None, what)
    from matplotlib.colors import LogNorm

    ax, shares = axes_of(ax), run.observables["overlap_histogram"]
    bins = shares.shape[1]
    density = shares.T * bins / 2
    middles = (np.arange(bins) + 0.5) * 2 / bins - 1
    if not density.any():
        raise Refused("run", None, "it has no pairs of tokens")
    least = max(density[density > 0].min(), 1e-4 * density.max())
    shade = LogNorm(least, density.max())
    options: dict[str, Any] = {"shading": "nearest", "cmap": "cividis", "norm": shade, "rasterized": True}
    image = ax.pcolormesh(run.t, middles, np.maximum(density, least), **options | kwargs)
    ax.figure.colorbar(image, ax=ax, label="share of pairs per unit of overlap")
    ax.set(xlabel=TIME, ylabel="overlap of two tokens", ylim=(-1, 1))
    return ax
