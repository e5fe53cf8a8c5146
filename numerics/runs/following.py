"""Tokens followed from a start to an end, and the run made of what was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version as installed_version
from time import perf_counter
from typing import Any, cast

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray

from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.integrators.driver import Integration, Status
from gegenflow.numerics.integrators.events import Crossing, Event
from gegenflow.numerics.integrators.interrupts import Interrupted, listening, take_interrupt
from gegenflow.numerics.integrators.progress import progress_bar
from gegenflow.numerics.observables.texts import names_of, observables_text
from gegenflow.numerics.runs.flows import flow_parameters
from gegenflow.numerics.runs.motion import Start, Way, choose_way, judge_sums, unmoved
from gegenflow.numerics.runs.run import Run
from gegenflow.numerics.runs.settings import Look, Settings, recorder
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.sharing import interrupts_shared, is_shared, largest

Seen = tuple[Array, Array, list[NDArray[Any]]]
"""Of a saved time: the tracked tokens, in coordinates of the way, their lengths, and what the observables gave."""


def follow(start: Start, flow: Flow, settings: Settings, look: Look, *, t_end: float, times: Array) -> Run:
    """Follow tokens to ``t_end``; arguments already checked.

    >>> start = Start(np.eye(2), np.ones(2), np.full(2, 0.5))
    >>> run = follow(start, Flow(beta=0), Settings("auto"), Look(), t_end=1.0, times=np.array([0.5]))
    >>> print(run.status, run.t, f"{run.tokens[0] @ run.tokens[1]:.6f}")
    reached t = 1 [0.5] 0.761594

    Raises Interrupted, with the run, on an interrupt from the keyboard.
    """
    clock = perf_counter()
    tracked = np.empty(0, dtype=np.int64) if look.tracked is None else look.tracked
    look, record = replace(look, tracked=tracked), recorder(look.observe)
    with interrupts_shared() as meet, listening():
        try:
            with progress_bar(look.progress, start.time, t_end, "preparing"):
                way = choose_way(start, flow, settings, t_end, meet if is_shared() else None)
        except KeyboardInterrupt:
            take_interrupt()
            way, times, look = unmoved(start, settings, flow), times[:0], replace(look, stop_when=(), record_when=())

        def observe(_: float, state: Array) -> Seen:
            rows, radii = way.read(state)
            path, whole = rows[tracked], way.whole(rows) if look.observe else rows
            return path, radii[tracked], record(lambda item: item(whole, start.weights, flow))

        def seen_by(crossing: Crossing) -> Any:
            return lambda state: crossing.observable(way.whole(way.read(state)[0]), start.weights, flow)

        def made(end: Integration[Array, Seen]) -> Run:
            return _run(end, way, start, flow, settings, look, t_end, perf_counter() - clock)

        return look.along(way.stepper, observe, seen_by, made, t_end=t_end, times=times)


def measured(
    run: Run, second: Callable[[], Run], distance: Callable[[Run, Run], float], keep: Callable[[Run], Run]
) -> Run:
    """The run with its error, for ``keep``: the distance of its end from that of a more exact ``second`` run.

    >>> start, settings = Start(np.eye(2), np.ones(2), np.full(2, 0.5)), Settings("auto", rtol=1e-6)
    >>> times = {"t_end": 1.0, "times": np.array([])}
    >>> run = follow(start, Flow(beta=0), settings, Look(), **times)
    >>> again = lambda: follow(start, Flow(beta=0), settings.finer("dense"), Look(), **times)
    >>> measured(run, again, farthest, keep=lambda run: run).error < 1e-6
    True

    An interrupt of the second run raises Interrupted with the first.
    """
    if not run.status:
        return run
    clock, stopped = perf_counter(), False
    try:
        other = second()
    except Interrupted as stop:
        other, stopped = cast(Run, stop.run), True
    if other.status:
        run = replace(run, error=distance(run, other), seconds=run.seconds + perf_counter() - clock)
    else:
        run = replace(run, status=Status(True, f"{run.status}; no error, as the second run {other.status}"))
    run = keep(run)
    if stopped:
        raise Interrupted(run)
    return run


def farthest(run: Run, other: Run) -> float:
    """The largest distance of a token, with its length, at the end from where another run has it.

    >>> start = Start(np.eye(2), np.ones(2), np.full(2, 0.5))
    >>> run = follow(start, Flow(beta=0), Settings("auto"), Look(), t_end=1.0, times=np.array([]))
    >>> round(farthest(run, replace(run, radii=np.array([1.0, 1.5]))), 12)
    0.5
    """
    ends = (one.radii[:, None] * one.tokens for one in (run, other))
    return largest(float(np.linalg.norm(next(ends) - next(ends), axis=1).max()))


def _run(
    end: Integration[Array, Seen],
    way: Way,
    start: Start,
    flow: Flow,
    settings: Settings,
    look: Look,
    t_end: float,
    seconds: float,
) -> Run:
    rows, radii = way.read(end.state)
    tracked = np.empty(0, dtype=np.int64) if look.tracked is None else look.tracked
    status, field_error = judge_sums(way, start, end, rows, settings.tol)
    observables: dict[str, NDArray[Any]] = {
        name: np.array([values[k] for _, _, values in end.saved]) for k, name in enumerate(names_of(look.observe))
    }
    if flow.layer_norm != "post":
        lengths = [lengths for _, lengths, _ in end.saved]
        observables = {"radii": np.array(lengths).reshape(len(lengths), len(tracked))} | observables
    dim, memory = start.tokens.shape[1], {"time": np.array(end.reached), "track": tracked, **end.memory}
    return Run(
        t=end.t,
        tokens=way.whole(rows),
        radii=radii,
        trajectories=_paths([path for path, _, _ in end.saved], way, len(tracked), dim),
        weights=start.weights,
        merges=way.merges,
        observables=observables,
        status=status,
        evaluations=end.evaluations,
        field_error=field_error,
        error=None,
        parameters=_parameters(flow, settings, look, way, t_end, start),
        version=installed_version("gegenflow"),
        seconds=seconds,
        memory=memory if way.sums is None else {**memory, "sums": np.array(way.sums.tol)},
        events=events_of(end.events, lambda state: way.whole(way.read(state)[0][tracked]), (len(tracked), dim)),
        flow=flow,
    )


def events_of(events: Sequence[Event[Any]], state: Any, shape: tuple[int, ...]) -> Mapping[str, NDArray[Any]]:
    """What a run holds of its events: arrays whose first axis is that of events, none where nothing was looked for.

    >>> events_of([Event(0, "height", 0.5, 2.0, True, np.ones(3))], np.copy, (3,))["time"]
    array([0.5])
    """
    return {
        "time": np.array([event.time for event in events], dtype=np.float64),
        "which": np.array([event.which for event in events], dtype=np.int64),
        "value": np.array([event.value for event in events], dtype=np.float64),
        "rising": np.array([event.rising for event in events], dtype=bool),
        "state": np.array([state(event.state) for event in events], dtype=np.float64).reshape(len(events), *shape),
    }


def _paths(rows: list[Array], way: Way, tracked: int, dim: int) -> Array:
    if not rows:
        return np.empty((0, tracked, dim))
    paths = np.array(rows)
    return way.whole(paths.reshape(-1, paths.shape[2])).reshape(len(rows), tracked, dim)


def _parameters(flow: Flow, settings: Settings, look: Look, way: Way, t_end: float, start: Start) -> dict[str, Any]:
    rng = settings.rng
    n, dim = start.tokens.shape
    return {
        **flow_parameters(flow),
        "t_end": float(t_end),
        "method": way.method,
        **settings.facts(),
        "n": n,
        "dim": dim,
        "rng": rng if rng is None else int(rng) if isinstance(rng, int | np.integer) else str(rng),
        "threads": get_num_threads(),
        "observe": observables_text(look.observe),
        **({"share": float(start.weights.sum())} if is_shared() else {}),
    }
