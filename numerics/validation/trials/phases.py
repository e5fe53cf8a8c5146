"""Laws of the phase diagram: where two rates measured on densities cross."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from gegenflow import theory as th
from gegenflow.numerics.fields.flow import Flow
from gegenflow.numerics.validation.case import Case, other_model
from gegenflow.numerics.validation.checks import Check, Rival, told
from gegenflow.numerics.validation.density_rates import crossing_parameter
from gegenflow.numerics.validation.law import law


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
