r"""Branches of stationary states of noisy tokens on the circle, with their free energy and their stability.

Along a branch of period :math:`2\pi/k` the amplitude :math:`a_1` grows from 0, at kappa_k, towards 1; the equations and
the proof of each state are those of :mod:`gegenflow.theory.noise.stationary`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import log2, nan
from typing import TYPE_CHECKING, Any

import flint
from flint import arb

from gegenflow import __version__
from gegenflow.pictures import COLORS, axes_of, legend, overridden
from gegenflow.theory.exact.arguments import Expr, Real, check_beta, passes
from gegenflow.theory.exact.integers import check_degree, check_number
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.tables import Table
from gegenflow.theory.exact.values import brief
from gegenflow.theory.noise.stationary import (
    StationaryEquations,
    circle_multiplier,
    continuation,
    enclose_state,
    stationary_state,
    weak_state,
)

if TYPE_CHECKING:
    from gegenflow.pictures import Axes

AMPLITUDES = tuple(n / 50 for n in range(1, 49))
LARGEST_BETA = 100
"""Branches are followed up to this beta, where a fold takes about 10 s; narrower states take ever more modes."""
SMALLEST_AMPLITUDE = 1e-40
"""Below it the free energy, of order a_1^4, would cancel hundreds of digits."""


@dataclass(frozen=True)
class Branch:
    """Stationary states along a branch, as columns: floats of proved balls, by increasing amplitude a_1.

    :param beta: inverse temperature
    :param degree: degree of the branch k
    :param amplitude: the first amplitude a_1 of each state, between 0 and 1
    :param kappa: inverse noise at each
    :param coupling: K = kappa/2 at each
    :param free_energy: F - F(uniform) at that K
    :param unstable: negative eigenvalues of the second variation of F, the rotation not counted, over the degrees up to
        kM of the equations (those that are left out have multipliers below the precision)

    Source: derived in :func:`branch`.

    See also :func:`.branch`.
    """

    beta: Expr
    degree: int
    amplitude: tuple[float, ...]
    kappa: tuple[float, ...]
    coupling: tuple[float, ...]
    free_energy: tuple[float, ...]
    unstable: tuple[int, ...]

    def table(self) -> Table:
        """The states as rows; its ``facts`` are the version, beta and the degree.

        >>> branch(0, amplitudes=[0.25, 0.5]).table()["unstable"]
        (0, 0)
        """
        names = ("amplitude", "kappa", "coupling", "free_energy", "unstable")
        columns = (getattr(self, name) for name in names)
        rows = tuple(dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
        return Table(rows, {"version": __version__, "beta": str(self.beta), "degree": int(self.degree)})

    def __str__(self) -> str:
        return f"Branch of degree {self.degree} at beta {self.beta}\n{self.table()}"

    def __repr__(self) -> str:
        return brief(str(self))

    def _repr_html_(self) -> str:
        return self.table().to("html")

    def plot(self, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
        """The first amplitude over the coupling K: solid where the state is stable, dashed where it is not.

        :param ax: axes to draw on, the current ones by default
        :param kwargs: options of ``Axes.plot`` for both parts

        See also :meth:`.Branch.table`.
        """
        ax = axes_of(ax)
        firm = [count == 0 for count in self.unstable]
        loose = [not here or not before for here, before in zip(firm, [firm[0], *firm], strict=False)]
        for line, label, kept in (("-", "stable", firm), ("--", "unstable", loose)):
            column = [a if keep else nan for a, keep in zip(self.amplitude, kept, strict=True)]
            if any(kept):
                own = {"color": COLORS[0], "linestyle": line, "label": label}
                ax.plot(self.coupling, column, **overridden(own, kwargs))
        ax.set(xlabel="K = κ/2", ylabel="amplitude $a_1$", title=f"β = {self.beta}, degree {self.degree}")
        legend(ax)
        return ax


def branch(beta: Real, degree: int = 1, amplitudes: Iterable[float] | None = None) -> Branch:
    r"""The branch on the circle of even stationary densities of period :math:`2\pi/k` that leaves the uniform one.

    It does so at kappa_k. ``beta`` = 0 is the noisy Kuramoto model, with a closed solution: a = I_1(kappa a)/I_0(kappa
    a), here at kappa a = 2.

    :param beta: inverse temperature, 0 <= beta <= 100
    :param degree: degree of the branch k, >= 1; 1 (default) at beta = 0
    :param amplitudes: those of the states, increasing strictly between 1e-40 and 1; None (default): 0.02, 0.04, ...,
        0.96

    >>> kuramoto = branch(0, amplitudes=[0.69777465796400798])
    >>> round(kuramoto.kappa[0] * kuramoto.amplitude[0], 14), kuramoto.unstable
    (2.0, (0,))
    >>> bent = branch(4, amplitudes=[0.1, 0.5, 0.6, 0.8])          # discontinuous: unstable until the fold
    >>> bent.coupling[1] < bent.coupling[0], bent.coupling[2] < bent.coupling[3], bent.unstable
    (True, True, (1, 1, 0, 0))

    Raises ValueError for degree < 1, a bad beta or one above 100, degree > 1 at beta = 0, amplitudes that do not
    increase strictly between 1e-40 and 1, or one at which no state can be proved.
    Source: arXiv 2604.16288 for the model; equations and proof derived here.

    See also :func:`.branch_fold`, :func:`.phase_transition`, :func:`.noise_threshold`.
    """
    exact, degree = check_branch(beta, degree)
    amplitudes = check_amplitudes(AMPLITUDES if amplitudes is None else amplitudes)
    x, rows = weak_state(exact, degree, min(0.05, *amplitudes)), []
    for amplitude in amplitudes:
        for here in continuation(x[0], amplitude):
            with flint.ctx.workprec(_precision(here)):
                _, x = stationary_state(exact, degree, x, here)
        rows.append(_row(exact, degree, x))
    return Branch(exact, degree, *zip(*rows, strict=True))


def _precision(amplitude: float) -> int:
    """Bits enough for the free energy, of order a_1^4."""
    return 80 + int(-4 * log2(amplitude))


def _row(beta: Expr, degree: int, x: list[arb]) -> tuple[float, float, float, float, int]:
    """Amplitude, kappa, K, free energy and index of a state, proved at a precision that gives all their digits."""
    for factor in (1, 2, 4):
        with flint.ctx.workprec(factor * _precision(float(x[0]))):
            equations, x = stationary_state(beta, degree, x, x[0])
            proved = enclose_state(equations, x)
            if proved is None:
                continue
            energy, unstable = equations.free_energy(proved), _unstable(beta, degree, equations, proved)
            if energy.rel_accuracy_bits() > 53 and unstable is not None:
                kappa = proved[-1] / circle_multiplier(beta, degree)
                return float(x[0]), float(kappa), float(kappa / 2), float(energy), unstable
    where = f"the state of degree {degree} at amplitude {float(x[0])} cannot be proved to the digits of a float"
    raise Refused("beta", float(beta), where)


def check_amplitudes(amplitudes: Iterable[float]) -> tuple[float, ...]:
    """The amplitudes as floats, or a ValueError unless they increase strictly between 1e-40 and 1."""
    try:
        floats = tuple(float(amplitude) for amplitude in amplitudes)
    except (TypeError, ValueError) as error:
        raise Refused("amplitudes", amplitudes, "a sequence of numbers is needed") from error
    if not floats or not all(before < after for before, after in pairwise((SMALLEST_AMPLITUDE, *floats, 1.0))):
        allowed = f"the amplitudes must increase strictly between {SMALLEST_AMPLITUDE} and 1"
        raise Refused("amplitudes", floats, allowed)
    return floats


def check_branch(beta: Real, degree: int) -> tuple[Expr, int]:
    """Beta exactly and the degree as an int, or a ValueError if there is no branch of that degree."""
    exact, degree = check_beta(beta, least=0, symbols=False), check_number("degree", check_degree(degree))
    if exact == 0 and degree > 1:
        raise Refused("degree", degree, "at beta = 0 only degree 1 has a branch")
    if not passes(LARGEST_BETA - exact, zero=True):
        raise Refused("beta", beta, f"branches are followed up to beta = {LARGEST_BETA}")
    return exact, degree


def _unstable(beta: Expr, degree: int, equations: StationaryEquations, x: list[arb]) -> int | None:
    r"""Number of negative eigenvalues of :math:`I - s B^{1/2} C B^{1/2}` up to degree kM, None if a sign is in doubt.

    B holds the relative multipliers :math:`w_n/w_k`, C the covariances of :math:`\sqrt2\cos n\theta` and
    :math:`\sqrt2\sin n\theta`. Sines are lifted by the projection onto the rotation of q,
    :math:`\sqrt{w_n/w_k}\, n a_n`, whose eigenvalue is 0.
    """
    _, m = equations.moments(x)
    orders = range(1, degree * len(equations.multipliers) + 1)
    root = [(circle_multiplier(beta, n) / circle_multiplier(beta, degree)).sqrt() for n in orders]
    a = [m[n // degree] if n % degree == 0 else arb(0) for n in range(2 * len(orders) + 1)]
    rotation = [r * n * a[n] for n, r in zip(orders, root, strict=True)]
    square = sum((u * u for u in rotation), arb(0))

    def cosines(n: int, j: int) -> arb:
        return (n == j) - x[-1] * root[n - 1] * root[j - 1] * (a[abs(n - j)] + a[n + j] - 2 * a[n] * a[j])

    def sines(n: int, j: int) -> arb:
        lift = rotation[n - 1] * rotation[j - 1] / square
        return (n == j) - x[-1] * root[n - 1] * root[j - 1] * (a[abs(n - j)] - a[n + j]) + lift

    even, odd = (_negative([[entry(n, j) for j in orders] for n in orders]) for entry in (cosines, sines))
    return None if even is None or odd is None else even + odd


def _negative(matrix: list[list[arb]]) -> int | None:
    """Number of negative eigenvalues of a symmetric matrix, by the signs of its pivots (Sylvester's law of inertia)."""
    found = 0
    for p, row in enumerate(matrix):
        if row[p].contains(0):
            return None
        found += bool(row[p] < 0)
        for below in matrix[p + 1 :]:
            factor = below[p] / row[p]
            if not factor.is_zero():
                below[p:] = [b - factor * c for b, c in zip(below[p:], row[p:], strict=True)]
    return found
