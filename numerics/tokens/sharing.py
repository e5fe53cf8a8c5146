"""Tokens that lie in several processes: what all of them have together, added up in one order everywhere."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from threading import current_thread, main_thread
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.tokens.refusals import Refused

STARTED = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MPI_LOCALNRANKS")
"""Variables by which those who start processes tell how many there are."""
SHARED_SUMS = ("auto", "circle", "cells", "sphere")

Numbers = TypeVar("Numbers", bound=NDArray[Any])

_processes: ContextVar[Any] = ContextVar("processes", default=None)


def communicator() -> Any:
    """The communicator of the processes that ``mpiexec`` started together with this one; None where it is alone.

    >>> communicator() is None
    True

    Raises ValueError where mpi4py is not installed.
    """
    if not any(int(os.environ.get(name, "1")) > 1 for name in STARTED):
        return None
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise Refused("mpi", None, "mpi4py is not installed: the extra gegenflow[mpi] has it") from error
    return MPI.COMM_WORLD if MPI.COMM_WORLD.size > 1 else None


@contextmanager
def sharing(comm: Any) -> Iterator[None]:
    """A block in which the tokens of this process are a part of all: ``comm`` is a communicator of mpi4py, or None.

    Raises ValueError for anything else.
    """
    if comm is not None and not callable(getattr(comm, "Allgather", None)):
        raise Refused("comm", repr(comm), "it must be a communicator of mpi4py, such as MPI.COMM_WORLD, or None")
    before = _processes.set(None if comm is None or comm.size == 1 else comm)
    try:
        yield
    finally:
        _processes.reset(before)


def is_shared() -> bool:
    """Whether other processes hold a part of the tokens.

    >>> is_shared()
    False
    """
    return _processes.get() is not None


def added_up(part: Numbers) -> Numbers:
    """The sum of an array over all processes, in the order of their ranks: the same bits in each. Alone, as it is.

    >>> added_up(np.ones(2))
    array([1., 1.])
    """
    comm = _processes.get()
    if comm is None:
        return part
    parts = np.empty((comm.size, *part.shape), part.dtype)
    comm.Allgather(np.asarray(part, order="C"), parts)
    total: Numbers = parts.sum(axis=0)
    return total


def total(number: float) -> float:
    """The sum of a number over all processes.

    >>> total(2.5)
    2.5
    """
    return float(added_up(np.array(number, dtype=np.float64))) if is_shared() else number


def largest(number: float) -> float:
    """The largest of a number over all processes, not a number where one is none.

    >>> largest(2.5)
    2.5
    """
    comm = _processes.get()
    if comm is None:
        return number
    parts = np.empty(comm.size)
    comm.Allgather(np.array(number, dtype=np.float64), parts)
    return float(parts.max())


@contextmanager
def interrupts_shared() -> Iterator[Callable[[object], None]]:
    """A block in which Ctrl-C in one process waits until all of them call what is given, and then is one in each.

    >>> with interrupts_shared() as meet:
    ...     meet(None)
    """
    came: list[int] = []

    def meet(_: object) -> None:
        if largest(float(len(came))):
            raise KeyboardInterrupt

    if not is_shared() or current_thread() is not main_thread():
        yield meet
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield meet
    finally:
        signal.signal(signal.SIGINT, before)


def check_shared(observe: Sequence[Any], *, method: str, **apart: Any) -> None:
    """Refuse what processes cannot share: other sums and observables than those that add up, and parts of a run.

    An observable with a true ``adds_up`` gives what all tokens have: it takes :func:`added_up` of its sums.

    >>> check_shared([], method="dense")
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: method dense: with comm it must be auto, circle, cells, sphere
    """
    if method not in SHARED_SUMS:
        raise Refused("method", method, f"with comm it must be {', '.join(SHARED_SUMS)}")
    for name, value in apart.items():
        if value is not None and value != ():
            raise Refused(name, None, "it does not go with comm")
    for observable in observe:
        if not getattr(observable, "adds_up", False):
            raise Refused("observe", type(observable).__name__, "with comm it must be one whose sums processes add up")
