r"""Do two tokens meet under random layers?  Almost surely, or in the mean, and how fast.

Near r = 1 the gap 1 - r is a geometric Brownian motion to first order: drift :math:`(d-1)K'(1) - (d-3)K(1)`, variance
:math:`4(K(1) + K'(1))` per unit of time, relative to the gap and to its square. Its logarithm therefore drifts at twice

.. math:: \lambda = \tfrac12\big[(d-3)\,K'(1) - (d-1)\,K(1)\big],

the Lyapunov exponent of :math:`|x - y|`. Attention adds -1 (SA) or :math:`-e^\beta` (USA), the rates at which it draws
two close tokens together. Everything here is derived here; arXiv 2604.26898 is the source of the system.
"""

from __future__ import annotations

from typing import Literal, get_args

import sympy as sp
from flint import arb

from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_beta, check_model
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_dim
from gegenflow.theory.exact.refusals import Refused, refusal
from gegenflow.theory.random_layers.activations import ActivationLike
from gegenflow.theory.random_layers.kernel import ActivationKernel, activation_kernel, in_exponentials
from gegenflow.theory.symbols import t

Criterion = Literal["almost surely", "mean"]
K1, S1 = sp.symbols("K_1 S_1", real=True)
"""K(1) and K'(1) in formulas."""


def lyapunov_exponent(
    activation: ActivationLike,
    dim: Whole,
    *,
    model: str | None = None,
    beta: Real | None = None,
    digits: int | None = 15,
) -> Expr | Certified:
    r"""Lyapunov exponent of the distance of two tokens, :math:`\frac12[(d-3)K'(1) - (d-1)K(1)]`, and attention's share.

    :param activation: s, by its name, its formula or as an expression in one variable, as for
        :func:`.activation_kernel`
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol without digits
    :param model: "usa" (unnormalised) or "sa" (softmax) attention; None (default): no attention
    :param beta: inverse temperature, >= 0, needed for "usa"; None (default) for the others
    :param digits: significant digits to certify, >= 1 (default 15); None: the exact expression, where K has a closed
        form

    >>> lyapunov_exponent("tanh", 64, digits=10), lyapunov_exponent("relu", 64, digits=None)
    ([1.744012077 +/- 1.5e-10], -1/2)
    >>> lyapunov_exponent("relu", 64, model="usa", beta=2, digits=None)
    -exp(2) - 1/2

    Attention adds -1 (SA, at every beta) or :math:`-e^\beta` (USA). Raises Refused for others and for an activation
    that jumps, whose K'(1) is infinite. Source: derived here; arXiv 2604.26898 for the system.

    See also :func:`.random_layers.contraction_rate`, :func:`.critical_dim`.
    """
    kernel, d, shift = activation_kernel(activation), _dim(dim, digits), _attention_rate(model, beta, digits)
    return _told(kernel, ((d - 3) * S1 - (d - 1) * K1) / 2 - shift, digits)


def contraction_rate(activation: ActivationLike, dim: Whole, digits: int | None = 15) -> Expr | Certified:
    r"""The largest c with :math:`E(1-r_t) \le e^{-ct}(1-r_0)` from every start: :math:`(d-3)K(1) - (d-1)K'(1)`.

    In Hermite coefficients it is :math:`\sum_k c_k^2\,[(d-3)-(d-1)k]`: only the mean of s contracts, and it must
    outweigh the rest; an odd activation never does. :func:`derive_contraction` proves that the rate is sharp.

    :param activation: s, by its name, its formula or as an expression in one variable, as for
        :func:`.activation_kernel`
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol without digits
    :param digits: significant digits to certify, >= 1 (default 15); None: the exact expression, where K has a closed
        form

    >>> contraction_rate("cos", 64), contraction_rate("linear", sp.Symbol("d"), digits=None)
    ([7.39078756066999 +/- 3.2e-15], -2)

    Negative where the mean of 1 - r grows at first from close tokens. Errors as :func:`lyapunov_exponent`. Source:
    derived here.

    See also :func:`.lyapunov_exponent`, :func:`.critical_dim`, :func:`.derive_contraction`.
    """
    kernel, d = activation_kernel(activation), _dim(dim, digits)
    return _told(kernel, (d - 3) * K1 - (d - 1) * S1, digits)


