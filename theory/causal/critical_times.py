r"""The time and the decay at which a retrieval profile loses its recency, and its minimum at small times.

Moments of the modes: :math:`A_j = \sum_n e_n a_n^j`, :math:`e_n = e^{-\pi^2n^2/2M^2}`, :math:`a_n = n^2 I_n(\beta)`.

Source: derived here, but for the smallness condition, which is reported of arXiv 2605.09213.
"""

from __future__ import annotations

import flint
from flint import arb

from gegenflow.theory.causal.modes import MOST_MODES, Modes, Setting, setting
from gegenflow.theory.exact.arguments import Real
from gegenflow.theory.exact.certified import Certified, certify, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_count
from gegenflow.theory.exact.refusals import Refused

BITS = 128


def recency_time(*, beta: Real, decay: Real, codewords: int, digits: int = 15) -> Certified:
    r"""The time :math:`t_1` up to which the last tokens are retrieved better than those before them.

    .. math:: S_t'(1^-) > 0 \iff t < t_1 = \frac{2A_1}{A_2}\,(1 - e^{-\lambda}) \qquad
              \Big(\text{one mode: } at < 2(1 - e^{-\lambda})\Big)

    :param beta: inverse temperature, > 0
    :param decay: lambda, >= 0
    :param codewords: their number M, >= 2
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> recency_time(beta=1, decay=8, codewords=10, digits=12)
    [3.95923222994 +/- 2.9e-12]

    Raises ValueError for beta <= 0, a decay < 0, fewer than 2 codewords, a symbol, or digits < 1. Source: arXiv
    2605.09213 for the bound of one mode; the sharp one of a profile is derived here.

    See also :func:`.smallness_time`, :func:`.fold_time`, :func:`.retrieval_shape`.
    """
    given = setting(beta, codewords, decay)
    return certify(arb, digits) if given.decay == 0 else certify_at("beta", beta, lambda: first_time(given), digits)


def smallness_time(*, beta: Real, decay: Real, digits: int = 15) -> Certified:
    r"""The time up to which the smallness condition of the source holds: enough for a U, not needed.

    .. math:: t\,\sup_n a_n \le \min\{3 - \sqrt3,\ 2(1 - e^{-\lambda})\}, \qquad a_n = n^2 I_n(\beta)

    :param beta: inverse temperature, > 0
    :param decay: lambda, >= 0
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> smallness_time(beta=1, decay=8, digits=10) < recency_time(beta=1, decay=8, codewords=10, digits=10)
    True

    Raises ValueError as :func:`recency_time` does. Source: reported of arXiv 2605.09213.

    See also :func:`.recency_time`.
    """
    given = setting(beta, 2, decay)

    def evaluate() -> arb:
        bound = 2 * -(-enclose(given.decay)).expm1()
        return (3 - arb(3).sqrt()).min(bound) / _largest(given.modes())

    return certify(arb, digits) if given.decay == 0 else certify_at("beta", beta, evaluate, digits)


def critical_decay(*, beta: Real, codewords: int, digits: int = 15) -> Certified | None:
    r"""The decay :math:`\lambda_*` from which on a profile whose end has just turned down still has a middle.

    .. math:: \lambda_* = \log\frac{6 - 2\kappa}{3 - 2\kappa}, \qquad \kappa = \frac{A_1 A_3}{A_2^2} \ge 1

    (one mode: log 4). At :math:`\lambda > \lambda_*` the turns near s = 1 merge and vanish after :math:`t_1`, at
    :math:`t_2`: in between the profile is an N. At :math:`\lambda < \lambda_*`, or at :math:`\kappa \ge 3/2`, where
    there is no such decay (None), the last turn leaves through s = 1 at :math:`t_1`; turns far from it may stay.

    :param beta: inverse temperature, > 0
    :param codewords: their number M, >= 2
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> critical_decay(beta=1, codewords=10, digits=10), critical_decay(beta=100, codewords=4)
    ([1.495596932 +/- 2.3e-10], None)

    Raises ValueError as :func:`recency_time` does, and where :math:`\kappa` is 3/2 as far as can be told.
    Source: derived here.

    See also :func:`.fold_time`, :func:`.recency_time`.
    """
    given = setting(beta, codewords)

    def evaluate() -> arb:
        kappa = _kappa(given.modes())
        return ((6 - 2 * kappa) / (3 - 2 * kappa)).log()

    for bits in (BITS, 16 * BITS):
        with flint.ctx.workprec(bits):
            kappa = _kappa(given.modes())
        if 2 * kappa > 3:
            return None
        if 2 * kappa < 3:
            return certify_at("beta", beta, evaluate, digits)
    raise Refused("beta", beta, "kappa is 3/2 as far as can be told; give beta with more digits")


def small_time_minimum(
    *, beta: Real, decay: Real, codewords: int, time: Real, order: int = 2, digits: int = 15
) -> Certified:
    r"""The lost middle at small times, to first or second order.

    .. math:: s_{\min} = \frac1\lambda\Big[\rho t + \tfrac12(\rho t)^2
              + t^2\Big(\frac{A_3}{6A_1} - \rho^2\Big)\log\frac{e^\lambda-1}{\rho t}\Big] + O(t^3\log^2 t), \qquad
              \rho = \frac{A_2}{2A_1}

    :param beta: inverse temperature, > 0
    :param decay: lambda, > 0
    :param codewords: their number M, >= 2
    :param time: time since the start, > 0
    :param order: of the expansion, one of 1 and 2 (default 2)
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> [float(small_time_minimum(beta=1, decay=1, codewords=10, time="0.1", order=k, digits=6)) for k in (1, 2)]
    [0.0252489, 0.0247906]
    >>> from gegenflow.theory.causal.shapes import retrieval_minimum
    >>> float(retrieval_minimum(beta=1, decay=1, codewords=10, time="0.1", digits=6))
    0.0248108

    Raises ValueError as :func:`recency_time` does, for a decay or time of 0, or an order other than 1 and 2.
    Source: derived here.

    See also :func:`.retrieval_minimum`.
    """
    given = setting(beta, codewords, decay, time)
    terms = check_count(order, "order", "the order is 1 or 2", least=1, most=2)
    for name, value, shown in (("decay", given.decay, decay), ("time", given.time, time)):
        if value == 0:
            raise Refused(name, shown, "it must be > 0 for there to be a minimum")

    def evaluate() -> arb:
        modes, lam, t = given.modes(), enclose(given.decay), enclose(given.time)
        rho = modes.moment(2) / modes.moment(1) / 2
        first = rho * t
        slow = modes.moment(3) / modes.moment(1) / 6 - rho**2
        second = first**2 / 2 + t**2 * slow * (lam.expm1() / first).log()
        return (first if terms == 1 else first + second) / lam

    return certify_at("time", time, evaluate, digits)


def first_time(given: Setting) -> arb:
    """The first critical time at the current precision."""
    modes = given.modes()
    return 2 * modes.moment(1) / modes.moment(2) * -(-enclose(given.decay)).expm1()


def _kappa(modes: Modes) -> arb:
    return modes.moment(1) * modes.moment(3) / modes.moment(2) ** 2


def _largest(modes: Modes) -> arb:
    best = arb(0)
    for n in range(1, MOST_MODES):
        best = best.max(modes.rate(n))
        if modes.ratio(n) < 1:
            return best
    raise Refused("beta", None, f"more than {MOST_MODES} modes matter; take a smaller beta")
