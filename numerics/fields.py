"""Which sums over tokens to use: dense or, on the circle with many tokens, through Fourier modes."""

from math import sqrt

from gegenflow.numerics.attention import Attention, dense_sums
from gegenflow.numerics.circle import circle_sums, exponential_modes
from gegenflow.numerics.geometry import Array

METHODS = ("auto", "dense", "circle")
CIRCLE_FROM = 2  # tokens per mode: measured break-even is at 1, and the dense field is the more accurate


def choose_method(method: str, n: int, dim: int, attention: Attention) -> str:
    """The method, "dense" or "circle", that ``method`` means for n tokens.

    "auto" takes the circle in dim 2 as soon as it is at least about twice as fast; a kernel is always "dense".

    >>> choose_method("auto", 20_000, 2, attention=5.0), choose_method("auto", 10, 2, attention=5.0)
    ('circle', 'dense')

    Raises ValueError for an unknown method and for "circle" with a kernel or with ``dim`` other than 2.
    """
    if method not in METHODS:
        raise ValueError(f'method is {method!r}: it must be "auto", "dense" or "circle"')
    if method == "circle" and dim != 2:
        raise ValueError(f'method is "circle" but dim is {dim}: the circle needs dim 2; "dense" takes any')
    if callable(attention):
        if method == "circle":
            raise ValueError('method is "circle": with a kernel it must be "auto" or "dense"')
        return "dense"
    if method == "auto":
        modes = 10 + 8 * sqrt(attention)  # fits the measured number of modes for beta from 0.1 to 1e4
        return "circle" if dim == 2 and n > CIRCLE_FROM * modes else "dense"
    return method


def attention_sums(tokens: Array, weights: Array, attention: Attention, method: str = "auto") -> tuple[Array, Array]:
    r"""Drift, shape=[n, dim], and normaliser, shape=[n], by a method, in units of :math:`e^\beta` (one for a kernel).

    See :func:`gegenflow.numerics.attention.dense_sums` and :func:`gegenflow.numerics.attention.kernel_sums`.

    >>> import numpy as np
    >>> tokens, weights = np.eye(2), np.array([0.25, 0.75])
    >>> for method in ("dense", "circle"):
    ...     drift, normalizer = attention_sums(tokens, weights, 2.0, method)
    ...     print((drift[0] * np.exp(2)).round(12) + 0.0)
    [0.   0.75]
    [0.   0.75]
    """
    n, dim = tokens.shape
    if callable(attention) or choose_method(method, n, dim, attention) == "dense":
        return dense_sums(tokens, weights, attention)
    return circle_sums(tokens, weights, exponential_modes(float(attention)))
