"""Which sums over tokens to use: dense or, on the circle with many tokens, through Fourier modes."""

from math import sqrt

from gegenflow.numerics.attention import dense_sums
from gegenflow.numerics.circle import circle_sums, exponential_modes
from gegenflow.numerics.geometry import Array

METHODS = ("auto", "dense", "circle")
CIRCLE_FROM = 2  # tokens per mode: measured break-even is at 1, and the dense field is the more accurate


def choose_method(method: str, n: int, dim: int, beta: float) -> str:
    """The method, "dense" or "circle", that ``method`` means for n tokens.

    "auto" takes the circle in dim 2 as soon as it is at least about twice as fast.

    >>> choose_method("auto", 20_000, 2, beta=5.0), choose_method("auto", 10, 2, beta=5.0)
    ('circle', 'dense')

    Raises ValueError for an unknown method and for "circle" with ``dim`` other than 2.
    """
    if method not in METHODS:
        raise ValueError(f'method is {method!r}: it must be "auto", "dense" or "circle"')
    if method == "circle" and dim != 2:
        raise ValueError(f'method is "circle" but dim is {dim}: the circle needs dim 2; "dense" takes any')
    if method == "auto":
        modes = 10 + 8 * sqrt(beta)  # fits the measured number of modes for beta from 0.1 to 1e4
        return "circle" if dim == 2 and n > CIRCLE_FROM * modes else "dense"
    return method


def attention_sums(tokens: Array, weights: Array, beta: float, method: str = "auto") -> tuple[Array, Array]:
    r"""Drift, shape=[n, dim], and normaliser, shape=[n], in units of :math:`e^\beta`, by a method.

    See :func:`gegenflow.numerics.attention.dense_sums` for the formula.

    >>> import numpy as np
    >>> tokens, weights = np.eye(2), np.array([0.25, 0.75])
    >>> for method in ("dense", "circle"):
    ...     drift, normalizer = attention_sums(tokens, weights, 2.0, method)
    ...     print((drift[0] * np.exp(2)).round(12) + 0.0)
    [0.   0.75]
    [0.   0.75]
    """
    n, dim = tokens.shape
    if choose_method(method, n, dim, beta) == "circle":
        return circle_sums(tokens, weights, exponential_modes(float(beta)))
    return dense_sums(tokens, weights, beta)
