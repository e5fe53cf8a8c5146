r"""Tokens that attend to their neighbours only: the flow at large beta, order by order, and the time scales it has.

Averages with the weight :math:`e^{\beta\langle x,y\rangle}` smooth a density a little, in every dim (DLMF 10.40.1 in
:math:`w_k`, :math:`\Delta` in place of :math:`-L_k`):

.. math:: \frac{1}{w_0} \int e^{\beta\langle x,y\rangle} \mu(y)\,d\sigma(y)
          = \mu + \frac{\Delta\mu}{2\beta} + O(\beta^{-2}) .

With :math:`w = \beta B^Tx`, :math:`r = |w|` and :math:`u = w/r` its gradient in w is what softmax attention sees,

.. math:: \frac{\int e^{\langle w,y\rangle}\,y\,\mu\,d\sigma}{\int e^{\langle w,y\rangle}\,\mu\,d\sigma}
          = u + \frac1r\Big(\nabla\log\mu(u) - \frac{d-1}2\,u\Big) + O(r^{-2}),

so that SA is the flow of :mod:`gegenflow.theory.low_temperature.limit_maps` up to an error of order :math:`1/\beta`.
Time scales:

1. Alignment, time of order one: the limit map of :math:`A = VB^T`.
2. Diffusion, where :math:`A = \pm I`, here with B = I, V = :math:`\pm I`: time of order :math:`\beta` for SA, of order
   :math:`\beta^{(d+1)/2}e^{-\beta}` for USA, see :func:`diffusion_time`. For V = +I it runs backwards: clusters form.
3. Pairing of what clusters are left, times of order :math:`e^{c\beta}`:
   :mod:`gegenflow.theory.low_temperature.pairing`, and
   :func:`gegenflow.theory.clusters.lifetime` for clusters in balance.

Source: arXiv 2605.10931 and 2509.25040 for the scales and the limits; the expansions and factors are derived here.
"""

from __future__ import annotations

import sympy as sp

from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_expression, check_model, passes
from gegenflow.theory.exact.integers import check_dim, check_terms
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.sphere import zonal_laplacian, zonal_weight
from gegenflow.theory.symbols import beta, d, t

L = sp.Symbol("L", nonnegative=True)
"""The eigenvalue :math:`L_k` of :math:`-\\Delta`."""


def smoothing_series(terms: int = 3, dim: Whole = d) -> tuple[Expr, ...]:
    r"""Coefficients of the expansion of the multipliers of :math:`e^{\beta t}` at large beta, as polynomials in L.

    .. math:: \frac{w_k}{w_0} = \sum_{n} c_n(L_k)\,\beta^{-n}, \qquad c_0 = 1, \quad c_1 = -\frac{L}{2}

    a quotient of two of Hankel's series, whose coefficients :math:`\prod_{i\le n} ((2i-1)^2 - 4\nu^2)/(8i)` at the
    order :math:`\nu = k + d/2 - 1` depend on k by :math:`4\nu^2 = (d-2)^2 + 4L_k` only. Up to c_2 they are the same
    in every dim.

    :param terms: number of coefficients, >= 1 (default 3)
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)

    >>> smoothing_series(3)
    (1, -L/2, L*(L - 2)/8)
    >>> ratio = (sp.besseli(6, 200) / sp.besseli(1, 200)).evalf(15)               # degree 5 in dim 4
    >>> series = sum(c.subs(L, 35) * sp.Rational(200) ** -n for n, c in enumerate(smoothing_series(6, 4)))
    >>> bool(abs(ratio - series) < 1e-9)
    True

    Raises ValueError for dim < 2 or terms < 1. Source: DLMF 10.40.1.

    See also :func:`.velocity_series`.
    """
    dim, terms = check_dim(dim), check_terms(terms)
    above, below = (_hankel((dim - 2) ** 2 + 4 * eigenvalue, terms) for eigenvalue in (L, sp.Integer(0)))
    return tuple(sp.factor(c) for c in _quotient(above, below))


def _hankel(squared: Expr, terms: int) -> list[Expr]:
    series = [sp.Integer(1)]
    for i in range(1, terms):
        series.append(series[-1] * ((2 * i - 1) ** 2 - squared) / (8 * i))
    return series


