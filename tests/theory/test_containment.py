"""Enclosure, the property that no digit shows: the ball of few digits holds the ball of many, for every function.

Each public function and method of the theory that takes ``digits`` has an example; one without fails the first test.
"""

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from importlib import import_module
from operator import attrgetter
from types import ModuleType

import mpmath
import pytest
import sympy as sp
from flint import arb

from gegenflow import theory as th

FEW, MANY = 5, 60
ROOMS = [name for name in dir(th) if isinstance(getattr(th, name), ModuleType) and name != "symbols"]
HEADS = th.Kernel.heads([1, th.kappa], [1, 2])


def amplitudes(digits: int) -> th.Table:
    """Numbers of mpmath, of which the docstring says how many digits are right."""
    found = th.expansions.expansion(2, 1, 3, beta=2).evaluate("0.5", "0.01", digits)
    with mpmath.workdps(digits + 10):
        ends = [
            (mpmath.nstr(b, digits + 5), mpmath.nstr(abs(b) / mpmath.mpf(10) ** (digits - 1), 5))
            for b in found.values()
        ]
    return th.Table(tuple({"amplitude": value, "error": error} for value, error in ends))


EXAMPLES: dict[str, Callable[[int], object]] = {
    "causal.capture_time": lambda digits: th.causal.capture_time("0.1", 2, 4, earlier=3, digits=digits),
    "causal.centre_count": lambda digits: th.causal.centre_count(100, "1.9", 5, digits=digits),
    "causal.correlation": lambda digits: th.causal.correlation("1/4", 2, 1, decay=1, digits=digits),
    "causal.critical_decay": lambda digits: th.causal.critical_decay(beta=2, codewords=10, digits=digits),
    "causal.drive_rate": lambda digits: th.causal.drive_rate(3, 2, 4, digits=digits),
    "causal.fold_time": lambda digits: th.causal.fold_time(beta=1, decay=8, codewords=10, digits=digits),
    "causal.holding_time": lambda digits: th.causal.holding_time("0.05", "0.1", 30, earlier=5, digits=digits),
    "causal.recency_time": lambda digits: th.causal.recency_time(beta=3, decay=2, codewords=7, digits=digits),
    "causal.retrieval_extrema": lambda digits: th.causal.retrieval_extrema(
        beta=1, decay=8, codewords=10, time=6, digits=digits
    ),
    "causal.retrieval_minimum": lambda digits: th.causal.retrieval_minimum(
        beta=2, decay=2, codewords=20, time="0.3", digits=digits
    ),
    "causal.retrieval_profile": lambda digits: th.causal.retrieval_profile("0.3", 5, 7, 40, "0.1", digits=digits),
    "causal.small_time_minimum": lambda digits: th.causal.small_time_minimum(
        beta=2, decay=2, codewords=20, time="0.1", digits=digits
    ),
    "causal.smallness_time": lambda digits: th.causal.smallness_time(beta=5, decay="0.1", digits=digits),
    "clusters.cluster_energy": lambda digits: th.clusters.cluster_energy(3, 2, digits=digits),
    "clusters.cluster_spectrum": lambda digits: th.clusters.cluster_spectrum(
        th.clusters.platonic("cube"), 2, digits=digits
    ),
    "clusters.escape_rate": lambda digits: th.clusters.escape_rate(5, 20, digits=digits),
    "clusters.intra_rate": lambda digits: th.clusters.intra_rate(3, 2, digits=digits),
    "clusters.lifetime": lambda digits: th.clusters.lifetime(5, 7, perturbation="0.01", digits=digits),
    "clusters.mode_rate": lambda digits: th.clusters.mode_rate(1, 5, 2, digits=digits),
    "clusters.survival_beta": lambda digits: th.clusters.survival_beta("1/3", digits=digits),
    "exact.certify": lambda digits: th.certify(lambda: arb.pi().exp(), digits),
    "expansions.Expansion.evaluate": lambda digits: amplitudes(digits),
    "expansions.competition_exponent": lambda digits: th.expansions.competition_exponent(5, digits=digits),
    "finite_tokens.mean_field_distance": lambda digits: th.finite_tokens.mean_field_distance("0.1", 3, digits=digits),
    "growth.growth_rate": lambda digits: th.growth_rate(3, 2, sp.sqrt(5), model="sa", noise="0.1", digits=digits),
    "growth.noise_threshold": lambda digits: th.noise_threshold(2, 3, 4, digits=digits),
    "kernels.funk_hecke": lambda digits: th.funk_hecke(2, 3, kernel="tanh(3*t) + t**2", digits=digits),
    "low_temperature.pairing_time": lambda digits: th.low_temperature.pairing_time("0.9", 20, digits=digits),
    "multihead.balance_beta": lambda digits: th.multihead.balance_beta(9, 2, "0.1", digits=digits),
    "multihead.counterexample": lambda digits: th.multihead.counterexample(
        [[[1, 0], [0, 0]], [[0, 0], [0, 3]]], 2, height=4, digits=digits
    )[1],
    "multihead.critical_beta_softmax": lambda digits: th.multihead.critical_beta_softmax(32, 2, "0.3", digits),
    "multihead.energy_rates": lambda digits: th.multihead.energy_rates(
        [["0.6", "0.8"], [1, 0]], [[[1, 0], [0, 2]], [[0, 1], [1, 0]]], "1.5", digits=digits
    ),
    "multihead.hitting_time": lambda digits: th.multihead.hitting_time("0.9", 6, 2, [1, "-0.3"], digits=digits),
    "multihead.opposing_beta": lambda digits: th.multihead.opposing_beta(1, -2, "0.3", digits=digits),
    "multihead.relu_time": lambda digits: th.multihead.relu_time("0.9", 8, "0.1", digits=digits),
    "multihead.super_additivity": lambda digits: th.multihead.super_additivity(2, [-3, "-1.2"], digits=digits),
    "noise.branch_fold": lambda digits: th.noise.branch_fold(4, digits=digits),
    "noise.coupling_threshold": lambda digits: th.noise.coupling_threshold(2, 3, 4, digits=digits),
    "noise.phase_transition": lambda digits: th.noise.phase_transition(4, digits=digits),
    "noise.supercritical_beta": lambda digits: th.noise.supercritical_beta(2, digits),
    "noise.tricritical_beta": lambda digits: th.noise.tricritical_beta(4, digits),
    "noise.zonal_state": lambda digits: th.noise.zonal_state(2, 4, "1/3", digits),
    "phases.boundaries": lambda digits: th.boundaries("exp(beta*t)", 3, (1, 3), noise="0.1", digits=digits),
    "phases.coexistence": lambda digits: th.phases.coexistence(
        HEADS, 2, (th.beta, 1, 2), (th.kappa, [0, "0.1"]), digits=digits
    ),
    "phases.critical_beta": lambda digits: th.critical_beta(4, 3, digits),
    "phases.critical_table": lambda digits: th.critical_table([2, 5], [1, 3], digits),
    "phases.growth_table": lambda digits: th.growth_table([3], [1, 4], 2, model="sa", digits=digits),
    "phases.phase": lambda digits: th.phase(5, 3, noise="0.5", digits=digits),
    "random_layers.ActivationKernel.at": lambda digits: th.random_layers.activation_kernel("silu").at("0.9", digits),
    "random_layers.ActivationKernel.hermite": lambda digits: th.random_layers.activation_kernel("tanh").hermite(
        3, digits
    ),
    "random_layers.ActivationKernel.slope": lambda digits: th.random_layers.activation_kernel("tanh").slope(
        "0.2", digits
    ),
    "random_layers.contraction_rate": lambda digits: th.random_layers.contraction_rate("1+tanh", 8, digits),
    "random_layers.critical_dim": lambda digits: th.random_layers.critical_dim("tanh", digits=digits),
    "random_layers.energy_rate": lambda digits: th.random_layers.energy_rate("gelu", 3, "0.5", 1, digits=digits),
    "random_layers.aligned_probability": lambda digits: th.random_layers.aligned_probability("0.3", digits),
    "random_layers.antipodal_lifetime": lambda digits: th.random_layers.antipodal_lifetime(3, 1, "-0.5", digits),
    "random_layers.antipodal_probability": lambda digits: th.random_layers.antipodal_probability("0.3", 3, 1, digits),
    "random_layers.consensus_time": lambda digits: th.random_layers.consensus_time("0.3", "0.5", 3, 1, digits),
    "random_layers.critical_beta_antipodal": lambda digits: th.random_layers.critical_beta_antipodal(7, digits),
    "random_layers.scale_density": lambda digits: th.random_layers.scale_density("0.3", 5, "1.5", digits),
    "random_layers.lyapunov_exponent": lambda digits: th.random_layers.lyapunov_exponent("silu", 64, digits=digits),
    "random_layers.meeting_time": lambda digits: th.random_layers.meeting_time("sin", 9, 0, "0.3", digits),
    "random_layers.stationary_density": lambda digits: th.random_layers.stationary_density(
        "x**3 - 3*x", 6, "0.3", digits
    ),
    "random_layers.overlap_drift": lambda digits: th.random_layers.overlap_drift("relu", 8, "0.3", digits),
    "random_layers.overlap_variance": lambda digits: th.random_layers.overlap_variance("sigmoid", 8, "-0.3", digits),
    "spectral_selection.block_eigenvalues": lambda digits: th.spectral_selection.block_eigenvalues(
        [1, 1, 1, -1], 0, [1, "0.3"], 2, direction=1, digits=digits
    ),
    "spectral_selection.consensus_time": lambda digits: th.spectral_selection.consensus_time(
        "0.9", 0, [2, -1], start="0.1", digits=digits
    ),
    "spectral_selection.critical_beta": lambda digits: th.spectral_selection.critical_beta(
        [1, 1, -1], 0, [1, "0.3"], digits=digits
    ),
    "spectral_selection.equilibria": lambda digits: [
        one.leading_eigenvalue for one in th.spectral_selection.equilibria(2, [1, "0.4"], 1, digits=digits)
    ],
    "spectral_selection.equilibrium": lambda digits: th.spectral_selection.equilibrium(
        [[0.63, 0.77], [-0.97, 0.25]], [[1, 0], [0, "0.5"]], 1, digits=digits
    ),
    "spectral_selection.phase_diagram": lambda digits: th.Table(
        th.spectral_selection.phase_diagram(4, [1, "0.3"], digits=digits).rows[1:]
    ),
    "spectral_selection.pure_modes": lambda digits: th.spectral_selection.pure_modes([[2, 1], [1, -1]], digits=digits),
    "spectral_selection.stability": lambda digits: th.spectral_selection.stability(
        [1, 1, 1, -1], 0, [1, "0.3"], 2, digits=digits
    ),
    "synchronization.context_overlap": lambda digits: th.synchronization.context_overlap("0.5", 1000, 2, digits=digits),
    "synchronization.decay_law": lambda digits: th.synchronization.decay_law("peri", 32, 9, digits=digits),
    "synchronization.dirac_rate": lambda digits: th.synchronization.dirac_rate("0.3", digits=digits),
    "synchronization.hitting_time": lambda digits: th.synchronization.hitting_time(
        "0.9", 5, 2, model="sa", digits=digits
    ),
    "synchronization.lojasiewicz_constant": lambda digits: th.synchronization.lojasiewicz_constant(
        "0.5", "0.7", digits=digits
    ),
    "synchronization.overlap_after": lambda digits: th.synchronization.overlap_after("0.5", 3, 1, digits=digits),
    "synchronization.radius_at": lambda digits: th.synchronization.radius_at("0.6", 7, "0.5", digits=digits),
}


