"""Every fast field against sums in extended precision, the laws that all of them obey, and each against the others.

Errors are relative to the largest force that the kernel allows, and to its largest value, 1, times the total weight,
1.  The grids are thinned in the default profile; HYPOTHESIS_PROFILE=thorough runs them in full.
"""

import os
from dataclasses import replace

import numpy as np
import pytest
from benchmarks.peers import exact_sums
from hypothesis import given, settings
from hypothesis.strategies import booleans, floats, integers, sampled_from

from gegenflow.numerics.fields.cells import cell_sums, exponential_cells
from gegenflow.numerics.fields.circle import circle_sums, fourier_moments
from gegenflow.numerics.fields.compiled.sphere_polynomials import direct_sums
from gegenflow.numerics.fields.compiled.sphere_transforms import transform_sums
from gegenflow.numerics.fields.dense import dense_sums
from gegenflow.numerics.fields.fourier import exponential_modes
from gegenflow.numerics.fields.legendre import DIRECT_TO, exponential_sphere_modes
from gegenflow.numerics.fields.sphere import sphere_sums
from gegenflow.numerics.fields.tiles import tile_sums
from gegenflow.numerics.tokens.geometry import normalize, uniform

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
TOLERANCES = 10.0 ** -np.arange(2, 13.01, 1 / 8)
"""Down to 1e-13: below it the rounding of the kernel's spectrum, about 1e-15 of its largest value, counts."""
BETAS = [0.1, 1.0, 5.0, 30.0, 200.0, 1000.0]
SPREADS = np.array([1e-3, 1e-6, 1e-9])
STARTS = [(kind, n) for kind in ("uniform", "clusters", "single", "antipodal") for n in (1, 2, 10, 1000, 100_000)]
A_FEW = 2  # starts a tolerance by default: the next tolerance takes the next two
TARGETS = 50 if THOROUGH else 10  # tokens at which the sums over all others are known in extended precision

FIELDS = {
    "circle": (2, circle_sums, exponential_modes),
    "cells": (2, cell_sums, exponential_cells),
    "sphere, direct": (3, direct_sums, exponential_sphere_modes),
    "sphere, transforms": (3, transform_sums, exponential_sphere_modes),
}
ALLOWED = {"sphere, transforms": 4.0}
"""Errors in units of the tolerance, 1 unless named: ducc0 keeps to its own in the mean over tokens, not at each."""

betas = floats(0, 30)
seeds = integers(0, 10_000)


def random_weights(n, rng):
    weights = rng.exponential(size=n) + 1e-6
    return weights / weights.sum()


def start(kind, n, dim, rng):
    """Tokens spread evenly, in three tight clusters, all in one place, or in two opposite ones; random weights."""
    centers, label = uniform(3, dim, rng=rng), rng.integers(0, 3, n)
    tokens = {
        "uniform": lambda: uniform(n, dim, rng=rng),
        "clusters": lambda: normalize(centers[label] + SPREADS[label, None] * rng.standard_normal((n, dim))),
        "single": lambda: np.repeat(centers[:1], n, axis=0),
        "antipodal": lambda: centers[0] * rng.choice([-1.0, 1.0], (n, 1)),
    }[kind]()
    return tokens, random_weights(n, rng)


def largest_force(beta):
    """max over phi of e^(beta (cos phi - 1)) sin phi: at beta sin^2 = cos, a quadratic equation for the cosine."""
    gap = 1 - 2 * beta / (1 + np.sqrt(1 + 4 * beta**2))
    return np.exp(-beta * gap) * np.sqrt(gap * (2 - gap))


def with_exact(beta, dim, starts):
    """Tokens, weights, and at a sample of the tokens the indices and the exact sums, by kind and number."""
    known = {}
    for kind, n in starts:
        rng = np.random.default_rng(n)
        tokens, weights = start(kind, n, dim, rng)
        targets = rng.choice(n, min(n, TARGETS), replace=False)
        known[kind, n] = tokens, weights, targets, exact_sums(tokens, weights, beta, targets)
    return known


def errors(sums, targets, exact):
    return [float(np.abs(found[targets] - right).max()) for found, right in zip(sums, exact, strict=True)]


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("name", FIELDS)
def test_error_stays_below_the_requested_tolerance(name, beta):
    """Eight tolerances a decade against sums over pairs of differences of tokens, to 19 digits.

    Direct sums on the sphere are asked for the degrees that they are used for, so only for loose tolerances of a
    sharp kernel.
    """
    dim, sums, modes = FIELDS[name]
    known = with_exact(beta, dim, STARTS)
    for k, tol in enumerate(TOLERANCES):
        series = modes(beta, tol)
        if sums is direct_sums and len(series.value) > DIRECT_TO + 1:
            break
        chosen = STARTS if THOROUGH else [STARTS[(A_FEW * k + j) % len(STARTS)] for j in range(A_FEW)]
        for kind, n in chosen:
            tokens, weights, targets, exact = known[kind, n]
            force, value = errors(sums(tokens, weights, series), targets, exact)
            assert max(force / largest_force(beta), value) <= ALLOWED.get(name, 1.0) * tol, (tol, kind, n)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("dim", [2, 3, 5, 64])
