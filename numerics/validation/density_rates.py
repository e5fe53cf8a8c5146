r"""Growth rates measured on densities: a second witness beside tokens, in any dimension and under noise."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Unpack

import numpy as np
from scipy.optimize import brentq

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.zonal import ZonalDensity
from gegenflow.numerics.flows.flow import Flow, FlowParts, check_parts, flow_of
from gegenflow.numerics.runs.run import DensityRun
from gegenflow.numerics.tokens.arguments import check_dim, check_number, check_whole
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.measurements import follow_density

SMALL = 1e-6
PARTS = 4
ROUNDING = 1e-10  # of the fastest motion: what coefficients of the size SMALL lose in a run


def measure_rates(
    flow: Flow | None = None, dim: int = 3, degrees: int = 6, **short: Unpack[FlowParts]
) -> tuple[Array, Array]:
    r"""Growth rates of degrees 1 to ``degrees`` about the uniform density, and their error bars, each shape=[degrees].

    .. math:: \gamma_k \approx \frac1T \log\frac{c_k^+(T) - c_k^-(T)}{2\epsilon}, \qquad
              f^\pm(0) = 1 \pm \epsilon \sum_{k \le K} \phi_k

    from two runs of :func:`~gegenflow.numerics.solve_density` with all zonal harmonics (on the circle: sines, which a
    reflected equation would turn) at once; half the difference leaves out what is even in the sign. The time T is that
    in which attention, or noise where it is faster, changes one of them by a factor e, by the motion at the start. The
    error bar is the largest deviation in one of four parts of T, plus the rounding and ten times :math:`\epsilon^2`,
    both in units of 1/T.

    :param flow: what moves the density, a :class:`Flow` with a smooth weight, beta >= 0 or a kernel, a model and noise;
        None (default): the one whose parts are given as keywords
    :param dim: d of the sphere S^{d-1}, >= 2, default 3
    :param degrees: highest degree, >= 1 and <= 64, default 6
    :param short: parts of a :class:`Flow` in place of it: beta, kernel, model, noise, heads, scaled

    >>> rates, errors = measure_rates(beta=0, dim=5, degrees=1)
    >>> bool(abs(rates[0] - 0.8) < 3 * errors[0] < 1e-6)  # (d-1)/d
    True

    Raises ValueError for bad input and as :func:`~gegenflow.numerics.solve_density`, ``Unfinished`` where a run stops
    early. Source: derived here.

    See also :func:`.crossing_parameter`, :func:`.planted_rates`, :func:`.plot_rates`.
    """
    flow = flow_of(flow, short)
    check_parts(flow, "measure_rates", "noise", "heads", smallest_beta=0.0)
    dim, degrees = check_dim(dim), check_whole("degrees", degrees, 1, 64)
    places = 2 * np.arange(1, degrees + 1) - 1 if dim == 2 else np.arange(degrees)
    tilt = np.zeros((2 if dim == 2 else 1) * max(16, 2 * degrees))
    tilt[places] = SMALL

    def start(coefficients: Array) -> Any:
        return CircleDensity(coefficients) if dim == 2 else ZonalDensity(coefficients, dim)

    slopes = start(tilt).motion(flow)(tilt)[places] / SMALL
    damping = flow.noise * degrees * (degrees + dim - 2)  # which the motion of the density leaves out
    window = 1 / max(np.abs(slopes).max(), damping, 1e-12)
    options: dict[str, Any] = {"save_at": np.linspace(0, window, PARTS + 1), "rtol": 1e-11, "atol": 1e-20}
    plus, minus = (follow_density(start(sign * tilt), flow, window, **options).coefficients for sign in (1, -1))
    logs = np.log((plus - minus)[:, places] / (2 * SMALL))
    rates = (logs[-1] - logs[0]) / window
    parts = np.diff(logs, axis=0) * PARTS / window
    return rates, np.abs(parts - rates).max(axis=0) + (10 * SMALL**2 + ROUNDING) / window


def crossing_parameter(
    flow_at: Callable[[float], Flow],
    dim: int,
    degrees: tuple[int, int],
    between: tuple[float, float],
) -> tuple[float, float]:
    r"""Where two measured growth rates are equal along a line of flows, and its error bar.

    A degree 0 does not grow: the other's rate vanishes. The bar is that of the difference of the rates, over its slope.

    :param flow_at: function of a number, such as :math:`\beta`, that gives the flow there
    :param dim: d of the sphere S^{d-1}, >= 2
    :param degrees: two of them, >= 0 and <= 64, of which the first grows faster at one end and the second at the other
    :param between: both ends of the parameter, any finite numbers

    >>> beta, error = crossing_parameter(lambda beta: Flow(beta=beta), 3, (1, 2), (1.0, 3.0))
    >>> bool(abs(beta - 1.81615454) < 1e-7)
    True

    Raises ValueError where the rates do not cross. Source: derived here.

    See also :func:`.measure_rates`.
    """
    if not callable(flow_at):
        raise Refused("flow_at", repr(flow_at), "it must be a function of a number that returns a Flow")
    first, second = (check_whole("degrees", degree, 0, 64) for degree in _two("degrees", degrees))
    low, high = (check_number("between", end) for end in _two("between", between))

    @cache
    def difference(parameter: float) -> tuple[float, float]:
        rates, errors = measure_rates(flow_at(parameter), dim, max(first, second))
        values, bars = np.concatenate([[0.0], rates]), np.concatenate([[0.0], errors])
        return float(values[second] - values[first]), float(np.hypot(bars[second], bars[first]))

    ends = difference(low)[0], difference(high)[0]
    if ends[0] * ends[1] > 0:
        raise Refused("between", f"({low:g}, {high:g})", f"degrees {first} and {second} do not cross in it")
    found = float(brentq(lambda x: difference(x)[0], low, high, xtol=1e-12 * (high - low), rtol=1e-11))
    step = 1e-3 * (high - low)
    slope = (difference(found + step)[0] - difference(found - step)[0]) / (2 * step)
    return found, difference(found)[1] / abs(slope) + 1e-11 * abs(found)


def phase_ends(run: DensityRun, linear: Array, degree: int, share: float) -> tuple[float, float]:
    """When all that is not linear, and its part of odd multiples of a degree k, reach a share of the linear mode k.

    ``linear``, shape=[times, 2 degrees], holds the linear solution at the times of a ``run`` on the circle.

    >>> from gegenflow.numerics.runs.meanfield import solve_density
    >>> start = CircleDensity(np.array([0.0, 0.0, 0.01, 0.0]))
    >>> run = solve_density(start, beta=2, t_end=3.0, save_at=np.linspace(0, 3, 61))
    >>> linear = start.coefficients * np.exp(1.3779 * run.t)[:, None]
    >>> [round(end, 1) for end in phase_ends(run, linear, 2, 0.1)]
    [1.8, 2.7]
    """
    rest = run.coefficients.copy()
    rest[:, : linear.shape[1]] -= linear
    odd = (np.arange(1, rest.shape[1] // 2 + 1) % (2 * degree) == degree).repeat(2)
    mode = np.linalg.norm(linear[:, 2 * degree - 2 : 2 * degree], axis=1)

    def reached(part: Array) -> float:
        values = np.linalg.norm(part, axis=1) / mode
        i = int(np.argmax(values >= share))
        return float(np.interp(share, values[i - 1 : i + 1], run.t[i - 1 : i + 1]))

    return reached(rest), reached(rest[:, odd])


def _two(name: str, given: Any) -> tuple[Any, Any]:
    if isinstance(given, str) or np.shape(given) != (2,):
        raise Refused(name, repr(given), "it must be two numbers")
    return given[0], given[1]
