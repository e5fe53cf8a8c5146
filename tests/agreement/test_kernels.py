"""Growth rates of attention kernels other than the exponential: tokens moved by the kernel against its multipliers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, sampled_from
from sympy import Rational

from gegenflow import numerics as nm
from gegenflow import theory as th

CAP = 1e-6
"""The widest relative error bar of a planted rate that confirms anything."""


def relu(t):
    return np.maximum(t, 0)


def two_heads(t):
    return np.exp(2 * t) - 0.5 * np.exp(-t)


def predicted_rates(kernel, dim, model, count):
    """Certified rates of degrees 1 to ``count``."""
    rates = [th.growth_rate(k, dim, kernel=kernel, model=model, digits=17) for k in range(1, count + 1)]
    return np.array([float(rate) for rate in rates])


def check_planted(kernel, predicted, dim, model, seed):
    """Within three bars, which are below 1e-6 of the rate; the rate of another degree is 1,000 bars away or more."""
    window = 1 / abs(predicted).max()
    rates, errors = nm.planted_rates(
        dim, kernel=kernel, max_degree=len(predicted), window=window, model=model, rng=seed
    )
    assert (errors < CAP * abs(predicted)).all()
    assert (abs(rates - predicted) < 3 * errors).all()
    assert (abs(rates - np.roll(predicted, 1)) > 1e3 * errors).all()


@settings(max_examples=8)
@given(
    coefficients=sampled_from([[1, 2, 1, 2], [2, 1, 1, 1, 1], [3, -1, 2]]),
    dim=integers(2, 3),
    scale=floats(0.5, 2),
    model=sampled_from(["usa", "sa"]),
    seed=integers(0, 99),
)
def test_any_polynomial_kernel_grows_at_the_rate_of_its_multipliers(coefficients, dim, scale, model, seed):
    """The highest degree that the polynomial moves at all, and all below: exact rational multipliers."""

    def kernel(t):
        return scale * np.polynomial.polynomial.polyval(t, coefficients)

    series = th.Kernel.series([Rational(scale) * c for c in coefficients])
    check_planted(kernel, predicted_rates(series, dim, model, len(coefficients)), dim, model, seed)


@pytest.mark.parametrize(("dim", "model"), [(2, "usa"), (2, "sa"), (3, "usa"), (3, "sa"), (4, "usa")])
def test_two_heads_grow_at_the_sum_of_their_rates(dim, model):
    """h = e^{2t} - e^{-t}/2, heads of either sign: planted harmonics against the certified rates of the mixture."""
    check_planted(
        two_heads, predicted_rates(th.Kernel.heads([1, "-0.5"], [2, -1], 1), dim, model, 3), dim, model, seed=dim
    )


@pytest.mark.parametrize(("dim", "model"), [(2, "sa"), (3, "usa")])
def test_relu_attention_grows_at_the_rate_of_its_multipliers(dim, model):
    """Regression over independent starts; degree 4 does not move, degree 5 shrinks, degrees 1 to 3 grow.

    False alarm rate: ten degrees at three standard errors, 3 % for a fresh seed; the seed is fixed.
    """
    predicted = predicted_rates(th.Kernel.relu(), dim, model, 5)
    assert predicted[3] == pytest.approx(0, abs=1e-12)
    assert predicted[4] < 0
    window = 0.5 / predicted.max()
    rates, errors = nm.uniform_rates(
        dim, kernel=relu, max_degree=5, window=window, tokens=500, runs=32, model=model, rng=0
    )
    assert (abs(rates - predicted) < 3 * errors).all()
    assert (errors[:3] < 0.05 * predicted[:3]).all()
    assert (errors[3:] < 0.06 * predicted.max()).all()


@pytest.mark.parametrize("model", ["usa", "sa"])
@pytest.mark.parametrize(
    ("kernel", "weight"),
    [
        (th.Kernel("2 + tanh(3*t)"), lambda t: 2 + np.tanh(3 * t)),
        (th.Kernel.heads([1, "0.5"], [1, -4], 1), lambda t: np.exp(t) + np.exp(-4 * t) / 2),
        (th.Kernel("exp(beta*t)").at(beta="2.5"), lambda t: np.exp(2.5 * t)),
        (th.Kernel("1"), np.ones_like),
        (th.Kernel("1 + relu(t)"), lambda t: 1 + np.maximum(t, 0)),
    ],
    ids=lambda value: str(getattr(value, "weight", "")),
)
def test_a_kernel_of_the_theory_moves_tokens(kernel, weight, model):
    """One object on both sides: its velocities are those of the same function written by hand."""
    tokens = nm.uniform(60, 3, rng=0)
    field, same = (nm.attention_field(tokens, kernel=h, model=model) for h in (kernel, weight))
    assert field == pytest.approx(same, rel=1e-12, abs=1e-14)


@given(beta=floats(0.1, 3), model=sampled_from(["usa", "sa"]))
def test_a_kernel_of_the_theory_moves_tokens_as_its_weight_does(beta, model):
    """As it is, and with the beta that it holds given beside it; a kernel without beta refuses one."""
    tokens, kernel = nm.uniform(20, 3, rng=0), th.Kernel("tanh(beta*t) + 2")
    flow = nm.Flow(beta=beta, kernel=kernel, model=model)
    assert flow == nm.Flow(kernel=kernel.at(beta=beta), model=model)
    exact = nm.attention_field(tokens, kernel=lambda t: np.tanh(beta * t) + 2, model=model)
    np.testing.assert_allclose(nm.attention_field(tokens, flow), exact, atol=1e-14)
    with pytest.raises(nm.Refused, match="holds no beta"):
        nm.Flow(beta=beta, kernel=th.Kernel("tanh(t)"))
    with pytest.raises(nm.Refused, match="a number is needed in the place of beta"):
        nm.Flow(kernel=kernel)
