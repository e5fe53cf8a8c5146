"""The expansion about the uniform state, against the equation: by substitution, and integrated with quadrature."""

from dataclasses import replace
from math import inf

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis.strategies import floats, integers, sampled_from
from scipy.integrate import solve_ivp
from scipy.special import eval_chebyt, eval_gegenbauer, roots_jacobi

from gegenflow.theory.expansions.recurrence import linearized_product, response, transport
from gegenflow.theory.expansions.solution import expansion, time
from gegenflow.theory.growth.rates import growth_rate, noise_threshold
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.noise.amplitudes import amplitude_equation
from gegenflow.theory.sphere import gegenbauer
from gegenflow.theory.symbols import kappa

x = sp.Symbol("x")
NOISE = sp.Symbol("nu", positive=True)


def cauchy(*series):
    """The product of power series in epsilon, given by their coefficients, cut where they are cut."""
    total = series[0]
    for other in series[1:]:
        total = [sp.expand(sum(total[i] * other[n - i] for i in range(n + 1))) for n in range(len(total))]
    return total


def residual(series):
    """The equation times (h*f/w_0)^2 on polynomials in x = <x, e>, order by order, with the series put in."""
    dim, degrees = series.dim, range(1, series.order * series.degree + 1)
    rho = {k: sp.Symbol(f"rho_{k}") if series.model == "sa" else 0 for k in degrees}
    pressure = {k: sp.Symbol(f"gamma_{k}") / (k * (k + dim - 2)) + series.noise for k in degrees}

    def field(mean, multiplier):
        return [sp.Integer(mean)] + [
            sp.expand(sum(multiplier[k] * series.coefficient(n, k) * gegenbauer(k, dim, x) for k in degrees))
            for n in range(1, series.order + 1)
        ]

    def slopes(fields):
        return [sp.diff(term, x) for term in fields]

    def divergence(fluxes):
        return [sp.expand((1 - x**2) * sp.diff(flux, x) - (dim - 1) * x * flux) for flux in fluxes]

    f, weight, potential = field(1, dict.fromkeys(degrees, 1)), field(1, rho), field(0, pressure)
    flux = cauchy(f, slopes(potential))
    change = [sp.diff(a, time) - series.noise * b for a, b in zip(f, divergence(slopes(f)), strict=True)]
    parts = cauchy(weight, weight, change), cauchy(weight, divergence(flux)), cauchy(flux, slopes(weight))
    return [sp.expand(a + b - (1 - x**2) * c) for a, b, c in zip(*parts, strict=True)]


@pytest.mark.parametrize(
    ("order", "degree", "dim", "model", "noise"),
    [
        *((3, 1, 2, "usa", 0), (3, 2, 2, "usa", NOISE), (3, 1, 3, "usa", NOISE), (2, 3, 4, "usa", 0)),
        *((3, 1, 2, "sa", 0), (2, 2, 3, "sa", NOISE), (2, 1, 8, "sa", 0)),
    ],
)
def test_series_solves_the_equation_order_by_order(order, degree, dim, model, noise):
    """Derivatives of polynomials know nothing of triple integrals or recurrences, and the rates stay symbols."""
    for remainder in residual(expansion(order, degree, dim, model=model, noise=noise)):
        exponentials = {e: sp.Dummy() for e in remainder.atoms(sp.exp)}
        polynomial = sp.collect(remainder.subs(exponentials), (x, *exponentials.values()), evaluate=False)
        assert all(sp.cancel(coefficient) == 0 for coefficient in polynomial.values())


class Galerkin:
    """The mean-field equation in zonal harmonics, tested with each of them by Gauss-Jacobi quadrature."""

    def __init__(self, weight, dim, model, noise, degrees, nodes=120):
        index, k = (dim - 3) / 2, np.arange(degrees + 1)[:, None]
        x, w = roots_jacobi(nodes, index, index)
        slopes = np.zeros((degrees + 1, nodes))
        if dim == 2:
            profiles = eval_chebyt(k, x)
            slopes[1:] = k[1:] * np.sin(k[1:] * np.arccos(x)) / np.sqrt(1 - x**2)
        else:
            one = eval_gegenbauer(k, dim / 2 - 1, 1.0)
            profiles = eval_gegenbauer(k, dim / 2 - 1, x) / one
            slopes[1:] = (dim - 2) * eval_gegenbauer(k[1:] - 1, dim / 2, x) / one[1:]
        w = w / w.sum()
        eigenvalue = (k * (k + dim - 2))[:, 0]
        against = slopes * (w * (1 - x**2))
        self.profiles, self.slopes, self.norm = profiles, slopes, profiles**2 @ w
        self.projection, self.damping = against / self.norm[:, None], noise * eigenvalue
        self.potential = against @ weight(x) / np.maximum(eigenvalue, 1)
        self.weight = profiles @ (w * weight(x)) if model == "sa" else None

    def rate(self, _, a):
        velocity = (self.potential * a) @ self.slopes
        if self.weight is not None:
            velocity = velocity / ((self.weight * a) @ self.profiles)
        return self.projection @ (a @ self.profiles * velocity) - self.damping * a

    def amplitudes(self, size, degree, end):
        """At a time, in orthonormal harmonics of degree 1, 2, ..., from 1 + size P_degree."""
        start = np.zeros(len(self.norm))
        start[0], start[degree] = 1, size
        last = solve_ivp(self.rate, (0, end), start, method="DOP853", rtol=1e-12, atol=1e-15).y[:, -1]
        return (last * np.sqrt(self.norm))[1:]


