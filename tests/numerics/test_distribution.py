"""Quantiles of densities on the circle, and the density that a map of labels has."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers
from scipy.integrate import quad
from scipy.special import ndtri
from support.distribution import ANGLES, SEEDS, poisson, poisson_quantiles, random_density, series, turned

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.distribution import density_at_quantiles, distribution, quantiles


def poisson_values(radius, mean, angles):
    return (1 - radius**2) / ((1 - radius) ** 2 + 4 * radius * np.sin((angles - mean) / 2) ** 2)


@given(max_degree=integers(1, 12), least=floats(0.01, 1), n=integers(2, 40), seed=SEEDS)
def test_the_mass_below_a_quantile_is_its_label(max_degree, least, n, seed):
    """Adaptive quadrature of the density as its definition has it: no primitive was taken."""
    density = random_density(max_degree, least, seed)
    angles = quantiles(density, n)
    assert angles[0] == 0
    masses = [quad(lambda x: series(density, x), *ends, epsabs=1e-13)[0] for ends in pairwise(angles)]
    assert np.cumsum(masses) / (2 * np.pi) == pytest.approx(np.arange(1, n) / n, abs=1e-13)


@given(radius=floats(0, 0.97), mean=ANGLES, n=integers(1, 2000))
def test_quantiles_of_a_moebius_image_are_known(radius, mean, n):
    """The closed quantile function of the Poisson kernel; rounding is divided by the least value."""
    origin = np.arctan2((1 + radius) * np.sin(-mean / 2), (1 - radius) * np.cos(mean / 2)) / np.pi
    expected = poisson_quantiles(radius, mean, np.arange(n) / n + origin)
    assert quantiles(poisson(radius, mean), n) == pytest.approx(expected, abs=2e-14 * (1 + radius) / (1 - radius))


@given(width=floats(0.0045, 0.1), n=integers(2, 1000))
def test_quantiles_of_a_narrow_normal_are_those_of_the_line(width, n):
    """scipy's inverse normal distribution: 2000 degrees, and nine tenths of the circle are empty to rounding."""
    density = turned(np.exp(-((width * np.arange(1, 2001)) ** 2) / 2), 1.5)
    expected = 1.5 + width * ndtri(np.arange(1, n) / n)
    assert quantiles(density, n)[1:] == pytest.approx(expected, abs=1e-13)


@given(power=integers(1, 12), mean=ANGLES, n=integers(1, 500))
def test_quantiles_survive_a_zero_of_high_order(power, mean, n):
    """cos^2p about its mean from binomial coefficients: the quantiles increase and, put back, give the labels."""
    amplitudes = np.cumprod([(power - k) / (power + k + 1) for k in range(power)])
    density = turned(amplitudes, mean)
    found = distribution(density)
    angles = quantiles(density, n)
    assert np.all(np.diff(angles) > 0)
    assert found.at(angles)[0] == pytest.approx(np.arange(n) / n, abs=2e-15)
    exact = np.cos((angles - mean) / 2) ** (2 * power) / np.prod([(2 * k - 1) / (2 * k) for k in range(1, power + 1)])
    assert found.at(angles)[1] == pytest.approx(exact, abs=1e-13)


@given(floor=floats(-12, -9), power=integers(1, 3), mean=ANGLES, seed=SEEDS)
def test_labels_near_a_dip_are_found_again(floor, power, mean, seed):
    """Angles on both sides of a minimum of 1e-12 to 1e-9, where Newton's method alone leaves the cell."""
    amplitudes = np.cumprod([(power - k) / (power + k + 1) for k in range(power)]) * (1 - 10**floor)
    found = distribution(turned(amplitudes, mean))
    rng = np.random.default_rng(seed)
    offsets = rng.choice([-1, 1], 2000) * 10 ** rng.uniform(-9, 0, 2000)
    labels, _ = found.at((mean + np.pi + offsets) % (2 * np.pi))
    assert found.at(found.inverse(labels))[0] == pytest.approx(labels, abs=1e-15)


@given(max_degree=integers(0, 30), n=integers(1, 300), seed=SEEDS)
def test_quantiles_of_half_as_many_are_among_them(max_degree, n, seed):
    """Exactly: a label has one quantile, whatever labels come with it."""
    density = random_density(max_degree, 0.1, seed) if max_degree else CircleDensity(np.zeros(0))
    assert np.array_equal(quantiles(density, 2 * n)[::2], quantiles(density, n))


@given(radius=floats(0, 0.8), mean=ANGLES, n=integers(8, 700))
def test_the_tail_tells_the_error_of_the_map_and_of_its_density(radius, mean, n):
    """The closed density; the interpolated map against exact quantiles between its labels; never over five tails."""
    angles = quantiles(poisson(radius, mean), n)
    try:
        density, tail = density_at_quantiles(angles)
    except ValueError:  # too few labels, which the message says
        assert n * (1 - radius) / (1 + radius) < 60
        return
    exact = poisson_values(radius, mean, angles)
    rounding = 1e-15 * n / (1 - radius)
    assert np.abs(density / exact - 1).max() <= 5 * n * density.max() / (4 * np.pi) * tail + rounding * exact.max()
    spectrum = np.fft.fft(angles - 2 * np.pi * np.arange(n) / n) * np.exp(1j * np.pi * np.fft.fftfreq(n))
    between = np.fft.ifft(spectrum).real + np.pi * (2 * np.arange(n) + 1) / n
    assert np.abs(between - quantiles(poisson(radius, mean), 2 * n)[1::2]).max() <= 5 * tail + rounding


