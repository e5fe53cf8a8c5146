"""The least versions that pyproject.toml allows, in an environment of their own: ``python floors.py FOLDER``.

It installs each dependency at its floor and the package without any, prints what is there, builds the source archive
and looks for every tracked file in it, and runs the main job and tests that reach every dependency.  Run it when
pyproject.toml changes.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUNNERS = ("mypy", "ruff", "scipy-stubs", "types-tqdm")  # they look at the source, and run nothing of it
TESTS = (
    "tests/numerics/test_compiling.py",
    "tests/numerics/test_exports.py",
    "tests/numerics/test_particles.py",
    "tests/numerics/test_sphere_densities.py",
    "tests/numerics/test_wasserstein.py",
    "tests/numerics/test_plots.py",
    "tests/theory/test_certified.py",
    "tests/theory/test_phases.py",
    "tests/house/test_command.py",
)

ARCHIVE = """
import contextlib, io, subprocess, sys, tarfile, tempfile
from setuptools.build_meta import build_sdist
with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
    name = build_sdist(folder)
    held = {name.partition("/")[2] for name in tarfile.open(f"{folder}/{name}").getnames()}
tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.splitlines()
missing = {*tracked} - held
assert "tests/conftest.py" in held, "no tests"
sys.exit(f"the source archive lacks {sorted(missing)}" if missing else 0)
"""


def floors():
    """Requirements with == in place of >=, those of the package and of its extras, and the build's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"].values()
    wanted = [*project["project"]["dependencies"], *(line for extra in extras for line in extra)]
    named = [
        line for line in wanted if not line.startswith("gegenflow") and re.split(r"\W*[>=]", line)[0] not in RUNNERS
    ]
    return [line.replace(">=", "==") for line in named], project["build-system"]["requires"]


def main(folder):
    """Build the environment in a folder and run in it; the exit status is that of the first step that fails."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(Path(folder) / "bin" / "python")
    least, build = floors()
    pip = [python, "-m", "pip", "install", "--quiet"]
    steps = [
        [*pip, *least, *build],
        [*pip, "--no-deps", "--no-build-isolation", str(ROOT)],
        [python, "-m", "pip", "freeze"],
        [python, "-m", "pip", "check"],
        [python, "-c", ARCHIVE],
        [python, "-m", "gegenflow", "validate", "--dim", "2", "--beta", "2", "--rng", "0"],
        [python, "-m", "pytest", "-q", "-x", *(test for test in TESTS if (ROOT / test).exists())],
    ]
    for step in steps:
        print("+", *(word.split("\n\n")[0].strip()[:60] for word in step[:6]), flush=True)
        if status := subprocess.run(step, cwd=ROOT).returncode:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
