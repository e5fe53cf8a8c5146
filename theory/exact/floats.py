"""Functions of arrays whose every value is right: each is worked out in balls until a float64 is beyond doubt."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, TypeAlias

import flint
from flint import arb

from gegenflow.theory.exact.refusals import Refused, refusal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats: TypeAlias = NDArray[np.float64]

FLOAT_BITS = 60
"""Relative accuracy, in bits, of a ball that makes a float64: its value is off by little more than half a unit."""
FIRST_PRECISION, LAST_PRECISION = 96, 2**19


def float_values(value: Callable[[arb], arb], points: ArrayLike, name: str, least: float, most: float) -> Floats:
    """The function, given in balls, at each of an array of points, as floats; beyond their range inf or 0.

    >>> float_values(lambda x: x.exp() - 1, [0.0, 1e-300], "x", -1, 1).tolist()      # nothing cancels
    [0.0, 1e-300]

    Raises Refused for points that are no real numbers in [least, most].
    """
    import numpy as np

    known = _points(points, name, least, most)
    return np.array([float(ball) for ball in _balls(value, known.ravel().tolist(), name)]).reshape(known.shape)


def log_values(
    value: Callable[[arb], arb], points: ArrayLike, name: str, least: float, most: float
) -> tuple[Floats, Floats]:
    """The signs of the values and the logarithms of their sizes, -inf with the sign 0 at a zero.

    >>> [float(part) for part in log_values(lambda x: -((1e3 * x).exp()), 1.0, "x", -1, 1)]
    [-1.0, 1000.0]

    Raises Refused as :func:`float_values`.
    """
    import numpy as np

    known = _points(points, name, least, most)
    balls = _balls(value, known.ravel().tolist(), name)
    with flint.ctx.workprec(FIRST_PRECISION):
        sizes = [float(abs(ball).log()) if not ball.is_zero() else -inf for ball in balls]
    signs = [float((ball > 0) - (ball < 0)) for ball in balls]
    return np.array(signs).reshape(known.shape), np.array(sizes).reshape(known.shape)


def _points(points: ArrayLike, name: str, least: float, most: float) -> Floats:
    import numpy as np

    allowed = f"an array of finite real numbers in [{least:g}, {most:g}] is needed"
    if isinstance(points, np.ma.MaskedArray):
        raise Refused(name, "is masked", f"{allowed}; fill it or leave the masked ones out")
    try:
        given = np.asarray(points)
        array = given.astype(np.float64) if given.dtype.kind in "iufO" else None
    except (TypeError, ValueError):
        array = None
    if array is None:
        raise refusal(name, points, allowed)
    for bad in array[~((array >= least) & (array <= most) & np.isfinite(array))].tolist():
        raise Refused(name, bad, allowed)
    return array


def _balls(value: Callable[[arb], arb], points: list[float], name: str) -> list[arb]:
    """Balls of :data:`FLOAT_BITS`; the search for the precision of a point starts at half of what the last one took."""
    found, precision = [], FIRST_PRECISION
    for point in points:
        precision = max(FIRST_PRECISION, precision // 2)
        while True:
            with flint.ctx.workprec(precision):
                ball = value(arb(point))
            if ball.is_zero() or ball.rel_accuracy_bits() >= FLOAT_BITS:
                break
            if precision >= LAST_PRECISION:
                raise Refused(name, point, f"the value there cannot be told from 0 with {precision} bits")
            precision *= 2
        found.append(ball)
    return found
