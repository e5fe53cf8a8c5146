r"""Synchronisation: all tokens end at one point. The rate there, and how fast the energy is bound to get there.

With :math:`m = \int x\,d\mu` and :math:`R = |m|`, the flow (USA) raises :math:`E = \frac1{2\beta}\iint
e^{\beta\langle x,y\rangle}d\mu\,d\mu` (at beta = 0 less its constant, :math:`E = R^2/2`) at the rate
:math:`\dot E = \int|v|^2 d\mu`; its maximum E* is that of a Dirac. A Lojasiewicz constant C of a set of measures,
:math:`\dot E \ge C\,(E^* - E)` on it, makes :math:`E^* - E` fall at least as :math:`e^{-Ct}` while the flow is there.

No C > 0 serves all measures with :math:`R \ge R_0`, whatever :math:`R_0 < 1`: masses :math:`(1 \pm R_0)/2` at
:math:`\pm e`, such as 2/3 and 1/3, are stationary at every beta. Bounding overlaps from below excludes them.
For densities in :math:`L^2` with R > 0 and small abs(beta) the theorem of arXiv 2504.14697 gives
:math:`W_2 \le C_0 e^{-t/100}`; the exponent is one of the proof, the true one near the Dirac is :func:`dirac_rate`.
"""

from __future__ import annotations

import sympy as sp

from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_beta, check_model, check_overlap, check_real
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_tokens
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.kernels.attention import KernelLike, attention
from gegenflow.theory.symbols import beta, t


def dirac_rate(
    beta: Real = beta, *, model: str = "usa", kernel: KernelLike | None = None, digits: int | None = None
) -> Expr | Certified:
    r"""Rate at which tokens near one point contract: :math:`W_2(\mu_t, \delta) \sim e^{-rt}`.

    .. math:: r = h(1) = e^\beta \;\text{(USA)}, \qquad r = 1 \;\text{(SA)}

    in every dim, for beta of either sign. With :math:`x_i = e + \varepsilon u_i + O(\varepsilon^2)`, u tangent at e,
    :math:`P_{x_i}x_j = \varepsilon(u_j - u_i) + O(\varepsilon^2)` while :math:`h = h(1) + O(\varepsilon^2)`, so
    :math:`\dot u_i = h(1)\,(\bar u - u_i)`: the mean :math:`\bar u` rests (rotations), all else contracts at h(1), and
    1 - overlap and E* - E at twice that. A kernel with h(1) < 0 repels, at the rate abs(r).

    :param beta: inverse temperature, any real number or a symbol (default beta)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param kernel: attention weight h(t) as a Kernel, a formula or its text; None (default) is exp(beta*t)
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    A token at the angle s:

    >>> s, h = sp.Symbol("s"), sp.Function("h")
    >>> -sp.diff(-h(sp.cos(s)) * sp.sin(s), s).subs(s, 0).doit()
    h(1)
    >>> dirac_rate(), dirac_rate(model="sa"), dirac_rate(-1, digits=8)
    (exp(beta), 1, [0.36787944 +/- 1.2e-9])

    Raises ValueError for beta not finite, an unknown model, SA with h(1) = 0, digits < 1, or digits with a symbol.
    Source: derived here; arXiv 2504.14697 for the question.

    See also :func:`.lojasiewicz_constant`, :func:`.synchronization.hitting_time`.
    """
    weight = sp.exp(check_beta(beta) * t) if kernel is None else attention(beta, kernel).weight
    rate = weight.subs(t, 1).doit()
    if check_model(model) == "sa":
        if rate == 0:
            raise Refused("kernel", weight, "SA divides by the weight at overlap 1, which is 0")
        rate = sp.Integer(1)
    return rate if digits is None else certify_at("beta", beta, lambda: enclose(rate), digits)


