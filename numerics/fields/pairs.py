"""The sums of attention over every pair of tokens, each unordered pair once, in differences of tokens.

Tokens lie in panels of sixteen, one component after another, and panels in blocks that stay in the first-level cache.
Four tokens at a time meet all those of a block, a panel in one step: the pull on the four is summed up in a small
array, the pull on the others in memory.  Threads take such fours of a block in turn and add into sums of their own, so
repeated calls agree to the last bit.
"""

from __future__ import annotations

import numpy as np
from numba import get_num_threads, njit, prange

from gegenflow.numerics.fields.compiled.elementary import LOG2_E
from gegenflow.numerics.fields.compiled.pair_vectors import PANEL, ROWS, add_pairs
from gegenflow.numerics.fields.compiled.vectors import LANES
from gegenflow.numerics.fields.sums import Pair, room_for_sums
from gegenflow.numerics.tokens.compiling import one_at_a_time
from gegenflow.numerics.tokens.geometry import Array

BLOCK = 6000  # numbers of a block at most, which stay in the first-level cache with as many sums
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
    panels = _in_panels(tokens, weights)
    sums = _zeros(get_num_threads(), panels)
    size = _block(panels)
    blocks = -(-len(panels) // size)
    tiles = blocks * (blocks + 1) // 2
    step = max(1, AT_ONCE // ((size * PANEL) ** 2 * (tokens.shape[1] + 6)))
    for first in range(0, tiles, step):
        _add_tiles_parallel(panels, size, len(tokens), rate, first, min(first + step, tiles), sums)
    _project(tokens, weights, sums, drift, total)
    return drift, total


@njit(cache=True)
def _few_sums(tokens: Array, weights: Array, rate: float, drift: Array, normalizer: Array) -> None:
    panels = _in_panels(tokens, weights)
    sums, size = _zeros(1, panels), _block(panels)
    blocks = (len(panels) + size - 1) // size
    _add_tiles(panels, size, len(tokens), rate, 0, blocks * (blocks + 1) // 2, sums[0], 0, 1)
    _project(tokens, weights, sums, drift, normalizer)


@one_at_a_time
@njit(cache=True, parallel=True)
def _add_tiles_parallel(panels: Array, size: int, count: int, rate: float, first: int, stop: int, sums: Array) -> None:
    for worker in prange(len(sums)):
        _add_tiles(panels, size, count, rate, first, stop, sums[worker], worker, len(sums))


@njit(cache=True)
def _block(panels: Array) -> int:
    size: int = max(1, BLOCK // (PANEL * panels.shape[1]))
    return size


@njit(cache=True)
def _aligned(length: int) -> Array:
    memory = np.empty(length + LANES)  # vectors that straddle two cache lines cost a fifth of the speed
    start = (-memory.ctypes.data // 8) % LANES
    return memory[start : start + length]


@njit(cache=True)
def _in_panels(tokens: Array, weights: Array) -> Array:
    # shape=[panels, dim + 1, PANEL], filled up with tokens of weight zero
    n, dim = tokens.shape
    panels = _aligned((n + PANEL - 1) // PANEL * (dim + 1) * PANEL).reshape(-1, dim + 1, PANEL)
    for p in range(len(panels)):
        panel, first = panels[p], p * PANEL
        for k in range(PANEL):
            filled = first + k < n
            for c in range(dim):
                panel[c, k] = tokens[first + k, c] if filled else 0.0
            panel[dim, k] = weights[first + k] if filled else 0.0
    return panels


@njit(cache=True)
def _zeros(workers: int, panels: Array) -> Array:
    sums = _aligned(workers * panels.size)
    for k in range(len(sums)):
        sums[k] = 0.0
    return sums.reshape(workers, -1)


@njit(cache=True, fastmath={"contract"})
def _add_tiles(
    panels: Array, size: int, count: int, rate: float, first: int, stop: int, sums: Array, worker: int, workers: int
) -> None:
    # Tile k pairs block k mod m with the one k // m further on, cyclically: for k < m(m + 1)/2 each pair once.
    blocks, width, length = (len(panels) + size - 1) // size, panels.shape[1], panels.shape[1] * PANEL
    numbers, pulls = panels.reshape(-1), _aligned(width * ROWS * LANES)
    for tile in range(first, stop):
        a = tile % blocks
        b = (a + tile // blocks) % blocks
        for i in range(a * size * PANEL + worker * ROWS, min((a + 1) * size * PANEL, count), workers * ROWS):
            panel, place = i // PANEL, i % PANEL
            for k in range(len(pulls)):
                pulls[k] = 0.0
            own = panel * length + place
            for p in range(panel if a == b else b * size, min((b + 1) * size, len(panels))):
                after = place if p == panel else -PANEL
                add_pairs(numbers, sums, own, p * length, width - 1, after, rate, pulls)
            for c in range(width):
                for row in range(ROWS):
                    k = (c * ROWS + row) * LANES
                    low = (pulls[k] + pulls[k + 1]) + (pulls[k + 2] + pulls[k + 3])
                    high = (pulls[k + 4] + pulls[k + 5]) + (pulls[k + 6] + pulls[k + 7])
                    sums[own + c * PANEL + row] += low + high


@njit(cache=True)
def _project(tokens: Array, weights: Array, sums: Array, drift: Array, normalizer: Array) -> None:
    n, dim = tokens.shape
    for i in range(n):
        place = i // PANEL * (dim + 1) * PANEL + i % PANEL
        radial = 0.0
        for c in range(dim):
            pull = 0.0
            for worker in range(len(sums)):
                pull += sums[worker, place + c * PANEL]
            drift[i, c] = pull
            radial += pull * tokens[i, c]
        for c in range(dim):
            drift[i, c] -= radial * tokens[i, c]
        total = weights[i]
        for worker in range(len(sums)):
            total += sums[worker, place + dim * PANEL]
        normalizer[i] = total
