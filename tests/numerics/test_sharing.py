"""Tokens in several processes: the run of all of them in one, whatever part each has, and messages of one size."""

import json
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gegenflow import numerics as nm
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.sharing import interrupts_shared, largest, sharing, total

OBSERVED = [nm.HarmonicPower(4), nm.Energy(), nm.Dissipation()]


class Room:
    """Where the threads of one run meet; each has a communicator like those of mpi4py."""

    def __init__(self, size):
        self.parts, self.barrier = [None] * size, threading.Barrier(size, timeout=120)


class Thread:
    """The communicator of one thread, which counts what it sends."""

    def __init__(self, room, rank):
        self.room, self.rank, self.size, self.calls, self.sent = room, rank, len(room.parts), 0, 0

    def Allgather(self, part, parts):
        self.calls, self.sent = self.calls + 1, self.sent + part.nbytes
        self.room.parts[self.rank] = part.copy()
        self.room.barrier.wait()
        parts[...] = self.room.parts
        self.room.barrier.wait()


def together(parts, work):
    """What ``work(part, comm)`` gives in a thread for each part, and the communicators."""
    comms = [Thread(room := Room(len(parts)), 0), *(Thread(room, rank) for rank in range(1, len(parts)))]
    with ThreadPoolExecutor(len(parts)) as pool:
        return list(pool.map(work, parts, comms)), comms


def split(tokens, shares):
    """The tokens in parts of about these shares, none empty."""
    cuts = np.cumsum(shares)[:-1] / sum(shares) * len(tokens)
    return np.split(tokens, np.clip(cuts.astype(int), 1, len(tokens) - len(shares) + 1) + np.arange(len(cuts)))


@given(
    dim=st.sampled_from([2, 3]),
    n=st.integers(20, 400),
    beta=st.floats(0.1, 8),
    model=st.sampled_from(["usa", "sa"]),
    shares=st.lists(st.integers(1, 9), min_size=2, max_size=4),
    cells=st.booleans(),
)
def test_a_shared_run_is_that_of_all_tokens(dim, n, beta, model, shares, cells):
    """Positions and observables to rounding, the same steps, whatever part each process has."""
    tokens, method = nm.uniform(n, dim, rng=n), "sphere" if dim == 3 else "cells" if cells else "circle"
    given = {"beta": beta, "model": model, "t_end": 0.1 / np.exp(beta if model == "usa" else 0), "method": method}
    given |= {"observe": OBSERVED, "save_at": [0.0], "order": 8}
    whole = nm.simulate(tokens, **given)
    runs, _ = together(split(tokens, shares), lambda part, comm: nm.simulate(part, comm=comm, **given))
    assert np.concatenate([run.tokens for run in runs]) == pytest.approx(whole.tokens, abs=1e-13)
    assert {run.evaluations for run in runs} == {runs[0].evaluations}
    for name, values in whole.observables.items():
        for run in runs:
            assert run.observables[name] == pytest.approx(values, rel=1e-9, abs=1e-12)
    assert len({run.observables["energy"].tobytes() for run in runs}) == 1


def test_heads_and_amplitudes_are_those_of_all_tokens():
    """Isotropic heads, and the observable of the circle alone; the mean of the parts would be another."""
    tokens, heads = nm.uniform(120, 2, rng=3), [nm.Head(beta=2), nm.Head(beta=1, value=0.5 * np.eye(2))]
    given = {"t_end": 0.1, "method": "circle", "save_at": [0.1]}
    given["observe"] = [nm.Energy(), nm.Dissipation(), nm.HarmonicAmplitude(3)]
    for flow in (nm.Flow(heads=heads), nm.Flow(beta=2, model="sa")):
        whole = nm.simulate(tokens, flow, **given)
        runs, _ = together(
            split(tokens, [1, 3]), lambda part, comm, flow=flow: nm.simulate(part, flow, comm=comm, **given)
        )
        assert np.concatenate([run.tokens for run in runs]) == pytest.approx(whole.tokens, abs=1e-13)
        for run in runs:
            assert {*run.observables} == {"energy", "dissipation", "harmonic_amplitude"}
            for name, values in whole.observables.items():
                assert run.observables[name] == pytest.approx(values, rel=1e-9, abs=1e-12)


def test_messages_do_not_grow_with_the_number_of_tokens():
    """The bytes that a process sends in an evaluation, for 500 and for 8,000 tokens."""
    sent = []
    for n in (500, 8000):
        given = {"beta": 3.0, "t_end": 0.05, "method": "circle", "save_at": []}
        runs, comms = together(
            np.array_split(nm.uniform(n, 2, rng=0), 2),
            lambda part, comm, given=given: nm.simulate(part, comm=comm, **given),
        )
        sent.append(comms[0].sent / runs[0].evaluations)
    assert sent[1] < 1.2 * sent[0] < 10_000


