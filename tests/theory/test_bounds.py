"""Bounds that end a search, each at its edge: a smaller one would be wrong somewhere here."""

from math import exp, log, pi, sqrt

import flint
import numpy as np
import pytest
from flint import arb
from hypothesis import example, given, settings
from hypothesis.strategies import floats, integers, sampled_from
from scipy.integrate import quad
from scipy.special import gammaincc

from gegenflow import theory as th
from gegenflow.theory.finite_tokens import races
from gegenflow.theory.finite_tokens.emergence import CERTAIN, Racer
from gegenflow.theory.finite_tokens.races import NODES, PRECISION, _chernoff, _quadrature_bound, line_up

WEIGHTS = sampled_from(["-2", "-1", "-0.5", "0.001", "1", "1.5"])
RATES = sampled_from(["-3", "-1", "0.5", "1.999", "2"])


@settings(max_examples=60, deadline=None)
@example(first="1", second="1", slow="1.999", fast="2", degree=6, dim=2)  # a sum, not the larger one
@example(first="-1", second="0.001", slow="2", fast="-3", degree=6, dim=3)  # |-3| is steeper than 2
@example(first="-1", second="-3", slow="2", fast="-1.999", degree=6, dim=3)  # a sign that turns with the degree
@example(first="-1", second="3", slow="2", fast="-1.999", degree=6, dim=3)
@example(first="1", second="0.001", slow="30", fast="1", degree=3, dim=3)  # the rates still rise
@given(first=WEIGHTS, second=WEIGHTS, slow=RATES, fast=RATES, degree=integers(3, 9), dim=sampled_from([2, 3, 6]))
def test_a_tail_bounds_the_rates_of_all_later_degrees(first, second, slow, fast, degree, dim):
    """By the rates of the next thirty, each certified; USA, so that the rate is the score."""
    kernel = th.Kernel.heads([first, second], [slow, fast], 1)
    bound = kernel.tail(degree, dim, {})
    if bound is not None:
        for later in range(degree, degree + 30):
            rate = th.growth_rate(later, dim, kernel=kernel, digits=6).ball
            assert not rate > bound.upper()


@settings(max_examples=60, deadline=None)
@given(
    degree=integers(1, 6),
    dim=sampled_from([2, 3, 8]),
    rate=floats(0.5, 9),
    strength=floats(2, 200),
    share=floats(0.3, 0.999),
)
def test_a_chance_is_bounded_by_what_the_race_leaves_out(degree, dim, rate, strength, share):
    """Of having emerged by a time at which that is not yet certain: by incomplete gammas."""
    with flint.ctx.workprec(PRECISION):
        racer = Racer(degree, dim, rate=arb(rate), strength=arb(strength))
        until = share * float(arb(strength).log()) / (2 * rate)
        assert not 1 - racer.survival(arb(until)) > _chernoff(racer, until)


@pytest.mark.parametrize("level", [1.001, 1.2, 2.0, 5.0])
@pytest.mark.parametrize(("degree", "dim"), [(1, 2), (1, 3), (3, 3), (4, 8)])
def test_that_bound_is_chernoffs(degree, dim, level):
    r"""Off by the factor :math:`\sqrt{2\pi s}\,c\,e^{1/12s}` of the first term of an incomplete gamma at most."""
    racer = Racer(degree, dim, rate=arb(3), strength=arb(level))
    half = float(racer.half)
    chance = gammaincc(half, half * level)
    most = sqrt(2 * pi * half) * level * exp(1 / (12 * half))
    assert 1 <= _chernoff(racer, 0.0) / chance <= most
    later = log(level / 1.0005) / 6
    assert _chernoff(racer, later) == pytest.approx(exp(-half * (1.0005 - 1 - log(1.0005))), rel=1e-9)


def test_a_degree_that_is_beyond_every_float_from_its_level_has_no_chance():
    """Of 10^434 times the level, whose exponential no float holds; at the level and beyond it the bound is one."""
    racer = Racer(1, 2, rate=arb(1), strength=arb(1000).exp())
    assert [_chernoff(racer, until) for until in (0.0, 500.0, 501.0)] == [0.0, 1.0, 1.0]


def test_a_degree_left_out_may_win_after_the_race_was_thought_to_be_over(monkeypatch):
    """2079 harmonics that emerge all but surely at 5, just after a time by which one of both has with a chance of 99 %:
    the integral of their density times the survival of the circle's degree, by scipy."""
    monkeypatch.setattr(races, "NEGLIGIBLE", 0.01)
    first, late = (Racer(k, dim, arb(rate), arb(5).exp()) for k, dim, rate in ((1, 2, 1), (2, 64, 0.5)))
    left, rest = line_up([first, late])
    wins = quad(lambda t: float(late.density(arb(t)) * first.survival(arb(t))), 4, 6, points=[5], epsabs=1e-9)[0]
    assert left == [first]
    assert 0.006 < wins <= rest < 0.0101


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize(("degree", "dim"), [(1, 2), (1, 3), (2, 5), (2, 64)])
def test_what_is_certain_is_so_to_the_last_bit_that_is_claimed(degree, dim, side):
    """Levels at which Chernoff's exponent runs from 100 to 150, on both sides of 180 log 2 = 125, at 600 bits."""
    racer = Racer(degree, dim, rate=arb(1), strength=arb(1))
    with flint.ctx.workprec(600):
        half, certain = arb(racer.half), 0
        for wanted in (100, 110, 120, 124, 124.7, 124.8, 125, 130, 150):
            close = half + side * (2 * half * wanted).sqrt()
            level = close if close > half / 2 else half * (-1 - wanted / half).exp()
            for _ in range(60):
                exponent = level - half - half * (level / half).log()
                step = (exponent - wanted) / (1 - half / level)
                level = (level - step if level > step else level / 2).mid()
            time = -(level / half).log() / 2
            with flint.ctx.workprec(PRECISION):
                survival = racer.survival(time)
            certain += survival.rad() > arb(2) ** -(CERTAIN + 2)
            assert survival.overlaps(1 - level.gamma_upper(half, regularized=1))
            assert survival.rad() < 1e-30
    assert certain >= 4


@pytest.mark.parametrize("window", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("panels", [1, 4, 16])
def test_the_quadrature_is_bounded_by_its_formula(window, panels):
    """The least over 20,000 heights, each a true bound; of sixty of them, with a factor sqrt(2 pi) to spare."""
    speed = np.array([5.0, 2.5, 5 / 3])
    race = [Racer(k, 8, rate=arb(rate), strength=arb(50)) for k, rate in enumerate(speed, 1)]
    half = np.array([float(racer.half) for racer in race])
    y = np.linspace(0, pi / 4 / speed.max(), 20_000)[1:-1]
    rho = y * panels * 2 / window + np.sqrt(1 + (y * panels * 2 / window) ** 2)
    size = (2 * speed * np.sqrt(half / 2 / pi)).max() * np.prod(np.cos(2 * np.outer(y, speed)) ** -half, axis=1)
    best = (4 * window * size * rho ** (-2.0 * NODES) / (1 - 1 / rho)).min()
    assert 2.5 * best <= _quadrature_bound(race, window, panels) <= 4 * best


def test_a_mean_of_zero_is_refused_in_digits_too():
    """e^t - e^-t: the mean is 0, not small."""
    for digits in (None, 5):
        with pytest.raises(th.Refused, match="mean of the weight, which must be positive"):
            th.growth_rate(1, 3, kernel=th.Kernel.heads([1, -1], [1, -1], 1), model="sa", digits=digits)
