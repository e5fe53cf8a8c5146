"""The compiled loop that follows few tokens: stages, error control, the clock in two parts, meetings and output.

>>> from gegenflow.numerics.flows.flow import Flow
>>> from gegenflow.numerics.integrators.few_tokens import new_motion
>>> weights, clock = np.full(2, 0.5), np.array([0.0, 0.0, 0.0, 1e-300, 1.0])
>>> motion = new_motion(np.eye(2), weights, Flow(beta=1), 1e-8, 0.0, np.zeros(2), clock)
>>> advance(motion, 1.0, np.inf, 100) == ENDED, float(motion.clock[HIGH])
(True, 1.0)

What calls a compiled function compiles it again: Python calls two, and what they need at one place is inlined.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.integrate import DOP853

from gegenflow.numerics.fields.compiled.elementary import LOG2_E, write
from gegenflow.numerics.fields.compiled.spreads import watch
from gegenflow.numerics.fields.pairs import _few_sums
from gegenflow.numerics.integrators.tableaus import ORDER_8
from gegenflow.numerics.tokens.geometry import Array

SMALLEST_REACH = 1e-15  # a step that moves no token further than rounding cannot be made smaller
SHORT = 0.01  # the way that the first token moves to find the first step
LEAST_SPEED = 1e-260  # slower tokens do not move, to rounding, by the latest end
SAFETY, MOST_SHRINKING, MOST_GROWTH, LEAST_ERROR = 0.9, 0.1, 10.0, 1e-10
CLOSE_ENOUGH, ROUNDING = 1e-8, 1e-15  # how far within the distance of merging, relative to it, a meeting is located
MOST_TRIALS = 60  # to locate it

A, B, E3, E5, A_EXTRA = (np.array(getattr(DOP853, name)) for name in ("A", "B", "E3", "E5", "A_EXTRA"))
INTERPOLANT = ORDER_8.interpolant
STAGES, EXTRA = len(B), len(A_EXTRA)

HIGH, LOW, NEXT, LAST, ERROR = range(5)  # of the clock: the time in two parts, the next step, the last and its error
STEPS, EVALUATIONS, REJECTED, EXTENDED = range(4)  # of the counts; extended: the interpolant has its stages
WORKED, ENDED, SAVING, MET, TORN, STUCK = range(6)  # why the loop came back


class Motion(NamedTuple):
    """What the loop works on: time in units of e^-beta, the largest (USA), or one (SA), arrays of tokens as flat lines.

    Heads pull with ``factors``, in these units, and ``betas``, shape=[heads].
    """

    tokens: Array
    weights: Array
    betas: Array
    factors: Array
    divided: bool
    tolerance: float
    merge: float
    sizes: Array
    stretching: Array
    stages: Array
    rate: Array
    before: Array
    moved: Array
    trial: Array
    unit: Array
    pull: Array
    normalizer: Array
    clock: Array
    counts: NDArray[np.int64]


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _velocity(motion: Motion, point: Array, out: Array) -> None:
    n, dim = motion.tokens.shape
    for i in range(n):
        norm = 0.0
        for c in range(dim):
            norm += point[i * dim + c] ** 2
        norm = np.sqrt(norm)
        for c in range(dim):
            motion.unit[i, c] = point[i * dim + c] / norm
    drift = out.reshape(n, dim)
    drift[:] = 0.0
    for head in range(len(motion.betas)):
        _few_sums(motion.unit, motion.weights, -0.5 * LOG2_E * motion.betas[head], motion.pull, motion.normalizer)
        for i in range(n):
            total = motion.normalizer[i] if motion.divided else 1.0
            for c in range(dim):
                drift[i, c] += motion.factors[head] * motion.pull[i, c] / total
    motion.counts[EVALUATIONS] += 1


@njit(inline="always")
def _largest(line: Array) -> float:
    largest = 0.0
    for k in range(len(line)):
        largest = max(largest, abs(line[k]))
    return largest


@njit(cache=True, fastmath={"contract"})
def _combine(base: Array, h: float, coefficients: Array, stages: Array, out: Array) -> None:
    write(out, base)
    for j in range(len(coefficients)):
        factor = h * coefficients[j]
        if factor != 0.0:
            for k in range(len(out)):
                out[k] += factor * stages[j, k]


@njit(cache=True, fastmath={"contract"})
def _mean_square(motion: Motion, h: float, coefficients: Array) -> float:
    # of the length of a combination of the stages, over tokens, in units of the tolerance
    n, size = len(motion.tokens), len(motion.trial)
    motion.trial[:] = 0.0
    _combine(motion.trial, h / motion.tolerance, coefficients, motion.stages, motion.trial)
    total = 0.0
    for k in range(size):
        total += motion.trial[k] ** 2
    return total / n


@njit(inline="always")
def _begin(motion: Motion, end: float) -> None:
    # the first velocity, and a step unless the clock has one
    line, clock = motion.tokens.reshape(-1), motion.clock
    _velocity(motion, line, motion.rate)
    if motion.merge > 0.0:
        _look(motion)
    speed = _largest(motion.rate)
    if clock[NEXT] == 0.0 and speed < LEAST_SPEED:
        clock[NEXT] = end
    elif clock[NEXT] == 0.0:
        bend = 0.0
        for k in range(len(line)):
            motion.moved[k] = line[k] + SHORT / speed * motion.rate[k]
        _velocity(motion, motion.moved, motion.trial)
        for k in range(len(line)):  # no squares: they overflow where rounding alone moves tokens
            bend = max(bend, abs(motion.trial[k] - motion.rate[k]))
        clock[NEXT] = (0.01 * motion.tolerance / max(1.0, bend / (SHORT * speed))) ** 0.125 / speed


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _attempt(motion: Motion, h: float) -> float:
    # all stages of a step but the last, which is the first of the next, and its error in units of the tolerance
    line, stages = motion.tokens.reshape(-1), motion.stages
    write(stages[0], motion.rate)
    for s in range(1, STAGES):
        _combine(line, h, A[s, :s], stages, motion.trial)
        _velocity(motion, motion.trial, stages[s])
    _combine(line, h, B, stages, motion.moved)
    fifth, third = _mean_square(motion, h, E5), _mean_square(motion, h, E3)
    return fifth / np.sqrt(fifth + 0.01 * third) if fifth > 0.0 else 0.0


@njit(inline="always")  # no reassociation: it would undo the second part
def pass_time(clock: Array, h: float) -> None:
    """Add a step to the time in two parts: the low one keeps what rounding loses."""
    later = clock[HIGH] + h
    part = later - clock[HIGH]
    lost = clock[LOW] + ((clock[HIGH] - (later - part)) + (h - part))
    clock[HIGH] = later + lost
    clock[LOW] = lost - (clock[HIGH] - later)


@njit(cache=True, error_model="numpy")
def advance(motion: Motion, end: float, save: float, most: int) -> int:
    """Take up to ``most`` steps towards ``end``, none after one that reaches ``save``; why it came back.

    The first call begins: the next step on the clock is the first, zero to choose one.
    """
    clock = motion.clock
    if motion.counts[EVALUATIONS] == 0:
        _begin(motion, end)
    speed, rejected = _largest(motion.rate), False
    for _ in range(most):
        left = (end - clock[HIGH]) - clock[LOW]
        if left <= 0.0:
            return ENDED
        h = min(clock[NEXT], left)
        error = max(_attempt(motion, h), LEAST_ERROR)
        factor = min(MOST_GROWTH, max(MOST_SHRINKING, SAFETY * error**-0.125))
        if not error <= 1.0:
            motion.counts[REJECTED] += 1
            clock[NEXT], rejected = h * factor, True
            if clock[NEXT] * speed < SMALLEST_REACH:
                return STUCK
            continue
        # Where tokens speed up, the error of a step goes on growing as it did from the last step to this one.
        trend = SAFETY * h / clock[LAST] * (clock[ERROR] / error**2) ** 0.125
        factor = min(factor, 1.0 if rejected else MOST_GROWTH, max(MOST_SHRINKING, trend))
        clock[NEXT], clock[ERROR] = h * factor, error
        _velocity(motion, motion.moved, motion.stages[STAGES])
        cause = WORKED
        if motion.merge > 0.0:
            h, cause = _encounter(motion, h)
        clock[LAST] = h
        pass_time(clock, h)
        if h == left:
            clock[HIGH], clock[LOW] = end, 0.0
        motion.counts[STEPS] += 1
        motion.counts[EXTENDED] = 0
        write(motion.before, motion.tokens.reshape(-1))
        write(motion.tokens.reshape(-1), motion.unit.reshape(-1))
        write(motion.rate, motion.stages[STAGES])
        speed, rejected = _largest(motion.rate), False
        if cause != WORKED:
            return cause
        if clock[HIGH] >= save:
            return SAVING
    return WORKED


@njit(inline="always")
def _encounter(motion: Motion, h: float) -> tuple[float, int]:
    # Before a step is passed: cut it short where two tokens meet; clusters grow by its mean stretching rate.
    stretched = motion.stretching.copy()
    nearest, limit = _look(motion)
    met = nearest < motion.merge**2
    if met:
        h = _meeting(motion, h, nearest, stretched)
        nearest, limit = _look(motion)
    motion.clock[NEXT] = min(motion.clock[NEXT], limit)
    largest = -np.inf
    for i in range(len(stretched)):
        motion.sizes[i] += 0.5 * h * (stretched[i] + motion.stretching[i])
        largest = max(largest, motion.sizes[i])
    if largest > np.log(motion.tolerance):
        return h, TORN
    return h, MET if met else WORKED


@njit(inline="always")
def _meeting(motion: Motion, whole: float, nearest: float, stretching: Array) -> float:
    # The shortest step that brings two tokens within the distance of merging, found from the logarithm of how far the
    # nearest are apart, by secants and halves; the step tried last is that one.
    level, window = 2.0 * np.log(motion.merge), CLOSE_ENOUGH + ROUNDING / motion.merge
    write(motion.unit.reshape(-1), motion.tokens.reshape(-1))
    write(motion.stretching, stretching)
    short, above = 0.0, np.log(_look(motion)[0]) - level
    long, below = whole, max(np.log(nearest) - level, -1e3)
    tried = 0.0
    for trial in range(MOST_TRIALS + 1):
        found = below > -2.0 * window or long - short < 1e-15 * whole or trial == MOST_TRIALS
        if found and tried == long:
            break
        secant = short + (long - short) * (above + window) / (above - below)
        inside = above < 1e3 and trial % 4 < 3 and short < secant < long
        tried = long if found else secant if inside else 0.5 * (short + long)
        _attempt(motion, tried)  # at one place: each more would be compiled on its own
        _velocity(motion, motion.moved, motion.stages[STAGES])
        if found:
            break
        height = np.log(_look(motion)[0]) - level
        if height < 0.0:
            long, below = tried, max(height, -1e3)
        else:
            short, above = tried, height
    return long


@njit(inline="always")
def _look(motion: Motion) -> tuple[float, float]:
    return watch(motion.unit, motion.weights, motion.betas, motion.factors, motion.divided, motion.stretching)


@njit(inline="always")
def fraction_at(clock: Array, time: float) -> float:
    """How much of the last step lies before a time within it."""
    return min(1.0, max(0.0, float(1.0 + ((time - clock[HIGH]) - clock[LOW]) / clock[LAST])))


@njit(inline="always")
def interpolating_factor(stage: int, fraction: float) -> float:
    """What a stage counts for in the state a fraction of the last step ahead, beside the size of that step."""
    factor = 0.0
    for k in range(len(INTERPOLANT) - 1, -1, -1):
        factor = (factor + INTERPOLANT[k, stage]) * (1.0 - fraction if k % 2 else fraction)
    return factor


@njit(cache=True, error_model="numpy")
def interpolate(motion: Motion, time: float) -> Array:
    """The tokens, shape=[n, dim], at a time within the last step; the first time in a step takes three more stages."""
    if motion.counts[EXTENDED] == 0:
        for count, row in enumerate(A_EXTRA, STAGES + 1):
            _combine(motion.before, motion.clock[LAST], row[:count], motion.stages, motion.trial)
            _velocity(motion, motion.trial, motion.stages[count])
        motion.counts[EXTENDED] = 1
    x, factors = fraction_at(motion.clock, time), np.empty(len(motion.stages))
    for j in range(len(factors)):
        factors[j] = interpolating_factor(j, x)
    _combine(motion.before, motion.clock[LAST], factors, motion.stages, motion.trial)
    rows: Array = motion.trial.reshape(motion.tokens.shape).copy()
    for i in range(len(rows)):
        square = 0.0
        for c in range(rows.shape[1]):
            square += rows[i, c] ** 2
        for c in range(rows.shape[1]):
            rows[i, c] /= np.sqrt(square)
    return rows
