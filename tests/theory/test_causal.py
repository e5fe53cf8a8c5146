"""The lost middle and its leaders, against the integral equation, mpmath, and tokens; nothing shared with the balls."""

from itertools import pairwise
from math import comb

import flint
import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import given, settings
from hypothesis.strategies import fractions, integers, sampled_from
from numpy.polynomial import chebyshev
from scipy.integrate import solve_ivp

from gegenflow import theory as th
from gegenflow.theory.causal import (
    capture_time,
    centre_count,
    correlation,
    critical_decay,
    drive_rate,
    first_token_rates,
    fold_time,
    graphon,
    holding_time,
    recency_time,
    retrieval_extrema,
    retrieval_minimum,
    retrieval_profile,
    retrieval_shape,
    small_time_minimum,
    smallness_time,
)
from gegenflow.theory.causal import modes as causal_modes
from gegenflow.theory.causal.modes import Modes
from gegenflow.theory.causal.shapes import Slope

SOURCES = fractions("1/50", "49/50", max_denominator=60)
RATES = fractions(-3, 6, max_denominator=20)
TIMES = fractions("1/20", 2, max_denominator=20)
DECAYS = fractions(0, 9, max_denominator=10)
WARM = fractions("1/5", 4, max_denominator=10)


def real(number):
    return mpmath.mpf(number.value)


def exact(fraction):
    return mpmath.mpf(fraction.numerator) / fraction.denominator


COUNT = 120
NODES = chebyshev.chebpts1(COUNT)
FITTED = np.linalg.inv(chebyshev.chebvander(NODES, COUNT - 1))
"""From values at the nodes to coefficients."""
SUMMED = chebyshev.chebvander(NODES, COUNT) @ chebyshev.chebint(FITTED, lbnd=-1)
"""From values at the nodes to those of the integral from -1."""


def slow_correlation(source, rate, time, decay, position=1.0):
    """The integral equation of the response, order by order in t, on Chebyshev nodes; the pole at s = 0 may be near."""
    half = (position - source) / 2
    s = source + half * (1 + NODES)
    ahead = decay / (np.exp(decay * s) - 1) if decay else 1 / s
    near = np.exp(decay * s)
    first = rate * ahead * np.exp(decay * source)
    total, term, power = np.zeros(COUNT), first, 1
    while power < 60:
        term = term * time / power
        total += term
        term, power = rate * ahead * half * (SUMMED @ (near * term)), power + 1
    return chebyshev.chebval(1.0, FITTED @ total)


def profile(s, beta, decay, codewords, time):
    """The sum over Bessel functions as the source has it."""
    beta, decay, time, s = (mpmath.mpf(x) for x in (beta, decay, time, s))
    if decay:
        gap = mpmath.log(mpmath.expm1(decay) / mpmath.expm1(decay * s))
        weight = decay * mpmath.exp(-decay * (1 - s)) / -mpmath.expm1(-decay)
    else:
        gap, weight = -mpmath.log(s), mpmath.mpf(1)
    total = mpmath.mpf(0)
    for n in range(1, 40 + int(6 * mpmath.sqrt(beta))):
        a = n * n * mpmath.besseli(n, beta)
        kept = mpmath.exp(-((mpmath.pi * n / codewords) ** 2) / 2)
        x = a * time * gap
        total += kept * (mpmath.sqrt(a * time / gap) * mpmath.besseli(1, 2 * mpmath.sqrt(x)) if gap else a * time)
    return weight * total


def slopes(values):
    return "".join("+" if step > 0 else "-" for step in np.diff(values))


def pattern(beta, decay, codewords, time, places):
    """Rises and falls of the profile on a grid, each told once."""
    values = [profile(s, beta, decay, codewords, time) for s in places]
    signs = slopes([float(mpmath.log(value)) for value in values])
    return "".join(sign for sign, before in zip(signs, " " + signs, strict=False) if sign != before)


@given(source=SOURCES, rate=RATES, time=TIMES, decay=DECAYS)
def test_correlation_solves_the_integral_equation(source, rate, time, decay):
    """Picard iteration on polynomials against the closed form; the rate has either sign."""
    expected = slow_correlation(float(source), float(rate), float(time), float(decay))
    found = float(correlation(source, rate, time, decay=decay))
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-9)


@given(source=SOURCES, share=fractions("1/2", 1, max_denominator=8), decay=DECAYS)
def test_correlation_at_an_earlier_position(source, share, decay):
    position = source + (1 - source) * share
    expected = slow_correlation(float(source), 2.0, 0.7, float(decay), float(position))
    found = float(correlation(source, 2, "0.7", decay=decay, position=position))
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-9)


