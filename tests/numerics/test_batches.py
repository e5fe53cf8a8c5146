"""Many small runs at once: simulate and exact solutions say what each must be, and none depends on the others."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, sampled_from
from support.few_tokens import MODELS, lifetime, on_circle
from support.signals import interrupted_after

from gegenflow import numerics as nm
from gegenflow.numerics import Interrupted, Refused, simulate, simulate_batch, uniform
from gegenflow.numerics.fields.compiled.elementary import LOG2_E
from gegenflow.numerics.fields.compiled.lane_sums import lane_velocity
from gegenflow.numerics.fields.compiled.vectors import LANES
from gegenflow.numerics.fields.dense import dense_sums
from gegenflow.numerics.runs.batches.batch import LEAST_WEIGHT
from gegenflow.numerics.runs.batches.steps import advance
from gegenflow.numerics.runs.batches.work import CAUSE, ENDED, STUCK, works


def starts(runs, n, dim, rng):
    """Uniform tokens for each run."""
    return np.stack([uniform(n, dim, rng=stream) for stream in np.random.default_rng(rng).spawn(runs)])


@settings(max_examples=20)
@given(
    n=integers(1, 13),
    dim=sampled_from([2, 3, 8]),
    beta=floats(0, 20),
    model=sampled_from(MODELS),
    rng=integers(0, 2**32 - 1),
    duration=floats(0.01, 3),
)
def test_every_run_is_that_of_simulate(n, dim, beta, model, rng, duration):
    """Other sums in another order, other steps: both errors are far below the bound, at every saved time."""
    tokens = starts(9, n, dim, rng)
    duration *= np.exp(-beta) if model == "usa" else 1.0
    times = duration * np.array([0, 0.123, 0.7, 0.7, 1.0])
    common = {"beta": beta, "model": model, "t_end": duration, "save_at": times, "rtol": 1e-11, "atol": 0.0}
    common["weights"] = np.random.default_rng(rng).dirichlet(np.full(n, 5.0))
    batch = simulate_batch(tokens, **common)
    assert batch.status.ok
    for run, start in enumerate(tokens):
        alone = simulate(start, **common)
        assert np.abs(batch.trajectories[run] - alone.trajectories).max() < 1e-8
        assert np.abs(batch.tokens[run] - alone.tokens).max() < 1e-8
        assert np.array_equal(batch.trajectories[run, 0], alone.trajectories[0])
    assert np.array_equal(batch.trajectories[:, -1], batch.tokens)


@pytest.mark.parametrize("dim", [2, 3, 8])
@pytest.mark.parametrize("model", MODELS)
def test_fifty_tokens_are_as_exact_as_the_tolerance_says(dim, model):
    """Ten runs at the default tolerance against simulate at one 10,000 times smaller."""
    tokens, common = starts(10, 50, dim, dim), {"beta": 5.0, "model": model, "t_end": 0.3 if model == "usa" else 3.0}
    batch = simulate_batch(tokens, **common)
    for run, start in enumerate(tokens):
        exact = simulate(start, rtol=1e-12, atol=0.0, save_at=[], **common).tokens
        assert np.abs(batch.tokens[run] - exact).max() < 1e-6  # 100 tolerances


@pytest.mark.parametrize("tolerance", [1e-5, 1e-7, 1e-9, 1e-11])
def test_error_follows_the_tolerance_at_every_saved_time(tolerance):
    """Closed form for two tokens at beta = 0, from 20 gaps; the saved times fall into the middle of steps."""
    half, times = np.linspace(0.1, 1.2, 20), np.linspace(0.1, 3.0, 40)
    tokens = np.stack([on_circle(angle, -angle) for angle in half])
    batch = simulate_batch(tokens, beta=0.0, t_end=3.0, save_at=times, rtol=tolerance, atol=0.0)
    slope = batch.trajectories[:, :, 0, 1] / batch.trajectories[:, :, 0, 0]
    assert np.abs(slope - np.tan(half)[:, None] * np.exp(-times)).max() < 30 * tolerance


@pytest.mark.parametrize(
    ("copies", "beta", "gap", "model"), [(1, 200, 2.8, "usa"), (3, 40, 0.7, "usa"), (4, 200, 0.7, "sa")]
)
def test_lifetimes_of_clusters_up_to_ten_to_the_166_are_exact(beta, gap, model, copies):
    """The exact quadrature of the gap of two clusters, at 25 digits, from forces of 1e-166 of the largest."""
    pair, masses = on_circle(0.3, 0.3 + gap), (0.3, 0.7)
    tokens, weights = np.repeat(pair, copies, axis=0), np.repeat(masses, copies) / copies
    with mpmath.workdps(25):
        total = float(lifetime(_angle(*pair), mpmath.mpf("0.01"), masses, beta, model))
        common = {"beta": beta, "model": model, "weights": weights, "rtol": 1e-12, "atol": 0.0}
        batch = simulate_batch([tokens, tokens], t_end=total, save_at=[0.5 * total, 0.9 * total], **common)
        for time, path in zip(batch.t, batch.trajectories[1], strict=True):
            after = _angle(path[0], path[-1])
            assert float(lifetime(_angle(*pair), after, masses, beta, model)) == pytest.approx(time, rel=1e-8)


def _angle(first, second):
    chord = mpmath.sqrt(mpmath.fsum((mpmath.mpf(a) - mpmath.mpf(b)) ** 2 for a, b in zip(first, second, strict=True)))
    return 2 * mpmath.asin(chord / 2)


@pytest.mark.parametrize("n", [2, 7, 8])
@pytest.mark.parametrize("dim", [2, 3, 8])
def test_forces_are_accurate_relative_to_themselves(n, dim):
    """Each against the dense sums of its run, in which two groups of tokens lie within 1e-9 of one another."""
    rng, beta = np.random.default_rng(n), 150.0
    tokens, weights = starts(LANES, n, dim, dim), rng.dirichlet(np.ones(n))
    tokens[:, n // 2 :] = tokens[:, :1] + 1e-9 * rng.standard_normal((LANES, n - n // 2, dim))
    tokens /= np.linalg.norm(tokens, axis=2, keepdims=True)
    rows = np.zeros(3 * tokens.size)
    rows[: tokens.size] = tokens.transpose(1, 2, 0).ravel()
    for divided in (False, True):
        room = np.empty(n * (dim + 1) * LANES)
        lane_velocity(weights, -0.5 * LOG2_E * beta, divided, rows, room, 0, tokens.size, 2 * tokens.size)
        found = rows[2 * tokens.size :].reshape(n, dim, LANES).transpose(2, 0, 1)
        for lane in range(LANES):
            drift, total = dense_sums(tokens[lane], weights, beta)
            expected = drift / total[:, None] if divided else drift
            error = np.linalg.norm(found[lane] - expected, axis=1)
            assert (error <= 1e-6 * np.linalg.norm(expected, axis=1)).all()  # gaps of 1e-9 have 7 digits


def test_forces_between_the_lightest_tokens_are_accurate_at_the_smallest_exponentials():
    """Two tokens, the other of all weight, at exp(-591): against the dense sums, which multiply no two weights."""
    tokens, weights, beta = on_circle(0.3, 3.2), np.array([LEAST_WEIGHT, 1.0]), 300.0
    rows = np.zeros(12 * LANES)
    rows[: 4 * LANES] = np.repeat(tokens.ravel(), LANES)
    for divided in (False, True):
        lane_velocity(weights, -0.5 * LOG2_E * beta, divided, rows, np.empty(6 * LANES), 0, 4 * LANES, 8 * LANES)
        drift, total = dense_sums(tokens, weights, beta)
        expected = drift / total[:, None] if divided else drift
        assert np.allclose(rows[8 * LANES :: LANES].reshape(2, 2), expected, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("groups", [[0, 1, 1, 1, 1], [0, 1, 0, 1, 0, 0, 0]])
def test_tokens_that_rounding_alone_moves_are_at_rest(groups):
    """Opposite groups at beta = 300: velocities of 1e-276 that differ where tokens coincide."""
    rng = np.random.default_rng(len(groups))
    for angle in rng.uniform(0, 2 * np.pi, 10):
        tokens = on_circle(angle) * (-1.0) ** np.array(groups)[:, None]
        common = {"beta": 300.0, "model": "sa", "weights": rng.dirichlet(np.full(len(groups), 3.0)), "t_end": 1.5}
        for run in (simulate_batch([tokens], **common), simulate(tokens, save_at=[], **common)):
            assert run.status.ok
            assert np.abs(run.tokens - tokens).max() < 1e-15


def test_a_run_does_not_depend_on_the_others():
    """Bit for bit: alone, backwards, in one thread, beside others, from the parameters."""
    tokens = starts(21, 11, 3, 5)
    common = {"beta": 4.0, "model": "sa", "t_end": 2.0, "save_at": [0.3, 1.1]}
    batch = simulate_batch(tokens, **common)
    assert np.ptp(batch.steps) > 0
    assert batch == simulate_batch(tokens, **common)
    assert batch == simulate_batch(tokens, **batch.parameters)
    assert batch == simulate_batch(tokens, threads=1, **common)
    for chosen in (slice(None, None, -1), slice(4, 5), slice(2, 17, 3)):
        part = simulate_batch(tokens[chosen], **common)
        for name in ("tokens", "trajectories", "steps", "evaluations", "reached"):
            assert np.array_equal(getattr(part, name), getattr(batch, name)[chosen]), name


def test_saving_changes_no_step():
    """The states between steps come from an interpolant."""
    tokens = starts(9, 6, 2, 1)
    bare = simulate_batch(tokens, beta=3.0, t_end=1.0)
    assert bare.trajectories.shape == (9, 0, 6, 2)
    assert np.array_equal(simulate_batch(tokens, beta=3.0, t_end=1.0, save_at=[0.1, 0.5]).tokens, bare.tokens)


def test_a_run_without_hope_costs_only_itself():
    """Two tokens that have met hold up the middle one; antipodal ones stand still for ever, as do equal ones."""
    still, equal, moving = [[1.0, 0.0], [-1.0, 0.0]], [[0.6, 0.8], [0.6, 0.8]], [[1.0, 0.0], [0.6, 0.8]]
    batch = simulate_batch([still, moving, equal], beta=1.0, model="sa", t_end=1e13, save_at=[1.0, 1e13])
    assert list(batch.problems) == [1]
    assert "at this pace it takes too many steps" in batch.problems[1]
    assert str(batch.status).startswith("2 of 3 runs reached t = 1e+13; run 1 stopped at t = ")
    assert not batch.status.ok
    assert batch.reached[[0, 2]].tolist() == [1e13, 1e13]
    assert 1 < batch.reached[1] < 1e13
    assert np.array_equal(batch.tokens[[0, 2]], [still, equal])
    assert np.isnan(batch.trajectories[1, 1]).all()
    assert np.isfinite(batch.trajectories[:, 0]).all()


def test_a_run_that_is_no_number_costs_only_itself():
    """Behind the checks: the lane stops, those beside it go on as without it."""
    tokens = starts(10, 5, 3, 2)
    common = {"rate": -1.0, "divided": False, "tolerance": 1e-8, "end": 1.0}
    ends = []
    for spoilt in (False, True):
        moved = tokens.copy()
        moved[3, 2, 1] = np.nan if spoilt else moved[3, 2, 1]
        (work,) = works(1, moved, np.full(5, 0.2), np.empty(0), **common)
        while advance(work, 10):
            pass
        ends.append((work.counts[:, CAUSE].tolist(), moved))
    assert ends[0][0] == [ENDED] * 10
    assert ends[1][0] == [ENDED] * 3 + [STUCK] + [ENDED] * 6
    others = np.arange(10) != 3
    assert np.array_equal(ends[0][1][others], ends[1][1][others])


def test_no_time_at_all():
    """The starts come back."""
    tokens = starts(3, 4, 2, 0)
    batch = simulate_batch(tokens, beta=1.0, t_end=0.0, save_at=[0.0])
    assert np.abs(batch.tokens - tokens).max() < 1e-15
    assert np.array_equal(batch.trajectories[:, 0], batch.tokens)
    assert batch.status.ok


def test_interrupt_keeps_what_was_reached():
    """A signal into a batch of many seconds: runs that were done are as alone, the last were not begun."""
    tokens, common = starts(20_000, 50, 2, 3), {"beta": 5.0, "t_end": 3.0}
    simulate_batch(tokens[:1], beta=5.0, t_end=0.01)
    with pytest.raises(Interrupted) as stop, interrupted_after(1.0):
        simulate_batch(tokens, **common)
    batch = stop.value.run
    assert str(batch.status).startswith("interrupted: ")
    done = np.flatnonzero(batch.reached == 3.0)
    assert set(done) == set(range(20_000)) - set(batch.problems)
    assert 0 < len(done) < 20_000
    assert np.array_equal(batch.tokens[done[:9]], simulate_batch(tokens[done[:9]], **common).tokens)
    waiting = batch.reached == 0.0
    assert waiting[-1]
    assert np.abs(batch.tokens[waiting] - tokens[waiting]).max() < 1e-15
    between = (batch.reached > 0) & (batch.reached < 3.0)
    assert 0 < between.sum() <= 4 * LANES
    assert np.abs(np.linalg.norm(batch.tokens, axis=2) - 1).max() < 1e-12
    run = int(np.flatnonzero(between)[0])
    same = simulate(tokens[run], beta=5.0, t_end=batch.reached[run], rtol=1e-12, atol=0.0).tokens
    assert np.abs(batch.tokens[run] - same).max() < 1e-6


def test_it_prints_as_a_table():
    """What it is, how it went, what it cost."""
    text = repr(simulate_batch(starts(3, 4, 2, 0), beta=1.0, t_end=0.5))
    assert text.startswith("BatchRun: 3 runs of 4 tokens, dim 2, beta 1.0, model usa\n")
    assert "3 runs reached t = 0.5" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"starts": np.eye(3)}, r"starts: they have shape \(3, 3\), expected \(runs, n, dim\)"),
        ({"starts": np.zeros((0, 3, 2))}, "all >= 1 and dim >= 2"),
        ({"starts": [np.eye(3), 2 * np.eye(3)]}, "starts of run 1: row 0 has norm 2"),
        ({"starts": np.ones((1, 6000, 2)) / np.sqrt(2)}, "n dim is 12,000; beyond 10,000 take simulate"),
        ({"weights": [0.5, 0.5, 1e-200]}, "weights 1e-200: simulate_batch takes weights >= 1e-20"),
        ({"weights": [0.5, 0.5]}, "weights: they have shape"),
        ({"t_end": 1e250}, r"t_end 1e\+250: for this beta and model it must be at most 1e\+240"),
        ({"save_at": [2.0]}, "save_at: its times run from 2 to 2"),
        ({"rtol": 0.0}, "rtol 0.0"),
        ({"threads": 0}, "threads 0"),
        ({"merge": 1e-9}, "merge: simulate_batch does not take it; simulate does, for one run at a time"),
        ({"stop_when": ()}, "stop_when: simulate_batch does not take it"),
        ({"noise": 0.1}, "noise 0.1: simulate_batch takes no flow with this part"),
        ({"causal": nm.Causal()}, "causal: simulate_batch takes no flow with this part"),
        ({"beta": None, "heads": [nm.Head(beta=1)]}, "heads: simulate_batch takes no flow with this part"),
        ({"beta": None, "kernel": np.tanh}, "kernel: simulate_batch takes beta; simulate takes kernels"),
    ],
)
def test_bad_input_is_refused(change, message):
    """Every refusal names the value, and what to use in its place."""
    arguments = {"starts": [np.eye(3)], "beta": 1.0, "model": "sa", "t_end": 1.0} | change
    with pytest.raises(Refused, match=message):
        simulate_batch(**arguments)


def test_paths_beyond_the_memory_are_refused():
    """With the size of what was asked for."""
    tokens = np.broadcast_to(np.eye(100)[0], (1000, 100, 100))
    with pytest.raises(Refused, match=r"save_at: 1,000 runs of 10,000 numbers at 1,000,000 times take 8e\+04 GB"):
        simulate_batch(tokens, beta=1.0, t_end=1.0, save_at=np.linspace(0, 1, 10**6))
