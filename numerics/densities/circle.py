"""Probability densities on the circle by their Fourier coefficients, and how attention moves them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from math import gcd

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft, next_fast_len, rfft

from gegenflow.numerics.densities.density import check_coefficients, summary
from gegenflow.numerics.fields.fourier import circle_modes, exponential_modes
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.heads import isotropic
from gegenflow.numerics.tokens.arguments import check_whole, real_array
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.values import Value, record_html, sealed

LEAST_SAMPLES, MOST_SAMPLES = 64, 2**20


@dataclass(frozen=True, eq=False, repr=False)
class CircleDensity(Value):
    r"""A density on the circle with respect to the uniform probability measure, of mass one.

    .. math:: f(\theta) = 1 + \sqrt2 \sum_{k=1}^{K} (a_k\cos k\theta + b_k\sin k\theta)

    ``coefficients``, any finite numbers, shape=[2 K], K >= 0, are :math:`a_1, b_1, a_2, b_2, \dots`, those in an
    orthonormal basis, so that their squares add up to :math:`\int (f-1)^2 d\sigma`.

    >>> density = CircleDensity(np.array([0.1, 0.0, 0.0, 0.2]))
    >>> density.max_degree, bool(np.isclose(density.values([np.pi / 4])[0], 1 + 0.1 + 0.2 * 2**0.5))
    (2, True)

    Raises ValueError for coefficients of an odd number or not finite.  Source: derived here (Fourier series).

    See also :func:`.circle_density`, :func:`.quantiles`, :func:`.solve_density`.
    """

    coefficients: Array

    _repr_html_ = record_html

    def __post_init__(self) -> None:
        found = check_coefficients(self.coefficients, "(2 K,), two of each degree", lambda count: count % 2 == 0)
        object.__setattr__(self, "coefficients", sealed(found))

    def __repr__(self) -> str:
        return summary(self)

    @property
    def dim(self) -> int:
        return 2

    @property
    def max_degree(self) -> int:
        return len(self.coefficients) // 2

    @property
    def degrees(self) -> NDArray[np.int64]:
        """Degree of each coefficient, shape=[2 K]."""
        return np.repeat(np.arange(1, self.max_degree + 1), 2)

    @property
    def period(self) -> int:
        """The largest p for which the density has the period 2 pi / p, 0 for the uniform one."""
        return reduce(gcd, self.degrees[self.coefficients != 0].tolist(), 0)

    def resized(self, max_degree: int) -> CircleDensity:
        """The same up to a degree ``max_degree`` >= 0: zeros appended, or the highest degrees dropped."""
        max_degree = check_whole("max_degree", max_degree, 0)
        kept = self.coefficients[: 2 * max_degree]
        return CircleDensity(np.pad(kept, (0, 2 * max_degree - len(kept))))

    def values(self, angles: ArrayLike) -> Array:
        """The density at ``angles`` in radians, any finite numbers, shape=[...]."""
        angle = real_array("angles", angles)
        result = np.ones(angle.shape)
        for k, (a, b) in enumerate(self.coefficients.reshape(-1, 2), 1):
            result += np.sqrt(2) * (a * np.cos(k * angle) + b * np.sin(k * angle))
        return result

    def spectrum(self) -> NDArray[np.complex128]:
        r"""Its moments :math:`\int f e^{-ik\theta} d\sigma` of degrees 0..K, shape=[K + 1]."""
        return _spectrum(self.coefficients)

    def samples(self, finer: int = 1) -> tuple[Array, Array]:
        """Values at equispaced angles from 0 on, four a degree or more, and their weights, both shape=[n].

        ``finer`` >= 1, whole, 1 by default, asks for that many times as many, up to 2^20.
        """
        least = next_fast_len(max(LEAST_SAMPLES, 4 * self.max_degree), real=True)
        points = max(least, min(check_whole("finer", finer, 1) * least, MOST_SAMPLES))
        return irfft(self.spectrum(), points, norm="forward"), np.full(points, 1 / points)

    def multipliers(self, flow: Flow) -> tuple[Array, Array]:
        r"""Funk-Hecke multipliers of the kernel h and of its potential W, W' = h, each shape=[K + 1].

        .. math:: h(\cos\varphi) = \sum_k w_k e^{ik\varphi}, \qquad
                  h(\cos\varphi)\sin\varphi = 2\sum_{k\ge1} k\lambda_k\sin k\varphi

        of the ``flow``, in units of :math:`e^\beta` for the exponential kernel; :math:`\lambda_0`, which moves nothing,
        is put to zero.

        >>> value, potential = CircleDensity(np.zeros(4)).multipliers(Flow(beta=2))
        >>> bool(np.allclose(value[1:], 2.0 * potential[1:], rtol=1e-12))  # W = h / beta
        True
        """
        attention = flow.attention
        modes = circle_modes(lambda gap: attention(1 - gap)) if callable(attention) else exponential_modes(attention)
        value, potential = np.zeros(self.max_degree + 1), np.zeros(self.max_degree + 1)
        known = min(len(modes.value), len(value))
        value[:known] = modes.value[:known] / 2
        value[0] *= 2
        known = min(len(modes.force), len(value))
        potential[1:known] = modes.force[1:known] / (2 * np.arange(1, known))
        return value, potential

    def velocity(self, flow: Flow, points: int) -> Callable[[Array], Array]:
        r"""The velocity of attention at equispaced angles from 0 on, as a function of coefficients.

        .. math:: v(\theta) = \int h(\cos(\varphi - \theta)) \sin(\varphi - \theta) f(\varphi)\,d\sigma(\varphi)

        for USA, divided by :math:`\int h(\cos(\varphi-\theta)) f\,d\sigma` for SA, of all heads of the ``flow``, at
        ``points`` >= 2 K + 1 angles.  The function raises FloatingPointError where the divisor is not positive.

        >>> density = CircleDensity(np.array([0.0, 0.5]))  # 1 + sin / sqrt 2: v = cos / sqrt 8
        >>> density.velocity(Flow(beta=0), 4)(density.coefficients).round(12) + 0.0
        array([ 0.35355339,  0.        , -0.35355339,  0.        ])

        Source: arXiv 2410.23228.
        """
        points = check_whole("points", points, 2 * self.max_degree + 1, why=", to hold the highest degree")
        if flow.heads:
            parts = [(gain, self.velocity(one, points)) for gain, one in isotropic(flow, "solve_density", 2)]
            return lambda coefficients: sum((gain * one(coefficients) for gain, one in parts), np.zeros(points))
        value, potential = self.multipliers(flow)
        force = 1j * flow.unit * np.arange(self.max_degree + 1) * potential

        def speed(coefficients: Array) -> Array:
            spectrum = _spectrum(coefficients)
            found: Array = irfft(force * spectrum, points, norm="forward")
            if flow.model == "sa":
                normalizer = irfft(value * spectrum, points, norm="forward")
                if normalizer.min() <= 0:
                    raise FloatingPointError("the normaliser is not positive")
                found /= normalizer
            return found

        return speed

    def motion(self, flow: Flow) -> Callable[[Array], Array]:
        r"""The time derivative of coefficients, shape=[2 K], under attention without noise, as a function of them.

        .. math:: \dot f = -\partial_\theta (f v)

        with the :meth:`velocity` v of the ``flow``; f v is formed at so many angles that no product is aliased (SA:
        that the quotient hardly is).  Degrees that the period of the density excludes stay zero.  The function raises
        FloatingPointError where the divisor of SA is not positive.

        The first degree of Kuramoto's model (``beta`` = 0) grows at the rate 1/2:

        >>> density = CircleDensity(np.array([1e-9, 0.0]))
        >>> (density.motion(Flow(beta=0))(density.coefficients) / 1e-9).round(12) + 0.0
        array([0.5, 0. ])

        Source: arXiv 2410.23228.
        """
        top, degree = self.max_degree, np.arange(self.max_degree + 1)
        slope = -1j * degree * (degree % max(self.period, 1) == 0)
        points = next_fast_len((3 if flow.model == "usa" else 4) * top + 1, real=True)
        velocity = self.velocity(flow, points)

        def rate(coefficients: Array) -> Array:
            flux = irfft(_spectrum(coefficients), points, norm="forward") * velocity(coefficients)
            return _of_spectrum(slope * rfft(flux, norm="forward")[: top + 1])

        return rate


def circle_of_moments(moments: NDArray[np.complex128]) -> CircleDensity:
    r"""The density with the moments :math:`\int f e^{-ik\theta} d\sigma` of degrees 0..K, the first of which is one.

    >>> density = CircleDensity(np.array([0.1, 0.2]))
    >>> circle_of_moments(density.spectrum()) == density
    True
    """
    return CircleDensity(_of_spectrum(moments))


def _of_spectrum(spectrum: NDArray[np.complex128]) -> Array:
    coefficients: Array = np.sqrt(2) * np.column_stack([spectrum.real, -spectrum.imag])[1:].ravel()
    return coefficients


def _spectrum(coefficients: Array) -> NDArray[np.complex128]:
    pairs = coefficients.reshape(-1, 2)
    return np.concatenate([[1.0], (pairs[:, 0] - 1j * pairs[:, 1]) / np.sqrt(2)])
