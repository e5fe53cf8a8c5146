"""Integrals over the overlap, enclosed in balls: the multipliers of a weight that has no closed form."""

from __future__ import annotations

import flint
import sympy as sp
from flint import acb, arb, fmpq

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.exact.enclosures import Values, _evaluate, enclose
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.kernels.weights import in_half_powers
from gegenflow.theory.sphere import zonal_weight
from gegenflow.theory.symbols import t

SINE, COSINE = sp.Dummy("sine", positive=True), sp.Dummy("cosine", positive=True)
KINKED = (sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.Piecewise)
MOST_BITS = {True: 600, False: 6000}
"""Bits of an integral of a weight with kinks or jumps, and without: it takes seconds there."""


class TooFine(Refused):
    """More bits than an integral is worked out to."""


def zonal_integral(function: Expr, degree: int, dim: int, values: Values | None = None) -> arb:
    r"""A ball around :math:`\int_{-1}^1 g(t)\,P_k(t)\,\omega(t)\,dt`, integrated in balls over :math:`t = \cos\phi`.

    Kinks and jumps of g cost time, not correctness; roots of :math:`1 \pm t` are analytic in half the angle.

    >>> zonal_integral(sp.exp(2 * t), 1, 2).overlaps(arb(2).bessel_i(1))
    True
    >>> zonal_integral(sp.Abs(t), 2, 3).contains(fmpq(1, 8))           # int_0^1 t (3 t^2 - 1)/2 dt
    True
    >>> zonal_integral(sp.sqrt(1 - t**2), 0, 3).overlaps(arb.pi() / 4)
    True

    Raises Refused where g cannot be enclosed and beyond 600 bits (a g with kinks or jumps) or 6000, ArithmeticError
    where the integral is not finite.
    Source: derived here; the integration is that of F. Johansson, arXiv 1802.07942.
    """
    most = MOST_BITS[bool(function.has(*KINKED))]
    if flint.ctx.prec > most:
        allowed = f"its integral is worked out to {most} bits at most; it may be 0, or ask for fewer digits"
        raise TooFine("kernel", function, allowed)
    regular = _regular(in_half_powers(function))
    known = {symbol: acb(value) for symbol, value in (values or {}).items()}
    widths = [value.real.rad() for value in known.values()]
    goal = max([arb(2) ** -flint.ctx.prec, *widths], key=float)

    def integrand(angle: acb, analytic: bool) -> acb:
        overlap = angle.cos()
        halves = {SINE: (angle / 2).sin(), COSINE: (angle / 2).cos()}
        value = _evaluate(regular, {**known, **halves, t: overlap}, analytic)
        if angle.imag.is_zero() and value.is_finite() and not value.imag.contains(0):
            complex_values.append(angle)
        return value * _harmonic(degree, dim, angle, overlap) * angle.sin() ** (dim - 2)

    complex_values: list[acb] = []
    total = acb.integral(integrand, 0, acb.pi(), rel_tol=goal, abs_tol=goal).real
    if complex_values:
        raise Refused("kernel", function, "it is not real everywhere on -1 < t < 1")
    if not total.is_finite():
        raise ArithmeticError(f"the integral of {function} over the sphere could not be enclosed")
    return total * enclose(zonal_weight(dim, sp.Integer(0)))


def _regular(function: Expr) -> Expr:
    """The weight with the roots of 1 - t and 1 + t in sin(phi/2) and cos(phi/2), t = cos(phi)."""

    def root(base: Expr, exponent: Expr) -> Expr:
        if exponent.is_Integer or not base.has(t) or not base.is_polynomial(t):
            return base**exponent
        rest, smooth = base, sp.Integer(1)
        for factor, half in ((1 - t, SINE), (1 + t, COSINE)):
            while rest.subs(t, sp.solve(factor, t)[0]) == 0:
                rest, smooth = sp.cancel(rest / factor), smooth * 2**exponent * half ** (2 * exponent)
        return smooth * rest**exponent

    return function.replace(sp.Pow, root) if function.has(sp.Pow) else function


def _harmonic(degree: int, dim: int, angle: acb, overlap: acb) -> acb:
    """P_k(cos(angle))."""
    if dim == 2:
        return (degree * angle).cos()
    index = fmpq(dim - 2, 2)
    return overlap.gegenbauer_c(degree, index) / acb(1).gegenbauer_c(degree, index)
