"""Certified decimals: numbers whose every printed digit is proved by ball arithmetic, and that compute on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from operator import add, index, mul, sub, truediv
from typing import Any, ClassVar, cast

import flint
import sympy as sp
from flint import arb
from mpmath import mp
from mpmath.libmp import from_str

from gegenflow.theory.exact.arguments import Real, ball_of
from gegenflow.theory.exact.balls import ends, parts, power_of, restored, settled
from gegenflow.theory.exact.integers import check_digits
from gegenflow.theory.exact.refusals import Refused, refusal
from gegenflow.theory.exact.rounding import (
    BITS_PER_DIGIT,
    COARSE,
    check_size,
    error_bound,
    formatted,
    fraction_of,
    latex_number,
    nearest_decimal,
    rounded,
    supported_decimal,
)

SPARE_BITS = 24
LAST_PRECISION = 40
"""Precision stops doubling at this many times the first one: only an exact tie between two decimals gets there."""
STUCK = 3
"""It also stops where the ball is as wide at so many precisions in a row: a number that came as a ball is in it."""
FINE = 1e-3
"""... and it is no mere bound of a number that takes more precision: its radius is less than this share of it."""
ZERO_DIGITS = 15
"""Digits that a sum with an exact zero may have."""


@dataclass(frozen=True, eq=False)
class Certified:
    """A number rounded to a given count of significant digits, with a proved bound on its error.

    ``value`` is the decimal that is nearest to the exact number, ``error`` bounds the distance between the two, and
    ``ball`` (a ``flint.arb``) encloses the exact number, usually much more tightly.

    >>> two_thirds = certify(lambda: arb(2) / 3, digits=5)
    >>> two_thirds
    [0.66667 +/- 3.4e-6]
    >>> float(two_thirds), 3 * two_thirds.ball == 2, (3 * two_thirds.ball).contains(2)
    (0.66667, False, True)

    It computes with numbers and with its like, + - * / and powers that are integers, through the ball; the result has
    the digits that its ball proves, at most those of the operands. A difference that may be 0 is 0 with its bound.

    >>> 2 * two_thirds**2 - 1, two_thirds / 2, two_thirds - two_thirds
    ([-0.11111 +/- 1.2e-6], [0.33333 +/- 3.4e-6], [0 +/- 1.9e-12])

    Order is that of the exact numbers: the balls decide, the same ball is the same number, and where two balls overlap
    a ValueError asks for more digits. (With a number of sympy on the left, sympy compares it with the decimal; write
    the certified one first.) Equality is that of values: the same decimal, the same bound, and balls that
    overlap, so it does not prove that two exact numbers are one.

    >>> two_thirds < 0.7, sorted([two_thirds, certify(arb.pi, 5), -two_thirds])[0], f"{two_thirds:.3f}"
    (True, [-0.66667 +/- 3.4e-6], '0.667')
    >>> sp.sympify(two_thirds), round(two_thirds, 2)
    (66667/100000, [0.67 +/- 0.0034])

    sympy and mpmath take every printed digit; the theory takes the ball wherever it takes a number. On the left of an
    operator mpmath, and on the left of <, <=, >, >= sympy, convert it first and so see its decimal, not its ball:

    >>> two_thirds > 0.666668, sp.Rational(666668, 10**6) < two_thirds          # the decimal is 0.66667
    (False, True)
    """

    value: str
    error: str
    ball: arb

    _op_priority: ClassVar[float] = 20.0
    """sympy leaves arithmetic with it to this class."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ball", settled(self.ball))

    @property
    def digits(self) -> int:
        """The number of significant digits of ``value``."""
        return max(len(self.value.lstrip("-").partition("e")[0].replace(".", "").lstrip("0")), 1)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.value, self.error, *parts(self.ball))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Certified):
            return NotImplemented
        return (self.value, self.error) == (other.value, other.error) and bool(self.ball.overlaps(other.ball))

    def __hash__(self) -> int:
        return hash((self.value, self.error))

    def __lt__(self, other: Real) -> bool:
        return self._compare(other, lambda order: order < 0)

    def __le__(self, other: Real) -> bool:
        return self._compare(other, lambda order: order <= 0)

    def __gt__(self, other: Real) -> bool:
        return self._compare(other, lambda order: order > 0)

    def __ge__(self, other: Real) -> bool:
        return self._compare(other, lambda order: order >= 0)

    def _compare(self, other: Any, test: Callable[[int], bool]) -> bool:
        precision = self._precision()
        theirs = ball_of(other, precision)
        if theirs is None:
            return cast(bool, NotImplemented)
        if parts(self.ball) == parts(theirs) if theirs.is_finite() else False:
            return test(0)
        for order, decided in ((-1, self.ball < theirs), (1, self.ball > theirs)):
            if decided:
                return test(order)
        raise ValueError(f"{self} and {other}: the balls overlap, so the order is not known; ask for more digits")

    def __bool__(self) -> bool:
        if self.ball.contains(0) and not self.ball.is_zero():
            raise ValueError(f"{self}: the ball holds 0, so it may be that or not; ask for more digits")
        return not self.ball.is_zero()

    def __add__(self, other: Real) -> Certified:
        return _combined(add, self, other)

    def __radd__(self, other: Real) -> Certified:
        return _combined(add, other, self)

    def __sub__(self, other: Real) -> Certified:
        return _combined(sub, self, other)

    def __rsub__(self, other: Real) -> Certified:
        return _combined(sub, other, self)

    def __mul__(self, other: Real) -> Certified:
        return _combined(mul, self, other)

    def __rmul__(self, other: Real) -> Certified:
        return _combined(mul, other, self)

    def __truediv__(self, other: Real) -> Certified:
        return _combined(truediv, self, other)

    def __rtruediv__(self, other: Real) -> Certified:
        return _combined(truediv, other, self)

    def __pow__(self, power: int) -> Certified:
        if not hasattr(power, "__index__"):
            return NotImplemented
        with flint.ctx.workprec(self._precision()):
            if power < 0 and self.ball.contains(0):
                raise ZeroDivisionError(f"{self}: the ball holds 0, so it has no such power; ask for more digits")
            return _supported(power_of(self.ball, index(power)), self.digits)

    def __neg__(self) -> Certified:
        zero = not self.value.partition("e")[0].strip("-0.")
        value = self.value.removeprefix("-") if self.value.startswith("-") or zero else f"-{self.value}"
        return Certified(value, self.error, -self.ball)

    def __pos__(self) -> Certified:
        return self

    def __abs__(self) -> Certified:
        if self.ball.contains(0):
            with flint.ctx.workprec(self._precision()):
                return _supported(abs(self.ball), self.digits)
        return -self if self.ball < 0 else self

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return self._whole(int)

    def __floor__(self) -> int:
        return self._whole(floor)

    def __ceil__(self) -> int:
        return self._whole(ceil)

    def _whole(self, part: Callable[[Fraction], int]) -> int:
        low, high = (part(end) for end in ends(self.ball))
        if low != high:
            raise ValueError(f"{self}: {COARSE.format(wanted='its whole part')}")
        return low

    def __round__(self, decimals: int | None = None) -> Certified | int:
        """The nearest number of so many decimals, still with its bound and its ball; an int without ``decimals``."""
        near = rounded(self.ball, 0 if decimals is None else decimals)
        return int(near) if decimals is None else Certified(str(near).lower(), error_bound(self.ball, near), self.ball)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec) if (text := formatted(self.ball, spec)) is None else text

    def __repr__(self) -> str:
        return f"[{self.value} +/- {self.error}]"

    def _sympy_(self) -> sp.Rational:
        check_size(self.ball)
        exact = fraction_of(self.value)
        return sp.Rational(exact.numerator, exact.denominator)

    def _mpmath_(self, precision: int, rounding: str) -> Any:
        bits = int(self.digits * BITS_PER_DIGIT) + SPARE_BITS
        return mp.make_mpf(from_str(self.value, max(precision, bits), rounding))

    def _repr_latex_(self) -> str:
        return f"${latex_number(self.value)} \\pm {latex_number(self.error)}$"

    def _precision(self) -> int:
        """Bits that hold the middle of the ball and all digits."""
        return int(max(self.ball.bits(), self.digits * BITS_PER_DIGIT)) + 2 * SPARE_BITS


