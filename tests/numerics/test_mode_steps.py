"""Steps of modes: observed orders, and the phi functions against mpmath."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats
from scipy.integrate import solve_ivp

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.mode_steps import explicit_step, exponential_step, phi
from gegenflow.numerics.flows.flow import Flow

START = CircleDensity(np.array([0.1, 0.05, 0.2, -0.1])).resized(12)
DRIFT = START.motion(Flow(2.0, model="sa"))


@given(z=floats(-700, 0))
def test_phi_functions_are_right_to_rounding(z):
    """Kummer's function, phi_k(z) = 1F1(1, k + 1, z) / k!, at 30 digits."""
    with mpmath.workdps(30):
        exact = [mpmath.exp(z), *(mpmath.hyp1f1(1, k + 1, z) / mpmath.factorial(k) for k in (1, 2, 3))]
    assert phi(np.array([z]))[:, 0] == pytest.approx([float(value) for value in exact], rel=3e-15)


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
