"""Pairs of tokens under random values and random forms: laws against their generators, grids of floats, and layers."""

from math import acos, erf, log, pi, sqrt

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis.strategies import floats, fractions, integers

from gegenflow import theory as th

rl = th.random_layers
STEP = sp.Rational(1, 10**6)
INSIDE = fractions("-0.95", "0.95")


def generator(function, r, drift, variance):
    """Drift times the slope and half the variance times the curvature, by differences of values of 24 digits."""
    r = sp.Rational(r.numerator, r.denominator)
    low, here, high = (function(r + shift * STEP) for shift in (-1, 0, 1))
    slope, curvature = (high - low) / (2 * STEP), (high + low - 2 * here) / STEP**2
    return float(slope * drift + curvature * variance / 2), float(abs(slope * drift))


def of_values(r, dim, beta):
    """Drift and variance of the overlap as 2601.21942 has them, in the share that a token keeps for itself."""
    x = float(r)
    own = 1 / (1 + np.exp(-float(beta) * (1 - x)))
    other = 1 - own
    drift = (1 - x * x) * (2 * own * other * (dim - 2) - (own**2 + other**2) * x)
    return sp.Rational(drift), sp.Rational(2 * (own**2 + other**2) * (1 - x * x) ** 2)


@settings(max_examples=4)
@given(INSIDE, integers(3, 12), fractions("0.1", 6, max_denominator=10))
def test_the_antipodal_probability_is_harmonic(r, dim, beta):
    """Its generator vanishes, and it falls."""
    drift, variance = of_values(r, dim, beta)
    found, scale = generator(lambda at: rl.antipodal_probability(at, dim, beta, 24), r, drift, variance)
    assert abs(found) < 1e-7 * scale + 1e-12
    if dim - 2 < np.cosh(2 * float(beta)):
        near = rl.antipodal_probability(r + sp.Rational(1, 100), dim, beta)
        assert near < rl.antipodal_probability(r, dim, beta)


@settings(max_examples=15)
@given(floats(-0.9, 0.9), integers(2, 30), floats(0.3, 20))
def test_the_antipodal_probability_is_a_ratio_of_integrals(r, dim, beta):
    """Against sums on a grid in artanh r, floats."""
    y = np.linspace(-40, 40, 160_001)
    share = 1 / np.cosh(beta * 2 / (1 + np.exp(2 * y)))
    step = y[1] - y[0]
    primitive = np.concatenate([[0.0], np.cumsum((share[1:] + share[:-1]) / 2) * step])
    primitive -= primitive[len(y) // 2]
    logs = -np.logaddexp(y, -y) - (dim - 2) * primitive
    if logs[0] > logs.max() - 45:
        return
    density = np.exp(logs - logs.max())
    cumulated = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2) * step])
    below = np.interp(np.arctanh(r), y, cumulated)
    expected = (cumulated[-1] - below) / cumulated[-1]
    found = float(rl.antipodal_probability(r, dim, beta))
    assert found == pytest.approx(expected, rel=3e-6, abs=1e-9)


@given(INSIDE, fractions(0, 50), integers(3, 1000))
def test_dim_two_is_exact_and_large_dims_never_part(r, beta, dim):
    """arccos(r)/pi for every beta in dim 2; 0 exactly from cosh(2 beta) <= d - 2 on."""
    assert float(rl.antipodal_probability(r, 2, beta)) == pytest.approx(acos(r) / pi, rel=1e-13)
    critical = rl.critical_beta_antipodal(dim, digits=30)
    assert abs(sp.cosh(2 * rl.critical_beta_antipodal(dim)) - (dim - 2)) == 0
    assert rl.antipodal_probability(r, dim, critical - sp.Rational(1, 10**6) if dim > 3 else 0).value == "0"


def test_above_the_critical_beta_two_tokens_can_part_and_far_above_as_without_attention():
    """A little above, a little; at large beta the arcsine law of a linear activation."""
    beta = rl.critical_beta_antipodal(6, digits=20)
    assert rl.antipodal_probability("-0.5", 6, beta + sp.Rational(1, 1000)) > 0
    assert rl.antipodal_probability("-0.5", 6, beta + sp.Rational(1, 1000)) < 0.05
    short = [acos(0.3) / pi - float(rl.antipodal_probability("0.3", 3, beta)) for beta in (1000, 4000)]
    assert 0 < short[0] < 6e-3
    assert short[0] / short[1] == pytest.approx(2, rel=0.02)  # like beta^(-1/2)


@settings(max_examples=12)
@given(fractions("-0.7", "0.7"), integers(2, 12), fractions(0, 6, max_denominator=10))
def test_the_consensus_time_has_the_generator_minus_one(r, dim, beta):
    """And vanishes at the level."""
    drift, variance = of_values(r, dim, beta)
    found, _ = generator(lambda at: rl.consensus_time(at, "0.9", dim, beta, 24), r, drift, variance)
    assert found == pytest.approx(-1, abs=2e-7)
    assert rl.consensus_time("0.899999", "0.9", dim, beta) < 1e-4


