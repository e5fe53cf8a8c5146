r"""Whom tokens gather at under a causal mask with values V = I: the first token in the end, strong centres before.

Token j sees itself and those before it, and divides by the sum of its weights (softmax, SA). The first never moves, and
all others end at it. A *strong centre* at angle :math:`\delta` is a token farther than :math:`\delta` from all before
it: at large :math:`\beta` nothing that it sees pulls at it, and it gathers those about it for a time exponential in
:math:`\beta`. A token at angle :math:`\theta` from m earlier ones that sit together and stay moves by

.. math:: \dot\theta = -\frac{\sin\theta}{1 + \frac1m e^{\beta(1-\cos\theta)}} \ \text{(SA)}, \qquad
          \dot\theta = -\frac{m}{m+1}\, e^{\beta\cos\theta}\sin\theta \ \text{(USA)} .

Source: arXiv 2411.04990 for the limit and the centres; counts, times and rates are derived here.
"""

from __future__ import annotations

import flint
import sympy as sp
from flint import arb

from gegenflow.theory.causal.modes import check_decay
from gegenflow.theory.exact.arguments import Expr, Real, check_beta, check_model, check_real
from gegenflow.theory.exact.certified import Certified, certify, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_count, check_dim, check_number
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.symbols import beta

TOKENS = "the number of tokens must be an integer >= 1"
EARLIER = "the number of earlier tokens must be an integer >= 1"


def centre_count(tokens: int, angle: Real, dim: int = 2, digits: int = 15) -> Certified:
    r"""Expected number of strong centres at an angle among n independent uniform tokens on :math:`S^{d-1}`.

    .. math:: E = \sum_{i<n} (1-p)^i = \frac{1 - (1-p)^n}{p}, \qquad
              p = \tfrac\delta\pi\ (d = 2), \quad \sin^2\tfrac\delta2\ (d = 3), \quad
              \tfrac12 I_{\sin^2\delta}\big(\tfrac{d-1}2, \tfrac12\big)\ (\delta \le \tfrac\pi2)

    where p is the share of a cap of radius :math:`\delta`, I the regularised incomplete beta function.

    :param tokens: their number n, >= 1
    :param angle: delta in radians, 0 < delta <= pi
    :param dim: d of the sphere S^{d-1}, >= 2 (default 2)
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> centre_count(1000, "0.1", digits=10), centre_count(1000, "0.1", 3, digits=10)
    ([31.41592654 +/- 4.2e-9], [367.5063609 +/- 4.6e-8])

    Raises ValueError for tokens < 1, an angle outside (0, pi], dim < 2, a symbol, or digits < 1. Source: arXiv
    2411.04990 for the centres; derived here (DLMF 8.17).

    See also :func:`.capture_time`, :func:`.holding_time`.
    """
    n, d = check_count(tokens, "tokens", TOKENS, least=1), check_number("dim", check_dim(dim))
    radius = _angle(angle, "angle", sp.pi)

    def evaluate() -> arb:
        p = arb(1) if radius == sp.pi else _cap(enclose(radius), d)
        return (1 - (1 - p) ** n) / p

    return certify_at("angle", angle, evaluate, digits)


