"""Sweeps: the runs of a study, made by any executor, each on the disk before it counts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from math import inf, nan
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

import numpy as np
from tqdm import tqdm

from gegenflow.numerics.tokens.arguments import check_whole
from gegenflow.numerics.tokens.processes import check_executor
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import record_html
from gegenflow.numerics.validation.studies.adaptive import widen
from gegenflow.numerics.validation.studies.store import Finished, Planned, Store, imagined, packed, reading, writing
from gegenflow.numerics.validation.studies.study import Study
from gegenflow.numerics.validation.studies.workers import Crew, perform, told

SAMPLE = 8


@dataclass(frozen=True)
class Swept:
    """What a sweep did and how it ended.

    :param folder: that of the study
    :param done: runs with a result, >= 0
    :param failed: runs with an error, >= 0
    :param planned: runs still to be made, >= 0
    :param seconds: time that the sweep took, >= 0
    :param status: "complete", "interrupted" or "the budget is spent"

    >>> print(Swept("results", 8, 0, 0, 2.0, "complete"))
    complete: 8 runs done, 0 failed, 0 to be made  (2 s)

    Source: derived here.
    """

    folder: str
    done: int
    failed: int
    planned: int
    seconds: float
    status: str

    _repr_html_ = record_html

    @property
    def complete(self) -> bool:
        """Whether every run came to its end."""
        return self.planned == 0 and self.status == "complete"

    def __str__(self) -> str:
        counts = f"{self.done:,} runs done, {self.failed:,} failed, {self.planned:,} to be made"
        return f"{self.status}: {counts}  ({self.seconds:.0f} s)"


@dataclass(frozen=True)
class Estimate:
    """How long the runs to be made will take.

    :param runs: runs to be made, >= 0
    :param workers: processes to make them, >= 1
    :param sample: runs that were made for this, >= 0
    :param mean: seconds of one of them, >= 0
    :param error: standard error of the mean, in seconds, >= 0

    >>> print(Estimate(1000, 2, 8, 0.1, 0.01))
    1,000 runs to be made, about 50 s on 2 workers (0.1 s each in a sample of 8, +- 10 %)

    Source: derived here.
    """

    runs: int
    workers: int
    sample: int
    mean: float
    error: float

    _repr_html_ = record_html

    @property
    def seconds(self) -> float:
        """The estimated time of all of them, of the mean and over all workers."""
        return self.runs * self.mean / self.workers

    def __str__(self) -> str:
        if not self.runs:
            return "0 runs to be made"
        share = f", +- {100 * self.error / self.mean:.0f} %" if self.mean > 0 and np.isfinite(self.error) else ""
        about = f"{self.mean:.3g} s each in a sample of {self.sample}{share}"
        return f"{self.runs:,} runs to be made, about {self.seconds:.3g} s on {self.workers} workers ({about})"


def sweep(
    study: Study | None,
    folder: str | Path,
    *,
    executor: Executor | None = None,
    workers: int = 2,
    retry: bool = False,
    progress: bool = False,
) -> Swept:
    """Make the runs of a study that its folder does not hold yet; with None those of the study that it holds.

    Results do not depend on who makes the runs, nor on interrupts: a run counts once it is on the disk, and what was in
    flight is made again. A run that raises stays, with its error. From a script, processes need
    ``if __name__ == "__main__":`` around the call.

    :param study: what to do; None: what the folder holds
    :param folder: where the runs are kept, made where there is none
    :param executor: one of ``concurrent.futures``, ``dask.distributed`` or ``mpi4py.futures``; None (default):
        processes of its own, each with one thread
    :param workers: how many the executor has, or processes to start, >= 1 (default 2)
    :param retry: make runs that failed again, default False
    :param progress: show a bar on a terminal or in a notebook, default False

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from tempfile import TemporaryDirectory
    >>> study = Study("hitting times", grid={"beta": ["0.5", 1]}, fixed={"tokens": 4})
    >>> with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
    ...     sweep(study, folder, executor=executor).done
    2

    Raises ValueError for a folder of another study or in which a sweep is at work, OSError where nothing can be
    written, no worker can start, or an executor of your own is broken; what is done stays. Source: derived here.

    See also :func:`.open_study`, :func:`.estimate`, :func:`.rerun`.
    """
    workers, clock = check_whole("workers", workers, 1, 4096), perf_counter()
    if study is not None:
        _check_study(study)
    check_executor(executor, "submit")
    with writing(folder) as store:
        if study is not None:
            store.plan(study)
        study = store.study()
        if retry:
            store.retry()
        deadline = inf if study.budget is None else monotonic() + float(study.budget)
        status = "complete"
        with Crew(study, executor, workers) as crew, _bar(store, progress) as bar:
            try:
                for finished in _made(store, study, crew, deadline):
                    store.add(finished)
                    bar.update()
            except KeyboardInterrupt:
                status = "interrupted"
        counts = store.counts()
        if status == "complete" and counts["planned"]:
            status = "the budget is spent"
        return Swept(str(folder), **counts, seconds=perf_counter() - clock, status=status)


def estimate(study: Study, folder: str | Path | None = None, *, workers: int = 2) -> Estimate:
    """How many runs of a study are to be made, and how long that will take, from a few of them; nothing is written.

    The sample is spread evenly, its first run is made twice, so that what is compiled does not count.

    :param study: what to do
    :param folder: one that may hold a part of the study; None (default): a new one
    :param workers: processes to make the runs, >= 1 (default 2)

    >>> str(estimate(Study("hitting times", fixed={"tokens": 4}), workers=1))[:18]
    '1 runs to be made,'

    Raises ValueError as :func:`sweep`. Source: derived here.
    """
    workers = check_whole("workers", workers, 1, 4096)
    _check_study(study)
    with imagined(study, folder) as store:
        runs = store.counts()["planned"]
        chosen = {round(place) for place in np.linspace(0, runs - 1, min(runs, SAMPLE))}
        sample = [planned for place, planned in enumerate(store.planned()) if place in chosen]
    times = [perform(*study.order, planned).seconds for planned in [*sample[:1], *sample]][1:]
    error = float(np.std(times, ddof=1) / np.sqrt(len(times))) if len(times) > 1 else nan
    return Estimate(runs, workers, len(times), float(np.mean(times)) if times else 0.0, error)


def rerun(folder: str | Path, run: int) -> tuple[Finished, bool]:
    """Make one run of a study again, and say whether all of it is as it was, bit for bit.

    :param folder: that of the study
    :param run: number of the run in its table, >= 1

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
    ...     _ = sweep(Study("hitting times", fixed={"tokens": 4}), folder, executor=executor)
    ...     rerun(folder, 1)[1]
    True

    Raises ValueError where there is no such run. Source: derived here.
    """
    run = check_whole("run", run, 1)
    with reading(folder) as store:
        study, before = store.study(), store.run(run)
    after = perform(*study.order, before.planned)
    same = packed(after.outcome) == packed(before.outcome) and after.error == before.error
    return after, same


def _check_study(study: Any) -> None:
    if not isinstance(study, Study):
        raise Refused("study", repr(study), "it must be a Study, such as one from read_study")


def _made(store: Store, study: Study, crew: Crew, deadline: float) -> Iterator[Finished]:
    """Each run as soon as it has ended, until none is planned or the deadline has come."""
    waiting, flying, size = store.planned(), dict[Future[Finished], Planned](), 1  # what one compiles, the others load
    while True:
        room = size - len(flying) if monotonic() < deadline else 0
        for planned in islice(waiting, room):
            flying[crew.submit(planned)] = planned
        if not flying:
            if monotonic() >= deadline or study.adaptive is None or not widen(store, study.adaptive):
                return
            waiting = store.planned()
            continue
        lost, size = list[Planned](), crew.size
        for future in wait(flying, return_when=FIRST_COMPLETED).done:
            planned = flying.pop(future)
            try:
                yield future.result()
            except BrokenExecutor:
                lost.append(planned)
            except Exception as problem:
                yield Finished(planned, {}, told(problem), nan)
        if lost:
            lost += flying.values()
            flying.clear()
            yield from (crew.alone(planned) for planned in lost)


@contextmanager
def _bar(store: Store, progress: bool) -> Iterator[Any]:
    counts = store.counts()
    bar = tqdm(
        total=sum(counts.values()),
        initial=counts["done"] + counts["failed"],
        disable=None if progress else True,
        unit="run",
        file=sys.stderr,
        leave=False,
    )
    with bar:
        yield bar
