"""How many pairs of tokens are close: the share whose overlap is above a level."""

from __future__ import annotations

from dataclasses import dataclass
from math import acos, lgamma, pi
from typing import ClassVar

import numpy as np
from scipy.special import betainc, eval_gegenbauer, gammaln

from gegenflow.numerics.densities.density import Density, density_power
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.arguments import check_number
from gegenflow.numerics.tokens.geometry import Array, harmonic_dimension
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import record_html

MOST_TOKENS = 50_000  # outside the circle all pairs are looked at
ROWS = 512  # of tokens at once


@dataclass(frozen=True)
class PairShare:
    r"""Share of the pairs of different tokens whose overlap is above a ``level`` in [-1, 1).

    .. math:: \sum_{i \ne j} w_i w_j [\langle x_i, x_j\rangle > \ell] \Big/ \sum_{i \ne j} w_i w_j, \qquad
              \iint [\langle x, y\rangle > \ell]\, f(x) f(y)\,d\sigma\,d\sigma
              = \sum_k D_k A_k^2 \int_\ell^1 P_k(t)\,d\rho(t)

    for tokens, to the rounding of an overlap, and for a density f of amplitudes A, exactly for its series; zero for a
    single token.  On the circle tokens are sorted; elsewhere all pairs are looked at, of at most 50,000 tokens.

    >>> tokens = np.array([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]])
    >>> round(PairShare(0.5)(tokens, np.full(3, 1 / 3), Flow(beta=0)), 12)  # one of three pairs
    0.333333333333

    Raises ValueError for another level, and for more tokens.  Source: derived here; the integral from the differential
    equation of the harmonics, DLMF 18.8.

    See also :class:`.Clusters`, :class:`.SmallestOverlap`.
    """

    level: float
    name: ClassVar[str] = "pair_share"

    _repr_html_ = record_html

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", check_number("level", self.level, least=-1, below=1))

    def __call__(self, tokens: Array, weights: Array, flow: Flow) -> float:
        """Of ``tokens``, shape=[n, dim], of ``weights``, shape=[n], whatever the ``flow``."""
        n, dim = tokens.shape
        alone = float(weights @ weights)
        if n == 1:
            return 0.0
        if dim == 2:
            close = self._on_the_circle(tokens, weights) - alone
        elif n > MOST_TOKENS:
            raise Refused("n", n, f"the share of pairs takes at most {MOST_TOKENS} tokens in dim {dim}")
        else:
            blocks = (slice(first, first + ROWS) for first in range(0, n, ROWS))
            above = (weights[rows] @ ((tokens[rows] @ tokens.T > self.level) @ weights) for rows in blocks)
            own = np.einsum("id,id->i", tokens, tokens) > self.level
            close = float(sum(above)) - float(own @ weights**2)
        return min(max(close / (1 - alone), 0.0), 1.0)

    def of_density(self, density: Density, flow: Flow) -> float:
        """Of two independent points of a ``density``, whatever the ``flow``."""
        degree = np.arange(density.max_degree + 1)
        power = density_power(density, density.max_degree)
        many = np.array([harmonic_dimension(int(k), density.dim) for k in degree], dtype=np.float64)
        return float((many * power) @ _caps(density.max_degree, density.dim, self.level))

    def _on_the_circle(self, tokens: Array, weights: Array) -> float:
        angle = np.arctan2(tokens[:, 1], tokens[:, 0])
        order = np.argsort(angle)
        line, masses = angle[order], weights[order]
        before = np.concatenate([[0.0], np.cumsum(np.tile(masses, 3))])
        around = np.concatenate([line - 2 * pi, line, line + 2 * pi])
        reach = acos(self.level)
        first, last = np.searchsorted(around, line - reach, "right"), np.searchsorted(around, line + reach, "left")
        return float(masses @ np.minimum(before[last] - before[first], 1.0))


def _caps(max_degree: int, dim: int, level: float) -> Array:
    r"""Of each degree, :math:`\int_\ell^1 P_k\,d\rho = c (1-\ell^2)^{(d-1)/2} P_{k-1}(\ell)/(d-1)`, P of dim d + 2."""
    side = (1 - level) * (1 + level)
    half = betainc((dim - 1) / 2, 0.5, side) / 2
    k = np.arange(1, max_degree + 1)
    size = np.exp(gammaln(k - 1 + dim) - gammaln(k) - lgamma(dim))  # of the polynomial of degree k - 1 at one
    scale = np.exp(lgamma(dim / 2) - lgamma((dim - 1) / 2)) / np.sqrt(pi) * side ** ((dim - 1) / 2) / (dim - 1)
    return np.concatenate([[half if level >= 0 else 1 - half], scale * eval_gegenbauer(k - 1, dim / 2, level) / size])
