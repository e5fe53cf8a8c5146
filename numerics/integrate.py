"""Adaptive integration on the sphere: scipy's DOP853 (order 8), put back on the sphere at every step."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import DOP853
from tqdm import tqdm

from gegenflow.numerics.geometry import Array, check_tokens

SMALLEST_RTOL = 1e-13  # below it rounding, not the step size, decides the error estimate


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
    """Outcome of :func:`integrate`: ``tokens`` shape=[n, dim] at time ``reached``; ``t`` the saved times."""

    t: Array
    tokens: Array
    reached: float
    steps: int
    evaluations: int
    status: Status


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite ends in a status
def integrate(
    field: Callable[[Array], Array],
    tokens: ArrayLike,
    *,
    t_end: float,
    save_at: ArrayLike | None = None,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    first_step: float | None = None,
    on_save: Callable[[float, Array], object] = lambda t, tokens: None,
    progress: bool = False,
) -> Integration:
    r"""Follow :math:`\dot x = v(x)` on the sphere from t = 0 to ``t_end`` with controlled error.

    .. math:: \dot y = v(y/|y|), \qquad y \leftarrow y/|y| \text{ after every accepted step}

    ``field`` maps unit tokens to tangent velocities, both shape=[n, dim]; steps of order 8 keep the root
    mean square of (local error)/(``atol`` + ``rtol`` |y|) over all components below one.  The local
    tolerance should sit 10 to 1000 times below the global error wanted.  ``first_step`` is the step tried
    first, chosen by scipy unless given.  ``on_save`` receives each time of
    ``save_at`` (sorted, within [0, t_end], default 101 equispaced) and the tokens there, from dense output
    of order 7, on the sphere to rounding. An interrupt from the keyboard, a field that is not finite and a
    step that becomes too small end the integration; everything up to there is kept and ``status`` says what
    happened.

    Rotation at unit speed brings a token to the angle t:

    >>> turn = lambda x: np.column_stack([-x[:, 1], x[:, 0]])
    >>> end = integrate(turn, [[1.0, 0.0]], t_end=2.0, rtol=1e-12, atol=1e-12)
    >>> bool(np.allclose(end.tokens, [[np.cos(2.0), np.sin(2.0)]], rtol=0, atol=1e-11)), str(end.status)
    (True, 'reached t = 2')

    Raises ValueError for bad tokens, times or tolerances.  Source: Hairer, Norsett, Wanner, Solving ODEs I,
    II.5.
    """
    start = check_tokens(tokens)
    times = check_times(save_at, t_end)
    _check_tolerances(rtol, atol)

    def rate(_: float, flat: Array) -> Array:  # in units of t_end, so that no speed is too large to square
        value = t_end * field(_on_sphere(flat, start.shape))
        if not np.isfinite(value).all():
            raise FloatingPointError("the velocity is not finite")
        return value.ravel()

    first = None if first_step is None or t_end == 0 else first_step / t_end
    if first is not None and not 0 < first <= 1:
        raise ValueError(f"first_step is {first_step}: it must lie in (0, {t_end:g}]")
    state, reached, saved, steps, evaluations = start, 0.0, 0, 0, 0
    bar = tqdm(total=t_end, disable=None if progress else True, unit="t", leave=False)
    try:
        solver = DOP853(rate, 0.0, start.ravel(), 1.0, rtol=rtol, atol=atol, first_step=first)
        while saved < len(times) and times[saved] == 0:
            on_save(0.0, start)
            saved += 1
        while solver.status == "running" and t_end > 0:
            if problem := solver.step():
                raise FloatingPointError(problem.rstrip(".").lower())
            due = times[saved : np.searchsorted(times, solver.t * t_end, side="right")]
            between: Any = solver.dense_output() if due.size else None
            state = _on_sphere(solver.y, start.shape)
            solver.y = state.ravel()
            bar.update(solver.t * t_end - reached)
            reached, steps, evaluations = float(solver.t * t_end), steps + 1, solver.nfev
            for time in due:
                on_save(float(time), _on_sphere(between(time / t_end), start.shape))
                saved += 1
        status = Status(True, f"reached t = {t_end:g}")
    except KeyboardInterrupt:
        status = Status(False, f"interrupted at t = {reached:g} of {t_end:g}; everything up to there is kept")
    except FloatingPointError as problem:
        status = Status(False, f"stopped at t = {reached:g} of {t_end:g}: {problem}; try a smaller t_end")
    finally:
        bar.close()
    return Integration(times[:saved], state, reached, steps, evaluations, status)


def check_times(save_at: ArrayLike | None, t_end: float) -> Array:
    """Times to save at, shape=[times]: sorted, within [0, t_end]; 101 equispaced ones by default.

    >>> check_times([0.5, 3.0], t_end=2.0)
    Traceback (most recent call last):
    ValueError: save_at runs from 0.5 to 3: the times must lie within [0, 2]
    """
    if not (isfinite(t_end) and t_end >= 0):
        raise ValueError(f"t_end is {t_end}: it must be finite and >= 0")
    if save_at is None:
        return np.linspace(0, t_end, 101) if t_end > 0 else np.zeros(1)
    times = np.array(save_at, dtype=np.float64)
    if times.ndim != 1 or not np.isfinite(times).all():
        raise ValueError(f"save_at has shape {times.shape}: it must be a list of finite times")
    if (np.diff(times) <= 0).any():
        raise ValueError("save_at is not strictly increasing")
    if times.size and not (times[0] >= 0 and times[-1] <= t_end):
        raise ValueError(f"save_at runs from {times[0]:g} to {times[-1]:g}: the times must lie within [0, {t_end:g}]")
    return times


def _check_tolerances(rtol: float, atol: float) -> None:
    if not SMALLEST_RTOL <= rtol < 1:
        raise ValueError(f"rtol is {rtol}: it must lie in [{SMALLEST_RTOL:g}, 1)")
    if not (isfinite(atol) and atol >= 0):
        raise ValueError(f"atol is {atol}: it must be finite and >= 0")


def _on_sphere(flat: Array, shape: tuple[int, ...]) -> Array:
    rows: Array = flat.reshape(shape)
    unit: Array = rows / np.sqrt(np.einsum("id,id->i", rows, rows))[:, None]
    return unit
