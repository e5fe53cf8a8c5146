"""Equiangular tokens: closed times, laws and limits against quadrature, integration and the flow of explicit tokens."""

from itertools import product
from math import inf, log, nan

import flint
import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import given, settings
from hypothesis.strategies import floats, fractions, integers, sampled_from
from scipy.integrate import solve_ivp

from gegenflow.theory.synchronization.equiangular import equiangular_velocity, hitting_time, overlap_after
from gegenflow.theory.synchronization.long_context import context_overlap, context_overlap_limit, context_threshold
from gegenflow.theory.synchronization.normalization import decay_law, normalized_velocity, radius_at, time

MODELS = sampled_from(["usa", "sa"])
SCHEMES = sampled_from(["post", "pre", "peri"])
SHARES = fractions(0, 1, max_denominator=60).filter(lambda share: 0 < share < 1)
BETAS = fractions(-15, 15, max_denominator=20)


def real(number):
    """The value of a certified decimal at the working precision of mpmath."""
    return mpmath.mpf(number.value)


def exact(fraction):
    return mpmath.mpf(fraction.numerator) / fraction.denominator


def stretched(share, tokens):
    """A number of (0, 1) as an overlap in (-1/(n-1), 1)."""
    return (tokens * share - 1) / (tokens - 1)


def equiangular(overlap, tokens):
    """Unit vectors in n dimensions with one common overlap: rows of the root of their Gram matrix."""
    gram = np.full((tokens, tokens), overlap) + (1 - overlap) * np.eye(tokens)
    values, vectors = np.linalg.eigh(gram)
    return vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T


def attention(directions, beta, model="sa"):
    weights = np.exp(beta * (directions @ directions.T))
    return weights @ directions / (weights.sum(axis=1, keepdims=True) if model == "sa" else len(directions))


def tangent(directions, vectors):
    return vectors - (directions * vectors).sum(axis=1, keepdims=True) * directions


@given(share=floats(0.05, 0.95), tokens=integers(2, 9), beta=floats(-4, 4), model=MODELS)
def test_equiangular_velocity_is_that_of_the_tokens(share, tokens, beta, model):
    """The attention of explicit vectors, projected: every pair moves at the closed velocity, no formula in between."""
    overlap = stretched(share, tokens)
    x = equiangular(overlap, tokens)
    v = tangent(x, attention(x, beta, model))
    rates = x @ v.T + v @ x.T
    expected = float(equiangular_velocity(overlap, tokens, beta, model=model))
    np.testing.assert_allclose(rates[~np.eye(tokens, dtype=bool)], expected, rtol=1e-9, atol=1e-12)


@given(first=SHARES, second=SHARES, tokens=integers(2, 40), beta=BETAS, model=MODELS)
@settings(max_examples=25)
def test_hitting_time_is_the_integral_of_the_inverse_velocity(first, second, tokens, beta, model):
    """Quadrature of dg / velocity at 50 digits against exponential integrals in balls, beta of either sign and 0."""
    start, overlap = (stretched(share, tokens) for share in sorted((first, second)))
    time_taken = hitting_time(overlap, tokens, beta, start=start, model=model, digits=30)
    with mpmath.workdps(50):
        b, n = exact(beta), tokens

        def slowness(s):
            g = 1 - mpmath.exp(-s)
            total = n if model == "usa" else mpmath.exp(b) + (n - 1) * mpmath.exp(b * g)
            return total / (2 * mpmath.exp(b * g) * (1 + (n - 1) * g))

        ends = [-mpmath.log(1 - exact(g)) for g in (start, overlap)]
        integral = mpmath.quad(slowness, mpmath.linspace(*ends, 9)) if start < overlap else 0
        assert mpmath.almosteq(real(time_taken), integral, rel_eps=mpmath.mpf(10) ** -25)
        if start < overlap:
            assert time_taken.ball.contains(0) is False


def test_hitting_times_have_their_reference_values():
    """32 tokens to .999 (SA): numbers known from elsewhere, to the digits given."""
    known = {1: "5.2703", 3: "5.8976", 5: "9.5443", 7: "32.2331", 9: "178.7309"}
    for beta, value in known.items():
        assert hitting_time("0.999", 32, beta, model="sa", digits=len(value) - 1).value == value


def test_two_tokens_at_beta_zero_close_as_the_tangent_of_half_their_angle():
    """Elementary: tan(delta/2) = e^-t tan(delta_0/2), against the logarithms of the general time."""
    for start, end in ((2.5, 0.3), (1.0, 0.999), (3.1, 1.5)):
        elapsed = hitting_time(np.cos(end), 2, 0, start=np.cos(start), digits=15)
        assert float(elapsed) == pytest.approx(log(np.tan(start / 2) / np.tan(end / 2)), rel=1e-12)


