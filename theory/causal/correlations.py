r"""What a token keeps of an earlier one: the graphon, the correlation of two tokens, and the retrieval profile.

Token j of N, at position s = j/N, sees those before it, the nearer the better (ALiBi, decay :math:`\lambda`):

.. math:: \dot\theta_j = \frac1{Z_j}\sum_{k<j} e^{-\lambda(j-k)/N}\, w'(\theta_j - \theta_k), \qquad w = e^{\beta\cos},
          \qquad Z_j = \sum_{k<j} e^{-\lambda(j-k)/N},

:math:`\beta` times as fast as unnormalised attention (USA), and in any dim with the gradient of
:math:`e^{\beta\langle x, y\rangle}` as the drive. About independent uniform tokens a degree-k harmonic of the response
to one token at :math:`s_0` obeys, with :math:`a = L_k w_k[e^{\beta t}]` (dim 2: :math:`k^2 I_k(\beta)`),

.. math:: \partial_t g(s) = a\Big(k_\lambda(s,s_0) + \int_{s_0}^s k_\lambda(s,s')\,g(s')\,ds'\Big), \qquad g = 0
          \ \text{at } t = 0,

and in the variable :math:`Y = \log\frac{e^{\lambda s}-1}{e^{\lambda s_0}-1}` this is a wave equation with the solution
of :func:`correlation`.

Source: arXiv 2605.09213 for the model on the circle; every dim and the closed form are derived here.
"""

from __future__ import annotations

from typing import cast

import sympy as sp
from flint import arb

from gegenflow.theory.causal.modes import Setting, check_decay, setting
from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_beta, check_real, check_time
from gegenflow.theory.exact.certified import Certified, certify, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.growth.rates import growth_rate
from gegenflow.theory.symbols import beta

POSITION = "a position is a number in (0, 1]"
SOURCE = "the source must lie in 0 < source <= position"


def graphon(position: Real, source: Real, decay: Real = 0) -> Expr:
    r"""Weight of a token at s' in what a token at s sees, in the limit of many tokens.

    .. math:: k_\lambda(s, s') = \frac{\lambda\, e^{-\lambda(s - s')}}{1 - e^{-\lambda s}} \quad (s' < s), \qquad
              k_0(s, s') = \frac1s, \qquad \int_0^s k_\lambda(s, s')\, ds' = 1

    :param position: s, that of the one that sees, 0 < s <= 1, or a symbol
    :param source: s', that of the one that is seen, 0 < s' <= s, or a symbol
    :param decay: lambda, >= 0, or a symbol (default 0)

    >>> graphon("1/2", "1/4"), graphon(1, "1/2", 2)
    (2, 2*exp(-1)/(1 - exp(-2)))
    >>> s, source = sp.symbols("s source", positive=True)
    >>> [sp.simplify(sp.integrate(graphon(s, source, lam), (source, 0, s))) for lam in (0, 2)]
    [1, 1]

    Raises ValueError for positions outside (0, 1], a source beyond the position (it is not seen), or a decay < 0.
    Source: arXiv 2605.09213.

    See also :func:`.correlation`.
    """
    s = check_real(position, "position", POSITION, above=0, most=1)
    seen = check_real(source, "source", SOURCE, above=0, most=s)
    lam = check_real(decay, "decay", "the decay must be a finite number >= 0", least=0)
    return 1 / s if lam == 0 else lam * sp.exp(-lam * (s - seen)) / (1 - sp.exp(-lam * s))


def drive_rate(degree: Whole, beta: Real = beta, dim: Whole = 2, *, digits: int | None = None) -> Expr | Certified:
    r"""Rate of a degree under the drive :math:`w'`: :math:`a_k = \beta\gamma_k = L_k w_k[e^{\beta t}]`.

    :math:`\gamma_k` is its growth rate under USA, which is :math:`\beta` times slower.

    :param degree: degree of the harmonic, >= 1, or a symbol
    :param beta: inverse temperature, >= 0, or a symbol (default beta)
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default 2)
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    >>> drive_rate(3), drive_rate(1, 1, digits=10)
    (9*besseli(3, beta), [0.5651591040 +/- 7.6e-12])

    Raises ValueError as :func:`~gegenflow.theory.growth.growth_rate` does. Source: arXiv 2605.09213 in dim 2; derived
    here.

    See also :func:`.growth_rate`, :func:`.correlation`.
    """
    warmth = check_beta(beta, least=0)
    exact = warmth * cast(Expr, growth_rate(degree, dim, warmth))
    return exact if digits is None else certify_at("beta", beta, lambda: enclose(exact), digits)


