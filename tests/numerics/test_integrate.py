"""The integrator: error, time, the sphere, saving, and how a run ends."""

import itertools
import signal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from support.signals import interrupted_after

from gegenflow.numerics import normalize, uniform
from gegenflow.numerics.fields.method import prepare_field
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.integrators.adaptive import AdaptiveSteps
from gegenflow.numerics.integrators.driver import Origin
from gegenflow.numerics.integrators.interrupts import Interrupted
from gegenflow.numerics.integrators.paths import integrate
from gegenflow.numerics.tokens.arguments import check_times
from gegenflow.numerics.tokens.geometry import check_tokens

RATES = np.array([2.0, 1.0, 1.0])


def dumbbell(x, out):
    """Rows flow to the first axis, each by itself: the linear flow (2x, y, z), projected."""
    pull = x * RATES
    np.subtract(pull, (pull * x).sum(axis=1, keepdims=True) * x, out=out)


def dumbbell_at(x, t):
    return normalize(x * np.exp(t * (RATES - RATES.max())))  # a fast machine comes to times of hundreds


def turn(x, out):
    np.stack([-x[:, 1], x[:, 0]], axis=1, out=out)


def attention(n, beta, model="usa"):
    return prepare_field(np.zeros((n, 2)), np.full(n, 1 / n), Flow(beta=beta, model=model), method="dense")


def angle_attention(n, beta):
    """The same field for angles, from differences of angles."""

    def field(angle, out):
        gap = angle[None, :] - angle[:, None]
        np.mean(np.exp(beta * np.cos(gap)) * np.sin(gap), axis=1, out=out)

    return field


def every_step(field, start, t_end, **options):
    """Times and states after each step of the stepper, without the driver."""
    steps = AdaptiveSteps(field, start, **options)
    while steps.time < t_end:
        steps.advance(t_end)
        yield steps.time, steps.at(steps.time)


def points(angle):
    return np.column_stack([np.cos(angle), np.sin(angle)])


@pytest.mark.parametrize("order", [5, 8])
def test_error_follows_the_tolerance_down_to_rounding(order):
    """Exact solution: the normalised linear flow, over nine decades of the tolerance."""
    start = uniform(20, 3, rng=0)
    errors = []
    for rtol in 10.0 ** -np.arange(3, 13):
        end = integrate(dumbbell, start, t_end=3.0, order=order, rtol=rtol, atol=rtol)
        errors.append(np.abs(end.state - dumbbell_at(start, 3.0)).max())
        assert errors[-1] < 10 * rtol + 1e-15
        assert end.status.ok
    assert np.polyfit(np.arange(3, 13), np.log10(errors), 1)[0] == pytest.approx(-1, abs=0.15)


@pytest.mark.parametrize("order", [5, 8])
def test_cost_grows_as_a_root_of_the_tolerance(order):
    """The step count of a pair whose error falls as h to the order: 10^(1/order) a decade, whatever the constant."""
    start = uniform(20, 3, rng=0)
    first, last = (integrate(dumbbell, start, t_end=20.0, order=order, rtol=r, atol=r).steps for r in (1e-6, 1e-12))
    assert np.log10(last / first) / 6 == pytest.approx(1 / order, abs=0.03)


@pytest.mark.parametrize("order", [5, 8])
def test_two_tokens_at_beta_zero_close_their_gap_exponentially(order):
    """Closed form: tan(gap/2) decays as e^-t for attention without a temperature."""
    for half in (0.1, 1.0, 1.5):
        end = integrate(attention(2, 0.0), points(np.array([half, -half])), t_end=3.0, order=order, rtol=1e-11)
        expected = np.arctan(np.tan(half) * np.exp(-3.0))
        assert np.arctan2(end.state[0, 1], end.state[0, 0]) == pytest.approx(expected, rel=0, abs=2e-10)


