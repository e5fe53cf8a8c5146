"""``gegenflow validate``: laws of the theory on trial by simulation."""

from __future__ import annotations

import argparse
import os
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gegenflow
from gegenflow import numerics as nm
from gegenflow import theory as th
from gegenflow.numerics.integrators.interrupts import listening
from gegenflow.numerics.tokens.files import write_atomically
from gegenflow.numerics.tokens.processes import end_processes, new_processes
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.checks import Check
from gegenflow.numerics.validation.command.arguments import (
    DIM,
    WORKERS,
    Choice,
    Exact,
    Real,
    Whole,
    flat,
    source,
    target,
)
from gegenflow.numerics.validation.command.options import sentence
from gegenflow.numerics.validation.command.output import (
    TABLES,
    as_json,
    check_caption,
    chosen,
    file_format,
    keep,
    show,
    show_and_keep,
)
from gegenflow.numerics.validation.command.parser import (
    BOTH,
    add_betas,
    add_list,
    add_model,
    add_seed,
    add_table,
    subcommand,
)
from gegenflow.numerics.validation.command.simulate import told_of
from gegenflow.numerics.validation.parameters import PARAMETERS, Parameter
from gegenflow.numerics.validation.report import Report

if TYPE_CHECKING:
    from gegenflow.numerics.validation.command.parser import Commands, Parser

APART = ("dim", "model", "beta")
UNASKED = 4  # workers at most where none are asked for: each compiles for itself what no other has yet


class LawHelp(argparse.Action):
    """Help on the law that is named, or on the command."""

    def __call__(self, parser: Any, namespace: Namespace, values: Any, option_string: str | None = None) -> None:
        names = getattr(namespace, "names", None)
        try:
            show("\n\n".join(map(described, names)) if names else parser.format_help().rstrip())
        except ValueError as error:
            parser.exit(2, sentence(error))
        parser.exit()


def described(name: str) -> str:
    """What a law states, where it comes from, what it takes and what it must refute."""
    law = nm.validation.law_named(name)
    lines = [law.name, f"  {law.statement}", f"  source: {law.source}", f"  takes {law.cost}; parameters:"]
    lines += [f"    --{key}  {one}" for key, one in law.parameters.items()]
    return "\n".join([*lines, "  rivals that the same data must refute:", *(f"    {rival}" for rival in law.rivals)])


def add(commands: Commands) -> None:
    """The options of the subcommand: those of every law, from one table."""
    text = "put laws on trial by simulation, with error bars and rivals"
    sub = subcommand(commands, "validate", run, text, TABLES, own_help=True)
    sub.add_argument("-h", "--help", action=LawHelp, nargs=0, help="show this, or what the laws that are named state")
    add_laws(sub)
    text = "tokens of your own (npy, npz, csv, txt, safetensors): try on them what holds of any start"
    sub.add_argument("--start", type=source, help=text)
    text = f"processes, {WORKERS}, that share the laws (default 1; for all or the quick ones up to 4)"
    sub.add_argument("--workers", type=WORKERS, help=text)
    add_table(sub)
    text = "draw the checks into this file (png, pdf, svg)"
    sub.add_argument("--figure", type=target(".png", ".pdf", ".svg"), help=text)


def add_laws(sub: Parser, more: str = "") -> None:
    """Which laws to try, and at what: their parameters, from one table; ``more`` says what else may be named."""
    text = f"laws, or the beginning of their names (default: the quick ones; gegenflow laws lists them){more}"
    sub.add_argument("names", nargs="*", metavar="NAME", help=text)
    sub.add_argument("--all", action="store_true", help="try every law")
    add_list(sub, "--dim", DIM, "dimensions (default 2 3)")
    add_betas(sub, " (default 5, or that of the law)")
    add_model(sub, None)
    for name, one in PARAMETERS.items():
        if name not in APART:
            kind = kind_of(one)
            sub.add_argument(f"--{name}", type=kind, help=one.text if kind is str else f"{one.text}, {kind}")
    add_seed(sub, "seed")


