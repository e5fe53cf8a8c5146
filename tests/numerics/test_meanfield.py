"""The mean-field equation in time: convergence, symmetries, what is conserved, and how runs end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, sampled_from
from scipy.integrate import solve_ivp

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.circle_starts import circle_density
from gegenflow.numerics.densities.sphere import sphere_density
from gegenflow.numerics.densities.zonal import zonal_density
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.observables.energy import Dissipation, Energy
from gegenflow.numerics.observables.tokens import (
    Clusters,
    Entropy,
    HarmonicAmplitude,
    HarmonicPower,
    Periodicity,
)
from gegenflow.numerics.runs.lagrangian import solve_quantiles
from gegenflow.numerics.runs.loading import load
from gegenflow.numerics.runs.meanfield import solve_density
from gegenflow.numerics.tokens.geometry import uniform


def bumps(angle):
    return 1 + 0.3 * np.cos(angle) + 0.2 * np.sin(2 * angle)


def rotated(coefficients, by):
    spectrum = (coefficients[::2] - 1j * coefficients[1::2]) * np.exp(
        -1j * by * np.arange(1, len(coefficients) // 2 + 1)
    )
    return np.column_stack([spectrum.real, -spectrum.imag]).ravel()


@given(rtol=sampled_from([1e-6, 1e-8, 1e-10, 1e-12]), model=sampled_from(["usa", "sa"]), noise=sampled_from([0.0, 0.1]))
def test_the_tolerance_bounds_the_error(rtol, model, noise):
    """Against scipy's integrator of 128 fixed degrees at its tightest; errors of steps add up to a few of them."""
    rtol = max(rtol, 1e-9) if noise else rtol
    run = solve_density(bumps, beta=2.0, model=model, noise=noise, t_end=0.25, rtol=rtol, save_at=[])
    wide = circle_density(bumps).resized(128)
    rate, decay = wide.motion(Flow(2.0, model=model)), noise * wide.degrees**2.0
    exact = solve_ivp(
        lambda t, a: rate(a) - decay * a, (0, 0.25), wide.coefficients, method="DOP853", rtol=3e-14, atol=1e-15
    ).y[:, -1]
    error = np.linalg.norm(run.density.resized(128).coefficients - exact)
    assert run.status.ok
    assert error < 20 * rtol * np.linalg.norm(exact) + 1e-13


def test_error_decays_geometrically_with_the_degrees():
    """Fixed degrees 8..32 against 96: the logarithm of the error falls on a line, by a factor of three or more."""
    start = circle_density(bumps)

    def end(top):
        density = start.resized(top)
        rate = density.motion(Flow(2.0, model="usa"))
        solution = solve_ivp(
            lambda t, a: rate(a), (0, 0.2), density.coefficients, method="DOP853", rtol=1e-12, atol=1e-14
        )
        return CircleDensity(solution.y[:, -1]).resized(96).coefficients

    exact, degrees = end(96), np.arange(6, 22, 3)
    errors = [np.linalg.norm(end(top) - exact) for top in degrees]
    slope, offset = np.polyfit(degrees, np.log(errors), 1)
    assert slope < -0.5
    assert np.abs(np.log(errors) - slope * degrees - offset).max() < 1.0


@given(by=floats(0, 6.3), model=sampled_from(["usa", "sa"]))
def test_a_rotated_start_gives_the_rotated_end(by, model):
    """The equation has no preferred direction; a solver that reflected its convolution would turn the wrong way."""
    start = circle_density(bumps)
    options = {"beta": 3.0, "model": model, "t_end": 0.1, "rtol": 1e-11, "save_at": []}
    end = solve_density(start, **options).density
    turned = solve_density(CircleDensity(rotated(start.coefficients, by)), **options).density
    assert np.linalg.norm(turned.coefficients - rotated(end.resized(turned.max_degree).coefficients, by)) < 1e-9


