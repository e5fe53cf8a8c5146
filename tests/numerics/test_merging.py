"""Merging: when it is right, that it changes nothing else, and the lifetimes of many clusters."""

import signal

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, lists, sampled_from
from scipy.integrate import solve_ivp
from scipy.stats import special_ortho_group
from support.few_tokens import MODELS, follow_few, follow_merging, lifetime, on_circle

from gegenflow.numerics import simulate
from gegenflow.numerics.fields.method import attention_field
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.parts import Head
from gegenflow.numerics.integrators.merging import stretching_rates
from gegenflow.numerics.tokens.geometry import normalize, uniform


def largest_rate(tokens, weights, flow):
    """Largest eigenvalue of the Jacobian of the field that a token without weight would feel at the first token."""
    x, width = tokens[0], 1e-4
    basis = np.linalg.svd(x[None])[2][1:]

    def felt(point):  # the field of the tokens at another place: a token of weight zero, by a limit of small weight
        probe = np.concatenate([normalize(point[None]), tokens])
        field = attention_field(probe, flow, weights=np.concatenate([[1e-14], weights * (1 - 1e-14)]))[0]
        return field - (field @ x) * x

    columns = [(felt(x + width * b) - felt(x - width * b)) / (2 * width) for b in basis]
    jacobian = basis @ np.array(columns).T
    return np.linalg.eigvalsh((jacobian + jacobian.T) / 2)[-1]


@given(
    n=integers(1, 8),
    dim=integers(2, 5),
    betas=lists(floats(0, 30), min_size=1, max_size=3),
    gain=floats(-2, 2).filter(bool),
    model=sampled_from(MODELS),
    rng=integers(0, 2**32 - 1),
)
def test_the_stretching_rate_bounds_every_jacobian_and_in_dim_2_is_it(n, dim, betas, gain, model, rng):
    """Central differences of the velocity of a massless probe: no derivative was taken by hand."""
    tokens, weights = uniform(n, dim, rng=rng), np.random.default_rng(rng).dirichlet(np.full(n, 2.0))
    gains = [1.0, gain, -gain][: len(betas)]
    heads = [Head(beta=beta, value=g * np.eye(dim)) for beta, g in zip(betas, gains, strict=True)]
    flow = Flow(heads=heads, model=model) if len(heads) > 1 else Flow(beta=betas[0], model=model)
    scale = np.exp(-max(betas)) if model == "usa" else 1.0
    measured = scale * largest_rate(tokens, weights, flow)
    claimed = stretching_rates(tokens, weights, flow)[0]
    error = 1e-7 * (1 + max(betas)) ** 2 * (1 + abs(gain))
    assert claimed > measured - error
    if dim == 2:
        assert claimed == pytest.approx(measured, abs=error)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("second", [(0.5, 3.0), (-0.3, 1.0), (2.0, 40.0)])
def test_two_tokens_under_two_heads_merge_when_their_gap_says(model, second):
    """The quadrature of the gap under the sum of both heads, one of which may repel."""
    heads, weights = ((1.0, 20.0), second), (mpmath.mpf("0.3"), mpmath.mpf("0.7"))

    def slowness(log_gap):
        gap, total = mpmath.exp(log_gap), 0
        for gain, beta in heads:
            pull = mpmath.exp(-2 * beta * mpmath.sin(gap / 2) ** 2)
            light, heavy = weights
            sa = heavy / (light + heavy * pull) + light / (heavy + light * pull)
            total += gain * pull * (sa if model == "sa" else mpmath.exp(beta - 20))
        return gap / (mpmath.sin(gap) * total)

    last = 2 * mpmath.asin(mpmath.mpf("1e-9") / 2)
    expected = mpmath.quad(slowness, mpmath.linspace(mpmath.log(last), mpmath.log(mpmath.mpf("0.4")), 33))
    unit = mpmath.exp(-20) if model == "usa" else 1
    flow = Flow(heads=[Head(beta=beta, value=gain * np.eye(2)) for gain, beta in heads], model=model)
    run = simulate(on_circle(0.0, 0.4), flow, t_end=1e3 * float(unit), merge=1e-9, weights=(0.3, 0.7), save_at=[])
    assert run.status.ok
    assert run.merges[:, 1].tolist() == [1]
    assert run.merges[0, 0] == pytest.approx(float(unit * expected), rel=1e-7, abs=1e-4 * float(unit))


