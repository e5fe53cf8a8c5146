"""The dense field and the circle field, against numpy, against each other, and against the symmetries."""

import signal
import subprocess
import sys
from time import sleep

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, just, sampled_from
from scipy.stats import special_ortho_group

from gegenflow.numerics.fields.circle import circle_sums, fourier_moments
from gegenflow.numerics.fields.dense import dense_sums
from gegenflow.numerics.fields.fourier import circle_modes, exponential_modes
from gegenflow.numerics.fields.method import attention_field, attention_sums, resolved_field
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.observables.energy import Dissipation, Energy
from gegenflow.numerics.tokens.geometry import normalize, uniform

models = sampled_from(["usa", "sa"])
betas = floats(0, 40)
seeds = integers(0, 10_000)


def naive_field(tokens, weights, beta, model):
    """The definition: one softmax-like matrix, one product, one projection."""
    kernel = np.exp(beta * (tokens @ tokens.T)) * weights
    if model == "sa":
        kernel /= kernel.sum(axis=1, keepdims=True)
    pull = kernel @ tokens
    return pull - (pull * tokens).sum(axis=1, keepdims=True) * tokens


def random_weights(n, seed):
    weights = np.random.default_rng(seed).uniform(0.2, 1, n)
    return weights / weights.sum()


@given(n=integers(1, 600), dim=integers(2, 9), beta=betas, model=models, seed=seeds)
def test_dense_field_is_the_definition(n, dim, beta, model, seed):
    """Naive numpy with its own exponential, on both sides of the block and of the parallel threshold."""
    tokens, weights = uniform(n, dim, rng=seed), random_weights(n, seed)
    exact = naive_field(tokens, weights, beta, model)
    scale = 1.0 if model == "sa" else np.exp(beta)
    field = attention_field(tokens, beta=beta, model=model, weights=weights)
    assert np.abs(field - exact).max() < 1e-14 * scale * (1 + beta)


@given(n=integers(1, 400), beta=floats(0, 200), model=models, seed=seeds)
def test_circle_field_is_the_dense_field(n, beta, model, seed):
    """A Fourier series against a sum over pairs."""
    tokens, weights = uniform(n, 2, rng=seed), random_weights(n, seed)
    dense = dense_sums(tokens, weights, beta)
    modes = exponential_modes(beta)
    for fast, exact in zip(circle_sums(tokens, weights, modes), dense, strict=True):
        assert np.abs(fast - exact).max() < 2e-13
    fast = attention_field(tokens, beta=beta, model=model, weights=weights, method="circle")
    exact = attention_field(tokens, beta=beta, model=model, weights=weights)
    scale = np.exp(beta) if model == "usa" else 1 / dense[1].min()
    assert np.abs(fast - exact).max() < 1e-12 * scale


@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-9, 1e-12])
def test_circle_error_follows_the_requested_tolerance(tol):
    """Sweep against the pair sum: error relative to the largest force, and a series that gets longer."""
    tokens, weights = uniform(200, 2, rng=1), random_weights(200, 1)
    angle = np.linspace(0, np.pi, 2001)
    force = np.exp(30 * (np.cos(angle) - 1)) * np.sin(angle)
    modes = exponential_modes(30.0, tol)
    error = np.abs(circle_sums(tokens, weights, modes)[0] - dense_sums(tokens, weights, 30.0)[0]).max()
    assert error < tol * force.max()
    assert len(modes.force) > len(exponential_modes(30.0, 10 * tol).force)


def test_circle_takes_any_kernel():
    """A polynomial kernel summed over pairs by numpy."""
    tokens, weights = uniform(50, 2, rng=2), random_weights(50, 2)
    overlap = tokens @ tokens.T
    kernel = 2 - overlap + 3 * overlap**4
    pull = (kernel * weights) @ tokens
    exact = pull - (pull * tokens).sum(axis=1, keepdims=True) * tokens
    drift, normalizer = circle_sums(tokens, weights, circle_modes(lambda gap: 1 + gap + 3 * (1 - gap) ** 4))
    np.testing.assert_allclose(drift, exact, atol=1e-13)
    np.testing.assert_allclose(normalizer, kernel @ weights, rtol=1e-13)


