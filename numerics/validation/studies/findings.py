"""What a study found, for pictures and pages: a finding for each check of a law, or for each observable at a point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import ndtri

from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.validation.studies.store import Finished
from gegenflow.numerics.validation.studies.study import Study
from gegenflow.numerics.validation.studies.subjects import STARTS

Place = Mapping[str, Any]
Key = tuple[Any, ...]
Series = tuple[Array, Array, Array]
"""Times, means, standard errors."""

QUANTITY = "quantity"
"""What is compared or observed, told with the parameters of a point."""
CERTAIN = 0.9999
"""Chances from here on are those of data that fit too well to say by how much."""
STILL = 1e-12
"""Relative change of an observable that is rounding."""


@dataclass(frozen=True)
class Finding:
    """A check of a law, or the mean of an observable at the last time over the repetitions of a point.

    ``place`` holds the parameters and the quantity; ``predicted`` and ``chance`` are nan of an observable; ``counted``
    is whether a chi-square decides and not an error bar.
    """

    run: int
    place: Place
    name: str
    predicted: float
    measured: float
    error: float
    chance: float
    verdict: str
    counted: bool = False

    @property
    def kind(self) -> str:
        """The verdict without what follows from it: agrees, differs, undecided, bar too wide; reached, stopped."""
        return "bar too wide" if self.verdict.startswith("bar") else self.verdict.partition(",")[0]

    @property
    def off(self) -> float:
        """How many error bars the measurement lies above the prediction."""
        with np.errstate(divide="ignore", invalid="ignore"):
            bars = float(np.divide(self.measured - self.predicted, self.error))
        return 0.0 if self.measured == self.predicted and self.error == 0 else bars

    @property
    def score(self) -> float:
        """The same of counts by how rarely chance has their chi-square: normal where the prediction is true."""
        return float(-ndtri(min(self.chance, CERTAIN))) if self.counted else self.off


@dataclass(frozen=True)
class Findings:
    """All of a study: what was found, what failed, what is still to be made, and which parameters vary.

    ``varying`` has the values of each parameter that has more than one, by size where they are numbers; ``series`` the
    observables over time, by the key of a point and the quantity; ``ends`` counts how runs of a simulation ended.
    """

    study: Study
    facts: Mapping[str, Any]
    counts: Mapping[str, int]
    points: Mapping[Key, Place]
    found: Sequence[Finding]
    failed: Sequence[Finished]
    waiting: Sequence[Place]
    series: Mapping[Key, Mapping[str, Series]]
    ends: Counter[str]

    @property
    def law(self) -> bool:
        """Whether the study tries a law."""
        return self.study.do not in STARTS

    @property
    def told(self) -> str:
        """How many runs there are, in one line."""
        done, failed, planned = (self.counts[state] for state in ("done", "failed", "planned"))
        return f"{done:,} runs done, {failed:,} failed, {planned:,} to be made"

    @cached_property
    def varying(self) -> dict[str, list[Any]]:
        """The parameters that have several values, and these; a parameter that others tell is none of them."""
        names = next(iter(self.points.values()), {})
        values = {name: ordered([place[name] for place in self.points.values()]) for name in names}
        kept = [name for name in names if len(values[name]) > 1]
        for name in sorted(kept, key=lambda one: len(values[one])):
            others = [other for other in kept if other != name]
            if len({tuple(place[o] for o in others) for place in self.points.values()}) == len(self.points):
                kept = others
        return {name: values[name] for name in kept}

    @property
    def values(self) -> dict[str, list[Any]]:
        """What a picture can have on an axis: the parameters that vary, and the quantities."""
        return {**self.varying, QUANTITY: self.quantities}

    @cached_property
    def quantities(self) -> list[str]:
        """What was compared, in the order in which it came; what was observed, less what never changes."""
        ranges: dict[str, list[float]] = {}
        for curves in self.series.values():
            for name, (_, mean, _) in curves.items():
                known = mean[np.isfinite(mean)]
                ranges.setdefault(name, []).extend([known.min(), known.max()] if len(known) else [])
        still = {name for name, ends in ranges.items() if ends and np.ptp(ends) <= STILL * np.max(np.abs(ends))}
        return [name for name in self.often if name not in still]

    @cached_property
    def often(self) -> Counter[str]:
        """How often each quantity was found."""
        return Counter({name: len(found) for name, found in self.of.items()})

    @cached_property
    def of(self) -> dict[str, list[Finding]]:
        """The findings of each quantity."""
        held: dict[str, list[Finding]] = {}
        for one in self.found:
            held.setdefault(one.place[QUANTITY], []).append(one)
        return held


def key_of(place: Place) -> Key:
    """What tells a point from another.

    >>> key_of({"beta": "1", "dim": 2})
    ('1', 2)
    """
    return tuple(place.values())


def number_of(value: Any) -> float | None:
    """The number that a value of a parameter is, or None for words.

    >>> number_of("1/4"), number_of(3), number_of("usa"), number_of(None)
    (0.25, 3.0, None, None)
    """
    try:
        return float(Fraction(value))
    except (ValueError, TypeError, OverflowError, ZeroDivisionError):
        return None


def ordered(values: Sequence[Any]) -> list[Any]:
    """Each value once, by size where all are numbers, else as they come.

    >>> ordered(["10", "9", "10"]), ordered(["usa", "sa"])
    (['9', '10'], ['usa', 'sa'])
    """
    once = list(dict.fromkeys(values))
    numbers = {value: number_of(value) for value in once}
    return once if None in numbers.values() else sorted(once, key=lambda value: numbers[value] or 0.0)
