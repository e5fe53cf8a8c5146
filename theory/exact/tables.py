"""Tables of results in the formats of papers, spreadsheets and programs."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, TypeAlias, overload

from gegenflow.theory.exact.refusals import Refused, refusal
from gegenflow.theory.exact.rounding import latex_number
from gegenflow.theory.exact.values import Frozen, brief

Cell: TypeAlias = str | int | float
Row: TypeAlias = Mapping[str, Any]

FORMATS = ("text", "csv", "markdown", "latex", "json", "html")


@dataclass(frozen=True)
class Table:
    """Rows that share their columns; certified numbers are kept as the decimals that were proved.

    ``facts`` say what the table holds (a version, a model, digits): JSON has them beside ``rows``, CSV in
    columns of their own, Markdown and LaTeX as comments, HTML as a caption; without facts no format shows any.

    >>> table = Table(({"dim": 2, "degree": 1, "beta": "1.04446", "error": "3.2e-6"},
    ...                {"dim": 3, "degree": 1, "beta": "1.81615", "error": "4.6e-6"}))
    >>> print(table)
    dim  degree  beta     error
    2    1       1.04446  3.2e-6
    3    1       1.81615  4.6e-6

    A table is the sequence of its rows; a column is a tuple:

    >>> len(table), table[1]["beta"], table["dim"], table[:1] == Table((table[0],)), [row["dim"] for row in table]
    (2, '1.81615', (2, 3), True, [2, 3])
    """

    rows: tuple[Row, ...]
    facts: Mapping[str, Cell] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(Frozen(row) for row in self.rows))
        object.__setattr__(self, "facts", Frozen(self.facts))
        if "rows" in self.facts:
            raise Refused("facts", None, "none of them may be named rows, which JSON has for the rows")
        for number, row in enumerate(self.rows):
            if tuple(row) != self.columns:
                raise Refused("rows", None, f"row {number} has the columns {tuple(row)}, the first {self.columns}")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.rows[0]) if self.rows else ()

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @overload
    def __getitem__(self, key: int) -> Row: ...
    @overload
    def __getitem__(self, key: slice) -> Table: ...
    @overload
    def __getitem__(self, key: str) -> tuple[Any, ...]: ...

    def __getitem__(self, key: int | slice | str) -> Row | Table | tuple[Any, ...]:
        if isinstance(key, slice):
            return Table(self.rows[key], self.facts)
        if not isinstance(key, str):
            return self.rows[key]
        if key not in self.columns:
            raise KeyError(f"column {key}: choose from {', '.join(self.columns)}")
        return tuple(row[key] for row in self.rows)

    def to_pandas(self) -> Any:
        """The rows as a ``pandas.DataFrame`` of the decimals, the facts in its ``attrs``; pandas must be installed.

        Raises ImportError, in one sentence, where it is not.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError("a table becomes a data frame where pandas is installed: pip install pandas") from error
        frame = pandas.DataFrame([dict(row) for row in self.rows], columns=list(self.columns))
        frame.attrs.update(self.facts)
        return frame

    def to(self, form: str) -> str:
        """The table in one of :data:`FORMATS`; JSON is an object with a list ``rows``.

        >>> print(Table(({"dim": 2, "degree": 1, "beta": "1.044", "error": "4.6e-4"},)).to("csv"))
        dim,degree,beta,error
        2,1,1.044,4.6e-4

        Raises ValueError for an unknown format.
        """
        writers = {
            "text": self._text,
            "csv": self._csv,
            "markdown": self._markdown,
            "latex": self._latex,
            "json": lambda: json.dumps({**self.facts, "rows": [dict(row) for row in self.rows]}, indent=2),
            "html": self._html,
        }
        if form not in writers:
            raise refusal("format", form, f"choose from {', '.join(FORMATS)}")
        return writers[form]()

    def _cells(self) -> list[list[str]]:
        return [[str(value) for value in row.values()] for row in self.rows]

    def _text(self) -> str:
        lines = [list(self.columns), *self._cells()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)

    def _comments(self, before: str, after: str = "") -> list[str]:
        return [
            f"{before}{name}: {' '.join(str(value).split()).replace('--', '- -')}{after}"
            for name, value in self.facts.items()
        ]

    def _csv(self) -> str:
        """The facts are columns of their own: readers of CSV know no comments."""
        told = {name: value for name, value in self.facts.items() if name not in self.columns}
        text, more = io.StringIO(), [str(value) for value in told.values()]
        csv.writer(text, lineterminator="\n").writerows(
            [[*self.columns, *told], *(row + more for row in self._cells())]
        )
        return text.getvalue().rstrip("\n")

    def _markdown(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self._cells()]
        rows = ("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)
        return "\n".join([*self._comments("<!-- ", " -->"), *rows])

    def _latex(self) -> str:
        body = [" & ".join(_latex_cell(cell) for cell in line) + r" \\" for line in [self.columns, *self._cells()]]
        body.insert(1, r"\hline")
        return "\n".join(
            [*self._comments("% "), rf"\begin{{tabular}}{{{'r' * len(self.columns)}}}", *body, r"\end{tabular}"]
        )

    def _html(self) -> str:
        def line(cells: Iterable[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        caption = [f"<caption>{escape(', '.join(self._comments('')))}</caption>"] if self.facts else []
        body = (line(cells, "td") for cells in self._cells())
        return "\n".join(["<table>", *caption, line(self.columns, "th"), *body, "</table>"])

    def __str__(self) -> str:
        return self._text()

    def __repr__(self) -> str:
        """The text, its middle left out where it is long."""
        return brief(self._text())

    def _repr_html_(self) -> str:
        return self._html()

    def _repr_latex_(self) -> str:
        return self._latex()


def _latex_cell(cell: str) -> str:
    if re.fullmatch(r"-?[\d.]+(e[+-]\d+)?", cell):
        return f"${latex_number(cell)}$"
    return re.sub(r"([_&%#$])", r"\\\1", cell)
