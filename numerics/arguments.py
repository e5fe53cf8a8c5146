"""Reading the words of a command line: errors in one line, ranges, checked values."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line and exits with 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, "gegenflow: " + re.sub(r"^argument (\S+): ", r"\1 ", message) + "\n")


def checked(check: Callable[[Any], Any], name: str, convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """An argument type whose errors are those of ``check``, less the name that the option says already.

    >>> def check_dim(dim):
    ...     if dim < 2:
    ...         raise ValueError(f"dim {dim}: too small")
    >>> checked(check_dim, "dim", int)("1")
    Traceback (most recent call last):
    argparse.ArgumentTypeError: 1: too small
    """

    def parse(text: str) -> Any:
        try:
            value = convert(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text}: a whole number is needed") from error
        try:
            check(value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error).removeprefix(f"{name} ")) from error
        return value

    return parse


def integers(check: Callable[[int], Any], name: str) -> Callable[[str], list[int]]:
    """An argument type for ``3`` or ``1:8``, both ends included, each value accepted by ``check``.

    >>> integers(at_least(1), "degree")("2:4")
    [2, 3, 4]
    """

    def parse(text: str) -> list[int]:
        ends = text.split(":")
        if len(ends) > 2 or not all(re.fullmatch(r"-?\d+", end) for end in ends):
            raise argparse.ArgumentTypeError(f"{text}: a whole number or a range such as 1:8 is needed")
        first, last = int(ends[0]), int(ends[-1])
        if first > last:
            raise argparse.ArgumentTypeError(f"{text}: a range runs upwards, such as 1:8")
        checked(check, name, int)(ends[0])
        return list(range(first, last + 1))

    return parse


def at_least(least: int) -> Callable[[int], None]:
    """A check that a value is at least this."""

    def check(value: int) -> None:
        if value < least:
            raise ValueError(f"{value}: a whole number >= {least} is needed")

    return check
