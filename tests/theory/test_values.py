"""Every public result of the theory is a value: equal when equal, hashable, short in print, fit to travel.

One table, :data:`RESULTS`, calls every public name; a name that is missing from it fails the first test.
"""

import copy
import multiprocessing
import pickle
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from html import escape
from importlib import import_module
from types import ModuleType

import pytest
import sympy as sp
from flint import arb
from support.browser import CHROMIUM, MATHJAX, Browser
from support.notebook import faults, html_faults, latex_faults, shown

from gegenflow import theory as th

ROOMS = [name for name in dir(th) if isinstance(getattr(th, name), ModuleType) and name != "symbols"]
MOST_LINES = 12
HALF = sp.Rational(1, 2)


def kernel() -> th.Kernel:
    return th.Kernel.heads([1, "0.5"], [1, -1])


def selection() -> object:
    return th.finite_tokens.selection_law(2, 5, 500)


RESULTS: dict[str, Callable[[], object]] = {
    "beta": lambda: th.beta,
    "d": lambda: th.d,
    "k": lambda: th.k,
    "kappa": lambda: th.kappa,
    "t": lambda: th.t,
    "sphere.gegenbauer": lambda: th.gegenbauer(3),
    "sphere.gegenbauer_function": lambda: th.gegenbauer_function(3, 4),
    "sphere.harmonic_dimension": lambda: th.harmonic_dimension(3, 4),
    "sphere.laplacian_eigenvalue": lambda: th.sphere.laplacian_eigenvalue(),
    "sphere.zonal_divergence": lambda: th.sphere.zonal_divergence(th.t**2),
    "sphere.zonal_laplacian": lambda: th.sphere.zonal_laplacian(th.t**2),
    "sphere.zonal_weight": lambda: th.sphere.zonal_weight(),
    "sphere.P": lambda: th.sphere.P(th.k, th.t),
    "exact.Certified": lambda: th.Certified("0.5", "0", arb(HALF.p) / 2),
    "exact.Refused": lambda: th.Refused("dim", 1, "the sphere needs dim >= 2").args,
    "exact.Table": lambda: th.Table(({"dim": 2, "beta": "1.04"},), {"model": "usa"}),
    "exact.certify": lambda: th.certify(arb.pi, 20),
    "kernels.Kernel": lambda: kernel(),
    "kernels.Kernel.series": lambda: th.Kernel.series([0, 1, HALF]),
    "kernels.Kernel.text": lambda: th.Kernel("tanh(3*t)"),
    "kernels.Kernel.exponential": lambda: th.Kernel.exponential(th.critical_beta(1, 2, 20)),
    "kernels.Kernel.relu": lambda: th.Kernel.relu(2),
    "kernels.KernelLike": lambda: th.Kernel(th.t**2 + th.beta),
    "kernels.funk_hecke": lambda: th.funk_hecke(1, 3, 2, digits=10),
    "kernels.half_power_multiplier": lambda: th.kernels.half_power_multiplier(2, 1, 3),
    "kernels.power_multiplier": lambda: th.kernels.power_multiplier(2, 1, 3),
    "proofs.Proof": lambda: th.random_layers.derive_overlap(3),
    "proofs.Step": lambda: th.linearize(dim=2).steps[-2],
    "derived.Derivations": lambda: th.derivations(),
    "derived.derivations": lambda: th.derived.derivations(),
    "growth.Derivation": lambda: th.linearize(dim=2),
    "growth.linearize": lambda: th.linearize(th.Kernel.relu(), 3, model="sa"),
    "growth.growth_rate": lambda: th.growth_rate(3, 2, 5, digits=12),
    "growth.noise_threshold": lambda: th.noise_threshold(3, 2),
    "growth.RateFunction": lambda: th.rate_function(3, 2, model="sa"),
    "growth.rate_function": lambda: th.rate_function(3, 2, kernel="exp(beta*t) + t", noise="0.1"),
    "phases.Phase": lambda: th.phase(5, 2, noise=1, digits=6),
    "phases.phase": lambda: th.phase("5.5", 3),
    "phases.Boundary": lambda: th.boundaries(th.Kernel.exponential(), 2, (1, 2), digits=6).boundaries[0],
    "phases.Boundaries": lambda: th.boundaries(th.Kernel.exponential(), 2, (1, 4), digits=6),
    "phases.boundaries": lambda: th.boundaries(kernel(), 3, (1, 2), digits=6),
    "phases.Coexistence": lambda: th.phases.coexistence(
        "exp(beta*t) + v*exp(2*beta*t)", 2, (th.beta, "0.5", 2), ("v", [1]), digits=6
    ),
    "phases.coexistence": lambda: th.phases.coexistence(
        th.Kernel.heads([1, th.kappa], [1, 2]), 2, (th.beta, 1, 2), (th.kappa, [1]), digits=6
    ),
    "phases.StabilityCell": lambda: th.stability(None, 2, beta=(0, 1), kappa=(1, 9), unresolved=0.9).cells[0],
    "phases.StabilityDiagram": lambda: th.stability(None, 2, beta=(0, 1), kappa=(1, 9), unresolved=0.9),
    "phases.stability": lambda: th.stability("1 + beta*t", 3, beta=(0, 1), kappa=(1, 9), model="sa", unresolved=0.9),
    "phases.selected_degree.kernel": lambda: th.selected_degree(None, 2, kernel="exp(5*t)"),
    "phases.selected_degree": lambda: th.selected_degree(5, 3),
    "phases.critical_beta": lambda: th.critical_beta(2, 3, 30),
    "phases.critical_beta_bounds": lambda: th.phases.critical_beta_bounds(3, 8),
    "phases.critical_beta_sharp_bounds": lambda: th.phases.critical_beta_sharp_bounds(3, 8),
    "phases.critical_beta_series": lambda: th.phases.critical_beta_series(2),
    "phases.selected_degree_series": lambda: th.phases.selected_degree_series(2),
    "phases.largest_rate_series": lambda: th.phases.largest_rate_series(2),
    "phases.inverse_ratio_series": lambda: th.phases.inverse_ratio_series(3),
    "phases.critical_table": lambda: th.critical_table(range(2, 6), range(1, 8), 10),
    "phases.growth_table": lambda: th.growth_table([2], [1, 2], "0.5"),
    "finite_tokens.SelectionLaw": selection,
    "finite_tokens.selection_law": selection,
    "finite_tokens.tokens_needed": lambda: th.finite_tokens.tokens_needed("0.5", 2, 5),
    "finite_tokens.boundary_share": lambda: th.finite_tokens.boundary_share(6, 3, 2, 2000),
    "finite_tokens.boundary_width": lambda: th.finite_tokens.boundary_width(3, 2, 2000),
    "finite_tokens.mean_field_distance": lambda: th.finite_tokens.mean_field_distance("0.1", 5),
    "expansions.Expansion": lambda: th.expansions.expansion(2, 3, beta=5),
    "expansions.expansion": lambda: th.expansions.expansion(4, 3, beta=5),
    "expansions.competition_exponent": lambda: th.expansions.competition_exponent(5),
    "noise.AmplitudeEquation": lambda: th.noise.amplitude_equation(1),
    "noise.amplitude_equation": lambda: th.noise.amplitude_equation(2, 1, "0.5"),
    "noise.supercritical_beta": lambda: th.noise.supercritical_beta(2),
    "noise.Branch": lambda: th.noise.branch(0, amplitudes=[n / 20 for n in range(1, 16)]),
    "noise.branch": lambda: th.noise.branch(2, amplitudes=[0.2]),
    "noise.Landau": lambda: th.noise.landau_expansion(),
    "noise.landau_expansion": lambda: th.noise.landau_expansion(2, 3),
    "noise.coupling_threshold": lambda: th.noise.coupling_threshold(1, 2, 3, digits=12),
    "noise.tricritical_beta": lambda: th.noise.tricritical_beta(3),
    "noise.critical_coupling": lambda: th.noise.critical_coupling(4, gap="1/20"),
    "noise.ZonalState": lambda: th.noise.zonal_state(2, 3, "0.3", digits=6),
    "noise.zonal_state": lambda: th.noise.zonal_state(1, 4, "0.2", digits=6),
    "noise.BranchPoint": lambda: th.noise.branch_fold(4, digits=6),
    "noise.branch_fold": lambda: th.noise.branch_fold(4, digits=8),
    "noise.Transition": lambda: th.noise.phase_transition(2, digits=8),
    "noise.phase_transition": lambda: th.noise.phase_transition(4, digits=6),
    "multihead.balance_beta": lambda: th.multihead.balance_beta(9),
    "multihead.counterexample": lambda: th.multihead.counterexample([[[1, 0], [0, 0]], [[0, 0], [0, 3]]], 2, height=3),
    "multihead.critical_beta_softmax": lambda: th.multihead.critical_beta_softmax(32, 2, 0),
    "multihead.ClusterLinearization": lambda: th.multihead.linearize_cluster(
        [1, 0], [[[1, 0], [0, 2]]], [[[1, 0], [0, 3]]], 1
    ),
    "multihead.EnergyRates": lambda: th.multihead.energy_rates([["0.6", "0.8"]], [[[1, 0], [0, -2]]], 2),
    "multihead.Splitting": lambda: th.multihead.splitting(2, 3, 1, [1], [sp.diag(1, 0, 0)], [sp.zeros(3)]),
    "multihead.SuperAdditivity": lambda: th.multihead.super_additivity(1, [1, 2], digits=5),
    "multihead.energy_rates": lambda: th.multihead.energy_rates([["0.6", "0.8"], [1, 0]], [[[1, 0], [0, 2]]], 1),
    "multihead.gradient_multiples": lambda: th.multihead.gradient_multiples([[[1]]], [[[2]]]),
    "multihead.attention_entropy": lambda: th.multihead.attention_entropy("0.3", 5),
    "multihead.entropy_slope": lambda: th.multihead.entropy_slope("0.3", 5),
    "multihead.own_share": lambda: th.multihead.own_share("0.3", 5),
    "multihead.contraction_rate": lambda: th.multihead.contraction_rate(1, [1, -2]),
    "multihead.equiangular_velocity": lambda: th.multihead.equiangular_velocity("0.3", 5, 1, [1, 2]),
    "multihead.hitting_time": lambda: th.multihead.hitting_time("0.9", 6, 2, [1, 2], digits=8),
    "multihead.linearize_cluster": lambda: th.multihead.linearize_cluster(
        [1, 0], [[[1, 0], [0, 1]]], [[[1, 0], [0, 1]]], 1
    ),
    "multihead.opposing_beta": lambda: th.multihead.opposing_beta(1, -2, "0.3"),
    "multihead.relu_time": lambda: th.multihead.relu_time("0.9", 8, "0.1"),
    "multihead.splitting": lambda: th.multihead.splitting(1, 2, 1, [1], [[[0, 0], [0, 0]]], [[[1, 0], [0, 0]]]),
    "multihead.super_additivity": lambda: th.multihead.super_additivity(2, [-3, "-1.2"], digits=8),
    "causal.capture_time": lambda: th.causal.capture_time("0.1", 2, 4),
    "causal.centre_count": lambda: th.causal.centre_count(100, "0.1", 3),
    "causal.correlation": lambda: th.causal.correlation("1/4", 1, 1, decay=2),
    "causal.critical_decay": lambda: th.causal.critical_decay(beta=1, codewords=10, digits=8),
    "causal.drive_rate": lambda: th.causal.drive_rate(3, dim=4),
    "causal.first_token_rates": lambda: th.causal.first_token_rates(4, model="usa"),
    "causal.fold_time": lambda: th.causal.fold_time(beta=1, decay=8, codewords=10, digits=8),
    "causal.graphon": lambda: th.causal.graphon(1, "1/2", 2),
    "causal.holding_time": lambda: th.causal.holding_time(1, "0.1", 30),
    "causal.recency_time": lambda: th.causal.recency_time(beta=1, decay=8, codewords=10),
    "causal.retrieval_extrema": lambda: th.causal.retrieval_extrema(beta=1, decay=8, codewords=10, time=6),
    "causal.retrieval_minimum": lambda: th.causal.retrieval_minimum(beta=1, decay=1, codewords=10, time=1),
    "causal.retrieval_profile": lambda: th.causal.retrieval_profile("0.3", 1, 1, 10, 1),
    "causal.retrieval_shape": lambda: th.causal.retrieval_shape(beta=1, decay=8, codewords=10, time=6),
    "causal.small_time_minimum": lambda: th.causal.small_time_minimum(beta=1, decay=1, codewords=10, time="0.1"),
    "causal.smallness_time": lambda: th.causal.smallness_time(beta=1, decay=1),
    "clusters.AntipodalClusters": lambda: th.clusters.antipodal_clusters(),
    "clusters.antipodal_clusters": lambda: th.clusters.antipodal_clusters("0.25", 1, model="sa"),
    "clusters.survival_beta": lambda: th.clusters.survival_beta("1/3", digits=10),
    "clusters.cluster_energy": lambda: th.clusters.cluster_energy(3),
    "clusters.intra_rate": lambda: th.clusters.intra_rate(3, 2, digits=10),
    "clusters.mode_rate": lambda: th.clusters.mode_rate(1, 4),
    "clusters.ClusterSpectrum": lambda: th.clusters.simplex_spectrum(),
    "clusters.antipodal_spectrum": lambda: th.clusters.antipodal_spectrum(3, 2),
    "clusters.cross_polytope_spectrum": lambda: th.clusters.cross_polytope_spectrum(3, model="sa"),
    "clusters.simplex_spectrum": lambda: th.clusters.simplex_spectrum(4, 2),
    "clusters.escape_asymptote": lambda: th.clusters.escape_asymptote(4),
    "clusters.escape_mode": lambda: th.clusters.escape_mode(4, 7),
    "clusters.escape_rate": lambda: th.clusters.escape_rate(5, 20, digits=6),
    "clusters.lifetime": lambda: th.clusters.lifetime(3, 10, perturbation="0.001"),
    "clusters.cluster_spectrum": lambda: th.clusters.cluster_spectrum(th.clusters.platonic("cube"), 4, digits=6),
    "clusters.energy_curvature": lambda: th.clusters.energy_curvature([[1, 0]], [[0, 1]], 3),
    "clusters.energy_slope": lambda: th.clusters.energy_slope([[1, 0], [0, 1]], [[0, 1], [0, 0]], 1),
    "clusters.cross_polytope": lambda: th.clusters.cross_polytope(3),
    "clusters.platonic": lambda: th.clusters.platonic("dodecahedron"),
    "clusters.simplex": lambda: th.clusters.simplex(3),
    "synchronization.dirac_rate": lambda: th.synchronization.dirac_rate(-1, digits=8),
    "synchronization.kuramoto_lojasiewicz": lambda: th.synchronization.kuramoto_lojasiewicz("0.5", "0.5"),
    "synchronization.lojasiewicz_constant": lambda: th.synchronization.lojasiewicz_constant("0.5", 1),
    "synchronization.equiangular_velocity": lambda: th.synchronization.equiangular_velocity("0.5", 3),
    "synchronization.hitting_time": lambda: th.synchronization.hitting_time("0.9", 32, 1, digits=8),
    "synchronization.overlap_after": lambda: th.synchronization.overlap_after(2, 3, 1),
    "synchronization.pair_angle": lambda: th.synchronization.pair_angle(1, "1/2"),
    "synchronization.poisson_resultant": lambda: th.synchronization.poisson_resultant(1, "1/2"),
    "synchronization.context_overlap": lambda: th.synchronization.context_overlap("0.5", 1000, 2),
    "synchronization.context_overlap_limit": lambda: th.synchronization.context_overlap_limit("1/2", 2),
    "synchronization.context_threshold": lambda: th.synchronization.context_threshold("0.6"),
    "synchronization.DecayLaw": lambda: th.synchronization.decay_law("post", 2, 0),
    "synchronization.decay_law": lambda: th.synchronization.decay_law("peri", 32, 9, digits=10),
    "synchronization.normalized_velocity": lambda: th.synchronization.normalized_velocity("pre", "0.5", 1, 3, 1),
    "synchronization.radius_at": lambda: th.synchronization.radius_at("3/5", 7, 0),
    "low_temperature.diffusion": lambda: th.low_temperature.diffusion(1 + th.t, 3),
    "low_temperature.diffusion_time": lambda: th.low_temperature.diffusion_time(3, model="usa"),
    "low_temperature.drift_speed": lambda: th.low_temperature.drift_speed(1 + th.t / 2, 2),
    "low_temperature.smoothing_series": lambda: th.low_temperature.smoothing_series(3),
    "low_temperature.velocity_series": lambda: th.low_temperature.velocity_series(1 + th.t / 2, 3),
    "low_temperature.LimitMap": lambda: th.low_temperature.limit_map([[2, 1], [1, 1]]),
    "low_temperature.limit_map": lambda: th.low_temperature.limit_map(
        [[int(i >= j) for i in range(14)] for j in range(14)]
    ),
    "low_temperature.ProjectionLaw": lambda: th.low_temperature.ProjectionLaw(1, 2),
    "low_temperature.pairing_overlap": lambda: th.low_temperature.pairing_overlap(1, "1/3"),
    "low_temperature.pairing_rate": lambda: th.low_temperature.pairing_rate(["0.1", "0.3"]),
    "low_temperature.pairing_time": lambda: th.low_temperature.pairing_time("0.9", 20),
    "random_layers.ActivationKernel": lambda: th.random_layers.activation_kernel("relu"),
    "random_layers.activation_kernel": lambda: th.random_layers.activation_kernel("tanh(2*x)"),
    "random_layers.contraction_rate": lambda: th.random_layers.contraction_rate("1+tanh", 8),
    "random_layers.critical_dim": lambda: th.random_layers.critical_dim("gelu", digits=None),
    "random_layers.derive_contraction": lambda: th.random_layers.derive_contraction(),
    "random_layers.derive_overlap": lambda: th.random_layers.derive_overlap(),
    "random_layers.energy_rate": lambda: th.random_layers.energy_rate("tanh", 3, "0.5", 1),
    "random_layers.aligned_probability": lambda: th.random_layers.aligned_probability("0.3"),
    "random_layers.antipodal_lifetime": lambda: th.random_layers.antipodal_lifetime(3, "0.1"),
    "random_layers.antipodal_probability": lambda: th.random_layers.antipodal_probability("0.3", 4, 1),
    "random_layers.consensus_time": lambda: th.random_layers.consensus_time("0.3", "0.9", 4, 1),
    "random_layers.critical_beta_antipodal": lambda: th.random_layers.critical_beta_antipodal(5),
    "random_layers.form_drift": lambda: th.random_layers.form_drift("0.3", 3, "0.1"),
    "random_layers.form_rate": lambda: th.random_layers.form_rate(3, "0.1"),
    "random_layers.form_variance": lambda: th.random_layers.form_variance("0.3", 3, "0.1"),
    "random_layers.scale_density": lambda: th.random_layers.scale_density("0.3", 4, 1),
    "random_layers.lyapunov_exponent": lambda: th.random_layers.lyapunov_exponent("relu", 3, digits=None),
    "random_layers.meeting_time": lambda: th.random_layers.meeting_time("cos", 3, 0, "0.5", digits=8),
    "random_layers.stationary_density": lambda: th.random_layers.stationary_density("erf", 30, "0.3", digits=8),
    "random_layers.overlap_drift": lambda: th.random_layers.overlap_drift("silu", 3, "0.5"),
    "random_layers.overlap_variance": lambda: th.random_layers.overlap_variance("cos", 3, "0.5"),
    "spectral_selection.Equilibrium": lambda: th.spectral_selection.equilibria(2, [1, "0.4"], 1)[2],
    "spectral_selection.PureMode": lambda: th.spectral_selection.pure_modes([[2, 1], [1, 1]])[0],
    "spectral_selection.Stability": lambda: th.spectral_selection.stability([1, 1], 0, [0, -1], 1),
    "spectral_selection.block": lambda: th.spectral_selection.block([1, -1, 1], 0, [1, 2], direction=1),
    "spectral_selection.block_eigenvalues": lambda: th.spectral_selection.block_eigenvalues(
        [1, -1, 1], 0, [1, 2], direction=1
    ),
    "spectral_selection.consensus_rate": lambda: th.spectral_selection.consensus_rate(0, [1, "0.5"]),
    "spectral_selection.consensus_time": lambda: th.spectral_selection.consensus_time("0.9", 0, [1, 0], start="0.1"),
    "spectral_selection.critical_beta": lambda: th.spectral_selection.critical_beta([1, -1], 0, [1, "0.5"]),
    "spectral_selection.equilibria": lambda: th.spectral_selection.equilibria(2, [-1, "-0.4"], 1),
    "spectral_selection.equilibrium": lambda: th.spectral_selection.equilibrium(
        [[0, 1], [0.9, -0.4], [-0.9, -0.4]], [[-1, 0], [0, "-0.5"]], "0.2"
    ),
    "spectral_selection.phase_diagram": lambda: th.spectral_selection.phase_diagram(9, [1, "0.5", -2]),
    "spectral_selection.pure_modes": lambda: th.spectral_selection.pure_modes([[1, 0], [0, 2]]),
    "spectral_selection.stability": lambda: th.spectral_selection.stability([1, 1, -1], 0, [1, "0.5"], 1),
}


