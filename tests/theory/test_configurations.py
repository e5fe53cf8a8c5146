"""Spectra of regular configurations: the flow differentiated by a complex step, against closed forms and balls."""

from math import nan

import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import example, given, settings
from hypothesis.strategies import floats, integers, lists, sampled_from, tuples

from gegenflow import theory as th
from gegenflow.theory.clusters import circle as cl
from gegenflow.theory.clusters import configurations as cf
from gegenflow.theory.clusters.spectra import cluster_spectrum
from gegenflow.theory.clusters.vertices import SOLIDS, cross_polytope, platonic, simplex
from gegenflow.theory.exact.eigenvalues import sorted_discs

MODELS = sampled_from(["usa", "sa"])
FAMILIES = [
    (lambda dim: [[1] + [0] * (dim - 1), [-1] + [0] * (dim - 1)], cf.antipodal_spectrum),
    (simplex, cf.simplex_spectrum),
    (cross_polytope, cf.cross_polytope_spectrum),
]
# irreducible parts of the tangent displacements: how often the stabiliser's plane occurs in each irreducible
# representation of the full symmetry group (Frobenius): T_d, O_h and I_h, from their character tables
MULTIPLICITIES = {
    "tetrahedron": [2, 3, 3],
    "octahedron": [3, 3, 3, 3],
    "cube": [2, 2, 3, 3, 3, 3],
    "icosahedron": [3, 3, 4, 4, 5, 5],
    "dodecahedron": [3, 3, 3, 3, 4, 4, 5, 5, 5, 5],
}


def units(vertices):
    array = np.array([[float(x) for x in row] for row in vertices])
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def velocity(tokens, sources, beta, model):
    """Velocity of tokens in the field of equal sources, analytic in both, so that a complex step differentiates it."""
    weights = np.exp(beta * (tokens @ sources.T)) / len(sources)
    pull = weights @ sources
    pull = pull - (tokens * pull).sum(axis=1, keepdims=True) * tokens
    return pull / weights.sum(axis=1, keepdims=True) if model == "sa" else pull


def tangents(point):
    """Orthonormal columns orthogonal to a unit vector."""
    return np.linalg.svd(point[None])[2][1:].T


def jacobians(points, beta, model):
    """The whole Jacobian in tangent coordinates, and its blocks for one token in the field of resting clusters."""
    count, dim = points.shape
    frames = [tangents(point) for point in points]
    whole, own = np.zeros((2, count * (dim - 1), count * (dim - 1)))
    for a, frame in enumerate(frames):
        for i in range(dim - 1):
            moved = points.astype(complex)
            moved[a] += 1e-30j * frame[:, i]
            column = a * (dim - 1) + i
            for target, sources in ((whole, moved), (own, points)):
                change = velocity(moved, sources, beta, model).imag / 1e-30
                target[:, column] = np.concatenate([f.T @ row for f, row in zip(frames, change, strict=True)])
    return whole, own


def listed(pairs):
    """Eigenvalues repeated by multiplicity, from the largest down."""
    values = [float(value) for value, multiplicity in pairs for _ in range(int(multiplicity))]
    return np.array(sorted(values, reverse=True))


def numeric(matrix):
    eigenvalues = np.linalg.eigvals(matrix)
    return np.sort(eigenvalues.real)[::-1]


def matches(spectrum, points, beta, model):
    whole, own = jacobians(points, beta, model)
    rounding = 2e-14 * (np.exp(beta) if model == "usa" else 1)
    np.testing.assert_allclose(listed(spectrum.inter), numeric(whole), rtol=1e-9, atol=rounding)
    np.testing.assert_allclose(listed(spectrum.intra), numeric(own), rtol=1e-9, atol=rounding)
    weights = np.exp(beta * (points @ points.T))
    assert float(spectrum.energy) == pytest.approx(weights.mean() / (2 * beta), rel=1e-13)


