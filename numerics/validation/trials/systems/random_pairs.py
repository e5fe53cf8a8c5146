"""Laws of two tokens under random value matrices, and under a random quadratic form with a bias."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import simpson
from scipy.stats import beta as beta_law

from gegenflow import theory as th
from gegenflow.numerics.fields.random_fields import covariance
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.parts import RandomLayers
from gegenflow.numerics.systems.random_layers import pair_distances
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.validation.case import simulation_beta
from gegenflow.numerics.validation.checks import Check, Rival, extrapolated, told
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.measurements import Unmeasurable
from gegenflow.numerics.validation.trials.systems.random_layers import SHARES, TURN, one_layer

LAYERS = 50
"""The fewest layers per unit of time; shares of ends are extrapolated from one, two and four times as many."""
MEETINGS = 16
"""Times in which two tokens come within a tenth of an end, after which the end is read off."""


@law(
    "ends under random values",
    r"P(r_\infty = -1) = \frac{\int_{r_0}^1 s'}{\int_{-1}^1 s'}, \quad "
    r"s' = \frac{1}{\sqrt{1-r^2}}\exp\Big({-(d-2)\int_0^r \frac{\mathrm{sech}\,\beta(1-x)}{1-x^2}dx}\Big)",
    source="derived here; arXiv 2601.21942 for the system",
    rivals=("as in dim 2, by the angle", "as for tokens that do not attend", "all end together"),
    dim=(2, 12),
    beta=(0, 4),
    runs=(1000, 1_000_000),
)
def ends_under_values(
    rng: np.random.Generator, *, dim: int = 3, beta: Any = 1, overlap: Any = 0, runs: int = 20_000
) -> Iterator[Check]:
    """The share of softmax pairs that end opposite, extrapolated in layers; what half the time leaves is in the bar."""
    predicted = float(th.random_layers.antipodal_probability(overlap, dim, beta))
    span = MEETINGS * float(th.random_layers.consensus_time(0, "0.9", dim, beta, digits=5))
    layers = [RandomLayers(layers=LAYERS * share, values=True) for share in SHARES]
    flows = [Flow(beta=simulation_beta(beta), model="sa", random_layers=part) for part in layers]
    sizes = {"overlap": float(overlap), "runs": runs, "rng": rng}
    value, bar = _share_at_last(flows, dim, span, lambda distances: distances > np.sqrt(2), **sizes)
    rivals = told(
        predicted,
        Rival("as in dim 2, by the angle", float(np.arccos(float(overlap)) / np.pi)),
        Rival("as for tokens that do not attend", float(th.random_layers.antipodal_probability(overlap, dim, 0))),
        Rival("all end together", 0.0),
        apart=0.3,
    )
    name = f"dim {dim} beta {beta} overlap {overlap}: share that ends opposite"
    yield Check(name, predicted, value, bar, rivals=rivals, scale=1.0)


@law(
    "overlaps of tokens that do not meet",
    r"p(r) \propto \frac{1}{a(r)}\exp\int^r\frac{2b}{a}dx, \qquad (d-3)K'(1) > (d-1)K(1)",
    source="derived here; arXiv 2604.26898 for the system",
    rivals=("as of independent uniform tokens", "as of equal shares of r"),
    cost="minutes",
    dim=(32, 200),
    runs=(1000, 1_000_000),
)
def overlaps_that_stay(
    rng: np.random.Generator, *, activation: str = "tanh", dim: int = 64, runs: int = 10_000
) -> Iterator[Check]:
    """The share of pairs with overlaps within a half after a long time, extrapolated in layers."""
    if not float(th.random_layers.lyapunov_exponent(activation, dim)) > 0:
        raise Unmeasurable("dim", dim, "two tokens meet there almost surely, and no overlap stays")
    places, own = np.linspace(-0.5, 0.5, 9), covariance(activation).own
    density = [float(th.random_layers.stationary_density(activation, dim, str(r), 8)) for r in places.round(3)]
    predicted = float(simpson(density, x=places))
    fewest, span = round(4 * dim * own), float(th.random_layers.meeting_time(activation, dim, 0, "0.9", 5))
    flows = [Flow(random_layers=RandomLayers(activation, layers=fewest * share)) for share in SHARES]
    sizes = {"overlap": 0.0, "runs": runs, "rng": rng}
    value, bar = _share_at_last(flows, dim, span, lambda distances: np.abs(1 - distances**2 / 2) < 0.5, **sizes)
    uniform = 2 * beta_law((dim - 1) / 2, (dim - 1) / 2).cdf(0.75) - 1
    rivals = told(
        predicted,
        Rival("as of independent uniform tokens", float(uniform)),
        Rival("as of equal shares of r", 0.5),
        apart=0.1,
    )
    name = f"{activation} dim {dim} share of overlaps within 1/2"
    yield Check(name, predicted, value, bar, rivals=rivals, scale=1.0)


@law(
    "random quadratic form",
    r"dz = [\gamma^2(1-z)(n-2-z) - 2z(1-z^2)]dt + \sqrt{2(1-z)^2(1+z)(2(1+z)+\gamma^2)}\,dB, \qquad "
    r"P(z_\infty = 1) = 1 - \tfrac{\arccos z_0}{\pi} \ (\gamma = 0)",
    source="arXiv 2608.16664",
    rivals=("a symmetric matrix", "no bias", "even chances"),
    dim=(2, 30),
    runs=(1000, 1_000_000),
)
def random_form(
    rng: np.random.Generator, *, dim: int = 4, bias: Any = 1, overlap: Any = "0.3", runs: int = 20_000
) -> Iterator[Check]:
    """Moments of the change in one layer, of matrices of both signs; without bias the share that ends together."""
    z, gamma = float(overlap), float(bias)
    x, y = np.eye(dim)[0], z * np.eye(dim)[0] + np.sqrt(1 - z**2) * np.eye(dim)[1]
    matrices, biases = rng.standard_normal((runs, dim, dim)), rng.standard_normal((runs, dim))

    def push(tokens: Array, sign: float) -> Array:
        pushes: Array = np.sqrt(2) * np.einsum("rab,ib->ira", matrices, tokens) + gamma * biases
        return sign * pushes

    found = one_layer(x, y, TURN / (dim * (2 + gamma**2)), push)
    across = 1 - z**2
    twice = {"drift": -2 * z * across, "variance": 4 * across**2}
    exact = {"drift": th.random_layers.form_drift, "variance": th.random_layers.form_variance}
    for (value, bar), (name, formula) in zip(found, exact.items(), strict=True):
        predicted, alone = (float(formula(overlap, dim, one)) for one in (bias, 0))
        rivals = told(
            predicted, Rival("a symmetric matrix", predicted + twice[name]), Rival("no bias", alone), apart=0.2
        )
        text = f"dim {dim} bias {bias} overlap {overlap} {name}"
        yield Check(text, predicted, value, bar, rivals=rivals, scale=max(abs(predicted), 2 + gamma**2))
    shares = []
    for share in SHARES:
        flow = Flow(random_layers=RandomLayers(_unbiased, layers=LAYERS * share))
        ends = pair_distances(flow, dim, overlap=z, times=[6.0], runs=runs, rng=rng)
        shares.append(float((ends < np.sqrt(2)).mean()))
    value, bar = _limit(shares, runs)
    together = float(th.random_layers.aligned_probability(overlap))
    rivals = told(together, Rival("even chances", 0.5), apart=0.15)
    yield Check(f"dim {dim} overlap {overlap} share that ends together", together, value, bar, rivals=rivals, scale=1.0)


def _unbiased(x: Array) -> Array:
    """The activation whose layers are a random quadratic form without bias."""
    scaled: Array = np.sqrt(2) * x
    return scaled


def _share_at_last(
    flows: list[Flow], dim: int, span: float, seen: Callable[[Array], NDArray[np.bool_]], **sizes: Any
) -> tuple[float, float]:
    """The share of pairs whose distances are seen after a span, for infinitely many layers, and its bar, with what the
    second half of the span moved."""
    shares, moved = [], 0.0
    for flow in flows:
        half, whole = seen(pair_distances(flow, dim, times=[span / 2, span], **sizes)).mean(axis=0)
        shares.append(float(whole))
        moved = float(abs(whole - half))
    value, bar = _limit(shares, sizes["runs"])
    return value, float(np.hypot(bar, moved))


def _limit(shares: list[float], runs: int) -> tuple[float, float]:
    """A share for infinitely many layers, from the finest two, and its bar, with what the coarsest says is left."""
    noise = np.sqrt(max(shares[2] * (1 - shares[2]), 1 / runs) / runs)
    limit, bar = extrapolated(SHARES[::-1], shares[::-1], [noise] * len(SHARES))
    return limit, float(bar)
