"""The cell method against the pair sum and against the Fourier series, and the laws that its sums obey."""

from itertools import pairwise

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import booleans, floats, integers, sampled_from

from gegenflow.numerics.fields.cells import (
    PARALLEL_FROM,
    cell_kernel,
    cell_sums,
    exponential_cells,
)
from gegenflow.numerics.fields.circle import circle_sums
from gegenflow.numerics.fields.dense import dense_sums
from gegenflow.numerics.fields.fourier import exponential_modes
from gegenflow.numerics.tokens.geometry import lattice, uniform

TOLERANCES = [10.0**-digits for digits in range(2, 13)]
betas = floats(0, 1000)
seeds = integers(0, 10_000)


def on_the_circle(angles):
    return np.column_stack([np.cos(angles), np.sin(angles)])


def sample(n, clustered, seed):
    """Tokens spread evenly or in four clumps of width 0.01, one of them across the cut at pi; uneven weights."""
    rng = np.random.default_rng(seed)
    angles = rng.choice([np.pi, 0.3, 0.35, -2.0], n) + 0.01 * rng.standard_normal(n)
    tokens = on_the_circle(angles) if clustered else uniform(n, 2, rng=rng)
    weights = rng.exponential(size=n) + 1e-3
    return tokens, weights / weights.sum()


def largest_force(beta):
    """max over phi of e^(beta (cos phi - 1)) sin phi: at beta sin^2 = cos, a quadratic equation for the cosine."""
    gap = 1 - 2 * beta / (1 + np.sqrt(1 + 4 * beta**2))
    return np.exp(-beta * gap) * np.sqrt(gap * (2 - gap))


def errors(fast, exact, beta):
    """Drift relative to the largest force, normaliser relative to the largest kernel, 1."""
    return np.abs(fast[0] - exact[0]).max() / largest_force(beta), np.abs(fast[1] - exact[1]).max()


@pytest.mark.parametrize("beta", [0.1, 1.0, 5.0, 50.0, 1000.0])
@pytest.mark.parametrize("clustered", [False, True])
def test_error_follows_the_requested_tolerance(beta, clustered):
    """Sweep against the pair sum: below the tolerance and the estimate, with more cells for more digits."""
    tokens, weights = sample(1500, clustered, seed=1)
    exact = dense_sums(tokens, weights, beta)
    kernels = [exponential_cells(beta, tol) for tol in TOLERANCES]
    for kernel, tol in zip(kernels, TOLERANCES, strict=True):
        assert kernel.error <= tol + 1e-14 * (1 + beta**0.5)
        assert max(errors(cell_sums(tokens, weights, kernel), exact, beta)) < kernel.error + 1e-14 * (1 + beta**0.5)
    assert all(few.cells <= many.cells for few, many in pairwise(kernels))
    assert kernels[-1].cells > kernels[0].cells


@pytest.mark.parametrize("beta", [5.0, 50.0, 1000.0])
@pytest.mark.parametrize("tol", [1e-2, 1e-5, 1e-8, 1e-11])
def test_error_estimate_is_not_far_above_the_error(beta, tol):
    """One source, so that no errors average out, and 400 places: the pair sum finds a tenth of the estimate."""
    angles = np.random.default_rng(3).uniform(-np.pi, np.pi, 400)
    tokens, weights = on_the_circle(angles), np.zeros(400)
    weights[0] = 1.0
    kernel = exponential_cells(beta, tol)
    error = errors(cell_sums(tokens, weights, kernel), dense_sums(tokens, weights, beta), beta)
    assert max(error) > 0.1 * kernel.error


@given(n=integers(1, 400), beta=betas, clustered=booleans(), seed=seeds, tol=sampled_from(TOLERANCES))
def test_cell_sums_are_the_dense_sums(n, beta, clustered, seed, tol):
    """Moments, transforms and local polynomials against a sum over pairs."""
    tokens, weights = sample(n, clustered, seed)
    kernel = exponential_cells(beta, tol)
    error = errors(cell_sums(tokens, weights, kernel), dense_sums(tokens, weights, beta), beta)
    assert max(error) < kernel.error + 1e-14 * (1 + beta**0.5)


@pytest.mark.parametrize("n", [PARALLEL_FROM - 1, PARALLEL_FROM, 100_000])
@pytest.mark.parametrize("beta", [0.1, 5.0, 1000.0])
@pytest.mark.parametrize("clustered", [False, True])
def test_many_tokens_agree_with_the_fourier_series(n, beta, clustered):
    """A series over all modes, on both sides of the parallel threshold."""
    tokens, weights = sample(n, clustered, seed=2)
    exact = circle_sums(tokens, weights, exponential_modes(beta))
    error = errors(cell_sums(tokens, weights, exponential_cells(beta)), exact, beta)
    assert max(error) < 1e-12 + 1e-13


@given(beta=betas, seed=seeds, n=integers(1, 300), clustered=booleans(), tol=sampled_from(TOLERANCES))
def test_tokens_pull_each_other_with_equal_and_opposite_force(beta, seed, n, clustered, tol):
    """Weighted speeds add up to 0 to rounding at any tolerance: gathering is the adjoint of evaluating."""
    tokens, weights = sample(n, clustered, seed)
    drift, _ = cell_sums(tokens, weights, exponential_cells(beta, tol))
    speed = tokens[:, 0] * drift[:, 1] - tokens[:, 1] * drift[:, 0]
    assert abs(weights @ speed) < 1e-15 * (1 + beta**0.5)


