"""Processes of our own, beside executors that are given."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing.connection import wait as wait_for
from threading import Thread
from typing import Any

from gegenflow.numerics.tokens.refusals import Refused


def check_executor(executor: Any, does: str) -> None:
    """Refuse what is no executor and not None: what it ``does``, "submit" or "map", is what it will be asked for.

    >>> check_executor(3, "map")
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: executor 3: it must be one of concurrent.futures, or None
    """
    if executor is not None and not callable(getattr(executor, does, None)):
        raise Refused("executor", repr(executor), "it must be one of concurrent.futures, or None")


def new_processes(workers: int) -> ProcessPoolExecutor:
    """So many processes that start afresh, leave Ctrl-C to this one, and end with it.

    >>> with new_processes(1) as executor:
    ...     executor.submit(pow, 2, 5).result()
    32
    """
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=spawn, initializer=_settle)


def end_processes(executor: Executor) -> None:
    """End them at once, whatever they do."""
    children = list((getattr(executor, "_processes", None) or {}).values())
    executor.shutdown(wait=False, cancel_futures=True)
    for child in children:
        child.terminate()
    for child in children:
        child.join()


def _settle() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if (parent := multiprocessing.parent_process()) is not None:
        Thread(target=lambda: (wait_for([parent.sentinel]), os._exit(1)), daemon=True).start()
