"""The console command: contract of every subcommand and format, and one clear line for every bad input."""

import argparse
import csv
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import mpmath
import numpy as np
import pytest
from support.embeddings import embeddings

import gegenflow
from gegenflow import numerics as nm
from gegenflow import theory as th
from gegenflow.numerics.validation.command.main import command_line, main

COMMAND = Path(sys.executable).with_name("gegenflow")
SMALL = "--dim 2 --beta 3 --tokens 4000 --runs 16 --model sa"
BETA_60 = "5.0000000000000000000000000000000000000000000000000000000001"


@pytest.fixture
def call(capsys):
    """Runs a command line in this process: exit status, standard output, standard error."""

    def run(line, *words):
        try:
            status = main([*line.split(), *words])
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def facts(call):
    """Runs a command line that must succeed and print one JSON object, in strict JSON, and nothing else."""

    def run(line, *words):
        status, out, _ = call(line + " --format json", *words)
        assert status == 0
        return strict(out)

    return run


def strict(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    answer = json.loads(text, parse_constant=refuse)
    assert isinstance(answer, dict)
    return answer


@pytest.fixture
def starts(tmp_path):
    """Files that hold good and bad tokens."""
    angle = 2 * np.pi * (np.arange(40) % 2) + 1e-3 * np.arange(40)
    arrays = {
        "good": np.column_stack([np.cos(angle), np.sin(angle)]),
        "long": np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 4.0]]),
        "unknown": np.array([[1.0, 0.0], [np.nan, 0.0]]),
        "null": np.array([[1.0, 0.0], [0.0, 0.0]]),
        "flat": np.ones((5, 1)),
        "none": np.zeros((0, 3)),
        "complex": np.eye(2) * 1j,
        "cube": np.eye(3),
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "archive.npz", tokens=np.eye(2), weights=np.ones(2) / 2)
    (tmp_path / "text.npy").write_text("1 0\n0 1\n")
    (tmp_path / "empty.npy").touch()
    return tmp_path


# what the commands print


def test_critical_prints_certified_decimals(facts):
    """Twenty-nine digits of the boundary against mpmath's root of k^2 I_k = (k+1)^2 I_{k+1}; keys of the contract."""
    rows = facts("critical --dim 2 3 --degree 1:3 8 --digits 29")["rows"]
    assert [(row["dim"], row["degree"]) for row in rows] == [(d, k) for d in (2, 3) for k in (1, 2, 3, 8)]
    mpmath.mp.dps = 45
    for row in rows:
        assert set(row) == {"dim", "degree", "beta", "error"}
        assert isinstance(row["beta"], str)
        assert isinstance(row["error"], str)
        d, k = row["dim"], row["degree"]

        def gap(b, d=d, k=k):
            low, high = (mpmath.besseli(n + mpmath.mpf(d) / 2 - 1, b) for n in (k, k + 1))
            return k * (k + d - 2) * low - (k + 1) * (k + d - 1) * high

        exact = mpmath.findroot(gap, mpmath.mpf(row["beta"]))
        assert abs(exact - mpmath.mpf(row["beta"])) <= mpmath.mpf(row["error"]) * (1 + mpmath.mpf(10) ** -8)
        assert len(row["beta"].replace(".", "")) == 29
        assert Decimal(row["error"]) < Decimal(row["beta"]) * Decimal("1e-28")


def test_growth_prints_the_rate_of_three_clusters(facts, call):
    """18.5960703 for dim 2, beta 5, degree 3 (formulas of the paper), and the other rates of formulas.md."""
    rows = facts("growth --dim 2 --beta 5 --degree 1:5 --model usa --digits 15")["rows"]
    assert [set(row) for row in rows] == [{"dim", "degree", "beta", "model", "rate", "error"}] * 5
    assert [f"{float(row['rate']):.3f}" for row in rows] == ["4.867", "14.004", "18.596", "16.346", "10.790"]
    assert all(isinstance(row["rate"], str) and isinstance(row["error"], str) for row in rows)
    assert rows[2]["rate"].startswith("18.5960703")
    assert "18.5960703" in call("growth --dim 2 --degree 3 --beta 5")[1]


def test_beta_of_sixty_digits_is_kept_exactly(facts):
    """Seventy digits of the rate at 5 + 1e-58 against mpmath; a float would give the rate at 5."""
    row = facts(f"growth --dim 2 --degree 3 --beta {BETA_60} --digits 70")["rows"][0]
    assert row["beta"] == BETA_60
    mpmath.mp.dps = 90
    beta = mpmath.mpf(BETA_60)
    exact = 9 * mpmath.besseli(3, beta) / beta
    assert abs(mpmath.mpf(row["rate"]) - exact) <= mpmath.mpf(row["error"]) < mpmath.mpf(10) ** -66
    at_five = facts("growth --dim 2 --degree 3 --beta 5 --digits 70")["rows"][0]["rate"]
    assert at_five[:58] == row["rate"][:58]
    assert at_five != row["rate"]
    assert facts(f"phase --dim 2 --beta {BETA_60}")["beta"] == BETA_60


