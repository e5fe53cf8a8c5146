"""The house rules: two sides that do not know each other, names that load on first use, and a tidy root."""

import ast
import importlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SIDES = ("theory", "numerics")
BRIDGE = "validation"
NO_NAMES = (".batches", ".command", ".compiled", ".pages", ".pictures", ".trials", ".trials.systems")
"""The one room of the numerics that may see the theory."""
STAIRS = {
    "theory": (
        *(("symbols",), ("exact",), ("sphere",), ("kernels",), ("proofs",), ("growth",), ("phases",)),
        *(
            ("finite_tokens", "expansions", "noise", "clusters"),
            ("synchronization",),
            ("low_temperature", "causal", "multihead", "spectral_selection", "random_layers"),
            ("derived",),
        ),
    ),
    "numerics": (
        *(("tokens",), ("flows",), ("fields",), ("integrators",), ("densities",)),
        *(("observables", "systems"), ("runs",), ("validation",)),
    ),
}
"""The rooms of each side: one imports only from itself and from those on the steps before."""
MOST_FILES, MOST_LINES = 16, 300
AT_THE_ROOT = {
    *("pyproject.toml", "README.md", "theory", "numerics", "tests", "worked_examples", "LICENSE", ".gitignore", ".ci"),
    *("src", "docs", "CITATION.cff", "CONTRIBUTING.md", ".github", ".pre-commit-config.yaml"),
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
        "from gegenflow.theory.growth.rates import growth_rate",
        "def f():\n    import flint.flint_mpoly",
        "import importlib\nimportlib.import_module('mpmath')",
    ):
        (tmp_path / "room.py").write_text(text)
        assert breaks(imports(tmp_path / "room.py"), BANNED["numerics"]), text


def room(path, side):
    """The room of a file, or the name of a file beside the rooms."""
    return path.relative_to(ROOT / side).parts[0].removesuffix(".py")


@pytest.mark.parametrize("side", SIDES)
def test_a_side_never_imports_the_other(side):
    """By the syntax of every file: nothing of the other side, nor of the libraries that belong to it."""
    assert len(sources(side)) > 5
    for path in sources(side):
        allowed = {"gegenflow.theory"} if side == "numerics" and room(path, side) == BRIDGE else set()
        assert not breaks(imports(path), BANNED[side] - allowed), path.name


def test_the_bridge_is_still_a_bridge():
    """The exemption is used by the room that has it and by no other."""
    seen = {room(path, "numerics") for path in sources("numerics") if breaks(imports(path), {"gegenflow.theory"})}
    assert seen == {BRIDGE}


def climbs(path, side):
    """What a file imports from its own side that does not stand before its room on the stair."""
    step = {name: number for number, names in enumerate(STAIRS[side]) for name in names}
    here = room(path, side)
    found = set()
    for name in imports(path):
        parts = name.split(".")
        own = parts[:2] == ["gegenflow", side] and len(parts) > 2 and parts[2] in step
        if own and parts[2] != here and step[parts[2]] >= step[here]:
            found.add(name)
    return found


@pytest.mark.parametrize("side", SIDES)
def test_each_room_imports_only_what_stands_before_it(side):
    """The stair of rooms, and no room that is missing from it."""
    rooms = {room(path, side) for path in sources(side)} - {"__init__"}
    assert rooms == {name for names in STAIRS[side] for name in names}
    for path in sources(side):
        if room(path, side) != "__init__":
            assert not climbs(path, side), path


def test_a_climb_is_seen():
    """The test of the stair can fail: fields that import runs."""
    text = "from gegenflow.numerics.runs.run import Run"
    path = ROOT / "numerics" / "fields" / "new.py"
    assert not path.exists()
    try:
        path.write_text(text)
        assert climbs(path, "numerics") == {"gegenflow.numerics.runs.run", "gegenflow.numerics.runs.run.Run"}
    finally:
        path.unlink()


