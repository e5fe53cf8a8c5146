"""Thresholds and the order of the noisy transition against quadrature, minimisation and the Fourier equations."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis.strategies import floats, integers
from scipy.integrate import quad, solve_ivp
from scipy.optimize import root
from scipy.special import eval_chebyt, eval_gegenbauer, roots_gegenbauer

from gegenflow import theory as th
from gegenflow.theory.growth.rates import noise_threshold
from gegenflow.theory.noise.amplitudes import amplitude_equation, supercritical_beta
from gegenflow.theory.noise.landau import coupling_threshold, landau_expansion, s, tricritical_beta
from gegenflow.theory.symbols import kappa


def zonal(degree, dim, overlap):
    """P_k by SciPy."""
    if dim == 2:
        return eval_chebyt(degree, overlap)
    index = dim / 2 - 1
    return eval_gegenbauer(degree, index, overlap) / eval_gegenbauer(degree, index, 1.0)


def potential_multiplier(degree, dim, beta):
    """w_k[W] by adaptive quadrature of exp(beta cos a)/beta over the polar angle."""

    def integral(f):
        return quad(lambda a: f(np.cos(a)) * np.sin(a) ** (dim - 2), 0, np.pi, epsabs=0, epsrel=1e-12, limit=200)[0]

    kernel = integral(lambda c: np.exp(beta * (c - 1)) / beta * zonal(degree, dim, c))
    return kernel / integral(lambda c: 1.0) * np.exp(beta)


@given(degree=integers(1, 4), dim=integers(2, 8), beta=floats(0.5, 20))
def test_threshold_is_one_over_the_integral_of_the_potential(degree, dim, beta):
    """Quadrature of the potential itself: no Bessel function on that side."""
    expected = 1 / potential_multiplier(degree, dim, beta)
    assert float(noise_threshold(degree, dim, beta, digits=15)) == pytest.approx(expected, rel=2e-9)
    assert float(noise_threshold(degree, dim, sp.Float(beta)).evalf()) == pytest.approx(expected, rel=2e-9)


@given(degree=integers(1, 4), dim=integers(2, 8), beta=floats(0.1, 20), factor=floats(0.8, 1.25))
def test_threshold_is_where_growth_and_diffusion_balance(degree, dim, beta, factor):
    """gamma_k - L_k/kappa changes sign there; the coupling is half the noise parameter."""
    kappa = float(noise_threshold(degree, dim, beta, digits=17)) * factor
    net = float(th.growth_rate(degree, dim, beta, digits=17)) - degree * (degree + dim - 2) / kappa
    assert abs(factor - 1) < 1e-9 or (net > 0) == (factor > 1)
    assert float(coupling_threshold(degree, dim, beta, digits=17)) * 2 * factor == pytest.approx(kappa, rel=1e-14)


@pytest.mark.parametrize("dim", [2, 3, 6, 17])
def test_linear_threshold_as_published(dim):
    """K_# = beta^{d/2}/(2^{d/2} Gamma(d/2) I_{d/2}(beta)) of arXiv 2606.05140 by mpmath, 40 digits."""
    with mpmath.workdps(60):
        half, b = mpmath.mpf(dim) / 2, mpmath.mpf("1.7")
        published = b**half / (2**half * mpmath.gamma(half) * mpmath.besseli(half, b))
        assert coupling_threshold(1, dim, "1.7", digits=40).value == mpmath.nstr(published, 40)


def free_energy(epsilon, degree, dim, strength, ratios):
    """F - F_0 at its minimum among zonal densities with int q p = epsilon, on Gauss nodes.

    Stationarity under the constraint: q = exp(sum_j c_j P_j)/Z with c_j = kappa w_j D_j <P_j> for j != k.
    """
    t, weights = roots_gegenbauer(80, dim / 2 - 1) if dim > 2 else (np.cos(np.pi * (np.arange(80) + 0.5) / 80), 1.0)
    weights = np.full(80, 1 / 80) if dim == 2 else weights / weights.sum()
    degrees = [degree, *ratios]
    profiles = np.array([zonal(j, dim, t) for j in degrees])
    number = 1 / (profiles**2 @ weights)
    gain = strength * np.array([1.0, *ratios.values()]) * number

    def density(c):
        q = np.exp(c @ profiles)
        return q / (q @ weights)

    def equations(c):
        mean = profiles @ (density(c) * weights)
        return np.append(mean[0] - epsilon / np.sqrt(number[0]), c[1:] - gain[1:] * mean[1:])

    c = root(equations, np.append(epsilon * np.sqrt(number[0]), np.zeros(len(ratios))), tol=1e-13).x
    q = density(c)
    mean = profiles @ (q * weights)
    return q * np.log(q) @ weights - gain @ mean**2 / 2


