"""Critical temperatures against a continued fraction of the Bessel ratio, evaluated here without balls."""

from decimal import Context, Decimal
from fractions import Fraction
from itertools import pairwise
from math import inf, nan

import flint
import mpmath
import pytest
from flint import arb, fmpq
from hypothesis import given, settings
from hypothesis.strategies import fractions, integers, sampled_from

from gegenflow import theory as th
from gegenflow.theory.phases.critical import _boundary_ratio, _contracted, _ratio_slopes, bessel_ratio

degrees, dims = integers(1, 25), integers(2, 64)


def ratio(order: mpmath.mpf, argument: mpmath.mpf) -> mpmath.mpf:
    """I_{order+1}/I_order by the continued fraction DLMF 10.33.1, backwards from far out.

    R_nu = 1/(2(nu+1)/x + R_{nu+1}), and 0 < R < 1 encloses the start: begin once with 0, once with 1, and lengthen the
    fraction until both ends agree to the working precision.
    """
    length = 64
    with mpmath.extraprec(20):
        while True:
            low, high = mpmath.mpf(0), mpmath.mpf(1)
            for m in range(length, 0, -1):
                low, high = 1 / (2 * (order + m) / argument + high), 1 / (2 * (order + m) / argument + low)
            if abs(high - low) <= mpmath.ldexp(high, 10 - mpmath.mp.prec):
                return +low
            length *= 2


def eigenvalue(degree: int, dim: int) -> int:
    return degree * (degree + dim - 2)


def excess(degree: int, dim: int, argument: mpmath.mpf) -> mpmath.mpf:
    """gamma_{k+1}/gamma_k - 1 at a temperature: positive above the boundary."""
    order = degree + mpmath.mpf(dim) / 2 - 1
    return ratio(order, argument) * eigenvalue(degree + 1, dim) / eigenvalue(degree, dim) - 1


def root(degree: int, dim: int, start: str) -> mpmath.mpf:
    """The boundary by mpmath's secant method on the continued fraction, at the working precision."""
    return mpmath.findroot(lambda b: excess(degree, dim, b), (mpmath.mpf(start), mpmath.mpf(start) * (1 + 1e-6)))


def fraction_of(number: mpmath.mpf) -> Fraction:
    sign, mantissa, exponent, _ = number._mpf_
    return (-1) ** sign * int(mantissa) * Fraction(2) ** exponent


def holds(ball: arb, number: mpmath.mpf, digits: int) -> bool:
    """Whether a ball contains a number known to so many digits: exact arithmetic, whatever the precision."""
    (middle, m), (radius, r) = ball.mid().man_exp(), ball.rad().man_exp()
    middle, radius = int(middle) * Fraction(2) ** int(m), int(radius) * Fraction(2) ** int(r)
    exact = fraction_of(number)
    return abs(middle - exact) <= radius - abs(exact) / Fraction(10) ** digits


def rate(degree: int, dim: int, beta: Decimal) -> mpmath.mpf:
    """Growth rate (USA), up to factors common to all degrees, by its ascending series."""
    half, a = mpmath.mpf(str(beta)) / 2, mpmath.mpf(dim) / 2
    total = term = half**degree / mpmath.rf(a, degree)
    m = 0
    while term > total * mpmath.eps:
        term *= half**2 / ((m + 1) * (a + degree + m))
        total += term
        m += 1
    return eigenvalue(degree, dim) * total


@given(degrees, dims, integers(1, 40))
@settings(max_examples=25)
def test_boundary_is_the_root_found_by_mpmath_at_twice_the_precision(degree, dim, digits):
    """Printed decimal, bound, ball and its radius, against the secant root of the continued fraction."""
    boundary = th.critical_beta(degree, dim, digits)
    with mpmath.workdps(2 * digits + 50):
        expected = root(degree, dim, th.critical_beta(degree, dim, 8).value)
        assert abs(excess(degree, dim, expected)) < mpmath.mpf(10) ** (-2 * digits - 40)
        precise = Decimal(mpmath.nstr(expected, 2 * digits + 15))
        assert Decimal(boundary.value) == Context(prec=digits).plus(precise)
        assert abs(mpmath.mpf(boundary.value) - expected) <= mpmath.mpf(boundary.error)
        assert holds(boundary.ball, expected, 2 * digits + 35)
    assert boundary.ball.rad() < boundary.ball * arb(10) ** -digits


