"""The picture of a validation."""

from typing import TYPE_CHECKING, Any

import numpy as np

from gegenflow.numerics.runs.plots import axes_of
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.report import BARS, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_checks(report: Report, *, ax: "Axes | None" = None, **kwargs: Any) -> "Axes":
    """Every check of a validation: (measured - predicted) in error bars, three of them allowed; failed checks in red.

    ``kwargs`` go to ``Axes.errorbar``.
    """
    if not isinstance(report, Report):
        raise Refused("report", None, f"it is a {type(report).__name__}, checks are those of a Report")
    ax = axes_of(ax)
    names = [f"{check.section}, {check.name}" for check in report.checks]
    off = [np.copysign(check.off_by, check.measured - check.predicted) for check in report.checks]
    ax.axvspan(-BARS, BARS, color="0.93")
    for row, (check, distance) in enumerate(zip(report.checks, off, strict=True)):
        style: dict[str, Any] = {"xerr": 1.0, "fmt": "o", "markersize": 3, "color": "C0" if check.passed else "C3"}
        ax.errorbar(distance, row, **style | kwargs)
    ax.set(xlabel="measured - predicted, in error bars", yticks=range(len(off)), yticklabels=names)
    ax.invert_yaxis()
    return ax
