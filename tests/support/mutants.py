"""A round of mutants: one operator, comparison, constant or returned part changed at a time; who survives its tests?

    python tests/support/mutants.py theory --count 40 --rng 0

Works in a copy of the tree, which it removes. The tests of a module are its doctests and at most three files of
tests/theory or tests/numerics: that of its name, that of its room, and those that name most of what it, or a module
that imports it, defines. Most mutants are seen by a doctest or the first file: the others are asked about the rest.
For numerics/validation they are those of tests/agreement and tests/house too, and the trials of the laws that need the
module.
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

from gegenflow.numerics.validation.law import laws

ROOT = Path(__file__).parents[2]
LAWS = Path("tests/agreement/test_laws.py")
BRIDGE = {"trials": (), "command": ("house",), "validation": ("agreement", "house", "numerics")}
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


def words_of(files):
    """A pattern of the names of these modules and of what they define."""
    names = [n.name for file in files for n in ast.parse(file.read_text()).body if hasattr(n, "name")]
    return re.compile(rf"\b({'|'.join([*names, *(file.stem for file in files)])})\b")


def needing(files, side):
    """The modules of this side that import one of these."""
    places = "|".join(rf"{file.parent.name}\.{file.stem}" for file in files)
    imported = re.compile(rf"\b({places}) import")
    return {path for path in (ROOT / side).glob("**/*.py") if files and imported.search(path.read_text())}


def tests_of(path, side):
    """Three test files: of its name or its room's, then those that name most of it; on the bridge its laws too."""
    users = needing({path}, side)
    patterns = words_of([path]), words_of([path, *users])
    folders = next((found for room, found in BRIDGE.items() if room in path.parts), (side,))
    files = {test for folder in folders for test in (ROOT / "tests" / folder).glob("test_*.py")} - {ROOT / LAWS}
    found = {test: [len({*words.findall(test.read_text())}) for words in patterns] for test in sorted(files)}
    own = [ROOT / "tests" / side / f"test_{name}.py" for name in (path.stem, path.parent.name)]
    naming = sorted(filter(lambda one: any(found[one]), found), key=lambda one: (one in own, found[one]), reverse=True)
    chosen = [str(test.relative_to(ROOT)) for test in naming[:3]]
    return [*chosen, *(trials_of({path, *users, *needing(users, side)}) if "validation" in path.parts else ())]


def trials_of(rooms):
    """The tests of the laws that these rooms make."""
    for law in laws():
        if ROOT / (law.trial.__module__.removeprefix("gegenflow.").replace(".", "/") + ".py") in rooms:
            yield f"{LAWS}::test_a_law_holds_and_could_have_failed[{law.name}]"
            if law.quick and law.name != "uniform tokens":
                yield f"{LAWS}::test_a_quick_law_passes_at_its_defaults_and_fails_for_a_mutant_theory[{law.name}]"


def copied(folder):
    """A copy of the tree, importable from its folder "links" before any install."""
    shutil.copytree(
        ROOT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", "*.png")
    )
    package = folder / "links" / "gegenflow"
    shutil.copytree(ROOT / "src/gegenflow", package)
    for side in ("theory", "numerics"):
        (package / side).symlink_to(folder / side)


def seen_by(copy, tests, seconds):
    """The first test that fails, if any: a mutant that runs out of time is seen. What numba keeps stays in the copy."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    places = os.environ | {"PYTHONPATH": str(copy / "links"), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(copy)}
    options = {"timeout": seconds, "capture_output": True, "check": False, "text": True}
    try:
        done = subprocess.run(command, cwd=copy, env=places, **options)
    except subprocess.TimeoutExpired:
        return "the time that ran out"
    failed = re.search(r"^(?:FAILED|ERROR) (.*?)(?: - .*)?$", done.stdout, re.MULTILINE)
    return failed[1] if failed else done.returncode and "a crash"


def main():
    """Make the round, and print who saw each mutant, or that it survived, and their number."""
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
            calls = ["--doctest-modules", f"links/gegenflow/{place}", *tests[:1]], tests[1:]
            seen = next(filter(None, (seen_by(Path(folder), call, options.seconds) for call in calls if call)), None)
            (Path(folder) / place).write_text(text)
            survivors += not seen
            print(f"seen     {place} {said} by {seen}" if seen else f"SURVIVED {place} {said}", flush=True)
    print(f"{survivors} survived of {min(options.count, len(every))}")


if __name__ == "__main__":
    main()
