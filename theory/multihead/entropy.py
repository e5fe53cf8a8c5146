r"""The entropy of attention, :math:`H_i = -\sum_j p_{ij}\log p_{ij}`, :math:`p_i = \mathrm{softmax}(\beta s_i)`.

Whatever moves the scores :math:`s_{ij}`, :math:`\dot H_i = -\beta^2 \,\mathrm{Cov}_{p_i}(s_i, \dot s_i)`: log Z and the
mean score give :math:`\beta\langle\dot s\rangle` each, and what is left is the change of p. Equiangular tokens gain
entropy as they gather; in general it is not monotone. Source: derived here; arXiv 2605.04279 for the question.
"""

from __future__ import annotations

import sympy as sp

from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_beta, check_overlap
from gegenflow.theory.exact.integers import check_tokens
from gegenflow.theory.symbols import beta


def own_share(overlap: Real, tokens: Whole, beta: Real = beta) -> Expr:
    r"""The share :math:`p = e^\beta/(e^\beta + (n-1)e^{\beta g})` that an equiangular token pays to itself.

    :param overlap: g, -1/(n-1) < g < 1, or a symbol
    :param tokens: their number n, >= 2, or a symbol
    :param beta: inverse temperature, any real number or a symbol (default beta)

    >>> own_share(0, 2, 0)
    1/2

    Raises ValueError for tokens < 2, an overlap outside (-1/(n-1), 1), beta not finite. Source: derived here.

    See also :func:`.attention_entropy`.
    """
    n, b = check_tokens(tokens), check_beta(beta)
    return sp.exp(b) / (sp.exp(b) + (n - 1) * sp.exp(b * check_overlap(overlap, n)))


def attention_entropy(overlap: Real, tokens: Whole, beta: Real = beta) -> Expr:
    r"""The entropy of the attention of an equiangular token, :math:`-p\log p - (1-p)\log\frac{1-p}{n-1}`.

    :param overlap: g, -1/(n-1) < g < 1, or a symbol
    :param tokens: their number n, >= 2, or a symbol
    :param beta: inverse temperature, any real number or a symbol (default beta)

    >>> attention_entropy("0.3", 8, 0).simplify()
    log(8)

    Raises ValueError as :func:`own_share`. Source: derived here.

    See also :func:`.entropy_slope`.
    """
    p, n = own_share(overlap, tokens, beta), check_tokens(tokens)
    return -p * sp.log(p) - (1 - p) * sp.log((1 - p) / (n - 1))


def entropy_slope(overlap: Real, tokens: Whole, beta: Real = beta) -> Expr:
    r"""Its derivative in the overlap, :math:`\frac{dH}{dg} = \beta^2(1-g)\,p\,(1-p) \ge 0`.

    :param overlap: g, -1/(n-1) < g < 1, or a symbol
    :param tokens: their number n, >= 2, or a symbol
    :param beta: inverse temperature, any real number or a symbol (default beta)

    >>> g = sp.Symbol("g", real=True)
    >>> sp.simplify(sp.diff(attention_entropy(g, 5), g) - entropy_slope(g, 5))
    0

    Raises ValueError as :func:`own_share`. Source: derived here, by the covariance of two scores, 1 and g, of which
    only the second moves.

    See also :func:`.attention_entropy`.
    """
    p, b, g = own_share(overlap, tokens, beta), check_beta(beta), check_overlap(overlap, check_tokens(tokens))
    return b**2 * (1 - g) * p * (1 - p)
