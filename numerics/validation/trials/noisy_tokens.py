"""Laws of finitely many noisy tokens on the circle: the branch on which they settle, and what they do without order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gegenflow.numerics.validation.case import simulation_beta
from gegenflow.numerics.validation.checks import Check, Rival, mean_check
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.noisy_circle import order_parameters, start_angles
from gegenflow.theory.growth.rates import noise_threshold
from gegenflow.theory.noise.branches import branch

APART = 0.05


@law(
    "noisy tokens on the stable branch",
    r"\Big|\frac1N\sum_j e^{i\theta_j}\Big| \to a_1(\kappa), \qquad q \propto e^{\kappa W*q}",
    source="arXiv 2606.05140, 2604.16288",
    rivals=("a state 0.05 above", "a state 0.05 below", "no order"),
    cost="minutes",
    beta=(0.1, 6),
    amplitude=(0.5, 0.95),
    tokens=(500, 20_000),
)
def noisy_tokens_on_the_branch(
    rng: np.random.Generator,
    *,
    beta: Any = 2,
    amplitude: float = 0.8,
    state: str = "ordered",
    tokens: int = 2000,
    runs: int = 12,
) -> Iterator[Check]:
    """The order parameter of tokens at the kappa of a proved state that is stable, from an ordered or uniform start.

    From a uniform start kappa must be beyond the threshold. What finite N (1/N) and the step add is below a bar.
    """
    kappa = branch(beta, amplitudes=[amplitude]).kappa[0]
    start, span = start_angles(state, runs, tokens, rng), 30 if state == "ordered" else 90
    values = order_parameters(simulation_beta(beta), kappa, start, span * kappa, kappa / 150, rng=rng)
    rivals = (
        Rival("a state 0.05 above", amplitude + APART),
        Rival("a state 0.05 below", amplitude - APART),
        Rival("no order", float(np.sqrt(np.pi / 4 / tokens))),
    )
    yield mean_check(f"beta {beta} kappa {kappa:.4g} N = {tokens} {state} start", amplitude, values, rivals=rivals)


@law(
    "noisy tokens without order",
    r"E\Big|\frac1N\sum_j e^{i\theta_j}\Big| = \Big(\frac{\pi}{4N(1-\kappa/\kappa_1)}\Big)^{1/2}, "
    r"\qquad \kappa < \kappa_1",
    source="derived here",
    rivals=("independent tokens", "K in the place of kappa"),
    cost="minutes",
    beta=(0.1, 6),
    tokens=(500, 20_000),
    ratio=(0.5, 0.96),
)
def noisy_tokens_without_order(
    rng: np.random.Generator,
    *,
    beta: Any = 4,
    ratio: float = 0.8,
    state: str = "uniform",
    tokens: int = 2000,
    runs: int = 32,
) -> Iterator[Check]:
    """Fluctuations about the uniform state; from an ordered start below the fold, where order is lost."""
    kappa = ratio * float(noise_threshold(1, 2, beta, digits=15))
    start = start_angles(state, runs, tokens, rng)
    values = order_parameters(simulation_beta(beta), kappa, start, 60 * kappa, kappa / 80, rng=rng)

    def mean(share: float) -> float:
        return float(np.sqrt(np.pi / 4 / (tokens * (1 - share))))

    rivals = Rival("independent tokens", mean(0.0)), Rival("K in the place of kappa", mean(ratio / 2))
    name = f"beta {beta} kappa/kappa_1 {ratio:g} N = {tokens} {state} start"
    yield mean_check(name, mean(ratio), values, rivals=rivals, scale=1.0)
