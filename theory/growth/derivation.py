r"""The mean-field equation of attention, linearised about the uniform measure, each step checked by computer.

Tokens move with :math:`v = \nabla (W * \mu)/Z`, where :math:`W' = h` is the attention weight and Z = 1 (USA) or
:math:`Z = h * \mu` (SA), so their law solves :math:`\dot\mu = -\mathrm{div}(\mu v) + \kappa^{-1}\Delta\mu`, the last
term under noise; a dot is a derivative in time. The linearised operator commutes with rotations, so on the irreducible
space of degree-k harmonics it is a number (Schur), which one zonal harmonic :math:`P_k(t)`, t = <x, p> with a pole p,
reveals: everything below is calculus in the one variable t.

Source: arXiv 2410.23228 for the result; the derivation is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from gegenflow.theory.exact.arguments import Expr, Model, Real, check_model, check_noise
from gegenflow.theory.exact.integers import check_dim
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.growth.proofs import r
from gegenflow.theory.growth.rates import growth_rate
from gegenflow.theory.growth.steps import Step, aligned, enumerated, page, short, spelled
from gegenflow.theory.kernels.attention import KernelLike, attention
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.kernels.series import j
from gegenflow.theory.kernels.terms import power_multiplier
from gegenflow.theory.sphere import P, laplacian_eigenvalue, zonal_divergence, zonal_laplacian, zonal_weight
from gegenflow.theory.symbols import d, k, kappa, t

eps, s = sp.Symbol("epsilon"), sp.Symbol("s", real=True)
U0, Z0 = sp.Symbol("U_0", real=True), sp.Symbol("Z_0", positive=True)
TITLE = "Linearised attention flow about the uniform measure"
OPENING = (
    r"Tokens $x$ on the sphere $S^{d-1}$%(dim)s move with the velocity $v = \nabla(W*\mu)%(by)s$, $W' = h$, under the "
    r"attention weight $h(t) = %(weight)s$%(mean)s, so that their law $\mu$ solves "
    r"$\dot\mu = -\mathrm{div}(\mu v)%(diffusion)s$%(noise)s. A dot is a derivative in time; "
    r"$t = \langle x, p\rangle$ is the overlap with a fixed pole $p$; "
    r"$(W*\mu)(x) = \int W(\langle x, y\rangle)\,d\mu(y)$; $\sigma$ is the uniform measure, "
    r"$P_k$ the zonal harmonic of degree $k$ with $P_k(1) = 1$, and $L_k = k(k+d-2)$."
)
HIGH = 8
"""Up to this dimension steps are proved at the number itself."""
rho, U, Z, f, u, z = (sp.Function(name)(t) for name in ("rho", "U", "Z", "f", "u", "z"))


@dataclass(frozen=True)
class Derivation:
    """The linearised attention flow, from the equation to the growth rate: verified steps that hang together.

    Prints as text, renders in a notebook, as a whole and step by step (``steps[3]``); ``latex()`` is for a paper,
    ``rate`` is the result, and ``check()`` verifies every step and that each starts from what
    an earlier one arrived at.

    :param kernel: attention weight h(t)
    :param dim: d of the sphere S^{d-1}, a number or the symbol d
    :param model: "usa" (unnormalised) or "sa" (softmax)
    :param steps: the equalities in their order, the last one the rate
    :param noise: noise 1/kappa, >= 0, or a symbol (default 0)

    See also :func:`.linearize`.
    """

    kernel: Kernel
    dim: Expr
    model: Model
    steps: tuple[Step, ...]
    noise: Expr = sp.S.Zero

    @property
    def rate(self) -> Expr:
        """The growth rate of degree k, where the derivation ends."""
        return self.steps[-1].rhs

    def check(self) -> bool:
        """Verify every equality, and that the steps are those of this kernel, dimension and model (some seconds).

        Each step of a derivation is built from the ones before it, down to the rate, which :func:`growth_rate` states
        independently: so a true equality in the wrong place fails too.
        """
        own = linearize(self.kernel, self.dim, model=self.model, noise=self.noise).steps
        return self.steps == own and all(step.holds() for step in self.steps)

    def latex(self, *, document: bool = False) -> str:
        """The derivation as a LaTeX list (amsmath): what each step says, the equality, how it was checked.

        :param document: a page that compiles as it stands, with what the letters mean, in the place of the list alone
        """
        return page(TITLE, self._opening, self.steps, r"\gamma_k") if document else enumerated(self.steps)

    @property
    def _opening(self) -> str:
        by = "/Z" if self.model == "sa" else ""
        return OPENING % {
            "dim": "" if self.dim == d else rf", $d = {latex(self.dim)}$,",
            "by": by,
            "mean": ", where $Z = h*\\mu$ (softmax attention)" * bool(by),
            "weight": latex(self.kernel.weight),
            "diffusion": _diffusion(self.noise, "\\mu"),
            "noise": "" if self.noise in (0, 1 / kappa) else rf", $\kappa^{{-1}} = {latex(self.noise)}$",
        }

    def _repr_latex_(self) -> str:
        return aligned(self.steps)

    @property
    def _head(self) -> str:
        noise = f", noise {self.noise}" if self.noise != 0 else ""
        return f"{TITLE}, dim {self.dim}, {self.model.upper()}{noise}"

    def __repr__(self) -> str:
        return short(self._head, self.steps)

    def __str__(self) -> str:
        return spelled(self._head, self.steps)


def linearize(kernel: KernelLike | None = None, dim: Expr = d, *, model: str = "usa", noise: Real = 0) -> Derivation:
    r"""Derive the growth rate of degree k from the mean-field equation, for any kernel, in any dimension.

    :param kernel: attention weight h(t) as a Kernel, a formula or its text; None (default) is exp(beta*t)
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param noise: noise 1/kappa of :math:`dX = v\,dt + \sqrt{2/\kappa}\,dW`, >= 0, or a symbol (default 0)

    >>> derivation = linearize(dim=3)
    >>> derivation.rate
    sqrt(2)*sqrt(pi)*k*(k + 1)*besseli(k + 1/2, beta)/(2*beta**(3/2))
    >>> derivation.check()
    True
    >>> derivation.steps[4]
    Laplacian: 2*t*Derivative(P(k, t), t) - (1 - t**2)*Derivative(P(k, t), (t, 2)) = k*(k + 1)*P(k, t)
    >>> linearize("1 + t", 3, noise="0.1").steps[5]
    diffusion: -t*Derivative(P(k, t), t)/5 + (1 - t**2)*Derivative(P(k, t), (t, 2))/10 = -k*(k + 1)*P(k, t)/10

    Raises Refused for dim < 2, an unknown model, or negative noise. Source: arXiv 2410.23228 for the result, 2606.05140
    for the noise; derived here.

    See also :func:`.growth_rate`, :class:`.Derivation`.
    """
    weight, dim, model, noise = attention(None, kernel), check_dim(dim), check_model(model), check_noise(noise)
    common = {step.title: step for step in _common(dim, model, noise)}
    multiplier = _multiplier(weight, dim)
    normaliser = _normaliser(weight, dim) if model == "sa" else None
    words = r"$\dot f = \gamma_k f$ with $\gamma_k = L_k w_k[W]" + "/Z_0" * (model == "sa")
    rate = Step(
        "rate",
        words + r" - \kappa^{-1} L_k" * bool(noise != 0) + "$",
        _assemble(common["Laplacian"], multiplier, normaliser, common.get("diffusion")),
        growth_rate(k, dim, kernel=weight, model=model, noise=noise),
        "symbolically",
        dim,
        r"\gamma_k",
    )
    numbers = [step for step in (multiplier, normaliser) if step]
    return Derivation(
        weight, dim, model, (_interaction(weight, dim), *common.values(), *numbers, rate), sp.sympify(noise)
    )


def _common(dim: Expr, model: Model, noise: Expr) -> list[Step]:
    """The steps that hold for every kernel, in their order; those of a high dimension are cases of the general ones."""
    if not sp.sympify(dim).free_symbols and dim > HIGH:
        return [step.at(dim) for step in _common(d, model, noise)]
    equation = _equation(dim, model, noise)
    first_order = _first_order(equation, model, noise)
    diffusion = [_diffuses(first_order, noise)] if noise != 0 else []
    return [equation, first_order, _funk_hecke(dim), _laplacian(first_order), *diffusion, _powers(dim)]


def _diffusion(noise: Expr, of: str) -> str:
    """What noise adds to an equation, in LaTeX."""
    return "" if noise == 0 else rf" + \kappa^{{-1}} \Delta {of}"


def _interaction(kernel: Kernel, dim: Expr) -> Step:
    words = r"$P_x \int h(\langle x,y\rangle) y\,d\mu(y) = \nabla (W*\mu)(x)$, since $W' = h$"
    return Step("interaction", words, sp.Derivative(kernel.potential, t), kernel.weight, "symbolically", dim, "W'(t)")


def _equation(dim: Expr, model: Model, noise: Expr) -> Step:
    """Mass balance between parallels (the conservative form) is the continuity equation on zonal densities."""
    flux = rho * sp.Derivative(U, t) / (Z if model == "sa" else 1) - noise * sp.Derivative(rho, t)
    area = (1 - t**2) ** (sp.sympify(dim - 1) / 2)
    balance = -sp.Derivative(area * flux, t) * (1 - t**2) ** (sp.sympify(3 - dim) / 2)
    words = r"$\dot \rho = -\mathrm{div}(\rho \nabla U)$, $U = W*\mu$, on zonal densities $\rho(t)$"
    words = words.replace("U)$", rf"U){_diffusion(noise, latex(rho))}$", 1)
    if model == "sa":
        words = words.replace(r"\nabla U", r"\nabla U/Z").replace("W*", r"W*\mu, Z = h*")
    divergence = -zonal_divergence(flux, dim, evaluate=False)
    return Step("equation", words, balance, divergence, "symbolically", dim, r"\dot\rho")


def _perturb(equation: Expr) -> Expr:
    perturbed = equation.subs({rho: 1 + eps * f, U: U0 + eps * u, Z: Z0 + eps * z})
    return sp.Subs(sp.Derivative(perturbed, eps), eps, 0)


def _first_order(equation: Step, model: Model, noise: Expr) -> Step:
    words = r"$\mu = \sigma(1+\epsilon f)$; $W*\sigma = U_0$ is constant by symmetry: $\dot f = -\Delta u$, $u = W*f$"
    words = words.replace(r"\Delta u", rf"\Delta u{_diffusion(noise, 'f')}")
    rhs = -zonal_laplacian(u, equation.dim) / (Z0 if model == "sa" else 1) + noise * zonal_laplacian(f, equation.dim)
    if model == "sa":
        words = words.replace(r"\Delta u", r"\Delta u/Z_0") + ", and so is $h*\\sigma = Z_0$: $Z$ does not vary"
    lhs = _perturb(equation.rhs)
    words += rf"; $F$ is the right side of ${equation.symbol}$ at $\rho = 1 + \epsilon f$, $U = U_0 + \epsilon u$"
    words += r", $Z = Z_0 + \epsilon z$" if model == "sa" else ""
    stands = ((lhs.expr.expr, sp.Function("F")(eps, t)),)
    return Step("first order", words, lhs, rhs, "symbolically", equation.dim, r"\dot f", stands)


def _funk_hecke(dim: Expr) -> Step:
    """The mean of P_k(<y, p>) over the y at overlap s with x: for dim 2 there are two of them."""
    shifts = sp.sqrt(1 - s**2) * sp.sqrt(1 - t**2)
    if dim == 2:
        mean = (P(k, s * t + shifts) + P(k, s * t - shifts)) / 2
    else:
        mean = sp.Integral(P(k, s * t + shifts * r) * zonal_weight(dim - 1, r), (r, -1, 1))
    words = r"the mean of $P_k(\langle y,p\rangle)$ over $\langle x,y\rangle = s$ splits: $W*P_k = w_k[W] P_k$"
    return Step("Funk-Hecke", words, mean, P(k, s) * P(k, t), "symbolically, degrees 1 to 5", dim)


def _laplacian(first_order: Step) -> Step:
    """The operator of the first-order step on one harmonic."""
    words = r"$P_k$ is an eigenfunction of $-\Delta$, with eigenvalue $L_k$"
    drift, dim = first_order.rhs.as_independent(f, as_Add=True)[0], first_order.dim
    lhs, rhs = sp.numer(drift).subs(u, P(k, t)), laplacian_eigenvalue(k, dim) * P(k, t)
    return Step("Laplacian", words, lhs, rhs, "symbolically, term by term", dim, r"-\Delta P_k")


def _diffuses(first_order: Step, noise: Expr) -> Step:
    """What the noise does to one harmonic, by the same step."""
    words = r"the noise damps $P_k$ at the rate of its eigenvalue"
    lhs, dim = first_order.rhs.as_independent(f, as_Add=True)[1].subs(f, P(k, t)), first_order.dim
    rhs = -noise * laplacian_eigenvalue(k, dim) * P(k, t)
    return Step("diffusion", words, lhs, rhs, "symbolically, term by term", dim, r"\kappa^{-1}\Delta P_k")


def _powers(dim: Expr) -> Step:
    """The multipliers of powers obey what t P_k = ... P_{k+1} + ... P_{k-1} demands: induction on the power."""
    lhs = (2 * k + dim - 2) * power_multiplier(k, j + 1, dim)
    rhs = (k + dim - 2) * power_multiplier(k + 1, j, dim) + k * power_multiplier(k - 1, j + 1, dim)
    words = r"$w_k[t^{k+2j+2}]$ from one power less, by the recurrence of $P_k$ (step of an induction)"
    return Step("powers", words, lhs, rhs, "symbolically", dim, r"(2k+d-2)\,w_k[t^{k+2j+2}]")


def _overlap_integral(function: Expr, dim: Expr) -> Expr:
    return sp.Integral(function * zonal_weight(dim), (t, -1, 1))


def _multiplier(kernel: Kernel, dim: Expr) -> Step:
    lhs, rhs = _overlap_integral(kernel.potential * P(k, t), dim), kernel.potential_multiplier(k, dim)
    words = r"$w_k[W] = \int W P_k\,\omega\,dt$, $\omega$ the density of $t$, in closed form"
    return Step("multiplier", words, lhs, rhs, "at 50 digits on samples", dim, "w_k[W]")


def _normaliser(kernel: Kernel, dim: Expr) -> Step:
    lhs, rhs = _overlap_integral(kernel.weight, dim), kernel.multiplier(0, dim)
    words = r"$Z_0 = h*\sigma = \int h\,\omega\,dt$ in closed form"
    return Step("normaliser", words, lhs, rhs, "at 50 digits on samples", dim, "Z_0")


def _assemble(laplacian: Step, multiplier: Step, normaliser: Step | None, diffusion: Step | None) -> Expr:
    drift = laplacian.rhs / P(k, t) * multiplier.rhs / (normaliser.rhs if normaliser else 1)
    return drift + (diffusion.rhs / P(k, t) if diffusion else 0)
