"""Certified decimals against exact integer and rational arithmetic: the right digits, honest bounds, clear refusals."""

import math
from decimal import ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from math import inf, nan

import flint
import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import arb, fmpq
from hypothesis import assume, given
from hypothesis.strategies import fractions, integers, sampled_from

from gegenflow import theory as th
from gegenflow.theory.exact.arguments import check_beta
from gegenflow.theory.exact.rounding import latex_number

digit_counts = integers(1, 60)
numbers = fractions(max_denominator=10**9).filter(bool)
with mpmath.workprec(100):
    WIDE = mpmath.mpf(2) ** 80 + 1


def decimals(number: Fraction, digits: int) -> set[Fraction]:
    """Nearest decimals of so many significant digits: one, or two at a tie; the exponent found by comparison."""
    exponent = len(str(abs(number.numerator))) - len(str(number.denominator))
    exponent -= Fraction(10) ** exponent > abs(number)
    assert Fraction(10) ** exponent <= abs(number) < Fraction(10) ** (exponent + 1)
    unit = Fraction(10) ** (exponent - digits + 1)
    below = number // unit
    near = sorted((abs(m * unit - number), m * unit) for m in (below, below + 1))
    return {value for distance, value in near if distance == near[0][0]}


def certified(number: Fraction, digits: int) -> th.Certified:
    return th.certify(lambda: arb(fmpq(number.numerator, number.denominator)), digits)


def holds(ball: arb, number: Fraction) -> bool:
    """Whether a ball contains a fraction: exact arithmetic, whatever the precision."""
    (middle, m), (radius, r) = ball.mid().man_exp(), ball.rad().man_exp()
    return abs(int(middle) * Fraction(2) ** int(m) - number) <= int(radius) * Fraction(2) ** int(r)


def significant(text: str) -> int:
    return len(text.lstrip("-").partition("e")[0].replace(".", "").lstrip("0"))


def is_right(number: Fraction, digits: int) -> None:
    answer = certified(number, digits)
    value, error = Fraction(answer.value), Fraction(answer.error)
    assert value in decimals(number, digits)
    assert significant(answer.value) == digits
    distance = abs(value - number)
    assert distance <= error
    assert error <= distance * Fraction(11, 10) + abs(number) * Fraction(1, 10 ** (digits + 4))
    assert holds(answer.ball, number)


@given(numbers, digit_counts)
def test_decimal_is_the_nearest_and_its_bound_is_honest_and_tight(number, digits):
    """Integer arithmetic on the fraction itself against the rounded ball."""
    is_right(number, digits)


@given(numbers, integers(-400, 400), integers(1, 25))
def test_huge_and_tiny_numbers_keep_their_digits(number, exponent, digits):
    """Far beyond the range of floats, both signs."""
    is_right(number * Fraction(10) ** exponent, digits)


@given(integers(1, 10**6), integers(-40, 40), sampled_from([1, -1]))
def test_a_tie_prints_one_of_its_two_neighbours(half, exponent, sign):
    """(2m + 1)/2 units: the exact fraction lies half-way, every rounding rule gives one of the two decimals."""
    number = sign * Fraction(10 * half + 5) * Fraction(10) ** exponent
    answer = certified(number, len(str(half)))
    assert Fraction(answer.value) in decimals(number, len(str(half)))
    assert abs(Fraction(answer.value) - number) <= Fraction(answer.error)


@given(integers(1, 10**6), integers(4, 60), sampled_from([1, -1]))
def test_a_number_next_to_a_tie_is_rounded_to_the_nearest(half, distance, side):
    """A tie moved by 10^-distance units has one nearest decimal, however near the tie."""
    number = Fraction(10 * half + 5) + side * Fraction(10) ** -distance
    digits = len(str(half))
    (nearest,) = decimals(number, digits)
    assert Fraction(certified(number, digits).value) == nearest


@given(integers(1, 60))
def test_powers_of_ten_are_not_lost_in_rounding_up(digits):
    """999...95 (a digit too many) and 0.999...: the carry reaches a new digit."""
    is_right(Fraction(10**digits - 1) + Fraction(9, 10), digits)
    is_right(Fraction(10) - Fraction(1, 10 ** (digits + 3)), digits)


