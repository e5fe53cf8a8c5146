r"""Stationary states of noisy tokens on the circle, far from the uniform one: branches, folds, the transition.

With noise :math:`\sqrt{2/\kappa}` (coupling K = kappa/2, see :mod:`gegenflow.theory.landau`) an even density of period
:math:`2\pi/k` is stationary if its Fourier coefficients :math:`a_n = \int q \cos(n k \theta)` satisfy

.. math:: a_n = \frac{\int \cos(n\varphi)\, e^{\kappa V}}{\int e^{\kappa V}}, \qquad
          V(\varphi) = 2 \sum_{n \ge 1} w_{kn} a_n \cos(n\varphi), \qquad w_m = \frac{I_m(\beta)}{\beta} .

The amplitude :math:`a_1` serves as the parameter of a branch, and kappa as an unknown in its place: so the branch runs
smoothly through a fold, where kappa turns back. Newton's method solves for :math:`(a_2, \dots, a_M, \kappa)`.

Every solution is proved. Krawczyk's test encloses it, in balls that contain the error of the trapezoidal rule (bounded
by the size of the integrand on a complex strip) and the terms n > M, for every choice of :math:`|a_n| \le 1` there; by
Schauder's fixed-point theorem one of these choices solves all the equations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import flint
from flint import arb, arb_mat, fmpq

from gegenflow.theory.certified import Certified, certify, exact_number
from gegenflow.theory.kernels import exponential
from gegenflow.theory.landau import coupling_threshold, supercritical_beta
from gegenflow.theory.sphere import check_degree, check_number

HEIGHTS = (fmpq(1, 8), fmpq(1, 4), fmpq(1, 2), fmpq(1), fmpq(2))
AMPLITUDES = tuple(n / 50 for n in range(1, 49))


@dataclass(frozen=True)
class Branch:
    """Stationary states along a branch, as columns: floats of proved balls, by increasing amplitude a_1.

    ``noise`` is kappa and ``coupling`` K = kappa/2; ``free_energy`` is F - F(uniform) at that K; ``unstable`` counts
    the negative eigenvalues of the second variation of F over all perturbations, the rotation not counted.
    """

    beta: fmpq
    degree: int
    amplitude: tuple[float, ...]
    noise: tuple[float, ...]
    coupling: tuple[float, ...]
    free_energy: tuple[float, ...]
    unstable: tuple[int, ...]


@dataclass(frozen=True)
class BranchPoint:
    """A distinguished state of a branch: its amplitude a_1, its ``noise`` kappa and its ``coupling`` K = kappa/2."""

    amplitude: Certified
    noise: Certified
    coupling: Certified


@dataclass(frozen=True)
class Transition:
    r"""Where the uniform state ceases to be the one of least free energy.

    ``threshold`` is the linear :math:`K_\#`, beyond which the uniform state is unstable. A continuous transition is
    there, and ``coexistence`` and ``fold`` are None. In a discontinuous one a state of the unimodal branch has the free
    energy of the uniform one already at ``coexistence``, and exists from ``fold`` on.
    """

    beta: fmpq
    threshold: Certified
    coexistence: BranchPoint | None
    fold: BranchPoint | None

    @property
    def coupling(self) -> Certified:
        """The critical coupling K_c (from the unimodal branch: an upper bound on K_c)."""
        return self.threshold if self.coexistence is None else self.coexistence.coupling


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
    exact, degree = exact_number(beta), _check_branch(beta, degree)
    amplitudes = tuple(float(amplitude) for amplitude in amplitudes)
    for before, after in pairwise((0.0, *amplitudes, 1.0)):
        if not (before < after and amplitudes):
            raise ValueError(f"amplitudes {amplitudes}: the amplitudes must increase strictly between 0 and 1")
    rows = []
    with flint.ctx.workprec(80):
        x = _beginning(exact, degree, min(0.05, *amplitudes))
        for amplitude in amplitudes:
            for here in _steps(x[0], amplitude):
                modes, x = _state(exact, degree, x, here)
            proved = _enclose(modes, x)
            if proved is None:
                raise ArithmeticError(f"amplitude {amplitude}: the stationary state could not be enclosed")
            kappa, energy = proved[-1], _free_energy(modes, proved)
            unstable = _unstable(exact, degree, modes, proved)
            rows.append((amplitude, float(kappa), float(kappa / 2), float(energy), unstable))
    return Branch(exact, degree, *zip(*rows, strict=True))


def fold(beta: Any, degree: int = 1, digits: int = 15) -> BranchPoint:
    r"""The turning point of a subcritical branch: the least kappa at which it exists, and its amplitude there.

    At a fold kappa falls before the ball of amplitudes and rises after it, proved through the sign of d kappa/d a_1.

    >>> turn = fold(4, digits=8)
    >>> turn.amplitude, turn.coupling
    ([0.54712795 +/- 6.1e-11], [0.19353450 +/- 2.1e-9])

    Raises ValueError for degree < 1, digits < 1, a bad beta, or a beta at which the branch leaves the uniform state
    without a jump (:func:`~gegenflow.theory.landau.supercritical_beta`). Source: derived here.
    """
    exact, degree = exact_number(beta), _check_branch(beta, degree)
    if not _is_subcritical(exact, degree):
        least = supercritical_beta(degree, 6).value
        raise ValueError(f"beta {beta}: the branch of degree {degree} has a fold only above beta = {least}")
    return _point(exact, degree, _slope, digits)


def transition(beta: Any, digits: int = 15) -> Transition:
    r"""The phase transition on the circle: the coupling K_c at which the uniform state loses to the unimodal one.

    .. math:: K_c = K_\# \;(\beta \le \beta_*), \qquad F_{K_c}[q] = F_{K_c}[1] \;(\beta > \beta_*)

    with q on the stable part of the unimodal branch and :math:`\beta_*` = 2.4469... the tricritical point. At the upper
    end of the ball returned a state of lower free energy than the uniform one is proved to exist: it bounds the true
    :math:`K_c` from above, and is :math:`K_c` itself unless another state does better.

    >>> jump = transition(4, digits=8)
    >>> jump.coupling, jump.threshold
    ([0.19573755 +/- 4.2e-10], [0.20492926 +/- 2.9e-9])
    >>> transition(2, digits=8).fold is None
    True

    Raises ValueError for digits < 1, or a beta that is bad or above the tricritical one by less than about 1e-5.
    Source: arXiv 2606.05140, 2604.16288; the enclosure is derived here.
    """
    exact = exact_number(beta)
    threshold = coupling_threshold(1, 2, exact, digits=digits)
    if not _is_subcritical(exact, 1):
        return Transition(exact, threshold, None, None)
    return Transition(exact, threshold, _point(exact, 1, _advantage, digits), fold(exact, 1, digits))


def _check_branch(beta: Any, degree: int) -> int:
    degree = check_number("degree", check_degree(degree))
    if exact_number(beta) == 0 and degree > 1:
        raise ValueError(f"degree {degree}: at beta = 0 only degree 1 has a branch")
    return degree


def _is_subcritical(beta: fmpq, degree: int) -> bool:
    """Whether I_{2k}/I_k > 1/2."""
    digits = 15
    while beta > 0:
        ball = supercritical_beta(degree, digits).ball
        if not ball.overlaps(arb(beta)):
            return bool(ball < arb(beta))
        digits *= 2
    return False


@dataclass(frozen=True)
class _Modes:
    r"""The equations truncated at M modes, sampled at 2H nodes, with bounds on what is left out.

    ``tail`` = :math:`2\sum_{n>M} w_{kn}` and ``strip`` = :math:`2\sum_n w_{kn} \cosh(ny)`, y = ``height``.
    A state x is the list :math:`(a_1, \dots, a_M, \kappa)`.
    """

    multipliers: list[arb]
    cosines: arb_mat
    tail: arb
    strip: arb
    height: fmpq

    def moments(self, x: list[arb]) -> tuple[arb, list[arb]]:
        r"""Z and the coefficients 0, ..., 2M of :math:`e^{\kappa V}/Z`.

        On the strip :math:`|\Im\varphi| \le y` the integrand with :math:`\cos n\varphi` is at most
        :math:`e^{\kappa S + ny}`, S = ``strip``, so 2H nodes err by at most
        :math:`2e^{\kappa S + (n - 2H)y}/(1 - e^{-2Hy})`.
        """
        *a, kappa = x
        size, nodes, y = len(self.multipliers), self.cosines.nrows(), arb(self.height)
        field = [2 * kappa * w * c for w, c in zip(self.multipliers, a, strict=True)]
        exponents = self.cosines * arb_mat(2 * size + 1, 1, [arb(0), *field, *[arb(0)] * size])
        rest = _around_zero(kappa * self.tail)
        weights = arb_mat(nodes, 1, [(v + rest).exp() / nodes for v in exponents.entries()])
        error = 2 * (kappa * self.strip + 2 * (size - nodes) * y).exp() / (1 - (-2 * nodes * y).exp())
        total, *others = (m + _around_zero(error) for m in (self.cosines.transpose() * weights).entries())
        return total, [arb(1), *(m / total for m in others)]

    def equations(self, x: list[arb]) -> tuple[arb_mat, arb_mat, arb_mat]:
        """The values of a - <cos>, and their derivatives by (a_2, ..., a_M, kappa) and by a_1."""
        *a, kappa = x
        _, m = self.moments(x)
        modes, rows = list(enumerate(self.multipliers, 1)), []
        for n in range(1, len(a) + 1):
            gain = [w * (m[abs(n - j)] + m[n + j] - 2 * m[n] * m[j]) for j, w in modes]
            by_kappa = sum((g * c for g, c in zip(gain, a, strict=True)), _around_zero(self.tail))
            rows.append([*((n == j) - kappa * g for j, g in enumerate(gain, 1)), -by_kappa])
        values = arb_mat([[a[n - 1] - m[n]] for n, _ in modes])
        return values, arb_mat([row[1:] for row in rows]), arb_mat([row[:1] for row in rows])


def _around_zero(bound: arb) -> arb:
    return arb(0, bound.abs_upper())


_kernel = lru_cache(maxsize=64)(exponential)


@lru_cache(maxsize=4096)
def _multiplier(beta: fmpq, order: int, precision: int) -> arb:
    return _kernel(beta).ball(order - 1, 4) / 2


def _modes(beta: fmpq, degree: int, kappa: arb) -> _Modes:
    """Modes and nodes enough that, up to about this kappa, what is left out is below the current precision."""
    precision, small = flint.ctx.prec, arb(2) ** -flint.ctx.prec
    w: list[arb] = []
    while not w or not 2 * kappa * w[-1] < small:
        w.append(_multiplier(beta, degree * (len(w) + 1), precision))
    size = len(w)
    first, second = (_multiplier(beta, degree * (size + n), precision) for n in (1, 2))
    ratio = second / first if first > 0 else arb(0)
    choices = []
    for y in (y for y in HEIGHTS if ratio * arb(y).exp() < 1):
        above = first * (arb(y) * (size + 1)).cosh() / (1 - ratio * arb(y).exp())
        strip = 2 * sum((v * (arb(y) * n).cosh() for n, v in enumerate(w, 1)), above)
        choices.append((size + float((kappa * strip - small.log()) / (2 * arb(y))), strip, y))
    nodes, strip, y = min(choices, key=lambda choice: choice[0])
    cosines = _cosines(16 * (int(nodes) // 16 + 1), 2 * size, precision)
    return _Modes(w, cosines, 2 * first / (1 - ratio), strip, y)


@lru_cache(maxsize=64)
def _cosines(nodes: int, degree: int, precision: int) -> arb_mat:
    """cos(n phi_j), n = 0..degree, at the midpoints phi_j = pi (j + 1/2)/H of half a period."""
    table = [arb.cos_pi_fmpq(fmpq(m, 2 * nodes)) for m in range(4 * nodes)]
    return arb_mat([[table[(2 * j + 1) * n % (4 * nodes)] for n in range(degree + 1)] for j in range(nodes)])


def _beginning(beta: fmpq, degree: int, amplitude: float) -> list[arb]:
    return [arb(amplitude), 1 / _multiplier(beta, degree, flint.ctx.prec)]


def _state(beta: fmpq, degree: int, x: list[arb], amplitude: float | arb) -> tuple[_Modes, list[arb]]:
    """The state at an amplitude, by Newton's method on midpoints from a nearby state x."""
    modes = _modes(beta, degree, 2 * x[-1])
    size = len(modes.multipliers)
    x = [arb(amplitude), *[*x[1:-1], *[arb(0)] * size][: size - 1], x[-1]]
    for _ in range(40):
        values, jacobian, _ = modes.equations(x)
        step = jacobian.mid().solve(values.mid(), algorithm="approx").entries()
        x[1:] = [(c - s).mid() for c, s in zip(x[1:], step, strict=True)]
        if max(abs(s) for s in step) < arb(2) ** (-flint.ctx.prec // 2):
            return modes, x
    raise ArithmeticError(f"amplitude {float(x[0])}: Newton's method found no stationary state")


def _enclose(modes: _Modes, x: list[arb]) -> list[arb] | None:
    """Krawczyk's test: balls around x that hold exactly one solution for each amplitude in the ball x[0], or None."""
    values, jacobian, _ = modes.equations(x)
    inverse = jacobian.mid().inv().mid()
    shift = inverse * values
    radius = [2 * s.abs_upper() + arb(2) ** -flint.ctx.prec for s in shift.entries()]
    identity = arb_mat([[int(i == j) for j in range(len(radius))] for i in range(len(radius))])
    for _ in range(6):
        spread = arb_mat([[_around_zero(r)] for r in radius])
        _, jacobian, _ = modes.equations([x[0], *(c + s for c, s in zip(x[1:], spread.entries(), strict=True))])
        image = ((identity - inverse * jacobian) * spread - shift).entries()
        if all(s.contains_interior(i) for s, i in zip(spread.entries(), image, strict=True)):
            return [x[0], *(c + i for c, i in zip(x[1:], image, strict=True))]
        radius = [4 * r for r in radius]
    return None


def _steps(here: arb, target: float) -> Iterator[float]:
    """Amplitudes on the way to the target: steps small against the amplitude and its distance to 1."""
    amplitude = float(here)
    while True:
        amplitude = min(target, amplitude + min(amplitude / 2, (1 - amplitude) / 4))
        yield amplitude
        if amplitude == target:
            return


Test = Callable[[_Modes, list[arb]], arb]
"""A quantity that changes from negative to positive at a distinguished point of a branch."""


def _slope(modes: _Modes, x: list[arb]) -> arb:
    """d kappa/d a_1 along the branch."""
    _, jacobian, by_amplitude = modes.equations(x)
    return -jacobian.solve(by_amplitude).entries()[-1]


def _free_energy(modes: _Modes, x: list[arb]) -> arb:
    r""":math:`F[q] - F[1] = \kappa \sum_n w_{kn} a_n^2 - \log Z` of a stationary state."""
    *a, kappa = x
    total, _ = modes.moments(x)
    pairs = zip(modes.multipliers, a, strict=True)
    return kappa * sum((w * c * c for w, c in pairs), _around_zero(modes.tail)) - total.log()


def _advantage(modes: _Modes, x: list[arb]) -> arb:
    return -_free_energy(modes, x)


def _point(beta: fmpq, degree: int, test: Test, digits: int) -> BranchPoint:
    def enclosed(part: int) -> arb:
        return _passage(beta, degree, test, flint.ctx.prec)[part]

    parts = (lambda: enclosed(0), lambda: enclosed(1), lambda: enclosed(1) / 2)
    return BranchPoint(*(certify(part, digits) for part in parts))


@lru_cache(maxsize=256)
def _passage(beta: fmpq, degree: int, test: Test, precision: int) -> tuple[arb, arb]:
    """Balls of about this precision around the amplitude where the test changes sign, and around kappa there."""
    x, *sides = _bracket(beta, degree, test)
    with flint.ctx.workprec(precision + 64):
        here, width, last = sides[0][0], arb(2) ** -precision, -1
        for _ in range(50):
            (a, below), (b, above) = sides
            here, before = ((a * above - b * below) / (above - below)).mid(), here
            if abs(here - before) < width * here:
                break
            modes, x = _state(beta, degree, x, here)
            value = test(modes, x).mid()
            side = int(value > 0)
            sides[side] = here, value
            if side == last:
                sides[1 - side] = sides[1 - side][0], sides[1 - side][1] / 2
            last = side
        ends = [(here * (1 + sign * width)).mid() for sign in (-1, 1)]
        for end, sign in zip(ends, (-1, 1), strict=True):
            modes, x = _state(beta, degree, x, end)
            proved = _enclose(modes, x)
            if proved is None or not sign * test(modes, proved) > 0:
                return arb.nan(), arb.nan()
        amplitude = ends[0].union(ends[1])
        proved = _enclose(modes, [amplitude, *x[1:]])
        return (amplitude, proved[-1]) if proved else (arb.nan(), arb.nan())


Side = tuple[arb, arb]
"""An amplitude and the value of a test there."""


@lru_cache(maxsize=256)
def _bracket(beta: fmpq, degree: int, test: Test) -> tuple[list[arb], Side, Side]:
    """Walk up the branch, from an amplitude at which the test is negative, to the first at which it is positive."""
    with flint.ctx.workprec(80):
        start, value = 0.2, arb(1)
        while not value < 0:
            start /= 4
            if start < 1e-3:
                near = float(arb(beta))
                raise ValueError(f"beta {near}: too close to the tricritical point to tell the phases apart (1e-5)")
            modes, x = _state(beta, degree, _beginning(beta, degree, start), start)
            value = test(modes, x).mid()
        low = arb(start), value
        for amplitude in _steps(x[0], 0.999):
            modes, x = _state(beta, degree, x, amplitude)
            value = test(modes, x).mid()
            if value > 0:
                return x, low, (x[0], value)
            low = x[0], value
    raise ArithmeticError(f"beta {beta}: the branch does not turn before amplitude 0.999")


def _unstable(beta: fmpq, degree: int, modes: _Modes, x: list[arb]) -> int:
    r"""Number of negative eigenvalues of :math:`I - \kappa B^{1/2} C B^{1/2}` over all cosines and sines up to kM.

    B holds the multipliers :math:`w_n`, C the covariances of :math:`\sqrt2\cos n\theta` and :math:`\sqrt2\sin n\theta`.
    Sines are lifted by the projection onto the rotation of q, :math:`\sqrt{w_n}\, n a_n`, whose eigenvalue is 0.
    """
    _, m = modes.moments(x)
    orders = range(1, degree * len(modes.multipliers) + 1)
    root = [_multiplier(beta, n, flint.ctx.prec).sqrt() for n in orders]
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
