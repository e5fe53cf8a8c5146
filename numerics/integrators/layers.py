r"""Layers with random weights that all tokens share, one after the other, as the network that they are.

.. math:: x_i \leftarrow \frac{x_i + h\,v_i(x) + \sqrt h\,\xi(x_i)}{|\cdots|}

with the attention :math:`v` and a push :math:`\xi`, drawn anew in each layer: that of a network of finite width, or the
Gaussian field that it becomes, and the attention times a matrix of normal numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from math import inf, sqrt
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.fields.random_fields import covariance, draw_circle_field, gaussian_pushes, network_pushes
from gegenflow.numerics.flows.activations import activation_function
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.parts import RandomLayers
from gegenflow.numerics.integrators.driver import AT_ZERO, Breakdown, Memory, Origin
from gegenflow.numerics.integrators.runge_kutta import Velocity
from gegenflow.numerics.integrators.stochastic import (
    ON_THE_GRID,
    REMEDY,
    default_step,
    generator_words,
    on_the_grid,
    set_generator,
)
from gegenflow.numerics.tokens.arguments import check_number
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused

LIMIT_LAYERS = 400
"""Layers per unit of time that stand for infinitely many, times the variance of the push along one direction."""

State = TypeVar("State")
Push = Callable[[Array, np.random.Generator], Array]
Layer = Callable[[State, np.random.Generator], State]


@dataclass(frozen=True, eq=False)
class _Layer(Generic[State]):
    # the layer ``number``: states before and after, the words of the generator before and after it
    number: int
    before: State
    after: State
    words: tuple[NDArray[np.uint64], NDArray[np.uint64]]


class LayeredSteps(Generic[State]):
    r"""A stepper that takes a state through layers, at the times h, 2h, ..., with h the ``step``.

    ``layer`` maps a state and a generator to what one layer makes of the state, see :func:`token_layer`; it leaves the
    state as it is.  At a time within a layer the state is that before it.

    >>> walk = lambda place, rng: place + rng.standard_normal(1)
    >>> steps = LayeredSteps(np.zeros(1), walk, step=0.5, rng=np.random.default_rng(0))
    >>> steps.advance(1.0), steps.advance(1.0)
    (None, None)
    >>> bool(steps.at(1.0) == np.random.default_rng(0).standard_normal(2).sum())
    True

    Source: derived here.
    """

    hopeless = inf

    def __init__(
        self,
        start: State,
        layer: Layer[State],
        *,
        step: float,
        rng: np.random.Generator,
        origin: Origin = AT_ZERO,
    ) -> None:
        self.layer, self.size, self.rng = layer, step, rng
        self.layers, self.marks, self.began, number = 0, (inf, inf), origin.time, 0
        if origin.memory is not None:
            number = int(origin.memory["number"])
            set_generator(self.rng, origin.memory["rng"])
        words = generator_words(self.rng)
        self.last = _Layer(number, start, start, (words, words))

    @property
    def time(self) -> float:
        return max(on_the_grid(self.last.number, self.size, self.marks), self.began)

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.layers, self.layers, 0

    def memory(self, time: float) -> Memory:
        inside = self._is_within(time)
        return {"number": np.array(self.last.number - inside), "rng": self.last.words[not inside]}

    def advance(self, end: float, wanted: float = inf, single: bool = False) -> None:
        last = self.last
        set_generator(self.rng, last.words[1])  # a layer that was broken off has drawn the same numbers before
        after = self.layer(last.after, self.rng)
        words = last.words[1], generator_words(self.rng)
        self.marks, self.layers = (wanted, end), self.layers + 1
        self.last = _Layer(last.number + 1, last.after, after, words)

    def at(self, time: float) -> State:
        return copy(self.last.before if self._is_within(time) else self.last.after)

    def _is_within(self, time: float) -> bool:
        # the last layer, which is then not yet passed
        return bool(self.layers) and (self.last.number * self.size - time) / self.size > ON_THE_GRID


def token_layer(field: Velocity | None, push: Push, step: float) -> Layer[Array]:
    r"""What a layer makes of tokens, shape=[n, dim]: a step of weak order 1 of the limit of many layers.

    ``field`` writes the velocity of attention, None without it; ``push`` maps tokens and a generator to what a layer
    adds, shape=[n, dim], times :math:`1/\sqrt h`.

    Pushes of covariance :math:`K(1) I_d` at one token make its mean decay as :math:`e^{-(d-1)K(1)t/2}`:

    >>> start = np.repeat([[0.0, 1.0]], 40_000, axis=0)
    >>> layer = token_layer(None, lambda x, rng: rng.standard_normal(x.shape), 0.01)
    >>> steps = LayeredSteps(start, layer, step=0.01, rng=np.random.default_rng(0))
    >>> while steps.time < 1.0:
    ...     steps.advance(1.0)
    >>> bool(abs(steps.at(1.0)[:, 1].mean() - np.exp(-0.5)) < 0.01)
    True

    The layer raises :class:`Breakdown` where tokens are not finite, or one comes to the origin.  Source: derived here.
    """

    def layer(tokens: Array, rng: np.random.Generator) -> Array:
        moved = tokens + sqrt(step) * push(tokens, rng)
        if field is not None:
            velocity = np.empty_like(moved)
            field(tokens, velocity)
            moved += step * velocity
        lengths = np.sqrt(np.einsum("id,id->i", moved, moved))[:, None]
        if not (np.isfinite(moved).all() and (lengths > 0).all()):
            raise Breakdown("a layer gave tokens that are not finite", REMEDY)
        after: Array = moved / lengths
        return after

    return layer


def fixed_step(flow: Flow, dim: int, step: float | None = None) -> float:
    r"""The step of a flow that pushes tokens at random: what is given, or a default.

    .. math:: h = \frac1L, \qquad h = \frac{1}{400 \max(1, (d-1) K(1))} \ \text{in the limit of many layers}

    and with attention at most :func:`gegenflow.numerics.integrators.stochastic.default_step`, that of noise alone.

    >>> layers = RandomLayers("linear", layers=50), RandomLayers("linear")
    >>> print(*(f"{fixed_step(Flow(random_layers=part), 3):.6g}" for part in layers))
    0.02 0.00125

    Raises ValueError for a step that is not positive, or not that of the layers.
    """
    part = flow.random_layers
    if step is not None and (part is None or part.layers is None or step != 1 / part.layers):
        if part is not None and part.layers is not None:
            raise Refused("step", step, f"the flow has {part.layers} layers in a unit of time")
        return check_number("step", step, above=0.0)
    if part is None:
        return default_step(flow, dim)
    if part.layers is not None:
        return 1 / part.layers
    own = float(part.values) + (0.0 if part.activation is None else covariance(part.activation).own)
    limit = 1 / (LIMIT_LAYERS * max(1.0, (dim - 1) * own))
    return min(limit, default_step(flow, dim)) if flow.attends else limit


def layer_push(flow: Flow, weights: Array, dim: int) -> Push:
    r"""What a layer adds to tokens, times :math:`1/\sqrt h`: the sum of its network and of attention by random values.

    >>> push = layer_push(Flow(beta=1, random_layers=RandomLayers("relu", values=True)), np.full(2, 0.5), 3)
    >>> push(np.eye(3)[:2], np.random.default_rng(0)).shape
    (2, 3)
    """
    part = flow.random_layers
    assert part is not None
    pushes = [_network_push(part)] if part.activation is not None else []
    if part.values:
        pushes.append(_value_push(flow, weights))
    return lambda tokens, rng: sum(push(tokens, rng) for push in pushes)  # type: ignore[return-value]


def _network_push(part: RandomLayers) -> Push:
    assert part.activation is not None
    if part.width is not None:
        function, width = activation_function(part.activation), part.width
        return lambda tokens, rng: network_pushes(tokens, function, width, rng)
    field = covariance(part.activation)
    modes = field.modes()

    def push(tokens: Array, rng: np.random.Generator) -> Array:
        if tokens.shape[1] == 2:
            return draw_circle_field(modes, rng).pushes(np.arctan2(tokens[:, 1], tokens[:, 0]))
        return gaussian_pushes(field.gram(tokens), tokens.shape[1], rng)

    return push


def _value_push(flow: Flow, weights: Array) -> Push:
    def push(tokens: Array, rng: np.random.Generator) -> Array:
        matrix = rng.standard_normal((tokens.shape[1], tokens.shape[1]))
        pushes: Array = attention_means(tokens, weights, flow) @ matrix.T
        return pushes

    return push


def attention_means(tokens: Array, weights: Array, flow: Flow) -> Array:
    r"""What tokens attend to, :math:`\sum_j w_j h(\langle x_i, Bx_j\rangle) x_j`, in SA divided by the sum of weights.

    >>> attention_means(np.eye(2), np.full(2, 0.5), Flow(beta=0, model="sa"))
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    keys = tokens if flow.query_key is None else tokens @ flow.query_key.T
    scores = tokens @ keys.T
    if flow.kernel is not None:
        seen = weights * flow.kernel(scores)
    else:
        assert flow.beta is not None
        top = scores.max(axis=1, keepdims=True) if flow.model == "sa" else float(flow.scaled)
        seen = weights * np.exp(flow.beta * (scores - top))
    if flow.model == "sa":
        seen /= seen.sum(axis=1, keepdims=True)
    means: Array = seen @ tokens
    return means