def test_sums_over_pairs_err_by_rounding(dim, beta):
    """Differences lose no digits to beta, overlaps 2 beta roundings of the largest sum: both against 19 digits.

    Eight more are those of up to 1000 terms added up. An overlap of many coordinates is rounded half an epsilon times
    the root of their number, in an order that is the machine's. Single precision is tested where no weight leaves its
    range.
    """
    lost = 8 + max(2.0, dim**0.5 / 2) * beta
    for kind, n in [key for key in STARTS if key[1] <= 1000]:
        tokens, weights, targets, exact = with_exact(beta, dim, [(kind, n)])[kind, n]
        double, single = np.finfo(np.float64).eps, np.finfo(np.float32).eps
        assert max(errors(dense_sums(tokens, weights, beta), targets, exact)) <= 8 * double
        assert max(errors(tile_sums(tokens, weights, beta), targets, exact)) <= lost * double
        if beta <= 30:
            short = tokens.astype(np.float32)
            exact = exact_sums(short, weights, beta, targets)
            assert max(errors(tile_sums(short, weights, beta), targets, exact)) <= lost * single


@pytest.mark.parametrize("sums", [dense_sums, tile_sums])
def test_sums_over_many_pairs_err_by_rounding(sums):
    """Twenty thousand tokens, by several threads, at a sample of them against 19 digits."""
    tokens, weights, targets, exact = with_exact(5.0, 3, [("uniform", 20_000)])["uniform", 20_000]
    assert max(errors(sums(tokens, weights, 5.0), targets, exact)) <= 30 * np.finfo(np.float64).eps


@given(n=integers(1, 3000), degree=integers(0, 60), seed=seeds)
def test_circle_synthesis_is_the_adjoint_of_its_analysis(n, degree, seed):
    """sum_i w_i (S a)_i = sum_m a_m (A w)_m for any modes: Horner sums of a unit source against the moments.

    One token of weight 1 at angle 0 among others of weight 0 is evaluated to the cosines and sines of the others.
    """
    rng = np.random.default_rng(seed)
    tokens = np.concatenate([[[1.0, 0.0]], uniform(n, 2, rng=rng)])
    source, weights = np.eye(1, n + 1)[0], rng.standard_normal(n + 1)
    value, force = rng.standard_normal((2, degree + 1))
    modes = replace(exponential_modes(1.0), value=value, force=force * (np.arange(degree + 1) > 0))
    drift, value = circle_sums(tokens, source, modes)
    speed = tokens[:, 0] * drift[:, 1] - tokens[:, 1] * drift[:, 0]
    moments = fourier_moments(tokens, weights, degree)
    rounding = 1e-14 * (degree + 1) ** 1.5 * np.abs(weights).sum()
    assert abs(weights @ value - modes.value @ moments.real) < rounding
    assert abs(weights @ speed + modes.force @ moments.imag) < rounding


@given(n=integers(1, 2000), degree=integers(0, 15), direct=booleans(), seed=seeds)
def test_sphere_synthesis_is_the_adjoint_of_its_analysis(n, degree, direct, seed):
    """sum_i u_i Z_i[v] = sum_i v_i Z_i[u] for any series, also with disjoint u and v of both signs.

    With the spectrum arbitrary, the analysis must be the transpose of the synthesis degree by degree.  From degree 20
    on direct sums lose digits where a spectrum does not decay: their polynomials are large and cancel.
    """
    rng = np.random.default_rng(seed)
    tokens, split = uniform(n, 3, rng=rng), rng.random(n) < 0.5
    u, v = rng.standard_normal(n) * split, rng.standard_normal(n) * ~split
    value, potential = rng.standard_normal((2, degree + 1))
    potential *= np.arange(degree + 1) > 0
    modes = replace(exponential_sphere_modes(1.0), value=value, potential=potential, slope=None)
    sums, rounding = (direct_sums, 1e-15) if direct else (transform_sums, 1e-13)
    there, back = u @ sums(tokens, v, modes)[1], v @ sums(tokens, u, modes)[1]
    assert abs(there - back) < rounding * (degree + 1) ** 1.5 * (1 + np.abs(u).sum() * np.abs(v).sum())


ALL_FIELDS = {
    "dense": (5, lambda tokens, weights, beta: dense_sums(tokens, weights, beta)),
    "tiles": (5, lambda tokens, weights, beta: tile_sums(tokens, weights, beta)),
    "circle": (2, lambda tokens, weights, beta: circle_sums(tokens, weights, exponential_modes(beta, 1e-4))),
    "cells": (2, lambda tokens, weights, beta: cell_sums(tokens, weights, exponential_cells(beta, 1e-4))),
    "direct": (3, lambda tokens, weights, beta: direct_sums(tokens, weights, exponential_sphere_modes(beta, 1e-4))),
    "transforms": (3, lambda tokens, weights, beta: transform_sums(tokens, weights, exponential_sphere_modes(beta))),
}
"""The series cut off early, to see laws that hold at any tolerance; ducc0 keeps them to its own, so the smallest."""


