"""Shares of pairs above a level: by counting, by the law of overlaps, and of densities by their samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers
from scipy.integrate import quad
from scipy.special import eval_gegenbauer

from gegenflow import numerics as nm
from gegenflow.numerics.observables import pairs

FLOW = nm.Flow(beta=0)


@given(n=integers(2, 40), dim=integers(2, 5), level=floats(-1, 0.999), seed=integers(0, 99))
def test_the_share_is_that_of_all_pairs_counted(n, dim, level, seed):
    """With weights, one pair after the other."""
    tokens, weights = nm.uniform(n, dim, rng=seed), np.random.default_rng(seed).dirichlet(np.ones(n))
    two = [(i, j) for i in range(n) for j in range(n) if i != j]
    close = sum(weights[i] * weights[j] for i, j in two if tokens[i] @ tokens[j] > level)
    whole = sum(weights[i] * weights[j] for i, j in two)
    assert nm.PairShare(level)(tokens, weights, FLOW) == pytest.approx(close / whole, abs=1e-12)


@pytest.mark.parametrize("dim", [2, 3])
def test_ends_of_the_levels_and_many_tokens(dim, monkeypatch):
    """All but antipodal pairs are above -1; tokens in one place are above any level; blocks do not matter."""
    weights = np.full(4, 0.25)
    axes = np.pad([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], [(0, 0), (0, dim - 2)])
    assert nm.PairShare(-1)(axes, weights, FLOW) == pytest.approx(4 / 6)
    assert nm.PairShare(1 - 1e-9)(axes, weights, FLOW) == pytest.approx(1 / 6)
    assert nm.PairShare(0.5)(axes[:1], np.ones(1), FLOW) == 0.0
    tokens, masses = nm.uniform(1000, dim, rng=0), np.full(1000, 1e-3)
    whole = nm.PairShare(0.3)(tokens, masses, FLOW)
    monkeypatch.setattr(pairs, "ROWS", 7)
    assert nm.PairShare(0.3)(tokens, masses, FLOW) == pytest.approx(whole, abs=1e-14)
    assert whole == pytest.approx(np.arccos(0.3) / np.pi if dim == 2 else 0.35, abs=0.01)  # (1 - 0.3)/2 in dim 3
    monkeypatch.setattr(pairs, "MOST_TOKENS", 999)
    if dim == 3:
        with pytest.raises(nm.Refused, match="at most 999 tokens in dim 3"):
            nm.PairShare(0.3)(tokens, masses, FLOW)


@pytest.mark.parametrize("dim", [2, 3, 4, 9])
@pytest.mark.parametrize("level", [-1.0, -0.4, 0.0, 0.7])
def test_integrals_over_caps_are_those_of_quadrature(dim, level):
    """Of every degree, against the law of an overlap of uniform tokens, in the angle so that nothing is singular."""

    def polynomial(k, overlap):
        return np.cos(k * np.arccos(overlap)) if dim == 2 else eval_gegenbauer(k, dim / 2 - 1, overlap)

    def integral(k, end):
        return quad(lambda a: polynomial(k, np.cos(a)) * np.sin(a) ** (dim - 2), 0, end, epsabs=1e-13)[0]

    for k, value in enumerate(pairs._caps(6, dim, level)):
        cap = integral(k, np.arccos(level)) / polynomial(k, 1.0)
        assert value == pytest.approx(cap / integral(0, np.pi), abs=1e-12)


DENSITIES = {
    "circle": lambda: nm.circle_density(lambda a: 1 + 0.6 * np.cos(a) + 0.3 * np.sin(3 * a)),
    "zonal": lambda: nm.zonal_density(lambda t: 1 + 0.5 * t + 0.3 * t**3, dim=4),
    "sphere": lambda: nm.sphere_density(lambda x: 1 + 0.5 * x[:, 0] + 0.4 * x[:, 1] * x[:, 2]),
}


@pytest.mark.parametrize("name", DENSITIES)
@pytest.mark.parametrize("level", [-0.5, 0.2, 0.9])
def test_the_share_of_a_density_is_that_of_tokens_drawn_from_it(name, level):
    """By rejection from uniform tokens; the error bar from twenty independent draws."""
    density = DENSITIES[name]()
    rng = np.random.default_rng(3)
    shares = []
    for _ in range(20):
        tokens = nm.uniform(4000, density.dim, rng=rng)
        if name == "circle":
            value = density.values(np.arctan2(tokens[:, 1], tokens[:, 0]))
        else:
            value = density.values(tokens[:, -1] if name == "zonal" else tokens)
        tokens = tokens[rng.random(len(tokens)) * 2.2 < value]
        shares.append(nm.PairShare(level)(tokens, np.full(len(tokens), 1 / len(tokens)), FLOW))
    bar = np.std(shares, ddof=1) / np.sqrt(len(shares))
    assert abs(np.mean(shares) - nm.PairShare(level).of_density(density, FLOW)) < 4 * bar


def test_a_run_records_it():
    """It starts at the share of uniform tokens and ends at one, when all have met; a run that goes on keeps it."""
    run = nm.simulate(nm.uniform(30, 3, rng=0), beta=1, t_end=40.0, save_at=[0, 40.0], observe=[nm.PairShare(0.99)])
    assert run.observables["pair_share"][0] < 0.05
    assert run.observables["pair_share"][-1] == pytest.approx(1.0, abs=1e-14)
    assert run.extend(41.0, save_at=[41.0]).observables["pair_share"][1:] == pytest.approx([1.0, 1.0], abs=1e-14)
