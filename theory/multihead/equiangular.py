r"""Equiangular tokens under several scalar heads: query-key and value matrices :math:`m_h I` with one beta.

n tokens whose overlaps are all g stay equiangular, and

.. math:: \dot g = \tfrac2n (1-g)\big(1+(n-1)g\big) S(g),\quad S = \sum_h m_h e^{\beta m_h g} \;\text{(USA)}, \qquad
          \dot g = 2 (1-g)\big(1+(n-1)g\big) \sum_h \frac{m_h}{e^{\beta m_h(1-g)}+n-1} \;\text{(SA)} .

For beta >= 0 both sums increase with g, so that a start that grows grows for ever, and one that falls falls for ever.
In the clock :math:`s = \frac12\log\frac{1+(n-1)g}{(n-1)(1-g)}`, that of one head at beta = 0, times are integrals of
smooth functions. Source: arXiv 2605.04279 for the heads, 2312.10794 for one; SA and the clock are derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import flint
import sympy as sp
from flint import acb, arb

from gegenflow.theory.exact.arguments import (
    Expr,
    Real,
    Whole,
    check_beta,
    check_model,
    check_overlap,
    check_parameter,
    positive,
)
from gegenflow.theory.exact.certified import Certified, certify, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_items, check_tokens
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.values import record_html
from gegenflow.theory.symbols import beta
from gegenflow.theory.synchronization.equiangular import BALLS, clock, gap_at


def check_scales(scales: Sequence[Real], name: str = "scales") -> tuple[Expr, ...]:
    """The m_h of the heads, exact; at least one.

    >>> check_scales([1, "-0.5"])
    (1, -1/2)
    """
    allowed = "a list of numbers, one for each head, is needed"
    given = check_items(scales, name, allowed)
    if not given:
        raise Refused(name, "[]", allowed)
    return tuple(check_parameter(scale, f"{name}[{place}]") for place, scale in enumerate(given))


def total_pull(overlap: Expr, tokens: Expr, beta: Expr, scales: Sequence[Expr], model: str) -> Expr:
    r"""What all heads pull together: S(g) for USA, n times the sum of the shares for SA; arguments already checked.

    >>> g = sp.Symbol("g")
    >>> total_pull(g, sp.Integer(2), sp.Integer(0), [sp.Integer(1)], "sa")
    1
    """
    if model == "usa":
        return sp.Add(*(m * sp.exp(beta * m * overlap) for m in scales))
    return tokens * sp.Add(*(m / (sp.exp(beta * m * (1 - overlap)) + tokens - 1) for m in scales))


def equiangular_velocity(
    overlap: Real, tokens: Whole, beta: Real = beta, scales: Sequence[Real] = (1,), *, model: str = "usa"
) -> Expr:
    r"""Velocity :math:`\dot g` of the common overlap of n equiangular tokens, the formula at the head of this module.

    :param overlap: g, -1/(n-1) < g < 1, or a symbol
    :param tokens: their number n, >= 2, or a symbol
    :param beta: inverse temperature, >= 0, or a symbol (default beta)
    :param scales: the m_h, of either sign or symbols, one or more (default one head of scale 1)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"

    >>> g = sp.Symbol("g")
    >>> [sp.factor(equiangular_velocity(g, 2, 0, [1, 2], model=model)) for model in ("usa", "sa")]
    [-3*(g - 1)*(g + 1), -3*(g - 1)*(g + 1)]

    Raises ValueError for tokens < 2, an overlap outside (-1/(n-1), 1), beta < 0 or not finite, no scales, an unknown
    model. Source: arXiv 2605.04279; SA derived here.

    See also :func:`.multihead.hitting_time`.
    """
    n, b, model = check_tokens(tokens), check_beta(beta, least=0), check_model(model)
    g = check_overlap(overlap, n)
    return 2 * (1 - g) * (1 + (n - 1) * g) * total_pull(g, n, b, check_scales(scales), model) / n


def hitting_time(
    overlap: Real,
    tokens: Whole,
    beta: Real,
    scales: Sequence[Real],
    *,
    model: str = "usa",
    start: Real = 0,
    digits: int = 15,
) -> Certified:
    r"""Time at which n equiangular tokens, at one overlap at time 0, reach another, certified.

    .. math:: t = \int \frac{ds}{S(g(s))} \;\text{(USA)}, \qquad
              1 - g = \frac{n}{n-1}\,\frac{1}{1+e^{2s}}, \qquad s = \tfrac12\log\frac{1+(n-1)g}{(n-1)(1-g)},

    :param overlap: the overlap g that is reached, -1/(n-1) < g < 1
    :param tokens: their number n, >= 2
    :param beta: inverse temperature, >= 0
    :param scales: the m_h, numbers of either sign, one or more
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param start: the overlap g_0 at time 0, -1/(n-1) < g_0 < 1 (default 0)
    :param digits: significant digits to certify, >= 1 (default 15)

    SA with the sum of its own pulls in the place of S. One head m is one of beta m, m times as fast:

    >>> from gegenflow.theory.synchronization import hitting_time as alone
    >>> hitting_time("0.9", 4, 3, [2], digits=12), float(alone("0.9", 4, 6, digits=12) / 2)
    ([0.143005863503 +/- 3.5e-13], 0.143005863503)

    Raises ValueError for others, for symbols, and for an overlap that is never reached: the pull at the start decides
    whether overlaps grow or fall. Source: arXiv 2605.04279 for the equation; derived here, integrated in balls.

    See also :func:`.multihead.equiangular_velocity`, :func:`.relu_time`, :func:`.synchronization.hitting_time`.
    """
    n, b, model = check_tokens(tokens), check_beta(beta, least=0, symbols=False), check_model(model)
    g, g0, heads = check_overlap(overlap, n), check_overlap(start, n, "start"), check_scales(scales)
    for name, value in (
        ("tokens", n),
        ("overlap", g),
        ("start", g0),
        *((f"scales[{i}]", m) for i, m in enumerate(heads)),
    ):
        if value.free_symbols:
            raise Refused(name, value, "a number is needed")
    if g == g0:
        return certify(arb, digits)
    pull = total_pull(g0, n, b, heads, model)
    ahead = positive(g - g0)
    if positive(pull if ahead else -pull) is not True:
        way = "grow" if positive(pull) else "fall" if positive(-pull) else "rest"
        raise Refused("overlap", overlap, f"it is never reached: from {start} on overlaps {way}")

    def evaluate() -> arb:
        count, ball, weights = enclose(n), enclose(b), [enclose(m) for m in heads]

        def slowness(s: acb, _: bool = False) -> acb:
            gap = gap_at(s, count)
            if model == "usa":
                return 1 / sum((m * (ball * m * (1 - gap)).exp() for m in weights), acb(0))
            return 1 / (count * sum((m / ((ball * m * gap).exp() + count - 1) for m in weights), acb(0)))

        low, high = (clock(enclose(1 - at), count, arb(0), "usa", BALLS) for at in (g0, g))
        middles = arb(low.mid()), arb(high.mid())
        inside = acb.integral(slowness, *middles, rel_tol=arb(2) ** -flint.ctx.prec).real
        ends = [slowness(acb(end)).real * (end - middle) for end, middle in zip((low, high), middles, strict=True)]
        time: arb = inside + ends[1] - ends[0]
        return time

    return certify_at("beta", beta, evaluate, digits)


def contraction_rate(beta: Real = beta, scales: Sequence[Real] = (1,), *, model: str = "usa") -> Expr:
    r"""The rate at which 1 - g decays near 0: :math:`2\sum_h m_h e^{\beta m_h}` (USA), :math:`2\sum_h m_h` (SA).

    :param beta: inverse temperature, >= 0, or a symbol (default beta)
    :param scales: the m_h, of either sign or symbols, one or more (default one head of scale 1)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"

    >>> contraction_rate(1, [1, -1]), contraction_rate(1, [1, -1], model="sa")
    (-2*exp(-1) + 2*E, 0)

    Negative where overlaps near one fall. Raises ValueError as :func:`equiangular_velocity`. Source: derived here.

    See also :func:`.super_additivity`.
    """
    b, heads = check_beta(beta, least=0), check_scales(scales)
    pulls = heads if check_model(model) == "sa" else [m * sp.exp(b * m) for m in heads]
    return 2 * sp.Add(*pulls)


@dataclass(frozen=True)
class SuperAdditivity:
    """Whether unequal heads gather faster than as many of their mean: by how much, and whether all like them do.

    :param excess: the difference of the two contraction rates
    :param convex: whether x e^{beta x} is convex from the least scale on, beta m >= -2, so that by Jensen no choice of
        scales beyond it has a negative excess

    Source: derived here.

    See also :func:`.super_additivity`.
    """

    excess: Certified
    convex: bool

    _repr_html_ = record_html


def super_additivity(beta: Real, scales: Sequence[Real], *, digits: int = 15) -> SuperAdditivity:
    r"""The excess of the contraction rate of heads over that of H heads of their mean scale, and when it cannot be < 0.

    .. math:: 2\sum_h m_h e^{\beta m_h} - 2 H \bar m e^{\beta\bar m} \ge 0
              \quad\text{for all } m_h \ge m \iff \beta m \ge -2 .

    (:math:`(xe^{\beta x})'' = \beta(2 + \beta x)e^{\beta x}`; below -2/beta two close scales have a negative excess.)

    :param beta: inverse temperature, >= 0
    :param scales: the m_h, numbers of either sign, one or more
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> super_additivity(2, [-3, "-1.2"], digits=4)
    SuperAdditivity(excess=[-0.1066 +/- 3.3e-5], convex=False)
    >>> super_additivity(2, [1, -1], digits=4).convex
    True

    Raises ValueError for beta < 0 or a symbol, no scales. Source: arXiv 2605.04279 for the claim, which holds under the
    condition derived here alone.

    See also :func:`.multihead.contraction_rate`.
    """
    b, heads = check_beta(beta, least=0, symbols=False), check_scales(scales)
    mean = sp.Add(*heads) / len(heads)
    excess = contraction_rate(b, heads) - contraction_rate(b, [mean] * len(heads))
    convex = all(positive(-2 - b * m) is False for m in heads)
    exact_zero = sp.simplify(excess) == 0
    return SuperAdditivity(certify_at("beta", beta, lambda: arb(0) if exact_zero else enclose(excess), digits), convex)
