"""Attention weights as functions of arrays of overlaps, in floats."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING

import mpmath
import sympy as sp

from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.symbols import t

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

ONE_BY_ONE: dict[str, Callable[..., float]] = {
    "erf": math.erf,
    "gamma": math.gamma,
    "besseli": lambda order, x: float(mpmath.besseli(order, x)),
}
"""Functions that numpy lacks; they are taken one overlap at a time."""

OF_TWO = {sp.Max: sp.Function("maximum"), sp.Min: sp.Function("minimum")}
"""What numpy has of them takes two; sympy 1.13 writes them as a reduction, which takes no number beside an array."""


def overlap_function(weight: sp.Expr) -> Callable[[ArrayLike], NDArray[np.float64]]:
    """The weight at each of an array of overlaps, an array of the same shape; a constant weight is repeated.

    >>> overlap_function(sp.Max(t, 0))([[-0.5, 0.5]]).tolist(), overlap_function(sp.Integer(2))([0, 1]).tolist()
    ([[0.0, 0.5]], [2.0, 2.0])

    Raises Refused for a series without a closed form and for functions that no float is known of.
    """
    import numpy as np

    closed = weight.doit()
    for several, of_two in OF_TWO.items():
        closed = closed.replace(several, lambda *parts, of_two=of_two: reduce(of_two, parts))
    missing = {name: np.vectorize(function, otypes=[float]) for name, function in ONE_BY_ONE.items()}
    formula = sp.lambdify(t, closed, [missing, "numpy"])

    def function(overlaps: ArrayLike) -> NDArray[np.float64]:
        given = np.asarray(overlaps, dtype=np.float64)
        try:
            values = np.asarray(formula(given), dtype=np.float64)
        except (NameError, TypeError, AttributeError) as error:
            raise Refused("kernel", weight, "it has no values in floats") from error
        return np.broadcast_to(values, given.shape).copy()

    return function
