"""Functions of one parameter, with their derivatives in balls: their signs, and where they are 0."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import flint
from flint import arb, fmpq

from gegenflow.theory.kernels.integrals import TooFine

BITS = 128
PRECISIONS = BITS, 4 * BITS, 16 * BITS
"""Bits at which a sign is asked for, one after the other."""
ORDER = 4
"""A curve is enclosed by its Taylor polynomial on a piece, with a remainder of this order."""
MOST_PIECES = 2000
NARROWEST = fmpq(1, 2**60)
"""Relative width below which a piece is not split."""
SPLIT = fmpq(487, 1000)
"""Where a piece is split: off the middle, where symmetric kernels like to have their boundaries."""


@dataclass(frozen=True)
class Curve:
    """A function of one parameter: ``derivative(at, order)`` encloses its derivatives, up to the fourth, on a ball.

    >>> square = Curve(lambda at, order: [at**2 - 2, 2 * at, arb(2), arb(0), arb(0)][order])
    >>> square(arb(1.5)) == 0.25, square.sign(fmpq(1)), square.sign(fmpq(2), 1)
    (True, -1, 1)
    """

    derivative: Callable[[arb, int], arb]

    def __call__(self, at: arb, order: int = 0) -> arb:
        """A derivative on a ball, by Taylor's formula at its middle."""
        if at.is_exact():
            return self.derivative(at, order)
        middle = arb(at.mid())
        step, power, total = at - middle, arb(1), arb(0)
        for rank in range(order, ORDER + 1):
            total += self.derivative(middle if rank < ORDER else at, rank) * power
            power *= step / (rank - order + 1)
        return total

    def sign(self, at: fmpq, order: int = 0) -> int:
        """The sign of a derivative at a point; 0 if many digits do not tell."""
        for bits in PRECISIONS:
            with flint.ctx.workprec(bits), suppress(TooFine):
                here = self(arb(at), order)
                if not here.contains(0):
                    return 1 if here > 0 else -1
        return 0


def piece_of(low: fmpq, high: fmpq) -> arb:
    """The ball from one number to another."""
    return arb(low).union(arb(high))


def first_change(curve: Curve, low: fmpq, high: fmpq, *, from_high: bool = False) -> tuple[fmpq, fmpq] | None:
    """The piece with the first change of sign of a curve that starts above 0, None where it stays above 0.

    >>> parabola = Curve(lambda at, order: [3 * at - at**2, 3 - 2 * at, arb(-2), arb(0), arb(0)][order])
    >>> start, end = first_change(parabola, fmpq(1), fmpq(4))
    >>> start < 3 < end, first_change(parabola, fmpq(1), fmpq(2))
    (True, None)

    Raises ArithmeticError for a curve that does not start above 0, and where it touches 0, so that no piece tells.
    """
    if curve.sign(high if from_high else low) != 1:
        raise ArithmeticError("the curve does not start above 0")
    waiting = [(low, high)]
    for _ in range(MOST_PIECES):
        if not waiting:
            return None
        start, end = waiting.pop()
        piece = piece_of(start, end)
        if curve(piece) > 0:
            continue
        if not curve(piece, 1).contains(0) and curve.sign(start) * curve.sign(end) != 0:
            if curve.sign(start) != curve.sign(end):
                return start, end
            continue
        middle = start + (end - start) * SPLIT
        halves = [(start, middle), (middle, end)]
        waiting += halves if from_high else halves[::-1]
    raise ArithmeticError("the curve comes too close to 0 to tell whether it changes sign")


def root(curve: Curve, low: fmpq, high: fmpq, order: int = 0) -> arb:
    """Where a derivative of a curve, which changes sign once on a piece and bends one way, is 0: ball Newton steps.

    >>> square = Curve(lambda at, order: [at**2 - 2, 2 * at, arb(2), arb(0), arb(0)][order])
    >>> root(square, fmpq(0), fmpq(2)).overlaps(arb(2).sqrt())
    True
    """
    enclosure = piece_of(*_steep(curve, low, high, order))
    while True:
        middle = arb(enclosure.mid())
        slope = curve(enclosure, order + 1)
        if slope.contains(0):
            return enclosure
        step = enclosure.intersection(middle - curve(middle, order) / slope)
        if not step.rad() < enclosure.rad() / 2:
            return step
        enclosure = step


def _steep(curve: Curve, low: fmpq, high: fmpq, order: int) -> tuple[fmpq, fmpq]:
    """Halves of a piece that hold its root, down to one with no turn in it, or to what the precision tells."""
    start = curve.sign(low, order)
    while curve(piece_of(low, high), order + 1).contains(0):
        points = [low + (high - low) * share for share in (fmpq(1, 2), SPLIT)]  # one of them may be the root
        told = [(at, here) for at in points if not (here := curve(arb(at), order)).contains(0)]
        if not told:
            break
        at, here = told[0]
        low, high = (at, high) if here * start > 0 else (low, at)
    return low, high
