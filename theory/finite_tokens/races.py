r"""The race of the degrees: the chance of each to be the first to emerge, by quadrature with a proved error.

.. math:: P(k) = \int_0^\infty f_k(t) \prod_{j \ne k} P(T_j > t)\, dt, \qquad f_k = -\tfrac{d}{dt} P(T_k > t)

Four things are left out, each bounded: degrees that hardly ever emerge (:func:`line_up`), the ends of the time window
and the remainder of Gauss-Legendre quadrature (:func:`run_race`), and rounding, which the balls carry along.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from math import cos, exp, inf, log, log1p, pi, prod, sqrt

import flint
from flint import arb

from gegenflow.theory.exact.certified import Certified
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.finite_tokens.emergence import Racer, fastest, first_time, joint_survival

PRECISION = 128
NODES = 32
MOST_PANELS = 1024
NEGLIGIBLE = 1e-15
"""Chance that a law leaves out: of a degree to emerge, and of T outside the window of the quadrature."""
IDLE = 8
"""Without a bound on the rates the race is complete after so many degrees in a row that are negligible and slower."""
PATIENCE = 64
"""Degrees after which the search gives up where speeds fall only like a power of the degree, or no bound is known."""


Tail = Callable[[int], arb | None]
"""A bound on the rates of a degree and all later ones; None where none is known yet."""


@dataclass(frozen=True)
class Outcome:
    """The chance of each degree to be first, that of T = 0, the mean of T, and a bound on the error of each chance."""

    chances: list[float]
    already: float
    mean: float
    error: float


def line_up(dim: int, rates: Callable[[int], Certified], tail: Tail | None, strength: arb) -> tuple[list[Racer], float]:
    r"""The degrees that may be first, and a bound on the chance that another one is.

    The fastest degree emerges by a time w but for a chance of 1e-15. As the density of T_k is :math:`2\gamma x^s
    e^{-x}/\Gamma(s)` at :math:`x = sc`, s = D_k/2, with c falling from :math:`N a^2` to :math:`N a^2 e^{-2\gamma w}`,
    degree k emerges in (0, w) with a chance below :math:`2\gamma w\sqrt{s/2\pi}`, times the Chernoff factor
    :math:`e^{-s(c-1-\log c)}` at time w if c > 1 there. ``tail(degree)`` bounds the rates of this and all later degrees
    from above (None: not yet known). The search ends only where none of them is faster than the fastest one found and
    that bound is below 1e-30, so that :math:`10^{15}` of them together have less than 1e-15; bounds that fall
    geometrically have less than that for all degrees. Where the speeds fall like a power of the degree and tokens are
    few, the search gives up after 64 degrees, and the bound returned may be as large as 1.

    ``tail`` = None stands for rates of which no bound is known: that all are slower after eight negligible degrees in a
    row is then an assumption.

    One of those that remain emerges by an earlier w, where the factor also bounds the chance at the start: degrees of
    many harmonics that are late for sure leave the race, and the quadrature needs far fewer panels.

    >>> from gegenflow.theory.exact.certified import certify
    >>> race, rest = line_up(3, lambda k: certify(lambda: arb(3 - k), 20), lambda k: arb(3 - k), arb(100))
    >>> [racer.degree for racer in race], rest < 1e-14
    ([1, 2], True)

    Raises ValueError where none of the degrees grows. Source: derived here.
    """
    seen, later, until = _search(dim, rates, tail, strength)
    best, after = fastest(seen), _chance(later, until) / NEGLIGIBLE
    race = [racer for racer in seen if racer is best or _chance(racer, until) > NEGLIGIBLE]
    until = _decided(race)
    race = [racer for racer in race if racer is best or _crowd(racer, until) > NEGLIGIBLE]
    left_out = sum(_chance(racer, until) for racer in seen if racer not in race)
    return race, min(left_out + after + NEGLIGIBLE, 1.0)


def _search(
    dim: int, rates: Callable[[int], Certified], tail: Tail | None, strength: arb
) -> tuple[list[Racer], Racer, float]:
    """The degrees up to the last one of interest, one that bounds all later ones, and when the fastest has emerged."""
    seen: list[Racer] = []
    until, idle = 0.0, Idle()
    later: Racer | None
    for degree in count(1):
        seen.append(Racer(degree, dim, rates(degree).ball, strength))
        best = fastest(seen)
        grows = bool(best.rate > 0)
        if grows and best is seen[-1]:
            until = _decided([best])
        later = seen[-1] if tail is None else _bounded(tail, degree + 1, best)
        if later is None:
            continue
        slower = idle.add(later, until) if tail is None else bool(later.rate <= (best.rate if grows else 0))
        if slower and _chance(later, until) < NEGLIGIBLE**2:
            break
        if degree >= PATIENCE and (tail is None or not grows or (slower and _lingers(tail, later))):
            break
    if not grows or later is None:
        raise Refused("kernel", None, f"none of the degrees 1 to {degree} grows, so none is selected")
    return seen, later, until


@dataclass
class Idle:
    """Degrees in a row that hardly ever emerge, each slower than the last that grew: a guess for want of a bound."""

    row: int = 0
    last: float = inf

    def add(self, racer: Racer, until: float) -> bool:
        """Whether enough of them have been seen, this one included."""
        speed = _speed(racer)
        self.row = self.row + 1 if speed < self.last and _chance(racer, until) < NEGLIGIBLE**2 else 0
        self.last = speed if speed > 0 else self.last
        return self.row == IDLE


def _decided(race: Sequence[Racer]) -> float:
    """A time by which one of the racers has emerged, but for a negligible chance."""
    return first_time(lambda time: bool(joint_survival(race, time) < NEGLIGIBLE), race, 0.01)


def _hits(racer: Racer, until: float) -> float:
    return max(2 * float(racer.rate) * until, 0.0) * sqrt(float(racer.half) / (2 * pi))


def _chernoff(racer: Racer, until: float) -> float:
    left = float(racer.strength.log()) - 2 * float(racer.rate) * until
    return 1.0 if left <= 0 else exp(-float(racer.half) * (exp(left) - 1 - left)) if left < 700 else 0.0


def _chance(racer: Racer, until: float) -> float:
    """A bound on the chance of a degree to emerge after the start and until a time."""
    return _hits(racer, until) * _chernoff(racer, until)


def _crowd(racer: Racer, until: float) -> float:
    """A bound on its chance to emerge until a time, the start included."""
    return max(_hits(racer, until), 1) * _chernoff(racer, until)


def _speed(racer: Racer) -> float:
    return float(racer.rate) * sqrt(racer.half)


def _bounded(tail: Tail, degree: int, like: Racer) -> Racer | None:
    """A racer as fast as any of this and all later degrees may be; None where no bound is known yet."""
    bound = tail(degree)
    return None if bound is None else Racer(degree, like.dim, bound if bound > 0 else arb(0), like.strength)


def _lingers(tail: Tail, racer: Racer) -> bool:
    """Whether speeds fall only like a power of the degree."""
    beyond = _bounded(tail, 2 * racer.degree, racer)
    return beyond is not None and _speed(beyond) > _speed(racer) / 1000


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
    end = first_time(lambda time: bool(joint_survival(race, time) < NEGLIGIBLE), race, 0.01)
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
            before = [racer.survival(time) for racer in race]
            mean += weight * width / 2 * prod(before, start=arb(1))
            for i, racer in enumerate(race):
                others = prod(before[:i] + before[i + 1 :], start=arb(1))
                chances[i] += weight * width / 2 * racer.density(time) * others
    ends = float(at_start - joint_survival(race, start) + joint_survival(race, end))
    rounding = max(float(chance.rad()) for chance in chances)
    left_out = error + ends + rounding + 2.0**-52
    return Outcome([float(chance) for chance in chances], float(1 - at_start), float(mean), left_out)


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
