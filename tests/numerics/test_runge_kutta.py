"""One step of order 5 or 8: its order, its interpolant, its error estimate, and what it does to many tokens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import DOP853, RK45
from scipy.linalg import expm

from gegenflow.numerics import normalize, uniform
from gegenflow.numerics.integrators.runge_kutta import PARALLEL_FROM, RungeKutta
from gegenflow.numerics.integrators.tableaus import ORDER_5, ORDER_8

TABLEAUS = {5: ORDER_5, 8: ORDER_8}
LINEAR = np.array([[0.3, -2.0, 0.5], [2.2, 0.1, -1.0], [-0.4, 1.1, -0.2]])
TILT = 1.5


def spiral(x, out):
    """Rows follow a linear flow projected to the sphere, each by itself."""
    pull = x @ LINEAR.T
    np.subtract(pull, (pull * x).sum(axis=1, keepdims=True) * x, out=out)


def spiral_at(x, t):
    return normalize(x @ expm(t * LINEAR).T)


def tilted(angle, out):
    """An overdamped pendulum with a torque that it cannot hold: it turns at an uneven speed."""
    np.add(TILT, np.sin(angle), out=out)


def tilted_at(angle, t):
    speed = np.sqrt(TILT**2 - 1)
    phase = np.arctan((TILT * np.tan(angle / 2) + 1) / speed) + speed * t / 2
    half = np.arctan((speed * np.tan(phase) - 1) / TILT)
    return 2 * (half + np.pi * np.round((phase - half) / np.pi))


FLOWS = {
    "tokens": (spiral, spiral_at, uniform(20, 3, rng=0)),
    "angles": (tilted, tilted_at, np.linspace(-2.5, 2.8, 20)),
}


def slope(sizes, errors):
    """Order fitted to the three finest steps whose error stands above rounding."""
    finest = np.flatnonzero((np.array(errors) > 1e-13) & (np.array(errors) < 1e-4))[-3:]
    assert len(finest) == 3
    return np.polyfit(np.log(sizes[finest]), np.log(np.array(errors)[finest]), 1)[0]


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("order", [5, 8])
def test_observed_order(flow, order):
    """Fixed steps 1, 1/2, ... 1/128 (rounding rules below) up to t = 4 against the exact solution."""
    field, exact, start = FLOWS[flow]
    sizes, errors = 2.0 ** -np.arange(0, 8), []
    for size in sizes:
        stepper = RungeKutta(field, start.copy(), TABLEAUS[order])
        for _ in range(round(4 / size)):
            stepper.attempt(size, 1.0)
            stepper.accept()
        errors.append(np.abs(stepper.state.reshape(start.shape) - exact(start, 4.0)).max())
    assert slope(sizes, errors) == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize(("order", "degree"), [(5, 4), (8, 7)])
def test_interpolant_has_its_order(flow, order, degree):
    """One step and seven fractions of it against the exact solution: local error one order above the degree."""
    field, exact, start = FLOWS[flow]
    sizes, errors = 2.0 ** -np.arange(1, 7, 0.5), []
    for size in sizes:
        stepper = RungeKutta(field, start.copy(), TABLEAUS[order])
        stepper.attempt(size, 1.0)
        stepper.prepare_interpolant(size)
        fractions = np.arange(1, 8) / 8
        errors.append(max(np.abs(stepper.interpolate(size, f) - exact(start, f * size)).max() for f in fractions))
    assert slope(sizes, errors) == pytest.approx(degree + 1, abs=0.2)


@given(order=st.sampled_from([5, 8]), size=st.floats(0.01, 1.0), fraction=st.floats(0, 1))
def test_step_and_interpolant_are_those_of_scipy(order, size, fraction):
    """scipy's own loops and form of the interpolant; coefficients up to 500 times speeds of 2 round to 1e-13."""
    start = np.array([0.3, -1.2, 2.0])
    peer = {5: RK45, 8: DOP853}[order](
        lambda _, y: TILT + np.sin(y), 0.0, start, 10.0, first_step=size, max_step=size, atol=1e9
    )
    peer.step()
    stepper = RungeKutta(tilted, start.copy(), TABLEAUS[order])
    stepper.attempt(size, 1.0)
    stepper.prepare_interpolant(size)
    np.testing.assert_allclose(stepper.trial, peer.y, rtol=0, atol=1e-13)
    np.testing.assert_allclose(
        stepper.interpolate(size, fraction), peer.dense_output()(fraction * size), rtol=0, atol=1e-13
    )