@given(rng=integers(0, 10**6), beta=floats(0.1, 6), model=sampled_from(["usa", "sa"]))
def test_energy_ascends_at_the_rate_of_dissipation(rng, beta, model):
    """Multipliers of h in the energy, those of W and the motion in the dissipation; dE/dt by differences."""
    amplitude = np.random.default_rng(rng).normal(size=8)
    start = CircleDensity(0.5 * amplitude / np.abs(amplitude).sum() / 2**0.5)
    times = 0.02 * np.exp(-beta if model == "usa" else 0) * np.arange(5)
    run = solve_density(
        start, beta=beta, model=model, t_end=times[-1], save_at=times, observe=[Energy(), Dissipation()], rtol=1e-12
    )
    energy, dissipation = run.observables["energy"], run.observables["dissipation"]
    assert (np.diff(energy) > 0).all()
    h = times[1]
    middle = (energy[0] - 8 * energy[1] + 8 * energy[3] - energy[4]) / (12 * h)
    assert middle == pytest.approx(dissipation[2], rel=1e-5, abs=1e-12 * energy[0] / h)


def test_observables_of_a_density_are_those_of_tokens_that_carry_it():
    """512 equispaced tokens weighted by the density are exact for every sum over harmonics."""
    density = circle_density(lambda angle: np.exp(2 * np.cos(angle - 1)) / 2.2795853023360673)
    angle = 2 * np.pi * np.arange(512) / 512
    tokens = np.column_stack([np.cos(angle), np.sin(angle)])
    weights = density.values(angle) / 512
    for observable in (HarmonicPower(6), HarmonicAmplitude(6), Energy(), Dissipation(), Periodicity(2, 16), Clusters()):
        for beta in (0.0, 3.0):
            for model in ("usa", "sa"):
                ours = observable.of_density(density, Flow(beta=beta, model=model))
                assert np.allclose(
                    ours, observable(tokens, weights, Flow(beta=beta, model=model)), rtol=1e-10, atol=1e-13
                )


def test_noise_alone_is_the_heat_equation_and_free_energy_ascends_with_attention():
    """Kuramoto at noise 1 decays by e^{-k^2 t} but for its own rate 1/2 in degree 1; E - nu int f log f ascends."""
    start = circle_density(lambda angle: 1 + 1e-7 * np.cos(angle) + 1e-7 * np.sin(3 * angle))
    end = solve_density(start, beta=0.0, noise=1.0, t_end=1.5, rtol=1e-11, save_at=[]).density
    assert end.coefficients[0] == pytest.approx(start.coefficients[0] * np.exp(-0.75), rel=1e-9)
    assert end.coefficients[5] == pytest.approx(start.coefficients[5] * np.exp(-9 * 1.5), rel=1e-9)
    run = solve_density(bumps, beta=4.0, noise=0.3, t_end=0.5, observe=[Energy(), Entropy()])
    assert (np.diff(run.observables["energy"] - 0.3 * run.observables["entropy"]) > 0).all()


def test_saving_changes_nothing_and_saved_states_are_as_exact():
    """States between steps come from steps of their own; each against a run that ends there."""
    times = [0.013, 0.1, 0.1500001, 0.2]
    run = solve_density(bumps, beta=3.0, t_end=0.2, save_at=times)
    plain = solve_density(bumps, beta=3.0, t_end=0.2, save_at=[])
    assert (run.density.coefficients == plain.density.coefficients).all()
    for time, density in zip(times, run.densities, strict=True):
        end = solve_density(bumps, beta=3.0, t_end=time, save_at=[]).density
        top = max(end.max_degree, density.max_degree)
        assert np.linalg.norm(end.resized(top).coefficients - density.resized(top).coefficients) < 1e-8


@pytest.mark.parametrize("max_degree", [None, 700])
def test_a_run_that_looks_beyond_its_top_degree_keeps_what_it_has(max_degree):
    """SA gathers all mass: the look beyond asks for twice as many degrees, which took more Gauss nodes than allowed."""
    start = zonal_density(lambda t: 1 + 0.2 * t, dim=3)
    run = solve_density(start, beta=1.0, model="sa", t_end=50.0, save_at=[0.0, 1.0], max_degree=max_degree)
    most = max_degree or 512
    assert f"the density needs more than {most} degrees; raise max_degree, or follow tokens" in str(run.status)
    assert run.reached > 5
    assert run.density.max_degree == most
    few = solve_density(start, beta=1.0, model="sa", t_end=run.reached, save_at=[], max_degree=400)
    assert few.reached < run.reached