@given(digit_counts, sampled_from(["pi", "e", "sqrt(2)", "-exp(-700)", "exp(exp(5))", "-zeta(3)"]))
def test_irrational_numbers_match_mpmath(digits, name):
    """mpmath's digits, rounded by the decimal module at 40 digits more, against balls."""
    balls = {
        "pi": arb.pi,
        "e": arb.const_e,
        "sqrt(2)": lambda: arb(2).sqrt(),
        "-exp(-700)": lambda: -arb(-700).exp(),
        "exp(exp(5))": lambda: arb(5).exp().exp(),
        "-zeta(3)": lambda: -arb(3).zeta(),
    }
    values = {
        "pi": lambda: +mpmath.pi,
        "e": lambda: +mpmath.e,
        "sqrt(2)": lambda: mpmath.sqrt(2),
        "-exp(-700)": lambda: -mpmath.exp(-700),
        "exp(exp(5))": lambda: mpmath.exp(mpmath.exp(5)),
        "-zeta(3)": lambda: -mpmath.zeta(3),
    }
    answer = th.certify(balls[name], digits)
    with mpmath.workdps(digits + 40):
        precise = Decimal(mpmath.nstr(values[name](), digits + 30))
    rounded = Context(prec=digits, rounding=ROUND_HALF_EVEN).plus(precise)
    assert Decimal(answer.value) == rounded
    with_guard = Context(prec=digits + 30)
    assert with_guard.abs(with_guard.subtract(Decimal(answer.value), precise)) <= Decimal(answer.error)


@given(integers(1, 40), integers(-6, 6), sampled_from([1, -1]))
def test_precision_is_raised_until_no_point_of_the_ball_rounds_otherwise(digits, spread, side):
    """pi at one end of a ball that is too wide at first: its middle is off, so only narrowing can print it right."""
    widths = []

    def evaluate() -> arb:
        widths.append(arb(10) ** (spread - digits) * arb(2) ** (-40 * len(widths)))
        return arb.pi() + side * widths[-1] * arb("0.99") + arb(0, widths[-1])

    answer = th.certify(evaluate, digits)
    with mpmath.workdps(digits + 30):
        precise = Decimal(mpmath.nstr(+mpmath.pi, digits + 25))
    assert Decimal(answer.value) == Context(prec=digits).plus(precise)
    assert len(widths) > 1 or spread < 1


def test_thousands_of_digits():
    """Beyond the 4,300 digits at which Python refuses to print an integer; mpmath's pi as reference."""
    digits = 6000
    with mpmath.workdps(digits + 30):
        precise = Decimal(mpmath.nstr(+mpmath.pi, digits + 20))
    assert Decimal(th.certify(arb.pi, digits).value) == Context(prec=digits).plus(precise)


def test_precision_outside_is_left_alone():
    """The precision of the caller is restored, also after an error."""
    before = flint.ctx.prec
    th.certify(arb.pi, 100)
    with pytest.raises(ArithmeticError):
        th.certify(lambda: arb("nan"), 3)
    assert flint.ctx.prec == before


def test_an_evaluation_that_never_becomes_finite_is_refused():
    """Infinite balls at every precision."""
    with pytest.raises(ArithmeticError, match="enclos"):
        th.certify(lambda: arb("inf"), 3)


def test_exact_zero_is_zero():
    """An exact zero has no digits to prove."""
    answer = th.certify(lambda: arb(0), 5)
    assert (answer.value, answer.error) == ("0", "0")


@pytest.mark.parametrize("bad", [0, -1, 2.5, nan, inf, -inf, True, "abc", None, "3", 100_001, 10**9])
def test_bad_digits_are_named(bad):
    """A ValueError that says which count was refused."""
    with pytest.raises(ValueError, match=r"^digits .*must be an integer >= 1"):
        th.certify(arb.pi, bad)


@pytest.mark.parametrize("three", [np.int64(3), sp.Integer(3)], ids=["numpy", "sympy"])
def test_whole_digit_counts_of_other_types_are_accepted(three):
    """numpy and sympy integers are integers (operator.index), for digits as for degrees."""
    assert th.certify(arb.pi, three).value == "3.14"


@given(fractions(0, 10**6))
def test_fractions_floats_text_and_symbols_are_taken_exactly(number):
    """Every spelling of one rational number, compared as fractions; a float means its binary value."""
    p, q = number.numerator, number.denominator
    for spelling in (number, f"{p}/{q}", sp.Rational(p, q), fmpq(p, q)):
        assert check_beta(spelling) == sp.Rational(p, q)
    binary = Fraction(float(number))
    for spelling in (float(number), np.float64(number), Decimal(float(number))):
        assert check_beta(spelling) == sp.Rational(binary.numerator, binary.denominator)


@given(integers(0, 10**30), integers(-60, 30))
def test_decimal_text_is_taken_exactly(mantissa, exponent):
    """Text and Decimal keep all their digits: no detour through a float."""
    expected = Fraction(mantissa) * Fraction(10) ** exponent
    for spelling in (f"{mantissa}e{exponent}", Decimal(f"{mantissa}e{exponent}")):
        assert check_beta(spelling) == sp.Rational(expected.numerator, expected.denominator)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (np.int64(2**53 + 1), sp.Integer(2**53 + 1)),
        (flint.fmpz(2**60 + 1), sp.Integer(2**60 + 1)),
        (WIDE, sp.Integer(2**80 + 1)),
    ],
    ids=["numpy integer", "flint integer", "mpmath"],
)
def test_numbers_wider_than_a_float_are_not_rounded_silently(number, expected):
    """Exact value or refusal: a third, rounded, number would give certified digits of something else."""
    try:
        value = check_beta(number, least=0)
    except ValueError:
        return
    assert value == expected


