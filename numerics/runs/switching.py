"""The mean-field equation on the circle from a smooth start to Dirac masses: its series, then its quantiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.circle_starts import circle_density
from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.densities.distribution import distribution
from gegenflow.numerics.flows.flow import Flow, FlowParts, check_parts, flow_of
from gegenflow.numerics.integrators.driver import Status
from gegenflow.numerics.integrators.interrupts import Interrupted
from gegenflow.numerics.observables.tokens import DensityObservable
from gegenflow.numerics.runs.lagrangian import solve_quantiles
from gegenflow.numerics.runs.meanfield import solve_density
from gegenflow.numerics.runs.printing import as_html, as_text, number, summary
from gegenflow.numerics.runs.run import DensityRun, Run
from gegenflow.numerics.tokens.arguments import check_times, check_whole
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import Value
from gegenflow.pictures import ANGLE, TIME, axes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_DEGREES = 256
"""Degrees up to which the series goes, where nothing else is asked for."""
FAINTEST = 1e-3
"""Density at which the colours of a picture begin."""


@dataclass(frozen=True, eq=False, repr=False)
class MeanFieldRun(Value):
    """A density on the circle followed by its series and, where its mass concentrates, by quantiles.

    :param series: the run of the series
    :param quantiles: that of the quantiles, whose clock starts at ``begin``; None where the series went to the end
    :param begin: the time of the density from which the quantiles start; None without quantiles
    :param switch: the time from which on they speak, where the series ended; None without quantiles
    :param agreement: root mean square distance, in radians, of quantiles of the two at the switch; None without
    :param t: the saved times that were reached, shape (times,)
    :param observables: names to arrays, shape (times, ...), of the series up to the switch, of the quantiles after it
    :param status: how it ended

    Source: derived in :func:`.solve_mean_field`.

    See also :func:`.solve_mean_field`, :class:`.DensityRun`, :class:`.Run`.
    """

    series: DensityRun
    quantiles: Run | None
    begin: float | None
    switch: float | None
    agreement: float | None
    t: Array
    observables: Mapping[str, NDArray[Any]]
    status: Status

    def densities(self, bins: int = 180) -> Array:
        """The density at each saved time, shape (times, bins), in equal bins of the angle from -pi to pi.

        ``bins``, >= 1, by default 180: means of the series at eight points of each; of the
        quantiles, the mass between neighbours being spread evenly.
        """
        fine = (np.arange(8 * check_whole("bins", bins, 1)) + 0.5) * np.pi / (4 * bins) - np.pi
        states: list[Any] = self.series.densities
        rows = [density.values(fine).reshape(bins, 8).mean(axis=1) for density in states]
        if self.quantiles is not None:
            paths = self.quantiles.trajectories[len(self.quantiles.t) - (len(self.t) - len(rows)) :]
            angles = np.arctan2(paths[..., 1], paths[..., 0])
            rows += [_shares(np.sort(row), bins) * bins for row in angles]
        return np.array(rows, dtype=np.float64).reshape(len(self.t), bins)

    def plot(self, ax: Axes | None = None, *, bins: int = 180) -> Axes:
        """The density over time and angle as one heat map on a logarithmic scale, with a line at the switch.

        :param ax: axes to draw on, the current ones by default
        :param bins: bins of the angle, >= 1 (default 180)

        Raises ValueError for fewer than two saved times.
        """
        from matplotlib.colors import LogNorm

        if len(self.t) < 2:
            raise Refused("run", None, "two saved times are needed for a picture")
        ax, values = axes_of(ax), np.maximum(self.densities(bins), FAINTEST).T
        edges = np.linspace(-np.pi, np.pi, bins + 1)
        norm, middles = LogNorm(FAINTEST, bins), (edges[1:] + edges[:-1]) / 2
        drawn = ax.pcolormesh(self.t, middles, values, norm=norm, cmap="cividis", shading="nearest", rasterized=True)
        ax.figure.colorbar(drawn, ax=ax, label="density (uniform = 1)", extend="min")
        if self.switch is not None:
            ax.axvline(self.switch, color="white", linestyle="--")
            ax.set_title(f"series up to t = {self.switch:.3g}, then quantiles")
        ax.set(xlabel=TIME, ylabel=ANGLE, ylim=(-np.pi, np.pi))
        return ax

    def __repr__(self) -> str:
        return as_text(*self._table())

    def _repr_html_(self) -> str:
        return as_html(*self._table())

    def _table(self) -> tuple[str, dict[str, object]]:
        rows: dict[str, object] = {"status": self.status, "series": self.series.status}
        if self.quantiles is not None:
            rows["quantiles"] = f"{len(self.quantiles.tokens)} from t = {number(self.begin)} on"
            rows["at the switch"] = f"t = {number(self.switch)}, the two apart by {self.agreement:.1e} rad"
        title = f"MeanFieldRun: circle, {self.series.flow}"
        return title, rows | {name: summary(values) for name, values in self.observables.items()}


def solve_mean_field(
    density: CircleDensity | Callable[[Array], Array] | ArrayLike,
    flow: Flow | None = None,
    *,
    t_end: float,
    n: int = 4096,
    observe: Sequence[DensityObservable] = (),
    rtol: float = 1e-9,
    max_degree: int | None = None,
    save_at: ArrayLike | None = None,
    progress: bool = False,
    **short: Unpack[FlowParts],
) -> MeanFieldRun:
    r"""Follow a density on the circle through the formation of clusters: one run on one axis of times.

    The series of :func:`.solve_density` is right to the last digit while the density is smooth, and ends where it would
    need more than ``max_degree`` degrees. From the last saved density that needs at most half as many, n quantiles of
    :func:`.solve_quantiles` go on to the end, through Dirac masses. The two are compared where the series ends:

    .. math:: \text{agreement}^2 = \frac1n \sum_i (X_i - Q_i)^2, \qquad
              \int_0^{Q_i} f\,\frac{d\theta}{2\pi} = \frac in + \alpha

    with X the quantiles that moved, Q those of the series and :math:`\alpha` the mean label of X less i/n: a distance
    :math:`W_2` of what two methods say, so that their two errors add up to at least as much.

    :param density: the density with respect to the uniform probability measure, as of :func:`.circle_density`
    :param flow: what moves it, a :class:`Flow` with a weight, beta >= 0 or a kernel, and a model; None (default): the
        one whose parts are given as keywords
    :param t_end: time to end at, >= 0, in units of the flow
    :param n: number of quantiles, >= 8 (default 4096)
    :param observe: observables of densities that tokens have, too, recorded at each saved time
    :param rtol: relative tolerance of a step, >= 1e-13 and < 1 (default 1e-9); the absolute one is 1e-14 for the
        series, rtol/100 for quantiles
    :param max_degree: degrees of the series, >= 1; None for 256, or twice those of the start where that is more
    :param save_at: times to save at, shape (times,), not decreasing, within [0, t_end]; None (default): 101
        equispaced ones
    :param progress: show a bar on a terminal or in a notebook (default False)
    :param short: parts of a :class:`Flow` in place of it: beta, kernel, model, scaled

    >>> run = solve_mean_field(lambda angle: 1 + 0.2 * np.cos(2 * angle), beta=2.0, t_end=2.0, n=256, max_degree=64)
    >>> run.status.ok, 0 < run.switch < 2, run.agreement < 1e-4
    (True, True, True)
    >>> masses = run.densities(bins=4)[-1] / 4                      # all of it in two clusters, at 0 and pi
    >>> float(masses.sum().round(12)), float(run.t[-1])
    (1.0, 2.0)

    Raises ValueError for bad input, noise, matrices and random layers, and for a density beyond the circle, where the
    series alone is known. Ctrl-C raises :class:`.Interrupted` with all that was computed as its ``run``.
    Source: derived here.

    See also :func:`.solve_density`, :func:`.solve_quantiles`.
    """
    if isinstance(density, Density) and not isinstance(density, CircleDensity):
        raise Refused(
            "density", None, f"it is a {type(density).__name__}: beyond the circle there is solve_density alone"
        )
    flow = flow_of(flow, short)
    check_parts(flow, "solve_mean_field", smallest_beta=0.0)
    start = density if isinstance(density, CircleDensity) else circle_density(density)
    n, times = check_whole("n", n, 8), check_times(save_at, t_end)
    if isinstance(observe, Sequence) and not all(map(callable, observe)):
        raise Refused("observe", repr(observe), "they must be observables of densities and of tokens")
    most = max(MOST_DEGREES, 2 * start.max_degree) if max_degree is None else max_degree
    options: dict[str, Any] = {"observe": observe, "rtol": rtol, "progress": progress}
    try:
        series = solve_density(start, flow, t_end=t_end, max_degree=most, save_at=times, **options)
    except Interrupted as stop:
        raise Interrupted(_joined(stop.run, None, 0.0, times)) from stop
    if series.reached == float(t_end):
        return _joined(series, None, 0.0, times)
    begin, first = _handed_over(series, start, int(most))
    later = [series.reached - begin, *(times[times > series.reached] - begin)]
    try:
        moved = solve_quantiles(
            first, flow, n=n, atol=rtol / 100, t_end=float(t_end) - begin, save_at=np.array(later), track=n, **options
        )
    except Interrupted as stop:
        raise Interrupted(_joined(series, stop.run, begin, times)) from stop
    return _joined(series, moved, begin, times)


def _handed_over(series: DensityRun, start: CircleDensity, most: int) -> tuple[float, Any]:
    """The last saved time at which half of the degrees were enough, and the density then; else the start."""
    enough = np.flatnonzero(2 * series.resolution <= most)
    if not len(enough):
        return 0.0, start
    return float(series.t[enough[-1]]), series.densities[enough[-1]]


def _joined(series: Any, moved: Any, begin: float, times: Array) -> MeanFieldRun:
    """Both runs on one axis of times; the first saved state of the quantiles is where the series ended."""
    if moved is None:
        return MeanFieldRun(series, None, None, None, None, series.t, series.observables, series.status)
    later = times[times > series.reached][: max(len(moved.t) - 1, 0)]
    observables = {
        name: np.concatenate([values, moved.observables[name][1 : 1 + len(later)]])
        for name, values in series.observables.items()
    }
    apart = None
    if len(moved.t):
        apart = _apart(moved.trajectories[0], series.density)
    told = f"quantiles from t = {begin:g} on: {moved.status}"
    if moved.status.ok:
        told = f"reached t = {begin + moved.reached:g}, by quantiles from t = {series.reached:g} on"
    t = np.concatenate([series.t, later])
    return MeanFieldRun(series, moved, begin, series.reached, apart, t, observables, Status(moved.status.ok, told))


def _shares(angles: Array, bins: int) -> Array:
    """The mass in each of equal bins from -pi to pi, with as much between each two neighbours among sorted angles."""
    n, turn = len(angles), 2 * np.pi
    around = np.concatenate([[angles[-1] - turn], angles, [angles[0] + turn]])
    edges = np.linspace(-np.pi, np.pi, bins + 1)
    mass: Array = np.diff(np.interp(edges, around, (np.arange(-1, n + 1) + 0.5) / n))
    return mass


def _apart(tokens: Array, density: Any) -> float:
    """Root mean square distance of moved quantiles from those of a density, at labels shifted by one number."""
    known, angles = distribution(density), np.arctan2(tokens[:, 1], tokens[:, 0]) % (2 * np.pi)
    labels = np.arange(len(angles)) / len(angles)
    shifts = known.at(angles)[0] - labels
    shift = shifts[0] + ((shifts - shifts[0] + 0.5) % 1 - 0.5).mean()
    off = (angles - known.inverse(labels + shift) + np.pi) % (2 * np.pi) - np.pi
    return float(np.sqrt(np.mean(off**2)))
