"""Finite tokens: the law of the race against scipy's chi-square and Bessel functions, against draws, and its bounds."""

from fractions import Fraction
from math import ceil, inf, log, nan

import flint
import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import example, given, settings
from hypothesis.strategies import floats, integers, sampled_from
from scipy.integrate import quad, simpson
from scipy.special import eval_gegenbauer, gammaincc, gammaln, ive
from scipy.stats import chi2

from gegenflow import theory as th
from gegenflow.theory.finite_tokens import races
from gegenflow.theory.finite_tokens.crossovers import boundary_share, boundary_width
from gegenflow.theory.finite_tokens.emergence import Racer
from gegenflow.theory.finite_tokens.selection import selection_law, tokens_needed


def harmonics(degree, dim):
    """Dimension of the harmonics (2k+d-2) (k+d-3)! / (k! (d-2)!), a count other than that of the theory."""
    return round(np.exp(gammaln(degree + dim - 2) - gammaln(degree) - gammaln(dim - 1)) * (2 + (dim - 2) / degree))


def rate(degree, dim, beta, model="usa"):
    """The growth rate from scipy's Bessel functions."""
    order, eigenvalue = dim / 2 - 1, degree * (degree + dim - 2)
    if model == "sa":
        return eigenvalue / beta * ive(order + degree, beta) / ive(order, beta)
    log_gamma = gammaln(dim / 2) + order * log(2 / beta) + beta
    return eigenvalue / beta * ive(order + degree, beta) * np.exp(log_gamma)


def race_by_scipy(dim, rates, strength):
    """Probability of each degree to be first after the start, and the mean of T, by Simpson's rule in time."""
    freedom = np.array([harmonics(k, dim) for k in rates])
    speed = np.array(list(rates.values()))
    times = np.linspace(0, (np.log(strength) + 35) / (2 * speed.max()), 12_001)
    level = strength * freedom * np.exp(-2 * speed * times[:, None])
    survive, density = chi2.cdf(level, freedom), 2 * speed * level * chi2.pdf(level, freedom)
    others = [np.delete(survive, i, axis=1).prod(axis=1) for i in range(len(speed))]
    chances = simpson(density.T * others, x=times)
    return dict(zip(rates, chances, strict=True)), simpson(survive.prod(axis=1), x=times)


@settings(max_examples=12)
@given(
    dim=integers(2, 6),
    beta=floats(0.5, 12),
    size=floats(4.5, 25),
    amplitude=floats(0.05, 0.6),
    model=sampled_from(["usa", "sa"]),
)
def test_the_law_is_the_integral_it_stands_for(dim, beta, size, amplitude, model):
    """scipy's chi-square, Bessel functions and adaptive quadrature, over the first 25 degrees, against balls."""
    tokens = int(np.exp(size) / amplitude**2)
    law = selection_law(dim, beta, tokens, amplitude=amplitude, model=model)
    rates = {k: rate(k, dim, beta, model) for k in range(1, 26)}
    chances, mean = race_by_scipy(dim, rates, tokens * amplitude**2)
    for k, chance in chances.items():
        assert law.selection.get(k, 0.0) == pytest.approx(chance, abs=1e-9)
    assert law.mean == pytest.approx(mean, rel=1e-9)


def test_few_tokens_are_above_the_amplitude_at_the_start_and_the_rest_is_the_same_integral():
    """N a^2 = 1.8: the same reference over the degrees of the race, half of which are late."""
    law = selection_law(3, 4, 20)
    chances, mean = race_by_scipy(3, {k: rate(k, 3, 4) for k in law.rates}, 20 * 0.3**2)
    assert law.selection == pytest.approx(chances, abs=1e-9)
    assert law.mean == pytest.approx(mean, rel=1e-9)
    start = [chi2.cdf(20 * 0.3**2 * harmonics(k, 3), harmonics(k, 3)) for k in law.rates]
    assert law.already == pytest.approx(1 - np.prod(start), abs=1e-12)
    assert 0.3 < law.already < 0.6


