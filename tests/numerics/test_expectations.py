"""What is expected of a start happens: winner, time and cluster angles against runs that know no theory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, sampled_from
from matplotlib.figure import Figure

from gegenflow import numerics as nm
from gegenflow import theory as th

SPREAD = 0.05
"""Radians that the quasi-linear phase may turn clusters by, a quarter of the least distance from a rival."""


def apart(one, other):
    """The largest distance of angles from the nearest of others, around the circle."""
    off = np.abs((np.subtract.outer(one, other) + np.pi) % (2 * np.pi) - np.pi)
    return off.min(axis=1).max()


def circle_tokens(density, n):
    angles = nm.quantiles(density, n)
    return np.column_stack([np.cos(angles), np.sin(angles)])


@settings(max_examples=6)
@given(degree=integers(2, 4), phase=floats(0.25, 0.75), seed=integers(0, 99), model=sampled_from(["usa", "sa"]))
def test_the_winner_and_its_angles_are_those_of_a_run(degree, phase, seed, model):
    """From a tenth as much in other degrees; clusters of the mirror image are a quarter of a period away or more."""
    weights = np.random.default_rng(seed).uniform(-0.002, 0.002, (2, 6))
    shift = 2 * np.pi * phase / degree / 2  # of the mirror image: 2 shift, between a quarter and three of a period

    def density(angle):
        others = [c * np.cos(k * angle) + s * np.sin(k * angle) for k, (c, s) in enumerate(weights.T, 1)]
        return 1 + 0.03 * np.cos(degree * (angle - shift)) + sum(others)

    flow = nm.Flow(beta={2: 2.0, 3: 5.0, 4: 8.0}[degree], model=model)
    expected = nm.expect(nm.circle_density(density), flow)
    tokens = nm.quantiles(nm.circle_density(density), 400)
    tokens = np.column_stack([np.cos(tokens), np.sin(tokens)])
    assert expected.degree == degree
    assert apart(nm.expect(tokens, flow).angles, expected.angles) < 0.02
    times = np.linspace(0, 1.5 * expected.time, 301)
    run = nm.simulate(tokens, flow, t_end=times[-1], save_at=times, observe=[nm.HarmonicPower(6)])
    emerged = run.observables["harmonic_power"][:, 1:] > 0.09
    first = np.argmax(emerged.any(axis=1))
    assert np.flatnonzero(emerged[first]).tolist() == [degree - 1]
    assert times[first] == pytest.approx(expected.time, rel=0.1)
    found = nm.validation.cluster_angles(tokens, flow, t_end=2.5 * expected.time, min_mass=0.5 / degree)
    assert apart(found, expected.angles) < SPREAD
    assert apart(found, -expected.angles) > 4 * SPREAD


@pytest.mark.parametrize("dim", [3, 4])
def test_beyond_the_circle_the_degree_and_the_time_are_those_of_a_run(dim):
    """A zonal start that holds degrees 1 to 3, of which the second wins; the exact rate carries it."""

    def start(t):
        return 1 + 0.002 * t + 0.03 * th.gegenbauer_function(2, dim)(t) + 0.002 * th.gegenbauer_function(3, dim)(t)

    density = nm.zonal_density(start, dim)
    expected = nm.expect(density, beta=3)
    assert (expected.degree, expected.verdict, expected.angles.size) == (2, "near uniform", 0)
    run = nm.solve_density(density, beta=3.0, t_end=expected.time / 2, observe=[nm.HarmonicPower(3)])
    half_way = np.sqrt(0.3 * expected.amplitude)
    assert np.sqrt(run.observables["harmonic_power"][-1, 2]) == pytest.approx(half_way, rel=0.15)
    assert expected.rate == pytest.approx(float(th.growth_rate(2, dim, 3, digits=15)), rel=1e-14)


def test_a_start_that_is_not_near_uniform_is_told():
    tokens = nm.normalize(np.random.default_rng(0).standard_normal((300, 3)) * [3, 1, 0.3])
    assert nm.expect(tokens, beta=3).verdict.startswith("not near uniform")
    peak = nm.circle_density(lambda a: np.exp(4 * np.cos(a)), normalize=True)
    assert nm.expect(peak, beta=3).verdict.startswith("not near uniform")
    assert nm.expect(peak, beta=3).time == 0
    ellipse = nm.circle_density(lambda a: 1 / (1 + 3 * np.sin(a) ** 2), normalize=True)  # A_2 = 1/3, A_4 = 1/9
    assert nm.expect(ellipse, beta=4).verdict.startswith("not near uniform")
    assert nm.expect(ellipse, beta=4).verdict == nm.expect(circle_tokens(ellipse, 500), beta=4).verdict


def test_nothing_is_expected_where_nothing_grows():
    """exp(-5t) repels every degree that is odd; a start of degree 1 alone stays."""
    density = nm.circle_density(lambda a: 1 + 0.1 * np.cos(a))
    expected = nm.expect(density, kernel=th.Kernel("-1 - t/2"))
    assert (expected.degree, expected.time, expected.angles.size) == (0, np.inf, 0)
    with pytest.raises(nm.Refused, match="no degree grows"):
        expected.plot()


@pytest.mark.parametrize("tokens", [False, True])
def test_a_degree_far_above_the_fastest_comes_first_from_a_start_that_holds_it_alone(tokens):
    """Degree 7 where degree 3 grows fastest, of which there is a hundred thousandth."""
    density = nm.circle_density(lambda a: 1 + 0.2 * np.cos(7 * a - 1) + 2e-6 * np.cos(3 * a))
    start = circle_tokens(density, 700) if tokens else density
    expected = nm.expect(start, beta=5)
    assert (expected.degree, expected.verdict) == (7, "near uniform")
    rate = float(th.growth_rate(7, 2, 5, digits=15))
    assert expected.rate == pytest.approx(rate, rel=1e-12)
    assert expected.time == pytest.approx(np.log(3) / rate, rel=0.01)
    assert apart(expected.angles, (1 + 2 * np.pi * np.arange(7)) / 7) < 1e-3
    run = nm.solve_density(density, beta=5.0, t_end=1.2 * expected.time, observe=[nm.HarmonicPower(7)])
    emerged = run.observables["harmonic_power"][-1] > 0.09
    assert (emerged[7], emerged[3]) == (True, False)


@pytest.mark.parametrize("kernel", ["relu(t)", "t**4 - 3*t"])
def test_a_degree_that_does_not_grow_is_not_expected_however_much_there_is(kernel):
    """On the circle relu lets degree 5 decay, -3 t degree 2."""
    held = {"relu(t)": 5, "t**4 - 3*t": 2}[kernel]
    density = nm.circle_density(lambda a: 1 + 0.7 * np.cos(held * a) + 0.02 * np.cos(a))
    expected = nm.expect(density, kernel=th.Kernel(kernel))
    assert expected.degree == 1
    expected.plot(ax=Figure().add_subplot())


def test_the_picture_lays_the_angles_over_the_paths():
    density = nm.circle_density(lambda a: 1 + 0.02 * np.cos(3 * a - 0.3))
    expected = nm.expect(density, beta=5)
    run = nm.solve_density(density, beta=5.0, t_end=0.2)
    ax = expected.plot(run, Figure().add_subplot())
    heights = sorted(line[0][1] for line in ax.collections[-1].get_segments())
    assert heights == pytest.approx(expected.angles)
    assert ax.lines[-1].get_xdata()[0] == expected.time
    sphere = nm.expect(nm.uniform(500, 3, rng=1), beta=4)
    run = nm.simulate(nm.uniform(500, 3, rng=1), beta=4.0, t_end=0.1, save_at=[0.1])
    with pytest.raises(nm.Refused, match="no harmonic_power"):
        sphere.plot(run, Figure().add_subplot())
    drawn = sphere.plot(ax=Figure().add_subplot()).lines[0]
    assert drawn.get_ydata()[0] == pytest.approx(sphere.amplitude)
    assert "<tr><th>degree</th><td>3</td></tr>" in expected._repr_html_()
    for other, words in ((run, "run: it is of dim 3, what is expected is of dim 2"), ("run", "run: it is a str")):
        with pytest.raises(nm.Refused, match=words):
            expected.plot(other)
    with pytest.raises(nm.Refused, match="run: it has no saved times"):
        expected.plot(nm.solve_density(density, beta=5.0, t_end=0.0, save_at=[]))


def test_what_is_large_and_does_not_grow_alone_is_not_expected():
    """The kernel t moves degree 2 alone: three clusters to be stay three clusters to be."""
    start = nm.circle_density(lambda a: 1 + 0.8 * np.cos(3 * a))
    expected = nm.expect(start, kernel=th.Kernel("t"))
    assert (expected.degree, expected.rate, expected.time) == (0, 0.0, np.inf)
    assert expected.verdict.startswith("not near uniform")
    with pytest.raises(nm.Refused, match="no degree grows"):
        expected.plot(ax=Figure().add_subplot())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"noise": 0.1}, "noise"),
        ({"kernel": np.tanh, "beta": None}, "its formula"),
        ({"start": [[1.0, 1.0]]}, "start"),
        ({"beta": -1.0}, "beta"),
    ],
)
def test_what_is_refused(given, words):
    with pytest.raises(nm.Refused, match=words):
        nm.expect(**{"start": nm.lattice(9), "beta": 1.0} | given)
