"""Reading the words of a command line: errors in one line, ranges, checked values."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

LONGEST_RANGE = 1_000_000


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line and exits with 2; -1e5 and -inf are values, not options."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._negative_number_matcher = re.compile(r"-(\d|\.\d|inf|nan)")

    def error(self, message: str) -> NoReturn:
        self.exit(2, one_line(re.sub(r"^argument (\S+): ", r"\1 ", message)))


def one_line(message: str) -> str:
    r"""What a user sees of an error: one line, with the option that the message speaks of as it is typed.

    >>> one_line('t_end is -1: it must be >= 0')
    'gegenflow: --time -1: it must be >= 0\n'
    """
    message = re.sub(
        r"^(amplitude|beta|digits|dim|degree|noise|rtol|runs|tokens|t_end|merge|method)( is)? (?=[^ ]+:)",
        r"--\1 ",
        message,
    )
    message = re.sub(r"^(kernel|interval) (?=[^:]+:)", r"--\1 ", message).replace("--interval", "--between")
    message = (
        message.replace("max_degree", "--max-degree")
        .replace("--t_end", "--time")
        .replace('model="sa"', "--model sa")
        .replace("\n", "\\n")
    )
    return f"gegenflow: {message}\n"


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
        if last - first >= LONGEST_RANGE:
            raise argparse.ArgumentTypeError(f"{text}: a range holds at most {LONGEST_RANGE:,} values")
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


def output(*suffixes: str) -> Callable[[str], Path]:
    """An argument type for a file that can be written, with one of these suffixes if there are any."""

    def parse(text: str) -> Path:
        path = Path(text)
        if not text or path.is_dir():
            raise argparse.ArgumentTypeError(f"{text!r}: the name of a file is needed")
        if not path.parent.is_dir():
            raise argparse.ArgumentTypeError(f"{text}: there is no folder {path.parent}")
        if suffixes and path.suffix not in suffixes:
            raise argparse.ArgumentTypeError(f"{text}: the name must end in {', '.join(suffixes)}")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise argparse.ArgumentTypeError(f"{text}: it cannot be written")
        return path

    return parse
