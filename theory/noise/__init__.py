"""Noisy tokens: how the uniform state gives way, near the threshold and far from it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
