r"""Numbers of the expansion about the uniform state: values at a time, late times, the time at which a phase ends.

Where t or a distance between sums of growth rates is small, large terms cancel. A ball knows how many digits that
costs, so the precision is that which the numbers need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf, prod
from typing import Any

import flint
import mpmath
from flint import arb

from gegenflow.theory.exact.certified import SPARE_BITS
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.rounding import BITS_PER_DIGIT
from gegenflow.theory.expansions.recurrence import Degrees, Modes, Rates, Sum

START, GRID, PATIENCE = 1e-3, 1.1, 1e12
"""The first time of :func:`looks` in fastest time scales, the ratio of one to the next, the last in slowest scales."""
LAST_PRECISION = 64
"""Precision stops doubling at this many times the first one: only a resonance that is not recognised gets there."""


def at_time(time: arb, rates: Rates, modes: list[Modes]) -> list[dict[int, arb]]:
    r"""The coefficients :math:`a_{n,k}` of the orders n = 1, 2, ... at a time, at the current precision."""
    exponential = {k: (rates.growth(k) * time).exp() for order in modes[1:] for k in order}

    def value(terms: Sum) -> arb:
        values = (prod((exponential[k] for k in degrees), start=c * time**p) for (degrees, p), c in terms.items())
        return sum(values, arb(0))

    return [{k: value(terms) for k, terms in order.items()} for order in modes[1:]]


def late_term(terms: Sum, rates: Rates) -> str:
    """The term that is the largest at late times, as a text."""

    def speed(term: tuple[Degrees, int]) -> tuple[float, int]:
        return float(sum(map(rates.growth, term[0]), arb(0))), term[1]

    rate, power = speed(last := max(terms, key=speed))
    return f"{float(terms[last]):.5g} " + (f"t^{power} " if power else "") + f"exp({rate:.5g} t)"


def resolve(evaluate: Callable[[], dict[int, arb]], digits: int) -> dict[int, mpmath.mpf]:
    """Numbers to ``digits`` digits, or to 10**(-2 digits) of the largest, at the precision that this takes.

    >>> values = resolve(lambda: {1: arb(1) / 3, 2: arb(2).sqrt() ** 2 - 2, 3: (arb(10) ** -20 + 1) - 1}, 12)
    >>> [mpmath.nstr(value, 12) for value in values.values()]
    ['0.333333333333', '0.0', '1.0e-20']

    Raises ValueError where no precision is enough.
    """
    first = precision = int(digits * BITS_PER_DIGIT) + SPARE_BITS
    while precision <= LAST_PRECISION * first:
        with flint.ctx.workprec(precision):
            balls, unit = evaluate(), arb(10) ** -digits
            floor = unit * max((abs(ball).upper() for ball in balls.values()), default=arb(0))
            if all(ball.rad() <= unit * max(abs(ball).lower(), floor) for ball in balls.values()):
                return {key: _decimal(ball, digits) for key, ball in balls.items()}
        precision *= 2
    unsure = "growth rates resonate, or a number given is known too coarsely"
    raise Refused("the expansion", None, f"{precision // 2} bits do not tell whether sums of {unsure}")


def _decimal(ball: arb, digits: int) -> mpmath.mpf:
    if ball.contains(0):
        return mpmath.mpf(0)
    mantissa, exponent = ball.mid().man_exp()
    with mpmath.workdps(digits):
        return mpmath.ldexp(mpmath.mpf(int(mantissa)), int(exponent))


def looks(modes: Modes, degree: int, rates: Rates) -> Iterator[float]:
    """Times, from the fastest scale to far beyond the slowest, at which to compare one order with the first."""
    gaps = [rates.gap(degrees, degree) for terms in modes.values() for degrees, _ in terms]
    speeds = [abs(float(gap)) for gap in gaps if gap != 0] or [1.0]
    time = START / max(speeds)
    while gaps and time < PATIENCE / min(speeds):
        yield time
        time *= GRID


def first_time(reached: Callable[[float], bool], times: Iterator[float]) -> float:
    """The first of the times at which it is reached, refined by bisection; infinite if none is.

    >>> round(first_time(lambda time: time**2 >= 2, iter([1.0, 1.25, 1.5])), 10)
    1.4142135624
    >>> first_time(lambda time: False, iter([1.0]))
    inf
    """
    low = 0.0
    for high in times:
        if reached(high):
            while high - low > 1e-12 * high:
                middle = (low + high) / 2
                low, high = (low, middle) if reached(middle) else (middle, high)
            return high
        low = high
    return inf


def check_power(power: Any, times: int) -> None:
    """Refuse what is neither None nor numbers >= 0 of shape (times, degrees).

    >>> check_power([[1.0], [1.0, 2.0]], 2)
    Traceback (most recent call last):
    gegenflow.theory.exact.refusals.Refused: power: numbers >= 0 of shape (2, degrees) are needed
    """
    try:
        rows = None if power is None else [[float(number) for number in row] for row in power]
    except (TypeError, ValueError):
        rows = []
    if rows is None:
        return
    if len(rows) != times or len({*map(len, rows)}) != 1 or not all(number >= 0 for row in rows for number in row):
        raise Refused("power", None, f"numbers >= 0 of shape ({times}, degrees) are needed")
