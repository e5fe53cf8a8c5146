"""Quantiles that move with the flow against the series of the density, which is another discretisation."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis.strategies import floats, integers, sampled_from

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.circle_starts import circle_density
from gegenflow.numerics.densities.distribution import density_at_quantiles
from gegenflow.numerics.densities.wasserstein import wasserstein_distance
from gegenflow.numerics.densities.zonal import zonal_density
from gegenflow.numerics.observables.energy import Energy
from gegenflow.numerics.observables.tokens import HarmonicPower
from gegenflow.numerics.runs.lagrangian import solve_quantiles
from gegenflow.numerics.runs.meanfield import solve_density


def angles_of(run):
    return np.unwrap(np.arctan2(run.tokens[:, 1], run.tokens[:, 0]))


@given(rng=integers(0, 10**6), beta=floats(0, 4), model=sampled_from(["usa", "sa"]))
@example(rng=665, beta=0.0, model="usa")
def test_quantiles_and_series_agree_to_their_tolerances(rng, beta, model):
    """Density at its own quantiles and W_2, at a time at which both resolve it."""
    amplitude = np.random.default_rng(rng).normal(size=6)
    start = CircleDensity(0.4 * amplitude / np.abs(amplitude).sum() / 2**0.5)
    options = {"beta": beta, "model": model, "t_end": 0.4 * np.exp(-beta if model == "usa" else 0.0), "save_at": []}
    moved = solve_quantiles(start, n=384, rtol=1e-12, atol=1e-13, estimate_error=True, **options)
    solved = solve_density(start, rtol=1e-11, **options)
    density, tail = density_at_quantiles(angles_of(moved))
    assert tail < 1e-10
    assert moved.error < 1e-9
    assert np.abs(density - solved.density.values(angles_of(moved))).max() < 1e-8
    assert wasserstein_distance(moved, solved) < 2 * np.pi / 384


def test_their_number_matters_less_than_any_power_while_the_map_is_smooth():
    """The first moment against 1024 quantiles: from 32 to 128 the error falls by over ten thousand."""
    start = circle_density(lambda angle: 1 + 0.3 * np.cos(angle) + 0.2 * np.sin(2 * angle))

    def moment(n):
        return np.exp(1j * angles_of(solve_quantiles(start, n=n, beta=2.0, t_end=0.1, rtol=1e-12, save_at=[]))).mean()

    exact = moment(1024)
    errors = [abs(moment(n) - exact) for n in (32, 64, 128)]
    assert errors[0] > 1e4 * errors[2]
    assert errors[2] < 1e-10


def test_a_density_is_followed_where_no_series_can(tmp_path):
    """Past the time at which 2048 degrees end, on to three clusters; the two agree up to there."""
    start = circle_density(lambda angle: 1 + 0.1 * np.cos(3 * angle - 1))
    options = {"beta": 5.0, "observe": [HarmonicPower(3), Energy()]}
    solved = solve_density(start, t_end=1.0, **options)
    assert not solved.status.ok
    moved = solve_quantiles(start, n=600, t_end=1.0, save_at=solved.t, **options)
    assert moved.status.ok
    for name in ("harmonic_power", "energy"):
        assert np.allclose(moved.observables[name], solved.observables[name], rtol=1e-5, atol=1e-9)
    moments = np.abs(np.exp(1j * np.outer([1, 2, 3], angles_of(moved))).mean(axis=1))
    assert np.allclose(moments, [0, 0, 1], atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 4}, "n 4: it must be a whole number >= 8"),
        ({"noise": 0.1}, "noise 0.1: solve_quantiles takes no flow with this part"),
        ({"weights": [0.5, 0.5]}, "weights: quantiles have equal masses"),
        ({"n": 9, "estimate_error": True}, "n 9: estimate_error needs an even number"),
        ({"beta": np.nan}, "beta nan"),
        (
            {"density": zonal_density(lambda t: 1 + 0.1 * t, 3)},
            "density: it is a ZonalDensity, quantiles need one on the circle",
        ),
    ],
)
def test_bad_input_is_refused_with_the_reason(options, message):
    with pytest.raises(ValueError, match=message):
        solve_quantiles(**{"density": lambda angle: 1 + 0.1 * np.cos(angle), "beta": 1.0, "t_end": 0.1, **options})
