"""Observables of how near tokens are to one cluster, accurate for tokens that have all but merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from gegenflow.numerics.densities.density import Density, density_power
from gegenflow.numerics.fields.dense import OVERLAPS
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import record_html


@dataclass(frozen=True)
class Resultant:
    r"""Length of the mean of the tokens, one for a Dirac and zero for uniform ones: the order parameter of degree 1.

    .. math:: R = \Big|\sum_i w_i x_i\Big| = A_1

    >>> round(Resultant()(np.eye(2), np.array([0.6, 0.4]), Flow(beta=0)) ** 2, 12)
    0.52

    Source: arXiv 2504.14697, :math:`R_0` at the start; the Kuramoto order parameter in dim 2.

    See also :class:`.HarmonicPower`, :class:`.DiracDistance`.
    """

    name: ClassVar[str] = "resultant"

    _repr_html_ = record_html

    def __call__(self, tokens: Array, weights: Array, flow: Flow) -> float:
        """Of ``tokens``, shape=[n, dim], of ``weights``, shape=[n], whatever the ``flow``."""
        return float(np.linalg.norm(weights @ tokens))

    def of_density(self, density: Density, flow: Flow) -> float:
        """Of a ``density``, whatever the ``flow``."""
        return float(np.sqrt(density_power(density, 1)[1]))


@dataclass(frozen=True)
class DiracDistance:
    r"""Wasserstein distance, in the angle, of the tokens to the Dirac at their mean direction.

    .. math:: W_2 = \sqrt{\textstyle\sum_i w_i \angle(x_i, m)^2}, \qquad m = \frac{\sum_i w_i x_i}{|\sum_i w_i x_i|},
              \qquad \angle(x, m) = 2 \operatorname{atan2}(|x - m|, |x + m|)

    Near a cluster m is the nearest Dirac up to the cube of the distance, which decays as
    :math:`e^{-e^\beta t}` (USA) or :math:`e^{-t}` (SA); angles keep their digits down to rounding.

    >>> pair = np.array([[1.0, 1e-9], [1.0, -1e-9]])
    >>> bool(np.isclose(DiracDistance()(pair, np.array([0.5, 0.5]), Flow(beta=1)), 1e-9, rtol=1e-12))
    True

    Raises ValueError where the mean is exactly zero and has no direction.  Source: arXiv 2504.14697.

    See also :class:`.Resultant`, :class:`.SmallestOverlap`, :func:`.wasserstein_distance`.
    """

    name: ClassVar[str] = "dirac_distance"

    _repr_html_ = record_html

    def __call__(self, tokens: Array, weights: Array, flow: Flow) -> float:
        """Of ``tokens``, shape=[n, dim], of ``weights``, shape=[n], whatever the ``flow``."""
        mean = weights @ tokens
        length = np.linalg.norm(mean)
        if length == 0:
            raise Refused("tokens", None, "their mean is zero, there is no direction for DiracDistance to start from")
        mean /= length
        angle = 2 * np.arctan2(np.linalg.norm(tokens - mean, axis=1), np.linalg.norm(tokens + mean, axis=1))
        return float(np.sqrt(weights @ angle**2))


@dataclass(frozen=True)
class SmallestOverlap:
    r"""Smallest overlap of two tokens: one for a Dirac, minus one where two are antipodal.

    .. math:: \min_{ij} \langle x_i, x_j\rangle = \min_{ij} \big(1 - \tfrac12 |x_i - x_j|^2\big)

    In time O(n^2 dim) and memory O(n); right to the last digits also near one.

    >>> SmallestOverlap()(np.eye(3), np.full(3, 1 / 3), Flow(beta=1))
    0.0

    Source: arXiv 2312.10794, whose equiangular tokens have but one overlap.

    See also :class:`.DiracDistance`, :class:`.PairShare`.
    """

    name: ClassVar[str] = "smallest_overlap"

    _repr_html_ = record_html

    def __call__(self, tokens: Array, weights: Array, flow: Flow) -> float:
        """Of ``tokens``, shape=[n, dim], of ``weights``, shape=[n], whatever the ``flow``."""
        rows = max(1, OVERLAPS // len(tokens))
        least, pair = np.inf, (0, 0)
        for first in range(0, len(tokens), rows):
            overlap = tokens[first : first + rows] @ tokens.T
            place: Any = np.unravel_index(np.argmin(overlap), overlap.shape)
            if overlap[place] < least:
                least, pair = overlap[place], (first + place[0], place[1])
        gap = tokens[pair[0]] - tokens[pair[1]]
        return float(1 - gap @ gap / 2)
