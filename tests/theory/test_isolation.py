"""Leaders and their boundaries for any kernel: balls against a search in floats, and against the phase diagram."""

from fractions import Fraction
from itertools import pairwise
from math import inf, nextafter

import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import fmpq
from hypothesis import assume, given, settings
from hypothesis.strategies import fractions, integers, lists, sampled_from, tuples
from scipy.special import eval_gegenbauer, gamma, ive

from gegenflow import theory as th
from gegenflow.theory.phases.isolation import float_towards
from gegenflow.theory.phases.tables import boundary_rows

v, m, noise = (sp.Symbol(name, real=True) for name in ("v", "m", "noise"))
DEGREES = np.arange(1, 81)
rationals = fractions(-3, 3, max_denominator=10)


def rate_grid(values, scales, betas, dim, quantity="growth"):
    """Scores of degrees 0 to 80 over e^{3 beta} for heads, shape=[len(betas), 81], from W itself by scipy."""
    nu = DEGREES + dim / 2 - 1
    total = np.zeros((len(betas), len(DEGREES) + 1))
    eigenvalue = DEGREES * (DEGREES + dim - 2) if quantity == "growth" else 1
    for value, scale in zip(values, scales, strict=True):
        a = np.abs(betas * float(scale))[:, None]
        w = gamma(dim / 2) * (2 / a) ** (dim / 2 - 1) * ive(nu, a) * np.exp(a - 3 * betas[:, None])
        parity = np.sign(float(scale)) ** DEGREES
        total[:, 1:] += float(value) * w * parity / (betas[:, None] * float(scale)) * eigenvalue
    return total


def leaders_at(found, points):
    """The leader that is claimed at each point, and whether it lies outside the unresolved pieces."""
    cuts = sorted([*((float(edge.value),) * 2 for edge in found.boundaries), *found.unresolved])
    assert len(found.degrees) == len(cuts) + 1
    resolved = np.all([(points < low) | (points > high) for low, high in cuts], axis=0) | (len(cuts) == 0)
    return np.array(found.degrees)[np.searchsorted([low for low, _ in cuts], points)], resolved


@given(
    parameters=lists(tuples(rationals, rationals), min_size=1, max_size=3),
    dim=integers(2, 5),
    quantity=sampled_from(["growth", "threshold"]),
)
@settings(max_examples=8)
def test_no_boundary_of_a_mixture_is_missed(parameters, dim, quantity):
    """Leaders on 3,000 points by scipy must be those between the certified boundaries, wherever floats can tell."""
    values, scales = zip(*parameters, strict=True)
    assume(all(abs(s) > 0.05 for s in scales) and any(values) and len({abs(s) for s in scales}) == len(scales))
    found = th.boundaries(th.Kernel.heads(values, scales), dim, ("0.5", 4), quantity=quantity, digits=12)
    betas = np.linspace(0.5, 4, 3001)
    scores = rate_grid(values, scales, betas, dim, quantity)
    expected, resolved = leaders_at(found, betas)
    told = scores[np.arange(len(betas)), expected]
    assert resolved.mean() > 0.9
    assert np.all(scores.max(axis=1)[resolved] - told[resolved] <= 1e-12 * np.abs(scores).max(axis=1)[resolved])


@given(dim=integers(2, 12))
@settings(max_examples=8)
def test_a_single_exponential_has_the_boundaries_of_the_phase_diagram(dim):
    """The unimodality argument and its Bessel ratios against a search that knows neither."""
    found = th.boundaries(th.Kernel.exponential(), dim, ("0.5", 15), digits=20)
    assert found.complete
    known = [th.critical_beta(degree, dim, 20) for degree in range(1, 12)]
    inside = [edge for edge in known if 0.5 < float(edge) < 15]
    assert [edge.value for edge in found.boundaries] == inside
    first = th.selected_degree("0.5", dim)
    assert found.degrees == tuple(range(first, first + len(inside) + 1))


def test_a_third_degree_can_be_skipped_and_a_degree_can_return():
    """For e^{bt} + v e^{-4bt} only odd degrees lead: with the float search as witness, each boundary to 12 digits."""
    found = th.boundaries(th.Kernel.heads([1, "0.5"], [1, -4]), 3, (1, 4), digits=12)
    assert found.degrees == (3, 5)

    def rate(k, b):
        heads = mpmath.besseli(k + 0.5, b) / b**1.5 + mpmath.besseli(k + 0.5, 4 * b) / (2 * (4 * b) ** 1.5)
        return k * (k + 1) * heads

    with mpmath.workdps(30):
        root = mpmath.findroot(lambda b: rate(5, b) - rate(3, b), 2.5)
        assert mpmath.almosteq(root, mpmath.mpf(found.boundaries[0].value.value), abs_eps=mpmath.mpf(10) ** -11)


