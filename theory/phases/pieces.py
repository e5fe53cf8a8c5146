"""Pieces of an interval of a parameter on which it is proved that the leading degree changes once, or does not.

An interval is split until on each piece, in balls,

1. one degree beats all others, those beyond a bound on the tail included: no boundary; or
2. two degrees beat all others and the difference of their scores is strictly monotone: one boundary if it changes sign
   between the ends, else none.

Pieces that come to neither (more than two degrees that meet, scores that touch) are reported as unresolved. Source: derived here.
"""

from __future__ import annotations

from collections import deque

from flint import arb, fmpq

from gegenflow.theory.phases.leaders import Scores

MOST_PIECES = 2000
NARROWEST = fmpq(1, 2**60)
"""Relative width below which a piece is not split."""
SPLIT = fmpq(487, 1000)
"""Where a piece is split: off the middle, where symmetric kernels like to have their boundaries."""


def _piece(low: fmpq, high: fmpq) -> arb:
    return arb(low).union(arb(high))


def pieces(scores: Scores, low: fmpq, high: fmpq) -> list[tuple[fmpq, fmpq, tuple[int, int] | None]]:
    """From low to high, the pieces with one boundary and its two degrees, and (with None) those unresolved."""
    found: list[tuple[fmpq, fmpq, tuple[int, int] | None]] = []
    waiting = deque([(low, high)])
    for _ in range(MOST_PIECES):
        if not waiting:
            break
        start, end = waiting.popleft()
        pair = _only_pair(scores, start, end)
        if pair == () and end - start < NARROWEST * (high - low):
            found.append((start, end, None))
        elif pair == ():
            middle = start + (end - start) * SPLIT
            waiting += [(start, middle), (middle, end)]
        elif pair:
            found.append((start, end, pair))
    return sorted([*found, *((start, end, None) for start, end in waiting)], key=lambda piece: piece[0])


def _only_pair(scores: Scores, low: fmpq, high: fmpq) -> tuple[int, int] | tuple[()] | None:
    """The degrees below and above the one boundary of a piece, None if it has none, () if it must be split."""
    piece = _piece(low, high)
    if not scores.is_defined(piece):
        return ()
    leaders = scores.leaders(piece)
    if len(leaders) == 1:
        return None
    if len(leaders) > 2:
        return ()
    one, other = leaders
    slope = scores.difference((one, other), piece, 1)
    ends = scores.sign((one, other), low), scores.sign((one, other), high)
    if not (slope > 0 or slope < 0) or 0 in ends:
        return ()
    if ends[0] == ends[1]:
        return None
    return (one, other) if ends[0] > 0 else (other, one)


def root(scores: Scores, pair: tuple[int, int], low: fmpq, high: fmpq) -> arb:
    """Ball Newton steps on a piece where the difference is monotone and changes sign."""
    enclosure = _piece(low, high)
    while True:
        middle = arb(enclosure.mid())
        slope = scores.difference(pair, enclosure, 1)
        step = enclosure.intersection(middle - scores.difference(pair, middle) / slope)
        if not step.rad() < enclosure.rad() / 2:
            return step
        enclosure = step


def leader_between(scores: Scores, low: fmpq, high: fmpq) -> int:
    """The leader on a stretch that has only one (the lowest, should two be equal all along)."""
    return scores.leaders(arb(arb((low + high) / 2).mid()))[0]