def _quotient(above: list[Expr], below: list[Expr]) -> list[Expr]:
    """The first coefficients of the quotient of two power series."""
    series: list[Expr] = []
    for n, coefficient in enumerate(above):
        known = sum((below[n - i] * c for i, c in enumerate(series)), sp.Integer(0))
        series.append((coefficient - known) / below[0])
    return series


def velocity_series(density: Expr, dim: Whole = d, *, model: str = "sa", sign: int = 1, terms: int = 1) -> Expr:
    r"""The velocity of tokens of a zonal density at large beta, for B = I and V = I or -I, as a factor of P_x e.

    .. math:: v = \pm\frac1\beta \nabla \log\mu \pm \frac{1}{2\beta^2} \nabla \frac{\Delta\mu}{\mu} + \dots
              \ \text{(SA)}, \qquad
              \frac{v}{w_0} = \pm\frac1\beta \nabla\mu \pm \frac1{2\beta^2} \nabla\Delta\mu + \dots \ \text{(USA)}

    Tokens attract each other (V = +I): the flow is up the density.

    :param density: mu, an expression > 0 in the overlap t = <x, e> with the axis e
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "sa"
    :param sign: 1 (default) for V = I, -1 for V = -I, one of the two
    :param terms: number of powers of 1/beta, >= 1 (default 1)

    >>> velocity_series(sp.exp(3 * t), terms=2).expand()
    3/beta - 3*d/(2*beta**2) - 9*t/beta**2 + 3/(2*beta**2)
    >>> velocity_series(1 + t / 2, 3, model="usa", sign=-1)
    -1/(2*beta)

    Raises Refused for a density known not to be > 0, dim < 2, terms < 1, an unknown model, or a sign other than 1 and
    -1. Source: arXiv 2605.10931 for the first term of SA; derived here.

    See also :func:`.diffusion`, :func:`.smoothing_series`.
    """
    smooth = [_apply(c, check_density(density), dim) for c in smoothing_series(terms, dim)]
    slopes = [sp.diff(part, t) for part in smooth]
    series = _quotient(slopes, smooth) if check_model(model) == "sa" else slopes
    return check_sign(sign) * sum(sp.simplify(c) / beta ** (n + 1) for n, c in enumerate(series))


def _apply(polynomial: Expr, density: Expr, dim: Expr) -> Expr:
    """The polynomial in L at L = -Laplacian, applied to a zonal density."""
    result = sp.Integer(0)
    for coefficient in sp.Poly(polynomial, L).all_coeffs():
        result = coefficient * density - zonal_laplacian(result, dim)
    return result


def check_density(density: Expr) -> Expr:
    """The density as an expression, or a refusal where it is known not to be > 0.

    >>> check_density(1 + t / 2)
    t/2 + 1
    >>> check_density(-1 - t**2)
    Traceback (most recent call last):
    gegenflow.theory.exact.refusals.Refused: density -t**2 - 1: it must be > 0
    """
    given = check_expression(density, "density")
    if not passes(given):
        raise Refused("density", density, "it must be > 0")
    return given


def check_sign(sign: int) -> int:
    """The sign of the values, or a ValueError unless it is 1 or -1."""
    if sign not in (1, -1) or isinstance(sign, bool):
        raise Refused("sign", sign, "the values are V = I, sign 1, or V = -I, sign -1")
    return sign


def diffusion_time(dim: Whole = d, beta: Real = beta, *, model: str = "sa") -> Expr:
    r"""The unit of time in which a density changes at large beta, for B = I and V = :math:`\pm I`.

    .. math:: T = \beta \ \text{(SA)}, \qquad
              T = \frac{\beta}{w_0} \simeq \frac{2^{(3-d)/2}\sqrt\pi}{\Gamma(d/2)}\,\beta^{(d+1)/2}\,e^{-\beta}
              \ \text{(USA)}

    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)
    :param beta: inverse temperature, >= 0, or a symbol (default beta)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "sa"

    >>> diffusion_time(), diffusion_time(3, model="usa").simplify()
    (beta, beta**2/sinh(beta))
    >>> law = 2 ** sp.Rational(-1, 2) * sp.sqrt(sp.pi) / sp.gamma(2) * 300 ** sp.Rational(5, 2) * sp.exp(-300)
    >>> round(float(diffusion_time(4, 300, model="usa") / law), 5)                           # 1 + 3/(8 beta)
    1.00125

    Raises ValueError for dim < 2, beta < 0 or not finite, or an unknown model. Source: arXiv 2605.10931 for SA; the
    power of beta and the constant of USA are derived here from DLMF 10.40.1.

    See also :func:`.diffusion`.
    """
    kernel, dim = Kernel.exponential(beta), check_dim(dim)
    scale = sp.diff(kernel.weight, t).subs(t, 0)
    return scale if check_model(model) == "sa" else scale / kernel.multiplier(0, dim)