@settings(max_examples=15)
@given(dim=sampled_from([2, 3, 8, 64]), beta=floats(0.1, 100), size=integers(1, 30), model=sampled_from(["usa", "sa"]))
def test_probabilities_add_up_and_their_error_is_small(dim, beta, size, model):
    """Nothing in the quadrature knows that the sum is one: it is off by no more than the bounds allow."""
    law = selection_law(dim, beta, 10**size, model=model)
    assert abs(sum(law.selection.values()) + law.already - 1) <= max(1, len(law.selection)) * law.error
    assert 0 < law.error < 1e-14
    assert all(chance >= -law.error for chance in law.selection.values())


@pytest.mark.parametrize("negligible", [1e-2, 1e-5, 1e-9])
@pytest.mark.parametrize("nodes", [3, 8, 32])
@pytest.mark.parametrize(("dim", "beta"), [(2, 5), (3, 20), (8, 12)])
def test_the_error_bound_is_true_where_it_is_large(monkeypatch, nodes, negligible, dim, beta):
    """A coarse rule, a short window and few degrees against the fine law, which is 1e-14 off at most."""
    fine = selection_law(dim, beta, 5000)
    monkeypatch.setattr(races, "NEGLIGIBLE", negligible)
    monkeypatch.setattr(races, "NODES", nodes)
    coarse = selection_law(dim, beta, 5000)
    assert 1e-14 < coarse.error < 1e3 * negligible
    off = [abs(fine.selection.get(k, 0.0) - coarse.selection.get(k, 0.0)) for k in {*fine.rates, *coarse.rates}]
    assert max(off) <= coarse.error + fine.error


@pytest.mark.parametrize(("dim", "beta", "tokens", "already"), [(3, 6, 1000, 0.0), (64, 100, 12, 0.31)])
def test_draws_of_the_chi_square_variables_follow_the_law(dim, beta, tokens, already):
    """The race itself, 200,000 times with numpy's generator: no quadrature, no degree left out. Fixed rng.

    False alarm rate of a fresh seed: below 1e-5 (five standard errors, about twenty comparisons).
    """
    runs = 200_000
    law = selection_law(dim, beta, tokens)
    rng = np.random.default_rng(7)
    degrees = np.arange(1, 12)
    freedom = np.array([harmonics(k, dim) for k in degrees])
    powers = rng.chisquare(freedom, (runs, len(degrees))) / freedom / tokens
    times = np.log(0.3**2 / powers) / (2 * np.array([rate(k, dim, beta) for k in degrees]))
    first, emerged = degrees[times.argmin(axis=1)], np.maximum(times.min(axis=1), 0)
    for k, chance in law.selection.items():
        won = ((first == k) & (emerged > 0)).mean()
        assert abs(won - chance) <= 5 * (chance * (1 - chance) / runs) ** 0.5 + 1e-5
    assert abs((emerged == 0).mean() - law.already) <= 5 * (law.already / runs) ** 0.5 + 1e-5
    assert law.already == pytest.approx(already, abs=5e-3)
    assert abs(emerged.mean() - law.mean) < 5 * emerged.std() / runs**0.5
    for p in (0.1, 0.5, 0.9):
        assert abs((emerged <= law.quantile(p)).mean() - max(p, law.already)) < 5 * (p * (1 - p) / runs) ** 0.5


@given(dim=sampled_from([2, 3, 8, 64]), degree=integers(1, 5), offset=floats(-30, 30), strength=floats(0.5, 1e3))
def test_survival_far_from_the_level_is_within_its_bound(dim, degree, offset, strength):
    """Near the level and up to thirty standard deviations from it, against the incomplete gamma function, which knows
    nothing of Chernoff's bound, at three times the precision; ball arithmetic, so the two must overlap."""
    half = harmonics(degree, dim) / 2
    time = (log(strength) - offset / half**0.5) / 2
    with flint.ctx.workprec(128):
        survival = Racer(degree, dim, arb(1), arb(strength)).survival(arb(time))
    with flint.ctx.workprec(400):
        level = half * arb(strength) * (-2 * arb(time)).exp()
        assert survival.overlaps(1 - level.gamma_upper(arb(half), regularized=1))
    assert survival.rad() < 1e-18


