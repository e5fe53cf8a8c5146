r"""Which degree emerges first from finitely many tokens, and when: the linear theory of a random start.

With :math:`\ell = \log(N a^2)` and :math:`G_k = \log(\chi^2_{D_k}/D_k)` degree k reaches the amplitude a at

.. math:: T_k = \frac{\ell - G_k}{2\gamma_k}

(:mod:`gegenflow.theory.finite_tokens.emergence`) and the degree of smallest :math:`T_k > 0` is selected, not always the
fastest one. The law needs :math:`N a^2 \gg 1`, or amplitudes are above a at the start, and a small, or degrees interact
before they emerge.

Source: derived here; arXiv 2410.23228 for the growth of the amplitudes.
"""

from __future__ import annotations

from functools import cache

import flint
from flint import arb

from gegenflow.theory.exact.arguments import Real
from gegenflow.theory.exact.certified import Certified
from gegenflow.theory.exact.integers import check_count, check_dim, check_number
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.finite_tokens.emergence import fastest, joint_survival, racers, token_strength, unit_interval
from gegenflow.theory.finite_tokens.laws import BETWEEN, SelectionLaw, check_probability
from gegenflow.theory.finite_tokens.races import LATEST, PRECISION, entrants, line_up, run_race
from gegenflow.theory.growth.rates import growth_rate, normaliser_ball
from gegenflow.theory.kernels.attention import KernelLike, as_kernel, attention
from gegenflow.theory.kernels.kernel import Kernel

FASTEST = 1e290
MOST_TOKENS = 10**1000
DISTINCT = 10**12
"""Numbers of tokens that differ by less than one part in this many are not told apart."""
SECANTS = 30
"""Steps after which a search halves: where the chance has a plateau, secants creep."""
RESOLVED = 1e-13
"""The least distance of a probability from 1 that the quadrature tells apart."""


def selection_law(
    dim: int,
    beta: Real,
    tokens: int,
    *,
    amplitude: Real = 0.3,
    model: str = "usa",
    kernel: KernelLike | None = None,
    max_degree: int | None = None,
) -> SelectionLaw:
    r"""Probability that each degree is the first to reach an amplitude from independent uniform tokens, and when.

    .. math:: P(k) = \int_0^\infty f_k(t) \prod_{j \ne k} P(T_j > t)\, dt, \qquad
              P(T_k > t) = P\bigl(\chi^2_{D_k} < N D_k a^2 e^{-2\gamma_k t}\bigr), \quad
              f_k = -\tfrac{d}{dt} P(T_k > t)

    by Gauss-Legendre quadrature in balls. The growing degrees up to ``max_degree`` race. The law depends on it where
    :math:`N a^2` is so small that slow degrees are above the amplitude at the start. ``error`` bounds what is left out
    of that race: the remainder of the quadrature, the ends of the time window, and the chance that a degree which is
    not in ``selection`` has emerged before one that is.

    :param dim: d of the sphere S^{d-1}, >= 2
    :param beta: inverse temperature, >= 0 (of either sign in a kernel that holds it); None beside a kernel without it
    :param tokens: number of tokens N, >= 2, independent and uniform
    :param amplitude: the amplitude a to reach, 0 < a < 1 (default 0.3)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param kernel: attention weight h(t) as a Kernel, a formula or its text; None (default) is exp(beta*t)
    :param max_degree: the last degree that races, >= 1 and <= 1000; None (default): the last that grows a hundredth as
        fast as the fastest (:meth:`Kernel.tail` proves that none does beyond; of a kernel without such a bound it is
        assumed after eight slower ones in a row)

    On the circle :math:`P(T_k > t) = 1 - \exp(-N a^2 e^{-2\gamma_k t})`; the fastest degree wins in 61 % of all runs:

    >>> law = selection_law(2, 5, 2000)
    >>> {degree: round(chance, 3) for degree, chance in law.selection.items() if chance > 0.002}
    {2: 0.09, 3: 0.614, 4: 0.29, 5: 0.005}
    >>> abs(sum(law.selection.values()) + law.already - 1) < law.error < 1e-11
    True

    Nine tokens are so few that chance alone often decides, and the more so the more degrees are watched:

    >>> [round(selection_law(2, 5, 9, amplitude=0.5, max_degree=last).already, 3) for last in (1, 3, 10)]
    [0.105, 0.284, 0.672]

    Raises ValueError for dim < 2, tokens < 2, an amplitude outside (0, 1), max_degree outside 1 to 1000, or missing
    where degrees beyond may be as fast, a kernel of which no degree grows, degrees of too many harmonics for the
    quadrature, and as :func:`growth_rate`. Source: derived here.

    See also :func:`.tokens_needed`, :func:`.boundary_share`, :meth:`.SelectionLaw.quantile`.
    """
    dim, strength = check_number("dim", check_dim(dim)), token_strength(tokens, amplitude)
    weight = attention(beta, kernel)
    last, rates = _race(dim, weight, model, _named(beta, kernel), max_degree)
    with flint.ctx.workprec(PRECISION):
        race, rest = line_up(racers(rates, dim, arb(strength)))
        outcome = run_race(race)
    return SelectionLaw(
        dim,
        beta,
        None if kernel is None else weight,
        model,
        int(tokens),
        unit_interval(amplitude, "amplitude", BETWEEN),
        selection=dict(zip((racer.degree for racer in race), outcome.chances, strict=True)),
        already=outcome.already,
        mean=outcome.mean,
        error=min(outcome.error + rest, 1.0),
        max_degree=last,
        rates={racer.degree: rates[racer.degree] for racer in race},
    )


