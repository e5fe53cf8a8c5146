"""Laws of weak amplitudes: the solution order by order, and the ends of the linear and the quasi-linear phase."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gegenflow import theory as th
from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.densities.zonal import ZonalDensity
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.observables.tokens import Periodicity
from gegenflow.numerics.runs.meanfield import solve_density
from gegenflow.numerics.tokens.geometry import Array, harmonic_dimension
from gegenflow.numerics.validation.case import Case
from gegenflow.numerics.validation.checks import Check, Rival, mean_check
from gegenflow.numerics.validation.density_rates import phase_ends
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.measurements import follow_density
from gegenflow.theory.expansions.solution import Expansion

SERIES = r"f = 1 + \sum_{n \ge 1} \epsilon^n f_n(t)"
SHARE = 0.1
NOISE_DEGREES = 8


@law(
    "orders of the expansion",
    SERIES + r", \quad \Big\| f - 1 - \sum_{n \le m} \epsilon^n f_n \Big\| \sim \epsilon^{m+1}",
    source="derived here; arXiv 2410.23228 for the question",
    rivals=("one order lower", "one order higher"),
    quick=True,
    dim=(2, 16),
    order=(1, 4),
    beta=(0.5, 10),
    degree=(1, 4),
)
def orders_of_the_expansion(
    rng: np.random.Generator,
    *,
    dim: int = 3,
    beta: Any = 4,
    model: str = "usa",
    noise: Any = 0,
    degree: int = 2,
    order: int = 3,
) -> Iterator[Check]:
    """The power of the amplitude with which the solution leaves its series, from three amplitudes."""
    case = Case(dim, beta, model, None, noise)
    series = th.expansions.expansion(order, degree, dim, beta, model=model, noise=noise)
    t_end = 1 / max(abs(case.growth(k)) for k in range(1, degree * (order + 1) + 1))
    largest = 0.04 if dim < 6 else 0.2  # the next order is well above the rounding, and well below this one
    amplitudes = largest * np.array([0.5, 0.75, 1.0])
    errors = [_distance(case, series, degree, t_end, a) for a in amplitudes]
    slopes = np.diff(np.log(errors)) / np.diff(np.log(amplitudes))
    bar = abs(slopes[1] - slopes[0]) + 1e-3
    rivals = Rival("one order lower", float(order)), Rival("one order higher", order + 2.0)
    slope = slopes[0] - (slopes[1] - slopes[0])
    yield Check(f"{case} degree {degree} order {order}", order + 1.0, float(slope), float(bar), rivals=rivals)


def _distance(case: Case, series: Expansion, degree: int, t_end: float, amplitude: float) -> float:
    run = follow_density(_one_mode(degree, case.dim, amplitude), case.flow, t_end, save_at=[], rtol=1e-12, atol=1e-16)
    found = run.density.coefficients[:: 2 if case.dim == 2 else 1]
    predicted = np.zeros(len(found))
    for k, value in series.evaluate(repr(t_end), repr(float(amplitude))).items():
        predicted[k - 1] = float(value)
    return float(np.linalg.norm(found - predicted))


def _one_mode(degree: int, dim: int, amplitude: float) -> Density:
    # 1 + a P_k, of which sqrt(D_k) P_k is orthonormal; on the circle the cosine
    size = amplitude / harmonic_dimension(degree, dim) ** 0.5
    if dim == 2:
        return CircleDensity(size * np.eye(4 * degree)[2 * degree - 2])
    return ZonalDensity(size * np.eye(2 * degree)[degree - 1], dim)


@law(
    "ends of the linear and the quasi-linear phase",
    SERIES + r", \quad \|f - 1 - \epsilon f_1\| = \tfrac1{10}\,\|\epsilon f_1\| \ \text{at the end of the first,} \ "
    r"\|\text{its odd multiples of } k\| = \tfrac1{10}\,\|\epsilon f_1\| \ \text{of the second}",
    source="derived here; arXiv 2410.23228 for the phases",
    rivals=("a tenth of the amplitude one", "the end of the other phase"),
    quick=True,
    amplitude=(1e-6, 0.01),
    beta=(1.1, 12),
)
def ends_of_the_phases(
    rng: np.random.Generator, *, beta: Any = 5, model: str = "usa", amplitude: float = 0.001
) -> Iterator[Check]:
    """When a density on the circle has left the linear solution by a tenth of it, and the third order reaches that."""
    case = Case(2, beta, model)
    degree, rate = case.selected, case.growth(case.selected)
    series = [th.expansions.expansion(n, degree, 2, beta, model=model) for n in (3, 2)]
    ends = [float(series[0].end(order, SHARE, repr(amplitude))) for order in (1, 2)]
    times = np.linspace(ends[0] - 0.5 / rate, ends[1] + 0.5 / rate, 161)
    run = follow_density(_one_mode(degree, 2, amplitude), case.flow, float(times[-1]), save_at=times, rtol=1e-10)
    linear = amplitude / 2**0.5 * np.exp(rate * times)[:, None] * np.eye(2 * degree)[2 * degree - 2]
    found = phase_ends(run, linear, degree, SHARE)
    rough = float(series[1].end(1, SHARE, repr(amplitude)))
    bars = abs(ends[0] - rough) + 0.02 / rate, 0.06 / rate  # what orders 3 and 5 move them by
    early = Rival("a tenth of the amplitude one", float(np.log(SHARE / amplitude) / rate))
    for place, (name, bar) in enumerate(zip(("linear", "quasi-linear"), bars, strict=True)):
        rivals = early, Rival("the end of the other phase", ends[1 - place])
        label = f"{case} degree {degree} amplitude {amplitude:g} {name}"
        yield Check(label, ends[place], found[place], bar, rivals=rivals)


@law(
    "distance from the periodic manifold",
    r"\min_t (1 - Q) \propto a^{2(1 - \gamma_2/\gamma_k)}, \qquad \gamma_2 = \max(\gamma_{k-1}, \gamma_{k+1})",
    source="derived here; arXiv 2410.23228 for the manifold",
    rivals=("the square of the noise", "the first power"),
    cost="minutes",
    beta=(1.5, 9),
    runs=(4, 1000),
)
def distance_from_the_periodic_manifold(rng: np.random.Generator, *, beta: Any = 5, runs: int = 24) -> Iterator[Check]:
    """The power of the noise with which the peak periodicity nears one, each start at two amplitudes."""
    case = Case(2, beta)
    degree, rate = case.selected, case.growth(case.selected)
    predicted = float(th.expansions.competition_exponent(beta))
    slopes = []
    for stream in rng.spawn(runs):
        shape = stream.standard_normal(2 * NOISE_DEGREES)
        lacking = [peak_periodicity(case.flow, degree, rate, amplitude * shape)[0] for amplitude in (1e-9, 1e-11)]
        slopes.append(np.log(lacking[0] / lacking[1]) / np.log(100))
    rivals = Rival("the square of the noise", 2.0), Rival("the first power", 1.0)
    yield mean_check(f"{case} degree {degree} power", predicted, np.array(slopes), rivals=rivals)


def peak_periodicity(flow: Flow, degree: int, rate: float, noise: Array) -> tuple[float, float]:
    """What the share of a period lacks at its peak, from small coefficients on, and the time of the peak."""
    times = np.linspace(0, 1.3 * np.log(0.5 / np.abs(noise).max()) / rate, 200)
    options: dict[str, Any] = {"max_degree": 256, "rtol": 1e-7, "observe": [Periodicity(degree)]}
    run = solve_density(CircleDensity(noise), flow, t_end=times[-1], save_at=times, **options)  # may end early
    share = run.observables["periodicity"]
    return float(1 - share.max()), float(times[share.argmax()])