def closing_times(angles, weights, beta, model, closed):
    """Times at which clusters on the circle meet, from gaps alone.

    The independent route: gaps as unknowns, the logarithm of the time left out, scipy's integrator in an internal
    time in which the fastest gap closes at speed one, restarted with one gap less where a gap has closed.
    """
    gaps, masses, clock, met = np.diff(angles), np.array(weights, float), mpmath.mpf(0), []

    def speeds(gaps, masses):
        place = np.concatenate([[0], np.cumsum(gaps)])
        apart = place[None, :] - place[:, None]
        shift = 2 * np.sin(gaps.min() / 2) ** 2
        exponent = -2 * np.sin(apart / 2) ** 2
        factor = masses * np.exp(beta * np.where(apart == 0, -np.inf, exponent + shift))
        velocity = (factor * np.sin(apart)).sum(axis=1)
        if model == "sa":
            velocity /= masses + (masses * np.exp(beta * np.where(apart == 0, -np.inf, exponent))).sum(axis=1)
        return np.diff(velocity), beta * shift - (beta if model == "usa" else 0.0)  # times e^-the second

    while len(gaps):
        reference = speeds(gaps, masses)[1]

        def right(_, y, masses=masses, reference=reference):
            change, exponent = speeds(y[:-1], masses)
            speed = np.abs(change).max() / y[:-1].min()
            return np.append(change / speed, np.exp(exponent - reference) / speed)

        def closes(_, y):
            return y[:-1].min() - closed

        closes.terminal = True
        way = solve_ivp(
            right, (0, 1e4), np.append(gaps, 0.0), method="DOP853", rtol=3e-14, atol=1e-18, events=closes, max_step=0.2
        )
        clock += mpmath.exp(reference) * mpmath.mpf(way.y[-1, -1])
        met.append(float(clock))
        gaps = way.y[:-1, -1]
        k = int(gaps.argmin())
        left, right_mass = masses[k], masses[k + 1]
        share = right_mass / (left + right_mass)
        if k > 0:
            gaps[k - 1] += share * gaps[k]
        if k + 1 < len(gaps):
            gaps[k + 1] += (1 - share) * gaps[k]
        gaps, masses = np.delete(gaps, k), np.delete(masses, k)
        masses[k] = left + right_mass
    return met


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("beta", "angles", "weights"),
    [
        (40, (0.0, 1.0, 2.2), (0.2, 0.5, 0.3)),
        (200, (0.0, 1.0, 2.1), (0.3, 0.3, 0.4)),
        (100, (0.0, 0.9, 1.7, 2.9), (0.1, 0.3, 0.4, 0.2)),
        (200, (0.0, 0.5, 1.1, 1.8), (0.25, 0.25, 0.25, 0.25)),
    ],
)
def test_clusters_meet_when_their_gaps_say(beta, angles, weights, model):
    """Three and four clusters against gaps in an internal time of their own, followed by scipy."""
    expected = closing_times(angles, weights, beta, model, 1e-9)
    end, steps = follow_merging(
        on_circle(*angles), weights, beta, model=model, t_end=1e150, rtol=1e-12, atol=0.0, save_at=[]
    )
    assert end.status.ok
    assert steps.merges[:, 1].tolist() == list(range(len(angles) - 1, 0, -1))
    unit = np.exp(-beta) if model == "usa" else 1.0
    assert steps.merges[:, 0] == pytest.approx(expected, rel=1e-8, abs=60 * unit)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("beta", "gap", "merge"), [(0, 2.0, 1e-9), (4, 1.0, 1e-9), (9, 0.5, 1e-8), (25, 1.5, 1e-9)])