def tokens_needed(
    probability: float,
    dim: int,
    beta: Real,
    *,
    amplitude: Real = 0.3,
    model: str = "usa",
    kernel: KernelLike | None = None,
    max_degree: int | None = None,
) -> int:
    r"""Least number of tokens from which the fastest degree emerges first with this probability.

    The probability increases with N, draw by draw: degree k precedes j where
    :math:`\ell(1/\gamma_k - 1/\gamma_j) < G_k/\gamma_k - G_j/\gamma_j`, whose left side falls as N grows if k is the
    fastest, and all :math:`T_j` increase. An int >= 2, as it may be astronomically large; beyond 1e12 good to about ten
    digits. Some twenty laws are worked out: a second in low dim, several in dim 64.

    :param probability: what is asked for, between 0 and 1 - 1e-13
    :param dim: d of the sphere S^{d-1}, >= 2
    :param beta: inverse temperature, >= 0 (of either sign in a kernel that holds it); None beside a kernel without it
    :param amplitude: the amplitude a to reach, 0 < a < 1 (default 0.3)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param kernel: attention weight h(t) as a Kernel, a formula or its text; None (default) is exp(beta*t)
    :param max_degree: the last degree that races, >= 1 and <= 1000; None (default): as for :func:`selection_law`

    >>> tokens = tokens_needed(0.9, 2, 5)
    >>> selection_law(2, 5, tokens - 1).selection[3] < 0.9 <= selection_law(2, 5, tokens).selection[3]
    True

    Where only degree 1 grows, on the circle, :math:`1 - e^{-N a^2} \ge p` is all that is asked:

    >>> tokens_needed(0.999999, 2, 0)                            # 13.8155/0.09 = 153.5
    154

    Raises ValueError for a probability outside (0, 1) or within 1e-13 of 1, where more than 1e1000 tokens are needed,
    and as :func:`selection_law`. Source: derived here.

    See also :func:`.selection_law`.
    """
    dim, wanted = check_number("dim", check_dim(dim)), check_probability(probability)
    if 1 - wanted < RESOLVED:
        raise Refused("probability", probability, f"it must be less than 1 by {RESOLVED:g} at least")
    named = _named(beta, kernel)
    _, rates = _race(dim, attention(beta, kernel), model, named, max_degree)

    def excess(tokens: int) -> float:
        with flint.ctx.workprec(PRECISION):
            race, _ = line_up(racers(rates, dim, arb(token_strength(tokens, amplitude))))
            if (chance := float(joint_survival(race, 0))) < wanted:  # an upper bound at once
                return chance - wanted
            return float(run_race(race).chances[race.index(fastest(race))]) - wanted

    low, high = 1, 2
    below = above = excess(2)
    while above < 0:
        if high > MOST_TOKENS:
            where = " ".join(map(str, named))
            raise Refused("probability", probability, f"more than 1e1000 tokens are needed at {where}")
        low, high, below = high, high**2, above
        above = excess(high)
    steps = 0
    while (step := 1 + low // DISTINCT) < high - low:
        middle = _between(low, high, -below / (above - below) if steps < SECANTS and above > below else 0.5)
        steps += 1
        middle = min(max(middle, low + step), high - step)
        here = excess(middle)
        if here < 0:
            low, below, above = middle, here, above / 2
        else:
            high, above, below = middle, here, below / 2
    return high


def _between(low: int, high: int, share: float) -> int:
    """The integer at this share of the way from low to high on a logarithmic scale."""
    with flint.ctx.workprec(4096):
        return int(str((arb(low).log() + share * (arb(high) / low).log()).exp().mid().floor().unique_fmpz()))


def _named(beta: Real, kernel: KernelLike | None) -> tuple[str, object]:
    """What a refusal names: the argument that chose the weight, and its value."""
    return ("beta", beta) if kernel is None else ("kernel", as_kernel(kernel).weight)


def _race(
    dim: int, kernel: Kernel, model: str, named: tuple[str, object], max_degree: int | None
) -> tuple[int, dict[int, Certified]]:
    """The last degree of the race, and the growth rates of those up to it that grow."""
    allowed = f"the last degree that races must be an integer from 1 to {LATEST}"
    last = None if max_degree is None else check_count(max_degree, "max_degree", allowed, least=1, most=LATEST)

    @cache
    def rate(degree: int) -> Certified:
        certified = growth_rate(degree, dim, kernel=kernel, model=model, digits=25)
        if abs(certified.ball) > FASTEST:
            allowed = f"the rate {certified.value} of degree {degree} is too large for times in float64"
            raise Refused(*named, allowed)
        return certified

    def tail(degree: int) -> arb | None:
        bound = kernel.tail(degree, dim, {})
        return bound if bound is None or model == "usa" else bound / normaliser_ball(kernel, dim, None)

    known = kernel.terms or kernel.weight == 0
    last, growing = entrants(lambda degree: rate(degree).ball, tail if known else None, last)
    return last, {degree: rate(degree) for degree in growing}
