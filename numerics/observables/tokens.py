"""What a run records at each saved time: an observable has a name and maps tokens, or a density, to numbers.

Called with unit tokens, shape=[n, dim], weights, shape=[n], beta (in a run with a kernel: the kernel) and model; in
place of a call, a run of a density uses ``of_density``, with the density, beta or the kernel, and model.  Any object of
either form will do.
"""

from dataclasses import dataclass
from math import exp, inf, isfinite
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.density import Density, density_power
from gegenflow.numerics.fields.circle import fourier_moments
from gegenflow.numerics.fields.dense import dense_sums
from gegenflow.numerics.fields.flow import LARGEST_BETA, Attention
from gegenflow.numerics.fields.method import attention_sums, prepare_field
from gegenflow.numerics.observables.harmonics import harmonic_power
from gegenflow.numerics.tokens.clusters import cluster_labels
from gegenflow.numerics.tokens.geometry import Array, lattice

SLOW = 1e6  # errors of the sums: a slower motion is summed up densely, however many tokens


class Observable(Protocol):
    """A named function of tokens; the result is stored under ``name`` with a leading axis of times."""

    @property
    def name(self) -> str: ...

    def __call__(self, tokens: Array, weights: Array, attention: Attention, model: str) -> Any: ...


class DensityObservable(Protocol):
    """A named function of densities; the result is stored under ``name`` with a leading axis of times."""

    @property
    def name(self) -> str: ...

    def of_density(self, density: Density, attention: Attention, model: str) -> Any: ...


@dataclass(frozen=True)
class HarmonicPower:
    r"""Squared amplitudes :math:`A_k^2` of degrees 0..max_degree, see :func:`harmonic_power`."""

    max_degree: int
    name: ClassVar[str] = "harmonic_power"

    def __call__(self, tokens: Array, weights: Array, attention: Attention, model: str) -> Array:
        return harmonic_power(tokens, self.max_degree, weights)

    def of_density(self, density: Density, attention: Attention, model: str) -> Array:
        return density_power(density, self.max_degree)


@dataclass(frozen=True)
class HarmonicAmplitude:
    r"""Complex amplitudes of degrees 0..max_degree on the circle, dim 2 only, shape=[max_degree + 1].

    .. math:: \mu_k = \sum_j w_j e^{-ik\theta_j}

    >>> HarmonicAmplitude(1)(np.array([[0.0, 1.0]]), np.ones(1), 0.0, "usa")  # one token at pi/2
    array([1.-0.j, 0.-1.j])
    """

    max_degree: int
    name: ClassVar[str] = "harmonic_amplitude"

    def __call__(self, tokens: Array, weights: Array, attention: Attention, model: str) -> NDArray[np.complex128]:
        if tokens.shape[1] != 2:
            raise ValueError(f"dim is {tokens.shape[1]}: HarmonicAmplitude needs dim 2")
        return fourier_moments(tokens, weights, self.max_degree).conj()

    def of_density(self, density: Density, attention: Attention, model: str) -> NDArray[np.complex128]:
        if not isinstance(density, CircleDensity):
            raise ValueError(f"the density is a {type(density).__name__}: HarmonicAmplitude needs a CircleDensity")
        return density.resized(self.max_degree).spectrum()


@dataclass(frozen=True)
class Energy:
    r"""Interaction energy, which attention increases.

    .. math:: E = \frac{1}{2\beta} \sum_{ij} w_i w_j e^{\beta\langle x_i, x_j\rangle}

    At ``beta`` = 0 the diverging constant :math:`1/(2\beta)` is dropped:
    :math:`E = \frac12 \sum_{ij} w_i w_j \langle x_i, x_j\rangle`.

    >>> energy = Energy()(np.eye(2), np.array([0.5, 0.5]), 2.0, "usa")
    >>> bool(np.isclose(energy, (2 * np.exp(2.0) + 2) / 16, rtol=1e-14))
    True

    Raises ValueError for ``beta`` > 700, where it overflows, and in a run with a kernel, whose potential is not known.
    Source: arXiv 2410.23228.
    """

    name: ClassVar[str] = "energy"

    def __call__(self, tokens: Array, weights: Array, attention: Attention, model: str) -> float:
        if callable(attention):
            raise ValueError("the energy needs beta: the potential of a kernel is not known")
        if attention == 0:
            mean = weights @ tokens
            return float(mean @ mean) / 2
        if attention > LARGEST_BETA:
            raise ValueError(f"beta is {attention:g}: the energy overflows float64 above beta = {LARGEST_BETA:g}")
        _, normalizer = attention_sums(tokens, weights, attention)
        return exp(attention) / (2 * attention) * float(weights @ normalizer)

    def of_density(self, density: Density, attention: Attention, model: str) -> float:
        r""":math:`E = \frac{1}{2\beta} (w_0 + \sum_i w_{\deg i} a_i^2)` with the multipliers w of the kernel."""
        if callable(attention):
            raise ValueError("the energy needs beta: the potential of a kernel is not known")
        _check_overflow(attention, attention, "energy")
        value, potential = density.multipliers(attention)
        if attention == 0:
            return float(potential[density.degrees] @ density.coefficients**2) / 2
        total = value[0] + value[density.degrees] @ density.coefficients**2
        return exp(attention) / (2 * attention) * float(total)


