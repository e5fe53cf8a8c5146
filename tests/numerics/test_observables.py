"""Harmonic power and overlap, and cluster labels."""

import ast
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, sampled_from
from scipy.integrate import quad, solve_ivp
from scipy.special import eval_gegenbauer, sph_harm_y, xlogy

from gegenflow import numerics as nm
from gegenflow.numerics.observables import harmonics
from gegenflow.numerics.tokens import clusters

seeds = integers(0, 10_000)


def gegenbauer(degree, dim, t):
    """scipy's polynomials, normalised to one at t = 1."""
    if dim == 2:
        return np.cos(degree * np.arccos(np.clip(t, -1, 1)))
    return eval_gegenbauer(degree, dim / 2 - 1, t) / eval_gegenbauer(degree, dim / 2 - 1, 1.0)


def random_weights(n, seed):
    weights = np.random.default_rng(seed).uniform(0.2, 1, n)
    return weights / weights.sum()


@given(n=integers(1, 400), dim=integers(2, 6), degree=integers(0, 8), seed=seeds)
def test_power_is_the_double_sum_of_gegenbauer_polynomials(n, dim, degree, seed):
    """scipy's Gegenbauer polynomials; n runs over both the pair sum and the quadrature."""
    tokens, weights = nm.uniform(n, dim, rng=seed), random_weights(n, seed)
    exact = [weights @ gegenbauer(k, dim, tokens @ tokens.T) @ weights for k in range(degree + 1)]
    np.testing.assert_allclose(nm.harmonic_power(tokens, degree, weights), exact, atol=2e-14)


@given(n=integers(1, 300), degree=integers(0, 7), seed=seeds)
def test_power_on_the_sphere_is_the_sum_of_squared_spherical_harmonics(n, degree, seed):
    """scipy's spherical harmonics of the angles: D_k A_k^2 = 4 pi sum_m |sum_j w_j Y_km|^2."""
    tokens, weights = nm.uniform(n, 3, rng=seed), random_weights(n, seed)
    polar, azimuth = np.arccos(np.clip(tokens[:, 2], -1, 1)), np.arctan2(tokens[:, 1], tokens[:, 0])
    orders = np.arange(-degree, degree + 1)[:, None]
    moments = sph_harm_y(degree, orders, polar, azimuth) @ weights
    exact = 4 * np.pi * (np.abs(moments) ** 2).sum() / (2 * degree + 1)
    assert nm.harmonic_power(tokens, degree, weights)[degree] == pytest.approx(exact, abs=1e-13)


@given(dim=integers(2, 7), seed=seeds)
def test_power_of_a_point_and_of_a_quadrature_rule(dim, seed):
    """A Dirac has power one in every degree; a rule exact to degree 6 has none in degrees 1..6."""
    point = np.repeat(nm.uniform(1, dim, rng=seed), 5, axis=0)
    np.testing.assert_allclose(nm.harmonic_power(point, 8), 1, atol=1e-14)
    if dim <= 4:
        tokens, weights = nm.tokens.quadrature(dim, 6)
        power = nm.harmonic_power(tokens, 7, weights)
        np.testing.assert_allclose(power[:7], [1, 0, 0, 0, 0, 0, 0], atol=1e-15)
        assert power[7] > 1e-6


def test_power_of_a_lattice_is_in_its_multiples():
    """Roots of unity."""
    np.testing.assert_allclose(nm.harmonic_power(nm.lattice(3), 7), [1, 0, 0, 1, 0, 0, 1, 0], atol=1e-14)


def test_small_planted_power_keeps_its_accuracy():
    """Weights 1 + eps t on an exact rule: A_1 = eps/d, its square far below the rounding of a pair sum."""
    tokens, weights = nm.tokens.quadrature(3, 40)
    planted = weights * (1 + 1e-7 * tokens[:, 0])
    assert nm.harmonic_power(tokens, 2, planted)[1] == pytest.approx((1e-7 / 3) ** 2, rel=1e-6)


