"""Time stepping of a density in harmonics: adaptive in the step and in the degree."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from tqdm import tqdm

from gegenflow.numerics.attention import Attention
from gegenflow.numerics.densities import Density
from gegenflow.numerics.geometry import Array
from gegenflow.numerics.integrate import MOST_GROWTH, MOST_SHRINKING, SAFETY, Status, broken_off
from gegenflow.numerics.mode_steps import EXPLICIT_ORDER, EXPONENTIAL_ORDER, ModeStep, explicit_step, exponential_step

LEAST_DEGREE, MORE_DEGREES = 16, 1.5
HIGHEST = 0.75  # of the degrees: those above it show what the resolution cuts off, ...
TAIL = 0.1  # ... and hold at most so much of the tolerance of a step, ...
TAIL_ERROR = 0.1  # ... of which the error of a step makes up at most so much: steps, not degrees, mend that
LOOKS = 16  # steps between two looks at the sign of the density
NEGATIVE_MASS = 1e-6  # or ten times rtol: a density that is negative on more is none
ROUNDING = 1e-15  # of the density: what rounding puts into the highest degrees
SHORTEST = 1e-14  # of the time: a step below it makes none


@dataclass(frozen=True, eq=False)
class Course:
    """Where :func:`follow_modes` ended: the density at time ``reached``, and ``unresolved`` if its degrees ran out."""

    density: Density
    reached: float
    status: Status
    evaluations: int
    unresolved: bool


class Unresolved(FloatingPointError):
    """A density needs more degrees than it may have."""


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite ends in a status
def follow_modes(
    start: Density,
    attention: Attention,
    *,
    model: str,
    noise: float,
    t_end: float,
    save_at: Array,
    on_save: Callable[[float, Density], object],
    rtol: float,
    atol: float,
    max_degree: int,
    first_step: float | None = None,
    progress: bool = False,
) -> Course:
    r"""Follow the coefficients of a density from t = 0 to ``t_end``; arguments are checked already.

    .. math:: \dot a_i = \int \nabla\phi_i\cdot v f\,d\sigma - \nu L_{\deg i}\, a_i, \qquad L_k = k(k+d-2)

    Explicit steps of order 8, with noise exponential ones of order 4, keep the norm of the error of each below ``atol``
    + ``rtol`` \|a\|.  A step after which the highest quarter of the degrees holds more than a tenth of that is tried
    again with half as many degrees more.  States to be saved come from shorter steps of their own, so saving changes
    nothing.  A density whose negative part has a mass above 1e-6 (and ten times ``rtol``) ends the run.

    >>> from gegenflow.numerics.circle_densities import circle_density
    >>> start = circle_density(lambda angle: 1 + 1e-6 * np.cos(angle))
    >>> end = follow_modes(start, 0.0, model="usa", noise=0.25, t_end=2.0, save_at=np.array([]), on_save=print,
    ...                    rtol=1e-10, atol=0.0, max_degree=64)
    >>> bool(np.isclose(end.density.coefficients[0] / start.coefficients[0], np.exp(2 * (0.5 - 0.25)), rtol=1e-8))
    True
    """
    density = start if start.max_degree >= LEAST_DEGREE else start.resized(LEAST_DEGREE)
    system, clock, growth = _System(density, attention, model, noise), 0.0, MOST_GROWTH
    evaluations, steps, saved, unresolved = 0, 0, 0, False
    bar = tqdm(total=t_end, disable=None if progress else True, unit="t", leave=False)
    try:
        slope = system.drift(density.coefficients)
        step = first_step or _first_step(density.coefficients, slope, t_end, atol, rtol)
        while saved < len(save_at) and save_at[saved] == 0:
            on_save(0.0, density)
            saved += 1
        while clock < t_end:
            size = min(step, t_end - clock)
            tried = system.step(density.coefficients, slope, size)
            tolerance = atol + rtol * float(np.linalg.norm(tried.state))
            tail = max(TAIL * tolerance, ROUNDING * (1 + float(np.linalg.norm(tried.state))))
            error = max(
                tried.error / tolerance,
                float(np.linalg.norm(tried.estimate[system.highest])) / (TAIL_ERROR * tail),
            )
            factor = max(MOST_SHRINKING, SAFETY * error ** (-1 / system.order)) if error > 0 else MOST_GROWTH
            if not error <= 1:
                step, growth = size * (factor if isfinite(error) else MOST_SHRINKING), 1.0
                if step < SHORTEST * max(clock, t_end):
                    raise FloatingPointError("the step size became too small")
                continue
            if np.linalg.norm(tried.state[system.highest]) > tail:
                evaluations += system.evaluations
                density = _more_degrees(density, max_degree)
                system = _System(density, attention, model, noise)
                slope = system.drift(density.coefficients)
                continue
            later = t_end if size == t_end - clock else clock + size
            while saved < len(save_at) and save_at[saved] <= later:
                between = system.step(density.coefficients, slope, save_at[saved] - clock)
                on_save(float(save_at[saved]), replace(density, coefficients=between.state))
                saved += 1
            bar.update(later - clock)
            density = replace(density, coefficients=tried.state)
            clock, slope = later, tried.slope
            step, growth, steps = max(size * min(growth, factor), step if size < step else 0.0), MOST_GROWTH, steps + 1
            if steps % LOOKS == 0 or clock == t_end:
                _check_sign(density, max(NEGATIVE_MASS, 10 * rtol))
        status = Status(True, f"reached t = {t_end:g}")
    except (KeyboardInterrupt, FloatingPointError) as cause:
        unresolved = isinstance(cause, Unresolved)
        status = broken_off(
            cause,
            clock,
            t_end,
            "raise max_degree; on the circle solve_quantiles goes on" if unresolved else "try a smaller rtol or t_end",
        )
    finally:
        bar.close()
    return Course(density, clock, status, evaluations + system.evaluations, unresolved)


class _System:
    # The equation at one resolution, which counts the calls of its drift.
    def __init__(self, density: Density, attention: Attention, model: str, noise: float) -> None:
        self.rate, self.evaluations = density.motion(attention, model), 0
        self.highest = density.degrees > HIGHEST * density.max_degree
        self.decay = noise * density.degrees * (density.degrees + density.dim - 2.0)
        self.order = EXPONENTIAL_ORDER if noise else EXPLICIT_ORDER

    def drift(self, coefficients: Array) -> Array:
        self.evaluations += 1
        change = self.rate(coefficients)
        if not np.isfinite(change).all():
            raise FloatingPointError("the velocity is not finite")
        return change

    def step(self, state: Array, slope: Array, size: float) -> ModeStep:
        if self.order == EXPLICIT_ORDER:
            return explicit_step(self.drift, state, slope, size)
        return exponential_step(self.drift, self.decay, state, slope, size)


def _more_degrees(density: Density, max_degree: int) -> Density:
    if density.max_degree >= max_degree:
        raise Unresolved(f"the density needs more than {max_degree} degrees")
    return density.resized(min(int(MORE_DEGREES * density.max_degree), max_degree))


def negative_mass(density: Density) -> float:
    r"""Mass of the negative part of a density, :math:`\int \max(-f, 0)\,d\sigma`, zero but for errors.

    >>> from gegenflow.numerics.circle_densities import CircleDensity
    >>> round(negative_mass(CircleDensity(np.array([2**0.5, 0.0]))), 3)  # 1 + 2 cos: 2 sqrt(3)/2 pi - 1/3 over pi
    0.218
    """
    values, weights = density.samples()
    return float(weights @ np.maximum(-values, 0.0))


def _check_sign(density: Density, allowed: float) -> None:
    if (mass := negative_mass(density)) > allowed:
        raise FloatingPointError(f"the negative part of the density has mass {mass:.1e}")


def _first_step(state: Array, slope: Array, longest: float, atol: float, rtol: float) -> float:
    # the time in which the slope makes up the state, shortened by the tolerance
    speed, size = float(np.linalg.norm(slope)), float(np.linalg.norm(state)) + atol
    return min(longest, size / speed * rtol ** (1 / EXPLICIT_ORDER)) if speed > 0 else longest
