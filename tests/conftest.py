"""Set-up shared by all tests: interrupts, a numba cache that follows the source, and the hypothesis profiles."""

import ast
import hashlib
import os
import signal
import tempfile
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: on busy cores its threads wait for each other

import matplotlib
from hypothesis import settings

SIDE = Path(__file__).parents[1] / "numerics"
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
SOURCES = [path for path in sorted(SIDE.glob("**/*.py")) if "validation" not in path.parts]  # which compiles nothing


def code(path):
    """What a file says to Python: words in docstrings and comments compile to nothing."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False):
            node.body = node.body[1:]
    return ast.dump(tree).encode()


DIGEST = hashlib.sha256(b"".join(map(code, SOURCES))).hexdigest()
os.environ["NUMBA_CACHE_DIR"] = str(Path(tempfile.gettempdir()) / f"gegenflow-numba-{DIGEST[:16]}")

matplotlib.use("Agg")

# A background job inherits SIGINT as ignored, and then nothing could be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)

QUICK = {
    "agreement": "causal kernels spectral_selection",
    "house": "docs docstrings refusals style",
    "numerics": "causal flow geometry kernel lagrangian observables runge_kutta scales sphere",
    "theory": "bounds certified clusters enclosures equiangular formulas growth kernels plane spectral_selection",
}
"""The files of ``--quick``: every public name is called, and laws of either side and of both are tried."""

settings.register_profile("default", deadline=None, max_examples=40, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=400, derandomize=False)
settings.register_profile("seeded", deadline=None, max_examples=40, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_addoption(parser):
    """A minute in the place of all."""
    parser.addoption("--quick", action="store_true", help="the files of QUICK in tests/conftest.py alone, a minute")


def pytest_ignore_collect(collection_path, config):
    """What is not quick is not even imported."""
    kind, _, name = collection_path.stem.partition("test_")
    if config.getoption("--quick") and name and not kind:
        return name not in QUICK.get(collection_path.parent.name, "").split() or None
    return None


def pytest_collection_modifyitems(items):
    """The second of two workers begins with theory while the first compiles what both will need."""
    theory = [item for item in items if item.path.parent.name == "theory"]
    others = [item for item in items if item.path.parent.name != "theory"]
    others.sort(key=lambda item: item.path.parent.name == "house")
    middle = len(items) // 2
    items[:] = others[:middle] + theory + others[middle:]


def pytest_configure(config):
    """A seed has an effect only where examples are not always the same."""
    if config.getoption("--hypothesis-seed", None) is not None and "HYPOTHESIS_PROFILE" not in os.environ:
        settings.load_profile("seeded")
