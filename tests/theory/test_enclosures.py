"""Enclosures where what they leave out is large: coarse sums, few modes, wide boxes. Each must hold the fine value.

A test says so where the middle of the coarse ball alone is off: without its bound the enclosure would be wrong.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product
from math import exp, pi, sqrt

import flint
import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import arb, arb_mat, fmpq
from hypothesis import example, given, settings
from hypothesis.strategies import floats, integers, lists, sampled_from
from scipy.integrate import quad

from gegenflow.theory.exact.eigenvalues import discs, sorted_discs
from gegenflow.theory.exact.rounding import error_bound, nearest_decimal, rounded
from gegenflow.theory.noise.stationary import (
    StationaryEquations,
    _cosines,
    continuation,
    enclose_state,
    stationary_state,
    weak_state,
)
from gegenflow.theory.random_layers import diffusion, gaussian, kernel, stationary
from gegenflow.theory.random_layers.growth_bounds import growth
from gegenflow.theory.random_layers.quadratic_form import RandomForm
from gegenflow.theory.random_layers.random_values import RandomValues
from gegenflow.theory.spectral_selection.boxes import krawczyk, proves
from gegenflow.theory.symbols import t


@given(middle=floats(0.1, 1e6), share=floats(1e-9, 0.03), digits=integers(1, 3))
def test_an_error_reaches_to_the_far_end_of_the_ball(middle, share, digits):
    """Both ends of a wide ball are within the bound of its decimal, and of its decimal places."""
    ball = arb(middle, middle * share)
    ends = [Fraction(int(end.mid().fmpq().p), int(end.mid().fmpq().q)) for end in (ball.lower(), ball.upper())]
    found = nearest_decimal(ball, digits, settle=True)
    if found is not None:
        assert max(abs(end - Fraction(found[0])) for end in ends) <= Fraction(found[1])
    near = rounded(arb(middle), 2)
    assert max(abs(end - Fraction(near)) for end in ends) <= Fraction(error_bound(ball, near))


@cache
def fine_state():
    """A stationary state at beta = 4, enclosed at 128 bits with all its modes."""
    with flint.ctx.workprec(128):
        x = weak_state(4, 1, 0.05)
        for here in continuation(x[0], 0.6):
            equations, x = stationary_state(4, 1, x, here)
        return equations, enclose_state(equations, x)


def coarse_equations(modes, nodes, height):
    """The same equations with few modes, or few nodes; the bounds are those of the docstring."""
    whole, _ = fine_state()
    w, y = whole.multipliers, arb(height)
    strip = 2 * sum((v * (y * n).cosh() for n, v in enumerate(w, 1)), arb(0))
    rest = 2 * sum(w[modes:], arb(0)) + whole.tail
    return StationaryEquations(w[:modes], _cosines(nodes, 2 * modes, 128), rest, strip, height)


@pytest.mark.parametrize(
    ("modes", "nodes", "height"), [(3, 48, fmpq(1)), (5, 48, fmpq(1)), (12, 14, fmpq(1, 2)), (12, 12, fmpq(1))]
)
def test_few_modes_or_few_nodes_enclose_the_state_of_many(modes, nodes, height):
    """Normaliser, moments, free energy and the derivative by the ratio: the middles are off, the balls hold them."""
    with flint.ctx.workprec(128):
        whole, x = fine_state()
        coarse = coarse_equations(modes, nodes, height)
        short = [*x[:modes], x[-1]]
        (total, m), (wanted, fine) = coarse.moments(short), whole.moments(x)
        assert total.contains(wanted)
        assert all(ball.contains(value) for ball, value in zip(m, fine, strict=False))
        assert not wanted.overlaps(total.mid() + arb(0, 1e-12))
        assert coarse.free_energy(short).contains(whole.free_energy(x))
        _, slopes, _ = coarse.residual(short)
        _, exact, _ = whole.residual(x)
        last = len(whole.multipliers) - 1
        assert all(slopes[n, modes - 1].contains(exact[n, last]) for n in range(modes))


def test_krawczyks_test_of_few_modes_holds_the_state_and_proves_no_other():
    """Truncated at 8 modes the ball holds the state of all; where no state is near, nothing is proved."""
    with flint.ctx.workprec(128):
        _, x = fine_state()
        coarse = coarse_equations(8, 48, fmpq(1))
        centre = [part.mid() for part in (*x[:8], x[-1])]
        found = enclose_state(coarse, centre)
        assert found is not None
        assert all(ball.contains(value) for ball, value in zip(found[1:-1], x[1:], strict=False))
        assert found[-1].contains(x[-1])
        assert found[-1].rad() > 1e-9
        for part, shift in product((1, 2, 8), (-0.2, 0.2)):
            moved = [*centre[:part], centre[part] + arb(shift), *centre[part + 1 :]]
            there = enclose_state(coarse, moved)
            assert there is None or there[-1].overlaps(x[-1])


@dataclass(frozen=True)
class Square:
    """s^2 = level as the equation of a state of one mode."""

    level: float

    multipliers = (arb(1),)

    def residual(self, x):
        """Its value, and its derivatives by s and by the amplitude."""
        return arb_mat([[x[1] ** 2 - self.level]]), arb_mat([[2 * x[1]]]), arb_mat([[0]])


def test_krawczyks_test_proves_a_root_and_none_where_there_is_none():
    """s^2 = 2 from 1.4; s^2 = -0.01 has no root, though its Newton step from 0.5 leads into the box."""
    assert enclose_state(Square(2), [arb(1), arb(1.4)])[1].contains(arb(2).sqrt())
    for start in (0.5, 0.3, 0.2, 0.15, 0.1):
        assert enclose_state(Square(-0.01), [arb(1), arb(start)]) is None


def test_discs_that_overlap_are_one_for_all_their_eigenvalues():
    """The largest of two in [-3, 3] and [0.9, 1.1] may be 2.9, the least -2.9; that of [5, 6] stands alone."""
    first, *others = sorted_discs([arb(0, 3), arb(5.5, 0.5), arb(1, 0.1)])
    assert not first.overlaps(arb(4.9))
    assert all(ball.contains(arb(end)) for ball in others for end in (-2.9, 2.9))


@settings(max_examples=40, deadline=None)
@example(entries=[1, 0, 0, 1, 0, 1], radius=0.1)
@given(entries=lists(integers(-3, 3), min_size=6, max_size=6), radius=sampled_from([0.0, 1e-9, 0.01, 0.3]))
def test_discs_hold_the_eigenvalues_of_every_matrix_in_the_ball(entries, radius):
    """Corners of a ball of symmetric 3 x 3 matrices, by numpy: each eigenvalue in the enclosure of its rank."""
    a, b, c, d, e, f = entries
    middle = np.array([[a, b, c], [b, d, e], [c, e, f]], dtype=float)
    wide = arb_mat([[arb(value, radius) for value in row] for row in middle.tolist()])
    found = sorted_discs(discs(wide))
    for signs in product((-1, 1), repeat=6):
        p, q, r, u, v, w = signs
        corner = middle + radius * np.array([[p, q, r], [q, u, v], [r, v, w]]) * (1 - 1e-12)
        for ball, value in zip(found, np.linalg.eigvalsh(corner)[::-1].tolist(), strict=True):
            assert ball.overlaps(arb(value, 1e-12))


@given(shift=floats(-0.2, 0.2), radius=floats(0.001, 0.3))
def test_a_step_of_krawczyk_holds_the_zeros_of_all_systems_in_the_box(shift, radius):
    """x^2 + y^2 = 5, xy = 2 near (2, 1), from a box about another point: the zero stays in, a tie is no proof."""
    centre = [arb(2 + shift), arb(1 - shift / 2)]
    box = [x + arb(0, abs(shift) + radius) for x in centre]

    def residual(z):
        return [z[0] ** 2 + z[1] ** 2 - 5, z[0] * z[1] - 2]

    step = krawczyk(residual, lambda z: arb_mat([[2 * z[0], 2 * z[1]], [z[1], z[0]]]), box)
    if step is not None:
        assert step[0].contains(2)
        assert step[1].contains(1)
        assert not proves(step, step)


@pytest.mark.parametrize("function", [sp.exp(t), sp.cos(2 * t), sp.tanh(t)])
@pytest.mark.parametrize(("step", "count"), [(1.6, 6), (0.25, 8), (0.9, 3), (0.005, 420)])
def test_coarse_trapezoidal_sums_enclose_the_hermite_coefficients(monkeypatch, function, step, count):
    """A step that is too long, or a sum that ends too early: E f he_k by mpmath lies within the bound."""
    gaussian.hermite_coefficients.cache_clear()
    fine = gaussian.hermite_coefficients(function, 4, 60)
    monkeypatch.setattr(
        gaussian, "_best_strip", lambda *_: gaussian.Strip(0.05 if step < 0.1 else 0.5, step, count, 0.5)
    )
    gaussian.hermite_coefficients.cache_clear()
    coarse = gaussian.hermite_coefficients(function, 4, 60)
    gaussian.hermite_coefficients.cache_clear()
    assert all(ball.contains(value) for ball, value in zip(coarse, fine, strict=True))
    assert max(float(abs(ball.mid() - value).upper()) for ball, value in zip(coarse, fine, strict=True)) > 1e-9
    with mpmath.workdps(20):
        f = sp.lambdify(t, function, "mpmath")
        mean = mpmath.quad(lambda x: f(x) * mpmath.npdf(x), [-12, -4, 0, 4, 12])
        assert abs(mean - mpmath.mpf(fine[0].str(18, radius=False))) < 1e-12


@pytest.mark.parametrize("degree", [0, 4])
@pytest.mark.parametrize(
    ("height", "step", "count", "mehler", "loose"),
    [(1e-6, 1e-8, 4 * 10**8, 0.5, 1e-6), (1, 0.02, 200, 0.5, 0.01), (1, 1, 12, 0.5, 0.2), (0.5, 0.9, 3, 0.25, 0.1)],
)
def test_the_error_of_a_trapezoidal_sum_is_its_formula(degree, height, step, count, mehler, loose):
    """What lies beyond X, the sides, the lines and all of them: f = e^{x/2}, whose integrals scipy knows."""
    strip, spread = gaussian.Strip(height, step, count, mehler), 1 + mehler
    end = float(strip.end)

    def weighted(x):
        return exp(x / 2 - x**2 / (2 * spread))

    common = mehler ** (-degree / 2) / (sqrt(2 * pi) * (1 - mehler**2) ** 0.25)
    lines = 2 * quad(weighted, -end, end)[0] / np.expm1(min(2 * pi * height / step, 600))
    inside = exp(height**2 / (2 * (1 - mehler))) * (lines + 2 * height * (weighted(end) + weighted(-end)))
    error = common * (inside + 2 * quad(weighted, end, end + 20, epsabs=0)[0])
    assert 1 - 1e-12 <= float(gaussian._sum_error(sp.exp(t / 2), degree, strip)) / error <= 1 + loose


@pytest.mark.parametrize("rate", [2, sp.Rational(1, 2)])
def test_what_a_gaussian_mean_leaves_out_is_in_its_ball(monkeypatch, rate):
    """Of e^{ct}, whose mean is e^{c^2/2}, from -2 to 2 alone: the bound is that of both sides, each as large as one."""
    monkeypatch.setattr(gaussian, "ceil", lambda _: 2)
    ball = gaussian.gaussian_mean.__wrapped__(sp.exp(rate * t), 60)
    missing = (arb(float(rate)) ** 2 / 2).exp() - ball.mid()
    assert missing < ball.rad() < 2 * missing


def test_what_a_hermite_series_leaves_out_may_be_all_in_the_next_degree(monkeypatch):
    """He_5, of which 120 r^5 is the whole kernel, up to degree 4; all of it is left, and no more."""
    monkeypatch.setattr(kernel, "FIRST_DEGREE", 4)
    with flint.ctx.workprec(18):
        _, rest, whole = kernel.series(t**5 - 10 * t**3 + 15 * t, arb(0.5))
    assert whole.contains(120)
    assert arb(3.75) <= rest < 3.7501


@pytest.mark.parametrize("name", ["1+tanh", "sin"])
def test_what_a_law_of_overlaps_drops_is_in_its_rest(name):
    """At 32 bits most coefficients are dropped: the sum of (k+1) c_k^2 over those, from 100 bits, and rounding."""
    law = kernel.activation_kernel(name)
    coarse = stationary.overlaps(law, 0)
    squares = kernel.squares(law.activation, 160, 100)
    kept = 2 + len(coarse.tails) * (2 if coarse.odd else 1)
    dropped = sum(((k + 1) * squares[k] for k in range(kept, 161)), arb(0))
    assert dropped.lower() <= coarse.rest <= 1.001 * dropped + 2e-8


def scale_after(order, limit, slope, start):
    """The integral of S from a point on, where h is its limit and a slope times 1 - r, by mpmath."""

    def density(y):
        rise = limit * (y - start) + slope * mpmath.log((1 + mpmath.exp(-2 * start)) / (1 + mpmath.exp(-2 * y)))
        return mpmath.exp(-order * rise) / mpmath.cosh(y)

    length = 1 / (1 + order * limit)
    return mpmath.quad(density, [start + length * far for far in (0, 1, 5, 20, 100)])


@pytest.mark.parametrize("start", [1.01, 2, 3])
@pytest.mark.parametrize("slope", [-1, 0, 1])
@pytest.mark.parametrize(("order", "limit"), [(3, -0.32), (3, 10), (-3, 0.32), (-3, -5), (3, 0)])
def test_the_end_of_a_scale_holds_those_of_the_steepest_laws(order, limit, slope, start):
    """Slow and fast decay, for which the factors of the ball are next to their largest and their least."""
    decay = 1 + order * arb(limit)
    ball = diffusion._tail(arb(order), (arb(limit), arb(abs(slope))), decay, arb(start), arb(0))
    value = float(scale_after(order, limit, slope, start))
    assert ball.contains(arb(value, 1e-9 * value))
    later = diffusion._tail(arb(order), (arb(limit), arb(abs(slope))), decay, arb(start), arb(0.25))
    assert later.overlaps(ball * (-order * arb(0.25)).exp())
    assert not later.overlaps(ball * 0)


@pytest.mark.parametrize("start", [1.01, 2, 3])
def test_the_end_of_a_scale_where_little_is_known_of_h_is_that_without_drift(start):
    """h >= 0 alone is used, and h = 0 is next to the upper edge: 2 e^{-y} over 1 + e^{-2y}."""
    ball = diffusion._tail(arb(3), (arb(0), arb(200)), arb(1), arb(start), arb(0))
    value = float(scale_after(3, 0, 0, start))
    assert ball.contains(arb(value, 1e-9))
    assert ball.contains(arb(1e-9))
    assert ball < 1.05 * value


@pytest.mark.parametrize("terms", [3, 5, 9])
@pytest.mark.parametrize("order", [0, 3])
@pytest.mark.parametrize("law", [RandomValues(arb(2)), RandomForm(arb(1))])
def test_short_taylor_series_enclose_the_integrals_of_long_ones(monkeypatch, law, order, terms):
    """Panels of a few terms: the remainder is most of the ball, and the fine value lies in it."""
    points = [arb(-1), arb(0.25), arb(1)]
    with flint.ctx.workprec(128):
        fine = diffusion.passages(law, arb(order), points)[-1]
        monkeypatch.setattr(diffusion, "terms_for", lambda bits: terms)
        coarse = diffusion.passages(law, arb(order), points)[-1]
        pairs = [(getattr(coarse, name), getattr(fine, name)) for name in ("exponent", "scale", "speed", "both")]
        pairs.append((diffusion.integral_of_h(law, arb(-1), arb(1)), fine.exponent))
        for ball, value in pairs:
            assert ball.contains(value)
            assert not value.overlaps(ball.mid() + arb(0, 1e-20))


def test_the_remainder_of_a_panel_is_that_of_the_largest_of_sizes():
    """Of a ball of sizes, to 30 bits."""
    with flint.ctx.workprec(64), diffusion.length_of_series(8):
        panel = diffusion.panel_from(RandomForm(arb(1)), arb(1), 1, arb(0))
        ratio = panel.half / panel.radius
        least = 2 * panel.half * 3 * ratio**8 / (1 - ratio)
        assert least.lower() <= panel.remainder(arb(2, 1)).rad() <= least * 1.001


GROWING = [
    t,
    t**2 * sp.exp(t) - 3 * t,
    sp.exp(-(t**2)) + 2 * sp.cosh(t),
    sp.log(1 + t**2),
    sp.log(sp.Rational(1, 100) + t**2),
    sp.tanh(t) * t**3 + sp.cos(t),
]
GROWING += [sp.exp(t) * sp.cosh(2 * t), sp.cosh(t) ** 3]
GROWING += [sp.Abs(t) ** sp.Rational(3, 2) + sp.exp(2 * t), 1 / (1 + sp.exp(-2 * t)), sp.Max(t, 0) - 2 * sp.sinh(t)]


@pytest.mark.parametrize("function", GROWING)
def test_growth_bounds_hold_on_the_whole_line(function):
    """|f| <= C e^(c|x|) on 2001 points of [-30, 30]."""
    bound, x = growth(function), np.linspace(-30, 30, 2001)
    values = np.abs(sp.lambdify(t, function, "numpy")(x))
    assert (values <= float(bound.factor) * np.exp(float(bound.rate) * np.abs(x)) * (1 + 1e-12)).all()


@pytest.mark.parametrize("place", [0.03, 0.22, -0.03, -0.047, -0.22])
def test_a_pole_in_a_strip_is_met_by_a_box(place):
    """At a distance of 0.05 from the line, at places between boxes of two sizes; above the strip it does no harm."""
    function = 1 / ((t - sp.Rational(str(place))) ** 2 + sp.Rational(1, 400))
    with flint.ctx.workprec(64):
        assert not gaussian._is_analytic(function, 0.1, 2)
        assert gaussian._is_analytic(function, 0.02, 2)


@pytest.mark.parametrize("law", [RandomValues(arb(5)), RandomForm(arb(2))])
def test_the_slope_of_h_is_at_most_what_its_end_says(law):
    """Differences on a grid of overlaps, whose steepest one is next to the bound."""
    r = np.linspace(-1, 1, 20_001)
    h = 1 / np.cosh(5 * (1 - r)) if isinstance(law, RandomValues) else 2 / (2 + 2 * (1 + r))
    steepest = np.abs(np.diff(h) / np.diff(r)).max()
    assert all(0.999 * float(law.end(sign)[1]) < steepest <= float(law.end(sign)[1]) for sign in (-1, 1))