def test_layers_with_random_values_end_as_predicted():
    """6,000 pairs through 150 layers per unit of time in dim 3 at beta 1: shares and times, 4 standard errors."""
    rng, layers, dim, beta = np.random.default_rng(3), 150, 3, 1.0
    x, y = np.zeros((6000, dim)), np.zeros((6000, dim))
    x[:, 0] = y[:, 1] = 1
    time = np.full(len(x), np.inf)
    for layer in range(12 * layers):
        r = (x * y).sum(1)
        time[(np.abs(r) >= 0.9) & np.isinf(time)] = layer / layers
        own = (1 / (1 + np.exp(-beta * (1 - r))))[:, None]
        values = rng.standard_normal((len(x), dim, dim)) / sqrt(layers)
        moves = [np.einsum("nij,nj->ni", values, own * a + (1 - own) * b) for a, b in ((x, y), (y, x))]
        x, y = x + moves[0], y + moves[1]
        x, y = (token / np.linalg.norm(token, axis=1)[:, None] for token in (x, y))
    share = float(((x * y).sum(1) < 0).mean())
    expected = float(rl.antipodal_probability(0, dim, 1))
    assert abs(share - expected) < 4 * sqrt(expected * (1 - expected) / len(x))
    assert np.isfinite(time).all()
    assert abs(time.mean() - float(rl.consensus_time(0, "0.9", dim, 1))) < 4 * time.std() / sqrt(len(x)) + 0.03


@given(fractions("-0.9", "0.9"), integers(2, 50), fractions(0, 8, max_denominator=10))
@settings(max_examples=15)
def test_the_scale_density_balances_drift_and_variance(r, dim, beta):
    """d log s'/dr = -2 drift/variance."""
    drift, variance = of_values(r, dim, beta)
    low, high = (rl.scale_density(r + shift * STEP, dim, beta, 24) for shift in (-1, 1))
    found = float((high - low) / ((high + low) * STEP))
    assert found == pytest.approx(float(-2 * drift / variance), rel=1e-7, abs=1e-7)


@settings(max_examples=2)
@given(fractions("-0.8", "0.8"), integers(2, 4), fractions("0.2", 3, max_denominator=10))
def test_the_lifetime_of_opposite_tokens_is_that_of_the_generator(z, dim, gamma):
    """As a function of the level its generator is one; next to the entrance it is the gap over the drift there."""
    drift, variance = rl.form_drift(z, dim, gamma), rl.form_variance(z, dim, gamma)
    found, _ = generator(lambda at: rl.antipodal_lifetime(dim, gamma, at, 24), z, drift, variance)
    assert found == pytest.approx(1, abs=2e-7)
    near = sp.Rational(1, 10**7)
    assert float(rl.antipodal_lifetime(dim, gamma, near - 1)) == pytest.approx(
        float(near / rl.form_drift(-1, dim, gamma)), rel=1e-4
    )


@given(fractions(-1, 1), integers(2, 50), fractions(-3, 3, max_denominator=10))
def test_a_random_form_is_the_activation_with_a_bias(z, dim, gamma):
    """K = gamma^2 + 2 r; and the bound of 2608.16664 stays below the fastest decay of moments."""
    s = gamma + sp.sqrt(2) * th.t
    assert sp.expand(rl.form_drift(z, dim, gamma) - rl.overlap_drift(s, dim, z, digits=None)) == 0
    assert sp.expand(rl.form_variance(z, dim, gamma) - rl.overlap_variance(s, dim, z, digits=None)) == 0
    a = gamma**2 * (dim - 1)
    assert rl.form_rate(dim, gamma) <= (a + 4) ** 2 / (8 * (gamma**2 + 4))


def test_without_bias_opposite_tokens_stay_for_a_time_like_the_inverse_bias():
    """Not for log(1/gamma), which is a bound from below; and aligned tokens come by the arcsine law."""
    times = [float(rl.antipodal_lifetime(3, sp.Rational(1, 10**n))) for n in (3, 4, 5)]
    assert times[1] / times[0] == pytest.approx(10, rel=0.01)
    assert times[2] / times[1] == pytest.approx(10, rel=0.001)
    assert times[0] > 0.4 * log(1000)
    assert abs(rl.aligned_probability("0.5") + rl.antipodal_probability("0.5", 2, 1) - 1) < 1e-15


def hermite_squares(s, degree):
    """Squares of Hermite coefficients by Gauss quadrature, in floats."""
    x, weights = np.polynomial.hermite_e.hermegauss(180)
    polynomials = [np.ones_like(x), x]
    for k in range(1, degree):
        polynomials.append((x * polynomials[k] - sqrt(k) * polynomials[k - 1]) / sqrt(k + 1))
    return np.array([weights @ (s(x) * one) / sqrt(2 * pi) for one in polynomials]) ** 2


