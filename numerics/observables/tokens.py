"""What a run records at each saved time: an observable has a name and maps tokens, or a density, to numbers.

Called with unit tokens, shape=[n, dim], weights, shape=[n], and the flow; in place of a call, a run of a density uses
``of_density``, with the density and the flow.  Any object of either form will do; before a run its ``check`` is called
with the flow, where it has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, pi
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.density import Density, density_power
from gegenflow.numerics.fields.circle import fourier_moments
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.observables.harmonics import harmonic_power
from gegenflow.numerics.tokens.arguments import check_number, check_whole
from gegenflow.numerics.tokens.clusters import cluster_labels
from gegenflow.numerics.tokens.geometry import Array, lattice
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import record_html

AGREED, NOTHING = 1e-9, 1e-15  # two grids on an entropy: relative, and what rounding leaves of none


class Observable(Protocol):
    """A named function of tokens; the result is stored under ``name`` with a leading axis of times."""

    @property
    def name(self) -> str: ...

    def __call__(self, tokens: Array, weights: Array, flow: Flow) -> Any: ...


class DensityObservable(Protocol):
    """A named function of densities; the result is stored under ``name`` with a leading axis of times."""

    @property
    def name(self) -> str: ...

    def of_density(self, density: Density, flow: Flow) -> Any: ...


@dataclass(frozen=True)
class HarmonicPower:
    r"""Squared amplitudes :math:`A_k^2` of degrees 0..max_degree, see :func:`harmonic_power`.

    ``max_degree`` is the highest degree, >= 0.

    See also :class:`.HarmonicAmplitude`, :func:`.plot_power`.
    """

    max_degree: int
    name: ClassVar[str] = "harmonic_power"
    adds_up: ClassVar[bool] = True

    _repr_html_ = record_html

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_degree", check_whole("max_degree", self.max_degree, 0))

    def __call__(self, tokens: Array, weights: Array, flow: Flow) -> Array:
        """Of ``tokens``, shape=[n, dim], of ``weights``, shape=[n], whatever the ``flow``; shape=[max_degree + 1]."""
        return harmonic_power(tokens, self.max_degree, weights)

    def of_density(self, density: Density, flow: Flow) -> Array:
        """Of a ``density``, whatever the ``flow``; shape=[max_degree + 1]."""
        return density_power(density, self.max_degree)


@dataclass(frozen=True)
class HarmonicAmplitude:
    r"""Complex amplitudes of degrees 0..max_degree on the circle, dim 2 only, shape=[max_degree + 1].

    .. math:: \mu_k = \sum_j w_j e^{-ik\theta_j}

    ``max_degree`` is the highest degree, >= 0.

    >>> HarmonicAmplitude(1)(np.array([[0.0, 1.0]]), np.ones(1), Flow(beta=0))  # one token at pi/2
    array([1.-0.j, 0.-1.j])

    See also :class:`.HarmonicPower`.
    """

    max_degree: int
    name: ClassVar[str] = "harmonic_amplitude"
    adds_up: ClassVar[bool] = True

    _repr_html_ = record_html

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_degree", check_whole("max_degree", self.max_degree, 0))

    def __call__(self, tokens: Array, weights: Array, flow: Flow) -> NDArray[np.complex128]:
        """Of ``tokens``, shape=[n, 2], of ``weights``, shape=[n], whatever the ``flow``; shape=[max_degree + 1]."""
        if tokens.shape[1] != 2:
            raise Refused("dim", tokens.shape[1], "HarmonicAmplitude needs dim 2")
        return fourier_moments(tokens, weights, self.max_degree).conj()

    def of_density(self, density: Density, flow: Flow) -> NDArray[np.complex128]:
        """Of a ``density`` on the circle, whatever the ``flow``; shape=[max_degree + 1]."""
        if not isinstance(density, CircleDensity):
            raise Refused("density", type(density).__name__, "HarmonicAmplitude needs a CircleDensity")
        return density.resized(self.max_degree).spectrum()


@dataclass(frozen=True)
class Clusters:
    """Number of clusters, see :func:`cluster_labels`.

    ``angle`` is the largest angle of a link, in radians, in (0, pi], default 0.1; ``min_mass`` the least share of the
    weight in a cluster, in [0, 1], default 0.01; ``coherence`` the least length of its mean, in [0, 1], default 0.9.

    See also :func:`.cluster_labels`, :func:`.find_clusters`, :class:`.PairShare`.
    """

    angle: float = 0.1
    min_mass: float = 0.01
    coherence: float = 0.9
    name: ClassVar[str] = "cluster_count"

    _repr_html_ = record_html

    def __post_init__(self) -> None:
        object.__setattr__(self, "angle", check_number("angle", self.angle, above=0, most=pi))
        object.__setattr__(self, "min_mass", check_number("min_mass", self.min_mass, least=0, most=1))
        object.__setattr__(self, "coherence", check_number("coherence", self.coherence, least=0, most=1))

    def __call__(self, tokens: Array, weights: Array, flow: Flow) -> int:
        """Of ``tokens``, shape=[n, dim], of ``weights``, shape=[n], whatever the ``flow``."""
        scale = {"angle": self.angle, "min_mass": self.min_mass, "coherence": self.coherence}
        return int(cluster_labels(tokens, weights, **scale).max()) + 1

    def of_density(self, density: Density, flow: Flow) -> int:
        """Of a ``density`` on the circle, by its values at equispaced angles, whatever the ``flow``."""
        if not isinstance(density, CircleDensity):
            raise Refused("dim", density.dim, "Clusters needs tokens or a density on the circle")
        values, weights = density.samples()
        masses = np.maximum(values * weights, np.finfo(np.float64).tiny)
        return self(lattice(len(values)), masses / masses.sum(), flow)


@dataclass(frozen=True)
class Periodicity:
    r"""Share of the degrees that a period of :math:`2\pi/k` allows, on the circle: one on the k-periodic manifold.

    .. math:: Q_k = \sum_{k | m \le K} A_m^2 \Big/ \sum_{1 \le m \le K} A_m^2, \qquad K = \text{max\_degree}

    ``degree`` is k, >= 1 and <= ``max_degree``, the highest degree K looked at, >= 1, default 64.

    >>> three = lattice(3), np.full(3, 1 / 3), Flow(beta=0)
    >>> round(Periodicity(3)(*three), 12), round(Periodicity(2, 6)(*three), 12)  # degrees 3 and 6; only 6
    (1.0, 0.5)

    The uniform density has every period.  Raises ValueError for a degree below 1 or above ``max_degree``, and in other
    dims than 2.  Source: derived here.

    See also :class:`.HarmonicPower`.
    """

    degree: int
    max_degree: int = 64
    name: ClassVar[str] = "periodicity"

    _repr_html_ = record_html

    def __post_init__(self) -> None:
        top = check_whole("max_degree", self.max_degree, 1)
        object.__setattr__(self, "degree", check_whole("degree", self.degree, 1, top, why=", the max_degree"))
        object.__setattr__(self, "max_degree", top)

    def __call__(self, tokens: Array, weights: Array, flow: Flow) -> float:
        """Of ``tokens``, shape=[n, 2], of ``weights``, shape=[n], whatever the ``flow``."""
        return self._share(tokens.shape[1], harmonic_power(tokens, self.max_degree, weights))

    def of_density(self, density: Density, flow: Flow) -> float:
        """Of a ``density`` in dim 2, whatever the ``flow``."""
        return self._share(density.dim, density_power(density, self.max_degree))

    def _share(self, dim: int, power: Array) -> float:
        if dim != 2:
            raise Refused("dim", dim, "Periodicity needs dim 2")
        total = power[1:].sum()
        return float(power[self.degree :: self.degree].sum() / total) if total > 0 else 1.0


@dataclass(frozen=True)
class Entropy:
    r"""Relative entropy of a density, :math:`\int f\log f\,d\sigma \ge 0`, zero for the uniform one.

    With noise, USA increases :math:`E - \nu\int f\log f\,d\sigma`.  Values below zero, which a truncated series may
    have, count as zero.  To 1e-8 of itself near a vacuum too, where the logarithm takes grids much finer than the
    density: they are refined until two agree to 1e-9, or as far as that kind of density allows.  Of tokens there is
    none: it would be infinite.  Source: arXiv 2604.16288.

    >>> from gegenflow.numerics.densities.circle import CircleDensity
    >>> value = Entropy().of_density(CircleDensity(np.array([0.01, 0.0])), Flow(beta=0))
    >>> bool(np.isclose(value, 0.01**2 / 2, rtol=1e-4))  # half the square of the norm of f - 1
    True

    See also :class:`.Energy`, :class:`.AttentionEntropy`.
    """

    name: ClassVar[str] = "entropy"

    _repr_html_ = record_html

    def of_density(self, density: Density, flow: Flow) -> float:
        """Of a ``density``, whatever the ``flow``."""
        found, size, finer = inf, 0, 1
        while True:
            before, (values, weights) = found, density.samples(finer)
            positive = np.maximum(values, 0.0)  # no where=: scipy 1.17 writes out of bounds under a partial one
            found = float(weights @ (xlogy(positive, positive) - (values - 1)))  # of mass 0, and less is rounded
            if abs(found - before) <= AGREED * abs(found) + NOTHING or len(values) == size:
                return found
            size, finer = len(values), 2 * finer
