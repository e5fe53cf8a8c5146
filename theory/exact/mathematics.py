"""LaTeX of expressions, as sympy writes it but for what would be read wrongly."""

from __future__ import annotations

from typing import cast

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE


class Printer(LatexPrinter):  # type: ignore[misc]
    """The derivative of a product has brackets, and a sum at a point: it would read as the first factor, the last term.

    An unknown function is written without its variable, as on paper.
    """

    def _print_Derivative(self, derivative: sp.Derivative) -> str:
        shown = cast(str, super()._print_Derivative(derivative))
        if not derivative.expr.is_Mul:
            return shown
        inner = self.parenthesize(derivative.expr, PRECEDENCE["Mul"], is_neg=False, strict=True)
        return rf"{shown.removesuffix(inner)}\left({inner}\right)"

    def _print_Subs(self, subs: sp.Subs) -> str:
        shown = cast(str, super()._print_Subs(subs))
        if not subs.expr.is_Add:
            return shown
        inner = self._print(subs.expr)
        return shown.replace(inner, rf"\left({inner}\right)", 1)

    def _print_Function(self, function: sp.Function, exp: str | None = None) -> str:
        if isinstance(function, AppliedUndef) and all(argument.is_Symbol for argument in function.args):
            name = cast(str, self._print_Symbol(sp.Symbol(function.func.__name__)))
            return f"{name}^{{{exp}}}" if exp else name
        return cast(str, super()._print_Function(function, exp))


def latex(expression: sp.Basic) -> str:
    r"""An expression in LaTeX.

    >>> x, f = sp.Symbol("x"), sp.Function("f")
    >>> print(latex(sp.Derivative(x * f(x), x)))
    \frac{d}{d x} \left(x f\right)
    """
    return cast(str, Printer().doprint(expression))
