"""Growth rates against their ascending series, summed in mpmath with positive terms: no Bessel function, no balls."""

from decimal import Context, Decimal
from fractions import Fraction
from itertools import pairwise
from math import inf, nan

import mpmath
import pytest
import sympy as sp
from flint import arb
from hypothesis import given, settings
from hypothesis.strategies import fractions, integers, sampled_from

from gegenflow import theory as th

degrees, dims = integers(1, 40), integers(2, 40)
betas = fractions("1/1000", 60, max_denominator=1000)


def series(degree: int, dim: int, beta: Fraction) -> mpmath.mpf:
    r"""sum_m (b/2)^{k-1+2m} / (m! (d/2)_{k+m}): the multiplier of e^{bt} over b/2, from the moments of a coordinate."""
    with mpmath.extraprec(30):
        half, a = mpmath.mpf(beta.numerator) / beta.denominator / 2, mpmath.mpf(dim) / 2
        total = term = half ** (degree - 1) / mpmath.rf(a, degree)
        m = 0
        while term > total * mpmath.eps:
            term *= half**2 / ((m + 1) * (a + degree + m))
            total += term
            m += 1
    return +total


def reference(degree: int, dim: int, beta: Fraction, model: str = "usa") -> mpmath.mpf:
    """L_k/2 times the series, over w_0 = (b/2) * series at degree 0 for SA."""
    rate = mpmath.mpf(degree * (degree + dim - 2)) / 2 * series(degree, dim, beta)
    if model == "usa":
        return rate
    return rate / (series(0, dim, beta) * beta.numerator / beta.denominator / 2)


def holds(ball: arb, number: mpmath.mpf, digits: int) -> bool:
    """Whether a ball contains a number known to so many digits: exact arithmetic, whatever the precision."""
    (middle, m), (radius, r) = ball.mid().man_exp(), ball.rad().man_exp()
    middle, radius = int(middle) * Fraction(2) ** int(m), int(radius) * Fraction(2) ** int(r)
    sign, mantissa, exponent, _ = number._mpf_
    exact = (-1) ** sign * int(mantissa) * Fraction(2) ** exponent
    return abs(middle - exact) <= radius - abs(exact) / Fraction(10) ** digits


def decimal(number: mpmath.mpf, digits: int) -> Decimal:
    with mpmath.workdps(digits + 20):
        return Decimal(mpmath.nstr(number, digits + 15))


@given(degrees, dims, betas, sampled_from(["usa", "sa"]), integers(1, 60))
def test_every_printed_digit_is_right_and_the_ball_is_true_and_small(degree, dim, beta, model, digits):
    """The series at more than twice the precision, rounded by the decimal module, against ball Bessel functions."""
    rate = th.growth_rate(degree, dim, beta, model=model, digits=digits)
    with mpmath.workdps(2 * digits + 40):
        expected = reference(degree, dim, beta, model)
        assert Decimal(rate.value) == Context(prec=digits).plus(decimal(expected, 2 * digits))
        assert holds(rate.ball, expected, 2 * digits + 30)
        assert abs(mpmath.mpf(rate.value) - expected) <= mpmath.mpf(rate.error)
        assert not holds(rate.ball, expected * (1 + mpmath.mpf(10) ** -digits), 2 * digits + 30)
    assert rate.ball.rad() < abs(rate.ball) * arb(10) ** -digits


@given(degrees, dims, betas)
def test_a_rate_of_a_neighbouring_degree_or_dimension_is_told_apart(degree, dim, beta):
    """The reference at d+1 or k+1 is not in the ball: the test above has teeth."""
    rate = th.growth_rate(degree, dim, beta, digits=30)
    with mpmath.workdps(60):
        assert not holds(rate.ball, reference(degree, dim + 1, beta), 50)
        assert not holds(rate.ball, reference(degree + 1, dim, beta), 50)
        assert not holds(rate.ball, reference(degree, dim, beta) * mpmath.pi, 50)


@given(degrees, dims, betas)
def test_softmax_rate_is_the_unnormalised_one_over_the_mean_weight(degree, dim, beta):
    """gamma(USA)/gamma(SA) is the mean of e^{beta t}, here a sum of moments."""
    usa, sa = (th.growth_rate(degree, dim, beta, model=model, digits=30) for model in ("usa", "sa"))
    with mpmath.workdps(40):
        mean = series(0, dim, beta) * beta.numerator / beta.denominator / 2
        assert abs(mpmath.mpf(usa.value) / mpmath.mpf(sa.value) / mean - 1) < mpmath.mpf(10) ** -28


