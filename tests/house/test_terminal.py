"""What surrounds the command: closed streams, full disks, interrupts, files that cannot be, optimised Python."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import gegenflow
from gegenflow import numerics as nm
from gegenflow.numerics.validation.command.main import command_line, main

COMMAND = Path(sys.executable).with_name("gegenflow")
QUICK = "critical --dim 2 --degree 1 --digits 5"
OF_LAWS = ("validate", "report", "sweep")
"""Subcommands whose options are parameters of laws, which have bounds of their own."""


def shell(line, **options):
    """The exit status, standard output and standard error of a line of the shell that calls the command."""
    done = subprocess.run(["sh", "-c", f"{COMMAND} {line}"], capture_output=True, text=True, timeout=100, **options)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def assert_one_line(err, *parts):
    assert re.fullmatch(r"gegenflow: [^\n]+\n", err)
    assert all(part in err for part in parts)


def test_closed_streams_bring_no_traceback():
    """Without standard output nothing is worked out; without standard error the status says it all."""
    status, _, err = shell(f"{QUICK} >&-")
    assert status == 2
    assert_one_line(err, "standard output is closed")
    status, out, _ = shell(f"{QUICK} 2>&-")
    assert (status, out.split()[-2]) == (0, "1.0445")
    assert shell("critical --dim 1 --degree 1 2>&-") == (2, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_a_full_disk_is_told_in_one_line():
    """The table could not be printed: the work was cut short."""
    status, _, err = shell(f"{QUICK} >/dev/full")
    assert status == 1
    assert_one_line(err, "standard output: No space left on device")


def test_an_interrupt_of_the_imports_is_one_of_the_command():
    """Ctrl-C while the command itself is being imported: status 1 and one line."""
    code = """
import sys
class Impatient:
    def find_spec(self, name, path=None, target=None):
        if name == "gegenflow.numerics":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Impatient())
from gegenflow.__main__ import main
sys.exit(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "gegenflow: interrupted\n")


@pytest.mark.parametrize("where", ["validation.command.main.command_line", "validation.command.derive.run"])
def test_an_interrupt_of_the_arguments_or_the_work_is_one_line(where, monkeypatch, capsys):
    """Ctrl-C while the command line is read, and while a command works: status 1, no traceback."""

    def impatient(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"gegenflow.numerics.{where}", impatient)
    assert main(["derive", "--dim", "3"]) == 1
    assert capsys.readouterr() == ("", "gegenflow: interrupted\n")


THEORY_ALONE = ("derive --dim 3", "growth --dim 3 --degree 1 --beta 5", "critical --dim 2 --degree 1")


@pytest.mark.parametrize("words", THEORY_ALONE)
def test_what_needs_the_theory_alone_loads_no_compiler(words):
    """Nor statistics, laws or pictures: they take longer than the answer."""
    code = "import sys; from gegenflow.__main__ import main; status = main(); print(*sys.modules); sys.exit(status)"
    done = subprocess.run([sys.executable, "-c", code, *words.split()], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "gegenflow.theory.growth" in loaded
    assert not loaded & {"numba", "scipy.stats", "matplotlib", "gegenflow.numerics.validation.law"}


def test_an_interrupt_in_the_compiler_is_not_swallowed(saved):
    """SIGINT while what the tokens hold is compiled, from an empty cache: LLVM drops exceptions of its callers."""
    np.save(saved, nm.uniform(9, 2, rng=0))
    words = f"simulate --beta 1 --start {saved}.npy --time 0".split()
    with tempfile.TemporaryDirectory() as empty:
        places = os.environ | {"NUMBA_CACHE_DIR": empty}
        run = [sys.executable, "-c", COMPILING, *words]
        done = subprocess.run(run, capture_output=True, text=True, timeout=200, env=places)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "gegenflow: interrupted\n")


COMPILING = """
import signal, sys
from numba.core import event
signal.signal(signal.SIGINT, signal.default_int_handler)
class Impatient(event.Listener):
    def on_start(self, event):
        signal.raise_signal(signal.SIGINT)
    def on_end(self, event):
        pass
from gegenflow.__main__ import main
with event.install_listener("numba:llvm_lock", Impatient()):
    sys.exit(main())
"""


