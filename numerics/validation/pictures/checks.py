"""Checks of a validation, and of a law over one of its parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.tokens.arguments import check_array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.checks import BARS, Check
from gegenflow.numerics.validation.report import Report
from gegenflow.pictures import COLORS, MUTED, axes_of, legend, of_degree, overridden

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EDGE = 8.0
"""Distances from here on, in bars, are drawn at the edge, as arrows."""
SHAPES = "D^sv<>p"
"""Markers of the rivals of a law, in their order."""
VERDICTS: dict[str, dict[str, Any]] = {
    "agrees": {"fmt": "o", "color": COLORS[0], "markersize": 4},
    "differs": {"fmt": "X", "color": "black", "markersize": 8},
    "undecided": {"fmt": "s", "color": COLORS[1], "mfc": "none", "markersize": 6},
}
"""The shape of each verdict; no two are told apart by colour alone."""


def plot_checks(report: Report, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """Every check of a validation, a row each: (measured - predicted) in error bars, and its rivals as far off.

    Filled circles agree, crosses differ, open squares are undecided; three bars are allowed (grey). Rivals are open
    diamonds, at the edge as triangles where they are further than eight bars.

    :param report: what :func:`.validate` or a law returns
    :param ax: axes to draw on, the current ones by default
    :param kwargs: options of ``Axes.errorbar``

    Raises ValueError for anything but a report. See also :func:`.plot_sweep`.
    """
    if not isinstance(report, Report):
        raise Refused("report", None, f"it is a {type(report).__name__}, checks are those of a Report")
    ax = axes_of(ax)
    ax.axvspan(-BARS, BARS, color="0.93")
    ax.axvline(0, color=MUTED, linestyle="-", linewidth=0.8)
    labels = ["rival", *VERDICTS]
    for row, check in enumerate(report.checks):
        for rival in check.to_dict()["rivals"]:
            far = EDGE if rival["bars"] is None else min(rival["bars"], EDGE)
            side = np.copysign(far, check.measured - (rival["predicted"] or 0.0))
            marker = ("<" if side < 0 else ">") if far == EDGE else "D"
            ax.plot(side, row, marker, mfc="none", color=MUTED, markersize=5, label=_once(labels, "rival"))
        verdict = check.verdict if check.verdict in VERDICTS else "undecided"
        off = np.copysign(min(check.off_by, EDGE), check.measured - check.predicted)
        style = {"xerr": 1.0, **VERDICTS[verdict], "label": _once(labels, verdict)}
        ax.errorbar(off, row, **overridden(style, kwargs))
    laws = {check.law for check in report.checks}
    names = [check.name if len(laws) == 1 else f"{check.law}, {check.name}" for check in report.checks]
    ax.set(xlabel="measured - predicted, in error bars", yticks=range(len(names)), yticklabels=names)
    ax.set_title("".join(laws) if len(laws) == 1 else "")
    ax.set_xlim(-EDGE - 1, EDGE + 1)
    ax.invert_yaxis()
    legend(ax)
    return ax


def _once(labels: list[str], name: str) -> str | None:
    """The name, the first time that it is asked for."""
    if name not in labels:
        return None
    labels.remove(name)
    return name


def plot_sweep(
    checks: Iterable[Check],
    values: ArrayLike,
    *,
    ax: Axes | None = None,
    label: str = "measured",
    rivals: bool = True,
    **kwargs: Any,
) -> Axes:
    """Checks of a law over one of its parameters: measured with three bars, predicted (line), and rivals in shapes.

    Measured values are open, filled crosses where a check differs; each rival has a marker of its own, with its name.
    Sweeps on the same axes take colours, line styles and markers in turn.

    :param checks: those of a report, or some of them
    :param values: those of the parameter, one a check, shape (checks,)
    :param ax: axes to draw on, the current ones by default
    :param label: name of the measured values in a legend (default "measured", and the line is "predicted")
    :param rivals: whether to draw them (default True)
    :param kwargs: options of ``Axes.errorbar``

    Raises ValueError for values that are not one a check, and for anything but checks. See also :func:`.plot_checks`.
    """
    checks = list(checks) if isinstance(checks, Iterable) else [None]
    if not checks or not all(isinstance(check, Check) for check in checks):
        raise Refused("checks", None, "they must be those of a Report, or some of them")
    values, ax = check_array("values", values, "(checks,)", len(checks)), axes_of(ax)
    look = of_degree(1 + sum(type(held).__name__ == "ErrorbarContainer" for held in ax.containers))
    predicted, measured, bars = np.array([(c.predicted, c.measured, BARS * c.error) for c in checks]).T
    named = "predicted" if label == "measured" else None
    ax.plot(values, predicted, color=look["color"], linestyle=look["linestyle"], lw=1, label=named)
    style: dict[str, Any] = {"fmt": look["marker"], "mfc": "none", "color": look["color"], "capsize": 3, "ms": 5}
    ax.errorbar(values, measured, bars, **overridden(style | {"label": label}, kwargs))
    wrong = np.array([check.verdict == "differs" for check in checks], dtype=bool)
    ax.plot(values[wrong], measured[wrong], "kX", markersize=8)
    found = [(x, rival.name, rival.predicted) for x, c in zip(values, checks, strict=True) for rival in c.rivals]
    for shape, name in zip(SHAPES, dict.fromkeys(name for _, name, _ in found) if rivals else (), strict=False):
        places = [(x, y) for x, other, y in found if other == name]
        ax.plot(*np.array(places).T, shape, mfc="none", color=MUTED, markersize=4, label=f"rival: {name}")
    return ax
