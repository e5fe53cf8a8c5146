"""Random layers in the theory: kernels against quadrature in polar coordinates, the overlap against sampled layers."""

from dataclasses import replace
from functools import cache
from itertools import pairwise
from math import erf, inf, pi, sqrt

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis.strategies import floats, fractions, integers, lists, sampled_from

from gegenflow import theory as th

rl = th.random_layers

ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "linear": lambda x: x,
    "erf": np.vectorize(erf),
    "gelu": lambda x: x * (1 + np.vectorize(erf)(x / sqrt(2))) / 2,
    "cos": np.cos,
    "sin": np.sin,
    "exp": np.exp,
    "step": lambda x: (x > 0).astype(float),
    "tanh": np.tanh,
    "1+tanh": lambda x: 1 + np.tanh(x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "abs(t) - t**2": lambda x: np.abs(x) - x**2,
    "x*cos(2*x) + exp(x/2)": lambda x: x * np.cos(2 * x) + np.exp(x / 2),
    "exp(t/2)*sin(t)": lambda x: np.exp(x / 2) * np.sin(x),
    "log(1 + exp(t))": lambda x: np.logaddexp(0, x),
    "sqrt(1 + t**2)*tanh(2*t)": lambda x: np.sqrt(1 + x**2) * np.tanh(2 * x),
    "2*erf(3*t)": lambda x: 2 * np.vectorize(erf)(3 * x),
    "relu(t)**2 + where(t > 0, 1, -1)": lambda x: np.maximum(x, 0) ** 2 + np.sign(x),
}
SMOOTH = [name for name in ACTIVATIONS if name not in ("step", "relu(t)**2 + where(t > 0, 1, -1)")]
NODES, WEIGHTS = np.polynomial.legendre.leggauss(100)


def pair_mean(s, r):
    """E s(g_1) s(g_2) in polar coordinates, each sector between kinks by Gauss-Legendre, in floats."""
    turn = np.arccos(r)
    breaks = np.unique(
        np.concatenate([np.linspace(-pi, pi, 5), [turn - pi / 2, turn + pi / 2 - 2 * pi * (turn > pi / 2)]])
    )
    radius, radial = 7 * (NODES + 1), 7 * WEIGHTS
    total = 0.0
    for low, high in pairwise(breaks):
        angle = low + (high - low) * (NODES + 1) / 2
        first, second = radius[:, None] * np.cos(angle), radius[:, None] * np.cos(angle - turn)
        values = s(first) * s(second) * (radius * np.exp(-(radius**2) / 2))[:, None]
        total += radial @ values @ WEIGHTS * (high - low) / 2
    return total / (2 * pi)


@settings(max_examples=60)
@given(sampled_from(list(ACTIVATIONS)), floats(-1, 1))
def test_kernels_are_means_over_correlated_gaussians(name, r):
    """Closed forms and series against quadrature in the plane."""
    expected = pair_mean(ACTIVATIONS[name], r)
    assert float(rl.activation_kernel(name).at(r)) == pytest.approx(expected, rel=2e-11, abs=2e-12)


@pytest.mark.parametrize("name", SMOOTH)
def test_slopes_are_those_of_the_kernel_and_at_one_the_mean_square_of_the_derivative(name):
    """A central difference of certified values inside; at one a sum over the line of differences of s."""
    kernel = rl.activation_kernel(name)
    step = sp.Rational(1, 10**8)
    for r in ("0", "-0.7", "0.9"):
        ends = [kernel.at(sp.Rational(r) + sign * step, digits=40) for sign in (1, -1)]
        slope = (ends[0] - ends[1]) / (2 * step)
        assert abs(slope - kernel.slope(r, digits=20)) < 1e-11
    x = np.linspace(-12, 12, 240_002)
    x = (x[1:] + x[:-1]) / 2
    s, h = ACTIVATIONS[name], 1e-5
    density = np.exp(-(x**2) / 2) * (x[1] - x[0]) / sqrt(2 * pi)
    expected = ((s(x + h) - s(x - h)) / (2 * h)) ** 2 @ density
    assert float(kernel.slope(1)) == pytest.approx(expected, rel=1e-4 if "relu" in name or "abs" in name else 2e-8)


@pytest.mark.parametrize("name", ["tanh", "silu", "1+tanh", "gelu", "relu"])
def test_squares_of_hermite_coefficients_add_up_to_the_kernel(name):
    """Coefficient by coefficient from integrals on the line, against K(1/5), to what sixteen of them leave."""
    kernel = rl.activation_kernel(name)
    squares = [kernel.hermite(k) ** 2 for k in range(16)]
    total = sum(square * sp.Rational(1, 5) ** k for k, square in enumerate(squares))
    assert abs(total - kernel.at("1/5")) < 1e-11


