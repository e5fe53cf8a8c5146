r"""Few tokens under exponential attention, the whole integration in one compiled loop.

The field is the dense one in difference form, whose forces are accurate relative to themselves however small they are,
and time is kept in two parts, so that a run may go through :math:`10^{90}` units of time and still resolve the moment
in which two clusters meet.  The loop comes back after some 0.1 seconds of work, at a time to save and at a meeting.
"""

from __future__ import annotations

from math import exp, inf, nextafter

import numpy as np

from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.heads import exponentials
from gegenflow.numerics.integrators.compiled_steps import (
    EVALUATIONS,
    EXTENDED,
    EXTRA,
    HIGH,
    LOW,
    MET,
    NEXT,
    REJECTED,
    STAGES,
    STEPS,
    STUCK,
    TORN,
    Motion,
    advance,
    interpolate,
)
from gegenflow.numerics.integrators.driver import AT_ZERO, HOPELESS, Memory, Origin
from gegenflow.numerics.tokens.geometry import Array

LONGEST = 1e240  # in units of the fastest motion; the dense field holds exponents at -600, which moves nothing by then
WORK = 1e8  # nanoseconds, roughly, that the loop may go on for
PROBLEMS = {TORN: "a cluster of tokens is pulled apart", STUCK: "the step size became too small"}


def new_motion(
    tokens: Array,
    weights: Array,
    flow: Flow,
    tolerance: float,
    merge: float,
    sizes: Array,
    clock: Array,
) -> Motion:
    """Memory for tokens, shape=[n, dim], which are moved in place, as ``sizes``, shape=[n], and ``clock`` are."""
    n, size = len(tokens), tokens.size
    stages, lines = np.zeros((STAGES + 1 + EXTRA, size)), np.zeros((4, size))
    unit, pull, normalizer, stretching = np.empty(tokens.shape), np.empty(tokens.shape), np.empty(n), np.zeros(n)
    arrays = sizes, stretching, stages, *lines, unit, pull, normalizer, clock, np.zeros(EXTENDED + 1, dtype=np.int64)
    return Motion(tokens, weights, *pulls(flow), flow.model == "sa", float(tolerance), float(merge), *arrays)


def pulls(flow: Flow) -> tuple[Array, Array]:
    """For heads with exponential weights, their betas and their gains in units of the largest weight (USA) or one.

    >>> from gegenflow.numerics.flows.parts import Head
    >>> pulls(Flow(heads=[Head(beta=3), Head(beta=2, value=-np.eye(2))]))[1]  # 1 and -1/e
    array([ 1.        , -0.36787944])
    """
    gains, betas = np.array(exponentials(flow)).T
    if flow.model == "usa":
        gains = gains * np.exp(betas - betas.max())
    return np.ascontiguousarray(betas), np.ascontiguousarray(gains)


def clock_unit(flow: Flow) -> float:
    r"""What time is multiplied by on the clock of few tokens: :math:`e^\beta`, the largest, in USA, else one.

    >>> from gegenflow.numerics.flows.parts import Head
    >>> clock_unit(Flow(heads=[Head(beta=1), Head(beta=2)])) == exp(2), clock_unit(Flow(kernel=np.tanh))
    (True, 1.0)
    """
    if flow.model == "usa" and flow.heads and (parts := exponentials(flow)):
        return exp(max(beta for _, beta in parts))
    return flow.unit


