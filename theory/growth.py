r"""Growth rates of the harmonics of the uniform state.

Near the uniform measure each harmonic of degree k evolves on its own, :math:`\dot f_k = \gamma_k f_k`, with

.. math:: \gamma_k = L_k\, w_k[W] = \frac{L_k w_k}{\beta} \quad\text{(USA)}, \qquad
          \gamma_k = \frac{L_k w_k}{\beta\, w_0} \quad\text{(SA)}, \qquad w_k = w_k[e^{\beta t}].

:mod:`gegenflow.theory.linearization` derives this from the mean-field equation.
"""

from __future__ import annotations

from typing import Any, Literal

import sympy as sp
from flint import arb

from gegenflow.theory.certified import Certified, certify
from gegenflow.theory.kernels import Kernel, beta, exponential
from gegenflow.theory.sphere import Expr, check_degree, check_dim, check_number, d, k, laplacian_eigenvalue

Model = Literal["usa", "sa"]


def check_model(model: str) -> Model:
    """The model, or a ValueError unless it is "usa" or "sa"."""
    if model not in ("usa", "sa"):
        raise ValueError(f"model {model}: the model is 'usa' (unnormalised) or 'sa' (softmax)")
    return model  # type: ignore[return-value]


def growth_rate(
    degree: Expr = k,
    dim: Expr = d,
    beta: Expr = beta,
    *,
    model: str = "usa",
    kernel: Kernel | None = None,
    digits: int | None = None,
) -> Expr | Certified:
    r"""Growth rate :math:`\gamma_k` of the degree-k harmonics of the uniform state, per unit of the flow's time.

    .. math:: \gamma_k = \tfrac{k(k+d-2)}{2}\,\Gamma(d/2)\,(2/\beta)^{d/2}\, I_{k+d/2-1}(\beta)

    for USA and the exponential kernel; SA divides by :math:`w_0 = \Gamma(d/2)(2/\beta)^{d/2-1} I_{d/2-1}(\beta)`.
    Exact in whatever is left symbolic; with ``digits`` a certified decimal. ``beta`` = 0 is the Kuramoto limit, where
    only degree 1 grows, at (d-1)/d. ``kernel`` replaces the exponential one (and ``beta``).

    >>> growth_rate()
    2**(d/2)*k*(d + k - 2)*besseli(d/2 + k - 1, beta)*gamma(d/2)/(2*beta**(d/2))
    >>> growth_rate(model="sa")
    k*(d + k - 2)*besseli(d/2 + k - 1, beta)/(beta*besseli(d/2 - 1, beta))
    >>> growth_rate(3, 2)
    9*besseli(3, beta)/beta
    >>> sp.expand(growth_rate(1, 3) * beta**3 / 2)                 # half-integer orders are elementary
    beta*cosh(beta) - sinh(beta)
    >>> growth_rate(3, 2, 5, digits=12)
    [18.5960703045 +/- 2.8e-11]
    >>> growth_rate(1, 2, 0), growth_rate(1, 3, 0, digits=5)
    (1/2, [0.66667 +/- 3.4e-6])

    Raises ValueError for degree < 1, dim < 2, beta negative or not finite, an unknown model, digits < 1, or digits with
    a symbol. Source: arXiv 2410.23228; the factor against the equation as written there is derived here.
    """
    check_model(model)
    kernel = exponential(beta) if kernel is None else kernel
    degree, dim = check_degree(degree), check_dim(dim)
    if digits is not None:
        try:
            return certify(lambda: rate_ball(kernel, degree, dim, model), digits)
        except ArithmeticError as error:
            raise ValueError(f"beta {beta}: {error}") from error
    rate = laplacian_eigenvalue(degree, dim) * kernel.potential_multiplier(degree, dim)
    return sp.powsimp(rate / kernel.multiplier(0, dim)) if model == "sa" else rate


def rate_ball(kernel: Kernel, degree: Any, dim: Any, model: str) -> arb:
    """The growth rate as a ball at the current precision."""
    degree, dim = check_number("degree", degree), check_number("dim", dim)
    rate: arb = laplacian_eigenvalue(degree, dim) * kernel.ball(degree - 1, dim + 2) / dim
    return rate / kernel.ball(0, dim) if model == "sa" else rate
