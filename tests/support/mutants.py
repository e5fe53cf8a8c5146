"""A round of mutants: one operator, comparison, constant or returned part changed at a time; who survives its tests?

    python tests/support/mutants.py theory --count 40 --rng 0

Works in a copy of the tree, which it removes. The tests of a module are the files of tests/theory or tests/numerics
that name it, one of its functions, or a module of its room that imports it, at most three, those that name most of them
first, and its doctests.
"""

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
SWAPS = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult},
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq},
}
PARTS = {"mid": "rad", "rad": "mid", "lower": "upper", "upper": "lower", "min": "max", "max": "min"}


def places(tree):
    """Every node that a mutant may change, in the order of the text."""
    for node in ast.walk(tree):
        number = isinstance(node, ast.Constant) and type(node.value) in (int, float)
        swapped = isinstance(node, ast.BinOp) and type(node.op) in SWAPS
        compared = isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS
        named = getattr(node, "attr", getattr(node, "id", None)) in PARTS
        if number or swapped or compared or named:
            yield node


def mutated(text, number):
    """The text with the node of this number changed, and what was done in words."""
    tree = ast.parse(text)
    node = list(places(tree))[number]
    before = ast.unparse(node)
    if isinstance(node, ast.Constant):
        node.value = node.value + 1 if node.value == 0 else node.value * 2
    elif isinstance(node, ast.BinOp):
        node.op = SWAPS[type(node.op)]()
    elif isinstance(node, ast.Compare):
        node.ops[0] = SWAPS[type(node.ops[0])]()
    else:
        name = "attr" if isinstance(node, ast.Attribute) else "id"
        setattr(node, name, PARTS[getattr(node, name)])
    return ast.unparse(ast.fix_missing_locations(tree)), f"line {node.lineno}: {before} -> {ast.unparse(node)}"


def tests_of(path, side):
    """The test files that name the module, its functions or a module that needs it, the three that do most."""
    users = [other for other in path.parent.glob("*.py") if f".{path.stem} import" in other.read_text()]
    names = [n.name for file in (path, *users) for n in ast.parse(file.read_text()).body if hasattr(n, "name")]
    names += [path.stem, *(file.stem for file in users)]
    words = re.compile(rf"\b({'|'.join(names)})\b")
    found = {test: len({*words.findall(test.read_text())}) for test in (ROOT / "tests" / side).glob("test_*.py")}
    return [str(test.relative_to(ROOT)) for test in sorted(found, key=found.get, reverse=True)[:3] if found[test]]


def copied(folder):
    """A copy of the tree, importable from its folder "links" before any install."""
    shutil.copytree(
        ROOT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", "*.png")
    )
    package = folder / "links" / "gegenflow"
    shutil.copytree(ROOT / "src/gegenflow", package)
    for side in ("theory", "numerics"):
        (package / side).symlink_to(folder / side)


def survives(copy, tests, seconds):
    """Whether all tests pass; a mutant that runs out of time was seen. What numba keeps stays in the copy."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    places = os.environ | {"PYTHONPATH": str(copy / "links"), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(copy)}
    try:
        done = subprocess.run(command, cwd=copy, env=places, timeout=seconds, capture_output=True, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main():
    """Make the round, and print each survivor as it is found and their number."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("side", choices=("theory", "numerics"))
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--rng", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--only", default="", help="a part of the path of the modules to change")
    options = parser.parse_args()
    files = [path for path in sorted((ROOT / options.side).glob("**/*.py")) if options.only in str(path)]
    every = [(path, k) for path in files for k, _ in enumerate(places(ast.parse(path.read_text())))]
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        copied(Path(folder))
        for path, number in random.Random(options.rng).sample(every, min(options.count, len(every))):
            text, place = path.read_text(), path.relative_to(ROOT)
            changed, said = mutated(text, number)
            (Path(folder) / place).write_text(changed)
            tests = tests_of(path, options.side)
            alive = survives(Path(folder), [*tests, "--doctest-modules", str(place)], options.seconds)
            (Path(folder) / place).write_text(text)
            survivors += alive
            print("SURVIVED" if alive else "seen    ", place, said, flush=True)
    print(f"{survivors} survived of {min(options.count, len(every))}")


if __name__ == "__main__":
    main()
