"""The integrator: order, the sphere, and how it ends."""

import numpy as np
import pytest

from gegenflow.numerics import normalize, uniform
from gegenflow.numerics.integrate import check_times, integrate


def dumbbell(x):
    """Rows flow to the first axis, each by itself: the linear flow (2x, y, z), projected."""
    pull = x * np.array([2.0, 1.0, 1.0])
    return pull - (pull * x).sum(axis=1, keepdims=True) * x


def dumbbell_at(x, t):
    return normalize(x * np.exp(t * np.array([2.0, 1.0, 1.0])))


def test_error_follows_the_tolerance_down_to_rounding():
    """Exact solution: the normalised linear flow."""
    start = uniform(20, 3, rng=0)
    errors = []
    for rtol in 10.0 ** -np.arange(4, 13):
        end = integrate(dumbbell, start, t_end=3.0, rtol=rtol, atol=rtol)
        errors.append(np.abs(end.tokens - dumbbell_at(start, 3.0)).max())
        assert errors[-1] < 30 * rtol
        assert end.status.ok
    assert errors[-1] < 1e-4 * errors[0]


def test_observed_order_is_eight():
    """One forced step with halved sizes against the exact solution: local error of order nine."""
    start = uniform(20, 3, rng=0)
    sizes, errors = 2.0 ** -np.arange(0, 4), []
    for size in sizes:
        end = integrate(dumbbell, start, t_end=size, rtol=0.5, atol=1e3)
        errors.append(np.abs(end.tokens - dumbbell_at(start, size)).max())
        assert end.steps == 1
    assert np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(9, abs=0.4)


def test_cost_grows_as_the_eighth_root_of_the_tolerance():
    """The step count of an order-eight pair: 10^(-1/8) a decade, whatever the constant."""
    start = uniform(20, 3, rng=0)
    steps = [integrate(dumbbell, start, t_end=20.0, rtol=r, atol=r).steps for r in (1e-6, 1e-12)]
    assert np.log10(steps[1] / steps[0]) / 6 == pytest.approx(1 / 8, abs=0.03)


def test_saved_tokens_lie_on_the_sphere_and_on_the_path():
    """Dense output between long steps against the exact solution."""
    start, times, seen = uniform(20, 3, rng=1), [0.0, 0.013, 0.5, 1.9, 2.0], []

    def keep(t, tokens):
        seen.append((t, tokens))

    end = integrate(dumbbell, start, t_end=2.0, save_at=times, rtol=1e-10, atol=1e-10, on_save=keep)
    assert [t for t, _ in seen] == times
    assert np.array_equal(end.t, times)
    for t, tokens in seen:
        assert np.abs(np.linalg.norm(tokens, axis=1) - 1).max() < 1e-15
        assert np.abs(tokens - dumbbell_at(start, t)).max() < 1e-8
    assert np.abs(seen[0][1] - start).max() < 1e-15
    assert np.abs(seen[-1][1] - end.tokens).max() < 1e-15
    assert end.steps < 30


def test_interrupt_keeps_what_was_reached():
    """The path up to the interrupt against the exact solution."""
    start, seen = uniform(5, 3, rng=2), []

    def impatient(t, tokens):
        if t > 1:
            raise KeyboardInterrupt
        seen.append(t)

    end = integrate(dumbbell, start, t_end=100.0, save_at=np.arange(0, 100, 0.25), on_save=impatient)
    assert not end.status.ok
    assert "interrupted at t = " in str(end.status)
    assert seen == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert np.array_equal(end.t, seen)
    np.testing.assert_allclose(end.tokens, dumbbell_at(start, end.reached), atol=1e-6)


def test_a_field_that_breaks_down_ends_in_a_status():
    """A field made to be nan after t near 1, and one with an unbounded speed."""
    start = np.array([[1.0, 0.0]])

    def turn(x):
        return np.column_stack([-x[:, 1], x[:, 0]])

    broken = integrate(lambda x: turn(x) if x[0, 0] > 0.5 else turn(x) * np.nan, start, t_end=5.0)
    assert not broken.status.ok
    assert "the velocity is not finite" in str(broken.status)
    assert 0 < broken.reached < np.pi / 3
    assert len(broken.t) == np.count_nonzero(np.linspace(0, 5, 101) <= broken.reached)
    steep = integrate(lambda x: turn(x) / (x[:, :1] - 0.5) ** 2 * np.sign(x[:, :1] - 0.5), start, t_end=5.0)
    assert not steep.status.ok
    assert "step size" in str(steep.status)


def test_nothing_to_do():
    """No time to integrate, and a field that vanishes."""
    seen = []
    still = integrate(dumbbell, np.eye(3), t_end=0.0, on_save=lambda t, x: seen.append(t))
    assert (seen, still.steps, still.status.ok) == ([0.0], 0, True)
    assert np.array_equal(integrate(dumbbell, np.eye(3), t_end=10.0).tokens, np.eye(3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"t_end": -1.0}, "t_end is -1.0"),
        ({"t_end": np.nan}, "t_end is nan"),
        ({"t_end": 1.0, "rtol": 0.0}, "rtol is 0.0"),
        ({"t_end": 1.0, "atol": -1.0}, "atol is -1.0"),
        ({"t_end": 1.0, "save_at": [0.5, 0.2]}, "not strictly increasing"),
        ({"t_end": 1.0, "save_at": [0.5, 1.2]}, r"0.5 to 1.2: the times must lie within \[0, 1\]"),
        ({"t_end": 1.0, "save_at": [np.nan]}, "finite times"),
    ],
)
def test_bad_times_and_tolerances_are_refused(arguments, message):
    """Every refusal names the value."""
    with pytest.raises(ValueError, match=message):
        integrate(dumbbell, np.eye(3), **arguments)


def test_default_times():
    """101 equispaced times, or the start alone."""
    np.testing.assert_allclose(check_times(None, 2.0), np.arange(101) / 50, rtol=1e-15)
    assert np.array_equal(check_times(None, 0.0), [0.0])
