r"""Noisy tokens on the circle near the uniform state: how one mode grows, and how it saturates.

The flow and its two conventions (kappa and K = kappa/2) are those of :mod:`gegenflow.theory.noise.landau`, whose
expansion of the free energy decides the same question on any sphere: does the branch leave the uniform state forwards
or backwards?
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from flint import fmpq

from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_real
from gegenflow.theory.exact.certified import Certified, certify
from gegenflow.theory.exact.integers import check_degree, check_number
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.noise.landau import bessel_quotient_root
from gegenflow.theory.symbols import beta, k, kappa


@dataclass(frozen=True)
class AmplitudeEquation:
    r"""Growth :math:`\lambda` and saturation g of one mode on the circle, :math:`\dot A = \lambda A - g |A|^2 A`.

    :param degree: degree of the mode k
    :param growth_rate: lambda, per unit of the flow's time
    :param saturation: g; the mode saturates where it is > 0
    :param slaved: B/A^2, the amplitude of the second harmonic

    Source: derived in :func:`amplitude_equation`.

    See also :func:`.amplitude_equation`.
    """

    degree: Expr
    growth_rate: Expr
    saturation: Expr
    slaved: Expr

    def _repr_latex_(self) -> str:
        rate, saturation = (latex(part) for part in (self.growth_rate, self.saturation))
        return rf"$\dot A = \left({rate}\right) A - \left({saturation}\right) |A|^2 A$"


def amplitude_equation(degree: Whole = k, beta: Real = beta, kappa: Real = kappa) -> AmplitudeEquation:
    r"""Weakly nonlinear growth of degree k on the circle, :math:`q = 1 + (A e^{ik\theta} + B e^{2ik\theta} + c.c.)`.

    The Fourier coefficients :math:`q_n` of the density obey

    .. math:: \dot q_n = -\frac{n^2}{\kappa} q_n + n \sum_m m\, w_m[W]\, q_m q_{n-m}

    and B follows A at once (:math:`\dot B = 0`), an error of higher order near the threshold. What is left is

    .. math:: \lambda = k^2 \Big(w_k - \frac1\kappa\Big), \qquad
              g = \frac{k^2 w_k\,(w_k - 2 w_{2k})}{2\,(1/\kappa - w_{2k})}, \qquad w_m = \frac{I_m(\beta)}{\beta}

    so that :math:`|A|^2 = \lambda/g` saturates if g > 0 (supercritical).

    :param degree: degree of the mode, >= 1, or a symbol (default k)
    :param beta: inverse temperature, >= 0, or a symbol (default beta)
    :param kappa: inverse noise, > 0, or a symbol (default kappa)

    At the threshold this says
    :math:`I_{2k}/I_k < 1/2`, the sign of the quartic coefficient of :func:`~gegenflow.theory.noise.landau_expansion`:

    >>> from gegenflow.theory.growth.rates import noise_threshold
    >>> from gegenflow.theory.noise.landau import landau_expansion, s
    >>> mode = amplitude_equation(1)
    >>> at_threshold = mode.saturation.subs(kappa, noise_threshold(1, 2))
    >>> ratio = sp.besseli(2, beta) / sp.besseli(1, beta)
    >>> landau = landau_expansion(dim=2).quartic.subs(s, 1).subs(sp.Symbol("r_2"), ratio)
    >>> sp.simplify(at_threshold / (8 * landau * sp.besseli(1, beta) / beta))
    1

    Raises ValueError for degree < 1, a bad beta, or a kappa that is not > 0. Source: derived here.

    See also :func:`.landau_expansion`, :func:`.supercritical_beta`, :func:`.branch`.
    """
    kappa, degree, kernel = check_kappa(kappa), check_degree(degree), Kernel.exponential(beta)
    w = {m: kernel.potential_multiplier(abs(m) * degree, 2) for m in (-2, -1, 1, 2)}
    a, conjugate, b = sp.symbols("A Abar B")
    q = {0: sp.Integer(1), 1: a, -1: conjugate, 2: b}

    def rate(n: int) -> Expr:
        drift = sum((n * m * w[m] * q[m] * q[n - m] for m in q if m and n - m in q), sp.Integer(0))
        return degree**2 * (drift - n**2 * q[n] / kappa)

    slaved = sp.solve(rate(2), b)[0]
    first = sp.expand(rate(1).subs(b, slaved))
    growth, saturation = first.coeff(a, 1).subs(conjugate, 0), -first.coeff(a, 2).coeff(conjugate, 1)
    parts = (sp.factor(part).doit() for part in (growth, saturation, slaved / a**2))
    return AmplitudeEquation(degree, *parts)


def check_kappa(kappa: Real) -> Expr:
    """The inverse noise as an exact number or an expression, or a ValueError unless it is > 0.

    >>> check_kappa("0.1"), check_kappa(sp.pi)
    (1/10, pi)
    """
    return check_real(kappa, "kappa", "the inverse noise must be a finite number > 0", above=0)


def supercritical_beta(degree: int, digits: int = 15) -> Certified:
    r"""The beta up to which the degree-k branch on the circle leaves the uniform state without a jump.

    .. math:: \frac{I_{2k}(\beta)}{I_k(\beta)} = \frac12

    The quotient is the product of the ratios :math:`R_\nu`, :math:`\nu = k, \dots, 2k-1`, each of which increases from
    0 to 1 in beta, so the root is unique; the branch is supercritical below it and subcritical above.

    :param degree: degree of the branch, >= 1
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> from gegenflow.theory.noise.landau import tricritical_beta
    >>> supercritical_beta(1, digits=12) == tricritical_beta(2, digits=12)
    True
    >>> supercritical_beta(3, digits=12)
    [19.7856865187 +/- 3.6e-11]

    Raises ValueError for degree < 1, a symbolic degree, or digits < 1. Source: derived here.

    See also :func:`.tricritical_beta`, :func:`.branch_fold`.
    """
    degree = check_number("degree", check_degree(degree))
    return certify(lambda: bessel_quotient_root(fmpq(degree), degree, fmpq(1, 2)), digits)
