"""3,000 mutated and 300 forged files of runs: the identical run, or a ValueError with the path."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from gegenflow import numerics as nm

DATA = Path(__file__).parent / "data"
FILES = ("density.npz", "matrices.npz", "radii.npz", "zonal.npz", "kernel_and_noise.npz")
ODD_ARRAYS = [
    *(np.array(3), np.zeros(0), np.zeros((2, 2, 2)), np.array([np.nan]), np.array(["x"]), np.array([1 + 2j])),
    *(np.arange(3, dtype="u1"), np.zeros(3, dtype="M8[s]"), np.zeros(2, dtype=[("a", "f8")]), np.array([True])),
    *(np.full((4, 3), 1e308), np.array([-1]), np.zeros(10**5)),
]
ODD_FACTS = [None, True, -1, float("inf"), "x", [], {}, [[[]]], 2**200, "9" * 10_000, float("nan")]


def read(path):
    """The run, or None where it was refused with the path."""
    message = str(path)
    try:
        return nm.load(path)
    except ValueError as error:
        message = str(error)
    assert message.startswith(str(path))
    return None


@pytest.mark.parametrize("name", FILES)
def test_a_mutated_file_is_the_identical_run_or_refused(name, tmp_path):
    """600 of each: one to four places, up to 50 bytes changed, cut or put in; a tenth is cut off."""
    run, rng, path = nm.load(DATA / name), random.Random(name), tmp_path / "mutated.npz"
    run.save(path)
    run, content = nm.load(path), path.read_bytes()
    kept = 0
    for _ in range(600):
        mutated = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(mutated))
            mutated[place : place + rng.choice([0, 1, 1, 4, 50])] = rng.randbytes(rng.choice([0, 1, 1, 4, 50]))
        path.write_bytes(mutated[: rng.randrange(len(mutated)) if rng.random() < 0.1 else None])
        back = read(path)
        kept += back is not None
        assert back in (None, run)
    assert kept < 100


@pytest.mark.parametrize("name", FILES)
def test_a_forged_file_is_a_run_that_can_be_saved_or_refused(name, tmp_path):
    """60 of each: one array or one fact replaced by an odd one, in an archive that is whole."""
    nm.load(DATA / name).save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as archive:
        members = {key: archive[key] for key in archive.files}
    facts = json.loads(str(members.pop("facts")))
    forged = [(members | {key: odd}, facts) for key in (*members, "memory:time", "event:time") for odd in ODD_ARRAYS]
    forged += [(members, facts | {key: odd}) for key in facts for odd in ODD_FACTS]
    for arrays, told in random.Random(name).sample(forged, 60):
        np.savez(tmp_path / "forged.npz", facts=np.array(json.dumps(told)), **arrays)
        if (back := read(tmp_path / "forged.npz")) is not None:
            assert len(repr(back).splitlines()) <= 12
            back.save(tmp_path / "again.npz")
            assert nm.load(tmp_path / "again.npz") == back
