r"""From tokens to the equation of their law, and that equation to first order about the uniform measure, as steps.

Along the great circle :math:`x\cos\varphi + e\sin\varphi` a function of <x, y> = t is one of
:math:`t\cos\varphi + q\sin\varphi`, q = <e, y>: that chart gives gradients and Laplacians. Tokens that move carry the
mean of any function with them, and the flux of a density through the parallels is what is left of that by parts.
"""

from __future__ import annotations

import sympy as sp

from gegenflow.theory.exact.arguments import Expr, Model
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.proofs.algebra import END
from gegenflow.theory.proofs.steps import Step
from gegenflow.theory.sphere import zonal_divergence, zonal_laplacian, zonal_weight
from gegenflow.theory.symbols import d, t

PART = "The equation"
eps, phi, q, time = sp.symbols("epsilon phi q tau", real=True)
U0, Z0 = sp.Symbol("U_0", real=True), sp.Symbol("Z_0", positive=True)
rho, U, Z, f, u, z, g, W, eta = (sp.Function(name)(t) for name in ("rho", "U", "Z", "f", "u", "z", "g", "W", "eta"))
N, i = sp.symbols("N i", integer=True, positive=True)
BOTH = ((END, sp.Symbol(r"\pm 1")),)
"""Both ends of an interval, as LaTeX has them."""


def diffusion(noise: Expr, of: str) -> str:
    """What noise adds to an equation, in LaTeX."""
    return "" if noise == 0 else rf" + \kappa^{{-1}} \Delta {of}"


def _along(function: Expr, slope: Expr, order: int = 1) -> Expr:
    """The derivative of a function of the overlap along a great circle, where the overlap has the slope."""
    moved = function.subs(t, t * sp.cos(phi) + slope * sp.sin(phi))
    return sp.Subs(sp.Derivative(moved, (phi, order)), phi, 0)


def chart() -> list[Step]:
    """Gradients and Laplacians of functions of the overlap, from the great circles through a point."""
    share = sp.sqrt((1 - t**2) / (d - 1))
    alike = ((share, q),)
    gradient = Step(
        "gradient",
        r"with $t = \langle x,y\rangle$ and $q = \langle e,y\rangle$ along the great circle from $x$ in a direction "
        r"$e \perp x$, by the angle $\phi$: $\langle e, \nabla_x W\rangle = W'(t)\,\langle e, P_x y\rangle$",
        _along(W, q),
        q * sp.Derivative(W, t),
        "symbolically",
        d,
        part=PART,
    )
    slopes = Step(
        "slopes",
        r"of functions of $t = \langle x,p\rangle$, along $d-1$ orthonormal directions $e$: the squares of "
        r"$q = \langle e,p\rangle$ add up to $1-t^2$, as if each were the same",
        (d - 1) * _along(eta, share) * _along(U, share),
        (1 - t**2) * sp.Derivative(eta, t) * sp.Derivative(U, t),
        "symbolically",
        d,
        r"\langle\nabla \eta, \nabla U\rangle",
        alike,
        part=PART,
    )
    curvature = Step(
        "curvature",
        r"second derivatives along the same great circles add up to the Laplacian",
        (d - 1) * _along(eta, share, 2),
        zonal_laplacian(eta, evaluate=False),
        "symbolically",
        d,
        r"\Delta \eta",
        alike,
        part=PART,
    )
    return [gradient, slopes, curvature]


def interaction(kernel: Kernel, dim: Expr) -> Step:
    """The weight is the slope of the potential, so that attention is a gradient."""
    words = r"$P_x \int h(\langle x,y\rangle) y\,d\mu(y) = \nabla (W*\mu)(x)$, since $W' = h$"
    slope = sp.Derivative(kernel.potential, t)
    return Step("interaction", words, slope, kernel.weight, "symbolically", dim, "W'(t)", part=PART)


