"""``gegenflow validate``: simulation against theory."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

import gegenflow
from gegenflow import numerics as nm
from gegenflow.numerics.integrators.interrupts import listening
from gegenflow.numerics.tokens.files import write_atomically
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.command.arguments import DIM, Whole, flat, target
from gegenflow.numerics.validation.command.output import keep, show, show_json
from gegenflow.numerics.validation.command.parser import add_betas, add_list, add_model, add_seed, subcommand
from gegenflow.numerics.validation.report import Report

if TYPE_CHECKING:
    from gegenflow.numerics.validation.command.parser import Commands

TOKENS = Whole("the number of tokens must be an integer", 100, 100_000_000)
RUNS = Whole("the number of runs behind an error bar must be an integer", 4, 1_000_000)


def add(commands: Commands) -> None:
    """The options of the subcommand."""
    sub = subcommand(commands, "validate", run, "compare simulation with theory, with error bars")
    add_list(sub, "--dim", DIM, "dimensions (default 2 3)")
    add_betas(sub, " (default 5)")
    add_model(sub, None)
    text = f"tokens of a random start, {TOKENS} (default 20000 in dim 2, else 2500)"
    sub.add_argument("--tokens", type=TOKENS, help=text)
    sub.add_argument("--runs", type=RUNS, default=32, help=f"independent runs behind a rate, {RUNS} (default 32)")
    add_seed(sub, "seed")
    text = "draw the checks into this file (png, pdf, svg)"
    sub.add_argument("--figure", type=target(".png", ".pdf", ".svg"), help=text)


def run(options: Namespace) -> int:
    """Print every check and the verdict at each beta, and draw them."""
    betas, reports = flat(options.beta or [["5"]]), list[Report]()
    if options.figure and len(betas) > 1:
        raise Refused("figure", options.figure, "it shows the checks at one beta")
    for beta in betas:
        report = _report(options, beta)
        reports.append(report)
        if options.format == "text":
            show(f"gegenflow {gegenflow.__version__}  theory against simulation, beta {beta}\n{report}")
        if report.status == "interrupted":
            break
    passed = all(report.passed for report in reports)
    if options.format == "json":
        facts = {"version": gegenflow.__version__, "kernel": "exp(beta*t)", "noise": "0", "passed": passed}
        told = [report.to_dict() for report in reports]
        show_json(facts | (told[0] if len(betas) == 1 else {"reports": told}))
    picture = options.figure if reports[-1].checks else None
    return max(int(not passed), keep(picture, lambda path: _draw(reports[-1], path), "--figure"))


def _report(options: Namespace, beta: str) -> Report:
    with listening():
        return nm.validate(
            dims=flat(options.dim or [[2, 3]]),
            beta=beta,
            models=(options.model,) if options.model else ("usa", "sa"),
            tokens=options.tokens,
            runs=options.runs,
            rng=options.rng,
            progress=True,
        )


def _draw(report: Report, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 1 + 0.18 * len(report.checks)), layout="constrained")
    nm.validation.plot_checks(report, ax=figure.add_subplot())
    write_atomically(path, lambda file: figure.savefig(file, format=path.suffix.removeprefix(".")))