def kind_of(one: Parameter) -> Any:
    """The argument type of a parameter."""
    if one.kind == "whole":
        return Whole(f"{one.text} must be an integer", one.least, one.most)
    if one.kind == "real":
        return Real(f"{one.least:g} to {one.most:g}", lambda x: one.least <= x <= one.most)
    if one.kind == "choice":
        return Choice(*one.most)
    return str if one.kind == "kernel" else Exact(one.text)


def run(options: Namespace) -> int:
    """Print every check and the verdict at each beta, and draw them."""
    betas, reports, texts = flat(options.beta) if options.beta else [None], list[Report](), list[str]()
    check_caption(options)
    chosen(th.Table(tuple(Report((Check("", 1.0, 1.0, 1.0),), {}, "", 0.0).to_rows())), options)
    if len(betas) > 1 and (options.figure or options.columns or not {options.format, file_format(options)} <= {*BOTH}):
        name = next((name for name in ("figure", "columns") if getattr(options, name)), "format")
        raise Refused(name, getattr(options, name), "it shows the checks at one beta")
    at_once = options.format == "text" and not options.columns
    with _workers(options) as executor:
        for beta in betas:
            with listening():
                report = _of_tokens(options, beta) if options.start else of_laws(options, beta, executor)
            reports.append(report)
            at = "" if beta is None else f", beta {beta}"
            texts.append(f"gegenflow {gegenflow.__version__}  theory against simulation{at}\n{report}")
            if at_once:
                show(texts[-1])
            if report.status == "interrupted":
                break
    passed = all(report.passed for report in reports)
    facts = {"version": gegenflow.__version__, "kernel": options.kernel or "exp(beta*t)", "noise": options.noise or "0"}
    told = [report.to_dict() for report in reports]
    whole = facts | {"passed": passed} | (told[0] if len(betas) == 1 else {"reports": told})
    table = th.Table(tuple(report.to_rows()), facts | {"status": report.status})
    own = {"text": "\n".join(texts), "json": as_json(whole)}
    kept = show_and_keep(table, options, own, shown=at_once)
    picture = options.figure if report.checks else None
    return max(int(not passed), kept, keep(picture, lambda path: _draw(report, path), "--figure"))


@contextmanager
def _workers(options: Namespace) -> Iterator[Executor | None]:
    """Processes that try a law each; none where one is enough."""
    narrowed = [options.names, options.start, *(getattr(options, name) for name in PARAMETERS)]
    many = options.all or not any(one for one in narrowed)
    workers = options.workers or (min(os.cpu_count() or 1, UNASKED) if many else 1)
    if workers == 1:
        yield None
        return
    executor = new_processes(workers)
    try:
        yield executor
    finally:
        end_processes(executor)


def of_laws(options: Namespace, beta: str | list[str] | None, executor: Executor | None = None) -> Report:
    """The laws of the options on trial, at one beta or at each of a list."""
    return nm.validate(
        *options.names,
        dims=flat(options.dim) if options.dim else None,
        models=[options.model] if options.model else None,
        rng=options.rng,
        progress=True,
        everything=options.all,
        executor=executor,
        beta=beta,
        **{name: getattr(options, name) for name in PARAMETERS if name not in APART},
    )


def _of_tokens(options: Namespace, beta: str | None) -> Report:
    given = [
        name for name in PARAMETERS if name not in ("beta", "model", "kernel") and getattr(options, name) is not None
    ]
    extra = [*given, *["all"] * options.all, *["names"] * bool(options.names), *["workers"] * bool(options.workers)]
    if extra:
        raise Refused(extra[0], None, "tokens of your own are tried as they are: --start takes beta, model and kernel")
    with told_of(options):
        tokens = nm.read_tokens(options.start)
    beta = "5" if beta is None and options.kernel is None else beta
    model = options.model or "usa"
    return nm.validation.validate_tokens(tokens, beta, model=model, kernel=options.kernel, rng=options.rng)


def _draw(report: Report, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 1 + 0.18 * len(report.checks)), layout="constrained")
    nm.validation.plot_checks(report, ax=figure.add_subplot())
    write_atomically(path, lambda file: figure.savefig(file, format=path.suffix.removeprefix(".")))
