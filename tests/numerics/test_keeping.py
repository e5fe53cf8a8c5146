"""Nothing that was computed is lost: interrupts at any moment, files that cannot be written, observables that raise."""

import shutil

import numpy as np
import pytest

from gegenflow import numerics as nm
from gegenflow.numerics.fields import method
from gegenflow.numerics.integrators import paths
from gegenflow.numerics.runs import motion
from gegenflow.numerics.validation.command import simulate as command
from gegenflow.numerics.validation.command.main import main


def bump(angle):
    return 1 + 0.1 * np.cos(3 * angle)


class Late:
    """One number, until it raises what it is given."""

    name = "late"

    def __init__(self, problem, calls=4):
        self.problem, self.left = problem, calls

    def __call__(self, tokens, weights, flow):
        self.left -= 1
        if self.left < 0:
            raise self.problem
        return 1.0

    def of_density(self, density, flow):
        return self(density, None, flow)


def interrupt(*args, **kwargs):
    raise KeyboardInterrupt


# interrupts


SETTINGS = [
    {"beta": 2.0, "method": "circle"},
    {"beta": 2.0, "noise": 0.1, "rng": 5, "step": 0.05},
    {"kernel": np.tanh, "layer_norm": "peri"},
]


@pytest.mark.parametrize("options", SETTINGS, ids=["angles", "noise", "lengths"])
def test_an_interrupt_while_sums_are_prepared_leaves_the_run_at_its_start(options, monkeypatch, tmp_path):
    """It goes on as if it had never been stopped, from memory and from a file."""
    start = nm.uniform(30, 2, rng=1)
    options = options | {"save_at": [], "observe": [nm.HarmonicPower(2)]}
    whole = nm.simulate(start, t_end=1.0, **options)
    monkeypatch.setattr(motion, "prepare_field", interrupt)
    with pytest.raises(KeyboardInterrupt) as stop:
        nm.simulate(start, t_end=1.0, checkpoint=tmp_path / "run.npz", **options)
    run = stop.value.run
    assert str(run.status) == "interrupted at t = 0 of 1; everything up to there is kept"
    assert np.allclose(run.tokens, start, rtol=0, atol=1e-15)
    monkeypatch.undo()
    for kept in (run, nm.load(tmp_path / "run.npz")):
        longer = kept.extend(1.0, save_at=[], flow=run.flow)
        assert np.allclose(longer.tokens, whole.tokens, rtol=0, atol=0 if "noise" in options else 1e-7)


def test_an_interrupt_while_a_run_prepares_to_go_on_keeps_all_of_it(monkeypatch):
    start, options = nm.uniform(30, 2, rng=1), {"beta": 2.0, "noise": 0.1, "step": 0.05, "rng": 5, "method": "circle"}
    run, whole = (nm.simulate(start, t_end=end, **options) for end in (0.52, 1.0))
    monkeypatch.setattr(motion, "prepare_field", interrupt)
    with pytest.raises(KeyboardInterrupt) as stop:
        run.extend(1.0)
    monkeypatch.undo()
    kept = stop.value.run
    assert np.array_equal(kept.t, run.t)
    assert np.array_equal(kept.tokens, run.tokens)
    assert np.array_equal(kept.extend(1.0).tokens, whole.tokens)


def test_an_interrupt_while_an_integration_prepares_its_sums_leaves_it_at_its_start(monkeypatch):
    start = nm.uniform(30, 2, rng=1)
    monkeypatch.setattr(paths, "prepare_field", interrupt)
    with pytest.raises(KeyboardInterrupt) as stop:
        nm.integrate(nm.Flow(beta=2.0), start, t_end=1.0, stop_when=nm.Crossing(lambda x: x[0, 0], 5.0))
    end = stop.value.run
    assert (end.reached, end.saved, end.interrupted) == (0.0, [], True)
    assert np.allclose(end.state, start, rtol=0, atol=1e-15)


def interrupted_at(number, monkeypatch):
    """The preparation of sums of that number is interrupted."""
    calls = []

    def prepare(*args, **kwargs):
        calls.append(1)
        if len(calls) == number:
            raise KeyboardInterrupt
        return method.prepare_field(*args, **kwargs)

    monkeypatch.setattr(motion, "prepare_field", prepare)


@pytest.mark.parametrize("solver", ["simulate", "solve_quantiles"])
def test_an_interrupt_while_the_second_run_prepares_keeps_the_first(solver, monkeypatch, tmp_path):
    def follow(**options):
        options |= {"beta": 1.0, "t_end": 0.2, "method": "circle"}
        if solver == "simulate":
            return nm.simulate(nm.uniform(30, 2, rng=1), **options)
        return nm.solve_quantiles(bump, n=64, **options)

    first = follow()
    interrupted_at(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt) as stop:
        follow(estimate_error=True, checkpoint=tmp_path / "run.npz")
    run = stop.value.run
    assert np.array_equal(run.tokens, first.tokens)
    assert run.status
    assert "no error, as the second run interrupted at t = 0" in str(run.status)
    assert nm.load(tmp_path / "run.npz") == run


