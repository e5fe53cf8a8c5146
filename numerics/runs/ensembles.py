"""Many independent random starts, each followed until its first harmonic degree emerges."""

from __future__ import annotations

from concurrent.futures import Executor
from functools import partial
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gegenflow.numerics.flows.flow import Flow, FlowParts, check_parts, flow_of
from gegenflow.numerics.observables.tokens import HarmonicPower
from gegenflow.numerics.runs.particles import simulate
from gegenflow.numerics.tokens.arguments import (
    check_array,
    check_dim,
    check_number,
    check_rng,
    check_steps,
    check_whole,
)
from gegenflow.numerics.tokens.geometry import Array, uniform
from gegenflow.numerics.tokens.processes import check_executor
from gegenflow.numerics.tokens.refusals import Refused

PIECES = 8  # a run goes on in pieces of t_end, so that it stops soon after a degree has emerged
TIMES = 32  # recorded in each piece


def emergences(
    dim: int,
    flow: Flow | None = None,
    *,
    tokens: int,
    runs: int,
    amplitude: float,
    max_degree: int,
    t_end: float,
    rtol: float = 1e-6,
    rng: int | np.random.Generator | None = None,
    executor: Executor | None = None,
    **short: Unpack[FlowParts],
) -> tuple[NDArray[np.int64], Array]:
    r"""First degree to reach an amplitude in each of many runs from uniform tokens, and when, both shape=[runs].

    .. math:: T = \min_{1 \le k \le K} \min\{t \ge 0 : A_k(t) \ge a\}, \qquad
              A_k^2 = \sum_{ij} w_i w_j P_k(\langle x_i, x_j\rangle)

    Between recorded times, 256 in ``t_end``, :math:`\log A_k` is interpolated linearly. A degree with that amplitude at
    the start has emerged at time 0 (of several the largest). A run in which none emerges by ``t_end``, or that stops
    early, is degree 0 at time nan. Run r draws from the r-th child of ``rng``, so the result is the same bit for bit
    whatever the executor.

    :param dim: d of the sphere S^{d-1}, >= 2
    :param flow: what moves them, a :class:`Flow` with a weight, beta >= 0 or a kernel, and a model alone;
        None (default): the one whose parts are given as keywords
    :param tokens: number of uniform tokens of a run, >= 1
    :param runs: number of runs, >= 1
    :param amplitude: a, > 0 and < 1, which is that of coinciding tokens
    :param max_degree: K, highest degree that is looked at, >= 1
    :param t_end: time to end at, > 0, at the latest, in units of the flow
    :param rtol: relative tolerance of a step, >= 1e-13 and < 1, default 1e-6; the absolute one is a hundredth of it
    :param rng: seed >= 0 or numpy Generator; None (default): seeded by the system
    :param executor: one of ``concurrent.futures``, of processes; None (default): this process. With one thread in each:
        ``ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=numba.set_num_threads, initargs=(1,))``
    :param short: parts of a :class:`Flow` in place of it: beta, kernel, model, scaled

    Kuramoto on the circle (beta = 0) lets the mean alone grow, and synchronises:

    >>> degrees, times = emergences(2, beta=0, tokens=50, runs=3, amplitude=0.9, max_degree=1, t_end=20.0, rng=0)
    >>> degrees, bool(((times > 1) & (times < 20)).all())
    (array([1, 1, 1]), True)

    Raises ValueError for dim < 2, tokens < 1, runs < 1, max_degree < 1, an amplitude outside (0, 1), a bad t_end or
    tolerance, and as :func:`simulate`. Source: derived here.

    See also :func:`.first_crossing`, :func:`.uniform_rates`, :class:`.HarmonicPower`.
    """
    flow = flow_of(flow, short)
    check_parts(flow, "emergences", smallest_beta=0.0)
    dim, tokens = check_dim(dim), check_whole("tokens", tokens, 1)
    runs, max_degree = check_whole("runs", runs, 1), check_whole("max_degree", max_degree, 1)
    t_end = check_number("t_end", t_end, above=0.0)
    amplitude = check_number("amplitude", amplitude, above=0.0, below=1.0)  # one is that of coinciding tokens
    check_steps(rtol, 0.0)
    check_executor(executor, "map")
    options = {"flow": flow, "rtol": rtol, "atol": rtol / 100, "observe": [HarmonicPower(max_degree)]}
    follow = partial(_emergence, dim, tokens, amplitude, t_end / PIECES, options)
    streams = check_rng(rng).spawn(runs)
    found = list((map if executor is None else executor.map)(follow, streams))
    return np.array([degree for degree, _ in found]), np.array([time for _, time in found])


def first_crossing(times: ArrayLike, powers: ArrayLike, amplitude: float) -> tuple[int, float]:
    r"""First degree whose power reaches ``amplitude`` squared, and the time by linear interpolation of its logarithm.

    Degree 0 at time nan if there is none.

    :param times: when the powers were seen, not decreasing, shape (times,)
    :param powers: squared amplitudes, >= 0, shape (times, max_degree + 1), from degree 0 on, which is left out
    :param amplitude: to be reached, > 0

    >>> degree, time = first_crossing(np.array([0.0, 1.0]), np.array([[1, 0.1, 0.01], [1, 0.1, 1.0]]), 0.5)
    >>> degree, bool(np.isclose(time, 1 - np.log(2) / np.log(10)))
    (2, True)

    Raises ValueError for arrays of other shapes or not finite, times that decrease, negative powers and an amplitude
    that is not positive.  Source: derived here.

    See also :func:`.emergences`.
    """
    times = check_array("times", times, "(times,)", None)
    powers = check_array("powers", powers, "(times, max_degree + 1)", len(times), None)
    if (np.diff(times) < 0).any():
        raise Refused("times", None, "they must not decrease")
    if (powers < 0).any():
        raise Refused("powers", None, f"there is {powers.min():.6g}, squared amplitudes are >= 0")
    level = 2 * np.log(check_number("amplitude", amplitude, above=0.0))
    with np.errstate(divide="ignore"):
        logs = np.log(powers[:, 1:]) - level
    first, when = 0, np.nan
    for degree, log in enumerate(logs.T, 1):
        if not (log >= 0).any():
            continue
        i = int(np.argmax(log >= 0))
        time = times[0] if i == 0 else times[i] - (times[i] - times[i - 1]) * log[i] / (log[i] - log[i - 1])
        if first == 0 or time < when or (time == when and logs[0, degree - 1] > logs[0, first - 1]):
            first, when = degree, float(time)
    return first, when


def _emergence(
    dim: int, tokens: int, amplitude: float, piece: float, options: dict[str, Any], stream: np.random.Generator
) -> tuple[int, float]:
    """One run, in pieces; every piece records its own start."""
    state = uniform(tokens, dim, rng=stream)
    for number in range(PIECES):
        run = simulate(state, t_end=piece, save_at=np.linspace(0, piece, TIMES + 1), **options)
        degree, time = first_crossing(run.t, run.observables["harmonic_power"], amplitude)
        if degree:
            return degree, number * piece + time
        if not run.status.ok:
            break
        state = run.tokens
    return 0, np.nan
