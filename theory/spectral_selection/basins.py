r"""Basins: tokens in a cone about the dominant eigenvector meet there, at every beta.

Let :math:`m = \min_i \langle x_i, e_p\rangle > 0` and :math:`g = \lambda_p - \max_{k\ne p}|\lambda_k| > 0`. At the
token of the smallest overlap, SA with the matrix V in scores and values gives

.. math:: \dot m = \sum_j A_{ij}\big(\lambda_p\langle x_j, e_p\rangle - \langle x_i, Vx_j\rangle\, m\big)
          \ge g\,m(1 - m^2) ,

since :math:`\langle x_j, e_p\rangle \ge m` and
:math:`\langle x_i, Vx_j\rangle \le \lambda_p m\langle x_j, e_p\rangle
+ \max_{k\ne p}|\lambda_k|\sqrt{1-m^2}\sqrt{1-\langle x_j, e_p\rangle^2}`. So the largest angle :math:`\alpha` to
:math:`e_p` obeys :math:`\tan\alpha(t) \le e^{-gt}\tan\alpha(0)`, for any number of tokens and any
:math:`\beta \ge 0`, with equality for one token in the plane of :math:`e_p` and the next eigenvector if its eigenvalue
is positive. The cone must be dominant in size: with eigenvalues 1 and -3, two tokens at :math:`\pm\alpha` on either
side of :math:`e_1` leave each other for :math:`\pm e_2` where :math:`3\tanh(3\beta\sin^2\alpha) > 1`.

At beta = 0 all tokens attend to their mean, :math:`\dot x_i = P_{x_i}V\bar x`. They rest in one-signed and unbalanced
pure modes, and wherever :math:`V\bar x = 0`, in continua; about these
:math:`\dot{\bar x} = (1 - \frac1n\sum_i x_ix_i^T)V\bar x`, so that they attract for V < 0 and repel for V > 0.

Source: arXiv 2604.26085 for consensus from a cone; the rate, its proof and the example are derived here.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp
from flint import arb

from gegenflow.theory.exact.arguments import Expr, Real, check_real, passes
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.spectral_selection.arguments import largest, own_and_others

ALLOWED = "the overlap with the eigenvector must lie in 0 < overlap < 1"


def consensus_rate(mode: int, eigenvalues: Sequence[Real]) -> Expr:
    r"""The rate :math:`g = \lambda_p - \max_{k \ne p}|\lambda_k|` at which tokens in a cone about :math:`e_p` meet.

    :param mode: p, index of a simple eigenvalue, positive and the largest in size, >= 0
    :param eigenvalues: those of V, shape (dim,), dim >= 2, exact numbers (texts too)

    >>> consensus_rate(0, [2, "0.5", -1]), consensus_rate(1, [sp.Rational(1, 3), 1])
    (1, 2/3)

    Raises ValueError for fewer than two eigenvalues, a mode that is no index of them or whose eigenvalue is repeated,
    or is not larger than the others in size. Source: derived here.

    See also :func:`.spectral_selection.consensus_time`.
    """
    own, others = own_and_others(mode, eigenvalues)
    rivals = largest([abs(other) for other in others])
    if not all(passes(own - rival) for rival in rivals):
        raise Refused("mode", mode, "its eigenvalue must be positive and larger in size than all others")
    if len(rivals) > 1:
        raise Refused("eigenvalues", eigenvalues, "known too coarsely to tell which of them is the largest")
    return own - rivals[0]


def consensus_time(
    overlap: Real, mode: int, eigenvalues: Sequence[Real], *, start: Real, digits: int | None = None
) -> Expr | Certified:
    r"""A time after which all overlaps with :math:`e_p` have risen from one bound to another.

    .. math:: t = \frac1g\log\frac{\tan\alpha_0}{\tan\alpha_1}, \qquad \cos\alpha_0 = \text{start},\quad
              \cos\alpha_1 = \text{overlap}

    at every number of tokens and every beta >= 0. In units of the time of SA.

    :param overlap: what all overlaps reach, start <= overlap < 1
    :param mode: p, index of a simple eigenvalue, positive and the largest in size, >= 0
    :param eigenvalues: those of V, shape (dim,), dim >= 2, exact numbers (texts too)
    :param start: what all overlaps have at time 0, 0 < start < 1
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    >>> consensus_time("0.999", 0, [2, 1], start="0.1", digits=10)
    [5.404113536 +/- 4.7e-10]
    >>> consensus_time("0.8", 0, [2, 1], start="0.6").simplify()                        # log(tan / tan) = log(16/9)
    log(16/9)

    Raises ValueError for overlaps outside (0, 1), an overlap below the start, a mode that :func:`consensus_rate`
    refuses, digits < 1. Source: derived here.

    See also :func:`.consensus_rate`.
    """
    last, first = (
        check_real(value, name, ALLOWED, above=0, below=1, symbols=False)
        for name, value in (("overlap", overlap), ("start", start))
    )
    if not passes(last - first, zero=True):
        raise Refused("overlap", overlap, f"it must not lie below the start {start}")
    rate = consensus_rate(mode, eigenvalues)
    time = sp.log((1 - first**2) * last**2 / ((1 - last**2) * first**2)) / (2 * rate)
    if digits is None:
        return time
    return certify_at("overlap", overlap, lambda: arb(0) if last == first else enclose(time), digits)
