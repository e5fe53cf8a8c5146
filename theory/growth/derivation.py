r"""The mean-field equation of attention, linearised about the uniform measure, each step checked by computer.

Tokens move with :math:`v = \nabla (W * \mu)/Z`, where :math:`W' = h` is the attention weight and Z = 1 (USA) or
:math:`Z = h * \mu` (SA), so their law solves :math:`\dot\mu = -\mathrm{div}(\mu v) + \kappa^{-1}\Delta\mu`, the last
term under noise; a dot is a derivative in time. The linearised operator commutes with rotations, so on the irreducible
space of degree-k harmonics it is a number (Schur), which one zonal harmonic :math:`P_k(t)`, t = <x, p> with a pole p,
reveals: everything below is calculus in the one variable t. Each step holds for all k and d at once, as symbols.

Source: arXiv 2410.23228 for the result; the derivation is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from gegenflow.theory.exact.arguments import Expr, Model, Real, check_model, check_noise
from gegenflow.theory.exact.integers import check_dim
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.growth import equation, moments, splitting
from gegenflow.theory.growth.rates import growth_rate
from gegenflow.theory.kernels.attention import KernelLike, attention
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.proofs.pages import aligned, enumerated, page, references, short, spelled
from gegenflow.theory.proofs.steps import Step
from gegenflow.theory.sphere import P
from gegenflow.theory.symbols import d, k, kappa, t

TITLE = "Linearised attention flow about the uniform measure"
OPENING = (
    r"Tokens $x$ on the sphere $S^{d-1}$%(dim)s move with the velocity $v = \nabla(W*\mu)%(by)s$, $W' = h$, under the "
    r"attention weight $h(t) = %(weight)s$%(mean)s, so that their law $\mu$ solves "
    r"$\dot\mu = -\mathrm{div}(\mu v)%(diffusion)s$%(noise)s. A dot is a derivative in time; "
    r"$t = \langle x, p\rangle$ is the overlap with a fixed pole $p$; "
    r"$(W*\mu)(x) = \int W(\langle x, y\rangle)\,d\mu(y)$; $\sigma$ is the uniform measure, "
    r"$P_k$ the zonal harmonic of degree $k$ with $P_k(1) = 1$, and $L_k = k(k+d-2)$."
)


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

    @property
    def references(self) -> tuple[str, ...]:
        """The numbers of the formulas of the DLMF that the proofs rest on; beside them there is algebra."""
        return references(self.steps)

    def check(self) -> bool:
        """Verify every equality, and that the steps are those of this kernel, dimension and model (a second).

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
            "diffusion": equation.diffusion(self.noise, "\\mu"),
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
    >>> derivation.steps[9]
    Laplacian: 2*t*Derivative(P(k, t), t) - (1 - t**2)*Derivative(P(k, t), (t, 2)) = k*(k + 1)*P(k, t)
    >>> linearize("1 + t", 3, noise="0.1").steps[10]
    diffusion: -t*Derivative(P(k, t), t)/5 + (1 - t**2)*Derivative(P(k, t), (t, 2))/10 = -k*(k + 1)*P(k, t)/10

    Raises Refused for dim < 2, an unknown model, or negative noise. Source: arXiv 2410.23228 for the result, 2606.05140
    for the noise; derived here.

    See also :func:`.growth_rate`, :func:`.derivations`.
    """
    weight, dim, model = attention(None, kernel), sp.sympify(check_dim(dim)), check_model(model)
    noise = sp.sympify(check_noise(noise))
    general, premises, halves = _general(model, noise)
    half = any(term.half for term in weight.terms)
    premises = (*premises, *halves[-2:]) if half else premises
    shown = [
        _placed(step, dim) for step in (*general, *(halves if half else ())) if not dim.is_number or step.least <= dim
    ]
    common = {step.title: step for step in shown if step.title != "circle" or not dim.is_number or dim == 2}
    multiplier = moments.multiplier(weight, dim, premises)
    normaliser = moments.normaliser(weight, dim, premises) if model == "sa" else None
    words = r"$\dot f = \gamma_k f$ with $\gamma_k = L_k w_k[W]" + "/Z_0" * (model == "sa")
    rate = Step(
        "rate",
        words + r" - \kappa^{-1} L_k" * bool(noise != 0) + "$",
        _assemble(common["Laplacian"], multiplier, normaliser, common.get("diffusion")),
        growth_rate(k, dim, kernel=weight, model=model, noise=noise),
        "symbolically",
        dim,
        r"\gamma_k",
        part="The rate",
    )
    numbers = [step for step in (multiplier, normaliser) if step]
    gradient = [common.pop("gradient"), equation.interaction(weight, dim)]
    return Derivation(weight, dim, model, (*gradient, *common.values(), *numbers, rate), noise)


@lru_cache(maxsize=64)
def _general(model: Model, noise: Expr) -> tuple[tuple[Step, ...], tuple[Step, ...], tuple[Step, ...]]:
    """The steps that hold for every kernel, with d a symbol: all; those that multipliers need; those for max(t, 0)."""
    by = "/Z" if model == "sa" else ""
    balance = equation.equation(model, noise)
    first_order = equation.first_order(balance, model, noise)
    eigenfunction = splitting.laplacian(first_order)
    diffusion = [splitting.diffuses(first_order, noise)] if noise != 0 else []
    parts = moments.by_parts()
    powers = moments.powers(*parts)
    told = {step.title: step for step in powers}
    general = (
        *(*equation.chart(), *equation.transport(noise, by), balance, first_order, eigenfunction, *diffusion),
        *(*splitting.funk_hecke(eigenfunction), splitting.circle(), *parts, *powers),
    )
    return general, (told["powers"], told["odd powers"], told["low powers"]), tuple(moments.half_powers(*parts))


def _placed(step: Step, dim: Expr) -> Step:
    """A step in a dimension; that for the circle is in its own."""
    return step if step.title == "circle" else step.at(dim)


def _assemble(laplacian: Step, multiplier: Step, normaliser: Step | None, diffusion: Step | None) -> Expr:
    drift = laplacian.rhs / P(k, t) * multiplier.rhs / (normaliser.rhs if normaliser else 1)
    return drift + (diffusion.rhs / P(k, t) if diffusion else 0)
