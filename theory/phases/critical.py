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
    in a ball that is proved to hold one and steps that triple its digits.

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
    """A ball around the root: one that is proved to hold it, then steps that each triple the bits that are right.

    In a dim too huge for Bessel functions it is that between the bounds of Amos, which are close there.
    """
    c, order = _boundary_ratio(degree, dim), fmpq(2 * degree + dim - 2, 2)
    here, after = laplacian_eigenvalue(degree, dim), laplacian_eigenvalue(degree + 1, dim)
    wanted, lost = flint.ctx.prec, 2 * (here + after).bit_length()  # R' is about order/b^2
    with flint.ctx.workprec(64 + lost):
        middle = _settle(_guess_root(here, after), c, order)
    for width in range(46, 0, -6):
        with flint.ctx.workprec(max(64, min(wanted, 3 * width)) + lost):
            enclosure = middle + arb(0, 2.0**-width)
            step = _contracted(enclosure, c, order)
        if enclosure.contains_interior(step):
            break
    else:
        lower, upper = _amos_bracket(degree, dim)
        return lower.union(upper)
    while (bits := step.rel_accuracy_bits()) < wanted - 12 and bits > enclosure.rel_accuracy_bits() + 1:
        enclosure = step
        with flint.ctx.workprec(min(wanted, 3 * bits + 40) + lost):
            step = enclosure.intersection(_contracted(enclosure, c, order))
    return step


def _guess_root(here: int, after: int) -> arb:
    """Between the bounds of :func:`.critical_beta_sharp_bounds`, where their q is one."""
    product, total, squares = here * after, here + after, here**2 + after**2
    bend = arb(4 * product**2 * total) / arb(squares) ** 4
    return arb((product * (1 / arb(total) + 1 / arb(squares) + bend)).mid())


def _settle(guess: arb, c: fmpq, order: fmpq) -> arb:
    """A number within about 1e-15 of the root, by Halley's steps, of which each needs one ratio: it proves nothing."""
    for _ in range(6):
        gap = bessel_ratio(order, guess) - c
        first, second, _ = _ratio_slopes(order, guess, gap + c)
        step = gap / (first - gap * second / (2 * first))
        guess = arb((guess - step).mid())
        if abs(step) < 1e-5:  # what is left is its cube, or less
            break
    return guess


def _contracted(enclosure: arb, c: fmpq, order: fmpq) -> arb:
    r"""The values of x - (R(x) - c)/R'(m) for x in a ball around m, which holds the roots in the ball.

    If they lie inside the ball there is one.  With x = m + h and some :math:`\xi` in the ball they are

    .. math:: m - \frac{R(m) - c + \frac12 R''(m) h^2 + \frac16 R'''(\xi) h^3}{R'(m)}

    and what they leave of the ball is sent on at once.  :math:`R(\xi)` comes from
    :math:`0 < R' < (2a+1)/(a + \sqrt{(a+1)^2 + b^2})^2`, :math:`a = \nu + \frac12`: the lower bound of Amos in the
    Riccati equation.
    """
    middle, a = arb(enclosure.mid()), order + fmpq(1, 2)
    shift = enclosure - middle
    ratio = bessel_ratio(order, middle)
    first, second, _ = _ratio_slopes(order, middle, ratio)
    steepest = (2 * a + 1) / (a + ((a + 1) ** 2 + enclosure**2).sqrt()) ** 2
    third = _ratio_slopes(order, enclosure, ratio + shift * steepest)[2]
    moved = shift
    for _ in range(3):
        moved = (c - ratio - (second / 2 + third * moved / 6) * moved * moved) / first
        if not shift.contains_interior(moved):
            break
    return middle + moved


def _ratio_slopes(order: fmpq, argument: arb, ratio: arb) -> tuple[arb, arb, arb]:
    r"""Three derivatives of R, from its Riccati equation :math:`R' = 1 - (2\nu+1)R/b - R^2` (DLMF 10.29.2)."""
    twice = 2 * order + 1
    rest = ratio / argument
    first = 1 - twice * rest - ratio**2
    rest_slope = (first - rest) / argument
    second = -twice * rest_slope - 2 * ratio * first
    third = -twice * (second - 2 * rest_slope) / argument - 2 * (first**2 + ratio * second)
    return first, second, third


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
