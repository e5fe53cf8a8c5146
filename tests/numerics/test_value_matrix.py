"""Values, queries and keys, negative temperatures, and few tokens in many dims: definitions, closed forms, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, none, sampled_from
from scipy.integrate import quad, solve_ivp
from support.particles import energy_and_integrated_dissipation

from gegenflow import numerics as nm
from gegenflow.numerics.fields.method import attention_field, prepare_field
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.integrators.stochastic import default_step

MODELS = sampled_from(["usa", "sa"])
METHODS = {"dense": 4, "tiles": 4, "circle": 2, "cells": 2, "sphere": 3}


def brute_force(tokens, weights, h, model="usa", form=None, values=None):
    """The definition, row by row in extended precision."""
    x, w = tokens.astype(np.longdouble), weights.astype(np.longdouble)
    identity = np.eye(tokens.shape[1])
    value = h(x @ (identity if form is None else form).astype(np.longdouble) @ x.T)
    pull = (value * w) @ (x @ (identity if values is None else values).astype(np.longdouble).T)
    if model == "sa":
        pull /= (value * w).sum(axis=1)[:, None]
    return pull - (pull * x).sum(axis=1)[:, None] * x


def at_angle(angle):
    return np.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]])


@settings(max_examples=40)
@given(
    method=sampled_from(sorted(METHODS)),
    model=MODELS,
    beta=floats(-12, -1e-3),
    n=integers(1, 500),
    clustered=sampled_from([False, True]),
    seed=integers(0, 99),
)
def test_every_method_takes_a_negative_temperature(method, model, beta, n, clustered, seed):
    """Against the definition in extended precision; the estimate of the error, given before any sum, holds."""
    dim, rng = METHODS[method], np.random.default_rng(seed)
    tokens, weights = nm.uniform(n, dim, rng=rng), rng.dirichlet(np.full(n, 5.0))
    if clustered:
        tokens = nm.normalize(np.eye(2, dim)[np.arange(n) % 2] + 1e-4 * tokens)
    field = prepare_field(tokens, weights, Flow(beta=beta, model=model), method=method)
    velocity = np.empty_like(tokens)
    field(tokens, velocity)
    exact = brute_force(tokens, weights, lambda s: np.exp(beta * s), model)
    largest = 1.0 if model == "sa" else (np.exp(beta * tokens @ tokens.T) @ weights).max()
    rounding = 2e-15 * largest * (1 + abs(beta))
    assert np.abs(velocity - exact).max() < max(3 * field.velocity_error(tokens), rounding)


@given(beta=floats(-150, -5), gap=floats(-12, 0.4), model=MODELS)
def test_dense_sums_keep_the_digits_of_small_forces_below_zero(beta, gap, model):
    """Two tokens in closed form: forces down to e^-150 times 1e-12."""
    angle = 10.0**gap
    speed = attention_field(at_angle(angle), beta=beta, model=model)[0, 1]
    weight = np.exp(beta * np.cos(angle))
    exact = weight * np.sin(angle) / (2 if model == "usa" else np.exp(beta) + weight)
    assert speed == pytest.approx(exact, rel=1e-12, abs=1e-300)


@settings(max_examples=10)
@given(beta=floats(-5, -0.1), n=integers(5, 60), dim=integers(2, 4), seed=integers(0, 99))
def test_a_negative_temperature_is_the_opposite_form(beta, n, dim, seed):
    """e^(beta <x, y>) scores keys -y at |beta|: compiled differences against tiles, and both against a kernel."""
    tokens = nm.uniform(n, dim, rng=seed)
    options = {"t_end": 0.5 * np.exp(beta), "rtol": 1e-10, "save_at": []}
    run = nm.simulate(tokens, beta=beta, **options).tokens
    form = nm.simulate(tokens, beta=-beta, query_key=-np.eye(dim), **options).tokens
    kernel = nm.simulate(tokens, kernel=lambda t: np.exp(beta * t), **options).tokens
    assert np.abs(run - form).max() < 1e-8
    assert np.abs(run - kernel).max() < 1e-8


@settings(max_examples=10)
@given(beta=floats(-6, -0.2), dim=integers(2, 4), model=MODELS, seed=integers(0, 99))
def test_the_energy_rises_by_the_integrated_dissipation_below_zero(beta, dim, model, seed):
    """Gauss-Legendre integral of dE/dt over a run against the difference of E."""
    t_end = 0.5 * np.exp(beta if model == "usa" else 0.0)
    energy, risen = energy_and_integrated_dissipation(dim, beta, model, seed, t_end)
    assert (energy < 0).all()
    assert energy[-1] - energy[0] == pytest.approx(risen, rel=1e-7)


def test_a_negative_temperature_with_noise_takes_steps_that_resolve_the_fastest_motion():
    """The largest weight is e^|beta|; two tokens reach the width of an unclustered pair without a warning."""
    assert default_step(Flow(beta=-3, noise=1e-3), 2) == pytest.approx(0.1 * np.exp(-3.0))
    assert default_step(Flow(beta=-3, noise=1e-3, model="sa"), 2) == pytest.approx(0.1 / 4)
    assert nm.simulate(np.eye(2), beta=-3.0, noise=1e-3, t_end=0.1, rng=0).status.ok


@settings(max_examples=40)
@given(
    n=integers(1, 300),
    dim=integers(2, 6),
    beta=floats(-4, 5) | none(),
    model=MODELS,
    scored=sampled_from([False, True]),
    seed=integers(0, 99),
)
def test_values_pull_in_place_of_tokens(n, dim, beta, model, scored, seed):
    """Against the definition with queries and keys of 3 rows and values that are not symmetric."""
    rng = np.random.default_rng(seed)
    queries, keys, values = (
        rng.standard_normal((3, dim)),
        rng.standard_normal((3, dim)),
        rng.standard_normal((dim, dim)),
    )
    form = queries.T @ keys if scored else None
    tokens, weights = nm.uniform(n, dim, rng=rng), rng.dirichlet(np.full(n, 5.0))
    kernel = None if beta is not None else lambda s: 1 + s**2
    field = attention_field(
        tokens, beta=beta, kernel=kernel, model=model, weights=weights, query_key=form, value=values
    )
    weigh = kernel or (lambda s: np.exp(beta * s))
    exact = brute_force(tokens, weights, weigh, model, form, values)
    assert np.abs(field - exact).max() < 1e-12 * np.linalg.norm(values, 2) * (
        1 if model == "sa" else weigh(tokens @ (np.eye(dim) if form is None else form) @ tokens.T).max()
    )
    prepared = prepare_field(tokens, weights, Flow(beta, kernel, form, values, model=model))
    assert np.abs(field - exact).max() < 3 * prepared.velocity_error(tokens)


@pytest.mark.parametrize("model", ["usa", "sa"])
def test_a_run_with_values_follows_its_definition(model):
    """scipy's integrator on the definition, with a form as well."""
    rng = np.random.default_rng(5)
    form, values, start = rng.standard_normal((2, 2)), rng.standard_normal((2, 2)), nm.uniform(12, 2, rng=4)

    def naive(_, flat):
        rows, weights = nm.normalize(flat.reshape(12, 2)), np.full(12, 1 / 12)
        return brute_force(rows, weights, lambda s: np.exp(1.5 * s), model, form, values).astype(float).ravel()

    exact = solve_ivp(naive, (0, 0.5), start.ravel(), rtol=1e-11, atol=1e-12).y[:, -1].reshape(12, 2)
    run = nm.simulate(start, beta=1.5, query_key=form, value=values, model=model, t_end=0.5, rtol=1e-10, save_at=[])
    assert run.status.ok
    assert np.array_equal(run.parameters["value"], values)
    assert np.array_equal(run.parameters["query_key"], form)
    assert np.abs(run.tokens - nm.normalize(exact)).max() < 1e-8