@given(tokens=integers(2, 50), beta=sampled_from([200, 5000, 10**6]), model=MODELS)
@settings(max_examples=12)
def test_large_beta_neither_overflows_nor_cancels(tokens, beta, model):
    """Laplace's method: nearly all of the time passes at the start, n/(2 beta) or e^beta/(2 beta), up to O(1/beta)."""
    elapsed = hitting_time("0.9", tokens, beta, model=model, digits=12)
    with mpmath.workdps(30):
        scale = mpmath.mpf(tokens) / (2 * beta) if model == "usa" else mpmath.exp(beta) / (2 * beta)
        assert mpmath.almosteq(real(elapsed) / scale, 1, abs_eps=3 * tokens / mpmath.mpf(beta))


@given(share=SHARES, first=SHARES, tokens=integers(2, 20), beta=fractions(-30, 30, max_denominator=9), model=MODELS)
@settings(max_examples=25)
def test_overlap_after_inverts_the_time(share, first, tokens, beta, model):
    """The exact time is monotone, so the time to the two decimals around the answer must straddle the time given."""
    start, goal = stretched(first, tokens), share * 5
    overlap = overlap_after(goal, tokens, beta, start=start, model=model, digits=12)
    low, high = (sp.Rational(overlap.value) + sign * sp.Rational(overlap.error) for sign in (-1, 1))
    if low > start:
        assert real(hitting_time(low, tokens, beta, start=start, model=model, digits=30)) <= exact(goal)
    if high < 1:
        assert real(hitting_time(high, tokens, beta, start=start, model=model, digits=30)) >= exact(goal)
    assert low >= start - sp.Rational(overlap.error) * 2
    assert overlap_after(0, tokens, beta, start="0.25", model=model, digits=2).value == "0.25"


@pytest.mark.parametrize("start", ["0", "0.3", "-0.05"])
@pytest.mark.parametrize("tokens", [2, 3, 5, 7])
def test_an_overlap_after_next_to_no_time_is_in_its_ball(tokens, start):
    """Closed at beta = 0, logistic; where the time is below the last bit of the start both ends must still hold it."""
    for digits, exponent in product((3, 8, 15), (5, 10, 20, 30)):
        found = overlap_after(f"1e-{exponent}", tokens, 0, start=start, digits=digits)
        with flint.ctx.workprec(400):
            first, rest = arb(start), arb(1) / (tokens - 1)
            grown = (first + rest) / (1 - first) * (2 * arb(10) ** -exponent).exp()
            assert found.ball.overlaps((grown - rest) / (1 + grown))


# normalisation schemes


@given(share=floats(0.05, 0.95), radius=floats(0.2, 5), tokens=integers(2, 8), beta=floats(-3, 4), scheme=SCHEMES)
def test_normalized_velocity_is_that_of_the_tokens(share, radius, tokens, beta, scheme):
    """x' = A or A/|A| of explicit vectors, split into direction and radius by hand."""
    overlap = stretched(share, tokens)
    theta = equiangular(overlap, tokens)
    output = attention(theta, beta)
    sizes = np.linalg.norm(output, axis=1, keepdims=True)
    moved = {"post": output, "pre": output / radius, "peri": output / sizes / radius}[scheme]
    v = tangent(theta, moved)
    overlap_rate, radius_rate = map(float, normalized_velocity(scheme, overlap, radius, tokens, beta))
    assert (x := theta @ v.T + v @ theta.T)[0, 1] == pytest.approx(overlap_rate, rel=1e-9, abs=1e-12)
    assert x[1, 0] == pytest.approx(overlap_rate, rel=1e-9, abs=1e-12)
    expected = 0 if scheme == "post" else (moved * theta).sum(axis=1)[0] * radius
    assert radius_rate == pytest.approx(expected, rel=1e-9, abs=1e-12)


def late(scheme, tokens, beta, start, radius, end):
    """(1 - g, r) at a late time, by integration of log(1 - g) and r with explicit attention weights."""

    def field(_, state):
        gap, r = np.exp(state[0]), state[1]
        g = 1 - gap
        p, q = np.array([1, np.exp(-beta * gap)]) / (1 + (tokens - 1) * np.exp(-beta * gap))
        along = 1 - (tokens - 1) * q * gap
        size = np.sqrt(p**2 + 2 * p * q * (tokens - 1) * g + q**2 * (tokens - 1) * (1 + (tokens - 2) * g))
        s = {"post": 1, "pre": r, "peri": r * size}[scheme]
        return [-2 * q * (1 + (tokens - 1) * g) / s, 0 if scheme == "post" else along * r / s]

    answer = solve_ivp(field, (0, end), [np.log1p(-start), radius], rtol=1e-11, atol=1e-12, method="DOP853")
    return np.exp(answer.y[0, -1]), answer.y[1, -1]