@settings(max_examples=25)
@given(degree=integers(1, 3), dim=integers(2, 6), strength=floats(0.8, 1.0), ratio=floats(0.05, 0.7))
def test_expansion_is_that_of_the_minimised_free_energy(degree, dim, strength, ratio):
    """Even and odd parts of a constrained minimum at three sizes, extrapolated: no moments, no expansion."""
    ratios = {j: ratio / (1 + abs(j - 2)) for j in range(2, 2 * degree + 1, 2) if j != degree}
    size = 0.04 * np.array([1.0, 0.5, 0.25])
    up, down = (np.array([free_energy(e, degree, dim, strength, ratios) for e in sign * size]) for sign in (1, -1))
    landau = landau_expansion(degree, dim)
    values = {s: strength} | {sp.Symbol(f"r_{j}"): r for j, r in ratios.items()}

    def extrapolated(samples):
        once = (4 * samples[1:] - samples[:-1]) / 3
        return (16 * once[1] - once[0]) / 15

    quadratic, cubic, quartic = (
        float(sp.sympify(c).subs(values)) for c in (landau.quadratic, landau.cubic, landau.quartic)
    )
    assert extrapolated((up - down) / 2 / size**3) == pytest.approx(cubic, abs=1e-6)
    assert extrapolated(((up + down) / 2 - quadratic * size**2) / size**4) == pytest.approx(quartic, abs=2e-5)


@pytest.mark.parametrize("degree", [1, 2])
def test_symbolic_dimension_agrees_with_every_number(degree):
    """The expansion with dim = d, and its value at a number: two runs of the algebra."""
    general = landau_expansion(degree)
    for dim in (2, 3, 4, 9):
        here = landau_expansion(degree, dim)
        for left, right in ((general.cubic, here.cubic), (general.quartic, here.quartic)):
            assert sp.simplify(sp.sympify(left).subs(th.d, dim) - right) == 0


TABLE = {
    **{2: "2.44691831", 3: "1.81615453", 4: "1.57525715", 5: "1.44548543", 6: "1.3638674", 8: "1.26655302"},
    **{16: "1.12897158", 64: "1.03149443"},
}


@pytest.mark.parametrize(("dim", "printed"), TABLE.items())
def test_table_of_tricritical_temperatures(dim, printed):
    """Digits computed before this package existed."""
    assert float(tricritical_beta(dim)) == pytest.approx(float(printed), abs=0.6 * 10 ** -(len(printed) - 2))


@given(dim=integers(2, 200), digits=integers(1, 40))
def test_tricritical_temperature_lies_within_its_error(dim, digits):
    """mpmath's Bessel functions at either end of the proved bound: a ratio below 1/d, then above."""
    found = tricritical_beta(dim, digits)
    with mpmath.workdps(60):
        order = mpmath.mpf(dim) / 2
        for sign in (-1, 1):
            b = mpmath.mpf(found.value) + sign * mpmath.mpf(found.error)
            assert sign * (dim * mpmath.besseli(order + 1, b) - mpmath.besseli(order, b)) > 0


@given(dim=integers(2, 12), side=floats(0.9, 1.1))
def test_the_quartic_coefficient_changes_sign_at_the_tricritical_temperature(dim, side):
    """Multipliers by quadrature in the symbolic coefficient: positive below, negative above."""
    beta = side * float(tricritical_beta(dim))
    ratio = potential_multiplier(2, dim, beta) / potential_multiplier(1, dim, beta)
    quartic = landau_expansion(dim=dim).quartic.subs({s: 1, sp.Symbol("r_2"): ratio})
    assert abs(side - 1) < 1e-6 or (quartic > 0) == (side < 1)


@pytest.mark.parametrize(("degree", "printed"), [(1, "2.44692"), (2, "8.96678"), (3, "19.78569"), (4, "34.93324")])
def test_switching_temperatures_of_the_modes_on_the_circle(degree, printed):
    """Digits from before, and I_{2k}/I_k = 1/2 by mpmath just below and just above."""
    found = supercritical_beta(degree, 30)
    assert f"{float(found):.5f}" == printed
    with mpmath.workdps(60):
        for sign in (-1, 1):
            b = mpmath.mpf(found.value) + sign * mpmath.mpf(found.error)
            assert sign * (2 * mpmath.besseli(2 * degree, b) - mpmath.besseli(degree, b)) > 0