def lojasiewicz_constant(
    overlap: Real, beta: Real = beta, *, tokens: Whole = sp.oo, model: str = "usa", digits: int | None = None
) -> Expr | Certified:
    r"""A constant C with :math:`\dot E \ge C(E^* - E)` for all measures with overlaps :math:`\langle x,y\rangle \ge g`.

    .. math:: C = 2q\,\frac{u\,e^{\beta g}}{e^u - 1}, \quad u = \beta(1-g), \quad q = g + \frac{1-g}{n}
              \qquad (\beta \ge 0), \qquad C = 2q\,e^\beta \quad (\beta < 0)

    for n equal tokens, :math:`g > -1/(n-1)`; for all measures with n infinite, q = g > 0. SA: C over :math:`\max h`. A
    symbol of unknown sign gives both cases. With :math:`g \ge 0` the flow (either model) stays in this set. For beta >=
    0 and USA the constant is the best one if n <= dim: equiangular tokens attain it. n = 2, :math:`g = \cos 2\alpha`,
    gives the best one for all measures, in any dim, whose support lies within the angle :math:`\alpha < \pi/2` of the
    direction of their mean (there :math:`R a_x \ge q = \cos^2\alpha`): two equal clusters attain it.

    Proof. Let :math:`e = m/R`, :math:`a_x = \langle x,e\rangle`, :math:`s = \langle x,y\rangle`, and q bound
    :math:`\langle x,m\rangle = R a_x` from below (a token's own weight is 1/n). By Cauchy-Schwarz with the field
    :math:`P_x e`, whose square integrates to :math:`\int(1-a^2)`,
    :math:`\dot E \ge G^2/\!\int(1-a^2)` with :math:`G = \iint h(s)(1-s)\frac{a_x+a_y}2`. As
    :math:`\iint(1-s)\frac{a_x+a_y}2 = R\int(1-a^2)`, :math:`G \ge \min h\; R\int(1-a^2)`, so
    :math:`\dot E \ge \min h\,R\,G`. With :math:`F(s) = \int_s^1 h`, :math:`2(E^*-E) = \iint F`, and
    :math:`\psi = \min h(s)(1-s)/F(s)`: :math:`R\,G \ge \psi\,q \iint F`. For beta >= 0 both minima over [g, 1] are
    at g, for beta < 0 at 1. SA: :math:`\dot E = \int|v|^2/(h*\mu) \ge \int|v|^2/\max h`. The set is kept: where
    :math:`\langle x_i,x_j\rangle = g \ge 0` is smallest, each term
    :math:`\langle x_j,x_k\rangle - g\langle x_i,x_k\rangle \ge g(1 - \langle x_i,x_k\rangle)` of its velocity is >= 0.

    :param overlap: the smallest overlap g, 0 < g < 1, for n tokens -1/(n-1) < g < 1
    :param beta: inverse temperature, any real number or a symbol (default beta)
    :param tokens: their number n, >= 2, or a symbol; infinite by default: all measures
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression

    >>> lojasiewicz_constant("0.5", 1, digits=8), lojasiewicz_constant("0.5", 1, tokens=2, digits=8)
    ([1.2707470 +/- 4.2e-8], [1.9061206 +/- 3.9e-8])
    >>> sp.limit(lojasiewicz_constant(t), t, 1), sp.limit(lojasiewicz_constant(t, model="sa"), t, 1)    # sharp there
    (2*exp(beta), 2)

    Raises ValueError for an overlap that leaves q <= 0 or is not < 1, tokens < 2, beta not finite, an unknown model,
    digits < 1, or digits with a symbol. Source: derived here; arXiv 2504.14697 for the idea.

    See also :func:`.dirac_rate`, :func:`.kuramoto_lojasiewicz`.
    """
    b, model = check_beta(beta), check_model(model)
    if tokens == sp.oo:
        allowed = "the smallest overlap must lie in (0, 1), or in (-1/(n-1), 1) for n tokens"
        g = q = check_real(overlap, "overlap", allowed, above=0, below=1)
    else:
        n = check_tokens(tokens)
        g = check_overlap(overlap, n)
        q = g + (1 - g) / n
    attracting = 2 * q * sp.exp(b * g) * (b * (1 - g) / (sp.exp(b * (1 - g)) - 1) if b != 0 else 1)
    repelling = 2 * q * sp.exp(b)
    if model == "sa":
        attracting, repelling = attracting * sp.exp(-b), repelling * sp.exp(-b * g)
    if b.is_nonnegative or b.is_negative:
        constant = repelling if b.is_negative else attracting
    elif b.free_symbols:
        constant = sp.Piecewise((attracting, b > 0), (repelling, True))
    else:
        raise Refused("beta", beta, "its sign must be known, as the constant differs")
    return constant if digits is None else certify_at("beta", beta, lambda: enclose(constant), digits)


def kuramoto_lojasiewicz(resultant: Real, cone: Real) -> Expr:
    r"""The best constant at beta = 0 for measures of resultant R with :math:`\langle x,m\rangle \ge cR` on the support.

    .. math:: C = \frac{2R^2(1+c)}{1+R}, \qquad 0 < R \le 1, \quad -1 \le c \le R

    With :math:`a = \langle x,m\rangle/R`: :math:`v = P_x m`, :math:`\dot E = R^2\int(1-a^2)`, and
    :math:`\int(1-a)(1+a) \ge (1+c)(1-R)`, while :math:`E^*-E = (1-R)(1+R)/2`. Equality holds where a takes the values
    c and 1 alone, which every such pair R, c allows. On the whole sphere c = -1, and C = 0.

    :param resultant: R, the length of the mean, 0 < R <= 1
    :param cone: c, the smallest overlap with the direction of the mean, -1 <= c <= R

    >>> kuramoto_lojasiewicz("1/3", -1), kuramoto_lojasiewicz("0.5", "0.5")
    (0, 1/2)

    Raises ValueError for R outside (0, 1] or c outside [-1, R]. Source: derived here; arXiv 2504.14697 for the idea.

    See also :func:`.lojasiewicz_constant`.
    """
    length = check_real(resultant, "resultant", "the resultant must lie in (0, 1]", above=0, most=1)
    allowed = "the smallest overlap with the mean's direction must lie in [-1, resultant]"
    least = check_real(cone, "cone", allowed, least=-1, most=length)
    return 2 * length**2 * (1 + least) / (1 + length)
