"""Tables of results in the formats of papers, spreadsheets and programs."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from gegenflow.theory.exact.certified import latex_number

Row = Mapping[str, Any]

FORMATS = ("text", "csv", "markdown", "latex", "json", "html")


@dataclass(frozen=True)
class Table:
    """Rows that share their columns; certified numbers are kept as the decimals that were proved.

    >>> print(Table(({"dim": 2, "degree": 1, "beta": "1.04446", "error": "3.2e-6"},
    ...              {"dim": 3, "degree": 1, "beta": "1.81615", "error": "4.6e-6"})))
    dim  degree  beta     error
    2    1       1.04446  3.2e-6
    3    1       1.81615  4.6e-6
    """

    rows: tuple[Row, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.rows[0]) if self.rows else ()

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
            "json": lambda: json.dumps({"rows": [dict(row) for row in self.rows]}, indent=2),
            "html": self._html,
        }
        if form not in writers:
            raise ValueError(f"format {form}: choose from {', '.join(FORMATS)}")
        return writers[form]()

    def _cells(self) -> list[list[str]]:
        return [[str(value) for value in row.values()] for row in self.rows]

    def _text(self) -> str:
        lines = [list(self.columns), *self._cells()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)

    def _csv(self) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.columns, *self._cells()])
        return text.getvalue().rstrip("\n")

    def _markdown(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self._cells()]
        return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)

    def _latex(self) -> str:
        body = [" & ".join(_latex_cell(cell) for cell in line) + r" \\" for line in [self.columns, *self._cells()]]
        body.insert(1, r"\hline")
        return "\n".join([rf"\begin{{tabular}}{{{'r' * len(self.columns)}}}", *body, r"\end{tabular}"])

    def _html(self) -> str:
        def line(cells: Iterable[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        return "\n".join(["<table>", line(self.columns, "th"), *(line(c, "td") for c in self._cells()), "</table>"])

    def __str__(self) -> str:
        return self._text()

    def _repr_html_(self) -> str:
        return self._html()

    def _repr_latex_(self) -> str:
        return self._latex()


def _latex_cell(cell: str) -> str:
    if re.fullmatch(r"-?[\d.]+(e[+-]\d+)?", cell):
        return f"${latex_number(cell)}$"
    return re.sub(r"([_&%#$])", r"\\\1", cell)
