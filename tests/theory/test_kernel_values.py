"""A kernel is a value: equal where its weight is, safe to copy, pickle and send, and a function of overlaps."""

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import lru_cache
from operator import methodcaller

import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import fractions, integers, lists, sampled_from

from gegenflow import theory as th
from gegenflow.theory import Kernel, Refused
from gegenflow.theory.kernels.multipliers import Multiplier
from gegenflow.theory.phases.tables import boundary_rows

t, b = th.t, th.beta
v = sp.Symbol("v", real=True)
SHAPES = (
    *(
        sp.Integer(1),
        t,
        t**3,
        sp.exp(2 * t),
        t * sp.exp(-t),
        sp.Max(t, 0),
        sp.Heaviside(t),
        sp.Abs(t - sp.Rational(1, 4)),
    ),
    *(sp.tanh(3 * t), sp.erf(t), sp.Min(t, sp.Rational(1, 3)), sp.besseli(0, t), sp.sin(5 * t), 1 / (2 - t)),
    sp.Piecewise((t**2, t > sp.Rational(1, 2)), (-1, True)),
)
PARAMETERS = (sp.Integer(1), b, v, sp.exp(b), v * b)


@st.composite
def weights(draw, factors=PARAMETERS):
    """Sums of some of the shapes, with rational coefficients and parameters."""
    parts = draw(lists(st.tuples(fractions(-3, 3, max_denominator=9), sampled_from(SHAPES)), min_size=1, max_size=3))
    return sp.Add(*(sp.Rational(c.numerator, c.denominator) * draw(sampled_from(factors)) * h for c, h in parts))


@given(weights(), weights())
def test_equal_weights_are_equal_kernels_that_survive_travel(one, other):
    """Equality, hash, copies and pickles follow the weight alone, also once everything that is worked out is there."""
    kernel = Kernel(one)
    assert (kernel == Kernel(other)) == (one == other)
    assert (kernel, hash(kernel)) == (Kernel(one), hash(Kernel(one)))
    worked_out = (kernel.terms, kernel.parity, kernel.potential, kernel.multiplier(1, 3))
    if not kernel.parameters:
        kernel(0.5)
    for twin in (copy.copy(kernel), copy.deepcopy(kernel), pickle.loads(pickle.dumps(kernel))):
        assert (twin, hash(twin)) == (kernel, hash(kernel))
        assert (twin.terms, twin.parity, twin.multiplier(1, 3)) == (*worked_out[:2], worked_out[3])


def test_kernels_cross_into_fresh_processes():
    """Spawned, as on any system: multipliers and values that come back are those worked out here."""
    kernels = [Kernel("tanh(2*t)"), Kernel.relu(), Kernel.heads([1, v], [1, -2]), Kernel.exponential("0.3")]
    series = Kernel.series(lambda n: 2**n / sp.factorial(n), tail=lambda n: 8 * 2**n / sp.factorial(n))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(methodcaller("multiplier", 2, 3), [*kernels, series])) == [
            kernel.multiplier(2, 3) for kernel in (*kernels, series)
        ]
        assert list(pool.map(methodcaller("at"), [*kernels, series])) == [*kernels, series]
        assert pool.submit(kernels[0], 0.25).result() == kernels[0](0.25)


def test_a_cache_of_kernel_degree_and_dimension_is_hit():
    """By a kernel made anew, from text or formula."""
    known = lru_cache(lambda kernel, degree, dim: kernel.multiplier(degree, dim))
    for kernel in (Kernel("exp(beta*t)"), Kernel(sp.exp(b * t)), Kernel.exponential(), Kernel("exp(3*t)").at()):
        known(kernel, 2, 3)
    assert (known.cache_info().hits, known.cache_info().misses) == (2, 2)


