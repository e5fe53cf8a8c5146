"""Tokens and densities at large beta against the limits of the theory. The two sides share no formula."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, sampled_from
from support.examples import load_example

from gegenflow import numerics as nm
from gegenflow import theory as th
from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.circle_starts import circle_density
from gegenflow.numerics.fields.flow import Flow
from gegenflow.theory.clusters.escapes import lifetime
from gegenflow.theory.low_temperature.flow import diffusion, diffusion_time, drift_speed, velocity_series
from gegenflow.theory.low_temperature.pairing import pairing_overlap, pairing_time


@pytest.fixture(scope="module")
def example():
    return load_example("low_temperature")


# the field


@settings(max_examples=6)
@given(dim=integers(2, 3), seed=integers(0, 2**32 - 1))
def test_field_errs_by_one_over_beta_and_beyond_the_first_correction_by_its_square(example, dim, seed):
    """Softmax over a quadrature rule, with random values and scores, against the limit, for beta from 20 to 320."""
    betas = np.array([20, 40, 80, 160, 320])
    errors = example.field_errors(dim, betas, np.random.default_rng(seed))
    powers = np.polyfit(np.log(betas), np.log(errors), 1)[0]
    assert powers[0] == pytest.approx(-1, abs=0.1)
    assert powers[1] == pytest.approx(-2, abs=0.25)


@settings(max_examples=10)
@given(dim=integers(2, 3), tilt=floats(0.2, 0.9), model=sampled_from(["sa", "usa"]))
def test_attention_of_weighted_tokens_follows_the_velocity_series(dim, tilt, model):
    """The field of the simulations on a quadrature rule with the weights of a density, beta = 200, three terms."""
    tokens, weights = nm.tokens.quadrature(dim, 200 if dim == 2 else 130)
    overlap = tokens[:, 0]
    masses = weights * (1 + tilt * overlap)
    field = nm.attention_field(tokens, beta=200.0, model=model, weights=masses / masses.sum(), method="auto")
    series = velocity_series(1 + tilt * th.t, dim, model=model, terms=3)
    factor = sp.lambdify(th.t, series.subs(th.beta, 200))(overlap) * np.ones(len(tokens))
    if model == "usa":
        factor *= float(th.funk_hecke(0, dim, 200, digits=15))
    pole = np.eye(dim)[0] - overlap[:, None] * tokens
    assert np.abs(field - factor[:, None] * pole).max() < 2e-5 * np.abs(factor).max()


# diffusion


@settings(max_examples=10)
@given(degree=integers(1, 6), model=sampled_from(["sa", "usa"]))
def test_modes_of_a_density_grow_by_the_laplacian_on_the_time_of_diffusion(degree, model):
    """Backward heat at the uniform density: spectral motion of a small mode, extrapolated in 1/beta, is +k^2."""
    wave = np.zeros(2 * degree)
    wave[-2:] = 1e-7, -2e-7
    rates = []
    for beta in (200, 400):
        motion = CircleDensity(wave).motion(Flow(float(beta), model=model))(wave)
        assert motion[-1] == pytest.approx(-2 * motion[-2], rel=1e-5)
        rates.append(motion[-2] / wave[-2] * float(diffusion_time(2, beta, model=model)))
    assert 2 * rates[1] - rates[0] == pytest.approx(degree**2, rel=0.01)


@settings(max_examples=10)
@given(first=floats(-0.4, 0.4), second=floats(-0.3, 0.3), model=sampled_from(["sa", "usa"]))
def test_densities_far_from_uniform_follow_the_limit_equation(first, second, model):
    """Spectral motion on the circle at beta = 350 and 700, extrapolated, against -Lap(mu) and -Lap(mu^2)/2."""
    start = circle_density(lambda angle: 1 + first * np.cos(angle) + second * np.cos(2 * angle)).resized(24)
    angles = np.linspace(0.1, 3.0, 9)
    moved = []
    for beta in (350, 700):
        slope = CircleDensity(start.motion(Flow(float(beta), model=model))(start.coefficients)).values(angles) - 1
        moved.append(slope * float(diffusion_time(2, beta, model=model)))
    equation = diffusion(1 + first * th.t + second * (2 * th.t**2 - 1), 2, model=model)
    expected = [float(equation.subs(th.t, np.cos(angle))) for angle in angles]
    assert 2 * moved[1] - moved[0] == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("model", ["sa", "usa"])
def test_a_density_leaves_its_place_at_the_drift_speed(model):
    """W_2 between a density on the circle and where spectral motion takes it in a small time, as beta grows."""
    start = circle_density(lambda angle: 1 + 0.5 * np.cos(angle) + 0.2 * np.cos(2 * angle)).resized(24)
    speeds = []
    for beta in (200, 400):
        time = 1e-4 * float(diffusion_time(2, beta, model=model))
        motion = start.motion(Flow(float(beta), model=model))(start.coefficients)
        speeds.append(nm.wasserstein_distance(start, CircleDensity(start.coefficients + time * motion)) / 1e-4)
    density = 1 + th.t / 2 + (2 * th.t**2 - 1) / 5
    assert 2 * speeds[1] - speeds[0] == pytest.approx(float(drift_speed(density, 2, model=model).evalf()), rel=1e-3)


# pairs


@pytest.mark.parametrize("beta", [20, 40])
def test_closest_pair_follows_tanh_on_the_clock_of_its_overlap(example, beta):
    """Three tokens by the dense field, scaled by the current overlap, up to the share of the other in a normaliser."""
    clock = np.linspace(0, 0.8, 9)
    expected = np.array([float(pairing_overlap(s)) for s in clock])
    overlaps = example.pair_overlaps(beta, clock)
    allowed = 1e-7 + 2 * np.exp(-beta * (1 - expected))
    assert (np.abs(overlaps - expected) < allowed).all()
    assert overlaps[4] > 0.65


@settings(max_examples=10)
@given(first=floats(0.1, 0.4), second=floats(0.1, 0.4), model=sampled_from(["sa", "usa"]), beta=floats(25, 40))
def test_weighted_pair_takes_the_pairing_time(first, second, model, beta):
    """Three weighted tokens end at the overlap for whose time they are followed, up to the pull of the third."""
    weights = [first, second, 1 - first - second]
    tokens = nm.normalize([[1, 0.1, 0], [-0.1, 1, 0], [-1, -1, 0.5]])
    time = float(pairing_time("0.2", beta, 0, weights=weights[:2], model=model))
    run = nm.simulate(tokens, beta=beta, model=model, t_end=time, weights=weights, save_at=[], rtol=1e-11, atol=1e-13)
    assert run.status.ok, run.status
    assert run.tokens[0] @ run.tokens[1] == pytest.approx(0.2, abs=20 * np.exp(-beta / 2) + 1e-7)


# metastability and lifetimes


def test_example_shows_the_four_regimes(example, tmp_path):
    """Its own quick run. The least distance comes later and is smaller as beta grows; the fall and drift describe it
    to 15 %, the bound hardly; lifetimes to 10^75 grow as the linear law says, to the e-folding that it leaves open."""
    table = example.main(quick=True, figure=tmp_path / "figure.png")
    rows = {row["quantity"]: row for row in table.rows}
    fall = next(row for name, row in rows.items() if name.startswith("rate of the fall"))
    assert float(fall["measured"]) == pytest.approx(float(fall["predicted"]), rel=0.1)
    assert float(rows["fall and drift: s; rms of log"]["measured"].split(";")[1]) < 0.15
    assert float(rows["bound: a, C, b; rms of log"]["measured"].split(";")[1]) > 0.3
    speed = next(row for name, row in rows.items() if name.startswith("speed of the rise"))
    assert float(speed["measured"]) == pytest.approx(float(speed["predicted"]), rel=0.35)
    assert float(rows["time of the least distance per log beta: fall and drift"]["measured"]) > 0.4
    for clusters in (3, 4, 5):
        row = rows[f"lifetime of {clusters} clusters: log T per beta"]
        assert float(row["measured"]) == pytest.approx(float(row["predicted"]), abs=0.01)
    assert (tmp_path / "figure.png").stat().st_size > 10_000


@pytest.mark.parametrize("clusters", [3, 4, 5])
def test_logarithm_of_the_lifetime_is_linear_in_beta(example, clusters):
    """Simulated meetings from beta = 80 to 200, within two e-foldings of the law, with the slope 1 - cos(2 pi/k)
    after the factor 1/beta of the nearest neighbours is taken out."""
    betas = np.array([80, 120, 160, 200])
    times = np.array([example.simulated_lifetime(clusters, int(beta)) for beta in betas])
    law = np.array([float(lifetime(clusters, int(b), perturbation="1e-3", model="sa")) for b in betas])
    assert (np.abs(times / law - 1) < (2 + np.log1p(betas)) / np.log(1e3)).all()
    logs = np.log(times * betas)
    line = np.polyfit(betas, logs, 1)
    assert line[0] == pytest.approx(1 - np.cos(2 * np.pi / clusters), abs=0.01)
    assert np.abs(np.polyval(line, betas) - logs).max() < 0.05
