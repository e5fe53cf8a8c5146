r"""Theory against simulation: the one room where the two sides meet.

Every measurement comes from simulated tokens alone (:mod:`gegenflow.numerics.validation.measurements`), every
prediction from :mod:`gegenflow.theory`; a check passes if they agree within three error bars and the bar is at most 5 %
of the value (:class:`~gegenflow.numerics.validation.Check`). A correct theory fails one check in 370 of those on random
tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from time import perf_counter
from typing import Any

import numpy as np
from tqdm import tqdm

from gegenflow import theory as th
from gegenflow.numerics.fields.flow import MODELS, Flow
from gegenflow.numerics.fields.weights import LARGEST_BETA
from gegenflow.numerics.observables.harmonics import harmonic_power
from gegenflow.numerics.tokens.arguments import check_choice, check_dim, check_rng, check_whole
from gegenflow.numerics.tokens.geometry import Array, uniform
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.measurements import (
    Unfinished,
    Unmeasurable,
    cluster_angles,
    energy_gain,
    few_runs,
    nudged_starts,
    planted_rates,
    uniform_rates,
)
from gegenflow.numerics.validation.report import Check, Report
from gegenflow.theory.exact.arguments import check_beta

EMERGED = 0.3
"""Amplitude A_k at which a degree counts as emerged."""


def simulation_beta(beta: Any) -> float:
    """The exact temperature as the nearest float64.

    Raises ValueError where it is negative, not finite or too large for one.
    """
    exact = check_beta(beta, least=0, symbols=False)
    try:
        return float(Fraction(int(exact.p), int(exact.q)) if exact.is_Rational else exact)
    except OverflowError as error:
        raise Refused("beta", beta, "it is too large for a simulation in float64") from error


@dataclass(frozen=True)
class Case:
    """A dimension, a temperature (exact, as text or number) and a model, with what the theory predicts there."""

    dim: int
    beta: Any
    model: str = "usa"
    scaled: bool = False

    def __post_init__(self) -> None:
        th.growth_rate(1, self.dim, self.beta, model=self.model, digits=1)
        self.flow  # noqa: B018  (refused here where there is none)

    def __str__(self) -> str:
        return f"dim {self.dim} {self.model.upper()}"

    @cached_property
    def value(self) -> float:
        """The temperature as a number for the simulation."""
        return simulation_beta(self.beta)

    @cached_property
    def flow(self) -> Flow:
        """What moves the tokens of the simulation."""
        return Flow(beta=self.value, model=self.model, scaled=self.scaled)

    @cached_property
    def selected(self) -> int:
        """The degree that grows fastest."""
        return th.selected_degree(self.beta, self.dim)

    @cached_property
    def rates(self) -> Array:
        """Growth rates of degrees 1 to selected + 2; at beta = 0, where the others do not grow, of degree 1."""
        degrees = range(1, self.selected + 3 if self.value > 0 else 2)
        if self.scaled and self.model == "usa":
            logs = [th.rate_function(k, self.dim).log(self.value)[1] for k in degrees]  # all of them grow
            return np.exp(np.array(logs, dtype=np.float64) - self.value)
        rates = (th.growth_rate(k, self.dim, self.beta, model=self.model, digits=17) for k in degrees)
        return np.array([float(rate) for rate in rates])

    def amplitudes(self, tokens: Array) -> Array:
        """Amplitudes A_k of the tokens in the degrees of ``rates``."""
        return np.sqrt(harmonic_power(tokens, len(self.rates))[1:])

    def emergence_times(self, amplitudes: Array) -> Array:
        """When the linear theory brings each of these amplitudes to 0.3; 0 where it is there already."""
        with np.errstate(divide="ignore"):
            return np.maximum(np.log(EMERGED / amplitudes), 0) / self.rates


def planted_modes(case: Case, tokens: int, runs: int, rng: np.random.Generator) -> Iterator[Check]:
    """Rates of harmonics planted on an exact start, of the degrees whose growth shows beside the fastest."""
    options: dict[str, Any] = {"max_degree": len(case.rates), "window": 1 / case.rates.max(), "rng": rng}
    measured = planted_rates(case.dim, case.flow, **options)
    yield from _rate_checks("planted modes", case, *measured, slowest=1e-6)


def uniform_tokens(case: Case, tokens: int, runs: int, rng: np.random.Generator) -> Iterator[Check]:
    """Rates from independent uniform tokens, of the degrees that grow at least a fifth as fast as the fastest."""
    options: dict[str, Any] = {"tokens": tokens, "runs": runs, "window": 0.25 / case.rates.max(), "rng": rng}
    measured = uniform_rates(case.dim, case.flow, max_degree=len(case.rates), **options)
    yield from _rate_checks("uniform tokens", case, *measured, slowest=0.2)


def _rate_checks(section: str, case: Case, rates: Array, errors: Array, slowest: float) -> Iterator[Check]:
    for degree, (predicted, rate, error) in enumerate(zip(case.rates, rates, errors, strict=True), 1):
        if predicted >= slowest * case.rates.max():
            yield Check(section, f"{case} degree {degree}", float(predicted), float(rate), float(error))


def energy_balance(case: Case, tokens: int, runs: int, rng: np.random.Generator) -> Iterator[Check]:
    """Energy gained against the dissipation, until the first degree has emerged; not where 1/(2 beta) swamps it."""
    if 0 < case.value < 1e-8 or case.value > LARGEST_BETA / (2 if case.model == "usa" else 1):
        raise Unmeasurable("beta", case.beta, f"energy and dissipation in {case} are out of reach of float64")
    start = uniform(tokens, case.dim, rng=rng)
    t_end = max(case.emergence_times(case.amplitudes(start)).min(), 0.1 / case.rates.max())
    yield Check("energy balance", f"{case}", *energy_gain(start, case.flow, t_end=t_end))


def emerging_clusters(case: Case, tokens: int, runs: int, rng: np.random.Generator) -> Iterator[Check]:
    r"""Angle of the cluster nearest to pi against :math:`(2\pi j - \arg\mu_k)/k`, :math:`\mu_k` at time 0 (dim 2).

    At finite n another degree may win by chance, so the uniform tokens are nudged towards the selected one. Mean over
    eight runs; error bar from their scatter.
    """
    if case.dim != 2:
        return
    k, predicted, measured = case.selected, [], []
    for start, phase in nudged_starts(k, tokens=tokens, runs=8, rng=rng):
        t_end = case.emergence_times(case.amplitudes(start)).min() + 8 / case.rates.max()
        expected = (2 * np.pi * np.arange(k) - phase) / k % (2 * np.pi)
        predicted.append(expected[np.abs(expected - np.pi).argmin()])
        angles = cluster_angles(start, case.flow, t_end=t_end, min_mass=0.3 / k)
        measured.append(angles[np.abs(angles - predicted[-1]).argmin()])
    error = np.std(np.subtract(measured, predicted), ddof=1) / len(measured) ** 0.5 * few_runs(len(measured))
    yield Check("cluster angles", f"{case} degree {k}", *map(float, (np.mean(predicted), np.mean(measured), error)))


SECTIONS: tuple[Callable[[Case, int, int, np.random.Generator], Iterator[Check]], ...] = (
    planted_modes,
    uniform_tokens,
    energy_balance,
    emerging_clusters,
)


def _several(name: str, given: Sequence[Any]) -> Sequence[Any]:
    if isinstance(given, str) or not isinstance(given, Sequence | np.ndarray) or len(given) == 0:
        raise Refused(name, repr(given), "it must be a list of at least one")
    return given


def validate(
    *,
    dims: Sequence[int] = (2, 3),
    beta: Any = 5,
    models: Sequence[str] = ("usa", "sa"),
    tokens: int | None = None,
    runs: int = 32,
    rng: int | None = 0,
    progress: bool = False,
) -> Report:
    """Compare simulation with theory: rates of planted and of random harmonics, energy balance, cluster angles.

    ``beta`` may be text, to be exact; ``tokens`` of each random start are 20,000 in dim 2 and 2,500 above unless given;
    ``runs`` independent ones measure a rate. An interrupt keeps the checks made so far; what cannot be measured, such
    as an exact start in high dim, is named in the notes of the report.

    >>> report = validate(dims=[2], models=["usa"], beta=2, tokens=10_000)
    >>> report.passed, report.checks[0].name
    (True, 'dim 2 USA degree 1')

    Raises ValueError for bad input.
    """
    dims = tuple(dict.fromkeys(check_dim(dim) for dim in _several("dims", dims)))
    models = tuple(dict.fromkeys(check_choice("models", model, MODELS) for model in _several("models", models)))
    tokens = None if tokens is None else check_whole("tokens", tokens, 100)
    runs = check_whole("runs", runs, 4, why=", for error bars")
    check_rng(rng)
    cases = [Case(dim, beta, model) for dim, model in product(dims, models)]
    clock, checks, notes, status = perf_counter(), list[Check](), list[str](), "complete"
    jobs = list(product(SECTIONS, cases))
    bar = tqdm(jobs, disable=None if progress else True, unit="part", leave=False)
    try:
        for (section, case), stream in zip(bar, np.random.default_rng(rng).spawn(len(jobs)), strict=True):
            bar.set_description(f"{section.__name__.replace('_', ' ')}, {case}")
            try:
                checks += section(case, tokens or (20_000 if case.dim == 2 else 2_500), runs, stream)
            except Unmeasurable as reason:
                notes.append(f"left out: {reason}")
            except Unfinished as problem:
                status = "incomplete"
                notes.append(f"{case}, {section.__name__.replace('_', ' ')}: {problem}")
    except KeyboardInterrupt:
        status = "interrupted"
    facts = {"dims": list(dims), "beta": str(beta), "models": list(models), "tokens": tokens, "runs": runs, "rng": rng}
    return Report(tuple(checks), facts, status, perf_counter() - clock, tuple(dict.fromkeys(notes)))
