"""Adaptive integration on the sphere or of angles, of order 5 or 8, put back on the sphere at every stage."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite, nan, nextafter

import numpy as np

from gegenflow.numerics.integrators.driver import AT_ZERO, HOPELESS, MOST_GROWTH, MOST_SHRINKING, SAFETY, Memory, Origin
from gegenflow.numerics.integrators.runge_kutta import RungeKutta, Velocity
from gegenflow.numerics.integrators.tableaus import ORDER_5, ORDER_8
from gegenflow.numerics.tokens.geometry import Array

MOST_STANDSTILL = 10_000  # steps during which the clock, as a float64, may stand still

TABLEAUS = {5: ORDER_5, 8: ORDER_8}


class AdaptiveSteps:
    r"""A stepper along :math:`\dot x = v(x)` whose steps keep the error of each below ``tol``.

    .. math:: \dot y = v(y/|y|), \qquad y \leftarrow y/|y| \text{ after every accepted step}

    ``start`` holds unit tokens, shape=[n, dim], or numbers of any kind, shape=[n], which no rule puts back;
    ``field(state, out)`` writes the velocity at ``state`` into ``out``.  The root mean square over tokens of the error
    of a step stays below ``tol``; where the size that would make it ``tol`` has shrunk from one step to the next, as
    where tokens speed up, it is expected to go on shrinking.  States within a step come from an interpolant of degree 7
    (order 5: 4), so looking at them changes no step.  The time keeps the low part that rounding loses, so steps below
    the spacing of float64 at t do count.  ``check`` sees every new state and may raise FloatingPointError; ``origin``
    may go on where an earlier stepper ended in ``start``.

    >>> steps = AdaptiveSteps(lambda angle, out: np.copyto(out, angle), np.ones(1), tol=1e-10)
    >>> while steps.time < 1:
    ...     steps.advance(1.0)
    >>> bool(abs(steps.at(1.0)[0] - np.e) < 1e-9)
    True

    Source: Hairer, Norsett, Wanner, Solving ODEs I, II.4 to II.6 and II.10.
    """

    hopeless = HOPELESS

    def __init__(
        self,
        field: Velocity,
        start: Array,
        *,
        tol: float,
        order: int = 8,
        origin: Origin = AT_ZERO,
        check: Callable[[Array], object] | None = None,
    ) -> None:
        self.field, self.tol, self.order, self.check = field, tol, order, check
        memory = origin.memory or {}
        self.next_step = float(memory.get("next_step", nan) if origin.first_step is None else origin.first_step)
        self.best = float(memory.get("best", nan))  # size at which the error of the last step would be the tolerance
        self.steps = self.rejected = self.standstill = 0
        clock, low = float(memory.get("clock", origin.time)), float(memory.get("low", 0.0))
        self.now = (clock, low, np.array(start, dtype=np.float64))
        self.step = (clock, low, 0.0)  # the last one: its start on the clock and its size
        self.method: RungeKutta | None = None
        self.taken = self.interpolant = False

    @property
    def time(self) -> float:
        return _floor(self.now[0], self.now[1])

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.steps, self.method.evaluations if self.method else 0, self.rejected

    def memory(self, time: float) -> Memory:
        clock, low = self.now[:2] if time == self.time else (time, 0.0)
        held = {"next_step": self.next_step, "best": self.best, "clock": clock, "low": low}
        return {name: np.array(number) for name, number in held.items()}

    def advance(self, end: float, wanted: float = inf, single: bool = False) -> None:
        clock, low, state = self.now
        if self.method is None:
            self.method = RungeKutta(self.field, state, TABLEAUS[self.order])
        if self.taken:
            self.taken = False
            self.method.accept()
        if not isfinite(self.next_step):
            self.next_step = self.method.first_step(end - clock, self.tol)
        left, growth = (end - clock) - low, MOST_GROWTH
        while True:
            size = min(self.next_step, left)
            later = _later(clock, low, size) if size < left else (float(end), 0.0)
            error = self.method.attempt(size, self.tol)
            best = size * min(error ** (-1 / self.order), MOST_GROWTH) if error > 0 else size * MOST_GROWTH
            if error <= 1:
                break
            self.next_step, growth = max(MOST_SHRINKING * size, SAFETY * best), 1.0
            self.rejected += 1
        self.interpolant = False
        if wanted < _floor(*later):
            self._prepare(size)
        self.standstill = self.standstill + 1 if later[0] == clock else 0
        if self.standstill > MOST_STANDSTILL:
            raise FloatingPointError("the step size became too small")
        self.step = clock, low, size
        # where the best size has shrunk since the last step, it goes on shrinking
        tried = SAFETY * best * min(1.0, best / self.best if self.best > 0 else 1.0)
        tried = max(MOST_SHRINKING * size, min(growth * size, tried))
        self.next_step, self.best = max(tried, self.next_step if size < self.next_step else 0.0), best
        self.steps, self.taken = self.steps + 1, True
        self.now = (*later, self.method.trial.reshape(state.shape))
        if self.check is not None:
            self.check(self.now[2])

    def at(self, time: float) -> Array:
        clock, low, size = self.step
        fraction = ((time - clock) - low) / size if size else 1.0
        if self.method is None or time >= self.time or fraction >= 1:
            return self.now[2].copy()
        self._prepare(size)
        return self.method.interpolate(size, max(fraction, 0.0))

    def _prepare(self, size: float) -> None:
        if not self.interpolant and self.method is not None:
            self.method.prepare_interpolant(size)
            self.interpolant = True


def _floor(clock: float, low: float) -> float:
    # the largest float64 that the sum has reached
    return clock if low >= 0 else nextafter(clock, -inf)


def _later(clock: float, low: float, step: float) -> tuple[float, float]:
    # the sum of all three as a float64 and what its rounding lost: two exact additions
    later = clock + step
    part = later - clock
    low += (clock - (later - part)) + (step - part)
    clock = later + low
    return clock, low - (clock - later)
