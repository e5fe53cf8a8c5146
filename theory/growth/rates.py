r"""Growth rates of the harmonics of the uniform state.

Near the uniform measure each harmonic of degree k evolves on its own, :math:`\dot f_k = \gamma_k f_k`, with

.. math:: \gamma_k = L_k\, w_k[W] = \frac{L_k w_k}{\beta} \quad\text{(USA)}, \qquad
          \gamma_k = \frac{L_k w_k}{\beta\, w_0} \quad\text{(SA)}, \qquad w_k = w_k[e^{\beta t}].

:mod:`gegenflow.theory.growth.derivation` derives this from the mean-field equation.
"""

from __future__ import annotations

import sympy as sp
from flint import arb

from gegenflow.theory.exact.arguments import Expr, Real, check_model, check_noise
from gegenflow.theory.exact.certified import Certified, certify
from gegenflow.theory.exact.enclosures import Values, enclose
from gegenflow.theory.exact.integers import check_degree, check_dim, check_number
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.kernels.attention import KernelLike, attention
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.kernels.terms import by_degree, in_elementary_functions
from gegenflow.theory.sphere import laplacian_eigenvalue
from gegenflow.theory.symbols import beta, d, k

POSITIVE_MEAN = "SA divides by the mean of the weight, which must be positive"


def growth_rate(
    degree: Expr = k,
    dim: Expr = d,
    beta: Real = beta,
    *,
    model: str = "usa",
    kernel: KernelLike | None = None,
    noise: Real = 0,
    digits: int | None = None,
    elementary: bool = False,
) -> Expr | Certified:
    r"""Growth rate :math:`\gamma_k` of the degree-k harmonics of the uniform state, per unit of the flow's time.

    .. math:: \gamma_k = \tfrac{k(k+d-2)}{2}\,\Gamma(d/2)\,(2/\beta)^{d/2}\, I_{k+d/2-1}(\beta)

    for USA and the exponential kernel; SA divides by :math:`w_0 = \Gamma(d/2)(2/\beta)^{d/2-1} I_{d/2-1}(\beta)`. Exact
    in whatever is left symbolic; with ``digits`` a certified decimal. ``beta`` = 0 is the Kuramoto limit, where only
    degree 1 grows, at (d-1)/d. The noise of tokens that follow :math:`dX = v\,dt + \sqrt{2/\kappa}\,dW` takes
    :math:`L_k/\kappa` away.

    :param degree: degree of the harmonic, >= 1, or a symbol (default k)
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)
    :param beta: inverse temperature, >= 0 (of either sign in a kernel that holds it), or a symbol (default beta)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param kernel: attention weight h(t) as a Kernel, a formula or its text; None (default) is exp(beta*t)
    :param noise: noise 1/kappa, >= 0, or a symbol (default 0)
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression
    :param elementary: whether the Bessel functions of odd dims are written in sinh and cosh, whose terms cancel in
        floats (default False)

    >>> growth_rate()
    2**(d/2)*k*(d + k - 2)*besseli(d/2 + k - 1, beta)*gamma(d/2)/(2*beta**(d/2))
    >>> growth_rate(model="sa")
    k*(d + k - 2)*besseli(d/2 + k - 1, beta)/(beta*besseli(d/2 - 1, beta))
    >>> growth_rate(3, 2), growth_rate(3, 2, noise=sp.Rational(1, 10))
    (9*besseli(3, beta)/beta, -9/10 + 9*besseli(3, beta)/beta)
    >>> sp.expand(growth_rate(1, 3, elementary=True) * beta**3 / 2)
    beta*cosh(beta) - sinh(beta)
    >>> growth_rate(3, 2, 5, digits=12), growth_rate(3, 2, 5, noise="0.1", digits=12)
    ([18.5960703045 +/- 2.8e-11], [17.6960703045 +/- 2.8e-11])
    >>> growth_rate(1, 2, 0), growth_rate(1, 3, 0, digits=5)
    (1/2, [0.66667 +/- 3.4e-6])
    >>> growth_rate(2, 3, kernel="relu(t)"), growth_rate(2, 3, 4, kernel="1 + beta*t")
    (1/5, 8/5)

    Raises Refused for degree < 1, dim < 2, beta or noise negative or not finite, beta beside a kernel that holds none,
    SA with a kernel whose mean is not positive, an unknown model, digits < 1, or digits with a symbol. Source: arXiv
    2410.23228; the factor against the equation as written there is derived here; the noise: arXiv 2606.05140.

    See also :func:`.rate_function`, :func:`.noise_threshold`, :func:`.linearize`, :func:`.selected_degree`.
    """
    check_model(model)
    weight, noise = attention(beta, kernel), check_noise(noise)
    degree, dim = check_degree(degree), check_dim(dim)
    if digits is not None:
        try:
            return certify(lambda: rate_ball(weight, degree, dim, model, noise), digits)
        except ArithmeticError as error:
            named = ("beta", beta) if kernel is None else ("kernel", weight.weight)
            raise Refused(*named, str(error)) from error
    rate = laplacian_eigenvalue(degree, dim) * weight.potential_multiplier(degree, dim)
    if model == "sa":
        check_normaliser(weight, dim)
        rate = sp.powsimp(rate / weight.multiplier(0, dim))
    rate = in_elementary_functions(rate) if elementary else rate
    return by_degree(rate - noise * laplacian_eigenvalue(degree, dim))