@pytest.mark.parametrize("order", [5, 8])
def test_the_error_estimate_shrinks_with_its_order_and_bounds_the_error(order):
    """The exact solution: the true error of a step stays below the estimate, which falls as h to the order."""
    field, exact, start = FLOWS["tokens"]
    sizes, estimates = 2.0 ** -np.arange(2, 8, 0.5), []
    for size in sizes:
        stepper = RungeKutta(field, start.copy(), TABLEAUS[order])
        estimates.append(stepper.attempt(size, 1.0))
        miss = stepper.trial.reshape(-1, 3) - exact(start, size)
        assert np.sqrt((miss**2).sum(axis=1).mean()) < estimates[-1] + 1e-15
    assert slope(sizes, estimates) == pytest.approx(order, abs=0.3)


@pytest.mark.parametrize("order", [5, 8])
@pytest.mark.parametrize("dim", [1, 2, 3, 5, 700])
def test_many_tokens_go_as_they_do_alone(order, dim):
    """Compiled blocks in parallel against each token by itself, serially: independent rows move independently."""
    n = 2 * PARALLEL_FROM // dim + 3
    rng = np.random.default_rng(dim)
    start = rng.uniform(-3, 3, n) if dim == 1 else uniform(n, dim, rng=rng)
    pull = normalize(rng.standard_normal((1, dim)))[0] if dim > 1 else None

    def field(x, out):
        out[:] = np.sin(x) if dim == 1 else pull - (x @ pull)[:, None] * x

    whole = RungeKutta(field, start.copy(), TABLEAUS[order])
    error = whole.attempt(0.3, 1e-6)
    whole.prepare_interpolant(0.3)
    between = whole.interpolate(0.3, 0.4)
    errors = []
    parts = np.array_split(np.arange(n), 40) if dim < 700 else np.array_split(np.arange(n), n // 5)
    for part in parts:
        few = RungeKutta(field, start[part].copy(), TABLEAUS[order])
        errors.append(few.attempt(0.3, 1e-6) ** 2 * len(part))
        few.prepare_interpolant(0.3)
        np.testing.assert_allclose(
            few.trial.reshape(start[part].shape), whole.trial.reshape(start.shape)[part], atol=1e-15
        )
        np.testing.assert_allclose(few.interpolate(0.3, 0.4), between[part], rtol=0, atol=1e-15)
    if order == 5:  # the estimate of order 8 is a quotient of two norms
        assert error == pytest.approx(np.sqrt(sum(errors) / n), rel=1e-9)
    if dim > 1:
        assert np.abs(np.linalg.norm(whole.trial.reshape(-1, dim), axis=1) - 1).max() < 4e-16


@given(exponent=st.floats(-250, 300), order=st.sampled_from([5, 8]))
def test_the_first_step_knows_no_unit_of_time(exponent, order):
    """A field 10^x times as fast: the first step shrinks by the same factor, up to speeds too large to square."""
    start = uniform(5, 3, rng=1)

    def fast(x, out):
        spiral(x, out)
        out *= 10.0**exponent

    longest = 1e307 if exponent < 0 else 1.0
    plain = RungeKutta(spiral, start, TABLEAUS[order]).first_step(1.0, 1e-6)
    assert RungeKutta(fast, start, TABLEAUS[order]).first_step(longest, 1e-6) == pytest.approx(plain / 10.0**exponent)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("call", range(1, 14))
@pytest.mark.parametrize("shape", [(7,), (7, 2), (7, 3), (7, 4)])
def test_one_number_that_is_not_finite_is_noticed(bad, call, shape):
    """Put into each of the thirteen evaluations of a step of order 8 in turn, the first being that at the start."""
    calls = []

    def field(x, out):
        out.fill(1e-3)
        calls.append(0)
        if len(calls) == call:
            out.flat[4] = bad

    start = np.zeros(shape) if len(shape) == 1 else normalize(np.ones(shape))
    with pytest.raises(FloatingPointError, match="the velocity is not finite"):  # noqa: PT012
        stepper = RungeKutta(field, start.copy(), ORDER_8)
        stepper.attempt(0.1, 1.0)
    if call > 1:
        assert np.array_equal(stepper.state, start.ravel())