def critical_dim(
    activation: ActivationLike,
    criterion: str = "almost surely",
    *,
    model: str | None = None,
    beta: Real | None = None,
    digits: int | None = 15,
) -> Expr | Certified:
    r"""The dim, as a real number, at which two tokens cease to meet almost surely or begin to contract in the mean.

    .. math:: d_{\rm a.s.} = \frac{3K'(1)-K(1)+2A}{K'(1)-K(1)}, \qquad
              d_{\rm mean} = \frac{3K(1)-K'(1)}{K(1)-K'(1)}

    Tokens meet almost surely (negative Lyapunov exponent) if and only if d < :math:`d_{\rm a.s.}`, and 1 - r contracts
    in the mean if and only if d > :math:`d_{\rm mean}`; A is attention's share, 1 (SA) or :math:`e^\beta` (USA).

    :param activation: s, by its name, its formula or as an expression in one variable, as for
        :func:`.activation_kernel`
    :param criterion: "almost surely" (default) or "mean", without attention
    :param model: "usa" (unnormalised) or "sa" (softmax) attention; None (default): no attention
    :param beta: inverse temperature, >= 0, needed for "usa"; None (default) for the others
    :param digits: significant digits to certify, >= 1 (default 15); None: the exact expression, where K has a closed
        form

    >>> critical_dim("tanh", digits=10), critical_dim("cos", "mean", digits=None)
    ([14.24813639 +/- 4.9e-10], 2 + exp(2))
    >>> critical_dim("relu"), critical_dim("tanh", "mean")             # they meet in every dim; contract in none
    (oo, oo)

    Infinite, a sympy ``oo``, where :math:`K'(1) \le K(1)` (almost surely: in every dim) or :math:`K(1) \le K'(1)`
    (mean: in none). Raises Refused for others. Source: derived here.

    See also :func:`.lyapunov_exponent`, :func:`.random_layers.contraction_rate`.
    """
    if criterion not in get_args(Criterion):
        raise refusal("criterion", criterion, "it is 'almost surely' or 'mean'")
    if criterion == "mean" and (model is not None or beta is not None):
        name, value = ("model", model) if model is not None else ("beta", beta)
        raise Refused(
            name, value, "attention does not enter the contraction in the mean, which is that of antipodal tokens"
        )
    kernel, shift = activation_kernel(activation), _attention_rate(model, beta, digits)
    top, gap = (3 * S1 - K1 + 2 * shift, S1 - K1) if criterion == "almost surely" else (3 * K1 - S1, K1 - S1)
    if not _is_positive(kernel, gap):
        return sp.oo
    return _told(kernel, top / gap, digits)


def _is_positive(kernel: ActivationKernel, gap: Expr) -> bool:
    """The sign of K'(1) - K(1), exactly or by balls: that of an activation which is not linear and has no mean is 1."""
    slope = kernel.slope_at_one()
    if slope is not None:
        exact = in_exponentials(gap.subs({S1: slope, K1: kernel.closed().subs(t, 1)}))
        return exact != 0 and bool(enclose(exact) > 0)
    told = certify_at("activation", kernel.activation, lambda: _evaluate(kernel, gap), 3)
    return told > 0


def _dim(dim: Whole, digits: int | None) -> Expr:
    size = sp.sympify(check_dim(dim))
    if digits is not None and size.free_symbols:
        raise Refused("dim", dim, "a number is needed for certified digits")
    return size


def _attention_rate(model: str | None, beta: Real | None, digits: int | None) -> Expr:
    if beta is not None:
        b = check_beta(beta, least=0, symbols=digits is None)
    if model is None:
        if beta is not None:
            raise Refused("beta", beta, "it is that of attention: give a model too, 'usa' or 'sa'")
        return sp.Integer(0)
    if check_model(model) == "sa":
        return sp.Integer(1)
    if beta is None:
        raise Refused(
            "beta", None, "USA draws close tokens together at the rate e^beta: the inverse temperature is needed"
        )
    return sp.exp(b)


def _told(kernel: ActivationKernel, value: Expr, digits: int | None) -> Expr | Certified:
    slope = kernel.slope_at_one()
    if slope is not None:
        value = in_exponentials(value.subs({S1: slope, K1: kernel.closed().subs(t, 1)}))
    if digits is None:
        kernel.closed()
        return sp.expand(sp.simplify(value))
    return certify_at(
        "activation", kernel.activation, lambda: arb(0) if value == 0 else _evaluate(kernel, value), digits
    )


def _evaluate(kernel: ActivationKernel, value: Expr) -> arb:
    one = sp.Integer(1)
    balls = {K1: kernel.ball(one), S1: kernel.slope_ball(one)} if value.has(K1, S1) else {}
    return enclose(value, balls)
