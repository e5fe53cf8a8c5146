"""Tokens under attention: starts, velocity fields, runs and what to observe in them.

Names load on first use, so importing this package costs nothing.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Waiting OpenMP threads sleep: spinning ones fight with the threads of BLAS, a run in dim 2 took 6 times longer.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

if TYPE_CHECKING:
    from gegenflow.numerics.circle_densities import CircleDensity as CircleDensity
    from gegenflow.numerics.circle_densities import circle_density as circle_density
    from gegenflow.numerics.clusters import cluster_centres as cluster_centres
    from gegenflow.numerics.clusters import cluster_labels as cluster_labels
    from gegenflow.numerics.distribution import density_at_quantiles as density_at_quantiles
    from gegenflow.numerics.distribution import quantiles as quantiles
    from gegenflow.numerics.ensembles import emergences as emergences
    from gegenflow.numerics.ensembles import first_crossing as first_crossing
    from gegenflow.numerics.fields import attention_field as attention_field
    from gegenflow.numerics.geometry import lattice as lattice
    from gegenflow.numerics.geometry import normalize as normalize
    from gegenflow.numerics.geometry import quadrature as quadrature
    from gegenflow.numerics.geometry import read_tokens as read_tokens
    from gegenflow.numerics.geometry import uniform as uniform
    from gegenflow.numerics.harmonics import harmonic_overlap as harmonic_overlap
    from gegenflow.numerics.harmonics import harmonic_power as harmonic_power
    from gegenflow.numerics.integrate import Status as Status
    from gegenflow.numerics.lagrangian import solve_quantiles as solve_quantiles
    from gegenflow.numerics.low_temperature import linear_flow as linear_flow
    from gegenflow.numerics.low_temperature import zero_temperature_field as zero_temperature_field
    from gegenflow.numerics.meanfield import solve_density as solve_density
    from gegenflow.numerics.measurements import cluster_angles as cluster_angles
    from gegenflow.numerics.measurements import energy_gain as energy_gain
    from gegenflow.numerics.measurements import planted_rates as planted_rates
    from gegenflow.numerics.measurements import uniform_rates as uniform_rates
    from gegenflow.numerics.observables import Clusters as Clusters
    from gegenflow.numerics.observables import Dissipation as Dissipation
    from gegenflow.numerics.observables import Energy as Energy
    from gegenflow.numerics.observables import Entropy as Entropy
    from gegenflow.numerics.observables import HarmonicAmplitude as HarmonicAmplitude
    from gegenflow.numerics.observables import HarmonicPower as HarmonicPower
    from gegenflow.numerics.observables import Periodicity as Periodicity
    from gegenflow.numerics.particles import simulate as simulate
    from gegenflow.numerics.plots import plot_checks as plot_checks
    from gegenflow.numerics.plots import plot_density as plot_density
    from gegenflow.numerics.plots import plot_power as plot_power
    from gegenflow.numerics.plots import plot_trajectories as plot_trajectories
    from gegenflow.numerics.report import Check as Check
    from gegenflow.numerics.report import Report as Report
    from gegenflow.numerics.runs import DensityRun as DensityRun
    from gegenflow.numerics.runs import Run as Run
    from gegenflow.numerics.runs import load as load
    from gegenflow.numerics.sphere_densities import SphereDensity as SphereDensity
    from gegenflow.numerics.sphere_densities import sphere_density as sphere_density
    from gegenflow.numerics.synchronization import DiracDistance as DiracDistance
    from gegenflow.numerics.synchronization import Resultant as Resultant
    from gegenflow.numerics.synchronization import SmallestOverlap as SmallestOverlap
    from gegenflow.numerics.validation import prospects as prospects
    from gegenflow.numerics.validation import validate as validate
    from gegenflow.numerics.wasserstein import sliced_wasserstein_distance as sliced_wasserstein_distance
    from gegenflow.numerics.wasserstein import wasserstein_distance as wasserstein_distance
    from gegenflow.numerics.zonal_densities import ZonalDensity as ZonalDensity
    from gegenflow.numerics.zonal_densities import zonal_density as zonal_density

NAMES = {
    "circle_densities": ["CircleDensity", "circle_density"],
    "clusters": ["cluster_centres", "cluster_labels"],
    "distribution": ["density_at_quantiles", "quantiles"],
    "ensembles": ["emergences", "first_crossing"],
    "fields": ["attention_field"],
    "geometry": ["lattice", "normalize", "quadrature", "read_tokens", "uniform"],
    "harmonics": ["harmonic_overlap", "harmonic_power"],
    "integrate": ["Status"],
    "lagrangian": ["solve_quantiles"],
    "low_temperature": ["linear_flow", "zero_temperature_field"],
    "meanfield": ["solve_density"],
    "measurements": ["cluster_angles", "energy_gain", "planted_rates", "uniform_rates"],
    "observables": [
        *("Clusters", "Dissipation", "Energy", "Entropy", "HarmonicAmplitude", "HarmonicPower", "Periodicity"),
    ],
    "particles": ["simulate"],
    "plots": ["plot_checks", "plot_density", "plot_power", "plot_trajectories"],
    "report": ["Check", "Report"],
    "runs": ["DensityRun", "Run", "load"],
    "sphere_densities": ["SphereDensity", "sphere_density"],
    "synchronization": ["DiracDistance", "Resultant", "SmallestOverlap"],
    "validation": ["prospects", "validate"],
    "wasserstein": ["sliced_wasserstein_distance", "wasserstein_distance"],
    "zonal_densities": ["ZonalDensity", "zonal_density"],
}
HOME = {name: module for module, names in NAMES.items() for name in names}

__all__ = sorted(HOME)


def __getattr__(name: str) -> Any:
    if name not in HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
