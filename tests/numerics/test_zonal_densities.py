"""Zonal densities in any dim, against mpmath's Bessel functions, scipy's polynomials, tokens, and symmetry."""

from dataclasses import replace
from math import comb, exp, sqrt

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis.strategies import floats, integers, sampled_from
from scipy.special import eval_chebyt, eval_gegenbauer, roots_gegenbauer

from gegenflow.numerics.densities.zonal import ZonalDensity, zonal_density
from gegenflow.numerics.densities.zonal_harmonics import expansion, funk_hecke, gauss_rule, zonal_polynomials
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.geometry import harmonic_dimension, quadrature
from gegenflow.numerics.tokens.refusals import Refused

models = sampled_from(["usa", "sa"])
seeds = integers(0, 10_000)


def count(degree, dim):
    return comb(degree + dim - 1, degree) - (comb(degree + dim - 3, degree - 2) if degree > 1 else 0)


def bessel_multiplier(degree, dim, beta):
    """w_k of exp(beta (t - 1))."""
    order = degree + mpmath.mpf(dim) / 2 - 1
    half = mpmath.mpf(dim) / 2
    return mpmath.gamma(half) * (2 / mpmath.mpf(beta)) ** (half - 1) * mpmath.besseli(order, beta) * mpmath.exp(-beta)


def harmonic(degree, dim, overlap):
    """sqrt(D_k) P_k by scipy, in dim >= 3."""
    index = dim / 2 - 1
    return sqrt(count(degree, dim)) * eval_gegenbauer(degree, index, overlap) / eval_gegenbauer(degree, index, 1.0)


def harmonic_slope(degree, dim, overlap):
    index = dim / 2 - 1
    scale = sqrt(count(degree, dim)) / eval_gegenbauer(degree, index, 1.0)
    return scale * 2 * index * eval_gegenbauer(degree - 1, index + 1, overlap)


def positive(degree, dim, seed):
    """A random density above 1/2."""
    draw = np.random.default_rng(seed).uniform(-1, 1, degree)
    peaks = np.sqrt([count(k, dim) for k in range(1, degree + 1)])
    return ZonalDensity(0.5 * draw / (np.abs(draw).sum() * peaks), dim)


def kernel_of(beta, model):
    """The weight whose multipliers are those of USA in physical time, and of SA."""
    return lambda t: np.exp(beta * (t if model == "usa" else t - 1))


@pytest.mark.parametrize("dim", [3, 4, 5, 8, 64])
def test_harmonics_are_those_of_scipy_and_orthonormal(dim):
    """Gegenbauer polynomials and a quadrature rule of scipy; the matrix sees a wrong weight in every diagonal."""
    overlap, weights = roots_gegenbauer(60, dim / 2 - 1)
    table = zonal_polynomials(dim, 40, overlap)
    assert table @ np.diag(weights / weights.sum()) @ table.T == pytest.approx(np.eye(41), abs=3e-12)
    exact = np.array([harmonic(k, dim, overlap) for k in range(41)])
    assert np.abs((table - exact) * np.sqrt(weights / weights.sum())).max() < 1e-12


@given(dim=integers(2, 70), nodes=integers(1, 200), data=seeds)
def test_gauss_rules_are_exact_and_symmetric(dim, nodes, data):
    """Even moments of a coordinate of the sphere are a product of ratios of integers."""
    overlap, weights = gauss_rule(dim, nodes)
    assert np.array_equal(overlap, -overlap[::-1])
    power = data % nodes
    moment = np.prod((1 + 2 * np.arange(power)) / (dim + 2 * np.arange(power)))
    assert weights @ overlap ** (2 * power) == pytest.approx(moment, rel=1e-10)