def transport(noise: Expr, by: str) -> list[Step]:
    """The law of tokens in the weak form, and the divergence that this is by parts."""
    token = sp.Function("t_i")(time)
    moved = sp.Derivative(sp.Sum(eta.subs(t, token), (i, 1, N)) / N, time)
    slope = sp.Subs(sp.Derivative(eta, t), t, token) * sp.Derivative(token, time)
    diffuses = r"; the noise, Brownian motion, adds $\kappa^{-1}\int\Delta\eta\,d\mu$" * bool(noise != 0)
    weak = Step(
        "tokens",
        r"the mean of a smooth $\eta$ over $N$ tokens at $t_i = \langle x_i,p\rangle$, as time $\tau$ passes, moves "
        rf"as $\int \langle\nabla\eta, \nabla U{by}\rangle\,d\mu$, for every $N$ alike{diffuses}",
        moved,
        sp.Sum(slope, (i, 1, N)) / N,
        "symbolically",
        d,
        part=PART,
    )
    weight = (1 - t**2) * zonal_weight()
    balance = Step(
        "balance",
        r"by parts that is $-\int \eta\,\mathrm{div}(g\nabla t)\,d\sigma$ for a flux $g\nabla t$, as under the density "
        r"$\omega$ of $t$",
        sp.Derivative(eta, t) * g * weight,
        sp.Derivative(eta * g * weight, t) - eta * zonal_divergence(g, evaluate=False) * zonal_weight(),
        "symbolically",
        d,
        part=PART,
    )
    words = "nothing flows through the poles"
    ends = Step(
        "poles", words, sp.Subs(weight, t, END), sp.S.Zero, "symbolically, at both ends", d, "", BOTH, part=PART
    )
    return [weak, balance, ends]


def equation(model: Model, noise: Expr) -> Step:
    """Mass balance between parallels (the conservative form) is the continuity equation on zonal densities."""
    flux = rho * sp.Derivative(U, t) / (Z if model == "sa" else 1) - noise * sp.Derivative(rho, t)
    area = (1 - t**2) ** ((d - 1) / 2)
    balance = -sp.Derivative(area * flux, t) * (1 - t**2) ** ((3 - d) / 2)
    words = r"$\dot \rho = -\mathrm{div}(\rho \nabla U)$, $U = W*\mu$, on zonal densities $\rho(t)$"
    words = words.replace("U)$", rf"U){diffusion(noise, latex(rho))}$", 1)
    if model == "sa":
        words = words.replace(r"\nabla U", r"\nabla U/Z").replace("W*", r"W*\mu, Z = h*")
    divergence = -zonal_divergence(flux, evaluate=False)
    return Step("equation", words, balance, divergence, "symbolically", d, r"\dot\rho", part=PART)


def perturb(equation: Expr) -> Expr:
    """The first order of an equation about the uniform measure."""
    perturbed = equation.subs({rho: 1 + eps * f, U: U0 + eps * u, Z: Z0 + eps * z})
    return sp.Subs(sp.Derivative(perturbed, eps), eps, 0)


def first_order(equation: Step, model: Model, noise: Expr) -> Step:
    """The linear equation of a perturbation f of the density."""
    words = r"$\mu = \sigma(1+\epsilon f)$; $W*\sigma = U_0$ is constant by symmetry: $\dot f = -\Delta u$, $u = W*f$"
    words = words.replace(r"\Delta u", rf"\Delta u{diffusion(noise, 'f')}")
    rhs = -zonal_laplacian(u) / (Z0 if model == "sa" else 1) + noise * zonal_laplacian(f)
    if model == "sa":
        words = words.replace(r"\Delta u", r"\Delta u/Z_0") + ", and so is $h*\\sigma = Z_0$: $Z$ does not vary"
    lhs = perturb(equation.rhs)
    words += rf"; $F$ is the right side of ${equation.symbol}$ at $\rho = 1 + \epsilon f$, $U = U_0 + \epsilon u$"
    words += r", $Z = Z_0 + \epsilon z$" if model == "sa" else ""
    stands = ((lhs.expr.expr, sp.Function("F")(eps, t)),)
    return Step("first order", words, lhs, rhs, "symbolically", d, r"\dot f", stands, part=PART)
