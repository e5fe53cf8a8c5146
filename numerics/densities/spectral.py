"""Time stepping of a density in harmonics: adaptive in the step and in the degree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isfinite, nan

import numpy as np

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.densities.mode_steps import (
    EXPLICIT_ORDER,
    EXPONENTIAL_ORDER,
    Between,
    ModeStep,
    explicit_between,
    explicit_step,
    exponential_between,
    exponential_step,
)
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.integrators.driver import (
    AT_ZERO,
    MOST_GROWTH,
    MOST_SHRINKING,
    SAFETY,
    Breakdown,
    Memory,
    Origin,
)
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused

LEAST_DEGREE, MORE_DEGREES = 16, 1.5
HIGHEST = 0.75  # of the degrees: those above it show what the resolution cuts off, ...
TAIL = 0.1  # ... and hold at most so much of the tolerance of a step, ...
TAIL_ERROR = 0.1  # ... of which the error of a step makes up at most so much: steps, not degrees, mend that
LOOKS = 16  # steps between two looks at the sign of the density
NEGATIVE_MASS = 1e-6  # or ten times rtol: a density that is negative on more is none
ROUNDING = 1e-15  # of the density: what rounding puts into the highest degrees
SHORTEST = 1e-14  # of the time: a step below it that fails ends the run
LONGEST = 1e300  # units of time in a run
LEAST_TOLERANCE = 1e-300


LESS = "try a smaller rtol or t_end"


class ModeSteps:
    r"""A stepper for the coefficients of a density, adaptive in the step and in the degree.

    .. math:: \dot a_i = \int \nabla\phi_i\cdot v f\,d\sigma - \nu L_{\deg i}\, a_i, \qquad L_k = k(k+d-2)

    Explicit steps of order 8, with noise exponential ones of order 4, keep the norm of the error of each below ``atol``
    + ``rtol`` \|a\|.  A step is tried again with half as many degrees more if the highest quarter of the degrees then
    holds more than a tenth of that (or than rounding, :math:`10^{-15}(1 + |a|)`), or if twice as many degrees would
    have come to hold it.  States within a step come from its interpolant, at the cost of three more drifts, two with
    noise, or, where it is not exact enough, from shorter steps: looking changes no step.  A density whose negative part
    has a mass above 1e-6 (and ten times ``rtol``) ends the run.  ``longest`` is a time that bounds the run, and with it
    the unit of time.

    >>> from gegenflow.numerics.densities.circle_starts import circle_density
    >>> start = circle_density(lambda angle: 1 + 1e-6 * np.cos(angle))
    >>> steps = ModeSteps(start, Flow(beta=0, noise=0.25), rtol=1e-10, atol=0.0, max_degree=64, longest=2.0)
    >>> while steps.time < 2:
    ...     steps.advance(2.0)
    >>> growth = steps.at(2.0).coefficients[0] / start.coefficients[0]
    >>> bool(np.isclose(growth, np.exp(2 * (0.5 - 0.25)), rtol=1e-8))
    True

    Source: derived here.
    """

    hopeless = 1e3  # times 10,000 steps

    def __init__(
        self,
        start: Density,
        flow: Flow,
        *,
        rtol: float,
        atol: float,
        max_degree: int,
        longest: float,
        origin: Origin = AT_ZERO,
    ) -> None:
        self.flow = flow
        self.rtol, self.atol, self.max_degree = rtol, atol, max_degree
        self.unit = min(flow.unit, LONGEST / max(1.0, longest))
        remembered = (origin.memory or {}).get("next_step", nan)
        self.next_step = self.unit * float(remembered if origin.first_step is None else origin.first_step)
        self.steps = self.evaluations = self.rejected = 0
        density = start.resized(max(start.max_degree, min(LEAST_DEGREE, max_degree)))
        self.now = self.before = _Point(float(origin.time), density, None)
        self.system: _System | None = None
        self.tried: ModeStep | None = None
        self.between: Between | None = None

    @property
    def time(self) -> float:
        return self.now.time

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.steps, self.evaluations + (self.system.evaluations if self.system else 0), self.rejected

    def memory(self, time: float) -> Memory:
        return {"next_step": np.array(self.next_step / self.unit)}

    def advance(self, end: float, wanted: float = inf, single: bool = False) -> None:
        try:
            if self.steps and self.steps % LOOKS == 0:
                self._check_sign()
            later, tried = self._accepted_step(end)
            self.before, density = self.now, replace(self.now.density, coefficients=tried.state)
            self.now, self.steps = _Point(later, density, tried.slope), self.steps + 1
            self.tried, self.between = tried, None
            if later == end:
                self._check_sign()
        except Breakdown:
            raise
        except FloatingPointError as problem:
            raise Breakdown(str(problem), LESS) from problem

    def at(self, time: float) -> Density:
        before = self.before
        if time >= self.time or self.tried is None or self.system is None:
            return self.now.density
        if self.between is None:
            tolerance = self.rtol * float(np.linalg.norm(self.tried.state)) + self.atol
            self.between = self.system.between(before.density.coefficients, self.tried, tolerance)
        fraction = (time - before.time) / (self.time - before.time)
        return replace(before.density, coefficients=self.between(fraction))

    def _accepted_step(self, end: float) -> tuple[float, ModeStep]:
        growth = MOST_GROWTH
        while True:
            system, point, slope = self._prepared(end)
            whole = self.unit * (end - point.time)
            size = min(self.next_step, whole)
            later = end if size == whole else point.time + size / self.unit
            if not later > point.time:
                raise FloatingPointError("the step size became too small")
            try:
                tried = system.step(point.density.coefficients, slope, size)
            except FloatingPointError:
                if size < SHORTEST * self.unit * end:
                    raise
                self.next_step, growth, self.rejected = size * MOST_SHRINKING, 1.0, self.rejected + 1
                continue
            error, tail = system.judge(tried, self.rtol, self.atol)
            factor = max(MOST_SHRINKING, SAFETY * error ** (-1 / system.order)) if error > 0 else MOST_GROWTH
            if not error <= 1:
                self.next_step, growth = size * (factor if isfinite(error) else MOST_SHRINKING), 1.0
                self.rejected += 1
            elif system.leaves_out(tried.state, size, tail):
                self._more_degrees()
            else:
                kept = self.next_step if size < self.next_step else 0.0
                self.next_step = max(size * min(growth, factor), kept)
                return later, tried

    def _prepared(self, end: float) -> tuple[_System, _Point, Array]:
        point = self.now
        if self.system is None:
            self.system = self._system(point.density)
        slope = point.slope
        if slope is None:
            slope = self.system.drift(point.density.coefficients)
            point = self.now = replace(point, slope=slope)
        if not isfinite(self.next_step):
            longest = self.unit * (end - point.time)
            self.next_step = _first_step(point.density.coefficients, slope, longest, self.atol, self.rtol)
        return self.system, point, slope

    def _more_degrees(self) -> None:
        density = self.now.density
        if density.max_degree >= self.max_degree:
            raise Breakdown(f"the density needs more than {self.max_degree} degrees", self._more())
        wider = density.resized(min(int(MORE_DEGREES * density.max_degree), self.max_degree))
        self.now = _Point(self.time, wider, None)
        self.evaluations, self.system = self.counts[1], None

    def _system(self, density: Density) -> _System:
        try:
            return _System(density, self.flow, self.unit)
        except Refused as problem:
            if self.steps == 0:
                raise
            # the same kernel in more degrees: what is known so far is kept
            raise Breakdown(
                f"{2 * density.max_degree} degrees are out of reach: {problem}", self._tokens()
            ) from problem

    def _more(self) -> str:
        return f"raise max_degree, or {self._tokens()}"

    def _tokens(self) -> str:
        # what goes on where mass concentrates: quantiles know no noise, and only the circle
        plain = isinstance(self.now.density, CircleDensity) and not self.flow.noise
        return "go on with solve_quantiles" if plain else "follow tokens with simulate"

    def _check_sign(self) -> None:
        if (mass := negative_mass(self.now.density)) > max(NEGATIVE_MASS, 10 * self.rtol):
            raise FloatingPointError(f"the negative part of the density has mass {mass:.1e}")


@dataclass(frozen=True, eq=False)
class _Point:
    # a density on the way, and how it changes there where that is known
    time: float
    density: Density
    slope: Array | None


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

    def judge(self, tried: ModeStep, rtol: float, atol: float) -> tuple[float, float]:
        # the error of a step in units of its tolerance, and what the highest degrees may hold
        size = float(np.linalg.norm(tried.state))
        tolerance = max(atol + rtol * size, LEAST_TOLERANCE)
        tail = max(TAIL * tolerance, ROUNDING * (1 + size))
        highest = float(np.linalg.norm(tried.estimate[self.highest]))
        return max(tried.error / tolerance, highest / (TAIL_ERROR * tail)), tail

    def leaves_out(self, coefficients: Array, size: float, tail: float) -> bool:
        # whether the highest degrees hold, or those beyond would come to hold, more than the tail
        held = float(np.linalg.norm(coefficients[self.highest]))
        return held > tail or size * self.left_out(coefficients) > tail

    def step(self, state: Array, slope: Array, size: float) -> ModeStep:
        if self.order == EXPLICIT_ORDER:
            return explicit_step(self.drift, state, slope, size)
        return exponential_step(self.drift, self.decay, state, slope, size)

    def between(self, state: Array, tried: ModeStep, tolerance: float) -> Between:
        if self.order == EXPLICIT_ORDER:
            return explicit_between(self.drift, state, tried, tolerance)
        return exponential_between(self.drift, self.decay, state, tried)


def negative_mass(density: Density) -> float:
    r"""Mass of the negative part of a density, :math:`\int \max(-f, 0)\,d\sigma`, zero but for errors.

    >>> from gegenflow.numerics.densities.circle import CircleDensity
    >>> round(negative_mass(CircleDensity(np.array([2**0.5, 0.0]))), 3)  # 1 + 2 cos: 2 sqrt(3)/2 pi - 1/3 over pi
    0.218
    """
    values, weights = density.samples()
    return float(weights @ np.maximum(-values, 0.0))


def _first_step(state: Array, slope: Array, longest: float, atol: float, rtol: float) -> float:
    # the time in which the slope makes up the state, shortened by the tolerance
    speed, size = float(np.linalg.norm(slope)), float(np.linalg.norm(state)) + atol
    return min(longest, size / speed * rtol ** (1 / EXPLICIT_ORDER)) if speed > 0 else longest
