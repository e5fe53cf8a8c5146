"""The one style of all pictures, for both sides: colours with line styles and markers, legends, axes, fonts.

It holds no mathematics, and loads matplotlib when something is drawn. The colour-blind tell apart the colours, those of
Okabe and Ito; whoever sees no colour at all goes by line styles and markers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.legend import Legend
    from matplotlib.transforms import Bbox

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000", "#56B4E9")
"""Blue, vermilion, green, purple, orange, black, sky blue."""
LINES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
MUTED = "0.55"
"""The grey of what only accompanies: rivals, the uniform state."""
MOST_ENTRIES = 10
TIME, ANGLE, BETA = "time", "angle (rad)", "β"
GREEK = {"beta": BETA, "kappa": "κ"}
PALE = 0.35
"""How opaque the regions of degrees are, under lines that stay black."""
PLACES = (
    "upper right",
    "upper left",
    "lower left",
    "lower right",
    "center right",
    "center left",
    "upper center",
    "lower center",
    "center",
)
MARGIN = 8
"""Pixels between a legend and what is drawn."""
MARKED = 8
"""About as many markers a curve."""


def axes_of(ax: Axes | None) -> Axes:
    """The axes to draw on: those given, or the current ones.

    Raises ValueError for anything but axes, and for axes that were removed from their figure.
    """
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes

    if ax is not None and not isinstance(ax, Axes):
        raise ValueError(f"ax {ax!r}: it must be matplotlib axes, or None for the current ones")
    if ax is not None and getattr(ax, "figure", None) is None:
        raise ValueError("ax: these axes were removed from their figure")
    return plt.gca() if ax is None else ax


def overridden(own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a curve or a patch with those that were given in their place, under a short name, too.

    >>> overridden({"color": "k", "linewidth": 2}, {"lw": 3})
    {'color': 'k', 'linewidth': 3}
    """
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return normalize_kwargs({**own}, Line2D) | normalize_kwargs({**given}, Line2D)


