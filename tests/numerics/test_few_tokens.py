"""Few tokens in one compiled loop: exact times, the driver for any field, invariances, and how a run ends."""

import signal

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, sampled_from
from scipy.stats import special_ortho_group
from support.few_tokens import MODELS, follow_few, lifetime, on_circle
from support.signals import interrupted_after

from gegenflow.numerics import simulate
from gegenflow.numerics.fields.dense import dense_sums
from gegenflow.numerics.fields.method import attention_field
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.integrators.driver import Origin
from gegenflow.numerics.integrators.few_tokens import FewSteps
from gegenflow.numerics.integrators.paths import integrate
from gegenflow.numerics.tokens.geometry import uniform


def exact_gap(tokens):
    """The angle between two tokens, from their chord, at the precision of mpmath."""
    chord = mpmath.sqrt(
        mpmath.fsum((mpmath.mpf(a) - mpmath.mpf(b)) ** 2 for a, b in zip(*tokens.tolist(), strict=True))
    )
    return 2 * mpmath.asin(chord / 2)


@pytest.mark.parametrize("tolerance", [1e-5, 1e-7, 1e-9, 1e-11])
def test_error_follows_the_tolerance_at_every_saved_time(tolerance):
    """Closed form for two tokens at beta = 0; the saved times fall into the middle of steps."""
    seen = []
    times = np.linspace(0.1, 3.0, 40)
    follow_few(
        on_circle(1.1, -1.1),
        None,
        0.0,
        t_end=3.0,
        rtol=tolerance,
        atol=0.0,
        save_at=times,
        observe=lambda t, x: seen.append(x),
    )
    slope = np.array(seen)[:, 0, 1] / np.array(seen)[:, 0, 0]
    assert np.abs(slope - np.tan(1.1) * np.exp(-times)).max() < 30 * tolerance


@given(
    n=integers(1, 12),
    dim=integers(2, 6),
    beta=floats(0, 10),
    model=sampled_from(MODELS),
    rng=integers(0, 2**32 - 1),
    duration=floats(0.01, 3),
)
def test_same_path_as_the_driver_for_any_field(n, dim, beta, model, rng, duration):
    """Another loop, another control of the step and the public field; both errors are far below the bound."""
    start = uniform(n, dim, rng=rng)
    weights = np.random.default_rng(rng).dirichlet(np.full(n, 5.0))
    duration *= np.exp(-beta) if model == "usa" else 1.0
    seen, expected = [], []

    def field(x, out):
        out[:] = attention_field(x, beta=beta, model=model, weights=weights)

    common = {"t_end": duration, "rtol": 1e-11, "atol": 0.0, "save_at": duration * np.array([0, 0.123, 0.7, 1.0])}
    end = follow_few(start, weights, beta, model=model, observe=lambda t, x: seen.append(x), **common)
    integrate(field, start, observe=lambda t, x: expected.append(x), **common)
    assert end.status.ok
    assert np.abs(np.array(seen) - np.array(expected)).max() < 1e-8
    assert np.array_equal(seen[0], expected[0])


@given(
    n=integers(2, 10), dim=integers(2, 6), beta=floats(0, 20), model=sampled_from(MODELS), rng=integers(0, 2**32 - 1)
)
def test_rotations_and_permutations_carry_over(n, dim, beta, model, rng):
    """The field knows neither axes nor an order: the path of turned and shuffled tokens is turned and shuffled."""
    start = uniform(n, dim, rng=rng)
    weights = np.random.default_rng(rng).dirichlet(np.full(n, 5.0))
    order, turn = np.random.default_rng(rng).permutation(n), special_ortho_group.rvs(dim, random_state=rng)
    duration = 2 * np.exp(-beta) if model == "usa" else 2.0
    common = {"model": model, "t_end": duration, "rtol": 1e-11, "atol": 0.0}
    straight = follow_few(start, weights, beta, **common)
    turned = follow_few((start @ turn.T)[order], weights[order], beta, **common)
    assert np.abs((straight.state @ turn.T)[order] - turned.state).max() < 1e-8


@pytest.mark.parametrize(("gap", "beta", "model"), [(0.7, 40, "sa"), (2.8, 200, "usa")])
def test_lifetimes_up_to_ten_to_the_166_are_exact(beta, gap, model):
    """The exact quadrature of the gap of two clusters, at 25 digits: it knows no steps and no vectors."""
    start, weights, seen = on_circle(0.3, 0.3 + gap), (0.3, 0.7), []
    with mpmath.workdps(25):
        total = float(lifetime(exact_gap(start), mpmath.mpf("0.01"), weights, beta, model))
        follow_few(
            start,
            weights,
            beta,
            model=model,
            t_end=total,
            rtol=1e-12,
            atol=0.0,
            save_at=[0.5 * total, 0.9 * total],
            observe=lambda t, x: seen.append((t, x)),
        )
        assert len(seen) == 2
        for time, tokens in seen:
            assert float(lifetime(exact_gap(start), exact_gap(tokens), weights, beta, model)) == pytest.approx(
                time, rel=1e-8
            )


