r"""The race of the degrees: the chance of each to be the first to emerge, by quadrature with a proved error.

.. math:: P(k) = \int_0^\infty f_k(t) \prod_{j \ne k} P(T_j > t)\, dt, \qquad f_k = -\tfrac{d}{dt} P(T_k > t)

Which degrees race is a definition (:func:`entrants`). Four things are left out, each bounded: entrants that hardly ever
emerge (:func:`line_up`), the ends of the time window and the remainder of Gauss-Legendre quadrature (:func:`run_race`),
and rounding, which the balls carry along.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from math import cos, exp, inf, log, log1p, pi, sqrt
from operator import mul

import flint
from flint import arb

from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.finite_tokens.emergence import Racer, fastest, first_time, joint_survival

PRECISION = 128
NODES = 32
MOST_PANELS = 1024
NEGLIGIBLE = 1e-15
"""Chance that a law leaves out: of a degree to emerge, and of T outside the window of the quadrature."""
SLOWER = 100
"""How many times slower than the fastest degree the slowest one of a race is, where no last degree is given."""
LATEST = 1000
"""The last degree that may race."""
PATIENCE = 64
"""Degrees after which the search for one that grows gives up, and looks whether it can end at all."""
IDLE = 8
"""Without a bound on the rates the search ends after so many degrees in a row that are too slow: an assumption."""


Rates = Callable[[int], arb]
Tail = Callable[[int], arb | None]
"""A bound on the rates of a degree and all later ones; None where none is known yet."""


@dataclass(frozen=True)
class Outcome:
    """The chance of each degree to be first, that of T = 0, the mean of T, and a bound on the error of each chance."""

    chances: list[float]
    already: float
    mean: float
    error: float


def entrants(rates: Rates, tail: Tail | None, max_degree: int | None = None) -> tuple[int, dict[int, arb]]:
    r"""The last degree of the race, and the rates of the degrees up to it that grow: those race.

    Where none is given the last one is the highest degree that grows at least a hundredth as fast as the fastest. For
    on the circle every degree is above the amplitude at the start with a chance of :math:`e^{-Na^2}`, however slowly it
    grows: a law of infinitely many degrees would say that one of them always is.

    >>> entrants(lambda degree: 5 - arb(degree), lambda degree: 5 - arb(degree))
    (4, {1: 4.00000000000000, 2: 3.00000000000000, 3: 2.00000000000000, 4: 1.00000000000000})

    Raises Refused where none of them grows, or degrees beyond 1000 may be that fast. Source: derived here.
    """
    last = _last(rates, tail) if max_degree is None else max_degree
    growing = {degree: rates(degree) for degree in range(1, last + 1) if rates(degree) > 0}
    if not growing:
        raise Refused("kernel", None, f"none of the degrees 1 to {last} grows, so none is selected")
    return last, growing


def _last(rates: Rates, tail: Tail | None) -> int:
    """The last degree that is at most a hundred times slower than the fastest; where none grows the last looked at."""
    best, fast, slow = arb(0), [0], 0
    for degree in range(1, LATEST + 1):
        rate = rates(degree)
        best = rate if rate > best else best
        fast += [degree] if 0 < SLOWER * rate >= best else []
        slow = degree - fast[-1]
        beyond = None if tail is None else tail(degree + 1)
        if beyond is not None and (beyond <= 0 or SLOWER * beyond < best):
            break
        if (tail is None and best > 0 and slow >= IDLE) or (degree >= PATIENCE and best.is_zero()):
            break
        if degree == PATIENCE and tail is not None and _endless(tail, best):
            raise _too_late()
    else:
        raise _too_late()
    return max((k for k in fast[1:] if SLOWER * rates(k) >= best), default=degree)


def _endless(tail: Tail, best: arb) -> bool:
    """Whether the bound stays above a hundredth of any rate up to the last degree that may race."""
    beyond, ahead = tail(LATEST + 1), tail(PATIENCE + 1)
    return beyond is None or not (SLOWER * beyond < best or (ahead is not None and SLOWER * beyond < ahead))


def _too_late() -> Refused:
    what = f"the last degree that races is needed, as those beyond {LATEST} may be nearly as fast as any"
    return Refused("max_degree", None, what)


def line_up(race: Sequence[Racer]) -> tuple[list[Racer], float]:
    r"""The degrees that may be first or above the amplitude at the start, and the chance that another one is.

    One of all has emerged by a time w but for a chance of 1e-15. Until then, the start included, degree k has emerged
    with a chance below Chernoff's :math:`e^{-s(c-1-\log c)}`, where s = D_k/2, if :math:`c = N a^2 e^{-2\gamma w} > 1`:
    degrees of many harmonics that are late for sure leave the race, and the quadrature needs far fewer panels.

    >>> racers = [Racer(degree, 30, rate=1 / arb(degree), strength=arb(10)) for degree in (1, 9)]
    >>> race, rest = line_up(racers)
    >>> [racer.degree for racer in race], rest < 1e-14
    ([1], True)

    Source: derived here.
    """
    best, until = fastest(race), _decided(race)
    chances = {racer: _chernoff(racer, until) for racer in race}
    left = [racer for racer in race if racer is best or chances[racer] > NEGLIGIBLE]
    return left, sum(chances[racer] for racer in race if racer not in left) + NEGLIGIBLE


def _decided(race: Sequence[Racer]) -> float:
    """A time by which one of the racers has emerged, but for a negligible chance."""
    return first_time(lambda time: bool(joint_survival(race, time) < NEGLIGIBLE), race, 0.01)


def _chernoff(racer: Racer, until: float) -> float:
    left = float(racer.strength.log()) - 2 * float(racer.rate) * until
    return 1.0 if left <= 0 else exp(-float(racer.half) * (exp(left) - 1 - left)) if left < 700 else 0.0


def run_race(race: Sequence[Racer]) -> Outcome:
    """The race over the window of time in which it is decided, but for a chance of 1e-15 at either end.

    >>> with flint.ctx.workprec(PRECISION):
    ...     outcome = run_race([Racer(k, 2, rate=arb(7), strength=arb(20)) for k in (1, 2)])      # evenly matched
    >>> abs(outcome.chances[0] - outcome.chances[1]), abs(sum(outcome.chances) + outcome.already - 1) < 1e-14
    (0.0, True)

    At a lower precision than that the error is larger, and says so. Raises ValueError where 1024 panels are
    too few, as for degrees of very many harmonics. Source: derived here.
    """
    at_start = joint_survival(race, 0)
    end = _decided(race)
    start = first_time(lambda time: time >= end or bool(at_start - joint_survival(race, time) > NEGLIGIBLE), race)
    panels, error = 1, inf
    while (error := _quadrature_bound(race, end - start, panels)) > NEGLIGIBLE:
        panels *= 2
        if panels > MOST_PANELS:
            sharp = max(race, key=lambda racer: racer.half)
            many = f"{2 * sharp.half} harmonics in dim {sharp.dim} emerge too sharply to integrate"
            raise Refused("degree", sharp.degree, many)
    width = (arb(end) - start) / panels
    chances, mean = [arb(0) for _ in race], start * at_start
    for panel in range(panels):
        for node, weight in _gauss_legendre(NODES):
            time = start + width * (panel + (1 + node) / 2)
            none, others = _products([racer.survival(time) for racer in race])
            mean += weight * width / 2 * none
            for i, racer in enumerate(race):
                chances[i] += weight * width / 2 * racer.density(time) * others[i]
    ends = float(at_start - joint_survival(race, start) + joint_survival(race, end))
    rounding = max(float(chance.rad()) for chance in chances)
    left_out = error + ends + rounding + 2.0**-52
    return Outcome([float(chance) for chance in chances], float(1 - at_start), float(mean), left_out)


def _products(factors: Sequence[arb]) -> tuple[arb, list[arb]]:
    """The product of all factors, and for each of them that of the others."""
    below = list(accumulate(factors, mul, initial=arb(1)))
    above = list(accumulate(reversed(factors), mul, initial=arb(1)))[-2::-1]
    return below[-1], [low * high for low, high in zip(below, above, strict=False)]


@cache
def _gauss_legendre(nodes: int) -> list[tuple[arb, arb]]:
    with flint.ctx.workprec(PRECISION):
        return [arb.legendre_p_root(nodes, i, weight=True) for i in range(nodes)]


def _quadrature_bound(race: Sequence[Racer], window: float, panels: int) -> float:
    r"""Bound on the error of each chance by Gauss-Legendre quadrature with n = 32 nodes a panel of half-width h.

    For :math:`|\operatorname{Im} t| \le y < \pi/4\gamma_{\max}` the integrand is analytic and bounded by

    .. math:: M = 2\gamma_k \sqrt{s_k/2\pi}\, \prod_j \cos(2\gamma_j y)^{-s_j}, \qquad s_j = D_j/2,

    as :math:`|P(s, re^{i\theta})| \le \cos(\theta)^{-s}` (integrate along the ray) and :math:`x^s e^{-x} \le
    \Gamma(s)\sqrt{s/2\pi}` (Stirling). With :math:`\rho - 1/\rho = 2y/h` a Chebyshev series of degree 2n - 1, which the
    rule integrates exactly, is off by at most :math:`2M\rho^{-2n}/(1 - 1/\rho)`, the rule by :math:`4h` times as much.
    """
    if window <= 0:
        return 0.0
    rates, halves = [float(racer.rate) for racer in race], [float(racer.half) for racer in race]
    steepest = max(rate * sqrt(half) for rate, half in zip(rates, halves, strict=True))
    half_width = window / panels / 2
    bounds = []
    for step in range(60):
        y = pi / (4 * max(rates)) * 0.8 ** (step + 0.5)
        rho = y / half_width + sqrt(1 + (y / half_width) ** 2)
        size = -sum(half * log(cos(2 * rate * y)) for rate, half in zip(rates, halves, strict=True))
        bounds.append(size - 2 * NODES * log(rho) - log1p(-1 / rho))
    return 8 * window * steepest * exp(min(min(bounds), 600))
