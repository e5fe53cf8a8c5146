"""``gegenflow sweep`` and ``gegenflow rerun``: studies, and one run of a study again."""

from __future__ import annotations

import importlib
import re
import sys
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gegenflow
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.command.arguments import SEED, WORKERS, Whole, flat, refused
from gegenflow.numerics.validation.command.options import line
from gegenflow.numerics.validation.command.output import show, show_json
from gegenflow.numerics.validation.command.parser import subcommand
from gegenflow.numerics.validation.command.validate import kind_of
from gegenflow.numerics.validation.studies.datasets import save_dataset
from gegenflow.numerics.validation.studies.engine import estimate, rerun, sweep
from gegenflow.numerics.validation.studies.store import Store, folder_of, reading
from gegenflow.numerics.validation.studies.study import MOST_POINTS, Study, read_study, seconds
from gegenflow.numerics.validation.studies.subjects import SWEPT
from gegenflow.numerics.validation.studies.tables import FORMS, rows_of, save_table, tallied

if TYPE_CHECKING:
    from gegenflow.numerics.validation.command.parser import Commands

REPEAT = Whole("the number of runs must be an integer", 1, MOST_POINTS)
RUN = Whole("the number of a run must be an integer", 1, MOST_POINTS)
ADDRESS = re.compile(r"(tcp|tls|ucx|ws|wss)://[!-~]+")


def add(commands: Commands) -> None:
    """The options of both subcommands."""
    text = "make the runs of a study, go on with it, or extend it: a law or a simulation over a grid of parameters"
    sub = subcommand(commands, "sweep", run, text, FORMS)
    text = "a study (.toml), the name of a law, simulate or solve_density (default: the study that --out holds)"
    sub.add_argument("what", nargs="?", metavar="STUDY", help=text)
    sub.add_argument("--out", type=folder, metavar="FOLDER", help="the folder of the study")
    for name, one in SWEPT.items():
        kind = kind_of(one)
        text = one.text if kind is str else f"{one.text}, {kind}"
        take = getattr(kind, "range", kind)
        text += ": values or ranges such as 1:10" if take is not kind else ": values"
        sub.add_argument(f"--{name}", type=take, nargs="+", action="extend", help=text)
    sub.add_argument("--observe", nargs="+", action="extend", help="observables, such as Energy or HarmonicPower(6)")
    sub.add_argument("--repeat", type=REPEAT, help=f"runs of each point, {REPEAT} (default 1)")
    sub.add_argument("--rng", type=SEED, help=f"seed, {SEED} (default 0)")
    sub.add_argument("--budget", help="begin no run after this time: 90 s, 40 min, 2 h")
    sub.add_argument("--workers", type=WORKERS, default=2, help=f"processes, {WORKERS} (default 2)")
    sub.add_argument(
        "--dask", type=address, metavar="ADDRESS", help="let the workers of this Dask scheduler make the runs"
    )
    sub.add_argument("--mpi", action="store_true", help="let the ranks of mpi4py.futures make the runs")
    sub.add_argument("--retry", action="store_true", help="make runs that failed again")
    sub.add_argument("--dry-run", action="store_true", help="only count the runs, and estimate their time from a few")
    sub = subcommand(commands, "rerun", again, "make one run of a study again, and compare it bit for bit")
    sub.add_argument("folder", type=folder, metavar="FOLDER", help="the folder of the study")
    text = f"the number of the run in its table, {RUN}"
    sub.add_argument("--run", dest="number", type=RUN, required=True, help=text)


def folder(text: str) -> Path:
    """A folder, or one that can be made, as an argument type.

    >>> folder("results").name
    'results'
    """
    try:
        return folder_of(text)
    except Refused as error:
        raise refused(text, error.allowed) from error
    except OSError as error:
        raise refused(text, str(error.strerror)) from error


def address(text: str) -> str:
    """The address of a scheduler, as an argument type.

    >>> address("tcp://127.0.0.1:8786")
    'tcp://127.0.0.1:8786'
    """
    if not ADDRESS.fullmatch(text):
        raise refused(text, "an address such as tcp://127.0.0.1:8786 is needed")
    return text


