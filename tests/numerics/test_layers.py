"""Layers with random weights: their fields, the runs through them, and pairs in one compiled loop."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, sampled_from

from gegenflow import numerics as nm
from gegenflow.numerics.fields.random_fields import (
    covariance,
    draw_circle_field,
    gaussian_pushes,
    network_pushes,
)
from gegenflow.numerics.flows.activations import ACTIVATIONS
from gegenflow.numerics.integrators.layers import attention_means
from gegenflow.numerics.systems import pair_distances
from gegenflow.numerics.systems.random_layers import _gap, _pair

NAMES = sorted(ACTIVATIONS)
SMOOTH = sorted({*NAMES} - {"relu", "leaky_relu", "step"})


def by_quadrature(activation, overlap):
    """E s(g1) s(g2) by Gauss and Hermite in both numbers: for smooth activations."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()
    first, other = np.meshgrid(nodes, nodes, indexing="ij")
    function = ACTIVATIONS[activation]
    values = function(first) * function(overlap * first + np.sqrt(1 - overlap**2) * other)
    return float(weights @ values @ weights)


@given(name=sampled_from(SMOOTH), overlap=floats(-1, 1))
def test_the_covariance_is_the_mean_over_two_correlated_numbers(name, overlap):
    """Sums on circles against a rule in Cartesian coordinates; 120 nodes resolve tanh to 1e-6."""
    field = covariance(name)
    angle = float(np.arccos(overlap))
    assert field.own - field.gap(np.array(angle)) == pytest.approx(by_quadrature(name, overlap), abs=3e-6 * field.own)


@pytest.mark.parametrize(
    ("name", "gap"),
    [
        ("relu", lambda a: (1 - mpmath.cos(a)) / 2 - (mpmath.sin(a) - a * mpmath.cos(a)) / (2 * mpmath.pi)),
        ("step", lambda a: a / (2 * mpmath.pi)),
        ("erf", lambda a: 2 / mpmath.pi * (mpmath.asin(mpmath.mpf(2) / 3) - mpmath.asin(2 * mpmath.cos(a) / 3))),
        ("cos", lambda a: mpmath.exp(-1) * (mpmath.cosh(1) - mpmath.cosh(mpmath.cos(a)))),
    ],
)
def test_gaps_of_close_tokens_keep_their_relative_accuracy(name, gap):
    """The published closed forms at angles down to 1e-12, where K(1) - K is 1e-24: kinks cost digits, no more."""
    field = covariance(name)
    with mpmath.workdps(60):
        for angle in (3.0, 0.5, 1e-2, 1e-5, 1e-12):
            exact = float(gap(mpmath.mpf(angle)))
            assert float(field.gap(np.array(angle))) == pytest.approx(exact, rel=1e-5 if name == "relu" else 1e-7)


@pytest.mark.parametrize("name", ["relu", "1+tanh", "cos"])
def test_the_three_ways_of_drawing_a_field_have_one_covariance(name):
    """Mean products over 400 draws: eigenvectors of the Gram matrix, waves on the circle, 32 wide networks a draw.

    False alarms: 5 bars for 18 numbers, 1e-5.
    """
    rng, angles = np.random.default_rng(5), np.array([0.0, 0.4, 2.0])
    tokens = np.column_stack([np.cos(angles), np.sin(angles)])
    field = covariance(name)
    expected = field.own - field.gap(np.abs(angles[:, None] - angles))
    assert np.allclose(field.gram(tokens), expected, rtol=0, atol=1e-12)
    draws = {
        "gram": lambda: gaussian_pushes(expected, 2, rng),
        "waves": lambda: draw_circle_field(field.modes(), rng).pushes(angles),
        "network": lambda: network_pushes(tokens, ACTIVATIONS[name], 32, rng),
    }
    for draw in draws.values():
        products = np.array([pushes @ pushes.T / 2 for pushes in (draw() for _ in range(400))])
        bars = products.std(axis=0) / 20
        assert (np.abs(products.mean(axis=0) - expected) < 5 * bars).all()