LONG = {
    "derive --dim 3": "deriving the rate and verifying every step ...",
    "growth --dim 2 --degree 1 --beta 1": "working out the rows; Ctrl-C prints those that are there ...",
    "critical --dim 2 --degree 1": "working out the rows; Ctrl-C prints those that are there ...",
    "phase --dim 2 --beta 1": "comparing the degrees ...",
    "phase --dim 2 --beta 1 2": "working out the rows; Ctrl-C prints those that are there ...",
    "simulate --beta 1 --tokens 9 --time 0": "drawing the tokens ...",
    "simulate --beta 1 --tokens 9 --time 0.0": "energy and clusters at the end ...",
}


@pytest.mark.parametrize("line", LONG)
def test_long_work_says_on_a_terminal_what_it_is(line, monkeypatch, capsys):
    """With no patience at all: the sentence of the work; with some, and where it is no terminal, none."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("gegenflow.numerics.validation.command.output.PATIENCE", 100.0)
    assert main(line.split()) == 0
    assert "..." not in capsys.readouterr().err
    monkeypatch.setattr("gegenflow.numerics.validation.command.output.PATIENCE", 0.0)
    monkeypatch.setattr("gegenflow.numerics.validation.command.output.Timer", AtOnce)
    assert main(line.split()) == 0
    assert f"gegenflow: {LONG[line]}\n" in capsys.readouterr().err
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    assert main(line.split()) == 0
    assert capsys.readouterr().err == ""


class AtOnce:
    """A timer that does not wait."""

    def __init__(self, seconds, tell):
        assert seconds == 0
        self.start = tell

    def cancel(self):
        """Too late."""


def test_versions_agree():
    """Of the package, of the command and of the module."""
    wanted = f"gegenflow {gegenflow.__version__}\n"
    assert shell("--version") == (0, wanted, "")
    module = subprocess.run([sys.executable, "-m", "gegenflow", "--version"], capture_output=True, text=True)
    assert module.stdout == wanted


def test_help_does_not_live_in_docstrings():
    """Optimised Python, which drops them, prints the same help."""
    code = "import sys; from contextlib import suppress; from gegenflow.__main__ import main\n"
    for words in (["--help"], ["growth", "--help"], ["derive", "--help"]):
        code += f"sys.argv[1:] = {words}\nwith suppress(SystemExit): main()\n"
    plain, optimised = (
        subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True).stdout
        for flags in ([], ["-OO"])
    )
    assert plain == optimised
    assert plain.count("usage: gegenflow") == 3


def test_help_says_what_every_option_takes():
    """A sentence for each; bounds where there are some: digits, degrees, dims, tokens, seeds."""
    (commands,) = (action for action in command_line()._actions if action.dest == "command")
    bounds = {"--digits": "1 to 100,000", "--degree": "1 to 1,000,000", "--dim": "2 to 1,000,000", "--rng": "0 to"}
    bounds |= {"--max-degree": "1 to 1,000,000", "--tokens": " to ", "--runs": "4 to 1,000,000"}
    bounds |= {"--rtol": ">= 1e-13 and < 1", "--beta": "1e-1000 to 1e1000"}
    for name, sub in commands.choices.items():
        assert sub.description, name
        for action in sub._actions:
            option = (action.option_strings or [action.dest])[0]
            assert action.help, (name, option)
            if name not in OF_LAWS or option not in ("--degree", "--dim", "--rtol"):
                assert bounds.get(option, "") in action.help, (name, option)


@pytest.mark.parametrize("line", ["simulate --beta 1 --start", "simulate --beta 1 --out", "validate --figure"])
def test_names_too_long_for_a_file_are_refused(line, capsys, tmp_path):
    """Three hundred characters, before any work."""
    with pytest.raises(SystemExit) as stop:
        raise SystemExit(main([*line.split(), str(tmp_path / ("x" * 296 + ".png"))]))
    out, err = capsys.readouterr()
    assert (stop.value.code, out) == (2, "")
    assert_one_line(err, line.split()[-1])


@pytest.fixture
def saved(tmp_path):
    """A run in a file."""
    path = tmp_path / "run.npz"
    nm.simulate(nm.uniform(9, 2, rng=0), beta=1, t_end=0.01).save(path)
    return path


def test_cut_and_changed_files_are_refused(saved, capsys):
    """A run of which only a part came, or of which a byte was changed: one line, whatever is missing."""
    whole, rng = saved.read_bytes(), np.random.default_rng(0)
    for cut in [0, 1, 2, 4, 30, len(whole) // 2, len(whole) - 1, *rng.integers(len(whole), size=20)]:
        saved.write_bytes(whole[:cut])
        assert main(["simulate", "--beta", "1", "--time", "0", "--start", str(saved)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert_one_line(err, "--start", str(saved)[:40])


def test_a_density_is_no_start(saved, capsys):
    """Its file is read, and told apart from that of tokens."""
    nm.solve_density(lambda angle: 1 + 0.1 * np.cos(angle), beta=1, t_end=0.01).save(saved)
    assert main(["simulate", "--beta", "1", "--start", str(saved)]) == 2
    assert_one_line(capsys.readouterr().err, "--start", "density")


def full(*_, **__):
    raise OSError(28, os.strerror(28), "nowhere")


def test_a_result_is_printed_before_it_is_saved(monkeypatch, capsys, saved):
    """A disk that is full: everything is on standard output, the old file stands, the status is 1."""
    before = saved.read_bytes()
    monkeypatch.setattr("gegenflow.numerics.runs.archives.np.savez_compressed", full)
    line = f"simulate --beta 1 --tokens 9 --time 0.01 --format json --out {saved}"
    assert main(line.split()) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["ok"] is True
    assert_one_line(err, "--out", str(saved)[:40], "No space left on device")
    assert saved.read_bytes() == before
    assert [*saved.parent.iterdir()] == [saved]


@pytest.mark.parametrize("form", ["text", "csv", "json", "latex"])
def test_a_table_is_written_as_it_is_printed(form, capsys, tmp_path):
    """The same bytes, over an old file too."""
    path = tmp_path / "table"
    path.write_bytes(b"old" * 1000)
    assert main(f"{QUICK} --format {form} --out {path}".split()) == 0
    assert path.read_text() == capsys.readouterr().out
    assert [*tmp_path.iterdir()] == [path]


def test_a_figure_is_written_whole_or_not_at_all(monkeypatch, capsys, tmp_path):
    """As the run: printed first, and the old picture stands."""
    path = tmp_path / "checks.png"
    path.write_bytes(b"old")
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    assert main(f"validate --dim 2 --model sa --beta 1 --tokens 500 --runs 4 --figure {path}".split()) == 1
    out, err = capsys.readouterr()
    assert "planted modes" in out
    assert_one_line(err, "--figure", "No space left on device")
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == b"old"


def test_a_reader_that_leaves_does_not_lose_the_file(saved):
    """``gegenflow simulate ... --out run.npz | true``: the run is saved all the same, without a word."""
    saved.unlink()
    status, _, err = shell(f"simulate --beta 1 --tokens 9 --time 0.01 --out {saved} | true")
    assert (status, err) == (0, "")
    assert len(nm.load(saved).tokens) == 9


def test_an_interrupted_run_is_printed_and_saved(saved):
    """SIGINT in the middle of a long run: status 1, one JSON object that says how far it came, and a file of it."""
    words = f"simulate --beta 1 --noise 1 --tokens 50 --time 1e5 --format json --out {saved}".split()
    run = subprocess.run([sys.executable, "-c", INTERRUPTED, *words], capture_output=True, text=True, timeout=200)
    assert (run.returncode, "Traceback" in run.stderr) == (1, False)
    facts = json.loads(run.stdout)
    assert facts["ok"] is False
    assert facts["status"].startswith("interrupted at t = ")
    assert str(nm.load(saved).status) == facts["status"]


INTERRUPTED = """
import signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
from gegenflow import numerics as nm
simulate = nm.simulate
simulate(nm.uniform(50, 2, rng=0), beta=1, noise=1, t_end=0.01, rng=0)  # all is compiled
def watched(*args, **kwargs):
    threading.Timer(0.5, signal.raise_signal, [signal.SIGINT]).start()
    return simulate(*args, **kwargs)
nm.simulate = watched
from gegenflow.__main__ import main
sys.exit(main())
"""
