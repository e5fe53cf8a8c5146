r"""When a degree emerges from independent uniform tokens: its random start, and its exponential growth from there.

Chance gives every degree of N independent uniform tokens an amplitude with :math:`N D_k A_k(0)^2 \sim \chi^2_{D_k}`,
independently over degrees once N is large (central limit theorem), and :math:`A_k(t) = A_k(0)\,e^{\gamma_k t}` while
all amplitudes are small. So degree k has not reached the amplitude a by time t with probability

.. math:: P(T_k > t) = P\bigl(\chi^2_{D_k} < N D_k a^2 e^{-2\gamma_k t}\bigr)

and :mod:`gegenflow.theory.finite_tokens.races` asks which degree is first. All in balls at the current precision.

Source: derived here; arXiv 2410.23228 for the growth of the amplitudes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from flint import arb, fmpq

from gegenflow.theory.exact.arguments import Real, check_real
from gegenflow.theory.exact.certified import Certified
from gegenflow.theory.exact.integers import check_count
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.sphere import harmonic_dimension

CERTAIN = 180
"""A survival probability within 2^-180 of 0 or 1 is not worked out any further."""


@dataclass(frozen=True, eq=False)
class Racer:
    r"""A degree with its growth rate and the strength :math:`N a^2`: the law of its emergence time :math:`T_k`.

    On the circle :math:`P(T_k > t) = 1 - \exp(-N a^2 e^{-2\gamma_k t})`:

    >>> racer = Racer(3, 2, rate=arb(5), strength=arb(100))
    >>> abs(racer.survival(arb(0.5)) - (1 - (-100 * arb(-5).exp()).exp())) < 1e-14
    True

    Source: derived here.
    """

    degree: int
    dim: int
    rate: arb
    strength: arb

    @cached_property
    def half(self) -> fmpq:
        """Half the number of harmonics, D_k/2."""
        return fmpq(harmonic_dimension(self.degree, self.dim), 2)

    def level(self, time: arb) -> arb:
        """Half the value of chi^2 from which the degree has emerged by this time."""
        return self.half * self.strength * (-2 * self.rate * time).exp()

    def survival(self, time: arb) -> arb:
        r"""Probability that it has not emerged by this time, :math:`P(s, x)` at the level x, :math:`s = D_k/2`.

        Beyond :math:`x - s - s\log(x/s) > 180 \log 2` it is within 2^-180 of 1 (x > s) or of 0 (x < s), by Chernoff's
        bound: a degree of many harmonics is that close to one of them nearly always.
        """
        level = self.level(time)
        if level - self.half - self.half * (level / self.half).log() > CERTAIN * arb(2).log():
            return arb(1 if level > self.half else 0, arb(2) ** -CERTAIN)
        return 1 - level.gamma_upper(arb(self.half), regularized=1)

    def density(self, time: arb) -> arb:
        r"""Probability density of the emergence time, :math:`2\gamma_k x^s e^{-x}/\Gamma(s)` at the level x."""
        level, half = self.level(time), arb(self.half)
        return 2 * self.rate * (half * level.log() - level - half.lgamma()).exp()


def racers(rates: Mapping[int, Certified], dim: int, strength: arb) -> list[Racer]:
    """The degrees of these rates, in their order.

    >>> from gegenflow.theory.exact.certified import certify
    >>> [racer.degree for racer in racers({4: certify(lambda: arb(1), 5)}, 3, arb(20))]
    [4]
    """
    return [Racer(degree, dim, rate.ball, strength) for degree, rate in rates.items()]


def unit_interval(number: Real, name: str, allowed: str) -> float:
    """A number strictly between 0 and 1 as a float, also from text or a fraction.

    >>> unit_interval("1/4", "amplitude", "it must lie strictly between 0 and 1")
    0.25

    Raises ValueError, with ``name`` and ``allowed``, for anything else.
    """
    exact = check_real(number, name, allowed, above=0, below=1, symbols=False)
    value = int(exact.p) / int(exact.q) if exact.is_Rational else float(exact)
    if not 0 < value < 1:
        raise Refused(name, number, allowed)
    return value


def token_strength(tokens: int, amplitude: Real) -> fmpq:
    """N a^2 as an exact fraction: it decides how far the degrees have to grow.

    >>> token_strength(2000, 0.5)
    500

    Raises ValueError unless tokens is an integer >= 2 and 0 < amplitude < 1.
    """
    count = check_count(tokens, "tokens", "the number of tokens must be an integer >= 2", least=2)
    size = unit_interval(amplitude, "amplitude", "it must lie strictly between 0 and 1, that of coinciding tokens")
    return count * fmpq(*size.as_integer_ratio()) ** 2


def fastest(race: Sequence[Racer]) -> Racer:
    """The racer of the largest growth rate, the first of several."""
    return max(race, key=lambda racer: float(racer.rate))


def joint_survival(race: Sequence[Racer], time: float | arb) -> arb:
    r"""Probability :math:`\prod_k P(T_k > t)` that none of the degrees has emerged by this time.

    >>> racer = Racer(1, 3, rate=arb(1), strength=arb(10))
    >>> joint_survival([racer, racer], 1.2).overlaps(racer.survival(arb(1.2)) ** 2)
    True

    Source: derived here (independent degrees).
    """
    return prod((racer.survival(arb(time)) for racer in race), start=arb(1))


def first_time(happened: Callable[[float], bool], race: Sequence[Racer], accuracy: float = 1e-16) -> float:
    """The first time at which something that stays true is true, by bisection to a relative accuracy from above.

    The scale of time is that of the fastest degree, which has to grow.

    >>> round(first_time(lambda time: time**2 >= 2, [Racer(1, 3, rate=arb(9), strength=arb(10))]) ** 2, 14)
    2.0

    Source: derived here.
    """
    if happened(0.0):
        return 0.0
    low, high = 0.0, 1 / float(fastest(race).rate)
    while not happened(high):
        low, high = high, 2 * high
    while high - low > accuracy * high and low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if happened(middle) else (middle, high)
    return high