@given(dim=integers(2, 8), beta=fractions("1/2", 12, max_denominator=10), model=sampled_from(["usa", "sa"]))
@settings(max_examples=3)
def test_noise_passes_through_every_degree_down_to_stability(dim, beta, model):
    """Boundaries in the noise at fixed beta are where two lines cross, (g_l - g_k)/(L_l - L_k): the upper envelope."""
    kernel = th.Kernel.exponential(beta)
    top = np.exp(float(beta)) if model == "usa" else 1.0
    found = th.boundaries(kernel, dim, (0, top), parameter=noise, noise=noise, model=model)
    rates = {0: 0.0} | {k: float(th.growth_rate(k, dim, beta, model=model, digits=17)) for k in range(1, 30)}
    eigenvalue = {k: float(th.sphere.laplacian_eigenvalue(k, dim)) for k in rates}
    grid = np.linspace(0, top, 2001)
    scores = np.array([[rates[k] - eigenvalue[k] * x for k in rates] for x in grid])
    ranked = np.sort(scores, axis=1)
    clear = ranked[:, -1] - ranked[:, -2] > 1e-9 * ranked[0, -1]
    assert np.array_equal(scores.argmax(axis=1)[clear], leaders_at(found, grid)[0][clear])
    last = found.boundaries[-1]
    assert (last.below, last.above) == (1, 0)
    threshold = th.noise_threshold(1, dim, beta, model=model, digits=15)
    assert float(last.value) == pytest.approx(1 / float(threshold), rel=1e-12)


@given(dim=integers(2, 6), beta=fractions("1/2", 6, max_denominator=10), degree=integers(1, 6))
def test_the_threshold_is_where_the_noisy_rate_vanishes(dim, beta, degree):
    """Exact and certified threshold, and the rate with noise 1/kappa, which must change sign there: two routes."""
    for model in ("usa", "sa"):
        kappa = th.noise_threshold(degree, dim, beta, model=model, digits=15)
        exact = th.noise_threshold(degree, dim, sp.Rational(beta.numerator, beta.denominator), model=model)
        assert float(sp.N(exact, 20, maxn=500)) == pytest.approx(float(kappa), rel=1e-13)
        above, below = (
            float(th.growth_rate(degree, dim, beta, model=model, noise=factor / float(kappa), digits=5))
            for factor in (1 - 1e-9, 1 + 1e-9)
        )
        assert above > 0 > below


def test_the_noise_is_that_of_the_certified_rate():
    """gamma_k - L_k/kappa, exactly, for symbols."""
    difference = th.growth_rate(noise=noise) - th.growth_rate() + th.sphere.laplacian_eigenvalue() * noise
    assert sp.simplify(difference) == 0


def test_coexistence_lines_meet_the_axis_where_one_head_is_left():
    """At v = 0 the mixture is one exponential; from there the line between 2 and 3 falls with v, in small steps."""
    values = [sp.Rational(i, 2000) for i in range(6)]
    cuts = th.phases.coexistence(
        th.Kernel.heads([1, v], [1, 2]), 2, across=(th.beta, "0.2", 4), along=(v, values), digits=10
    )
    line = [float(edge.value) for cut in cuts.values() for edge in cut.boundaries if (edge.below, edge.above) == (2, 3)]
    assert line[0] == pytest.approx(float(th.critical_beta(2, 2)), abs=1e-9)
    assert len(line) == len(values)
    assert all(0 < before - after < 0.2 for before, after in pairwise(line))


def test_a_triple_point_is_reported_not_hidden():
    """Three polynomial scores made to be equal at m = 1: proved on both sides, an unresolved piece around it."""
    p = [th.gegenbauer(k, 3) for k in range(4)]
    slopes = sp.expand(
        sum(sp.Rational(2 * k + 1, k * (k + 1)) * sp.diff(p[k], th.t) * c for k, c in ((1, 1), (2, m), (3, m**2)))
    )
    found = th.boundaries(th.Kernel(slopes), 3, ("0.5", "1.7"), parameter=m)
    assert found.degrees == (1, 3)
    assert not found.complete
    assert all(low <= 1 <= high and high - low < 1e-12 for low, high in found.unresolved)


