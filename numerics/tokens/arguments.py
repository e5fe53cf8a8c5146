"""What every solver accepts: numbers, times and tolerances, each refusal one sentence that names the argument."""

from collections.abc import Mapping
from math import inf, isfinite
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.tokens.geometry import Array

SMALLEST_RTOL = 1e-13  # below it rounding, not the step size, decides the error estimate


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
