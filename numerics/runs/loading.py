"""Saved runs read back: everything that a file says is checked before a run is made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.densities.sphere import SphereDensity
from gegenflow.numerics.densities.zonal import ZonalDensity
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.parts import RandomLayers
from gegenflow.numerics.flows.weights import check_fit
from gegenflow.numerics.integrators.driver import Status
from gegenflow.numerics.integrators.few_tokens import clock_unit
from gegenflow.numerics.integrators.memories import check_layers as check_memory_of_layers
from gegenflow.numerics.integrators.memories import check_memory, check_next_step
from gegenflow.numerics.observables.texts import observables_of
from gegenflow.numerics.runs.archives import FORMAT, Facts, read_archive
from gegenflow.numerics.runs.flows import COMPOSED, check_recorded, read_flow
from gegenflow.numerics.runs.meanfield import check_layers
from gegenflow.numerics.runs.motion import stepper_of
from gegenflow.numerics.runs.run import DENSITY_ARRAYS, FLOW, GROUPS, RUN_ARRAYS, DensityRun, Run
from gegenflow.numerics.runs.settings import FEW, settings_again
from gegenflow.numerics.tokens.arguments import check_array, check_number, check_steps, check_track, check_whole
from gegenflow.numerics.tokens.arrays import MOST_BYTES
from gegenflow.numerics.tokens.geometry import Array, check_tokens, check_weights

RUN_SHAPES = {
    "tokens": ("n", "dim"),
    "t": ("times",),
    "radii": ("n",),
    "trajectories": ("times", "tracked", "dim"),
    "weights": ("n",),
    "merges": ("events", 2),
}
DENSITY_SHAPES = {
    "t": ("times",),
    "coefficients": ("times", "modes"),
    "minimum": ("times",),
    "resolution": ("times",),
    "last": ("last modes",),
}
EVENTS = {"time": "f", "which": "iu", "value": "f", "rising": "b", "state": "f"}
MOST_EVALUATIONS = 2**63
NAMES_OF_FORMAT_0 = {"form": "query_key", "values": "value", "normalization": "layer_norm"}

Arrays = dict[str, NDArray[Any]]


def load(path: str | Path, *, max_bytes: int = MOST_BYTES) -> Run | DensityRun:
    """Read a run that :meth:`Run.save` or :meth:`DensityRun.save` wrote, of this format or an earlier one.

    >>> from tempfile import TemporaryDirectory
    >>> from gegenflow.numerics import simulate
    >>> run = simulate([[1.0, 0.0], [0.0, 1.0]], beta=1.0, t_end=0.5)
    >>> with TemporaryDirectory() as folder:
    ...     run.save(f"{folder}/run.npz")
    ...     load(f"{folder}/run.npz") == run
    True

    ``path`` is that of the file, ``max_bytes`` > 0 bounds what its arrays may take, by default 1 GiB; facts that this
    version does not know are kept in ``extra``.

    Raises ValueError, with the path, for a file that holds no run: one of a newer format, arrays of a wrong shape or
    dtype, tokens off the sphere, weights that are none, times that decrease, and what cannot be read at all.

    See also :meth:`.Run.save`, :meth:`.Run.extend`, :func:`.read_tokens`.
    """
    max_bytes = check_whole("max_bytes", max_bytes, 1)
    facts, arrays = read_archive(path, _known, max_bytes)
    try:
        number = check_whole("format", facts.pop("format", 0), 0)
        if number > FORMAT:
            raise ValueError(f"it is of format {number}, this version reads up to {FORMAT}; a newer one is needed")
        if number == 0:
            facts |= _of_today(facts.get("parameters"))
        return _density_run(facts, arrays) if "density" in facts else _run(facts, arrays)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a saved run: {error}") from error


def _known(name: str) -> bool:
    return name in (*RUN_ARRAYS, *DENSITY_ARRAYS, "last") or name.startswith((*GROUPS, FLOW))


def _of_today(parameters: object) -> Facts:
    """The parameters of format 0, in which matrices were text, under the names of today, and the flow in them."""
    if not isinstance(parameters, dict):
        return {}
    today = {NAMES_OF_FORMAT_0.get(name, name): value for name, value in parameters.items()}
    for name in ("query_key", "value"):
        if isinstance(text := today.get(name), str):
            today[name] = check_array(name, json.loads(text), "(dim, dim)", None, None)
    parts = {field.name: today[field.name] for field in fields(Flow) if today.get(field.name) is not None}
    return {"parameters": today, "flow": None if "kernel" in parts else parts}


def _run(facts: Facts, arrays: Arrays) -> Run:
    own = _shaped(arrays, RUN_SHAPES)
    tokens, count = own["tokens"], len(own["t"])
    check_tokens(tokens)
    if not (own["radii"] >= 0).all():
        raise ValueError("radii are not all >= 0")
    if own["trajectories"].shape[1] > len(tokens):
        raise ValueError(f"trajectories follow {own['trajectories'].shape[1]} of {len(tokens)} tokens")
    errors = {name: _number(facts, name, optional=True) for name in ("field_error", "error")}
    common = _common(facts, arrays, own["t"], count)
    share = check_number("share", common["parameters"].get("share", 1.0), above=0.0, most=1.0)
    check_weights(own["weights"] / share, len(tokens))
    for name in ("query_key", "value"):
        check_fit(name, getattr(common["flow"], name, None), tokens.shape[1])
    run = Run(**own, **errors, **common)
    _check_going_on(run)
    _check_events(run.events, own["trajectories"].shape[1:], run.memory.get("time", inf))
    when, left = run.merges.T
    if not ((np.diff(when, prepend=0.0) >= 0) & (np.diff(left, prepend=len(tokens)) < 0) & (left >= 1)).all():
        raise ValueError("merges are no times and numbers of clusters left")
    return run


def _check_going_on(run: Run) -> None:
    """Settings and memory with which a run could go on; those of another flow are not its own."""
    told, (n, dim) = run.parameters, run.tokens.shape
    if run.flow is not None:
        check_recorded(run.flow, told)
    parts: dict[str, Any] = {
        name: told[name] for name in ("noise", "model", "layer_norm", "query_key", "value") if name in told
    }
    if told.get("random_layers") is not None:
        parts["random_layers"] = RandomLayers("linear")
    flow = run.flow or Flow(kernel=np.ones_like, **parts)  # a file holds no function
    last = check_number("t_end", told.get("t_end"), least=0.0)
    settings = settings_again(told, flow, (n, dim), last)
    tracked = run.memory.get("track", np.arange(run.trajectories.shape[1]))
    if len(check_track(tracked, n, dim, len(run.t))) != run.trajectories.shape[1] or tracked.ndim != 1:
        raise ValueError(f"track holds {tracked.size} tokens, trajectories {run.trajectories.shape[1]}")
    if {*run.memory} - {"time", "track"} or ("time" in run.memory and settings.step is not None):
        kind = stepper_of(FEW + 1 if "share" in told else n, flow, settings)
        check_memory(run.memory, kind, run.tokens, step=settings.step, unit=clock_unit(flow))
    if not (run.t >= 0).all() or (run.t > run.memory.get("time", inf)).any():
        raise ValueError("its times are not between 0 and the one that it reached")


def _check_events(events: Mapping[str, NDArray[Any]], state: tuple[int, ...], reached: Any) -> None:
    """Arrays over the crossings of a run, if it has any."""
    if not {*events} & {*EVENTS}:
        return
    times = events.get("time", np.empty((0, 0)))
    for name, kinds in EVENTS.items():
        array = events.get(name)
        if array is None or array.dtype.kind not in kinds or array.shape[:1] != times.shape or times.ndim != 1:
            raise ValueError(f"events: {name} is no array of one entry for each of {times.size} events")
    if not ((times >= 0) & (times <= reached)).all() or (events["which"] < 0).any():
        raise ValueError("events are not at times that the run has reached")
    if (axes := events["state"].shape[1:]) != state and not len(axes) == len(state) == 1:
        raise ValueError(f"events: state has shape {events['state'].shape}")


def _density_run(facts: Facts, arrays: Arrays) -> DensityRun:
    own = _shaped(arrays, DENSITY_SHAPES)
    kind, dim, last = facts.pop("density"), facts.pop("dim", None), own.pop("last")
    density = _density(kind, dim, last)
    widest = _density(kind, dim, np.zeros(own["coefficients"].shape[1]))
    top = own["resolution"]
    if top.dtype.kind != "i" or not ((top >= 0) & (top <= widest.max_degree)).all():
        raise ValueError(f"resolution is not in whole numbers from 0 to {widest.max_degree}")
    reached = check_number("reached", _number(facts, "reached"), least=0.0)
    run = DensityRun(density=density, reached=reached, **own, **_common(facts, arrays, own["t"], len(own["t"])))
    if run.flow is not None:
        check_recorded(run.flow, run.parameters)
    check_steps(run.parameters.get("rtol"), run.parameters.get("atol"))
    check_whole("max_degree", run.parameters.get("max_degree"), 1)
    if run.parameters.get("random_layers") is not None and {"step", "number"} & {*run.parameters, *run.memory}:
        step = check_number("step", run.parameters.get("step"), above=0.0)
        check_layers(density, run.flow or Flow(random_layers=RandomLayers("linear")), step, reached)
        check_memory_of_layers(run.memory, reached / step)
    elif "next_step" in run.memory:
        check_next_step(run.memory)
    if not ((run.t >= 0) & (run.t <= reached)).all():
        raise ValueError("its times are not between 0 and the one that it reached")
    _check_events(run.events, (len(last),), reached)
    return run


def _common(facts: Facts, arrays: Arrays, times: Array, count: int) -> dict[str, Any]:
    """What both kinds of runs have; the rest of the facts is extra."""
    if (np.diff(times) < 0).any():
        raise ValueError("its times decrease")
    groups = {group: _group(arrays, prefix) for prefix, group in GROUPS.items()}
    for name, values in groups["observables"].items():
        if values.ndim < 1 or len(values) != count:
            raise ValueError(f"observable {name} has shape {values.shape} at {count} times")
    parameters = facts.pop("parameters", None)
    if not isinstance(parameters, dict):
        raise ValueError("it lacks parameters")
    version = facts.pop("version", None)
    if not isinstance(version, str):
        raise ValueError("it lacks the version")
    known: dict[str, Any] = {
        "status": _status(facts.pop("status", None)),
        "evaluations": check_whole("evaluations", facts.pop("evaluations", None), 0, MOST_EVALUATIONS),
        "parameters": parameters | groups.pop("parameters"),
        "version": version,
        "seconds": _number(facts, "seconds"),
    }
    told = facts.pop("flow", None)
    flow = None if told is None else read_flow(told, _group(arrays, FLOW))
    for name in COMPOSED if flow is not None else ():
        if part := getattr(flow, name):
            known["parameters"][name] = part
    _check_observe(known["parameters"].get("observe"))
    return known | groups | {"flow": flow, "extra": facts}


def _check_observe(told: object) -> None:
    """What parameters say of observables: those of this package can be made again."""
    items = [] if told is None else json.loads(told) if isinstance(told, str) else None
    if not isinstance(items, list) or not all(isinstance(item, list) and len(item) in (1, 2) for item in items):
        raise ValueError(f"observe {told!r} names no observables")
    observables_of(json.dumps([item for item in items if len(item) == 2]))


def _group(arrays: Arrays, prefix: str) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _shaped(arrays: Arrays, shapes: Mapping[str, tuple[str | int, ...]]) -> dict[str, Any]:
    """The arrays of a kind of run: there, of finite numbers, and of shapes that go together."""
    if missing := {*shapes} - {*arrays}:
        raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    sizes: dict[str | int, int] = {2: 2}
    for name, dims in shapes.items():
        array = arrays[name]
        if array.ndim != len(dims) or any(sizes.setdefault(d, s) != s for d, s in zip(dims, array.shape, strict=True)):
            raise ValueError(f"{name} has shape {array.shape}, expected ({', '.join(map(str, dims))})")
        if array.dtype.kind not in "if" or not np.isfinite(array).all():
            raise ValueError(f"{name} is not of finite real numbers")
    return {name: arrays[name] for name in shapes}


def _density(kind: object, dim: object, coefficients: Array) -> Density:
    made: dict[object, Any] = {"CircleDensity": CircleDensity, "SphereDensity": SphereDensity}
    if kind == "ZonalDensity":
        return ZonalDensity(coefficients, dim)  # type: ignore[arg-type]
    if not isinstance(kind, str) or kind not in made:
        raise ValueError(f"its density is of an unknown kind, {kind!r}")
    density: Density = made[kind](coefficients)
    if density.dim != dim:
        raise ValueError(f"its {kind} is said to be of dim {dim!r}")
    return density


def _status(told: object) -> Status:
    if isinstance(told, dict) and isinstance(told.get("ok"), bool) and isinstance(told.get("message"), str):
        return Status(told["ok"], told["message"])
    raise ValueError("it lacks the status")


def _number(facts: Facts, name: str, *, optional: bool = False) -> Any:
    told = facts.pop(name, None)
    if optional and told is None:
        return None
    real = isinstance(told, int | float) and not isinstance(told, bool)
    if real and told >= 0 and (isinstance(told, float) or told <= MOST_EVALUATIONS):
        return told
    raise ValueError(f"{name} is {str(told)[:99]}: it must be a number >= 0")
