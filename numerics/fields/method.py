"""The velocity field of attention by the fastest sums that are exact enough: dense, through tiles or through harmonics.

Dense sums are accurate relative to each force; all others relative to the largest force that the kernel allows, to a
tolerance that can be asked for.
"""

from __future__ import annotations

from dataclasses import replace
from math import floor, log10
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.fields.causal import METHODS_BEFORE
from gegenflow.numerics.fields.cells import Cells
from gegenflow.numerics.fields.circle import Circle
from gegenflow.numerics.fields.dense import Dense
from gegenflow.numerics.fields.field import FINEST, Field, HeadFields
from gegenflow.numerics.fields.sphere import Sphere
from gegenflow.numerics.fields.sums import Method, NotSmooth, Size, matrices, size_of
from gegenflow.numerics.fields.tiles import Tiles, weigher
from gegenflow.numerics.flows.flow import Flow, FlowParts, check_parts, flow_of
from gegenflow.numerics.flows.heads import head_flows
from gegenflow.numerics.flows.weights import check_fit
from gegenflow.numerics.tokens.geometry import Array, check_tokens, check_weights
from gegenflow.numerics.tokens.refusals import Refused, choose
from gegenflow.numerics.tokens.sharing import is_shared

METHODS: dict[str, Method] = {method.name: method for method in (Cells(), Circle(), Sphere(), Tiles(), Dense())}
"""In the order in which they are asked."""

COARSEST = 1e-3  # tolerance that a series is asked for, down to FINEST
LARGEST_BETA_FLOAT32 = 80.0  # exp(beta) overflows float32 just above 88
SMALLEST_BETA_FLOAT32 = -42.0  # exponents beta (t - 1) stay within the range of the tiles
RESOLVED = 1e-9  # of what a token sums up: larger errors of the sums are no longer small, ...
LOOKED_AT, LOOKED_OVER = 32, 512  # ... as seen at so many tokens, of about so many at a time until that is told
CHOSEN = 10  # tolerances of a step that the error of the sums may add up to over a run where they are chosen


def prepare_field(
    tokens: Array,
    weights: Array,
    flow: Flow,
    *,
    method: str = "auto",
    accuracy: float = 0.0,
    tol: float | None = None,
) -> Field | HeadFields:
    r"""The field of tokens like the given ones, by a method, to an accuracy of the velocity; arguments already checked.

    "auto" takes the fastest sums whose :meth:`Field.velocity_error` at ``tokens`` is at most ``accuracy``: in dim 2 the
    circle and, for more tokens, its cells; in dim 3 the sphere; from dim 64 on, and for kernels from 4 on, the tiles;
    and "dense" for few tokens, in the dims between, for a kernel that is not smooth, and for an accuracy that the
    others miss.  A named method comes as near as it can; ``accuracy`` 0 asks for the finest modes and refuses none;
    ``tol``, that of an earlier field by a named method, for the same sums again.  For a flow with a query_key the tiles
    serve at any size, for one with values the dense sums.

    >>> circle = [np.array([[np.cos(a), np.sin(a)] for a in np.arange(n)]) for n in (9, 500, 5000)]
    >>> [prepare_field(tokens, np.full(len(tokens), 1 / len(tokens)), Flow(beta=5)).method for tokens in circle]
    ['dense', 'circle', 'cells']
    >>> weights = np.full(500, 1 / 500)
    >>> prepare_field(circle[1], weights, Flow(kernel=lambda t: np.maximum(t, 0))).method, prepare_field(
    ...     circle[1], weights, Flow(beta=5), accuracy=1e-16).method
    ('dense', 'dense')

    Raises ValueError as :func:`check_method` does, and for a named method that the kernel is too rough for.
    """
    check_method(method, tokens.shape[1], flow)
    if not flow.heads:
        return _chosen_field(tokens, weights, flow, method, accuracy, tol)
    gains, flows = zip(*head_flows(flow), strict=True)
    share = accuracy / sum(map(abs, gains)) if any(gains) else 0.0
    return HeadFields(tuple(_chosen_field(tokens, weights, one, method, share, tol) for one in flows), gains)


def _chosen_field(tokens: Array, weights: Array, flow: Flow, method: str, accuracy: float, tol: float | None) -> Field:
    """The field of one head."""
    n, dim = tokens.shape
    if flow.layer_norm != "post" and flow.value is None:  # the length of the output counts, too
        flow = replace(flow, value=np.eye(dim))
    size = size_of(flow)
    if tol is not None and method != "auto":
        return _field(_methods(flow)[method], flow, weights, size, tol)
    if method != "auto":
        try:
            return _prepared(_methods(flow)[method], flow, tokens, weights, size, accuracy)[0]
        except NotSmooth as error:
            raise Refused("method", method, f'{error}; "dense" takes any kernel') from None
    given, shared = matrices(flow), is_shared()
    for candidate in _methods(flow).values():
        if not _takes(candidate, dim, given) or (shared and not candidate.series):
            continue
        if flow.plain and not shared and not candidate.pays(n, dim, flow):
            continue
        try:
            field, exact = _prepared(candidate, flow, tokens, weights, size, accuracy)
        except NotSmooth:
            continue
        if exact:
            return field
    raise Refused("comm", None, "processes share sums of smooth kernels on the circle and in dim 3, to an accuracy")


