r"""Zeros of square systems in boxes: the step of Krawczyk, Newton's method, and a box around a zero that it finds.

A system is a pair of functions of a list of balls: its residual F, a list, and its derivative, a matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import flint
from flint import arb, arb_mat

Box = list[arb]
Residual = Callable[[Box], Box]
Derivative = Callable[[Box], arb_mat]

NEWTON_STEPS = 60
GUARD_BITS = 16
INFLATIONS = (8, 16, 24)
"""Bits by which a box is wider than the last correction."""


def dot(first: Sequence[arb], second: Sequence[arb]) -> arb:
    """Inner product.

    >>> dot([arb(1), arb(2)], [arb(3), arb(4)])
    11.0000000000000
    """
    return sum((x * y for x, y in zip(first, second, strict=True)), arb(0))


def middle(box: Box) -> Box:
    """The exact middle of a box."""
    return [ball.mid() for ball in box]


def inverse_near(derivative: arb_mat) -> arb_mat | None:
    """An exact matrix near the inverse of the middle of a matrix, or None where it is singular to rounding."""
    try:
        found = derivative.mid().inv()
    except ZeroDivisionError:
        return None
    return found.mid() if all(x.is_finite() for x in found.entries()) else None


def krawczyk(residual: Residual, derivative: Derivative, box: Box) -> Box | None:
    r"""The step :math:`z - YF(z) + (1 - YF'(Z))(Z - z)` of a box Z; None where the derivative at z is singular.

    It holds every zero in the box; if it lies in the interior of the box, there is exactly one.

    >>> square, slope = lambda x: [x[0] * x[0] - 2], lambda x: arb_mat([[2 * x[0]]])
    >>> step = krawczyk(square, slope, [arb(1.4, 0.1)])
    >>> arb(1.4, 0.1).contains_interior(step[0]), step[0].contains(arb(2).sqrt())
    (True, True)
    """
    centre, slopes = middle(box), derivative(box)
    inverse = inverse_near(slopes)
    if inverse is None:
        return None
    size = len(box)
    moved = inverse * arb_mat(size, 1, residual(centre))
    lack = arb_mat(size, size, 1) - inverse * slopes
    offset = lack * arb_mat(size, 1, [ball - z for ball, z in zip(box, centre, strict=True)])
    return [z - moved[i, 0] + offset[i, 0] for i, z in enumerate(centre)]


def proves(box: Box, step: Box) -> bool:
    """Whether a step lies in the interior of its box.

    >>> proves([arb(0, 1)], [arb(0, 1)])
    False
    """
    return all(ball.contains_interior(part) for ball, part in zip(box, step, strict=True))


def newton(residual: Residual, derivative: Derivative, start: Box) -> Box | None:
    """Exact numbers near a zero at the current precision, from exact ones, or None if 60 steps do not settle."""
    state, before = start, None
    for _ in range(NEWTON_STEPS):
        inverse = inverse_near(derivative(state))
        if inverse is None:
            return None
        step = (inverse * arb_mat(len(state), 1, residual(state))).entries()
        state = middle([x - dx for x, dx in zip(state, step, strict=True)])
        size = max(abs(dx).upper() / (1 + abs(x)) for x, dx in zip(state, step, strict=True))
        if not size.is_finite():
            return None
        if size < arb(2) ** (GUARD_BITS - flint.ctx.prec) or (
            before is not None and size < 2.0**-20 and size >= before
        ):
            return state
        before = size
    return None


def zero_near(residual: Residual, derivative: Derivative, start: Box) -> Box | None:
    """A box that holds one zero, as small as the precision allows, near where Newton's method leads; None if none is
    proved.

    >>> square, slope = lambda x: [x[0] * x[0] - 2], lambda x: arb_mat([[2 * x[0]]])
    >>> zero_near(square, slope, [arb(1)])[0].contains(arb(2).sqrt())
    True
    """
    state = newton(residual, derivative, start)
    if state is None:
        return None
    inverse = inverse_near(derivative(state))
    if inverse is None:
        return None
    moved = (inverse * arb_mat(len(state), 1, residual(state))).entries()
    for bits in INFLATIONS:
        floor = arb(2) ** (bits - flint.ctx.prec)
        box = [
            x + arb(0, (arb(2) ** bits * abs(dx) + floor * (1 + abs(x))).upper())
            for x, dx in zip(state, moved, strict=True)
        ]
        step = krawczyk(residual, derivative, box)
        if step is not None and proves(box, step):
            return step
    return None