@given(n=integers(1, 60), dim=integers(2, 7), beta=floats(0, 15), model=models, seed=seeds)
def test_rotation_and_permutation_equivariance_and_tangency(n, dim, beta, model, seed):
    """Symmetries of the model, which no formula of the code mentions."""
    tokens, weights = uniform(n, dim, rng=seed), random_weights(n, seed)
    field = attention_field(tokens, beta=beta, model=model, weights=weights)
    close = 1e-14 * (1 + beta) * np.exp(beta if model == "usa" else 0)
    rotation = special_ortho_group.rvs(dim, random_state=seed)
    turned = attention_field(tokens @ rotation, beta=beta, model=model, weights=weights)
    order = np.random.default_rng(seed).permutation(n)
    shuffled = attention_field(tokens[order], beta=beta, model=model, weights=weights[order])
    assert np.abs(turned - field @ rotation).max() < close
    assert np.abs(shuffled - field[order]).max() < close
    assert np.abs((field * tokens).sum(axis=1)).max() < close


@given(n=integers(1, 20), dim=integers(2, 4), beta=floats(0, 15), model=models, seed=seeds)
def test_weights_are_repeated_tokens(n, dim, beta, model, seed):
    """Unweighted field of a longer list of tokens."""
    tokens = uniform(n, dim, rng=seed)
    copies = np.random.default_rng(seed).integers(1, 5, n)
    weighted = attention_field(tokens, beta=beta, model=model, weights=copies / copies.sum())
    repeated = attention_field(np.repeat(tokens, copies, axis=0), beta=beta, model=model)
    close = 1e-14 * (1 + beta) * np.exp(beta if model == "usa" else 0)
    assert np.abs(np.repeat(weighted, copies, axis=0) - repeated).max() < close


def test_forces_between_merged_tokens_keep_their_relative_accuracy():
    """Two tokens 1e-9 apart: force e^beta sin(1e-9)/2 in closed form; inner products would lose it."""
    tokens = np.array([[1.0, 0.0], [np.cos(1e-9), np.sin(1e-9)]])
    assert attention_field(tokens, beta=3.0)[0, 1] == pytest.approx(np.exp(3.0) * 5e-10, rel=1e-12)


@pytest.mark.parametrize("method", ["dense", "circle", "cells"])
def test_sa_is_finite_at_any_beta(method):
    """Sharp softmax: a lone token does not move, a near pair attracts as SA of two tokens in closed form."""
    tokens = np.array([[1.0, 0.0], [np.cos(0.01), np.sin(0.01)], [-1.0, 0.0]])
    weight = np.exp(1e4 * (np.cos(0.01) - 1))
    velocity = attention_field(tokens, beta=1e4, model="sa", method=method)
    assert velocity[0, 1] == pytest.approx(weight * np.sin(0.01) / (1 + weight), rel=1e-9)
    assert np.abs(velocity[2]).max() < 1e-12


@pytest.mark.parametrize("method", ["dense", "circle"])
@pytest.mark.parametrize(
    ("beta", "model", "message"),
    [
        (701.0, "usa", "overflows float64 above beta = 700; softmax"),
        (-151.0, "sa", "beta -151.0: it must be finite, >= -150"),
        (np.nan, "usa", "beta nan"),
        (1.0, "softmax", "model softmax"),
    ],
)
def test_impossible_fields_are_refused(method, beta, model, message):
    """Every refusal names the value and what is allowed."""
    with pytest.raises(ValueError, match=message):
        attention_field([[1.0, 0.0]], beta=beta, model=model, method=method)


def test_circle_refuses_what_it_cannot_do():
    """Another dimension, a kernel with a jump, a kernel that overflows, a method nobody knows."""
    with pytest.raises(ValueError, match=r"method circle: it needs dim 2, not 3"):
        attention_field(uniform(3, 3, rng=0), beta=1.0, method="circle")
    with pytest.raises(ValueError, match="needs more than"):
        circle_modes(lambda gap: np.sign(gap - 0.9))
    with pytest.raises(ValueError, match="not finite"):
        circle_modes(lambda gap: np.full_like(gap, np.inf))
    with pytest.raises(ValueError, match=r"method fast"):
        attention_field(uniform(3, 2, rng=0), beta=1.0, method="fast")


