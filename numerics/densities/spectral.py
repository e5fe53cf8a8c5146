"""Time stepping of a density in harmonics: adaptive in the step and in the degree."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from tqdm import tqdm

from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.densities.mode_steps import (
    EXPLICIT_ORDER,
    EXPONENTIAL_ORDER,
    ModeStep,
    explicit_step,
    exponential_step,
)
from gegenflow.numerics.fields.flow import Flow
from gegenflow.numerics.integrators.driver import (
    MOST_GROWTH,
    MOST_SHRINKING,
    PACED,
    SAFETY,
    Status,
    broken_off,
    check_pace,
)
from gegenflow.numerics.tokens.geometry import Array

LEAST_DEGREE, MORE_DEGREES = 16, 1.5
HIGHEST = 0.75  # of the degrees: those above it show what the resolution cuts off, ...
TAIL = 0.1  # ... and hold at most so much of the tolerance of a step, ...
TAIL_ERROR = 0.1  # ... of which the error of a step makes up at most so much: steps, not degrees, mend that
LOOKS = 16  # steps between two looks at the sign of the density
NEGATIVE_MASS = 1e-6  # or ten times rtol: a density that is negative on more is none
ROUNDING = 1e-15  # of the density: what rounding puts into the highest degrees
SHORTEST = 1e-14  # of the time: a step below it that fails ends the run
HOPELESS = 1e3  # times 10,000 steps: what needs more is given up
LONGEST = 1e300  # units of time in a run
LEAST_TOLERANCE = 1e-300


@dataclass(frozen=True, eq=False)
class Course:
    """Where :func:`follow_modes` ended: the density at time ``reached``."""

    density: Density
    reached: float
    status: Status
    evaluations: int


class Unresolved(FloatingPointError):
    """A density needs more degrees than it may have."""


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite ends in a status
def follow_modes(
    start: Density,
    flow: Flow,
    *,
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
    + ``rtol`` \|a\|.  A step is tried again with half as many degrees more if the highest quarter of the degrees then
    holds more than a tenth of that (or than rounding, :math:`10^{-15}(1 + |a|)`), or if twice as many degrees would
    have come to hold it.  States to be saved come from shorter steps of their own, so saving changes nothing.  A
    density whose negative part has a mass above 1e-6 (and ten times ``rtol``) ends the run.

    >>> from gegenflow.numerics.densities.circle import circle_density
    >>> start = circle_density(lambda angle: 1 + 1e-6 * np.cos(angle))
    >>> end = follow_modes(start, Flow(beta=0, noise=0.25), t_end=2.0, save_at=np.array([]), on_save=print,
    ...                    rtol=1e-10, atol=0.0, max_degree=64)
    >>> bool(np.isclose(end.density.coefficients[0] / start.coefficients[0], np.exp(2 * (0.5 - 0.25)), rtol=1e-8))
    True
    """
    density = start.resized(max(start.max_degree, min(LEAST_DEGREE, max_degree)))
    unit = min(flow.unit, LONGEST / max(1.0, t_end))
    system, clock, growth = _System(density, flow, unit), 0.0, MOST_GROWTH
    evaluations, steps, saved, paced = 0, 0, 0, 0.0
    bar = tqdm(total=t_end, disable=None if progress else True, unit="t", leave=False)
    try:
        slope = system.drift(density.coefficients)
        step = unit * first_step if first_step else _first_step(density.coefficients, slope, unit * t_end, atol, rtol)
        while saved < len(save_at) and save_at[saved] == 0:
            on_save(0.0, density)
            saved += 1
        while clock < t_end:
            size = min(step, unit * (t_end - clock))
            later = t_end if size == unit * (t_end - clock) else clock + size / unit
            if not later > clock:
                raise FloatingPointError("the step size became too small")
            try:
                tried = system.step(density.coefficients, slope, size)
            except FloatingPointError:
                if size < SHORTEST * unit * t_end:
                    raise
                step, growth = size * MOST_SHRINKING, 1.0
                continue
            tolerance = max(atol + rtol * float(np.linalg.norm(tried.state)), LEAST_TOLERANCE)
            tail = max(TAIL * tolerance, ROUNDING * (1 + float(np.linalg.norm(tried.state))))
            error = max(
                tried.error / tolerance,
                float(np.linalg.norm(tried.estimate[system.highest])) / (TAIL_ERROR * tail),
            )
            factor = max(MOST_SHRINKING, SAFETY * error ** (-1 / system.order)) if error > 0 else MOST_GROWTH
            if not error <= 1:
                step, growth = size * (factor if isfinite(error) else MOST_SHRINKING), 1.0
                continue
            if np.linalg.norm(tried.state[system.highest]) > tail or size * system.left_out(tried.state) > tail:
                density = _more_degrees(density, max_degree)
                evaluations += system.evaluations
                system = _System(density, flow, unit)
                slope = system.drift(density.coefficients)
                continue
            while saved < len(save_at) and save_at[saved] <= later:
                due = save_at[saved]
                ahead = system.step(density.coefficients, slope, unit * (due - clock)) if due < later else tried
                on_save(float(due), replace(density, coefficients=ahead.state))
                saved += 1
            bar.update(later - clock)
            density = replace(density, coefficients=tried.state)
            clock, slope = later, tried.slope
            step, growth, steps = max(size * min(growth, factor), step if size < step else 0.0), MOST_GROWTH, steps + 1
            if steps % LOOKS == 0 or clock == t_end:
                _check_sign(density, max(NEGATIVE_MASS, 10 * rtol))
            if steps % PACED == 0:
                check_pace(paced, clock, t_end, HOPELESS)
                paced = clock
        status = Status(True, f"reached t = {t_end:g}")
    except (KeyboardInterrupt, FloatingPointError) as cause:
        more = "raise max_degree; on the circle solve_quantiles goes on"
        remedy = more if isinstance(cause, Unresolved) else "try a smaller rtol or t_end"
        status = broken_off(cause, clock, t_end, remedy)
    finally:
        bar.close()
    return Course(density, clock, status, evaluations + system.evaluations)


class _System:
    # The equation at one resolution, in a unit of time, which counts the calls of its drift.
    def __init__(self, density: Density, flow: Flow, unit: float) -> None:
        self.rate, self.evaluations, self.unit = density.motion(flow), 0, unit
        self.highest = density.degrees > HIGHEST * density.max_degree
        self.decay = flow.noise / unit * density.degrees * (density.degrees + density.dim - 2.0)
        wide = density.resized(2 * density.max_degree)
        self.wide_rate, self.beyond = wide.motion(flow), len(wide.coefficients) - len(density.coefficients)
        self.order = EXPONENTIAL_ORDER if flow.noise else EXPLICIT_ORDER

    def drift(self, coefficients: Array) -> Array:
        self.evaluations += 1
        change = self.rate(coefficients) / self.unit
        if not np.isfinite(change).all():
            raise FloatingPointError("the velocity is not finite")
        return change

    def left_out(self, coefficients: Array) -> float:
        # how fast the degrees above these, up to twice as many, would grow from zero
        change = self.wide_rate(np.pad(coefficients, (0, self.beyond)))[len(coefficients) :]
        return float(np.linalg.norm(change / self.unit))

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

    >>> from gegenflow.numerics.densities.circle import CircleDensity
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
