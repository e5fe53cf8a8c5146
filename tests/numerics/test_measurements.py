"""Measurements alone: what they return for motions whose answer is known, and that they notice wrong physics."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers
from scipy.integrate import quad
from scipy.optimize import brentq

from gegenflow import numerics as nm
from gegenflow.numerics.integrators.driver import Status
from gegenflow.numerics.validation import measurements
from gegenflow.numerics.validation.measurements import MOST_NODES, Profile, Unfinished, follow
from gegenflow.numerics.validation.starts import concentrated, nudged_starts


def turned(angle):
    return np.column_stack([np.cos(angle), np.sin(angle)])


def circle_rate(degree, beta):
    """k^2/beta times the mean of exp(beta cos a) cos(k a): the convolution on the circle, by quadrature."""
    return degree**2 / beta * quad(lambda a: np.exp(beta * np.cos(a)) * np.cos(degree * a), 0, np.pi)[0] / np.pi


@settings(max_examples=15)
@given(beta=floats(0.2, 6), degree=integers(1, 4), seed=integers(0, 99))
def test_planted_rates_on_the_circle_are_those_of_the_convolution(beta, degree, seed):
    """Adaptive quadrature of the kernel against the run; the next degree's value is refused."""
    rates, errors = nm.planted_rates(2, beta=beta, max_degree=degree, window=0.5 / circle_rate(1, beta), rng=seed)
    assert rates.shape == errors.shape == (degree,)
    assert (errors > 0).all()
    for k in range(1, degree + 1):
        assert rates[k - 1] == pytest.approx(circle_rate(k, beta), rel=1e-5)
        assert abs(rates[k - 1] - circle_rate(k + 1, beta)) > 1e-4 * rates[k - 1]


@pytest.mark.parametrize(("dim", "beta", "degree"), [(3, 5000.0, 3), (4, 20.0, 3), (5, 2.0, 2), (12, 0.1, 1)])
def test_planted_rates_refuse_too_many_nodes(dim, beta, degree):
    """The message names the dimension, the number of nodes that an exact start needs and the number allowed."""
    with pytest.raises(ValueError, match=rf"dim {dim}: an exact start needs \d+ tokens .* allowed are {MOST_NODES}"):
        nm.planted_rates(dim, beta=beta, model="sa", max_degree=degree, window=1.0)


@given(dim=integers(2, 5), seed=integers(0, 99))
def test_profile_of_one_token_is_its_overlap_with_the_pole(dim, seed):
    """P_1 = t and P_2 = (d t^2 - 1)/(d - 1) at t = <x, pole>, written out."""
    token, pole = nm.uniform(2, dim, rng=seed)[:, None]
    t = float(token[0] @ pole[0])
    values = Profile(pole, 2)(token, np.ones(1), nm.Flow(beta=1))
    np.testing.assert_allclose(values, [t, (dim * t * t - 1) / (dim - 1)], atol=1e-13)


def test_error_bars_of_uniform_rates_shrink_as_one_over_the_root_of_the_runs():
    """Sixteen times the runs, a quarter of the bar or less; both bars hold the known rate 1/2 at beta = 0.

    False alarm rate: 1 % for a fresh seed (bars of 8 runs scatter by 25 %, Student's t); this one is fixed.
    """
    options = {"max_degree": 1, "window": 0.5, "tokens": 400, "rng": 3}
    few, few_error = nm.uniform_rates(2, beta=0.0, runs=8, **options)
    many, many_error = nm.uniform_rates(2, beta=0.0, runs=128, **options)
    assert 2 < few_error[0] / many_error[0] < 12
    assert abs(few[0] - 0.5) < 3 * few_error[0]
    assert abs(many[0] - 0.5) < 3 * many_error[0]


def test_error_bars_of_uniform_rates_are_the_scatter_between_seeds():
    """Standard deviation of 40 independent measurements against the mean jackknife bar of each.

    False alarm rate: the ratio has a relative scatter of 15 %, so 60 % and 160 % are three or four of them.
    """
    options = {"max_degree": 2, "window": 0.3, "tokens": 200, "runs": 16}
    rates, errors = np.array([nm.uniform_rates(2, beta=1.0, rng=seed, **options) for seed in range(40)]).transpose(
        1, 0, 2
    )
    ratio = rates.std(axis=0, ddof=1) / np.sqrt((errors**2).mean(axis=0))
    assert ((ratio > 0.6) & (ratio < 1.6)).all()


