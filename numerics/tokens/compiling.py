"""Where compiled functions are kept, and how parallel ones are called."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache, wraps
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, ParamSpec, TypeVar
from warnings import warn

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

NAME = "gegenflow"
FOLDER = "NUMBA_CACHE_DIR"

_lock = RLock()


def keep_compiled() -> None:
    """Let numba keep compiled functions in the user's folder for caches, unless NUMBA_CACHE_DIR names another.

    So they come without a write into the installation, and go with it; where the user has no such folder, one of
    their own among temporary files serves.  A file that was cut short is removed, and compiled again.

    >>> keep_compiled()
    >>> "NUMBA_CACHE_DIR" in os.environ
    True
    """
    if FOLDER not in os.environ:
        folder = next((path for path in _folders() if _is_ours(path)), None)
        if folder is None:
            text = f"no folder for compiled functions can be written: set {FOLDER} to one that can, or nothing compiles"
            warn(text, RuntimeWarning, stacklevel=2)
            return
        os.environ[FOLDER] = str(folder)
    for path in Path(os.environ[FOLDER]).glob("*/*.nb[ci]"):
        if path.name.partition(".")[0] in _OURS and not _is_whole(path):
            path.unlink(missing_ok=True)


def one_at_a_time(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A compiled function with a parallel region, which one thread calls at a time.

    The simplest of numba's threading layers, workqueue, ends the process where two threads are in one.

    >>> one_at_a_time(abs)(-3)
    3
    """

    @wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with _lock:
            return function(*args, **kwargs)

    return call


def is_worth_threads(work: float, least: float) -> bool:
    """Whether work is shared out: there is enough of it, and there are threads; else none of it is compiled for them.

    >>> with in_threads(1):
    ...     is_worth_threads(2, least=1)
    False
    """
    if work < least:
        return False
    from numba import get_num_threads

    return bool(get_num_threads() > 1)


@contextmanager
def in_threads(count: int | None) -> Iterator[None]:
    """A block whose parallel regions and products of matrices have so many threads, None for as many as now.

    >>> with in_threads(1):
    ...     pass

    Raises ValueError for fewer than one and for more than there are.
    """
    if count is None:
        yield
        return
    from numba import config, get_num_threads, set_num_threads

    from gegenflow.numerics.tokens.arguments import check_whole

    before = get_num_threads()
    most: int = config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    wanted = check_whole("threads", count, 1, most)
    set_num_threads(wanted)
    try:
        with _linear_algebra().limit(limits=wanted):
            yield
    finally:
        set_num_threads(before)


@lru_cache(maxsize=1)
def _linear_algebra() -> ThreadpoolController:
    """Those libraries of numpy and scipy that have threads of their own."""
    import scipy.linalg  # noqa: F401  (what is loaded later would be left out)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _folders() -> Iterator[Path]:
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/.cache")
    if os.path.isabs(home):
        yield Path(home) / NAME / "numba"
    with suppress(FileNotFoundError):  # where there is no folder for temporary files
        user = os.getuid() if hasattr(os, "getuid") else "user"
        yield Path(tempfile.gettempdir()) / f"{NAME}-numba-{user}"


def _is_ours(folder: Path) -> bool:
    # compiled code is run as it is found: a folder of another user, or that others may write to, is none
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        owned = not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o022)
        with tempfile.TemporaryFile(dir=folder):
            return owned
    except OSError:
        return False


def _is_whole(path: Path) -> bool:
    # a pickle ends in a full stop
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() == b"."
    except OSError:
        return False


def _restart_lock() -> None:
    global _lock
    _lock = RLock()


_OURS = {path.stem for path in Path(__file__).parents[1].glob("**/*.py")}

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restart_lock)
