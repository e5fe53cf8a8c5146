"""Bounds at their edges, and what only many tokens, second runs or full spectra show."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, sampled_from

from gegenflow import numerics as nm
from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.mode_steps import exponential_step
from gegenflow.numerics.fields.circle import BLOCK, PARALLEL_FROM, circle_sums, fourier_moments
from gegenflow.numerics.fields.fourier import exponential_modes
from gegenflow.numerics.fields.method import Field
from gegenflow.numerics.integrators.driver import Integration, Status
from gegenflow.numerics.integrators.merging import _united
from gegenflow.numerics.runs.motion import Start, Way, judge_sums
from gegenflow.numerics.tokens.geometry import check_tokens


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-8), (np.float32, 1e-6), (np.float16, 1e-2)])
@pytest.mark.parametrize("side", [1, -1])
def test_rows_count_as_unit_up_to_the_tolerance_of_their_dtype(dtype, tolerance, side):
    """Nine tenths of the tolerance is removed, 1.3 of it refused; dim 2 with one entry has no other rounding."""
    eps = np.finfo(dtype).eps
    assert eps < 0.2 * tolerance
    near = np.array([[1 + side * 0.85 * tolerance, 0.0]], dtype=dtype)
    assert check_tokens(near).tolist() == [[1.0, 0.0]]
    far = np.array([[1 + side * 1.3 * tolerance, 0.0]], dtype=dtype)
    with pytest.raises(ValueError, match="row 0 has norm"):
        check_tokens(far)


@given(decay=floats(0.1, 50), start=floats(0.1, 2), step=floats(0.01, 0.3))
def test_the_estimate_of_an_exponential_step_is_what_the_slope_at_its_end_would_change(decay, start, step):
    """The step of Krogstad for a' = a^2 - decay a by hand, once with N(d) and once with N(a_1): sign and size."""
    drift = lambda a: a**2  # noqa: E731
    z = -decay * step
    phi1 = lambda x: np.expm1(x) / x  # noqa: E731
    series = lambda x, k: sum(x**n / np.prod(np.arange(1.0, n + k + 1)) for n in range(120))  # noqa: E731
    phi2, phi3 = (series(z, 2), series(z, 3)) if abs(z) < 20 else (np.nan, np.nan)
    half2 = series(z / 2, 2)
    a, n_a = start, drift(start)
    b = np.exp(z / 2) * a + step / 2 * phi1(z / 2) * n_a
    c = b + step * half2 * (drift(b) - n_a)
    d = np.exp(z) * a + step * phi1(z) * n_a + 2 * step * phi2 * (drift(c) - n_a)

    def end(last):
        linear = np.exp(z) * a + step * phi1(z) * n_a
        middle = step * phi2 * (-3 * n_a + 2 * drift(b) + 2 * drift(c) - last)
        return linear + middle + 4 * step * phi3 * (n_a - drift(b) - drift(c) + last)

    first = end(drift(d))
    found = exponential_step(drift, np.array([decay]), np.array([a]), np.array([n_a]), step)
    assert found.state[0] == pytest.approx(first, rel=1e-11)
    assert found.estimate[0] == pytest.approx(end(drift(first)) - first, rel=1e-6, abs=1e-13)


@given(n=integers(2, 6), spread=floats(-12, -3), dim=integers(2, 4), seed=integers(0, 999))
def test_a_cluster_is_as_wide_as_its_two_farthest_tokens_may_be_apart(n, spread, dim, seed):
    """From the centre to one and on to the other: two equal tokens on either side are exactly so far apart."""
    rng = np.random.default_rng(seed)
    tokens = nm.normalize(np.eye(1, dim) + 10**spread * rng.uniform(-1, 1, (n, dim)))
    apart = np.linalg.norm(tokens[:, None] - tokens, axis=2).max()
    _, masses, sizes = _united(tokens, np.full(n, 1 / n), np.full(n, -np.inf), np.zeros(n, dtype=np.int64))
    assert masses.tolist() == pytest.approx([1.0])
    assert np.exp(sizes[0]) >= apart * (1 - 1e-12) - 1e-16
    if n == 2:
        assert np.exp(sizes[0]) == pytest.approx(apart, rel=1e-6, abs=1e-16)


