"""The gallery, made from the docstrings, the figures and the recorded tables of worked_examples/."""

import ast
import re

from gegenflow.numerics.validation import law_named

RUN = re.compile(r"^(python \S+.*?) {2,}\((.*)\)(.*)$")


def escaped(text):
    """A paragraph as it reads, where reStructuredText would see marks."""
    return re.sub(r"([\\*`|_])", r"\\\1", text)


def paragraph(text):
    """A paragraph of a docstring; one that is indented is a formula, kept as it is."""
    if text.startswith("    "):
        return f".. code-block:: text\n\n{text}\n"
    return escaped(text) + "\n"


def commands(text):
    """What the paragraph "Run:" of a docstring says: (command, time it takes, what else) of each line."""
    lines = [line.strip().removeprefix("Run: ") for line in text.splitlines()]
    return [RUN.match(line).groups() for line in lines]


def tried(path):
    """The names, or what tells them, of the laws that a script puts on trial by validate and law_named."""

    def trial(node):
        called = getattr(node, "func", None)
        return getattr(called, "attr", getattr(called, "id", None)) in ("validate", "law_named")

    for node in ast.walk(ast.parse(path.read_text())):
        if trial(node):
            yield from texts(node.args)
        if isinstance(node, ast.ListComp) and trial(node.elt):
            yield from (name for loop in node.generators for name in texts(getattr(loop.iter, "elts", ())))


def texts(nodes):
    """Those of some expressions that are texts."""
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def verdicts(path, laws):
    """A table of the recorded verdicts on the laws that a script tries, if it tries any."""
    names = dict.fromkeys(law_named(name).name for name in tried(path))
    if names:
        yield ".. list-table::\n   :header-rows: 1\n"
        yield "   * - :doc:`law </laws>`\n     - worst check\n     - nearest rival"
        for name in names:
            _, _, _, worst, rival, _ = laws[name]
            yield f"   * - {escaped(name)}\n     - {escaped(worst)}\n     - {escaped(rival)}"
        yield ""


def recorded(page):
    """The rows of the page of laws, by name."""
    rows = [line.strip("| ").split(" | ") for line in page.read_text().splitlines() if line.startswith("| ")]
    return {row[0]: [*row, ""][:6] for row in rows}


def section(path, laws):
    """A worked example: what it shows, its figure, its table where one is recorded, its commands and their times."""
    heading, *body, run = ast.get_docstring(ast.parse(path.read_text())).split("\n\n")
    yield f".. _example-{path.stem}:\n"
    yield f"{path.stem}\n{'-' * len(path.stem)}\n"
    yield f"**{escaped(heading)}**\n"
    for figure in sorted(path.parent.glob(f"{path.stem}*.png")):
        yield f".. image:: /../worked_examples/{figure.name}\n   :alt: {heading}\n"
    yield from map(paragraph, body)
    yield from verdicts(path, laws)
    yield ".. list-table::\n   :header-rows: 1\n\n   * - command\n     - takes, and writes"
    for command, takes, more in commands(run):
        yield f"   * - ``{command}``\n     - {escaped(takes + more)}"
    yield f"\n.. literalinclude:: ../worked_examples/{path.stem}.txt\n   :language: text\n   :class: recorded\n"
    files = [path, *sorted(path.parent.glob(f"{path.stem}*.csv"))]
    for table in files[1:]:
        yield f"\n.. container:: recorded\n\n   .. csv-table::\n      :file: ../worked_examples/{table.name}"
        yield "      :header-rows: 1\n"
    yield "\n" + ", ".join(f":download:`{file.name} </../worked_examples/{file.name}>`" for file in files) + "\n"


def gallery(examples):
    """The whole page."""
    paths, laws = sorted(examples.glob("*.py")), recorded(examples.parent / "docs" / "laws.md")
    yield "Gallery\n=======\n"
    yield (
        "One script for each published result or question. Each prints a table of what is predicted, published and\n"
        "measured, and draws its figure; both go to the screen where no file is named. Below each are the laws that\n"
        "it tries, with the verdicts recorded for their defaults, and what it printed.\n"
    )
    yield ".. container:: gallery\n"
    for path in (path for path in paths if path.with_suffix(".png").exists()):
        yield f"   .. image:: /../worked_examples/{path.stem}.png\n      :alt: {path.stem}"
        yield f"      :target: #example-{path.stem.replace('_', '-')}\n"
    for path in paths:
        yield from section(path, laws)


def write(folder):
    """The page beside the others."""
    (folder / "gallery.rst").write_text("\n".join(gallery(folder.parent / "worked_examples")))