@given(solid=sampled_from(SOLIDS), beta=floats(0.05, 15), model=MODELS)
@settings(max_examples=25)
def test_certified_spectrum_of_a_solid_is_that_of_the_flow(solid, beta, model):
    """The equation of motion differentiated in float64 and numpy's eigenvalues, against balls."""
    vertices = platonic(solid)
    matches(cluster_spectrum(vertices, beta, model=model), units(vertices), beta, model)


@given(family=sampled_from(FAMILIES), dim=integers(2, 6), beta=floats(0.05, 15), model=MODELS)
@settings(max_examples=25)
@example(family=FAMILIES[0], dim=8, beta=3.0, model="sa")
@example(family=FAMILIES[1], dim=8, beta=3.0, model="usa")
@example(family=FAMILIES[2], dim=8, beta=3.0, model="sa")
def test_closed_spectrum_is_that_of_the_flow(family, dim, beta, model):
    """As above, against the closed forms: multiplicities too."""
    vertices, closed = family
    points = units(vertices(dim))
    here = closed(dim, beta, model=model)
    matches(here, points, beta, model)
    assert sum(m for _, m in here.inter) == sum(m for _, m in here.intra) == len(points) * (dim - 1)
    assert here.clusters == len(points)
    assert here.unstable == sum(m for value, m in here.inter if float(value) > 0) > 0
    assert here.holds
    assert all(float(value) < 0 for value, _ in here.intra)
    assert not here.stable


@given(family=sampled_from(FAMILIES), dim=integers(2, 6), beta=sampled_from(["0.01", "1/3", "2", "40"]), model=MODELS)
@settings(max_examples=15)
@example(family=FAMILIES[1], dim=8, beta="3", model="sa")
@example(family=FAMILIES[2], dim=7, beta="3", model="usa")
def test_closed_and_certified_spectra_agree_to_every_digit(family, dim, beta, model):
    """Representation theory against Gershgorin discs at 25 digits, energy included."""
    vertices, closed = family
    balls, forms = cluster_spectrum(vertices(dim), beta, model=model, digits=25), closed(dim, beta, model=model)
    for left, right in (
        (balls.inter, forms.inter),
        (balls.intra, forms.intra),
        ([(balls.energy, 1)], [(forms.energy, 1)]),
    ):
        expected = sorted(((sp.N(value, 60), int(m)) for value, m in right), reverse=True)
        assert [m for _, m in left] == [m for _, m in expected]
        for (certified, _), (value, _) in zip(left, expected, strict=True):
            assert abs(sp.Rational(certified.value) - value) <= sp.Rational(certified.error) + abs(value) * sp.Rational(
                1, 10**50
            )
            assert sp.Rational(certified.error) <= 6 * abs(value) / 10**25
    assert (balls.unstable, balls.holds, balls.stable) == (forms.unstable, forms.holds, forms.stable)


@pytest.mark.parametrize("solid", SOLIDS)
@pytest.mark.parametrize("beta", ["0.02", "1", "7", "80"])
def test_multiplicities_are_the_dimensions_of_irreducible_representations(solid, beta):
    """Character tables against eigenvalues that no ball separates; SA has the same, as its Z is one number."""
    for model in ("usa", "sa"):
        here = cluster_spectrum(platonic(solid), beta, model=model, digits=6)
        assert sorted(m for _, m in here.inter) == MULTIPLICITIES[solid]
        assert [m for value, m in here.inter if float(value) == 0] == [3]
        assert len(here.intra) == 1


@given(solid=sampled_from(SOLIDS), beta=floats(1e-3, 600), model=MODELS)
@settings(max_examples=30)
def test_solids_hold_together_and_escape_at_every_temperature(solid, beta, model):
    """Certified signs, in support of the two proofs; no change of multiplicities with beta."""
    here = cluster_spectrum(platonic(solid), beta, model=model, digits=1)
    assert here.holds
    assert sorted(m for _, m in here.inter) == MULTIPLICITIES[solid]
    assert (
        here.unstable == {"tetrahedron": 5, "octahedron": 9, "cube": 11, "icosahedron": 21, "dodecahedron": 29}[solid]
    )


