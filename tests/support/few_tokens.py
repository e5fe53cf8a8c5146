"""Few tokens on the circle, and how long two of them take."""

import mpmath
import numpy as np

MODELS = ("usa", "sa")


def on_circle(*angles):
    return np.column_stack([np.cos(angles), np.sin(angles)])


def lifetime(before, after, weights, beta, model):
    """Time that two tokens take from one gap to the next: the integral of dg / speed(g)."""
    first, second, beta = *map(mpmath.mpf, weights), mpmath.mpf(beta)

    def slowness(gap):
        pull = mpmath.exp(beta * (mpmath.cos(gap) - 1))
        if model == "usa":
            return 1 / ((first + second) * mpmath.exp(beta) * pull * mpmath.sin(gap))
        rates = second / (first + second * pull) + first / (second + first * pull)
        return 1 / (pull * mpmath.sin(gap) * rates)

    return mpmath.quad(slowness, mpmath.linspace(after, before, 33))
