"""What results have in common: mappings that do not change, short prints, records in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from html import escape
from typing import Any, TypeVar

import sympy as sp

from gegenflow.theory.exact import mathematics

K = TypeVar("K")
V = TypeVar("V")

MOST_LINES = 12
"""Lines of a result in a prompt."""


class Frozen(Mapping[K, V]):
    """A mapping that does not change: equal to a dict of the same items, hashable, picklable.

    >>> shares = Frozen({3: 0.6, 2: 0.4})
    >>> shares, shares == {2: 0.4, 3: 0.6}, hash(shares) == hash(Frozen({2: 0.4, 3: 0.6})), sum(shares.values())
    ({3: 0.6, 2: 0.4}, True, True, 1.0)
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[K, V]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: K) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return Frozen, (dict(self._items),)

    def __repr__(self) -> str:
        return repr(self._items)


def brief(text: str) -> str:
    """The text, with its middle left out where it has more than a dozen lines.

    >>> brief("\\n".join(map(str, range(100)))).splitlines()[5:8]
    ['5', '... 89 more lines', '95']
    """
    lines = text.splitlines()
    ahead, behind = MOST_LINES // 2, MOST_LINES - MOST_LINES // 2 - 1
    if len(lines) <= MOST_LINES:
        return text
    return "\n".join([*lines[:ahead], f"... {len(lines) - ahead - behind} more lines", *lines[-behind:]])


def record_html(record: Any) -> str:
    """A dataclass as an HTML table, a line a field, mathematics in LaTeX: what a notebook shows."""
    shown = [(part.name, getattr(record, part.name)) for part in fields(record) if part.repr]
    lines = (f"<tr><th>{escape(name)}</th><td>{_cell(value)}</td></tr>" for name, value in shown)
    return "\n".join(["<table>", f"<caption>{type(record).__name__}</caption>", *lines, "</table>"])


def _cell(value: object) -> str:
    if isinstance(value, sp.Basic):
        return f"${escape(mathematics.latex(value))}$"
    if hasattr(value, "_repr_html_"):
        return str(value._repr_html_())
    if hasattr(value, "_repr_latex_"):
        return escape(value._repr_latex_())
    if isinstance(value, Mapping):
        return ", ".join(f"{escape(str(name))}: {_cell(part)}" for name, part in value.items())
    if isinstance(value, tuple):
        return (
            "<br>".join(" &times; ".join(map(_cell, x)) if isinstance(x, tuple) else _cell(x) for x in value) or "none"
        )
    return "none" if value is None else f"{value:.6g}" if isinstance(value, float) else escape(str(value))
