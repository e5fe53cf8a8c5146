"""Funk-Hecke multipliers: closed forms against quadrature, exact integrals, other Bessel codes, and certified balls."""

from fractions import Fraction
from math import inf, nan

import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import floats, fractions, integers, lists, sampled_from
from scipy.special import eval_gegenbauer, roots_jacobi
from support.exact_moments import moment

from gegenflow import theory as th
from gegenflow.theory.symbols import t

GAUSS = np.polynomial.legendre.leggauss(160)
betas = fractions("1/20", 12, max_denominator=20)


def sphere_quadrature(dim: int, points: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Jacobi nodes and weights of the overlap on S^{d-1}, exact to degree 2*points - 1."""
    nodes, weights = roots_jacobi(points, (dim - 3) / 2, (dim - 3) / 2)
    return nodes, weights / weights.sum()


def zonal(degree: int, dim: int, nodes: np.ndarray) -> np.ndarray:
    """P_k in floats by scipy: cos(k acos t) for dim 2, Gegenbauer over its value at 1 otherwise."""
    if dim == 2:
        return np.cos(degree * np.arccos(nodes))
    index = (dim - 2) / 2
    return eval_gegenbauer(degree, index, nodes) / eval_gegenbauer(degree, index, 1.0)


def monomial(degree: int, power: int, dim: int) -> Fraction:
    """Mean of t^n P_k(t) over S^{d-1}, in fractions: hypergeometric P_k (DLMF 18.5.9) and moments of a coordinate."""
    coefficients = [Fraction(1)]  # of P_k in powers of (1 - t)
    for m in range(degree):
        ratio = Fraction((m - degree) * (m + degree + dim - 2), (m + 1) * (2 * m + dim - 1))
        coefficients.append(coefficients[-1] * ratio)
    total = Fraction(0)
    for m, c in enumerate(coefficients):
        binomial = Fraction(1)
        for i in range(m + 1):
            total += c * binomial * (-1) ** i * moment(power + i, dim)
            binomial *= Fraction(m - i, i + 1)
    return total


def rational(number: Fraction) -> sp.Rational:
    return sp.Rational(number.numerator, number.denominator)


def exponential_series(beta: Fraction) -> th.Kernel:
    """exp(beta t) as a power series; the tail is a geometric series once n + 1 >= 2 beta."""
    b = rational(beta)
    tail = lambda n: sp.Piecewise((2 * b**n / sp.factorial(n), n + 1 >= 2 * b), (sp.oo, True))  # noqa: E731
    return th.Kernel.series(lambda n: b**n / sp.factorial(n), tail=tail)


@given(degree=integers(0, 12), dim=integers(2, 8), beta=floats(0.05, 50))
def test_multiplier_is_the_integral_it_stands_for(degree, dim, beta):
    """Closed form against Gauss-Jacobi quadrature of the kernel: independent of every Bessel function."""
    nodes, weights = sphere_quadrature(dim)
    integral = weights @ (np.exp(beta * (nodes - 1)) * zonal(degree, dim, nodes))
    closed = float(th.funk_hecke(degree, dim, beta, digits=17)) * np.exp(-beta)
    assert integral == pytest.approx(closed, rel=1e-11, abs=1e-14)
    wrong = float(th.funk_hecke(degree + 1, dim, beta, digits=17)) * np.exp(-beta)
    if abs(closed) > 1e-12:
        assert integral != pytest.approx(wrong, rel=1e-11, abs=1e-14)


@given(degree=integers(0, 8), dim=integers(2, 9), beta=betas)
@settings(max_examples=25)
def test_closed_form_is_the_power_series(degree, dim, beta):
    """Two enclosures of one number, a Bessel function and a sum of rationals: they must overlap and be small."""
    closed = th.funk_hecke(degree, dim, beta, digits=30)
    series = th.certify(lambda: exponential_series(beta).ball(degree, dim), 30)
    assert series.value == closed.value
    assert series.ball.overlaps(closed.ball)
    assert series.ball.rad() < abs(closed.ball) * arb(10) ** -30


@given(degree=integers(0, 15), dim=integers(2, 30), beta=fractions("1/100", 60, max_denominator=100))
def test_exact_multiplier_is_mpmaths_bessel_function(degree, dim, beta):
    """The sympy expression, elementary or not, and the ball at 40 digits, against mpmath at 90."""
    certified = th.funk_hecke(degree, dim, beta, digits=40)
    with mpmath.workdps(110):
        b = mpmath.mpf(beta.numerator) / beta.denominator
        half = mpmath.mpf(dim) / 2
        expected = mpmath.gamma(half) * (2 / b) ** (half - 1) * mpmath.besseli(degree + half - 1, b)
        exact = mpmath.mpmathify(sp.N(th.funk_hecke(degree, dim, rational(beta)), 60, maxn=2000))
        assert abs(exact / expected - 1) < mpmath.mpf(10) ** -50
        assert holds(certified.ball, expected, 90)
        assert certified.ball.rad() < abs(certified.ball) * arb(10) ** -40


def holds(ball: arb, number: mpmath.mpf | Fraction, digits: int = 10**6) -> bool:
    """Whether a ball contains a number that is known to so many digits: exact arithmetic, whatever the precision."""
    (middle, m), (radius, r) = ball.mid().man_exp(), ball.rad().man_exp()
    middle, radius = int(middle) * Fraction(2) ** int(m), int(radius) * Fraction(2) ** int(r)
    if isinstance(number, mpmath.mpf):
        sign, mantissa, exponent, _ = number._mpf_
        number = (-1) ** sign * int(mantissa) * Fraction(2) ** exponent
        radius -= abs(number) / 10**digits
    return abs(middle - number) <= radius


@given(degree=integers(0, 8), dim=sampled_from([3, 5, 7]))
def test_half_integer_orders_are_elementary(degree, dim):
    """Odd dimensions leave no Bessel function on request, and the value at a number is mpmath's."""
    expression = th.funk_hecke(degree, dim, elementary=True)
    assert not expression.has(sp.besseli)
    assert th.funk_hecke(degree, dim).has(sp.besseli)
    assert expression.has(sp.sinh) or expression.has(sp.cosh)
    with mpmath.workdps(60):
        value = mpmath.mpmathify(sp.N(expression.subs(th.beta, sp.Rational(7, 3)), 50, maxn=500))
        half, b = mpmath.mpf(dim) / 2, mpmath.mpf(7) / 3
        expected = mpmath.gamma(half) * (2 / b) ** (half - 1) * mpmath.besseli(degree + half - 1, b)
        assert abs(value / expected - 1) < mpmath.mpf(10) ** -45


def test_elementary_forms_are_those_of_the_textbooks():
    """By hand: w_0 = sinh b / b, w_1 = (b cosh b - sinh b)/b^2 on S^2, w_0 = 3 (b cosh b - sinh b)/b^3 on S^4."""
    b = th.beta
    for degree, dim, known in (
        (0, 3, sp.sinh(b) / b),
        (1, 3, (b * sp.cosh(b) - sp.sinh(b)) / b**2),
        (0, 5, 3 * (b * sp.cosh(b) - sp.sinh(b)) / b**3),
    ):
        assert sp.simplify(th.funk_hecke(degree, dim, elementary=True) - known) == 0


@given(integers(0, 9), integers(2, 9), lists(fractions(-9, 9, max_denominator=9), min_size=1, max_size=9))
def test_polynomial_kernels_integrate_exactly(degree, dim, coefficients):
    """Series formula against exact integrals of t^n P_k, as fractions; the ball must contain the fraction."""
    expected = sum((a * monomial(degree, n, dim) for n, a in enumerate(coefficients)), Fraction(0))
    kernel = th.Kernel.series([rational(a) for a in coefficients])
    assert kernel.multiplier(degree, dim) == rational(expected)
    assert holds(kernel.ball(degree, dim), expected)


@given(integers(1, 7), integers(2, 9), lists(fractions(-9, 9, max_denominator=9), min_size=1, max_size=7))
def test_potential_of_a_polynomial_by_parts_is_its_integral(degree, dim, coefficients):
    """w_{k-1} of h in two dimensions more, over d, against the exact integral of W = sum a_n t^(n+1)/(n+1)."""
    expected = sum((a / (n + 1) * monomial(degree, n + 1, dim) for n, a in enumerate(coefficients)), Fraction(0))
    kernel = th.Kernel.series([rational(a) for a in coefficients])
    assert kernel.potential_multiplier(degree, dim) == rational(expected)
    assert sp.expand(sp.diff(kernel.potential, th.t) - kernel.weight) == 0


@given(degree=integers(1, 10), dim=integers(2, 8), beta=floats(0.05, 40))
def test_potential_multiplier_is_the_integral_of_the_potential(degree, dim, beta):
    """By parts (another degree, another dimension) against quadrature of W = e^(beta t)/beta in the sphere itself."""
    nodes, weights = sphere_quadrature(dim)
    integral = weights @ (np.exp(beta * (nodes - 1)) / beta * zonal(degree, dim, nodes))
    parts = float(sp.N(th.Kernel.exponential(beta).potential_multiplier(degree, dim), 20, maxn=500)) * np.exp(-beta)
    assert integral == pytest.approx(parts, rel=1e-11, abs=1e-14 / min(beta, 1))


@pytest.mark.parametrize("rate", [-2, sp.Rational(1, 3), th.beta])
@pytest.mark.parametrize("power", [0, 1, 2, 5])
def test_a_potential_is_an_antiderivative(power, rate):
    """Of t^n e^{at} by parts n times."""
    kernel = th.Kernel(t**power * sp.exp(rate * t) + 3 * t)
    assert sp.simplify(sp.diff(kernel.potential, t) - kernel.weight) == 0


def test_symbolic_formulas_hold_for_symbolic_degree_and_dimension():
    """Formulas with k and d left free, filled in afterwards, are those computed for numbers."""
    free = th.Kernel.series([1, 2, 3, 4]).multiplier(th.k, th.d)
    for degree, dim in ((1, 2), (2, 3), (3, 8)):
        value = free.subs({th.k: degree, th.d: dim}).doit()
        assert value == rational(sum(((n + 1) * monomial(degree, n, dim) for n in range(4)), Fraction(0)))
        difference = th.funk_hecke().subs({th.k: degree, th.d: dim, th.beta: 3}) - th.funk_hecke(degree, dim, 3)
        assert abs(sp.N(difference, 30)) < 1e-25


@pytest.mark.parametrize(("power", "degree", "dim"), [(2, 2, 4), (3, 0, 3), (3, 1, 2), (4, 5, 7)])
def test_a_symbolic_degree_of_a_power_times_an_exponential(power, degree, dim):
    """w_k[t^n e^{at}] with k and d free, against mpmath's quadrature over the overlap."""
    free = th.Kernel(th.t**power * sp.exp(th.beta * th.t)).multiplier(th.k, th.d)
    value = sp.N(free.subs({th.k: degree, th.d: dim, th.beta: 2}), 25)

    def part(angle):
        t, order = mpmath.cos(angle), mpmath.mpf(dim - 2) / 2
        harmonic = mpmath.cos(degree * angle) if dim == 2 else mpmath.gegenbauer(degree, order, t)
        scale = 1 if dim == 2 else mpmath.gegenbauer(degree, order, 1)
        return t**power * mpmath.exp(2 * t) * harmonic / scale * mpmath.sin(angle) ** (dim - 2)

    with mpmath.workdps(25):
        mass = mpmath.quad(lambda angle: mpmath.sin(angle) ** (dim - 2), [0, mpmath.pi])
        expected = mpmath.quad(part, [0, mpmath.pi / 2, mpmath.pi]) / mass
    assert abs(value - expected) < 1e-15


@given(degree=integers(0, 10), dim=integers(2, 12))
def test_at_beta_zero_only_the_constant_is_left(degree, dim):
    """h = 1 by definition: exact and certified, and W = t has the single multiplier <t^2> = 1/d at degree 1."""
    kernel = th.Kernel.exponential(0)
    assert (kernel.weight, kernel.potential) == (1, th.t)
    assert kernel.multiplier(degree, dim) == int(degree == 0)
    assert kernel.ball(degree, dim) == int(degree == 0)
    if degree:
        assert kernel.potential_multiplier(degree, dim) == sp.Rational(int(degree == 1), dim)


@given(integers(1, 3), integers(2, 5))
@settings(max_examples=10)
def test_certified_zero_of_a_polynomial_kernel_is_a_zero(degree, dim):
    """t^k u - t^(k+2) v with u, v such that the two exact integrals cancel: the number is 0 and must be certified."""
    a, b = monomial(degree, degree + 2, dim), monomial(degree, degree, dim)
    kernel = th.Kernel.series([*[0] * degree, rational(a), 0, -rational(b)])
    assert kernel.multiplier(degree, dim) == 0
    assert th.certify(lambda: kernel.ball(degree, dim), 10).value == "0"


@pytest.mark.parametrize("depth", [100, 1000, 5000])
def test_what_a_series_leaves_out_is_in_its_ball(depth):
    """1 + 2^-depth t^2 on the circle is 1 + 2^-depth/2: a sum that stops after the exact 1 must still contain it."""
    small = Fraction(1, 2**depth)
    kernel = th.Kernel.series(
        lambda n: sp.Piecewise((1, sp.Eq(n, 0)), (rational(small), sp.Eq(n, 2)), (0, True)),
        tail=lambda n: sp.Piecewise((sp.oo, n <= 0), (rational(small), n <= 2), (0, True)),
    )
    ball = kernel.ball(0, 2)
    assert holds(ball, 1 + small / 2)
    assert not holds(ball, 1 + Fraction(1, 2**40))


@pytest.mark.parametrize("bad", [-1, -0.5, nan, inf, -inf, "abc", "nan", "", None, 1j, "1/0", sp.oo, sp.nan])
def test_bad_beta_is_named(bad):
    """One message for every value that is no finite number >= 0."""
    with pytest.raises(ValueError, match=r"^beta .*the inverse temperature must be a finite number >= 0"):
        th.Kernel.exponential(bad)


def test_symbols_have_no_digits():
    """Digits of a symbolic beta, degree or dimension: a ValueError that names the symbol."""
    with pytest.raises(ValueError, match=r"^beta: a number is needed"):
        th.funk_hecke(1, 2, digits=5)
    with pytest.raises(ValueError, match=r"degree k"):
        th.growth_rate(th.k, 2, 3, digits=5)
    with pytest.raises(ValueError, match=r"dim d"):
        th.growth_rate(1, th.d, 3, digits=5)


def test_infinite_series_without_tail_has_no_digits():
    """No bound on what is left out, so no certificate; nor for irrational coefficients."""
    series = th.Kernel.series(lambda n: 1 / sp.factorial(n))
    with pytest.raises(ValueError, match="tail"):
        series.ball(1, 2)
    with pytest.raises(ValueError, match="rational"):
        th.Kernel.series(lambda n: sp.pi / sp.factorial(n), tail=lambda n: sp.Integer(9)).ball(0, 2)


@pytest.mark.parametrize(("degree", "dim", "named"), [(-1, 3, "degree -1"), (1.5, 3, "degree 1.5"), (1, 1, "dim 1")])
def test_bad_degree_and_dimension_are_named(degree, dim, named):
    """Exact or certified, exponential or polynomial, the same ValueError."""
    for digits in (None, 5):
        with pytest.raises(ValueError, match=named):
            th.funk_hecke(degree, dim, 2, digits=digits)
    with pytest.raises(ValueError, match=named):
        th.Kernel.series([1, 2]).multiplier(degree, dim)
    with pytest.raises(ValueError, match=named.replace("-1", "-1|degree 0")):
        th.Kernel.exponential(2).potential_multiplier(degree, dim)


def test_potential_needs_degree_one():
    """w_0 of the potential is not defined by its derivative."""
    with pytest.raises(ValueError, match="degree 0"):
        th.Kernel.exponential(2).potential_multiplier(0, 3)


# heads, rectified powers, formulas


def w_by_quadrature(weight, degree, dim, half=False):
    """The multiplier by Gauss-Legendre in the angle, over the half sphere t > 0 only if ``half``."""
    nodes, weights = GAUSS
    angle = (nodes + 1) * (np.pi / 4 if half else np.pi / 2)
    measure = weights * np.sin(angle) ** (dim - 2) * (0.5 if half else 1)
    mass = weights @ np.sin((nodes + 1) * np.pi / 2) ** (dim - 2)
    return (measure * zonal(degree, dim, np.cos(angle))) @ weight(np.cos(angle)) / mass


@given(degree=integers(0, 14), dim=integers(2, 9), power=integers(0, 4))
def test_rectified_power_is_integrated_over_its_half_sphere(degree, dim, power):
    """Rodrigues' closed form, exact and in balls, against Gauss quadrature of t^n P_k over t > 0."""
    expected = w_by_quadrature(lambda t: t**power, degree, dim, half=True)
    kernel = th.Kernel.relu(power)
    assert float(kernel.multiplier(degree, dim)) == pytest.approx(expected, rel=1e-11, abs=1e-14)
    assert float(kernel.ball(degree, dim).mid()) == pytest.approx(expected, rel=1e-11, abs=1e-14)
    free = th.kernels.half_power_multiplier(th.k, power).subs({th.k: degree + power + 1, th.d: dim})
    assert free == th.kernels.half_power_multiplier(degree + power + 1, power, dim)


@given(
    heads=lists(
        st.tuples(fractions(-3, 3, max_denominator=8), fractions(-3, 3, max_denominator=8)), min_size=1, max_size=4
    ),
    degree=integers(0, 8),
    dim=integers(2, 7),
    beta=fractions("1/4", 4, max_denominator=8),
)
def test_heads_add_up(heads, degree, dim, beta):
    """Exact and enclosed multipliers of a mixture, any sign of scale and zero, against quadrature of its weight."""
    values, scales = zip(*heads, strict=True)
    kernel = th.Kernel.heads(values, scales, beta)
    v, m = np.array(values, dtype=float), np.array(scales, dtype=float)
    expected = w_by_quadrature(lambda t: np.exp(float(beta) * np.outer(t, m)) @ v, degree, dim)
    size = float(np.abs(v).sum()) * np.exp(float(beta) * np.abs(m).max())
    assert float(kernel.ball(degree, dim).mid()) == pytest.approx(expected, abs=1e-13 * size)
    assert float(sp.N(kernel.multiplier(degree, dim), 25, maxn=300)) == pytest.approx(expected, abs=1e-13 * size)
    assert sp.simplify(sp.diff(kernel.potential, th.t) - kernel.weight) == 0


@given(
    degree=integers(0, 7),
    dim=integers(2, 6),
    power=integers(0, 4),
    rates=st.tuples(floats(-4, 4), floats(-4, 4), floats(0, 1)),
)
def test_ball_of_a_parameter_holds_every_kernel_in_it(degree, dim, power, rates):
    """t^n e^{at} for a in an interval: the multiplier at any a inside, by quadrature, lies in the ball."""
    low, high, part = min(rates[:2]), max(rates[:2]), rates[2]
    a = sp.Symbol("a", real=True)
    ball = th.Kernel(th.t**power * sp.exp(a * th.t)).ball(degree, dim, {a: arb(low).union(arb(high))})
    inside = low + part * (high - low)
    value = w_by_quadrature(lambda t: t**power * np.exp(inside * t), degree, dim)
    slack = arb(1e-13 * np.exp(4))
    assert ball.lower() - slack <= value <= ball.upper() + slack
    ends = [w_by_quadrature(lambda t, r=r: t**power * np.exp(r * t), degree, dim) for r in (low, high)]
    if low * high >= 0:  # monotone there: no wider than it must be
        assert ball.rad() <= abs(ends[1] - ends[0]) / 2 * (1 + 1e-6) + 1e-11


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("tanh(3*t)", lambda t: np.tanh(3 * t)),
        ("Abs(t - 1/4)", lambda t: np.abs(t - 1 / 4)),
        ("1/(2 - t)", lambda t: 1 / (2 - t)),
        ("sqrt(5/4 + t)*cos(2*t)", lambda t: np.sqrt(1.25 + t) * np.cos(2 * t)),
        ("exp(-2*(1 - t)**2)", lambda t: np.exp(-2 * (1 - t) ** 2)),
        ("relu(t) + exp(2*t)/2", lambda t: np.maximum(t, 0) + np.exp(2 * t) / 2),
        ("cosh(2*t)", lambda t: np.cosh(2 * t)),
    ],
)
def test_any_formula_has_certified_multipliers(text, weight):
    """Integration in balls at 40 digits against mpmath's quadrature to 1e-25, and numpy's to what a kink allows."""
    kernel = th.Kernel(text)
    formula = sp.lambdify(th.t, kernel.weight, "mpmath")
    for degree, dim in ((0, 2), (3, 3), (4, 5)):
        ball = th.certify(lambda k=degree, d=dim: kernel.ball(k, d), 25)
        assert w_by_quadrature(weight, degree, dim) == pytest.approx(float(ball), abs=2e-4)
        with mpmath.workdps(40):
            harmonic = sp.lambdify(th.t, th.gegenbauer(degree, dim), "mpmath")

            def integrand(angle, dim=dim, harmonic=harmonic):
                return formula(mpmath.cos(angle)) * harmonic(mpmath.cos(angle)) * mpmath.sin(angle) ** (dim - 2)

            breaks = [0, mpmath.acos(mpmath.mpf(1) / 4), mpmath.pi / 2, mpmath.pi]
            mass = mpmath.quad(lambda angle, dim=dim: mpmath.sin(angle) ** (dim - 2), [0, mpmath.pi])
            integral = mpmath.quad(integrand, breaks) / mass
            assert abs(integral) < 1e-35 if ball.value == "0" else holds(ball.ball, integral, 36)


