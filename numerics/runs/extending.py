"""Runs that go on: the same flow, settings and clock, to a later end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.integrators.driver import Origin
from gegenflow.numerics.integrators.interrupts import Interrupted
from gegenflow.numerics.observables.texts import names_of, observables_again, observables_text
from gegenflow.numerics.runs.flows import check_recorded
from gegenflow.numerics.runs.following import follow
from gegenflow.numerics.runs.meanfield import check_layers, density_steps, follow_density
from gegenflow.numerics.runs.motion import Start
from gegenflow.numerics.runs.run import Arrays, DensityRun, Run
from gegenflow.numerics.runs.settings import Crossings, Look, check_look, settings_again
from gegenflow.numerics.tokens.arguments import check_number, check_times
from gegenflow.numerics.tokens.files import checked_path
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.sharing import is_shared

MERGED = ("t", "trajectories", "merges")
DENSITIES = ("t", "coefficients", "minimum", "resolution")


def extended(
    run: Run | DensityRun,
    t_end: float,
    *,
    flow: Flow | None = None,
    save_at: ArrayLike | None = None,
    observe: Sequence[Any] | None = None,
    stop_when: Crossings = (),
    record_when: Crossings = (),
    progress: bool = False,
    checkpoint: str | Path | None = None,
    every: float = 600.0,
) -> Any:
    """A run that goes on from where it ended, as :meth:`gegenflow.numerics.Run.extend` says.

    >>> from gegenflow.numerics import simulate
    >>> run = simulate(np.eye(2), beta=1, t_end=0.5)
    >>> bool(np.allclose(extended(run, 1.0).tokens, simulate(np.eye(2), beta=1, t_end=1.0).tokens, atol=1e-8))
    True
    """
    if run.flow is None and flow is None:
        raise Refused("flow", None, "its kernel or activation is a function, which a file does not hold; pass flow=")
    if None not in (run.flow, flow) and run.flow != flow:
        raise Refused("flow", repr(flow), f"the run goes on with its own, {run.flow!r}")
    if ("share" in run.parameters) != is_shared():
        raise Refused("comm", None, "a run that processes share goes on in each of them with it, any other without")
    flow = flow or run.flow
    assert flow is not None
    check_recorded(flow, run.parameters)
    reached = run.reached
    t_end = check_number("t_end", t_end, least=reached)
    ahead = np.linspace(reached, t_end, 101)[1:] if t_end > reached else np.empty(0)
    times = ahead if save_at is None else check_times(save_at, t_end, reached)
    again = observables_again(run.parameters.get("observe"), observe)
    seen = "__call__" if isinstance(run, Run) else "of_density"
    check_look(again, flow, stop_when=stop_when, record_when=record_when, every=every, seen=seen)
    if missing := {*run.observables} - {"radii"} ^ {*names_of(again)}:
        raise Refused("observe", ", ".join(sorted(missing)), "the same observables as before are needed")
    told = run.parameters.get("observe")
    if told is not None and _listed(str(told)) != _listed(observables_text(again)):
        raise Refused("observe", repr(again), f"the same observables as before are needed, {told}")
    look = Look(again, None, stop_when, record_when, progress, every=every)
    if checkpoint is not None:
        path = checked_path(checkpoint, "checkpoint")
        look = replace(look, save=lambda part: _joined(run, part).save(path))
    try:
        part: Run | DensityRun
        if isinstance(run, Run):
            part = _tokens(run, flow, look, t_end, times)
        else:
            part = _density(run, flow, look, t_end, times)
    except Interrupted as stop:
        raise Interrupted(_joined(run, stop.run)) from None
    return _joined(run, part)


def _listed(told: str) -> list[str]:
    # the observables of a text, in an order of their own
    return sorted(json.dumps(one, sort_keys=True) for one in json.loads(told))


def _tokens(run: Run, flow: Flow, look: Look, t_end: float, times: Array) -> Run:
    settings = settings_again(run.parameters, flow, run.tokens.shape, t_end)
    begun = {*run.memory} - {"time", "track"}
    start = Start(run.tokens, run.radii, run.weights, run.reached, run.memory if begun else None)
    track = run.memory.get("track", np.arange(run.trajectories.shape[1]))
    return follow(start, flow, settings, replace(look, tracked=track), t_end=t_end, times=times)


def _density(run: DensityRun, flow: Flow, look: Look, t_end: float, times: Array) -> DensityRun:
    facts: dict[str, Any] = dict(run.parameters)
    if flow.random_layers is not None:
        if "number" not in run.memory:
            raise Refused("run", None, "it was saved without what it takes to go on")
        check_layers(run.density, flow, facts["step"], t_end)
    origin = Origin(run.reached, memory=run.memory or None)
    steps = density_steps(run.density, flow, t_end, facts | {"rng": None}, origin)
    return follow_density(steps, flow, look, t_end=t_end, times=times, facts=facts | {"t_end": t_end})


def _joined(run: Any, part: Any) -> Any:
    # one run of two, the second of which goes on where the first ended
    lengths: dict[str, Any] = {"evaluations": run.evaluations + part.evaluations, "seconds": run.seconds + part.seconds}
    modes = ("state",) if isinstance(part, DensityRun) else ()
    mapped: dict[str, Any] = {
        "observables": _joined_arrays(run.observables, part.observables),
        "events": _joined_arrays(run.events, part.events, modes),
    }
    parameters = {**run.parameters, "t_end": part.parameters["t_end"]}
    if isinstance(part, DensityRun):
        first, second = ({name: getattr(one, name) for name in DENSITIES} for one in (run, part))
        chained: dict[str, Any] = _joined_arrays(first, second, ("coefficients",))
        return replace(part, parameters=parameters, **chained, **lengths, **mapped)
    chained = {name: _chained(getattr(run, name), getattr(part, name)) for name in MERGED}
    errors = (run.field_error, part.field_error)
    moved = None if None in errors else sum(errors)
    return replace(part, parameters=parameters, field_error=moved, **chained, **lengths, **mapped)


def _joined_arrays(first: Arrays, second: Arrays, modes: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
    # those of ``modes`` are coefficients of densities, which are padded to the most modes
    return {name: _chained(first.get(name), array, name in modes) for name, array in second.items()}


def _chained(first: NDArray[Any] | None, second: NDArray[Any], modes: bool = False) -> NDArray[Any]:
    # what was never seen has no shape of its own
    seen = [part for part in (first, second) if part is not None and len(part)]
    if not seen:
        return second
    if modes:
        widest = max(part.shape[1] for part in seen)
        seen = [np.pad(part, [(0, 0), (0, widest - part.shape[1])]) for part in seen]
    return np.concatenate(seen)
