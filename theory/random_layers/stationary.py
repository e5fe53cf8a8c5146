r"""Tokens that do not meet: the stationary law of their overlap, and how long it takes them to come close.

In :math:`y = {\rm artanh}\,r` the overlap under an activation is the diffusion of
:mod:`gegenflow.theory.random_layers.diffusion` with

.. math:: h = \frac{c_0^2 - rE}{D}, \quad w = \frac{1+r}{D}, \qquad
          D = \frac{K(1)-rK(r)}{1-r} = \sum_j T_j r^j, \quad E = \sum_j T_{j+2}r^j, \quad T_j = \sum_{k\ge j} c_k^2,

in the squares of the Hermite coefficients; for odd activations 1 + r divides D and E, and -1 is as 1. What is left out
of D and E beyond degree n is at most :math:`\sum_{k>n} (k+1) c_k^2`, known from K(1) and K'(1).

As r -> 1 the speed density behaves as :math:`(1-r)^{\nu-1}`, :math:`\nu = \lambda/(K(1)+K'(1))`: it has a finite
integral, and the overlap a stationary law, if and only if the Lyapunov exponent is positive.
Source: derived here; arXiv 2604.26898 for the system.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import flint
import sympy as sp
from flint import acb, acb_poly, arb, arb_series

from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_real, positive
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_dim, check_number
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.random_layers.activations import ActivationLike
from gegenflow.theory.random_layers.diffusion import RADIUS, exit_time, passages
from gegenflow.theory.random_layers.exponents import lyapunov_exponent
from gegenflow.theory.random_layers.gaussian import gaussian_mean
from gegenflow.theory.random_layers.kernel import ActivationKernel, activation_kernel, series
from gegenflow.theory.symbols import t

ARCS, MOST_ARCS, LARGE = 32, 2048, 1e3
"""Arcs of a circle that bound h and w, at first and at last; they are made finer until the bound is below 1000."""
INSIDE = "the overlap of two tokens must be a number in -1 < overlap < 1"


@dataclass(frozen=True)
class Overlaps:
    """h and w of one activation, from T_2, T_3, ... (T_2, T_4, ... if it is odd) and a bound on what is left out.

    ``one`` is K(1), ``mean`` :math:`c_0^2`, ``slope`` K'(1), ``least`` a lower bound on D, ``steep`` bounds the slopes
    of h and w in r, all for real r in [-1, 1].
    """

    tails: tuple[arb, ...]
    rest: arb
    one: arb
    mean: arb
    odd: bool
    slope: arb
    least: arb
    steep: tuple[arb, arb]

    def series(self, y: arb, radius: float, length: int) -> tuple[arb_series, arb_series]:
        """Taylor series of h and w at y."""
        growth = arb_series([2 * y, 2]).exp()
        r = (growth - 1) / (growth + 1)
        step, total = (r * r if self.odd else r), arb_series([0])
        for tail in reversed(self.tails):
            total = total * step + tail
        lost = arb_series([arb(0, (self.rest / arb(radius) ** j).upper()) for j in range(length)])
        beyond = total + lost
        whole = self._whole(r, beyond)
        h = (self.mean - r * beyond) / whole
        return h, (1 if self.odd else 2 / (1 + 1 / growth)) / whole

    def _whole(self, r: Any, beyond: Any) -> Any:
        """D from E: T_0 + r (T_1 + r E), without its factor 1 + r for odd activations, T_0 = T_1."""
        return self.one + r * r * beyond if self.odd else self.one + r * (self.one - self.mean + r * beyond)

    def reach(self, y: arb) -> float:
        """Any radius will do."""
        return RADIUS

    def sizes(self, y: arb, radius: float) -> tuple[arb, arb]:
        """Bounds by balls around the arcs of the circle, finer until they are moderate."""
        arcs = ARCS
        with flint.ctx.workprec(64):
            polynomial, centre = acb_poly(list(self.tails)), arb(y.mid())
            while True:
                half = arb(0, radius * 3.2 / arcs)
                bounds = [arb(0), arb(0)]
                for j in range(arcs):
                    turn = arb(2 * j) / arcs
                    box = acb(centre + radius * turn.cos_pi() + half, radius * turn.sin_pi() + half)
                    bounds = [max(pair, key=float) for pair in zip(bounds, self._on(box, polynomial), strict=True)]
                if all(bound < LARGE for bound in bounds) or arcs >= MOST_ARCS:
                    return bounds[0], bounds[1]
                arcs *= 2

    def _on(self, box: acb, polynomial: acb_poly) -> tuple[arb, arb]:
        r = box.tanh()
        beyond: Any = polynomial(r * r if self.odd else r) + acb(arb(0, self.rest), arb(0, self.rest))
        whole = self._whole(r, beyond)
        lead = acb(1) if self.odd else 2 / (1 + (-2 * box).exp())
        h, w = (abs(part / whole).upper() for part in (self.mean - r * beyond, lead))
        return (h if h.is_finite() else arb("inf")), (w if w.is_finite() else arb("inf"))

    def end(self, sign: int) -> tuple[arb, arb]:
        """h at an end, and the bound on its slope."""
        h = (self.one - self.slope) / (self.one + self.slope)
        return (h if sign > 0 else (-h if self.odd else arb(1))), self.steep[0]

    def first(self, order: arb) -> tuple[arb, arb]:
        """A start -Y near r = -1 for an activation that is not odd, and the integral of m before it, with I(-Y) = 0.

        There w <= (1 + r)/least, and h exceeds -1 + 2 (1 - e^-2Y) so that m only falls towards -1.
        """
        bits = arb(flint.ctx.prec) * arb(2).log()
        far = (bits / (order + 1) + (1 + order * self.steep[0]).log() / 2 + (1 / self.least).log() / 2 + 3).ceil().mid()
        return -far, arb(0.5, 0.5) * 2 / self.least * (-far).exp() * (order * self.steep[0] * (-2 * far).exp()).exp()


@lru_cache(maxsize=32)
def overlaps(kernel: ActivationKernel, bits: int) -> Overlaps:
    """The law of an activation at a precision."""
    with flint.ctx.workprec(bits + 32):
        s = kernel.activation
        slope_squares, _, slope = series(sp.diff(s, t), arb(1))
        known = [gaussian_mean(s, flint.ctx.prec) ** 2 if not kernel.is_odd else arb(0)]
        known += [square / (k + 1) for k, square in enumerate(slope_squares)]
        one, curvature = kernel.ball(sp.Integer(1)), gaussian_mean(sp.diff(s, t, 2) ** 2, flint.ctx.prec)
        rest = (slope - sum(slope_squares, arb(0)) + one - sum(known, arb(0))).upper()
        while len(known) > 4 and len(known) * known[-1].upper() < one * arb(2) ** -(bits + 16):
            rest += len(known) * known.pop().upper()
        tails, tail = [], arb(0)
        for square in reversed(known[2:]):
            tail += square
            tails.append(tail)
        tails.reverse()
        if kernel.is_odd:
            tails = tails[::2]
        even = (one + kernel.ball(sp.Integer(-1))) / 2
        least = one / 2 if kernel.is_odd else even / 2
        whole, grown = one + slope, curvature / 2 + slope
        steep = (whole * grown / least**2 + (whole + grown) / least).upper(), (1 / least + 2 * grown / least**2).upper()
        return Overlaps(tuple(tails), rest, one, known[0], kernel.is_odd, slope, least.lower(), steep)


def stationary_density(activation: ActivationLike, dim: Whole, overlap: Real, digits: int = 15) -> Certified:
    r"""Stationary density of the overlap of two tokens that do not meet, with respect to dr.

    .. math:: p(r) \propto \frac{1}{a(r)} \exp\int^r \frac{2b}{a}\,dx

    with the drift b and the variance a of :func:`overlap_drift` and :func:`overlap_variance`; the law is reversible.

    :param activation: s as for :func:`.activation_kernel`, analytic around the real line
    :param dim: d of the sphere S^{d-1}, >= 3
    :param overlap: r, -1 < r < 1
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> stationary_density("tanh", 64, 0, digits=10)
    [0.7074925810 +/- 3.3e-12]

    Raises Refused for others, and where the Lyapunov exponent is not positive: then the tokens meet and the integral of
    the density diverges. Source: derived here.

    See also :func:`.lyapunov_exponent`, :func:`.meeting_time`.
    """
    kernel, d, r = _checked(activation, dim, overlap, "overlap")
    exponent = lyapunov_exponent(activation, d)
    if not exponent > 0:
        raise Refused("dim", dim, f"two tokens meet almost surely: their Lyapunov exponent is {exponent}")

    def evaluate() -> arb:
        law, n, y = overlaps(kernel, flint.ctx.prec), arb(d - 2), enclose(r).atanh()
        decay = -(1 + n * law.end(1)[0])
        last = ((arb(flint.ctx.prec) * arb(2).log() + (1 + n * law.steep[0]).log()) / 2 + abs(y) + 3).ceil().mid()
        start, before = (-last, arb(0)) if law.odd else law.first(n)
        start = min(start, (-abs(y) - 1).floor().mid(), key=float)
        _, here, end = passages(law, n, [start, y, last], before)
        tail = _rising(law, n, last, end.exponent) / decay
        whole = end.speed + tail + (_rising(law, n, last, arb(0)) / decay if law.odd else 0)
        with_weight: arb = law.series(y, 0.1, 1)[1].coeffs()[0] * y.cosh() ** 3 * (n * here.exponent).exp()
        return with_weight / whole

    return certify_at("overlap", overlap, evaluate, digits)


def _rising(law: Overlaps, n: arb, last: arb, exponent: arb) -> arb:
    """m at a far end, where w and h are next to their limits, times what its tail may differ from an exponential by."""
    gap = (-2 * last).exp()
    limit = (1 if law.odd else 2) / (law.one + law.slope) * (2 if law.odd else 1)
    weight = limit + arb(0, (2 * law.steep[1] * gap).upper())
    shift = arb(0, (n * law.steep[0] * gap).upper()).exp()
    value: arb = weight * last.exp() / 2 * (1 + arb(0.5, 0.5) * gap) * (n * exponent).exp() * shift
    return value


def meeting_time(activation: ActivationLike, dim: Whole, start: Real, level: Real, digits: int = 15) -> Certified:
    r"""Mean time until the overlap of two tokens under random layers first reaches a level.

    .. math:: T = \int_{r_0}^{\ell} s'(x) \int_{-1}^{x} m(z)\,dz\,dx

    For an odd activation, which treats x and -x alike, the time until it reaches ``level`` or -``level``. It is finite
    also where tokens never meet: it then tells how rare close encounters are.

    :param activation: s as for :func:`.activation_kernel`, analytic around the real line
    :param dim: d of the sphere S^{d-1}, >= 2
    :param start: r_0, the overlap at time 0, -1 < r_0 < level, for an odd activation > -level
    :param level: the overlap that is reached, start < level < 1
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> meeting_time("cos", 3, 0, "0.9"), meeting_time("tanh", 64, 0, "0.9", digits=8)
    ([2.33835027355447 +/- 2.3e-15], [10.775068 +/- 3.4e-7])

    Raises Refused for others. Source: derived here.

    See also :func:`.stationary_density`, :func:`.lyapunov_exponent`.
    """
    kernel, d, r = _checked(activation, dim, start, "start")
    end = check_real(level, "level", INSIDE, above=-1, below=1, symbols=False)
    if positive(end - r) is not True or (kernel.is_odd and positive(end + r) is not True):
        raise Refused("start", start, f"it must lie below the level {level}, and above -level for an odd activation")

    def evaluate() -> arb:
        law, n, y, high = overlaps(kernel, flint.ctx.prec), arb(d - 2), enclose(r).atanh(), enclose(end).atanh()
        if law.odd:
            return exit_time(law, n, -high, y, high)
        first, before = law.first(n)
        shift = min(first, (y - 1).floor().mid(), key=float)
        here = passages(law, n, [shift, y], before)[1]
        time: arb = passages(law, n, [y, high], here.speed * (-n * here.exponent).exp())[1].both
        return time

    return certify_at("start", start, evaluate, digits)


def _checked(activation: ActivationLike, dim: Whole, overlap: Real, name: str) -> tuple[ActivationKernel, int, Expr]:
    kernel, d = activation_kernel(activation), check_number("dim", check_dim(dim))
    r = check_real(overlap, name, INSIDE, above=-1, below=1, symbols=False)
    if kernel.activation.has(sp.Max, sp.Heaviside):
        raise Refused("activation", activation, "it must be analytic around the real line")
    return kernel, d, r
