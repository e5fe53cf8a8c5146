"""Laws of arrangements of clusters: their spectra, which of two survives, how an antipodal pair escapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.geometry import Array, normalize
from gegenflow.numerics.validation.case import other_model, simulation_beta
from gegenflow.numerics.validation.checks import Check, Rival, told
from gegenflow.numerics.validation.displacements import propagator_rates, rate_with_bar
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.measurements import follow
from gegenflow.theory.clusters.antipodal import antipodal_clusters, survival_beta
from gegenflow.theory.clusters.configurations import antipodal_spectrum, cross_polytope_spectrum, simplex_spectrum
from gegenflow.theory.clusters.spectra import cluster_spectrum
from gegenflow.theory.clusters.vertices import cross_polytope, platonic, simplex

SOLIDS: dict[str, Any] = {
    "simplex": (simplex, simplex_spectrum),
    "cross-polytope": (cross_polytope, cross_polytope_spectrum),
    "antipodal": (lambda dim: [np.eye(dim)[0], -np.eye(dim)[0]], antipodal_spectrum),
}


@law(
    "spectra of arrangements",
    r"\mathrm{spec}\,D\dot x(\text{simplex, cross-polytope, antipodal pair, cube, icosahedron})",
    source="derived here",
    rivals=("eigenvalues of the other model",),
    quick=True,
    dim=(2, 6),
    beta=(0.5, 10),
)
def spectra_of_arrangements(
    rng: np.random.Generator, *, solid: str = "simplex", dim: int = 3, beta: Any = 4, model: str = "usa"
) -> Iterator[Check]:
    """The largest, a middle and the least eigenvalue of the propagator of displaced clusters, rotations among them."""
    models = model, other_model(model)
    if solid in SOLIDS:
        vertices, form = SOLIDS[solid][0](dim), SOLIDS[solid][1]
        predicted, other = (_repeated(form(dim, beta, model=name).inter) for name in models)
    else:
        vertices = platonic(solid)
        predicted, other = (_repeated(cluster_spectrum(vertices, beta, model=name).inter) for name in models)
    points = normalize([[float(x) for x in row] for row in vertices])
    flow, scale = Flow(beta=simulation_beta(beta), model=model), float(np.abs(predicted).max())
    whole, half = (propagator_rates(points, flow, time / scale) for time in (1.0, 0.5))
    for place in sorted({0, len(predicted) // 2, len(predicted) - 1}):
        error = abs(whole[place] - half[place]) + 1e-6 * scale
        rivals = told(float(predicted[place]), Rival("eigenvalues of the other model", float(other[place])))
        name = f"{solid} dim {points.shape[1]} {model.upper()} eigenvalue {place + 1}"
        yield Check(name, float(predicted[place]), float(whole[place]), error, rivals=rivals, scale=scale)


@law(
    "survival of the smaller of two clusters",
    r"\text{both survive} \iff \beta > \tfrac12 \log\frac{1-m}{m}",
    source="derived here",
    rivals=("without the factor one half", "beta = 0"),
    quick=True,
    mass=(0.02, 0.45),
    dim=(2, 20),
)
def antipodal_survival(
    rng: np.random.Generator, *, mass: Any = "0.2", dim: int = 3, model: str = "usa"
) -> Iterator[Check]:
    """The beta at which a narrow minority neither spreads nor contracts, between two measured widths."""
    predicted, share = float(survival_beta(mass, digits=15)), float(mass)
    south = -np.eye(dim)[0]
    offsets = np.vstack([np.eye(dim)[1:], -np.eye(dim)[1:]])
    points = np.vstack([-south, np.tile(south, (len(offsets), 1))])
    push = np.vstack([np.zeros(dim), offsets])
    weights = np.array([1 - share, *np.full(len(offsets), share / len(offsets))])

    def width_rate(beta: float) -> float:
        return rate_with_bar(points, push, Flow(beta=beta, model=model), 0.5, weights=weights)[0]

    def still(apart: float) -> float:
        ends = predicted * np.array([1 - apart, 1 + apart])
        rates = [width_rate(beta) for beta in ends]
        return float(ends[0] - rates[0] * (ends[1] - ends[0]) / (rates[1] - rates[0]))

    found, other = still(0.004), still(0.008)
    bar = abs(found - other) + 1e-7 * predicted
    rivals = Rival("without the factor one half", 2 * predicted), Rival("beta = 0", 0.0)
    yield Check(f"mass {mass} dim {dim} {model.upper()} beta*", predicted, found, bar, rivals=rivals)


@law(
    "escape of an antipodal pair",
    r"\text{growth of } |x_1 + x_2| \text{ for masses } m,\,1-m",
    source="derived here",
    rivals=("the rate of the other model", "equal masses"),
    quick=True,
    mass=(0.05, 0.45),
    dim=(2, 20),
    beta=(0.1, 10),
)
def antipodal_escape(
    rng: np.random.Generator, *, mass: Any = "0.2", beta: Any = 2, dim: int = 3, model: str = "usa"
) -> Iterator[Check]:
    """Two clusters moved to one side: the angle between them, which no rotation changes, grows."""
    predicted, other = (
        float(antipodal_clusters(mass, beta, model=name).escape) for name in (model, other_model(model))
    )
    even = float(antipodal_clusters("1/2", beta, model=model).escape)
    side, share = np.eye(dim)[1], float(mass)
    start = normalize(np.array([np.eye(dim)[0] + 1e-6 * side, -np.eye(dim)[0] + 1e-6 * side]))
    flow, rates = Flow(beta=simulation_beta(beta), model=model), []
    for time in (1 / predicted, 0.5 / predicted):
        options: dict[str, Any] = {"weights": [1 - share, share], "rtol": 1e-12, "atol": 1e-15, "save_at": []}
        end = follow(start, flow, time, method="dense", **options).tokens
        gap = np.linalg.norm(end.sum(axis=0)) / np.linalg.norm(start.sum(axis=0))
        rates.append(float(np.log(gap)) / time)
    error = abs(rates[0] - rates[1]) + 1e-8 * predicted
    rivals = told(predicted, Rival("the rate of the other model", other), Rival("equal masses", even))
    yield Check(f"mass {mass} dim {dim} {model.upper()} beta {beta}", predicted, rates[0], error, rivals=rivals)


def _repeated(pairs: Any) -> Array:
    values = [float(value) for value, multiplicity in pairs for _ in range(int(multiplicity))]
    return np.array(sorted(values, reverse=True))
