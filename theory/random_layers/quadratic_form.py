r"""A random quadratic form with a bias, drawn anew in each layer: close tokens meet, opposite ones part slowly.

The field is Gaussian with covariance :math:`(2\langle x,y\rangle + \gamma^2) I_n`, that of the activation
:math:`\gamma + \sqrt2\,t`, so the overlap z of two tokens on :math:`S^{n-1}` has

.. math:: dz = \big[\gamma^2(1-z)(n-2-z) - 2z(1-z^2)\big]dt + \sqrt{2(1-z)^2(1+z)\,(2(1+z)+\gamma^2)}\;dB .

In :math:`y = {\rm artanh}\, z` it is the diffusion of :mod:`gegenflow.theory.random_layers.diffusion` with

.. math:: h = \frac{\gamma^2}{\gamma^2 + 2(1+z)}, \qquad w = \frac{1-h}{2} .

Source: arXiv 2608.16664 (Shalova) for the system; what follows is derived here unless it says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

import flint
import sympy as sp
from flint import arb, arb_series

from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_real
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_dim, check_number
from gegenflow.theory.random_layers.diffusion import RADIUS, passages
from gegenflow.theory.random_layers.kernel import BETWEEN
from gegenflow.theory.random_layers.overlaps import drift_of, variance_of


@dataclass(frozen=True)
class RandomForm:
    """h and w of a random quadratic form; ``square`` is the square of the bias."""

    square: arb

    def series(self, y: arb, radius: float, length: int) -> tuple[arb_series, arb_series]:
        """Taylor series of h and w at y."""
        from_below = 2 / (1 + arb_series([-2 * y, -2]).exp())
        total = self.square + 2 * from_below
        return self.square / total, from_below / total

    def reach(self, y: arb) -> float:
        """Any radius will do."""
        return RADIUS

    def sizes(self, y: arb, radius: float) -> tuple[arb, arb]:
        r"""Re(1 + z) > 0 in the disc: so |h| <= 1 and :math:`|w| \le \min(1, |1+z|/\gamma^2)`."""
        falls = (-2 * (y + radius)).exp().lower() - 1
        return arb(1), min(arb(1), (2 / (falls * self.square)).upper()) if falls > 0 else arb(1)

    def end(self, sign: int) -> tuple[arb, arb]:
        """h at an end, and its largest slope, which it has at -1."""
        return (self.square / (self.square + 4) if sign > 0 else arb(1)), 2 / self.square


def form_drift(overlap: Real, dim: Whole, bias: Real) -> Expr:
    r"""Drift of the overlap under a random quadratic form: :math:`\gamma^2(1-z)(n-2-z) - 2z(1-z^2)`, exact.

    :param overlap: z, -1 <= z <= 1, or a symbol
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol
    :param bias: gamma, any real number or a symbol

    >>> z, n, gamma = sp.symbols("z n gamma")
    >>> sp.expand(form_drift(z, n, gamma) - (gamma**2 * (1 - z) * (n - 2 - z) - 2 * z * (1 - z**2)))
    0

    Raises Refused for others. Source: arXiv 2608.16664; here the case K = gamma^2 + 2 r of the drift of any activation.

    See also :func:`.form_variance`, :func:`.overlap_drift`.
    """
    z, n, square = _parts(overlap, dim, bias)
    return drift_of(z, n, square + 2 * z, square + 2)


def form_variance(overlap: Real, dim: Whole, bias: Real) -> Expr:
    r"""Variance of the overlap per unit of time, :math:`2(1-z)^2(1+z)(2(1+z)+\gamma^2)`, exact, in every ``dim``.

    :param overlap: z, -1 <= z <= 1, or a symbol
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol
    :param bias: gamma, any real number or a symbol

    >>> form_variance(0, 3, 1), form_variance(0, 8, 1)
    (6, 6)

    Errors as :func:`form_drift`. Source: arXiv 2608.16664; derived here as there.

    See also :func:`.form_drift`.
    """
    z, _, square = _parts(overlap, dim, bias)
    return variance_of(z, square + 2 * z, square + 2)


def form_rate(dim: Whole, bias: Real) -> Expr:
    r"""The rate :math:`\lambda = 2\gamma^2(n-1)/(\gamma^2+4)` of a bound, :math:`E\,{\rm dist}\le\pi e^{-\lambda t}`.

    It is a bound: near consensus the moments :math:`E(1-z)^q` decay fastest at :math:`q = (a+4)/(4(\gamma^2+4))`,
    :math:`a = \gamma^2(n-1)`, at the rate :math:`(a+4)^2/(8(\gamma^2+4)) \ge \lambda`, with equality at a = 4 alone.

    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol
    :param bias: gamma, any real number or a symbol

    >>> form_rate(3, 1), form_rate(5, 1)
    (4/5, 8/5)

    Errors as :func:`form_drift`. Source: arXiv 2608.16664 for the bound; the comparison is derived here.

    See also :func:`.antipodal_lifetime`.
    """
    _, n, square = _parts(0, dim, bias)
    return 2 * square * (n - 1) / (square + 4)


def aligned_probability(start: Real, digits: int = 15) -> Certified:
    r"""Probability that two tokens end together without bias, :math:`1 - \arccos(z_0)/\pi`, in every dim.

    At :math:`\gamma = 0` h vanishes, and the scale function is arcsine.

    :param start: z_0, the overlap at time 0, -1 <= z_0 <= 1
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> aligned_probability("1/2"), aligned_probability("-1")
    ([0.666666666666667 +/- 3.4e-16], [0 +/- 0])

    Raises Refused for others. Source: arXiv 2608.16664; derived here.

    See also :func:`.antipodal_probability`.
    """
    z = check_real(start, "start", BETWEEN, least=-1, most=1, symbols=False)
    if z == -1:
        return certify_at("start", start, arb, digits)
    return certify_at("start", start, lambda: 1 - enclose(z).acos() / arb.pi(), digits)


def antipodal_lifetime(dim: Whole, bias: Real, level: Real = 0, digits: int = 15) -> Certified:
    r"""Mean time in which two opposite tokens part until they have a given overlap, under a form with bias.

    .. math:: T = \int_{-1}^{\ell} s'(x) \int_{-1}^{x} m(z)\,dz\,dx

    Opposite tokens are an entrance: only the bias moves them. As :math:`\gamma\to0` the time grows like
    :math:`1/\gamma`: log(1+z) falls at the rate 4 with variance 16 and turns at :math:`\gamma^2`, so that an excursion
    to the level has the probability :math:`\gamma`. (The time :math:`\frac25\log\frac1\gamma` of arXiv 2608.16664,
    up to which the antipodal state persists, is a bound from below.)

    :param dim: d of the sphere S^{d-1}, >= 2; hundreds take many seconds
    :param bias: gamma, > 0
    :param level: the overlap that is reached, -1 < level < 1 (default 0)
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> antipodal_lifetime(3, 2, digits=10)
    [0.08075120868 +/- 3.7e-12]

    Raises Refused for others. Source: derived here.

    See also :func:`.form_rate`, :func:`.random_layers.consensus_time`.
    """
    n = check_number("dim", check_dim(dim))
    gamma = check_real(bias, "bias", "the bias must be a number > 0", above=0, symbols=False)
    z = check_real(level, "level", "a number between -1 and 1 is needed", above=-1, below=1, symbols=False)

    def evaluate() -> arb:
        square, end = enclose(gamma) ** 2, enclose(z).atanh()
        needed = flint.ctx.prec * log(2) / (2 if n > 2 else 1) - min(0.0, float(square.log())) / 2
        far = arb(ceil(needed + 4 - min(0.0, float(end.lower()))))
        gap = 2 * (-2 * far).exp() / square
        speed = arb(0.5, 0.5) * gap * far.cosh()
        _, there = passages(RandomForm(square), arb(n - 2), [-far, end], speed)
        time: arb = there.both + arb(0.5, 0.5) * gap
        return time

    return certify_at("bias", bias, evaluate, digits)


def _parts(overlap: Real, dim: Whole, bias: Real) -> tuple[Expr, Expr, Expr]:
    z = check_real(overlap, "overlap", BETWEEN, least=-1, most=1)
    gamma = check_real(bias, "bias", "the bias must be a finite real number")
    return z, sp.sympify(check_dim(dim)), gamma**2
