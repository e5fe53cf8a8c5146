"""The states of many small runs between their steps, by an interpolant of order 7."""

from __future__ import annotations

from gegenflow.numerics.fields.compiled.lane_sums import inner, normalize
from gegenflow.numerics.fields.compiled.lanes import put, take
from gegenflow.numerics.fields.compiled.vectors import LANES
from gegenflow.numerics.integrators.compiled_steps import HIGH, LAST, fraction_at, interpolating_factor
from gegenflow.numerics.runs.batches.work import (
    ACCEPTED,
    DUE,
    FACTORS,
    LINE,
    RUN,
    SAVED,
    TAKEN,
    TRIAL,
    UNIT,
    Work,
)


@inner
def save(work: Work) -> None:
    """The tokens at all times within the steps just taken, one of each lane at once."""
    row, rows, lanes = work.row, work.rows, work.lanes
    while _weigh(work):
        for k in range(0, row, LANES):
            total = take(rows, LINE * row + k)
            for j in range(TAKEN):
                total = total + take(lanes, (FACTORS + j) * LANES) * take(rows, j * row + k)
            put(rows, TRIAL * row + k, total)
        normalize(rows, TRIAL * row, UNIT * row, len(work.weights), work.tokens.shape[1] // len(work.weights))
        for lane in range(LANES):
            if lanes[DUE, lane] != 0.0:
                keep(work, UNIT, lane)


@inner
def _weigh(work: Work) -> bool:
    # the factors of the stages at the next time of each lane, zero where it has none
    found = False
    for lane in range(LANES):
        due, x, clock = 0.0, 0.0, work.clock[lane]
        if work.lanes[ACCEPTED, lane] != 0.0:
            saved = work.counts[work.queue[RUN, lane], SAVED]
            if saved < len(work.times) and work.times[saved] < clock[HIGH]:
                due, found = 1.0, True
                x = fraction_at(clock, work.times[saved])
        work.lanes[DUE, lane] = due
        for j in range(TAKEN):
            work.lanes[FACTORS + j, lane] = due * clock[LAST] * interpolating_factor(j, x)
    return found


@inner
def keep(work: Work, place: int, lane: int) -> None:
    """Save the tokens of a lane, from one of the rows, at the next time of its run."""
    run, first = work.queue[RUN, lane], place * work.row
    for k in range(work.tokens.shape[1]):
        work.paths[run, work.counts[run, SAVED], k] = work.rows[first + k * LANES + lane]
    work.counts[run, SAVED] += 1
