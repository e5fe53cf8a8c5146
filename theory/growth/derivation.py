r"""The mean-field equation of attention, linearised about the uniform measure, each step checked by computer.

Tokens move with :math:`v = \nabla (W * \mu)/Z`, where :math:`W' = h` is the attention weight and Z = 1 (USA) or
:math:`Z = h * \mu` (SA), so their law solves :math:`\partial_t \mu = -\mathrm{div}(\mu v)`. The linearised operator
commutes with rotations, so on the irreducible space of degree-k harmonics it is a number (Schur), which one zonal
harmonic :math:`P_k(t)`, t = <x, e>, reveals: everything below is calculus in the one variable t.

Source: arXiv 2410.23228 for the result; the derivation is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from gegenflow.theory.exact.arguments import Expr, Model, check_model
from gegenflow.theory.exact.integers import check_dim
from gegenflow.theory.growth.proofs import r
from gegenflow.theory.growth.rates import growth_rate
from gegenflow.theory.growth.steps import Step, aligned, enumerated, short, spelled
from gegenflow.theory.kernels.attention import KernelLike, attention
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.kernels.series import j
from gegenflow.theory.kernels.terms import power_multiplier
from gegenflow.theory.sphere import P, laplacian_eigenvalue, zonal_divergence, zonal_laplacian, zonal_weight
from gegenflow.theory.symbols import d, k, t

eps, s = sp.Symbol("epsilon"), sp.Symbol("s", real=True)
U0, Z0 = sp.Symbol("U_0", real=True), sp.Symbol("Z_0", positive=True)
HIGH = 8
"""Up to this dimension steps are proved at the number itself."""
rho, U, Z, f, u, z = (sp.Function(name)(t) for name in ("rho", "U", "Z", "f", "u", "z"))


@dataclass(frozen=True)
class Derivation:
    """The linearised attention flow, from the equation to the growth rate: verified steps that hang together.

    Prints as text, renders in a notebook; ``latex()`` is for a paper, ``rate`` is the result, and ``check()`` verifies
    every step and that each starts from what an earlier one arrived at.

    :param kernel: attention weight h(t)
    :param dim: d of the sphere S^{d-1}, >= 2, or the symbol d
    :param model: "usa" (unnormalised) or "sa" (softmax)
    :param steps: the equalities, in their order
    """

    kernel: Kernel
    dim: Expr
    model: Model
    steps: tuple[Step, ...]

    @property
    def rate(self) -> Expr:
        """The growth rate of degree k, where the derivation ends."""
        return self.steps[-1].rhs

    def check(self) -> bool:
        """Verify every equality, and that the steps are those of this kernel, dimension and model (some seconds).

        Each step of a derivation is built from the ones before it, down to the rate, which :func:`growth_rate` states
        independently: so a true equality in the wrong place fails too.
        """
        own = linearize(self.kernel, self.dim, model=self.model).steps
        return self.steps == own and all(step.holds() for step in self.steps)

    def latex(self) -> str:
        """The derivation as a LaTeX list (amsmath): what each step says, the equality, how it was checked."""
        return enumerated(self.steps)

    def _repr_latex_(self) -> str:
        return aligned(self.steps)

    @property
    def _head(self) -> str:
        return f"Linearised attention flow about the uniform measure, dim {self.dim}, {self.model.upper()}"

    def __repr__(self) -> str:
        return short(self._head, self.steps)

    def __str__(self) -> str:
        return spelled(self._head, self.steps)


def linearize(kernel: KernelLike | None = None, dim: Expr = d, *, model: str = "usa") -> Derivation:
    r"""Derive the growth rate of degree k from the mean-field equation, for any kernel, in any dimension.

    :param kernel: attention weight h(t) as a Kernel, a formula or its text; None (default) is exp(beta*t)
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"

    >>> derivation = linearize(dim=3)
    >>> derivation.rate
    sqrt(2)*sqrt(pi)*k*(k + 1)*besseli(k + 1/2, beta)/(2*beta**(3/2))
    >>> derivation.check()
    True

    Raises Refused for dim < 2 or an unknown model. Source: arXiv 2410.23228 for the result, derived here.

    See also :func:`.growth_rate`, :func:`.linearize_cluster`.
    """
    weight, dim, model = attention(None, kernel), check_dim(dim), check_model(model)
    equation, first_order, *spectrum = _common(dim, model)
    laplacian, multiplier = spectrum[1], _multiplier(weight, dim)
    normaliser = _normaliser(weight, dim) if model == "sa" else None
    rate = Step(
        "rate",
        r"$\dot f = \gamma_k f$ with $\gamma_k = L_k w_k[W]/Z_0$" if normaliser else r"$\gamma_k = L_k w_k[W]$",
        _assemble(laplacian, multiplier, normaliser),
        growth_rate(k, dim, kernel=weight, model=model),
        "symbolically",
        dim,
    )
    flow, numbers = (
        (_interaction(weight, dim), equation, first_order),
        [step for step in (multiplier, normaliser) if step],
    )
    return Derivation(weight, dim, model, (*flow, *spectrum, *numbers, rate))


def _common(dim: Expr, model: Model) -> list[Step]:
    """The steps that hold for every kernel, in their order; those of a high dimension are cases of the general ones."""
    if not sp.sympify(dim).free_symbols and dim > HIGH:
        return [step.at(dim) for step in _common(d, model)]
    equation = _equation(dim, model)
    first_order = _first_order(equation, model)
    return [equation, first_order, _funk_hecke(dim), _laplacian(first_order), _powers(dim)]


def _interaction(kernel: Kernel, dim: Expr) -> Step:
    words = r"$P_x \int h(\langle x,y\rangle) y\,d\mu(y) = \nabla (W*\mu)(x)$, since $W' = h$"
    return Step("interaction", words, sp.Derivative(kernel.potential, t), kernel.weight, "symbolically", dim)


def _equation(dim: Expr, model: Model) -> Step:
    """Mass balance between parallels (the conservative form) is the continuity equation on zonal densities."""
    flux = rho * sp.Derivative(U, t) / (Z if model == "sa" else 1)
    area = (1 - t**2) ** (sp.sympify(dim - 1) / 2)
    balance = -sp.Derivative(area * flux, t) * (1 - t**2) ** (sp.sympify(3 - dim) / 2)
    words = r"$\dot \rho = -\mathrm{div}(\rho \nabla U)$, $U = W*\mu$, on zonal densities $\rho(t)$"
    if model == "sa":
        words = words.replace(r"\nabla U", r"\nabla U/Z").replace("W*", r"W*\mu, Z = h*")
    return Step("equation", words, balance, -zonal_divergence(flux, dim, evaluate=False), "symbolically", dim)


def _perturb(equation: Expr) -> Expr:
    perturbed = equation.subs({rho: 1 + eps * f, U: U0 + eps * u, Z: Z0 + eps * z})
    return sp.Subs(sp.Derivative(perturbed, eps), eps, 0)


def _first_order(equation: Step, model: Model) -> Step:
    words = r"$\mu = \sigma(1+\epsilon f)$; $W*\sigma$ is constant by symmetry: $\dot f = -\Delta u$, $u = W*f$"
    rhs = -zonal_laplacian(u, equation.dim) / (Z0 if model == "sa" else 1)
    if model == "sa":
        words = words.replace(r"\Delta u", r"\Delta u/Z_0") + ", and so is $h*\\sigma = Z_0$: $Z$ does not vary"
    return Step("first order", words, _perturb(equation.rhs), rhs, "symbolically", equation.dim)


def _funk_hecke(dim: Expr) -> Step:
    """The mean of P_k(<y, e>) over the y at overlap s with x: for dim 2 there are two of them."""
    shifts = sp.sqrt(1 - s**2) * sp.sqrt(1 - t**2)
    if dim == 2:
        mean = (P(k, s * t + shifts) + P(k, s * t - shifts)) / 2
    else:
        mean = sp.Integral(P(k, s * t + shifts * r) * zonal_weight(dim - 1, r), (r, -1, 1))
    words = r"the mean of $P_k(\langle y,e\rangle)$ over $\langle x,y\rangle = s$ splits: $W*P_k = w_k[W] P_k$"
    return Step("Funk-Hecke", words, mean, P(k, s) * P(k, t), "symbolically, degrees 1 to 5", dim)


def _laplacian(first_order: Step) -> Step:
    """The operator of the first-order step on one harmonic."""
    words = r"$P_k$ is an eigenfunction of $-\Delta$, with eigenvalue $L_k$"
    lhs, dim = sp.numer(first_order.rhs).subs(u, P(k, t)), first_order.dim
    return Step("Laplacian", words, lhs, laplacian_eigenvalue(k, dim) * P(k, t), "symbolically, term by term", dim)


def _powers(dim: Expr) -> Step:
    """The multipliers of powers obey what t P_k = ... P_{k+1} + ... P_{k-1} demands: induction on the power."""
    lhs = (2 * k + dim - 2) * power_multiplier(k, j + 1, dim)
    rhs = (k + dim - 2) * power_multiplier(k + 1, j, dim) + k * power_multiplier(k - 1, j + 1, dim)
    words = r"$w_k[t^{k+2j+2}]$ from one power less, by the recurrence of $P_k$ (step of an induction)"
    return Step("powers", words, lhs, rhs, "symbolically", dim)


def _overlap_integral(function: Expr, dim: Expr) -> Expr:
    return sp.Integral(function * zonal_weight(dim), (t, -1, 1))


def _multiplier(kernel: Kernel, dim: Expr) -> Step:
    lhs, rhs = _overlap_integral(kernel.potential * P(k, t), dim), kernel.potential_multiplier(k, dim)
    words = r"$w_k[W] = \int W P_k\,\omega\,dt$, $\omega$ the density of $t$, in closed form"
    return Step("multiplier", words, lhs, rhs, "at 50 digits on samples", dim)


def _normaliser(kernel: Kernel, dim: Expr) -> Step:
    lhs, rhs = _overlap_integral(kernel.weight, dim), kernel.multiplier(0, dim)
    words = r"$Z_0 = h*\sigma = \int h\,\omega\,dt$ in closed form"
    return Step("normaliser", words, lhs, rhs, "at 50 digits on samples", dim)


def _assemble(laplacian: Step, multiplier: Step, normaliser: Step | None) -> Expr:
    return laplacian.rhs / P(k, t) * multiplier.rhs / (normaliser.rhs if normaliser else 1)
