r"""Near a boundary of the phase diagram: how two neighbouring degrees share the runs of finitely many tokens.

Degrees k and k+1 grow equally fast at their boundary :math:`\beta_k`, where chance decides which one emerges first
(:mod:`gegenflow.theory.finite_tokens.selection`, with :math:`\ell = \log(N a^2)` and :math:`G_k =
\log(\chi^2_{D_k}/D_k)` as there). The share of degree k+1 rises across it, over a width that shrinks only like
:math:`1/\log N`.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable

import flint
from flint import arb, fmpq

from gegenflow.theory.exact.arguments import Real, check_beta
from gegenflow.theory.exact.certified import certify
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_degree, check_dim, check_number
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.finite_tokens.emergence import token_strength
from gegenflow.theory.phases.critical import bessel_ratio, critical_beta
from gegenflow.theory.sphere import harmonic_dimension, laplacian_eigenvalue

UNDERFLOW = 745
"""Numbers below e^-745 are 0 in float64."""


def boundary_share(beta: Real, degree: int, dim: int, tokens: int, *, amplitude: Real = 0.3) -> float:
    r"""Asymptotic probability that degree k+1 emerges before degree k near their boundary, for USA and SA alike.

    With :math:`\delta = (\gamma_{k+1} - \gamma_k)/(\gamma_{k+1} + \gamma_k)`, :math:`s = D_k/2`, :math:`s' = D_{k+1}/2`
    and F a Fisher variable of :math:`D_k` and :math:`D_{k+1}` degrees of freedom,

    .. math:: T_{k+1} < T_k \iff \log F < \delta\,(2\ell - G_k - G_{k+1}), \qquad
              P \approx P\bigl(\log F < z - 2\delta\, m(z)\bigr), \quad z = 2\delta\ell

    where :math:`m(z) = \frac z2 - \log(s' + s e^z) + \psi(s + s')` is the mean of :math:`\frac12(G_k + G_{k+1})` given
    :math:`\log F = z`. Across the transition, where z is of order 1, the error is of order :math:`\ell^{-2}` (of order
    :math:`\ell^{-1}` without m). On the circle log F is logistic, so the share is one half at the boundary for every N;
    in higher dim it is one half where z is about the median of log F. Far from the boundary, where Chernoff's bound on
    the share or on its complement underflows, it is 0 or 1.

    :param beta: inverse temperature, >= 0
    :param degree: degree of the harmonics k, >= 1: the share is that of k+1
    :param dim: d of the sphere S^{d-1}, >= 2
    :param tokens: number of tokens N, >= 2, with N a^2 > 1
    :param amplitude: the amplitude a to reach, 0 < a < 1 (default 0.3)

    >>> round(boundary_share(float(critical_beta(3, 2)), 3, 2, 2000), 12)
    0.5
    >>> [round(boundary_share(6.5, 3, 2, 10**n), 3) for n in (4, 8, 16, 32)]       # log N decides, not N
    [0.543, 0.598, 0.701, 0.853]

    Raises ValueError for dim < 2, degree < 1, beta negative or not finite, N a^2 <= 1, and more harmonics than the
    incomplete beta function can be worked out for. Source: derived here.

    See also :func:`.boundary_width`, :func:`.selection_law`.
    """
    order, ratio_there, s, t, strength = _boundary(degree, dim, tokens, amplitude)
    exact = check_beta(beta, least=0, symbols=False)

    def share() -> arb:
        size = arb(strength).log()
        ratio = bessel_ratio(order, enclose(exact)) / ratio_there if exact != 0 else arb(0)
        lean = 2 * (ratio - 1) / (ratio + 1)
        z = lean * size
        bound = s * (z - lean * (z / 2 - (t + s * z.exp()).log() + (s + t).digamma())).exp()
        at, mean = bound / (bound + t), s / (s + t)
        if s * (mean / at).log() + t * ((1 - mean) / (1 - at)).log() > UNDERFLOW:
            return arb(0 if at < mean else 1)
        return at.beta_lower(s, t, regularized=True)

    return _certain(share, degree, dim)


def boundary_width(degree: int, dim: int, tokens: int, *, amplitude: Real = 0.3) -> float:
    r"""Width in beta of the transition from degree k to k+1: inverse slope of the logit of the share at the boundary.

    .. math:: \frac{p\,(1-p)\,B(s, s')\,(s+s')^{s+s'}}{s^s\, s'^{s'}} \cdot
              \frac{1}{\lambda\,(\ell + \log(s+s') - \psi(s+s'))}, \qquad
              \lambda = \frac{1}{c} - \frac{2k+d-1}{\beta_k} - c

    with the share :math:`p = I_{s/(s+s')}(s, s')` at the boundary, the slope :math:`\lambda` of
    :math:`\log(\gamma_{k+1}/\gamma_k)` there (Riccati equation of the Bessel ratio), :math:`c = L_k/L_{k+1}` and s, s'
    of :func:`boundary_share`. It shrinks only like 1/log N. On the circle the first factor is 1 and the share close to
    :math:`1/(1 + e^{-(\beta - \beta_k)/\text{width}})`.

    :param degree: degree of the harmonics k, >= 1, to that of k+1
    :param dim: d of the sphere S^{d-1}, >= 2
    :param tokens: number of tokens N, >= 2, with N a^2 > 1
    :param amplitude: the amplitude a to reach, 0 < a < 1 (default 0.3)

    >>> [round(boundary_width(3, 2, 10**n), 3) for n in (4, 8, 16, 32)]
    [1.601, 0.696, 0.326, 0.158]

    Raises ValueError for dim < 2, degree < 1, N a^2 <= 1, and too many harmonics, as :func:`boundary_share`.
    Source: derived here; DLMF 10.29.2.

    See also :func:`.boundary_share`, :func:`.phases.critical_beta`.
    """
    order, c, s, t, strength = _boundary(degree, dim, tokens, amplitude)

    def width() -> arb:
        boundary = critical_beta(degree, dim, flint.ctx.prec // 3).ball
        slope = 1 / arb(c) - (2 * order + 1) / boundary - c
        at = s / (s + t)
        share = at.beta_lower(s, t, regularized=True)
        density = (s * at.log() + t * (1 - at).log() + (s + t).lgamma() - s.lgamma() - t.lgamma()).exp()
        return share * (1 - share) / density / (slope * ((strength * (s + t)).log() - (s + t).digamma()))

    return _certain(width, degree, dim)


def _certain(number: Callable[[], arb], degree: int, dim: int) -> float:
    try:
        return float(certify(number, 15))
    except ArithmeticError as error:
        harmonics = harmonic_dimension(degree, dim)
        many = f"{harmonics} harmonics in dim {dim} are too many for the incomplete beta function"
        raise Refused("degree", degree, f"{many}, or beta is known too coarsely") from error


def _boundary(degree: int, dim: int, tokens: int, amplitude: Real) -> tuple[fmpq, fmpq, arb, arb, fmpq]:
    """The Bessel order of degree k, L_k/L_{k+1}, half the harmonics of degrees k and k+1, and N a^2."""
    degree, dim = check_number("degree", check_degree(degree)), check_number("dim", check_dim(dim))
    if (strength := token_strength(tokens, amplitude)) <= 1:
        raise Refused("tokens", tokens, f"degrees have room to grow only if N a^2 > 1, with amplitude {amplitude}")
    half, other = (arb(fmpq(harmonic_dimension(k, dim), 2)) for k in (degree, degree + 1))
    ratio = fmpq(laplacian_eigenvalue(degree, dim), laplacian_eigenvalue(degree + 1, dim))
    return fmpq(2 * degree + dim - 2, 2), ratio, half, other, strength
