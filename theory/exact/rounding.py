"""Decimals of balls: the nearest one with a bound on its error, and correct rounding of the number in a ball."""

from __future__ import annotations

import re
from decimal import Context, Decimal
from fractions import Fraction

import flint
from flint import arb, fmpz

from gegenflow.theory.exact.balls import ends, parts

BITS_PER_DIGIT = 3.3219280948873626
MOST_DIGITS = 100_000
MOST_WRITTEN = 10**1000
"""Exponents up to it are printed."""
COARSEST = 1000
"""Bits by which a ball may be finer than all digits that are written out."""
COARSE = "the number is not known well enough for {wanted}; ask for more digits of it"


def nearest_decimal(ball: arb, digits: int, settle: bool) -> tuple[str, str] | None:
    """The decimal nearest to every point of the ball and its error bound; None if the ball is too wide to tell.

    ``settle`` takes one of the two at a tie.

    >>> nearest_decimal(arb(2) / 3, 5, settle=False), nearest_decimal(arb(2, 0.1), 5, settle=False)
    (('0.66667', '3.4e-6'), None)
    """
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
    return sign + positional(nearest, int(exponent) + drop, digits), bound(distance, int(exponent))


def positional(mantissa: fmpz, exponent: int, digits: int, smallest: int = -5) -> str:
    """mantissa * 10**exponent with exactly ``digits`` significant digits, in scientific notation when far from 1.

    >>> positional(fmpz(1234), -3, 4), positional(fmpz(12), 7, 2)
    ('1.234', '1.2e+8')
    """
    text = str(mantissa)
    exponent += len(text) - 1
    if abs(exponent) > MOST_WRITTEN:
        raise ArithmeticError(f"the exponent of the number is beyond 1e{len(str(MOST_WRITTEN)) - 1}")
    text = text[:digits].ljust(digits, "0")
    if exponent < smallest or exponent >= digits:
        return f"{text[0]}{'.' * (digits > 1)}{text[1:]}e{exponent:+d}"
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + text
    return f"{text[: exponent + 1]}.{text[exponent + 1 :]}".rstrip(".")


