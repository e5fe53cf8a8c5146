"""What moves the tokens, once: a flow, its short form as keywords, and what a solver takes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.flows.equation import equation
from gegenflow.numerics.flows.parts import Causal, Head, RandomLayers
from gegenflow.numerics.flows.weights import (
    LARGEST_BETA,
    SMALLEST_BETA,
    Attention,
    Kernel,
    Number,
    attention_of,
    is_given,
    matrix_parts,
    short_repr,
    weight_parts,
)
from gegenflow.numerics.tokens.arguments import check_choice, check_number
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import Value

MODELS = ("usa", "sa")

LAYER_NORMS = ("post", "pre", "peri")

DEFAULTS: dict[str, object] = {"noise": 0.0, "model": "usa", "layer_norm": "post", "scaled": False}


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Flow(Value):
    r"""The motion of tokens under attention, as a value: checked when it is made, equal when equal, picklable.

    .. math:: dx_i = v_i\,dt + \sqrt{2\nu}\,dW_i, \qquad v_i = P_{x_i} A_i \ \text{(USA)}, \quad
              P_{x_i} A_i / Z_i \ \text{(SA)}, \qquad A_i = \sum_j w_j h(s_{ij}) V x_j, \quad
              Z_i = \sum_j w_j h(s_{ij}), \quad s_{ij} = \langle x_i, B x_j\rangle

    With a layer norm "pre" or "peri" tokens keep a length r while attention A (of SA divided by Z) sees their
    directions:

    .. math:: \dot x = P_x A \ \text{("post", the default)}, \qquad \dot x = P_x A/s,\quad
              \dot r = \langle x, A\rangle\, r/s, \qquad s = r \ \text{("pre")}, \quad s = r|A| \ \text{("peri")}

    :param beta: inverse temperature of the weight :math:`h = e^{\beta t}`, >= -150, in USA <= 700; below zero the
        farthest tokens pull the most; None (default) beside a kernel, heads, or random layers without attention
    :param kernel: attention weight h(t) of any other kind, a function that maps an array of overlaps to finite numbers
        of the same shape; where beta is among its ``parameters``, ``beta`` is put in its place; None (default): by beta
    :param query_key: B of the scores, shape (dim, dim), ``Q.T @ K`` of queries and keys, shape (m, dim);
        None (default): the identity
    :param value: V of what is summed up, shape (dim, dim), -I lets tokens repel; None (default): the identity
    :param noise: noise 1/kappa, >= 0, default 0: degree k decays at :math:`\nu k(k+d-2)`, in the time of the flow
    :param model: "usa" (unnormalised) or "sa" (softmax), default "usa"
    :param layer_norm: "post" (default), "pre" or "peri", see above
    :param heads: several :class:`Head` in place of one weight and its matrices, which add their outputs, each in SA
        divided by a normaliser of its own; default (): one head
    :param causal: a :class:`Causal` mask, under which tokens, in the order in which they come, average over those
        before them alone; None (default): all see all
    :param random_layers: :class:`RandomLayers` that push tokens at random, all by one field; None (default): none do
    :param scaled: take the weight :math:`e^{\beta(t - 1)}`, for any beta >= -150: USA moves as slowly as
        :math:`e^{-\beta}`, and so do energies shrink, of SA too; default False

    >>> Flow(beta=5, noise=0.1), Flow(beta=5) == Flow(beta=5.0), Flow(beta=5).attention
    (Flow(beta=5.0, noise=0.1), True, 5.0)
    >>> Flow(beta=1e4)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: beta 10000.0: USA overflows float64 above beta = 700; softmax ...

    Raises ValueError, naming the part, for a value out of its range, for both or neither of beta and a kernel without
    it, for a scaled flow without beta, and for heads beside a weight or a matrix.  Source: arXiv 2410.23228 for the
    models, 2312.10794 for the matrices, 2604.16288 for the noise, 2510.22026 for the layer norms, 2410.06833 for the
    scaled weight.

    See also :class:`.Head`, :class:`.Causal`, :class:`.RandomLayers`, :func:`.simulate`, :func:`.attention_field`.
    """

    beta: float | None
    kernel: Kernel | None
    query_key: Array | None
    value: Array | None
    noise: float
    model: str
    layer_norm: str
    heads: tuple[Head, ...]
    causal: Causal | None
    random_layers: RandomLayers | None
    scaled: bool

    def __init__(
        self,
        beta: Number | None = None,
        kernel: Kernel | None = None,
        query_key: ArrayLike | None = None,
        value: ArrayLike | None = None,
        noise: Number = 0.0,
        model: str = "usa",
        layer_norm: str = "post",
        heads: Sequence[Head] = (),
        causal: Causal | None = None,
        random_layers: RandomLayers | None = None,
        scaled: bool = False,
    ) -> None:
        heads = _heads(heads, beta=beta, kernel=kernel, query_key=query_key, value=value)
        bare = beta is None and kernel is None and random_layers is not None
        weight = {"beta": None, "kernel": None} if heads or bare else weight_parts(beta, kernel)
        self.__dict__.update(heads=heads, **weight, **matrix_parts(query_key, value))
        self.__dict__["noise"] = check_number("noise", noise, least=0.0)
        self.__dict__["model"] = check_choice("model", model, MODELS)
        self.__dict__["layer_norm"] = check_choice("layer_norm", layer_norm, LAYER_NORMS)
        self.__dict__["scaled"] = self._scaled(scaled)
        parts: tuple[Flow | Head, ...] = (self, *self.heads)
        steepest = max((part.beta for part in parts if part.beta is not None), default=0.0)
        if model == "usa" and steepest > LARGEST_BETA and not scaled:
            safe = "softmax attention (sa) and a scaled flow do not"
            raise Refused("beta", steepest, f"USA overflows float64 above beta = {LARGEST_BETA:g}; {safe}")
        for name, part, kind in (("causal", causal, Causal), ("random_layers", random_layers, RandomLayers)):
            if part is not None and not isinstance(part, kind):
                raise Refused(name, repr(part), f"it must be a {kind.__name__}")
        self.__dict__.update(causal=causal, random_layers=random_layers)
        self._check_layers()

    @property
    def attention(self) -> Attention:
        """What weighs the tokens: beta or the kernel; refused where heads have one each."""
        return attention_of(self.beta, self.kernel)

    @property
    def unit(self) -> float:
        r"""What sums in units of :math:`e^\beta` are multiplied by: that in USA, one if scaled, in SA, for a kernel.

        >>> Flow(beta=1).unit, Flow(beta=5, model="sa").unit
        (2.718281828459045, 1.0)
        """
        return exp(self.exponent) if self.model == "usa" else 1.0

    @property
    def exponent(self) -> float:
        r"""Of the weight at overlap one, :math:`\beta`; zero if scaled and for a kernel.

        >>> Flow(beta=5).exponent, Flow(beta=5, scaled=True).exponent
        (5.0, 0.0)
        """
        return 0.0 if self.scaled or self.beta is None else self.beta

    @property
    def plain(self) -> bool:
        """Whether tokens are queries, keys and values themselves, of one head."""
        return self.query_key is None and self.value is None and not self.heads

    @property
    def attends(self) -> bool:
        """Whether tokens attend to each other: there is a weight, or heads.

        >>> Flow(beta=1).attends, Flow(random_layers=RandomLayers("tanh")).attends
        (True, False)
        """
        return bool(self.beta is not None or self.kernel is not None or self.heads)

    @property
    def is_random(self) -> bool:
        """Whether tokens are pushed at random, and so followed in steps of one size.

        >>> Flow(beta=1).is_random, Flow(beta=1, noise=0.1).is_random
        (False, True)
        """
        return bool(self.noise) or self.random_layers is not None

    def _check_layers(self) -> None:
        if self.random_layers is None:
            return
        if self.noise or self.layer_norm != "post":
            name = "noise" if self.noise else "layer_norm"
            raise Refused(name, getattr(self, name), "with random layers tokens have no noise of their own, and post")
        single = self.beta is not None or self.kernel is not None
        if self.random_layers.values and (not single or self.causal is not None or self.value is not None):
            raise Refused("values", True, "random values go with one head, its weight and query_key, without a mask")
        if self.attends:
            return
        if self.model != "usa":
            raise Refused("model", self.model, "without a weight of attention there is nothing to divide")
        if self.causal is not None or self.query_key is not None or self.value is not None:
            raise Refused("random_layers", None, "a mask and matrices need a weight of attention")

    def _scaled(self, scaled: object) -> bool:
        if not isinstance(scaled, bool | np.bool):
            raise Refused("scaled", repr(scaled), "it must be True or False")
        if scaled and self.beta is None:
            raise Refused("scaled", None, "it divides the weight by e^beta, which only goes with beta")
        return bool(scaled)

    def __repr__(self) -> str:
        return short_repr(self, DEFAULTS)

    def _repr_latex_(self) -> str:
        return f"${equation(self)}$"


class FlowParts(TypedDict, total=False):
    """The parts of a :class:`Flow` as keywords, its short form."""

    beta: Number | None
    kernel: Kernel | None
    query_key: ArrayLike | None
    value: ArrayLike | None
    noise: Number
    model: str
    layer_norm: str
    heads: Sequence[Head]
    causal: Causal | None
    random_layers: RandomLayers | None
    scaled: bool


def flow_of(flow: Flow | None, short: FlowParts) -> Flow:
    """The flow that is given, or the one whose parts are given in its place; never both.

    >>> flow_of(None, {"beta": 2})
    Flow(beta=2.0)
    >>> flow_of(Flow(beta=2), {"model": "sa"})
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: model sa: give a flow or its parts as keywords, not both

    Raises TypeError for a keyword that is no part of a flow.
    """
    for name in short:
        if name not in FlowParts.__annotations__:
            raise TypeError(f"{name}: there is no such argument, nor is it a part of a flow")
    if flow is None:
        return Flow(**short)
    if not isinstance(flow, Flow):
        raise Refused("flow", repr(flow), "it must be a Flow; its parts are keywords, such as beta=5")
    for name, part in short.items():
        raise Refused(name, part, "give a flow or its parts as keywords, not both")
    return flow


def check_parts(flow: Flow, solver: str, *taken: str, smallest_beta: float = SMALLEST_BETA) -> None:
    """Refuse a flow with a part beyond its weight and model that a solver does not take, or with a smaller beta.

    >>> check_parts(Flow(beta=1, noise=0.1), "attention_field", "query_key", "value")
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: noise 0.1: attention_field takes no flow with this part
    """
    for name in ("heads", "causal", "random_layers", "layer_norm", "noise", "query_key", "value"):
        if name not in taken and is_given(part := getattr(flow, name), DEFAULTS.get(name)):
            shown = part if isinstance(part, str | float) else None
            raise Refused(name, shown, f"{solver} takes no flow with this part")
    if flow.beta is not None and flow.beta < smallest_beta:
        raise Refused("beta", flow.beta, f"it must be >= {smallest_beta:g} for {solver}")


def _heads(heads: Sequence[Head], **single: object) -> tuple[Head, ...]:
    if not isinstance(heads, Sequence) or not all(isinstance(head, Head) for head in heads):
        raise Refused("heads", repr(heads), "it must be a list of Head")
    found = tuple(heads)
    for name, part in single.items() if found else ():
        if part is not None:
            raise Refused(name, None, "each of the heads has its own; give it to a Head")
    return found
