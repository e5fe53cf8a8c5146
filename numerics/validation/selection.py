"""Spectral selection as simulations see it: rates about a state by differences of the field, signs that remain."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import ortho_group

from gegenflow.numerics.fields.flow import Flow
from gegenflow.numerics.fields.method import attention_field
from gegenflow.numerics.integrators.events import Crossing
from gegenflow.numerics.tokens.geometry import Array, normalize, uniform
from gegenflow.numerics.validation.measurements import follow

STEP = 1e-5
ALIGNED = 1 - 1e-8
"""Smallest overlap in size with an axis at which tokens are gathered on it: few pass unstable states so closely."""


def selection_flow(value: Array, beta: float) -> Flow:
    """SA whose scores and values have one symmetric matrix.

    >>> selection_flow(np.diag([1.0, -1.0]), 2.0).model
    'sa'
    """
    return Flow(beta=beta, query_key=value, value=value, model="sa")


def state_rates(tokens: Array, flow: Flow) -> Array:
    """Eigenvalues of the flow linearised at a state, real parts from the largest down, shape=[n (dim - 1)].

    Central differences of the field on arcs of a frame of each tangent space; about 1e-9 of the largest.

    >>> state_rates(np.eye(2)[[0, 0]], Flow(beta=0.0, model="sa")).round(6) + 0.0
    array([ 0., -1.])
    """
    frames = [np.linalg.svd(token[None])[2][1:] for token in tokens]
    columns = []
    for place, frame in enumerate(frames):
        for direction in frame:
            ends = []
            for step in (STEP, -STEP):
                moved = tokens.copy()
                moved[place] = np.cos(step) * tokens[place] + np.sin(step) * direction
                ends.append(attention_field(moved, flow))
            change = (ends[0] - ends[1]) / (2 * STEP)
            columns.append(np.concatenate([part @ row for part, row in zip(frames, change, strict=True)]))
    rates: Array = np.sort(np.linalg.eigvals(np.array(columns).T).real)[::-1]
    return rates


def turned(eigenvalues: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """A symmetric matrix of these eigenvalues and its eigenvectors by columns, in a random basis.

    >>> value, axes = turned(np.array([2.0, 1.0]), np.random.default_rng(0))
    >>> bool(np.allclose(value @ axes, axes * [2.0, 1.0]))
    True
    """
    axes = np.asarray(ortho_group.rvs(len(eigenvalues), random_state=rng))
    value = (axes * eigenvalues) @ axes.T
    return (value + value.T) / 2, axes


def smaller_groups(
    eigenvalues: Array, beta: float, tokens: int, runs: int, t_end: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Tokens in the smaller group on the axis of the lowest eigenvalue, at the start and at the end of each run.

    V is diagonal, the starts are uniform; at the end -1 where tokens are not gathered on the axis by ``t_end``.

    >>> smaller_groups(np.array([-0.5, -1.0]), 1.0, 2, 3, 200.0, np.random.default_rng(0))[1]
    array([1, 1, 1])
    """
    axis, flow = int(np.argmin(eigenvalues)), selection_flow(np.diag(eigenvalues), beta)

    def overlap(tokens: Array, weights: Array, flow: Flow) -> float:
        return float(np.abs(tokens[:, axis]).min())

    gathered = Crossing(overlap, ALIGNED)
    first, last = [], []
    for _ in range(runs):
        start = uniform(tokens, len(eigenvalues), rng=rng)
        options: dict[str, Any] = {"save_at": [], "rtol": 1e-7, "atol": 1e-10, "stop_when": gathered}
        run = follow(start, flow, t_end, **options)
        ended = np.abs(run.tokens[:, axis]).min() >= ALIGNED - 1e-10
        first.append(_smaller(start[:, axis]))
        last.append(_smaller(run.tokens[:, axis]) if ended else -1)
    return np.array(first), np.array(last)


def in_a_cone(tokens: int, axis: Array, rng: np.random.Generator) -> Array:
    """Uniform tokens, each mirrored to the side of an axis.

    >>> bool((in_a_cone(9, np.eye(3)[0], np.random.default_rng(0))[:, 0] > 0).all())
    True
    """
    start = uniform(tokens, len(axis), rng=rng)
    overlap = start @ axis
    return normalize(start + 2 * np.maximum(-overlap, 0)[:, None] * axis)


def _smaller(overlaps: Array) -> int:
    return int(min((overlaps > 0).sum(), (overlaps <= 0).sum()))
