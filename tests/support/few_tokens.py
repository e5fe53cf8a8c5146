"""Few tokens on the circle, and how long two of them take."""

import mpmath
import numpy as np

from gegenflow.numerics.integrators.driver import drive
from gegenflow.numerics.integrators.few_tokens import FewSteps
from gegenflow.numerics.integrators.merging import MergingSteps, default_merge
from gegenflow.numerics.tokens.geometry import check_tokens

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


def follow_few(tokens, weights, beta, *, t_end, rtol=1e-8, atol=1e-10, save_at=(), observe=None, **options):
    """Few tokens to a time, by the compiled loop and the driver."""
    tokens = check_tokens(tokens)
    weights = np.full(len(tokens), 1 / len(tokens)) if weights is None else np.array(weights, dtype=float)
    steps = FewSteps(tokens, weights, beta, tol=rtol + atol, **options)
    return drive(steps, observe or (lambda t, x: x), t_end=t_end, save_at=save_at)


def follow_merging(
    tokens, weights, beta, *, t_end, rtol=1e-8, atol=1e-10, merge=None, save_at=(), observe=None, **more
):
    """Tokens to a time, merging on the way; the stepper knows the clusters."""
    tokens = check_tokens(tokens)
    weights = np.full(len(tokens), 1 / len(tokens)) if weights is None else np.array(weights, dtype=float)
    merge = default_merge(rtol + atol) if merge is None else merge
    steps = MergingSteps(tokens, weights, beta, tol=rtol + atol, merge=merge, **more)
    return drive(steps, observe or (lambda t, x: x), t_end=t_end, save_at=save_at), steps