def capture_time(
    angle: Real,
    start: Real,
    beta: Real,
    *,
    earlier: int = 1,
    own: bool = True,
    model: str = "sa",
    digits: int = 15,
) -> Certified:
    r"""Time in which a token comes from one angle to another of m earlier ones that sit together and stay.

    .. math:: t = \int_\theta^{\theta_0} \frac{A + B e^{\beta(1-\cos\phi)}}{\sin\phi}\,d\phi, \qquad
              \int \frac{d\phi}{\sin\phi} = \log\tan\tfrac\phi2, \qquad
              \int \frac{e^{\beta(1-\cos\phi)}}{\sin\phi}\,d\phi
              = \tfrac12\Big[{\rm Ei}(\beta u) - e^{2\beta}\,{\rm Ei}(-\beta(2-u))\Big],\ u = 1-\cos\phi

    A, B = 1, 1/m (SA), 0, :math:`(1+\frac1m)e^{-\beta}` (USA); where the token does not see itself 1, 0 and 0,
    :math:`e^{-\beta}`. With m = 1 these are the first two tokens, exactly.

    :param angle: that reached, in radians, 0 < angle <= start
    :param start: that at time 0, in radians, < pi
    :param beta: inverse temperature, >= 0
    :param earlier: the number m of tokens before it, >= 1 (default 1)
    :param own: whether it sees itself (default True)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "sa"
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> capture_time("0.1", 3, 0, digits=10), capture_time("0.1", 3, 20, digits=5)  # far apart: exponential in beta
    ([11.28234790 +/- 3.2e-9], [1.4631e+17 +/- 4.6e+11])

    Raises ValueError unless 0 < angle <= start < pi, for beta < 0, earlier < 1, an unknown model, a symbol, or
    digits < 1. Source: arXiv 2411.04990 for the model; the closed time is derived here.

    See also :func:`.holding_time`, :func:`.first_token_rates`.
    """
    end = _angle(angle, "angle", sp.pi, strict=True)
    begin = check_real(start, "start", "it must satisfy angle <= start < pi", least=end, below=sp.pi, symbols=False)
    b, m = check_beta(beta, least=0, symbols=False), check_count(earlier, "earlier", EARLIER, least=1)
    soft = check_model(model) == "sa"
    _check_own(own)
    if begin == end:
        return certify(arb, digits)

    def evaluate() -> arb:
        warmth = enclose(b)
        seen = arb(int(own)) / m
        free, held = (arb(1), seen) if soft else (arb(0), (-warmth).exp() * (1 + seen))
        return _clock(enclose(begin), warmth, b == 0, free, held) - _clock(enclose(end), warmth, b == 0, free, held)

    return certify_at("beta", beta, evaluate, digits)


def holding_time(angle: Real, shift: Real, beta: Real, *, earlier: int = 1, digits: int = 15) -> Certified:
    r"""Time in which a strong centre moves by no more than a shift, while m earlier tokens stay beyond an angle.

    .. math:: t = \frac{\text{shift}}{v}, \qquad
              v = \max_{\theta\ge\delta} \frac{\sin\theta}{1 + \frac1m e^{\beta(1-\cos\theta)}} \quad \text{(SA)}

    No placing of them makes it faster: its speed is at most a mean of such terms. It holds a token near it from
    :func:`capture_time`, of order :math:`\log` of the angles, to this time, of order :math:`e^{\beta(1-\cos\delta)}/m`.

    :param angle: delta in radians, 0 < delta < pi
    :param shift: the move, in radians, >= 0
    :param beta: inverse temperature, >= 0
    :param earlier: the number m of tokens before it, >= 1 (default 1)
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> holding_time(1, "0.1", 30, earlier=50, digits=8), capture_time("0.05", "0.3", 30, digits=8)
    ([2319.2003 +/- 1.8e-5], [4.5741514 +/- 3.5e-8])

    Raises ValueError for an angle outside (0, pi), a shift or beta < 0, earlier < 1, a symbol, or digits < 1.
    Source: derived here.

    See also :func:`.capture_time`, :func:`.centre_count`.
    """
    near, b = _angle(angle, "angle", sp.pi, strict=True), check_beta(beta, least=0, symbols=False)
    moved = check_real(shift, "shift", "the shift must be a finite number >= 0", least=0, symbols=False)
    m = check_count(earlier, "earlier", EARLIER, least=1)
    if moved == 0:
        return certify(arb, digits)
    return certify_at("beta", beta, lambda: enclose(moved) / _fastest(enclose(near), enclose(b), m), digits)


