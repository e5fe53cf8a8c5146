r"""Equiangular starts: n tokens whose overlaps are all g stay equiangular, and one number says how far they have come.

With :math:`h(t) = e^{\beta t}` the velocity of the common overlap, for every dim >= n and every real beta, is

.. math:: \dot g = \tfrac2n\, e^{\beta g}(1-g)\big(1+(n-1)g\big) \;\text{(USA)}, \qquad
          \dot g = \frac{2\,e^{\beta g}(1-g)\big(1+(n-1)g\big)}{e^\beta + (n-1)e^{\beta g}} \;\text{(SA)} .

It is positive for :math:`-1/(n-1) < g < 1`: overlaps only grow, at negative beta too. In partial fractions 1/velocity
integrates to exponential integrals; at the velocity of beta = 0 the time is
:math:`\frac12\log\frac{1+(n-1)g}{1-g}`, and the clocks of the two models differ by it alone:

.. math:: n\,T_{\rm SA}(\beta) = e^\beta\, T_{\rm USA}(\beta) + (n-1)\, T_{\rm USA}(0) .

Source: arXiv 2312.10794 for the equations; the closed times are derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flint
import sympy as sp
from flint import arb

from gegenflow.theory.exact.arguments import (
    Expr,
    Real,
    Whole,
    check_beta,
    check_model,
    check_overlap,
    check_time,
    passes,
)
from gegenflow.theory.exact.certified import Certified, certify, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_tokens
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.symbols import beta

Functions = tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any], Callable[[], Any]]
SYMBOLIC: Functions = (sp.Ei, sp.log, sp.exp, lambda: sp.EulerGamma)
BALLS: Functions = (arb.ei, arb.log, arb.exp, arb.const_euler)
"""The functions of a clock, in expressions and in balls: Ei, log, exp and Euler's constant."""

LARGEST_BETA = 1000
"""The overlap at a time is found for abs(beta) up to here: it takes about 1.5 beta bits."""
FARTHEST = 2**40
"""Where the search for it gives up: 1 - g of :math:`e^{-10^{12}}`."""


def equiangular_velocity(overlap: Real, tokens: Whole, beta: Real = beta, *, model: str = "usa") -> Expr:
    r"""Velocity :math:`\dot g` of the common overlap of n equiangular tokens, the formula at the head of this module.

    :param overlap: the common overlap g, -1/(n-1) < g < 1, or a symbol
    :param tokens: their number n, >= 2, or a symbol
    :param beta: inverse temperature, any real number or a symbol (default beta)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"

    >>> g = sp.Symbol("g")
    >>> [sp.factor(equiangular_velocity(g, 2, 0, model=model)) for model in ("usa", "sa")]
    [-(g - 1)*(g + 1), -(g - 1)*(g + 1)]

    Raises ValueError for tokens < 2, an overlap outside (-1/(n-1), 1), beta not finite, an unknown model.
    Source: arXiv 2312.10794.

    See also :func:`.synchronization.hitting_time`, :func:`.normalized_velocity`.
    """
    n, b = check_tokens(tokens), check_beta(beta)
    g = check_overlap(overlap, n)
    normaliser = n if check_model(model) == "usa" else sp.exp(b) + (n - 1) * sp.exp(b * g)
    return 2 * sp.exp(b * g) * (1 - g) * (1 + (n - 1) * g) / normaliser


def clock(gap: Any, tokens: Any, beta: Any, model: str, functions: Functions) -> Any:
    r"""An antiderivative of dg / velocity at g = 1 - ``gap``; at gap 0 its finite part, less -log(gap)/2.

    .. math:: T_{\rm USA} = \tfrac12\big[e^{\beta/(n-1)}\,{\rm Ei}(-\beta v) - e^{-\beta}\,{\rm Ei}(\beta(1-g))\big],
              \qquad v = g + \tfrac1{n-1}

    (SA only at gap 0: there the logarithms add up to one half.)
    """
    ei, log, exp, euler = functions
    v = 1 / (tokens - 1) + (1 - gap)
    ended = bool(gap == 0)
    free = (log(v) - (0 if ended else log(gap))) / 2
    if beta == 0:
        return free
    near = euler() + log(beta**2) / 2 if ended else ei(beta * gap)
    unnormalised = (exp(beta / (tokens - 1)) * ei(-beta * v) - exp(-beta) * near) / 2
    return unnormalised if model == "usa" else (exp(beta) * unnormalised + (tokens - 1) * free) / tokens


