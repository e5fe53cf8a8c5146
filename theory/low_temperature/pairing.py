r"""The last and slowest scale: which two clusters meet next at large beta, how, and when.

Tokens i and j with overlap g, of weights :math:`w_i, w_j`, pull at each other by :math:`e^{\beta g}`, at the others
exponentially less if they are the closest pair. Together they move on their great circle,

.. math:: \dot g = c\,(1 - g^2)\,e^{-\beta(1-g)}, \quad c = \frac{w_i}{w_j} + \frac{w_j}{w_i} \ \text{(SA)},
          \qquad \dot g = c\,(1 - g^2)\,e^{\beta g}, \quad c = w_i + w_j \ \text{(USA)},

for V = I, with relative errors of order :math:`e^{-\beta(g - g')}`, g' the next largest overlap, and for SA
:math:`e^{-\beta(1-g)}`, the share of the other in a normaliser. As g grows the pair leaves all others behind: on the
clock s of the *current* overlap, :math:`dt = e^{\beta(1-g)}ds` (SA) or :math:`dt = e^{-\beta g}ds` (USA), it alone
moves.

Source: arXiv 2605.10931 for the limit; factors, weights and times are derived here.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp
from flint import arb

from gegenflow.theory.clusters.circle import inverse_temperature
from gegenflow.theory.exact.arguments import Expr, Real, check_model, check_real
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_items
from gegenflow.theory.exact.refusals import Refused

N = sp.Symbol("N", integer=True, positive=True)
"""The number of tokens."""

OVERLAP = "overlaps of the pair must satisfy -1 < start < overlap < 1"


def pairing_rate(weights: Sequence[Real] | None = None, *, model: str = "sa") -> Expr:
    r"""The factor c of the overlap of the closest pair, :math:`dg/ds = c\,(1-g^2)`.

    .. math:: c = \frac{w_i}{w_j} + \frac{w_j}{w_i} \ \text{(SA)}, \qquad c = w_i + w_j \ \text{(USA)}

    :param weights: the two weights, > 0 or symbols; None (default): 1/N each
    :param model: "usa" (unnormalised) or "sa" (softmax); default "sa"

    >>> pairing_rate(), pairing_rate(model="usa"), pairing_rate(["0.1", "0.3"])
    (2, 2/N, 10/3)

    Raises ValueError unless there are two weights > 0 (or symbols), or for an unknown model. Source: derived here.

    See also :func:`.pairing_overlap`, :func:`.pairing_time`.
    """
    allowed = "the pair has two weights > 0"
    given = (1 / N, 1 / N) if weights is None else check_items(weights, "weights", allowed, count=2)
    pair = [check_real(weight, f"weights[{i}]", allowed, above=0) for i, weight in enumerate(given)]
    first, second = pair
    return first / second + second / first if check_model(model) == "sa" else first + second


def pairing_overlap(time: Real, start: Real = 0, *, weights: Sequence[Real] | None = None, model: str = "sa") -> Expr:
    r"""Overlap of the closest pair after a time s on the clock of its current overlap.

    .. math:: g(s) = \tanh(c\,s + \operatorname{artanh} g_0)

    :param time: s on that clock, any real number or a symbol
    :param start: the overlap g_0 at time 0, -1 < g_0 < 1, or a symbol (default 0)
    :param weights: the two weights, > 0 or symbols; None (default): 1/N each
    :param model: "usa" (unnormalised) or "sa" (softmax); default "sa"

    >>> s = sp.Symbol("s", positive=True)
    >>> pairing_overlap(s), pairing_overlap(s, model="usa")
    (tanh(2*s), tanh(2*s/N))
    >>> g = pairing_overlap(s, sp.Rational(1, 3))
    >>> sp.simplify(sp.diff(g, s) - 2 * (1 - g**2)), sp.simplify(g.subs(s, 0))
    (0, 1/3)

    Raises ValueError for ``start`` outside (-1, 1), bad weights, or an unknown model. Source: arXiv 2605.10931 for
    tanh 2s from orthogonal tokens; derived here.

    See also :func:`.pairing_time`.
    """
    first = check_real(start, "start", "the overlap of the pair must lie in (-1, 1)", above=-1, below=1)
    elapsed = check_real(time, "time", "the time must be a finite number")
    return sp.tanh(pairing_rate(weights, model=model) * elapsed + sp.atanh(first))


def pairing_time(
    overlap: Real,
    beta: Real,
    start: Real = 0,
    *,
    weights: Sequence[Real] | None = None,
    model: str = "sa",
    digits: int = 15,
) -> Certified:
    r"""Time in which the closest pair comes from one overlap to another.

    .. math:: T = \frac{e^{\beta}}{c} \int_{g_0}^{g} \frac{e^{-\beta u}\,du}{1-u^2}
                = \frac{1}{2c} \Big[ e^{2\beta}\big(E_1(\beta(1+g_0)) - E_1(\beta(1+g))\big)
                  + \mathrm{Ei}(\beta(1-g_0)) - \mathrm{Ei}(\beta(1-g)) \Big]

    (SA; USA without the factor :math:`e^\beta`), of order :math:`e^{\beta(1-g_0)}/(c\,\beta(1-g_0^2))`: the logarithm
    grows linearly with beta, with the slope :math:`1 - g_0`.

    :param overlap: the overlap g that is reached, g_0 < g < 1
    :param beta: inverse temperature, a number > 0
    :param start: the overlap g_0 at time 0, -1 < g_0 (default 0)
    :param weights: the two weights, numbers > 0; None (default): equal ones, for "sa" alone
    :param model: "usa" (unnormalised) or "sa" (softmax); default "sa"
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> pairing_time("0.9", 20, digits=10)
    [12191756.24 +/- 0.0027]
    >>> u = sp.Symbol("u")
    >>> sp.Integral(sp.exp(20 * (1 - u)) / (2 * (1 - u**2)), (u, 0, sp.Rational(9, 10))).evalf(10)
    12191756.24

    Raises ValueError unless -1 < start < overlap < 1, for beta not > 0, not finite or a symbol, symbolic or bad
    weights, an unknown model, digits < 1. Source: DLMF 6.2.1 and 6.2.5 for E_1 and Ei; derived here.

    See also :func:`.pairing_overlap`, :func:`.lifetime`.
    """
    first = check_real(start, "start", OVERLAP, above=-1, symbols=False)
    last = check_real(overlap, "overlap", f"{OVERLAP}, with start {start}", above=first, below=1, symbols=False)
    temperature, rate = inverse_temperature(beta), pairing_rate(weights, model=model)
    for name, value, number in (("beta", beta, temperature), ("weights", weights, rate)):
        if number.free_symbols:
            raise Refused(name, value, "numbers are needed for certified digits")

    def ball() -> arb:
        b, near, far = enclose(temperature), enclose(first), enclose(last)
        ahead = (b * (1 + near)).expint(1) - (b * (1 + far)).expint(1)
        behind = (b * (1 - near)).ei() - (b * (1 - far)).ei()
        return (ahead * (2 * b).exp() + behind) / (2 * enclose(rate)) * (1 if model == "sa" else (-b).exp())

    return certify_at("beta", beta, ball, digits)
