"""Several heads: fields against sums written out, energies against integrals, densities against one mixed kernel."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import booleans, integers, lists, sampled_from
from scipy.integrate import simpson
from scipy.stats import entropy

from gegenflow import numerics as nm
from gegenflow.numerics import Flow, Head

MODELS = sampled_from(["usa", "sa"])
KINDS = sampled_from(["plain", "isotropic", "query_key", "value", "both", "kernel"])


def linear(overlaps):
    """A kernel that stays positive for overlaps up to 2."""
    return 3 + overlaps


def head(kind, dim, rng):
    """A head of a kind with random numbers."""
    form, value = rng.standard_normal((2, dim, dim)) / dim
    beta = rng.uniform(-2, 3)
    matrices = {
        "plain": {},
        "isotropic": {"query_key": 1.5 * np.eye(dim), "value": -0.7 * np.eye(dim)},
        "query_key": {"query_key": form},
        "value": {"value": value},
        "both": {"query_key": form, "value": value},
    }
    if kind == "kernel":
        return Head(kernel=linear, query_key=-2 * np.eye(dim))
    return Head(beta=beta, **matrices[kind])


def written_out(tokens, heads, model, weights):
    """P sum_h sum_j w_j h(<x_i, B x_j>) V x_j, each head over its normaliser in SA."""
    dim, total = tokens.shape[1], np.zeros_like(tokens)
    for one in heads:
        form, value = (np.eye(dim) if m is None else m for m in (one.query_key, one.value))
        scores = tokens @ form @ tokens.T
        sums = weights * (np.exp(one.beta * scores) if one.kernel is None else one.kernel(scores))
        output = sums @ tokens @ value.T / (sums.sum(axis=1)[:, None] if model == "sa" else 1)
        total += output - np.sum(output * tokens, axis=1)[:, None] * tokens
    return total


@given(lists(KINDS, min_size=1, max_size=4), sampled_from([2, 3, 8]), MODELS, booleans(), integers(0, 2**32 - 1))
def test_fields_add_up_over_heads(kinds, dim, model, auto, seed):
    """Any mixture of heads, weighted tokens, dense or chosen sums."""
    rng = np.random.default_rng(seed)
    heads = [head(kind, dim, rng) for kind in kinds]
    tokens, weights = nm.uniform(20, dim, rng=rng), rng.dirichlet(np.ones(20))
    field = nm.attention_field(
        tokens, Flow(heads=heads, model=model), weights=weights, method="auto" if auto else "dense"
    )
    expected = written_out(tokens, heads, model, weights)
    np.testing.assert_allclose(field, expected, atol=1e-12 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("model", ["usa", "sa"])
@pytest.mark.parametrize(("dim", "n", "method"), [(2, 600, "circle"), (2, 4000, "cells"), (3, 3000, "sphere")])
def test_isotropic_heads_take_the_fast_sums(dim, n, method, model):
    """The velocity of a run from many tokens, by its own method, against the sums written out."""
    heads = [Head(beta=3), Head(beta=1, query_key=-2 * np.eye(dim), value=0.5 * np.eye(dim))]
    tokens = nm.uniform(n, dim, rng=0)
    step = 1e-5
    run = nm.simulate(tokens, Flow(heads=heads, model=model), t_end=step, save_at=[], method=method, rtol=1e-12)
    assert run.parameters["method"] == method
    moved = (run.tokens - tokens) / step
    expected = written_out(tokens, heads, model, np.full(n, 1 / n))
    assert np.abs(moved - expected).max() < 1e-3 * np.abs(expected).max()


def test_the_energy_of_symmetric_heads_grows_by_the_dissipation():
    """V = c B with any c, negative ones too: E(T) - E(0) against Simpson's rule, and E against its double sum."""
    form = np.array([[1, 0.2, 0], [0.2, -0.5, 0], [0, 0, 0.3]])
    heads = [
        Head(beta=2, query_key=form, value=form),
        Head(beta=1, query_key=2 * np.eye(3), value=-3 * np.eye(3)),
        Head(beta=1, query_key=form, value=-0.5 * form),
    ]
    tokens, flow = nm.uniform(12, 3, rng=1), Flow(heads=heads)
    energy = sum(
        c / (2 * beta) * np.exp(beta * tokens @ matrix @ tokens.T).mean()
        for c, beta, matrix in ((1, 2, form), (-1.5, 1, 2 * np.eye(3)), (-0.5, 1, form))
    )
    weights = np.full(12, 1 / 12)
    assert nm.Energy()(tokens, weights, flow) == pytest.approx(energy, rel=1e-13)
    run = nm.simulate(tokens, flow, t_end=0.5, observe=[nm.Energy(), nm.Dissipation()], rtol=1e-11)
    grown, loss = run.observables["energy"], run.observables["dissipation"]
    assert (np.diff(grown) > 0).all()
    assert simpson(loss, x=run.t) == pytest.approx(grown[-1] - grown[0], rel=1e-6)