def test_uniform_rates_repeat_for_a_seed_and_differ_between_seeds():
    """The stream comes from ``rng`` alone."""
    options = {"max_degree": 2, "window": 0.2, "tokens": 100, "runs": 4}
    first, again, other = (nm.uniform_rates(3, beta=1.0, rng=seed, **options)[0] for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert (first != other).all()


@pytest.mark.parametrize("model", ["usa", "sa"])
def test_energy_gain_notices_a_wrong_dissipation(monkeypatch, model):
    """Agreement as it stands; with the dissipation doubled, or that of the other model, far more than three bars."""
    start = nm.uniform(80, 3, rng=2)

    def off_by():
        integral, gain, error = nm.validation.energy_gain(start, beta=3.0, t_end=0.3, model=model)
        assert error < 0.01 * gain
        return abs(integral - gain) / error

    assert off_by() < 3
    right = nm.Dissipation.__call__
    monkeypatch.setattr(nm.Dissipation, "__call__", lambda self, *args: 2 * right(self, *args))
    assert off_by() > 100
    other = "sa" if model == "usa" else "usa"
    monkeypatch.setattr(
        nm.Dissipation, "__call__", lambda self, x, w, flow: right(self, x, w, replace(flow, model=other))
    )
    assert off_by() > 100


@given(angle=floats(0.0, 6.2), count=integers(1, 3))
@settings(max_examples=10)
def test_cluster_angles_are_where_the_tokens_sit(angle, count):
    """Tight bunches a third of a turn apart hardly move in a short time: their own angles come back, heaviest first."""
    centres = angle + 2 * np.pi / 3 * np.arange(count)
    sizes = [30, 20, 10][:count]
    spread = np.concatenate([c + 1e-3 * np.linspace(-1, 1, n) for c, n in zip(centres, sizes, strict=True)])
    found = nm.validation.cluster_angles(turned(spread), beta=4.0, t_end=1e-4, min_mass=0.1)
    assert ((found >= 0) & (found <= 2 * np.pi)).all()
    np.testing.assert_allclose(turned(found), turned(centres), atol=1e-2)


def test_cluster_angles_without_clusters_are_refused():
    """A lattice is an equilibrium: no cluster, however long the run, and the message says until when."""
    with pytest.raises(Unfinished, match=r"no clusters after t = 0\.5"):
        nm.validation.cluster_angles(nm.lattice(500), beta=3.0, t_end=0.5, min_mass=0.05)


@settings(max_examples=20)
@given(degree=integers(1, 6), seed=integers(0, 99))
def test_nudged_starts_hold_the_degree_with_the_phase_they_say(degree, seed):
    """The sum over exp(-i k theta) written out; its phase puts one maximum within half a period of the angle pi."""
    starts = [*nudged_starts(degree, tokens=20_000, runs=3, rng=seed)]
    assert len(starts) == 3
    for tokens, phase in starts:
        moment = np.mean((tokens[:, 0] - 1j * tokens[:, 1]) ** degree)
        assert abs(moment) == pytest.approx(0.05, abs=0.02)  # noise 1/sqrt(20,000) = 0.007, three of it
        assert phase == pytest.approx(np.angle(moment), abs=1e-9)
        maxima = (2 * np.pi * np.arange(-degree, 2 * degree) - phase) / degree
        assert np.abs(maxima - np.pi).min() < (0.5 * np.pi + 0.6) / degree
        powers = np.abs([np.mean((tokens[:, 0] - 1j * tokens[:, 1]) ** k) for k in range(1, 8)])
        assert powers.argmax() + 1 == degree
    assert len({phase for _, phase in starts}) == 3


def test_follow_refuses_a_run_that_stopped(monkeypatch):
    """The status of the run becomes the message."""
    right = measurements.simulate
    stopped = Status(False, "stopped at t = 0.1 of 1: the velocity is not finite")
    monkeypatch.setattr(measurements, "simulate", lambda *a, **b: replace(right(*a, **b), status=stopped))
    with pytest.raises(Unfinished, match="the velocity is not finite"):
        follow(nm.uniform(5, 2, rng=0), nm.Flow(beta=1), 1.0)
    with pytest.raises(Unfinished, match="the velocity is not finite"):
        nm.planted_rates(2, beta=1.0, max_degree=1, window=0.1)


@given(dim=integers(2, 12), resultant=floats(0.05, 0.9))
def test_concentrated_tokens_have_the_mean_and_are_turned_alike(dim, resultant):
    """Mean (R, 0, ...) within five standard errors, heights as Langevin's function in dim 3, unit length."""
    tokens = concentrated(4000, dim, resultant, rng=1)
    assert np.abs(np.linalg.norm(tokens, axis=1) - 1).max() < 1e-12
    off = np.abs(tokens.mean(axis=0) - resultant * np.eye(dim)[0])
    assert (off < 5 * tokens.std(axis=0) / 4000**0.5 + 1e-4).all()
    if dim == 3:  # E t = coth k - 1/k, E t^2 = 1 - 2 R/k
        kappa = brentq(lambda k: 1 / np.tanh(k) - 1 / k - resultant, 1e-3, 50)
        assert np.mean(tokens[:, 0] ** 2) == pytest.approx(1 - 2 * resultant / kappa, abs=0.03)
