"""The sums by tiles, against the sums over pairs, against loops, and to the last bit against themselves."""

from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, sampled_from

from gegenflow.numerics.fields import one_tile, products, tiles
from gegenflow.numerics.fields.dense import dense_sums
from gegenflow.numerics.fields.tiles import TILE, tile_sums
from gegenflow.numerics.tokens.geometry import uniform

betas = floats(0, 50)
seeds = integers(0, 10_000)
dims = sampled_from([2, 3, 4, 7, 8, 15, 33, 64, 129, 512])
KERNELS = {"relu": lambda t: np.maximum(t, 0), "cubic": lambda t: 1 + t**3, "constant": lambda t: np.ones_like(t)}


def random_weights(n, seed):
    weights = np.random.default_rng(seed).uniform(0.2, 1, n)
    return weights / weights.sum()


def assert_close(sums, exact, tol):
    for value, expected in zip(sums, exact, strict=True):
        assert value.shape == expected.shape
        assert np.abs(value - expected).max() <= tol * np.abs(expected).max()


def loop_sums(tokens, weights, weight_of_score, form):
    """The definition, token by token."""
    drift, normalizer = np.zeros_like(tokens), np.zeros(len(tokens))
    for i, x in enumerate(tokens):
        for j, y in enumerate(tokens):
            factor = weights[j] * weight_of_score(x @ form @ y)
            drift[i] += factor * (y - (y @ x) * x) if i != j else 0.0
            normalizer[i] += factor
    return drift, normalizer


