"""Pages for people: their fenced blocks, their examples and what they show of the console."""

import doctest
import re
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").glob("**/*.md"))
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
SLOW = ("simulate", "validate", "sweep", "report", "laws")


def fenced(page):
    """(language, text) of every fenced block."""
    return re.findall(r"^```(\S*)[^\n]*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def examples(page):
    """All >>> lines of a page, in order, as one session."""
    text = "\n\n".join(block for _, block in fenced(page) if ">>>" in block)
    return doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)


def consoles(page):
    """(arguments, what is shown) of each ``$ gegenflow ...`` of a quick subcommand that goes into no pipe or file."""
    for _, block in fenced(page):
        for command, shown in re.findall(r"^\$ gegenflow (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            if not (set("|>") & set(command) or command.startswith(SLOW)):
                yield command, shown


def printed(command, capsys):
    """What the console command prints, on either stream."""
    from gegenflow.numerics.validation.command.main import main

    with suppress(SystemExit):
        main(command.split())
    return "".join(capsys.readouterr())


def agrees(shown, got):
    """Whether a text is as shown, where blanks count as one and ... stands for anything."""
    return doctest.OutputChecker().check_output(shown.strip() + "\n", got.strip() + "\n", FLAGS)