def test_kernels_without_closed_form_have_boundaries_too():
    """tanh(beta t) among degrees up to 3 against quadrature, on both sides of a boundary or without one."""
    found = th.boundaries(th.Kernel("tanh(beta*t)"), 2, (2, 4), max_degree=3, digits=4)
    betas = [2.1, 3.9]
    angles = (np.arange(4000) + 0.5) * np.pi / 4000

    def leader(b):
        potential = np.log(np.cosh(b * np.cos(angles))) / b
        return 1 + np.argmax([k**2 * np.mean(potential * np.cos(k * angles)) for k in range(1, 4)])

    assert [leader(b) for b in betas] == [found.degrees[0], found.degrees[-1]]
    with pytest.raises(ValueError, match="max_degree"):
        th.selected_degree(None, 2, kernel=th.Kernel("tanh(3*t)"))


def test_uniform_state_of_a_repulsive_kernel_is_stable():
    """-e^{bt} makes every degree decay, at any noise; e^{-bt} makes even degrees decay but odd ones grow."""
    assert th.selected_degree(None, 2, kernel=th.Kernel.heads([-1], [1], 3)) == 0
    assert th.selected_degree(None, 2, kernel=th.Kernel.heads([-1], [1], 3), quantity="threshold") == 0
    assert th.selected_degree(None, 2, kernel=th.Kernel.heads([1], [-1], 3)) % 2 == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"between": (2, 1)}, "between 2 to 1"),
        ({"between": (1, "x")}, "between x"),
        ({"dim": 1}, "dim 1"),
        ({"noise": -1}, "noise -1"),
        ({"model": "x"}, "model x"),
        ({"quantity": "x"}, "quantity x"),
        ({"kernel": th.Kernel.heads([1, v], [1, 2])}, "needed for v"),
        ({"digits": 0}, "digits 0"),
    ],
)
def test_bad_input_is_named(change, named):
    """One clear sentence with the value."""
    options = {"kernel": th.Kernel.exponential(), "dim": 2, "between": (1, 4)} | change
    with pytest.raises(ValueError, match=named):
        th.boundaries(options.pop("kernel"), options.pop("dim"), options.pop("between"), **options)


