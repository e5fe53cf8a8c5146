"""Tables of certified numbers, and of anything else, as text, CSV, Markdown, LaTeX, HTML or JSON rows."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise, product
from typing import Any

from gegenflow.theory.certified import latex_number
from gegenflow.theory.growth import growth_rate
from gegenflow.theory.isolation import boundaries
from gegenflow.theory.kernels import Kernel
from gegenflow.theory.phases import critical_beta
from gegenflow.theory.weights import beta as BETA

Row = Mapping[str, Any]
FORMATS = ("text", "csv", "markdown", "latex", "json", "html")


@dataclass(frozen=True)
class Table:
    """Rows that share their columns; certified numbers are kept as the decimals that were proved.

    >>> print(critical_table(dims=[2, 3], degrees=[1], digits=6))
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

        >>> print(critical_table([2], [1], digits=4).to("csv"))
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


def critical_rows(dims: Iterable[int], degrees: Sequence[int], digits: int = 15) -> Iterator[Row]:
    """Rows of :func:`critical_table`, one at a time."""
    for dim, degree in product(dims, degrees):
        boundary = critical_beta(degree, dim, digits)
        yield {"dim": int(dim), "degree": int(degree), "beta": boundary.value, "error": boundary.error}


def boundary_rows(dims: Iterable[int], kernel: Kernel, between: tuple[Any, Any], **options: Any) -> Iterator[Row]:
    """All boundaries of any kernel in an interval, by :func:`~gegenflow.theory.isolation.boundaries` (its options).

    ``degree`` leads below a boundary, ``next`` above it, 0 is a stable uniform state. A piece of the interval that
    could not be resolved has its ends in the place of the number.

    >>> from gegenflow.theory.kernels import exponential
    >>> print(Table(tuple(boundary_rows([2], exponential(), (1, 5), noise=1, digits=6))))
    dim  degree  next  beta     error
    2    0       1     2.48684  2.4e-6
    2    1       2     3.66437  2.9e-6
    """
    for dim in dims:
        found = boundaries(kernel, dim, between, **options)
        cuts: list[tuple[float, str, str]] = [
            *((float(edge.value), edge.value.value, edge.value.error) for edge in found.boundaries),
            *((low, f"{low:.9g} to {high:.9g}", "unresolved") for low, high in found.unresolved),
        ]
        for (_, value, error), (below, above) in zip(sorted(cuts), pairwise(found.degrees), strict=True):
            yield {"dim": int(dim), "degree": below, "next": above, str(found.parameter): value, "error": error}


def growth_rows(
    dims: Iterable[int],
    degrees: Sequence[int],
    beta: Any = None,
    *,
    model: str = "usa",
    kernel: Kernel | None = None,
    noise: Any = 0,
    digits: int = 15,
) -> Iterator[Row]:
    """Rows of :func:`growth_table`, one at a time."""
    fixed = None if kernel is None else kernel if beta is None else kernel.at({BETA: beta})
    more = ({"kernel": str(kernel.weight)} if kernel else {}) | ({"noise": str(noise)} if noise else {})
    for dim, degree in product(dims, degrees):
        rate = growth_rate(degree, dim, beta, model=model, kernel=fixed, noise=noise, digits=digits)
        facts = {"dim": int(dim), "degree": int(degree), "beta": str(beta), "model": model}
        if beta is None:
            del facts["beta"]
        yield {**facts, **more, "rate": rate.value, "error": rate.error}


def critical_table(dims: Iterable[int], degrees: Sequence[int], digits: int = 15) -> Table:
    r"""Boundaries :math:`\beta_k(d)` between degrees k and k+1 (:func:`~gegenflow.theory.phases.critical_beta`).

    Raises ValueError for dim < 2, degree < 1 or digits < 1.
    """
    return Table(tuple(critical_rows(dims, degrees, digits)))


def growth_table(dims: Iterable[int], degrees: Sequence[int], beta: Any = None, **options: Any) -> Table:
    """Growth rates (:func:`~gegenflow.theory.growth.growth_rate`, its options), with beta as it was given.

    >>> print(growth_table([2], [3], "5", digits=12))
    dim  degree  beta  model  rate           error
    2    3       5     usa    18.5960703045  2.8e-11

    Raises ValueError for dim < 2, degree < 1, digits < 1, beta negative or not finite, or an unknown model.
    """
    return Table(tuple(growth_rows(dims, degrees, beta, **options)))
