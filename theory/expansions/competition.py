"""How purely the selected degree emerges from noise: the competition of the linear modes on the circle."""

from __future__ import annotations

from flint import arb

from gegenflow.theory.exact.arguments import Real, check_beta
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.integers import check_digits
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.growth.rates import rate_ball
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.phases.diagram import selected_degree


def competition_exponent(beta: Real, *, digits: int = 15) -> Certified:
    r"""The power of the noise amplitude with which a run from white noise comes near the manifold of period 2 pi/k.

    .. math:: 1 - Q \propto a^{2(1 - \gamma_2/\gamma_k)}, \qquad k = k_{\max}(\beta), \quad
              \gamma_2 = \max(\gamma_{k-1}, \gamma_{k+1})

    in dim 2, where Q is the share of the degrees 2k, 3k, ... and k in :math:`\|f-1\|^2` at its peak, when degree k has
    grown from a to order one, after the time :math:`\log(1/a)/\gamma_k`; the fastest of the degrees that do not have
    the period, a neighbour of k as the rates have one maximum, has then grown to :math:`a^{1-\gamma_2/\gamma_k}`.  The
    same in USA and SA.

    :param beta: inverse temperature, > 0, above the first boundary and on none
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> [competition_exponent(beta, digits=6) for beta in (5, 7)]
    [[0.241956 +/- 4.0e-7], [0.121267 +/- 1.3e-7]]

    Raises ValueError for ``beta`` <= 0, symbolic or not finite, on a boundary between two degrees, and below the first,
    where degree 1 is selected and every density has its period.  Source: derived here.

    See also :func:`.expansion`, :func:`.selected_degree`.
    """
    digits = check_digits(digits)
    kernel, degree = Kernel.exponential(check_beta(beta, least=0, symbols=False)), selected_degree(beta, 2)
    if degree == 1:
        raise Refused("beta", beta, "degree 1 is selected, and every density has its period")

    def exponent() -> arb:
        first, *others = (rate_ball(kernel, k, 2, "usa") for k in (degree, degree - 1, degree + 1))
        ratio = max(others, key=lambda ball: float(ball.mid())) / first
        return 2 * (1 - ratio)

    return certify_at("beta", beta, exponent, digits)
