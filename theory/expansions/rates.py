"""The rates that the expansion about the uniform state is made of, as symbols and as balls."""

from __future__ import annotations

from functools import cache

import sympy as sp
from flint import arb

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.expansions.recurrence import Degrees, Rates
from gegenflow.theory.growth.rates import growth_rate, normaliser_ball, rate_ball
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.kernels.weights import parity_of
from gegenflow.theory.sphere import laplacian_eigenvalue


def exact_growth(degree: int, dim: int, model: str, kernel: Kernel, noise: Expr) -> Expr:
    r"""The growth rate :math:`\gamma_k` as an expression, also where the kernel leaves the degree alone by parity.

    >>> from gegenflow.theory.kernels.kernel import Kernel
    >>> exact_growth(1, 3, "usa", Kernel("atan(t)"), sp.Rational(1, 10))
    -1/5
    """
    if parity_of(kernel.weight) == (-1) ** degree:
        return -noise * laplacian_eigenvalue(degree, dim)
    return sp.sympify(growth_rate(degree, dim, kernel=kernel, model=model, noise=noise))


def exact_normaliser(degree: int, dim: int, kernel: Kernel) -> Expr:
    r"""The ratio :math:`\rho_k = w_k/w_0` of the multipliers of the attention weight, by which SA divides.

    >>> from gegenflow.theory.kernels.kernel import Kernel
    >>> sp.simplify(exact_normaliser(1, 3, Kernel.exponential(2)) - sp.cosh(2) / sp.sinh(2))
    -1/2
    """
    if parity_of(kernel.weight) == -((-1) ** degree):
        return sp.Integer(0)
    return sp.sympify(kernel.multiplier(degree, dim)) / kernel.multiplier(0, dim)


def symbolic_rates(dim: int, model: str, kernel: Kernel, noise: Expr) -> Rates:
    r"""Symbols gamma_k and rho_k, or the number itself where it is rational: there resonances occur.

    >>> from gegenflow.theory.kernels.kernel import Kernel
    >>> rates = symbolic_rates(2, "usa", Kernel.exponential(0), sp.Integer(0))      # Kuramoto: degree 2 stands still
    >>> rates.gap((1, 2), 1), symbolic_rates(2, "usa", Kernel.exponential(), sp.Integer(0)).gap((1, 2), 1)
    (0, gamma_2)
    """

    @cache
    def exact(degree: int) -> Expr:
        return exact_growth(degree, dim, model, kernel, noise)

    @cache
    def growth(degree: int) -> Expr:
        still = sp.expand(exact(degree) + noise * laplacian_eigenvalue(degree, dim)) == 0
        return exact(degree) if still or exact(degree).is_Rational else sp.Symbol(f"gamma_{degree}")

    def multiplier(degree: int) -> Expr:
        return growth(degree) / laplacian_eigenvalue(degree, dim) + noise

    @cache
    def normaliser(degree: int) -> Expr:
        ratio = exact_normaliser(degree, dim, kernel) if model == "sa" else sp.Integer(0)
        return ratio if ratio.is_Rational else sp.Symbol(f"rho_{degree}")

    @cache
    def resonant(degrees: Degrees, degree: int) -> bool:
        return bool(sp.expand(sp.Add(*map(exact, degrees)) - exact(degree)) == 0)

    return Rates(growth, multiplier, normaliser, resonant)


def ball_rates(dim: int, model: str, kernel: Kernel, noise: Expr) -> Rates:
    """The numbers at the current precision; a resonance is looked for where the balls leave room for one.

    >>> from gegenflow.theory.kernels.kernel import Kernel
    >>> ball_rates(2, "usa", Kernel.exponential(1), sp.Integer(0)).growth(1).overlaps(arb(1).bessel_i(1))
    True

    Raises ValueError where the kernel or the noise holds a symbol.
    """
    mean = normaliser_ball(kernel, dim, None) if model == "sa" else arb(1)
    exactly = symbolic_rates(dim, model, kernel, noise).resonant

    @cache
    def growth(degree: int) -> arb:
        return rate_ball(kernel, degree, dim, model, noise)

    @cache
    def multiplier(degree: int) -> arb:
        return kernel.ball(degree - 1, dim + 2) / dim / mean

    @cache
    def normaliser(degree: int) -> arb:
        return kernel.ball(degree, dim) / mean if model == "sa" else arb(0)

    @cache
    def resonant(degrees: Degrees, degree: int) -> bool:
        distance = sum(map(growth, degrees), arb(0)) - growth(degree)
        return bool(distance.contains(0)) and exactly(degrees, degree)

    return Rates(growth, multiplier, normaliser, resonant)
