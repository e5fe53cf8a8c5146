"""Worked examples as modules."""

import importlib.util
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "worked_examples"


def load_example(name):
    return load_module(EXAMPLES / f"{name}.py")


def load_module(path):
    """A file that is in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
