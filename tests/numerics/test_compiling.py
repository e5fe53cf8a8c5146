"""Compiled functions are kept for the user, outside the installation; threads take turns in parallel regions."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from gegenflow import numerics as nm
from gegenflow.numerics.tokens import compiling

PACKAGE = Path(nm.__file__).parent
COMPILES = "import numpy as np; from gegenflow import numerics as nm; print(nm.cluster_labels(np.eye(4)[[0, 0, 1]]))"


def shell(script, folder, **environment):
    """A fresh interpreter without a folder for compiled functions of its own."""
    given = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    given |= {"HOME": str(folder), "NUMBA_NUM_THREADS": "2", **environment}
    return subprocess.run([sys.executable, "-c", script], env=given, capture_output=True, text=True, cwd=folder)


def compiled_in(folder):
    return {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*.nb[ci]")}


def test_compiled_functions_go_to_the_folder_of_the_user_and_survive_a_file_cut_short(tmp_path):
    """Not into the installation; the second process compiles nothing; what was cut is compiled again."""
    before = compiled_in(PACKAGE)
    home = tmp_path / "home"
    home.mkdir()
    assert shell(COMPILES, home).stdout == "[0 0 1]\n"
    kept = compiled_in(home / ".cache" / "gegenflow")
    assert kept
    assert compiled_in(PACKAGE) == before
    shell(COMPILES, home)
    assert compiled_in(home) == kept
    for kind in (".nbi", ".nbc"):
        for share in (0, 2):
            for path in kept:
                if path.suffix == kind:
                    path.write_bytes(path.read_bytes()[: share and path.stat().st_size // share])
            ended = shell(COMPILES, home)
            assert (ended.returncode, ended.stdout, ended.stderr) == (0, "[0 0 1]\n", "")


def test_without_a_home_a_temporary_folder_of_one_s_own_serves(tmp_path):
    """A home that cannot be written, and a folder there that others could write to, whose code is not run."""
    open_to_all = tmp_path / f"gegenflow-numba-{os.getuid()}"
    nowhere = {"HOME": "/proc/nowhere", "TMPDIR": str(tmp_path)}
    assert shell(COMPILES, tmp_path, **nowhere).stdout == "[0 0 1]\n"
    assert compiled_in(open_to_all)
    open_to_all.chmod(0o777)
    ended = shell("from gegenflow import numerics", tmp_path, **nowhere)
    assert ended.returncode == 0
    assert "set NUMBA_CACHE_DIR to one that can" in ended.stderr


def test_a_folder_that_is_named_is_taken(tmp_path, monkeypatch):
    """NUMBA_CACHE_DIR decides; files of others in it stay as they are, cut or not."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    folder = tmp_path / "theirs_1"
    folder.mkdir()
    (folder / "theirs.f-1.py311.nbi").write_bytes(b"cut")
    (folder / "clusters.f-1.py311.nbi").write_bytes(b"cut")
    (folder / "clusters.g-1.py311.1.nbc").write_bytes(b"whole.")
    compiling.keep_compiled()
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["clusters.g-1.py311.1.nbc", "theirs.f-1.py311.nbi"]


THREADS = """
import threading, numpy as np
from gegenflow import numerics as nm
tokens = nm.uniform(2000, 3, rng=0)
found = []
def work():
    for _ in range(4):
        found.append(nm.attention_field(tokens, beta=1.0))
        nm.harmonic_power(tokens, 2)
threads = [threading.Thread(target=work) for _ in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(found), all((one == found[0]).all() for one in found))
"""


@pytest.mark.parametrize("layer", ["workqueue", "default"])
def test_threads_may_run_at_once_in_any_threading_layer(tmp_path, layer):
    """Two threads in the workqueue of numba ended the process."""
    folder = {"NUMBA_CACHE_DIR": os.environ["NUMBA_CACHE_DIR"]}
    ended = shell(THREADS, tmp_path, NUMBA_THREADING_LAYER=layer, **folder)
    assert (ended.returncode, ended.stdout) == (0, "12 True\n")


def test_every_parallel_function_is_called_by_one_thread_at_a_time():
    """In the source, above each."""
    for path in PACKAGE.rglob("*.py"):
        lines = path.read_text().splitlines()
        for before, line in pairwise(lines):
            if line.startswith("@njit") and "parallel=True" in line:
                assert before == "@one_at_a_time", path
    assert np.array_equal(compiling.one_at_a_time(np.negative)(np.arange(2)), [0, -1])


SUMS = """
from gegenflow import numerics as nm
tokens = nm.uniform(1500, 4, rng=0)
told = {"beta": 2, "t_end": 0.2, "method": "dense", "order": 5, "rtol": 1e-4}
all_, one = (nm.simulate(tokens, threads=threads, **told) for threads in (None, 1))
again = nm.simulate(tokens, **one.parameters)
print(all_.parameters["threads"], one.parameters["threads"], (again.tokens == one.tokens).all())
print(abs(all_.tokens - one.tokens).max() < 1e-12)
try:
    nm.simulate(tokens, threads=3, **told)
except ValueError as refusal:
    print(refusal)
"""


def test_a_run_says_in_how_many_threads_it_was_summed_up_and_repeats_in_them(tmp_path):
    """Sums over pairs depend on the number of threads in the last bit, so it is among the parameters."""
    ended = shell(SUMS, tmp_path, NUMBA_CACHE_DIR=os.environ["NUMBA_CACHE_DIR"])
    assert ended.stdout.splitlines() == [
        "2 1 True",
        "True",
        "threads 3: it must be a whole number >= 1 and <= 2",
    ], ended.stderr


def test_one_thread_is_one_in_linear_algebra_too():
    """Of every library with threads, seen by a kernel within a run; after it there are as many as before."""
    seen = []

    def kernel(overlaps):
        seen.append({library["num_threads"] for library in threadpool_info()})
        return np.exp(overlaps)

    before = {library["filepath"]: library["num_threads"] for library in threadpool_info()}
    nm.simulate(nm.uniform(300, 5, rng=0), kernel=kernel, t_end=0.01, threads=1)
    assert seen
    assert all(threads == {1} for threads in seen[-5:])
    after = {library["filepath"]: library["num_threads"] for library in threadpool_info()}
    assert after | before == after
