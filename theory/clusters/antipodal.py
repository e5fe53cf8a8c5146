r"""Two antipodal clusters of any masses on :math:`S^{d-1}`: whether both hold together, and how the pair escapes.

Source: arXiv 2410.23228 for the flow; rates are derived here.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from gegenflow.theory.clusters.circle import inverse_temperature
from gegenflow.theory.exact.arguments import Expr, Real, check_model, check_real
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.values import record_html
from gegenflow.theory.symbols import beta

mass = sp.Symbol("m", positive=True)
MASSES = "the smaller mass must lie in (0, 1/2]"


def survival_beta(mass: Real = mass, *, digits: int | None = None) -> Expr | Certified:
    r"""Beta above which both of two antipodal clusters, of masses 1-m and m <= 1/2, hold together.

    .. math:: \beta = \tfrac12 \log\frac{1-m}{m}

    for any dim and both models; below it the smaller one disperses (if it is more than one token).

    :param mass: the smaller mass m, 0 < m <= 1/2, or a symbol (default m)
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    >>> survival_beta(), survival_beta("1/3", digits=10)
    (log((1 - m)/m)/2, [0.3465735903 +/- 2.1e-11])

    Raises ValueError for a mass outside (0, 1/2], digits < 1, or digits with a symbol.
    Source: derived here: the sign of the minority's rate in :func:`antipodal_clusters`.

    See also :func:`.antipodal_clusters`.
    """
    share = _share(mass)
    beta = sp.log((1 - share) / share) / 2
    return beta if digits is None else certify_at("mass", mass, lambda: enclose(beta), digits)


@dataclass(frozen=True)
class AntipodalClusters:
    """Rates of two antipodal clusters: of either to spread (d-1 directions a token), and of the pair to escape.

    :param mass: mass of the smaller cluster
    :param beta: inverse temperature
    :param model: "usa" (unnormalised) or "sa" (softmax)
    :param majority: rate at which the larger cluster spreads, per unit of the flow's time; it contracts where negative
    :param minority: rate at which the smaller one spreads
    :param escape: rate at which the pair leaves its line

    Source: derived in :func:`antipodal_clusters`.

    See also :func:`.antipodal_clusters`.
    """

    mass: Expr
    beta: Expr
    model: str
    majority: Expr
    minority: Expr
    escape: Expr

    _repr_html_ = record_html


def antipodal_clusters(mass: Real = mass, beta: Real = beta, *, model: str = "usa") -> AntipodalClusters:
    r"""Linearised flow about clusters of masses 1-m at e and m <= 1/2 at -e, in any dim.

    .. math:: \lambda_+ = m e^{-\beta} - (1-m)e^\beta, \qquad \lambda_- = (1-m)e^{-\beta} - m e^\beta, \qquad
              \lambda_{\rm escape} = e^{-\beta}

    (USA). SA: :math:`\lambda_\pm / Z_\pm` and
    :math:`e^{-\beta}\left(\frac{m}{Z_+} + \frac{1-m}{Z_-}\right)`, with :math:`Z_+ = (1-m)e^\beta + m e^{-\beta}`,
    :math:`Z_- = m e^\beta + (1-m)e^{-\beta}`. The escape has d-1 directions (both clusters towards the same side),
    the d-1 rotations have rate 0.

    :param mass: the smaller mass m, 0 < m <= 1/2, or a symbol (default m)
    :param beta: inverse temperature, > 0, or a symbol (default beta)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"

    >>> pair = antipodal_clusters("1/4", 1)
    >>> pair.minority, pair.escape
    (-E/4 + 3*exp(-1)/4, exp(-1))
    >>> antipodal_clusters(beta=survival_beta()).minority.subs(mass, sp.Rational(1, 7)).simplify()
    0

    Raises ValueError for a mass outside (0, 1/2], beta not > 0 or not finite, an unknown model.
    Source: derived here; the survival of both is also in :func:`survival_beta`.

    See also :func:`.survival_beta`, :func:`.antipodal_spectrum`.
    """
    m, b = _share(mass), inverse_temperature(beta)
    near, far = sp.exp(b), sp.exp(-b)
    majority, minority, escape = m * far - (1 - m) * near, (1 - m) * far - m * near, far
    if check_model(model) == "sa":
        larger, smaller = (1 - m) * near + m * far, m * near + (1 - m) * far
        majority, minority, escape = majority / larger, minority / smaller, far * (m / larger + (1 - m) / smaller)
    return AntipodalClusters(m, b, model, majority, minority, escape)


def _share(mass: Real) -> Expr:
    """The smaller mass as a sympy expression, a symbol as it is."""
    return check_real(mass, "mass", MASSES, above=0, most=sp.Rational(1, 2))