@given(integers(1, 300), integers(2, 10**4), integers(1, 30))
@settings(max_examples=10)
def test_rates_change_order_between_the_two_ends_of_the_printed_interval(degree, dim, digits):
    """The continued fraction has opposite signs at value -+ error: a root lies between, no root-finder."""
    boundary = th.critical_beta(degree, dim, digits)
    with mpmath.workdps(digits + 30):
        value, error = mpmath.mpf(boundary.value), mpmath.mpf(boundary.error)
        assert excess(degree, dim, value - error) < 0 < excess(degree, dim, value + error)
        shifted = value * (1 + mpmath.mpf(10) ** (1 - digits))
        assert excess(degree, dim, shifted) > 0


@given(sampled_from([10**3, 3000, 10**4]), sampled_from([2, 3, 100, 10**4]))
@settings(max_examples=8)
def test_boundaries_of_large_degrees_are_where_mpmaths_bessel_functions_cross(degree, dim):
    """mpmath's own I_nu by its asymptotic expansion, at the two ends of the interval of 20 digits."""
    boundary = th.critical_beta(degree, dim, 20)
    with mpmath.workdps(60):
        order = degree + mpmath.mpf(dim) / 2 - 1
        scale = mpmath.mpf(eigenvalue(degree + 1, dim)) / eigenvalue(degree, dim)
        low, high = (mpmath.mpf(boundary.value) + sign * mpmath.mpf(boundary.error) for sign in (-1, 1))
        low, high = (scale * mpmath.besseli(order + 1, b) / mpmath.besseli(order, b) - 1 for b in (low, high))
        assert low < 0 < high


@given(dims, integers(1, 12))
@settings(max_examples=15)
def test_boundaries_increase_and_interlace_with_the_selected_degree(dim, first):
    """selected_degree decides by signs at one temperature, critical_beta encloses a root: they meet 50 digits deep."""
    boundaries = [Decimal(th.critical_beta(degree, dim, 50).value) for degree in range(first, first + 5)]
    wide = Context(prec=80)
    assert all(before < after for before, after in pairwise(boundaries))
    for degree, boundary in enumerate(boundaries, first):
        nearby = wide.multiply(boundary, Decimal("1e-48"))
        assert th.selected_degree(wide.subtract(boundary, nearby), dim) == degree
        assert th.selected_degree(wide.add(boundary, nearby), dim) == degree + 1


@given(integers(2, 20), fractions(0, 80, max_denominator=64))
def test_selected_degree_has_the_largest_rate(dim, beta):
    """All degrees compared by their series at 30 digits: no unimodality, no boundaries."""
    with mpmath.workdps(30):
        exact = mpmath.mpf(beta.numerator) / beta.denominator
        if beta:
            rates = {degree: rate(degree, dim, exact) for degree in range(1, 25)}
            assert th.selected_degree(beta, dim) == max(rates, key=rates.__getitem__)
        else:
            assert th.selected_degree(beta, dim) == 1


@given(integers(2, 10**4), sampled_from(["usa", "sa"]), integers(1, 9))
@settings(max_examples=15)
def test_rates_of_neighbours_cross_at_the_boundary_in_both_models(dim, model, degree):
    """Certified rates on both sides of the boundary, compared as balls: another code path than the ratio."""
    boundary = th.critical_beta(degree, dim, 30)
    value, error = Fraction(boundary.value), 3 * Fraction(boundary.error)
    lower, upper = (
        [th.growth_rate(k, dim, value + side * error, model=model, digits=45).ball for k in (degree, degree + 1)]
        for side in (-1, 1)
    )
    assert lower[0] > lower[1]
    assert upper[0] < upper[1]