@given(n=integers(1, 300), m=integers(1, 300), dim=integers(2, 6), degree=integers(0, 8), seed=seeds)
def test_overlap_is_the_double_sum(n, m, dim, degree, seed):
    """scipy's Gegenbauer polynomials at all pairs."""
    tokens, other = nm.uniform(n, dim, rng=seed), nm.uniform(m, dim, rng=seed + 1)
    weights = random_weights(n, seed)
    exact = [(weights @ gegenbauer(k, dim, tokens @ other.T)).mean() for k in range(degree + 1)]
    np.testing.assert_allclose(nm.observables.harmonic_overlap(tokens, other, degree, weights), exact, atol=2e-14)


@given(dim=integers(3, 9), degree=integers(0, 9))
def test_harmonic_dimension_makes_the_power_of_uniform_tokens_one_over_n(dim, degree):
    """Trace of the reproducing kernel by a rule exact for it: integral of P_k^2 is 1/D_k."""
    from scipy.special import roots_gegenbauer

    node, weight = roots_gegenbauer(degree + 2, dim / 2 - 1)
    square = weight @ gegenbauer(degree, dim, node) ** 2 / weight.sum()
    assert harmonics.harmonic_dimension(degree, dim) == pytest.approx(1 / square, rel=1e-10)


@given(dim=integers(2, 5), sizes=integers(0, 10_000), width=floats(1e-6, 0.03), seed=seeds)
def test_planted_clusters_are_found(dim, sizes, width, seed):
    """Tight clouds around orthogonal and opposite directions, shuffled; labels against the planting."""
    rng = np.random.default_rng(seed)
    centres = np.concatenate([np.eye(dim), -np.eye(dim)])[: 1 + sizes % (2 * dim)]
    counts = 20 + 3 * rng.permutation(len(centres))
    planted = np.repeat(np.argsort(np.argsort(-counts)), counts)
    offsets = width * rng.uniform(-0.5, 0.5, (len(planted), dim))
    cloud = nm.normalize(np.repeat(centres, counts, axis=0) + offsets)
    order = rng.permutation(len(planted))
    assert np.array_equal(nm.cluster_labels(cloud[order]), planted[order])
    assert nm.Clusters()(cloud, np.full(len(cloud), 1 / len(cloud)), nm.Flow(beta=1)) == len(centres)


def test_what_is_no_cluster():
    """Uniform tokens, linked or scattered, and a stray token beside a cluster."""
    assert (nm.cluster_labels(nm.uniform(5000, 2, rng=0)) == -1).all()
    assert (nm.cluster_labels(nm.uniform(2000, 6, rng=0)) == -1).all()
    stray = np.concatenate([np.repeat([[1.0, 0.0, 0.0]], 200, axis=0), [[0.0, 1.0, 0.0]]])
    assert nm.cluster_labels(stray).tolist() == [0] * 200 + [-1]
    assert nm.cluster_labels(stray, np.r_[np.full(200, 0.5 / 200), 0.5]).max() == 1


@given(
    n=integers(1, 400), angle=floats(1e-9, np.pi), kind=sampled_from(["uniform", "wide", "tight"]), seed=integers(0, 99)
)
def test_clusters_by_cubes_are_the_connected_components(n, angle, kind, seed):
    """In dim 3: cubes and boxes against a search from token to token, up to the numbering."""
    tokens = nm.uniform(n, 3, rng=seed)
    if kind != "uniform":
        tokens = nm.normalize((0.3 if kind == "wide" else 0.01) * tokens + nm.uniform(5, 3, rng=seed)[np.arange(n) % 5])
    cubes, search = (f(tokens, (2 * np.sin(angle / 2)) ** 2) for f in (clusters._patches, clusters._components))
    assert np.array_equal(cubes[:, None] == cubes, search[:, None] == search)


@given(dim=integers(2, 6), exponent=floats(-16, -1), seed=seeds)
def test_copies_are_one_cluster_at_any_angle(dim, exponent, seed):
    """The cosine of small angles is one to rounding, and the numbers of small cubes passed those of others."""
    places, copies = nm.uniform(40, dim, rng=seed), 3
    order = np.random.default_rng(seed).permutation(40 * copies)
    labels = nm.cluster_labels(np.repeat(places, copies, axis=0)[order], angle=10**exponent / 1e3)
    place = np.repeat(np.arange(40), copies)[order]
    assert np.array_equal(labels[:, None] == labels, place[:, None] == place)