@settings(max_examples=15)
@given(dim=integers(2, 5), beta=floats(0.5, 20), tokens=integers(100, 10**8))
def test_softmax_only_slows_the_race_down(dim, beta, tokens):
    """All rates of SA are those of USA over w_0, so the winners are the same and the times w_0 times as long."""
    usa, sa = (selection_law(dim, beta, tokens, model=model) for model in ("usa", "sa"))
    slower = float(th.funk_hecke(0, dim, beta, digits=17))
    assert sa.selection == pytest.approx(usa.selection, abs=usa.error + sa.error)
    assert sa.mean == pytest.approx(slower * usa.mean, rel=1e-12)
    assert sa.median == pytest.approx(slower * usa.median, rel=1e-12)


@given(tokens=integers(100, 10**12), p=floats(0.001, 0.999))
def test_one_growing_degree_has_the_time_of_its_chi_square(tokens, p):
    """Kuramoto: degree 1 alone grows, at (d-1)/d, and the quantiles of T are those of scipy's chi-square."""
    law = selection_law(4, 0, tokens)
    power = chi2.isf(p, 4) / 4 / tokens
    assert law.quantile(p) == pytest.approx(max(0.0, log(0.3**2 / power) / (2 * 3 / 4)), rel=1e-9, abs=1e-12)
    assert law.selection[1] + law.already == pytest.approx(1, abs=law.error)


def test_a_kernel_of_ones_own_races_its_own_degrees():
    """Linear attention h = 1 + 3 t on S^2: W = t + 3 t^2/2 moves degrees 1 and 2 at 2/3 and 6/5 (by hand)."""
    law = selection_law(3, None, 2000, kernel=th.Kernel.series([1, 3]))
    assert {k: float(r) for k, r in law.rates.items()} == pytest.approx({1: 2 / 3, 2: 6 / 5})
    chances, mean = race_by_scipy(3, {1: 2 / 3, 2: 6 / 5}, 2000 * 0.3**2)
    assert law.selection == pytest.approx(chances, abs=1e-9)
    assert law.mean == pytest.approx(mean, rel=1e-9)


@settings(max_examples=15)
@given(dim=integers(2, 5), beta=floats(1.2, 15), size=floats(3, 25), more=floats(0.5, 10))
def test_more_tokens_favour_the_fastest_degree(dim, beta, size, more):
    """The argument in the docstring of tokens_needed, on the numbers."""
    k = th.selected_degree(beta, dim)
    few, many = (selection_law(dim, beta, int(np.exp(s))) for s in (size, size + more))
    assert few.selection.get(k, 0.0) <= many.selection[k] + few.error + many.error


@settings(max_examples=4)
@given(p=floats(0.05, 0.95), dim=integers(2, 4), beta=sampled_from([2, 5, 9]), amplitude=floats(0.1, 0.5))
@example(p=0.99, dim=8, beta=1, amplitude=0.3)
@example(p=0.9999, dim=3, beta="0.5", amplitude=0.3)
@example(p=0.999, dim=64, beta=5, amplitude=0.3)
def test_tokens_needed_are_just_enough(p, dim, beta, amplitude):
    """The law itself at that number of tokens and at one fewer (one part in 10^12) brackets the probability."""
    k = th.selected_degree(beta, dim)
    tokens = tokens_needed(p, dim, beta, amplitude=amplitude)
    assert selection_law(dim, beta, tokens, amplitude=amplitude).selection[k] >= p
    fewer = tokens - 1 - tokens // 10**12
    if fewer >= 2:
        assert selection_law(dim, beta, fewer, amplitude=amplitude).selection.get(k, 0.0) < p


@settings(max_examples=12)
@given(miss=floats(1e-12, 0.99), amplitude=floats(0.05, 0.9))
@example(miss=1e-6, amplitude=0.3)
def test_tokens_needed_where_only_one_degree_grows(miss, amplitude):
    """Kuramoto on the circle: 1 - exp(-N a^2) >= p by the exponential law of two coordinates, solved for N by hand."""
    p, error = 1 - miss, 1e-14  # of the law, as it states itself
    least, most = (max(2, ceil(-log(1 - p + off) / amplitude**2)) for off in (error, -error))
    assert least <= tokens_needed(p, 2, 0, amplitude=amplitude) <= most