@given(solid=sampled_from(SOLIDS), beta=floats(0.2, 8))
@settings(max_examples=10)
def test_rate_within_a_cluster_is_a_sum_of_growth_rates_of_the_uniform_state(solid, beta):
    """Amplitudes of the vertices by numpy's Legendre polynomials and the package's growth rates, degrees up to 60."""
    points = units(platonic(solid))
    degrees = np.arange(1, 61)
    rates = [float(th.growth_rate(int(n), 3, beta, digits=17)) for n in degrees]
    amplitudes = [np.polynomial.legendre.Legendre.basis(int(n))(points @ points.T).mean() for n in degrees]
    expected = -0.5 * np.sum((2 * degrees + 1) * rates * np.array(amplitudes))
    (value, multiplicity), *_ = cluster_spectrum(platonic(solid), beta).intra
    assert multiplicity == 2 * len(points)
    assert float(value) == pytest.approx(expected, rel=1e-9, abs=1e-13)


@given(solid=sampled_from(SOLIDS), beta=floats(0.05, 20))
@settings(max_examples=20)
def test_moving_all_clusters_towards_one_side_is_an_eigenvector(solid, beta):
    """The mean over pairs of the second statement, by numpy, is among the eigenvalues with multiplicity three."""
    points = units(platonic(solid))
    c = points @ points.T
    rate = (np.exp(beta * c) * (1 - c) * (1 - c + beta * (1 - c**2))).mean() / 2
    triples = [float(value) for value, m in cluster_spectrum(platonic(solid), beta).inter if m >= 3]
    assert min(abs(value / rate - 1) for value in triples) < 1e-9


@given(dim=integers(2, 6), count=integers(2, 6), beta=floats(0, 5), seed=integers(0, 999))
def test_second_variation_towards_all_sides_is_the_stated_sum(dim, count, beta, seed):
    """Second differences of the energy along geodesics, random points and masses; positive from dim 3 on."""
    rng = np.random.default_rng(seed)
    points, mass = units(rng.standard_normal((count, dim))), rng.dirichlet(np.ones(count))
    beta += 0.1

    def energy(state):
        return mass @ np.exp(beta * (state @ state.T)) @ mass / (2 * beta)

    def moved(direction, step):
        tangent = direction - (points @ direction)[:, None] * points
        speed = np.linalg.norm(tangent, axis=1, keepdims=True)
        return np.cos(step * speed) * points + np.sin(step * speed) / speed * tangent

    basis = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    measured = sum(
        (-energy(moved(z, 2e-3)) / 12 + energy(moved(z, 1e-3)) * 4 / 3 - energy(points) * 5 / 4) / 1e-6
        + (-energy(moved(z, -2e-3)) / 12 + energy(moved(z, -1e-3)) * 4 / 3 - energy(points) * 5 / 4) / 1e-6
        for z in basis
    )
    c = points @ points.T
    summand = np.exp(beta * c) * (1 - c) * (dim - 2 - c + beta * (1 - c**2))
    stated = mass @ summand @ mass
    assert measured == pytest.approx(stated, abs=1e-8 * energy(points) / 1e-3 * max(1, beta**2))
    assert dim == 2 or stated > 0


@given(clusters=integers(3, 12), beta=floats(0.1, 12), model=MODELS)
@settings(max_examples=25)
def test_regular_polygons_have_the_modes_of_the_circle(clusters, beta, model):
    """Discs about eigenvectors against cosine sums, two modules."""
    angles = [2 * sp.pi * a / clusters for a in range(clusters)]
    here = cluster_spectrum([[sp.cos(x), sp.sin(x)] for x in angles], beta, model=model)
    modes = sorted(
        (float(cl.mode_rate(m, clusters, beta, model=model, digits=15)) for m in range(clusters)), reverse=True
    )
    np.testing.assert_allclose(listed(here.inter), modes, rtol=1e-14)
    ((value, multiplicity),) = here.intra
    assert multiplicity == clusters
    assert value.value == cl.intra_rate(clusters, beta, model=model, digits=15).value
    assert here.energy.value == cl.cluster_energy(clusters, beta, digits=15).value