@pytest.mark.parametrize("side", SIDES)
def test_rooms_and_files_stay_small(side):
    """At most 16 files in a folder and 300 lines in a file."""
    for folder in {path.parent for path in sources(side)}:
        assert len(list(folder.glob("*.py"))) <= MOST_FILES, folder
    for path in sources(side):
        assert len(path.read_text().splitlines()) <= MOST_LINES, path


HEAVY = {"numpy", "sympy", "flint", "mpmath", "scipy", "numba", "matplotlib", "tqdm"}
"""Libraries that an import of the package must not wait for."""


@pytest.mark.parametrize("side", SIDES)
def test_importing_a_side_loads_nothing_else(side):
    """In a fresh process: the package itself and none of the libraries that take time to load."""
    code = f"import sys, gegenflow; gegenflow.{side}.__doc__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/").stdout
    assert f"gegenflow.{side}" in loaded.split()
    assert not breaks(loaded.split(), HEAVY | set(FOREIGN[side]))


def test_the_package_itself_holds_a_name_a_command_and_a_style():
    """Both sides draw in one style: that file knows neither of them, and nothing of it loads before it draws."""
    files = sorted(path.name for path in (ROOT / "src" / "gegenflow").iterdir() if path.is_file())
    assert files == ["__init__.py", "__main__.py", "pictures.py", "py.typed"]
    assert not breaks(imports(ROOT / "src" / "gegenflow" / "pictures.py"), {"gegenflow", *HEAVY} - {"matplotlib"})
    code = "import sys, gegenflow.pictures; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/").stdout
    assert not breaks(loaded.split(), HEAVY)


@pytest.mark.parametrize("folder", ["/", ROOT])
def test_the_package_has_a_name_a_version_and_a_command(folder):
    """From anywhere, the root of the checkout included: ``python -m gegenflow`` and the two sides as attributes."""
    run = partial(subprocess.run, capture_output=True, text=True, check=True, cwd=folder)
    version = run([sys.executable, "-c", "import gegenflow; print(gegenflow.__version__)"]).stdout.strip()
    assert version == importlib.metadata.version("gegenflow")
    assert run([sys.executable, "-m", "gegenflow", "--version"]).stdout == f"gegenflow {version}\n"
    code = "import gegenflow; print(gegenflow.theory.growth_rate(3, 2), gegenflow.numerics.uniform(2, 3).shape)"
    assert run([sys.executable, "-c", code]).stdout == "9*besseli(3, beta)/beta (2, 3)\n"


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


def packages():
    """Every package of the two sides, by its dotted name."""
    folders = sorted({path.parent for side in SIDES for path in sources(side)})
    return [".".join(["gegenflow", *folder.relative_to(ROOT).parts]) for folder in folders]


@pytest.mark.parametrize("package", [name for name in packages() if not name.endswith(NO_NAMES)])
def test_every_public_name_resolves_to_its_home(package):
    """The stub names each once; the second time every home is loaded: a module must not shadow a name.

    So none is named as its module: once that is imported, a package of lazy_loader below 0.6 has it in its place.
    """
    module = importlib.import_module(package)
    stub = ast.parse(Path(module.__file__).with_suffix(".pyi").read_text())
    homes = {alias.name: node.module for node in stub.body for alias in node.names}
    assert sorted(homes) == sorted(module.__all__) == sorted(dir(module))
    assert not [name for name, home in homes.items() if home and home.rpartition(".")[2] == name]
    for _ in range(2):
        for name, home in homes.items():
            if home is not None:
                assert getattr(module, name) is getattr(importlib.import_module(f"{package}.{home}"), name), name


@pytest.mark.parametrize("side", SIDES)
def test_the_docstring_of_a_side_names_its_rooms(side):
    """help() shows each room with the first line of its own docstring."""
    module = importlib.import_module(f"gegenflow.{side}")
    rooms = [name for names in STAIRS[side] for name in names if (ROOT / side / name).is_dir()]
    for name in rooms:
        line = importlib.import_module(f"gegenflow.{side}.{name}").__doc__.splitlines()[0]
        assert re.search(rf"^{name} +{re.escape(line)}$", module.__doc__, re.MULTILINE), name
        assert name in dir(module)