@given(sampled_from(["tanh", "silu", "sigmoid", "log(1 + exp(t))"]), fractions("0.99", 1))
def test_certified_digits_hold_to_the_ends(name, r):
    """Few digits and many agree as stated, also next to r = 1, where the series is slowest."""
    kernel = rl.activation_kernel(name)
    few, many = kernel.at(r, 6), kernel.at(r, 22)
    assert few.ball.contains(many.ball)
    assert kernel.at(-r, 22) + many > -1e-20  # twice the even part


def one_layer(s, dim, r, width, epsilon, draws, rng):
    """Changes of the overlap in one layer and under the same layer with the sign of its output weights turned."""
    x = np.zeros(dim)
    x[0] = 1
    y = np.zeros(dim)
    y[:2] = r, sqrt(1 - r**2)
    inner = rng.standard_normal((draws, width, 2))  # only two components of the inner weights meet x and y
    outer = rng.standard_normal((draws, dim, width)) / sqrt(width)
    fields = [np.einsum("ndm,nm->nd", outer, s(inner @ token[:2])) for token in (x, y)]
    found = []
    for sign in (1, -1):
        moved = [token + sign * epsilon * field for token, field in zip((x, y), fields, strict=True)]
        lengths = [np.linalg.norm(token, axis=1) for token in moved]
        found.append((moved[0] * moved[1]).sum(1) / lengths[0] / lengths[1] - r)
    return np.array(found)


@pytest.mark.parametrize(
    ("name", "dim", "r"), [("tanh", 3, 0.3), ("relu", 8, -0.5), ("1+tanh", 2, 0.6), ("cos", 5, 0.0)]
)
def test_drift_and_variance_are_those_of_sampled_layers(name, dim, r):
    """Means over 200,000 layers of width 6; odd orders of the step cancel between the signs."""
    rng, epsilon = np.random.default_rng(5), 0.04
    parts = [one_layer(ACTIVATIONS[name], dim, r, 6, epsilon, 50_000, rng) for _ in range(4)]
    changes = np.concatenate(parts, axis=1)
    for measured, predicted in (
        (changes.mean(0) / epsilon**2, rl.overlap_drift(name, dim, r)),
        ((changes**2).mean(0) / epsilon**2, rl.overlap_variance(name, dim, r)),
    ):
        bar = measured.std() / sqrt(len(measured))
        assert abs(measured.mean() - float(predicted)) < 4 * bar + 40 * epsilon**2 * bar + 0.01 * abs(float(predicted))


def test_derivations_are_checked_and_a_wrong_one_is_not():
    """With the dim a symbol and a number; a term dropped from the drift fails."""
    for derive in (rl.derive_overlap, rl.derive_contraction):
        for dim in (th.d, 2, 7):
            assert derive(dim).check()
    good = rl.derive_overlap()
    wrong = good.steps[3].rhs - sp.Symbol("r", real=True) ** 2 * sp.Symbol("K", real=True)
    bad = replace(good, steps=(*good.steps[:3], replace(good.steps[3], rhs=wrong), *good.steps[4:]))
    assert not bad.check()
    assert not bad.steps[3].holds()
    layer = good.steps[0]
    assert not replace(layer, lhs=layer.lhs.subs(sp.Symbol("C", real=True), 0)).holds()
    assert rl.derive_overlap().latex().count(r"\item") == 8
    assert all(step._repr_latex_().startswith("$") for step in good.steps)


@cache
def hermite_kernel(weights):
    return sp.Add(*(sp.Rational(w) * sp.hermite_prob_poly(k, th.t) for k, w in enumerate(weights)))


@given(lists(integers(-3, 3), min_size=2, max_size=5), integers(2, 60), floats(-1, 0.999))
def test_no_overlap_contracts_slower_than_the_sharp_rate(weights, dim, r):
    """drift/(1 - r) >= c, for random Hermite polynomials; and next to 1 it is c."""
    if not any(weights):
        return
    s = hermite_kernel(tuple(weights))
    c = float(rl.contraction_rate(s, dim))
    assert float(rl.overlap_drift(s, dim, r)) / (1 - r) >= c - 1e-9 * (1 + abs(c))
    near = sp.Rational(1, 10**12)
    assert float(rl.overlap_drift(s, dim, 1 - near) / near) == pytest.approx(c, rel=1e-6, abs=1e-6)


