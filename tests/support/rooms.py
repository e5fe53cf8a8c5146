"""The tables of modules of the site, made from the tree: ``python tests/support/rooms.py`` writes it."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "rooms.md"
START, END = "<!-- rooms: python tests/support/rooms.py -->\n", "<!-- end of rooms -->\n"


def first_line(path):
    """The first line of the docstring of a file, its formulas as Markdown has them."""
    line = ast.get_docstring(ast.parse(path.read_text())).splitlines()[0]
    return re.sub(r":math:`([^`]*)`", r"$\1$", line)


def table(side):
    """A row for each file beside the rooms and for each room, with its files, from the docstrings."""
    rows = [f"| {side} | holds | files |", "| --- | --- | --- |"]
    for path in sorted((ROOT / side).iterdir()):
        if path.suffix == ".py" and path.name != "__init__.py":
            rows.append(f"| `{path.name}` | {first_line(path)} | |")
        elif (path / "__init__.py").is_file():
            files = sorted(file.stem for file in path.glob("*.py") if file.name != "__init__.py")
            files += sorted(f"{folder.name}/" for folder in path.iterdir() if (folder / "__init__.py").is_file())
            rows.append(f"| `{path.name}/` | {first_line(path / '__init__.py')} | {', '.join(files)} |")
    return "\n".join(rows) + "\n"


def written():
    """The page with its tables as the tree has them."""
    before, rest = PAGE.read_text().split(START)
    return before + START + "\n" + table("theory") + "\n" + table("numerics") + "\n" + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(written())