def test_weights_add_up_over_all():
    """Unequal weights: those of all tokens; weights that add up to one in each process are refused in all."""
    tokens = nm.uniform(100, 2, rng=0)
    weights = np.linspace(1, 3, 100) / np.linspace(1, 3, 100).sum()
    given = {"beta": 2.0, "t_end": 0.1, "method": "circle"}
    whole = nm.simulate(tokens, weights=weights, **given)
    parts = [(tokens[:30], weights[:30]), (tokens[30:], weights[30:])]
    runs, _ = together(parts, lambda part, comm: nm.simulate(part[0], weights=part[1], comm=comm, **given))
    assert np.concatenate([run.tokens for run in runs]) == pytest.approx(whole.tokens, abs=1e-13)

    def refused(part, comm):
        with pytest.raises(Refused, match="sum to 2"):
            nm.simulate(part[0], weights=part[1] / part[1].sum(), comm=comm, **given)

    together(parts, refused)


def test_a_part_is_saved_and_goes_on(tmp_path):
    """Loaded in each process it goes on as one run that had never ended; alone it is refused."""
    tokens, given = nm.uniform(90, 2, rng=0), {"beta": 2.0, "method": "circle", "observe": [nm.Energy()]}
    whole = nm.simulate(tokens, t_end=0.2, **given)

    def goes_on(part, comm):
        file = tmp_path / f"run.{comm.rank}.npz"
        nm.simulate(part, t_end=0.1, comm=comm, checkpoint=file, **given)
        return nm.load(file).extend(0.2, comm=comm)

    runs, _ = together(split(tokens, [1, 2, 3]), goes_on)
    assert np.concatenate([run.tokens for run in runs]) == pytest.approx(whole.tokens, abs=1e-9)
    assert runs[0].observables["energy"][-1] == pytest.approx(whole.observables["energy"][-1], rel=1e-9)
    with pytest.raises(Refused, match="comm"):
        runs[0].extend(0.3)


@given(numbers=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=5))
def test_sums_are_the_same_bits_in_each(numbers):
    """In the order of ranks, so that no process sees another sum; the largest is that of all."""

    def told(number, comm):
        with sharing(comm):
            return total(number), largest(number)

    found, _ = together(numbers, told)
    assert len({*found}) == 1
    assert found[0] == (pytest.approx(sum(numbers), abs=1e-6), max(numbers))


def test_what_is_wrong_in_one_ends_all():
    """SA of a weight whose mean is negative somewhere: every process has a status, none waits for ever."""
    given = {"kernel": lambda t: t, "model": "sa", "t_end": 0.1, "method": "circle"}
    tokens = np.array([[1.0, 0.0], [0.0, 1.0], [-0.6, -0.8], [-1.0, 0.0]])

    def ends(part, comm):
        try:
            return str(nm.simulate(part, comm=comm, **given).status)
        except (Refused, FloatingPointError) as problem:
            return str(problem)

    found, _ = together([tokens[:1], tokens[1:]], ends)
    assert all("normaliser" in text for text in found)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"method": "dense"}, "method"),
        ({"merge": 1e-12}, "merge"),
        ({"noise": 0.1, "rng": 0}, "noise"),
        ({"layer_norm": "pre"}, "layer_norm"),
        ({"observe": [nm.Clusters()]}, "observe"),
        ({"query_key": np.eye(2)}, "query_key"),
        ({"comm": 3}, "comm"),
    ],
)
def test_what_cannot_be_shared_is_refused(given, name):
    """One sentence that names it, before any message."""
    with pytest.raises(Refused) as problem:
        nm.simulate(nm.uniform(20, 2, rng=0), **{"beta": 1.0, "t_end": 0.1, "comm": Thread(Room(2), 0)} | given)
    assert problem.value.name == name


def test_an_interrupt_of_one_is_one_of_all():
    """SIGINT during a block is raised at the next meeting, and the handler of before is back."""
    before = signal.getsignal(signal.SIGINT)
    with sharing(Thread(Room(1), 0)):
        pass
    comm = Thread(Room(1), 0)
    comm.size = 2  # alone, as no other answers

    def alone(part, parts):
        parts[...] = part

    comm.Allgather = alone
    with sharing(comm), interrupts_shared() as meet:
        meet(None)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            meet(None)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(find_spec("mpi4py") is None, reason="mpi4py is not installed (extra mpi)")
def test_the_command_under_mpiexec(tmp_path):
    """Two ranks print one result, that of one process, and leave a file each, which hold all tokens."""
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    words = ["simulate", "--tokens", "3000", "--time", "0.1", "--beta", "3", "--format", "json"]
    line = [sys.executable, "-m", "gegenflow", *words]
    alone = json.loads(subprocess.run(line, check=True, capture_output=True).stdout)
    shared = subprocess.run(
        [mpiexec, "-n", "2", *line, "--out", str(tmp_path / "run.npz")], check=True, capture_output=True
    )
    both = json.loads(shared.stdout)
    assert (both["tokens"], both["processes"], both["evaluations"]) == (3000, 2, alone["evaluations"])
    assert both["energy"] == pytest.approx(alone["energy"], rel=1e-12)
    runs = [nm.load(tmp_path / f"run.{rank}.npz") for rank in (0, 1)]
    whole = nm.simulate(nm.uniform(3000, 2, rng=0), beta=3.0, t_end=0.1)
    assert np.concatenate([run.tokens for run in runs]) == pytest.approx(whole.tokens, abs=1e-12)
