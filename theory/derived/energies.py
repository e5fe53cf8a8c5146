r"""The energy of tokens along their flow, and along geodesics: its rate, and its second variation.

.. math:: E = \tfrac12\sum_{ij} w_i w_j\, W(t_{ij}), \qquad t_{ij} = \langle x_i, x_j\rangle, \qquad W' = h
"""

from __future__ import annotations

import sympy as sp

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.proofs.proof import Proof
from gegenflow.theory.proofs.steps import Step
from gegenflow.theory.symbols import d

tau, s = sp.symbols("tau s", real=True)
i, j, c, N = sp.symbols("i j c N", integer=True, positive=True)
w, X, W, A, h = (sp.Function(name) for name in ("w", "x", "W", "A", "h"))
ENERGY = r"Tokens $x_i$ on $S^{d-1}$ with masses $w_i$ have the energy $E = \frac12\sum_{ij} w_i w_j\,W(t_{ij})$"
FLOW = (
    ENERGY + r", $t_{ij} = \langle x_i,x_j\rangle$, and move with $\dot x_i = P_{x_i} f_i/Z_i$, "
    r"$f_i = \sum_j w_j\,h(t_{ij})\,x_j$, where $P_x$ projects on the tangent space at $x$ and $W' = h$; $Z_i = 1$ "
    r"(USA) or "
    r"$Z_i = \sum_j w_j\,h(t_{ij})$ (SA)."
)
GEODESICS = (
    ENERGY
    + r", $t_{ij} = \langle x_i, M x_j\rangle$ with a matrix $M$, and go along great circles $x_i(s)$ of tangent "
    r"velocities $\xi_i$. For a pair $x, y$ of velocities $\xi, \eta$ let $t = \langle x,My\rangle$, "
    r"$m_1 = \langle\xi,My\rangle$, $m_2 = \langle x,M\eta\rangle$, $m_3 = \langle\xi,M\eta\rangle$, $a = |\xi|$, $b "
    r"= |\eta|$."
)


class Overlap(sp.Function):  # type: ignore[misc]
    """The overlap of two tokens at a time: the same for both orders of them."""

    nargs = 3

    @classmethod
    def eval(cls, first: Expr, second: Expr, time: Expr) -> Expr | None:
        """The two in one order."""
        return cls(second, first, time) if sp.default_sort_key(first) > sp.default_sort_key(second) else None

    def _latex(self, printer: sp.printing.latex.LatexPrinter) -> str:
        first, second, _ = map(printer._print, self.args)
        return f"t_{{{first}{second}}}"


