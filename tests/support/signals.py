"""A real signal in the middle of a run, as from Ctrl-C or a clock."""

import gc
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupted_after(seconds: float, handler=signal.default_int_handler) -> Iterator[None]:
    """SIGALRM comes in so many seconds and calls the handler, which raises.

    The garbage collector rests: Python drops what is raised inside its callbacks, and hypothesis has one.
    """
    previous, collecting = signal.signal(signal.SIGALRM, handler), gc.isenabled()
    gc.disable()
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if collecting:
            gc.enable()
