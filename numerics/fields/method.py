"""The velocity field of attention by the fastest sums that are exact enough: dense, through tiles or through harmonics.

Dense sums are accurate relative to each force; all others relative to the largest force that the kernel allows, to a
tolerance that can be asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import floor, inf, log10, sqrt
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.fields.cells import cell_angle_sums, cell_kernel, cell_sums, exponential_cells
from gegenflow.numerics.fields.circle import circle_angle_sums, circle_sums
from gegenflow.numerics.fields.dense import dense_sums, kernel_sums
from gegenflow.numerics.fields.flow import Flow, FlowParts, check_parts, flow_of
from gegenflow.numerics.fields.fourier import circle_modes, exponential_modes
from gegenflow.numerics.fields.legendre import exponential_sphere_modes, sphere_modes
from gegenflow.numerics.fields.sphere import sphere_sums
from gegenflow.numerics.fields.tiles import check_exponents, tile_sums
from gegenflow.numerics.fields.weights import Attention, check_fit
from gegenflow.numerics.tokens.geometry import Array, check_tokens, check_weights
from gegenflow.numerics.tokens.refusals import Refused

Pair = tuple[Array, Array]
Sums = Callable[..., Pair]
"""Maps a state and weights to drift and normaliser; takes ``out`` and ``normalizer`` as :func:`circle_sums` does."""

HARMONICS: dict[str, tuple[Sums, Sums | None, Callable[..., Any], Callable[..., Any]]] = {
    "circle": (circle_sums, circle_angle_sums, exponential_modes, circle_modes),
    "cells": (cell_sums, cell_angle_sums, exponential_cells, cell_kernel),
    "sphere": (sphere_sums, None, exponential_sphere_modes, sphere_modes),
}
DIMS = {"circle": 2, "cells": 2, "sphere": 3}
METHODS = ("auto", "dense", "tiles", *DIMS)
FINEST, COARSEST = 1e-13, 1e-3  # tolerances that harmonics are asked for
ROUNDING = 2.0**-52
LARGEST_BETA_FLOAT32 = 80.0  # exp(beta) overflows float32 just above 88
SMALLEST_BETA_FLOAT32 = -42.0  # exponents beta (t - 1) stay within the range of the tiles

CIRCLE_FROM = 2  # tokens per mode: measured break-even is at 1, and the dense field is the more accurate
CELLS_FROM = 2000  # tokens: measured break-even of cells with modes is between 750 (beta 1000) and 2000 (beta 1)
SPHERE_FROM, SPHERE_PER_BETA = 500, 20  # tokens: measured break-even is about 400 (beta <= 10) and 1500 (beta 50)
TILES_FROM = 1000  # tokens, from dim 4 on: measured 1.3 to 3.7 times faster than dense at dims 8 to 512


@dataclass(frozen=True, eq=False)
class Field:
    r"""The velocity of weighted tokens under attention: how its sums are taken, and how exact they are.

    ``method`` names the sums; ``error`` estimates what they are off by, relative to ``largest`` =
    :math:`(\max|h|\sqrt{1-t^2}, \max|h|)`, the largest force and value of the kernel, and is zero for dense sums of the
    exponential, exact to rounding relative to each force; ``own`` is h(1), the value of a token for itself, or 0 for a
    kernel that may be negative.  ``sums`` maps tokens, shape=[n, dim], and weights to drift and normaliser in units of
    :math:`e^\beta` (one for a kernel), ``angle_sums`` angles, shape=[n], where the method takes them.  ``scaled``,
    shape=[n], holds the weights, for USA times that unit.
    """

    method: str
    model: str
    scaled: Array
    error: float
    largest: tuple[float, float]
    own: float
    sums: Sums
    angle_sums: Sums | None = None

    def __call__(self, state: Array, out: Array) -> None:
        """Write the velocities of tokens, or the angular speeds of angles, into ``out``, of the shape of ``state``."""
        sums = self.angle_sums if state.ndim == 1 and self.angle_sums else self.sums
        divided = self.model == "sa"
        drift, normalizer = sums(state, self.scaled, (out, np.empty(len(state))), normalizer=divided)
        if not divided:
            out[...] = drift
            return
        if not (normalizer > 0).all():
            row = int(np.flatnonzero(~(normalizer > 0))[0])
            raise FloatingPointError(
                f"the normaliser of token {row} is {normalizer[row]:.3g}: SA divides by it and needs it positive"
            )
        np.divide(drift, normalizer if state.ndim == 1 else normalizer[:, None], out=out)

    def velocity_error(self, tokens: Array) -> float:
        r"""An estimate of the largest error of any velocity at given tokens, shape=[n, dim].

        .. math:: \varepsilon\,e^\beta \max|f| \ \text{(USA)}, \qquad
                  \varepsilon \max_i \Big(\frac{\max|f|}{Z_i} + \frac{\max|h|\,|F_i|}{Z_i^2}\Big) \ \text{(SA)}, \qquad
                  f = h\sqrt{1-t^2}

        with :math:`\varepsilon` = ``error``; :math:`Z_i`, less its own error, is at least ``own`` times the weight of
        the token, and infinity is the answer where that leaves nothing positive.  Source: derived here.
        """
        if self.error == 0:
            return 0.0
        force, value = self.largest
        if self.model == "usa":
            return self.error * force * float(self.scaled.sum())
        drift, normalizer = self.sums(tokens, self.scaled)
        least = np.maximum(normalizer - self.error * value, self.own * self.scaled)
        if not (least > 0).all():
            return inf
        return self.error * float((force / least + value * np.linalg.norm(drift, axis=1) / least**2).max())


def prepare_field(
    tokens: Array,
    weights: Array,
    flow: Flow,
    *,
    method: str = "auto",
    accuracy: float = 0.0,
) -> Field:
    r"""The field of tokens like the given ones, by a method, to an accuracy of the velocity; arguments already checked.

    "auto" takes the fastest sums whose :meth:`Field.velocity_error` at ``tokens`` is at most ``accuracy``: in dim 2 the
    circle and, for more tokens, its cells; in dim 3 the sphere; in higher dim the tiles; and "dense" for few tokens,
    for a kernel that is not smooth, and for an accuracy that the others miss.  A named method comes as near as it can;
    ``accuracy`` 0 asks for the finest modes and refuses none.  For a flow with a query_key the tiles serve at any size,
    for one with values the dense sums.

    >>> circle = [np.array([[np.cos(a), np.sin(a)] for a in np.arange(n)]) for n in (9, 500, 5000)]
    >>> [prepare_field(tokens, np.full(len(tokens), 1 / len(tokens)), Flow(beta=5)).method for tokens in circle]
    ['dense', 'circle', 'cells']
    >>> weights = np.full(500, 1 / 500)
    >>> prepare_field(circle[1], weights, Flow(kernel=lambda t: np.maximum(t, 0))).method, prepare_field(
    ...     circle[1], weights, Flow(beta=5), accuracy=1e-16).method
    ('dense', 'dense')

    Raises ValueError as :func:`check_method` does, and for a named method that the kernel is too rough for.
    """
    n, dim = tokens.shape
    check_method(method, dim, flow)
    if flow.layer_norm != "post" and flow.value is None:  # the length of the output counts, too
        flow = replace(flow, value=np.eye(dim))
    build = partial(_field, flow=flow, weights=weights)
    if not flow.plain:
        return build("tiles" if flow.value is None else "dense")
    for name in _candidates(n, dim, flow.attention) if method == "auto" else (method,):
        try:
            field, wanted = build(name), FINEST
            if accuracy and field.error:
                wanted = field.error * accuracy / field.velocity_error(tokens)
                for digit in range(floor(-log10(min(max(wanted, FINEST), COARSEST))), 14):
                    field = build(name, tol=10.0**-digit)
                    if field.error <= wanted or name not in HARMONICS:
                        break
        except ValueError as error:
            if method != "auto":
                raise Refused("method", method, f'{error}; "dense" takes any kernel') from None
            continue
        if method != "auto" or not accuracy or field.error <= wanted:
            return field
    return build("dense")


def check_method(method: str, dim: int, flow: Flow) -> None:
    """Refuse an unknown method, one in a ``dim`` not its own, and any that does not take the matrices of the flow.

    >>> check_method("circle", 3, Flow(beta=1))
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: method circle: it needs dim 2, not 3; "dense" takes any
    """
    if method not in METHODS:
        raise Refused("method", method, f"choose from {', '.join(METHODS)}")
    if method in DIMS and dim != DIMS[method]:
        raise Refused("method", method, f'it needs dim {DIMS[method]}, not {dim}; "dense" takes any')
    for name, matrix in (("query_key", flow.query_key), ("value", flow.value)):
        if matrix is None:
            continue
        takes = "tiles" if flow.value is None else "dense"
        if method not in ("auto", takes):
            raise Refused("method", method, f'with a {name} it must be "auto" or "{takes}"')
        check_fit(name, matrix, dim)


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

    with :math:`P_x y = y - \langle x, y\rangle x`, :math:`Z_i = \sum_j w_j h(s_{ij})`, the self term included,
    ``tokens`` shape=[n, dim], ``weights`` :math:`w_j` shape=[n], 1/n by default, and the weight h, the model and the
    matrices B and V of a :class:`Flow`, or these as keywords.  ``method`` "dense" is the reference, "auto" the fastest;
    see :func:`gegenflow.numerics.simulate`.  With a query_key and no values the sums are those of the tiles.  "tiles"
    keep tokens of float32 in float32; all else is float64.

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

    Raises ValueError for bad tokens or weights, as :class:`Flow` does, for a flow with noise, several heads, a mask,
    random layers or a layer norm other than "post", for SA where :math:`Z_i \le 0`, and as :func:`check_method` does.
    Source: arXiv 2410.23228, its USA and SA models; 2312.10794 for the matrices.
    """
    flow = flow_of(flow, short)
    check_parts(flow, "attention_field", "query_key", "value")
    rows = check_tokens(tokens)
    if method == "tiles" and np.asarray(tokens).dtype == np.float32:
        if flow.model == "usa" and flow.beta is not None and flow.beta > LARGEST_BETA_FLOAT32:
            raise Refused("beta", flow.beta, f"USA overflows float32 above beta = {LARGEST_BETA_FLOAT32:g}")
        if flow.beta is not None and flow.beta < SMALLEST_BETA_FLOAT32:
            raise Refused("beta", flow.beta, f"in float32 it must be at least {SMALLEST_BETA_FLOAT32:g}")
        rows = rows.astype(np.float32)
    method = "tiles" if flow.query_key is not None and flow.value is None and method == "dense" else method
    out = np.empty_like(rows)
    try:
        masses = check_weights(weights, len(rows))
        prepare_field(rows, masses, flow, method=method)(rows, out)
    except FloatingPointError as problem:
        raise Refused("tokens", None, str(problem)) from None
    return out


