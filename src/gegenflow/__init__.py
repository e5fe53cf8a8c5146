"""Attention as a flow of tokens on the sphere, from an attention kernel to its phases, and from a simulation back.

Three uses:

* derive formulas: ``gegenflow.theory`` (symbols, exact numbers, certified balls);
* validate theory against simulation: ``gegenflow.numerics`` (tokens, densities, laws), ``gegenflow validate``;
* tables of critical inverse temperatures: ``gegenflow.theory.critical_table``, ``gegenflow critical``.

>>> import gegenflow
>>> gegenflow.theory.critical_beta(1, dim=2, digits=10)
[1.044456862 +/- 1.1e-10]
"""

from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"

__all__ = ["__version__", "numerics", "theory"]


def __getattr__(name: str) -> ModuleType:
    if name not in ("numerics", "theory"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return __all__
