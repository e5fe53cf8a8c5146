"""What the command says of itself: the first things to try, examples of every subcommand, completion for shells."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import gegenflow
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.command.arguments import Choice

FIRST = (
    "gegenflow critical --dim 2 3 --degree 1:4 --layout wide",
    "gegenflow phase --dim 2 --beta 5 --tokens 2000",
    "gegenflow validate planted --dim 3 --beta 4",
)
"""A table, a prediction, a trial."""

EXAMPLES: Mapping[str, Mapping[str, str]] = {
    "derive": {
        "derive --dim 3": "every step, and whether it holds",
        "derive --model sa --noise 1/10 --format latex": "a page for pdflatex",
    },
    "growth": {
        "growth --dim 2 --beta 5 7 --degree 1:6": "a row for each rate",
        "growth --dim 3 --beta 1:5 --degree 1:4 --layout wide --out rates.tex": "as in a paper, into a file",
        "growth --dim 3 --degree 1:3 --kernel relu(t) --noise 0.1": "another weight, with noise",
    },
    "critical": {
        "critical --dim 2 3 8 --degree 1:8 --digits 30": "thirty digits, all proved",
        "critical --dim 2 3 8 --degree 1:5 --layout wide --format latex": "dims down, degrees across",
        "critical --dim 2 --noise 1 --between 0.1 10": "all boundaries under noise; degree 0 is the stable state",
    },
    "phase": {
        "phase --dim 2 --beta 5": "which degree wins, and from which beta to which",
        "phase --dim 2 --beta 5 --tokens 2000": "and how often from 2,000 uniform tokens",
        "phase --dim 2 --beta 1:9 --format csv": "a table over beta",
    },
    "simulate": {
        "simulate --dim 3 --beta 4 --tokens 5000 --time 2 --out run.npz": "follow tokens, and save the run",
        "simulate --start run.npz --time 3": "go on where that ended",
        "simulate --beta 4 --start tokens.npy": "your own tokens: what they hold, what they become",
    },
    "laws": {
        "laws": "names, costs, parameters",
        "laws --columns law statement --out laws.tex": "what they state, typeset",
    },
    "validate": {
        "validate --dim 2 4 --beta 3 --figure checks.png": "the central laws there, with a picture",
        "validate hitting --tokens 6 --beta 1": "one law, by the beginning of its name",
        "validate --start tokens.npy --beta 2": "what holds of any tokens, tried on yours",
    },
    "sweep": {
        "sweep planted --dim 2 3 --beta 1:5 --repeat 4 --out results": "a law over a grid, each point four times",
        "sweep --out results": "go on where an interrupt or a kill ended it",
        "sweep simulate --beta 1:3 --observe Energy --out energies --dry-run": "how many runs, and how long",
    },
    "rerun": {
        "rerun results --run 17": "one run again, compared bit for bit",
        "rerun results --run 17 --format json": "the same, for a script",
    },
    "report": {
        "report planted --dim 3 --beta 4 --out report.html": "a page to read, to print and to hand on",
        "report --beta 2 3 --out report.html": "the central laws at two beta",
        "report results --out study.html": "a study that sweep left, with maps, curves and failures",
    },
}
"""Command lines of each subcommand, and what they are for."""

SHELLS = ("bash", "zsh", "tcsh")


def epilog(name: str) -> str:
    """The examples of a subcommand, below its options.

    >>> print(epilog("laws"))
    examples:
      gegenflow laws
          names, costs, parameters
      gegenflow laws --columns law statement --out laws.tex
          what they state, typeset
    """
    examples = EXAMPLES.get(name, {})
    return "\n".join(["examples:", *(f"  gegenflow {line}\n      {what}" for line, what in examples.items())])


def overview(commands: Mapping[str, str]) -> str:
    """What is there and what to try first, of the names of subcommands and what they do.

    >>> print(overview({"laws": "list the laws"}).splitlines()[2])
      laws  list the laws
    """
    width = max(map(len, commands))
    listed = [f"  {name:<{width}}  {what}" for name, what in commands.items()]
    head = f"gegenflow {gegenflow.__version__}: attention as a flow of tokens on the sphere"
    foot = "gegenflow COMMAND -h shows the options of one, with examples"
    return "\n".join([head, "", *listed, "", "to begin with", *(f"  {line}" for line in FIRST), "", foot])


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script that completes a command line in a shell: names of subcommands, options, words, laws and files.

    Raises Refused where shtab, which writes it, is not installed.
    """
    try:
        import shtab
    except ImportError:
        raise Refused("shell", shell, "shtab writes it, which is not installed: pip install shtab") from None
    for action in _actions(parser):
        if isinstance(action.type, Choice):
            action.choices = action.type.words
        elif action.dest == "names":
            from gegenflow.numerics.validation.law import laws

            action.choices = [one.name for one in laws()]
        elif action.dest in ("out", "start", "figure"):
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell))


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    found = []
    for action in parser._actions:
        found.append(action)
        if isinstance(action, argparse._SubParsersAction):
            found += [inner for sub in action.choices.values() for inner in _actions(sub)]
    return found
