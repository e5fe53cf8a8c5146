r"""Multipliers in closed form: the series of a weight times those of its powers, coefficient by coefficient.

A weight is a sum of terms :math:`c\,t^n e^{at}` and :math:`c\,t_+^n`, or a power series. For each kind of term the
multiplier is proved with a symbol for a; then what stands in the step has to be their sum.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import sympy as sp
from sympy.simplify.fu import TR8

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.kernels.multipliers import Multiplier
from gegenflow.theory.kernels.series import j, n
from gegenflow.theory.kernels.terms import Term, power_multiplier
from gegenflow.theory.kernels.weights import terms_of
from gegenflow.theory.proofs.algebra import equal
from gegenflow.theory.proofs.normal import vanishes
from gegenflow.theory.sphere import P, zonal_weight
from gegenflow.theory.symbols import d, k, t

if TYPE_CHECKING:
    from gegenflow.theory.proofs.steps import Step

RATE = sp.Symbol("a", positive=True)


def by_addition(step: Step) -> bool:
    r"""On the circle, where :math:`P_k(\cos\phi) = \cos k\phi`, by cosines of sums and differences."""
    first, second = sp.symbols("phi psi", real=True)
    others = step.lhs.free_symbols - {k, t}
    if len(others) != 1:
        return False
    (s,) = others
    roots = {sp.sqrt(1 - t**2): sp.sin(first), sp.sqrt(1 - s**2): sp.sin(second)}

    def cosine(degree: Expr, overlap: Expr) -> Expr:
        angle = TR8(sp.expand(overlap))
        return sp.cos(degree * angle.args[0]) if isinstance(angle, sp.cos) else sp.Dummy("other")

    written = (step.lhs - step.rhs).subs(roots).subs({t: sp.cos(first), s: sp.cos(second)}).replace(P, cosine)
    return bool(sp.expand(sp.expand_trig(sp.expand(written))) == 0)


def by_coefficients(step: Step) -> bool:
    """The integral of the weight times a harmonic is the sum of the multipliers of its terms, each by its series."""
    powers, odd, low, *halves = step.premises
    if not _as_expected(powers, odd, low) or (found := _parts(step)) is None:
        return False
    factor, weight, degree, dim = found
    if isinstance(weight, sp.Sum):
        return _is_series(step.rhs, factor * weight, degree, dim, powers)
    terms = terms_of(weight)
    if terms is None:
        return bool(step.rhs == factor * Multiplier(weight, degree, dim))
    polynomial = {term.power: term.coefficient for term in terms if term.rate == 0 and not term.half}
    found_others = [_other(term, degree, dim, halves) for term in terms if term.rate != 0 or term.half]
    others = [other for other in found_others if other is not None]
    if len(others) < len(found_others) or not equal(weight, sp.Add(*(term.weight for term in terms))):
        return False

    def expected(number: Expr) -> Expr:
        shares = (
            c * powers.rhs.subs({k: number, j: sp.Integer(n - number) / 2, d: dim}, simultaneous=True)
            for n, c in polynomial.items()
            if n >= number and (n - number) % 2 == 0
        )
        return factor * sp.Add(*shares, *(other.subs(k, number + 1) for other in others))

    if degree.is_Integer:
        return equal(step.rhs, expected(degree))
    if degree != k - 1 or not _cases(step.rhs) <= set(range(1, max(polynomial, default=-1) + 2)):
        return False
    cases = all(equal(step.rhs.subs(k, i + 1), expected(sp.Integer(i))) for i in range(max(polynomial, default=-1) + 1))
    return cases and equal(_default(step.rhs), factor * sp.Add(*others))


def _as_expected(powers: Step, odd: Step, low: Step) -> bool:
    """The premises say what the multipliers of t^(k+2j) are, and that those of all other powers vanish."""
    weight = zonal_weight()
    sides = {powers: (t ** (k + 2 * j), k), odd: (t ** (k + 2 * j + 1), k), low: (t**n, k + n)}
    fits = (one.lhs == sp.Integral(power * P(degree, t) * weight, (t, -1, 1)) for one, (power, degree) in sides.items())
    return all(fits) and odd.rhs == low.rhs == 0


def _parts(step: Step) -> tuple[Expr, Expr, Expr, Expr] | None:
    """The factor before the integral of a left side, and the weight, the degree and the dimension in it."""
    factor, integral = step.lhs.as_independent(sp.Integral, as_Add=False)
    if not isinstance(integral, sp.Integral) or integral.limits != (sp.Tuple(t, -1, 1),):
        return None
    harmonics = integral.function.atoms(P)
    if len(harmonics) > 1 or factor.has(t):
        return None
    (harmonic,) = harmonics or (sp.S.One,)
    degree, _, dim = (*harmonic.args, step.dim)[:3] if harmonics else (sp.S.Zero, t, step.dim)

    def beside(function: Expr) -> Expr:
        return sp.powsimp(function / (harmonic * zonal_weight(dim)), combine="exp", deep=False)

    cases = integral.function.args if isinstance(integral.function, sp.Piecewise) else ()
    whole = sp.Piecewise(*((beside(case), told) for case, told in cases)) if cases else beside(integral.function)
    return None if whole.has(P) else (factor, whole, degree, dim)


def _is_series(rhs: Expr, weight: Expr, degree: Expr, dim: Expr, powers: Step) -> bool:
    """The multiplier of a power series is that of its general term."""
    before, series = weight.as_independent(sp.Sum, as_Add=False)
    factor, total = rhs.as_independent(sp.Sum, as_Add=False)
    if not isinstance(total, sp.Sum) or total.limits != (sp.Tuple(j, 0, sp.oo),):
        return False
    share = powers.rhs.subs({k: degree, d: dim}, simultaneous=True)
    return equal(factor * total.function, before * (series.function / t**n).subs(n, degree + 2 * j) * share)


def _cases(expression: Expr) -> set[int]:
    """The degrees that have a case of their own."""
    tables = expression.atoms(sp.Piecewise)
    return {told.rhs for table in tables for _, told in table.args if isinstance(told, sp.Eq) and told.lhs == k}


def _default(expression: Expr) -> Expr:
    """What holds for a degree that has none."""
    return expression.xreplace({table: table.args[-1].expr for table in expression.atoms(sp.Piecewise)})


def _other(term: Term, degree: Expr, dim: Expr, halves: list[Step]) -> Expr | None:
    """The multiplier of a term that is no power of t, once it is proved; None if it is not."""
    if term.half:
        unit = Term(sp.S.One, term.power, sp.S.Zero, half=True).multiplier(degree, dim)
        return term.coefficient * unit if _is_half(unit, term.power, degree, dim, halves) else None
    sign = -1 if term.rate.could_extract_minus_sign() else 1
    unit = tilted(term.power, degree, dim, sign)
    return None if unit is None else term.coefficient * unit.subs(RATE, sign * term.rate)


def _is_half(unit: Expr, power: int, degree: Expr, dim: Expr, halves: list[Step]) -> bool:
    """The multiplier of t_+^n is that of the premises, for degrees up to n and beyond."""
    if [half.title for half in halves] != ["half powers", "low half powers"]:
        return False
    weight = zonal_weight()
    high, low = halves
    places = {high: {k: degree, n: power - degree, d: dim}, low: {k: degree - power, n: power, d: dim}}
    sides = {high: t ** (k + n) * P(k, t), low: t**n * P(k + n, t)}
    stated = all(half.lhs == sp.Integral(side * weight, (t, 0, 1)) for half, side in sides.items())
    return stated and all(equal(unit, half.rhs.subs(at, simultaneous=True)) for half, at in places.items())


@lru_cache(maxsize=256)
def tilted(power: int, degree: Expr, dim: Expr, sign: int) -> Expr | None:
    r"""The multiplier of :math:`t^n e^{\pm at}`, once it is proved; None if it is not."""
    unit = Term(sp.S.One, power, sign * RATE).multiplier(degree, dim)
    return unit if is_tilted(unit, power, degree, dim, sign) else None


def is_tilted(unit: Expr, power: int, degree: Expr, dim: Expr, sign: int) -> bool:
    r"""Whether the series in a of a sum of Bessel functions is that of the multiplier of :math:`t^n e^{\pm at}`.

    .. math:: \sum_j \frac{(\pm a)^{k+2j-n}}{(k+2j-n)!}\, w_k[t^{k+2j}], \qquad
              I_\mu(a) = \sum_j \frac{(a/2)^{\mu+2j}}{j!\,\Gamma(\mu+j+1)}

    with reciprocals of factorials that vanish where they are those of negative integers.
    """
    exponent = degree + 2 * j - power
    total = -(sign**power) * (sign**degree) * RATE**exponent / sp.gamma(exponent + 1) * power_multiplier(degree, j, dim)
    for part in sp.Add.make_args(sp.expand_mul(unit)):
        factor, bessel = part.as_independent(sp.besseli, as_Add=False)
        if not isinstance(bessel, sp.besseli) or bessel.args[1] != RATE:
            return False
        bases = (one.as_base_exp() for one in sp.Mul.make_args(factor))
        order, own = bessel.args[0], sp.Add(*(raised for base, raised in bases if base == RATE))
        shift = sp.expand((exponent - own - order) / 2 - j)
        if not (shift.is_Integer and shift <= 0):
            return False
        i = j + shift
        total += factor * (RATE / 2) ** (order + 2 * i) / (sp.gamma(i + 1) * sp.gamma(order + i + 1))
    return vanishes(total)
