r"""The last fold: the time after which a retrieval profile falls all the way from the first token to the last.

For every position there is one time :math:`\tau(s)` at which the profile turns there, and its slope has the sign of
:math:`\tau(s) - t`, since :math:`p(z) = z\Phi'(z)/\Phi(z)` increases from 0 without bound and the turn is where

.. math:: p(\tau Y) = \frac{Y}{1 + e^Y/(e^\lambda-1)}, \qquad Y = \log\frac{e^\lambda-1}{e^{\lambda s}-1} .

:math:`\tau` is 0 at s = 0 and :math:`t_1` at s = 1; its largest value is the last time of a turn.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import flint
from flint import arb, fmpq

from gegenflow.theory.causal.critical_times import BITS, first_time
from gegenflow.theory.causal.modes import Modes, Setting, setting
from gegenflow.theory.causal.shapes import MOST_PIECES, NARROWEST, Slope, outermost, slope_of
from gegenflow.theory.exact.arguments import Real
from gegenflow.theory.exact.balls import ends
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.phases.curves import SPLIT, piece_of

PLACES = 160
"""Places at which the time of a turn is looked at for the latest one."""
MOST_STEPS = 200
NEAR = 2.0**-60
"""Relative half-width of the ball of times in which a fold is first enclosed."""
TOO_CLOSE = "it is too close to one at which a fold comes or goes, as far as can be told"


def fold_time(*, beta: Real, decay: Real, codewords: int, digits: int = 15) -> Certified | None:
    r"""The time :math:`t_2 > t_1` at which the last two turns of a profile merge; None where none outlive :math:`t_1`.

    .. math:: t_2 = \max_s \tau(s)

    It is the root of the least value over Y of G, which increases in time; G is convex about the fold and positive
    elsewhere, proved piece by piece.

    :param beta: inverse temperature, > 0
    :param decay: lambda, >= 0
    :param codewords: their number M, >= 2
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> fold_time(beta=1, decay=8, codewords=10, digits=12), fold_time(beta=1, decay=1, codewords=10)
    ([11.0778109234 +/- 2.3e-11], None)

    Raises ValueError as :func:`recency_time` does, and where the fold is at s = 1, as for :func:`critical_decay`, as
    far as can be told. Source: derived here.

    See also :func:`.recency_time`, :func:`.critical_decay`.
    """
    given = setting(beta, codewords, decay)
    fold = None if given.decay == 0 else _fold(given)
    return None if fold is None else certify_at("beta", beta, lambda: _merging_time(given, fold), digits)


@dataclass(frozen=True)
class Fold:
    """A piece of Y about a fold and a ball of times about it; on both G'' >= bend > 0 and growth encloses that of G."""

    low: fmpq
    high: fmpq
    time: arb
    bend: arb
    growth: arb


@cache
def _fold(given: Setting) -> Fold | None:
    """The last fold after the first critical time, proved to be the last; None if there is none."""
    with flint.ctx.workprec(BITS):
        first = first_time(given)
        found = _latest(given, first)
        if found is not None and found[1] > first:
            fold = _surrounded(given, *found)
            rest = [(fmpq(0), fold.low), (fold.high, None)]
        else:
            fold, start = None, _rising(given, first)
            rest = [(start, None)]
        time = arb((first if fold is None else fold.time).lower())
        slope = slope_of(given, time)
        end = outermost(slope, enclose(given.decay))
        if not all(_above(slope, low, end if high is None else high) for low, high in rest):
            raise Refused("decay", given.decay, TOO_CLOSE)
        return fold


def _latest(given: Setting, first: arb) -> tuple[arb, arb] | None:
    """About where and when the last fold is, by a scan of the times of turns and Newton's steps on G'."""
    modes, scale = given.modes(), enclose(given.decay).expm1()
    width = float(outermost(slope_of(given, arb(first.mid())), enclose(given.decay)))
    places = sorted({width * (k / PLACES) ** power for k in range(1, PLACES) for power in (1, 4)})
    times = [_turning_time(modes, scale, arb(place)) for place in places]
    last = max(range(len(places)), key=lambda k: float(times[k] / first))
    return _settled(
        given, arb(places[last]), arb(places[max(last - 1, 0)]) / 2, arb(places[min(last + 1, len(places) - 1)])
    )


def _settled(given: Setting, place: arb, low: arb, high: arb) -> tuple[arb, arb] | None:
    """The fold between two places to working precision, not proved; None where the steps leave them."""
    modes, scale = given.modes(), enclose(given.decay).expm1()
    for _ in range(MOST_STEPS):
        time = _turning_time(modes, scale, place)
        slope = Slope(modes, time, scale)
        steep, bend = slope.slopes(slope.at(place), place)
        step = (steep / bend).mid()
        place = (place - step).mid()
        if not low < place < high:
            return None
        if abs(step) < place * arb(2) ** (20 - flint.ctx.prec):
            return place, _turning_time(modes, scale, place)
    return None


def _turning_time(modes: Modes, scale: arb, place: arb) -> arb:
    r"""About the time :math:`\tau` at which the profile turns at Y = place: Newton's steps on log p in log z."""
    goal = (place / (1 + place.exp() / scale)).log().mid()
    z = 2 * goal.exp() * modes.moment(1) / modes.moment(2)
    for _ in range(MOST_STEPS):
        sums = [arb(modes.potential(z, j).mid()) for j in range(3)]
        first = z * sums[1] / sums[0]
        index = 1 + z * (sums[2] / sums[1] - sums[1] / sums[0])
        step = ((goal - first.log()) / index.max(arb(0.5))).mid()
        z = arb((z * step.exp()).mid())
        if abs(step) < arb(2) ** (16 - flint.ctx.prec):
            break
    return arb((z / place).mid())