@given(beta=betas, seed=seeds, turns=integers(-20, 20), n=integers(1, 300))
def test_angles_and_vectors_agree(beta, seed, turns, n):
    """The cosine and sine of numpy, and whole turns, which change nothing."""
    angles = np.random.default_rng(seed).uniform(-np.pi, np.pi, n)
    weights = np.full(n, 1 / n)
    tokens, kernel = on_the_circle(angles), exponential_cells(beta)
    drift, normalizer = cell_sums(tokens, weights, kernel)
    speed, total = cell_sums(angles + 2 * np.pi * turns, weights, kernel)
    close = 1e-13 * (1 + beta**0.5)
    assert np.abs(total - normalizer).max() < close
    assert np.abs(speed[:, None] * np.column_stack([-tokens[:, 1], tokens[:, 0]]) - drift).max() < close


def test_many_angles_agree_with_the_fourier_series():
    """The parallel path for angles, tokens on the cut and on every edge of a cell among them."""
    kernel = exponential_cells(20.0)
    edges = 2 * np.pi * np.arange(-kernel.cells, kernel.cells + 1) / kernel.cells
    angles = np.concatenate([edges, np.nextafter(edges, 10), np.nextafter(edges, -10), np.linspace(-9, 9, 10_000)])
    weights = np.full(len(angles), 1 / len(angles))
    tokens = on_the_circle(angles)
    exact = circle_sums(tokens, weights, exponential_modes(20.0))
    assert max(errors(cell_sums(tokens, weights, kernel), exact, 20.0)) < 1.1e-12
    speed, normalizer = cell_sums(angles, weights, kernel)
    drift = speed[:, None] * np.column_stack([-tokens[:, 1], tokens[:, 0]])
    assert max(errors((drift, normalizer), exact, 20.0)) < 1.1e-12


@pytest.mark.parametrize("n", [1, 3, 64, 768, 1536])
def test_a_lattice_stands_still(n):
    """By symmetry, whatever the kernel; its tokens sit on the edges of cells."""
    drift, normalizer = cell_sums(lattice(n), np.full(n, 1 / n), exponential_cells(100.0))
    assert np.abs(drift).max() < 1e-13
    assert np.ptp(normalizer) < 2e-12


def test_any_smooth_kernel():
    """A rational kernel of both signs summed over pairs by numpy."""
    tokens, weights = sample(300, False, seed=4)
    overlap = tokens @ tokens.T
    values = 1 / (1.5 - overlap) - 2 * overlap**3
    pull = (values * weights) @ tokens
    drift, normalizer = cell_sums(tokens, weights, cell_kernel(lambda gap: 1 / (0.5 + gap) - 2 * (1 - gap) ** 3))
    np.testing.assert_allclose(drift, pull - (pull * tokens).sum(axis=1, keepdims=True) * tokens, atol=2e-12)
    np.testing.assert_allclose(normalizer, values @ weights, atol=2e-12)


@pytest.mark.parametrize("n", [100, PARALLEL_FROM])
def test_sums_do_not_depend_on_threads_or_on_earlier_contents(n):
    """The same bits from one thread as from all, and in arrays that held something else."""
    tokens, weights = sample(n, False, seed=5)
    kernel = exponential_cells(5.0)
    drift, normalizer = cell_sums(tokens, weights, kernel)
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    out = np.full((n, 2), np.nan), np.full(n, np.nan)
    again = cell_sums(tokens, weights, kernel, out)
    numba.set_num_threads(threads)
    assert again[0] is out[0]
    assert again[1] is out[1]
    np.testing.assert_array_equal(out[0], drift)
    np.testing.assert_array_equal(out[1], normalizer)


@pytest.mark.parametrize("n", [100, PARALLEL_FROM])
def test_the_normaliser_can_be_left_out(n):
    """The same drift, from arrays given and from new ones."""
    tokens, weights = sample(n, True, seed=6)
    angles, kernel = np.arctan2(tokens[:, 1], tokens[:, 0]), exponential_cells(5.0)
    for sums, places in ((cell_sums, tokens), (cell_sums, angles)):
        drift, _ = sums(places, weights, kernel)
        for out in (None, (np.full_like(places, np.nan), np.empty(0))):
            alone, nothing = sums(places, weights, kernel, out, normalizer=False)
            np.testing.assert_array_equal(alone, drift)
            assert nothing.shape == (0,)


def test_impossible_kernels_are_refused():
    """Every refusal names what is allowed."""
    with pytest.raises(ValueError, match=r"tol 0\.0: the tolerance of the cells must lie in \[1e-14, 1\)"):
        exponential_cells(1.0, 0.0)
    with pytest.raises(ValueError, match="tol nan"):
        exponential_cells(1.0, np.nan)
    with pytest.raises(ValueError, match="zero on the whole circle"):
        cell_kernel(np.zeros_like)
    for rough in (lambda gap: np.sign(gap - 0.9), lambda gap: np.maximum(1 - gap, 0), np.sqrt):
        with pytest.raises(ValueError, match="needs more than"):
            cell_kernel(rough)
    with pytest.raises(ValueError, match="not finite"):
        cell_kernel(lambda gap: np.full_like(gap, np.inf))
