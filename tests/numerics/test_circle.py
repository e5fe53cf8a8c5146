"""Angles on the circle, the error estimates of both its methods, and which kernels are smooth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import booleans, floats, integers, sampled_from

from gegenflow.numerics.fields.cells import cell_kernel, cell_sums, exponential_cells
from gegenflow.numerics.fields.circle import circle_sums
from gegenflow.numerics.fields.dense import kernel_sums
from gegenflow.numerics.fields.fourier import circle_modes, exponential_modes, never_decays

BETAS = [0.1, 1.0, 5.0, 50.0, 1000.0]
METHODS = [(exponential_modes, circle_sums), (exponential_cells, cell_sums)]
SMOOTH = {
    "t^3": lambda gap: (1 - gap) ** 3,
    "cosh 3t": lambda gap: np.cosh(3 * (1 - gap)),
    "rational": lambda gap: 1 / (1 + 10 * gap),
    "two heads": lambda gap: 0.7 * np.exp(-8 * gap) - 0.5 * np.exp(-2 * gap),
    "constant": np.ones_like,
    "negative": lambda gap: -np.exp(-3 * gap),
}
ROUGH = {
    "ReLU": lambda gap: np.maximum(1 - gap, 0),
    "jump": lambda gap: np.sign(gap - 0.9),
    "|t|": lambda gap: np.abs(1 - gap),
    "cusp": np.sqrt,
    "noise": lambda gap: np.exp(-gap) + 1e-9 * np.random.default_rng(0).standard_normal(gap.shape),
}


def scales(kernel):
    """The largest force and the largest value of a kernel."""
    phi = np.pi * np.linspace(0, 1, 20_001) ** 2
    value = np.abs(kernel(2 * np.sin(phi / 2) ** 2))
    return (value * np.sin(phi)).max(), value.max()


def extended(angles, weights, kernel, rows):
    """Speed and normaliser of some tokens by pairs in numpy's extended precision."""
    turn = angles.astype(np.longdouble) - angles[rows, None].astype(np.longdouble)
    factor = weights * kernel(2 * np.sin(turn / 2) ** 2)
    return (factor * np.sin(turn)).sum(axis=1), factor.sum(axis=1)


def sample(n, clustered, seed):
    rng = np.random.default_rng(seed)
    weights = rng.exponential(size=n) + 1e-3
    angles = 3.1 + 0.03 * rng.standard_normal(n) if clustered else rng.uniform(-10, 10, n)
    return angles, weights / weights.sum()


