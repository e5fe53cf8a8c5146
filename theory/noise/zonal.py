r"""Stationary zonal densities of noisy tokens on spheres, far from the uniform one: solved and proved.

With the moments :math:`a_n = \int q\,P_n(\langle x, e\rangle)` a zonal density q, a function of :math:`\langle x,
e\rangle`, is stationary if

.. math:: a_n = \frac{\int P_n\,e^{\kappa V}}{\int e^{\kappa V}}, \qquad V = \sum_{n\ge1} D_n w_n a_n P_n, \qquad
          F[q] - F[1] = \frac\kappa2 \sum_{n\ge1} D_n w_n a_n^2 - \log \int e^{\kappa V} ,

w_n the multipliers of :math:`W = e^{\beta t}/\beta` (Funk-Hecke). The unknowns, the amplitude :math:`a_1` as
parameter of the branch, :math:`s = \kappa w_1`, and the proof by Krawczyk's test and Schauder's theorem are those of
:mod:`gegenflow.theory.noise.stationary`; only the integrals differ. In odd dims the nodes are those of Gauss and
Legendre, in even dims those of Gauss and Chebyshev: there :math:`(1-t^2)^p`, p = (d-3)/2 or (d-2)/2, is a polynomial,
and the rule integrates polynomials up to degree 2H - 1 exactly. On the ellipse with foci +-1 that is the image of
:math:`|\Im\varphi| \le y`, :math:`t = \cos\varphi`, an integrand with P_n is at most :math:`B = \cosh(y)^{2p} e^{sS +
ny}`, :math:`S = \sum_n D_n\omega_n\cosh(ny)`, as P_n is a mean of cosines up to n. So its Chebyshev coefficients are
at most :math:`2Be^{-ky}`, and the rule, of total weight m, errs by :math:`4mBe^{-2Hy}/(1 - e^{-y})` at most. Source:
derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import flint
from flint import arb, arb_mat, fmpq

from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_beta, check_real, passes
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_dim, check_number
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.values import record_html
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.noise.stationary import HEIGHTS, around_zero, continuation, enclose_state, newton_state
from gegenflow.theory.sphere import harmonic_dimension

LARGEST_BETA, LARGEST_DIM = 8, 16
MOMENTS = 4
"""Moments a_1, a_2, ... that a state tells."""
INSIDE = "the amplitude of a state must be a number between 1e-6 and 0.98"


@dataclass(frozen=True)
class ZonalState:
    """A stationary zonal density of the branch that leaves the uniform one at degree 1, every number enclosed.

    :param beta: inverse temperature
    :param dim: d of the sphere S^{d-1}
    :param moments: a_1 to a_4, the means of the zonal harmonics
    :param kappa: the inverse noise at which it is stationary
    :param coupling: K = kappa/2
    :param free_energy: F - F(uniform) at that K

    Source: derived in :func:`zonal_state`.

    See also :func:`.zonal_state`.
    """

    beta: Expr
    dim: int
    moments: tuple[Certified, ...]
    kappa: Certified
    coupling: Certified
    free_energy: Certified

    _repr_html_ = record_html


@dataclass(frozen=True)
class ZonalEquations:
    r"""The equations truncated at M modes: ``gains`` are :math:`D_n\omega_n`, ``tail`` bounds their sum beyond M.

    ``harmonics`` holds :math:`P_0, \dots, P_M` at the nodes, ``weights`` those of the rule times the density of t, of
    ``total`` weight m; ``strip`` is S at the ``height`` y, ``power`` p. Source: derived here.
    """

    multipliers: list[arb]
    gains: list[arb]
    harmonics: arb_mat
    weights: list[arb]
    total: arb
    power: int
    tail: arb
    strip: arb
    height: fmpq

    def moments(self, x: list[arb]) -> tuple[arb, arb_mat]:
        r"""Z, and the means of :math:`P_n P_m`, n, m = 0, ..., M: the first row holds those of P_m."""
        *a, ratio = x
        size, nodes, y = len(self.gains), self.harmonics.nrows(), arb(self.height)
        field = arb_mat([[arb(0)], *([ratio * gain * c] for gain, c in zip(self.gains, a, strict=True))])
        rest = around_zero(ratio * self.tail)
        density = [w * (v + rest).exp() for v, w in zip((self.harmonics * field).entries(), self.weights, strict=True)]
        lifted = [[q * self.harmonics[j, n] for n in range(size + 1)] for j, q in enumerate(density)]
        means = self.harmonics.transpose() * arb_mat(lifted)
        error = 4 * self.total * y.cosh() ** (2 * self.power) * (ratio * self.strip - 2 * nodes * y).exp()
        error /= 1 - (-y).exp()
        spread = [[around_zero(error * (y * (n + m)).exp()) for m in range(size + 1)] for n in range(size + 1)]
        means = means + arb_mat(spread)
        return means[0, 0], means * (1 / means[0, 0])

    def residual(self, x: list[arb]) -> tuple[arb_mat, arb_mat, arb_mat]:
        """The values of a - <P>, and their derivatives by (a_2, ..., a_M, s) and by a_1."""
        *a, ratio = x
        _, m = self.moments(x)
        rows = []
        for n in range(1, len(a) + 1):
            gain = [g * (m[n, j] - m[0, n] * m[0, j]) for j, g in enumerate(self.gains, 1)]
            by_ratio = sum((g * c for g, c in zip(gain, a, strict=True)), around_zero(2 * self.tail))
            rows.append([*((n == j) - ratio * g for j, g in enumerate(gain, 1)), -by_ratio])
        values = arb_mat([[a[n] - m[0, n + 1]] for n in range(len(a))])
        return values, arb_mat([row[1:] for row in rows]), arb_mat([row[:1] for row in rows])

    def free_energy(self, x: list[arb]) -> arb:
        r""":math:`F[q] - F[1] = \frac s2 \sum_n D_n \omega_n a_n^2 - \log Z` of a stationary state."""
        *a, ratio = x
        total, _ = self.moments(x)
        whole = sum((g * c * c for g, c in zip(self.gains, a, strict=True)), around_zero(self.tail))
        return ratio * whole / 2 - total.log()


_kernel = lru_cache(maxsize=64)(Kernel.exponential)


def zonal_multiplier(beta: Expr, dim: int, order: int) -> arb:
    r"""The multiplier :math:`w_n` of the potential on the sphere, n = ``order`` >= 1, as a ball.

    >>> zonal_multiplier(0, 3, 1).overlaps(1 / arb(3)), zonal_multiplier(0, 3, 2)      # the potential is t
    (True, 0)

    Source: derived here (Funk-Hecke in two dimensions more).
    """
    return _kernel(beta).ball(order - 1, dim + 2) / dim


def zonal_equations(beta: Expr, dim: int, ratio: arb) -> ZonalEquations:
    """Modes and nodes enough that, up to about this kappa/kappa_1, what is left out is below the current precision."""
    precision, small = flint.ctx.prec, arb(2) ** -flint.ctx.prec
    first = zonal_multiplier(beta, dim, 1)

    def gain(n: int) -> arb:
        return harmonic_dimension(n, dim) * zonal_multiplier(beta, dim, n) / first

    gains = [arb(dim)]
    while not ratio * gains[-1] < small:
        gains.append(gain(len(gains) + 1))
    size = len(gains)
    beyond, after = gain(size + 1), gain(size + 2)
    decay = after / beyond if beyond > 0 else arb(0)
    power = (dim - 3) // 2 if dim % 2 else (dim - 2) // 2
    choices = []
    for y in (y for y in HEIGHTS if decay * arb(y).exp() < 1):
        above = beyond * (arb(y) * (size + 1)).cosh() / (1 - decay * arb(y).exp())
        strip = sum((g * (arb(y) * n).cosh() for n, g in enumerate(gains, 1)), above)
        choices.append((size + power + float((ratio * strip - small.log() + 4) / (2 * arb(y))), strip, y))
    nodes, strip, y = min(choices, key=lambda choice: choice[0])
    harmonics, weights, total = _rule(8 * (int(nodes) // 8 + 1), size, dim, precision)
    omega = [g / harmonic_dimension(n, dim) for n, g in enumerate(gains, 1)]
    return ZonalEquations(omega, gains, harmonics, weights, total, power, beyond / (1 - decay), strip, y)


@lru_cache(maxsize=64)
def _rule(nodes: int, size: int, dim: int, precision: int) -> tuple[arb_mat, list[arb], arb]:
    """P_0, ..., P_M at the nodes, weights times the density of t, and their total without its polynomial factor."""
    with flint.ctx.workprec(precision + 2 * size + 16):
        scale = arb.gamma_fmpq(fmpq(dim, 2)) / (arb.pi().sqrt() * arb.gamma_fmpq(fmpq(dim - 1, 2)))
        if dim % 2:
            pairs = [arb.legendre_p_root(nodes, j, weight=True) for j in range(nodes)]
            power, total = (dim - 3) // 2, 2 * scale
        else:
            pairs = [(arb.cos_pi_fmpq(fmpq(2 * j + 1, 2 * nodes)), arb.pi() / nodes) for j in range(nodes)]
            power, total = (dim - 2) // 2, arb.pi() * scale
        rows = []
        for t, _ in pairs:
            row = [arb(1), t]
            for n in range(1, size):
                row.append(((2 * n + dim - 2) * t * row[n] - n * row[n - 1]) / (n + dim - 2))
            rows.append(row)
        return arb_mat(rows), [scale * w * (1 - t * t) ** power for t, w in pairs], total


def zonal_state(beta: Real, dim: Whole, amplitude: Real, digits: int = 15) -> ZonalState:
    r"""The stationary zonal density on S^{d-1} with a first moment :math:`a_1`, on the branch from the uniform one.

    .. math:: q \propto \exp\Big(\kappa \sum_n D_n w_n a_n P_n(\langle x, e\rangle)\Big), \qquad a_n = \int q\,P_n

    :param beta: inverse temperature, 0 <= beta <= 8
    :param dim: d of the sphere S^{d-1}, 3 <= d <= 16
    :param amplitude: the first moment a_1, the length of the mean, 1e-6 <= a_1 <= 0.98
    :param digits: significant digits to certify, >= 1 (default 15)

    At beta = 0 the density is that of von Mises and Fisher, on S^2 a = coth x - 1/x with x = kappa a:

    >>> free = zonal_state(0, 3, "0.5", digits=12)
    >>> x = free.kappa.ball / 2
    >>> (1 / x.tanh() - 1 / x).overlaps(arb(0.5)), free.free_energy < 0
    (True, True)

    Above the tricritical temperature the branch turns back: kappa falls before it rises.

    >>> [zonal_state(3, 3, a, digits=6).coupling for a in ("0.1", "0.5", "0.8")]
    [[0.665220 +/- 1.7e-7], [0.612960 +/- 1.8e-7], [0.628700 +/- 3.3e-7]]

    Raises ValueError for a bad beta or one above 8, a dim outside 3 to 16, an amplitude outside its range, digits < 1,
    and where no state can be proved. Source: arXiv 2606.05140 for the model; equations and proof derived here.

    See also :func:`.branch`, :func:`.coupling_threshold`, :func:`.tricritical_beta`.
    """
    exact, dim = check_beta(beta, least=0, symbols=False), check_number("dim", check_dim(dim))
    a = check_real(amplitude, "amplitude", INSIDE, above=0, below=1, symbols=False)
    if not passes(LARGEST_BETA - exact, zero=True):
        raise Refused("beta", beta, f"zonal states are followed up to beta = {LARGEST_BETA}")
    if not 3 <= dim <= LARGEST_DIM:
        raise Refused("dim", dim, f"zonal states are those of dims 3 to {LARGEST_DIM}; on the circle take noise.branch")
    if not 1e-6 <= float(a) <= 0.98:
        raise Refused("amplitude", amplitude, INSIDE)

    def part(index: int) -> Certified:
        def evaluate() -> arb:
            found = _enclosed(exact, dim, a, flint.ctx.prec)
            return arb.nan() if found is None else found[index]

        return certify_at("amplitude", float(a), evaluate, digits)

    moments = tuple(part(n) for n in range(MOMENTS if exact != 0 else 1))
    return ZonalState(exact, dim, moments, part(-3), part(-2), part(-1))


@lru_cache(maxsize=64)
def _enclosed(beta: Expr, dim: int, amplitude: Expr, precision: int) -> list[arb] | None:
    """The moments of the state at about this precision, kappa, K and the free energy; None where it is not proved."""
    x = _approached(beta, dim, float(amplitude))
    with flint.ctx.workprec(precision + 40):
        exact = enclose(amplitude)
        equations = zonal_equations(beta, dim, 2 * x[-1])
        found = newton_state(equations, x, exact.mid())
        proved = None if found is None else enclose_state(equations, [exact, *found[1:]])
        if proved is None:
            return None
        kappa = proved[-1] / zonal_multiplier(beta, dim, 1)
        return [*proved[:-1], kappa, kappa / 2, equations.free_energy(proved)]


@lru_cache(maxsize=64)
def _approached(beta: Expr, dim: int, amplitude: float) -> list[arb]:
    """The state in about 20 digits, by steps along the branch from a weak one."""
    with flint.ctx.workprec(64 + int(-2 * min(0.0, float(arb(amplitude).log())))):
        second = zonal_multiplier(beta, dim, 2) / zonal_multiplier(beta, dim, 1)
        start = min(float(1 - second) / 16, amplitude)
        x = [arb(start), arb(1)]
        for here in (start, *continuation(arb(start), amplitude)):
            found = newton_state(zonal_equations(beta, dim, 2 * x[-1]), x, here)
            if found is None:
                raise Refused("amplitude", amplitude, f"Newton's method found no state at a_1 = {here}")
            x = found
    return x
