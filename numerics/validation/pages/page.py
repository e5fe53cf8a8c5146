"""The page of a validation: where the theory comes from, its certified numbers, and the laws that were on trial."""

from __future__ import annotations

import re
import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from html import escape
from importlib.metadata import version
from io import BytesIO
from itertools import groupby
from typing import Any

import gegenflow
from gegenflow import theory as th
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.case import MOST_DEGREES
from gegenflow.numerics.validation.checks import Check
from gegenflow.numerics.validation.law import Law, laws
from gegenflow.numerics.validation.pages.formulas import formula, sentence
from gegenflow.numerics.validation.pictures.checks import plot_checks
from gegenflow.numerics.validation.report import Report, nearest_rival
from gegenflow.pictures import style
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.proofs.steps import Step

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; color: #111; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.2rem; margin: 1.6rem 0 .4rem; } p { margin: .4rem 0; }
math { font-size: 108%; } math[display=block] { margin: .25rem 0; overflow-x: auto; overflow-y: hidden; }
table { border-collapse: collapse; font-size: .85rem; margin: .5rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .1rem .8rem .1rem 0; vertical-align: top; } tr { break-inside: avoid; }
.law td:nth-child(-n+5), .law th { white-space: nowrap; }
th { border-bottom: 1px solid #111; } tr:last-child td { border-bottom: 1px solid #111; }
caption, .small { font-size: .8rem; color: #444; text-align: left; } img { max-width: 100%; } li { margin: .2rem 0; }
@page { size: A4; margin: 14mm; }
@media print {
  body { font-size: 9.5pt; line-height: 1.3; margin: 0; max-width: none; padding: 0; } math { font-size: 98%; }
  table { font-size: 7.5pt; } th, td { padding-right: .6rem; }
  .law { break-before: page; } img { max-height: 95mm; } li { break-inside: avoid; margin: 0; }
  math[display=block] { margin: 0; overflow: visible; }
}
"""
HEAD = "check", "predicted", "measured", "error bar", "bars off", "verdict", "nearest rival, bars off"
LIBRARIES = "numpy", "scipy", "numba", "sympy", "python-flint", "mpmath"
LONGEST = 200
"""Characters of LaTeX in one line."""
MORE = 2
"""Degrees beyond the fastest that the table of rates goes on to."""


def report_page(report: Report) -> str:
    """One self-contained HTML page of a validation: derivation, certified rates, and every law with its verdicts.

    :param report: what :func:`~gegenflow.numerics.validate` returned, cut short or not

    Formulas are MathML, which browsers typeset without a script, and pictures are inside the page, which so needs no
    network; its only links are those to arXiv. Printed, it takes at most two pages a law, of up to 28 checks and in up
    to two dims. An interrupt while the derivation is verified leaves that out.

    >>> from gegenflow.numerics import validate
    >>> page = report_page(validate("hitting times", tokens=4, beta="0.5"))
    >>> page.count("<section"), "all 1 checks agree" in page, "<script" in page
    (2, True, False)

    Raises ValueError for anything but a report. Source: derived here.
    """
    if not isinstance(report, Report):
        raise Refused("report", None, f"it is a {type(report).__name__}, a page is that of a Report")
    known = {one.name: one for one in laws()}
    tried = [(name, list(checks)) for name, checks in groupby(report.checks, key=lambda check: check.law)]
    theory = ""
    with suppress(KeyboardInterrupt):
        theory = _theory_or_reason(report.parameters, [known[name] for name, _ in tried if name in known])
    verdicts = [_verdicts(name, known.get(name), checks, report) for name, checks in tried]
    title = "gegenflow: theory against simulation"
    notes = "".join(f"<p class=small>{escape(note)}</p>" for note in report.notes)
    return "\n".join(
        [
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>',
            f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>",
            f"<p><b>{escape(report.verdict)}</b></p>{notes}\n<p class=small>{escape(_provenance(report))}</p>",
            theory,
            *verdicts,
            "</body>\n</html>",
        ]
    )


def _provenance(report: Report) -> str:
    told = [f"{name} {_listed(value)}" for name, value in report.parameters.items() if value not in ([], None)]
    held = [f"{name} {version(name)}" for name in LIBRARIES]
    python = ".".join(map(str, sys.version_info[:3]))
    made = f"Made by gegenflow {gegenflow.__version__} (Python {python}, {', '.join(held)}) in {report.seconds:.0f} s"
    return f"{made}. Given: {'; '.join(told)}." if told else f"{made}."


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _theory_or_reason(facts: Any, tried: Sequence[Law]) -> str:
    try:
        return _theory(facts, tried)
    except ValueError as reason:
        return f"<section>\n<p class=small>Growth rates are left out: {escape(str(reason))}.</p>\n</section>"


def _theory(facts: Any, tried: Sequence[Law]) -> str:
    """The derivation, in the first of the dims, and the certified rates at all of them."""
    defaults = {name: one.default for law in reversed(tried) for name, one in law.parameters.items()}
    kernel = None if facts.get("kernel") is None else th.Kernel(facts["kernel"])
    beta = facts.get("beta", defaults.get("beta", "5"))
    betas = [None] if kernel and "beta" not in kernel.parameters else facts.get("betas") or [beta]
    dims, models = facts.get("dims") or [defaults.get("dim", 2)], facts.get("models") or ["usa"]
    derivation = th.linearize(kernel, dims[0], model=models[0], noise=facts.get("noise", 0))
    steps = "\n".join(map(_step, derivation.steps))
    options = {"kernel": kernel, "noise": facts.get("noise", 0)}
    rows = [row for beta in betas for model in models for row in _rates(dims, beta, {"model": model, **options})]
    weight = formula(f"h(t) = {latex(derivation.kernel.weight)}")
    return "\n".join(
        [
            "<section>\n<h2>Where the growth rates come from</h2>",
            f"<p>The weight {weight}, in dim {dims[0]}, {models[0].upper()}, about the uniform measure:</p>",
            f"<ol>\n{steps}\n</ol>",
            _table(list(rows[0]), (row.values() for row in rows), "Growth rates; every printed digit is proved."),
            "</section>",
        ]
    )


def _step(step: Step) -> str:
    checked = f"checked {step.checked}" if step.holds() else "does not hold"
    left = f"{step.symbol} = " * bool(step.symbol) + latex(step.lhs.xreplace(dict(step.stands)))
    right = f"= {latex(step.rhs)}"
    parts = (left, right) if len(left + right) > LONGEST else (left + right,)
    lines = "".join(formula(part, display=True) for part in parts)
    return f"<li>{sentence(step.words)} <span class=small>({escape(checked)})</span>{lines}</li>"


def _rates(dims: Sequence[int], beta: Any, options: Any) -> Iterator[dict[str, Any]]:
    """Rows of certified rates, up to some degrees beyond the fastest."""
    for dim in dims:
        closed = options["kernel"] is None or options["kernel"].terms
        compared: dict[str, Any] = {} if closed else {"max_degree": MOST_DEGREES}
        fastest = th.selected_degree(beta, dim, **compared, **options)
        best = f"the fastest of degrees 1 to {MOST_DEGREES}" if compared else "the fastest"
        for row in th.growth_table([dim], range(1, fastest + MORE + 1), beta, **options):
            yield {**row, "": best if row["degree"] == fastest else ""}


def _verdicts(name: str, law: Law | None, checks: Sequence[Check], report: Report) -> str:
    """What a law states, its checks in a table and in a picture; of a user's own tokens there is no one statement."""
    head = [f"<section class=law>\n<h2>{escape(name)}</h2>"]
    if law is not None:
        what = (law.trial.__doc__ or "").strip().split("\n\n")[0]
        head += [
            formula(law.statement, display=True),
            f"<p>{escape(what)}</p><p class=small>Source: {_linked(law.source)}</p>",
            f"<p class=small>Rivals that the same data must refute: {escape('; '.join(law.rivals))}.</p>",
        ]
    return "\n".join(
        [*head, _table(HEAD, map(_row, checks)), _picture(replace(report, checks=tuple(checks))), "</section>"]
    )


def _row(check: Check) -> Iterator[str]:
    yield from (check.name, f"{check.predicted:.10g}", f"{check.measured:.10g}", f"{check.error:.1e}")
    yield from (f"{check.off_by:.1f}", check.verdict)
    near = nearest_rival(check)
    told = "" if near.get("bars") is None else f"{near['name']}: {near['bars']:.3g}"
    yield told + (", not refuted" if told and not near["refuted"] else "")


def _table(head: Sequence[str], rows: Iterable[Iterable[Any]], caption: str = "") -> str:
    def line(cells: Iterable[Any], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    named = f"<caption>{escape(caption)}</caption>\n" if caption else ""
    return f"<table>\n{named}{line(head, 'th')}\n" + "\n".join(line(row, "td") for row in rows) + "\n</table>"


def _linked(source: str) -> str:
    """The source, with the numbers of arXiv as links."""
    return re.sub(r"\b(\d{4}\.\d{5})\b", r'<a href="https://arxiv.org/abs/\1">\1</a>', escape(source))


def _picture(report: Report) -> str:
    """The checks of a report as an image that the page holds."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    drawn = BytesIO()
    with style(), mpl.rc_context({"svg.hashsalt": "gegenflow"}):
        figure = Figure(figsize=(7.5, 1 + 0.18 * len(report.checks)), layout="constrained")
        plot_checks(report, ax=figure.add_subplot())
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    data = b64encode(drawn.getvalue()).decode()
    return f'<img alt="measured minus predicted, in error bars" src="data:image/svg+xml;base64,{data}">'
