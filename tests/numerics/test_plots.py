"""What the pictures show."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gegenflow import numerics as nm
from gegenflow.numerics.tokens.refusals import Refused


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def small_run(dim, **kwargs):
    return nm.simulate(nm.uniform(40, dim, rng=0), beta=3, t_end=1.0, **kwargs)


def test_angles_are_drawn_without_vertical_lines(ax):
    """Tokens near the cut: drawn values are the angles of the run, and no segment spans half a turn."""
    start = np.array([[np.cos(a), np.sin(a)] for a in (np.pi - 0.3, np.pi + 0.8)])
    run = nm.simulate(start, beta=2, t_end=0.5)
    assert nm.plot_trajectories(run, ax=ax, color="red") is ax
    for k, line in enumerate(ax.lines):
        angle = line.get_ydata()
        drawn = np.isfinite(angle)
        np.testing.assert_allclose(np.cos(angle[drawn]), run.trajectories[drawn, k, 0], atol=1e-12)
        assert np.nanmax(np.abs(np.diff(angle)), initial=0) < 0.2
        assert line.get_color() == "red"
    assert any(np.isnan(line.get_ydata()).any() for line in ax.lines)


def test_overlaps_end_at_one_once_merged(ax):
    """One cluster in dim 3: every path ends at overlap one."""
    run = nm.simulate(nm.uniform(40, 3, rng=0), beta=1, t_end=20.0)
    nm.plot_trajectories(run, ax=ax)
    assert len(ax.lines) == 40
    np.testing.assert_allclose([line.get_ydata()[-1] for line in ax.lines], 1, atol=1e-6)
    assert not np.allclose([line.get_ydata()[0] for line in ax.lines], 1)


def test_overlaps_without_a_cluster_use_all_tokens(ax):
    """Nothing has merged at t = 0: the mean of the overlaps is the length of the mean vector."""
    run = nm.simulate(nm.uniform(256, 8, rng=0), beta=1, t_end=0.0)
    nm.plot_trajectories(run, ax=ax)
    overlaps = [line.get_ydata()[0] for line in ax.lines]
    assert np.mean(overlaps) == pytest.approx(np.linalg.norm(run.tokens.mean(axis=0)), rel=1e-12)


def test_density_of_a_lattice_is_one(ax):
    """Eight lattice points a bin; and the mean over bins is one for any run."""
    shift = 0.1 * np.pi / 400
    turn = np.array([[np.cos(shift), np.sin(shift)], [-np.sin(shift), np.cos(shift)]])
    nm.plot_density(nm.lattice(800) @ turn, ax=ax, bins=100)
    np.testing.assert_allclose(ax.patches[0].get_data().values, 1, atol=1e-12)
    nm.plot_density(small_run(2), ax=ax, bins=50)
    assert ax.patches[1].get_data().values.mean() == pytest.approx(1)


def test_power_is_drawn_as_amplitude(ax):
    """Squares of the drawn curves are the recorded powers; degree 0 is left out."""
    run = small_run(3, observe=[nm.HarmonicPower(4)])
    nm.plot_power(run, ax=ax)
    drawn = np.array([line.get_ydata() for line in ax.lines])
    np.testing.assert_allclose(drawn.T**2, run.observables["harmonic_power"][:, 1:])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [f"degree {k}" for k in range(1, 5)]


def test_what_cannot_be_drawn_is_refused():
    """Every refusal says what is needed."""
    with pytest.raises(ValueError, match="run: its tokens are of dim 3, those of dim 2 can be drawn"):
        nm.plot_density(np.eye(3))
    with pytest.raises(ValueError, match="HarmonicPower"):
        nm.plot_power(small_run(3))
    density = nm.solve_density(nm.zonal_density(lambda t: 1 + 0.1 * t, dim=3), beta=1.0, t_end=0.0)
    with pytest.raises(Refused, match="run: it is a DensityRun, paths are those of the tokens of a Run"):
        nm.plot_trajectories(density)
    for run in (density, density.density):
        with pytest.raises(Refused, match=r"only .* on the circle can be drawn"):
            nm.plot_density(run)
    with pytest.raises(Refused, match="run: it has no harmonic_power"):
        nm.plot_power(density)
    with pytest.raises(Refused, match=r"bins 2.5: it must be a whole number >= 1"):
        nm.plot_density(nm.lattice(3), bins=2.5)
