"""Studies: the same table whoever makes the runs and however often they are stopped; nothing done is lost."""

import copy
import io
import json
import multiprocessing
import os
import pickle
import random
import shlex
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout, suppress
from importlib.util import find_spec
from pathlib import Path

import flint
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.notebook import faults

from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation import studies
from gegenflow.numerics.validation.command.guide import EXAMPLES
from gegenflow.numerics.validation.command.main import main
from gegenflow.numerics.validation.studies import Adaptive, Study, open_study, rerun, sweep
from gegenflow.numerics.validation.studies.adaptive import bar
from gegenflow.numerics.validation.studies.store import Planned, reading, writing
from gegenflow.numerics.validation.studies.study import made
from gegenflow.numerics.validation.studies.tables import rows_of, save_table
from gegenflow.numerics.validation.studies.workers import stream

SUPPORT = Path(__file__).parents[1] / "support"
EQUIANGULAR = Study("hitting times", grid={"beta": "0.5:2:0.5", "tokens": [3, 4]}, repeat=2)
TOKENS = Study(
    "simulate",
    grid={"beta": ["0.5", 2], "tokens": [5, 8]},
    fixed={"time": "0.1", "times": 3},
    observe=["Energy", "HarmonicPower(2)"],
    repeat=2,
)


def here(study, folder, **options):
    """A sweep in this process."""
    with ThreadPoolExecutor(2) as executor:
        return sweep(study, folder, executor=executor, **options)


def table(folder):
    """The bytes of the table of a folder."""
    with reading(folder) as store:
        save_table(Path(folder) / "table.csv", lambda: rows_of(store), "csv")
    return (Path(folder) / "table.csv").read_bytes()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The table of a study that was made in one go."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert here(EQUIANGULAR, folder).complete
    return table(folder)


def command(*words):
    """The command in a process of its own."""
    return [sys.executable, "-m", "gegenflow", *map(str, words)]


# what a study says