@dataclass(frozen=True)
class Dissipation:
    r"""Rate dE/dt at which the energy of :class:`Energy` grows along the flow.

    .. math:: \frac{dE}{dt} = \sum_i w_i |v_i|^2 \ \text{(USA)}, \qquad \sum_i w_i Z_i |v_i|^2 \ \text{(SA)}

    with v the model's own velocity and Z its normaliser; in a run with a kernel h,
    :math:`E = \frac12 \sum_{ij} w_i w_j W(\langle x_i, x_j\rangle)`, :math:`W' = h`.  Two orthogonal tokens, USA:
    v = 1/2 for both.

    >>> Dissipation()(np.eye(2), np.array([0.5, 0.5]), 2.0, "usa")
    0.25

    Raises ValueError when it overflows (``beta`` about 350 for USA).  Source: derived here; in USA the flow
    is the Wasserstein gradient ascent of E.
    """

    name: ClassVar[str] = "dissipation"

    def __call__(self, tokens: Array, weights: Array, attention: Attention, model: str) -> float:
        field = prepare_field(tokens, weights, attention, model=model)
        drift, normalizer = field.sums(tokens, weights)
        if np.abs(drift).max() < SLOW * field.error * field.largest[0]:
            drift, normalizer = dense_sums(tokens, weights, attention)
        squares = np.einsum("id,id->i", drift, drift)
        scaled = float(weights @ (squares if model == "usa" else squares / normalizer))
        if callable(attention):
            return scaled
        power = 2 * attention if model == "usa" else attention
        value = scaled * exp(power) if power <= LARGEST_BETA else inf
        if not isfinite(value):
            raise ValueError(f"beta is {attention:g}: the dissipation overflows float64 there")
        return value

    def of_density(self, density: Density, attention: Attention, model: str) -> float:
        r""":math:`dE/dt = \sum_i \lambda_{\deg i} a_i \dot a_i`, with the multipliers of W and no noise."""
        if not callable(attention):
            _check_overflow(attention, (2 if model == "usa" else 1) * attention, "dissipation")
        potential = density.multipliers(attention)[1][density.degrees]
        scale = 1.0 if callable(attention) else exp(attention)
        return scale * float(
            (potential * density.coefficients) @ density.motion(attention, model)(density.coefficients)
        )


@dataclass(frozen=True)
class Clusters:
    """Number of clusters, see :func:`cluster_labels`."""

    angle: float = 0.1
    min_mass: float = 0.01
    name: ClassVar[str] = "cluster_count"

    def __call__(self, tokens: Array, weights: Array, attention: Attention, model: str) -> int:
        return int(cluster_labels(tokens, weights, angle=self.angle, min_mass=self.min_mass).max()) + 1

    def of_density(self, density: Density, attention: Attention, model: str) -> int:
        if not isinstance(density, CircleDensity):
            raise ValueError(f"dim is {density.dim}: Clusters needs tokens or a density on the circle")
        values, weights = density.samples()
        masses = np.maximum(values * weights, np.finfo(np.float64).tiny)
        return self(lattice(len(values)), masses / masses.sum(), attention, model)


@dataclass(frozen=True)
class Periodicity:
    r"""Share of the degrees that a period of :math:`2\pi/k` allows, on the circle: one on the k-periodic manifold.

    .. math:: Q_k = \sum_{k | m \le K} A_m^2 \Big/ \sum_{1 \le m \le K} A_m^2, \qquad K = \text{max\_degree}

    >>> three = lattice(3), np.full(3, 1 / 3), 0.0, "usa"
    >>> round(Periodicity(3)(*three), 12), round(Periodicity(2, 6)(*three), 12)  # degrees 3 and 6; only 6
    (1.0, 0.5)

    The uniform density has every period.  Raises ValueError for a degree below 1 or above ``max_degree``, and in other
    dims than 2.  Source: derived here.
    """

    degree: int
    max_degree: int = 64
    name: ClassVar[str] = "periodicity"

    def __post_init__(self) -> None:
        if not 1 <= self.degree <= self.max_degree:
            raise ValueError(f"degree is {self.degree}: it must lie in 1..{self.max_degree}, the max_degree")

    def __call__(self, tokens: Array, weights: Array, attention: Attention, model: str) -> float:
        return self._share(tokens.shape[1], harmonic_power(tokens, self.max_degree, weights))

    def of_density(self, density: Density, attention: Attention, model: str) -> float:
        return self._share(density.dim, density_power(density, self.max_degree))

    def _share(self, dim: int, power: Array) -> float:
        if dim != 2:
            raise ValueError(f"dim is {dim}: Periodicity needs dim 2")
        total = power[1:].sum()
        return float(power[self.degree :: self.degree].sum() / total) if total > 0 else 1.0


@dataclass(frozen=True)
class Entropy:
    r"""Relative entropy of a density, :math:`\int f\log f\,d\sigma \ge 0`, zero for the uniform one.

    With noise, USA increases :math:`E - \nu\int f\log f\,d\sigma`.  Values below zero, which a truncated series may
    have, count as zero.  Of tokens there is none: it would be infinite.  Source: arXiv 2604.16288.

    >>> from gegenflow.numerics.densities.circle import CircleDensity
    >>> value = Entropy().of_density(CircleDensity(np.array([0.01, 0.0])), 0.0, "usa")
    >>> bool(np.isclose(value, 0.01**2 / 2, rtol=1e-4))  # half the square of the norm of f - 1
    True
    """

    name: ClassVar[str] = "entropy"

    def of_density(self, density: Density, attention: Attention, model: str) -> float:
        values, weights = density.samples()
        return float(weights @ xlogy(values, values, where=values > 0, out=np.zeros_like(values)))


def _check_overflow(beta: float, power: float, name: str) -> None:
    if power > LARGEST_BETA:
        raise ValueError(f"beta is {beta:g}: the {name} overflows float64 there")
