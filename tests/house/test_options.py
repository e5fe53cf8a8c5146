"""Every option of every subcommand with bad values, and every argument that a function refuses by name."""

import argparse
import ast
import inspect
import re
from pathlib import Path

import pytest

from gegenflow import numerics as nm
from gegenflow import theory as th
from gegenflow.numerics.validation.command.arguments import Choice, Exact, Real, Whole
from gegenflow.numerics.validation.command.main import command_line, main
from gegenflow.numerics.validation.command.options import OPTIONS, sentence

ROOT = Path(__file__).parents[2]
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
    "laws": "",
    "validate": "--dim 2 --runs 4 --tokens 100",
    "report": "--dim 2 --runs 4 --tokens 100 --out page.html",
    "sweep": "hitting --dry-run",
    "rerun": "folder --run 1",
}
BAD = ["", " ", "x", "nan", "inf", "-1", "1e999", "9" * 5000, "1:", ":1", "1:2:3:4"]
BAD += ["½", "１", "ｅｘｉｔ(0)", "1\n2", "None"]
TAKEN = {
    "--beta": {"growth": {"1e999"}},
    "--noise": {"growth": {"1e999"}, "phase": {"1e999"}, "derive": {"1e999"}},
    "--between": {"critical": {"1e999"}},
    "--kernel": {
        name: {"nan", "-1", "1e999", "9" * 5000, "x"}
        for name in ("growth", "phase", "simulate", "critical", "validate", "derive", "report", "sweep")
    },
    "--out": dict.fromkeys(
        ("simulate", "growth", "critical", "phase", "laws", "validate", "sweep"), {*BAD} - {"", "9" * 5000}
    ),
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
FLAGS = {"--all", "--help", "--normalize", "--estimate-error", "--scaled", "--mpi", "--retry", "--dry-run"}


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
    """No name that only Python knows: no snake_case but that of an activation, no keyword=, no module, no exception."""
    shown = err.replace("leaky_relu", "")
    assert not re.search(r"[a-z]_[a-z]|\w=\w|\b(numerics|theory|np|nm|th)\.|Error|Errno|Traceback|None|True", shown), (
        err
    )


@pytest.mark.parametrize(("name", "option", "value"), WALK)
def test_every_option_refuses_what_it_cannot_take(name, option, value, capsys):
    """Exit status 2, nothing on standard output, one line with the option as it is typed and no name of Python."""
    line = LINES[name].replace("--beta 1", "") if option == "--kernel" else LINES[name]
    words = [name, *line.split(), option, *[value] * (2 if option == "--between" else 1)]
    err = refused(words, capsys)
    assert option in err
    told = err.partition(": choose from ")[0] if option == "--columns" else err
    assert_no_python(told.replace(value, ""))


WHOLE = {
    (name, action.option_strings[0]): getattr(action.type, "__self__", action.type)
    for name, sub in SUBCOMMANDS.items()
    for action in sub._actions
    if isinstance(getattr(action.type, "__self__", action.type), Whole)
}


@pytest.mark.parametrize("which", WHOLE)
def test_bounds_are_included_and_nothing_beyond_is(which, capsys):
    """Of every whole number: both ends are taken, the next ones refused, with the bounds in the message."""
    name, option = which
    whole = WHOLE[which]
    assert [whole(str(end)) for end in (whole.least, whole.most)] == [whole.least, whole.most]
    for beyond in (whole.least - 1, whole.most + 1):
        err = refused([name, *LINES[name].split(), option, str(beyond)], capsys)
        assert f"{option} {beyond}: " in err
        assert f"from {whole}" in err


WORDS = {
    "--start",
    "--out",
    "--figure",
    "--kernel",
    "--columns",
    "--caption",
    "--label",
    "--observe",
    "--budget",
    "--dask",
}
NUMBERS = [
    (name, action.option_strings[0], action)
    for name, sub in SUBCOMMANDS.items()
    for action in sub._actions
    if action.option_strings and action.option_strings[0] not in WORDS
    if not (action.nargs == 0 or isinstance(action.type, Choice))
]


@pytest.mark.parametrize(("name", "option", "action"), NUMBERS, ids=lambda value: str(value)[:20])
def test_every_number_has_a_bound_in_the_help_and_in_the_refusal(name, option, action, capsys):
    """Whatever is no word, file or formula: the same words in both places, of what the option takes."""
    kind = getattr(action.type, "__self__", action.type)
    assert isinstance(kind, Exact | Real | Whole)
    assert re.search(r"\d", str(kind))
    assert str(kind) in action.help
    words = [name, *LINES[name].split(), option, *["-3"] * (2 if option == "--between" else 1)]
    assert str(kind) in refused(words, capsys)


def test_the_walk_goes_everywhere():
    """Every option of the parser but flags is walked; none of the excused values is of an option that went."""
    options = {option for sub in SUBCOMMANDS.values() for action in sub._actions for option in action.option_strings}
    assert {option for _, option, _ in WALK} | FLAGS | {"-h"} == options
    assert set(OPTIONS.values()) | {"--out", "--figure", "--time", "--layout"} | FLAGS | {"-h"} == options
    assert set(TAKEN) <= options


COMBINED = [
    ("simulate --beta 1 --noise 1 --merge 1e-11", "--merge"),
    ("simulate --beta 1 --noise 1 --rtol 1e-3", "--rtol"),
    ("simulate --beta 1 --noise 1 --estimate-error", "--estimate-error"),
    ("simulate --beta 1 --noise 1e300", "--time"),
    ("simulate --beta 20 --noise 1 --tokens 10", "--time"),
    ("simulate --beta 1 --merge 1", "--merge"),
    ("simulate --beta 1 --merge 1e-11 --tokens 6000", "--merge"),
    ("simulate --kernel tanh(t) --merge 1e-11", "--merge"),
    ("simulate --beta 1 --rtol 1e-13 --estimate-error", "--estimate-error"),
    ("simulate --beta 1 --dim 4 --method circle", "--method"),
    ("simulate --kernel exp(1000*t) --tokens 9", "--kernel"),
    ("simulate --beta 701 --tokens 9", "--beta"),
    ("simulate --beta 1 --normalize", "--normalize"),
    ("simulate --kernel tanh(t) --scaled", "--scaled"),
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


# every name by which a function may refuse has an option, or a reason why it cannot come up

EXPLAINED = {
    "what the command derives from its options": {"atol", "kappa", "coefficients", "flow"},
    "what the command never gives, so that the default is not refused": {
        *(
            "angle",
            "ax",
            "checkpoint",
            "coherence",
            "every",
            "first_step",
            "max_bytes",
            "min_mass",
            "order",
            "parameter",
        ),
        *("progress", "quantity", "radii", "record_when", "remainder", "save_at", "step", "stop_when", "t_start"),
        *("tail", "threads", "track", "weights"),
    },
    "parts of a flow that the command has no option for": {
        *("query_key", "value", "layer_norm", "heads", "causal", "random_layers", "decay", "own", "activation"),
        *("values",),
    },
    "what the command makes itself": {"across", "down", "checks", "rows", "facts", "report", "everything", "executor"},
    "what mpiexec says": {"comm"},
    "the names of laws, which stand without an option": {"name"},
    "the formula of a kernel, refused as the kernel": {"weight"},
    "arguments of neighbours of what is called, in the same file": {
        *("density", "large", "offset", "power", "probability", "time", "values"),
    },
}
KNOWN = set(OPTIONS).union(*EXPLAINED.values())
SIDES = {"nm": nm, "th": th}


def called():
    """Every function or class of the two sides that the sources of the command name, by its dotted name."""
    found = {}
    for path in sorted(COMMAND.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                root, *names = ast.unparse(node.func).split(".")
                thing = SIDES.get(root)
                for name in names if thing else ():
                    thing = getattr(thing, name, None)
                if names and callable(thing):
                    found[ast.unparse(node.func)] = thing
    return found


def test_the_command_calls_what_is_looked_at():
    """The main functions are among those that are found."""
    assert {"nm.simulate", "nm.validate", "nm.Flow", "th.phase", "th.finite_tokens.selection_law"} <= set(called())


@pytest.mark.parametrize("name", called())
def test_every_argument_of_what_is_called_has_an_option(name):
    """By its signature."""
    thing = called()[name]
    try:
        parameters = inspect.signature(thing).parameters.values()
    except ValueError:
        return
    named = {p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    assert named <= KNOWN, named - KNOWN


def refusals():
    """(file, name) of every refusal written in a file that defines what the command calls, or the shared checks."""
    files = {inspect.getsourcefile(thing) for thing in called().values()}
    files |= {str(ROOT / "theory/exact/arguments.py"), str(ROOT / "numerics/tokens/arguments.py")}
    files |= {str(ROOT / f"numerics/{name}.py") for name in ("flows/flow", "flows/weights", "fields/method")}
    files |= {str(path) for path in (ROOT / "theory/phases").glob("*.py")}
    for file in sorted(files):
        for node in ast.walk(ast.parse(Path(file).read_text())):
            name = node.args[0] if isinstance(node, ast.Call) and node.args else None
            if ast.unparse(getattr(node, "func", ast.Constant(0))) == "Refused" and isinstance(name, ast.Constant):
                yield Path(file).name, name.value


@pytest.mark.parametrize(("file", "name"), sorted(set(refusals())))
def test_every_name_of_a_refusal_has_an_option(file, name):
    """By the sources: what a function may refuse, the command can tell in its own words."""
    assert name in KNOWN


def test_a_refusal_is_printed_from_its_fields():
    """The option in the place of the argument, whatever the sentence holds; others keep their name."""
    for side in (nm.Refused, th.Refused):
        assert (
            sentence(side("t_end", -1, "t_end must not be t_end")) == "gegenflow: --time -1: t_end must not be t_end\n"
        )
        assert sentence(side("max_degree", None, "it is needed")) == "gegenflow: --max-degree: it is needed\n"
        assert sentence(side("unheard_of", 3, "no")) == "gegenflow: unheard_of 3: no\n"
    assert sentence(ValueError("t_end is\nthree")) == "gegenflow: t_end is three\n"
