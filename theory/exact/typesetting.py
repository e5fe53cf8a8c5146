r"""Tables as a paper prints them: rules of booktabs, headings and numbers typeset, decimal points below each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gegenflow.theory.exact.formulas import read_weight
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.rounding import latex_number

SYMBOLS = {
    **{"dim": "d", "degree": "k", "next": "k'", "rate": r"\gamma", "noise": r"\kappa^{-1}", "kernel": "h(t)"},
    **{"lower": r"\beta_{\mathrm{from}}", "upper": r"\beta_{\mathrm{to}}", "tokens": "N", "amplitude": "a"},
    **{name: rf"\{name}" for name in ("alpha", "beta", "gamma", "kappa", "lambda", "mu", "rho", "sigma", "theta")},
}
"""What papers write for the names of columns."""

ESCAPES = {
    **{mark: rf"\{mark}" for mark in "_&%#${}"},
    **{"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"},
    **{"<": "$<$", ">": "$>$", "|": "$|$"},
}
NUMBER = re.compile(r"(-?)(\d+)(\.\d+)?(/\d+|e[+-]?\d+)?")
MATHEMATICS = re.compile(r"\$[^$]+\$")
PAGE = 40
"""Rows that one page holds; a table of more is a longtable."""
WIDE, SHARE = 40, 0.72
"""Letters from which a cell is broken into lines, and what such columns take of the width of a page together."""


def heading(name: str, certified: bool = False) -> str:
    r"""The heading of a column, LaTeX if it is that already; a certified number beside a degree k has the index k.

    >>> [heading("dim"), heading("beta"), heading("beta", certified=True), heading("rate_3"), heading("emergence_time")]
    ['$d$', '$\\beta$', '$\\beta_{k}$', '$\\gamma_{3}$', 'emergence time']
    """
    if MATHEMATICS.fullmatch(name):
        return name
    word, *indices = name.split("_")
    if word not in SYMBOLS or not all(index.isdigit() for index in indices):
        return escaped(name.replace("_", " "))
    index = ",".join(indices or ["k"] * (certified or word == "rate"))
    return f"${SYMBOLS[word]}_{{{index}}}$" if index else f"${SYMBOLS[word]}$"


def cell(name: str, value: object) -> str:
    r"""A cell of the column: a number, a model, a kernel as a formula, LaTeX between dollars, or text as it is.

    >>> print(cell("beta", "1.5e-7"), cell("kernel", "exp(2*t)"), cell("model", "sa"), cell("statement", "$a^2$"))
    $1.5 \cdot 10^{-7}$ $e^{2 t}$ SA $a^2$
    >>> print(cell("law", "50% of a_k"))
    50\% of a\_k
    """
    text = _text(value)
    if NUMBER.fullmatch(text):
        return f"${latex_number(text)}$"
    if name == "kernel":
        return _formula(text)
    if name == "model":
        return text.upper()
    return text if MATHEMATICS.fullmatch(text) else escaped(text)


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _formula(text: str) -> str:
    try:
        return f"${latex(read_weight(text))}$"
    except Refused:
        return rf"\texttt{{{escaped(text)}}}"


def escaped(text: str) -> str:
    r"""Text for LaTeX, letter by letter.

    >>> print(escaped(r"{50%} \ ~"))
    \{50\%\} \textbackslash{} \textasciitilde{}
    """
    return "".join(ESCAPES.get(letter, letter) for letter in text)


def typeset(
    columns: Sequence[str], rows: Sequence[Sequence[object]], comments: Sequence[str], caption: str, label: str
) -> str:
    """A table in LaTeX: tabular, in a table environment where it has a caption or a label, longtable beyond a page."""
    values = [tuple(row[place] for row in rows) for place in range(len(columns))]
    certified = {"degree", "error"} <= {*columns} and "next" not in columns
    heads = [
        heading(name, certified and after == "error") for name, after in zip(columns, [*columns, ""][1:], strict=True)
    ]
    shapes, cells = zip(*map(_column, columns, values), strict=True) if columns else ((), ())
    head, *body = (" & ".join(line) + r" \\" for line in [heads, *zip(*cells, strict=True)])
    return "\n".join([*comments, *_environment(shapes, head, body, caption, label)])


def _column(name: str, values: Sequence[object]) -> tuple[str, list[str]]:
    """How a column is set, and its cells, the decimals with room for the digits that others have before the point."""
    texts, cells = [_text(value) for value in values], [cell(name, value) for value in values]
    numbers = [NUMBER.fullmatch(text) for text in texts]
    if any(text and not number for text, number in zip(texts, numbers, strict=True)):
        return ("p" if max(map(len, texts)) > WIDE else "l"), cells
    found = [number for number in numbers if number]
    if not any(number[3] or "e" in number[0] for number in found):
        return "r", cells
    signed, digits = any(number[1] for number in found), max(len(number[2]) for number in found)
    for place, number in enumerate(numbers):
        free = "-" * (signed and not number[1]) + "0" * (digits - len(number[2])) if number else ""
        cells[place] = rf"$\phantom{{{free}}}{cells[place][1:]}" if free else cells[place]
    return "l", cells


def _environment(shapes: Sequence[str], head: str, body: Sequence[str], caption: str, label: str) -> Iterator[str]:
    named = [rf"\caption{{{caption}}}"] * bool(caption) + [rf"\label{{{label}}}"] * bool(label)
    broken, long = shapes.count("p"), len(body) > PAGE
    shape = "".join(shapes).replace(
        "p", rf">{{\raggedright\arraybackslash}}p{{{SHARE / max(broken, 1):.2f}\linewidth}}"
    )
    yield rf"% \usepackage{{{'array,' * bool(broken)}booktabs{',longtable' * long}}}"
    if long:
        yield rf"\begin{{longtable}}{{{shape}}}"
        yield from ["".join(named) + r" \\"] * bool(named)
        yield from [r"\toprule", head, r"\midrule", r"\endhead", r"\bottomrule", r"\endfoot"]
        yield from [*body, r"\end{longtable}"]
        return
    lines = [rf"\begin{{tabular}}{{{shape}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
    yield from [r"\begin{table}", r"\centering", *named, *lines, r"\end{table}"] if named else lines