@pytest.mark.parametrize("degree", [12, 16, 30])
@pytest.mark.parametrize("model", ["usa", "sa"])
def test_a_fast_degree_beyond_many_that_stand_still_wins(degree, model):
    """h = 1/2 + t + 100 T_{m-1} on the circle: W holds t and 100 T_m/2m, so gamma_m = 25 m and the race is decided.

    By hand: W' = 100 T_{m-1} gives 100 (T_m/m - T_{m-2}/(m-2))/2, and the multiplier of T_m is 1/2.
    """
    weight = sp.Rational(1, 2) + th.t + 100 * sp.expand(sp.chebyshevt(degree - 1, th.t))
    law = selection_law(2, None, 2000, kernel=th.Kernel(weight), model=model)
    assert float(law.rates[degree]) == pytest.approx(25 * degree * (1 if model == "usa" else 2), rel=1e-12)
    assert law.selection[degree] == pytest.approx(1, abs=1e-6)
    assert law.error < 1e-14
    assert law.beta is None


def half_wave(degree, dim):
    """gamma_k = L_k int t_+^2/2 P_k omega of ReLU attention, by scipy's adaptive quadrature over the angle."""
    index = dim / 2 - 1

    def harmonic(t):
        return np.cos(degree * np.arccos(t)) if dim == 2 else eval_gegenbauer(degree, index, t) / scale

    scale = None if dim == 2 else eval_gegenbauer(degree, index, 1.0)
    weight = np.exp(gammaln(dim / 2) - gammaln((dim - 1) / 2)) / np.pi**0.5
    integral = quad(lambda a: np.cos(a) ** 2 / 2 * harmonic(np.cos(a)) * np.sin(a) ** (dim - 2), 0, np.pi / 2)[0]
    return degree * (degree + dim - 2) * weight * integral


@pytest.mark.parametrize("dim", [2, 3])
def test_the_race_of_a_kernel_with_a_kink_ends(dim):
    """ReLU, whose rates alternate in sign and fall like a power: all of the first 25 degrees by quadrature alone."""
    law = selection_law(dim, None, 2000, kernel=th.Kernel.relu())
    rates = {k: half_wave(k, dim) for k in range(1, 26)}
    chances, mean = race_by_scipy(dim, {k: r for k, r in rates.items() if r > 1e-12}, 2000 * 0.3**2)
    for k, chance in chances.items():
        assert law.selection.get(k, 0.0) == pytest.approx(chance, abs=1e-9)
    assert law.mean == pytest.approx(mean, rel=1e-9)
    assert law.error < 1e-14
    assert law.max_degree == max(k for k in range(1, 200) if half_wave(k, dim) > max(rates.values()) / 100)


@pytest.mark.parametrize("last", [3, 8, 25, None])
def test_the_degrees_that_race_are_named_and_decide_where_tokens_are_few(last):
    """N a^2 = 3.08 on the circle, where each degree is above a at the start with chance e^-3.08: 400,000 draws.

    By default the last degree is the last whose rate, by scipy's Bessel functions, is above a hundredth of the largest.
    False alarm rate of a fresh seed: below 1e-5 (five standard errors, about twenty comparisons).
    """
    law = selection_law(2, "3.3", 77, amplitude=0.2, max_degree=last)
    rates = {k: rate(k, 2, 3.3) for k in range(1, 41)}
    named = last or max(k for k, speed in rates.items() if speed > max(rates.values()) / 100)
    assert law.max_degree == named
    runs, rng, strength = 400_000, np.random.default_rng(11), 77 * 0.2**2
    powers = rng.chisquare(2, (runs, named)) / 2
    times = np.log(strength / powers) / (2 * np.array([rates[k] for k in range(1, named + 1)]))
    first, emerged = 1 + times.argmin(axis=1), times.min(axis=1) > 0
    for k in range(1, named + 1):
        chance, won = law.selection.get(k, 0.0), ((first == k) & emerged).mean()
        assert abs(won - chance) <= 5 * (chance * (1 - chance) / runs) ** 0.5 + 1e-5
    assert law.already == pytest.approx(1 - (1 - np.exp(-strength)) ** named, abs=1e-12)
    assert law.error < 1e-14


