"""What several heads do: the energy of one of them, and the entropy of attention."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.heads import head_flows
from gegenflow.numerics.observables.energy import Energy
from gegenflow.numerics.tokens.arguments import check_whole
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import record_html


@dataclass(frozen=True)
class HeadEnergy:
    r"""The energy of one head, a part of :class:`~gegenflow.numerics.Energy` that may fall on the way.

    .. math:: \frac{c}{2\beta}\sum_{ij} w_iw_j e^{\beta\langle x_i, Bx_j\rangle}, \qquad V = cB

    ``head`` is its place among the heads of the flow, >= 0, below their number.

    >>> from gegenflow.numerics.flows.parts import Head
    >>> flow = Flow(heads=[Head(beta=2), Head(beta=1)])
    >>> tokens, weights = np.eye(2), np.full(2, 0.5)
    >>> parts = [HeadEnergy(place)(tokens, weights, flow) for place in range(2)]
    >>> bool(np.isclose(sum(parts), Energy()(tokens, weights, flow)))
    True

    Raises ValueError for a head that the flow does not have, and as :class:`~gegenflow.numerics.Energy`.
    Source: arXiv 2605.04279.

    See also :class:`.Energy`, :class:`.Head`.
    """

    head: int
    name: ClassVar[str] = "head_energy"

    _repr_html_ = record_html

    def __post_init__(self) -> None:
        object.__setattr__(self, "head", check_whole("head", self.head, 0))

    def check(self, flow: Flow) -> None:
        """Refuse a ``flow`` without this head or whose heads have no energy."""
        if self.head >= len(flow.heads):
            raise Refused("head", self.head, f"the flow has {len(flow.heads)} heads, counted from 0")
        Energy().check(flow)

    def __call__(self, tokens: Array, weights: Array, flow: Flow) -> float:
        """Of ``tokens``, shape=[n, dim], of ``weights``, shape=[n], under the ``flow``."""
        self.check(flow)
        return Energy()(tokens, weights, replace(flow, heads=flow.heads[self.head : self.head + 1]))


@dataclass(frozen=True)
class AttentionEntropy:
    r"""Entropy of the attention of a token, the mean over tokens and heads: :math:`-\sum_j p_{ij}\log p_{ij}`.

    .. math:: p_{ij} = \frac{w_j h(\langle x_i, Bx_j\rangle)}{\sum_k w_k h(\langle x_i, Bx_k\rangle)}

    log n where a token sees all n alike. Of the normalised weights in USA, too.

    >>> bool(np.isclose(AttentionEntropy()(np.eye(3), np.full(3, 1 / 3), Flow(beta=0)), np.log(3)))
    True

    Raises ValueError for a kernel that is not positive. Source: arXiv 2605.04279 for the question.

    See also :class:`.Entropy`, :class:`.Head`.
    """

    name: ClassVar[str] = "attention_entropy"

    _repr_html_ = record_html

    def check(self, flow: Flow) -> None:
        """Refuse nothing: any ``flow`` has it."""

    def __call__(self, tokens: Array, weights: Array, flow: Flow) -> float:
        """Of ``tokens``, shape=[n, dim], of ``weights``, shape=[n], under the ``flow``."""
        flows = [one for _, one in head_flows(flow, tokens.shape[1])] if flow.heads else [flow]
        return float(np.mean([_entropy(tokens, weights, one) for one in flows]))


def _entropy(tokens: Array, weights: Array, flow: Flow) -> float:
    keys = tokens if flow.query_key is None else tokens @ flow.query_key.T
    scores = tokens @ keys.T
    if callable(flow.attention):
        with np.errstate(invalid="ignore", divide="ignore"):
            logs = np.log(flow.attention(np.clip(scores, -1, 1) if flow.query_key is None else scores))
        if np.isnan(logs).any():
            raise Refused("kernel", None, "an entropy needs a weight that is not negative")
    else:
        logs = flow.attention * scores
    logs = logs + np.log(weights)
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        surprise = -np.where(shares > 0, np.log(shares), 0.0)
    return float(weights @ (shares * surprise).sum(axis=1))
