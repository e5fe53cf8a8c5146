"""README and pages of docs: their examples hold, the console prints what they show, and what they name is there."""

import doctest
import re
import shlex

import pytest
from support.names import NAMES
from support.pages import FLAGS, PAGES, README, ROOT, agrees, consoles, examples, fenced, printed

from gegenflow.numerics.validation import laws
from gegenflow.numerics.validation.command.main import command_line

EXAMPLES = [page for page in [README, *PAGES] if ">>> " in page.read_text()]
COMMANDS = {
    " ".join(words.split())
    for page in [README, *PAGES]
    for words in re.findall(r"`gegenflow ([a-z]+ [^`|>]+)`", page.read_text())
    if not re.search(r"-h$|NAME", words)
}
CONSOLES = [(page, *each) for page in [README, *PAGES] for each in consoles(page)]


def name(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", EXAMPLES, ids=name)
def test_examples_of_a_page_run(page):
    """All >>> lines, in order, in one session; none stands where it is not seen."""
    session = examples(page)
    assert doctest.DocTestRunner(optionflags=FLAGS).run(session).failed == 0
    assert page.read_text().count(">>> ") == len(session.examples)


@pytest.mark.parametrize(("page", "command", "shown"), CONSOLES, ids=[f"{name(p)}: {c}" for p, c, _ in CONSOLES])
def test_the_console_prints_what_a_page_shows(page, command, shown, capsys):
    """Each ``$ gegenflow ...`` of a quick subcommand, compared with the text below it."""
    assert agrees(shown, printed(command, capsys))


@pytest.mark.parametrize("words", sorted(COMMANDS))
def test_commands_that_a_page_names_are_understood(words):
    """Every option of them exists and takes what it is given."""
    given = shlex.split(words)
    assert command_line().understand(given).command == given[0]


def test_the_pages_count_the_laws():
    """Those that the main job tries, as the README and the guide say."""
    quick = sum(law.quick for law in laws())
    for page in (README, ROOT / "docs" / "guide" / "validation.md"):
        assert f" checks of {quick} laws" in page.read_text()


def test_the_readme_can_be_read_at_one_sitting():
    """Six thousand bytes, and what stands on other pages is named there."""
    assert len(README.read_bytes()) <= 6000


def test_links_in_the_readme_need_no_base():
    """The page of an index knows no folder beside it: whole addresses, or the name of a file; pictures have words."""
    text = README.read_text()
    links = re.findall(r"(!?)\[([^]]*)\]\(([^)\s]+)\)", text)
    assert all(words and (picture or where.startswith("https://")) for picture, words, where in links)
    named = [where for picture, _, where in links if picture]
    named += re.findall(r"\b((?:docs|worked_examples|theory|numerics|tests)/[\w./]*)", text)
    assert len(named) > 5
    assert all((ROOT / where).exists() for where in named)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_what_a_page_links_to_is_there(page):
    """Pictures with words, and files beside the page."""
    links = re.findall(r"(!?)\[([^]]*)\]\(([^)\s]+)\)", re.sub(r"\$[^$]+\$", "", page.read_text()))
    for picture, words, where in links:
        assert words or not picture
        assert where.startswith(("https://", "#")) or (page.parent / where.split("#")[0]).exists(), where


def test_the_readme_gives_two_commands_from_nothing():
    """One that runs the main job and one that runs the tests, each with its own virtual environment."""
    lines = [line for _, block in fenced(README) for line in block.splitlines() if line.startswith("python3 -m venv")]
    assert len(lines) == 2
    assert sum("gegenflow validate" in line for line in lines) == 1
    assert sum("pytest" in line for line in lines) == 1


def test_the_guide_names_every_public_name():
    """As a word in code on one of its pages."""
    guide = "".join(page.read_text() for page in PAGES if page.parent.name == "guide")
    words = {word for code in re.findall(r"```.*?```|`[^`\n]+`", guide, re.DOTALL) for word in re.findall(r"\w+", code)}
    unnamed = {full for full in NAMES if full.rpartition(".")[2] not in words}
    assert not unnamed, "name them on the page of their room in docs/guide"
