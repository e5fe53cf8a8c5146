r"""Growth rates, energy balance and cluster angles, measured on simulated tokens with error bars.

Nothing here knows the theory: windows of time come from the motion at the start unless the caller gives them, and the
kernel enters through the velocity alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import simpson

from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.fields.fourier import CircleModes, circle_modes, exponential_modes
from gegenflow.numerics.fields.method import attention_field, attention_sums
from gegenflow.numerics.fields.sums import NotSmooth
from gegenflow.numerics.flows.flow import Flow, FlowParts, check_parts, flow_of
from gegenflow.numerics.flows.weights import kernel_name
from gegenflow.numerics.observables.energy import Dissipation, Energy
from gegenflow.numerics.observables.harmonics import harmonic_overlap, harmonic_power, harmonic_profile, power_change
from gegenflow.numerics.runs.meanfield import solve_density
from gegenflow.numerics.runs.particles import simulate
from gegenflow.numerics.runs.run import DensityRun, Run
from gegenflow.numerics.systems.synchronization import SmallestOverlap
from gegenflow.numerics.tokens.arguments import check_dim, check_number, check_rng, check_whole
from gegenflow.numerics.tokens.clusters import cluster_centres, cluster_labels
from gegenflow.numerics.tokens.geometry import Array, check_tokens, normalize, quadrature, uniform
from gegenflow.numerics.tokens.refusals import Refused

TILT = 1e-5
MOST_NODES = 10_000
MOST_OWN_SHARE = 0.03
QUARTER, SLOWEST = 0.25, 1e-9  # of the time of the fastest degree; a rate that counts as none
STEPS_WITH_NOISE = 4  # of a window in which the fastest degree grows by about e: an error far below 1e-3 of its rate


class Unfinished(Exception):
    """A measurement came to nothing: its run stopped early, or the tokens are too few; the text says why."""


class Unmeasurable(Refused):
    """What was asked for cannot be measured at that dimension and temperature."""


@dataclass(frozen=True)
class Profile:
    """Observable: amplitudes of the harmonics of degrees 1..max_degree that are symmetric about a pole."""

    pole: Array
    max_degree: int
    name: str = "profile"

    def __call__(self, tokens: Array, weights: Array, flow: Flow) -> Array:
        return harmonic_overlap(tokens, self.pole, self.max_degree, weights)[1:]


def planted_rates(
    dim: int,
    flow: Flow | None = None,
    *,
    max_degree: int,
    window: float | None = None,
    rng: Any = None,
    **short: Unpack[FlowParts],
) -> tuple[Array, Array]:
    r"""Growth rates of small harmonics planted on quadrature nodes, and their error bars, each shape=[max_degree].

    Weights :math:`w_j (1 \pm \epsilon \sum_k P_k(\langle x_j, e\rangle))` about a random pole e hold every degree 1 to
    ``max_degree`` at once, on nodes where uniform tokens are an equilibrium up to modes of the kernel below 1e-11;
    half the difference of the two signs is free of these and of quadratic terms. They are followed for a time
    ``window``, by default that in which the fastest changes by a factor e. The error bar is the largest deviation of
    the rate in one of its four parts, which sees both the rounding and the cubic terms (they grow along the run), plus
    ten times :math:`\epsilon^2` of the fastest rate for a cubic term that does not change along the run.

    At beta = 0 only the mean moves, at rate 1/2 on the circle (Kuramoto):

    >>> rates, errors = planted_rates(2, beta=0, max_degree=1, window=1.0, rng=0)
    >>> bool(abs(rates[0] - 0.5) < 3 * errors[0] < 1e-6)
    True

    Raises ValueError (Unmeasurable) where an exact start needs more than 10,000 tokens, as for every ``kernel`` that is
    not smooth; :func:`uniform_rates` takes any. Source: derived here.
    """
    flow = flow_of(flow, short)
    check_parts(flow, "planted_rates", smallest_beta=0.0)
    dim, max_degree = check_dim(dim), check_whole("max_degree", max_degree, 1)
    if window is not None:
        window = check_number("window", window, above=0.0)
    degree = max_degree + len(_modes(flow).force)
    if (count := (degree + 1) * (degree // 2 + 1) ** (dim - 2)) > MOST_NODES:
        where = f"beta {flow.beta:g}" if flow.kernel is None else f"kernel {kernel_name(flow.kernel)}"
        raise Unmeasurable("dim", dim, f"an exact start needs {count} tokens at {where}, allowed are {MOST_NODES}")
    nodes, weights = quadrature(dim, degree)
    profile = Profile(uniform(1, dim, rng=rng), max_degree)
    tilt = TILT * harmonic_profile(nodes, profile.pole, np.ones(1), max_degree)[:, 1:].sum(axis=1)
    masses = [weights * factor / (weights @ factor) for factor in (1 + tilt, 1 - tilt)]
    window = window or 1 / _fastest(nodes, masses, flow, profile)
    times = np.linspace(0, window, 5)
    options: dict[str, Any] = {"observe": [profile], "save_at": times, "rtol": 1e-13, "atol": 0.0}
    options["first_step"] = window / 50  # motion of the size of the tilt would pass whole windows in one step
    plus, minus = (follow(nodes, flow, window, weights=mass, **options) for mass in masses)
    logs = np.log(np.abs(plus.observables["profile"] - minus.observables["profile"]))
    rates = (logs[-1] - logs[0]) / window
    parts = np.diff(logs, axis=0) / np.diff(times)[:, None]
    return rates, np.abs(parts - rates).max(axis=0) + 10 * TILT**2 * np.abs(rates).max()


def _fastest(nodes: Array, masses: Sequence[Array], flow: Flow, profile: Profile) -> float:
    """The largest rate at the start, of what differs between two masses on the same nodes."""
    step, ends = 1e-3, []
    for mass in masses:
        moved = nodes + step * attention_field(nodes, flow, weights=mass)
        ends.append([profile(x, mass, flow) for x in (nodes, normalize(moved))])
    before, after = (plus - minus for plus, minus in zip(*ends, strict=True))
    return max(float(np.abs(after / before - 1).max()) / step, SLOWEST)


def _modes(flow: Flow) -> CircleModes:
    """The modes above 1e-11 of the attention weight."""
    attention = flow.attention
    if not callable(attention):
        return exponential_modes(float(attention), 1e-11)
    try:
        return circle_modes(lambda gap: attention(1 - gap), 1e-11)
    except NotSmooth as error:
        what = "it has too many modes for an exact start, uniform_rates takes any kernel"
        raise Unmeasurable("kernel", kernel_name(attention), f"{what} ({error})") from error


def uniform_rates(
    dim: int,
    flow: Flow | None = None,
    *,
    max_degree: int,
    window: float | None = None,
    tokens: int,
    runs: int,
    rng: Any = None,
    **short: Unpack[FlowParts],
) -> tuple[Array, Array]:
    r"""Growth rates from independent uniform tokens, and their standard errors, each shape=[max_degree].

    .. math:: \gamma_k \approx \frac1t \log\frac{\sum_r \sum_m c_{km}^r(t)\,c_{km}^r(0)}{\sum_r \sum_m c_{km}^r(0)^2}

    the regression of the amplitudes at t = ``window`` on those at 0, over runs r and harmonics m; by default a quarter
    of the time in which the fastest degree of uniform tokens grows by a factor e at once. Quadratic coupling to faster
    degrees is uncorrelated with the start, so it widens the error bar (standard error, jackknife over runs) but does
    not bias the slope. The bias of order 1/n that finitely many tokens leave (each is its own neighbour in the
    normaliser of SA) cancels in twice the slope of all tokens less that of their halves. Under ``noise`` :math:`\nu`
    the rates are :math:`\gamma_k - \nu k(k+d-2)`, and the error bars shrink with more runs, hardly with more tokens.

    Raises :class:`Unfinished` where a token makes up more than 3 % of its own normaliser, so that terms of order 1/n^2
    would show.

    >>> rates, errors = uniform_rates(2, beta=0, max_degree=1, window=0.5, tokens=1000, runs=8, rng=0)
    >>> bool(abs(rates[0] - 0.5) < 3 * errors[0] < 0.05)
    True

    Source: derived here.
    """
    flow = flow_of(flow, short)
    check_parts(flow, "uniform_rates", "noise", smallest_beta=0.0)
    dim, max_degree = check_dim(dim), check_whole("max_degree", max_degree, 1)
    tokens, runs = check_whole("tokens", tokens, 2), check_whole("runs", runs, 2, why=", for error bars")
    if window is None:
        window = QUARTER / _fastest_of(uniform(tokens, dim, rng=rng), flow, max_degree)
    window = check_number("window", window, above=0.0)
    options: dict[str, Any] = {"save_at": []}
    if flow.noise:
        options |= {"step": window / STEPS_WITH_NOISE}
    else:
        options |= {"rtol": 1e-6, "atol": 1e-8, "first_step": window}

    def regression(start: Array, stream: np.random.Generator) -> Array:
        end = follow(start, flow, window, rng=stream, **options).tokens
        return np.array([harmonic_overlap(start, end, max_degree)[1:], harmonic_power(start, max_degree)[1:]])

    def slope(sums: Array) -> Array:
        slopes = np.log(sums[..., 0, :] / sums[..., 1, :]) / window
        difference: Array = 2 * slopes[..., 0, :] - slopes[..., 1, :]
        return difference

    if flow.model == "sa":
        _check_neighbours(uniform(tokens, dim, rng=rng), flow)
    samples = []
    for stream in check_rng(rng).spawn(runs):
        start = uniform(tokens, dim, rng=stream)
        halves = regression(start[::2], stream) + regression(start[1::2], stream)
        samples.append([regression(start, stream), halves])
    sums = np.array(samples)
    left_out = slope(sums.sum(axis=0) - sums)
    return slope(sums.sum(axis=0)), np.sqrt((runs - 1) * left_out.var(axis=0))


def _fastest_of(start: Array, flow: Flow, max_degree: int) -> float:
    """The largest rate of the degrees of given tokens, at once."""
    weights = np.full(len(start), 1 / len(start))
    power, change = power_change(start, attention_field(start, replace(flow, noise=0.0)), max_degree, weights)
    return max(float(np.abs(change / (2 * power)).max()), SLOWEST)


def _check_neighbours(start: Array, flow: Flow) -> None:
    """Refuse a SA start whose tokens see little but themselves."""
    _, normaliser = attention_sums(start, np.full(len(start), 1 / len(start)), flow)
    own = 1.0 if flow.kernel is None else float(flow.kernel(np.ones(1))[0])
    share = own / (len(start) * normaliser.mean())
    if share > MOST_OWN_SHARE:
        enough = int(np.ceil(len(start) * share / MOST_OWN_SHARE))
        raise Unfinished(
            f"{len(start)} tokens are too few: each makes up {share:.0%} of its own normaliser; take about {enough}"
        )


def energy_gain(
    start: ArrayLike, flow: Flow | None = None, *, t_end: float, **short: Unpack[FlowParts]
) -> tuple[float, float, float]:
    r"""Integral of the dissipation along a run, the gain of energy, and the error bar of their comparison.

    .. math:: \int_0^T \frac{dE}{dt}\,dt = E(T) - E(0)

    The error bar is the change of Simpson's rule on halving its step, plus the tolerance of the run and the rounding of
    the energy (which holds the constant 1/(2 beta)).

    >>> integral, gain, error = energy_gain(uniform(50, dim=3, rng=0), beta=2, t_end=1.0)
    >>> bool(abs(integral - gain) < 3 * error < 1e-3 * gain)
    True
    """
    flow = flow_of(flow, short)
    check_parts(flow, "energy_gain", "query_key", "value")
    start = check_tokens(start, "start")
    t_end = check_number("t_end", t_end, above=0.0)
    times = np.linspace(0, t_end, 65)
    run = follow(start, flow, t_end, observe=[Energy(), Dissipation()], save_at=times, rtol=1e-9)
    energy, dissipation = run.observables["energy"], run.observables["dissipation"].astype(float)
    fine, coarse = float(simpson(dissipation, x=times)), float(simpson(dissipation[::2], x=times[::2]))
    gain = float(energy[-1] - energy[0])
    return fine, gain, abs(fine - coarse) + 1e-7 * abs(gain) + 1e-13 * float(abs(energy[-1]))


def cluster_angles(
    start: ArrayLike, flow: Flow | None = None, *, t_end: float, min_mass: float, **short: Unpack[FlowParts]
) -> Array:
    """Angles in [0, 2 pi] of the clusters that tokens on the circle, shape=[n, 2], have formed by ``t_end``.

    Raises ValueError for bad tokens or another dim, and :class:`Unfinished` if there is no cluster of at least
    ``min_mass`` by then.
    """
    start, min_mass = check_tokens(start, "start"), check_number("min_mass", min_mass, least=0.0, most=1.0)
    if start.shape[1] != 2:
        raise Refused("start", None, f"its tokens are of dim {start.shape[1]}, angles are those of dim 2")
    run = follow(start, flow_of(flow, short), t_end, save_at=[], rtol=1e-7)
    labels = cluster_labels(run.tokens, min_mass=min_mass)
    if labels.max() < 0:
        raise Unfinished(f"no clusters after t = {t_end:.3g}")
    x, y = cluster_centres(run.tokens, labels).T
    angles: Array = np.arctan2(y, x) % (2 * np.pi)
    return angles


def gathering_times(
    dim: int, flow: Flow, *, tokens: int, overlap: float, runs: int, t_end: float, rng: Any = None
) -> Array:
    """Times at which all overlaps of independent uniform tokens pass a level, inf for not by ``t_end``, shape=[runs].

    Linear between 300 times. More than ``tokens`` dims cost no more: the overlaps at the start are all that counts.

    >>> gathering_times(2, Flow(beta=0), tokens=2, overlap=-1.0, runs=2, t_end=1.0, rng=0)
    array([0., 0.])
    """
    times, found = np.linspace(0, t_end, 301), np.full(runs, np.inf)
    for place, stream in enumerate(check_rng(rng).spawn(runs)):
        start = uniform(tokens, dim, rng=stream)
        if dim > tokens:
            start = normalize(np.linalg.cholesky(start @ start.T))
        run = follow(start, flow, t_end, save_at=times, rtol=1e-7, observe=[SmallestOverlap()])
        least = run.observables["smallest_overlap"]
        if (least >= overlap).any():
            i = int(np.argmax(least >= overlap))
            found[place] = np.interp(overlap, least[i - 1 : i + 1], times[i - 1 : i + 1]) if i else 0.0
    return found


def follow(start: Array, flow: Flow, t_end: float, **options: Any) -> Run:
    """A run that reached its end, or :class:`Unfinished`; an interrupt goes on."""
    run = simulate(start, flow, t_end=t_end, **options)
    if not run.status.ok:
        raise Unfinished(str(run.status))
    return run


def follow_density(start: Density, flow: Flow, t_end: float, **options: Any) -> DensityRun:
    """As :func:`follow`, of a density."""
    run = solve_density(start, flow, t_end=t_end, **options)
    if not run.status.ok:
        raise Unfinished(str(run.status))
    return run
