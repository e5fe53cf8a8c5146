"""Laws of several heads: their growth, their equiangular times, the energy of each, the entropy of attention."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

import numpy as np

from gegenflow import theory as th
from gegenflow.numerics.fields.method import attention_field
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.parts import Head
from gegenflow.numerics.integrators.events import Crossing
from gegenflow.numerics.observables.heads import AttentionEntropy, HeadEnergy
from gegenflow.numerics.systems.synchronization import SmallestOverlap
from gegenflow.numerics.tokens.geometry import Array, normalize, uniform
from gegenflow.numerics.validation.case import other_model, simulation_beta
from gegenflow.numerics.validation.checks import Check, Rival, count_check, told
from gegenflow.numerics.validation.density_rates import measure_rates
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.measurements import Unmeasurable, follow

FALLING = {"usa": 0.0942, "sa": 0.0831}
"""Of 200,000 uniform starts of 7 tokens in dim 4 at beta 1.7 the share whose mean entropy falls (+- .0007)."""
STEP, POINTS = 1e-6, 9


def _scales(heads: int) -> list[Fraction]:
    """1, -1/2, 1/3, ...: heads of either sign, the first the strongest."""
    return [Fraction((-1) ** place, place + 1) for place in range(heads)]


def _isotropic(scales: list[Fraction], beta: Any, model: str, dim: int) -> Flow:
    eye, b = np.eye(dim), simulation_beta(beta)
    heads = [Head(beta=b, query_key=float(m) * eye, value=float(m) * eye) for m in scales]
    return Flow(heads=heads, model=model)


@law(
    "growth under several heads",
    r"\gamma_k = \sum_h m_h \frac{L_k w_k(\beta m_h)}{\beta m_h}, \ \text{each over } w_0(\beta m_h)\ (\mathrm{SA}), "
    r"\quad m_h = 1, -\tfrac12, \tfrac13, \dots",
    source="derived here; arXiv 2605.04279 for the heads",
    rivals=("the rates of the other model", "one normaliser for all heads", "the first head alone"),
    quick=True,
    dim=(2, 100),
    beta=(0.2, 20),
    heads=(2, 8),
    degree=(1, 8),
)
def growth_of_heads(
    rng: np.random.Generator, *, dim: int = 3, beta: Any = 4, model: str = "usa", heads: int = 3, degree: int = 3
) -> Iterator[Check]:
    """Rates of small densities under isotropic heads of either sign, with a normaliser each in SA."""
    scales = _scales(heads)
    measured, errors = measure_rates(_isotropic(scales, beta, model, dim), dim, degree)

    def rate(k: int, model: str, some: list[Fraction]) -> float:
        parts = (th.growth_rate(k, dim, kernel=th.Kernel.heads([1], [m], beta), model=model, digits=15) for m in some)
        return sum(float(m) * float(part) for m, part in zip(some, parts, strict=True))

    mixed = th.Kernel.heads(scales, scales, beta)
    for k in range(1, degree + 1):
        predicted, size = rate(k, model, scales), abs(rate(1, model, scales[:1]))
        rivals = [
            Rival("the rates of the other model", rate(k, other_model(model), scales)),
            Rival("the first head alone", rate(k, model, scales[:1])),
        ]
        if model == "sa" and mixed.ball(0, dim) > 0:
            one = float(th.growth_rate(k, dim, kernel=mixed, model="sa", digits=15))
            rivals.append(Rival("one normaliser for all heads", one))
        name = f"{heads} heads dim {dim} {model.upper()} beta {beta} degree {k}"
        told_apart = told(predicted, *rivals, apart=1e-3)
        yield Check(name, predicted, float(measured[k - 1]), float(errors[k - 1]), rivals=told_apart, scale=size)


@law(
    "equiangular times of several heads",
    r"\dot g = \tfrac2n (1-g)(1+(n-1)g)\sum_h m_h e^{\beta m_h g} \ (\mathrm{USA}), \quad "
    r"2(1-g)(1+(n-1)g)\sum_h \frac{m_h}{e^{\beta m_h(1-g)} + n - 1} \ (\mathrm{SA})",
    source="arXiv 2605.04279; SA and the times derived here",
    rivals=("the other model", "as many heads of the mean scale", "one token more", "without the factor 2/n"),
    quick=True,
    tokens=(2, 60),
    beta=(0, 8),
    overlap=(0.05, 0.99),
    heads=(2, 8),
)
def hitting_times_of_heads(
    rng: np.random.Generator,
    *,
    tokens: int = 6,
    beta: Any = 2,
    model: str = "usa",
    overlap: Any = "0.9",
    heads: int = 3,
) -> Iterator[Check]:
    """The overlap of orthogonal tokens at the time at which theory has them there, under heads 1, -1/2, 1/3, ..."""
    scales = _scales(heads)
    mean = [sum(scales, Fraction(0)) / heads] * heads

    def time(n: int, some: list[Fraction], model: str) -> float:
        return float(th.multihead.hitting_time(overlap, n, beta, some, model=model))

    try:
        predicted = time(tokens, scales, model)
    except th.Refused as problem:
        raise Unmeasurable("overlap", overlap, problem.allowed) from problem
    rivals = [Rival("without the factor 2/n", predicted * 2 / tokens)]
    wrong = {
        "one token more": (tokens + 1, scales, model),
        "as many heads of the mean scale": (tokens, mean, model),
        "the other model": (tokens, scales, other_model(model)),
    }
    for rival, given in wrong.items():
        with suppress(th.Refused):  # under which it is never reached
            rivals.append(Rival(rival, time(*given)))
    flow, found = _isotropic(scales, beta, model, tokens), []
    met: dict[str, Any] = {"stop_when": Crossing(SmallestOverlap(), float(overlap)), "save_at": [], "atol": 1e-13}
    for rtol in (1e-11, 1e-8):
        found.append(follow(np.eye(tokens), flow, 3 * predicted, rtol=rtol, **met).reached)
    bar = abs(found[0] - found[1]) + 1e-8 * predicted
    name = f"{heads} heads n = {tokens} {model.upper()} beta {beta} time to {overlap}"
    yield Check(name, predicted, found[0], bar, rivals=told(predicted, *rivals, apart=1e-3))


@law(
    "energy of each head",
    r"\dot E_h = \frac1{n^3}\sum_i [\langle f_i^h, F_i\rangle - \langle x_i, f_i^h\rangle\langle x_i, F_i\rangle], "
    r"\quad F = \sum_h f^h, \quad f_i^h = \sum_j e^{\beta\langle x_i, M_hx_j\rangle}M_hx_j",
    source="arXiv 2605.04279; the radial shadow and the counterexample are derived here",
    rivals=("without the radial shadow", "orthogonal heads gain energy each"),
    quick=True,
    beta=(0.2, 3),
    dim=(2, 6),
    tokens=(2, 8),
)
def energy_of_each_head(rng: np.random.Generator, *, dim: int = 3, beta: Any = 1, tokens: int = 4) -> Iterator[Check]:
    """How fast the energies of two heads change at rational tokens, and at those where orthogonal heads lose energy."""
    b = simulation_beta(beta)
    forms = [_symmetric(dim, rng) for _ in range(2)]
    yield from _energy_checks(f"dim {dim} n = {tokens} beta {beta}", _rational(tokens, dim, rng), forms, beta, b)
    plane = [[[1, 0], [0, 0]], [[0, 0], [0, 3]]]
    pair = [[Fraction(5, 13), Fraction(12, 13)], [Fraction(8, 17), Fraction(15, 17)]]
    yield from _energy_checks("orthogonal heads", pair, plane, 2, 2.0)


def _energy_checks(name: str, tokens: Any, forms: Any, beta: Any, value: float) -> Iterator[Check]:
    exact, size = th.multihead.energy_rates(tokens, forms, beta), len(forms)
    rows = normalize(np.array(tokens, dtype=np.float64))
    matrices = [np.array(form, dtype=np.float64) for form in forms]
    flow = Flow(heads=[Head(beta=value, query_key=form, value=form) for form in matrices])
    speed = float(np.abs(attention_field(rows, flow)).max()) * max(1.0, value)
    times = np.linspace(0, 0.1 / speed, POINTS)
    watched = [HeadEnergy(place) for place in range(size)]
    run = follow(rows, flow, times[-1], save_at=times, rtol=1e-13, atol=1e-15, observe=watched)
    scale = float(exact.total)
    for place, (rate, column) in enumerate(zip(exact.rates, run.observables.values(), strict=True)):
        found, coarse = (_slope(times[:count], column[:count]) for count in (POINTS, POINTS - 1))
        rivals = [Rival("without the radial shadow", float(rate) + float(exact.shadows[place]))]
        if rate < 0:
            rivals.append(Rival("orthogonal heads gain energy each", 0.0))
        bar, apart = abs(found - coarse) + 1e-8 * scale, told(float(rate), *rivals, apart=1e-3)
        yield Check(f"{name} head {place + 1}", float(rate), found, bar, rivals=apart, scale=scale)


def _slope(times: Array, values: Array) -> float:
    """The derivative at the first time of the polynomial through all values."""
    return float(np.polynomial.Polynomial.fit(times, values, len(times) - 1).deriv()(times[0]))


def _symmetric(dim: int, rng: np.random.Generator) -> list[list[Fraction]]:
    entries = rng.integers(-10, 11, (dim, dim))
    return [[Fraction(int(x), 10) for x in row] for row in (entries + entries.T) // 2]


def _rational(tokens: int, dim: int, rng: np.random.Generator) -> list[list[Fraction]]:
    """Points of the sphere with rational coordinates, by stereographic projection."""
    rows = []
    for place in rng.integers(-16, 17, (tokens, dim - 1)):
        flat = [Fraction(int(x), 8) for x in place]
        square = sum((y * y for y in flat), Fraction(0))
        rows.append([*(2 * y / (square + 1) for y in flat), (square - 1) / (square + 1)])
    return rows


@law(
    "entropy of attention",
    r"\frac{dH}{dg} = \beta^2(1-g)\,p(1-p) \ \text{for equiangular tokens, and } "
    r"\dot H_i = -\beta^2\,\mathrm{Cov}_{p_i}(s_i, \dot s_i) \ \text{falls at some others}",
    source="derived here; arXiv 2605.04279 for the question",
    rivals=("entropy that never falls", "the slope without the own share, p = 1/n"),
    tokens=(2, 40),
    beta=(0.2, 6),
    runs=(200, 100_000),
)
def entropy_of_attention(
    rng: np.random.Generator, *, beta: Any = 2, tokens: int = 6, model: str = "usa", runs: int = 2000
) -> Iterator[Check]:
    """The slope in the overlap along a run of equiangular tokens; how often it falls at 7 tokens in dim 4, beta 1.7."""
    flow, n = Flow(beta=simulation_beta(beta), model=model), tokens
    middle = float(th.synchronization.hitting_time("0.3", n, beta, model=model, digits=15))
    times = middle * (1 + 0.05 * np.linspace(-1, 1, POINTS))
    options: dict[str, Any] = {"observe": [SmallestOverlap(), AttentionEntropy()], "rtol": 1e-13, "atol": 1e-15}
    run = follow(np.eye(n), flow, times[-1], save_at=times, **options)
    overlap, entropy = run.observables["smallest_overlap"], run.observables["attention_entropy"]
    centre = POINTS // 2
    slopes = []
    for reach in (centre, centre - 1):
        part = slice(centre - reach, centre + reach + 1)
        fit = np.polynomial.Polynomial.fit(overlap[part], entropy[part], 2 * reach)
        slopes.append(float(fit.deriv()(overlap[centre])))
    at = repr(float(overlap[centre]))
    predicted = float(th.multihead.entropy_slope(at, n, beta))
    shares = float(th.multihead.own_share(at, n, beta))
    even = predicted * (1 / n) * (1 - 1 / n) / (shares * (1 - shares))
    bar = abs(slopes[0] - slopes[1]) + 1e-6 * predicted
    rivals = told(predicted, Rival("the slope without the own share, p = 1/n", even), apart=1e-3)
    yield Check(f"n = {n} {model.upper()} beta {beta} dH/dg", predicted, slopes[0], bar, rivals=rivals)
    fallen = sum(_falls(uniform(7, 4, rng=stream), model) for stream in rng.spawn(runs))
    chance = np.array([FALLING[model], 1 - FALLING[model]])
    never = [("entropy that never falls", np.array([1e-9, 1.0]))]
    yield count_check("7 tokens in dim 4, beta 1.7: entropy falls", chance, np.array([fallen, runs - fallen]), never)


def _falls(tokens: Array, model: str) -> bool:
    weights, flow = np.full(len(tokens), 1 / len(tokens)), Flow(beta=1.7, model=model)
    moved = normalize(tokens + STEP * attention_field(tokens, flow))
    return AttentionEntropy()(moved, weights, flow) < AttentionEntropy()(tokens, weights, flow)
