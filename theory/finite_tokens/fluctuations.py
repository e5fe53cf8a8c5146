"""How far N tokens are from the density that they were drawn from, as long as both are near uniform."""

from __future__ import annotations

from itertools import count

import flint
from flint import arb

from gegenflow.theory.exact.arguments import Real, check_beta, check_model, check_time
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.growth.rates import normaliser_ball, rate_ball
from gegenflow.theory.kernels.kernel import Kernel


def mean_field_distance(time: Real, beta: Real, *, model: str = "usa", digits: int = 15) -> Certified:
    r"""The limit of :math:`N\,\mathbb{E}\,W_2^2` between N independent uniform tokens and the uniform density, dim 2.

    .. math:: \lim_{N\to\infty} N\,\mathbb{E}\,W_2^2(\mu_N(t), \sigma) = 2\sum_{k\ge1} \frac{e^{2\gamma_k t}}{k^2}

    Near the uniform density :math:`W_2` is the norm of :math:`H^{-1}`, the moments of N tokens start with
    :math:`\mathbb{E}|\mu_k|^2 = 1/N`, and each grows at its rate; so the constant of the mean-field limit is
    :math:`\pi^2/3` at first and grows like :math:`e^{2\gamma_{\max} t}`, C = :math:`\gamma_{\max}` for the distance.

    :param time: time of the flow, >= 0
    :param beta: inverse temperature, >= 0
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> mean_field_distance(0, 5, digits=10)          # pi^2/3
    [3.289868134 +/- 3.1e-10]
    >>> mean_field_distance("0.1", 5, digits=6)
    [27.1814 +/- 1.7e-5]

    Raises ValueError for a time or ``beta`` that is negative, symbolic or not finite, and an unknown model.  Source:
    derived here.

    See also :func:`.growth_rate`.
    """
    moment = check_time(time, symbols=False)
    kernel = Kernel.exponential(check_beta(beta, least=0, symbols=False))
    check_model(model)

    def total() -> arb:
        unit = 2 * enclose(moment) / (normaliser_ball(kernel, 2, None) if model == "sa" else 1)
        result, before = arb.pi() ** 2 / 6, arb(0)
        for degree in count(1):
            exponent = unit * rate_ball(kernel, degree, 2, "usa")
            if exponent.is_zero():
                break
            result += (exponent.exp() - 1) / degree**2
            ratio, before = exponent / before, exponent
            rest = exponent * exponent.exp() * ratio / (1 - ratio) / degree**2  # the ratio decreases from here on
            if ratio < 1 and rest < arb(2) ** -flint.ctx.prec:
                result += arb(0, rest.upper())
                break
        return 2 * result

    return certify_at("beta", beta, total, digits)
