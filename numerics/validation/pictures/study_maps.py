"""Heat maps of a study: what was found over two parameters, with a verdict in each cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.pictures.study_labels import tick, title_of
from gegenflow.numerics.validation.studies.cells import Cell, cells_of
from gegenflow.numerics.validation.studies.findings import Findings
from gegenflow.numerics.validation.studies.gathering import read_findings
from gegenflow.numerics.validation.studies.layouts import Layout, chosen
from gegenflow.pictures import COLORS, axes_of, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.colors import Normalize

DIVERGING = COLORS[0], "#9CCBE6", "#FFFFFF", "#F5C49A", COLORS[1]
"""From below the prediction, blue, over white to above it, vermilion."""
MARKS: Mapping[str, Mapping[str, Any]] = {
    "agrees": {"marker": ".", "color": "black"},
    "differs, measured above": {"marker": "^", "color": "black", "mec": "white"},
    "differs, measured below": {"marker": "v", "color": "black", "mec": "white"},
    "bar too wide": {"marker": "_", "color": "black", "mew": 1.5},
    "undecided": {"marker": "s", "color": "black", "mfc": "none"},
    "stopped": {"marker": "|", "color": "black", "mew": 1.5},
}
FARTHEST = 5.0
"""Bars from which on colours are the same."""
HATCHES: Mapping[str, Mapping[str, Any]] = {
    "failed": {"hatch": "//////", "fc": "0.85"},
    "not run": {"hatch": "....", "fc": "white"},
}
"""Verdicts are told apart by marks, and cells without a number by hatches, never by colour alone."""
NOTHING = "0.92"
"""The grey of cells without anything to compare."""
MOST_MARKED = 40
"""Cells in a row that have room for a mark each."""
MOST_LINEAR = 100
"""Ratio of the largest and the smallest number on a scale that is not logarithmic."""


@dataclass(frozen=True)
class Scale:
    """What the colours of a heat map stand for: an entry of a cell, how it becomes a colour, and its name."""

    entry: str
    norm: Normalize
    colors: Any
    label: str


def scale_of(findings: Findings, cells: Sequence[Cell], relative: bool = False) -> Scale:
    """The scale of a heat map: deviations of a law, in error bars or relative ones, and means of a simulation."""
    from matplotlib.colors import CenteredNorm, LinearSegmentedColormap, LogNorm, Normalize

    entry = "measured" if not findings.law else "relative" if relative else "off"
    found = np.array([getattr(cell, entry) for cell in cells])
    found = found[np.isfinite(found)]
    if not findings.law:
        low, high = (float(found.min()), float(found.max())) if len(found) else (0.0, 1.0)
        norm = LogNorm(low, high) if low > 0 and high > MOST_LINEAR * low else Normalize(low, high)
        return Scale(entry, norm, "cividis", "mean at the end")
    colors = LinearSegmentedColormap.from_list("below and above", DIVERGING)
    if relative:
        span = float(np.quantile(np.abs(found), 0.95)) if len(found) else 0.0
        return Scale(entry, CenteredNorm(0.0, span or 1.0), colors, "measured / predicted - 1")
    return Scale(entry, CenteredNorm(0.0, FARTHEST), colors, "deviation, error bars")


def draw_map(
    ax: Axes,
    cells: Mapping[tuple[Any, Any], Cell],
    layout: Layout,
    values: Mapping[str, Sequence[Any]],
    scale: Scale,
    **kwargs: Any,
) -> QuadMesh:
    """A cell for each pair of values, in colour where there is a number, marked by its verdict."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    columns, rows = values.get(layout.across or "", [None]), values.get(layout.down or "", [None])
    grid = np.full((len(rows), len(columns)), np.nan)
    places = dict[str, list[tuple[int, int]]]()
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            if (cell := cells.get((column, row))) is not None:
                grid[y, x] = getattr(cell, scale.entry)
                places.setdefault(_mark(cell), []).append((x, y))
    edges = [np.arange(len(line) + 1) - 0.5 for line in (columns, rows)]
    crowded = max(len(columns), len(rows)) > MOST_MARKED
    style: dict[str, Any] = {"norm": scale.norm, "cmap": scale.colors, "rasterized": crowded}
    style |= {} if crowded else {"edgecolors": "white", "linewidth": 0.5}
    ax.set_facecolor(NOTHING)
    mesh = ax.pcolormesh(*edges, np.ma.masked_invalid(grid), **style | kwargs)
    size = {"markersize": 4, "mew": 0.3} if crowded else {"markersize": 6}
    for verdict, mark in MARKS.items():
        if verdict in places and not (crowded and verdict == "agrees"):
            ax.plot(*np.array(places[verdict]).T, linestyle="none", label=verdict, **{**mark, **size})
    for verdict, hatch in HATCHES.items():
        boxes = [Rectangle((x - 0.5, y - 0.5), 1, 1) for x, y in places.get(verdict, ())]
        if boxes:
            ax.add_collection(PatchCollection(boxes, ec="0.4", lw=0, label=verdict, **hatch))
    for axis, name, line in ((ax.xaxis, layout.across, columns), (ax.yaxis, layout.down, rows)):
        tick(axis, name, line, range(len(line)))
    ax.set(xlim=(-0.5, len(columns) - 0.5), ylim=(-0.5, len(rows) - 0.5))
    return mesh


def _mark(cell: Cell) -> str:
    if cell.verdict == "differs":
        return f"differs, measured {'below' if cell.side < 0 else 'above'}"
    return cell.verdict


def plot_study_map(
    folder: str | Path,
    *,
    across: str | None = None,
    down: str | None = None,
    at: Mapping[str, Any] | None = None,
    relative: bool = False,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""What a study found over two of its parameters: a cell in colour for each pair of values, marked by its verdict.

    Of a law colours are deviations in error bars, blue where less was measured and vermilion where more; of a
    simulation they are means of an observable at the end, over repetitions. Dots agree, triangles differ, upwards where
    more was measured, dashes have a bar too wide to tell, squares are undecided, upright lines stopped before the end;
    hatched cells failed or were not run, in grey ones there is nothing to compare. Of a cell with n findings the
    deviation is :math:`\sum_i (m_i - p_i)/(e_i\sqrt n)`, and it differs where one of them, or all together, do by more
    than chance explains among so many.

    :param folder: that of the study
    :param across: a parameter that varies, or "quantity"; None (default): that with most values, numbers before words
    :param down: another one; None (default): the next
    :param at: values of other parameters, or of the quantity, such as ``{"model": "sa", "quantity": "degree 2"}``; None
        (default): the quantity that was found most often, and means over all that is not given
    :param relative: whether colours are means of measured/predicted - 1 instead; default False
    :param ax: axes to draw on, the current ones by default
    :param kwargs: options of ``Axes.pcolormesh``

    Raises ValueError where the folder holds no study or nothing is done yet, and for what does not vary in it.

    See also :func:`.plot_study_curves`, :func:`.study_page`, :func:`.open_study`.
    """
    if not isinstance(relative, bool):
        raise Refused("relative", repr(relative), "it must be True or False")
    findings = read_findings(folder)
    layout, held = chosen(findings, across, down, at)
    cells, ax = cells_of(findings, layout.across, layout.down, held), axes_of(ax)
    scale = scale_of(findings, [*cells.values()], relative)
    mesh = draw_map(ax, cells, layout, findings.values, scale, **kwargs)
    ax.figure.colorbar(mesh, ax=ax, label=scale.label, extend="both" if findings.law else "neither")
    ax.set_title(title_of(held, layout))
    legend(ax, below=True)
    return ax
