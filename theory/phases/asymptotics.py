r"""Asymptotic expansions of the phase diagram, derived from Riccati equations.

Throughout :math:`\mu = k + \frac{d-1}2`, :math:`\nu = \mu - \frac12`, :math:`\ell = \frac12(L_k + L_{k+1})`, so that

.. math:: L_k = \ell - \mu, \qquad L_{k+1} = \ell + \mu, \qquad \ell = \mu^2 + \tfrac14 - (\tfrac d2 - 1)^2 .

With :math:`U = (I_\nu - I_{\nu+1})/(I_\nu + I_{\nu+1})` the boundary, :math:`I_{\nu+1}/I_\nu = L_k/L_{k+1}`, is where
:math:`U(\beta_k) = \mu/\ell`, and DLMF 10.29.2 becomes :math:`U' = -2U + \mu(1-U^2)/b`: its inverse b(U), as a function
of U and :math:`\mu`, gives all boundaries at once.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import sympy as sp
from sympy.polys.ring_series import rs_exp, rs_mul, rs_nth_root, rs_series_inversion, rs_trunc

from gegenflow.theory.exact.arguments import Expr, Real, check_model, check_real
from gegenflow.theory.exact.integers import check_terms
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.sphere import laplacian_eigenvalue
from gegenflow.theory.symbols import beta, d, k

Large = Literal["degree", "dim"]
u = sp.Symbol("u", positive=True)
delta, gap, mu = sp.symbols("delta gap mu", cls=sp.Dummy)
RING, x = sp.ring("x", sp.QQ[d, delta])
"""Truncated series in x = 1/sqrt(2 beta) with coefficients that are polynomials in the dimension and the offset."""


OFFSET = "the offset must be a finite real number or a symbol"


def inverse_ratio_series(terms: int = 4) -> tuple[Expr, ...]:
    r"""Functions :math:`w_n(u)` of the uniform expansion that inverts the Bessel ratio at large order.

    .. math:: b \sim \frac\mu u \sum_{n \ge 0} \frac{w_n(u)}{\mu^n}, \qquad
              u = \frac{I_\nu(b) - I_{\nu+1}(b)}{I_\nu(b) + I_{\nu+1}(b)}, \quad \mu = \nu + \tfrac12 \to \infty,

    uniformly in 0 < u < 1, that is in b > 0. With :math:`w_0 = \frac12(1-u^2)`, the Riccati equation gives

    .. math:: (1+u^2)\,w_n = u\,w_{n-1} + 2\sum_{0<i<n} w_i\,(u\,w_{n-i}' - w_{n-i}) .

    :param terms: number of terms, >= 1 (default 4)

    >>> inverse_ratio_series(2)
    (1/2 - u**2/2, -u*(u - 1)*(u + 1)/(2*(u**2 + 1)))
    >>> low, high = (sp.besseli(order, 30).evalf(30) for order in (20, 21))
    >>> ratio, order = (low - high) / (low + high), sp.Rational(41, 2)
    >>> b = sum(w.subs(u, ratio) * order ** (1 - n) / ratio for n, w in enumerate(inverse_ratio_series(6)))
    >>> bool(abs(b - 30) < 1e-8)
    True

    Raises Refused for terms < 1. Source: derived here from DLMF 10.29.2.

    See also :func:`.critical_beta_series`.
    """
    return _inverse_ratio(check_terms(terms))


@cache
def _inverse_ratio(terms: int) -> tuple[Expr, ...]:
    series = [(1 - u**2) / 2]
    for n in range(1, terms):
        cross = sum((series[i] * (u * sp.diff(series[n - i], u) - series[n - i]) for i in range(1, n)), sp.Integer(0))
        series.append(sp.factor((u * series[n - 1] + 2 * cross) / (1 + u**2)))
    return tuple(series)


def critical_beta_series(terms: int = 4, large: Large = "degree") -> Expr:
    r"""Expansion of the boundary :math:`\beta_k(d)` for a large degree, or for a large dimension.

    .. math:: \beta_k \sim \sum_{i \ge 0} b_i(d)\,\mu^{2-2i} \quad (k \to \infty), \qquad
              \beta_k \sim \sum_{i \ge 0} c_i(k)\,d^{1-i} \quad (d \to \infty).

    The first holds for any fixed d; every second power is absent, because :math:`\mu \to -\mu` exchanges
    :math:`L_k, L_{k+1}` and, up to exponentially small terms, :math:`I_\nu, I_{\nu+1}`; its first two terms are
    :math:`\frac14(L_k + L_{k+1})`. The second holds for any fixed k. Both put :math:`u = \mu/\ell` in
    :func:`inverse_ratio_series`, expanded about u = 0 and u = 1/(2k+1). The result is in the symbols k and d.

    :param terms: number of terms, >= 1 (default 4); more than 6 take minutes
    :param large: what grows: "degree" (default) or "dim"

    >>> sp.expand(critical_beta_series(2) - (laplacian_eigenvalue(k) + laplacian_eigenvalue(k + 1)) / 4)
    0
    >>> sp.factor(critical_beta_series(1, large="dim"))
    d*k*(k + 1)/(2*k + 1)
    >>> critical_beta_series().subs({k: 40, d: 3}).evalf(12)             # certified: 840.499702026539...
    840.499702027

    Raises Refused for terms < 1 or another ``large``. Source: arXiv 2410.23228 for the boundary; derived here.

    See also :func:`.phases.critical_beta`, :func:`.critical_beta_sharp_bounds`, :func:`.selected_degree_series`.
    """
    if not isinstance(large, str) or large not in ("degree", "dim"):
        raise Refused("large", large, "what grows is 'degree' or 'dim'")
    coefficients = _boundary_coefficients(check_terms(terms), large)
    variable, first, step = (k + (d - 1) / 2, 2, 2) if large == "degree" else (d, 1, 1)
    return sum((c * variable ** (first - step * i) for i, c in enumerate(coefficients)), sp.Integer(0))


@cache
def _boundary_coefficients(terms: int, large: str) -> tuple[Expr, ...]:
    if large == "degree":
        variable, centre, order, powers = mu, sp.Integer(0), 2 * terms - 1, range(2, 2 - 2 * terms, -2)
        root, mean = mu, mu**2 + gap
    else:
        variable, centre, order, powers = d, 1 / (2 * k + 1), terms, range(1, 1 - terms, -1)
        root, mean = k + (d - 1) / 2, sp.expand(laplacian_eigenvalue(k) + laplacian_eigenvalue(k + 1)) / 2
    shift = sp.factor(root / mean - centre)
    total = dict.fromkeys(powers, sp.Integer(0))
    for n, w in enumerate(_inverse_ratio(order)):
        for i in range(order - n):
            taylor = sp.diff(w, u, i).subs(u, centre) / sp.factorial(i)
            for power, coefficient in _at_infinity(taylor * mean * shift**i / root**n, variable, powers[-1]):
                total[power] += coefficient
    return tuple(sp.factor(c.subs(gap, sp.Rational(1, 4) - (d / 2 - 1) ** 2)) for c in total.values())


def _at_infinity(function: Expr, variable: Expr, lowest: int) -> list[tuple[int, Expr]]:
    """Powers and coefficients of a rational function at infinity down to the power ``lowest``, by long division."""
    numerator, denominator = sp.fraction(sp.together(function))
    spare = max(0, -lowest)
    quotient, _ = sp.div(sp.Poly(numerator * variable**spare, variable), sp.Poly(denominator, variable))
    return [(p - spare, c) for (p,), c in quotient.terms() if c and p - spare >= lowest]


@cache
def _boundary_root(terms: int) -> Any:
    r"""The series :math:`x\mu` in x, where :math:`\beta_k(\mu) = \beta`, by iteration in :math:`w = (x\mu)^2`."""
    order = 2 * terms - 1
    coefficients = [RING.from_expr(sp.expand(c)) for c in _boundary_coefficients(terms, "degree")[1:]]
    square = RING(1)
    for _ in range(terms - 1):
        inverse, power, correction = rs_series_inversion(square, x, order), RING(1), RING(0)
        for i, coefficient in enumerate(coefficients):
            correction += 2 * coefficient * x ** (2 * i + 2) * power
            power = rs_mul(power, inverse, x, order)
        square = rs_trunc(1 - correction, x, order)
    return rs_nth_root(square, 2, x, order)


def _in_beta(series: Any, lead: int = 0) -> Expr:
    """A ring series in x, divided by x**lead, as an expression in beta with factored coefficients."""
    polynomial = sp.Poly(series.as_expr(), RING.symbols[0])
    return sum((sp.factor(c) * sp.sqrt(2 * beta) ** (lead - p) for (p,), c in polynomial.terms()), sp.Integer(0))


def selected_degree_series(terms: int = 3) -> Expr:
    r"""The real degree :math:`\kappa` with :math:`\beta_\kappa(d) = \beta`, whose ceiling is the selected degree.

    .. math:: k_{\max} = \lceil \kappa \rceil, \qquad
              \kappa \sim \sqrt{2\beta} - \frac{d-1}2 + \sum_{i \ge 1} \frac{a_i(d)}{(2\beta)^{i-1/2}}
              \qquad (\beta \to \infty)

    the inverse of :func:`critical_beta_series`.

    :param terms: number of powers of 2 beta, the constant not counted, >= 1 (default 3); more than 6 take minutes

    >>> selected_degree_series(2)
    sqrt(2)*sqrt(beta) - d/2 + 1/2 + sqrt(2)*(d - 3)*(d - 1)/(16*sqrt(beta))
    >>> sp.ceiling(selected_degree_series().subs({d: 2, beta: 10**6}))
    1414

    Raises Refused for terms < 1. Source: arXiv 2410.23228 for the selection; derived here.

    See also :func:`.selected_degree`, :func:`.critical_beta_series`.
    """
    return _in_beta(_boundary_root(check_terms(terms)), lead=1) - (d - 1) / 2


def largest_rate_series(terms: int = 3, *, model: str = "sa", offset: Real = 0) -> Expr:
    r"""Growth rate at the real degree :math:`\kappa + \frac12 + \delta` near the selected one, for a large beta.

    .. math:: \frac{\gamma}{w_0} \sim \frac2e\left(1 - \frac{1 + 3\delta^2}{3\beta} + \dots\right)

    for SA, with :math:`\kappa` of :func:`selected_degree_series`, in powers of :math:`\beta^{-1/2}` up to
    :math:`\beta^{1-\text{terms}}`. The largest rate over the integers is the value at
    :math:`\delta = \lceil\kappa\rceil - \kappa - \frac12 \in [-\frac12, \frac12)`: up to :math:`O(\beta^{-2})` between
    the values at 0, in the middle of a phase, and :math:`\frac12`, on a boundary, where the two degrees at offsets
    :math:`\pm\frac12` tie. Over the reals the rate is largest at
    :math:`k^* \sim \kappa + \frac12 - \sqrt2/(48\sqrt\beta)`. USA multiplies by
    :math:`w_0 \sim \Gamma(d/2)\,(2/\beta)^{d/2-1}\,e^\beta/\sqrt{2\pi\beta}\,(1 + \dots)`.

    :math:`I_n = e^{\beta + S_n}/\sqrt{2\pi\beta}` with n = k + d/2 - 1 and :math:`n^2 = O(\beta)`, where Bessel's
    equation gives S order by order: :math:`1 + S' = y`, :math:`y' + y^2 = 1 + (n^2 - \frac14)/\beta^2`.

    :param terms: number of terms, >= 1 (default 3); more than 6 take minutes
    :param model: "usa" (unnormalised) or "sa" (softmax); default "sa"
    :param offset: delta, a real number or a symbol (default 0)

    >>> largest_rate_series(1), largest_rate_series(2)
    (2*exp(-1), 2*(1 - 1/(3*beta))*exp(-1))
    >>> half = sp.Rational(1, 2)
    >>> sp.simplify(largest_rate_series(offset=half) - largest_rate_series(offset=-half))
    0

    Raises Refused for terms < 1, an unknown model, or an offset that is no finite real number or symbol. Source: DLMF
    10.40.1 for the scale of I; derived here.

    See also :func:`.growth_rate`, :func:`.selected_degree_series`.
    """
    exact, series = check_real(offset, "offset", OFFSET), _largest_rate(check_terms(terms), check_model(model))
    scale = 2 * sp.exp(-1)
    if model == "usa":
        scale *= sp.gamma(d / 2) * (2 / beta) ** (d / 2 - 1) * sp.exp(beta) / sp.sqrt(2 * sp.pi * beta)
    return series.subs(delta, exact) * scale


@cache
def _largest_rate(terms: int, model: str) -> Expr:
    order = 2 * terms - 1
    middle, half = _boundary_root(terms), RING.from_expr(d) / 2 - 1
    square = rs_trunc((middle + RING.from_expr(delta) * x) ** 2, x, order)
    lowest = half**2 * x**2
    logarithm = _log_bessel(square, terms) - (_log_bessel(lowest, terms) if model == "sa" else 0)
    bessel = rs_exp(rs_trunc(logarithm + 1, x, order), x, order)
    return _in_beta(rs_mul(square - lowest, bessel, x, order))


def _log_bessel(square: Any, terms: int) -> Any:
    r"""The series :math:`S_n` in x where ``square`` is :math:`(xn)^2`, with T_j = :math:`y_j \beta^{1-j}`."""
    order = 2 * terms - 1
    rises = {2: square - x**2 / 4}
    for j in range(3, 2 * terms + 1):
        products = sum((rises[i] * rises[j - i] for i in range(2, j - 1)), RING(0))
        rises[j] = rs_trunc(x**2 * ((j - 1) * rises[j - 1] - products), x, order)
    return -sum((rise / (j - 1) for j, rise in rises.items()), RING(0))
