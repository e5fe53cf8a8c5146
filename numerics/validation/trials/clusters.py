"""Laws of clusters around the circle: where they emerge, how they contract, escape and last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.geometry import Array, circle_points
from gegenflow.numerics.validation.case import Case, other_model, simulation_beta
from gegenflow.numerics.validation.checks import Check, Rival, mean_check, told
from gegenflow.numerics.validation.displacements import (
    equal_clusters,
    propagator_rates,
    rate_with_bar,
)
from gegenflow.numerics.validation.ends import cluster_angles
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.measurements import follow
from gegenflow.numerics.validation.starts import nudged_starts
from gegenflow.theory.clusters import circle, escapes

FORCE = r"f(x) = e^{\beta\cos x}\sin x"
OTHER = "the rate of the other model"
NUDGE = 1e-8


@law(
    "angles of emerging clusters",
    r"\theta_j = \frac{2\pi j - \arg\mu_k}{k}, \qquad \mu_k = \frac1N \sum_i e^{-ik\theta_i(0)}",
    source="arXiv 2410.23228",
    rivals=("the phase of the reflected mode", "half a period on"),
    quick=True,
    tokens=(100, 1_000_000),
    beta=(0, 30),
)
def emerging_clusters(
    rng: np.random.Generator, *, beta: Any = 5, model: str = "usa", tokens: int = 20_000, runs: int = 8
) -> Iterator[Check]:
    """The cluster nearest to pi in several runs; at finite N chance may choose, so tokens are nudged to the degree."""
    case = Case(2, beta, model)
    k, found = case.selected, []
    for start, phase in nudged_starts(k, tokens=tokens, runs=runs, rng=rng):
        t_end = case.emergence_times(case.amplitudes(start)).min() + 8 / case.rates.max()
        every = (2 * np.pi * np.arange(k) - phase) / k % (2 * np.pi)
        predicted, wrong = (angles[np.abs(angles - np.pi).argmin()] for angles in (every, -every % (2 * np.pi)))
        angles = cluster_angles(start, case.flow, t_end=t_end, min_mass=0.3 / k)
        found.append((predicted, angles[np.abs(angles - predicted).argmin()], abs(wrong - predicted)))
    predicted, measured, reflected = np.array(found).T
    shift = float(np.mean(predicted))
    rivals = (
        Rival("the phase of the reflected mode", shift + float(np.mean(reflected))),
        Rival("half a period on", shift + np.pi / k),
    )
    yield mean_check(f"{case} degree {k}", shift, measured - predicted + shift, rivals=rivals)


@law(
    "intra-cluster rate",
    r"\lambda = -\frac1k \sum_{j=0}^{k-1} f'(2\pi j/k), \qquad " + FORCE,
    source="arXiv 2410.23228; derived here",
    rivals=(OTHER, "the cluster alone"),
    quick=True,
    clusters=(1, 12),
    beta=(0.5, 20),
)
def intra_cluster_rate(
    rng: np.random.Generator, *, beta: Any = 5, model: str = "usa", clusters: int = 3, tokens: int = 3
) -> Iterator[Check]:
    """Several tokens a cluster, spread about a mean that stays: their width shrinks."""
    flow, angles = Flow(beta=simulation_beta(beta), model=model), equal_clusters(clusters, tokens)
    predicted, other = (_rate(circle.intra_rate, clusters, beta, name) for name in _both(model))
    spread = np.tile(np.arange(tokens) - (tokens - 1) / 2, clusters)
    fastest = max(abs(predicted), _escape(clusters, beta, model))
    measured, error = rate_with_bar(circle_points(angles), _turned(angles, spread), flow, 0.5 / fastest)
    alone = -float(np.exp(flow.beta or 0.0)) / clusters if model == "usa" else -1.0
    rivals = told(predicted, Rival(OTHER, other), Rival("the cluster alone", alone))
    yield Check(f"{clusters} clusters {model.upper()} beta {beta}", predicted, measured, error, rivals=rivals)


@law(
    "inter-cluster rates",
    r"\lambda_m = -\frac1k \sum_{j=1}^{k-1} f'(2\pi j/k)\,(1 - \cos(2\pi mj/k)), \qquad " + FORCE,
    source="arXiv 2410.23228; derived here",
    rivals=(OTHER, "the next mode"),
    quick=True,
    clusters=(2, 12),
    beta=(0.5, 20),
)
def inter_cluster_rates(
    rng: np.random.Generator, *, beta: Any = 5, model: str = "usa", clusters: int = 4
) -> Iterator[Check]:
    """Clusters moved by a cosine: the amplitude of each mode grows at its own rate."""
    flow, angles = Flow(beta=simulation_beta(beta), model=model), equal_clusters(clusters)
    fastest = _escape(clusters, beta, model)
    for mode in range(1, clusters // 2 + 1):
        predicted, other = (_rate(circle.mode_rate, mode, clusters, beta, name) for name in _both(model))
        wave = _turned(angles, np.cos(mode * angles))
        measured, error = rate_with_bar(circle_points(angles), wave, flow, 0.5 / fastest)
        beside = _rate(circle.mode_rate, mode % (clusters // 2) + 1, clusters, beta, model)
        rivals = told(predicted, Rival(OTHER, other), Rival("the next mode", beside))
        name = f"{clusters} clusters {model.upper()} beta {beta} mode {mode}"
        yield Check(name, predicted, measured, error, rivals=rivals, scale=fastest)


@law(
    "escape of equal clusters",
    r"\max_m \lambda_m > 0, \qquad \lambda_m = -\frac1k \sum_{j=1}^{k-1} f'(2\pi j/k)\,(1 - \cos(2\pi mj/k)), \qquad "
    + FORCE,
    source="derived here",
    rivals=(OTHER, "the first mode", "nearest neighbours alone"),
    quick=True,
    clusters=(2, 12),
    beta=(0.5, 12),
)
def escape_of_clusters(
    rng: np.random.Generator, *, beta: Any = 5, model: str = "usa", clusters: int = 5
) -> Iterator[Check]:
    """The largest rate of all displacements of equal clusters: of the mode that by theory wins, whichever it is."""
    predicted, other = (_escape(clusters, beta, name) for name in _both(model))
    first = _rate(circle.mode_rate, 1, clusters, beta, model)
    nearest = float(escapes.escape_asymptote(clusters, beta, model=model))
    points, flow = circle_points(equal_clusters(clusters)), Flow(beta=simulation_beta(beta), model=model)
    whole, half = (float(propagator_rates(points, flow, time / predicted)[0]) for time in (1.0, 0.5))
    rivals = told(predicted, Rival(OTHER, other), Rival("the first mode", first))
    rivals += told(predicted, Rival("nearest neighbours alone", nearest), apart=1e-4)
    error = abs(whole - half) + 1e-6 * predicted
    yield Check(f"{clusters} clusters {model.upper()} beta {beta}", predicted, whole, error, rivals=rivals)


@law(
    "lifetime of clusters",
    r"\log T = (1 - \cos\tfrac{2\pi}{k})\,\beta - \log\beta + O(1), \qquad "
    r"T = \frac{\log(1/\epsilon)}{\max_m \lambda_m}",
    source="arXiv 2410.06833 for the law; constants derived here",
    rivals=("the time scale of the other model", "lifetimes that do not grow with beta"),
    quick=True,
    clusters=(3, 8),
    beta=(40, 180),
)
def lifetime_of_clusters(rng: np.random.Generator, *, clusters: int = 3, beta: Any = 80) -> Iterator[Check]:
    """Growth of log(beta T) with beta, from the time at which clusters meet that were nudged by 1e-8 (SA).

    The law is linear to the end, which nonlinear forces bring log(1 + beta) e-foldings early: the change of that with
    beta, relative to all e-foldings, is the bar.
    """
    low = simulation_beta(beta)
    betas = np.array([low, low + 10.0])
    meetings, lives = (np.log([time(clusters, b) for b in betas]) for time in (meeting_time, _life))
    found, law_slope = (float(np.diff(logs + np.log(betas))[0] / 10) for logs in (meetings, lives))
    bar = 1 / (low * (np.log(1 / NUDGE) - np.log1p(low)))
    rivals = (
        Rival("the time scale of the other model", law_slope - 1),
        Rival("lifetimes that do not grow with beta", 0.0),
    )
    yield Check(f"{clusters} clusters beta {beta} slope", law_slope, found, bar, rivals=rivals)


def _life(clusters: int, beta: float) -> float:
    return float(escapes.lifetime(clusters, beta, perturbation=str(NUDGE), model="sa"))


def meeting_time(clusters: int, beta: float) -> float:
    """When the first two of equal clusters meet that were nudged by 1e-8 in the mode that grows fastest (SA)."""
    angle = equal_clusters(clusters)
    angle = angle + NUDGE * np.cos(escapes.escape_mode(clusters, beta) * angle)
    t_end = 10 * _life(clusters, beta)
    run = follow(circle_points(angle), Flow(beta=beta, model="sa"), t_end, save_at=[], merge=1e-12)
    return float(run.merges[0, 0])


def _both(model: str) -> tuple[str, str]:
    return model, other_model(model)


def _rate(form: Any, *given: Any) -> float:
    *arguments, model = given
    return float(form(*arguments, model=model, digits=15))


def _escape(clusters: int, beta: Any, model: str) -> float:
    return float(escapes.escape_rate(clusters, beta, model=model, digits=15)) if clusters > 1 else 0.0


def _turned(angles: Array, turn: Array) -> Array:
    # tangent displacement of tokens on the circle by small turns
    moved: Array = turn[:, None] * np.column_stack([-np.sin(angles), np.cos(angles)])
    return moved