@pytest.mark.parametrize(
    "line",
    [
        "critical --dim 2:4 --degree 1:3",
        "growth --dim 3 40 --degree 1 2 30 --beta 1/3",
        "growth --dim 2 --degree 1 --beta 0",
    ],
)
def test_every_table_format_holds_the_same_rows(call, facts, line):
    """Text, CSV, Markdown and LaTeX parsed back cell by cell against JSON; what they hold is a comment or a column."""
    whole = facts(line)
    rows = [{name: str(cell) for name, cell in row.items()} for row in whole.pop("rows")]
    assert set(whole) == {"version", "model", "kernel", "noise", "digits"}

    def read(form, before="", after=""):
        status, out, err = call(f"{line} --format {form}")
        assert (status, err) == (0, "")
        lines = out.rstrip("\n").splitlines()
        held, lines = (lines[: len(whole)], lines[len(whole) :]) if before else ([], lines)
        assert held == [f"{before}{name}: {value}{after}" for name, value in whole.items() if before]
        return "\n".join(lines)

    told = {name: str(value) for name, value in whole.items()}
    assert [*csv.DictReader(io.StringIO(read("csv")))] == [told | row for row in rows]
    head, rule, *body = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in read("markdown", "<!-- ", " -->").splitlines()
    )
    assert set(rule) == {"---"}
    assert [dict(zip(head, cells, strict=True)) for cells in body] == rows
    head, *body = (re.split(r"  +", line) for line in read("text").splitlines())
    assert [dict(zip(head, cells, strict=True)) for cells in body] == rows
    packages, begin, top, head, rule, *body, bottom, end = read("latex", "% ").splitlines()
    assert (packages, begin[:15], end) == (r"% \usepackage{booktabs}", r"\begin{tabular}", r"\end{tabular}")
    assert (top, rule, bottom) == (r"\toprule", r"\midrule", r"\bottomrule")
    assert len(head.split(" & ")) == len(rows[0])
    plain = [re.sub(r" \\cdot 10\^\{(-?\d+)\}", r"e\1", line.removesuffix(r" \\")).replace("$", "") for line in body]
    for line, row in zip(plain, rows, strict=True):
        for cell, wanted in zip(re.sub(r"\\phantom\{[-0]+\}", "", line).split(" & "), row.values(), strict=True):
            assert cell.lower() == wanted.replace("e+", "e")


SAME = [
    "critical --dim 2 --degree 1:2 --digits 6",
    "growth --dim 2 3 --degree 1 --beta 1 --layout wide --digits 6",
    "phase --dim 2 --beta 5",
    "phase --dim 2 --beta 5 6",
    "laws",
]


@pytest.mark.parametrize("line", SAME)
def test_a_file_takes_its_format_from_its_name(call, tmp_path, line):
    """What --format of that kind prints; the terminal has its own."""
    text = call(line)[1]
    for suffix, form in {"csv": "csv", "md": "markdown", "tex": "latex", "json": "json", "TXT": "text"}.items():
        path = tmp_path / f"table.{suffix}"
        assert call(f"{line} --out {path}")[1] == text
        assert path.read_text() == call(f"{line} --format {form}")[1]
        call(f"{line} --format markdown --out {path}")
        assert path.read_text() == call(f"{line} --format {form}")[1]


def test_columns_are_chosen_and_ordered(call, facts):
    """In every format, the layout before the choice; an unknown one is refused with the nearest."""
    line = "critical --dim 2 3 --degree 1:2 --digits 5"
    assert call(f"{line} --columns beta dim --format csv")[1].startswith("beta,dim,version,")
    assert [*facts(f"{line} --columns beta")["rows"][0]] == ["beta"]
    assert call(f"{line} --layout wide --columns beta_2 dim")[1].split()[:2] == ["beta_2", "dim"]
    status, out, err = call(f"{line} --columns eror")
    assert (status, out) == (2, "")
    assert err.startswith("gegenflow: --columns eror: did you mean error?")
    assert call("phase --dim 2 --beta 5 --columns rate degree")[1].split()[:2] == ["rate", "degree"]
    assert call("laws --columns statement --format csv")[1].startswith("statement,version")


def test_a_caption_that_nothing_shows_is_refused(call, tmp_path):
    """It goes with LaTeX and Markdown, of the terminal or of the file; a label with LaTeX."""
    line = "critical --dim 2 --degree 1"
    for option in ("--caption", "--label"):
        status, out, err = call(f"{line} {option} x --out {tmp_path}/table.csv")
        assert (status, out, err.split(":")[1]) == (2, "", f" {option} x")
    for more in ("--format latex", f"--out {tmp_path}/table.tex"):
        assert call(f"{line} --caption x --label y {more}")[0] == 0
    assert r"\caption{x}" in (tmp_path / "table.tex").read_text()
    assert call(f"{line} --caption x --format markdown")[1].endswith("Table: x\n")


def test_growth_takes_many_temperatures(facts):
    """Lists, ranges and steps, each kept exactly: the rates of one call are those of a call each."""
    rows = facts("growth --dim 2 3 --degree 1:2 --beta 5 1:2 0.5:1:0.25 --digits 9")["rows"]
    betas = ["5", "1", "2", "0.50", "0.75", "1.00"]
    keys = [(row["dim"], row["beta"], row["degree"]) for row in rows]
    assert keys == [(dim, beta, degree) for dim in (2, 3) for beta in betas for degree in (1, 2)]
    for beta in betas:
        alone = facts(f"growth --dim 2 3 --degree 1:2 --digits 9 --beta {beta}")["rows"]
        assert alone == [row for row in rows if row["beta"] == beta]


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("growth --dim 2 --degree 1 --kernel relu(t) --noise 0.5 --digits 7", {"kernel": "relu(t)", "digits": 7}),
        ("critical --dim 2 --noise 0.5 --between 1 3 --digits 7", {"between": "1 to 3", "digits": 7}),
        ("phase --dim 2 --beta 5 --noise 0.5 --digits 7", {"digits": 7, "beta": "5"}),
        ("simulate --beta 1 --noise 0.5 --tokens 9 --time 0.01 --rng 3", {"rng": 3, "start": None, "tokens": 9}),
        ("simulate --kernel relu(t) --noise 0.5 --tokens 9 --time 0.01", {"kernel": "relu(t)", "normalize": False}),
    ],
)
def test_every_object_says_what_it_holds(facts, line, more):
    """Version, model, kernel and noise as typed, and what else decided the result."""
    answer = facts(line)
    held = {"version": gegenflow.__version__, "model": "usa", "kernel": "exp(beta*t)", "noise": "0.5"} | more
    assert {name: answer[name] for name in held} == held


def test_simulate_says_how_exactly_it_went(facts):
    """The tolerances, the order and the method of a run without noise."""
    answer = facts("simulate --beta 1 --tokens 9 --time 0.01 --rtol 1e-6")
    wanted = {"rtol": 1e-6, "atol": 1e-8, "order": 8, "method": "dense", "merge": None, "noise": "0"}
    assert {name: answer[name] for name in wanted} == wanted


