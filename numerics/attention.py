"""The dense velocity fields of attention: every pair of tokens, any dimension, O(n) memory.

The exponential field is the reference that every faster field is tested against.  Differences of tokens, not their
inner products, enter its sums, so forces between nearly merged tokens keep their relative accuracy.  Any other kernel
is a function of the overlap, applied to blocks of rows between two matrix products.
"""

from collections.abc import Callable
from math import factorial, isfinite

import numpy as np
from numba import njit, prange
from numpy.typing import ArrayLike

from gegenflow.numerics.geometry import Array, check_tokens, check_weights

Kernel = Callable[[Array], Array]
"""An attention weight h: an array of overlaps t in [-1, 1] in, its values out, finite and of the same shape."""

Attention = float | Kernel
"""What weighs the tokens: beta, for the weight exp(beta t), or a kernel."""

MODELS = ("usa", "sa")
LARGEST_BETA = 700.0  # exp(beta) overflows float64 just above 709

BLOCK = 256  # tokens whose exponents are held at once: they stay in the first-level cache
CHUNKS = 64  # work items of a parallel region
PARALLEL_FROM = 50_000  # pairs times dim: below it a parallel region costs more than it saves
OVERLAPS = 2**17  # overlaps held at once for a kernel: one megabyte
FAST = {"contract", "reassoc", "nsz", "arcp"}

LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
ROUNDER = 1.5 * 2.0**52  # adding it rounds to an integer held in the low bits
TAYLOR = tuple(1 / factorial(k) for k in range(13, -1, -1))


