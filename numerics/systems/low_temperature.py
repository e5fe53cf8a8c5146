"""Attention at zero temperature: softmax picks one token, and the flow is a linear one seen from the sphere."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import expm

from gegenflow.numerics.tokens.arguments import check_array, check_number
from gegenflow.numerics.tokens.geometry import Array, check_tokens, normalize
from gegenflow.numerics.tokens.refusals import Refused

LARGEST_EXPONENT = 700.0


def zero_temperature_field(
    tokens: ArrayLike, *, query_key: ArrayLike | None = None, value: ArrayLike | None = None
) -> Array:
    r"""Velocity of tokens under SA as beta goes to infinity, among tokens that are everywhere, shape=[n, dim].

    .. math:: v(x) = P_x V \frac{B^T x}{|B^T x|}

    as the softmax of :math:`\beta\langle x, By\rangle` over y concentrates where y is the direction of :math:`B^T x`;
    by default nothing moves.

    :param tokens: tokens on the sphere, shape (n, dim)
    :param query_key: B of the scores, shape (dim, dim); None (default): the identity
    :param value: V of what is summed up, shape (dim, dim); None (default): the identity

    >>> zero_temperature_field([[0.6, 0.8]], value=[[1, 0], [0, 0]])[0].round(12)  # towards the first axis
    array([ 0.384, -0.288])

    Raises ValueError for bad tokens or matrices, and for a token that B^T maps to zero.  Source: arXiv 2605.10931.

    See also :func:`.linear_flow`, :func:`.attention_field`.
    """
    state = check_tokens(tokens)
    scores = state @ _matrix("query_key", query_key, state.shape[1])
    reach = np.linalg.norm(scores, axis=1)
    if not reach.all():
        raise Refused("tokens", None, f"row {int(np.argmin(reach))} has no direction, as query_key maps it to zero")
    pull = (scores / reach[:, None]) @ _matrix("value", value, state.shape[1]).T
    velocity: Array = pull - np.einsum("id,id->i", pull, state)[:, None] * state
    return velocity


def linear_flow(
    tokens: ArrayLike, time: float, *, query_key: ArrayLike | None = None, value: ArrayLike | None = None
) -> Array:
    r"""Where the zero-temperature flow has taken tokens in its own, linear time, shape=[n, dim].

    .. math:: x(\tau) = \frac{e^{\tau V B^T} x}{|e^{\tau V B^T} x|}, \qquad d\tau = \frac{dt}{|B^T x|}

    Each token moves along its orbit under :func:`zero_temperature_field` with a clock of its own.

    :param tokens: tokens on the sphere, shape (n, dim)
    :param time: :math:`\tau`, any finite number, of which times :math:`|VB^T|` the modulus is <= 700
    :param query_key: B of the scores, shape (dim, dim); None (default): the identity
    :param value: V of what is summed up, shape (dim, dim); None (default): the identity

    >>> linear_flow([[0.6, 0.8]], 1.0, value=[[1, 0], [0, 0]])[0].round(6)  # e : 1 in favour of the first axis
    array([0.897811, 0.440381])

    Raises ValueError for bad tokens or matrices, and a time that is not finite or in which e^{700} is passed.  Source:
    arXiv 2605.10931.

    See also :func:`.zero_temperature_field`.
    """
    state = check_tokens(tokens)
    dim = state.shape[1]
    generator = _matrix("value", value, dim) @ _matrix("query_key", query_key, dim).T
    time = check_number("time", time)
    if abs(time) * np.linalg.norm(generator, 2) > LARGEST_EXPONENT:
        raise Refused("time", time, f"its product with |V B^T| must be at most {LARGEST_EXPONENT:g}")
    return normalize(state @ expm(time * generator).T)


def _matrix(name: str, rows: ArrayLike | None, dim: int) -> Array:
    return np.eye(dim) if rows is None else check_array(name, rows, "(dim, dim)", dim, dim)
