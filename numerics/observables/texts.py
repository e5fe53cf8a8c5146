"""Observables in files: those of this package by their names and numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from gegenflow.numerics import observables
from gegenflow.numerics.tokens.refusals import Refused


def observables_text(observe: Sequence[Any]) -> str:
    """What a run keeps of its observables: names and arguments, as JSON; those of others by their name alone.

    >>> from gegenflow.numerics.observables import Energy, HarmonicPower
    >>> observables_text([Energy(), HarmonicPower(3)])
    '[["Energy", {}], ["HarmonicPower", {"max_degree": 3}]]'
    """
    told: list[object] = []
    for item in observe:
        kind = type(item).__name__
        ours = is_dataclass(item) and getattr(observables, kind, None) is type(item)
        told.append([kind, asdict(item)] if ours and not isinstance(item, type) else [item.name])
    return json.dumps(told)


def names_of(observe: Sequence[Any]) -> list[str]:
    """The names under which a run keeps observables: their own, with the arguments where several have one.

    >>> from gegenflow.numerics.observables import Clusters, Energy
    >>> names_of([Energy(), Clusters(0.5)])
    ['energy', 'cluster_count']
    >>> names_of([Clusters(0.1), Clusters(0.5), Clusters(0.5, coherence=0)])
    ['cluster_count(angle=0.1)', 'cluster_count(angle=0.5, coherence=0.9)', 'cluster_count(angle=0.5, coherence=0.0)']

    Raises ValueError for two that also have the same arguments, or none.
    """
    names = [item.name for item in observe]
    told = [_told_apart(item, [o for o in observe if o.name == item.name]) for item in observe]
    if len({*told}) < len(told):
        raise Refused("observe", ", ".join(names), "two of them have one name")
    return told


def _told_apart(item: Any, namesakes: Sequence[Any]) -> str:
    # its name, and those of its arguments that tell it from others of its kind, the first that do
    values = [asdict(other) if is_dataclass(other) and not isinstance(other, type) else {} for other in namesakes]
    own = next(value for value, other in zip(values, namesakes, strict=True) if other is item)
    left: list[dict[str, Any]] = [value for value in values if value is not own]
    shown: list[str] = []
    for argument, value in own.items():
        if any(other.get(argument) != value for other in left):
            left, shown = [other for other in left if other.get(argument) == value], [*shown, f"{argument}={value}"]
    return f"{item.name}({', '.join(shown)})" if shown else str(item.name)


def observables_again(text: object, observe: Sequence[Any] | None) -> Sequence[Any]:
    """The observables of a run that goes on: those of its file, or the same ones where they are given.

    >>> observables_again('[["HarmonicPower", {"max_degree": 3}]]', None)
    [HarmonicPower(max_degree=3)]
    >>> observables_again('[["mine"]]', None)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: observe: the run has mine, which no file holds; pass all of them again
    """
    told = json.loads(str(text)) if text is not None else []
    found = []
    for item in told if observe is None else ():
        kind = getattr(observables, item[0], None) if len(item) == 2 else None
        if not isinstance(kind, type):
            raise Refused("observe", None, f"the run has {item[0]}, which no file holds; pass all of them again")
        found.append(kind(**item[1]))
    return found if observe is None else observe


def observables_of(observe: Sequence[Any] | str) -> Sequence[Any]:
    """Observables as they are given, or those that the ``parameters`` of a run tell.

    >>> observables_of('[["Energy", {}]]')
    [Energy()]
    """
    if not isinstance(observe, str):
        return observe
    try:
        return observables_again(observe, None)
    except Refused:
        raise
    except (ValueError, TypeError, LookupError):
        raise Refused("observe", observe, "it must be a list of observables, or what a run has of them") from None
