"""Results are values: equal when equal, hashable, the same after a copy, a pickle or a trip to another process."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import Field, fields
from html import escape
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

MOST_SHOWN = 12
"""Entries of an array or a list that a table shows."""


def facts_html(title: str, facts: Mapping[str, object]) -> str:
    """Facts as a table of HTML, a line each, numbers short: what a notebook shows.

    >>> print(facts_html("run", {"at": np.array([0.5, 0.25]), "of": (1 / 3, "<x>")}))
    <table><caption>run</caption>
    <tr><th>at</th><td>[0.5 , 0.25]</td></tr>
    <tr><th>of</th><td>0.333333, &lt;x&gt;</td></tr>
    </table>
    """
    lines = (f"<tr><th>{escape(name)}</th><td>{_cell(value)}</td></tr>" for name, value in facts.items())
    return "\n".join([f"<table><caption>{escape(title)}</caption>", *lines, "</table>"])


def record_html(record: Any) -> str:
    """A dataclass as a table of HTML, a line a field, and what it is where it has none: see :func:`facts_html`."""
    shown = {part.name: getattr(record, part.name) for part in fields(record) if part.repr}
    line = re.sub(":math:`(.*?)`", r"$\1$", (type(record).__doc__ or "").strip().partition("\n")[0])
    return facts_html(type(record).__name__, shown or {"": re.sub(r":\w+:`~?\.?(.*?)`", r"\1", line)})


def _cell(value: object) -> str:
    if isinstance(value, np.ndarray):
        text = np.array2string(value, separator=", ", threshold=MOST_SHOWN, edgeitems=2, precision=6)
        size = f" &nbsp; {' &times; '.join(map(str, value.shape))}" if value.size > MOST_SHOWN else ""
        return escape(text).replace("\n", "<br>") + size
    if isinstance(value, float):
        return f"{value:.6g}"
    if hasattr(value, "_repr_html_") and not isinstance(value, type):
        return str(value._repr_html_())
    if hasattr(value, "_repr_latex_") and not isinstance(value, type):
        return escape(value._repr_latex_())
    if isinstance(value, Mapping):
        return ", ".join(f"{escape(str(name))}: {_cell(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        records = any(hasattr(part, "_repr_html_") for part in value)
        cells = [*map(_cell, value[:MOST_SHOWN]), *[f"... {len(value) - MOST_SHOWN} more"] * (len(value) > MOST_SHOWN)]
        return ("" if records else ", ").join(cells) or "none"
    return "none" if value is None else escape(getattr(value, "__name__", None) or str(value))


class Value:
    """What a frozen dataclass with arrays is made of: ``@dataclass(frozen=True, eq=False) class Row(Value)``.

    Two are equal where they are of one class and their fields are equal, those with ``compare=False`` aside: arrays bit
    for bit, of one shape and dtype, nan equal to nan. Arrays are read-only, also after a copy or a pickle.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, eq=False)
    ... class Row(Value):
    ...     numbers: NDArray[Any]
    >>> Row(np.array([1.0, np.nan])) == Row(np.array([1.0, np.nan])), Row(np.ones(2)) == Row(np.ones(2, dtype=int))
    (True, False)
    >>> Row(np.ones(2)).numbers[0] = 3
    Traceback (most recent call last):
    ValueError: assignment destination is read-only

    Source: derived here.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __post_init__(self) -> None:
        self.__setstate__(dict(self.__dict__))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({name: sealed(value) for name, value in state.items()})

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return contents(self) == contents(other)

    def __hash__(self) -> int:
        return hash(contents(self))


def sealed(value: Any) -> Any:
    """A read-only view of an array, a mapping of such views, or anything else as it is.

    >>> sealed({"rates": np.ones(2)})["rates"].flags.writeable
    False
    """
    if isinstance(value, np.ndarray):
        view = value.view()
        view.setflags(write=False)
        return view
    return {name: sealed(part) for name, part in value.items()} if isinstance(value, Mapping) else value


def contents(value: object) -> Hashable:
    """What decides whether two values are equal, and their hash.

    >>> contents([1, {"a": float("nan")}]) == contents((1, {"a": float("nan")}))
    True
    """
    if isinstance(value, Value):
        return type(value), *(contents(getattr(value, f.name)) for f in fields(value) if f.compare)
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, _bits(value)
    if isinstance(value, Mapping):
        return frozenset((name, contents(part)) for name, part in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(contents, value))
    return "nan" if isinstance(value, float) and value != value else value


def _bits(array: NDArray[Any]) -> bytes:
    if array.dtype.kind in "fc" and np.isnan(array).any():
        array = np.where(np.isnan(array), np.nan, array)
    return array.tobytes()
