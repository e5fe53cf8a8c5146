"""Tokens from files: arrays of vectors or of angles in several formats, and the last tokens of saved runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.tokens.arguments import check_array
from gegenflow.numerics.tokens.arrays import NUMBERS, npz_names, read_npy, read_npz, read_safetensors, read_table
from gegenflow.numerics.tokens.files import checked_path
from gegenflow.numerics.tokens.geometry import Array, check_tokens, check_weights, circle_points
from gegenflow.numerics.tokens.geometry import normalize as unit_vectors

ZIP, NPY = b"PK\x03\x04", b"\x93NUMPY"
FACTS = "facts"  # the member of an archive that makes it a saved run
EQUAL = 1e-12  # weights this close, relative to the largest, are one


def read_tokens(path: str | Path, *, normalize: bool = False) -> Array:
    r"""Tokens from a file, one a row, shape=[n, dim].

    A one-dimensional array, or a single column of text, holds angles in radians:

    .. math:: x_j = (\cos\theta_j, \sin\theta_j)

    A saved run gives the tokens that it ended with, directions where they have lengths.

    :param path: a .npy file, a .npz or .safetensors file with one array, or text, .csv or .txt, of one row of numbers
        a token, parted by commas, semicolons or blanks, with or without a row of names
    :param normalize: make every row a unit vector; False (default): rows that are none are refused

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "angles.txt").write_text("0\n1.5707963267948966\n")
    ...     read_tokens(f"{folder}/angles.txt").round(15)
    array([[1., 0.],
           [0., 1.]])

    Raises ValueError, with the path, for a file that holds anything else: several arrays, objects (nothing is
    unpickled), fewer bytes than its header says, rows that are not unit vectors, with the number of the first, a
    density, a run whose tokens have weights of their own, which :func:`gegenflow.numerics.load` keeps.  OSError where
    it cannot be opened.

    See also :func:`.load`, :func:`.normalize`.
    """
    file_path = checked_path(path)
    with open(file_path, "rb") as file:
        try:
            if not file_path.is_file():
                raise ValueError("it is no regular file")
            array = _array(file, os.fstat(file.fileno()).st_size, file_path.suffix)
            if array.ndim == 1 and array.size and array.dtype.kind in "iuf":
                return circle_points(check_array("angles", array, "(n,)", None))
            return unit_vectors(array) if normalize else check_tokens(array)
        except Exception as error:  # whatever zipfile, numpy and json raise at bytes that make no sense
            raise ValueError(f"{path}: {error or type(error).__name__}") from error


def holds_run(path: str | Path) -> bool:
    """Whether a file is an archive with what makes it a saved run, of tokens or of a density.

    Raises OSError where it cannot be opened.
    """
    with open(checked_path(path), "rb") as file:
        if file.read(4) != ZIP:
            return False
        try:
            with ZipFile(file) as archive:
                return FACTS in npz_names(archive)
        except Exception:  # a broken archive; who reads it says how
            return False


def _array(file: BinaryIO, size: int, suffix: str) -> NDArray[Any]:
    """The one array of a file, by what it begins with or, of those without a beginning of their own, by its suffix."""
    start = file.read(9)
    file.seek(0)
    if start[:4] == ZIP:
        with ZipFile(file) as archive:
            return _of_archive(archive)
    if start[:6] == NPY:
        return read_npy(file, size)
    if suffix == ".safetensors" or start[8:] == b"{":
        return _only(read_safetensors(file, size))
    if suffix in (".npy", ".npz"):
        raise ValueError(f"it is no {suffix} file")
    try:
        table = read_table(file)
    except UnicodeDecodeError:
        raise ValueError("it is neither a .npy, .npz or .safetensors file nor text") from None
    return table[:, 0] if table.shape[1] == 1 else table


def _of_archive(archive: ZipFile) -> NDArray[Any]:
    names = npz_names(archive)
    if FACTS not in names:
        return _only(read_npz(archive, dict.fromkeys(names, NUMBERS)))
    if not {"tokens", "weights"} <= {*names}:
        raise ValueError("it holds the run of a density, not of tokens")
    held = read_npz(archive, {"tokens": NUMBERS, "weights": NUMBERS})
    if np.ptp(check_weights(held["weights"], len(held["tokens"]))) > EQUAL:
        raise ValueError("it is a run of tokens with weights of their own, which load keeps")
    return held["tokens"]


def _only(arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
    if len(arrays) != 1:
        names = f": {', '.join(arrays)}" if arrays else ""
        raise ValueError(f"it holds {len(arrays)} arrays, one is expected{names}")
    return next(iter(arrays.values()))