def attention_sums(tokens: Array, weights: Array, flow: Flow) -> tuple[Array, Array]:
    r"""Drift, shape=[n, dim], and normaliser, shape=[n], by the fastest method, in units of :math:`e^\beta`.

    See :func:`gegenflow.numerics.fields.dense.dense_sums`; the sums of a kernel are in units of one.

    >>> drift, normalizer = attention_sums(np.eye(2), np.array([0.25, 0.75]), Flow(beta=2))
    >>> (drift[0] * np.exp(2)).round(11)
    array([0.  , 0.75])
    """
    sums: tuple[Array, Array] = prepare_field(tokens, weights, flow).sums(tokens, weights)
    return sums


def _candidates(n: int, dim: int, attention: Attention) -> tuple[str, ...]:
    # from the fastest on, without the dense sums; a kernel is slow to evaluate, so its modes are worth it early
    beta = 0.0 if callable(attention) else abs(attention)
    if dim == 2 and n >= CELLS_FROM:
        return "cells", "circle"
    if dim == 2:
        return ("circle",) if n > CIRCLE_FROM * (10 + 8 * sqrt(beta)) else ()
    if dim == 3:
        return ("sphere",) if n > SPHERE_FROM + SPHERE_PER_BETA * beta else ()
    return ("tiles",) if n >= TILES_FROM else ()


