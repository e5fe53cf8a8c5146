r"""Velocities of few tokens in eight runs at once: a vector holds one component of one token of each run.

Rows are flat: component c of token i of the runs begins at entry 8 (i dim + c).  Each unordered pair is taken once, in
differences of tokens, two tokens with two others together, which halves what is read and written.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from gegenflow.numerics.fields.compiled.lanes import exp2, put, root, same, take
from gegenflow.numerics.fields.compiled.vectors import LANES
from gegenflow.numerics.tokens.geometry import Array

inner: Any = njit(  # type: ignore[call-overload]  # without what calls from Python need, a third of the compile time
    cache=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
)


@njit(cache=True, error_model="numpy")
def lane_velocity(
    weights: Array, rate: float, divided: bool, rows: Array, sums: Array, source: int, unit: int, target: int
) -> None:
    r"""The velocity at the directions of points.

    .. math:: v_i = P_{u_i} \sum_j w_j 2^{r|u_j - u_i|^2} (u_j - u_i), \quad
              \text{where divided over } \sum_j w_j 2^{r|u_j - u_i|^2}, \qquad u_i = x_i / |x_i|

    ``rows`` has points x from entry ``source`` on, and takes u from ``unit`` and v from ``target`` on; ``sums`` are
    dim + 1 vectors a token of room.  Forces are accurate relative to themselves, for weights whose products
    with the powers are normal numbers.

    >>> import numpy as np
    >>> rows = np.repeat([2.0, 0.0, 0.0, 1.0, *8 * [0.0]], LANES)
    >>> lane_velocity(np.array([0.25, 0.75]), -1.0, False, rows, np.empty(6 * LANES), 0, 4 * LANES, 8 * LANES)
    >>> rows[8 * LANES :: LANES]  # 2 ** (-1 * 2) times the weight of the other
    array([0.    , 0.1875, 0.0625, 0.    ])
    """
    n = len(weights)
    width = len(sums) // n - LANES
    normalize(rows, source, unit, n, width // LANES)
    for k in range(0, len(sums), LANES):
        put(sums, k, same(0.0))
    for i in range(0, n - 1, 2):
        _pair(rows, unit, width, weights, rate, i, i + 1, sums)
        _two_with_others(rows, unit, width, weights, rate, divided, i, sums)
    if n % 2:
        for i in range(n - 1):
            _pair(rows, unit, width, weights, rate, i, n - 1, sums)
    for i in range(n):
        here, pulls, radial = unit + i * width, i * (width + LANES), same(0.0)
        for c in range(0, width, LANES):
            radial = radial + take(sums, pulls + c) * take(rows, here + c)
        factor = same(1.0 / weights[i])
        if divided:
            factor = 1.0 / (weights[i] * weights[i] + take(sums, pulls + width))
        for c in range(0, width, LANES):
            along = take(sums, pulls + c) - radial * take(rows, here + c)
            put(rows, target + i * width + c, factor * along)


@inner
def normalize(rows: Array, source: int, unit: int, n: int, dim: int) -> None:
    """The directions of the n tokens of all runs."""
    width = dim * LANES
    for i in range(0, n * width, width):
        square = same(0.0)
        for k in range(source + i, source + i + width, LANES):
            square = square + take(rows, k) * take(rows, k)
        inverse = 1.0 / root(square)
        for k in range(i, i + width, LANES):
            put(rows, unit + k, inverse * take(rows, source + k))


@inner
def _pair(rows: Array, unit: int, width: int, weights: Array, rate: float, i: int, j: int, sums: Array) -> None:
    # sums: the pulls on each token times its weight, then its normaliser times its weight, without its own part
    a, b, square = unit + i * width, unit + j * width, same(0.0)
    for c in range(0, width, LANES):
        gap = take(rows, b + c) - take(rows, a + c)
        square = square + gap * gap
    value = (weights[i] * weights[j]) * exp2(rate * square)
    pull_a, pull_b = i * (width + LANES), j * (width + LANES)
    for c in range(0, width, LANES):
        pull = value * (take(rows, b + c) - take(rows, a + c))
        put(sums, pull_a + c, take(sums, pull_a + c) + pull)
        put(sums, pull_b + c, take(sums, pull_b + c) - pull)
    put(sums, pull_a + width, take(sums, pull_a + width) + value)
    put(sums, pull_b + width, take(sums, pull_b + width) + value)


@inner
def _two_with_others(
    rows: Array, unit: int, width: int, weights: Array, rate: float, divided: bool, i: int, sums: Array
) -> None:
    # tokens i and i + 1, here a and b, with every two after them, here e and f
    for j in range(i + 2, len(weights) - 1, 2):
        ae, af, be, bf = same(0.0), same(0.0), same(0.0), same(0.0)
        at, to = unit + i * width, unit + j * width
        for c in range(0, width, LANES):
            a, b = take(rows, at + c), take(rows, at + width + c)
            e, f = take(rows, to + c), take(rows, to + width + c)
            ae = ae + (e - a) * (e - a)
            af = af + (f - a) * (f - a)
            be = be + (e - b) * (e - b)
            bf = bf + (f - b) * (f - b)
        ae = (weights[i] * weights[j]) * exp2(rate * ae)
        af = (weights[i] * weights[j + 1]) * exp2(rate * af)
        be = (weights[i + 1] * weights[j]) * exp2(rate * be)
        bf = (weights[i + 1] * weights[j + 1]) * exp2(rate * bf)
        a_sums, e_sums = i * (width + LANES), j * (width + LANES)
        b_sums, f_sums = a_sums + width + LANES, e_sums + width + LANES
        for c in range(0, width, LANES):
            a, b = take(rows, at + c), take(rows, at + width + c)
            e, f = take(rows, to + c), take(rows, to + width + c)
            gap, other = e - a, f - a  # products fused with sums here and apart below: as many of both as run at once
            pull_b, pull_f = be * (e - b), bf * (f - b)
            put(sums, a_sums + c, take(sums, a_sums + c) + ae * gap + af * other)
            put(sums, b_sums + c, take(sums, b_sums + c) + (pull_b + pull_f))
            put(sums, e_sums + c, take(sums, e_sums + c) - ae * gap - pull_b)
            put(sums, f_sums + c, take(sums, f_sums + c) - af * other - pull_f)
        if divided:
            put(sums, a_sums + width, take(sums, a_sums + width) + (ae + af))
            put(sums, b_sums + width, take(sums, b_sums + width) + (be + bf))
            put(sums, e_sums + width, take(sums, e_sums + width) + (ae + be))
            put(sums, f_sums + width, take(sums, f_sums + width) + (af + bf))
