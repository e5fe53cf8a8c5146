"""What a study costs beside its runs, and one simulation on two processes: ``python tests/benchmarks/studies.py``.

``--runs`` tiny runs (default 100,000) go into one study: time a run beside what the runs themselves take, and the
memory of the sweep along the way. Then the same tokens a process on one and on two ranks (``mpiexec``, one thread
each): time of an evaluation, efficiency, bytes sent. ``--no-load`` leaves the study out.
"""

import argparse
import json
import subprocess
import sys
import threading
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, sleep

from machine import resident

from gegenflow.numerics.runs.particles import simulate
from gegenflow.numerics.tokens.geometry import uniform
from gegenflow.numerics.validation.studies import Study, sweep
from gegenflow.numerics.validation.studies.store import reading

WORKERS, TIMES = 2, 11
"""Of a sweep, and the moments at which its memory is looked at."""
SHARED = [("circle", 2, 1_000_000, 0.02), ("cells", 2, 1_000_000, 0.02), ("sphere", 3, 200_000, 0.02)]
"""Method, dim, tokens a process, time."""
ROUNDS = 5


class Counted:
    """A communicator that counts what is sent through it."""

    def __init__(self, comm):
        self.comm, self.rank, self.size, self.sent = comm, comm.rank, comm.size, 0

    def Allgather(self, part, parts):
        self.sent += part.nbytes
        self.comm.Allgather(part, parts)


def load(runs):
    """A line a tenth of the study: runs made, seconds, megabytes of the sweep; then what a run cost beside itself."""
    study = Study("simulate", fixed={"tokens": 2, "time": "0", "times": 2}, repeat=runs)
    rows = []
    with TemporaryDirectory() as folder:
        over, start = threading.Event(), perf_counter()

        def look():
            for part in range(1, TIMES):
                while not over.is_set() and _count(folder) < part * runs // TIMES:
                    sleep(0.2)
                rows.append((_count(folder), perf_counter() - start, resident("VmRSS")))

        watch = threading.Thread(target=look)
        watch.start()
        swept = sweep(study, folder, workers=WORKERS)
        over.set()
        watch.join()
        with reading(folder) as store:
            inside = sum(finished.seconds for finished in store.finished()) / WORKERS
        size = Path(folder, "study.sqlite").stat().st_size / runs
    for count, seconds, megabytes in rows:
        print(f"{count:>9,} runs  {seconds:8.1f} s  {megabytes:7.1f} MB")
    print(
        f"{swept}: {1e3 * swept.seconds / runs:.2f} ms a run, {1e3 * (swept.seconds - inside) / runs:.2f} beside runs"
    )
    print(f"{size:.0f} bytes a run on the disk")


def _count(folder):
    try:
        with reading(folder) as store:
            return store.counts()["done"]
    except ValueError:
        return 0


def rank():
    """What a process of ``mpiexec`` does: each simulation in turn, the first of them twice; rank 0 prints."""
    from mpi4py import MPI

    comm, rows, options = MPI.COMM_WORLD, [], {"beta": 5, "rtol": 1e-6, "threads": 1}
    for method, dim, n, t_end in SHARED:
        tokens, times = uniform(n, dim, rng=comm.rank), []
        for _ in range(ROUNDS + 1):
            counted = Counted(comm)
            comm.Barrier()
            start = perf_counter()
            run = simulate(tokens, t_end=t_end, method=method, save_at=[t_end], comm=counted, **options)
            times.append((perf_counter() - start) / run.evaluations)
        sent = counted.sent / run.evaluations
        rows.append({"method": method, "seconds": median(times[1:]), "sent": sent, "evaluations": run.evaluations})
    if comm.rank == 0:
        print(json.dumps(rows))


def weak():
    """The same tokens a process: one alone, two at once that know nothing of each other, and two that share a run.

    What two strangers lose is the machine's; what two that share lose beside it is ours.
    """
    alone = _ranks(1)
    strangers = _ranks(1, 1)
    shared = _ranks(2)
    for (method, dim, n, _), one, apart, two in zip(SHARED, alone, strangers, shared, strict=True):
        print(
            f"{method}, dim {dim}, {n:,} tokens a process: {1e3 * one['seconds']:.1f} ms an evaluation alone, "
            f"{1e3 * apart['seconds']:.1f} beside a stranger, {1e3 * two['seconds']:.1f} of a shared run: efficiency "
            f"{one['seconds'] / two['seconds']:.2f}, of which the machine {one['seconds'] / apart['seconds']:.2f}; "
            f"{two['sent']:,.0f} bytes sent an evaluation"
        )


def _ranks(*groups):
    """What rank 0 of the first of several ``mpiexec``, which run at once, prints."""
    running = [
        subprocess.Popen(["mpiexec", "-n", str(size), sys.executable, __file__, "--rank"], stdout=subprocess.PIPE)
        for size in groups
    ]
    printed = [process.communicate()[0] for process in running]
    return json.loads(printed[0].splitlines()[-1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--rank", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--no-load", action="store_true")
    options = parser.parse_args()
    if options.rank:
        rank()
    else:
        if not options.no_load:
            load(options.runs)
        weak()
