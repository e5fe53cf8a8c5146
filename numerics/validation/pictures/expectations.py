"""What the linear theory expects of a start: the degree that emerges, when, and where its clusters are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from gegenflow import theory as th
from gegenflow.numerics.densities.density import Density, density_power
from gegenflow.numerics.flows.flow import Flow, FlowParts, check_parts, flow_of
from gegenflow.numerics.runs.pictures.paths import plot_trajectories
from gegenflow.numerics.runs.run import DensityRun, Run
from gegenflow.numerics.runs.switching import MeanFieldRun
from gegenflow.numerics.tokens.geometry import Array, check_tokens
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import Value, record_html
from gegenflow.numerics.validation.case import EMERGED, Case, emergence_times
from gegenflow.numerics.validation.holdings import EXCESS, FAR, NEAR, prospects_of
from gegenflow.pictures import ANGLE, COLORS, MUTED, TIME, axes_of, of_degree

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BEYOND = 8
"""Degrees above twice the fastest one that are looked at: a start may hold little of the faster ones."""
TOLD = "amplitude", "emergence", "own_rate"


@dataclass(frozen=True, eq=False)
class Expectation(Value):
    """What the linear theory expects of a start. Source: derived in :func:`.expect`.

    :param dim: d of the sphere S^{d-1}
    :param degree: degree of the harmonics that emerge first; 0 where none that the start holds grows
    :param rate: its growth rate
    :param amplitude: its amplitude A_k at the start
    :param time: when that reaches 0.3; infinite where none grows
    :param next_time: when that of the next degree would, were the first not there
    :param angles: where the clusters are, in radians from -pi to pi, sorted; empty beyond the circle
    :param verdict: whether the start is near uniform, so that this applies

    See also :func:`.prospects`.
    """

    dim: int
    degree: int
    rate: float
    amplitude: float
    time: float
    next_time: float
    angles: Array
    verdict: str

    _repr_html_ = record_html

    def plot(self, run: Run | DensityRun | MeanFieldRun | None = None, ax: Axes | None = None) -> Axes:
        """The expected angles and the time over the paths of a run; beyond the circle over the amplitude of the degree.

        :param run: a run from this start, which beyond the circle must have observed HarmonicPower; None for none
        :param ax: axes to draw on, the current ones by default

        Raises ValueError where no degree emerges, and for a run that cannot be drawn: of another dim, without saved
        times, or beyond the circle without the power of the degree.
        """
        if not self.degree:
            raise Refused("run", None, "no degree grows, so there is nothing to expect")
        if run is not None:
            self._check(run)
        ax = axes_of(ax)
        end = 2 * self.time + 1 / self.rate if run is None else float(run.t[-1])
        if self.dim > 2:
            self._plot_growth(run, ax, end)
        else:
            if isinstance(run, MeanFieldRun):
                run.plot(ax)
            elif run is not None:
                plot_trajectories(run, ax=ax)
            ax.hlines(self.angles, self.time, max(end, self.time), color=COLORS[1], linestyle="--", label="expected")
            ax.set(xlabel=TIME, ylabel=ANGLE, ylim=(-np.pi, np.pi))
        ax.axvline(self.time, color=COLORS[1], linestyle=":")
        ax.set_title(f"degree {self.degree} expected at t = {self.time:.3g}, {self.verdict.split(':')[0]}")
        return ax

    def _check(self, run: Any) -> None:
        """Refuse what is no run from a start of this dim, or shows nothing."""
        if not isinstance(run, Run | DensityRun | MeanFieldRun):
            raise Refused("run", None, f"it is a {type(run).__name__}, a run is needed")
        held = run.tokens.shape[1] if isinstance(run, Run) else run.density.dim if isinstance(run, DensityRun) else 2
        if held != self.dim:
            raise Refused("run", None, f"it is of dim {held}, what is expected is of dim {self.dim}")
        if not len(run.t):
            raise Refused("run", None, "it has no saved times")
        if self.dim > 2 and run.observables.get("harmonic_power", np.empty((0, 0))).shape[1] <= self.degree:
            what = f"it has no harmonic_power of degree {self.degree}"
            raise Refused("run", None, f"{what}: a run with observe=[HarmonicPower({self.degree})] has")

    def _plot_growth(self, run: Any, ax: Axes, end: float) -> None:
        times = np.linspace(0, min(end, 1.5 * self.time) or 1.0, 200)
        ax.plot(times, self.amplitude * np.exp(self.rate * times), color=COLORS[5], linestyle="--", label="expected")
        if run is not None:
            power = run.observables["harmonic_power"][:, self.degree]
            ax.plot(run.t, np.sqrt(power), **of_degree(self.degree, len(run.t)), label=f"degree {self.degree}")
        ax.axhline(EMERGED, color=MUTED, linewidth=0.8)
        ax.set(xlabel=TIME, ylabel="amplitude", yscale="log")
        ax.legend()


def expect(start: Density | ArrayLike, flow: Flow | None = None, **short: Unpack[FlowParts]) -> Expectation:
    r"""Which degree emerges first from a start, when, and at which angles its clusters are, by the linear theory.

    .. math:: k = \operatorname*{argmin}_k \frac{1}{\gamma_k} \log\frac{0.3}{A_k}, \qquad
              \theta_j = \frac{2\pi j - \arg\mu_k}{k}, \quad \mu_k = \int e^{-ik\theta} f\,\frac{d\theta}{2\pi}
              \quad\text{(on the circle)}

    :param start: tokens of shape (n, dim), or a density on the circle or a sphere
    :param flow: what moves the tokens: beta >= 0 or a kernel of the theory, and a model; None where ``short`` has them
    :param short: parts of a :class:`Flow` in place of it

    >>> from gegenflow.numerics import circle_density
    >>> seen = expect(circle_density(lambda angle: 1 + 0.02 * np.cos(3 * angle - 0.3)), beta=5)
    >>> seen.degree, round(seen.time, 4), seen.angles.round(4).tolist(), seen.verdict
    (3, 0.1829, [-1.9944, 0.1, 2.1944], 'near uniform')

    Degrees up to twice the fastest one and eight more are looked at. A start is near uniform if none of their
    amplitudes has reached 0.3 and :func:`.prospects` says so of tokens, or :math:`\sum_k D_k A_k^2 < 1` of a density.
    Where tokens are not, the time follows the growth that they have at first. That of a zonal density is a rough one
    in high dims: it leaves the linear law where :math:`D_k A_k` is about one. Raises ValueError for bad tokens, for
    other parts of a flow, and for a kernel that is no formula. Source: arXiv 2410.23228.

    See also :func:`.prospects`, :func:`.cluster_angles`.
    """
    flow = flow_of(flow, short)
    check_parts(flow, "expect", smallest_beta=0.0)
    if flow.kernel is not None and not isinstance(flow.kernel, th.Kernel):
        raise Refused("kernel", None, "the theory needs its formula: th.Kernel('tanh(3*t)')")
    tokens = None if isinstance(start, Density) else check_tokens(start, "start")
    dim = start.dim if tokens is None else tokens.shape[1]  # type: ignore[union-attr]
    case = Case(dim, flow.beta, flow.model, flow.kernel, scaled=flow.scaled)
    rates = growing = case.rates_to(2 * case.selected + BEYOND)
    if tokens is None:
        amplitudes = np.sqrt(density_power(start, len(rates))[1:])  # type: ignore[arg-type]
        times = emergence_times(amplitudes, rates)
        dims = [int(th.harmonic_dimension(k, dim)) for k in range(1, len(times) + 1)]
        verdict = NEAR if dims @ amplitudes**2 < EXCESS else FAR
    else:
        found = sorted(prospects_of(tokens, case, rates), key=lambda prospect: prospect.degree)
        amplitudes, times, own = (np.array([getattr(p, name) for p in found]) for name in TOLD)
        verdict = found[0].verdict
        growing = rates if verdict == NEAR else own
    verdict = verdict if amplitudes.max() < EMERGED else FAR
    times = np.where(growing > 0, times, np.inf)
    first, *others = np.argsort(times, kind="stable")
    if not np.isfinite(times[first]):
        return Expectation(dim, 0, 0.0, 0.0, np.inf, np.inf, np.empty(0), verdict)
    degree, next_time = int(first) + 1, min((float(times[k]) for k in others), default=np.inf)
    return Expectation(
        dim,
        degree,
        float(rates[first]),
        float(amplitudes[first]),
        float(times[first]),
        next_time,
        _angles(start, tokens, degree) if dim == 2 else np.empty(0),
        verdict,
    )


def _angles(start: Any, tokens: Array | None, degree: int) -> Array:
    """The angles of maximal density of one degree, from -pi to pi, sorted."""
    if tokens is None:
        cosine, sine = start.coefficients[2 * degree - 2 : 2 * degree]
        moment = cosine - 1j * sine
    else:
        moment = np.mean((tokens[:, 0] - 1j * tokens[:, 1]) ** degree)
    angles = (2 * np.pi * np.arange(degree) - np.angle(moment)) / degree
    found: Array = np.sort((angles + np.pi) % (2 * np.pi) - np.pi)
    return found
