"""The house rules: two sides that do not know each other, names that load on first use, and a tidy root."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SIDES = ("theory", "numerics")
BRIDGES = {"validation.py", "cli.py"}
"""The two rooms of the numerics that may see the theory."""
AT_THE_ROOT = {
    *("pyproject.toml", "README.md", "theory", "numerics", "tests", "worked_examples", "LICENSE", ".gitignore", ".ci"),
}
BANNED = {
    "theory": {"numba", "scipy", "matplotlib", "tqdm", "numerics", "gegenflow.numerics"},
    "numerics": {"sympy", "flint", "mpmath", "theory", "gegenflow.theory"},
}
FOREIGN = {
    "theory": ["numba", "scipy", "matplotlib", "tqdm", "gegenflow.numerics"],
    "numerics": ["sympy", "flint", "mpmath", "matplotlib", "gegenflow.theory"],
}


def sources(side):
    return sorted((ROOT / side).glob("**/*.py"))


def imports(path):
    """Every module that a file imports, anywhere in it, with the names taken from it as submodules."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports inside are absolute"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in (
            "import_module",
            "__import__",
        ):
            found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    return found


def breaks(found, banned):
    return {name for name in found for ban in banned if name == ban or name.startswith(ban + ".")}


def test_import_rule_is_seen_to_be_broken(tmp_path):
    """The reader of imports finds each way of writing one."""
    for text in (
        "import sympy",
        "from gegenflow import theory as th",
        "from gegenflow.theory.growth import growth_rate",
        "def f():\n    import flint.flint_mpoly",
        "import importlib\nimportlib.import_module('mpmath')",
    ):
        (tmp_path / "room.py").write_text(text)
        assert breaks(imports(tmp_path / "room.py"), BANNED["numerics"]), text


@pytest.mark.parametrize("side", SIDES)
def test_a_side_never_imports_the_other(side):
    """By the syntax of every file: nothing of the other side, nor of the libraries that belong to it."""
    assert len(sources(side)) > 5
    for path in sources(side):
        allowed = {"gegenflow.theory"} if side == "numerics" and path.name in BRIDGES else set()
        assert not breaks(imports(path), BANNED[side] - allowed), path.name


def test_both_bridges_are_still_bridges():
    """The exemption is used by exactly the two files that have it."""
    seen = {path.name for path in sources("numerics") if breaks(imports(path), {"gegenflow.theory"})}
    assert seen == BRIDGES


@pytest.mark.parametrize("side", SIDES)
def test_importing_a_side_loads_nothing_else(side):
    """In a fresh process: only the package itself, in well under the half second of the design."""
    code = (
        "import sys, time; start = time.perf_counter(); "
        f"import gegenflow.{side}; seconds = time.perf_counter() - start; "
        "print(seconds, *sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    seconds, *loaded = answer.stdout.split()
    assert f"gegenflow.{side}" in loaded
    assert not breaks(loaded, FOREIGN[side])
    assert float(seconds) < 0.5


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("from gegenflow.theory import critical_beta as f; f(2, dim=3)", FOREIGN["theory"]),
        (
            "from gegenflow.numerics import simulate, uniform; simulate(uniform(9, 3, rng=0), beta=1, t_end=0.1)",
            FOREIGN["numerics"],
        ),
    ],
)
def test_using_a_side_loads_nothing_of_the_other(code, absent):
    """A certified number without numba, a run without sympy."""
    answer = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    assert not breaks(answer.stdout.split(), absent)


@pytest.mark.parametrize("side", SIDES)
def test_public_names_are_the_same_three_times(side):
    """__all__, the names that type checkers see and the table of homes agree, and every name resolves to its home."""
    package = importlib.import_module(f"gegenflow.{side}")
    tree = ast.parse((ROOT / side / "__init__.py").read_text())
    (block,) = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    typed = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            assert alias.asname == alias.name
            typed[alias.name] = node.module
    assert sorted(typed) == package.__all__ == dir(package)
    assert typed == {name: f"gegenflow.{side}.{home}" for name, home in package.HOME.items()}
    for _ in range(2):  # the second time every home is loaded: a module must not shadow a name
        for name, home in typed.items():
            assert getattr(package, name) is getattr(importlib.import_module(home), name), name


@pytest.mark.parametrize("side", SIDES)
def test_an_unknown_name_is_an_attribute_error(side):
    """As for any module, with the name in the message."""
    package, name = importlib.import_module(f"gegenflow.{side}"), "attention_is_all_you_need"
    with pytest.raises(AttributeError, match=name):
        getattr(package, name)
    with pytest.raises(ImportError):
        importlib.import_module(f"gegenflow.{side}.{name}")


@pytest.mark.parametrize("side", SIDES)
def test_a_side_is_typed_and_flat(side):
    """py.typed is there and every module lies in the one folder that the build lists."""
    assert (ROOT / side / "py.typed").is_file()
    assert all(path.parent == ROOT / side for path in sources(side))


def test_the_root_holds_only_what_the_plan_names():
    """Tracked names at the root."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split("/")[0] for line in listed.splitlines()} <= AT_THE_ROOT
    assert {"pyproject.toml", "README.md", "LICENSE", *SIDES} <= {path.name for path in ROOT.iterdir()}
