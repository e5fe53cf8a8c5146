r"""The kernel of an activation: what two tokens share of one random layer.

.. math:: K(r) = E\, s(g_1) s(g_2) = \sum_k c_k^2\, r^k, \qquad
          g_1, g_2 \sim N(0, 1) \text{ of correlation } r, \qquad c_k = E\,s(Z)\,\mathrm{He}_k(Z)/\sqrt{k!}

An activation without a closed form is summed in its Hermite series. All :math:`c_k^2` are positive and add up to
:math:`K(1) = E\,s(Z)^2`, one integral, so that the rest of the series is certain:

.. math:: \Big|\sum_{k>n} c_k^2 r^k\Big| \le |r|^{n+1}\Big(E\,s(Z)^2 - \sum_{k\le n} c_k^2\Big) .

Source: derived here; the kernel is that of arXiv 2604.26898, also the dual kernel of the literature on wide networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log, sqrt

import flint
import sympy as sp
from flint import arb

from gegenflow.theory.exact.arguments import Expr, Real, check_real
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_degree
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.kernels.weights import in_half_powers, parity_of
from gegenflow.theory.random_layers.activations import ActivationLike, read_activation
from gegenflow.theory.random_layers.closed_forms import closed_form, slope_form
from gegenflow.theory.random_layers.gaussian import gaussian_mean, hermite_coefficients
from gegenflow.theory.symbols import t

FIRST_DEGREE, MOST_DEGREE = 64, 6000
GUARD = 16
BETWEEN = "the overlap of two tokens must be a number in -1 <= overlap <= 1"


@dataclass(frozen=True)
class ActivationKernel:
    r"""K(r), its slope and its Hermite coefficients, for one activation; from :func:`activation_kernel`.

    ``formula`` is K as an expression in the overlap t, None where no closed form is known here, ``slope_formula`` its
    derivative.

    :param activation: s as an expression in t

    Source: derived here.

    See also :func:`.activation_kernel`.
    """

    activation: Expr

    @property
    def formula(self) -> Expr | None:
        """K(t) in closed form."""
        return closed_form(self.activation)

    @property
    def slope_formula(self) -> Expr | None:
        """K'(t) in closed form."""
        return slope_form(self.activation)

    def at(self, overlap: Real, digits: int = 15) -> Certified:
        r"""K(r), certified.

        :param overlap: r, -1 <= r <= 1
        :param digits: significant digits to certify, >= 1 (default 15)

        >>> activation_kernel("relu").at("1/2"), activation_kernel("tanh").at(1, digits=20)
        ([0.304498890522115 +/- 3.3e-16], [0.39429449039784117442 +/- 3.6e-21])

        Raises Refused for an overlap outside, and where the kernel cannot be enclosed.
        """
        r = check_real(overlap, "overlap", BETWEEN, least=-1, most=1, symbols=False)
        return certify_at("overlap", overlap, lambda: self.ball(r), digits)

    def slope(self, overlap: Real, digits: int = 15) -> Certified:
        r"""K'(r), certified; :math:`K'(1) = E\,s'(Z)^2`.

        :param overlap: r, -1 <= r <= 1
        :param digits: significant digits to certify, >= 1 (default 15)

        >>> activation_kernel("gelu").slope(1), activation_kernel("tanh").slope(1)
        ([0.455850865649287 +/- 1.3e-16], [0.464402902448268 +/- 2.5e-16])

        Raises Refused for an overlap outside, and where the slope is infinite, as it is at 1 for a step.
        """
        r = check_real(overlap, "overlap", BETWEEN, least=-1, most=1, symbols=False)
        if not self.has_slope(r):
            raise Refused("overlap", overlap, f"K' is infinite there: the activation {self.activation} jumps")
        return certify_at("overlap", overlap, lambda: self.slope_ball(r), digits)

    def hermite(self, degree: int, digits: int = 15) -> Certified:
        r"""The Hermite coefficient :math:`c_k = E\,s(Z)\,\mathrm{He}_k(Z)/\sqrt{k!}`, certified.

        :param degree: degree of the polynomial k, >= 0
        :param digits: significant digits to certify, >= 1 (default 15)

        >>> activation_kernel("relu").hermite(1), activation_kernel("gelu").hermite(3)
        ([0.500000000000000 +/- 0], [0 +/- 0])

        Raises Refused for another degree.
        """
        k = int(check_degree(degree, least=0))
        polynomial = sp.hermite_prob_poly(k, t) / sp.sqrt(sp.factorial(k))
        part = parity_part(self.activation, k)
        if part.is_polynomial(t):
            exact = _mean_of_polynomial(part * polynomial)
            return certify_at("degree", degree, lambda: enclose(exact) if exact else arb(0), digits)
        return certify_at("degree", degree, lambda: gaussian_mean(part * polynomial, flint.ctx.prec), digits)

    @property
    def is_odd(self) -> bool:
        """Whether the activation, and with it K, is odd."""
        return parity_of(self.activation) < 0

    def closed(self) -> Expr:
        """The formula, or a refusal where there is none."""
        if self.formula is None:
            raise Refused("digits", "None", f"the kernel of {self.activation} has no closed form here; ask for digits")
        return self.formula

    def has_slope(self, overlap: Expr) -> bool:
        """Whether K' is finite at an ``overlap``: not at 1 and -1 where the activation jumps."""
        return overlap not in (1, -1) or not self.activation.has(sp.Heaviside, sp.sign)

    def ball(self, overlap: Expr) -> arb:
        """K(r) at r = ``overlap``, at the current precision."""
        return _value(self.activation, self.formula, overlap)

    def slope_ball(self, overlap: Expr) -> arb:
        """K'(r) at r = ``overlap``, at the current precision."""
        known = self.slope_formula
        return _value(self.activation if known is not None else sp.diff(self.activation, t), known, overlap)

    def slope_at_one(self) -> Expr | None:
        """K'(1) exactly, None without a closed form; refused where it is infinite."""
        if not self.has_slope(sp.Integer(1)):
            raise Refused("activation", self.activation, "it jumps, so that K'(1) = E s'(Z)^2 is infinite")
        return None if self.slope_formula is None else in_exponentials(self.slope_formula.subs(t, 1))

    def _repr_latex_(self) -> str:
        shown = latex(self.formula) if self.formula is not None else r"E\,s(g_1)s(g_2)"
        return f"$\\displaystyle s(t) = {latex(self.activation)}, \\quad K(t) = {shown}$"


