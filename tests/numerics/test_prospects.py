"""What tokens hold and how it grows: rates against runs, and what comes first against what comes first in a run."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, sampled_from
from scipy.special import eval_gegenbauer
from support.embeddings import embeddings

from gegenflow import numerics as nm
from gegenflow import theory as th
from gegenflow.numerics.observables.harmonics import power_change

models = sampled_from(["usa", "sa"])


def by_degree(found):
    return sorted(found, key=lambda prospect: prospect.degree)


@settings(max_examples=15)
@given(dim=integers(2, 7), n=integers(3, 60), beta=floats(0.5, 6), model=models, seed=integers(0, 10_000))
def test_own_rates_are_those_of_a_run(dim, n, beta, model, seed):
    """Differences of order 4 of log A_k over the first times of a run whose observables know no derivative."""
    tokens = nm.uniform(n, dim, rng=seed)
    step = 1e-3 * (np.exp(-beta) if model == "usa" else 1)
    times = step * np.arange(5)
    options = {"save_at": times, "rtol": 1e-12, "atol": 1e-13, "observe": [nm.HarmonicPower(8)]}
    run = nm.simulate(tokens, beta=beta, model=model, t_end=times[-1], **options)
    logs = 0.5 * np.log(run.observables["harmonic_power"])
    slopes = (-25 * logs[0] + 48 * logs[1] - 36 * logs[2] + 16 * logs[3] - 3 * logs[4]) / (12 * step)
    for prospect in by_degree(nm.prospects(tokens, beta, model=model)):
        power = prospect.amplitude**2
        assert power == pytest.approx(run.observables["harmonic_power"][0, prospect.degree], rel=1e-9, abs=1e-15)
        seen = 1e-12 / (power * step)  # of the rounding of A_k^2 in differences
        assert prospect.own_rate == pytest.approx(slopes[prospect.degree], rel=1e-5, abs=seen)


@given(dim=integers(2, 5), seed=integers(0, 10_000), few=sampled_from([40, 4000]))
def test_changes_of_powers_over_nodes_are_those_over_pairs(dim, seed, few):
    """Many tokens are summed up at quadrature nodes, few in pairs: scipy's polynomials in pairs for both."""
    rng = np.random.default_rng(seed)
    tokens, weights = nm.uniform(few, dim, rng=rng), rng.uniform(0.2, 1, few)
    weights /= weights.sum()
    velocities = rng.standard_normal((few, dim))
    velocities -= np.einsum("id,id->i", velocities, tokens)[:, None] * tokens
    power, change = power_change(tokens, velocities, 3, weights)
    assert power == pytest.approx(nm.harmonic_power(tokens, 3, weights)[1:], rel=1e-10, abs=1e-15)
    part = slice(0, 40)  # the sum over all pairs is linear in velocities: those of 40 tokens alone
    alone = np.zeros_like(velocities)
    alone[part] = velocities[part]
    overlap, along = tokens[part] @ tokens.T, velocities[part] @ tokens.T
    exact = []
    for k in (1, 2, 3):
        slope = k * (k + dim - 2) / (dim - 1)  # P_k' is P_{k-1} two dims up, times this
        high = eval_gegenbauer(k - 1, dim / 2, overlap) / eval_gegenbauer(k - 1, dim / 2, 1.0)
        exact.append(2 * weights[part] @ (slope * high * along) @ weights)
    found = power_change(tokens, alone, 3, weights)[1]
    assert found == pytest.approx(exact, rel=1e-9, abs=1e-12 * np.abs(exact).max())
    assert change.shape == (3,)


