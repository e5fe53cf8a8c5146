"""Files that are written whole or not at all: what stood there before stays until the new one is complete."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from threading import current_thread, main_thread
from typing import BinaryIO

from gegenflow.numerics.tokens.refusals import Refused


def write_atomically(path: str | Path, write: Callable[[BinaryIO], object]) -> None:
    """Put what ``write`` writes into exactly this path: all of it, or the file that was there before stays.

    ``write`` gets an open binary file in the same folder, which is forced to the disk and then takes the place of
    ``path``; a link is followed, the permissions of the old file are kept, and a device or a pipe is written to as it
    is. Nothing is left behind but by a kill. An interrupt (SIGINT) waits until the file is in its place.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     target = Path(folder, "numbers")
    ...     write_atomically(target, lambda file: file.write(b"1 2 3"))
    ...     try:
    ...         write_atomically(target, lambda file: file.write(b"4") and 1 / 0)
    ...     except ZeroDivisionError:
    ...         target.read_text(), os.listdir(folder)
    ('1 2 3', ['numbers'])

    Raises ValueError for what is no name of a file, and OSError, with the path in its message, where it cannot be
    written: no such folder, a folder in its place, no permission, a name too long, a full disk.
    """
    target = checked_path(path)
    try:
        with interrupts_held():
            _replace(target, write)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


def checked_path(path: str | Path, name: str = "path") -> Path:
    """The path, with links followed; refuses, by ``name``, what is no name of a file.

    >>> checked_path("")
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: path: it must be the name of a file
    """
    if not isinstance(path, str | os.PathLike) or not (spelled := os.fspath(path)) or "\0" in spelled:
        raise Refused(name, repr(path) if path else None, "it must be the name of a file")
    return Path(os.path.realpath(spelled))


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold back SIGINT until the end of the block, in the main thread; there it does what it would have done.

    >>> try:
    ...     with interrupts_held():
    ...         signal.raise_signal(signal.SIGINT)
    ...         print("whole")
    ... except KeyboardInterrupt:
    ...     print("interrupted")
    whole
    interrupted
    """
    before = signal.getsignal(signal.SIGINT)
    if current_thread() is not main_thread() or before in (signal.SIG_IGN, None):
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


def _replace(target: Path, write: Callable[[BinaryIO], object]) -> None:
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        with open(target, "wb") as file:
            write(file)
        return
    if mode is not None:
        with open(target, "ab"):  # a folder, or a file that may not be written, says so before any work
            pass
    beside = target.with_name(f".gegenflow-{token_hex(8)}.part")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with open(descriptor, "wb") as file:
            if mode is not None:
                with suppress(OSError):
                    os.chmod(beside, stat.S_IMODE(mode))
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # the new name, too, is on the disk; not every system lets a folder be forced there
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
