"""Functions of arrays against mpmath, exact fractions and long recurrences: none shares a line with the package."""

from fractions import Fraction
from math import inf, nan

import flint
import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, sampled_from

from gegenflow import theory as th
from gegenflow.theory.exact.floats import float_values

SIZES = (1e-12, 1e-3, 0.7, 30.0, 1e3, 1e6)
FAR = [(1, 2), (2, 2), (3, 2), (10_000, 2), (3, 3), (60, 3), (10_000, 3), (7, 999), (2, 10_000), (10_000, 10_000)]
RELATIVE = 1e-14


def bessel(order: mpmath.mpf, argument: mpmath.mpf) -> mpmath.mpf:
    """mpmath's function; the first terms of DLMF 10.41.3, off by order^-5, where it would sum a million."""
    if order < 4000:
        return mpmath.besseli(order, argument)
    root = mpmath.hypot(1, argument / order)
    p, power = 1 / root, root + mpmath.log(argument / order / (1 + root))
    terms = (
        mpmath.mpf(1),
        (3 * p - 5 * p**3) / 24,
        (81 * p**2 - 462 * p**4 + 385 * p**6) / 1152,
        (30375 * p**3 - 369603 * p**5 + 765765 * p**7 - 425425 * p**9) / 414720,
        (4465125 * p**4 - 94121676 * p**6 + 349922430 * p**8 - 446185740 * p**10 + 185910725 * p**12) / 39813120,
    )
    series = sum(term / order**i for i, term in enumerate(terms))
    return mpmath.exp(order * power) / mpmath.sqrt(2 * mpmath.pi * order * root) * series


def rate(degree: int, dim: int, beta: float, model: str) -> mpmath.mpf:
    """L_k w_k/beta, over w_0 for SA, by mpmath's Bessel functions; odd or even in beta."""
    size, half = mpmath.mpf(abs(beta)), mpmath.mpf(dim) / 2
    scale = bessel(half - 1, size) if model == "sa" else (size / 2) ** (half - 1) / mpmath.gamma(half)
    sign = -1 if beta < 0 and degree % 2 == 0 else 1
    return sign * degree * (degree + dim - 2) * bessel(degree + half - 1, size) / scale / size


@pytest.mark.parametrize(("degree", "dim"), FAR)
@pytest.mark.parametrize("model", ["usa", "sa"])
def test_rates_are_right_to_the_last_bits_from_1e_12_to_1e6(degree, dim, model):
    """Values where floats hold them, signs and logarithms everywhere, for beta of either sign."""
    betas = np.array([sign * size for size in SIZES for sign in (1, -1)])
    curve = th.rate_function(degree, dim, model=model)
    values, (signs, sizes) = curve(betas.reshape(2, -1)).ravel(), curve.log(betas)
    with mpmath.workdps(50):
        for beta, value, sign, size in zip(betas, values, signs, sizes, strict=True):
            exact = rate(degree, dim, beta, model)
            assert sign == mpmath.sign(exact)
            assert abs(size - mpmath.log(abs(exact))) <= RELATIVE * max(abs(size), 1)
            if 1e-300 < abs(exact) < 1e308:
                assert abs(value - exact) <= RELATIVE * abs(exact)
            else:
                assert value == 0 if abs(exact) < 1 else value == sign * inf


def test_nothing_cancels_where_closed_forms_do():
    """sinh and cosh lose gamma_3 at beta = .001, Bessel functions do not: a curve, an exact form, a table of floats."""
    value = 1.14285720635e-7
    assert float(th.rate_function(3, 3)(1e-3)) == pytest.approx(value, rel=1e-11)
    exact = th.growth_rate(3, 3)
    assert not exact.has(sp.sinh, sp.cosh)
    assert float(exact.subs(th.beta, sp.Float("1e-3")).evalf()) == pytest.approx(value, rel=1e-11)
    assert float(sp.lambdify(th.beta, exact, "scipy")(1e-3)) == pytest.approx(value, rel=1e-11)
    elementary = th.growth_rate(3, 3, elementary=True)
    assert not elementary.has(sp.besseli)
    assert sp.N((elementary / exact).subs(th.beta, sp.Rational(7, 3)), 40) == pytest.approx(1, abs=1e-35)


@settings(max_examples=20)
@given(degree=integers(1, 8), dim=integers(2, 8), beta=floats(-3, 3))
def test_a_curve_of_heads_is_the_sum_of_its_heads(degree, dim, beta):
    """Rates are linear in the weight."""
    heads = th.rate_function(degree, dim, kernel=th.Kernel.heads([1, "0.5"], [1, -2]), noise="0.25")
    plain = th.rate_function(degree, dim)
    there = plain(beta) + 0.5 * plain(-2 * beta) - 0.25 * degree * (degree + dim - 2)
    assert heads(beta) == pytest.approx(there, rel=1e-13, abs=1e-13 * (1 + abs(plain(3.0))))


