"""The stability diagram: rectangles in the plane of beta and kappa, each with the degree that is proved to lead."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from heapq import heapify, heappop, heappush
from itertools import pairwise
from math import fsum, inf, log, sqrt
from typing import TYPE_CHECKING

import flint
import sympy as sp

from gegenflow import __version__
from gegenflow.theory.exact.arguments import Expr, Real, check_real
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.tables import Cell, Table
from gegenflow.theory.exact.values import record_html
from gegenflow.theory.kernels.attention import KernelLike, attention
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.phases.curves import BITS
from gegenflow.theory.phases.diagram import selected_degree
from gegenflow.theory.phases.isolation import check_interval, float_towards
from gegenflow.theory.phases.leaders import Scores, scores_of
from gegenflow.theory.phases.thresholds import led
from gegenflow.theory.symbols import beta as BETA

if TYPE_CHECKING:
    from gegenflow.pictures import Axes

FIRST, MOST = 16, 4096
"""Intervals of beta at the start, and at most."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class StabilityCell:
    """A rectangle of beta and kappa all over which one degree leads, proved. Source: derived in :func:`stability`.

    :param degree: degree of the harmonic that leads; 0 is the uniform state, which is stable
    :param beta: inverse temperature, the ends of its interval
    :param kappa: the ends of its interval of the inverse noise
    """

    degree: int
    beta: Interval
    kappa: Interval

    _repr_html_ = record_html