@pytest.mark.parametrize("dim", [3, 4])
def test_a_scale_far_below_the_rounding_of_cosines_parts_tokens(dim):
    """Pairs 2e-10 and 5e-10 apart, where all cosines round to 1, at an angle between."""
    base = np.eye(dim)[:2]
    apart = np.zeros((4, dim))
    apart[1, -1], apart[3, -1] = 2e-10, 5e-10
    labels = nm.cluster_labels(base[[0, 0, 1, 1]] + apart, angle=3e-10)
    assert labels[0] == labels[1]
    assert labels[2] != labels[3]


def test_small_cubes_do_not_pass_for_others():
    """In dim 3, 2^21 cubes along the first axis less one along the second had the number of the cube itself."""
    side = 0.06 / (2**20 - 0.25)
    x, y = np.array([-0.06, 0.06 + side / 2]), 0.03 + side * (0.625 + np.array([0, -1]))
    pair = np.column_stack([x, y, np.sqrt(1 - x**2 - y**2)])
    assert np.ptp(pair[:, 2]) < 1e-15
    assert np.diff(np.floor(pair[:, :2] / side), axis=0).tolist() == [[2**21, -1]]
    angle = 2 * np.arcsin(side * 3**0.5 / 2)
    assert len({*nm.cluster_labels(pair, angle=angle).tolist()}) == 2  # 0.12 apart


def test_coherence_is_the_length_of_the_mean_at_which_a_group_counts():
    """Two tokens at the angle a, linked: their mean has length cos(a/2)."""
    angle = np.array([0.9, 0.91])  # cos(0.45) = .90045, cos(0.455) = .89827
    pairs = [[[1.0, 0.0], [np.cos(a), np.sin(a)]] for a in angle]
    assert [nm.cluster_labels(pair, angle=1.0).max() for pair in pairs] == [0, -1]
    right = np.eye(2)
    for coherence, found in ((0.70710, 0), (0.70712, -1), (0.0, 0), (0.5**0.5, 0)):
        assert nm.cluster_labels(right, angle=np.pi / 2, coherence=coherence).max() == found
        counted = nm.Clusters(angle=np.pi / 2, coherence=coherence)(right, np.full(2, 0.5), nm.Flow(beta=1))
        assert counted == found + 1


@given(n=integers(1, 200), angle=floats(0.001, 3.1), seed=seeds)
def test_arcs_on_the_circle_are_the_connected_components(n, angle, seed):
    """Sorted gaps against a breadth-first search over all pairs: the same partition."""
    tokens = nm.uniform(n, 2, rng=seed)
    arcs, components = clusters._arcs(tokens, angle), clusters._components(tokens, (2 * np.sin(angle / 2)) ** 2)
    assert np.array_equal(arcs[:, None] == arcs, components[:, None] == components)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nm.harmonic_power(np.eye(3), -1), "max_degree -1: it must be a whole number >= 0"),
        (lambda: nm.observables.harmonic_overlap(np.eye(3), np.eye(2), 1), "other: they have dim 2, tokens dim 3"),
        (lambda: nm.HarmonicPower(-1), "max_degree -1: it must be a whole number >= 0"),
        (lambda: nm.HarmonicAmplitude(2.5), "max_degree 2.5: it must be a whole number >= 0"),
        (lambda: nm.Clusters(angle=4), "angle 4: it must be finite, > 0 and <= 3.14159"),
        (lambda: nm.Periodicity(65), "degree 65: it must be a whole number >= 1 and <= 64, the max_degree"),
        (lambda: nm.cluster_labels(np.eye(3), angle=0.0), "angle 0.0: it must be finite, > 0"),
        (lambda: nm.cluster_labels(np.eye(3), min_mass=2.0), "min_mass 2.0: it must be finite, >= 0 and <= 1"),
    ],
)
def test_bad_input_is_named(call, message):
    """Every refusal names the value."""
    with pytest.raises(ValueError, match=message):
        call()


