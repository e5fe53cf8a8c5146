"""Matrix products of the linear algebra that scipy ships, called without Python's lock, in one thread.

>>> tokens = np.array([[0.6, 0.8], [1.0, 0.0]])
>>> PRODUCTS[DOUBLE](1.0, tokens.T, tokens.T, trans_a=1)  # overlaps
array([[1. , 0.6],
       [0.6, 1. ]])
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_char_p, c_double, c_float, c_void_p
from threading import Lock
from typing import Any

import numpy as np
from numba.extending import get_cython_function_address
from scipy.linalg import cython_blas
from scipy.linalg.blas import dgemm, sgemm

_gemm_type = ctypes.CFUNCTYPE(None, c_char_p, c_char_p, *[c_void_p] * 11)  # releases the interpreter lock
DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)
GEMM = {
    DOUBLE: (_gemm_type(get_cython_function_address("scipy.linalg.cython_blas", "dgemm")), c_double),
    SINGLE: (_gemm_type(get_cython_function_address("scipy.linalg.cython_blas", "sgemm")), c_float),
}
"""By the type of numbers: a product as BLAS has it, and the type of a number in C."""
PRODUCTS: dict[np.dtype[Any], Callable[..., Any]] = {DOUBLE: dgemm, SINGLE: sgemm}
"""The same where a call is to say less, for few tokens."""
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
