"""Bad input is refused in one sentence that names the argument: every parameter of every public function is tried.

Each function has one good call, and each of its parameters, whether the call gives it or not, takes a bad value.
What comes is a value or a ValueError that names the parameter, an OSError for a path;
never a TypeError, an AttributeError or another slip.
"""

import importlib
import inspect
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from math import inf, nan
from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
import pytest
import sympy as sp
from flint import arb
from support.docstrings import listed, outside

from gegenflow import numerics as nm
from gegenflow import theory as th
from gegenflow.numerics.flows.flow import FlowParts
from gegenflow.numerics.validation.measurements import Unfinished

SECONDS = 120
BAD = {"None": None, "text": "x", "nan": nan, "inf": inf, "negative": -1, "empty": [], "object": object()}

PAIR = np.array([[1.0, 0.0], [0.6, 0.8]])
THREE = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0]])
FILM = Path(mkdtemp()) / "film.gif"
DATA = Path(__file__).parents[1] / "numerics" / "data"
SMOOTH = [0.1, 0.0]
POWERS = np.array([[1.0, 0.1], [1.0, 1.0]])
RUN = nm.load(DATA / "radii.npz")
SQUARE = [[1, 0], [-1, 0], [0, 1], [0, -1]]
AXIS, TANGENT = [[1, 0], [0, 1]], [[0, 1], [1, 0]]

STUDY = nm.validation.studies.Study("hitting times", fixed={"tokens": 3})
FOLDER = mkdtemp()
with ThreadPoolExecutor(1) as executor:
    nm.validation.studies.sweep(STUDY, FOLDER, executor=executor)

