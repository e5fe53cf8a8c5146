r"""The phase diagram of pure modes over beta, the spectrum and the sizes of the two groups.

With :math:`\lambda_p` the simple eigenvalue of the mode, :math:`\mu` the largest of the others and
:math:`q = n_+/n_- + n_-/n_+`, a mode of two groups is stable at all :math:`\beta > \beta_c` and at no other,

.. math:: \beta_c = \frac{1}{2|\lambda_p|}\log\max\Big\{C_A,\;
          \frac{q|\lambda_p| + \sqrt{q^2\lambda_p^2 - 4(\lambda_p^2 - \mu^2)}}{2(|\lambda_p| - \mu)}\Big\}, \qquad
          C_A = \max\Big(\frac{n_+}{n_-}, \frac{n_-}{n_+}\Big)

(without :math:`C_A`, which is then 1, where one token faces others and :math:`\lambda_p > 0`), provided that
:math:`\mu < |\lambda_p|` and :math:`\lambda_p` is positive or the smallest of all; otherwise it never is. A mode of one
group is stable at every beta or at none. Source: derived here, from the criterion of arXiv 2604.26085.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp
from flint import arb

from gegenflow.theory.exact.arguments import Expr, Real, positive
from gegenflow.theory.exact.certified import Certified, certify, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_count, check_digits
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.tables import Table
from gegenflow.theory.spectral_selection.arguments import check_eigenvalues, check_signs, largest, own_and_others
from gegenflow.theory.spectral_selection.criterion import UNDECIDED


def critical_beta(
    signs: Sequence[int], mode: int, eigenvalues: Sequence[Real], *, digits: int = 15
) -> Certified | None:
    r"""The beta above which the pure mode is stable, :math:`\beta_c` at the head of this module; None if at no beta.

    It is 0 where every beta > 0 will do; :func:`~gegenflow.theory.spectral_selection.criterion.stability` has the
    opposite verdicts on its two sides.

    :param signs: sign of each token, shape (n,), each 1 or -1
    :param mode: p, index of a simple eigenvalue, >= 0
    :param eigenvalues: those of V, shape (dim,), dim >= 2, exact numbers (texts too)
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> critical_beta([1, -1], 0, [1, "0.6"], digits=8), critical_beta([1, -1, -1], 0, [-1, "-0.5"], digits=8)
    ([0.69314718 +/- 5.6e-10], [0.34657359 +/- 2.8e-10])
    >>> critical_beta([1, 1], 0, [1, "0.6"]), critical_beta([1, -1], 0, [1, 2])           # at beta = 0 too, or never
    ([0 +/- 0], None)

    Raises ValueError for signs other than 1 and -1, fewer than two eigenvalues, a mode that is no index of them or
    whose eigenvalue is repeated, eigenvalues known too coarsely, digits < 1. Source: derived here.

    See also :func:`.spectral_selection.stability`, :func:`.phase_diagram`.
    """
    s, (own, others), digits = check_signs(signs), own_and_others(mode, eigenvalues), check_digits(digits)
    return _critical((s.count(1), s.count(-1)), own, others, digits)


def phase_diagram(tokens: int, eigenvalues: Sequence[Real], *, digits: int = 15) -> Table:
    r"""Every pure mode of n tokens that some beta makes stable: its index, the smaller group, :math:`\beta_c`.

    A row stands for all signs with as many tokens in the smaller group, ``patterns`` of them. The row is stable at all
    beta above ``beta``, from 0 on where it has one group.

    :param tokens: their number n, >= 1
    :param eigenvalues: those of V, all different, shape (dim,), dim >= 2, exact numbers (texts too)
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> print(phase_diagram(4, ["1", "0.5", "-1.5"], digits=6))
    mode  smaller  patterns  beta      error
    0     0        2         0         0
    0     1        8         0.910767  1.00e-7
    0     2        6         0.549306  1.5e-7
    2     1        8         0.749451  4.8e-7
    2     2        6         0.536479  3.1e-7

    Raises ValueError for tokens < 1, fewer than two eigenvalues, a repeated one, digits < 1. Source: derived here.

    See also :func:`.spectral_selection.critical_beta`, :func:`.equilibria`.
    """
    n = check_count(tokens, "tokens", "the number of tokens must be an integer >= 1", least=1)
    exact, rows = check_eigenvalues(eigenvalues), []
    for mode in range(len(exact)):
        own, others = own_and_others(mode, exact)
        for smaller in range(n // 2 + 1):
            found = _critical((n - smaller, smaller), own, others, check_digits(digits))
            if found is not None:
                patterns = int(sp.binomial(n, smaller)) * (1 if 2 * smaller == n else 2)
                row = {"mode": mode, "smaller": smaller, "patterns": patterns}
                rows.append({**row, "beta": found.value, "error": found.error})
    return Table(tuple(rows), {"tokens": n, "eigenvalues": " ".join(map(str, exact)), "digits": digits})


def _critical(counts: tuple[int, int], own: Expr, others: tuple[Expr, ...], digits: int) -> Certified | None:
    few, many = min(counts), max(counts)
    ascending = _known(own)
    if not few:
        ever = (many == 1 or ascending) and all(_known(own - other) for other in others)
        return certify(arb, digits) if ever else None
    lowest = ascending or all(_known(other - own) for other in others)
    upper, size = largest(others), abs(own)
    if own == 0 or not lowest or not all(_known(size - other) for other in upper):
        return None
    first = sp.Rational(many, few) if few > 1 or not ascending else sp.Integer(1)
    if few == many and not any(_known(other) for other in upper):
        return certify(arb, digits)
    ratio = sp.Rational(many, few) + sp.Rational(few, many)

    def beta() -> arb:
        growth = enclose(first)
        for other in upper:
            p, k, q = enclose(size), enclose(other), enclose(ratio)
            root = (q * q * p * p - 4 * (p - k) * (p + k)).sqrt()
            growth = growth.max((q * p + root) / (2 * (p - k)))
        found: arb = growth.log() / (2 * enclose(size))
        return found

    return certify_at("eigenvalues", None, beta, digits)


def _known(number: Expr) -> bool:
    """Whether a number is > 0, or a refusal if its ball does not tell."""
    sign = positive(number)
    if sign is None:
        raise Refused("eigenvalues", None, UNDECIDED)
    return sign
