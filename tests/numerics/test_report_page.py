"""The page of a report: it holds what it should, needs no network, opens without an error and prints on few pages."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.browser import CHROMIUM, Browser

from gegenflow import numerics as nm
from gegenflow import theory as th
from gegenflow.numerics.validation import Check, Report, Rival
from gegenflow.numerics.validation.command.main import main
from gegenflow.numerics.validation.pages import page as module
from gegenflow.numerics.validation.pages.formulas import formula, sentence

pytest.importorskip("latex2mathml", reason="the extra report is not installed")
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open the page with")
NETWORK = re.compile(r"""(?:src|href|url\(|@import|action|data)\s*=?\s*["'(]?\s*((?:https?:)?//[^"')\s>]+)""")


def checks(law, count, off=0.1):
    """So many checks of a law, with two rivals each, the first of them near."""
    rivals = Rival("twice as much", 2.0), Rival("half as much", 0.5)
    return tuple(
        Check(f"dim 2 USA degree {k}", 1.0, 1.0 + off * 0.01, 0.01, rivals=rivals, law=law) for k in range(count)
    )


@pytest.fixture(scope="module")
def page():
    """Two laws, one with the most checks that have room, and one check that differs."""
    tried = (*checks("planted modes", 28), *checks("hitting times of equiangular tokens", 1, off=40))
    return nm.report_page(Report(tried, {"beta": "5", "dims": [2, 3], "rng": 7}, "complete", 3.0, ("a note & more",)))


@pytest.fixture(scope="module")
def path(page, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def test_it_holds_theory_verdicts_and_where_it_comes_from(page):
    for dim in (2, 3):
        for degree in range(1, 6):  # up to two beyond the fastest, which is the third
            assert f"<td>{th.growth_rate(degree, dim, 5, digits=15).value}</td>" in page
    assert page.count("the fastest") == 2
    assert page.count("<section") == 3
    assert page.count("data:image/svg+xml;base64,") == 2
    assert "(checked symbolically, term by term)" in page
    assert "differs" in page
    assert "half as much: 50.1" in page
    assert "a note &amp; more" in page
    assert "rng 7" in page
    assert nm.validation.law_named("planted modes").source.split()[1].rstrip(";") in page


@pytest.mark.parametrize(
    ("facts", "fastest"),
    [
        ({"beta": "100", "dims": [2]}, 14),  # beyond the degrees that kernels without closed forms are compared at
        ({"betas": ["2", "5"], "dims": [2], "models": ["sa"]}, 3),
        ({"beta": 0, "dims": [2]}, 1),
        ({"beta": "5", "dims": [], "models": [], "betas": []}, 3),
        ({"beta": "5", "dims": [2], "noise": "4"}, 1),
    ],
)
def test_the_fastest_degree_is_that_of_the_parameters(facts, fastest):
    page = nm.report_page(Report((), facts, "complete", 0.0))
    row = next(line for line in page.splitlines()[::-1] if "the fastest" in line)
    assert f"<td>2</td><td>{fastest}</td><td>{facts.get('beta', '5')}</td>" in row


def test_rates_that_are_refused_leave_the_checks():
    """SA of a weight whose mean vanishes."""
    page = nm.report_page(Report(checks("planted modes", 1), {"kernel": "t", "models": ["sa"]}, "complete", 0.0))
    assert "Growth rates are left out: " in page
    assert "degree 0</td>" in page


def test_checks_of_tokens_of_ones_own_have_a_page():
    report = nm.validation.validate_tokens(nm.uniform(60, 3, rng=0), beta=2)
    page = nm.report_page(report)
    assert all(f"<td>{check.name}</td>" in page for check in report.checks)


def test_it_needs_no_network(page):
    """No address of another machine but those of arXiv, behind links, and no script."""
    found = set(NETWORK.findall(page))
    assert found
    assert all(address.startswith("https://arxiv.org/abs/") for address in found)
    assert "<script" not in page
    assert NETWORK.findall('<img src="//cdn.example/x.png">')
    assert NETWORK.findall("@import 'http://example/x.css'")


def test_every_statement_and_step_is_typeset():
    """No command of LaTeX is left over in the MathML of any law or derivation."""
    texts = [law.statement for law in nm.validation.laws()]
    for model in ("usa", "sa"):
        for step in th.linearize(model=model).steps:
            texts += [th.exact.mathematics.latex(side) for side in (step.lhs, step.rhs)]
            assert "\\" not in sentence(step.words)
    assert [text for text in texts if "\\" in formula(text, display=True)] == []
    assert "\\" in formula(r"\nosuchcommand")


@in_a_browser
def test_it_opens_without_an_error(path):
    with Browser() as browser:
        assert browser.faults(path) == []
        heights = "[...document.querySelectorAll('math')].filter((m) => m.getBoundingClientRect().height < 4).length"
        assert browser.evaluate(heights) == 0
        assert browser.evaluate("[...document.images].every((image) => image.naturalWidth > 100)")


@in_a_browser
def test_it_prints_on_two_pages_a_law(path, tmp_path):
    """Two for the derivation, two for the law with the most checks, one for the other."""
    printed = tmp_path / "report.pdf"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", f"--print-to-pdf={printed}"]
    subprocess.run([CHROMIUM, *flags, path.as_uri()], check=True, capture_output=True, timeout=120)
    pages = len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes()))
    assert 3 < pages <= 5
    if shutil.which("pdftotext"):
        words = subprocess.run(["pdftotext", printed, "-"], check=True, capture_output=True, text=True).stdout
        assert words.count("planted modes") >= 1
        assert "18.5960703044720" in words


def test_the_command_writes_it_for_a_kernel_of_ones_own(tmp_path, capsys):
    """The weight t + t^2, W = t^2/2 + t^3/3: degrees 1, 2 and 3 grow at 2/15, 2/5 and 8/35 in dim 3, by hand."""
    path = tmp_path / "r.html"
    status = main(
        ["report", "planted modes", "--kernel", "t + t**2", "--dim", "3", "--model", "usa", "--out", str(path)]
    )
    assert (status, capsys.readouterr().out.split(": ")[0]) == (0, str(path))
    page = path.read_text(encoding="utf-8")
    assert "<td>t**2 + t</td>" in page
    for rate in ("0.133333333333333", "0.400000000000000", "0.228571428571429"):
        assert f"<td>{rate}</td>" in page


def test_an_interrupt_leaves_what_was_found(tmp_path, monkeypatch, capsys):
    """The checks made so far are in the page, which says so; the status is 1."""
    stopped = Report(checks("planted modes", 2), {}, "interrupted", 1.0)
    monkeypatch.setattr(nm, "validate", lambda *names, **given: stopped)

    def interrupt(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_theory", interrupt)
    path = tmp_path / "r.html"
    assert main(["report", "--out", str(path)]) == 1
    page = path.read_text(encoding="utf-8")
    assert "all 2 checks agree, but interrupted" in page
    assert page.count("degree 1</td>") == 1
    assert "interrupted" in capsys.readouterr().out
    monkeypatch.setattr(nm, "validate", lambda *names, **given: Report((), {}, "interrupted", 1.0))
    assert main(["report", "--out", str(path)]) == 1
    assert path.read_text(encoding="utf-8") == page
    assert capsys.readouterr().err == f"gegenflow: no check made, but interrupted: {path} is not written\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("report", "--out"),
        ("report --out r.pdf", "--out r.pdf: the name must end in .html"),
        ("report --out /nowhere/r.html", "there is no folder"),
        ("report nothing --out r.html", "must name one law"),
        ("report planted --runs 8 --out r.html", "--runs 8: planted modes takes"),
        ("report --dim 1 --out r.html", "--dim 1"),
    ],
)
def test_bad_lines_are_refused_in_a_sentence(words, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        raise SystemExit(main(words.split()))
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert told in error
    assert error.count("\n") == 1
    assert not list(Path(tmp_path).iterdir())


def test_anything_but_a_report_is_refused():
    with pytest.raises(nm.Refused, match="a page is that of a Report"):
        nm.report_page("report")