@given(source=SOURCES, beta=WARM, decay=DECAYS, codewords=integers(2, 50), time=TIMES)
@settings(max_examples=20)
def test_profile_is_the_sum_of_the_source(source, beta, decay, codewords, time):
    """Bessel functions of mpmath at 40 digits, mode by mode, against one entire function with a bounded tail."""
    with mpmath.workdps(40):
        expected = profile(exact(source), exact(beta), exact(decay), codewords, exact(time))
        found = retrieval_profile(source, beta, decay, codewords, time, digits=30)
        assert abs(real(found) - expected) < mpmath.mpf("1e-28") * expected


@pytest.mark.parametrize(
    ("beta", "decay", "codewords", "time"),
    [("1", "1", 10, "0.1"), ("1", "3", 10, "1"), ("2", "2", 20, "0.3"), ("1", "8", 10, "6"), ("0.3", "1.7", 3, "4")],
)
def test_extrema_are_where_the_slope_of_the_sum_is_zero(beta, decay, codewords, time):
    """Roots of a numerical derivative of the source's sum, from starts on a grid: the same ones, and no others."""
    with mpmath.workdps(40):
        found = retrieval_extrema(beta=beta, decay=decay, codewords=codewords, time=time, digits=20)

        def slope(s):
            return mpmath.diff(lambda at: mpmath.log(profile(at, beta, decay, codewords, time)), s)

        for turn in found:
            s = mpmath.findroot(slope, (real(turn) * mpmath.mpf("0.999"), real(turn) * mpmath.mpf("1.0005")))
            assert abs(s - real(turn)) < 1e-17
        places = np.concatenate([np.geomspace(1e-4, 0.1, 30, endpoint=False), np.linspace(0.1, 0.9999, 60)])
        assert pattern(beta, decay, codewords, time, places) == "-+-"[: len(found) + 1]


@given(beta=WARM, decay=fractions("1/4", 12, max_denominator=8), codewords=integers(6, 40), share=TIMES)
@settings(max_examples=20)
def test_shape_is_that_of_the_sum_on_a_grid(beta, decay, codewords, share):
    """Rises and falls on a grid; a time is a share of the one at which the end turns down."""
    setting = {"beta": beta, "decay": decay, "codewords": codewords}
    time = float(recency_time(**setting)) * float(share)
    shape = retrieval_shape(**setting, time=time)
    turns = [float(s) for s in retrieval_extrema(**setting, time=time, digits=10)]
    ends = [turns[0] / 30 if turns else 1e-3, *turns, 1.0]
    places = [x for low, high in pairwise(ends) for x in np.linspace(low, high, 6)[:-1]] + [1.0]
    told = pattern(float(beta), float(decay), codewords, time, places)
    assert told == {"decreasing": "-", "U": "-+", "N": "-+-"}[shape]
    assert (shape == "U") == (share < 1)


def test_the_published_minima():
    """Four parameter sets, found by minimisation of the sum in double precision elsewhere."""
    table = [(1, 1, 10, "0.1", 0.024811), (1, 1, 10, 1, 0.25499), (1, 3, 10, 1, 0.073489), (2, 2, 20, "0.3", 0.14434)]
    for beta, decay, codewords, time, position in table:
        found = retrieval_minimum(beta=beta, decay=decay, codewords=codewords, time=time)
        assert float(found) == pytest.approx(position, rel=3e-5)


def test_one_minimum_below_the_recency_time_is_a_rule_with_exceptions():
    """Sharp attention and few codewords: two minima, seen in the source's sum as well."""
    for time, shape in (("3.83e-8", "W"), ("3.8375e-8", "NN")):
        setting = {"beta": 20, "decay": 10, "codewords": 2, "time": time}
        assert retrieval_shape(**setting) == shape
        turns = [float(s) for s in retrieval_extrema(**setting, digits=10)]
        with mpmath.workdps(30):
            told = pattern("20", "10", 2, time, [turns[0] / 3, *turns, 1])
            heights = {s: profile(s, "20", "10", 2, time) for s in turns}
        assert told == "-+-+-"[: len(turns) + 1]
        lowest, highest = min(turns[::2], key=heights.get), max(turns[1::2], key=heights.get)
        assert float(retrieval_minimum(**setting)) == pytest.approx(lowest)
        assert float(retrieval_minimum(**setting, which="maximum")) == pytest.approx(highest)
    setting = {"beta": 20, "decay": 10, "codewords": 2}
    assert 3.83e-8 < float(recency_time(**setting)) < 3.8375e-8 < float(fold_time(**setting))


