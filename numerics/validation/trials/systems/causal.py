"""Laws of causal attention: what is kept of earlier tokens, the lost middle, its shapes, centres, the first token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gegenflow import theory as th
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.parts import Causal
from gegenflow.numerics.integrators.events import Crossing
from gegenflow.numerics.systems.causal import source_correlations, strong_centres
from gegenflow.numerics.tokens.geometry import Array, circle_points, uniform
from gegenflow.numerics.validation.case import simulation_beta
from gegenflow.numerics.validation.checks import Check, Rival, extrapolated, mean_check, told
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.measurements import Unfinished, follow

POSITIONS, DEGREES = 10, 3
APART = 0.3
"""Rivals are tried where they differ from the prediction by this share of it."""


@law(
    "memory of earlier tokens",
    r"N\,E\cos k(\theta_N(t) - \theta_i(0)) \to k_\lambda(1, s_0)\,a_k t\;{}_0F_1(;2; a_k t Y), \quad "
    r"a_k = k^2 I_k(\beta), \quad Y = \log\tfrac{e^\lambda - 1}{e^{\lambda s_0} - 1}, \quad i = s_0 N",
    source="arXiv 2605.09213 for the limit; closed form derived here",
    rivals=("the direct pull alone", "attention without a mask", "no decay"),
    cost="minutes",
    beta=(0.1, 3),
    decay=(0, 8),
    tokens=(60, 4000),
    time=(0.05, 3),
    runs=(8, 10_000),
)
def memory(
    rng: np.random.Generator, *, beta: Any = 1, decay: Any = 1, time: Any = 1, tokens: int = 250, runs: int = 80
) -> Iterator[Check]:
    """Degrees 1 to 3 at ten positions, from three numbers of tokens: extrapolated, what is left of 1/N^2 in the bar."""
    sizes = _sizes(tokens, 2)
    found = [correlations(beta, decay, float(time), n, _middles(n), DEGREES, runs, rng) for n in sizes]
    values = [one.mean(axis=0) for one in found]
    means, errors = extrapolated(sizes, values, [one.std(axis=0, ddof=1) / np.sqrt(len(one)) for one in found])
    for degree in range(1, DEGREES + 1):
        rate = th.causal.drive_rate(degree, beta, digits=20)
        places = [f"{2 * k + 1}/{2 * POSITIONS}" for k in range(POSITIONS)]
        predicted = [float(th.causal.correlation(s, rate, time, decay=decay)) for s in places]
        for k, place in enumerate(places):
            grown = float(rate) * float(time)
            direct = grown * float(th.causal.graphon(1, place, decay))
            rivals = [Rival("the direct pull alone", direct), Rival("attention without a mask", float(np.expm1(grown)))]
            rivals.append(Rival("no decay", float(th.causal.correlation(place, rate, time))))
            yield Check(
                f"beta {beta} decay {decay} t = {time} degree {degree} at {(k + 0.5) / POSITIONS:.2f}",
                predicted[k],
                means[k, degree - 1],
                errors[k, degree - 1],
                rivals=told(predicted[k], *rivals, apart=APART),
                scale=max(predicted),
            )


@law(
    "bias of finitely many tokens",
    r"N\,E\cos(\theta_N(t) - \theta_i(0)) = k_\lambda(1, s_0)\,a_1 t\;{}_0F_1(;2; a_1 t Y) + O(1/N)",
    source="derived here; arXiv 2605.09213 for the limit",
    rivals=("as 1/sqrt N", "it does not fall"),
    cost="minutes",
    beta=(0.1, 3),
    decay=(0, 8),
    tokens=(90, 4000),
    time=(0.05, 3),
    runs=(8, 10_000),
)
def bias_of_few(
    rng: np.random.Generator, *, beta: Any = 1, decay: Any = 1, time: Any = 1, tokens: int = 810, runs: int = 600
) -> Iterator[Check]:
    """The power of N with which the first degree nears its limit, early and halfway, by a ninth of the tokens on."""
    sizes, places = _sizes(tokens, 3), (0.05, 0.55)
    rate = th.causal.drive_rate(1, beta, digits=20)
    limits = np.array([float(th.causal.correlation(str(s), rate, time, decay=decay)) for s in places])
    logs, bars = [], []
    for n in sizes:
        sources = [round(place * n - 0.5) for place in places]
        samples = correlations(beta, decay, float(time), n, sources, 1, runs, rng)[:, :, 0]
        missing = limits - samples.mean(axis=0)
        if (missing <= 0).any():
            raise Unfinished("the bias is below its noise; take fewer tokens or more runs")
        logs.append(np.log(missing))
        bars.append(samples.std(axis=0, ddof=1) / np.sqrt(len(samples)) / missing)
    spans = np.diff(np.log(sizes))
    powers, noise = np.diff(logs, axis=0) / spans[:, None], np.hypot(bars[0], bars[1]) / abs(spans[0])
    rivals = Rival("it does not fall", 0.0), Rival("as 1/sqrt N", -0.5)
    for k, place in enumerate(places):
        bar = float(np.hypot(noise[k], powers[0, k] - powers[1, k]))
        name = f"beta {beta} decay {decay} t = {time} power of N at {place}"
        yield Check(name, -1.0, float(powers[0, k]), bar, rivals=rivals[: k + 1], scale=2.0)


@law(
    "strong centres",
    r"E\,\#\{i : \angle(x_i, x_j) > \delta\ \forall j < i\} = \frac{1 - (1-p)^n}{p}, \quad "
    r"p = \tfrac\delta\pi\ (d = 2), \ \sin^2\tfrac\delta2\ (d = 3)",
    source="arXiv 2411.04990 for the centres; every dim derived here",
    rivals=("three times the share of a cap", "a cap of half the angle"),
    dim=(2, 8),
    tokens=(10, 1000),
    overlap=(0.5, 0.99),
    runs=(100, 100_000),
)
def centres(
    rng: np.random.Generator, *, dim: int = 3, tokens: int = 200, overlap: Any = "0.9", runs: int = 1500
) -> Iterator[Check]:
    """Counted on independent uniform tokens; the angle is that of an overlap."""
    angle = float(np.arccos(float(overlap)))
    counts = [len(strong_centres(uniform(tokens, dim, rng=rng), angle)) for _ in range(runs)]
    predicted = float(th.causal.centre_count(tokens, angle, dim))
    alone = float(th.causal.centre_count(10**9, angle, dim))
    share = 1 / alone
    thrice = (1 - (1 - min(3 * share, 1)) ** tokens) / min(3 * share, 1)
    half = float(th.causal.centre_count(tokens, angle / 2, dim))
    rivals = Rival("three times the share of a cap", thrice), Rival("a cap of half the angle", half)
    yield mean_check(f"dim {dim} n {tokens} overlap {overlap}", predicted, np.array(counts, dtype=float), rivals=rivals)


@law(
    "arrival at the first token",
    r"T = \int_\theta^{\theta_0}\frac{1 + e^{\beta(1-\cos\phi)}}{\sin\phi}\,d\phi \ \text{(two tokens)}, \qquad "
    r"|x_j - x_1| \sim e^{-rt}, \quad r = 1 - \Big(\sum_{i<j} e^{-\lambda i/n}\Big)^{-1}",
    source="arXiv 2411.04990 for the limit; time and rates derived here",
    rivals=("both move", "rate 1, that of tokens that see all"),
    quick=True,
    beta=(0, 6),
    decay=(0, 8),
)
def first_token(rng: np.random.Generator, *, beta: Any = 2, decay: Any = 1) -> Iterator[Check]:
    """Two tokens from 2 radians apart to 0.1, and the second of eight in dim 3 on its last part, under SA."""
    flow = Flow(beta=simulation_beta(beta), model="sa", causal=Causal())
    predicted = float(th.causal.capture_time("0.1", 2, beta))
    close = Crossing(lambda tokens, weights, flow: float(tokens[0] @ tokens[1]), float(np.cos(0.1)))
    start, options = circle_points(np.array([0.0, 2.0])), {"rtol": 1e-11, "atol": 1e-13}
    reached = follow(start, flow, 2 * predicted + 1, save_at=[], stop_when=close, **options).reached
    ends = {"overlap": float(np.cos(0.1)), "start": float(np.cos(2.0))}
    both = float(th.synchronization.hitting_time(**ends, tokens=2, beta=beta, model="sa", digits=12))
    yield Check(f"beta {beta} time", predicted, reached, 1e-7 * predicted, rivals=(Rival("both move", both),))
    rates = th.causal.first_token_rates(2 * POSITIONS, decay=decay)
    flow = Flow(beta=simulation_beta(beta), model="sa", causal=Causal(decay=float(decay)))
    times = np.array([6.0, 9.0])
    near = np.eye(3)[0] + 0.05 * rng.standard_normal((2 * POSITIONS, 3))
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    run = follow(near, flow, times[-1], save_at=times, track=2, observe=[_Gap()], **options)
    rate = -float(np.diff(np.log(run.observables["gap"]))[0] / np.diff(times)[0])
    rivals = (Rival("rate 1, that of tokens that see all", 1.0),)
    yield Check(f"beta {beta} decay {decay} rate of the second", float(rates[0]), rate, 2e-3, rivals=rivals)


class _Gap:
    """Distance of the second token from the first."""

    name = "gap"

    def __call__(self, tokens: Array, weights: Array, flow: Flow) -> float:
        return float(np.linalg.norm(tokens[1] - tokens[0]))


def _sizes(tokens: int, share: int) -> list[int]:
    """Ten times odd numbers: of all tokens, of a share of them, and of a share of those."""
    return [POSITIONS * (2 * round(tokens / part / 20) + 1) for part in (1, share, share**2)]


def _middles(tokens: int) -> list[int]:
    """The indices of the sources at 0.05, 0.15, ..., for ten times an odd number of tokens."""
    return [(tokens // POSITIONS * (2 * k + 1) - 1) // 2 for k in range(POSITIONS)]


def correlations(
    beta: Any,
    decay: Any,
    time: float | list[float],
    tokens: int,
    sources: list[int],
    degrees: int,
    runs: int,
    rng: np.random.Generator,
    grid: int = 8,
) -> Array:
    """Samples under the drive w', in its time: USA, beta times as long."""
    b = simulation_beta(beta)
    flow = Flow(beta=b, causal=Causal(decay=float(decay), own=False))
    span = [b * each for each in time] if isinstance(time, list) else b * time
    return source_correlations(flow, tokens=tokens, sources=sources, max_degree=degrees, time=span, runs=runs, rng=rng)
