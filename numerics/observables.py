"""What a run records at each saved time: an observable has a name and maps tokens to a number or an array.

Called with unit tokens, shape=[n, dim], weights, shape=[n], beta (in a run with a kernel: the kernel) and model; any
object of that form will do.
"""

from dataclasses import dataclass
from math import exp, inf, isfinite
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.attention import LARGEST_BETA, Attention, dense_sums
from gegenflow.numerics.circle import fourier_moments
from gegenflow.numerics.clusters import cluster_labels
from gegenflow.numerics.fields import attention_sums, prepare_field
from gegenflow.numerics.geometry import Array
from gegenflow.numerics.harmonics import harmonic_power

SLOW = 1e6  # errors of the sums: a slower motion is summed up densely, however many tokens


class Observable(Protocol):
    """A named function of tokens; the result is stored under ``name`` with a leading axis of times."""

    @property
    def name(self) -> str: ...

    def __call__(self, tokens: Array, weights: Array, attention: Attention, model: str) -> Any: ...


@dataclass(frozen=True)
class HarmonicPower:
    r"""Squared amplitudes :math:`A_k^2` of degrees 0..max_degree, see :func:`harmonic_power`."""

    max_degree: int
    name: ClassVar[str] = "harmonic_power"

    def __call__(self, tokens: Array, weights: Array, attention: Attention, model: str) -> Array:
        return harmonic_power(tokens, self.max_degree, weights)


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


@dataclass(frozen=True)
class Clusters:
    """Number of clusters, see :func:`cluster_labels`."""

    angle: float = 0.1
    min_mass: float = 0.01
    name: ClassVar[str] = "cluster_count"

    def __call__(self, tokens: Array, weights: Array, attention: Attention, model: str) -> int:
        return int(cluster_labels(tokens, weights, angle=self.angle, min_mass=self.min_mass).max()) + 1
