"""Laws of the energy: what the flow gains, and how the energy bends along geodesics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gegenflow.numerics.flows.weights import LARGEST_BETA
from gegenflow.numerics.observables.energy import Energy
from gegenflow.numerics.tokens.geometry import Array, uniform
from gegenflow.numerics.validation.case import Case
from gegenflow.numerics.validation.checks import Check, Rival
from gegenflow.numerics.validation.ends import energy_gain
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.measurements import Unmeasurable
from gegenflow.theory.clusters.variations import energy_curvature, energy_slope


@law(
    "energy balance",
    r"E(T) - E(0) = \int_0^T \!\!\int |v|^2 d\mu\,dt \ (\mathrm{SA}:\ Z|v|^2), \quad "
    r"E = \frac{1}{2\beta}\iint e^{\beta\langle x,y\rangle}d\mu\,d\mu",
    source="arXiv 2410.23228; constant derived here",
    rivals=("half the dissipation",),
    quick=True,
    tokens=(2, 1_000_000),
)
def energy_balance(
    rng: np.random.Generator, *, dim: int = 3, beta: Any = 5, model: str = "usa", tokens: int | None = None
) -> Iterator[Check]:
    """Energy gained against the dissipation, until the first degree has emerged; not where 1/(2 beta) swamps it."""
    case = Case(dim, beta, model)
    if 0 < case.value < 1e-8 or case.value > LARGEST_BETA / (2 if model == "usa" else 1):
        raise Unmeasurable("beta", beta, f"energy and dissipation in {case} are out of reach of float64")
    start = uniform(tokens or (20_000 if dim == 2 else 2_500), dim, rng=rng)
    t_end = max(case.emergence_times(case.amplitudes(start)).min(), 0.1 / case.rates.max())
    integral, gain, error = energy_gain(start, case.flow, t_end=t_end)
    yield Check(str(case), integral, gain, error, rivals=(Rival("half the dissipation", integral / 2),))


@law(
    "second variation of the energy",
    r"\delta^2 E = \tfrac12 \iint e^{\beta\langle x,y\rangle}\big[2\langle \xi_x,\xi_y\rangle "
    r"- (|\xi_x|^2+|\xi_y|^2)\langle x,y\rangle + \beta A^2\big], \quad "
    r"A = \langle\xi_x,y\rangle+\langle x,\xi_y\rangle",
    source="arXiv 2504.14697 for the question; derived here",
    rivals=("straight lines in the place of geodesics", "without beta A^2", "twice as large"),
    quick=True,
    tokens=(2, 40),
    dim=(2, 20),
    beta=(0.01, 20),
)
def second_variation(rng: np.random.Generator, *, dim: int = 3, beta: Any = 2, tokens: int = 6) -> Iterator[Check]:
    """Differences of the energy of tokens that run along great circles, against the exact second derivative."""
    case = Case(dim, beta)
    x = uniform(tokens, dim, rng=rng)
    xi = rng.standard_normal((tokens, dim))
    xi -= np.sum(xi * x, axis=1, keepdims=True) * x
    weights = np.full(tokens, 1 / tokens)

    def energy(time: float) -> float:
        speed = np.linalg.norm(xi, axis=1, keepdims=True)
        moved = np.cos(speed * time) * x + np.sin(speed * time) * xi / speed
        return float(Energy()(moved, weights, case.flow))

    slopes, bends = zip(*(_differences(energy, step) for step in (0.02, 0.01)), strict=True)
    overlap, size, turn = x @ x.T, np.sum(xi**2, axis=1), xi @ x.T
    weight = np.exp(case.value * overlap) / tokens**2

    def total(part: Array) -> float:
        return float((weight * part).sum() / 2)

    straight = total((size[:, None] + size) * overlap)
    bend = total(case.value * (turn + turn.T) ** 2)
    slope, curvature = (float(form(x.tolist(), xi.tolist(), beta)) for form in (energy_slope, energy_curvature))
    scale = total(size[:, None] + size)
    yield Check(
        f"{case} slope", slope, *_better(slopes, scale), scale=scale, rivals=(Rival("twice as large", 2 * slope),)
    )
    rivals = (
        Rival("straight lines in the place of geodesics", curvature + straight),
        Rival("without beta A^2", curvature - bend),
    )
    yield Check(f"{case} curvature", curvature, *_better(bends, scale), scale=scale, rivals=rivals)


def _differences(energy: Any, step: float) -> tuple[float, float]:
    before, here, after = energy(-step), energy(0.0), energy(step)
    return (after - before) / (2 * step), (after - 2 * here + before) / step**2


def _better(values: Any, scale: float) -> tuple[float, float]:
    # Richardson: the error of second order leaves with a step half as long; the bar is a tenth of what left
    coarse, fine = values
    return fine + (fine - coarse) / 3, abs(fine - coarse) / 30 + 1e-9 * scale