NUMERICS = {
    "uniform": {"n": 3, "dim": 2},
    "lattice": {"n": 3},
    "normalize": {"tokens": PAIR},
    "read_tokens": {"path": DATA / "tokens.npy"},
    "tokens.quadrature": {"dim": 3, "degree": 2},
    "tokens.cluster_centres": {"tokens": PAIR, "labels": [0, 1]},
    "cluster_labels": {"tokens": PAIR},
    "find_clusters": {"tokens": PAIR, "draws": 3},
    "Flow": {"beta": 1.0},
    "Head": {"beta": 1.0},
    "Causal": {},
    "RandomLayers": {"activation": "tanh"},
    "attention_field": {"tokens": PAIR, "beta": 1.0},
    "integrate": {"velocity": nm.Flow(beta=1.0), "start": PAIR, "t_end": 0.1},
    "Crossing": {"observable": nm.Entropy(), "level": 0.5},
    "circle_density": {"density": lambda angle: 1 + 0.1 * np.cos(angle)},
    "white_noise": {"n": 9, "amplitude": 0.1},
    "zonal_density": {"density": lambda t: 1 + 0.1 * t, "dim": 3},
    "sphere_density": {"density": lambda points: 1 + 0.1 * points[:, 2]},
    "densities.CircleDensity": {"coefficients": SMOOTH},
    "densities.ZonalDensity": {"coefficients": SMOOTH, "dim": 3},
    "densities.SphereDensity": {"coefficients": [0.1, 0.0, 0.0]},
    "quantiles": {"density": nm.densities.CircleDensity(SMOOTH), "n": 9},
    "densities.density_at_quantiles": {"angles": np.arange(9) * 2 * np.pi / 9},
    "wasserstein_distance": {"first": PAIR, "second": PAIR[:1]},
    "densities.sliced_wasserstein_distance": {"first": THREE, "second": THREE[:1], "slices": 3},
    "harmonic_power": {"tokens": PAIR, "max_degree": 2},
    "observables.harmonic_overlap": {"tokens": PAIR, "other": PAIR, "max_degree": 2},
    "HarmonicPower": {"max_degree": 2},
    "HarmonicAmplitude": {"max_degree": 2},
    "PairShare": {"level": 0.9},
    "EffectiveRank": {},
    "OverlapHistogram": {},
    "Periodicity": {"degree": 2},
    "Clusters": {},
    "systems.linear_flow": {"tokens": PAIR, "time": 0.1},
    "systems.pair_distances": {
        **{"flow": nm.Flow(random_layers=nm.RandomLayers("relu")), "dim": 3, "overlap": 0.5, "times": [0.0, 0.01]},
        **{"runs": 2},
    },
    "systems.source_correlations": {
        **{"flow": nm.Flow(beta=1, causal=nm.Causal()), "tokens": 8, "sources": [2], "max_degree": 2},
        **{"time": 0.1, "runs": 2},
    },
    "systems.strong_centres": {"tokens": PAIR, "angle": 0.5},
    "systems.zero_temperature_field": {"tokens": PAIR},
    "simulate": {"tokens": PAIR, "t_end": 0.01, "beta": 1.0},
    "simulate_batch": {"starts": [PAIR, PAIR], "t_end": 0.01, "beta": 1.0},
    "solve_density": {"density": nm.densities.CircleDensity(SMOOTH), "t_end": 0.01, "beta": 1.0},
    "solve_mean_field": {"density": lambda angle: 1 + 0.1 * np.cos(angle), "beta": 1.0, "t_end": 0.1, "n": 16},
    "solve_quantiles": {"density": nm.densities.CircleDensity(SMOOTH), "n": 16, "t_end": 0.01, "beta": 1.0},
    "load": {"path": DATA / "radii.npz"},
    "runs.emergences": {
        **{"dim": 2, "beta": 0.0, "tokens": 9, "runs": 1, "amplitude": 0.9, "max_degree": 1, "t_end": 1.0, "rtol": 1e-3}
    },
    "runs.first_crossing": {"times": np.arange(2.0), "powers": POWERS, "amplitude": 0.5},
    "plot_trajectories": {"run": RUN},
    "plot_density": {"run": PAIR},
    "plot_power": {"run": nm.load(DATA / "matrices.npz")},
    "plot_overlaps": {"run": nm.simulate(PAIR, beta=1.0, t_end=0.1, observe=[nm.OverlapHistogram(4)])},
    "plot_sphere": {"run": THREE},
    "animate": {"run": nm.simulate(PAIR, beta=1.0, t_end=0.1, save_at=[0.0, 0.1]), "path": FILM, "frames": 1},
    "validation.plot_checks": {
        "report": nm.validation.Report((nm.validation.Check("b", 1.0, 1.0, 0.1),), {}, "complete", 1.0)
    },
    "validation.plot_sweep": {"checks": [nm.validation.Check("b", 1.0, 1.0, 0.1)], "values": [2.0]},
    "validation.plot_study_map": {"folder": FOLDER},
    "validation.plot_study_curves": {"folder": FOLDER},
    "validation.plot_phase_diagram": {"cuts": [2, 3], "beta": (0.0, 2.0), "terms": 1},
    "validation.plot_rates": {"degrees": [1], "dim": 2},
    "validation.plot_selection": {"law": th.finite_tokens.selection_law(2, 2, 1000), "first": [1, 2]},
    "planted_rates": {"dim": 2, "beta": 0.0, "max_degree": 1, "window": 0.1},
    "uniform_rates": {"dim": 2, "beta": 0.0, "max_degree": 1, "window": 0.1, "tokens": 9, "runs": 4},
    "validation.energy_gain": {"start": PAIR, "beta": 1.0, "t_end": 0.1},
    "validation.cluster_angles": {"start": PAIR, "beta": 1.0, "t_end": 9.0, "min_mass": 0.1},
    "expect": {"start": PAIR, "beta": 1.0},
    "prospects": {"tokens": PAIR, "beta": 1},
    "measure_rates": {"beta": 0.0, "dim": 3, "degrees": 1},
    "validation.laws": {},
    "validation.crossing_parameter": {
        **{"flow_at": lambda beta: nm.Flow(beta=beta), "dim": 3, "degrees": (1, 2), "between": (1.5, 2.0)}
    },
    "validation.law_named": {"name": "planted"},
    "report_page": {"report": nm.validation.Report((), {}, "complete", 0.0)},
    "validation.studies.Study": {"do": "hitting times"},
    "validation.studies.Adaptive": {"quantity": "measured", "error": 0.1},
    "validation.studies.read_study": {"path": DATA / "study.toml"},
    "validation.studies.sweep": {"study": STUDY, "folder": FOLDER, "executor": ThreadPoolExecutor(1)},
    "validation.studies.estimate": {"study": STUDY},
    "validation.studies.rerun": {"folder": FOLDER, "run": 1},
    "open_study": {"folder": FOLDER},
    "study_page": {"folder": FOLDER},
    "validation.validate_tokens": {"tokens": PAIR, "beta": 1},
    "validate": {"dims": [2], "models": ["usa"], "beta": 0, "tokens": 100, "runs": 4},
}
THEORY = {
    "Kernel": {"weight": "t"},
    "boundaries": {"kernel": "exp(beta*t)", "dim": 2, "between": (1, "1.1"), "digits": 3},
    "certify": {"evaluate": lambda: arb(2).sqrt(), "digits": 5},
    "critical_beta": {"degree": 1, "dim": 2, "digits": 5},
    "critical_table": {"dims": [2], "degrees": [1], "digits": 5},
    "funk_hecke": {"degree": 1, "dim": 3},
    "gegenbauer": {"degree": 2, "dim": 3},
    "growth_rate": {"degree": 1, "dim": 2, "beta": 1},
    "growth_table": {"dims": [2], "degrees": [1], "beta": 1},
    "gegenbauer_function": {"degree": 2, "dim": 3},
    "harmonic_dimension": {"degree": 2, "dim": 3},
    "derivations": {},
    "linearize": {"dim": 3},
    "noise_threshold": {"degree": 1, "dim": 2, "beta": 1},
    "rate_function": {"degree": 1, "dim": 2},
    "phase": {"beta": 2, "dim": 2, "digits": 5},
    "selected_degree": {"beta": 2, "dim": 2},
    "multihead.attention_entropy": {"overlap": "1/2", "tokens": 3, "beta": 1},
    "multihead.balance_beta": {"tokens": 9, "scale": 1, "overlap": 0, "digits": 5},
    "multihead.contraction_rate": {"beta": 1},
    "multihead.counterexample": {"forms": [[[1, 0], [0, 1]]], "beta": 1, "height": 2, "digits": 5},
    "multihead.critical_beta_softmax": {"tokens": 9, "scale": 1, "overlap": 0, "digits": 5},
    "multihead.energy_rates": {"tokens": [[1, 0]], "forms": [[[1, 0], [0, 1]]], "beta": 1, "digits": 5},
    "multihead.entropy_slope": {"overlap": "1/2", "tokens": 3, "beta": 1},
    "multihead.equiangular_velocity": {"overlap": "1/2", "tokens": 3, "beta": 1},
    "multihead.gradient_multiples": {"query_keys": [[[1]]], "values": [[[1]]]},
    "multihead.hitting_time": {"overlap": "1/2", "tokens": 3, "beta": 1, "scales": [1], "digits": 5},
    "multihead.linearize_cluster": {
        "direction": [1, 0],
        "query_keys": [[[1, 0], [0, 1]]],
        "values": [[[1, 0], [0, 1]]],
        "beta": 1,
    },
    "multihead.opposing_beta": {"scale": 1, "other": -2, "overlap": "1/2", "digits": 5},
    "multihead.own_share": {"overlap": "1/2", "tokens": 3, "beta": 1},
    "multihead.relu_time": {"overlap": "1/2", "tokens": 3, "start": "1/4", "digits": 5},
    "multihead.splitting": {
        "degree": 1,
        "dim": 2,
        "beta": 1,
        "scales": [1],
        "forms": [[[0, 0], [0, 0]]],
        "values": [[[1, 0], [0, 0]]],
    },
    "multihead.super_additivity": {"beta": 1, "scales": [1, 2], "digits": 5},
    "causal.capture_time": {"angle": "1/2", "start": 1, "beta": 1, "digits": 5},
    "causal.centre_count": {"tokens": 5, "angle": 1, "digits": 5},
    "causal.correlation": {"source": "1/2", "rate": 1, "time": 1, "digits": 5},
    "causal.critical_decay": {"beta": 1, "codewords": 10, "digits": 5},
    "causal.drive_rate": {"degree": 1, "beta": 1},
    "causal.first_token_rates": {"tokens": 3, "beta": 1},
    "causal.fold_time": {"beta": 1, "decay": 8, "codewords": 10, "digits": 5},
    "causal.graphon": {"position": 1, "source": "1/2"},
    "causal.holding_time": {"angle": 1, "shift": "0.1", "beta": 1, "digits": 5},
    "causal.recency_time": {"beta": 1, "decay": 1, "codewords": 10, "digits": 5},
    "causal.retrieval_extrema": {"beta": 1, "decay": 1, "codewords": 10, "time": 1, "digits": 5},
    "causal.retrieval_minimum": {"beta": 1, "decay": 1, "codewords": 10, "time": 1, "digits": 5},
    "causal.retrieval_profile": {"source": "1/2", "beta": 1, "decay": 1, "codewords": 10, "time": 1, "digits": 5},
    "causal.retrieval_shape": {"beta": 1, "decay": 1, "codewords": 10, "time": 1},
    "causal.small_time_minimum": {"beta": 1, "decay": 1, "codewords": 10, "time": "0.1", "digits": 5},
    "causal.smallness_time": {"beta": 1, "decay": 1, "digits": 5},
    "clusters.antipodal_clusters": {"mass": "1/4", "beta": 1},
    "clusters.antipodal_spectrum": {"dim": 3, "beta": 1},
    "clusters.cluster_energy": {"clusters": 3, "beta": 1},
    "clusters.cluster_spectrum": {"vertices": th.clusters.cross_polytope(2), "beta": 1, "digits": 5},
    "clusters.cross_polytope": {"dim": 2},
    "clusters.cross_polytope_spectrum": {"dim": 2, "beta": 1},
    "clusters.energy_curvature": {"tokens": AXIS, "velocities": TANGENT, "beta": 1},
    "clusters.energy_slope": {"tokens": AXIS, "velocities": TANGENT, "beta": 1},
    "clusters.escape_asymptote": {"clusters": 3},
    "clusters.escape_mode": {"clusters": 3, "beta": 1},
    "clusters.escape_rate": {"clusters": 3, "beta": 1},
    "clusters.intra_rate": {"clusters": 3, "beta": 1},
    "clusters.lifetime": {"clusters": 3, "beta": 10, "perturbation": "0.1", "digits": 5},
    "clusters.mode_rate": {"mode": 1, "clusters": 3, "beta": 1},
    "clusters.platonic": {"solid": "cube"},
    "clusters.simplex": {"dim": 2},
    "clusters.simplex_spectrum": {"dim": 2, "beta": 1},
    "clusters.survival_beta": {"mass": "1/4", "digits": 5},
    "expansions.competition_exponent": {"beta": 5, "digits": 5},
    "expansions.expansion": {"order": 1, "degree": 1, "dim": 2, "beta": 1},
    "finite_tokens.boundary_share": {"beta": 2, "degree": 1, "dim": 2, "tokens": 100},
    "finite_tokens.boundary_width": {"degree": 1, "dim": 2, "tokens": 100},
    "finite_tokens.mean_field_distance": {"time": 1, "beta": 1, "digits": 5},
    "finite_tokens.selection_law": {"dim": 2, "beta": 2, "tokens": 1000},
    "finite_tokens.tokens_needed": {"probability": 0.5, "dim": 2, "beta": 2},
    "kernels.half_power_multiplier": {"degree": 1, "power": 1, "dim": 3},
    "kernels.power_multiplier": {"degree": 1, "index": 1, "dim": 3},
    "low_temperature.diffusion": {"density": 1 + th.t / 2, "dim": 3},
    "low_temperature.diffusion_time": {"dim": 3, "beta": 2},
    "low_temperature.drift_speed": {"density": 1 + th.t / 2, "dim": 3},
    "low_temperature.limit_map": {"values": [[1, 0], [0, 2]]},
    "low_temperature.pairing_overlap": {"time": 1},
    "low_temperature.pairing_rate": {},
    "low_temperature.pairing_time": {"overlap": "1/2", "beta": 2, "digits": 5},
    "low_temperature.smoothing_series": {"terms": 1, "dim": 3},
    "low_temperature.velocity_series": {"density": 1 + th.t / 2, "dim": 3},
    "noise.amplitude_equation": {"degree": 1, "beta": 1},
    "noise.branch": {"beta": 1, "amplitudes": [0.1]},
    "noise.branch_fold": {"beta": 3, "digits": 5},
    "noise.coupling_threshold": {"degree": 1, "dim": 2, "beta": 1},
    "noise.critical_coupling": {"beta": 3, "gap": "1/10"},
    "noise.landau_expansion": {"degree": 1, "dim": 2},
    "noise.phase_transition": {"beta": 1, "digits": 5},
    "noise.supercritical_beta": {"degree": 1, "digits": 5},
    "noise.zonal_state": {"beta": 1, "dim": 3, "amplitude": "0.1", "digits": 5},
    "noise.tricritical_beta": {"dim": 2, "digits": 5},
    "stability": {"kernel": "exp(beta*t)", "dim": 2, "beta": (0, 1), "kappa": (1, 9), "unresolved": 0.9},
    "phases.coexistence": {
        **{"kernel": "exp(beta*t)", "dim": 2, "across": (th.beta, 1, "1.1"), "along": (sp.Symbol("a"), []), "digits": 3}
    },
    "phases.critical_beta_bounds": {"degree": 1, "dim": 2},
    "phases.critical_beta_series": {"terms": 1},
    "phases.critical_beta_sharp_bounds": {"degree": 1, "dim": 2},
    "phases.inverse_ratio_series": {"terms": 1},
    "phases.largest_rate_series": {"terms": 1},
    "phases.selected_degree_series": {"terms": 1},
    "random_layers.activation_kernel": {"activation": "tanh"},
    "random_layers.contraction_rate": {"activation": "tanh", "dim": 3, "digits": 5},
    "random_layers.critical_dim": {"activation": "tanh", "digits": 5},
    "random_layers.derive_contraction": {"dim": 3},
    "random_layers.derive_overlap": {"dim": 3},
    "random_layers.energy_rate": {"activation": "tanh", "dim": 3, "overlap": "1/2", "beta": 1, "digits": 5},
    "random_layers.aligned_probability": {"start": "1/2", "digits": 5},
    "random_layers.antipodal_lifetime": {"dim": 3, "bias": 1, "level": 0, "digits": 5},
    "random_layers.antipodal_probability": {"start": "1/2", "dim": 3, "beta": 1, "digits": 5},
    "random_layers.consensus_time": {"start": 0, "level": "1/2", "dim": 3, "beta": 1, "digits": 5},
    "random_layers.critical_beta_antipodal": {"dim": 4, "digits": 5},
    "random_layers.form_drift": {"overlap": "1/2", "dim": 3, "bias": 1},
    "random_layers.form_rate": {"dim": 3, "bias": 1},
    "random_layers.form_variance": {"overlap": "1/2", "dim": 3, "bias": 1},
    "random_layers.scale_density": {"overlap": "1/2", "dim": 3, "beta": 1, "digits": 5},
    "random_layers.lyapunov_exponent": {"activation": "tanh", "dim": 3, "model": "usa", "beta": 1, "digits": 5},
    "random_layers.meeting_time": {"activation": "cos", "dim": 3, "start": 0, "level": "1/2", "digits": 5},
    "random_layers.overlap_drift": {"activation": "tanh", "dim": 3, "overlap": "1/2", "digits": 5},
    "random_layers.overlap_variance": {"activation": "tanh", "dim": 3, "overlap": "1/2", "digits": 5},
    "random_layers.stationary_density": {"activation": "erf", "dim": 30, "overlap": "1/2", "digits": 5},
    "spectral_selection.block": {"signs": [1, -1], "mode": 0, "eigenvalues": [1, 2], "direction": 1},
    "spectral_selection.block_eigenvalues": {
        "signs": [1, -1],
        "mode": 0,
        "eigenvalues": [1, 2],
        "beta": 1,
        "direction": 1,
    },
    "spectral_selection.consensus_rate": {"mode": 1, "eigenvalues": [1, 2]},
    "spectral_selection.consensus_time": {"overlap": "0.9", "mode": 1, "eigenvalues": [1, 2], "start": "0.5"},
    "spectral_selection.critical_beta": {"signs": [1, -1], "mode": 0, "eigenvalues": [2, 1], "digits": 5},
    "spectral_selection.equilibria": {"tokens": 2, "eigenvalues": [2, 1], "beta": 1, "digits": 5},
    "spectral_selection.equilibrium": {"tokens": AXIS, "values": [[-1, 0], [0, -2]], "beta": 1, "digits": 5},
    "spectral_selection.phase_diagram": {"tokens": 3, "eigenvalues": [2, 1], "digits": 5},
    "spectral_selection.pure_modes": {"values": [[1, 0], [0, 2]], "digits": 5},
    "spectral_selection.stability": {"signs": [1, -1], "mode": 0, "eigenvalues": [2, 1], "beta": 1, "digits": 5},
    "synchronization.context_overlap": {"overlap": "1/2", "tokens": 10, "scale": 1, "digits": 5},
    "synchronization.context_overlap_limit": {"overlap": "1/2", "scale": 1},
    "synchronization.context_threshold": {"overlap": "1/2"},
    "synchronization.decay_law": {"scheme": "post", "tokens": 3, "beta": 1},
    "synchronization.dirac_rate": {"beta": 1},
    "synchronization.equiangular_velocity": {"overlap": "1/2", "tokens": 3, "beta": 1},
    "synchronization.hitting_time": {"overlap": "1/2", "tokens": 3, "beta": 1},
    "synchronization.kuramoto_lojasiewicz": {"resultant": "1/2", "cone": "1/2"},
    "synchronization.lojasiewicz_constant": {"overlap": "1/2", "beta": 1},
    "synchronization.normalized_velocity": {"scheme": "post", "overlap": "1/2", "radius": 1, "tokens": 3, "beta": 1},
    "synchronization.overlap_after": {"time": 1, "tokens": 3, "beta": 1, "digits": 5},
    "synchronization.pair_angle": {"time": 1, "angle": 1},
    "synchronization.poisson_resultant": {"time": 1, "resultant": "1/2"},
    "synchronization.radius_at": {"overlap": "1/2", "tokens": 3, "beta": 1},
}
SIDES = {"numerics": (nm, NUMERICS), "theory": (th, THEORY)}
REFUSED = (th.Refused, nm.Refused)


