"""The dense velocity fields of attention: every pair of tokens, any dimension, O(n) memory.

The exponential field is the reference that every faster field is tested against.  Differences of tokens, not their
inner products, enter its sums, so forces between nearly merged tokens keep their relative accuracy.  Any other kernel
is a function of the overlap, applied to blocks of rows between two matrix products, as is every weight where queries,
keys and values are not the tokens themselves.
"""

from collections.abc import Callable
from math import exp, isfinite

import numpy as np

from gegenflow.numerics.geometry import Array
from gegenflow.numerics.pairs import pair_sums

Kernel = Callable[[Array], Array]
"""An attention weight h: an array of overlaps t in [-1, 1] in, its values out, finite and of the same shape."""

Attention = float | Kernel
"""What weighs the tokens: beta, for the weight exp(beta t), or a kernel."""

MODELS = ("usa", "sa")
LARGEST_BETA = 700.0  # exp(beta) overflows float64 just above 709
SMALLEST_BETA = -150.0  # squares of sums in units of exp(beta), up to exp(-4 beta), fit into float64

OVERLAPS = 2**17  # overlaps held at once for a kernel: one megabyte


def dense_sums(tokens: Array, weights: Array, attention: Attention) -> tuple[Array, Array]:
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
    tokens: Array, weights: Array, attention: Attention, *, form: Array | None = None, values: Array | None = None
) -> tuple[Array, Array]:
    r"""The two sums of attention for any kernel, queries, keys and values, over all pairs; arguments already checked.

    .. math:: F_i = P_{x_i} A_i, \qquad A_i = \sum_j w_j h(\langle x_i, B x_j\rangle) V x_j, \qquad
              Z_i = \sum_j w_j h(\langle x_i, B x_j\rangle)

    Returns the drift F, shape=[n, dim], and the normaliser Z, shape=[n], accurate relative to the largest force; the
    outputs A and the units are those of :func:`attention_output`.

    >>> drift, normalizer = kernel_sums(np.eye(2), np.array([0.25, 0.75]), lambda t: 1 + t)
    >>> drift + 0.0, normalizer
    (array([[0.  , 0.75],
           [0.25, 0.  ]]), array([1.25, 1.75]))

    Raises FloatingPointError where the kernel is not finite.
    """
    output, normalizer = attention_output(tokens, weights, attention, form=form, values=values)
    return output - np.einsum("id,id->i", output, tokens)[:, None] * tokens, normalizer


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite is refused
def attention_output(
    tokens: Array, weights: Array, attention: Attention, *, form: Array | None = None, values: Array | None = None
) -> tuple[Array, Array]:
    r"""What attention writes to each token before any projection, and its normaliser; arguments already checked.

    .. math:: A_i = \sum_j w_j h(\langle x_i, B x_j\rangle) V x_j, \qquad
              Z_i = \sum_j w_j h(\langle x_i, B x_j\rangle)

    with B = ``form`` and V = ``values``, each shape=[dim, dim] and the identity by default, and ``attention`` a kernel
    h or beta, for :math:`h(s) = e^{\beta(s-1)}`, in units of :math:`e^\beta`.  Returns A, shape=[n, dim], and Z,
    shape=[n], by matrix products of blocks of rows, accurate relative to the largest term.

    >>> quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    >>> attention_output(np.eye(2), np.array([0.25, 0.75]), lambda s: 1 + s, values=quarter)[0]
    array([[-0.75,  0.5 ],
           [-1.5 ,  0.25]])

    Raises FloatingPointError where the kernel is not finite.  Source: arXiv 2312.10794, its self-attention.
    """
    n, dim = tokens.shape
    keys = tokens if form is None else tokens @ form.T
    sources = np.column_stack([weights[:, None] * (tokens if values is None else tokens @ values.T), weights])
    sums = np.empty((n, dim + 1))
    rows = max(1, OVERLAPS // n)
    for first in range(0, n, rows):
        score = tokens[first : first + rows] @ keys.T
        if form is None:
            np.clip(score, -1.0, 1.0, out=score)
        value = attention(score) if callable(attention) else np.exp(attention * (score - 1))
        np.matmul(value, sources, out=sums[first : first + rows])
    if not np.isfinite(sums).all():
        raise FloatingPointError("the kernel is not finite at an overlap of the tokens")
    return sums[:, :dim], sums[:, dim]


def velocity_unit(attention: Attention, model: str) -> float:
    r"""What a velocity from sums in units of :math:`e^\beta` is multiplied by: that in USA, one in SA and for a kernel.

    >>> velocity_unit(1.0, "usa"), velocity_unit(5.0, "sa"), velocity_unit(np.tanh, "usa")
    (2.718281828459045, 1.0, 1.0)
    """
    return exp(attention) if model == "usa" and not callable(attention) else 1.0


def check_model(
    beta: float | None, model: str, kernel: Kernel | None = None, *, smallest_beta: float = 0.0
) -> Attention:
    """The attention weight; refuses a model, an inverse temperature or a kernel for which no velocity can be given.

    ``smallest_beta`` is the least beta that the caller takes, such as ``SMALLEST_BETA``.

    >>> check_model(1e4, "usa")
    Traceback (most recent call last):
    ValueError: beta is 10000: USA overflows float64 above beta = 700; model="sa" is safe at any beta
    """
    if model not in MODELS:
        raise ValueError(f'model is {model!r}: it must be "usa" or "sa"')
    if beta is None:
        if kernel is None:
            raise ValueError("neither beta nor kernel is given: the attention weight is exp(beta t) or the kernel")
        check_kernel(kernel)
        return kernel
    if kernel is not None:
        raise ValueError(f"beta is {beta} and kernel is given too: the attention weight is exp(beta t) or the kernel")
    if not (isfinite(beta) and beta >= smallest_beta):
        raise ValueError(f"beta is {beta}: beta must be finite and >= {smallest_beta:g}")
    if model == "usa" and beta > LARGEST_BETA:
        raise ValueError(
            f'beta is {beta:g}: USA overflows float64 above beta = {LARGEST_BETA:g}; model="sa" is safe at any beta'
        )
    return beta


def check_kernel(kernel: Kernel) -> None:
    """Refuse a kernel that does not map an array of overlaps in [-1, 1] to finite values of the same shape.

    >>> check_kernel(lambda t: 1.0)
    Traceback (most recent call last):
    ValueError: kernel <lambda> maps overlaps of shape (2, 101) to shape (): each overlap needs its value
    """
    overlap = np.linspace(-1, 1, 202).reshape(2, 101)
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(kernel(overlap.copy()), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"kernel {kernel_name(kernel)} does not take an array of overlaps: {error}") from error
    if value.shape != overlap.shape:
        raise ValueError(
            f"kernel {kernel_name(kernel)} maps overlaps of shape {overlap.shape} to shape {value.shape}: "
            "each overlap needs its value"
        )
    if not np.isfinite(value).all():
        bad = overlap[~np.isfinite(value)][0]
        raise ValueError(
            f"kernel {kernel_name(kernel)} is not finite at overlap {bad:.3g}: it must be on all of [-1, 1]"
        )


def kernel_name(kernel: Kernel) -> str:
    """What a run records of a kernel: its name as a function, or else its repr.

    >>> kernel_name(np.tanh)
    'tanh'
    """
    return str(getattr(kernel, "__name__", None) or repr(kernel))
