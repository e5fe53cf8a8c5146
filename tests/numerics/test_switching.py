"""Series, then quantiles: against Kuramoto's exact solution on both sides of the switch, where the two agree."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from gegenflow import numerics as nm
from gegenflow.numerics.runs import switching

START = 0.3


def poisson(angle, resultant=START):
    """A density whose moments are powers of its resultant; for beta 0 it stays one of the family."""
    return (1 - resultant**2) / (1 - 2 * resultant * np.cos(angle - 1) + resultant**2)


def resultant_at(time):
    """Of beta 0: dr/dt = r (1 - r^2)/2, so r^2/(1 - r^2) grows as e^t."""
    odds = START**2 / (1 - START**2) * np.exp(time)
    return np.sqrt(odds / (1 + odds))


@pytest.fixture(scope="module")
def run():
    observe = [nm.HarmonicPower(2)]
    return nm.solve_mean_field(poisson, beta=0.0, t_end=5.0, n=1024, max_degree=64, observe=observe)


def test_it_is_the_exact_solution_before_and_after_the_switch(run):
    assert run.status.ok
    assert 1 < run.switch < 4
    assert len(run.t) == 101
    assert run.t == pytest.approx(np.linspace(0, 5, 101), abs=1e-14)
    exact = resultant_at(run.t) ** 2
    power = run.observables["harmonic_power"]
    assert power[:, 1] == pytest.approx(exact, abs=1e-7)
    assert power[:, 2] == pytest.approx(exact**2, abs=1e-7)


def test_masses_are_exact_over_the_whole_axis(run):
    """The distribution function of Poisson's kernel is an arctangent."""
    edges = np.linspace(-np.pi, np.pi, 31)
    half = (edges - 1) / 2

    def below(resultant):
        turns = np.round(half / np.pi)
        return np.arctan((1 + resultant) / (1 - resultant) * np.tan(half)) / np.pi + turns

    exact = np.array([np.diff(below(r)) for r in resultant_at(run.t)])
    assert np.abs(run.densities(30) / 30 - exact).max() < 2e-3
    assert run.densities(30).mean(axis=1) == pytest.approx(1, abs=1e-6)


def test_the_two_agree_at_the_switch_and_a_wrong_flow_is_seen(run, monkeypatch):
    assert run.agreement < 1e-6
    right = switching.solve_quantiles

    def wrong(density, flow, **options):
        return right(density, nm.Flow(beta=0.01), **options)

    monkeypatch.setattr(switching, "solve_quantiles", wrong)
    other = nm.solve_mean_field(poisson, beta=0.0, t_end=6.0, n=512, max_degree=64)
    assert other.agreement > 100 * run.agreement


def test_what_stays_smooth_is_the_series_alone():
    options = {"beta": 2.0, "t_end": 0.3, "save_at": [0.1, 0.3], "observe": [nm.HarmonicPower(2)]}
    run = nm.solve_mean_field(poisson, **options)
    alone = nm.solve_density(poisson, max_degree=256, **options)
    assert run.series == alone
    assert (run.quantiles, run.switch, run.agreement) == (None, None, None)
    assert np.array_equal(run.observables["harmonic_power"], alone.observables["harmonic_power"])
    assert run.status == alone.status


class Stopping:
    """Raises an interrupt at a chosen call on a density or on tokens."""

    name = "stopping"

    def __init__(self, densities, tokens):
        self.left = {"densities": densities, "tokens": tokens}

    def of_density(self, density, flow):
        return self.told("densities")

    def __call__(self, tokens, weights, flow):
        return self.told("tokens")

    def told(self, kind):
        self.left[kind] -= 1
        if self.left[kind] == 0:
            raise KeyboardInterrupt
        return 0.0


@pytest.mark.parametrize(("densities", "tokens"), [(5, 99), (999, 9)])
def test_an_interrupt_keeps_what_was_computed(densities, tokens):
    observe = [Stopping(densities, tokens)]
    with pytest.raises(nm.Interrupted) as stop:
        nm.solve_mean_field(poisson, beta=0.0, t_end=6.0, n=64, max_degree=64, observe=observe)
    kept = stop.value.run
    assert isinstance(kept, nm.MeanFieldRun)
    assert not kept.status.ok
    assert 0 < len(kept.t) < 101
    assert len(kept.t) == len(kept.observables["stopping"])
    assert (kept.quantiles is None) == (densities == 5)
    assert kept.densities(10).shape == (len(kept.t), 10)


def test_the_picture_is_one_map_with_a_line_at_the_switch(run):
    ax = run.plot(Figure().add_subplot(), bins=30)
    values = ax.collections[0].get_array()
    assert values.shape == (30, 101)
    assert np.allclose(values.T, np.maximum(run.densities(30), switching.FAINTEST))
    assert ax.lines[0].get_xdata()[0] == run.switch
    alone = nm.solve_mean_field(poisson, beta=0.0, t_end=0.1, save_at=[0.1])
    with pytest.raises(nm.Refused, match="two saved times"):
        alone.plot()


def test_it_prints_both_parts(run):
    assert "quantiles           1024 from t = " in repr(run)
    assert "apart by " in run._repr_html_()
    assert len(repr(run).splitlines()) <= 12


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"density": nm.zonal_density(lambda t: 1 + 0.1 * t, 3)}, "beyond the circle"),
        ({"noise": 0.1}, "noise"),
        ({"n": 7}, "n 7"),
        ({"observe": [nm.Entropy()]}, "observe"),
        ({"t_end": -1.0}, "t_end"),
        ({"max_degree": 1}, "max_degree"),
    ],
)
def test_what_is_refused(given, words):
    with pytest.raises(nm.Refused, match=words):
        nm.solve_mean_field(**{"density": lambda a: 1 + 0.2 * np.cos(2 * a), "beta": 1.0, "t_end": 0.1} | given)