@given(integers(1, 2000), integers(2, 10**4))
def test_bounds_hold_on_both_sides(degree, dim):
    """Strict, as fractions, against the certified boundary; and near: their ratio is below 1 + 1/k."""
    lower, upper = map(Fraction, th.phases.critical_beta_bounds(degree, dim))
    boundary = th.critical_beta(degree, dim, 25)
    value, error = Fraction(boundary.value), Fraction(boundary.error)
    assert lower < value - error
    assert value + error < upper
    assert upper / lower < 1 + Fraction(1, degree)


@given(integers(1, 10**4), integers(2, 10**4))
def test_bounds_are_the_formulas_rounded_outwards(degree, dim):
    """beta^- and the quadratic that beta^+ solves, in fractions: the floats lie outside, by a few units at most."""
    lower, upper = map(Fraction, th.phases.critical_beta_bounds(degree, dim))
    c, a = Fraction(eigenvalue(degree, dim), eigenvalue(degree + 1, dim)), Fraction(2 * degree + dim - 1, 2)
    ulps = Fraction(1, 2**50)

    def quadratic(b: Fraction) -> Fraction:
        return (1 - c**2) * b**2 - 2 * c * a * b - c**2 * (2 * a + 1)

    exact = 2 * c * a / (1 - c**2)
    assert exact * (1 - ulps) <= lower < exact
    assert quadratic(upper * (1 - ulps)) <= 0 < quadratic(upper)


@given(integers(1, 40), integers(2, 60))
def test_bounds_have_opposite_signs_of_the_ratio(degree, dim):
    """The continued fraction itself at the two floats, no certified number involved."""
    with mpmath.workdps(30):
        lower, upper = map(mpmath.mpf, th.phases.critical_beta_bounds(degree, dim))
        assert excess(degree, dim, lower) < 0 < excess(degree, dim, upper)


@given(integers(0, 400), fractions("1/100", 500, max_denominator=100))
def test_amos_bounds_and_turan_inequality_on_which_the_proofs_rest(twice_order, argument):
    """The cited inequalities, on the continued fraction: R between its bounds, increasing in b, decreasing in nu."""
    with mpmath.workdps(50):
        nu, b = mpmath.mpf(twice_order) / 2, mpmath.mpf(argument.numerator) / argument.denominator
        a, here = nu + mpmath.mpf(1) / 2, ratio(nu, b)
        assert b / (a + mpmath.sqrt((a + 1) ** 2 + b**2)) < here < b / (a + mpmath.sqrt(a**2 + b**2))
        assert ratio(nu + 1, b) < here < ratio(nu, b * (1 + mpmath.mpf(10) ** -6))


@given(integers(0, 200), fractions("1/10", 500, max_denominator=10))
def test_derivatives_that_carry_the_steps_to_a_boundary(twice_order, argument):
    """Three derivatives by differences of the continued fraction; the first below the bound that carries a ball."""
    order = fmpq(twice_order, 2)
    with mpmath.workdps(80):
        nu, b = mpmath.mpf(twice_order) / 2, mpmath.mpf(argument.numerator) / argument.denominator
        a, h = nu + mpmath.mpf(1) / 2, b * mpmath.mpf(10) ** -12
        far, before, here, after, later = (ratio(nu, b + n * h) for n in (-2, -1, 0, 1, 2))
        slopes = [
            (after - before) / (2 * h),
            (after - 2 * here + before) / h**2,
            (later - 2 * after + 2 * before - far) / (2 * h**3),
        ]
        assert 0 < slopes[0] < (2 * a + 1) / (a + mpmath.sqrt((a + 1) ** 2 + b**2)) ** 2
        with flint.ctx.workprec(200):
            value = arb(fmpq(argument.numerator, argument.denominator))
            found = _ratio_slopes(order, value, bessel_ratio(order, value))
        for slope, ball in zip(slopes, found, strict=True):
            assert abs(slope - mpmath.mpf(ball.str(40, radius=False))) < mpmath.mpf(10) ** -18 * (1 + 1 / b) ** 3