def gathered(n, dim, gap, seed):
    """Tokens uniform, or with neighbours at the distance ``gap`` and far clusters at once."""
    rng = np.random.default_rng(seed)
    if gap is None:
        return uniform(n, dim, rng=rng)
    centres = uniform(3, dim, rng=rng)[rng.integers(0, 3, n)]
    return normalize(centres + gap * rng.normal(size=(n, dim)))


@settings(max_examples=80)
@given(
    n=integers(1, 300),
    dim=integers(2, 9),
    beta=floats(0.1, 1000),
    gap=sampled_from([None, 1e-12, 1e-9, 1e-5, 0.1]),
    seed=seeds,
)
def test_every_force_keeps_its_relative_accuracy(n, dim, beta, gap, seed):
    """Sums of differences in extended precision, pair by pair; the bound is relative to the pulls on each token."""
    tokens, weights = gathered(n, dim, gap, seed), random_weights(n, seed)
    wide = tokens.astype(np.longdouble)
    gaps = wide[None] - wide[:, None]
    exponent = beta * (gaps**2).sum(axis=2) / 2
    factor = np.exp(-exponent) * weights
    pull = (factor[..., None] * gaps).sum(axis=1)
    drift, normalizer = dense_sums(tokens, weights, beta)
    exact = pull - (pull * wide).sum(axis=1, keepdims=True) * wide
    size = (factor * (1 + exponent) * np.sqrt((gaps**2).sum(axis=2))).sum(axis=1)
    assert (np.abs(drift - exact).max(axis=1) <= 2e-15 * size + 1e-259).all()
    assert (np.abs(normalizer / factor.sum(axis=1) - 1) < 1e-14).all()


@pytest.mark.parametrize("dim", [2, 3, 5])
@pytest.mark.parametrize("n", [383, 385, 769, 1500])
def test_blocks_cover_every_pair_once_and_repeated_calls_agree(n, dim):
    """Whole matrices of numpy on both sides of the edges of blocks; to the last bit against a second call."""
    tokens, weights = uniform(n, dim, rng=n), random_weights(n, n)
    drift, normalizer = dense_sums(tokens, weights, 5.0)
    factor = np.exp(5 * (tokens @ tokens.T - 1)) * weights
    pull = factor @ tokens
    np.testing.assert_allclose(normalizer, factor.sum(axis=1), rtol=1e-13)
    np.testing.assert_allclose(drift, pull - (pull * tokens).sum(axis=1)[:, None] * tokens, atol=1e-14)
    for value, again in zip((drift, normalizer), dense_sums(tokens, weights, 5.0), strict=True):
        np.testing.assert_array_equal(value, again)


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_tokens_exponentially_far_apart_attract_by_the_closed_form(dim):
    """Gap 2 at beta = 60, a force of 1e-37: w e^{-beta (1 - cos g)} sin g to 13 digits, with and without others."""
    gap, beta = 2.0, 60.0
    tokens = np.zeros((401, dim))
    tokens[0, 0], tokens[1:, 0], tokens[1:, 1] = 1.0, np.cos(gap), np.sin(gap)
    force = np.exp(2 * beta * -(np.sin(gap / 2) ** 2)) * np.sin(gap)
    assert dense_sums(tokens[:2], np.array([0.5, 0.5]), beta)[0][0, 1] == pytest.approx(force / 2, rel=1e-13)
    weights = np.full(401, 1 / 401)
    assert dense_sums(tokens, weights, beta)[0][0, 1] == pytest.approx(force * 400 / 401, rel=1e-13)


