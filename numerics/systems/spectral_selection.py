"""Spectral selection: its flow, random starts and matrices, and rates about a state by differences of the field."""

from __future__ import annotations

import numpy as np
from scipy.stats import ortho_group

from gegenflow.numerics.fields.method import attention_field
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.geometry import Array, normalize, tangent_matrix, uniform

STEP = 1e-5


def selection_flow(value: Array, beta: float) -> Flow:
    """SA whose scores and values have one symmetric matrix; arXiv 2604.26085.

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

    def change(place: int, direction: Array) -> Array:
        ends = []
        for step in (STEP, -STEP):
            moved = tokens.copy()
            moved[place] = np.cos(step) * tokens[place] + np.sin(step) * direction
            ends.append(attention_field(moved, flow))
        slope: Array = (ends[0] - ends[1]) / (2 * STEP)
        return slope

    rates: Array = np.sort(np.linalg.eigvals(tangent_matrix(tokens, change)).real)[::-1]
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


def in_a_cone(tokens: int, axis: Array, rng: np.random.Generator) -> Array:
    """Uniform tokens, each mirrored to the side of an axis.

    >>> bool((in_a_cone(9, np.eye(3)[0], np.random.default_rng(0))[:, 0] > 0).all())
    True
    """
    start = uniform(tokens, len(axis), rng=rng)
    overlap = start @ axis
    return normalize(start + 2 * np.maximum(-overlap, 0)[:, None] * axis)
