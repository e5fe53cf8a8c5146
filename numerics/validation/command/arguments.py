"""Types of options: words of a command line become checked values, or say what is allowed in their place."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from itertools import chain
from math import isfinite, nan
from pathlib import Path
from typing import TypeVar

from gegenflow.numerics.tokens.refusals import choose

LONGEST_RANGE = 1_000_000
LARGEST_EXPONENT = 1000
MOST_SHOWN = 120

T = TypeVar("T")


@dataclass(frozen=True)
class Whole:
    """A whole number from ``least`` to ``most``, as an argument type; ``needed`` says of what.

    >>> Whole("the degree must be an integer", 1, 8)("3")
    3
    """

    needed: str
    least: int
    most: int

    def __str__(self) -> str:
        most = f"{self.most:,}" if self.most < 2**64 else f"{self.most:.0e}".replace("+", "")
        return f"{self.least:,} to {most}"

    def __call__(self, text: str) -> int:
        digits = text.removeprefix("-")
        short = digits.isascii() and digits.isdigit() and len(digits.lstrip("0")) <= len(str(self.most))
        if not (short and self.least <= int(text) <= self.most):
            raise refused(text, f"{self.needed} from {self}")
        return int(text)

    def range(self, text: str) -> list[int]:
        """The values of ``3`` or ``1:8``, both ends included.

        >>> Whole("the degree must be an integer", 1, 8).range("2:4")
        [2, 3, 4]
        """
        ends = text.split(":")
        if len(ends) > 2 or not all(end.removeprefix("-").isdigit() for end in ends):
            raise refused(text, "a whole number or a range such as 1:8 is needed")
        low, high = self(ends[0]), self(ends[-1])
        if low > high:
            raise refused(text, "a range runs upwards, such as 1:8")
        return list(range(low, high + 1))


DIM = Whole("the sphere S^{dim-1} needs an integer dim", 2, 1_000_000)
DEGREE = Whole("the degree must be an integer", 1, 1_000_000)
DIGITS = Whole("the number of significant digits must be an integer", 1, 100_000)
WORKERS = Whole("the number of workers must be an integer", 1, 4096)
SEED = Whole("the seed must be an integer", 0, 2**64 - 1)


@dataclass(frozen=True)
class Exact:
    """A number >= 0, a decimal of any length or a fraction, kept as it was typed, as an argument type.

    >>> Exact("the noise")("1/3")
    '1/3'
    """

    needed: str

    def __str__(self) -> str:
        return f"0 or 1e-{LARGEST_EXPONENT} to 1e{LARGEST_EXPONENT}"

    def __call__(self, text: str) -> str:
        try:
            if not text.isascii() or "_" in text:
                raise ValueError
            if "/" in text:
                whole = len(text) <= LARGEST_EXPONENT and Fraction(text) >= 0
            else:
                number = Decimal(text)
                whole = number.is_finite() and number >= 0 and abs(number.adjusted()) <= LARGEST_EXPONENT
        except (ValueError, ArithmeticError):
            whole = False
        if not whole:
            raise refused(text, f"{self.needed} is {self}")
        return text

    def range(self, text: str) -> list[str]:
        """The values of ``5``, of ``1:3`` in steps of one, or of ``0.5:2:0.25`` in steps of the third number.

        >>> Exact("it").range("1:3"), Exact("it").range("0.5:1:0.25")
        (['1', '2', '3'], ['0.50', '0.75', '1.00'])
        """
        if ":" not in text:
            return [self(text)]
        words = text.split(":")
        try:
            low, high, step = (Decimal(self(word)) for word in (words if len(words) > 2 else [*words, "1"]))
        except (ArgumentTypeError, ValueError, ArithmeticError):
            raise refused(text, "a range of decimals is needed, such as 1:3 or 0.5:2:0.25") from None
        if low > high or step <= 0:
            raise refused(text, "a range runs upwards, such as 1:3 or 0.5:2:0.25")
        steps = (Fraction(high) - Fraction(low)) / Fraction(step)
        if steps >= LONGEST_RANGE:
            raise refused(text, f"a range holds at most {LONGEST_RANGE:,} values")
        whole = Context(prec=len(text) + 2 * LARGEST_EXPONENT)
        return [str(whole.add(low, whole.multiply(step, Decimal(number)))) for number in range(int(steps) + 1)]


BETA = Exact("the inverse temperature")
NOISE = Exact("the noise 1/kappa")


@dataclass(frozen=True)
class Real:
    """A finite number in floating point, as an argument type; ``span`` says from where to where.

    >>> Real("> 0", lambda number: number > 0)("0.5")
    0.5
    """

    span: str
    accepts: Callable[[float], bool]

    def __str__(self) -> str:
        return self.span

    def __call__(self, text: str) -> float:
        try:
            number = float(text) if text.isascii() and "_" not in text else nan
        except ValueError:
            number = nan
        if not (isfinite(number) and self.accepts(number)):
            raise refused(text, f"it must be a finite number {self}")
        return number


@dataclass(frozen=True)
class Choice:
    """One of a few words, as an argument type.

    >>> Choice("usa", "sa")("sa")
    'sa'
    """

    words: tuple[str, ...]

    def __init__(self, *words: str) -> None:
        object.__setattr__(self, "words", words)

    def __str__(self) -> str:
        return f"{{{','.join(self.words)}}}"

    def __call__(self, text: str) -> str:
        if text not in self.words:
            raise refused(text, choose(text, self.words))
        return text


def source(text: str) -> Path:
    """A file to read."""
    if not text or "\0" in text:
        raise refused(text, "the name of a file is needed")
    return Path(text)


def target(*suffixes: str) -> Callable[[str], Path]:
    """An argument type for a file that can be written, with one of these suffixes if there are any."""

    def parse(text: str) -> Path:
        """The file."""
        path = source(text)
        try:
            if path.is_dir():
                raise refused(text, "it is a folder; the name of a file is needed")
            if not path.parent.is_dir():
                raise refused(text, f"there is no folder {path.parent}")
            exists = path.exists()
            if len(os.fsencode(path.name)) > os.pathconf(path.parent, "PC_NAME_MAX"):
                raise refused(text, "the name is too long")
        except OSError as error:
            raise refused(text, str(error.strerror)) from error
        if suffixes and path.suffix not in suffixes:
            raise refused(text, f"the name must end in {', '.join(suffixes)}")
        if not os.access(path if exists else path.parent, os.W_OK):
            raise refused(text, "it cannot be written")
        return path

    return parse


def refused(text: str, allowed: str) -> ArgumentTypeError:
    """What is wrong with the word that was typed.

    >>> print(refused("", "a number is needed"))
    '': a number is needed
    """
    shown = " ".join(text.split()) or repr(text)
    return ArgumentTypeError(f"{shown if len(shown) <= MOST_SHOWN else shown[:MOST_SHOWN] + '...'}: {allowed}")


def flat(lists: Sequence[Sequence[T]]) -> list[T]:
    """The values of several ranges in one list."""
    return list(chain.from_iterable(lists))
