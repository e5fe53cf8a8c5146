"""Steps of modes: observed orders, and the phi functions against mpmath."""

from functools import partial

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats
from scipy.integrate import solve_ivp

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.circle_starts import circle_density
from gegenflow.numerics.densities.mode_steps import (
    explicit_between,
    explicit_step,
    exponential_between,
    exponential_step,
    phi,
)
from gegenflow.numerics.densities.spectral import ModeSteps
from gegenflow.numerics.densities.sphere import sphere_density
from gegenflow.numerics.densities.zonal import zonal_density
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.integrators.driver import drive

STARTS = {
    "circle": circle_density(lambda angle: 1 + 0.1 * np.sin(3 * angle) + 0.05 * np.cos(2 * angle)),
    "zonal": zonal_density(lambda t: 1 + 0.2 * t + 0.1 * (t**2 - 0.25), 4),
    "sphere": sphere_density(lambda x: 1 + 0.2 * x[:, 2] + 0.1 * x[:, 0] * x[:, 1]),
}
START = CircleDensity(np.array([0.1, 0.05, 0.2, -0.1])).resized(12)
DRIFT = START.motion(Flow(2.0, model="sa"))


@given(z=floats(-700, 0))
def test_phi_functions_are_right_to_rounding(z):
    """Kummer's function, phi_k(z) = 1F1(1, k + 1, z) / k!, at 30 digits."""
    with mpmath.workdps(30):
        exact = [mpmath.exp(z), *(mpmath.hyp1f1(1, k + 1, z) / mpmath.factorial(k) for k in (1, 2, 3, 4))]
    assert phi(np.array([z]), 4)[:, 0] == pytest.approx([float(value) for value in exact], rel=3e-15)


def fixed_steps(step, count, end=0.8):
    state, slope, errors = START.coefficients, DRIFT(START.coefficients), 0.0
    for _ in range(count):
        tried = step(state, slope, end / count)
        state, slope, errors = tried.state, tried.slope, errors + tried.error
    return state, errors


def slope_of(counts, errors):
    return -np.polyfit(np.log(counts), np.log(errors), 1)[0]


def test_explicit_steps_are_of_order_8():
    """Against scipy's own method of order 8 at its tightest; an independent code with the same coefficients."""
    exact = solve_ivp(lambda t, a: DRIFT(a), (0, 4.0), START.coefficients, method="DOP853", rtol=3e-14, atol=1e-16)
    counts = [16, 20, 24, 28]
    ends = [fixed_steps(lambda *a: explicit_step(DRIFT, *a), count, end=4.0) for count in counts]
    errors = [np.linalg.norm(state - exact.y[:, -1]) for state, _ in ends]
    assert slope_of(counts, errors) == pytest.approx(8, abs=0.2)
    assert all(error < 10 * estimate for error, (_, estimate) in zip(errors, ends, strict=True))


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.5])
def test_exponential_steps_are_of_order_4(noise):
    """Against scipy's implicit or explicit solver of the whole equation, which knows no exponential."""
    decay = noise * START.degrees**2.0
    exact = solve_ivp(
        lambda t, a: DRIFT(a) - decay * a, (0, 0.8), START.coefficients, method="DOP853", rtol=3e-14, atol=1e-16
    )
    counts = [32, 64, 128, 256]
    ends = [fixed_steps(lambda *a: exponential_step(DRIFT, decay, *a), count) for count in counts]
    errors = [np.linalg.norm(state - exact.y[:, -1]) for state, _ in ends]
    assert slope_of(counts, errors) == pytest.approx(4, abs=0.2)
    assert all(error < 10 * estimate for error, (_, estimate) in zip(errors, ends, strict=True))


def test_a_state_at_rest_stays_there():
    """With the drift equal to the decay of the state, steps of any size change nothing but rounding."""
    decay, state = np.array([0.3, 700.0]), np.array([2.0, 1.0])
    tried = exponential_step(lambda a: decay * state, decay, state, decay * state, 0.9)
    assert np.allclose(tried.state, state, rtol=1e-14)
    assert tried.error == 0


