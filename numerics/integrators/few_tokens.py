r"""Few tokens under exponential attention, the whole integration in one compiled loop.

The field is the dense one in difference form, whose forces are accurate relative to themselves however small they are,
and time is kept in two parts, so that a run may go through :math:`10^{90}` units of time and still resolve the moment
in which two clusters meet.  The loop comes back after some 0.1 seconds of work, at a time to save and at a meeting.
"""

from collections.abc import Callable
from math import exp, inf
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import DOP853
from tqdm import tqdm

from gegenflow.numerics.fields.elementary import LOG2_E, exp2
from gegenflow.numerics.fields.flow import Flow, check_parts
from gegenflow.numerics.fields.pairs import _few_sums
from gegenflow.numerics.fields.weights import SMALLEST_BETA
from gegenflow.numerics.integrators.driver import PACED, Integration, Status, broken_off, check_pace
from gegenflow.numerics.integrators.runge_kutta import ORDER_8
from gegenflow.numerics.tokens.arguments import check_steps, check_times
from gegenflow.numerics.tokens.geometry import Array, check_tokens, check_weights

LONGEST = 1e240  # in units of the fastest motion; the dense field holds exponents at -600, which moves nothing by then
WORK = 1e8  # nanoseconds, roughly, that the loop may go on for
APPROACH = 1e-4  # tokens closer than this and contracting limit the step, ...
DAMPED = 3.0  # ... to this many of their contraction times: an unlimited step would hold them at the tolerance
SMALLEST_REACH = 1e-15  # a step that moves no token further than rounding cannot be made smaller
SHORT = 0.01  # the way that the first token moves to find the first step
SAFETY, MOST_SHRINKING, MOST_GROWTH, LEAST_ERROR = 0.9, 0.1, 10.0, 1e-10

A, B, E3, E5, A_EXTRA = (np.array(getattr(DOP853, name)) for name in ("A", "B", "E3", "E5", "A_EXTRA"))
INTERPOLANT = ORDER_8.interpolant
STAGES, EXTRA = len(B), len(A_EXTRA)

HIGH, LOW, NEXT, LAST, ERROR = range(5)  # of the clock: the time in two parts, the next step, the last and its error
STEPS, EVALUATIONS, REJECTED = range(3)  # of the counts
WORKED, ENDED, SAVING, MET, TORN, STUCK = range(6)  # why the loop came back
ENDINGS = {ENDED: "reached t = {:g}", MET: "two tokens met at t = {:g}"}
PROBLEMS = {TORN: "a cluster of tokens is pulled apart", STUCK: "the step size became too small"}
REMEDY = "try a smaller t_end"


class Motion(NamedTuple):
    """What the loop works on: time in units of e^-beta (USA) or one (SA), several arrays of tokens as flat lines."""

    tokens: Array
    weights: Array
    beta: float
    divided: bool
    end: float
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
    normalizer: Array
    clock: Array
    counts: NDArray[np.int64]


