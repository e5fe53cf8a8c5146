r"""Where a retrieval profile turns: the lost middle, certified.

In :math:`Y = \log\frac{e^\lambda-1}{e^{\lambda s}-1}`, from 0 at s = 1 to infinity at s = 0, the slope of the profile

.. math:: \frac{S'}{S} = \lambda\Big(1 - \frac{D(Y)}{1 - e^{-\lambda s}}\Big), \qquad D = \frac{t\,\Phi'(tY)}{\Phi(tY)},
          \qquad \frac1{1 - e^{-\lambda s}} = 1 + \frac{e^Y}{e^\lambda - 1}

has the sign of -G, :math:`G = \log D + \log(1 + e^Y/(e^\lambda-1))`. Roots of G are isolated in balls on a bounded
range: with :math:`p = YD`, which increases as all coefficients of :math:`\Phi` are positive,
:math:`e^{Y_0} D(Y_0) \ge e^\lambda - 1` at one :math:`Y_0 \ge 1` makes G > 0 from there on. For one mode
:math:`\Phi'/\Phi` is a Stieltjes function, so :math:`\log D` and G are convex: at most two turns. A sum of modes can
have more.

Source: arXiv 2605.09213 for the U of small times; the equation, the range and the other shapes are derived here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, partial
from math import ceil
from typing import Literal

import flint
from flint import arb, fmpq

from gegenflow.theory.causal.correlations import profile_at
from gegenflow.theory.causal.modes import Modes, Setting, setting
from gegenflow.theory.exact.arguments import Real
from gegenflow.theory.exact.balls import Enclosed
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.refusals import Refused, refusal
from gegenflow.theory.phases.curves import PRECISIONS, SPLIT, piece_of

NARROWEST = fmpq(1, 2**40)
MOST_PIECES = 20_000
SHAPES = "decreasing", "U", "N", "W", "NN"
"""Names by the number of turns, read from the first token to the last."""


@dataclass
class Slope:
    """G and its first two derivatives in Y at one time, in balls at the current precision; points are remembered.

    ``growth``, the change of G with log t at one Y, is that of log p with log Y.
    """

    modes: Modes
    time: arb
    scale: arb
    known: dict[fmpq, list[arb]] = field(default_factory=dict)

    def at(self, place: fmpq | arb) -> list[arb]:
        r""":math:`\Phi` and its derivatives at :math:`z = tY`, those of rank j times :math:`t^j`."""
        if isinstance(place, arb):
            return self._sums(place)
        if place not in self.known:
            self.known[place] = self._sums(arb(place))
        return self.known[place]

    def _sums(self, place: arb) -> list[arb]:
        return [self.time**j * self.modes.potential(self.time * place, j) for j in range(4)]

    def value(self, place: fmpq | arb) -> arb:
        """G at a point."""
        sums = self.at(place)
        return (sums[1] / sums[0]).log() + (arb(place).exp() / self.scale).log1p()

    def slopes(self, sums: list[arb], place: arb) -> tuple[arb, arb]:
        """The first two derivatives of G, from the sums on all of a ball."""
        share = 1 / (1 + self.scale * (-place).exp())
        first, second, third = sums[1] / sums[0], sums[2] / sums[1], sums[3] / sums[1]
        return second - first + share, third - second**2 - first * second + first**2 + share * (1 - share)

    def growth(self, sums: list[arb], place: arb) -> arb:
        """The derivative of G in log t, from the sums on all of a ball."""
        return 1 + place * (sums[2] / sums[1] - sums[1] / sums[0])

    def over(self, low: fmpq, high: fmpq) -> tuple[arb, arb, arb]:
        """G, G' and G'' on a piece, by the mean value form and by the growth of p."""
        place, middle = piece_of(low, high), (low + high) / 2
        sums = [one.union(other) for one, other in zip(self.at(low), self.at(high), strict=True)]
        step = place - arb(middle)
        centre, bend = self.slopes(self.at(middle), arb(middle))[0], self.slopes(sums, place)[1]
        slope = self.slopes(sums, place)[0].intersection(centre + bend * step) if bend.is_finite() else bend
        value = self.value(middle) + slope * step
        if low > 0:
            ends = [arb(end) * self.at(end)[1] / self.at(end)[0] for end in (low, high)]
            crude = ends[0].union(ends[1]).log() - place.log() + (place.exp() / self.scale).log1p()
            value = crude.intersection(value) if value.is_finite() else crude
        return value, slope, bend

    def sign(self, place: fmpq) -> int:
        """The sign of G at a point, 0 where it is not known at this precision."""
        here = self.value(place)
        return 0 if here.contains(0) else 1 if here > 0 else -1


