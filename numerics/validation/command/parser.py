"""The shape of a command line: errors of one line, and the options that several subcommands share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn

from gegenflow.numerics.tokens.refusals import choose
from gegenflow.numerics.validation.command.arguments import (
    BETA,
    DEGREE,
    DIGITS,
    DIM,
    SEED,
    Choice,
    Whole,
    target,
)
from gegenflow.numerics.validation.command.guide import epilog
from gegenflow.numerics.validation.command.options import line

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction["Parser"]

MODEL = Choice("usa", "sa")

BOTH = ("text", "json")

SUFFIXES = {".csv": "csv", ".md": "markdown", ".tex": "latex", ".json": "json", ".txt": "text"}
"""The format of a table by the end of its file's name."""

Run = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line and exits with 2; -1e5 and -exp(t) are values, not options."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options | {"exit_on_error": False})
        self._negative_number_matcher = re.compile(r"-(\d|\.\d|inf|nan|t\b|beta|exp|\()")

    def error(self, message: str) -> NoReturn:
        self.exit(2, line(message))

    @property
    def commands(self) -> dict[str, str]:
        """Names of the subcommands, and what they do."""
        found = (action for action in self._actions if isinstance(action, argparse._SubParsersAction))
        return {one.dest: one.help or "" for action in found for one in action._choices_actions}

    def understand(self, words: Sequence[str]) -> argparse.Namespace:
        """The options of a command line; exits with 2 and a line that begins with the option that is wrong.

        >>> Parser(prog="gegenflow").understand([])
        Namespace()
        """
        self._know(words)
        try:
            return self.parse_args(words)
        except argparse.ArgumentError as error:
            self.error(f"{error.argument_name or ''} {error.message}")

    def _know(self, words: Sequence[str]) -> None:
        """Refuse a subcommand or an option that there is not, with the nearest one."""
        if self.commands and words and not words[0].startswith("-"):
            if words[0] not in self.commands:
                self.error(f"{words[0] or repr('')}: {choose(words[0], self.commands)}")
            sub = next(action for action in self._actions if isinstance(action, argparse._SubParsersAction))
            parser: Parser = sub.choices[words[0]]
            return parser._know(words[1:])
        known = list(self._option_string_actions)
        for option in (word.partition("=")[0] for word in words if word.startswith("--")):
            if not any(name.startswith(option) for name in known):
                near = get_close_matches(option, known, 1)
                hint = f", did you mean {near[0]}?" if near else ";"
                self.error(f"{option}: there is no such option{hint} {self.prog} -h shows all")


def subcommand(
    commands: Commands, name: str, run: Run, help: str, formats: tuple[str, ...] = BOTH, *, own_help: bool = False
) -> Parser:
    """A subcommand that prints in one of these formats; with ``own_help`` it adds the option itself."""
    shape: Any = argparse.RawDescriptionHelpFormatter
    about = {"help": help, "description": help, "epilog": epilog(name), "formatter_class": shape}
    sub = commands.add_parser(name, **about, add_help=not own_help)
    sub.set_defaults(run=run)
    add_choice(sub, "--format", "how to print it", *formats)
    return sub


def add_choice(sub: Parser, option: str, help: str, *words: str) -> None:
    """One of a few words, by default the first."""
    kind = Choice(*words)
    sub.add_argument(option, type=kind, metavar=str(kind), default=words[0], help=f"{help} (default {words[0]})")


def add_dim(sub: Parser, help: str, *, required: bool = False) -> None:
    """One dimension."""
    sub.add_argument("--dim", type=DIM, required=required, help=f"{help}, {DIM}")


def add_list(sub: Parser, option: str, what: Whole, help: str, *, required: bool = False) -> None:
    """Whole numbers, ranges of them, or both."""
    text = f"{help}, {what}"
    sub.add_argument(option, type=what.range, nargs="+", action="extend", required=required, help=text)


def add_degree_limit(sub: Parser, help: str = "highest degree to compare") -> None:
    """The highest degree that is compared."""
    text = f"{help}, for kernels without closed forms, {DEGREE}"
    sub.add_argument("--max-degree", type=DEGREE, help=text)


def add_model(sub: Parser, default: str | None = "usa") -> None:
    """The model of attention."""
    help = f"unnormalised or softmax attention (default {default or 'both'})"
    sub.add_argument("--model", type=MODEL, metavar=str(MODEL), default=default, help=help)


def add_beta(sub: Parser) -> None:
    """One inverse temperature."""
    sub.add_argument("--beta", type=BETA, help=f"inverse temperature, {BETA}, kept exact")


def add_betas(sub: Parser, default: str = "") -> None:
    """Inverse temperatures, ranges of them, or both."""
    text = f"inverse temperatures, {BETA}, kept exact: 5 7.5, 1:3 or, in steps, 0.5:2:0.25{default}"
    sub.add_argument("--beta", type=BETA.range, nargs="+", action="extend", help=text)


def add_digits(sub: Parser) -> None:
    """The number of certified digits."""
    sub.add_argument("--digits", type=DIGITS, default=15, help=f"significant digits, all proved, {DIGITS} (default 15)")


def add_table(sub: Parser, *, layouts: bool = False) -> None:
    """How a table is laid out, and its file."""
    if layouts:
        add_choice(sub, "--layout", "a row for each number, or degrees across as in papers", "long", "wide")
    text = "the columns to print, in this order"
    sub.add_argument("--columns", nargs="+", action="extend", metavar="NAME", help=text)
    sub.add_argument("--caption", help="caption of a LaTeX or Markdown table, as it is")
    sub.add_argument("--label", help="label of a LaTeX table, for \\ref")
    text = f"write the table into this file, too, as its name ends ({', '.join(SUFFIXES)}) or else in the same format"
    sub.add_argument("--out", type=target(), help=text)


def add_seed(sub: Parser, what: str) -> None:
    """The seed of everything random."""
    sub.add_argument("--rng", type=SEED, default=0, help=f"{what}, {SEED} (default 0)")
