"""Where a layer normalises: tokens that keep their length while attention sees their directions alone.

With Post-LN a token is put back on the sphere after attention; with Pre-LN and Peri-LN attention, or its direction, is
added to a token of any length, so that the longer a token has grown the more slowly it turns.
"""

from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.fields.dense import attention_output
from gegenflow.numerics.fields.flow import Flow
from gegenflow.numerics.integrators.adaptive import integrate
from gegenflow.numerics.integrators.driver import Integration, Status
from gegenflow.numerics.integrators.runge_kutta import Velocity
from gegenflow.numerics.tokens.arguments import SMALLEST_RTOL
from gegenflow.numerics.tokens.geometry import Array

SHORTEST = 100  # tolerances of a step: a shorter token has lost its direction


def stream_velocity(
    weights: Array,
    flow: Flow,
) -> Velocity:
    r"""The velocity of tokens with a length under Pre-LN or Peri-LN, as a field of flat lines of n times dim numbers.

    .. math:: \dot x_i = A_i \ \text{(Pre-LN)}, \qquad \dot x_i = A_i/|A_i| \ \text{(Peri-LN)}, \qquad
              A_i = \sum_j w_j h(\langle\theta_i, B\theta_j\rangle) V\theta_j, \qquad \theta_i = x_i/|x_i|

    A divided by its normaliser in SA; in terms of directions and lengths r
    :math:`\dot\theta = P_\theta A/s`, :math:`\dot r = \langle\theta, A\rangle\, r/s` with s = r (Pre), r\|A\| (Peri).
    ``weights`` shape=[n]; B and V are those of the flow.

    A lone token of length 2 only grows, at the rate :math:`e^\beta` (USA) or one (Peri-LN):

    >>> for scheme in ("pre", "peri"):
    ...     speed = np.empty(2)
    ...     stream_velocity(np.ones(1), Flow(beta=3, layer_norm=scheme))(np.array([0.0, 2.0]), speed)
    ...     bool(np.allclose(speed, [0.0, np.exp(3) if scheme == "pre" else 1.0], rtol=1e-14))
    True
    True

    The field raises FloatingPointError for an SA normaliser that is not positive and a Peri-LN output of length zero.
    Source: arXiv 2510.22026, its normalisation schemes.
    """
    attention, unit = flow.attention, flow.unit
    matrices = {"query_key": flow.query_key, "value": flow.value}

    def velocity(line: Array, out: Array) -> None:
        directions = unit_rows(line.reshape(len(weights), -1))[0]
        output, normalizer = attention_output(directions, weights, attention, **matrices)
        scale = normalizer if flow.model == "sa" else np.full(len(weights), 1 / unit)
        if not (scale > 0).all():
            row = int(np.flatnonzero(~(scale > 0))[0])
            raise FloatingPointError(
                f"the normaliser of token {row} is {scale[row]:.3g}: SA divides by it and needs it positive"
            )
        if flow.layer_norm == "peri":
            scale = np.linalg.norm(output, axis=1)
            if not (scale > 0).all():
                row = int(np.flatnonzero(~(scale > 0))[0])
                raise FloatingPointError(
                    f"the output of attention for token {row} is zero: Peri-LN divides by its length"
                )
        np.divide(output, scale[:, None], out=out.reshape(output.shape))

    return velocity


def integrate_stream(
    field: Velocity,
    start: Array,
    *,
    rtol: float,
    atol: float,
    on_save: Callable[[float, Array], object] = lambda t, x: None,
    **options: Any,
) -> Integration:
    r"""Follow tokens of any length, shape=[n, dim], along a field of :func:`stream_velocity`.

    As :func:`gegenflow.numerics.integrators.adaptive.integrate`, the root mean square over tokens of the error of a
    step below ``atol`` + ``rtol``, not relative to their lengths; ``on_save`` and the result hold rows that are not
    unit vectors. A token that shrinks to a hundred times that has lost its direction, and ends the run with a
    ``status`` to say so.

    >>> field = stream_velocity(np.ones(1), Flow(beta=0, layer_norm="pre"))
    >>> integrate_stream(field, np.array([[0.0, 2.0]]), rtol=1e-8, atol=0.0, t_end=3.0, save_at=[]).tokens.round(12)
    array([[0., 5.]])

    Raises ValueError as :func:`gegenflow.numerics.integrators.adaptive.integrate` does.  Source: derived here.
    """

    def save(time: float, line: Array) -> None:
        on_save(time, line.reshape(start.shape))

    share = 1 / sqrt(start.shape[1])  # the error of a flat line is a root mean square over components
    tolerances: dict[str, Any] = {"rtol": max(share * rtol, SMALLEST_RTOL), "atol": share * atol}

    def vanishes(_: float, line: Array) -> bool:
        return bool(unit_rows(line.reshape(start.shape))[1].min() < SHORTEST * (rtol + atol))

    end = integrate(field, start.ravel(), on_save=save, stop=vanishes, **tolerances, **options)
    end = replace(end, tokens=end.tokens.reshape(start.shape))
    if not end.stopped:
        return end
    radii = unit_rows(end.tokens)[1]
    what = f"token {radii.argmin()} has shrunk to length {radii.min():.1g}, where its direction is lost"
    return replace(end, status=Status(False, f"stopped at t = {end.reached:g}: {what}"))


def unit_rows(rows: Array) -> tuple[Array, Array]:
    """Directions, shape=[n, dim], and lengths, shape=[n], of rows that are not zero.

    >>> unit_rows(np.array([[3.0, 4.0]]))
    (array([[0.6, 0.8]]), array([5.]))
    """
    radii = np.linalg.norm(rows, axis=1)
    return rows / radii[:, None], radii


def check_radii(radii: ArrayLike | None, n: int, layer_norm: str) -> Array:
    """Lengths of the tokens at the start, shape=[n], one each by default.

    >>> check_radii([1.0, 0.0], 2, "pre")
    Traceback (most recent call last):
    ValueError: radii: entry 1 is 0; lengths must be positive and finite

    Raises ValueError for radii with "post", which keeps none, of a wrong shape, or not positive and finite.
    """
    if radii is None:
        return np.ones(n)
    if layer_norm == "post":
        raise ValueError('radii are given: with layer_norm "post" tokens are unit vectors; "pre" and "peri" take radii')
    lengths = np.array(radii, dtype=np.float64)
    if lengths.shape != (n,):
        raise ValueError(f"radii have shape {lengths.shape}: {n} tokens need shape ({n},)")
    bad = ~((lengths > 0) & (lengths < np.inf))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(f"radii: entry {row} is {lengths[row]:.9g}; lengths must be positive and finite")
    return lengths
