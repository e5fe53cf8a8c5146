"""Every package, module and public name of the two sides, found by walking them."""

import importlib
import inspect
import pkgutil

from gegenflow import numerics, theory

SIDES = (theory, numerics)
FOUND = [found for side in SIDES for found in pkgutil.walk_packages(side.__path__, f"{side.__name__}.")]
PACKAGES = [side.__name__ for side in SIDES] + [found.name for found in FOUND if found.ispkg]
MODULES = ["gegenflow.pictures", *(found.name for found in FOUND if not found.ispkg)]
ROOMS = [
    importlib.import_module(name)
    for name in PACKAGES
    if not name.endswith((".batches", ".command", ".compiled", ".pages", ".pictures", ".trials", ".trials.systems"))
]
NAMES = {
    f"{room.__name__.removeprefix('gegenflow.')}.{name}": getattr(room, name)
    for room in ROOMS
    for name in room.__all__
    if not inspect.ismodule(getattr(room, name))
}