def test_one_cluster_is_stable_and_contracts_at_the_known_rate():
    """A Dirac: rate exp(beta), 1 for SA; whole moves are rotations."""
    for model, rate in (("usa", np.exp(1.5)), ("sa", 1.0)):
        here = cluster_spectrum([[0, 0, 5]], "1.5", model=model)
        assert here.stable
        assert [(float(value), m) for value, m in here.inter] == [(0.0, 2)]
        ((value, multiplicity),) = here.intra
        assert multiplicity == 2
        assert float(value) == pytest.approx(-rate, rel=1e-14)


def test_clusters_that_are_not_alike_have_their_own_rates():
    """A bipyramid, poles and equator: two kinds of clusters in SA with different Z, against the differentiated flow."""
    root = sp.sqrt(3) / 2
    vertices = [[0, 0, 1], [0, 0, -1], [1, 0, 0], [-sp.Rational(1, 2), root, 0], [-sp.Rational(1, 2), -root, 0]]
    for model in ("usa", "sa"):
        here = cluster_spectrum(vertices, 2, model=model)
        matches(here, units(vertices), 2.0, model)
        assert len(here.intra) == 3


@given(discs=lists(tuples(floats(-10, 10), floats(0, 8)), max_size=8))
@example(discs=[(10, 0.1), (5, 0.1), (4, 6.5)])
def test_enclosures_of_the_eigenvalues_do_not_overlap(discs):
    """Each is as often in the list as it holds discs: counted here disc by disc, with no order among them."""
    discs = [arb(middle, radius) for middle, radius in discs]
    found = sorted_discs(discs)
    assert len(found) == len(discs)
    for number, ball in enumerate(found):
        multiplicity = sum(ball.contains(disc) for disc in discs)
        equal = [other for other in found if other.overlaps(ball)]
        assert len(equal) == multiplicity
        assert all(other.contains(ball) and ball.contains(other) for other in equal)
        assert number == 0 or found[number - 1].mid() >= ball.mid()


@pytest.mark.parametrize(
    "call",
    [
        lambda: cluster_spectrum([], 1),
        lambda: cluster_spectrum([[1]], 1),
        lambda: cluster_spectrum(5, 1),
        lambda: cluster_spectrum([5], 1),
        lambda: cluster_spectrum([[1, 0], [None, 0]], 1),
        lambda: platonic([]),
        lambda: cluster_spectrum([[1, 0], [0, 1, 0]], 1),
        lambda: cluster_spectrum([[0, 0, 0]], 1),
        lambda: cluster_spectrum([[th.beta, 1]], 1),
        lambda: cluster_spectrum([[sp.zeta(3), 1]], 1),
        lambda: cluster_spectrum([[1, 0], [0, 1]], 1),
        lambda: cluster_spectrum([[1, 0], [-1, 0]], 0),
        lambda: cluster_spectrum([[1, 0], [-1, 0]], nan),
        lambda: cluster_spectrum([[1, 0], [-1, 0]], th.beta),
        lambda: cluster_spectrum([[1, 0], [-1, 0]], 1, model="softmax"),
        lambda: cluster_spectrum([[1, 0], [-1, 0]], 1, digits=0),
        lambda: platonic("sphere"),
        lambda: simplex(1),
        lambda: cross_polytope(th.d),
        lambda: cf.simplex_spectrum(1),
        lambda: cf.cross_polytope_spectrum(3, 0),
        lambda: cf.antipodal_spectrum(3, 1, model="softmax"),
    ],
)
def test_bad_input_is_one_sentence(call):
    """Every refusal is a ValueError that says what is allowed."""
    with pytest.raises(ValueError, match=r"need|must|cannot|is 'usa'|no direction|stationary|solids are"):
        call()