@pytest.mark.parametrize("dim", [2, 3, 4, 8, 64])
@pytest.mark.parametrize("model", ["usa", "sa"])
@pytest.mark.parametrize("beta", [0.5, 5.0, 200.0])
def test_small_modes_grow_at_the_rate_of_bessel_functions(dim, model, beta):
    """L_k w_k / beta from mpmath; the odd part in the size removes the quadratic term."""
    top = 12
    move = ZonalDensity(np.zeros(top), dim).motion(Flow(beta, model=model))
    scale = exp(beta) if model == "usa" else 1 / bessel_multiplier(0, dim, beta)
    degrees = np.arange(1, top + 1)
    bessel = np.array([float(bessel_multiplier(k, dim, beta)) for k in degrees])
    exact = degrees * (degrees + dim - 2) * bessel / beta * float(scale)
    for degree, rate in zip(degrees, exact, strict=True):
        start = np.zeros(top)
        start[degree - 1] = 1e-6 / sqrt(count(int(degree), dim))
        found = (move(start) - move(-start)) / (2 * start[degree - 1])
        expected = np.where(degrees == degree, rate, 0.0)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12 * exact.max())


@given(dim=integers(2, 64), beta=floats(0.1, 100), top=integers(0, 12))
def test_multipliers_are_bessel_functions(dim, beta, top):
    """Those of the kernel and of its primitive, exp(beta (t - 1)) / beta, from mpmath."""
    value, potential = ZonalDensity(np.zeros(top), dim).multipliers(Flow(beta, model="sa"))
    exact = np.array([float(bessel_multiplier(k, dim, beta)) for k in range(top + 1)])
    assert value == pytest.approx(exact, rel=1e-10, abs=1e-12 * exact[0])
    assert potential[1:] == pytest.approx(exact[1:] / beta, rel=1e-10, abs=1e-12 * exact[0])
    assert potential[0] == 0


def test_high_degrees_of_a_high_dim_do_not_overflow():
    """Degree 400 in dim 64, whose harmonic is 1e39 at a pole: rates of mpmath for the first few, zero for the rest."""
    move = ZonalDensity(np.zeros(400), 64).motion(Flow(40.0, model="sa"))
    for degree in (1, 2, 5):
        start = np.zeros(400)
        start[degree - 1] = 1e-6 / sqrt(count(degree, 64))
        exact = np.zeros(400)
        bessel = bessel_multiplier(degree, 64, 40.0) / bessel_multiplier(0, 64, 40.0)
        exact[degree - 1] = degree * (degree + 62) * bessel / 40.0
        found = (move(start) - move(-start)) / (2 * start[degree - 1])
        assert found == pytest.approx(exact, abs=1e-9 * exact.max())


@given(dim=sampled_from([3, 4]), beta=floats(0, 8), model=models, seed=seeds)
def test_motion_is_that_of_a_cloud_of_tokens(dim, beta, model, seed):
    """Sums over quadrature tokens that carry the density, at heights of a meridian; polynomials of scipy."""
    density = positive(4, dim, seed)
    tokens, weights = quadrature(dim, 40)
    height, masses = roots_gegenbauer(40, dim / 2 - 1)
    masses /= masses.sum()
    at_tokens, at_heights = (
        1 + density.coefficients @ [harmonic(k, dim, t) for k in range(1, 5)] for t in (tokens[:, 0], height)
    )
    meridian = np.zeros((40, dim))
    meridian[:, 0], meridian[:, 1] = height, np.sqrt(1 - height**2)
    pull = kernel_of(beta, model)(meridian @ tokens.T) * (weights * at_tokens)
    velocity = pull @ tokens
    velocity -= (velocity * meridian).sum(axis=1, keepdims=True) * meridian
    if model == "sa":
        velocity /= pull.sum(axis=1, keepdims=True)
    carried = masses * at_heights
    exact = [carried @ (harmonic_slope(k, dim, height) * velocity[:, 0]) for k in range(1, 9)]
    found = density.resized(24).motion(Flow(beta, model=model))(density.resized(24).coefficients)
    assert found[:8] == pytest.approx(exact, abs=1e-11 * np.abs(exact).max())
    if model == "usa":
        potential = [bessel_multiplier(k, dim, beta) / beta if beta > 0 else (k == 1) / dim for k in range(1, 5)]
        ascent = exp(beta) * float(found[:4] @ (density.coefficients * np.array(potential, dtype=float)))
        assert ascent == pytest.approx(carried @ (velocity**2).sum(axis=1), rel=1e-9)