@pytest.mark.parametrize(
    ("start", "options", "advice"),
    [
        (lambda: bumps, {"noise": 1e-6}, "raise max_degree, or follow tokens with simulate"),
        (lambda: bumps, {}, "raise max_degree, or go on with solve_quantiles"),
        (lambda: zonal_density(lambda t: 1 + 0.5 * t, 2), {}, "raise max_degree, or follow tokens with simulate"),
    ],
)
def test_advice_is_what_can_be_done(start, options, advice):
    """Quantiles follow no noise, and only densities of the angle."""
    run = solve_density(start(), beta=5.0, t_end=0.9, max_degree=64, save_at=[], **options)
    assert str(run.status).endswith(f"the density needs more than 64 degrees; {advice}")


def test_degrees_out_of_reach_end_a_run_that_has_begun():
    """In dim 300 the Gauss weights of 2048 nodes underflow: what is known by then is kept."""
    start = zonal_density(lambda t: 1 + 0.5 * t, 300)
    run = solve_density(start, beta=30.0, t_end=50.0, save_at=[0.0], rtol=1e-6, max_degree=4096)
    assert "degrees are out of reach: dim 300: the least weight" in str(run.status)
    assert run.reached > 0


def test_a_run_that_runs_out_of_degrees_says_so_and_keeps_what_it_has(tmp_path):
    """Mass concentrates at beta 5 before t = 0.5: no series can follow."""
    run = solve_density(bumps, beta=5.0, t_end=0.5, max_degree=256, observe=[HarmonicPower(3)])
    assert not run.status.ok
    assert str(run.status).startswith(f"stopped at t = {run.reached:g} of 0.5: the density needs more than 256 degrees")
    assert 0 < run.t[-1] <= run.reached < 0.5
    assert run.resolution.max() == 256
    assert len(run.t) == len(run.observables["harmonic_power"]) == len(run.coefficients) == len(run.minimum)
    assert (run.minimum > 0).all()
    assert "256 allowed" in repr(run)
    run.save(tmp_path / "run.npz")
    back = load(tmp_path / "run.npz")
    assert (back.coefficients == run.coefficients).all()
    assert (back.density.coefficients == run.density.coefficients).all()
    assert (back.status, back.reached, back.parameters) == (run.status, run.reached, run.parameters)


def test_an_interrupt_keeps_what_was_computed():
    """The observable stands for the keyboard."""

    class Interrupt:
        name = "interrupt"
        calls = 0

        def of_density(self, density, flow):
            self.calls += 1
            if self.calls == 5:
                raise KeyboardInterrupt
            return self.calls

    with pytest.raises(KeyboardInterrupt) as stop:
        solve_density(bumps, beta=3.0, t_end=0.2, observe=[HarmonicPower(2), Interrupt()])
    run = stop.value.run
    assert not run.status
    assert str(run.status).startswith("interrupted at t = ")
    assert len(run.t) == 3
    assert run.observables["harmonic_power"].shape == (3, 3)


@pytest.mark.parametrize("model", ["usa", "sa"])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_zonal_density_does_on_the_sphere_what_it_does_along_its_axis(model, noise):
    """Gauss rules in one variable against spherical harmonics about a tilted axis, which share no transform."""
    axis = np.array([0.48, -0.6, 0.64])
    profile = lambda t: 1 + 0.2 * t + 0.1 * (3 * t**2 - 1)  # noqa: E731
    options = {"beta": 3.0, "model": model, "noise": noise, "t_end": 0.2 if model == "usa" else 2.0, "save_at": []}
    zonal = solve_density(zonal_density(profile, 3), **options)
    sphere = solve_density(sphere_density(lambda points: profile(points @ axis)), **options)
    points = uniform(50, 3, rng=0)
    assert zonal.status.ok
    assert sphere.status.ok
    assert np.abs(zonal.density.values(points @ axis) - sphere.density.values(points)).max() < 1e-7


