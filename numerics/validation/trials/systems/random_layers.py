"""Laws of layers with random weights: how the overlap of two tokens moves, and whether they meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gegenflow import theory as th
from gegenflow.numerics.fields.random_fields import covariance
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.parts import RandomLayers
from gegenflow.numerics.systems.random_layers import pair_distances
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.validation.case import other_model, simulation_beta
from gegenflow.numerics.validation.checks import Check, Rival, extrapolated, told
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.measurements import Unfinished, Unmeasurable

SOURCE = "derived here; arXiv 2604.26898 for the system"
SHARES = (1, 2, 4)
"""Layers per unit of time in which a measurement is made, relative to the fewest; what is left falls as 1/L."""
CLOSE = 1 - 5e-13
"""Overlap of two tokens that are 1e-6 apart."""
TURN = 0.05
"""How far, squared, the fewest layers turn a token at once."""


@law(
    "overlap under random layers",
    r"dr = [(d-2+r^2)K(r) - (d-1)K(1)r]\,dt + \sqrt{2(1-r^2)(K(1) - rK(r))}\,dB",
    source=SOURCE,
    rivals=("without the curvature of the sphere", "K(r) in the place of r K(r)", "the activation as it is linear"),
    dim=(2, 200),
    runs=(1000, 1_000_000),
)
def overlap_under_layers(
    rng: np.random.Generator, *, activation: str = "tanh", dim: int = 8, overlap: Any = "0.3", runs: int = 40_000
) -> Iterator[Check]:
    """Mean and mean square of the change in one layer of three sizes, with pushes of both signs; extrapolated."""
    field, r = covariance(activation), float(overlap)
    x, y = np.eye(dim)[0], r * np.eye(dim)[0] + np.sqrt(1 - r**2) * np.eye(dim)[1]
    factor = np.linalg.cholesky(field.gram(np.stack([x, y])))
    pushes = np.einsum("ij,rjd->ird", factor, rng.standard_normal((runs, 2, dim)))
    found = one_layer(x, y, TURN / (dim * field.own), lambda tokens, sign: sign * pushes)
    drift, variance = (
        th.random_layers.overlap_drift(activation, dim, overlap),
        th.random_layers.overlap_variance(activation, dim, overlap),
    )
    here, own = (float(th.random_layers.activation_kernel(activation).at(z)) for z in (overlap, 1))
    linear = [
        float(f("linear", dim, overlap)) for f in (th.random_layers.overlap_drift, th.random_layers.overlap_variance)
    ]
    wrong = (
        Rival("without the curvature of the sphere", (dim - 1) * (here - own * r)),
        Rival("K(r) in the place of r K(r)", 2 * (1 - r**2) * (own - here)),
    )
    for k, (name, predicted) in enumerate((("drift", float(drift)), ("variance", float(variance)))):
        value, bar = found[k]
        rivals = told(predicted, wrong[k], apart=0.1)
        rivals += told(predicted, Rival("the activation as it is linear", linear[k]), apart=0.5)
        text = f"{activation} dim {dim} overlap {overlap} {name}"
        yield Check(text, predicted, value, bar, rivals=rivals, scale=max(abs(predicted), own))


def one_layer(x: Array, y: Array, coarsest: float, push: Callable[[Array, float], Array]) -> list[tuple[float, float]]:
    """Drift and variance of the overlap in a layer, with their bars: pushes of both signs, extrapolated in its size."""
    start, samples = float(x @ y), []
    for share in SHARES:
        step = coarsest / share
        ends = []
        for sign in (1.0, -1.0):
            moved = np.stack([x, y])[:, None] + np.sqrt(step) * push(np.stack([x, y]), sign)
            first, second = moved / np.linalg.norm(moved, axis=2, keepdims=True)
            ends.append(np.einsum("rd,rd->r", first, second) - start)
        samples.append((np.mean(ends, axis=0) / step, np.mean(np.square(ends), axis=0) / step))
    found = []
    for coarse, middle, fine in zip(*samples, strict=True):
        once, twice = 2 * middle - coarse, 2 * fine - middle
        best = (4 * twice - once) / 3
        noise = best.std(ddof=1) / np.sqrt(len(best))
        found.append((float(best.mean()), float(np.hypot(noise, (best - twice).mean()))))
    return found


@law(
    "Lyapunov exponent of random layers",
    r"\lambda = \tfrac12[(d-3)K'(1) - (d-1)K(1)] \ [\,-1\ (\mathrm{SA}),\ -e^\beta\ (\mathrm{USA})]",
    source=SOURCE,
    rivals=("the rate of the mean square", "no attention", "attention of the other model", "fifty layers, no limit"),
    dim=(2, 100),
    beta=(0, 3),
    runs=(500, 1_000_000),
)
def lyapunov_exponent(
    rng: np.random.Generator,
    *,
    activation: str = "tanh",
    dim: int = 6,
    beta: Any = 1,
    model: str = "sa",
    runs: int = 40_000,
) -> Iterator[Check]:
    """Mean growth of the logarithm of a distance of 1e-6, without attention and with it, extrapolated in layers."""
    kernel = th.random_layers.activation_kernel(activation)
    own, slope = _moments(kernel, activation)
    alone = float(th.random_layers.lyapunov_exponent(activation, dim))
    other = float(th.random_layers.lyapunov_exponent(activation, dim, model=other_model(model), beta=beta))
    mean, size = ((dim - 1) * slope - (dim - 3) * own) / 2, (dim - 1) * (own + slope) / 2
    for attends in (False, True):
        flows = {"beta": simulation_beta(beta), "model": model} if attends else {}
        predicted = (
            float(th.random_layers.lyapunov_exponent(activation, dim, model=model, beta=beta)) if attends else alone
        )
        speed = (dim - 1) * (own + slope) + (np.exp(simulation_beta(beta)) if attends else 0)
        fewest, span = max(50, round(4 * speed)), min(2.0, 4 / speed)
        value, bar, rough = _extrapolated(flows, activation, dim, fewest, span, runs, rng, np.log)
        shift = predicted - alone
        rivals = [Rival("the rate of the mean square", mean + shift)]
        rivals += [Rival("no attention", alone), Rival("attention of the other model", other)] if attends else []
        rivals += [Rival("fifty layers, no limit", rough)] if abs(rough - predicted) > 6 * bar else []
        name = f"{activation} dim {dim} {f'{model.upper()} beta {beta}' if attends else 'alone'} exponent"
        yield Check(name, predicted, value, bar, rivals=told(predicted, *rivals, apart=0.1), scale=size)


@law(
    "contraction in the mean",
    r"\lim_{r\to1}\tfrac{d}{dt}\log E(1 - r_t) = (d-1)K'(1) - (d-3)K(1)",
    source=SOURCE,
    rivals=("as of the typical pair", "contraction where K' < K"),
    dim=(2, 30),
    runs=(500, 1_000_000),
)
def mean_contraction(
    rng: np.random.Generator, *, activation: str = "1+tanh", dim: int = 8, runs: int = 200_000
) -> Iterator[Check]:
    """Growth of the mean of 1 - r of pairs 1e-6 apart, extrapolated in layers; of either sign."""
    own, slope = _moments(th.random_layers.activation_kernel(activation), activation)
    predicted = -float(th.random_layers.contraction_rate(activation, dim))
    span = 0.25 / (own + slope)
    fewest = max(50, round(4 * (dim - 1) * (own + slope)), round(4 / span))
    value, bar, _ = _extrapolated({}, activation, dim, fewest, span, runs, rng, np.square)
    typical = 2 * float(th.random_layers.lyapunov_exponent(activation, dim))
    rivals = told(
        predicted,
        Rival("as of the typical pair", typical),
        Rival("contraction where K' < K", (dim - 1) * (slope - own)),
        apart=0.1,
    )
    yield Check(
        f"{activation} dim {dim} growth of the mean",
        predicted,
        value,
        bar,
        rivals=rivals,
        scale=(dim - 1) * (own + slope),
    )


@law(
    "many and wide layers",
    r"E\,r_{L,m}(t) - E\,r_{L,\infty}(t) \sim \frac{1}{m}, \qquad E\,r_{L,\infty}(t) - E\,r(t) \sim \frac{1}{L}",
    source=SOURCE,
    rivals=("as 1/sqrt", "as the square"),
    cost="minutes",
    dim=(8, 100),
    overlap=(0, 0.8),
    runs=(1000, 10_000_000),
)
def many_wide_layers(
    rng: np.random.Generator, *, activation: str = "relu", dim: int = 32, overlap: Any = "0.3", runs: int = 2_000_000
) -> Iterator[Check]:
    """The powers with which a mean overlap nears that of more layers, and of wider ones, from five of each on."""
    fewest = max(5, round(dim * covariance(activation).own / 1.6))

    def overlaps(layers: int, width: int | None) -> tuple[float, float]:
        flow, time = Flow(random_layers=RandomLayers(activation, width=width, layers=layers)), 2 / fewest
        found = pair_distances(flow, dim, overlap=float(overlap), times=[time], runs=runs, rng=rng)[:, 0]
        values = 1 - found**2 / 2
        return float(values.mean()), float(values.std(ddof=1) / np.sqrt(runs))

    deep = np.array([overlaps(fewest * 2**k, None) for k in range(5)])
    wide = np.array([overlaps(2 * fewest, width) for width in (1, 2, 4, 8, None)])
    rivals = Rival("as 1/sqrt", -0.5), Rival("as the square", -2.0)
    for name, means, bars in (
        ("L", -np.diff(deep[:, 0]), np.hypot(deep[1:, 1], deep[:-1, 1])),
        ("m", wide[4, 0] - wide[:4, 0], np.hypot(wide[:4, 1], wide[4, 1])),
    ):
        if (means * np.sign(means.sum()) < 3 * bars).any():
            raise Unfinished("what layers leave is below its noise; take more runs")
        powers, noise = (
            np.diff(np.log2(np.abs(means))),
            np.hypot(bars[1:] / means[1:], bars[:-1] / means[:-1]) / np.log(2),
        )
        value, before = 2 * powers[2] - powers[1], 2 * powers[1] - powers[0]
        bar = float(np.hypot(2.3 * noise[2], (value - before) / 3))
        yield Check(f"{activation} dim {dim} power of {name}", -1.0, float(value), bar, rivals=rivals, scale=2.0)


def _moments(kernel: Any, activation: str) -> tuple[float, float]:
    """K(1) and K'(1), finite."""
    if activation == "step":
        raise Unmeasurable("activation", activation, "its K'(1) is infinite: close tokens part at any rate")
    return float(kernel.at(1)), float(kernel.slope(1))


def _extrapolated(
    flows: dict[str, Any],
    activation: str,
    dim: int,
    fewest: int,
    span: float,
    runs: int,
    rng: np.random.Generator,
    of: Callable[[Array], Array],
) -> tuple[float, float, float]:
    """The rate of a mean over close pairs for infinitely many layers, its bar, and the rate with fifty layers."""
    rates, bars = [], []
    for layers in (*(fewest * share for share in SHARES), 50):
        flow = Flow(**flows, random_layers=RandomLayers(activation, layers=layers))
        time = max(1, round(span * layers)) / layers
        start, end = pair_distances(flow, dim, overlap=CLOSE, times=[0.0, time], runs=runs, rng=rng).T
        grown = of(end / start)
        mean, error = float(grown.mean()), float(grown.std(ddof=1) / np.sqrt(runs))
        rates.append((mean if of is np.log else float(np.log(mean))) / time)
        bars.append((error if of is np.log else error / mean) / time)
    limit, bar = extrapolated(SHARES[::-1], rates[2::-1], bars[2::-1])
    return limit, float(bar), rates[3]
