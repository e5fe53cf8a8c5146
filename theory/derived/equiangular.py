r"""Tokens that all have one overlap: the velocity of that overlap, and the clock that it keeps."""

from __future__ import annotations

import sympy as sp

from gegenflow.theory.exact.arguments import Model
from gegenflow.theory.proofs.proof import Proof
from gegenflow.theory.proofs.steps import Step
from gegenflow.theory.symbols import beta, d
from gegenflow.theory.synchronization.equiangular import SYMBOLIC, clock, equiangular_velocity

g = sp.Symbol("g", real=True)
n = sp.Symbol("n", integer=True, positive=True)
OPENING = (
    r"Of $n$ tokens $x_i$ on $S^{d-1}$ any two have the overlap $g$, so that by symmetry they keep to one overlap. "
    r"They move "
    r"with $\dot x_i = P_{x_i} f_i/Z$, $f_i = \frac1n \sum_j e^{\beta\langle x_i,x_j\rangle} x_j$, where $P_x$ "
    r"projects on "
    r"the tangent space at $x$ and %s."
)
SCALES = {
    "usa": "$Z = 1$ (USA)",
    "sa": r"$Z = \frac1n \sum_j e^{\beta\langle x_i,x_j\rangle}$ (SA)",
}


def derive_equiangular(model: Model) -> Proof:
    r"""The velocity of the overlap of n equiangular tokens, and its closed clock, with n and beta symbols.

    >>> derive_equiangular("usa").check(), derive_equiangular("sa").check()
    (True, True)
    """
    own, other, gap = sp.exp(beta), sp.exp(beta * g), sp.Symbol("u", positive=True)
    along, across = own + (n - 1) * other * g, own * g + other * (1 + (n - 2) * g)
    scale = (own + (n - 1) * other) / n if model == "sa" else sp.S.One
    pull = Step(
        "pull",
        r"$\langle f_i,x_j\rangle - \langle f_i,x_i\rangle\,g$: in the first one token is $x_i$, one is $x_j$ and "
        r"$n-2$ are "
        "others, in the second $n-1$ are others",
        across / n - g * along / n,
        other * (1 - g) * (1 + (n - 1) * g) / n,
        "symbolically",
        d,
        r"\langle P_{x_i}f_i, x_j\rangle",
    )
    speed = Step(
        "velocity",
        "both tokens of a pair move alike",
        2 * pull.rhs / scale,
        equiangular_velocity(g, n, beta, model=model),
        "symbolically",
        d,
        r"\dot g",
    )
    passed, softmax = clock(gap, n, beta, model, SYMBOLIC), model == "sa"
    parts = r"; $nT = e^\beta\,T_1 + (n-1)\,T_0$ with the clock $T_1$ of USA, and $T_0$ that at $\beta = 0$"
    watch = Step(
        "clock",
        "the time that passes is the integral of its inverse, in the gap $u = 1-g$" + parts * softmax,
        -sp.Derivative(passed, gap),
        1 / speed.rhs.subs(g, 1 - gap),
        "symbolically",
        d,
        r"\frac{dt}{dg}",
        ((passed, sp.Function("T")(gap)),) if softmax else (),
    )
    title = "Equiangular tokens" + ", softmax attention" * (model == "sa")
    opening = OPENING % SCALES[model]
    return Proof(title, opening, r"\frac{dt}{dg}", (pull, speed, watch), derive_equiangular, (model,))
