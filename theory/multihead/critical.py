r"""Critical inverse temperatures of equiangular softmax attention; they answer different questions, and differ.

With scale m (query-key matrix m I) and n tokens of overlap g a token sees itself with weight :math:`e^{\beta m}` and
each other with :math:`e^{\beta m g}`. Source: arXiv 2605.04279 for the questions; each formula is derived here.
"""

from __future__ import annotations

import sympy as sp
from flint import arb

from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_overlap, check_real, positive
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_tokens
from gegenflow.theory.exact.refusals import Refused


def balance_beta(tokens: Whole, scale: Real = 1, overlap: Real = 0, *, digits: int | None = None) -> Expr | Certified:
    r"""The beta at which the output of attention is as long across a token as along it.

    .. math:: \beta = \frac{1}{m(1-g)} \log\Big(\sqrt{(n-1)(1-g)(1+(n-1)g)} - (n-1)g\Big), \qquad
              \frac{\log(n-1)}{2m} \text{ at } g = 0

    Below it attention turns a token more than it lengthens it.

    :param tokens: their number n, >= 2, or a symbol
    :param scale: m, > 0, or a symbol (default 1)
    :param overlap: g, -1/(n-1) < g < 1, or a symbol (default 0)
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    >>> balance_beta(10), balance_beta(10, 2, digits=6)
    (log(3), [0.549306 +/- 1.5e-7])

    Raises ValueError for others and where even beta = 0 is above it, as for many tokens of a large overlap. Source:
    derived here.

    See also :func:`.critical_beta_softmax`, :func:`.opposing_beta`.
    """
    n, m = check_tokens(tokens), _scale(scale)
    g = check_overlap(overlap, n)
    ratio = sp.sqrt((n - 1) * (1 - g) * (1 + (n - 1) * g)) - (n - 1) * g
    if positive(ratio - 1) is False and ratio != 1:
        raise Refused("overlap", overlap, "at beta = 0 already the output is longer along a token than across it")
    return _told("overlap", overlap, sp.log(ratio) / (m * (1 - g)), digits)


def opposing_beta(scale: Real, other: Real, overlap: Real, *, digits: int | None = None) -> Expr | Certified:
    r"""The beta at which two heads of opposite sign, m and :math:`-\mu`, hold overlaps where they are (USA).

    .. math:: m e^{\beta m g} = \mu e^{-\beta\mu g} \iff \beta = \frac{\log(\mu/m)}{(m+\mu)\,g}

    :param scale: m, > 0, or a symbol
    :param other: -mu, < 0, or a symbol, with mu >= m
    :param overlap: g, 0 < g < 1, or a symbol
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    >>> opposing_beta(1, -3, "0.5"), opposing_beta(1, -3, "0.5", digits=6)
    (log(3)/2, [0.549306 +/- 1.5e-7])

    Raises ValueError for others, and for :math:`\mu < m`, where the first head is stronger at every beta. Source:
    derived here.

    See also :func:`.balance_beta`.
    """
    m, against = _scale(scale), check_real(other, "other", "it must be the scale of a head below 0", below=0)
    g = check_real(overlap, "overlap", "a number between 0 and 1 is needed", above=0, below=1)
    if positive(m + against) is True:
        raise Refused("other", other, "the first head is stronger at every beta: its size must be at least the scale")
    return _told("overlap", overlap, sp.log(-against / m) / ((m - against) * g), digits)


def critical_beta_softmax(tokens: Whole, scale: Real, overlap: Real, digits: int = 15) -> Certified:
    r"""The beta at which a softmax head moves overlaps fastest in the time of the drive :math:`\beta\, dt`.

    .. math:: \beta = \frac{1 + W\big((n-1)/e\big)}{m(1-g)} \quad\text{maximises}\quad
              \frac{\beta m}{e^{\beta m(1-g)} + n - 1},

    W Lambert's function: with x = beta m (1 - g) the maximum of x/(e^x + n - 1) has :math:`(x-1)e^{x-1} = (n-1)/e`.

    :param tokens: their number n, >= 2
    :param scale: m, > 0
    :param overlap: g, -1/(n-1) < g < 1
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> critical_beta_softmax(2, 1, 0, digits=12)                          # 1 + W(1/e)
    [1.27846454276 +/- 1.1e-12]

    Raises ValueError for others. Source: derived here (ours; not known to be the threshold of arXiv 2605.04279, which
    belongs to its sufficient condition per head).

    See also :func:`.balance_beta`.
    """
    n, m = check_tokens(tokens), _scale(scale)
    g = check_overlap(overlap, n)

    def evaluate() -> arb:
        return (1 + ((enclose(n) - 1) / arb(1).exp()).lambertw()) / (enclose(m) * (1 - enclose(g)))

    return certify_at("scale", scale, evaluate, digits)


def _scale(scale: Real) -> Expr:
    return check_real(scale, "scale", "the scale of the head must be a number > 0", above=0)


def _told(name: str, value: object, expression: Expr, digits: int | None) -> Expr | Certified:
    return expression if digits is None else certify_at(name, value, lambda: enclose(expression), digits)
