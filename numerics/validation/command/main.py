"""The console command ``gegenflow``: tables of theory, runs, and the validation of one by the other.

Without a word it lists its subcommands. Exit status: 0 fine, 1 a check failed or the work was cut short, 2 bad input
(one line on stderr).
"""

from __future__ import annotations

import argparse
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import gegenflow
from gegenflow.numerics.validation.command.arguments import Choice
from gegenflow.numerics.validation.command.guide import SHELLS, completion, overview
from gegenflow.numerics.validation.command.options import line, sentence
from gegenflow.numerics.validation.command.output import show
from gegenflow.numerics.validation.command.parser import Parser

SUBCOMMANDS = {
    **{name: f"command.{name}" for name in ("derive", "growth", "critical", "phase", "simulate", "laws", "validate")},
    **{"report": "command.report", "sweep": "studies.command", "rerun": "studies.command"},
}
"""The module of ``validation`` that adds each subcommand."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (default: those of the process) and return its exit status.

    >>> main("critical --dim 3 --degree 1 --digits 8".split())
    dim  degree  beta       error
    3    1       1.8161545  2.6e-8
    0
    """
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if sys.stdout is None:
        sys.stderr.write(line("standard output is closed, so that no result could be printed"))
        return 2
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        parser = command_line(words[0] if words else None)
        if not words:
            show(overview(parser.commands))
            return 0
        options = parser.understand(words)
        return int(options.run(options))
    except KeyboardInterrupt:
        sys.stderr.write(line("interrupted"))
        return 1
    except (ValueError, ArithmeticError, MemoryError, RecursionError, OSError) as error:
        sys.stderr.write(sentence(error))
        return 1 if isinstance(error, OSError) else 2


class Completion(argparse.Action):
    """Prints the script that completes command lines in a shell."""

    def __call__(self, parser: Any, namespace: Namespace, values: Any, option_string: str | None = None) -> None:
        show(completion(command_line(), values))
        parser.exit()


def command_line(word: str | None = None) -> Parser:
    """The whole command line, every subcommand with its options; where ``word`` is a subcommand, only what it needs.

    >>> list(command_line("derive").commands), len(command_line().commands)
    (['derive'], 10)
    """
    parser = Parser(prog="gegenflow", description="Attention as a flow of tokens on the sphere.")
    parser.add_argument("--version", action="version", version=f"gegenflow {gegenflow.__version__}")
    text = "print the script that completes command lines in this shell"
    kind = Choice(*SHELLS)
    parser.add_argument("--print-completion", action=Completion, type=kind, metavar=str(kind), help=text)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    needed = [SUBCOMMANDS[word]] if word in SUBCOMMANDS else dict.fromkeys(SUBCOMMANDS.values())
    for module in needed:
        import_module(f"gegenflow.numerics.validation.{module}").add(commands)
    return parser