@settings(max_examples=60)
@given(n=integers(1, 3000), dim=dims, beta=betas, seed=seeds)
def test_tiles_give_the_sums_over_pairs(n, dim, beta, seed):
    """Matrix products of overlaps against sums over differences of tokens, on both sides of every tile edge."""
    n = min(n, 12_000 // dim)
    tokens, weights = uniform(n, dim, rng=seed), random_weights(n, seed)
    assert_close(tile_sums(tokens, weights, beta), dense_sums(tokens, weights, beta), 1e-12)


FEW = [(1, 2), (2, 3), (TILE, 5), (TILE + 1, 5), (TILE // 4, 300)]
MANY = [(2999, 2), (2500, 65), (1100, 512), (257, 512), (1025, 8), (1024, 256), (1025, 256)]


@pytest.mark.parametrize(("n", "dim"), [*FEW, *MANY])
@pytest.mark.parametrize("beta", [0.0, 1.0, 50.0])
def test_tiles_give_the_sums_over_pairs_of_many_tokens(n, dim, beta):
    """The same for one tile, and sizes that leave tiles of unequal sides in every dimension, with several threads."""
    tokens, weights = uniform(n, dim, rng=n), random_weights(n, n)
    assert_close(tile_sums(tokens, weights, beta), dense_sums(tokens, weights, beta), 1e-12)


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("query_key", [None, np.diag([1.0, -0.5, 0.25])])
@pytest.mark.parametrize("shares_from", [0, np.inf])
def test_one_tile_gives_the_sums_of_loops_in_one_and_in_shares(equal, query_key, shares_from, monkeypatch):
    """Each way of its own, for equal weights and others, also into arrays whose rows do not follow one another."""
    monkeypatch.setattr(one_tile, "PARALLEL_FROM", shares_from)
    monkeypatch.setattr(one_tile, "ROWS", 8)
    tokens, weights = uniform(41, 3, rng=1), np.full(41, 1 / 41) if equal else random_weights(41, 2)
    form = np.eye(3) if query_key is None else query_key
    exact = loop_sums(tokens, weights, lambda score: np.exp(4 * (score - 1)), form)
    assert_close(tile_sums(tokens, weights, 4.0, query_key=query_key), exact, 1e-13)
    apart = np.empty((41, 3), order="F"), np.empty(41)
    assert_close(tile_sums(tokens, weights, 4.0, query_key=query_key, out=apart), exact, 1e-13)


def test_no_weight_in_single_precision_makes_products_denormal():
    """Beside 1, a token's own, what is below 2^-80 is zero, and all else exact: else sharp kernels take 100 times as
    long."""
    overlaps = np.linspace(-1, 1, 2001, dtype=np.float32)[None]
    values = overlaps.copy()
    tiles.weigher(200.0, values, True)(values)
    exact = np.exp(200 * (overlaps.astype(float) - 1))
    assert (values[exact < 2.0**-81] == 0).all()
    kept = exact > 2.0**-79
    assert np.abs(values[kept] / exact[kept] - 1).max() < 200 * 2.0**-23


def test_bytes_in_the_other_order_are_not_taken_as_they_are():
    """Products read the memory: 1.0 with its bytes swapped is 3e-319."""
    with pytest.raises(ValueError, match="they are >f8"):
        tile_sums(uniform(3, 2, rng=0).astype(">f8"), random_weights(3, 0), 1.0)


@given(n=integers(20, 1500), dim=dims, beta=betas, seed=seeds)
def test_single_precision_keeps_five_digits(n, dim, beta, seed):
    """Float32 against float64 sums over pairs of the same rounded tokens, where no force is below e^-85."""
    n = min(n, 40_000 // dim)
    tokens, weights = uniform(n, dim, rng=seed).astype(np.float32), random_weights(n, seed)
    sums = tile_sums(tokens, weights, beta)
    assert {value.dtype for value in sums} == {np.dtype(np.float32)}
    exact = tokens.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    assert_close(sums, dense_sums(exact, weights, beta), 1e-5)


@given(n=integers(1, 12), dim=integers(2, 6), beta=floats(0, 20), seed=seeds)
def test_form_scores_the_tokens(n, dim, beta, seed):
    """A matrix without symmetry, token by token: a transposed form or a swapped tile fails."""
    tokens, weights = uniform(n, dim, rng=seed), random_weights(n, seed)
    form = np.random.default_rng(seed).normal(size=(dim, dim)) / 2
    exact = loop_sums(tokens, weights, lambda score: np.exp(beta * (score - 1)), form)
    assert_close(tile_sums(tokens, weights, beta, query_key=form), exact, 1e-12)


@pytest.mark.parametrize(("n", "dim", "dtype", "tol"), [(1301, 9, np.float64, 1e-12), (900, 70, np.float32, 2e-5)])
def test_form_of_many_tokens_is_one_large_product(n, dim, dtype, tol):
    """Tiles over threads against three whole matrices in float64."""
    tokens, weights = uniform(n, dim, rng=3).astype(dtype), random_weights(n, 3)
    form = np.random.default_rng(3).normal(size=(dim, dim)) / np.sqrt(dim)
    exact = tokens.astype(np.float64)
    factor = np.exp(4 * (exact @ form @ exact.T - 1)) * weights
    pull = factor @ exact - np.diag(factor)[:, None] * exact
    pull -= (pull * exact).sum(axis=1, keepdims=True) * exact
    assert_close(tile_sums(tokens, weights, 4.0, query_key=form), (pull, factor.sum(axis=1)), tol)


@given(n=integers(1, 900), dim=integers(2, 20), beta=floats(0, 20), seed=seeds)
def test_identity_as_a_form_changes_nothing(n, dim, beta, seed):
    """All pairs of blocks against each unordered pair once."""
    tokens, weights = uniform(n, dim, rng=seed), random_weights(n, seed)
    general = tile_sums(tokens, weights, beta, query_key=np.eye(dim))
    assert_close(tile_sums(tokens, weights, beta), general, 1e-12)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("n", [1, 7, 1201])
@pytest.mark.parametrize(("dtype", "tol"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_any_kernel(name, n, dtype, tol):
    """Tiles against the definition on whole float64 matrices, with the kernel of the overlap, and with a form."""
    tokens, weights = uniform(n, 5, rng=n).astype(dtype), random_weights(n, n)
    form = np.random.default_rng(n).normal(size=(5, 5))
    exact = tokens.astype(np.float64)
    for given_form, matrix in ((None, np.eye(5)), (form, form)):
        factor = KERNELS[name](exact @ matrix @ exact.T) * weights
        pull = factor @ exact - np.diag(factor)[:, None] * exact
        pull -= (pull * exact).sum(axis=1, keepdims=True) * exact
        sums = tile_sums(tokens, weights, KERNELS[name], query_key=given_form)
        assert_close(sums, (pull, factor.sum(axis=1)), tol)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("form", [None, np.diag([1.0, -0.5] * 6)])
def test_repeated_calls_agree_to_the_last_bit(dtype, form):
    """Threads take tiles in a fixed order, also when several calls are made at once; BLAS gets its threads back."""
    if not hasattr(products._library, "scipy_openblas_set_num_threads"):
        pytest.skip("scipy comes with another library than OpenBLAS")
    tokens, weights = uniform(1707, 12, rng=5).astype(dtype), random_weights(1707, 5)
    before = products._library.scipy_openblas_get_num_threads()
    products._library.scipy_openblas_set_num_threads(2)
    first = tile_sums(tokens, weights, 7.0, query_key=form)
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(tile_sums, tokens, weights, 7.0, query_key=form) for _ in range(9)]
    for call in calls:
        for value, expected in zip(call.result(), first, strict=True):
            np.testing.assert_array_equal(value, expected)
    assert products._library.scipy_openblas_get_num_threads() == 2
    products._library.scipy_openblas_set_num_threads(before)


def test_distant_tokens_feel_forces_far_below_their_self_term():
    """Orthogonal tokens at beta = 500: the pull e^-500 is exact beside a self term of one."""
    drift, normalizer = tile_sums(np.eye(3), np.full(3, 1 / 3), 500.0)
    expected = np.exp(-500.0) / 3 * (1 - np.eye(3))
    np.testing.assert_allclose(drift, expected, rtol=1e-12)
    np.testing.assert_allclose(normalizer, 1 / 3, rtol=1e-14)


def test_tiles_cover_every_pair_once():
    """Counted in a whole matrix; no tile outgrows its block, so memory is linear in the tokens."""
    for n in (1, 2, 3, 5, 63, 64, 1000, 1025):
        for symmetric in (True, False):
            seen = np.zeros((n, n), dtype=int)
            for rows, columns in chain.from_iterable(tiles._tiles(tiles._blocks(n, 64, 1 + n % 4), symmetric)):
                assert max(rows.stop - rows.start, columns.stop - columns.start) <= 64
                seen[rows, columns] += 1
                if symmetric and rows != columns:
                    seen[columns, rows] += 1
            assert (seen == 1).all()


def test_bad_input_is_refused():
    """One clear sentence each."""
    tokens, weights = uniform(4, 3, rng=0), np.full(4, 0.25)
    with pytest.raises(ValueError, match="tokens: they are int64"):
        tile_sums(np.eye(4, 3, dtype=np.int64), weights, 1.0)
    with pytest.raises(ValueError, match=r"query_key: it has shape \(2, 2\)"):
        tile_sums(tokens, weights, 1.0, query_key=np.eye(2))
    with pytest.raises(ValueError, match="query_key: it makes tokens 2 long at beta 300"):
        tile_sums(tokens, weights, 300.0, query_key=2 * np.eye(3))
    with pytest.raises(ValueError, match="query_key: it makes tokens nan long"):
        tile_sums(tokens, weights, 1.0, query_key=np.full((3, 3), np.nan))
    with pytest.raises(FloatingPointError, match="not finite"):
        tile_sums(tokens, weights, lambda t: 1 / (t - t))
