"""The gallery, made from the docstrings, the figures and the recorded tables of worked_examples/."""

import ast
import re

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


def section(path):
    """A worked example: what it shows, its figure, its table where one is recorded, its commands and their times."""
    heading, *body, run = ast.get_docstring(ast.parse(path.read_text())).split("\n\n")
    yield f".. _example-{path.stem}:\n"
    yield f"{path.stem}\n{'-' * len(path.stem)}\n"
    yield f"**{escaped(heading)}**\n"
    for figure in sorted(path.parent.glob(f"{path.stem}*.png")):
        yield f".. image:: /../worked_examples/{figure.name}\n   :alt: {heading}\n"
    yield from map(paragraph, body)
    yield ".. list-table::\n   :header-rows: 1\n\n   * - command\n     - takes, and writes"
    for command, takes, more in commands(run):
        yield f"   * - ``{command}``\n     - {escaped(takes + more)}"
    files = [path, *sorted(path.parent.glob(f"{path.stem}*.csv"))]
    yield "\n" + ", ".join(f":download:`{file.name} </../worked_examples/{file.name}>`" for file in files) + "\n"


def gallery(examples):
    """The whole page."""
    paths = sorted(examples.glob("*.py"))
    yield "Gallery\n=======\n"
    yield (
        "One script for each published result or question. Each prints a table of what is predicted, published and\n"
        "measured, and draws its figure; both go to the screen where no file is named.\n"
    )
    yield ".. container:: gallery\n"
    for path in (path for path in paths if path.with_suffix(".png").exists()):
        yield f"   .. image:: /../worked_examples/{path.stem}.png\n      :alt: {path.stem}"
        yield f"      :target: #example-{path.stem.replace('_', '-')}\n"
    for path in paths:
        yield from section(path)


def write(folder):
    """The page beside the others."""
    (folder / "gallery.rst").write_text("\n".join(gallery(folder.parent / "worked_examples")))
