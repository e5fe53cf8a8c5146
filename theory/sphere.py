r"""The sphere :math:`S^{d-1}`: degrees, dimensions, zonal harmonics and their Laplacian.

Symbols used throughout the theory: degree ``k``, dimension ``d`` of the ambient space, overlap ``t`` = <x, y>.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

import sympy as sp
from flint import arb
from sympy.printing.latex import LatexPrinter

from gegenflow.theory.exact.arguments import Expr, Whole, check_expression
from gegenflow.theory.exact.floats import float_values, log_values
from gegenflow.theory.exact.integers import check_degree, check_dim, check_number
from gegenflow.theory.symbols import d, k, t

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from gegenflow.theory.exact.floats import Floats


def laplacian_eigenvalue(degree: Whole = k, dim: Whole = d) -> Expr:
    r"""Eigenvalue :math:`L_k = k(k+d-2)` of minus the Laplace-Beltrami operator on degree-k harmonics.

    :param degree: degree of the harmonic, >= 0, or a symbol (default k)
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)

    >>> laplacian_eigenvalue()
    k*(d + k - 2)
    >>> [laplacian_eigenvalue(k, dim=3) for k in range(4)]     # l (l + 1) of quantum mechanics
    [0, 2, 6, 12]

    Raises ValueError for dim < 2 or a negative degree. Source: DLMF 14.30.10 for dim 3; general dim by
    :func:`zonal_laplacian` on :func:`gegenbauer`, checked in :mod:`gegenflow.theory.growth.derivation`.
    """
    degree, dim = check_degree(degree, 0), check_dim(dim)
    return degree * (degree + dim - 2)


def harmonic_dimension(degree: int, dim: int) -> int:
    r"""Number of independent spherical harmonics of a degree on :math:`S^{d-1}`.

    .. math:: D_k = \binom{k+d-1}{k} - \binom{k+d-3}{k-2}

    homogeneous polynomials of degree k in d variables, less those that carry a factor :math:`|x|^2`.

    :param degree: degree of the harmonics, >= 0
    :param dim: d of the sphere S^{d-1}, >= 2

    Dimensions up to degree k add up to those of the polynomials of degree k and k-1:

    >>> [harmonic_dimension(k, dim=3) for k in range(5)]
    [1, 3, 5, 7, 9]
    >>> sum(harmonic_dimension(k, dim=7) for k in range(6)) == comb(6 + 5, 5) + comb(6 + 4, 4)
    True

    Raises ValueError for dim < 2 or a negative degree. Source: DLMF 14.30(i) for dim 3; general dim derived here.

    See also :func:`.gegenbauer`.
    """
    degree, dim = check_degree(degree, 0), check_dim(dim)
    return comb(degree + dim - 1, degree) - (comb(degree + dim - 3, degree - 2) if degree >= 2 else 0)


def gegenbauer(degree: int, dim: Whole = d, overlap: Expr = t) -> Expr:
    r"""Zonal harmonic :math:`P_k(t)`, the Gegenbauer polynomial of index (d-2)/2 scaled to :math:`P_k(1) = 1`.

    .. math:: (k+d-2)\,P_{k+1}(t) = (2k+d-2)\,t\,P_k(t) - k\,P_{k-1}(t), \qquad P_0 = 1,\; P_1 = t

    A polynomial in the overlap whose coefficients are rational in the dimension; Chebyshev polynomials for dim 2,
    Legendre for dim 3.

    :param degree: degree of the harmonic, >= 0
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)
    :param overlap: its argument, any real number or expression (default the symbol t)

    >>> gegenbauer(4, dim=2) - sp.chebyshevt(4, t), gegenbauer(4, dim=3) - sp.expand(sp.legendre(4, t))
    (0, 0)
    >>> [sp.simplify(gegenbauer(k, overlap=1)) for k in range(4)]
    [1, 1, 1, 1]

    Raises ValueError for dim < 2 or a negative degree. Source: DLMF 18.9.1 and 18.9.2 (Gegenbauer), rescaled here.

    See also :func:`.gegenbauer_function`, :func:`.harmonic_dimension`.
    """
    degree, dim, overlap = check_degree(degree, 0), check_dim(dim), check_expression(overlap, "overlap")
    x = sp.Dummy()
    previous, current = sp.Integer(1), x
    for n in range(1, degree):
        rise = ((2 * n + dim - 2) * x * current - n * previous) / (n + dim - 2)
        previous, current = current, sp.collect(sp.expand(rise), x, sp.factor)
    return (current if degree else previous).subs(x, overlap)


@dataclass(frozen=True)
class GegenbauerFunction:
    r"""The zonal harmonic of a degree as a function of the overlap.

    :param degree: degree of the harmonic, >= 0
    :param dim: d of the sphere S^{d-1}, >= 2

    See also :func:`.gegenbauer_function`.
    """

    degree: int
    dim: int

    def __call__(self, overlap: ArrayLike) -> Floats:
        """Its values at an array ``overlap`` in [-1, 1], in an array of its shape; 0 below the range of float64."""
        return float_values(self._ball, overlap, "overlap", -1, 1)

    def log(self, overlap: ArrayLike) -> tuple[Floats, Floats]:
        r"""The signs of its values at an array ``overlap`` and :math:`\log|P_k|`, of any size; -inf at a zero."""
        return log_values(self._ball, overlap, "overlap", -1, 1)

    def _ball(self, overlap: arb) -> arb:
        """The value; at a point :math:`p/2^q` either 0 or at least :math:`2^{-(q+2)k}` before it is scaled."""
        index = arb(self.dim - 2) / 2
        flat = self.dim == 2
        value = overlap.chebyshev_t(self.degree) if flat else overlap.gegenbauer_c(self.degree, index)
        halvings = max(0, -int(overlap.man_exp()[1]))
        if value.contains(0) and abs(value) < arb(2) ** (-self.degree * (halvings + 2)):
            return arb(0)
        scaled: arb = value if flat else value / arb(1).gegenbauer_c(self.degree, index)
        return scaled

    def _repr_latex_(self) -> str:
        return f"$P_{{{self.degree}}}(t), \\; d = {self.dim}$"


def gegenbauer_function(degree: int, dim: int) -> GegenbauerFunction:
    r"""The zonal harmonic :math:`P_k(t)` as a function of an array of overlaps, right to the last bit or so.

    A function f with ``f(t)``, the values in floats, and ``f.log(t)``, their signs and :math:`\log|P_k|`, which may lie
    below the range of floats. Near a zero of :math:`P_k` the values are as good; at one they are 0. Each is worked out
    in balls: microseconds at low degree, up to a tenth of a second at degree 10,000.

    :param degree: degree of the harmonic, >= 0
    :param dim: d of the sphere S^{d-1}, >= 2

    >>> float(gegenbauer_function(60, 3)(0.999).round(12))   # the expanded polynomial says 41240
    -0.145073040278
    >>> [float(part) for part in gegenbauer_function(1000, 1000).log(0.3)]
    [-1.0, -668.7162299562979]
    >>> gegenbauer_function(2, 4)([0.5, -1.0]).tolist()
    [0.0, 1.0]

    Raises Refused for a bad degree or dim; called, for overlaps outside [-1, 1]. Source: DLMF 18.5.9, rescaled; the
    evaluation is derived here: :math:`C_k^{(d/2-1)}` is a polynomial in 2t with coefficients in
    :math:`4^{-k}\mathbb{Z}` (those of :math:`(1 - 2tx + x^2)^{1-d/2}`), so that its zeros at floats are found exactly.

    See also :func:`.gegenbauer`, :func:`.rate_function`.
    """
    return GegenbauerFunction(check_number("degree", check_degree(degree, 0)), check_number("dim", check_dim(dim)))


def zonal_weight(dim: Whole = d, overlap: Expr = t) -> Expr:
    r"""Density of the overlap :math:`t = \langle x, e\rangle` for x uniform on the sphere.

    .. math:: \omega(t) = \frac{\Gamma(d/2)}{\sqrt\pi\,\Gamma((d-1)/2)}\,(1-t^2)^{(d-3)/2}, \qquad -1 < t < 1

    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)
    :param overlap: its argument, -1 < t < 1, or an expression (default the symbol t)

    >>> [sp.integrate(zonal_weight(n), (t, -1, 1)) for n in (2, 3, 5)]
    [1, 1, 1]
    >>> sp.integrate(t**2 * zonal_weight(5), (t, -1, 1))       # |x|^2 = 1 shared by five coordinates
    1/5

    Raises ValueError for dim < 2. Source: derived here (area of the parallel at latitude t).
    """
    dim, overlap = sp.sympify(check_dim(dim)), check_expression(overlap, "overlap")
    constant = sp.gamma(dim / 2) / (sp.sqrt(sp.pi) * sp.gamma((dim - 1) / 2))
    return constant * (1 - overlap**2) ** ((dim - 3) / 2)


def zonal_divergence(flux: Expr, dim: Whole = d, *, evaluate: bool = True) -> Expr:
    r"""Divergence of the zonal vector field :math:`g(t)\,\nabla t`: :math:`(1-t^2)\,g'(t) - (d-1)\,t\,g(t)`.

    The flux through the parallels balances: the divergence integrates to zero.

    :param flux: g, an expression in t
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)
    :param evaluate: whether g' is worked out (default True)

    >>> sp.integrate(zonal_divergence(t**3 + t**2, 5) * zonal_weight(5), (t, -1, 1))
    0

    Source: derived here; :mod:`gegenflow.theory.growth.derivation` checks it against the conservative form.
    """
    return (1 - t**2) * sp.Derivative(flux, t, evaluate=evaluate) - (dim - 1) * t * flux


def zonal_laplacian(function: Expr, dim: Whole = d, *, evaluate: bool = True) -> Expr:
    r"""Laplace-Beltrami operator on a zonal function: :math:`(1-t^2)\,f''(t) - (d-1)\,t\,f'(t)`.

    :param function: f, an expression in t
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)
    :param evaluate: whether the derivatives are worked out (default True)

    >>> sp.expand(zonal_laplacian(gegenbauer(3, 6), 6) / gegenbauer(3, 6)).simplify() == -laplacian_eigenvalue(3, 6)
    True

    Source: DLMF 18.8.1 (Gegenbauer's differential equation).
    """
    return zonal_divergence(sp.Derivative(function, t, evaluate=evaluate), dim, evaluate=evaluate)


class P(sp.Function):  # type: ignore[misc]
    """The zonal harmonic P_k(t) while its degree is a symbol; that of another dimension has it as a third argument."""

    nargs = (2, 3)

    def _latex(self, printer: LatexPrinter) -> str:
        degree, overlap, *dim = (printer._print(argument) for argument in self.args)
        return f"P_{{{degree}}}{''.join(f'^{{({other})}}' for other in dim)}\\left({overlap}\\right)"