@pytest.mark.parametrize(("prepare", "sums"), METHODS)
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("digits", np.arange(2, 13.01))
def test_error_tells_the_error(prepare, sums, beta, digits):
    """Extended precision, spread and clustered, one token and many: never over twice the estimate or under 1 %."""

    def kernel(gap):
        return np.exp(-beta * gap)

    prepared, ratios = prepare(beta, 10.0**-digits), []
    for n in (1, 30, 3000):
        for clustered in (False, True):
            (angles, weights), rows = sample(n, clustered, seed=n), np.arange(0, n, max(n // 30, 1))
            pairs = zip(
                sums(angles, weights, prepared), extended(angles, weights, kernel, rows), scales(kernel), strict=True
            )
            ratios.append(max(np.abs(fast[rows] - slow).max() / unit for fast, slow, unit in pairs) / prepared.error)
    assert 0.01 < max(ratios) < 2


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("tol", [1e-5, 1e-12])
def test_smooth_kernels_of_any_sign(name, tol):
    """Weights of both signs too, against pairs in numpy, within the error that the modes and the cells tell."""
    kernel, rng = SMOOTH[name], np.random.default_rng(7)
    angles, weights = rng.uniform(-4, 4, 200), rng.standard_normal(200)
    weights /= np.abs(weights).sum()
    tokens = np.column_stack([np.cos(angles), np.sin(angles)])
    exact = kernel_sums(tokens, weights, lambda t: kernel(1 - t))
    for prepared, sums in ((circle_modes(kernel, tol), circle_sums), (cell_kernel(kernel, tol), cell_sums)):
        for fast, slow, unit in zip(sums(tokens, weights, prepared), exact, scales(kernel), strict=True):
            assert np.abs(fast - slow).max() < (2 * prepared.error + 1e-15) * unit


@pytest.mark.parametrize("name", ROUGH)
def test_rough_kernels_are_refused_early(name):
    """Kinks, jumps and noise are seen in at most 2^14 places, so that the caller can do otherwise at once."""
    places = []

    def kernel(gap):
        places.append(gap.size)
        return ROUGH[name](gap)

    with pytest.raises(ValueError, match="too sharp or not smooth"):
        circle_modes(kernel, 1e-12)
    assert max(places) <= 2**14


@given(power=floats(1, 4), tail=floats(0.2, 8))
def test_what_never_decays(power, tail):
    """Powers of the degree, whose tails are zeta functions, against exponentials of it, by the bound they must meet."""
    m = np.arange(1.0, 2**12 + 2)
    reached = (2.0**20) ** (1 - power) / (power - 1) * 10.0**-tail if power > 1.2 else 0.0
    assert never_decays(m**-power, reached, 2**20)
    assert not never_decays(m**-power * np.exp(-m / 400), 1e-12, 2**20)
    assert not never_decays(np.exp(-((m / 2000) ** 2)), 1e-12, 2**20)


@given(beta=floats(0, 1000), n=integers(1, 3000), turns=integers(-15_000, 15_000), seed=integers(0, 10_000))
def test_angles_and_vectors_agree(beta, n, turns, seed):
    """The cosine and sine of numpy; whole turns only round the angles."""
    rng = np.random.default_rng(seed)
    angles = rng.uniform(-np.pi, np.pi, n) + 2 * np.pi * turns
    weights, modes = np.full(n, 1 / n), exponential_modes(beta)
    tokens = np.column_stack([np.cos(angles), np.sin(angles)])
    drift, normalizer = circle_sums(tokens, weights, modes)
    speed, total = circle_sums(angles, weights, modes)
    close = 1e-14 * (1 + beta**0.5)
    assert np.abs(total - normalizer).max() < close
    assert np.abs(speed[:, None] * np.column_stack([-tokens[:, 1], tokens[:, 0]]) - drift).max() < close


@pytest.mark.parametrize("n", [100, 30_000])
@given(clustered=booleans(), beta=sampled_from(BETAS))
def test_given_arrays_are_filled_and_the_normaliser_can_be_spared(n, clustered, beta):
    """The same bits in arrays that held something else, and the same drift alone."""
    angles, weights = sample(n, clustered, seed=1)
    tokens, modes = np.column_stack([np.cos(angles), np.sin(angles)]), exponential_modes(beta)
    for sums, places in ((circle_sums, tokens), (circle_sums, angles)):
        drift, normalizer = sums(places, weights, modes)
        out = np.full_like(places, np.nan), np.full(n, np.nan)
        again = sums(places, weights, modes, out)
        assert again[0] is out[0]
        np.testing.assert_array_equal(out[0], drift)
        np.testing.assert_array_equal(out[1], normalizer)
        for given_arrays in (None, out):
            alone, nothing = sums(places, weights, modes, given_arrays, normalizer=False)
            np.testing.assert_array_equal(alone, drift)
            assert nothing.shape == (0,)


@pytest.mark.parametrize("factor", [1e-200, 1e-7, 1e9, 1e200])
def test_a_series_does_not_depend_on_the_unit_of_its_kernel(factor):
    """h and c h have as many modes, c times as large, and one relative error; also of a kernel that is sharp."""
    for beta in (2.0, 300.0):
        plain = circle_modes(lambda gap, b=beta: np.exp(-b * gap), 1e-10)
        scaled = circle_modes(lambda gap, b=beta: factor * np.exp(-b * gap), 1e-10)
        assert len(scaled.value) == len(plain.value)
        np.testing.assert_allclose(scaled.value, factor * plain.value, rtol=1e-9, atol=1e-14 * factor)
        np.testing.assert_allclose(scaled.force, factor * plain.force, rtol=1e-9, atol=1e-14 * factor)
        assert scaled.error == pytest.approx(plain.error, rel=0.2)