def distance(series, flow, size, end):
    """Between the series and the integrated equation, in the norm of L2(sigma)."""
    exact, values = flow.amplitudes(size, series.degree, end), series.evaluate(end, size)
    return np.linalg.norm([exact[k - 1] - float(values.get(k, 0)) for k in range(1, len(exact) + 1)])


KERNELS = {
    "exp(3*t)": lambda t: np.exp(3 * t),
    "1 + 0*t": np.ones_like,  # Kuramoto: degree 2 stands still, so that order 3 resonates
    "2 + t + t**2": lambda t: 2 + t + t**2,
}


@pytest.mark.parametrize(
    ("kernel", "dim", "degree", "model", "noise"),
    [
        *(("exp(3*t)", n, k, m, nu) for n, k in [(2, 2), (3, 2), (8, 1)] for m in ("usa", "sa") for nu in (0, 0.05)),
        *(("1 + 0*t", 2, 1, "usa", 0), ("1 + 0*t", 3, 1, "usa", 0.1)),
        *(("2 + t + t**2", 3, 1, "sa", 0), ("2 + t + t**2", 4, 2, "usa", 0.05)),
    ],
)
def test_error_is_of_the_next_order(kernel, dim, degree, model, noise):
    """Quadrature of the flux and of the kernel, and a general integrator, know no Bessel function and no rate.

    The error of order n falls like epsilon^(n+1); the sizes keep it above 1e-12, where the integrator ends.
    """
    series = expansion(4, degree, dim, kernel=Kernel(kernel), model=model, noise=noise)
    rate = float(growth_rate(degree, dim, kernel=series.kernel, model=model, noise=noise).evalf())
    flow, end = Galerkin(KERNELS[kernel], dim, model, noise, 8 * degree), 0.8 / abs(rate)
    for n, size in {1: 1e-3, 2: 2e-3, 3: 1e-2, 4: 2e-2}.items():
        errors = [distance(replace(series, order=n), flow, e, end) for e in (size, 2 * size)]
        assert np.log2(errors[1] / errors[0]) == pytest.approx(n + 1, abs=0.1), n


@given(degree=integers(1, 4), beta=floats(0.1, 12), t=floats(0.01, 3), noise=floats(0, 0.5), size=floats(-0.5, 0.5))
def test_second_order_on_the_circle_by_hand(degree, beta, t, noise, size):
    r"""Fourier coefficients with Bessel functions of another library, where 2 gamma_m - gamma_2m may be small.

    c_m' = gamma_m c_m and c_2m' = gamma_2m c_2m + 2 m^2 lambda_m c_m^2, with c_m = eps/2 at the start; in harmonics
    sqrt(2) cos(k theta) the amplitude is sqrt(2) c_k.
    """
    with mpmath.workdps(60):
        b, nu, e = mpmath.mpf(beta), mpmath.mpf(noise), mpmath.mpf(size)
        one, two = (mpmath.besseli(j * degree, b) / b for j in (1, 2))
        first, second = degree**2 * (one - nu), 4 * degree**2 * (two - nu)
        gap = 2 * first - second
        driven = mpmath.exp(second * t) * mpmath.expm1(gap * t) / gap
        c = e / 2 * mpmath.exp(first * t), 2 * degree**2 * one * (e / 2) ** 2 * driven
        expected = [float(mpmath.sqrt(2) * value) for value in c]
    values = expansion(2, degree, 2, beta, noise=noise).evaluate(t, size)
    assert [float(values[degree]), float(values[2 * degree])] == pytest.approx(expected, rel=1e-14, abs=1e-40)


