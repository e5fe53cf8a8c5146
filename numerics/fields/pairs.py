"""The sums of attention over every pair of tokens, each unordered pair once, in differences of tokens.

Tokens lie in blocks that stay in the first-level cache, one component after another.  A row of pairs, one token with
those of a block, is one vector loop in dim 2 and 3: the pull on the one is summed up in registers, the pull on the
others in memory.  Threads take the rows of a block in turn and add into sums of their own, so repeated calls agree to
the last bit.
"""

from __future__ import annotations

import numpy as np
from numba import get_num_threads, njit, prange

from gegenflow.numerics.fields.elementary import FAST, LOG2_E, exp2
from gegenflow.numerics.fields.sums import Pair, room_for_sums
from gegenflow.numerics.tokens.compiling import one_at_a_time
from gegenflow.numerics.tokens.geometry import Array

BLOCK = 384  # tokens a block at most, and the distance in memory of its components
LANES = 8  # a block is filled up to a multiple of it with tokens of weight zero
PARALLEL_FROM = 200_000  # pairs times dim: below it a parallel region costs more than it saves
AT_ONCE = 2**29  # pairs times (dim + 6) in one compiled call, 0.1 s: between two calls an interrupt is heard


def pair_sums(tokens: Array, weights: Array, beta: float, *, out: Pair | None = None, normalizer: bool = True) -> Pair:
    r"""The two sums of attention in units of :math:`e^\beta`; arguments already checked.

    .. math:: F_i = P_{x_i}\sum_j w_j e^{-\beta|x_j - x_i|^2/2} (x_j - x_i), \qquad
              Z_i = \sum_j w_j e^{-\beta|x_j - x_i|^2/2}

    Returns the drift F, shape=[n, dim], and the normaliser Z > 0, shape=[n].  On the sphere
    :math:`1 - \langle x, y\rangle = |x - y|^2/2`, and the projection removes :math:`x_i`: every pull keeps its
    relative accuracy, that of a token on itself is exactly zero.  Memory O(n dim) a thread.  The normaliser comes in
    any case; ``out``, the result of an earlier call, is overwritten.

    >>> drift, normalizer = pair_sums(np.eye(2), np.array([0.25, 0.75]), 2.0)
    >>> bool(np.allclose(normalizer, [0.25 + 0.75 * np.exp(-2), 0.75 + 0.25 * np.exp(-2)], rtol=1e-14))
    True

    Source: arXiv 2410.23228, its fields; the form in differences derived here.
    """
    rate = -0.5 * LOG2_E * beta
    drift, total = room_for_sums(tokens, out)
    if tokens.size * len(tokens) < PARALLEL_FROM:
        _few_sums(tokens, weights, rate, drift, total)
        return drift, total
    blocks, size = _in_blocks(tokens, weights)
    sums = _zeros(get_num_threads(), blocks, size)
    tiles = len(blocks) * (len(blocks) + 1) // 2
    step = max(1, AT_ONCE // (size * size * (tokens.shape[1] + 6)))
    for first in range(0, tiles, step):
        _add_tiles_parallel(blocks, size, len(tokens), rate, first, min(first + step, tiles), sums)
    _project(tokens, weights, sums, size, drift, total)
    return drift, total


@njit(cache=True)
def _few_sums(tokens: Array, weights: Array, rate: float, drift: Array, normalizer: Array) -> None:
    blocks, size = _in_blocks(tokens, weights)
    sums = _zeros(1, blocks, size)
    _add_tiles(blocks, size, len(tokens), rate, 0, len(blocks) * (len(blocks) + 1) // 2, sums[0], 0, 1)
    _project(tokens, weights, sums, size, drift, normalizer)


@one_at_a_time
@njit(cache=True, parallel=True)
def _add_tiles_parallel(blocks: Array, size: int, count: int, rate: float, first: int, stop: int, sums: Array) -> None:
    for worker in prange(len(sums)):
        _add_tiles(blocks, size, count, rate, first, stop, sums[worker], worker, len(sums))


@njit(cache=True)
def _aligned(length: int) -> Array:
    memory = np.empty(length + LANES)  # vectors that straddle two cache lines cost a fifth of the speed
    start = (-memory.ctypes.data // 8) % LANES
    return memory[start : start + length]


@njit(cache=True)
def _in_blocks(tokens: Array, weights: Array) -> tuple[Array, int]:
    # shape=[blocks, (dim + 1) BLOCK]: in each block BLOCK places a component and as many for the weights
    n, dim = tokens.shape
    count = (n + BLOCK - 1) // BLOCK
    size = ((n + count - 1) // count + LANES - 1) // LANES * LANES
    blocks = _aligned(count * (dim + 1) * BLOCK).reshape(count, (dim + 1) * BLOCK)
    for b in range(count):
        block, filled = blocks[b], min(size, n - b * size)
        for c in range(dim):
            for i in range(filled):
                block[c * BLOCK + i] = tokens[b * size + i, c]
            block[c * BLOCK + max(filled, 0) : c * BLOCK + size] = 0.0
        for i in range(filled):
            block[dim * BLOCK + i] = weights[b * size + i]
        block[dim * BLOCK + max(filled, 0) : dim * BLOCK + size] = 0.0
    return blocks, size


@njit(cache=True)
def _zeros(workers: int, blocks: Array, size: int) -> Array:
    sums = _aligned(workers * blocks.size).reshape(workers, len(blocks), blocks.shape[1])
    for worker in range(workers):
        for b in range(len(blocks)):
            for start in range(0, blocks.shape[1], BLOCK):
                sums[worker, b, start : start + size] = 0.0
    return sums


@njit(cache=True)
def _add_tiles(
    blocks: Array, size: int, count: int, rate: float, first: int, stop: int, sums: Array, worker: int, workers: int
) -> None:
    # Tile k pairs block k mod m with the one k // m further on, cyclically: for k < m(m + 1)/2 each pair once.
    scratch = _aligned(2 * BLOCK)
    for tile in range(first, stop):
        a = tile % len(blocks)
        b = (a + tile // len(blocks)) % len(blocks)
        for i in range(worker, min(size, count - a * size), workers):
            if a == b:
                start = i // LANES * LANES
                others, pulls = blocks[b, start:], sums[b, start:]
                _add_row(blocks[a], sums[a], i, others, pulls, size - start, i - start, rate, scratch)
            else:
                _add_row(blocks[a], sums[a], i, blocks[b], sums[b], size, None, rate, scratch)


@njit(cache=True)
def _add_row(
    own: Array,
    own_pulls: Array,
    i: int,
    others: Array,
    pulls: Array,
    size: int,
    after: int | None,
    rate: float,
    scratch: Array,
) -> None:
    # Token i with the first places of another block, or of its own with those after the place given.
    dim = len(own) // BLOCK - 1
    if dim == 2:
        _add_row_2(own, own_pulls, i, others, pulls, size, after, rate)
    elif dim == 3:
        _add_row_3(own, own_pulls, i, others, pulls, size, after, rate)
    else:
        near, far = scratch[:size], scratch[BLOCK : BLOCK + size]
        _add_row_any(own, own_pulls, i, others, pulls, near, far, after, rate, dim)


@njit(cache=True, fastmath=FAST)
def _add_row_2(
    own: Array, own_pulls: Array, i: int, others: Array, pulls: Array, size: int, after: int | None, rate: float
) -> None:
    x, y, mass = own[i], own[BLOCK + i], own[2 * BLOCK + i]
    pull_x = pull_y = total = 0.0
    for j in range(size):
        gap_x, gap_y = others[j] - x, others[BLOCK + j] - y
        value = exp2(rate * (gap_x * gap_x + gap_y * gap_y))
        if after is not None:
            value = value if j > after else 0.0
        near, far = others[2 * BLOCK + j] * value, mass * value
        pull_x += near * gap_x
        pull_y += near * gap_y
        total += near
        pulls[j] -= far * gap_x
        pulls[BLOCK + j] -= far * gap_y
        pulls[2 * BLOCK + j] += far
    own_pulls[i] += pull_x
    own_pulls[BLOCK + i] += pull_y
    own_pulls[2 * BLOCK + i] += total


@njit(cache=True, fastmath=FAST)
def _add_row_3(
    own: Array, own_pulls: Array, i: int, others: Array, pulls: Array, size: int, after: int | None, rate: float
) -> None:
    x, y, z, mass = own[i], own[BLOCK + i], own[2 * BLOCK + i], own[3 * BLOCK + i]
    pull_x = pull_y = pull_z = total = 0.0
    for j in range(size):
        gap_x, gap_y, gap_z = others[j] - x, others[BLOCK + j] - y, others[2 * BLOCK + j] - z
        value = exp2(rate * (gap_x * gap_x + gap_y * gap_y + gap_z * gap_z))
        if after is not None:
            value = value if j > after else 0.0
        near, far = others[3 * BLOCK + j] * value, mass * value
        pull_x += near * gap_x
        pull_y += near * gap_y
        pull_z += near * gap_z
        total += near
        pulls[j] -= far * gap_x
        pulls[BLOCK + j] -= far * gap_y
        pulls[2 * BLOCK + j] -= far * gap_z
        pulls[3 * BLOCK + j] += far
    own_pulls[i] += pull_x
    own_pulls[BLOCK + i] += pull_y
    own_pulls[2 * BLOCK + i] += pull_z
    own_pulls[3 * BLOCK + i] += total


@njit(cache=True, fastmath=FAST)
def _add_row_any(
    own: Array,
    own_pulls: Array,
    i: int,
    others: Array,
    pulls: Array,
    near: Array,
    far: Array,
    after: int | None,
    rate: float,
    dim: int,
) -> None:
    size = len(near)
    x, y, mass = own[i], own[BLOCK + i], own[dim * BLOCK + i]
    for j in range(size):
        near[j] = (others[j] - x) ** 2 + (others[BLOCK + j] - y) ** 2
    for c in range(2, dim):
        x, row = own[c * BLOCK + i], others[c * BLOCK : c * BLOCK + size]
        for j in range(size):
            near[j] += (row[j] - x) ** 2
    masses, totals = others[dim * BLOCK : dim * BLOCK + size], pulls[dim * BLOCK : dim * BLOCK + size]
    for j in range(size):
        value = exp2(rate * near[j])
        if after is not None:
            value = value if j > after else 0.0
        far[j] = mass * value
        near[j] = masses[j] * value
    total = 0.0
    for j in range(size):
        total += near[j]
        totals[j] += far[j]
    own_pulls[dim * BLOCK + i] += total
    for c in range(dim):
        x, row, column = own[c * BLOCK + i], others[c * BLOCK : c * BLOCK + size], pulls[c * BLOCK : c * BLOCK + size]
        pull = 0.0
        for j in range(size):
            gap = row[j] - x
            pull += near[j] * gap
            column[j] -= far[j] * gap
        own_pulls[c * BLOCK + i] += pull


@njit(cache=True)
def _project(tokens: Array, weights: Array, sums: Array, size: int, drift: Array, normalizer: Array) -> None:
    workers, n, dim = len(sums), tokens.shape[0], tokens.shape[1]
    for i in range(n):
        block, place = i // size, i % size
        radial = 0.0
        for c in range(dim):
            pull = 0.0
            for worker in range(workers):
                pull += sums[worker, block, c * BLOCK + place]
            drift[i, c] = pull
            radial += pull * tokens[i, c]
        for c in range(dim):
            drift[i, c] -= radial * tokens[i, c]
        total = weights[i]
        for worker in range(workers):
            total += sums[worker, block, dim * BLOCK + place]
        normalizer[i] = total
