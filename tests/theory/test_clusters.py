"""Clusters on the circle and antipodal clusters: the flow itself, differentiated numerically, against the formulas."""

from math import inf, nan

import mpmath
import pytest
import sympy as sp
from flint import arb
from hypothesis import given, settings
from hypothesis.strategies import floats, fractions, integers, sampled_from

from gegenflow import theory as th
from gegenflow.theory.clusters import circle as cl
from gegenflow.theory.clusters.antipodal import antipodal_clusters, survival_beta
from gegenflow.theory.clusters.escapes import escape_asymptote, escape_mode, escape_rate, lifetime

MODELS = sampled_from(["usa", "sa"])
BETAS = fractions(0, 12, max_denominator=50).filter(lambda b: b > 0)
PRECISE = 60


def real(number):
    """The value of a certified decimal at the working precision of mpmath."""
    return mpmath.mpf(number.value)


def exact(beta):
    return mpmath.mpf(beta.numerator) / beta.denominator


def force(angle, others, weights, beta, model):
    """Velocity of a token at an angle on the circle."""
    weighted = [w * mpmath.exp(beta * mpmath.cos(angle - other)) for w, other in zip(weights, others, strict=True)]
    pull = -sum(w * mpmath.sin(angle - other) for w, other in zip(weighted, others, strict=True))
    return pull / sum(weighted) if model == "sa" else pull


def response(angles, displacement, weights, beta, model):
    """Change of every velocity along a displacement of all tokens, by a central difference, error 1e-25."""
    step = mpmath.mpf(10) ** -20
    moved = [[a + sign * step * u for a, u in zip(angles, displacement, strict=True)] for sign in (1, -1)]
    plus, minus = ([force(a, state, weights, beta, model) for a in state] for state in moved)
    return [(p - m) / (2 * step) for p, m in zip(plus, minus, strict=True)]


def degree_sum(residue, clusters, beta):
    """The growth rates n^2 I_n/beta of the uniform state, over all integers n of a residue, by mpmath's Bessel."""
    degrees = range(-100 + (residue + 100) % clusters, 101, clusters)
    return sum(n**2 * mpmath.besseli(abs(n), beta) for n in degrees) / beta


@given(clusters=integers(2, 9), mode=integers(0, 9), beta=BETAS, model=MODELS)
def test_displaced_clusters_respond_with_the_rate_of_their_mode(clusters, mode, beta, model):
    """The equation of motion differentiated at 60 digits; no cosine sum, no Bessel function."""
    with mpmath.workdps(PRECISE):
        angles = [2 * mpmath.pi * a / clusters for a in range(clusters)]
        wave = [mpmath.cos(mode * angle + 1) for angle in angles]
        answer = response(angles, wave, [mpmath.mpf(1) / clusters] * clusters, exact(beta), model)
        rate = real(cl.mode_rate(mode, clusters, beta, model=model, digits=25))
        scale = mpmath.exp(exact(beta))
        if 2 * mode % clusters:  # cos and sin are both modes; otherwise a multiple of the one that does not vanish
            assert all(abs(v - rate * u) < scale * mpmath.mpf(10) ** -20 for v, u in zip(answer, wave, strict=True))
        else:
            assert all(
                abs(v * wave[0] - rate * u * wave[0]) < scale / 10**20 for v, u in zip(answer, wave, strict=True)
            )


