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
from gegenflow.numerics.validation.checks import Check, Rival, mean_check, told
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.measurements import Unfinished, follow

POSITIONS, DEGREES = 10, 3
MORE_DEGREES = 7
"""Degrees of a measured profile: those beyond weigh less than its bars at beta up to 3 or so."""
UNCANCELLED = 0.15
"""Of what finitely many tokens take from a profile, the share that ratios of it may keep: an allowance."""
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
    sizes = [POSITIONS * (2 * round(tokens / share / 20) + 1) for share in (1, 2, 4)]
    found = [_correlations(beta, decay, time, n, _middles(n), DEGREES, runs, rng) for n in sizes]
    means, errors = _extrapolated(sizes, found)
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
    "lost middle",
    r"1 - e^{-\lambda s} = F'(Y)/F(Y), \qquad F = \sum_n e^{-\pi^2n^2/2M^2} a_n\,{}_0F_1(;2; a_n t Y)",
    source="arXiv 2605.09213 for the U; its minimum is derived here",
    rivals=("the least memory halfway", "no decay: the last token"),
    cost="minutes",
    beta=(0.5, 2),
    decay=(0.5, 4),
    tokens=(60, 4000),
    codewords=(2, 100),
    time=(0.05, 2),
    runs=(8, 10_000),
)
def lost_middle(
    rng: np.random.Generator,
    *,
    beta: Any = 1,
    decay: Any = 1,
    codewords: int = 10,
    time: Any = 1,
    tokens: int = 2000,
    runs: int = 12,
) -> Iterator[Check]:
    """The least value of a smooth log S about a coarse minimum; what half the tokens say is in the bar."""
    position = th.causal.retrieval_minimum(beta=beta, decay=decay, codewords=codewords, time=time)
    if position is None:
        raise Unfinished("at these parameters the profile has no minimum")
    coarse = np.geomspace(0.01, 0.9, 10)
    rough = _profiles(beta, decay, time, tokens, coarse, codewords, 4, rng).mean(axis=0)
    least = coarse[int(np.argmin(rough))]
    near = np.geomspace(least / 4, min(3.5 * least, 0.97), 11)
    bends = [_bottoms(near, _profiles(beta, decay, time, n, near, codewords, runs, rng)) for n in (tokens, tokens // 2)]
    (fine, fine_bar, shift), (half, _, _) = bends
    bar = float(np.linalg.norm([fine_bar, shift, fine - half]))
    name = f"beta {beta} decay {decay} M {codewords} t = {time} log of the minimum"
    rivals = Rival("the least memory halfway", float(np.log(0.5))), Rival("no decay: the last token", 0.0)
    predicted = float(np.log(float(position)))
    yield Check(name, predicted, fine, bar, rivals=told(predicted, *rivals, apart=APART), scale=2.0)


@law(
    "profile beyond the smallness condition",
    r"\lambda > \lambda_*, \quad t_1 < t < t_2: \quad \text{a minimum and a maximum}",
    source="derived here; the condition is that of arXiv 2605.09213",
    rivals=("the smallness condition is needed: no minimum",),
    cost="minutes",
    beta=(0.5, 2),
    decay=(4, 8),
    tokens=(1000, 100_000),
    codewords=(2, 100),
    time=(2, 8),
    runs=(8, 10_000),
)
def beyond_smallness(
    rng: np.random.Generator,
    *,
    beta: Any = 1,
    decay: Any = 5,
    codewords: int = 10,
    time: Any = "5.2",
    tokens: int = 8000,
    runs: int = 40,
) -> Iterator[Check]:
    """Ratios of the profile at the predicted turns and the end; what differs with half the tokens is in the bar."""
    setting = {"beta": beta, "decay": decay, "codewords": codewords, "time": time}
    turns = th.causal.retrieval_extrema(**setting)
    small = float(th.causal.smallness_time(beta=beta, decay=decay))
    if len(turns) != 2 or not small < float(time):
        raise Unfinished("at these parameters the profile is no N beyond the smallness condition")
    places = np.array([*map(float, turns), 1.0])
    heights = np.log([float(th.causal.retrieval_profile(s, beta, decay, codewords, time)) for s in places])
    samples = [_profiles(beta, decay, time, n, places, codewords, runs, rng) for n in (tokens, tokens // 2)]
    logs, rough = map(_log_steps, samples)
    means = [one.mean(axis=0) for one in samples]
    faded = float(np.abs(np.log(means[0] / means[1])).mean()) * UNCANCELLED
    names = ("from the minimum to the maximum", "from the maximum to the end")
    rivals = ((Rival("the smallness condition is needed: no minimum", 0.0),), ())
    for k, (name, wrong) in enumerate(zip(names, rivals, strict=True)):
        predicted, (found, noise) = float(heights[k + 1] - heights[k]), logs[k]
        bar = float(np.linalg.norm([noise, found - rough[k][0], faded]))
        text = f"beta {beta} decay {decay} M {codewords} t = {time} log of the step {name}"
        yield Check(text, predicted, found, bar, rivals=wrong, scale=1.0)


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


def _middles(tokens: int) -> list[int]:
    """The indices of the sources at 0.05, 0.15, ..., for ten times an odd number of tokens."""
    return [(tokens // POSITIONS * (2 * k + 1) - 1) // 2 for k in range(POSITIONS)]


def _correlations(
    beta: Any, decay: Any, time: Any, tokens: int, sources: list[int], degrees: int, runs: int, rng: np.random.Generator
) -> Array:
    """Samples under the drive w', in its time: USA, beta times as long."""
    b = simulation_beta(beta)
    flow = Flow(beta=b, causal=Causal(decay=float(decay), own=False))
    span = b * float(time)
    return source_correlations(flow, tokens=tokens, sources=sources, max_degree=degrees, time=span, runs=runs, rng=rng)


def _extrapolated(sizes: list[int], samples: list[Array]) -> tuple[Array, Array]:
    """Means for infinitely many tokens from the two largest sizes; bars with what the third says is left."""
    means = [one.mean(axis=0) for one in samples]
    errors = [one.std(axis=0, ddof=1) / np.sqrt(len(one)) for one in samples]
    first, second, third = sizes
    best = (first * means[0] - second * means[1]) / (first - second)
    coarse = (second * means[1] - third * means[2]) / (second - third)
    left = (best - coarse) * third / (first - third)
    noise = np.hypot(first * errors[0], second * errors[1]) / (first - second)
    return best, np.hypot(noise, left)


def _profiles(
    beta: Any, decay: Any, time: Any, tokens: int, places: Array, codewords: int, runs: int, rng: np.random.Generator
) -> Array:
    """Samples of the retrieval profile, shape=[runs, places]."""
    sources = np.clip(np.round(places * tokens - 0.5), 0, tokens - 1).astype(int).tolist()
    n = np.arange(1, MORE_DEGREES + 1)
    kept = np.exp(-((np.pi * n / codewords) ** 2) / 2)
    return _correlations(beta, decay, time, tokens, sources, MORE_DEGREES, runs, rng) @ kept


def _bottoms(places: Array, profiles: Array) -> tuple[float, float, float]:
    """Log of the place of the least value of a smooth fit, its standard error (jackknife), what a term more adds."""
    runs, total = len(profiles), profiles.sum(axis=0)
    fine = np.geomspace(places[0], places[-1], 2001)

    def bottom(profile: Array, terms: int) -> float:
        fit = np.linalg.lstsq(_terms(places, terms), np.log(profile), rcond=None)[0]
        return float(np.log(fine[int(np.argmin(_terms(fine, terms) @ fit))]))

    left = np.array([bottom((total - one) / (runs - 1), 4) for one in profiles])
    whole = bottom(total / runs, 4)
    return whole, float(np.sqrt((runs - 1) * left.var())), bottom(total / runs, 5) - whole


def _terms(places: Array, terms: int) -> Array:
    logs = np.log(places)
    return np.stack([np.ones_like(logs), logs, logs**2, places, logs**3][:terms], axis=1)


def _log_steps(profiles: Array) -> list[tuple[float, float]]:
    """Logs of the ratios of neighbouring means, with standard errors by jackknife."""
    runs, total = len(profiles), profiles.sum(axis=0)
    steps = np.diff(np.log((total - profiles) / (runs - 1)), axis=1)
    bars = np.sqrt((runs - 1) * steps.var(axis=0))
    return [(float(step), float(bar)) for step, bar in zip(np.diff(np.log(total / runs)), bars, strict=True)]
