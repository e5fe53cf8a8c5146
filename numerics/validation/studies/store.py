"""The folder of a study: one SQLite file in which a finished run is whole or not there, and what is made of it."""

from __future__ import annotations

import errno
import io
import json
import os
import platform
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np

import gegenflow
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.studies.study import Study, made
from gegenflow.numerics.validation.studies.subjects import Outcome

FILE, LOCK = "study.sqlite", "lock"
FORMAT = 1
TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE points (point INTEGER PRIMARY KEY, parameters TEXT NOT NULL UNIQUE);
CREATE TABLE runs (run INTEGER PRIMARY KEY, point INTEGER NOT NULL, repetition INTEGER NOT NULL,
    state TEXT NOT NULL, error TEXT, seconds REAL, result BLOB, UNIQUE (point, repetition));
CREATE INDEX states ON runs (state);
"""


@dataclass(frozen=True)
class Planned:
    """One run of a study: its number, its parameters, and which repetition of them it is."""

    run: int
    parameters: Mapping[str, Any]
    repetition: int


@dataclass(frozen=True)
class Finished:
    """A run that came to its end: what it left, or the error that ended it."""

    planned: Planned
    outcome: Outcome
    error: str | None
    seconds: float


class Store:
    """The runs of one study in a folder; ``with writing(folder) as store`` for the one process that may write.

    A run is added in one transaction, so that after a kill at any moment it is there as a whole or still planned.
    """

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file

    def study(self) -> Study:
        """The study that the folder holds."""
        return made(json.loads(self._fact("study")))

    def plan(self, study: Study) -> None:
        """Add the runs of a study that are not there yet, in its order.

        Raises ValueError where the folder holds runs of something else.
        """
        told = study.to_dict()
        if (known := self._fact("study", None)) is not None:
            before = json.loads(known)
            for name in ("do", "observe", "rng"):
                if before[name] != told[name]:
                    raise Refused(
                        name, told[name], f"the folder holds a study with {name} {before[name]}; take another"
                    )
        with self._file:
            if known is None:
                self._set("provenance", provenance())
            self._set("study", told)
            for parameters in study.points_in_order():
                text = json.dumps(parameters, sort_keys=True)
                self._file.execute("INSERT OR IGNORE INTO points (parameters) VALUES (?)", (text,))
                ((point,),) = self._file.execute("SELECT point FROM points WHERE parameters = ?", (text,))
                self.plan_more(point, study.repeat)

    def plan_more(self, point: int, repeat: int) -> None:
        """Plan runs of a point until there are ``repeat``."""
        add = "INSERT OR IGNORE INTO runs (point, repetition, state) VALUES (?, ?, 'planned')"
        self._file.executemany(add, ((point, repetition) for repetition in range(repeat)))

    def retry(self) -> None:
        """Plan failed runs again."""
        with self._file:
            self._file.execute("UPDATE runs SET state = 'planned', error = NULL WHERE state = 'failed'")

    def planned(self) -> Iterator[Planned]:
        """The runs that are still to be made, in their order, also those that are planned while it is read."""
        last, query = 0, f"{_PLANNED} WHERE state = 'planned' AND run > ? ORDER BY run LIMIT 1000"
        while rows := self._file.execute(query, (last,)).fetchall():
            yield from (_planned(row) for row in rows)
            last = rows[-1][0]

    def add(self, finished: Finished) -> None:
        """Put a finished run on the disk."""
        state = "done" if finished.error is None else "failed"
        facts = (state, finished.error, finished.seconds, packed(finished.outcome), finished.planned.run)
        with self._file:
            self._file.execute("UPDATE runs SET state = ?, error = ?, seconds = ?, result = ? WHERE run = ?", facts)

    def finished(self, number: int | None = None) -> Iterator[Finished]:
        """Every run that came to its end, by number, or the one of a number."""
        query = f"{_PLANNED} WHERE state != 'planned' AND run = ifnull(?, run) ORDER BY run"
        for *head, result, error, seconds in self._file.execute(query, (number,)):
            yield Finished(_planned(head), unpacked(result), error, seconds)

    def run(self, number: int) -> Finished:
        """One finished run.

        Raises ValueError where there is none of this number.
        """
        for found in self.finished(number):
            return found
        raise Refused("run", number, "the study has no finished run of this number")

    def copied_into(self, file: sqlite3.Connection) -> None:
        """Copy all of it."""
        self._file.backup(file)

    def points(self) -> Iterator[tuple[int, int]]:
        """Each point and how many runs of it are planned or made."""
        yield from self._file.execute("SELECT point, count(*) FROM runs GROUP BY point ORDER BY point").fetchall()

    def results(self, point: int) -> Iterator[Outcome]:
        """What the runs of a point left, in their order."""
        query = "SELECT result FROM runs WHERE point = ? AND state = 'done' ORDER BY repetition"
        yield from (unpacked(row[0]) for row in self._file.execute(query, (point,)))

    def counts(self) -> dict[str, int]:
        """How many runs are planned, done, failed."""
        counted = dict(self._file.execute("SELECT state, count(*) FROM runs GROUP BY state").fetchall())
        return {state: counted.get(state, 0) for state in ("planned", "done", "failed")}

    def facts(self) -> dict[str, Any]:
        """Versions, machine and study."""
        return {"study": json.loads(self._fact("study")), **json.loads(self._fact("provenance"))}

    def _fact(self, name: str, *default: Any) -> Any:
        row = self._file.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        if row is None and not default:
            raise Refused("folder", None, "it holds no study")
        return default[0] if row is None else row[0]

    def _set(self, name: str, value: Any) -> None:
        self._file.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))


_PLANNED = "SELECT run, parameters, repetition, result, error, seconds FROM runs JOIN points USING (point)"


@contextmanager
def writing(folder: str | Path) -> Iterator[Store]:
    """The store of a folder, made where there is none, for one process at a time.

    Raises ValueError where another sweep writes there, or the file is no study; OSError, with the path, where nothing
    can be written: no permission, a full disk.
    """
    folder = folder_of(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder), _opened(folder, "rwc") as file, _told(folder):
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        if not file.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone():
            file.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {FORMAT}; COMMIT;")
        _check_format(file, folder)
        yield Store(file)


@contextmanager
def reading(folder: str | Path) -> Iterator[Store]:
    """The store of a folder to read from, also while a sweep writes.

    Raises ValueError where the folder holds no study.
    """
    folder = folder_of(folder)
    if not (folder / FILE).is_file():
        raise Refused("folder", str(folder), f"it holds no study: there is no {FILE} in it")
    with _opened(folder, "rw" if os.access(folder, os.W_OK) else "ro") as file, _told(folder):
        _check_format(file, folder)
        yield Store(file)


@contextmanager
def imagined(study: Study, folder: str | Path | None) -> Iterator[Store]:
    """A store in memory with the runs of a study, and what a folder holds of them: nothing is written."""
    with closing(sqlite3.connect(":memory:")) as memory:
        if folder is not None and (folder_of(folder) / FILE).is_file():
            with reading(folder) as there:
                there.copied_into(memory)
        else:
            memory.executescript(TABLES)
        store = Store(memory)
        store.plan(study)
        yield store


def packed(outcome: Outcome) -> bytes:
    """Arrays by name as bytes, the same for the same arrays.

    >>> unpacked(packed({"rate": np.array([1.0, np.nan])}))["rate"].tolist()
    [1.0, nan]
    """
    file = io.BytesIO()
    np.savez(file, **outcome)  # type: ignore[arg-type]
    return file.getvalue()


def unpacked(data: bytes | None) -> Outcome:
    """The arrays that :func:`packed` made bytes of."""
    if not data:
        return {}
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return dict(arrays)


def provenance() -> dict[str, Any]:
    """Versions of all that is installed, and the machine.

    >>> provenance()["versions"]["numpy"] == np.__version__
    True
    """
    versions = {str(one.metadata["Name"]).lower(): one.version for one in distributions() if one.metadata["Name"]}
    machine = {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()}
    machine |= {"python": platform.python_version()}
    return {"version": gegenflow.__version__, "versions": dict(sorted(versions.items())), "machine": machine}


def _planned(row: Sequence[Any]) -> Planned:
    return Planned(row[0], json.loads(row[1]), row[2])


def folder_of(folder: str | Path) -> Path:
    """A folder, or one that can be made.

    >>> folder_of("")
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: folder '': it must be the name of a folder
    """
    if not isinstance(folder, str | Path) or not str(folder).strip() or "\0" in str(folder):
        raise Refused("folder", repr(folder), "it must be the name of a folder")
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise Refused("folder", str(folder), "it is a file; a study takes a folder")
    return path


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    import fcntl

    with open(folder / LOCK, "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused("folder", str(folder), "another sweep is at work in it") from None
        yield


@contextmanager
def _opened(folder: Path, mode: str) -> Iterator[sqlite3.Connection]:
    address = f"{(folder / FILE).absolute().as_uri()}?mode={mode}"
    with _told(folder), closing(sqlite3.connect(address, uri=True, timeout=10.0)) as file:
        yield file


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """What SQLite says, as errors of the system that name the file."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        path, code = folder / FILE, getattr(error, "sqlite_errorname", "")
        if code.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")) or isinstance(error, sqlite3.IntegrityError):
            raise Refused("folder", str(folder), f"its {FILE} is no study of this program: {error}") from error
        number = errno.ENOSPC if code.startswith(("SQLITE_FULL", "SQLITE_IOERR")) else errno.EACCES
        raise OSError(number, f"{os.strerror(number)} ({error})", str(path)) from error


def _check_format(file: sqlite3.Connection, folder: Path) -> None:
    ((found,),) = file.execute("PRAGMA user_version")
    if found != FORMAT:
        raise Refused("folder", str(folder), f"its {FILE} has format {found}, this version reads {FORMAT}")
