"""The dense velocity fields of attention: every pair of tokens, any dimension, O(n) memory.

The exponential field is the reference that every faster field is tested against.  Differences of tokens, not their
inner products, enter its sums, so forces between nearly merged tokens keep their relative accuracy.  Any other kernel
is a function of the overlap, applied to blocks of rows between two matrix products, as is every weight where queries,
keys and values are not the tokens themselves.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from gegenflow.numerics.fields.pairs import pair_sums
from gegenflow.numerics.fields.sums import PLAIN, Method, Pair, Size, Sums
from gegenflow.numerics.fields.tiles import check_exponents
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.weights import Attention
from gegenflow.numerics.tokens.geometry import Array

OVERLAPS = 2**17  # overlaps held at once for a kernel: one megabyte


class Dense(Method):
    """Every pair of tokens: the reference, and what is left where no other method serves."""

    name = "dense"
    takes = frozenset({PLAIN, frozenset({"value"}), frozenset({"query_key", "value"})})

    def pays(self, n: int, dim: int, flow: Flow) -> bool:
        """Always."""
        return True

    def prepare(self, flow: Flow, size: Size, tol: float) -> Sums:
        """Sums that are exact to rounding relative to each force for the exponential, else to the largest."""
        if flow.plain and flow.beta is not None:
            return Sums(partial(pair_sums, beta=flow.beta), 0.0)
        if flow.query_key is not None:
            check_exponents(flow.attention, size.reach, "float64")
        take = partial(kernel_sums, attention=flow.attention, query_key=flow.query_key, value=flow.value)
        return Sums(take, size.rounding(flow))


def dense_sums(tokens: Array, weights: Array, attention: Attention) -> Pair:
    r"""The two sums of attention in units of :math:`e^\beta`, over all pairs; arguments already checked.

    .. math:: F_i = P_{x_i}\sum_j w_j e^{\beta(\langle x_i,x_j\rangle - 1)} x_j, \qquad
              Z_i = \sum_j w_j e^{\beta(\langle x_i,x_j\rangle - 1)}

    Returns the drift F, shape=[n, dim], and the normaliser Z > 0, shape=[n]; with a kernel those of
    :func:`kernel_sums`.

    >>> drift, normalizer = dense_sums(np.eye(2), np.array([0.25, 0.75]), 2.0)
    >>> bool(np.allclose(normalizer, [0.25 + 0.75 * np.exp(-2), 0.75 + 0.25 * np.exp(-2)], rtol=1e-14))
    True
    """
    if callable(attention):
        return kernel_sums(tokens, weights, attention)
    return pair_sums(tokens, weights, attention)


def kernel_sums(
    tokens: Array,
    weights: Array,
    attention: Attention,
    *,
    query_key: Array | None = None,
    value: Array | None = None,
    out: Pair | None = None,
    normalizer: bool = True,
) -> Pair:
    r"""The two sums of attention for any kernel, queries, keys and values, over all pairs; arguments already checked.

    .. math:: F_i = P_{x_i} A_i, \qquad A_i = \sum_j w_j h(\langle x_i, B x_j\rangle) V x_j, \qquad
              Z_i = \sum_j w_j h(\langle x_i, B x_j\rangle)

    Returns the drift F, shape=[n, dim], and the normaliser Z, shape=[n], accurate relative to the largest force; the
    outputs A and the units are those of :func:`attention_output`.  The normaliser comes in any case; ``out``, of an
    earlier call, is overwritten.

    >>> drift, normalizer = kernel_sums(np.eye(2), np.array([0.25, 0.75]), lambda t: 1 + t)
    >>> drift + 0.0, normalizer
    (array([[0.  , 0.75],
           [0.25, 0.  ]]), array([1.25, 1.75]))

    Raises FloatingPointError where the kernel is not finite.
    """
    output, total = attention_output(tokens, weights, attention, query_key=query_key, value=value)
    drift = np.empty_like(tokens) if out is None else out[0]
    return np.subtract(output, np.einsum("id,id->i", output, tokens)[:, None] * tokens, out=drift), total


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite is refused
def attention_output(
    tokens: Array, weights: Array, attention: Attention, *, query_key: Array | None = None, value: Array | None = None
) -> Pair:
    r"""What attention writes to each token before any projection, and its normaliser; arguments already checked.

    .. math:: A_i = \sum_j w_j h(\langle x_i, B x_j\rangle) V x_j, \qquad
              Z_i = \sum_j w_j h(\langle x_i, B x_j\rangle)

    with B = ``query_key`` and V = ``value``, each shape=[dim, dim] and the identity by default, and ``attention`` a
    kernel h or beta, for :math:`h(s) = e^{\beta(s-1)}`, in units of :math:`e^\beta`.  Returns A, shape=[n, dim], and
    Z, shape=[n], by matrix products of blocks of rows, accurate relative to the largest term.

    >>> quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    >>> attention_output(np.eye(2), np.array([0.25, 0.75]), lambda s: 1 + s, value=quarter)[0]
    array([[-0.75,  0.5 ],
           [-1.5 ,  0.25]])

    Raises FloatingPointError where the kernel is not finite.  Source: arXiv 2312.10794, its self-attention.
    """
    n, dim = tokens.shape
    keys = tokens if query_key is None else tokens @ query_key.T
    sources = np.column_stack([weights[:, None] * (tokens if value is None else tokens @ value.T), weights])
    sums = np.empty((n, dim + 1))
    rows = max(1, OVERLAPS // n)
    for first in range(0, n, rows):
        score = tokens[first : first + rows] @ keys.T
        if query_key is None:
            np.clip(score, -1.0, 1.0, out=score)
        factor = attention(score) if callable(attention) else np.exp(attention * (score - 1))
        np.matmul(factor, sources, out=sums[first : first + rows])
    if not np.isfinite(sums).all():
        raise FloatingPointError("the kernel is not finite at an overlap of the tokens")
    return sums[:, :dim], sums[:, dim]