@pytest.mark.parametrize(("name", "s", "dim"), [("erf", np.vectorize(erf), 30), ("sin", np.sin, 64)])
def test_the_stationary_density_is_the_normalised_density_without_flux(name, s, dim):
    """On a grid of floats: exp(int 2b/a)/a, from drift and variance by Hermite sums, integrated to one."""
    squares = hermite_squares(s, 60)
    y = np.linspace(-9, 9, 60_001)
    r = np.tanh(y)
    kernel, whole = np.polyval(squares[::-1], r), squares.sum()
    pull = ((dim - 2 + r**2) * kernel - (dim - 1) * whole * r) / (whole - r * kernel)
    exponent = np.concatenate([[0.0], np.cumsum((pull[1:] + pull[:-1]) / 2)]) * (y[1] - y[0])
    density = np.exp(exponent - exponent.max()) / (whole - r * kernel)
    density /= density.sum() * (y[1] - y[0])
    for at in ("0", "-0.6", "0.9"):
        expected = np.interp(np.arctanh(float(at)), y, density) / (1 - float(at) ** 2)
        assert float(rl.stationary_density(name, dim, at, digits=8)) == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize(("name", "dim", "r"), [("cos", 3, "0.2"), ("sin", 14, "-0.3")])
def test_the_meeting_time_has_the_generator_minus_one(name, dim, r):
    """By differences, with the drift and the variance of the overlap; and it vanishes at the level."""
    drift, variance = (sp.sympify(f(name, dim, r, digits=24)) for f in (rl.overlap_drift, rl.overlap_variance))
    found, _ = generator(lambda at: rl.meeting_time(name, dim, at, "0.9", 24), sp.Rational(r), drift, variance)
    assert found == pytest.approx(-1, abs=2e-7)
    assert 0 < rl.meeting_time(name, dim, "0.899999", "0.9", 8) < 1e-3


@pytest.mark.parametrize("dim", [2, 64])
def test_meeting_times_of_constant_and_linear_activations_are_logarithms(dim):
    """By Ito's formula log(1 - r) drifts at -(d - 1) where K = 1, and log(1 - r^2) at -2 where K = r."""
    constant, linear = (float(rl.meeting_time(name, dim, "0.1", "0.9")) for name in ("1", "linear"))
    assert constant == pytest.approx(np.log(0.9 / 0.1) / (dim - 1), rel=1e-14)
    assert linear == pytest.approx(np.log(0.99 / 0.19) / 2, rel=1e-14)


def test_an_activation_that_is_zero_is_refused():
    """No token moves, so that none meet: there is no dim up to which they do."""
    for zero in ("0", "t - t"):
        with pytest.raises(ValueError, match=r"activation .*must not be zero"):
            rl.critical_dim(zero)


def test_meeting_times_are_those_of_a_walk():
    """1,500 walks of the overlap for cos in dim 3 from 0 to 0.9, time steps of 1/2000."""
    rng, step = np.random.default_rng(8), 1 / 2000
    r, time, alive = np.zeros(1500), np.zeros(1500), np.ones(1500, dtype=bool)
    while alive.any():
        x = r[alive]
        kernel, one = np.cosh(x) / np.e, np.cosh(1) / np.e
        drift, variance = (1 + x**2) * kernel - 2 * one * x, 2 * (1 - x**2) * (one - x * kernel)
        moved = x + drift * step + np.sqrt(variance * step) * rng.standard_normal(len(x))
        r[alive] = np.where(moved < -1, -2 - moved, moved)
        time[alive] += step
        alive[alive] = r[alive] < 0.9
    expected = float(rl.meeting_time("cos", 3, 0, "0.9", digits=8))
    assert abs(time.mean() - expected) < 4 * time.std() / sqrt(len(time)) + 0.04


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: rl.antipodal_probability(1, 3, 1), "start 1: the overlap"),
        (lambda: rl.antipodal_probability(0, 3, -1), "beta -1"),
        (lambda: rl.antipodal_probability(0, 3, 10**5), "beta 100000: a number up to"),
        (lambda: rl.antipodal_probability(0, th.d, 1), "dim d"),
        (lambda: rl.consensus_time("0.9", "0.5", 3, 1), "start 0.9: its size"),
        (lambda: rl.consensus_time(0, 1, 3, 1), "level 1"),
        (lambda: rl.antipodal_lifetime(3, 0), "bias 0: the bias"),
        (lambda: rl.aligned_probability(2), "start 2"),
        (lambda: rl.stationary_density("tanh", 3, 0), "dim 3: two tokens meet"),
        (lambda: rl.stationary_density("relu", 3, 0), "activation relu: it must be analytic"),
        (lambda: rl.meeting_time("tanh", 3, "-0.6", "0.5"), "start -0.6: it must lie"),
    ],
)
def test_refusals_say_what_is_allowed(call, said):
    """One sentence each."""
    with pytest.raises(th.Refused, match=said):
        call()


def test_sharp_attention_ends_pairs_as_in_dim_2():
    """What the probability in dim 5 falls short of arccos(r)/pi halves with four times the beta, up to 2 %."""
    limit = float(np.arccos(0.3) / np.pi)
    short = [limit - float(rl.antipodal_probability("0.3", 5, beta, 10)) for beta in (500, 2000, 8000)]
    assert short[0] / short[1] == pytest.approx(2, rel=0.02)
    assert short[1] / short[2] == pytest.approx(2, rel=0.02)