@pytest.mark.parametrize("digits", [8, 14, 25])
def test_near_resonance_costs_no_digits(digits):
    """A noise next to that of 2 gamma_1 = gamma_2, where a_2 = lambda_1 t e^{2 gamma_1 t} without any difference.

    By hand, a noise off by delta moves the logarithm of a_2 by -3 delta at t = 1: -2 by 2 gamma_1, -1 by the gap.
    """
    with mpmath.workdps(60):
        one, two = (mpmath.besseli(j, 5) / 5 for j in (1, 2))
        noise = 2 * two - one
        rounded = mpmath.nstr(noise, digits)
        delta = mpmath.mpf(rounded) - noise
        expected = one / mpmath.sqrt(2) * mpmath.exp(2 * (one - noise)) / 100 * (1 - 3 * delta)
        value = expansion(2, 1, 2, 5, noise=rounded).evaluate(1, "0.1", digits=30)[2]
        assert delta != 0
        assert abs(value / expected - 1) < 10 * delta**2 + mpmath.mpf("1e-29")


@given(
    order=integers(2, 5),
    degree=integers(1, 3),
    dim=sampled_from([2, 3, 8]),
    beta=floats(0.1, 20),
    model=sampled_from(["usa", "sa"]),
    t=floats(1e-6, 2),
)
def test_digits_that_are_promised_are_right(order, degree, dim, beta, model, t):
    """Twice the digits, hence more than twice the bits, move nothing beyond the digits that were asked for."""
    series = expansion(order, degree, dim, beta, model=model)
    few, many = (series.evaluate(t, 0.01, digits) for digits in (12, 24))
    floor = 1e-24 * max(map(abs, many.values()))
    assert all(abs(few[k] - many[k]) <= 1e-12 * abs(many[k]) + 2 * floor for k in many)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_threshold_gives_the_amplitude_equation(degree):
    """At gamma_m = 0 order 3 grows like t: by -g |A|^2 A of the amplitude equation, with A = eps/2 and B slaved.

    The amplitude equation eliminates the second harmonic by hand; here its transient decays and a resonance is left.
    """
    series = expansion(3, degree, noise=1 / noise_threshold(degree, 2))
    secular = sp.expand(series.coefficient(3, degree)).coeff(time, 1).subs(series.values)
    saturation = amplitude_equation(degree).saturation.subs(kappa, noise_threshold(degree, 2))
    beta = next(iter(saturation.free_symbols))
    assert [(secular / saturation).subs(beta, b).evalf(30) for b in (1, 7)] == pytest.approx([-0.25, -0.25], rel=1e-20)


def test_first_saturation_on_the_circle_is_the_same_for_every_kernel():
    """Without noise the e^{3 gamma_m t} of order 3 has -1/8 by hand: (gamma_2m/2 - gamma_m) c_2m c_m over 2 gamma_m."""
    for degree in (1, 4):
        rate = sp.Symbol(f"gamma_{degree}")
        assert expansion(3, degree).coefficient(3, degree).coeff(sp.exp(3 * rate * time)) == -sp.Rational(1, 8)
        assert expansion(4, degree).coefficient(4, degree) == 0


def test_kuramoto_model_has_powers_of_time():
    """At beta = 0, c_1' = c_1/2 - c_2 c_1/2 and c_2' = c_1^2 by hand; degree 2 at rest makes order 3 resonate."""
    third = expansion(3, degree=1, beta=0).coefficient(3, 1)
    c1, c2 = sp.exp(time / 2) / 2, (sp.exp(time) - 1) / 4
    driven = sp.diff(third / 2, time) - third / 4 + c2 * c1 / 2
    assert sp.simplify(driven) == 0
    assert third.has(time * sp.exp(time / 2))


def test_resonance_is_seen_between_irrational_rates():
    """A kernel times pi is the same flow, pi times faster; its rates are balls around 0 distance, not exact numbers."""
    fast, slow = (expansion(5, 1, 3, kernel=Kernel(weight)) for weight in ("pi", "1 + 0*t"))
    with mpmath.workdps(40):
        values = fast.evaluate(1, 0.1, digits=20), slow.evaluate(+mpmath.pi, 0.1, digits=20)
    assert all(abs(values[0][k] / values[1][k] - 1) < 1e-15 for k in range(1, 6))


@pytest.mark.parametrize(("dim", "model", "size"), [(2, "usa", 0.02), (3, "sa", -0.02), (8, "usa", 0.01)])
def test_phases_end_where_the_integrated_equation_says(dim, model, size):
    """Order 2 is the even part in epsilon of the integrated equation, order 3 what is left of the odd part."""
    series, degree = expansion(3, 2, dim, 4, model=model), 2
    flow = Galerkin(lambda t: np.exp(4 * t), dim, model, 0, 16)

    def parts(e, end):
        plus, minus = (flow.amplitudes(s, degree, end) for s in (e, -e))
        return (plus - minus) / (2 * e), (plus + minus) / (2 * e**2)

    for n, tolerance in ((1, 0.03), (2, 0.002)):
        end, small = series.end(n, tolerance, size), 2e-3
        (odd, even), (odd_twice, _) = parts(small, end), parts(2 * small, end)
        third = (odd_twice - odd) / (3 * small**2)
        ratio = abs(size) ** n * np.linalg.norm([even, third][n - 1]) / np.linalg.norm(odd)
        assert ratio == pytest.approx(tolerance, rel=2e-3)