def test_phase_says_which_degrees_were_compared(call, facts):
    """Of tanh on S^2 degree 2 grows: up to degree 1 nothing is said of it; no beta is told where there is none."""
    text = call("phase --dim 3 --kernel tanh(t) --max-degree 1")[1]
    assert text.splitlines()[1:] == ["none of degrees 1 to 1 grows; no higher one was looked at"]
    assert "degree 2 grows fastest of degrees 1 to 3" in call("phase --dim 3 --kernel tanh(t) --max-degree 3")[1]
    assert "none found" not in text
    assert "beta from" not in call("phase --dim 3 --kernel relu(t)")[1]
    assert facts("phase --dim 3 --kernel tanh(t) --max-degree 1")["max_degree"] == 1
    assert facts("phase --dim 2 --beta 5")["max_degree"] is None


def test_a_saved_run_keeps_its_own_numbers_and_tokens(call, facts, tmp_path):
    """With noise: its stream goes on, so another seed is refused; its beta is shown as it was typed."""
    path = tmp_path / "run.npz"
    facts(f"simulate --beta 4 --noise 0.5 --tokens 9 --time 0.01 --rng 3 --out {path}")
    for option in ("--rng 7", "--normalize"):
        status, _, err = call(f"simulate --start {path} --time 0.01 {option}")
        assert (status, err.split(":")[1].split()[0]) == (2, option.split()[0])
    more = facts(f"simulate --start {path} --time 0.01")
    assert (more["beta"], more["noise"], "degrees" in more) == ("4", "0.5", False)


def test_a_formula_may_begin_with_a_minus(facts):
    """As an argument of its own: tokens repel each other."""
    assert facts("simulate --kernel -t --tokens 9 --time 0")["kernel"] == "-t"
    assert facts("growth --dim 3 --degree 1 --kernel -exp(t)")["rows"][0]["rate"].startswith("-")


def test_a_saved_run_goes_on(facts, tmp_path):
    """Half the time twice over is the whole time at once, to the tolerance, the weights kept."""
    line, half = "simulate --dim 3 --beta 2 --tokens 40 --rng 3", tmp_path / "half.npz"
    whole, late = tmp_path / "whole.npz", tmp_path / "late"
    facts(f"{line} --time 1 --out {whole}")
    facts(f"{line} --time 0.5 --out {half}")
    answer = facts(f"simulate --beta 2 --time 0.5 --start {half} --out {late}")
    assert (answer["dim"], answer["tokens"], answer["start"]) == (3, 40, str(half))
    np.testing.assert_allclose(nm.load(late).tokens, nm.load(whole).tokens, atol=1e-7)


def test_phase_prints_the_winner_and_its_interval(facts, call):
    """beta 5 on the circle: degree 3 between the boundaries of formulas.md; below the first one lower is 0."""
    here = facts("phase --dim 2 --beta 5 --digits 12")
    assert {"dim", "beta", "degree", "rate", "lower", "upper"} <= set(here)
    assert (here["dim"], here["beta"], here["degree"]) == (2, "5", 3)
    assert (here["lower"], here["upper"]) == ("3.16543444270", "6.21129837943")
    assert here["rate"].startswith("18.5960703")
    assert facts("phase --dim 2 --beta 1")["lower"] == "0"
    text = call("phase --dim 2 --beta 5")[1]
    assert all(part in text for part in ("degree 3", "18.5960703", "3.16543444270", "6.21129837943"))
    assert facts("phase --dim 2 --beta 5 --model sa")["rate"].startswith("0.68267833")


def test_phase_at_several_beta_is_a_table(facts, call, tmp_path):
    """Of lists and ranges, a row each: what one call each says; and one beta is a row of the other formats."""
    line, path = "phase --dim 2 --tokens 2000 --digits 9", tmp_path / "phases.csv"
    whole = facts(f"{line} --beta 5 1:2")
    assert [row["beta"] for row in whole["rows"]] == ["5", "1", "2"]
    assert (whole["kernel"], whole["digits"]) == ("exp(beta*t)", 9)
    for row in whole["rows"]:
        alone = facts(f"{line} --beta {row['beta']}")
        for name in ("dim", "degree", "rate", "lower", "upper", "tokens", "amplitude", "emergence_time"):
            assert row[name] == alone[name]
        assert alone["selection"][str(row["first"])] == row["chance"] == max(alone["selection"].values())
    printed = call(f"phase --dim 2 --beta 5 --format csv --out {path}")[1]
    (row,) = csv.DictReader(io.StringIO(printed))
    assert (row["degree"], row["lower"][:7], path.read_text()) == ("3", "3.16543", printed)
    for row in facts("phase --dim 3 --beta 2 3 --kernel 1+beta*t")["rows"]:
        assert (row["lower"][:6], row["upper"]) == ("1.6666", "")  # gamma_2 = 2 beta/5 passes gamma_1 = 2/3
    assert call("phase --dim 3 --kernel relu(t) --format markdown")[1].endswith("|\n")
    told = call(f"phase --dim 2 --beta 5 --out {path.with_suffix('')}")[1]
    assert told == path.with_suffix("").read_text()


def test_phase_prints_the_law_of_finitely_many_tokens(facts, call):
    """The keys of the contract; probabilities by sums over a fine grid of times, of the exponential law of dim 2."""
    here = facts("phase --dim 2 --beta 5 --tokens 2000")
    assert (here["tokens"], here["amplitude"]) == (2000, 0.3)
    rates = {k: k**2 * float(mpmath.besseli(k, 5)) / 5 for k in range(1, 9)}
    times = np.linspace(-0.5, 3, 700_001)
    survival = {k: -np.expm1(-2000 * 0.09 * np.exp(-2 * rate * times)) for k, rate in rates.items()}
    alone = np.prod(list(survival.values()), axis=0)
    for degree, chance in here["selection"].items():
        k = int(degree)
        density = -np.gradient(survival[k], times) * np.divide(alone, survival[k], where=survival[k] > 0, out=0 * times)
        assert chance == pytest.approx(density.sum() * (times[1] - times[0]), abs=1e-5)
    assert sum(here["selection"].values()) == pytest.approx(1, abs=1e-9)
    late = times > 0
    assert here["emergence_time"] == pytest.approx(alone[late].sum() * (times[1] - times[0]), abs=1e-4)
    text = call("phase --dim 2 --beta 5 --tokens 2000 --amplitude 0.1")[1]
    assert "from 2000 uniform tokens the first of degrees 1 to 9 to reach amplitude 0.1" in text