FLOWS = {
    "limit": nm.Flow(random_layers=nm.RandomLayers("tanh")),
    "network": nm.Flow(random_layers=nm.RandomLayers("relu", width=64, layers=100)),
    "function": nm.Flow(random_layers=nm.RandomLayers(np.sin, layers=100)),
    "attention": nm.Flow(beta=1, model="sa", random_layers=nm.RandomLayers("erf", layers=100)),
    "values": nm.Flow(beta=1, model="sa", random_layers=nm.RandomLayers(values=True, layers=100)),
    "heads": nm.Flow(heads=[nm.Head(beta=1), nm.Head(beta=2)], random_layers=nm.RandomLayers("gelu", layers=50)),
}


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("name", FLOWS)
def test_runs_through_layers_are_made_again_saved_and_extended(name, dim, tmp_path):
    """To the last bit: from the parameters, from a file, and on to twice the time."""
    flow, tokens = FLOWS[name], nm.uniform(6, dim, rng=0)
    run = nm.simulate(tokens, flow, t_end=0.5, rng=1)
    assert run.status.ok
    assert np.allclose(np.linalg.norm(run.tokens, axis=1), 1)
    assert np.array_equal(nm.simulate(tokens, **run.parameters).tokens, run.tokens)
    run.save(tmp_path / "run.npz")
    kept = nm.load(tmp_path / "run.npz")
    assert name == "function" or kept == run
    if name == "function":
        with pytest.raises(nm.Refused, match="kernel or activation is a function, which a file does not hold"):
            kept.extend(1.0)
    longer = kept.extend(1.0, **({"flow": flow} if name == "function" else {}))
    assert np.array_equal(longer.tokens, nm.simulate(tokens, flow, t_end=1.0, rng=1).tokens)


def test_tokens_at_one_place_stay_together():
    """Also where close tokens part, tanh in dim 64: whatever parts them at first grows by e^1.7 in a unit of time."""
    tokens = nm.uniform(20, 64, rng=0)
    tokens[1] = tokens[0]
    end = nm.simulate(tokens, random_layers=nm.RandomLayers("tanh", layers=100), t_end=2.0, rng=0).tokens
    assert np.abs(end[0] - end[1]).max() < 1e-11
    assert np.abs(end[0] - end[2]).max() > 0.01


def test_a_mask_is_among_the_parameters_of_a_run():
    """Made again from them, tokens see those before them alone, as they did."""
    tokens = nm.uniform(20, 2, rng=0)
    run = nm.simulate(tokens, beta=1, causal=nm.Causal(decay=2.0), t_end=0.5)
    assert np.array_equal(nm.simulate(tokens, **run.parameters).tokens, run.tokens)
    assert np.abs(nm.simulate(tokens, beta=1, t_end=0.5).tokens - run.tokens).max() > 0.01


def test_layers_with_few_neurons_and_attention_are_the_formula():
    """One layer of one neuron, written out with its numbers; attention goes on with the step 1/L."""
    tokens, flow = nm.uniform(4, 3, rng=0), nm.Flow(beta=2, random_layers=nm.RandomLayers("cos", width=1, layers=10))
    run = nm.simulate(tokens, flow, t_end=0.1, rng=3)
    stream = np.random.Generator(np.random.PCG64(np.random.default_rng(3).bit_generator.seed_seq.spawn(2)[0]))
    inner, outer = stream.standard_normal((1, 3)), stream.standard_normal((1, 3))
    moved = tokens + nm.attention_field(tokens, beta=2) / 10 + np.cos(tokens @ inner.T) @ outer / np.sqrt(10)
    assert np.allclose(run.tokens, nm.normalize(moved), rtol=0, atol=1e-13)


def test_means_of_attention_are_those_of_its_field():
    """Projected onto the tangent space they are the velocities, in both models, with a query_key and for a kernel."""
    tokens, weights = nm.uniform(7, 3, rng=1), np.random.default_rng(0).dirichlet(np.ones(7))
    form = np.random.default_rng(2).standard_normal((3, 3))
    for parts in ({"beta": 3}, {"beta": 40, "model": "sa"}, {"kernel": np.cosh}, {"beta": 9, "scaled": True}):
        for query_key in (None, form):
            flow = nm.Flow(**parts, query_key=query_key)
            means = attention_means(tokens, weights, flow)
            projected = means - (means * tokens).sum(axis=1, keepdims=True) * tokens
            field = nm.attention_field(tokens, flow, weights=weights)
            assert np.allclose(projected, field, rtol=1e-9, atol=1e-12)


