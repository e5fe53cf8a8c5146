"""Several heads of attention: each as a flow of its own, in which multiples of the identity are numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.parts import Head
from gegenflow.numerics.flows.weights import Kernel, check_fit, kernel_name
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused


@dataclass(frozen=True)
class Stretched:
    """The kernel h(m t): what a kernel h becomes under a query_key m I.

    >>> Stretched(np.tanh, 2.0)(np.array([0.5])) == np.tanh(1.0)
    array([ True])
    """

    kernel: Kernel
    scale: float

    def __call__(self, overlaps: Array) -> Array:
        return self.kernel(self.scale * overlaps)

    @property
    def weight(self) -> str:
        """What a run records of it."""
        return f"{kernel_name(self.kernel)} at {self.scale:g} t"


def head_flows(flow: Flow, dim: int | None = None) -> tuple[tuple[float, Flow], ...]:
    r"""For each head its gain and its flow, without noise: the velocity of the flow is :math:`\sum_h g_h v_h`.

    A query_key m I turns beta into m beta and h(t) into h(m t), a value g I is the gain; other matrices stay.

    >>> head_flows(Flow(heads=[Head(beta=2, query_key=3 * np.eye(2), value=-np.eye(2)), Head(kernel=np.tanh)]))
    ((-1.0, Flow(beta=6.0)), (1.0, Flow(kernel=tanh)))

    Raises ValueError where m beta is out of the range of a flow, and where a ``dim`` is given for matrices of another.
    """
    if dim is not None:
        for head in flow.heads:
            check_fit("query_key", head.query_key, dim)
            check_fit("value", head.value, dim)
    return tuple(_head_flow(head, flow) for head in flow.heads)


def exponentials(flow: Flow) -> tuple[tuple[float, float], ...]:
    """Gain and beta of each head, or of the flow without heads, where all are multiples of exponential attention.

    Nothing where some weight is a kernel, some matrix of a head no multiple of the identity, or a flow without heads
    has a matrix.

    >>> exponentials(Flow(beta=2)), exponentials(Flow(heads=[Head(beta=2, query_key=3 * np.eye(2)), Head(beta=1)]))
    (((1.0, 2.0),), ((1.0, 6.0), (1.0, 1.0)))
    >>> exponentials(Flow(kernel=np.tanh)), exponentials(Flow(beta=1, value=np.diag([1, 2])))
    ((), ())
    """
    parts = head_flows(flow) if flow.heads else ((1.0, flow),)
    found = tuple((gain, part.beta) for gain, part in parts if part.plain and part.beta is not None)
    return found if len(found) == len(parts) else ()


def isotropic(flow: Flow, solver: str, dim: int) -> tuple[tuple[float, Flow], ...]:
    """The same where no direction is preferred; heads with other matrices are refused.

    >>> isotropic(Flow(heads=[Head(beta=1, value=np.diag([1, 2]))]), "solve_density", 2)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: heads: solve_density takes heads whose matrices are multiples of I
    """
    if not all(part.plain for _, part in head_flows(flow)):
        raise Refused("heads", None, f"{solver} takes heads whose matrices are multiples of I")
    return head_flows(flow, dim)


def _head_flow(head: Head, flow: Flow) -> tuple[float, Flow]:
    scale, gain = _multiple(head.query_key), _multiple(head.value)
    beta, kernel, matrix = head.beta, head.kernel, head.query_key
    if scale is not None:
        beta, matrix = None if beta is None else scale * beta, None
        kernel = kernel if kernel is None or scale == 1.0 else Stretched(kernel, scale)
    value = head.value if gain is None else None
    return 1.0 if gain is None else gain, Flow(beta, kernel, matrix, value, model=flow.model, causal=flow.causal)


def _multiple(matrix: Array | None) -> float | None:
    """The m of a matrix m I, 1 for none, None for any other."""
    if matrix is None:
        return 1.0
    scale = float(matrix[0, 0])
    return scale if np.array_equal(matrix, scale * np.eye(len(matrix))) else None