@pytest.mark.parametrize(("negligible", "tokens"), [(1e-3, 115), (1e-4, 145)])
def test_the_error_covers_degrees_above_the_amplitude_at_the_start_that_are_left_out(monkeypatch, negligible, tokens):
    """Hundreds of slow degrees on the circle, each above a with chance e^{-N a^2}, by hand; each is left out as less
    likely than what is called negligible, all of them together are not."""
    monkeypatch.setattr(races, "NEGLIGIBLE", negligible)
    law = selection_law(2, 5, tokens, max_degree=400)
    assert len(law.rates) < 40
    already = 1 - (1 - np.exp(-0.09 * tokens)) ** 400
    assert 4 * negligible < already - law.already <= law.error < 1


def test_tokens_needed_asks_for_more_where_more_degrees_race():
    """That none is above the amplitude at the start takes the more tokens the more there are; the law at the answer."""
    needed = {last: tokens_needed(0.3, 2, 5, max_degree=last) for last in (4, 100)}
    assert needed[4] < needed[100]
    for last, tokens in needed.items():
        few, enough = (selection_law(2, 5, n, max_degree=last).selection[3] for n in (tokens - 1, tokens))
        assert few < 0.3 <= enough


def test_text_and_fractions_are_numbers():
    """Each is the number it spells, so the law is the same."""
    law = selection_law(2, 5, 2000)
    assert selection_law(2, 5, 2000, amplitude="0.3") == selection_law(2, 5, 2000, amplitude=Fraction(3, 10)) == law
    assert tokens_needed("0.5", 2, 5) == tokens_needed(0.5, 2, 5)
    assert law.quantile("1/2") == law.median
    assert law.quantile(1e-30) > 0


def test_far_from_a_boundary_of_many_harmonics_the_share_is_zero_or_one():
    """Degrees whose rates differ by a factor at 10^23 harmonics: chance has no say (the law of large numbers)."""
    assert boundary_share(50, 10, 1000, 2000) == 0
    assert boundary_share(5 * float(th.critical_beta(10, 1000)), 10, 1000, 2000) == 1


def test_tokens_needed_may_be_astronomical():
    """An int beyond every float next to a boundary, where the answer grows without bound."""
    assert tokens_needed(0.9, 2, 6.25) > 10**250
    with pytest.raises(ValueError, match=r"probability 0\.9: more than 1e1000 tokens are needed at beta 6\.2113"):
        tokens_needed(0.9, 2, "6.2113")


def two_degrees(log_ratio, degree, dim, size):
    r"""P(T_{k+1} < T_k) for :math:`\gamma_{k+1}/\gamma_k = e^r`: the integral over the chi-square of degree k alone."""
    s, t = harmonics(degree, dim) / 2, harmonics(degree + 1, dim) / 2

    def chance(g):
        other = size - np.exp(log_ratio) * (size - g)
        return np.exp(s * g - s * np.exp(g) + s * np.log(s) - gammaln(s)) * gammaincc(t, t * np.exp(other))

    return quad(
        chance, -40 / s, 6 / s**0.5, points=[-2 / s**0.5, 0, 1 / s**0.5], limit=400, epsabs=1e-14, epsrel=1e-13
    )[0]


def beta_at(log_ratio, degree, dim):
    """Where log(gamma_{k+1}/gamma_k) has this value: bisection on scipy's Bessel functions."""
    low, high = 0.5 * float(th.critical_beta(degree, dim)), 2.5 * float(th.critical_beta(degree, dim))
    for _ in range(80):
        middle = (low + high) / 2
        below = rate(degree + 1, dim, middle, "sa") / rate(degree, dim, middle, "sa") < np.exp(log_ratio)
        low, high = (middle, high) if below else (low, middle)
    return middle