@settings(max_examples=15)
@given(beta=floats(-3, 3), angle=floats(0.2, 1.5), model=MODELS)
def test_opposite_values_drive_two_tokens_apart(beta, angle, model):
    """delta' = e^(beta cos delta) sin delta (USA), by quadrature of the time that it takes; no step is taken there."""

    def time_per_angle(delta):
        weight = np.exp(beta * np.cos(delta))
        return 1 / (weight * np.sin(delta)) * (1 if model == "usa" else (np.exp(beta) + weight) / 2)

    t_end = quad(time_per_angle, angle, 3.0, epsabs=1e-13, epsrel=1e-13)[0]
    run = nm.simulate(at_angle(angle), beta=beta, model=model, value=-np.eye(2), t_end=t_end, save_at=[], rtol=1e-11)
    assert np.arccos(run.tokens[0] @ run.tokens[1]) == pytest.approx(3.0, abs=1e-8)


def test_repulsive_kuramoto_is_the_limit_of_beta_zero():
    """beta = 0 and V = -I: theta_i' = (1/n) sum_j sin(theta_i - theta_j) by scipy, and the order parameter vanishes."""
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 20)
    start = np.column_stack([np.cos(angles), np.sin(angles)])
    run = nm.simulate(start, beta=0.0, value=-np.eye(2), t_end=3.0, rtol=1e-11, save_at=[])
    exact = solve_ivp(
        lambda _, a: np.sin(a[:, None] - a[None]).mean(axis=1), (0, 3.0), angles, rtol=1e-12, atol=1e-12
    ).y[:, -1]
    assert np.abs(run.tokens - np.column_stack([np.cos(exact), np.sin(exact)])).max() < 1e-9
    late = nm.simulate(start, beta=0.0, value=-np.eye(2), t_end=40.0, save_at=[])
    assert np.linalg.norm(late.tokens.mean(axis=0)) < 1e-6


