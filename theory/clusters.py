r"""Clusters on the circle: k equal clusters, equally spaced, and two antipodal clusters of any masses in any dim.

Equal clusters at the angles :math:`\phi_j = 2\pi j/k` are stationary. With :math:`f(x) = e^{\beta\cos x}\sin x`,
:math:`f'(x) = e^{\beta\cos x}(\cos x - \beta\sin^2 x) = \sum_n \gamma_n e^{inx}`, where
:math:`\gamma_n = n^2 I_n(\beta)/\beta` are the growth rates of the uniform state, the linearised flow (USA) has

.. math:: \lambda_{\rm intra} = -\frac1k \sum_{j=0}^{k-1} f'(\phi_j) = -\sum_{n \equiv 0 \,(k)} \gamma_n, \qquad
          \lambda_m = -\frac1k \sum_{j=1}^{k-1} f'(\phi_j)(1 - \cos m\phi_j)
          = \sum_{n \equiv m \,(k)} \gamma_n - \sum_{n \equiv 0 \,(k)} \gamma_n

(n over all integers) for spreading within a cluster, and for whole clusters moved by :math:`\cos m\phi_a` or
:math:`\sin m\phi_a`. SA divides by :math:`Z = \frac1k\sum_j e^{\beta\cos\phi_j}`: where the velocity is 0, the
variation of Z does not matter.

1. Clusters hold together at every beta > 0: :math:`\lambda_{\rm intra} < 0`, a sum of positive terms.
2. The arrangement escapes at every beta > 0, k >= 2: :math:`\sum_m \lambda_m = -\sum_{j\ge1} f'(\phi_j) > 0`. Each term
   is :math:`\ge 0`, and one is > 0, unless :math:`\cos\phi_1 > \beta\sin^2\phi_1`. Then :math:`k \ge 5` and
   :math:`\beta < k^2/4\pi^2`, far below :math:`k^2/2`, where degree k would be the fastest: the rates are
   unimodal, :math:`\gamma_n \ge \gamma_{pk}` for the k degrees :math:`(p-1)k < n \le pk` of each block p >= 2, and
   :math:`\gamma_n > 4\gamma_k` for :math:`k/4 \le n \le k/2` (the bound of Amos on :math:`I_k/I_n`), which makes up
   for the first block: :math:`\sum_{j\ge1} f'(\phi_j) = 2k\sum_{p\ge1}\gamma_{pk} - 2\sum_{n\ge1}\gamma_n < 0`.

Source: arXiv 2410.23228 for the clusters; the spectrum and both statements are derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flint
import sympy as sp
from flint import arb, fmpq

from gegenflow.theory.certified import Certified, certify, exact_fraction, exact_number
from gegenflow.theory.growth import check_model
from gegenflow.theory.kernels import exponential
from gegenflow.theory.sphere import Expr, t
from gegenflow.theory.weights import beta

mass = sp.Symbol("m", positive=True)
LAST_DOUBLING = 17


def check_clusters(clusters: int, least: int = 1) -> int:
    """The number of clusters, or a ValueError unless it is an integer >= ``least``."""
    if isinstance(clusters, bool) or not hasattr(clusters, "__index__") or clusters < least:
        raise ValueError(f"clusters {clusters}: the number of clusters must be an integer >= {least}")
    return int(clusters)


def inverse_temperature(beta: Expr) -> Expr:
    """Beta as a sympy expression, decimals kept exact, or a ValueError unless it is > 0.

    >>> inverse_temperature("0.3"), inverse_temperature(beta)
    (3/10, beta)
    """
    value = sp.diff(exponential(beta).weight, t).subs(t, 0)
    if value == 0:
        raise ValueError(f"beta {beta}: clusters need beta > 0; at 0 all modes but one are neutral")
    return value


def cluster_energy(clusters: int, beta: Expr = beta, *, digits: int | None = None) -> Expr | Certified:
    r"""Energy :math:`E = \frac{1}{2\beta k} \sum_j e^{\beta\cos\phi_j}` of k equal clusters, equally spaced.

    >>> (cluster_energy(2) - sp.cosh(beta) / (2 * beta)).rewrite(sp.exp).simplify()
    0
    >>> [float(cluster_energy(k, 5, digits=6)) for k in (1, 2, 3)]               # fewer clusters, more energy
    [14.8413, 7.42099, 4.95258]

    Raises ValueError for clusters < 1, beta not > 0 or not finite, digits < 1, or digits with a symbol.
    Source: arXiv 2410.23228 (the energy, here with the factor 1/2 of the flow as a gradient).
    """
    k = check_clusters(clusters)
    return _evaluate(lambda b, cos, exp: _normaliser(k, b, cos, exp) / (2 * b), k, beta, digits)


def intra_rate(clusters: int, beta: Expr = beta, *, model: str = "usa", digits: int | None = None) -> Expr | Certified:
    r"""Rate at which each of k equal clusters spreads (contracts, since it is < 0 at every beta > 0).

    .. math:: \lambda_{\rm intra} = -\frac1k \sum_{j=0}^{k-1} e^{\beta\cos\phi_j}(\cos\phi_j - \beta\sin^2\phi_j)
              = -\frac{2}{\beta} \sum_{p\ge1} (pk)^2 I_{pk}(\beta), \qquad \phi_j = 2\pi j/k

    its multiplicity is N - k for N tokens; SA divides by Z. As an independent value, the Bessel form:

    >>> intra_rate(2), intra_rate(4, 7, digits=8)
    (-exp(beta)/2 + exp(-beta)/2, [-270.65806 +/- 1.7e-6])
    >>> sum(-2 * n**2 * sp.besseli(n, 7) / 7 for n in range(4, 60, 4)).evalf(8)
    -270.65806

    Raises ValueError for clusters < 1, beta not > 0 or not finite, an unknown model, digits < 1, or digits with
    a symbol. Source: derived here.
    """
    k = check_clusters(clusters)
    check_model(model)

    def rate(b: Any, cos: Callable[[int], Any], exp: Callable[[Any], Any]) -> Any:
        total = sum(_push(b, cos(j), exp) for j in range(k)) / k
        return total / _normaliser(k, b, cos, exp) if model == "sa" else total

    return _evaluate(rate, k, beta, digits)


def mode_rate(
    mode: int, clusters: int, beta: Expr = beta, *, model: str = "usa", digits: int | None = None
) -> Expr | Certified:
    r"""Growth rate :math:`\lambda_m` of the displacement :math:`\cos(m\phi_a)` of k equal clusters as wholes.

    .. math:: \lambda_m = \frac1k \sum_{j=1}^{k-1} e^{\beta\cos\phi_j}(\beta\sin^2\phi_j - \cos\phi_j)
              (1 - \cos m\phi_j), \qquad \phi_j = 2\pi j/k

    periodic in ``mode`` and equal for m and k-m; mode 0 is the rotation, at rate 0. SA divides by Z.

    >>> [mode_rate(m, 4) for m in range(4)]
    [0, beta/2 + exp(-beta)/2, beta, beta/2 + exp(-beta)/2]
    >>> mode_rate(1, 3, 5, digits=10), mode_rate(1, 3, 5, model="sa", digits=6)
    ([0.3488612442 +/- 4.9e-11], [0.00704403 +/- 3.9e-9])

    Raises ValueError for clusters < 1, a mode that is no integer, beta not > 0 or not finite, an unknown model,
    digits < 1, or digits with a symbol. Source: derived here.
    """
    k = check_clusters(clusters)
    if isinstance(mode, bool) or not hasattr(mode, "__index__"):
        raise ValueError(f"mode {mode}: the mode of the displacement must be an integer")
    m = int(mode) % k
    check_model(model)
    return _evaluate(lambda b, cos, exp: _mode(m, k, b, cos, exp, model), k, beta, digits)


def escape_mode(clusters: int, beta: Any) -> int:
    r"""The mode m <= k/2 of largest growth rate :math:`\lambda_m`, the same for USA and SA, proved.

    Two rates :math:`\lambda_m` with different m <= k/2 agree at no rational beta > 0: their difference is a sum
    of exponentials of distinct algebraic numbers whose coefficients do not all vanish (Lindemann-Weierstrass).

    >>> [escape_mode(4, b) for b in ("0.567", "0.568")]            # beta/2 + exp(-beta)/2 against beta
    [1, 2]
    >>> [escape_mode(k, 30) for k in range(2, 10)]                 # neighbours move against each other
    [1, 1, 2, 2, 3, 3, 4, 4]

    Raises ValueError for clusters < 2, beta not > 0, not finite or a symbol. Source: derived here.
    """
    k, exact = check_clusters(clusters, 2), exact_number(inverse_temperature(beta))
    for precision in (2**n for n in range(6, LAST_DOUBLING)):
        with flint.ctx.workprec(precision):
            rates = [_mode(m, k, arb(exact), _cosine(k), arb.exp) for m in range(1, k // 2 + 1)]
        best = max(rates, key=arb.mid)
        if all(best > rate for rate in rates if rate is not best):
            return rates.index(best) + 1
    raise ValueError(f"beta {beta}: too large or too small to compare the rates of the modes")


def escape_rate(clusters: int, beta: Any, *, model: str = "usa", digits: int | None = None) -> Expr | Certified:
    r"""Rate :math:`\max_m \lambda_m` > 0 at which k equal clusters leave their arrangement.

    >>> escape_rate(4, 7), escape_rate(5, 20, digits=6)
    (7, [6216.56 +/- 9.3e-4])

    Raises ValueError for clusters < 2, beta not > 0, not finite or a symbol, an unknown model, digits < 1.
    Source: derived here.
    """
    return mode_rate(escape_mode(clusters, beta), clusters, beta, model=model, digits=digits)


def escape_asymptote(clusters: int, beta: Expr = beta, *, model: str = "usa") -> Expr:
    r"""The escape rate at large beta: nearest neighbours alone pull, in the mode m = floor(k/2).

    .. math:: \lambda \simeq \frac{C_k}{k}\,(\beta\sin^2\phi_1 - \cos\phi_1)\,e^{\beta\cos\phi_1}, \qquad
              \phi_1 = \frac{2\pi}{k}

    with :math:`C_2 = 2`, :math:`C_k = 4` for even k, :math:`C_k = 2 + 2\cos\frac\pi k` for odd k;
    exact for k = 2 and 3 (and 4 above :math:`\beta = e^{-\beta}`), otherwise with a relative error of order
    :math:`e^{-\beta(\cos\phi_1 - \cos\phi_2)}`, where even k has :math:`\phi_3` in place of :math:`\phi_2`.
    SA: times :math:`k e^{-\beta}`, with a further error of order :math:`e^{-\beta(1-\cos\phi_1)}`.

    >>> [escape_asymptote(k) for k in (2, 3, 4)]
    [exp(-beta), (3*beta/4 + 1/2)*exp(-beta/2), beta]
    >>> errors = [abs(float(escape_asymptote(5, b) / escape_rate(5, b) - 1)) for b in (10, 20)]
    >>> 0.9 < float(sp.log(errors[0] / errors[1])) / 10 / (sp.sqrt(5) / 2) < 1.1       # exp(-1.118 beta)
    True

    Raises ValueError for clusters < 2, beta not > 0 or not finite, an unknown model. Source: derived here.
    """
    k, b = check_clusters(clusters, 2), inverse_temperature(beta)
    nearest, neighbours = sp.cos(2 * sp.pi / k), 1 if k == 2 else 2
    against = 1 - sp.cos(2 * sp.pi * (k // 2) / k)
    rate = sp.Rational(neighbours, k) * against * _push(b, nearest, sp.exp)
    return rate * k * sp.exp(-b) if check_model(model) == "sa" else rate


def lifetime(clusters: int, beta: Any, *, perturbation: Any, model: str = "usa", digits: int = 15) -> Certified:
    r"""Time :math:`T = \log(1/\epsilon)\,/\max_m\lambda_m` until a displacement eps of the clusters is of order one.

    eps = ``perturbation`` in (0, 1) is the amplitude of the fastest mode, in radians, and the law is the linear one up
    to an angle of 1. Forces that grow as :math:`e^{\beta\epsilon}` end it at most about log(1 + beta) e-foldings early.

    >>> lifetime(2, 10, perturbation="1e-3", digits=9), (sp.exp(10) * sp.log(1000)).evalf(9)
    ([152153.435 +/- 3.8e-4], 152153.435)

    Raises ValueError for clusters < 2, beta not > 0, not finite or a symbol, a perturbation outside (0, 1), an
    unknown model, digits < 1. Source: derived here.
    """
    start = _fraction("perturbation", perturbation, "the initial displacement must lie in (0, 1)", fmpq(1))
    mode, k = escape_mode(clusters, beta), int(clusters)
    check_model(model)

    return _evaluate(lambda b, cos, exp: -arb(start).log() / _mode(mode, k, b, cos, exp, model), k, beta, digits)


def survival_beta(mass: Expr = mass, *, digits: int | None = None) -> Expr | Certified:
    r"""Beta above which both of two antipodal clusters, of masses 1-m and m <= 1/2, hold together.

    .. math:: \beta = \tfrac12 \log\frac{1-m}{m}

    for any dim and both models; below it the smaller one disperses (if it is more than one token).

    >>> survival_beta(), survival_beta("1/3", digits=10)
    (log((1 - m)/m)/2, [0.3465735903 +/- 2.1e-11])

    Raises ValueError for a mass outside (0, 1/2], digits < 1, or digits with a symbol.
    Source: derived here: the sign of the minority's rate in :func:`antipodal_clusters`.
    """
    if digits is None:
        share = _share(mass)
        return sp.log((1 - share) / share) / 2
    exact = _fraction("mass", mass, "the smaller mass must lie in (0, 1/2]", fmpq(1, 2))
    return certify(lambda: (arb((1 - exact) / exact)).log() / 2 if exact != fmpq(1, 2) else arb(0), digits)


@dataclass(frozen=True)
class AntipodalClusters:
    """Rates of two antipodal clusters: of either to spread (d-1 directions a token), and of the pair to escape."""

    mass: Expr
    beta: Expr
    model: str
    majority: Expr
    minority: Expr
    escape: Expr


def antipodal_clusters(mass: Expr = mass, beta: Expr = beta, *, model: str = "usa") -> AntipodalClusters:
    r"""Linearised flow about clusters of masses 1-m at e and m <= 1/2 at -e, in any dim.

    .. math:: \lambda_+ = m e^{-\beta} - (1-m)e^\beta, \qquad \lambda_- = (1-m)e^{-\beta} - m e^\beta, \qquad
              \lambda_{\rm escape} = e^{-\beta}

    (USA). SA: :math:`\lambda_\pm / Z_\pm` and
    :math:`e^{-\beta}\left(\frac{m}{Z_+} + \frac{1-m}{Z_-}\right)`, with :math:`Z_+ = (1-m)e^\beta + m e^{-\beta}`,
    :math:`Z_- = m e^\beta + (1-m)e^{-\beta}`. The escape has d-1 directions (both clusters towards the same side),
    the d-1 rotations have rate 0.

    >>> pair = antipodal_clusters("1/4", 1)
    >>> pair.minority, pair.escape
    (-E/4 + 3*exp(-1)/4, exp(-1))
    >>> antipodal_clusters(beta=survival_beta()).minority.subs(mass, sp.Rational(1, 7)).simplify()
    0

    Raises ValueError for a mass outside (0, 1/2], beta not > 0 or not finite, an unknown model.
    Source: derived here; the survival of both is also in :func:`survival_beta`.
    """
    m, b = _share(mass), inverse_temperature(beta)
    near, far = sp.exp(b), sp.exp(-b)
    majority, minority, escape = m * far - (1 - m) * near, (1 - m) * far - m * near, far
    if check_model(model) == "sa":
        larger, smaller = (1 - m) * near + m * far, m * near + (1 - m) * far
        majority, minority, escape = majority / larger, minority / smaller, far * (m / larger + (1 - m) / smaller)
    return AntipodalClusters(m, b, model, majority, minority, escape)


def _push(b: Any, cosine: Any, exp: Callable[[Any], Any]) -> Any:
    """The slope -f' of the force at an angle, by its cosine."""
    return exp(b * cosine) * (b * (1 - cosine**2) - cosine)


