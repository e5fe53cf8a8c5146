r"""Gaussian fields that layers with random weights give to all tokens at once, and their covariance.

A layer of infinite width adds to tokens x of the sphere :math:`L^{-1/2}\xi(x)`, with independent Gaussian components

.. math:: E\,\xi_a(x)\xi_b(y) = \delta_{ab} K(\langle x, y\rangle), \qquad K(\cos\varphi) = E\,s(g_1) s(g_2)

of normal numbers :math:`g` with the correlation :math:`\cos\varphi`. In polar coordinates of the plane of both, with
:math:`\rho^2 = 2u`, it is the autocorrelation on the circle of :math:`s(\rho\cos\theta)`:

.. math:: K(\cos\varphi) = \sum_m p_m \cos m\varphi, \qquad
          p_m = (2 - \delta_{m0}) \int_0^\infty e^{-u} |\hat s_m(\sqrt{2u})|^2 du

The integrals are sums here, over the activation as a function, and use no formula for K.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.linalg.lapack import dpstrf

from gegenflow.numerics.fields.fourier import series_length
from gegenflow.numerics.flows.activations import Activation, activation_function, activation_name
from gegenflow.numerics.tokens.compiling import one_at_a_time
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused

POINTS = 2**14
"""On the circle: an activation with a kink has its covariance to 1e-9 of it, one with a jump to 1e-5."""
PANELS, NODES, FARTHEST = 24, 20, 60.0
"""Of the integral over u."""
PLACES = 4096
"""Of the table of gaps, over half a turn."""
TAIL = 1e-9
"""Of K(1), what modes left out may add up to in a field on the circle."""


@dataclass(frozen=True, eq=False)
class Covariance:
    r"""The covariance :math:`K(\cos\varphi) = \sum_m p_m\cos m\varphi` of a field, and its ``powers`` p, shape=[modes].

    ``table``, shape=[4097], are :math:`(K(1) - K(\cos\varphi))/\sin^q(\varphi/2)` at equispaced angles from 0 to
    :math:`\pi`, where ``order`` q is 2, or 1 for an activation with a jump: close tokens get close pushes to every
    relative accuracy.

    >>> field = covariance("linear")  # K(r) = r
    >>> bool(np.allclose(field.gap(np.array([0.1, 3.0])), 1 - np.cos([0.1, 3.0]), rtol=1e-9)), round(field.own, 12)
    (True, 1.0)
    """

    powers: Array
    order: int
    table: Array

    @property
    def own(self) -> float:
        """K(1), the variance of a component."""
        return float(self.powers.sum())

    def gap(self, angles: Array) -> Array:
        r"""The gaps :math:`K(1) - K(\cos\varphi)` at angles in [0, pi], of any shape."""
        gaps: Array = self._spline(angles) * np.sin(angles / 2) ** self.order
        return gaps

    @cached_property
    def _spline(self) -> CubicSpline:
        return CubicSpline(np.linspace(0.0, np.pi, PLACES + 1), self.table)

    def gram(self, tokens: Array) -> Array:
        """The covariances of one component at unit tokens, shape=[n, n]."""
        halves = np.linalg.norm(tokens[:, None] - tokens, axis=2) / 2
        return self.own - self.gap(2 * np.arcsin(np.minimum(halves, 1.0)))

    def modes(self) -> Array:
        """The powers that a field on the circle is made of, shape=[modes]."""
        return self.powers[: max(1, series_length(self.powers, TAIL * self.own))]


@lru_cache(maxsize=32)
def covariance(activation: Activation) -> Covariance:
    r"""The covariance that an activation gives, from its values.

    >>> print(f"{covariance('relu').own:.12g} {covariance('exp').own:.12g}")  # E relu(Z)^2 and E e^(2Z) = e^2
    0.5 7.38905609893

    Raises ValueError as :class:`gegenflow.numerics.RandomLayers` does, and for an activation that is zero.
    """
    function = activation_function(activation)
    edges = FARTHEST * np.linspace(0, 1, PANELS + 1) ** 2
    nodes, shares = np.polynomial.legendre.leggauss(NODES)
    u = (edges[:-1, None] + np.diff(edges)[:, None] * (nodes + 1) / 2).ravel()
    weights = (np.diff(edges)[:, None] * shares / 2).ravel() * np.exp(-u)
    circle = np.cos(2 * np.pi * (np.arange(POINTS) + 0.5) / POINTS)
    powers = np.zeros(POINTS // 2 + 1)
    for radius, weight in zip(np.sqrt(2 * u), weights, strict=True):
        powers += weight * np.abs(np.fft.rfft(function(radius * circle)) / POINTS) ** 2
    powers[1:] *= 2
    if not (np.isfinite(powers).all() and powers.sum() > 0):
        raise Refused("activation", activation_name(activation), "its mean square under a normal number must be > 0")
    order, table = _table(powers[:-1])
    return Covariance(powers[:-1], order, table)


def _table(powers: Array) -> tuple[int, Array]:
    angles = np.linspace(0.0, np.pi, PLACES + 1)
    spectrum = np.zeros(POINTS + 1)
    spectrum[: len(powers)] = powers
    spectrum[0] *= 2
    gaps = powers.sum() - np.fft.irfft(spectrum * POINTS)[: POINTS + 1 : POINTS // PLACES]
    order = 2 if gaps[2] > 3 * gaps[1] else 1
    table = np.empty(PLACES + 1)
    table[1:] = gaps[1:] / np.sin(angles[1:] / 2) ** order
    table[:8] = CubicSpline(angles[8:16], table[8:16])(angles[:8])  # nearer, gaps are differences of equal numbers
    return order, table


@dataclass(frozen=True, eq=False)
class CircleField:
    r"""One draw of a field on the circle: ``waves``, shape=[2, modes], of its components.

    .. math:: \xi_a(\theta) = \Re \sum_m c_{am} e^{im\theta}, \qquad c_{am} = \sqrt{p_m}(\alpha_{am} - i\beta_{am})

    >>> field = draw_circle_field(covariance("linear").modes(), np.random.default_rng(0))
    >>> pushes = field.pushes(np.array([0.0, 1.0, 2.0]))
    >>> bool(np.allclose(pushes[0] + pushes[2], 2 * np.cos(1) * pushes[1]))  # a wave of degree one
    True
    """

    waves: NDArray[np.complex128]

    def pushes(self, angles: Array) -> Array:
        """The field at angles, shape=[n]: its components, shape=[n, 2]."""
        pushes = np.empty((len(angles), 2))
        _pushes(np.cos(angles), np.sin(angles), self.waves, pushes)
        return pushes


def draw_circle_field(powers: Array, rng: np.random.Generator) -> CircleField:
    """A draw with these powers, from a generator.

    >>> draw_circle_field(np.array([1.0, 0.5]), np.random.default_rng(0)).waves.shape
    (2, 2)
    """
    normal = rng.standard_normal((2, len(powers), 2))
    return CircleField(np.sqrt(powers) * (normal[..., 0] - 1j * normal[..., 1]))


@one_at_a_time
@njit(cache=True, parallel=True, fastmath={"contract"})
def _pushes(x: Array, y: Array, waves: NDArray[np.complex128], out: Array) -> None:
    for i in prange(len(x)):
        z = complex(x[i], y[i])
        for a in range(2):
            total = 0.0j
            for m in range(waves.shape[1] - 1, -1, -1):
                total = total * z + waves[a, m]
            out[i, a] = total.real


def gaussian_pushes(gram: Array, dim: int, rng: np.random.Generator) -> Array:
    r"""Pushes of tokens with the covariance ``gram`` :math:`\otimes I_d` of shape=[n, n], shape=[n, dim].

    By Cholesky's factor with pivots, which ends at its numerical rank: tokens at one place get one push to rounding,
    where the square root of an eigenvalue that is rounding is 1e-8.

    >>> gram = np.array([[2.0, 1.0], [1.0, 1.0]])
    >>> pushes = gaussian_pushes(gram, 90_000, np.random.default_rng(0))
    >>> bool(np.allclose(pushes @ pushes.T / 90_000, gram, atol=0.03))
    True
    """
    lower, order, rank, _ = dpstrf(gram, lower=1)
    factor = np.zeros_like(gram)
    factor[order - 1, :rank] = np.tril(lower)[:, :rank]
    pushes: Array = factor @ rng.standard_normal((len(gram), dim))
    return pushes


def network_pushes(
    tokens: Array, function: Callable[[Array], NDArray[np.floating]], width: int, rng: np.random.Generator
) -> Array:
    r"""Outputs of a layer of finite width m with fresh Gaussian weights, shape=[n, dim].

    .. math:: \xi(x) = m^{-1/2}\sum_{k \le m} a_k\,s(\langle w_k, x\rangle), \qquad a_k, w_k \sim N(0, I_d)

    >>> network_pushes(np.eye(3), np.tanh, 8, np.random.default_rng(0)).shape
    (3, 3)
    """
    dim = tokens.shape[1]
    inner, outer = rng.standard_normal((width, dim)), rng.standard_normal((width, dim))
    pushes: Array = function(tokens @ inner.T) @ outer / np.sqrt(width)
    return pushes
