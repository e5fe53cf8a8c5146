r"""Balls as parts of expressions, and the exact numbers at their ends.

A real number of which only a ball is known is an atom, :class:`Enclosed`, beside sympy's pi and E: exact formulas carry
it along, and :func:`~gegenflow.theory.exact.enclosures.enclose` puts the ball in its place.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy as sp
from flint import arb
from mpmath.libmp import from_man_exp

SHOWN = 15
"""Digits of the middle of a ball that stand for it in print."""


def parts(ball: arb) -> tuple[int, int, int, int]:
    """Mantissa and exponent of the middle and of the radius of a finite ball: two exact numbers m 2^e.

    >>> parts(arb(3) / 2)
    (3, -1, 0, 0)
    """
    (middle, m), (radius, r) = ball.mid().man_exp(), ball.rad().man_exp()
    return int(middle), int(m), int(radius), int(r)


def restored(middle: int, m: int, radius: int, r: int) -> arb:
    """The ball of these :func:`parts`, its radius rounded up to 29 bits: so one that was restored is so to the bit."""
    return arb((middle, m), (radius, r))


def settled(ball: arb) -> arb:
    """The ball with the radius that :func:`restored` gives back, or as it is where it is not finite.

    >>> ball = settled(arb(1, 0.3))
    >>> ball.contains(arb(1, 0.3)), parts(restored(*parts(ball))) == parts(ball)
    (True, True)
    """
    return restored(*parts(ball)) if ball.is_finite() else ball


def ends(ball: arb) -> tuple[Fraction, Fraction]:
    """The exact ends of a finite ball.

    >>> [float(end) for end in ends(arb.pi() * 0)], [round(float(end), 6) for end in ends(arb(1, 0.25))]
    ([0.0, 0.0], [0.75, 1.25])
    """
    middle, m, radius, r = parts(ball)
    centre, reach = middle * Fraction(2) ** m, radius * Fraction(2) ** r
    return centre - reach, centre + reach


def power_of(ball: arb, power: int) -> arb:
    """A power of a ball, also of one around 0.

    >>> power_of(arb(0, 0.5), 2).contains(arb(0.25)), power_of(arb(0, 0.5), 2).contains(arb(0.26))
    (True, False)
    """
    if power > 0 and ball.contains(0):
        return arb(0, ball.abs_upper() ** power)
    return ball**power


class Enclosed(sp.NumberSymbol):  # type: ignore[misc]
    """A real number of which a ball is known, given for the argument ``name``.

    One name and one ball stand for one number: it cancels against itself, never against that of another argument.

    >>> x, y = Enclosed("beta", arb(2, 0.25)), Enclosed("noise", arb(2, 0.25))
    >>> x - x, x == y, x.is_positive, (x - 2).is_positive
    (0, False, True, None)
    """

    is_extended_real = True
    __slots__ = ("ball", "name")

    def __new__(cls, name: str, ball: arb) -> Enclosed:
        atom = super().__new__(cls)
        atom.name, atom.ball = name, settled(ball)
        return atom  # type: ignore[no-any-return]

    def _hashable_content(self) -> tuple[Any, ...]:
        return self.name, *parts(self.ball)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Enclosed) and self._hashable_content() == other._hashable_content()

    def __hash__(self) -> int:
        return hash(self._hashable_content())

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return enclosed, self._hashable_content()

    def _as_mpf_val(self, precision: int) -> Any:
        middle, exponent, *_ = parts(self.ball)
        return from_man_exp(middle, exponent, precision, "n")

    def _eval_is_extended_positive(self) -> bool | None:
        return _decided(self.ball > 0, self.ball <= 0)

    def _eval_is_extended_negative(self) -> bool | None:
        return _decided(self.ball < 0, self.ball >= 0)

    def _eval_is_zero(self) -> bool | None:
        return None if self.ball.contains(0) else False

    def _sympystr(self, printer: object) -> str:
        return str(sp.Float(self, SHOWN))

    _latex = _pythoncode = _numpycode = _sympyrepr = _sympystr


def enclosed(name: str, *known: int) -> Enclosed:
    """The atom of a name and the :func:`parts` of a ball."""
    return Enclosed(name, restored(*known))


def _decided(yes: object, no: object) -> bool | None:
    return True if yes else False if no else None
