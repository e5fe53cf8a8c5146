"""Pairs under random layers and what the theory bounds or certifies about them, where no law is a trial."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, sampled_from

from gegenflow import numerics as nm
from gegenflow import theory as th
from gegenflow.numerics.fields.random_fields import covariance
from gegenflow.numerics.flows.activations import ACTIVATIONS

rl = th.random_layers


@given(name=sampled_from(sorted(ACTIVATIONS)), angle=floats(1e-6, 3.14))
def test_both_sides_have_one_covariance(name, angle):
    """Sums over the activation as a function against certified balls: to 1e-8 of K(1), and 1e-5 of the gap itself."""
    field, kernel = covariance(name), rl.activation_kernel(name)
    exact = float(kernel.at(1, 30) - kernel.at(repr(float(np.cos(angle))), 30))
    gap = float(field.gap(np.array(np.arccos(np.cos(angle)))))
    assert field.own == pytest.approx(float(kernel.at(1)), rel=1e-9)
    assert gap == pytest.approx(exact, rel=1e-5, abs=1e-13 * field.own)


@pytest.mark.parametrize(("dim", "bias"), [(2, 1), (3, "0.5"), (5, 1), (8, 2)])
def test_the_bound_of_a_random_form_holds_from_opposite_tokens_on(dim, bias):
    """Mean angles over 20,000 pairs, less four bars, below pi e^(-rate t); at a = 4 twice the rate would be broken."""
    shift = float(bias)
    flow = nm.Flow(random_layers=nm.RandomLayers(lambda x: shift + np.sqrt(2) * x, layers=200))
    times = np.array([0.1, 0.5, 1.0, 2.0, 3.0])
    distances = nm.systems.pair_distances(flow, dim, overlap=-1.0, times=times, runs=20_000, rng=0)
    angles = 2 * np.arcsin(np.minimum(distances / 2, 1))
    means, bars = angles.mean(axis=0), angles.std(axis=0) / np.sqrt(len(angles))
    rate = float(rl.form_rate(dim, bias))
    assert (means - 4 * bars < np.pi * np.exp(-rate * times)).all()
    if (dim, bias) == (5, 1):
        assert (means[-1] - 5 * bars[-1]) > np.pi * np.exp(-2 * rate * times[-1])


@pytest.mark.parametrize(("activation", "dim"), [("1+tanh", 8), ("cos", 30), ("1+tanh", 5)])
def test_the_mean_contracts_from_every_start_where_the_rate_is_positive(activation, dim):
    """E(1 - r) at three times from three overlaps stays below e^(-ct) of the start, less four bars; and from r near 1
    it does not fall three times as fast."""
    rate = float(rl.contraction_rate(activation, dim))
    assert rate > 0
    times = np.array([0.05, 0.1, 0.2]) / max(rate, 1)
    flow = nm.Flow(random_layers=nm.RandomLayers(activation, layers=4000))
    for overlap in (-0.9, 0.0, 0.9):
        gaps = nm.systems.pair_distances(flow, dim, overlap=overlap, times=times, runs=4000, rng=0) ** 2 / 2
        means, bars = gaps.mean(axis=0), gaps.std(axis=0) / np.sqrt(len(gaps))
        assert (means - 4 * bars < np.exp(-rate * times) * (1 - overlap)).all()
    assert means[-1] - 5 * bars[-1] > np.exp(-3 * rate * times[-1]) * (1 - overlap)
