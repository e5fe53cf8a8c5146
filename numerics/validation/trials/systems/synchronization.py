"""Laws of equiangular and few tokens: closed times, inequalities, normalisations, one step of attention."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from gegenflow import theory as th
from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.observables.energy import Dissipation, Energy
from gegenflow.numerics.observables.tokens import HarmonicAmplitude
from gegenflow.numerics.systems.synchronization import SmallestOverlap
from gegenflow.numerics.tokens.geometry import circle_points, normalize
from gegenflow.numerics.validation.case import other_model, simulation_beta
from gegenflow.numerics.validation.checks import Check, Rival
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.measurements import follow, follow_density

EQUIANGULAR = r"\dot g = \tfrac2n\, e^{\beta g}(1-g)((n-1)g+1), \quad \text{SA over } (e^\beta + (n-1)e^{\beta g})/n"
OTHER = "the other model"


@law(
    "hitting times of equiangular tokens",
    EQUIANGULAR,
    source="arXiv 2312.10794; closed times derived here",
    rivals=(OTHER, "one token more", "from a time a tenth shorter"),
    quick=True,
    tokens=(2, 200),
    beta=(0, 20),
    overlap=(0.05, 0.999),
)
def hitting_times(
    rng: np.random.Generator, *, tokens: int = 8, beta: Any = 2, model: str = "usa", overlap: Any = "0.9"
) -> Iterator[Check]:
    """Orthogonal tokens followed for the time at which theory has them at an overlap: their smallest overlap there."""
    time = float(th.synchronization.hitting_time(overlap, tokens, beta, model=model, digits=15))

    def reached(time: float, n: int, model: str) -> float:
        return float(th.synchronization.overlap_after(repr(time), n, beta, model=model))

    flow, found = Flow(beta=simulation_beta(beta), model=model), []
    for rtol in (1e-11, 1e-8):
        run = follow(np.eye(tokens), flow, time, save_at=[time], rtol=rtol, atol=1e-13, observe=[SmallestOverlap()])
        found.append(float(run.observables["smallest_overlap"][-1]))
    rivals = [
        Rival("one token more", reached(time, tokens + 1, model)),
        Rival("from a time a tenth shorter", reached(0.9 * time, tokens, model)),
    ]
    other = reached(time, tokens, other_model(model))
    if abs(other - found[0]) > 1e-3:
        rivals.append(Rival(OTHER, other))
    bar, name = abs(found[0] - found[1]) + 1e-9, f"n = {tokens} {model.upper()} beta {beta} overlap {overlap}"
    yield Check(name, float(overlap), found[0], bar, rivals=tuple(rivals))


@law(
    "Lojasiewicz inequality",
    r"\dot E \ge C(E^* - E), \quad C = 2q\,\frac{u\,e^{\beta g}}{e^u - 1}, \ u = \beta(1-g), \ q = g + \frac{1-g}{n}",
    source="derived here; arXiv 2504.14697 for the idea",
    rivals=("without the share of the token itself, q = g", "the constant at a Dirac"),
    quick=True,
    tokens=(2, 40),
    beta=(0, 10),
    overlap=(0, 0.9),
)
def lojasiewicz_inequality(
    rng: np.random.Generator, *, tokens: int = 5, beta: Any = 2, overlap: Any = "0.3", runs: int = 400
) -> Iterator[Check]:
    """The least dE/dt over E* - E of tokens with overlaps of at least g: equiangular ones, and random ones above."""
    constant = float(th.synchronization.lojasiewicz_constant(overlap, beta, tokens=tokens, digits=15))
    flow, g = Flow(beta=simulation_beta(beta)), float(overlap)
    weights = np.full(tokens, 1 / tokens)

    def ratio(x: Any) -> float:
        top = float(Energy()(np.tile(np.eye(tokens + 1)[0], (tokens, 1)), weights, flow))
        return float(Dissipation()(x, weights, flow)) / (top - float(Energy()(x, weights, flow)))

    gram = (1 - g) * np.eye(tokens) + g
    sharp = ratio(np.column_stack([np.linalg.cholesky(gram), np.zeros(tokens)]))
    dirac = 2 * float(np.exp(flow.beta or 0.0))
    share = constant * g / (g + (1 - g) / tokens)
    rivals = (
        Rival("without the share of the token itself, q = g", share),
        Rival("the constant at a Dirac", dirac),
    )
    name = f"n = {tokens} beta {beta} overlap {overlap}"
    yield Check(f"{name} equality", constant, sharp, 1e-9 * constant, rivals=rivals)
    least = np.inf
    for _ in range(runs):
        x = normalize(np.sqrt(g) * np.eye(tokens + 1)[0] + np.abs(rng.standard_normal((tokens, tokens + 1))))
        if (x @ x.T).min() >= g:
            least = min(least, ratio(x))
    if np.isfinite(least):
        short = max(0.0, (constant - least) / constant)
        yield Check(f"{name} shortfall of random tokens", 0.0, short, 1e-9, scale=1.0)


@law(
    "decay under layer normalisation",
    r"1-g \sim C e^{-2t}\ (\text{Post}), \qquad 1-g \sim C r_0^2\,\frac{1+(n-1)g_0}{n}\,t^{-2}\ (\text{Pre, Peri})",
    source="arXiv 2510.22026; constants derived here",
    rivals=("the constant without its factor (1+(n-1)g)/n", "the decay of another scheme"),
    quick=True,
    tokens=(2, 64),
    beta=(0, 4),
)
def decay_under_normalisation(
    rng: np.random.Generator, *, scheme: str = "peri", tokens: int = 6, beta: Any = 1
) -> Iterator[Check]:
    """Orthogonal tokens under SA at a late time, and at twice it, against the law and its constant."""
    decay = th.synchronization.decay_law(scheme, tokens, beta, digits=12)
    ends = (4.0, 8.0) if scheme == "post" else (2e3, 8e3)
    flow = Flow(beta=simulation_beta(beta), model="sa", layer_norm=scheme)
    options: dict[str, Any] = {"rtol": 1e-11, "atol": 1e-14, "observe": [SmallestOverlap()]}
    run = follow(np.eye(tokens), flow, ends[1], save_at=ends, **options)
    gaps = 1 - run.observables["smallest_overlap"]

    def shape(time: float) -> float:
        return float(decay.decay.subs(dict.fromkeys(decay.decay.free_symbols, time)))

    constants = [gap / shape(time) for gap, time in zip(gaps, ends, strict=True)]
    predicted, found = float(decay.constant), constants[1]
    bar = abs(constants[1] - constants[0]) + 1e-6 * abs(found)
    other = gaps[1] * ends[1] ** 2 if scheme == "post" else gaps[1] * np.exp(2 * min(ends[1], 300.0))
    rivals = (
        Rival("the constant without its factor (1+(n-1)g)/n", predicted * tokens),
        Rival("the decay of another scheme", float(other)),
    )
    yield Check(f"{scheme}-LN n = {tokens} beta {beta} constant", predicted, found, bar, rivals=rivals)


@law(
    "overlap after one step of attention",
    r"\rho' = 1 - \frac{(1-\rho)u^2}{u^2 + (2u+n)\sigma}, \quad u = e^{\beta(1-\rho)} - 1, \ \sigma = 1+(n-1)\rho",
    source="arXiv 2510.05554 for the question; the exact formula is derived here",
    rivals=("the limit of many tokens below the threshold", "no attention"),
    quick=True,
    tokens=(2, 2000),
    beta=(0, 50),
    overlap=(0.05, 0.95),
)
def one_step_of_attention(
    rng: np.random.Generator, *, tokens: int = 100, beta: Any = 8, overlap: Any = "0.5"
) -> Iterator[Check]:
    """Equiangular tokens through one softmax layer without residual: the overlap of what comes out."""
    b, rho = simulation_beta(beta), float(overlap)
    scale = repr(b / float(np.log(tokens)))
    predicted = float(th.synchronization.context_overlap(overlap, tokens, scale))
    x = np.linalg.cholesky((1 - rho) * np.eye(tokens) + rho)
    out = normalize(np.exp(b * (x @ x.T - 1)) @ x)
    found = float(out[0] @ out[-1])
    rivals = Rival("the limit of many tokens below the threshold", 1.0), Rival("no attention", rho)
    yield Check(f"n = {tokens} beta {beta} overlap {overlap}", predicted, found, 1e-11, rivals=rivals)


@law(
    "Kuramoto pair and resultant",
    r"\tan\tfrac{\delta(t)}2 = e^{-t}\tan\tfrac{\delta_0}2, \qquad "
    r"R(t) = \Big(1 + \frac{1-R_0^2}{R_0^2}e^{-t}\Big)^{-1/2}",
    source="arXiv 2504.14697 at beta = 0; derived here",
    rivals=("twice as fast", "the linear law"),
    quick=True,
    time=(0.01, 8),
    amplitude=(0.01, 0.6),
)
def kuramoto(rng: np.random.Generator, *, time: Any = "1.5", amplitude: float = 0.4) -> Iterator[Check]:
    """Two tokens a radian apart, and a Poisson density of a resultant, at beta = 0 in dim 2."""
    t = float(time)
    predicted, fast = (float(th.synchronization.pair_angle(str(s), 1)) for s in (time, 2 * Fraction(str(time))))
    flow, found = Flow(beta=0.0), []
    for rtol in (1e-11, 1e-9):
        end = follow(circle_points(np.array([0.5, -0.5])), flow, t, save_at=[], rtol=rtol, atol=1e-14).tokens
        found.append(2 * float(np.arctan2(np.linalg.norm(end[0] - end[1]), np.linalg.norm(end[0] + end[1]))))
    rivals = Rival("twice as fast", fast), Rival("the linear law", float(np.exp(-t)))
    yield Check(f"t = {time} angle of a pair", predicted, found[0], abs(found[0] - found[1]) + 1e-9, rivals=rivals)
    degrees = max(16, int(np.ceil(np.log(1e-13) / np.log(amplitude))))
    wave = np.zeros(2 * degrees)
    wave[::2] = 2**0.5 * amplitude ** np.arange(1, degrees + 1)
    ends = []
    for tolerance in (1e-11, 1e-8):
        options: dict[str, Any] = {"observe": [HarmonicAmplitude(1)], "save_at": [t], "rtol": tolerance}
        run = follow_density(CircleDensity(wave), flow, t, **options)
        ends.append(float(abs(run.observables["harmonic_amplitude"][-1, 1])))
    predicted, fast = (
        float(th.synchronization.poisson_resultant(str(s), repr(amplitude))) for s in (time, 2 * Fraction(str(time)))
    )
    rivals = Rival("twice as fast", fast), Rival("the linear law", amplitude * float(np.exp(t / 2)))
    bar = abs(ends[0] - ends[1]) + 1e-9
    yield Check(f"t = {time} resultant from {amplitude:g}", predicted, ends[0], bar, rivals=rivals)
