"""Tokens like the embeddings of a language model: far from uniform, heavy in a few directions."""

import numpy as np

from gegenflow import numerics as nm


def embeddings(n, dim, rng):
    """Student-t entries with 5 degrees of freedom, the standard deviation of coordinate j as j^-0.6; unit rows."""
    spread = np.arange(1, dim + 1.0) ** -0.6
    return nm.normalize(spread * np.random.default_rng(rng).standard_t(5, (n, dim)))
