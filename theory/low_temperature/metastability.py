r"""How long a density at low temperature stays near its image under the limit map: until a time of order log beta.

Source: arXiv 2605.10931.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from gegenflow.theory.exact.arguments import Expr, check_parameter
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.symbols import beta


@dataclass(frozen=True)
class ProjectionLaw:
    r"""The shape of the distance of a density from its image under the limit map: a fall, and a rise.

    .. math:: W_2(\mu_t, \Pi_\#\mu_0) \lesssim a\,\sqrt{\frac{\log(\beta+1)}{\beta}}\,e^{Ct} + b\,e^{-ct}

    It is a bound: where the limit map is the identity, smooth densities at first only rise by
    :func:`~gegenflow.theory.low_temperature.drift_speed` :math:`t/\beta`.

    :param gap: c, that of :func:`~gegenflow.theory.low_temperature.limit_map` where its index is 1 and B = I, else the
        rate in the time of SA; > 0
    :param growth: C, which depends on the density as the next two; > 0 or a positive symbol
    :param rise: a, > 0 or a positive symbol (default 1)
    :param fall: b, > 0 or a positive symbol (default 1)

    >>> c, C = sp.symbols("c C", positive=True)
    >>> law = ProjectionLaw(c, C)
    >>> sp.simplify(sp.diff(law.distance(t := sp.Symbol("t")), t).subs(t, law.best_time()))
    0
    >>> sp.simplify(law.distance(law.best_time()) / law.best_distance()).equals(1)
    True

    Raises ValueError for a parameter that is not > 0. Source: arXiv 2605.10931; the constants of its proof are unknown.

    See also :func:`.limit_map`, :func:`.drift_speed`.
    """

    gap: Expr
    growth: Expr
    rise: Expr = 1
    fall: Expr = 1

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            object.__setattr__(self, name, _positive(name, value))

    def _repr_latex_(self) -> str:
        return rf"$W_2 \lesssim {latex(self.distance(sp.Symbol('t')))}$"

    def distance(self, time: Expr, beta: Expr = beta) -> Expr:
        """The law, in radians, at a ``time`` (any real number or a symbol) and ``beta`` > 0."""
        rise = self.rise * _smoothing(beta) * sp.exp(self.growth * time)
        return rise + self.fall * sp.exp(-self.gap * time)

    def best_time(self, beta: Expr = beta) -> Expr:
        r"""The time of the least distance at ``beta`` > 0; a negative one means t = 0.

        .. math:: t_* = \frac{1}{C+c} \log\Big(\frac{bc}{aC} \sqrt{\frac{\beta}{\log(\beta+1)}}\Big)
                  \simeq \frac{\log\beta}{2(C+c)}
        """
        ratio = self.fall * self.gap / (self.rise * self.growth * _smoothing(beta))
        return sp.log(ratio) / (self.growth + self.gap)

    def best_distance(self, beta: Expr = beta) -> Expr:
        r"""The least distance at ``beta`` > 0, at :meth:`best_time`.

        .. math:: \Big(a\sqrt{\tfrac{\log(\beta+1)}\beta}\Big)^{1-q} b^q
                  \Big[\Big(\frac cC\Big)^q + \Big(\frac Cc\Big)^{1-q}\Big], \qquad q = \frac{C}{C+c}
        """
        share = self.growth / (self.growth + self.gap)
        balance = (self.gap / self.growth) ** share + (self.growth / self.gap) ** (1 - share)
        return (self.rise * _smoothing(beta)) ** (1 - share) * self.fall**share * balance


def _smoothing(beta: Expr) -> Expr:
    temperature = _positive("beta", beta)
    return sp.sqrt(sp.log(temperature + 1) / temperature)


def _positive(name: str, value: Expr) -> Expr:
    """The number or symbol as a sympy expression; decimals stay decimals, as powers of long fractions are slow."""
    number = check_parameter(value, name) if isinstance(value, str) else sp.sympify(value, strict=True)
    if not isinstance(number, sp.Expr) or number.is_positive is not True or number.is_finite is False:
        raise Refused(name, value, "it must be a number > 0 or a positive symbol")
    return number