@pytest.mark.parametrize(("dim", "model"), [(16, "usa"), (16, "sa"), (64, "usa"), (384, "sa")])
def test_what_embeddings_are_announced_to_show_first_comes_first(dim, model):
    """Where the linear theory says degree 1 (dims 64 and 384), degree 2 comes: the run decides, to twice the time."""
    tokens = embeddings(400, dim, rng=1)
    found = nm.prospects(tokens, 5, model=model)
    assert {prospect.verdict for prospect in found} == {"not near uniform: the linear theory does not apply"}
    t_end, top = 2 * found[0].emergence, len(found)
    options = {"save_at": np.linspace(0, t_end, 201), "rtol": 1e-6, "observe": [nm.HarmonicPower(top)]}
    run = nm.simulate(tokens, beta=5, model=model, t_end=t_end, **options)
    reached = run.observables["harmonic_power"][:, 1:] >= 0.09
    assert reached.any()
    first = int(reached.any(axis=1).argmax())
    assert np.flatnonzero(reached[first])[0] + 1 == found[0].degree
    assert 0.5 * found[0].emergence < run.t[first] < 2 * found[0].emergence


def test_the_linear_theory_would_be_wrong_on_embeddings():
    """In dim 64 it expects degree 2 at the rate .182; the tokens grow at eight times that, and degree 2 comes first."""
    found = by_degree(nm.prospects(embeddings(400, 64, rng=1), 5))
    assert found[1].rate == pytest.approx(float(th.growth_rate(2, 64, 5, digits=8)), rel=1e-7)
    assert found[1].own_rate > 5 * found[1].rate
    assert found[1].emergence == min(prospect.emergence for prospect in found)


@pytest.mark.parametrize(("dim", "n", "beta"), [(2, 400, 2), (2, 2000, 5), (3, 1000, 4), (8, 1000, 3), (64, 400, 5)])
def test_uniform_tokens_are_near_uniform(dim, n, beta):
    """Ten independent starts each; their own rates of what they hold are the linear ones up to noise."""
    found = [nm.prospects(nm.uniform(n, dim, rng=seed), beta) for seed in range(10)]
    assert {prospect.verdict for prospects in found for prospect in prospects} == {"near uniform"}
    for prospect in found[0]:
        assert prospect.emergence == pytest.approx(max(np.log(0.3 / prospect.amplitude), 0) / prospect.rate)


def test_what_does_not_grow_never_comes():
    """Tokens at rest in two opposite places, which no degree leaves; and what they hold is there at once."""
    found = by_degree(nm.prospects([[1.0, 0.0], [-1.0, 0.0]] * 10, 2))
    assert [prospect.own_rate for prospect in found] == pytest.approx([0.0] * len(found), abs=1e-12)
    assert found[0].emergence == np.inf
    assert found[1].emergence == 0


@pytest.mark.parametrize("model", ["usa", "sa"])
def test_the_rates_of_a_scaled_flow_are_those_of_its_clock(model):
    """Of USA e^-beta times those of the flow itself, and the times e^beta longer; of SA the same."""
    unit = np.exp(-5) if model == "usa" else 1.0
    for tokens in (nm.uniform(400, 2, rng=0), embeddings(100, 16, rng=0)):
        plain = by_degree(nm.prospects(tokens, "5", model=model))
        scaled = by_degree(nm.prospects(tokens, "5", model=model, scaled=True))
        for one, other in zip(plain, scaled, strict=True):
            assert (one.amplitude, one.contained, one.verdict) == (other.amplitude, other.contained, other.verdict)
            assert other.rate == pytest.approx(unit * one.rate, rel=1e-12)
            assert other.own_rate == pytest.approx(unit * one.own_rate, rel=1e-9, abs=1e-15)
            assert other.emergence == pytest.approx(one.emergence / unit, rel=1e-9)


def test_a_scaled_flow_has_rates_beyond_all_floats():
    """k^2 I_k(beta)/beta e^-beta by mpmath at beta 2000, whose own rates no float64 holds."""
    found = by_degree(nm.prospects(nm.uniform(50, 2, rng=0), 2000, scaled=True))
    assert len(found) > 40
    with mpmath.workdps(30):
        for k in (1, 7, len(found)):
            exact = k**2 * mpmath.besseli(k, 2000) * mpmath.exp(-2000) / 2000
            assert found[k - 1].rate == pytest.approx(float(exact), rel=1e-11)
    with pytest.raises(ValueError, match="beta 2000"):
        nm.prospects(nm.uniform(50, 2, rng=0), 2000)