def test_the_command_prints_and_saves_a_run_whose_energy_was_interrupted(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command.nm.Energy, "__call__", interrupt)
    path = tmp_path / "run.npz"
    assert main(f"simulate --beta 1 --tokens 20 --time 0.1 --out {path}".split()) == 1
    assert "reached t = 0.1" in capsys.readouterr().out
    assert nm.load(path).reached == 0.1


# files and observables


@pytest.mark.parametrize("solver", ["simulate", "solve_density", "extend"])
def test_a_checkpoint_that_cannot_be_written_loses_nothing(solver, tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()

    class Removes:
        """Takes the folder away."""

        name = "one"

        def __call__(self, *_):
            shutil.rmtree(folder, ignore_errors=True)
            return 1.0

        def of_density(self, *_):
            return self()

    options = {"observe": [Removes()], "checkpoint": folder / "run.npz", "every": 1e-9}
    if solver == "simulate":
        run = nm.simulate(np.eye(3), beta=1.0, t_end=1.0, **options)
    elif solver == "solve_density":
        run = nm.solve_density(bump, beta=1.0, t_end=1.0, **options)
    else:
        run = nm.simulate(np.eye(3), beta=1.0, t_end=0.5, observe=[Removes()]).extend(1.0, **options)
    assert run.reached == 1.0
    assert not run.status
    assert str(run.status).startswith("reached t = 1, but it could not be saved: ")
    assert "run.npz" in str(run.status)


@pytest.mark.parametrize("solver", ["simulate", "solve_quantiles"])
def test_the_last_checkpoint_is_the_run_with_its_error(solver, tmp_path):
    options = {"beta": 1.0, "t_end": 0.2, "estimate_error": True, "checkpoint": tmp_path / "run.npz"}
    if solver == "simulate":
        run = nm.simulate(nm.uniform(6, 3, rng=0), **options)
    else:
        run = nm.solve_quantiles(bump, n=16, **options)
    assert 0 < run.error < 1e-3
    assert nm.load(tmp_path / "run.npz") == run


@pytest.mark.parametrize("problem", [ValueError("boom"), ZeroDivisionError("boom"), nm.Refused("late", None, "boom")])
def test_an_observable_that_raises_on_the_way_keeps_what_there_was(problem):
    run = nm.simulate(np.eye(3), beta=1.0, t_end=1.0, save_at=np.arange(11) / 10, observe=[Late(problem)])
    assert not run.status
    assert "of 1: " in str(run.status)
    assert type(problem).__name__ in str(run.status)
    assert "boom" in str(run.status)
    assert np.allclose(run.t, [0.0, 0.1, 0.2, 0.3])
    assert run.extend(1.0, observe=[Late(problem, 1000)]).status
    density = nm.solve_density(bump, beta=1.0, t_end=1.0, save_at=np.arange(11) / 10, observe=[Late(problem, 5)])
    assert 0 < len(density.t) < 11
    assert "boom" in str(density.status)
    with pytest.raises(type(problem), match="boom"):  # before anything has moved
        nm.simulate(np.eye(3), beta=1.0, t_end=1.0, observe=[Late(problem, 0)])


# the second run of quantiles


def distance(run, half):
    return np.sqrt(np.mean(np.linalg.norm(run.tokens[::2] - half.tokens, axis=1) ** 2))


def test_the_error_of_quantiles_that_stop_is_taken_at_the_time_that_they_reached():
    """Against a run of half as many to that time."""
    stop = nm.Crossing(nm.HarmonicPower(3), 0.5, index=3)
    options = {"n": 24, "beta": 3.0, "t_end": 2.0, "stop_when": stop, "track": [23], "first_step": 0.5}
    run = nm.solve_quantiles(bump, estimate_error=True, **options)
    assert 0 < run.reached < 2.0
    half = nm.solve_quantiles(bump, n=12, beta=3.0, t_end=run.reached, rtol=1e-10, atol=1e-12)
    assert run.error == pytest.approx(distance(run, half), rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("options", [{"n": 12}, {"n": 16, "merge": 1e-10}], ids=str)
def test_few_quantiles_and_merged_ones_have_an_error(options):
    assert nm.solve_quantiles(bump, beta=1.0, t_end=0.2, estimate_error=True, **options).error >= 0
