"""Symbols, exact numbers and certified balls: what attention on the sphere must do.

Names load on first use, so importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gegenflow.theory.certified import Certified as Certified
    from gegenflow.theory.certified import certify as certify
    from gegenflow.theory.certified import exact_number as exact_number
    from gegenflow.theory.growth import growth_rate as growth_rate
    from gegenflow.theory.growth import noise_threshold as noise_threshold
    from gegenflow.theory.isolation import Boundaries as Boundaries
    from gegenflow.theory.isolation import Boundary as Boundary
    from gegenflow.theory.isolation import boundaries as boundaries
    from gegenflow.theory.isolation import coexistence as coexistence
    from gegenflow.theory.kernels import Kernel as Kernel
    from gegenflow.theory.kernels import attention_kernel as attention_kernel
    from gegenflow.theory.kernels import exponential as exponential
    from gegenflow.theory.kernels import heads as heads
    from gegenflow.theory.kernels import multiplier as multiplier
    from gegenflow.theory.kernels import relu as relu
    from gegenflow.theory.leaders import leading_degree as leading_degree
    from gegenflow.theory.linearization import Derivation as Derivation
    from gegenflow.theory.linearization import linearize as linearize
    from gegenflow.theory.multipliers import half_power_multiplier as half_power_multiplier
    from gegenflow.theory.multipliers import power_multiplier as power_multiplier
    from gegenflow.theory.phases import Phase as Phase
    from gegenflow.theory.phases import critical_beta as critical_beta
    from gegenflow.theory.phases import critical_beta_bounds as critical_beta_bounds
    from gegenflow.theory.phases import phase as phase
    from gegenflow.theory.phases import selected_degree as selected_degree
    from gegenflow.theory.series import power_series as power_series
    from gegenflow.theory.sphere import check_degree as check_degree
    from gegenflow.theory.sphere import check_dim as check_dim
    from gegenflow.theory.sphere import d as d
    from gegenflow.theory.sphere import gegenbauer as gegenbauer
    from gegenflow.theory.sphere import harmonic_dimension as harmonic_dimension
    from gegenflow.theory.sphere import k as k
    from gegenflow.theory.sphere import laplacian_eigenvalue as laplacian_eigenvalue
    from gegenflow.theory.sphere import t as t
    from gegenflow.theory.sphere import zonal_laplacian as zonal_laplacian
    from gegenflow.theory.sphere import zonal_weight as zonal_weight
    from gegenflow.theory.tables import Table as Table
    from gegenflow.theory.tables import critical_rows as critical_rows
    from gegenflow.theory.tables import critical_table as critical_table
    from gegenflow.theory.tables import growth_rows as growth_rows
    from gegenflow.theory.tables import growth_table as growth_table
    from gegenflow.theory.weights import beta as beta

NAMES = {
    "isolation": ["Boundaries", "Boundary", "boundaries", "coexistence"],
    "certified": ["Certified", "certify", "exact_number"],
    "growth": ["growth_rate", "noise_threshold"],
    "kernels": ["Kernel", "attention_kernel", "beta", "exponential", "heads", "multiplier", "relu"],
    "leaders": ["leading_degree"],
    "linearization": ["Derivation", "linearize"],
    "multipliers": ["half_power_multiplier", "power_multiplier"],
    "phases": ["Phase", "critical_beta", "critical_beta_bounds", "phase", "selected_degree"],
    "series": ["power_series"],
    "sphere": [
        *("check_degree", "check_dim", "d", "gegenbauer", "harmonic_dimension", "k", "laplacian_eigenvalue", "t"),
        *("zonal_laplacian", "zonal_weight"),
    ],
    "tables": ["Table", "critical_rows", "critical_table", "growth_rows", "growth_table"],
}
HOME = {name: module for module, names in NAMES.items() for name in names}

__all__ = sorted(HOME)


def __getattr__(name: str) -> Any:
    if name not in HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
