"""Every public result is a value: equal when equal, hashable where frozen, the same after any trip, short in print."""

import copy
import importlib
import inspect
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, is_dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from hypothesis.strategies import floats, integers, sampled_from
from support.notebook import faults

from gegenflow import numerics as nm
from gegenflow.numerics.tokens.values import Value, contents, sealed

ROOMS = [nm, *(getattr(nm, room) for room in sorted(nm.__all__) if inspect.ismodule(getattr(nm, room)))]
PUBLIC = {
    name: getattr(room, name) for room in ROOMS for name in room.__all__ if not inspect.ismodule(getattr(room, name))
}

PAIR = np.array([[1.0, 0.0], [0.6, 0.8]])
DATA = Path(__file__).parent / "data"
SMOOTH = np.array([0.1, 0.0, 0.0, 0.05])


@cache
def run():
    return nm.simulate(PAIR, beta=1.0, t_end=0.5, save_at=[0.0, 0.5], observe=[nm.HarmonicPower(1)])


@cache
def batch():
    return nm.simulate_batch([PAIR, PAIR[::-1]], beta=1.0, t_end=0.5, save_at=[0.0, 0.2])


@cache
def density_run():
    return nm.solve_density(circle(), beta=1.0, t_end=0.1, save_at=[0.1], observe=[nm.Entropy()])


def circle():
    return nm.densities.CircleDensity(SMOOTH)


def tokens_file():
    path = DATA / "tokens.npy"
    return nm.read_tokens(path)


