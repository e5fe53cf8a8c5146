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
    """The one place of each public name: its room, or the side where no room has it."""
    found = {}
    for side in SIDES:
        own = {name: room.__name__ for room in rooms(side) for names in held(room).values() for name in names}
        found |= {(side, name): side.__name__ for names in held(side).values() for name in names}
        found |= {(side, name): home for name, home in own.items()}
    return found


def entry(package, module, name):
    """The directive that describes one public name."""
    thing, full = getattr(package, name), f"{package.__name__}.{name}"
    if inspect.isclass(thing):
        return f".. autoclass:: {full}\n   :members:\n"
    if inspect.isroutine(thing):
        return f".. autofunction:: {full}\n"
    return f".. py:data:: {full}\n\n{textwrap.indent(said(package, module, name), '   ')}\n"


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


def described(package, side):
    """Module by module: what it says of itself, then its public names whose place is this package."""
    for module, names in held(package).items():
        here = [name for name in names if homes()[side, name] == package.__name__]
        if here:
            yield from (title(module, "-"), f".. automodule:: {package.__name__}.{module}\n")
            yield from (entry(package, module, name) for name in here)


def side_page(side):
    """The page of a side: its rooms, its core names as links to where they are described, and the others."""
    short = side.__name__.removeprefix("gegenflow.")
    rooms_of = [(room.__name__.rpartition(".")[2], room.__doc__.splitlines()[0]) for room in rooms(side)]
    names = {name for listed in held(side).values() for name in listed}
    return [
        title(short),
        f".. py:module:: {side.__name__}\n",
        f"{side.__doc__.split(chr(10) * 2)[0]}\n",
        *(f"* :doc:`{short}/{name}`: {line}" for name, line in rooms_of),
        "\n.. toctree::\n   :hidden:\n\n" + "".join(f"   {short}/{name}\n" for name, _ in rooms_of),
        title(f"Names on {short}", "-"),
        "Those of a room are described there.\n",
        *(f"* :py:obj:`{name} <{homes()[side, name]}.{name}>`" for name in sorted(names)),
        "",
        *described(side, side),
    ]


def room_page(room, side):
    """The page of a room."""
    name = room.__name__.rpartition(".")[2]
    return [title(name), f".. automodule:: {room.__name__}\n", *described(room, side)]


def write(folder):
    """All pages below api/; those of rooms that are gone are removed."""
    written = {}
    for side in SIDES:
        short = side.__name__.removeprefix("gegenflow.")
        written[folder / "api" / f"{short}.rst"] = side_page(side)
        for room in rooms(side):
            written[folder / "api" / short / f"{room.__name__.rpartition('.')[2]}.rst"] = room_page(room, side)
    for path in set((folder / "api").rglob("*.rst")) - set(written):
        path.unlink()
    for path, parts in written.items():
        text = "\n".join(parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
