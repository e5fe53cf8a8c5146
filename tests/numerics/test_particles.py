"""Runs: growth of a planted mode, what they record, saving, and refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, just, sampled_from
from scipy.integrate import quad
from support.particles import energy_and_integrated_dissipation

from gegenflow import numerics as nm


@pytest.mark.parametrize("method", ["dense", "circle", "cells"])
def test_planted_degree_three_grows_at_the_known_rate(method):
    """dim 2, beta 5: the rate 9 I_3(5)/5 by the integral that defines I_3, not by any mode of the solver."""
    tokens = nm.lattice(256)
    angle = np.arctan2(tokens[:, 1], tokens[:, 0])
    weights = (1 + 1e-6 * np.cos(3 * (angle - 0.3))) / 256
    run = nm.simulate(
        tokens,
        beta=5,
        t_end=0.05,
        weights=weights,
        method=method,
        observe=[nm.HarmonicAmplitude(4)],
        rtol=1e-13,
        atol=1e-15,
    )
    amplitude = run.observables["harmonic_amplitude"][:, 3]
    bessel = quad(lambda a: np.exp(5 * np.cos(a)) * np.cos(3 * a), 0, np.pi)[0] / np.pi
    assert np.log(abs(amplitude[-1] / amplitude[0])) / 0.05 == pytest.approx(9 * bessel / 5, rel=1e-7)
    np.testing.assert_allclose(np.angle(amplitude), -0.9, atol=1e-7)


@settings(max_examples=8)
@given(
    dim=integers(2, 4),
    beta=just(0.0) | floats(0.2, 6),
    model=sampled_from(["usa", "sa"]),
    seed=integers(0, 99),
)
def test_energy_rises_by_the_integrated_dissipation(dim, beta, model, seed):
    """Gauss-Legendre integral of dE/dt over a run against the difference of E."""
    energy, risen = energy_and_integrated_dissipation(dim, beta, model, seed, 0.5 * np.exp(-beta * (model == "usa")))
    assert (np.diff(energy) > 0).all()
    assert energy[-1] - energy[0] == pytest.approx(risen, rel=1e-7)


def test_methods_agree_on_a_run():
    """Whole trajectories by the pair sum, by the Fourier series and by cells; which of them "auto" takes."""
    tokens = nm.uniform(200, 2, rng=5)
    dense, *fast = (
        nm.simulate(tokens, beta=5, t_end=0.3, method=method, rtol=1e-11, atol=1e-12)
        for method in ("dense", "circle", "cells")
    )
    for run in fast:
        assert np.abs(dense.trajectories - run.trajectories).max() < 1e-8
    assert dense.parameters["method"] == "dense"
    assert nm.simulate(nm.uniform(5000, 2, rng=5), beta=5, t_end=0.0).parameters["method"] == "cells"
    assert nm.simulate(nm.uniform(400, 2, rng=5), beta=5, t_end=0.0).parameters["method"] == "circle"
    assert nm.simulate(tokens[:10], beta=5, t_end=0.0).parameters["method"] == "dense"


def test_run_survives_saving(tmp_path):
    """Every field, complex observables included, at exactly the given path and without pickle."""
    path = tmp_path / "run.with.dots"
    run = nm.simulate(
        nm.uniform(300, 2, rng=1),
        beta=2.5,
        model="sa",
        t_end=1.0,
        observe=[nm.HarmonicPower(3), nm.HarmonicAmplitude(3), nm.Clusters(), nm.Energy()],
        save_at=[0.25, 1.0],
        rng=1,
    )
    run.save(path)
    assert [item.name for item in tmp_path.iterdir()] == ["run.with.dots"]
    back = nm.load(path)
    for name in ("t", "tokens", "trajectories", "weights", "merges"):
        assert np.array_equal(getattr(back, name), getattr(run, name))
    assert set(back.observables) == {"harmonic_power", "harmonic_amplitude", "cluster_count", "energy"}
    for name, values in run.observables.items():
        assert np.array_equal(back.observables[name], values)
        assert back.observables[name].dtype == values.dtype
    assert (back.status, back.parameters) == (run.status, run.parameters)
    for name in ("evaluations", "version", "seconds", "field_error", "error"):
        assert getattr(back, name) == getattr(run, name)
    assert repr(back) == repr(run)


def test_load_refuses_other_files(tmp_path):
    """Text, and an archive of something else."""
    (tmp_path / "text").write_text("no run")
    np.savez(tmp_path / "other.npz", t=[1.0])
    with pytest.raises(ValueError, match="no npz archive"):
        nm.load(tmp_path / "text")
    with pytest.raises(ValueError, match="is not a saved run: it lacks facts"):
        nm.load(tmp_path / "other.npz")


def test_run_records_what_the_design_promises():
    """Shapes, parameters, tracked tokens and the printed table."""
    start = nm.uniform(400, 3, rng=0)
    run = nm.simulate(start, beta=4, t_end=0.1, observe=[nm.HarmonicPower(5), nm.Energy()], rng=0)
    assert run.status.ok
    assert str(run.status) == "reached t = 0.1"
    assert run.t.shape == (101,)
    assert run.tokens.shape == (400, 3)
    assert run.trajectories.shape == (101, 256, 3)
    assert run.observables["harmonic_power"].shape == (101, 6)
    spaced = np.arange(256) * 400 // 256
    assert np.abs(run.trajectories[0] - start[spaced]).max() < 1e-15
    assert np.abs(run.trajectories[-1] - run.tokens[spaced]).max() < 1e-15
    assert run.parameters["rng"] == 0
    assert run.parameters["n"] == 400
    assert len(repr(run).splitlines()) == 6
    many = nm.simulate(start[:100], beta=4, t_end=0.1, save_at=np.linspace(0, 0.1, 20_000))
    assert many.trajectories.shape == (20_000, 4_000_000 // 60_000, 3)


def test_interrupted_run_is_kept():
    """An observable that interrupts after three times."""

    class Impatient:
        name = "calls"

        def __init__(self):
            self.calls = 0

        def __call__(self, tokens, weights, flow):
            self.calls += 1
            if self.calls > 3:
                raise KeyboardInterrupt
            return self.calls

    with pytest.raises(nm.Interrupted) as stop:
        nm.simulate(nm.uniform(10, 3, rng=0), beta=1, t_end=1.0, observe=[nm.Energy(), Impatient()])
    run = stop.value.run
    assert not run.status
    assert run.observables["calls"].tolist() == [1, 2, 3]
    assert len(run.t) == len(run.trajectories) == len(run.observables["energy"]) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "relu"}, "model relu"),
        ({"beta": np.nan}, "beta nan"),
        ({"t_end": -1.0}, "t_end -1.0"),
        ({"save_at": [2.0]}, "within"),
        ({"method": "magic"}, "method magic"),
        ({"method": "circle"}, "needs dim 2, not 3"),
        ({"weights": [1.0]}, "weights: they have shape"),
        ({"observe": [nm.Energy(), nm.Energy()]}, "two of them have one name"),
        ({"observe": [nm.HarmonicAmplitude(2)]}, "HarmonicAmplitude needs dim 2"),
        ({"tokens": [[1.0, 1.0]]}, "row 0 has norm"),
    ],
)
def test_a_start_that_is_not_one_is_refused(change, message):
    """Every refusal names the value."""
    arguments = {"tokens": np.eye(3), "beta": 1.0, "t_end": 1.0} | change
    with pytest.raises(ValueError, match=message):
        nm.simulate(arguments.pop("tokens"), **arguments)


@pytest.mark.parametrize("name", ["beta", "t_end", "rtol", "atol", "noise", "merge", "first_step", "step"])
def test_what_is_not_a_number_is_refused_by_name(name):
    with pytest.raises(ValueError, match=f"{name} 1: it must be a number"):
        nm.simulate([[1.0, 0.0]], **{"beta": 1.0, "t_end": 1.0, name: "1"})


def test_several_observables_of_one_kind_are_told_apart_by_their_arguments(tmp_path):
    """Clusters at three scales in one run, read back and gone on with; twice the same one is refused."""
    tokens = nm.uniform(60, 3, rng=0)
    scales = [nm.Clusters(0.05), nm.Clusters(0.5), nm.Clusters(3.0, coherence=0.0)]
    run = nm.simulate(tokens, beta=3, t_end=0.5, save_at=[0.0, 0.5], observe=[*scales, nm.Energy()])
    names = [f"cluster_count(angle={angle})" for angle in (0.05, 0.5, 3.0)]
    assert {*run.observables} == {*names, "energy"}
    for name, scale in zip(names, scales, strict=True):
        assert run.observables[name][0] == scale(tokens, run.weights, run.flow)
    assert run.observables[names[2]].tolist() == [1, 1]
    run.save(tmp_path / "run.npz")
    longer = nm.load(tmp_path / "run.npz").extend(1.0, save_at=[1.0])
    assert {*longer.observables} == {*names, "energy"}
    with pytest.raises(ValueError, match="two of them have one name"):
        nm.simulate(tokens, beta=3, t_end=0.5, observe=[nm.Clusters(0.5), nm.Clusters(0.5)])


@pytest.mark.parametrize(
    ("dim", "options"),
    [
        (2, {"beta": 3, "rtol": 1e-6, "observe": [nm.HarmonicPower(3), nm.Clusters(0.3)]}),
        (3, {"beta": 1, "model": "sa", "merge": 1e-10}),
        (3, {"beta": 1, "layer_norm": "pre", "query_key": [[1, 2, 0], [0, 1, 0], [0, 0, 1]], "order": 5}),
        (4, {"beta": 2, "noise": 0.1, "step": 0.01, "rng": 3}),
        (2, {"beta": 2, "noise": 0.1}),
    ],
)
def test_the_parameters_of_a_run_are_its_arguments(dim, options):
    """Bit for bit the same tokens and observables."""
    tokens = nm.uniform(12, dim, rng=0)
    run = nm.simulate(tokens, t_end=0.2, **options)
    again = nm.simulate(tokens, **run.parameters)
    assert np.array_equal(again.tokens, run.tokens)
    assert {*again.observables} == {*run.observables}
    assert all(np.array_equal(again.observables[name], value) for name, value in run.observables.items())
    with pytest.raises(ValueError, match="n 12: the tokens have 11; leave it out"):
        nm.simulate(tokens[1:], **run.parameters)


def test_the_parameters_of_a_run_of_a_density_are_its_arguments():
    """The same coefficients; a kernel, of which a run only has the name, is refused by its own."""
    bump = lambda angle: 1 + 0.1 * np.cos(angle)  # noqa: E731
    run = nm.solve_density(bump, beta=1, noise=0.1, t_end=0.2, observe=[nm.Entropy()])
    again = nm.solve_density(bump, **run.parameters)
    assert np.array_equal(again.coefficients, run.coefficients)
    assert np.array_equal(again.observables["entropy"], run.observables["entropy"])
    kernel = nm.simulate(nm.uniform(5, 2, rng=0), kernel=np.tanh, t_end=0.1)
    with pytest.raises(ValueError, match="kernel"):
        nm.simulate(nm.uniform(5, 2, rng=0), **kernel.parameters)