def test_max_degree_ends_the_race(facts):
    """77 tokens at amplitude 0.2, N a^2 = 3.08: one of n degrees is above it with chance 1 - (1 - e^-3.08)^n."""
    for last in (3, 12):
        here = facts(f"phase --dim 2 --beta 3.3 --tokens 77 --amplitude 0.2 --max-degree {last}")
        assert here["already"] == pytest.approx(1 - (1 - np.exp(-3.08)) ** last, abs=1e-12)
        assert (here["last_degree"], here["max_degree"]) == (last, None)


def test_phase_with_noise_or_another_kernel(facts, call):
    """With noise the interval shrinks on both sides; a kernel without beta has no boundaries; stability is said."""
    noisy = facts("phase --dim 2 --beta 5 --noise 1 --digits 12")
    assert (noisy["degree"], noisy["rate"], noisy["noise"]) == (2, "10.0044919733", "1")
    assert noisy["lower"] < "5" < noisy["upper"]
    relu = facts("phase --dim 3 --kernel relu(t) --digits 5")
    assert (relu["degree"], relu["rate"], relu["lower"], relu["upper"]) == (2, "0.20000", None, None)
    assert "the uniform state is stable" in call("phase --dim 2 --beta 2 --noise 3")[1]


def test_critical_finds_all_boundaries_of_a_kernel(facts, call):
    """Of e^{bt} they are those of the table; of a mixture a degree is skipped; --degree keeps some rows."""
    line = "critical --dim 2 --between 1 7 --digits 12"
    rows = facts(line, "--kernel", "exp(beta*t)")["rows"]
    assert [(row["degree"], row["next"]) for row in rows] == [(1, 2), (2, 3), (3, 4)]
    assert [row["beta"] for row in rows] == [
        row["beta"] for row in facts("critical --dim 2 --degree 1:3 --digits 12")["rows"]
    ]
    assert len(facts(line + " --kernel exp(beta*t) --degree 2")["rows"]) == 1
    mixed = facts("critical --dim 3 --between 1 4", "--kernel", "exp(beta*t) + exp(-4*beta*t)/2")["rows"]
    assert [(row["degree"], row["next"]) for row in mixed] == [(3, 5)]
    noisy = facts("critical --dim 2 --between 1 4 --noise 1 --digits 8")["rows"]
    assert (noisy[0]["degree"], noisy[0]["next"]) == (0, 1)
    assert float(th.noise_threshold(1, 2, noisy[0]["beta"], digits=12)) == pytest.approx(1, rel=1e-6)
    assert "degree  next" in call(line + " --kernel exp(beta*t)")[1]


@pytest.mark.parametrize("model", ["usa", "sa"])
def test_derive_says_how_each_step_was_checked(facts, call, model):
    """Every format ends in the same rate, and every step says how it was verified."""
    answer = facts(f"derive --dim 3 --model {model}")
    assert {"dim", "model", "rate", "checked", "steps"} <= set(answer)
    assert answer["checked"] is True
    assert answer["dim"] == "3"
    assert len(answer["steps"]) >= 6
    assert all(set(step) == {"title", "lhs", "rhs", "checked"} and step["checked"] for step in answer["steps"])
    status, text, _ = call(f"derive --dim 3 --model {model}")
    assert status == 0
    assert text.rstrip().endswith("every step holds")
    assert all(step["title"] in text for step in answer["steps"])
    status, latex, _ = call(f"derive --dim 3 --model {model} --format latex")
    assert status == 0
    assert latex.count(r"\begin") == latex.count(r"\end") > 0
    assert latex.count("{") == latex.count("}")


def test_derive_exits_with_one_when_a_step_fails(call, monkeypatch):
    """A derivation whose check is made to fail."""
    monkeypatch.setattr("gegenflow.theory.growth.derivation.Derivation.check", lambda self: False)
    status, out, _ = call("derive --dim 3")
    assert status == 1
    assert out.rstrip().endswith("a step does not hold")
    status, out, _ = call("derive --dim 3 --format json")
    assert status == 1
    assert strict(out)["checked"] is False


def test_simulate_reports_what_the_tokens_became(facts, call, tmp_path):
    """The saved run read back: its energy, its tokens, its seed are those that were printed; text names the same."""
    path = tmp_path / "run.npz"
    line = f"simulate --dim 3 --beta 4 --tokens 300 --time 1.5 --rng 7 --model sa --out {path}"
    answer = facts(line)
    wanted = {"dim": 3, "beta": "4", "tokens": 300, "time": 1.5, "rng": 7, "ok": True, "model": "sa"}
    assert wanted.items() <= answer.items()
    assert {"energy", "clusters", "status", "evaluations", "wall_seconds"} <= set(answer)
    run = nm.load(path)
    gram = run.tokens @ run.tokens.T
    assert answer["energy"] == pytest.approx(np.exp(4 * gram).mean() / 8, rel=1e-12)
    assert answer["evaluations"] == run.evaluations > 0
    assert run.status.message == answer["status"]
    assert (run.parameters["beta"], run.parameters["t_end"], run.parameters["rng"]) == (4.0, 1.5, 7)
    again = nm.simulate(nm.uniform(300, 3, rng=7), beta=4.0, model="sa", t_end=1.5)
    np.testing.assert_allclose(run.tokens, again.tokens, atol=1e-9)
    status, out, _ = call(line)
    assert status == 0
    assert all(re.search(rf"^{name} ", out, re.MULTILINE) for name in answer)


