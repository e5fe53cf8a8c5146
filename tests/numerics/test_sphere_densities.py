"""Densities on the sphere in dim 3, against scipy's harmonics, mpmath's Bessel functions, tokens, and rotations."""

from itertools import product
from math import exp, pi, sqrt

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, sampled_from
from scipy.special import eval_legendre, sph_harm_y
from scipy.stats import special_ortho_group

from gegenflow.numerics.densities.sphere import SphereDensity, sphere_density
from gegenflow.numerics.densities.zonal import zonal_density
from gegenflow.numerics.fields.dense import kernel_sums
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.geometry import quadrature, uniform

models = sampled_from(["usa", "sa"])
seeds = integers(0, 10_000)


def bessel_multiplier(degree, beta):
    """w_l of exp(beta (t - 1)) in dim 3."""
    beta = mpmath.mpf(beta)
    return mpmath.sqrt(mpmath.pi / (2 * beta)) * mpmath.besseli(degree + 0.5, beta) * mpmath.exp(-beta)


def harmonics(top, points):
    """Real orthonormal harmonics of degrees 1..K for the mean over the sphere, by scipy, shape=[modes, n]."""
    south, east = np.arccos(points[:, 2]), np.arctan2(points[:, 1], points[:, 0])
    rows = []
    for degree in range(1, top + 1):
        rows.append(sqrt(4 * pi) * sph_harm_y(degree, 0, south, east).real)
        for order in range(1, degree + 1):
            value = sqrt(8 * pi) * sph_harm_y(degree, order, south, east)
            rows += [value.real, value.imag]
    return np.array(rows)


def positive(top, seed):
    """A random density above 1/2: the squares of the harmonics of a degree add up to 2 l + 1."""
    density = SphereDensity(np.zeros((top + 1) ** 2 - 1))
    draw = np.random.default_rng(seed).uniform(-1, 1, len(density.coefficients))
    bound = sum(sqrt(2 * k + 1) * np.linalg.norm(draw[density.degrees == k]) for k in range(1, top + 1))
    return SphereDensity(0.5 * draw / bound)


def moved(density, beta, model, top):
    """Time derivative of a density, resolved up to a degree."""
    density = density.resized(top)
    return SphereDensity(density.motion(Flow(beta, model=model))(density.coefficients))


@given(top=integers(0, 24), seed=seeds)
def test_values_are_sums_of_harmonics_of_scipy(top, seed):
    """Signs, factors of the square root of two and the order of the coefficients, against scipy's complex harmonics."""
    density = positive(top, seed)
    points = np.concatenate([uniform(40, 3, rng=seed), np.eye(3), -np.eye(3)])
    exact = 1 + density.coefficients @ harmonics(top, points) if top else np.ones(46)
    assert density.values(points) == pytest.approx(exact, abs=1e-12)
    assert np.linalg.norm(density.values(points) - exact) <= 5e-14 * np.linalg.norm(exact)  # coarser transforms: 1e-13
    values, weights = density.samples()
    assert weights.sum() == pytest.approx(1, rel=1e-13)
    assert weights @ values**2 == pytest.approx(1 + density.coefficients @ density.coefficients, rel=1e-12)
    assert density.degrees.tolist() == [k for k in range(1, top + 1) for _ in range(2 * k + 1)]


def test_values_are_as_exact_as_they_say():
    """Large coefficients, of which the norm is made: transforms asked for 1e-12 are 3.4e-13 off."""
    for top, seed in product((2, 8, 24, 40), range(5)):
        coefficients = 1e3 * positive(top, seed).coefficients
        points = uniform(1000, 3, rng=seed)
        exact = 1 + coefficients @ harmonics(top, points)
        error = np.linalg.norm(SphereDensity(coefficients).values(points) - exact)
        assert error <= 2.5e-13 * np.linalg.norm(exact)