@pytest.mark.parametrize("side", SIDES)
def test_the_docstring_of_a_side_groups_its_core_names(side):
    """help() shows each under the room, or the module beside the rooms, that holds it."""
    module = importlib.import_module(f"gegenflow.{side}")
    held = {}
    for node in ast.parse(Path(module.__file__).with_suffix(".pyi").read_text()).body:
        if node.module:
            held.setdefault(node.module, []).append(node.names[0].name)
    shown = module.__doc__.partition("shows those of a room:")[2]
    told = dict(re.findall(r"^(\w+) +(.*(?:\n {2,}.*)*)$", shown, re.MULTILINE))
    assert {room: re.split(r",\s+", names) for room, names in told.items()} == held


@pytest.mark.parametrize("side", SIDES)
def test_an_unknown_name_is_an_attribute_error(side):
    """As for any module, with the name in the message."""
    package, name = importlib.import_module(f"gegenflow.{side}"), "attention_is_all_you_need"
    with pytest.raises(AttributeError, match=name):
        getattr(package, name)
    with pytest.raises(ImportError):
        importlib.import_module(f"gegenflow.{side}.{name}")


def test_the_build_lists_every_package():
    """setuptools drops a forgotten one in silence."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(["gegenflow", *packages()])
    assert (ROOT / "src" / "gegenflow" / "py.typed").is_file()


def test_the_wheel_holds_every_module(tmp_path):
    """Built from this checkout; every module of it is then imported from the wheel alone."""
    copy = tmp_path / "source"
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "*.egg-info", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, copy, ignore=ignored)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(copy)]
    subprocess.run(pip, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    folder = tmp_path / "unpacked"
    zipfile.ZipFile(wheel).extractall(folder)
    held = {str(path.relative_to(folder / "gegenflow")) for path in (folder / "gegenflow").rglob("*.py*")}
    wanted = {str(path.relative_to(ROOT)) for side in SIDES for path in (ROOT / side).rglob("*.py*")}
    wanted |= {path.name for path in (ROOT / "src" / "gegenflow").glob("*.py")}
    assert {name for name in wanted if name.endswith((".py", ".pyi"))} <= held
    files = [name.removesuffix(".py") for name in held if name.endswith(".py")]
    modules = [name.replace("/", ".").removesuffix(".__init__") for name in files]
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\nfrom importlib import import_module\n"
    code += "".join(f"import_module('gegenflow.{name}')\n" for name in modules if name not in ("__init__", "__main__"))
    code += f"import gegenflow; assert gegenflow.__file__.startswith({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], check=True, cwd="/")


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="git knows what is tracked, and this is no checkout of it")
def test_the_root_holds_only_what_the_plan_names():
    """Tracked names at the root."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split("/")[0] for line in listed.splitlines()} <= AT_THE_ROOT
    assert {"pyproject.toml", "README.md", "LICENSE", *SIDES} <= {path.name for path in ROOT.iterdir()}


SEEDED = """
from hypothesis import given
from hypothesis.strategies import integers

drawn = []


@given(number=integers(0, 10**9))
def test_draws(number):
    drawn.append(number)


def test_tells():
    print("drawn", hash(tuple(drawn)))
"""


def test_a_seed_of_hypothesis_draws_other_examples(tmp_path):
    """Without one the examples are always the same; a conftest beside the test, as ours."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_seeded.py").write_text(SEEDED)
    plain = {name: value for name, value in os.environ.items() if name != "HYPOTHESIS_PROFILE"}

    def told(*options):
        line = [sys.executable, "-m", "pytest", "-s", "-q", "-p", "no:cacheprovider", *options, "test_seeded.py"]
        out = subprocess.run(line, cwd=tmp_path, env=plain, capture_output=True, text=True, check=True).stdout
        return next(part for part in out.splitlines() if "drawn" in part)

    first = "--hypothesis-seed=1"
    always, seeded = told(), told(first)
    assert always == told() != seeded
    assert seeded == told(first) != told("--hypothesis-seed=2")
