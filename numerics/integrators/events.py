"""Events: where in a step an observable crosses a level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from math import isfinite
from typing import Any, Generic, TypeVar

import numpy as np
from scipy.optimize import brentq

from gegenflow.numerics.tokens.arguments import check_number
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import Value, record_html

State = TypeVar("State")

FINEST = 1e-15  # of a step: closer a crossing is not located


@dataclass(frozen=True)
class Crossing:
    """The crossing of a level by an observable, for ``stop_when`` and ``record_when``.

    :param observable: what the solver observes with, such as :class:`.Energy`: gives one number, or an array
    :param level: any finite number, in the units of the observable
    :param index: which entry of the array counts, such as the degree of a :class:`.HarmonicPower`; None (default):
        the observable gives one number
    :param rising: True for crossings from below alone, False for those from above, None (default) for both

    >>> Crossing(len, 0.5, rising=True).level
    0.5

    Raises ValueError for a level that is not finite and an observable that is none.

    See also :func:`.simulate`, :func:`.solve_density`, :class:`.Event`.
    """

    observable: Callable[..., Any]
    level: float
    index: int | tuple[int, ...] | None = None
    rising: bool | None = None

    _repr_html_ = record_html

    def __post_init__(self) -> None:
        if isinstance(self.observable, type) or not (
            callable(self.observable) or hasattr(self.observable, "of_density")
        ):
            raise Refused("observable", self.observable, "it must be an observable such as Energy()")
        check_number("level", self.level)
        if not (self.rising is None or isinstance(self.rising, bool | np.bool)):
            raise Refused("rising", self.rising, "it must be True, False or None")

    @property
    def name(self) -> str:
        """What is watched, for a status."""
        name = str(getattr(self.observable, "name", getattr(self.observable, "__name__", "the observable")))
        return name if self.index is None else f"{name} {self.index}"


@dataclass(frozen=True, eq=False)
class Watch(Generic[State]):
    """A level to watch: the number to look at, in which direction it has to cross, and whether the run stops there.

    ``name`` is for the status; ``rising`` None means both directions.
    """

    name: str
    value: Callable[[State], float]
    level: float
    rising: bool | None = None
    stops: bool = False


@dataclass(frozen=True, eq=False)
class Event(Value, Generic[State]):
    """A crossing found, one of the ``events`` of a run.

    :param which: number of the crossing, >= 0, in the order of ``stop_when`` and then ``record_when``
    :param name: what was watched
    :param time: when it was crossed, in the time of the flow
    :param value: what the observable gives there, on the far side of the level or on it
    :param rising: True where it came from below
    :param state: where the solver was: the tokens of a run, the coefficients of a density, or the state integrated

    See also :class:`.Crossing`.
    """

    which: int
    name: str
    time: float
    value: float
    rising: bool
    state: State

    _repr_html_ = record_html


class Lookout(Generic[State]):
    """Looks at every step for crossings of the watches, from a first state on.

    A value that leaves the level and comes back within one step is not seen.  Crossings are located on the far side of
    the level, to rounding or 1e-15 of the step.

    >>> lookout = Lookout([Watch("height", lambda x: x, 2.0)], 1.0)
    >>> (event,) = lookout.look(lambda t: t**2, 1.0, 2.0)
    >>> abs(event.time - 2**0.5) < 1e-14, event.rising, lookout.look(lambda t: t**2, event.time, 2.0)
    (True, True, [])
    """

    def __init__(self, watches: Sequence[Watch[State]], state: State) -> None:
        self.watches, self.values = watches, [watch.value(state) for watch in watches]
        self.numbers = [*map(isfinite, self.values)]  # which have ever been one

    @property
    def unseen(self) -> str:
        """What a status says of watches that have never been a number, and so cannot have crossed anything."""
        names = [watch.name for watch, number in zip(self.watches, self.numbers, strict=True) if not number]
        return f", but {' and '.join(names)} was never a finite number" if names else ""

    def look(self, at: Callable[[float], State], before: float, now: float) -> list[Event[State]]:
        """The crossings in a step from ``before`` to ``now``, in order, up to the first that stops."""
        found, state = [], at(now)
        for which, watch in enumerate(self.watches):
            old, self.values[which] = self.values[which], watch.value(state)
            new = self.values[which]
            self.numbers[which] |= isfinite(new)
            rising = new >= watch.level
            crossed = isfinite(old) and isfinite(new) and rising != (old >= watch.level)
            if crossed and watch.rising in (None, rising):
                time = _crossing(watch, at, before, now, old - watch.level)
                there = at(time)
                found.append(Event(which, watch.name, time, watch.value(there), rising, there))
        found.sort(key=lambda event: event.time)
        stops = [number for number, event in enumerate(found) if self.watches[event.which].stops]
        return found[: stops[0] + 1] if stops else found


def _crossing(watch: Watch[State], at: Callable[[float], State], before: float, now: float, old: float) -> float:
    # the first moment known to be on the other side of the level, which counts as above
    def here(time: float) -> float:
        return old if time == before else watch.value(at(time)) - watch.level

    if here(now) == 0 or now == before:
        return now
    width = max(FINEST * (now - before), 5e-324)
    time = float(brentq(here, before, now, xtol=width)) if old != 0 else before
    while time < now and (here(time) >= 0) == (old >= 0):
        width *= 2
        time = min(time + max(width, 2e-16 * abs(time)), now)
    return time


def watches(
    stop_when: Crossing | Sequence[Crossing],
    record_when: Crossing | Sequence[Crossing],
    looks: Callable[[Crossing], Callable[[State], object]],
) -> list[Watch[State]]:
    """What the driver looks for; ``looks`` maps a crossing to what its observable makes of a state of the solver.

    >>> looks = watches(Crossing(len, 1.0), [Crossing(sum, 2.0)], lambda crossing: crossing.observable)
    >>> [watch.stops for watch in looks]
    [True, False]
    """
    found = []
    for name, given in (("stop_when", stop_when), ("record_when", record_when)):
        for crossing in crossings(name, given):
            value = _number(looks(crossing), crossing.index, name)
            found.append(Watch(crossing.name, value, float(crossing.level), crossing.rising, name == "stop_when"))
    return found


def crossings(name: str, given: Crossing | Sequence[Crossing]) -> Sequence[Crossing]:
    """One crossing or several, as a list; refuses anything else under the name of the argument.

    >>> crossings("stop_when", 3)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: stop_when 3: it must be a Crossing, or a list of them
    """
    found = (given,) if isinstance(given, Crossing) else given
    if not isinstance(found, Sequence) or not all(isinstance(crossing, Crossing) for crossing in found):
        raise Refused(name, repr(given), "it must be a Crossing, or a list of them")
    return found


def check_observable(name: str, observable: object, takes: str, *, seen: str = "__call__") -> None:
    """Refuse, by the ``name`` of its argument, what cannot be called with what a solver gives: ``takes``, in words.

    ``seen`` is the method that is called.

    >>> check_observable("observe", len, "density, flow")
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: observe <built-in function len>: it must be a function of density, flow
    """
    look = observable if seen == "__call__" else getattr(observable, seen, None)
    fits = callable(look) and not isinstance(observable, type)
    if fits and callable(look):
        try:
            signature(look).bind(*takes.split(", "))
        except TypeError:
            fits = False
        except ValueError:
            pass  # compiled, and does not tell
    if not fits:
        what = f"it must be a function of {takes}" if seen == "__call__" else f"it has no {seen}({takes})"
        raise Refused(name, repr(observable), what)


def _number(
    look: Callable[[State], object], index: int | tuple[int, ...] | None, name: str
) -> Callable[[State], float]:
    def value(state: State) -> float:
        seen = np.asarray(look(state))
        if seen.dtype.kind not in "biuf":
            raise Refused(name, None, f"the observable gives {str(seen)[:40]}, of dtype {seen.dtype}, no real number")
        if index is None and seen.ndim:
            raise Refused(
                name, f"of shape {seen.shape}", "the observable must be one number, or index= must choose one"
            )
        try:
            return float(seen if index is None else seen[index])
        except (IndexError, TypeError) as problem:
            raise Refused(name, f"index {index}", f"the observable has shape {seen.shape}") from problem

    return value