def test_a_derivative_in_a_parameter_is_that_of_the_multiplier():
    """w_k of dh/dm against the derivative of the closed form, exactly."""
    m = sp.Symbol("m", positive=True)
    kernel = th.Kernel.heads([2, m], [m, 3])
    for degree, dim in ((0, 2), (1, 3), (3, 4)):
        slope = kernel.derivative(m).multiplier(degree, dim) - sp.diff(kernel.multiplier(degree, dim), m)
        assert abs(sp.N(slope.subs({m: sp.Rational(7, 5), th.beta: 2}), 30)) < 1e-25


def test_bad_heads_and_powers_are_named():
    """As many values as scales; whole powers."""
    with pytest.raises(ValueError, match=r"values \[1\]: one number is needed for each of the 2 scales"):
        th.Kernel.heads([1], [1, 2])
    with pytest.raises(ValueError, match=r"values\[0\] nan"):
        th.Kernel.heads([nan], [1])
    for power in (-1, 0.5, True):
        with pytest.raises(ValueError, match=f"power {power}"):
            th.Kernel.relu(power)


CONSTRUCTORS = {
    "weight": (th.Kernel, {"weight": "t"}),
    "beta": (th.Kernel.exponential, {"beta": 1}),
    "values": (th.Kernel.heads, {"values": [1], "scales": [1]}),
    "scales": (th.Kernel.heads, {"values": [1], "scales": [1]}),
    "power": (th.Kernel.relu, {"power": 1}),
    "coefficients": (th.Kernel.series, {"coefficients": [1]}),
    "tail": (th.Kernel.series, {"coefficients": lambda n: 1 / sp.factorial(n), "tail": lambda n: 1 / n}),
}


