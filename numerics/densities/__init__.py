"""Densities on spheres: series that follow the mean-field equation, quantiles, distances."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
