"""Ensembles alone: emergence times of motions known in closed form, and the same runs whatever the executor."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers

from gegenflow import numerics as nm
from gegenflow.numerics.runs.ensembles import emergences, first_crossing
from gegenflow.numerics.tokens.refusals import Refused

OPTIONS = {"tokens": 60, "runs": 5, "amplitude": 0.7, "max_degree": 3, "t_end": 4.0, "rng": 4}


def starts(dim, tokens, runs, rng):
    """The starts that the docstring promises: run r from the r-th child of the generator."""
    return [nm.uniform(tokens, dim, rng=stream) for stream in np.random.default_rng(rng).spawn(runs)]


@settings(max_examples=10)
@given(amplitude=floats(0.3, 0.95), seed=integers(0, 99))
def test_two_kuramoto_oscillators_emerge_when_their_solution_says(amplitude, seed):
    """tan(delta/2) decays as e^{-t} at beta = 0, and A_1 = cos(delta/2): t = log(tan(delta_0/2) / tan(arccos a))."""
    _, times = emergences(2, beta=0.0, tokens=2, runs=6, amplitude=amplitude, max_degree=1, t_end=6.0, rng=seed)
    for start, time in zip(starts(2, 2, 6, seed), times, strict=True):
        half = np.arccos(np.clip(start[0] @ start[1], -1, 1)) / 2
        expected = max(0.0, np.log(np.tan(half) / np.tan(np.arccos(amplitude))))
        if expected < 5.9:
            assert time == pytest.approx(expected, abs=3e-4)


@pytest.mark.parametrize(("dim", "model", "t_end"), [(2, "usa", 4.0), (3, "sa", 24.0), (5, "usa", 4.0)])
def test_times_are_those_of_one_finely_recorded_run(dim, model, t_end):
    """One piece, tight tolerance, sixteen times the records: emergence within a step of the grid, h^2 of the coarse."""
    degrees, times = emergences(dim, beta=3.0, model=model, **{**OPTIONS, "t_end": t_end})
    assert (degrees > 0).all()
    grid, off = np.linspace(0, t_end, 4097), (t_end / 256) ** 2
    for start, degree, time in zip(starts(dim, 60, 5, 4), degrees, times, strict=True):
        run = nm.simulate(
            start, beta=3.0, model=model, t_end=t_end, observe=[nm.HarmonicPower(3)], save_at=grid, rtol=1e-10
        )
        above = run.observables["harmonic_power"][:, 1:] >= 0.49
        i = int(np.argmax(above.any(axis=1)))
        assert above[i, degree - 1]
        assert grid[i - 1] - off <= time <= grid[i] + off


def test_tighter_tolerances_change_nothing_that_matters():
    """The default, a hundred times tighter and ten times looser: the same degrees, times within 1e-5."""
    degrees, times = emergences(2, beta=5.0, **OPTIONS)
    for rtol in (1e-8, 1e-5):
        others = emergences(2, beta=5.0, rtol=rtol, **OPTIONS)
        assert np.array_equal(others[0], degrees)
        np.testing.assert_allclose(others[1], times, rtol=0, atol=1e-5)


def test_the_executor_and_the_number_of_runs_change_no_bit():
    """Two spawned processes of one thread against a plain loop; the first runs of more are the same."""
    one_thread = {"initializer": numba.set_num_threads, "initargs": (1,)}
    alone = emergences(3, beta=4.0, **OPTIONS)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), **one_thread) as executor:
        shared = emergences(3, beta=4.0, executor=executor, **OPTIONS)
    more = emergences(3, beta=4.0, **{**OPTIONS, "runs": 7})
    for one, two, three in zip(alone, shared, more, strict=True):
        assert np.array_equal(one, two)
        assert np.array_equal(one, three[:5])
    assert len(set(alone[1])) == 5


def test_a_run_in_which_nothing_emerges_is_reported():
    """Too short a time: degree 0 at nan, run by run, none lost."""
    degrees, times = emergences(2, beta=1.0, **{**OPTIONS, "t_end": 1e-3})
    assert degrees.shape == times.shape == (5,)
    assert (degrees == 0).all()
    assert np.isnan(times).all()


@given(slope=floats(0.5, 20), behind=floats(0.05, 3), offset=floats(-6, -1), count=integers(5, 50))
def test_crossings_of_exponentials_are_exact(slope, behind, offset, count):
    """log A is linear, so its interpolation is exact; a later degree and the constant degree 0 are not taken."""
    times = np.linspace(0, 10 / slope, count)
    logs = np.stack([0 * times + 5, slope * times + offset - behind, slope * times + offset], axis=1)
    degree, time = first_crossing(times, np.exp(2 * logs), 0.5)
    assert degree == 2
    assert time == pytest.approx((np.log(0.5) - offset) / slope, rel=1e-9)


@pytest.mark.parametrize(
    ("times", "powers", "name"),
    [([1.0, 0.0], [[1, 0.1], [1, 0.9]], "times"), ([0.0, 1.0], [[1, -0.1], [1, 0.9]], "powers")],
)
def test_what_no_run_gives_is_refused(times, powers, name):
    """Of times that fall the first in the list was told, of negative powers a time that is none."""
    with pytest.raises(Refused, match=name):
        first_crossing(times, powers, 0.5)


def test_at_the_start_the_largest_amplitude_has_emerged():
    """Two degrees above the amplitude at time 0, the second the larger; a power of 0 is no trouble."""
    powers = np.array([[1, 0.3, 0.5, 0.0], [1, 0.4, 0.6, 0.9]])
    assert first_crossing(np.array([0.0, 1.0]), powers, 0.5) == (2, 0.0)
    assert emergences(2, beta=1.0, **{**OPTIONS, "tokens": 1})[1].tolist() == [0.0] * 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"amplitude": 1.0}, r"amplitude 1\.0: it must be finite, > 0 and < 1"),
        ({"amplitude": float("nan")}, "amplitude nan"),
        ({"runs": 0}, "runs 0: it must be a whole number >= 1"),
        ({"max_degree": 0}, "max_degree 0: it must be a whole number >= 1"),
        ({"t_end": 0.0}, r"t_end 0\.0: it must be finite, > 0"),
        ({"t_end": float("inf")}, "t_end inf: it must be finite"),
        ({"tokens": 0}, "tokens 0: it must be a whole number >= 1"),
        ({"rtol": 2.0}, r"rtol 2\.0: it must be finite, >= 1e-13 and < 1"),
        ({"model": "relu"}, "relu"),
        ({"beta": -1.0}, "beta -1"),
        ({"dim": 1}, "dim 1: it must"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(change, message):
    """The message names the value."""
    with pytest.raises(ValueError, match=message):
        emergences(**{"dim": 2, "beta": 1.0, **OPTIONS, **change})
