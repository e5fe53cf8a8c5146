"""What a token sees of the others: how they spread across it, weighed by exponential attention, and stretch for it."""

import numpy as np
from numba import njit

from gegenflow.numerics.fields.compiled.elementary import LOG2_E, exp2
from gegenflow.numerics.tokens.geometry import Array

APPROACH = 1e-2  # tokens closer than this and contracting limit the step, ...
DAMPED = 1.0  # ... to this many of their contraction times, in which a step is right to 1e-7 of their distance


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def spread_seen(rows: Array, weights: Array, i: int, beta: float, divided: bool) -> tuple[float, float]:
    r"""The trace of the second moment of tokens across the token i, and their mean along it, as it weighs them.

    .. math:: \sum_j p_j (1 - c_j^2), \quad \sum_j p_j c_j, \qquad p_j = w_j e^{\beta(c_j - 1)}, \quad
              c_j = \langle x_i, x_j\rangle

    ``divided`` makes :math:`p_j` sum to one and the moment a covariance; both keep their relative accuracy where
    tokens are near, as everything comes from differences.  Source: derived here.

    >>> spread_seen(np.eye(2), np.full(2, 0.5), 0, 0.0, True)  # 1/2 - (1/2)^2, 1/2
    (0.25, 0.5)
    """
    n, dim = rows.shape
    pull, total, spread, along = np.zeros(dim), 0.0, 0.0, 0.0
    for j in range(n):
        square = 0.0
        for c in range(dim):
            square += (rows[j, c] - rows[i, c]) ** 2
        factor = weights[j] * exp2(-0.5 * LOG2_E * beta * square)
        total += factor
        spread += factor * square * (1.0 - 0.25 * square)
        along += factor * (1.0 - 0.5 * square)
        for c in range(dim):
            pull[c] += factor * (rows[j, c] - rows[i, c])
    if not divided:
        return spread, along
    radial = length = 0.0
    for c in range(dim):
        radial += pull[c] * rows[i, c]
    for c in range(dim):
        length += (pull[c] - radial * rows[i, c]) ** 2
    return spread / total - length / total**2, along / total


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def watch(
    rows: Array, weights: Array, betas: Array, factors: Array, divided: bool, stretching: Array
) -> tuple[float, float]:
    """Fill in the stretching rates; the least squared distance of contracting tokens, and the step that they limit."""
    n, dim = rows.shape
    attraction = np.zeros(n)
    stretching[:] = 0.0
    for i in range(n):
        for head in range(len(betas)):
            spread, along = spread_seen(rows, weights, i, betas[head], divided)
            attraction[i] += factors[head] * along
            if dim == 2 or factors[head] > 0.0:  # else the largest eigenvalue of -spread, which is zero, bounds it
                stretching[i] += factors[head] * betas[head] * spread
        stretching[i] -= attraction[i]
    nearest, fastest = np.inf, 0.0
    for i in range(n):
        for j in range(i):
            if stretching[i] < 0.0 and stretching[j] < 0.0:
                square = 0.0
                for c in range(dim):
                    square += (rows[j, c] - rows[i, c]) ** 2
                nearest = min(nearest, square)
                if square < APPROACH**2:
                    fastest = max(fastest, attraction[i], attraction[j])
    return nearest, DAMPED / fastest
