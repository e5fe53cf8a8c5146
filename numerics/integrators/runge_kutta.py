r"""Explicit Runge-Kutta steps of orders 5 and 8 for many tokens: one pass over memory a stage, and no temporaries.

.. math:: K_i = v\Big(y + h\sum_{j<i} a_{ij} K_j\Big), \qquad y_1 = y + h\sum_j b_j K_j, \qquad
          y(t + \vartheta h) = y + h\sum_j b_j(\vartheta) K_j

Tokens, shape=[n, dim], are put back on the sphere in the same pass; angles, shape=[n], are left as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from math import factorial, hypot, inf, isfinite, sqrt

import numpy as np
from numba import njit, prange

from gegenflow.numerics.fields.compiled.elementary import write
from gegenflow.numerics.integrators.tableaus import Indices, Tableau, Terms, interpolating_factors, terms
from gegenflow.numerics.tokens.compiling import is_worth_threads, one_at_a_time
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.sharing import added_up, is_shared, largest

Velocity = Callable[[Array, Array], object]
"""A velocity: called with a state and an array of its shape, into which it writes the velocity there."""

BLOCK = 512  # numbers added up together: they stay in the first-level cache
SHARE = 8192  # numbers in one work item of a parallel region
PARALLEL_FROM = 60_000  # numbers read: below it a parallel region costs more than it saves
NOT_FINITE = "the velocity is not finite"
LEAST_SPEED = 1e-300  # what is slower stands still
LEAST_WAY = 1e-150  # its square is still a number
FAST = {"contract", "reassoc", "nsz"}


class RungeKutta:
    """One method at work on one state, and all the memory that it needs.

    ``state`` is the accepted state and ``trial`` that after the step tried last, both flat; ``evaluations`` counts the
    calls of the field.  Raises FloatingPointError where the field does and for a velocity that is not finite; then
    ``state`` is as it was.

    >>> def grow(angle, out):
    ...     out[:] = angle
    >>> from gegenflow.numerics.integrators.tableaus import ORDER_8
    >>> method = RungeKutta(grow, np.array([1.0]), ORDER_8)
    >>> error = method.attempt(0.5, tol=1e-6)
    >>> bool(error < 1), bool(abs(method.trial[0] - np.exp(0.5)) < 1e-9)
    (True, True)
    >>> method.prepare_interpolant(0.5)
    >>> bool(abs(method.interpolate(0.5, fraction=0.2)[0] - np.exp(0.1)) < 1e-8)
    True

    Source: Hairer, Norsett, Wanner, Solving ODEs I, II.5, II.6 and II.10.
    """

    def __init__(self, field: Velocity, start: Array, tableau: Tableau) -> None:
        self.field, self.tableau, self.shape, self.evaluations = field, tableau, start.shape, 0
        self.dim = start.shape[1] if start.ndim == 2 else 1
        self.state = start.reshape(-1)
        self.trial, self.between = np.empty_like(self.state), np.empty_like(self.state)
        self.stages = np.empty((tableau.interpolant.shape[1], start.size))
        self.slots = np.arange(len(self.stages))  # rows of the stages: the last changes places with the first
        self._evaluate(self.state, 0)
        if not isfinite(self._largest(0)):
            raise FloatingPointError(NOT_FINITE)

    def first_step(self, longest: float, tol: float) -> float:
        r"""A step to begin with, from the velocity and its change along a short Euler step.

        .. math:: h = \min(100 h_0, h_1, h_2), \qquad h_0 = \frac{1}{100 |v|}, \qquad
                  h_1 = \frac{1}{|v|}\left(\frac{\text{tol}}{100 \max(1, \kappa)}\right)^{1/p}, \qquad
                  h_2 = \frac{1}{\kappa |v|}\left(\frac{(p + 1)!\,\kappa\,\text{tol}}{100}\right)^{1/p}, \qquad
                  \kappa = \frac{|\Delta v|}{h_0 |v|^2}

        with root mean squares over tokens: no unit of time is preferred, and no speed is too large to square.  Where
        a velocity grows exponentially, at the rate :math:`\kappa|v|`, it is :math:`h_2` that meets the tolerance.
        Source: Hairer, Norsett, Wanner, Solving ODEs I, II.4, in units of 1/|v|; the last is derived here.
        """
        fastest = self._largest(0)
        if fastest < LEAST_SPEED:
            return longest
        speed = self._norms(terms(np.array([[1.0], [0.0]])), 1 / fastest)[0] * fastest
        short = min(0.01 / speed, longest)
        if short * speed < LEAST_WAY:
            return longest
        self._combine(terms(np.array([1.0])), short, self.trial)
        self._evaluate(self.trial, 1)
        change = self._norms(terms(np.array([[-1.0, 1.0], [0.0, 0.0]])), short)[0] / (short * speed) ** 2
        root, most = 1 / self.tableau.order, 0.01 * tol
        best = (most / max(1.0, change)) ** root / speed
        if change > 0:
            best = min(best, (factorial(self.tableau.order + 1) * change * most) ** root / (change * speed))
        return float(min(longest, 100 * short, best))

    def attempt(self, step: float, tol: float) -> float:
        r"""Try a step and return its error in units of a tolerance, or infinity where it overflows.

        The error is a root mean square over tokens, in order 8 :math:`e_5^2/\sqrt{e_5^2 + e_3^2/100}` of the two
        estimates, in order 5 the only one.
        """
        self.known = 1
        for stage, row in enumerate(self.tableau.rows, 1):
            if not self._combine(row, step, self.trial):
                return self._overflow()
            self._evaluate(self.trial, stage)
        main, other = self._norms(self.tableau.errors, step / tol)
        moved, _ = self._norms(self.tableau.last, step)
        if not isfinite(main + other + moved):
            return self._overflow()
        return main / hypot(main, 0.1 * other) * main if main > 0 else 0.0

    def prepare_interpolant(self, step: float) -> None:
        """Evaluate the stages that the interpolant of the step tried last needs and the step does not."""
        for stage, row in enumerate(self.tableau.extra, len(self.tableau.rows) + 1):
            if not self._combine(row, step, self.between):
                raise FloatingPointError(NOT_FINITE)
            self._evaluate(self.between, stage)

    def interpolate(self, step: float, fraction: float) -> Array:
        """The state a fraction of the step tried last ahead, in an array of its own; ``trial`` where it is 1."""
        if fraction == 1:
            return self.trial.reshape(self.shape).copy()
        out = np.empty_like(self.state)
        if not self._combine(terms(interpolating_factors(self.tableau, fraction)), step, out):
            raise FloatingPointError(NOT_FINITE)
        return out.reshape(self.shape)

    def accept(self) -> None:
        """Go on from ``trial``; the velocity there is known."""
        last = len(self.tableau.rows)
        self.state, self.trial = self.trial, self.state
        self.slots[0], self.slots[last] = self.slots[last], self.slots[0]

    def _overflow(self) -> float:
        # the error of a step so long that finite velocities overflow in it
        if not all(isfinite(self._largest(stage)) for stage in range(self.known)):
            raise FloatingPointError(NOT_FINITE)
        return inf

    def _evaluate(self, state: Array, stage: int) -> None:
        self.evaluations += 1
        self.field(state.reshape(self.shape), self.stages[self.slots[stage]].reshape(self.shape))
        self.known = stage + 1

    def _combine(self, row: Terms, step: float, out: Array) -> bool:
        arguments = self.state, self.stages, self.slots[row.stages], step * row.factors, self.dim, out
        parallel = is_worth_threads(out.size * len(row.stages), PARALLEL_FROM)
        check = _combine_parallel(*arguments) if parallel else _combine(0, out.size, *arguments)
        return isfinite(check) or is_shared()  # what one process sees all must see: by the norms of the step

    def _norms(self, sums: Terms, scale: float) -> tuple[float, float]:
        # root mean squares over tokens of two sums over stages
        size, arguments = self.state.size, (self.stages, self.slots[sums.stages], scale * sums.factors)
        parallel = is_worth_threads(size * len(sums.stages), PARALLEL_FROM)
        squares = _squares_parallel(*arguments) if parallel else _squares(0, size, *arguments)
        first, second, tokens = added_up(np.array([*squares, self.shape[0]]))
        return sqrt(first / tokens), sqrt(second / tokens)

    def _largest(self, stage: int) -> float:
        values = self.stages[self.slots[stage]]
        size = largest(max(float(values.max()), -float(values.min())))
        return size if size >= 0 else inf  # not a number fails every comparison


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _add_up(state: Array, stages: Array, used: Indices, factors: Array, first: int, out: Array) -> None:
    # two stages at a time: a third fewer instructions, and twice as many streams from memory
    write(out, state[first : first + len(out)])
    pairs = len(used) // 2
    for k in range(pairs):
        a, b = factors[2 * k], factors[2 * k + 1]
        one, two = stages[used[2 * k], first : first + len(out)], stages[used[2 * k + 1], first : first + len(out)]
        for j in range(len(out)):
            out[j] += a * one[j] + b * two[j]
    for k in range(2 * pairs, len(used)):
        factor, values = factors[k], stages[used[k], first : first + len(out)]
        for j in range(len(out)):
            out[j] += factor * values[j]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _rows_to_sphere(rows: Array, dim: int) -> float:
    # the sum of the squared norms, finite if the rows were; dims 2 and 3 become vector instructions, a loop would not
    total = 0.0
    if dim == 2:
        for j in range(len(rows) // 2):
            x, y = rows[2 * j], rows[2 * j + 1]
            square = x * x + y * y
            scale = 1.0 / np.sqrt(square)
            rows[2 * j], rows[2 * j + 1] = scale * x, scale * y
            total += square
    elif dim == 3:
        for j in range(len(rows) // 3):
            x, y, z = rows[3 * j], rows[3 * j + 1], rows[3 * j + 2]
            square = x * x + y * y + z * z
            scale = 1.0 / np.sqrt(square)
            rows[3 * j], rows[3 * j + 1], rows[3 * j + 2] = scale * x, scale * y, scale * z
            total += square
    else:
        for j in range(len(rows) // dim):
            square = 0.0
            for c in range(dim):
                square += rows[dim * j + c] ** 2
            scale = 1.0 / np.sqrt(square)
            for c in range(dim):
                rows[dim * j + c] *= scale
            total += square
    return total


@njit(cache=True, fastmath=FAST)
def _check_angles(angles: Array) -> float:
    total = 0.0
    for j in range(len(angles)):
        total += 0.0 * angles[j]
    return total


@njit(cache=True)
def _combine(
    start: int, stop: int, state: Array, stages: Array, used: Indices, factors: Array, dim: int, out: Array
) -> float:
    total, block = 0.0, max(1, BLOCK // dim) * dim
    for first in range(start, stop, block):
        rows = out[first : min(stop, first + block)]
        _add_up(state, stages, used, factors, first, rows)
        total += _check_angles(rows) if dim == 1 else _rows_to_sphere(rows, dim)
    return total


@one_at_a_time
@njit(cache=True, parallel=True)
def _combine_parallel(state: Array, stages: Array, used: Indices, factors: Array, dim: int, out: Array) -> float:
    n = len(out) // dim
    chunks, total = (len(out) + SHARE - 1) // SHARE, 0.0
    for k in prange(chunks):
        start, stop = k * n // chunks * dim, (k + 1) * n // chunks * dim
        total += _combine(start, stop, state, stages, used, factors, dim, out)
    return total


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _squares(start: int, stop: int, stages: Array, used: Indices, factors: Array) -> tuple[float, float]:
    main, other = np.empty(BLOCK), np.empty(BLOCK)
    first_sum, second_sum = 0.0, 0.0
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        a, b = main[:size], other[:size]
        a[:] = 0.0
        b[:] = 0.0
        for k in range(len(used)):
            f, g, values = factors[0, k], factors[1, k], stages[used[k], first : first + size]
            for j in range(size):
                a[j] += f * values[j]
                b[j] += g * values[j]
        for j in range(size):
            first_sum += a[j] * a[j]
            second_sum += b[j] * b[j]
    return first_sum, second_sum


@one_at_a_time
@njit(cache=True, parallel=True)
def _squares_parallel(stages: Array, used: Indices, factors: Array) -> tuple[float, float]:
    size = stages.shape[1]
    chunks = (size + SHARE - 1) // SHARE
    first_sum, second_sum = 0.0, 0.0
    for k in prange(chunks):
        a, b = _squares(k * size // chunks, (k + 1) * size // chunks, stages, used, factors)
        first_sum += a
        second_sum += b
    return first_sum, second_sum
