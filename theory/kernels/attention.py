"""Which attention weight a call means: e^{beta t}, another kernel, its text or its formula, with or without a beta."""

from __future__ import annotations

from typing import TypeAlias

import sympy as sp

from gegenflow.theory.exact.arguments import Expr, Real
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.integers import check_degree, check_dim, check_number
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.kernels.terms import in_elementary_functions
from gegenflow.theory.symbols import beta as BETA
from gegenflow.theory.symbols import d, k

KernelLike: TypeAlias = Kernel | sp.Expr | str
"""What is taken for ``kernel=``: a kernel, or the formula or the text of its weight."""


def attention(beta: Real | None = None, kernel: KernelLike | None = None) -> Kernel:
    r"""The kernel of a call: :math:`e^{\beta t}`, or ``kernel`` with beta put in where it holds one.

    ``beta`` None or the symbol stays a symbol.

    >>> attention(2).weight, attention(2, "v*exp(beta*t)").weight
    (exp(2*t), v*exp(2*t))
    >>> attention(5, "exp(2*t)")
    Traceback (most recent call last):
    gegenflow.theory.exact.refusals.Refused: beta 5: the kernel exp(2*t) holds no beta, and no other parameter

    Raises Refused for a formula that is none, beta that is no number >= 0, and beta beside a kernel that holds none.
    """
    if kernel is None:
        return Kernel.exponential() if beta is None else Kernel.exponential(beta)
    own = as_kernel(kernel)
    return own if beta is None or beta == BETA else own.at(beta=beta)


def as_kernel(kernel: KernelLike) -> Kernel:
    """A kernel as it is, a formula or a text as the kernel of that weight.

    >>> as_kernel("tanh(3*t)") == Kernel("tanh(3*t)")
    True
    """
    return kernel if isinstance(kernel, Kernel) else Kernel(kernel)


def funk_hecke(
    degree: Expr = k,
    dim: Expr = d,
    beta: Real = BETA,
    *,
    kernel: KernelLike | None = None,
    digits: int | None = None,
    elementary: bool = False,
) -> Expr | Certified:
    r"""Funk-Hecke multiplier of an attention weight, :math:`e^{\beta t}` or ``kernel``, of harmonics of a degree >= 0.

    .. math:: w_k[h] = \int_{-1}^{1} h(t)\,P_k(t)\,\omega(t)\,dt, \qquad
              w_k[e^{\beta t}] = \Gamma(d/2)\,(2/\beta)^{d/2-1}\, I_{k+d/2-1}(\beta)

    Exact in whatever is left symbolic; with ``digits`` a certified number.

    :param degree: degree of the harmonic, >= 0, or a symbol (default k)
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)
    :param beta: inverse temperature, >= 0 (of either sign in a kernel that holds it), or a symbol (default beta)
    :param kernel: attention weight h(t) as a Kernel, a formula or its text; None (default) is exp(beta*t)
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression
    :param elementary: whether Bessel functions of half-integer orders, those of odd dims, are written in sinh and cosh
        (default False)

    >>> funk_hecke()
    2**(d/2 - 1)*beta**(1 - d/2)*besseli(d/2 + k - 1, beta)*gamma(d/2)
    >>> funk_hecke(1, 3, 2, digits=20)
    [0.97438274358006103786 +/- 4.1e-21]
    >>> funk_hecke(1, 3, kernel="relu(t)"), funk_hecke(1, 3, kernel="tanh(3*t)", digits=10)
    (1/6, [0.4552702386 +/- 2.4e-11])
    >>> funk_hecke(0, 3), funk_hecke(0, 3, elementary=True)
    (sqrt(2)*sqrt(pi)*besseli(1/2, beta)/(2*sqrt(beta)), sinh(beta)/beta)

    Raises Refused for degree < 0, dim < 2, digits < 1, digits with a symbol, and a beta or kernel that is none.
    Source: arXiv 2410.23228; DLMF 10.32.2, by parts.

    See also :func:`.growth_rate`, :meth:`.Kernel.multiplier`.
    """
    weight = attention(beta, kernel)
    degree, dim = check_degree(degree, 0), check_dim(dim)
    if digits is None:
        multiplier = weight.multiplier(degree, dim)
        return in_elementary_functions(multiplier) if elementary else multiplier
    number, size = check_number("degree", degree), check_number("dim", dim)
    return certify_at("kernel", weight.weight, lambda: weight.ball(number, size), digits)
