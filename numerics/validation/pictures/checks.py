"""Checks of a validation, and of a law over one of its parameters."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.tokens.arguments import check_array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.checks import BARS, Check
from gegenflow.numerics.validation.report import Report
from gegenflow.pictures import axes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EDGE = 8.0
"""Distances from here on, in bars, are drawn at the edge, as arrows."""
SHAPES = "D^sv<>p"
"""Markers of the rivals of a law, in their order."""


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


def plot_sweep(
    checks: Iterable[Check],
    values: ArrayLike,
    *,
    ax: "Axes | None" = None,
    label: str = "measured",
    rivals: bool = True,
    **kwargs: Any,
) -> "Axes":
    """Checks of a law over one of its parameters: measured with three bars, predicted (line), and rivals in shapes.

    ``values``, shape=[checks], are those of the parameter. Measured values are open circles, filled crosses where a
    check differs; each rival has a marker of its own, with its name, unless ``rivals`` is False. ``kwargs`` go to
    ``Axes.errorbar``. Raises ValueError for values that are not one a check, and for anything but checks.
    """
    checks = list(checks) if isinstance(checks, Iterable) else [None]
    if not checks or not all(isinstance(check, Check) for check in checks):
        raise Refused("checks", None, "they must be those of a Report, or some of them")
    values, ax = check_array("values", values, "(checks,)", len(checks)), axes_of(ax)
    predicted, measured, bars = np.array([(c.predicted, c.measured, BARS * c.error) for c in checks]).T
    line = ax.plot(values, predicted, "-", lw=1, label="predicted" if label == "measured" else None)[0]
    style: dict[str, Any] = {"fmt": "o", "mfc": "none", "color": line.get_color(), "capsize": 3, "label": label}
    ax.errorbar(values, measured, bars, **style | kwargs)
    wrong = np.array([check.verdict == "differs" for check in checks], dtype=bool)
    ax.plot(values[wrong], measured[wrong], "kX")
    found = [(x, rival.name, rival.predicted) for x, c in zip(values, checks, strict=True) for rival in c.rivals]
    for shape, name in zip(SHAPES, dict.fromkeys(name for _, name, _ in found) if rivals else (), strict=False):
        places = [(x, y) for x, other, y in found if other == name]
        ax.plot(*np.array(places).T, shape, mfc="none", color="0.6", markersize=4, label=f"rival: {name}")
    return ax