@given(dim=integers(2, 16), beta=floats(0, 40), top=integers(1, 30), seed=seeds)
def test_no_product_is_aliased(dim, beta, top, seed):
    """Twice the resolution, and twice the nodes, move the degrees of a full spectrum of USA no differently."""
    density = positive(top, dim, seed)
    fine = density.resized(2 * top)
    exact = fine.motion(Flow(beta, model="usa"))(fine.coefficients)[:top]
    found = density.motion(Flow(beta, model="usa"))(density.coefficients)
    assert found == pytest.approx(exact, abs=1e-12 * np.abs(exact).max())


@given(dim=sampled_from([2, 3, 5, 16, 64]), beta=floats(0.1, 30), model=models, seed=seeds)
def test_energy_never_falls(dim, beta, model, seed):
    """The gain of energy is an integral of a square against the density, or against it over a positive normaliser."""
    density = positive(12, dim, seed)
    change = density.motion(Flow(beta, model=model))(density.coefficients)
    potential = np.array([float(bessel_multiplier(k, dim, beta)) for k in density.degrees])
    assert change @ (density.coefficients * potential) > 0


@given(dim=integers(2, 64), beta=floats(1, 30), model=models, seed=seeds)
def test_even_densities_stay_even(dim, beta, model, seed):
    """Both sides of the equator carry the same numbers, so that not even rounding breaks the symmetry."""
    density = positive(20, dim, seed)
    density = replace(density, coefficients=density.coefficients * (np.arange(20) % 2))
    change = density.motion(Flow(beta, model=model))(density.coefficients)
    assert (change[::2] == 0).all()
    assert (change[1::2] != 0).any()


@given(dim=integers(2, 40), seed=seeds)
def test_values_at_the_poles_are_sums_of_roots(dim, seed):
    """P_k(1) = 1 and P_k(-1) = (-1)^k, with the number of harmonics by counting monomials."""
    density = positive(15, dim, seed)
    roots = np.sqrt([count(k, dim) for k in range(1, 16)])
    signs = (-1.0) ** np.arange(1, 16)
    expected = [1 + density.coefficients @ roots, 1 + density.coefficients @ (roots * signs)]
    assert density.values([1.0, -1.0]) == pytest.approx(expected, abs=1e-12)
    values, weights = density.samples()
    assert weights @ values**2 == pytest.approx(1 + density.coefficients @ density.coefficients, rel=1e-12)


@pytest.mark.parametrize("dim", [3, 6])
@pytest.mark.parametrize("model", ["usa", "sa"])
def test_weak_form_is_the_strong_form(dim, model):
    """Differences of the flux (1-t^2)^{(d-1)/2} f g, with multipliers of mpmath and polynomials of scipy."""
    beta, density = 3.0, positive(3, dim, 1)
    weight = [float(bessel_multiplier(k, dim, beta)) for k in range(4)]
    scale = exp(beta) if model == "usa" else 1.0

    def flux(t):
        density_value = 1 + sum(a * harmonic(k, dim, t) for k, a in enumerate(density.coefficients, 1))
        slope = sum(a * weight[k] / beta * harmonic_slope(k, dim, t) for k, a in enumerate(density.coefficients, 1))
        mean = weight[0] + sum(a * weight[k] * harmonic(k, dim, t) for k, a in enumerate(density.coefficients, 1))
        return (1 - t**2) ** ((dim - 1) / 2) * density_value * slope / (mean if model == "sa" else 1)

    t, step = np.linspace(-0.9, 0.9, 19), 1e-3
    difference = (8 * (flux(t + step) - flux(t - step)) - (flux(t + 2 * step) - flux(t - 2 * step))) / (12 * step)
    exact = -scale * difference / (1 - t**2) ** ((dim - 3) / 2)
    fine = density.resized(30)
    found = ZonalDensity(fine.motion(Flow(beta, model=model))(fine.coefficients), dim).values(t) - 1
    assert found == pytest.approx(exact, abs=1e-8 * np.abs(exact).max())


