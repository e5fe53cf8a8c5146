"""What the sources say, made into pages when the site is built: one for each room, with its public names."""

import ast
import functools
import importlib
import inspect
import pkgutil
import textwrap
from pathlib import Path

from gegenflow import numerics, theory

SIDES = (theory, numerics)


def rooms(side):
    """The packages of a side, in the order of its docstring."""
    found = [name for _, name, is_package in pkgutil.iter_modules(side.__path__) if is_package]
    ordered = sorted(found, key=lambda name: side.__doc__.index(f"\n{name} "))
    return [importlib.import_module(f"{side.__name__}.{name}") for name in ordered]


def held(package):
    """The public names of a package by the module that has them, as its stub lists them; rooms are none."""
    found = {}
    for node in ast.parse(Path(package.__file__).with_suffix(".pyi").read_text()).body:
        if node.module:
            found.setdefault(node.module, []).extend(alias.name for alias in node.names)
    return found


@functools.cache
def homes():
    """The one full name of each public thing, by its identity: in its room, or on the side where no room has it."""
    found = {}
    for side in SIDES:
        for package in (*rooms(side), side):
            for name in (name for names in held(package).values() for name in names):
                found.setdefault(id(getattr(package, name)), f"{package.__name__}.{name}")
    return found


def entry(package, module, name):
    """The directive that describes one public name."""
    thing, full = getattr(package, name), f"{package.__name__}.{name}"
    if inspect.isclass(thing):
        return f".. autoclass:: {full}\n   :members:\n"
    if inspect.isroutine(thing):
        return f".. autofunction:: {full}\n"
    text = textwrap.indent(said(package, module, name), "   ")
    return f".. py:data:: {name}\n   :module: {package.__name__}\n\n{text}\n"


def said(package, module, name):
    """The text below an assignment in a module."""
    body = ast.parse(inspect.getsource(importlib.import_module(f"{package.__name__}.{module}"))).body
    where = next(number for number, node in enumerate(body) if name in map(ast.unparse, targets(node)))
    return body[where + 1].value.value


def targets(node):
    """What a statement assigns to."""
    return getattr(node, "targets", [node.target] if hasattr(node, "target") else [])


def title(text, line="="):
    """A heading."""
    return f"{text}\n{line * len(text)}\n"


def described(package):
    """Module by module: what it says of itself, then its public names whose place is this package."""
    for module, names in held(package).items():
        here = [name for name in names if homes()[id(getattr(package, name))] == f"{package.__name__}.{name}"]
        if here:
            yield from (title(module, "-"), f".. automodule:: {package.__name__}.{module}\n")
            yield from (entry(package, module, name) for name in here)


def side_page(side):
    """The page of a side: its rooms, its core names as links to where they are described, and the others."""
    short = last(side.__name__)
    own = [(last(room.__name__), room.__doc__.splitlines()[0]) for room in rooms(side)]
    links = {name: homes()[id(getattr(side, name))] for names in held(side).values() for name in names}
    return [
        title(short),
        f".. py:module:: {side.__name__}\n",
        side.__doc__.split("\n\n")[0] + "\n",
        *(f"* :doc:`{short}/{name}`: {line}" for name, line in own),
        "\n.. toctree::\n   :hidden:\n\n" + "".join(f"   {short}/{name}\n" for name, _ in own),
        title("Core names", "-"),
        f"Of the package itself, ``from gegenflow import {short}``; each is described once, in its room.\n",
        *(f"* :py:obj:`{name} <{home}>`" for name, home in sorted(links.items())),
        "",
        *described(side),
    ]


def last(name):
    """The last part of a dotted name."""
    return name.rpartition(".")[2]


def write(folder):
    """All pages below api/; those of rooms that are gone are removed."""
    written = {}
    for side in SIDES:
        short = last(side.__name__)
        written[folder / "api" / f"{short}.rst"] = side_page(side)
        for room in rooms(side):
            parts = [title(last(room.__name__)), f".. automodule:: {room.__name__}\n", *described(room)]
            written[folder / "api" / short / f"{last(room.__name__)}.rst"] = parts
    for path in set((folder / "api").rglob("*.rst")) - set(written):
        path.unlink()
    for path, parts in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(parts))
