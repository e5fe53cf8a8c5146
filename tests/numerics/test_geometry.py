"""Starts, quadrature and the checks of input."""

from fractions import Fraction
from math import gamma

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import data, integers

from gegenflow.numerics.tokens.arguments import check_number, check_times, check_whole
from gegenflow.numerics.tokens.geometry import check_tokens, check_weights, lattice, normalize, quadrature, uniform
from gegenflow.numerics.tokens.refusals import Refused


class Symbolic:
    """As sympy's and flint's numbers are: no Real, but with a value."""

    def __float__(self):
        return 2.0


@given(dim=integers(2, 5), degree=integers(0, 9), draw=data())
def test_quadrature_integrates_every_monomial(dim, degree, draw):
    """Against Gamma functions: the moments of a Gaussian vector divided by those of its length."""
    power = np.zeros(dim, dtype=int)
    for _ in range(draw.draw(integers(0, degree))):
        power[draw.draw(integers(0, dim - 1))] += 1
    tokens, weights = quadrature(dim, degree)
    exact = 0.0
    if not (power % 2).any():
        product = np.prod([gamma((p + 1) / 2) / gamma(0.5) for p in power])
        exact = product * gamma(dim / 2) / gamma((dim + power.sum()) / 2)
    assert weights @ np.prod(tokens**power, axis=1) == pytest.approx(exact, abs=2e-15)
    assert (weights > 0).all()
    assert len(tokens) == (degree + 1) * (degree // 2 + 1) ** (dim - 2)


def test_quadrature_is_no_more_exact_than_it_says():
    """The first even degree beyond the promise fails, so the test above can tell a coarser rule."""
    tokens, weights = quadrature(3, 4)
    assert abs(weights @ tokens[:, 0] ** 6 - 1 / 7) > 1e-3


@given(n=integers(1, 40), m=integers(1, 100))
def test_lattice_has_the_moments_of_a_regular_polygon(n, m):
    """Complex exponentials of the angles: one when n divides m and zero otherwise."""
    x, y = lattice(n).T
    assert ((x + 1j * y) ** m).mean() == pytest.approx(float(m % n == 0), abs=1e-13)


def test_uniform_tokens_are_unit_reproducible_and_isotropic():
    """Second moments against I/d within five standard errors."""
    tokens = uniform(20_000, 4, rng=3)
    assert np.array_equal(tokens, uniform(20_000, 4, rng=np.random.default_rng(3)))
    assert np.abs(np.linalg.norm(tokens, axis=1) - 1).max() < 4e-16
    spread = 5 * np.sqrt(1 / (4 * 6)) / np.sqrt(20_000)
    assert np.abs(tokens.T @ tokens / 20_000 - np.eye(4) / 4).max() < spread


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: uniform(0, 3), "n 0: it must be a whole number >= 1"),
        (lambda: uniform(5, 1), "dim 1: it must be a whole number >= 2"),
        (lambda: quadrature(1, 3), "dim 1: it must be a whole number >= 2"),
        (lambda: quadrature(3, -1), "degree -1: it must be a whole number >= 0"),
        (lambda: normalize([[1.0, 0.0], [0.0, 0.0]]), "row 1 is zero"),
        (lambda: normalize([[1.0, np.nan]]), "row 0 is not finite"),
        (lambda: check_tokens([1.0, 0.0]), r"shape \(2,\)"),
        (lambda: check_tokens(np.empty((0, 3))), r"shape \(0, 3\)"),
        (lambda: check_tokens([[1.0], [1.0]]), r"shape \(2, 1\)"),
        (lambda: check_tokens([[0.0, 1.0], [np.inf, 0.0]]), "row 1 is not finite"),
        (lambda: check_tokens([[1.0, 1e-3]]), "row 0 has norm 1.0000005, not 1; .*normalize"),
        (lambda: check_weights([0.5, 0.5], 3), r"shape \(3,\)"),
        (lambda: check_weights([1.5, -0.5], 2), "entry 1 is -0.5"),
        (lambda: check_weights([np.nan, 1.0], 2), "entry 0 is nan"),
        (lambda: check_weights([0.5, 0.4], 2), "sum to 0.9"),
    ],
)
def test_bad_input_is_named(call, message):
    """Every refusal names the value."""
    with pytest.raises(ValueError, match=message):
        call()


