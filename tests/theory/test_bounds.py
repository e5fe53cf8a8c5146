"""Bounds that end a search, each at its edge: a smaller one would be wrong somewhere here."""

import flint
import pytest
from flint import arb
from hypothesis import example, given, settings
from hypothesis.strategies import floats, integers, sampled_from

from gegenflow import theory as th
from gegenflow.theory.finite_tokens.emergence import Racer
from gegenflow.theory.finite_tokens.races import PRECISION, _chernoff

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


def test_a_mean_of_zero_is_refused_in_digits_too():
    """e^t - e^-t: the mean is 0, not small."""
    for digits in (None, 5):
        with pytest.raises(th.Refused, match="mean of the weight, which must be positive"):
            th.growth_rate(1, 3, kernel=th.Kernel.heads([1, -1], [1, -1], 1), model="sa", digits=digits)
