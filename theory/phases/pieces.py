"""Pieces of an interval of a parameter on which it is proved that the leading degree changes once, or does not.

An interval is split until on each piece, in balls,

1. one degree beats all others, those beyond a bound on the tail included: no boundary; or
2. two degrees beat all others and the difference of their scores is strictly monotone: one boundary if it changes sign
   between the ends, else none; or
3. the difference is strictly convex or concave: one boundary if it changes sign between the ends, else none or, where
   its sign at the extremum is another one, two.

Pieces that come to none of these (more than two degrees that meet, scores that touch) are reported as unresolved.
Source: derived here.
"""

from __future__ import annotations

from collections import deque

import flint
from flint import arb, fmpq

from gegenflow.theory.exact.balls import ends as ends_of
from gegenflow.theory.phases.leaders import PRECISIONS, Scores

MOST_PIECES = 2000
NARROWEST = fmpq(1, 2**60)
"""Relative width below which a piece is not split."""
SPLIT = fmpq(487, 1000)
"""Where a piece is split: off the middle, where symmetric kernels like to have their boundaries."""


def _piece(low: fmpq, high: fmpq) -> arb:
    return arb(low).union(arb(high))


def pieces(scores: Scores, low: fmpq, high: fmpq) -> list[tuple[fmpq, fmpq, tuple[int, int] | None]]:
    """From low to high, the pieces with one boundary and its two degrees, and (with None) those unresolved.

    Rates 1/2 and beta/2 of linear attention on the circle:

    >>> from gegenflow.theory.kernels.kernel import Kernel
    >>> from gegenflow.theory.phases.leaders import scores_of
    >>> scores = scores_of(Kernel("1 + beta*t"), 2, Kernel("beta").weight)
    >>> [(low, high, pair)] = pieces(scores, fmpq(0), fmpq(3))
    >>> low < 1 < high, pair
    (True, (1, 2))
    """
    found: list[tuple[fmpq, fmpq, tuple[int, int] | None]] = []
    waiting = deque([(low, high)])
    for _ in range(MOST_PIECES):
        if not waiting:
            break
        start, end = waiting.popleft()
        pair = _only_pair(scores, start, end)
        if isinstance(pair, fmpq):
            waiting += [(start, pair), (pair, end)]
        elif pair == () and end - start < NARROWEST * (high - low):
            found.append((start, end, None))
        elif pair == ():
            middle = start + (end - start) * SPLIT
            waiting += [(start, middle), (middle, end)]
        elif pair:
            found.append((start, end, pair))
    return sorted([*found, *((start, end, None) for start, end in waiting)], key=lambda piece: piece[0])


def _only_pair(scores: Scores, low: fmpq, high: fmpq) -> tuple[int, int] | tuple[()] | fmpq | None:
    """The degrees below and above the one boundary of a piece, None if it has none, () or a point where to split it."""
    piece = _piece(low, high)
    if not scores.is_defined(piece):
        return ()
    leaders = scores.leaders(piece)
    if len(leaders) == 1:
        return None
    if len(leaders) > 2:
        return ()
    pair = leaders[0], leaders[1]
    slope, bend = (scores.difference(pair, piece, order) for order in (1, 2))
    ends = scores.sign(pair, low), scores.sign(pair, high)
    if (slope.contains(0) and bend.contains(0)) or 0 in ends:
        return ()
    if ends[0] != ends[1]:
        return pair if ends[0] > 0 else (pair[1], pair[0])
    if not slope.contains(0) or bend * ends[0] < 0:
        return None
    return _beyond_the_turn(scores, pair, low, high, ends[0])


def _beyond_the_turn(
    scores: Scores, pair: tuple[int, int], low: fmpq, high: fmpq, sign: int
) -> tuple[()] | fmpq | None:
    """Where a difference that bends back from 0 has another sign than at both ends; None if nowhere, () if untold."""
    slopes = scores.sign(pair, low, 1), scores.sign(pair, high, 1)
    if 0 in slopes:
        return ()
    if slopes[0] == slopes[1]:
        return None
    for bits in PRECISIONS:
        with flint.ctx.workprec(bits):
            turn = root(scores, pair, low, high, 1)
            least = sign * scores.difference(pair, turn)
        if least > 0:
            return None
        if least < 0:
            middle = ends_of(turn)[0]
            return fmpq(middle.numerator, middle.denominator)
    return ()


def root(scores: Scores, pair: tuple[int, int], low: fmpq, high: fmpq, order: int = 0) -> arb:
    """Where a derivative of the difference, which changes sign once on a piece, is 0: ball Newton steps."""
    enclosure = _piece(*_steep(scores, pair, low, high, order))
    while True:
        middle = arb(enclosure.mid())
        slope = scores.difference(pair, enclosure, order + 1)
        if slope.contains(0):
            return enclosure
        step = enclosure.intersection(middle - scores.difference(pair, middle, order) / slope)
        if not step.rad() < enclosure.rad() / 2:
            return step
        enclosure = step


def _steep(scores: Scores, pair: tuple[int, int], low: fmpq, high: fmpq, order: int) -> tuple[fmpq, fmpq]:
    """Halves of a piece that hold its root, down to one with no turn in it, or to what the precision tells."""
    start = scores.sign(pair, low, order)
    while scores.difference(pair, _piece(low, high), order + 1).contains(0):
        points = [low + (high - low) * share for share in (fmpq(1, 2), SPLIT)]  # one of them may be the root
        told = [(at, here) for at in points if not (here := scores.difference(pair, arb(at), order)).contains(0)]
        if not told:
            break
        at, here = told[0]
        low, high = (at, high) if here * start > 0 else (low, at)
    return low, high


def leader_between(scores: Scores, low: fmpq, high: fmpq) -> int:
    """The leader on a stretch that has only one (the lowest, should two be equal all along)."""
    for bits in PRECISIONS:
        with flint.ctx.workprec(bits):
            leaders = scores.leaders(arb(arb((low + high) / 2).mid()))
        if len(leaders) == 1:
            break
    return leaders[0]