def place(side, name):
    """The function of a dotted name."""
    found = SIDES[side][0]
    for part in name.split("."):
        found = getattr(found, part)
    return found


def parameters(function, given):
    """The names of its parameters, the parts of a flow among them, and whatever the call gives."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    declared = inspect.signature(function).parameters
    named = [parameter.name for parameter in declared.values() if parameter.kind in kinds]
    parts = FlowParts.__annotations__ if "short" in declared else ()
    return list(dict.fromkeys([*named, *parts, *given]))


@cache
def good(side, name):
    """The call is good; and all is compiled once, so that nothing takes long."""
    place(side, name)(**SIDES[side][1][name])


CASES = [
    pytest.param(side, name, parameter, id=f"{side}.{name}.{parameter}")
    for side, (_, calls) in SIDES.items()
    for name, given in calls.items()
    for parameter in parameters(place(side, name), given)
]


@contextmanager
def within(seconds):
    """What takes longer is a hang."""

    def late(number, frame):
        raise TimeoutError(f"no answer within {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(("side", "name", "parameter"), CASES)
def test_every_parameter_refuses_what_it_does_not_take(side, name, parameter, tmp_path, monkeypatch):
    """Seven bad values each; all that slip are told at once."""
    monkeypatch.chdir(tmp_path)  # "x" is a good name of a file
    slips = []
    plt.close("all")
    good(side, name)
    for kind, value in BAD.items():
        try:
            with within(SECONDS):
                place(side, name)(**{**SIDES[side][1][name], parameter: value})
        except ValueError as refusal:
            if parameter not in str(refusal):
                slips.append(f"{kind}: {refusal}")
        except Unfinished:
            pass
        except OSError as problem:
            if parameter != "path" or not problem.filename:
                slips.append(f"{kind}: {problem}")
        except Exception as slip:
            slips.append(f"{kind}: {type(slip).__name__}: {slip}")
    assert not slips


@pytest.mark.parametrize(("side", "name"), [(side, name) for side, (_, calls) in SIDES.items() for name in calls])
def test_the_least_number_that_a_refusal_states_is_the_least(side, name):
    """Where -1 is told "an integer >= 2", 1 is told the same, and 2 is not."""
    given = SIDES[side][1][name]

    def told(parameter, value):
        try:
            with within(SECONDS):
                place(side, name)(**{**given, parameter: value})
        except ValueError as refusal:
            return getattr(refusal, "allowed", str(refusal))
        return "nothing"

    for parameter in parameters(place(side, name), given):
        allowed = told(parameter, -1)
        if stated := re.search(r"(?:number|integer)(?: dim)? (?:>=|from) (\d+)", allowed):
            least = int(stated[1])
            assert (parameter, told(parameter, least - 1)) == (parameter, allowed)
            assert (parameter, told(parameter, least)) != (parameter, allowed)


@pytest.mark.parametrize(("side", "name"), [(side, name) for side, (_, calls) in SIDES.items() for name in calls])
def test_numbers_next_to_a_range_that_a_docstring_states_are_refused(side, name):
    """The ranges stand in the list of parameters: an integer just outside of each is no value of that parameter."""
    for parameter, words in listed(inspect.getdoc(place(side, name))).items():
        for value in outside(words):
            with within(SECONDS), pytest.raises(REFUSED) as refused:
                place(side, name)(**{**SIDES[side][1][name], parameter: value})
            assert refused.value.name == parameter, (parameter, value)


@pytest.mark.parametrize("side", SIDES)
def test_every_public_function_is_tried(side):
    """By its name at a room; classes that only the library makes aside."""
    package, calls = SIDES[side]
    rooms = [package, *(getattr(package, room) for room in package.__all__ if inspect.ismodule(getattr(package, room)))]
    rooms += [room.studies for room in rooms if hasattr(room, "studies")]
    public = {name for room in rooms for name in getattr(room, "__all__", ()) if callable(getattr(room, name))}
    classes = {name for room in rooms for name in getattr(room, "__all__", ()) if inspect.isclass(getattr(room, name))}
    tried = {name.rpartition(".")[2] for name in calls}
    assert public - classes - tried == set()
    assert tried - public == set()


def test_a_slip_would_be_seen():
    """The reader of refusals tells a sentence that does not name the parameter, and an error of another kind."""
    with pytest.raises(nm.Refused, match=r"n x: it must be a number"):
        nm.lattice("x")
    assert importlib.import_module("gegenflow.numerics.tokens.refusals").Refused is nm.Refused
