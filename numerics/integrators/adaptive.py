"""Adaptive integration on the sphere or of angles, of order 5 or 8, put back on the sphere at every stage."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from gegenflow.numerics.integrators.driver import (
    MOST_GROWTH,
    MOST_SHRINKING,
    PACED,
    SAFETY,
    Integration,
    Status,
    broken_off,
    check_pace,
)
from gegenflow.numerics.integrators.runge_kutta import ORDER_5, ORDER_8, Stepper, Velocity
from gegenflow.numerics.tokens.arguments import check_steps, check_times
from gegenflow.numerics.tokens.geometry import Array, check_tokens

MOST_STANDSTILL = 10_000  # steps during which the clock, as a float64, may stand still

TABLEAUS = {5: ORDER_5, 8: ORDER_8}


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


def _later(clock: float, low: float, step: float) -> tuple[float, float]:
    # the sum of all three as a float64 and what its rounding lost: two exact additions
    later = clock + step
    part = later - clock
    low += (clock - (later - part)) + (step - part)
    clock = later + low
    return clock, low - (clock - later)
