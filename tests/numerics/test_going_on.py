"""Runs that go on: what was seen before and after, the flow that a file cannot hold, limits, interrupts in a step."""

import numpy as np
import pytest

from gegenflow import numerics as nm


def bump(angle):
    return 1 + 0.01 * np.cos(3 * angle)


@pytest.mark.parametrize("level", [1e-3, 100.0], ids=["crossed before and after", "never crossed"])
def test_a_density_goes_on_to_more_modes_with_its_events(level):
    """Events and coefficients of few modes beside many are those of the run that never ended."""
    looks = [nm.Crossing(nm.HarmonicPower(3), level, index=3), nm.Crossing(nm.HarmonicPower(6), 0.1 * level, index=6)]
    options = {"beta": 5.0, "record_when": looks, "save_at": [0.0, 0.1]}
    first = nm.solve_density(bump, t_end=0.1, **options)
    longer = first.extend(0.3, save_at=[0.2, 0.3], record_when=looks)
    whole = nm.solve_density(bump, t_end=0.3, **options | {"save_at": [0.0, 0.1, 0.2, 0.3]})
    assert longer.status
    assert len(longer.density.coefficients) > len(first.density.coefficients)
    assert len(longer.events["time"]) == (2 if level < 1 else 0)
    np.testing.assert_allclose(longer.events["time"], whole.events["time"], rtol=1e-6)
    modes = len(first.density.coefficients)
    for name, ours, theirs in (
        ("state", longer.events["state"], whole.events["state"]),
        ("coefficients", longer.coefficients, whole.coefficients),
    ):
        np.testing.assert_allclose(ours[:, :modes], theirs[:, :modes], atol=1e-6, err_msg=name)


@pytest.mark.parametrize(("before", "after"), [([], [0.7, 1.0]), ([0.2, 0.5], []), ([], [])])
def test_times_of_one_part_alone(before, after):
    """Observables of several numbers that were not looked at in one of two parts."""
    options = {"beta": 1.0, "observe": [nm.HarmonicPower(2), nm.Energy()]}
    start = nm.uniform(6, 2, rng=0)
    run = nm.simulate(start, t_end=0.5, save_at=before, **options).extend(1.0, save_at=after)
    whole = nm.simulate(start, t_end=1.0, save_at=[*before, *after], **options)
    for name, values in whole.observables.items():
        np.testing.assert_allclose(run.observables[name], values, rtol=1e-6)
    assert run.trajectories.shape == whole.trajectories.shape


def test_going_on_to_where_it_is_adds_nothing():
    run = nm.simulate(np.eye(3), beta=1.0, t_end=0.5)
    again = run.extend(run.reached)
    assert np.array_equal(again.t, run.t)
    assert np.array_equal(again.tokens, run.tokens)


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        (nm.Flow(beta=5.0), r"the run had beta None, not 5\.0"),
        (nm.Flow(kernel=np.tanh, noise=0.1), r"the run had noise 0\.0, not 0\.1"),
        (nm.Flow(kernel=np.tanh, layer_norm="peri"), "the run had layer_norm post, not peri"),
        (nm.Flow(kernel=np.tanh, model="sa"), "the run had model usa, not sa"),
        (nm.Flow(kernel=np.sinh), "the run had kernel tanh, not sinh"),
        (nm.Flow(kernel=np.tanh, value=-np.eye(2)), "the run had another value"),
    ],
)
def test_a_flow_that_no_file_holds_must_be_the_one_that_it_names(flow, message, tmp_path):
    run = nm.simulate(nm.uniform(10, 2, rng=0), kernel=np.tanh, t_end=0.5, save_at=[])
    run.save(tmp_path / "run.npz")
    with pytest.raises(nm.Refused, match=message):
        nm.load(tmp_path / "run.npz").extend(1.0, flow=flow)
    assert nm.load(tmp_path / "run.npz").extend(1.0, flow=nm.Flow(kernel=np.tanh)).status


def test_a_density_goes_on_with_the_kernel_that_it_names(tmp_path):
    nm.solve_density(bump, kernel=np.exp, t_end=0.01, save_at=[]).save(tmp_path / "run.npz")
    run = nm.load(tmp_path / "run.npz")
    with pytest.raises(nm.Refused, match="the run had kernel exp, not sinh"):
        run.extend(0.02, flow=nm.Flow(kernel=np.sinh))
    assert run.extend(0.02, flow=nm.Flow(kernel=np.exp)).status


@pytest.mark.parametrize(
    ("options", "t_end", "message"),
    [({"noise": 0.1, "step": 0.05}, 1e12, r"t_end 1e\+12: 2e\+13 steps of 0.05"), ({}, 1e300, r"t_end 1e\+300")],
)
def test_the_limits_of_a_run_are_those_of_one_that_goes_on(options, t_end, message):
    run = nm.simulate(nm.uniform(10, 2, rng=0), beta=1.0, t_end=0.5, save_at=[], **options)
    with pytest.raises(nm.Refused, match=message):
        run.extend(t_end)


@pytest.mark.parametrize("call", [5, 18, 44])
def test_a_noisy_run_broken_off_within_a_step_goes_on_bit_for_bit(call):
    """The numbers that an abandoned step had drawn are drawn again."""
    calls, stop = [], []

    def kernel(overlap):
        calls.append(1)
        if len(calls) in stop:
            raise KeyboardInterrupt
        return np.exp(overlap)

    options = {"step": 0.05, "rng": 3, "method": "dense", "save_at": [], "t_end": 1.0}
    start, flow = nm.uniform(20, 3, rng=1), nm.Flow(kernel=kernel, noise=0.1)
    checks = len(calls)
    whole = nm.simulate(start, flow, **options)
    evaluations, used = 80, len(calls) - checks  # four in each of 20 steps, after those that prepare the sums
    stop.append(len(calls) + used - evaluations + call)
    with pytest.raises(KeyboardInterrupt) as interrupt:
        nm.simulate(start, flow, **options)
    broken = interrupt.value.run
    assert broken.reached == pytest.approx(0.05 * ((call - 1) // 4))
    assert np.array_equal(broken.extend(1.0, save_at=[]).tokens, whole.tokens)


def test_an_observable_of_the_same_name_and_other_arguments_is_another_one():
    """Its numbers would not go with those that are there."""
    run = nm.simulate(np.eye(3), beta=1.0, t_end=0.5, observe=[nm.HarmonicPower(2)])
    with pytest.raises(nm.Refused, match="the same observables as before are needed"):
        run.extend(1.0, observe=[nm.HarmonicPower(3)])
    assert run.extend(1.0, observe=[nm.HarmonicPower(2)]).status
