"""Probability densities on the sphere of any dim that are symmetric about an axis, and how attention moves them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gegenflow.numerics.densities.density import (
    NEGATIVE,
    check_coefficients,
    check_values,
    checked_mass,
    coarser,
    function_values,
    sum_of_motions,
    summary,
)
from gegenflow.numerics.densities.zonal_harmonics import (
    expansion,
    funk_hecke,
    gauss_rule,
    zonal_polynomials,
)
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.arguments import check_dim, check_whole, real_array
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import Value, record_html, sealed

LEAST_SAMPLES, MOST_SAMPLES = 64, 512  # the rule of more takes longer than the tenth of a second
ROUNDING = 1e-12  # overlaps of unit vectors may be this far beyond one
CHECKED = 4001  # overlaps, even in the angle and with both poles, between the nodes that a series is made from


@dataclass(frozen=True, eq=False, repr=False)
class ZonalDensity(Value):
    r"""A density on :math:`S^{d-1}` of mass one that depends on the overlap with one axis alone.

    .. math:: f(t) = 1 + \sum_{k=1}^{K} a_k \sqrt{D_k} P_k(t), \qquad t = \langle x, e\rangle, \quad P_k(1) = 1

    with respect to the uniform probability measure, :math:`D_k` harmonics of degree k.  ``coefficients``, any finite
    numbers, shape=[K], are :math:`a_1, \dots, a_K`, those in an orthonormal basis, so that their squares add up to
    :math:`\int (f-1)^2 d\sigma`; ``dim`` is d >= 2 (in dim 2 the density is even in the angle).  Near the poles of a
    high dim, where hardly any mass is, values carry the rounding of :math:`a_k` times :math:`\sqrt{D_k}`.

    >>> density = ZonalDensity(np.array([0.1, 0.0]), dim=3)
    >>> density.max_degree, bool(np.isclose(density.values([0.5])[0], 1 + 0.1 * 3**0.5 * 0.5))
    (2, True)

    Raises ValueError for coefficients of another shape or not finite, and for ``dim`` < 2.  Source: derived here
    (addition theorem).

    See also :func:`.zonal_density`, :func:`.solve_density`.
    """

    coefficients: Array
    dim: int

    _repr_html_ = record_html

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", check_dim(self.dim))
        found = check_coefficients(self.coefficients, "(K,), one of each degree", lambda count: True)
        object.__setattr__(self, "coefficients", sealed(found))

    def __repr__(self) -> str:
        return summary(self)

    @property
    def max_degree(self) -> int:
        return len(self.coefficients)

    @property
    def degrees(self) -> NDArray[np.int64]:
        """Degree of each coefficient, shape=[K]."""
        return np.arange(1, self.max_degree + 1)

    def resized(self, max_degree: int) -> ZonalDensity:
        """The same up to a degree ``max_degree`` >= 0: zeros appended, or the highest degrees dropped."""
        max_degree = check_whole("max_degree", max_degree, 0)
        kept = self.coefficients[:max_degree]
        return ZonalDensity(np.pad(kept, (0, max_degree - len(kept))), self.dim)

    def values(self, overlaps: ArrayLike) -> Array:
        """The density at ``overlaps`` t with the axis, in [-1, 1], shape=[...]."""
        overlap = real_array("overlaps", overlaps)
        if (outside := overlap[~(np.abs(overlap) <= 1 + ROUNDING)]).size:
            raise Refused("overlaps", None, f"there is {outside[0]:.9g}, they lie in [-1, 1]")
        polynomials = zonal_polynomials(self.dim, self.max_degree, overlap.ravel())
        result: Array = 1 + self.coefficients @ polynomials[1:]
        return result.reshape(overlap.shape)

    def samples(self, finer: int = 1) -> tuple[Array, Array]:
        """Values at Gauss nodes, two a degree or more, and their weights of sum one, both shape=[n].

        ``finer`` >= 1, whole, 1 by default, asks for that many times as many, up to 512.
        """
        least = max(LEAST_SAMPLES, 2 * self.max_degree + 2)
        overlaps, weights = gauss_rule(self.dim, max(least, min(check_whole("finer", finer, 1) * least, MOST_SAMPLES)))
        return self.values(overlaps), weights

    def multipliers(self, flow: Flow) -> tuple[Array, Array]:
        r"""Funk-Hecke multipliers of the kernel h and of its potential W, W' = h, each shape=[K + 1].

        .. math:: w_k = c_d \int_{-1}^{1} h(t) P_k(t) (1-t^2)^{(d-3)/2}\,dt, \qquad
                  \lambda_k = w_{k-1}^{(d+2)} / d

        of the ``flow``, in units of :math:`e^\beta` for the exponential kernel: those of W are those of its derivative
        two dimensions up.  :math:`\lambda_0`, which moves nothing, is put to zero.

        >>> value, potential = ZonalDensity(np.zeros(4), dim=5).multipliers(Flow(beta=2))
        >>> bool(np.allclose(value[1:], 2.0 * potential[1:], rtol=1e-12))  # W = h / beta
        True

        Source: derived here (integration by parts against :math:`P_k'`).
        """
        attention = flow.attention
        kernel = attention if callable(attention) else lambda t: np.exp(attention * (t - 1))
        slope = funk_hecke(kernel, self.dim + 2, max(self.max_degree, 1))[: self.max_degree]
        return funk_hecke(kernel, self.dim, self.max_degree), np.concatenate([[0.0], slope / self.dim])

    def motion(self, flow: Flow) -> Callable[[Array], Array]:
        r"""The time derivative of coefficients, shape=[K], under attention without noise, as a function of them.

        .. math:: \dot a_k = \int \nabla\phi_k \cdot v f\,d\sigma
                  = \sqrt{L_k} \int \psi_{k-1} f \sum_j \lambda_j \sqrt{L_j}\, a_j \psi_{j-1}\, d\sigma_{d+2}

        for a ``flow`` of USA, :math:`v = \nabla(W*f)`, :math:`L_k = k(k+d-2)`, with :math:`\phi_k` and :math:`\psi_k`
        orthonormal in dim d and d + 2 and :math:`\lambda_k` of W.  SA divides by :math:`h*f`, and the function raises
        FloatingPointError where that is not positive.  The Gauss rule is exact for USA (SA: as far as it resolves the
        quotient); a density that is even stays even.

        The first degree at ``beta`` = 0 grows at the rate (d - 1)/d:

        >>> ZonalDensity(np.zeros(1), dim=4).motion(Flow(beta=0))(np.array([1e-9])) / 1e-9
        array([0.75])

        Source: arXiv 2410.23228 for the equation, derived here for the weak form.
        """
        if flow.heads:
            return sum_of_motions(self, flow)
        top, dim = self.max_degree, self.dim
        value, potential = self.multipliers(flow)
        scale = flow.unit
        half = (3 * top) // 4 + 1 if flow.model == "usa" else max(16, top)
        overlaps, weights = (part[half:] for part in gauss_rule(dim + 2, 2 * half))
        phi = zonal_polynomials(dim, top, overlaps)
        root = np.sqrt(self.degrees * (self.degrees + dim - 2.0))
        psi = root[:, None] * zonal_polynomials(dim + 2, top, overlaps)[:top]
        phi_odd, phi_even, psi_even, psi_odd = (part.copy() for part in (phi[1::2], phi[2::2], psi[::2], psi[1::2]))

        def both_sides(even: Array, odd: Array) -> Array:
            return np.stack([even + odd, even - odd])

        def rate(coefficients: Array) -> Array:
            pull = potential[1:] * coefficients
            flux = both_sides(1 + coefficients[1::2] @ phi_even, coefficients[::2] @ phi_odd) * weights
            flux *= both_sides(pull[::2] @ psi_even, pull[1::2] @ psi_odd)
            if flow.model == "sa":
                mean = value[1:] * coefficients
                normalizer = both_sides(value[0] + mean[1::2] @ phi_even, mean[::2] @ phi_odd)
                if not normalizer.min() > 0:
                    raise FloatingPointError("the normaliser is not positive")
                flux /= normalizer
            change = np.empty(top)
            change[::2] = psi_even @ (flux[0] + flux[1])
            change[1::2] = psi_odd @ (flux[0] - flux[1])
            return scale * change

        return rate


def zonal_density(density: Callable[[Array], Array], dim: int, *, normalize: bool = False) -> ZonalDensity:
    r"""The density that a function of the overlap :math:`t = \langle x, e\rangle` with the axis stands for.

    .. math:: a_k = c_d \int_{-1}^{1} f(t) \sqrt{D_k} P_k(t) (1-t^2)^{(d-3)/2}\,dt

    The number of Gauss nodes doubles until the upper half of the coefficients has fallen to rounding and the series
    agrees with it at 4,001 overlaps between; coefficients below rounding are zero.  Features narrower than 0.0008 in
    the angle may fall between those, as may those so near a pole of a high dim that no series knows them.

    :param density: a function that takes overlaps, shape (n,), to values >= 0 of the same shape
    :param dim: d of the sphere S^{d-1}, >= 2
    :param normalize: divide by the mean over the sphere; False (default): it must be one

    >>> zonal_density(lambda t: 1 + 0.5 * t, dim=4).coefficients.round(12)  # the mean of t^2 is 1/4
    array([0.25])
    >>> zonal_density(lambda t: 2 + t, dim=4)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: density: it has mass 2, not 1, with respect to the uniform probability

    Raises ValueError for values that are negative or not of mean one (each beyond rounding), not finite or of another
    shape, for ``dim`` < 2, and for a function that 1024 degrees do not resolve.  Source: derived here.

    See also :func:`.circle_density`, :func:`.sphere_density`, :func:`.solve_density`.
    """
    dim = check_dim(dim)
    if not callable(density):
        raise Refused("density", None, "it must be a function of overlaps")
    overlaps = np.cos(np.pi * np.arange(CHECKED) / (CHECKED - 1))
    given = function_values(density, overlaps, "overlaps")
    check_values(given.astype(np.float64), lambda i: f"overlap {overlaps[i]:.6g}", coarser(given) * NEGATIVE)
    coefficients = expansion(density, dim, "density", coarser(given), overlaps)
    mass = checked_mass(float(coefficients[0]), given, normalize)
    return ZonalDensity(coefficients[1:] / mass, dim)