@dataclass(frozen=True)
class StabilityDiagram:
    """Which degree leads where in the plane of beta and the inverse noise kappa. Source: derived in :func:`stability`.

    :param dim: d of the sphere S^{d-1}
    :param model: "usa" (unnormalised) or "sa" (softmax)
    :param kernel: attention weight h(t), a function of beta
    :param beta: inverse temperature, the ends of the interval, rounded inward to floats
    :param kappa: the ends of the interval of the inverse noise, rounded inward to floats
    :param max_degree: highest degree compared; None where a bound rules out those above
    :param unresolved: share of the plane, measured in beta and log kappa, that lies in none of the cells
    :param degrees: the degrees that have cells
    :param cells: the cells, from low to high beta, each interval of beta from low to high kappa

    See also :func:`.boundaries`, :func:`.noise_threshold`.
    """

    dim: int
    model: str
    kernel: Kernel
    beta: Interval
    kappa: Interval
    max_degree: int | None
    unresolved: float
    degrees: tuple[int, ...]
    cells: tuple[StabilityCell, ...] = field(repr=False)

    _repr_html_ = record_html

    def degree_at(self, beta: Real, kappa: Real) -> int:
        """The degree that leads at a point, proved: that of its cell, else what comparing all degrees there gives.

        :param beta: inverse temperature, a number >= 0 within the diagram
        :param kappa: inverse noise, a number > 0 within the diagram

        Raises Refused outside the diagram, and as :func:`~gegenflow.theory.phases.selected_degree`.
        """
        x, y = _within("beta", beta, self.beta), _within("kappa", kappa, self.kappa)
        if x.is_Rational and y.is_Rational:
            for cell in self.cells:
                if cell.beta[0] <= x <= cell.beta[1] and cell.kappa[0] <= y <= cell.kappa[1]:
                    return cell.degree
        return selected_degree(
            x, self.dim, kernel=self.kernel, noise=1 / y, model=self.model, max_degree=self.max_degree
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """The cells in the colours of their degrees, each with its number; white is what they leave.

        ``ax``: axes to draw on, or None for the current ones, which are returned. Raises ValueError for others.
        """
        from gegenflow.pictures import BETA as NAME
        from gegenflow.pictures import axes_of, number, of_degree

        ax = axes_of(ax)
        for degree in self.degrees:
            cells = [cell for cell in self.cells if cell.degree == degree]
            for low, high in ((cell.beta, cell.kappa) for cell in cells):
                ax.fill_between(low, *high, color=of_degree(degree)["color"], alpha=0.6, linewidth=0)
            sizes = [(cell.beta[1] - cell.beta[0]) * _tall(cell.kappa) for cell in cells]
            centre = sum(size * sum(cell.beta) / 2 for size, cell in zip(sizes, cells, strict=True)) / sum(sizes)
            near = min(cells, key=lambda cell, at=centre: abs(sum(cell.beta) / 2 - at))  # type: ignore[misc]
            number(ax, sum(near.beta) / 2, sqrt(near.kappa[0] * near.kappa[1]), degree)
        ax.set(xlabel=NAME, ylabel="κ = 1/noise", yscale="log", xlim=self.beta, ylim=self.kappa)
        return ax

    def to_table(self) -> Table:
        """The cells, one a row: a degree, and the ends of its intervals of beta and of kappa."""
        names = "degree", "beta_from", "beta_to", "kappa_from", "kappa_to"
        rows = (dict(zip(names, (cell.degree, *cell.beta, *cell.kappa), strict=True)) for cell in self.cells)
        facts: dict[str, Cell] = {
            "version": __version__,
            "dim": self.dim,
            "model": self.model,
            "kernel": str(self.kernel.weight),
        }
        return Table(tuple(rows), {**facts, "unresolved": f"{self.unresolved:.2g}"})


def stability(
    kernel: KernelLike | None,
    dim: int,
    *,
    beta: tuple[Real, Real] = (0, 12),
    kappa: tuple[Real, Real] = ("0.01", 100),
    model: str = "usa",
    max_degree: int | None = None,
    unresolved: float = 0.05,
) -> StabilityDiagram:
    r"""The stability diagram over beta and the inverse noise kappa, in cells with a proved leading degree.

    .. math:: \operatorname*{argmax}_k \Big(\gamma_k(\beta) - \frac{L_k}\kappa\Big)_+ = j
              \quad\text{for all } (\beta, \kappa) \text{ in a cell of degree } j, \text{ 0 where none is positive}

    Cells are exact in kappa, as :mod:`gegenflow.theory.phases.thresholds` explains, and intervals in beta are halved
    until at most a share ``unresolved`` of the plane, in beta and log kappa, is left around the curves between degrees.

    :param kernel: attention weight h(t) that holds beta and no other parameter; None for :math:`e^{\beta t}`
    :param dim: d of the sphere S^{d-1}, >= 2
    :param beta: inverse temperature: the ends of its interval, two rational numbers (default 0 and 12)
    :param kappa: the ends of the interval of the inverse noise, two rational numbers > 0 (default 0.01 and 100)
    :param model: "usa" (unnormalised) or "sa" (softmax), by default the first
    :param max_degree: highest degree to compare, >= 1; None (the default) where a bound rules out those above, as for
        powers and exponentials
    :param unresolved: share of the plane to be left at most, > 0 (default 0.05); 4096 intervals of beta are the most

    >>> found = stability(None, 3, beta=(0, 6), kappa=(1, 100), unresolved=0.1)
    >>> found.degrees, found.unresolved < 0.1, found.degree_at(5, 50)
    ((0, 1, 2, 3), True, 3)

    Raises Refused for intervals that are none, a bad dim, model or share, a kernel with other parameters or without
    beta, degrees that no bound rules out, and for SA where the mean of the weight is not positive. Source: derived
    here; arXiv 2606.05140 for the thresholds.

    See also :func:`.noise_threshold`, :func:`.boundaries`, :func:`.selected_degree`.
    """
    weight = attention(None, kernel)
    if weight.parameters != ("beta",):
        held = ", ".join(weight.parameters) or "none"
        raise Refused("kernel", weight.weight, f"a kernel whose one parameter is beta is needed; it holds {held}")
    width, height = _ends("beta", beta), _ends("kappa", kappa)
    if not height[0] > 0:
        raise Refused("kappa", kappa[0], "the inverse noise must be > 0")
    share = float(check_real(unresolved, "unresolved", "a share > 0 is needed", above=0, symbols=False))
    noise = 1 / sp.Rational(height[1])
    scores = scores_of(weight, dim, BETA, noise=noise, model=model, max_degree=max_degree)
    with flint.ctx.workprec(BITS):
        cells, left = _cells(scores, width, height, share)
    degrees = tuple(sorted({cell.degree for cell in cells}))
    return StabilityDiagram(scores.dim, model, weight, width, height, max_degree, left, degrees, cells)


def _ends(name: str, between: tuple[Real, Real]) -> Interval:
    low, high = check_interval(name, between)
    return float_towards(low, inf), float_towards(high, -inf)


def _within(name: str, number: Real, ends: Interval) -> Expr:
    low, high = map(Fraction, ends)
    least, most = (sp.Rational(end.numerator, end.denominator) for end in (low, high))
    allowed = f"the diagram goes from {ends[0]:g} to {ends[1]:g}"
    return check_real(number, name, allowed, least=least, most=most, symbols=False)


def _tall(kappa: Interval) -> float:
    """The length of an interval of kappa on a logarithmic scale."""
    return log(kappa[1]) - log(kappa[0])


def _cells(scores: Scores, width: Interval, height: Interval, share: float) -> tuple[tuple[StabilityCell, ...], float]:
    """The cells, from low to high beta, and the share that they leave: the column that leaves most is halved first."""
    tall, wide = _tall(height), width[1] - width[0]

    def column(low: float, high: float) -> tuple[float, float, float, dict[int, Interval]]:
        found = led(scores, (low, high), height)
        covered = sum(map(_tall, found.values())) / tall
        return (covered - 1) * (high - low) / wide, low, high, found

    cuts = [*(width[0] + wide * place / FIRST for place in range(FIRST)), width[1]]
    columns = [column(*ends) for ends in pairwise(cuts)]
    heapify(columns)
    while (left := max(0.0, -fsum(missed for missed, *_ in columns))) > share and len(columns) < MOST:
        _, low, high, _ = heappop(columns)
        middle = (low + high) / 2
        heappush(columns, column(low, middle))
        heappush(columns, column(middle, high))
    cells = (
        StabilityCell(degree, (low, high), ends)
        for _, low, high, found in sorted(columns, key=lambda one: one[1])
        for degree, ends in found.items()
    )
    return tuple(cells), left