@settings(max_examples=15)
@given(n=integers(1, 12), extra=integers(0, 60), beta=floats(-2, 6), model=MODELS, seed=integers(0, 99))
def test_few_tokens_in_many_dims_move_in_their_span(n, extra, beta, model, seed):
    """A rotation into that many dims commutes with the flow: the same tokens padded by zeros and turned."""
    rng = np.random.default_rng(seed)
    dim = 4 * max(n, 2) + extra
    small, turn = nm.uniform(n, max(n, 2), rng=rng), np.linalg.qr(rng.standard_normal((dim, dim)))[0][: max(n, 2)]
    options = {
        "beta": beta,
        "model": model,
        "t_end": np.exp(-abs(beta)),
        "rtol": 1e-11,
        "save_at": [0, np.exp(-abs(beta))],
    }
    wide = nm.simulate(small @ turn, **options, observe=[nm.Energy()])
    narrow = nm.simulate(small, **options, observe=[nm.Energy()])
    assert wide.tokens.shape == (n, dim)
    assert np.abs(wide.trajectories - narrow.trajectories @ turn).max() < 1e-9
    assert np.abs(wide.trajectories[0] - small @ turn).max() < 2e-15
    np.testing.assert_allclose(wide.observables["energy"], narrow.observables["energy"], rtol=1e-9)


def test_tokens_that_merge_in_many_dims_stay_one():
    """Six tokens in dim 50 merge into one place, to the last bit."""
    start = nm.normalize(np.eye(6, 50) + 1.0)
    run = nm.simulate(start, beta=2.0, model="sa", t_end=1e3, merge=1e-10, save_at=[])
    assert run.merges[-1, 1] == 1
    assert np.ptp(run.tokens, axis=0).max() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"beta": -151.0}, "beta -151.0: it must be finite, >= -150"),
        ({"beta": -np.inf}, "beta -inf"),
        ({"beta": -1.0, "merge": 1e-10}, r"merge 1e-10: it knows .* for weights exp\(beta t\), beta >= 0"),
        ({"value": np.eye(2)}, r"value: it has shape \(2, 2\), tokens of dim 3 need \(3, 3\)"),
        ({"value": [[np.inf, 0, 0]] * 3}, r"value: entry \(0, 0\) is inf, not finite"),
        ({"value": np.eye(3), "method": "tiles"}, 'method tiles: with a value it must be "auto" or "dense"'),
        ({"value": np.eye(3), "query_key": np.eye(2)}, r"value: its shape and that of query_key differ"),
        ({"value": np.diag([1.0, 2, 1]), "merge": 1e-10}, "merge 1e-10: it knows .* heads with multiples of I"),
        ({"value": -np.eye(3), "observe": [nm.Energy()]}, "value: the energy needs query_key = value"),
        (
            {"value": np.eye(3), "query_key": -400 * np.eye(3), "beta": -9.0},
            "query_key: it makes tokens 400 long at beta -9",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(change, message):
    """Every refusal names the value, before the run."""
    with pytest.raises(ValueError, match=message):
        nm.simulate(**({"tokens": np.eye(3), "beta": 1.0, "t_end": 1.0} | change))


def test_float32_tiles_refuse_exponents_that_they_cannot_hold():
    """e^(2 |beta|) beyond float32."""
    with pytest.raises(ValueError, match=r"beta -50.0: in float32 it must be at least -42"):
        attention_field(nm.uniform(9, 3, rng=0).astype(np.float32), beta=-50.0, method="tiles")
