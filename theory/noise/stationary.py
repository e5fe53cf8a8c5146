r"""Stationary densities of noisy tokens on the circle, far from the uniform one: solved and proved, one at a time.

With noise :math:`\sqrt{2/\kappa}` (coupling K = kappa/2, see :mod:`gegenflow.theory.noise.landau`) an even density of
period :math:`2\pi/k` is stationary if its Fourier coefficients :math:`a_n = \int q \cos(n k \theta)` satisfy

.. math:: a_n = \frac{\int \cos(n\varphi)\, e^{\kappa V}}{\int e^{\kappa V}}, \qquad
          V(\varphi) = 2 \sum_{n \ge 1} w_{kn} a_n \cos(n\varphi), \qquad w_m = \frac{I_m(\beta)}{\beta} .

The amplitude :math:`a_1` serves as the parameter of a branch, and kappa as an unknown in its place: so the branch runs
smoothly through a fold, where kappa turns back. Newton's method solves for :math:`(a_2, \dots, a_M, s)`, with
:math:`s = \kappa w_k` the ratio to the threshold: with the relative multipliers :math:`\omega_n = w_{kn}/w_k` all is of
order one, :math:`\kappa w_{kn} = s\,\omega_n`.

Every solution is proved. Krawczyk's test encloses it, in balls that contain the error of the trapezoidal rule (bounded
by the size of the integrand on a complex strip) and the terms n > M, for every choice of :math:`|a_n| \le 1` there; by
Schauder's fixed-point theorem one of these choices solves all the equations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import flint
from flint import arb, arb_mat, fmpq

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.kernels.kernel import Kernel

HEIGHTS = (fmpq(1, 8), fmpq(1, 4), fmpq(1, 2), fmpq(1), fmpq(2))


@dataclass(frozen=True)
class StationaryEquations:
    r"""The equations truncated at M modes, sampled at 2H nodes, with bounds on what is left out.

    ``multipliers`` are :math:`\omega_n = w_{kn}/w_k`, ``tail`` = :math:`2\sum_{n>M} \omega_n` and
    ``strip`` = :math:`2\sum_n \omega_n \cosh(ny)`, y = ``height``. A state x is the list
    :math:`(a_1, \dots, a_M, s)`: :math:`s = \kappa/\kappa_k` is the ratio at which these amplitudes are stationary.
    Source: arXiv 2604.16288 for the model; truncation and bounds are derived here.
    """

    multipliers: list[arb]
    cosines: arb_mat
    tail: arb
    strip: arb
    height: fmpq

    def moments(self, x: list[arb]) -> tuple[arb, list[arb]]:
        r"""Z and the coefficients 0, ..., 2M of :math:`e^{\kappa V}/Z`.

        On the strip :math:`|\Im\varphi| \le y` the integrand with :math:`\cos n\varphi` is at most
        :math:`e^{s S + ny}`, S = ``strip``, so 2H nodes err by at most
        :math:`2e^{s S + (n - 2H)y}/(1 - e^{-2Hy})`.
        """
        *a, ratio = x
        size, nodes, y = len(self.multipliers), self.cosines.nrows(), arb(self.height)
        field = [2 * ratio * w * c for w, c in zip(self.multipliers, a, strict=True)]
        exponents = self.cosines * arb_mat(2 * size + 1, 1, [arb(0), *field, *[arb(0)] * size])
        rest = around_zero(ratio * self.tail)
        weights = arb_mat(nodes, 1, [(v + rest).exp() / nodes for v in exponents.entries()])
        error = 2 * (ratio * self.strip + 2 * (size - nodes) * y).exp() / (1 - (-2 * nodes * y).exp())
        total, *others = (m + around_zero(error) for m in (self.cosines.transpose() * weights).entries())
        return total, [arb(1), *(m / total for m in others)]

    def residual(self, x: list[arb]) -> tuple[arb_mat, arb_mat, arb_mat]:
        """The values of a - <cos>, and their derivatives by (a_2, ..., a_M, s) and by a_1."""
        *a, ratio = x
        _, m = self.moments(x)
        modes, rows = list(enumerate(self.multipliers, 1)), []
        for n in range(1, len(a) + 1):
            gain = [w * (m[abs(n - j)] + m[n + j] - 2 * m[n] * m[j]) for j, w in modes]
            by_ratio = sum((g * c for g, c in zip(gain, a, strict=True)), around_zero(self.tail))
            rows.append([*((n == j) - ratio * g for j, g in enumerate(gain, 1)), -by_ratio])
        values = arb_mat([[a[n - 1] - m[n]] for n, _ in modes])
        return values, arb_mat([row[1:] for row in rows]), arb_mat([row[:1] for row in rows])

    def slope(self, x: list[arb]) -> arb:
        """ds/da_1 along the branch."""
        _, jacobian, by_amplitude = self.residual(x)
        return -jacobian.solve(by_amplitude).entries()[-1]

    def free_energy(self, x: list[arb]) -> arb:
        r""":math:`F[q] - F[1] = s \sum_n \omega_n a_n^2 - \log Z` of a stationary state."""
        *a, ratio = x
        total, _ = self.moments(x)
        pairs = zip(self.multipliers, a, strict=True)
        return ratio * sum((w * c * c for w, c in pairs), around_zero(self.tail)) - total.log()


def around_zero(bound: arb) -> arb:
    """The ball of this radius around 0."""
    return arb(0, bound.abs_upper())


_kernel = lru_cache(maxsize=64)(Kernel.exponential)


def circle_multiplier(beta: Expr, order: int) -> arb:
    r"""The multiplier :math:`w_m = I_m(\beta)/\beta` of the potential on the circle, m = ``order``, as a ball.

    >>> circle_multiplier(0, 1), circle_multiplier(0, 2)         # Kuramoto: the potential is cos
    (0.500000000000000, 0)

    Source: DLMF 10.32.3.
    """
    return _multiplier(beta, order, flint.ctx.prec)


@lru_cache(maxsize=4096)
def _multiplier(beta: Expr, order: int, precision: int) -> arb:
    return _kernel(beta).ball(order - 1, 4) / 2


def stationary_equations(beta: Expr, degree: int, ratio: arb) -> StationaryEquations:
    """Modes and nodes enough that, up to about this kappa/kappa_k, what is left out is below the current precision."""
    precision, small = flint.ctx.prec, arb(2) ** -flint.ctx.prec

    def relative(n: int) -> arb:
        return circle_multiplier(beta, degree * n) / circle_multiplier(beta, degree)

    w = [arb(1)]
    while not 2 * ratio * w[-1] < small:
        w.append(relative(len(w) + 1))
    size = len(w)
    first, second = relative(size + 1), relative(size + 2)
    decay = second / first if first > 0 else arb(0)
    choices = []
    for y in (y for y in HEIGHTS if decay * arb(y).exp() < 1):
        above = first * (arb(y) * (size + 1)).cosh() / (1 - decay * arb(y).exp())
        strip = 2 * sum((v * (arb(y) * n).cosh() for n, v in enumerate(w, 1)), above)
        choices.append((size + float((ratio * strip - small.log()) / (2 * arb(y))), strip, y))
    nodes, strip, y = min(choices, key=lambda choice: choice[0])
    cosines = _cosines(16 * (int(nodes) // 16 + 1), 2 * size, precision)
    return StationaryEquations(w, cosines, 2 * first / (1 - decay), strip, y)


@lru_cache(maxsize=64)
def _cosines(nodes: int, degree: int, precision: int) -> arb_mat:
    """cos(n phi_j), n = 0..degree, at the midpoints phi_j = pi (j + 1/2)/H of half a period."""
    table = [arb.cos_pi_fmpq(fmpq(m, 2 * nodes)) for m in range(4 * nodes)]
    return arb_mat([[table[(2 * j + 1) * n % (4 * nodes)] for n in range(degree + 1)] for j in range(nodes)])


def weak_state(beta: Expr, degree: int, amplitude: float) -> list[arb]:
    r"""The state of a small amplitude, this one or a smaller one, to leading order.

    .. math:: a_2 = \frac{a_1^2}{2(1 - \omega_2)}, \qquad s = 1 + \frac{1 - 2\omega_2}{2(1 - \omega_2)}\,a_1^2

    up to fourth order in a_1, as in :func:`~gegenflow.theory.noise.amplitude_equation`. The amplitude returned is
    small enough for :math:`a_2 \le a_1/4`.
    """
    second = circle_multiplier(beta, 2 * degree) / circle_multiplier(beta, degree)
    a = arb(min(amplitude, float((1 - second) / 2)))
    slaved = (a**2 / (2 * (1 - second))).mid()
    return [a, slaved, (1 + slaved * (1 - 2 * second)).mid()]


def stationary_state(
    beta: Expr, degree: int, x: list[arb], amplitude: float | arb
) -> tuple[StationaryEquations, list[arb]]:
    """The state at an amplitude, by Newton's method on midpoints from a nearby state x.

    >>> beta, start = 0, weak_state(0, 1, 0.1)
    >>> equations, x = stationary_state(beta, 1, start, 0.2)
    >>> a, *_, ratio = enclose_state(equations, x)
    >>> field = 2 * ratio * a                                  # kappa_1 = 2; the closed solution of Kuramoto:
    >>> mean = field.bessel_i(1) / field.bessel_i(0)
    >>> mean.overlaps(a), mean.rad() < 1e-12
    (True, True)
    """
    equations = stationary_equations(beta, degree, 2 * x[-1])
    found = newton_state(equations, x, amplitude)
    if found is None:
        where = f"degree {degree}, amplitude {float(amplitude)}"
        raise Refused("beta", float(beta), f"Newton's method found no stationary state ({where})")
    return equations, found


class Equations(Protocol):
    """Equations of a state x = (a_1, ..., a_M, s), a_1 given: on the circle or on a sphere."""

    @property
    def multipliers(self) -> list[arb]:
        """w_n/w_1 of the modes kept."""

    def residual(self, x: list[arb]) -> tuple[arb_mat, arb_mat, arb_mat]:
        """Their values, and the derivatives by (a_2, ..., a_M, s) and by a_1."""


def newton_state(equations: Equations, x: list[arb], amplitude: float | arb) -> list[arb] | None:
    """The state at an amplitude by Newton's method on midpoints, from one of any number of modes; None if not found."""
    size = len(equations.multipliers)
    x = [arb(amplitude), *[*x[1:-1], *[arb(0)] * size][: size - 1], x[-1]]
    for _ in range(40):
        values, jacobian, _ = equations.residual(x)
        try:
            step = jacobian.mid().solve(values.mid(), algorithm="approx").entries()
        except ZeroDivisionError:
            return None
        x[1:] = [(c - s).mid() for c, s in zip(x[1:], step, strict=True)]
        if max(abs(s) for s in step) < arb(2) ** (-flint.ctx.prec // 2):
            return x
    return None


def enclose_state(equations: Equations, x: list[arb]) -> list[arb] | None:
    """Krawczyk's test: balls around x that hold exactly one solution for each amplitude in the ball x[0], or None."""
    values, jacobian, _ = equations.residual(x)
    inverse = jacobian.mid().inv().mid()
    shift = inverse * values
    radius = [2 * s.abs_upper() + arb(2) ** -flint.ctx.prec for s in shift.entries()]
    identity = arb_mat([[int(i == j) for j in range(len(radius))] for i in range(len(radius))])
    for _ in range(6):
        spread = arb_mat([[around_zero(r)] for r in radius])
        _, jacobian, _ = equations.residual([x[0], *(c + s for c, s in zip(x[1:], spread.entries(), strict=True))])
        image = ((identity - inverse * jacobian) * spread - shift).entries()
        if all(s.contains_interior(i) for s, i in zip(spread.entries(), image, strict=True)):
            return [x[0], *(c + i for c, i in zip(x[1:], image, strict=True))]
        radius = [4 * r for r in radius]
    return None


def continuation(here: arb, target: float) -> Iterator[float]:
    """Amplitudes on the way to the target: steps small against the amplitude and its distance to 1."""
    amplitude = float(here)
    while True:
        amplitude = min(target, amplitude + min(amplitude / 2, (1 - amplitude) / 4))
        yield amplitude
        if amplitude == target:
            return
