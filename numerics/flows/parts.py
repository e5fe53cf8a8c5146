"""Parts of a flow: heads, a causal mask, random layers; each is checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.flows.activations import Activation, activation_function
from gegenflow.numerics.flows.weights import (
    Attention,
    Kernel,
    Number,
    attention_of,
    matrix_parts,
    short_repr,
    weight_parts,
)
from gegenflow.numerics.tokens.arguments import check_number, check_whole
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import Value, record_html

MOST_OF_LAYERS = 10**6
"""Neurons of a layer, and layers in a unit of time."""


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Head(Value):
    r"""One head of attention: its weight, by beta or a kernel, and its matrices.

    .. math:: A_i = \sum_j w_j h(\langle x_i, B x_j\rangle) V x_j

    :param beta: inverse temperature of the weight :math:`h = e^{\beta t}`, >= -150, at most 700 in a flow of USA;
        None (default) beside a kernel
    :param kernel: attention weight h(t) of any other kind, a function that maps an array of overlaps to finite numbers
        of the same shape; None (default): by beta
    :param query_key: B of the scores, shape (dim, dim); None (default): the identity
    :param value: V of what is summed up, shape (dim, dim); None (default): the identity

    >>> Head(beta=2, value=[[1, 0], [0, -1]])
    Head(beta=2.0, value=<2 x 2>)

    Raises ValueError as :class:`Flow` does.  Source: arXiv 2605.04279.

    See also :class:`.Flow`, :class:`.HeadEnergy`, :class:`.AttentionEntropy`.
    """

    beta: float | None
    kernel: Kernel | None
    query_key: Array | None
    value: Array | None

    _repr_html_ = record_html

    def __init__(
        self,
        beta: Number | None = None,
        kernel: Kernel | None = None,
        query_key: ArrayLike | None = None,
        value: ArrayLike | None = None,
    ) -> None:
        facts = weight_parts(beta, kernel) | matrix_parts(query_key, value)
        self.__dict__.update(facts)

    @property
    def attention(self) -> Attention:
        """What weighs the tokens: beta or the kernel."""
        return attention_of(self.beta, self.kernel)

    def __repr__(self) -> str:
        return short_repr(self, {})


@dataclass(frozen=True, eq=False)
class Causal(Value):
    r"""Tokens see those before them alone, the nearer the better; sums over all become means over what is seen.

    .. math:: v_i = P_{x_i} \frac{\sum_j m_{ij} w_j h_{ij} V x_j}{\sum_j m_{ij} w_j} \ \text{(USA)}, \qquad
              P_{x_i} \frac{\sum_j m_{ij} w_j h_{ij} V x_j}{\sum_j m_{ij} w_j h_{ij}} \ \text{(SA)}, \qquad
              m_{ij} = e^{-\lambda (i - j)/n}

    over j < i, and j = i with ``own``.  A token that sees none stays in its place.  The drive
    :math:`w', w = e^{\beta\cos}` of arXiv 2605.09213 is USA with ``own`` False, but :math:`\beta` times as fast: its
    time t is :math:`\beta t` here.

    :param decay: :math:`\lambda`, as in ALiBi, in units of one over the length of the sequence, >= 0, default 0
    :param own: whether a token sees itself, default True

    >>> Causal(decay=-1)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: decay -1: it must be finite, >= 0

    Source: arXiv 2605.09213.

    See also :class:`.Flow`, :func:`.source_correlations`, :func:`.strong_centres`.
    """

    decay: float = 0.0
    own: bool = True

    _repr_html_ = record_html

    def __post_init__(self) -> None:
        decay = check_number("decay", self.decay, least=0.0)
        if not isinstance(self.own, bool | np.bool):
            raise Refused("own", self.own, "it must be True or False")
        self.__dict__.update(decay=decay, own=bool(self.own))


@dataclass(frozen=True, eq=False, repr=False)
class RandomLayers(Value):
    r"""Layers with Gaussian weights, drawn anew each time and shared by all tokens, L of them in a unit of time.

    .. math:: x_i \leftarrow \frac{x_i + v_i/L + L^{-1/2}\,\xi(x_i) + L^{-1/2}\,V a_i}{|\cdots|}, \qquad
              \xi(x) = m^{-1/2} \sum_{k \le m} u_k\, s(\langle w_k, x\rangle)

    with the velocity v of attention, of a flow that has a weight.  In the limit of infinite width, pushes :math:`\xi`
    are a Gaussian field of covariance :math:`K(\langle x, y\rangle) I_d`, :math:`K(r) = E\,s(g_1)s(g_2)` at the
    correlation r, and in that of infinitely many layers tokens are a diffusion,

    .. math:: dx = v\,dt + P_x\,d\xi(x) - \tfrac{d-1}{2} K(1)\,x\,dt

    :param activation: s, one of "relu", "leaky_relu" (slope 0.01 below zero), "linear", "erf", "gelu", "cos", "sin",
        "exp", "step", "tanh", "1+tanh", "sigmoid", "silu", or a function of an array; None (default): no such network
    :param width: m, neurons of a layer, >= 1 and <= 10**6; None (default): infinitely many
    :param layers: L, layers in a unit of time, >= 1 and <= 10**6; None (default): infinitely many
    :param values: add what tokens attend to, :math:`a_i = \sum_j w_j h_{ij} x_j` (over Z in SA), times a fresh matrix V
        of independent standard normal entries; the mean :math:`v` is then left out; default False

    >>> RandomLayers("tanh", width=0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: width 0: it must be a whole number >= 1 ..., or None for the limit

    Raises ValueError for an activation that is none, and for a width without one. Source: arXiv 2604.26898 for the
    system, 2601.21942 for the values; the scaling is derived here.

    See also :class:`.Flow`, :func:`.pair_distances`.
    """

    activation: Activation | None = None
    width: int | None = None
    layers: int | None = None
    values: bool = False

    _repr_html_ = record_html

    def __post_init__(self) -> None:
        if not isinstance(self.values, bool | np.bool):
            raise Refused("values", repr(self.values), "it must be True or False")
        if self.activation is None and not self.values:
            raise Refused("activation", None, "a network needs one; without a network, values=True")
        if self.activation is None and self.width is not None:
            raise Refused("width", self.width, "it is that of a network, which needs an activation")
        if self.activation is not None:
            activation_function(self.activation)
        for name, count in (("width", self.width), ("layers", self.layers)):
            if count is not None:
                self.__dict__[name] = check_whole(name, count, 1, MOST_OF_LAYERS, why=", or None for the limit")
        self.__dict__["values"] = bool(self.values)

    def __repr__(self) -> str:
        return short_repr(self, {"values": False})
