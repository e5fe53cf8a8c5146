"""The symbols of the theory: degree k, dimension d, overlap t, inverse temperature beta, inverse noise kappa."""

from __future__ import annotations

import sympy as sp

k = sp.Symbol("k", integer=True, positive=True)
"""The degree of a harmonic."""

d = sp.Symbol("d", integer=True, positive=True)
"""The dimension of the space around the sphere S^{d-1}."""

t = sp.Symbol("t", real=True)
"""The overlap <x, y> of two tokens."""

beta = sp.Symbol("beta", positive=True)
"""The inverse temperature."""

kappa = sp.Symbol("kappa", positive=True)
"""The inverse diffusion coefficient of noisy tokens."""
