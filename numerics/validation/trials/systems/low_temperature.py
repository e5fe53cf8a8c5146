"""Laws of low temperature: the limit field, backward diffusion, pairing, limit maps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.circle_starts import circle_density
from gegenflow.numerics.fields.method import attention_field
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.integrators.paths import integrate
from gegenflow.numerics.systems.low_temperature import linear_flow, zero_temperature_field
from gegenflow.numerics.tokens.geometry import Array, normalize, quadrature, uniform
from gegenflow.numerics.validation.case import simulation_beta
from gegenflow.numerics.validation.checks import Check, Rival
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.measurements import Unfinished
from gegenflow.theory.low_temperature.flow import diffusion, diffusion_time, velocity_series
from gegenflow.theory.low_temperature.limit_maps import limit_map
from gegenflow.theory.low_temperature.pairing import pairing_overlap
from gegenflow.theory.symbols import beta as BETA
from gegenflow.theory.symbols import t as OVERLAP


@law(
    "field at low temperature",
    r"v(x) = P_x V\frac{B^Tx}{|B^Tx|} + O(1/\beta), \qquad \beta v \to \nabla\log\mu \ \text{for } V = B = I",
    source="arXiv 2605.10931; the series is derived here",
    rivals=("the leading order alone", "zero temperature, where nothing moves"),
    quick=True,
    dim=(2, 3),
    beta=(50, 200),
)
def field_at_low_temperature(
    rng: np.random.Generator, *, dim: int = 2, beta: Any = 100, model: str = "sa"
) -> Iterator[Check]:
    """A velocity on a weighted quadrature rule against three terms of the series, B = V = I; the third sets the bar."""
    tilt, b = 0.5, simulation_beta(beta)
    tokens, weights = quadrature(dim, 200 if dim == 2 else 130)
    overlap, masses = tokens[:, 0], weights * (1 + tilt * tokens[:, 0])
    pole = np.eye(dim)[0] - overlap[:, None] * tokens
    place = int(np.argmin(np.abs(overlap - 0.3)))
    field = attention_field(tokens, beta=b, model=model, weights=masses / masses.sum(), method="auto")
    mean = float(weights @ np.exp(b * (tokens @ tokens[place]))) if model == "usa" else 1.0  # w_0, by quadrature
    found = float(field[place] @ pole[place] / (pole[place] @ pole[place])) / mean
    point = {BETA: b, OVERLAP: float(overlap[place])}
    terms = [float(velocity_series(1 + OVERLAP / 2, dim, model=model, terms=n).subs(point)) for n in (3, 2, 1)]
    bar = 0.3 * abs(terms[0] - terms[1]) + 1e-9 * abs(terms[0])
    rivals = Rival("the leading order alone", terms[2]), Rival("zero temperature, where nothing moves", 0.0)
    yield Check(f"dim {dim} {model.upper()} beta {beta}", terms[0], found, bar, rivals=rivals)


@law(
    "diffusion limits",
    r"\partial_s \mu = -\Delta\mu \ (\mathrm{SA}), \qquad \partial_s\mu = -\tfrac12\Delta(\mu^2)\ (\mathrm{USA})",
    source="arXiv 2605.10931; the factor 1/2 is derived here, against its remark",
    rivals=("without the factor 1/2", "forward diffusion"),
    quick=True,
    beta=(100, 200),
)
def diffusion_limits(rng: np.random.Generator, *, beta: Any = 200, model: str = "usa") -> Iterator[Check]:
    """Motion of a density on the circle at beta and twice it, extrapolated, on the clock of the limit."""
    low = simulation_beta(beta)
    first, second = 0.3, 0.2
    start = circle_density(lambda angle: 1 + first * np.cos(angle) + second * np.cos(2 * angle)).resized(24)
    angle, slopes = np.array([0.4]), []
    for inverse in (low, 2 * low):
        flow = Flow(beta=inverse, model=model)
        slope = CircleDensity(start.motion(flow)(start.coefficients)).values(angle)[0] - 1
        slopes.append(slope * float(diffusion_time(2, repr(inverse), model=model)))
    density = 1 + 3 * OVERLAP / 10 + (2 * OVERLAP**2 - 1) / 5
    predicted = float(diffusion(density, 2, model=model).subs(OVERLAP, np.cos(angle[0])))
    once = 2 * slopes[1] - slopes[0]
    bar = abs(once - slopes[1]) / 10 + 1e-9
    rivals = [Rival("forward diffusion", -predicted)]
    if model == "usa":
        rivals.append(Rival("without the factor 1/2", 2 * predicted))
    yield Check(f"{model.upper()} beta {beta}", predicted, once, bar, rivals=tuple(rivals))


@law(
    "pairing of the closest tokens",
    r"\langle y_i, y_j\rangle = \tanh 2s \ \text{for}\ dt = e^{\beta(1-\langle x_i,x_j\rangle)}ds",
    source="arXiv 2605.10931, with the current overlap in the clock",
    rivals=("the clock of the initial overlap", "tanh s"),
    quick=True,
    beta=(20, 60),
    time=(0.05, 1),
)
def pairing(rng: np.random.Generator, *, beta: Any = 30, time: Any = "0.4") -> Iterator[Check]:
    """Three tokens, of which two are orthogonal and closest, on the clock of their own overlap."""
    b, span = simulation_beta(beta), float(time)
    start = normalize(np.array([[1, 0, 0], [0, 1, 0], [-1, -1, 0.5]]))

    def field(state: Array, out: Array) -> None:
        clock = np.exp(b * np.sum((state[0] - state[1]) ** 2) / 2)
        out[:] = attention_field(normalize(state), beta=b, model="sa") * clock

    end = _integrated(field, start, t_end=span, save_at=[], rtol=1e-10, atol=1e-13)
    predicted, found = float(pairing_overlap(time)), float(end.state[0] @ end.state[1])
    bar = 1e-7 + 2 * float(np.exp(-b * (1 - predicted))) / 3
    # on the clock of the initial overlap dg/ds = 2 (1 - g^2) e^{beta g}: the pair has met by s = 1/(2 beta)
    rivals = Rival("the clock of the initial overlap", 1.0), Rival("tanh s", float(np.tanh(span)))
    yield Check(f"beta {beta} s = {time}", predicted, found, bar, rivals=rivals)


def _integrated(field: Any, start: Array, **options: Any) -> Any:
    end = integrate(field, start, **options)
    if not end.status.ok:
        raise Unfinished(str(end.status))
    return end


MAPS: dict[str, Any] = {
    "points": [[2, 1, 0], [1, 1, 0], [0, 0, -1]],
    "sphere": [[1, 0, 0], [0, 1, 0], [0, 0, "-0.5"]],
    "circle": [[1, -2, 0], [2, 1, 0], [0, 0, "-0.5"]],
    "torus": [[1, -2, 0, 0, 0], [2, 1, 0, 0, 0], [0, 0, 1, -3, 0], [0, 0, 3, 1, 0], [0, 0, 0, 0, "-0.5"]],
}


@law(
    "limit maps",
    r"x(\tau) - \frac{e^{\tau A}\Pi x}{|e^{\tau A}\Pi x|} \to 0, \qquad A = VB^T, \quad dt = |B^Tx|\,d\tau",
    source="arXiv 2605.10931; Jordan blocks derived here",
    rivals=("no projection", "half the spectral gap"),
    quick=True,
)
def limit_maps(rng: np.random.Generator, *, kind: str = "sphere") -> Iterator[Check]:
    """Tokens under the field at zero temperature: the rate at which they near their images, and where they are."""
    values = MAPS[kind]
    found = limit_map(values)
    matrix = np.array([[float(x) for x in row] for row in values])
    projection = np.array(found.projection.evalf(), dtype=float)
    start = uniform(6, len(matrix), rng=rng)
    gap = float(found.gap)
    times = np.array([7.0, 9.0, 11.0]) / gap

    def field(state: Array, out: Array) -> None:
        out[:] = zero_temperature_field(normalize(state), value=matrix)

    options: dict[str, Any] = {"save_at": times, "rtol": 1e-12, "atol": 1e-14, "observe": lambda t, x: x.copy()}
    end = _integrated(field, start, t_end=times[2], **options)
    images = [linear_flow(normalize(start @ projection.T), t, value=matrix) for t in times]
    away = [np.linalg.norm(normalize(x) - image) for x, image in zip(end.saved, images, strict=True)]
    before, rate = -np.diff(np.log(away)) / np.diff(times)
    rivals = Rival("half the spectral gap", gap / 2), Rival("no projection", 0.0)
    yield Check(f"{kind} rate of approach", gap, float(rate), abs(rate - before) + 1e-4 * gap, rivals=rivals)
