"""Causal attention on the sphere and at large beta: simulated tokens, and closed forms that they must follow."""

import numpy as np
import pytest
from scipy.stats import special_ortho_group

from gegenflow import numerics as nm
from gegenflow import theory as th
from gegenflow.numerics.integrators.paths import integrate
from gegenflow.numerics.systems import strong_centres

OCTAHEDRON = np.concatenate([np.eye(3), -np.eye(3)])
UNFELT = 1e-13


def sphere_memory(tokens, source, beta, time, rng):
    """n <x_N(t), x_i(0)> with source and readers on two octahedra, each turned at random."""
    start, (told, read) = nm.uniform(tokens, 3, rng=rng), special_ortho_group.rvs(3, size=2, random_state=rng)
    weights = np.append(np.ones(tokens), np.full(6, UNFELT))
    flow, found = nm.Flow(beta=beta, causal=nm.Causal(own=False)), []
    for place in OCTAHEDRON @ told:
        start[source] = place
        rows = np.concatenate([start, OCTAHEDRON @ read])
        end = integrate(flow, rows, t_end=time, weights=weights / weights.sum(), save_at=[], rtol=1e-7)
        found.append(tokens * np.mean(end.state[tokens:] @ place))
    return np.mean(found)


def test_memory_on_the_sphere_is_primacy():
    """Degree 1 in dim 3 without decay, in the time of USA: the rate of growth is that of the degree; 1/N in the bar."""
    rng, beta, time, tokens = np.random.default_rng(0), 1.5, 0.8, 120
    rate = th.growth_rate(1, 3, "1.5", digits=20)
    early, late = (np.array([sphere_memory(tokens, source, beta, time, rng) for _ in range(60)]) for source in (12, 90))
    for samples, source in ((early, 12), (late, 90)):
        predicted = float(th.causal.correlation((source + 0.5) / tokens, rate, time))
        bar = samples.std() / np.sqrt(60) + predicted * 3 / tokens
        assert abs(samples.mean() - predicted) < 3 * bar < 0.3 * predicted
        assert abs(samples.mean() - predicted / 3) > 5 * bar  # the share of a degree, not of one of its harmonics
    assert early.mean() > 1.3 * late.mean()


@pytest.mark.parametrize("dim", [2, 3])
def test_strong_centres_hold_as_long_as_they_must(dim):
    """At large beta those whose earlier tokens stay away move by less than the shift."""
    angle, near, shift, beta = 1.0, 0.7, 0.05, 30
    start = nm.uniform(12, dim, rng=4)
    centres = strong_centres(start, angle)
    time = float(th.causal.holding_time(near, shift, beta, earlier=11))
    flow = nm.Flow(beta=beta, model="sa", causal=nm.Causal())
    run = nm.simulate(start, flow, t_end=time, save_at=np.linspace(0, time, 21), track=12)
    paths = run.trajectories
    tried = 0
    for centre in centres[centres > 0]:
        overlaps = np.einsum("tjd,td->tj", paths[:, :centre], paths[:, centre])
        stays = np.logical_and.accumulate(overlaps.max(axis=1) < np.cos(near))
        moved = np.arccos(np.clip(paths[stays][:, centre] @ start[centre], -1, 1))
        assert (moved <= shift * run.t[stays] / time + 1e-6).all()
        tried += stays.sum()
    assert tried > 10
    assert len(centres) > 1


def test_the_first_tokens_capture_as_the_clock_says():
    """Twenty tokens between the first one, at rest, and no other near: the second comes in by the closed time."""
    for beta, begin in ((5, 1.2), (12, 0.8)):
        end = float(th.causal.capture_time("0.05", begin, beta))
        angles = np.array([0.0, begin])
        flow = nm.Flow(beta=beta, model="sa", causal=nm.Causal())
        run = nm.simulate(np.column_stack([np.cos(angles), np.sin(angles)]), flow, t_end=end, rtol=1e-11)
        assert np.arccos(run.tokens[1, 0]) == pytest.approx(0.05, rel=1e-6)