def check_method(method: str, dim: int, flow: Flow) -> None:
    """Refuse an unknown method, one in a ``dim`` not its own, and any that does not take the matrices of the flow.

    >>> check_method("circle", 3, Flow(beta=1))
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: method circle: it needs dim 2, not 3; "dense" takes any
    """
    if method not in ("auto", *METHODS):
        raise Refused("method", method, choose(method, ("auto", *METHODS)))
    for part in flow.heads or (flow,):
        for name, matrix in (("query_key", part.query_key), ("value", part.value)):
            check_fit(name, matrix, dim)
    if flow.heads:
        for _, one in head_flows(flow):
            check_method(method, dim, one)
        return
    serving = _methods(flow)
    if method != "auto" and method not in serving:
        raise Refused("method", method, 'with a causal mask it must be "auto", "dense", or in dim 2 "circle"')
    if method == "auto" or _takes(serving[method], dim, matrices(flow)):
        return
    if given := " and ".join(f"a {name}" for name in sorted(matrices(flow))):
        others = " or ".join(f'"{name}"' for name in serving if matrices(flow) in serving[name].takes)
        if flow.layer_norm != "post" and flow.value is None:
            given = f'layer_norm "{flow.layer_norm}"'
        raise Refused("method", method, f'with {given} it must be "auto" or {others}')
    (needed,) = serving[method].dims
    raise Refused("method", method, f'it needs dim {needed}, not {dim}; "dense" takes any')


def attention_field(
    tokens: ArrayLike,
    flow: Flow | None = None,
    *,
    weights: ArrayLike | None = None,
    method: str = "dense",
    **short: Unpack[FlowParts],
) -> Array:
    r"""Velocity of every token under attention, shape=[n, dim].

    .. math:: \dot x_i = P_{x_i} \sum_j w_j h(s_{ij}) V x_j \quad\text{(USA)}, \qquad
              \dot x_i = Z_i^{-1} P_{x_i} \sum_j w_j h(s_{ij}) V x_j \quad\text{(SA)}, \qquad
              s_{ij} = \langle x_i, B x_j\rangle

    with :math:`P_x y = y - \langle x, y\rangle x`, :math:`Z_i = \sum_j w_j h(s_{ij})`, the self term included.  With a
    query_key and no values the sums are those of the tiles.  "tiles" keep tokens of float32 in float32; all else is
    float64.

    :param tokens: tokens on the sphere, shape (n, dim), in their order under a causal mask
    :param flow: what moves them, a :class:`Flow` with the weight h, the model and the matrices B and V, without noise,
        random layers and layer norm; None (default): the one whose parts are given as keywords
    :param weights: weights of the tokens, shape (n,), > 0 with sum 1; None (default): 1/n each
    :param method: "dense" (default), the reference; "auto", the fastest that is exact to 1e-9 of what a token sums up;
        or one of "cells" and "circle" (dim 2), "sphere" (dim 3) and "tiles" (any dim), see :func:`.simulate`
    :param short: parts of a :class:`Flow` in place of it: beta, kernel, model, query_key, value, heads, causal, scaled

    Two orthogonal tokens turn towards each other at speed 1/2 (USA) or :math:`1/(1 + e^\beta)` (SA):

    >>> attention_field([[1.0, 0.0], [0.0, 1.0]], beta=3.0)
    array([[0. , 0.5],
           [0.5, 0. ]])
    >>> field = attention_field([[1.0, 0.0], [0.0, 1.0]], beta=3.0, model="sa")
    >>> bool(np.isclose(field[0, 1], 1 / (1 + np.exp(3.0)), rtol=1e-14))
    True

    ReLU attention sees only the half sphere about a token, here the second of two others:

    >>> attention_field([[1.0, 0.0], [-0.6, 0.8], [0.8, 0.6]], kernel=lambda t: np.maximum(t, 0))[0].round(15)
    array([0.  , 0.16])

    Raises ValueError for bad tokens or weights, as :class:`Flow` does, for a flow with noise,
    random layers or a layer norm other than "post", for SA where :math:`Z_i \le 0`, and as :func:`check_method` does.
    Source: arXiv 2410.23228, its USA and SA models; 2312.10794 for the matrices.

    See also :class:`.Flow`, :func:`.simulate`, :func:`.zero_temperature_field`.
    """
    flow = flow_of(flow, short)
    check_parts(flow, "attention_field", "query_key", "value", "heads", "causal")
    rows = check_tokens(tokens)
    if method == "tiles" and np.asarray(tokens).dtype == np.float32:
        rows = rows.astype(np.float32)
    out = np.empty_like(rows)
    try:
        _field_at(rows, check_weights(weights, len(rows)), flow, method)(rows, out)
    except FloatingPointError as problem:
        raise Refused("tokens", None, str(problem)) from None
    return out


