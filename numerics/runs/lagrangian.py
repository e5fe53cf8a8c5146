"""The mean-field equation on the circle beyond smooth densities: quantiles that move with the flow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.circle_starts import circle_density
from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.densities.distribution import quantiles
from gegenflow.numerics.fields.circle import circle_points
from gegenflow.numerics.flows.flow import Flow, FlowParts, check_parts, flow_of
from gegenflow.numerics.runs.following import measured
from gegenflow.numerics.runs.particles import simulate
from gegenflow.numerics.runs.run import Run
from gegenflow.numerics.runs.settings import TIGHTER, Look
from gegenflow.numerics.tokens.arguments import SMALLEST_RTOL, check_whole
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused


def solve_quantiles(
    density: CircleDensity | Callable[[Array], Array] | ArrayLike,
    flow: Flow | None = None,
    *,
    n: int = 4096,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    estimate_error: bool = False,
    **options: Any,
) -> Run:
    r"""Follow n equal shares of the mass of a density on the circle, into Dirac masses and beyond.

    .. math:: \partial_t X(u, t) = \int_0^1 h(\cos(X(u') - X(u))) \sin(X(u') - X(u))\,du', \qquad
              \int_0^{X(u, 0)} f\,\frac{d\theta}{2\pi} = u

    the mean-field equation for the inverse distribution function (USA; SA divides by the normaliser), with labels u =
    i/n, n = ``n``.  The sum over labels converges faster than any power of 1/n as long as X is smooth and resolved, see
    :func:`density_at_quantiles`; where the density parts into clusters, the mass of each is right to 1/n, exactly where
    a period of the density divides n.

    It is a run of :func:`simulate`: its ``tokens`` are the quantiles, its observables those of n tokens.

    :param density: what :func:`circle_density` makes or takes
    :param flow: what moves it, a :class:`Flow` with a weight and a model alone; None (default): the one whose parts are
        given as keywords
    :param n: number of quantiles, >= 8, default 4096
    :param rtol: relative tolerance of a step, >= 1e-13 and < 1, default 1e-8
    :param atol: absolute tolerance of a step, >= 0, default 1e-10
    :param estimate_error: put into ``error`` the root mean square distance at the end from a run with half as many
        quantiles, of an even number, at a hundredth of the tolerances: what their number and the steps change, weighted
        by mass; default False
    :param options: t_end, which is needed, and the others of :func:`simulate`, or beta, kernel, model and scaled in
        place of a flow

    Three equal bumps become three clusters, whose moment of degree 3 is one:

    >>> from gegenflow.numerics.observables.tokens import HarmonicPower
    >>> run = solve_quantiles(lambda angle: 1 + 0.1 * np.sin(3 * angle), n=300, beta=5.0, t_end=0.6,
    ...                       observe=[HarmonicPower(3)])
    >>> run.observables["harmonic_power"][-1].round(6)
    array([1., 0., 0., 1.])

    Raises ValueError for a bad density, ``n`` < 8, noise, under which masses do not move with the flow, matrices,
    weights, which are equal, and whatever :func:`gegenflow.numerics.simulate` refuses.  Source: derived here.

    See also :func:`.solve_density`, :func:`.quantiles`, :func:`.density_at_quantiles`.
    """
    if isinstance(density, Density) and not isinstance(density, CircleDensity):
        raise Refused("density", None, f"it is a {type(density).__name__}, quantiles need one on the circle")
    start = density if isinstance(density, CircleDensity) else circle_density(density)
    n = check_whole("n", n, 8)
    short = {name: options.pop(name) for name in FlowParts.__annotations__ if name in options}
    flow = flow_of(flow, cast(FlowParts, short))
    check_parts(flow, "solve_quantiles")
    if options.get("weights") is not None:
        raise Refused("weights", None, "quantiles have equal masses")
    if estimate_error and n % 2:
        raise Refused("n", n, "estimate_error needs an even number of quantiles")
    points, checkpoint = circle_points(quantiles(start, n)), options.get("checkpoint")
    run = simulate(points, flow, rtol=rtol, atol=atol, **options)
    if not estimate_error:
        return run
    look = Look(save=None if checkpoint is None else lambda run: run.save(checkpoint))
    again = partial(_half_as_many, run, points, flow, rtol, atol, options)
    return measured(run, again, _apart, keep=look.kept)


def _half_as_many(run: Run, points: Array, flow: Flow, rtol: float, atol: float, options: Mapping[str, Any]) -> Run:
    # every other quantile, more exactly, to the time that the run has reached, and nothing to look at
    how = {name: options[name] for name in ("method", "order", "merge", "threads", "progress") if name in options}
    finer: dict[str, Any] = {"rtol": max(TIGHTER * rtol, SMALLEST_RTOL), "atol": TIGHTER * atol}
    if how.get("merge") is not None:
        how["merge"] = min(how["merge"], 0.1 * sum(finer.values()))
    return simulate(points[::2], flow, t_end=run.reached, save_at=[], **finer, **how)


def _apart(run: Run, half: Run) -> float:
    distance = np.linalg.norm(run.tokens[::2] - half.tokens, axis=1)
    return float(np.sqrt(np.mean(distance**2)))
