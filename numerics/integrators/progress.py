"""The bar of a run: the step that it is at, "compiling" for as long as numba compiles, and the time reached."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite

from numba.core import event

FORMAT = "{desc}{percentage:3.0f}%|{bar}| {postfix} [{elapsed}<{remaining}]"


class _Bar(event.Listener):
    # a listener to numba's compiler that also draws
    def __init__(self, start: float, end: float, step: str) -> None:
        from tqdm.auto import tqdm

        span = end - start
        self.start, self.span = start, span if isfinite(span) and span > 0 else 1.0
        self.bar = tqdm(total=1.0, bar_format=FORMAT, leave=False)
        self.end, self.depth, self.step = f"{end:.4g}", 0, f"{step}, "
        self.bar.set_description_str(self.step, refresh=False)
        self.show(start)

    def show(self, time: float) -> None:
        self.bar.set_postfix_str(f"t = {time:.4g} of {self.end}", refresh=False)
        self.bar.update(min(1.0, (time - self.start) / self.span) - self.bar.n)

    def on_start(self, event: object) -> None:
        self.depth += 1
        self.bar.set_description_str("compiling, ")

    def on_end(self, event: object) -> None:
        self.depth -= 1
        if self.depth == 0:
            self.bar.set_description_str(self.step)


class _NoBar:
    def show(self, time: float) -> None:
        pass


@contextmanager
def progress_bar(wanted: bool, start: float, end: float, step: str = "simulating") -> Iterator[_Bar | _NoBar]:
    """A bar on a terminal or in a notebook, nothing in a pipe or where it is not wanted; ``show(time)`` moves it.

    ``step`` is what is done all the while.

    >>> with progress_bar(False, 0.0, 1.0) as bar:
    ...     bar.show(0.5)
    """
    if not (wanted and (sys.stderr.isatty() or _in_notebook())):
        yield _NoBar()
        return
    bar = _Bar(start, end, step)
    try:
        with event.install_listener("numba:compile", bar):
            yield bar
    finally:
        bar.bar.close()


def _in_notebook() -> bool:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell is not None and "IPKernelApp" in shell.config