def _field(
    method: str,
    tol: float = FINEST,
    *,
    flow: Flow,
    weights: Array,
) -> Field:
    attention, model, form, values = flow.attention, flow.model, flow.query_key, flow.value
    scaled = weights * flow.unit
    reach = 1.0 if form is None else float(np.linalg.norm(form, 2))
    force, value, slope, own = _largest(attention, form is None, reach)
    if method in HARMONICS:
        sums, angle_sums, exponential, general = HARMONICS[method]
        kernel = general(lambda gap: attention(1 - gap), tol) if callable(attention) else exponential(attention, tol)
        angles = _with_kernel(angle_sums, kernel) if angle_sums else None
        return Field(method, model, scaled, kernel.error, (force, value), own, _with_kernel(sums, kernel), angles)
    if form is not None:
        check_exponents(attention, reach, "float64")
    if values is not None:
        force = value * max(float(np.linalg.norm(values, 2)), 1e-300)

    def sums_of_pairs(tokens: Array, weights: Array, out: object = None, *, normalizer: bool = True) -> Pair:
        if values is not None:
            return kernel_sums(tokens, weights, attention, query_key=form, value=values)
        if method == "dense":
            return dense_sums(tokens, weights, attention)
        return tile_sums(tokens, weights, attention, query_key=form)

    exact = method == "dense" and values is None and not callable(attention)
    error = 0.0 if exact else ROUNDING * (value + reach * slope) / max(force if values is None else value, 1e-300)
    return Field(method, model, scaled, error, (force, value), own, sums_of_pairs)


def _with_kernel(sums: Sums, kernel: object) -> Sums:
    return lambda state, weights, *out, **normalizer: sums(state, weights, kernel, *out, **normalizer)


@np.errstate(over="ignore", invalid="ignore")  # exponents that a form makes too large are refused
def _largest(attention: Attention, symmetric: bool, reach: float) -> tuple[float, float, float, float]:
    # |h| sqrt(1 - t^2), |h|, |h'| over overlaps |t| <= reach, finely near its end where a sharp kernel lives, and
    # h(1) for a kernel that is nowhere negative; with a form a pull may be as long as a token
    phi = np.pi * np.linspace(0, 1, 4001) ** 2
    gap = 1 - reach + reach * 2 * np.sin(phi / 2) ** 2
    value = attention(1 - gap) if callable(attention) else np.exp(-attention * gap)
    force, slope = value * np.sin(phi) if symmetric else value, np.gradient(value, gap)
    own = float(value[0]) if symmetric and (value >= 0).all() else 0.0
    return float(np.abs(force).max()), float(np.abs(value).max()), float(np.abs(slope).max()), own
