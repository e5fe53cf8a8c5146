"""What pages are made of: the frame with its style, tables, pictures inside the page, and what a law states."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

from gegenflow.numerics.validation.law import Law
from gegenflow.numerics.validation.pages.formulas import formula

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; color: #111; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.2rem; margin: 1.6rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1rem 0 0; } p { margin: .4rem 0; }
math { font-size: 108%; } math[display=block] { margin: .25rem 0; overflow-x: auto; overflow-y: hidden; }
table { border-collapse: collapse; font-size: .85rem; margin: .5rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .1rem .8rem .1rem 0; vertical-align: top; } tr { break-inside: avoid; }
.wide { overflow-x: auto; } .wide td:not(:last-child) { white-space: nowrap; }
.law td:nth-child(-n+5), .law th { white-space: nowrap; }
th { border-bottom: 1px solid #111; } tr:last-child td { border-bottom: 1px solid #111; }
caption, .small { font-size: .8rem; color: #444; text-align: left; } img { max-width: 100%; } li { margin: .2rem 0; }
@page { size: A4; margin: 14mm; }
@media print {
  body { font-size: 9.5pt; line-height: 1.3; margin: 0; max-width: none; padding: 0; } math { font-size: 98%; }
  .wide { overflow: visible; } h3 { break-after: avoid; }
  table { font-size: 7.5pt; } th, td { padding-right: .6rem; }
  .law { break-before: page; } img { max-height: 95mm; } li { break-inside: avoid; margin: 0; }
  math[display=block] { margin: 0; overflow: visible; }
}
"""
LIBRARIES = "numpy", "scipy", "numba", "sympy", "python-flint", "mpmath"
"""Whose versions a page tells."""

DOTS = 150
"""Pixels an inch of what a picture holds as pixels."""


def document(title: str, parts: Iterable[str]) -> str:
    """A page of HTML that needs no other file.

    >>> document("a < b", ["<p>text</p>"]).splitlines()[-3:]
    ['<p>text</p>', '</body>', '</html>']
    """
    head = f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>'
    style = f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>"
    return "\n".join([head, style, *parts, "</body>\n</html>"])


def table(head: Sequence[str], rows: Iterable[Iterable[Any]], caption: str = "") -> str:
    """Rows as a table, each cell as text.

    >>> table(["a"], [["<1>"]]).splitlines()[2]
    '<tr><td>&lt;1&gt;</td></tr>'
    """

    def line(cells: Iterable[Any], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    named = f"<caption>{escape(caption)}</caption>\n" if caption else ""
    return f"<table>\n{named}{line(head, 'th')}\n" + "\n".join(line(row, "td") for row in rows) + "\n</table>"


def image(figure: Figure, words: str) -> str:
    """A figure as an image that the page holds; ``words`` say what it shows where it cannot be seen."""
    import matplotlib as mpl

    drawn = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "gegenflow"}):
        figure.savefig(drawn, format="svg", dpi=DOTS, metadata={"Date": None})
    data = b64encode(drawn.getvalue()).decode()
    return f'<img alt="{escape(words)}" src="data:image/svg+xml;base64,{data}">'


def stated(law: Law) -> list[str]:
    """What a law states, in a formula and in words, where it comes from and what it must refute."""
    what = (law.trial.__doc__ or "").strip().split("\n\n")[0]
    return [
        formula(law.statement, display=True),
        f"<p>{escape(what)}</p><p class=small>Source: {_linked(law.source)}</p>",
        f"<p class=small>Rivals that the same data must refute: {escape('; '.join(law.rivals))}.</p>",
    ]


def _linked(source: str) -> str:
    """The source, with the numbers of arXiv as links."""
    return re.sub(r"\b(\d{4}\.\d{5})\b", r'<a href="https://arxiv.org/abs/\1">\1</a>', escape(source))
