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
from typing import Any

import flint
from flint import arb, fmpq

from gegenflow.theory.exact.arguments import (
    Expr,
    check_degree,
    check_dim,
    check_model,
    check_noise,
    check_number,
    exact_number,
)
from gegenflow.theory.exact.certified import Certified, certify
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.growth.rates import growth_rate
from gegenflow.theory.kernels.attention import KernelLike, attention
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.phases.isolation import boundaries
from gegenflow.theory.phases.leaders import Comparison, leader
from gegenflow.theory.sphere import laplacian_eigenvalue


def critical_beta(degree: int, dim: int, digits: int = 15) -> Certified:
    r"""Inverse temperature :math:`\beta_k` at which degree k+1 overtakes degree k, certified.

    The root of :math:`R_\nu(b) = L_k/L_{k+1}` (see the module's docstring for why there is exactly one), enclosed by
    ball Newton steps from :func:`critical_beta_bounds`.

    >>> critical_beta(2, dim=3, digits=20)
    [4.4252930123955991963 +/- 4.5e-20]
    >>> rates = [float(growth_rate(k, 3, "4.4252930124", digits=17)) for k in (2, 3)]
    >>> rates[0] < rates[1] < rates[0] * (1 + 1e-11)              # 3 has just overtaken 2
    True

    Raises Refused for degree < 1, dim < 2 or digits < 1. Source: arXiv 2410.23228; enclosure derived here.
    """
    degree, dim = check_number("degree", check_degree(degree)), check_number("dim", check_dim(dim))
    return certify(lambda: _enclose_root(degree, dim), digits)


def critical_beta_bounds(degree: int, dim: int) -> tuple[float, float]:
    r"""Elementary bounds :math:`\beta_k^- < \beta_k < \beta_k^+`, rounded outwards.

    With :math:`c = L_k/L_{k+1}`, :math:`a = k + (d-1)/2`:

    .. math:: \beta_k^- = \frac{2ca}{1-c^2}, \qquad
              \beta_k^+ = \frac{c}{1-c^2}\left(a + \sqrt{a^2 + (1-c^2)(2a+1)}\right)

    >>> lower, upper = critical_beta_bounds(3, dim=8)
    >>> lower < float(critical_beta(3, dim=8)) < upper, upper / lower < 1.06
    (True, True)

    Raises Refused for degree < 1 or dim < 2. Source: the bounds of Amos 1974, solved here.
    """
    with flint.ctx.workprec(64):
        lower, upper = _amos_bracket(check_number("degree", check_degree(degree)), check_number("dim", check_dim(dim)))
        return float(lower.lower()) * (1 - 2**-52), float(upper.upper()) * (1 + 2**-52)


def _boundary_ratio(degree: int, dim: int) -> fmpq:
    return fmpq(laplacian_eigenvalue(degree, dim), laplacian_eigenvalue(degree + 1, dim))


def _amos_bracket(degree: int, dim: int) -> tuple[arb, arb]:
    c, a = _boundary_ratio(degree, dim), fmpq(2 * degree + dim - 1, 2)
    gap = 1 - c * c
    return arb(2 * c * a / gap), (arb(a) + arb(a * a + gap * (2 * a + 1)).sqrt()) * (c / gap)


def bessel_ratio(order: fmpq, argument: arb) -> arb:
    """The ratio R = I_{order+1}/I_order in balls; the scale e^{-argument} cancels, so nothing overflows."""
    return argument.bessel_i(arb(order + 1), scaled=True) / argument.bessel_i(arb(order), scaled=True)


