"""Zonal harmonics and the sphere's measure, against exact rational arithmetic that shares no code with the package."""

from fractions import Fraction
from itertools import combinations_with_replacement
from math import comb, inf, nan

import flint
import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given
from hypothesis.strategies import fractions, integers, lists
from scipy.special import eval_gegenbauer
from support.exact_moments import moment

from gegenflow import theory as th
from gegenflow.theory.sphere import zonal_divergence

degrees, dims = integers(0, 12), integers(2, 12)
overlaps = fractions(-1, 1, max_denominator=50)


def exact(number: sp.Expr) -> Fraction:
    return Fraction(int(number.p), int(number.q))


def hypergeometric(degree: int, dim: int, overlap: Fraction) -> Fraction:
    """2F1(-k, k+d-2; (d-1)/2; (1-t)/2), DLMF 18.5.9, summed in fractions."""
    total = term = Fraction(1)
    for m in range(degree):
        term *= (
            Fraction((m - degree) * (m + degree + dim - 2), m + 1) / Fraction(2 * m + dim - 1, 2) * (1 - overlap) / 2
        )
        total += term
    return total


def coefficients_of(polynomial: sp.Expr) -> list[Fraction]:
    """Coefficients of a polynomial of the overlap, that of the constant first."""
    return [exact(sp.Rational(c)) for c in reversed(sp.Poly(polynomial, th.t).all_coeffs())]


def mean(dim: int, *polynomials: sp.Expr) -> Fraction:
    """Mean of a product of polynomials of the overlap over S^{d-1}."""
    product = [Fraction(1)]
    for factor in map(coefficients_of, polynomials):
        longer = [Fraction(0)] * (len(product) + len(factor) - 1)
        for m, a in enumerate(product):
            for n, b in enumerate(factor):
                longer[m + n] += a * b
        product = longer
    return sum((c * moment(power, dim) for power, c in enumerate(product)), Fraction(0))


@given(degrees, dims, overlaps)
def test_zonal_harmonic_is_the_hypergeometric_polynomial(degree, dim, overlap):
    """Three-term recurrence against the hypergeometric sum, both exact: they share no step."""
    value = th.gegenbauer(degree, dim, sp.Rational(overlap.numerator, overlap.denominator))
    assert exact(sp.Rational(value)) == hypergeometric(degree, dim, overlap)


@given(integers(0, 25), integers(3, 40), overlaps.map(float))
def test_zonal_harmonic_is_scipys_gegenbauer_scaled_to_one(degree, dim, overlap):
    """scipy's C_k of index (d-2)/2 over its value at 1, in floats; |P_k| <= 1 makes the error absolute."""
    index = (dim - 2) / 2
    ours = th.gegenbauer(degree, dim, sp.Rational(overlap))
    assert float(ours) == pytest.approx(
        eval_gegenbauer(degree, index, overlap) / eval_gegenbauer(degree, index, 1), abs=1e-11
    )


@given(integers(0, 6), dims, overlaps)
def test_symbolic_dimension_agrees_with_numbers(degree, dim, overlap):
    """Rational functions of a symbol d, evaluated afterwards, against the hypergeometric sum at that dimension."""
    t = sp.Rational(overlap.numerator, overlap.denominator)
    for expression in (th.gegenbauer(degree), th.gegenbauer(degree, th.d, th.t)):
        value = sp.Rational(expression.subs({th.t: t, th.d: dim}))
        assert exact(value) == hypergeometric(degree, dim, overlap)


@given(degrees, dims)
def test_zonal_harmonic_solves_its_differential_equation(degree, dim):
    """The equation written out here; with L_k of a neighbouring degree or dimension it fails, so the test has teeth."""
    p, t = th.gegenbauer(degree, dim), th.t
    left = (1 - t**2) * sp.diff(p, t, 2) - (dim - 1) * t * sp.diff(p, t)
    assert sp.expand(left + degree * (degree + dim - 2) * p) == 0
    assert sp.expand(left + (degree + 1) * (degree + dim - 1) * p) != 0
    assert sp.expand(th.sphere.zonal_laplacian(p, dim) + th.sphere.laplacian_eigenvalue(degree, dim) * p) == 0


@given(integers(0, 12), dims)
def test_zonal_laplacian_is_the_euclidean_one_less_its_radial_part(power, dim):
    """x_1^n is homogeneous: its Laplacian in R^d, n(n-1) x_1^(n-2), is n(n+d-2) x_1^n more than on the sphere."""
    t = th.t
    euclidean = power * (power - 1) * t ** max(power - 2, 0)
    assert sp.expand(th.sphere.zonal_laplacian(t**power, dim) - euclidean + power * (power + dim - 2) * t**power) == 0


@given(integers(0, 6), integers(1, 4), integers(0, 1), dims)
def test_equal_parity_harmonics_are_orthogonal_for_the_right_weight_only(half, gap, parity, dim):
    """Exact moments; equal parity, so no symmetry helps, and the weight of dimension d+1 gives a nonzero mean."""
    low, high = 2 * half + parity, 2 * (half + gap) + parity
    pair = th.gegenbauer(low, dim), th.gegenbauer(high, dim)
    assert mean(dim, *pair) == 0
    assert mean(dim + 1, *pair) != 0