@pytest.mark.parametrize(
    ("part", "model", "message"),
    [
        ({"value": np.diag([1.0, 2.0])}, "usa", "heads: the energy needs a symmetric query_key and a multiple of it"),
        ({"query_key": np.array([[0.0, 1.0], [-1.0, 0.0]])}, "usa", "heads: the energy needs a symmetric query_key"),
        ({}, "sa", "model sa: several heads have an energy that grows in USA alone"),
    ],
)
def test_heads_without_an_energy_are_refused(part, model, message):
    """A form that is not symmetric, a value that is no multiple of it, and SA."""
    flow = Flow(heads=[Head(beta=1, **part), Head(beta=2)], model=model)
    with pytest.raises(nm.Refused, match=message):
        nm.Energy()(np.eye(2), np.full(2, 0.5), flow)


@pytest.mark.parametrize("dim", [2, 3, 6])
def test_densities_under_heads_move_as_under_one_mixed_kernel(dim):
    """USA: h = e^{2t} - e^{-2t}/2 as two heads; rates of densities, all to the bars of the measurement."""
    heads = [Head(beta=2), Head(beta=1, query_key=-2 * np.eye(dim), value=-0.5 * np.eye(dim))]
    several, bars = nm.measure_rates(Flow(heads=heads, noise=0.01), dim, 4)
    mixed, errors = nm.measure_rates(Flow(kernel=lambda t: np.exp(2 * t) - np.exp(-2 * t) / 2, noise=0.01), dim, 4)
    assert (np.abs(several - mixed) < 3 * (bars + errors)).all()
    assert (bars < 1e-8).all()


def test_density_energies_under_heads():
    """Simpson's rule for the dissipation of a density on the circle against the gain of its energy."""
    flow = Flow(heads=[Head(beta=1), Head(beta=2, value=-np.eye(2))])
    observe = [nm.Energy(), nm.Dissipation()]
    run = nm.solve_density(lambda angle: 1 + 0.3 * np.cos(angle), flow, t_end=1, observe=observe)
    grown, loss = run.observables["energy"], run.observables["dissipation"]
    assert simpson(loss, x=run.t) == pytest.approx(grown[-1] - grown[0], rel=1e-7)


@pytest.mark.parametrize("model", ["usa", "sa"])
def test_the_compiled_loop_follows_heads_as_the_field_does(model):
    """Few tokens under multiples of exponential heads, against steps of order 5 over the sum of their fields."""
    heads = [Head(beta=1, query_key=3 * np.eye(3)), Head(beta=2, value=-0.4 * np.eye(3)), Head(beta=-1)]
    tokens, flow = nm.uniform(12, 3, rng=5), Flow(heads=heads, model=model)
    compiled = nm.simulate(tokens, flow, t_end=1.5, rtol=1e-10, atol=0, order=8)
    stepped = nm.simulate(tokens, flow, t_end=1.5, rtol=1e-11, atol=0, order=5)
    assert np.abs(compiled.tokens - tokens).max() > 0.5
    assert np.abs(compiled.tokens - stepped.tokens).max() < 1e-7


