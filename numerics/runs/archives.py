"""Files of runs: npz archives without pickle, facts as JSON beside arrays; nothing in them is believed unseen."""

import json
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.tokens.files import checked_path, write_atomically
from gegenflow.numerics.tokens.refusals import Refused

FORMAT = 1
"""The number of the format written here; 0 is that of files without one."""
MOST_BYTES = 2**30
MOST_MEMBERS, MOST_DIMS = 1000, 8
NUMBERS = "biufc"

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
    if file.read(4) != b"PK\x03\x04":
        raise ValueError("it is no npz archive")
    with ZipFile(file) as archive:
        names = [member.filename.removesuffix(".npy") for member in archive.infolist()]
        if len(names) > MOST_MEMBERS or len({*names}) < len(names):
            raise ValueError(f"it has {len(names)} members, over {MOST_MEMBERS} or two of one name")
        wanted = {
            name: member
            for name, member in zip(names, archive.infolist(), strict=True)
            if name == "facts" or known(name)
        }
        if "facts" not in wanted:
            raise ValueError("it lacks facts")
        if (total := sum(member.file_size for member in wanted.values())) > max_bytes:
            raise ValueError(f"its arrays take {total} bytes, over max_bytes = {max_bytes}")
        facts = json.loads(str(_array(archive, wanted.pop("facts"), "U").reshape(())[()]))
        if not isinstance(facts, dict):
            raise ValueError("its facts are no mapping")
        return facts, {name: _array(archive, member, NUMBERS) for name, member in wanted.items()}


def _array(archive: ZipFile, member: ZipInfo, kinds: str) -> NDArray[Any]:
    """One array, inflated only after its header has been found to account for every byte."""
    with archive.open(member) as stream:
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, in_columns, dtype = read[np.lib.format.read_magic(stream)](stream)
        size = prod(shape) * dtype.itemsize
        if dtype.kind not in kinds or len(shape) > MOST_DIMS:
            raise ValueError(f"{member.filename} has dtype {dtype} and shape {shape}")
        if stream.tell() + size != member.file_size:
            raise ValueError(f"{member.filename} has {member.file_size} bytes, not those of shape {shape}")
        content = stream.read(size) + stream.read(1)  # reading to the end compares the checksum
    array = np.frombuffer(content, dtype, prod(shape)) if size else np.empty(0, dtype)
    return array.reshape(shape, order="F" if in_columns else "C").astype(dtype.newbyteorder("="), copy=False)
