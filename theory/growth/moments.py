r"""The multipliers :math:`w_k[W]` as steps: by parts from the weight h = W', from those of powers, by induction.

.. math:: P_k\,\omega_d = -\frac1d\,\frac{d}{dt}\big(\omega_{d+2}\,P_{k-1}^{(d+2)}\big), \qquad
          w_k^{(d)}[W] = \tfrac1d\, w_{k-1}^{(d+2)}[W']

The first is one derivative of Rodrigues' formula. By the second degree and power fall by one as the dimension rises by
two, down to a Beta integral or to the integral of a harmonic alone, which is zero.
"""

from __future__ import annotations

import sympy as sp

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.growth.equation import BOTH
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.kernels.series import j, n
from gegenflow.theory.kernels.terms import half_power_multiplier, power_multiplier
from gegenflow.theory.proofs.algebra import END
from gegenflow.theory.proofs.steps import Step
from gegenflow.theory.sphere import P, zonal_weight
from gegenflow.theory.symbols import d, k, t

PART = "The multipliers"
W = sp.Function("W")(t)
FLUX = zonal_weight(d + 2) * P(k - 1, t, d + 2) / d


def overlap_integral(function: Expr, dim: Expr = d, low: int = -1) -> Expr:
    """The mean of a function of the overlap, over the overlaps from ``low`` on."""
    return sp.Integral(function * zonal_weight(dim), (t, low, 1))


def by_parts() -> tuple[Step, Step, Step]:
    """The derivative under the integral, its ends, and what follows for any W."""
    exact = Step(
        "Rodrigues",
        r"one derivative of Rodrigues' formula; $\omega_d$ is the density of $t$ on $S^{d-1}$, $P_{k-1}^{(d+2)}$ the "
        r"harmonic of $S^{d+1}$",
        P(k, t) * zonal_weight(),
        -sp.Derivative(FLUX, t),
        "symbolically, term by term",
        d,
        r"P_k\,\omega_d",
        part=PART,
    )
    words = "which leaves nothing at the ends"
    ends = Step(
        "boundary", words, sp.Subs(FLUX, t, END), sp.S.Zero, "symbolically, at both ends", d, "", BOTH, part=PART
    )
    parts = Step(
        "by parts",
        r"for every $W$ with an integrable $W'$",
        overlap_integral(W * P(k, t)),
        overlap_integral(sp.Derivative(W, t) * P(k - 1, t, d + 2), d + 2) / d,
        "by parts",
        d,
        "w_k[W]",
        (),
        (exact, ends),
        part=PART,
    )
    return exact, ends, parts


def powers(exact: Step, ends: Step, parts: Step) -> list[Step]:
    """The multipliers of all powers of t."""
    start = Step(
        "start",
        r"degree 0 is the start of an induction on $k$",
        overlap_integral(t ** (2 * j)),
        power_multiplier(sp.S.Zero, j),
        "by a Beta integral",
        d,
        r"w_0[t^{2j}]",
        part=PART,
    )
    even = Step(
        "powers",
        r"as degree and power fall by one, while the dimension rises by two: by parts $w_k^{(d)}[t^n]$ is "
        r"$(n/d)\,w_{k-1}^{(d+2)}[t^{n-1}]$",
        overlap_integral(t ** (k + 2 * j) * P(k, t)),
        power_multiplier(k, j),
        "by induction",
        d,
        r"w_k[t^{k+2j}]",
        (),
        (parts, start),
        part=PART,
    )
    words = "an odd power has no mean"
    mean = overlap_integral(t ** (2 * j + 1))
    lone = Step("odd mean", words, mean, sp.S.Zero, "by a Beta integral", d, r"w_0[t^{2j+1}]", part=PART)
    odd = Step(
        "odd powers",
        "and by the same induction nothing of the other parity is left",
        overlap_integral(t ** (k + 2 * j + 1) * P(k, t)),
        sp.S.Zero,
        "by induction",
        d,
        r"w_k[t^{k+2j+1}]",
        (),
        (parts, lone),
        part=PART,
    )
    constant = Step(
        "constant",
        r"a constant, $W' = 0$, has only degree 0",
        overlap_integral(P(k, t)),
        sp.S.Zero,
        "by parts",
        d,
        "w_k[1]",
        (),
        (exact, ends),
        part=PART,
    )
    low = Step(
        "low powers",
        "and a power no degree above its own",
        overlap_integral(t**n * P(k + n, t)),
        sp.S.Zero,
        "by induction",
        d,
        "w_{k+n}[t^n]",
        (),
        (parts, constant),
        part=PART,
    )
    return [start, even, lone, odd, constant, low]


