"""The sphere in dim 3, seen from a side: tokens on it, or a density as its shades."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.densities.sphere import SphereDensity
from gegenflow.numerics.densities.zonal import ZonalDensity
from gegenflow.numerics.runs.run import DensityRun, Run
from gegenflow.numerics.tokens.geometry import Array, check_tokens
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.pictures import COLORS, MUTED, axes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_DOTS = 5000
RINGS = 61
"""Circles of latitude of the surface; twice as many meridians."""


def plot_sphere(run: Run | DensityRun | Density | ArrayLike, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    r"""The sphere in dim 3 in perspective: the last tokens of a run, or any tokens, or a density as shades with a bar.

    Tokens on the far side are small and grey; of more than 5,000 every so many-th is drawn. The axis of a zonal density
    is vertical.

    :param run: a run in dim 3, tokens of shape (n, 3), or a density there
    :param ax: 3-d axes to draw on, the current ones by default where they are 3-d, else new ones, in a figure of
        their own beside what is drawn
    :param kwargs: options of ``Axes3D.scatter``, of a density of ``Axes3D.plot_surface``

    Raises ValueError for another dim, and for axes that are not 3-d.
    See also :func:`.plot_density`, :func:`.plot_trajectories`, :func:`.animate`.
    """
    density = run.density if isinstance(run, DensityRun) else run
    if isinstance(density, Density):
        if not isinstance(density, SphereDensity | ZonalDensity) or density.dim != 3:
            raise Refused("run", None, f"its density is of dim {density.dim}, those of dim 3 can be drawn")
        ax = space_of(ax)
        _draw_surface(ax, density, kwargs)
        return ax
    given: Any = run.tokens if isinstance(run, Run) else run
    tokens = check_tokens(given, "run")
    if tokens.shape[1] != 3:
        raise Refused("run", None, f"its tokens are of dim {tokens.shape[1]}, those of dim 3 can be drawn")
    ax = space_of(ax)
    draw_globe(ax)
    dots_on(ax, tokens, **kwargs)(tokens)
    return ax


def space_of(ax: Axes | None) -> Any:
    """The 3-d axes to draw on: those given, the current ones where they are 3-d, or new ones.

    Raises ValueError for axes that are not 3-d.
    """
    import matplotlib.pyplot as plt

    if ax is None and not (plt.gcf().axes and plt.gca().name == "3d"):
        figure = plt.figure() if plt.gcf().axes else plt.gcf()  # what is drawn already stays as it is
        return figure.add_subplot(projection="3d")
    ax = axes_of(ax)
    if ax.name != "3d":
        raise Refused("ax", repr(ax), 'they must be 3-d axes, as of plt.figure().add_subplot(projection="3d")')
    return ax


def draw_globe(ax: Any) -> None:
    """A thin net of meridians and circles of latitude, all sides equally long, no axes."""
    around, up = np.linspace(0, 2 * np.pi, 49), np.linspace(0, np.pi, 25)
    x, y, z = _points(around[:, None], up[None, :])
    ax.plot_wireframe(x, y, z, rstride=6, cstride=6, color=MUTED, linewidth=0.4, alpha=0.5)
    _fill(ax)


def _fill(ax: Any) -> None:
    ax.set_box_aspect((1, 1, 1))
    ax.set(xlim=(-0.75, 0.75), ylim=(-0.75, 0.75), zlim=(-0.75, 0.75))
    ax.set_axis_off()


def dots_on(ax: Any, tokens: Array, **kwargs: Any) -> Callable[[Array], None]:
    """Two clouds of dots, of the near and of the far side; what comes back moves them to other tokens."""
    step = -(-len(tokens) // MOST_DOTS)
    own = {"s": 9, "depthshade": False} | ({} if "c" in kwargs else {"color": COLORS[0]})
    near = ax.scatter([], [], [], **own | kwargs)
    far = ax.scatter([], [], [], **{"s": 3, "color": MUTED, "depthshade": False})
    side, height = np.deg2rad(ax.azim), np.deg2rad(ax.elev)
    eye = np.array([np.cos(height) * np.cos(side), np.cos(height) * np.sin(side), np.sin(height)])

    def move(tokens: Array) -> None:
        shown = tokens[::step]
        ahead = shown @ eye > 0
        for dots, part in ((near, shown[ahead]), (far, shown[~ahead])):
            dots._offsets3d = tuple(part.T)

    return move


def _points(around: Array, up: Array) -> tuple[Array, Array, Array]:
    return np.cos(around) * np.sin(up), np.sin(around) * np.sin(up), np.cos(up) * np.ones_like(around)


def _draw_surface(ax: Any, density: SphereDensity | ZonalDensity, options: dict[str, Any]) -> None:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    around, up = np.meshgrid(np.linspace(0, 2 * np.pi, 2 * RINGS), np.linspace(0, np.pi, RINGS))
    x, y, z = _points(around, up)
    places = np.column_stack([x.ravel(), y.ravel(), z.ravel()])
    values = density.values(places[:, 2] if isinstance(density, ZonalDensity) else places).reshape(x.shape)
    scale = ScalarMappable(Normalize(values.min(), values.max()), colormaps["cividis"])
    options = {"rstride": 1, "cstride": 1, "shade": False, "linewidth": 0, "antialiased": False} | options
    ax.plot_surface(x, y, z, facecolors=scale.to_rgba(values), **options)
    ax.figure.colorbar(scale, ax=ax, shrink=0.7, label="density (uniform = 1)")
    _fill(ax)
