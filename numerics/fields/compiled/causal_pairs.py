"""Every pair of a token with one before it, in differences of tokens: the sums of a causal mask."""

import numpy as np
from numba import njit, prange

from gegenflow.numerics.fields.compiled.elementary import FAST, LOG2_E, exp2
from gegenflow.numerics.tokens.compiling import one_at_a_time
from gegenflow.numerics.tokens.geometry import Array

PARALLEL_FROM = 100_000  # pairs times dim: below it a parallel region costs more than it saves
AT_ONCE = 2**26  # pairs times (dim + 6) in one compiled call: between two calls an interrupt is heard


def add_pairs(
    tokens: Array, weights: Array, beta: float, decay: float, own: bool, drift: Array, normalizer: Array
) -> None:
    r"""Write the sums over the tokens seen, not yet divided by their mass, in units of :math:`e^\beta`.

    .. math:: F_i = P_{x_i}\sum_j w_j e^{-\lambda(i-j)/n - \beta|x_j - x_i|^2/2} (x_j - x_i), \qquad
              Z_i = \sum_j w_j e^{-\lambda(i-j)/n - \beta|x_j - x_i|^2/2}

    >>> drift, normalizer = np.empty((2, 2)), np.empty(2)
    >>> add_pairs(np.eye(2), np.array([0.25, 0.75]), 2.0, 0.0, False, drift, normalizer)
    >>> bool(np.allclose([drift[1, 0], *normalizer], [0.25 * np.exp(-2), 0, 0.25 * np.exp(-2)], rtol=1e-14))
    True
    """
    n, dim = tokens.shape
    columns = np.ascontiguousarray(tokens.T)
    rate, step = -0.5 * LOG2_E * beta, -LOG2_E * decay / n
    if n * n * dim < 2 * PARALLEL_FROM:
        _rows(0, n, columns, weights, rate, step, own, drift, normalizer)
        return
    rows = max(1, AT_ONCE // (n * (dim + 6)))
    for first in range(0, n, rows):
        _rows_parallel(first, min(first + rows, n), columns, weights, rate, step, own, drift, normalizer)


@one_at_a_time
@njit(cache=True, parallel=True)
def _rows_parallel(
    first: int,
    stop: int,
    columns: Array,
    weights: Array,
    rate: float,
    step: float,
    own: bool,
    drift: Array,
    normalizer: Array,
) -> None:
    half = (stop - first + 1) // 2
    for k in prange(half):  # a short row with a long one
        _rows(first + k, first + k + 1, columns, weights, rate, step, own, drift, normalizer)
        other = stop - 1 - k
        if other > first + k:
            _rows(other, other + 1, columns, weights, rate, step, own, drift, normalizer)


@njit(cache=True, fastmath=FAST)
def _rows(
    first: int,
    stop: int,
    columns: Array,
    weights: Array,
    rate: float,
    step: float,
    own: bool,
    drift: Array,
    normalizer: Array,
) -> None:
    dim = len(columns)
    pull = np.empty(max(stop, 1))
    for i in range(first, stop):
        pull[:i] = 0.0
        for c in range(dim):
            here = columns[c, i]
            for j in range(i):
                gap = columns[c, j] - here
                pull[j] += gap * gap
        total = 0.0
        for j in range(i):
            pull[j] = weights[j] * exp2(rate * pull[j] + step * (i - j))
            total += pull[j]
        normalizer[i] = total + weights[i] if own else total
        along = 0.0
        for c in range(dim):
            here, force = columns[c, i], 0.0
            for j in range(i):
                force += pull[j] * (columns[c, j] - here)
            drift[i, c] = force
            along += force * here
        for c in range(dim):
            drift[i, c] -= along * columns[c, i]
