"""Files of runs: npz archives without pickle, facts as JSON beside arrays; nothing in them is believed unseen."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.tokens.arrays import MOST_BYTES, NUMBERS, npz_names, read_npz
from gegenflow.numerics.tokens.files import checked_path, write_atomically
from gegenflow.numerics.tokens.reading import FACTS, ZIP
from gegenflow.numerics.tokens.refusals import Refused

FORMAT = 1
"""The number of the format written here; 0 is that of files without one."""

Facts = dict[str, Any]
Arrays = Mapping[str, NDArray[Any]]


def write_archive(path: str | Path, facts: Mapping[str, object], arrays: Arrays) -> None:
    """Write facts and named arrays of numbers to exactly this path, see :func:`write_atomically`.

    Raises ValueError for an array that holds anything but numbers.
    """
    for name, array in arrays.items():
        if array.dtype.kind not in NUMBERS:
            raise Refused(name, None, f"it has dtype {array.dtype}, only arrays of numbers can be saved")
    text = json.dumps({"format": FORMAT, **facts})
    write_atomically(path, lambda file: np.savez_compressed(file, facts=np.array(text), **arrays))  # type: ignore[arg-type]


def read_archive(
    path: str | Path, known: Callable[[str], bool], max_bytes: int = MOST_BYTES
) -> tuple[Facts, dict[str, NDArray[Any]]]:
    """The facts and the ``known`` arrays of a file that :func:`write_archive` wrote; others are not even looked at.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_archive(f"{folder}/run.npz", {"n": 2}, {"t": np.arange(2), "other": np.ones(3)})
    ...     read_archive(f"{folder}/run.npz", {"t"}.__contains__)
    ({'format': 1, 'n': 2}, {'t': array([0, 1])})

    Names, dtypes and sizes are read from the headers, and nothing is inflated that does not keep to them or that is
    over ``max_bytes`` in all.

    Raises ValueError, with the path, for a file that holds no run; OSError where it cannot be opened.
    """
    with open(checked_path(path), "rb") as file:
        try:
            return _read(file, known, max_bytes)
        except Exception as error:  # whatever zipfile, numpy and json raise at bytes that make no sense
            raise ValueError(f"{path} is not a saved run: {error or type(error).__name__}") from error


def _read(file: BinaryIO, known: Callable[[str], bool], max_bytes: int) -> tuple[Facts, dict[str, NDArray[Any]]]:
    if file.read(4) != ZIP:
        raise ValueError("it is no npz archive")
    with ZipFile(file) as archive:
        kinds = {name: NUMBERS for name in npz_names(archive) if known(name)}
        if FACTS not in npz_names(archive):
            raise ValueError("it lacks facts")
        arrays = read_npz(archive, {**kinds, FACTS: "U"}, max_bytes)
    facts = json.loads(str(arrays.pop(FACTS).reshape(())[()]))
    if not isinstance(facts, dict):
        raise ValueError("its facts are no mapping")
    return facts, arrays