def rate_ball(
    kernel: Kernel, degree: Expr, dim: Expr, model: str, noise: Expr = 0, values: Values | None = None
) -> arb:
    """The growth rate as a ball at the current precision, for parameters anywhere in the balls ``values``."""
    degree, dim = check_number("degree", degree), check_number("dim", dim)
    drift: arb = kernel.ball(degree - 1, dim + 2, values) / dim
    if model == "sa":
        drift /= normaliser_ball(kernel, dim, values)
    rate: arb = laplacian_eigenvalue(degree, dim) * (drift - enclose(noise, values))
    return rate


def normaliser_ball(kernel: Kernel, dim: int, values: Values | None) -> arb:
    """The mean w_0 of the weight, by which SA divides; Refused where it is not positive."""
    normaliser: arb = kernel.ball(0, dim, values)
    if normaliser <= 0:
        raise Refused("kernel", kernel.weight, POSITIVE_MEAN)
    return normaliser


def check_normaliser(kernel: Kernel, dim: Expr) -> None:
    """Refuse a kernel whose mean is not positive, or, while it holds symbols, vanishes identically.

    >>> check_normaliser(Kernel.heads([1, -1], [1, -1]), 3)
    Traceback (most recent call last):
    gegenflow.theory.exact.refusals.Refused: kernel exp(beta*t) - exp(-beta*t): SA divides by the mean of the weight, \
which must be positive
    """
    if not kernel.symbols and not sp.sympify(dim).free_symbols:
        normaliser_ball(kernel, int(dim), None)
    elif kernel.parity == -1 or kernel.multiplier(0, dim) == 0:
        raise Refused("kernel", kernel.weight, POSITIVE_MEAN)


def noise_threshold(
    degree: Expr = k,
    dim: Expr = d,
    beta: Real = beta,
    *,
    model: str = "usa",
    kernel: KernelLike | None = None,
    digits: int | None = None,
    elementary: bool = False,
) -> Expr | Certified:
    r"""The inverse noise :math:`\kappa_k` above which the uniform state is unstable to degree k.

    .. math:: \kappa_k = \frac{1}{w_k[W]} \quad\text{(USA)}, \qquad \kappa_k = \frac{w_0[h]}{w_k[W]} \quad\text{(SA)}

    where :math:`\gamma_k = L_k/\kappa`: the eigenvalue of the Laplacian cancels. A negative threshold means that the
    degree is stable at any noise. With the exponential kernel degree 1 is the first to grow, since :math:`w_k[W]` falls
    with k; its threshold is :math:`2K_\#` of arXiv 2606.05140, whose coupling is K = kappa/2.

    :param degree: degree of the harmonic, >= 1, or a symbol (default k)
    :param dim: d of the sphere S^{d-1}, >= 2, or a symbol (default d)
    :param beta: inverse temperature, >= 0 (of either sign in a kernel that holds it), or a symbol (default beta)
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"
    :param kernel: attention weight h(t) as a Kernel, a formula or its text; None (default) is exp(beta*t)
    :param digits: significant digits to certify, >= 1; None (default) leaves the exact expression
    :param elementary: whether the Bessel functions of odd dims are written in sinh and cosh (default False)

    >>> noise_threshold(3, 2), noise_threshold(1, 2, 3, digits=12)
    (beta/besseli(3, beta), [0.758846208431 +/- 2.2e-15])
    >>> noise_threshold(1, 2, 0), noise_threshold(1, 5, 0)              # noisy Kuramoto: Kuramoto's threshold is d
    (2, 5)
    >>> threshold = noise_threshold(2, 3, 4, digits=12)
    >>> abs(float(growth_rate(2, 3, 4, noise=1 / sp.Rational(threshold.value), digits=5))) < 1e-10
    True

    Raises Refused for bad degree, dim, beta, kernel, model or digits, or a degree that the kernel leaves alone, such as
    degree > 1 at beta = 0. Source: arXiv 2606.05140 for degree 1; derived here.

    See also :func:`.growth_rate`, :func:`.phase_transition`, :func:`.tricritical_beta`.
    """
    check_model(model)
    weight = attention(beta, kernel)
    degree, dim = check_degree(degree), check_dim(dim)
    if digits is not None:
        try:
            return certify(lambda: threshold_ball(weight, degree, dim, model), digits)
        except ArithmeticError as error:
            allowed = f"no noise threshold of degree {degree} in dim {dim}, {error}"
            raise Refused("kernel", weight.weight, allowed) from error
    multiplier = weight.potential_multiplier(degree, dim)
    _check_acts(multiplier == 0, weight, degree, dim)
    if model == "sa":
        check_normaliser(weight, dim)
        threshold = sp.powsimp(weight.multiplier(0, dim) / multiplier)
    else:
        threshold = 1 / multiplier
    return in_elementary_functions(threshold) if elementary else threshold


def threshold_ball(kernel: Kernel, degree: Expr, dim: Expr, model: str = "usa") -> arb:
    """The inverse noise :func:`noise_threshold` as a ball at the current precision."""
    rate = rate_ball(kernel, degree, dim, model)
    _check_acts(rate.is_zero(), kernel, degree, dim)
    threshold: arb = laplacian_eigenvalue(degree, dim) / rate
    return threshold


def _check_acts(vanishes: bool, kernel: Kernel, degree: Expr, dim: Expr) -> None:
    if vanishes:
        allowed = f"no noise threshold, as the kernel {kernel.weight} leaves it alone in dim {dim}"
        raise Refused("degree", degree, allowed)