def hitting_time(
    overlap: Real, tokens: Whole, beta: Real = beta, *, start: Real = 0, model: str = "usa", digits: int | None = None
) -> Expr | Certified:
    r"""Time at which n equiangular tokens, at one overlap at time 0, reach another.

    .. math:: t = \tfrac12\Big\{ e^{-\beta}\big[{\rm Ei}(\beta(1-g_0)) - {\rm Ei}(\beta(1-g))\big]
              + e^{\beta/(n-1)}\big[E_1\big(\beta(g_0+\tfrac1{n-1})\big) - E_1\big(\beta(g+\tfrac1{n-1})\big)\big]\Big\}

    for USA (:math:`E_1(x) = -{\rm Ei}(-x)`, which also serves negative beta), and at beta = 0, the Kuramoto limit,
    :math:`\frac12\log\frac{(1-g_0)(1+(n-1)g)}{(1-g)(1+(n-1)g_0)}`; SA by the identity at the head of this module.

    :param overlap: the overlap g that is reached, g_0 <= g < 1, or a symbol
    :param tokens: their number n, >= 2, or a symbol
    :param beta: inverse temperature, any real number or a symbol (default beta)
    :param start: the overlap g_0 at time 0, > -1/(n-1) (default 0)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    >>> [float(hitting_time("0.999", 32, b, model="sa", digits=8)) for b in (1, 9)]
    [5.2702839, 178.73093]
    >>> g, start = sp.symbols("g start", positive=True)
    >>> passed = hitting_time(g, 5, start=start, model="sa")
    >>> sp.simplify(sp.diff(passed, g) * equiangular_velocity(g, 5, model="sa")), passed.subs(g, start).simplify()
    (1, 0)
    >>> hitting_time("0.9", 4, -700, digits=10)                                      # repulsion is slow, not for ever
    [3.073791353e+271 +/- 4.0e+261]

    Raises ValueError for tokens < 2, overlaps outside (-1/(n-1), 1), a target below the start (overlaps only grow),
    beta not finite, an unknown model, digits < 1, or digits with a symbol.
    Source: arXiv 2312.10794 for the equation; the closed time is derived here (DLMF 6.2).

    See also :func:`.overlap_after`, :func:`.synchronization.equiangular_velocity`, :func:`.decay_law`.
    """
    n, b, model = check_tokens(tokens), check_beta(beta), check_model(model)
    g, g0 = check_overlap(overlap, n), check_overlap(start, n, "start")
    if not passes(g - g0, zero=True):
        raise Refused("overlap", overlap, f"it must not lie below the start {start}, since overlaps only grow")
    if digits is None:
        return clock(1 - g, n, b, model, SYMBOLIC) - clock(1 - g0, n, b, model, SYMBOLIC)
    if g == g0:
        return certify(arb, digits)

    def evaluate() -> arb:
        balls = enclose(n), enclose(b)
        time: arb = clock(enclose(1 - g), *balls, model, BALLS) - clock(enclose(1 - g0), *balls, model, BALLS)
        return time

    return certify_at("beta", beta, evaluate, digits)


def overlap_after(
    time: Real, tokens: Whole, beta: Real, *, start: Real = 0, model: str = "usa", digits: int = 15
) -> Certified:
    r"""Overlap of n equiangular tokens after a time, the inverse of :func:`hitting_time`, to certified digits.

    :param time: time of the flow, a number >= 0
    :param tokens: their number n, >= 2
    :param beta: inverse temperature, -1000 <= beta <= 1000
    :param start: the overlap at time 0, > -1/(n-1) and < 1 (default 0)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> overlap_after(2, 2, 0, digits=12), certify(lambda: arb(2).tanh(), 12)          # two tokens: g' = 1 - g^2
    ([0.964027580076 +/- 1.9e-13], [0.964027580076 +/- 1.9e-13])

    Raises ValueError as :func:`hitting_time` does, for a time < 0 or a symbol, and for abs(beta) > 1000.
    Source: derived here, by bisection of the exact time in balls.

    See also :func:`.synchronization.hitting_time`.
    """
    n, b, model = check_tokens(tokens), check_beta(beta), check_model(model)
    g0, elapsed = check_overlap(start, n, "start"), check_time(time)
    if b.free_symbols or not passes(LARGEST_BETA - abs(b), zero=True):
        raise Refused("beta", beta, f"the overlap at a time needs a number of size at most {LARGEST_BETA}")
    if elapsed == 0:
        return certify(lambda: enclose(g0), digits)

    def evaluate() -> arb:
        count, ball, goal = enclose(n), enclose(b), enclose(elapsed)
        offset = clock(enclose(1 - g0), count, ball, model, BALLS)

        def passed(free: arb) -> arb:
            since_start: arb = clock(gap_at(free, count), count, ball, model, BALLS) - offset
            return since_start

        low = clock(enclose(1 - g0), count, arb(0), "usa", BALLS).lower()
        high, step = low, 1
        while not passed(high) > goal and step < FARTHEST:
            high, step = high + step, 2 * step
        for _ in range(flint.ctx.prec):
            middle = ((low + high) / 2).mid()
            reached = passed(middle)
            if reached < goal:
                low = middle
            elif reached > goal:
                high = middle
            else:
                break
        gap: arb = gap_at(low.union(high), count)
        return 1 - gap

    return certify_at("beta", beta, evaluate, digits)


def gap_at(free: Any, tokens: Any) -> Any:
    """1 - g from the clock of beta = 0, which is log((g + 1/(n-1))/(1-g))/2, in real or complex balls."""
    return tokens / (tokens - 1) / (1 + (2 * free).exp())
