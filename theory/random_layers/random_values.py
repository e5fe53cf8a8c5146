r"""Attention with value matrices that are drawn anew in each layer: two tokens end together or opposite.

With Gaussian values, :math:`x \leftarrow (x + L^{-1/2} V a)/|\cdots|`, a the softmax mean of the two tokens, and
:math:`p = 1/(1+e^{-\beta(1-r)})` a token's own share, q = 1 - p,

.. math:: dr = (1-r^2)\big[2pq(d-2) - (p^2+q^2)\,r\big]dt + \sqrt{2(p^2+q^2)}\,(1-r^2)\,dB .

In :math:`y = {\rm artanh}\, r` it is the diffusion of :mod:`gegenflow.theory.random_layers.diffusion` with

.. math:: h = \frac{2pq}{p^2+q^2} = \operatorname{sech}\beta(1-r), \qquad w = \frac{1}{p^2+q^2} = 1 + h .

As :math:`\beta\to\infty` h vanishes: the diffusion of a linear activation, of which -1 and 1 are alike in every dim.
Source: arXiv 2601.21942 for the system; the equation and all that follows are derived here.
"""

from __future__ import annotations

from dataclasses import dataclass

import flint
import sympy as sp
from flint import arb, arb_series

from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_beta, check_real, positive
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_dim, check_number
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.random_layers.diffusion import RADIUS, exit_time, integral_of_h, scale_beyond

INSIDE = "the overlap of two tokens must be a number in -1 < overlap < 1"
LARGEST_BETA = 10_000
SILENT, STEEP = 40, 8.0
"""Bits below the precision at which h counts as a ball around 0, and the exponent that a radius may span."""


@dataclass(frozen=True)
class RandomValues:
    """h and w of random value matrices at one beta, for :mod:`gegenflow.theory.random_layers.diffusion`."""

    beta: arb

    def series(self, y: arb, radius: float, length: int) -> tuple[arb_series, arb_series]:
        """Taylor series of h and w at y."""
        size, _ = self.sizes(y, radius)
        if size < arb(2) ** -(flint.ctx.prec + SILENT):
            h = arb_series([arb(0, (size / arb(radius) ** j).upper()) for j in range(length)])
            return h, 1 + h
        growth = (self.beta * 2 / (1 + arb_series([2 * y, 2]).exp())).exp()
        h = 2 / (growth + 1 / growth)
        return h, 1 + h

    def reach(self, y: arb) -> float:
        r"""Radii on which :math:`e^{\beta(1-r)}` changes by a moderate factor, where h is not negligible."""
        here, nearest = (float((self.beta * 2 / (1 + (2 * y + gap).exp())).upper()) for gap in (0, 4 * RADIUS))
        if 0.36 * nearest > flint.ctx.prec + SILENT or here < STEEP / RADIUS:
            return RADIUS
        return STEEP / here

    def sizes(self, y: arb, radius: float) -> tuple[arb, arb]:
        r"""Bounds in a disc of radius up to 0.6, where :math:`z = \beta(1-r)` has an argument of at most 1.2.

        There :math:`|\cosh(a+ib)|^2 = \sinh^2a + \cos^2b \ge 0.4^2`, for b <= 1 by the cosine, beyond it by
        :math:`a \ge b\cot 1.2`; and also :math:`|\cosh z| \ge \sinh a`, :math:`|\cosh z| \ge 2 - \cosh|z|`.
        """
        turn = arb(1.2).cos()
        nearest = self.beta * 2 / (1 + (2 * (y + radius)).exp())
        farthest = self.beta * 2 / (1 + turn * (2 * (y - radius)).exp())
        least = [arb(0.39), (turn * nearest).sinh(), 2 - farthest.cosh()]
        size = (1 / max(least, key=float).lower()).upper()
        return size, 1 + size

    def end(self, sign: int) -> tuple[arb, arb]:
        """h at an end; its slope is at most beta/2."""
        return (arb(1) if sign > 0 else (2 * self.beta).sech()), self.beta / 2


def scale_density(overlap: Real, dim: Whole, beta: Real, digits: int = 15) -> Certified:
    r"""Density of the scale function of the overlap, 1 at overlap 0.

    .. math:: s'(r) = \frac{1}{\sqrt{1-r^2}}
              \exp\Big({-(d-2)\int_0^r \frac{\operatorname{sech}\beta(1-x)}{1-x^2}\,dx}\Big)

    :param overlap: r, -1 < r < 1
    :param dim: d of the sphere S^{d-1}, >= 2
    :param beta: inverse temperature, 0 <= beta <= 10,000
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> scale_density("0.6", 2, 3), float(scale_density("-1/2", 5, 0))        # 1/0.8; (3/4)^(-1/2) 3^(3/2)
    ([1.25000000000000 +/- 0], 6.0)

    Raises Refused for others. Source: arXiv 2601.21942 for the system; derived here.

    See also :func:`.antipodal_probability`.
    """
    r, d, b = _pair(overlap, dim, beta)

    def evaluate() -> arb:
        ball, strength = enclose(r), enclose(b)
        if b == 0:
            exponent = (d - 2) * ((1 + ball) / (1 - ball)).log() / 2
        else:
            exponent = (d - 2) * integral_of_h(RandomValues(strength), arb(0), ball.atanh())
        density: arb = (-exponent).exp() / (1 - ball * ball).sqrt()
        return density

    if d == 2 or (b == 0 and d % 2 == 0):
        exact = ((1 - r) / (1 + r)) ** sp.Rational(d - 2, 2) / sp.sqrt(1 - r**2)
        return certify_at("overlap", overlap, lambda: enclose(exact), digits)
    return certify_at("overlap", overlap, evaluate, digits)


