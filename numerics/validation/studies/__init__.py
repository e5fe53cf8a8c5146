"""Studies: laws or simulations over grids of parameters, run anywhere, kept run by run, and gone on with."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