@given(dim=integers(2, 64), strength=floats(0.01, 30), seed=seeds)
def test_functions_have_the_coefficients_of_bessel_functions(dim, strength, seed):
    """The density exp(s t) up to its mass is sum sqrt(D_k) w_k phi_k, with w_k of mpmath."""
    mass = float(bessel_multiplier(0, dim, strength))
    density = zonal_density(lambda t: np.exp(strength * (t - 1)) / mass, dim)
    exact = [float(bessel_multiplier(k, dim, strength)) / mass * sqrt(count(k, dim)) for k in density.degrees]
    norm = sqrt(1 + float(np.square(exact).sum()))
    assert density.coefficients == pytest.approx(exact, abs=2e-13 * norm)
    degree = density.max_degree + 1
    assert bessel_multiplier(degree, dim, strength) / mass * sqrt(count(degree, dim)) < 1e-12 * norm


@pytest.mark.parametrize("model", ["usa", "sa"])
@pytest.mark.parametrize("dim", [3, 8])
def test_derivative_converges_geometrically_in_the_resolution(dim, model):
    """Every four degrees more gain a factor of ten at least, down to rounding, for a density that is entire."""
    mass = float(bessel_multiplier(0, dim, 4.0))
    density = zonal_density(lambda t: np.exp(4 * (t - 1)) / mass, dim).resized(64)
    best = density.motion(Flow(5.0, model=model))(density.coefficients)
    errors = []
    for top in (6, 10, 14, 18, 22):
        coarse = density.resized(top)
        error = coarse.resized(64).coefficients * 0
        error[:top] = coarse.motion(Flow(5.0, model=model))(coarse.coefficients)
        errors.append(np.linalg.norm(error - best) / np.linalg.norm(best))
    assert errors[0] > 1e-4
    assert errors[-1] < 1e-8
    assert (np.array(errors[1:]) / errors[:-1] < 0.1).all()


@pytest.mark.parametrize("beta", [0.0, 2.0, 30.0])
@pytest.mark.parametrize("model", ["usa", "sa"])
def test_a_kernel_moves_as_its_exponential(beta, model):
    """The function exp(beta t) in its own unit against beta, whose unit is exp(beta)."""
    density = positive(8, 5, 3)
    by_kernel = density.motion(Flow(kernel=lambda t: np.exp(beta * t), model=model))(density.coefficients)
    assert by_kernel == pytest.approx(density.motion(Flow(beta, model=model))(density.coefficients), rel=1e-9)


def test_multipliers_of_a_power_are_the_power_series():
    """t^5 in dim 7, term by term: n! / (2^n j! ...) in gamma functions of mpmath."""
    dim, power = 7, 5
    found = funk_hecke(lambda t: t**power, dim, 6)
    for degree in range(7):
        j = (power - degree) // 2
        exact = 0.0
        if degree <= power and (power - degree) % 2 == 0:
            ratio = mpmath.gamma(3.5) / mpmath.gamma(degree + j + 3.5)
            exact = float(ratio * mpmath.factorial(power) / (2**power * mpmath.factorial(j)))
        assert found[degree] == pytest.approx(exact, abs=1e-15)


