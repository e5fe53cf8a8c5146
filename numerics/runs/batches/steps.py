"""The compiled loop that follows many small runs: each of eight lanes has a run, with a step and a clock of its own.

A lane whose run has ended takes the next one.  What a lane computes does not depend on the others.

>>> import numpy as np
>>> from gegenflow.numerics.runs.batches.work import works
>>> tokens, settings = np.eye(2)[None], {"rate": 0.0, "divided": False, "tolerance": 1e-10, "end": 1.0}
>>> (work,) = works(1, tokens, np.full(2, 0.5), np.empty(0), **settings)
>>> while advance(work, 100):
...     pass
>>> f"{tokens[0, 0] @ tokens[0, 1]:.6f}", f"{np.tanh(1):.6f}"
('0.761594', '0.761594')
"""

from __future__ import annotations

from numba import njit

from gegenflow.numerics.fields.compiled.lane_sums import inner, lane_velocity, normalize
from gegenflow.numerics.fields.compiled.lanes import put, root, same, take, where
from gegenflow.numerics.fields.compiled.vectors import LANES
from gegenflow.numerics.integrators.compiled_steps import (
    E3,
    E5,
    ERROR,
    EVALUATIONS,
    EXTRA,
    HIGH,
    LAST,
    LEAST_ERROR,
    LEAST_SPEED,
    LOW,
    MOST_GROWTH,
    MOST_SHRINKING,
    NEXT,
    REJECTED,
    SHORT,
    SMALLEST_REACH,
    STAGES,
    STEPS,
    pass_time,
)
from gegenflow.numerics.integrators.driver import HOPELESS, PACED
from gegenflow.numerics.runs.batches.saving import keep, save
from gegenflow.numerics.runs.batches.work import (
    ACCEPTED,
    AGAIN,
    AT_ONCE,
    CAUSE,
    DUE,
    ENDED,
    FAULT,
    FIRST_STEP,
    FOLLOWING,
    GONE,
    LINE,
    MOVED,
    PACE,
    QUEUE,
    READY,
    READY_LINE,
    READY_RATE,
    RUN,
    RUNNING,
    SAVED,
    SLOW,
    STEP,
    STRIDE,
    STUCK,
    TAKEN,
    TRIAL,
    UNIT,
    WEIGHTS,
    Work,
)

SAFETY = 0.8  # 0.9 has twice as many rejected steps, and 2 to 5 % more evaluations


@njit(cache=True, nogil=True, error_model="numpy")
def advance(work: Work, most: int) -> bool:
    """Take up to ``most`` steps in all lanes; whether any run is left."""
    for _ in range(most):
        if work.queue[QUEUE, GONE] == LANES:
            _prepare(work)
        if not _fill(work):
            return False
        for stage in range(1, TAKEN):
            _take_stage(work, stage)
            if stage == STAGES and not _judge(work):
                break
        save(work)
        _accept(work)
    for lane in range(LANES):
        if work.queue[RUN, lane] >= 0:
            _leave(work, lane, RUNNING)
    return True


@inner
def _velocity(work: Work, source: int, target: int) -> None:
    row, parts = work.row, (work.rate, work.divided, work.rows, work.sums)
    lane_velocity(work.weights, *parts, source * row, UNIT * row, target * row)


@inner
def _take_stage(work: Work, stage: int) -> None:
    # four vectors at once, as there are more weights to look at than sums to take
    h, row, rows = take(work.lanes, STEP * LANES), work.row, work.rows
    point = MOVED if stage == STAGES else TRIAL
    for k in range(0, row, AT_ONCE * LANES):
        a, b, c, d = same(0.0), same(0.0), same(0.0), same(0.0)
        for j in range(stage):
            weight, at = WEIGHTS[stage, j], j * row + k
            if weight != 0.0:
                a = a + weight * take(rows, at)
                b = b + weight * take(rows, at + LANES)
                c = c + weight * take(rows, at + 2 * LANES)
                d = d + weight * take(rows, at + 3 * LANES)
        here, there = LINE * row + k, point * row + k
        put(rows, there, take(rows, here) + h * a)
        put(rows, there + LANES, take(rows, here + LANES) + h * b)
        put(rows, there + 2 * LANES, take(rows, here + 2 * LANES) + h * c)
        put(rows, there + 3 * LANES, take(rows, here + 3 * LANES) + h * d)
    _velocity(work, point, stage)


