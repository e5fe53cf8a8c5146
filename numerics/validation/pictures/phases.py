"""The phase diagram: which degree grows fastest, over the dims or over a parameter of the kernel or the noise."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import TYPE_CHECKING, Literal

import numpy as np

from gegenflow import theory as th
from gegenflow.numerics.tokens.arguments import check_array, check_whole
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.pictures import COLORS, GREEK, axes_of, columns, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DIMS = range(2, 17)
LAWS: tuple[tuple[Literal["degree", "dim"], str, str], ...] = (("degree", "--", COLORS[1]), ("dim", ":", "black"))
POINTS = 25
"""Of a law over the dims."""
DIGITS = 8


def plot_phase_diagram(
    cuts: Iterable[int] | th.phases.Coexistence = DIMS,
    *,
    beta: tuple[float, float] = (0.0, 20.0),
    terms: int = 3,
    ax: Axes | None = None,
) -> Axes:
    r"""Regions of the degree that grows fastest, shaded and numbered, with the certified boundaries between them.

    Over dims, of the kernel :math:`e^{\beta t}`, with its laws of large degree (dashed) and of large dim (dotted), to
    ``terms`` terms each; or over any two parameters, a head or the inverse noise :math:`\kappa`, by their lines of
    coexistence: ``th.phases.coexistence("exp(beta*t)", 2, ("beta", 0, 12), ("kappa", values), noise=1 / th.kappa)``.

    :param cuts: dims, >= 2 each (default 2 to 16), or what :func:`.coexistence` returns
    :param beta: inverse temperature over dims, both ends, from >= 0 on (default 0 to 20)
    :param terms: terms of each law, >= 0, none for 0 (default 3)
    :param ax: axes to draw on, the current ones by default

    Raises ValueError for other dims, ends that do not increase, and terms < 0. Source: arXiv 2410.23228; laws derived
    here. See also :func:`.boundaries`, :func:`.critical_beta_series`.
    """
    if isinstance(cuts, th.phases.Coexistence):
        return cuts.plot(ax=ax)
    if not isinstance(cuts, Iterable) or not (dims := sorted({check_whole("cuts", dim, 2) for dim in cuts})):
        raise Refused("cuts", repr(cuts), "dims, or lines of coexistence, are needed")
    low, high = check_array("beta", beta, "(2,)", 2).tolist()
    if not 0 <= low < high:
        raise Refused("beta", f"{low:g} to {high:g}", "the ends must increase, from >= 0 on")
    terms, ax = check_whole("terms", terms, 0), axes_of(ax)
    regions = {float(dim): _pieces(dim, low, high) for dim in dims}
    columns(ax, regions)
    ax.set(xlabel="dim", ylabel=GREEK["beta"], xlim=ax.get_xlim(), ylim=(low, high))
    for degree in range(1, max(piece[-1][2] for piece in regions.values()) if terms else 0):
        for large, line, color in LAWS:
            series = th.phases.critical_beta_series(terms, large=large).subs(th.k, degree)
            places = np.linspace(dims[0], dims[-1], POINTS)
            label = f"law of large {large}, {terms} terms" if degree == 1 else None
            ax.plot(places, [float(series.subs(th.d, place)) for place in places], color=color, ls=line, label=label)
    legend(ax, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return ax


def _pieces(dim: int, low: float, high: float) -> list[tuple[float, float, int]]:
    """The leading degrees of the exponential kernel in an interval, from one certified boundary to the next."""
    found, start = [], low
    for degree in count(1):
        edge = float(th.critical_beta(degree, dim, DIGITS))
        if edge > start:
            found.append((start, min(edge, high), degree))
            start = edge
        if edge >= high:
            break
    return found