def of_degree(degree: int, points: int = 0) -> dict[str, Any]:
    """How the curve of a degree is drawn: its colour, line style and marker; degree 0, the uniform state, is grey.

    The numbers of colours (7), line styles (5) and markers (8) share no divisor: line style and marker alone do not
    repeat up to degree 40, nor all three up to 280. Of a curve with so many ``points`` only some are marked.

    >>> of_degree(1), of_degree(10, points=400)["markevery"]
    ({'color': '#0072B2', 'linestyle': '-', 'marker': 'o'}, (6, 50))
    >>> len({(style["linestyle"], style["marker"]) for style in map(of_degree, range(1, 41))})
    40
    """
    place = degree - 1
    color = COLORS[place % len(COLORS)] if degree else MUTED
    style: dict[str, Any] = {
        "color": color,
        "linestyle": LINES[place % len(LINES)],
        "marker": MARKERS[place % len(MARKERS)],
    }
    if points:
        step = max(1, points // MARKED)
        style |= {"markevery": (place % MARKED * step // MARKED, step), "markersize": 4}
    return style


def legend(ax: Axes, *, below: bool = False, **kwargs: Any) -> Legend | None:
    """A legend of at most ten entries, the others counted in the last, where it covers no curve, else below the axes.

    To be called when everything is drawn, in the axes beside it too, which may take some of the room. ``kwargs`` go to
    ``Axes.legend``; a ``loc`` among them decides the place; ``below`` is where all of the axes is covered. None where
    nothing has a label.
    """
    from matplotlib.lines import Line2D
    from matplotlib.transforms import Bbox, ScaledTranslation

    handles, labels = ax.get_legend_handles_labels()
    if not handles:
        return None
    if (rest := len(handles) - MOST_ENTRIES + 1) > 1:
        handles, labels = handles[: MOST_ENTRIES - 1], labels[: MOST_ENTRIES - 1]
        handles, labels = [*handles, Line2D([], [], linestyle="none")], [*labels, f"… {rest} more"]
    if "loc" in kwargs:
        return ax.legend(handles, labels, **kwargs)
    whole: Any = ax.figure.figure
    whole.draw_without_rendering()
    artists: list[Any] = [*ax.lines, *ax.patches]
    drawn = [artist for artist in artists if artist.get_transform().contains_branch(ax.transData)]
    for place in () if below else PLACES:
        made: Legend = ax.legend(handles, labels, **{"loc": place} | kwargs)
        box = Bbox.padded(made.get_window_extent(), MARGIN)
        if not any(_covered(artist, box) for artist in drawn):
            return made
    axis = ax.xaxis.get_tightbbox() or ax.bbox
    down = ScaledTranslation(0, (axis.y0 - ax.bbox.y0) / whole.dpi, whole.dpi_scale_trans)
    under: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "ncols": 2}
    made = ax.legend(handles, labels, **under | {"bbox_transform": ax.transAxes + down} | kwargs)
    return made


def _covered(artist: Any, box: Bbox) -> bool:
    """Whether a box lies over a curve or a bar, or over one of the markers that no line joins."""
    path = artist.get_path().transformed(artist.get_transform())
    if getattr(artist, "get_linestyle", str)() == "None":
        return bool(box.count_contains(path.vertices))
    return bool(path.intersects_bbox(box))


def columns(ax: Axes, cuts: Mapping[float, Iterable[tuple[float, float, int]]]) -> None:
    """Regions of degrees in a plane: at each place along x, pieces (low, high, degree) of y, as wide as there is room.

    Degrees are written once, where they are tallest; between two pieces that touch there is a black line.
    """
    places = sorted(cuts)
    middles = [(left + right) / 2 for left, right in pairwise(places)]
    first, last = (2 * places[0] - middles[0], 2 * places[-1] - middles[-1]) if middles else (0.0, 1.0)
    tallest: dict[int, tuple[float, float, float]] = {}
    for place, left, right in zip(places, [first, *middles], [*middles, last], strict=True):
        top = None
        for low, high, degree in cuts[place]:
            color = of_degree(degree)["color"]
            ax.fill_between([left, right], low, high, color=color, alpha=PALE, linewidth=0)
            if low == top:
                ax.plot([left, right], [low, low], color="black", linestyle="-", marker="", linewidth=1.2)
            top = high
            tallest[degree] = max(tallest.get(degree, (0.0, 0.0, 0.0)), (high - low, place, (low + high) / 2))
    whole = max(height for height, _, _ in tallest.values())
    for degree, (height, x, y) in tallest.items():
        if height > whole / 20:
            number(ax, x, y, degree)


def number(ax: Axes, x: float, y: float, degree: int) -> None:
    """The degree of a region, in it, with a white outline."""
    from matplotlib.patheffects import withStroke

    outline = [withStroke(linewidth=3, foreground="w")]
    ax.text(x, y, str(degree), ha="center", va="center", path_effects=outline)


def style() -> AbstractContextManager[None]:
    """Fonts, sizes and the cycle of colours with line styles, while it is entered: ``with style(): ...``."""
    import matplotlib as mpl
    from cycler import cycler

    kinds = [
        {name: of_degree(k)[name] for name in ("color", "linestyle")} for k in range(1, len(COLORS) * len(LINES) + 1)
    ]
    cycle = cycler(**{name: [kind[name] for kind in kinds] for name in kinds[0]})
    sizes: Any = {"font.size": 10, "axes.titlesize": 10.5, "legend.fontsize": 8, "lines.linewidth": 1.4}
    spines = {"axes.spines.top": False, "axes.spines.right": False, "legend.framealpha": 0.9}
    return mpl.rc_context({"axes.prop_cycle": cycle, "savefig.dpi": 110, "lines.markersize": 4} | sizes | spines)
