"""Densities on the circle: what attention does to them against sums over weighted tokens, which know no harmonics."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis.strategies import floats, integers, sampled_from
from scipy.integrate import quad

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.circle_starts import circle_density, white_noise
from gegenflow.numerics.densities.sphere import SphereDensity, sphere_density
from gegenflow.numerics.densities.zonal import ZonalDensity, zonal_density
from gegenflow.numerics.fields.dense import dense_sums
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.observables.energy import Dissipation
from gegenflow.numerics.tokens.geometry import lattice
from gegenflow.numerics.tokens.refusals import Refused


def smooth(rng, degrees=4, size=0.3):
    """A positive density with random amplitudes."""
    amplitude = np.random.default_rng(rng).normal(size=(degrees, 2))
    return CircleDensity((amplitude * size / np.abs(amplitude).sum() / 2**0.5).ravel())


def strong_form(density, attention, model, points=512):
    """Coefficients of -d/dtheta (f v), v by sums over equispaced tokens that carry the density as their weight."""
    tokens = lattice(points)
    angle = 2 * np.pi * np.arange(points) / points
    values = density.values(angle)
    drift, normalizer = dense_sums(tokens, values / points, attention)
    speed = drift[:, 1] * tokens[:, 0] - drift[:, 0] * tokens[:, 1]
    speed *= 1 / normalizer if model == "sa" else 1.0 if callable(attention) else np.exp(attention)
    degree = np.arange(points // 2 + 1)
    change = np.fft.rfft(values * speed, norm="forward") * -1j * degree
    top = density.max_degree
    return 2**0.5 * np.column_stack([change.real, -change.imag])[1 : top + 1].ravel()


@given(rng=integers(0, 10**6), beta=floats(0, 20), model=sampled_from(["usa", "sa"]))
def test_motion_is_the_transport_by_the_sums_over_tokens(rng, beta, model):
    """Fourier products on one side, dense sums over 512 weighted tokens on the other."""
    density = smooth(rng).resized(24)
    ours = density.motion(Flow(beta, model=model))(density.coefficients)
    theirs = strong_form(density, beta, model)
    assert np.abs(ours - theirs).max() < 1e-11 * np.abs(theirs).max() + 1e-13 * (np.exp(beta) if model == "usa" else 1)


@pytest.mark.parametrize("model", ["usa", "sa"])
def test_any_kernel_moves_a_density_as_it_moves_tokens(model):
    """The same for a kernel that is no exponential, and one that no multiplier formula here knows."""
    density = smooth(1).resized(24)
    kernel = lambda t: 2 + np.tanh(3 * t)  # noqa: E731
    ours = density.motion(Flow(kernel=kernel, model=model))(density.coefficients)
    assert np.allclose(ours, strong_form(density, kernel, model), rtol=0, atol=1e-12)


@given(beta=floats(0.1, 30), degree=integers(0, 12))
def test_multipliers_are_the_integrals_they_stand_for(beta, degree):
    """Adaptive quadrature of the kernel and of its potential exp(beta (cos - 1)) / beta."""
    value, potential = CircleDensity(np.zeros(26)).multipliers(Flow(beta, model="sa"))
    exact = quad(lambda a: np.exp(beta * (np.cos(a) - 1)) * np.cos(degree * a), 0, np.pi, epsabs=1e-13)[0] / np.pi
    assert value[degree] == pytest.approx(exact, rel=1e-9, abs=1e-13)
    assert potential[degree] == pytest.approx(exact / beta if degree else 0.0, rel=1e-9, abs=1e-12 / beta)


def test_a_period_of_the_start_is_kept_exactly():
    """Degrees that 2 pi / 3 excludes stay zero, not small: nothing can grow in them."""
    density = circle_density(lambda angle: 1 + 0.4 * np.cos(3 * angle) + 0.1 * np.sin(6 * angle)).resized(40)
    assert density.period == 3
    change = density.motion(Flow(5.0, model="usa"))(density.coefficients).reshape(-1, 2)
    excluded = np.arange(1, 41) % 3 != 0
    assert (change[excluded] == 0).all()
    assert np.abs(change[2]).max() > 1
    full = strong_form(density, 5.0, "usa").reshape(-1, 2)
    assert np.abs(full[excluded]).max() < 1e-11


def test_a_density_is_recovered_from_a_function_and_from_values():
    """The von Mises density, whose coefficients are ratios of Bessel functions, here by quadrature."""
    total = quad(lambda a: np.exp(4 * np.cos(a)), 0, np.pi, epsabs=1e-13)[0] / np.pi
    function = lambda angle: np.exp(4 * np.cos(angle - 1)) / total  # noqa: E731
    density = circle_density(function)
    angle = np.linspace(0, 2 * np.pi, 7)
    assert np.allclose(density.values(angle), function(angle), rtol=1e-13, atol=1e-14)
    third = quad(lambda a: function(a) * 2**0.5 * np.sin(3 * a), 0, 2 * np.pi, epsabs=1e-13)[0] / (2 * np.pi)
    assert density.coefficients[5] == pytest.approx(third, rel=1e-12)
    same = circle_density(function(2 * np.pi * np.arange(64) / 64))
    assert np.allclose(same.resized(density.max_degree).coefficients, density.coefficients, rtol=0, atol=1e-14)
    values, weights = density.samples()
    assert weights @ values == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize(
    ("density", "message"),
    [
        (lambda angle: 1 + 2 * np.cos(angle), "density: it is -1 at angle 3.14159, it must not be negative"),
        (lambda angle: 1.5 + np.cos(angle), "density: it has mass 1.5, not 1"),
        (lambda angle: np.where(angle > 1, np.nan, 1.0), "density: it is nan at angle"),
        (lambda angle: 1 + 1.001 * np.cos(40 * angle + 0.3), "must not be negative"),  # between the first angles
        (lambda angle: np.where(angle > np.pi, 2.0, 0.0), "not resolved by 65536 degrees, it must be smooth"),
        (lambda angle: 1.0, "maps 64 angles to shape"),
        ([[1.0, 1.0, 1.0]], r"density: it has shape \(1, 3\), expected \(n,\) at equispaced angles, n >= 3"),
        ([3.0, 0.0, 0.0], "3 values do not resolve it"),
        ([6.0, 0.0, 0.0, 0.0, 0.0, 0.0], "6 values do not resolve it"),
        ([1.0, np.inf, 1.0], "density: it is inf at angle 2.0944"),
        ([2.0, -1.0, 2.0], "density: it is -1 at angle 2.0944"),
    ],
)
def test_what_is_no_density_is_refused_with_the_reason(density, message):
    with pytest.raises(ValueError, match=message):
        circle_density(density)


@pytest.mark.parametrize("coefficients", [np.zeros(3), np.zeros((2, 2)), np.array([0.1, np.nan])])
def test_coefficients_of_another_shape_are_refused(coefficients):
    with pytest.raises(ValueError, match="coefficients"):
        CircleDensity(coefficients)


@given(degree=integers(1, 8192), phase=floats(0, 6), size=floats(0.01, 0.99))
@example(degree=7752, phase=1.723554842929711, size=0.9375)
def test_one_wave_of_any_degree_is_that_wave(degree, phase, size):
    """Samples at 64, 128, ... angles take a wave for one of a lower degree: cos(60 a) for cos(4 a) at 64 of them.

    The argument of the cosine is rounded by up to 1.1e-15 of the degree: 2 pi at half a unit, and the product too.
    """
    density = circle_density(lambda angle: 1 + size * np.cos(degree * angle - phase))
    assert density.max_degree == degree
    exact = size / 2**0.5 * np.array([np.cos(phase), np.sin(phase)])
    assert density.coefficients[-2:] == pytest.approx(exact, abs=1e-15 * (1 + degree))
    assert np.abs(density.coefficients[:-2]).max(initial=0) == 0


def test_a_bump_between_the_first_angles_is_found():
    """A narrow von Mises bump between two of 64 angles, to whose mass the samples there give nothing."""
    mass = quad(lambda a: np.exp(4000 * (np.cos(a) - 1)), -0.3, 0.3, epsabs=1e-14)[0] / (2 * np.pi)
    bump = lambda angle: 0.5 + 0.5 * np.exp(4000 * (np.cos(angle - np.pi / 64) - 1)) / mass  # noqa: E731
    density = circle_density(bump)
    angle = np.linspace(0, 0.2, 50)
    assert density.values(angle) == pytest.approx(bump(angle), abs=1e-11 * bump(np.pi / 64))


@given(n=integers(3, 60), rng=integers(0, 10**6))
def test_values_at_any_number_of_angles_are_interpolated(n, rng):
    """Noise on an even number of angles, too, where the highest degree is known by its cosine alone."""
    noise = np.random.default_rng(rng).uniform(-1, 1, n)
    values = 1 + 0.05 * (noise - noise.mean())
    density = circle_density(values)
    assert density.values(2 * np.pi * np.arange(n) / n) == pytest.approx(values, abs=1e-13)
    assert density.max_degree <= n // 2


def test_a_density_of_another_mass_is_divided_by_it_where_that_is_asked():
    """Functions and values, in every geometry."""
    wave = lambda angle: 3 + 1.5 * np.cos(angle)  # noqa: E731
    for given_ in (wave, wave(2 * np.pi * np.arange(8) / 8)):
        found = circle_density(given_, normalize=True).resized(1)
        assert found.coefficients == pytest.approx([0.5 / 2**0.5, 0], abs=1e-14)
    assert zonal_density(lambda t: 3 + 1.5 * t, 3, normalize=True).coefficients == pytest.approx([0.5 / 3**0.5])
    along = sphere_density(lambda points: 3 + 1.5 * points[:, 2], normalize=True).coefficients
    assert along == pytest.approx([0.5 / 3**0.5, 0, 0], abs=1e-14)
    with pytest.raises(ValueError, match="it has mass 0, there is none to normalise"):
        circle_density(np.zeros(8), normalize=True)


def test_white_noise_has_the_spectrum_of_independent_values():
    """Mean squares of the coefficients, a^2/n each, over 400 starts: within five errors of the mean of chi-squares."""
    n, amplitude, runs = 31, 0.02, 400
    rng = np.random.default_rng(5)
    squares = [circle_density(white_noise(n, amplitude, rng=rng)).coefficients ** 2 for _ in range(runs)]
    mean = np.mean(squares, axis=0) * n / amplitude**2
    assert len(mean) == n - 1
    assert np.abs(mean - 1).max() < 5 * (2 / runs) ** 0.5
    assert abs(mean.mean() - 1) < 5 * (2 / runs / (n - 1)) ** 0.5
    with pytest.raises(ValueError, match=r"amplitude 0\.9: the density falls to"):
        white_noise(1000, 0.9, rng=0)


@pytest.mark.parametrize(("beta", "size"), [(1.0, 0.95), (10.0, 0.99), (0.2, 0.5)])
def test_dissipation_of_a_low_degree_is_not_aliased(beta, size):
    """SA divides f v by the normaliser, which has every degree: the mean of f v^2 Z by adaptive quadrature."""
    bessel = lambda k: quad(lambda a: np.exp(beta * np.cos(a)) * np.cos(k * a), 0, np.pi, epsabs=1e-14)[0] / np.pi  # noqa: E731
    w0, w1 = bessel(0), bessel(1)
    slope = quad(lambda a: np.exp(beta * np.cos(a)) * np.sin(a) ** 2, 0, np.pi, epsabs=1e-14)[0] / np.pi

    def rate(angle):  # v Z = -slope size sin, Z = w0 + w1 size cos
        return (1 + size * np.cos(angle)) * (slope * size * np.sin(angle)) ** 2 / (w0 + w1 * size * np.cos(angle))

    exact = quad(rate, 0, 2 * np.pi, epsabs=1e-14, epsrel=1e-13, limit=400)[0] / (2 * np.pi)
    for density in (
        circle_density(lambda angle: 1 + size * np.cos(angle)),
        zonal_density(lambda t: 1 + size * t, 2),
    ):
        found = Dissipation().of_density(density, Flow(beta=beta, model="sa"))
        assert found == pytest.approx(exact, rel=1e-9, abs=0)


@pytest.mark.parametrize("points", [0, 8, 9.5])
def test_angles_that_do_not_hold_the_highest_degree_are_refused(points):
    """Of 8 angles the velocity of degree 4 would lose its sine; 9 are enough, and those of 63 pass through theirs."""
    density = CircleDensity(np.array([0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.1, 0.2]))
    flow = Flow(beta=2)
    with pytest.raises(Refused, match=f"points {points:g}"):
        density.velocity(flow, points)
    few, many = (density.velocity(flow, count)(density.coefficients) for count in (9, 63))
    np.testing.assert_allclose(many[::7], few, atol=1e-14)


@pytest.mark.parametrize("finer", [0, -1, 1.5, "2"])
def test_a_grid_is_finer_by_a_whole_number(finer):
    for density in (
        CircleDensity(np.array([0.1, 0.0])),
        ZonalDensity(np.array([0.1]), 4),
        SphereDensity(np.zeros(3)),
    ):
        with pytest.raises(Refused, match=f"finer {finer}"):
            density.samples(finer)
        assert len(density.samples(2)[0]) > len(density.samples()[0])
