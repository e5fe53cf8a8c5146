"""Curves of a study: predicted and measured over a parameter, observables over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gegenflow.numerics.validation.checks import BARS
from gegenflow.numerics.validation.pictures.study_labels import shown, tick, told_at
from gegenflow.numerics.validation.pictures.study_maps import MOST_LINEAR
from gegenflow.numerics.validation.studies.cells import Cell, cells_of
from gegenflow.numerics.validation.studies.findings import QUANTITY, Findings, Place, Series, number_of
from gegenflow.numerics.validation.studies.gathering import read_findings
from gegenflow.numerics.validation.studies.layouts import TIMES, Layout, chosen, fixed
from gegenflow.pictures import GREEK, MOST_ENTRIES, TIME, axes_of, legend, of_degree, overridden

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_MARKED = 500
"""Points from which on a picture holds them as pixels."""
WIDEST_LINEAR = 30
"""Ratio of the ends of an axis that is not logarithmic."""


def some(values: Sequence[Any]) -> list[Any]:
    """As many values as a legend has room for, evenly spaced, both ends among them.

    >>> some(range(3)), some(range(100))
    ([0, 1, 2], [0, 11, 22, 33, 44, 55, 66, 77, 88, 99])
    """
    places = np.linspace(0, len(values) - 1, min(len(values), MOST_ENTRIES)).round().astype(int)
    return [values[place] for place in places]


def draw_curves(
    ax: Axes, cells: Mapping[tuple[Any, Any], Cell], layout: Layout, values: Mapping[str, Sequence[Any]], **kwargs: Any
) -> None:
    """A curve for each of some values down: predicted as lines, measured with three bars, crosses where they differ."""
    along = values.get(layout.across or "", [None])
    numbers = [number_of(value) for value in along]
    places = [float(x) for x in range(len(along))] if None in numbers else [float(x or 0.0) for x in numbers]
    heights, shape = list[float](), list[float]()
    curves = values.get(layout.down or "", [None])
    crowded = len(places) * len(some(curves)) > MOST_MARKED
    for value in some(curves):
        own = [(x, cells[one, value]) for x, one in zip(places, along, strict=True) if (one, value) in cells]
        own = [(x, cell) for x, cell in own if np.isfinite(cell.measured)]
        if not own:
            continue
        look = of_degree(1 + curves.index(value))
        x, predicted, measured, error = np.array([(x, c.predicted, c.measured, c.error) for x, c in own]).T
        law = bool(np.isfinite(predicted).any())
        if law:
            ax.plot(x, predicted, color=look["color"], linestyle=look["linestyle"], lw=1, rasterized=crowded)
        style: dict[str, Any] = {"color": look["color"], "mfc": "none", "capsize": 2, "ms": 5, "marker": look["marker"]}
        style |= {"linestyle": "none" if law else look["linestyle"], "label": _label(layout.down, value)}
        style |= {"rasterized": crowded}
        bars = np.where(np.isfinite(error), BARS * error, 0.0)
        ax.errorbar(x, measured, bars, **overridden(style, kwargs))
        wrong = np.array([cell.verdict == "differs" for _, cell in own])
        ax.plot(x[wrong], measured[wrong], "kX", markersize=7, linestyle="none")
        heights += [*measured, *predicted[np.isfinite(predicted)]]
        shape += [*(predicted if law else measured)]
    if None in numbers:
        tick(ax.xaxis, layout.across, along, places)
    elif min(places) > 0 and max(places) > WIDEST_LINEAR * min(places):
        ax.set_xscale("log", subs=[])
    else:
        ax.locator_params(axis="x", nbins=6)
    ax.set_xlabel(GREEK.get(layout.across or "", layout.across or ""))
    _scale(ax, heights, shape)


def draw_times(ax: Axes, findings: Findings, layout: Layout, at: Place, **kwargs: Any) -> None:
    """Means of an observable over time, with three standard errors as bands, a curve for each of some values down."""
    by, curves = layout.down, findings.values.get(layout.down or "", [None])
    wanted, heights = some(curves), list[float]()
    found = dict[Any, Series]()
    for key, series in findings.series.items():
        point = findings.points[key]
        if all(point[name] == value for name, value in at.items() if name != QUANTITY):
            for quantity in findings.quantities if by == QUANTITY else [at[QUANTITY]]:
                value = {**point, QUANTITY: quantity}.get(by or "")
                if value in wanted and quantity in series:
                    found[value] = series[quantity]
    for value in filter(found.__contains__, wanted):
        times, mean, error = found[value]
        look = of_degree(1 + curves.index(value), len(times))
        ax.plot(times, mean, **overridden({**look, "label": _label(by, value)}, kwargs))
        band = BARS * np.nan_to_num(error)
        ax.fill_between(times, mean - band, mean + band, color=look["color"], alpha=0.2, linewidth=0)
        heights += mean.tolist()
    ax.locator_params(axis="x", nbins=5)
    ax.set_xlabel(TIME)
    _scale(ax, heights, heights)


def _label(name: str | None, value: Any) -> str | None:
    return None if name is None else told_at({name: value})


def _scale(ax: Axes, heights: Sequence[float], shape: Sequence[float]) -> None:
    """Logarithmic where all heights are positive and those that give the shape, of a law predicted, span much."""
    if heights and min(heights) > 0 and max(shape) > MOST_LINEAR * min(shape):
        ax.set_yscale("log", subs=[])


def plot_study_curves(
    folder: str | Path,
    *,
    along: str | None = None,
    by: str | None = None,
    at: Mapping[str, Any] | None = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """What a study found over one of its parameters, or over time, a curve for each value of another.

    Of a law lines are predicted and markers measured, with three error bars, filled crosses where they differ; of a
    simulation both are means over repetitions, with three standard errors. At most ten curves are drawn, evenly spaced.

    :param folder: that of the study
    :param along: a parameter that varies, or "t", the time of a simulation; None (default): that with most values,
        numbers before words
    :param by: another one, or "quantity"; None (default): the next
    :param at: values of other parameters, or of the quantity, such as ``{"model": "sa", "quantity": "degree 2"}``; None
        (default): the quantity, and the values of what is not given, at which most was found
    :param ax: axes to draw on, the current ones by default
    :param kwargs: options of ``Axes.errorbar``, or of ``Axes.plot`` over time

    Raises ValueError where the folder holds no study or nothing is done yet, and for what does not vary in it.

    See also :func:`.plot_study_map`, :func:`.study_page`, :func:`.open_study`.
    """
    findings = read_findings(folder)
    layout, held = chosen(findings, along, by, at, ("along", "by"))
    held, ax = {**held, **fixed(findings, layout)}, axes_of(ax)
    if layout.across == TIMES:
        draw_times(ax, findings, layout, held, **kwargs)
    else:
        draw_curves(ax, cells_of(findings, layout.across, layout.down, held), layout, findings.values, **kwargs)
    ax.set_ylabel(shown(QUANTITY, held.get(QUANTITY, "")))
    ax.set_title(told_at({name: value for name, value in held.items() if name != QUANTITY}))
    legend(ax)
    return ax
