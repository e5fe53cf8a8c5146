"""Films of runs: tokens or densities in motion, as MP4, GIF, or a page that needs no network."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.runs.pictures.spheres import dots_on, draw_globe
from gegenflow.numerics.runs.run import DensityRun, Run
from gegenflow.numerics.tokens.arguments import check_number, check_whole
from gegenflow.numerics.tokens.files import checked_path, write_atomically
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.pictures import ANGLE, COLORS, MUTED

KINDS = ".mp4", ".gif", ".html"
LARGEST = 200.0
"""Megabytes of frames that a page may hold."""
BUTTONS = {
    **{"minus": "−", "fast-backward": "|◀", "step-backward": "◁", "play fa-flip-horizontal": "◀", "pause": "❚❚"},
    **{"play": "▶", "step-forward": "▷", "fast-forward": "▶|", "plus": "+"},
}
"""What stands on the buttons of a page in place of a font from the network."""


def animate(run: Run | DensityRun, path: str | Path, *, frames: int = 120, fps: int = 20, dpi: float = 90) -> None:
    """A film of a run on the circle or on the sphere in dim 3, written whole or not at all; the suffix is its kind.

    Tracked tokens move on the circle or the sphere (of a run with ``track`` all of them); a density on the circle is a
    curve over the angle. Frames are saved times, evenly spaced in their order.

    :param run: a run of tokens in dim 2 or 3, or of a density on the circle
    :param path: name of the file: .mp4 takes ffmpeg; .gif, and .html with buttons, take nothing else
    :param frames: number of frames at most, >= 1 (default 120)
    :param fps: frames a second, >= 1 (default 20)
    :param dpi: pixels an inch, of 4.5 by 4.5 inches, >= 10 and <= 1000 (default 90)

    Raises ValueError for another run, another suffix, and for .mp4 where there is no ffmpeg; OSError where the file
    cannot be written. See also :func:`.plot_sphere`, :func:`.plot_trajectories`, :func:`.plot_density`.
    """
    import matplotlib.pyplot as plt
    from matplotlib import rc_context
    from matplotlib.animation import FuncAnimation

    target = checked_path(path)
    if target.suffix not in KINDS:
        raise Refused("path", str(path), f"a film is one of {', '.join(KINDS)}, by its suffix")
    if target.suffix == ".mp4" and shutil.which("ffmpeg") is None:
        raise Refused("path", str(path), "MP4 takes the program ffmpeg, which is not found; .gif and .html do without")
    frames, fps = check_whole("frames", frames, 1), check_whole("fps", fps, 1)
    dpi = check_number("dpi", dpi, least=10, most=1000)
    with rc_context({"animation.embed_limit": LARGEST}):
        figure = plt.figure(figsize=(4.5, 4.5))
        try:
            show = _scene(run, figure)
            times = np.unique(np.linspace(0, len(run.t) - 1, min(frames, len(run.t))).round().astype(int))
            film = FuncAnimation(figure, lambda n: show(int(n)), frames=times.tolist(), blit=False)
            _write(film, target, fps, dpi)
        finally:
            plt.close(figure)


def _scene(run: Run | DensityRun, figure: Any) -> Callable[[int], None]:
    """Axes with what stands still; what comes back draws the rest, at a saved time."""
    many = len(run.t) if isinstance(run, Run | DensityRun) else 0
    if many and isinstance(run, Run) and run.trajectories.shape[2] == 2:
        move = _circle(run, figure)
    elif many and isinstance(run, Run) and run.trajectories.shape[2] == 3:
        ax = figure.add_subplot(projection="3d")
        draw_globe(ax)
        dots, paths = dots_on(ax, run.trajectories[0]), run.trajectories
        move = lambda n: dots(paths[n])  # noqa: E731
    elif many and isinstance(run, DensityRun) and isinstance(run.density, CircleDensity):
        move = _curve(run, figure)
    else:
        raise Refused("run", None, "tokens in dim 2 or 3, or a density on the circle, at saved times can be filmed")

    def show(n: int) -> None:
        move(n)
        figure.axes[0].set_title(f"time {run.t[n]:.4g}")

    return show


def _circle(run: Run, figure: Any) -> Callable[[int], None]:
    ax = figure.add_subplot(aspect="equal", xlim=(-1.15, 1.15), ylim=(-1.15, 1.15))
    ax.set_axis_off()
    turn = np.linspace(0, 2 * np.pi, 200)
    ax.plot(np.cos(turn), np.sin(turn), color=MUTED, lw=0.8)
    (dots,) = ax.plot([], [], "o", color=COLORS[0], ms=4, alpha=0.5)
    return lambda n: dots.set_data(*run.trajectories[n].T)


def _curve(run: DensityRun, figure: Any) -> Callable[[int], None]:
    angle = np.linspace(-np.pi, np.pi, 721)
    curves = [density.values(angle) for density in run.densities if isinstance(density, CircleDensity)]
    ax = figure.add_subplot(xlabel=ANGLE, ylabel="density (uniform = 1)", xlim=(-np.pi, np.pi))
    ax.set_ylim(min(0.0, np.min(curves)), 1.05 * np.max(curves))
    figure.subplots_adjust(left=0.16)
    (line,) = ax.plot(angle, curves[0], color=COLORS[0])
    return lambda n: line.set_ydata(curves[n])


def _write(film: Any, target: Path, fps: int, dpi: float) -> None:
    from matplotlib.animation import FFMpegWriter, HTMLWriter, PillowWriter

    kinds: dict[str, Callable[..., Any]] = {
        ".mp4": FFMpegWriter,
        ".gif": PillowWriter,
        ".html": partial(HTMLWriter, embed_frames=True),
    }
    writer = kinds[target.suffix](fps=fps)
    with TemporaryDirectory() as folder:
        made = Path(folder, "film" + target.suffix)
        film.save(made, writer=writer, dpi=dpi)
        content = made.read_bytes()
    if target.suffix == ".html":
        content = _alone(content.decode()).encode()
    write_atomically(target, lambda file: file.write(content))


def _alone(page: str) -> str:
    """A page without its font from the network: characters stand on the buttons.

    >>> _alone('<link rel="stylesheet"\\nhref="https://far.css">\\n<i class="fa fa-pause"></i>')
    '\\n❚❚'
    """
    page = re.sub(r'<link rel="stylesheet"\s+href="https://[^"]*">', "", page)
    return re.sub(r'<i class="fa fa-([^"]*)"></i>', lambda found: BUTTONS[found[1]], page)