def integrate_few(
    tokens: ArrayLike,
    weights: ArrayLike | None,
    beta: float,
    *,
    model: str = "usa",
    t_end: float,
    t_start: float = 0.0,
    save_at: ArrayLike | None = None,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    first_step: float | None = None,
    merge: float = 0.0,
    sizes: Array | None = None,
    on_save: Callable[[float, Array], object] = lambda t, tokens: None,
    progress: bool = False,
) -> Integration:
    r"""Follow few tokens under exponential attention by steps of order 8, compiled as a whole.

    .. math:: \dot x_i = P_{x_i} \sum_j w_j e^{\beta\langle x_i, x_j\rangle} x_j \ \text{(USA)}, \quad
              \text{divided by } Z_i = \sum_j w_j e^{\beta\langle x_i, x_j\rangle} \ \text{(SA)}

    ``tokens`` shape=[n, dim], ``weights`` shape=[n], 1/n each for ``None``.  The root mean square over tokens of the
    error of a step is kept below ``atol`` + ``rtol``.  ``on_save`` receives each time of ``save_at`` and the tokens
    there, from an interpolant of order 7.  Forces keep their relative accuracy down to :math:`e^{-600}` of the largest
    possible one, so a lifetime of :math:`e^{100}` is followed like any other.  Exact unstable equilibria, such as
    antipodal tokens, are kept only for as long as rounding allows.

    With ``merge`` > 0 the run ends, ``status.ok``, after the first step at whose end two tokens are closer than that
    and contracting, and before any cluster of tokens, whose sizes have the logarithms ``sizes`` shape=[n] (changed in
    place, -inf for a single token), may have grown beyond the tolerance; see
    :func:`gegenflow.numerics.integrators.merging.stretching_rates`.

    Two tokens 2 radians apart at beta = 0: :math:`\tan(\delta/2)` decays as :math:`e^{-t}`:

    >>> start = [[np.cos(1), np.sin(1)], [np.cos(1), -np.sin(1)]]
    >>> end = integrate_few(start, None, 0.0, t_end=2.0, rtol=1e-12)
    >>> bool(np.isclose(end.tokens[0, 1] / end.tokens[0, 0], np.tan(1) * np.exp(-2.0), rtol=1e-11))
    True

    Raises ValueError for bad tokens, weights, model, times or tolerances, and for a ``t_end`` beyond :math:`10^{240}`
    in units of :math:`e^{-\beta}` (USA) or one (SA).  Source: Hairer, Norsett, Wanner, Solving ODEs I, II.4 to II.10.
    """
    check_parts(Flow(beta=beta, model=model), "merge", smallest_beta=0.0 if merge else SMALLEST_BETA)
    start = check_tokens(tokens)
    masses = check_weights(weights, len(start))
    times = check_times(save_at, t_end, t_start)
    check_steps(rtol, atol)
    scale = exp(beta) if model == "usa" else 1.0
    if not t_end * scale <= LONGEST:
        raise ValueError(f"t_end is {t_end:g}: for this beta and model it must be at most {LONGEST / scale:.3g}")
    if first_step is not None and not first_step > 0:
        raise ValueError(f"first_step is {first_step}: it must be > 0")
    sizes = np.full(len(start), -inf) if sizes is None else sizes
    motion = _motion(start, masses, beta, model == "sa", t_start * scale, t_end * scale, rtol + atol, merge, sizes)
    n, dim = start.shape
    most = max(1, int(WORK / (12 * (n * n * (1 + dim / 4) + 80 * n + 100))))
    saved, cause = 0, WORKED
    problem: BaseException | None = None
    looked, paced = 0, t_start * scale
    bar = tqdm(total=t_end, initial=t_start, disable=None if progress else True, unit="t", leave=False)
    try:
        while saved < len(times) and times[saved] == t_start:
            on_save(t_start, start.copy())
            saved += 1
        _begin(motion, 0.0 if first_step is None else first_step * scale)
        while cause in (WORKED, SAVING):
            cause = _advance(motion, times[saved] * scale if saved < len(times) else inf, most)
            due = times[saved : np.searchsorted(times * scale, motion.clock[HIGH], side="right")]
            if due.size:
                _extend(motion)
            for time in due.tolist():
                on_save(time, _interpolate(motion, time * scale))
                saved += 1
            bar.update(motion.clock[HIGH] / scale - bar.n)
            if merge == 0 and motion.counts[STEPS] >= looked + PACED:
                check_pace(paced / scale, motion.clock[HIGH] / scale, t_end)
                looked, paced = motion.counts[STEPS], motion.clock[HIGH]
        if cause in PROBLEMS:
            problem = FloatingPointError(PROBLEMS[cause])
    except (KeyboardInterrupt, FloatingPointError) as failure:
        problem = failure
    finally:
        bar.close()
    reached = t_end if motion.clock[HIGH] >= motion.end else float(motion.clock[HIGH] / scale)
    steps, evaluations, rejected = motion.counts.tolist()
    return Integration(
        t=times[:saved],
        tokens=start,
        reached=reached,
        steps=steps,
        evaluations=evaluations,
        status=broken_off(problem, reached, t_end, REMEDY) if problem else Status(True, ENDINGS[cause].format(reached)),
        rejected=rejected,
        next_step=float(motion.clock[NEXT] / scale),
        stopped=cause == MET,
    )