@pytest.mark.parametrize("dim", range(2, 8))
def test_leader_of_relu_by_quadrature(dim):
    """Half-sphere support against Gauss quadrature of W = t_+^2/2 over the half where it lives."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    angle = (nodes + 1) * np.pi / 4
    potential = np.cos(angle) ** 2 / 2 * np.sin(angle) ** (dim - 2) * weights

    def harmonic(k):
        if dim == 2:
            return np.cos(k * angle)
        return eval_gegenbauer(k, dim / 2 - 1, np.cos(angle)) / eval_gegenbauer(k, dim / 2 - 1, 1.0)

    scores = [k * (k + dim - 2) * (potential @ harmonic(k)) for k in range(1, 12)]
    assert th.selected_degree(None, dim, kernel=th.Kernel.relu()) == 1 + int(np.argmax(scores))


def chebyshev_kernel(scores):
    """The weight on the circle whose degrees have exactly these scores."""
    potential = sum(2 * score / sp.Integer(k) ** 2 * sp.chebyshevt(k, th.t) for k, score in scores.items())
    return th.Kernel(sp.expand(sp.diff(potential, th.t)))


def test_roots_that_are_found_exactly_end_the_search():
    """Boundaries at dyadic numbers by hand: noisy Kuramoto at 1/2, linear attention at m = 0 and m = 1/2."""
    for kernel, between, at, value in (
        (th.Kernel("1"), (0, 1), noise, 0.5),
        (th.Kernel("1 + t"), (0, 1), noise, 0.5),
        (th.Kernel("m*t"), (-1, 2), m, 0.0),
    ):
        (edge,) = th.boundaries(kernel, 2, between, parameter=at, noise=noise if at == noise else 0).boundaries
        assert float(edge.value) == value


def test_pieces_stay_in_order_around_what_is_unresolved():
    """Three scores that touch near m = 1/3, one boundary just below: leaders and cuts must fit together."""
    touch, cross = sp.Rational(1, 3), sp.Rational(1, 3) - sp.Rational(89, 312500)
    scores = {1: sp.Integer(1), 2: 1 + (m - cross), 3: 1 + (m - cross) - (m - touch) ** 8}
    found = th.boundaries(chebyshev_kernel(scores), 2, (0, 1), parameter=m)
    points = np.linspace(0.01, 0.99, 99)
    claimed, resolved = leaders_at(found, points)
    assert not found.complete
    assert np.array_equal(claimed[resolved], np.where(points < float(cross), 1, 2)[resolved])


@pytest.mark.parametrize(
    ("text", "dim", "leader"),
    [
        ("Heaviside(t)/10 - exp(t)", 2, 10),
        ("-t*exp(t)", 3, 0),
        ("0", 2, 0),
        ("exp(0*t) + 3*t", 3, 2),
        ("-exp(2*t) - exp(t)", 4, 0),
    ],
)
def test_leaders_of_kernels_that_mostly_decay(text, dim, leader):
    """Signs that no bound on absolute values tells, against quadrature of the weight in dim + 2."""
    assert th.selected_degree(None, dim, kernel=th.Kernel(text)) == leader
    nodes, weights = np.polynomial.legendre.leggauss(400)
    angle, measure = [], []
    for low in (0, np.pi / 2):
        angle.append(low + (nodes + 1) * np.pi / 4)
        measure.append(weights * np.sin(angle[-1]) ** dim)
    angle, measure = np.concatenate(angle), np.concatenate(measure)
    weight = sp.lambdify(th.t, th.Kernel(text).weight, "numpy")(np.cos(angle)) * np.ones_like(angle)
    scores = [0.0]
    for k in range(1, 30):
        harmonic = eval_gegenbauer(k - 1, dim / 2, np.cos(angle)) / eval_gegenbauer(k - 1, dim / 2, 1.0)
        scores.append(k * (k + dim - 2) * (measure @ (weight * harmonic)))
    assert scores[leader] >= max(scores) - 1e-9


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: th.selected_degree(None, 3, kernel=th.Kernel.exponential(5), max_degree=0), "degree 0"),
        (lambda: th.boundaries(th.Kernel.exponential(5), 2, (-2, -1), parameter=noise, noise=noise), "noise"),
        (lambda: th.boundaries(th.Kernel.exponential(), 2, (1, 2), noise=1, quantity="threshold"), "noise 1"),
        (lambda: th.growth_rate(1, 3, kernel=th.Kernel("-exp(t)"), model="sa"), "SA divides"),
        (lambda: th.growth_rate(1, 3, kernel=th.Kernel("t"), model="sa"), "SA divides"),
        (lambda: th.Kernel("sqrt(t)").ball(1, 3), "not real"),
        (lambda: th.Kernel("I*t"), "I is no name for a parameter"),
    ],
)
def test_what_makes_no_sense_is_refused(call, named):
    """One clear sentence instead of an answer that means something else."""
    with pytest.raises(ValueError, match=named):
        call()


def test_an_integral_that_does_not_exist_is_no_zero_by_parity():
    """1/t^2 has the parity that would make degree 1 vanish, but no mean."""
    with pytest.raises(ArithmeticError, match="could not be enclosed"):
        th.Kernel("1/t**2").ball(1, 3)


@given(number=fractions(-10, 10, max_denominator=10**6))
def test_ends_of_unresolved_pieces_are_roundedfloat_towards(number):
    """A float on the right side, and no nearer one."""
    end = fmpq(number.numerator, number.denominator)
    low, high = float_towards(end, -inf), float_towards(end, inf)
    assert Fraction(low) <= number <= Fraction(high)
    assert low == high == number or nextafter(low, inf) == high


def test_a_boundary_at_zero_is_found():
    """By hand in dim 3: 3 + 5 t (2 + v)/2 has gamma_1 = 2, gamma_2 = 6 (2 + v)/6, which tie at v = 0."""
    v = sp.Symbol("v", real=True)
    kernel = th.Kernel(3 + sp.Rational(5, 2) * th.t * (2 + v))
    found = th.boundaries(kernel, 3, (-1, 2), parameter=v, digits=8)
    assert found.degrees == (1, 2)
    assert (found.boundaries[0].value.value, found.complete) == ("0", True)
    near = th.boundaries(kernel.at(v=v - sp.Rational(1, 1000)), 3, (-1, 2), parameter=v, digits=8)
    assert near.boundaries[0].value.value == "0.0010000000"
    lines = th.phases.coexistence("3 + 2.5*t*(2 + v + w)", 3, ("v", -1, 2), ("w", [0, 0.5]), digits=8)
    assert [line.boundaries[0].value.value for line in lines.values()] == ["0", "-0.50000000"]


def parabola(x):
    return x**2


def chain(x):
    return 2 * (sp.cosh(x) - 1)


@pytest.mark.parametrize(
    ("gap", "at", "bowl", "ahead"),
    [
        ("1e-24", "1/3", chain, 1),
        ("1e-60", "1/3", parabola, 2),
        ("1e-60", 1, chain, 1),
        ("1e-300", "3/7", parabola, 1),
        ("1/1099511627776", 1, parabola, 2),
    ],
)
def test_scores_that_nearly_touch_are_told_apart(gap, at, bowl, ahead):
    """Scores made to differ by a bowl about m = c and a gap: no boundary above the bowl, and two below, by hand at
    c -+ sqrt(gap) but for the next term of the bowl, gap^(3/2)/24."""
    size, at, leader, other = sp.Rational(gap), sp.Rational(at), ahead, 3 - ahead
    clear = th.boundaries(chebyshev_kernel({leader: 2 + bowl(m - at) + size, other: 2}), 2, (0, 2), parameter=m)
    assert (clear.degrees, clear.boundaries, clear.complete) == ((leader,), (), True)
    crossed = th.boundaries(
        chebyshev_kernel({leader: 2 + bowl(m - at) - size, other: 2}), 2, (0, 2), parameter=m, digits=170
    )
    assert (crossed.degrees, crossed.complete) == ((leader, other, leader), True)
    for edge, side in zip(crossed.boundaries, (-1, 1), strict=True):
        distance = sp.Rational(edge.value.value) - at - side * sp.sqrt(size).evalf(200)
        assert abs(distance) < size ** sp.Rational(3, 2) / 20 + sp.Rational("1e-168")


def test_a_shallow_bowl_dips_below_between_two_boundaries():
    """Its second derivative is 1/4, not one or two: boundaries at 1/3 -+ sqrt(8e-6), by hand."""
    dip = (m - sp.Rational(1, 3)) ** 2 / 8 - sp.Rational(1, 10**6)
    found = th.boundaries(chebyshev_kernel({1: 2 + dip, 2: 2}), 2, (0, 2), parameter=m, digits=12)
    assert (found.degrees, found.complete) == ((1, 2, 1), True)
    edges = [float(edge.value) for edge in found.boundaries]
    assert edges == pytest.approx([1 / 3 - 8e-6**0.5, 1 / 3 + 8e-6**0.5], abs=1e-11)


def test_scores_that_touch_stay_unresolved():
    """Equal at m = 1/3 and nowhere else: no number of digits tells them apart, and the report says so."""
    found = th.boundaries(chebyshev_kernel({1: 2 + (m - sp.Rational(1, 3)) ** 2, 2: 2}), 2, (0, 2), parameter=m)
    assert (found.degrees, found.boundaries) == ((1, 1), ())
    assert found.unresolved[0][0] <= 1 / 3 <= found.unresolved[0][1]


def test_softmax_is_searched_up_to_where_the_mean_vanishes():
    """h = e^t - b/2 on S^2: the mean is sinh(1) - b/2, by hand; gamma_1 = gamma_2 by mpmath's quadrature of W P_k."""
    found = th.boundaries("exp(t) - beta/2", 3, (0, 4), model="sa", digits=20)

    def pulled(k, b):
        return k * (k + 1) * mpmath.quad(lambda x: (mpmath.exp(x) - b * x / 2) * mpmath.legendre(k, x), [-1, 1]) / 2

    with mpmath.workdps(30):
        root = mpmath.findroot(lambda b: pulled(1, b) - pulled(2, b), 1)
        assert mpmath.almosteq(mpmath.mpf(found.boundaries[0].value.value), root, abs_eps=mpmath.mpf(10) ** -19)
        zero = 2 * mpmath.sinh(1)
        assert mpmath.almosteq(mpmath.mpf(found.vanishes.value), zero, abs_eps=mpmath.mpf(10) ** -19)
    assert (found.degrees, len(found.boundaries), found.complete) == ((1, 2), 1, True)
    whole = th.boundaries("exp(t) - beta/2", 3, (0, 2), model="sa", digits=20)
    assert (whole.vanishes, whole.boundaries) == (None, found.boundaries)