@given(sampled_from(list(SMOOTH)), integers(2, 1000), sampled_from([None, "sa", "usa"]), fractions(0, 3))
@settings(max_examples=40)
def test_critical_dims_are_where_the_rates_change_sign(name, dim, model, beta):
    """The exponent is negative exactly below the first critical dim, the contraction rate positive above the second."""
    given_beta = beta if model == "usa" else None
    below = rl.critical_dim(name, model=model, beta=given_beta)
    exponent = rl.lyapunov_exponent(name, dim, model=model, beta=given_beta)
    assert (exponent < 0) == (below == sp.oo or bool(below > dim))
    above = rl.critical_dim(name, "mean")
    assert (rl.contraction_rate(name, dim) > 0) == (above != sp.oo and bool(above < dim))


def test_known_constants():
    """Critical dims and exact forms that were worked out before the code, by quadrature and by hand."""
    for name, dim in (("tanh", 14.248), ("erf", 11.861), ("gelu", 30.766), ("silu", 33.015)):
        assert round(float(rl.critical_dim(name)), 3) == dim
    assert round(float(rl.critical_dim("1+tanh", "mean")), 4) == 3.9988
    assert rl.critical_dim("cos", "mean", digits=None) == sp.exp(2) + 2 == rl.critical_dim("sin", digits=None)
    assert rl.critical_dim("gelu", digits=None) == 9 + 4 * sp.sqrt(3) * sp.pi
    assert rl.lyapunov_exponent("relu", th.d, digits=None) == -sp.Rational(1, 2)
    assert rl.contraction_rate("relu", 9, digits=None) == -1
    gap = rl.lyapunov_exponent("erf", 6) - rl.lyapunov_exponent("erf", 6, model="usa", beta=2)
    assert abs(gap - sp.exp(2)) < 1e-14


@given(floats(-0.3, 0.99), integers(2, 9), fractions(0, 4), sampled_from(["usa", "sa", None]))
def test_the_energy_rate_is_itos_formula(r, tokens, beta, model):
    """Against derivatives of the energy as a function of the overlap, in floats."""
    if r <= -1 / (tokens - 1):
        return
    b = float(beta)
    velocity = 2 * np.exp(b * r) * (1 - r) * (1 + (tokens - 1) * r)
    velocity /= {"usa": tokens, "sa": np.exp(b) + (tokens - 1) * np.exp(b * r), None: inf}[model]
    drift, variance = (float(f("silu", 5, r)) for f in (rl.overlap_drift, rl.overlap_variance))
    slope = (tokens - 1) / (2 * tokens) * np.exp(b * r)
    expected = slope * (velocity + drift) + slope * b * variance / 2
    found = float(rl.energy_rate("silu", 5, r, beta, tokens=tokens, model=model))
    assert found == pytest.approx(expected, rel=1e-11, abs=1e-12)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: rl.activation_kernel("swish"), "activation swish: it is one of relu"),
        (lambda: rl.activation_kernel("a*tanh(t)"), "no other parameters"),
        (lambda: rl.activation_kernel("exp(t**2)"), "growth"),
        (lambda: rl.activation_kernel("tanh(abs(t - 1))"), "analytic"),
        (lambda: rl.activation_kernel("__import__('os')"), "activation"),
        (lambda: rl.lyapunov_exponent("step", 5), "jumps"),
        (lambda: rl.activation_kernel("step").slope(1), "K' is infinite"),
        (lambda: rl.lyapunov_exponent("tanh", 5, digits=None), "no closed form"),
        (lambda: rl.lyapunov_exponent("tanh", 5, model="usa"), "beta: USA"),
        (lambda: rl.lyapunov_exponent("tanh", 5, beta=1), "give a model"),
        (lambda: rl.overlap_drift("tanh", 5, "1.1"), "overlap 1.1"),
        (lambda: rl.overlap_drift("tanh", th.d, 0), "dim d: a number"),
        (lambda: rl.critical_dim("cos", "surely"), "criterion surely"),
        (lambda: rl.critical_dim("cos", "mean", model="sa"), "model sa"),
    ],
)
def test_refusals_say_what_is_allowed(call, said):
    """One sentence each."""
    with pytest.raises(th.Refused, match=said):
        call()


def test_more_tokens_than_an_overlap_allows_are_refused():
    """Ten at -1/2: their Gram matrix would have the eigenvalue 1 - 9/2; where it is zero, attention rests."""
    with pytest.raises(ValueError, match="overlap -1/2: 10 tokens of one overlap have one of at least -1/9"):
        rl.energy_rate("tanh", 12, "-1/2", 1, tokens=10)
    pulled, alone = (rl.energy_rate("tanh", 12, "-1/9", 1, tokens=10, model=model) for model in ("usa", None))
    assert float(pulled) == pytest.approx(float(alone), rel=1e-14)