def first_token_rates(
    tokens: int, beta: Real = beta, *, model: str = "sa", own: bool = True, decay: Real = 0
) -> tuple[Expr, ...]:
    r"""Rates at which tokens 2 to n close in on the first one once they are near it.

    .. math:: 1 - \Big(\sum_{i<j} q^i\Big)^{-1} = \frac{j-1}{j}\ (q = 1), \quad \frac{q - q^j}{1 - q^j},
              \qquad q = e^{-\lambda/n}\quad \text{(SA; USA times } e^\beta)

    The mask makes the linear flow triangular, these are its diagonal: the second token is the slowest. A token that
    does not see itself has rate 1, times :math:`e^\beta` for USA; then all share it, and token j comes in as
    :math:`t^{j-2}e^{-t}`.

    :param tokens: their number n, >= 2
    :param beta: inverse temperature, any real number or a symbol (default beta)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "sa"
    :param own: whether a token sees itself (default True)
    :param decay: lambda, >= 0 (default 0)

    >>> first_token_rates(4), first_token_rates(3, 2, model="usa", own=False)
    ((1/2, 2/3, 3/4), (exp(2), exp(2)))

    Raises ValueError for tokens < 2, beta not finite, an unknown model, or a decay < 0. Source: derived here.

    See also :func:`.capture_time`, :func:`.dirac_rate`.
    """
    n = check_count(tokens, "tokens", "the number of tokens must be an integer >= 2", least=2)
    warmth = check_beta(beta)
    unit = sp.S.One if check_model(model) == "sa" else sp.exp(warmth)
    _check_own(own)
    share = sp.exp(-check_decay(decay) / n)
    seen = [sum((share**i for i in range(j)), sp.S.Zero) for j in range(2, n + 1)]
    return tuple(unit * (1 - 1 / weight if own else 1) for weight in seen)


def _check_own(own: bool) -> None:
    if not isinstance(own, bool):
        raise Refused("own", own, "it is True or False")


def _angle(angle: Real, name: str, most: Expr, *, strict: bool = False) -> Expr:
    if strict:
        return check_real(angle, name, "the angle must lie in (0, pi)", above=0, below=most, symbols=False)
    return check_real(angle, name, "the angle must lie in (0, pi]", above=0, most=most, symbols=False)


def _cap(radius: arb, dim: int) -> arb:
    if dim <= 3:
        return radius / arb.pi() if dim == 2 else (radius / 2).sin() ** 2
    share = (radius.sin() ** 2).beta_lower(arb(dim - 1) / 2, arb(0.5), regularized=True) / 2
    turned = radius - arb.pi() / 2
    return share if turned < 0 else 1 - share if turned > 0 else share.union(1 - share)


def _clock(angle: arb, beta: arb, flat: bool, free: arb, held: arb) -> arb:
    half = (angle / 2).tan().log()
    if flat or held == 0:
        return (free + held) * half
    u = 1 - angle.cos()
    return free * half + held * ((beta * u).ei() - (2 * beta).exp() * (-beta * (2 - u)).ei()) / 2


def _fastest(near: arb, beta: arb, earlier: int) -> arb:
    r"""The largest speed beyond an angle: :math:`\cos\theta/\sin^2\theta` falls, so that it has one maximum."""

    def speed(angle: arb) -> arb:
        return angle.sin() / (1 + (beta * (1 - angle.cos())).exp() / earlier)

    def rises(angle: arb) -> arb:
        pull = (beta * (1 - angle.cos())).exp() / earlier
        return angle.cos() - angle.sin() ** 2 * beta * pull / (1 + pull)

    if rises(near) <= 0:
        return speed(near)
    low, high = near, (arb.pi() / 2).max(near)
    for _ in range(2 * flint.ctx.prec):
        middle = ((low + high) / 2).mid()
        here = rises(middle)
        if here > 0:
            low = middle
        elif here < 0:
            high = middle
        else:
            break
    return speed(low.union(high))