def test_softmax_is_searched_from_where_the_mean_becomes_positive():
    """h = b e^t - 2: the mean b sinh(1) - 2 is positive from 2/sinh(1) on, and the table says so in its first row."""
    found = th.boundaries("beta*exp(t) - 2", 3, (0, 4), model="sa", digits=12)
    assert float(found.vanishes) == pytest.approx(2 / np.sinh(1), rel=1e-11)
    first, *_ = boundary_rows([3], "beta*exp(t) - 2", (0, 4), model="sa", digits=12)
    assert (first["degree"], first["next"], first["beta"]) == ("undefined", 2, found.vanishes.value)
    *_, last = boundary_rows([3], "exp(t) - beta/2", (0, 4), model="sa", digits=12)
    assert (last["degree"], last["next"]) == (2, "undefined")


def test_a_phase_of_softmax_ends_where_the_mean_vanishes():
    """Mean (b - 1)(b - 3) by hand, so that SA is defined on both sides of a gap: nothing is found across it."""
    kernel = th.Kernel((th.beta - 1) * (th.beta - 3) - sp.sinh(1) + sp.exp(th.t))
    found = th.boundaries(kernel, 3, (0, 4), model="sa")
    assert (found.vanishes.value, found.reach[0], found.reach[1] < 2) == ("1.00000000000000", 0, True)
    here = th.phase("3.01", 3, kernel=kernel, model="sa")
    assert here.lower is None
    assert here.degree == th.selected_degree("3.01", 3, kernel=kernel, model="usa")
    with pytest.raises(th.Refused, match="must be positive, and at beta = 3/2 and 2 it is not"):
        th.boundaries(kernel, 3, ("1.5", 2), model="sa")


