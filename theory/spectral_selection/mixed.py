r"""Mixed equilibria: tokens on no common axis, certified as zeros of a square system.

All equilibria of SA and of USA with a symmetric matrix V in scores and values are the solutions of

.. math:: R X V = M X, \qquad R_{ij} = e^{\beta\langle x_i, Vx_j\rangle}, \quad |x_i| = 1 ,

X the tokens by rows and M diagonal. :math:`F(X, \mu) = (RXV - MX,\ (1 - |x_i|^2)/2)` has n (dim + 1) equations and
unknowns; it is the gradient of a Lagrangian of the energy :math:`\frac1{2\beta}\sum_{ij}R_{ij}`, so its derivative is a
symmetric matrix. A Krawczyk step from the box Z with middle z, Y about :math:`F'(z)^{-1}`,

.. math:: K = z - Y F(z) + (1 - Y F'(Z))(Z - z) ,

that lies inside Z proves that Z holds one zero and no other. The flow of SA linearised there is, in a frame of each
tangent space, :math:`L = D^{-1}H` with D the normalisers :math:`Z_i = \sum_j R_{ij}` and H the Hessian of the energy
on the spheres, similar to the symmetric :math:`D^{-1/2}HD^{-1/2}`.

Source: arXiv 2604.26085 for the equation, as reported; the proof by boxes is derived here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import flint
from flint import arb, arb_mat, fmpq_mat

from gegenflow.theory.exact.arguments import Expr, Real, check_real
from gegenflow.theory.exact.certified import Certified, certify
from gegenflow.theory.exact.eigenvalues import discs, sorted_discs, tangent_frame
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_digits, check_items
from gegenflow.theory.exact.refusals import Refused, refusal
from gegenflow.theory.exact.rounding import BITS_PER_DIGIT, supported_decimal
from gegenflow.theory.exact.values import record_html
from gegenflow.theory.spectral_selection.arguments import check_beta_of_modes, check_symmetric
from gegenflow.theory.spectral_selection.boxes import Box, dot, middle, zero_near

TOKENS = "rows of one length, that of values, are needed, shape=[n, dim], none of them zero"
LEFT = "no isolated equilibrium is found from here: give tokens closer to one, and a V without equal eigenvalues"
BITS, LAST_BITS = 64, 4096


@dataclass(frozen=True)
class Equilibrium:
    r"""Tokens at rest.

    :param tokens: certified coordinates, shape (n, dim), those that are exactly 0 up to a bound
    :param leading_eigenvalue: the largest of SA linearised, in units of 1/time
    :param unstable: how many eigenvalues are positive
    :param copies: how many equilibria are images of it under the symmetries that its finder counts (default 1)

    Source: arXiv 2604.26085.

    See also :func:`.equilibrium`, :func:`.equilibria`.
    """

    tokens: tuple[tuple[Certified, ...], ...]
    leading_eigenvalue: Certified
    unstable: int
    copies: int = 1

    _repr_html_ = record_html

    @property
    def stable(self) -> bool:
        """Whether all eigenvalues of the linearised flow are negative."""
        return self.leading_eigenvalue < 0


def equilibrium(tokens: Sequence[Sequence[Real]], values: Any, beta: Real, *, digits: int = 15) -> Equilibrium:
    r"""The equilibrium that Newton's method finds from given tokens, proved to exist and to be isolated.

    Coordinates that vanish or nearly do are certified absolutely, to as many decimals.

    :param tokens: approximate ones, shape (n, dim), rows of any length but 0
    :param values: V, symmetric, shape (dim, dim), rational numbers or texts of them
    :param beta: inverse temperature, > 0
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> triangle = equilibrium([[0, 1], [0.9, -0.5], [-0.9, -0.5]], [[-1, 0], [0, "-0.5"]], "0.2", digits=6)
    >>> triangle.tokens[1], triangle.leading_eigenvalue, triangle.stable
    (([0.921068 +/- 2.3e-7], [-0.389401 +/- 2.4e-7]), [-0.00800117 +/- 1.7e-10], True)
    >>> equilibrium([[1, 0.1], [-1, 0]], [[1, 0], [0, 1]], 1)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    gegenflow.theory.exact.refusals.Refused: tokens: no isolated equilibrium is found from here: give tokens closer ...

    Raises ValueError for tokens that are no rows of length dim or zero, a matrix that is not square, symmetric and
    rational, beta not > 0, digits < 1, and where there is no isolated equilibrium nearby. Source: derived here.

    See also :func:`.equilibria`, :func:`.pure_modes`.
    """
    matrix, inverse, digits = check_symmetric(values), check_beta_of_modes(beta), check_digits(digits)
    if inverse == 0:
        raise Refused("beta", beta, "it must be > 0: at 0 equilibria other than pure modes are not isolated")
    start = _check_tokens(tokens, matrix.nrows())
    return certified_equilibrium(System(matrix, inverse), start, digits)


def _check_tokens(tokens: Sequence[Sequence[Real]], dim: int) -> list[list[arb]]:
    """Unit rows near the tokens, or a refusal."""
    rows = [check_items(row, "tokens", TOKENS) for row in check_items(tokens, "tokens", TOKENS)]
    if not rows or any(len(row) != dim for row in rows):
        raise refusal("tokens", tokens, TOKENS)
    found = []
    for row in rows:
        exact = [check_real(x, "tokens", "finite real numbers are needed", symbols=False) for x in row]
        if all(x == 0 for x in exact):
            raise Refused("tokens", None, TOKENS)
        with flint.ctx.workprec(BITS):
            balls = [enclose(x) for x in exact]
            length = sum((x * x for x in balls), arb(0)).sqrt()
            found.append([(x / length).mid() for x in balls])
    return found


@dataclass(frozen=True)
class System:
    """The equations of equilibria for V and beta > 0; a state is the tokens by rows, then the multipliers."""

    values: fmpq_mat
    beta: Expr

    def split(self, state: Box) -> tuple[list[Box], Box]:
        """Tokens by rows, and the multipliers."""
        dim = self.values.nrows()
        count = len(state) // (dim + 1)
        return [state[i * dim : (i + 1) * dim] for i in range(count)], state[count * dim :]

    def weights(self, rows: list[Box]) -> tuple[list[Box], list[Box]]:
        """Images V x by rows and the weights R, in units of the largest that any tokens could have."""
        lines, beta = arb_mat(self.values).table(), enclose(self.beta)
        norm = max(sum((abs(x) for x in line), arb(0)).upper() for line in lines)
        images = [[dot(line, row) for line in lines] for row in rows]
        return images, [[(beta * (dot(row, image) - norm)).exp() for image in images] for row in rows]

    def residual(self, state: Box) -> Box:
        """F at a state."""
        rows, multipliers = self.split(state)
        images, weights = self.weights(rows)
        pulls = [_mix(line, images) for line in weights]
        forces = [
            f - m * x
            for row, pull, m in zip(rows, pulls, multipliers, strict=True)
            for x, f in zip(row, pull, strict=True)
        ]
        return [*forces, *((1 - dot(row, row)) / 2 for row in rows)]

    def hessian(self, rows: list[Box], multipliers: Box) -> arb_mat:
        """The derivative of the forces by the tokens at fixed multipliers, shape=[n dim, n dim]."""
        images, weights = self.weights(rows)
        lines, beta = arb_mat(self.values).table(), enclose(self.beta)
        count, dim = len(rows), len(lines)
        table = [[arb(0)] * (count * dim) for _ in range(count * dim)]
        for i in range(count):
            for j in range(count):
                for a in range(dim):
                    for b in range(dim):
                        pull = beta * weights[i][j] * images[j][a]
                        table[i * dim + a][j * dim + b] += weights[i][j] * lines[a][b] + pull * images[i][b]
                        table[i * dim + a][i * dim + b] += pull * images[j][b]
            for a in range(dim):
                table[i * dim + a][i * dim + a] -= multipliers[i]
        return arb_mat(table)

    def derivative(self, state: Box) -> arb_mat:
        """The symmetric derivative of F."""
        rows, multipliers = self.split(state)
        count, dim, table = len(rows), len(rows[0]), self.hessian(rows, multipliers).table()
        size = count * (dim + 1)
        whole = [[*line, *[arb(0)] * count] for line in table] + [[arb(0)] * size for _ in range(count)]
        for i, row in enumerate(rows):
            for a, x in enumerate(row):
                whole[i * dim + a][count * dim + i] = whole[count * dim + i][i * dim + a] = -x
        return arb_mat(whole)

    def with_multipliers(self, rows: list[Box]) -> Box:
        """The state of tokens, with the multipliers that fit them best."""
        images, weights = self.weights(rows)
        found = [dot(row, _mix(line, images)) for row, line in zip(rows, weights, strict=True)]
        return middle([*(x for row in rows for x in row), *found])

    def rates(self, state: Box) -> list[arb]:
        """Eigenvalues of SA linearised at an equilibrium, from the largest down."""
        rows, multipliers = self.split(state)
        _, weights = self.weights(rows)
        roots = [sum(line, arb(0)).sqrt() for line in weights]
        frames = [tangent_frame(arb_mat([[x] for x in row])) for row in rows]
        hessian, dim, below = self.hessian(rows, multipliers), len(rows[0]), len(rows[0]) - 1
        table = [[arb(0)] * (len(rows) * below) for _ in range(len(rows) * below)]
        for i, first in enumerate(frames):
            for j, second in enumerate(frames):
                part = arb_mat([[hessian[i * dim + a, j * dim + b] for b in range(dim)] for a in range(dim)])
                seen = first * part * second.transpose() * (1 / (roots[i] * roots[j]))
                for a in range(below):
                    for b in range(below):
                        table[i * below + a][j * below + b] = seen[a, b]
        return sorted_discs(discs(arb_mat(table)))


def _mix(weights: Box, rows: list[Box]) -> Box:
    """The sum of rows with weights."""
    return [dot(weights, column) for column in zip(*rows, strict=True)]


def certified_equilibrium(system: System, start: list[Box], digits: int, copies: int = 1) -> Equilibrium:
    """The equilibrium near ``start``, exact numbers, or a refusal."""

    @cache
    def solved(precision: int) -> tuple[Box, list[arb]]:
        with flint.ctx.workprec(2 * precision + BITS):
            first = found[-1] if found else system.with_multipliers(start)
            box = zero_near(system.residual, system.derivative, first)
            if box is None:
                raise Refused("tokens", None, LEFT)
            found.append(middle(box))
            return box, system.rates(box)

    found: list[Box] = []
    bits = int(digits * BITS_PER_DIGIT) + BITS
    rates = solved(bits)[1]
    dim = len(start[0])
    while any(rate.contains(0) for rate in rates):
        bits *= 2
        if bits > LAST_BITS:
            raise Refused("tokens", None, LEFT)
        rates = solved(bits)[1]

    def entry(index: int) -> arb:
        return solved(flint.ctx.prec)[0][index]

    rows = tuple(tuple(supported(partial(entry, i * dim + a), digits) for a in range(dim)) for i in range(len(start)))
    leading = certify(lambda: solved(flint.ctx.prec)[1][0], digits)
    return Equilibrium(rows, leading, sum(rate > 0 for rate in rates), copies)


def supported(evaluate: Callable[[], arb], digits: int) -> Certified:
    """A certified number, 0 with its bound where it is too small to tell at twice the bits of its digits.

    >>> supported(lambda: arb(0, 1e-30), 5)
    [0 +/- 1.1e-30]
    """
    with flint.ctx.workprec(int(digits * BITS_PER_DIGIT) + BITS):
        ball = evaluate()
    if ball.contains(0):
        return Certified(*supported_decimal(ball, digits), ball)
    return certify(evaluate, digits)
