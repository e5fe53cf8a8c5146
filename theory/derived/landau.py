r"""The order of the transition of noisy tokens, with d a symbol: the quartic coefficient of the free energy.

.. math:: F = \int q\log q\,d\sigma - K \iint W q\,q\,d\sigma\,d\sigma, \qquad
          q = 1 + \varepsilon p + \varepsilon^2 y P_2, \quad p = \sqrt d\,t
"""

from __future__ import annotations

import sympy as sp

from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.noise.landau import landau_expansion
from gegenflow.theory.noise.landau import s as ratio
from gegenflow.theory.proofs.proof import Proof
from gegenflow.theory.proofs.steps import Step
from gegenflow.theory.sphere import gegenbauer, zonal_weight
from gegenflow.theory.symbols import d, t

eps, p, y, P2 = sp.symbols("epsilon p y P_2", real=True)
r = sp.Symbol("r_2")
OPENING = (
    r"Noisy tokens have the free energy $F = \int q\log q\,d\sigma - K \iint W q\,q\,d\sigma\,d\sigma$ of their "
    r"density $q$ against the uniform measure $\sigma$ of $S^{d-1}$, with the kernel $W$ and the coupling "
    r"$K = \kappa/2$ for a noise of $1/\kappa$. About $q = 1$ let "
    r"$q = 1 + \epsilon p + \epsilon^2 y P_2 + \dots$ of mass 1, where $p = \sqrt d\,t$ has degree 1 and mean square "
    r"1, and $P_2$ is the harmonic of degree 2 with $P_2(1) = 1$. The coupling against its threshold is $s = K/K_1$, "
    r"and $r_2 = w_2[W]/w_1[W]$ holds the multipliers of $W$: by Funk and Hecke the double integral gives $s$ times "
    r"the square of degree 1 and $s r_2$ times that of degree 2."
)
HOW = "symbolically"


def _mean(function: sp.Expr) -> sp.Expr:
    return sp.Integral(function * zonal_weight(), (t, -1, 1))


def derive_landau() -> Proof:
    """F_4 of degree 1 with d a symbol, and the ratio of multipliers at which it changes sign.

    >>> derive_landau().check()
    True
    """
    entropy = (1 + eps * p + eps**2 * y * P2) * sp.log(1 + eps * p + eps**2 * y * P2)
    second = gegenbauer(2)
    quartic = Step(
        "entropy",
        r"the fourth order of $q \log q$",
        sp.Subs(sp.Derivative(entropy, (eps, 4)), eps, 0) / 24,
        p**4 / 12 - p**2 * P2 * y / 2 + P2**2 * y**2 / 2,
        HOW,
        d,
    )
    product = Step("product", r"of $p^2$ only degrees 0 and 2", d * t**2, 1 + (d - 1) * second, HOW, d, "p^2")
    means = (
        Step("square", "the mean of $t^2$", _mean(t**2), 1 / d, "by a Beta integral", d),
        Step("fourth power", "the mean of $t^4$", _mean(t**4), 3 / (d * (d + 2)), "by a Beta integral", d),
    )
    square, fourth = (step.rhs for step in means)
    norm = Step(
        "norm",
        "so that of the square of $P_2$, expanded in powers of $t$",
        (d**2 * fourth - 2 * d * square + 1) / (d - 1) ** 2,
        2 / ((d - 1) * (d + 2)),
        HOW,
        d,
        r"\int P_2^2\,d\sigma",
    )
    cubed = Step(
        "overlap",
        "and that of $p^2 P_2$",
        d * (d * fourth - square) / (d - 1),
        2 / (d + 2),
        HOW,
        d,
        r"\int p^2 P_2\,d\sigma",
    )
    energy = d**2 * fourth / 12 - cubed.rhs * y / 2 + (1 - ratio * r) * norm.rhs * y**2 / 2
    best = cubed.rhs / (2 * (1 - ratio * r) * norm.rhs)
    least = Step(
        "minimum",
        r"in $y$ the fourth order is least where its slope vanishes, as $s r_2$ is less than 1",
        sp.Subs(sp.Derivative(energy, y), y, best),
        sp.S.Zero,
        HOW,
        d,
        r"\partial_y F",
    )
    coefficient = Step("coefficient", "there it is", energy.subs(y, best), landau_expansion().quartic, HOW, d, "F_4")
    threshold = Step(
        "threshold",
        "and at the threshold",
        coefficient.rhs.subs(ratio, 1),
        (d - (d - 1) / (1 - r)) / (4 * (d + 2)),
        HOW,
        d,
        "F_4",
    )
    sign = Step(
        "sign",
        r"which has the sign of $1/d - r_2$, as $r_2$ is less than 1",
        threshold.rhs,
        d * (1 / d - r) / (4 * (d + 2) * (1 - r)),
        HOW,
        d,
        "F_4",
    )
    kernel = Kernel.exponential()
    multipliers = Step(
        "tricritical",
        r"for $W = e^{\beta t}/\beta$: the transition is continuous while this is less than $1/d$",
        kernel.potential_multiplier(sp.Integer(2)) / kernel.potential_multiplier(sp.Integer(1)),
        sp.besseli(d / 2 + 1, sp.Symbol("beta", positive=True)) / sp.besseli(d / 2, sp.Symbol("beta", positive=True)),
        HOW,
        d,
        "r_2",
    )
    steps = (quartic, product, *means, norm, cubed, least, coefficient, threshold, sign, multipliers)
    return Proof("Landau coefficient and tricritical point of noisy tokens", OPENING, "r_2", steps, derive_landau)