@pytest.mark.parametrize(("order", "method"), [(5, "RK45"), (8, "DOP853")])
@pytest.mark.parametrize(("beta", "dim", "model"), [(5.0, 2, "usa"), (3.0, 3, "sa"), (1.0, 8, "usa")])
def test_attention_agrees_with_scipy_at_no_more_evaluations(order, method, beta, dim, model):
    """scipy's solver with its own error norm and control; a fifth more evaluations is the margin allowed."""
    start, t_end = uniform(30, dim, rng=dim), 2.0 if model == "sa" else 0.2
    field, calls, allowed = attention(30, beta, model), 0, 0
    for rtol in (1e-4, 1e-6, 1e-8, 1e-10):
        end = integrate(field, start, t_end=t_end, order=order, rtol=rtol, atol=rtol / 100, save_at=[])

        def flat(_, y):
            out = np.empty_like(start)
            field(normalize(y.reshape(start.shape)), out)
            return out.ravel()

        peer = solve_ivp(flat, (0, t_end), start.ravel(), method=method, rtol=rtol, atol=rtol / 100)
        assert np.abs(end.state - normalize(peer.y[:, -1].reshape(start.shape))).max() < 300 * rtol
        calls, allowed = calls + end.evaluations, allowed + peer.nfev
    assert calls < 1.2 * allowed


@given(
    order=st.sampled_from([5, 8]),
    beta=st.floats(0, 8),
    n=st.integers(2, 12),
    seed=st.integers(0, 99),
    turns=st.integers(-9, 9),
)
def test_angles_and_tokens_give_the_same_run(order, beta, n, seed, turns):
    """Planar tokens by the dense field against angles, whole turns away, by sines of their differences."""
    angle = np.random.default_rng(seed).uniform(-3, 3, n) + 2 * np.pi * turns
    options = {"t_end": np.exp(-beta), "order": order, "rtol": 1e-10, "save_at": []}
    flat = integrate(attention(n, beta), points(angle), **options)
    round_ = integrate(angle_attention(n, beta), angle, **options)
    np.testing.assert_allclose(points(round_.state), flat.state, rtol=0, atol=1e-8)
    assert 0.5 < round_.evaluations / flat.evaluations < 2
    assert np.abs(round_.state - angle).max() < np.pi


@pytest.mark.parametrize("order", [5, 8])
def test_saved_states_lie_on_the_path_and_change_no_step(order):
    """1000 times between long steps against the exact solution, and the same run without them."""
    start, seen = uniform(20, 3, rng=1), []
    times = np.sort(np.random.default_rng(0).uniform(0, 2, 1000))
    times[0], times[-1] = 0.0, 2.0
    options = {"t_end": 2.0, "rtol": 1e-10, "atol": 1e-10, "order": order}
    end = integrate(dumbbell, start, save_at=times, observe=lambda t, x: seen.append((t, x)), **options)
    assert np.array_equal([t for t, _ in seen], times)
    assert np.array_equal(end.t, times)
    for t, tokens in seen:
        assert np.abs(np.linalg.norm(tokens, axis=1) - 1).max() < 1e-15
        assert np.abs(tokens - dumbbell_at(start, t)).max() < 2e-9
    assert np.abs(seen[0][1] - start).max() < 1e-15
    assert np.array_equal(seen[-1][1], end.state)
    assert end.steps < 80
    bare = integrate(dumbbell, start, save_at=[], **options)
    assert (bare.steps, bare.rejected, bare.memory) == (end.steps, end.rejected, end.memory)
    assert np.array_equal(bare.state, end.state)


@given(exponent=st.floats(-290, 290), order=st.sampled_from([5, 8]))
def test_no_speed_is_too_large_or_too_small(exponent, order):
    """A field 10^x times as fast over a time 10^x times as short: the exact solution is the same."""
    start, scale = uniform(5, 3, rng=3), 10.0**exponent

    def fast(x, out):
        dumbbell(x, out)
        out *= scale

    end = integrate(fast, start, t_end=2 / scale, order=order, rtol=1e-9)
    assert end.status.ok
    assert end.steps < 60
    np.testing.assert_allclose(end.state, dumbbell_at(start, 2.0), rtol=0, atol=1e-8)