@pytest.mark.parametrize("model", ["usa", "sa"])
@pytest.mark.parametrize(("degree", "dim"), [(3, 2), (1, 3), (2, 3), (1, 8)])
def test_the_share_at_a_boundary_is_off_by_order_one_over_the_square_of_log_n(degree, dim, model):
    """Exact probability of two degrees by scipy at fixed delta log(N a^2); the error falls four times as log N doubles.

    Without the mean of G_k + G_{k+1} the error would halve only: the fitted slope tells the two apart.
    """
    for z in (-0.7, 0.5, 1.2):
        errors = []
        for size in (40, 80, 160, 320):
            beta = beta_at(z / size, degree, dim)
            exact_ratio = np.log(rate(degree + 1, dim, beta, model) / rate(degree, dim, beta, model))
            tokens = round(np.exp(size) / 0.09)
            share = boundary_share(beta, degree, dim, tokens)
            errors.append(abs(share - two_degrees(exact_ratio, degree, dim, log(tokens) + log(0.09))))
        assert errors[0] < 2e-3
        slope = np.polyfit(np.log([40, 80, 160]), np.log(errors[:3]), 1)[0]
        assert slope < -1.7 or max(errors[1:]) < 1e-8


def test_the_law_of_all_degrees_tends_to_the_share_of_two():
    """The other degrees and the terms beyond the formula fade: the difference falls from N = 10^4 to 10^30."""
    errors = []
    for size in (4, 8, 16, 30):
        tokens = 10**size
        beta = float(th.critical_beta(3, 2)) + boundary_width(3, 2, tokens) / 2
        chance = selection_law(2, beta, tokens).selection
        errors.append(abs(chance[4] / (chance[3] + chance[4]) - boundary_share(beta, 3, 2, tokens)))
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < 0.02
    assert errors[-1] < 5e-4


@pytest.mark.parametrize(("degree", "dim"), [(1, 2), (3, 2), (1, 3), (2, 4), (1, 8)])
def test_the_width_is_the_inverse_slope_of_the_exact_logit(degree, dim):
    """Difference quotient of the exact share of two degrees across the boundary; off by order 1/log(N)^2."""
    centre = float(th.critical_beta(degree, dim))

    def logit(beta, size):
        ratio = np.log(rate(degree + 1, dim, beta, "sa") / rate(degree, dim, beta, "sa"))
        share = two_degrees(ratio, degree, dim, size)
        return np.log(share / (1 - share))

    errors = []
    for size in (20, 40):
        tokens = round(np.exp(size) / 0.09)
        width = boundary_width(degree, dim, tokens)
        slope = (logit(centre + 1e-3 * width, size) - logit(centre - 1e-3 * width, size)) / (2e-3 * width)
        errors.append(abs(slope * width - 1))
    assert errors[0] < 0.01
    assert errors[1] < 0.4 * errors[0] or errors[1] < 1e-5


@pytest.mark.parametrize("degree", [1, 3])
def test_on_the_circle_the_share_is_logistic_and_even_at_the_boundary(degree):
    """The logistic function of the docstring within a width of the boundary, at a number of tokens out of reach."""
    centre, tokens = float(th.critical_beta(degree, 2)), 10**200
    width = boundary_width(degree, 2, tokens)
    for offset in (-1.0, -0.3, 0.0, 0.4, 1.0):
        share = boundary_share(centre + offset * width, degree, 2, tokens)
        assert share == pytest.approx(1 / (1 + np.exp(-offset)), abs=5e-3)
    assert boundary_share(centre, degree, 2, 100) == pytest.approx(0.5, abs=1e-12)


