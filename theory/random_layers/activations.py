"""Activations s(t) by their names, as formulas, or as expressions in one variable."""

from __future__ import annotations

from typing import TypeAlias

import sympy as sp

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.exact.formulas import read_weight
from gegenflow.theory.exact.refusals import Refused, refusal
from gegenflow.theory.kernels.weights import in_half_powers
from gegenflow.theory.symbols import t

ActivationLike: TypeAlias = str | sp.Expr
"""A name, a formula or an expression: see :func:`read_activation`."""

LEAK = sp.Rational(1, 100)
"""The slope of the leaky ReLU below 0."""

NAMED: dict[str, Expr] = {
    "relu": sp.Max(t, 0),
    "leaky_relu": LEAK * t + (1 - LEAK) * sp.Max(t, 0),
    "linear": t,
    "erf": sp.erf(t),
    "gelu": t * (1 + sp.erf(t / sp.sqrt(2))) / 2,
    "cos": sp.cos(t),
    "sin": sp.sin(t),
    "exp": sp.exp(t),
    "step": sp.Heaviside(t),
    "tanh": sp.tanh(t),
    "1+tanh": 1 + sp.tanh(t),
    "sigmoid": 1 / (1 + sp.exp(-t)),
    "silu": t / (1 + sp.exp(-t)),
}
"""The activations that have a name."""

ALLOWED = f"it is one of {', '.join(NAMED)}, or a formula in t, or an expression in one variable"


def read_activation(activation: ActivationLike) -> Expr:
    """The activation as an expression in t; the variable of a formula or an expression may have any name.

    >>> read_activation("gelu"), read_activation("x**2 - 1"), read_activation(2 * sp.sin(sp.Symbol("z")))
    (t*(erf(sqrt(2)*t/2) + 1)/2, t**2 - 1, 2*sin(t))

    Raises Refused for any other text (nothing in it is run), two variables, zero, and what is not real and finite.
    """
    if isinstance(activation, str):
        name = activation.strip()
        if name in NAMED:
            return NAMED[name]
        if name.isidentifier() and name != "t":
            raise Refused("activation", activation, ALLOWED)
        expression = read_weight(activation, "activation")
    elif isinstance(activation, sp.Expr):
        expression = activation
    else:
        raise refusal("activation", activation, ALLOWED)
    if len(expression.free_symbols) > 1 or expression.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
        raise Refused("activation", activation, f"{ALLOWED}; no other parameters")
    if expression.is_zero or sp.expand(expression) == 0:
        raise Refused("activation", activation, "it must not be zero: such layers leave tokens where they are")
    variable = next(iter(expression.free_symbols), t)
    return in_half_powers(expression.xreplace({variable: t}))