@pytest.mark.parametrize(("degree", "power"), [(5, 17), (5, 18), (1, 30), (7, 60)])
def test_boundaries_in_a_huge_dim_come_from_the_bounds_alone(degree, power):
    """beta ~ c d / (1 - c^2), c = degree/(degree + 1), where Bessel functions are out of reach."""
    c = Fraction(degree, degree + 1)
    leading = c / (1 - c * c) * 10**power
    assert abs(Fraction(th.critical_beta(degree, 10**power).value) / leading - 1) < Fraction(1, 10**14)


@given(degrees, dims, fractions("-2", 2, max_denominator=1000), integers(4, 40))
def test_a_ball_is_sent_into_itself_only_where_it_holds_the_boundary(degree, dim, place, bits):
    """Balls whose middle lies up to twice their radius from the root: what is sent on holds it whenever they do."""
    order, c = fmpq(2 * degree + dim - 2, 2), _boundary_ratio(degree, dim)
    with flint.ctx.workprec(300):
        root = th.critical_beta(degree, dim, digits=70).ball
        radius = arb(2) ** -bits
        enclosure = root + radius * fmpq(place.numerator, place.denominator) + radius * arb(0, 1)
        step = _contracted(enclosure, c, order)
        assert step.overlaps(root) or abs(place) >= 1
        assert abs(place) < 1.01 or not enclosure.contains_interior(step)
        assert bits < 20 or abs(place) > 0.9 or enclosure.contains_interior(step)


TABLE = """
2 1.04445686211 3.16543444270 6.21129837943 10.2284831630 15.2362767285
3 1.81615452544 4.42529301240 7.96237985155 12.4774331094 17.9848939527
4 2.52852031879 5.65582321706 9.69878627330 14.7176117492 20.7275555721
8 5.25111070404 10.5003416829 16.5950434151 23.6427038967 31.6706318872
64 42.6184394550 77.7365985202 112.636636860 148.133743782 184.448634656
512 341.288428977 615.340924212 880.642426275 1143.69660404 1406.27560909
"""


@pytest.mark.parametrize("row", TABLE.split("\n")[1:-1])
def test_table_of_boundaries(row):
    """Twelve digits computed before this package existed."""
    dim, *printed = row.split()
    assert [th.critical_beta(degree, int(dim), 12).value for degree in range(1, 6)] == printed


@pytest.mark.parametrize("dim", [2, 3, 4, 5, 9])
def test_boundaries_of_large_degrees_approach_the_mean_of_the_eigenvalues(dim):
    """beta_k = (L_k + L_{k+1})/4 + O(k^-2): the gap falls by 4 each time k doubles (by 2 if one term were wrong)."""
    gaps = [
        Decimal(th.critical_beta(degree, dim, 40).value)
        - Decimal(eigenvalue(degree, dim) + eigenvalue(degree + 1, dim)) / 4
        for degree in (800, 1600, 3200)
    ]
    assert all(abs(gap) < dim**3 / Decimal(800) for gap in gaps)
    assert [float(before / after) for before, after in pairwise(gaps)] == pytest.approx([4, 4], rel=0.03)


@pytest.mark.parametrize("degree", [1, 2, 5, 20])
def test_boundaries_of_high_dimensions_grow_in_proportion(degree):
    """beta_k/d -> k(k+1)/(2k+1), with an error of order 1/d: it halves when d doubles."""
    limit = degree * (degree + 1) / (2 * degree + 1)
    gaps = [float(th.critical_beta(degree, dim, 20)) / dim - limit for dim in (10**5, 2 * 10**5, 4 * 10**5)]
    assert [before / after for before, after in pairwise(gaps)] == pytest.approx([2, 2], rel=0.03)


