r"""Where the diffusion of the overlap comes from, and why the contraction rate is sharp: steps that a computer checks.

One layer moves x by :math:`\epsilon f(x)`, :math:`\epsilon = L^{-1/2}`, and normalises. For infinite width f is a
Gaussian field, independent from layer to layer, whose d components are independent with covariance K(<x, y>). In an
orthonormal basis with x = (1, 0, 0, ...) and y = (r, sqrt(1-r^2), 0, ...) the fields at the two tokens are
a = f(x), b = f(y); of the d - 2 other components only the sums A = sum a_i^2, B = sum b_i^2, C = sum a_i b_i enter.
"""

from __future__ import annotations

import sympy as sp

from gegenflow.theory.exact.arguments import Expr, Whole
from gegenflow.theory.exact.integers import check_dim
from gegenflow.theory.proofs.proof import Proof
from gegenflow.theory.proofs.steps import Step
from gegenflow.theory.random_layers.exponents import K1, S1
from gegenflow.theory.random_layers.overlaps import K, drift_of, variance_of
from gegenflow.theory.symbols import d, k

eps, r, u = sp.Symbol("epsilon"), sp.Symbol("r", real=True), sp.Symbol("u", positive=True)
a1, a2, b1, b2, A, B, C = sp.symbols("a_1 a_2 b_1 b_2 A B C", real=True)
HOW = "symbolically"
ROOT = sp.sqrt(1 - r**2)
ALONG = r * b1 + ROOT * b2
SHORT = ((ALONG, sp.Symbol("b_y")), (ROOT, sp.Symbol("s")))
"""The component of b along y, and the second coordinate of y, as LaTeX has them."""


def derive_overlap(dim: Whole = d) -> Proof:
    r"""Derive drift and variance of the overlap, and the Lyapunov exponent, from the layers, in any dimension.

    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)

    >>> derivation = derive_overlap()
    >>> derivation.result
    -K_1*(d - 1)/2 + S_1*(d - 3)/2
    >>> derivation.check()
    True

    ``K_1`` and ``S_1`` are K(1) and K'(1). Raises Refused for dim < 2. Source: derived here.

    See also :func:`.overlap_drift`, :func:`.lyapunov_exponent`.
    """
    dim = sp.sympify(check_dim(dim))
    layer = _layer(dim)
    after = ((layer.rhs, sp.Function("R")(eps)), *SHORT)
    first = Step(
        "first order",
        r"$D = \langle P_x y, a\rangle + \langle P_y x, b\rangle$",
        sp.Subs(sp.Derivative(layer.rhs, eps), eps, 0),
        ROOT * a2 + (1 - r**2) * b1 - r * ROOT * b2,
        HOW,
        dim,
        "D",
        after,
    )
    second = Step(
        "second order",
        r"$R = r + \epsilon D + \epsilon^2 Q + \dots$ with a quadratic form $Q$ in the two fields",
        sp.Subs(sp.Derivative(layer.rhs, (eps, 2)), eps, 0) / 2,
        _second_order(),
        HOW,
        dim,
        "Q",
        after,
    )
    drift = Step(
        "drift",
        r"the mean of $Q$ over the field: $E\,a_i a_j = E\,b_i b_j = K_1\,\delta_{ij}$, $E\,a_i b_j = K\,\delta_{ij}$",
        _mean_of(second.rhs, dim),
        drift_of(r, dim),
        HOW,
        dim,
        r"E\,Q",
        ((second.rhs, sp.Function("Q")(a1, a2, b1, b2, A, B, C)),),
    )
    variance = Step(
        "variance",
        r"the mean square of the first order, for a step of time $\epsilon^2$",
        _mean_of(first.rhs**2, dim),
        variance_of(r),
        HOW,
        dim,
        r"E\,D^2",
        ((first.rhs, sp.Function("D")(a1, a2, b1, b2)),),
    )
    steps = (layer, first, second, drift, variance, *_near_one(drift, variance))
    return Proof(OVERLAP, LAYERS + BASIS, r"\lambda", steps, derive_overlap, (dim,), dim)


