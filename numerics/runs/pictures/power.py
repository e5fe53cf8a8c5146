"""Amplitudes of the degrees over time."""

from typing import TYPE_CHECKING, Any

import numpy as np

from gegenflow.numerics.runs.run import DensityRun, Run
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.pictures import axes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_power(run: Run | DensityRun, *, ax: "Axes | None" = None, **kwargs: Any) -> "Axes":
    r"""Amplitude :math:`A_k` of every degree k >= 1 against time, on a logarithmic scale.

    ``kwargs`` go to ``Axes.plot``.  Raises ValueError for a run that did not observe ``HarmonicPower``.
    """
    if not isinstance(run, Run | DensityRun) or "harmonic_power" not in run.observables:
        raise Refused("run", None, "it has no harmonic_power: a run with observe=[HarmonicPower(max_degree)] has")
    ax = axes_of(ax)
    for degree, power in enumerate(run.observables["harmonic_power"].T[1:], start=1):
        ax.plot(run.t, np.sqrt(power), **{"label": f"degree {degree}"} | kwargs)
    ax.set(xlabel="time", ylabel="amplitude", yscale="log")
    ax.legend()
    return ax
