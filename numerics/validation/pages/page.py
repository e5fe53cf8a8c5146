"""The page of a validation: where the theory comes from, its certified numbers, and the laws that were on trial."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from html import escape
from importlib.metadata import version
from itertools import groupby
from typing import Any

import gegenflow
from gegenflow import theory as th
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.case import MOST_DEGREES
from gegenflow.numerics.validation.checks import Check
from gegenflow.numerics.validation.law import Law, laws
from gegenflow.numerics.validation.pages.formulas import formula, sentence
from gegenflow.numerics.validation.pages.parts import LIBRARIES, document, image, stated, table
from gegenflow.numerics.validation.pictures.checks import plot_checks
from gegenflow.numerics.validation.report import Report, nearest_rival
from gegenflow.pictures import style
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.proofs.steps import Step

HEAD = "check", "predicted", "measured", "error bar", "bars off", "verdict", "nearest rival, bars off"
LONGEST = 200
"""Characters of LaTeX in one line."""
MORE = 2
"""Degrees beyond the fastest that the table of rates goes on to."""


def report_page(report: Report) -> str:
    """One self-contained HTML page of a validation: derivation, certified rates, and every law with its verdicts.

    :param report: what :func:`~gegenflow.numerics.validate` returned, cut short or not

    Formulas are MathML, which browsers typeset without a script, and pictures are inside the page, which so needs no
    network; its only links are those to arXiv. Printed, it takes at most two pages a law, of up to 28 checks and in up
    to two dims, and two of derivation. An interrupt while the derivation is verified leaves that out.

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
    head = [f"<p><b>{escape(report.verdict)}</b></p>{notes}", f"<p class=small>{escape(_provenance(report))}</p>"]
    return document(title, [*head, theory, *verdicts])


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
            table(list(rows[0]), (row.values() for row in rows), "Growth rates; every printed digit is proved."),
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
    head = [f"<section class=law>\n<h2>{escape(name)}</h2>", *([] if law is None else stated(law))]
    drawn = _picture(replace(report, checks=tuple(checks)))
    return "\n".join([*head, table(HEAD, map(_row, checks)), drawn, "</section>"])


def _row(check: Check) -> Iterator[str]:
    yield from (check.name, f"{check.predicted:.10g}", f"{check.measured:.10g}", f"{check.error:.1e}")
    yield from (f"{check.off_by:.1f}", check.verdict)
    near = nearest_rival(check)
    told = "" if near.get("bars") is None else f"{near['name']}: {near['bars']:.3g}"
    yield told + (", not refuted" if told and not near["refuted"] else "")


def _picture(report: Report) -> str:
    """The checks of a report as an image that the page holds."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(7.5, 1 + 0.18 * len(report.checks)), layout="constrained")
        plot_checks(report, ax=figure.add_subplot())
        return image(figure, "measured minus predicted, in error bars")