def test_a_merge_is_where_the_distance_is_that_of_merging(beta, gap, merge, model):
    """The quadrature of the gap down to the distance of merging; ends of steps would be up to one unit late."""
    start, weights = on_circle(0.0, gap), (0.3, 0.7)
    _, steps = follow_merging(
        start, weights, beta, model=model, t_end=1e20, rtol=1e-6 if merge > 5e-9 else 1e-8, atol=0.0, merge=merge
    )
    expected = float(lifetime(mpmath.mpf(gap), 2 * mpmath.asin(mpmath.mpf(merge) / 2), weights, beta, model))
    late, unit = steps.merges[0, 0] - expected, np.exp(-beta) if model == "usa" else 1.0
    assert abs(late) < 1e-4 * unit + 1e-7 * expected


def test_the_merge_of_an_example_worked_by_hand():
    """SA, beta 4, two tokens 1 radian apart, merged at 1e-9: the integral of (1 + e^(4 (1 - cos x)))/(2 sin x)."""
    run = simulate(on_circle(0.0, 1.0), beta=4.0, model="sa", t_end=100.0, merge=1e-9)
    assert run.merges.tolist() == [[pytest.approx(21.7403306, abs=1e-5), 1.0]]


@pytest.mark.parametrize("model", MODELS)
def test_a_chain_of_merges_keeps_the_weights(model):
    """Exact quadrature for two clusters of the summed weights, after 59 tokens have merged in many steps."""
    rng = np.random.default_rng(3)
    place = np.concatenate([rng.uniform(-0.05, 0.05, 40), 2 + rng.uniform(-0.05, 0.05, 20)])
    weights = rng.dirichlet(np.ones(60))
    seen = []
    _, steps = follow_merging(
        on_circle(*place),
        weights,
        100.0,
        model=model,
        t_end=1e90,
        rtol=1e-12,
        atol=0.0,
        save_at=[1e-30 if model == "usa" else 1e4],
        observe=lambda t, x: seen.append(x),
    )
    assert steps.merges[:, 1][-2:].tolist() == [2, 1]
    masses = weights[:40].sum(), weights[40:].sum()
    apart = np.linalg.norm(seen[0][0] - seen[0][-1])
    assert np.ptp(seen[0][:40], axis=0).max() == np.ptp(seen[0][40:], axis=0).max() == 0
    with mpmath.workdps(25):
        expected = float(lifetime(2 * mpmath.asin(apart / 2), mpmath.mpf("1e-9"), masses, 100, model))
    assert steps.merges[:, 0][-1] == pytest.approx(expected, rel=1e-8)
    assert len(np.unique(steps.labels)) == 1


@given(
    n=integers(2, 30), dim=integers(2, 4), beta=floats(0, 12), model=sampled_from(MODELS), rng=integers(0, 2**32 - 1)
)
def test_merging_moves_no_token_by_more_than_the_tolerance_allows(n, dim, beta, model, rng):
    """The same run without merging, at times when clusters have formed."""
    start = normalize(uniform(n, dim, rng=rng) + np.eye(dim)[0])
    weights = np.random.default_rng(rng).dirichlet(np.full(n, 5.0))
    duration = 40 * np.exp(-beta) if model == "usa" else 40.0
    common = {"model": model, "rtol": 1e-10, "atol": 0.0, "save_at": []}
    merging, steps = follow_merging(start, weights, beta, t_end=duration, **common)
    plain = follow_few(start, weights, beta, t_end=merging.reached, **common)
    assert merging.status.ok or "could be pulled apart" in str(merging.status)
    assert np.abs(merging.state - plain.state).max() < 1e-6
    assert steps.merges.shape[1] == 2
    assert (np.diff(steps.merges[:, 1]) < 0).all()
    assert (np.diff(steps.merges[:, 0]) >= 0).all()


