r"""The sums of attention under a causal mask: each token averages over those before it, the nearer the better.

.. math:: F_i = \frac1{M_i} P_{x_i} \sum_j m_{ij} w_j\, h(s_{ij}) V x_j, \qquad
          Z_i = \frac1{M_i} \sum_j m_{ij} w_j\, h(s_{ij}), \qquad M_i = \sum_j m_{ij} w_j, \qquad
          m_{ij} = e^{-\lambda(i-j)/n}

over j < i, and j = i where a token sees itself.  On the circle the sums over the tokens before are running sums of
powers of z, and cost n times the number of modes; by pairs they cost :math:`n^2/2`, in any dim.  A token that sees none
stays: the first, if it does not see itself.
"""

from __future__ import annotations

from functools import partial
from math import sqrt

import numpy as np

from gegenflow.numerics.fields.circle import circle_points
from gegenflow.numerics.fields.compiled.causal_pairs import add_pairs
from gegenflow.numerics.fields.compiled.causal_scans import scan_modes, seen_masses
from gegenflow.numerics.fields.dense import OVERLAPS
from gegenflow.numerics.fields.fourier import CircleModes, circle_modes, exponential_modes
from gegenflow.numerics.fields.sums import PLAIN, Method, Pair, Size, Sums, room_for_sums
from gegenflow.numerics.fields.tiles import check_exponents
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.parts import Causal
from gegenflow.numerics.flows.weights import Attention
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused

FROM, PER_ROOT = 60, 30  # tokens from which running sums are faster than pairs, and as many per root of beta
MATRICES = frozenset({PLAIN, frozenset({"value"}), frozenset({"query_key"}), frozenset({"query_key", "value"})})


class CausalCircle(Method):
    """Running Fourier sums, for tokens on the circle or their angles."""

    name, dims, series = "circle", frozenset({2}), True

    def pays(self, n: int, dim: int, flow: Flow) -> bool:
        """The later the sharper the exponential."""
        return n > FROM + PER_ROOT * sqrt(abs(flow.beta or 0.0))

    def prepare(self, flow: Flow, size: Size, tol: float) -> Sums:
        """The modes of the kernel, to a tolerance."""
        kernel = flow.kernel
        modes = circle_modes(lambda gap: kernel(1 - gap), tol) if kernel else exponential_modes(flow.beta, tol)
        return Sums(partial(running_sums, modes=modes, mask=_mask(flow), unit=flow.unit), modes.error, angles=True)


class CausalDense(Method):
    """Every pair of a token with one before it, any weight and matrices."""

    name, takes = "dense", MATRICES

    def pays(self, n: int, dim: int, flow: Flow) -> bool:
        """Always."""
        return True

    def prepare(self, flow: Flow, size: Size, tol: float) -> Sums:
        """Sums that are exact to rounding relative to each force for the exponential, else to the largest."""
        mask = _mask(flow)
        if flow.plain and flow.beta is not None:
            return Sums(partial(pair_sums_before, beta=flow.beta, mask=mask, unit=flow.unit), 0.0)
        if flow.query_key is not None:
            check_exponents(flow.attention, size.reach, "float64")
        sums = partial(kernel_sums_before, query_key=flow.query_key, value=flow.value)
        return Sums(partial(sums, attention=flow.attention, mask=mask, unit=flow.unit), size.rounding(flow))


METHODS_BEFORE: dict[str, Method] = {method.name: method for method in (CausalCircle(), CausalDense())}
"""Those that take a causal mask, in the order in which they are asked."""


def running_sums(
    places: Array,
    weights: Array,
    modes: CircleModes,
    mask: Causal,
    out: Pair | None = None,
    *,
    unit: float = 1.0,
    normalizer: bool = True,
) -> Pair:
    r"""Drift and normaliser on the circle, of tokens, shape=[n, 2], or of angles, shape=[n], of moduli to 1e5.

    ``weights`` may hold a ``unit``, which stays in the sums.  ``out``, of an earlier call, is overwritten; without
    ``normalizer`` the second array is empty.

    >>> angles, weights = np.array([0.0, 2.0, 3.0]), np.full(3, 1 / 3)
    >>> speed, total = running_sums(angles, weights, exponential_modes(2.0), Causal(own=False))
    >>> pull = np.exp(2 * np.cos(2.0) - 2)
    >>> bool(np.allclose([*speed[:2], total[1]], [0.0, -pull * np.sin(2.0), pull], rtol=1e-12, atol=1e-15))
    True
    """
    drift, total = room_for_sums(places, out)
    total = total if normalizer else total[:0]
    n, planar = len(weights), places.ndim == 2
    x, y = np.ascontiguousarray((places if planar else circle_points(places)).T)
    speed = np.empty(n) if planar else drift
    scan_modes(x, y, weights, _kept(mask, n), mask.own, modes.force, modes.value, speed, total)
    _average(speed, total, weights, mask, unit)
    if planar:
        np.multiply(-y, speed, out=drift[:, 0])
        np.multiply(x, speed, out=drift[:, 1])
    return drift, total