def test_runs_of_heads_are_saved_extended_and_made_again(tmp_path):
    """Saved and read, the same run; again from its parameters, the same tokens; on to twice the time as in one go."""
    heads = [Head(beta=1, value=np.diag([1.0, 0.5, 0.2])), Head(beta=3)]
    tokens, flow = nm.uniform(9, 3, rng=3), Flow(heads=heads, model="sa")
    run = nm.simulate(tokens, flow, t_end=0.5)
    assert np.array_equal(nm.simulate(tokens, **run.parameters).tokens, run.tokens)
    run.save(tmp_path / "run.npz")
    again = nm.load(tmp_path / "run.npz")
    assert again == run == pickle.loads(pickle.dumps(run))
    assert again.parameters["heads"] == tuple(heads)
    whole = nm.simulate(tokens, flow, t_end=1.0)
    assert np.abs(again.extend(1.0).tokens - whole.tokens).max() < 1e-7
    noisy = nm.simulate(tokens, replace(flow, noise=0.1), t_end=0.1, rng=0)
    assert noisy.status.ok
    density = nm.solve_density(lambda a: 1 + 0.1 * np.cos(a), Flow(heads=[Head(beta=1), Head(beta=2)]), t_end=0.2)
    density.save(tmp_path / "density.npz")
    assert nm.load(tmp_path / "density.npz") == density


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, f: nm.simulate(x, f, t_end=1, merge=1e-9), "merge 1e-09: it knows whether tokens that have met"),
        (
            lambda x, f: nm.simulate(x, Flow(heads=[Head(kernel=np.tanh), Head(beta=1)]), t_end=1, merge=1e-9),
            "merge 1e-09: it knows .* for weights",
        ),
        (lambda x, f: nm.simulate(x, f, t_end=1, method="circle"), "method circle"),
        (lambda x, f: nm.simulate(x, replace(f, layer_norm="pre"), t_end=1), "layer_norm pre: with several heads"),
        (lambda x, f: nm.solve_density(np.ones_like, f, t_end=1), "heads: solve_density takes heads whose"),
        (lambda x, f: nm.simulate(np.eye(2), f, t_end=1), "query_key: it has shape"),
        (
            lambda x, f: nm.attention_field(x, Flow(heads=[Head(beta=100, query_key=-2 * np.eye(3))])),
            "beta -200",
        ),
    ],
)
def test_what_heads_do_not_take_is_refused(call, message):
    """One sentence each; a head whose m beta leaves the range is refused where it moves tokens."""
    form = np.diag([1.0, 0.5, 0.2])
    tokens, flow = nm.uniform(6, 3, rng=0), Flow(heads=[Head(beta=1, query_key=form, value=form)])
    with pytest.raises(nm.Refused, match=message):
        call(tokens, flow)


@pytest.mark.parametrize("part", ["query_key", "value"])
@pytest.mark.parametrize(
    "call",
    [
        *(lambda x, f, m=m: nm.attention_field(x, f, method=m) for m in ("auto", "dense", "tiles")),
        lambda x, f: nm.simulate(x, f, t_end=0.1),
        lambda x, f: nm.solve_density(np.ones(8), f, t_end=0.1),
        lambda x, f: nm.Energy()(x, np.full(6, 1 / 6), f),
        lambda x, f: nm.Dissipation()(x, np.full(6, 1 / 6), f),
        lambda x, f: nm.observables.AttentionEntropy()(x, np.full(6, 1 / 6), f),
    ],
)
def test_a_multiple_of_the_identity_fits_the_tokens_too(call, part):
    """It becomes a number, but is first looked at: of dim 4 for tokens of dim 3 and the circle it is a mistake."""
    with pytest.raises(nm.Refused, match=rf"{part}: it has shape \(4, 4\), tokens of dim [23] need"):
        call(nm.uniform(6, 3, rng=0), Flow(heads=[Head(beta=1, **{part: 2 * np.eye(4)})]))


def test_energies_of_heads_add_up_and_entropy_is_that_of_the_softmax():
    """Per head against its double sum; the entropy of two heads against scipy, weighted tokens."""
    form = np.array([[1.0, 0.5], [0.5, -0.3]])
    flow = Flow(heads=[Head(beta=2, query_key=form, value=form), Head(beta=1)])
    tokens, weights = nm.uniform(6, 2, rng=2), np.random.default_rng(2).dirichlet(np.ones(6))
    energies = [nm.observables.HeadEnergy(place)(tokens, weights, flow) for place in range(2)]
    expected = [
        weights @ np.exp(beta * tokens @ matrix @ tokens.T) @ weights / (2 * beta)
        for beta, matrix in ((2, form), (1, np.eye(2)))
    ]
    np.testing.assert_allclose(energies, expected, rtol=1e-13)
    shares = [np.exp(beta * tokens @ matrix @ tokens.T) * weights for beta, matrix in ((2, form), (1, np.eye(2)))]
    told = np.mean([weights @ entropy(share / share.sum(axis=1)[:, None], axis=1) for share in shares])
    assert nm.observables.AttentionEntropy()(tokens, weights, flow) == pytest.approx(told, rel=1e-13)
    with pytest.raises(nm.Refused, match="head 2: the flow has 2 heads"):
        nm.observables.HeadEnergy(2).check(flow)
    with pytest.raises(nm.Refused, match="head -1: it must be a whole number >= 0"):
        nm.observables.HeadEnergy(-1)
    with pytest.raises(nm.Refused, match="kernel: an entropy needs a weight"):
        nm.observables.AttentionEntropy()(tokens, weights, Flow(kernel=np.sin))