@given(weights(factors=(sp.Integer(1),)), lists(st.floats(-1, 1), min_size=1, max_size=6), integers(0, 2))
def test_a_kernel_is_its_function_of_overlaps(weight, overlaps, shape):
    """numpy against the formula evaluated at 30 digits, an array of any shape in, the same shape out."""
    given_ = np.reshape(overlaps, {0: (-1,), 1: (1, -1), 2: (-1, 1, 1)}[shape])
    values = Kernel(weight)(given_)
    assert (values.shape, values.dtype) == (given_.shape, np.float64)
    exact = [float(weight.subs(t, sp.Rational(x)).evalf(30)) for x in overlaps]
    assert values.ravel() == pytest.approx(exact, rel=1e-13, abs=1e-13)


def test_constants_kinks_and_jumps_keep_the_shape():
    """By hand: a constant is repeated, ReLU, step and modulus at their kink, a scalar stays one."""
    grid = np.array([[-1.0, 0.0], [0.5, 1.0]])
    assert Kernel(3)(grid).tolist() == [[3.0, 3.0], [3.0, 3.0]]
    assert Kernel("relu(t)")(grid).tolist() == [[0.0, 0.0], [0.5, 1.0]]
    assert Kernel("Max(t, -t, 1/4) - Min(t, 0)")(grid).tolist() == [[2.0, 0.25], [0.5, 1.0]]
    assert Kernel.relu(0)(grid).tolist() == [[0.0, 0.5], [1.0, 1.0]]
    assert Kernel("Abs(t)")(grid).tolist() == [[1.0, 0.0], [0.5, 1.0]]
    assert np.shape(Kernel("1")(0.3)) == ()
    values = Kernel("1")(grid)
    values += 1  # a fresh array, which may be written to
    assert Kernel("1")(grid).tolist() == [[1.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    "kernel", [Kernel("exp(beta*t)"), Kernel("v*t"), Kernel.series(lambda n: v**n / sp.factorial(n))]
)
def test_a_kernel_with_parameters_has_no_values(kernel):
    """The parameters are named."""
    with pytest.raises(Refused, match=f"a number is needed for {kernel.parameters[0]}"):
        kernel([0.5])


# at


@given(weights(), fractions(-2, 2, max_denominator=8), fractions("1/8", 2, max_denominator=8))
def test_at_tells_parameters_by_name(weight, first, second):
    """A name, the symbol, another symbol of that name: all the same, and what sympy puts in."""
    kernel = Kernel(weight)
    numbers = {"v": sp.Rational(*first.as_integer_ratio()), "beta": sp.Rational(*second.as_integer_ratio())}
    held = {name: value for name, value in numbers.items() if name in kernel.parameters}
    expected = Kernel(weight.subs({v: numbers["v"], b: numbers["beta"]}, simultaneous=True))
    assert kernel.at(**held) == expected
    assert kernel.at({sp.Symbol(name): value for name, value in held.items()}) == expected
    assert kernel.at({sp.Symbol(name, positive=True): str(value) for name, value in held.items()}) == expected
    assert not expected.parameters


@pytest.mark.parametrize(
    ("kernel", "values", "message"),
    [
        (Kernel("exp(a*t)"), {"b": 2}, r"^b 2: the kernel exp\(a\*t\) holds no b, only a$"),
        (Kernel("tanh(t)"), {"beta": 5}, r"^beta 5: the kernel tanh\(t\) holds no beta, and no other parameter$"),
        (Kernel("t"), {"t": 1}, r"^t 1: "),
        (Kernel("t"), {"n": 1}, r"^n 1: "),
    ],
)
def test_at_refuses_what_the_kernel_does_not_hold(kernel, values, message):
    """The name, the value, and what there is."""
    with pytest.raises(Refused, match=message):
        kernel.at(values)
    with pytest.raises(Refused, match=message):
        kernel.at(**values)


def test_at_refuses_what_is_no_number():
    """Text that is none."""
    with pytest.raises(ValueError, match="two: a finite number or a sympy expression"):
        Kernel("exp(a*t)").at(a="two")


def test_symbols_of_the_theory_are_told_by_name():
    """t and beta as anyone may write them are t and beta; a weight in x is a kernel with a parameter x."""
    foreign = sp.exp(sp.Symbol("beta") * sp.Symbol("t"))
    assert Kernel(foreign) == Kernel.exponential()
    assert th.growth_rate(2, 3, kernel=Kernel(sp.exp(sp.Symbol("t"))), digits=9) == th.growth_rate(2, 3, 1, digits=9)
    assert Kernel(sp.exp(sp.Symbol("x"))).parameters == ("x",)
    found = th.boundaries(sp.Symbol("m", real=True) * t + 1, 2, (-1, 2), parameter=sp.Symbol("m"))
    assert [float(edge.value) for edge in found.boundaries] == [1.0]  # W = t + m t^2/2: rates 1/2 and m/2


@pytest.mark.parametrize("bad", [np.tanh, None, [t], {"t": 1}, sp.Eq(t, 1), sp.nan, sp.zoo * t, True])
def test_what_is_no_weight_is_refused(bad):
    """Functions, nothing, lists, equations: one sentence."""
    with pytest.raises(Refused, match=r"^kernel.*: the weight of a kernel is a finite expression in t"):
        Kernel(bad)


# series


def test_a_series_is_a_value_and_the_function_it_stands_for():
    """Equal when coefficients and bound are; its values are those of the sum."""
    make = lambda c: Kernel.series(lambda n: c**n / sp.factorial(n), tail=lambda n: 9 * c**n / sp.factorial(n))  # noqa: E731
    assert make(2) == make(2) != make(3)
    assert Kernel.series(lambda n: 2**n / sp.factorial(n)) != make(2)  # no bound
    assert make(v).at(v=2) == make(sp.Integer(2))
    grid = np.linspace(-1, 1, 7)
    assert make(sp.Integer(2))(grid) == pytest.approx(np.exp(2 * grid), rel=1e-13)
    assert th.funk_hecke(3, 4, kernel=make(sp.Integer(2)), digits=20) == th.funk_hecke(3, 4, 2, digits=20)
    assert th.synchronization.dirac_rate(kernel=make(sp.Integer(2))) == sp.exp(2)


@pytest.mark.parametrize(
    "function", [lambda n: [1, 2][n], lambda n: 1 if n > 2 else 0, lambda n: None, lambda n: n > 2]
)
def test_a_function_that_takes_no_symbol_is_refused(function):
    """With the way out."""
    for arguments, name in (((function,), "coefficients"), ((lambda n: 1 / sp.factorial(n), function), "tail")):
        with pytest.raises(Refused, match=f"^{name} .*Piecewise"):
            Kernel.series(*arguments)


# beta beside a kernel, and kernels as text or formulas

PAIR = ([[1, 0], [sp.Rational(3, 5), sp.Rational(4, 5)]], [[0, 1], [sp.Rational(4, 5), -sp.Rational(3, 5)]])
TAKES_BETA = {
    "growth_rate": lambda beta, kernel: th.growth_rate(2, 3, beta, kernel=kernel),
    "growth_rate, certified": lambda beta, kernel: th.growth_rate(2, 2, beta, kernel=kernel, model="sa", digits=12),
    "noise_threshold": lambda beta, kernel: th.noise_threshold(1, 2, beta, kernel=kernel, digits=12),
    "funk_hecke": lambda beta, kernel: th.funk_hecke(2, 3, beta, kernel=kernel, digits=12),
    "selected_degree": lambda beta, kernel: th.selected_degree(beta, 2, kernel=kernel),
    "phase": lambda beta, kernel: th.phase(beta, 2, kernel=kernel, digits=8).rate,
    "growth_table": lambda beta, kernel: th.growth_table([2], [1], beta, kernel=kernel, digits=8).rows[0]["rate"],
    "selection_law": lambda beta, kernel: th.finite_tokens.selection_law(2, beta, 200, kernel=kernel).selection,
    "tokens_needed": lambda beta, kernel: th.finite_tokens.tokens_needed(0.5, 2, beta, kernel=kernel),
    "expansion": lambda beta, kernel: th.expansions.expansion(2, 1, 2, beta, kernel=kernel).kernel,
    "dirac_rate": lambda beta, kernel: th.synchronization.dirac_rate(beta, kernel=kernel),
    "energy_slope": lambda beta, kernel: th.clusters.energy_slope(*PAIR, beta, kernel=kernel),
    "energy_curvature": lambda beta, kernel: th.clusters.energy_curvature(*PAIR, beta, kernel=kernel),
}
MIXTURE = sp.exp(b * t) + b * t


@pytest.mark.parametrize("name", TAKES_BETA)
def test_beta_beside_a_kernel_is_put_in_where_the_kernel_holds_it(name):
    """The same as Kernel.at, for a kernel, its text and its formula; another beta is another answer."""
    function = TAKES_BETA[name]
    expected = function(None, Kernel(MIXTURE).at(beta="2.5"))
    for kernel in (Kernel(MIXTURE), "exp(beta*t) + beta*t", MIXTURE):
        assert function("2.5", kernel) == expected
    assert function("7.5", MIXTURE) != expected
    assert function(3, Kernel.heads([1], [1])) == function(3, None)


@pytest.mark.parametrize("name", TAKES_BETA)
@pytest.mark.parametrize("kernel", [Kernel("exp(2*t)"), "exp(2*t)", sp.exp(2 * t)], ids=["kernel", "text", "formula"])
def test_beta_beside_a_kernel_without_beta_is_refused(name, kernel):
    """Never ignored: the answer would be that of another beta."""
    with pytest.raises(Refused, match=r"^beta 5: the kernel exp\(2\*t\) holds no beta") as refusal:
        TAKES_BETA[name](5, kernel)
    assert (refusal.value.name, refusal.value.value) == ("beta", 5)


def test_every_public_function_with_a_kernel_is_under_the_rule():
    """By their signatures: those with ``beta`` and ``kernel`` are in the list above."""
    import inspect

    rooms = [th, *(getattr(th, name) for name in th.__all__ if inspect.ismodule(getattr(th, name)))]
    functions = {name: getattr(room, name) for room in rooms for name in getattr(room, "__all__", ())}
    ruled = {
        name
        for name, thing in functions.items()
        if inspect.isfunction(thing) and {"beta", "kernel"} <= set(inspect.signature(thing).parameters)
    }
    assert ruled <= {name.partition(",")[0] for name in TAKES_BETA}
    assert {"growth_rate", "selection_law", "dirac_rate", "energy_slope"} <= ruled


@pytest.mark.parametrize("kernel", [Kernel("1 + t + beta*t**2"), "1 + t + beta*t**2", 1 + t + b * t**2])
def test_functions_without_beta_take_any_way_of_giving_a_kernel(kernel):
    """Derivations, boundaries, lines of coexistence, rows."""
    assert th.linearize(kernel, 3).rate == th.linearize(Kernel("1 + t + beta*t**2"), 3).rate
    cut = th.boundaries(kernel, 3, (0, 30), digits=8)
    assert cut == th.boundaries(Kernel("1 + t + beta*t**2"), 3, (0, 30), digits=8)
    assert cut.boundaries
    (row, *_) = boundary_rows([3], kernel, (0, 30), digits=8)
    assert row["beta"] == cut.boundaries[0].value.value


def test_lines_of_coexistence_take_a_formula_and_tell_the_parameter_by_name():
    """At v = 1 the mixture of text is that of the kernel; a parameter that is nowhere is refused."""
    lines = th.phases.coexistence("exp(beta*t) + v*exp(2*beta*t)", 2, (b, "0.5", 2), (sp.Symbol("v"), [1]), digits=8)
    assert lines[1].boundaries == th.boundaries(Kernel.heads([1, 1], [1, 2]), 2, ("0.5", 2), digits=8).boundaries
    assert lines[1].boundaries
    with pytest.raises(Refused, match="parameter u: neither the kernel"):
        th.phases.coexistence("exp(beta*t)", 2, (b, 1, 2), (sp.Symbol("u"), [1]))


# seams of the symbolic formulas


@given(
    power=integers(0, 4),
    rate=sampled_from([b, -b, 2 * b, v, sp.Integer(-2), sp.Rational(1, 3)]),
    degree=integers(0, 4),
    dim=integers(2, 5),
)
@settings(max_examples=40)
def test_multipliers_of_a_symbolic_degree_have_no_holes(power, rate, degree, dim):
    """t^n e^{at} with k free, filled in afterwards, low degrees included, against the ball of the number."""
    kernel = Kernel(t**power * sp.exp(rate * t))
    numbers = {b: sp.Rational(3, 2), v: sp.Rational(-7, 4)}
    held = {str(symbol): value for symbol, value in numbers.items() if symbol in kernel.symbols}
    free = kernel.multiplier(th.k, th.d).subs({th.k: degree, th.d: dim, **numbers}).doit()
    assert complex(sp.N(free, 25)) == pytest.approx(
        float(kernel.at(held).ball(degree, dim).mid()), rel=1e-12, abs=1e-15
    )


def test_a_kernel_with_a_power_is_derived_like_any_other():
    """t^2 e^{bt}: each step holds, and the rate at degree 1 is a number."""
    kernel = Kernel(t**2 * sp.exp(b * t))
    assert th.linearize(kernel, 2).check()
    rate = th.growth_rate(th.k, 2, kernel=kernel).subs({th.k: 1, b: 1})
    assert float(rate) == pytest.approx(float(th.growth_rate(1, 2, 1, kernel=kernel, digits=15)), rel=1e-13)


def test_the_rate_of_a_kernel_without_a_closed_form_is_proved_to_be_the_integral():
    """Its derivation checks, ends at the integral, and fails with that of another weight."""
    derivation = th.linearize("tanh(t)", 3)
    assert derivation.check()
    assert derivation.rate == th.k * (th.k + 1) * Multiplier(sp.tanh(t), th.k - 1, 5) / 3
    multiplier = derivation.steps[-2]
    assert not replace(multiplier, rhs=Multiplier(sp.tanh(2 * t), th.k - 1, 5) / 3).holds()


@pytest.mark.parametrize("kernel", [Kernel.heads([1, -1], [1, -1]), Kernel("beta*t"), Kernel("t")])
@pytest.mark.parametrize("dim", [3, th.d])
def test_softmax_of_a_mean_that_vanishes_is_refused_symbolically_too(kernel, dim):
    """As numbers are: no nan, no infinity."""
    for call in (
        lambda: th.growth_rate(1, dim, kernel=kernel, model="sa"),
        lambda: th.noise_threshold(2, dim, kernel=kernel, model="sa"),
    ):
        with pytest.raises(Refused, match="SA divides"):
            call()
    with pytest.raises(Refused, match="SA divides"):
        th.expansions.expansion(2, 1, 3, kernel=kernel, model="sa")


def test_a_steep_exponential_is_counted_and_not_searched():
    """As a kernel it goes the proved way too: far above the highest degree that a search looks at."""
    assert th.selected_degree(None, 2, kernel="3*exp(1000000*t)") == th.selected_degree(10**6, 2) == 1414
    assert th.selected_degree(10**6, 2, kernel="exp(beta*t)") == 1414


def test_roots_of_one_minus_t_squared_are_integrated_at_once():
    """w_0 = pi/4 in dim 3, and gamma_1 = 2 (3 pi/32)/(pi/4) = 3/4 by hand; (1 + t)^(3/2) by a Beta integral."""
    assert th.funk_hecke(0, 3, kernel="sqrt(1 - t**2)", digits=12).ball.overlaps(arb.pi() / 4)
    assert th.growth_rate(1, 3, kernel="sqrt(1 - t**2)", model="sa", digits=10).value == "0.7500000000"
    beta = arb(2).sqrt() * 4 / 5
    assert th.funk_hecke(0, 3, kernel="(1 + t)**1.5", digits=12).ball.overlaps(beta)


def test_exact_zeros_are_found_or_refused_in_a_sentence():
    """(t + |t|)/2 holds no degree 3 by its form; a zero of a shifted kink is not found, and the search ends."""
    assert th.growth_rate(4, 2, kernel="(t + abs(t))/2", digits=3).value == "0"
    for kernel in ("Min(t, 0)", "Heaviside(-t)*t", "where(t > 0, t, 0)"):
        assert th.funk_hecke(3, 2, kernel=kernel, digits=3).value == "0"
    with pytest.raises(th.Refused, match="600 bits at most; it may be 0"):
        th.funk_hecke(0, 3, kernel="Max(t - 0.5, 0) - 0.0625", digits=3)


@pytest.mark.parametrize("model", ["usa", "sa"])
@pytest.mark.parametrize(("degree", "dim"), [(2, 2), (3, 2), (4, 3), (6, 8), (40, 5)])
def test_a_symbolic_degree_without_a_closed_form_takes_numbers(degree, dim, model):
    """gamma_k of e^{t^3} with symbols replaced one by one, against mpmath's quadrature of h P_k over the angle."""
    rate = th.growth_rate(th.k, th.d, kernel="exp(t**3)", model=model)
    number = rate.subs(th.k, degree).subs(th.d, dim).evalf(18)

    def mean(k, n):
        def harmonic(x):
            index = mpmath.mpf(n - 2) / 2
            return mpmath.chebyt(k, x) if n == 2 else mpmath.gegenbauer(k, index, x) / mpmath.gegenbauer(k, index, 1)

        angles = mpmath.linspace(0, mpmath.pi, 9)
        weighed = mpmath.quad(
            lambda a: mpmath.exp(mpmath.cos(a) ** 3) * harmonic(mpmath.cos(a)) * mpmath.sin(a) ** (n - 2), angles
        )
        return weighed / mpmath.quad(lambda a: mpmath.sin(a) ** (n - 2), angles)

    with mpmath.workdps(45):
        expected = degree * (degree + dim - 2) * mean(degree - 1, dim + 2) / dim
        expected /= mean(0, dim) if model == "sa" else 1
        assert abs(mpmath.mpf(str(number)) / expected - 1) < mpmath.mpf(10) ** -16


def test_a_multiplier_without_a_closed_form_is_an_expression():
    """It is differentiated in its parameters, not in the overlap that is integrated over; t stays bound."""
    multiplier = th.funk_hecke(th.k, 3, kernel="tanh(beta*t)")
    assert multiplier.free_symbols == {th.k, th.beta}
    assert multiplier.subs(th.t, 2) == multiplier
    assert sp.diff(multiplier, th.t) == 0
    slope = sp.diff(multiplier, th.beta).subs({th.k: 1, th.beta: 2}).evalf(15)
    by_hand = mpmath.quad(lambda x: x**2 / mpmath.cosh(2 * x) ** 2, [0, 1])  # int t^2 sech^2(2 t) dt/2 over (-1, 1)
    assert abs(float(slope) - float(by_hand)) < 1e-14
    assert multiplier.subs({th.k: 2, th.beta: 2}).evalf() == 0


@pytest.mark.parametrize(
    ("text", "weight", "cuts"),
    [
        ("where(2*t > 1, 1, 0)", lambda t: 1.0 * (2 * t > 1), (0.5,)),
        ("where(t > 0.2, sqrt(t - 0.2), 0)", lambda t: max(t - 0.2, 0) ** 0.5, (0.2,)),
        ("where(t > 0.3, where(t < 0.6, t, 2), 1)", lambda t: (t if t < 0.6 else 2) if t > 0.3 else 1, (0.3, 0.6)),
        ("where(t >= 0.5, exp(t), where(t < -0.5, -1, t**2))", None, (-0.5, 0.5)),
    ],
)
def test_choices_may_lie_anywhere(text, weight, cuts):
    """Multipliers of weights in pieces, one inside the other, against mpmath's quadrature over each piece."""
    weight = weight or (lambda t: mpmath.exp(t) if t >= 0.5 else -1 if t < -0.5 else t * t)

    def part(t):
        return weight(t) * mpmath.gegenbauer(2, 1.5, t) / 6 * (1 - t * t)

    expected = mpmath.quad(part, [-1, *cuts, 1]) * 3 / 4
    assert float(Kernel(text).ball(2, 5).mid()) == pytest.approx(float(expected), rel=1e-7)