@pytest.mark.parametrize("order", [5, 8])
@pytest.mark.parametrize("slow", [1e3, 1e15, 1e30, 1e43])
def test_an_event_of_length_one_between_long_passages(order, slow):
    """Closed form: dt/dangle is 1 between the angles 1 and 5 and ``slow`` outside, so 1.5 slow ends at 5.5.

    In the event steps are far below the spacing of float64 at t, and before and after it up to 1e43 times as long.
    """

    def field(angle, out):
        before, after = (np.exp(np.clip(gap / 0.01, -700, 700)) for gap in (1 - angle, angle - 5))
        out[:] = 1 / (1 + slow * (before + after + before * after) / ((1 + before) * (1 + after)))

    seen = [*every_step(field, np.zeros(1), 1.5 * slow, order=order, tol=1e-9 + 1e-10)]
    inside = [t for t, angle in seen if 1.8 < angle[0] < 4.2]
    assert inside
    np.testing.assert_allclose(inside, slow, rtol=1e-2)
    assert seen[-1][0] == 1.5 * slow
    assert seen[-1][1][0] == pytest.approx(5.5, abs=1e-2)


@pytest.mark.parametrize("order", [5, 8])
def test_steps_below_the_spacing_of_the_clock_add_up(order):
    """A turn by 1000 radians from t = 1e16, where float64 knows every other number, in steps of less than one."""
    end = integrate(turn, [[1.0, 0.0]], t_start=1e16, t_end=1e16 + 1000, order=order, rtol=1e-12, atol=0.0, save_at=[])
    assert end.steps > 1000
    np.testing.assert_allclose(end.state, [[np.cos(1000.0), np.sin(1000.0)]], rtol=0, atol=1e-8)


@given(order=st.sampled_from([5, 8]), cut=st.floats(0.01, 0.99), rtol=st.sampled_from([1e-6, 1e-9]))
def test_a_run_goes_on_where_it_stopped(order, cut, rtol):
    """Left after some step and taken up with its memory: the steps of the run that never ended, bit for bit."""
    start, options = uniform(10, 3, rng=4), {"order": order, "tol": rtol}
    whole = [*every_step(dumbbell, start, 3.0, **options)]
    number = next(k for k, (t, _) in enumerate(whole) if t > 3 * cut)
    first = AdaptiveSteps(dumbbell, start, **options)
    for _ in range(number + 1):
        first.advance(3.0)
    origin = Origin(first.time, memory=first.memory(first.time))
    second = [*every_step(dumbbell, first.at(first.time), 3.0, origin=origin, **options)]
    assert [t for t, _ in second] == [t for t, _ in whole[number + 1 :]]
    for (_, one), (_, other) in zip(second, whole[number + 1 :], strict=True):
        assert np.array_equal(one, other)


def test_few_steps_of_tokens_that_speed_up_are_rejected():
    """From a uniform start, whose perturbations grow a thousandfold: the best step shrinks threefold on the way."""
    steps = rejected = 0
    for dim, rtol in itertools.product((2, 3), (1e-4, 1e-6, 1e-8)):
        end = integrate(Flow(beta=5), uniform(2000, dim, rng=0), t_end=0.15 * dim, rtol=rtol, save_at=[])
        steps, rejected = steps + end.steps, rejected + end.rejected
    assert rejected <= steps / 8


@given(order=st.sampled_from([5, 8]), rate=st.floats(-12, 12), rtol=st.floats(-11, -4))
def test_the_first_step_fits_what_grows_exponentially(order, rate, rtol):
    """It is not rejected, and at least a fifth of the one whose error would be the tolerance, at any rate."""
    rate = 10.0**rate
    grow = lambda angle, out: np.multiply(angle, rate, out=out)  # noqa: E731
    steps = AdaptiveSteps(grow, np.full(3, 1e-3), tol=10.0**rtol, order=order)
    steps.advance(1e3 / rate)
    assert steps.rejected == 0
    assert steps.step[2] > steps.best / 5


def test_a_last_step_cut_short_leaves_the_proposal():
    """An end just behind a step: what is proposed for going on is a step as before, not the remainder."""
    start = uniform(10, 3, rng=4)
    times = [t for t, _ in every_step(dumbbell, start, 3.0, tol=1e-8 + 1e-10)]
    end = integrate(dumbbell, start, t_end=times[3] + 1e-4, save_at=[])  # steps repeat to 1e-7: errors are rounded
    assert end.steps == 5
    assert end.memory["next_step"] > (times[4] - times[3]) / 2


def test_the_driver_takes_the_steps_of_its_stepper():
    """Times and states at the end of every step against the exact solution, and the driver's own run."""
    start = uniform(5, 3, rng=5)
    seen = [*every_step(dumbbell, check_tokens(start), 3.0, tol=1e-8 + 1e-10)]
    end = integrate(dumbbell, start, t_end=3.0)
    assert len(seen) == end.steps
    assert seen[-1][0] == end.reached == 3.0
    assert np.array_equal(seen[-1][1], end.state)
    for t, x in seen:
        np.testing.assert_allclose(x, dumbbell_at(start, t), rtol=0, atol=1e-7)