@given(fractions(0, 100, max_denominator=100), integers(2, 30), sampled_from(["usa", "sa"]))
@settings(max_examples=20)
def test_phase_holds_the_temperature_between_its_boundaries(beta, dim, model):
    """The interval contains beta, its ends are critical_beta's, the rate is the largest by the series."""
    here = th.phase(beta, dim, model=model, digits=10)
    assert (here.dim, here.beta, here.model) == (dim, fmpq(beta.numerator, beta.denominator), model)
    assert Fraction(here.upper.value) > beta
    assert here.upper.value == th.critical_beta(here.degree, dim, 10).value
    if here.degree == 1:
        assert here.lower is None
    else:
        assert Fraction(here.lower.value) < beta
        assert here.lower.value == th.critical_beta(here.degree - 1, dim, 10).value
    assert here.rate.value == th.growth_rate(here.degree, dim, beta, model=model, digits=10).value
    neighbours = [k for k in (here.degree - 1, here.degree + 1) if k]
    assert all(here.rate.ball > th.growth_rate(k, dim, beta, model=model, digits=25).ball for k in neighbours)


@pytest.mark.parametrize(
    ("beta", "dim", "selected"),
    [(0, 2, 1), ("1e-300", 2, 1), (5, 2, 3), (7, 2, 4), (5, 3, 3), (10**6, 10**4, None), (10**4, 10**4, None)],
)
def test_selected_degree_at_the_ends_of_the_range(beta, dim, selected):
    """The published clusters at beta 5 and 7, the Kuramoto limit, and large values by two neighbouring boundaries."""
    found = th.selected_degree(beta, dim)
    if selected is not None:
        assert found == selected
    assert found == 1 or float(th.critical_beta(found - 1, dim)) < float(beta)
    assert float(beta) < float(th.critical_beta(found, dim))


@pytest.mark.parametrize("function", [th.critical_beta, th.phases.critical_beta_bounds])
@pytest.mark.parametrize(
    ("degree", "dim", "named"),
    [(0, 2, "degree 0"), (-1, 2, "degree -1"), (1.5, 2, "degree 1.5"), (nan, 2, "degree nan"), (3, 1, "dim 1")],
)
def test_bad_degree_or_dimension_of_a_boundary_is_named(function, degree, dim, named):
    """ValueError whose message starts with the parameter and the value."""
    with pytest.raises(ValueError, match=f"^{named}"):
        function(degree, dim)


@pytest.mark.parametrize("digits", [0, -1, 2.5, nan])
def test_bad_digits_of_a_boundary_are_named(digits):
    """The same message as everywhere."""
    with pytest.raises(ValueError, match=f"^digits {digits}"):
        th.critical_beta(1, 2, digits)


@pytest.mark.parametrize("function", [th.selected_degree, th.phase])
@pytest.mark.parametrize(
    ("beta", "dim", "named"),
    [(-1, 2, "beta -1"), (nan, 2, "beta nan"), (inf, 2, "beta inf"), ("x", 2, "beta x"), (5, 1, "dim 1")],
)
def test_bad_temperature_or_dimension_of_a_phase_is_named(function, beta, dim, named):
    """ValueError whose message starts with the parameter and the value."""
    with pytest.raises(ValueError, match=f"^{named}"):
        function(beta, dim)


def test_bad_model_of_a_phase_is_named():
    """Only two models have a phase diagram here."""
    with pytest.raises(ValueError, match=r"^model relu"):
        th.phase(5, 2, model="relu")


@pytest.mark.parametrize(
    ("function", "arguments"),
    [(th.critical_beta, (th.k, 2)), (th.critical_beta, (1, th.d)), (th.selected_degree, (5, th.d))],
)
def test_symbols_are_refused_where_a_number_is_needed(function, arguments):
    """A symbolic degree or dimension has no certified boundary: a ValueError that names it, not int()'s TypeError."""
    with pytest.raises(ValueError, match=r"^(degree k|dim d)"):
        function(*arguments)


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_the_highest_degree_compared_has_no_upper_boundary(most):
    """Among degrees 1 to k the last one stays selected for ever: as with a kernel or with noise, beta lies within."""
    here = th.phase(5, 2, max_degree=most, digits=8)
    written = th.phase(5, 2, kernel=th.Kernel("exp(beta*t)"), max_degree=most, digits=8)
    assert here.degree == written.degree == min(most, 3)
    assert (here.upper is None) == (most <= 3) == (written.upper is None)
    assert here.lower is None or here.lower < 5
