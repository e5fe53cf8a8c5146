r"""The Kuramoto model is attention at beta = 0 in dim 2: identical oscillators, coupled by the sine.

USA and SA coincide there: :math:`\dot\theta_i = -\frac1N\sum_j\sin(\theta_i-\theta_j)`, and in every dim
:math:`\dot x = P_x m`, :math:`m = \int x\,d\mu`, so the resultant R = abs(m) rises,

.. math:: \dot R = R \int (1 - a^2)\,d\mu, \qquad a = \langle x, m\rangle/R
          \qquad \Big(\text{dim 2: } \dot R = \frac RN \sum_j \sin^2(\theta_j - \psi)\Big),

until a is 1 or -1 on the whole support: one point, or two antipodal ones. From R > 0 and a density (or tokens in
general position) the end is one point. Two closed solutions follow. On the circle synchronisation from almost every
start is known down to beta > -0.16 as well (survey, arXiv 2512.01868).
"""

from __future__ import annotations

import sympy as sp

from gegenflow.theory.exact.arguments import Expr, Real, check_real, check_time


def pair_angle(time: Real, angle: Real) -> Expr:
    r"""Angle between two tokens of any masses after a time at beta = 0, in every dim.

    .. math:: \tan\frac{\delta(t)}2 = e^{-t} \tan\frac{\delta_0}2, \qquad \dot\delta = -\sin\delta

    :param time: time of the flow, >= 0, or a symbol
    :param angle: the angle delta_0 at time 0 in radians, 0 <= delta_0 < pi, or a symbol

    >>> s, start = sp.symbols("s start", positive=True)
    >>> angle = pair_angle(s, start)
    >>> sp.simplify(sp.diff(angle, s) + sp.expand_trig(sp.sin(angle)).simplify()), pair_angle(0, "1/2")
    (0, 1/2)

    Raises ValueError for an angle outside [0, pi) or a time < 0. Source: arXiv 2504.14697 for beta = 0 as the Kuramoto
    model; the solution is derived here.

    See also :func:`.synchronization.hitting_time`, :func:`.poisson_resultant`.
    """
    elapsed = check_time(time)
    opening = check_real(angle, "angle", "the angle must lie in [0, pi)", least=0, below=sp.pi)
    return opening if elapsed == 0 else 2 * sp.atan(sp.exp(-elapsed) * sp.tan(opening / 2))


def poisson_resultant(time: Real, resultant: Real) -> Expr:
    r"""Resultant after a time at beta = 0, dim 2, of a Poisson density, which stays one.

    .. math:: f = \frac{1-R^2}{1 - 2R\cos(\theta-\psi) + R^2}, \qquad \dot R = \tfrac12 R(1-R^2), \qquad
              R(t) = \Big(1 + \frac{1-R_0^2}{R_0^2}\,e^{-t}\Big)^{-1/2}

    (density against the uniform probability measure). Near R = 0 it grows at 1/2, the rate of degree 1.

    :param time: time of the flow, >= 0, or a symbol
    :param resultant: R_0, that at time 0, 0 < R_0 <= 1, or a symbol

    >>> s, start = sp.symbols("s start", positive=True)
    >>> r = poisson_resultant(s, start)
    >>> sp.simplify(sp.diff(r, s) - r * (1 - r**2) / 2), sp.simplify(r.subs(s, 0) - start)
    (0, 0)

    Raises ValueError for a resultant outside (0, 1] or a time < 0. Source: derived here, on the invariant densities of
    Ott and Antonsen (Chaos 18, 037113, 2008).

    See also :func:`.pair_angle`, :func:`.kuramoto_lojasiewicz`.
    """
    elapsed = check_time(time)
    length = check_real(resultant, "resultant", "the resultant must lie in (0, 1]", above=0, most=1)
    return 1 / sp.sqrt(1 + (1 - length**2) / length**2 * sp.exp(-elapsed))