def test_a_mean_that_touches_zero_leaves_a_piece_unresolved():
    """Mean (b - 1)^2 by hand: positive on both sides, not at 1."""
    kernel = th.Kernel((th.beta - 1) ** 2 - sp.sinh(1) + sp.exp(th.t))
    found = th.boundaries(kernel, 3, (0, 2), model="sa")
    assert not found.complete
    assert found.unresolved[0][0] <= 1 <= found.unresolved[-1][1]


def hinge_rate(degree, start, dim):
    """k (k + d - 2) w_k[W] of a hinge max(t - start, 0), from w_{k-1} in dim + 2 by quadrature on the smooth part."""
    raised, order = dim + 2, (dim + 2) / 2 - 1
    mass = mpmath.beta((raised - 1) / 2, 0.5)

    def part(t):
        harmonic = mpmath.gegenbauer(degree - 1, order, t) / mpmath.gegenbauer(degree - 1, order, 1)
        return (t - start) * harmonic * (1 - t * t) ** ((raised - 3) / 2)

    return degree * (degree + dim - 2) * mpmath.quad(part, [start, 1]) / mass / dim


def test_a_kink_at_zero_is_no_obstacle_to_boundaries_and_one_that_moves_is_refused():
    """relu(beta t) = beta relu(t) for beta >= 0: one leader; relu(beta t - 1) bends at 1/beta."""
    here = th.phase(2, 3, kernel="relu(beta*t)", max_degree=6)
    assert (here.degree, here.lower, here.upper) == (2, None, None)
    assert th.boundaries("relu(beta*t) + t**3", 3, (0, 9), max_degree=4).complete
    with pytest.raises(th.Refused, match=r"kernel Max\(0, beta\*t - 1\): a kink or jump of it moves with beta"):
        th.phase(2, 3, kernel="relu(beta*t - 1)", max_degree=6)
    rates = [float(hinge_rate(k, 0.5, 3)) for k in range(1, 7)]
    assert th.phase(None, 3, kernel="relu(t - 0.5)", max_degree=6).degree == np.argmax(rates) + 1 == 3
    assert float(th.growth_rate(3, 3, kernel="relu(t - 0.5)", digits=10)) == pytest.approx(rates[2], rel=1e-9)


def test_a_tie_under_a_jump_is_said_to_be_one():
    """The step at 1/2 in dim 3: rates int_{1/2}^1 P_k' (1 - t^2) / 2, 27/128 for degrees 2 and 3."""
    rates = [
        sp.integrate(sp.diff(sp.legendre(k, th.t), th.t) * (1 - th.t**2), (th.t, sp.S.Half, 1)) / 2 for k in (2, 3)
    ]
    assert rates == [sp.Rational(27, 128)] * 2
    with pytest.raises(th.Refused, match=r"degrees \[2, 3\] are too close to tell which leads"):
        th.phase(None, 3, kernel="where(t > 0.5, 1, 0)", max_degree=3)