def test_simulate_says_what_a_start_holds(facts, call, starts):
    """Tokens near the angle 0 hold every degree with amplitude 1 - O(1e-3), and merge: one cluster."""
    answer = facts(f"simulate --beta 2 --time 3 --start {starts}/good.npy")
    assert (answer["dim"], answer["tokens"], answer["rng"], answer["clusters"]) == (2, 40, None, 1)
    held = {entry["degree"]: entry for entry in answer["degrees"]}
    assert set(held) == {1, 2, 3, 4}
    assert all(entry["contained"] for entry in held.values())
    assert all(entry["amplitude"] == pytest.approx(1, abs=0.01) for entry in held.values())
    assert held[1]["rate"] == pytest.approx(float(th.growth_rate(1, 2, 2, digits=15)))
    out = call(f"simulate --beta 2 --time 3 --start {starts}/good.npy")[1]
    assert "they hold: 1, 2, 3, 4\n" in out


def test_simulate_says_whether_the_linear_theory_applies(facts, call, tmp_path):
    """Embeddings are not near uniform, uniform tokens are; what comes first is told by the rates that hold."""
    for name, tokens in (("far", embeddings(100, 16, rng=0)), ("near", nm.uniform(400, 2, rng=0))):
        np.save(tmp_path / f"{name}.npy", tokens)
    line = f"simulate --beta 5 --time 0 --start {tmp_path}"
    far, near = facts(f"{line}/far.npy"), facts(f"{line}/near.npy")
    assert far["verdict"] == "not near uniform: the linear theory does not apply"
    assert near["verdict"] == "near uniform"
    held = {entry["degree"]: entry for entry in far["degrees"]}
    assert held[1]["rate"] == pytest.approx(float(th.growth_rate(1, 16, 5, digits=15)))
    assert held[1]["own_rate"] != pytest.approx(held[1]["rate"], rel=0.2)
    out = call(f"{line}/far.npy")[1]
    assert (
        "not near uniform: the linear theory does not apply; by their own growth at t = 0 degree 2 comes first" in out
    )
    assert re.search(r"^degree +amplitude +contained +own_rate +rate +emergence$", out, re.MULTILINE)
    assert "near uniform; by the linear theory degree" in call(f"{line}/near.npy")[1]


def test_simulate_prints_strict_json_for_a_degree_that_never_emerges(facts, starts):
    """The three axes of R^3 hold no degree 2 (sum of the traceless squares is zero): its emergence is not a number."""
    degrees = facts(f"simulate --beta 1 --time 0.1 --start {starts}/cube.npy")["degrees"]
    assert [entry["amplitude"] for entry in degrees if entry["degree"] == 2] == [pytest.approx(0, abs=1e-7)]


def test_normalize_keeps_directions(facts, starts):
    """The row (3, 4) becomes (0.6, 0.8) when asked, and the run starts there."""
    path = starts / "out.npz"
    facts(f"simulate --beta 1 --time 0 --start {starts}/long.npy --normalize --out {path}")
    np.testing.assert_allclose(nm.load(path).tokens, [[1, 0], [0, 1], [0.6, 0.8]], atol=1e-15)


def test_simulate_that_stops_early_exits_with_one(call):
    """USA at beta 500 moves at a speed of 1e200: the run says that it stopped, exit status 1, output intact."""
    status, out, _ = call("simulate --beta 500 --tokens 20 --format json")
    answer = strict(out)
    assert (status, answer["ok"]) == (1, False)
    assert answer["status"].startswith("stopped at t = ")
    assert "use merge" in answer["status"]


def test_validate_at_several_beta_is_a_report_each(monkeypatch, facts, call, tmp_path):
    """In one object and one status; after an interrupt no other; a figure is of one beta."""

    def fake(*names, **given):
        check = nm.validation.Check("degree 1", float(given["beta"]), 2.0, 1e-3, law="planted modes")
        status = "interrupted" if given["beta"] == "3" else "complete"
        return nm.validation.Report((check,), {"beta": given["beta"]}, status, 0.1)

    monkeypatch.setattr(nm, "validate", fake)
    answer = facts("validate --beta 2 2.0")
    assert answer["passed"] is True
    assert [report["beta"] for report in answer["reports"]] == ["2", "2.0"]
    status, out, _ = call("validate --beta 1:4")
    assert (status, out.count("FAILED"), out.count("theory against simulation")) == (1, 2, 3)
    assert call(f"validate --beta 1 2 --figure {tmp_path}/checks.png")[2].startswith("gegenflow: --figure ")
    assert facts("validate --beta 2")["beta"] == "2"


def test_validate_agrees(facts, call):
    """A small validation passes: degrees 1 to k_max + 2 planted, and from uniform tokens, energy, angles.

    False alarm rate: 5 checks with random error bars of 8 to 16 runs, 5 % or so for a fresh seed; this one is fixed.
    """
    answer = facts(f"validate {SMALL}")
    assert answer["passed"] is True
    keys = {"law", "name", "predicted", "measured", "error", "noticed", "passed", "verdict", "rivals"}
    assert all(set(check) == keys for check in answer["checks"])
    assert [check["law"] for check in answer["checks"]] == [
        *["planted modes"] * 4,
        *["uniform tokens"] * 4,
        "energy balance",
        "angles of emerging clusters",
    ]
    for check in answer["checks"]:
        assert check["passed"] is True
        assert check["error"] <= 0.05 * abs(check["predicted"])
        assert all(rival["refuted"] for rival in check["rivals"])
    status, out, _ = call(f"validate {SMALL}")
    assert status == 0
    assert re.search(r"^all 10 checks agree  \(\d+ s\)$", out, re.MULTILINE)
    assert "FAILED" not in out


def test_validate_fails_on_a_wrong_prediction(call, monkeypatch):
    """Rates over pi, as plotted in the authors' notebook: every rate fails, energy and angles do not depend on them."""
    right = th.growth_rate
    monkeypatch.setattr(th, "growth_rate", lambda *args, **kwargs: float(right(*args, **kwargs)) / np.pi)
    status, out, _ = call(f"validate {SMALL} --format json")
    assert status == 1
    answer = strict(out)
    assert answer["passed"] is False
    assert not any(
        check["passed"] for check in answer["checks"] if "energy" not in check["law"] and "angles" not in check["law"]
    )
    status, out, _ = call(f"validate {SMALL}")
    assert status == 1
    assert "10 checks failed" in out
    assert out.count("FAILED") >= 8


