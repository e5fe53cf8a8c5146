r"""Kernels in closed form: activations made of :math:`t^n e^{at}`, of :math:`t_+^n`, erf and GELU.

With :math:`g_1, g_2` standard Gaussian of correlation r, :math:`K(r) = E\,s(g_1)s(g_2)` is bilinear in s, and

.. math:: E\,g_1^m e^{ag_1}\, g_2^n e^{bg_2} = e^{(a^2+b^2)/2 + abr}\, E\,(g_1 + a + rb)^m (g_2 + b + ra)^n

(a shift of the Gaussian measure; complex a and b serve cosines and sines). In polar coordinates, with
:math:`r = \cos\theta_0`,

.. math:: E\,(g_1)_+^m (g_2)_+^n = \frac{2^{(m+n)/2}\,\Gamma(\frac{m+n}2+1)}{2\pi}
          \int_{\theta_0-\pi/2}^{\pi/2} \cos^m\theta\,\cos^n(\theta-\theta_0)\,d\theta .

Source: derived here; the kernels of ReLU and step are those of arXiv 0911.4862 (Cho, Saul), erf that of C. Williams.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations_with_replacement

import sympy as sp

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.kernels.terms import Term
from gegenflow.theory.kernels.weights import terms_of
from gegenflow.theory.symbols import t

MOST_TERMS, MOST_POWER = 12, 24
"""Beyond so many terms or so high a power a closed form takes longer than it is worth."""
SINE = sp.sqrt(1 - t**2)
GELU = t * (1 + sp.erf(t / sp.sqrt(2))) / 2


@lru_cache(maxsize=256)
def closed_form(activation: Expr) -> Expr | None:
    """K as an expression in the overlap t, or None where no closed form is known here.

    >>> closed_form(sp.cos(t)), closed_form(sp.Max(t, 0)), closed_form(sp.tanh(t))
    (exp(-1)*cosh(t), (-t*acos(t) + pi*t + sqrt(1 - t**2))/(2*pi), None)
    """
    if sp.expand(activation - GELU) == 0:
        return t / 4 + t * sp.asin(t / 2) / (2 * sp.pi) + 1 / (2 * sp.pi * sp.sqrt(4 - t**2))
    if activation.has(sp.erf):
        return _error_function(activation)
    circular = activation.has(sp.sin, sp.cos)
    terms = terms_of(activation.rewrite(sp.exp) if circular else activation)
    if terms is None or len(terms) > MOST_TERMS or any(term.power > MOST_POWER for term in terms):
        return None
    if any(term.half for term in terms) and any(term.rate != 0 for term in terms):
        return None
    pairs = combinations_with_replacement(terms, 2)
    total = sp.Add(*((1 if one == other else 2) * _mean(one, other) for one, other in pairs))
    if circular:
        return _in_hyperbolics(total)
    return sp.simplify(total) if any(term.half for term in terms) else sp.expand(total)


def slope_form(activation: Expr) -> Expr | None:
    r"""K' in closed form: the kernel of s' (:math:`K' = E\,s'(g_1)s'(g_2)`), which has no 0/0 at the ends, if s is
    continuous and s' has a closed form; else the derivative of K.

    >>> slope_form(sp.Max(t, 0))
    (pi - acos(t))/(2*pi)
    """
    known = closed_form(activation)
    if known is None:
        return None
    if activation.has(sp.Max) and not activation.has(sp.Heaviside):
        return closed_form(sp.diff(activation, t))
    return sp.diff(known, t)


def _error_function(activation: Expr) -> Expr | None:
    """K of c erf(a t)."""
    scale, rest = activation.as_independent(t, as_Add=False)
    if not isinstance(rest, sp.erf) or (slope := sp.diff(rest.args[0], t)).has(t) or slope * t != rest.args[0]:
        return None
    return scale**2 * 2 / sp.pi * sp.asin(2 * slope**2 * t / (1 + 2 * slope**2))


def _in_hyperbolics(total: Expr) -> Expr:
    r"""The real part of a sum of :math:`e^{a+bt}` with complex a and b, in cosh and sinh of real multiples of t."""

    def apart(exponent: Expr) -> Expr:
        rate = sp.diff(exponent, t)
        size, turn = sp.re(rate) * t, sp.im(rate) * t + sp.im(exponent.subs(t, 0))
        return (
            sp.exp(sp.re(exponent.subs(t, 0))) * (sp.cosh(size) + sp.sinh(size)) * (sp.cos(turn) + sp.I * sp.sin(turn))
        )

    return sp.expand(sp.re(sp.expand(sp.expand(total).replace(sp.exp, apart))))


def _mean(one: Term, other: Term) -> Expr:
    """The mean of a product of two terms, their coefficients included."""
    if one.half and other.half:
        mean = _both_halves(one.power, other.power)
    elif one.half or other.half:
        half, whole = (one, other) if one.half else (other, one)
        mean = _half(half.power, whole.power)
    else:
        mean = _shifted(one, other)
    return one.coefficient * other.coefficient * mean


def _shifted(one: Term, other: Term) -> Expr:
    a, b, g, h = one.rate, other.rate, sp.Dummy("g"), sp.Dummy("h")
    polynomial = sp.Poly((g + a + t * b) ** one.power * (h + b + t * a) ** other.power, g, h)
    mean = sum(c * _moment(m, n) for (m, n), c in polynomial.terms())
    return sp.exp((a**2 + b**2) / 2 + a * b * t) * mean


def _moment(m: int, n: int) -> Expr:
    r"""The mean of :math:`g_1^m g_2^n`: pairings of which j join the two, by Wick."""
    if (m + n) % 2:
        return sp.Integer(0)
    pairs = range(m % 2, min(m, n) + 1, 2)
    return sum(
        sp.binomial(m, j) * sp.binomial(n, j) * sp.factorial(j) * _pairings(m - j) * _pairings(n - j) * t**j
        for j in pairs
    )


def _pairings(count: int) -> Expr:
    return sp.factorial2(count - 1) if count else sp.Integer(1)


def _half(half: int, power: int) -> Expr:
    r"""The mean of :math:`(g_1)_+^m g_2^n`, :math:`g_2 = r g_1 + \sqrt{1-r^2} h`."""
    parts = range(0, power + 1, 2)
    return sum(
        sp.binomial(power, j) * t ** (power - j) * SINE**j * _pairings(j) * _half_moment(half + power - j)
        for j in parts
    )


def _half_moment(power: int) -> Expr:
    return sp.sqrt(2) ** power * sp.gamma(sp.Rational(power + 1, 2)) / (2 * sp.sqrt(sp.pi))


def _both_halves(m: int, n: int) -> Expr:
    angles = sum(sp.binomial(n, j) * t ** (n - j) * SINE**j * _angle(m + n - j, j) for j in range(n + 1))
    return sp.sqrt(2) ** (m + n) * sp.gamma(sp.Rational(m + n + 2, 2)) / (2 * sp.pi) * angles


@lru_cache(maxsize=256)
def _angle(p: int, q: int) -> Expr:
    r"""The integral of :math:`\cos^p\sin^q` from :math:`\theta_0 - \pi/2` (cosine sqrt(1-r^2), sine -r) to pi/2."""
    if q == 1:
        return SINE ** (p + 1) / sp.Integer(p + 1)
    if q > 1:
        return (SINE ** (p + 1) * (-t) ** (q - 1) + (q - 1) * _angle(p, q - 2)) / sp.Integer(p + q)
    if p == 0:
        return sp.pi - sp.acos(t)
    if p == 1:
        return 1 + t
    return (SINE ** (p - 1) * t + (p - 1) * _angle(p - 2, 0)) / sp.Integer(p)