PAIRS = {
    "field": nm.Flow(random_layers=nm.RandomLayers("1+tanh", layers=40)),
    "network": nm.Flow(random_layers=nm.RandomLayers("relu", width=5, layers=40)),
    "attention": nm.Flow(beta=2, random_layers=nm.RandomLayers("cos", layers=40)),
    "values": nm.Flow(beta=2, model="sa", random_layers=nm.RandomLayers(values=True, layers=40)),
}


@pytest.mark.parametrize("dim", [2, 9])
@pytest.mark.parametrize("name", PAIRS)
def test_pairs_in_one_loop_are_two_tokens_of_a_run(name, dim):
    """Mean and mean square of the overlap after 12 layers, with all coordinates and with those of the plane alone.

    False alarms: 4.5 bars for 32 numbers, 2e-4.
    """
    flow, start = PAIRS[name], np.eye(dim)[:2] @ np.eye(dim)
    start[1] = 0.6 * start[0] + 0.8 * start[1]
    whole = np.array([np.prod(nm.simulate(start, flow, t_end=0.3, rng=k).tokens, axis=0).sum() for k in range(400)])
    plane = 1 - pair_distances(flow, dim, overlap=0.6, times=[0.3], runs=40_000, rng=0)[:, 0] ** 2 / 2
    for power in (1, 2):
        bar = np.hypot((whole**power).std() / 20, (plane**power).std() / 200)
        assert abs((whole**power).mean() - (plane**power).mean()) < 4.5 * bar


@given(n=integers(1, 50), rng=integers(0, 2**32 - 1))
def test_pairs_depend_on_the_generator_alone(n, rng):
    """However many threads there are; the first of the times is the start."""
    flow = PAIRS["field"]
    found = pair_distances(flow, 3, overlap=0.5, times=[0.0, 0.1], runs=n, rng=rng)
    assert np.array_equal(found, pair_distances(flow, 3, overlap=0.5, times=[0.0, 0.1], runs=n, rng=rng))
    assert np.allclose(found[:, 0], 1.0, rtol=0, atol=1e-15)


def test_pairs_follow_any_distance():
    """ReLU in dim 3: after 400 units of time the mean logarithm is near -200, and no pair is lost to rounding."""
    flow = nm.Flow(random_layers=nm.RandomLayers("relu", layers=200))
    logs = np.log(pair_distances(flow, 3, overlap=0.0, times=[200.0, 400.0], runs=100, rng=0))
    assert np.isfinite(logs).all()
    assert (logs[:, 1] - logs[:, 0]).mean() == pytest.approx(-100, abs=5 * (logs[:, 1] - logs[:, 0]).std() / 10)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"flow": nm.Flow(beta=1)}, "flow Flow.*a flow with random_layers"),
        ({"flow": nm.Flow(kernel=np.tanh, random_layers=nm.RandomLayers("tanh"))}, "kernel"),
        ({"overlap": 1.0}, "overlap 1"),
        ({"times": [0.2, 0.1]}, "times: they must be >= 0 and must not decrease"),
        ({"times": [-0.1]}, "times: they must be >= 0"),
        ({"times": [1e9]}, "times 1e.09: 4e.10 steps"),
        ({"step": 0.5}, "step 0.5: the flow has 40 layers"),
        ({"flow": nm.Flow(random_layers=nm.RandomLayers("tanh")), "step": 0.2}, "step 0.2: .* > 0 and <= 0.1"),
        ({"dim": 1}, "dim 1"),
    ],
)
def test_what_pairs_do_not_take_is_refused(given, message):
    """One sentence each."""
    told = {"flow": PAIRS["field"], "dim": 3, "overlap": 0.5, "times": [0.1], "runs": 2} | given
    flow, dim = told.pop("flow"), told.pop("dim")
    with pytest.raises(nm.Refused, match=message):
        pair_distances(flow, dim, **told)


@given(name=sampled_from(NAMES), distance=floats(1e-6, 2))
def test_pairs_take_their_gaps_from_the_table_of_the_field(name, distance):
    """The cubic through four places against the spline through all: to 1e-9 of the gap, at any distance."""
    pair = _pair(nm.Flow(random_layers=nm.RandomLayers(name)), 3, 0.01)
    expected = float(covariance(name).gap(np.array(2 * np.arcsin(min(distance / 2, 1.0)))))
    assert _gap(pair, distance) == pytest.approx(expected, rel=1e-9)
