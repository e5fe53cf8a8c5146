r"""Noisy tokens near the uniform state: the threshold, and the order of the transition.

With noise, :math:`dX = \text{drift}\,dt + \sqrt{2/\kappa}\,dW` (USA), the density q against the uniform probability
descends the free energy

.. math:: F_K[q] = \int q \log q - K \iint W(\langle x, y\rangle)\, q\, q, \qquad W(t) = e^{\beta t}/\beta,
          \qquad \kappa = 2K

and a stationary density is :math:`q = e^{\kappa W * q}/Z`. Two conventions are in use, the noise :math:`\kappa` and the
coupling K = kappa/2 of arXiv 2606.05140 and 2604.16288 (no factor 1/2 before the double integral, hence the 2); the
ratio to the threshold, :math:`s = \kappa/\kappa_k = K/K_k`, is the same in both.
"""

from __future__ import annotations

from dataclasses import dataclass

import flint
import sympy as sp
from flint import arb, fmpq

from gegenflow.theory.exact.arguments import Expr, Real, Whole
from gegenflow.theory.exact.certified import Certified, certify, certify_at
from gegenflow.theory.exact.integers import check_degree, check_dim, check_number
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.growth.rates import noise_threshold, threshold_ball
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.sphere import gegenbauer
from gegenflow.theory.symbols import beta, d, t

s = sp.Symbol("s", positive=True)


def coupling_threshold(
    degree: Whole = 1, dim: Whole = d, beta: Real = beta, *, digits: int | None = None
) -> Expr | Certified:
    r"""The noise threshold as a coupling, :math:`K_k = \kappa_k/2`; degree 1 gives the linear one, :math:`K_\#`.

    .. math:: K_\# = \frac{\beta^{d/2}}{2^{d/2}\,\Gamma(d/2)\, I_{d/2}(\beta)}

    :param degree: degree of the harmonic, >= 1, or a symbol (default 1)
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)
    :param beta: inverse temperature, >= 0, or a symbol (default beta)
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    >>> sp.simplify(coupling_threshold() * 2 ** (d / 2) * sp.gamma(d / 2) * sp.besseli(d / 2, beta) / beta ** (d / 2))
    1
    >>> coupling_threshold(1, 2, 3, digits=12)
    [0.379423104215 +/- 5.0e-13]

    Raises ValueError as :func:`~gegenflow.theory.growth.noise_threshold`. Source: arXiv 2606.05140.

    See also :func:`.noise_threshold`, :func:`.phase_transition`.
    """
    if digits is None:
        return sp.sympify(noise_threshold(degree, dim, beta)) / 2
    kernel, degree, dim = Kernel.exponential(beta), check_degree(degree), check_dim(dim)
    return certify_at("beta", beta, lambda: threshold_ball(kernel, degree, dim) / 2, digits)


@dataclass(frozen=True)
class Landau:
    r"""Coefficients of :math:`F - F_0 = F_2\varepsilon^2 + F_3\varepsilon^3 + F_4\varepsilon^4 + \dots`.

    They hold s = :math:`\kappa/\kappa_k = K/K_k` and the symbols r_j = :math:`w_j[W]/w_k[W]`.

    :param degree: degree of the perturbation k
    :param dim: d of the sphere S^{d-1}, or a symbol
    :param quadratic: F_2
    :param cubic: F_3
    :param quartic: F_4

    Source: derived in :func:`landau_expansion`.

    See also :func:`.landau_expansion`.
    """

    degree: int
    dim: Expr
    quadratic: Expr
    cubic: Expr
    quartic: Expr

    def _repr_latex_(self) -> str:
        powers = enumerate((self.quadratic, self.cubic, self.quartic), 2)
        terms = (rf"\left({latex(part)}\right)\varepsilon^{n}" for n, part in powers if part != 0)
        return f"$F - F_0 = {' + '.join(terms)} + \\dots$"