@given(rng=integers(0, 2**32 - 1), model=sampled_from(MODELS), dim=integers(2, 5))
def test_rotations_and_permutations_carry_over(rng, model, dim):
    """Merge times of clusters in a plane against those of the same clusters turned into any dimension and shuffled."""
    random = np.random.default_rng(rng)
    place = np.array([0.0, 0.9, 2.1]).repeat(4) + random.uniform(-0.1, 0.1, 12)
    weights = random.dirichlet(np.full(12, 5.0))
    order, turn = random.permutation(12), special_ortho_group.rvs(dim, random_state=rng)[:, :2]
    common = {"model": model, "t_end": 1e60, "rtol": 1e-11, "atol": 0.0, "save_at": []}
    flat_end, flat = follow_merging(on_circle(*place), weights, 80.0, **common)
    turned_end, turned = follow_merging((on_circle(*place) @ turn.T)[order], weights[order], 80.0, **common)
    assert turned.merges[-2:, 1].tolist() == flat.merges[-2:, 1].tolist() == [2, 1]
    assert turned.merges[-2:, 0] == pytest.approx(flat.merges[-2:, 0], rel=1e-6)
    assert np.abs(turned_end.state - (flat_end.state @ turn.T)[order]).max() < 1e-6


def test_tokens_that_are_pulled_apart_stop_the_run_and_really_part():
    """A light pair on its way into a heavy cluster: without merging it grows beyond the tolerance, as announced."""
    weights = [5e-4, 5e-4, 0.999]
    common = {"model": "usa", "t_end": 1e5 * np.exp(-40.0), "rtol": 1e-8, "atol": 0.0}

    def outcome(place, merge):
        return follow_merging(on_circle(place, place + 2e-10, 0.0), weights, 40.0, merge=merge, **common)

    def largest_distance(place):
        distances = []
        follow_few(
            on_circle(place, place + 2e-10, 0.0),
            weights,
            40.0,
            t_end=common["t_end"],
            rtol=1e-13,
            atol=0.0,
            save_at=np.linspace(0, common["t_end"], 20_000),
            observe=lambda t, x: distances.append(np.linalg.norm(x[0] - x[1])),
        )
        return max(distances)

    torn, _ = outcome(0.76, 5e-10)
    assert not torn.status.ok
    assert "the 2 tokens merged by t = 0 could be pulled apart; choose a smaller merge" in str(torn.status)
    assert largest_distance(0.76) > 1e-8
    assert outcome(0.76, 1e-11)[1].merges[:, 1].tolist() == [2, 1]
    assert outcome(0.8, 5e-10)[1].merges[:, 1].tolist() == [2, 1]
    assert largest_distance(0.8) < 1e-8


def test_tokens_in_one_place_merge_at_once():
    """Five thousand tokens in three places: nothing is left to do but three clusters."""
    place = np.repeat([0.0, 1.0, 2.5], [1000, 2500, 1500])
    end, steps = follow_merging(on_circle(*place), None, 50.0, model="sa", t_end=1.0, save_at=[1.0])
    assert steps.merges[:, 0].tolist() == [0.0]
    assert steps.merges[:, 1].tolist() == [3]
    assert end.state.shape == (5000, 2)


def test_interrupt_keeps_what_was_reached():
    """A signal in a callback and one by the clock: what was saved is what is returned."""
    start = on_circle(*np.random.default_rng(0).uniform(0, 3, 50))
    seen = []

    def impatient(t, x):
        if len(seen) == 30:
            signal.raise_signal(signal.SIGINT)
        seen.append(t)

    end, steps = follow_merging(
        start, None, 60.0, model="sa", t_end=1e40, save_at=np.geomspace(1e-3, 1e40, 60), observe=impatient
    )
    assert end.interrupted
    assert "interrupted at t = " in str(end.status)
    assert len(end.t) == 30
    assert np.array_equal(end.t, seen)
    assert len(steps.merges[:, 0])


@pytest.mark.parametrize("merge", [0.0, 1e-15, 1e-3, np.nan])
def test_a_bad_merge_is_refused(merge):
    """The message names the value and the range."""
    with pytest.raises(ValueError, match=r"merge .*: it must lie in \[1e-14, 1\.01e-09\], a tenth"):
        simulate(np.eye(2), beta=1.0, t_end=1.0, merge=merge)
