r"""Conclusions about integrals over the overlap: from equalities under the integral sign and values at the ends.

Each rule takes a step and what it rests on, its premises, and says whether the step follows from them. The premises are
proved by themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.kernels.series import j, n
from gegenflow.theory.proofs.algebra import END, equal
from gegenflow.theory.proofs.harmonics import m
from gegenflow.theory.proofs.normal import vanishes
from gegenflow.theory.sphere import P, laplacian_eigenvalue, zonal_laplacian, zonal_weight
from gegenflow.theory.symbols import d, k, t

if TYPE_CHECKING:
    from gegenflow.theory.proofs.steps import Step


def by_parts(step: Step) -> bool:
    r"""From :math:`P_k\,\omega = -\Phi'` and :math:`\Phi = 0` at the ends: :math:`\int W P_k\,\omega = \int W'\Phi`."""
    exact, ends = step.premises
    flux = _flux(exact, ends)
    if flux is None or not isinstance(step.lhs, sp.Integral) or step.lhs.limits != ((t, -1, 1),):
        return False
    factor, (right,) = _integrand(step.rhs)
    function = sp.cancel(step.lhs.function / exact.lhs)
    return not function.has(P) and vanishes(factor * right - (sp.diff(function, t) * flux))


def by_integration(step: Step) -> bool:
    r"""From :math:`P_k\,\omega = -\Phi'`, :math:`\Phi(1) = 0` and :math:`P_k(0)`: the integral over (0, 1)."""
    exact, ends, value = step.premises
    flux = _flux(exact, ends)
    if flux is None or step.lhs != sp.Integral(exact.lhs, (t, 0, 1)):
        return False
    return vanishes(_valued(flux.subs(t, 0), value) - step.rhs)


def _flux(exact: Step, ends: Step) -> Expr | None:
    """Phi, if one premise says that its slope is the integrand and the other that it vanishes at both ends."""
    slope = -exact.rhs
    if not isinstance(slope, sp.Derivative) or slope.variables != (t,) or ends.how != "symbolically, at both ends":
        return None
    return slope.expr if ends.lhs == sp.Subs(slope.expr, t, END) and ends.rhs == 0 else None


def _integrand(side: Expr) -> tuple[Expr, tuple[Expr]]:
    """The factor before an integral over (-1, 1) and what is integrated; 0 for 0, and what cannot match for others."""
    factor, integral = side.as_independent(sp.Integral, as_Add=False)
    if side == 0:
        return sp.S.Zero, (sp.S.Zero,)
    if isinstance(integral, sp.Integral) and integral.limits == ((t, -1, 1),):
        return factor, (integral.function,)
    return sp.S.One, (sp.Dummy("other"),)


def _valued(expression: Expr, value: Step) -> Expr:
    """P_n(0) of any degree and dimension by what a premise says of P_k(0) in dim d."""

    def of(degree: Expr, overlap: Expr, dim: Expr = d) -> Expr:
        known = value.rhs.subs({k: degree, d: dim}, simultaneous=True)
        return known if overlap == 0 and value.lhs == P(k, 0) else sp.Dummy("unknown")

    return expression.replace(P, of)


def by_recurrence(step: Step) -> bool:
    """From the recurrence of P_k at t = 0, and P_0(0) = 1, P_1(0) = 0: by induction in steps of two degrees."""
    (recurrence,) = step.premises
    if step.lhs != P(k, 0) or recurrence.rhs != (2 * k + d - 2) * t * P(k, t):
        return False
    closed = _valued(recurrence.lhs.subs(t, 0), step)
    starts = step.rhs.subs(k, 0) - 1, step.rhs.subs(k, 1)
    return vanishes(closed) and all(vanishes(start) for start in starts)


def by_induction(step: Step) -> bool:
    r"""An integral of a power times a harmonic, from :math:`\int W P_k\,\omega` by parts and its start.

    Degree and power hold the same symbol, k or n, which falls by one as the dimension rises by two; at 0 it starts.
    """
    parts, start = step.premises
    if not _for_every_function(parts) or not isinstance(step.lhs, sp.Integral) or len(step.lhs.atoms(P)) != 1:
        return False
    (harmonic,), (_, low, high) = step.lhs.atoms(P), step.lhs.limits[0]
    falling = n if harmonic.args[0].has(n) else k
    lower = {falling: falling - 1, d: d + 2}
    power = sp.powsimp(step.lhs.function / (harmonic * zonal_weight()))
    exponent = power.as_base_exp()[1]
    fits = sp.diff(harmonic.args[0], falling) == sp.diff(exponent, falling) == 1 and (low, high) in ((-1, 1), (0, 1))
    if power.as_base_exp()[0] != t or not fits or exponent.subs(falling, 0).is_nonnegative is not True:
        return False
    climbs = vanishes(exponent / d * step.rhs.subs(lower, simultaneous=True) - step.rhs)
    first = step.lhs.function.subs(falling, 0).replace(P, lambda degree, overlap: _constant(degree, overlap))
    starts = start.lhs == sp.Integral(first, step.lhs.limits[0]) and vanishes(start.rhs - step.rhs.subs(falling, 0))
    return climbs and starts


def _constant(degree: Expr, overlap: Expr) -> Expr:
    return sp.S.One if degree == 0 else P(degree, overlap)


def _for_every_function(parts: Step) -> bool:
    """Whether a premise is the integration by parts of any W."""
    W = sp.Function("W")(t)
    lhs = W * P(k, t) * zonal_weight()
    rhs = sp.Derivative(W, t) * P(k - 1, t, d + 2) * zonal_weight(d + 2)
    return bool(parts.lhs == sp.Integral(lhs, (t, -1, 1)) and parts.rhs == sp.Integral(rhs, (t, -1, 1)) / d)


def by_uniqueness(step: Step) -> bool:
    r"""The mean M of :math:`P_k(u)` over a parallel is :math:`P_k(s)P_k(t)`, u = <y, p> on it.

    The premises: the Laplacian in t of F(u) differs from the Laplacian of F at u by a derivative along the parallel, of
    a function that is 0 at its ends; so M solves the equation of :math:`P_k`. It is even in the root of 1 - t^2, hence
    a polynomial in t; and of the series at t = 1 that solve the equation one is left once their value there is known.
    """
    exact, ends, even, laplacian, series, start = step.premises
    if not isinstance(step.lhs, sp.Integral) or len(step.lhs.atoms(P)) != 1:
        return False
    (harmonic,), (r, low, high) = step.lhs.atoms(P), step.lhs.limits[0]
    u, weight = harmonic.args[1], step.lhs.function / harmonic
    F, x, root = sp.Function("F"), (1 - t) / 2, sp.Symbol("R", real=True)
    along = zonal_laplacian(F(u), evaluate=False) - sp.Subs(zonal_laplacian(F(t), evaluate=False), t, u)
    density = (1 - r**2) ** ((d - 4) / 2)
    factor, slope = exact.rhs.as_independent(sp.Derivative, as_Add=False)
    flux = slope.expr if isinstance(slope, sp.Derivative) and slope.variables == (r,) else sp.Dummy()
    whole = (F(u) * weight).subs(sp.sqrt(1 - t**2), root)
    eigenvalue, lead = laplacian_eigenvalue(k), m * (m + (d - 3) / 2)
    beyond = {m: 1 + n, d: 2 + j}
    return all(
        (
            harmonic.args[0] == k and (low, high) == (-1, 1),
            exact.lhs == along and vanishes(factor * density - 1),
            not sp.powsimp(weight / density).has(r),
            (ends.lhs, ends.rhs) == (sp.Subs(flux, r, END), 0),
            (even.lhs, even.rhs) == (sp.Subs(whole, (root, r), (-root, -r)), whole),
            equal(laplacian.lhs, -zonal_laplacian(P(k, t))) and laplacian.rhs == eigenvalue * P(k, t),
            series.lhs == zonal_laplacian(x**m, evaluate=False) + eigenvalue * x**m,
            series.rhs == lead * x ** (m - 1) - (m - k) * (m + k + d - 2) * x**m,
            sp.expand(lead.subs(beyond)).is_positive,
            start.lhs == step.lhs.subs(t, 1),
            step.rhs == start.rhs * P(k, t),
        )
    )
