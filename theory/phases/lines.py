"""Boundaries in one parameter, and lines of coexistence in the plane of two: what a search for them returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from html import escape
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import sympy as sp
from flint import fmpq

from gegenflow.pictures import GREEK, MUTED, axes_of, columns, of_degree, overridden
from gegenflow.theory.exact.arguments import Real, check_real
from gegenflow.theory.exact.certified import Certified
from gegenflow.theory.exact.values import Frozen, brief, record_html

if TYPE_CHECKING:
    from gegenflow.pictures import Axes


@dataclass(frozen=True)
class Boundary:
    """A value of a parameter at which the leading degree changes.

    :param value: the parameter, certified
    :param below: degree that leads below it; 0 is the uniform state
    :param above: degree that leads above it; 0 is the uniform state
    """

    value: Certified
    below: int
    above: int

    _repr_html_ = record_html


@dataclass(frozen=True)
class Boundaries:
    """All boundaries in an interval of a parameter, and the pieces of it for which that is not proved.

    :param parameter: the symbol that varies
    :param low: lower end of the interval, exact
    :param high: upper end of the interval, exact
    :param degrees: the leaders from the low end to the high end, between the boundaries and the unresolved pieces
    :param boundaries: where the leader changes, in increasing order
    :param unresolved: pieces (low, high) for which nothing is proved; empty where the list is complete
    :param vanishes: where the mean of the weight, by which SA divides, is 0 within the interval; None where nowhere
    :param reach: the part searched: up to there from the low end, or from there on if the mean is positive at the high
        end alone

    See also :func:`.boundaries`.
    """

    parameter: sp.Symbol
    low: fmpq
    high: fmpq
    degrees: tuple[int, ...]
    boundaries: tuple[Boundary, ...]
    unresolved: tuple[tuple[float, float], ...]
    vanishes: Certified | None
    reach: tuple[fmpq, fmpq] = field(repr=False)

    _repr_html_ = record_html

    @property
    def complete(self) -> bool:
        """Whether it is proved that there are no others."""
        return not self.unresolved

    def pieces(self) -> list[tuple[float, float, int]]:
        """Where one degree leads, from low to high: the two ends and the degree.

        >>> from gegenflow.theory.phases.isolation import boundaries
        >>> [degree for _, _, degree in boundaries("exp(beta*t)", 2, (1, 4), digits=5).pieces()]
        [1, 2, 3]
        """
        edges = sorted([*self.unresolved, *((float(edge.value), float(edge.value)) for edge in self.boundaries)])
        first, last = (float(Fraction(int(end.p), int(end.q))) for end in self.reach)
        starts, ends = [first, *(high for _, high in edges)], [*(low for low, _ in edges), last]
        return list(zip(starts, ends, self.degrees, strict=True))

    def plot(self, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
        """The staircase of leading degrees over the parameter; hatched where it is not proved which one leads.

        :param ax: axes to draw on, the current ones by default
        :param kwargs: options of ``Axes.plot`` for the steps

        See also :meth:`.Coexistence.plot`.
        """
        ax, top = axes_of(ax), None
        for low, high, degree in self.pieces():
            if top is not None and top[0] == low:
                ax.plot([low, low], [top[1], degree], color=MUTED, linestyle="-", linewidth=0.8)
            style = {"color": of_degree(degree)["color"], "linestyle": "-", "linewidth": 3.0, "solid_capstyle": "butt"}
            ax.plot([low, high], [degree, degree], **overridden(style, kwargs))
            top = high, degree
        for low, high in self.unresolved:
            ax.axvspan(low, high, facecolor="none", edgecolor=MUTED, hatch="///", linewidth=0)
        name = str(self.parameter)
        ax.set(xlabel=GREEK.get(name, name), ylabel="leading degree", yticks=sorted({*self.degrees}))
        return ax


class Coexistence(Frozen[Real, Boundaries]):
    """Boundaries across one parameter for each value along another: a mapping.

    :param items: {value along: boundaries across}
    :param along: the symbol that takes the values

    See also :func:`.coexistence`.
    """

    __slots__ = ("along",)

    def __init__(self, items: Mapping[Real, Boundaries], along: sp.Symbol) -> None:
        super().__init__(items)
        self.along = along

    def __reduce__(self) -> tuple[Any, ...]:
        return Coexistence, (dict(self), self.along)

    def __repr__(self) -> str:
        return brief("\n".join(f"{self.along} = {value}: {cut}" for value, cut in self.items()))

    def _repr_html_(self) -> str:
        lines = (f"<tr><th>{escape(str(value))}</th><td>{_told(cut)}</td></tr>" for value, cut in self.items())
        return "\n".join(["<table>", f"<caption>along {self.along}</caption>", *lines, "</table>"])

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """The plane of the two parameters, shaded and numbered by the leading degree, with all boundaries as lines.

        A column stands for each value along; white is where it is not proved which degree leads.

        :param ax: axes to draw on, the current ones by default

        See also :meth:`.Boundaries.plot`.
        """
        ax = axes_of(ax)
        places = (float(check_real(value, str(self.along), "a number is needed", symbols=False)) for value in self)
        columns(ax, {place: cut.pieces() for place, cut in zip(places, self.values(), strict=True)})
        names = [str(self.along), *{str(cut.parameter) for cut in self.values()}]
        ax.set(xlabel=GREEK.get(names[0], names[0]), ylabel=GREEK.get(names[-1], names[-1]))
        return ax


def _told(cut: Boundaries) -> str:
    """The leaders of a cut, with the boundaries between them where all are known."""
    if not cut.complete:
        return ", ".join(map(str, cut.degrees)) + ", not proved everywhere"
    values = (f" | {edge.value.value} | " for edge in cut.boundaries)
    return "".join(part for pair in zip_longest(map(str, cut.degrees), values, fillvalue="") for part in pair)