@pytest.mark.parametrize(
    "bad",
    [
        *(-1, "-0.1", nan, inf, -inf, "abc", "", "nan", "inf", None, 1j, [3], "1/0", Decimal("NaN"), Decimal("inf")),
        *(mpmath.mpf("inf"), mpmath.mpf("-inf"), mpmath.mpf("nan"), np.float64(inf), sp.oo, sp.nan, sp.I, arb("nan")),
    ],
    ids=str,
)
def test_what_is_no_finite_number_is_named(bad):
    """ValueError with the value, whatever went wrong inside."""
    with pytest.raises(ValueError, match=r"^beta .*finite number >= 0") as caught:
        check_beta(bad, least=0)
    assert str(bad) in str(caught.value)


def test_negative_zero_is_zero():
    """-0.0 is not negative."""
    assert check_beta(-0.0, least=0) == 0


@given(numbers, integers(-30, 30), integers(1, 12))
def test_latex_says_the_same_number(number, exponent, digits):
    """LaTeX read back by hand: mantissa times a power of ten."""
    answer = certified(number * Fraction(10) ** exponent, digits)
    mantissa, _, power = latex_number(answer.value).partition(r" \cdot 10^{")
    assert Fraction(mantissa) * Fraction(10) ** int(power.rstrip("}") or 0) == Fraction(answer.value)
    assert answer._repr_latex_().count("$") == 2


@given(numbers, integers(1, 15))
def test_decimal_module_agrees_on_rounding(number, digits):
    """Context division rounds p/q correctly once; away from ties all rules agree."""
    rules = (ROUND_HALF_UP, ROUND_HALF_DOWN)
    quotients = {
        Context(prec=digits, rounding=rule).divide(Decimal(number.numerator), Decimal(number.denominator))
        for rule in rules
    }
    assume(len(quotients) == 1)
    assert {Decimal(certified(number, digits).value)} == quotients


def test_one_digit_has_no_point():
    """In scientific notation too."""
    assert th.certify(lambda: arb(10) ** 40 * 7, 1).value == "7e+40"
    assert th.certify(lambda: arb(10) ** 40 * 7, 2).value == "7.0e+40"


def test_an_exact_ball_is_compared_to_as_many_digits_as_it_has():
    """1/2 of one bit with an irrational number 1e-45 above it."""
    half = th.certify(lambda: arb(1) / 2, 50)
    assert half.ball.bits() == 1
    assert half < sp.Rational(1, 2) + sp.pi / 10**45


def test_powers_floors_and_signs_of_balls_around_zero_and_integers():
    """A ball centred at 0 has powers that hold those of its points; whole parts are those of the exact number."""
    two_thirds = th.certify(lambda: arb(2) / 3, 5)
    nothing = two_thirds - two_thirds
    for power in (1, 2, 3, 8):
        assert (nothing**power).ball.contains(nothing.ball.upper() ** power)
        assert (nothing**power).ball.contains((-nothing.ball.upper()) ** power)
    just_below = th.certify(lambda: 3 - arb(10) ** -11, 5)
    assert just_below.value == "3.0000"
    assert (math.floor(just_below), math.ceil(just_below), int(just_below)) == (2, 3, 2)
    faint = th.certify(lambda: arb(10) ** -8, 5)
    assert -round(faint, 3) == round(-faint, 3)


@pytest.mark.parametrize(
    "use", [lambda x: f"{x:.2e}", lambda x: round(x, 2), sp.sympify], ids=["format", "round", "sympify"]
)
def test_numbers_of_too_many_digits_are_not_written_out(use):
    """At once, with a sentence; their arithmetic goes on."""
    huge = th.certify(arb.pi, 15) ** 10**8
    with pytest.raises(ValueError, match=r"1e(\+-)?100000"):
        use(huge)
    assert huge / huge == 1 or abs(huge / huge - 1) < 1e-6


def test_truth_values_are_no_numbers_and_huge_exponents_are_refused():
    """True is not 1; the exponent of exp(1e5000) has too many digits to be printed."""
    with pytest.raises(ValueError, match="beta True"):
        th.growth_rate(3, 2, beta=True, digits=5)
    with pytest.raises(ValueError, match="exponent of the number"):
        th.growth_rate(1, 2, "1e5000", digits=5)
