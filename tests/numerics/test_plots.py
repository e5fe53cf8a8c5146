"""What the pictures show."""

import re
import shutil
import subprocess

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

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


def test_many_degrees_are_told_apart_in_grey_and_named_in_a_short_legend(ax):
    """Fourteen curves, no two of one line style and marker; ten entries, the last of which counts the others."""
    nm.plot_power(small_run(2, observe=[nm.HarmonicPower(14)]), ax=ax, predicted={3: 2.0})
    curves = [line for line in ax.lines if line.get_label().startswith("degree")]
    assert len({(line.get_linestyle(), line._unscaled_dash_pattern, line.get_marker()) for line in curves}) == 14
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["predicted", *(f"degree {k}" for k in range(1, 9)), "… 6 more"]
    ax.figure.draw_without_rendering()
    box = ax.get_legend().get_window_extent()
    for line in curves:
        assert not line.get_path().transformed(line.get_transform()).intersects_bbox(box)


def test_predicted_lines_start_on_the_curve_and_grow_at_their_rate(ax):
    """Of a degree that grows as predicted the line is the curve: a density of one small mode, at its linear rate."""
    density = nm.circle_density(lambda angle: 1 + 1e-6 * np.cos(3 * angle))
    run = nm.solve_density(density, beta=5, t_end=0.1, observe=[nm.HarmonicPower(3)])
    rates, _ = nm.planted_rates(2, beta=5, max_degree=3, rng=0)
    nm.plot_power(run, ax=ax, predicted={3: rates[2]})
    degree_3, predicted = ax.lines[3].get_ydata(), ax.lines[4].get_ydata()
    np.testing.assert_allclose(predicted, degree_3, rtol=1e-4)
    assert degree_3[-1] > 4 * degree_3[0]
    assert ax.get_ylim()[1] < 1


def test_quantile_paths_of_a_density_follow_its_mass(ax):
    """Between the first and last of the lines of a zonal density lies 63/64 of the mass; those of the circle gather."""
    zonal = nm.solve_density(nm.zonal_density(lambda t: 1 + 0.3 * t, dim=3), beta=1.0, t_end=0.5, save_at=[0.0, 0.5])
    nm.plot_trajectories(zonal, ax=ax)
    ends = np.array([line.get_ydata()[1] for line in (ax.lines[0], ax.lines[-1])])
    grid = np.linspace(*ends, 2001)
    assert np.trapezoid(zonal.density.values(grid) / 2, grid) == pytest.approx(63 / 64, abs=1e-4)
    circle = nm.solve_density(nm.circle_density(lambda a: 1 + 0.1 * np.cos(2 * a)), beta=5, t_end=0.2)
    nm.plot_trajectories(circle, ax=ax)
    near = [np.abs(np.cos([line.get_ydata()[n] for line in ax.lines[64:]])) > 0.9 for n in (0, -1)]
    assert np.mean(near[0]) < 0.4
    assert np.mean(near[1]) > 0.6
    assert ax.get_ylabel() == "angle (rad)"


def test_overlaps_are_drawn_as_the_histogram_says(ax):
    """Shades are shares per unit of overlap, floored at 1e-4 of the largest; one column a saved time."""
    run = small_run(3, observe=[nm.OverlapHistogram(20)], save_at=[0.0, 0.5, 1.0])
    nm.plot_overlaps(run, ax=ax)
    drawn = ax.collections[0].get_array().reshape(20, 3)
    shares = run.observables["overlap_histogram"].T * 10
    shown = shares > 1e-4 * shares.max()
    np.testing.assert_allclose(drawn[shown], shares[shown])
    assert ax.get_ylabel() == "overlap of two tokens"


def test_a_sphere_shows_every_token_once_and_a_density_in_its_values():
    """Dots of the two sides are the tokens, by the side that they are on; shades run over the values of the density."""
    figure = plt.figure()
    run = small_run(3)
    space = nm.plot_sphere(run, ax=figure.add_subplot(projection="3d"))
    near, far = (np.column_stack(dots._offsets3d) for dots in space.collections[-2:])
    assert np.abs(np.sort(np.vstack([near, far]), axis=0) - np.sort(run.tokens, axis=0)).max() < 1e-15
    side, height = np.deg2rad(space.azim), np.deg2rad(space.elev)
    eye = [np.cos(height) * np.cos(side), np.cos(height) * np.sin(side), np.sin(height)]
    assert (near @ eye).min() > 0 >= (far @ eye).max()
    assert nm.plot_sphere(nm.sphere_density(lambda x: 1 + 0.5 * x[:, 2])).name == "3d"
    bar = plt.gcf().axes[-1]
    np.testing.assert_allclose(bar.get_ylim(), (0.5, 1.5), atol=1e-6)
    with pytest.raises(Refused, match=r"ax .*: they must be 3-d axes"):
        nm.plot_sphere(run, ax=plt.figure().add_subplot())
    with pytest.raises(Refused, match="run: its density is of dim 2"):
        nm.plot_sphere(nm.circle_density(lambda angle: 1.0 + 0 * angle))
    plt.close("all")


