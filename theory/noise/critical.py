r"""The critical coupling of noisy tokens on the circle, from both sides: below it the uniform state is the best.

With :math:`\kappa = 2K`, :math:`w_n = I_n(\beta)/\beta` and :math:`c_n = \int q\,e^{-in\theta}`,

.. math:: F_K[q] - F_K[1] = \int q \log q - \kappa \sum_{n\ge1} w_n |c_n|^2

falls in K for every q, so that :math:`K_c` is the supremum of the couplings at which it is :math:`\ge 0` for all q.

**Continuous transitions.** By Gibbs' principle :math:`\int q\log q \ge \int g q - \log\int e^g`, here with :math:`g =
\kappa W * q`, whose coefficients are :math:`\kappa w_n c_n`, and by the inequality of Lebedev and Milin
:math:`\log\int e^g \le \sum_n n |g_n|^2`. So

.. math:: F_K[q] - F_K[1] \ge \sum_n \kappa w_n (1 - n \kappa w_n) |c_n|^2, \qquad
          K_c \ge \tfrac12 \min_n \frac{1}{n w_n} .

For :math:`\beta \le \beta_*`, where :math:`w_2/w_1 \le 1/2`, it is n = 1 that counts, as :math:`w_{n+1}/w_n` falls in
n (Turan): :math:`K_c = K_\#`.

**Jumps.** The symmetric decreasing rearrangement of q keeps its entropy and does not lower the interaction, W being
increasing in the overlap (Baernstein and Taylor). So q may be taken even and decreasing from 0 to pi, a mixture of
uniform arcs: :math:`c_n = \int \frac{\sin n\alpha}{n\alpha}\rho(d\alpha)`, hence :math:`|c_n| \le c_1 \le 1`, and
:math:`c_2 \ge 2c_1^2 - 1`. Split the modes at m and let :math:`T = \sum_{n>m} w_n`, :math:`2\kappa T < 1`. For any
field :math:`f = 2\sum_{n\le m} f_n\cos n\theta`, of normaliser :math:`Z_f` and moments :math:`m_n = \int e^f\cos
n\theta/Z_f`, Gibbs' principle with f plus the field of the modes n > m of q, and Hoeffding's lemma for the latter,
give

.. math:: \int q\log q - \kappa\sum_{n>m} w_n c_n^2 \ge 2\sum_{n\le m} f_n c_n - \log Z_f
          - \frac{\kappa}{1 - 2\kappa T}\sum_{n>m} w_n m_n^2 ,

where nothing of q is left but :math:`c_1, \dots, c_m`. On a box of these, :math:`2f_nc_n - \kappa w_nc_n^2` is least
at an end: a bound for the whole box from one field, off by the square of its width. Boxes are split until all have a
bound above 0. What is left is :math:`c_1 \le r`: with :math:`f_n = \kappa w_n c_n`, :math:`\epsilon = 2\kappa
r\sum_{n\le m} w_n` and :math:`Q = \int f^2/2 = \kappa^2 \sum_{n \le m} w_n^2 c_n^2 \le \epsilon^2/2`,

.. math:: F_K[q] - F_K[1] \ge Q\Big[\frac{1}{\kappa w_1} - 1 - \frac{\epsilon e^\epsilon}{3}
          - \frac{\kappa T e^{2\epsilon}\epsilon^2}{2(1 - 2\kappa T)}\Big] ,

and r is small enough for it to be positive.

Source: derived here, with Duren, Univalent Functions, section 5.1 (Lebedev and Milin), Baernstein and Taylor, Duke
Math. J. 43 (1976) (rearrangement), and Hoeffding's lemma (JASA 58, 1963).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

import flint
from flint import arb

from gegenflow.theory.exact.arguments import Expr, Real, check_rational
from gegenflow.theory.exact.certified import Certified
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.rounding import supported_decimal
from gegenflow.theory.noise.branches import check_branch
from gegenflow.theory.noise.stationary import (
    StationaryEquations,
    continuation,
    stationary_equations,
    stationary_state,
    weak_state,
)
from gegenflow.theory.noise.transitions import phase_transition

DIGITS = 15
LEAST_BITS = 24
MOST_BOXES = 20_000
FIELDS = 3
"""Fields that are tried for one box before it is split."""
WIDTH = "the relative width must be a number between 0 and 1"

Box = list[tuple[float, float]]
"""Ends of c_1, ..., c_m."""


def critical_coupling(beta: Real, gap: Real = "1/1000") -> Certified:
    r"""The critical coupling :math:`K_c` of noisy tokens on the circle: up to it no state beats the uniform one.

    .. math:: K_c = \sup\{K : F_K[q] \ge F_K[1] \text{ for all } q\}

    Up to the tricritical temperature it is :math:`K_\#`, to 15 digits. Above, the ball reaches from
    :math:`(1 - \mathrm{gap})\,K_+` to :math:`K_+`, the coupling of :func:`.phase_transition` at which a state of the
    unimodal branch takes over; that no state of whatever shape does so earlier is proved by branch and bound (proof at
    the head of this module). The decimal has the digits that this ball supports.

    :param beta: inverse temperature, 0 <= beta <= 100
    :param gap: relative width of the ball above the tricritical temperature, 0 < gap < 1 (default 1/1000)

    >>> critical_coupling(2)
    [0.628679008086986 +/- 4.0e-16]
    >>> critical_coupling(4, gap="1/100"), phase_transition(4, digits=6).coupling
    ([0.2 +/- 0.0063], [0.195738 +/- 4.5e-7])

    Raises ValueError as :func:`.phase_transition`, for a gap outside (0, 1), and where more than 20,000 boxes are
    needed.
    Source: derived here.

    See also :func:`.phase_transition`, :func:`.coupling_threshold`, :func:`.tricritical_beta`.
    """
    exact, _ = check_branch(beta, 1)
    share = check_rational(gap, "gap", WIDTH)
    if not 0 < share < 1:
        raise Refused("gap", gap, WIDTH)
    found = phase_transition(exact, DIGITS)
    if found.coexistence is None:
        return found.threshold
    lack = (1 - found.coupling.ball / found.threshold.ball).lower()
    with flint.ctx.workprec(LEAST_BITS + ceil(-3 * log2(lack) - log2(float(arb(share))))):
        most = arb(found.coupling.ball.upper())
        least = arb((most * (1 - share)).lower())
        ratio = arb((least / found.threshold.ball).upper())
        state = _state(exact, float(found.coexistence.amplitude))
        bounds = split_modes(stationary_equations(exact, 1, ratio), ratio, state, float(arb(share)))
        if not bounds.exclude():
            raise Refused("gap", gap, f"more than {MOST_BOXES} boxes are needed at beta = {beta}; widen it")
        ball = least.union(most)
        return Certified(*supported_decimal(ball, DIGITS), ball)


def _state(beta: Expr, amplitude: float) -> list[arb]:
    """Moments of the state of the unimodal branch at an amplitude."""
    x = weak_state(beta, 1, min(0.05, amplitude))
    for here in continuation(x[0], amplitude):
        _, x = stationary_state(beta, 1, x, here)
    return x[:-1]


@dataclass(frozen=True)
class Bounds:
    r"""Lower bounds on :math:`F_K[q] - F_K[1]` for symmetric decreasing q, on boxes of :math:`c_1, \dots, c_m`.

    ``ratio`` is :math:`s = K/K_\#` < 1, ``left`` :math:`\tau = \sum_{n>m} w_n/w_1`, so that :math:`\kappa T = s\tau`.
    """

    equations: StationaryEquations
    ratio: arb
    modes: int
    left: arb

    def radius(self) -> float:
        """An amplitude c_1 below which every state but the uniform one has more free energy than that."""
        s, part, size = self.ratio, self.ratio * self.left, arb(0.5)
        while not 1 / s > 1 + size * size.exp() / 3 + part * (2 * size).exp() * size**2 / (2 * (1 - 2 * part)):
            size = (size * 3 / 4).mid()
        near = sum(self.equations.multipliers[: self.modes], arb(0))
        return min(float((size / (2 * s * near)).lower()) * (1 - 2**-50), 1.0)

    def floor(self, box: Box) -> arb:
        """A lower bound on the box, of the first of a few fields for which it is above 0, or of the best of them."""
        omega, s = self.equations.multipliers, self.ratio
        rest = [arb(0)] * (len(omega) - self.modes)
        middle = [(low + high) / 2 for low, high in box]
        a, best = list(middle), arb("-inf")
        for _ in range(FIELDS):
            total, m = self.equations.moments([*map(arb, a), *rest, s])
            beyond = zip(omega[self.modes :], m[self.modes + 1 :], strict=False)
            spread = sum((w * c * c for w, c in beyond), self.equations.tail / 2)
            ends = (
                w * (low * (2 * arb(c) - low)).min(high * (2 * arb(c) - high))
                for w, c, (low, high) in zip(omega, a, box, strict=False)
            )
            best = (s * sum(ends, arb(0)) - total.log() - s * spread / (1 - 2 * s * self.left)).lower().max(best)
            if best > 0:
                break
            moved = (
                c + (wanted - float(here)) / (2 * float(s * w))
                for c, wanted, here, w in zip(a, middle, m[1:], omega, strict=False)
            )
            a = [max(-1.0, min(c, 1.0)) for c in moved]
        return best

    def exclude(self) -> bool:
        """Whether boxes above 0, at most 20,000 of them, cover all moments that a state may have from the radius on."""
        waiting: list[Box] = [[(self.radius(), 1.0), *[(-1.0, 1.0)] * (self.modes - 1)]]
        for _ in range(MOST_BOXES):
            if not waiting:
                return True
            box = _cut(waiting.pop())
            if box is None or self.floor(box) > 0:
                continue
            sizes = [
                float(w) * (high - low) ** 2 for w, (low, high) in zip(self.equations.multipliers, box, strict=False)
            ]
            widest = sizes.index(max(sizes))
            low, high = box[widest]
            middle = (low + high) / 2
            waiting += [[*box[:widest], half, *box[widest + 1 :]] for half in ((low, middle), (middle, high))]
        return not waiting


def _cut(box: Box) -> Box | None:
    r"""The part of a box in :math:`|c_n| \le c_1`; None if there is none, or none with :math:`c_2 \ge 2c_1^2 - 1`."""
    (low, high), *others = box
    kept = [(max(start, -high), min(end, high)) for start, end in others]
    empty = any(start > end for start, end in kept) or kept[0][1] < 2 * low * low - 1 - 1e-12
    return None if empty else [(low, high), *kept]


def split_modes(equations: StationaryEquations, ratio: arb, state: list[arb], gap: float) -> Bounds:
    """The bounds with as few modes m as keep what is lost on the others below a quarter of the gap, near the state."""
    omega = equations.multipliers
    parts = [float(w * c * c) for w, c in zip(omega, state, strict=False)]
    for modes in range(2, len(omega)):
        left = sum(omega[modes:], equations.tail / 2)
        share = float(2 * ratio * left)
        if share < 1 and share / (1 - share) * sum(parts[modes:]) < gap / 4 * sum(parts):
            break
    return Bounds(equations, ratio, modes, left)
