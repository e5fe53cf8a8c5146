"""The rows of a study, one a check of a law or one a run, and the files that hold them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest, norm

from gegenflow.numerics.tokens.files import write_atomically
from gegenflow.numerics.validation.checks import ALARMS, finite
from gegenflow.numerics.validation.studies.store import Finished, Store

FORMS = ("csv", "json", "parquet")
CHECKS = ("name", "predicted", "measured", "error", "freedom", "off_by", "chance", "passed", "verdict")

Row = dict[str, Any]


def rows_of(store: Store) -> Iterator[Row]:
    """The rows of every run that came to its end, by number: its parameters, and what it left or why it failed.

    A law has a row a check; a simulation one with every observable at its last time.
    """
    for finished in store.finished():
        planned = finished.planned
        head: Row = {"run": planned.run, **planned.parameters, "repetition": planned.repetition}
        for row in _ends(finished):
            yield head | row | {"failure": finished.error}


def _ends(finished: Finished) -> Iterator[Row]:
    outcome = finished.outcome
    if "name" in outcome:
        for place in range(len(outcome["name"])):
            yield {name: _told(outcome[name][place]) for name in CHECKS}
        return
    last: Row = {}
    for name, values in outcome.items():
        if name == "t":
            last["reached"] = _told(values[-1])
        elif name in ("ok", "status"):
            last[name] = _told(values)
        else:
            last |= zip(entry_names(name, values), map(_told, np.ravel(values[-1])), strict=True)
    yield last


def entry_names(name: str, values: np.ndarray[Any, Any]) -> list[str]:
    """What each entry of an observable is called, of an array over times.

    >>> entry_names("energy", np.zeros(3)), entry_names("power", np.zeros((3, 2)))
    (['energy'], ['power[0]', 'power[1]'])
    """
    return [name] if values.ndim == 1 else [f"{name}[{i}]" for i in range(values[0].size)]


def save_table(path: Path, rows: Callable[[], Iterator[Mapping[str, Any]]], form: str) -> None:
    """Put rows into a file, whole or not at all: "csv", "json" or "parquet" (extra ``studies``).

    ``rows`` is called twice, for the columns and for what they hold, so that a long table is never in memory.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     save_table(Path(folder, "table.json"), lambda: iter([{"a": 1}, {"b": "x"}]), "json")
    ...     print(Path(folder, "table.json").read_text(), end="")
    [{"a": 1, "b": null},
     {"a": null, "b": "x"}]
    """
    columns = list(dict.fromkeys(name for row in rows() for name in row))
    write = {"csv": _csv, "json": _json, "parquet": _parquet}[form]
    write_atomically(path, lambda file: write(file, columns, rows()))


def _csv(file: Any, columns: list[str], rows: Iterator[Mapping[str, Any]]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    text.detach()


def _json(file: Any, columns: list[str], rows: Iterator[Mapping[str, Any]]) -> None:
    before = b"["
    for row in rows:
        file.write(before + json.dumps({name: row.get(name) for name in columns}, allow_nan=False).encode())
        before = b",\n "
    file.write(b"]\n" if before != b"[" else b"[]\n")


def _parquet(file: Any, columns: list[str], rows: Iterator[Mapping[str, Any]]) -> None:
    from pandas import DataFrame

    DataFrame(list(rows), columns=columns).to_parquet(file)


def _told(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.ndarray | np.generic) else value
    return finite(plain) if isinstance(plain, float) else plain


def tallied(chances: Iterable[float]) -> dict[str, Any]:
    """How many checks of a law there are, and which share is off by more than 1, 2, 3 error bars, as chance has it.

    ``chances`` are those of the checks: how often a true prediction is off by as much. Where a bar comes from few runs,
    more bars are allowed, by Student's t: a check lies beyond one bar where its chance is less than 31.7 %.

    >>> tallied([0.9, 0.01])["beyond"]
    {1: 0.5, 2: 0.5, 3: 0.0}
    """
    found = np.array([*chances], dtype=float)
    expected = {bars: float(2 * norm.sf(bars)) for bars in (1, 2, 3)}
    beyond = {bars: float((found < share).mean()) if len(found) else 0.0 for bars, share in expected.items()}
    return {"count": len(found), "beyond": beyond, "chance": expected}


def judged(tally: Mapping[str, Any]) -> Iterator[Row]:
    """The shares of a tally against those of chance, by the binomial test at one in 370, each check for itself.

    >>> [row["verdict"] for row in judged(tallied([0.01] * 40 + [0.5] * 160))]
    ['fewer than chance gives', 'more than chance gives', 'as chance has it']
    """
    for bars, share in tally["beyond"].items():
        beyond, expected = round(share * tally["count"]), tally["chance"][bars]
        chance = float(binomtest(beyond, tally["count"], expected).pvalue) if tally["count"] else 1.0
        side = "more" if share > expected else "fewer"
        verdict = f"{side} than chance gives" if chance < ALARMS else "as chance has it"
        yield {
            "bars": bars,
            "beyond": beyond,
            "share": share,
            "expected": expected,
            "chance": chance,
            "verdict": verdict,
        }