def _motion(
    tokens: Array,
    weights: Array,
    beta: float,
    divided: bool,
    start: float,
    end: float,
    tolerance: float,
    merge: float,
    sizes: Array,
) -> Motion:
    n, size = len(tokens), tokens.size
    stages, lines = np.zeros((STAGES + 1 + EXTRA, size)), np.zeros((4, size))
    unit, normalizer, stretching = np.empty(tokens.shape), np.empty(n), np.zeros(n)
    clock, counts = np.array([start, 0.0, 0.0, 1e-300, 1.0]), np.zeros(3, dtype=np.int64)
    limits = float(end), float(tolerance), float(merge)
    arrays = sizes, stretching, stages, *lines, unit, normalizer, clock, counts
    return Motion(tokens, weights, float(beta), divided, *limits, *arrays)


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
    _few_sums(motion.unit, motion.weights, -0.5 * LOG2_E * motion.beta, drift, motion.normalizer)
    if motion.divided:
        for i in range(n):
            for c in range(dim):
                drift[i, c] /= motion.normalizer[i]
    motion.counts[EVALUATIONS] += 1


@njit(cache=True, fastmath={"contract"})
def _combine(base: Array, h: float, coefficients: Array, stages: Array, out: Array) -> None:
    out[:] = base
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


@njit(cache=True, error_model="numpy")
def _begin(motion: Motion, first_step: float) -> None:
    line, clock = motion.tokens.reshape(-1), motion.clock
    _velocity(motion, line, motion.rate)
    if motion.merge > 0.0:
        _watch(motion.unit, motion.weights, motion.beta, motion.divided, motion.merge, motion.stretching)
    clock[NEXT], speed = first_step, np.abs(motion.rate).max()
    if first_step == 0.0 and speed == 0.0:
        clock[NEXT] = motion.end
    elif first_step == 0.0:
        short = SHORT / speed
        motion.moved[:] = line + short * motion.rate
        _velocity(motion, motion.moved, motion.trial)
        bend = np.sqrt((((motion.trial - motion.rate) * short) ** 2).sum() / len(motion.tokens)) / SHORT**2
        clock[NEXT] = (0.01 * motion.tolerance / max(1.0, bend)) ** 0.125 / speed


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _attempt(motion: Motion, h: float) -> float:
    # all stages of a step but the last, which is the first of the next, and its error in units of the tolerance
    line, stages = motion.tokens.reshape(-1), motion.stages
    stages[0] = motion.rate
    for s in range(1, STAGES):
        _combine(line, h, A[s, :s], stages, motion.trial)
        _velocity(motion, motion.trial, stages[s])
    _combine(line, h, B, stages, motion.moved)
    fifth, third = _mean_square(motion, h, E5), _mean_square(motion, h, E3)
    return fifth / np.sqrt(fifth + 0.01 * third) if fifth > 0.0 else 0.0


@njit(cache=True)  # no reassociation: it would undo the second part
def _pass_time(clock: Array, h: float) -> None:
    later = clock[HIGH] + h
    part = later - clock[HIGH]
    lost = clock[LOW] + ((clock[HIGH] - (later - part)) + (h - part))
    clock[HIGH] = later + lost
    clock[LOW] = lost - (clock[HIGH] - later)


