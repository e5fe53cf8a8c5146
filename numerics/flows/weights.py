"""Attention weights and matrices of a flow, checked: beta or a kernel, query_key and value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.tokens.arguments import check_array, check_number, real_array
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import Value, sealed

Kernel = Callable[[Array], Array]
"""An attention weight h: an array of overlaps t in [-1, 1] in, its values out, finite and of the same shape."""

Attention = float | Kernel
"""What weighs the tokens: beta, for the weight exp(beta t), or a kernel."""

Number = SupportsFloat | SupportsIndex
"""Whatever has the value of a real number."""

LARGEST_BETA = 700.0  # exp(beta) overflows float64 just above 709

ZOOM, ZOOMS = 8, 18  # factor and number of looks from a cell of the grid down to the spacing of floats
UNBOUNDED = 1e6  # times its largest value on the grid: more has no bound

SMALLEST_BETA = -150.0  # squares of sums in units of exp(beta), up to exp(-4 beta), fit into float64


def attention_of(beta: float | None, kernel: Kernel | None) -> Attention:
    """The one of the two that is given.

    >>> attention_of(None, np.tanh) is np.tanh, attention_of(2.0, None)
    (True, 2.0)
    """
    if kernel is not None:
        return kernel
    if beta is None:
        raise Refused("beta", None, "the heads have an attention weight each, the flow has none")
    return beta


def weight_parts(beta: Number | None, kernel: Kernel | None) -> dict[str, Any]:
    """The fields beta and kernel of a flow or a head: exactly one is not None.

    A kernel that holds beta, one of its ``parameters``, gets the number that is given beside it.

    >>> weight_parts(2, None)
    {'beta': 2.0, 'kernel': None}
    >>> weight_parts(2, np.tanh)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: beta 2: the kernel tanh holds no beta; give one of the two
    """
    if kernel is None:
        if beta is None:
            raise Refused("beta", None, "neither beta nor kernel is given, the attention weight is exp(beta t) or it")
        return {"beta": check_number("beta", beta, least=SMALLEST_BETA), "kernel": None}
    if not callable(kernel):
        raise Refused("kernel", kernel, "it must be a function of an array of overlaps")
    symbols = tuple(getattr(kernel, "parameters", ()))
    if beta is not None and "beta" not in symbols:
        raise Refused("beta", beta, f"the kernel {kernel_name(kernel)} holds no beta; give one of the two")
    if beta is not None:
        kernel = kernel.at(beta=beta)  # type: ignore[attr-defined]
        symbols = tuple(getattr(kernel, "parameters", ()))
    if symbols:
        raise Refused("kernel", kernel_name(kernel), f"a number is needed in the place of {', '.join(symbols)}")
    check_kernel(kernel)
    return {"beta": None, "kernel": kernel}


def matrix_parts(query_key: ArrayLike | None, value: ArrayLike | None) -> dict[str, Array | None]:
    """The fields query_key and value of a flow or a head: square matrices of one dim, or None.

    >>> matrix_parts([[1, 2]], None)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: query_key: it has shape (1, 2), expected (dim, dim) = (1, 1)
    """
    facts = {"query_key": _matrix("query_key", query_key), "value": _matrix("value", value)}
    shapes = {matrix.shape for matrix in facts.values() if matrix is not None}
    if len(shapes) == 2:
        raise Refused(
            "value", None, f"its shape and that of query_key differ: {' and '.join(map(str, sorted(shapes)))}"
        )
    return facts


def check_kernel(kernel: Kernel) -> None:
    """Refuse a kernel that does not map an array of overlaps in [-1, 1] to finite values of the same shape.

    >>> check_kernel(lambda t: 1.0)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: kernel <lambda>: it maps overlaps of shape (2, 101) to shape ()
    """
    overlap, name = np.linspace(-1, 1, 202).reshape(2, 101), kernel_name(kernel)
    try:
        with np.errstate(all="ignore"):
            value = _real_values(kernel, overlap, name)
    except (TypeError, ValueError) as error:
        raise Refused("kernel", name, f"it does not take an array of overlaps: {error}") from error
    if value.shape != overlap.shape:
        raise Refused("kernel", name, f"it maps overlaps of shape {overlap.shape} to shape {value.shape}")
    if not np.isfinite(value).all():
        bad = overlap[~np.isfinite(value)][0]
        raise Refused("kernel", name, f"it is not finite at overlap {bad:.3g}; it must be on all of [-1, 1]")
    flat, height = overlap.ravel(), np.abs(value.ravel())
    for steepest in {int(height.argmax()), 1 + int(np.abs(np.diff(value.ravel(), 2)).argmax())}:
        _check_bounded(kernel, flat[max(steepest - 1, 0)], flat[min(steepest + 1, flat.size - 1)], height.max(), name)


def _check_bounded(kernel: Kernel, low: float, high: float, height: float, name: str) -> None:
    # down to the spacing of floats the largest value stays near those on a grid, or it grows without bound
    for _ in range(ZOOMS):
        overlap = np.linspace(low, high, 2 * ZOOM + 1)
        with np.errstate(all="ignore"):
            value = np.abs(_real_values(kernel, overlap, name))
        top = int(np.where(np.isfinite(value), value, np.inf).argmax())
        if not value[top] <= UNBOUNDED * max(height, 1e-300):
            raise Refused("kernel", name, f"it grows without bound near overlap {overlap[top]:.6g}")
        low, high = overlap[max(top - 1, 0)], overlap[min(top + 1, 2 * ZOOM)]


def _real_values(kernel: Kernel, overlap: Array, name: str) -> Array:
    value = np.asarray(kernel(overlap.copy()))
    if value.dtype.kind == "c":
        raise Refused("kernel", name, "it gives complex numbers, weights are real")
    return value.astype(np.float64)


def kernel_name(kernel: Kernel) -> str:
    """What a run records of a kernel: its name as a function, its formula as ``weight``, or else its repr.

    >>> kernel_name(np.tanh)
    'tanh'
    """
    return str(getattr(kernel, "__name__", None) or getattr(kernel, "weight", None) or repr(kernel))


def short_repr(part: Value, defaults: dict[str, object]) -> str:
    """The fields that are given, a matrix by its shape."""
    given = []
    for name in (f.name for f in fields(part)):
        value = getattr(part, name)
        if not is_given(value, defaults.get(name)):
            continue
        shown = f"<{value.shape[0]} x {value.shape[1]}>" if isinstance(value, np.ndarray) else repr(value)
        given.append(f"{name}={kernel_name(value) if callable(value) else shown}")
    return f"{type(part).__name__}({', '.join(given)})"


def is_given(part: object, default: object) -> bool:
    """Whether a part of a flow differs from its default, and from None and from no heads.

    >>> is_given(np.eye(2), None), is_given("usa", "usa"), is_given((), None)
    (True, False, False)
    """
    return isinstance(part, np.ndarray) or (part is not None and part != () and part != default)


def check_fit(name: str, matrix: Array | None, dim: int) -> None:
    """Refuse a matrix that does not fit tokens of a dim.

    >>> check_fit("value", np.eye(2), 3)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: value: it has shape (2, 2), tokens of dim 3 need (3, 3)
    """
    if matrix is not None and matrix.shape != (dim, dim):
        raise Refused(name, None, f"it has shape {matrix.shape}, tokens of dim {dim} need ({dim}, {dim})")


def _matrix(name: str, rows: ArrayLike | None) -> Array | None:
    if rows is None:
        return None
    array = real_array(name, rows)
    dim = len(array) if array.ndim else 0
    matrix: Array = sealed(check_array(name, array, "(dim, dim)", dim, dim) + 0.0)  # -0 and 0 are equal: so are bits
    return matrix