class FewSteps:
    r"""A stepper for few tokens under exponential attention, of order 8, compiled as a whole.

    .. math:: \dot x_i = P_{x_i} \sum_j w_j e^{\beta\langle x_i, x_j\rangle} x_j \ \text{(USA)}, \quad
              \text{divided by } Z_i = \sum_j w_j e^{\beta\langle x_i, x_j\rangle} \ \text{(SA)}

    ``tokens`` shape=[n, dim], ``weights`` shape=[n], a ``flow`` with beta and no matrices, or with heads that are
    multiples of such; times up to :math:`10^{240}` in units of :func:`clock_unit`.  The root mean square over tokens of
    the error of a step is kept below ``tol``; states between steps come from an interpolant of order 7.
    Forces keep their relative accuracy down to :math:`e^{-600}` of the largest possible one, so a lifetime of
    :math:`e^{100}` is followed like any other.  Exact unstable equilibria, such as antipodal tokens, are kept only for
    as long as rounding allows.

    With ``merge`` > 0 a step ends, and the stepper has ``met``, where two tokens that contract have come that close,
    located inside the step to 1e-8 of that distance and to rounding; it breaks down before any cluster of tokens, whose
    sizes have the logarithms ``sizes`` shape=[n] (changed in place, -inf for a single token), may have grown beyond the
    tolerance; see :func:`gegenflow.numerics.integrators.merging.stretching_rates`.

    Two tokens 2 radians apart at beta = 0: :math:`\tan(\delta/2)` decays as :math:`e^{-t}`:

    >>> start = np.array([[np.cos(1), np.sin(1)], [np.cos(1), -np.sin(1)]])
    >>> steps = FewSteps(start, np.full(2, 0.5), Flow(beta=0), tol=1e-12)
    >>> while steps.time < 2:
    ...     steps.advance(2.0)
    >>> end = steps.at(2.0)
    >>> bool(np.isclose(end[0, 1] / end[0, 0], np.tan(1) * np.exp(-2.0), rtol=1e-11))
    True

    Source: Hairer, Norsett, Wanner, Solving ODEs I, II.4 to II.10; the rest is derived here.
    """

    hopeless = HOPELESS

    def __init__(
        self,
        tokens: Array,
        weights: Array,
        flow: Flow,
        *,
        tol: float,
        origin: Origin = AT_ZERO,
        merge: float = 0.0,
        sizes: Array | None = None,
    ) -> None:
        n, dim = tokens.shape
        self.scale = clock_unit(flow)
        clock = np.array([origin.time * self.scale, 0.0, (origin.first_step or 0.0) * self.scale, 1e-300, 1.0])
        clock = clock if origin.memory is None else np.array(origin.memory["clock"], dtype=np.float64)
        sizes = np.full(n, -inf) if sizes is None else sizes
        rows = np.array(tokens, dtype=np.float64, order="C")
        self.motion = new_motion(rows, weights, flow, tol, merge, sizes, clock)
        self.most = max(1, int(WORK / (12 * (n * n * (1 + dim / 4) + 80 * n + 100))))
        self.met = False
        self.reached, self.end = origin.time, inf

    @property
    def time(self) -> float:
        time = max(self.reached, float(self.motion.clock[HIGH] / self.scale))
        return time if time < self.end or self._ended() else nextafter(self.end, -inf)

    @property
    def counts(self) -> tuple[int, int, int]:
        counts = self.motion.counts
        return int(counts[STEPS]), int(counts[EVALUATIONS]), int(counts[REJECTED])

    def memory(self, time: float) -> Memory:
        clock = self.motion.clock.copy()
        if time < self.time:
            clock[:NEXT] = time * self.scale, 0.0
        return {"clock": clock}

    def advance(self, end: float, wanted: float = inf, single: bool = False) -> None:
        clock, self.end = self.motion.clock, end
        cause = advance(self.motion, end * self.scale, wanted * self.scale, 1 if single else self.most)
        if self._ended():
            self.reached = end
        elif wanted < end and wanted * self.scale <= clock[HIGH]:
            self.reached = wanted
        self.met = cause == MET
        if cause in PROBLEMS:
            raise FloatingPointError(PROBLEMS[cause])

    def _ended(self) -> bool:
        clock = self.motion.clock
        return bool((self.end * self.scale - clock[HIGH]) - clock[LOW] <= 0)

    def at(self, time: float) -> Array:
        if time >= self.time or not self.counts[STEPS]:
            return self.motion.tokens.copy()
        rows: Array = interpolate(self.motion, time * self.scale)
        return rows