def public_names() -> set[str]:
    """The names of every room, as room.name, and the core names that stand in no room."""
    rooms = {name: import_module(f"gegenflow.theory.{name}") for name in ROOMS}
    in_rooms = {f"{room}.{name}" for room, module in rooms.items() for name in getattr(module, "__all__", ())}
    seen = {name.partition(".")[2] for name in in_rooms} | set(ROOMS)
    return in_rooms | {name for name in th.__all__ if name not in seen and f"sphere.{name}" not in RESULTS}


def test_every_public_name_is_in_the_table():
    """A new public name needs a line in RESULTS."""
    missing = public_names() - set(RESULTS)
    assert not missing, f"add to RESULTS: {sorted(missing)}"


@cache
def result(name: str) -> object:
    """The result, worked out once."""
    return RESULTS[name]()


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_a_value(name):
    """Called twice, copied and pickled it is the same, hashes the same, and prints in a dozen lines."""
    value, again = result(name), RESULTS[name]()
    journeys = again, copy.deepcopy(value), copy.copy(value), pickle.loads(pickle.dumps(value))
    for other in journeys:
        assert type(other) is type(value)
        assert other == value
        if not isinstance(value, (list, dict)):
            assert hash(other) == hash(value)
        assert repr(other) == repr(value)
    assert len(repr(value).splitlines()) <= MOST_LINES
    assert value != object()


