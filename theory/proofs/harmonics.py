r"""Linear equations between zonal harmonics of symbolic degree, by the coefficients of their series.

.. math:: P_k^{(d)}(t) = \sum_m c_m x^m, \quad x = \tfrac{1-t}2, \quad
          c_m = \frac{(-k)_m\,(k+d-2)_m}{m!\,(\tfrac{d-1}2)_m} \qquad\text{(DLMF 18.5.9)}

Degrees and dimensions that differ by integers, the dimensions by even ones, have coefficients whose ratio is rational
in m; derivatives and factors that are polynomials in t shift m. So one rational function of m, k and d has to vanish,
and with it every coefficient of every degree. (Where a factor of a denominator is 0, as at k = 1 in dim 2, the
coefficients are limits in d, and the equation holds for them as it does beside them.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.proofs.normal import in_lowest_terms, normal_form
from gegenflow.theory.sphere import P
from gegenflow.theory.symbols import k, t

if TYPE_CHECKING:
    from gegenflow.theory.proofs.steps import Step

m, x = sp.Symbol("m", integer=True, positive=True), sp.Symbol("x", positive=True)


def by_series(step: Step) -> bool:
    """Both sides are the same combination of harmonics, times one and the same function of t."""
    difference, dim = step.lhs - step.rhs, sp.sympify(step.dim)
    kinds = {(sp.expand(harmonic.args[0] - k), _dim_of(harmonic, dim)) for harmonic in difference.atoms(P)}
    if not kinds or any(harmonic.args[1] != t for harmonic in difference.atoms(P)):
        return bool(difference == 0)
    if not all(shift.is_Integer and sp.expand((size - dim) / 2).is_Integer for shift, size in kinds):
        return False
    top = max(shift for shift, _ in kinds)
    least = min((size for _, size in kinds), key=lambda size: sp.expand(size - dim))
    tag = sp.Dummy("tag")

    def coefficient(harmonic: Expr) -> Expr:
        return tag * _ratio(harmonic.args[0] - k, _dim_of(harmonic, dim), top, least) * ((1 - t) / 2) ** m

    term = difference.replace(lambda part: isinstance(part, P), coefficient).doit()
    slope = sp.diff(term, tag)
    if slope.has(tag) or term.subs(tag, 0) != 0:
        return False
    sums = normal_form(slope.subs(t, 1 - 2 * x)).values()
    return all(_cancels(sp.Add(*parts), k + top, least) for parts in sums)


def _dim_of(harmonic: Expr, dim: Expr) -> Expr:
    return harmonic.args[2] if len(harmonic.args) == 3 else dim


def _ratio(shift: int, dim: Expr, top: int, least: Expr) -> Expr:
    """The coefficient c_m of degree k + shift and dim, divided by that of degree k + top and dim least."""
    ratio = sp.S.One
    for i in range(shift, top):
        ratio *= (m - k - i - 1) / (-k - i - 1)
    return ratio * _rising(k + shift + dim - 2, k + top + least - 2) / _rising((dim - 1) / 2, (least - 1) / 2)


def _rising(upper: Expr, lower: Expr) -> Expr:
    """(upper)_m / (lower)_m."""
    steps = int(sp.expand(upper - lower))
    if steps < 0:
        return 1 / _rising(lower, upper)
    return sp.Mul(*((lower + i + m) / (lower + i) for i in range(steps)))


def _cancels(factor: Expr, degree: Expr, dim: Expr) -> bool:
    """Whether the sum over m of factor(m, x) c_m x^m vanishes, power by power."""
    over, under = (sp.Poly(part, x) for part in in_lowest_terms(factor))
    if sp.cancel(under.as_expr() / under.LC()).has(m):
        return False
    powers = [power / under.LC() for power in over.all_coeffs()]
    highest = len(powers) - 1

    def coefficient(i: Expr, order: Expr) -> Expr:
        """That of x^order in the sum, divided by c_i."""
        shares = []
        for p in range(int(order - i) + 1):
            climbed = sp.Mul(*(_climb(i + step, degree, dim) for step in range(int(order - i) - p)))
            shares.append(powers[highest - p].subs(m, order - p) * climbed if p <= highest else sp.S.Zero)
        return sp.Add(*shares)

    sums = [coefficient(m, m + highest), *(coefficient(sp.S.Zero, sp.Integer(order)) for order in range(highest))]
    return all(in_lowest_terms(total)[0] == 0 for total in sums)


def _climb(i: Expr, degree: Expr, dim: Expr) -> Expr:
    """c_{i+1} / c_i."""
    return (i - degree) * (i + degree + dim - 2) / ((i + 1) * (i + (dim - 1) / 2))
