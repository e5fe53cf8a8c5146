"""The sums of attention over few tokens by one tile: in products that know symmetry, or in shares of its rows."""

from __future__ import annotations

from ctypes import byref, c_int
from threading import Event

import numpy as np
from numba import get_num_threads

from gegenflow.numerics.fields.products import FEW_PRODUCTS, PRODUCTS, Real, Weigh, in_parallel, one_blas_thread

PARALLEL_FROM = 100_000_000  # pairs times (dim + 16): below it a second thread, if it sleeps, costs more than it saves
ROWS = 256  # of a share, whose weights are held at once


def one_tile(tokens: Real, keys: Real, weights: Real, weigh: Weigh, symmetric: bool, pull: Real, total: Real) -> None:
    r"""Write the pull on each token before any projection, shape=[n, dim], and its normaliser without its own part.

    .. math:: A_i = \sum_{j \ne i} w_j h(\langle x_i, k_j\rangle) x_j, \qquad
              \sum_{j \ne i} w_j h(\langle x_i, k_j\rangle)

    ``keys`` are the tokens themselves where ``symmetric``; all arrays have one type and rows one after another.

    >>> pull, total = np.empty((2, 2)), np.empty(2)
    >>> one_tile(np.eye(2), np.eye(2), np.array([0.25, 0.75]), lambda tile: np.exp(tile, out=tile), True, pull, total)
    >>> pull, total
    (array([[0.  , 0.75],
           [0.25, 0.  ]]), array([0.75, 0.25]))
    """
    (n, dim), threads = tokens.shape, get_num_threads()
    with one_blas_thread() as alone:
        if alone and threads > 1 and n * n * (dim + 16) >= PARALLEL_FROM and pull.flags.c_contiguous:
            _in_shares(tokens, keys, weights, weigh, pull, total, threads)
        else:
            _in_one(tokens, keys, weights, weigh, symmetric, pull, total)


def _in_one(tokens: Real, keys: Real, weights: Real, weigh: Weigh, symmetric: bool, pull: Real, total: Real) -> None:
    multiply = FEW_PRODUCTS[tokens.dtype]
    equal = bool((weights == weights[0]).all())
    mass, sources = (weights[0], tokens) if equal else (1.0, weights[:, None] * tokens)
    out = {"c": pull.T, "overwrite_c": 1}
    tile = multiply.syrk(1.0, tokens.T, trans=1) if symmetric else multiply.gemm(1.0, keys.T, tokens.T, trans_a=1)
    weigh(tile.T)  # one half of it counts nowhere where both are the same
    tile.T.reshape(-1)[:: len(tile) + 1] = 0  # the pull of a token on itself is exactly zero
    if symmetric:
        total[...] = multiply.symv(1.0, tile, weights)
        product = multiply.symm(mass, tile, sources.T, side=1, **out).T
    else:
        total[...] = multiply.gemv(1.0, tile, weights, trans=1)
        product = multiply.gemm(mass, sources.T, tile, **out).T
    if not np.may_share_memory(product, pull):  # which a pull of another layout makes
        pull[...] = product


def _in_shares(tokens: Real, keys: Real, weights: Real, weigh: Weigh, pull: Real, total: Real, workers: int) -> None:
    # BLAS reads columns where numpy has rows: C = A B is asked for as C^T = B^T A^T
    (n, dim), multiply = tokens.shape, PRODUCTS[tokens.dtype]
    one, zero = byref(multiply.number(1)), byref(multiply.number(0))
    width, length, x, y = byref(c_int(dim)), byref(c_int(n)), tokens.ctypes.data, keys.ctypes.data
    row, bounds = tokens.strides[0], [n * worker // workers for worker in range(workers + 1)]
    scratch = np.empty((workers, ROWS, n), tokens.dtype)

    def share(worker: int, stopped: Event) -> None:
        for first in range(bounds[worker], bounds[worker + 1], ROWS):
            if stopped.is_set():
                return
            stop = min(first + ROWS, bounds[worker + 1])
            tile, height, step = scratch[worker, : stop - first], byref(c_int(stop - first)), first * row
            t, own, out = tile.ctypes.data, x + step, pull.ctypes.data + step
            multiply.gemm(b"T", b"N", length, height, width, one, y, width, own, width, zero, t, length)
            weigh(tile)
            tile.reshape(-1)[first :: n + 1] = 0
            tile *= weights
            tile.sum(axis=1, out=total[first:stop])
            multiply.gemm(b"N", b"N", width, height, length, one, x, width, t, length, zero, out, width)

    in_parallel(share, workers)