def run(options: Namespace) -> int:
    """Make the runs; write their table and labelled arrays, and say how many there are."""
    study = _study(options)
    if options.dry_run:
        if study is None:
            with reading(_folder(options)) as store:
                study = store.study()
        show(str(estimate(study, options.out, workers=options.workers)))
        return 0
    folder = _folder(options)
    with _executor(options) as executor:
        swept = sweep(study, folder, executor=executor, workers=options.workers, retry=options.retry, progress=True)
    with reading(folder) as store:
        _written(store, folder, options.format)
        tally = tallied(chance for run in store.finished() for chance in run.outcome.get("chance", ()))
        facts = {"version": gegenflow.__version__, **asdict(swept), "checks": tally}
    if options.format == "json":
        show_json(facts)
    else:
        show("\n".join([str(swept), *_spread(tally), f"table: {folder / f'table.{options.format}'}"]))
    return int(not swept.complete or swept.failed > 0)


def again(options: Namespace) -> int:
    """Make a run again and say whether it is as it was."""
    finished, same = rerun(options.folder, options.number)
    facts: dict[str, Any] = {"run": options.number, **finished.planned.parameters}
    facts |= {"repetition": finished.planned.repetition, "failure": finished.error, "identical": same}
    if options.format == "json":
        show_json(facts)
    else:
        show("\n".join(f"{name:<13} {'none' if value is None else value}" for name, value in facts.items()))
    return int(not same)


def _study(options: Namespace) -> Study | None:
    """The study of the command line: that of a file or of a folder, changed and widened by options, or a new one."""
    given = {name: value for name in SWEPT if (value := getattr(options, name)) is not None}
    grid = {name: flat(value) if isinstance(value[0], list) else value for name, value in given.items()}
    changed = {name: value for name in ("observe", "repeat", "rng") if (value := getattr(options, name)) is not None}
    if options.budget is not None:
        changed["budget"] = seconds(options.budget)
    if options.what is None:
        if not (grid or changed):
            return None
        with reading(_folder(options)) as store:
            before = store.study()
    elif options.what.endswith(".toml"):
        try:
            before = read_study(options.what)
        except Refused as error:
            raise Refused("study", options.what, error.allowed) from error
    else:
        return Study(options.what, grid=grid, **changed)
    fixed = {name: value for name, value in before.fixed.items() if name not in grid}
    return replace(before, grid={**before.grid, **grid}, fixed=fixed, **changed)


def _folder(options: Namespace) -> Path:
    if options.out is None:
        raise Refused("out", None, "a study needs a folder for its runs")
    found: Path = options.out
    return found


@contextmanager
def _executor(options: Namespace) -> Iterator[Executor | None]:
    if options.dask is not None and options.mpi:
        raise Refused("mpi", None, "it does not go with --dask")
    if options.dask is not None:
        distributed = _module("dask", "distributed")
        try:
            client = distributed.Client(options.dask, timeout=10)
        except (OSError, ValueError, TimeoutError) as error:
            raise Refused("dask", options.dask, "no scheduler answers there") from error
        with client:
            yield client.get_executor()
    elif options.mpi:
        with _module("mpi", "mpi4py.futures").MPIPoolExecutor() as executor:
            yield executor
    else:
        yield None


def _module(extra: str, name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Refused(extra, None, f"{name} is not installed: the extra gegenflow[{extra}] has it") from error


def _written(store: Store, folder: Path, form: str) -> None:
    """The table, and the labelled arrays where their libraries are installed."""
    save_table(folder / f"table.{form}", lambda: rows_of(store), form)
    try:
        save_dataset(store, folder)
    except (Refused, ImportError):
        sys.stderr.write(line("data.zarr is not written: the extra gegenflow[studies] has what it needs"))


def _spread(tally: dict[str, Any]) -> list[str]:
    if not tally["count"]:
        return []
    shares = (f"{bars} bars {100 * tally['beyond'][bars]:.2f} %" for bars in tally["beyond"])
    chance = ", ".join(f"{100 * share:.2f}" for share in tally["chance"].values())
    return [f"{tally['count']:,} checks; beyond {', '.join(shares)} (by chance {chance})"]
