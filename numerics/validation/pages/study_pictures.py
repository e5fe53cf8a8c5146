"""The pictures of the page of a study: which are drawn, and what is said below them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING

from gegenflow.numerics.validation.checks import BARS
from gegenflow.numerics.validation.pages.parts import image
from gegenflow.numerics.validation.pictures.study_curves import some
from gegenflow.numerics.validation.pictures.study_labels import told_at
from gegenflow.numerics.validation.pictures.study_panels import curve_figure, map_figure
from gegenflow.numerics.validation.studies.findings import QUANTITY, Findings
from gegenflow.numerics.validation.studies.layouts import TIMES, Layout, fixed, layout_with, panels_of
from gegenflow.pictures import GREEK, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_FIGURES, MOST_PANELS = 8, 24
"""Of each kind on a page."""
MAP = (
    "Colours are deviations in error bars, blue where less was measured than predicted, vermilion where more. Dots "
    "agree; triangles differ, upwards where more was measured; dashes have a bar too wide to tell; squares are "
    "undecided, as a rival survives; hatched cells failed or were not run; in grey ones there is nothing to compare. "
    "Of a cell with n checks the colour is the sum of their deviations over the root of n, and the cell differs where "
    "one of them, or all together, do by more than chance explains among so many."
)
CURVES = f"Lines are predicted, markers measured, with {BARS:g} error bars; filled crosses differ."
MEANS = "Colours are means over repetitions at the end. Upright lines: stopped before it; hatched: failed or not run."
OVER = f"Means over repetitions, with {BARS:g} standard errors."


def pictures(findings: Findings) -> Iterator[str]:
    """Maps and curves of what was found most often, as images with captions.

    Of a law where something varies; of a simulation over time, too, where several times were saved.
    """
    layout = layout_with(findings)
    shown = _shown(findings, layout)
    over_time = any(len(times) > 1 for found in findings.series.values() for times, *_ in found.values())
    drawn: list[tuple[Callable[..., Figure], Layout]] = []
    if layout.across is not None and (findings.law or layout.down is not None):
        drawn.append((map_figure, layout))
    if layout.across is not None and not (over_time and layout.down is not None):
        drawn.append((curve_figure, layout))
    if over_time:
        drawn.append((curve_figure, layout_with(findings, over_time=True)))
    if not (drawn and shown):
        return
    yield "<section>\n<h2>Maps and curves</h2>"
    if drawn[0][0] is map_figure:
        yield f"<p class=small>{MAP if findings.law else MEANS}</p>"
    counts = " Of counts, both are of their chi-square." * any(one.counted for one in findings.found)
    yield f"<p class=small>{CURVES + counts if findings.law else OVER}</p>"
    for quantity in [None] if layout.down == QUANTITY else shown:
        yield f"<h3>{escape(quantity)}</h3>" if quantity else ""
        for draw, how in drawn:
            words = _caption(findings, draw is map_figure, how)
            with style():
                yield image(draw(findings, how, quantity), f"{quantity or 'all that is compared'}: {words}")
            yield f"<p class=small>{escape(words)}</p>"
    left = len(findings.quantities) - len(shown)
    if left > 0 and layout.down != QUANTITY:
        call = 'nm.validation.plot_study_map(folder, at={"quantity": name})'
        yield f"<p class=small>{left} more quantities are not drawn here: {escape(call)} draws one.</p>"
    yield "</section>"


def _shown(findings: Findings, layout: Layout) -> list[str]:
    """The quantities that have pictures: the more panels, the fewer, those that were found most often."""
    most = max(1, min(MOST_FIGURES, MOST_PANELS // len(panels_of(findings, layout))))
    chosen = [name for name, _ in findings.often.most_common() if name in findings.quantities][:most]
    return [name for name in findings.quantities if name in chosen]


def _caption(findings: Findings, mapped: bool, layout: Layout) -> str:
    """What is across, down and in each panel, and what becomes of the other parameters."""
    across, down = (
        "time" if name == TIMES else "what is compared" if name == QUANTITY else GREEK.get(name or "", name)
        for name in (layout.across, layout.down)
    )
    words = f"Over {across}" + (
        "" if down is None else f" and {down}" if mapped else f", a curve for each value of {down}"
    )
    if not mapped and down is not None and len(curves := findings.values[str(layout.down)]) > len(some(curves)):
        words += f", {len(some(curves))} of {len(curves)}"
    if layout.panels:
        words += f"; a panel for each value of {' and '.join(GREEK.get(name, name) for name in layout.panels)}"
    if layout.averaged and mapped:
        words += (
            f"; a cell takes all values of {' and '.join(GREEK.get(name, name) for name in layout.averaged)} together"
        )
    elif layout.averaged:
        words += f"; at {told_at(fixed(findings, layout))}, where most was found"
    return f"{words}."