def _enclose_root(degree: int, dim: int) -> arb:
    r"""Ball Newton: X -> X with m - (R(m) - c)/R'(X), m the midpoint of X, until the precision is used up.

    No step loses the root: R'(X) lies within R'(m) + R''(X) (X - m), R'(m) comes from the Riccati equation and R'' from
    :func:`_ratio_bend`. A step about doubles the correct bits.
    """
    c, order = _boundary_ratio(degree, dim), fmpq(2 * degree + dim - 2, 2)
    a, wanted = order + fmpq(1, 2), flint.ctx.prec
    lower, upper = _amos_bracket(degree, dim)
    enclosure, stuck = lower.union(upper), False
    while True:
        bits = enclosure.rel_accuracy_bits()
        precision = wanted if stuck else min(wanted, 2 * max(bits, 8) + 40)
        with flint.ctx.workprec(precision):
            middle, below = arb(enclosure.mid()), arb(enclosure.lower())
            ratio = bessel_ratio(order, middle)
            slope = 1 - 2 * a * ratio / middle - ratio**2 + _ratio_bend(a, below) * arb(0, enclosure.rad())
            if slope > 0:
                step = enclosure.intersection(middle - (ratio - c) / slope)
            elif ratio < c:
                step = enclosure.intersection(middle.union(upper))
            elif ratio > c:
                step = enclosure.intersection(middle.union(lower))
            else:
                step, stuck = enclosure, True
        reached = step.rel_accuracy_bits()
        if reached >= wanted - 12 or (precision == wanted and reached <= bits + 1):
            return step
        enclosure = step


def _ratio_bend(a: fmpq, argument: arb) -> arb:
    r"""A ball around R'' at every argument above this one, a = order + 1/2.

    With :math:`0 < R < 1` and :math:`0 < R' < s = (2a+1)/(a + \sqrt{(a+1)^2 + b^2})^2` (the lower bound of Amos in
    the Riccati equation) the derivative of that equation gives :math:`-2(a/b + 1)s < R'' < 2a/b^2`.
    """
    steepest = (2 * a + 1) / (a + ((a + 1) ** 2 + argument**2).sqrt()) ** 2
    return (-2 * (a / argument + 1) * steepest).union(2 * a / argument**2)


@dataclass(frozen=True)
class Phase:
    """Where a temperature lies in the phase diagram: the degree that grows fastest, its rate, its interval of beta.

    Degree 0, of rate 0, means that the uniform state is stable. ``lower`` and ``upper`` are None where there is no
    boundary, or none that was found (:func:`phase`); ``beta`` is None where a kernel without beta takes its place.
    """

    dim: int
    beta: fmpq | None
    model: str
    degree: int
    rate: Certified
    lower: Certified | None
    upper: Certified | None


def selected_degree(
    beta: Any,
    dim: int,
    *,
    kernel: KernelLike | None = None,
    noise: Expr = 0,
    model: str = "usa",
    quantity: str = "growth",
    max_degree: int | None = None,
) -> int:
    r"""The degree of largest growth rate, proved; 0 where the uniform state is stable.

    .. math:: k_{\max}(\beta, d) = 1 + \#\{k : \beta_k(d) < \beta\}

    for the exponential kernel without noise, at any beta. Otherwise the rates of all degrees are compared: those up to
    ``max_degree``, which is needed only where the weight is not made of powers and exponentials, whose higher degrees
    a bound rules out. ``beta`` is put into a ``kernel`` that holds one, and None beside any other. ``quantity``
    "threshold" asks which degree is the first to be unstable as the noise decreases, 0 if none is at any noise.

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
    """
    weight = attention(exact_number(beta) if kernel is None else beta, kernel)
    fast = check_noise(noise) == 0 and quantity == "growth" and max_degree is None
    if fast and (steepness := _steepness(weight)) is not None:
        check_model(model)
        return _selected(steepness, check_number("dim", check_dim(dim)))
    return leader(weight, dim, noise=noise, model=model, quantity=quantity, max_degree=max_degree)


def _steepness(kernel: Kernel) -> fmpq | None:
    """The rate a >= 0 of a weight c e^{at}, c > 0, both rational; None for any other."""
    if len(kernel.terms) != 1 or kernel.terms[0].power or kernel.terms[0].half:
        return None
    coefficient, rate = kernel.terms[0].coefficient, kernel.terms[0].rate
    simple = coefficient.is_Rational and rate.is_Rational and coefficient > 0 and rate >= 0
    return fmpq(int(rate.p), int(rate.q)) if simple else None


def _selected(beta: fmpq, dim: int) -> int:
    """The selected degree of the exponential kernel: the boundaries below beta are counted by bisection."""
    if beta > fmpq(10) ** 1000:
        raise Refused("beta", beta, "the selected degree is computed up to beta = 1e1000")
    beyond = 1
    while _is_above(beta, beyond, dim):
        beyond *= 2
    low, high = beyond // 2, beyond
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _is_above(beta, middle, dim) else (low, middle)
    return high


