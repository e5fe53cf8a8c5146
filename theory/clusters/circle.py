r"""Clusters on the circle: k equal clusters, equally spaced; how they hold together, and how they escape.

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
from typing import Any

import sympy as sp
from flint import arb, fmpq

from gegenflow.theory.exact.arguments import Expr, Real, check_beta, check_model, passes
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_count
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.symbols import beta


def check_clusters(clusters: int, least: int = 1) -> int:
    """The number of clusters, or a refusal unless it is an integer >= ``least``."""
    return check_count(clusters, "clusters", f"the number of clusters must be an integer >= {least}", least=least)


def inverse_temperature(beta: Real) -> Expr:
    """Beta as a sympy expression, decimals kept exact, or a ValueError unless it is > 0.

    >>> inverse_temperature("0.3"), inverse_temperature(beta)
    (3/10, beta)
    """
    value = check_beta(beta, least=0)
    if not passes(value):
        raise Refused("beta", beta, "clusters need beta > 0; at 0 all modes but one are neutral")
    return value


def cluster_energy(clusters: int, beta: Real = beta, *, digits: int | None = None) -> Expr | Certified:
    r"""Energy :math:`E = \frac{1}{2\beta k} \sum_j e^{\beta\cos\phi_j}` of k equal clusters, equally spaced.

    :param clusters: their number k, >= 1
    :param beta: inverse temperature, > 0, or a symbol (default beta)
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    >>> (cluster_energy(2) - sp.cosh(beta) / (2 * beta)).rewrite(sp.exp).simplify()
    0
    >>> [float(cluster_energy(k, 5, digits=6)) for k in (1, 2, 3)]               # fewer clusters, more energy
    [14.8413, 7.42099, 4.95258]

    Raises ValueError for clusters < 1, beta not > 0 or not finite, digits < 1, or digits with a symbol.
    Source: arXiv 2410.23228 (the energy, here with the factor 1/2 of the flow as a gradient).

    See also :func:`.intra_rate`, :func:`.cluster_spectrum`.
    """
    k = check_clusters(clusters)
    return _evaluate(lambda b, cos, exp: _normaliser(k, b, cos, exp) / (2 * b), k, beta, digits)


def intra_rate(clusters: int, beta: Real = beta, *, model: str = "usa", digits: int | None = None) -> Expr | Certified:
    r"""Rate at which each of k equal clusters spreads (contracts, since it is < 0 at every beta > 0).

    .. math:: \lambda_{\rm intra} = -\frac1k \sum_{j=0}^{k-1} e^{\beta\cos\phi_j}(\cos\phi_j - \beta\sin^2\phi_j)
              = -\frac{2}{\beta} \sum_{p\ge1} (pk)^2 I_{pk}(\beta), \qquad \phi_j = 2\pi j/k

    :param clusters: their number k, >= 1
    :param beta: inverse temperature, > 0, or a symbol (default beta)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    its multiplicity is N - k for N tokens; SA divides by Z. As an independent value, the Bessel form:

    >>> intra_rate(2), intra_rate(4, 7, digits=8)
    (-exp(beta)/2 + exp(-beta)/2, [-270.65806 +/- 1.7e-6])
    >>> sum(-2 * n**2 * sp.besseli(n, 7) / 7 for n in range(4, 60, 4)).evalf(8)
    -270.65806

    Raises ValueError for clusters < 1, beta not > 0 or not finite, an unknown model, digits < 1, or digits with
    a symbol. Source: derived here.

    See also :func:`.mode_rate`.
    """
    k = check_clusters(clusters)
    check_model(model)

    def rate(b: Any, cos: Callable[[int], Any], exp: Callable[[Any], Any]) -> Any:
        total = sum(_push(b, cos(j), exp) for j in range(k)) / k
        return total / _normaliser(k, b, cos, exp) if model == "sa" else total

    return _evaluate(rate, k, beta, digits)


def mode_rate(
    mode: int, clusters: int, beta: Real = beta, *, model: str = "usa", digits: int | None = None
) -> Expr | Certified:
    r"""Growth rate :math:`\lambda_m` of the displacement :math:`\cos(m\phi_a)` of k equal clusters as wholes.

    .. math:: \lambda_m = \frac1k \sum_{j=1}^{k-1} e^{\beta\cos\phi_j}(\beta\sin^2\phi_j - \cos\phi_j)
              (1 - \cos m\phi_j), \qquad \phi_j = 2\pi j/k

    periodic in m and equal for m and k-m; mode 0 is the rotation, at rate 0. SA divides by Z.

    :param mode: m, any integer
    :param clusters: their number k, >= 1
    :param beta: inverse temperature, > 0, or a symbol (default beta)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    >>> [mode_rate(m, 4) for m in range(4)]
    [0, beta/2 + exp(-beta)/2, beta, beta/2 + exp(-beta)/2]
    >>> mode_rate(1, 3, 5, digits=10), mode_rate(1, 3, 5, model="sa", digits=6)
    ([0.3488612442 +/- 4.9e-11], [0.00704403 +/- 3.9e-9])

    Raises ValueError for clusters < 1, a mode that is no integer, beta not > 0 or not finite, an unknown model,
    digits < 1, or digits with a symbol. Source: derived here.

    See also :func:`.intra_rate`, :func:`.escape_mode`, :func:`.escape_rate`.
    """
    k = check_clusters(clusters)
    m = check_count(mode, "mode", "the mode of the displacement must be an integer") % k
    check_model(model)
    return _evaluate(lambda b, cos, exp: _mode(m, k, b, cos, exp, model), k, beta, digits)


def mode_ball(mode: int, clusters: int, beta: arb, model: str = "usa") -> arb:
    """The growth rate :func:`mode_rate` as a ball at the current precision."""
    rate: arb = _mode(mode, clusters, beta, _cosine(clusters), arb.exp, model)
    return rate


def mode_rates(clusters: int, beta: arb) -> list[arb]:
    """The growth rates :func:`mode_rate` of the modes 1, ..., k/2 (USA) as balls at the current precision."""
    cosines = [_cosine(clusters)(j) for j in range(clusters)]
    pushes = [_push(beta, cosine, arb.exp) / clusters for cosine in cosines]
    lifts = [1 - cosine for cosine in cosines]
    return [
        sum((push * lifts[m * j % clusters] for j, push in enumerate(pushes)), arb(0))
        for m in range(1, clusters // 2 + 1)
    ]


def _push(b: Any, cosine: Any, exp: Callable[[Any], Any]) -> Any:
    """The slope -f' of the force at an angle, by its cosine."""
    return exp(b * cosine) * (b * (1 - cosine**2) - cosine)


def _normaliser(k: int, b: Any, cos: Callable[[int], Any], exp: Callable[[Any], Any]) -> Any:
    return sum(exp(b * cos(j)) for j in range(k)) / k


def _mode(m: int, k: int, b: Any, cos: Callable[[int], Any], exp: Callable[[Any], Any], model: str) -> Any:
    total = sum(_push(b, cos(j), exp) * (1 - cos(m * j)) for j in range(1, k)) / k if m else 0 * b
    return total / _normaliser(k, b, cos, exp) if model == "sa" else total


def _cosine(k: int) -> Callable[[int], arb]:
    return lambda j: arb.cos_pi_fmpq(fmpq(2 * j, k))


def _evaluate(rate: Callable[..., Any], k: int, beta: Real, digits: int | None) -> Expr | Certified:
    """The rate in exact expressions or, with digits, in balls; ``rate`` is given beta, cos(2 pi j/k) and exp."""
    b = inverse_temperature(beta)
    if digits is None:
        return rate(b, lambda j: sp.cos(2 * sp.pi * j / k), sp.exp)
    if b.free_symbols:
        raise Refused("beta", beta, "a number is needed for certified digits")
    return certify_at("beta", beta, lambda: rate(enclose(b), _cosine(k), arb.exp), digits)
