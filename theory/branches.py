r"""Branches of stationary states of noisy tokens on the circle, with their free energy and their stability.

Along a branch of period :math:`2\pi/k` the amplitude :math:`a_1` grows from 0, at kappa_k, towards 1; the equations and
the proof of each state are those of :mod:`gegenflow.theory.stationary`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import flint
from flint import arb, fmpq

from gegenflow.theory.certified import exact_number
from gegenflow.theory.sphere import check_degree, check_number
from gegenflow.theory.stationary import (
    StationaryEquations,
    circle_multiplier,
    continuation,
    enclose_state,
    linear_state,
    stationary_state,
)

AMPLITUDES = tuple(n / 50 for n in range(1, 49))


@dataclass(frozen=True)
class Branch:
    """Stationary states along a branch, as columns: floats of proved balls, by increasing amplitude a_1.

    ``noise`` is kappa and ``coupling`` K = kappa/2; ``free_energy`` is F - F(uniform) at that K; ``unstable`` counts
    the negative eigenvalues of the second variation of F over all perturbations, the rotation not counted.
    Source: derived in :func:`branch`.
    """

    beta: fmpq
    degree: int
    amplitude: tuple[float, ...]
    noise: tuple[float, ...]
    coupling: tuple[float, ...]
    free_energy: tuple[float, ...]
    unstable: tuple[int, ...]


def branch(beta: Any, degree: int = 1, amplitudes: Iterable[float] = AMPLITUDES) -> Branch:
    r"""The branch of even stationary densities of period :math:`2\pi/k` that leaves the uniform one at kappa_k.

    ``amplitudes`` are increasing, between 0 and 1. ``beta`` = 0 is the noisy Kuramoto model, with a closed solution:
    a = I_1(kappa a)/I_0(kappa a), here at kappa a = 2.

    >>> kuramoto = branch(0, amplitudes=[0.69777465796400798])
    >>> round(kuramoto.noise[0] * kuramoto.amplitude[0], 14), kuramoto.unstable
    (2.0, (0,))
    >>> bent = branch(4, amplitudes=[0.1, 0.5, 0.6, 0.8])          # discontinuous: unstable until the fold
    >>> bent.coupling[1] < bent.coupling[0], bent.coupling[2] < bent.coupling[3], bent.unstable
    (True, True, (1, 1, 0, 0))

    Raises ValueError for degree < 1, a bad beta, degree > 1 at beta = 0, or amplitudes that do not increase strictly
    between 0 and 1. Source: arXiv 2604.16288 for the model; equations and proof derived here.
    """
    exact, degree = exact_number(beta), check_branch(beta, degree)
    amplitudes = tuple(float(amplitude) for amplitude in amplitudes)
    for before, after in pairwise((0.0, *amplitudes, 1.0)):
        if not (before < after and amplitudes):
            raise ValueError(f"amplitudes {amplitudes}: the amplitudes must increase strictly between 0 and 1")
    rows = []
    with flint.ctx.workprec(80):
        x = linear_state(exact, degree, min(0.05, *amplitudes))
        for amplitude in amplitudes:
            for here in continuation(x[0], amplitude):
                equations, x = stationary_state(exact, degree, x, here)
            proved = enclose_state(equations, x)
            if proved is None:
                raise ArithmeticError(f"amplitude {amplitude}: the stationary state could not be enclosed")
            kappa, energy = proved[-1], equations.free_energy(proved)
            unstable = _unstable(exact, degree, equations, proved)
            rows.append((amplitude, float(kappa), float(kappa / 2), float(energy), unstable))
    return Branch(exact, degree, *zip(*rows, strict=True))


def check_branch(beta: Any, degree: int) -> int:
    """The degree as an int, or a ValueError if there is no branch of that degree at this beta."""
    degree = check_number("degree", check_degree(degree))
    if exact_number(beta) == 0 and degree > 1:
        raise ValueError(f"degree {degree}: at beta = 0 only degree 1 has a branch")
    return degree


def _unstable(beta: fmpq, degree: int, equations: StationaryEquations, x: list[arb]) -> int:
    r"""Number of negative eigenvalues of :math:`I - \kappa B^{1/2} C B^{1/2}` over all cosines and sines up to kM.

    B holds the multipliers :math:`w_n`, C the covariances of :math:`\sqrt2\cos n\theta` and :math:`\sqrt2\sin n\theta`.
    Sines are lifted by the projection onto the rotation of q, :math:`\sqrt{w_n}\, n a_n`, whose eigenvalue is 0.
    """
    _, m = equations.moments(x)
    orders = range(1, degree * len(equations.multipliers) + 1)
    root = [circle_multiplier(beta, n).sqrt() for n in orders]
    a = [m[n // degree] if n % degree == 0 else arb(0) for n in range(2 * len(orders) + 1)]
    rotation = [r * n * a[n] for n, r in zip(orders, root, strict=True)]
    square = sum((u * u for u in rotation), arb(0))

    def cosines(n: int, j: int) -> arb:
        return (n == j) - x[-1] * root[n - 1] * root[j - 1] * (a[abs(n - j)] + a[n + j] - 2 * a[n] * a[j])

    def sines(n: int, j: int) -> arb:
        lift = rotation[n - 1] * rotation[j - 1] / square
        return (n == j) - x[-1] * root[n - 1] * root[j - 1] * (a[abs(n - j)] - a[n + j]) + lift

    return sum(_negative([[entry(n, j) for j in orders] for n in orders]) for entry in (cosines, sines))


def _negative(matrix: list[list[arb]]) -> int:
    """Number of negative eigenvalues of a symmetric matrix: the signs of its pivots (Sylvester's law of inertia)."""
    found = 0
    for p, row in enumerate(matrix):
        if row[p].contains(0):
            raise ArithmeticError("an eigenvalue of the second variation is too close to zero to know its sign")
        found += bool(row[p] < 0)
        for below in matrix[p + 1 :]:
            factor = below[p] / row[p]
            if not factor.is_zero():
                below[p:] = [b - factor * c for b, c in zip(below[p:], row[p:], strict=True)]
    return found