def test_check_tokens_removes_rounding_and_keeps_its_input():
    """A row off by 1e-9 is a token; the caller's array is not changed."""
    tokens = np.array([[1 + 1e-9, 0.0], [0.6, 0.8]], order="F")
    checked = check_tokens(tokens)
    assert checked[0, 0] == 1
    assert tokens[0, 0] == 1 + 1e-9
    assert checked.flags.c_contiguous


@pytest.mark.parametrize(("dtype", "off"), [("f4", 1e-6), (">f4", 1e-6), ("f2", 1e-2), (">f8", 1e-8), ("f8", 1e-8)])
def test_the_tolerance_of_rows_and_weights_is_that_of_their_dtype(dtype, off):
    """Just within it and just beyond, in any byte order."""
    for factor, allowed in ((0.5, True), (2.0, False)):
        row = np.array([[1 + factor * off, 0.0]]).astype(dtype)
        if allowed:
            assert check_tokens(row).tolist() == [[1.0, 0.0]]
        else:
            with pytest.raises(Refused, match="row 0 has norm"):
                check_tokens(row)
    mass = {"f4": 1e-5, "f2": 1e-2}.get(dtype.strip(">"), 1e-9)
    assert check_weights(np.array([0.5, 0.5 + 0.5 * mass], dtype=dtype), 2).sum() == 1
    with pytest.raises(Refused, match="sum to"):
        check_weights(np.array([0.5, 0.5 + 2 * mass], dtype=dtype), 2)


def test_a_softmax_in_single_precision_gives_weights():
    """As PyTorch returns it: the sum is off by more than a float64 would be allowed."""
    scores = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    masses = np.exp(scores) / np.exp(scores).sum()
    assert abs(masses.astype(float).sum() - 1) > 1e-9
    assert check_weights(masses, 1000).sum() == pytest.approx(1, abs=1e-15)


@given(n=integers(1, 40))
def test_whole_numbers_may_be_floats(n):
    """3.0 is 3, 2.5 is nothing."""
    assert np.array_equal(lattice(float(n)), lattice(n))
    assert np.array_equal(uniform(np.float32(n), 2.0, rng=float(n)), uniform(n, 2, rng=n))
    with pytest.raises(Refused, match=rf"n {n}.5: it must be a whole number >= 1"):
        lattice(n + 0.5)


@pytest.mark.parametrize("call", [check_tokens, normalize, lambda rows: check_weights(rows[0], 2)])
def test_a_mask_is_not_lost(call):
    """Masked entries would come back as numbers."""
    rows = np.ma.masked_equal([[0.6, 0.8], [0.8, 0.6]], 0.8)
    with pytest.raises(Refused, match="masked and would be lost"):
        call(rows)
    assert check_tokens(np.ma.array([[0.6, 0.8]])).tolist() == [[0.6, 0.8]]


def test_times_may_repeat_and_may_be_off_by_a_rounding():
    """Three tenths added up are one rounding more than 0.3; two roundings of 0.3 are not a tenth."""
    times = check_times(np.arange(4) * 0.1, 0.3)
    assert times[-1] == 0.3 < np.arange(4)[-1] * 0.1
    assert check_times([0.1, 0.1, 0.2], 0.3).tolist() == [0.1, 0.1, 0.2]
    with pytest.raises(Refused, match="save_at: its times run"):
        check_times([0.3 * (1 + 1e-14)], 0.3)


@pytest.mark.parametrize("number", [np.float32(2), Fraction(2), 2, np.array(2.0), np.longdouble(2), Symbolic()])
def test_any_real_number_is_one(number):
    """By its value, whatever kind it is."""
    assert (check_number("x", number), check_whole("x", number)) == (2.0, 2)