@given(dim=sampled_from([3, 4, 8, 64]), model=sampled_from(["usa", "sa"]), noise=sampled_from([0.0, 0.05]))
def test_free_energy_ascends_and_mass_stays_in_any_dim(dim, model, noise):
    """E - nu int f log f for USA; without noise E for both; every sample grid integrates the density to one."""
    start = zonal_density(lambda t: 1 + 0.3 * t + 0.2 * (dim * t**2 - 1) / (dim - 1), dim)
    run = solve_density(
        start,
        beta=4.0,
        model=model,
        noise=noise,
        t_end=0.2 if model == "usa" else 2.0,
        save_at=np.linspace(0, 0.2 if model == "usa" else 2.0, 9),
        observe=[Energy(), Entropy()],
    )
    assert run.status.ok
    if model == "usa" or noise == 0:
        assert (np.diff(run.observables["energy"] - noise * run.observables["entropy"]) > 0).all()
    for density in run.densities:
        values, weights = density.samples()
        assert weights @ values == pytest.approx(1.0, abs=1e-13)


def test_a_start_that_is_even_stays_even_to_the_last_bit():
    """A symmetry of the equation: odd degrees are not small but zero, though the first would grow by e^10."""
    run = solve_density(zonal_density(lambda t: 1 + 0.01 * (4 * t**2 - 1), 4), beta=3.0, t_end=0.5, save_at=[])
    assert (run.density.coefficients[::2] == 0).all()
    assert run.density.coefficients[1] > 0.02


@pytest.mark.parametrize(
    "start",
    [
        CircleDensity(np.array([0.1, 0.0])),
        zonal_density(lambda t: 1 + 0.2 * t, 8),
        sphere_density(lambda points: 1 + 0.2 * points[:, 1]),
    ],
    ids=["circle", "zonal", "sphere"],
)
def test_a_saved_run_is_read_back(tmp_path, start):
    run = solve_density(start, beta=1.0, t_end=0.1, save_at=[0, 0.1], observe=[HarmonicPower(2), Entropy()])
    run.save(tmp_path / "run.npz")
    back = load(tmp_path / "run.npz")
    assert type(back.density) is type(run.density)
    assert back.density.dim == run.density.dim
    for one, other in zip(back.densities, run.densities, strict=True):
        assert (one.coefficients == other.coefficients).all()
    assert repr(back) == repr(run)


def test_a_run_stops_where_the_density_becomes_negative():
    """In dim 64 the norm grows so fast that its tolerance says nothing any more about the mass."""
    start = zonal_density(lambda t: 1 + 0.02 * (t + t**3), 64)
    run = solve_density(start, beta=5.0, model="sa", t_end=20.0, save_at=[])
    assert not run.status.ok
    assert "the negative part of the density has mass" in str(run.status)
    assert 5 < run.reached < 10


@given(degree=integers(1, 16), second=integers(1, 16), beta=floats(2, 60), amplitude=floats(0.05, 0.45))
def test_a_start_of_two_degrees_is_resolved_as_one_padded_with_zeros(degree, second, beta, amplitude):
    """Products of few degrees may all fall beyond those there are, where no tail shows: 16 against 192 of them."""
    coefficients = np.zeros(32)
    coefficients[2 * degree - 2], coefficients[2 * second - 1] = amplitude, amplitude / 2
    start, options = CircleDensity(coefficients), {"beta": beta, "model": "sa", "t_end": 0.5, "save_at": []}
    run = solve_density(start, **options)
    padded = solve_density(start.resized(192), **options)
    if run.status.ok and padded.status.ok:
        top = max(run.density.max_degree, padded.density.max_degree)
        apart = run.density.resized(top).coefficients - padded.density.resized(top).coefficients
        assert np.linalg.norm(apart) < 1e-7


@pytest.mark.parametrize("beta", [366.0, 500.0, 700.0])
def test_the_fastest_flows_run_in_their_own_time(beta):
    """USA has speeds of e^beta, whose squares overflow: the growth of degree 1, from quadrature of the force."""
    angle = 2 * np.pi * np.arange(4096) / 4096
    rate = np.mean(np.exp(beta * (np.cos(angle) - 1)) * np.sin(angle) ** 2)  # in units of e^beta
    start, t_end = circle_density(lambda a: 1 + 1e-7 * np.sin(a)), np.exp(-beta)
    end = solve_density(start, beta=beta, t_end=t_end, rtol=1e-11, atol=1e-20, save_at=[])
    assert end.status.ok
    assert np.log(end.density.coefficients[1] / start.coefficients[1]) == pytest.approx(rate, rel=1e-6)


