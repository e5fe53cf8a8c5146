"""The choice of a field: every method gives one velocity, its error estimate holds, and a run says what it used."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, sampled_from
from scipy.integrate import solve_ivp

from gegenflow import numerics as nm
from gegenflow.numerics.fields.method import METHODS, prepare_field
from gegenflow.numerics.flows.flow import Flow

seeds = integers(0, 99)


def brute_force(tokens, weights, h, form=None, model="usa"):
    """The definition, row by row in extended precision."""
    x, w = tokens.astype(np.longdouble), weights.astype(np.longdouble)
    scores = x @ (np.eye(tokens.shape[1]) if form is None else form).astype(np.longdouble) @ x.T
    value = h(scores)
    pull = (value * w) @ x
    if model == "sa":
        pull /= (value * w).sum(axis=1)[:, None]
    return pull - (pull * x).sum(axis=1)[:, None] * x


def random_weights(n, seed):
    return np.random.default_rng(seed).dirichlet(np.full(n, 5.0))


@settings(max_examples=30)
@given(
    n=integers(1, 400), dim=integers(2, 6), beta=floats(0, 6), model=sampled_from(["usa", "sa"]), seed=integers(0, 99)
)
def test_a_form_scores_queries_against_keys(n, dim, beta, model, seed):
    """Against the definition with B = Q^T K that is neither symmetric nor small; a transposed B gives another field."""
    rng = np.random.default_rng(seed)
    form = rng.standard_normal((dim, dim))
    tokens, weights = nm.uniform(n, dim, rng=rng), random_weights(n, seed)
    exact = brute_force(tokens, weights, lambda s: np.exp(beta * s), form, model)
    field = nm.attention_field(tokens, beta=beta, model=model, weights=weights, query_key=form)
    largest = np.exp(beta * np.abs(tokens @ form @ tokens.T).max()) if model == "usa" else 1.0
    assert np.abs(field - exact).max() < 1e-14 * largest * (1 + 20 * beta)
    single = nm.attention_field(tokens.astype(np.float32), beta=beta, model=model, weights=weights, query_key=form)
    assert np.abs(single - exact).max() < 1e-5 * largest * (1 + 20 * beta)


KERNELS = {
    "cubic": lambda t: t**3,
    "cosh": lambda t: np.cosh(3 * t),
    "two heads": lambda t: np.exp(2 * t) - 0.7 * np.exp(-3 * t),
    "rational": lambda t: 1 / (11 - 10 * t),
}


@settings(max_examples=40)
@given(
    kernel=sampled_from(sorted(KERNELS)),
    method=sampled_from(["circle", "cells", "sphere", "tiles", "dense"]),
    clustered=sampled_from([False, True]),
    n=integers(1, 600),
    seed=integers(0, 99),
    digits=integers(3, 13),
)
def test_the_error_of_a_field_of_any_smooth_kernel_is_what_it_says(kernel, method, clustered, n, seed, digits):
    """Against the definition in extended precision: the estimate, given before any sum, holds up to a factor 3."""
    h, dim = KERNELS[kernel], {"sphere": 3, "tiles": 4, "dense": 3}.get(method, 2)
    tokens, weights = nm.uniform(n, dim, rng=seed), random_weights(n, seed)
    if clustered:
        tokens = nm.normalize(np.eye(2, dim)[np.arange(n) % 2] + 1e-4 * tokens)
    field = prepare_field(tokens, weights, Flow(kernel=h), method=method, accuracy=10.0**-digits)
    velocity = np.empty_like(tokens)
    field(tokens, velocity)
    error = np.abs(velocity - brute_force(tokens, weights, h)).max()
    assert error < 3 * field.velocity_error(tokens)
    if digits <= 10 and METHODS[method].series:
        assert field.velocity_error(tokens) < 2 * 10.0**-digits


@pytest.mark.parametrize("method", ["circle", "cells", "sphere"])
@pytest.mark.parametrize(
    ("kernel", "spread"),
    [(lambda t: np.exp(-10 * t), 0.05), (lambda t: t + 1e-3, 2.0), (lambda t: np.exp(8 * t), 1e-3)],
    ids=["decreasing", "signed", "sharp"],
)
def test_the_estimate_knows_that_sa_divides_by_small_normalisers(method, kernel, spread):
    """Against the definition: normalisers far below the largest value of the kernel, and near zero."""
    dim = 3 if method == "sphere" else 2
    tokens = nm.normalize(np.eye(1, dim) + spread * nm.uniform(400, dim, rng=3))
    weights = random_weights(400, 3)
    overlaps = kernel(tokens @ tokens.T) @ weights
    if not (overlaps > 0).all():
        tokens, weights = tokens[overlaps > 0.05], random_weights((overlaps > 0.05).sum(), 3)
    field = prepare_field(tokens, weights, Flow(kernel=kernel, model="sa"), method=method)
    velocity = np.empty_like(tokens)
    try:
        field(tokens, velocity)
    except FloatingPointError:
        assert field.velocity_error(tokens) == np.inf
        return
    error = np.abs(velocity - brute_force(tokens, weights, kernel, model="sa")).max()
    assert error < 3 * field.velocity_error(tokens)


@pytest.mark.parametrize(("dim", "width"), [(2, 0.1), (2, 0.01), (2, 0.003), (3, 0.1), (3, 0.01)])
def test_a_narrow_feature_of_a_kernel_is_not_lost(dim, width):
    """A bump that falls between the nodes of a short series: the field is the definition, whatever sums are taken."""

    def bump(t):
        return t + 5 * np.exp(-(((t - 0.3) / width) ** 2))

    tokens, weights = nm.uniform(1200, dim, rng=0), random_weights(1200, 0)
    field, velocity = prepare_field(tokens, weights, Flow(kernel=bump)), np.empty_like(tokens)
    field(tokens, velocity)
    error = np.abs(velocity - brute_force(tokens, weights, bump)).max()
    assert error < 3 * field.velocity_error(tokens) < 1e-10


def test_the_dissipation_of_slow_motion_keeps_its_digits():
    """Two tight clusters of many tokens at beta = 60: rates of 1e-40 in closed form, which no expansion knows."""
    tokens = np.repeat([[1.0, 0.0], [np.cos(2), np.sin(2)]], 300, axis=0)
    weight = np.exp(60 * (np.cos(2) - 1))
    expected = (weight * np.sin(2) / (1 + weight)) ** 2 * (1 + weight) / 2 * np.exp(60)
    assert nm.Dissipation()(tokens, np.full(600, 1 / 600), Flow(beta=60, model="sa")) == pytest.approx(
        expected, rel=1e-10
    )


def test_a_run_with_a_form_follows_its_definition():
    """scipy's integrator on the definition with a B that is neither symmetric nor normal, USA and SA."""
    form, start = np.array([[0.5, 1.0], [-1.5, 0.2]]), nm.uniform(12, 2, rng=4)
    for model in ("usa", "sa"):

        def naive(_, flat, model=model):
            rows = nm.normalize(flat.reshape(12, 2))
            return brute_force(rows, np.full(12, 1 / 12), lambda s: np.exp(2 * s), form, model).astype(float).ravel()

        exact = solve_ivp(naive, (0, 0.5), start.ravel(), rtol=1e-11, atol=1e-12).y[:, -1].reshape(12, 2)
        run = nm.simulate(start, beta=2.0, query_key=form, model=model, t_end=0.5, rtol=1e-10, save_at=[])
        assert np.abs(run.tokens - nm.normalize(exact)).max() < 1e-8


