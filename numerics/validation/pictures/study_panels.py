"""Figures of a study in small panels: heat maps and curves, one for each value of the parameters that are no axis."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from gegenflow.numerics.validation.pictures.study_curves import draw_curves, draw_times
from gegenflow.numerics.validation.pictures.study_labels import told_at
from gegenflow.numerics.validation.pictures.study_maps import HATCHES, MARKS, draw_map, scale_of
from gegenflow.numerics.validation.studies.cells import cells_of
from gegenflow.numerics.validation.studies.findings import QUANTITY, Findings, Place
from gegenflow.numerics.validation.studies.layouts import TIMES, Layout, fixed, panels_of
from gegenflow.pictures import MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT, ROW = 8.6, 2.3, 0.24
"""Inches of a figure, of a panel, of a row of a heat map."""
MOST_COLUMNS = 3


def map_figure(findings: Findings, layout: Layout, quantity: str | None) -> Figure:
    """Heat maps of a quantity, or of all where these are down, in one scale, with one legend."""
    values, places = findings.values, _places(findings, layout, quantity)
    rows = len(values.get(layout.down or "", [None]))
    figure, axes = _panels(len(places), max(1.4, min(ROW * rows + 0.7, 4.0)))
    cells = [cells_of(findings, layout.across, layout.down, place) for place in places]
    scale = scale_of(findings, [cell for held in cells for cell in held.values()])
    for ax, held, place in zip(axes, cells, places, strict=True):
        mesh = draw_map(ax, held, layout, values, scale)
        ax.set_title(_title(place))
    _outer(axes)
    figure.colorbar(mesh, ax=axes, label=scale.label, extend="both" if findings.law else "neither", aspect=25)
    _legend(figure, axes, [*MARKS, *HATCHES])
    return figure


def curve_figure(findings: Findings, layout: Layout, quantity: str | None) -> Figure:
    """Curves of a quantity, or of all where these are down, over a parameter or over time; each panel has its scale.

    What is neither axis nor panel has the value at which most was found.
    """
    held = fixed(findings, layout)
    values, places = findings.values, [{**place, **held} for place in _places(findings, layout, quantity)]
    figure, axes = _panels(len(places), HEIGHT if len(places) > 1 else 1.6 * HEIGHT)
    for ax, place in zip(axes, places, strict=True):
        if layout.across == TIMES:
            draw_times(ax, findings, layout, place)
        else:
            draw_curves(ax, cells_of(findings, layout.across, layout.down, place), layout, values)
        ax.set_title(_title({name: place[name] for name in layout.panels}))
        if not ax.has_data():
            ax.text(0.5, 0.5, "nothing found", ha="center", va="center", color=MUTED, transform=ax.transAxes)
            ax.set(xticks=[], yticks=[])
    _legend(figure, axes, [told_at({layout.down or "": value}) for value in values.get(layout.down or "", ())])
    figure.supylabel(quantity or "", fontsize="medium")
    for ax in axes[: -_columns(len(axes))]:
        ax.set_xlabel("")
    return figure


def _places(findings: Findings, layout: Layout, quantity: str | None) -> list[Place]:
    """What holds in each panel."""
    held = {} if quantity is None else {QUANTITY: quantity}
    return [{**place, **held} for place in panels_of(findings, layout)]


def _columns(count: int) -> int:
    return count if count <= MOST_COLUMNS else 2 if count == 4 else MOST_COLUMNS


def _panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with so many axes, row by row."""
    from matplotlib.figure import Figure

    columns = _columns(count)
    rows = ceil(count / columns)
    figure = Figure(figsize=(WIDTH, rows * (height + 0.35) + 0.6), layout="constrained")
    axes = [figure.add_subplot(rows, columns, place + 1) for place in range(count)]
    for ax in axes:
        ax.tick_params(labelsize="small")
    return figure, axes


def _title(place: Place) -> str:
    return told_at({name: value for name, value in place.items() if name != QUANTITY})


def _outer(axes: Sequence[Axes]) -> None:
    """Labels of the axes only at the left and below the last panel of a column."""
    columns = _columns(len(axes))
    for place, ax in enumerate(axes):
        if place % columns:
            ax.tick_params(labelleft=False)
            ax.set_ylabel("")
        if place + columns < len(axes):
            ax.tick_params(labelbottom=False)
            ax.set_xlabel("")


def _legend(figure: Figure, axes: Sequence[Axes], order: Sequence[Any]) -> None:
    """One legend of all panels below them, in this order."""
    named: dict[str, Any] = {}
    for ax in axes:
        named |= {label: handle for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    labels = [label for label in order if label in named]
    if labels:
        columns = min(len(labels), 5)
        figure.legend([named[label] for label in labels], labels, loc="outside lower center", ncols=columns)