@given(top=integers(1, 6), seed=seeds)
def test_functions_have_the_coefficients_they_are_made_of(top, seed):
    """A polynomial density written in scipy's harmonics is read back, with nothing above its degree."""
    density = positive(top, seed)
    found = sphere_density(lambda points: 1 + density.coefficients @ harmonics(top, points))
    assert found.max_degree == top
    assert found.coefficients == pytest.approx(density.coefficients, abs=1e-14)


@pytest.mark.parametrize("model", ["usa", "sa"])
@pytest.mark.parametrize("beta", [0.5, 5.0, 200.0])
def test_small_modes_grow_at_the_rate_of_bessel_functions(model, beta):
    """L_l w_l / beta from mpmath for every order; the odd part in the size removes the quadratic term."""
    top = 6
    move = SphereDensity(np.zeros((top + 1) ** 2 - 1)).motion(Flow(beta, model=model))
    degrees = np.array([k for k in range(1, top + 1) for _ in range(2 * k + 1)])
    scale = exp(beta) if model == "usa" else 1 / float(bessel_multiplier(0, beta))
    exact = np.array([float(k * (k + 1) * bessel_multiplier(k, beta) / beta) for k in degrees.tolist()]) * scale
    for place, rate in enumerate(exact):
        start = np.zeros(len(exact))
        start[place] = 1e-6
        found = (move(start) - move(-start)) / 2e-6
        assert found == pytest.approx(np.where(start != 0, rate, 0.0), rel=1e-9, abs=1e-11 * exact.max())


@given(beta=floats(0.1, 100), top=integers(0, 12))
def test_multipliers_are_bessel_functions(beta, top):
    """Those of the kernel and of its primitive, exp(beta (t - 1)) / beta, from mpmath."""
    value, potential = SphereDensity(np.zeros((top + 1) ** 2 - 1)).multipliers(Flow(beta, model="sa"))
    exact = np.array([float(bessel_multiplier(k, beta)) for k in range(top + 1)])
    assert value == pytest.approx(exact, rel=1e-10, abs=1e-12)
    assert potential[1:] == pytest.approx(exact[1:] / beta, rel=1e-10, abs=1e-12)
    assert potential[0] == 0


@given(beta=floats(0, 12), model=models, seed=seeds)
def test_a_zonal_density_about_any_axis_moves_as_the_zonal_one(beta, model, seed):
    """Gauss rules in dims 3 and 5 against grids of the sphere: no axis is special, no harmonic is shared."""
    axis = uniform(1, 3, rng=seed)[0]
    mass = np.sinh(2.0) / 2
    zonal = zonal_density(lambda t: np.exp(2 * t) / mass, 3).resized(36)
    sphere = sphere_density(lambda points: np.exp(2 * points @ axis) / mass)
    change = zonal.motion(Flow(beta, model=model))(zonal.coefficients)
    points = uniform(50, 3, rng=seed + 1)
    exact = type(zonal)(change, 3).values(points @ axis) - 1
    found = moved(sphere, beta, model, 36).values(points) - 1
    assert found == pytest.approx(exact, abs=2e-11 * np.abs(exact).max())


@given(beta=floats(0, 4), model=models, power=integers(1, 4), seed=seeds)
def test_moments_change_as_those_of_a_cloud_of_tokens(beta, model, power, seed):
    """Sums over all pairs of tokens on quadrature nodes, tested with powers of one coordinate."""
    density = positive(4, seed)
    tokens, weights = quadrature(3, 32)
    carried = weights * (1 + density.coefficients @ harmonics(4, tokens))
    velocity, normalizer = kernel_sums(tokens, carried, lambda t: np.exp(beta * (t if model == "usa" else t - 1)))
    if model == "sa":
        velocity /= normalizer[:, None]
    direction = uniform(1, 3, rng=seed)[0]
    height = tokens @ direction
    exact = carried @ (power * height ** (power - 1) * (velocity @ direction))
    change = moved(density, beta, model, 14)
    assert weights @ (height**power * (change.values(tokens) - 1)) == pytest.approx(exact, abs=3e-12 * exp(beta))
    if model == "usa":
        potential = [float(bessel_multiplier(k, beta) / beta) if beta > 0 else (k == 1) / 3 for k in range(1, 5)]
        ascent = np.array(potential)[density.degrees - 1] * density.coefficients @ change.coefficients[:24]
        assert exp(beta) * ascent == pytest.approx(carried @ (velocity**2).sum(axis=1), rel=1e-9)