@given(degrees, dims)
def test_norm_of_the_zonal_harmonic_is_one_over_the_number_of_harmonics(degree, dim):
    """Addition theorem: <P_k^2> = 1/D_k, the left side from moments, the right from the package's binomials."""
    assert mean(dim, *[th.gegenbauer(degree, dim)] * 2) == Fraction(1, th.harmonic_dimension(degree, dim))


@given(integers(0, 5), integers(2, 4))
def test_harmonic_dimension_counts_harmonic_polynomials(degree, dim):
    """Nullity of the Laplacian on homogeneous polynomials, a matrix of rationals: linear algebra, no formula."""
    monomials = list(combinations_with_replacement(range(dim), degree))
    powers = [tuple(m.count(i) for i in range(dim)) for m in monomials]
    targets = {p: row for row, p in enumerate(powers_of(dim, degree - 2))}
    if not targets:
        assert th.harmonic_dimension(degree, dim) == len(powers)
        return
    laplacian = flint.fmpq_mat(len(targets), len(powers))
    for column, p in enumerate(powers):
        for i in range(dim):
            if p[i] >= 2:
                image = (*p[:i], p[i] - 2, *p[i + 1 :])
                laplacian[targets[image], column] += p[i] * (p[i] - 1)
    assert th.harmonic_dimension(degree, dim) == len(powers) - laplacian.rank()


def powers_of(dim: int, degree: int) -> list[tuple[int, ...]]:
    if degree < 0:
        return []
    return [tuple(m.count(i) for i in range(dim)) for m in combinations_with_replacement(range(dim), degree)]


@given(integers(1, 10**4), integers(2, 10**4))
def test_harmonic_dimension_has_the_product_form(degree, dim):
    """D_k = (2k+d-2)/(k+d-2) binom(k+d-2, k): another closed form, also at the ends of the range."""
    assert th.harmonic_dimension(degree, dim) * (degree + dim - 2) == (2 * degree + dim - 2) * comb(
        degree + dim - 2, degree
    )


@given(integers(0, 5), dims)
def test_zonal_weight_has_the_moments_of_a_coordinate(half, dim):
    """Quadrature in the angle against the Gaussian moments; power 0 is the total mass."""
    weight = sp.lambdify(th.t, th.sphere.zonal_weight(dim), "mpmath")
    with mpmath.workdps(30):
        integral = mpmath.quad(
            lambda angle: mpmath.cos(angle) ** (2 * half) * weight(mpmath.cos(angle)) * mpmath.sin(angle),
            [0, mpmath.pi / 2, mpmath.pi],
            method="gauss-legendre",
        )
        expected = moment(2 * half, dim)
        assert abs(integral - mpmath.mpf(expected.numerator) / expected.denominator) < mpmath.mpf(10) ** -25


@given(lists(integers(-9, 9), min_size=1, max_size=8), dims)
def test_divergence_integrates_to_zero(coefficients, dim):
    """Random polynomial fluxes against exact moments; one dimension off leaves -<t g>."""
    flux = sum(c * th.t**n for n, c in enumerate(coefficients))
    assert mean(dim, zonal_divergence(flux, dim)) == 0
    surplus = mean(dim, th.t, flux)
    assume(surplus != 0)
    assert mean(dim, zonal_divergence(flux, dim + 1)) == -surplus


@pytest.mark.parametrize("function", [th.sphere.laplacian_eigenvalue, th.harmonic_dimension, th.gegenbauer])
@pytest.mark.parametrize(
    ("degree", "dim", "named"),
    [
        *((-1, 3, "degree -1"), (2.5, 3, "degree 2.5"), (nan, 3, "degree nan"), (inf, 3, "degree inf")),
        *((True, 3, "degree True"), ("3", 3, "degree 3"), (3, 1, "dim 1"), (3, 0, "dim 0"), (3, -2, "dim -2")),
        *((3, 2.5, "dim 2.5"), (3, nan, "dim nan"), (3, inf, "dim inf")),
    ],
)
def test_bad_degrees_and_dimensions_are_named(function, degree, dim, named):
    """The message starts with the name and the value that came in."""
    with pytest.raises(ValueError, match=named):
        function(degree, dim)


@pytest.mark.parametrize("bad", ["abc", None, 1j])
def test_what_is_no_number_at_all_is_named_too(bad):
    """Text, None and complex numbers: a ValueError that names them, not one from inside int()."""
    with pytest.raises(ValueError, match=r"^degree .*the degree must be"):
        th.sphere.laplacian_eigenvalue(bad, 3)
    with pytest.raises(ValueError, match=r"^dim .*the sphere"):
        th.sphere.laplacian_eigenvalue(3, bad)


def test_whole_numbers_of_other_types_are_accepted():
    """numpy, sympy and whole floats mean the same degree."""
    for three in (np.int64(3), np.float64(3), 3.0, sp.Integer(3)):
        assert th.sphere.laplacian_eigenvalue(three, 5) == 18
        assert th.harmonic_dimension(three, 3) == 7
