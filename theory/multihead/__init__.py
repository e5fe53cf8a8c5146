"""Several heads of attention: equiangular tokens, energies, critical temperatures, and linear theory."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
