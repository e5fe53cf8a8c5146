"""Certified numbers as numbers: they compute, compare, format, travel, and are taken wherever a number is meant."""

import copy
import math
import operator
import pickle
from decimal import Decimal
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import arb, fmpq
from hypothesis import assume, given
from hypothesis.strategies import fractions, integers, sampled_from

from gegenflow import theory as th
from gegenflow.theory.exact.balls import Enclosed, ends, parts

numbers = fractions(max_denominator=10**9).filter(bool)
operands = fractions(-50, 50, max_denominator=10**6)
OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


def exactly(number: Fraction) -> list[object]:
    """Spellings of one exact number."""
    p, q = number.numerator, number.denominator
    return [
        number,
        sp.Rational(p, q),
        *([p] if q == 1 else []),
        *([float(number)] if Fraction(float(number)) == number else []),
    ]


def certified(number: Fraction, digits: int) -> th.Certified:
    return th.certify(lambda: arb(fmpq(number.numerator, number.denominator)), digits)


def holds(ball: arb, number: Fraction) -> bool:
    low, high = ends(ball)
    return low <= number <= high


def irrational(number: Fraction, digits: int) -> th.Certified:
    """A number times sqrt(2): certified, with a ball of positive radius."""
    return th.certify(lambda: arb(fmpq(number.numerator, number.denominator)) * arb(2).sqrt(), digits)


@given(operands, operands.filter(bool), sampled_from(sorted(OPERATIONS)), integers(1, 40), integers(1, 40))
def test_the_ball_and_the_decimal_of_a_result_hold_the_exact_one(a, b, operation, digits, more):
    """Balls of positive radius around two fractions: exact arithmetic on the fractions themselves."""
    exact = OPERATIONS[operation](a, b)
    thirds = [certified(a, digits), certified(b, more)]
    answers = [OPERATIONS[operation](*thirds)]
    answers += [OPERATIONS[operation](thirds[0], other) for other in exactly(b)]
    answers += [OPERATIONS[operation](other, thirds[1]) for other in exactly(a)]
    for answer in answers:
        assert isinstance(answer, th.Certified)
        assert holds(answer.ball, exact)
        assert abs(Fraction(answer.value) - exact) <= Fraction(answer.error)
        assert answer.digits <= max(digits, more, 15 if 0 in (a, b) else 1)


@given(operands.filter(bool), integers(-9, 9), integers(2, 40))
def test_powers_negatives_and_sizes_hold_the_exact_number(a, power, digits):
    """x**n, -x and abs(x), on x sqrt(2) for even powers: (x sqrt 2)^n = x^n 2^(n/2)."""
    number = irrational(a, digits)
    square = number ** (2 * power)
    assert holds(square.ball, (a**2 * 2) ** power)
    assert abs(Fraction(square.value) - (a**2 * 2) ** power) <= Fraction(square.error)
    assert (-number).value == number.value.removeprefix("-") if a < 0 else f"-{number.value}"
    assert abs(number) == (number if a > 0 else -number)
    assert (number + (-number)).value == (number - number).value == "0"


@given(operands, operands, integers(1, 30))
def test_order_is_that_of_the_exact_numbers_or_is_refused(a, b, digits):
    """Multiples of sqrt(2) against each other, fractions and floats; a number against itself."""
    one, other = irrational(a, digits), irrational(b, digits)
    if a == b:
        assert one <= other
        assert one >= other
        assert not one < other
        assert not one > other
        assert one == other
        assert hash(one) == hash(other)
    else:
        assert (one < other, one > other, one <= other, one >= other) == (a < b, a > b, a < b, a > b)
    against = math.sqrt(2) * float(b)
    if abs(float(a) - float(b)) > 1e-9:
        assert (one < against, one > against, against < one) == (a < b, a > b, b < a)
    assert one < math.inf
    assert one > -math.inf


def test_overlapping_balls_have_no_order_and_say_what_to_do():
    """Two roots of one number, worked out differently; a ball around an exact number."""
    root, again = th.certify(lambda: arb(2).sqrt(), 10), th.certify(lambda: arb(8).sqrt() / 2 + arb(0, 1e-30), 10)
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        with pytest.raises(ValueError, match=r"\[1\.41.*overlap.*ask for more digits"):
            compare(root, again)
    with pytest.raises(ValueError, match="ask for more digits"):
        sorted([root, again])
    assert root == again
    with pytest.raises(TypeError):
        assert root < "2"
    with pytest.raises(ValueError, match="holds 0"):
        bool(root - again)
    with pytest.raises(ZeroDivisionError, match="more digits"):
        1 / (root - again)
    assert (root - again).value == "0"
    assert not th.certify(lambda: arb(0), 3)