def diffusion(density: Expr, dim: Whole = d, *, model: str = "sa", sign: int = 1) -> Expr:
    r"""The limit of the equation of a zonal density at large beta, per unit s of :func:`diffusion_time`.

    .. math:: \partial_s \mu = \mp\Delta\mu \ \text{(SA)}, \qquad
              \partial_s \mu = \mp\tfrac12\,\Delta(\mu^2) \ \text{(USA)}, \qquad V = \pm I

    the continuity equation of the first term of :func:`velocity_series`.

    :param density: mu, an expression > 0 in the overlap t = <x, e> with the axis e
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "sa"
    :param sign: 1 (default) for V = I, -1 for V = -I, one of the two

    Near the uniform density both are the limit of the growth rates, :math:`\gamma_k T \to \pm L_k`:

    >>> from gegenflow.theory.sphere import zonal_divergence
    >>> mu = sp.Function("mu")(t)
    >>> flux = mu * velocity_series(mu)
    >>> sp.simplify(-zonal_divergence(flux) * diffusion_time() - diffusion(mu))    # in any dim
    0
    >>> [diffusion(1 + t, 3, model=model, sign=-1).expand() for model in ("sa", "usa")]
    [-2*t, -3*t**2 - 2*t + 1]

    Raises Refused for a density known not to be > 0, dim < 2, an unknown model, or a sign other than 1 and -1. Source:
    arXiv 2605.10931 for the equations; the factor 1/2 of USA,
    :math:`\mathrm{div}(\mu\nabla\mu) = \frac12\Delta(\mu^2)`, is derived here.

    See also :func:`.diffusion_time`, :func:`.velocity_series`, :func:`.drift_speed`.
    """
    density = check_density(density)
    spread = density if check_model(model) == "sa" else density**2 / 2
    return -check_sign(sign) * zonal_laplacian(spread, check_dim(dim))


def drift_speed(density: Expr, dim: Whole = d, *, model: str = "sa") -> Expr:
    r"""Speed at which a zonal density leaves its place, in the distance :math:`W_2`, per unit of diffusion time.

    .. math:: \lim_{s\to0} \frac{W_2(\mu_s, \mu_0)}{s}
              = \Big(\int |\nabla\log\mu|^2 d\mu\Big)^{1/2} \ \text{(SA)}, \qquad
              \Big(\int |\nabla\mu|^2 d\mu\Big)^{1/2} \ \text{(USA)}

    the norm of a gradient field in :math:`L^2(\mu)`: for SA the root of the Fisher information. An integral, for
    ``evalf``; for V = I and V = -I alike.

    :param density: mu, an expression > 0 in the overlap t = <x, e> with the axis e
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "sa"

    >>> drift_speed(1 + t / 2, 2).evalf(10), sp.sqrt(1 - sp.sqrt(3) / 2).evalf(10)  # exact on the circle
    (0.3660254038, 0.3660254038)
    >>> drift_speed(1 + t / 2, 5, model="usa").doit()
    sqrt(5)/5

    Raises Refused for a density known not to be > 0, dim < 2 or an unknown model. Source: derived here.

    See also :func:`.diffusion`, :class:`.ProjectionLaw`.
    """
    density = check_density(density)
    slope, check = sp.diff(density, t), check_model(model)
    energy = slope**2 / density if check == "sa" else slope**2 * density
    return sp.sqrt(sp.Integral((1 - t**2) * energy * zonal_weight(check_dim(dim)), (t, -1, 1)))
