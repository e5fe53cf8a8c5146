"""Real spherical harmonics in dim 3 on a Gauss-Legendre grid, through the transforms of ducc0."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import pi, sqrt

import numpy as np
from ducc0 import misc, sht
from numba import get_num_threads
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from gegenflow.numerics.tokens.geometry import Array

PARALLEL_FROM = 128  # degrees: below it threads cost more than they save


@dataclass(frozen=True, eq=False)
class HarmonicLayout:
    """Degree, order and kind of the real coefficients; their places and scales among those of ducc0, as floats."""

    degree: NDArray[np.int64]
    order: NDArray[np.int64]
    sine: NDArray[np.bool_]
    place: NDArray[np.int64]
    scale: Array


@lru_cache(maxsize=16)
def harmonic_layout(top: int) -> HarmonicLayout:
    r"""Where the coefficients of degrees 1..K are found, by degree, then order, the cosine before the sine.

    >>> harmonic_layout(2).degree, harmonic_layout(2).order
    (array([1, 1, 1, 2, 2, 2, 2, 2]), array([0, 1, 1, 0, 1, 1, 2, 2]))
    """
    degree = np.repeat(np.arange(1, top + 1), 2 * np.arange(1, top + 1) + 1)
    degree.setflags(write=False)
    within = np.arange(len(degree)) + 1 - degree**2
    order, sine = (within + 1) // 2, (within > 0) & (within % 2 == 0)
    place = order * (2 * top + 1 - order) + 2 * degree + sine
    scale = sqrt(4 * pi) * np.where(order > 0, sqrt(0.5), 1.0) * np.where(sine, -1.0, 1.0)
    return HarmonicLayout(degree, order, sine, place, scale)


def packed(coefficients: Array, mean: float, top: int) -> NDArray[np.complex128]:
    r"""Coefficients of orders m >= 0 as ducc0 wants them, of the function with a mean and real coefficients.

    .. math:: c_{l0} = \sqrt{4\pi}\,a_{l0}, \qquad c_{lm} = \sqrt{2\pi}\,(a_{lm} - i b_{lm})

    >>> (packed(np.array([0.5, 1.0, 2.0]), 3.0, 1) / (2 * np.pi) ** 0.5).round(6)
    array([[4.242641+0.j, 0.707107+0.j, 1.      -2.j]])
    """
    flat = np.zeros((top + 1) * (top + 2))
    flat[0] = sqrt(4 * pi) * mean
    flat[harmonic_layout(top).place] = harmonic_layout(top).scale * coefficients
    return flat.view(np.complex128)[None]


class SphereGrid:
    """Sums over a Gauss-Legendre grid of rings and about twice as many points each, for degrees up to ``top``.

    Products of harmonics whose degrees add up to less than twice the number of rings are integrated exactly.

    >>> grid = SphereGrid(4, 2)
    >>> height = grid.points()[:, 2].reshape(4, -1)
    >>> bool(np.isclose((grid.weights @ height**6).sum(), 1 / 7, rtol=1e-13))
    True
    """

    def __init__(self, rings: int, top: int) -> None:
        self.top, self.rings, self.columns = top, rings, next_fast_len(2 * rings, real=True)
        self.weights: Array = sht.get_gridweights("GL", rings) / (4 * pi * self.columns)
        self.common = {"geometry": "GL", "lmax": top, "nthreads": get_num_threads() if top >= PARALLEL_FROM else 1}
        self.size = {"ntheta": rings, "nphi": self.columns}

    def points(self) -> Array:
        """Unit vectors, shape=[rings * columns, 3]."""
        south, east = misc.GL_thetas(self.rings)[:, None], 2 * pi * np.arange(self.columns) / self.columns
        parts = np.broadcast_arrays(np.sin(south) * np.cos(east), np.sin(south) * np.sin(east), np.cos(south))
        return np.stack(parts, axis=-1).reshape(-1, 3)

    def values(self, coefficients: Array, mean: float) -> Array:
        """The function of coefficients, shape=[rings, columns]."""
        alm = packed(coefficients, mean, self.top)
        result: Array = sht.synthesis_2d(alm=alm, spin=0, **self.size, **self.common)[0]
        return result

    def gradient(self, coefficients: Array) -> Array:
        """Its gradient to the south and to the east, shape=[2, rings, columns]."""
        alm = packed(coefficients, 0.0, self.top)
        result: Array = sht.synthesis_2d(alm=alm, spin=1, mode="DERIV1", **self.size, **self.common)
        return result

    def coefficients(self, values: Array) -> Array:
        """The sums of weighted values times the harmonics."""
        return self._real(sht.adjoint_synthesis_2d(map=(values * self.weights[:, None])[None], spin=0, **self.common))

    def against_gradients(self, flux: Array) -> Array:
        """The sums of a field that holds the weights times the gradients of the harmonics."""
        return self._real(sht.adjoint_synthesis_2d(map=flux, spin=1, mode="DERIV1", **self.common))

    def _real(self, alm: NDArray[np.complex128]) -> Array:
        flat = alm.view(np.float64)[0, harmonic_layout(self.top).place]
        result: Array = 4 * pi * flat / harmonic_layout(self.top).scale
        return result