def test_a_rate_of_zero_is_zero():
    """By parity, and where noise and a polynomial balance: degree 2 of 1 + beta t grows at 6 (beta/15 - 1/10)."""
    assert th.rate_function(2, 3, kernel="cosh(beta*t)")([0.5, 2.0]).tolist() == [0, 0]
    curve = th.rate_function(2, 3, kernel="1 + beta*t", noise="0.1")
    assert curve([1.5, 3.0]).tolist() == [0, 0.6]
    assert [part.tolist() for part in curve.log([1.5, 0.0])] == [[0, -1], [-inf, pytest.approx(np.log(0.6))]]


def by_recurrence(degree: int, dim: int, overlap: float, bits: int) -> arb:
    """DLMF 18.9.1 in balls of so many bits that what the recurrence loses does not matter."""
    with flint.ctx.workprec(bits):
        before, value = arb(1), arb(overlap)
        for n in range(1, degree):
            before, value = value, ((2 * n + dim - 2) * arb(overlap) * value - n * before) / (n + dim - 2)
        return value


@settings(max_examples=40)
@given(
    degree=integers(1, 200), dim=sampled_from([2, 3, 4, 5, 16, 1000, 9999]), overlap=floats(-1, 1) | sampled_from([0.0])
)
def test_harmonics_are_right_to_the_last_bits(degree, dim, overlap):
    """Against the recurrence; -1, 0 and 1 included."""
    exact = by_recurrence(degree, dim, overlap, 4000)
    curve = th.sphere.gegenbauer_function(degree, dim)
    value, (sign, size) = arb(float(curve(overlap))), curve.log(overlap)
    with flint.ctx.workprec(4000):
        if exact.contains(0):
            assert value == 0
            assert float(sign) == 0
        elif abs(exact) > arb(10) ** -300:
            assert abs(value - exact) <= RELATIVE * abs(exact)
        assert exact.contains(0) or abs(arb(float(size)) - abs(exact).log()) <= RELATIVE * (1 + abs(arb(float(size))))


@pytest.mark.parametrize(("dim", "bits"), [(2, 20_000), (3, 20_000), (10_000, 40_000)])
def test_harmonics_of_degree_ten_thousand(dim, bits):
    """Two overlaps each, one of them next to a zero of the Chebyshev polynomial."""
    for overlap in (0.3, float(np.cos(np.pi * (2 * 4321 - 1) / 20_000))):
        exact = by_recurrence(10_000, dim, overlap, bits)
        curve = th.gegenbauer_function(10_000, dim)
        sign, size = curve.log(overlap)
        with flint.ctx.workprec(bits):
            assert float(sign) == (1 if exact > 0 else -1)
            assert abs(arb(float(size)) - abs(exact).log()) <= RELATIVE * abs(arb(float(size)))
            if abs(exact) > 1e-300:
                assert abs(arb(float(curve(overlap))) - exact) <= RELATIVE * abs(exact)


def test_zeros_at_floats_are_found():
    """P_2 = (d t^2 - 1)/(d - 1) vanishes at 1/2 in dim 4 and at 1/4 in dim 16; U_5 at 1/2; next to it nothing does."""
    for degree, dim, zero in ((2, 4, 0.5), (2, 16, 0.25), (5, 4, 0.5), (201, 3, 0.0)):
        curve = th.gegenbauer_function(degree, dim)
        assert curve([zero, -zero]).tolist() == [0, 0]
        assert curve(np.nextafter(zero, 1)) != 0
    assert float(th.gegenbauer_function(2, 4)(np.nextafter(0.5, 1))) == float(
        (4 * Fraction(np.nextafter(0.5, 1)) ** 2 - 1) / 3
    )


def test_a_value_that_no_precision_tells_from_zero_is_refused():
    """cos^2 + sin^2 - 1, at 96 bits doubled until they are more than 2^19."""
    with pytest.raises(th.Refused, match=r"x 1\.0: the value there cannot be told from 0 with 786432 bits"):
        float_values(lambda x: x.cos() ** 2 + x.sin() ** 2 - 1, [1.0], "x", 0, 2)


@pytest.mark.parametrize("bad", [nan, inf, [1.0, nan], "x", None, 1j, object(), np.ma.array([0.5], mask=[True]), 1.5])
def test_what_is_no_overlap_or_beta_is_refused(bad):
    """By name, in one sentence; 1.5 is a beta."""
    with pytest.raises(th.Refused, match=r"^overlap"):
        th.gegenbauer_function(3, 3)(bad)
    if bad != 1.5:
        with pytest.raises(th.Refused, match=r"^beta"):
            th.rate_function(3, 3)(bad)


def test_a_curve_needs_a_kernel_of_beta_alone():
    """And a mean that SA can divide by, where it is called."""
    for kernel, held in (("tanh(t)", "none"), ("v*exp(beta*t)", "beta, v")):
        with pytest.raises(th.Refused, match=f"holds {held}"):
            th.rate_function(1, 2, kernel=kernel)
    with pytest.raises(th.Refused, match="mean of the weight"):
        th.rate_function(1, 2, kernel="beta - 1 + t", model="sa")([2.0, 0.5])
    assert float(th.rate_function(1, 2)(0.0)) == float(th.growth_rate(1, 2, 0)) == 0.5
