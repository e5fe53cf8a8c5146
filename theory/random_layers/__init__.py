"""Layers with random weights: the noise that all tokens share, and the pairs of tokens it gathers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