EXAMPLES = {
    # tokens
    "uniform": lambda: nm.uniform(5, 3, rng=0),
    "lattice": lambda: nm.lattice(4),
    "quadrature": lambda: nm.tokens.quadrature(3, 2),
    "normalize": lambda: nm.normalize([[3.0, 4.0]]),
    "read_tokens": tokens_file,
    "cluster_labels": lambda: nm.cluster_labels(PAIR),
    "Clustering": lambda: nm.find_clusters(nm.uniform(20, 3, rng=0), draws=9),
    "find_clusters": lambda: nm.find_clusters(np.repeat(PAIR, 9, axis=0), draws=9),
    "cluster_centres": lambda: nm.tokens.cluster_centres(PAIR, [0, 1]),
    # fields
    "Flow": lambda: nm.Flow(kernel=np.tanh, query_key=[[1, 2], [0, 1]], noise=0.1, model="sa"),
    "Head": lambda: nm.Head(beta=2, value=-np.eye(3)),
    "Causal": lambda: nm.Causal(decay=1, own=False),
    "RandomLayers": lambda: nm.RandomLayers("tanh", width=64),
    "attention_field": lambda: nm.attention_field(PAIR, beta=1.0),
    # integrators
    "Status": lambda: nm.integrators.Status(False, "stopped"),
    "Crossing": lambda: nm.Crossing(nm.Energy(), 0.5, rising=True),
    "Event": lambda: nm.integrators.Event(0, "energy", 1.5, 0.5, True, PAIR),
    "Integration": lambda: nm.integrate(nm.Flow(beta=0.0), PAIR, t_end=0.5, save_at=[0.5]),
    "integrate": lambda: nm.integrate(nm.Flow(beta=1.0), PAIR, t_end=0.5, save_at=[0.0, 0.5]),
    # densities
    "CircleDensity": circle,
    "ZonalDensity": lambda: nm.densities.ZonalDensity(np.full(900, 1e-5), 4),
    "SphereDensity": lambda: nm.densities.SphereDensity(SMOOTH[:3]),
    "circle_density": lambda: nm.circle_density(lambda angle: 1 + 0.5 * np.sin(angle)),
    "white_noise": lambda: nm.white_noise(9, 0.1, rng=0),
    "zonal_density": lambda: nm.zonal_density(lambda t: 1 + 0.5 * t, 3),
    "sphere_density": lambda: nm.sphere_density(lambda points: 1 + 0.5 * points[:, 2]),
    "quantiles": lambda: nm.quantiles(circle(), 9),
    "density_at_quantiles": lambda: nm.densities.density_at_quantiles(nm.quantiles(circle(), 32)),
    "wasserstein_distance": lambda: nm.wasserstein_distance(PAIR, circle()),
    "sliced_wasserstein_distance": lambda: nm.densities.sliced_wasserstein_distance(np.eye(3), -np.eye(3), rng=0),
    # observables
    "AttentionEntropy": lambda: nm.observables.AttentionEntropy(),
    "HeadEnergy": lambda: nm.observables.HeadEnergy(1),
    "Clusters": lambda: nm.Clusters(angle=0.2),
    "Dissipation": lambda: nm.Dissipation(),
    "Energy": lambda: nm.Energy(),
    "Entropy": lambda: nm.Entropy(),
    "HarmonicAmplitude": lambda: nm.HarmonicAmplitude(3),
    "HarmonicPower": lambda: nm.HarmonicPower(3),
    "PairShare": lambda: nm.PairShare(0.9),
    "EffectiveRank": lambda: nm.EffectiveRank(),
    "OverlapHistogram": lambda: nm.OverlapHistogram(5),
    "Periodicity": lambda: nm.Periodicity(2),
    "harmonic_power": lambda: nm.harmonic_power(PAIR, 3),
    "harmonic_overlap": lambda: nm.observables.harmonic_overlap(PAIR, PAIR, 3),
    # systems
    "source_correlations": lambda: nm.systems.source_correlations(
        nm.Flow(beta=1, causal=nm.Causal()), tokens=8, sources=[2], max_degree=1, time=0.1, runs=2, rng=0
    ),
    "pair_distances": lambda: nm.systems.pair_distances(
        nm.Flow(random_layers=nm.RandomLayers("relu")), 3, overlap=0.5, times=[0.01], runs=3, rng=0
    ),
    "strong_centres": lambda: nm.systems.strong_centres(PAIR, 0.5),
    "DiracDistance": lambda: nm.systems.DiracDistance(),
    "Resultant": lambda: nm.systems.Resultant(),
    "SmallestOverlap": lambda: nm.systems.SmallestOverlap(),
    "linear_flow": lambda: nm.systems.linear_flow(PAIR, 0.1),
    "zero_temperature_field": lambda: nm.systems.zero_temperature_field(PAIR),
    # runs
    "Run": run,
    "DensityRun": density_run,
    "report_page": lambda: nm.report_page(nm.validation.Report((), {"beta": "1"}, "complete", 0.0)),
    "MeanFieldRun": lambda: nm.solve_mean_field(circle(), beta=1.0, t_end=3.0, n=16, max_degree=8, save_at=[1, 3]),
    "solve_mean_field": lambda: nm.solve_mean_field(circle(), beta=1.0, t_end=0.1, save_at=[0.1]),
    "Expectation": lambda: nm.expect(circle(), beta=2.0),
    "expect": lambda: nm.expect(PAIR, beta=1.0, model="sa"),
    "simulate": lambda: nm.simulate(PAIR, beta=1.0, t_end=0.5, save_at=[0.0, 0.5], observe=[nm.HarmonicPower(1)]),
    "BatchRun": batch,
    "simulate_batch": batch,
    "solve_density": lambda: nm.solve_density(circle(), beta=1.0, t_end=0.1, save_at=[0.1]),
    "solve_quantiles": lambda: nm.solve_quantiles(circle(), n=16, beta=1.0, t_end=0.1, save_at=[]),
    "load": lambda: nm.load(DATA / "matrices.npz"),
    "emergences": lambda: nm.runs.emergences(
        2, beta=0, tokens=9, runs=2, amplitude=0.9, max_degree=1, t_end=20.0, rng=0, rtol=1e-4
    ),
    "first_crossing": lambda: nm.runs.first_crossing(np.arange(2.0), np.array([[1, 0.1], [1, 1.0]]), 0.5),
    # validation
    "Check": lambda: nm.validation.Check("degree 1", 1.0, float("nan"), 0.01, law="modes"),
    "Report": lambda: nm.validation.Report(
        tuple(nm.validation.Check(f"degree {k}", 1.0, 2.0, 0.01, law="modes") for k in range(40)),
        {"dims": [2]},
        "complete",
        1.0,
    ),
    "Rival": lambda: nm.validation.Rival("twice", 2.0),
    "Parameter": lambda: nm.validation.Parameter("tokens", "whole", "number of tokens", 2, 10, 5),
    "Law": lambda: nm.validation.law_named("limit maps"),
    "law_named": lambda: nm.validation.law_named("hitting times"),
    "laws": lambda: nm.validation.laws(),
    "measure_rates": lambda: nm.measure_rates(beta=0, dim=3, degrees=1),
    "crossing_parameter": lambda: nm.validation.crossing_parameter(
        lambda beta: nm.Flow(beta=beta), 3, (1, 2), (1.5, 2.0)
    ),
    "validate_tokens": lambda: nm.validation.validate_tokens(PAIR, 2),
    "Prospect": lambda: nm.prospects(PAIR, 2)[0],
    "prospects": lambda: nm.prospects(PAIR, 2),
    "validate": lambda: nm.validate(dims=[2], models=["usa"], beta=0, tokens=100, runs=4),
    "planted_rates": lambda: nm.planted_rates(2, beta=0, max_degree=1, window=0.5, rng=0),
    "uniform_rates": lambda: nm.uniform_rates(2, beta=0, max_degree=1, window=0.5, tokens=50, runs=4, rng=0),
    "energy_gain": lambda: nm.validation.energy_gain(PAIR, beta=1, t_end=0.5),
    "cluster_angles": lambda: nm.validation.cluster_angles(PAIR, beta=1, t_end=9.0, min_mass=0.5),
}
NO_VALUES = {
    "Interrupted": "raised, never returned",
    "Refused": "raised, never returned: below",
    "plot_checks": "draws on axes, which are those of matplotlib",
    "plot_sweep": "draws on axes",
    "plot_study_map": "draws on axes",
    "plot_study_curves": "draws on axes",
    "plot_phase_diagram": "draws on axes",
    "plot_rates": "draws on axes",
    "plot_selection": "draws on axes",
    "plot_density": "draws on axes",
    "plot_power": "draws on axes",
    "plot_trajectories": "draws on axes",
    "plot_overlaps": "draws on axes",
    "plot_sphere": "draws on axes",
    "animate": "writes a file",
    "study_page": "gives the text of a page: tests/agreement/test_study_pages.py",
    "open_study": "gives a Dataset, which is one of xarray",
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_results_render_in_a_notebook(name):
    """Every class of our own, alone or in a tuple, has HTML or LaTeX, well formed and without a raw letter of it."""
    value = EXAMPLES[name]()
    for part in value if isinstance(value, tuple | list) else (value,):
        if type(part).__module__.startswith("gegenflow"):
            assert not faults(part), type(part)


def test_every_public_name_has_an_example():
    """A new name needs an example, or a reason."""
    assert sorted(EXAMPLES | NO_VALUES) == sorted(PUBLIC)
    assert not {*EXAMPLES} & {*NO_VALUES}


def as_is(value):
    return value


@pytest.fixture(scope="module")
def travelled():
    """Every example after a trip to another process and back: one spawned pool for all."""
    made = {name: example() for name, example in EXAMPLES.items()}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return dict(zip(made, pool.map(as_is, made.values()), strict=True))


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_value_is_the_same_however_it_came(name, travelled):
    """Made twice, copied, pickled, sent to another process; its print is short."""
    value = EXAMPLES[name]()
    again = EXAMPLES[name]()
    others = [again, copy.deepcopy(value), copy.copy(value), travelled[name]]
    others += [pickle.loads(pickle.dumps(value, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]
    for other in others:
        assert type(other) is type(value)
        assert contents(other) == contents(value)
        if is_dataclass(value):
            assert other == value
            assert hash(other) == hash(value)
            assert len({other, value}) == 1
    assert len(repr(value).splitlines()) <= 12
    html = getattr(value, "_repr_html_", None)
    assert html is None or html().startswith("<")
    if is_dataclass(value):
        assert value != 1
        for field in fields(value):
            with pytest.raises(AttributeError):
                setattr(value, field.name, None)


def reachable(value):
    if isinstance(value, np.ndarray):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from reachable(getattr(value, field.name))
    elif isinstance(value, dict):
        for part in value.values():
            yield from reachable(part)


@pytest.mark.parametrize("name", EXAMPLES)
def test_arrays_of_a_value_are_read_only(name, travelled):
    """A hash must not change, here or in another process."""
    for value in (EXAMPLES[name](), travelled[name], copy.deepcopy(travelled[name])):
        if is_dataclass(value):
            assert not any(array.flags.writeable for array in reachable(value))


OTHER = {
    **{"evaluations": -1, "field_error": 3.0, "error": 3.0, "version": "0", "reached": 3.0, "density": None},
    **{"status": nm.integrators.Status(False, "?"), "parameters": {}, "extra": {"a": 1}, "flow": None},
}


@pytest.mark.parametrize("made", [run, density_run])
def test_runs_differ_where_any_field_but_the_seconds_does(made):
    """Arrays by a single bit, everything else by another value."""
    value = made()
    assert replace(value, seconds=1e9) == value
    assert hash(replace(value, seconds=1e9)) == hash(value)
    for field in fields(value):
        before = getattr(value, field.name)
        if isinstance(before, np.ndarray):
            after = np.array(before)
            if not after.size:
                after = np.ones((1, *after.shape[1:]))
            elif after.dtype.kind == "f":
                after.flat[0] = np.nextafter(after.flat[0], 9)
            else:
                after.flat[0] += 1
        elif field.name in ("observables", "memory", "events"):
            after = {**before, "more": np.ones(1)}
        elif field.name == "seconds":
            continue
        else:
            after = OTHER[field.name]
        assert replace(value, **{field.name: after}) != value, field.name


def test_a_density_keeps_its_numbers_for_itself():
    """The caller's array may change, the density does not; lists and single precision will do."""
    numbers = np.array([0.1, 0.2])
    density = nm.densities.CircleDensity(numbers)
    numbers[0] = 9.0
    assert density == nm.densities.CircleDensity([0.1, 0.2])
    single = nm.densities.ZonalDensity(np.array([0.5], dtype=">f4"), 3.0)
    assert single == nm.densities.ZonalDensity([0.5], 3)
    assert single != nm.densities.ZonalDensity([0.5], 4)
    assert density != nm.densities.SphereDensity([0.1, 0.2, 0.0])


def test_the_status_is_true_where_it_is_ok():
    assert nm.integrators.Status(True, "reached t = 1")
    assert not nm.integrators.Status(False, "interrupted")


def test_a_refusal_travels():
    """From a process of a pool it arrives with all its parts."""
    with pytest.raises(nm.Refused) as raised:
        nm.lattice(0)
    back = pickle.loads(pickle.dumps(raised.value))
    assert (back.name, back.value, back.allowed) == ("n", 0, "it must be a whole number >= 1")
    assert str(back) == str(raised.value)


@given(
    array=arrays(sampled_from(["f8", "f4", "c16", "i8"]), array_shapes(max_side=3), elements=integers(-2, 2)),
    place=integers(0, 99),
    nan=floats(0, 1),
)
def test_arrays_are_equal_bit_for_bit_and_nan_is_nan(array, place, nan):
    """By bits, shape and dtype: not what == says of arrays."""
    if array.dtype.kind in "fc" and nan > 0.5:
        array.flat[place % array.size] = np.nan
    assert contents(array) == contents(array.copy())
    other = array.copy()
    other.flat[place % array.size] = 7
    assert contents(array) != contents(other)
    assert contents(array) != contents(array[None])
    assert contents(array) != contents(array.astype("c8"))
    assert contents(array) == contents(np.asfortranarray(array))


def test_sealed_arrays_do_not_seal_those_they_show():
    """The caller may go on writing into an array of which a value shows a view."""
    array = np.ones(2)
    assert not sealed(array).flags.writeable
    assert array.flags.writeable
    assert issubclass(nm.Run, Value)
    assert importlib.import_module("gegenflow.numerics.runs.run").Run is nm.Run