@given(start=floats(-0.1, 0.8), radius=floats(0.3, 3), tokens=integers(2, 9), beta=floats(-3, 3), scheme=SCHEMES)
@settings(max_examples=30)
def test_laws_of_decay_hold_at_late_times(start, radius, tokens, beta, scheme):
    """An integration of the equations by scipy: first integral to 1e-8, law and constant to their next order."""
    end = 14 if scheme == "post" else 3e5
    gap, r = late(scheme, tokens, beta, start, radius, end)
    law = decay_law(scheme, tokens, beta, start=start, radius=radius, digits=15)
    predicted = float(law.constant) * float(law.decay.subs(time, end))
    assert gap == pytest.approx(predicted, rel=1e-7 if scheme == "post" else 1e-3)
    if scheme != "post":
        gap, r = late(scheme, tokens, beta, start, radius, 3.0)
        expected = radius_at(1 - gap, tokens, beta, start=start, radius=radius, digits=15)
        assert r == pytest.approx(float(expected), rel=1e-8)


def test_pre_and_peri_share_the_first_integral_exactly():
    """Symbolic: dr/dg of the two systems is one function, and r' / g' does not know |A|."""
    g, r = sp.symbols("g r", positive=True)
    ratios = [second / first for first, second in (normalized_velocity(s, g, r, 5) for s in ("pre", "peri"))]
    assert sp.simplify(ratios[0] - ratios[1]) == 0


# long contexts


@given(share=floats(0.02, 0.98), tokens=integers(2, 30), scale=floats(-1, 4))
def test_context_overlap_is_that_of_one_step_of_attention(share, tokens, scale):
    """Softmax of explicit vectors, normalised outputs, and their overlap."""
    overlap = stretched(share, tokens)
    output = attention(equiangular(overlap, tokens), scale * log(tokens))
    output /= np.linalg.norm(output, axis=1, keepdims=True)
    expected = float(context_overlap(overlap, tokens, scale, digits=14))
    assert output[0] @ output[1] == pytest.approx(expected, rel=1e-9, abs=1e-10)


@pytest.mark.parametrize("overlap", ["1/5", "1/2", "3/4"])
@pytest.mark.parametrize("excess", ["-3/4", "-1/4", "0", "1/4", "3/4"])
def test_context_overlap_tends_to_its_limit_at_the_rate_stated(overlap, excess):
    """n = 10^32 and 10^64: the difference over its leading term tends to 1; at the threshold n times it settles."""
    rho, a = sp.Rational(overlap), sp.Rational(excess)
    scale = (1 + a) * context_threshold(rho)
    limit = context_overlap_limit(rho, scale)
    ratios = []
    for power in (32, 64):
        n = 10**power
        with mpmath.workdps(150):
            difference = real(context_overlap(rho, n, scale, digits=150)) - mpmath.mpf(limit.p) / limit.q
            size = mpmath.mpf(n) ** -abs(mpmath.mpf(a.p) / a.q)
            r = mpmath.mpf(rho.p) / rho.q
            leading = 1 / mpmath.mpf(n) if a == 0 else 2 * r * (1 - r) * size if a > 0 else -(1 - r) / r * size**2
            ratios.append(difference / leading)
    if a == 0:
        assert ratios[0] == pytest.approx(ratios[1], rel=1e-6)
    else:
        assert ratios[1] == pytest.approx(1, abs=1e-6)
        assert abs(ratios[1] - 1) < abs(ratios[0] - 1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hitting_time("0.5", 1, 1), "tokens 1"),
        (lambda: hitting_time("0.5", 2.5, 1), "tokens 2.5"),
        (lambda: hitting_time(1, 4, 1), "overlap 1"),
        (lambda: hitting_time("0.5", 4, inf), "beta inf"),
        (lambda: hitting_time("0.5", 4, nan), "beta nan"),
        (lambda: hitting_time("0.5", 4, 1, start="-1/3"), "start -1/3"),
        (lambda: hitting_time("0.5", 4, 1, start="0.6"), "overlaps only grow"),
        (lambda: hitting_time("0.5", 4, 1, model="softmax"), "model softmax"),
        (lambda: hitting_time("0.5", 4, digits=5), "beta: a number is needed"),
        (lambda: hitting_time("0.5", 4, 10**40, digits=5), f"beta {10**40}"),
        (lambda: hitting_time(sp.I, 4, 1), "overlap I"),
        (lambda: overlap_after(-1, 4, 1), "time -1"),
        (lambda: overlap_after(1, 4, 10**4), "beta 10000"),
        (lambda: decay_law("rms", 4, 1), "scheme rms"),
        (lambda: decay_law("pre", 4, 1, radius=0), "radius 0"),
        (lambda: radius_at("0.5", 4, 1, radius=-1), "radius -1"),
        (lambda: normalized_velocity("pre", 2, 1, 4, 1), "overlap 2"),
        (lambda: context_overlap("0.5", 4, nan), "scale nan"),
        (lambda: context_threshold(1), "overlap 1"),
        (lambda: context_overlap_limit("0.5", sp.Symbol("c")), "scale c"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, words):
    """Each names the value."""
    with pytest.raises(ValueError, match=words) as refusal:
        call()
    assert "\n" not in str(refusal.value)