def test_the_fold_is_where_slope_and_curvature_of_the_sum_are_zero():
    """Newton's method of mpmath on two derivatives of the sum."""
    with mpmath.workdps(30):

        def conditions(s, time):
            def height(at):
                return mpmath.log(profile(at, 1, 8, 10, time))

            return [mpmath.diff(height, s), mpmath.diff(height, s, 2)]

        _, time = mpmath.findroot(conditions, (mpmath.mpf("0.32"), mpmath.mpf("11.05")), tol=1e-24)
        assert abs(time - real(fold_time(beta=1, decay=8, codewords=10, digits=20))) < 1e-14
    for off, shape in ((-1e-5, "N"), (1e-5, "decreasing")):
        assert retrieval_shape(beta=1, decay=8, codewords=10, time=float(time) * (1 + off)) == shape


@given(beta=WARM, codewords=integers(8, 60))
@settings(max_examples=4)
def test_the_end_is_flat_at_the_recency_time_and_straight_at_the_critical_decay(beta, codewords):
    """Slope and curvature of the sum at s = 1, by one-sided differences of mpmath."""
    decay = critical_decay(beta=beta, codewords=codewords, digits=25)
    time = recency_time(beta=beta, decay=decay, codewords=codewords, digits=20)
    with mpmath.workdps(50):

        def height(y):  # in the gap below 1: a fourth order stencil on one side
            return mpmath.log(profile(1 - y, exact(beta), real(decay), codewords, real(time)))

        step = mpmath.mpf("1e-4")
        points = [height(j * step) for j in range(7)]
        first, second = (
            sum((-1) ** (m + 1) * (points_difference(points, m) / m) for m in range(1, 7)) / step,
            sum(c * points_difference(points, m) for m, c in zip(range(2, 7), SECOND, strict=True)) / step**2,
        )
        assert abs(first) < 1e-15
        assert abs(second) < 1e-12
    above = {"beta": beta, "codewords": codewords, "decay": th.certify(lambda: decay.ball + 1, 20)}
    assert fold_time(**above) > recency_time(**above)
    assert fold_time(beta=beta, codewords=codewords, decay=th.certify(lambda: decay.ball * 0.9, 20)) is None


SECOND = [mpmath.mpf(1), mpmath.mpf(-1), mpmath.mpf(11) / 12, mpmath.mpf(-5) / 6, mpmath.mpf(137) / 180]


def points_difference(points, order):
    return sum((-1) ** (order - j) * comb(order, j) * points[j] for j in range(order + 1))


def test_small_times_to_second_order():
    """The error of two orders falls like t^3 log^2 t, that of one like t^2 log t."""
    setting = {"beta": 2, "decay": 2, "codewords": 20}
    errors = []
    for time in ("1/1000", "1/10000"):
        true = retrieval_minimum(**setting, time=time, digits=25)
        errors.append([abs(float(small_time_minimum(**setting, time=time, order=k, digits=25) - true)) for k in (1, 2)])
    first, second = (errors[0][k] / errors[1][k] for k in (0, 1))
    assert 50 < first < 100
    assert 450 < second < 1000


def test_smallness_is_sufficient_only():
    """At times between the condition of the source and the sharp bound the profile is still a U."""
    setting = {"beta": 1, "decay": 3}
    small, sharp = smallness_time(**setting), recency_time(**setting, codewords=10)
    rates = [n * n * mpmath.besseli(n, 1) for n in range(1, 9)]
    assert float(small) == pytest.approx(float((3 - mpmath.sqrt(3)) / max(rates)), rel=1e-14)
    assert small < sharp
    assert retrieval_shape(**setting, codewords=10, time=(small + sharp) / 2) == "U"


def test_drive_rate_is_beta_times_the_growth_rate():
    assert float(drive_rate(3, 5, 4, digits=15)) == pytest.approx(
        5 * float(th.growth_rate(3, 4, 5, digits=15)), rel=1e-13
    )
    assert float(drive_rate(2, "0.7", digits=15)) == pytest.approx(
        float(4 * mpmath.besseli(2, mpmath.mpf("0.7"))), rel=1e-13
    )


def test_graphon_is_the_limit_of_the_weights():
    n, i, j, decay = 4000, 1000, 3000, 2.0
    weights = np.exp(-decay * (j - np.arange(j)) / n)
    assert float(graphon("3/4", "1/4", 2)) == pytest.approx(n * weights[i] / weights.sum(), rel=1e-3)


