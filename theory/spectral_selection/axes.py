"""The axes of the pure modes of a symmetric matrix: its eigenvalues and eigenvectors, certified."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from typing import Any

import flint
import sympy as sp
from flint import acb_mat, arb, arb_mat

from gegenflow.theory.exact.certified import Certified
from gegenflow.theory.exact.integers import check_digits
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.values import record_html
from gegenflow.theory.spectral_selection.arguments import SIMPLE, check_symmetric
from gegenflow.theory.spectral_selection.boxes import Box, zero_near
from gegenflow.theory.spectral_selection.mixed import BITS, System, supported

ONE_TOKEN = "two eigenvalues are equal, or agree to more digits than asked for: " + SIMPLE


@dataclass(frozen=True)
class PureMode:
    r"""An axis on which all tokens rest with any signs, :math:`x_i = s_i u`.

    :param eigenvalue: lambda of V, certified
    :param direction: its unit eigenvector u, shape (dim,)

    Source: arXiv 2604.26085.

    See also :func:`.pure_modes`.
    """

    eigenvalue: Certified
    direction: tuple[Certified, ...]

    _repr_html_ = record_html


def pure_modes(values: Any, *, digits: int = 15) -> tuple[PureMode, ...]:
    r"""The pure modes of a symmetric V, from the largest eigenvalue down, each proved to be simple.

    Their eigenvalues go where :func:`~gegenflow.theory.spectral_selection.criterion.stability` takes them. The sign of
    a direction is that of its largest coordinate.

    :param values: V, symmetric, shape (dim, dim), dim >= 2, rational numbers or texts of them
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> for mode in pure_modes([[2, 1], [1, 1]], digits=6):
    ...     print(mode.eigenvalue, *mode.direction)
    [2.61803 +/- 4.0e-6] [0.850651 +/- 2.0e-7] [0.525731 +/- 1.2e-7]
    [0.381966 +/- 1.2e-8] [-0.525731 +/- 1.2e-7] [0.850651 +/- 2.0e-7]

    Raises ValueError for a matrix that is not square, symmetric and rational, for equal eigenvalues, digits < 1.
    Source: its definition; a single token at rest, in the boxes of this room.

    See also :func:`.spectral_selection.stability`, :func:`.equilibrium`.
    """
    matrix, digits = check_symmetric(values), check_digits(digits)
    system = System(matrix, sp.Integer(0))
    with flint.ctx.workprec(2 * BITS):
        numbers, vectors = acb_mat(arb_mat(matrix)).eig(right=True, algorithm="approx")
        order = sorted(range(len(numbers)), key=lambda i: float(numbers[i].real.mid()), reverse=True)
        starts = [_start(vectors, i, numbers[i].real.mid()) for i in order]
    found = [_mode(system, start, digits) for start in starts]
    if any(first.eigenvalue.ball.overlaps(second.eigenvalue.ball) for first, second in pairwise(found)):
        raise Refused("values", None, ONE_TOKEN)
    return tuple(found)


def _start(vectors: acb_mat, index: int, number: arb) -> Box:
    column = [vectors[i, index].real.mid() for i in range(vectors.nrows())]
    top = max(column, key=abs)
    length = sum((x * x for x in column), arb(0)).sqrt() * (1 if top > 0 else -1)
    return [*((x / length).mid() for x in column), number]


def _mode(system: System, start: Box, digits: int) -> PureMode:
    @cache
    def solved(precision: int) -> Box:
        with flint.ctx.workprec(2 * precision + BITS):
            box = zero_near(system.residual, system.derivative, start)
        if box is None:
            raise Refused("values", None, ONE_TOKEN)
        return box

    def entry(index: int) -> arb:
        return solved(flint.ctx.prec)[index]

    numbers = [supported(partial(entry, i), digits) for i in range(len(start))]
    return PureMode(numbers[-1], tuple(numbers[:-1]))