@given(radius=floats(0.1, 0.5), mean=ANGLES, degree=integers(1, 8))
def test_sums_over_labels_are_as_good_as_the_tail_says(radius, mean, degree):
    """The mean of e^{ik theta} over 512 quantiles against the closed moment r^k e^{ik mean}."""
    angles = quantiles(poisson(radius, mean), 512)
    _, tail = density_at_quantiles(angles)
    assert tail < 1e-4
    moment = np.exp(1j * degree * angles).mean()
    assert abs(moment - radius**degree * np.exp(1j * degree * mean)) <= degree * tail + 1e-14


@given(depth=floats(-11, -1), degree=integers(1, 50), mean=ANGLES)
def test_a_negative_density_is_refused_and_its_minimum_named(depth, degree, mean):
    """One harmonic, whose minimum is known; the same without the excess is accepted."""
    amplitudes = np.zeros(degree)
    amplitudes[-1] = 0.5
    quantiles(turned(amplitudes, mean), 5)
    with pytest.raises(ValueError, match="must not be negative") as refusal:
        quantiles(turned(amplitudes * (1 + 10**depth), mean), 5)
    words = str(refusal.value).replace(",", "").split()
    value, angle = float(words[3]), float(words[7])
    assert value == pytest.approx(-(10**depth), rel=1e-3, abs=1e-14)
    assert np.cos(degree * (angle - mean)) == pytest.approx(-1, abs=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: quantiles(poisson(0.5, 0), 0), "n 0: it must be a whole number >= 1"),
        (lambda: density_at_quantiles(np.arange(5.0)), r"shape \(5,\), expected \(n,\) with n >= 8"),
        (lambda: density_at_quantiles(np.zeros((8, 8))), r"shape \(8, 8\)"),
        (lambda: density_at_quantiles(np.arange(8.0)), "entries 7 and 0 are 7 and 0, quantiles increase strictly"),
        (lambda: density_at_quantiles([0, 1, 2, np.nan, 3, 4, 5, 6]), "entries 2 and 3 are 2 and nan"),
        (lambda: density_at_quantiles(quantiles(poisson(0.97, 3.0), 16)), "16 quantiles do not resolve"),
    ],
)
def test_bad_input_is_named(call, words):
    """One sentence with the value and what is allowed."""
    with pytest.raises(ValueError, match=words):
        call()


@given(depth=floats(-7, 0), n=integers(16, 5000), mean=ANGLES)
def test_a_density_near_vacuum_is_refused_or_right_to_the_error_stated(depth, n, mean):
    """1 - (1 - 10^depth) cos: at its least value, 10^depth, the map is steeper than its labels may tell."""
    least = 10.0**depth
    angles = quantiles(turned([(1 - least) / 2], mean + np.pi), n)
    exact = 1 - (1 - least) * np.cos(angles - mean)
    try:
        density, tail = density_at_quantiles(angles)
    except ValueError:
        assert n * least**1.5 < 100  # a vacuum of width sqrt(least) and mass least^1.5: labels in it resolve it
        return
    rounding = 1e-15 * n / least
    assert (np.abs(density / exact - 1) <= 1.5 * n * density / (4 * np.pi) * tail + rounding).all()


def test_what_the_map_does_not_tell_is_refused_with_the_mean_beside():
    """A thousand labels around a density of 1e-6, one of them at its least value: .0057 came, said to be 3 % off."""
    angles = quantiles(turned([0.5 * (1 - 1e-6)], np.pi), 1000)
    with pytest.raises(ValueError, match=r"do not resolve .*: its mean from the angle 0 to the next is 0\.0"):
        density_at_quantiles(angles)


def test_a_cell_holds_its_polynomial_to_rounding():
    """The highest harmonic alone, in closed form, where terms beyond the last would show: half the cells lose 4e-13."""
    degree = 64
    amplitudes = np.append(np.zeros(degree - 1), 0.45)
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 20_000)
    label, density = distribution(turned(amplitudes, 0.3)).at(angles)
    phase = degree * (angles - 0.3)
    assert density == pytest.approx(1 + 0.9 * np.cos(phase), abs=1e-13)  # of the phase
    exact = (angles + 0.9 * (np.sin(phase) + np.sin(0.3 * degree)) / degree) / (2 * np.pi)
    assert label == pytest.approx(exact, abs=2e-15)


@pytest.mark.parametrize("degree", [1, 7])
def test_how_negative_is_negative(degree):
    """1 + (1 + e) cos k is -e at the least, of a largest value of 2: either side of e = 2e-12."""
    amplitudes = np.zeros(degree)
    amplitudes[-1] = 0.5
    quantiles(turned(amplitudes * (1 + 1.9e-12), 1.0), 5)
    with pytest.raises(ValueError, match="must not be negative"):
        quantiles(turned(amplitudes * (1 + 2.2e-12), 1.0), 5)


def test_eight_labels_are_enough():
    assert density_at_quantiles(np.pi / 4 * np.arange(8.0))[0] == pytest.approx(np.ones(8), rel=1e-15)
    with pytest.raises(ValueError, match="n >= 8"):
        density_at_quantiles(2 * np.pi / 7 * np.arange(7.0))


@pytest.mark.parametrize("n", [64, 100])
def test_terms_that_make_up_a_quarter_of_the_slope_are_too_many(n):
    """One term of the map beyond n/4: a share c of a slope that is 1 - c there, refused from c = 1/5 on."""
    label, degree = np.arange(n) / n, n // 4 + 1

    def angles(share):
        return 2 * np.pi * label - share * np.sin(2 * np.pi * degree * label) / degree

    assert np.cos(2 * np.pi * degree * label).max() == 1
    density_at_quantiles(angles(0.199))
    with pytest.raises(ValueError, match="do not resolve"):
        density_at_quantiles(angles(0.201))
