"""The picture of a validation."""

from typing import TYPE_CHECKING, Any

import numpy as np

from gegenflow.numerics.runs.plots import axes_of
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.checks import BARS
from gegenflow.numerics.validation.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EDGE = 8.0
"""Distances from here on, in bars, are drawn at the edge, as arrows."""


def plot_checks(report: Report, *, ax: "Axes | None" = None, **kwargs: Any) -> "Axes":
    """Every check of a validation: (measured - predicted) in error bars, and its rivals as far as they are off.

    Filled circles agree, crosses do not; three bars are allowed (grey). Rivals are open diamonds, at the edge as
    triangles where they are further than eight bars. ``kwargs`` go to ``Axes.errorbar``.
    """
    if not isinstance(report, Report):
        raise Refused("report", None, f"it is a {type(report).__name__}, checks are those of a Report")
    ax = axes_of(ax)
    ax.axvspan(-BARS, BARS, color="0.93")
    for row, check in enumerate(report.checks):
        style: dict[str, Any] = {"xerr": 1.0, "markersize": 4, "color": "C0", "fmt": "o"}
        if not check.passed:
            style |= {"fmt": "x", "markersize": 7, "color": "k"}
        off = np.copysign(min(check.off_by, EDGE), check.measured - check.predicted)
        ax.errorbar(off, row, **style | kwargs)
        for rival in check.to_dict()["rivals"]:
            far = EDGE if rival["bars"] is None else min(rival["bars"], EDGE)
            side = np.copysign(far, check.measured - (rival["predicted"] or 0.0))
            marker = ("<" if side < 0 else ">") if far == EDGE else "D"
            ax.plot(side, row, marker, mfc="none", color="C1", markersize=4)
    names = [f"{check.law}, {check.name}" for check in report.checks]
    ax.set(xlabel="measured - predicted, in error bars", yticks=range(len(names)), yticklabels=names)
    ax.set_xlim(-EDGE - 1, EDGE + 1)
    ax.invert_yaxis()
    return ax