def test_validate_draws_its_checks(call, tmp_path):
    """A figure file of the asked kind."""
    path = tmp_path / "checks.png"
    assert call(f"validate {SMALL} --figure {path}")[0] == 0
    assert path.read_bytes().startswith(b"\x89PNG")


# what the command says of itself


def examples():
    """(subcommand, line) of every example of every help, from what -h prints."""
    sub = next(action for action in command_line()._actions if isinstance(action, argparse._SubParsersAction))
    for name, parser in sub.choices.items():
        for line in re.findall(r"^  gegenflow (.+)$", parser.format_help(), re.MULTILINE):
            yield name, line


def test_alone_it_lists_what_there_is(call):
    """Every subcommand with its help, status 0, and three lines to begin with, which are understood and two of which
    take no simulation."""
    status, out, err = call("")
    assert (status, err) == (0, "")
    parser = command_line()
    listed = re.findall(r"^  (\w+) +(.+)$", out.split("to begin with")[0], re.MULTILINE)
    assert dict(listed) == parser.commands
    assert len(parser.commands) >= 7
    first = re.findall(r"^  gegenflow (.+)$", out.split("to begin with")[1], re.MULTILINE)
    assert len(first) == 3
    for line in first:
        assert parser.understand(line.split()).command in parser.commands
    for line in first[:2]:
        assert call(line)[0] == 0


def test_every_subcommand_has_examples():
    """Two at least, each of the subcommand itself and with what it is for below it."""
    found = [*examples()]
    for name in command_line().commands:
        lines = [line for subcommand, line in found if subcommand == name]
        assert len(lines) >= 2, name
        assert all(line.split()[0] == name for line in lines)


@pytest.mark.parametrize(("name", "line"), [*examples()])
def test_every_example_is_understood_and_quick_ones_run(call, name, line, tmp_path, monkeypatch):
    """By the parser itself; what needs no simulation runs, in an empty folder, and writes the file that it names."""
    monkeypatch.chdir(tmp_path)
    options = command_line().understand(shlex.split(line))
    assert options.command == name
    if name not in ("simulate", "validate", "report", "sweep", "rerun"):
        assert call("", *shlex.split(line))[0] == 0
        assert options.out is None or options.out.read_text()


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_is_a_script_of_that_shell(call, shell, tmp_path):
    """It names every subcommand and an option of each; bash, where it is there, completes by it."""
    pytest.importorskip("shtab", reason="shtab is not installed")
    status, out, err = call(f"--print-completion {shell}")
    assert (status, err) == (0, "")
    assert all(name in out for name in (*command_line().commands, "max-degree", "layout", "latex"))
    if shell == "bash" and shutil.which("bash"):
        (tmp_path / "script").write_text(out)
        ask = "COMP_WORDS=({}); COMP_CWORD={}; _shtab_gegenflow; echo ${{COMPREPLY[@]}}"
        asked = {"gegenflow gro": "growth", "gegenflow growth --lay": "--layout", "gegenflow laws --format l": "latex"}
        for words, wanted in asked.items():
            line = f"source {tmp_path}/script; {ask.format(words, len(words.split()) - 1)}"
            done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
            assert done.stdout.split() == [wanted]


def test_completion_without_its_library_says_what_to_install(call, monkeypatch):
    """One line, status 2."""
    monkeypatch.setitem(sys.modules, "shtab", None)
    status, out, err = call("--print-completion bash")
    assert (status, out) == (2, "")
    assert "pip install shtab" in err


# interrupts


def test_interrupted_table_keeps_its_rows(call, monkeypatch):
    """Interrupted at the third boundary: two rows in every format, exit status 1."""
    right = th.critical_beta

    def impatient(degree, dim, digits):
        if degree == 3:
            raise KeyboardInterrupt
        return right(degree, dim, digits)

    monkeypatch.setattr("gegenflow.theory.phases.tables.critical_beta", impatient)
    status, out, err = call("critical --dim 2 --degree 1:5 --format json")
    assert status == 1
    assert [row["degree"] for row in strict(out)["rows"]] == [1, 2]
    assert err == "gegenflow: interrupted after 2 rows\n"
    assert strict(out)["status"] == "interrupted after 2 rows"
    status, out, _ = call("critical --dim 2 --degree 1:5 --format csv")
    assert (status, [line.split(",")[1] for line in out.splitlines() if "#" not in line]) == (1, ["degree", "1", "2"])
    assert out.splitlines()[1].endswith(",interrupted after 2 rows")


