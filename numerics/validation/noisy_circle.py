r"""Noisy tokens on the circle, many runs at once: forces by FFT of the kernel on bins, noise by its own scheme."""

from __future__ import annotations

from typing import Any

import numpy as np

from gegenflow.numerics.tokens.geometry import Array

BINS = 512


def order_parameters(beta: float, kappa: float, start: Array, t_end: float, step: float, *, rng: Any = None) -> Array:
    r"""Mean of :math:`|\frac1N\sum_j e^{i\theta_j}|` over the second half of each run, shape=[runs], of USA at 1/kappa.

    .. math:: d\theta_i = -\frac1N \sum_j e^{\beta\cos(\theta_i - \theta_j)}\sin(\theta_i - \theta_j)\,dt
              + \sqrt{2/\kappa}\,dB_i

    from angles ``start``, shape=[runs, tokens], in Euler steps whose noise is the mean of two successive draws (of
    Leimkuhler and Matthews), which makes the stationary state second order in the step.

    >>> free = order_parameters(0.0, 1e-3, np.zeros((1, 4000)), 0.04, 1e-4, rng=0)  # noise alone
    >>> bool(abs(free[0] - (np.pi / 4 / 4000) ** 0.5) < 0.02)
    True

    Source: arXiv 2606.05140 for the model.
    """
    rng, angle = np.random.default_rng(rng), 2 * np.pi * np.arange(BINS) / BINS
    kernel = np.fft.rfft(-np.exp(beta * np.cos(angle)) * np.sin(angle) / start.shape[1])
    theta, first, record = start.copy(), BINS * np.arange(len(start))[:, None], []
    before, after = rng.standard_normal(theta.shape), np.empty(theta.shape)
    for n in range(round(t_end / step)):
        bins = np.rint(theta * (BINS / (2 * np.pi))).astype(np.int64)
        bins &= BINS - 1  # the remainder of negative numbers, too, as BINS is a power of two
        bins += first
        modes = np.fft.rfft(np.bincount(bins.ravel(), minlength=len(start) * BINS).reshape(-1, BINS))
        if n * step >= t_end / 2:
            record.append(abs(modes[:, 1]) / start.shape[1])
        rng.standard_normal(out=after)
        theta += step * np.fft.irfft(modes * kernel, BINS).take(bins) + np.sqrt(step / (2 * kappa)) * (before + after)
        before, after = after, before
    means: Array = np.mean(record, axis=0)
    return means


def start_angles(state: str, runs: int, tokens: int, rng: np.random.Generator) -> Array:
    """Angles about zero, of deviation 0.6 ("ordered"), or all around the circle ("uniform"), shape=[runs, tokens].

    >>> [bool(abs(np.exp(1j * start_angles(s, 1, 4000, np.random.default_rng(0))).mean()) > 0.5) for s in STATES]
    [True, False]
    """
    return (
        0.6 * rng.standard_normal((runs, tokens)) if state == "ordered" else rng.uniform(0, 2 * np.pi, (runs, tokens))
    )


STATES = ("ordered", "uniform")
