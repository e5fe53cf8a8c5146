"""Effective rank and overlaps of pairs, against plain sums."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gegenflow import numerics as nm
from gegenflow.numerics.observables import spreads

FLOW = nm.Flow(beta=0)


def equal(n):
    return np.full(n, 1 / n)


@given(dim=st.integers(2, 12), clusters=st.integers(1, 12))
def test_rank_of_equal_orthogonal_clusters_is_their_number(dim, clusters):
    """Whatever the signs and the rotation; all directions at once have the rank dim."""
    clusters = min(clusters, dim)
    turn = np.linalg.qr(np.random.default_rng(dim).normal(size=(dim, dim)))[0]
    tokens = np.vstack([turn[:clusters], -turn[:clusters]])
    assert nm.EffectiveRank()(tokens, equal(len(tokens)), FLOW) == pytest.approx(clusters)


def test_rank_is_the_exponential_of_the_entropy_and_not_the_participation_ratio():
    """Two orthogonal clusters of masses p and 1 - p: p^-p (1 - p)^-(1 - p)."""
    rank = nm.EffectiveRank()(np.eye(2), np.array([0.9, 0.1]), FLOW)
    assert rank == pytest.approx(0.9**-0.9 * 0.1**-0.1)
    assert abs(rank - 1 / (0.9**2 + 0.1**2)) > 0.1


@pytest.mark.parametrize(
    "density",
    [
        nm.circle_density(lambda angle: 1 + 0.8 * np.cos(2 * angle + 0.3) - 0.1 * np.sin(angle)),
        nm.zonal_density(lambda t: 1 + 0.9 * t**2 - 0.3, dim=3),
        nm.zonal_density(lambda t: 1 - 0.5 * (t**2 - 0.2), dim=5),
        nm.sphere_density(lambda x: 1 + 0.8 * x[:, 0] * x[:, 1] + 0.2 * x[:, 2]),
    ],
    ids=["circle", "zonal 3", "zonal 5", "sphere"],
)
def test_rank_of_a_density_is_that_of_tokens_with_its_values_as_masses(density):
    """Nodes that integrate degree 4 and more, weighted by the density."""
    points, weights = nm.tokens.quadrature(density.dim, 8)
    places = points
    if isinstance(density, nm.densities.CircleDensity):
        places = np.arctan2(points[:, 1], points[:, 0])
    elif isinstance(density, nm.densities.ZonalDensity):
        places = points[:, 0]
    masses = weights * density.values(places)
    rank = nm.EffectiveRank()(points, masses / masses.sum(), FLOW)
    assert nm.EffectiveRank().of_density(density, FLOW) == pytest.approx(rank, rel=1e-9)
    assert rank < density.dim - 0.005


@given(n=st.integers(2, 40), dim=st.integers(2, 5), bins=st.integers(1, 30), seed=st.integers(0, 99))
def test_histogram_is_the_count_over_pairs(n, dim, bins, seed):
    """By a loop over pairs, each with the product of its masses."""
    tokens = nm.uniform(n, dim, rng=seed)
    masses = np.random.default_rng(seed).dirichlet(np.ones(n))
    counts = np.zeros(bins)
    for i, j in combinations(range(n), 2):
        counts[min(int((tokens[i] @ tokens[j] + 1) * bins / 2), bins - 1)] += masses[i] * masses[j]
    shares = nm.OverlapHistogram(bins)(tokens, masses, FLOW)
    np.testing.assert_allclose(shares, counts / counts.sum(), atol=1e-12)


def test_histogram_goes_over_blocks(monkeypatch):
    """More tokens than one block holds."""
    tokens = nm.uniform(90, 3, rng=1)
    whole = nm.OverlapHistogram(7)(tokens, equal(90), FLOW)
    monkeypatch.setattr(spreads, "ROWS", 17)
    np.testing.assert_allclose(nm.OverlapHistogram(7)(tokens, equal(90), FLOW), whole, atol=1e-14)


def test_histogram_of_many_tokens_is_near_that_of_all_pairs(monkeypatch):
    """Within five of the errors that the docstring states, of ordered tokens too; never the own overlap."""
    tokens = np.vstack([nm.uniform(1500, 3, rng=2), np.tile([[0.0, 0.0, 1.0]], (500, 1))])
    exact = nm.OverlapHistogram(20)(tokens, equal(2000), FLOW)
    monkeypatch.setattr(spreads, "EXACT", 100)
    found = nm.OverlapHistogram(20)(tokens, equal(2000), FLOW)
    assert found.sum() == pytest.approx(1)
    assert not np.array_equal(found, exact)
    assert (np.abs(found - exact) <= 5 * np.sqrt(exact / (512 * 2000))).all()


def test_histogram_of_a_density_is_that_of_many_tokens_of_it():
    """Uniform in dim 3: equal shares. A zonal density: shares of independent tokens drawn from it by rejection."""
    uniform = nm.zonal_density(lambda t: 1 + 0.0 * t, dim=3)
    np.testing.assert_allclose(nm.OverlapHistogram(8).of_density(uniform, FLOW), 1 / 8, atol=1e-12)
    density = nm.zonal_density(lambda t: 1 + 0.9 * t, dim=3)
    tokens, rng = nm.uniform(12_000, 3, rng=3), np.random.default_rng(3)
    kept = tokens[rng.uniform(0, 1.9, len(tokens)) < 1 + 0.9 * tokens[:, 2]]
    found = nm.OverlapHistogram(8)(kept, equal(len(kept)), FLOW)
    exact = nm.OverlapHistogram(8).of_density(density, FLOW)
    np.testing.assert_allclose(found, exact, atol=0.01)
    assert np.ptp(exact) > 0.05


def test_a_run_records_both():
    """Under their names, in a file too; what has no bins is refused."""
    run = nm.simulate(nm.uniform(30, 3, rng=0), beta=1, t_end=40.0, save_at=[0, 40], observe=[nm.EffectiveRank()])
    assert run.observables["effective_rank"] == pytest.approx([2.9, 1.0], abs=0.15)
    with pytest.raises(nm.Refused, match=r"bins 0: it must be a whole number >= 1"):
        nm.OverlapHistogram(0)