def _layer(dim: Expr) -> Step:
    """The overlap of the two tokens after a layer."""
    inner = (1 + eps * a1) * (r + eps * b1) + eps * a2 * (ROOT + eps * b2) + eps**2 * C
    squares = (1 + eps * a1) ** 2 + eps**2 * (a2**2 + A), (r + eps * b1) ** 2 + (ROOT + eps * b2) ** 2 + eps**2 * B
    product = r + eps * (b1 + r * a1 + ROOT * a2) + eps**2 * (a1 * b1 + a2 * b2 + C)
    lengths = (1 + 2 * eps * a1 + eps**2 * (a1**2 + a2**2 + A)) * (1 + 2 * eps * ALONG + eps**2 * (b1**2 + b2**2 + B))
    words = r"$R = \langle x + \epsilon a, y + \epsilon b\rangle / (|x + \epsilon a|\,|y + \epsilon b|)$ after a layer"
    lhs, rhs = inner / sp.sqrt(squares[0] * squares[1]), product / sp.sqrt(lengths)
    return Step("layer", words, lhs, rhs, HOW, dim, "R", SHORT)


def _second_order() -> Expr:
    """By the expansion of 1/|x + eps a| = 1 - eps a_1 + eps^2 (3 a_1^2 - |a|^2)/2."""
    lengths = (3 * a1**2 - (a1**2 + a2**2 + A)) / 2 + (3 * ALONG**2 - (b1**2 + b2**2 + B)) / 2 + a1 * ALONG
    return a1 * b1 + a2 * b2 + C - (b1 + r * a1 + ROOT * a2) * (a1 + ALONG) + r * lengths


def _mean_of(form: Expr, dim: Expr) -> Expr:
    """The mean of a quadratic form in the fields, as half the sum of covariances times second derivatives."""
    same = sum(sp.Derivative(form, (x, 2)) for x in (a1, a2, b1, b2))
    across = sp.Derivative(form, a1, b1) + sp.Derivative(form, a2, b2)
    others = K1 * (sp.Derivative(form, A) + sp.Derivative(form, B)) + K * sp.Derivative(form, C)
    return K1 * same / 2 + K * across + (dim - 2) * others


def _near_one(drift: Step, variance: Step) -> tuple[Step, Step, Step]:
    r"""The gap u = 1 - r near 0, where :math:`K(1-u) = K(1) - uK'(1) + o(u)`."""
    at = {r: 1 - u, K: K1 - u * S1}
    gap = Step(
        "gap, drift",
        r"near consensus $u = 1-r$ has the drift $u\,[(d-1)S_1 - (d-3)K_1]$",
        sp.Limit(-drift.rhs.subs(at) / u, u, 0),
        (drift.dim - 1) * S1 - (drift.dim - 3) * K1,
        HOW,
        drift.dim,
    )
    spread = Step(
        "gap, variance",
        r"and the variance $4u^2(K_1 + S_1)$",
        sp.Limit(variance.rhs.subs(at) / u**2, u, 0),
        4 * (K1 + S1),
        HOW,
        drift.dim,
    )
    exponent = Step(
        "exponent",
        r"by Ito $\log|x-y| = \frac12\log 2u$ drifts at half of the drift less half the variance",
        (gap.rhs - spread.rhs / 2) / 2,
        ((drift.dim - 3) * S1 - (drift.dim - 1) * K1) / 2,
        HOW,
        drift.dim,
        r"\lambda",
    )
    return gap, spread, exponent


