"""Laws of tokens that gather in one point: the rate at the end, from wherever they start, and the time it takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gegenflow import theory as th
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.systems.synchronization import DiracDistance
from gegenflow.numerics.tokens.geometry import Array, normalize
from gegenflow.numerics.validation.case import other_model, simulation_beta
from gegenflow.numerics.validation.checks import Check, Rival, mean_check, told
from gegenflow.numerics.validation.ends import gathering_times
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.measurements import Unfinished, follow
from gegenflow.numerics.validation.starts import concentrated

OTHER = "the other model"
CLOSE = 1e-5


@law(
    "distance to a Dirac",
    r"W_2(\mu_t, \delta) \sim e^{-rt}, \qquad r = e^\beta\ (\mathrm{USA}), \quad 1\ (\mathrm{SA})",
    source="arXiv 2504.14697 for the question; rate derived here",
    rivals=("the exponent 1/100 of the proof", OTHER, "rate of the overlap, 2r"),
    quick=True,
    dim=(2, 64),
    beta=(0, 5),
    tokens=(2, 5000),
)
def distance_to_a_dirac(
    rng: np.random.Generator, *, dim: int = 3, beta: Any = 1, model: str = "usa", tokens: int = 60
) -> Iterator[Check]:
    """W_2 by angles, of tokens in a cap, between 1e-3 and 1e-6: the slope of its logarithm, and of its later half."""
    rate, other = (
        float(th.synchronization.dirac_rate(beta, model=name, digits=15)) for name in (model, other_model(model))
    )
    start = normalize(np.eye(dim)[0] + 0.2 * rng.standard_normal((tokens, dim)) / dim**0.5)
    measured, bar = _late_rate(start, Flow(beta=simulation_beta(beta), model=model), 16 / rate, rate)
    wrong = Rival("the exponent 1/100 of the proof", 0.01), Rival("rate of the overlap, 2r", 2 * rate)
    rivals = told(rate, *wrong, Rival(OTHER, other), apart=0.01)
    yield Check(f"dim {dim} {model.upper()} beta {beta}", rate, measured, bar, rivals=rivals)


def _late_rate(start: Array, flow: Flow, t_end: float, rate: float) -> tuple[float, float]:
    """The slope of log W_2 below 3e-5, and what that from 1e-3 on differs by; ``rate`` sets the times."""
    options: dict[str, Any] = {"save_at": np.arange(0, t_end, 0.08 / rate), "rtol": 1e-10, "atol": 1e-13}
    run = follow(start, flow, t_end, observe=[DiracDistance()], **options)
    distance = run.observables["dirac_distance"]
    if distance[-1] > CLOSE / 10:
        raise Unfinished(f"at t = {t_end:.3g} tokens are still {distance[-1]:.2g} from a Dirac")
    slopes = []
    for high in (1e-3, 3 * CLOSE):
        late = (distance < high) & (distance > CLOSE / 10)
        slopes.append(-float(np.polyfit(run.t[late], np.log(distance[late]), 1)[0]))
    return slopes[1], abs(slopes[0] - slopes[1]) + 1e-5 * rate


@law(
    "synchronisation from a density",
    r"W_2(\mu_t, \delta) \sim e^{-rt} \ \text{from } \mu_0 \propto e^{\kappa x_1},\ |\textstyle\int x\,d\mu_0| = R, "
    r"\ \text{for small } \beta",
    source="arXiv 2504.14697, whose proof has e^{-t/100}; rate derived here",
    rivals=("the exponent 1/100 of the proof", OTHER, "rate of the overlap, 2r"),
    quick=True,
    dim=(2, 64),
    beta=(0, 1),
    tokens=(50, 5000),
    resultant=(0.05, 0.9),
)
def synchronisation_from_a_density(
    rng: np.random.Generator,
    *,
    dim: int = 3,
    beta: Any = 1,
    model: str = "usa",
    tokens: int = 400,
    resultant: float = 0.3,
) -> Iterator[Check]:
    """W_2 to a Dirac, by angles, of tokens that start all over the sphere: its rate once they have gathered."""
    rate, other = (
        float(th.synchronization.dirac_rate(beta, model=name, digits=15)) for name in (model, other_model(model))
    )
    start = concentrated(tokens, dim, resultant, rng=rng)
    measured, bar = _late_rate(start, Flow(beta=simulation_beta(beta), model=model), 150 / rate, rate)
    wrong = Rival("the exponent 1/100 of the proof", 0.01), Rival("rate of the overlap, 2r", 2 * rate)
    rivals = told(rate, *wrong, Rival(OTHER, other), apart=0.01)
    name = f"dim {dim} {model.upper()} beta {beta} R = {resultant:g}"
    yield Check(name, rate, measured, bar, rivals=rivals)


@law(
    "phase curve of random tokens",
    r"\text{random tokens gather when equiangular ones do, up to } O(d^{-1/2})",
    source="arXiv 2312.10794",
    rivals=("the time of the other model", "the rate near one alone"),
    cost="minutes",
    tokens=(4, 200),
    beta=(0, 6),
    overlap=(0.5, 0.999),
)
def phase_curve(
    rng: np.random.Generator, *, tokens: int = 32, beta: Any = 3, overlap: Any = "0.99", runs: int = 12
) -> Iterator[Check]:
    """SA times at which all overlaps of random tokens pass a level in dims d and 16 d, extrapolated to infinite dim."""
    exact = float(th.synchronization.hitting_time(overlap, tokens, beta, model="sa", digits=12))
    other = float(th.synchronization.hitting_time(overlap, tokens, beta, model="usa", digits=12))
    flow, level = Flow(beta=simulation_beta(beta), model="sa"), float(overlap)
    options: dict[str, Any] = {"tokens": tokens, "overlap": level, "runs": runs, "t_end": 2 * exact, "rng": rng}
    near, far = (gathering_times(dim, flow, **options) for dim in (1024, 16_384))
    rivals = (
        Rival("the time of the other model", other),
        Rival("the rate near one alone", float(-np.log(1 - level) / 2)),
    )
    # the distance in dim d falls like d^{-1/2}, four times from one dim to the other
    name = f"n = {tokens} beta {beta} overlap {overlap}"
    yield mean_check(name, exact, far + (far - near) / 3, rivals=rivals)