@given(operands, integers(0, 8), sampled_from("fe"))
def test_formats_round_the_exact_number(a, places, kind):
    """Decimal's rounding of x sqrt(2) at 60 digits; refused where the ball does not reach that far."""
    assume(a)
    number = irrational(a, 30)
    with mpmath.workdps(70):
        precise = Decimal(mpmath.nstr(mpmath.mpf(a.numerator) / a.denominator * mpmath.sqrt(2), 60))
    assert f"{number:.{places}{kind}}" == format(precise, f".{places}{kind}")
    assert Decimal(round(number, places).value) == round(precise, places)
    assert abs(precise - Decimal(round(number, places).value)) <= Decimal(round(number, places).error)
    assert int(number) == int(precise)
    with pytest.raises(ValueError, match=r"not known well enough for .* decimals; ask for more digits"):
        f"{number:.60f}"


def test_a_rounded_number_is_bounded_over_all_of_its_ball():
    """A wide ball around 3.14: the far end decides."""
    wide = th.Certified("3.1", "0.1", arb("3.14", 0.006))
    near = round(wide, 1)
    assert near.value == "3.1"
    assert 0.046 <= float(near.error) < 0.048
    with pytest.raises(ValueError, match="2 decimals; ask for more digits"):
        round(wide, 2)


@given(numbers, integers(1, 80))
def test_sympy_and_mpmath_take_every_digit(number, digits):
    """The decimal itself, whatever the working precision there."""
    answer = certified(number, digits)
    assert sp.sympify(answer) == sp.Rational(answer.value)
    with mpmath.workdps(15):
        there = mpmath.mpmathify(answer)
    with mpmath.workdps(digits + 20):
        assert mpmath.almosteq(there, mpmath.mpf(answer.value), rel_eps=mpmath.mpf(10) ** (-digits - 3))
    assert float(answer) == float(answer.value)


@given(numbers, integers(1, 30))
def test_a_certified_number_comes_back_from_pickle_to_the_bit(number, digits):
    """Same decimal, same bound, same middle and radius of the ball."""
    answer = certified(number, digits) * th.certify(arb.pi, digits)
    for copied in (pickle.loads(pickle.dumps(answer)), copy.deepcopy(answer)):
        assert (copied, hash(copied), repr(copied)) == (answer, hash(answer), repr(answer))
        assert parts(copied.ball) == parts(answer.ball)


# a number that is accepted wherever one is meant


def at_the_boundary(digits: int) -> th.Certified:
    return th.growth_rate(3, 2, th.critical_beta(1, 2, 400), digits=digits)


def test_the_ball_of_an_argument_enters_the_result():
    """The rate at the exact boundary, from 400 digits of it and in mpmath, lies in the ball of that from 30 digits."""
    boundary = th.critical_beta(1, 2, 30)
    rate = th.growth_rate(3, 2, boundary, digits=25)
    assert rate.ball.contains(at_the_boundary(60).ball)
    assert not rate.ball.contains(
        th.growth_rate(3, 2, sp.Rational(boundary.value) + sp.Rational(1, 10**30), digits=60).ball
    )
    with mpmath.workdps(60):
        b = mpmath.mpf(th.critical_beta(1, 2, 60).value)
        precise = 9 * mpmath.besseli(3, b) / b
        assert abs(mpmath.mpf(rate.value) - precise) <= mpmath.mpf(rate.error)


def test_a_ball_that_is_too_wide_is_refused_in_one_sentence():
    """The name, the number, what is wrong and what to do."""
    with pytest.raises(th.Refused, match=r"^beta \[1\.0445 .*known too coarsely for 25 digits; give it with more$"):
        th.growth_rate(3, 2, th.critical_beta(1, 2, 5), digits=25)
    with pytest.raises(th.Refused, match=r"^beta 1.04.*boundary of degree 1, or known too coarsely"):
        th.selected_degree(th.critical_beta(1, 2, 30), 2)
    with pytest.raises(th.Refused, match="must be rational"):
        th.phases.boundaries("exp(beta*t)", 2, (1, sp.sqrt(7)))


SPELLINGS = [
    sp.sqrt(2),
    th.certify(lambda: arb(2).sqrt(), 40),
    th.certify(lambda: arb(2).sqrt(), 50).ball,
    mpmath.sqrt(2),
    math.sqrt(2),
    np.sqrt(2),
]