def test_films_are_whole_files_of_their_kind(tmp_path, monkeypatch):
    """Frames counted in a GIF; a page that names no address; refusals, and nothing half written."""
    from PIL import Image

    run, space = small_run(2, save_at=np.linspace(0, 1, 9)), small_run(3, save_at=[0.0, 1.0])
    nm.animate(run, tmp_path / "film.gif", frames=4, dpi=30)
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 4
    nm.animate(space, tmp_path / "film.html", dpi=30)
    page = (tmp_path / "film.html").read_text()
    assert page.count("data:image/png;base64") == 2
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]+"', page)
    assert "https:" not in page
    assert "❚❚" in page
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Refused, match=r"path .*film.mp4: MP4 takes the program ffmpeg, which is not found"):
        nm.animate(run, tmp_path / "film.mp4")
    with pytest.raises(Refused, match=r"path film.avi: a film is one of .mp4, .gif, .html"):
        nm.animate(run, "film.avi")
    with pytest.raises(Refused, match="run: tokens in dim 2 or 3, or a density on the circle, at saved times"):
        nm.animate(small_run(4), tmp_path / "other.gif")
    with pytest.raises(OSError, match=r"no such folder|No such file"):
        nm.animate(space, tmp_path / "nowhere" / "film.gif", frames=1, dpi=20)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.gif", "film.html"]
    assert not plt.get_fignums()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg on this machine")
def test_a_film_as_mp4_has_its_frames(tmp_path):
    """Read back by ffprobe: one a saved time of a density."""
    start = nm.circle_density(lambda angle: 1 + 0.1 * np.cos(angle))
    run = nm.solve_density(start, beta=1, t_end=0.2, save_at=np.linspace(0, 0.2, 5))
    nm.animate(run, tmp_path / "film.mp4", dpi=40)
    ask = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]
    told = subprocess.run([*ask, str(tmp_path / "film.mp4")], capture_output=True, text=True, check=True).stdout
    assert int(told.strip().strip(",")) == 5


def test_what_cannot_be_drawn_is_refused():
    """Every refusal says what is needed."""
    with pytest.raises(ValueError, match="run: its tokens are of dim 3, those of dim 2 can be drawn"):
        nm.plot_density(np.eye(3))
    with pytest.raises(ValueError, match="HarmonicPower"):
        nm.plot_power(small_run(3))
    density = nm.solve_density(nm.zonal_density(lambda t: 1 + 0.1 * t, dim=3), beta=1.0, t_end=0.0)
    on_sphere = nm.solve_density(nm.sphere_density(lambda x: 1 + 0.1 * x[:, 2]), beta=1.0, t_end=0.0)
    for run in (on_sphere, density.density):
        with pytest.raises(Refused, match=r"run: it is a .*Density, paths are those of the tokens of a Run"):
            nm.plot_trajectories(run)
    with pytest.raises(Refused, match=r"predicted 5: it must be a whole number >= 1 and <= 2, the degrees of the run"):
        nm.plot_power(small_run(2, observe=[nm.HarmonicPower(2)]), predicted={5: 1.0})
    with pytest.raises(Refused, match="run: it has no overlap_histogram at two times"):
        nm.plot_overlaps(small_run(2))
    for run in (density, density.density):
        with pytest.raises(Refused, match=r"only .* on the circle can be drawn"):
            nm.plot_density(run)
    with pytest.raises(Refused, match="run: it has no harmonic_power"):
        nm.plot_power(density)
    with pytest.raises(Refused, match=r"bins 2.5: it must be a whole number >= 1"):
        nm.plot_density(nm.lattice(3), bins=2.5)


@pytest.mark.parametrize("draw", [nm.plot_trajectories, nm.plot_power, nm.plot_density])
def test_short_names_of_options_replace_the_defaults(ax, draw):
    """As lw does for linewidth wherever matplotlib draws; of a sphere the colour, too."""
    run = small_run(2, save_at=[0.0, 1.0], observe=[nm.HarmonicPower(2)])
    draw(run, ax=ax, lw=7)
    assert {artist.get_linewidth() for artist in [*ax.lines, *ax.patches]} == {7}
    dots = nm.plot_sphere(small_run(3), ax=plt.figure().add_subplot(projection="3d"), c="red").collections[-2]
    assert dots.get_facecolor()[0, :3].tolist() == [1, 0, 0]


def test_a_sphere_leaves_other_pictures_alone():
    """The current axes where they are 3-d, not the first; else a figure of its own; no other one beside ``ax``."""
    plt.close("all")
    tokens = nm.uniform(9, 3, rng=0)
    nm.plot_sphere(tokens, ax=Figure().add_subplot(projection="3d"))
    assert not plt.get_fignums()
    flat = plt.gca()
    assert nm.plot_sphere(tokens).figure is not flat.figure
    _, (_, second) = plt.subplots(1, 2, subplot_kw={"projection": "3d"})
    plt.sca(second)
    assert nm.plot_sphere(tokens) is second
    plt.close("all")


def test_what_shows_nothing_is_refused_and_zero_has_no_logarithm(ax):
    """No saved times, a single token, axes that were taken away, frames without pixels; flat densities are drawn."""
    with pytest.raises(Refused, match="run: it has no saved times"):
        nm.plot_power(small_run(3, save_at=[], observe=[nm.HarmonicPower(2)]))
    alone = nm.simulate(nm.uniform(1, 2, rng=0), beta=1, t_end=1, save_at=[0, 1], observe=[nm.OverlapHistogram(4)])
    with pytest.raises(Refused, match="run: it has no pairs of tokens"):
        nm.plot_overlaps(alone)
    with pytest.raises(Refused, match="predicted None: it must be a number"):
        nm.plot_power(small_run(2, observe=[nm.HarmonicPower(2)]), predicted={1: None})
    with pytest.raises(Refused, match=r"dpi 0.01: it must be finite, >= 10 and <= 1000"):
        nm.animate(small_run(2), "film.gif", dpi=0.01)
    flat = nm.solve_density(lambda angle: 1 + 0 * angle, beta=1, t_end=0.1, observe=[nm.HarmonicPower(2)])
    assert nm.plot_power(flat, ax=ax).get_yscale() == "linear"
    ax.remove()
    with pytest.raises(ValueError, match="ax: these axes were removed"):
        nm.plot_density(nm.lattice(3), ax=ax)
