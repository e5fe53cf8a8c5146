"""Forged files: what a run goes on with is checked when it is read."""

import json

import numpy as np
import pytest

from gegenflow import numerics as nm

START = nm.uniform(12, 2, rng=3)
LOOK = {"observe": [nm.HarmonicPower(2)], "save_at": [0.0, 0.2], "track": [0, 3]}
RUNS = {
    "few": {"beta": 2.0, "record_when": nm.Crossing(nm.HarmonicPower(1), 0.5, index=1)},
    "adaptive": {"beta": 2.0, "method": "circle"},
    "noise": {"beta": 2.0, "noise": 0.1, "rng": 1, "step": 0.05},
    "merging": {"beta": 4.0, "model": "sa", "merge": 1e-10},
    "kernel": {"kernel": np.tanh},
}


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """Facts and arrays of a saved run of each kind."""
    found, path = {}, tmp_path_factory.mktemp("runs") / "run.npz"
    for name, options in RUNS.items():
        nm.simulate(START, t_end=20.0 if name == "merging" else 0.5, **options, **LOOK).save(path)
        found[name] = contents(path)
    look = {"observe": [nm.Entropy()], "record_when": nm.Crossing(nm.Entropy(), -0.01), "save_at": [0.1]}
    nm.solve_density(lambda a: 1 + 0.1 * np.sin(a), beta=1.0, t_end=0.5, **look).save(path)
    found["density"] = contents(path)
    return found


def contents(path):
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return json.loads(str(arrays.pop("facts"))), arrays


def forge(path, facts, arrays):
    np.savez(path, facts=np.array(json.dumps(facts)), **arrays)
    return path


@pytest.mark.parametrize("kind", [*RUNS, "density"])
def test_what_is_not_forged_loads_and_goes_on(kind, members, tmp_path):
    run = nm.load(forge(tmp_path / "run.npz", *members[kind]))
    end = 0.5 + getattr(run, "reached", 0.5)
    assert run.extend(end, save_at=[], flow=nm.Flow(kernel=np.tanh) if kind == "kernel" else None).status


NAN, GRID = np.array(np.nan), np.array([[1.0, 0.0]] * 12)
FORGED = [
    ("few", "memory:clock", np.full(5, np.nan)),
    ("few", "memory:clock", np.array(0.5)),
    ("few", "memory:clock", np.array([9.0, 0.0, 0.1, 0.1, 1.0])),
    ("few", "memory:time", np.zeros(2)),
    ("few", "memory:time", NAN),
    ("few", "memory:track", np.array([0])),
    ("few", "memory:track", np.array([0, 99])),
    ("few", "event:time", np.array([0.1, 0.2])),
    ("few", "event:which", None),
    ("few", "event:state", np.zeros((1, 2, 3))),
    ("few", "merges", np.array([[-1.0, -5.0]])),
    ("few", "merges", np.array([[0.2, 11.0], [0.1, 10.0]])),
    ("few", "t", np.array([0.0, 7.0])),
    ("adaptive", "memory:next_step", np.array(0.0)),
    ("adaptive", "memory:next_step", np.array(-1.0)),
    ("adaptive", "memory:best", np.array(0.0)),
    ("adaptive", "memory:clock", NAN),
    ("adaptive", "memory:clock", np.array(0.4)),
    ("adaptive", "memory:low", None),
    ("noise", "memory:rng", np.ones(2, dtype=np.uint64)),
    ("noise", "memory:rng", np.ones(6)),
    ("noise", "memory:rng", np.full(6, 2**63, dtype=np.uint64)),
    ("noise", "memory:key", np.array(-1)),
    ("noise", "memory:number", None),
    ("noise", "memory:number", np.array(3)),
    ("noise", "memory:grid", GRID[:3]),
    ("noise", "memory:grid", 2 * GRID),
    ("noise", "memory:sums", np.array(-1.0)),
    ("merging", "memory:labels", np.full(12, 10**12)),
    ("merging", "memory:labels", None),
    ("merging", "memory:labels", np.zeros(12, dtype=np.int64)),
    ("merging", "memory:clock", np.full(5, np.nan)),
    ("merging", "memory:sizes", np.array([np.nan])),
    ("merging", "memory:sizes", np.zeros(0)),
    ("merging", "memory:since", np.full(12, np.nan)),
    ("merging", "memory:since", np.zeros(3)),
    ("density", "memory:next_step", np.array(0.0)),
    ("density", "memory:next_step", np.zeros(2)),
    ("density", "event:time", np.array([0.1, 0.2, 0.3])),
    ("density", "t", np.array([0.9])),
]


@pytest.mark.parametrize(("kind", "name", "array"), FORGED)
def test_a_forged_array_is_refused_by_the_path(kind, name, array, members, tmp_path):
    facts, arrays = members[kind]
    assert name in arrays
    arrays = {key: held for key, held in (arrays | {name: array}).items() if held is not None}
    with pytest.raises(ValueError, match=r"forged\.npz is not a saved run: "):
        nm.load(forge(tmp_path / "forged.npz", facts, arrays))


PARAMETERS = [
    ("few", {"rtol": -1.0}),
    ("few", {"rtol": "x"}),
    ("few", {"order": 7}),
    ("few", {"beta": 3.0}),
    ("few", {"method": 5}),
    ("few", {"method": "sphere"}),
    ("few", {"t_end": "x"}),
    ("few", {"observe": "not JSON"}),
    ("few", {"observe": '[["Unknown", {}]]'}),
    ("few", {"observe": '[["HarmonicPower", {"wrong": 3}]]'}),
    ("few", {"observe": "[[3, {}]]"}),
    ("few", {"observe": "3"}),
    ("noise", {"step": 0}),
    ("noise", {"step": 0.5}),
    ("noise", {"noise": 0.2}),
    ("merging", {"merge": 1.0}),
    ("merging", {"model": "usa"}),
    ("kernel", {"rtol": -1.0}),
    ("kernel", {"model": "none"}),
    ("density", {"rtol": None}),
    ("density", {"max_degree": 0}),
    ("density", {"beta": "1"}),
]


@pytest.mark.parametrize(("kind", "change"), PARAMETERS)
def test_forged_parameters_are_refused_by_the_path(kind, change, members, tmp_path):
    facts, arrays = members[kind]
    facts = facts | {"parameters": facts["parameters"] | change}
    with pytest.raises(ValueError, match=r"forged\.npz is not a saved run: "):
        nm.load(forge(tmp_path / "forged.npz", facts, arrays))


@pytest.mark.parametrize("change", [{"seconds": float("nan")}, {"seconds": -1}, {"error": float("nan")}])
def test_forged_numbers_are_refused_by_the_path(change, members, tmp_path):
    facts, arrays = members["few"]
    with pytest.raises(ValueError, match=r"forged\.npz is not a saved run: "):
        nm.load(forge(tmp_path / "forged.npz", facts | change, arrays))
