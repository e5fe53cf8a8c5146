"""The causal mask: running sums and pairs against one dense numpy expression, and what a run under it does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import booleans, floats, integers, sampled_from

from gegenflow import numerics as nm
from gegenflow.numerics.fields.compiled import causal_pairs, causal_scans

MODELS = sampled_from(["usa", "sa"])


def plainly(tokens, weights, mask, model, weight, query_key=None, value=None):
    """The velocities by matrices of all pairs."""
    n, dim = tokens.shape
    rows, columns = np.indices((n, n))
    seen = np.where((columns < rows) | ((columns == rows) & mask.own), np.exp(-mask.decay * (rows - columns) / n), 0.0)
    score = tokens @ (np.eye(dim) if query_key is None else query_key) @ tokens.T
    kernel = seen * weights * weight(score)
    output = kernel @ (tokens if value is None else tokens @ value.T)
    total = (kernel if model == "sa" else seen * weights).sum(axis=1)
    output /= np.where(total == 0, 1.0, total)[:, None]
    return output - (output * tokens).sum(axis=1)[:, None] * tokens


def least_seen(tokens, weights, mask, beta):
    """The least normaliser of a token that sees any, over the largest weight and the mass that it sees."""
    n = len(tokens)
    rows, columns = np.indices((n, n))
    seen = weights * np.where(
        (columns < rows) | ((columns == rows) & mask.own), np.exp(-mask.decay * (rows - columns) / n), 0.0
    )
    total = seen.sum(axis=1)
    shares = (seen * np.exp(beta * (tokens @ tokens.T) - abs(beta))).sum(axis=1)
    return (shares[total > 0] / total[total > 0]).min(initial=1.0)


def sample(n, dim, seed, gathered=False):
    rng = np.random.default_rng(seed)
    tokens, weights = nm.uniform(n, dim, rng=rng), rng.exponential(size=n) + 1e-3
    if gathered:
        tokens = tokens[:1] + 0.05 * tokens
        tokens /= np.linalg.norm(tokens, axis=1, keepdims=True)
    return tokens, weights / weights.sum()


@given(
    n=integers(1, 400),
    dim=integers(2, 6),
    beta=floats(-3, 8),
    decay=floats(0, 20),
    own=booleans(),
    model=MODELS,
    gathered=booleans(),
)
def test_every_method_against_the_plain_form(n, dim, beta, decay, own, model, gathered):
    """All pairs in numpy; errors relative to the largest velocity the weight allows, of series over what is seen."""
    tokens, weights = sample(n, dim, n, gathered)
    mask = nm.Causal(decay, own=own)
    flow = nm.Flow(beta=beta, causal=mask, model=model)
    expected = plainly(tokens, weights, mask, model, lambda s: np.exp(beta * s))
    scale = 1.0 if model == "sa" else np.exp(abs(beta))
    for method in ("dense", "auto", "circle")[: 3 if dim == 2 and beta > -1 else 2]:
        found = nm.attention_field(tokens, flow, weights=weights, method=method)
        lost = least_seen(tokens, weights, mask, beta) if method != "dense" and model == "sa" else 1.0
        np.testing.assert_allclose(found, expected, rtol=0, atol=3e-12 * scale / lost)


@given(n=integers(2, 80), dim=integers(2, 4), own=booleans(), model=MODELS, parts=integers(0, 3), seed=integers(0, 99))
def test_kernels_and_matrices_against_the_plain_form(n, dim, own, model, parts, seed):
    rng, mask = np.random.default_rng(seed), nm.Causal(1.5, own=own)
    tokens, weights = sample(n, dim, seed)
    given_parts = {"query_key": rng.normal(size=(dim, dim)), "value": rng.normal(size=(dim, dim))}
    given_parts = {name: part for k, (name, part) in enumerate(given_parts.items()) if parts >> k & 1}

    def weight(score):
        return 2 + np.tanh(score)

    expected = plainly(tokens, weights, mask, model, weight, **given_parts)
    flow = nm.Flow(kernel=weight, causal=mask, model=model, **given_parts)
    for method in ("dense", "auto"):
        found = nm.attention_field(tokens, flow, weights=weights, method=method)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)
    exact = plainly(tokens, weights, mask, model, np.exp, **given_parts)
    found = nm.attention_field(tokens, nm.Flow(beta=1, causal=mask, model=model, **given_parts), weights=weights)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-11 * max(1, np.abs(exact).max()))


@pytest.mark.parametrize("own", [True, False])
def test_many_tokens_in_threads_as_few_in_one(own):
    """Chunks that threads take, joined by what fades from one to the next, against one pass; rows by pairs as well."""
    n = 2 * causal_scans.CHUNK + 777
    tokens, weights = sample(n, 2, 1)
    x, y = np.ascontiguousarray(tokens.T)
    coefficients = np.random.default_rng(2).normal(size=(2, 20))
    assert n * 20 >= causal_scans.PARALLEL_FROM
    results = []
    for scan in (causal_scans.scan_modes, causal_scans._scan):
        speed, total = np.empty(n), np.empty(n)
        if scan is causal_scans._scan:
            scan(0, n, x, y, weights, 0.9999, own, *coefficients, np.zeros((2, 20)), speed, total)
        else:
            scan(x, y, weights, 0.9999, own, *coefficients, speed, total)
        results.append((speed, total))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=0, atol=1e-13)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=0, atol=1e-13)
    rows = nm.uniform(600, 3, rng=0)
    assert 2 * causal_pairs.PARALLEL_FROM < 600 * 600 * 3
    mask = nm.Causal(2.0, own=own)
    expected = plainly(rows, np.full(600, 1 / 600), mask, "usa", np.exp)
    np.testing.assert_allclose(nm.attention_field(rows, beta=1, causal=mask), expected, rtol=0, atol=1e-13)


def test_a_small_force_keeps_its_digits_by_pairs():
    """Two nearly merged tokens after a first one: the pull of the second at the third is linear in their distance."""
    angles = np.array([0.0, 2.0, 2.0 + 1e-9])
    tokens = np.column_stack([np.cos(angles), np.sin(angles)])
    found = nm.attention_field(tokens[1:], beta=3, causal=nm.Causal(own=False))
    speed = found[1] @ np.array([-tokens[2, 1], tokens[2, 0]])
    assert speed == pytest.approx(-np.exp(3) * 1e-9, rel=1e-6)


def test_later_tokens_do_not_move_earlier_ones():
    """Whatever comes after token 40, the paths of the first forty are the same where there is no decay."""
    start = nm.uniform(80, 2, rng=3)
    flow = nm.Flow(beta=2, model="sa", causal=nm.Causal())
    whole = nm.simulate(start, flow, t_end=3.0, method="dense", rtol=1e-11).tokens
    part = nm.simulate(start[:40], flow, t_end=3.0, method="dense", rtol=1e-11).tokens
    np.testing.assert_allclose(whole[:40], part, atol=1e-9)
    assert np.array_equal(whole[0], start[0])


@pytest.mark.parametrize("dim", [2, 3, 20])
def test_all_go_to_the_first_token(dim):
    """V = I: the end of every start; dim 20 of 4 tokens is followed in the space that they span."""
    start = nm.uniform(4 if dim == 20 else 12, dim, rng=dim)
    run = nm.simulate(start, beta=1, model="sa", causal=nm.Causal(), t_end=60.0)
    assert np.abs(run.tokens - start[0]).max() < 1e-6


def test_methods_agree_along_a_run_and_it_goes_on():
    start = nm.uniform(300, 2, rng=5)
    flow = nm.Flow(beta=1, causal=nm.Causal(1.0, own=False))
    runs = [nm.simulate(start, flow, t_end=2.0, method=method, rtol=1e-10) for method in ("dense", "circle", "auto")]
    assert [run.parameters["method"] for run in runs] == ["dense", "circle", "circle"]
    for run in runs[1:]:
        np.testing.assert_allclose(run.tokens, runs[0].tokens, atol=1e-8)
    half = nm.simulate(start, flow, t_end=1.0, method="circle", rtol=1e-10)
    np.testing.assert_allclose(half.extend(2.0).tokens, runs[0].tokens, atol=1e-8)


def test_noise_and_heads_go_with_a_mask(tmp_path):
    start = nm.uniform(50, 3, rng=6)
    mask = nm.Causal(0.5)
    run = nm.simulate(start, beta=1, causal=mask, noise=0.1, t_end=0.1, step=0.01, rng=1)
    assert run.status.ok
    run.save(tmp_path / "run.npz")
    assert nm.load(tmp_path / "run.npz").parameters == run.parameters
    heads = [nm.Head(beta=1), nm.Head(beta=2, value=-np.eye(3)), nm.Head(beta=1, query_key=np.diag([1.0, 0, 0]))]
    weights = np.full(50, 0.02)
    expected = (
        plainly(start, weights, mask, "sa", np.exp)
        - plainly(start, weights, mask, "sa", lambda s: np.exp(2 * s))
        + plainly(start, weights, mask, "sa", np.exp, query_key=np.diag([1.0, 0, 0]))
    )
    found = nm.attention_field(start, heads=heads, causal=mask, model="sa")
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_correlations_need_no_prediction_where_the_reader_sees_the_source_alone():
    """Two tokens and a reader: half its velocity is that towards the source, by quadrature over their distance."""
    flow = nm.Flow(beta=1.5, causal=nm.Causal(own=False))
    found = nm.systems.source_correlations(flow, tokens=2, sources=[0], max_degree=2, time=1e-3, runs=400, rng=0)
    gap = 2 * np.pi * np.arange(64) / 64
    turn = -0.5e-3 * np.exp(1.5 * np.cos(gap)) * np.sin(gap)
    for k in (1, 2):
        expected = 2 * np.mean(np.cos(k * (gap + turn)))
        samples = found[:, 0, k - 1]
        assert samples.mean() == pytest.approx(
            expected, rel=2e-3
        )  # the other token has moved, too, by the time squared


def test_correlations_at_several_times_are_those_of_one_run():
    """As a list or an array of times; the last of them as the time alone, to the tolerance of a step."""
    several = correlations(time=[0.05, 0.1], rng=0)
    assert np.array_equal(correlations(time=np.array([0.05, 0.1]), rng=0), several)
    np.testing.assert_allclose(several[:, 1], correlations(time=0.1, rng=0), rtol=1e-5)


def test_strong_centres_by_pairs():
    tokens = nm.uniform(40, 3, rng=2)
    angle = np.arccos(np.clip(tokens @ tokens.T, -1, 1))
    expected = [i for i in range(40) if all(angle[i, j] > 0.6 for j in range(i))]
    assert nm.systems.strong_centres(tokens, 0.6).tolist() == expected


@settings(max_examples=15)
@given(decay=floats(0, 30), own=booleans(), model=MODELS)
def test_the_equation_says_what_is_summed(decay, own, model):
    text = nm.Flow(beta=1, causal=nm.Causal(decay, own=own), model=model)._repr_latex_()
    assert (r"j \le i" in text) == own
    assert ("M_i" in text) == (model == "usa")
    assert ("(i - j)/n" in text) == (decay > 0)


FLOW = {"beta": 1, "causal": nm.Causal(1.0)}
TOKENS = nm.uniform(12, 3, rng=0)


def correlations(**changed):
    numbers = {"flow": nm.Flow(**FLOW), "tokens": 8, "sources": [2], "max_degree": 2, "time": 0.1, "runs": 2}
    return nm.systems.source_correlations(**numbers | changed)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: nm.Causal(decay=-1), "decay"),
        (lambda: nm.Causal(decay=float("inf")), "decay"),
        (lambda: nm.Causal(own="no"), "own"),
        (lambda: nm.Flow(beta=1, causal=True), "causal"),
        (lambda: nm.attention_field(TOKENS, **FLOW, method="tiles"), "method"),
        (lambda: nm.simulate(TOKENS, **FLOW, t_end=1, method="sphere"), "method"),
        (lambda: nm.simulate(TOKENS, **FLOW, t_end=1, method="circle"), "method"),
        (lambda: nm.simulate(TOKENS, **FLOW, t_end=1, merge=1e-10), "merge"),
        (lambda: nm.simulate(TOKENS, **FLOW, t_end=1, layer_norm="peri"), "layer_norm"),
        (lambda: nm.simulate(TOKENS, **FLOW, t_end=1, observe=[nm.Energy()]), "causal"),
        (lambda: nm.simulate(TOKENS, **FLOW, t_end=1, observe=[nm.observables.Dissipation()]), "causal"),
        (lambda: correlations(flow=nm.Flow(beta=1)), "flow"),
        (lambda: correlations(flow=nm.Flow(beta=1, noise=0.1, causal=nm.Causal())), "noise"),
        (lambda: correlations(sources=[8]), "sources"),
        (lambda: correlations(grid=2), "grid"),
        (lambda: correlations(time=0), "time"),
        (lambda: correlations(time=np.array([0.2, 0.1])), "time"),
        (lambda: nm.systems.strong_centres(TOKENS, 4.0), "angle"),
        (lambda: nm.solve_density([1.0, 1.0], **FLOW, t_end=1), "causal"),
        (lambda: nm.uniform_rates(2, max_degree=1, window=1, tokens=9, runs=2, **FLOW), "causal"),
    ],
)
def test_what_does_not_go_with_a_mask_is_refused_by_name(call, name):
    with pytest.raises(nm.Refused) as refusal:
        call()
    assert refusal.value.name == name