@inner
def _estimate(work: Work) -> None:
    # the error of a step in units of the tolerance
    row, rows, lanes = work.row, work.rows, work.lanes
    fifth, third, scale = same(0.0), same(0.0), take(lanes, STEP * LANES) / work.tolerance
    for k in range(0, row, LANES):
        high, low = same(0.0), same(0.0)
        for j in range(STAGES):
            rate = take(rows, j * row + k)
            high, low = high + E5[j] * rate, low + E3[j] * rate
        high, low = scale * high, scale * low  # before they are squared: slow motion would underflow
        fifth, third = fifth + high * high, third + low * low
    fifth, third = fifth / float(len(work.weights)), third / float(len(work.weights))
    put(lanes, FAULT * LANES, where(fifth, fifth / root(fifth + 0.01 * third), fifth))


@inner
def _judge(work: Work) -> bool:
    # which lanes accept their step, the size of the next, and whether any has a time to save within it
    _estimate(work)
    saving = False
    for lane in range(LANES):
        run, clock, h = work.queue[RUN, lane], work.clock[lane], work.lanes[STEP, lane]
        work.lanes[ACCEPTED, lane] = 0.0
        if run < 0:
            continue
        counts, fault = work.counts[run], work.lanes[FAULT, lane]
        counts[EVALUATIONS] += STAGES - 1
        error = max(LEAST_ERROR, fault)
        factor = min(MOST_GROWTH, max(MOST_SHRINKING, SAFETY * error**-0.125))
        if not fault <= 1.0:
            counts[REJECTED] += 1
            clock[NEXT], clock[AGAIN] = h * min(factor, SAFETY) if fault > 1.0 else h * MOST_SHRINKING, 1.0
            if not clock[NEXT] * _speed(work, 0, lane) >= SMALLEST_REACH:
                _leave(work, lane, STUCK)
            continue
        # Where tokens speed up, the error of a step goes on growing as it did from the last step to this one.
        trend = SAFETY * h / clock[LAST] * (clock[ERROR] / error**2) ** 0.125
        factor = min(factor, 1.0 if clock[AGAIN] != 0.0 else MOST_GROWTH, max(MOST_SHRINKING, trend))
        left = (work.end - clock[HIGH]) - clock[LOW]
        clock[NEXT], clock[ERROR], clock[LAST], clock[AGAIN] = h * factor, error, h, 0.0
        pass_time(clock, h)
        if h == left:
            clock[HIGH], clock[LOW] = work.end, 0.0
        work.lanes[ACCEPTED, lane] = 1.0
        counts[EVALUATIONS] += 1
        counts[STEPS] += 1
        if counts[SAVED] < len(work.times) and work.times[counts[SAVED]] < clock[HIGH]:
            counts[EVALUATIONS] += EXTRA
            saving = True
    return saving


@inner
def _speed(work: Work, first: int, lane: int) -> float:
    speed = 0.0
    for k in range(first * work.row + lane, (first + 1) * work.row, LANES):
        speed = max(speed, abs(work.rows[k]))
    return speed