@given(depth=floats(0, 1.001), degree=integers(1, 6))
def test_entropy_is_the_integral_where_the_density_is_positive(depth, degree):
    """1 + a cos(k theta) by adaptive quadrature, densities that just dip below zero among them."""
    coefficients = np.zeros(12)
    coefficients[2 * degree - 2] = depth / 2**0.5
    density = nm.densities.CircleDensity(coefficients)
    value = nm.Entropy().of_density(density, nm.Flow(beta=0.0))

    def integrand(angle):
        return float(xlogy(max(1 + depth * np.cos(angle), 0.0), max(1 + depth * np.cos(angle), 0.0)))

    zero = [np.arccos(max(-1 / depth, -1))] if depth > 0 else None
    assert value == pytest.approx(quad(integrand, 0, np.pi, limit=200, points=zero)[0] / np.pi, rel=1e-8, abs=1e-9)


def entropy_of_a_tilt(depth, dim):
    """Of 1 - a t in 30 digits, t the overlap with an axis: mpmath's quadrature in the angle to it."""

    def integrand(angle):
        value = 1 - depth * mpmath.cos(angle)
        return value * mpmath.log(value) * mpmath.sin(angle) ** (dim - 2) if value > 0 else mpmath.mpf(0)

    with mpmath.workdps(30):
        depth = mpmath.mpf(depth)
        ends = [0, *(mpmath.mpf(10) ** -k for k in range(8, 0, -1)), 1, 2, mpmath.pi]
        return float(mpmath.quad(integrand, ends) / mpmath.quad(lambda angle: mpmath.sin(angle) ** (dim - 2), ends))


@pytest.mark.parametrize("depth", [0.5, 0.99, 0.999999, 1.0])
@pytest.mark.parametrize("dim", [2, 3, 8])
def test_entropy_near_vacuum_is_right_to_what_it_says(dim, depth):
    """The logarithm at a zero of the density: on the circle 64 points were 3e-5 off; poles on no node of a grid."""
    pole = np.array([0.36, 0.48, 0.8])
    densities = {
        2: [nm.circle_density(lambda a: 1 - depth * np.cos(a)), nm.circle_density(lambda a: 1 - depth * np.cos(a - 1))],
        3: [nm.sphere_density(lambda rows: 1 - depth * rows @ pole), nm.sphere_density(lambda x: 1 - depth * x[:, 2])],
    }.get(dim, [])
    densities.append(nm.zonal_density(lambda overlap: 1 - depth * overlap, dim=dim))
    for density in densities:
        value = nm.Entropy().of_density(density, nm.Flow(beta=0.0))
        assert value == pytest.approx(entropy_of_a_tilt(depth, dim), rel=1e-8)


def test_the_entropy_of_nearly_nothing_is_half_a_square():
    """To all digits that the values of the density have: the mass of f - 1 is none, and is left out."""
    density = nm.densities.CircleDensity(np.array([1e-7, 0.0]))
    assert nm.Entropy().of_density(density, nm.Flow(beta=0.0)) == pytest.approx(0.5e-14, rel=1e-6)


def test_no_special_function_is_given_a_mask():
    """Under a partial ``where=`` those of scipy 1.17 write out of bounds, and the process aborts later, elsewhere."""
    for path in (Path(__file__).parents[2] / "numerics").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                assert not any(keyword.arg == "where" for keyword in node.keywords), path


def gathered(n, dim, radius, rng):
    """Tokens within a box about one of them."""
    offsets = np.random.default_rng(rng).uniform(-radius, radius, (n, dim - 1))
    return nm.normalize(np.column_stack([np.ones(n), offsets]))


