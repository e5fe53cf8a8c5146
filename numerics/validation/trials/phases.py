"""Laws of the phase diagram: where two rates measured on densities cross."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from gegenflow import theory as th
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.case import MOST_DEGREES, Case, other_model, simulation_beta
from gegenflow.numerics.validation.checks import Check, Rival, told
from gegenflow.numerics.validation.density_rates import crossing_parameter, measure_rates
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.measurements import Unmeasurable
from gegenflow.theory.symbols import beta as BETA


@law(
    "boundaries by simulation",
    r"\gamma_k(\beta_k) = \gamma_{k+1}(\beta_k) \iff \frac{I_{\nu+1}(\beta_k)}{I_\nu(\beta_k)} = \frac{L_k}{L_{k+1}}",
    source="arXiv 2410.23228; uniqueness derived here",
    rivals=("boundary in dim + 1", "boundary of the next degree", "leading order for large degrees"),
    quick=True,
    degree=(1, 8),
    dim=(2, 100),
)
def boundaries_by_simulation(
    rng: np.random.Generator, *, dim: int = 3, degree: int = 2, model: str = "usa"
) -> Iterator[Check]:
    """The beta at which the measured rates of degrees k and k + 1 cross, against the certified boundary."""
    low, predicted, high = (_critical(k, dim) for k in (degree - 1, degree, degree + 1))
    ends = (low + predicted) / 2, (predicted + high) / 2
    found, error = crossing_parameter(lambda b: Flow(beta=b, model=model), dim, (degree, degree + 1), ends)
    leading = degree**2 / 2 + (dim - 1) * degree / 2
    rivals = (
        Rival("boundary in dim + 1", _critical(degree, dim + 1)),
        Rival("boundary of the next degree", high),
        Rival("leading order for large degrees", leading),
    )
    yield Check(f"dim {dim} {model.upper()} degree {degree}", predicted, found, error, rivals=rivals)


def _critical(degree: int, dim: int) -> float:
    return float(th.critical_beta(degree, dim)) if degree else 0.0


@law(
    "stability threshold under noise",
    r"\kappa_k = \frac{\beta}{w_k} \ (\mathrm{USA}), \qquad \kappa_k = \frac{\beta w_0}{w_k} \ (\mathrm{SA})",
    source="arXiv 2606.05140, 2604.16288 (kappa = 2K)",
    rivals=("K in the place of kappa", "threshold of the other model", "threshold in dim + 1"),
    quick=True,
    degree=(1, 8),
    dim=(2, 100),
    beta=(0.1, 100),
)
def stability_threshold(
    rng: np.random.Generator, *, dim: int = 3, beta: Any = 2, model: str = "usa", kernel: Any = None, degree: int = 1
) -> Iterator[Check]:
    """The noise at which the measured rate of a degree vanishes, against the certified threshold."""
    case = Case(dim, beta, model, kernel)

    def threshold(dim: int, model: str) -> float:
        return 1 / float(th.noise_threshold(degree, dim, beta, model=model, kernel=kernel, digits=17))

    predicted = threshold(dim, model)
    found, error = crossing_parameter(
        lambda noise: replace(case.flow, noise=noise), dim, (degree, 0), (0.3 * predicted, 3 * predicted)
    )
    rivals = told(
        predicted,
        Rival("K in the place of kappa", 2 * predicted),
        Rival("threshold of the other model", threshold(dim, other_model(model))),
        Rival("threshold in dim + 1", threshold(dim + 1, model)),
    )
    yield Check(f"{case} degree {degree} noise", predicted, found, error, rivals=rivals)


@law(
    "boundaries of any kernel under noise",
    r"\max_k L_k\Big(w_k[W] - \frac1\kappa\Big) \ \text{is attained at two degrees}, \quad W' = h "
    r"\quad (\mathrm{SA}: w_k[W]/w_0[h])",
    source="derived here",
    rivals=("no noise", "boundary of the other model", "boundary in dim + 1"),
    dim=(2, 100),
    beta=(0.2, 50),
)
def boundaries_of_any_kernel(
    rng: np.random.Generator, *, dim: int = 3, beta: Any = 4, model: str = "usa", kernel: Any = None, noise: Any = "0.2"
) -> Iterator[Check]:
    """Every boundary between beta/2 and 2 beta at which the measured rates of two degrees cross, or one vanishes."""
    if kernel is not None and not kernel.weight.has(BETA):
        raise Refused("kernel", kernel.weight, "it holds no beta, so it has no boundary in beta")
    case, weight = Case(dim, beta, model, kernel, noise), "exp(beta*t)" if kernel is None else kernel
    ends = case.value / 2, 2 * case.value

    def edges(**other: Any) -> list[tuple[tuple[int, int], float]]:
        parts: dict[str, Any] = {"dim": dim, "model": model, "noise": noise} | other
        low, high = ends if not other else (ends[0] / 2, ends[1] * 2)
        found = th.boundaries(
            weight, parts.pop("dim"), (repr(low), repr(high)), max_degree=MOST_DEGREES, digits=17, **parts
        )
        return [((edge.below, edge.above), float(edge.value)) for edge in found.boundaries]

    def flow_at(b: float) -> Flow:
        return Flow(beta=b, kernel=kernel, model=model, noise=case.flow.noise)

    predicted = edges()
    if not predicted:
        raise Unmeasurable("beta", beta, f"no boundary of degrees up to {MOST_DEGREES} lies within a factor 2 of it")
    wrong = {
        "no noise": edges(noise=0),
        "boundary of the other model": edges(model=other_model(model)),
        "boundary in dim + 1": edges(dim=dim + 1),
    }
    cuts = [ends[0], *(value for _, value in predicted), ends[1]]
    for place, (pair, value) in enumerate(predicted, 1):
        between = (cuts[place - 1] + value) / 2, (value + cuts[place + 1]) / 2
        found, error = crossing_parameter(flow_at, dim, pair, between)
        others = (Rival(name, at) for name, found_there in wrong.items() for which, at in found_there if which == pair)
        rivals = told(value, *others)
        yield Check(f"{case} degrees {pair[0]} and {pair[1]}", value, found, error, rivals=rivals)


@law(
    "stability diagram",
    r"\#\{k : \gamma_k(\beta) > L_k/\kappa\} = \#\{k : \kappa > \kappa_k(\beta)\}",
    source="derived here; arXiv 2606.05140 for the thresholds",
    rivals=("K in the place of kappa", "degrees of the other model", "degrees in dim + 1"),
    degree=(2, 6),
    dim=(2, 100),
    beta=(0.2, 50),
)
def stability_diagram(
    rng: np.random.Generator, *, dim: int = 3, beta: Any = 4, model: str = "usa", degree: int = 3
) -> Iterator[Check]:
    """How many degrees grow at beta/2, beta and 2 beta, where by theory 1, 2, ... and ``degree`` of them do."""
    for factor in (0.5, 1, 2):
        b = factor * simulation_beta(beta)

        def thresholds(dim: int = dim, model: str = model, b: float = b) -> Any:
            degrees = range(1, degree + 2)
            return np.array([float(th.noise_threshold(k, dim, repr(b), model=model, digits=17)) for k in degrees])

        right = thresholds()
        others = {
            "K in the place of kappa": 2 * right,
            "degrees of the other model": thresholds(model=other_model(model)),
            "degrees in dim + 1": thresholds(dim=dim + 1),
        }
        for kappa in np.sqrt(right[:-1] * right[1:]):
            rates, errors = measure_rates(Flow(beta=b, model=model, noise=1 / kappa), dim, degree + 1)
            undecided = int(np.sum(np.abs(rates) < 3 * errors))
            predicted, found = int(np.sum(kappa > right)), int(np.sum(rates > 0))
            rivals = told(predicted, *(Rival(name, float(np.sum(kappa > other))) for name, other in others.items()))
            yield Check(
                f"dim {dim} {model.upper()} beta {b:g} kappa {kappa:.6g} degrees that grow",
                predicted,
                found,
                0.01 + undecided,
                rivals=rivals,
            )