def test_sharp_softmax_attention_can_leave_a_vacuum():
    """Trial steps into a negative normaliser are tried again shorter; the end against quantiles."""
    options = {"beta": 1000.0, "model": "sa", "t_end": 0.5, "save_at": []}
    end = solve_density(lambda angle: 1 + np.cos(angle), **{**options, "t_end": 2.0})
    assert end.status.ok
    short = solve_density(lambda angle: 1 + np.cos(angle), **options).density
    moved = solve_quantiles(lambda angle: 1 + np.cos(angle), n=2000, rtol=1e-9, **options)
    moments = np.abs(np.exp(-1j * np.outer([1, 2], np.arctan2(moved.tokens[:, 1], moved.tokens[:, 0]))).mean(axis=1))
    assert np.allclose(np.abs(short.spectrum()[1:3]), moments, atol=1e-4)


def test_a_run_without_end_in_sight_is_given_up():
    """At rest under noise steps keep their length, and need a million millions of them."""
    run = solve_density(bumps, beta=2.0, noise=0.5, t_end=1e12, save_at=[])
    assert "at this pace it takes over 1e+07 steps" in str(run.status)


def test_the_uniform_density_stays_and_has_every_period():
    run = solve_density(CircleDensity(np.zeros(8)), beta=1.0, t_end=1.0, atol=0.0, observe=[Periodicity(3)])
    assert (run.density.coefficients == 0).all()
    assert (run.observables["periodicity"] == 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": 800.0}, "USA overflows float64 above beta = 700"),
        ({"beta": 1.0, "t_end": -1.0}, "t_end -1"),
        ({"beta": "1"}, "beta 1: it must be a number"),
        ({"beta": 1.0, "noise": -0.1}, "noise -0.1"),
        ({"beta": 1.0, "rtol": 1e-16}, "rtol 1e-16"),
        ({"beta": 1.0, "max_degree": 1}, "max_degree 1: the density has degree 2 already"),
        ({"beta": 1.0, "max_degree": float("inf")}, "max_degree inf: it must be a whole number"),
        ({"beta": 1.0, "max_degree": 20.5}, "max_degree 20.5: it must be a whole number"),
        ({"beta": 800.0, "model": "sa", "observe": [Energy()]}, "the energy overflows float64"),
        ({"beta": 400.0, "observe": [Dissipation()]}, "the dissipation overflows float64"),
        ({"beta": 1.0, "observe": [len]}, "must be a list of observables of densities"),
        ({"beta": 1.0, "observe": Energy()}, "must be a list of observables of densities"),
        ({"beta": 1.0, "observe": [Energy(), Energy()]}, "observe energy, energy: two of them have one name"),
        ({"kernel": np.tanh, "observe": [Energy()]}, "the energy needs beta"),
        ({}, "neither beta nor kernel is given"),
        ({"beta": 1.0, "model": "sas"}, "model sas"),
        ({"beta": 1.0, "save_at": [2.0]}, "save_at: its times run from 2 to 2"),
    ],
)
def test_bad_input_is_refused_with_the_reason(options, message):
    with pytest.raises(ValueError, match=message):
        solve_density(bumps, **{"t_end": 0.1, **options})


def test_a_start_that_is_negative_or_no_density_is_refused():
    with pytest.raises(ValueError, match=r"density: its negative part has mass 0\.22"):
        solve_density(CircleDensity(np.array([2**0.5, 0.0])), beta=1.0, t_end=0.0)
    run = solve_density(bumps, beta=1.0, t_end=0.0)
    with pytest.raises(ValueError, match=r"density: it is a DensityRun: pass its \.density on"):
        solve_density(run, beta=1.0, t_end=1.0)


def test_a_normaliser_that_is_not_positive_ends_the_run():
    """SA with a kernel that changes sign cannot divide: all there is is the start."""
    run = solve_density(bumps, kernel=lambda t: t, model="sa", t_end=1.0)
    assert not run.status.ok
    assert "the normaliser is not positive" in str(run.status)
    assert run.t.tolist() == [0.0]
