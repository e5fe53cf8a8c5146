"""Adaptive integration on the sphere or of angles, of order 5 or 8, put back on the sphere at every stage."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from gegenflow.numerics.geometry import Array, check_tokens
from gegenflow.numerics.runge_kutta import ORDER_5, ORDER_8, Stepper, Velocity

PACED, HOPELESS = 10_000, 1e6  # steps between two looks at the pace, and how many more times as many are too many
SMALLEST_RTOL = 1e-13  # below it rounding, not the step size, decides the error estimate
MOST_STANDSTILL = 10_000  # steps during which the clock, as a float64, may stand still
SAFETY, MOST_SHRINKING, MOST_GROWTH = 0.85, 0.1, 10.0  # 0.9 has twice as many rejected steps

TABLEAUS = {5: ORDER_5, 8: ORDER_8}


@dataclass(frozen=True)
class Status:
    """Whether a computation reached its end, and if not what happened and what to do.

    >>> print(Status(True, "reached t = 2"))
    reached t = 2
    """

    ok: bool
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, eq=False)
class Integration:
    """Outcome of :func:`integrate`: ``tokens``, or angles, at time ``reached``; ``t`` the saved times.

    ``next_step`` is what the control of the step size proposes for going on, nan where there is no such control.
    """

    t: Array
    tokens: Array
    reached: float
    steps: int
    evaluations: int
    status: Status
    rejected: int = 0
    next_step: float = np.nan
    stopped: bool = False


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite ends in a status
def integrate(
    field: Velocity,
    start: ArrayLike,
    *,
    t_end: float,
    t_start: float = 0.0,
    order: int = 8,
    save_at: ArrayLike | None = None,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    first_step: float | None = None,
    on_save: Callable[[float, Array], object] = lambda t, state: None,
    stop: Callable[[float, Array], bool] | None = None,
    progress: bool = False,
) -> Integration:
    r"""Follow :math:`\dot x = v(x)` from ``t_start`` to ``t_end`` with controlled error.

    .. math:: \dot y = v(y/|y|), \qquad y \leftarrow y/|y| \text{ after every accepted step}

    ``start`` holds unit tokens, shape=[n, dim], or angles, shape=[n], any real numbers, which no rule puts back;
    ``field(state, out)`` writes the velocity at ``state`` into ``out``, both of the shape of ``start``.  Steps are of
    order 8 or 5 and keep the root mean square over tokens of \|error of a token\| / (``atol`` + ``rtol``) below one.
    The tolerance should sit 10 to 1000 times below the global error wanted; order 5 is the cheaper one for rtol above
    1e-6 or so.

    ``on_save`` receives each time of ``save_at`` (sorted, within [t_start, t_end], default 101 equispaced) and the
    state there in an array of its own, from an interpolant of degree 7 (order 5: 4), so saving changes no step.
    ``stop`` receives the time and the state after every step, for reading only, and ends the run there when it
    returns True.  ``first_step`` is the step tried first; with ``next_step`` of the result a run goes on where it
    stopped.  The time keeps the low part that rounding loses, so steps below the spacing of float64 at t do count.

    An interrupt from the keyboard, a field that is not finite or raises FloatingPointError, and a time that 10,000
    steps leave where it is (the step size became too small) end the integration; everything up to the last step is
    kept and ``status`` says what happened.  An interrupt just after ``on_save`` may leave its last time out of ``t``.

    Rotation at unit speed brings a token to the angle t:

    >>> def turn(x, out):
    ...     np.stack([-x[:, 1], x[:, 0]], axis=1, out=out)
    >>> end = integrate(turn, [[1.0, 0.0]], t_end=2.0, rtol=1e-12, atol=1e-12)
    >>> bool(np.allclose(end.tokens, [[np.cos(2.0), np.sin(2.0)]], rtol=0, atol=1e-11)), str(end.status)
    (True, 'reached t = 2')

    Raises ValueError for bad tokens or angles, times, tolerances, order or first step.  Source: Hairer, Norsett,
    Wanner, Solving ODEs I, II.4 to II.6 and II.10.
    """
    state = _check_start(start)
    times = check_times(save_at, t_end, t_start)
    span, tol = t_end - t_start, rtol + atol
    check_steps(rtol, atol, order, first_step, span)
    clock, low = float(t_start), 0.0  # the time is their sum
    step, growth = first_step or span, MOST_GROWTH
    saved, steps, rejected, standstill, stopped, paced = 0, 0, 0, 0, False, clock
    stepper = None
    bar = tqdm(total=span, disable=None if progress else True, unit="t", leave=False)
    try:
        while saved < len(times) and times[saved] == t_start:
            on_save(clock, state.copy())
            saved += 1
        if span > 0:
            stepper = Stepper(field, state, TABLEAUS[order])
            step = first_step or stepper.first_step(span, tol)
        while stepper and not stopped and (left := (t_end - clock) - low) > 0:
            size = min(step, left)
            new_clock, new_low = _later(clock, low, size) if size < left else (float(t_end), 0.0)
            due = times[saved : np.searchsorted(times, new_clock, side="right")]
            fractions = np.clip(((due - clock) - low) / size, 0.0, 1.0)
            error = stepper.attempt(size, tol)
            if error <= 1 and (fractions < 1).any():
                stepper.prepare_interpolant(size)
            factor = max(MOST_SHRINKING, SAFETY * error ** (-1 / order)) if error > 0 else MOST_GROWTH
            if error > 1:
                step, growth, rejected = size * factor, 1.0, rejected + 1
                continue
            standstill = standstill + 1 if new_clock == clock else 0
            if standstill > MOST_STANDSTILL:
                raise FloatingPointError("the step size became too small")
            bar.update(new_clock - clock)
            clock, low, state, steps = new_clock, new_low, stepper.trial.reshape(state.shape), steps + 1
            step = max(size * min(growth, factor), step if size < step else 0.0)
            growth = MOST_GROWTH
            for time, fraction in zip(due.tolist(), fractions.tolist(), strict=True):
                on_save(time, stepper.interpolate(size, fraction))
                saved += 1
            stopped = stop is not None and stop(clock, state)
            if steps % PACED == 0:
                check_pace(paced, clock, t_end)
                paced = clock
            stepper.accept()
        status = Status(True, f"stopped at t = {clock:g}" if stopped else f"reached t = {t_end:g}")
    except (KeyboardInterrupt, FloatingPointError) as cause:
        status = broken_off(cause, clock, t_end, "try a smaller t_end")
    finally:
        bar.close()
    evaluations = stepper.evaluations if stepper else 0
    return Integration(times[:saved], state, clock, steps, evaluations, status, rejected, step, stopped)


def check_numbers(optional: Mapping[str, object], **named: object) -> None:
    """Refuse anything but real numbers, by name, or None for those that are ``optional``.

    >>> check_numbers({"beta": None}, t_end=1, rtol="small")
    Traceback (most recent call last):
    ValueError: rtol is 'small': it must be a number
    """
    given = {name: value for name, value in optional.items() if value is not None}
    for name, value in (given | named).items():
        if not isinstance(value, Real):
            raise ValueError(f"{name} is {value!r}: it must be a number")


def check_times(save_at: ArrayLike | None, t_end: float, t_start: float = 0.0) -> Array:
    """Times to save at, shape=[times]: sorted, within [t_start, t_end]; 101 equispaced ones by default.

    >>> check_times([0.5, 3.0], t_end=2.0)
    Traceback (most recent call last):
    ValueError: save_at runs from 0.5 to 3: the times must lie within [0, 2]
    """
    if not isfinite(t_start):
        raise ValueError(f"t_start is {t_start}: it must be finite")
    if not (isfinite(t_end) and t_end >= t_start):
        raise ValueError(f"t_end is {t_end}: it must be finite and >= {t_start:g}")
    if save_at is None:
        return np.linspace(t_start, t_end, 101) if t_end > t_start else np.array([float(t_start)])
    times = np.array(save_at, dtype=np.float64)
    if times.ndim != 1 or not np.isfinite(times).all():
        raise ValueError(f"save_at has shape {times.shape}: it must be a list of finite times")
    if (np.diff(times) <= 0).any():
        raise ValueError("save_at is not strictly increasing")
    if times.size and not (times[0] >= t_start and times[-1] <= t_end):
        raise ValueError(
            f"save_at runs from {times[0]:g} to {times[-1]:g}: the times must lie within [{t_start:g}, {t_end:g}]"
        )
    return times


def broken_off(cause: BaseException, reached: float, t_end: float, remedy: str) -> Status:
    """The status of a run that an interrupt or a FloatingPointError ended before its time.

    >>> print(broken_off(FloatingPointError("the velocity is not finite"), 0.5, 2.0, "try a smaller t_end"))
    stopped at t = 0.5 of 2: the velocity is not finite; try a smaller t_end
    """
    if isinstance(cause, KeyboardInterrupt):
        return Status(False, f"interrupted at t = {reached:g} of {t_end:g}; everything up to there is kept")
    return Status(False, f"stopped at t = {reached:g} of {t_end:g}: {cause}; {remedy}")


def _check_start(start: ArrayLike) -> Array:
    if np.ndim(start) != 1:
        return check_tokens(start)
    angles = np.array(start, dtype=np.float64)
    if not angles.size:
        raise ValueError("start is empty: it must hold tokens, shape=[n, dim], or angles, shape=[n]")
    if not np.isfinite(angles).all():
        first = int(np.flatnonzero(~np.isfinite(angles))[0])
        raise ValueError(f"start: angle {first} is {angles[first]}: every angle must be finite")
    return angles


def check_pace(before: float, now: float, t_end: float, hopeless: float = HOPELESS) -> None:
    """Give up a run of which 10,000 steps have passed less than a millionth of the time that is left, or so.

    >>> check_pace(0.0, 1.0, 1e9)
    Traceback (most recent call last):
    FloatingPointError: at this pace it takes over 1e+10 steps; where tokens that have met hold it up, use merge
    """
    if (now - before) * hopeless < t_end - now:
        raise FloatingPointError(
            f"at this pace it takes over {PACED * hopeless:.0e} steps; where tokens that have met hold it up, use merge"
        )


def check_steps(rtol: float, atol: float, order: int = 8, first_step: float | None = None, span: float = inf) -> None:
    """Refuse tolerances, an order or a first step with which nothing can be integrated over a span of time.

    >>> check_steps(1e-20, 0.0)
    Traceback (most recent call last):
    ValueError: rtol is 1e-20: it must lie in [1e-13, 1)
    """
    if not SMALLEST_RTOL <= rtol < 1:
        raise ValueError(f"rtol is {rtol}: it must lie in [{SMALLEST_RTOL:g}, 1)")
    if not (isfinite(atol) and atol >= 0):
        raise ValueError(f"atol is {atol}: it must be finite and >= 0")
    if order not in (5, 8):
        raise ValueError(f"order is {order!r}: it must be 5 or 8")
    if first_step is not None and span > 0 and not 0 < first_step <= span:
        raise ValueError(f"first_step is {first_step}: it must lie in (0, {span:g}]")


def _later(clock: float, low: float, step: float) -> tuple[float, float]:
    # the sum of all three as a float64 and what its rounding lost: two exact additions
    later = clock + step
    part = later - clock
    low += (clock - (later - part)) + (step - part)
    clock = later + low
    return clock, low - (clock - later)