@given(beta=floats(0, 20), model=models, seed=seeds)
def test_rotations_pass_through_the_motion(beta, model, seed):
    """A rotated density moves as the rotated motion of the first, at points of a rotation by scipy."""
    rotation = special_ortho_group.rvs(3, random_state=seed)
    density = positive(4, seed)
    turned = sphere_density(lambda points: density.values(points @ rotation.T))
    points = uniform(60, 3, rng=seed)
    found = moved(turned, beta, model, 24).values(points) - 1
    exact = moved(density, beta, model, 24).values(points @ rotation.T) - 1
    assert found == pytest.approx(exact, abs=2e-11 * np.abs(exact).max())


@given(beta=floats(0, 40), top=integers(1, 20), seed=seeds)
def test_no_product_is_aliased(beta, top, seed):
    """Twice the resolution, and twice the nodes, move the degrees of a full spectrum of USA no differently."""
    density = positive(top, seed)
    exact = moved(density, beta, "usa", 2 * top).resized(top).coefficients
    found = moved(density, beta, "usa", top).coefficients
    assert found == pytest.approx(exact, abs=3e-12 * np.abs(exact).max())


@given(beta=floats(0.1, 30), model=models, seed=seeds)
def test_energy_never_falls(beta, model, seed):
    """The gain of energy is an integral of a square against the density, or against it over a positive normaliser."""
    density = positive(8, seed)
    change = density.motion(Flow(beta, model=model))(density.coefficients)
    potential = np.array([float(bessel_multiplier(k, beta)) for k in range(1, 9)])[density.degrees - 1]
    assert change @ (density.coefficients * potential) > 0


@pytest.mark.parametrize(
    ("function", "image"),
    [
        (lambda x, y, z: 1 + 0.4 * (x * y * z**2 + x**2 - y**4 + 1 / 5 - 1 / 3), [-1, -1, -1]),
        (lambda x, y, z: 1 + 0.4 * (x**3 + x * y + z**2 * y - 0 * z), [1, 1, -1]),
        (lambda x, y, z: 1 + 0.4 * (x * z + z**3 + x**3 * y**2), [1, -1, 1]),
        (lambda x, y, z: 1 + 0.4 * (z + z * x * y + z**2 * (x**2 - y**2)), [-1, -1, 1]),
    ],
)
@pytest.mark.parametrize("model", ["usa", "sa"])
def test_symmetries_stay_to_the_last_bit(function, image, model):
    """Ten Euler steps of an even density, of mirror images and of a half turn; harmonics of scipy tell the parity."""
    density = sphere_density(lambda points: function(*points.T)).resized(16)
    points = uniform(300, 3, rng=0)
    parity = np.abs(harmonics(16, points) - harmonics(16, points * image)).max(axis=1) < 1e-9
    assert 50 < parity.sum() < len(parity) - 50
    coefficients, move = density.coefficients, density.motion(Flow(4.0, model=model))
    for _ in range(10):
        coefficients = coefficients + 1e-3 * move(coefficients)
    assert (coefficients[~parity] == 0).all()
    assert np.count_nonzero(coefficients) > 50


@pytest.mark.parametrize("model", ["usa", "sa"])
def test_derivative_converges_geometrically_in_the_resolution(model):
    """Every four degrees more gain a factor of ten at least, for a density that is entire and has no symmetry."""
    raw = lambda points: np.exp(points @ [1.0, 2.0, 2.0] + points[:, 0] * points[:, 1])  # noqa: E731
    nodes, weights = quadrature(3, 60)
    mass = weights @ raw(nodes)
    density = sphere_density(lambda points: raw(points) / mass)
    best = moved(density, 4.0, model, 48).coefficients
    errors = []
    for top in (6, 10, 14, 18, 22):
        error = moved(density, 4.0, model, top).resized(48).coefficients - best
        errors.append(np.linalg.norm(error) / np.linalg.norm(best))
    assert errors[0] > 1e-4
    assert errors[-1] < 1e-8
    assert (np.array(errors[1:]) / errors[:-1] < 0.1).all()