@inner
def _accept(work: Work) -> None:
    # move the lanes that accept their step, save what is due at its end, and let go of runs that end there
    row, rows, accepted = work.row, work.rows, take(work.lanes, ACCEPTED * LANES)
    normalize(rows, MOVED * row, UNIT * row, len(work.weights), work.tokens.shape[1] // len(work.weights))
    for k in range(0, row, LANES):
        put(rows, LINE * row + k, where(accepted, take(rows, UNIT * row + k), take(rows, LINE * row + k)))
        put(rows, k, where(accepted, take(rows, STAGES * row + k), take(rows, k)))
    for lane in range(LANES):
        if work.lanes[ACCEPTED, lane] == 0.0:
            continue
        clock, counts, cause = work.clock[lane], work.counts[work.queue[RUN, lane]], RUNNING
        while counts[SAVED] < len(work.times) and work.times[counts[SAVED]] <= clock[HIGH]:
            keep(work, LINE, lane)
        if counts[STEPS] % PACED == 0:
            if (clock[HIGH] - clock[PACE]) * HOPELESS < work.end - clock[HIGH]:
                cause = SLOW
            clock[PACE] = clock[HIGH]
        if (work.end - clock[HIGH]) - clock[LOW] <= 0.0:
            cause = ENDED
        if cause != RUNNING:
            _leave(work, lane, cause)


@inner
def _leave(work: Work, lane: int, cause: int) -> None:
    run = work.queue[RUN, lane]
    for k in range(work.tokens.shape[1]):
        work.tokens[run, k] = work.rows[LINE * work.row + k * LANES + lane]
    work.reached[run], work.counts[run, CAUSE] = work.clock[lane, HIGH], cause
    if cause != RUNNING:
        work.queue[RUN, lane] = -1


@inner
def _fill(work: Work) -> bool:
    # a run for every lane that has none, as long as there are any, and the step that each lane tries
    busy, row, rows = False, work.row, work.rows
    for lane in range(LANES):
        clock = work.clock[lane]
        if work.queue[RUN, lane] < 0:
            place = work.queue[QUEUE, GONE]
            run = work.queue[READY, place] if place < LANES else -1
            work.lanes[STEP, lane] = 0.0
            if run < 0:
                continue
            work.queue[QUEUE, GONE] += 1
            work.queue[RUN, lane] = run
            for k in range(len(clock)):
                clock[k] = 0.0
            clock[NEXT], clock[LAST], clock[ERROR] = work.lanes[FIRST_STEP, place], 1e-300, 1.0
            for k in range(0, row, LANES):
                rows[LINE * row + k + lane] = rows[READY_LINE * row + k + place]
                rows[k + lane] = rows[READY_RATE * row + k + place]
            work.counts[run, EVALUATIONS] = 2
            while work.counts[run, SAVED] < len(work.times) and work.times[work.counts[run, SAVED]] <= 0.0:
                keep(work, LINE, lane)
        work.lanes[STEP, lane] = min(clock[NEXT], (work.end - clock[HIGH]) - clock[LOW])
        busy = True
    return busy


@inner
def _prepare(work: Work) -> None:
    # the next eight runs: their first velocities, and the step that each tries first
    row, rows, lanes, queue = work.row, work.rows, work.lanes, work.queue
    queue[QUEUE, GONE] = 0
    for lane in range(LANES):
        run = queue[QUEUE, FOLLOWING]
        queue[READY, lane] = -1
        if run < len(work.tokens):
            queue[READY, lane] = run
            queue[QUEUE, FOLLOWING] += queue[QUEUE, STRIDE]
            for k in range(work.tokens.shape[1]):
                rows[READY_LINE * row + k * LANES + lane] = work.tokens[run, k]
    if queue[READY, 0] < 0:
        return
    for turn in range(2):  # at one place: each more would be compiled on its own
        _velocity(work, TRIAL if turn else READY_LINE, MOVED if turn else READY_RATE)
        if turn == 0:
            for lane in range(LANES):
                lanes[FAULT, lane] = _speed(work, READY_RATE, lane)
                lanes[DUE, lane] = SHORT / max(LEAST_SPEED, lanes[FAULT, lane])
        short = take(lanes, DUE * LANES)
        for k in range(0, row, LANES):
            rate = take(rows, READY_RATE * row + k)
            put(rows, TRIAL * row + k, take(rows, READY_LINE * row + k) + short * rate)
            put(rows, MOVED * row + k, take(rows, MOVED * row + k) - rate)
    for lane in range(LANES):
        lanes[FIRST_STEP, lane], speed = work.end, lanes[FAULT, lane]
        if speed >= LEAST_SPEED:
            bend = _speed(work, MOVED, lane) / (SHORT * speed)
            lanes[FIRST_STEP, lane] = (0.01 * work.tolerance / max(1.0, bend)) ** 0.125 / speed
