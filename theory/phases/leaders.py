r"""Which degree leads, for any kernel with any noise: the one with the largest score.

.. math:: L_k\left(w_k[W] - \frac{w_0}{\kappa}\right) \ \text{("growth")}, \qquad w_k[W] \ \text{("threshold")}

(:math:`w_0` = 1 for USA). The first is the growth rate (times :math:`w_0` for SA, which changes no comparison), against
the score 0 of "degree 0", the uniform state itself, which leads where it is stable. The second is the inverse of the
threshold :math:`\kappa_k`: its leader is the first degree to become unstable as the noise decreases, 0 if none does.

The degrees beyond those computed are ruled out by :meth:`~gegenflow.theory.kernels.kernel.Kernel.tail`. Source: derived
here.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TypedDict, Unpack

import flint
import sympy as sp
from flint import arb

from gegenflow.theory.exact.arguments import Expr, Real, check_model, check_noise
from gegenflow.theory.exact.integers import check_count, check_dim, check_number
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.growth.rates import normaliser_ball
from gegenflow.theory.kernels.integrals import TooFine
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.phases.curves import ORDER, PRECISIONS, Curve
from gegenflow.theory.sphere import laplacian_eigenvalue

MOST_DEGREES = 400


class Comparison(TypedDict, total=False):
    """Which scores are compared: the options that all searches for a leader share."""

    noise: Expr
    model: str
    quantity: str
    max_degree: int | None


@dataclass(frozen=True)
class Scores:
    """The scores of all degrees as functions of one parameter, in balls; the kernels come with their derivatives."""

    drift: tuple[Kernel, ...]
    drag: tuple[Kernel, ...]
    dim: int
    parameter: sp.Symbol
    quantity: str
    max_degree: int | None
    softmax: tuple[Kernel, ...]

    def score(self, degree: int, at: arb, order: int = 0) -> arb:
        """A derivative of the score, for every parameter in a ball."""
        if degree == 0:
            return arb(0)
        values = {self.parameter: at}
        push: arb = self.drift[order].ball(degree - 1, self.dim + 2, values) / self.dim
        if self.quantity == "threshold":
            return push
        score: arb = laplacian_eigenvalue(degree, self.dim) * (push - self.drag[order].ball(0, self.dim, values))
        return score

    def is_defined(self, at: arb) -> bool:
        """Whether the mean of the weight, by which SA divides, is known to be positive all over a ball.

        Refused where it is not positive, or the noise negative.
        """
        values = {self.parameter: at}
        defined = not self.softmax or bool(normaliser_ball(self.softmax[0], self.dim, values) > 0)
        if self.drag[0].ball(0, self.dim, values) < 0:
            raise Refused("noise", None, "it must be >= 0 all over the interval")
        return defined

    def mean(self) -> Curve:
        """The mean of the weight, by which SA divides."""
        return Curve(lambda at, order: self.softmax[order].ball(0, self.dim, {self.parameter: at}))

    def tail(self, degree: int, at: arb) -> arb | None:
        """A bound on the scores of this and all higher degrees."""
        values, eigenvalue = {self.parameter: at}, laplacian_eigenvalue(degree, self.dim)
        bound = self.drift[0].tail(degree, self.dim, values)
        if bound is None or self.quantity == "threshold":
            return None if bound is None else bound / eigenvalue
        drag = self.drag[0].ball(0, self.dim, values)
        rest: arb = bound - eigenvalue * max(drag.lower(), arb(0))
        return rest

    def difference(self, pair: tuple[int, int]) -> Curve:
        """How far the first of two scores lies above the second."""
        one, other = pair
        return Curve(lambda at, order: self.score(one, at, order) - self.score(other, at, order))

    def tie_at_zero(self, pair: tuple[int, int]) -> bool:
        """Whether two scores are equal where the parameter is 0, exactly: no ball tells a root from 0."""
        drift, drag = (Kernel(part[0].weight.subs(self.parameter, 0)) for part in (self.drift, self.drag))

        def score(degree: int) -> Expr:
            push = drift.potential_multiplier(degree, self.dim) if degree else sp.Integer(0)
            if self.quantity == "threshold" or not degree:
                return push
            return laplacian_eigenvalue(degree, self.dim) * (push - drag.multiplier(0, self.dim))

        return bool(sp.simplify(score(pair[0]) - score(pair[1])) == 0)

    def leaders(self, at: arb) -> list[int]:
        """The degrees that may lead somewhere on a piece."""
        scores = {0: arb(0)}
        for degree in range(1, (self.max_degree or MOST_DEGREES) + 1):
            scores[degree] = self.score(degree, at)
            best = max(score.lower() for score in scores.values() if score.is_finite())
            if degree == self.max_degree:
                break
            rest = self.tail(degree + 1, at) if scores[degree] <= best else None
            if rest is not None and rest <= best:
                break
        else:
            if at.is_exact():
                raise _unbounded(self.drift[0], MOST_DEGREES)
            return [*scores]
        left = [degree for degree, score in scores.items() if not score < best and (degree == 0 or not score.is_zero())]
        if len(left) > 2 and not at.is_exact():
            middle = arb(at.mid())
            first = max(left, key=lambda degree: float(self.score(degree, middle).mid()))
            left = [degree for degree in left if degree == first or not self.difference((degree, first))(at) < 0]
        return left


def _unbounded(kernel: Kernel, degree: int) -> Refused:
    what = f"the highest degree to compare is needed, as no bound rules out those of {kernel.weight} above {degree}"
    return Refused("max_degree", None, what)


def scores_of(
    kernel: Kernel,
    dim: int,
    parameter: sp.Symbol,
    *,
    noise: Real = 0,
    model: str = "usa",
    quantity: str = "growth",
    max_degree: int | None = None,
) -> Scores:
    """The scores of a kernel with at most one symbol, which is the parameter; input is checked here."""
    dim, noise = check_number("dim", check_dim(dim)), check_noise(noise)
    check_model(model)
    if quantity not in ("growth", "threshold"):
        raise Refused("quantity", quantity, "choose growth or threshold")
    if others := sorted(map(str, (kernel.symbols | sp.sympify(noise).free_symbols) - {parameter})):
        raise Refused("kernel", kernel.weight, f"a number is needed for {', '.join(others)}; see Kernel.at")
    if quantity == "threshold" and noise != 0:
        raise Refused("noise", noise, "it has no part in the threshold, which is a noise itself; leave it out")
    if max_degree is not None:
        check_count(max_degree, "max_degree", "the highest degree to compare must be an integer >= 1", least=1)
    if max_degree is None and not kernel.terms and kernel.weight != 0:
        raise _unbounded(kernel, 0)
    orders = range(1, ORDER + 1)
    drift = (kernel, *(kernel.derivative(parameter, order) for order in orders))
    dragging = Kernel(noise * kernel.weight if model == "sa" else noise)
    drag = (dragging, *(dragging.derivative(parameter, order) for order in orders))
    return Scores(drift, drag, dim, parameter, quantity, max_degree, drift if model == "sa" else ())


def leader(kernel: Kernel, dim: int, **options: Unpack[Comparison]) -> int:
    """The degree of largest score, 0 where the uniform state is stable (at any noise, for "threshold").

    >>> leader(Kernel("exp(5*t)"), 2), leader(Kernel.relu(), 3)
    (3, 2)
    """
    scores = scores_of(kernel, dim, sp.Dummy("none"), **options)
    leaders: list[int] = []
    for bits in PRECISIONS:
        with flint.ctx.workprec(bits), suppress(TooFine):
            leaders = scores.leaders(arb(0)) if scores.is_defined(arb(0)) else []
        if len(leaders) == 1:
            return leaders[0]
    raise Refused("kernel", kernel.weight, f"degrees {leaders} are too close to tell which leads")
