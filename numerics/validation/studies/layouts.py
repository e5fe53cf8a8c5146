"""Which parameters of a study are across and down in a picture, which have panels, and what holds in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

from gegenflow.numerics.tokens.refusals import Refused, choose
from gegenflow.numerics.validation.studies.findings import QUANTITY, Findings, Place, number_of

TIMES = "t"
"""The times of a simulation, in the place of a parameter."""
MOST_PANELS = 12


@dataclass(frozen=True)
class Layout:
    """Which parameters a figure has across and down, which each panel has its own of, and which are averaged over."""

    across: str | None
    down: str | None
    panels: tuple[str, ...] = ()
    averaged: tuple[str, ...] = ()


def layout_of(values: Mapping[str, Sequence[Any]], points: Collection[Place], *, over_time: bool = False) -> Layout:
    """The two parameters with most pairs of values, numbers before words, across and down; others in twelve panels.

    Words have panels before numbers, and few values before many; what has no panel is averaged over. Over time, which
    is then across, the parameter with most values is down.

    >>> values = {"dim": [2, 3], "beta": ["1", "2", "3"], "model": ["usa", "sa"]}
    >>> layout_of(values, [{"dim": dim, "beta": beta, "model": "sa"} for dim in (2, 3) for beta in ("1", "2", "3")])
    Layout(across='beta', down='dim', panels=('model',), averaged=())
    """
    words = {name: None in map(number_of, found) for name, found in values.items()}
    order = sorted(values, key=lambda name: (words[name], -len(values[name])))

    def rank(pair: Sequence[str]) -> tuple[int, int]:
        return -sum(words[name] for name in pair), _combined(points, pair)

    axes = (TIMES, *order[:1]) if over_time else max(combinations(order, 2), key=rank, default=tuple(order))
    panels = list[str]()
    rest = sorted((name for name in order if name not in axes), key=lambda name: (not words[name], len(values[name])))
    for name in rest:
        if _combined(points, (*panels, name)) <= MOST_PANELS:
            panels.append(name)
    across, down = (*axes, None, None)[:2]
    return Layout(across, down, tuple(panels), tuple(name for name in rest if name not in panels))


def _combined(points: Collection[Place], names: Sequence[str]) -> int:
    """How many combinations of values of some parameters there are."""
    return len({tuple(point[name] for name in names) for point in points})


def layout_with(findings: Findings, *, over_time: bool = False) -> Layout:
    """The layout of the figures of a study; of a law the quantities are down where no parameter is left for that."""
    layout = layout_of(findings.varying, findings.points.values(), over_time=over_time)
    if findings.law and layout.down is None and len(findings.quantities) > 1:
        return Layout(layout.across, QUANTITY)
    return layout


def panels_of(findings: Findings, layout: Layout) -> list[Place]:
    """What holds in each panel, of the combinations that are part of the study."""
    there = {tuple(point[name] for name in layout.panels) for point in findings.points.values()}
    every = product(*(findings.varying[name] for name in layout.panels))
    return [dict(zip(layout.panels, values, strict=True)) for values in every if values in there]


def chosen(
    findings: Findings, across: str | None, down: str | None, at: Any, names: tuple[str, str] = ("across", "down")
) -> tuple[Layout, dict[str, Any]]:
    """What a picture in one panel has across and down, and what holds in it: as given, else as :func:`layout_of` does.

    Without a quantity it is the one that was found most often; where one parameter of a law varies, all are down.
    """
    if not isinstance(at, Mapping | None):
        raise Refused("at", repr(at), "it must hold names of parameters and their values")
    values = findings.values
    held = {name: _held(name, value, values) for name, value in (at or {}).items()}
    known = [name for name in values if name not in held]
    for what, name in zip(names, (across, down), strict=True):
        allowed = known + [TIMES] * (what == "along" and not findings.law)
        if name is not None and name not in allowed:
            raise Refused(what, repr(name), choose(name, allowed))
    if across is not None and across == down:
        raise Refused(names[1], down, f"it must be another than {names[0]}")
    free = {name: found for name, found in findings.varying.items() if name not in (*held, across, down)}
    if QUANTITY not in (*held, across, down):
        if findings.law and down is None and len(free) + (across is not None) == 1:
            down = QUANTITY
        else:
            held[QUANTITY] = max(findings.quantities, key=lambda name: findings.often[name])
    fixed_at = {name: value for name, value in held.items() if name != QUANTITY}
    there = [point for point in findings.points.values() if all(point[n] == value for n, value in fixed_at.items())]
    layout = layout_of(free, there)
    rest = [name for name in (layout.across, layout.down, *layout.panels, *layout.averaged) if name is not None]
    across = across or (rest.pop(0) if rest else None)
    down = down or (rest.pop(0) if rest else None)
    return Layout(across, down, (), tuple(rest)), held


def _held(name: str, value: Any, values: Mapping[str, Sequence[Any]]) -> Any:
    if name not in values:
        raise Refused("at", repr(name), choose(name, values))
    for one in values[name]:
        if (
            one == value
            or str(one) == str(value)
            or (number_of(one) is not None and number_of(one) == number_of(value))
        ):
            return one
    raise Refused("at", f"{name} {value}", choose(value, values[name]))


def fixed(findings: Findings, layout: Layout) -> dict[str, Any]:
    """The values of the parameters that are neither axis nor panel at which most was found, the middle of several."""
    counts = Counter(tuple(one.place[name] for name in layout.averaged) for one in findings.found)
    most = [values for values, count in counts.items() if count == max(counts.values())]
    return dict(zip(layout.averaged, most[len(most) // 2], strict=True))