def _rebuilt(value: str, error: str, *known: int) -> Certified:
    return Certified(value, error, restored(*known))


def _combined(operation: Callable[[Any, Any], Any], left: Any, right: Any) -> Certified:
    known = [number for number in (left, right) if isinstance(number, Certified)]
    precision = max(number._precision() for number in known)
    balls = [ball_of(number, precision) for number in (left, right)]
    if any(ball is None for ball in balls):
        with_symbols = [number for number in (left, right) if isinstance(number, sp.Expr) and number.free_symbols]
        return operation(*map(sp.sympify, (left, right))) if with_symbols else NotImplemented
    one, other = cast(list[arb], balls)
    if operation is truediv and other.contains(0):
        raise ZeroDivisionError(f"{left} / {right}: the ball of the divisor holds 0; ask for more digits")
    digits = max(ZERO_DIGITS if number.value == "0" else number.digits for number in known)
    with flint.ctx.workprec(precision + SPARE_BITS):
        return _supported(operation(one, other), digits)


def _supported(ball: arb, digits: int) -> Certified:
    return Certified(*supported_decimal(ball, digits), ball)


def certify(evaluate: Callable[[], arb], digits: int) -> Certified:
    """Evaluate in balls, raising the precision until the nearest decimal of ``digits`` digits is beyond doubt.

    :param evaluate: called under growing ``flint.ctx.prec``, it returns a ``flint.arb`` around the same exact number
        each time
    :param digits: significant digits to certify, >= 1

    >>> certify(lambda: arb.pi() * 10**20, digits=30)
    [314159265358979323846.264338328 +/- 5.0e-11]
    >>> certify(lambda: arb(1) / 8, digits=2)         # a tie between 0.12 and 0.13: both are right
    [0.12 +/- 0.0050]

    Raises Refused for digits < 1 and what returns no ball, ArithmeticError if no precision gives a finite ball, or none
    that is narrow enough because a number in it is itself known by a ball only.
    """
    digits = check_digits(digits)
    if not callable(evaluate):
        raise refusal("evaluate", evaluate, "a function without arguments that returns a flint.arb is needed")
    first = precision = int(digits * BITS_PER_DIGIT) + SPARE_BITS
    radii: list[arb] = []
    while True:
        with flint.ctx.workprec(precision):
            ball = evaluate()
            if not isinstance(ball, arb):
                raise refusal("evaluate", ball, "it must return a flint.arb")
            finite = bool(ball.is_finite())
            last = precision >= LAST_PRECISION * (first + 256) or (finite and ball.is_exact())
            decimal = nearest_decimal(ball, digits, settle=last) if finite else None
            radii = [*radii[1 - STUCK :], ball.rad()]
        if decimal is not None:
            return Certified(*decimal, ball)
        if last:
            raise ArithmeticError(f"the number is too large, or too close to zero, to be enclosed at {precision} bits")
        stuck = len(radii) == STUCK and finite and 2 * radii[-1] > radii[0]
        if stuck and radii[-1] < FINE * abs(ball).upper():
            raise ArithmeticError(f"a number given is known too coarsely for {digits} digits; give it with more")
        precision *= 2


def certify_at(name: str, value: object, evaluate: Callable[[], arb], digits: int) -> Certified:
    """:func:`~gegenflow.theory.exact.certify`, or a refusal of the named argument if no precision is enough."""
    try:
        return certify(evaluate, digits)
    except ArithmeticError as error:
        raise Refused(name, value, str(error)) from error
