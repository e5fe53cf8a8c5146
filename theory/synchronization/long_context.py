r"""Long contexts: how sharp attention must be, as the number of tokens grows, to tell them apart.

One step of attention (SA, no residual) turns n equiangular tokens of overlap rho into n equiangular outputs. At
:math:`\beta = c\log n` their overlap has a limit that jumps at :math:`c = 1/(1-\rho)`: below it every output is the
mean of all tokens, above it every token attends to itself alone. Source: arXiv 2510.05554.
"""

from __future__ import annotations

import sympy as sp
from flint import arb

from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_overlap, check_real, positive
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_tokens
from gegenflow.theory.exact.refusals import Refused

RANGE = "the overlap of a long context must lie in (0, 1)"
SCALE = "the factor c of beta = c log(n) must be a finite real number"


def context_threshold(overlap: Real) -> Expr:
    r"""The factor c of :math:`\beta = c \log n` at which attention begins to tell tokens apart: :math:`1/(1-\rho)`.

    :param overlap: rho, 0 < rho < 1, or a symbol

    >>> context_threshold("0.6")
    5/2

    Raises ValueError for an overlap outside (0, 1). Source: arXiv 2510.05554.

    See also :func:`.context_overlap`.
    """
    return 1 / (1 - _long_overlap(overlap))


def context_overlap(overlap: Real, tokens: Whole, scale: Real, *, digits: int = 15) -> Certified:
    r"""Overlap, after one step of attention at :math:`\beta = c\log n`, of n tokens whose overlaps are all rho.

    .. math:: \rho' = 1 - \frac{(1-\rho)\,u^2}{u^2 + (2u+n)\,\sigma}, \qquad u = n^{c(1-\rho)} - 1, \quad
              \sigma = 1 + (n-1)\rho

    for every n: an output is proportional to :math:`u\,x_i + \sum_j x_j`. Any beta is :math:`c = \beta/\log n`.

    :param overlap: rho, -1/(n-1) < rho < 1
    :param tokens: their number n, >= 2
    :param scale: c, any real number
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> [float(context_overlap("0.5", 10**6, c, digits=6)) for c in (1, 2, 3)]
    [0.999999, 0.8, 0.5005]

    Raises ValueError for tokens < 2, an overlap outside (-1/(n-1), 1), a scale that is not finite, digits < 1, or
    a symbol. Source: arXiv 2510.05554 for the question; the exact formula is derived here.

    See also :func:`.context_overlap_limit`, :func:`.context_threshold`.
    """
    n = check_tokens(tokens)
    rho = check_overlap(overlap, n)
    c = check_real(scale, "scale", SCALE)

    def evaluate() -> arb:
        count, ball = enclose(n), enclose(rho)
        u = (enclose(c * (1 - rho)) * count.log()).expm1()
        return 1 - (1 - ball) * u**2 / (u**2 + (2 * u + count) * (1 + (count - 1) * ball))

    return certify_at("scale", scale, evaluate, digits)


def context_overlap_limit(overlap: Real, scale: Real) -> Expr:
    r"""Limit of :func:`context_overlap` as n grows.

    .. math:: \rho' \to 1, \quad \frac{4\rho}{1+3\rho}, \quad \rho \qquad \text{for } c <, =, > \frac{1}{1-\rho}

    with differences :math:`-\frac{1-\rho}{\rho}n^{-2a}` (c > 0), O(1/n), :math:`2\rho(1-\rho)n^{-a}` to leading order,
    :math:`a = |c(1-\rho)-1|`.

    :param overlap: rho, 0 < rho < 1
    :param scale: c, any real number

    >>> [context_overlap_limit("1/2", c) for c in (1, 2, 3)]
    [1, 4/5, 1/2]

    Raises ValueError for an overlap outside (0, 1) or a scale that is not a finite number.
    Source: arXiv 2510.05554; the corrections are derived here.

    See also :func:`.context_overlap`.
    """
    rho = _long_overlap(overlap)
    c = check_real(scale, "scale", SCALE)
    excess = sp.simplify(c * (1 - rho) - 1)
    if excess.is_zero:
        return 4 * rho / (1 + 3 * rho)
    beyond = positive(excess)
    if beyond is None:
        raise Refused("scale", scale, "numbers are needed to tell on which side of 1/(1 - overlap) it lies")
    return rho if beyond else sp.Integer(1)


def _long_overlap(overlap: Real) -> Expr:
    return check_real(overlap, "overlap", RANGE, above=0, below=1)
