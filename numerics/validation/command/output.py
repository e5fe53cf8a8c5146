"""What the command prints and writes: JSON, tables, files, each with what it holds."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import gegenflow
from gegenflow import theory as th
from gegenflow.numerics.tokens.files import write_atomically
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.command.options import line
from gegenflow.numerics.validation.command.parser import SUFFIXES
from gegenflow.theory.exact.tables import CAPTIONED

TABLES = ("text", "json", "csv", "markdown", "latex")

EXPONENTIAL = "exp(beta*t)"

Layout = Callable[[th.Table], th.Table]

PATIENCE = 1.0  # seconds of silence on a terminal


def provenance(options: Namespace) -> dict[str, Any]:
    """What every result of these options holds: version, model, kernel, noise and, of certified ones, the digits."""
    facts = {"version": gegenflow.__version__, "model": options.model}
    facts |= {"kernel": options.kernel or EXPONENTIAL, "noise": options.noise or "0"}
    return facts | ({"digits": options.digits} if hasattr(options, "digits") else {})


@contextmanager
def telling(what: str) -> Iterator[None]:
    """A block of work of which a terminal is told, on standard error, where it takes more than a second.

    >>> with telling("counting"):
    ...     sum(range(10))
    45
    """
    clock = Timer(PATIENCE, lambda: sys.stderr.write(line(f"{what} ...")))
    clock.daemon = True
    if sys.stderr.isatty():
        clock.start()
    try:
        yield
    finally:
        clock.cancel()


def show(text: str) -> None:
    """Print this now; a reader that has enough, such as head, stops the printing and nothing else."""
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to be printed at exit
        if not isinstance(error, BrokenPipeError):
            raise OSError(error.errno, error.strerror, "standard output") from error


def as_json(facts: Mapping[str, Any]) -> str:
    """One JSON object, in strict JSON.

    >>> print(as_json({"beta": "5"}))
    {
      "beta": "5"
    }
    """
    return json.dumps(facts, indent=2, allow_nan=False)


def show_json(facts: Mapping[str, Any]) -> None:
    """Print one JSON object."""
    show(as_json(facts))


def show_table(
    rows: Iterator[Mapping[str, Any]], options: Namespace, facts: Mapping[str, Any], wide: Layout | None = None
) -> int:
    """Print the rows and what they hold, and write them; on an interrupt those computed so far. The exit status.

    What an interrupt cut short says so in its facts; without a row it writes no file.
    """
    check_caption(options)
    done, status, several = [], 0, wide and options.layout == "wide"
    try:
        with telling("working out the rows; Ctrl-C prints those that are there"):
            for row in rows:
                done.append(row if several else dict(chosen(th.Table((row,)), options)[0]))
    except KeyboardInterrupt:
        sys.stderr.write(line(f"interrupted after {len(done)} rows"))
        status = 1
    if done or options.format == "json":
        cut = {"status": f"interrupted after {len(done)} rows"} if status else {}
        table = th.Table(tuple(done), {**facts, **cut})
        if status and not done:
            show(formatted(table, options, options.format))
            return status
        return max(status, show_and_keep(wide(table) if wide and several else table, options))
    if not status:
        unwritten = f" and {options.out} is not written" if options.out else ""
        sys.stderr.write(line(f"no row to print{unwritten}: there is no such boundary"))
    return status


def chosen(table: th.Table, options: Namespace) -> th.Table:
    """The columns that were asked for, of a table that has rows."""
    return table.select(options.columns) if options.columns and len(table) else table


def show_and_keep(
    table: th.Table, options: Namespace, own: Mapping[str, str] | None = None, *, shown: bool = False
) -> int:
    """Print a table in its format and write it in that of its file; the exit status.

    Some formats may have a text of their own (``own``); with --columns it is a table in every format. ``shown`` where
    it was printed already.
    """
    texts = {} if options.columns or own is None else own
    table = chosen(table, options)

    def told(form: str) -> str:
        return texts[form] if form in texts else formatted(table, options, form)

    if not shown:
        show(told(options.format))
    return keep(options.out, lambda path: write_text(path, told(file_format(options))))


def file_format(options: Namespace) -> str:
    """The format of the file: that of the end of its name, or else that of the terminal.

    >>> [file_format(Namespace(out=Path(name), format="csv")) for name in ("table.tex", "table")]
    ['latex', 'csv']
    """
    return str(SUFFIXES.get(options.out.suffix.lower(), options.format) if options.out else options.format)


def formatted(table: th.Table, options: Namespace, form: str) -> str:
    """A table in a format, with caption and label where that has them."""
    caption = options.caption if form in CAPTIONED else None
    label = options.label if form == "latex" else None
    return str(table.to(form, caption=caption or "", label=label or ""))


def check_caption(options: Namespace) -> None:
    """Refuse a caption or a label that no format would show."""
    forms = {options.format, file_format(options)}
    if options.caption is not None and not forms & {*CAPTIONED}:
        raise Refused("caption", options.caption, "it goes with --format latex or markdown, or such a file")
    if options.label is not None and "latex" not in forms:
        raise Refused("label", options.label, "it goes with --format latex, or such a file")


def keep(path: Path | None, write: Callable[[Path], object], option: str = "--out") -> int:
    """Write a file, if there is one, after its contents were printed: 1 and a line where it cannot be written."""
    try:
        if path:
            write(path)
    except OSError as error:
        sys.stderr.write(line(f"{option} {path}: {error.strerror or error}"))
        return 1
    return 0


def write_text(path: Path, text: str) -> None:
    """Put a text and an end of line into a file, whole or not at all."""
    write_atomically(path, lambda file: file.write(f"{text}\n".encode()))


def short(value: Any) -> str:
    """A value as text shows it.

    >>> short(1 / 3), short(None)
    ('0.333333', 'none')
    """
    if value is None:
        return "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
