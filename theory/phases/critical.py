r"""The critical inverse temperatures of the exponential kernel, where degree k+1 overtakes degree k.

The boundary between degrees k and k+1 is where their growth rates cross, the same for USA and SA:

.. math:: R_\nu(\beta_k) = c_k, \qquad R_\nu(b) = \frac{I_{\nu+1}(b)}{I_\nu(b)}, \quad \nu = k + \tfrac d2 - 1,
          \quad c_k = \frac{L_k}{L_{k+1}} .

Completeness of a table of them is proved in :mod:`gegenflow.theory.phases.diagram`.
"""

from __future__ import annotations

import flint
from flint import arb, fmpq

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.exact.certified import Certified, certify
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_degree, check_dim, check_number
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.sphere import laplacian_eigenvalue

MOST_BITS = 2**14
"""Bits to which an irrational beta is compared with a boundary."""


def critical_beta(degree: int, dim: int, digits: int = 15) -> Certified:
    r"""Inverse temperature :math:`\beta_k` at which degree k+1 overtakes degree k, certified.

    The root of :math:`R_\nu(b) = L_k/L_{k+1}` (:mod:`gegenflow.theory.phases.diagram` says why there is exactly one),
    enclosed by ball Newton steps from :func:`critical_beta_bounds`.

    :param degree: degree of the harmonic that is overtaken, >= 1
    :param dim: d of the sphere S^{d-1}, >= 2
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> critical_beta(2, dim=3, digits=20)
    [4.4252930123955991963 +/- 4.5e-20]
    >>> from gegenflow.theory.growth.rates import growth_rate
    >>> rates = [float(growth_rate(k, 3, "4.4252930124", digits=17)) for k in (2, 3)]
    >>> rates[0] < rates[1] < rates[0] * (1 + 1e-11)              # 3 has just overtaken 2
    True

    Raises Refused for degree < 1, dim < 2 or digits < 1. Source: arXiv 2410.23228; enclosure derived here.

    See also :func:`.critical_beta_bounds`, :func:`.critical_beta_sharp_bounds`, :func:`.critical_beta_series`,
    :func:`.critical_table`, :func:`.phase`.
    """
    degree, dim = check_number("degree", check_degree(degree)), check_number("dim", check_dim(dim))
    return certify(lambda: _enclose_root(degree, dim), digits)


def critical_beta_bounds(degree: int, dim: int) -> tuple[float, float]:
    r"""Elementary bounds :math:`\beta_k^- < \beta_k < \beta_k^+`, rounded outwards.

    With :math:`c = L_k/L_{k+1}`, :math:`a = k + (d-1)/2`:

    .. math:: \beta_k^- = \frac{2ca}{1-c^2}, \qquad
              \beta_k^+ = \frac{c}{1-c^2}\left(a + \sqrt{a^2 + (1-c^2)(2a+1)}\right)

    :param degree: degree of the harmonic that is overtaken, >= 1
    :param dim: d of the sphere S^{d-1}, >= 2

    >>> lower, upper = critical_beta_bounds(3, dim=8)
    >>> lower < float(critical_beta(3, dim=8)) < upper, upper / lower < 1.06
    (True, True)

    Raises Refused for degree < 1 or dim < 2. Source: the bounds of Amos 1974, solved here.

    See also :func:`.critical_beta_sharp_bounds`.
    """
    with flint.ctx.workprec(64):
        lower, upper = _amos_bracket(check_number("degree", check_degree(degree)), check_number("dim", check_dim(dim)))
        return float(lower.lower()) * (1 - 2**-52), float(upper.upper()) * (1 + 2**-52)


def _boundary_ratio(degree: int, dim: int) -> fmpq:
    return fmpq(laplacian_eigenvalue(degree, dim), laplacian_eigenvalue(degree + 1, dim))