@pytest.mark.parametrize("form", ["text", "json", "csv", "markdown", "latex"])
def test_table_interrupted_at_once_prints_no_row(call, monkeypatch, form, tmp_path):
    """No row, no half-written output, one line on standard error; what stood in the file stays."""

    def impatient(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("gegenflow.theory.phases.tables.critical_beta", impatient)
    path = tmp_path / "table"
    path.write_text("older")
    status, out, err = call(f"critical --dim 2 --degree 1 --format {form} --out {path}")
    assert (status, err) == (1, "gegenflow: interrupted after 0 rows\n")
    assert path.read_text() == "older"
    assert (strict(out)["rows"] == []) if form == "json" else (out == "")


def test_interrupted_validation_keeps_its_checks(call, monkeypatch):
    """Interrupted in its second part: the planted modes are there, the verdict is not passed."""

    def impatient(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("gegenflow.numerics.validation.trials.growth.uniform_rates", impatient)
    status, out, _ = call(f"validate {SMALL} --format json")
    answer = strict(out)
    assert (status, answer["passed"], answer["status"]) == (1, False, "interrupted")
    assert [check["passed"] for check in answer["checks"]] == [True] * 4
    status, out, _ = call(f"validate {SMALL}")
    assert status == 1
    assert out.rstrip().endswith("but interrupted")


def test_interrupted_simulation_is_still_saved(call, monkeypatch, tmp_path):
    """Interrupted in the first evaluation of the field: the start is saved, exit status 1."""

    def impatient(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("gegenflow.numerics.integrators.few_tokens.advance", impatient)
    status, out, _ = call(f"simulate --beta 1 --tokens 20 --out {tmp_path}/run.npz --format json")
    assert (status, strict(out)["ok"]) == (1, False)
    np.testing.assert_allclose(nm.load(tmp_path / "run.npz").tokens, nm.uniform(20, 2, rng=0), atol=1e-15)


# bad input

REFUSED = [
    ("guess", "guess"),
    ("growht --dim 2", "growht: did you mean growth?"),
    ("growth --dim 2 --degres 1", "--degres: there is no such option, did you mean --degree?"),
    ("growth --dim 2 --degree 1 --xyz", "--xyz: there is no such option; gegenflow growth -h shows all"),
    ("growth --dim 2 --degree 1 --beta 1 --model ussa", "--model ussa: did you mean usa?"),
    ("critical --dim 2 --degree 1 --format latx", "--format latx: did you mean latex?"),
    ("critical --dim 2 --degree 1 --columns bta", "--columns bta: did you mean beta?"),
    ("phase --dim 2 --kernel tahn(t)", "tahn is no known function, did you mean tanh?"),
    ("validate hiting-times", "did you mean hitting times of equiangular tokens?"),
    ("validate planted --raito 0.5", "did you mean --ratio?"),
    ("--versoin", "did you mean --version?"),
    ("--print-completion fsh", "--print-completion fsh: did you mean zsh?"),
    ("critical --dim 1 --degree 3", "--dim 1"),
    ("critical --dim 0:3 --degree 3", "--dim 0"),
    ("critical --dim 2 --degree 0", "--degree 0"),
    ("critical --dim 2 --degree 0:4", "--degree 0"),
    ("critical --dim 2 --degree -3", "--degree -3"),
    ("critical --dim 2 --degree 5:2", "--degree 5:2"),
    ("critical --dim 2 --degree 1:2:3", "--degree 1:2:3"),
    ("critical --dim 2 --degree 1:", "--degree 1:"),
    ("critical --dim 2.5 --degree 1", "--dim 2.5"),
    ("critical --dim two --degree 1", "--dim two"),
    ("critical --dim 2 --degree 1 --digits 0", "--digits 0"),
    ("critical --dim 2 --degree 1 --digits -5", "--digits -5"),
    ("critical --dim 2 --degree 1 --digits many", "--digits many"),
    ("critical --dim 2 --degree 1 --format xml", "xml"),
    ("critical --dim 2", "--degree"),
    ("growth --dim 2 --degree 1", "--beta"),
    ("growth --dim 2 --degree 1 --beta -1", "--beta -1"),
    ("growth --dim 2 --degree 1 --beta nan", "--beta nan"),
    ("growth --dim 2 --degree 1 --beta inf", "--beta inf"),
    ("growth --dim 2 --degree 1 --beta abc", "--beta abc"),
    ("growth --dim 2 --degree 1 --beta 1/0", "--beta 1/0"),
    ("growth --dim 2 --degree 1 --beta -1e5", "-1e5"),
    ("growth --dim 2 --degree 1 --beta 1e1000000", "1e1000000"),
    ("growth --dim 2 --degree 1 --beta 5 --model relu", "relu"),
    ("phase --dim 2 --beta 5 --tokens 1", "--tokens 1"),
    ("phase --dim 2 --beta 5 --tokens 2e3", "--tokens 2e3"),
    ("phase --dim 2 --beta 5 --tokens 2000 --amplitude 2", "--amplitude 2"),
    ("phase --dim 2 --beta 5 --tokens 2000 --amplitude nan", "--amplitude nan"),
    ("phase --dim 2 --beta 5 --amplitude 0.3", "--amplitude"),
    ("phase --dim 2 --beta 5 --tokens 2000 --noise 1", "--tokens"),
    ("phase --dim 2 --beta 5 --noise -1", "--noise -1"),
    ("phase --dim 2 --beta 5 --noise inf", "--noise inf"),
    ("phase --dim 2", "--beta"),
    ("phase --dim 2 --kernel exp(beta*t)", "--beta"),
    ("phase --dim 2 --beta 5 --kernel foo(t)", "--kernel foo(t)"),
    ("phase --dim 2 --beta 5 --kernel exp(m*t)", "--kernel exp(m*t)"),
    ("phase --dim 2 --beta 5 --kernel=-exp(beta*t) --model sa --noise 1", "SA"),
    ("phase --dim 2 --kernel tanh(t)", "--max-degree"),
    ("phase --dim 2 --beta 5 --kernel tanh(t)", "--beta 5"),
    ("phase --dim 2 --beta 5 --kernel=", "--kernel"),
    ("simulate --beta 5 --kernel=", "--kernel"),
    ("growth --dim 2 --degree 1 --beta 1: --digits 3", "--beta 1:"),
    ("growth --dim 2 --degree 1 --beta 3:1", "--beta 3:1"),
    ("phase --dim 2 --beta 5 --max-degree 3", "--max-degree 3"),
    ("growth --dim 2 --degree 1", "--beta"),
    ("growth --dim 2 --degree 1 --kernel 1/(1-t)", "--kernel"),
    ("critical --dim 2 --noise 1", "--between"),
    ("critical --dim 2 --degree 1 --between 1 2", "--between"),
    ("critical --dim 2 --noise 1 --between 3 1", "--between 3 to 1"),
    ("critical --dim 2 --noise 1 --between 1", "--between"),
    ("critical --dim 2 --kernel 1+t --between 1 2", "--kernel 1+t"),
    ("critical --dim 2 --kernel tanh(beta*t) --between 1 2", "--max-degree"),
    ("critical --dim 2 --kernel exp(beta*m*t) --between 1 2", "m"),
    ("phase --dim 2:4 --beta 5", "--dim 2:4"),
    ("derive --dim 1", "--dim 1"),
    ("derive --format csv", "csv"),
    ("simulate --beta 800", "800"),
    ("simulate --beta 1 --time -1", "-1"),
    ("simulate --beta 1 --time nan", "nan"),
    ("simulate --beta 1 --time -1e3", "--time -1e3"),
    ("simulate --beta 1 --time soon", "soon"),
    ("simulate --beta 1e400 --model sa --tokens 10", "1e400"),
    ("simulate --beta 1 --tokens 1000000000000000", "1000000000000000"),
    ("simulate --beta 1 --rtol 0", "rtol"),
    ("simulate --beta 1 --rtol 2", "rtol"),
    ("simulate --beta 1 --tokens 0", "--tokens 0"),
    ("simulate --beta 1 --rng -1", "--rng -1"),
    ("simulate --beta 1 --dim 1", "--dim 1"),
    ("simulate --beta 4 --noise 1e-400 --time 0", "--noise 1e-400"),
    ("simulate --beta 1_0 --time 0", "--beta 1_0"),
    ("simulate --beta 1 --rtol 1_0", "--rtol 1_0"),
    ("simulate --beta 1 --tokens 100000000 --dim 1000000", "--tokens 100000000"),
    ("validate --runs 1", "runs 1"),
    ("validate --tokens 10", "tokens 10"),
    ("validate --beta 800", "800"),
    ("validate --dim 1", "--dim 1"),
    ("validate --beta nan", "nan"),
    ("validate --format yaml", "yaml"),
]
FILES = [
    ("missing.npy", "No such file"),
    ("long.npy", "row 2 has norm 5"),
    ("unknown.npy", "row 1 is not finite"),
    ("unknown.npy --normalize", "row 1 is not finite"),
    ("null.npy --normalize", "row 1 is zero"),
    ("flat.npy", "(5, 1)"),
    ("none.npy", "(0, 3)"),
    ("complex.npy", "complex"),
    ("objects.npy", "it has dtype object"),
    ("archive.npz", "it holds 2 arrays, one is expected: tokens, weights"),
    ("text.npy", "it is no .npy file"),
    ("empty.npy", "it is no .npy file"),
    ("cube.npy --dim 2", "leave --"),
    ("cube.npy --tokens 5", "leave --"),
    (".", "directory"),
]


def assert_refused(answer, names):
    status, out, err = answer
    assert status == 2
    assert out == ""
    assert names in err
    assert re.fullmatch(r"gegenflow: [^\n]+\n", err)
    assert "Traceback" not in err
    assert "Errno" not in err


@pytest.mark.parametrize(("line", "names"), REFUSED)
def test_bad_input_is_refused_by_name(call, line, names):
    """Exit status 2 and exactly one line that names the value."""
    assert_refused(call(line), names)


@pytest.mark.parametrize(("file", "names"), FILES)
def test_bad_starts_are_refused_by_name(call, starts, file, names):
    """Exit status 2 and exactly one line that says what the file holds."""
    answer = call(f"simulate --beta 1 --start {starts}/{file}")
    assert_refused(answer, names)
    assert "--start" in answer[2]


@pytest.mark.parametrize("line", ["simulate --beta 1 --out", "validate --figure"])
def test_missing_folders_are_found_before_the_work(call, tmp_path, line, monkeypatch):
    """No run is started whose result could not be written."""
    monkeypatch.setattr("gegenflow.numerics.runs.settings.drive", lambda *_, **__: pytest.fail("a run was started"))
    assert_refused(call(line, str(tmp_path / "absent" / "file.png")), "there is no folder")


@pytest.mark.parametrize(
    "line",
    ["simulate --beta 1 --out {0}", "validate --runs 4 --figure {0}", "validate --runs 4 --figure {0}/checks.xyz"],
)
def test_files_that_cannot_be_written_are_found_before_the_work(call, tmp_path, line, monkeypatch):
    """A folder in place of a file, and a picture format that does not exist, by name and before any run."""
    monkeypatch.setattr("gegenflow.numerics.runs.settings.drive", lambda *_, **__: pytest.fail("a run was started"))
    assert_refused(call(line.format(tmp_path)), str(tmp_path))


def test_thousands_of_digits_are_printed(facts):
    """Five thousand digits begin with those of a shorter request; Python's limit on long integers is not in the way."""
    long, short = (facts(f"critical --dim 2 --degree 1 --digits {digits}")["rows"][0]["beta"] for digits in (5000, 40))
    assert len(long) == 5001
    assert long.startswith(short[:-1])


@pytest.mark.parametrize("words", [["--beta", "a\nb"], ["--beta", "1", "--start", "no\nfile.npy"]])
def test_a_value_with_a_line_break_is_refused_in_one_line(call, words):
    """The line break of the value does not break the message."""
    status, _, err = call("simulate", *words)
    assert (status, err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("line", "names"), [("critical --dim|--degree 1", "--dim"), ("growth --dim 2 --degree 1 --beta|", "--beta")]
)
def test_empty_words_are_refused(call, line, names):
    """An empty string for a number."""
    before, after = line.split("|")
    assert_refused(call("", *before.split(), "", *after.split()), names)


# as a process


def process(*words, **options):
    return subprocess.run([COMMAND, *words], capture_output=True, text=True, timeout=100, **options)


def test_the_installed_command_exits_with_its_status(tmp_path):
    """Status 0, 1, 2 reach the shell; standard error holds one line, no progress bar in a pipe."""
    fine = process("critical", "--dim", "3", "--degree", "1", "--format", "json")
    assert (fine.returncode, fine.stderr) == (0, "")
    assert strict(fine.stdout)["rows"][0]["beta"].startswith("1.8161545")
    bad = process("critical", "--dim", "1", "--degree", "3")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.splitlines() == [
        "gegenflow: --dim 1: the sphere S^{dim-1} needs an integer dim from 2 to 1,000,000"
    ]
    stopped = process("simulate", "--beta", "500", "--tokens", "20", "--format", "json")
    assert (stopped.returncode, stopped.stderr) == (1, "")
    assert strict(stopped.stdout)["ok"] is False
    missing = process("simulate", "--beta", "1", "--start", "absent.npy", cwd=tmp_path)
    assert missing.returncode == 2
    assert "Traceback" not in missing.stderr
    assert process("--version").stdout.startswith("gegenflow ")


def test_a_reader_that_leaves_early_is_no_error():
    """As in ``gegenflow critical ... | head -1``: nothing on standard error, and certainly not 'bad input'."""
    words = [COMMAND, "critical", "--dim", "2:60", "--degree", "1:60", "--format", "csv"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        run.stdout.close()
        assert run.stderr.read() == ""
        assert run.wait(timeout=60) != 2