def test_merging_with_a_measured_error_and_one_that_cannot_be_measured():
    """The second run takes a merge of its own; at the smallest tolerance there is no second run."""
    angles = np.array([0.0, 1e-3, 2.0, 2.001])
    options = {"tokens": np.column_stack([np.cos(angles), np.sin(angles)]), "beta": 20.0, "model": "sa"}
    run = nm.simulate(**options, t_end=100.0, merge=1e-9, estimate_error=True)
    assert run.status.ok
    assert 0 < run.error < 1e-6
    with pytest.raises(ValueError, match="estimate_error: it needs tolerances of 1e-12 in all"):
        nm.simulate(**options, t_end=1.0, rtol=1e-13, atol=0.0, estimate_error=True)


@pytest.mark.parametrize("model", ["usa", "sa"])
def test_angles_and_tokens_have_one_velocity(model):
    """The two state spaces of dim 2, several turns apart."""
    angles = np.random.default_rng(0).uniform(-20, 20, 3000)
    tokens = np.column_stack([np.cos(angles), np.sin(angles)])
    for method in ("circle", "cells"):
        field = prepare_field(tokens, random_weights(3000, 1), Flow(beta=7, model=model), method=method)
        velocity, speed = np.empty_like(tokens), np.empty_like(angles)
        field(tokens, velocity)
        field(angles, speed)
        turned = tokens[:, 0] * velocity[:, 1] - tokens[:, 1] * velocity[:, 0]
        assert np.abs(turned - speed).max() < 1e-11 * np.abs(speed).max()


