"""Simulation against theory: growth rates, phases and the winning degree. The two sides share no formula."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis.strategies import floats, integers, sampled_from
from scipy.integrate import quad

from gegenflow import numerics as nm
from gegenflow import theory as th
from gegenflow.numerics.fields import method as fields
from gegenflow.numerics.tokens.geometry import normalize

MODELS = sampled_from(["usa", "sa"])
CAP = 1e-4
"""The widest relative error bar of a planted rate that confirms anything."""


def predicted_rates(dim, beta, model, count):
    return np.array([float(th.growth_rate(k, dim, beta, model=model, digits=17)) for k in range(1, count + 1)])


def planted(dim, beta, model, count, seed):
    window = 1 / predicted_rates(dim, beta, model, count).max()
    return nm.planted_rates(dim, beta=beta, max_degree=count, window=window, model=model, rng=seed)


def agrees(predicted, measured, error):
    return (abs(measured - predicted) <= 3 * error) & (error <= CAP * abs(predicted))


@given(dim=integers(2, 3), beta=floats(0.1, 8), model=MODELS, more=integers(0, 2), seed=integers(0, 999))
def test_simulated_rate_is_the_certified_rate(dim, beta, model, more, seed):
    """Tokens moved by the kernel itself, no Bessel function, against certified balls; up to 2 degrees past the winner.

    No false alarm: the error bar is of rounding and of third order, not random.
    """
    count = th.selected_degree(beta, dim) + more
    assert agrees(predicted_rates(dim, beta, model, count), *planted(dim, beta, model, count, seed)).all()


@settings(max_examples=3)
@given(beta=floats(0.1, 3), model=MODELS, count=integers(1, 3), seed=integers(0, 999))
@example(beta=1.5993937850397775, model="sa", count=3, seed=1)
def test_simulated_rate_is_the_certified_rate_in_dim_four(beta, model, count, seed):
    """As in dim 2 and 3; the starts have up to 3,000 nodes."""
    assert agrees(predicted_rates(4, beta, model, count), *planted(4, beta, model, count, seed)).all()


@settings(max_examples=2)
@given(beta=floats(0.1, 0.3), model=MODELS, seed=integers(0, 999))
def test_simulated_rate_is_the_certified_rate_in_dim_five(beta, model, seed):
    """As in dim 2 and 3, of degree 1; the starts have up to 5,000 nodes."""
    assert agrees(predicted_rates(5, beta, model, 1), *planted(5, beta, model, 1, seed)).all()


@settings(max_examples=15)
@given(dim=integers(2, 3), beta=floats(0.5, 8), seed=integers(0, 999))
def test_wrong_predictions_are_refuted(dim, beta, seed):
    """The comparison above fails for the next degree, the rate over pi of the authors' notebook, USA in place of SA."""
    count = th.selected_degree(beta, dim) + 1
    right = {model: predicted_rates(dim, beta, model, count + 1) for model in ("usa", "sa")}
    for model in ("usa", "sa"):
        measured = planted(dim, beta, model, count, seed)
        other = "usa" if model == "sa" else "sa"
        assert agrees(right[model][:-1], *measured).all()
        assert not agrees(right[model][1:], *measured).any()
        assert not agrees(right[model][:-1] / np.pi, *measured).any()
        assert not agrees(right[other][:-1], *measured).any()


@pytest.mark.parametrize("dim", [2, 3, 4, 5])
@pytest.mark.parametrize("model", ["usa", "sa"])
def test_kuramoto_limit_moves_the_mean_alone(dim, model):
    """At beta = 0 a small mean grows at (d-1)/d, the average of 1 - <x, e>^2, and degree 2 at no first order."""
    (rate,), (error,) = nm.planted_rates(dim, beta=0.0, max_degree=1, window=1.0, model=model, rng=dim)
    assert error < 1e-6
    assert abs(rate - (dim - 1) / dim) < 3 * error
    assert rate == pytest.approx(float(th.growth_rate(1, dim, 0, model=model, digits=17)), abs=3 * error)
    assert th.growth_rate(2, dim, 0, model=model) == 0
    tokens, weights = nm.tokens.quadrature(dim, 8)
    run = nm.simulate(
        tokens,
        beta=0.0,
        model=model,
        t_end=1.0,
        weights=weights * (1 + 1e-5 * (tokens[:, 0] ** 2 - 1 / dim)),
        observe=[nm.HarmonicPower(2)],
        rtol=1e-12,
        atol=1e-14,
    )
    power = run.observables["harmonic_power"][:, 2]
    np.testing.assert_allclose(power, power[0], rtol=1e-6)


