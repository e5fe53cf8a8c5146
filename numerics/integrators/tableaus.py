"""Coefficients of embedded Runge-Kutta methods of orders 5 and 8, with interpolants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import DOP853, RK45

from gegenflow.numerics.tokens.geometry import Array

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Terms:
    """A sum over stages without its zeros: which stages, and by what, shape=[..., stages]."""

    stages: Indices
    factors: Array


def terms(factors: Array) -> Terms:
    """The terms of one sum, shape=[stages], or of several, shape=[sums, stages], that are not zero.

    >>> terms(np.array([0.5, 0.0, 0.25])).stages
    array([0, 2])
    """
    used = np.flatnonzero(np.atleast_2d(factors).any(axis=0))
    return Terms(used, np.ascontiguousarray(factors[..., used]))


@dataclass(frozen=True, eq=False)
class Tableau:
    r"""Coefficients of an embedded method whose last stage is the first of the next step.

    ``rows`` make the stages 1, 2, ... and, last, the step itself; ``extra`` those that only the interpolant needs;
    ``errors`` holds two estimates, ``last`` the last stage as a sum; ``interpolant``, shape=[terms, stages], gives

    .. math:: b(\vartheta) = \vartheta(f_0 + (1-\vartheta)(f_1 + \vartheta(f_2 + (1-\vartheta)(f_3 + \dots))))
    """

    order: int
    rows: tuple[Terms, ...]
    extra: tuple[Terms, ...]
    errors: Terms
    last: Terms
    interpolant: Array


def interpolating_factors(tableau: Tableau, fraction: float) -> Array:
    """The factors of all stages in the state a ``fraction`` of a step ahead, shape=[stages].

    >>> bool(np.allclose(interpolating_factors(ORDER_8, 1.0)[:12], DOP853.B, rtol=0, atol=1e-15))
    True
    """
    factors = np.zeros(tableau.interpolant.shape[1])
    for k in reversed(range(len(tableau.interpolant))):
        factors = (factors + tableau.interpolant[k]) * (1 - fraction if k % 2 else fraction)
    return factors


def _tableau(order: int, a: Array, b: Array, extra: Array, errors: list[Array], rest: Array) -> Tableau:
    stages = len(b) + 1 + len(extra)
    step, first, last = (np.zeros(stages) for _ in range(3))
    step[: len(b)], first[0], last[len(b)] = b, 1, 1
    hermite = [step, first - step, 2 * step - first - last]
    return Tableau(
        order,
        (*(terms(row[:i]) for i, row in enumerate(a) if i), terms(b)),
        tuple(terms(row) for row in extra),
        terms(np.array(errors)),
        terms(np.array([last, 0 * last])),
        np.array([*hermite, *rest]),
    )


ORDER_5 = _tableau(5, RK45.A, RK45.B, np.empty((0, 7)), [RK45.E, 0 * RK45.E], RK45.P[:, 3:].T)
"""Dormand and Prince 5(4) with an interpolant of degree 4."""

ORDER_8 = _tableau(8, DOP853.A, DOP853.B, DOP853.A_EXTRA, [DOP853.E5, DOP853.E3], DOP853.D)
"""Dormand and Prince 8(5, 3) with an interpolant of degree 7 and three more stages for it."""
