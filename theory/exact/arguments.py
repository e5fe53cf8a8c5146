"""What the theory accepts: exact numbers, balls or symbols, in their ranges, each refusal one sentence."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from math import inf
from operator import index
from typing import Any, Literal, Protocol, TypeAlias

import flint
import sympy as sp
from flint import arb, fmpq
from mpmath import isfinite, mpf
from mpmath.libmp import to_rational

from gegenflow.theory.exact.balls import Enclosed, ends
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.refusals import Refused, refusal

Model = Literal["usa", "sa"]


class HasBall(Protocol):
    """A number that knows a ball around itself, such as :class:`~gegenflow.theory.exact.Certified`."""

    @property
    def ball(self) -> arb:
        """The ball."""


Expr: TypeAlias = sp.Expr
"""An exact expression, as formulas return it."""

Real: TypeAlias = int | float | str | Fraction | Decimal | sp.Expr | arb | fmpq | HasBall
"""A real number as the theory takes it, or an expression in symbols: see :func:`check_real`."""

Whole: TypeAlias = int | sp.Expr
"""An integer, or a symbol for one."""

MOST_EXPONENT = 10_000
"""Decimals between 1e-10000 and 1e10000 are written out as fractions."""

TELLING = (64, 256, 1024)
"""Bits at which the sign of an irrational number is looked for."""


def check_real(
    number: Real,
    name: str,
    allowed: str,
    *,
    above: Whole | None = None,
    least: Whole | None = None,
    below: Expr | int | None = None,
    most: Expr | int | None = None,
    symbols: bool = True,
) -> Expr:
    """A real number as an exact expression, or a refusal unless above < number < below, least <= number <= most.

    Rational numbers of any type stay exact, also floats (their binary value) and decimal text; irrational ones of sympy
    stay as they are; a ball (a ``Certified`` or an ``arb``) becomes an :class:`~gegenflow.theory.exact.balls.Enclosed`,
    and lies in a range only if all of it does. Symbols are taken unless they are known to be out of range, or
    ``symbols`` is False.

    >>> [check_real(x, "mass", "a number is needed") for x in ("-0.1", "7/3", 0.5, sp.sqrt(2), sp.Symbol("m"))]
    [-1/10, 7/3, 1/2, sqrt(2), m]
    >>> check_real(arb(0, 1e-9), "mass", "a number > 0 is needed", above=0)
    Traceback (most recent call last):
    gegenflow.theory.exact.refusals.Refused: mass [+/- 1.01e-9]: a number > 0 is needed

    Raises Refused with ``name`` and ``allowed``.
    """
    value = _exactly(number, name)
    if value is None or (value.free_symbols and not symbols):
        raise refusal(name, number, allowed)
    from_below, from_above = ((above, False), (least, True)), ((below, False), (most, True))
    inside = all(passes(value - bound, zero=zero) for bound, zero in from_below if bound is not None)
    if not (inside and all(passes(bound - value, zero=zero) for bound, zero in from_above if bound is not None)):
        raise refusal(name, number, allowed)
    return value


def check_rational(number: Real, name: str, allowed: str, *, least: int | None = None) -> fmpq:
    """A number as an exact fraction, or a refusal of anything irrational, also of a ball that is no point.

    >>> check_rational("0.1", "low", "a rational number is needed")
    1/10
    """
    value = check_real(number, name, allowed, least=least, symbols=False)
    if not value.is_Rational:
        raise Refused(name, number, f"{allowed}; it must be rational, for exact arithmetic")
    return fmpq(int(value.p), int(value.q))


def positive(expression: Expr) -> bool | None:
    """Whether a real expression is > 0: by balls for a number, by its assumptions with symbols; None: not known.

    >>> positive(sp.pi**2 - 10), positive(sp.Symbol("x", positive=True)), positive(sp.Symbol("x"))
    (False, True, None)
    >>> positive(sp.exp(Enclosed("x", arb(1, 0.5))) - 3)              # the ball decides, not its middle
    """
    if expression.is_Rational:
        return bool(expression > 0)
    if not expression.free_symbols:
        for precision in TELLING:
            with flint.ctx.workprec(precision):
                ball = enclose(expression)
            if ball > 0 or ball <= 0:
                return bool(ball > 0)
        if expression.has(Enclosed):
            return None
    return expression.is_positive  # type: ignore[no-any-return]


def passes(gap: Expr, *, zero: bool = False) -> bool:
    """Whether a gap > 0 (>= 0, with ``zero``): proved for a number, not known to be otherwise with symbols.

    >>> x = sp.Symbol("x")
    >>> passes(x), passes(sp.sqrt(2) - 2), passes(-(x**2), zero=True), passes(sp.Integer(0), zero=True)
    (True, False, True, True)
    """
    if zero and gap == 0:
        return True
    if not gap.free_symbols:
        return positive(gap) is True
    return gap.is_negative is not True if zero else positive(gap) is not False


def _exactly(number: Any, name: str) -> Expr | None:
    """The number as an expression, exactly; None if it is no finite real number."""
    if isinstance(number, bool):
        return None
    if isinstance(number, str | Decimal) and _too_far(str(number)):
        raise Refused(name, number, f"the exponent of a number lies within {MOST_EXPONENT}")
    ball = number if isinstance(number, arb) else getattr(number, "ball", None)
    if isinstance(number, sp.Expr):
        if number.free_symbols or (number.is_real and number.is_finite and not number.is_Float):
            return number
    elif isinstance(ball, arb):
        if not ball.is_finite() or ball.is_exact():
            return _rational(ends(ball)[0]) if ball.is_finite() else None
        return Enclosed(name, ball)
    try:
        return _rational(_fraction(number))
    except (ValueError, TypeError, ArithmeticError, AttributeError):
        return None


def _too_far(text: str) -> bool:
    """Whether a decimal has an exponent that makes its digits too many to write out."""
    exponent = re.search(r"[eE][+-]?0*(\d+)\s*$", text)
    return exponent is not None and (len(exponent[1]) > 9 or int(exponent[1]) > MOST_EXPONENT)


def _rational(fraction: Fraction) -> Expr:
    return sp.Rational(fraction.numerator, fraction.denominator)


def _fraction(number: Any) -> Fraction:
    if isinstance(number, sp.Basic):
        rational = sp.Rational(number)
        return Fraction(int(rational.p), int(rational.q))
    if isinstance(number, fmpq):
        return Fraction(int(number.p), int(number.q))
    if isinstance(number, str) and "/" not in number:
        return Fraction(Decimal(number))
    if isinstance(number, (int, float, str, Decimal, Fraction)):
        return Fraction(number)
    if isinstance(number, mpf) and isfinite(number):
        return Fraction(*to_rational(number._mpf_))
    if hasattr(number, "__index__"):
        return Fraction(index(number))
    return Fraction(*number.as_integer_ratio())


def check_parameter(value: Real, name: str = "parameter") -> Expr:
    """A parameter of a kernel: an expression as it is, a number exactly, a ball as an atom."""
    return check_real(value, name, "a finite number or a sympy expression is needed")


def check_expression(value: Any, name: str) -> Expr:
    """An expression as it is, else as :func:`check_parameter`: a text is a decimal or a fraction and nothing is run.

    >>> check_expression(sp.Symbol("t") ** 2, "density"), check_expression("1/3", "density")
    (t**2, 1/3)
    """
    return value if isinstance(value, sp.Expr) else check_parameter(value, name)


def check_beta(beta: Real, *, least: int | None = None, symbols: bool = True) -> Expr:
    """Beta, exactly, of either sign unless ``least`` is 0, or a refusal.

    >>> check_beta("0.1"), check_beta(0.5, least=0), check_beta(sp.sqrt(2))
    (1/10, 1/2, sqrt(2))
    """
    kind = "real number" if least is None else f"number >= {least}"
    return check_real(beta, "beta", f"the inverse temperature must be a finite {kind}", least=least, symbols=symbols)


def check_noise(noise: Real) -> Expr:
    """The noise 1/kappa as an exact number or a symbol, or a refusal unless it is >= 0.

    >>> check_noise("0.1"), check_noise(sp.Symbol("kappa", positive=True) ** -1)
    (1/10, 1/kappa)
    """
    return check_real(noise, "noise", "the noise 1/kappa must be a finite number >= 0", least=0)


def check_time(time: Real, *, symbols: bool = True) -> Expr:
    """A time, or a refusal unless it is >= 0."""
    return check_real(time, "time", "the time must be a finite number >= 0", least=0, symbols=symbols)


def check_overlap(overlap: Real, tokens: Expr, name: str = "overlap") -> Expr:
    """A common overlap of n tokens, or a refusal unless it lies strictly between -1/(n-1) and 1."""
    allowed = "the common overlap of n tokens must lie in -1/(n-1) < overlap < 1"
    value = check_real(overlap, name, allowed, below=1)
    if not passes(1 + (tokens - 1) * value):
        raise Refused(name, overlap, allowed)
    return value


def check_model(model: str) -> Model:
    """The model, or a refusal unless it is "usa" or "sa"."""
    if model not in ("usa", "sa"):
        raise Refused("model", model, "the model is 'usa' (unnormalised) or 'sa' (softmax)")
    return model  # type: ignore[return-value]


def ball_of(number: object, precision: int) -> arb | None:
    """A ball around a number at a precision that loses nothing of it; None for anything else, such as a text.

    >>> ball_of("1/2", 53), ball_of(sp.Rational(1, 2), 53), ball_of(float("inf"), 53)
    (None, 0.500000000000000, [+/- inf])
    """
    if isinstance(ball := getattr(number, "ball", None), arb):
        return ball
    if isinstance(number, str):
        return None
    try:
        if isinstance(number, (float, sp.Expr)) and number in (inf, -inf):
            return arb(float(number))
        value = check_real(number, "number", "a real number is needed", symbols=False)
    except Refused:
        return None
    with flint.ctx.workprec(precision):
        return enclose(value)
