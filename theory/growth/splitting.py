r"""Harmonics under the linear equation, as steps: eigenfunctions of the Laplacian, and of every convolution.

The last is the theorem of Funk and Hecke. The mean M of :math:`P_k(\langle y, p\rangle)` over the y at overlap s with x
is an eigenfunction of the Laplacian in t = <x, p>, regular at t = 1, so that it is :math:`P_k(s)\,P_k(t)`: for every
degree and every dimension from 3 on. On the circle, where the mean is over two points, it is a formula for cosines.
"""

from __future__ import annotations

import sympy as sp

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.growth.equation import BOTH, f, u
from gegenflow.theory.proofs.algebra import END
from gegenflow.theory.proofs.harmonics import m
from gegenflow.theory.proofs.steps import Step
from gegenflow.theory.sphere import P, laplacian_eigenvalue, zonal_laplacian, zonal_weight
from gegenflow.theory.symbols import d, k, t

PART = "The harmonics"
r, s, R = sp.symbols("r s R", real=True)
F = sp.Function("F")
UPSILON = s * t + sp.sqrt(1 - s**2) * sp.sqrt(1 - t**2) * r
"""The overlap <y, p> of a y on the parallel at overlap s with x; r says where on it."""
MEASURE, DENSITY = zonal_weight(d - 1, r), (1 - r**2) ** ((d - 4) / 2)


def laplacian(first_order: Step) -> Step:
    """The operator of the first-order step on one harmonic."""
    words = r"$P_k$ is an eigenfunction of $-\Delta$, with eigenvalue $L_k$"
    drift = first_order.rhs.as_independent(f, as_Add=True)[0]
    lhs, rhs = sp.numer(drift).subs(u, P(k, t)), laplacian_eigenvalue() * P(k, t)
    return Step("Laplacian", words, lhs, rhs, "symbolically, term by term", d, r"-\Delta P_k", part=PART)


def diffuses(first_order: Step, noise: Expr) -> Step:
    """What the noise does to one harmonic, by the same step."""
    words = r"the noise damps $P_k$ at the rate of its eigenvalue"
    lhs = first_order.rhs.as_independent(f, as_Add=True)[1].subs(f, P(k, t))
    rhs = -noise * laplacian_eigenvalue() * P(k, t)
    how = "symbolically, term by term"
    return Step("diffusion", words, lhs, rhs, how, d, r"\kappa^{-1}\Delta P_k", part=PART)


def funk_hecke(eigenfunction: Step) -> list[Step]:
    """That a convolution only multiplies a harmonic, from dimension 3 on."""
    short = ((UPSILON, sp.Function("u")(r, t)),)
    along = zonal_laplacian(F(UPSILON), evaluate=False) - sp.Subs(zonal_laplacian(F(t), evaluate=False), t, UPSILON)
    flux = -(1 - r**2) / (1 - t**2) * DENSITY * sp.Derivative(F(UPSILON), r)
    parallel = Step(
        "parallel",
        r"at $\langle x,y\rangle = s$, $\langle x,p\rangle = t$ the overlap $u = \langle y,p\rangle$ is "
        r"$st + \sqrt{1-s^2}\sqrt{1-t^2}\,r$, with $r$ an overlap on the parallel $S^{d-2}$, of a density proportional "
        "to $(1-r^2)^{d/2-2}$; for every $F$ the Laplacian in $t$ is that at $u$ and a derivative along the parallel",
        along,
        sp.Derivative(flux, r) / DENSITY,
        "symbolically",
        d,
        "",
        short,
        least=3,
        part=PART,
    )
    ends = Step(
        "ends",
        "that integrates to zero, so the mean over the parallel commutes with the Laplacian",
        sp.Subs(flux, r, END),
        sp.S.Zero,
        "symbolically, at both ends",
        d,
        "",
        (*short, *BOTH),
        least=3,
        part=PART,
    )
    whole = (F(UPSILON) * MEASURE).subs(sp.sqrt(1 - t**2), R)
    even = Step(
        "regular",
        r"the mean is even in $R = \sqrt{1-t^2}$, as $r$ and $-r$ weigh the same: of a polynomial $F$ it is a "
        "polynomial in $t$",
        sp.Subs(whole, (R, r), (-R, -r)),
        whole,
        "symbolically",
        d,
        least=3,
        part=PART,
    )
    x = (1 - t) / 2
    series = Step(
        "series",
        r"a solution of $-\Delta y = L_k y$ with a series $y = \sum_m c_m x^m$, $x = (1-t)/2$, has $c_m$ a multiple of "
        r"$c_{m-1}$, as $m(m+d/2-3/2)$ is positive for $m \ge 1$: its value at $t = 1$ tells it",
        zonal_laplacian(x**m, evaluate=False) + laplacian_eigenvalue() * x**m,
        m * (m + (d - 3) / 2) * x ** (m - 1) - (m - k) * (m + k + d - 2) * x**m,
        "symbolically",
        d,
        least=3,
        part=PART,
    )
    mean = sp.Integral(P(k, UPSILON) * MEASURE, (r, -1, 1))
    start = Step(
        "pole",
        r"the value at $t = 1$, where $u = s$",
        mean.subs(t, 1),
        P(k, s),
        "by a Beta integral",
        d,
        least=3,
        part=PART,
    )
    splits = Step(
        "Funk-Hecke",
        r"the mean of $P_k(\langle y,p\rangle)$ over $\langle x,y\rangle = s$ splits: $W*P_k = w_k[W] P_k$, where "
        r"$w_k[W] = \int W P_k\,\omega\,dt$",
        mean,
        P(k, s) * P(k, t),
        "by uniqueness",
        d,
        "",
        short,
        (parallel, ends, even, eigenfunction, series, start),
        least=3,
        part=PART,
    )
    return [parallel, ends, even, series, start, splits]


def circle() -> Step:
    """The same for dimension 2, where the parallel is two points."""
    shifts = sp.sqrt(1 - s**2) * sp.sqrt(1 - t**2)
    words = (
        r"for $d = 2$ the mean of $P_k(\langle y,p\rangle)$ over the two $y$ at $\langle x,y\rangle = s$ splits, too"
    )
    mean = (P(k, s * t + shifts) + P(k, s * t - shifts)) / 2
    return Step("circle", words, mean, P(k, s) * P(k, t), "by the addition theorem", sp.Integer(2), part=PART)