def correlation(
    source: Real, rate: Real, time: Real, *, decay: Real = 0, position: Real = 1, digits: int = 15
) -> Certified:
    r"""Correlation of a token with the start of an earlier one, times the number of tokens N, as N grows.

    .. math:: N\, E\,P_k(\langle x_{sN}(t), x_{s_0N}(0)\rangle) \to g_a(t, s; s_0)
              = k_\lambda(s, s_0)\sqrt{\frac{at}{Y}}\, I_1\big(2\sqrt{atY}\big)
              = k_\lambda(s, s_0)\, at\; {}_0F_1(;2; atY), \qquad Y = \log\frac{e^{\lambda s}-1}{e^{\lambda s_0}-1}

    In dim 2 :math:`P_n` is :math:`\cos n(\theta - \theta_0)`. Without a decay :math:`Y = \log(s/s_0)`.

    :param source: s_0, the position of the earlier token, 0 < s_0 <= s
    :param rate: a, any real number: :func:`drive_rate`, or the growth rate of the degree in the time of USA
    :param time: time since the start, >= 0
    :param decay: lambda, >= 0 (default 0)
    :param position: s, that of the later token, 0 < s <= 1 (default 1)
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> correlation("1/4", 1, "1/10", digits=10)
    [0.1070934858 +/- 3.1e-11]
    >>> correlation("1/4", 1, "1/10", decay=5, digits=10) < correlation("9/10", 1, "1/10", decay=5, digits=10)
    True

    Raises ValueError for 0 < source <= position <= 1 not met, a decay or time < 0, a symbol, or digits < 1.
    Source: arXiv 2605.09213 for the circle; closed form and other dims derived here.

    See also :func:`.graphon`, :func:`.drive_rate`, :func:`.retrieval_profile`.
    """
    s = check_real(position, "position", POSITION, above=0, most=1, symbols=False)
    seen = check_real(source, "source", SOURCE, above=0, most=s, symbols=False)
    a = check_real(rate, "rate", "the rate must be a finite number", symbols=False)
    lam, t = check_decay(decay), check_time(time, symbols=False)
    if a == 0 or t == 0:
        return certify(arb, digits)

    def evaluate() -> arb:
        grown = enclose(a) * enclose(t)
        return enclose(graphon(s, seen, lam)) * grown * (grown * log_distance(seen, lam, s)).hypgeom_0f1(arb(2))

    return certify_at("rate", rate, evaluate, digits)


def log_distance(source: Expr, decay: Expr, position: Expr = sp.S.One) -> arb:
    r"""The variable :math:`Y = \log\frac{e^{\lambda s}-1}{e^{\lambda s_0}-1}`, >= 0, at the current precision."""
    s, seen, lam = enclose(position), enclose(source), enclose(decay)
    return (s / seen).log() if decay == 0 else ((lam * s).expm1() / (lam * seen).expm1()).log()


def retrieval_profile(source: Real, beta: Real, decay: Real, codewords: int, time: Real, digits: int = 15) -> Certified:
    r"""How well the last token tells the codeword that an earlier one started from, against the position of that one.

    .. math:: S_t(s_0) = \sum_{n\ge1} e^{-\pi^2n^2/2M^2}\, g_{a_n}(t, 1; s_0) = k_\lambda(1, s_0)\, t\, \Phi(tY),
              \qquad a_n = n^2 I_n(\beta)

    with M codewords at the angles :math:`2\pi m/M` and :math:`\Phi` of :mod:`gegenflow.theory.causal.modes`; the
    leading order in 1/N, and in the time of the drive :math:`w'` (USA: :math:`\beta` times as long).

    :param source: s_0, the position of the earlier token, 0 < s_0 <= 1
    :param beta: inverse temperature, > 0
    :param decay: lambda, >= 0
    :param codewords: their number M, >= 2
    :param time: time since the start, >= 0
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> [retrieval_profile(s, 1, 1, 10, 1, digits=8) for s in ("0.02", "0.255", "1")]        # high, low, high: a U
    [[1.7989399 +/- 2.2e-8], [1.2997124 +/- 2.9e-9], [1.7933938 +/- 5.0e-8]]

    Raises ValueError for a source outside (0, 1], beta <= 0, a decay or time < 0, fewer than 2 codewords, a symbol, or
    digits < 1. Source: arXiv 2605.09213; the form in :math:`\Phi` is derived here.

    See also :func:`.correlation`, :func:`.retrieval_minimum`, :func:`.retrieval_shape`.
    """
    given = setting(beta, codewords, decay, time)
    seen = check_real(source, "source", "the source must lie in 0 < source <= 1", above=0, most=1, symbols=False)
    if given.time == 0:
        return certify(arb, digits)
    return certify_at("source", source, lambda: profile_at(seen, given), digits)


def profile_at(source: Expr, given: Setting) -> arb:
    """The profile at the current precision."""
    time, distance = enclose(given.time), log_distance(source, given.decay)
    return enclose(graphon(1, source, given.decay)) * time * given.modes().potential(time * distance, 0)