def sine_run(degree, phase, beta, model, method):
    """A mode cos(k (angle - phase)) of size 1e-5 on a lattice; its first and last complex amplitude, and the time."""
    tokens = nm.lattice(128)
    angle = 2 * np.pi * np.arange(128) / 128
    t_end = 1 / predicted_rates(2, beta, model, degree + 2).max()
    run = nm.simulate(
        tokens,
        beta=beta,
        model=model,
        t_end=t_end,
        weights=(1 + 1e-5 * np.cos(degree * (angle - phase))) / 128,
        method=method,
        observe=[nm.HarmonicAmplitude(degree)],
        save_at=[0.0, t_end],
        rtol=1e-12,
        atol=1e-14,
    )
    first, last = run.observables["harmonic_amplitude"][:, degree]
    return first, last, t_end


@given(
    degree=integers(1, 6),
    phase=floats(0, 6.2),
    beta=floats(0.5, 8),
    model=MODELS,
    method=sampled_from(["dense", "circle", "cells"]),
)
def test_a_phase_shifted_mode_grows_without_turning(degree, phase, beta, model, method):
    """Sines grow as cosines do and keep their phase: the amplitude is real against exp(-i k phase) at both ends."""
    first, last, t_end = sine_run(degree, phase, beta, model, method)
    turn = np.exp(1j * degree * phase)
    assert first * turn == pytest.approx(0.5e-5, rel=1e-9)
    rate = np.log((last * turn).real / 0.5e-5) / t_end
    assert rate == pytest.approx(float(th.growth_rate(degree, 2, beta, model=model, digits=17)), rel=1e-5, abs=1e-8)
    assert abs((last * turn).imag) < 1e-7 * abs(last)


@pytest.mark.parametrize(("phase", "seen"), [(0.0, False), (0.3, True)])
def test_a_reflected_convolution_turns_a_shifted_mode(monkeypatch, phase, seen):
    """The test above sees kernel sums over the mirror image of the tokens; a cosine alone, symmetric, would not."""

    class Reflected(type(fields.METHODS["circle"])):
        def prepare(self, *arguments):
            sums = super().prepare(*arguments)
            return replace(sums, take=lambda x, weights, **options: sums.take(x, np.roll(weights[::-1], 1), **options))

    monkeypatch.setitem(fields.METHODS, "circle", Reflected())
    first, last, _ = sine_run(3, phase, 5.0, "usa", "circle")
    assert (abs(np.angle(last / first)) > 1e-2) == seen


@pytest.mark.parametrize(
    ("dim", "beta", "model", "tokens", "runs"),
    [(2, 3.0, "usa", 4000, 32), (2, 5.0, "sa", 4000, 32), (3, 2.0, "sa", 1000, 24), (4, 1.0, "usa", 800, 24)],
)
def test_uniform_tokens_grow_at_the_certified_rate(dim, beta, model, tokens, runs):
    """Regression over independent starts against certified rates.

    False alarm rate: 11 degrees at three standard errors, about 6 % for a fresh seed; none here, the seed is fixed.
    """
    predicted = predicted_rates(dim, beta, model, th.selected_degree(beta, dim))
    rates, errors = nm.uniform_rates(
        dim,
        beta=beta,
        max_degree=len(predicted),
        window=0.5 / predicted.max(),
        tokens=tokens,
        runs=runs,
        model=model,
        rng=0,
    )
    assert (abs(rates - predicted) < 3 * errors).all()
    assert (errors < 0.05 * predicted).all()
    assert (abs(rates - np.roll(predicted, 1)) > 3 * errors).all() or len(predicted) == 1


