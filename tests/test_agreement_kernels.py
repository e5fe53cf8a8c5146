"""Growth rates of attention kernels other than the exponential: tokens moved by the kernel against its multipliers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, sampled_from
from scipy.integrate import quad
from scipy.special import eval_gegenbauer
from sympy import Rational

from gegenflow import numerics as nm
from gegenflow import theory as th

CAP = 1e-6
"""The widest relative error bar of a planted rate that confirms anything."""


def relu(t):
    return np.maximum(t, 0)


def two_heads(t):
    return np.exp(2 * t) - 0.5 * np.exp(-t)


def multiplier(kernel, degree, dim):
    """Integral of h P_k against the uniform measure, by adaptive quadrature over the angle, halves apart for a kink."""

    def zonal(t):
        if dim == 2:
            return np.cos(degree * np.arccos(t))
        return eval_gegenbauer(degree, dim / 2 - 1, t) / eval_gegenbauer(degree, dim / 2 - 1, 1.0)

    def integral(f):
        halves = ((0, np.pi / 2), (np.pi / 2, np.pi))
        return sum(quad(lambda a: f(np.cos(a)) * np.sin(a) ** (dim - 2), *ends, epsabs=1e-13)[0] for ends in halves)

    return integral(lambda t: kernel(t) * zonal(t)) / integral(lambda t: 1.0)


def predicted_rates(kernel, dim, model, count):
    """L_k w_k[W], W' = h, by parts L_k w_{k-1}[h]/d in dim d + 2; SA divides by w_0[h]."""
    rates = [k * (k + dim - 2) * multiplier(kernel, k - 1, dim + 2) / dim for k in range(1, count + 1)]
    return np.array(rates) / (multiplier(kernel, 0, dim) if model == "sa" else 1)


def check_planted(kernel, predicted, dim, model, seed):
    """Within three bars, which are below 1e-6 of the rate; the rate of another degree is 1,000 bars away or more."""
    window = 1 / abs(predicted).max()
    rates, errors = nm.planted_rates(
        dim, kernel=kernel, max_degree=len(predicted), window=window, model=model, rng=seed
    )
    assert (errors < CAP * abs(predicted)).all()
    assert (abs(rates - predicted) < 3 * errors).all()
    assert (abs(rates - np.roll(predicted, 1)) > 1e3 * errors).all()


@pytest.mark.parametrize("model", ["usa", "sa"])
@pytest.mark.parametrize("dim", [2, 3, 4])
def test_a_polynomial_kernel_grows_at_the_rate_of_its_power_series(dim, model):
    """h = 1 + t + t^2/2 against exact rational multipliers of theory; no false alarm: the bars are not random."""
    series = th.power_series([1, 1, Rational(1, 2)])
    predicted = np.array([float(th.growth_rate(k, dim, kernel=series, model=model, digits=17)) for k in (1, 2, 3)])
    check_planted(lambda t: 1 + t + t**2 / 2, predicted, dim, model, seed=dim)


@settings(max_examples=8)
@given(
    coefficients=sampled_from([[1, 2, 1, 2], [2, 1, 1, 1, 1], [3, -1, 2]]),
    dim=integers(2, 3),
    scale=floats(0.5, 2),
    seed=integers(0, 99),
)
def test_any_polynomial_kernel_grows_at_the_rate_of_its_multipliers(coefficients, dim, scale, seed):
    """The highest degree that the polynomial moves at all, and all below, against quadrature of the kernel."""

    def kernel(t):
        return scale * np.polynomial.polynomial.polyval(t, coefficients)

    predicted = predicted_rates(kernel, dim, "usa", len(coefficients))
    check_planted(kernel, predicted, dim, "usa", seed)


@pytest.mark.parametrize(("dim", "model"), [(2, "usa"), (2, "sa"), (3, "usa"), (3, "sa"), (4, "usa")])
def test_two_heads_grow_at_the_sum_of_their_rates(dim, model):
    """h = e^{2t} - e^{-t}/2: quadrature of the mixture; the exponentials of the theory, head by head, say the same."""
    predicted = predicted_rates(two_heads, dim, model, 3)
    check_planted(two_heads, predicted, dim, model, seed=dim)
    if model == "usa":  # e^{-t} has the multipliers of e^t, times (-1)^k: degree k of W = -e^{-t} is odd in k - 1
        heads = [[float(th.growth_rate(k, dim, beta, digits=17)) for k in (1, 2, 3)] for beta in (2, 1)]
        np.testing.assert_allclose(predicted, np.array(heads[0]) - 0.5 * np.array([1, -1, 1]) * heads[1], rtol=1e-10)


@pytest.mark.parametrize(("dim", "model"), [(2, "sa"), (3, "usa")])
def test_relu_attention_grows_at_the_rate_of_its_multipliers(dim, model):
    """Regression over independent starts; degree 4 does not move, degree 5 shrinks, degrees 1 to 3 grow.

    False alarm rate: ten degrees at three standard errors, 3 % for a fresh seed; the seed is fixed.
    """
    predicted = predicted_rates(relu, dim, model, 5)
    assert predicted[3] == pytest.approx(0, abs=1e-12)
    assert predicted[4] < 0
    window = 0.5 / predicted.max()
    rates, errors = nm.uniform_rates(
        dim, kernel=relu, max_degree=5, window=window, tokens=500, runs=32, model=model, rng=0
    )
    assert (abs(rates - predicted) < 3 * errors).all()
    assert (errors[:3] < 0.05 * predicted[:3]).all()
    assert (errors[3:] < 0.06 * predicted.max()).all()
