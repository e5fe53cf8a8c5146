r"""Growth rates, measured on simulated tokens with error bars.

Nothing here knows the theory: windows of time come from the motion at the start unless the caller gives them, and the
kernel enters through the velocity alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

import numpy as np

from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.fields.fourier import CircleModes, circle_modes, exponential_modes
from gegenflow.numerics.fields.method import attention_field, attention_sums
from gegenflow.numerics.fields.sums import NotSmooth
from gegenflow.numerics.flows.flow import Flow, FlowParts, check_parts, flow_of
from gegenflow.numerics.flows.weights import kernel_name
from gegenflow.numerics.observables.harmonics import harmonic_overlap, harmonic_power, harmonic_profile, power_change
from gegenflow.numerics.runs.meanfield import solve_density
from gegenflow.numerics.runs.particles import simulate
from gegenflow.numerics.runs.run import DensityRun, Run
from gegenflow.numerics.tokens.arguments import check_dim, check_number, check_rng, check_whole
from gegenflow.numerics.tokens.geometry import Array, normalize, quadrature, uniform
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
    half the difference of the two signs is free of these and of quadratic terms. The error bar is the largest deviation
    of the rate in one of the four parts of the window, which sees both the rounding and the cubic terms (they grow
    along the run), plus ten times :math:`\epsilon^2` of the fastest rate for a cubic term that does not change.

    :param dim: d of the sphere S^{d-1}, >= 2
    :param flow: what moves the tokens, a :class:`Flow` with a smooth weight, beta >= 0, and a model alone;
        None (default): the one whose parts are given as keywords
    :param max_degree: highest degree, >= 1
    :param window: time for which they are followed, > 0, in units of the flow; None (default): that in which the
        fastest changes by a factor e
    :param rng: seed >= 0 or numpy Generator of the pole; None (default): seeded by the system
    :param short: parts of a :class:`Flow` in place of it: beta, kernel, model, scaled

    At beta = 0 only the mean moves, at rate 1/2 on the circle (Kuramoto):

    >>> rates, errors = planted_rates(2, beta=0, max_degree=1, window=1.0, rng=0)
    >>> bool(abs(rates[0] - 0.5) < 3 * errors[0] < 1e-6)
    True

    Raises ValueError (Unmeasurable) where an exact start needs more than 10,000 tokens, as for every ``kernel`` that is
    not smooth; :func:`uniform_rates` takes any. Source: derived here.

    See also :func:`.uniform_rates`, :func:`.measure_rates`, :func:`.plot_rates`.
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

    the regression of the amplitudes at t = ``window`` on those at 0, over runs r and harmonics m. Quadratic coupling to
    faster degrees is uncorrelated with the start, so it widens the error bar (standard error, jackknife over runs) but
    does not bias the slope. The bias of order 1/n that finitely many tokens leave (each is its own neighbour in the
    normaliser of SA) cancels in twice the slope of all tokens less that of their halves. Under ``noise`` :math:`\nu`
    the rates are :math:`\gamma_k - \nu k(k+d-2)`, and the error bars shrink with more runs, hardly with more tokens.

    :param dim: d of the sphere S^{d-1}, >= 2
    :param flow: what moves the tokens, a :class:`Flow` with a weight, beta >= 0 or a kernel, a model and noise;
        None (default): the one whose parts are given as keywords
    :param max_degree: highest degree, >= 1
    :param window: t, > 0, in units of the flow; None (default): a quarter of the time in which the fastest degree of
        uniform tokens grows by a factor e at once
    :param tokens: number of tokens of a run, >= 2
    :param runs: number of runs, >= 2
    :param rng: seed >= 0 or numpy Generator; None (default): seeded by the system
    :param short: parts of a :class:`Flow` in place of it: beta, kernel, model, noise, scaled

    Raises :class:`Unfinished` where a token makes up more than 3 % of its own normaliser, so that terms of order 1/n^2
    would show.

    >>> rates, errors = uniform_rates(2, beta=0, max_degree=1, window=0.5, tokens=1000, runs=8, rng=0)
    >>> bool(abs(rates[0] - 0.5) < 3 * errors[0] < 0.05)
    True

    Source: derived here.

    See also :func:`.planted_rates`, :func:`.measure_rates`, :func:`.plot_rates`, :func:`.emergences`.
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