def _amos_bracket(degree: int, dim: int) -> tuple[arb, arb]:
    c, a = _boundary_ratio(degree, dim), fmpq(2 * degree + dim - 1, 2)
    gap = 1 - c * c
    return arb(2 * c * a / gap), (arb(a) + arb(a * a + gap * (2 * a + 1)).sqrt()) * (c / gap)


def bessel_ratio(order: fmpq, argument: arb) -> arb:
    """The ratio R = I_{order+1}/I_order in balls; the scale e^{-argument} cancels, so nothing overflows."""
    return argument.bessel_i(arb(order + 1), scaled=True) / argument.bessel_i(arb(order), scaled=True)


def _enclose_root(degree: int, dim: int) -> arb:
    r"""Ball Newton: X -> X with m - (R(m) - c)/R'(X), m the midpoint of X, until the precision is used up.

    No step loses the root: R'(X) lies within R'(m) + R''(X) (X - m), R'(m) comes from the Riccati equation and R'' from
    :func:`_ratio_bend`. A step about doubles the correct bits.
    """
    c, order = _boundary_ratio(degree, dim), fmpq(2 * degree + dim - 2, 2)
    a, wanted = order + fmpq(1, 2), flint.ctx.prec
    lower, upper = _amos_bracket(degree, dim)
    enclosure, stuck = lower.union(upper), False
    while True:
        bits = enclosure.rel_accuracy_bits()
        precision = wanted if stuck else min(wanted, 2 * max(bits, 8) + 40)
        with flint.ctx.workprec(precision):
            middle, below = arb(enclosure.mid()), arb(enclosure.lower())
            ratio = bessel_ratio(order, middle)
            slope = 1 - 2 * a * ratio / middle - ratio**2 + _ratio_bend(a, below) * arb(0, enclosure.rad())
            if slope > 0:
                step = enclosure.intersection(middle - (ratio - c) / slope)
            elif ratio < c:
                step = enclosure.intersection(middle.union(upper))
            elif ratio > c:
                step = enclosure.intersection(middle.union(lower))
            else:
                step, stuck = enclosure, True
        reached = step.rel_accuracy_bits()
        if reached >= wanted - 12 or (precision == wanted and reached <= bits + 1):
            return step
        enclosure = step


def _ratio_bend(a: fmpq, argument: arb) -> arb:
    r"""A ball around R'' at every argument above this one, a = order + 1/2.

    With :math:`0 < R < 1` and :math:`0 < R' < s = (2a+1)/(a + \sqrt{(a+1)^2 + b^2})^2` (the lower bound of Amos in
    the Riccati equation) the derivative of that equation gives :math:`-2(a/b + 1)s < R'' < 2a/b^2`.
    """
    steepest = (2 * a + 1) / (a + ((a + 1) ** 2 + argument**2).sqrt()) ** 2
    return (-2 * (a / argument + 1) * steepest).union(2 * a / argument**2)


def is_above(beta: Expr, degree: int, dim: int) -> bool:
    """Whether beta > beta_k: by the Amos bounds, or by the sign of R(beta) - c, which is never 0 for a rational beta.

    R(p/q) is irrational: its continued fraction (DLMF 10.33.1) has, cleared of denominators, fixed numerators p^2 and
    growing integer denominators, to which Legendre's criterion applies. A ball may hold the boundary: then no precision
    tells, and it is refused.
    """
    order, c = fmpq(2 * degree + dim - 2, 2), _boundary_ratio(degree, dim)
    precision = 64 + 2 * int(beta.p).bit_length() if beta.is_Rational else 64
    while beta.is_Rational or precision <= MOST_BITS:
        with flint.ctx.workprec(precision):
            lower, upper = _amos_bracket(degree, dim)
            argument = enclose(beta)
            if argument < lower or argument > upper:
                return bool(argument > upper)
            difference = bessel_ratio(order, argument) - c
        if not difference.contains(0):
            return bool(difference > 0)
        precision *= 2
    raise Refused("beta", beta, f"the number is too close to the boundary of degree {degree}, or known too coarsely")
