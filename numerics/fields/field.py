"""The velocity of tokens under attention, ready to be taken: of one head, and the sum over several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import numpy as np

from gegenflow.numerics.fields.sums import Pair
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.sharing import largest, total

FINEST = 1e-13
"""The least tolerance that a series is asked for."""


@dataclass(frozen=True, eq=False)
class Field:
    r"""The velocity of weighted tokens under attention: how its sums are taken, and how exact they are.

    ``method`` names the sums; ``error`` estimates what they are off by, relative to ``largest`` =
    :math:`(\max|h|\sqrt{1-t^2}, \max|h|)`, the largest force and value of the kernel, and is zero for dense sums of the
    exponential, exact to rounding relative to each force; ``own`` is h(1), the value of a token for itself, or 0 for a
    kernel that may be negative.  ``sums`` maps tokens, shape=[n, dim], and weights to drift and normaliser in units of
    :math:`e^\beta` (one for a kernel), and where ``angles`` is true angles, shape=[n], too.  ``scaled``, shape=[n],
    holds the weights, for USA times that unit; ``tol`` is what the sums were asked for.
    """

    method: str
    model: str
    scaled: Array
    error: float
    largest: tuple[float, float]
    own: float
    sums: Callable[..., Pair]
    angles: bool = False
    tol: float = FINEST

    def __call__(self, state: Array, out: Array) -> None:
        """Write the velocities of tokens, or the angular speeds of angles, into ``out``, of the shape of ``state``."""
        divided, room = self.model == "sa", np.empty(len(state), state.dtype)
        drift, normalizer = self.sums(state, self.scaled, out=(out, room), normalizer=divided)
        if not divided:
            return
        if largest(float(not (normalizer > 0).all())):
            row = int(np.argmin(np.where(normalizer > 0, normalizer, -inf)))
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
            return self.error * force * total(float(self.scaled.sum()))
        drift, normalizer = self.sums(tokens, self.scaled)
        least = np.maximum(normalizer - self.error * value, self.own * self.scaled)
        positive = bool((least > 0).all())
        farthest = float((force / least + value * np.linalg.norm(drift, axis=1) / least**2).max()) if positive else inf
        return self.error * largest(farthest)


@dataclass(frozen=True, eq=False)
class HeadFields:
    r"""The velocity of weighted tokens under several heads, :math:`\sum_h g_h v_h`, each with sums of its own.

    ``fields`` are those of the heads and ``gains`` :math:`g_h` what each is multiplied by; ``method`` is that of all of
    them, or "auto" where they differ.

    >>> from gegenflow.numerics.flows.flow import Flow
    >>> from gegenflow.numerics.fields.method import prepare_field
    >>> from gegenflow.numerics.flows.parts import Head
    >>> tokens, weights, out = np.eye(2), np.full(2, 0.5), np.empty((2, 2))
    >>> field = prepare_field(tokens, weights, Flow(heads=[Head(beta=0), Head(beta=0, value=-3 * np.eye(2))]))
    >>> field(tokens, out)
    >>> out, field.method  # (1 - 3)/2 towards the other
    (array([[ 0., -1.],
           [-1.,  0.]]), 'dense')
    """

    fields: tuple[Field, ...]
    gains: tuple[float, ...]

    def __call__(self, state: Array, out: Array) -> None:
        """Write the velocities of tokens, or the angular speeds of angles, into ``out``, of the shape of ``state``."""
        self.fields[0](state, out)
        out *= self.gains[0]
        part = np.empty_like(out)
        for gain, field in zip(self.gains[1:], self.fields[1:], strict=True):
            field(state, part)
            part *= gain
            out += part

    @property
    def method(self) -> str:
        """How the sums are taken."""
        first, *others = {field.method for field in self.fields}
        return "auto" if others else first

    @property
    def error(self) -> float:
        """An estimate of what the sums of any head are off by, relative to its own largest force."""
        return max(field.error for field in self.fields)

    @property
    def tol(self) -> float:
        """What the sums were asked for."""
        return min(field.tol for field in self.fields)

    @property
    def angles(self) -> bool:
        """Whether all heads take angles in the place of tokens."""
        return all(field.angles for field in self.fields)

    def velocity_error(self, tokens: Array) -> float:
        """An estimate of the largest error of any velocity at given tokens, shape=[n, dim]."""
        parts = zip(self.gains, self.fields, strict=True)
        return sum(abs(gain) * field.velocity_error(tokens) for gain, field in parts)