def _normaliser(k: int, b: Any, cos: Callable[[int], Any], exp: Callable[[Any], Any]) -> Any:
    return sum(exp(b * cos(j)) for j in range(k)) / k


def _mode(m: int, k: int, b: Any, cos: Callable[[int], Any], exp: Callable[[Any], Any], model: str = "usa") -> Any:
    total = sum(_push(b, cos(j), exp) * (1 - cos(m * j)) for j in range(1, k)) / k if m else 0 * b
    return total / _normaliser(k, b, cos, exp) if model == "sa" else total


def _cosine(k: int) -> Callable[[int], arb]:
    return lambda j: arb.cos_pi_fmpq(fmpq(2 * j, k))


def _evaluate(rate: Callable[..., Any], k: int, beta: Expr, digits: int | None) -> Expr | Certified:
    """The rate in exact expressions or, with digits, in balls; ``rate`` is given beta, cos(2 pi j/k) and exp."""
    b = inverse_temperature(beta)
    if digits is None:
        return rate(b, lambda j: sp.cos(2 * sp.pi * j / k), sp.exp)
    exact = exact_number(b)
    try:
        return certify(lambda: rate(arb(exact), _cosine(k), arb.exp), digits)
    except ArithmeticError as error:
        raise ValueError(f"beta {beta}: {error}") from error


def _share(mass: Expr) -> Expr:
    """The smaller mass as a sympy expression, a symbol as it is."""
    if isinstance(mass, sp.Expr) and mass.free_symbols:
        return mass
    exact = _fraction("mass", mass, "the smaller mass must lie in (0, 1/2]", fmpq(1, 2))
    return sp.Rational(int(exact.p), int(exact.q))


def _fraction(name: str, value: Any, allowed: str, most: fmpq) -> fmpq:
    """A number in (0, most], below 1, as an exact fraction."""
    exact = exact_fraction(value, name, allowed)
    if not 0 < exact <= most or exact == 1:
        raise ValueError(f"{name} {value}: {allowed}")
    return exact