def errors_within(step, between, decay, sizes, state=START.coefficients, drift=DRIFT):
    """The largest error within one step of each size, against scipy's solution of the whole equation."""
    errors, fractions = [], (0.1, 0.4, 0.6, 0.9)
    for size in sizes:
        tried = step(state, drift(state), size)
        exact = solve_ivp(
            lambda t, a: drift(a) - decay * a,
            (0, size),
            state,
            method="DOP853",
            t_eval=size * np.array(fractions),
            max_step=size / 40,
            rtol=3e-14,
            atol=1e-17,
        )
        at = between(state, tried)
        errors.append(max(np.linalg.norm(at(f) - y) for f, y in zip(fractions, exact.y.T, strict=True)))
        assert at(0.0) == pytest.approx(state, abs=1e-15)
    return errors


def test_states_within_an_explicit_step_are_off_by_its_eighth_power():
    """The interpolant of degree 7."""
    start, sizes = STARTS["circle"].resized(40), [0.007, 0.009, 0.011, 0.013]
    drift, state = start.motion(Flow(5.0)), start.coefficients

    step, between = partial(explicit_step, drift), partial(explicit_between, drift, tolerance=1.0)
    errors = errors_within(step, between, 0.0, sizes, state, drift)
    assert -slope_of(sizes, errors) == pytest.approx(8, abs=0.2)


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.5])
def test_states_within_an_exponential_step_are_off_by_its_fifth_power(noise):
    """As the end of the step is."""
    decay, sizes = noise * START.degrees**2.0, [0.005, 0.01, 0.02, 0.04]
    step, between = (partial(function, DRIFT, decay) for function in (exponential_step, exponential_between))
    errors = errors_within(step, between, decay, sizes)
    assert -slope_of(sizes, errors) == pytest.approx(5, abs=0.2)


def followed(name, flow, rtol, t_end, times, most=200):
    steps = ModeSteps(STARTS[name], flow, rtol=rtol, atol=0.0, max_degree=most, longest=t_end)
    return drive(steps, lambda _, density: density.resized(most).coefficients, t_end=t_end, save_at=times)


@pytest.mark.parametrize(
    ("name", "beta", "noise", "t_end"),
    [
        ("circle", 5.0, 0.0, 0.1),
        ("circle", 5.0, 0.5, 0.3),
        ("circle", 5.0, 0.01, 0.1),
        ("zonal", 2.0, 0.0, 0.8),
        ("zonal", 2.0, 0.1, 0.8),
        ("sphere", 2.0, 0.0, 0.5),
        ("sphere", 2.0, 0.1, 0.5),
    ],
)
@pytest.mark.parametrize("rtol", [1e-5, 1e-8])
def test_looking_changes_no_step_and_costs_less_than_one(name, beta, noise, t_end, rtol):
    """At 100 times: at most three more drifts a step, two with noise, and states to five tolerances of a step."""
    flow, times = Flow(beta=beta, noise=noise), np.linspace(0.0, t_end, 102)[1:-1]
    alone, seen = (followed(name, flow, rtol, t_end, at) for at in ([], times))
    assert np.array_equal(alone.state.coefficients, seen.state.coefficients)
    assert (alone.steps, alone.rejected) == (seen.steps, seen.rejected)
    assert seen.evaluations - alone.evaluations <= (2 if noise else 3) * min(seen.steps, len(times))
    exact = followed(name, flow, rtol / 100, t_end, times)
    for state, right in zip(seen.saved, exact.saved, strict=True):
        assert np.linalg.norm(state - right) < 5 * rtol * np.linalg.norm(right)


def test_states_of_a_density_that_concentrates_keep_the_tolerance():
    """There the interpolant of some long steps would be off by 18 tolerances: shorter steps serve."""
    times, flow = np.linspace(0.0, 0.195, 302)[1:-1], Flow(beta=5.0)
    seen, exact = (followed("circle", flow, rtol, 0.195, times, most=2000) for rtol in (1e-5, 1e-8))
    off = [np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(seen.saved, exact.saved, strict=True)]
    assert max(off) < 5e-5
