"""How spread tokens are: the rank of their second moments, and the overlaps of their pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.densities.sphere import SphereDensity
from gegenflow.numerics.densities.zonal import ZonalDensity
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.observables.pairs import PairShare
from gegenflow.numerics.tokens.arguments import check_whole
from gegenflow.numerics.tokens.geometry import Array, harmonic_dimension, quadrature
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import record_html

EXACT, PARTNERS = 10_000, 512
"""All pairs of at most so many tokens; of more, each with so many others, which are drawn from a fixed seed."""
ROWS = 512  # of tokens at once


@dataclass(frozen=True)
class EffectiveRank:
    r"""Effective rank of the second moments :math:`M = \sum_i w_i x_i x_i^T`: 1 for one cluster, dim where uniform.

    .. math:: \exp\Bigl(-\sum_j \lambda_j \log\lambda_j\Bigr), \qquad
              \lambda_j \text{ the eigenvalues of } M, \quad \sum_j \lambda_j = 1

    the exponential of their entropy (not the participation ratio :math:`1/\sum_j \lambda_j^2`, which is at most that);
    of a density with its moments :math:`\int x x^T f\,d\sigma`.

    >>> tokens = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    >>> round(EffectiveRank()(tokens, np.full(2, 0.5), Flow(beta=0)), 12)  # two directions, equally strong
    2.0

    Source: Roy, Vetterli, The effective rank, EUSIPCO 2007, of the matrix M. See also :class:`.OverlapHistogram`.
    """

    name: ClassVar[str] = "effective_rank"

    _repr_html_ = record_html

    def __call__(self, tokens: Array, weights: Array, flow: Flow) -> float:
        """Of ``tokens``, shape=[n, dim], of ``weights``, shape=[n], whatever the ``flow``."""
        return _rank(np.linalg.eigvalsh(tokens.T @ (weights[:, None] * tokens)).astype(np.float64))

    def of_density(self, density: Density, flow: Flow) -> float:
        """Of a ``density``, whatever the ``flow``."""
        dim, second = density.dim, density.resized(2)
        if isinstance(second, CircleDensity):
            turn = abs(second.spectrum()[2])
            return _rank(np.array([1 + turn, 1 - turn]) / 2)
        if isinstance(second, ZonalDensity):
            along = (1 + (dim - 1) * second.coefficients[1] / harmonic_dimension(2, dim) ** 0.5) / dim
            return _rank(np.array([along] + [(1 - along) / (dim - 1)] * (dim - 1)))
        if not isinstance(second, SphereDensity):
            raise Refused("density", type(density).__name__, "EffectiveRank needs one on the circle, zonal or in dim 3")
        points, weights = quadrature(dim, 4)
        return self(points, weights * second.values(points), flow)


def _rank(eigenvalues: Array) -> float:
    positive = eigenvalues[eigenvalues > 0]
    return float(np.exp(-(positive @ np.log(positive))))


@dataclass(frozen=True)
class OverlapHistogram:
    r"""Shares of the pairs of different tokens by their overlap, in equal bins over [-1, 1], shape=[bins].

    .. math:: \sum_{i \ne j} w_i w_j [\langle x_i, x_j\rangle \in B_b] \Big/ \sum_{i \ne j} w_i w_j

    A bin holds its lower end, the last one also 1. All pairs of at most 10,000 tokens are counted; of more tokens, each
    with 512 others, always the same ones, which leaves an error of about :math:`\sqrt{p/(512\,n)}` of a share p. Of a
    density, exactly for its series, as :class:`.PairShare`.

    >>> tokens = np.array([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]])  # overlaps .6, -1, -.6
    >>> OverlapHistogram(2)(tokens, np.full(3, 1 / 3), Flow(beta=0)).round(12)
    array([0.66666667, 0.33333333])

    ``bins`` is their number, >= 1 (default 100). Raises ValueError for less than one bin. Source: derived here.
    See also :class:`.PairShare`, :func:`.plot_overlaps`.
    """

    bins: int = 100
    name: ClassVar[str] = "overlap_histogram"

    _repr_html_ = record_html

    def __post_init__(self) -> None:
        object.__setattr__(self, "bins", check_whole("bins", self.bins, 1))

    def __call__(self, tokens: Array, weights: Array, flow: Flow) -> Array:
        """Of ``tokens``, shape=[n, dim], of ``weights``, shape=[n], whatever the ``flow``; shape=[bins]."""
        n, counts = len(tokens), np.zeros(self.bins)
        if n <= EXACT:
            for first in range(0, n, ROWS):
                own = tokens[first : first + ROWS]
                masses = np.triu(weights[first : first + ROWS, None] * weights[first:], 1)
                counts += self._counted(own @ tokens[first:].T, masses)
        else:
            rng = np.random.default_rng(0)
            order = rng.permutation(n)
            for shift in rng.choice(n - 1, PARTNERS, replace=False) + 1:
                others = np.roll(order, shift)
                overlaps = np.einsum("id,id->i", tokens[order], tokens[others])
                counts += self._counted(overlaps, weights[order] * weights[others])
        total = counts.sum()
        shares: Array = counts / total if total > 0 else counts
        return shares

    def of_density(self, density: Density, flow: Flow) -> Array:
        """Of two independent points of a ``density``, whatever the ``flow``; shape=[bins]."""
        levels = np.arange(self.bins) * 2 / self.bins - 1
        above = [PairShare(float(level)).of_density(density, flow) for level in levels]
        return -np.diff([*above, 0.0])

    def _counted(self, overlaps: Array, masses: Array) -> Array:
        places = np.floor((overlaps.ravel() + 1) * (self.bins / 2)).astype(np.int64)
        counts: Array = np.bincount(places.clip(0, self.bins - 1), masses.ravel(), self.bins).astype(np.float64)
        return counts
