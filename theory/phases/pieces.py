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
from gegenflow.theory.phases.curves import MOST_PIECES, NARROWEST, PRECISIONS, SPLIT, Curve, piece_of, root
from gegenflow.theory.phases.leaders import Scores


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
    piece = piece_of(low, high)
    if not scores.is_defined(piece):
        return ()
    leaders = scores.leaders(piece)
    if len(leaders) == 1:
        return None
    if len(leaders) > 2:
        return ()
    pair = leaders[0], leaders[1]
    ahead = scores.difference(pair)
    slope, bend, ends = ahead(piece, 1), ahead(piece, 2), (ahead.sign(low), ahead.sign(high))
    if (slope.contains(0) and bend.contains(0)) or 0 in ends:
        return ()
    if ends[0] != ends[1]:
        return pair if ends[0] > 0 else (pair[1], pair[0])
    if not slope.contains(0) or bend * ends[0] < 0:
        return None
    return _beyond_the_turn(ahead, low, high, ends[0])


def _beyond_the_turn(ahead: Curve, low: fmpq, high: fmpq, sign: int) -> tuple[()] | fmpq | None:
    """Where a difference that bends back from 0 has another sign than at both ends; None if nowhere, () if untold."""
    slopes = ahead.sign(low, 1), ahead.sign(high, 1)
    if 0 in slopes:
        return ()
    if slopes[0] == slopes[1]:
        return None
    for bits in PRECISIONS:
        with flint.ctx.workprec(bits):
            turn = root(ahead, low, high, 1)
            least = sign * ahead(turn)
        if least > 0:
            return None
        if least < 0:
            middle = ends_of(turn)[0]
            return fmpq(middle.numerator, middle.denominator)
    return ()


def leader_between(scores: Scores, low: fmpq, high: fmpq) -> int:
    """The leader on a stretch that has only one (the lowest, should two be equal all along)."""
    for bits in PRECISIONS:
        with flint.ctx.workprec(bits):
            leaders = scores.leaders(arb(arb((low + high) / 2).mid()))
        if len(leaders) == 1:
            break
    return leaders[0]