@pytest.mark.parametrize(("rtol", "atol"), [(1e-4, 1e-12), (1e-12, 1e-4)])
@pytest.mark.parametrize("model", ["usa", "sa"])
def test_the_error_of_quantiles_sees_that_of_the_steps(model, rtol, atol):
    """Coarse steps err, 1024 quantiles do not: a second run of 512, followed by the same steps, would see nothing."""
    start, told = lambda angle: 1 + 0.3 * np.cos(angle), {"beta": 2.0, "model": model, "t_end": 0.3, "save_at": []}
    run = nm.solve_quantiles(start, n=1024, rtol=rtol, atol=atol, estimate_error=True, **told)
    exact = nm.solve_quantiles(start, n=1024, rtol=1e-12, atol=1e-12, **told)
    true = np.sqrt(np.mean(np.sum((run.tokens - exact.tokens) ** 2, axis=1)))
    assert 0.5 * true < run.error < 2 * true


@pytest.mark.parametrize(("tolerances", "fine"), [(99.0, True), (101.0, False)])
def test_the_status_says_from_a_hundred_tolerances_on_that_sums_moved_tokens(tolerances, fine):
    """USA over one unit of time with weights of sum one and a largest force of one: moved by the error itself."""
    tol = 1e-8
    sums = Field("circle", "usa", np.ones(1), tolerances * tol, (1.0, 1.0), 0.0, None)
    token, one = np.array([[1.0, 0.0]]), np.ones(1)
    end = Integration(
        **{field: None for field in Integration.__dataclass_fields__}
        | {"state": token, "reached": 1.0, "status": Status(True, "reached t = 1")}
    )
    way = Way(None, lambda rows: (rows, one), None, sums)
    status, moved = judge_sums(way, Start(token, one, one), end, token, tol)
    assert moved == pytest.approx(tolerances * tol)
    assert bool(status) == fine
    assert ("circle sums may have moved tokens by 1.0e-06" in str(status)) != fine


@settings(max_examples=12)
@given(chunks=integers(1, 9), more=sampled_from([-1, 0, 1, 7]), unit=sampled_from([4 * BLOCK, 16 * BLOCK]))
def test_no_token_is_lost_between_the_chunks_of_threads(chunks, more, unit):
    """Each token has a weight of its own: moments and speeds of all by numpy, on both sides of the edges of chunks."""
    n = max(chunks * unit * (16 * BLOCK // unit) + more, PARALLEL_FROM // 3)
    rng = np.random.default_rng(n)
    angle, weights = rng.uniform(0, 2 * np.pi, n), rng.uniform(0.5, 1, n)
    weights /= weights.sum()
    tokens = np.column_stack([np.cos(angle), np.sin(angle)])
    moments = np.array([weights @ np.exp(1j * m * angle) for m in range(41)])
    assert np.abs(fourier_moments(tokens, weights, 40) - moments).max() < 1e-13 < 0.01 / n
    modes = exponential_modes(2.0)
    drift, normalizer = circle_sums(tokens, weights, modes)
    count = len(modes.value)
    wave = np.exp(-1j * angle[:, None] * np.arange(count)) * moments[:count]
    value, force = wave.real @ modes.value, wave.imag @ modes.force
    assert np.abs(normalizer - value).max() < 1e-13
    turn = drift[:, 1] * tokens[:, 0] - drift[:, 0] * tokens[:, 1]
    assert np.abs(turn - force).max() < 1e-13


@given(rng=integers(0, 10**6), top=integers(2, 12), beta=floats(0.5, 10))
def test_no_product_of_full_spectra_is_aliased_on_the_circle(rng, top, beta):
    """All degrees are held, the highest most: the equation in the same degrees as padded to four times as many."""
    size = np.random.default_rng(rng).uniform(0.5, 1, 2 * top)
    density = CircleDensity(0.3 * size / size.sum())
    flow = nm.Flow(beta=beta)
    change = density.motion(flow)(density.coefficients)
    wide = density.resized(4 * top)
    exact = wide.motion(flow)(wide.coefficients)[: 2 * top]
    assert change == pytest.approx(exact, abs=1e-13 * np.abs(exact).max())
