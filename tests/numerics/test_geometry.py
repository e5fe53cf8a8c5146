"""Starts, quadrature and the checks of input."""

from math import gamma

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import data, integers

from gegenflow.numerics.tokens.geometry import check_tokens, check_weights, lattice, normalize, quadrature, uniform


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
        (lambda: uniform(0, 3), "n is 0"),
        (lambda: uniform(5, 1), "dim is 1"),
        (lambda: quadrature(1, 3), "dim is 1"),
        (lambda: quadrature(3, -1), "degree is -1"),
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
