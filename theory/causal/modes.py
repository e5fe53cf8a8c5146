r"""The Fourier modes of a retrieval profile, and their sums in balls.

Codeword m of M sits at angle :math:`2\pi m/M`. Mode n of a token's angle relaxes at :math:`a_n = n^2 I_n(\beta)` under
the drive :math:`w', w = e^{\beta\cos}`, and counts with :math:`e_n = e^{-\pi^2 n^2/2M^2}` in the chance to read the
codeword. Everything about a profile follows from one entire function, its derivatives, and the moments

.. math:: \Phi(z) = \sum_{n \ge 1} e_n a_n\, f(a_n z), \qquad f(x) = {}_0F_1(;2;x) = \sum_k \frac{x^k}{k!\,(k+1)!},
          \qquad A_j = \sum_{n \ge 1} e_n a_n^j .

The tail of a sum is bounded by its first term: with Amos' bound on :math:`I_{n+1}/I_n` the ratio of successive terms
falls in n once :math:`a_n` does, and f and its derivatives increase.

Source: arXiv 2605.09213 for the modes; sums and bounds are derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import factorial

import flint
from flint import arb

from gegenflow.theory.exact.arguments import Expr, Real, check_beta, check_real, check_time, passes
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_count
from gegenflow.theory.exact.refusals import Refused

MOST_MODES = 20_000
SPARE = 16
"""Bits by which the tail of a sum lies below its rounding."""


@dataclass
class Modes:
    r"""Weights :math:`e_n` and rates :math:`a_n` at the current precision, computed as far as they are asked for.

    >>> modes = Modes(arb(1), 10)
    >>> [modes.moment(j + 1).overlaps(modes.potential(arb(0), j) * (1, 2, 6)[j]) for j in range(3)]
    [True, True, True]
    """

    beta: arb
    codewords: int
    known: list[tuple[arb, arb, arb]] = field(default_factory=list)

    def moment(self, power: int) -> arb:
        """The moment :math:`A_j`."""
        return self._sum(power, lambda rate: arb(1))

    def potential(self, at: arb, order: int) -> arb:
        r"""A derivative of :math:`\Phi` at a point z >= 0."""
        scale = factorial(order + 1)
        return self._sum(order + 1, lambda rate: (rate * at).hypgeom_0f1(arb(order + 2)) / scale)

    def on(self, low: arb, high: arb, order: int) -> arb:
        r"""All values of a derivative of :math:`\Phi` between two points: it increases."""
        return self.potential(low, order).union(self.potential(high, order))

    def _sum(self, power: int, factor: Callable[[arb], arb]) -> arb:
        total, smallest = arb(0), arb(2) ** -(flint.ctx.prec + SPARE)
        for n in range(1, MOST_MODES):
            if n > len(self.known):
                self.known.append((self.weight(n), self.rate(n), self.ratio(n)))
            weight, rate, ratio = self.known[n - 1]
            term = weight * rate**power * factor(rate)
            if ratio < 1:
                tail = term / (1 - ratio)
                if tail < total * smallest:
                    return total + tail * arb(0.5, 0.5)
            total += term
        raise Refused("beta", None, f"more than {MOST_MODES} modes matter; take fewer codewords or a smaller beta")

    def weight(self, n: int) -> arb:
        r"""The weight :math:`e_n`."""
        return (-((arb.pi() * n / self.codewords) ** 2) / 2).exp()

    def rate(self, n: int) -> arb:
        """The rate :math:`a_n`."""
        return n * n * self.beta.bessel_i(arb(n))

    def ratio(self, n: int) -> arb:
        r"""A bound on :math:`a_{m+1}/a_m` for all m >= n, which falls in m."""
        order = n + arb(0.5)
        amos = self.beta / (order + (order**2 + self.beta**2).sqrt())
        return amos * (arb(n + 1) / n) ** 2


@dataclass(frozen=True)
class Setting:
    """What a profile depends on: exact numbers, checked."""

    beta: Expr
    decay: Expr
    codewords: int
    time: Expr

    def modes(self) -> Modes:
        """Its modes at the current precision."""
        return Modes(enclose(self.beta), self.codewords)


def setting(beta: Real, codewords: int, decay: Real = 0, time: Real = 0) -> Setting:
    """The setting of a profile, exactly, or a refusal.

    >>> setting("0.5", 10, decay=1, time="0.1")
    Setting(beta=1/2, decay=1, codewords=10, time=1/10)
    >>> setting(1, 1)
    Traceback (most recent call last):
    gegenflow.theory.exact.refusals.Refused: codewords 1: there must be at least 2 codewords, a whole number
    """
    warmth = check_beta(beta, least=0, symbols=False)
    if not passes(warmth):
        raise Refused("beta", beta, "it must be > 0: the drive w' vanishes at 0")
    count = check_count(codewords, "codewords", "there must be at least 2 codewords, a whole number", least=2)
    return Setting(warmth, check_decay(decay), count, check_time(time, symbols=False))


def check_decay(decay: Real) -> Expr:
    """The decay of ALiBi, exactly, or a refusal unless it is a number >= 0."""
    return check_real(decay, "decay", "the decay must be a finite number >= 0", least=0, symbols=False)
