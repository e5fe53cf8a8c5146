"""The site: it builds without a warning, describes every public name once, and every page shows what it should."""

import collections
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.browser import CHROMIUM, Browser
from support.examples import EXAMPLES, load_module

from gegenflow import numerics, theory

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
gallery, pages, papers = (load_module(DOCS / f"{name}.py") for name in ("gallery", "pages", "papers"))
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open pages with")


def public_names():
    """The full name of every public thing that is no room, once for each thing, as the packages list them."""
    found = {}
    for side in (theory, numerics):
        for package in (*pages.rooms(side), side):  # the rooms first: they are where a name lives
            for name in package.__all__:
                thing = getattr(package, name)
                if not hasattr(thing, "__path__") and getattr(thing, "__spec__", None) is None:
                    found.setdefault(id(thing), f"{package.__name__}.{name}")
    return set(found.values())


def described(folder):
    """How often each name has an entry on the pages of the API."""
    text = "\n".join(path.read_text() for path in (folder / "api").rglob("*.rst"))
    entries = re.findall(r"^\.\. auto(?:class|function):: (\S+)$", text, re.MULTILINE)
    data = re.findall(r"^\.\. py:data:: (\S+)\n   :module: (\S+)$", text, re.MULTILINE)
    return collections.Counter([*entries, *(f"{module}.{name}" for name, module in data)])


def test_every_public_name_has_one_place(tmp_path):
    """On exactly one page, and the pages of what is gone are gone."""
    stale = tmp_path / "api" / "theory" / "alchemy.rst"
    stale.parent.mkdir(parents=True)
    stale.write_text("alchemy\n=======\n")
    pages.write(tmp_path)
    assert not stale.exists()
    assert len(public_names()) > 250
    assert described(tmp_path) == dict.fromkeys(public_names(), 1)


def test_every_worked_example_is_in_the_gallery_with_its_laws():
    """Once, with its figures, its commands and the laws that it tries as they are recorded."""
    text = "\n".join(gallery.gallery(EXAMPLES))
    parts = dict(re.findall(r"^\.\. _example-(\w+):\n(.*?)(?=^\.\. _example-|\Z)", text, re.MULTILINE | re.DOTALL))
    assert set(parts) == {path.stem for path in EXAMPLES.glob("*.py")}
    for name, part in parts.items():
        assert f"``python worked_examples/{name}.py" in part
        assert all(figure.name in part for figure in EXAMPLES.glob(f"{name}*.png"))
        assert f"literalinclude:: ../worked_examples/{name}.txt" in part
    tried = {name: set(gallery.tried(EXAMPLES / f"{name}.py")) for name in parts}
    assert tried["multihead"] > {"growth under several heads", "entropy"}
    assert tried["metastable_clustering"] == {"uniform tokens", "density modes", "angles of emerging clusters"}
    assert "entropy of attention" in parts["multihead"]


def test_the_law_of_the_page_on_laws_holds():
    """The one that shows how to write one, in a process of its own, as it would be listed among the others."""
    (code,) = re.findall(r"^```python\n(.*?)^```", (DOCS / "extending.md").read_text(), re.MULTILINE | re.DOTALL)
    code += "\nfor model in ('usa', 'sa'):\n    (check,) = contraction(np.random.default_rng(0), beta=2, model=model)\n"
    told = subprocess.run(
        [sys.executable, "-c", code + "    assert check.passed, check\n"], capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr


def test_each_paper_with_authors_is_named_in_the_sources():
    """No stale entry, and what the pages say of a paper is found in them."""
    held = papers.places(ROOT)
    assert set(papers.AUTHORS) <= set(held)
    assert "noise" in held["2604.16288"]["theory"]


def test_the_citation_names_this_version():
    """CITATION.cff and the page beside it."""
    version = importlib.metadata.version("gegenflow").split("+")[0]
    cff = dict(re.findall(r"^([\w-]+): (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE))
    assert (cff["cff-version"], cff["version"], cff["license"]) == ("1.2.0", version, "MIT")
    assert f"version = {{{version}}}" in (DOCS / "citation.md").read_text()
    assert f"## {version}" in (DOCS / "changelog.md").read_text()


@pytest.fixture
def site(tmp_path):
    """The site as Sphinx builds it without a warning, or as .ci/run has just built it, in the folder GEGENFLOW_SITE."""
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    if "GEGENFLOW_SITE" in os.environ:
        return Path(os.environ["GEGENFLOW_SITE"])
    line = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(DOCS), str(tmp_path)]
    told = subprocess.run(line, capture_output=True, text=True, cwd=ROOT)
    assert told.returncode == 0, told.stderr
    return tmp_path


def test_the_site_builds_and_every_page_of_it_is_sound(site):
    """Each public name is in the inventory, and each page in a browser shows no error and every formula."""
    inventory = importlib.import_module("sphinx.util.inventory").InventoryFile
    held = inventory.loads((site / "objects.inv").read_bytes(), uri="").data
    assert public_names() <= {name for kind in ("class", "function", "data") for name in held[f"py:{kind}"]}
    api = "".join(path.read_text() for path in (site / "api").rglob("*.html"))
    assert "ArrayLike" in api
    assert "_SupportsArray" not in api, "a signature spells out what ArrayLike stands for"
    if CHROMIUM is None:
        pytest.skip("built, but no Chromium here to open the pages with")
    built = sorted(site.rglob("*.html"))
    assert {"index.html", "laws.html", "conventions.html"} <= {path.name for path in built}
    with Browser() as browser:
        faults = {str(path.relative_to(site)): browser.faults(path) for path in built}
    assert not {name: found for name, found in faults.items() if found}


@in_a_browser
@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (r'<span class="math">\(k^2 + 1\)</span>', None),
        (r'<span class="math">\(\frac{k}\)</span>', r"formula: \frac{k}"),
        (r'<span class="math">\(\gama_k\)</span>', r"formula: \gama"),
        (r'<span class="math">k^2</span>', "not rendered: k^2"),
        (r"<p>the rate :math:`k^2`</p>", "raw: :math:"),
        (r"<p>the rate $\gamma_k$</p>", r"raw: $\gamma_k"),
        ("<script>console.error('lost')</script>", "console: lost"),
        ("<script>throw new Error('lost')</script>", "thrown: Error: lost"),
        ("<script src='lost.js'></script>", "log: Failed to load"),
    ],
)
def test_a_fault_of_a_page_is_seen(tmp_path, body, fault):
    """A broken formula, one that nothing set, an error on the console: each on a page of its own."""
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    mathjax = Path(importlib.import_module("sphinx-mathjax-offline").__file__).parent / "static/mathjax/tex-chtml.js"
    page = tmp_path / "page.html"
    page.write_text(f"<script src='{mathjax.as_uri()}'></script><body>{body}</body>")
    with Browser() as browser:
        found = browser.faults(page)
    assert [line[: len(fault or line)] for line in found] == [fault] * bool(fault)