NAMES = st.sampled_from(
    ["do", "grid", "points", "fixed", "observe", "repeat", "rng", "budget", "adaptive", "beta", "x"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["simulate", "1:3"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(("asked", "near"), [("energy", "Energy"), ("HarmonicPwer(2)", "HarmonicPower")])
def test_an_unknown_observable_is_refused_with_the_nearest_one(asked, near):
    with pytest.raises(ValueError, match=rf"did you mean {near}\? Choose from .*, with its arguments"):
        Study("simulate", fixed={"tokens": 2}, observe=[asked])


@given(facts=st.dictionaries(NAMES, VALUES, max_size=5))
def test_whatever_a_study_says_it_is_taken_or_refused(facts):
    """No error but a refusal."""
    with suppress(Refused):
        assert len(made({"do": "simulate"} | facts)) >= 1


TOML = """
do = "simulate"
observe = ["Energy"]
repeat = 3
budget = "2 min"
[grid]
beta = [0.50, "1:3"]
tokens = [10, 20]
[fixed]
time = 0.1
[adaptive]
quantity = "energy"
error = 0.01
"""


@given(seed=st.integers(0, 2**32))
def test_whatever_a_file_says_the_command_has_one_line(seed, tmp_path_factory):
    """Characters of a good file are changed, doubled, left out; the file is a study, or the refusal one line."""
    draw = random.Random(seed)
    text = list(TOML)
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(text))
        text[place] = draw.choice(["", text[place] * 2, chr(draw.randrange(1, 300)), '"', "[", "=", "\n", "9"])
    path = tmp_path_factory.getbasetemp() / "changed.toml"
    path.write_text("".join(text), encoding="utf-8")
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(io.StringIO()):
        status = main(["sweep", str(path), "--time", "0", "--tokens", "2", "--repeat", "1", "--dry-run"])
    assert (status, len(said.getvalue().splitlines())) in ((0, 0), (2, 1))
    assert status == 0 or str(path) in said.getvalue()


def test_a_file_is_the_study_it_tells(tmp_path):
    """Decimals as they are written, ranges as lists; a study is what its facts say, also after a trip."""
    path = tmp_path / "study.toml"
    path.write_text(TOML)
    study = studies.read_study(path)
    assert study.grid == {"beta": ("0.5", "1", "2", "3"), "tokens": (10, 20)}
    assert study.budget == 120
    assert len(study) == 4 * 2 * 3
    assert made(json.loads(json.dumps(study.to_dict()))) == study


def test_studies_are_values():
    """The same after a trip; in a notebook a table."""
    for value in (EQUIANGULAR, TOKENS, Adaptive("energy", 0.1), studies.Swept("results", 3, 1, 0, 2.0, "complete")):
        assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
        assert len({value, copy.copy(value)}) == 1
        assert not faults(value)
    assert EQUIANGULAR != TOKENS


@given(one=st.integers(0, 5), other=st.integers(0, 5), beta=st.sampled_from(["1", "2"]), seed=st.integers(0, 3))
def test_every_run_has_a_stream_of_its_own(one, other, beta, seed):
    """Equal exactly where seed, parameters and repetition are."""
    draws = [
        stream("simulate", *who).random(2).tolist()
        for who in ((0, Planned(1, {"beta": "1"}, one)), (seed, Planned(7, {"beta": beta}, other)))
    ]
    assert (draws[0] == draws[1]) == ((0, "1", one) == (seed, beta, other))


# who makes the runs, and what stops them


def test_processes_make_the_same_table(undisturbed, tmp_path):
    """Two processes of our own, as the command starts them."""
    words = ("sweep", "hitting", "--beta", "0.5:2:0.5", "--tokens", 3, 4, "--repeat", 2, "--out", tmp_path)
    assert subprocess.run(command(*words), check=False).returncode == 0
    assert (tmp_path / "table.csv").read_bytes() == undisturbed


def in_batch(words, folder):
    """A script of tests/support in a folder with the study of EQUIANGULAR."""
    (folder / "study.toml").write_text(
        'do = "hitting times"\nrepeat = 2\n[grid]\nbeta = "0.5:2:0.5"\ntokens = [3, 4]\n', encoding="utf-8"
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {name: value for name, value in os.environ.items() if name != "SLURM_NTASKS"} | {"PATH": path}
    assert subprocess.run(words, cwd=folder, env=env, check=False).returncode == 0
    return (folder / "results" / "table.csv").read_bytes()


@pytest.mark.skipif(find_spec("distributed") is None, reason="dask.distributed is not installed (extra dask)")
def test_dask_makes_the_same_table(undisturbed, tmp_path):
    """Two processes of a local cluster, by address."""
    assert in_batch([sys.executable, SUPPORT / "sweep_dask.py"], tmp_path) == undisturbed


@pytest.mark.skipif(find_spec("mpi4py") is None, reason="mpi4py is not installed (extra mpi)")
def test_mpi_makes_the_same_table(undisturbed, tmp_path):
    """The script for a batch job, here on three ranks: one sweeps, two make runs."""
    assert in_batch(["bash", SUPPORT / "sweep.slurm"], tmp_path) == undisturbed


SWEEPS = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from gegenflow.numerics.validation.studies import Study, sweep
study = Study("hitting times", grid={"beta": "0.5:2:0.5", "tokens": [3, 4]}, repeat=2)
for folder in sys.stdin:
    child = os.fork()
    if not child:
        with ThreadPoolExecutor(2) as executor:
            os._exit(not sweep(study, folder.strip(), executor=executor).complete)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""A process that sweeps each folder that it is told in a child of its own, which need not import everything again."""


@pytest.fixture
def sweeps():
    with subprocess.Popen([sys.executable, "-c", SWEEPS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.stdin.close()


def killed_until_complete(sweeps, folder, draw, most):
    """SIGKILL after random times, at most so often, until a sweep comes to its end: how often it was killed."""
    known, kills = {}, 0
    while True:
        sweeps.stdin.write(f"{folder}\n".encode())
        sweeps.stdin.flush()
        child = int(sweeps.stdout.readline())
        if kills < most:
            time.sleep(draw.uniform(0, 0.4))
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        status = int(sweeps.stdout.readline())
        kills += status == -signal.SIGKILL
        if (folder / "study.sqlite").exists() and (status == 0 or kills % 4 == 0):
            with writing(folder) as store:
                found = {run.planned.run: run.seconds for run in store.finished()}
            assert known.items() <= found.items()
            known = found
        if status == 0:
            return kills


def test_a_kill_at_any_moment_costs_the_runs_in_flight(undisturbed, sweeps, tmp_path):
    """Sweep after sweep, until KILLS kills (default 4) were survived: done runs stay, and each table is the same."""
    draw, left = random.Random(0), int(os.environ.get("KILLS", "4"))
    while left > 0:
        folder = tmp_path / str(left)
        left -= killed_until_complete(sweeps, folder, draw, left)
        assert table(folder) == undisturbed


def test_dying_workers_are_replaced(monkeypatch, tmp_path):
    """Two workers are killed on the way; all runs are there at the end, and none failed."""
    monkeypatch.setattr("gegenflow.numerics.validation.studies.workers.AHEAD", 1)  # each run in flight gets new workers
    study = Study("simulate", grid={"tokens": list(range(5, 25))}, fixed={"time": "0.1", "times": 2})
    killed = []

    def kill():
        while len(killed) < 2:
            for child in multiprocessing.active_children():
                if len(killed) < 2 and (tmp_path / "study.sqlite").exists():
                    with reading(tmp_path) as store:
                        begun = store.counts()["done"] > 2 * len(killed)
                    if begun:
                        os.kill(child.pid, signal.SIGKILL)
                        killed.append(child.pid)
            time.sleep(0.05)

    murderer = threading.Thread(target=kill, daemon=True)
    murderer.start()
    swept = sweep(study, tmp_path, workers=2)
    assert (swept.done, swept.failed) == (20, 0)
    assert killed


def test_a_failing_run_keeps_its_parameters_and_its_error(tmp_path):
    """Beyond the circle a density has no white noise: those runs fail, are told, and others are made."""
    study = Study("solve_density", grid={"dim": [2, 3]}, fixed={"time": "0.01", "times": 2})
    swept = here(study, tmp_path)
    assert (swept.done, swept.failed) == (1, 1)
    with reading(tmp_path) as store:
        rows = list(rows_of(store))
    assert [row["failure"] is None for row in rows] == [True, False]
    assert rows[1]["dim"] == 3
    assert "degree" in rows[1]["failure"]
    assert here(study, tmp_path).failed == 1
    assert here(study, tmp_path, retry=True).failed == 1


class Stopped(ThreadPoolExecutor):
    """An executor in which Ctrl-C is pressed at the n-th run."""

    def __init__(self, after):
        super().__init__(1)
        self.left = after

    def submit(self, *work):
        self.left -= 1
        if self.left < 0:
            future = Future()
            future.set_exception(KeyboardInterrupt())
            return future
        return super().submit(*work)


@settings(max_examples=6)
@given(after=st.lists(st.integers(1, 5), min_size=1, max_size=3))
@example(after=[1])
@example(after=[5, 5, 5])
def test_an_interrupt_is_gone_on_from(after, undisturbed, tmp_path_factory):
    """However often, after however many runs: what there is says so, and the end is the same."""
    folder = tmp_path_factory.mktemp("interrupted")
    for number in after:
        with Stopped(number) as executor:
            swept = sweep(EQUIANGULAR, folder, executor=executor)
        assert swept.status == "interrupted"
        assert not swept.complete
    assert here(None, folder).complete
    assert table(folder) == undisturbed


def test_threads_leave_the_precision_of_certified_numbers_as_it_was(tmp_path):
    """It is one for all threads of a process: runs in several wait for each other."""
    before = flint.ctx.prec
    study = Study("hitting times", grid={"beta": "0.5:4:0.5", "tokens": [3, 4]})
    with ThreadPoolExecutor(4) as executor:
        assert sweep(study, tmp_path, executor=executor, workers=4).complete
    assert flint.ctx.prec == before


def test_one_sweep_at_a_time(tmp_path):
    """A second one is refused while the first is at work, and only then; reading goes on."""
    assert here(EQUIANGULAR, tmp_path).complete
    with writing(tmp_path), pytest.raises(Refused, match="another sweep"):
        here(EQUIANGULAR, tmp_path)
    with writing(tmp_path), reading(tmp_path) as store:
        assert store.counts()["done"] == len(EQUIANGULAR)
    assert here(EQUIANGULAR, tmp_path).complete


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path):
    """A limit on the size of files stands for it; without it the sweep goes on."""
    words = " ".join(command("sweep", "hitting", "--tokens", "3:60", "--repeat", 60, "--out", tmp_path))
    full = subprocess.run(["bash", "-c", f"ulimit -f 120; {words}"], capture_output=True, text=True, check=False)
    assert full.returncode == 1
    lines = [line for line in full.stderr.splitlines() if line.startswith("gegenflow:")]
    assert len(lines) == 1
    assert "study.sqlite" in lines[0]
    with reading(tmp_path) as store:
        assert sum(store.counts().values()) in (0, 58 * 60)


@pytest.mark.parametrize("words", [["--out", "/proc/none"], ["--out", __file__], []])
def test_a_folder_that_cannot_be_is_one_line(words, capsys):
    """No such place, a file in its place, none given."""
    try:
        status = main(["sweep", "hitting", *words])
    except SystemExit as stop:
        status = stop.code
    assert status in (1, 2)
    assert len(capsys.readouterr().err.splitlines()) == 1


# growing studies


def test_a_study_grows_without_changing_what_is_there(tmp_path):
    """More values and more repetitions of the same command: the rows of before are among those of after."""
    assert here(TOKENS, tmp_path).done == 8
    before = table(tmp_path).decode().splitlines()
    wider = made(TOKENS.to_dict() | {"grid": {"beta": ["0.5", "2", "3"], "tokens": [5, 8]}, "repeat": 3})
    assert here(wider, tmp_path).done == 3 * 2 * 3
    after = table(tmp_path).decode().splitlines()
    assert {*before} < {*after}
    with pytest.raises(Refused, match="folder"):
        here(EQUIANGULAR, tmp_path)


def test_the_examples_of_the_help_work_in_turn(tmp_path, monkeypatch, capsys):
    """A sweep, the same gone on with, what an estimate writes, and a run again, as -h of both subcommands has them."""
    monkeypatch.chdir(tmp_path)
    for line in (*EXAMPLES["sweep"], *EXAMPLES["rerun"]):
        status, said = main(shlex.split(line)), capsys.readouterr()
        assert (status, said.err) == (0, ""), line
        assert said.out
    assert (tmp_path / "results" / "table.csv").read_text().count("\n") > 40
    assert not (tmp_path / "energies").exists()


def test_a_run_can_be_made_again_bit_for_bit(tmp_path):
    """Every run of a study of tokens; a result that was changed is seen."""
    here(TOKENS, tmp_path)
    assert all(rerun(tmp_path, number)[1] for number in range(1, 9))
    with writing(tmp_path) as store:
        one, two = store.run(1), store.run(2)
        store.add(type(one)(one.planned, two.outcome, None, 0.0))
    assert not rerun(tmp_path, 1)[1]
    with pytest.raises(Refused, match="run 99"):
        rerun(tmp_path, 99)


@given(values=st.lists(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=2), min_size=2, max_size=8))
def test_bars_are_standard_errors(values):
    """Against numpy's own, of the widest entry."""
    rows = np.array(values)
    expected = rows.std(axis=0, ddof=1).max() / len(rows) ** 0.5
    assert bar([{"x": row} for row in rows], "x") == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_repetitions_go_where_they_are_needed(tmp_path):
    """Energies of few tokens scatter more: they get more runs, as many as make all bars small, whoever makes them."""
    study = Study(
        "simulate",
        grid={"tokens": [4, 64]},
        fixed={"time": "0", "times": 1, "beta": "1"},
        observe=["Energy"],
        adaptive=Adaptive("energy", error=0.01, most=500),
    )
    counts = []
    for folder, workers in ((tmp_path / "a", 1), (tmp_path / "b", 3)):
        with ThreadPoolExecutor(workers) as executor:
            assert sweep(study, folder, executor=executor, workers=workers).complete
        with reading(folder) as store:
            bars = [bar(store.results(point), "energy") for point, _ in store.points()]
            counts.append([count for _, count in store.points()])
        assert max(bars) <= 0.01
    assert counts[0] == counts[1]
    assert counts[0][0] > 2 * counts[0][1] >= 4


def test_an_estimate_counts_and_writes_nothing(tmp_path, capsys):
    """Of a new folder all runs, of one that is complete none."""
    assert studies.estimate(TOKENS).runs == len(TOKENS)
    here(EQUIANGULAR, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert studies.estimate(EQUIANGULAR, tmp_path).runs == 0
    assert main(["sweep", "--dry-run", "--out", str(tmp_path), "--repeat", "3"]) == 0
    assert capsys.readouterr().out.startswith("8 runs")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


# labelled arrays


def test_labelled_arrays_hold_the_rows(tmp_path):
    """Every number of the table at the place of its parameters; the Zarr folder is read without this package."""
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("zarr")
    assert main(["sweep", "hitting", "--beta", "1:3", "--tokens", "3", "4", "--out", str(tmp_path)]) == 0
    data = open_study(tmp_path)
    with reading(tmp_path) as store:
        rows = list(rows_of(store))
    for row in rows:
        place = {"beta": float(row["beta"]), "tokens": row["tokens"], "repetition": row["repetition"]}
        assert data.measured.sel(place).item(0) == row["measured"]
        assert data.run.sel(place).item() == row["run"]
    assert len(rows) == data.measured.size == 6
    xarray.testing.assert_equal(xarray.open_zarr(tmp_path / "data.zarr").load(), data)
    assert json.loads(data.attrs["versions"])["numpy"] == np.__version__
    assert json.loads(data.attrs["study"])["rng"] == 0


@pytest.mark.parametrize("form", ["json", "parquet"])
def test_other_forms_of_the_table_hold_the_same(form, tmp_path):
    """As others read them."""
    pandas = pytest.importorskip("pandas")
    if form == "parquet":
        pytest.importorskip("pyarrow")
    here(EQUIANGULAR, tmp_path)
    with reading(tmp_path) as store:
        save_table(tmp_path / f"table.{form}", lambda: rows_of(store), form)
        rows = list(rows_of(store))
    path = tmp_path / f"table.{form}"
    found = pandas.read_parquet(path) if form == "parquet" else pandas.DataFrame(json.loads(path.read_text()))
    assert found.measured.tolist() == [row["measured"] for row in rows]
    assert found.beta.tolist() == [row["beta"] for row in rows]
