"""Runs as tables of xarray and pandas."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from gegenflow import numerics as nm

pandas = pytest.importorskip("pandas")
xarray = pytest.importorskip("xarray")

MATRIX = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.fixture(scope="module")
def run():
    observe = [nm.HarmonicPower(2), nm.HarmonicAmplitude(1), nm.Energy(), nm.Clusters()]
    run = nm.simulate(
        nm.uniform(5, 2, rng=0), beta=1.0, t_end=0.5, save_at=[0.0, 0.25, 0.5], observe=observe, rng=2**60
    )
    more = {"query_key": MATRIX, "merge": None, "options": {"a": [1]}, "flag": True}
    return replace(run, parameters={**run.parameters, **more})


@pytest.fixture(scope="module")
def density_run():
    observe = [nm.HarmonicPower(2), nm.Entropy()]
    return nm.solve_density(lambda a: 1 + 0.1 * np.sin(a), beta=1.0, t_end=0.1, save_at=[0.0, 0.1], observe=observe)


def test_a_dataset_holds_the_run(run):
    """Arrays by name over named axes, facts as attributes."""
    data = run.to_xarray()
    assert data.sizes["time"] == 3
    assert data["time"].values.tolist() == run.t.tolist()
    assert data["trajectories"].dims == ("time", "tracked", "axis")
    for name in ("tokens", "weights", "radii", "trajectories", "merges"):
        assert np.array_equal(data[name].values, getattr(run, name))
    for name, values in run.observables.items():
        assert np.array_equal(data[name].values, values)
    assert np.array_equal(data["query_key"].values, MATRIX)
    assert data["energy"].sel(time=0.25) == run.observables["energy"][1]
    expected = {"merge": "none", "options": '{"a": [1]}', "flag": 1, "beta": 1.0, "rng": str(2**60), "ok": 1}
    assert {name: data.attrs[name] for name in expected} == expected
    assert data.attrs["status"] == "reached t = 0.5"


def test_a_dataset_can_be_written_and_read(run, density_run, tmp_path):
    """Every attribute, by scipy's netCDF, the narrowest of the formats; it has no complex numbers."""
    for number, data in enumerate((run.to_xarray().drop_vars("harmonic_amplitude"), density_run.to_xarray())):
        path = tmp_path / f"{number}.nc"
        data.to_netcdf(path, engine="scipy")
        with xarray.open_dataset(path, engine="scipy") as back:
            assert {**back.attrs} == {**data.attrs}
            assert all(np.array_equal(back[name].values, data[name].values) for name in data.data_vars)


def test_a_density_run_is_a_dataset_too(density_run):
    data = density_run.to_xarray()
    assert np.array_equal(data["coefficients"].values, density_run.coefficients)
    assert np.array_equal(data["last"].values, density_run.density.coefficients)
    assert data["entropy"].dims == ("time",)
    assert (data.attrs["density"], data.attrs["dim"]) == ("CircleDensity", 2)


def test_a_frame_has_a_column_for_each_number(run, density_run):
    """One row a time; entries of an observable are numbered."""
    table = run.to_pandas()
    assert table.index.tolist() == run.t.tolist()
    assert table.index.name == "time"
    numbers = [
        "harmonic_power_0",
        "harmonic_power_1",
        "harmonic_power_2",
        "harmonic_amplitude_0",
        "harmonic_amplitude_1",
    ]
    assert table.columns.tolist() == [*numbers, "energy", "cluster_count"]
    assert np.array_equal(table["harmonic_power_2"], run.observables["harmonic_power"][:, 2])
    assert np.array_equal(density_run.to_pandas()["minimum"], density_run.minimum)
    assert density_run.to_pandas().columns[:2].tolist() == ["minimum", "resolution"]


@pytest.mark.parametrize(("library", "call"), [("xarray", "to_xarray"), ("pandas", "to_pandas")])
def test_a_missing_library_is_named(library, call, run, density_run, monkeypatch):
    """One sentence that says what to install."""
    monkeypatch.setitem(sys.modules, library, None)
    for each in (run, density_run):
        with pytest.raises(
            ImportError, match=f"{library} is needed for this and is not installed: pip install {library}"
        ):
            getattr(each, call)()
