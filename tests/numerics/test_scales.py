"""Clusters at their own scale: planted ones are found, uniform tokens seldom pass for clustered."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.stats import binom

from gegenflow import numerics as nm
from gegenflow.numerics.tokens import scales


def topics(count, each, dim, cosine, rng):
    """Orthogonal topics, and tokens of a mean cosine with each other within one; shuffled, with their topics."""
    spread = nm.uniform(count * each, dim, rng=rng)
    rows = np.repeat(np.eye(dim)[:count], each, axis=0) * cosine**0.5 + spread * (1 - cosine) ** 0.5
    order = np.random.default_rng(rng).permutation(len(rows))
    return nm.normalize(rows)[order], np.repeat(np.arange(count), each)[order]


@pytest.mark.parametrize("cosine", [0.5, 0.8, 0.99])
def test_topics_are_found_at_any_closeness(cosine):
    """Four topics of fifty in dim 384, which no fixed angle finds with a coherence of 0.9 at cosine 0.8."""
    tokens, planted = topics(4, 50, 384, cosine, rng=0)
    found = nm.find_clusters(tokens)
    assert (found.count, found.p_value) == (4, 0.01)
    assert np.array_equal(found.labels[:, None] == found.labels, planted[:, None] == planted)
    angles = np.arccos(np.clip(tokens @ tokens.T, -1, 1))
    same = planted[:, None] == planted
    assert found.angle < angles[~same].min()
    assert "4 clusters at the angle" in str(found)


@settings(max_examples=15)
@given(dim=integers(2, 40), count=integers(1, 2), exponent=floats(-5, -1.5), seed=integers(0, 999))
def test_clusters_of_any_width_are_counted(dim, count, exponent, seed):
    """One or two opposite clouds, one to five orders of magnitude below the sphere; one is told from uniform, too."""
    centres = np.array([[1.0], [-1.0]])[:count] * np.eye(1, dim)
    cloud = np.repeat(centres, 40, axis=0) + 10**exponent * nm.uniform(40 * count, dim, rng=seed) / 2
    found = nm.find_clusters(nm.normalize(cloud), draws=19, rng=seed)
    assert (found.count, found.p_value) == (count, 0.05)


def test_many_tokens_are_looked_at_in_a_sample_in_no_order():
    """Labels in turn: every fourth token is of one topic, and a sample of each fourth would see one cluster alone."""
    tokens, planted = topics(4, 600, 16, 0.95, rng=2)
    order = np.argsort(planted, kind="stable").reshape(4, -1).T.ravel()
    found = nm.find_clusters(tokens[order], draws=9)
    assert found.count == 4
    assert len(found.labels) == 2400


@pytest.mark.parametrize(("dim", "n"), [(2, 50), (3, 80), (64, 60)])
def test_uniform_tokens_are_seldom_taken_for_clustered(dim, n):
    """The chance of p <= 0.1 is at most 0.1: of 150 sets no more than a binomial shows one time in a thousand."""
    values = [nm.find_clusters(nm.uniform(n, dim, rng=seed), draws=19, rng=seed + 10**6).p_value for seed in range(150)]
    false = sum(value <= 0.1 for value in values)
    assert binom.ppf(0.001, 150, 0.1) <= false <= binom.ppf(0.999, 150, 0.1)
    assert abs(np.mean(values) - 0.5) < 5 * (1 / 12 / 150) ** 0.5 + 0.025  # p is one of 20 values, 0.05 to 1


@given(n=integers(2, 60), dim=integers(2, 8), seed=integers(0, 999))
def test_angles_of_joining_are_the_minimal_spanning_tree(n, dim, seed):
    """scipy's tree over all pairs."""
    tokens = nm.uniform(n, dim, rng=seed)
    tree = minimum_spanning_tree(np.arccos(np.clip(tokens @ tokens.T, -1, 1)) * (1 - np.eye(n)))
    assert scales._joins(tokens)[0] == pytest.approx(np.sort(tree.data), abs=1e-7)


def test_a_single_token_and_copies():
    """Nothing to join, or everything at once."""
    for tokens in ([[1.0, 0.0]], [[1.0, 0.0]] * 30):
        assert nm.find_clusters(tokens, draws=9).count == 1
