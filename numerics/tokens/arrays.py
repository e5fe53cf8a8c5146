"""Arrays in files: npy, npz and safetensors without pickle, sizes checked before anything is inflated, and text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import prod
from typing import IO, Any, BinaryIO
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

NUMBERS = "biufc"
"""The kinds of dtypes that are numbers."""
MOST_BYTES = 2**30
"""Bytes that the arrays of a compressed file may take."""
MOST_MEMBERS, MOST_DIMS, LONGEST_HEADER = 1000, 8, 10**8
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
SAFE_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"} | {
    f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)
}
"""What safetensors call the dtypes that are read; the 16 bits of BF16 are the upper half of an F32."""

Arrays = dict[str, NDArray[Any]]


def read_npy(stream: IO[bytes], size: int, kinds: str = NUMBERS) -> NDArray[Any]:
    """The array of a npy stream of that many bytes, read only after its header has been found to account for each.

    >>> from io import BytesIO
    >>> file = BytesIO()
    >>> np.save(file, np.arange(3))
    >>> read_npy(BytesIO(file.getvalue()), len(file.getvalue()))
    array([0, 1, 2])

    Raises ValueError for dtypes of other ``kinds``, more than eight dimensions and a size that is not that of its
    shape, and whatever numpy raises at a broken header.
    """
    version = np.lib.format.read_magic(stream)
    if version not in HEADERS:
        raise ValueError(f"its format {version} is not known")
    shape, in_columns, dtype = HEADERS[version](stream)
    held = prod(shape) * dtype.itemsize
    if dtype.kind not in kinds or len(shape) > MOST_DIMS:
        raise ValueError(f"it has dtype {dtype} and shape {shape}")
    if stream.tell() + held != size:
        raise ValueError(f"it has {size} bytes, not those of shape {shape}")
    content = stream.read(held) + stream.read(1)  # reading to the end compares the checksum of an archive
    array = np.frombuffer(content, dtype, prod(shape)) if held else np.empty(0, dtype)
    return array.reshape(shape, order="F" if in_columns else "C").astype(dtype.newbyteorder("="), copy=False)


def npz_names(archive: ZipFile) -> list[str]:
    """The names of the arrays of an archive; refuses more than a thousand, and two of one name."""
    names = [member.filename.removesuffix(".npy") for member in archive.infolist()]
    if len(names) > MOST_MEMBERS or len({*names}) < len(names):
        raise ValueError(f"it has {len(names)} members, over {MOST_MEMBERS} or two of one name")
    return names


def read_npz(archive: ZipFile, kinds: dict[str, str], most_bytes: int = MOST_BYTES) -> Arrays:
    """Those arrays of an archive that are named, of these kinds of dtypes; others are not even looked at.

    >>> from io import BytesIO
    >>> file = BytesIO()
    >>> np.savez(file, ones=np.ones(2), names=np.array(["a"]))
    >>> read_npz(ZipFile(file), {"ones": NUMBERS})
    {'ones': array([1., 1.])}

    Raises ValueError, before anything is inflated, where they take more than ``most_bytes`` in all.
    """
    members = dict(zip(npz_names(archive), archive.infolist(), strict=True))
    wanted = {name: members[name] for name in kinds}
    if (total := sum(member.file_size for member in wanted.values())) > most_bytes:
        raise ValueError(f"its arrays take {total} bytes, over max_bytes = {most_bytes}")
    found = {}
    for name, member in wanted.items():
        with archive.open(member) as stream:
            try:
                found[name] = read_npy(stream, member.file_size, kinds[name])
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
    return found


def read_safetensors(file: BinaryIO, size: int) -> Arrays:
    r"""The arrays of a safetensors file of that many bytes.

    Eight bytes, the length N of the header, little-endian; N bytes of JSON, for each name a "dtype", a "shape" and
    "data_offsets" [begin, end) behind the header, which leave no byte out; "__metadata__" is passed over.

    >>> from io import BytesIO
    >>> header = b'{"x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}'
    >>> content = len(header).to_bytes(8, "little") + header + bytes.fromhex("803f 20c0")
    >>> read_safetensors(BytesIO(content), len(content))
    {'x': array([ 1. , -2.5], dtype=float32)}

    Raises ValueError for anything that does not keep to this, and for truth values and floats of eight bits.  Source:
    the documentation of the format; read here without its library.
    """
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(size - 8, LONGEST_HEADER):
        raise ValueError(f"its header is said to have {length} bytes, the file has {size}")
    header = json.loads(file.read(length).decode(), object_pairs_hook=_distinct)
    if not isinstance(header, dict):
        raise ValueError("its header is no mapping")
    told = {name: _tensor(name, entry) for name, entry in header.items() if name != "__metadata__"}
    ends = sorted((begin, end) for _, _, begin, end in told.values())
    if [0, *(end for _, end in ends)] != [*(begin for begin, _ in ends), size - 8 - length]:
        raise ValueError(f"its arrays do not fill the {size - 8 - length} bytes behind the header")
    content = file.read()
    found = {}
    for name, (dtype, shape, begin, end) in told.items():
        array = np.frombuffer(content[begin:end], SAFE_DTYPES[dtype]).reshape(shape)
        found[name] = (array.astype(np.uint32) << 16).view(np.float32) if dtype == "BF16" else array
    return found


def read_table(file: BinaryIO) -> NDArray[np.float64]:
    """The numbers of a text, shape=[rows, columns], parted by commas, semicolons or blanks; # begins a comment.

    >>> from io import BytesIO
    >>> read_table(BytesIO(b"x, y\\n1, 2\\n3, 4  # the last one\\n"))
    array([[1., 2.],
           [3., 4.]])

    A first row without a number, or of the numbers 0, 1, 2 and on, names the columns.

    Raises ValueError for anything else, with the number of the line, for a column without a name beside others
    with one, and where a row of 0 and 1 may be either.
    """
    lines = file.read().decode("utf-8-sig").splitlines()
    said = _said(lines)
    start, first = next(said, (0, ""))
    mark = next((mark for mark in ";," if mark in first), None)
    words = [word.strip().strip("\"'") for word in first.split(mark)]
    _, second = next(said, (0, ""))
    if first and _names_columns(words, second):
        lines[start], first = "", second
    if not first:
        raise ValueError("it holds no numbers")
    try:
        return np.loadtxt(lines, delimiter=mark, ndmin=2, dtype=np.float64)
    except ValueError as error:
        raise ValueError(_fault(lines, mark) or str(error)) from None


def _fault(lines: list[str], mark: str | None) -> str | None:
    columns = None
    for number, said in _said(lines):
        words = said.split(mark)
        if wrong := [word for word in words if not _is_number(word)]:
            return f"line {number + 1}: {wrong[0].strip()!r} is no number"
        columns = columns or len(words)
        if len(words) != columns:
            return f"line {number + 1} has {len(words)} numbers, those before have {columns}"
    return None


def _names_columns(words: list[str], below: str) -> bool:
    if not any(map(_is_number, words)):
        if words[1:] and not all(words):
            raise ValueError("a column has no name, as a numbering of the rows; leave it out")
        return True
    counted = words == [str(number) for number in range(len(words))]
    if counted and len(words) == 2 and "." in below:
        raise ValueError("its first row, 0 and 1, may be a token or number the columns; write 0.0 and 1.0, or names")
    return counted and len(words) > 2


def _said(lines: list[str]) -> Iterator[tuple[int, str]]:
    return ((number, said) for number, line in enumerate(lines) if (said := line.split("#")[0].strip()))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("its header names something twice")
    return dict(pairs)


def _tensor(name: str, entry: Any) -> tuple[str, list[int], int, int]:
    # dtype, shape, begin and end of an array, as far as they go together
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= {*entry}:
        raise ValueError(f"{name} lacks its dtype, shape or data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in SAFE_DTYPES:
        raise ValueError(f"{name} has dtype {dtype!r}; read are {', '.join(SAFE_DTYPES)}")
    whole = all(
        isinstance(numbers, list) and all(type(n) is int and n >= 0 for n in numbers) for numbers in (shape, offsets)
    )
    if not whole or len(shape) > MOST_DIMS or len(offsets) != 2:
        raise ValueError(f"{name} has shape {shape!r} and data_offsets {offsets!r}")
    if offsets[1] - offsets[0] != prod(shape) * np.dtype(SAFE_DTYPES[dtype]).itemsize:
        raise ValueError(f"{name} has {offsets[1] - offsets[0]} bytes, not those of {dtype} and shape {shape}")
    return dtype, shape, offsets[0], offsets[1]