def test_interrupt_keeps_what_was_reached():
    """The path up to the interrupt against the exact solution."""
    start, seen = uniform(5, 3, rng=2), []

    def impatient(t, tokens):
        if t > 1:
            raise KeyboardInterrupt
        seen.append(t)

    with pytest.raises(Interrupted) as stop:
        integrate(dumbbell, start, t_end=100.0, save_at=np.arange(0, 100, 0.25), observe=impatient)
    end = stop.value.run
    assert not end.status
    assert "interrupted at t = " in str(end.status)
    assert seen == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert np.array_equal(end.t, seen)
    np.testing.assert_allclose(end.state, dumbbell_at(start, end.reached), rtol=0, atol=1e-6)


@settings(max_examples=25)
@given(call=st.integers(1, 120), order=st.sampled_from([5, 8]))
def test_interrupt_in_the_field_keeps_the_last_step(call, order):
    """In any evaluation, those at the start and for the interpolant included: steps, times and tokens agree."""
    start, calls, seen = uniform(5, 3, rng=2), [], []

    def field(x, out):
        calls.append(0)
        if len(calls) == call:
            raise KeyboardInterrupt
        dumbbell(x, out)

    with pytest.raises(Interrupted) as stop:
        integrate(
            field, start, t_end=100.0, order=order, save_at=np.arange(0, 100, 0.1), observe=lambda t, x: seen.append(t)
        )
    end = stop.value.run
    assert str(end.status).startswith(f"interrupted at t = {end.reached:g} of 100")
    assert np.array_equal(end.t, seen)
    assert end.reached < seen[-1] + 0.1
    np.testing.assert_allclose(end.state, dumbbell_at(start, end.reached), rtol=0, atol=1e-6)


@pytest.mark.parametrize("trial", range(20))
def test_interrupt_at_a_random_moment_keeps_everything(trial):
    """Real signals: tokens are those of the exact solution at the time reached, saved times those taken in."""
    start, seen = uniform(5, 3, rng=2), []
    delay = np.random.default_rng(trial).uniform(0.005, 0.1)
    integrate(dumbbell, start, t_end=0.1)  # compiled before the alarm is set

    def observe(t, x):
        if not seen:
            signal.setitimer(signal.ITIMER_REAL, delay)
        seen.append(t)

    with pytest.raises(Interrupted) as stop, interrupted_after(1e3):
        integrate(dumbbell, start, t_end=1e5, save_at=np.arange(0, 1e3, 0.05), observe=observe, rtol=1e-9)
    end = stop.value.run
    assert "interrupted" in str(end.status)
    assert len(seen) - len(end.t) in (0, 1)
    assert np.array_equal(end.t, seen[: len(end.t)])
    np.testing.assert_allclose(end.state, dumbbell_at(start, end.reached), rtol=0, atol=1e-6)


@pytest.mark.parametrize("order", [5, 8])
def test_a_field_that_breaks_down_ends_in_a_status(order):
    """A field that is nan, or raises, beyond an angle of pi/3: no step may go there, nor leap over it."""
    start = np.array([[1.0, 0.0]])

    def silent(x, out):
        turn(x, out)
        out *= 1.0 if x[0, 0] > 0.5 else np.nan

    def loud(x, out):
        if x[0, 0] <= 0.5:
            raise FloatingPointError("too far")
        turn(x, out)

    for field, message in ((silent, "the velocity is not finite"), (loud, "too far")):
        broken = integrate(field, start, t_end=5.0, order=order)
        assert not broken.status.ok
        assert str(broken.status) == f"stopped at t = {broken.reached:g} of 5: {message}; try a smaller t_end"
        assert 0 < broken.reached < np.pi / 3
        np.testing.assert_allclose(broken.state, points(np.array([broken.reached])), rtol=0, atol=1e-7)
        assert np.isfinite(broken.state).all()
        assert len(broken.t) == np.count_nonzero(np.linspace(0, 5, 101) <= broken.reached)


