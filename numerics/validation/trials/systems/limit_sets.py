"""Laws of the way to the limit set at low temperature: the error of the field, the fall, the drift, and merging."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.geometry import circle_points, quadrature
from gegenflow.numerics.validation.case import simulation_beta
from gegenflow.numerics.validation.checks import Check, Rival
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.limit_images import TILT, VALUES, fall, field_errors, image_distances
from gegenflow.numerics.validation.measurements import follow
from gegenflow.theory.low_temperature.flow import drift_speed
from gegenflow.theory.low_temperature.limit_maps import limit_map
from gegenflow.theory.symbols import t as OVERLAP
from gegenflow.theory.synchronization.equiangular import hitting_time


@law(
    "error of the limit field",
    r"v(x) - P_x V\frac{B^Tx}{|B^Tx|} \sim \beta^{-1}, \ \text{and beyond the first correction} \sim \beta^{-2}",
    source="arXiv 2605.10931; the correction is derived here",
    rivals=("one order lower", "one order higher"),
    quick=True,
    dim=(2, 3),
    beta=(20, 100),
)
def error_of_the_limit_field(rng: np.random.Generator, *, dim: int = 2, beta: Any = 60) -> Iterator[Check]:
    """Powers of beta by which velocities leave their limit, with random V and B: beta to 2 beta, and to 4 beta."""
    betas = simulation_beta(beta) * np.array([1.0, 2.0, 4.0])
    slopes = np.diff(np.log(field_errors(dim, betas, rng)), axis=0) / np.log(2)
    for order, (coarse, fine) in enumerate(slopes.T, 1):
        rivals = Rival("one order lower", 1.0 - order), Rival("one order higher", -1.0 - order)
        bar = float(abs(fine - coarse)) + 1e-3
        yield Check(f"dim {dim} beta {beta} order {order}", -float(order), float(fine), bar, rivals=rivals)


@law(
    "projection on the limit set",
    r"\tan(\text{latitude}) \to e^{-ct}\tan(\text{latitude}) \ \text{for}\ V = \mathrm{diag}(1, 1, -\tfrac12), "
    r"\quad c = \tfrac32, \quad W_2(\mu_t, \Pi_\#\mu_0) = F(t) + O(1/\beta)",
    source="arXiv 2605.10931; the fall is derived here",
    rivals=("half the spectral gap", "the start"),
    cost="minutes",
    beta=(5, 30),
    time=(0.2, 2),
)
def projection(rng: np.random.Generator, *, beta: Any = 15, time: Any = "0.8") -> Iterator[Check]:
    """Root mean square latitude of a density on the sphere at t/2 and t, at beta, 2 beta, 4 beta and extrapolated.

    At infinite beta a token keeps its longitude, so this is W_2 to its image, the nearest point of the limit set.
    """
    gap, span = float(limit_map([[1, 0, 0], [0, 1, 0], [0, 0, "-0.5"]]).gap), float(time)
    tokens, weights = quadrature(3, int(10 * np.sqrt(4 * simulation_beta(beta))))
    masses = weights * (1 + (tokens[:, 0] ** 2 - tokens[:, 1] ** 2) / 2)
    masses /= masses.sum()

    def latitudes(factor: int) -> list[float]:
        flow = Flow(beta=factor * simulation_beta(beta), model="sa", value=np.diag(VALUES))
        now, found = tokens, []
        for _ in range(2):
            now = follow(now, flow, span / 2, weights=masses, save_at=[], rtol=1e-7).tokens
            found.append(float(np.sqrt(masses @ np.arcsin(np.clip(now[:, 2], -1, 1)) ** 2)))
        return found

    measured = np.array([latitudes(factor) for factor in (1, 2, 4)])
    once = 2 * measured[1:] - measured[:-1]
    times = np.array([span / 2, span])
    predicted, slow, still = (fall(rate, times, tokens, masses) for rate in (gap, gap / 2, 0.0))
    for place, (coarse, fine) in enumerate(once.T):
        rivals = Rival("half the spectral gap", float(slow[place])), Rival("the start", float(still[place]))
        name, bar = f"beta {beta} t = {times[place]:g} latitude", abs(fine - coarse) + 1e-6
        yield Check(name, float(predicted[place]), float(fine), bar, rivals=rivals)


@law(
    "drift along the limit set",
    r"W_2(\mu_t, \Pi_\#\mu_0) \to \frac{t}{\beta}\,\Big(\int|\nabla\log\nu|^2 d\nu\Big)^{1/2} + \dots, \quad "
    r"\nu = \Pi_\#\mu_0, \quad 1 \ll t \ll \beta",
    source="arXiv 2605.10931 for the rise; its speed is derived here",
    rivals=("the speed for x^2 + y^2 = 1", "half the speed", "no drift"),
    cost="minutes",
    beta=(16, 30),
)
def drift_along_the_limit_set(rng: np.random.Generator, *, beta: Any = 20) -> Iterator[Check]:
    """Speed of the rise along the equator at t = 3.5, times beta, at beta, 2 beta, 4 beta, extrapolated in 1/beta."""
    low, wave = simulation_beta(beta), TILT * (2 * OVERLAP**2 - 1)
    # of the longitudes, over which x^2 + y^2 has the mean 2/3
    predicted, whole = (float(drift_speed(1 + share * wave, 2).evalf()) for share in (2 / 3, 1.0))
    times, speeds = np.array([3.0, 3.5, 4.0]), []
    for inverse in (low, 2 * low, 4 * low):
        _, along = image_distances(inverse, times, 14, 12)
        speeds.append(inverse * float(along[-1] - along[0]))
    once = [2 * fine - coarse for coarse, fine in pairwise(speeds)]
    rivals = (
        Rival("the speed for x^2 + y^2 = 1", whole),
        Rival("half the speed", predicted / 2),
        Rival("no drift", 0.0),
    )
    bar = abs(once[1] - once[0]) + 0.01 * predicted
    yield Check(f"beta {beta} speed times beta", predicted, once[1], bar, rivals=rivals)


@law(
    "merging in order",
    r"\text{pairs meet in the order of their gaps, each at } "
    r"T = \int_\epsilon^x \frac{1 + e^{\beta(1-\cos y)}}{2\sin y}\,dy \ \text{as if alone}",
    source="arXiv 2410.06833 for the order; times as in arXiv 2312.10794",
    rivals=("the time of another pair", "the linear time of one e-folding"),
    quick=True,
    clusters=(2, 5),
    beta=(60, 300),
)
def merging_in_order(rng: np.random.Generator, *, clusters: int = 3, beta: Any = 100) -> Iterator[Check]:
    """Pairs around the circle, each with a wider gap than the last, in a random order, until 1e-9 apart, under SA."""
    b, merge = simulation_beta(beta), 1e-9
    gaps = 0.3 * 1.15 ** np.arange(clusters)
    centres = 2 * np.pi * rng.permutation(clusters) / clusters
    angle = np.concatenate([centres - gaps / 2, centres + gaps / 2])
    last = str(1 - Fraction(merge) ** 2 / 2)
    times = [float(hitting_time(last, 2, beta, start=repr(float(np.cos(gap))), model="sa", digits=12)) for gap in gaps]
    run = follow(circle_points(angle), Flow(beta=b, model="sa"), 1.2 * times[-1], save_at=[], merge=merge)
    for place, (predicted, found) in enumerate(zip(times, run.merges[:, 0], strict=True)):
        other = times[place - 1] if place else times[1]
        rivals = (
            Rival("the time of another pair", float(np.log(other))),
            Rival("the linear time of one e-folding", 0.0),
        )
        logs, scale = (float(np.log(predicted)), float(np.log(found))), max(1.0, abs(float(np.log(predicted))))
        bar = 1e-6 + 3 * float(np.exp(-b * (np.cos(gaps[place]) - np.cos(2 * np.pi / clusters - gaps[-1]))))
        yield Check(f"{clusters} pairs beta {beta} log T_{place + 1}", *logs, bar, rivals=rivals, scale=scale)
