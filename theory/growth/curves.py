r"""Growth rates as functions of arrays of beta, for curves: no digit is lost where closed forms cancel."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import TYPE_CHECKING

import flint
from flint import arb

from gegenflow.theory.exact.arguments import Expr, Model, Real, check_model, check_noise
from gegenflow.theory.exact.balls import ends
from gegenflow.theory.exact.floats import float_values, log_values
from gegenflow.theory.exact.integers import check_degree, check_dim, check_number
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.growth.rates import growth_rate, rate_ball
from gegenflow.theory.kernels.attention import KernelLike, attention
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.symbols import beta as BETA

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from gegenflow.theory.exact.floats import Floats

DOUBTFUL = 2000
"""Bits at which a rate that may be 0 is looked at exactly, where that is possible."""


@dataclass(frozen=True)
class RateFunction:
    r"""The growth rate of a degree as a function of beta, of either sign: see :func:`rate_function`.

    :param degree: degree of the harmonic, >= 1
    :param dim: d of the sphere S^{d-1}, >= 2
    :param kernel: attention weight h(t), with beta as its only parameter
    :param model: "usa" (unnormalised) or "sa" (softmax)
    :param noise: noise 1/kappa, >= 0

    Source: arXiv 2410.23228; the evaluation is derived here.
    """

    degree: int
    dim: int
    kernel: Kernel
    model: Model
    noise: Expr

    def __call__(self, beta: ArrayLike) -> Floats:
        """The rates at an array ``beta``, in an array of its shape; inf beyond the range of float64, 0 below it."""
        return float_values(self._ball, beta, "beta", -inf, inf)

    def log(self, beta: ArrayLike) -> tuple[Floats, Floats]:
        r"""The signs of the rates at an array ``beta`` and :math:`\log|\gamma_k|`, of any size; -inf at a rate of 0."""
        return log_values(self._ball, beta, "beta", -inf, inf)

    def _ball(self, beta: arb) -> arb:
        rate = rate_ball(self.kernel, self.degree, self.dim, self.model, self.noise, {BETA: beta})
        if rate.contains(0) and flint.ctx.prec > DOUBTFUL and self._vanishes(ends(beta)[0]):
            return arb(0)
        return rate

    def _vanishes(self, beta: Fraction) -> bool:
        """Whether the rate of a polynomial is 0 at a rational beta, exactly."""
        there = self.kernel.at(beta=beta)
        rational = all(term.rate == 0 and not term.half for term in there.terms) and there.terms
        return bool(
            rational and growth_rate(self.degree, self.dim, kernel=there, noise=self.noise, model=self.model) == 0
        )

    def _repr_latex_(self) -> str:
        rate = growth_rate(self.degree, self.dim, kernel=self.kernel, noise=self.noise, model=self.model)
        return rf"$\gamma_{{{self.degree}}}(\beta) = {latex(rate)}$"


def rate_function(
    degree: int, dim: int, *, kernel: KernelLike | None = None, model: str = "usa", noise: Real = 0
) -> RateFunction:
    r"""The growth rate :math:`\gamma_k` as a function of an array of beta, every value right to the last bit or so.

    A function f with ``f(beta)``, the rates in floats, and ``f.log(beta)``, their signs and :math:`\log|\gamma_k|`, for
    rates beyond the range of floats. Beta may have either sign. Each value is worked out in balls, a tenth of a
    millisecond at low degree and some milliseconds at degree 10,000; a kernel without a closed form takes longer.

    :param degree: degree of the harmonic, >= 1
    :param dim: d of the sphere S^{d-1}, >= 2
    :param kernel: attention weight h(t) with beta as its only parameter; None (default) is exp(beta*t)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param noise: noise 1/kappa, >= 0 (default 0)

    >>> float(rate_function(3, 3)(1e-3))                 # cosh and sinh leave nothing of it
    1.1428572063492078e-07
    >>> rate_function(3, 2)([[0.0, 5.0]]).round(6)
    array([[ 0.     , 18.59607]])
    >>> sign, size = rate_function(2, 2).log([-1e6, 1e6])
    >>> sign.tolist(), size.round(3).tolist()
    ([-1.0, 1.0], [999979.744, 999979.744])

    Raises Refused for a bad degree, dim, model or noise and for a kernel with other parameters; called, for a beta that
    is no finite number, and for SA where the mean of the weight is not positive. Source: arXiv 2410.23228 as in
    :func:`~gegenflow.theory.growth.growth_rate`; the evaluation is derived here.

    See also :func:`.growth_rate`, :meth:`.RateFunction.log`.
    """
    weight = attention(None, kernel)
    if weight.parameters != ("beta",):
        held = ", ".join(weight.parameters) or "none"
        raise Refused("kernel", weight.weight, f"a curve needs a kernel whose one parameter is beta; it holds {held}")
    degree, dim = check_number("degree", check_degree(degree)), check_number("dim", check_dim(dim))
    quiet = check_noise(noise)
    if quiet.free_symbols:
        raise Refused("noise", noise, "a number is needed for values in floats")
    return RateFunction(degree, dim, weight, check_model(model), quiet)
