r"""Which degree emerges first from finitely many tokens, and when: the linear theory of a random start.

Independent uniform tokens hold every degree by chance, :math:`N D_k A_k(0)^2 \sim \chi^2_{D_k}`, independently over
degrees once N is large (central limit theorem), and :math:`A_k(t) = A_k(0)\,e^{\gamma_k t}` while all amplitudes are
small. With :math:`\ell = \log(N a^2)` and :math:`G_k = \log(\chi^2_{D_k}/D_k)` degree k reaches the amplitude a at

.. math:: T_k = \frac{\ell - G_k}{2\gamma_k}

and the degree of smallest :math:`T_k > 0` is selected, not always the fastest one. The law needs :math:`N a^2 \gg 1`,
or amplitudes are above a at the start, and a small, or degrees interact before they emerge.

Source: derived here; arXiv 2410.23228 for the growth of the amplitudes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from math import cos, exp, inf, log, log1p, pi, prod, sqrt
from operator import index
from typing import Any

import flint
import mpmath
from flint import arb, fmpq

from gegenflow.theory.certified import Certified, certify, exact_number
from gegenflow.theory.growth import growth_rate
from gegenflow.theory.kernels import Kernel, exponential
from gegenflow.theory.phases import bessel_ratio, critical_beta
from gegenflow.theory.sphere import check_degree, check_dim, check_number, harmonic_dimension, laplacian_eigenvalue

PRECISION = 128
NODES = 32
NEGLIGIBLE = 1e-15
"""Chance that a law leaves out: of a degree to emerge, and of T outside the window of the quadrature."""
IDLE = 8
"""The race is complete after so many degrees in a row that are negligible and ever slower."""
FASTEST = 1e290
LONGEST = 2303.0
"""Logarithm of the largest number of tokens that is searched, about 1e1000."""


@dataclass(frozen=True, eq=False)
class Racer:
    """A degree with its growth rate, half its number of harmonics, and N a^2: the law of its emergence time."""

    degree: int
    rate: arb
    half: fmpq
    strength: arb

    def level(self, time: arb) -> arb:
        """Half the value of chi^2 from which the degree has emerged by this time."""
        return self.half * self.strength * (-2 * self.rate * time).exp()

    def survival(self, time: arb) -> arb:
        """Probability that it has not emerged, 1 - Q(s, x); Q < 2^-180 where x > 4s + 200 (Chernoff)."""
        level = self.level(time)
        if level > 4 * self.half + 200:
            return arb(1, arb(2) ** -180)
        return 1 - level.gamma_upper(arb(self.half), regularized=1)

    def density(self, time: arb) -> arb:
        """Probability density of the emergence time."""
        level, half = self.level(time), arb(self.half)
        return 2 * self.rate * (half * level.log() - level - half.lgamma()).exp()


@dataclass(frozen=True)
class SelectionLaw:
    """Which degree is the first to reach ``amplitude``, and the time T >= 0 when it does: see :func:`selection_law`.

    ``selection`` maps each degree of the race to the probability that it is first; ``already`` is the probability that
    one of them has that amplitude at the start (T = 0, no degree is selected; small where N a^2 is large): together
    they are 1. ``error`` bounds the error of each. ``mean`` is that of T, ``rates`` are the growth rates of the race.
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
            return 1.0 if time < 0 else 0.0 if time == inf else float(_survival(self._race(), time))

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
            return _first_time(lambda time: bool(1 - _survival(race, time) >= emerged), race)

    @property
    def median(self) -> float:
        """The time by which a degree has emerged in half of all runs."""
        return self.quantile(0.5)

    def _race(self) -> list[Racer]:
        strength = arb(_strength(self.tokens, self.amplitude))
        return [_racer(degree, self.dim, rate.ball, strength) for degree, rate in self.rates.items()]


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
    dim, strength = check_number("dim", check_dim(dim)), _strength(tokens, amplitude)
    rates = _rates(dim, beta, model, kernel)
    with flint.ctx.workprec(PRECISION):
        race, rest = _line_up(dim, rates, arb(strength))
        chances, already, mean, error = _run(race)
    return SelectionLaw(
        dim,
        beta,
        model,
        int(tokens),
        float(amplitude),
        selection=dict(zip((racer.degree for racer in race), chances, strict=True)),
        already=already,
        mean=mean,
        error=error + rest,
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
    An int >= 2, as it may be astronomically large; good to about ten digits.

    >>> tokens = tokens_needed(0.9, 2, 5)
    >>> selection_law(2, 5, tokens - 1).selection[3] < 0.9 <= selection_law(2, 5, tokens).selection[3]
    True

    Raises ValueError for a probability outside (0, 1), where more than 1e1000 tokens are needed, and as
    :func:`selection_law`. Source: derived here.
    """
    dim, wanted = check_number("dim", check_dim(dim)), check_probability(probability)
    rates, least = _rates(dim, beta, model, kernel), _strength(2, amplitude)

    @cache
    def excess(growth: float) -> float:
        with flint.ctx.workprec(PRECISION):
            race, _ = _line_up(dim, rates, least * arb(growth).exp())
            if (chance := float(_survival(race, 0))) < wanted:  # an upper bound at once
                return chance - wanted
            return float(_run(race)[0][race.index(_fastest(race))]) - wanted

    low, high = 0.0, 1.0
    if excess(low) >= 0:
        return 2
    while excess(high) < 0:
        low, high = high, 2 * high
        if low > LONGEST:
            raise ValueError(f"probability {probability}: more than 1e1000 tokens are needed at beta {beta}")
    growth = mpmath.findroot(lambda x: excess(float(x)), (low, high), solver="anderson", tol=1e-24, verify=False)
    return int(mpmath.ceil(2 * mpmath.exp(growth)))


def boundary_share(beta: Any, degree: int, dim: int, tokens: int, *, amplitude: float = 0.3) -> float:
    r"""Asymptotic probability that degree k+1 emerges before degree k near their boundary, for USA and SA alike.

    With :math:`\delta = (\gamma_{k+1} - \gamma_k)/(\gamma_{k+1} + \gamma_k)`, :math:`s = D_k/2`, :math:`s' = D_{k+1}/2`
    and F a Fisher variable of :math:`D_k` and :math:`D_{k+1}` degrees of freedom,

    .. math:: T_{k+1} < T_k \iff \log F < \delta\,(2\ell - G_k - G_{k+1}), \qquad
              P \approx P\bigl(\log F < z - 2\delta\, m(z)\bigr), \quad z = 2\delta\ell

    where :math:`m(z) = \frac z2 - \log(s' + s e^z) + \psi(s + s')` is the mean of :math:`\frac12(G_k + G_{k+1})` given
    :math:`\log F = z`. Across the transition, where z is of order 1, the error is of order :math:`\ell^{-2}` (of order
    :math:`\ell^{-1}` without m). On the circle log F is logistic, so the share is one half at the boundary for every N;
    in higher dim it is one half where z is about the median of log F.

    >>> round(boundary_share(float(critical_beta(3, 2)), 3, 2, 2000), 12)
    0.5
    >>> [round(boundary_share(6.5, 3, 2, 10**n), 3) for n in (4, 8, 16, 32)]       # log N decides, not N
    [0.543, 0.598, 0.701, 0.853]

    Raises ValueError for dim < 2, degree < 1, beta negative or not finite, and N a^2 <= 1. Source: derived here.
    """
    order, ratio_there, s, t, strength = _boundary(degree, dim, tokens, amplitude)
    exact = exact_number(beta)

    def share() -> arb:
        size = arb(strength).log()
        ratio = bessel_ratio(order, arb(exact)) / ratio_there if exact > 0 else arb(0)
        lean = 2 * (ratio - 1) / (ratio + 1)
        z = lean * size
        bound = s * (z - lean * (z / 2 - (t + s * z.exp()).log() + (s + t).digamma())).exp()
        return (bound / (bound + t)).beta_lower(s, t, regularized=True)

    return float(certify(share, 15))


def boundary_width(degree: int, dim: int, tokens: int, *, amplitude: float = 0.3) -> float:
    r"""Width in beta of the transition from degree k to k+1: inverse slope of the logit of the share at the boundary.

    .. math:: \frac{p\,(1-p)\,B(s, s')\,(s+s')^{s+s'}}{s^s\, s'^{s'}} \cdot
              \frac{1}{\lambda\,(\ell + \log(s+s') - \psi(s+s'))}, \qquad
              \lambda = \frac{1}{c} - \frac{2k+d-1}{\beta_k} - c

    with the share :math:`p = I_{s/(s+s')}(s, s')` at the boundary, the slope :math:`\lambda` of
    :math:`\log(\gamma_{k+1}/\gamma_k)` there (Riccati equation of the Bessel ratio), :math:`c = L_k/L_{k+1}` and s, s'
    of :func:`boundary_share`. It shrinks only like 1/log N. On the circle the first factor is 1 and the share close to
    :math:`1/(1 + e^{-(\beta - \beta_k)/\text{width}})`.

    >>> [round(boundary_width(3, 2, 10**n), 3) for n in (4, 8, 16, 32)]
    [1.601, 0.696, 0.326, 0.158]

    Raises ValueError for dim < 2, degree < 1 and N a^2 <= 1. Source: derived here; DLMF 10.29.2.
    """
    order, c, s, t, strength = _boundary(degree, dim, tokens, amplitude)

    def width() -> arb:
        boundary = critical_beta(degree, dim, flint.ctx.prec // 3).ball
        slope = 1 / arb(c) - (2 * order + 1) / boundary - c
        at = s / (s + t)
        share = at.beta_lower(s, t, regularized=True)
        density = (s * at.log() + t * (1 - at).log() + (s + t).lgamma() - s.lgamma() - t.lgamma()).exp()
        return share * (1 - share) / density / (slope * ((strength * (s + t)).log() - (s + t).digamma()))

    return float(certify(width, 15))


def check_probability(probability: float) -> float:
    """The probability as a float, or a ValueError unless it lies in (0, 1)."""
    if not 0 < probability < 1:
        raise ValueError(f"probability {probability}: it must lie strictly between 0 and 1")
    return float(probability)


def _strength(tokens: int, amplitude: float) -> fmpq:
    """N a^2, which decides how far the degrees have to grow."""
    if isinstance(tokens, bool) or not hasattr(tokens, "__index__") or tokens < 2:
        raise ValueError(f"tokens {tokens}: the number of tokens must be an integer >= 2")
    if not 0 < amplitude < 1:
        raise ValueError(f"amplitude {amplitude}: it must lie strictly between 0 and 1, that of coinciding tokens")
    return index(tokens) * exact_number(float(amplitude)) ** 2


def _boundary(degree: int, dim: int, tokens: int, amplitude: float) -> tuple[fmpq, fmpq, arb, arb, fmpq]:
    """The Bessel order of degree k, L_k/L_{k+1}, half the harmonics of degrees k and k+1, and N a^2."""
    degree, dim = check_number("degree", check_degree(degree)), check_number("dim", check_dim(dim))
    if (strength := _strength(tokens, amplitude)) <= 1:
        raise ValueError(f"tokens {tokens}, amplitude {amplitude}: degrees have room to grow only if N a^2 > 1")
    half, other = (arb(fmpq(harmonic_dimension(k, dim), 2)) for k in (degree, degree + 1))
    ratio = fmpq(laplacian_eigenvalue(degree, dim), laplacian_eigenvalue(degree + 1, dim))
    return fmpq(2 * degree + dim - 2, 2), ratio, half, other, strength


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


def _racer(degree: int, dim: int, rate: arb, strength: arb) -> Racer:
    return Racer(degree, rate, fmpq(harmonic_dimension(degree, dim), 2), strength)


def _fastest(race: Sequence[Racer]) -> Racer:
    return max(race, key=lambda racer: float(racer.rate))


def _line_up(dim: int, rates: Callable[[int], Certified], strength: arb) -> tuple[list[Racer], float]:
    r"""The degrees that may be first, and a bound on the chance that another one is.

    The fastest degree emerges by a time w but for a chance of 1e-15. As the density of T_k is :math:`2\gamma x^s
    e^{-x}/\Gamma(s)` at :math:`x = sc`, s = D_k/2, with c falling from :math:`N a^2` to :math:`N a^2 e^{-2\gamma w}`,
    degree k emerges in (0, w) with a chance below :math:`2\gamma w\sqrt{s/2\pi}`, times :math:`e^{-s(c-1-\log c)}` at
    time w if c > 1 there. Beyond the fastest degree these bounds fall faster than :math:`\gamma_k\sqrt{D_k}`, whose
    ratio decreases in k: the rest is at most a geometric series.
    """
    seen: list[Racer] = []
    speeds, idle, until, best = [0.0], 0, 0.0, None

    def chance(racer: Racer) -> float:
        growth = 2 * float(racer.rate) * until
        left, half = float(strength.log()) - growth, float(racer.half)
        hold = 0.0 if left <= 0 else half * (exp(left) - 1 - left) if left < 700 else inf
        return max(growth, 0.0) * sqrt(half / (2 * pi)) * exp(-hold)

    for degree in count(1):
        seen.append(_racer(degree, dim, rates(degree).ball, strength))
        if seen[-1].rate > 0 and seen[-1] is _fastest(seen):
            best = seen[-1]
            until = _first_time(lambda time: bool(_survival(seen[-1:], time) < NEGLIGIBLE), [best], 0.01)
        speeds.append(float(seen[-1].rate) * sqrt(seen[-1].half))
        slower = speeds[-1] <= 0 or speeds[-1] < speeds[-2]
        idle = idle + 1 if slower and chance(seen[-1]) < NEGLIGIBLE**2 else 0
        if idle == IDLE:
            break
    if best is None:
        raise ValueError(f"kernel: none of the degrees 1 to {degree} grows, so none is selected")
    race = [racer for racer in seen if racer is best or chance(racer) > NEGLIGIBLE]
    left_out = sum(chance(racer) for racer in seen if racer not in race)
    ratio = speeds[-1] / speeds[-2] if speeds[-1] > 0 else 0.0
    return race, left_out + chance(seen[-1]) * ratio / (1 - ratio) + NEGLIGIBLE


def _survival(race: Sequence[Racer], time: float | arb) -> arb:
    return prod((racer.survival(arb(time)) for racer in race), start=arb(1))


def _first_time(happened: Callable[[float], bool], race: Sequence[Racer], accuracy: float = 1e-16) -> float:
    """The first time at which something that stays true is true, by bisection to a relative accuracy from above."""
    if happened(0.0):
        return 0.0
    low, high = 0.0, 1 / float(_fastest(race).rate)
    while not happened(high):
        low, high = high, 2 * high
    while high - low > accuracy * high and low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if happened(middle) else (middle, high)
    return high


def _run(race: Sequence[Racer]) -> tuple[list[float], float, float, float]:
    """The chance of each degree to be first, that of T = 0, the mean of T, and a bound on the errors of the chances."""
    at_start = _survival(race, 0)
    end = _first_time(lambda time: bool(_survival(race, time) < NEGLIGIBLE), race, 0.01)
    start = _first_time(lambda time: time >= end or bool(at_start - _survival(race, time) > NEGLIGIBLE), race)
    panels, error = 1, inf
    while (error := _quadrature_bound(race, end - start, panels)) > NEGLIGIBLE:
        panels *= 2
    width = (arb(end) - start) / panels
    chances, mean = [arb(0) for _ in race], start * at_start
    for panel in range(panels):
        for node, weight in _nodes():
            time = start + width * (panel + (1 + node) / 2)
            before = [racer.survival(time) for racer in race]
            mean += weight * width / 2 * prod(before, start=arb(1))
            for i, racer in enumerate(race):
                others = prod(before[:i] + before[i + 1 :], start=arb(1))
                chances[i] += weight * width / 2 * racer.density(time) * others
    ends = float(at_start - _survival(race, start) + _survival(race, end))
    rounding = max(float(chance.rad()) for chance in chances)
    return [float(chance) for chance in chances], float(1 - at_start), float(mean), error + ends + rounding + 2.0**-52


@cache
def _nodes() -> list[tuple[arb, arb]]:
    with flint.ctx.workprec(PRECISION):
        return [arb.legendre_p_root(NODES, i, weight=True) for i in range(NODES)]


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