@pytest.mark.parametrize("root", SPELLINGS, ids=lambda root: type(root).__name__)
@pytest.mark.parametrize(
    "call",
    [
        lambda x: th.growth_rate(2, 3, x, noise=x / 100, digits=9),
        lambda x: th.noise_threshold(1, 2, x, digits=9),
        lambda x: th.finite_tokens.mean_field_distance(x / 10, x, digits=9),
        lambda x: th.synchronization.hitting_time(x / 2, 3, x, start=x / 10, digits=9),
        lambda x: th.synchronization.overlap_after(x, 3, x, digits=9),
        lambda x: th.synchronization.context_overlap(x / 2, 9, x, digits=9),
        lambda x: th.synchronization.lojasiewicz_constant(x / 2, x, digits=9),
        lambda x: th.low_temperature.pairing_time(x / 2, x, x / 10, weights=[x, 2 * x], digits=9),
        lambda x: th.clusters.survival_beta(x / 4, digits=9),
        lambda x: th.clusters.lifetime(3, x, perturbation=x / 10, digits=9),
        lambda x: th.clusters.cluster_spectrum(th.clusters.simplex(3), x, digits=9).energy,
        lambda x: th.phase(x, 2, noise=x / 10, digits=9).rate,
        lambda x: th.finite_tokens.boundary_share(x, 1, 2, 1000, amplitude=x / 4),
        lambda x: th.finite_tokens.selection_law(2, x, 500, amplitude=x / 4).mean,
        lambda x: th.noise.phase_transition(x, digits=9).coupling,
        lambda x: th.expansions.expansion(2, 1, beta=x).evaluate(x / 10, x / 100, 9)[2],
        lambda x: th.Kernel.heads([x, 1], [1, x / 2], 1).ball(1, 3),
    ],
)
def test_every_spelling_of_a_number_is_taken(call, root):
    """sqrt(2) exactly, as a ball and as a float, in the place of beta, noise, overlap, mass, time, amplitude, ..."""
    assert float(call(root)) == pytest.approx(float(call(sp.sqrt(2))), rel=1e-8)


def test_a_fold_at_a_ball_is_that_at_the_number():
    """Stationary states far from the uniform one, proved for every beta in a ball."""
    eight = th.certify(lambda: arb(8).sqrt(), 40)
    assert th.noise.branch_fold(eight, digits=9) == th.noise.branch_fold(sp.sqrt(8), digits=9)


@pytest.mark.parametrize(
    "write",
    [
        lambda x: round(x, 10**9),
        lambda x: f"{x:.1000000000f}",
        lambda x: f"{x:.1000000000e}",
        lambda x: round(th.certify(lambda: arb(2) ** 10**9, 5), -(10**8)),
        lambda x: f"{th.certify(lambda: arb(2) ** -(10**9), 5):.3e}",
    ],
)
def test_decimals_too_long_to_write_are_refused_at_once(write):
    """A billion digits, or a number with so many."""
    with pytest.raises(ValueError, match="100000 digits at most"):
        write(th.certify(arb.pi, 20))
    assert f"{th.certify(lambda: arb(10) ** 300, 9):.2e}" == "1.00e+300"


@pytest.mark.parametrize("exponent", [-100_001, -100_000, 100_000, 100_001])
@pytest.mark.parametrize("digits", [5, 20_000])
def test_one_bound_on_what_is_written_out(exponent, digits):
    """Beside 1e+-100000, as a fraction, rounded to a place and to digits: all three or none, however many are known."""
    number = th.certify(lambda: 5 * arb(10) ** exponent / 3, digits)
    writers = [sp.sympify, lambda x: round(x, min(100_000, 3 - exponent)), lambda x: f"{x:.1e}"]
    if abs(exponent) == 100_000:
        assert all(writer(number) is not None for writer in writers)
        return
    for writer in writers:
        with pytest.raises(ValueError, match="100000 digits at most"):
            writer(number)


def test_a_number_of_thousands_of_digits_goes_to_sympy_with_all_of_them():
    """Python reads at most 4300 digits of an integer at once; the error bound holds of the exact decimal."""
    number = th.certify(arb.pi, 5000)
    assert abs(sp.sympify(number) - sp.pi.evalf(5020)) < sp.Rational(1, 10**4998)
    assert sp.sympify(number).q > 10**4000


@pytest.mark.parametrize(
    ("middle", "radius", "zero"), [(0, 1e-3, None), (1, 1e-3, False), (1, 2, None), (-3, 1, False)]
)
def test_a_ball_is_zero_where_it_may_be_and_never_where_it_cannot(middle, radius, zero):
    """sympy is told by the ball alone, zero within or not."""
    assert Enclosed("beta", arb(middle, radius)).is_zero is zero
