r"""The overlap r = <x, y> of two tokens under layers with random weights: a diffusion on [-1, 1].

.. math:: dr = \big[(d-2+r^2)\,K(r) - (d-1)\,K(1)\,r\big]\,dt + \sqrt{2(1-r^2)\big(K(1) - rK(r)\big)}\;dB

K is the :class:`~gegenflow.theory.random_layers.ActivationKernel` of the activation. The model: each layer is
:math:`x \leftarrow (x + L^{-1/2} f(x))/|\cdots|` with :math:`f(x) = m^{-1/2}\sum_k a_k\, s(\langle w_k, x\rangle)`, all
weights standard Gaussian, drawn anew in each layer; L layers are one unit of time, L and the width m are infinite.
:func:`~gegenflow.theory.random_layers.derive_overlap` derives it. The scaling and every constant are derived here;
arXiv 2604.26898 is the source of the system.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp
from flint import arb

from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_beta, check_model, check_real
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_dim, check_tokens
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.random_layers.activations import ActivationLike
from gegenflow.theory.random_layers.kernel import BETWEEN, activation_kernel
from gegenflow.theory.symbols import t

K, K1 = sp.symbols("K K_1", real=True)
"""K(r) and K(1) in formulas."""


def drift_of(r: Expr, dim: Expr, here: Expr = K, one: Expr = K1) -> Expr:
    """The drift of the overlap, from K(r) and K(1)."""
    return (dim - 2 + r**2) * here - (dim - 1) * one * r


def variance_of(r: Expr, here: Expr = K, one: Expr = K1) -> Expr:
    """The variance of the overlap per unit of time, from K(r) and K(1)."""
    return 2 * (1 - r**2) * (one - r * here)


def overlap_drift(activation: ActivationLike, dim: Whole, overlap: Real, digits: int | None = 15) -> Expr | Certified:
    r"""Drift of the overlap of two tokens per unit of time, :math:`(d-2+r^2)K(r) - (d-1)K(1)r`.

    :param activation: s, by its name, its formula or as an expression in one variable, as for
        :func:`.activation_kernel`
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol without digits
    :param overlap: r, -1 <= r <= 1, or a symbol without digits
    :param digits: significant digits to certify, >= 1 (default 15); None: the exact expression, where K has a closed
        form

    >>> overlap_drift("tanh", 8, "1/2"), overlap_drift("linear", 8, "1/2", digits=None)
    ([-0.215503133870894 +/- 4.3e-16], -3/8)
    >>> r = sp.Symbol("r")
    >>> sp.factor(overlap_drift("linear", sp.Symbol("d"), r, digits=None))
    r*(r - 1)*(r + 1)

    Raises Refused for others. Source: derived here.

    See also :func:`.overlap_variance`, :func:`.derive_overlap`.
    """
    return _of_overlap(activation, dim, overlap, digits, drift_of)


def overlap_variance(
    activation: ActivationLike, dim: Whole, overlap: Real, digits: int | None = 15
) -> Expr | Certified:
    r"""Variance of the overlap of two tokens per unit of time, :math:`2(1-r^2)(K(1) - rK(r))`, in every ``dim``.

    :param activation: s, by its name, its formula or as an expression in one variable, as for
        :func:`.activation_kernel`
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol without digits
    :param overlap: r, -1 <= r <= 1, or a symbol without digits
    :param digits: significant digits to certify, >= 1 (default 15); None: the exact expression, where K has a closed
        form

    >>> overlap_variance("relu", 3, 0), overlap_variance("cos", 3, 0, digits=None)
    ([1.00000000000000 +/- 0], 2*exp(-1)*cosh(1))

    Errors as :func:`overlap_drift`. Source: derived here.

    See also :func:`.overlap_drift`.
    """
    return _of_overlap(activation, dim, overlap, digits, lambda r, _, here, one: variance_of(r, here, one))


def energy_rate(
    activation: ActivationLike,
    dim: Whole,
    overlap: Real,
    beta: Real,
    *,
    tokens: Whole = 2,
    model: str | None = "usa",
    digits: int | None = 15,
) -> Expr | Certified:
    r"""Mean rate of the attention energy of n equiangular tokens under attention and random layers together.

    .. math:: \frac{d}{dt}\,E\Big[\frac{1}{2\beta n^2}\sum_{ij} e^{\beta r_{ij}}\Big]
              = \frac{n-1}{2n}\, e^{\beta r}\Big[\dot r_{\rm att} + b(r) + \tfrac{\beta}{2}\, a(r)\Big]

    by Ito's formula, with the drift b and the variance a of an overlap, and :math:`\dot r_{\rm att} =
    \frac2n e^{\beta r}(1-r)(1+(n-1)r)` for USA (SA: divided by its normaliser; None: no attention). Attention alone
    raises the energy; the noise lowers it where the bracket is negative. At ``beta`` = 0 the formula is its limit.

    :param activation: s, by its name, its formula or as an expression in one variable, as for
        :func:`.activation_kernel`
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol without digits
    :param overlap: r, -1/(n-1) <= r <= 1, or a symbol without digits
    :param beta: inverse temperature, >= 0, or a symbol without digits
    :param tokens: their number n, >= 2 (default 2)
    :param model: "usa" (unnormalised) or "sa" (softmax) attention, default "usa"; None: no attention
    :param digits: significant digits to certify, >= 1 (default 15); None: the exact expression, where K has a closed
        form

    >>> energy_rate("linear", 3, "1/2", 0, digits=None), energy_rate("linear", 3, "1/2", 0, model=None, digits=None)
    (3/32, -3/32)

    Raises Refused for others. Source: derived here.

    See also :func:`.overlap_drift`, :func:`.energy_rates`.
    """
    n, b = check_tokens(tokens), check_beta(beta, least=0, symbols=digits is None)

    def rate(r: Expr, size: Expr, here: Expr, one: Expr) -> Expr:
        pull = attention_pull(r, n, b, model)
        if (1 + (n - 1) * r).is_negative:
            raise Refused("overlap", overlap, f"{n} tokens of one overlap have one of at least -1/{n - 1}")
        return (
            (n - 1)
            * sp.exp(b * r)
            * (pull + drift_of(r, size, here, one) + b * variance_of(r, here, one) / 2)
            / (2 * n)
        )

    return _of_overlap(activation, dim, overlap, digits, rate)


def attention_pull(r: Expr, tokens: Expr, beta: Expr, model: str | None) -> Expr:
    """The velocity of the overlap of equiangular tokens under attention; 0 without."""
    if model is None:
        return sp.Integer(0)
    normaliser = tokens if check_model(model) == "usa" else sp.exp(beta) + (tokens - 1) * sp.exp(beta * r)
    return 2 * sp.exp(beta * r) * (1 - r) * (1 + (tokens - 1) * r) / normaliser


def _of_overlap(
    activation: ActivationLike,
    dim: Whole,
    overlap: Real,
    digits: int | None,
    formula: Callable[[Expr, Expr, Expr, Expr], Expr],
) -> Expr | Certified:
    kernel, size = activation_kernel(activation), sp.sympify(check_dim(dim))
    r = check_real(overlap, "overlap", BETWEEN, least=-1, most=1, symbols=digits is None)
    value = formula(r, size, K, K1)
    if digits is None:
        here, one = (kernel.closed().subs(t, at) for at in (r, sp.Integer(1)))
        return value.subs({K: here, K1: one})
    if size.free_symbols:
        raise Refused("dim", dim, "a number is needed for certified digits")
    if kernel.formula is not None:
        value = value.subs({K: kernel.formula.subs(t, r), K1: kernel.formula.subs(t, 1)})
    elif r == 1 or (kernel.is_odd and r in (0, -1)):
        value = value.subs(K, r * K1)
    if sp.expand(value) == 0:
        return certify_at("overlap", overlap, arb, digits)
    needed = [(symbol, at) for symbol, at in ((K, r), (K1, sp.Integer(1))) if value.has(symbol)]
    return certify_at(
        "overlap", overlap, lambda: enclose(value, {name: kernel.ball(at) for name, at in needed}), digits
    )
