r"""When a pure mode is stable: the exact criterion, the leading eigenvalue, and the beta at which the verdict changes.

With groups of :math:`n_\pm` tokens, :math:`r = n_+/n_-`, the eigenvalue :math:`\lambda_p` of the mode simple,
:math:`C = e^{2\beta|\lambda_p|}` and

.. math:: \sigma = \frac{(C - r)(Cr - 1)}{r(C^2 - 1)} = 1 - \frac{(r + 1/r)\,C - 2}{C^2 - 1}

(:math:`\tanh\beta|\lambda_p|` for equal groups), all eigenvalues of the linearised flow are negative if and only if

1. one group: :math:`\lambda_p > 0`, needed only for two tokens and more, and all :math:`\lambda_k < \lambda_p`;
2. two groups, :math:`\lambda_p > 0`: :math:`\lambda_p > |\log r|/(2\beta)`, needed only if the smaller group has two
   tokens and more, and all :math:`\lambda_k < \lambda_p\sigma`;
3. two groups, :math:`\lambda_p < 0`: :math:`|\lambda_p| > |\log r|/(2\beta)` and all
   :math:`\lambda_p < \lambda_k < |\lambda_p|\sigma`.

The determinant of the block of k on the groups as wholes, times
:math:`1/(1 - q_+ - q_-)`, is :math:`(\lambda_k - \lambda_p)(\lambda_k - \lambda_p\sigma_c)` with
:math:`\sigma_c = (c-r)(cr-1)/(r(c^2-1))` at :math:`c = e^{2\beta\lambda_p}`, odd in :math:`\log c`; since
:math:`\sigma` grows with C from :math:`-\infty` (0 for equal groups) to 1, a mode of two groups that is stable at one
beta is so at all larger ones: there is one critical beta, in closed form, or none.

Source: arXiv 2604.26085, whose criterion as reported asks for the conditions on one and on few tokens always; these
amendments, the proof and the critical beta are derived here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import sympy as sp
from flint import arb

from gegenflow.theory.exact.arguments import Expr, Real, positive
from gegenflow.theory.exact.certified import Certified, certify, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_digits
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.values import record_html
from gegenflow.theory.spectral_selection.arguments import check_beta_of_modes, check_signs, largest, own_and_others
from gegenflow.theory.spectral_selection.modes import is_flat, root_of_ball, spectrum

UNDECIDED = "the mode is too close to the edge of stability, or the numbers are known too coarsely, to tell its verdict"


@dataclass(frozen=True)
class Stability:
    r"""The verdict on a pure mode.

    :param stable: whether the leading eigenvalue is negative; where it is exactly 0 the linear flow does not decide
    :param leading_eigenvalue: the largest of the linearised flow, in units of 1/time of SA
    :param condition: the one that decides, with its numbers: of those that fail the one that misses by most, else the
        one that holds with least to spare

    Source: arXiv 2604.26085.

    See also :func:`.spectral_selection.stability`.
    """

    stable: bool
    leading_eigenvalue: Certified
    condition: str

    _repr_html_ = record_html


@dataclass(frozen=True)
class Condition:
    """One condition of stability, low < high, that holds if ``margin``, their difference, is positive."""

    text: str
    low: Expr
    high: Expr
    margin: Expr

    def __str__(self) -> str:
        return f"{self.text}: {float(self.low):.6g} < {float(self.high):.6g}"


def stability(
    signs: Sequence[int], mode: int, eigenvalues: Sequence[Real], beta: Real, *, digits: int = 15
) -> Stability:
    r"""Whether the pure mode :math:`x_i = s_i e_p` is linearly stable, by the criterion of this module.

    :param signs: sign of each token, shape (n,), each 1 or -1
    :param mode: p, index of a simple eigenvalue, >= 0
    :param eigenvalues: those of V, shape (dim,), dim >= 2, exact numbers (texts too)
    :param beta: inverse temperature, >= 0
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> stability([1, 1, -1], 0, [1, "0.5"], 1, digits=6).leading_eigenvalue
    [-0.166333 +/- 3.3e-7]
    >>> stability([1, 1, -1], 0, [1, "0.5"], 1).condition
    'lambda_k < |lambda_p| sigma: 0.5 < 0.692664'
    >>> stability([1, -1], 0, ["-1", "-0.5"], "0.3").condition, stability([1, 1], 0, ["-1", "-2"], 1).stable
    ('lambda_p < lambda_k: -1 < -0.5', False)
    >>> stability([1], 0, [-1, -2], 1).stable, stability([1, -1, -1, -1], 0, ["0.5", -9], 1).stable   # the amendments
    (True, True)

    Raises ValueError for signs other than 1 and -1, fewer than two eigenvalues, a mode that is no index of them or
    whose eigenvalue is repeated, beta < 0, numbers that are no exact numbers, a verdict that depends on more digits
    than a number given has, and digits < 1. Source: arXiv 2604.26085, with the amendments derived here.

    See also :func:`.spectral_selection.critical_beta`, :func:`.phase_diagram`, :func:`.block_eigenvalues`.
    """
    s, (own, others), inverse = check_signs(signs), own_and_others(mode, eigenvalues), check_beta_of_modes(beta)
    counts, digits = (s.count(1), s.count(-1)), check_digits(digits)
    found = list(conditions(counts, own, others, inverse))
    signs_of_margins = [_sign(condition.margin) for condition in found]
    decisive = str(min(found, key=lambda condition: float(condition.margin)) if len(found) > 1 else found[0])
    if min(signs_of_margins) == 0:
        return Stability(False, certify(lambda: arb(0), digits), decisive)

    def leading() -> arb:
        balls = [enclose(number) for number in (own, inverse)]
        blocks = (spectrum(counts, balls[0], enclose(other), balls[1], arb.exp, root_of_ball) for other in set(others))
        largest_of_all: arb = reduce(arb.max, (value for block in blocks for value in block))
        return largest_of_all

    if is_flat(counts, own, inverse):
        value = certify_at("eigenvalues", eigenvalues, lambda: reduce(arb.max, map(enclose, others)), digits)
    else:
        value = certify_at("beta", beta, leading, digits)
    return Stability(min(signs_of_margins) > 0, value, decisive)


def conditions(counts: tuple[int, int], own: Expr, others: tuple[Expr, ...], beta: Expr) -> Iterator[Condition]:
    """The conditions of stability, each decided by one number; the block of the groups as wholes by the last."""
    few, many, own_size = min(counts), max(counts), abs(own)
    upper = largest(others)
    if not few:
        if many > 1:
            yield _below("0 < lambda_p", sp.Integer(0), own)
        yield from (_below("lambda_k < lambda_p", other, own) for other in upper)
    elif is_flat(counts, own, beta) or beta == 0:
        neutral = is_flat(counts, own, beta) and all(positive(other) is False for other in upper)
        margin = sp.Integer(0) if neutral else -upper[0] if is_flat(counts, own, beta) else sp.Integer(-1)
        yield Condition("0 < beta |lambda_p|", sp.Integer(0), sp.Integer(0), margin)
    else:
        negative = positive(own) is False
        if few != many and (few > 1 or negative):
            yield _below("|log r|/(2 beta) < |lambda_p|", sp.log(sp.Rational(many, few)) / (2 * beta), own_size)
        if negative:
            lower = largest([-other for other in others])
            yield from (_below("lambda_p < lambda_k", own, -other) for other in lower)
        growth, ratio = sp.exp(2 * beta * own_size), sp.Rational(many, few) + sp.Rational(few, many)
        lack = own_size * (ratio * growth - 2) / (growth**2 - 1)
        for other in upper:
            yield _below("lambda_k < |lambda_p| sigma", other, own_size - lack, (own_size - other) - lack)


def _below(text: str, low: Expr, high: Expr, margin: Expr | None = None) -> Condition:
    return Condition(text, low, high, high - low if margin is None else margin)


def _sign(margin: Expr) -> int:
    """The sign of an exact number, 0 only if that is proved, or a refusal."""
    for number in (margin, None):
        number = sp.simplify(margin) if number is None else number
        if number == 0:
            return 0
        for sign in (1, -1):
            if positive(sign * number):
                return sign
    raise Refused("beta", None, UNDECIDED)