@given(clusters=integers(1, 9), beta=BETAS, model=MODELS)
def test_two_tokens_of_a_cluster_close_in_at_the_intra_cluster_rate(clusters, beta, model):
    """Every cluster is two tokens moved apart in the equation of motion; random multiples in each cluster."""
    with mpmath.workdps(PRECISE):
        angles = [2 * mpmath.pi * (a // 2) / clusters for a in range(2 * clusters)]
        apart = [(-1) ** a * (1 + a // 2) for a in range(2 * clusters)]
        answer = response(angles, apart, [mpmath.mpf(1) / (2 * clusters)] * (2 * clusters), exact(beta), model)
        rate = real(cl.intra_rate(clusters, beta, model=model, digits=25))
        scale = mpmath.exp(exact(beta))
        assert all(abs(v - rate * u) < scale * mpmath.mpf(10) ** -20 for v, u in zip(answer, apart, strict=True))


@given(clusters=integers(2, 12), mode=integers(0, 12), beta=BETAS, digits=integers(1, 30))
@settings(max_examples=20)
def test_rates_are_sums_of_growth_rates_of_the_uniform_state(clusters, mode, beta, digits):
    """Bessel functions of every degree of a residue against finite sums of exponentials; value, error and ball."""
    with mpmath.workdps(digits + 40):
        neutral = degree_sum(0, clusters, exact(beta))
        for expected, rate in (
            (-neutral, cl.intra_rate(clusters, beta, digits=digits)),
            (
                degree_sum(mode % clusters, clusters, exact(beta)) - neutral,
                cl.mode_rate(mode, clusters, beta, digits=digits),
            ),
        ):
            slack = mpmath.exp(exact(beta)) * mpmath.mpf(10) ** (-digits - 30)
            assert abs(real(rate) - expected) <= mpmath.mpf(rate.error) + slack
            assert mpmath.mpf(rate.error) <= 6 * abs(real(rate)) * mpmath.mpf(10) ** -digits
            assert rate.ball.rad() <= abs(rate.ball) * arb(10) ** (1 - digits)


@given(clusters=integers(2, 9), mode=integers(0, 9), beta=BETAS, model=MODELS)
@settings(max_examples=20)
def test_symbolic_rates_take_the_certified_values(clusters, mode, beta, model):
    """sympy's expression in the symbol beta, substituted and evaluated by mpmath, against balls."""
    at = {th.beta: sp.Rational(beta.numerator, beta.denominator)}
    for symbolic, certified in (
        (cl.mode_rate(mode, clusters, model=model), cl.mode_rate(mode, clusters, beta, model=model, digits=20)),
        (cl.intra_rate(clusters, model=model), cl.intra_rate(clusters, beta, model=model, digits=20)),
        (cl.cluster_energy(clusters), cl.cluster_energy(clusters, beta, digits=20)),
    ):
        assert abs(sp.sympify(symbolic).subs(at).evalf(40) - sp.Rational(certified.value)) <= sp.Rational(
            certified.error
        )


@given(clusters=integers(2, 9), beta=BETAS)
@settings(max_examples=20)
def test_energy_grows_along_a_displacement_by_the_rate(clusters, beta):
    """Second difference of the pairwise energy: its Hessian is the linearised flow over the number of clusters."""
    with mpmath.workdps(PRECISE):
        b, step, mode = exact(beta), mpmath.mpf(10) ** -15, clusters // 2
        angles = [2 * mpmath.pi * a / clusters for a in range(clusters)]

        def energy(size):
            state = [angle + size * mpmath.cos(mode * angle) for angle in angles]
            pairs = sum(mpmath.exp(b * mpmath.cos(x - y)) for x in state for y in state)
            return pairs / (2 * b * clusters**2)

        norm = sum(mpmath.cos(mode * angle) ** 2 for angle in angles) / clusters
        bend = (energy(step) - 2 * energy(0) + energy(-step)) / step**2
        assert (
            abs(bend - norm * real(cl.mode_rate(mode, clusters, beta, digits=25)))
            < mpmath.exp(b) * mpmath.mpf(10) ** -20
        )
        assert (
            abs(energy(0) - real(cl.cluster_energy(clusters, beta, digits=25)))
            < mpmath.exp(b) / b * mpmath.mpf(10) ** -24
        )


@given(clusters=integers(2, 40), beta=floats(1e-3, 1e3), model=MODELS)
def test_clusters_hold_together_and_always_escape(clusters, beta, model):
    """Certified signs over six decades of beta, in support of the proof."""
    assert cl.intra_rate(clusters, beta, model=model, digits=2).ball < 0
    assert escape_rate(clusters, beta, model=model, digits=2).ball > 0


@given(clusters=integers(5, 400))
def test_lemma_of_the_escape_holds_at_its_extreme_temperature(clusters):
    """n^2 I_n > 4 k^2 I_k for k/4 <= n <= k/2 where beta is largest, cos(h)/sin(h)^2, by mpmath's Bessel functions."""
    angle = 2 * mpmath.pi / clusters
    beta = mpmath.cos(angle) / mpmath.sin(angle) ** 2
    assert beta < clusters**2 / (4 * mpmath.pi**2)
    rates = {n: n**2 * mpmath.besseli(n, beta) for n in (-(-clusters // 4), clusters // 2, clusters)}
    assert min(rates[-(-clusters // 4)], rates[clusters // 2]) > 4 * rates[clusters]


@given(clusters=integers(2, 12), beta=BETAS)
@settings(max_examples=15)
def test_escape_mode_has_the_largest_rate(clusters, beta):
    """All modes compared through the Bessel sums of mpmath."""
    with mpmath.workdps(40):
        rates = {m: degree_sum(m, clusters, exact(beta)) for m in range(1, clusters // 2 + 1)}
        assert escape_mode(clusters, beta) == max(rates, key=rates.__getitem__)


def test_four_clusters_change_their_escape_at_the_omega_constant():
    """Modes 1 and 2 cross where exp(-beta) = beta: the Lambert function of 1."""
    with mpmath.workdps(30):
        omega = mpmath.lambertw(1).real
        below, above = (mpmath.nstr(omega + shift, 28) for shift in (-(mpmath.mpf(10) ** -25), mpmath.mpf(10) ** -25))
    assert (escape_mode(4, below), escape_mode(4, above)) == (1, 2)


@pytest.mark.parametrize("clusters", [5, 6, 7, 8])
@pytest.mark.parametrize("model", ["usa", "sa"])
def test_asymptote_is_reached_at_the_stated_order(clusters, model):
    """Slope of the logarithm of the relative error: second neighbours (third for even k), or Z, are left out."""
    nearest, next_one = (mpmath.cos(2 * mpmath.pi * j / clusters) for j in (1, 3 if clusters % 2 == 0 else 2))
    order = nearest - next_one if model == "usa" else min(nearest - next_one, 1 - nearest)
    errors = []
    for beta in (60, 120):
        exactly = escape_rate(clusters, beta, model=model, digits=120)
        ratio = escape_asymptote(clusters, beta, model=model).evalf(120) / sp.Float(exactly.value, 120)
        errors.append(mpmath.mpf(str(abs(ratio - 1))))
    assert mpmath.log(errors[0] / errors[1]) / 60 == pytest.approx(float(order), rel=0.02)


@pytest.mark.parametrize("clusters", [2, 3, 4])
def test_asymptote_is_exact_for_few_clusters(clusters):
    """As expressions in beta; for four clusters the rate of mode 2."""
    assert sp.simplify(escape_asymptote(clusters) - cl.mode_rate(clusters // 2, clusters)) == 0


@given(clusters=integers(2, 9), beta=BETAS, model=MODELS, start=fractions("1/1000", "999/1000"))
@settings(max_examples=20)
def test_linear_law_reaches_one_after_the_lifetime(clusters, beta, model, start):
    """The start times the exponential of the largest rate of all modes."""
    with mpmath.workdps(40):
        modes = range(1, clusters)
        fastest = max(real(cl.mode_rate(m, clusters, beta, model=model, digits=25)) for m in modes)
        time = real(lifetime(clusters, beta, perturbation=start, model=model, digits=25))
        assert abs(exact(start) * mpmath.exp(fastest * time) - 1) < mpmath.mpf(10) ** -20
        folding = real(lifetime(clusters, beta, model=model, digits=25))  # in which it grows by e, from 1/e
        assert abs(fastest * folding - 1) < mpmath.mpf(10) ** -20


# antipodal clusters


def flow(point, others, weights, beta, model):
    """Velocity of a token of the sphere, mpmath vectors."""
    weighted = [w * mpmath.exp(beta * mpmath.fdot(point, y)) for w, y in zip(weights, others, strict=True)]
    pull = [sum(w * y[i] for w, y in zip(weighted, others, strict=True)) for i in range(len(point))]
    radial = mpmath.fdot(point, pull)
    scale = sum(weighted) if model == "sa" else 1
    return [(p - radial * x) / scale for p, x in zip(pull, point, strict=True)]


@given(mass=fractions("1/50", "1/2"), beta=BETAS, dim=integers(2, 5), model=MODELS)
def test_antipodal_clusters_spread_and_escape_at_the_stated_rates(mass, beta, dim, model):
    """Tokens tilted by 1e-20 in the equation of motion, in any dim, at 60 digits."""
    with mpmath.workdps(PRECISE):
        m, b, tilt = exact(mass), exact(beta), mpmath.mpf(10) ** -20
        rates = antipodal_clusters(mass, beta, model=model)
        majority, minority, escape = (
            mpmath.mpf(str(getattr(rates, name).evalf(40))) for name in ("majority", "minority", "escape")
        )

        def tilted(side, size):
            return [side * mpmath.cos(size), *[0] * (dim - 2), mpmath.sin(size)]

        north, south = tilted(1, 0), tilted(-1, 0)
        for side, rate in ((1, majority), (-1, minority)):
            answer = flow(tilted(side, tilt), [north, south], [1 - m, m], b, model)[-1] / tilt
            assert abs(answer - rate) < mpmath.exp(b) * mpmath.mpf(10) ** -25
        # the mode of the escape solves (J - escape) u = 0: trace of J, whose other eigenvalue is the rotation's 0
        trace = 0
        for own, state in ((0, [tilted(1, tilt), south]), (1, [north, tilted(-1, tilt)])):
            trace += flow(state[own], state, [1 - m, m], b, model)[-1] / tilt
        assert abs(trace - escape) < mpmath.exp(b) * mpmath.mpf(10) ** -25


@given(mass=fractions("1/1000", "49/100"), digits=integers(1, 40))
def test_survival_is_where_the_minority_neither_spreads_nor_contracts(mass, digits):
    """Zero of the radial pull (1-m) e^{-b} - m e^b, found by mpmath's secant at twice the precision."""
    survival = survival_beta(mass, digits=digits)
    with mpmath.workdps(2 * digits + 30):
        m = exact(mass)
        root = mpmath.findroot(
            lambda b: (1 - m) * mpmath.exp(-b) - m * mpmath.exp(b), (real(survival), real(survival) + 1)
        )
        assert abs(real(survival) - root) <= mpmath.mpf(survival.error)
        for model in ("usa", "sa"):
            below, above = (
                antipodal_clusters(mass, sp.Rational(survival.value) * factor, model=model).minority.evalf(30)
                for factor in (sp.Rational(98, 100), sp.Rational(102, 100))
            )
            if digits > 3:
                assert below > 0 > above


def test_equal_antipodal_clusters_are_two_clusters_on_the_circle():
    """Both parts of the module at once: same expressions for k = 2 and for m = 1/2."""
    for model in ("usa", "sa"):
        pair = antipodal_clusters(sp.Rational(1, 2), model=model)
        assert sp.simplify((pair.minority - cl.intra_rate(2, model=model)).rewrite(sp.exp)) == 0
        assert sp.simplify((pair.escape - cl.mode_rate(1, 2, model=model)).rewrite(sp.exp)) == 0
    assert survival_beta("1/2") == 0
    assert float(survival_beta(0.5, digits=3)) == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: cl.cluster_energy(0),
        lambda: cl.intra_rate(2.5),
        lambda: cl.intra_rate(True),
        lambda: cl.mode_rate(0.5, 3),
        lambda: cl.mode_rate(1, 3, 0),
        lambda: cl.mode_rate(1, 3, -1),
        lambda: cl.mode_rate(1, 3, nan),
        lambda: cl.mode_rate(1, 3, 5, model="softmax"),
        lambda: cl.mode_rate(1, 3, 5, digits=0),
        lambda: cl.mode_rate(1, 3, digits=5),
        lambda: escape_mode(1, 5),
        lambda: escape_mode(3, th.beta),
        lambda: escape_rate(3, inf),
        lambda: escape_asymptote(3, model="softmax"),
        lambda: lifetime(3, 5, perturbation=0),
        lambda: lifetime(3, 5, perturbation=1),
        lambda: lifetime(3, 5, perturbation=nan),
        lambda: survival_beta(0),
        lambda: survival_beta("0.6"),
        lambda: survival_beta(digits=5),
        lambda: survival_beta(sp.Symbol("x", negative=True)),
        lambda: antipodal_clusters(nan, 1),
        lambda: antipodal_clusters("1/3", 1, model="softmax"),
    ],
)
def test_bad_input_is_one_sentence(call):
    """Every refusal is a ValueError that says what is allowed."""
    with pytest.raises(ValueError, match=r"must|need|is 'usa'|number|digits"):
        call()


@pytest.mark.parametrize("spelling", [sp.sqrt(2) / 4, th.certify(lambda: arb(2).sqrt() / 4, 30)], ids=str)
def test_irrational_numbers_are_numbers(spelling):
    """An irrational share and temperature, exact or as a ball, against floats of mpmath."""
    share, beta = mpmath.sqrt(2) / 4, mpmath.sqrt(2)
    assert float(survival_beta(spelling, digits=14)) == pytest.approx(float(mpmath.log((1 - share) / share) / 2))
    energy = (mpmath.exp(beta) + 2 * mpmath.exp(-beta / 2)) / 3 / (2 * beta)
    assert float(cl.cluster_energy(3, 4 * spelling, digits=14)) == pytest.approx(float(energy))
    assert escape_mode(4, 4 * spelling) == 2


def test_a_ball_that_is_too_wide_is_refused_in_one_sentence():
    """Five digits of a number do not give 14 of another."""
    with pytest.raises(ValueError, match=r"^mass \[0.35355.* known too coarsely for 14 digits; give it with more"):
        survival_beta(th.Certified("0.35355", "4e-6", arb("0.35355", 4e-6)), digits=14)


@given(clusters=integers(2, 12), beta=fractions(1, 20, max_denominator=10))
def test_table_of_rates_is_each_rate_by_itself(clusters, beta):
    """The closed sum in sympy, mode by mode, against one table of pushes and cosines."""
    rates = cl.mode_rates(clusters, arb(beta.numerator) / beta.denominator)
    for m, rate in enumerate(rates, 1):
        exact = cl.mode_rate(m, clusters, sp.Rational(beta.numerator, beta.denominator)).evalf(25)
        assert float(rate) == pytest.approx(float(exact), rel=1e-9)
    assert len(rates) == clusters // 2
