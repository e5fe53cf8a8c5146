"""The outcome of a race of degrees: who is first to emerge, with which chances, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isnan
from typing import TYPE_CHECKING, Any

import flint
from flint import arb

from gegenflow.pictures import COLORS, axes_of
from gegenflow.theory.exact.arguments import Real
from gegenflow.theory.exact.certified import Certified
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.values import Frozen, record_html
from gegenflow.theory.finite_tokens.emergence import (
    Racer,
    first_time,
    joint_survival,
    racers,
    token_strength,
    unit_interval,
)
from gegenflow.theory.finite_tokens.races import PRECISION
from gegenflow.theory.kernels.kernel import Kernel

if TYPE_CHECKING:
    from gegenflow.pictures import Axes

BETWEEN = "it must lie strictly between 0 and 1"
FAINTEST = 1e-30
"""The least probability of which 128 bits give the quantile."""
SHOWN = 1e-3
"""The least probability that has a bar."""


@dataclass(frozen=True)
class SelectionLaw:
    """Which degree is the first to reach an amplitude, and the time T >= 0 when it does, of one race.

    :param dim: d of the sphere S^{d-1}, >= 2
    :param beta: inverse temperature; None where a kernel without beta takes its place
    :param kernel: attention weight h(t), with the value of beta if it holds one; None: exp(beta*t)
    :param model: "usa" (unnormalised) or "sa" (softmax)
    :param tokens: number of tokens N, >= 2
    :param amplitude: the amplitude a to reach, 0 < a < 1
    :param selection: {degree of the race: probability that it is first}; one that hardly ever emerges is left out
    :param already: probability that one of them is there at the start (T = 0, no degree is selected; small where N a^2
        is large): with those of ``selection`` it adds up to 1
    :param mean: mean of T, in the flow's time
    :param error: bound on the error of each probability
    :param max_degree: the last degree that races, if it grows
    :param rates: {degree of the race: growth rate}

    Source: derived here.

    See also :func:`.selection_law`.
    """

    dim: int
    beta: Real
    kernel: Kernel | None
    model: str
    tokens: int
    amplitude: float
    selection: Mapping[int, float]
    already: float
    mean: float
    error: float
    max_degree: int
    rates: Mapping[int, Certified] = field(repr=False)

    _repr_html_ = record_html

    def __post_init__(self) -> None:
        object.__setattr__(self, "selection", Frozen(self.selection))
        object.__setattr__(self, "rates", Frozen(self.rates))

    def survival(self, time: float) -> float:
        r"""Probability :math:`P(T > t) = \prod_k P(T_k > t)` that no degree has emerged by t = ``time``, any number.

        >>> from gegenflow.theory.finite_tokens.selection import selection_law
        >>> law = selection_law(2, 5, 2000)
        >>> 1 > law.survival(0.1) > law.survival(0.2) > 0 == law.survival(float("inf"))
        True

        Raises ValueError for a time that is no number.
        """
        when = _time(time)
        with flint.ctx.workprec(PRECISION):
            return 1.0 if when < 0 else 0.0 if when == inf else float(joint_survival(self._race(), when))

    def quantile(self, probability: float) -> float:
        """The time by which a degree has emerged with this ``probability``; 0 where that is so at the start.

        >>> from gegenflow.theory.finite_tokens.selection import selection_law
        >>> law = selection_law(3, 6, 1000)
        >>> round(1 - law.survival(law.quantile(0.9)), 12)
        0.9

        Raises ValueError unless 1e-30 <= probability < 1.
        """
        emerged = check_probability(probability)
        if emerged < FAINTEST:
            raise Refused("probability", probability, f"quantiles are worked out from {FAINTEST:g} on")
        with flint.ctx.workprec(PRECISION):
            race = self._race()
            return first_time(lambda time: bool(1 - joint_survival(race, time) >= emerged), race)

    @property
    def median(self) -> float:
        """The time by which a degree has emerged in half of all runs."""
        return self.quantile(0.5)

    def plot(self, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
        """Bars of the probability that each degree is first, and that one of them is there at the start.

        :param ax: axes to draw on, the current ones by default
        :param kwargs: options of ``Axes.bar``
        """
        ax = axes_of(ax)
        bars = {str(degree): chance for degree, chance in self.selection.items() if chance >= SHOWN}
        bars |= {"at start": self.already} if self.already >= SHOWN else {}
        style: dict[str, Any] = {"color": COLORS[0], "width": 0.6}
        ax.bar(list(bars), list(bars.values()), **style | kwargs)
        ax.set(xlabel="degree that emerges first", ylabel="probability")
        weight = f"β = {self.beta}" if self.kernel is None else f"h = {self.kernel.weight}"
        ax.set_title(f"dim {self.dim}, {weight}, N = {self.tokens}, a = {self.amplitude:g}")
        return ax

    def _race(self) -> list[Racer]:
        return racers(self.rates, self.dim, arb(token_strength(self.tokens, self.amplitude)))


def check_probability(probability: Real) -> float:
    """The probability as a float, or a ValueError unless it lies strictly between 0 and 1."""
    return unit_interval(probability, "probability", BETWEEN)


def _time(time: float | str) -> float:
    try:
        when = float(time)
    except (TypeError, ValueError, OverflowError) as error:
        raise Refused("time", time, "a number is needed") from error
    if isnan(when):
        raise Refused("time", time, "a number is needed")
    return when
