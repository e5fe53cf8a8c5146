"""Wasserstein distances against linear programs, closed forms and the axioms of a distance."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import booleans, floats, integers, sampled_from
from scipy.optimize import linear_sum_assignment, linprog, minimize_scalar
from scipy.stats import special_ortho_group
from support.distribution import ANGLES, SEEDS, poisson, poisson_quantiles, random_density, turned

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.wasserstein import sliced_wasserstein_distance, wasserstein_distance
from gegenflow.numerics.densities.zonal import ZonalDensity
from gegenflow.numerics.fields.circle import circle_points
from gegenflow.numerics.tokens.geometry import lattice, normalize, quadrature, uniform

UNIFORM = CircleDensity(np.zeros(0))
SPREADS = [0.0, 1e-3, 0.3, 3.0]
NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(10)


def angles_of(n, clusters, spread, seed):
    """Angles about a few centres, some of them equal where the spread is zero."""
    rng = np.random.default_rng(seed)
    return rng.choice(rng.uniform(0, 2 * np.pi, clusters), n) + spread * rng.standard_normal(n)


def squares(first, second):
    """Squared geodesic distances of angles, the shorter way round."""
    return ((first[:, None] - second + np.pi) % (2 * np.pi) - np.pi) ** 2


def weights_of(n, seed):
    weights = np.random.default_rng(seed).exponential(size=n) + 1e-3
    return weights / weights.sum()


def program(first_weights, second_weights, costs):
    """Optimal transport by the simplex method of scipy."""
    n, m = costs.shape
    masses = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    found = linprog(costs.ravel(), A_eq=masses, b_eq=np.concatenate([first_weights, second_weights]), method="highs-ds")
    return found.fun


@given(n=integers(1, 60), clusters=integers(1, 5), spread=sampled_from(SPREADS), seed=SEEDS)
def test_tokens_on_the_circle_are_assigned_at_least_cost(n, clusters, spread, seed):
    """The Hungarian method on all pairs: it knows neither order nor quantiles."""
    first, second = angles_of(n, clusters, spread, seed), angles_of(n, 3, 0.5, seed + 1)
    costs = squares(first, second)
    best = costs[linear_sum_assignment(costs)].mean()
    assert wasserstein_distance(circle_points(first), circle_points(second)) ** 2 == pytest.approx(best, abs=1e-13)


@given(n=integers(1, 9), m=integers(1, 9), spread=sampled_from(SPREADS), seed=SEEDS)
def test_weighted_tokens_on_the_circle_are_transported_at_least_cost(n, m, spread, seed):
    """The simplex method on all couplings."""
    first, second = angles_of(n, 3, spread, seed), angles_of(m, 2, 1.0, seed + 1)
    weights = {"first_weights": weights_of(n, seed), "second_weights": weights_of(m, seed + 1)}
    best = program(*weights.values(), squares(first, second))
    found = wasserstein_distance(circle_points(first), circle_points(second), **weights)
    assert found**2 == pytest.approx(best, abs=1e-9)


@given(n=integers(1, 40), m=integers(1, 40), spread=sampled_from(SPREADS), turn=ANGLES, mirror=booleans(), seed=SEEDS)
def test_rotations_reflections_and_order_change_nothing(n, m, spread, turn, mirror, seed):
    """The cut of the circle moves through the tokens; clusters may differ by the rounding of their masses."""
    rng = np.random.default_rng(seed)
    first, second = angles_of(n, 4, spread, seed), angles_of(m, 4, spread, seed + 1)
    weights = weights_of(n, seed)
    before = wasserstein_distance(circle_points(first), circle_points(second), first_weights=weights)
    order, sign = rng.permutation(n), -1 if mirror else 1
    moved = [circle_points(sign * part + turn) for part in (first[order], second)]
    after = wasserstein_distance(*moved[::-1], second_weights=weights[order])
    assert after**2 == pytest.approx(before**2, abs=1e-13)


@given(sizes=sampled_from([(1, 5, 9), (20, 30, 7), (50, 50, 50)]), seed=SEEDS)
def test_the_triangle_inequality_holds_among_tokens_and_densities(sizes, seed):
    """Every side by another pairing of tokens and densities."""
    clouds = [circle_points(angles_of(n, 3, 0.3, seed + n)) for n in sizes]
    clouds += [random_density(4, 0.05, seed), poisson(0.4, 1.0)]
    sides = {(i, j): wasserstein_distance(clouds[i], clouds[j]) for i in range(5) for j in range(5)}
    for (i, j), side in sides.items():
        assert side == pytest.approx(sides[j, i], rel=1e-10, abs=2e-7)
        assert all(side <= sides[i, k] + sides[k, j] + 1e-10 for k in range(5))
        assert i != j or side < 2e-7


@given(dim=integers(2, 6), seed=SEEDS, antipodal=booleans())
def test_two_diracs_are_as_far_apart_as_their_points(dim, seed, antipodal):
    """The angle by arccos; pi at the cut locus."""
    if dim > 2:
        pytest.importorskip("ot")
    first, second = uniform(2, dim, rng=seed)[:, None]
    if antipodal:
        assert wasserstein_distance(first, -first) == pytest.approx(np.pi, abs=1e-14)
    expected = np.arccos(np.clip(first[0] @ second[0], -1, 1))
    assert wasserstein_distance(first, second) == pytest.approx(expected, abs=1e-7)


@given(n=integers(1, 12), clusters=integers(1, 4), share=floats(0.01, 3), spread=sampled_from(SPREADS), seed=SEEDS)
def test_a_rotation_costs_its_angle_only_across_wide_gaps(n, clusters, share, spread, seed):
    r"""Exactly up to the sum of the squared gaps over 4 pi, where the rigid matching stops being the best."""
    angles = np.sort(angles_of(n, clusters, spread, seed) % (2 * np.pi))
    gaps = np.diff(angles, append=angles[0] + 2 * np.pi)
    limit = gaps @ gaps / (4 * np.pi)
    turn = min(share * limit, np.pi)
    distance = wasserstein_distance(circle_points(angles), circle_points(angles + turn))
    if turn <= limit:
        assert distance == pytest.approx(turn, abs=1e-13)
    elif turn > 1.01 * limit:
        assert distance < turn * (1 - 1e-6)


@given(n=integers(1, 40), turn=floats(1e-9, 1e-3), weighted=booleans(), seed=SEEDS)
def test_close_clouds_keep_their_digits(n, turn, weighted, seed):
    """A small rotation of shuffled tokens costs its angle: masses misplaced by rounding would show as their root."""
    angles, order = angles_of(n, n, 0.0, seed), np.random.default_rng(seed).permutation(n)
    weights = weights_of(n, seed) if weighted else np.full(n, 1 / n)
    moved = circle_points(angles[order] + turn)
    found = wasserstein_distance(circle_points(angles), moved, first_weights=weights, second_weights=weights[order])
    assert found == pytest.approx(turn, abs=2e-15)


@pytest.mark.parametrize("n", [1, 2, 10, 1001, 100_000])
def test_a_lattice_is_as_far_from_uniform_as_one_interval(n):
    """The standard deviation of a uniform variable on 2 pi/n, however the lattice is turned, to ten digits."""
    tokens = lattice(n) @ np.array([[np.cos(1), np.sin(1)], [-np.sin(1), np.cos(1)]])
    assert wasserstein_distance(tokens, UNIFORM) == pytest.approx(2 * np.pi / n / np.sqrt(12), rel=1e-10)


@pytest.mark.parametrize("n", [1, 7, 300, 100_000])
@pytest.mark.parametrize("radius", [0.2, 0.9])
def test_tokens_against_a_density_to_ten_digits(n, radius):
    """Closed quantiles integrated over the mass of each token, the shift by minimisation; tokens near the best ones."""
    rng = np.random.default_rng(n)
    angles = poisson_quantiles(radius, 2.0, (np.arange(n) + rng.uniform(0, 1, n)) / n)

    parts = max(1, 1000 // n)  # of the mass of a token
    nodes = ((np.arange(parts)[:, None] + 0.5 + 0.5 * NODES) / parts).ravel()
    node_weights = np.tile(NODE_WEIGHTS / (2 * parts), parts)

    def cost(shift):
        labels = (np.arange(n)[:, None] + nodes) / n - shift
        return ((poisson_quantiles(radius, 2.0, labels) - angles[:, None]) ** 2 @ node_weights).mean()

    best = minimize_scalar(cost, bounds=(-1.5 / n, 1.5 / n), method="bounded", options={"xatol": 1e-9 / n}).fun
    assert wasserstein_distance(circle_points(angles), poisson(radius, 2.0)) == pytest.approx(np.sqrt(best), rel=1e-10)


@given(first=floats(0, 0.85), second=floats(0, 0.85), mean=ANGLES, turn=floats(-3, 3))
def test_two_densities_by_their_closed_quantiles(first, second, mean, turn):
    """The trapezoidal rule in the label, exact for these to rounding, and minimisation over the shift."""
    labels = np.arange(2000) / 2000

    def cost(shift):
        apart = poisson_quantiles(first, mean, labels) - poisson_quantiles(second, mean + turn, labels - shift)
        return (apart**2).mean()

    best = minimize_scalar(cost, bounds=(-1, 1), method="bounded", options={"xatol": 1e-10}).fun
    found = wasserstein_distance(poisson(first, mean), poisson(second, mean + turn))
    assert found**2 == pytest.approx(best, rel=1e-10, abs=1e-13)


@given(radius=floats(0.05, 0.9), mean=ANGLES)
def test_a_small_rotation_of_a_density_costs_less_than_its_angle(radius, mean):
    r"""Part of it is undone by a flow of constant flux: a sqrt(1 - 1/int 1/f), with int 1/f = (1 + r^2)/(1 - r^2)."""
    turn = 1e-5
    found = wasserstein_distance(poisson(radius, mean), poisson(radius, mean + turn))
    assert found / turn == pytest.approx(np.sqrt(2 * radius**2 / (1 + radius**2)), rel=1e-8)


@given(width=floats(0.05, 0.3), mean=ANGLES)
def test_a_narrow_density_against_the_uniform_one(width, mean):
    r"""pi^2/3 + s^2 - 2 sqrt(pi) s from the mean of u times the normal quantile, in either order: one has a gap."""
    narrow = turned(np.exp(-((width * np.arange(1, 180)) ** 2) / 2), mean)
    expected = np.sqrt(np.pi**2 / 3 + width**2 - 2 * np.sqrt(np.pi) * width)
    assert wasserstein_distance(narrow, UNIFORM) == pytest.approx(expected, rel=1e-11)
    assert wasserstein_distance(UNIFORM, narrow) == pytest.approx(expected, rel=1e-11)


@settings(max_examples=15)
@given(width=floats(0.05, 0.1), max_degree=integers(1, 6), mean=ANGLES, seed=SEEDS)
def test_densities_of_different_scales_are_as_far_apart_in_either_order(width, max_degree, mean, seed):
    """The two orders integrate in different variables and cut elsewhere."""
    narrow = turned(np.exp(-((width * np.arange(1, 180)) ** 2) / 2), mean)
    broad = random_density(max_degree, 0.02, seed)
    assert wasserstein_distance(narrow, broad) == pytest.approx(wasserstein_distance(broad, narrow), rel=1e-10)


@given(n=integers(1, 25), dim=integers(3, 6), seed=SEEDS)
def test_tokens_in_any_dim_are_assigned_at_least_cost(n, dim, seed):
    """The Hungarian method with angles by arccos."""
    pytest.importorskip("ot")
    first, second = uniform(n, dim, rng=seed), uniform(n, dim, rng=seed + 1)
    costs = np.arccos(np.clip(first @ second.T, -1, 1)) ** 2
    best = np.sqrt(costs[linear_sum_assignment(costs)].mean())
    assert wasserstein_distance(first, second) == pytest.approx(best, rel=1e-12, abs=1e-7)


@given(n=integers(1, 30), m=integers(1, 30), dim=integers(3, 5), seed=SEEDS)
def test_a_great_circle_in_any_dim_is_the_circle(n, m, dim, seed):
    """Weighted tokens: a program over all couplings against sorted quantiles."""
    pytest.importorskip("ot")
    plane = special_ortho_group.rvs(dim, random_state=seed)[:2]
    first, second = circle_points(angles_of(n, 3, 0.3, seed)), circle_points(angles_of(m, 5, 1.0, seed + 1))
    weights = {"first_weights": weights_of(n, seed), "second_weights": weights_of(m, seed + 1)}
    flat = wasserstein_distance(first, second, **weights)
    assert wasserstein_distance(first @ plane, second @ plane, **weights) ** 2 == pytest.approx(flat**2, abs=1e-12)


@given(n=integers(1, 50), m=integers(1, 50), seed=SEEDS)
def test_slicing_the_circle_is_no_slicing(n, m, seed):
    """Every plane of dim 2 is the same, so the average has no error."""
    first, second = circle_points(angles_of(n, 3, 0.3, seed)), circle_points(angles_of(m, 3, 1.0, seed + 1))
    sliced = sliced_wasserstein_distance(first, second, slices=3, rng=seed)
    assert sliced.value == pytest.approx(wasserstein_distance(first, second), rel=1e-11, abs=1e-6)
    assert sliced.error <= 1e-6


def test_a_sliced_distance_is_within_its_error_and_the_error_is_no_larger():
    """Two points in dim 3 by quadrature over the normals of the planes; 40 seeds, false alarm below 1e-3."""
    first, second = np.array([[0.0, 0.0, 1.0]]), np.array([[0.8, 0.0, 0.6]])
    normals, masses = quadrature(3, 900)
    a, b = (normalize(point - (normals @ point[0])[:, None] * normals) for point in (first, second))
    angle = 2 * np.arctan2(np.linalg.norm(a - b, axis=1), np.linalg.norm(a + b, axis=1))
    exact = np.sqrt(masses @ angle**2)
    runs = [sliced_wasserstein_distance(first, second, slices=60, rng=seed) for seed in range(40)]
    scores = np.array([(run.value - exact) / run.error for run in runs])
    assert abs(scores.mean()) < 4 / np.sqrt(40)
    assert 0.65 < scores.std() < 1.5


def test_peers_find_the_same_distances():
    """POT on the circle by bisection, to its tolerance, and on the sphere, to the errors of both."""
    ot = pytest.importorskip("ot")
    first, second = angles_of(200, 4, 0.2, 1), angles_of(300, 2, 1.0, 2)
    turns = first / (2 * np.pi) % 1, second / (2 * np.pi) % 1
    theirs = 2 * np.pi * np.sqrt(float(ot.wasserstein_circle(*turns, p=2)[0]))
    assert wasserstein_distance(circle_points(first), circle_points(second)) == pytest.approx(theirs, rel=1e-6)
    clouds = uniform(80, 4, rng=1), np.abs(uniform(50, 4, rng=2))
    ours = sliced_wasserstein_distance(*clouds, slices=1000, rng=0)
    theirs = 2 * np.pi * float(ot.sliced_wasserstein_sphere(*clouds, n_projections=1000, seed=0))
    assert abs(ours.value - theirs) < 4 * np.sqrt(2) * ours.error


def test_a_run_stands_for_its_last_state():
    """The same as its tokens and weights, or the density it holds."""
    run = SimpleNamespace(tokens=circle_points(angles_of(20, 3, 1.0, 0)), weights=weights_of(20, 1))
    expected = wasserstein_distance(run.tokens, UNIFORM, first_weights=run.weights)
    assert wasserstein_distance(run, UNIFORM) == expected > 0
    assert wasserstein_distance(SimpleNamespace(density=UNIFORM), run) == pytest.approx(expected, rel=1e-13)
    assert sliced_wasserstein_distance(run, run, slices=2).value == pytest.approx(0, abs=1e-6)


def test_without_pot_the_extra_is_named(monkeypatch):
    """As if it were not installed; the circle needs none."""
    monkeypatch.setitem(sys.modules, "ot", None)
    assert wasserstein_distance(np.eye(2), -np.eye(2)) == pytest.approx(np.pi / 2)
    with pytest.raises(ValueError, match=r'pip install "gegenflow\[transport\]"'):
        wasserstein_distance(np.eye(3), -np.eye(3))


HALVES = [0.5, 0.4]
NEGATIVE = CircleDensity(np.array([1.0, 0.0]))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: wasserstein_distance(np.eye(2), np.eye(3)),
            "second: it has dim 3 and first has dim 2, they must agree",
        ),
        (lambda: wasserstein_distance(UNIFORM, np.eye(3)), "second: it has dim 3 and first has dim 2"),
        (
            lambda: wasserstein_distance(ZonalDensity(np.zeros(1), 3), np.eye(3)),
            "first: it is a ZonalDensity, expected tokens or a density on the circle",
        ),
        (lambda: wasserstein_distance(np.eye(2), 2 * np.eye(2)), "second: row 0 has norm 2"),
        (lambda: wasserstein_distance(np.eye(2), "run.npz"), "second: it must be an array of real numbers"),
        (lambda: wasserstein_distance(np.eye(2), np.eye(2), first_weights=HALVES), "first_weights: they sum to 0.9"),
        (
            lambda: wasserstein_distance(np.eye(2), UNIFORM, second_weights=[1.0]),
            "second_weights: they are for an array",
        ),
        (lambda: wasserstein_distance(np.eye(2), NEGATIVE), "it is -0.414214 at the angle 3.14159"),
        (lambda: sliced_wasserstein_distance(UNIFORM, np.eye(2)), "first: a density lives on the circle"),
        (lambda: sliced_wasserstein_distance(np.eye(2), np.eye(3)), "second: it has dim 3 and first has dim 2"),
        (
            lambda: sliced_wasserstein_distance(np.eye(3), np.eye(3), slices=1),
            "slices 1: it must be a whole number >= 2, for a standard error",
        ),
    ],
)
def test_bad_input_is_named(call, words):
    """One sentence with the value and what is allowed."""
    with pytest.raises(ValueError, match=words):
        call()


def test_too_many_pairs_are_refused_before_they_are_formed():
    """5001 tokens against as many."""
    pytest.importorskip("ot")
    with pytest.raises(ValueError, match="5001 tokens against 5001 are over 25000000 pairs"):
        wasserstein_distance(uniform(5001, 3, rng=0), uniform(5001, 3, rng=1))
