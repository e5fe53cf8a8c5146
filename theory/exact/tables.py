"""Tables of results in the formats of papers, spreadsheets and programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from html import escape
from math import isfinite
from numbers import Integral
from typing import Any, TypeAlias, overload

from gegenflow.theory.exact.refusals import Refused, choose, refusal
from gegenflow.theory.exact.typesetting import typeset
from gegenflow.theory.exact.values import Frozen, brief

Cell: TypeAlias = str | int | float
Row: TypeAlias = Mapping[str, Any]

FORMATS = ("text", "csv", "markdown", "latex", "json", "html")
CAPTIONED = ("latex", "markdown")
"""Formats that have room for a caption."""


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
            raise KeyError(f"column {key}: {choose(key, self.columns)}")
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

    def select(self, columns: str | Sequence[str]) -> Table:
        """The table of these columns, a name or several, in this order.

        :param columns: one of :attr:`columns`, or several

        >>> print(Table(({"dim": 2, "degree": 1, "beta": "1.044"},)).select(["beta", "dim"]))
        beta   dim
        1.044  2

        Raises Refused, with the nearest name, for one that it has not, and for none.
        """
        if not (names := _names("columns", columns)):
            raise Refused("columns", None, "the name of at least one is needed")
        for name in names:
            if name not in self.columns:
                raise Refused("columns", name, choose(str(name), self.columns) if self.rows else "the table is empty")
        return Table(tuple({name: row[name] for name in names} for row in self), self.facts)

    def wide(self, value: str, across: str | Sequence[str] = "degree", down: str | Sequence[str] = "dim") -> Table:
        """The layout of papers: a row for each ``down``, a column for each ``across``, ``value`` in the cells.

        The new columns are called after both, as beta_1, and stand in the order of their numbers; a cell that no row
        has is empty. The largest error is a fact, and so is every other column, which must be the same in all rows.

        :param value: the column whose values fill the table
        :param across: the column whose values stand across it, or several
        :param down: the column whose values stand down it, or several

        >>> table = Table(({"dim": 2, "degree": 1, "beta": "1.04446", "error": "3.2e-6"},
        ...                {"dim": 2, "degree": 2, "beta": "3.16543", "error": "4.5e-6"},
        ...                {"dim": 3, "degree": 1, "beta": "1.81615", "error": "4.6e-6"}))
        >>> print(table.wide("beta"))
        dim  beta_1   beta_2
        2    1.04446  3.16543
        3    1.81615
        >>> table.wide("beta").facts["largest_error"]
        '4.6e-6'

        Raises Refused for a name that is no column, another column that varies, and two values for one cell.
        """
        if not self.rows:
            return self
        down, across, facts = _names("down", down), _names("across", across), dict(self.facts)
        self.select([*down, *across, *_names("value", value)])
        for name in self.columns:
            if name == "error" and value != name:
                facts["largest_error"] = max(self[name], key=_size)
            elif name not in (*down, *across, value):
                if len({*map(str, self[name])}) > 1:
                    raise Refused("down", None, f"the column {name} varies, too, and must be among {', '.join(down)}")
                facts[name] = self[name][0]
        lines: dict[tuple[Any, ...], dict[str, Any]] = {}
        heads: dict[str, tuple[Any, ...]] = {}
        for row in self:
            line = lines.setdefault(tuple(row[name] for name in down), {})
            place = tuple(row[name] for name in across)
            head = "_".join(map(str, (value, *place)))
            if str(line.setdefault(head, row[value])) != str(row[value]):
                raise Refused("across", None, f"{head} is both {line[head]} and {row[value]} in one row")
            heads[head] = place
        if all(isinstance(part, int | float) for place in heads.values() for part in place):
            heads = dict(sorted(heads.items(), key=lambda item: item[1]))
        rows = (
            dict(zip(down, place, strict=True)) | {head: line.get(head, "") for head in heads}
            for place, line in lines.items()
        )
        return Table(tuple(rows), facts)

    def to(self, form: str, *, caption: str = "", label: str = "") -> str:
        r"""The table in one of :data:`FORMATS`; JSON is an object with a list ``rows``.

        :param form: one of :data:`FORMATS`
        :param caption: of LaTeX, as it is, in a table environment, and of Markdown; none by default
        :param label: of LaTeX, as it is; none by default

        >>> table = Table(({"dim": 2, "degree": 1, "beta": "1.044", "error": "4.6e-4"},), {"digits": 4})
        >>> print(table.to("csv"))
        dim,degree,beta,error,digits
        2,1,1.044,4.6e-4,4
        >>> print(table.to("latex"))
        % digits: 4
        % \usepackage{booktabs}
        \begin{tabular}{rrll}
        \toprule
        $d$ & $k$ & $\beta_{k}$ & error \\
        \midrule
        $2$ & $1$ & $1.044$ & $4.6 \cdot 10^{-4}$ \\
        \bottomrule
        \end{tabular}

        Raises Refused for an unknown format, and for a caption or a label of a format that has none.
        """
        writers = {
            "text": self._text,
            "csv": self._csv,
            "markdown": lambda: self._markdown(caption),
            "latex": lambda: self._latex(caption, label),
            "json": lambda: json.dumps(_plain({**self.facts, "rows": self.rows}), indent=2, allow_nan=False),
            "html": self._html,
        }
        if form not in writers:
            raise refusal("format", form, choose(str(form), FORMATS))
        if caption and form not in CAPTIONED:
            raise Refused("caption", caption, f"a table has one in {' and '.join(CAPTIONED)}")
        if label and form != "latex":
            raise Refused("label", label, "a table has one in latex")
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

    def _markdown(self, caption: str = "") -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self._cells()]
        rows = ("| " + " | ".join(" ".join(cell.split()).replace("|", r"\|") for cell in line) + " |" for line in lines)
        return "\n".join([*self._comments("<!-- ", " -->"), *rows, *[f"\nTable: {caption}"] * bool(caption)])

    def _latex(self, caption: str = "", label: str = "") -> str:
        return typeset(self.columns, [tuple(row.values()) for row in self], self._comments("% "), caption, label)

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


def _names(argument: str, names: str | Sequence[str]) -> Sequence[str]:
    found = [names] if isinstance(names, str) else [*names] if isinstance(names, Iterable) else [names]
    for name in found:
        if not isinstance(name, str):
            raise Refused(argument, repr(name), "the names of columns are needed")
    return found


def _size(error: Any) -> Decimal:
    """An error as a number to compare; what is none is larger than all."""
    try:
        size = Decimal(str(error))
    except InvalidOperation:
        return Decimal("Infinity")
    return Decimal("Infinity") if size.is_nan() else size


def _plain(value: Any) -> Any:
    """What strict JSON has for a cell: null for a number that is not finite, and text for what it does not know."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Integral):
        return value if isinstance(value, bool) else int(value)
    if isinstance(value, float):
        return float(value) if isfinite(value) else None
    return value if value is None else str(value)