def _field_at(rows: Array, weights: Array, flow: Flow, method: str) -> Field | HeadFields:
    """The field that a user asks for, once, at these tokens."""
    check_method("auto", rows.shape[1], flow)
    if flow.heads:
        gains, flows = zip(*head_flows(flow), strict=True)
        return HeadFields(tuple(_head_field_at(rows, weights, one, method) for one in flows), gains)
    return _head_field_at(rows, weights, flow, method)


def _head_field_at(rows: Array, weights: Array, flow: Flow, method: str) -> Field:
    if rows.dtype == np.float32:
        if flow.model == "usa" and flow.exponent > LARGEST_BETA_FLOAT32:
            raise Refused("beta", flow.beta, f"USA overflows float32 above beta = {LARGEST_BETA_FLOAT32:g}")
        if flow.beta is not None and flow.beta < SMALLEST_BETA_FLOAT32:
            raise Refused("beta", flow.beta, f"in float32 it must be at least {SMALLEST_BETA_FLOAT32:g}")
    if method == "auto":
        return resolved_field(rows, weights, flow)
    keys_alone = flow.query_key is not None and flow.value is None and flow.causal is None
    method = "tiles" if keys_alone and method == "dense" else method
    check_method(method, rows.shape[1], flow)
    return _chosen_field(rows, weights, flow, method, 0.0, None)


def attention_sums(tokens: Array, weights: Array, flow: Flow) -> tuple[Array, Array]:
    r"""Drift, shape=[n, dim], and normaliser, shape=[n], by the fastest method exact to 1e-9 of what a token sums up.

    In units of :math:`e^\beta`, of a kernel in units of one, as :func:`gegenflow.numerics.fields.dense.dense_sums`.

    >>> drift, normalizer = attention_sums(np.eye(2), np.array([0.25, 0.75]), Flow(beta=2))
    >>> (drift[0] * np.exp(2)).round(11)
    array([0.  , 0.75])
    """
    return resolved_field(tokens, weights, flow).sums(tokens, weights)


def resolved_field(tokens: Array, weights: Array, flow: Flow) -> Field:
    r"""The fastest field whose error is small beside what tokens like the given ones sum up; arguments already checked.

    .. math:: \varepsilon \max|h| \le 10^{-9} \min_i \sum_j w_j |h(\langle x_i, x_j\rangle)|

    with the minimum over 32 tokens; the dense one where the others miss that, as at ``beta`` < 0, where gathered tokens
    have overlaps near 1 and weights of :math:`e^{-2|\beta|}` of the largest.

    >>> gathered = np.repeat([[1.0, 0.0], [0.8, 0.6]], 200, axis=0)
    >>> [resolved_field(gathered, np.full(400, 1 / 400), Flow(beta=beta)).method for beta in (20, -20)]
    ['circle', 'dense']

    Source: derived here.
    """
    field = _chosen_field(tokens, weights, flow, "auto", 0.0, None)
    if field.error == 0 or not flow.plain or flow.causal is not None or is_shared():
        return field
    largest = max(field.largest) if METHODS[field.method].series else field.largest[0]  # of rounding, the same in both
    attention, needed = flow.attention, field.error * largest / RESOLVED
    if not callable(attention) and needed <= float(weights.min()):  # a token's own part of its sum
        return field
    rows = tokens[np.linspace(0, len(tokens) - 1, min(len(tokens), LOOKED_AT)).astype(np.int64)]
    weigh, step, found = weigher(attention, tokens, True), max(1, len(tokens) // LOOKED_OVER), np.zeros(len(rows))
    for first in range(step):  # part of a sum of positive terms is less than all of it
        values = rows @ tokens[first::step].T
        weigh(values)
        found += np.abs(values) @ weights[first::step]
        if needed <= float(found.min()):
            return field
    return _chosen_field(tokens, weights, flow, "dense", 0.0, None)


def _methods(flow: Flow) -> dict[str, Method]:
    return METHODS if flow.causal is None else METHODS_BEFORE


def _takes(method: Method, dim: int, given: frozenset[str]) -> bool:
    return (not method.dims or dim in method.dims) and given in method.takes


def _prepared(
    method: Method, flow: Flow, tokens: Array, weights: Array, size: Size, accuracy: float
) -> tuple[Field, bool]:
    """The field by a method, as near to the accuracy as it comes, and whether that is near enough."""
    field = _field(method, flow, weights, size, FINEST)
    if method.name == "dense" or not (flow.plain and accuracy and field.error):
        return field, True
    wanted = field.error * accuracy / field.velocity_error(tokens)
    for digit in range(floor(-log10(min(max(wanted, FINEST), COARSEST))), 14) if method.series else ():
        field = _field(method, flow, weights, size, 10.0**-digit)
        if field.error <= wanted:
            break
    return field, field.error <= wanted


def _field(method: Method, flow: Flow, weights: Array, size: Size, tol: float) -> Field:
    sums = method.prepare(flow, size, tol)
    return Field(
        method=method.name,
        model=flow.model,
        scaled=weights * flow.unit,
        error=sums.error,
        largest=(size.force, size.value),
        own=size.own if flow.causal is None or flow.causal.own else 0.0,
        sums=sums.take,
        angles=sums.angles,
        tol=tol,
    )
