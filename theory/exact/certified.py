"""Certified decimals: numbers whose every printed digit is proved by ball arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import flint
from flint import arb, fmpz

from gegenflow.theory.exact.arguments import Expr, check_digits

BITS_PER_DIGIT = 3.3219280948873626
SPARE_BITS = 24
LAST_PRECISION = 40
"""Precision stops doubling at this many times the first one: only an exact tie between two decimals gets there."""


@dataclass(frozen=True)
class Certified:
    """A number rounded to a given count of significant digits, with a proved bound on its error.

    ``value`` is the decimal that is nearest to the exact number, ``error`` bounds the distance between the two, and
    ``ball`` (a ``flint.arb``) encloses the exact number, usually much more tightly.

    >>> two_thirds = certify(lambda: arb(2) / 3, digits=5)
    >>> two_thirds
    [0.66667 +/- 3.4e-6]
    >>> float(two_thirds), 3 * two_thirds.ball == 2, (3 * two_thirds.ball).contains(2)
    (0.66667, False, True)
    """

    value: str
    error: str
    ball: arb = field(compare=False)

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        return f"[{self.value} +/- {self.error}]"

    def _repr_latex_(self) -> str:
        return f"${latex_number(self.value)} \\pm {latex_number(self.error)}$"


def latex_number(decimal: str) -> str:
    r"""A decimal for LaTeX.

    >>> print(latex_number("2.5e-30"))
    2.5 \cdot 10^{-30}
    """
    mantissa, _, exponent = decimal.partition("e")
    return f"{mantissa} \\cdot 10^{{{int(exponent)}}}" if exponent else mantissa


def certify(evaluate: Callable[[], arb], digits: int) -> Certified:
    """Evaluate in balls, raising the precision until the nearest decimal of ``digits`` digits is beyond doubt.

    ``evaluate`` is called under growing ``flint.ctx.prec`` and returns a ball that encloses the same exact number.

    >>> certify(lambda: arb.pi() * 10**20, digits=30)
    [314159265358979323846.264338328 +/- 5.0e-11]
    >>> certify(lambda: arb(1) / 8, digits=2)         # a tie between 0.12 and 0.13: both are right
    [0.12 +/- 0.0050]

    Raises ValueError for digits < 1, ArithmeticError if no precision gives a finite ball.
    """
    digits = check_digits(digits)
    first = int(digits * BITS_PER_DIGIT) + SPARE_BITS
    precision = first
    while True:
        with flint.ctx.workprec(precision):
            ball = evaluate()
            last = precision >= LAST_PRECISION * (first + 256)
            decimal = _decimal(ball, digits, settle=last) if ball.is_finite() else None
        if decimal is not None:
            return Certified(*decimal, ball)
        if last:
            raise ArithmeticError(f"the number is too large, or too close to zero, to be enclosed at {precision} bits")
        precision *= 2


def _decimal(ball: arb, digits: int, settle: bool) -> tuple[str, str] | None:
    """The decimal nearest to every point of the ball and its error bound; None if the ball is too wide to tell."""
    if ball.is_zero():
        return "0", "0"
    middle, radius, exponent = ball.mid_rad_10exp(max(digits, int(flint.ctx.prec / BITS_PER_DIGIT)) + 2)
    low, high = abs(middle) - radius, abs(middle) + radius
    if low <= 0:
        return None
    drop = len(str(low)) - digits
    if drop <= 0:
        return None
    unit = fmpz(10) ** drop
    nearest = (2 * abs(middle) + unit - 1) // (2 * unit)
    if not settle and {(2 * end + unit) // (2 * unit) for end in (low, high)} != {nearest}:
        return None
    distance = max(high - nearest * unit, nearest * unit - low)
    sign = "-" if middle < 0 else ""
    return sign + _positional(nearest, int(exponent) + drop, digits), _bound(distance, int(exponent))


def _positional(mantissa: fmpz, exponent: int, digits: int, smallest: int = -5) -> str:
    """mantissa * 10**exponent with exactly ``digits`` significant digits, in scientific notation when far from 1."""
    text = str(mantissa)
    exponent += len(text) - 1
    text = text[:digits].ljust(digits, "0")
    if exponent < smallest or exponent >= digits:
        return f"{text[0]}{'.' * (digits > 1)}{text[1:]}e{exponent:+d}"
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + text
    return f"{text[: exponent + 1]}.{text[exponent + 1 :]}".rstrip(".")


def _bound(distance: fmpz, exponent: int) -> str:
    """distance * 10**exponent rounded up to two digits."""
    if distance == 0:
        return "0"
    drop = max(len(str(distance)) - 2, 0)
    mantissa = -(-distance // fmpz(10) ** drop)
    return _positional(mantissa, exponent + drop, len(str(mantissa)), smallest=-3)


def certify_at(beta: Expr, evaluate: Callable[[], arb], digits: int) -> Certified:
    """:func:`~gegenflow.theory.exact.certify`, or a ValueError that names beta if no precision is enough."""
    try:
        return certify(evaluate, digits)
    except ArithmeticError as error:
        raise ValueError(f"beta {beta}: {error}") from error
