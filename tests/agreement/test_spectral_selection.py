"""Spectral selection: where simulated tokens end, and how fast, is what the theory certifies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import integers, lists, permutations, sampled_from
from scipy.optimize import brentq

from gegenflow import numerics as nm
from gegenflow import theory as th
from gegenflow.numerics.systems.spectral_selection import in_a_cone, selection_flow, state_rates, turned
from gegenflow.numerics.validation.trials.systems.spectral_selection import _reported, smaller_groups

ss = th.spectral_selection


def floats(tokens):
    """Certified coordinates as an array."""
    return np.array([[float(x) for x in row] for row in tokens])


def folded(tokens):
    """Overlaps in size with the axes, tokens in order: equal for states that are images of each other."""
    return np.array(sorted(np.abs(tokens).round(5).tolist()))


@pytest.mark.parametrize(("tokens", "eigenvalues", "beta"), [(2, ("1", "-0.5"), 2.0), (3, ("-1", "-0.5"), 1.0)])
def test_tokens_end_on_the_stable_states_of_the_catalogue(tokens, eigenvalues, beta):
    """Thirty uniform starts on the circle: each ends on one of them, and each of them is an end."""
    stable = [folded(floats(one.tokens)) for one in ss.equilibria(tokens, eigenvalues, str(beta)) if one.stable]
    flow, seen = selection_flow(np.diag([float(x) for x in eigenvalues]), beta), set()
    for seed in range(30):
        end = nm.simulate(nm.uniform(tokens, 2, rng=seed), flow, t_end=150, save_at=[]).tokens
        distances = [np.abs(folded(end) - one).max() for one in stable]
        assert min(distances) < 1e-4
        seen.add(int(np.argmin(distances)))
    kinds = {tuple(one.ravel()) for one in stable}  # consensus and an opposite pair look alike here
    assert len(seen) == len(kinds)


def test_below_the_critical_beta_three_tokens_rest_in_a_triangle_that_is_not_pure():
    """V = diag(-1, -1/2), beta = 0.2 < log(2)/2: simulated ends against the certified state, its rate by both."""
    values, beta = [[-1, 0], [0, "-0.5"]], 0.2
    assert float(ss.critical_beta([1, 1, -1], 0, [-1, "-0.5"])) == pytest.approx(np.log(2) / 2)
    flow = selection_flow(np.diag([-1.0, -0.5]), beta)
    end = nm.simulate(nm.uniform(3, 2, rng=1), flow, t_end=3000, save_at=[]).tokens
    found = ss.equilibrium(end.tolist(), values, str(beta), digits=12)
    assert found.stable
    assert floats(found.tokens) == pytest.approx(end, abs=1e-6)
    assert state_rates(floats(found.tokens), flow)[0] == pytest.approx(float(found.leading_eigenvalue), abs=1e-8)
    away = np.array([[0.0, 0.02], [0.0, 0.0], [0.0, -0.01]])
    gaps = [
        np.linalg.norm(nm.simulate(nm.normalize(end + away), flow, t_end=t, save_at=[]).tokens - end)
        for t in (600, 800)
    ]
    assert np.log(gaps[0] / gaps[1]) / 200 == pytest.approx(-float(found.leading_eigenvalue), rel=0.02)


def test_triangle_and_pure_mode_attract_side_by_side():
    """beta = 0.35, above log(2)/2 and below the fold of the triangle at 0.3541; beyond that only two against one."""
    values, flow = [[-1, 0], [0, "-0.5"]], selection_flow(np.diag([-1.0, -0.5]), 0.35)
    assert ss.stability([-1, 1, 1], 0, [-1, "-0.5"], "0.35").stable
    triangle = ss.equilibrium([[-1, 0], [0.8, 0.6], [0.8, -0.6]], values, "0.35", digits=10)
    assert triangle.stable
    cases = (
        ([[-1, 0.01], [0.8, 0.6], [0.8, -0.6]], floats(triangle.tokens)),
        ([[-1, 0], [1, 0.1], [1, 0]], np.ones((3, 2))),
    )
    for start, end in cases:
        run = nm.simulate(nm.normalize(start), flow, t_end=1500, save_at=[])
        assert np.abs(run.tokens[:, 0]) == pytest.approx(np.abs(end[:, 0]), abs=1e-5)
    beyond = nm.simulate(floats(triangle.tokens), selection_flow(np.diag([-1.0, -0.5]), 0.36), t_end=1500, save_at=[])
    assert np.abs(beyond.tokens[:, 0]) == pytest.approx(np.ones(3), abs=1e-5)


def test_a_mixed_state_attracts_beside_consensus():
    """V = diag(1, -3/2), beta = 2: one token on the first axis and two near the second hold each other."""
    start = nm.normalize([[1, 0], [0.1, 1], [0.1, -1]])
    found = ss.equilibrium(start.tolist(), [[1, 0], [0, "-1.5"]], 2, digits=12)
    flow = selection_flow(np.diag([1.0, -1.5]), 2.0)
    end = nm.simulate(start, flow, t_end=100, save_at=[]).tokens
    assert found.stable
    assert floats(found.tokens) == pytest.approx(end, abs=1e-6)
    assert 0.1 < end[1, 0] < 0.2


@settings(max_examples=12)
@given(integers(0, 2**32 - 1), sampled_from([(1, 1), (2, 1), (3, 1), (3, 2)]), sampled_from([1, -1]))
def test_critical_beta_is_where_a_measured_rate_changes_sign(seed, groups, side):
    """A root of the leading rate by differences of the field, in a random basis."""
    rng = np.random.default_rng(seed)
    eigenvalues = side * np.concatenate([[1.0], rng.uniform(-0.4, 0.8, 2)])
    signs = [1] * groups[0] + [-1] * groups[1]
    found = ss.critical_beta(signs, 0, eigenvalues.tolist())
    assert found is not None
    if float(found) == 0:
        return
    value, axes = turned(eigenvalues, rng)
    tokens = np.array(signs)[:, None] * axes[:, 0]

    def leading(beta):
        return state_rates(tokens, selection_flow(value, beta))[0]

    assert brentq(leading, 0.5 * float(found), 2 * float(found)) == pytest.approx(float(found), rel=1e-6)


@given(
    signs=sampled_from([(4, 2), (3, 2), (6, 2), (3, 3), (5, 4)]).flatmap(
        lambda n: permutations([1] * n[0] + [-1] * n[1])
    ),
    eigenvalues=lists(integers(-2000, 2000).filter(bool), min_size=2, max_size=4, unique_by=abs),
    beta=integers(50, 4000),
)
def test_the_reported_criterion_needs_amendments_only_for_a_token_alone_and_for_one_group(signs, eigenvalues, beta):
    """The rival of the law says what the theory says wherever both groups have two tokens and more."""
    exact = [f"{x / 1000}" for x in eigenvalues]
    verdict = ss.stability(signs, 0, exact, f"{beta / 1000}").stable
    assert _reported(np.array(signs), np.array(eigenvalues) / 1000, beta / 1000)["reported"] == verdict
    alone, one = np.array([1, -1, -1]), np.array([1])
    assert ss.stability(alone.tolist(), 0, [1, "-0.5"], "0.3").stable
    assert not _reported(alone, np.array([1, -0.5]), 0.3)["reported"]
    assert ss.stability(one.tolist(), 0, [-1, -2], 1).stable
    assert not _reported(one, np.array([-1.0, -2.0]), 1.0)["reported"]


@pytest.mark.parametrize(("tokens", "beta", "sizes"), [(6, 0.5, {2, 3}), (6, 0.3, {3}), (3, 0.3, {-1})])
def test_only_stable_signs_remain(tokens, beta, sizes):
    """V = diag(-1, -1/2, -1/4): e^{2 beta} bounds the ratio of the groups, and below 2 no three tokens gather."""
    eigenvalues = np.array([-1.0, -0.5, -0.25])
    table = ss.phase_diagram(tokens, eigenvalues.tolist())
    stable = {row["smaller"] for row in table if row["mode"] == 0 and float(row["beta"]) < beta}
    assert stable == sizes - {-1}
    _, last = smaller_groups(eigenvalues, beta, tokens, 12, 1500.0, np.random.default_rng(0))
    assert set(last.tolist()) <= sizes


def test_the_bound_of_a_cone_holds_all_the_way():
    """Many tokens in dim 4: the largest angle at twenty times, against exp(-g t)."""
    rng, eigenvalues = np.random.default_rng(2), [1.0, 0.6, -0.7, 0.1]
    rate = float(ss.consensus_rate(0, eigenvalues))
    value, axes = turned(np.array(eigenvalues), rng)
    start = in_a_cone(20, axes[:, 0], rng)
    for beta in (0.0, 3.0):
        run = nm.simulate(start, selection_flow(value, beta), t_end=10, save_at=np.linspace(0, 10, 21), track=20)
        overlaps = (run.trajectories @ axes[:, 0]).min(axis=1)
        tangents = np.sqrt(1 - overlaps**2) / overlaps
        assert (tangents <= tangents[0] * np.exp(-rate * run.t) * (1 + 1e-6)).all()