def test_results_travel_through_a_pool_of_fresh_processes():
    """Each is sent to a spawned process, copied there, and comes back equal."""
    values = {name: result(name) for name in RESULTS}
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        returned = dict(zip(values, pool.map(copy.deepcopy, values.values()), strict=True))
    assert returned == values


@pytest.mark.parametrize("name", RESULTS)
def test_results_render_in_a_notebook(name):
    """Every class of our own, alone or in a tuple, has LaTeX or HTML, well formed and without a raw letter of it."""
    value = result(name)
    for part in value if isinstance(value, tuple) else (value,):
        if type(part).__module__.startswith("gegenflow"):
            assert not faults(part), type(part)


def test_what_is_badly_formed_is_seen():
    """A tag that is not closed or not escaped, a brace too many, a record that is only text."""
    assert html_faults("<table><tr><td>1</td></table>")
    assert html_faults("<table><tr><td>a < b</td></tr></table>")
    assert html_faults("<table><tr><td><module></td></tr></table>")
    assert not html_faults("<table><tr><td>a &lt; b<br>c</td></tr></table>")
    assert latex_faults(r"$\frac{1}{2$")
    assert latex_faults("x")
    assert faults(object()) == ["only text"]


@pytest.mark.skipif(CHROMIUM is None or MATHJAX is None, reason="no browser, or no MathJax without a network")
def test_a_browser_typesets_every_result(tmp_path):
    """All of them on one page, as a notebook would set it: no formula that MathJax does not know, none left raw."""
    parts = [part for name in RESULTS for part in (lambda x: x if isinstance(x, tuple) else (x,))(result(name))]
    own = {type(part): dict(shown(part)) for part in parts if type(part).__module__.startswith("gegenflow")}
    cells = [found.get("_repr_html_") or escape(found["_repr_latex_"]) for found in own.values()]
    head = "<script>window.MathJax = {tex: {inlineMath: [['$', '$']]}}</script>"
    script = f'<!doctype html><meta charset="utf-8">{head}<script src="{MATHJAX.as_uri()}"></script>'
    page = tmp_path / "results.html"
    page.write_text(script + "".join(f"<p>{cell}</p>" for cell in cells))
    with Browser() as browser:
        assert len(cells) > 30
        assert browser.faults(page) == []
        assert browser.evaluate("document.querySelectorAll('mjx-container').length") > 50
        page.write_text(script + "<p>$\\unheard{x}$</p>")
        assert browser.faults(page)


def test_a_mapping_in_a_result_cannot_be_changed():
    """What is hashed stays as it was."""
    law = result("finite_tokens.selection_law")
    assert isinstance(law.selection, Mapping)
    with pytest.raises(TypeError):
        law.selection[1] = 0.5
    with pytest.raises(TypeError):
        result("phases.growth_table").rows[0]["beta"] = "2"