@settings(max_examples=12)
@given(
    dim=integers(2, 3),
    degree=integers(1, 4),
    side=sampled_from([0.99, 1.01]),
    model=MODELS,
    seed=integers(0, 99),
)
def test_among_equal_amplitudes_the_selected_degree_wins(dim, degree, side, model, seed):
    """One per cent on either side of a certified boundary the largest amplitude is that of degree k or k + 1.

    P_k planted with weight D_k has amplitude A_k = 1 for every k; the window lets rates that differ by 1e-3 part.
    """
    beta = side * float(th.critical_beta(degree, dim))
    top = degree + 2
    tokens, weights = nm.tokens.quadrature(dim, 90 if dim == 2 else 48)
    pole = normalize(np.random.default_rng(seed).standard_normal((1, dim)))
    count = [2 if dim == 2 else 2 * k + 1 for k in range(1, top + 1)]
    tilt = [count @ nm.observables.harmonic_overlap(token[None], pole, top)[1:] for token in tokens]
    t_end = 6 / predicted_rates(dim, beta, model, top).max()
    run = nm.simulate(
        tokens,
        beta=beta,
        model=model,
        t_end=t_end,
        weights=weights * (1 + 1e-7 * np.array(tilt)),
        observe=[nm.HarmonicPower(top)],
        save_at=[0.0, t_end],
        rtol=1e-11,
        atol=1e-14,
    )
    first, last = run.observables["harmonic_power"][:, 1:]
    np.testing.assert_allclose(first, 1e-14, rtol=1e-5)
    assert 1 + last.argmax() == th.selected_degree(beta, dim) == degree + (side > 1)


@settings(max_examples=6)
@given(dim=integers(2, 4), beta=floats(0.1, 6), model=MODELS, seed=integers(0, 99))
def test_energy_gained_is_the_integral_of_the_dissipation(dim, beta, model, seed):
    """Simpson's rule over |v|^2 (Z |v|^2 for SA) against the difference of two double sums."""
    t_end = 0.5 / predicted_rates(dim, beta, model, th.selected_degree(beta, dim)).max()
    integral, gain, error = nm.validation.energy_gain(
        nm.uniform(60, dim, rng=seed), beta=beta, t_end=t_end, model=model
    )
    assert gain > 0
    assert abs(integral - gain) <= 3 * error <= 0.01 * gain


def test_the_rate_of_three_clusters_is_not_that_of_the_notebook():
    """dim 2, beta 5, degree 3: 9 I_3(5)/5 = 18.596 by the integral that defines I_3, pi times the published plot."""
    bessel = quad(lambda a: np.exp(5 * np.cos(a)) * np.cos(3 * a), 0, np.pi, epsabs=1e-13)[0] / np.pi
    rates, errors = planted(2, 5.0, "usa", 3, seed=0)
    assert rates[2] == pytest.approx(9 * bessel / 5, abs=3 * errors[2])
    assert abs(rates[2] / (9 * bessel / (5 * np.pi)) - np.pi) < 1e-6


@pytest.mark.parametrize(("dim", "beta", "model", "tokens"), [(8, 20.0, "sa", 500), (2, 1e-6, "usa", 2000)])
def test_validation_does_not_refute_a_correct_theory(dim, beta, model, tokens):
    """No check on these starts differs by more than three bars or is blind, as the rates above are right.

    Few neighbours within the reach of the kernel (each token is its own nearest), and an energy whose constant
    1/(2 beta) is large. False alarm rate: one check in 370 for a fresh seed; this one is fixed.
    """
    report = nm.validate(dims=[dim], beta=beta, models=[model], tokens=tokens, runs=8)
    assert [str(check) for check in report.checks if abs(check.measured - check.predicted) > 3 * check.error] == []
    assert all(check.passed for check in report.checks if check.law == "energy balance")
