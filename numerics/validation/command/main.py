"""The console command ``gegenflow``: tables of theory, runs, and the validation of one by the other.

Exit status: 0 fine, 1 a check failed or the work was cut short, 2 bad input (one line on stderr).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gegenflow.numerics.validation.command.parser import Parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (default: those of the process) and return its exit status.

    >>> main("critical --dim 3 --degree 1 --digits 8".split())
    dim  degree  beta       error
    3    1       1.8161545  2.6e-8
    0
    """
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("gegenflow: interrupted\n")
        return 1


def _run(arguments: Sequence[str] | None) -> int:
    # Imported here, so that an interrupt of the imports is one of the command.
    from gegenflow.numerics.validation.command.options import line, sentence

    if sys.stdout is None:
        sys.stderr.write(line("standard output is closed, so that no result could be printed"))
        return 2
    options = command_line().understand(arguments)
    try:
        return int(options.run(options))
    except (ValueError, ArithmeticError, MemoryError, RecursionError, OSError) as error:
        sys.stderr.write(sentence(error))
        return 2


def command_line() -> Parser:
    """The whole command line: every subcommand with its options."""
    import gegenflow
    from gegenflow.numerics.validation.command import critical, derive, growth, phase, simulate, validate
    from gegenflow.numerics.validation.command.parser import Parser

    parser = Parser(prog="gegenflow", description="Attention as a flow of tokens on the sphere.")
    parser.add_argument("--version", action="version", version=f"gegenflow {gegenflow.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for subcommand in (derive, growth, critical, phase, simulate, validate):
        subcommand.add(commands)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
