"""Causal attention: what a token keeps of those before it, the lost middle, and leaders."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
