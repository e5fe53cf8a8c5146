"""Densities on the circle whose quantiles are known."""

import numpy as np
from hypothesis.strategies import floats, integers

from gegenflow.numerics.densities.circle import CircleDensity

SEEDS = integers(0, 2**32 - 1)

ANGLES = floats(0, 2 * np.pi)


def turned(amplitudes, mean):
    """The density 1 + sum_k 2 c_k cos k(theta - mean) of amplitudes c_1, c_2, ..."""
    phase = np.arange(1, len(amplitudes) + 1) * mean
    return CircleDensity(np.sqrt(2) * np.column_stack([amplitudes * np.cos(phase), amplitudes * np.sin(phase)]).ravel())


def poisson(radius, mean):
    """The density (1 - r^2)/(1 - 2 r cos(theta - mean) + r^2): the uniform one under a Moebius map."""
    degrees = 1 if radius == 0 else int(-38 / np.log(radius)) + 2
    return turned(radius ** np.arange(1, degrees + 1), mean)


def poisson_quantiles(radius, mean, labels):
    """Its quantile function in closed form, labels counted from the mean: no series, no inversion."""
    turn = np.round(labels)
    rest = np.pi * (labels - turn)
    return mean + 2 * np.pi * turn + 2 * np.arctan2((1 - radius) * np.sin(rest), (1 + radius) * np.cos(rest))


def series(density, angles):
    """A density by its definition, term by term."""
    degrees = np.arange(1, len(density.coefficients) // 2 + 1)
    phase = np.multiply.outer(angles, degrees)
    return 1 + np.sqrt(2) * (np.cos(phase) @ density.coefficients[0::2] + np.sin(phase) @ density.coefficients[1::2])


def random_density(max_degree, least, seed):
    """A random trigonometric polynomial of mean one whose minimum, on a fine grid, is ``least``."""
    density = CircleDensity(np.random.default_rng(seed).standard_normal(2 * max_degree))
    depth = 1 - series(density, np.linspace(0, 2 * np.pi, 200 * max_degree)).min()
    return CircleDensity(density.coefficients * (1 - least) / depth)
