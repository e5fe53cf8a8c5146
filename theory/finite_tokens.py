r"""Which degree emerges first from finitely many tokens, and when: the linear theory of a random start.

With :math:`\ell = \log(N a^2)` and :math:`G_k = \log(\chi^2_{D_k}/D_k)` degree k reaches the amplitude a at

.. math:: T_k = \frac{\ell - G_k}{2\gamma_k}

(:mod:`gegenflow.theory.emergence`) and the degree of smallest :math:`T_k > 0` is selected, not always the fastest one.
The law needs :math:`N a^2 \gg 1`, or amplitudes are above a at the start, and a small, or degrees interact before they
emerge.

Source: derived here; arXiv 2410.23228 for the growth of the amplitudes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from math import inf
from typing import Any

import flint
import mpmath
from flint import arb

from gegenflow.theory.certified import Certified
from gegenflow.theory.emergence import Racer, fastest, first_time, joint_survival, token_strength
from gegenflow.theory.growth import growth_rate
from gegenflow.theory.kernels import Kernel, exponential
from gegenflow.theory.races import PRECISION, line_up, run_race
from gegenflow.theory.sphere import check_dim, check_number

FASTEST = 1e290
LONGEST = 2303.0
"""Logarithm of the largest number of tokens that is searched, about 1e1000."""


@dataclass(frozen=True)
class SelectionLaw:
    """Which degree is the first to reach ``amplitude``, and the time T >= 0 when it does: see :func:`selection_law`.

    ``selection`` maps each degree of the race to the probability that it is first; ``already`` is the probability that
    one of them has that amplitude at the start (T = 0, no degree is selected; small where N a^2 is large): together
    they are 1. ``error`` bounds the error of each. ``mean`` is that of T, ``rates`` are the growth rates of the race.

    Source: derived here.
    """

    dim: int
    beta: Any
    model: str
    tokens: int
    amplitude: float
    selection: dict[int, float]
    already: float
    mean: float
    error: float
    rates: dict[int, Certified] = field(repr=False)

    def survival(self, time: float) -> float:
        r"""Probability :math:`P(T > t) = \prod_k P(T_k > t)` that no degree has emerged by this time.

        >>> law = selection_law(2, 5, 2000)
        >>> 1 > law.survival(0.1) > law.survival(0.2) > 0 == law.survival(float("inf"))
        True
        """
        with flint.ctx.workprec(PRECISION):
            return 1.0 if time < 0 else 0.0 if time == inf else float(joint_survival(self._race(), time))

    def quantile(self, probability: float) -> float:
        """The time by which a degree has emerged with this probability; 0 where that is so at the start.

        >>> law = selection_law(3, 6, 1000)
        >>> round(1 - law.survival(law.quantile(0.9)), 12)
        0.9

        Raises ValueError unless 0 < probability < 1.
        """
        emerged = check_probability(probability)
        with flint.ctx.workprec(PRECISION):
            race = self._race()
            return first_time(lambda time: bool(1 - joint_survival(race, time) >= emerged), race)

    @property
    def median(self) -> float:
        """The time by which a degree has emerged in half of all runs."""
        return self.quantile(0.5)

    def _race(self) -> list[Racer]:
        strength = arb(token_strength(self.tokens, self.amplitude))
        return [Racer(degree, self.dim, rate.ball, strength) for degree, rate in self.rates.items()]


def selection_law(
    dim: int, beta: Any, tokens: int, *, amplitude: float = 0.3, model: str = "usa", kernel: Kernel | None = None
) -> SelectionLaw:
    r"""Probability that each degree is the first to reach an amplitude from independent uniform tokens, and when.

    .. math:: P(k) = \int_0^\infty f_k(t) \prod_{j \ne k} P(T_j > t)\, dt, \qquad
              P(T_k > t) = P\bigl(\chi^2_{D_k} < N D_k a^2 e^{-2\gamma_k t}\bigr), \quad
              f_k = -\tfrac{d}{dt} P(T_k > t)

    by Gauss-Legendre quadrature in balls. ``error`` bounds all that is left out: the remainder of the quadrature, the
    ends of the time window, and the chance that a degree outside the race emerges after the start (for the exponential
    kernel proved from its unimodal rates; those of another ``kernel`` are taken to keep falling where eight in a row
    have become negligible).

    On the circle :math:`P(T_k > t) = 1 - \exp(-N a^2 e^{-2\gamma_k t})`; the fastest degree wins in 61 % of all runs:

    >>> law = selection_law(2, 5, 2000)
    >>> {degree: round(chance, 3) for degree, chance in law.selection.items() if chance > 0.002}
    {2: 0.09, 3: 0.614, 4: 0.29, 5: 0.005}
    >>> abs(sum(law.selection.values()) + law.already - 1) < law.error < 1e-11
    True

    Raises ValueError for dim < 2, tokens < 2, an amplitude outside (0, 1), a kernel of which no degree grows, and as
    :func:`growth_rate`. Source: derived here.
    """
    dim, strength = check_number("dim", check_dim(dim)), token_strength(tokens, amplitude)
    rates = _rates(dim, beta, model, kernel)
    with flint.ctx.workprec(PRECISION):
        race, rest = line_up(dim, rates, arb(strength))
        outcome = run_race(race)
    return SelectionLaw(
        dim,
        beta,
        model,
        int(tokens),
        float(amplitude),
        selection=dict(zip((racer.degree for racer in race), outcome.chances, strict=True)),
        already=outcome.already,
        mean=outcome.mean,
        error=outcome.error + rest,
        rates={racer.degree: rates(racer.degree) for racer in race},
    )


def tokens_needed(
    probability: float,
    dim: int,
    beta: Any,
    *,
    amplitude: float = 0.3,
    model: str = "usa",
    kernel: Kernel | None = None,
) -> int:
    r"""Least number of tokens from which the fastest degree emerges first with this probability.

    The probability increases with N, draw by draw: degree k precedes j where :math:`\ell(1/\gamma_k - 1/\gamma_j) <
    G_k/\gamma_k - G_j/\gamma_j`, whose left side falls as N grows if k is the fastest, and all :math:`T_j` increase.
    An int >= 2, as it may be astronomically large; good to about ten digits. Some fifteen laws are worked out: a second
    in low dim, several in dim 64.

    >>> tokens = tokens_needed(0.9, 2, 5)
    >>> selection_law(2, 5, tokens - 1).selection[3] < 0.9 <= selection_law(2, 5, tokens).selection[3]
    True

    Raises ValueError for a probability outside (0, 1), where more than 1e1000 tokens are needed, and as
    :func:`selection_law`. Source: derived here.
    """
    dim, wanted = check_number("dim", check_dim(dim)), check_probability(probability)
    rates, least = _rates(dim, beta, model, kernel), token_strength(2, amplitude)

    @cache
    def excess(growth: float) -> float:
        with flint.ctx.workprec(PRECISION):
            race, _ = line_up(dim, rates, least * arb(growth).exp())
            if (chance := float(joint_survival(race, 0))) < wanted:  # an upper bound at once
                return chance - wanted
            return float(run_race(race).chances[race.index(fastest(race))]) - wanted

    low, high = 0.0, 1.0
    if excess(low) >= 0:
        return 2
    while excess(high) < 0:
        low, high = high, 2 * high
        if low > LONGEST:
            raise ValueError(f"probability {probability}: more than 1e1000 tokens are needed at beta {beta}")
    growth = mpmath.findroot(lambda x: excess(float(x)), (low, high), solver="anderson", tol=1e-24, verify=False)
    return int(mpmath.ceil(2 * mpmath.exp(growth)))


def check_probability(probability: float) -> float:
    """The probability as a float, or a ValueError unless it lies strictly between 0 and 1."""
    if not 0 < probability < 1:
        raise ValueError(f"probability {probability}: it must lie strictly between 0 and 1")
    return float(probability)


def _rates(dim: int, beta: Any, model: str, kernel: Kernel | None) -> Callable[[int], Certified]:
    kernel = exponential(beta) if kernel is None else kernel

    @cache
    def rate(degree: int) -> Certified:
        certified = growth_rate(degree, dim, beta, model=model, kernel=kernel, digits=25)
        if abs(certified.ball) > FASTEST:
            raise ValueError(
                f"beta {beta}: the rate {certified.value} of degree {degree} is too large for times in float64"
            )
        return certified

    return rate