def half_powers(exact: Step, ends: Step, parts: Step) -> list[Step]:
    """The multipliers of all powers of max(t, 0)."""
    recurrence = Step(
        "recurrence",
        r"the harmonics obey a recurrence",
        (k + d - 2) * P(k + 1, t) + k * P(k - 1, t),
        (2 * k + d - 2) * t * P(k, t),
        "symbolically, term by term",
        d,
        part=PART,
    )
    gammas = sp.gamma((1 - k) / 2) * sp.gamma((k + d - 1) / 2)
    value = Step(
        "value at 0",
        r"which is one of two terms at $t = 0$, with $P_0 = 1$ and $P_1(0) = 0$",
        P(k, 0),
        sp.sqrt(sp.pi) * sp.gamma((d - 1) / 2) / gammas,
        "by a recurrence",
        d,
        premises=(recurrence,),
        part=PART,
    )
    half = Step(
        "half sphere",
        r"a step at $t = 0$: the integral of Rodrigues' derivative from there",
        overlap_integral(P(k, t), low=0),
        half_power_multiplier(k, 0),
        "by integration",
        d,
        r"w_k[t_+^0]",
        (),
        (exact, ends, value),
        part=PART,
    )
    start = Step(
        "half start",
        "the start of an induction on $k$",
        overlap_integral(t**n, low=0),
        half_power_multiplier(sp.S.Zero, n),
        "by a Beta integral",
        d,
        r"w_0[t_+^n]",
        part=PART,
    )
    high = Step(
        "half powers",
        "by the same induction, as $t_+^n$ vanishes at 0 for $n \\ge 1$",
        overlap_integral(t ** (k + n) * P(k, t), low=0),
        half_power_multiplier(k, k + n),
        "by induction",
        d,
        r"w_k[t_+^{k+n}]",
        (),
        (parts, start),
        part=PART,
    )
    low = Step(
        "low half powers",
        "and for degrees above the power by induction on that",
        overlap_integral(t**n * P(k + n, t), low=0),
        half_power_multiplier(k + n, n),
        "by induction",
        d,
        r"w_{k+n}[t_+^n]",
        (),
        (parts, half),
        part=PART,
    )
    return [recurrence, value, half, start, high, low]


def multiplier(kernel: Kernel, dim: Expr, premises: tuple[Step, ...]) -> Step:
    """The multiplier of the potential."""
    lhs = overlap_integral(kernel.weight * P(k - 1, t, dim + 2), dim + 2) / dim
    how, words = _told(kernel)
    words = rf"by parts with $W' = h$, {words}"
    rhs = kernel.potential_multiplier(k, dim)
    return Step("multiplier", words, lhs, rhs, how, dim, "w_k[W]", (), premises, part=PART)


def normaliser(kernel: Kernel, dim: Expr, premises: tuple[Step, ...]) -> Step:
    """The mean of the weight."""
    lhs, rhs = overlap_integral(kernel.weight, dim), kernel.multiplier(0, dim)
    how, words = _told(kernel)
    return Step("normaliser", rf"$Z_0 = h*\sigma$, {words}", lhs, rhs, how, dim, "Z_0", (), premises, part=PART)


def _told(kernel: Kernel) -> tuple[str, str]:
    """How the multipliers of a weight are proved, and what is said of them."""
    if kernel.weight.has(sp.Sum):
        return "by its general term", "of each power of the series"
    if kernel._terms is None:
        return "as the integral that it is", "an integral without closed form"
    if any(term.rate != 0 for term in kernel.terms):
        return "by series, every coefficient", "of each power of the series of the weight"
    return "as a sum over its powers", "of each of its powers"
