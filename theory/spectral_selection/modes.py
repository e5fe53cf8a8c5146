r"""Pure modes: all tokens on one axis, :math:`x_i = s_i e_p` with signs s, and the flow linearised about them.

Tokens follow SA with scores and values of one symmetric matrix V, of eigenvalues :math:`\lambda_k`:

.. math:: \dot x_i = P_{x_i} \sum_j A_{ij} V x_j, \qquad
          A_{ij} = \frac{e^{\beta\langle x_i, Vx_j\rangle}}{\sum_l e^{\beta\langle x_i, Vx_l\rangle}} .

Every pure mode is an equilibrium, and A does not change to first order about it, so that displacements along each other
eigenvector k move by themselves, :math:`\dot\epsilon = L_k\epsilon` with

.. math:: L_k = \lambda_k K - \operatorname{diag}(\phi), \qquad
          K_{ij} = \frac{e^{as_is_j}}{\sum_l e^{as_is_l}}, \quad \phi_i = \lambda_p\sum_j K_{ij}s_is_j, \quad
          a = \beta\lambda_p .

Let q be the share of attention that a token gives to the other group (:math:`q_+ = n_-/(n_- + n_+e^{2a})`). Then
:math:`\phi_\pm = \lambda_p(1 - 2q_\pm)`; displacements within a group that sum to 0 have the eigenvalue
:math:`-\phi_\pm`, and the two groups as wholes those of

.. math:: \begin{pmatrix} \lambda_k(1-q_+) - \phi_+ & \lambda_k q_+ \\ \lambda_k q_- & \lambda_k(1-q_-) - \phi_-
          \end{pmatrix} .

USA has the same signs, as :math:`L_k` is then multiplied by the normalisers. Source: arXiv 2604.26085 for the
equilibria and the blocks; the eigenvalues are derived here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import sympy as sp
from flint import arb

from gegenflow.theory.exact.arguments import Expr, Real, check_beta
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.eigenvalues import sorted_discs
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.spectral_selection.arguments import check_eigenvalues, check_mode, check_signs
from gegenflow.theory.symbols import beta


def block(
    signs: Sequence[int], mode: int, eigenvalues: Sequence[Real], beta: Real = beta, *, direction: int
) -> sp.ImmutableMatrix:
    r"""The block :math:`L_k` of the flow linearised about a pure mode, shape (n, n), exact.

    :param signs: sign of each token, shape (n,), each 1 or -1
    :param mode: p, index of the eigenvalue of the mode, >= 0
    :param eigenvalues: those of V, shape (dim,), dim >= 2, numbers or symbols
    :param beta: inverse temperature, any real number or a symbol (default beta)
    :param direction: k, index of the eigenvalue along which tokens move, >= 0, not that of the mode

    >>> low, high = sp.symbols("low high")
    >>> block([1, 1], 0, [high, low], direction=1)                       # consensus: all attend to all alike
    Matrix([
    [-high + low/2,         low/2],
    [        low/2, -high + low/2]])
    >>> turned = block([1, -1, -1], 0, [high, high], direction=1)       # a rotation moves no equilibrium
    >>> (turned * sp.Matrix([1, -1, -1])).applyfunc(sp.simplify).T
    Matrix([[0, 0, 0]])

    Raises ValueError for signs other than 1 and -1, fewer than two eigenvalues, an index out of range, a direction
    equal to the mode, beta not finite. Source: arXiv 2604.26085.

    See also :func:`.block_eigenvalues`.
    """
    s, own, other = _pair(signs, mode, eigenvalues, direction)
    inverse = check_beta(beta)
    rows = []
    for i, sign in enumerate(s):
        weights = [sp.exp(inverse * own * sign * to) for to in s]
        shares = [weight / sum(weights) for weight in weights]
        pull = own * sum(share * sign * to for share, to in zip(shares, s, strict=True))
        rows.append([other * share - (pull if i == j else 0) for j, share in enumerate(shares)])
    return sp.ImmutableMatrix(rows)


def block_eigenvalues(
    signs: Sequence[int],
    mode: int,
    eigenvalues: Sequence[Real],
    beta: Real = beta,
    *,
    direction: int,
    digits: int | None = None,
) -> tuple[Expr, ...] | tuple[Certified, ...]:
    r"""The n eigenvalues of :func:`block`: within the two groups, then the two of the groups as wholes; all are real.

    With ``digits`` they come from the largest down.

    :param signs: sign of each token, shape (n,), each 1 or -1
    :param mode: p, index of the eigenvalue of the mode, >= 0
    :param eigenvalues: those of V, shape (dim,), dim >= 2, numbers or symbols
    :param beta: inverse temperature, any real number or a symbol (default beta)
    :param direction: k, index of the eigenvalue along which tokens move, >= 0, not that of the mode
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    >>> low, high = sp.symbols("low high", positive=True)
    >>> [sp.simplify(x) for x in block_eigenvalues([1, 1, 1], 0, [high, low], direction=1)]
    [-high, -high, -high + low]
    >>> block_eigenvalues([1, 1, -1], 0, [1, "0.5"], 1, direction=1, digits=6)
    ([-0.166333 +/- 3.3e-7], [-0.419077 +/- 3.4e-7], [-0.873242 +/- 1.3e-7])

    Raises ValueError as :func:`block` does, for digits < 1, or digits with a symbol. Source: derived here.

    See also :func:`.block`, :func:`.spectral_selection.stability`.
    """
    s, own, other = _pair(signs, mode, eigenvalues, direction)
    inverse, counts = check_beta(beta), (s.count(1), s.count(-1))
    if digits is None:
        return tuple(spectrum(counts, own, other, inverse, sp.exp, sp.sqrt))
    for name, value in (("beta", inverse), ("eigenvalues", own), ("eigenvalues", other)):
        if value.free_symbols:
            raise Refused(name, value, "numbers are needed for certified digits")

    def balls() -> list[arb]:
        if is_flat(counts, own, inverse):
            return sorted_discs([enclose(other)] + [arb(0)] * (len(s) - 1))
        found = spectrum(counts, enclose(own), enclose(other), enclose(inverse), arb.exp, root_of_ball)
        if own == other:  # one of the last two moves all tokens as a rotation does
            found = [*found[:-2], arb(0), found[-1] + found[-2]] if all(counts) else [*found[:-1], arb(0)]
        return sorted_discs(found)

    return tuple(certify_at("beta", beta, partial(_entry, balls, i), digits) for i in range(len(s)))


def is_flat(counts: tuple[int, int], own: Expr, beta: Expr) -> bool:
    r"""Whether all :math:`\phi_i = 0`, where a block is :math:`\lambda_k/n` in every entry.

    >>> is_flat((2, 2), sp.Integer(1), sp.Integer(0)), is_flat((3, 1), sp.Integer(1), sp.Integer(0))
    (True, False)
    """
    return own == 0 or (beta == 0 and counts[0] == counts[1])


def spectrum(counts: tuple[int, int], own: Any, other: Any, beta: Any, exp: Any, root: Any) -> list[Any]:
    """Eigenvalues of a block from group sizes, in expressions or in balls, those of the groups as wholes last.

    >>> spectrum((2, 0), 3, 1, 5, sp.exp, sp.sqrt)
    [-3, -2]
    """
    plus, minus = counts
    if not plus or not minus:
        return [-own] * (plus + minus - 1) + [other - own]
    crossed = exp(-2 * beta * own)
    shares = minus * crossed / (plus + minus * crossed), plus * crossed / (minus + plus * crossed)
    pulls = [own * (1 - 2 * share) for share in shares]
    first, second = (other * (1 - share) - pull for share, pull in zip(shares, pulls, strict=True))
    spread = root((first - second) * (first - second) / 4 + other * other * shares[0] * shares[1])
    within = [-pulls[0]] * (plus - 1) + [-pulls[1]] * (minus - 1)
    return [*within, (first + second) / 2 + spread, (first + second) / 2 - spread]


def root_of_ball(square: arb) -> arb:
    """The root of a number >= 0 of which a ball is known.

    >>> root_of_ball(arb(0, 1)).contains(arb(1))
    True
    """
    root: arb = square.nonnegative_part().sqrt()
    return root


def _entry(balls: Callable[[], list[arb]], index: int) -> arb:
    return balls()[index]


def _pair(signs: Sequence[int], mode: int, eigenvalues: Sequence[Real], direction: int) -> tuple[Any, Expr, Expr]:
    s, exact = check_signs(signs), check_eigenvalues(eigenvalues, symbols=True)
    own, other = check_mode(mode, exact), check_mode(direction, exact, "direction")
    if own == other:
        raise Refused("direction", direction, "it must differ from the mode, along which tokens cannot move")
    return s, exact[own], exact[other]
