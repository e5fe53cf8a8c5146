"""The sums of attention by tiles between matrix products: any dimension, many tokens, O(n dim) memory a thread.

Each unordered pair of blocks of tokens is visited once: one matrix product gives their overlaps, the weights replace
them in place, and two products add the pull of either block on the other.  Threads take the tiles in a fixed order,
each with linear algebra held to one thread, so that repeated calls agree to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from ctypes import byref, c_int
from functools import partial
from itertools import chain, combinations, islice, pairwise, product, takewhile
from math import ceil
from threading import Event

import numpy as np
from numba import get_num_threads, njit

from gegenflow.numerics.fields.compiled.elementary import LOG2_E, exp2
from gegenflow.numerics.fields.one_tile import one_tile
from gegenflow.numerics.fields.products import PRODUCTS, Real, Weigh, in_parallel, one_blas_thread
from gegenflow.numerics.fields.sums import PLAIN, Method, Size, Sums, room_for_sums
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.weights import Attention
from gegenflow.numerics.tokens.refusals import Refused

Tile = tuple[slice, slice]

WIDE, NUMBERS = 64, 4000  # dim and numbers in all from which they are faster: measured 1 to 2.5 times beyond
WIDE_KERNEL, FROM_KERNEL, NUMBERS_KERNEL = 16, 1000, 1000  # the same for a kernel; and so many tokens from dim 4 on
TILE = 512  # tokens a block at most
WIDE_TILE, LARGE_TILE = 256, 1024  # dim from which one tile may hold more: it needs no room for sums of its own
SPLIT = 2  # for threads, blocks come in multiples of it: tiles then share out evenly between two
PARALLEL_FROM = 10_000_000  # pairs times (dim + 16): below it a second thread costs more than it saves
LEAST_SINGLE = -80.0  # powers of two below it, beside a token's own of 1, are 0: products with them would be denormal
LARGEST_EXPONENT = {"float64": 599.0, "float32": 85.0}  # of either sign, within which exp is exact to rounding


class Tiles(Method):
    """Matrix products of blocks of tokens, any dim and any weight, with a query_key or without."""

    name, takes = "tiles", frozenset({PLAIN, frozenset({"query_key"})})

    def pays(self, n: int, dim: int, flow: Flow) -> bool:
        """For wide tokens unless they are few; for a kernel from dim 4 on for many, too."""
        if flow.beta is not None:
            return dim >= WIDE and n * dim >= NUMBERS
        return (dim >= 4 and n >= FROM_KERNEL) or (dim >= WIDE_KERNEL and n * dim >= NUMBERS_KERNEL)

    def prepare(self, flow: Flow, size: Size, tol: float) -> Sums:
        """Nothing to prepare but the error, about a rounding of each overlap."""
        if flow.query_key is not None:
            check_exponents(flow.attention, size.reach, "float64")
        take = partial(tile_sums, attention=flow.attention, query_key=flow.query_key)
        return Sums(take, size.rounding(flow))


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is refused
def tile_sums(
    tokens: Real,
    weights: Real,
    attention: Attention,
    *,
    query_key: Real | None = None,
    out: tuple[Real, Real] | None = None,
    normalizer: bool = True,
) -> tuple[Real, Real]:
    r"""The two sums of attention in units of :math:`e^\beta`, as :func:`dense_sums`, many tokens at a time.

    .. math:: F_i = P_{x_i}\sum_j w_j e^{\beta(s_{ij} - 1)} x_j, \qquad Z_i = \sum_j w_j e^{\beta(s_{ij} - 1)},
              \qquad s_{ij} = \langle x_i, B x_j\rangle

    with B = ``query_key``, shape=[dim, dim], such as :math:`Q^T K`, the identity by default; ``attention`` is beta or a
    kernel h, which stands for :math:`e^{\beta(s-1)}` and then is in units of one.  ``tokens`` shape=[n, dim] unit rows
    of float64 or float32, which is also the precision of the result, and ``weights`` shape=[n], already checked.
    Returns the drift F, shape=[n, dim], and the normaliser Z, shape=[n], which comes in any case; ``out``, of an
    earlier call, is overwritten.

    Overlaps and not differences enter: the error is about 1 + beta roundings of the largest sum, before the projection
    and without the self term, so forces among nearly merged tokens need :func:`dense_sums`.

    >>> drift, normalizer = tile_sums(np.eye(2), np.array([0.25, 0.75]), 2.0)
    >>> bool(np.allclose(drift / np.exp(-2), [[0, 0.75], [0.25, 0]], rtol=1e-14))
    True
    >>> turn = np.array([[0.0, -1.0], [1.0, 0.0]])  # the second token scores -1 for the first, and 1 the other way
    >>> drift, _ = tile_sums(np.eye(2), np.array([0.25, 0.75]), 2.0, query_key=turn)
    >>> bool(np.allclose(drift, [[0, 0.75 * np.exp(-4)], [0.25, 0]], rtol=1e-14))
    True

    Raises ValueError for tokens of another type, a query_key of another shape, and one whose exponents may leave
    [-599, 599] (float64) or [-85, 85] (float32); FloatingPointError where a kernel is not finite.
    """
    tokens = np.ascontiguousarray(tokens)
    if tokens.dtype not in PRODUCTS:
        raise Refused("tokens", None, f"they are {tokens.dtype}, the tiles take float64 or float32")
    keys = tokens if query_key is None else _keys(tokens, query_key)
    weigh = weigher(attention, keys, query_key is None)
    own = np.ones((1, len(tokens)), tokens.dtype) if query_key is None else np.einsum("id,id->i", tokens, keys)[None]
    weigh(own)
    weights = weights.astype(tokens.dtype, copy=False)
    drift, total = room_for_sums(tokens, out)
    add = one_tile if len(tokens) <= (LARGE_TILE if tokens.shape[1] >= WIDE_TILE else TILE) else _many_tiles
    add(tokens, keys, weights, weigh, query_key is None, drift, total)
    total += weights * own[0]
    _project(tokens, drift)
    if callable(attention) and not (np.isfinite(drift).all() and np.isfinite(total).all()):
        raise FloatingPointError("the kernel is not finite at an overlap of the tokens")
    return drift, total


def _many_tiles(
    tokens: Real, keys: Real, weights: Real, weigh: Weigh, symmetric: bool, pull: Real, total: Real
) -> None:
    """Many tokens: tiles in shares, each with sums of its own."""
    n, dim = tokens.shape
    sources = np.empty((n, dim + 1), tokens.dtype)
    np.multiply(weights[:, None], tokens, out=sources[:, :dim])
    sources[:, dim] = weights
    parallel = n * n * (dim + 16) >= PARALLEL_FROM
    blocks = _blocks(n, TILE, SPLIT if parallel else 1)
    with one_blas_thread() as alone:
        workers = get_num_threads() if alone and parallel else 1
        sums = np.zeros((workers, *sources.shape), tokens.dtype)
        scratch = np.zeros((workers, max(b.stop - b.start for b in blocks) ** 2), tokens.dtype)

        def share(worker: int, stopped: Event) -> None:
            tiles = chain.from_iterable(islice(_tiles(blocks, symmetric), worker, None, workers))
            running = takewhile(lambda _: not stopped.is_set(), tiles)
            _add_tiles(running, tokens, keys, sources, weigh, symmetric, sums[worker], scratch[worker])

        in_parallel(share, workers)
    np.sum(sums[:, :, :dim], axis=0, out=pull)
    np.sum(sums[:, :, dim], axis=0, out=total)


def check_exponents(attention: Attention, reach: float, dtype: str) -> None:
    """Refuse a beta for which exponents leave the range, where query_key turns tokens into ones of a length, the reach.

    >>> check_exponents(9.0, 400.0, "float64")
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: query_key: it makes tokens 400 long at beta 9, beyond exp of 599
    """
    if not callable(attention) and not abs(attention) * (1 + reach) <= LARGEST_EXPONENT[dtype]:
        most = f"beyond exp of {LARGEST_EXPONENT[dtype]:g}"
        raise Refused("query_key", None, f"it makes tokens {reach:.3g} long at beta {attention:g}, {most}")


def _keys(tokens: Real, query_key: Real) -> Real:
    dim = tokens.shape[1]
    if np.shape(query_key) != (dim, dim):
        raise Refused("query_key", None, f"it has shape {np.shape(query_key)}, tokens need ({dim}, {dim})")
    return np.ascontiguousarray(tokens @ np.asarray(query_key, tokens.dtype).T)


def weigher(attention: Attention, keys: Real, symmetric: bool) -> Weigh:
    """What turns overlaps, shape=[m, n], of tokens with these keys into weights; ``symmetric`` if those are the tokens.

    >>> weigh, overlaps = weigher(2.0, np.eye(2), True), np.eye(2)
    >>> weigh(overlaps)
    >>> bool(np.allclose(overlaps, [[1, np.exp(-2)], [np.exp(-2), 1]], rtol=1e-14))
    True
    """
    if callable(attention):

        def weigh(tile: Real) -> None:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # what is not finite is refused
                tile[...] = attention(np.clip(tile, -1, 1) if symmetric else tile)

        return weigh
    if not symmetric:
        check_exponents(attention, float(np.linalg.norm(keys, axis=1).max()), keys.dtype.name)
    number = keys.dtype.type
    rate, least = number(attention * LOG2_E), number(LEAST_SINGLE if symmetric and number is np.float32 else -np.inf)
    return lambda tile: _exponentiate(tile, rate, least)


def _blocks(n: int, most: int, split: int) -> list[slice]:
    count = min(n, split * ceil(n / (split * most)))
    return [slice(a, b) for a, b in pairwise(n * i // count for i in range(count + 1))]


def _tiles(blocks: list[slice], symmetric: bool) -> Iterator[tuple[Tile, ...]]:
    # In shares of equal work: a tile on the diagonal is half of one.
    if not symmetric:
        yield from ((tile,) for tile in product(blocks, blocks))
        return
    yield from ((tile,) for tile in combinations(blocks, 2))
    diagonal = [(block, block) for block in blocks]
    yield from (tuple(diagonal[k : k + 2]) for k in range(0, len(diagonal), 2))


def _add_tiles(
    tiles: Iterator[Tile],
    tokens: Real,
    keys: Real,
    sources: Real,
    weigh: Weigh,
    symmetric: bool,
    sums: Real,
    scratch: Real,
) -> None:
    # BLAS reads columns where numpy has rows: C = A B is asked for as C^T = B^T A^T.
    multiply = PRODUCTS[tokens.dtype]
    one, zero = byref(multiply.number(1)), byref(multiply.number(0))
    dim, width = byref(c_int(tokens.shape[1])), byref(c_int(sources.shape[1]))
    token_step, source_step = tokens.strides[0], sources.strides[0]
    x, y, s, total, t = (array.ctypes.data for array in (tokens, keys, sources, sums, scratch))
    for rows, columns in tiles:
        a, b, m, n = rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start
        tile, height, length = scratch[: m * n].reshape(m, n), byref(c_int(m)), byref(c_int(n))
        left, right = x + a * token_step, y + b * token_step
        own, others, pulled = s + a * source_step, s + b * source_step, total + a * source_step
        half = symmetric and a == b
        if half:  # what is in the other half of the tile counts nowhere
            multiply.syrk(b"U", b"T", height, dim, one, left, dim, zero, t, height)
        else:
            multiply.gemm(b"T", b"N", length, height, dim, one, right, dim, left, dim, zero, t, length)
        weigh(tile)
        if a == b:  # the pull of a token on itself is exactly zero
            np.fill_diagonal(tile, 0)
        if half:
            multiply.symm(b"R", b"U", width, height, one, t, height, own, width, one, pulled, width)
            continue
        multiply.gemm(b"N", b"N", width, height, length, one, others, width, t, length, one, pulled, width)
        if symmetric:
            pulled = total + b * source_step
            multiply.gemm(b"N", b"T", width, length, height, one, own, width, t, length, one, pulled, width)


@njit(cache=True, fastmath={"contract", "reassoc"})
def _project(tokens: Real, pull: Real) -> None:
    for i in range(len(tokens)):
        own, along = tokens[i], pull[i]
        radial = own[0] * along[0]
        for c in range(1, len(own)):
            radial += own[c] * along[c]
        for c in range(len(own)):
            along[c] -= radial * own[c]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _exponentiate(tile: Real, rate: float, least: float) -> None:
    # exp(beta (t - 1)) in place
    flat = tile.reshape(-1)
    for k in range(flat.size):
        power = flat[k] * rate - rate
        flat[k] = exp2(power) if power > least else 0.0
