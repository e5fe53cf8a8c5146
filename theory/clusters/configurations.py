r"""Equal clusters at the points of a regular configuration on :math:`S^{d-1}`: how they spread, and how they escape.

For k equal clusters at stationary points :math:`x_a`, with overlaps :math:`c_{ab}` and
:math:`P_a = I - x_a x_a^T`, the linearised flow (USA) of a token displaced by u within cluster a, and of
clusters displaced by :math:`u_a` as wholes, is

.. math:: A_a u = P_a\Big[\tfrac1k \sum_b e^{\beta c_{ab}} (\beta\, x_b x_b^T - c_{ab})\Big] u, \qquad
          (L u)_a = A_a u_a + \tfrac1k \sum_b e^{\beta c_{ab}} P_a (I + \beta\, x_b x_a^T) u_b ;

L is k times the Hessian of the energy, which the flow increases. SA divides row a by
:math:`Z_a = \frac1k\sum_b e^{\beta c_{ab}}`.

1. The clusters hold together at every beta > 0 wherever :math:`A_a` is a multiple of the identity, the same for all a
   (all configurations below): with the amplitudes :math:`A_l^2` = mean of :math:`P_l(c_{ab})` and the growth rates
   :math:`\gamma_l` of the uniform state it is :math:`-\frac{1}{d-1}\sum_l D_l\gamma_l A_l^2 < 0`.
2. In d >= 3 every stationary arrangement of at least two clusters, of any masses, escapes at every beta: over
   displacements :math:`u_a = P_a z`, z each of d orthogonal directions, the second variation of the energy adds up to
   :math:`\sum_{ab} m_a m_b e^{\beta c}(1-c)[(d-2-c) + \beta(1-c^2)] > 0`. Where that mode is an eigenvector (all
   configurations below) its eigenvalue is that sum, over :math:`d-1`. SA has the same signs.

Source: arXiv 2410.23228 for the flow; spectra and both statements are derived here.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from gegenflow.theory.clusters.circle import inverse_temperature
from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_model
from gegenflow.theory.exact.integers import check_dim
from gegenflow.theory.exact.values import record_html
from gegenflow.theory.symbols import beta, d

Pairs = tuple[tuple[Expr, Expr], ...]
"""Eigenvalues with their multiplicities."""


@dataclass(frozen=True)
class ClusterSpectrum:
    """Energy and linearised spectrum of equal clusters; eigenvalues come with their multiplicities.

    :param dim: d of the sphere S^{d-1}
    :param clusters: their number
    :param beta: inverse temperature
    :param model: "usa" (unnormalised) or "sa" (softmax)
    :param energy: the interaction energy
    :param inter: (eigenvalue, multiplicity) over the d-1 directions of each cluster as a whole, rotations included
    :param intra: (eigenvalue, multiplicity) over the d-1 directions of a token within each cluster
    :param unstable: number of growing directions of ``inter``
    :param holds: whether all of ``intra`` contract

    Source: derived in the closed forms below and in :func:`~gegenflow.theory.clusters.cluster_spectrum`.

    See also :func:`.simplex_spectrum`, :func:`.cluster_spectrum`.
    """

    dim: Expr
    clusters: Expr
    beta: Expr
    model: str
    energy: Expr
    inter: Pairs
    intra: Pairs
    unstable: Expr
    holds: bool

    _repr_html_ = record_html

    @property
    def stable(self) -> bool:
        """Whether no direction grows."""
        return self.holds and self.unstable == 0


def antipodal_spectrum(dim: Whole = d, beta: Real = beta, *, model: str = "usa") -> ClusterSpectrum:
    r"""Spectrum of two equal antipodal clusters.

    .. math:: \text{inter: } e^{-\beta}\,(d-1), \quad 0\,(d-1); \qquad
              \text{intra: } -\sinh\beta\;(2d-2); \qquad Z = \cosh\beta

    multiplicities in brackets; SA divides by Z.

    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)
    :param beta: inverse temperature, > 0, or a symbol (default beta)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"

    >>> antipodal_spectrum().inter
    ((exp(-beta), d - 1), (0, d - 1))

    Raises ValueError for dim < 2, beta not > 0 or not finite, an unknown model. Source: derived here.

    See also :func:`.antipodal_clusters`, :func:`.cluster_spectrum`.
    """
    dim, b = check_dim(dim), inverse_temperature(beta)
    inter = ((sp.exp(-b), dim - 1), (sp.Integer(0), dim - 1))
    return _closed_form(dim, 2, b, model, sp.cosh(b), inter, -sp.sinh(b))


def simplex_spectrum(dim: Whole = d, beta: Real = beta, *, model: str = "usa") -> ClusterSpectrum:
    r"""Spectrum of d+1 equal clusters at the vertices of a regular simplex.

    .. math:: \text{inter: } e^{-\beta/d}\Big(\frac{d-1}{d} + \frac{d+1}{d^2}\beta\Big)\,(d), \quad
              \frac{2\beta}{d} e^{-\beta/d}\;\Big(\frac{(d+1)(d-2)}{2}\Big), \quad 0\;\Big(\frac{d(d-1)}{2}\Big)

    .. math:: \text{intra: } \frac{\beta}{d} e^{-\beta/d} - \frac{e^\beta - e^{-\beta/d}}{d+1}\;(d^2-1); \qquad
              Z = \frac{e^\beta + d\,e^{-\beta/d}}{d+1}

    multiplicities in brackets (the irreducible parts of the displacements under the permutations of the vertices);
    SA divides by Z.

    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)
    :param beta: inverse temperature, > 0, or a symbol (default beta)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"

    >>> sum(multiplicity for _, multiplicity in simplex_spectrum().inter).factor()      # d-1 for each of d+1 clusters
    (d - 1)*(d + 1)
    >>> simplex_spectrum(2).inter[0]                                                    # three clusters on the circle
    ((3*beta/4 + 1/2)*exp(-beta/2), 2)

    Raises ValueError for dim < 2, beta not > 0 or not finite, an unknown model. Source: derived here.

    See also :func:`.simplex`, :func:`.cluster_spectrum`.
    """
    dim, b = sp.sympify(check_dim(dim)), inverse_temperature(beta)
    far = sp.exp(-b / dim)
    inter = (
        (far * ((dim - 1) / dim + (dim + 1) / dim**2 * b), dim),
        (2 * b / dim * far, (dim + 1) * (dim - 2) / 2),
        (sp.Integer(0), dim * (dim - 1) / 2),
    )
    intra = b / dim * far - (sp.exp(b) - far) / (dim + 1)
    return _closed_form(dim, dim + 1, b, model, (sp.exp(b) + dim * far) / (dim + 1), inter, intra)


def cross_polytope_spectrum(dim: Whole = d, beta: Real = beta, *, model: str = "usa") -> ClusterSpectrum:
    r"""Spectrum of 2d equal clusters at :math:`\pm e_1, \ldots, \pm e_d`.

    .. math:: \text{inter: } \frac{\beta + e^{-\beta} + d - 2}{d}\,(d), \quad
              \frac{2\beta}{d}\,\Big(\frac{d(d-1)}{2}\Big), \quad
              \frac{\beta + e^{-\beta} - 1}{d}\,(d(d-2)), \quad 0\,\Big(\frac{d(d-1)}{2}\Big)

    .. math:: \text{intra: } \frac{\beta - \sinh\beta}{d}\;(2d(d-1)); \qquad Z = \frac{\cosh\beta + d - 1}{d}

    multiplicities in brackets (the irreducible parts of the displacements under signed permutations); SA divides by Z.
    The first mode grows fastest below :math:`\beta - e^{-\beta} = d - 2`, the second above.

    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)
    :param beta: inverse temperature, > 0, or a symbol (default beta)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"

    >>> sum(multiplicity for _, multiplicity in cross_polytope_spectrum().inter).factor()
    2*d*(d - 1)
    >>> cross_polytope_spectrum(2).inter[:2]                                     # four clusters on the circle
    ((beta/2 + exp(-beta)/2, 2), (beta, 1))

    Raises ValueError for dim < 2, beta not > 0 or not finite, an unknown model. Source: derived here.

    See also :func:`.cross_polytope`, :func:`.cluster_spectrum`.
    """
    dim, b = sp.sympify(check_dim(dim)), inverse_temperature(beta)
    inter = (
        ((b + sp.exp(-b) + dim - 2) / dim, dim),
        (2 * b / dim, dim * (dim - 1) / 2),
        ((b + sp.exp(-b) - 1) / dim, dim * (dim - 2)),
        (sp.Integer(0), dim * (dim - 1) / 2),
    )
    return _closed_form(dim, 2 * dim, b, model, (sp.cosh(b) + dim - 1) / dim, inter, (b - sp.sinh(b)) / dim)


def _closed_form(
    dim: Expr, clusters: Expr, b: Expr, model: str, normaliser: Expr, inter: Pairs, intra: Expr
) -> ClusterSpectrum:
    """Divide by the normaliser for SA; the energy follows from it; all but the rotations grow."""
    scale = normaliser if check_model(model) == "sa" else sp.Integer(1)
    inter = tuple((value / scale, multiplicity) for value, multiplicity in inter if multiplicity != 0)
    unstable = sp.expand(sum(multiplicity for value, multiplicity in inter if value != 0))
    within = ((intra / scale, clusters * (dim - 1)),)
    return ClusterSpectrum(dim, clusters, b, model, normaliser / (2 * b), inter, within, unstable, True)