@given(integers(1, 12), integers(2, 9), betas)
@settings(max_examples=20)
def test_symbolic_rate_has_the_same_value(degree, dim, beta):
    """The closed formula with everything symbolic, filled in and evaluated by sympy, against the series."""
    with mpmath.workdps(40):
        for model in ("usa", "sa"):
            expected = reference(degree, dim, beta, model)
            number = sp.Rational(beta.numerator, beta.denominator)
            free = th.growth_rate(model=model).subs({th.k: degree, th.d: dim, th.beta: number})
            partly = th.growth_rate(degree, dim, model=model).subs(th.beta, number)
            for expression in (free, partly):
                value = mpmath.mpmathify(sp.N(expression, 35, maxn=1000))
                assert abs(value / expected - 1) < mpmath.mpf(10) ** -30


REFERENCES = {  # formulas.md, measured by simulation and quadrature before this package existed
    5: ["4.867", "14.005", "18.596", "16.346", "10.790"],
    7: ["22.29", "70.86", "109.51", "116.58", "96.02"],
}


@pytest.mark.parametrize("beta", REFERENCES)
def test_rates_on_the_circle_are_the_published_numbers(beta):
    """Numbers that were checked against simulations."""
    for degree, printed in enumerate(REFERENCES[beta], 1):
        rate = Decimal(th.growth_rate(degree, 2, beta, digits=20).value)
        assert abs(rate - Decimal(printed)) < Decimal(1).scaleb(Decimal(printed).as_tuple().exponent)  # last digit


@given(sampled_from([1, 2, 9, 100, 10**4]), sampled_from([2, 3, 50, 10**4]), sampled_from([1, 30, 1000]))
def test_nothing_overflows_at_the_ends_of_the_range(degree, dim, beta):
    """The series in mpmath, whose exponents are unbounded too, at degrees and dimensions up to 10^4."""
    for model in ("usa", "sa"):
        rate = th.growth_rate(degree, dim, beta, model=model, digits=25)
        with mpmath.workdps(60):
            expected = reference(degree, dim, Fraction(beta), model)
            assert Decimal(rate.value) == Context(prec=25).plus(decimal(expected, 35))


@pytest.mark.parametrize("dim", [2, 3, 50])
def test_very_low_temperature_agrees_with_the_other_exponential_integral(dim):
    """beta = 10^6 by Poisson's integral with its peak scaled out: SA of order one, USA e^{10^6} times larger."""
    beta, degree = 10**6, 7
    with mpmath.workdps(40):
        order = mpmath.mpf(dim) / 2

        def poisson(nu):  # int (1-t^2)^{nu-1/2} e^{beta (t-1)} dt, with t = 1 - v/beta
            integrand = lambda v: (v * (2 - v / beta) / beta) ** (nu - 0.5) * mpmath.exp(-v)  # noqa: E731
            top = max(nu, 1)
            grid = [top * n / 16 for n in range(49)]
            return mpmath.quad(integrand, [*grid, *(3 * top + 2**n for n in range(9))])

        low, high = poisson(order - 1), poisson(order - 1 + degree)
        # I_nu = (z/2)^nu / (sqrt(pi) Gamma(nu + 1/2)) int (1-t^2)^{nu-1/2} e^{zt} dt, DLMF 10.32.2
        ratio = high / low * (mpmath.mpf(beta) / 2) ** degree / mpmath.rf(order - 0.5, degree)
        expected = degree * (degree + dim - 2) * ratio / beta
        rate = th.growth_rate(degree, dim, beta, model="sa", digits=15)
        assert abs(mpmath.mpf(rate.value) / expected - 1) < mpmath.mpf(10) ** -10
    usa = Decimal(th.growth_rate(degree, dim, beta, digits=15).value)
    assert usa.is_finite()
    assert usa.adjusted() > 10**5


@given(integers(1, 10**4), integers(2, 10**4), sampled_from(["usa", "sa"]))
def test_kuramoto_limit_grows_degree_one_only(degree, dim, model):
    """At beta = 0 the velocity is the projected mean, whose linearisation is (d-1)/d on degree 1 and 0 on the rest."""
    expected = Fraction(dim - 1, dim) if degree == 1 else 0
    assert th.growth_rate(degree, dim, 0, model=model) == sp.Rational(expected)
    certified = th.growth_rate(degree, dim, 0, model=model, digits=20)
    assert abs(Fraction(certified.value) - expected) <= Fraction(certified.error)


