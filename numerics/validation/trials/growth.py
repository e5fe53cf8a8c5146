"""Laws of growth: every degree about the uniform density grows at its certified rate, whoever measures it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from gegenflow.numerics.observables.tokens import HarmonicAmplitude
from gegenflow.numerics.tokens.geometry import Array, lattice
from gegenflow.numerics.validation.case import Case, other_model
from gegenflow.numerics.validation.checks import Check, Rival
from gegenflow.numerics.validation.density_rates import measure_rates
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.measurements import (
    follow,
    planted_rates,
    uniform_rates,
)

GROWTH = r"\gamma_k = \frac{L_k w_k}{\beta} \ (\mathrm{USA}), \quad \frac{L_k w_k}{\beta w_0} \ (\mathrm{SA})"
NOISY = r"\gamma_k - \nu L_k, \qquad " + GROWTH
PUBLISHED = "the factor pi of the authors' notebook"
MODEL = "the rate of the other model"
NEXT = "the next degree"
DIM = "dim + 1 in the place of dim"
LEAST_APART = 0.5  # what a rate of the other model must differ by, relatively, to be told from uniform tokens
SIZE = 1e-6


@law(
    "planted modes",
    GROWTH,
    source="arXiv 2410.23228; factors derived here",
    rivals=(PUBLISHED, MODEL, NEXT, DIM),
    quick=True,
)
def planted_modes(
    rng: np.random.Generator, *, dim: int = 3, beta: Any = 5, model: str = "usa", kernel: Any = None
) -> Iterator[Check]:
    """Rates of harmonics planted on an exact start of tokens."""
    case = Case(dim, beta, model, kernel)
    count = len(case.rates)
    rates, errors = planted_rates(dim, case.flow, max_degree=count, rng=rng)
    yield from rate_checks(case, rates, errors, slowest=1e-6, finest=1e-3)


@law(
    "uniform tokens",
    NOISY,
    source="arXiv 2410.23228; regression derived here",
    rivals=(PUBLISHED, MODEL),
    quick=True,
    tokens=(100, 10_000_000),
)
def uniform_tokens(
    rng: np.random.Generator,
    *,
    dim: int = 3,
    beta: Any = 5,
    model: str = "usa",
    kernel: Any = None,
    noise: Any = 0,
    tokens: int | None = None,
    runs: int = 32,
) -> Iterator[Check]:
    """Rates from independent uniform tokens, of the degrees that grow at least a fifth as fast as the fastest."""
    case = Case(dim, beta, model, kernel, noise)
    tokens = tokens or (20_000 if dim == 2 else 2_500)
    options: dict[str, Any] = {"tokens": tokens, "runs": runs, "rng": rng}
    rates, errors = uniform_rates(dim, case.flow, max_degree=len(case.rates), **options)
    yield from rate_checks(case, rates, errors, slowest=0.2, finest=LEAST_APART, freedom=runs - 1)


@law(
    "density modes",
    NOISY,
    source="arXiv 2410.23228; noise as in arXiv 2604.16288",
    rivals=(PUBLISHED, MODEL, NEXT, DIM, "no noise"),
    quick=True,
    dim=(2, 200),
    beta=(0, 100),
)
def density_modes(
    rng: np.random.Generator,
    *,
    dim: int = 8,
    beta: Any = 5,
    model: str = "usa",
    kernel: Any = None,
    noise: Any = 0,
) -> Iterator[Check]:
    """Rates of small zonal densities: the second witness, in any dimension, under noise and any smooth kernel."""
    case = Case(dim, beta, model, kernel, noise)
    rates, errors = measure_rates(case.flow, dim, len(case.rates))
    yield from rate_checks(case, rates, errors, slowest=0.0, finest=1e-3)


def rate_checks(
    case: Case, rates: Array, errors: Array, *, slowest: float, finest: float, freedom: float = np.inf
) -> Iterator[Check]:
    """A check a degree at least ``slowest`` as fast as the fastest, with the rivals that differ by ``finest`` of it."""
    fastest = float(np.abs(case.rates).max())
    for degree, (predicted, rate, error) in enumerate(zip(case.rates, rates, errors, strict=True), 1):
        if abs(predicted) < slowest * fastest or (slowest and predicted <= 0):
            continue
        others = rivals_of(case, degree, float(predicted), finest)
        told = tuple(one for one in others if abs(one.predicted - predicted) > finest * fastest)
        options: dict[str, Any] = {"freedom": freedom, "rivals": told, "scale": abs(predicted) if slowest else fastest}
        yield Check(f"{case} degree {degree}", float(predicted), float(rate), float(error), **options)


def rivals_of(case: Case, degree: int, predicted: float, finest: float) -> Iterator[Rival]:
    """Wrong rates of a degree: published, of a neighbouring model, of a neighbour in degree or dimension."""
    if case.kernel is None:
        yield Rival(PUBLISHED, predicted / np.pi)
    with suppress(ValueError):  # SA needs a weight whose mean is positive
        yield Rival(MODEL, case.growth(degree, model=other_model(case.model)))
    if finest < LEAST_APART:
        if case.moved:
            yield Rival(NEXT, case.growth(degree + 1))
        yield Rival(DIM, case.growth(degree, dim=case.dim + 1))
        yield Rival("no noise", case.growth(degree, noise=0))


@law(
    "sines and cosines",
    r"\partial_t \hat f_k = \gamma_k \hat f_k \ \text{for } \cos k\theta \text{ and } \sin k\theta \text{ alike}",
    source="arXiv 2410.23228; the reflected equation was published",
    rivals=("the reflected equation, whose sines decay", "a sine that turns into a cosine"),
    quick=True,
    degree=(1, 8),
    beta=(0.1, 20),
)
def sines_and_cosines(
    rng: np.random.Generator, *, beta: Any = 5, model: str = "usa", degree: int = 3
) -> Iterator[Check]:
    """A mode on a lattice of the circle with a random phase: it grows at one rate and keeps its phase."""
    case = Case(2, beta, model)
    rate, phase = case.growth(degree), rng.uniform(0.5, 1.0) * np.pi / degree
    n = 64 * (2 + degree)
    window = 1 / max(case.rates.max(), rate)
    angle = 2 * np.pi * np.arange(n) / n
    ends = []
    for rtol in (1e-12, 1e-9):
        run = follow(
            lattice(n),
            case.flow,
            window,
            weights=(1 + SIZE * np.cos(degree * (angle - phase))) / n,
            observe=[HarmonicAmplitude(degree)],
            save_at=[0.0, window],
            rtol=rtol,
            atol=0.0,
            method="dense",
            first_step=window / 50,
        )
        first, last = run.observables["harmonic_amplitude"][:, degree] * np.exp(1j * degree * phase)
        ends.append((np.log(abs(last / first)) / window, np.angle(last / first)))
    (growth, turn), (other, turned) = ends
    bar = abs(growth - other) + 1e-8 * case.rates.max()
    mirrored = np.cos(degree * phase) * np.exp(rate * window) - 1j * np.sin(degree * phase) * np.exp(-rate * window)
    mirrored *= np.exp(1j * degree * phase)
    reflected = Rival("the reflected equation, whose sines decay", float(np.log(abs(mirrored)) / window))
    yield Check(f"{case} degree {degree} growth", rate, growth, bar, rivals=(reflected,), scale=case.rates.max())
    full = Rival("a sine that turns into a cosine", float(np.angle(mirrored)))
    yield Check(f"{case} degree {degree} turn", 0.0, turn, abs(turn - turned) + 1e-7, rivals=(full,), scale=1.0)
