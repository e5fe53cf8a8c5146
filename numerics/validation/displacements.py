r"""How arrangements of clusters answer to small displacements of their tokens, measured by runs of both signs."""

from __future__ import annotations

from typing import Any

import numpy as np

from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.geometry import Array, normalize, tangent_matrix
from gegenflow.numerics.validation.measurements import follow

SMALL = 1e-6
"""Size of a displacement: cubic terms are below 1e-11 of the linear ones, rounding below 1e-9."""


def equal_clusters(count: int, each: int = 1) -> Array:
    """Angles of so many equally spaced clusters of ``each`` tokens.

    >>> equal_clusters(2, each=2).round(3)
    array([0.   , 0.   , 3.142, 3.142])
    """
    return np.repeat(2 * np.pi * np.arange(count) / count, each)


def answer(points: Array, displacement: Array, flow: Flow, t_end: float, *, weights: Array | None = None) -> Array:
    """Where a small tangent displacement of tokens leads, per unit of it: half the difference of both signs.

    Two tokens at beta = 0, moved apart by a turn each, approach at the rate 1:

    >>> apart = answer(np.array([[1.0, 0.0]] * 2), np.array([[0.0, 1.0], [0.0, -1.0]]), Flow(beta=0), 1.0)
    >>> bool(abs(apart[0, 1] - np.exp(-1)) < 1e-8)
    True
    """
    options: dict[str, Any] = {
        "weights": weights,
        "method": "dense",
        "rtol": 1e-12,
        "atol": 1e-15,
        "save_at": [],
        "first_step": t_end / 50,
    }
    ends = [follow(normalize(points + sign * SMALL * displacement), flow, t_end, **options).tokens for sign in (1, -1)]
    moved: Array = (ends[0] - ends[1]) / (2 * SMALL)
    return moved


def rate_of(points: Array, displacement: Array, flow: Flow, t_end: float, *, weights: Array | None = None) -> float:
    """The rate at which a displacement grows that keeps its shape, from its projection on itself.

    >>> apart = np.array([[0.0, 1.0], [0.0, -1.0]])
    >>> round(rate_of(np.array([[1.0, 0.0]] * 2), apart, Flow(beta=0), 1.0), 6)
    -1.0
    """
    end = answer(points, displacement, flow, t_end, weights=weights)
    share = float((end * displacement).sum() / (displacement**2).sum())
    return float(np.log(share) / t_end)


def rate_with_bar(
    points: Array, displacement: Array, flow: Flow, t_end: float, *, weights: Array | None = None
) -> tuple[float, float]:
    """That rate over a time and over half of it: the first, and their difference with the rounding as its bar."""
    whole, half = (rate_of(points, displacement, flow, time, weights=weights) for time in (t_end, t_end / 2))
    return whole, abs(whole - half) + 1e-7 / t_end


def propagator_rates(points: Array, flow: Flow, t_end: float) -> Array:
    """Rates of all tangent displacements of clusters, from the eigenvalues of how each answers, the largest first.

    >>> propagator_rates(np.array([[1.0, 0.0], [-1.0, 0.0]]), Flow(beta=0), 1.0).round(6) + 0.0
    array([1., 0.])
    """

    def answered(place: int, direction: Array) -> Array:
        push = np.zeros_like(points)
        push[place] = direction
        return answer(points, push, flow, t_end)

    values = np.linalg.eigvals(tangent_matrix(points, answered)).real
    rates: Array = np.sort(np.log(values))[::-1] / t_end
    return rates