@given(integers(1, 12), integers(2, 30), integers(3, 40), sampled_from(["usa", "sa"]))
def test_rates_are_continuous_at_beta_zero(degree, dim, exponent, model):
    """As beta -> 0 the rate is L_k/2 (b/2)^{k-1}/(d/2)_k (1 + O(b)), the first term of the series: exact fractions."""
    beta = Fraction(1, 10**exponent)
    pochhammer = Fraction(1)
    for m in range(degree):
        pochhammer *= Fraction(dim, 2) + m
    leading = Fraction(degree * (degree + dim - 2), 2) * (beta / 2) ** (degree - 1) / pochhammer
    rate = Fraction(th.growth_rate(degree, dim, beta, model=model, digits=30).value)
    assert abs(rate / leading - 1) < beta + Fraction(1, 10**29)
    limit = Fraction(th.growth_rate(degree, dim, 0, model=model, digits=30).value)
    assert abs(rate - limit) <= beta * degree * (degree + dim) + Fraction(1, 10**29)


@given(integers(2, 30), fractions("1/10", 300, max_denominator=10), sampled_from(["usa", "sa"]))
@settings(max_examples=20)
def test_rates_rise_and_then_fall_with_the_degree(dim, beta, model):
    """Certified rates, nothing assumed: the signs of their differences change once, where selected_degree says."""
    selected = th.selected_degree(beta, dim)
    rates = [th.growth_rate(degree, dim, beta, model=model, digits=20).ball for degree in range(1, selected + 8)]
    rises = [bool(after > before) for before, after in pairwise(rates)]
    assert all((after > before) or (after < before) for before, after in pairwise(rates))
    assert rises == [True] * (selected - 1) + [False] * 7


@given(integers(2, 12), sampled_from([10**4, 10**6, 10**8]))
@settings(max_examples=15)
def test_largest_softmax_rate_tends_to_two_over_e(dim, beta):
    """k^2/b exp(-k^2/2b) has the maximum 2/e at k^2 = 2b (Gaussian limit); the correction is of order d/sqrt(b)."""
    rate = th.growth_rate(th.selected_degree(beta, dim), dim, beta, model="sa", digits=12)
    assert abs(float(rate) - 2 / mpmath.e) < 2 * dim / beta**0.5


@given(integers(1, 4), integers(2, 9), betas)
@settings(max_examples=20)
def test_a_kernel_replaces_the_exponential(degree, dim, beta):
    """Linear attention 1 + b t by hand: W = t + b t^2/2, <t P_1> = 1/d, <t^2 P_2> = 2/(d (d+2)), Z = 1."""
    rates = {1: Fraction(dim - 1, dim), 2: 2 * dim * beta / 2 * Fraction(2, dim * (dim + 2))}
    expected = rates.get(degree, Fraction(0))
    kernel = th.Kernel.series([1, sp.Rational(beta.numerator, beta.denominator)])
    for model in ("usa", "sa"):
        assert th.growth_rate(degree, dim, kernel=kernel, model=model) == sp.Rational(expected)
        certified = th.growth_rate(degree, dim, kernel=kernel, model=model, digits=15)
        assert abs(Fraction(certified.value) - expected) <= Fraction(certified.error)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (((0, 2, 5), {}), "degree 0"),
        (((-3, 2, 5), {}), "degree -3"),
        (((1.5, 2, 5), {}), "degree 1.5"),
        (((nan, 2, 5), {}), "degree nan"),
        (((3, 1, 5), {}), "dim 1"),
        (((3, inf, 5), {}), "dim inf"),
        (((3, 2, -1), {}), "beta -1"),
        (((3, 2, nan), {}), "beta nan"),
        (((3, 2, inf), {}), "beta inf"),
        (((3, 2, "five"), {}), "beta five"),
        (((3, 2, 5), {"digits": 0}), "digits 0"),
        (((3, 2, 5), {"digits": -2}), "digits -2"),
        (((3, 2, 5), {"digits": 1.5}), "digits 1.5"),
        (((3, 2, 5), {"model": "relu"}), "model relu"),
        (((3, 2), {"digits": 5}), "beta: a number"),
    ],
)
def test_bad_input_is_named(arguments, named):
    """ValueError whose message starts with the parameter and the value, exact and certified alike."""
    positional, keywords = arguments
    with pytest.raises(ValueError, match=f"^{named}"):
        th.growth_rate(*positional, **keywords)


@pytest.mark.parametrize("whole", [sp.Integer, float])
def test_whole_numbers_of_other_types_have_digits(whole):
    """sympy integers and whole floats are degrees and dimensions, with or without digits."""
    assert th.growth_rate(whole(3), whole(2), 5, digits=12).value == "18.5960703045"
