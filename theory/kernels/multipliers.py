r"""The multiplier of a weight without a closed form while its degree is a symbol."""

from __future__ import annotations

import sympy as sp
from flint import arb
from mpmath.libmp import prec_to_dps
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.exact.balls import Enclosed
from gegenflow.theory.exact.certified import certify
from gegenflow.theory.kernels.integrals import zonal_integral
from gegenflow.theory.kernels.weights import parity_of
from gegenflow.theory.sphere import gegenbauer, zonal_weight
from gegenflow.theory.symbols import t


def written_out(weight: Expr, degree: int, dim: Expr) -> Expr:
    r"""The integral :math:`\int_{-1}^1 h(t)\,P_k(t)\,\omega(t)\,dt` of a degree that is a number.

    >>> written_out(sp.tanh(t), 1, 3)
    Integral(t*tanh(t)/2, (t, -1, 1))
    """
    return sp.Integral(weight * gegenbauer(degree, dim) * zonal_weight(dim), (t, -1, 1))


class Multiplier(sp.Expr):  # type: ignore[misc]
    r"""The number :math:`w_k^{(d)}[h]` of a weight, a degree and a dimension, any of which may hold symbols.

    ``subs`` puts numbers in their place, ``evalf`` gives as many digits of it as are asked for, from an integral in
    balls, and ``doit`` the integral of a degree that is a number.

    >>> from gegenflow.theory.symbols import d, k
    >>> Multiplier(sp.tanh(t), k, d).subs({k: 1, d: 3}).evalf(12)                  # int_0^1 t tanh(t) dt
    0.281200736688
    >>> Multiplier(sp.tanh(t), k, 3), Multiplier(sp.tanh(t), k, 3).subs(k, 1).doit()
    (w(tanh(t), k, 3), Integral(t*tanh(t)/2, (t, -1, 1)))
    """

    is_commutative = is_extended_real = True

    def __new__(cls, weight: Expr, degree: Expr, dim: Expr) -> Multiplier:
        return sp.Expr.__new__(cls, *map(sp.sympify, (weight, degree, dim)))  # type: ignore[no-any-return]

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """Its parameters; the overlap is integrated over."""
        weight, degree, dim = self.args
        return (weight.free_symbols - {t}) | degree.free_symbols | dim.free_symbols  # type: ignore[no-any-return]

    def doit(self, **hints: object) -> Expr:
        """The integral, where the degree is a number."""
        weight, degree, dim = self.args
        return written_out(weight, int(degree), dim) if degree.is_Integer else self

    def _eval_subs(self, old: Expr, new: Expr) -> Expr | None:
        return self if old == t else None

    def _eval_derivative(self, symbol: sp.Symbol) -> Expr:
        weight, degree, dim = self.args
        if symbol in degree.free_symbols | dim.free_symbols:
            return sp.Derivative(self, symbol, evaluate=False)
        return Multiplier(sp.diff(weight, symbol), degree, dim)

    def _eval_evalf(self, prec: int) -> Expr | None:
        weight, degree, dim = self.args
        if self.free_symbols or not (degree.is_Integer and dim.is_Integer):
            return None
        if parity_of(weight) == -((-1) ** int(degree)):
            return sp.Integer(0)
        certified = certify(lambda: arb(zonal_integral(weight, int(degree), int(dim))), prec_to_dps(prec) + 3)
        return Enclosed("multiplier", certified.ball)._eval_evalf(prec)

    def _sympystr(self, printer: StrPrinter) -> str:
        return f"w({', '.join(map(printer._print, self.args))})"

    def _latex(self, printer: LatexPrinter) -> str:
        weight, degree, dim = map(printer._print, self.args)
        return f"w_{{{degree}}}^{{({dim})}}\\left[{weight}\\right]"
