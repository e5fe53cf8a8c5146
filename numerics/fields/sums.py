"""What a method of taking the sums of attention is: an interface with one leaf in the file of each method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, sqrt
from typing import ClassVar

import numpy as np

from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.geometry import Array

ROUNDING = 2.0**-52

Pair = tuple[Array, Array]

PLAIN: frozenset[str] = frozenset()
"""No matrices."""


class NotSmooth(ValueError):
    """A kernel that a method cannot follow: too sharp, with a kink or a jump, zero everywhere, or not finite."""


@dataclass(frozen=True)
class Size:
    r"""How large a weight is over the scores :math:`|s| \le` ``reach`` that tokens can have.

    ``force`` is the largest pull :math:`|h|\sqrt{1-t^2}`, with matrices its bound :math:`|h||V|`; ``value`` and
    ``slope`` the largest :math:`|h|` and :math:`|h'|`; ``own`` is h(1), the value of a token for itself, or 0 for a
    kernel that may be negative and with a query_key.
    """

    force: float
    value: float
    slope: float
    own: float
    reach: float

    def rounding(self, flow: Flow) -> float:
        """Error of sums that round each overlap once, relative to the largest force (with values: to ``value``)."""
        unit = self.force if flow.value is None else self.value
        return ROUNDING * (self.value + self.reach * self.slope) / max(unit, 1e-300)


@dataclass(frozen=True, eq=False)
class Sums:
    r"""The sums of a flow, ready to be taken.

    ``take(places, weights, out=None, normalizer=True)`` maps tokens, shape=[n, dim], and weights, shape=[n], to the
    drift, shape=[n, dim], and the normaliser, shape=[n], in units of :math:`e^\beta` (one for a kernel); where
    ``angles`` is true it maps angles, shape=[n], to angular speeds, too.  It writes into the arrays ``out`` where it
    can, and leaves the normaliser out, where that saves time, unless it is asked for.  ``error`` estimates what the
    sums are off by, relative to the largest force and value of the kernel.
    """

    take: Callable[..., Pair]
    error: float
    angles: bool = False


class Method(ABC):
    """A way of taking the sums: its name, the dims and the sets of matrices that it takes, and when it is worth it.

    ``dims`` is empty where any dim will do; ``series`` says whether the error follows the tolerance that is asked for.
    """

    name: ClassVar[str]
    dims: ClassVar[frozenset[int]] = frozenset()
    takes: ClassVar[frozenset[frozenset[str]]] = frozenset({PLAIN})
    series: ClassVar[bool] = False

    @abstractmethod
    def pays(self, n: int, dim: int, flow: Flow) -> bool:
        """Whether n tokens in a dim of its own are enough for it to be faster than the dense sums."""

    @abstractmethod
    def prepare(self, flow: Flow, size: Size, tol: float) -> Sums:
        """The sums of a flow that it takes, to a tolerance; raises NotSmooth for a kernel that it cannot follow."""


def matrices(flow: Flow) -> frozenset[str]:
    """The names of the matrices that a flow has; values count where the length of the output does, by a layer norm.

    >>> [sorted(matrices(Flow(beta=1, query_key=np.eye(2), layer_norm=name))) for name in ("post", "pre")]
    [['query_key'], ['query_key', 'value']]
    """
    given = frozenset(name for name in ("query_key", "value") if getattr(flow, name) is not None)
    return given if flow.layer_norm == "post" else given | {"value"}


def size_of(flow: Flow) -> Size:
    r"""The size of the weight of a flow, from 4001 scores, finely near the largest where a sharp kernel lives.

    That of :math:`e^{\beta(t-1)}` itself is known: its pull is largest at :math:`\beta(1 - t^2) = t`.

    >>> size = size_of(Flow(kernel=lambda t: 1 + t))
    >>> size.value, round(size.force, 6), size.own  # (1 + t) sqrt(1 - t^2) is largest at t = 1/2
    (2.0, 1.299038, 2.0)
    """
    if flow.plain and flow.beta is not None:
        beta, largest = flow.beta, exp(max(0.0, -2 * flow.beta))
        steepest = 2 * beta / (1 + sqrt(1 + 4 * beta**2))
        force = exp(beta * (steepest - 1)) * sqrt(1 - steepest**2)
        return Size(force, largest, abs(beta) * largest, 1.0, 1.0)
    return _sampled_size(flow)


@np.errstate(over="ignore", invalid="ignore")  # exponents that a query_key makes too large are refused
def _sampled_size(flow: Flow) -> Size:
    attention, symmetric = flow.attention, flow.query_key is None
    reach = 1.0 if flow.query_key is None else float(np.linalg.norm(flow.query_key, 2))
    phi = np.pi * np.linspace(0, 1, 4001) ** 2
    gap = 1 - reach + reach * 2 * np.sin(phi / 2) ** 2
    value = attention(1 - gap) if callable(attention) else np.exp(-attention * gap)
    largest, slope = float(np.abs(value).max()), float(np.abs(np.gradient(value, gap)).max())
    force = float(np.abs(value * np.sin(phi)).max()) if symmetric else largest  # a pull may be as long as a token
    if flow.value is not None:
        force = largest * max(float(np.linalg.norm(flow.value, 2)), 1e-300)
    own = float(value[0]) if symmetric and (value >= 0).all() else 0.0
    return Size(force, largest, slope, own, reach)


def room_for_sums(places: Array, out: Pair | None) -> Pair:
    """Arrays for the drift and the normaliser of tokens, those of ``out`` as far as it has them.

    >>> [part.shape for part in room_for_sums(np.eye(2), (np.empty((2, 2)), np.empty(0)))]
    [(2, 2), (2,)]
    """
    drift, normalizer = out or (np.empty_like(places), np.empty(len(places), places.dtype))
    return drift, normalizer if len(normalizer) == len(places) else np.empty(len(places), places.dtype)
