"""``gegenflow report``: laws on trial, or a study that was swept, and a page to read, to print and to hand on."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

import gegenflow
from gegenflow import numerics as nm
from gegenflow.numerics.integrators.interrupts import listening
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.command.arguments import flat, target
from gegenflow.numerics.validation.command.options import line
from gegenflow.numerics.validation.command.output import keep, show, show_json, telling, write_text
from gegenflow.numerics.validation.command.parser import subcommand
from gegenflow.numerics.validation.command.validate import add_laws, of_laws
from gegenflow.numerics.validation.pages.formulas import formula
from gegenflow.numerics.validation.pages.study import page_of
from gegenflow.numerics.validation.studies.gathering import findings_of
from gegenflow.numerics.validation.studies.store import FILE, folder_of, reading
from gegenflow.numerics.validation.studies.tables import tallied

if TYPE_CHECKING:
    from gegenflow.numerics.validation.command.parser import Commands

PAGE = "report.html"
ALONE = "folder", "out", "format", "command", "run", "names"
"""What goes with a folder, and what the parser itself adds."""


def add(commands: Commands) -> None:
    """The options of the subcommand: those of validate, and the file."""
    text = "put laws on trial, or take a study that was swept, and write one page about it: verdicts, pictures, sources"
    sub = subcommand(commands, "report", run, text)
    add_laws(sub, " or the folder of one study, whose page it then is")
    text = f"the page, one file that needs no network (html); of a study by default {PAGE} in its folder"
    sub.add_argument("--out", type=target(".html", ".htm"), help=text)
    sub.set_defaults(rng=None)


def run(options: Namespace) -> int:
    """Write the page of a study, or of laws that are put on trial."""
    folder = _folder(options)
    return _of_laws(options) if folder is None else _of_study(options, folder)


def _folder(options: Namespace) -> Path | None:
    """The folder that is named in the place of laws, if one is; refused beside anything that goes with laws."""
    names = [name for name in options.names if name]
    held = (name for name in names if os.sep in name or os.path.exists(os.path.join(name, FILE)))
    others = (name for name in names if os.path.isdir(name) and not _is_law(name))
    found = next(held, None) or next(others, None)
    if found is None:
        return None
    given = [
        name for name, value in vars(options).items() if name not in ALONE and value is not None and value is not False
    ]
    if len(options.names) > 1:
        raise Refused("study", found, "the folder of a study stands alone, without laws beside it")
    if given:
        raise Refused(given[0], None, f"it goes with laws; the study in {found} has parameters of its own")
    return folder_of(found)


def _is_law(name: str) -> bool:
    try:
        nm.validation.law_named(name)
    except ValueError:
        return False
    return True


def _of_study(options: Namespace, folder: Path) -> int:
    out = options.out or folder / PAGE
    try:
        with telling("reading and drawing the study"), reading(folder) as store:
            findings = findings_of(store)
            page = page_of(findings)
    except Refused as error:
        raise Refused("study", error.value, error.allowed) if error.name == "folder" else error from error
    kept = keep(out, lambda path: write_text(path, page))
    if options.format == "json":
        checks = tallied(one.chance for one in findings.found) if findings.law else None
        show_json({"version": gegenflow.__version__, "out": str(out), **findings.counts, "checks": checks})
    else:
        show(f"{out}: {findings.told}")
    return kept


def _of_laws(options: Namespace) -> int:
    """Also of the checks that an interrupt left, if any; prints the verdict."""
    if options.out is None:
        raise Refused("out", None, "the name of the page is needed, such as page.html")
    formula("k")  # refused before the trial where nothing typesets
    options.rng = options.rng or 0
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
