r"""Where the normalisation stands: Post-, Pre- and Peri-LN on equiangular starts, and how fast tokens then collapse.

A token is a direction :math:`\theta` (on the sphere) and a radius r; A is the attention output (SA) of the directions:

.. math:: \dot\theta = \frac{P_\theta A}{s}, \qquad
          \begin{array}{lll} \text{Post} & s = 1 & \dot r = 0 \\
          \text{Pre} & s = r & \dot r = \langle\theta, A\rangle \\
          \text{Peri} & s = r|A| & \dot r = \langle\theta, A\rangle/|A| \end{array}

(Pre: :math:`\dot x = A`, Peri: :math:`\dot x = A/|A|`, :math:`x = r\theta`.) Since s is the same for all tokens, the
schemes run through the same overlaps on different clocks, and with T(g) the Post-LN time from :math:`g_0` to g
(:func:`~gegenflow.theory.synchronization.hitting_time`) Pre and Peri share the first integral

.. math:: \frac{r}{r_0} = e^{T(g)} \sqrt{\frac{1+(n-1)g_0}{1+(n-1)g}}, \qquad\text{as}\quad
          \frac{d\log r}{dg} = \frac{\langle\theta,A\rangle}{\dot g_{\rm Post}}
          = \frac{1}{\dot g_{\rm Post}} - \frac{n-1}{2(1+(n-1)g)} .

Source: arXiv 2510.22026 for the schemes; the first integral and the constants of the laws are derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import sympy as sp
from flint import arb

from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_beta, check_overlap, check_real
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_tokens
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.symbols import beta
from gegenflow.theory.synchronization.equiangular import (
    BALLS,
    SYMBOLIC,
    Functions,
    clock,
    equiangular_velocity,
    hitting_time,
)

Scheme = Literal["post", "pre", "peri"]
time = sp.Symbol("time", positive=True)


def check_scheme(scheme: str) -> Scheme:
    """The scheme of normalisation, or a ValueError unless it is "post", "pre" or "peri"."""
    if scheme not in ("post", "pre", "peri"):
        raise Refused("scheme", scheme, "the scheme of normalisation is 'post', 'pre' or 'peri'")
    return scheme  # type: ignore[return-value]


def check_radius(radius: Real) -> Expr:
    """The radius of a token, or a ValueError unless it is > 0."""
    return check_real(radius, "radius", "the radius must be a finite number > 0", above=0)


def normalized_velocity(
    scheme: str, overlap: Real, radius: Real, tokens: Whole, beta: Real = beta
) -> tuple[Expr, Expr]:
    r"""Velocities :math:`(\dot g, \dot r)` of the overlap and the radius of n equiangular tokens of equal radius (SA).

    .. math:: \dot g = \frac{2q(1-g)(1+(n-1)g)}{s}, \quad \langle\theta,A\rangle = p + (n-1)qg, \quad
              |A|^2 = p^2 + 2(n-1)pqg + (n-1)q^2(1+(n-2)g)

    with the attention weights :math:`p = e^\beta/Z` (itself), :math:`q = e^{\beta g}/Z` (each other),
    :math:`Z = e^\beta + (n-1)e^{\beta g}`.

    :param scheme: "post", "pre" or "peri"
    :param overlap: the common overlap g, -1/(n-1) < g < 1, or a symbol
    :param radius: the common radius r, > 0, or a symbol
    :param tokens: their number n, >= 2, or a symbol
    :param beta: inverse temperature, any real number or a symbol (default beta)

    >>> g, r = sp.symbols("g r", positive=True)
    >>> [sp.factor(v) for v in normalized_velocity("pre", g, r, 2, 0)]
    [-(g - 1)*(g + 1)/r, (g + 1)/2]

    Raises ValueError for an unknown scheme, tokens < 2, an overlap outside (-1/(n-1), 1), a radius not > 0 or beta not
    finite. Source: arXiv 2510.22026 for the schemes; the reduction is derived here.

    See also :func:`.decay_law`, :func:`.radius_at`.
    """
    scheme, n, b, r = check_scheme(scheme), check_tokens(tokens), check_beta(beta), check_radius(radius)
    g = check_overlap(overlap, n)
    velocity = equiangular_velocity(g, n, b, model="sa")
    if scheme == "post":
        return velocity, sp.Integer(0)
    total = sp.exp(b) + (n - 1) * sp.exp(b * g)
    p, q = sp.exp(b) / total, sp.exp(b * g) / total
    along = p + (n - 1) * q * g
    size = sp.Integer(1)
    if scheme == "peri":
        size = sp.sqrt(p**2 + 2 * (n - 1) * p * q * g + (n - 1) * q**2 * (1 + (n - 2) * g))
    return velocity / (r * size), along / size


def radius_at(
    overlap: Real, tokens: Whole, beta: Real = beta, *, start: Real = 0, radius: Real = 1, digits: int | None = None
) -> Expr | Certified:
    r"""Radius at which n equiangular tokens reach an overlap (Pre and Peri).

    .. math:: r = r_0\, e^{T(g)} \sqrt{\frac{1+(n-1)g_0}{1+(n-1)g}}

    :param overlap: the overlap g that is reached, g_0 <= g < 1, or a symbol
    :param tokens: their number n, >= 2, or a symbol
    :param beta: inverse temperature, any real number or a symbol (default beta)
    :param start: the overlap g_0 at time 0, > -1/(n-1) (default 0)
    :param radius: the radius r_0 at time 0, > 0 (default 1)
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    >>> radius_at("3/5", 7, 0)                              # at beta = 0 A is the same for all: |x_i - x_j| rests
    sqrt(10)/2
    >>> g = sp.Symbol("g", positive=True)
    >>> first, second = normalized_velocity("peri", g, radius_at(g, 4), 4)
    >>> sp.simplify(sp.diff(radius_at(g, 4), g) * first / second)
    1

    Raises ValueError as :func:`~gegenflow.theory.synchronization.hitting_time` does, and for a radius not > 0.
    Source: derived here, for the schemes of arXiv 2510.22026.

    See also :func:`.normalized_velocity`, :func:`.synchronization.hitting_time`.
    """
    n, r, elapsed = (
        check_tokens(tokens),
        check_radius(radius),
        hitting_time(overlap, tokens, beta, start=start, model="sa"),
    )
    g, g0 = check_overlap(overlap, n), check_overlap(start, n, "start")
    prefactor = r * sp.sqrt((1 + (n - 1) * g0) / (1 + (n - 1) * g))
    if digits is None:
        return sp.simplify(prefactor * sp.exp(elapsed)) if check_beta(beta) == 0 else prefactor * sp.exp(elapsed)

    def evaluate() -> arb:
        balls = enclose(n), enclose(check_beta(beta))
        passed = clock(enclose(1 - g), *balls, "sa", BALLS) - clock(enclose(1 - g0), *balls, "sa", BALLS)
        value: arb = enclose(prefactor) * passed.exp()
        return value

    return certify_at("beta", beta, evaluate, digits)


@dataclass(frozen=True)
class DecayLaw:
    """Late-time law 1 - overlap ~ constant * decay.

    :param scheme: "post", "pre" or "peri"
    :param decay: how it falls, an expression in the symbol ``time``
    :param constant: its factor, certified where digits were asked for

    Source: derived in :func:`decay_law`.

    See also :func:`.decay_law`.
    """

    scheme: str
    decay: Expr
    constant: Expr | Certified

    def _repr_latex_(self) -> str:
        certified = isinstance(self.constant, Certified)
        constant = self.constant._repr_latex_().strip("$") if certified else latex(self.constant)
        return rf"$1 - g \sim \left({constant}\right) {latex(self.decay)}$"


def decay_law(
    scheme: str,
    tokens: Whole,
    beta: Real = beta,
    *,
    start: Real = 0,
    radius: Real = 1,
    digits: int | None = None,
) -> DecayLaw:
    r"""How 1 - g falls at late times for n equiangular tokens.

    .. math:: 1-g \sim C\,e^{-2t} \;\text{(Post)}, \qquad
              1-g \sim C\,r_0^2\,\frac{1+(n-1)g_0}{n}\; t^{-2} \;\text{(Pre, Peri)}, \qquad
              C = \lim_{g\to1} (1-g)\,e^{2T(g)}

    C is closed, by :math:`{\rm Ei}(x) = \gamma + \log|x| + O(x)` in T; Pre and Peri follow from the first integral and
    :math:`\dot r \to 1`. Their next terms are of relative order 1/t.

    :param scheme: "post", "pre" or "peri"
    :param tokens: their number n, >= 2, or a symbol
    :param beta: inverse temperature, any real number or a symbol (default beta)
    :param start: the overlap g_0 at time 0, > -1/(n-1) and < 1 (default 0)
    :param radius: the radius r_0 at time 0, > 0 (default 1)
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    >>> decay_law("post", 2, 0), decay_law("pre", 2, 0, start="1/2").constant          # two tokens: g = tanh t
    (DecayLaw(scheme='post', decay=exp(-2*time), constant=2), 1/2)
    >>> decay_law("peri", 32, 9, digits=10)
    DecayLaw(scheme='peri', decay=time**(-2), constant=[5.484111797e+150 +/- 8.5e+139])

    Raises ValueError for an unknown scheme, tokens < 2, a start outside (-1/(n-1), 1), a radius not > 0, beta not
    finite, digits < 1, or digits with a symbol.
    Source: arXiv 2510.22026 for the exponents; the constants are derived here.

    See also :func:`.normalized_velocity`, :func:`.dirac_rate`.
    """
    scheme, n, b, r = check_scheme(scheme), check_tokens(tokens), check_beta(beta), check_radius(radius)
    g0 = check_overlap(start, n, "start")
    ratio = sp.Integer(1) if scheme == "post" else r**2 * (1 + (n - 1) * g0) / n
    decay = sp.exp(-2 * time) if scheme == "post" else time**-2

    def constant(gap: Any, count: Any, inverse: Any, functions: Functions) -> Any:
        elapsed = clock(0 * gap, count, inverse, "sa", functions) - clock(gap, count, inverse, "sa", functions)
        return functions[2](2 * elapsed)

    if digits is None:
        value = constant(1 - g0, n, b, SYMBOLIC) * ratio
        return DecayLaw(scheme, decay, sp.simplify(value) if b == 0 else value)

    def evaluate() -> arb:
        value: arb = constant(enclose(1 - g0), enclose(n), enclose(b), BALLS) * enclose(ratio)
        return value

    return DecayLaw(scheme, decay, certify_at("beta", beta, evaluate, digits))
