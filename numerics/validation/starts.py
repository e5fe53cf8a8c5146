"""Random tokens that are not uniform, from which trials start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.optimize import brentq

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.distribution import quantiles
from gegenflow.numerics.tokens.geometry import Array, circle_points, normalize

HEIGHTS, FINEST = 20_001, 2**14


def nudged_starts(
    degree: int, *, tokens: int, runs: int, amplitude: float = 0.05, rng: Any = None
) -> Iterator[tuple[Array, float]]:
    r"""Uniform tokens on the circle, nudged towards one degree with a random phase, and that phase as they hold it.

    Yields ``runs`` pairs of tokens, shape=[n, 2], and :math:`\arg\mu_k`,
    :math:`\mu_k = \frac1n\sum_i e^{-ik\theta_i}`. The amplitude exceeds the noise of the tokens, so that the
    degree wins; one of its maxima lies near the angle pi.

    >>> tokens, phase = next(nudged_starts(3, tokens=20_000, runs=1, rng=0))
    >>> bool(abs(abs(np.mean((tokens[:, 0] - 1j * tokens[:, 1]) ** 3)) - 0.05) < 0.02)
    True
    """
    for stream in np.random.default_rng(rng).spawn(runs):
        angle = stream.uniform(0, 2 * np.pi, tokens)
        centre = np.pi * (1 + stream.uniform(-0.5, 0.5) / degree)
        angle -= 2 * max(amplitude, 5 / tokens**0.5) / degree * np.sin(degree * (angle - centre))
        yield circle_points(angle), float(np.angle(np.exp(-1j * degree * angle).mean()))


def concentrated(n: int, dim: int, resultant: float, *, rng: Any = None) -> Array:
    r"""Independent tokens about the first axis whose mean has this length, shape=[n, dim].

    .. math:: \mu \propto e^{\kappa x_1}, \qquad \int x_1\,d\mu = R

    of von Mises and Fisher: a density in :math:`L^2`. Heights are quantiles on a grid of 20,001.

    >>> tokens = concentrated(40_000, 3, 0.5, rng=0)
    >>> bool(np.abs(tokens.mean(axis=0) - [0.5, 0, 0]).max() < 0.01)
    True

    Source: derived here.
    """
    rng, height = np.random.default_rng(rng), np.linspace(-1, 1, HEIGHTS)[1:-1]

    def masses(kappa: float) -> Array:
        weight: Array = (1 - height**2) ** ((dim - 3) / 2) * np.exp(kappa * (height - 1))
        shares: Array = weight / weight.sum()
        return shares

    def excess(kappa: float) -> float:
        return float(masses(kappa) @ height) - resultant

    labels = np.cumsum(masses(float(brentq(excess, 0.0, 100.0 * dim))))
    t = np.interp(rng.random(n), labels / labels[-1], height)
    side = rng.choice([-1.0, 1.0], (n, 1)) if dim == 2 else normalize(rng.standard_normal((n, dim - 1)))
    return normalize(np.column_stack([t, np.sqrt(1 - t**2)[:, None] * side]))


def independent_tokens(density: CircleDensity, n: int, *, rng: Any = None) -> Array:
    """Independent tokens of a density on the circle, shape=[n, 2]: quantiles of uniform labels, on 2^14 of them.

    >>> tokens = independent_tokens(CircleDensity(np.array([0.5, 0.0])), 40_000, rng=0)
    >>> bool(np.abs(tokens.mean(axis=0) - [0.5 / 2**0.5, 0]).max() < 0.01)
    True
    """
    labels = np.random.default_rng(rng).random(n) * FINEST
    return circle_points(np.interp(labels, np.arange(FINEST + 1), [*quantiles(density, FINEST), 2 * np.pi]))
