"""Runs as tables of other libraries: an ``xarray.Dataset`` or a ``pandas.DataFrame``, imported when asked for."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.runs.run import DensityRun, Run
from gegenflow.numerics.tokens.geometry import Array

if TYPE_CHECKING:
    import pandas
    import xarray

WIDEST_INTEGER = 2**31  # beyond it an attribute does not go into every kind of netCDF file, and becomes text

Arrays = Mapping[str, NDArray[Any]]


def run_dataset(run: Run) -> xarray.Dataset:
    """A run over the coordinate ``time``: tokens, their weights, radii and paths, observables, facts as attributes.

    Attributes can be written to a netCDF file: None is "none", truth values are 0 and 1, mappings are JSON.

    Raises ImportError where xarray is not installed.  Source: derived here.
    """
    variables: dict[str, Any] = {
        "tokens": (("token", "axis"), run.tokens),
        "weights": (("token",), run.weights),
        "radii": (("token",), run.radii),
        "trajectories": (("time", "tracked", "axis"), run.trajectories),
        "merges": (("merge", "time_and_clusters"), run.merges),
    }
    facts = {"evaluations": run.evaluations, "field_error": run.field_error, "error": run.error}
    return _dataset(run, variables, facts)


def density_dataset(run: DensityRun) -> xarray.Dataset:
    """A run of a density over the coordinate ``time``: coefficients, minimum, resolution and observables.

    Raises ImportError where xarray is not installed.  Source: derived here.
    """
    variables: dict[str, Any] = {
        "coefficients": (("time", "mode"), run.coefficients),
        "minimum": (("time",), run.minimum),
        "resolution": (("time",), run.resolution),
        "last": (("last_mode",), run.density.coefficients),
    }
    facts = {"density": type(run.density).__name__, "dim": run.density.dim, "reached": run.reached}
    return _dataset(run, variables, facts | {"evaluations": run.evaluations})


def frame(times: Array, observables: Arrays) -> pandas.DataFrame:
    """Numbers over time: a column for each observable, for each entry of one that has several.

    >>> frame(np.arange(2.0), {"energy": np.ones(2), "power": np.zeros((2, 2))}).columns.tolist()
    ['energy', 'power_0', 'power_1']

    Raises ImportError where pandas is not installed.  Source: derived here.
    """
    pd = _library("pandas")
    columns = {}
    for name, values in observables.items():
        for place in np.ndindex(values.shape[1:]):
            columns["_".join([name, *map(str, place)])] = values[(slice(None), *place)]
    table: pandas.DataFrame = pd.DataFrame(columns, index=pd.Index(times, name="time"))
    return table


def attribute(value: object) -> str | int | float:
    """A fact as an attribute that netCDF files take.

    >>> [attribute(value) for value in (None, True, 2.5, {"a": [1]}, 2**40)]
    ['none', 1, 2.5, '{"a": [1]}', '1099511627776']
    """
    if value is None:
        return "none"
    if isinstance(value, bool | int):
        return int(value) if abs(value) < WIDEST_INTEGER else str(value)
    return value if isinstance(value, float | str) else json.dumps(value, default=str)


def _dataset(run: Run | DensityRun, variables: dict[str, Any], facts: dict[str, Any]) -> xarray.Dataset:
    for name, values in run.observables.items():
        inner = tuple(f"{name}_{place}" for place in range(values.ndim - 1))
        variables[name if name not in variables else f"observed_{name}"] = (("time", *inner), values)
    facts |= {"status": str(run.status), "ok": run.status.ok, "version": run.version, "seconds": run.seconds}
    for name, value in run.parameters.items():
        if isinstance(value, np.ndarray):
            variables[name] = (tuple(f"{name}_{place}" for place in range(value.ndim)), value)
        else:
            facts[name] = value
    attributes: dict[Hashable, Any] = {name: attribute(value) for name, value in facts.items()}
    made: xarray.Dataset = _library("xarray").Dataset(variables, coords={"time": run.t}, attrs=attributes)
    return made


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"{name} is needed for this and is not installed: pip install {name}") from error
