r"""ReLU attention on equiangular tokens, :math:`\dot x_i = P_{x_i}\frac1n\sum_j \max(\langle x_i,x_j\rangle, 0)\,x_j`.

.. math:: \dot g = \tfrac2n\, g(1-g)\big(1+(n-1)g\big) \qquad (0 < g < 1)

Source: arXiv 2605.04279 compares it with softmax attention by its linear time; the full time is derived here.
"""

from __future__ import annotations

import sympy as sp

from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_real
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_tokens
from gegenflow.theory.exact.refusals import Refused

BETWEEN = "ReLU moves equiangular tokens of an overlap between 0 and 1"


def relu_time(
    overlap: Real, tokens: Whole, start: Real, *, linear: bool = False, digits: int | None = None
) -> Expr | Certified:
    r"""Time in which n equiangular tokens under ReLU attention go from one overlap to another.

    .. math:: t = \frac n2 \log\frac g{g_0} - \frac12\log\frac{1-g}{1-g_0}
                  - \frac{n-1}2\log\frac{1+(n-1)g}{1+(n-1)g_0}

    :param overlap: the overlap g that is reached, g_0 <= g < 1, or a symbol
    :param tokens: their number n, >= 2, or a symbol
    :param start: the overlap g_0 at time 0, 0 < g_0 < 1, or a symbol
    :param linear: whether to take the first term alone (default False)
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    Its first term alone, the time of the equation linearised at g = 0, is far too long as soon as (n - 1) g is not
    small:

    >>> [relu_time("0.5", 32, "1/8", linear=linear, digits=4).value for linear in (True, False)]
    ['22.18', '3.562']

    Raises ValueError for others. Source: derived here, in partial fractions.

    See also :func:`.multihead.hitting_time`.
    """
    n = check_tokens(tokens)
    g, g0 = (check_real(x, name, BETWEEN, above=0, below=1) for name, x in (("overlap", overlap), ("start", start)))
    if (g - g0).is_negative:
        raise Refused("overlap", overlap, f"it must not lie below the start {start}, since overlaps only grow")
    time = n * sp.log(g / g0) / 2
    if not linear:
        time -= (sp.log((1 - g) / (1 - g0)) + (n - 1) * sp.log((1 + (n - 1) * g) / (1 + (n - 1) * g0))) / 2
    if digits is None:
        return time
    if g == g0:
        time = sp.Integer(0)
    return certify_at("overlap", overlap, lambda: enclose(time), digits)