def test_auto_takes_dense_sums_where_small_forces_matter():
    """The longer the run, the smaller the forces that count; the last one is too long for any expansion."""
    tokens = nm.uniform(3000, 2, rng=0)
    chosen = []
    for accuracy in (1e-6, 1e-9, 1e-14):
        chosen.append(prepare_field(tokens, np.full(3000, 1 / 3000), Flow(beta=5), accuracy=accuracy))
    assert [field.method for field in chosen] == ["cells", "cells", "dense"]
    assert chosen[1].error < chosen[0].error
    assert chosen[2].error == 0


def test_a_method_that_misses_the_tolerance_says_so():
    """At beta = 30 forces between far clusters are 1e-26, and series know them to 1e-13: over 1000 units that adds
    up beyond a tolerance of 1e-13, which dense sums meet."""
    tokens = nm.normalize(np.array([[1, 0], [-1, 1]])[np.arange(300) % 2] + 1e-3 * nm.uniform(300, 2, rng=0))
    common = {"beta": 30.0, "model": "sa", "t_end": 1000.0, "rtol": 1e-13, "atol": 0.0, "save_at": []}
    rough = nm.simulate(tokens, method="circle", **common)
    assert not rough.status.ok
    assert rough.field_error > 1e-11
    assert "reached t = 1000, but the error of the circle sums may have moved tokens by" in str(rough.status)
    exact = nm.simulate(tokens, **common)
    assert exact.status.ok
    assert (exact.parameters["method"], exact.field_error) == ("dense", 0.0)


def test_the_error_measured_by_a_second_run_is_the_error():
    """Two tokens at beta = 0 in closed form, tan(delta/2) ~ e^-t, at a loose tolerance."""
    start = [[np.cos(1), np.sin(1)], [np.cos(1), -np.sin(1)]]
    run = nm.simulate(start, beta=0.0, t_end=2.0, rtol=1e-4, atol=0.0, estimate_error=True)
    exact = np.arctan(np.tan(1) * np.exp(-2.0))
    error = np.abs(run.tokens - [[np.cos(exact), np.sin(exact)], [np.cos(exact), -np.sin(exact)]]).max()
    assert error == pytest.approx(run.error, rel=0.5)
    assert "measured by a second run" in repr(run)
    assert nm.simulate(start, beta=0.0, t_end=2.0).error is None


def test_clusters_that_merge_are_counted_in_the_run(tmp_path):
    """Pairs merge within some units of time, clusters after e^(beta (1 - cos gap)) of them; the file keeps it."""
    angles = np.array([0.0, 1e-3, 2.0, 2.001, 4.2, 4.201])
    start = np.column_stack([np.cos(angles), np.sin(angles)])
    run = nm.simulate(start, beta=20.0, model="sa", t_end=1e30, merge=1e-10, save_at=[1.0, 1e4, 1e30])
    assert run.status.ok
    assert run.merges[:, 1].tolist() == sorted(run.merges[:, 1].tolist(), reverse=True)
    assert run.merges[-1, 1] == 1
    assert (run.merges[:, 0] < 1e3).sum() >= 1
    assert np.ptp(run.tokens, axis=0).max() == 0
    run.save(tmp_path / "run")
    assert np.array_equal(nm.load(tmp_path / "run").merges, run.merges)
    assert "clusters" in repr(run)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query_key": np.eye(2)}, r"query_key: it has shape \(2, 2\), tokens of dim 3 need \(3, 3\)"),
        ({"query_key": np.full((3, 3), np.nan)}, r"query_key: entry \(0, 0\) is nan, not finite"),
        ({"query_key": np.eye(3), "method": "dense"}, "method dense: with a query_key"),
        ({"query_key": np.diag([1.0, 2, 1]), "merge": 1e-10}, "merge 1e-10: it knows .* heads with multiples of I"),
        (
            {"query_key": np.diag([1.0, 2, 1]), "observe": [nm.Energy()]},
            "query_key: the energy needs query_key = value",
        ),
        ({"query_key": 400 * np.eye(3), "beta": 9.0}, "query_key: it makes tokens 400 long at beta 9"),
        ({"merge": 1e-3}, r"merge 0\.001"),
        ({"merge": -1.0}, "merge -1"),
        ({"merge": np.nan}, "merge nan"),
        ({"merge": 1e-10, "order": 5}, "order 8"),
        ({"order": 7}, "order 7: choose from 5, 8"),
        ({"noise": 0.1, "estimate_error": True}, "estimate_error: with noise"),
        ({"noise": 0.1, "merge": 1e-10}, "merge 1e-10: with noise"),
    ],
)
def test_what_does_not_go_together_is_refused(change, message):
    """Every refusal names the value, before the run."""
    with pytest.raises(ValueError, match=message):
        nm.simulate(**({"tokens": np.eye(3), "beta": 1.0, "t_end": 1.0} | change))
