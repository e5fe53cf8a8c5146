"""Expansions against certified values, and the proof of the rational bounds, coefficient by coefficient."""

from fractions import Fraction
from itertools import pairwise
from math import inf, nan

import mpmath
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis.strategies import floats, fractions, integers

from gegenflow import theory as th
from gegenflow.theory.phases.asymptotics import (
    critical_beta_series,
    inverse_ratio_series,
    largest_rate_series,
    selected_degree_series,
    u,
)
from gegenflow.theory.phases.bounds import critical_beta_sharp_bounds

DIGITS = 60
TERMS = 4


def certified(degree: int, dim: int) -> sp.Rational:
    return sp.Rational(th.critical_beta(degree, dim, DIGITS).value)


def slopes(sizes, errors) -> list[float]:
    """Observed orders: slope of log |error| against log size between neighbours."""
    points = [(float(sp.log(size)), float(sp.log(abs(error)))) for size, error in zip(sizes, errors, strict=True)]
    return [(after[1] - before[1]) / (after[0] - before[0]) for before, after in pairwise(points)]


# the inverse of the Bessel ratio


def distance_of_neighbours(order: mpmath.mpf, b: mpmath.mpf) -> mpmath.mpf:
    """(I_{mu-1/2} - I_{mu+1/2})/(I_{mu-1/2} + I_{mu+1/2}) at b by the continued fraction DLMF 10.33.1.

    Backwards from beyond the order 2b, where a step shrinks the error of the start at least sixteenfold.
    """
    ratio = mpmath.mpf(0)
    for m in range(int(2 * b) + 100, 0, -1):
        ratio = 1 / ((2 * order - 1 + 2 * m) / b + ratio)
    return (1 - ratio) / (1 + ratio)


def summands(terms: int, order: mpmath.mpf, value: mpmath.mpf) -> list[mpmath.mpf]:
    series = enumerate(inverse_ratio_series(terms))
    return [sp.lambdify(u, w, "mpmath")(value) * order ** (1 - n) / value for n, w in series]


@given(floats(50, 2000), floats(-3, 1.5), integers(1, 6))
def test_inverse_ratio_returns_the_argument_uniformly(root, log_argument, terms):
    """The argument of a continued fraction comes back, within mu^(1-terms)/8 whatever b/mu (mu^0/2 for one term)."""
    with mpmath.workdps(40):
        order = mpmath.mpf(root)
        b = order * mpmath.exp(log_argument)
        found = sum(summands(terms, order, distance_of_neighbours(order, b)))
        assert abs(found - b) < order ** (1 - terms) / (2 if terms == 1 else 8)


@pytest.mark.parametrize("scaled", [0.3, 1, 4])
@pytest.mark.parametrize("terms", [1, 2, 3, 4, 5])
def test_inverse_ratio_has_the_order_of_its_first_omitted_term(scaled, terms):
    """At b = mu z, z fixed: slope 1 - terms in mu, and the error is the omitted term up to O(1/mu)."""
    errors, quotients = [], []
    with mpmath.workdps(60):
        for size in (1000, 2000, 4000):
            order, b = mpmath.mpf(size), size * mpmath.mpf(scaled)
            *kept, omitted = summands(terms + 1, order, distance_of_neighbours(order, b))
            errors.append(b - sum(kept))
            quotients.append(errors[-1] / omitted)
    steps = [float(mpmath.log(abs(after / before), 2)) for before, after in pairwise(errors)]
    assert steps == pytest.approx([1 - terms] * 2, abs=0.05)
    assert float(quotients[-1]) == pytest.approx(1, abs=0.01)


# boundaries of large degree and of large dimension