def takes_digits(function: object) -> bool:
    """Whether it has the parameter, or hands options on to a function that has it."""
    try:
        parameters = inspect.signature(function).parameters if callable(function) else {}
    except (TypeError, ValueError):
        return False
    return "digits" in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values())


def certified_names() -> Iterator[str]:
    """The functions that take digits as room.name, the methods as room.class.name."""
    for room in ROOMS:
        module = import_module(f"gegenflow.theory.{room}")
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if inspect.isclass(thing):
                methods = (method for method in vars(thing) if not method.startswith("_"))
                yield from (f"{room}.{name}.{method}" for method in methods if has_digits(vars(thing)[method]))
            elif takes_digits(thing):
                yield f"{room}.{name}"


def has_digits(method: object) -> bool:
    """Whether it is a method with the parameter."""
    return inspect.isfunction(method) and "digits" in inspect.signature(method).parameters


def test_every_function_of_digits_has_an_example():
    """A new one needs a line in EXAMPLES, and nothing stands there that is none."""
    assert set(certified_names()) == set(EXAMPLES)


def test_digits_are_fifteen_where_none_are_asked_for():
    """The default of every function that has one; without, the answer is an expression."""
    for name in EXAMPLES:
        room, *path = name.split(".")
        digits = inspect.signature(attrgetter(".".join(path))(import_module(f"gegenflow.theory.{room}"))).parameters
        assert "digits" not in digits or digits["digits"].default in (inspect.Parameter.empty, None, 15), name