@pytest.mark.parametrize("bad", ["import os", nan, inf, object(), [[]]], ids=["code", "nan", "inf", "object", "nested"])
@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_every_way_to_make_a_kernel_refuses_by_name(name, bad):
    """A sentence with the name of the argument, never an error of another kind; infinite weights are none."""
    constructor, good = CONSTRUCTORS[name]
    constructor(**good)
    with pytest.raises(th.Refused, match=rf"\b{name}\b|^kernel import os: at character"):
        constructor(**{**good, name: bad})


def test_whole_numbers_may_come_as_floats():
    """3.0 is 3, in every count alike; 2.5 is nothing."""
    assert th.Kernel.relu(2.0) == th.Kernel.relu(2)
    assert th.harmonic_dimension(2.0, 3.0) == 5
    assert th.critical_beta(1.0, 2, digits=5.0) == th.critical_beta(1, 2, digits=5)
    assert th.finite_tokens.boundary_width(3, 2, 2000.0) == th.finite_tokens.boundary_width(3, 2, 2000)
    assert th.clusters.mode_rate(1.0, 4.0) == th.clusters.mode_rate(1, 4)
    with pytest.raises(th.Refused, match=r"tokens 2\.5"):
        th.finite_tokens.boundary_width(3, 2, 2.5)


@given(degree=integers(1, 5), dim=integers(2, 7), rate=fractions(-3, 3, max_denominator=7))
def test_a_symbolic_rate_may_become_negative(degree, dim, rate):
    """e^{vt} with v real, filled in afterwards, against the ball of the number: branches of sqrt must not mix."""
    v = sp.Symbol("v", real=True)
    if rate == 0:
        return
    free = th.Kernel(sp.exp(v * th.t)).multiplier(degree, dim).subs(v, rational(rate))
    fixed = float(th.Kernel(sp.exp(rational(rate) * th.t)).ball(degree, dim).mid())
    assert complex(sp.N(free, 20)) == pytest.approx(fixed, rel=1e-12)
