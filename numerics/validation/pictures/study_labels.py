"""What pictures and pages of a study call its parameters and their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gegenflow.numerics.validation.studies.findings import QUANTITY, Place
from gegenflow.numerics.validation.studies.layouts import Layout
from gegenflow.pictures import GREEK

if TYPE_CHECKING:
    from matplotlib.axis import Axis

LONGEST = 26
"""Characters of a value beside an axis."""
MOST_TICKS = 10
CHARACTERS = 11
"""Of labels side by side, in an inch."""


def shown(name: str, value: Any) -> str:
    """A value of a parameter as a picture has it.

    >>> shown("model", "usa"), shown("kernel", "exp(beta*t)"), shown("kernel", None), shown("tokens", None)
    ('USA', 'exp(βt)', 'exp(βt)', 'default')
    """
    if name == "kernel":
        text = str(value or "exp(beta*t)").replace("**", "^").replace("*", "").replace("beta", GREEK["beta"])
    else:
        text = "default" if value is None else str(value).upper() if name == "model" else str(value)
    return text if len(text) <= LONGEST or name == QUANTITY else f"{text[: LONGEST - 1]}…"


def told_at(place: Place) -> str:
    """What holds in a panel.

    >>> told_at({"model": "sa", "dim": 3, "beta": "5", "quantity": "degree 2"})
    'SA, dim 3, β 5, degree 2'
    """
    bare = "model", "kernel", QUANTITY
    texts = (
        shown(name, value) if name in bare else f"{GREEK.get(name, name)} {shown(name, value)}"
        for name, value in place.items()
    )
    return ", ".join(texts)


def title_of(place: Place, layout: Layout) -> str:
    """What holds in a picture, and what is averaged over.

    >>> title_of({"dim": 3}, Layout("beta", None, averaged=("tokens",)))
    'dim 3, mean over tokens'
    """
    means = " and ".join(GREEK.get(name, name) for name in layout.averaged)
    return ", ".join([*[told_at(place)] * bool(place), *[f"mean over {means}"] * bool(means)])


def tick(axis: Axis, name: str | None, line: Sequence[Any], places: Sequence[float]) -> None:
    """Names of so many values as have room, and that of their parameter."""
    step = -(-len(line) // MOST_TICKS)
    labels = [shown(name or "", value) if name else "" for value in line]
    axis.set_ticks(list(places)[::step], labels[::step])
    width = axis.axes.get_window_extent().width / axis.axes.figure.dpi
    if axis is axis.axes.xaxis and sum(len(label) + 1 for label in labels[::step]) > CHARACTERS * width:
        axis.set_tick_params(labelrotation=30)
        for label in axis.get_ticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axis.set_label_text("" if name in (None, QUANTITY) else GREEK.get(name or "", name))