def _is_above(beta: fmpq, degree: int, dim: int) -> bool:
    """Whether beta > beta_k: by the Amos bounds, or by the sign of R(beta) - c, which is never 0.

    R(p/q) is irrational: its continued fraction (DLMF 10.33.1) has, cleared of denominators, fixed numerators p^2 and
    growing integer denominators, to which Legendre's criterion applies.
    """
    order, c = fmpq(2 * degree + dim - 2, 2), _boundary_ratio(degree, dim)
    precision = 64 + 2 * int(beta.p).bit_length()
    while True:
        with flint.ctx.workprec(precision):
            lower, upper = _amos_bracket(degree, dim)
            argument = arb(beta)
            if argument < lower or argument > upper:
                return bool(argument > upper)
            difference = bessel_ratio(order, argument) - c
        if not difference.contains(0):
            return bool(difference > 0)
        precision *= 2


def phase(
    beta: Any,
    dim: int,
    *,
    model: str = "usa",
    kernel: KernelLike | None = None,
    noise: Expr = 0,
    digits: int = 15,
    max_degree: int | None = None,
) -> Phase:
    r"""The selected degree at ``beta``, its growth rate, and the neighbouring boundaries (no ``lower`` at degree 1).

    ``kernel`` is one in :data:`~gegenflow.theory.symbols.beta`, or in no symbol, and then ``beta`` is None and there
    are no boundaries; ``noise`` = :math:`1/\kappa`. With either, boundaries come from
    :func:`~gegenflow.theory.phases.boundaries` (``max_degree`` is explained there), the upper one if it lies below
    2 beta + 10.

    >>> here = phase(5, dim=2, digits=6)
    >>> here.degree, here.rate, here.lower, here.upper
    (3, [18.5961 +/- 3.0e-5], [3.16543 +/- 4.5e-6], [6.21130 +/- 1.7e-6])
    >>> noisy = phase(5, dim=2, noise=1, digits=6)
    >>> noisy.degree, noisy.rate, noisy.lower, noisy.upper
    (2, [10.0045 +/- 8.1e-6], [3.66437 +/- 2.9e-6], [5.07082 +/- 4.0e-6])

    Raises Refused as :func:`selected_degree` and :func:`growth_rate`. Source: arXiv 2410.23228; other kernels and noise
    derived here.
    """
    exact = None if beta is None and kernel is not None else exact_number(beta)
    dim, here = check_number("dim", check_dim(dim)), attention(exact, kernel)
    options: Comparison = {"noise": noise, "model": model, "max_degree": max_degree}
    degree = selected_degree(None, dim, kernel=here, **options)
    rate = certify(arb, digits)
    if degree:
        rate = growth_rate(degree, dim, kernel=here, model=model, noise=noise, digits=digits)
    edges: tuple[Certified | None, Certified | None] = (None, None)
    if kernel is None and check_noise(noise) == 0:
        edges = critical_beta(degree - 1, dim, digits) if degree > 1 else None, critical_beta(degree, dim, digits)
    elif exact is not None:
        own = attention(None, kernel)
        edges = (
            _nearest(own, dim, exact, degree, False, digits, options),
            _nearest(own, dim, exact, degree, True, digits, options),
        )
    return Phase(dim, exact, model, degree, rate, *edges)


def _nearest(
    kernel: Kernel, dim: int, here: fmpq, degree: int, up: bool, digits: int, options: Comparison
) -> Certified | None:
    """The next boundary of a degree on one side, searched in growing intervals down to 0 or up to 2 beta + 10."""
    last = 2 * here + 10 if up else fmpq(0)
    start, width = here, (here + 1) / 16
    while start != last:
        end = min(start + width, last) if up else max(start - width, last)
        found = boundaries(kernel, dim, (min(start, end), max(start, end)), digits=digits, **options)
        if found.boundaries or not found.complete:
            edge = found.boundaries[0 if up else -1] if found.boundaries else None
            return edge.value if edge and degree == (edge.below if up else edge.above) else None
        start, width = end, 2 * width
    return None
