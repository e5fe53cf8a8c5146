r"""The mean-field equation order by order in the amplitude of one zonal harmonic.

With :math:`f = 1 + \sum_n \varepsilon^n f_n`, each :math:`f_n = \sum_k a_{n,k}(t)\,P_k` is a sum of terms
:math:`c\,t^p e^{\mu t}`, where :math:`\mu` is a sum of growth rates. A term is a pair (degrees, p), where the degrees
(1, 1, 2) stand for :math:`\mu = 2\gamma_1 + \gamma_2`, so that terms are told apart exactly. The coefficients c are
balls or expressions, whichever the growth rates are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import factorial
from typing import Any

from gegenflow.theory.sphere import laplacian_eigenvalue

Degrees = tuple[int, ...]
Sum = dict[tuple[Degrees, int], Any]
Modes = dict[int, Sum]


@dataclass(frozen=True)
class Rates:
    r"""What the flow does to each degree, as balls or as expressions.

    ``growth`` is :math:`\gamma_k`; ``multiplier`` :math:`\lambda_k = w_k[W]` of the potential, over :math:`w_0` in SA;
    ``normaliser`` :math:`\rho_k = w_k/w_0` in SA, where :math:`h*f = w_0 (1 + \sum_k \rho_k a_k P_k)`, and 0 in USA.
    """

    growth: Callable[[int], Any]
    multiplier: Callable[[int], Any]
    normaliser: Callable[[int], Any]
    resonant: Callable[[Degrees, int], bool]

    def gap(self, degrees: Degrees, degree: int) -> Any:
        """The sum of the growth rates of the degrees less that of one: exactly 0 at resonance."""
        return 0 if self.resonant(degrees, degree) else sum(map(self.growth, degrees)) - self.growth(degree)


def recurrence(order: int, degree: int, dim: int, rates: Rates) -> list[Modes]:
    r"""The modes :math:`a_{n,k}` of the orders n = 0, ..., ``order`` of the solution with :math:`f_1(0) = P_m`.

    .. math:: \dot f_n = L f_n - \sum_{0<j<n} \nabla\cdot(s_j\,\nabla W * f_{n-j}), \qquad
              s_n = f_n - \sum_{0<j\le n} g_j\,s_{n-j}

    where :math:`s = f/(1+g)`, :math:`1 + g = h*f/w_0` (USA: g = 0), is the density that the gradient carries.

    >>> one, none, never = lambda k: Fraction(1), lambda k: 0, lambda degrees, k: False
    >>> recurrence(2, 3, 2, Rates(one, one, none, never))[2]                # -(cos 3x (cos 3x)')' = 9 cos 6x
    {6: {((3, 3), 0): Fraction(9, 1), ((6,), 0): Fraction(-9, 1)}}

    Source: derived here.
    """
    density: list[Modes] = [{0: {((), 0): 1}}, {degree: {((degree,), 0): 1}}]
    carried = density[:1]
    for n in range(1, order + 1):
        if n > 1:
            density.append(_driven(density, carried, dim, rates))
        carried.append(_quotient(density, carried, dim, rates))
    return density


def _driven(density: list[Modes], carried: list[Modes], dim: int, rates: Rates) -> Modes:
    """The next order, driven by the lower ones."""
    drive: Modes = {}
    for j in range(1, len(density)):
        for p, weight in carried[j].items():
            gradient: Modes = {}
            for q, amplitude in density[-j].items():
                for k, share in transport(p, q, dim).items():
                    _add(gradient.setdefault(k, {}), amplitude, _times(rates.multiplier(q), share))
            for k, terms in gradient.items():
                _add(drive.setdefault(k, {}), _product(weight, terms), 1)
    return {k: terms for k in sorted(drive) if (terms := response(k, drive[k], rates.gap))}


def _quotient(density: list[Modes], carried: list[Modes], dim: int, rates: Rates) -> Modes:
    """The last order of s = f/(1+g)."""
    quotient = {k: dict(terms) for k, terms in density[-1].items()}
    for j in range(1, len(density)):
        for q, amplitude in density[j].items():
            for p, weight in carried[-j].items() if rates.normaliser(q) != 0 else ():
                terms = _product(amplitude, weight)
                for k, share in linearized_product(p, q, dim).items():
                    _add(quotient.setdefault(k, {}), terms, _times(rates.normaliser(q), -share))
    return quotient


def response(degree: int, drive: Sum, gap: Callable[[Degrees, int], Any]) -> Sum:
    r"""The solution of :math:`\dot y = \gamma_k y + \sum c\,t^p e^{\mu t}`, y(0) = 0.

    .. math:: \int_0^t e^{\gamma_k (t-s)}\, s^p e^{\mu s}\, ds
              = e^{\mu t} \sum_{i=0}^p \frac{(-1)^i\,p!}{(p-i)!}\,\frac{t^{p-i}}{\delta^{i+1}}
              - \frac{(-1)^p\,p!}{\delta^{p+1}}\, e^{\gamma_k t}, \qquad \delta = \mu - \gamma_k

    and :math:`t^{p+1} e^{\gamma_k t}/(p+1)` at resonance, where ``gap(degrees, k)`` = :math:`\delta` is 0.

    >>> response(3, {((1, 2), 1): 4}, lambda degrees, degree: Fraction(2))
    {((1, 2), 1): Fraction(2, 1), ((1, 2), 0): Fraction(-1, 1), ((3,), 0): Fraction(1, 1)}
    >>> response(3, {((1, 2), 1): Fraction(4)}, lambda degrees, degree: 0)
    {((3,), 2): Fraction(2, 1)}

    Source: derived here (integration by parts).
    """
    total: Sum = {}
    for (degrees, power), coefficient in drive.items():
        delta = gap(degrees, degree)
        if delta == 0:
            _add(total, {((degree,), power + 1): coefficient / (power + 1)}, 1)
            continue
        for i in range(power + 1):
            coefficient = coefficient / delta
            _add(total, {(degrees, power - i): coefficient}, (-1) ** i * (factorial(power) // factorial(power - i)))
        _add(total, {((degree,), 0): coefficient}, -((-1) ** power) * factorial(power))
    return total


def _times(number: Any, fraction: Fraction) -> Any:
    """The product of a ball or an expression with a fraction."""
    return number * fraction.numerator / fraction.denominator


def _add(total: Sum, terms: Sum, factor: Any) -> None:
    """Add ``factor`` times the terms to the total."""
    if factor == 0:
        return
    for term, coefficient in terms.items():
        product = coefficient * factor
        total[term] = total[term] + product if term in total else product


def _product(left: Sum, right: Sum) -> Sum:
    """The product of two sums of exponentials."""
    total: Sum = {}
    for (degrees, power), coefficient in left.items():
        shifted = {(tuple(sorted(degrees + more)), power + p): c for (more, p), c in right.items()}
        _add(total, shifted, coefficient)
    return total


@cache
def linearized_product(p: int, q: int, dim: int) -> dict[int, Fraction]:
    r"""The coefficients of :math:`P_p P_q = \sum_k A_{pqk} P_k`, by the recurrence of the :math:`P_p` for each q.

    .. math:: A_{pqk} = D_k \int P_p P_q P_k\,d\sigma

    >>> [{k: str(a) for k, a in linearized_product(p, q, dim).items()} for p, q, dim in [(1, 1, 3), (2, 5, 2)]]
    [{2: '2/3', 0: '1/3'}, {7: '1/2', 3: '1/2'}]

    Source: DLMF 18.9.1 (Gegenbauer), rescaled as in :func:`~gegenflow.theory.sphere.gegenbauer`.
    """
    if p == 0:
        return {q: Fraction(1)}
    if p == 1:
        scale = 2 * q + dim - 2
        return {q + 1: Fraction(q + dim - 2, scale), q - 1: Fraction(q, scale)} if q else {1: Fraction(1)}
    total: dict[int, Fraction] = {}
    for k, a in linearized_product(p - 1, q, dim).items():
        for j, b in linearized_product(1, k, dim).items():
            total[j] = total.get(j, Fraction(0)) + Fraction(2 * p + dim - 4, p + dim - 3) * a * b
    for k, a in linearized_product(p - 2, q, dim).items():
        total[k] -= Fraction(p - 1, p + dim - 3) * a
    return {k: a for k, a in total.items() if a}


@cache
def transport(p: int, q: int, dim: int) -> dict[int, Fraction]:
    r"""What a density :math:`P_p` carried by the gradient of :math:`P_q` adds to each degree.

    .. math:: -\nabla \cdot (P_p \nabla P_q) = \sum_k B_{pqk} P_k, \qquad
              B_{pqk} = D_k \int P_p \nabla P_q \cdot \nabla P_k\,d\sigma = \tfrac12 (L_k + L_q - L_p)\, A_{pqk}

    >>> [{k: int(b) for k, b in transport(p, q, dim).items()} for p, q, dim in [(0, 4, 3), (1, 1, 2)]]
    [{4: 20}, {2: 1}]

    that is, :math:`-\Delta P_4 = 20 P_4` and :math:`(\cos x \sin x)' = \cos 2x`.
    Source: derived here from :math:`2\nabla u \cdot \nabla v = \Delta(uv) - u\Delta v - v\Delta u`.
    """

    def weight(k: int) -> Fraction:
        rise = laplacian_eigenvalue(k, dim) + laplacian_eigenvalue(q, dim) - laplacian_eigenvalue(p, dim)
        return Fraction(rise, 2)

    return {k: weight(k) * a for k, a in linearized_product(p, q, dim).items() if weight(k)}
