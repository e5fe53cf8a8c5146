"""Where a layer normalises: tokens that keep their length while attention sees their directions alone.

With Post-LN a token is put back on the sphere after attention; with Pre-LN and Peri-LN attention, or its direction, is
added to a token of any length, so that the longer a token has grown the more slowly it turns.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.fields.dense import attention_output
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.integrators.adaptive import AdaptiveSteps
from gegenflow.numerics.integrators.driver import AT_ZERO, Breakdown, Origin
from gegenflow.numerics.integrators.runge_kutta import Velocity
from gegenflow.numerics.tokens.arguments import SMALLEST_RTOL, check_array
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused

SHORTEST = 100  # tolerances of a step: a shorter token has lost its direction
DIRECTIONLESS = 100 * 2.0**-52  # of the sum of the weights: an output as short as that is rounding


def stream_velocity(weights: Array, flow: Flow) -> Velocity:
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
    pull = 1.0 if flow.value is None else float(np.linalg.norm(flow.value, 2))

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
            rounding = DIRECTIONLESS * pull * np.abs(normalizer)
            if not (scale > rounding).all():
                row = int(np.flatnonzero(~(scale > rounding))[0])
                what = f"the output of attention for token {row} is zero but for rounding"
                raise Breakdown(f"{what}: Peri-LN divides by its length")
        np.divide(output, scale[:, None], out=out.reshape(output.shape))

    return velocity


def stream_steps(
    field: Velocity,
    start: Array,
    *,
    tol: float,
    order: int = 8,
    origin: Origin = AT_ZERO,
) -> AdaptiveSteps:
    r"""A stepper for tokens of any length, shape=[n, dim], along a field of :func:`stream_velocity`.

    As :class:`gegenflow.numerics.integrators.adaptive.AdaptiveSteps`, on the flat line of n times dim numbers, the root
    mean square over tokens of the error of a step below ``tol``, not relative to their lengths.  A token that shrinks
    to a hundred times that has lost its direction, and ends the run with a status to say so.

    >>> velocity = stream_velocity(np.ones(1), Flow(beta=0, layer_norm="pre"))
    >>> steps = stream_steps(velocity, np.array([[0.0, 2.0]]), tol=1e-8)
    >>> while steps.time < 3:
    ...     steps.advance(3.0)
    >>> steps.at(3.0).round(12)
    array([0., 5.])

    Source: derived here.
    """

    def check(line: Array) -> None:
        radii = unit_rows(line.reshape(start.shape))[1]
        if radii.min() < SHORTEST * tol:
            what = f"token {radii.argmin()} has shrunk to length {radii.min():.1g}, where its direction is lost"
            raise Breakdown(what)

    share = max(tol / sqrt(start.shape[1]), SMALLEST_RTOL)  # the error of a flat line is a mean over components
    return AdaptiveSteps(field, start.ravel(), tol=share, order=order, origin=origin, check=check)


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
    gegenflow.numerics.tokens.refusals.Refused: radii: entry 1 is 0, lengths must be positive

    Raises ValueError for radii with "post", which keeps none, of a wrong shape, or not positive and finite.
    """
    if radii is None:
        return np.ones(n)
    if layer_norm == "post":
        raise Refused("radii", None, 'with layer_norm "post" tokens are unit vectors; "pre" and "peri" take radii')
    lengths = check_array("radii", radii, "(n,)", n)
    if not (lengths > 0).all():
        row = int(np.flatnonzero(~(lengths > 0))[0])
        raise Refused("radii", None, f"entry {row} is {lengths[row]:.9g}, lengths must be positive")
    return lengths