@given(tokens=integers(1, 400), angle=fractions("1/20", 3, max_denominator=20), dim=integers(2, 9))
def test_centre_count_against_quadrature(tokens, angle, dim):
    with mpmath.workdps(30):
        area = [
            mpmath.quad(lambda x: mpmath.sin(x) ** (dim - 2), [0, end / 2, end]) for end in (exact(angle), mpmath.pi)
        ]
        share = area[0] / area[1]
        expected = sum((1 - share) ** i for i in range(tokens))
        assert abs(real(centre_count(tokens, angle, dim, digits=20)) / expected - 1) < 1e-18


def test_centre_count_against_tokens():
    """Counted on the sphere of dim 3: no formula for a cap."""
    rng, found = np.random.default_rng(5), []
    for _ in range(2000):
        x = rng.normal(size=(60, 3))
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        far = np.tril(x @ x.T, -1) + np.triu(np.full((60, 60), -2.0)) < np.cos(0.5)
        found.append(np.sum(far.all(axis=1)))
    expected = float(centre_count(60, "0.5", 3))
    assert abs(np.mean(found) - expected) < 4 * np.std(found) / np.sqrt(2000)
    assert abs(np.mean(found) - expected / 3) > 20 * np.std(found) / np.sqrt(2000)


@given(
    beta=fractions(0, 12, max_denominator=6),
    earlier=integers(1, 6),
    model=sampled_from(["usa", "sa"]),
    own=sampled_from([True, False]),
)
@settings(max_examples=20)
def test_capture_time_of_a_token_that_moves(beta, earlier, model, own):
    """The time of an integrated token under a causal row of attention, in the plane."""
    target = np.array([1.0, 0.0])

    def velocity(_, state):
        x = np.array([np.cos(state[0]), np.sin(state[0])])
        seen = np.array([target] * earlier + ([x] if own else []))
        weights = np.exp(float(beta) * (seen @ x))
        pull = weights @ seen / (weights.sum() if model == "sa" else len(seen))
        return [pull @ np.array([-x[1], x[0]])]

    def reached(_, state):
        return state[0] - 0.2

    reached.terminal = True
    solved = solve_ivp(velocity, (0, 1e6), [1.5], events=reached, rtol=1e-10, atol=1e-13)
    found = float(capture_time("0.2", "1.5", beta, earlier=earlier, own=own, model=model))
    assert solved.t_events[0][0] == pytest.approx(found, rel=1e-7)


@given(beta=fractions(0, 40, max_denominator=6), earlier=integers(1, 5), near=fractions("1/20", 2, max_denominator=20))
@settings(max_examples=25)
def test_no_earlier_tokens_move_a_centre_faster(beta, earlier, near):
    """Random placings beyond the angle, and all together at the worst one."""
    rng = np.random.default_rng(3)
    speed = 1e-3 / float(holding_time(near, "1e-3", beta, earlier=earlier))
    placed = rng.uniform(float(near), 2 * np.pi - float(near), (200, earlier))
    weights = np.exp(float(beta) * (np.cos(placed) - 1))
    speeds = np.abs((weights * np.sin(placed)).sum(axis=1)) / (1 + weights.sum(axis=1))
    assert speeds.max() <= speed * (1 + 1e-12)
    together = np.linspace(float(near), np.pi, 20_001)
    pull = earlier * np.exp(float(beta) * (np.cos(together) - 1))
    assert (pull * np.sin(together) / (1 + pull)).max() == pytest.approx(speed, rel=1e-6)


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("model", ["usa", "sa"])
def test_first_token_rates_are_the_spectrum_at_consensus(own, model):
    """The Jacobian of angles by differences, at all tokens on the first."""
    n, beta, decay, step = 5, 1.3, 2.0, 1e-5
    rows, columns = np.indices((n, n))
    seen = np.where((columns < rows) | ((columns == rows) & own), np.exp(-decay * (rows - columns) / n), 0.0)
    seen[0, 0] = 1.0

    def velocity(angles):
        gaps = angles[None, :] - angles[:, None]
        weights = seen * np.exp(beta * np.cos(gaps))
        return (weights * np.sin(gaps)).sum(axis=1) / (weights if model == "sa" else seen).sum(axis=1)

    jacobian = np.array([(velocity(step * e) - velocity(-step * e)) / (2 * step) for e in np.eye(n)]).T
    expected = [-float(rate) for rate in first_token_rates(n, sp.Rational(13, 10), model=model, own=own, decay=2)]
    assert np.diag(jacobian)[1:] == pytest.approx(expected, rel=1e-6)
    assert np.allclose(np.triu(jacobian, 1), 0)