def certified(result: object) -> list[tuple[Fraction, Fraction, arb | None]]:
    """Every number in a result that has an error: its decimal, its bound, its ball (a table has none)."""
    if isinstance(result, th.Certified):
        return [(Fraction(result.value), Fraction(result.error), result.ball)]
    if isinstance(result, th.Table):
        name = result.columns[result.columns.index("error") - 1]
        return [(Fraction(row[name]), Fraction(row["error"]), None) for row in result]
    if dataclasses.is_dataclass(result):
        return [pair for part in dataclasses.fields(result) for pair in certified(getattr(result, part.name))]
    if isinstance(result, Mapping):
        return [pair for value in result.values() for pair in certified(value)]
    return [pair for part in result for pair in certified(part)] if isinstance(result, tuple | list) else []


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_ball_of_few_digits_holds_that_of_many(name):
    """Every certified number in the result, and its decimals within the bounds that they state."""
    few, many = certified(EXAMPLES[name](FEW)), certified(EXAMPLES[name](MANY))
    assert len(few) == len(many) > 0
    for (coarse, error, outer), (fine, bound, inner) in zip(few, many, strict=True):
        assert abs(coarse - fine) <= error + bound
        assert outer is None or outer.contains(inner)
        assert bound <= abs(fine) * Fraction(10) ** (2 - MANY)