def slope_of(given: Setting, time: arb | None = None) -> Slope:
    """The slope of a profile at the current precision, at its own time unless another is given."""
    return Slope(given.modes(), enclose(given.time) if time is None else time, enclose(given.decay).expm1())


def outermost(slope: Slope, decay: arb) -> fmpq:
    """A place beyond which G > 0."""
    place = fmpq(ceil(float(decay.abs_upper())) + 1)
    for _ in range(100):
        sums = slope.at(place)
        reached = arb(place) + (sums[1] / sums[0]).log() - slope.scale.log()
        if reached >= 0:
            return place
        place += max(1, ceil(float(reached.abs_upper()))) if reached.is_finite() else 1
    raise ArithmeticError("no bound on the turns of the profile is found")


@cache
def turns(given: Setting) -> tuple[tuple[fmpq, fmpq], ...]:
    """Pieces of Y that hold one root of G each, in which it is monotone, from s = 0 to s = 1; there are no others.

    Raises Refused for a time at which two turns merge, or one is at s = 1, as far as can be told.
    """
    for bits in PRECISIONS:
        with flint.ctx.workprec(bits):
            found = _isolate(slope_of(given), enclose(given.decay))
        if found is not None:
            return tuple(found[::-1])
    raise Refused("time", given.time, "it is too close to a critical time, at which turns of the profile come or go")


def _isolate(slope: Slope, decay: arb) -> list[tuple[fmpq, fmpq]] | None:
    waiting = [(fmpq(0), outermost(slope, decay))]
    found: list[tuple[fmpq, fmpq]] = []
    for _ in range(MOST_PIECES):
        if not waiting:
            return found
        low, high = waiting.pop()
        value, steep, _ = slope.over(low, high)
        if value.is_finite() and not value.contains(0):
            continue
        signs = slope.sign(low), slope.sign(high)
        if steep.is_finite() and not steep.contains(0) and 0 not in signs:
            found += [(low, high)] if signs[0] != signs[1] else []
            continue
        if high - low < NARROWEST:
            return None
        middle = low + (high - low) * SPLIT
        waiting += [(middle, high), (low, middle)]
    return None


def _position(given: Setting, piece: tuple[fmpq, fmpq]) -> arb:
    """The position of a turn at the current precision: halvings of its piece by signs, then ball Newton steps on G."""
    slope, place = slope_of(given), piece_of(*piece)
    rises = slope.value(arb(piece[0])) < 0
    while True:
        middle, ends = arb(place.mid()), (arb(place.lower()), arb(place.upper()))
        sums = [one.union(other) for one, other in zip(slope.at(ends[0]), slope.at(ends[1]), strict=True)]
        here, steep = slope.value(middle), slope.slopes(sums, place)[0]
        if steep.is_finite() and not steep.contains(0):
            step = place.intersection(middle - here / steep)
        elif here.contains(0):
            step = place
        else:
            step = middle.union(ends[1]) if (here < 0) == rises else ends[0].union(middle)
        if not step.rad() < place.rad() * 3 / 4:
            return (slope.scale * (-step).exp()).log1p() / enclose(given.decay)
        place = step


def retrieval_extrema(
    *, beta: Real, decay: Real, codewords: int, time: Real, digits: int = 15
) -> tuple[Certified, ...]:
    r"""All positions at which the retrieval profile turns, in order: a minimum first, then in turns, as it falls at 0.

    .. math:: 1 - e^{-\lambda s} = \frac{t\,\Phi'(tY)}{\Phi(tY)}, \qquad Y = \log\frac{e^\lambda-1}{e^{\lambda s}-1}

    :param beta: inverse temperature, > 0
    :param decay: lambda, >= 0
    :param codewords: their number M, >= 2
    :param time: time since the start, > 0
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> retrieval_extrema(beta=1, decay=8, codewords=10, time=6, digits=8)          # the fold is at time 11.08
    ([0.10277468 +/- 4.2e-9], [0.81031023 +/- 4.0e-9])

    Three of them at a sharp attention and few codewords, so that there are two minima (derived here: one minimum below
    :func:`~gegenflow.theory.causal.recency_time` is a rule with exceptions):

    >>> [float(s) for s in retrieval_extrema(beta=30, decay=30, codewords=4, time="6.29e-13", digits=5)]
    [0.023353, 0.98927, 0.99205]

    Raises ValueError for beta <= 0, a decay < 0, fewer than 2 codewords, a time <= 0 or so close to a critical one that
    the number of turns is not known, a symbol, or digits < 1. Source: derived here.

    See also :func:`.retrieval_minimum`, :func:`.retrieval_shape`.
    """
    given = _setting(beta, decay, codewords, time)
    return tuple(certify_at("time", time, partial(_position, given, piece), digits) for piece in _turns(given))


