r"""The phase diagram: which degree grows fastest, and the critical inverse temperatures where that changes.

The boundary between degrees k and k+1 is where their growth rates cross, the same for USA and SA:

.. math:: R_\nu(\beta_k) = c_k, \qquad R_\nu(b) = \frac{I_{\nu+1}(b)}{I_\nu(b)}, \quad \nu = k + \tfrac d2 - 1,
          \quad c_k = \frac{L_k}{L_{k+1}} .

A table of boundaries is complete, because

1. :math:`R_\nu` increases strictly from 0 to 1 in b, so each :math:`\beta_k` exists and is unique. (By the Riccati
   equation :math:`R' = 1 - (2\nu+1)R/b - R^2`, DLMF 10.29.2, :math:`R' > 0` says :math:`R < b/(a+\sqrt{a^2+b^2})` with
   :math:`a = \nu + \frac12`: the upper bound of Amos, Math. Comp. 28 (1974), 239-251.)
2. :math:`R_\nu` decreases in :math:`\nu` (the Turan inequality :math:`I_{\nu+1}^2 > I_\nu I_{\nu+2}`, Amos 1974;
   Thiruvenkatachar and Nanjundiah 1951) and :math:`L_{k+1}/L_k = (1 + \frac1k)(1 + \frac1{k+d-2})` decreases
   in k (for d = 2 it is :math:`(1 + \frac1k)^2`), so :math:`\gamma_{k+1}/\gamma_k = R_\nu L_{k+1}/L_k` decreases in k:
   the rates are unimodal in k, the boundaries increase with k, and

.. math:: k_{\max}(\beta, d) = 1 + \#\{k : \beta_k(d) < \beta\} .

Source: arXiv 2410.23228 for the selection of the largest rate; the argument above is derived here.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from flint import arb, fmpq

from gegenflow.theory.exact.arguments import Expr, Real, check_beta, check_model, check_noise, passes
from gegenflow.theory.exact.certified import Certified, certify
from gegenflow.theory.exact.integers import check_dim, check_number
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.values import record_html
from gegenflow.theory.growth.rates import growth_rate
from gegenflow.theory.kernels.attention import KernelLike, attention
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.phases.critical import critical_beta, is_above
from gegenflow.theory.phases.isolation import boundaries
from gegenflow.theory.phases.leaders import Comparison, leader

NEAR = 40
"""Digits of an irrational beta from which its neighbours are searched for."""


@dataclass(frozen=True)
class Phase:
    """Where a temperature lies in the phase diagram: the degree that grows fastest, its rate, its interval of beta.

    :param dim: d of the sphere S^{d-1}, >= 2
    :param beta: inverse temperature; None where a kernel without beta takes its place
    :param model: "usa" (unnormalised) or "sa" (softmax)
    :param degree: degree of largest growth rate; 0 where the uniform state is stable
    :param rate: its growth rate, per unit of the flow's time; 0 for degree 0
    :param lower: the boundary below beta; None where there is none, or none was found
    :param upper: the boundary above beta; None where there is none, or none was found

    See also :func:`.phase`.
    """

    dim: int
    beta: Expr | None
    model: str
    degree: int
    rate: Certified
    lower: Certified | None
    upper: Certified | None

    _repr_html_ = record_html


def selected_degree(
    beta: Real | None,
    dim: int,
    *,
    kernel: KernelLike | None = None,
    noise: Real = 0,
    model: str = "usa",
    quantity: str = "growth",
    max_degree: int | None = None,
) -> int:
    r"""The degree of largest growth rate, proved; 0 where the uniform state is stable.

    .. math:: k_{\max}(\beta, d) = 1 + \#\{k : \beta_k(d) < \beta\}

    for the exponential kernel without noise, at any beta. Otherwise the rates of all degrees are compared.

    :param beta: inverse temperature, >= 0 (of either sign in a kernel that holds it); None beside a kernel without it
    :param dim: d of the sphere S^{d-1}, >= 2
    :param kernel: attention weight h(t) as a Kernel, a formula or its text; None (default) is exp(beta*t)
    :param noise: noise 1/kappa, >= 0 (default 0)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param quantity: "growth" (default) or "threshold": the first degree that is unstable as the noise decreases, 0 if
        none is
    :param max_degree: the last degree compared, >= 1; None (default): all, for weights of powers and exponentials,
        whose higher degrees a bound rules out

    >>> selected_degree(5, dim=3)                                 # between the boundaries 4.425 and 7.962
    3
    >>> [selected_degree(b, dim=2) for b in (0, 1.0444, 1.0445, 5, 7, 10**6)]
    [1, 1, 2, 3, 4, 1414]
    >>> selected_degree(None, 3, kernel="relu(t)"), selected_degree(2, 2, kernel="exp(beta*t) + exp(-5*t)", model="sa")
    (2, 3)
    >>> [selected_degree(5, 2, noise=noise) for noise in (2, 4, 5)]
    [2, 1, 0]

    Raises Refused for dim < 2, beta negative or not finite, a bad noise, model or quantity, a kernel that holds
    a symbol, degrees that cannot be ruled out, and rates too close to tell apart. Source: arXiv 2410.23228;
    completeness, other kernels and noise derived here.

    See also :func:`.phase`, :func:`.boundaries`, :func:`.growth_rate`, :func:`.phases.critical_beta`.
    """
    weight = attention(check_beta(beta, least=0) if kernel is None else beta, kernel)
    fast = check_noise(noise) == 0 and quantity == "growth" and max_degree is None
    if fast and (steepness := _steepness(weight)) is not None:
        check_model(model)
        return _selected(steepness, check_number("dim", check_dim(dim)))
    return leader(weight, dim, noise=noise, model=model, quantity=quantity, max_degree=max_degree)


def _steepness(kernel: Kernel) -> Expr | None:
    """The rate a >= 0 of a weight c e^{at}, c > 0; None for any other."""
    if len(kernel.terms) != 1 or kernel.terms[0].power or kernel.terms[0].half:
        return None
    coefficient, rate = kernel.terms[0].coefficient, kernel.terms[0].rate
    number = not coefficient.free_symbols and not rate.free_symbols
    return rate if number and passes(coefficient) and passes(rate, zero=True) else None


def _selected(beta: Expr, dim: int) -> int:
    """The selected degree of the exponential kernel: the boundaries below beta are counted by bisection."""
    if not passes(10**1000 - beta, zero=True):
        raise Refused("beta", beta, "the selected degree is computed up to beta = 1e1000")
    beyond = 1
    while is_above(beta, beyond, dim):
        beyond *= 2
    low, high = beyond // 2, beyond
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_above(beta, middle, dim) else (low, middle)
    return high


def phase(
    beta: Real | None,
    dim: int,
    *,
    model: str = "usa",
    kernel: KernelLike | None = None,
    noise: Real = 0,
    digits: int = 15,
    max_degree: int | None = None,
) -> Phase:
    r"""The selected degree at ``beta``, its growth rate, and the neighbouring boundaries (no ``lower`` at degree 1).

    With a kernel or noise, boundaries come from :func:`~gegenflow.theory.phases.boundaries`, the upper one if it lies
    below 2 beta + 10; a kernel without beta has none.

    :param beta: inverse temperature, >= 0 (of either sign in a kernel that holds it); None beside a kernel without it
    :param dim: d of the sphere S^{d-1}, >= 2
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param kernel: attention weight h(t) as a Kernel, a formula or its text; None (default) is exp(beta*t)
    :param noise: noise 1/kappa, >= 0 (default 0)
    :param digits: significant digits to certify, >= 1 (default 15)
    :param max_degree: the last degree compared, >= 1; None (default): all, as for :func:`selected_degree`

    >>> here = phase(5, dim=2, digits=6)
    >>> here.degree, here.rate, here.lower, here.upper
    (3, [18.5961 +/- 3.0e-5], [3.16543 +/- 4.5e-6], [6.21130 +/- 1.7e-6])
    >>> noisy = phase(5, dim=2, noise=1, digits=6)
    >>> noisy.degree, noisy.rate, noisy.lower, noisy.upper
    (2, [10.0045 +/- 8.1e-6], [3.66437 +/- 2.9e-6], [5.07082 +/- 4.0e-6])

    Raises Refused as :func:`selected_degree` and :func:`growth_rate`. Source: arXiv 2410.23228; other kernels and noise
    derived here.

    See also :func:`.selected_degree`, :func:`.boundaries`, :func:`.phases.critical_beta`, :func:`.growth_table`.
    """
    exact = None if beta is None and kernel is not None else check_beta(beta, least=0)
    dim, here = check_number("dim", check_dim(dim)), attention(exact, kernel)
    options: Comparison = {"noise": noise, "model": model, "max_degree": max_degree}
    degree = selected_degree(None, dim, kernel=here, **options)
    rate = certify(arb, digits)
    if degree:
        rate = growth_rate(degree, dim, exact, kernel=kernel, model=model, noise=noise, digits=digits)
    edges: tuple[Certified | None, Certified | None] = (None, None)
    if kernel is None and check_noise(noise) == 0:
        lower = critical_beta(degree - 1, dim, digits) if degree > 1 else None
        edges = lower, None if degree == max_degree else critical_beta(degree, dim, digits)
    elif exact is not None:
        own, near = attention(None, kernel), _near(exact)
        edges = (
            _nearest(own, dim, near, degree, False, digits, options),
            _nearest(own, dim, near, degree, True, digits, options),
        )
    return Phase(dim, exact, model, degree, rate, *edges)


def _near(beta: Expr) -> fmpq:
    """A rational number at beta, or next to it, from which to search."""
    near = sp.Rational(beta if beta.is_Rational else beta.evalf(NEAR))
    return fmpq(int(near.p), int(near.q))


def _nearest(
    kernel: Kernel, dim: int, here: fmpq, degree: int, up: bool, digits: int, options: Comparison
) -> Certified | None:
    """The next boundary of a degree on one side, searched in growing intervals down to 0 or up to 2 beta + 10."""
    last = 2 * here + 10 if up else fmpq(0)
    start, width = here, (here + 1) / 16
    while start != last:
        end = min(start + width, last) if up else max(start - width, last)
        found = boundaries(kernel, dim, (min(start, end), max(start, end)), digits=digits, **options)
        if start not in found.reach:
            return None
        if found.boundaries or not found.complete or found.vanishes is not None:
            edge = found.boundaries[0 if up else -1] if found.boundaries else None
            return edge.value if edge and degree == (edge.below if up else edge.above) else None
        start, width = end, 2 * width
    return None
