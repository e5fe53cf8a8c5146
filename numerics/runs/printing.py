"""How runs print: a table of at most twelve lines, as text or in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from gegenflow.numerics.tokens.values import facts_html

MOST_LINES, MOST_SHOWN = 12, 100

Rows = Mapping[str, object]


def as_text(title: str, rows: Rows) -> str:
    """A title and indented rows.

    >>> print(as_text("Run: 2 tokens", {"status": "reached t = 1"}))
    Run: 2 tokens
      status              reached t = 1
    """
    return "\n".join([_line(title), *(f"  {_line(name):<20}{_line(row)}" for name, row in _kept(rows).items())])


def as_html(title: str, rows: Rows) -> str:
    """The same as a table of HTML.

    >>> print(as_html("Run", {"energy": "1 -> 2"}))
    <table><caption>Run</caption>
    <tr><th>energy</th><td>1 -&gt; 2</td></tr>
    </table>
    """
    return facts_html(_line(title), {_line(name): _line(row) for name, row in _kept(rows).items()})


def number(value: object) -> str:
    """A number in few digits, anything else as it prints.

    >>> number(0.1 + 0.2), number("none")
    ('0.3', 'none')
    """
    return f"{value:g}" if isinstance(value, float) else str(value)


def summary(values: NDArray[Any]) -> str:
    """First and last of numbers in time, or the shape of anything else.

    >>> import numpy as np
    >>> summary(np.array([1.0, 2.0, 4.0])), summary(np.zeros((3, 2)))
    ('1 -> 4', 'shape (3, 2)')
    """
    if values.ndim == 1 and len(values) and values.dtype.kind in "biufc":
        return f"{values[0]:.6g} -> {values[-1]:.6g}"
    return f"shape {values.shape}"


def _kept(rows: Rows) -> Rows:
    if len(rows) < MOST_LINES:
        return rows
    first = dict(list(rows.items())[: MOST_LINES - 2])
    return first | {"...": f"{len(rows) - len(first)} more"}


def _line(text: object) -> str:
    shown = " ".join(str(text).split())
    return shown if len(shown) <= MOST_SHOWN else shown[:MOST_SHOWN] + "..."