@pytest.mark.parametrize("beta", [0.0, 2.0, 30.0])
@pytest.mark.parametrize("model", ["usa", "sa"])
def test_a_kernel_moves_as_its_exponential(beta, model):
    """The function exp(beta t) in its own unit against beta, whose unit is exp(beta)."""
    density = positive(8, 3)
    by_kernel = density.motion(Flow(kernel=lambda t: np.exp(beta * t), model=model))(density.coefficients)
    by_beta = density.motion(Flow(beta, model=model))(density.coefficients)
    assert by_kernel == pytest.approx(by_beta, rel=1e-9, abs=1e-11 * np.abs(by_beta).max())


def test_resizing_appends_zeros_and_drops_the_top():
    """Degrees come in order, so that fewer of them are a prefix; the uniform density rests."""
    density = positive(3, 0)
    assert density.resized(2).coefficients.tolist() == density.coefficients[:8].tolist()
    assert density.resized(4).coefficients.tolist() == [*density.coefficients, *np.zeros(9)]
    assert density.resized(0).motion(Flow(1.0, model="sa"))(np.zeros(0)).shape == (0,)


def test_a_normaliser_that_is_not_positive_stops():
    """The kernel t has a mean that is linear in the point, negative on one side."""
    density = SphereDensity(np.array([0.1, 0.0, 0.0]))
    with pytest.raises(FloatingPointError, match="normaliser"):
        density.motion(Flow(kernel=lambda t: t, model="sa"))(density.coefficients)


@pytest.mark.parametrize(
    ("density", "message"),
    [
        (lambda points: 1 + 2 * points[:, 0], r"is -0.99.* at point \(-0.99.*\), it must not be negative"),
        (lambda points: 1 + 1e-8 + 0 * points[:, 0], "has mass 1.00000001, not 1"),
        (lambda points: np.full(len(points), np.nan), "is nan at point"),
        (lambda points: 1 + 0.5 * np.sign(points[:, 2]), "not resolved by 512 degrees"),
        (lambda points: 1.0, r"points to shape \(\)"),
        (lambda points: points, r"points to shape \(\d+, 3\)"),
    ],
)
def test_functions_that_are_no_density_are_refused(density, message):
    """The reason and the number, in one line."""
    with pytest.raises(ValueError, match=message):
        sphere_density(density)


@pytest.mark.parametrize(("coefficients", "message"), [(np.zeros(4), "shape"), (np.full(3, np.nan), "not finite")])
def test_coefficients_that_are_no_density_are_refused(coefficients, message):
    """A number that fills no degree, and values that are not finite."""
    with pytest.raises(ValueError, match=message):
        SphereDensity(coefficients)


@pytest.mark.parametrize("degree", [31, 32, 60, 64, 128, 200])
def test_one_harmonic_of_any_degree_is_that_harmonic(degree):
    """Zonal harmonics vanish on rings, sectoral ones between meridians: either passed for the uniform density."""
    zonal = sphere_density(lambda points: 1 + 0.5 * eval_legendre(degree, points[:, 2]))
    assert zonal.max_degree == degree
    assert np.linalg.norm(zonal.coefficients) == pytest.approx(0.5 / sqrt(2 * degree + 1), rel=1e-10)
    sector = sphere_density(lambda points: 1 + 0.5 * ((points[:, 0] + 1j * points[:, 1]) ** degree).imag)
    mean_square = 0.125 * mpmath.beta(degree + 1, 0.5) / mpmath.beta(1, 0.5)  # of sin(theta)^(2 k)
    assert sector.max_degree == degree
    assert np.linalg.norm(sector.coefficients) ** 2 == pytest.approx(float(mean_square), rel=1e-10)
