"""Saved runs read back: everything that a file says is checked before a run is made of it."""

import json
from collections.abc import Mapping
from dataclasses import fields
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.densities.sphere import SphereDensity
from gegenflow.numerics.densities.zonal import ZonalDensity
from gegenflow.numerics.fields.flow import Flow
from gegenflow.numerics.fields.weights import check_fit
from gegenflow.numerics.integrators.driver import Status
from gegenflow.numerics.runs.archives import FORMAT, Facts, read_archive
from gegenflow.numerics.runs.flows import read_flow
from gegenflow.numerics.runs.run import DENSITY_ARRAYS, FLOW, GROUPS, RUN_ARRAYS, DensityRun, Run
from gegenflow.numerics.tokens.arguments import check_array, check_whole
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

    ``max_bytes`` bounds what its arrays may take; facts that this version does not know are kept in ``extra``.

    Raises ValueError, with the path, for a file that holds no run: one of a newer format, arrays of a wrong shape or
    dtype, tokens off the sphere, weights that are none, times that decrease, and what cannot be read at all.
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
    check_weights(own["weights"], len(tokens))
    if not (own["radii"] >= 0).all():
        raise ValueError("radii are not all >= 0")
    if own["trajectories"].shape[1] > len(tokens):
        raise ValueError(f"trajectories follow {own['trajectories'].shape[1]} of {len(tokens)} tokens")
    errors = {name: _number(facts, name, optional=True) for name in ("field_error", "error")}
    common = _common(facts, arrays, own["t"], count)
    for name in ("query_key", "value"):
        check_fit(name, getattr(common["flow"], name, None), tokens.shape[1])
    return Run(**own, **errors, **common)


def _density_run(facts: Facts, arrays: Arrays) -> DensityRun:
    own = _shaped(arrays, DENSITY_SHAPES)
    kind, dim, last = facts.pop("density"), facts.pop("dim", None), own.pop("last")
    density = _density(kind, dim, last)
    widest = _density(kind, dim, np.zeros(own["coefficients"].shape[1]))
    top = own["resolution"]
    if top.dtype.kind != "i" or not ((top >= 0) & (top <= widest.max_degree)).all():
        raise ValueError(f"resolution is not in whole numbers from 0 to {widest.max_degree}")
    reached = _number(facts, "reached")
    return DensityRun(density=density, reached=reached, **own, **_common(facts, arrays, own["t"], len(own["t"])))


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
    return known | groups | {"flow": flow, "extra": facts}


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
    if real and (isinstance(told, float) or isfinite(check_whole(name, told, -MOST_EVALUATIONS, MOST_EVALUATIONS))):
        return told
    raise ValueError(f"{name} is {told!r}: it must be a number")
