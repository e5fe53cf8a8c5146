"""Many small runs followed at once, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version as installed_version
from inspect import signature
from threading import Event
from time import perf_counter
from typing import Any, Unpack

import numpy as np
from numba import get_num_threads
from numpy.typing import ArrayLike, NDArray

from gegenflow.numerics.fields.compiled.elementary import LOG2_E
from gegenflow.numerics.fields.compiled.vectors import LANES
from gegenflow.numerics.flows.flow import Flow, FlowParts, check_parts, flow_of
from gegenflow.numerics.integrators.compiled_steps import EVALUATIONS, STEPS
from gegenflow.numerics.integrators.driver import Status
from gegenflow.numerics.integrators.few_tokens import LONGEST, WORK, clock_unit
from gegenflow.numerics.integrators.interrupts import Interrupted, listening, take_interrupt
from gegenflow.numerics.runs.batches.steps import advance
from gegenflow.numerics.runs.batches.work import CAUSE, ENDED, RUNNING, SAVED, SLOW, STUCK, Work, works
from gegenflow.numerics.runs.flows import flow_parameters
from gegenflow.numerics.runs.particles import simulate
from gegenflow.numerics.runs.printing import as_html, as_text
from gegenflow.numerics.runs.settings import ATOL, RTOL
from gegenflow.numerics.tokens.arguments import check_room, check_steps, check_times, real_array
from gegenflow.numerics.tokens.compiling import in_threads
from gegenflow.numerics.tokens.geometry import Array, check_tokens, check_weights
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import Value

MOST_NUMBERS = 10_000  # components of a run: beyond, runs one at a time lose little, and a step takes seconds
LEAST_WEIGHT = 1e-20  # products of two with the smallest exponential, 1e-260, are taken
PROBLEMS = {
    STUCK: "the step size became too small; try a smaller t_end",
    SLOW: "at this pace it takes too many steps; where tokens that have met hold it up, use merge of simulate",
    RUNNING: "interrupted",
}


@dataclass(frozen=True, eq=False, repr=False)
class BatchRun(Value):
    """Result of :func:`.simulate_batch`: many runs, a value that prints as a table, in a notebook too.

    Two are equal if all but their ``seconds`` is, arrays bit for bit.

    :param t: the saved times, shape (times,)
    :param tokens: the last state of each run, shape (runs, n, dim)
    :param trajectories: the tokens at the saved times, nan beyond what a run has reached, shape (runs, times, n, dim)
    :param weights: weights of the tokens of a run, shape (n,)
    :param reached: the time at which ``tokens`` of a run are where they are, shape (runs,)
    :param steps: accepted steps of each run, >= 0, shape (runs,)
    :param evaluations: how often the field was taken in each run, >= 0, shape (runs,)
    :param problems: what went wrong, and what to do, by the number of the run; empty where all reached the end
    :param status: whether all went well, a :class:`.Status`
    :param parameters: how it was computed, by the names of the arguments of :func:`simulate_batch`
    :param version: that of the package that computed it
    :param seconds: of computing

    >>> from gegenflow.numerics import uniform
    >>> batch = simulate_batch([uniform(4, 3, rng=run) for run in range(10)], beta=1.0, t_end=0.5)
    >>> batch.tokens.shape, batch == simulate_batch(batch.tokens, beta=1.0, t_end=0.0)
    ((10, 4, 3), False)

    See also :func:`.simulate_batch`, :class:`.Run`.
    """

    t: Array
    tokens: Array
    trajectories: Array
    weights: Array
    reached: Array
    steps: NDArray[np.int64]
    evaluations: NDArray[np.int64]
    problems: Mapping[int, str]
    status: Status
    parameters: Mapping[str, Any]
    version: str
    seconds: float = field(compare=False)

    def __repr__(self) -> str:
        return as_text(*self._table())

    def _repr_html_(self) -> str:
        return as_html(*self._table())

    def _table(self) -> tuple[str, dict[str, object]]:
        (runs, n, dim), facts = self.tokens.shape, self.parameters
        title = f"BatchRun: {runs} runs of {n} tokens, dim {dim}, beta {facts['beta']}, model {facts['model']}"
        cost = f"{self.evaluations.mean():.0f} evaluations a run, {self.seconds:.3g} s, rtol {facts['rtol']}"
        return title, {"status": self.status, "cost": cost, "saved times": len(self.t)}


def simulate_batch(
    starts: ArrayLike,
    flow: Flow | None = None,
    *,
    t_end: float,
    weights: ArrayLike | None = None,
    save_at: ArrayLike | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    threads: int | None = None,
    **short: Unpack[FlowParts],
) -> BatchRun:
    r"""Follow many small sets of tokens under exponential attention, each on its own, to one ``t_end``.

    .. math:: \dot x_i = P_{x_i} \sum_j w_j e^{\beta\langle x_i, x_j\rangle} x_j \ \text{(USA)}, \quad
              \text{divided by } Z_i = \sum_j w_j e^{\beta\langle x_i, x_j\rangle} \ \text{(SA)}

    Each run is what :func:`.simulate` makes of it, with order 8 and dense sums, up to errors within the tolerance: its
    steps have their own size, the root mean square over tokens of the error of a step stays below ``rtol`` + ``atol``,
    and forces keep their relative accuracy down to :math:`e^{-600}` of the largest possible one. Eight runs share the
    vectors of a thread, each with steps and a clock of its own: a run is the same to the last bit whatever the others,
    their number, and that of the threads.

    :param starts: tokens on the sphere that each run begins with, shape (runs, n, dim), n dim <= 10,000
    :param flow: what moves them, a :class:`Flow` with beta and a model alone; None (default): the one whose parts are
        given as keywords
    :param t_end: time to end at, >= 0, in units of the flow
    :param weights: weights of the tokens of a run, shape (n,), >= 1e-20 with sum 1; None (default): 1/n each
    :param save_at: times to save at, shape (times,), not decreasing, within [0, t_end], all tokens, as far as they fit
        in the memory of the machine; None (default): none, there are the last states alone
    :param rtol: relative tolerance of a step, >= 1e-13 and < 1; None (default): 1e-8
    :param atol: absolute tolerance of a step, >= 0; None (default): 1e-10
    :param threads: that work, >= 1 and <= those that there are; None (default): all
    :param short: parts of a :class:`Flow` in place of it: beta, model, scaled

    ``simulate_batch(starts, **batch.parameters)`` is that batch again, to the last bit.

    Kuramoto on the circle, two tokens in each run: :math:`\tan(\delta/2)` decays as :math:`e^{-t}`:

    >>> half = np.linspace(0.1, 1.5, 20)[:, None] * [1, -1]
    >>> batch = simulate_batch(np.stack([np.cos(half), np.sin(half)], axis=2), beta=0, t_end=2.0, rtol=1e-12)
    >>> slope = batch.tokens[:, 0, 1] / batch.tokens[:, 0, 0]
    >>> print(batch.status, np.allclose(slope, np.tan(half[:, 0]) * np.exp(-2.0), rtol=1e-9))
    20 runs reached t = 2 True

    Raises ValueError for bad input, and for what :func:`.simulate` takes and this does not.  A run that cannot go on
    costs only itself, and is in ``problems``.  Ctrl-C raises :class:`.Interrupted` with the batch so far as its
    ``run``.  Source: arXiv 2410.23228 for the models; Hairer, Norsett, Wanner, Solving ODEs I, II.10 for the steps.

    See also :func:`.simulate`, :func:`.emergences`, :class:`.BatchRun`.
    """
    for name in short:
        if name not in FlowParts.__annotations__ and name in signature(simulate).parameters:
            raise Refused(name, None, "simulate_batch does not take it; simulate does, for one run at a time")
    flow = flow_of(flow, short)
    check_parts(flow, "simulate_batch")
    if flow.beta is None:
        raise Refused("kernel", None, "simulate_batch takes beta; simulate takes kernels, for one run at a time")
    tokens = _check_starts(starts)
    runs, n, dim = tokens.shape
    masses = check_weights(weights, n)
    if masses.min() < LEAST_WEIGHT:
        raise Refused("weights", masses.min(), f"simulate_batch takes weights >= {LEAST_WEIGHT:g}")
    times = check_times(() if save_at is None else save_at, t_end)
    rtol, atol = RTOL if rtol is None else rtol, ATOL if atol is None else atol
    check_steps(rtol, atol)
    if not float(t_end) * (unit := clock_unit(flow)) <= LONGEST:
        raise Refused("t_end", t_end, f"for this beta and model it must be at most {LONGEST / unit:.3g}")
    what = f"{runs:,} runs of {n * dim:,} numbers at {len(times):,} times"
    check_room("save_at", what, runs * n * dim * len(times), "save at fewer times")
    told = {"t_end": float(t_end), "weights": weights if weights is None else masses, "save_at": times}
    told |= {"rtol": float(rtol), "atol": float(atol)}
    with in_threads(threads):
        return _followed(tokens, masses, flow, times, told)


def _check_starts(starts: ArrayLike) -> Array:
    shape = real_array("starts", starts).shape
    if len(shape) != 3 or min(shape) < 1 or shape[2] < 2:
        raise Refused("starts", None, f"they have shape {shape}, expected (runs, n, dim), all >= 1 and dim >= 2")
    runs, n, dim = shape
    if n * dim > MOST_NUMBERS:
        raise Refused("starts", None, f"n dim is {n * dim:,}; beyond {MOST_NUMBERS:,} take simulate, one run at a time")
    rows = np.reshape(starts, (runs * n, dim))
    try:
        return check_tokens(rows, "starts").reshape(shape)
    except Refused:
        for run in range(runs):
            check_tokens(rows[run * n : (run + 1) * n], f"starts of run {run}")
        raise


def _followed(tokens: Array, weights: Array, flow: Flow, times: Array, told: Mapping[str, Any]) -> BatchRun:
    clock, unit, (runs, n, dim) = perf_counter(), clock_unit(flow), tokens.shape
    settings = {"rate": -0.5 * LOG2_E * float(flow.beta or 0.0), "divided": flow.model == "sa"}
    settings |= {"tolerance": told["rtol"] + told["atol"], "end": told["t_end"] * unit}
    threads = works(min(get_num_threads(), -(-runs // LANES)), tokens, weights, times * unit, **settings)
    interrupted = _drive(threads, max(1, int(WORK / (12 * LANES * (n * n * (0.3 + 0.1 * dim) + 40 * n * dim)))))
    first, causes = threads[0], threads[0].counts[:, CAUSE]
    reached = np.where(causes == ENDED, told["t_end"], first.reached / unit)
    for run in np.flatnonzero(first.counts[:, SAVED] < len(times)):
        first.paths[run, first.counts[run, SAVED] :] = np.nan
    problems = {
        int(run): f"stopped at t = {reached[run]:g}: {PROBLEMS.get(int(causes[run]), PROBLEMS[RUNNING])}"
        for run in np.flatnonzero(causes != ENDED)
    }
    batch = BatchRun(
        t=times,
        tokens=first.tokens.reshape(runs, n, dim),
        trajectories=first.paths.reshape(runs, len(times), n, dim),
        weights=weights,
        reached=reached,
        steps=first.counts[:, STEPS].copy(),
        evaluations=first.counts[:, EVALUATIONS].copy(),
        problems=problems,
        status=_status(problems, runs, told["t_end"], interrupted),
        parameters={**flow_parameters(flow), **told},
        version=installed_version("gegenflow"),
        seconds=perf_counter() - clock,
    )
    if interrupted:
        raise Interrupted(batch)
    return batch


def _status(problems: Mapping[int, str], runs: int, t_end: float, interrupted: bool) -> Status:
    if not problems:
        return Status(True, f"{runs} runs reached t = {t_end:g}")
    first = min(problems)
    text = f"{runs - len(problems)} of {runs} runs reached t = {t_end:g}"
    more = f"; run {first} {problems[first]}{', others in problems' * (len(problems) > 1)}"
    return Status(False, f"interrupted: {text}; everything up to there is kept" if interrupted else text + more)


def _drive(threads: list[Work], most: int) -> bool:
    """Let each thread follow its runs; whether the keyboard has interrupted them."""
    stop = Event()

    def follow(work: Work) -> None:
        while not stop.is_set() and advance(work, most):
            pass

    with listening():
        try:
            advance(threads[0], 0)  # compiled here, where an interrupt is heard
            with ThreadPoolExecutor(len(threads)) as pool:
                try:
                    for future in [pool.submit(follow, work) for work in threads]:
                        future.result()
                except KeyboardInterrupt:
                    take_interrupt()
                    raise
                finally:
                    stop.set()
        except KeyboardInterrupt:
            take_interrupt()
            return True
    return False
