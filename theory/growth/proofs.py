r"""Ways to verify an equality of a derivation by computer: by algebra where sympy can, at 50 digits where it cannot.

Each proof takes the two sides, in which ``P(k, t)`` stands for the zonal harmonic of symbolic degree, and the dimension
(a symbol or a number), and says whether the sides are equal. :data:`PROOFS` names them as the reader sees them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import product

import mpmath
import sympy as sp

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.kernels.multipliers import Multiplier
from gegenflow.theory.kernels.terms import by_degree
from gegenflow.theory.sphere import P, gegenbauer, zonal_weight
from gegenflow.theory.symbols import d, k, t

r = sp.Symbol("r", real=True)
SMALL_DEGREES = range(1, 6)
DEGREES, DIMS, VALUES = (1, 2, 7), (2, 3, 8), ("1/3", "15")
DIGITS, GUARD = 50, 30
KINKED = (sp.DiracDelta, sp.Heaviside, sp.Max, sp.Min, sp.Abs, sp.sign, sp.Piecewise)


def by_algebra(lhs: Expr, rhs: Expr, dim: Expr) -> bool:
    """Simplify the difference to zero, every symbol free; with a kink or jump at t = 0 on either side of it."""
    difference = by_degree((lhs - rhs).doit())
    if isinstance(difference, sp.Piecewise) and not difference.has(t):
        return all(_vanishes(case) for case, _ in difference.args)
    return all(_vanishes(part) for part in (_sides(difference) if difference.has(*KINKED) else [difference]))


def _vanishes(expression: Expr) -> bool:
    return bool(sp.simplify(sp.gammasimp(sp.powsimp(sp.expand(sp.expand_func(expression))))) == 0)


def _sides(expression: Expr) -> list[Expr]:
    """The expression for t > 0, for t < 0, and what a delta function at t = 0 stands with: all of it if all are 0."""
    away, spike = sp.Dummy("away", positive=True), sp.Dummy("spike")
    expanded = sp.expand(expression).subs(sp.DiracDelta(t), spike)
    if expanded.has(sp.DiracDelta):
        return [sp.Integer(1)]
    smooth, jump = expanded.coeff(spike, 0), expanded.coeff(spike, 1)
    return [smooth.subs(t, away), smooth.subs(t, -away), jump.subs(t, 0)]


def by_series(lhs: Expr, rhs: Expr, dim: Expr) -> bool:
    r"""A linear differential equation for P_k, by the coefficients of its hypergeometric series, k and d symbols.

    .. math:: P_k(t) = \sum_m c_m x^m, \quad x = \tfrac{1-t}2, \quad
              \frac{c_{m+1}}{c_m} = \frac{(m-k)(m+k+d-2)}{(m+1)(m+\frac{d-1}2)} \qquad\text{(DLMF 18.5.9)}
    """
    m, x = sp.Symbol("m", integer=True, positive=True), sp.Symbol("x", positive=True)
    if any(harmonic.args != (k, t) for harmonic in (lhs - rhs).atoms(P)):
        return False
    term = (lhs - rhs).replace(P, lambda degree, overlap: ((1 - overlap) / 2) ** m).doit().subs(t, 1 - 2 * x)
    powers = sp.collect(sp.expand(sp.simplify(term / x**m)), x, evaluate=False)
    if not set(powers) <= {sp.S.One, 1 / x}:
        return False
    ratio = (m - k) * (m + k + dim - 2) / ((m + 1) * (m + (dim - 1) / sp.Integer(2)))
    same, lower = powers.get(sp.S.One, sp.S.Zero), powers.get(1 / x, sp.S.Zero)
    return bool(sp.simplify(same + ratio * lower.subs(m, m + 1)) == 0)


def by_polynomials(lhs: Expr, rhs: Expr, dim: Expr) -> bool:
    r"""Write out P_k for small k, integrate powers of r by :math:`\langle r^{2m}\rangle = (1/2)_m/((d-1)/2)_m`."""

    def mean(integrand: Expr, limits: Expr) -> Expr:
        polynomial = sp.Poly(sp.expand(sp.simplify(integrand / zonal_weight(dim - 1, r))), r)
        moments = {
            power: sp.rf(sp.Rational(1, 2), power // 2) / sp.rf(sp.Rational(1, 2) * (dim - 1), power // 2)
            for (power,) in polynomial.monoms()
        }
        return sum(c * moments[power] for (power,), c in polynomial.terms() if power % 2 == 0)

    def difference(degree: int) -> Expr:
        written = (lhs - rhs).subs(k, degree).replace(P, lambda n, x: gegenbauer(n, dim, x))
        return written.replace(sp.Integral, mean)

    return all(sp.factor(difference(degree)) == 0 for degree in SMALL_DEGREES)


def by_quadrature(lhs: Expr, rhs: Expr, dim: Expr) -> bool:
    """An integral over the overlap against a closed form, at 50 digits on sampled degrees, dimensions, parameters."""
    if rhs.has(sp.Integral, Multiplier):
        raise Refused("kernel", rhs, "a derivation is checked against a closed form, which this kernel has not")
    names = sorted((lhs.free_symbols | rhs.free_symbols) - {k, d, t}, key=str)
    dims = DIMS if dim == d else (dim,)
    degrees = DEGREES if lhs.has(k) or rhs.has(k) else (1,)
    with mpmath.workdps(DIGITS + GUARD):
        for degree, n, values in product(degrees, dims, product(VALUES, repeat=len(names))):
            sample = {k: degree, d: n, **{name: sp.Rational(value) for name, value in zip(names, values, strict=True)}}
            left = _integrate(lhs.subs(sample), n)
            right = mpmath.mpmathify(sp.N(rhs.subs(sample).doit(), DIGITS + GUARD))
            if not abs(left - right) <= mpmath.mpf(10) ** -DIGITS * max(abs(right), mpmath.mpf(10) ** -GUARD):
                return False
    return True


def _integrate(integral: Expr, dim: int) -> mpmath.mpf:
    """An integral of the form c int g(t) omega(t) dt, by t = cos(phi), which takes the singular ends away."""
    factor, integral = integral.as_independent(sp.Integral, as_Add=False)
    integrand = integral.function.replace(P, lambda degree, x: gegenbauer(degree, dim, x)) / zonal_weight(dim)
    value = sp.lambdify(t, sp.powsimp(integrand.doit()), "mpmath")
    half_circle = [0, mpmath.pi / 2, mpmath.pi]
    total = mpmath.quad(lambda phi: value(mpmath.cos(phi)) * mpmath.sin(phi) ** (dim - 2), half_circle)
    return mpmath.mpmathify(sp.N(factor * zonal_weight(dim, sp.Integer(0)), DIGITS + GUARD)) * total


@lru_cache(maxsize=512)
def proved(how: str, lhs: Expr, rhs: Expr, dim: Expr) -> bool:
    """Whether a proof, told by its name in :data:`PROOFS`, goes through; the same equality is proved once."""
    return PROOFS[how](lhs, rhs, dim)


PROOFS: dict[str, Callable[[Expr, Expr, Expr], bool]] = {
    "symbolically": by_algebra,
    "symbolically, term by term": by_series,
    f"symbolically, degrees 1 to {SMALL_DEGREES[-1]}": by_polynomials,
    f"at {DIGITS} digits on samples": by_quadrature,
}