@pytest.mark.parametrize(("beta", "gaps"), [(40, (2.0, 0.9)), (200, (1.0, 1.3)), (200, (2.0, 0.2)), (200, (0.05, 2.9))])
def test_forces_between_merged_clusters_are_exact(beta, gaps):
    """Relative to themselves, against mpmath with overlaps of exactly normalised tokens: no difference form there."""
    copies = (1, 7, 100)
    tokens = np.repeat(on_circle(0.4, 0.4 + gaps[0], 0.4 + sum(gaps)), copies, axis=0)
    weights = np.random.default_rng(0).dirichlet(np.ones(len(tokens)))
    drift, normalizer = dense_sums(tokens, weights, float(beta))
    firsts = [0, 1, 8]
    with mpmath.workdps(150):
        masses = [mpmath.fsum(map(mpmath.mpf, part.tolist())) for part in np.split(weights, firsts[1:])]
        centres = [mpmath.matrix(tokens[k].tolist()) / mpmath.norm(mpmath.matrix(tokens[k].tolist())) for k in firsts]
        for k, x in zip(firsts, centres, strict=True):
            overlap = [(x.T * y)[0] for y in centres]
            factor = [m * mpmath.exp(beta * (c - 1)) for m, c in zip(masses, overlap, strict=True)]
            force = mpmath.matrix([0, 0])
            for f, c, y in zip(factor, overlap, centres, strict=True):
                force += f * (y - c * x)
            assert float(mpmath.norm(mpmath.matrix(drift[k].tolist()) - force) / mpmath.norm(force)) < 1e-12
            assert normalizer[k] == pytest.approx(float(mpmath.fsum(factor)), rel=1e-13)


def test_a_run_taken_up_again_is_the_same_run():
    """One run against two halves that pass on the time, the tokens and the next step."""
    start = uniform(6, 3, rng=4)
    common = {"model": "sa", "rtol": 1e-11, "atol": 0.0}
    whole = follow_few(start, None, 9.0, t_end=8.0, **common)
    half = follow_few(start, None, 9.0, t_end=3.0, **common)
    rest = follow_few(half.state, None, 9.0, t_end=8.0, origin=Origin(3.0, memory=half.memory), **common)
    assert np.abs(whole.state - rest.state).max() < 1e-9
    assert rest.evaluations < whole.evaluations


def test_tokens_in_one_place_stay_there_to_the_last_bit():
    """Equal tokens feel equal forces, summed in equal order, however long they are followed."""
    tokens = follow_few(np.repeat(on_circle(0.0, 2.0), 5, axis=0), None, 30.0, model="sa", t_end=1e4).state
    assert np.array_equal(tokens[:5], np.repeat(tokens[:1], 5, axis=0))


def test_one_token_and_exact_balance_stand_still():
    """No force at all: one step to the end."""
    for start in ([[0.6, 0.8]], [[1.0, 0.0], [-1.0, 0.0]]):
        end = follow_few(start, None, 3.0, model="sa", t_end=1e90)
        assert end.steps <= 2
        assert np.array_equal(end.state, start)
        assert (end.reached, str(end.status)) == (1e90, "reached t = 1e+90")


def test_the_run_stops_where_two_tokens_meet():
    """The distance at the end, and at beta = 0 the closed form of the time."""
    steps = FewSteps(on_circle(1.0, -1.0), np.full(2, 0.5), Flow(beta=0), tol=1e-10, merge=1e-8)
    while not steps.met:
        steps.advance(100.0)
    end = steps.at(steps.time)
    assert np.linalg.norm(end[0] - end[1]) == pytest.approx(1e-8, rel=1e-6)
    assert steps.time == pytest.approx(np.log(np.tan(1) / 5e-9), abs=2e-6)


def test_interrupt_keeps_what_was_reached():
    """A signal into a run that would take days; what it kept is the path of a run that ends there."""
    start, seen = uniform(60, 3, rng=0), []

    def interrupt(*_):
        raise KeyboardInterrupt

    def observe(t, x):
        seen.append(t)
        if t == 1.5:
            signal.setitimer(signal.ITIMER_REAL, 0.2)

    with interrupted_after(1e3, interrupt):
        end = follow_few(start, None, 9.0, model="sa", t_end=1e12, save_at=[0, 1.5, 1e12], observe=observe)
    assert end.interrupted
    assert "interrupted at t = " in str(end.status)
    assert seen == end.t.tolist() == [0, 1.5]
    assert 1.5 < end.reached < 1e12
    assert np.abs(np.linalg.norm(end.state, axis=1) - 1).max() < 1e-14


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"t_end": 1e250}, r"t_end 1e\+250: for this beta and model it must be at most 1e\+240"),
        ({"t_end": 1e200, "beta": 200.0, "model": "usa"}, "at most 1.38e"),
        ({"beta": -151.0}, "beta -151.0"),
        ({"model": "softmax"}, "model softmax"),
        ({"rtol": 0.0}, "rtol 0.0"),
        ({"first_step": 0.0}, "first_step 0.0: it must be finite, > 0"),
        ({"save_at": [2.0]}, "save_at: its times run from 2 to 2"),
        ({"tokens": [[2.0, 0.0]]}, "row 0 has norm 2"),
        ({"weights": [0.5, 0.5]}, "weights: they have shape"),
    ],
)
def test_bad_input_is_refused(change, message):
    """Every refusal names the value."""
    arguments = {"tokens": np.eye(3), "weights": None, "beta": 1.0, "model": "sa", "t_end": 1.0} | change
    with pytest.raises(ValueError, match=message):
        simulate(**arguments)
