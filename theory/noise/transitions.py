r"""Where a branch of stationary states on the circle turns, and where it takes over from the uniform state.

Both are points of a branch at which a quantity changes sign, the slope :math:`d\kappa/da_1` at a fold and the free
energy at coexistence. A walk up the branch finds the change, the method of false position narrows it down, and the
signs at two proved states, one on each side, prove it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import flint
from flint import arb

from gegenflow.theory.exact.arguments import Expr, Real
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.values import record_html
from gegenflow.theory.noise.amplitudes import supercritical_beta
from gegenflow.theory.noise.branches import check_branch
from gegenflow.theory.noise.landau import coupling_threshold
from gegenflow.theory.noise.stationary import (
    StationaryEquations,
    circle_multiplier,
    continuation,
    enclose_state,
    stationary_state,
    weak_state,
)

MOST_DIGITS = 2000
"""Digits of the edge between the two kinds of transition to which a beta is compared with it."""


@dataclass(frozen=True)
class BranchPoint:
    """A distinguished state of a branch.

    :param amplitude: its first amplitude a_1, between 0 and 1
    :param kappa: its inverse noise
    :param coupling: K = kappa/2

    Source: derived in :func:`branch_fold` and :func:`phase_transition`.
    """

    amplitude: Certified
    kappa: Certified
    coupling: Certified

    _repr_html_ = record_html


@dataclass(frozen=True)
class Transition:
    r"""Where the uniform state ceases to be the one of least free energy.

    :param beta: inverse temperature
    :param threshold: the linear coupling beyond which the uniform state is unstable; a continuous transition is there
    :param coexistence: where a state of the unimodal branch has the free energy of the uniform one; None if continuous
    :param fold: where that branch begins; None if continuous

    Source: :func:`phase_transition`.

    See also :func:`.phase_transition`.
    """

    beta: Expr
    threshold: Certified
    coexistence: BranchPoint | None
    fold: BranchPoint | None

    _repr_html_ = record_html

    @property
    def coupling(self) -> Certified:
        """The critical coupling K_c: an upper bound, :func:`.critical_coupling` proves a lower one."""
        return self.threshold if self.coexistence is None else self.coexistence.coupling


def branch_fold(beta: Real, degree: int = 1, digits: int = 15) -> BranchPoint:
    r"""The first turning point along a subcritical branch on the circle: kappa and the amplitude there.

    At a fold kappa falls before the ball of amplitudes and rises after it, proved through the sign of d kappa/d a_1.

    :param beta: inverse temperature, 0 < beta <= 100, above :func:`.supercritical_beta`
    :param degree: degree of the branch, >= 1 (default 1)
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> turn = branch_fold(4, digits=8)
    >>> turn.amplitude, turn.coupling
    ([0.54712795 +/- 6.1e-11], [0.19353450 +/- 2.1e-9])

    Raises ValueError for degree < 1, digits < 1, a bad beta or one above 100, or a beta at which the branch leaves the
    uniform state without a jump (:func:`~gegenflow.theory.noise.supercritical_beta`). Source: derived here.

    See also :func:`.phase_transition`, :func:`.branch`, :func:`.supercritical_beta`.
    """
    exact, degree = check_branch(beta, degree)
    if not _is_subcritical(exact, degree):
        least = supercritical_beta(degree, 6).value
        raise Refused("beta", beta, f"the branch of degree {degree} has a fold only above beta = {least}")
    return _point(exact, degree, StationaryEquations.slope, digits)


def phase_transition(beta: Real, digits: int = 15) -> Transition:
    r"""The phase transition on the circle: the coupling K_c at which the uniform state loses to the unimodal one.

    .. math:: K_c = K_\# \;(\beta \le \beta_*), \qquad F_{K_c}[q] = F_{K_c}[1] \;(\beta > \beta_*)

    with q on the stable part of the unimodal branch and :math:`\beta_*` = 2.4469... the tricritical point. At the upper
    end of the ball returned a state of lower free energy than the uniform one is proved to exist: it bounds the true
    :math:`K_c` from above. Whether another state does better is decided by :func:`.critical_coupling`.

    :param beta: inverse temperature, 0 <= beta <= 100
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> jump = phase_transition(4, digits=8)
    >>> jump.coupling, jump.threshold
    ([0.19573755 +/- 4.2e-10], [0.20492926 +/- 2.9e-9])
    >>> phase_transition(2, digits=8).fold is None
    True

    Raises ValueError for digits < 1, or a beta that is bad, above 100, or above the tricritical one by less than about
    1e-5. Source: arXiv 2606.05140, 2604.16288; the enclosure is derived here.

    See also :func:`.critical_coupling`, :func:`.tricritical_beta`, :func:`.coupling_threshold`, :func:`.branch`.
    """
    exact, _ = check_branch(beta, 1)
    threshold = coupling_threshold(1, 2, exact, digits=digits)
    if not _is_subcritical(exact, 1):
        return Transition(exact, threshold, None, None)
    return Transition(exact, threshold, _point(exact, 1, _advantage, digits), branch_fold(exact, 1, digits))


def _is_subcritical(beta: Expr, degree: int) -> bool:
    """Whether I_{2k}/I_k > 1/2."""
    digits = 15
    while beta != 0 and digits <= MOST_DIGITS:
        edge = supercritical_beta(degree, digits)
        with flint.ctx.workprec(int(edge.ball.bits())):
            here = enclose(beta)
        if not edge.ball.overlaps(here):
            return bool(edge.ball < here)
        digits *= 2
    if beta == 0:
        return False
    raise Refused("beta", float(beta), "the number is not known well enough to tell on which side of the edge it lies")


Test = Callable[[StationaryEquations, list[arb]], arb]
"""A quantity that changes from negative to positive at a distinguished point of a branch."""


def _advantage(equations: StationaryEquations, x: list[arb]) -> arb:
    return -equations.free_energy(x)


def _point(beta: Expr, degree: int, test: Test, digits: int) -> BranchPoint:
    def enclosed(part: int) -> arb:
        return _passage(beta, degree, test, flint.ctx.prec)[part]

    parts = (lambda: enclosed(0), lambda: enclosed(1), lambda: enclosed(1) / 2)
    return BranchPoint(*(certify_at("beta", float(beta), part, digits) for part in parts))


@lru_cache(maxsize=256)
def _passage(beta: Expr, degree: int, test: Test, precision: int) -> tuple[arb, arb]:
    """Balls of about this precision around the amplitude where the test changes sign, and around kappa there."""
    x, *sides = _bracket(beta, degree, test)
    with flint.ctx.workprec(precision + 64):
        here, width, last = sides[0][0], arb(2) ** -precision, -1
        for _ in range(50):
            (a, below), (b, above) = sides
            here, before = ((a * above - b * below) / (above - below)).mid(), here
            if abs(here - before) < width * here:
                break
            equations, x = stationary_state(beta, degree, x, here)
            value = test(equations, x).mid()
            side = int(value > 0)
            sides[side] = here, value
            if side == last:
                sides[1 - side] = sides[1 - side][0], sides[1 - side][1] / 2
            last = side
        ends = [(here * (1 + sign * width)).mid() for sign in (-1, 1)]
        for end, sign in zip(ends, (-1, 1), strict=True):
            equations, x = stationary_state(beta, degree, x, end)
            proved = enclose_state(equations, x)
            if proved is None or not sign * test(equations, proved) > 0:
                return arb.nan(), arb.nan()
        amplitude = ends[0].union(ends[1])
        proved = enclose_state(equations, [amplitude, *x[1:]])
        return (amplitude, proved[-1] / circle_multiplier(beta, degree)) if proved else (arb.nan(), arb.nan())


Side = tuple[arb, arb]
"""An amplitude and the value of a test there."""


@lru_cache(maxsize=256)
def _bracket(beta: Expr, degree: int, test: Test) -> tuple[list[arb], Side, Side]:
    """Walk up the branch, from an amplitude at which the test is negative, to the first at which it is positive."""
    with flint.ctx.workprec(80):
        start, value = 0.2, arb(1)
        while not value < 0:
            start /= 4
            if start < 1e-3:
                raise Refused("beta", float(beta), "too close to the tricritical point to tell the phases apart (1e-5)")
            x = weak_state(beta, degree, start)
            equations, x = stationary_state(beta, degree, x, x[0])
            value = test(equations, x).mid()
        low = x[0], value
        for amplitude in continuation(x[0], 0.999):
            equations, x = stationary_state(beta, degree, x, amplitude)
            value = test(equations, x).mid()
            if value > 0:
                return x, low, (x[0], value)
            low = x[0], value
    raise Refused("beta", float(beta), "the branch does not turn before amplitude 0.999")
