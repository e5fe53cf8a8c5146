"""Cells of a study: its findings over two of the parameters that vary, with one verdict each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from gegenflow.numerics.validation.checks import ALARMS
from gegenflow.numerics.validation.studies.findings import CERTAIN, QUANTITY, Finding, Findings, Place

ORDER = ("differs", "bar too wide", "undecided", "agrees", "stopped", "reached")
"""Verdicts, the worse first; "differs" of a cell is decided by all of its checks."""


@dataclass(frozen=True)
class Cell:
    """The findings at one place: means, the error bar of the mean measurement, and one verdict.

    ``off`` is the distance of measurement and prediction in error bars, of n findings their sum over the root of n,
    counts by their scores; ``relative`` is the mean distance of the ratio of both to one, ``side`` 1 where more was
    measured than the prediction allows, -1 where less, else 0.
    """

    predicted: float
    measured: float
    error: float
    off: float
    relative: float
    verdict: str
    side: int
    count: int


def cells_of(findings: Findings, across: str | None, down: str | None, at: Place) -> dict[tuple[Any, Any], Cell]:
    """The cell at each pair of values for which a run is there or planned, of the findings in which ``at`` holds."""

    def place(of: Place) -> tuple[Any, Any]:
        return of.get(across or ""), of.get(down or "")

    found: dict[tuple[Any, Any], list[Finding]] = {}
    for one in findings.of[at[QUANTITY]] if QUANTITY in at else findings.found:
        if all(one.place[name] == value for name, value in at.items()):
            found.setdefault(place(one.place), []).append(one)
    cells = {where: cell_of(ones) for where, ones in found.items()}
    states = [("failed", run.planned.parameters) for run in findings.failed]
    for state, point in [*states, *(("not run", point) for point in findings.waiting)]:
        if all(point.get(name, value) == value for name, value in at.items()):
            free = findings.quantities if QUANTITY in (across, down) else [None]
            for quantity in free:
                cells.setdefault(place({**point, QUANTITY: quantity}), _empty(state))
    return cells


def cell_of(found: Sequence[Finding]) -> Cell:
    """One cell of several findings.

    They differ where one of them, or all together, do by more than chance explains among so many, at one in 370; else
    the cell has the verdict of most, and those that chance explains agree.

    >>> near = Finding(1, {}, "rate", 2.0, 2.2, 0.1, 0.0455, "agrees")
    >>> cell = cell_of([near, near])
    >>> cell.verdict, cell.measured, round(cell.error, 4), round(cell.off, 4), round(cell.relative, 4)
    ('agrees', 2.2, 0.0707, 2.8284, 0.1)
    >>> cell_of([near] * 4).verdict
    'differs'
    """
    numbers = "predicted", "measured", "error", "score"
    predicted, measured, error, off = (np.array([getattr(one, name) for one in found]) for name in numbers)
    if side := _side([one for one in found if one.kind in ("agrees", "differs", "undecided")]):
        verdict = "differs"
    else:
        counts = Counter("agrees" if one.kind == "differs" else one.kind for one in found)
        verdict = max(counts, key=lambda kind: (counts[kind], -ORDER.index(kind)))
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = float(np.mean(measured / predicted - 1))
    bar = float(np.sqrt(np.sum(error**2)) / len(found))
    together = float(np.sum(off) / np.sqrt(len(found)))
    return Cell(float(predicted.mean()), float(measured.mean()), bar, together, relative, verdict, side, len(found))


def _side(found: Sequence[Finding]) -> int:
    """On which side of the prediction checks are by more than chance explains: one of them, or their sum; 0 on none.

    One is judged by Bonferroni's correction, the sum in normal scores. Of counts only a sum above is judged: a
    chi-square of few classes is often near 0, and then no score says how rarely.
    """
    sides = [-1 if one.off < 0 else 1 for one in found]
    if len(found) < 2:
        return sum(side for one, side in zip(found, sides, strict=True) if one.kind == "differs")
    chances = np.array([one.chance for one in found])
    if not np.all(chances > 0):
        return sides[int(np.argmin(np.nan_to_num(chances)))]
    counted = np.array([one.counted for one in found])
    scores = np.where(counted, -ndtri(np.minimum(chances, CERTAIN)), -np.array(sides) * ndtri(chances / 2))
    whole = float(scores.sum() / np.sqrt(len(found)))
    single, together = (
        float(chances.min()) * len(found),
        float(ndtr(-whole) if counted.any() else 2 * ndtr(-abs(whole))),
    )
    if 2 * min(single, together) >= ALARMS:
        return 0
    return sides[int(np.argmin(chances))] if single < together else -1 if whole < 0 else 1


def _empty(verdict: str) -> Cell:
    return Cell(np.nan, np.nan, np.nan, np.nan, np.nan, verdict, 0, 0)
