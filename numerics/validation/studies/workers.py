"""One run of a study, and who makes runs: processes of our own, or an executor that was given."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import suppress
from functools import lru_cache
from math import nan
from threading import Lock
from time import perf_counter

import numpy as np

from gegenflow.numerics.tokens.compiling import in_threads
from gegenflow.numerics.tokens.processes import end_processes, new_processes
from gegenflow.numerics.validation.studies.store import Finished, Planned
from gegenflow.numerics.validation.studies.study import Study
from gegenflow.numerics.validation.studies.subjects import Subject, subject_of

AHEAD = 4
"""Runs that wait for each worker, so that none is idle."""
DEATHS = 3
"""How often a run may take its worker with it before it counts as failed."""

_one_at_a_time = Lock()


def perform(do: str, observe: tuple[str, ...], seed: int, planned: Planned) -> Finished:
    """One run, in one thread, with the stream of its own; what it raises is kept as its error.

    Runs in threads of one process wait for each other: certified numbers have one precision in all of it.
    """
    with _one_at_a_time:
        return _performed(do, observe, seed, planned)


def _performed(do: str, observe: tuple[str, ...], seed: int, planned: Planned) -> Finished:
    subject, clock = _subject(do, observe), perf_counter()
    try:
        with in_threads(1):
            outcome, error = subject.run(stream(do, seed, planned), **planned.parameters), None
    except Exception as problem:
        outcome, error = {}, told(problem)
    return Finished(planned, outcome, error, perf_counter() - clock)


def stream(do: str, seed: int, planned: Planned) -> np.random.Generator:
    """The random numbers of a run: by the seed of the study, the parameters and the repetition alone."""
    text = json.dumps([do, planned.parameters], sort_keys=True)
    words = np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype="<u4")
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(*map(int, words), planned.repetition)))


def told(problem: BaseException) -> str:
    """An error in one line.

    >>> told(KeyError("beta"))
    "KeyError: 'beta'"
    """
    return f"{type(problem).__name__}: {' '.join(str(problem).split())}"


@lru_cache(maxsize=8)
def _subject(do: str, observe: Sequence[str]) -> Subject:
    return subject_of(do, observe)


class Crew:
    """The executor that makes runs: one that was given, or processes of our own, renewed when one of them dies."""

    def __init__(self, study: Study, executor: Executor | None, workers: int) -> None:
        self.order = study.order
        self.given, self.workers, self.size = executor, workers, AHEAD * workers

    def __enter__(self) -> Crew:
        self.executor = self.given or new_processes(self.workers)
        return self

    def __exit__(self, *problem: object) -> None:
        if self.given is None:
            end_processes(self.executor)

    def submit(self, planned: Planned) -> Future[Finished]:
        try:
            return self.executor.submit(perform, *self.order, planned)
        except BrokenExecutor:
            self._renew()
            return self.executor.submit(perform, *self.order, planned)

    def alone(self, planned: Planned) -> Finished:
        """A run that was in flight when a worker died, with no other beside it."""
        for _ in range(DEATHS):
            self._renew()
            with suppress(BrokenExecutor):
                return self.submit(planned).result()
        self._renew()
        try:
            self.executor.submit(os.getpid).result()
        except BrokenExecutor:
            what = 'no worker can start; a script needs if __name__ == "__main__": around the sweep'
            raise ChildProcessError(what) from None
        return Finished(planned, {}, f"the worker died, {DEATHS} times", nan)

    def _renew(self) -> None:
        if self.given is not None:
            raise ChildProcessError("the executor is broken, as a worker died; what is done is kept: start again")
        end_processes(self.executor)
        self.executor = new_processes(self.workers)
