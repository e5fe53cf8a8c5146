"""A study as data: what to do, at which parameters, how often, within which budget; in Python or in a file."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import product
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gegenflow.numerics.tokens.arguments import check_number, check_whole
from gegenflow.numerics.tokens.files import checked_path
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import record_html
from gegenflow.numerics.validation.command.arguments import LARGEST_EXPONENT
from gegenflow.numerics.validation.studies.subjects import Subject, subject_of

MOST_POINTS = 10_000_000
LARGEST_FILE = 10_000_000
UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Adaptive:
    """More repetitions where the mean of a quantity is least known, until its error bar is small enough everywhere.

    :param quantity: name of what a run leaves; of an array each entry counts
    :param error: standard error wanted of the mean, > 0
    :param most: repetitions of a point at most, >= 2 (default 1000)

    >>> Adaptive("measured", error=0.01, most=100)
    Adaptive(quantity='measured', error=0.01, most=100)

    Raises ValueError for numbers out of range. Source: derived here.
    """

    quantity: str
    error: float
    most: int = 1000

    _repr_html_ = record_html

    def __post_init__(self) -> None:
        if not isinstance(self.quantity, str) or not self.quantity:
            raise Refused("quantity", repr(self.quantity), "it must be the name of what a run leaves")
        object.__setattr__(self, "error", check_number("error", _number("error", self.error), above=0.0))
        object.__setattr__(self, "most", check_whole("most", self.most, 2, MOST_POINTS))


@dataclass(frozen=True)
class Study:
    r"""A law, or a simulation with observables, over a grid or a list of parameters, each point several times.

    Run r of a point draws from a stream that depends on the seed, on its parameters and on r alone, so that a study may
    grow without changing what is there.

    :param do: name of a law, "simulate" (tokens from a uniform start) or "solve_density" (from one orthonormal harmonic
        of an amplitude or, without a degree, from white noise on the circle)
    :param grid: lists of values of parameters, or ranges such as "1:8" or "0.5:2:0.25", by name, taken in all
        combinations, the last fastest; values are those of :class:`.Parameter`, and texts stay exact (default: none)
    :param points: parameters one by one in its place or, with a grid, each combined with all of it (default: none)
    :param fixed: parameters that hold for all (default: none)
    :param observe: observables of a simulation by name, such as "HarmonicPower(6)" (default: none)
    :param repeat: runs of each point, >= 1 (default 1)
    :param rng: seed >= 0, a whole number (default 0)
    :param budget: seconds > 0, or a text such as "40 min", after which no run is begun; None (default): all are
    :param adaptive: more runs where an error bar is widest; None (default): the same number everywhere

    >>> study = Study("hitting times", grid={"beta": "1:3", "tokens": [4, 8]}, repeat=2)
    >>> len(study), next(study.points_in_order())["beta"]
    (12, '1')

    Raises ValueError for unknown names, and values out of range. Source: derived here.

    See also :func:`.sweep`, :func:`.read_study`, :func:`.law_named`.
    """

    do: str
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    points: Sequence[Mapping[str, Any]] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    observe: Sequence[str] = ()
    repeat: int = 1
    rng: int = 0
    budget: float | str | None = None
    adaptive: Adaptive | None = None

    _repr_html_ = record_html

    def __post_init__(self) -> None:
        if not isinstance(self.do, str):
            raise Refused("do", repr(self.do), "it must be the name of a law, simulate or solve_density")
        for name in ("observe", "points"):
            if isinstance(getattr(self, name), str) or not isinstance(getattr(self, name), Sequence):
                raise Refused(name, repr(getattr(self, name)), "it must be a list")
        for name, table in (("grid", self.grid), ("fixed", self.fixed), *(("points", one) for one in self.points)):
            if not isinstance(table, Mapping):
                raise Refused(name, repr(table), "it must hold names of parameters and their values")
        try:
            subject = self.subject
        except Refused as error:
            raise Refused("do" if error.name == "name" else error.name, error.value, error.allowed) from error
        grid = {name: _values(subject, name, values) for name, values in self.grid.items()}
        points = tuple(_checked(subject, point) for point in self.points)
        told = [*grid, *self.fixed, *dict.fromkeys(name for point in points for name in point)]
        for name in told:
            if told.count(name) > 1:
                raise Refused(name, None, "it is given twice, in grid, points or fixed")
        changed = {
            "do": subject.name,
            "grid": MappingProxyType(grid),
            "points": points,
            "fixed": MappingProxyType(_checked(subject, self.fixed)),
            "observe": tuple(self.observe),
            "repeat": check_whole("repeat", self.repeat, 1, MOST_POINTS),
            "rng": check_whole("rng", self.rng, 0, 2**64 - 1),
            "budget": None if self.budget is None else seconds(self.budget),
        }
        for name, value in changed.items():
            object.__setattr__(self, name, value)
        if len(self) > MOST_POINTS:
            raise Refused("grid", len(self), f"a study has at most {MOST_POINTS:,} runs")

    @property
    def subject(self) -> Subject:
        """What is done at each point."""
        return subject_of(self.do, self.observe)

    @property
    def order(self) -> tuple[str, tuple[str, ...], int]:
        """What a worker is told beside the parameters of a run: what to do, what to observe, the seed."""
        return self.do, tuple(self.observe), self.rng

    def __len__(self) -> int:
        return prod(map(len, self.grid.values())) * max(1, len(self.points)) * self.repeat

    def points_in_order(self) -> Iterator[dict[str, Any]]:
        """Every parameter at each point."""
        subject = self.subject
        for point in self.points or [{}]:
            for values in product(*self.grid.values()):
                given = {**self.fixed, **point, **dict(zip(self.grid, values, strict=True))}
                yield subject.values(given)

    def to_dict(self) -> dict[str, Any]:
        """What a file keeps of it."""
        told = {f.name: getattr(self, f.name) for f in fields(self)}
        told |= {"grid": {name: list(values) for name, values in self.grid.items()}, "fixed": dict(self.fixed)}
        told |= {"points": [dict(point) for point in self.points], "observe": list(self.observe)}
        return told | {"adaptive": None if self.adaptive is None else vars(self.adaptive)}

    def __reduce__(self) -> tuple[Any, ...]:
        return made, (self.to_dict(),)

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_dict(), sort_keys=True))


def made(facts: Mapping[str, Any]) -> Study:
    """The study that a file or :meth:`Study.to_dict` tells.

    >>> made({"do": "hitting times", "grid": {"beta": ["1"]}}).repeat
    1

    Raises ValueError for a word that no study has, and as :class:`Study`.
    """
    known = [f.name for f in fields(Study)]
    facts = {**facts}
    for name in facts:
        if name not in known:
            raise Refused(name, None, f"a study has {', '.join(known)}")
    if "do" not in facts:
        raise Refused("do", None, "a study says what to do: the name of a law, simulate or solve_density")
    if (adaptive := facts.get("adaptive")) is not None:
        allowed = [f.name for f in fields(Adaptive)]
        if not isinstance(adaptive, Mapping) or not {"quantity", "error"} <= {*adaptive} <= {*allowed}:
            raise Refused("adaptive", None, f"it has {', '.join(allowed)}, the first two always")
        facts["adaptive"] = Adaptive(**adaptive)
    return Study(**facts)


def read_study(path: str | Path) -> Study:
    r"""The study in a TOML file with the words of :class:`Study`; its decimals stay as they are written.

    :param path: name of the file

    >>> from tempfile import NamedTemporaryFile
    >>> with NamedTemporaryFile("w", suffix=".toml") as file:
    ...     _ = file.write('do = "hitting times"\n[grid]\nbeta = [0.10, "1:3"]')
    ...     file.flush()
    ...     read_study(file.name).grid["beta"]
    ('0.1', '1', '2', '3')

    Raises ValueError, with its name, for what is no study, OSError for what cannot be read. Source: derived here.
    """
    with open(checked_path(path), "rb") as file:
        text = file.read(LARGEST_FILE + 1)
    try:
        if len(text) > LARGEST_FILE:
            raise ValueError(f"a study has at most {LARGEST_FILE:,} bytes")
        return made(tomllib.loads(text.decode(), parse_float=str))
    except (ValueError, RecursionError, OverflowError) as error:
        raise Refused("path", str(path), str(error) or type(error).__name__) from error


def seconds(span: Any) -> float:
    """A time in seconds, or as a text with a unit: s, min, h or d.

    >>> seconds("40 min"), seconds(2.5)
    (2400.0, 2.5)
    """
    found = re.fullmatch(r"\s*([0-9.]{1,20})\s*(s|min|h|d)?\s*", span) if isinstance(span, str) else None
    if isinstance(span, str) and (found is None or found[1].count(".") > 1 or found[1] == "."):
        raise Refused("budget", span, "it must be a time such as 90 s, 40 min, 2 h or 1 d")
    return check_number("budget", float(found[1]) * UNITS[found[2] or "s"] if found else span, above=0.0)


def _number(name: str, value: Any) -> Any:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        raise Refused(name, value, "it must be a number") from None


def _checked(subject: Subject, given: Mapping[str, Any]) -> dict[str, Any]:
    values = subject.values(given)
    return {name: values[name] for name in given}


def _values(subject: Subject, name: str, values: Any) -> tuple[Any, ...]:
    if not isinstance(values, Sequence) or isinstance(values, str):
        values = [values]
    if not values:
        raise Refused(name, None, "a list of at least one value is needed")
    flat = [one for value in values for one in (_range(name, value) if _is_range(value) else [value])]
    return tuple(dict.fromkeys(_checked(subject, {name: value})[name] for value in flat))


def _is_range(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9.eE+-]+(:[0-9.eE+-]+){1,2}", value) is not None


def _range(name: str, text: str) -> list[str]:
    from argparse import ArgumentTypeError

    from gegenflow.numerics.validation.command.arguments import Exact

    try:
        return Exact(f"{name}, from 0 to 1e{LARGEST_EXPONENT},").range(text)
    except ArgumentTypeError as error:
        raise Refused(name, None, str(error)) from error
