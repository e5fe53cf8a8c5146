"""Which sums over tokens to use: dense or, for many tokens in dim 2 or 3, through harmonics."""

from math import sqrt

from gegenflow.numerics.attention import Attention, dense_sums
from gegenflow.numerics.cells import cell_sums, exponential_cells
from gegenflow.numerics.circle import circle_sums, exponential_modes
from gegenflow.numerics.geometry import Array
from gegenflow.numerics.sphere import exponential_sphere_modes, sphere_sums
from gegenflow.numerics.tiles import tile_sums

DIMS = {"circle": 2, "cells": 2, "sphere": 3}
METHODS = ("auto", "dense", "tiles", *DIMS)
CIRCLE_FROM = 2  # tokens per mode: measured break-even is at 1, and the dense field is the more accurate


CELLS_FROM = 2000  # tokens: measured break-even of cells with modes is between 750 (beta 1000) and 2000 (beta 1)
CELLS_FROM_SMOOTH = 4500  # the same for beta below 1

TILES_FROM = 1000  # tokens, from dim 4 on: measured 1.3 to 3.7 times faster than dense at dims 8 to 512
SPHERE_FROM, SPHERE_PER_BETA = 500, 20  # tokens: measured break-even is about 400 (beta <= 10) and 1500 (beta 50)


def choose_method(method: str, n: int, dim: int, attention: Attention) -> str:
    """The method, "dense", "tiles", "circle", "cells" or "sphere", that ``method`` means for n tokens.

    "auto" takes the fastest: in dim 2 the circle and, for more tokens, its cells; in dim 3 the sphere; in higher dim
    the tiles; for few tokens "dense", which a kernel always is.

    >>> [choose_method("auto", n, 2, attention=5.0) for n in (10, 1000, 20_000)]
    ['dense', 'circle', 'cells']
    >>> [choose_method("auto", 20_000, dim, attention=5.0) for dim in (3, 4)]
    ['sphere', 'tiles']

    Raises ValueError for an unknown method and for any other than "dense" with a kernel or in a ``dim`` not its own.
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}: choose from {', '.join(METHODS)}")
    if method in DIMS and dim != DIMS[method]:
        raise ValueError(f'method is "{method}" but dim is {dim}: it needs dim {DIMS[method]}; "dense" takes any')
    if callable(attention):
        if method not in ("auto", "dense"):
            raise ValueError(f'method is "{method}": with a kernel it must be "auto" or "dense"')
        return "dense"
    if method != "auto":
        return method
    if dim > 3:
        return "tiles" if n >= TILES_FROM else "dense"
    if dim == 3:
        return "sphere" if n > SPHERE_FROM + SPHERE_PER_BETA * attention else "dense"
    modes = 10 + 8 * sqrt(attention)  # fits the measured number of modes for beta from 0.1 to 1e4
    if n <= CIRCLE_FROM * modes:
        return "dense"
    return "cells" if n >= (CELLS_FROM if attention >= 1 else CELLS_FROM_SMOOTH) else "circle"


def attention_sums(tokens: Array, weights: Array, attention: Attention, method: str = "auto") -> tuple[Array, Array]:
    r"""Drift, shape=[n, dim], and normaliser, shape=[n], by a method, in units of :math:`e^\beta` (one for a kernel).

    See :func:`gegenflow.numerics.attention.dense_sums` and :func:`gegenflow.numerics.attention.kernel_sums`.

    >>> import numpy as np
    >>> tokens, weights = np.eye(2), np.array([0.25, 0.75])
    >>> for method in ("dense", "circle", "cells"):
    ...     drift, normalizer = attention_sums(tokens, weights, 2.0, method)
    ...     print((drift[0] * np.exp(2)).round(11) + 0.0)
    [0.   0.75]
    [0.   0.75]
    [0.   0.75]
    """
    n, dim = tokens.shape
    chosen = "dense" if callable(attention) else choose_method(method, n, dim, attention)
    if callable(attention) or chosen == "dense":
        return dense_sums(tokens, weights, attention)
    if chosen == "cells":
        return cell_sums(tokens, weights, exponential_cells(float(attention)))
    if chosen == "tiles":
        return tile_sums(tokens, weights, attention)
    if chosen == "sphere":
        return sphere_sums(tokens, weights, exponential_sphere_modes(float(attention)))
    return circle_sums(tokens, weights, exponential_modes(float(attention)))