def _surrounded(given: Setting, place: arb, time: arb) -> Fold:
    """Proves that a fold is near: G falls below 0 before, is positive after, and convex in between."""
    around = time * (1 + arb(0, NEAR))
    middle, width = ends(place)[0], min(ends(place)[0] / 4, Fraction(1, 2))
    for _ in range(MOST_STEPS):
        low, high = (fmpq(*(middle + side * width).as_integer_ratio()) for side in (-1, 1))
        slope = slope_of(given, around)
        _, _, bend = slope.over(low, high)
        sums = [one.union(other) for one, other in zip(slope.at(low), slope.at(high), strict=True)]
        growth = slope.growth(sums, piece_of(low, high))
        if bend > 0 and growth > 0:
            break
        width /= 2
    fold = Fold(low, high, around, arb(bend.lower()), growth)
    before, after = (_least(given, fold, place, arb(end)) for end in (around.lower(), around.upper()))
    if not (bend > 0 and growth > 0 and before < 0 and after > 0):
        raise Refused("decay", given.decay, TOO_CLOSE)
    return fold


def _least(given: Setting, fold: Fold, place: arb, time: arb) -> arb:
    """A ball around the least value of G on the piece of a fold, from its value and slope at a place in it."""
    slope = slope_of(given, time)
    steep, _ = slope.slopes(slope.at(place), place)
    return slope.value(place) - steep**2 / (2 * fold.bend) * arb(0.5, 0.5)


def _merging_time(given: Setting, fold: Fold) -> arb:
    """The time of a fold at the current precision: the root of the least value, by the mean value theorem."""
    found = _settled(
        given, arb(fold.time.mid()) * 0 + piece_of(fold.low, fold.high).mid(), arb(fold.low), arb(fold.high)
    )
    if found is None:
        return fold.time
    place, time = found
    if not fold.time.contains(time):
        return fold.time
    return fold.time.intersection(time * (-_least(given, fold, place, time) / fold.growth).exp())


def _rising(given: Setting, first: arb) -> fmpq:
    """An end of a piece from Y = 0 on which G rises at the first critical time."""
    slope, end = slope_of(given, first), fmpq(1)
    for _ in range(MOST_STEPS):
        if slope.over(fmpq(0), end)[1] > 0:
            return end
        end /= 2
    raise Refused("decay", given.decay, TOO_CLOSE)


def _above(slope: Slope, low: fmpq, high: fmpq) -> bool:
    """Whether G > 0 between two places, as far as can be told."""
    waiting = [(low, high)] if low < high else []
    for _ in range(MOST_PIECES):
        if not waiting:
            return True
        start, end = waiting.pop()
        value = slope.over(start, end)[0]
        if value > 0:
            continue
        if end - start < NARROWEST or value < 0:
            return False
        middle = start + (end - start) * SPLIT
        waiting += [(middle, end), (start, middle)]
    return False
