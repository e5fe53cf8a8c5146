r"""Tokens with noise of their own: Strang splitting of drift and Brownian motion on the sphere, weak order 2.

.. math:: dX_i = v_i(X)\,dt + \sqrt{2\nu}\,dW_i

with :math:`W_i` independent Brownian motions of the sphere and :math:`\nu` = ``noise``, the diffusion coefficient: the
generator of the noise is :math:`\nu` times the Laplace-Beltrami operator.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.heads import head_flows
from gegenflow.numerics.integrators.driver import AT_ZERO, Breakdown, Memory, Origin
from gegenflow.numerics.integrators.runge_kutta import Velocity
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused

STEP_FRACTION = 0.1
MOST_STEPS = 1e8  # in a run: at a tenth of a millisecond each it takes three hours
ON_THE_GRID = 1e-9  # of a step: times this close to the end of one are that end
REMEDY = "try a smaller step or t_end"


@dataclass(frozen=True, eq=False)
class _Step:
    # From the end of step ``number`` - 1 to that of step ``number``: tokens before and after, its random numbers, and
    # the words of their stream before and after they were drawn.
    number: int
    before: Array
    after: Array
    first: Array
    second: Array
    words: tuple[NDArray[np.uint64], NDArray[np.uint64]]


class NoisySteps:
    r"""A stepper for :math:`dX_i = v_i(X)\,dt + \sqrt{2\nu}\,dW_i` in fixed steps, weak order 2.

    .. math:: e^{h(\nu\Delta + v\cdot\nabla)} = e^{h\nu\Delta/2}\, e^{h v\cdot\nabla}\, e^{h\nu\Delta/2} + O(h^3)

    Half a step of :func:`brownian_step`, a whole :func:`drift_step`, half a Brownian step, on the grid
    k h, whatever the times that are looked at: h = ``step``.  The state at t within a step comes from a shorter one
    from its start, whose Brownian motion is a bridge to that of the whole: with :math:`\xi_1, \xi_2` the normal numbers
    of the two halves and :math:`\eta` of a stream of its own,

    .. math:: \tfrac{1}{\sqrt2}(\xi_1' + \xi_2') = \sqrt{s}\,\tfrac{1}{\sqrt2}(\xi_1 + \xi_2) + \sqrt{1-s}\,\eta,
              \quad \xi_1' - \xi_2' = \xi_1 - \xi_2, \qquad s = t/h

    so that looking changes no later state, and what is seen is continuous in t and right in law, for itself and with
    the ends of steps.  ``rng`` gives the normal numbers, ``key`` the stream of :math:`\eta`; ``origin`` may be the
    end of an earlier stepper, which goes on bit for bit.

    Without drift the mean of tokens at a pole decays as :math:`e^{-\nu (d-1) t}`:

    >>> poles = np.repeat([[0.0, 0.0, 1.0]], 40_000, axis=0)
    >>> steps = NoisySteps(lambda x, out: out.fill(0), poles, noise=0.5, step=0.3, rng=np.random.default_rng(0))
    >>> while steps.time < 1.0:
    ...     steps.advance(1.0)
    >>> print(f"{steps.time:g}", bool(abs(steps.at(1.0)[:, 2].mean() - np.exp(-1.0)) < 3 * 0.5 / 200))
    1.2 True

    Source: Strang, SIAM J. Numer. Anal. 5 (1968); the order is measured in the tests, the bridge is derived here.
    """

    hopeless = inf

    def __init__(
        self,
        field: Velocity,
        tokens: Array,
        *,
        noise: float,
        step: float,
        rng: np.random.Generator,
        key: int = 0,
        origin: Origin = AT_ZERO,
    ) -> None:
        self.field, self.noise, self.size, self.rng, self.key = field, noise, step, rng, key
        self.steps, self.marks, self.began, number = 0, (inf, inf), origin.time, 0
        state = self.tokens = np.array(tokens, dtype=np.float64)
        if origin.memory is not None:
            number, self.key = int(origin.memory["number"]), int(origin.memory["key"])
            state = np.array(origin.memory["grid"])
            set_generator(self.rng, origin.memory["rng"])
        words, none = generator_words(self.rng), np.zeros(0)
        self.last = _Step(number, state, state, none, none, (words, words))

    @property
    def time(self) -> float:
        return max(on_the_grid(self.last.number, self.size, self.marks), self.began)

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.steps, 4 * self.steps, 0

    def memory(self, time: float) -> Memory:
        last, inside = self.last, bool(self.steps) and time < self.time
        return {
            "number": np.array(last.number - inside),
            "grid": last.before if inside else last.after,
            "rng": last.words[not inside],
            "key": np.array(self.key),
        }

    def advance(self, end: float, wanted: float = inf, single: bool = False) -> None:
        last = self.last
        set_generator(self.rng, last.words[1])  # a step that was broken off has drawn the same numbers before
        first, second = (self.rng.standard_normal(last.after.shape) for _ in range(2))
        try:
            after = self._strang(last.after, self.size, first, second)
        except FloatingPointError as problem:
            raise Breakdown(str(problem), REMEDY) from problem
        words = last.words[1], generator_words(self.rng)
        self.marks, self.steps = (wanted, end), self.steps + 1
        self.last = _Step(last.number + 1, last.after, after, first, second, words)

    def at(self, time: float) -> Array:
        if not self.steps:
            return self.tokens.copy()
        last = self.last
        share = 1 - (last.number * self.size - time) / self.size
        if share > 1 - ON_THE_GRID:
            return last.after.copy()
        if share < ON_THE_GRID:
            return last.before.copy()
        middle = np.random.default_rng([self.key, last.number]).standard_normal(last.before.shape)
        total = sqrt(share / 2) * (last.first + last.second) + sqrt(1 - share) * middle
        apart = sqrt(0.5) * (last.first - last.second)
        halves = sqrt(0.5) * (total + apart), sqrt(0.5) * (total - apart)
        return self._strang(last.before, share * self.size, *halves)

    def _strang(self, state: Array, h: float, first: Array, second: Array) -> Array:
        state = brownian_step(state, self.noise * h / 2, first)
        state = drift_step(self.field, state, h)
        return brownian_step(state, self.noise * h / 2, second)


def on_the_grid(number: int, size: float, marks: Iterable[float]) -> float:
    """The end of step ``number`` of a ``size``, or of the marks the one that it is but for rounding.

    >>> on_the_grid(3, 0.1, [0.3, 1.0]), 3 * 0.1
    (0.3, 0.30000000000000004)
    """
    end = number * size
    for mark in marks:
        end = mark if abs(end - mark) < ON_THE_GRID * size else end
    return end


def brownian_step(tokens: Array, duration: float, normal: Array) -> Array:
    r"""Tokens, shape=[n, dim], after Brownian motion of generator :math:`\Delta` for a time, from normal numbers.

    .. math:: x \leftarrow \cos|\xi|\,x + \sin|\xi|\,\xi/|\xi|, \qquad
              \xi \sim N\!\left(0, \frac{2\tau}{1 + (d-2)\tau/3}\,I_{d-1}\right) \perp x, \quad \tau = \text{duration}

    ``normal`` shape=[n, dim] are independent and standard.  Exact on the circle; elsewhere the divisor, from
    :math:`E|\xi|^2 = 2(d-1)\tau(1 - (d-2)\tau/3 + \dots)` of the true angle, makes degree k decay by
    :math:`e^{-L_k\tau} + O(\tau^3)`.

    >>> start = np.repeat([[1.0, 0.0]], 90_000, axis=0)  # cos of an angle of variance 2 tau
    >>> end = brownian_step(start, 0.5, np.random.default_rng(0).standard_normal(start.shape))
    >>> bool(abs(end[:, 0].mean() - np.exp(-0.5)) < 3 * 0.45 / 300)
    True

    Source: derived here.
    """
    dim = tokens.shape[1]
    push = normal * np.sqrt(2 * duration / (1 + (dim - 2) * duration / 3))
    push -= np.einsum("id,id->i", push, tokens)[:, None] * tokens
    angle = np.sqrt(np.einsum("id,id->i", push, push))[:, None]
    return _unit(np.cos(angle) * tokens + np.sinc(angle / np.pi) * push)


def drift_step(field: Velocity, tokens: Array, step: float) -> Array:
    """Tokens, shape=[n, dim], after one classical Runge-Kutta step of order 4, put back on the sphere.

    >>> turn = lambda x, out: np.stack([-x[:, 1], x[:, 0]], axis=1, out=out)
    >>> bool(np.allclose(drift_step(turn, np.array([[1.0, 0.0]]), 0.1), [[np.cos(0.1), np.sin(0.1)]], atol=0.1**5 / 60))
    True

    Raises FloatingPointError where the field is not finite.  Source: Hairer, Norsett, Wanner, Solving ODEs I, II.1.
    """
    slope = np.zeros_like(tokens)
    total = np.zeros_like(tokens)
    for ahead, weight in ((0.0, 1 / 6), (0.5, 1 / 3), (0.5, 1 / 3), (1.0, 1 / 6)):
        field(_unit(tokens + ahead * step * slope), slope)
        if not np.isfinite(slope).all():
            raise FloatingPointError("the velocity is not finite")
        total += weight * slope
    return _unit(tokens + step * total)


def default_step(flow: Flow, dim: int) -> float:
    r"""A step that resolves both the noise and the fastest motion that the attention weight allows.

    .. math:: h = \frac{0.1}{\max(\nu(d-1),\,\lambda)}, \qquad \lambda = |V| \max_{|s| \le |B|}|h(s)| \ \text{(USA)},
              \quad |V| \Big(1 + |B| \max_{|s| \le |B|}|h'(s)| / \max_{|s| \le |B|}|h(s)|\Big) \ \text{(SA)}

    with the largest singular values of the query-key and value matrices B, V.  For the exponential, not scaled,
    :math:`\lambda = |V| e^{|\beta| |B|}` and :math:`|V| (1 + |\beta| |B|)`; for :math:`\beta \ge 0` tokens contract
    into a cluster at rate :math:`e^\beta` (USA) or 1 (SA), and its width under noise is then right to 0.2 %.

    >>> default_step(Flow(beta=0, noise=0.01), 3), default_step(Flow(beta=9, noise=1, model="sa"), 11)
    (0.1, 0.01)
    >>> round(default_step(Flow(beta=2, query_key=4.5 * np.eye(3), noise=0.01, model="sa"), 3), 15)
    0.01

    The rates of several heads add up.  Source: derived here.
    """
    if flow.heads:
        rates = (abs(gain) * STEP_FRACTION / default_step(one, dim) for gain, one in head_flows(flow))
        return STEP_FRACTION / max(flow.noise * (dim - 1), sum(rates))
    reach, pull = (
        1.0 if matrix is None else float(np.linalg.norm(matrix, 2)) for matrix in (flow.query_key, flow.value)
    )
    attention = flow.attention
    with np.errstate(over="ignore"):  # what is too fast to step through is refused for its number of steps
        if callable(attention):
            score = np.linspace(-reach, reach, 2001)
            value = attention(score)
            rate = np.abs(value).max()
            if flow.model == "sa":
                slope = np.abs(np.gradient(value, score)).max() if reach else 0.0
                rate = 1 + reach * slope / (rate or 1)
        else:
            rate = (
                np.exp(abs(attention) * reach - flow.scaled * attention)
                if flow.model == "usa"
                else 1 + abs(attention) * reach
            )
        return STEP_FRACTION / float(max(flow.noise * (dim - 1), pull * rate))


def check_pace_of_noise(step: float, span: float, name: str) -> None:
    """Refuse a run of more than 100 million fixed steps before it starts; ``name`` is what decides: step or t_end.

    >>> check_pace_of_noise(2e-10, 1.0, "t_end")
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: t_end 1: 5e+09 steps of 2e-10 to the end, at most 1e+08 are taken
    """
    if not span <= MOST_STEPS * step:
        count = f"{span / step:.3g}" if step > 0 else "endless"
        value = f"{step if name == 'step' else span:.3g}"
        raise Refused(name, value, f"{count} steps of {step:.3g} to the end, at most {MOST_STEPS:g} are taken")


def _unit(rows: Array) -> Array:
    unit: Array = rows / np.sqrt(np.einsum("id,id->i", rows, rows))[:, None]
    return unit


def generator_words(rng: np.random.Generator) -> NDArray[np.uint64]:
    """The state of a PCG64, as numbers that a file can hold.

    >>> generator_words(np.random.default_rng(0)).shape
    (6,)
    """
    state = rng.bit_generator.state
    words = [state["state"][name] >> shift & 2**64 - 1 for name in ("state", "inc") for shift in (0, 64)]
    return np.array([*words, state["has_uint32"], state["uinteger"]], dtype=np.uint64)


def set_generator(rng: np.random.Generator, words: NDArray[np.uint64]) -> None:
    """Put a PCG64 into a state that :func:`generator_words` told.

    >>> one, other = np.random.default_rng(0), np.random.default_rng(1)
    >>> set_generator(other, generator_words(one))
    >>> other.random() == one.random()
    True
    """
    numbers = [int(word) for word in words]
    inner = {"state": numbers[0] | numbers[1] << 64, "inc": numbers[2] | numbers[3] << 64}
    rng.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": inner,
        "has_uint32": numbers[4],
        "uinteger": numbers[5],
    }
