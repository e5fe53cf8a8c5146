"""The law of tokens and their density under one noise: how fast the tokens follow it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.wasserstein import wasserstein_distance
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.parts import RandomLayers
from gegenflow.numerics.runs.meanfield import solve_density
from gegenflow.numerics.runs.particles import simulate
from gegenflow.numerics.tokens.geometry import uniform
from gegenflow.numerics.validation.checks import Check, Rival
from gegenflow.numerics.validation.law import law

LAYERS = 200
"""Per unit of time."""


@law(
    "density under common noise",
    r"W_2(\mu_N(t), f_t) \sim N^{-1/2}, \qquad "
    r"df = -\partial_\theta(f\,dT_\xi) + \tfrac12 K(1)\,\partial_\theta^2 f\,dt",
    source="derived here; arXiv 2604.26898 for the system",
    rivals=("as 1/N", "a density under another noise"),
    tokens=(160, 100_000),
    time=(0.01, 1),
    runs=(4, 1000),
)
def density_under_noise(
    rng: np.random.Generator, *, activation: str = "1+tanh", tokens: int = 3200, time: Any = "0.2", runs: int = 60
) -> Iterator[Check]:
    """The power of N in the root mean square of the distance, over independent noises and starts of uniform tokens."""
    flow, t_end = Flow(random_layers=RandomLayers(activation, layers=LAYERS)), float(time)
    sizes = [tokens // 16, tokens // 4, tokens]
    squares = np.empty((runs, len(sizes)))
    for run, seed in enumerate(rng.integers(2**62, size=runs).tolist()):
        density = solve_density(CircleDensity(np.zeros(0)), flow, t_end=t_end, save_at=[], rng=seed).density
        for column, n in enumerate(sizes):
            found = simulate(uniform(n, 2, rng=rng), flow, t_end=t_end, save_at=[], rng=seed)
            squares[run, column] = wasserstein_distance(density, found.tokens) ** 2
    span = np.log(sizes[-1] / sizes[0])
    power = float(np.log(squares[:, -1].mean() / squares[:, 0].mean()) / (2 * span))
    left = squares.sum(axis=0) - squares
    others = np.log(left[:, -1] / left[:, 0]) / (2 * span)
    bar = float(np.sqrt((runs - 1) * others.var()))
    rivals = Rival("as 1/N", -1.0), Rival("a density under another noise", 0.0)
    yield Check(
        f"{activation} t = {time} N {sizes[0]} to {sizes[-1]} power of N", -0.5, power, bar, rivals=rivals, scale=1.0
    )
