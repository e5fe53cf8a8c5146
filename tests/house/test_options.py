"""Every option of every subcommand with bad values, and every argument that a function refuses by name."""

import argparse
import re
from pathlib import Path

import pytest

import gegenflow
from gegenflow.numerics.validation.command.main import command_line, main
from gegenflow.numerics.validation.command.options import OPTIONS

ROOT = Path(gegenflow.__file__).parents[2]
COMMAND = ROOT / "numerics/validation/command"

SUBCOMMANDS = next(
    action.choices for action in command_line()._actions if isinstance(action, argparse._SubParsersAction)
)
LINES = {
    "derive": "",
    "growth": "--dim 2 --degree 1 --beta 1",
    "critical": "--dim 2 --degree 1",
    "phase": "--dim 2 --beta 1",
    "simulate": "--beta 1 --tokens 5 --time 0",
    "validate": "--dim 2 --runs 4 --tokens 100",
}
BAD = ["", " ", "x", "nan", "inf", "-1", "1e999", "9" * 5000, "1:", ":1", "1:2:3:4"]
BAD += ["½", "１", "ｅｘｉｔ(0)", "1\n2", "None"]
TAKEN = {
    "--beta": {"growth": {"1e999"}},
    "--noise": {"growth": {"1e999"}, "phase": {"1e999"}},
    "--between": {"critical": {"1e999"}},
    "--kernel": {name: {"nan", "-1", "1e999", "9" * 5000, "x"} for name in ("growth", "phase", "simulate", "critical")},
    "--out": {"simulate": {*BAD} - {"", "9" * 5000}},
}
"""Values that are good ones for an option of a subcommand, or that another test has: formulas, names of files."""

WALK = [
    (name, action.option_strings[0], value)
    for name, sub in SUBCOMMANDS.items()
    for action in sub._actions
    if action.option_strings and action.nargs != 0
    for value in BAD
    if value not in TAKEN.get(action.option_strings[0], {}).get(name, set())
]
FLAGS = {"--help", "--normalize", "--estimate-error"}


def refused(words, capsys):
    """The one line that refuses a command line, less the words that were typed."""
    with pytest.raises(SystemExit) as stop:
        raise SystemExit(main(words))
    out, err = capsys.readouterr()
    assert (stop.value.code, out) == (2, "")
    assert re.fullmatch(r"gegenflow: [^\n]+\n", err)
    assert len(err) < 400
    return err


def assert_no_python(err):
    """No name that only Python knows: no snake_case, no keyword=, no module, no exception."""
    assert not re.search(r"[a-z]_[a-z]|\w=\w|\b(numerics|theory|np|nm|th)\.|Error|Errno|Traceback|None|True", err), err


@pytest.mark.parametrize(("name", "option", "value"), WALK)
def test_every_option_refuses_what_it_cannot_take(name, option, value, capsys):
    """Exit status 2, nothing on standard output, one line with the option as it is typed and no name of Python."""
    line = LINES[name].replace("--beta 1", "") if option == "--kernel" else LINES[name]
    words = [name, *line.split(), option, *[value] * (2 if option == "--between" else 1)]
    err = refused(words, capsys)
    assert option in err
    assert_no_python(err.replace(value, ""))


def test_the_walk_goes_everywhere():
    """Every option of the parser but flags is walked; none of the excused values is of an option that went."""
    options = {option for sub in SUBCOMMANDS.values() for action in sub._actions for option in action.option_strings}
    assert {option for _, option, _ in WALK} | FLAGS | {"-h"} == options
    assert set(OPTIONS.values()) | {"--out", "--figure", "--time"} | FLAGS | {"-h"} == options
    assert set(TAKEN) <= options


COMBINED = [
    ("simulate --beta 1 --noise 1 --merge 1e-11", "--merge"),
    ("simulate --beta 1 --rtol 1e-13 --estimate-error", "--estimate-error"),
    ("simulate --beta 1 --dim 4 --method circle", "--method"),
    ("simulate --kernel exp(1000*t) --tokens 9", "--kernel"),
    ("simulate --beta 701 --tokens 9", "--beta"),
    ("simulate --beta 1 --normalize", "--normalize"),
    ("validate --dim 2 --beta 701", "--beta"),
    ("phase --dim 2 --beta 1e999", "--beta"),
    ("phase --dim 3 --kernel tanh(t) --tokens 1000", "--max-degree"),
    ("growth --dim 2 --degree 1 --kernel 1/t", "--kernel"),
    ("critical --dim 2 --noise 1 --between 5 5", "--between"),
    ("critical --dim 2 --degree 3 --max-degree 3", "--max-degree"),
]


@pytest.mark.parametrize(("line", "option"), COMBINED)
def test_options_that_do_not_go_together_are_refused(line, option, capsys):
    """What only a function can tell is printed with the option in the place of its argument."""
    err = refused(line.split(), capsys)
    assert option in err
    assert_no_python(err)
