"""What moves the tokens: the attention weight, the model, and the unit in which a velocity is summed."""

from collections.abc import Callable
from math import exp, isfinite

import numpy as np

from gegenflow.numerics.tokens.geometry import Array

Kernel = Callable[[Array], Array]
"""An attention weight h: an array of overlaps t in [-1, 1] in, its values out, finite and of the same shape."""

Attention = float | Kernel
"""What weighs the tokens: beta, for the weight exp(beta t), or a kernel."""

MODELS = ("usa", "sa")

LARGEST_BETA = 700.0  # exp(beta) overflows float64 just above 709

SMALLEST_BETA = -150.0  # squares of sums in units of exp(beta), up to exp(-4 beta), fit into float64

OVERLAPS = 2**17  # overlaps held at once for a kernel: one megabyte


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