SETTING = {"beta": 1, "decay": 1, "codewords": 10, "time": 1}


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: retrieval_minimum(**{**SETTING, "decay": -1}), "decay"),
        (lambda: retrieval_minimum(**{**SETTING, "codewords": 1}), "codewords"),
        (lambda: retrieval_minimum(**{**SETTING, "beta": 0}), "beta"),
        (lambda: retrieval_minimum(**{**SETTING, "time": 0}), "time"),
        (lambda: retrieval_minimum(**{**SETTING, "time": float("nan")}), "time"),
        (lambda: retrieval_minimum(**SETTING, which="middle"), "which"),
        (lambda: retrieval_shape(**{**SETTING, "time": recency_time(beta=1, decay=1, codewords=10)}), "time"),
        (lambda: small_time_minimum(**SETTING, order=3), "order"),
        (lambda: small_time_minimum(**{**SETTING, "decay": 0}), "decay"),
        (lambda: fold_time(beta=1, decay=critical_decay(beta=1, codewords=10), codewords=10), "decay"),
        (lambda: retrieval_profile("1.1", 1, 1, 10, 1), "source"),
        (lambda: correlation("1/2", 1, 1, position="1/4"), "source"),
        (lambda: graphon(0, 0), "position"),
        (lambda: centre_count(0, 1), "tokens"),
        (lambda: centre_count(5, 4), "angle"),
        (lambda: capture_time(1, "1/2", 1), "start"),
        (lambda: capture_time(1, 2, 1, own=1), "own"),
        (lambda: holding_time(1, 1, -1), "beta"),
        (lambda: first_token_rates(1), "tokens"),
        (lambda: first_token_rates(3, "nan"), "beta"),
        (lambda: first_token_rates(3, 1, own=1), "own"),
    ],
)
def test_bad_input_is_refused_by_name(call, name):
    with pytest.raises(th.Refused) as refused:
        call()
    assert refused.value.name == name


@pytest.mark.parametrize("beta", [0.2, 1, 5, 60])
def test_the_ratio_of_rates_is_below_its_bound_and_falls(beta):
    """By mpmath's Bessel functions; the bound is off by a third at most, as 1/3 for 1/4 at small beta."""
    modes = Modes(arb(beta), 10)
    bounds = [float(modes.ratio(n)) for n in range(1, 60)]
    rates = [n * n * mpmath.besseli(n, beta) for n in range(1, 61)]
    ratios = [float(after / before) for before, after in pairwise(rates)]
    assert all(ratio < bound < 1.34 * ratio for ratio, bound in zip(ratios, bounds, strict=True))
    assert sorted(bounds, reverse=True) == bounds


@pytest.mark.parametrize(("time", "place"), [(0.3, 0.5), (1, 2), (2, 0.1)])
def test_slopes_and_growth_are_differences_of_values(time, place):
    """Of G = log(Phi'/Phi) + log(1 + e^Y/scale) in Y, twice, and of its first part in log t."""
    with flint.ctx.workprec(200):
        step = arb(10) ** -12
        modes, scale, t, y = Modes(arb(1), 10), arb(1).expm1(), arb(time), arb(place)
        slope = Slope(modes, t, scale)
        values = [slope.value(y + shift * step) for shift in (-1, 0, 1)]
        first, second = slope.slopes(slope.at(y), y)
        later, before = (Slope(modes, t * (sign * step).exp(), scale).value(y) for sign in (1, -1))
        assert abs((values[2] - values[0]) / (2 * step) - first) < 1e-18
        assert abs((values[2] + values[0] - 2 * values[1]) / step**2 - second) < 1e-18
        assert abs((later - before) / (2 * step) - slope.growth(slope.at(y), y)) < 1e-18


@pytest.mark.parametrize("spare", [-45, -30])
@pytest.mark.parametrize("power", [1, 2, 3])
def test_modes_that_are_left_out_are_in_the_ball(monkeypatch, power, spare):
    """Of a sum that stops early, at 53 bits: the ball reaches up to what all modes add, and its middle is off."""
    with flint.ctx.workprec(128):
        fine = Modes(arb(3), 40).moment(power)
    monkeypatch.setattr(causal_modes, "SPARE", spare)
    coarse = Modes(arb(3), 40).moment(power)
    assert coarse.contains(fine)
    assert not fine.overlaps(coarse.mid() + arb(0, 1e-12))