@pytest.mark.parametrize("as_kernel", [False, True])
@pytest.mark.parametrize(("dim", "n"), [(2, 200), (2, 2000), (3, 1500)])
def test_gathered_tokens_that_the_far_ones_would_pull_most(dim, n, as_kernel):
    """At beta = -20 the weights of tokens half a radian apart are e^-40 of the largest: sums over pairs by numpy."""
    beta, weights = -20.0, np.full(n, 1 / n)
    tokens = gathered(n, dim, 0.25, rng=0)
    flow = nm.Flow(kernel=lambda t: np.exp(beta * t)) if as_kernel else nm.Flow(beta=beta)
    values = np.exp(beta * (tokens @ tokens.T))
    pulls = values @ tokens / n
    velocity = pulls - np.einsum("id,id->i", pulls, tokens)[:, None] * tokens
    found = nm.attention_field(tokens, flow, method="auto")
    assert found == pytest.approx(velocity, abs=1e-12 * np.abs(velocity).max())
    assert nm.Dissipation()(tokens, weights, flow) == pytest.approx((velocity**2).sum() / n, rel=1e-12, abs=0)
    if not as_kernel:
        assert nm.Energy()(tokens, weights, flow) == pytest.approx(values.mean() / (2 * beta), rel=1e-12, abs=0)


def test_energy_ascends_where_the_far_tokens_pull_most():
    """Along a run at beta = -20, whose tokens stay gathered."""
    tokens = gathered(200, 2, 0.25, rng=0)
    run = nm.simulate(tokens, beta=-20, t_end=1e4, save_at=np.linspace(0, 1e4, 5), observe=[nm.Energy()])
    assert run.status.ok
    assert (np.diff(run.observables["energy"]) > 0).all()


def test_a_path_along_a_flow_keeps_the_accuracy_that_its_tolerance_needs():
    """integrate at beta = -20 against scipy on sums by numpy, over a time in which tokens move by a radian."""
    beta, tokens = -20.0, gathered(100, 2, 0.25, rng=1)
    t_end = 0.05 / np.abs(nm.attention_field(tokens, beta=beta)).max()

    def speed(_, flat):
        x = flat.reshape(-1, 2)
        pulls = np.exp(beta * (x @ x.T)) @ x / len(x)
        return (pulls - np.einsum("id,id->i", pulls, x)[:, None] * x).ravel()

    exact = solve_ivp(speed, (0, t_end), tokens.ravel(), method="DOP853", rtol=1e-12, atol=1e-12).y[:, -1]
    end = nm.integrate(nm.Flow(beta=beta), tokens, t_end=t_end, rtol=1e-10, atol=0.0)
    assert end.state.ravel() == pytest.approx(exact, abs=1e-8)
    assert np.abs(end.state - tokens).max() > 0.01


@pytest.mark.parametrize("spread", [1e-8, 1e-10])
def test_dissipation_of_a_slow_motion_keeps_its_digits(spread):
    """Tokens that have all but met move at their spread, which the error of a series would drown."""
    n, beta = 3000, 5.0
    angle = spread * np.random.default_rng(2).uniform(-1, 1, n)
    tokens = np.column_stack([np.cos(angle), np.sin(angle)])
    gap = angle[None] - angle[:, None]
    speed = (np.exp(beta * np.cos(gap)) * np.sin(gap)).mean(axis=1)
    found = nm.Dissipation()(tokens, np.full(n, 1 / n), nm.Flow(beta=beta))
    assert found == pytest.approx((speed**2).mean(), rel=1e-9, abs=0)


def test_energy_of_a_density_at_beta_zero_is_half_the_square_of_its_mean():
    """1 + a cos on the circle has the mean a/2; a zonal tilt a t in dim 5 has a/5; near beta 0 less 1/(2 beta)."""
    circle = nm.circle_density(lambda angle: 1 + 0.4 * np.cos(angle))
    assert nm.Energy().of_density(circle, nm.Flow(beta=0)) == pytest.approx(0.2**2 / 2, rel=1e-12)
    tilted = nm.zonal_density(lambda t: 1 + 0.5 * t, 5)
    assert nm.Energy().of_density(tilted, nm.Flow(beta=0)) == pytest.approx(0.1**2 / 2, rel=1e-12)
    near = nm.Energy().of_density(tilted, nm.Flow(beta=1e-4)) - 1 / 2e-4
    assert near == pytest.approx(0.1**2 / 2, rel=1e-2)