def bound(distance: fmpz, exponent: int) -> str:
    """distance * 10**exponent rounded up to two digits.

    >>> bound(fmpz(12345), -6)
    '0.013'
    """
    if distance == 0:
        return "0"
    drop = max(len(str(distance)) - 2, 0)
    mantissa = -(-distance // fmpz(10) ** drop)
    return positional(mantissa, exponent + drop, len(str(mantissa)), smallest=-3)


def supported_decimal(ball: arb, most: int) -> tuple[str, str]:
    """The nearest decimal of as many digits as the ball allows, at most so many; 0 where it allows none.

    >>> supported_decimal(arb(2, 1e-4), 30), supported_decimal(arb(0, 1e-4), 30)
    (('2.000', '1.1e-4'), ('0', '1.1e-4'))

    Raises ArithmeticError where the ball is not finite.
    """
    if not ball.is_finite():
        raise ArithmeticError("the result is not finite, or its ball is not; ask for more digits of the operands")
    for digits in range(most, 0, -1):
        found = nearest_decimal(ball, digits, settle=bool(ball.is_exact()))
        if found is not None:
            return found
    high, _, exponent = abs(ball).upper().mid_rad_10exp(10)
    return "0", bound(high + 1, int(exponent))


def rounded(ball: arb, place: int) -> Decimal:
    """The number in a ball rounded to this many decimals (to even at a tie), as an exact decimal.

    >>> rounded(arb.pi(), 4), rounded(arb(1) / 8, 2), rounded(arb(1234), -2)
    (Decimal('3.1416'), Decimal('0.12'), Decimal('1.2E+3'))

    Raises ValueError where the ball does not decide, and for places or sizes beyond 100,000 digits.
    """
    check_size(ball, place)
    low, high = (round(end * Fraction(10) ** place) for end in ends(ball))
    if low != high:
        raise ValueError(COARSE.format(wanted=f"{place} decimals"))
    return Decimal(low).scaleb(-place, Context(prec=_length(low) + 1, Emin=-(10**9), Emax=10**9))


def check_size(ball: arb, place: int = 0) -> None:
    """Refuse to write out more digits than anyone reads: over 100,000 down to a place, or sizes beyond 1e+-100000.

    >>> check_size(arb("1e100000")), check_size(arb("1e-99999")), check_size(arb(0))
    (None, None, None)
    >>> check_size(arb("1e100001"))
    Traceback (most recent call last):
    ValueError: a decimal is written out with 100000 digits at most, and up to 1e+-100000
    """
    middle, m, radius, r = parts(ball)
    most = int(MOST_DIGITS * BITS_PER_DIGIT)
    high, low = max(m + abs(middle).bit_length(), r + radius.bit_length()), min(m, r)
    places = abs(place) <= 2 * MOST_DIGITS and place + min(high, most) / BITS_PER_DIGIT <= MOST_DIGITS + 1
    written = places and high <= most + COARSEST and low >= -2 * most - COARSEST
    if written and abs(high) > most - COARSEST and not ball.is_zero():
        size = max(map(abs, ends(ball)))
        written = Fraction(1, 10**MOST_DIGITS) <= size < 10 ** (MOST_DIGITS + 1)
    if not written:
        raise ValueError(f"a decimal is written out with {MOST_DIGITS} digits at most, and up to 1e+-{MOST_DIGITS}")


def fraction_of(decimal: str) -> Fraction:
    """The number that a decimal spells, also one of more digits than Python reads.

    >>> fraction_of("-2.50e-3"), fraction_of("7." + "0" * 5000) == 7
    (Fraction(-1, 400), True)
    """
    mantissa, _, exponent = decimal.partition("e")
    whole, _, rest = mantissa.partition(".")
    return int(fmpz(whole + rest)) * Fraction(10) ** (int(exponent or 0) - len(rest))


def error_bound(ball: arb, value: Decimal) -> str:
    """A bound on the distance of the number in a ball from a decimal, rounded up to two digits.

    >>> error_bound(arb.pi(), Decimal("3.14"))
    '0.0016'
    """
    distance = max(abs(end - Fraction(value)) for end in ends(ball))
    if distance == 0:
        return "0"
    scale = _length(distance.denominator) - _length(distance.numerator) + 4
    return bound(fmpz(-int(-distance * Fraction(10) ** scale // 1)), -scale)


def _length(integer: int) -> int:
    """The number of decimal digits, also of integers that Python does not print."""
    return len(str(abs(fmpz(integer))))


def leading_place(ball: arb) -> int:
    """The exponent of the leading decimal digit, of the larger end in size.

    >>> leading_place(arb("999.9")), leading_place(arb("0.001"))
    (2, -3)
    """
    check_size(ball)
    size = max(map(abs, ends(ball)))
    if size == 0:
        return 0
    place = _length(size.numerator) - _length(size.denominator)
    return place - (size < Fraction(10) ** place)


def latex_number(decimal: str) -> str:
    r"""A decimal for LaTeX.

    >>> print(latex_number("2.5e-30"))
    2.5 \cdot 10^{-30}
    """
    mantissa, _, exponent = decimal.partition("e")
    return f"{mantissa} \\cdot 10^{{{int(exponent)}}}" if exponent else mantissa


SPEC = re.compile(r"(?P<head>.*?)(?P<precision>\.\d+)?(?P<kind>[eEfFgG%]?)")


def formatted(ball: arb, spec: str) -> str | None:
    """The number in a ball by a format specification for floats, correctly rounded; None for one without digits.

    >>> [formatted(100 * arb.pi(), spec) for spec in (".3f", "+.2e", ">6", ".4")]
    ['314.159', '+3.14e+2', None, '314.2']
    """
    match = SPEC.fullmatch(spec)
    if match is None or not (match["precision"] or match["kind"]):
        return None
    digits, kind = int((match["precision"] or ".6")[1:]), match["kind"].lower()
    place = digits + 2 if kind == "%" else digits if kind == "f" else None
    if place is None:
        significant = digits + 1 if kind == "e" else max(digits, 1)
        place = significant - 1 - leading_place(ball)
    number = rounded(ball, place)
    return format(number.copy_abs().copy_negate() if ball < 0 else number, spec)
