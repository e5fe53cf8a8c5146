"""Attention as a flow of tokens on the sphere, from an attention kernel to its phases, and from a simulation back.

Three uses:

* derive formulas: ``gegenflow.theory`` (symbols, exact numbers, certified balls);
* validate theory against simulation: ``gegenflow.numerics`` (tokens, densities, laws), ``gegenflow validate``;
* tables of critical inverse temperatures: ``gegenflow.theory.critical_table``, ``gegenflow critical``.

>>> import gegenflow
>>> gegenflow.theory.critical_beta(1, dim=2, digits=10)
[1.044456862 +/- 1.1e-10]
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, _ = lazy_loader.attach(__name__, submodules=["numerics", "theory"])
__all__ = ["__version__", "numerics", "theory"]
