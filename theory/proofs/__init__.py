"""Steps that a computer verifies, and the ways to verify them: what every derivation is made of."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
