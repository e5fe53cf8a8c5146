"""Simulated clusters against their spectra: growth, contraction, survival and lifetime. The sides share no formula."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis.strategies import floats, integers, sampled_from

from gegenflow import numerics as nm
from gegenflow.theory.clusters import circle as cl
from gegenflow.theory.clusters import configurations as cf
from gegenflow.theory.clusters.antipodal import antipodal_clusters, survival_beta
from gegenflow.theory.clusters.escapes import escape_mode, escape_rate, lifetime
from gegenflow.theory.clusters.spectra import cluster_spectrum
from gegenflow.theory.clusters.vertices import cross_polytope, platonic, simplex

MODELS = sampled_from(["usa", "sa"])
SMALL = 1e-6
"""Size of a planted displacement: cubic terms are below 1e-11 of the linear ones, rounding below 1e-9."""


def moved(angles):
    return np.column_stack([np.cos(angles), np.sin(angles)])


def run(tokens, beta, model, t_end, *, weights=None, save_at=(), rtol=1e-12):
    end = nm.simulate(
        tokens,
        beta=beta,
        model=model,
        t_end=t_end,
        weights=weights,
        method="dense",
        rtol=rtol,
        atol=1e-15,
        save_at=list(save_at),
    )
    assert end.status.ok, end.status
    return end


def shift(angles, displacement, beta, model, t_end):
    """Where a small displacement of tokens on the circle leads, per unit: half the difference of both signs."""
    ends = [run(moved(angles + sign * SMALL * displacement), beta, model, t_end).tokens for sign in (1, -1)]
    angle = [np.angle((end[:, 0] + 1j * end[:, 1]) * np.exp(-1j * angles)) for end in ends]
    return (angle[0] - angle[1]) / (2 * SMALL)


@settings(max_examples=25)
@given(clusters=integers(2, 8), mode=integers(1, 7), beta=floats(0.5, 9), model=MODELS)
@example(clusters=3, mode=1, beta=5.0, model="usa")
@example(clusters=4, mode=2, beta=7.0, model="usa")
@example(clusters=4, mode=2, beta=7.0, model="sa")
def test_displaced_clusters_grow_at_the_rate_of_their_mode(clusters, mode, beta, model):
    """k tokens moved by a cosine and followed by the dense field: its amplitude within 1 %, no other mode appears."""
    predicted = float(cl.mode_rate(mode, clusters, beta, model=model, digits=10))
    angles = 2 * np.pi * np.arange(clusters) / clusters
    wave = np.cos(mode * angles)
    t_end = 0.5 / float(escape_rate(clusters, beta, model=model, digits=10))
    end = shift(angles, wave, beta, model, t_end)
    amplitude = end @ wave / (wave @ wave)
    np.testing.assert_allclose(end, amplitude * wave, atol=1e-6)
    assert np.log(amplitude) / t_end == pytest.approx(predicted, rel=0.01, abs=1e-5 / t_end)


@settings(max_examples=25)
@given(clusters=integers(1, 8), beta=floats(0.5, 9), model=MODELS, tokens=integers(2, 4))
@example(clusters=3, beta=5.0, model="usa", tokens=2)
@example(clusters=4, beta=7.0, model="usa", tokens=3)
@example(clusters=4, beta=7.0, model="sa", tokens=3)
def test_tokens_of_a_cluster_contract_at_the_intra_cluster_rate(clusters, beta, model, tokens):
    """Several tokens a cluster, spread about a mean that stays: their widths within 1 %."""
    predicted = float(cl.intra_rate(clusters, beta, model=model, digits=10))
    angles = np.repeat(2 * np.pi * np.arange(clusters) / clusters, tokens)
    spread = np.tile(np.arange(tokens) - (tokens - 1) / 2, clusters)
    fastest = max(-predicted, float(escape_rate(clusters, beta, model=model, digits=10)) if clusters > 1 else 0)
    t_end = 0.5 / fastest
    end = shift(angles, spread, beta, model, t_end)
    amplitude = end @ spread / (spread @ spread)
    np.testing.assert_allclose(end, amplitude * spread, atol=1e-6)
    assert np.log(amplitude) / t_end == pytest.approx(predicted, rel=0.01, abs=1e-5 / t_end)


# any dimension


def unit_rows(vertices):
    return nm.normalize([[float(x) for x in row] for row in vertices])


def frame(point):
    """Orthonormal rows orthogonal to a unit vector."""
    return np.linalg.svd(point[None])[2][1:]


def propagator(points, beta, model, t_end):
    """How simulated clusters answer to every small displacement of one of them, in tangent coordinates."""
    frames = [frame(point) for point in points]
    columns = []
    for a, rows in enumerate(frames):
        for direction in rows:
            ends = []
            for sign in (1, -1):
                start = points.copy()
                start[a] += sign * SMALL * direction
                ends.append(run(nm.normalize(start), beta, model, t_end).tokens)
            change = (ends[0] - ends[1]) / (2 * SMALL)
            columns.append(np.concatenate([f @ c for f, c in zip(frames, change, strict=True)]))
    return np.array(columns).T


def repeated(pairs):
    values = [float(value) for value, multiplicity in pairs for _ in range(int(multiplicity))]
    return np.array(sorted(values, reverse=True))


CONFIGURATIONS = [
    ("antipodal in dim 4", [[1, 0, 0, 0], [-1, 0, 0, 0]], lambda b, m: cf.antipodal_spectrum(4, b, model=m)),
    ("simplex in dim 3", simplex(3), lambda b, m: cf.simplex_spectrum(3, b, model=m)),
    ("simplex in dim 5", simplex(5), lambda b, m: cf.simplex_spectrum(5, b, model=m)),
    ("cross-polytope in dim 4", cross_polytope(4), lambda b, m: cf.cross_polytope_spectrum(4, b, model=m)),
    *(
        (solid, platonic(solid), lambda b, m, s=solid: cluster_spectrum(platonic(s), b, model=m))
        for solid in ("octahedron", "cube", "icosahedron")
    ),
]


@pytest.mark.parametrize("model", ["usa", "sa"])
@pytest.mark.parametrize(("name", "vertices", "spectrum"), CONFIGURATIONS, ids=[c[0] for c in CONFIGURATIONS])
def test_all_displacements_of_clusters_have_the_spectrum(name, vertices, spectrum, model):
    """Eigenvalues of the simulated propagator, rotations and multiplicities included: within 1 % each."""
    beta, points = 4.0, unit_rows(vertices)
    predicted = repeated(spectrum(beta, model).inter)
    t_end = 1 / predicted[0]
    measured = np.sort(np.log(np.linalg.eigvals(propagator(points, beta, model, t_end)).real))[::-1] / t_end
    np.testing.assert_allclose(measured, predicted, rtol=0.01, atol=1e-6 * predicted[0])


@pytest.mark.parametrize("model", ["usa", "sa"])
@pytest.mark.parametrize(("name", "vertices", "spectrum"), CONFIGURATIONS, ids=[c[0] for c in CONFIGURATIONS])
def test_a_cluster_contracts_in_every_direction(name, vertices, spectrum, model):
    """Every cluster is two tokens; those of the first are moved apart, in each direction: within 1 %."""
    beta, points = 4.0, unit_rows(vertices)
    (predicted, _), *_ = spectrum(beta, model).intra
    t_end = 0.5 / abs(float(predicted))
    for direction in frame(points[0]):
        start = np.repeat(points, 2, axis=0)
        start[:2] += SMALL * np.array([direction, -direction])
        end = run(nm.normalize(start), beta, model, t_end).tokens
        width = (end[0] - end[1]) @ direction / (2 * SMALL)
        assert np.log(width) / t_end == pytest.approx(float(predicted), rel=0.01)


# antipodal clusters of unequal masses


@given(mass=floats(0.02, 0.45), dim=integers(2, 5), model=MODELS)
def test_minority_disperses_below_its_survival_temperature_and_contracts_above(mass, dim, model):
    """A narrow minority of several tokens opposite a majority: its width at 0.98 and at 1.02 of the threshold."""
    survival = float(survival_beta(mass, digits=12))
    south = -np.eye(dim)[0]
    offsets = 1e-4 * np.vstack([np.eye(dim)[1:], -np.eye(dim)[1:]])
    tokens = nm.normalize(np.vstack([-south, south + offsets]))
    weights = np.array([1 - mass, *np.full(len(offsets), mass / len(offsets))])
    for factor, disperses in ((0.98, True), (1.02, False)):
        beta = factor * survival
        end = run(tokens, beta, model, 1.0, weights=weights).tokens
        width = np.linalg.norm(end[1:] - end[1:].mean(axis=0)) / np.linalg.norm(offsets)
        predicted = float(antipodal_clusters(mass, beta, model=model).minority)
        assert (width > 1) == disperses == (predicted > 0)
        assert np.log(width) == pytest.approx(predicted, rel=0.01)


@settings(max_examples=10)
@given(mass=floats(0.05, 0.5), beta=floats(0.5, 5), dim=integers(2, 4), model=MODELS)
def test_antipodal_pair_escapes_at_the_stated_rate(mass, beta, dim, model):
    """One token each, both moved to the same side; the angle between them is what the rotation leaves alone."""
    predicted = float(antipodal_clusters(mass, beta, model=model).escape)
    t_end = 1 / predicted
    side = SMALL * np.eye(dim)[1]
    start = nm.normalize(np.array([np.eye(dim)[0] + side, -np.eye(dim)[0] + side]))
    end = run(start, beta, model, t_end, weights=[1 - mass, mass]).tokens
    gap = np.linalg.norm(end.sum(axis=0)) / np.linalg.norm(start.sum(axis=0))
    assert np.log(gap) / t_end == pytest.approx(predicted, rel=0.01)


# lifetime


@settings(max_examples=6)
@given(clusters=integers(2, 6), beta=floats(1, 9), model=MODELS, power=floats(2, 6))
@example(clusters=3, beta=5.0, model="usa", power=4.0)
@example(clusters=4, beta=7.0, model="usa", power=4.0)
def test_arrangement_lives_for_its_lifetime(clusters, beta, model, power):
    """First time at which a cluster has moved a quarter of the way to its neighbour, after a start of the fastest mode.

    The nonlinear forces, exponential in beta times the displacement, end the linear law up to log(1 + beta) e-foldings
    early; one more is left for the rest of the way.
    """
    start = 10**-power
    predicted = float(lifetime(clusters, beta, perturbation=start, model=model))
    efolding = 1 / float(escape_rate(clusters, beta, model=model, digits=10))
    angles = 2 * np.pi * np.arange(clusters) / clusters
    wave = start * np.cos(escape_mode(clusters, beta) * angles)
    times = np.linspace(0, predicted + efolding, 301)
    path = run(moved(angles + wave), beta, model, times[-1], save_at=times, rtol=1e-8).trajectories
    turn = np.abs(np.angle((path[..., 0] + 1j * path[..., 1]) * np.exp(-1j * angles))).max(axis=1)
    moved_on = turn > np.pi / (2 * clusters)
    assert moved_on[-1]
    assert -1 - np.log1p(beta) < (times[np.argmax(moved_on)] - predicted) / efolding < 1
