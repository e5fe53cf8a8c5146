"""The tables of the page of a study: checks against chance, means at the end, what differs and what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

import numpy as np

from gegenflow.numerics.validation.checks import ALARMS, refuted
from gegenflow.numerics.validation.pages.parts import table
from gegenflow.numerics.validation.pictures.study_labels import shown
from gegenflow.numerics.validation.studies.findings import QUANTITY, Finding, Findings, Place
from gegenflow.numerics.validation.studies.tables import judged, tallied

MOST_ROWS = 20
MOST_OBSERVABLES = 4
"""In one table beside another."""
KINDS = "agrees", "differs", "bar too wide", "undecided"


def section(title: str, *parts: str) -> list[str]:
    """Parts of a page under a title."""
    return [f"<section>\n<h2>{escape(title)}</h2>", *parts, "</section>"]


def against_chance(findings: Findings) -> list[str]:
    """The shares of checks beyond 1, 2, 3 bars with the verdict of the binomial test, and the verdicts by quantity."""
    found = findings.found
    if not found:
        return section("Checks against chance", "<p>No check is made yet.</p>")
    tally = tallied(one.chance for one in found)
    rows = (
        (
            f"{row['bars']}",
            f"{row['beyond']:,} of {tally['count']:,}",
            f"{100 * row['share']:.2f} %",
            f"{100 * row['expected']:.2f} %",
            f"{row['chance']:.2g}" if row["chance"] > 0 else "below 1e-300",
            row["verdict"],
        )
        for row in judged(tally)
    )
    able = [one.chance for one in found if one.kind != "bar too wide"]
    differ, beyond = sum(one.kind == "differs" for one in found), refuted(able)
    words = (
        f"A true law is called wrong in one check of {1 / ALARMS:.0f}: {ALARMS * len(able):.2g} are expected to differ "
        f"by chance among the {len(able):,} checks whose bars are narrow enough to tell. {differ:,} differ, {beyond:,} "
        f"of them by more than chance explains among so many (Holm). The binomial test takes each check for itself; "
        f"checks of one run share its tokens, and a bar that is a bound covers more often than a standard deviation."
    )
    return section(
        "Checks against chance",
        table(("bars", "checks beyond", "share", "by chance", "probability", "verdict"), rows),
        f"<p class=small>{escape(words)}</p>",
        *_limited(
            ("what is compared", "checks", *KINDS, "bars off, rms"), [*_by_quantity(findings)], "more are compared"
        ),
    )


def _by_quantity(findings: Findings) -> Iterator[tuple[Any, ...]]:
    for quantity in findings.quantities:
        own = findings.of[quantity]
        counts = Counter(one.kind for one in own)
        scores = [one.score for one in own if one.counted or one.error > 0]
        rms = f"{float(np.sqrt(np.mean(np.square(scores)))):.2f}" if scores else "no bars"
        yield (quantity, f"{len(own):,}", *(f"{counts[kind]:,}" for kind in KINDS), rms)


def ends(findings: Findings) -> list[str]:
    """How the runs of a simulation ended, and the means of its observables at the end."""
    if not findings.found:
        return section("Runs", "<p>No run is done yet.</p>")
    ended = table(("runs", "how they ended"), [(f"{n:,}", how) for how, n in findings.ends.most_common(MOST_ROWS)])
    held: dict[int, dict[str, Finding]] = {}
    for one in findings.found:
        held.setdefault(one.run, {})[one.place[QUANTITY]] = one
    varying = list(findings.varying)
    parts = ["<p>Means over repetitions at the end, of the runs that reached it, with standard errors.</p>"]
    for start in range(0, len(findings.quantities), MOST_OBSERVABLES):
        names = findings.quantities[start : start + MOST_OBSERVABLES]
        rows = [
            [*_place(varying, next(iter(found.values())).place), *(_mean(found.get(name)) for name in names)]
            for found in held.values()
        ]
        parts += _limited((*varying, *names), rows, "more points")
    return section("Runs", ended, *parts)


def _mean(one: Finding | None) -> str:
    if one is None or not np.isfinite(one.measured):
        return ""
    return f"{one.measured:.5g}" + (f" ± {one.error:.2g}" if np.isfinite(one.error) else "")


def differing(findings: Findings) -> list[str]:
    """The checks that are off by most, by how rarely chance has it."""
    told = [one for one in findings.found if one.kind == "differs"]
    if not told:
        return section("Checks that differ", "<p>None.</p>") if findings.found else []
    varying = list(findings.varying)
    head = ("run", *varying, "check", "predicted", "measured", "error bar", "bars off", "chance")
    rows = [
        (
            one.run,
            *_place(varying, one.place),
            one.place[QUANTITY],
            f"{one.predicted:.6g}",
            f"{one.measured:.6g}",
            f"{one.error:.1e}",
            f"{abs(one.off):.1f}",
            f"{one.chance:.1e}",
        )
        for one in sorted(told, key=lambda one: (one.chance, -abs(one.off)))
    ]
    return section("Checks that differ", *_limited(head, rows, "more differ"))


def failed(findings: Findings) -> list[str]:
    """The runs that ended in an error, with their parameters."""
    if not findings.failed:
        return []
    varying = list(findings.varying)
    rows = [
        (run.planned.run, *_place(varying, run.planned.parameters), run.planned.repetition, run.error)
        for run in findings.failed
    ]
    causes = Counter(str(run.error) for run in findings.failed)
    several = table(("runs", "error"), [(f"{n:,}", error) for error, n in causes.most_common(MOST_ROWS)])
    head = ("run", *varying, "repetition", "error")
    return section("Runs that failed", *[several] * (len(causes) < len(rows)), *_limited(head, rows, "more failed"))


def _place(names: Iterable[str], place: Place) -> list[str]:
    return [shown(name, place[name]) for name in names]


def _limited(head: Sequence[str], rows: Sequence[Sequence[Any]], more: str) -> list[str]:
    """The first rows, and how many more there are."""
    left = len(rows) - MOST_ROWS
    return [
        f"<div class=wide>{table(head, rows[:MOST_ROWS])}</div>",
        *[f"<p class=small>{left:,} {more}.</p>"] * (left > 0),
    ]
