"""Files of runs: npz archives without pickle, facts as JSON beside arrays."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

OBSERVABLE = "observable:"

Arrays = Mapping[str, NDArray[Any]]


def write_archive(path: str | Path, facts: Mapping[str, object], arrays: Arrays, observables: Arrays) -> None:
    """Write the facts of a run, its arrays and its observables to exactly this path."""
    named = {OBSERVABLE + name: values for name, values in observables.items()}
    with open(path, "wb") as file:
        np.savez_compressed(file, facts=json.dumps(facts), **arrays, **named)  # type: ignore[arg-type]


def read_archive(path: str | Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, NDArray[Any]]]:
    """The facts, arrays and observables of a file that :func:`write_archive` wrote.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_archive(f"{folder}/run.npz", {"n": 2}, {"t": np.arange(2)}, {"energy": np.ones(2)})
    ...     read_archive(f"{folder}/run.npz")
    ({'n': 2}, {'t': array([0, 1])}, {'energy': array([1., 1.])})

    Raises ValueError for a file that holds no run.
    """
    with open(path, "rb") as file:
        if file.read(4) != b"PK\x03\x04":
            raise ValueError(f"{path} is not a saved run: it is no npz archive")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as archive:
                contents = {name: archive[name] for name in archive.files}
        except (BadZipFile, zlib.error, ValueError) as error:
            raise ValueError(f"{path} is not a saved run: {error}") from error
    if "facts" not in contents:
        raise ValueError(f"{path} is not a saved run: it lacks facts")
    facts = json.loads(str(contents.pop("facts")))
    observables = {key.removeprefix(OBSERVABLE): array for key, array in contents.items() if key.startswith(OBSERVABLE)}
    return facts, {key: array for key, array in contents.items() if not key.startswith(OBSERVABLE)}, observables
