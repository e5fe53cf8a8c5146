"""Growth rates over beta, and shares of degrees that emerge first: predicted beside measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gegenflow import theory as th
from gegenflow.numerics.tokens.arguments import check_array, check_number, check_whole
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.checks import BARS
from gegenflow.pictures import COLORS, GREEK, MUTED, axes_of, legend, of_degree, overridden

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 201


def plot_rates(
    degrees: Iterable[int],
    dim: int,
    *,
    beta: tuple[float, float] = (0.1, 10.0),
    model: str = "usa",
    kernel: Any = None,
    noise: float = 0.0,
    measured: Mapping[float, tuple[Array, Array]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    r"""Growth rates :math:`\gamma_k` of degrees over :math:`\beta`, lines, with measured ones, markers with three bars.

    :param degrees: degrees of the harmonics, >= 1 each
    :param dim: d of the sphere S^{d-1}, >= 2
    :param beta: inverse temperature, both ends, increasing (default .1 to 10)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param kernel: attention weight h(t) with beta as its only parameter; None (default) is exp(beta*t)
    :param noise: noise 1/kappa, >= 0 (default 0)
    :param measured: for each beta the rates of degrees 1, 2, ... and their error bars, as :func:`.planted_rates` gives
        them; None (default): none
    :param ax: axes to draw on, the current ones by default

    Raises ValueError for ends that do not increase, and as :func:`.rate_function`. Source: arXiv 2410.23228 for the
    rates. See also :func:`.planted_rates`, :func:`.plot_phase_diagram`.
    """
    if not isinstance(degrees, Iterable) or not (degrees := [check_whole("degrees", k, 1) for k in degrees]):
        raise Refused("degrees", repr(degrees), "at least one degree >= 1 is needed")
    low, high = check_array("beta", beta, "(2,)", 2).tolist()
    if not low < high:
        raise Refused("beta", f"{low:g} to {high:g}", "the ends must increase")
    if not isinstance(measured, Mapping | None):
        raise Refused("measured", measured, "rates and error bars for each beta are needed")
    places, found = np.linspace(low, high, POINTS), _measured(measured or {})
    curves = [th.rate_function(k, dim, kernel=kernel, model=model, noise=noise)(places) for k in degrees]
    ax = axes_of(ax)
    ax.axhline(0, color=MUTED, linestyle="-", linewidth=0.8)
    for degree, curve in zip(degrees, curves, strict=True):
        style = of_degree(degree)
        marker = style.pop("marker")
        ax.plot(places, curve, **style, label=f"degree {degree}")
        own = [(at, rates[degree - 1], bars[degree - 1]) for at, rates, bars in found if degree <= len(rates)]
        if own:
            at, rate, bar = np.array(own).T
            ax.errorbar(at, rate, BARS * bar, fmt=marker, color=style["color"], mfc="none", capsize=3, ms=5)
    weight = [] if kernel is None else [f"h = {kernel.weight if isinstance(kernel, th.Kernel) else kernel}"]
    told = [f"dim {dim}", model.upper(), *weight, *[f"noise {noise}"] * (noise not in (0, "0"))]
    ax.set(xlabel=GREEK["beta"], ylabel="growth rate (1/time)")
    ax.set_title(", ".join(told) + "; markers: measured" * bool(found))
    legend(ax)
    return ax


def _measured(given: Mapping[float, tuple[Array, Array]]) -> list[tuple[float, Array, Array]]:
    found = []
    for at, pair in given.items():
        both = check_array("measured", np.asarray(pair), "(2, degrees)", 2, None)
        found.append((check_number("measured", at), both[0], both[1]))
    return found


def plot_selection(
    law: th.finite_tokens.SelectionLaw, first: ArrayLike, *, ax: Axes | None = None, **kwargs: Any
) -> Axes:
    r"""Predicted probabilities that each degree emerges first, bars, and the shares of runs in which it did, markers.

    Their bars are three standard errors :math:`\sqrt{p(1-p)/n}` of a share of n runs whose probability is the predicted
    p.

    :param law: what :func:`.selection_law` returns
    :param first: the first degree of each run, 0 for none, shape (runs,), as :func:`.emergences` returns
    :param ax: axes to draw on, the current ones by default
    :param kwargs: options of ``Axes.errorbar`` for the shares

    Raises ValueError for anything but a law, and for degrees that are not whole numbers >= 0.
    Source: the law is derived here. See also :func:`.plot_rates`.
    """
    if not isinstance(law, th.finite_tokens.SelectionLaw):
        raise Refused("law", None, f"it is a {type(law).__name__}, the chances are those of a SelectionLaw")
    given = check_array("first", first, "(runs,)", None)
    if not len(given) or (given < 0).any() or (given != given.round()).any():
        raise Refused("first", None, "the first degree of each run, a whole number >= 0, is needed")
    ax = law.plot(ax=ax, alpha=0.5, label="law")
    names = [tick.get_text() for tick in ax.get_xticklabels()]
    names += [str(int(k)) for k in np.unique(given) if str(int(k)) not in names and k > 0]
    chances = np.array([law.already if name == "at start" else law.selection.get(int(name), 0.0) for name in names])
    shares = np.array([np.mean(given == (0 if name == "at start" else int(name))) for name in names])
    bars = BARS * np.sqrt(chances * (1 - chances) / len(given))
    style: dict[str, Any] = {"fmt": "o", "color": COLORS[1], "mfc": "none", "capsize": 4}
    ax.errorbar(names, shares, bars, **overridden(style | {"label": f"{len(given)} runs, 3 standard errors"}, kwargs))
    legend(ax)
    return ax