def test_resizing_appends_zeros_and_drops_the_top():
    """Fewer and more degrees of three given ones."""
    density = ZonalDensity(np.array([0.1, 0.2, 0.3]), 4)
    assert density.resized(2).coefficients.tolist() == [0.1, 0.2]
    assert density.resized(5).coefficients.tolist() == [0.1, 0.2, 0.3, 0.0, 0.0]
    assert density.degrees.tolist() == [1, 2, 3]
    uniform = density.resized(0)
    assert uniform.motion(Flow(1.0, model="sa"))(uniform.coefficients).shape == (0,)


def test_a_normaliser_that_is_not_positive_stops():
    """The kernel t has the mean a_1 t / sqrt(d), negative on one side."""
    density = ZonalDensity(np.array([0.1]), 3)
    with pytest.raises(FloatingPointError, match="normaliser"):
        density.motion(Flow(kernel=lambda t: t, model="sa"))(density.coefficients)


@pytest.mark.parametrize(
    ("density", "dim", "message"),
    [
        (lambda t: 1 + 2 * t, 3, "is -1 at overlap -1, it must not be negative"),
        (lambda t: 1 + 1e-8 + 0 * t, 3, "has mass 1.00000001, not 1"),
        (lambda t: np.full_like(t, np.nan), 3, "is nan at overlap 1"),
        (lambda t: 1 + 0.5 * np.sign(t), 3, "not resolved by 1024 degrees"),
        (lambda t: 1.0, 3, r"maps 4001 overlaps to shape \(\)"),
        (lambda t: 1 + t, 1, "dim 1: "),
    ],
)
def test_functions_that_are_no_density_are_refused(density, dim, message):
    """The reason and the number, in one line."""
    with pytest.raises(ValueError, match=message):
        zonal_density(density, dim)


def test_coefficients_that_are_no_density_are_refused():
    """Shape, finiteness, dim, and a rule whose weights float64 does not hold."""
    with pytest.raises(ValueError, match="shape"):
        ZonalDensity(np.zeros((2, 2)), 3)
    with pytest.raises(ValueError, match="finite"):
        ZonalDensity(np.array([np.inf]), 3)
    with pytest.raises(ValueError, match="dim 1: "):
        ZonalDensity(np.zeros(2), 1)
    with pytest.raises(ValueError, match="underflows"):
        gauss_rule(1000, 2000)
    assert expansion(lambda t: np.ones_like(t), 200, "kernel").tolist() == pytest.approx([1.0])


@given(degree=integers(1, 500), dim=integers(2, 5), size=floats(0.1, 0.9))
@example(degree=64, dim=3, size=0.5)
@example(degree=128, dim=2, size=0.5)
def test_one_harmonic_of_any_degree_is_that_harmonic(degree, dim, size):
    """P_k vanishes at all k Gauss nodes, where the density looks uniform; scipy's Gegenbauer polynomials."""
    if dim == 2:
        wave = lambda t: eval_chebyt(degree, t)  # noqa: E731
    else:
        wave = lambda t: eval_gegenbauer(degree, dim / 2 - 1, t) / eval_gegenbauer(degree, dim / 2 - 1, 1.0)  # noqa: E731
    density = zonal_density(lambda t: 1 + size * wave(t), dim)
    assert density.max_degree == degree
    assert density.coefficients[-1] == pytest.approx(size / sqrt(harmonic_dimension(degree, dim)), rel=1e-10)
    assert np.abs(density.coefficients[:-1]).max(initial=0) < 1e-11


@pytest.mark.parametrize("overlap", [1.5, -1.0001, np.nan])
def test_overlaps_beyond_the_poles_are_refused(overlap):
    """Polynomials have values there, densities have not; what rounding adds to an overlap of one passes."""
    density = ZonalDensity(np.array([0.1]), 4)
    with pytest.raises(Refused, match="overlaps"):
        density.values([0.5, overlap])
    assert density.values([1 + 1e-15])[0] == pytest.approx(1 + 0.1 * 2, rel=1e-14)