def derive_dissipation() -> Proof:
    r"""The energy rises at the rate :math:`\sum_i w_i Z_i |\dot x_i|^2`, for any weight and any dimension.

    >>> derive_dissipation().check()
    True
    """
    everyone, overlap, x = ((i, 1, N), (j, 1, N)), Overlap(i, j, tau), sp.Symbol("xi")
    slope = sp.Subs(sp.Derivative(W(x), x), x, overlap)
    u, a, b, Z = (sp.Function(name)(i) for name in ("u", "a", "b", "Z"))
    token, force = ((1 - u**2) / (1 + u**2), 2 * u / (1 + u**2)), (a, b)
    along = sum(one * other for one, other in zip(token, force, strict=True))
    velocity = [(one - along * other) / Z for one, other in zip(force, token, strict=True)]
    speed = sum(one**2 for one in velocity)
    power = sum(one * other for one, other in zip(velocity, force, strict=True))
    masses = w(i) * w(j)
    steps = (
        Step(
            "energy",
            "all overlaps move",
            sp.Derivative(sp.Sum(masses * W(overlap), *everyone) / 2, tau),
            sp.Sum(masses * slope * sp.Derivative(overlap, tau), *everyone) / 2,
            "symbolically",
            d,
            r"\dot E",
        ),
        Step(
            "overlap",
            r"by both tokens, in coordinates: $\dot t_{ij} = A_{ij} + A_{ji}$ with $A_{ij} = \langle\dot "
            r"x_i,x_j\rangle$",
            sp.Derivative(sp.Sum(X(i, c, tau) * X(j, c, tau), (c, 1, d)), tau),
            sp.Sum(
                sp.Derivative(X(i, c, tau), tau) * X(j, c, tau) + X(i, c, tau) * sp.Derivative(X(j, c, tau), tau),
                (c, 1, d),
            ),
            "symbolically",
            d,
            r"\dot t_{ij}",
        ),
        Step(
            "exchange",
            r"the sum over both orders of a pair is twice that over one",
            sp.Sum(masses * h(overlap) * (A(i, j) + A(j, i)), *everyone) / 2,
            sp.Sum(masses * h(overlap) * A(i, j), *everyone),
            "by exchange of the indices",
            d,
            r"\dot E",
        ),
        Step(
            "dissipation",
            r"$\sum_j w_j\,h(t_{ij}) A_{ij} = \langle\dot x_i,f_i\rangle$, which is $Z_i|\dot x_i|^2$: in a plane of "
            r"both "
            r"$x_i = (1-u^2, 2u)/(1+u^2)$ and $f_i = (a, b)$",
            sp.Sum(w(i) * power, (i, 1, N)),
            sp.Sum(w(i) * Z * speed, (i, 1, N)),
            "symbolically",
            d,
            r"\dot E",
            ((power, sp.Symbol(r"\langle\dot x_i, f_i\rangle")), (speed, sp.Symbol(r"|\dot x_i|^2"))),
        ),
    )
    title = "Dissipation of the energy of tokens"
    return Proof(title, FLOW, r"\dot E", steps, derive_dissipation)


def derive_second_variation() -> Proof:
    r"""The second derivative of the energy along geodesics, for any matrix M, weight and dimension.

    >>> derive_second_variation().result
    (m_1 + m_2)**2*Derivative(W(t), (t, 2)) + (2*m_3 - t*(a**2 + b**2))*Derivative(W(t), t)
    >>> derive_second_variation().check()
    True
    """
    t, m1, m2, m3 = sp.symbols("t m_1 m_2 m_3", real=True)
    a, b = sp.symbols("a b", positive=True)
    moved = (
        sp.cos(a * s) * sp.cos(b * s) * t
        + sp.sin(a * s) * sp.cos(b * s) * m1 / a
        + sp.cos(a * s) * sp.sin(b * s) * m2 / b
        + sp.sin(a * s) * sp.sin(b * s) * m3 / (a * b)
    )

    def at_start(function: Expr, order: int = 1) -> Expr:
        return sp.Subs(sp.Derivative(function, (s, order)), s, 0)

    slope, curvature = m1 + m2, 2 * m3 - (a**2 + b**2) * t
    stands = ((moved, sp.Function("t")(s)),)
    steps = (
        Step("start", "both tokens of the pair where they are", moved.subs(s, 0), t, "symbolically", d, "t(0)"),
        Step(
            "slope",
            r"the first variation of the overlap is $m_1 + m_2$",
            at_start(moved),
            slope,
            "symbolically",
            d,
            r"\dot t",
            stands,
        ),
        Step(
            "acceleration",
            r"the second has the acceleration $-|\xi|^2 x$ of a geodesic in it",
            at_start(moved, 2),
            curvature,
            "symbolically",
            d,
            r"\ddot t",
            stands,
        ),
        Step(
            "second variation",
            r"each pair adds $\frac12 w_i w_j$ times this to $\ddot E$; $W' = h$",
            at_start(W(moved), 2),
            sp.Derivative(W(t), t) * curvature + sp.Derivative(W(t), (t, 2)) * slope**2,
            "symbolically",
            d,
            r"\ddot W",
            stands,
        ),
    )
    return Proof(
        "Second variation of the energy of tokens",
        GEODESICS,
        r"\ddot W",
        steps,
        derive_second_variation,
    )