def test_survival_and_quantiles_are_inverse_to_each_other():
    """T has no time before the start, and an atom there where tokens are few."""
    law = selection_law(2, 5, 60)
    assert law.survival(-1.0) == 1
    assert law.survival(0.0) == pytest.approx(1 - law.already, abs=1e-14)
    assert 0.01 < law.already < 0.2
    assert law.quantile(law.already / 2) == 0
    for p in (0.3, 0.5, 0.99):
        assert 1 - law.survival(law.quantile(p)) == pytest.approx(p, abs=1e-12)
    assert law.median == law.quantile(0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: selection_law(1, 5, 100), "dim 1: the sphere"),
        (lambda: selection_law(2, -1, 100), "beta -1: the inverse temperature"),
        (lambda: selection_law(2, nan, 100), "beta nan: the inverse temperature"),
        (lambda: selection_law(2, 10**4, 100), r"beta 10000: the rate .* of degree 1 is too large"),
        (lambda: selection_law(2, 5, 1), "tokens 1: the number of tokens must be an integer >= 2"),
        (lambda: selection_law(2, 5, 2.5), "tokens 2.5: the number of tokens"),
        (lambda: selection_law(2, 5, True), "tokens True: the number of tokens"),
        (lambda: selection_law(2, 5, 100, amplitude=1.0), r"amplitude 1\.0: it must lie strictly between 0 and 1"),
        (
            lambda: selection_law(2, 5, 100, amplitude="0.99999999999999999999"),
            r"amplitude 0\.9+: it must lie strictly",
        ),
        (lambda: selection_law(2, 5, 100, amplitude="1e-999"), "amplitude 1e-999: it must lie strictly"),
        (lambda: selection_law(2, 5, 100, amplitude=nan), "amplitude nan: it must lie strictly"),
        (lambda: selection_law(2, 5, 100, model="relu"), "model relu"),
        (
            lambda: selection_law(2, None, 100, kernel=th.Kernel.series([-1, -1])),
            "kernel: none of the degrees 1 to 2 grows",
        ),
        (
            lambda: selection_law(2, None, 100, kernel="where(t > 0, 1, 0)"),
            "max_degree: the last degree that races is needed, as those beyond 1000 may be",
        ),
        (lambda: selection_law(2, 5, 100, max_degree=0), "max_degree 0: the last degree that races must be an integer"),
        (lambda: tokens_needed(0.5, 2, 5, max_degree=1001), "max_degree 1001: the last degree .* from 1 to 1000"),
        (lambda: selection_law(64, 600, 50), r"degree \d+: \d+ harmonics in dim 64 emerge too sharply"),
        (lambda: selection_law(2, 5, 100).quantile(1), "probability 1: it must lie strictly"),
        (lambda: selection_law(2, 5, 100).quantile("x"), "probability x: it must lie strictly"),
        (lambda: selection_law(2, 5, 100).quantile(9e-31), "probability 9e-31: quantiles are worked out from 1e-30"),
        (lambda: selection_law(2, 5, 100).survival("a"), "time a: a number is needed"),
        (lambda: selection_law(2, 5, 100).survival(nan), "time nan: a number is needed"),
        (lambda: selection_law(2, 5, 100, amplitude="a"), "amplitude a: it must lie strictly"),
        (lambda: selection_law(2, 5, 100, amplitude=None), "amplitude None: it must lie strictly"),
        (lambda: tokens_needed(0, 2, 5), "probability 0: it must lie strictly"),
        (lambda: tokens_needed("half", 2, 5), "probability half: it must lie strictly"),
        (lambda: tokens_needed(1 - 1e-14, 2, 5), "probability 0.99999999999999: it must be less than 1 by 1e-13"),
        (lambda: boundary_width(20, 64, 2000), r"degree 20: \d+ harmonics in dim 64 are too many"),
        (lambda: boundary_share(5, 0, 2, 100), "degree 0: the degree"),
        (lambda: boundary_share(inf, 3, 2, 100), "beta inf: the inverse temperature"),
        (lambda: boundary_share(5, 3, 2, 11), r"tokens 11: .* only if N a\^2 > 1, with amplitude 0\.3"),
        (lambda: boundary_width(3, 1, 100), "dim 1: the sphere"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, message):
    """The message names the value."""
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("probability", ["0.999999", "0.99999999"])
def test_a_chance_next_to_certain_needs_a_number_of_tokens_too(probability):
    """Where the quadrature's chance has plateaus: too few by a tenth is less likely, too many by a tenth is more."""
    tokens, wanted = tokens_needed(probability, 2, 5), float(probability)
    fewer, more = (selection_law(2, 5, tokens * part // 10).selection[3] for part in (9, 11))
    assert fewer < wanted < more
    assert 1 - more == pytest.approx(1 - wanted, rel=0.1)