def attention_field(
    tokens: ArrayLike,
    beta: float | None = None,
    *,
    model: str = "usa",
    weights: ArrayLike | None = None,
    kernel: Kernel | None = None,
) -> Array:
    r"""Velocity of every token under attention, shape=[n, dim].

    .. math:: \dot x_i = P_{x_i} \sum_j w_j h(\langle x_i, x_j\rangle) x_j \quad\text{(USA)}, \qquad
              \dot x_i = Z_i^{-1} P_{x_i} \sum_j w_j h(\langle x_i, x_j\rangle) x_j \quad\text{(SA)}

    with :math:`P_x y = y - \langle x, y\rangle x`, :math:`Z_i = \sum_j w_j h(\langle x_i, x_j\rangle)`,
    the self term included, ``tokens`` shape=[n, dim], ``weights`` :math:`w_j` shape=[n], 1/n by default, and either
    ``beta``, :math:`h(t) = e^{\beta t}`, or any ``kernel`` h, a vectorised function of the overlap t.

    Two orthogonal tokens turn towards each other at speed 1/2 (USA) or :math:`1/(1 + e^\beta)` (SA):

    >>> attention_field([[1.0, 0.0], [0.0, 1.0]], beta=3.0)
    array([[0. , 0.5],
           [0.5, 0. ]])
    >>> field = attention_field([[1.0, 0.0], [0.0, 1.0]], beta=3.0, model="sa")
    >>> bool(np.isclose(field[0, 1], 1 / (1 + np.exp(3.0)), rtol=1e-14))
    True

    ReLU attention sees only the half sphere about a token, here the second of two others:

    >>> attention_field([[1.0, 0.0], [-0.6, 0.8], [0.8, 0.6]], kernel=lambda t: np.maximum(t, 0))[0].round(15)
    array([0.  , 0.16])

    Raises ValueError for bad tokens or weights, for ``beta`` negative or not finite, for USA with ``beta`` > 700, where
    :math:`e^\beta` overflows, for both or neither of ``beta`` and ``kernel``, for a kernel that is not finite or
    changes the shape, and for SA where :math:`Z_i \le 0`.  Source: arXiv 2410.23228, its USA and SA models.
    """
    attention = check_model(beta, model, kernel)
    tokens = check_tokens(tokens)
    weights = check_weights(weights, len(tokens))
    try:
        return velocity(*dense_sums(tokens, weights, attention), attention, model)
    except FloatingPointError as problem:
        raise ValueError(str(problem)) from None


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
    components = np.ascontiguousarray(tokens.T)
    drift, normalizer = np.empty_like(tokens), np.empty(len(tokens))
    if tokens.size * len(tokens) < PARALLEL_FROM:
        _sum_rows(0, len(tokens), components, weights, attention, drift, normalizer)
    else:
        _sum_rows_parallel(components, weights, attention, drift, normalizer)
    return drift, normalizer


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite is refused
def kernel_sums(tokens: Array, weights: Array, kernel: Kernel) -> tuple[Array, Array]:
    r"""The two sums of attention for any kernel, over all pairs; arguments already checked.

    .. math:: F_i = P_{x_i}\sum_j w_j h(\langle x_i,x_j\rangle) x_j, \qquad Z_i = \sum_j w_j h(\langle x_i,x_j\rangle)

    Returns the drift F, shape=[n, dim], and the normaliser Z, shape=[n], accurate relative to the largest force.

    >>> drift, normalizer = kernel_sums(np.eye(2), np.array([0.25, 0.75]), lambda t: 1 + t)
    >>> drift + 0.0, normalizer
    (array([[0.  , 0.75],
           [0.25, 0.  ]]), array([1.25, 1.75]))

    Raises FloatingPointError where the kernel is not finite.
    """
    n, dim = tokens.shape
    sources = np.column_stack([weights[:, None] * tokens, weights])
    sums = np.empty((n, dim + 1))
    rows = max(1, OVERLAPS // n)
    for first in range(0, n, rows):
        overlap = tokens[first : first + rows] @ tokens.T
        np.clip(overlap, -1.0, 1.0, out=overlap)
        np.matmul(kernel(overlap), sources, out=sums[first : first + rows])
    if not np.isfinite(sums).all():
        raise FloatingPointError("the kernel is not finite at an overlap of the tokens")
    drift, normalizer = sums[:, :dim], sums[:, dim]
    return drift - np.einsum("id,id->i", drift, tokens)[:, None] * tokens, normalizer


def velocity(drift: Array, normalizer: Array, attention: Attention, model: str) -> Array:
    r"""Velocity from the sums in units of :math:`e^\beta`: :math:`e^\beta F` (USA) or :math:`F/Z` (SA).

    The sums of a kernel are in units of one.

    >>> velocity(np.array([[0.0, 3.0]]), np.array([2.0]), 0.0, "sa")
    array([[0. , 1.5]])

    Raises FloatingPointError where SA would divide by a normaliser that is not positive.
    """
    if model == "usa":
        return drift if callable(attention) else drift * np.exp(attention)
    if not (normalizer > 0).all():
        row = int(np.flatnonzero(~(normalizer > 0))[0])
        raise FloatingPointError(
            f"the normaliser of token {row} is {normalizer[row]:.3g}: SA divides by it and needs it positive"
        )
    return drift / normalizer[:, None]


def check_model(beta: float | None, model: str, kernel: Kernel | None = None) -> Attention:
    """The attention weight; refuses a model, an inverse temperature or a kernel for which no velocity can be given.

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
    if not (isfinite(beta) and beta >= 0):
        raise ValueError(f"beta is {beta}: beta must be finite and >= 0")
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


@njit(cache=True, fastmath={"contract"})
def _exp(x: float) -> float:
    # exp(max(x, -600)) for x <= 0 to 1 ulp; unlike np.exp it vectorises.  The clamp keeps denormals away.
    shifted = max(x, -600.0) * LOG2_E + ROUNDER
    power = shifted - ROUNDER
    rest = (max(x, -600.0) - power * LN2_HIGH) - power * LN2_LOW
    value = 0.0
    for coefficient in TAYLOR:
        value = value * rest + coefficient
    exponent = np.float64(shifted).view(np.int64) << np.int64(52)
    return np.int64(np.float64(value).view(np.int64) + exponent).view(np.float64)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _sum_rows(
    start: int, stop: int, components: Array, weights: Array, beta: float, drift: Array, normalizer: Array
) -> None:
    # The drift is P_{x_i} sum_j w_j e_ij (x_j - x_i): the projection removes x_i, the self term is exactly 0.
    dim, n = components.shape
    factor = np.empty(BLOCK)
    for i in range(start, stop):
        drift[i] = 0.0
        total = 0.0
        for first in range(0, n, BLOCK):
            size = min(BLOCK, n - first)
            factor[:] = 0.0
            for c in range(dim):
                others, own = components[c, first : first + size], components[c, i]
                for j in range(size):
                    factor[j] += (others[j] - own) ** 2
            masses = weights[first : first + size]
            for j in range(size):
                factor[j] = masses[j] * _exp(-0.5 * beta * factor[j])
                total += factor[j]
            for c in range(dim):
                others, own = components[c, first : first + size], components[c, i]
                pull = 0.0
                for j in range(size):
                    pull += factor[j] * (others[j] - own)
                drift[i, c] += pull
        normalizer[i] = total
        radial = 0.0
        for c in range(dim):
            radial += drift[i, c] * components[c, i]
        for c in range(dim):
            drift[i, c] -= radial * components[c, i]


@njit(cache=True, parallel=True)
def _sum_rows_parallel(components: Array, weights: Array, beta: float, drift: Array, normalizer: Array) -> None:
    n = len(weights)
    chunks = min(CHUNKS, n)
    for k in prange(chunks):
        _sum_rows(k * n // chunks, (k + 1) * n // chunks, components, weights, beta, drift, normalizer)