def pair_sums_before(
    tokens: Array,
    weights: Array,
    beta: float,
    mask: Causal,
    *,
    unit: float = 1.0,
    out: Pair | None = None,
    normalizer: bool = True,
) -> Pair:
    r"""Drift, shape=[n, dim], and normaliser, shape=[n], by pairs for the exponential, in units of :math:`e^\beta`.

    >>> drift, total = pair_sums_before(np.eye(2), np.array([0.25, 0.75]), 2.0, Causal(own=True))
    >>> bool(np.allclose(total, [1, 0.75 + 0.25 * np.exp(-2)], rtol=1e-14)), drift[0] + 0.0
    (True, array([0., 0.]))
    """
    drift, total = room_for_sums(tokens, out)
    add_pairs(tokens, weights, beta, mask.decay, mask.own, drift, total)
    _average(drift, total, weights, mask, unit)
    return drift, total


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite is refused
def kernel_sums_before(
    tokens: Array,
    weights: Array,
    attention: Attention,
    mask: Causal,
    *,
    query_key: Array | None = None,
    value: Array | None = None,
    unit: float = 1.0,
    out: Pair | None = None,
    normalizer: bool = True,
) -> Pair:
    r"""Drift, shape=[n, dim], and normaliser, shape=[n], by pairs for any kernel, queries, keys and values.

    >>> drift, total = kernel_sums_before(np.eye(2), np.array([0.25, 0.75]), lambda t: 1 + t, Causal(own=False))
    >>> drift + 0.0, total
    (array([[0., 0.],
           [1., 0.]]), array([1., 1.]))

    Raises FloatingPointError where the kernel is not finite.
    """
    drift, total = room_for_sums(tokens, out)
    n = len(tokens)
    keys = tokens if query_key is None else tokens @ query_key.T
    pulled = weights[:, None] * (tokens if value is None else tokens @ value.T)
    places, rows = np.arange(n), max(1, OVERLAPS // n)
    for first in range(0, n, rows):
        here, seen = slice(first, min(first + rows, n)), slice(0, min(first + rows, n))
        score = tokens[here] @ keys[seen].T
        if query_key is None:
            np.clip(score, -1.0, 1.0, out=score)
        factor = attention(score) if callable(attention) else np.exp(attention * (score - 1))
        steps = places[here, None] - places[seen]
        factor = np.where(steps > (-1 if mask.own else 0), factor * np.exp(-mask.decay * steps.clip(0) / n), 0.0)
        drift[here], total[here] = factor @ pulled[seen], factor @ weights[seen]
    if not (np.isfinite(drift).all() and np.isfinite(total).all()):
        raise FloatingPointError("the kernel is not finite at an overlap of the tokens")
    drift -= np.einsum("id,id->i", drift, tokens)[:, None] * tokens
    _average(drift, total, weights, mask, unit)
    return drift, total


def _kept(mask: Causal, n: int) -> float:
    """What is left of a weight one token later."""
    return float(np.exp(-mask.decay / n))


def _mask(flow: Flow) -> Causal:
    if flow.causal is None:
        raise Refused("causal", None, "these sums are those of a mask")
    return flow.causal


def _average(drift: Array, total: Array, weights: Array, mask: Causal, unit: float) -> None:
    """Divide sums by the masses seen; the normaliser is one where a token sees none, so that SA leaves it in place."""
    masses = seen_masses(weights, _kept(mask, len(weights)), mask.own) / unit
    drift /= masses if drift.ndim == 1 else masses[:, None]
    if len(total):
        total /= masses
        if not mask.own:
            total[0] = 1.0