@njit(cache=True, error_model="numpy")
def _advance(motion: Motion, save: float, most: int) -> int:
    clock = motion.clock
    speed, rejected = np.abs(motion.rate).max(), False
    for _ in range(most):
        left = (motion.end - clock[HIGH]) - clock[LOW]
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
        clock[NEXT], clock[LAST], clock[ERROR] = h * factor, h, error
        _pass_time(clock, h)
        if h == left:
            clock[HIGH], clock[LOW] = motion.end, 0.0
        motion.counts[STEPS] += 1
        _velocity(motion, motion.moved, motion.stages[STAGES])
        motion.before[:] = motion.tokens.reshape(-1)
        motion.tokens[:] = motion.unit
        motion.rate[:] = motion.stages[STAGES]
        speed, rejected = np.abs(motion.rate).max(), False
        cause = _encounter(motion, h) if motion.merge > 0.0 else WORKED
        if cause != WORKED:
            return cause
        if clock[HIGH] >= save:
            return SAVING
    return WORKED


@njit(cache=True)
def _encounter(motion: Motion, h: float) -> int:
    # After a step: clusters grow by its mean stretching rate.
    stretched = motion.stretching.copy()
    met, limit = _watch(motion.unit, motion.weights, motion.beta, motion.divided, motion.merge, motion.stretching)
    motion.clock[NEXT] = min(motion.clock[NEXT], limit)
    motion.sizes[:] += 0.5 * h * (stretched + motion.stretching)
    if motion.sizes.max() > np.log(motion.tolerance):
        return TORN
    return MET if met else WORKED


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _watch(
    rows: Array, weights: Array, beta: float, divided: bool, merge: float, stretching: Array
) -> tuple[bool, float]:
    # Fills in the stretching rates; whether two contracting tokens are within merge, and the step that they limit.
    n, dim = rows.shape
    pull, attraction = np.empty(dim), np.empty(n)
    for i in range(n):
        pull[:] = 0.0
        total = spread = along = 0.0
        for j in range(n):
            square = 0.0
            for c in range(dim):
                square += (rows[j, c] - rows[i, c]) ** 2
            factor = weights[j] * exp2(-0.5 * LOG2_E * beta * square)
            total += factor
            spread += factor * square * (1.0 - 0.25 * square)
            along += factor * (1.0 - 0.5 * square)
            for c in range(dim):
                pull[c] += factor * (rows[j, c] - rows[i, c])
        if divided:
            radial = length = 0.0
            for c in range(dim):
                radial += pull[c] * rows[i, c]
            for c in range(dim):
                length += (pull[c] - radial * rows[i, c]) ** 2
            spread, along = spread / total - length / total**2, along / total
        stretching[i], attraction[i] = beta * spread - along, along
    met, fastest = False, 0.0
    for i in range(n):
        for j in range(i):
            if stretching[i] < 0.0 and stretching[j] < 0.0:
                square = 0.0
                for c in range(dim):
                    square += (rows[j, c] - rows[i, c]) ** 2
                met = met or square < merge**2
                if square < APPROACH**2:
                    fastest = max(fastest, attraction[i], attraction[j])
    return met, DAMPED / fastest


@njit(cache=True)
def _extend(motion: Motion) -> None:
    # the three further stages that the interpolant needs
    for s in range(EXTRA):
        count = STAGES + 1 + s
        _combine(motion.before, motion.clock[LAST], A_EXTRA[s, :count], motion.stages, motion.trial)
        _velocity(motion, motion.trial, motion.stages[count])


@njit(cache=True, error_model="numpy")
def _interpolate(motion: Motion, time: float) -> Array:
    x = 1.0 + ((time - motion.clock[HIGH]) - motion.clock[LOW]) / motion.clock[LAST]
    factors = np.zeros(len(motion.stages))
    for k in range(len(INTERPOLANT) - 1, -1, -1):
        factors = (factors + INTERPOLANT[k]) * (1.0 - x if k % 2 else x)
    _combine(motion.before, motion.clock[LAST], factors, motion.stages, motion.trial)
    rows = motion.trial.reshape(motion.tokens.shape).copy()
    for i in range(len(rows)):
        rows[i] /= np.sqrt((rows[i] ** 2).sum())
    return rows