def landau_expansion(degree: int = 1, dim: Whole = d) -> Landau:
    r"""Free energy of a zonal perturbation of degree k, once the other degrees have settled to their minimum.

    .. math:: q = 1 + \varepsilon p + \varepsilon^2 \sum_{j \ne k} y_j P_j + \dots, \qquad
              p = P_k \Big/ \sqrt{\textstyle\int P_k^2}, \qquad \varepsilon = \int q\,p

    With :math:`q \log q` expanded about 1, each y_j enters at fourth order as
    :math:`\frac12 (1 - s r_j) \int P_j^2\, y_j^2 - \frac12 \int p^2 P_j\, y_j`, whose minimum leaves

    .. math:: F_2 = \frac{1-s}{2}, \qquad F_3 = -\frac16 \int p^3, \qquad
              F_4 = \frac1{12} \int p^4 - \frac18 \sum_{j} \frac{(\int p^2 P_j)^2}{(1 - s r_j) \int P_j^2}

    over j = 2, 4, ..., 2k without k. For degree 1 the quartic coefficient vanishes at the threshold s = 1 where
    :math:`w_2/w_1 = 1/d`: the transition is continuous below that ratio and discontinuous above.

    :param degree: degree of the perturbation, >= 1 (default 1); above 5 it takes minutes where dim is a symbol
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)

    >>> one = landau_expansion()
    >>> one.quadratic, one.cubic, one.quartic
    (1/2 - s/2, 0, (d*r_2*s - 1)/(4*(d + 2)*(r_2*s - 1)))

    Even degrees have a cubic term on every sphere but the circle, so their transition is discontinuous:

    >>> landau_expansion(2).cubic
    -sqrt(2)*(d - 2)*sqrt(d + 2)/(3*sqrt(d - 1)*(d + 4))
    >>> landau_expansion(2, dim=2).cubic, landau_expansion(3, dim=5).cubic
    (0, 0)

    For degree 1 every perturbation of that degree is zonal; for higher degrees only dim 2 leaves no other.

    Raises ValueError for degree < 1, a symbolic degree, or dim < 2. Source: arXiv 2606.05140 for the criterion;
    the coefficients are derived here.

    See also :func:`.amplitude_equation`, :func:`.tricritical_beta`.
    """
    degree, dim = check_degree(degree), check_dim(dim)
    if isinstance(degree, sp.Expr) and degree.free_symbols:
        raise Refused("degree", degree, "the expansion needs the degree as a number")
    degree = int(degree)
    profile = {j: sp.Poly(gegenbauer(j, dim), t) for j in range(2 * degree + 1)}
    norm = {j: sp.factor(_mean(profile[j] ** 2, dim)) for j in profile}
    square = profile[degree] ** 2
    quartic = _mean(square**2, dim) / (12 * norm[degree] ** 2)
    for j in set(range(2, 2 * degree + 1, 2)) - {degree}:
        overlap = sp.factor(_mean(square * profile[j], dim)) / norm[degree]
        quartic -= overlap**2 / (8 * (1 - s * sp.Symbol(f"r_{j}")) * norm[j])
    cubic = sp.factor(-_mean(square * profile[degree], dim) / (6 * norm[degree] ** 2)) * sp.sqrt(norm[degree])
    return Landau(degree, dim, (1 - s) / 2, cubic, sp.factor(quartic))


def _mean(polynomial: sp.Poly, dim: Expr) -> Expr:
    r"""Average of a polynomial in t over the sphere, by :math:`\int t^{2m} = (1/2)_m / (d/2)_m`."""
    half = sp.Rational(1, 2)
    moments = ((a, n // 2) for (n,), a in polynomial.terms() if n % 2 == 0)
    return sum((a * sp.rf(half, m) / sp.rf(half * dim, m) for a, m in moments), sp.Integer(0))


def tricritical_beta(dim: int, digits: int = 15) -> Certified:
    r"""The :math:`\beta_*` up to which the transition is continuous, and above which it is discontinuous.

    .. math:: \frac{w_2[W]}{w_1[W]} = \frac{I_{d/2+1}(\beta_*)}{I_{d/2}(\beta_*)} = \frac1d

    the zero of the quartic coefficient of :func:`landau_expansion`. The left side increases from 0 to 1 in beta (proof
    in :mod:`gegenflow.theory.phases.diagram`), so there is exactly one.

    :param dim: d of the sphere S^{d-1}, >= 2
    :param digits: significant digits to certify, >= 1 (default 15)

    On the sphere in dim 3 it is also where degree
    2 begins to grow faster than degree 1 without noise, since :math:`L_1/L_2 = 1/3`:

    >>> from gegenflow.theory.phases.critical import critical_beta
    >>> tricritical_beta(3, digits=30) == critical_beta(1, 3, digits=30)
    True
    >>> tricritical_beta(2, digits=20)
    [2.4469183112890461309 +/- 4.0e-21]

    Raises ValueError for dim < 2, a symbolic dim, or digits < 1. Source: arXiv 2606.05140; enclosure derived here.

    See also :func:`.phase_transition`, :func:`.supercritical_beta`.
    """
    dim = check_number("dim", check_dim(dim))
    return certify(lambda: bessel_quotient_root(fmpq(dim, 2), 1, fmpq(1, dim)), digits)


def bessel_quotient_root(order: fmpq, steps: int, level: fmpq) -> arb:
    r"""The b > 0 at which :math:`Q(b) = I_{\nu+n}(b)/I_\nu(b)` passes a level between 0 and 1; Q increases from 0 to 1.

    Newton's method, with :math:`Q'/Q = R_{\nu+n} - R_\nu + n/b` (DLMF 10.29.2), finds the root; what proves it is that
    Q lies below the level at the left end of the ball returned and above it at the right end.

    >>> order, steps, level = fmpq(1, 2), 1, fmpq(1, 3)                  # I_{3/2}/I_{1/2} = coth b - 1/b
    >>> b = bessel_quotient_root(order, steps, level)
    >>> (1 / b.tanh() - 1 / b).contains(arb(1) / 3), b.rad() < 1e-13
    (True, True)

    Source: derived here.
    """

    def bessel(extra: int, b: arb) -> arb:
        return b.bessel_i(arb(order + extra), scaled=True)

    low, high = arb(0), arb(1)
    while not bessel(steps, high) > level * bessel(0, high):
        low, high = high, 2 * high
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if bessel(steps, middle) > level * bessel(0, middle) else (middle, high)
    root = high
    for _ in range(flint.ctx.prec.bit_length()):
        quotient = bessel(steps, root) / bessel(0, root)
        slope = bessel(steps + 1, root) / bessel(steps, root) - bessel(1, root) / bessel(0, root) + steps / root
        root = arb((root - (1 - level / quotient) / slope).mid())
    radius = root * arb(2) ** -flint.ctx.prec
    while radius < root:
        left, right = root - radius, root + radius
        if bessel(steps, left) < level * bessel(0, left) and bessel(steps, right) > level * bessel(0, right):
            return left.union(right)
        radius *= 2
    return arb.pos_inf()
