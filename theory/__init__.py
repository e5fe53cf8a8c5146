"""Symbols, exact numbers and certified balls: what attention on the sphere must do.

Names load on first use, so importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gegenflow.theory.amplitudes import AmplitudeEquation as AmplitudeEquation
    from gegenflow.theory.amplitudes import amplitude_equation as amplitude_equation
    from gegenflow.theory.amplitudes import supercritical_beta as supercritical_beta
    from gegenflow.theory.antipodal import AntipodalClusters as AntipodalClusters
    from gegenflow.theory.antipodal import antipodal_clusters as antipodal_clusters
    from gegenflow.theory.antipodal import survival_beta as survival_beta
    from gegenflow.theory.asymptotics import critical_beta_series as critical_beta_series
    from gegenflow.theory.asymptotics import inverse_ratio_series as inverse_ratio_series
    from gegenflow.theory.asymptotics import largest_rate_series as largest_rate_series
    from gegenflow.theory.asymptotics import selected_degree_series as selected_degree_series
    from gegenflow.theory.branches import Branch as Branch
    from gegenflow.theory.branches import branch as branch
    from gegenflow.theory.certified import Certified as Certified
    from gegenflow.theory.certified import certify as certify
    from gegenflow.theory.certified import exact_number as exact_number
    from gegenflow.theory.clusters import cluster_energy as cluster_energy
    from gegenflow.theory.clusters import intra_rate as intra_rate
    from gegenflow.theory.clusters import mode_rate as mode_rate
    from gegenflow.theory.competition import competition_exponent as competition_exponent
    from gegenflow.theory.configurations import ClusterSpectrum as ClusterSpectrum
    from gegenflow.theory.configurations import antipodal_spectrum as antipodal_spectrum
    from gegenflow.theory.configurations import cross_polytope_spectrum as cross_polytope_spectrum
    from gegenflow.theory.configurations import simplex_spectrum as simplex_spectrum
    from gegenflow.theory.crossovers import boundary_share as boundary_share
    from gegenflow.theory.crossovers import boundary_width as boundary_width
    from gegenflow.theory.equiangular import equiangular_velocity as equiangular_velocity
    from gegenflow.theory.equiangular import hitting_time as hitting_time
    from gegenflow.theory.equiangular import overlap_after as overlap_after
    from gegenflow.theory.escapes import escape_asymptote as escape_asymptote
    from gegenflow.theory.escapes import escape_mode as escape_mode
    from gegenflow.theory.escapes import escape_rate as escape_rate
    from gegenflow.theory.escapes import lifetime as lifetime
    from gegenflow.theory.expansions import Expansion as Expansion
    from gegenflow.theory.expansions import expansion as expansion
    from gegenflow.theory.finite_tokens import SelectionLaw as SelectionLaw
    from gegenflow.theory.finite_tokens import selection_law as selection_law
    from gegenflow.theory.finite_tokens import tokens_needed as tokens_needed
    from gegenflow.theory.fluctuations import mean_field_distance as mean_field_distance
    from gegenflow.theory.growth import check_noise as check_noise
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
    from gegenflow.theory.kuramoto import pair_angle as pair_angle
    from gegenflow.theory.kuramoto import poisson_resultant as poisson_resultant
    from gegenflow.theory.landau import Landau as Landau
    from gegenflow.theory.landau import coupling_threshold as coupling_threshold
    from gegenflow.theory.landau import landau_expansion as landau_expansion
    from gegenflow.theory.landau import tricritical_beta as tricritical_beta
    from gegenflow.theory.leaders import leading_degree as leading_degree
    from gegenflow.theory.limit_maps import LimitMap as LimitMap
    from gegenflow.theory.limit_maps import limit_map as limit_map
    from gegenflow.theory.linearization import Derivation as Derivation
    from gegenflow.theory.linearization import linearize as linearize
    from gegenflow.theory.long_context import context_overlap as context_overlap
    from gegenflow.theory.long_context import context_overlap_limit as context_overlap_limit
    from gegenflow.theory.long_context import context_threshold as context_threshold
    from gegenflow.theory.low_temperature import diffusion as diffusion
    from gegenflow.theory.low_temperature import diffusion_time as diffusion_time
    from gegenflow.theory.low_temperature import drift_speed as drift_speed
    from gegenflow.theory.low_temperature import smoothing_series as smoothing_series
    from gegenflow.theory.low_temperature import velocity_series as velocity_series
    from gegenflow.theory.metastability import ProjectionLaw as ProjectionLaw
    from gegenflow.theory.multipliers import half_power_multiplier as half_power_multiplier
    from gegenflow.theory.multipliers import power_multiplier as power_multiplier
    from gegenflow.theory.normalization import DecayLaw as DecayLaw
    from gegenflow.theory.normalization import decay_law as decay_law
    from gegenflow.theory.normalization import normalized_velocity as normalized_velocity
    from gegenflow.theory.normalization import radius_at as radius_at
    from gegenflow.theory.pairing import pairing_overlap as pairing_overlap
    from gegenflow.theory.pairing import pairing_rate as pairing_rate
    from gegenflow.theory.pairing import pairing_time as pairing_time
    from gegenflow.theory.phases import Phase as Phase
    from gegenflow.theory.phases import critical_beta as critical_beta
    from gegenflow.theory.phases import critical_beta_bounds as critical_beta_bounds
    from gegenflow.theory.phases import phase as phase
    from gegenflow.theory.phases import selected_degree as selected_degree
    from gegenflow.theory.series import power_series as power_series
    from gegenflow.theory.sharp_bounds import critical_beta_sharp_bounds as critical_beta_sharp_bounds
    from gegenflow.theory.spectra import spectrum as spectrum
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
    from gegenflow.theory.synchronization import dirac_rate as dirac_rate
    from gegenflow.theory.synchronization import kuramoto_lojasiewicz as kuramoto_lojasiewicz
    from gegenflow.theory.synchronization import lojasiewicz_constant as lojasiewicz_constant
    from gegenflow.theory.tables import Table as Table
    from gegenflow.theory.tables import boundary_rows as boundary_rows
    from gegenflow.theory.tables import critical_rows as critical_rows
    from gegenflow.theory.tables import critical_table as critical_table
    from gegenflow.theory.tables import growth_rows as growth_rows
    from gegenflow.theory.tables import growth_table as growth_table
    from gegenflow.theory.transitions import BranchPoint as BranchPoint
    from gegenflow.theory.transitions import Transition as Transition
    from gegenflow.theory.transitions import fold as fold
    from gegenflow.theory.transitions import transition as transition
    from gegenflow.theory.variations import energy_curvature as energy_curvature
    from gegenflow.theory.variations import energy_slope as energy_slope
    from gegenflow.theory.vertices import cross_polytope as cross_polytope
    from gegenflow.theory.vertices import platonic as platonic
    from gegenflow.theory.vertices import simplex as simplex
    from gegenflow.theory.weights import beta as beta

NAMES = {
    "amplitudes": ["AmplitudeEquation", "amplitude_equation", "supercritical_beta"],
    "antipodal": ["AntipodalClusters", "antipodal_clusters", "survival_beta"],
    "asymptotics": ["critical_beta_series", "inverse_ratio_series", "largest_rate_series", "selected_degree_series"],
    "branches": ["Branch", "branch"],
    "certified": ["Certified", "certify", "exact_number"],
    "clusters": ["cluster_energy", "intra_rate", "mode_rate"],
    "competition": ["competition_exponent"],
    "configurations": ["ClusterSpectrum", "antipodal_spectrum", "cross_polytope_spectrum", "simplex_spectrum"],
    "crossovers": ["boundary_share", "boundary_width"],
    "equiangular": ["equiangular_velocity", "hitting_time", "overlap_after"],
    "escapes": ["escape_asymptote", "escape_mode", "escape_rate", "lifetime"],
    "expansions": ["Expansion", "expansion"],
    "finite_tokens": ["SelectionLaw", "selection_law", "tokens_needed"],
    "fluctuations": ["mean_field_distance"],
    "growth": ["check_noise", "growth_rate", "noise_threshold"],
    "isolation": ["Boundaries", "Boundary", "boundaries", "coexistence"],
    "kernels": ["Kernel", "attention_kernel", "exponential", "heads", "multiplier", "relu"],
    "kuramoto": ["pair_angle", "poisson_resultant"],
    "landau": ["Landau", "coupling_threshold", "landau_expansion", "tricritical_beta"],
    "leaders": ["leading_degree"],
    "limit_maps": ["LimitMap", "limit_map"],
    "linearization": ["Derivation", "linearize"],
    "long_context": ["context_overlap", "context_overlap_limit", "context_threshold"],
    "low_temperature": ["diffusion", "diffusion_time", "drift_speed", "smoothing_series", "velocity_series"],
    "metastability": ["ProjectionLaw"],
    "multipliers": ["half_power_multiplier", "power_multiplier"],
    "normalization": ["DecayLaw", "decay_law", "normalized_velocity", "radius_at"],
    "pairing": ["pairing_overlap", "pairing_rate", "pairing_time"],
    "phases": ["Phase", "critical_beta", "critical_beta_bounds", "phase", "selected_degree"],
    "series": ["power_series"],
    "sharp_bounds": ["critical_beta_sharp_bounds"],
    "spectra": ["spectrum"],
    "sphere": [
        *("check_degree", "check_dim", "d", "gegenbauer", "harmonic_dimension", "k", "laplacian_eigenvalue", "t"),
        *("zonal_laplacian", "zonal_weight"),
    ],
    "synchronization": ["dirac_rate", "kuramoto_lojasiewicz", "lojasiewicz_constant"],
    "tables": ["Table", "boundary_rows", "critical_rows", "critical_table", "growth_rows", "growth_table"],
    "transitions": ["BranchPoint", "Transition", "fold", "transition"],
    "variations": ["energy_curvature", "energy_slope"],
    "vertices": ["cross_polytope", "platonic", "simplex"],
    "weights": ["beta"],
}
HOME = {name: module for module, names in NAMES.items() for name in names}

__all__ = sorted(HOME)


def __getattr__(name: str) -> Any:
    if name not in HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