def test_a_field_that_is_not_finite_at_the_start():
    """Nothing is done, and the start is given back."""
    end = integrate(lambda x, out: out.fill(np.nan), np.eye(2), t_end=5.0)
    assert str(end.status) == "stopped at t = 0 of 5: the velocity is not finite; try a smaller t_end"
    assert (end.reached, end.steps, list(end.t)) == (0.0, 0, [0.0])
    assert np.array_equal(end.state, np.eye(2))


def test_a_singular_speed_ends_in_a_status():
    """Speed 1/(x - 1/2)^2 towards x = 1/2: the exact time of arrival, int_0^(pi/3) (cos a - 1/2)^2 da."""

    def steep(x, out):
        turn(x, out)
        out *= np.sign(x[:, :1] - 0.5) / (x[:, :1] - 0.5) ** 2

    end = integrate(steep, np.array([[1.0, 0.0]]), t_end=5.0)
    assert "the step size became too small" in str(end.status)
    assert end.reached == pytest.approx(np.pi / 4 - 3 * np.sqrt(3) / 8, abs=1e-7)


def test_nothing_to_do():
    """No time to integrate, and a field that vanishes."""
    seen = []
    still = integrate(dumbbell, np.eye(3), t_end=0.0, observe=lambda t, x: seen.append(t))
    assert (seen, still.steps, still.status.ok) == ([0.0], 0, True)
    assert np.array_equal(integrate(dumbbell, np.eye(3), t_end=10.0).state, np.eye(3))
    later = integrate(dumbbell, np.eye(3), t_start=-1.0, t_end=-1.0)
    assert (list(later.t), later.reached) == ([-1.0], -1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"t_end": -1.0}, "t_end -1.0: it must be finite, >= 0"),
        ({"t_end": np.nan}, "t_end nan"),
        ({"t_end": 1.0, "t_start": 2.0}, "t_end 1.0: it must be finite, >= 2"),
        ({"t_end": 1.0, "t_start": np.nan}, "t_start nan"),
        ({"t_end": 1.0, "rtol": 0.0}, "rtol 0.0"),
        ({"t_end": 1.0, "atol": -1.0}, "atol -1.0"),
        ({"t_end": 1.0, "order": 4}, "order 4: choose from 5, 8"),
        ({"t_end": 1.0, "first_step": 0.0}, r"first_step 0.0: it must be finite, > 0 and <= 1"),
        ({"t_end": 1.0, "first_step": 2.0}, r"first_step 2.0: it must be finite, > 0 and <= 1"),
        ({"t_end": 1.0, "first_step": np.nan}, "first_step nan"),
        ({"t_end": 1.0, "save_at": [0.5, 0.2]}, "must not decrease"),
        ({"t_end": 1.0, "save_at": [0.5, 1.2]}, r"0.5 to 1.2, they must lie within \[0, 1\]"),
        ({"t_end": 1.0, "save_at": [np.nan]}, "finite times"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    """Every refusal names the value."""
    with pytest.raises(ValueError, match=message):
        integrate(dumbbell, np.eye(3), **arguments)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ([0.0, np.inf], "start: entry 1 is inf, not finite"),
        ([], "start: it is empty"),
        (["a", "b"], "start: it must be an array of real numbers"),
        (np.ma.masked_equal([0.0, 1.0], 1.0), "start: 1 of its entries is masked"),
        ([[2.0, 0.0]], "row 0 has norm 2"),
    ],
)
def test_bad_starts_are_refused(start, message):
    """Every refusal names the row."""
    with pytest.raises(ValueError, match=message):
        integrate(dumbbell, start, t_end=1.0)


def test_the_start_is_left_alone():
    """Arrays that the caller owns, tokens and angles."""
    for start in (np.eye(3), np.array([1.0, 2.0])):
        kept = start.copy()
        integrate(lambda x, out: out.fill(0.5), start, t_end=1.0)
        assert np.array_equal(start, kept)


def test_default_times():
    """101 equispaced times, or the start alone."""
    np.testing.assert_allclose(check_times(None, 2.0), np.arange(101) / 50, rtol=1e-15)
    np.testing.assert_allclose(check_times(None, 2.0, -2.0), np.arange(101) / 25 - 2, rtol=0, atol=1e-15)
    assert np.array_equal(check_times(None, 0.0), [0.0])
