"""Finitely many tokens: which degree emerges first, when, and how far they are from their density."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