def retrieval_minimum(
    *,
    beta: Real,
    decay: Real,
    codewords: int,
    time: Real,
    digits: int = 15,
    which: Literal["minimum", "maximum"] = "minimum",
) -> Certified | None:
    """The position that is retrieved worst, the lost middle; None where the profile falls all the way to s = 1.

    Of several minima, or of several maxima inside, it is the deepest, or the highest.

    :param beta: inverse temperature, > 0
    :param decay: lambda, >= 0
    :param codewords: their number M, >= 2
    :param time: time since the start, > 0
    :param digits: significant digits to certify, >= 1 (default 15)
    :param which: "minimum" (default) or "maximum"

    >>> retrieval_minimum(beta=1, decay=1, codewords=10, time=1, digits=20)
    [0.25498710769089060865 +/- 4.9e-21]
    >>> [retrieval_minimum(beta=1, decay=lam, codewords=10, time=t) for lam, t in ((1, 3), (0, 1))]
    [None, None]

    Raises ValueError as :func:`retrieval_extrema` does, and for an unknown ``which``. Source: derived here.

    See also :func:`.retrieval_extrema`, :func:`.small_time_minimum`.
    """
    if which not in ("minimum", "maximum"):
        raise refusal("which", which, "it is 'minimum' or 'maximum'")
    given = _setting(beta, decay, codewords, time)
    pieces = _turns(given)[0 if which == "minimum" else 1 :: 2]
    if not pieces:
        return None
    best = pieces[0] if len(pieces) == 1 else _best(given, pieces, -1 if which == "minimum" else 1)
    return certify_at("time", time, lambda: _position(given, best), digits)


def retrieval_shape(*, beta: Real, decay: Real, codewords: int, time: Real) -> str:
    r"""The shape of the profile by its turns, read from the first token to the last: it always falls at first.

    "decreasing" has none, "U" one minimum, "N" a minimum and then a maximum, "W" two minima, "NN" two of each. A "U"
    and a "W" rise at the end, :math:`t < t_1` (:func:`~gegenflow.theory.causal.recency_time`); after :math:`t_2`
    (:func:`~gegenflow.theory.causal.fold_time`), or :math:`t_1` where there is none, the profile is "decreasing".

    :param beta: inverse temperature, > 0
    :param decay: lambda, >= 0
    :param codewords: their number M, >= 2
    :param time: time since the start, > 0

    >>> [retrieval_shape(beta=1, decay=8, codewords=10, time=t) for t in (1, 6, 12)]
    ['U', 'N', 'decreasing']

    Raises ValueError as :func:`retrieval_extrema` does. Source: arXiv 2605.09213 for the U at small times; derived
    here.

    See also :func:`.retrieval_extrema`, :func:`.recency_time`, :func:`.fold_time`.
    """
    count = len(_turns(_setting(beta, decay, codewords, time)))
    return SHAPES[count] if count < len(SHAPES) else f"{count} turns"


def _setting(beta: Real, decay: Real, codewords: int, time: Real) -> Setting:
    given = setting(beta, codewords, decay, time)
    if given.time == 0 or (isinstance(given.time, Enclosed) and given.time.ball.contains(0)):
        raise Refused("time", time, "it must be > 0: at time 0 the profile is 0")
    return given


def _turns(given: Setting) -> tuple[tuple[fmpq, fmpq], ...]:
    return () if given.decay == 0 else turns(given)


def _best(given: Setting, pieces: tuple[tuple[fmpq, fmpq], ...], sign: int) -> tuple[fmpq, fmpq]:
    """The turn at which the profile, times a sign, is largest."""
    for bits in PRECISIONS:
        with flint.ctx.workprec(bits):
            values = [sign * _height(given, piece) for piece in pieces]
            for value, piece in zip(values, pieces, strict=True):
                if all(value > other or value is other for other in values):
                    return piece
    raise Refused("time", given.time, "two turns of the profile are equally high, as far as can be told")


def _height(given: Setting, piece: tuple[fmpq, fmpq]) -> arb:
    return profile_at(Enclosed("source", _position(given, piece)), given)