def saturated(degree, beta, excess, modes=8):
    """|A|^2 at the end of the Fourier equations of multiples of k, multipliers by FFT; excess = kappa/kappa_k - 1."""
    angle = 2 * np.pi * np.arange(256) / 256
    n = degree * np.arange(-modes, modes + 1)
    w = (np.fft.fft(np.exp(beta * np.cos(angle))).real / 256 / beta)[n]
    kappa = (1 + excess) / w[modes + 1]

    def rates(_, half):
        q = np.concatenate([half[::-1], [1.0], half])
        return (-(n**2) / kappa * q + n * np.convolve(n * w * q, q, mode="same"))[modes + 1 :]

    start = np.append(0.3 * np.sqrt(excess), np.zeros(modes - 1))
    t_end = 40 / (degree**2 * w[modes + 1] * excess)
    run = solve_ivp(rates, (0, t_end), start, method="BDF", rtol=1e-9, atol=1e-13)
    return run.y[0, -1] ** 2, kappa


@pytest.mark.parametrize(("degree", "beta"), [(1, 1.0), (1, 1.5), (2, 5.0), (3, 12.0)])
def test_amplitude_equation_predicts_the_saturation(degree, beta):
    """The density's Fourier equations run to rest: |A|^2 g/lambda -> 1, and the gap halves with the distance."""
    gaps = []
    for excess in (0.008, 0.004, 0.002):
        squared, kappa = saturated(degree, beta, excess)
        mode = amplitude_equation(degree, sp.Float(beta), sp.Float(kappa))
        gaps.append(squared * float(mode.saturation.evalf()) / float(mode.growth_rate.evalf()) - 1)
    assert [gaps[0] / gaps[1], gaps[1] / gaps[2]] == pytest.approx([2, 2], rel=0.15)
    assert abs(gaps[2] + (gaps[2] - gaps[1])) < 2e-3


@pytest.mark.parametrize("function", [noise_threshold, coupling_threshold])
@pytest.mark.parametrize("digits", [None, 5])
@pytest.mark.parametrize(
    ("arguments", "named"),
    [((0, 2, 1), "degree 0"), ((1, 1, 1), "dim 1"), ((1, 2, -1), "beta -1"), ((2, 3, 0), "degree 2: no noise")],
)
def test_bad_threshold_arguments_are_named(function, digits, arguments, named):
    """ValueError whose message starts with the parameter and the value, exact or certified."""
    with pytest.raises(ValueError, match=f"^{named}"):
        function(*arguments, digits=digits)


@pytest.mark.parametrize("digits", [None, 5])
@pytest.mark.parametrize("model", ["usa", "sa"])
def test_a_degree_that_the_kernel_leaves_alone_has_no_threshold(model, digits):
    """By parity alone: 2 cosh(3t) is even, so its potential is odd and holds no harmonics of even degree."""
    even = th.Kernel.heads([1, 1], [1, -1], 3)
    with pytest.raises(ValueError, match=r"^degree 2: no noise threshold, as the kernel .* leaves it alone in dim 3$"):
        noise_threshold(2, 3, model=model, kernel=even, digits=digits)
    assert float(noise_threshold(1, 3, model=model, kernel=even, digits=5)) > 0


@pytest.mark.parametrize(
    ("function", "arguments", "named"),
    [
        (landau_expansion, (0,), "degree 0"),
        (landau_expansion, (th.k,), "degree k: the expansion needs"),
        (landau_expansion, (1, 1), "dim 1"),
        (tricritical_beta, (1,), "dim 1"),
        (tricritical_beta, (th.d,), "dim d"),
        (tricritical_beta, (2, 0), "digits 0"),
        (supercritical_beta, (0,), "degree 0"),
        (supercritical_beta, (1.5,), "degree 1.5"),
        (amplitude_equation, (0,), "degree 0"),
        (amplitude_equation, (1, -2), "beta -2"),
        (amplitude_equation, (1, 2, 0), "kappa 0"),
        (amplitude_equation, (1, 2, "-1"), "kappa -1"),
        (amplitude_equation, (1, 2, float("nan")), "kappa nan"),
        (amplitude_equation, (1, 2, sp.nan), "kappa nan"),
        (amplitude_equation, (1, 2, None), "kappa None"),
    ],
)
def test_bad_arguments_are_named(function, arguments, named):
    """ValueError whose message starts with the parameter and the value."""
    with pytest.raises(ValueError, match=f"^{named}"):
        function(*arguments)


@pytest.mark.parametrize("noise", ["0.5", Fraction(1, 2), 0.5, sp.Float(0.5)])
def test_kappa_stays_exact(noise):
    """Text, fractions and binary decimals give the rate of the symbol at 1/2."""
    symbol = amplitude_equation(1, 2)
    assert (
        sp.simplify(amplitude_equation(1, 2, noise).growth_rate - symbol.growth_rate.subs(kappa, sp.Rational(1, 2)))
        == 0
    )