LONG_SUMS = """
import sys
import numpy as np
from gegenflow.numerics.fields.dense import dense_sums
from gegenflow.numerics.tokens.geometry import uniform
from gegenflow.numerics.fields.tiles import tile_sums
sums, dim = {"dense": dense_sums, "tiles": tile_sums}[sys.argv[1]], int(sys.argv[2])
before = sums(uniform(1200, dim, rng=1), np.full(1200, 1 / 1200), 2.0)
many, weights = uniform(600_000, dim, rng=0), np.full(600_000, 1 / 600_000)
try:
    print("started", flush=True)
    sums(many, weights, 2.0)
except KeyboardInterrupt:
    after = sums(uniform(1200, dim, rng=1), np.full(1200, 1 / 1200), 2.0)
    print("interrupted", all(map(np.array_equal, before, after)))
"""


@pytest.mark.parametrize("sums", ["dense", "tiles"])
@pytest.mark.parametrize("dim", [2, 8])
def test_an_interrupt_is_heard_during_the_sums(sums, dim):
    """A signal to a process at sums of minutes; it ends well before them, and the next sums are as before."""
    command = [sys.executable, "-c", LONG_SUMS, sums, str(dim)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stdout.readline() == "started\n"
            sleep(0.3)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=100)[0] == "interrupted True\n"
        finally:
            process.kill()


@given(n=integers(1, 3000), degree=integers(0, 40), seed=seeds)
def test_fourier_moments_are_sums_of_exponentials(n, degree, seed):
    """numpy's complex exponential of the angle, on both sides of the block size."""
    tokens, weights = uniform(n, 2, rng=seed), random_weights(n, seed)
    angle = np.arctan2(tokens[:, 1], tokens[:, 0])
    exact = np.exp(1j * np.outer(np.arange(degree + 1), angle)) @ weights
    np.testing.assert_allclose(fourier_moments(tokens, weights, degree), exact, atol=1e-13)


@given(n=integers(2, 40), dim=integers(2, 5), beta=just(0.0) | floats(1e-6, 8), model=models, seed=seeds)
def test_dissipation_is_the_slope_of_the_energy_along_the_field(n, dim, beta, model, seed):
    """Central difference of E over displacements of 1e-5 along the velocity, and E against its double sum."""
    tokens, weights = uniform(n, dim, rng=seed), random_weights(n, seed)
    field = attention_field(tokens, beta=beta, model=model, weights=weights)
    step = 1e-5 / np.abs(field).max()

    def energy(x):
        overlap = x @ x.T
        kernel = overlap / 2 if beta == 0 else np.expm1(beta * overlap) / (2 * beta)
        return weights @ kernel @ weights

    ahead, behind = normalize(tokens + step * field), normalize(tokens - step * field)
    slope = (energy(ahead) - energy(behind)) / (2 * step)
    dissipation = Dissipation()(tokens, weights, Flow(beta, model=model))
    constant = 1 / (2 * beta) if beta > 0 else 0.0
    assert Energy()(tokens, weights, Flow(beta, model=model)) == pytest.approx(energy(tokens) + constant, rel=1e-11)
    assert dissipation >= 0
    assert dissipation == pytest.approx(slope, rel=1e-4, abs=1e-9 / step * abs(energy(tokens)) * 1e-6)


def test_energy_and_dissipation_refuse_to_overflow():
    """Numbers beyond float64 are an error, not infinity."""
    tokens, weights = np.eye(2), np.array([0.5, 0.5])
    with pytest.raises(ValueError, match="energy overflows"):
        Energy()(tokens, weights, Flow(701.0, model="sa"))
    with pytest.raises(ValueError, match="dissipation overflows"):
        Dissipation()(tokens, weights, Flow(400.0))


@pytest.mark.parametrize(("beta", "method"), [(50, "tiles"), (200, "tiles"), (5000, "tiles"), (20_000, "dense")])
def test_auto_errs_by_less_than_a_billionth_of_what_a_token_sums_up(beta, method):
    """Tokens that see little but themselves: rounding of sharp weights is small beside their own, until it is not."""
    tokens, weights = uniform(600, 256, rng=0), np.full(600, 1 / 600)
    flow = Flow(beta=beta, model="sa")
    assert resolved_field(tokens, weights, flow).method == method
    exact = dense_sums(tokens, weights, float(beta))
    for found, right in zip(attention_sums(tokens, weights, flow), exact, strict=True):
        error = np.abs(found - right).reshape(600, -1).max(axis=1)
        assert (error <= 1e-9 * exact[1]).all()
