r"""How k equal clusters, equally spaced on the circle, leave their arrangement: in which mode, how fast, how late.

They do so at every beta > 0, as :mod:`gegenflow.theory.clusters.circle` proves; its rates :math:`\lambda_m` are
compared here.
"""

from __future__ import annotations

import flint
import sympy as sp
from flint import arb

from gegenflow.theory.clusters.circle import check_clusters, inverse_temperature, mode_ball, mode_rate, mode_rates
from gegenflow.theory.exact.arguments import Expr, Real, check_model, check_real
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.symbols import beta

LAST_DOUBLING = 17
E_FOLDING = sp.exp(-1)


def escape_mode(clusters: int, beta: Real) -> int:
    r"""The mode m <= k/2 of largest growth rate :math:`\lambda_m`, the same for USA and SA, proved.

    Two rates :math:`\lambda_m` with different m <= k/2 agree at no algebraic beta > 0: their difference is a sum
    of exponentials of distinct algebraic numbers whose coefficients do not all vanish (Lindemann-Weierstrass).

    :param clusters: their number k, >= 2
    :param beta: inverse temperature, a number > 0

    >>> [escape_mode(4, b) for b in ("0.567", "0.568")]            # beta/2 + exp(-beta)/2 against beta
    [1, 2]
    >>> [escape_mode(k, 30) for k in range(2, 10)]                 # neighbours move against each other
    [1, 1, 2, 2, 3, 3, 4, 4]

    Raises ValueError for clusters < 2, beta not > 0, not finite or a symbol. Source: derived here.

    See also :func:`.mode_rate`, :func:`.escape_rate`.
    """
    k, exact = check_clusters(clusters, 2), _number(beta)
    for precision in (2**n for n in range(6, LAST_DOUBLING)):
        with flint.ctx.workprec(precision):
            rates = mode_rates(k, enclose(exact))
        best = max(rates, key=arb.mid)
        if all(best > rate for rate in rates if rate is not best):
            return rates.index(best) + 1
    raise Refused("beta", beta, "too large, too small or known too coarsely to compare the rates of the modes")


def escape_rate(clusters: int, beta: Real, *, model: str = "usa", digits: int | None = None) -> Expr | Certified:
    r"""Rate :math:`\max_m \lambda_m` > 0 at which k equal clusters leave their arrangement.

    :param clusters: their number k, >= 2
    :param beta: inverse temperature, a number > 0
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    >>> escape_rate(4, 7), escape_rate(5, 20, digits=6)
    (7, [6216.56 +/- 9.3e-4])

    Raises ValueError for clusters < 2, beta not > 0, not finite or a symbol, an unknown model, digits < 1.
    Source: derived here.

    See also :func:`.escape_mode`, :func:`.escape_asymptote`, :func:`.lifetime`.
    """
    return mode_rate(escape_mode(clusters, beta), clusters, beta, model=model, digits=digits)


def escape_asymptote(clusters: int, beta: Real = beta, *, model: str = "usa") -> Expr:
    r"""The escape rate at large beta: nearest neighbours alone pull, in the mode m = floor(k/2).

    .. math:: \lambda \simeq \frac{C_k}{k}\,(\beta\sin^2\phi_1 - \cos\phi_1)\,e^{\beta\cos\phi_1}, \qquad
              \phi_1 = \frac{2\pi}{k}

    with :math:`C_2 = 2`, :math:`C_k = 4` for even k, :math:`C_k = 2 + 2\cos\frac\pi k` for odd k;
    exact for k = 2 and 3 (and 4 above :math:`\beta = e^{-\beta}`), otherwise with a relative error of order
    :math:`e^{-\beta(\cos\phi_1 - \cos\phi_2)}`, where even k has :math:`\phi_3` in place of :math:`\phi_2`.
    SA: times :math:`k e^{-\beta}`, with a further error of order :math:`e^{-\beta(1-\cos\phi_1)}`.

    :param clusters: their number k, >= 2
    :param beta: inverse temperature, > 0, or a symbol (default beta)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"

    >>> [escape_asymptote(k) for k in (2, 3, 4)]
    [exp(-beta), (3*beta/4 + 1/2)*exp(-beta/2), beta]
    >>> errors = [abs(float(escape_asymptote(5, b) / escape_rate(5, b) - 1)) for b in (10, 20)]
    >>> 0.9 < float(sp.log(errors[0] / errors[1])) / 10 / (sp.sqrt(5) / 2) < 1.1       # exp(-1.118 beta)
    True

    Raises ValueError for clusters < 2, beta not > 0 or not finite, an unknown model. Source: derived here.

    See also :func:`.escape_rate`.
    """
    k, b = check_clusters(clusters, 2), inverse_temperature(beta)
    nearest, neighbours = sp.cos(2 * sp.pi / k), 1 if k == 2 else 2
    against = 1 - sp.cos(2 * sp.pi * (k // 2) / k)
    rate = sp.Rational(neighbours, k) * against * sp.exp(b * nearest) * (b * (1 - nearest**2) - nearest)
    return rate * k * sp.exp(-b) if check_model(model) == "sa" else rate


def lifetime(
    clusters: int, beta: Real, *, perturbation: Real = E_FOLDING, model: str = "usa", digits: int = 15
) -> Certified:
    r"""Time :math:`T = \log(1/\epsilon)\,/\max_m\lambda_m` until a displacement eps of the clusters is of order one.

    The law is the linear one until neighbours are about to meet. Forces that grow as :math:`e^{\beta\epsilon}` end it
    at most about log(1 + beta) e-foldings early.

    :param clusters: their number k, >= 2
    :param beta: inverse temperature, a number > 0
    :param perturbation: eps, the amplitude of the fastest mode in radians, 0 < eps < 1 (default 1/e: the time of one
        e-folding)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> lifetime(2, 10, perturbation="1e-3", digits=9), (sp.exp(10) * sp.log(1000)).evalf(9)
    ([152153.435 +/- 3.8e-4], 152153.435)
    >>> lifetime(2, 10, digits=9), sp.exp(10).evalf(9)
    ([22026.4658 +/- 5.2e-6], 22026.4658)

    Raises ValueError for clusters < 2, beta not > 0, not finite or a symbol, a perturbation outside (0, 1), an
    unknown model, digits < 1. Source: derived here.

    See also :func:`.escape_rate`, :func:`.pairing_time`.
    """
    allowed = "the initial displacement must lie in (0, 1)"
    start = check_real(perturbation, "perturbation", allowed, above=0, below=1, symbols=False)
    mode, k, exact = escape_mode(clusters, beta), int(clusters), _number(beta)
    check_model(model)
    return certify_at("beta", beta, lambda: -enclose(start).log() / mode_ball(mode, k, enclose(exact), model), digits)


def _number(beta: Real) -> Expr:
    """Beta > 0, no symbol."""
    value = inverse_temperature(beta)
    if value.free_symbols:
        raise Refused("beta", beta, "a number is needed to compare the rates of the modes")
    return value