@pytest.mark.parametrize("dim", [2, 3, 4, 9, 40])
@pytest.mark.parametrize("terms", range(1, TERMS + 1))
def test_boundary_of_large_degree_has_the_order_of_the_first_omitted_term(dim, terms):
    """Certified boundaries less the truncated series: slope 2 - 2 terms in mu (-2 where the constant is 0)."""
    degrees = [1250, 2500, 5000, 10_000]
    sizes = [degree + sp.Rational(dim - 1, 2) for degree in degrees]
    series = critical_beta_series(terms).subs(th.d, dim)
    errors = [certified(degree, dim) - series.subs(th.k, degree) for degree in degrees]
    order = -2 if (dim, terms) == (3, 1) else 2 - 2 * terms
    assert slopes(sizes, errors) == pytest.approx([order] * 3, abs=0.01)
    if terms < TERMS:
        longer = critical_beta_series(2 - order // 2).subs(th.d, dim)
        omitted = (longer - series).subs(th.k, degrees[-1])
        assert float(errors[-1] / omitted) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("degree", [1, 7])
@pytest.mark.parametrize("terms", range(1, TERMS + 1))
def test_boundary_of_large_dimension_has_the_order_of_the_first_omitted_term(degree, terms):
    """Certified boundaries less the truncated series: slope 1 - terms in d, and the constant of the omitted term."""
    dims = [25_000, 50_000, 100_000, 200_000]
    series = critical_beta_series(terms, "dim").subs(th.k, degree)
    errors = [certified(degree, dim) - series.subs(th.d, dim) for dim in dims]
    assert slopes(dims, errors) == pytest.approx([1 - terms] * 3, abs=0.01)
    if terms < TERMS:
        longer = critical_beta_series(terms + 1, "dim").subs(th.k, degree)
        omitted = (longer - series).subs(th.d, dims[-1])
        assert float(errors[-1] / omitted) == pytest.approx(1, abs=1e-3)


def test_leading_laws_of_the_boundaries():
    """(L_k + L_{k+1})/4 is the first two terms for every k and d; beta_k/d tends to k(k+1)/(2k+1)."""
    mean = (th.sphere.laplacian_eigenvalue() + th.sphere.laplacian_eigenvalue(th.k + 1)) / 4
    assert sp.expand(critical_beta_series(2) - mean) == 0
    assert sp.limit((critical_beta_series() - mean) * th.k**2, th.k, sp.oo) == -(th.d**2 - 4 * th.d + 7) / sp.Integer(8)
    slope = th.k * (th.k + 1) / (2 * th.k + 1)
    assert sp.simplify(critical_beta_series(1, "dim") / th.d - slope) == 0
    assert sp.limit(critical_beta_series(3, "dim").subs(th.k, 5) / th.d, th.d, sp.oo) == slope.subs(th.k, 5)


# rational bounds


@given(integers(1, 10**4), integers(2, 10**4))
@settings(max_examples=60)
def test_sharp_bounds_enclose_the_certified_boundary(degree, dim):
    """As fractions against 60 certified digits, with a relative distance below 1/(8 mu^3)."""
    lower, upper = critical_beta_sharp_bounds(degree, dim)
    boundary = th.critical_beta(degree, dim, DIGITS)
    value, error = sp.Rational(boundary.value), sp.Rational(boundary.error)
    assert lower < value - error
    assert value + error < upper
    assert upper / lower - 1 < sp.Rational(2 * degree + dim - 1, 2) ** -3 / 8


@given(integers(1, 12), integers(2, 40))
def test_sharp_bounds_of_small_degrees(degree, dim):
    """Where the bounds are widest; except for degree 1, dim 2 they lie inside those of Amos."""
    lower, upper = critical_beta_sharp_bounds(degree, dim)
    wide = [sp.Rational(Fraction(end)) for end in th.phases.critical_beta_bounds(degree, dim)]
    assert wide[0] < lower < certified(degree, dim) < upper
    assert upper < wide[1] or (degree, dim) == (1, 2)


def test_sharp_bounds_of_symbols_become_those_of_numbers():
    """Rational functions of k and d, whose relative distance falls like 2 k^-5 at any fixed d."""
    lower, upper = critical_beta_sharp_bounds()
    for degree, dim in ((1, 2), (3, 8), (50, 4)):
        numbers = {th.k: degree, th.d: dim}
        assert (lower.subs(numbers), upper.subs(numbers)) == critical_beta_sharp_bounds(degree, dim)
    distance = sp.together(((upper - lower) / lower).subs(th.d, 5))
    assert sp.limit(distance * th.k**5, th.k, sp.oo) == 2


R, delta, mu, y = sp.symbols("R delta mu y", positive=True)
Z = (2 * R / (1 - R**2), R / (1 + R**2), 2 * R**3 * (1 - R**2) / (1 + R**2) ** 4)


def defect(epsilon, shift):
    """The expression of the docstring whose sign is that of G' - F(R, G)."""
    z0, z1, z2 = Z
    return (1 - R**2) * (shift * z0.diff(R) * z2 + (z1 * z2).diff(R) + epsilon * z2 * z2.diff(R)) - z2


def test_proof_of_the_sharp_bounds_reduces_to_the_defect():
    """G' - F(R, G) from the Riccati equation is a positive multiple of the defect, by sympy."""
    epsilon = 1 / (mu - delta)
    bound = mu * Z[0] + Z[1] + epsilon * Z[2]
    slope = bound / ((1 - R**2) * bound - 2 * mu * R)
    factor = epsilon / ((1 - R**2) * (Z[1] + epsilon * Z[2]))
    assert sp.cancel(sp.together(bound.diff(R) - slope - factor * defect(epsilon, delta))) == 0


@pytest.mark.parametrize(("shift", "last", "sign"), [(sp.Rational(1, 2), 1, 1), (-sp.Rational(3, 2), "1/3", -1)])
def test_proof_of_the_sharp_bounds_has_coefficients_of_one_sign(shift, last, sign):
    """At both ends of the range of epsilon, the polynomial in y = 1/R^2 - 1."""
    for epsilon in (0, sp.Rational(last)):
        cleared = sp.cancel(defect(epsilon, shift) * (1 + R**2) ** 9 / R**3)
        polynomial = sp.Poly(sp.cancel(cleared.subs(R, 1 / sp.sqrt(1 + y)) * (1 + y) ** 6), y)
        assert all(sign * c >= 0 for c in polynomial.all_coeffs())
        assert any(polynomial.all_coeffs())


@given(integers(1, 10**4), integers(2, 10**4))
def test_sharp_bounds_are_the_bound_of_the_proof(degree, dim):
    """G(R) at R = L_k/L_{k+1} with epsilon = 1/(mu + 3/2), 1/(mu - 1/2): the printed form carries no slip."""
    below, above = (sp.Integer(n * (n + dim - 2)) for n in (degree, degree + 1))
    root, z = sp.Rational(2 * degree + dim - 1, 2), [term.subs(R, below / above) for term in Z]
    expected = tuple(root * z[0] + z[1] + z[2] / (root + shift) for shift in (sp.Rational(3, 2), -sp.Rational(1, 2)))
    assert critical_beta_sharp_bounds(degree, dim) == expected


# selected degree and largest rate


@pytest.mark.parametrize("dim", [2, 4, 7, 20])
@pytest.mark.parametrize("terms", range(1, TERMS + 1))
def test_selected_degree_series_inverts_the_certified_boundaries(dim, terms):
    """At beta = beta_k the series returns k: slope 1/2 - terms in beta, constant of the omitted term."""
    degrees = [1250, 2500, 5000, 10_000]
    temperatures = [certified(degree, dim) for degree in degrees]
    series = selected_degree_series(terms).subs(th.d, dim)
    values = [series.subs(th.beta, b).evalf(50) for b in temperatures]
    errors = [degree - value for degree, value in zip(degrees, values, strict=True)]
    assert slopes(temperatures, errors) == pytest.approx([0.5 - terms] * 3, abs=0.01)
    if terms < TERMS:
        longer = selected_degree_series(terms + 1).subs(th.d, dim)
        omitted = longer.subs(th.beta, temperatures[-1]).evalf(50) - values[-1]
        assert float(errors[-1] / omitted) == pytest.approx(1, abs=1e-4)


@given(fractions(10**4, 10**12, max_denominator=1000), integers(2, 12))
@settings(max_examples=60)
def test_selected_degree_is_the_ceiling_of_its_series(temperature, dim):
    """Against the exact selected degree; the two ends of an interval of 1e-6 about the series allow for its error."""
    value = selected_degree_series().subs({th.d: dim, th.beta: sp.Rational(temperature)}).evalf(40)
    selected = th.selected_degree(temperature, dim)
    assert sp.ceiling(value - 1e-6) <= selected <= sp.ceiling(value + 1e-6)


@given(integers(10**3, 10**6), integers(2, 12))
@settings(max_examples=30)
def test_selected_degree_changes_where_the_boundary_series_says(degree, dim):
    """Two temperatures 1e-8/k^2 apart on both sides of four terms, up to beta = 5e11: exact selection, no Newton."""
    boundary = critical_beta_series().subs({th.k: degree, th.d: dim})
    step = sp.Rational(1, 10**8 * degree**2)
    below, above = (Fraction(int(b.p), int(b.q)) for b in (boundary - step, boundary + step))
    assert th.selected_degree(below, dim) == degree
    assert th.selected_degree(above, dim) == degree + 1


@pytest.mark.parametrize(("model", "dim"), [("sa", 2), ("usa", 6)])
@pytest.mark.parametrize(
    ("offset", "terms", "order"),
    [
        (0, 1, -1),
        (0, 2, -2),
        (0, 3, -3),
        ("1/2", 2, -2),
        ("1/2", 3, -3),
        ("3/2", 1, -1),
        ("3/2", 2, -1.5),
        (-2, 3, -2.5),
    ],
)
def test_largest_rate_has_the_order_of_the_first_omitted_term(model, dim, offset, terms, order):
    """Certified rates at temperatures where the degree has that offset; half powers of beta for a general one."""
    offset, degrees = sp.Rational(offset), [400, 800, 1600, 3200]
    place = critical_beta_series().subs(th.d, dim)
    temperatures = [place.subs(th.k, degree - sp.Rational(1, 2) - offset) for degree in degrees]
    leading, series, longer = (
        largest_rate_series(n, model=model, offset=offset).subs(th.d, dim) for n in (1, terms, terms + 1)
    )
    errors, quotients = [], []
    for degree, b in zip(degrees, temperatures, strict=True):
        rate = sp.Rational(th.growth_rate(degree, dim, b, model=model, digits=50).value)
        scale, value, better = (expression.subs(th.beta, b).evalf(60) for expression in (leading, series, longer))
        errors.append((rate - value) / scale)
        quotients.append((rate - value) / (better - value))
    assert slopes(temperatures, errors) == pytest.approx([order] * 3, abs=0.1)
    assert float(quotients[-1]) == pytest.approx(1, abs=5e-3)
    assert abs(quotients[-1] - 1) < abs(quotients[0] - 1)


@given(floats(3, 9), integers(2, 8))
@settings(max_examples=25)
def test_largest_rate_over_the_integers_lies_between_offsets_zero_and_one_half(log_temperature, dim):
    """The certified SA rate of the exact selected degree, with room for the omitted 1/beta^3 and for k* off 0."""
    temperature = Fraction(int(10**log_temperature))
    rate = sp.Rational(
        th.growth_rate(th.selected_degree(temperature, dim), dim, temperature, model="sa", digits=30).value
    )
    middle, edge = (
        largest_rate_series(offset=offset).subs({th.d: dim, th.beta: sp.Rational(temperature)}).evalf(40)
        for offset in (0, sp.Rational(1, 2))
    )
    room = sp.Rational(dim**4, temperature**3)
    assert edge - room < rate < middle + room + sp.Rational(1, 1000 * temperature**2)


def test_largest_rate_tends_to_two_over_e_from_below():
    """2/e in every dimension, less 2/(3 e beta) in the middle of a phase and 7/(6 e beta) on a boundary."""
    series, edge = largest_rate_series(), largest_rate_series(offset=sp.Rational(1, 2))
    assert sp.limit(series, th.beta, sp.oo) == 2 / sp.E
    assert sp.limit((series - 2 / sp.E) * th.beta, th.beta, sp.oo) == -sp.Rational(2, 3) / sp.E
    assert sp.limit((edge - 2 / sp.E) * th.beta, th.beta, sp.oo) == -sp.Rational(7, 6) / sp.E


@pytest.mark.parametrize("dim", [2, 5])
def test_real_degree_of_the_largest_rate(dim):
    """The zero of the derivative in the degree, by mpmath at beta = 2000, is kappa + 1/2 - sqrt(2)/(48 sqrt(beta))."""
    with mpmath.workdps(40):
        b, half = mpmath.mpf(2000), mpmath.mpf(dim) / 2 - 1
        place = selected_degree_series(4).subs({th.d: dim, th.beta: 2000}).evalf(30) + sp.Rational(1, 2)
        expected = mpmath.mpf(str(place)) - mpmath.sqrt(2 / b) / 48

        def logarithm(n):
            return mpmath.log(n**2 - half**2) + mpmath.log(mpmath.besseli(n, b))

        found = mpmath.findroot(lambda n: mpmath.diff(logarithm, n), expected + half, tol=1e-20) - half
    assert abs(found - expected) < 1e-2 * abs(found - mpmath.mpf(str(place)))


@pytest.mark.parametrize("model", ["sa", "usa"])
@pytest.mark.parametrize("terms", [2, 3, 4])
def test_two_degrees_tie_on_a_boundary(model, terms):
    """The series of I in its order against the inverse of the boundary series: rates at offsets -1/2, 1/2 agree."""
    lower, upper = (largest_rate_series(terms, model=model, offset=sp.Rational(s, 2)) for s in (-1, 1))
    assert sp.simplify(lower - upper) == 0


# bad input


@pytest.mark.parametrize("terms", [0, -1, 2.5, nan, True, "3"])
@pytest.mark.parametrize(
    "function", [inverse_ratio_series, critical_beta_series, selected_degree_series, largest_rate_series]
)
def test_bad_number_of_terms_is_named(function, terms):
    """ValueError whose message starts with the parameter and the value."""
    with pytest.raises(ValueError, match=f"^terms {terms}"):
        function(terms)


@pytest.mark.parametrize(
    ("degree", "dim", "named"), [(0, 2, "degree 0"), (1.5, 2, "degree 1.5"), (inf, 2, "degree inf"), (3, 1, "dim 1")]
)
def test_bad_degree_or_dimension_of_sharp_bounds_is_named(degree, dim, named):
    """As for the certified boundary."""
    with pytest.raises(ValueError, match=f"^{named}"):
        critical_beta_sharp_bounds(degree, dim)


def test_bad_limit_or_model_is_named():
    """Two limits and two models exist."""
    with pytest.raises(ValueError, match=r"^large beta"):
        critical_beta_series(large="beta")
    with pytest.raises(ValueError, match=r"^model relu"):
        largest_rate_series(model="relu")
    with pytest.raises(ValueError, match=r"^large \[\]"):
        critical_beta_series(1, large=[])


@pytest.mark.parametrize("offset", [None, nan, inf, sp.I, "x("])
def test_bad_offset_is_named(offset):
    """ValueError whose message starts with the parameter."""
    with pytest.raises(ValueError, match=r"^offset.*: the offset must be a finite real number or a symbol$"):
        largest_rate_series(offset=offset)


def test_number_of_terms_may_be_an_integer_of_sympy():
    """The same series as for the int."""
    assert critical_beta_series(sp.Integer(2)) == critical_beta_series(2)
