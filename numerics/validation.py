r"""Theory against simulation: the one room where the two sides meet.

Every measurement comes from simulated tokens alone, every prediction from :mod:`gegenflow.theory`; a check passes if they
agree within three error bars and the bar is at most 5 % of the value (:class:`~gegenflow.numerics.report.Check`). For
a Gaussian error a correct theory fails one random check in 370 (one in 180 for the error bars from 32 runs used here).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from scipy.integrate import simpson
from tqdm import tqdm

from gegenflow import theory as th
from gegenflow.numerics.circle import exponential_modes
from gegenflow.numerics.clusters import cluster_labels
from gegenflow.numerics.geometry import Array, normalize, quadrature, uniform
from gegenflow.numerics.harmonics import harmonic_overlap, harmonic_power
from gegenflow.numerics.observables import Dissipation, Energy
from gegenflow.numerics.particles import Run, simulate
from gegenflow.numerics.report import Check, Report

MODELS = ("usa", "sa")
EMERGED = 0.3
"""Amplitude A_k at which a degree counts as emerged."""
TILT = 1e-5
MOST_NODES = 20_000
RUNS = 32


class Unfinished(Exception):
    """A run behind a check stopped early; the text says why."""


def validate(
    *,
    dims: Sequence[int] = (2, 3),
    beta: Any = 5,
    models: Sequence[str] = MODELS,
    tokens: int | None = None,
    runs: int = RUNS,
    rng: int | None = 0,
    progress: bool = False,
) -> Report:
    """Compare simulation with theory in several dims and models: rates, energy balance, cluster angles.

    ``tokens`` of each random run, by default 20,000 in dim 2 and 2,000 above; ``runs`` independent ones; ``beta`` may be
    text, to be exact. An interrupt keeps the checks made so far. The sections:

    * *planted modes* (:func:`planted_modes`), dims where an exact start needs at most 20,000 tokens;
    * *uniform tokens* (:func:`uniform_tokens`);
    * *energy balance* (:func:`energy_balance`);
    * *cluster angles* (:func:`cluster_angles`), dim 2.

    >>> report = validate(dims=[2], models=["usa"], beta=2, tokens=500, runs=8)
    >>> report.passed, report.checks[0].name
    (True, 'dim 2 USA degree 1')

    Raises ValueError for bad input.
    """
    cases = [Case(dim, beta, model) for dim in dims for model in models]
    if tokens is not None and tokens < 10:
        raise ValueError(f"tokens {tokens}: a validation needs at least 10 tokens")
    if runs < 4:
        raise ValueError(f"runs {runs}: error bars need at least 4 independent runs")
    clock, checks, status = perf_counter(), list[Check](), "complete"
    streams = iter(np.random.default_rng(rng).spawn(4 * len(cases)))
    jobs = [job for section in SECTIONS for case in cases for job in [(section, case, next(streams))]]
    bar = tqdm(jobs, disable=None if progress else True, unit="check", leave=False)
    try:
        for section, case, stream in bar:
            bar.set_description(f"{section.__name__} {case}")
            checks += section(case, tokens or (20_000 if case.dim == 2 else 2_000), runs, stream)
    except (KeyboardInterrupt, Unfinished) as problem:
        status = str(problem) or "interrupted"
    parameters = {
        "dims": list(dims),
        "beta": str(beta),
        "models": list(models),
        "tokens": tokens,
        "runs": runs,
        "rng": rng,
    }
    return Report(tuple(checks), parameters, status, perf_counter() - clock, complete=status == "complete")


@dataclass(frozen=True)
class Case:
    """A dimension, a temperature and a model, with what the theory predicts there."""

    dim: int
    beta: Any
    model: str

    def __post_init__(self) -> None:
        th.growth_rate(1, self.dim, self.beta, model=self.model, digits=1)

    @property
    def beta_float(self) -> float:
        """The temperature for the simulation."""
        exact = th.exact_number(self.beta)
        return int(exact.p) / int(exact.q)

    def __str__(self) -> str:
        return f"dim {self.dim} {self.model.upper()}"

    @property
    def selected(self) -> int:
        """The degree that grows fastest."""
        return th.selected_degree(self.beta, self.dim)

    @property
    def rates(self) -> Array:
        """Growth rates of degrees 1 to selected + 2, those that are not zero."""
        degrees = range(1, self.selected + 3)
        rates = [th.growth_rate(k, self.dim, self.beta, model=self.model, digits=17) for k in degrees]
        return np.array([float(rate) for rate in rates if float(rate) > 0])

    def follow(self, tokens: Array, t_end: float, **options: Any) -> Run:
        """Simulate, or raise :class:`Unfinished`."""
        run = simulate(tokens, beta=self.beta_float, model=self.model, t_end=t_end, **options)
        if not run.status.ok:
            raise Unfinished(f"{self}: {run.status}")
        return run


@dataclass(frozen=True)
class _Profile:
    """Amplitudes of the harmonics symmetric about a pole, degrees 1..max_degree."""

    pole: Array
    max_degree: int
    name: str = "profile"

    def __call__(self, tokens: Array, weights: Array, beta: float, model: str) -> Array:
        return harmonic_overlap(tokens, self.pole, self.max_degree, weights)[1:]


def planted_modes(case: Case, tokens: int, runs: int, rng: np.random.Generator) -> Iterator[Check]:
    r"""Growth of small harmonics planted on quadrature nodes, where uniform tokens are an exact equilibrium.

    Weights :math:`w_j (1 \pm \epsilon \sum_k P_k(\langle x_j, e\rangle))` about a random pole e hold every degree at once;
    half the difference of the two signs is free of quadratic terms. Error bar: the largest deviation of the rate in one of
    four windows, which sees both the rounding and the cubic terms (they grow along the run).
    """
    rates = case.rates
    degree = len(rates) + len(exponential_modes(case.beta_float, 1e-14).force)
    if (degree + 1) * (degree // 2 + 1) ** (case.dim - 2) > MOST_NODES:
        return
    nodes, weights = quadrature(case.dim, degree)
    profile = _Profile(normalize(rng.standard_normal((1, case.dim))), len(rates))
    tilt = TILT * np.array([profile(node[None], np.ones(1), 0, "").sum() for node in nodes])
    times = np.linspace(0, 1 / rates.max(), 5)
    plus, minus = (
        case.follow(nodes, times[-1], weights=weights * w / (weights @ w), observe=[profile], save_at=times, rtol=1e-12)
        for w in (1 + tilt, 1 - tilt)
    )
    logs = np.log(np.abs(plus.observables["profile"] - minus.observables["profile"]))
    measured = (logs[-1] - logs[0]) / times[-1]
    errors = np.abs(np.diff(logs, axis=0) / np.diff(times)[:, None] - measured).max(axis=0)
    for k, (rate, value, error) in enumerate(zip(rates, measured, errors, strict=True), 1):
        yield Check("planted modes", f"{case} degree {k}", rate, value, error)


def uniform_tokens(case: Case, tokens: int, runs: int, rng: np.random.Generator) -> Iterator[Check]:
    r"""Growth of every degree from independent uniform tokens, by regression of amplitudes at t on those at 0.

    .. math:: \gamma_k \approx \frac1t \log\frac{\sum_r \sum_m c_{km}^r(t)\,c_{km}^r(0)}{\sum_r \sum_m c_{km}^r(0)^2}

    over runs r and harmonics m: quadratic coupling to faster degrees is uncorrelated with the start, so it widens the
    error bar (jackknife over runs) but does not bias the slope. The bias of order 1/n that finitely many tokens leave (each
    is its own neighbour in the normaliser of SA) cancels in twice the slope of all tokens less that of their halves.
    """
    rates = case.rates
    t_end = 0.5 / rates.max()

    def regression(start: Array) -> Array:
        end = case.follow(start, t_end, save_at=[], rtol=1e-7, atol=1e-9).tokens
        return np.array([harmonic_overlap(start, end, len(rates))[1:], harmonic_power(start, len(rates))[1:]])

    def slope(sums: Array) -> Array:
        slopes = np.log(sums[..., 0, :] / sums[..., 1, :]) / t_end
        return 2 * slopes[..., 0, :] - slopes[..., 1, :]

    samples = []
    for stream in rng.spawn(runs):
        start = uniform(tokens, case.dim, rng=stream)
        samples.append([regression(start), regression(start[::2]) + regression(start[1::2])])
    sums = np.array(samples)
    values, left_out = slope(sums.sum(axis=0)), slope(sums.sum(axis=0) - sums)
    errors = np.sqrt((runs - 1) * left_out.var(axis=0))
    for k, (rate, value, error) in enumerate(zip(rates, values, errors, strict=True), 1):
        yield Check("uniform tokens", f"{case} degree {k}", rate, value, error)


def energy_balance(case: Case, tokens: int, runs: int, rng: np.random.Generator) -> Iterator[Check]:
    r"""Energy gained along a run against the integral of the dissipation, until the selected degree has emerged.

    Error bar: the change of Simpson's rule on halving its step, and the rounding of the energy.
    """
    start = uniform(tokens, case.dim, rng=rng)
    times = np.linspace(0, _emergence_time(start, case), 65)
    run = case.follow(start, times[-1], observe=[Energy(), Dissipation()], save_at=times, rtol=1e-9)
    energy, dissipation = run.observables["energy"], run.observables["dissipation"]
    fine, coarse = simpson(dissipation, x=times), simpson(dissipation[::2], x=times[::2])
    error = abs(fine - coarse) + 1e-8 * abs(energy[-1])
    yield Check("energy balance", f"{case}", fine, energy[-1] - energy[0], error)


def cluster_angles(case: Case, tokens: int, runs: int, rng: np.random.Generator) -> Iterator[Check]:
    r"""Angle of the cluster nearest to pi against :math:`(2\pi j - \arg\mu_k)/k`, :math:`\mu_k` at time 0 (dim 2).

    At finite N another degree may win by chance, so the uniform tokens are nudged to hold the selected degree k at an
    amplitude of 0.05, well above their noise. Mean over eight runs; error bar from their scatter.
    """
    if case.dim != 2:
        return
    k, predicted, measured = case.selected, [], []
    for stream in rng.spawn(8):
        angle = stream.uniform(0, 2 * np.pi, tokens)
        phase = np.pi * (1 + stream.uniform(-0.5, 0.5) / k)
        nudged = angle - 2 * max(0.05, 5 / tokens**0.5) / k * np.sin(k * (angle - phase))
        run = case.follow(
            _circle(nudged), _emergence_time(_circle(nudged), case) + 8 / case.rates.max(), save_at=[], rtol=1e-7
        )
        labels = cluster_labels(run.tokens, min_mass=0.3 / k)
        if labels.max() < 0:
            raise Unfinished(f"{case}: no clusters after t = {run.parameters['t_end']:.3g}; take more tokens")
        z = run.tokens @ np.array([1, 1j])
        centres = np.array([np.angle(z[labels == label].sum()) % (2 * np.pi) for label in range(labels.max() + 1)])
        expected = (2 * np.pi * np.arange(k) - np.angle(np.exp(-1j * k * nudged).mean())) / k % (2 * np.pi)
        predicted.append(expected[np.abs(expected - np.pi).argmin()])
        measured.append(centres[np.abs(centres - predicted[-1]).argmin()])
    error = np.std(np.subtract(measured, predicted), ddof=1) / len(measured) ** 0.5
    yield Check("cluster angles", f"{case} degree {k}", np.mean(predicted), np.mean(measured), error)


SECTIONS: tuple[Callable[[Case, int, int, np.random.Generator], Iterator[Check]], ...] = (
    planted_modes,
    uniform_tokens,
    energy_balance,
    cluster_angles,
)


def _circle(angle: Array) -> Array:
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _emergence_time(start: Array, case: Case) -> float:
    """When the linear theory brings the first degree to an amplitude of 0.3."""
    amplitudes = np.sqrt(harmonic_power(start, len(case.rates))[1:])
    return float(np.min(np.log(EMERGED / np.minimum(amplitudes, EMERGED / 2)) / case.rates))
