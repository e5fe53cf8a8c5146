"""Interrupts from the keyboard: heard while numba compiles, and held off while a result is put together."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN = 0.2  # seconds after which an interrupt that nobody has taken is raised again
LOST = {"_raw_object_cache_notify", "_raw_object_cache_getbuffer", "__enter__", "__exit__", "__del__"}
"""Functions of llvmlite that LLVM or the collector calls, which drop an exception, or that hold a lock."""


class Interrupted(KeyboardInterrupt):
    """An interrupt from the keyboard, raised on with all that was computed: ``run`` is what the solver returns.

    >>> try:
    ...     raise Interrupted("the run")
    ... except KeyboardInterrupt as stop:
    ...     print(stop.run)
    the run
    """

    def __init__(self, run: object) -> None:
        super().__init__("interrupted; .run holds what was computed")
        self.run = run


class _Ear:
    # The handler of SIGINT: it raises, again and again until the interrupt is taken, and is deaf from then on.
    def __init__(self) -> None:
        self.taken, self.closed = False, False
        self.clock: threading.Timer | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.taken or self.closed:
            return
        self.clock = threading.Timer(AGAIN, self.again)
        self.clock.daemon = True
        self.clock.start()
        if not _would_swallow(frame):
            raise KeyboardInterrupt

    def again(self) -> None:
        if not (self.taken or self.closed):
            signal.raise_signal(signal.SIGINT)


_ears: list[_Ear] = []


@contextmanager
def listening() -> Iterator[None]:
    """A block in which Ctrl-C is heard even where compiled code swallows it, until :func:`take_interrupt`.

    LLVM calls back into Python, where an exception is printed and dropped: there the interrupt waits, and is raised
    again within a fifth of a second.  Only in the main thread, and only in place of Python's own handler.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    ear = _Ear()
    _ears.append(ear)
    signal.signal(signal.SIGINT, ear)
    try:
        yield
    finally:
        ear.closed = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _ears.remove(ear)
        if ear.clock is not None:
            ear.clock.cancel()


def take_interrupt() -> None:
    """The interrupt has been taken: any other is dropped until the surrounding :func:`listening` ends."""
    for ear in _ears:
        ear.taken = True


def _would_swallow(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name in LOST and "llvmlite" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False
