"""Matrix products of the linear algebra that scipy ships, called without Python's lock, in one thread.

As BLAS has them: a matrix is told by the place of its first number, and columns follow where numpy has rows.

>>> from ctypes import byref, c_int
>>> left, right, out = np.eye(2), np.array([[0.6, 0.8], [1.0, 0.0]]), np.empty((2, 2))
>>> gemm, number = PRODUCTS[DOUBLE].gemm, PRODUCTS[DOUBLE].number
>>> two, one, zero = byref(c_int(2)), byref(number(1)), byref(number(0))
>>> x, y, z = (array.ctypes.data for array in (left, right, out))
>>> gemm(b"N", b"N", two, two, two, one, y, two, x, two, zero, z, two)  # out = left @ right
>>> out
array([[0.6, 0.8],
       [1. , 0. ]])
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from ctypes import c_char_p, c_double, c_float, c_void_p
from dataclasses import dataclass
from functools import lru_cache
from threading import Event, Lock
from types import SimpleNamespace
from typing import Any

import numpy as np
from numba.extending import get_cython_function_address
from numpy.typing import NDArray
from scipy.linalg import cython_blas
from scipy.linalg.blas import get_blas_funcs

DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)

Real = NDArray[Any]
"""An array of float64, or of float32 for half the time and half the digits."""

Weigh = Callable[[Real], None]
"""What turns overlaps into weights, in place."""


def _routine(name: str, numbers: int) -> Callable[..., None]:
    kind = ctypes.CFUNCTYPE(None, c_char_p, c_char_p, *[c_void_p] * numbers)  # releases the interpreter lock
    return kind(get_cython_function_address("scipy.linalg.cython_blas", name))


@dataclass(frozen=True)
class Products:
    """Products of matrices: any two, one with itself (``syrk``), and of a symmetric one known by half (``symm``)."""

    gemm: Callable[..., None]
    syrk: Callable[..., None]
    symm: Callable[..., None]
    number: type[c_double] | type[c_float]


def _products(letter: str, number: type[c_double] | type[c_float]) -> Products:
    gemm, syrk, symm = (_routine(letter + name, count) for name, count in ROUTINES.items())
    return Products(gemm, syrk, symm, number)


ROUTINES = {"gemm": 11, "syrk": 8, "symm": 10}
FEW_ROUTINES = (*ROUTINES, "gemv", "symv")
PRODUCTS = {DOUBLE: _products("d", c_double), SINGLE: _products("s", c_float)}
"""By the type of numbers."""
FEW_PRODUCTS: dict[np.dtype[Any], Any] = {
    np.dtype(kind): SimpleNamespace(**{name: get_blas_funcs(name, dtype=kind) for name in FEW_ROUTINES})
    for kind in (np.float64, np.float32)
}
"""The same, and products with a vector, where a call is to say less and to cost less, for few tokens."""
_library = ctypes.CDLL(cython_blas.__file__)
_library_lock = Lock()


@contextmanager
def one_blas_thread() -> Iterator[bool]:
    """Hold these products to one thread, and whether that could be: OpenBLAS, as scipy ships it; else it keeps its own.

    >>> with one_blas_thread() as alone:
    ...     alone in (True, False)
    True
    """
    try:
        count, limit = _library.scipy_openblas_get_num_threads, _library.scipy_openblas_set_num_threads
    except AttributeError:
        yield False
        return
    with _library_lock:
        before = count()
        limit(1)
        try:
            yield True
        finally:
            limit(before)


def in_parallel(share: Callable[[int, Event], None], workers: int) -> None:
    """Call ``share(worker, stopped)`` for each worker: the first by the caller, whom an interrupt reaches.

    >>> parts = []
    >>> in_parallel(lambda worker, stopped: parts.append(worker), 3)
    >>> sorted(parts)
    [0, 1, 2]
    """
    stopped = Event()
    if workers == 1:
        share(0, stopped)
        return
    others = [_pool(os.getpid()).submit(share, worker, stopped) for worker in range(1, workers)]
    try:
        share(0, stopped)
        wait(others)
    finally:
        stopped.set()
        wait(others)
    for other in others:
        other.result()


@lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:
    # Kept from call to call, and made anew in a forked process, which inherits no threads.
    return ThreadPoolExecutor()
