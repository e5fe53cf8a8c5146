"""Few tokens on the circle, and how long two of them take."""

import mpmath
import numpy as np

from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.integrators.driver import AT_ZERO, drive
from gegenflow.numerics.integrators.few_tokens import FewSteps
from gegenflow.numerics.integrators.merging import MergingSteps, default_merge
from gegenflow.numerics.tokens.geometry import check_tokens

MODELS = ("usa", "sa")


def on_circle(*angles):
    return np.column_stack([np.cos(angles), np.sin(angles)])


def lifetime(before, after, weights, beta, model, scaled=False):
    """Time that two tokens take from one gap to the next: the integral of dg / speed(g), in the logarithm of the gap.

    In units in which the fastest speed is about one, as quadrature knows no error but an absolute one.
    """
    first, second, beta = *map(mpmath.mpf, weights), mpmath.mpf(beta)

    def slowness(log_gap):
        gap = mpmath.exp(log_gap)
        pull = mpmath.exp(-2 * beta * mpmath.sin(gap / 2) ** 2)
        rates = first + second
        if model == "sa":
            rates = second / (first + second * pull) + first / (second + first * pull)
        return gap / (pull * mpmath.sin(gap) * rates)

    time = mpmath.quad(slowness, mpmath.linspace(mpmath.log(after), mpmath.log(before), 33))
    return time if scaled or model == "sa" else time * mpmath.exp(-beta)


def follow_few(
    tokens, weights, beta, *, model="usa", t_end, rtol=1e-8, atol=1e-10, save_at=(), observe=None, origin=AT_ZERO
):
    """Few tokens to a time, by the compiled loop and the driver."""
    tokens = check_tokens(tokens)
    weights = np.full(len(tokens), 1 / len(tokens)) if weights is None else np.array(weights, dtype=float)
    steps = FewSteps(tokens, weights, Flow(beta=beta, model=model), tol=rtol + atol, origin=origin)
    return drive(steps, observe or (lambda t, x: x), t_end=t_end, save_at=save_at)


def follow_merging(
    tokens, weights, beta, *, model="usa", t_end, rtol=1e-8, atol=1e-10, merge=None, save_at=(), observe=None
):
    """Tokens to a time, merging on the way; the stepper knows the clusters."""
    tokens = check_tokens(tokens)
    weights = np.full(len(tokens), 1 / len(tokens)) if weights is None else np.array(weights, dtype=float)
    merge = default_merge(rtol + atol) if merge is None else merge
    steps = MergingSteps(tokens, weights, Flow(beta=beta, model=model), tol=rtol + atol, merge=merge)
    return drive(steps, observe or (lambda t, x: x), t_end=t_end, save_at=save_at), steps