def test_a_phase_that_never_ends():
    """By hand: noise above every threshold, degree 2 of the Kuramoto model, which stands still, and no amplitude."""
    assert expansion(2, 1, 3, 2, noise=2).end(1, 1, 0.5) == inf
    assert expansion(3, 2, 2, 0).end(2, 1e-9, 1) == inf
    assert expansion(2, 1, 2, 2).end(1, 0.1, 0) == inf


@given(p=integers(0, 5), q=integers(0, 5), dim=integers(2, 9))
def test_triads_are_integrals_of_polynomials(p, q, dim):
    """Exact integrals of sympy's polynomials over the sphere by the moments of t, and the divergence on polynomials."""
    first, second = (gegenbauer(k, dim, x) for k in (p, q))
    product = sum(a * gegenbauer(k, dim, x) for k, a in linearized_product(p, q, dim).items())
    assert sp.expand(product - first * second) == 0
    flux = first * sp.diff(second, x)
    carried = sum((b * gegenbauer(k, dim, x) for k, b in transport(p, q, dim).items()), sp.Integer(0))
    assert sp.expand(carried + (1 - x**2) * sp.diff(flux, x) - (dim - 1) * x * flux) == 0


@given(power=integers(0, 4), resonant=sampled_from([True, False]))
def test_response_solves_its_equation(power, resonant):
    """Differentiated by sympy: y' - 2 y is the drive 7 t^p e^{mu t}, mu = 2 at resonance, else 5, and y(0) = 0."""
    rates = {(1, 2): 2 if resonant else 5, (3,): 2}
    terms = response(3, {((1, 2), power): sp.Integer(7)}, lambda degrees, degree: rates[degrees] - rates[degree,])
    solution = sum(c * time**p * sp.exp(rates[degrees] * time) for (degrees, p), c in terms.items())
    drive = 7 * time**power * sp.exp(rates[1, 2] * time)
    assert sp.expand(sp.diff(solution, time) - 2 * solution - drive) == 0
    assert solution.subs(time, 0) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: expansion(0, 1), "order 0"),
        (lambda: expansion(2, 1.5), "degree 1.5"),
        (lambda: expansion(2, sp.Symbol("k")), "degree k"),
        (lambda: expansion(2, 1, 1), "dim 1"),
        (lambda: expansion(2, 1, 2, -1), "beta -1"),
        (lambda: expansion(2, 1, noise=-1), "noise -1"),
        (lambda: expansion(2, 1, model="mlp"), "model mlp"),
        (lambda: expansion(2, 1, beta=2, kernel=Kernel("exp(2*t)")), "beta 2"),
        (lambda: expansion(2, 1, kernel=Kernel("t"), model="sa"), "positive"),
        (lambda: expansion(2, 1, kernel=Kernel("(1 - t)**(-3/2)")).evaluate(1, 1), "could not be enclosed"),
        (lambda: expansion(2, 1).coefficient(3, 1), "order 3"),
        (lambda: expansion(2, 1).coefficient(2, -1), "degree -1"),
        (lambda: expansion(2, 1).evaluate(1, 1), "beta: a number"),
        (lambda: expansion(2, 1, beta=1).evaluate(-1, 1), "time -1"),
        (lambda: expansion(2, 1, beta=1).evaluate(1, inf), "amplitude inf"),
        (lambda: expansion(2, 1, beta=1).evaluate(1, 1, 0), "digits 0"),
        (lambda: expansion(2, 1, beta=1).end(2, 0.1, 0.1), "order 2"),
        (lambda: expansion(2, 1, beta=1).end(1, 0, 0.1), "tolerance 0"),
    ],
)
def test_bad_input_is_named(call, message):
    """One sentence with the value in it."""
    with pytest.raises(ValueError, match=message):
        call()


def test_it_prints_as_a_table_and_as_a_formula():
    """The degrees are those that cosines of sums reach; the symbols are those of the coefficients."""
    for series, still in ((expansion(4, 3), False), (expansion(4, 3, beta=9), False), (expansion(4, 3, beta=0), True)):
        shown = [tuple(map(int, line.split()[:2])) for line in str(series).splitlines()[2:]]
        assert shown == [(1, 3)] + [(2, 6), (3, 3), (3, 9), (4, 6), (4, 12)] * (not still)
    assert r"\gamma_{6}" in expansion(4, degree=3)._repr_latex_()