def derive_contraction(dim: Whole = d) -> Proof:
    r"""Prove that the drift of 1 - r is at most -c (1 - r) for all r, with equality as r -> 1: c is sharp.

    .. math:: \frac{b(r)}{1-r} = \sum_k c_k^2\, q_k(r), \qquad \inf_{-1\le r<1} q_k = q_k(1) = (d-3) - (d-1)k

    Degree by degree in the Hermite coefficients of the activation, :math:`K(r) = \sum_k c_k^2 r^k`.

    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)

    >>> proof = derive_contraction()
    >>> proof.result
    d - k*(d - 1) - 3
    >>> proof.check()
    True

    The degree k >= 1 stays a symbol. Raises Refused for dim < 2. Source: derived here.

    See also :func:`.random_layers.contraction_rate`.
    """
    dim = sp.sympify(check_dim(dim))

    def share(power: Expr) -> Expr:
        return drift_of(r, dim, r**power, sp.Integer(1)) / (1 - r)

    def powers(count: Expr) -> Expr:
        return (1 - r**count) / (1 - r)

    steps = (
        Step(
            "mean",
            r"degree 0 falls with $r$: it is least at $r = 1$",
            share(sp.Integer(0)),
            dim - 2 - r,
            HOW,
            dim,
            "q_0(r)",
        ),
        Step(
            "degree",
            r"degree $k \ge 1$ is minus sums of powers of $r$ with weights $\ge 0$, each at most 1 as at $r = 1$",
            share(k),
            -r * ((dim - 2) * powers(k - 1) + powers(k + 1)),
            HOW,
            dim,
            "q_k(r)",
        ),
        Step(
            "count",
            r"$k + 1$ powers sum up to one more than $k$ of them at $r = 1$, so to their count, and to less elsewhere",
            sp.Limit(r * powers(k + 1) - r * powers(k), r, 1, "-"),
            sp.Integer(1),
            HOW,
            dim,
        ),
        Step("least, mean", "degree 0 at $r = 1$", sp.Limit(dim - 2 - r, r, 1, "-"), dim - 3, HOW, dim, "q_0(1)"),
        Step(
            "least, degree",
            r"degree $k$ at $r = 1$: $k - 1$ and $k + 1$ powers; the rate is their mean over the weights $c_k^2$",
            -((dim - 2) * (k - 1) + (k + 1)),
            (dim - 3) - (dim - 1) * k,
            HOW,
            dim,
            "q_k(1)",
        ),
    )
    return Proof(CONTRACTION, LAYERS + DEGREES, "q_k(1)", steps, derive_contraction, (dim,), dim)


OVERLAP, CONTRACTION = "Overlap of two tokens under random layers", "Contraction of two tokens in the mean"
LAYERS = (
    r"One layer moves a token $x$ of the sphere $S^{d-1}$ by $\epsilon f(x)$, $\epsilon = L^{-1/2}$ for $L$ layers, "
    r"and normalises. For infinite width $f$ is a Gaussian field, drawn anew in each layer, whose $d$ components are "
    r"independent with covariance $K(\langle x, y\rangle)$. "
)
BASIS = (
    r"In an orthonormal basis $x = (1, 0, \dots)$ and $y = (r, s, 0, \dots)$, "
    r"$s = \sqrt{1-r^2}$; $a = f(x)$, $b = f(y)$, $b_y = \langle b, y\rangle = r b_1 + s b_2$; of the $d-2$ other "
    r"components only $A = \sum a_i^2$, $B = \sum b_i^2$ and $C = \sum a_i b_i$ "
    r"enter. $K = K(r)$, $K_1 = K(1)$, $S_1 = K'(1)$; $E$ is the mean over the field, and $P_x$ the projection "
    r"on the tangent space at $x$."
)
DEGREES = (
    r"The overlap $r$ of two tokens drifts at $(1-r)\sum_k c_k^2\,q_k(r)$ in units of $L$ layers, where "
    r"$K(r) = \sum_k c_k^2 r^k$ by the Hermite coefficients $c_k$ of the activation. "
    r"Each $q_k$ is least at $r = 1$."
)
