r"""For which inverse noise kappa each degree leads, all over an interval of a parameter.

At one value of the parameter the rates :math:`L_k (w_k[W]/w_0 - 1/\kappa)` (:math:`w_0` = 1 for USA) are straight lines
in :math:`1/\kappa`, the steeper the higher the degree. So degree k leads degree j < k exactly where kappa exceeds

.. math:: \kappa_{jk} = \frac{(L_k - L_j)\, w_0}{L_k w_k[W] - L_j w_j[W]}, \qquad L_0 = 0,

(nowhere, should that be negative), for j = 0 the threshold of degree k, and the leading degree never falls as kappa
grows: none above those that may lead at the largest kappa leads at a smaller one. Over an interval degree k leads where
kappa lies above the largest value of every :math:`\kappa_{jk}` and below the smallest of every :math:`\kappa_{kj}`.
Source: derived here; arXiv 2606.05140 for the thresholds.
"""

from __future__ import annotations

from math import inf, nextafter

from flint import arb, fmpq

from gegenflow.theory.phases.curves import piece_of
from gegenflow.theory.phases.leaders import Scores
from gegenflow.theory.sphere import laplacian_eigenvalue


def led(scores: Scores, piece: tuple[float, float], kappa: tuple[float, float]) -> dict[int, tuple[float, float]]:
    r"""The degrees that lead all over a piece of the parameter, each with its interval of kappa, rounded inward.

    ``scores`` are those of growth at the noise of the largest kappa, s_k. With the noise r times as large, r >= 1, two
    of them are equal at :math:`r_{jk} = 1 + (s_k - s_j)/((L_k - L_j) n)`, n the drag of that noise.

    >>> import sympy as sp
    >>> from gegenflow.theory.kernels.kernel import Kernel
    >>> from gegenflow.theory.phases.leaders import scores_of
    >>> from gegenflow.theory.symbols import beta
    >>> scores = scores_of(Kernel("1 + beta*t"), 2, beta, noise=sp.Rational(1, 10))   # thresholds 2 and 8/beta
    >>> {degree: tuple(round(end, 9) for end in ends) for degree, ends in led(scores, (0.5, 0.75), (1.0, 10.0)).items()}
    {0: (1.0, 2.0), 1: (2.0, 10.0)}
    """
    at, least, most = piece_of(*map(_exactly, piece)), arb(kappa[0]), arb(kappa[1])
    if not scores.is_defined(at):
        return {}
    top = max(scores.leaders(at))
    own = [scores.score(degree, at) for degree in range(top + 1)]
    found = {}
    for degree in range(top + 1):
        below = _extreme(scores, degree, range(degree), own, at)
        above = _extreme(scores, degree, range(degree + 1, top + 1), own, at)
        if below is not None and not below > 0:
            continue
        low = least if below is None else (most / below).upper().max(least)
        high = most if above is None or above < 1 else (most / above).lower()
        start = kappa[0] if low <= least else nextafter(float(low), inf)
        end = kappa[1] if high >= most else nextafter(float(high), -inf)
        if start < end:
            found[degree] = start, end
    return found


def _exactly(number: float) -> fmpq:
    return fmpq(*number.as_integer_ratio())


def _extreme(scores: Scores, degree: int, others: range, own: list[arb], at: arb) -> arb | None:
    """The least ratio with lower degrees, or the largest with higher ones; None where there are no others.

    Most of the others are out of the question already in plain balls.
    """
    sign = 1 if degree < others.start else -1
    drag = _drag(scores, at)
    rough = {j: sign * (1 + (own[j] - own[degree]) / (_gap(scores, degree, j) * drag)) for j in others}
    reached = max((ball.lower() for ball in rough.values()), default=None)
    if reached is None:
        return None
    sharp = (sign * _ratio(scores, degree, j, at) for j, ball in rough.items() if not ball < reached)
    return sign * max(ball.upper() for ball in sharp)


def _ratio(scores: Scores, degree: int, other: int, at: arb) -> arb:
    """The ratio of two degrees on a piece, by the mean value theorem: f(m) + f'(piece) (piece - m)."""
    ahead, middle = scores.difference((other, degree)), arb(at.mid())
    drag = _drag(scores, at)
    slope = (ahead(at, 1) - ahead.derivative(at, 0) / drag * _drag(scores, at, 1)) / drag
    near = ahead(middle) / _drag(scores, middle) + slope * (at - middle)
    return 1 + near / _gap(scores, degree, other)


def _drag(scores: Scores, at: arb, order: int = 0) -> arb:
    drag: arb = scores.drag[order].ball(0, scores.dim, {scores.parameter: at})
    return drag


def _gap(scores: Scores, degree: int, other: int) -> int:
    return int(laplacian_eigenvalue(other, scores.dim) - laplacian_eigenvalue(degree, scores.dim))
