r"""Rational bounds on the boundaries of the phase diagram, with their proof."""

from __future__ import annotations

import sympy as sp

from gegenflow.theory.exact.arguments import Expr, Whole
from gegenflow.theory.exact.integers import check_degree, check_dim
from gegenflow.theory.sphere import laplacian_eigenvalue
from gegenflow.theory.symbols import d, k


def critical_beta_sharp_bounds(degree: Whole = k, dim: Whole = d) -> tuple[Expr, Expr]:
    r"""Rational bounds :math:`\beta_k^- < \beta_k < \beta_k^+` whose relative distance is below :math:`1/(8\mu^3)`.

    With :math:`A = L_k`, :math:`B = L_{k+1}`, :math:`\mu = k + \frac{d-1}2`, :math:`q_- = \frac{2k+d-1}{2k+d+2}` and
    :math:`q_+ = \frac{2k+d-1}{2k+d-2}`:

    .. math:: \beta_k^\pm = AB\left(\frac1{A+B} + \frac1{A^2+B^2} + \frac{4A^2B^2(A+B)}{(A^2+B^2)^4}\,q_\pm\right) .

    Exact: sympy fractions for numbers, rational functions for symbols. At fixed dim their relative distance is about
    :math:`2/\mu^5`: ten digits from degree 120 on, without a Bessel function.

    Proof. :math:`R = I_{\nu+1}/I_\nu`, :math:`\nu = \mu - \frac12`, increases with b from 0 to 1, and by DLMF 10.29.2
    its inverse b(R) solves :math:`b' = F(R, b)`, :math:`F = b/((1-R^2)\,b - 2\mu R)`, which decreases in b. Let
    :math:`G = \mu z_0 + z_1 + \epsilon z_2`, :math:`\epsilon = 1/(\mu - \delta)`, with

    .. math:: z_0 = \frac{2R}{1-R^2}, \qquad z_1 = \frac R{1+R^2}, \qquad z_2 = \frac{2R^3(1-R^2)}{(1+R^2)^4} .

    Then :math:`G' - F(R, G)` has the sign of
    :math:`\delta(1-R^2)z_0'z_2 + (1-R^2)(z_1z_2)' - z_2 + \epsilon(1-R^2)z_2z_2'`, linear in :math:`\epsilon`. Put
    :math:`R^2 = 1/(1+y)` and multiply by :math:`(1+R^2)^9 (1+y)^6/R^3`: a polynomial in y whose coefficients are

    * all positive for :math:`\delta = \frac12` at both ends of :math:`0 \le \epsilon \le 1`: :math:`G' > F(R, G)`,
    * none positive for :math:`\delta = -\frac32` at both ends of :math:`0 \le \epsilon \le \frac13`:
      :math:`G' < F(R, G)`.

    As :math:`\mu \ge \frac32`, this covers every :math:`\epsilon`. In the first case, if b > G somewhere, then
    :math:`b' = F(R, b) < F(R, G) < G'` back to where b = G, at the latest to R = 0: a contradiction; nor is b = G
    anywhere, as b - G would be positive just before. So b < G, and b > G in the second case. Put R = A/B,
    where :math:`B - A = 2\mu`. The distance is below :math:`2z_2/\mu^2`, and with :math:`R = \tan\theta` that is
    :math:`\frac18\sin^2(4\theta)\,\mu z_0/\mu^3`.

    :param degree: degree of the harmonic that is overtaken, >= 1, or a symbol (default k)
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)

    >>> critical_beta_sharp_bounds(1, dim=3)                             # the boundary is 1.81615...
    (7929/4375, 1143/625)
    >>> lower, upper = critical_beta_sharp_bounds(1000, dim=3)
    >>> upper > lower, upper / lower - 1 < 3e-15
    (True, True)

    Raises Refused for degree < 1 or dim < 2. Source: derived here.

    See also :func:`.critical_beta_bounds`, :func:`.critical_beta_series`.
    """
    degree, dim = sp.sympify(check_degree(degree)), sp.sympify(check_dim(dim))
    below, above = laplacian_eigenvalue(degree, dim), laplacian_eigenvalue(degree + 1, dim)
    squares, twice_mu = below**2 + above**2, 2 * degree + dim - 1
    simple, fine = 1 / (below + above) + 1 / squares, 4 * (below * above) ** 2 * (below + above) / squares**4
    lower, upper = (below * above * (simple + fine * twice_mu / (twice_mu + shift)) for shift in (3, -1))
    return lower, upper