def activation_kernel(activation: ActivationLike) -> ActivationKernel:
    r"""The kernel of an activation, by its name, its formula or as an expression in one variable.

    Names are relu, leaky_relu (slope 1/100 below 0), linear, erf, gelu (:math:`t\,\Phi(t)`), cos, sin, exp, step, tanh,
    1+tanh, sigmoid, silu. Closed forms are known for sums of :math:`t^n e^{at}`, cosines and sines, for sums of
    :math:`t^n` and :math:`t_+^n`, for erf(a t) and GELU; anything else must be analytic around the real line.

    :param activation: s, by its name, its formula or as an expression in one variable

    >>> activation_kernel("erf").formula, activation_kernel("cos").formula
    (2*asin(2*t/3)/pi, exp(-1)*cosh(t))
    >>> activation_kernel("x**3 - 3*x").formula, activation_kernel("tanh").formula               # He_3: only r^3
    (6*t**3, None)

    Raises Refused for any other text (nothing in it is run), for two variables, and for an activation of which neither
    a closed form nor a convergent series is known here. Source: derived here.

    See also :func:`.overlap_drift`, :func:`.lyapunov_exponent`.
    """
    expression = read_activation(activation)
    if closed_form(expression) is None:
        with flint.ctx.workprec(53):
            squares(expression, FIRST_DEGREE, 53)
            gaussian_mean(sp.diff(expression, t) ** 2, 53)
    return ActivationKernel(expression)


def in_exponentials(number: Expr) -> Expr:
    """An exact number multiplied out, hyperbolic functions in exponentials: 0 where it is 0 for that reason."""
    return sp.expand(number.rewrite((sp.sinh, sp.cosh), sp.exp))


def _mean_of_polynomial(polynomial: Expr) -> Expr:
    r"""E p(Z): :math:`E Z^{2m} = (2m-1)!!`."""
    terms = sp.Poly(sp.expand(polynomial), t).terms()
    return sp.expand(sum(c * sp.factorial2(max(n - 1, 0)) for (n,), c in terms if n % 2 == 0))


def parity_part(activation: Expr, degree: int) -> Expr:
    """The part of a function that has the parity of a degree."""
    parity = parity_of(activation)
    if parity:
        return activation if parity == (-1) ** degree else sp.Integer(0)
    mirrored = activation.subs(t, -t)
    return sp.simplify(in_half_powers((activation + (-1) ** degree * mirrored) / 2))


@lru_cache(maxsize=128)
def squares(activation: Expr, degree: int, bits: int) -> tuple[arb, ...]:
    r"""Balls around :math:`c_0^2, \dots, c_n^2`."""
    with flint.ctx.workprec(bits + GUARD):
        return tuple(c * c for c in hermite_coefficients(activation, degree, bits))


def _value(function: Expr, formula: Expr | None, overlap: Expr) -> arb:
    """E f(g_1) f(g_2): the formula, at the ends an integral on the line, else the series until its rest is small."""
    if formula is not None:
        value = formula.subs(t, overlap)
        return arb(0) if value == 0 else enclose(value)
    bits = flint.ctx.prec
    if overlap == 0:
        return arb(0) if parity_of(function) < 0 else gaussian_mean(function, bits) ** 2
    if overlap in (1, -1):
        return gaussian_mean(function * function.subs(t, overlap * t), bits)
    with flint.ctx.workprec(bits + GUARD):
        r = enclose(overlap)
        known, rest, _ = series(function, abs(r).upper())
        total = arb(0)
        for square in reversed(known):
            total = total * r + square
        result: arb = total + arb(0, rest)
        return result


def series(function: Expr, radius: arb) -> tuple[tuple[arb, ...], arb, arb]:
    r"""Squares of coefficients, as many as the precision asks for within :math:`|r|` <= ``radius``; a bound on the rest
    there, and the sum of all.

    The degree is raised by the law :math:`e^{-a\sqrt n}` of what is left. Raises Refused beyond degree 6000.
    """
    bits, degree = flint.ctx.prec, FIRST_DEGREE
    whole = gaussian_mean(function**2, bits)
    if not function.has(t):
        return (whole,), arb(0), whole
    while True:
        known = squares(function, degree, bits)
        tail = (whole - sum(known, arb(0))).upper()
        rest = tail * radius ** (degree + 1)
        if rest < whole * arb(2) ** -(bits - GUARD - 2):
            return known, rest, whole
        if degree >= MOST_DEGREE:
            allowed = "its Hermite series converges too slowly for so many digits so near to overlap 1; ask for fewer"
            raise Refused("activation", function, allowed)
        have, want = float((tail / whole).log()), -(bits - GUARD) * log(2)
        pace = max(-float(radius.log()), 1e-9)
        faster = min((sqrt(degree) * want / min(have, -1.0)) ** 2, degree + max(want - have, want) / -pace)
        degree = min(max(int(1.08 * faster) + 8, degree * 5 // 4), 4 * degree, MOST_DEGREE)
