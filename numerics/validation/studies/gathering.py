"""Reading a study into findings: every run once, checks as they are, observables as means over repetitions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.special import stdtr

from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.parameters import PARAMETERS
from gegenflow.numerics.validation.studies.findings import (
    QUANTITY,
    Finding,
    Findings,
    Key,
    Place,
    Series,
    key_of,
)
from gegenflow.numerics.validation.studies.store import Finished, Store, reading
from gegenflow.numerics.validation.studies.subjects import Outcome
from gegenflow.numerics.validation.studies.tables import entry_names

POINT = {"beta", "kappa", "noise", "dim"}
"""Words of the name of a check that say where it is, whatever number follows."""
MOST_TIMES = 101
"""Of a curve over time."""


def compared(name: str, place: Place) -> str:
    """What a check compares: its name without the words that say at which parameters.

    >>> compared("dim 2 USA N = 500 mean time", {"dim": 2, "model": "usa", "tokens": 500})
    'mean time'
    >>> compared("dim 3 SA degree 2", {"dim": 3, "model": "sa"}), compared("n = 8 beta 2", {"tokens": 8, "beta": "2"})
    ('degree 2', '')
    """
    words = name
    for key, value in place.items():
        told = re.escape(str(value))
        if PARAMETERS[key].kind in ("kernel", "choice"):
            words = re.sub(rf"(?<!\S)(?:{told}|{told.upper()})(?!\S)", " ", words)
        else:
            words = re.sub(rf"\b{key} {told}(?![\w.])|\b{told} {key}\b", " ", words)
    number = r"[-+]?\d[\w.+/-]*"
    words = re.sub(rf"\b(?:{'|'.join(sorted(POINT))}) {number}|\b\w = {number}", " ", words)
    return " ".join(words.split()).strip(",: ")


def read_findings(folder: str | Path) -> Findings:
    """What a folder holds, where a run is done.

    Raises ValueError where it holds no study, or no run is done.
    """
    with reading(folder) as store:
        findings = findings_of(store)
    if not findings.found:
        raise Refused("folder", str(folder), "no run of its study is done yet")
    return findings


def findings_of(store: Store) -> Findings:
    """What is in a store, read once, also while a sweep is at work."""
    study, facts = store.study(), store.facts()
    waiting = {planned.run: planned.parameters for planned in store.planned()}
    places: dict[int, Place] = {**waiting}
    checks, failed, done = list[Finding](), list[Finished](), 0
    seen: dict[Key, list[tuple[int, Outcome]]] = {}
    ends = Counter[str]()
    for finished in store.finished():
        place, run = finished.planned.parameters, finished.planned.run
        waiting.pop(run, None)
        places[run] = place
        if finished.error is not None:
            failed.append(finished)
            continue
        done += 1
        if "name" in finished.outcome:
            checks += _checks(finished, study.do)
        else:
            ends[str(finished.outcome["status"])] += 1
            seen.setdefault(key_of(place), []).append((run, _thinned(finished.outcome, place)))
    points = {key_of(places[run]): places[run] for run in sorted(places)}
    counts = {"planned": len(waiting), "done": done, "failed": len(failed)}
    series: dict[Key, dict[str, Series]] = {}
    means = list[Finding]()
    for key, runs in seen.items():
        reached = [outcome for _, outcome in runs if outcome["ok"]]
        for name in dict.fromkeys(name for _, outcome in runs for name in outcome if name not in ("t", "ok", "status")):
            times, mean, error = over_time([(one["t"], one[name]) for one in reached or [o for _, o in runs]])
            series.setdefault(key, {})[name] = times, mean, error
            end = (float(mean[-1]), float(error[-1])) if reached else (np.nan, np.nan)
            verdict = "reached" if len(reached) == len(runs) else "stopped"
            place = {**points[key], QUANTITY: name}
            means.append(Finding(runs[0][0], place, name, np.nan, *end, np.nan, verdict))
    found = _numbered(checks) + means
    return Findings(study, facts, counts, points, found, failed, tuple(waiting.values()), series, ends)


def over_time(runs: Sequence[tuple[Array, Array]]) -> Series:
    """The mean of runs over time, with its standard error (nan of one run), as long as one of them goes on.

    >>> over_time([(np.arange(2.0), np.array([1.0, 2.0])), (np.arange(2.0), np.array([1.0, 4.0]))])[1:]
    (array([1., 3.]), array([0., 1.]))
    """
    times = max((times for times, _ in runs), key=len)
    rows = np.full((len(runs), len(times)), np.nan)
    for row, (_, values) in zip(rows, runs, strict=True):
        row[: len(values)] = np.where(np.isfinite(values), values, np.nan)
    counts = np.isfinite(rows).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.nansum(rows, axis=0) / counts
        spread = np.sqrt(np.nansum((rows - mean) ** 2, axis=0) / (counts - 1))
        return times, mean, np.where(counts > 1, spread / np.sqrt(counts), np.nan)


def _checks(finished: Finished, do: str) -> Iterator[Finding]:
    outcome, place, run = finished.outcome, finished.planned.parameters, finished.planned.run
    free = 2 * stdtr(outcome["freedom"], -outcome["off_by"])
    counted = ~np.isclose(free, outcome["chance"], rtol=1e-6, atol=0.0, equal_nan=True)
    columns = ("name", "predicted", "measured", "error", "chance", "verdict")
    rows = zip(*(outcome[name].tolist() for name in columns), counted.tolist(), strict=True)
    for name, predicted, measured, error, chance, verdict, chi in rows:
        at = {**place, QUANTITY: compared(name, place) or do}
        yield Finding(run, at, name, predicted, measured, error, chance, verdict, chi)


def _numbered(checks: list[Finding]) -> list[Finding]:
    """Checks whose names tell nothing in common go by their number in a run."""
    names = {one.place[QUANTITY] for one in checks}
    if len(names) <= max(12, len(checks) // 2):
        return checks
    number, found = Counter[int](), list[Finding]()
    for one in checks:
        number[one.run] += 1
        found.append(replace(one, place={**one.place, QUANTITY: f"check {number[one.run]}"}))
    return found


def _thinned(outcome: Outcome, place: Place) -> Outcome:
    """The entries of every observable as a curve each, of so many times as a picture shows, the last among them."""
    whole, length = int(place["times"]), len(outcome["t"])
    kept = np.unique(np.linspace(0, whole - 1, min(whole, MOST_TIMES)).round().astype(int))
    kept = kept[kept < length]
    found = {"t": outcome["t"][kept], "ok": outcome["ok"]}
    for name, values in outcome.items():
        if name not in ("t", "ok", "status"):
            found |= zip(entry_names(name, values), values.reshape(length, -1)[kept].T, strict=True)
    return found