def antipodal_probability(start: Real, dim: Whole, beta: Real, digits: int = 15) -> Certified:
    r"""Probability that two tokens under random values end opposite to one another.

    .. math:: P = \frac{\int_{r_0}^1 s'}{\int_{-1}^1 s'}, \qquad 0 \iff d - 2 \ge \cosh 2\beta,
              \qquad \frac{\arccos r_0}{\pi} \ (d = 2)

    s' is the :func:`scale_density`; it is integrable at 1, and at -1 below that dim alone.

    :param start: r_0, the overlap at time 0, -1 < r_0 < 1
    :param dim: d of the sphere S^{d-1}, >= 2; 1000 takes seconds
    :param beta: inverse temperature, 0 <= beta <= 10,000
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> antipodal_probability("1/2", 2, 7), antipodal_probability(0, 3, 1, 10), antipodal_probability("-0.9", 9, 1)
    ([0.333333333333333 +/- 3.4e-16], [0.2224225631 +/- 3.8e-11], [0 +/- 0])

    As beta grows h vanishes but next to 1, the overlap becomes a logistic diffusion (arXiv 2604.01978), and P tends to
    that of dim 2 in every dim, from below and like :math:`\beta^{-1/2}`.

    Raises Refused for others. Source: arXiv 2601.21942 for the system; the law is derived here.

    See also :func:`.critical_beta_antipodal`, :func:`.random_layers.consensus_time`.
    """
    r, d, b = _pair(start, dim, beta, "start")
    if d == 2:
        return certify_at("start", start, lambda: enclose(r).acos() / arb.pi(), digits)
    if positive(d - 2 - sp.cosh(2 * b)) is not False or d - 2 == sp.cosh(2 * b):
        return certify_at("start", start, arb, digits)

    def evaluate() -> arb:
        law, order, y = RandomValues(enclose(b)), arb(d - 2), enclose(r).atanh()
        above, below = (scale_beyond(law, order, y, sign) for sign in (1, -1))
        share: arb = above / (above + below)
        return share

    return certify_at("start", start, evaluate, digits)


def critical_beta_antipodal(dim: Whole, digits: int | None = None) -> Expr | Certified:
    r"""The beta above which two tokens under random values can end opposite, :math:`\frac12 {\rm arcosh}(d-2)`.

    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    >>> critical_beta_antipodal(4), critical_beta_antipodal(4, digits=12), critical_beta_antipodal(3)
    (acosh(2)/2, [0.658478948462 +/- 4.1e-13], 0)

    In dim 2 they can at every beta, and the answer is 0, as in dim 3. Raises Refused for others. Source: derived here.

    See also :func:`.antipodal_probability`.
    """
    d = sp.sympify(check_dim(dim))
    value = sp.Integer(0) if d in (2, 3) else sp.acosh(d - 2) / 2
    if digits is None:
        return value
    whole = check_number("dim", d)
    return certify_at("dim", dim, lambda: arb(max(whole - 2, 1)).acosh() / 2, digits)


def consensus_time(start: Real, level: Real, dim: Whole, beta: Real, digits: int = 15) -> Certified:
    r"""Mean time until two tokens under random values come near their end, together or opposite.

    .. math:: E\inf\{t : |r_t| = \ell\}

    The ends themselves are natural boundaries, reached in infinite time only: near them artanh r drifts at a constant
    speed. In dim 2 at beta = 0 the time is :math:`\log\frac{1-r_0^2}{1-\ell^2}`; else a double integral of s' and m.

    :param start: r_0, the overlap at time 0, -level < r_0 < level
    :param level: the size of the overlap that is reached, 0 < level < 1
    :param dim: d of the sphere S^{d-1}, >= 2
    :param beta: inverse temperature, 0 <= beta <= 10,000
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> consensus_time(0, "0.9", 3, 1, digits=10), consensus_time(0, "0.9", 2, 0, digits=10)          # -log 0.19
    ([1.207323882 +/- 2.5e-10], [1.660731207 +/- 1.8e-10])

    Raises Refused for others. Source: derived here.

    See also :func:`.antipodal_probability`, :func:`.meeting_time`.
    """
    r, d, b = _pair(start, dim, beta, "start")
    end = check_real(level, "level", "a number between 0 and 1 is needed", above=0, below=1, symbols=False)
    if positive(end - abs(r)) is not True:
        raise Refused("start", start, f"its size must lie below the level {level}")

    def evaluate() -> arb:
        far = enclose(end).atanh()
        return exit_time(RandomValues(enclose(b)), arb(d - 2), -far, enclose(r).atanh(), far)

    return certify_at("level", level, evaluate, digits)


def _pair(overlap: Real, dim: Whole, beta: Real, name: str = "overlap") -> tuple[Expr, int, Expr]:
    r = check_real(overlap, name, INSIDE, above=-1, below=1, symbols=False)
    b = check_beta(beta, least=0, symbols=False)
    if positive(b - LARGEST_BETA) is True:
        raise Refused("beta", beta, f"a number up to {LARGEST_BETA} is needed")
    return r, check_number("dim", check_dim(dim)), b