@given(name=sampled_from(sorted(ALL_FIELDS)), n=integers(1, 2000), beta=betas, seed=seeds)
def test_the_normalizer_is_symmetric(name, n, beta, seed):
    """sum_i u_i Z_i[v] = sum_i v_i Z_i[u] to rounding at any tolerance: gathering is the adjoint of evaluating."""
    dim, sums = ALL_FIELDS[name]
    rng = np.random.default_rng(seed)
    tokens, (u, v) = uniform(n, dim, rng=rng), rng.standard_normal((2, n))
    there, back = u @ sums(tokens, v, beta)[1], v @ sums(tokens, u, beta)[1]
    rounding = 1e-12 if name == "transforms" else 2e-15 * (1 + beta)
    assert abs(there - back) <= rounding * np.abs(u).sum() * np.abs(v).sum()


@given(
    name=sampled_from(sorted(set(ALL_FIELDS) - {"circle", "cells", "direct"})),
    kind=sampled_from(["uniform", "clusters", "antipodal"]),
    n=integers(1, 60),
    beta=floats(0.1, 30),
    seed=seeds,
)
def test_weighted_drift_is_the_gradient_of_the_energy(name, kind, n, beta, seed):
    r"""sum_i w_i <F_i, e_i> = dE/ds for E = sum_ij w_i w_j e^{beta(<x_i,x_j> - 1)}/(2 beta) along tangents e.

    E is analytic in the tokens: one complex step of 1e-40 in extended precision gives its slope without a difference.
    """
    dim, sums = ALL_FIELDS[name]
    check_gradient(sums, *start(kind, n, dim, np.random.default_rng(seed)), beta, 1e-12, seed)


@given(
    name=sampled_from(["circle", "cells", "sphere, direct"]),
    tol=sampled_from(TOLERANCES.tolist()),
    n=integers(1, 60),
    beta=floats(0.1, 8),
    seed=seeds,
)
def test_weighted_drift_is_the_gradient_of_the_energy_to_the_tolerance(name, tol, n, beta, seed):
    """The same for the series that are cut off at a tolerance, which is then the error of a slope of E."""
    dim, sums, modes = FIELDS[name]
    tokens, weights = start("uniform", n, dim, np.random.default_rng(seed))
    check_gradient(lambda x, w, beta: sums(x, w, modes(beta, tol)), tokens, weights, beta, tol, seed)


def check_gradient(sums, tokens, weights, beta, tol, seed):
    tangents = np.random.default_rng([seed, 1]).standard_normal(tokens.shape)
    tangents -= np.einsum("id,id->i", tangents, tokens)[:, None] * tokens
    places = tokens.astype(np.clongdouble) + np.clongdouble(1e-40j) * tangents
    energy = weights @ np.exp(np.longdouble(beta) * (places @ places.T - 1)) @ weights / (2 * np.longdouble(beta))
    slope = float(energy.imag / np.longdouble(1e-40))
    found = weights @ np.einsum("id,id->i", sums(tokens, weights, beta)[0], tangents)
    assert abs(found - slope) <= tol * largest_force(beta) * (weights @ np.abs(tangents).sum(axis=1))


OVERLAPPING = {
    2: [tile_sums, *(lambda x, w, b, m=m, f=f: f(x, w, m(b)) for _, f, m in list(FIELDS.values())[:2])],
    3: [
        tile_sums,
        lambda x, w, b: sphere_sums(x, w, exponential_sphere_modes(b)),
        *(lambda x, w, b, m=m, f=f: f(x, w, m(b)) for _, f, m in list(FIELDS.values())[2:]),
    ],
    5: [tile_sums],
}


@settings(max_examples=120)
@given(
    dim=sampled_from(sorted(OVERLAPPING)),
    kind=sampled_from(["uniform", "clusters", "single", "antipodal"]),
    n=integers(1, 1500),
    beta=floats(0, 8),
    seed=seeds,
)
def test_all_methods_give_one_velocity(dim, kind, n, beta, seed):
    """USA and SA by every method of a dim against the dense ones; where Z_i is small, SA divides the error by it."""
    tokens, weights = start(kind, n, dim, np.random.default_rng(seed))
    drift, normalizer = dense_sums(tokens, weights, beta)
    tol = 2e-12
    for sums in OVERLAPPING[dim]:
        found = sums(tokens, weights, beta)
        assert np.abs(found[0] - drift).max() <= tol * largest_force(beta)
        exact = drift / normalizer[:, None]
        sa = np.abs(found[0] / found[1][:, None] - exact).max(axis=1)
        assert (sa * normalizer <= tol * (1 + np.abs(exact).max(axis=1))).all()
