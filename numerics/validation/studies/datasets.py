"""A study as one labelled array: the xarray Dataset that a sweep leaves beside its runs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from shutil import rmtree
from typing import TYPE_CHECKING, Any

import numpy as np

from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.parameters import PARAMETERS
from gegenflow.numerics.validation.studies.store import Finished, Store, reading

if TYPE_CHECKING:
    from xarray import Dataset

DATA = "data.zarr"
UNITS = {"time": "time of the flow", "t": "time of the flow", "seconds": "s"}
"""Units of what is not a pure number."""
TEXTS = {
    "predicted": "what the theory says",
    "measured": "what the simulation found",
    "error": "error bar, one standard deviation or a bound",
    "off_by": "distance of prediction and measurement in error bars",
    "chance": "how often a true prediction is off by as much",
    "t": "saved times",
    "seconds": "time of the computation",
}


def open_study(folder: str | Path) -> Dataset:
    """The finished runs of a study as an xarray Dataset (extra ``studies``), also while a sweep is at work.

    Its dimensions are the parameters that vary, where the points are all their combinations, else "point" with the
    parameters as coordinates; then "repetition", and "check", the number of a check of a law, or "step", that of a
    saved time of a simulation, and what an observable has. What is not there is nan, and "failure" says why. Attributes
    hold the study with its seed, the versions of all packages and the machine. The same is in ``data.zarr`` of the
    folder, which ``xarray.open_zarr`` reads without this package.

    :param folder: that of the study

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from tempfile import TemporaryDirectory
    >>> from gegenflow.numerics.validation.studies import Study, sweep
    >>> with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
    ...     _ = sweep(Study("hitting times", grid={"tokens": [3, 4]}), folder, executor=executor)
    ...     dict(open_study(folder).sizes)
    {'tokens': 2, 'repetition': 1, 'check': 1}

    Raises ValueError where the folder holds no study, or xarray is missing. Source: derived here.

    See also :func:`.sweep`.
    """
    with reading(folder) as store:
        return dataset_of(store)


def dataset_of(store: Store) -> Dataset:
    """The Dataset of what is in a store."""
    try:
        from xarray import Dataset
    except ImportError as error:
        raise Refused("folder", None, "labelled arrays need xarray: the extra gegenflow[studies]") from error
    runs, facts = list(store.finished()), store.facts()
    attributes = {name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items()}
    if not runs:
        return Dataset(attrs=attributes)
    axes, place = _axes(runs)
    repetitions = 1 + max(run.planned.repetition for run in runs)
    shape = (*map(len, axes.values()), repetitions)
    places = [(*place(run), run.planned.repetition) for run in runs]
    heads = [*axes, "repetition"]
    first = "check" if any("name" in run.outcome for run in runs) else "step"
    variables: dict[str, Any] = {}
    for name in dict.fromkeys(name for run in runs for name in run.outcome):
        filled = _filled(shape, places, [run.outcome.get(name) for run in runs])
        own = [first, *(f"{name}_{i}" for i in range(1, filled.ndim - len(shape)))]
        variables[name] = ([*heads, *own[: filled.ndim - len(shape)]], filled, _words(name))
    failures = [np.array(run.error or "", dtype=np.str_) for run in runs]
    variables["failure"] = (heads, _filled(shape, places, failures))
    variables["run"] = (heads, _filled(shape, places, [np.array(run.planned.run) for run in runs], 0))
    variables["seconds"] = (heads, _filled(shape, places, [np.array(run.seconds) for run in runs]), _words("seconds"))
    points = {tuple(place(run)): run.planned.parameters for run in runs}
    coordinates = _coordinates(axes, points) | {"repetition": np.arange(repetitions)}
    return Dataset(variables, coordinates, attributes)


def save_dataset(store: Store, folder: Path) -> None:
    """Put the Dataset into ``data.zarr`` of the folder, in the place of an earlier one once it is whole."""
    new, old = (folder / f".gegenflow-{token_hex(8)}.part" for _ in range(2))
    try:
        dataset_of(store).to_zarr(new, mode="w", zarr_format=2, consolidated=True)
        with suppress(FileNotFoundError):
            os.replace(folder / DATA, old)
        os.replace(new, folder / DATA)
    finally:
        for left in (new, old):
            rmtree(left, ignore_errors=True)


def _axes(runs: Sequence[Finished]) -> tuple[dict[str, list[Any]], Any]:
    """The dimensions of the points and their values, and where a run lies on them."""
    points = list({json.dumps(run.planned.parameters): run.planned.parameters for run in runs}.values())
    found = {name: list(dict.fromkeys(point[name] for point in points)) for name in points[0]}
    varying = {name: values for name, values in found.items() if len(values) > 1}
    if np.prod([len(values) for values in varying.values()]) == len(points):
        ranks = {name: {value: rank for rank, value in enumerate(values)} for name, values in varying.items()}
        return varying, lambda run: [ranks[name][run.planned.parameters[name]] for name in varying]
    order = {json.dumps(point): rank for rank, point in enumerate(points)}
    return {"point": list(range(len(points)))}, lambda run: [order[json.dumps(run.planned.parameters)]]


def _coordinates(axes: Mapping[str, Sequence[Any]], points: Mapping[tuple[int, ...], Mapping[str, Any]]) -> Any:
    names = next(iter(points.values()))
    found: dict[str, Any] = {}
    for name in names:
        if name in axes:
            found[name] = (name, _column(axes[name]), _words(name))
        elif "point" in axes:
            found[name] = ("point", _column([points[place][name] for place in sorted(points)]), _words(name))
        else:
            found[name] = ((), _column([names[name]])[0], _words(name))
    return found


def _column(values: Sequence[Any]) -> Any:
    # numbers as numbers, exact ones too where all are decimals; anything else as words
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        return np.array(["" if value is None else str(value) for value in values], dtype=np.str_)
    whole = all(isinstance(value, int) for value in values)
    return np.array(values) if whole else np.array(numbers)


def _words(name: str) -> dict[str, str]:
    text = PARAMETERS[name].text if name in PARAMETERS else TEXTS.get(name, name)
    return {"long_name": text, "units": UNITS.get(name, "1")}


def _filled(shape: tuple[int, ...], places: Sequence[Any], values: Sequence[Any], missing: Any = np.nan) -> Any:
    """One array of those of all runs, ``missing`` where there is none or it is shorter."""
    arrays = [value for value in values if value is not None]
    texts = arrays[0].dtype.kind == "U"
    inner = tuple(max(sizes) for sizes in zip(*(array.shape for array in arrays), strict=True))
    kind = np.result_type(*{array.dtype for array in arrays}, *([] if texts else [type(missing)]))
    filled = np.full((*shape, *inner), "" if texts else missing, dtype=kind)
    for place, value in zip(places, values, strict=True):
        if value is not None:
            filled[(*place, *map(slice, value.shape))] = value
    return filled
