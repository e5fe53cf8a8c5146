"""The zero-temperature flow: against attention at large beta, and its orbits against an integrator."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import integers

from gegenflow import numerics as nm
from gegenflow.numerics.integrators.paths import integrate
from gegenflow.numerics.systems.low_temperature import linear_flow, zero_temperature_field


def matrices(rng, dim):
    return np.eye(dim) + 0.1 * np.random.default_rng(rng).standard_normal((2, dim, dim))


@given(rng=integers(0, 10**6))
def test_attention_at_large_beta_approaches_the_field(rng):
    """Dense sums over 2000 equispaced tokens: halved when beta doubles, within a fifth."""
    values, form = matrices(rng, 2)
    tokens = nm.lattice(2000)
    limit = zero_temperature_field(tokens, query_key=form, value=values)
    off = [
        np.abs(nm.attention_field(tokens, beta=beta, model="sa", query_key=form, value=values) - limit).max()
        for beta in (80.0, 160.0)
    ]
    assert off[0] == pytest.approx(2 * off[1], rel=0.2)
    assert off[1] < 0.05 * np.abs(limit).max() + 0.01


@given(rng=integers(0, 10**6), dim=integers(2, 5))
def test_tokens_stay_on_the_orbits_of_the_linear_flow(rng, dim):
    """The field integrated with a clock: tau' = 1/|B^T x| as a second state beside each token."""
    values, form = matrices(rng, dim)
    start = nm.uniform(1, dim, rng=rng)

    def field(state, out):
        x = state[:dim] / np.linalg.norm(state[:dim])
        out[:dim] = zero_temperature_field(x[None], query_key=form, value=values)[0]
        out[dim] = 1 / np.linalg.norm(form.T @ x)

    end = integrate(field, np.append(start[0], 0.0), t_end=1.0, save_at=[], rtol=1e-10).state
    moved = linear_flow(start, end[dim], query_key=form, value=values)[0]
    assert np.abs(end[:dim] / np.linalg.norm(end[:dim]) - moved).max() < 1e-8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: zero_temperature_field(np.eye(2), query_key=[[1, 0], [0, 0]]), "row 1 has no direction, as query_key"),
        (
            lambda: zero_temperature_field(np.eye(2), value=np.eye(3)),
            r"value: it has shape \(3, 3\), expected \(dim, dim\) = \(2, 2\)",
        ),
        (
            lambda: linear_flow(np.eye(2), 1.0, query_key=[[1, np.nan], [0, 0]]),
            r"query_key: entry \(0, 1\) is nan, not finite",
        ),
        (lambda: linear_flow(np.eye(2), np.inf), "time inf: it must be finite"),
        (lambda: linear_flow(np.eye(2), 1e4), "time 10000.0: its product with"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
