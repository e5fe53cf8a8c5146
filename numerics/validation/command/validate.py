"""``gegenflow validate``: simulation against theory."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

import gegenflow
from gegenflow import numerics as nm
from gegenflow.numerics.tokens.files import write_atomically
from gegenflow.numerics.validation.command.arguments import DIM, Whole, flat, target
from gegenflow.numerics.validation.command.output import keep, show, show_json
from gegenflow.numerics.validation.command.parser import add_beta, add_list, add_model, add_seed, subcommand

if TYPE_CHECKING:
    from gegenflow.numerics.validation.command.parser import Commands
    from gegenflow.numerics.validation.report import Report

TOKENS = Whole("the number of tokens must be an integer", 100, 100_000_000)
RUNS = Whole("the number of runs behind an error bar must be an integer", 4, 1_000_000)


def add(commands: Commands) -> None:
    """The options of the subcommand."""
    sub = subcommand(commands, "validate", run, "compare simulation with theory, with error bars")
    add_list(sub, "--dim", DIM, "dimensions (default 2 3)")
    add_beta(sub, "5")
    add_model(sub, None)
    text = f"tokens of a random start, {TOKENS} (default 20000 in dim 2, else 2500)"
    sub.add_argument("--tokens", type=TOKENS, help=text)
    sub.add_argument("--runs", type=RUNS, default=32, help=f"independent runs behind a rate, {RUNS} (default 32)")
    add_seed(sub, "seed")
    text = "draw the checks into this file (png, pdf, svg)"
    sub.add_argument("--figure", type=target(".png", ".pdf", ".svg"), help=text)


def run(options: Namespace) -> int:
    """Print every check and the verdict, and draw them."""
    report = nm.validate(
        dims=flat(options.dim or [[2, 3]]),
        beta=options.beta,
        models=(options.model,) if options.model else ("usa", "sa"),
        tokens=options.tokens,
        runs=options.runs,
        rng=options.rng,
        progress=True,
    )
    if options.format == "json":
        show_json({"version": gegenflow.__version__, "kernel": "exp(beta*t)", "noise": "0", **report.to_dict()})
    else:
        show(f"gegenflow {gegenflow.__version__}  theory against simulation, beta {options.beta}\n{report}")
    picture = options.figure if report.checks else None
    return max(int(not report.passed), keep(picture, lambda path: _draw(report, path), "--figure"))


def _draw(report: Report, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 1 + 0.18 * len(report.checks)), layout="constrained")
    nm.validation.plot_checks(report, ax=figure.add_subplot())
    write_atomically(path, lambda file: figure.savefig(file, format=path.suffix.removeprefix(".")))
