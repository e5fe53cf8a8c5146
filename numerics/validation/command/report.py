"""``gegenflow report``: laws on trial, and a page to read, to print and to hand on."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from gegenflow import numerics as nm
from gegenflow.numerics.integrators.interrupts import listening
from gegenflow.numerics.validation.command.arguments import flat, target
from gegenflow.numerics.validation.command.options import line
from gegenflow.numerics.validation.command.output import keep, show, show_json, telling, write_text
from gegenflow.numerics.validation.command.parser import subcommand
from gegenflow.numerics.validation.command.validate import add_laws, of_laws
from gegenflow.numerics.validation.pages.formulas import formula

if TYPE_CHECKING:
    from gegenflow.numerics.validation.command.parser import Commands


def add(commands: Commands) -> None:
    """The options of the subcommand: those of validate, and the file."""
    text = "put laws on trial and write one page about it: derivation, certified rates, verdicts, pictures"
    sub = subcommand(commands, "report", run, text)
    add_laws(sub)
    text = "the page, one file that needs no network (html)"
    sub.add_argument("--out", type=target(".html", ".htm"), required=True, help=text)


def run(options: Namespace) -> int:
    """Write the page, also of the checks that an interrupt left, if any, and print its verdict."""
    formula("k")  # refused before the trial where nothing typesets
    betas = flat(options.beta) if options.beta else []
    with listening():
        report = of_laws(options, betas if len(betas) > 1 else next(iter(betas), None))
    if not report.checks and not report.complete:
        sys.stderr.write(line(f"{report.verdict}: {options.out} is not written"))
        return 1
    with telling("writing the page"):
        page = nm.report_page(report)
    kept = keep(options.out, lambda path: write_text(path, page))
    if options.format == "json":
        show_json({"out": str(options.out), **report.to_dict()})
    else:
        show(f"{options.out}: {report.verdict}")
    return max(kept, int(not report.passed))
