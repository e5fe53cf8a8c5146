"""Synchronisation: Lojasiewicz constants on random measures, variations along geodesics, rates at a Dirac."""

from math import inf, nan

import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import example, given, settings
from hypothesis.strategies import floats, integers, just, sampled_from
from scipy.integrate import solve_ivp

from gegenflow.theory.clusters.variations import energy_curvature, energy_slope
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.symbols import t
from gegenflow.theory.synchronization.contraction import dirac_rate, kuramoto_lojasiewicz, lojasiewicz_constant
from gegenflow.theory.synchronization.kuramoto import pair_angle, poisson_resultant
from gegenflow.theory.synchronization.normalization import decay_law

MODELS = sampled_from(["usa", "sa"])
ROUNDING = 1e-7
"""Of the quotient of two differences from a maximum, each at least 1e-8 of the energy below."""


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def velocity(x, weights, beta, model="usa"):
    """Velocities of weighted tokens, written for complex steps too."""
    pull = np.exp(beta * (x @ x.T)) * weights
    v = pull @ x / (pull.sum(axis=1, keepdims=True) if model == "sa" else 1)
    return v - (x * v).sum(axis=1, keepdims=True) * x


def ascent(x, weights, beta, model="usa"):
    """dE/dt over E* - E, from velocities and from differences of the kernel that do not cancel."""
    drop = ((x[:, None] - x[None]) ** 2).sum(axis=2) / 2
    lost = np.exp(beta) * (-np.expm1(-beta * drop) / beta if beta else drop)
    v, w = velocity(x, weights, beta, model), velocity(x, weights, beta)
    return weights @ (v * w).sum(axis=1) / (weights @ lost @ weights / 2)


def measures(rng, count, spread):
    """Random weighted tokens, from a narrow cap to the whole sphere, with a few heavy or repeated tokens."""
    for _ in range(count):
        n, dim = rng.integers(2, 8), rng.integers(2, 8)
        x = unit(np.eye(dim)[0] + rng.normal(size=(n, dim)) * 10 ** rng.uniform(-1.5, spread))
        yield x, rng.dirichlet(np.full(n, rng.choice([0.2, 1, 5])))


def constant(overlap, beta, tokens, model):
    """The formula of the docstring in floats, so that thousands of measures are quick; tied to the function below."""
    q, u = overlap + (1 - overlap) / tokens, beta * (1 - overlap)
    least, greatest = (overlap, 1) if beta >= 0 else (1, overlap)
    slope = u / np.expm1(u) if u > 0 else 1
    return 2 * q * slope * np.exp(beta * least) / (np.exp(beta * greatest) if model == "sa" else 1)


@given(overlap=floats(0.01, 0.99), beta=floats(-5, 8), tokens=sampled_from([2, 3, 17, inf]), model=MODELS)
def test_constant_in_floats_is_the_certified_one(overlap, beta, tokens, model):
    """Ties the quick formula of the tests below to the function under test."""
    exact = lojasiewicz_constant(overlap, beta, tokens=sp.oo if tokens == inf else tokens, model=model, digits=15)
    assert float(exact) == pytest.approx(constant(overlap, beta, tokens, model), rel=1e-10)


@pytest.mark.parametrize("model", ["usa", "sa"])
@pytest.mark.parametrize("beta", [-2.0, 0.0, 0.3, 2.0, 6.0])
def test_energy_rises_at_least_at_the_lojasiewicz_constant(beta, model):
    """4000 random measures a case, in three sets: any with overlaps > 0, equal tokens, a cap around the mean."""
    rng = np.random.default_rng(5)
    tried = {"any": 0, "equal": 0, "cap": 0}
    for x, weights in measures(rng, 4000, 0.5):
        smallest = (x @ x.T).min()
        equal = np.full(len(x), 1 / len(x))
        mean = weights @ x
        cap = (x @ mean).min() / np.linalg.norm(mean)
        cases = [("any", weights, smallest, inf)] if smallest > 0 else []
        cases += [("equal", equal, smallest, len(x))] if smallest > -1 / (len(x) - 1) else []
        cases += [("cap", weights, 2 * cap**2 - 1, 2)] if cap > 0 else []
        for name, masses, overlap, tokens in cases:
            assert ascent(x, masses, beta, model) >= constant(overlap, beta, tokens, model) * (1 - ROUNDING)
            tried[name] += 1
    assert min(tried.values()) > 1000


@pytest.mark.parametrize("model", ["usa", "sa"])
def test_a_constant_of_unknown_sign_has_both_cases(model):
    """A symbol that may be negative: each case is that of the number."""
    b = sp.Symbol("b")
    for value in (-2, 0, sp.Rational(3, 2)):
        case = lojasiewicz_constant("0.5", b, model=model).subs(b, value)
        assert float(case) == pytest.approx(float(lojasiewicz_constant("0.5", value, model=model)), rel=1e-14)
    assert float(lojasiewicz_constant("0.5", b).subs(b, -2)) == pytest.approx(np.exp(-2), rel=1e-14)
    with pytest.raises(Refused, match="its sign must be known"):
        lojasiewicz_constant("0.5", arb(0, 0.1))


@given(overlap=floats(-0.9, 0.99), beta=just(0.0) | floats(1e-6, 8), tokens=integers(2, 8))
def test_lojasiewicz_constant_is_attained(overlap, beta, tokens):
    """Sharp: equiangular tokens (and two clusters at the rim of a cap, n = 2) have exactly this quotient."""
    overlap = (overlap + 1) / 2 * (1 + 0.98 / (tokens - 1)) - 0.98 / (tokens - 1)
    gram = np.full((tokens, tokens), overlap) + (1 - overlap) * np.eye(tokens)
    quotient = ascent(np.linalg.cholesky(gram), np.full(tokens, 1 / tokens), beta)
    assert quotient == pytest.approx(float(lojasiewicz_constant(overlap, beta, tokens=tokens, digits=15)), rel=1e-7)


def test_no_constant_serves_all_measures_of_a_given_resultant():
    """Masses 2/3 and 1/3 at antipodes: R = 1/3, velocity 0, energy below its maximum, at any beta."""
    x, weights = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([2 / 3, 1 / 3])
    for beta in (0.0, 1.0, 5.0):
        assert ascent(x, weights, beta) == 0


@given(seed=integers(0, 10**6), beta=floats(-3, 5), model=MODELS)
def test_smallest_overlap_never_falls_from_a_start_where_all_are_positive(seed, beta, model):
    """The velocity of the smallest overlap of random tokens: the set of the constant is kept."""
    (x, weights), *_ = measures(np.random.default_rng(seed), 1, 0.0)
    overlaps = x @ x.T
    if (smallest := overlaps.min()) >= 0:
        v = velocity(x, weights, beta, model)
        rates = (x @ v.T + v @ x.T)[overlaps == smallest]
        assert rates.min() >= -1e-12 * np.exp(abs(beta))


def test_kuramoto_constant_holds_and_is_attained():
    """5000 random measures on whole spheres, and extremal ones: a takes the values c and 1 only."""
    rng = np.random.default_rng(6)
    for x, weights in measures(rng, 5000, 2):
        mean = weights @ x
        length = np.linalg.norm(mean)
        cone = min((x @ mean).min() / length, length)
        quotient = 2 * length**2 * (1 + cone) / (1 + length)
        assert ascent(x, weights, 0) >= quotient * (1 - ROUNDING) - 1e-14
    for length, cone in ((0.5, -0.3), (0.9, 0.2), (0.1, -0.99)):
        rim = (1 - length) / (1 - cone)  # mass off the axis
        sine = np.sqrt(1 - cone**2)
        x = np.array([[1, 0], [cone, sine], [cone, -sine]])
        attained = ascent(x, np.array([1 - rim, rim / 2, rim / 2]), 0)
        assert attained == pytest.approx(float(kuramoto_lojasiewicz(length, cone)), rel=1e-12)


@given(dim=integers(2, 6), tokens=integers(2, 6), beta=floats(-3, 3), model=MODELS)
@settings(max_examples=20)
def test_tokens_at_one_point_contract_at_the_dirac_rate(dim, tokens, beta, model):
    """Jacobian of the flow at a Dirac by complex steps: d-1 rotations at 0, everything else at the rate."""
    x, weights = np.tile(np.eye(dim)[0], (tokens, 1)), np.random.default_rng(dim).dirichlet(np.ones(tokens))
    columns = []
    for token in range(tokens):
        for axis in range(1, dim):
            moved = x.astype(complex)
            moved[token, axis] += 1e-30j
            columns.append((velocity(moved, weights, beta, model).imag / 1e-30)[:, 1:].ravel())
    eigenvalues = np.sort(np.linalg.eigvals(np.array(columns).T).real)
    rate = float(dirac_rate(beta, model=model, digits=15))
    expected = np.concatenate([np.full((tokens - 1) * (dim - 1), -rate), np.zeros(dim - 1)])
    np.testing.assert_allclose(eigenvalues, expected, atol=1e-6 * rate)


@pytest.mark.parametrize("beta", [0.0, 1.0, -1.0])
def test_distance_to_the_dirac_falls_at_its_rate(beta):
    """The whole flow from random tokens of a half sphere: fitted slope of log W_2 over the last stretch."""
    rng = np.random.default_rng(1)
    x, weights = unit(np.eye(3)[0] + 0.4 * rng.normal(size=(12, 3))), np.full(12, 1 / 12)
    rate = float(dirac_rate(beta, digits=15))
    times = np.array([0, 7, 9]) / rate

    def field(_, state):
        return velocity(state.reshape(12, 3), weights, beta).ravel()

    states = solve_ivp(field, (0, times[-1]), x.ravel(), rtol=1e-11, atol=1e-13, t_eval=times).y.T.reshape(3, 12, 3)
    spread = [np.sqrt(((s - s.mean(axis=0)) ** 2).sum() / 12) for s in states]
    assert np.log(spread[1] / spread[2]) / (times[2] - times[1]) == pytest.approx(rate, rel=1e-4)


# variations


def random_problem(seed, dim, tokens, matrix):
    """Exact rational unit tokens and tangent velocities (Cayley), weights and a general matrix."""
    rng = np.random.default_rng(seed)
    x, xi = [], []
    for _ in range(tokens):
        half = sp.Matrix([sp.Rational(int(z), 7) for z in rng.integers(-9, 10, dim - 1)])
        size = half.dot(half)
        point = sp.Matrix([*(2 * half), 1 - size]) / (1 + size)
        free = sp.Matrix([sp.Rational(int(z), 5) for z in rng.integers(-9, 10, dim)])
        x.append(list(point))
        xi.append(list(free - free.dot(point) * point))
    weights = [sp.Rational(int(z), 20) for z in rng.integers(1, 20, tokens)]
    m = sp.Matrix(dim, dim, [sp.Rational(int(z), 6) for z in rng.integers(-6, 7, dim**2)]) if matrix else None
    return x, xi, weights, m


@given(
    seed=integers(0, 10**6), dim=integers(2, 4), tokens=integers(1, 3), beta=sampled_from(["0", "1.7", "-0.8"]),
    matrix=sampled_from([True, False]),
)  # fmt: skip
@settings(max_examples=25)
def test_variations_are_differences_of_the_energy_along_geodesics(seed, dim, tokens, beta, matrix):
    """Central differences of the energy itself at 60 digits, step 1e-12: error 1e-23 of a derivative."""
    x, xi, weights, m = random_problem(seed, dim, tokens, matrix)
    slope = energy_slope(x, xi, beta, weights=weights, matrix=None if m is None else m.tolist())
    curvature = energy_curvature(x, xi, beta, weights=weights, matrix=None if m is None else m.tolist())
    with mpmath.workdps(60):

        def numbers(rows):
            return [[mpmath.mpf(z.p) / z.q for z in row] for row in rows]

        points, speeds, b = numbers(x), numbers(xi), mpmath.mpf(beta)
        masses = numbers([weights])[0]
        form = mpmath.matrix(numbers((sp.eye(dim) if m is None else m).tolist()))

        def energy(s):
            moved = []
            for p, q in zip(points, speeds, strict=True):
                size = mpmath.norm(q)
                sine = mpmath.sin(size * s) / size if size else 0
                moved.append(mpmath.matrix([mpmath.cos(size * s) * a + sine * c for a, c in zip(p, q, strict=True)]))
            total = mpmath.mpf(0)
            for w, p in zip(masses, moved, strict=True):
                for z, q in zip(masses, moved, strict=True):
                    overlap = (p.T * form * q)[0]
                    total += w * z * (mpmath.expm1(b * overlap) / b if b else overlap) / 2
            return total

        step = mpmath.mpf(10) ** -12
        up, here, down = energy(step), energy(mpmath.mpf(0)), energy(-step)
        tolerance = mpmath.mpf(10) ** -17
        assert abs((up - down) / (2 * step) - mpmath.mpf(str(sp.N(slope, 50)))) < tolerance
        assert abs((up - 2 * here + down) / step**2 - mpmath.mpf(str(sp.N(curvature, 50)))) < tolerance


@given(seed=integers(0, 10**6), dim=integers(2, 4))
@settings(max_examples=10)
def test_slope_along_the_gradient_is_its_dissipation(seed, dim):
    """dE = sum w |v|^2 for v the projected gradient, of any matrix and a general kernel, by plain numpy; for a
    symmetric matrix v is attention with that matrix for values."""
    x, _, weights, m = random_problem(seed, dim, 3, True)
    kernel = Kernel(1 + t + t**2)
    for form in (m, m + m.T):
        tokens, masses, matrix = (np.array(z, dtype=float) for z in (x, weights, form.tolist()))
        overlaps = tokens @ matrix @ tokens.T
        felt = 1 + overlaps + overlaps**2
        pull = (felt * masses @ tokens @ matrix.T + felt.T * masses @ tokens @ matrix) / 2
        v = pull - (tokens * pull).sum(axis=1, keepdims=True) * tokens
        slope = float(energy_slope(tokens.tolist(), v.tolist(), weights=weights, matrix=form.tolist(), kernel=kernel))
        assert slope == pytest.approx(masses @ (v**2).sum(axis=1), rel=1e-9, abs=1e-12)
    attention = felt * masses @ tokens @ matrix.T
    np.testing.assert_allclose(pull, attention, atol=1e-12 * abs(attention).max())


# Kuramoto


@given(resultant=floats(0.05, 0.95), elapsed=floats(0.1, 6))
@example(resultant=0.75, elapsed=5.0)
@settings(max_examples=10)
def test_poisson_density_rises_as_stated(resultant, elapsed):
    """2001 quantiles of the density, moved by the sine coupling, against the closed resultant."""
    uniform = 2 * np.pi * (np.arange(2001) + 0.5) / 2001
    start = 2 * np.arctan((1 - resultant) / (1 + resultant) * np.tan((uniform - np.pi) / 2))
    # quantiles of the wrapped Cauchy law: the Moebius image of equally spaced angles
    x0 = np.exp(1j * start).mean().real

    def field(_, angles):
        return -(np.exp(1j * angles) * np.exp(-1j * angles).mean()).imag

    end = solve_ivp(field, (0, elapsed), start, rtol=1e-9, atol=1e-10).y[:, -1]
    assert x0 == pytest.approx(resultant, abs=1e-9 + resultant**2001)
    exact = float(poisson_resultant(elapsed, resultant))
    assert abs(np.exp(1j * end).mean()) == pytest.approx(exact, abs=1e-7 + exact**2001)  # images of equal angles


@given(angle=floats(0.01, 3.1), elapsed=floats(0, 8), mass=floats(0.01, 0.99))
@settings(max_examples=15)
def test_pair_closes_as_stated_whatever_the_masses(angle, elapsed, mass):
    """The flow of two tokens of masses m and 1-m in three dimensions, integrated."""
    x = np.array([[0.6, 0.0, 0.8], [0.6 * np.cos(angle) - 0.0, np.sin(angle), 0.8 * np.cos(angle)]])
    weights = np.array([mass, 1 - mass])

    def field(_, state):
        return velocity(state.reshape(2, 3), weights, 0).ravel()

    end = solve_ivp(field, (0, elapsed), x.ravel(), rtol=1e-10, atol=1e-12).y[:, -1].reshape(2, 3)
    measured = 2 * np.arctan2(np.linalg.norm(end[0] - end[1]), np.linalg.norm(end[0] + end[1]))
    assert measured == pytest.approx(float(pair_angle(elapsed, angle)), abs=1e-8)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: dirac_rate(nan), "beta nan"),
        (lambda: dirac_rate(1, model="relu"), "model relu"),
        (lambda: dirac_rate(model="sa", kernel=Kernel(1 - t)), "kernel 1 - t"),
        (lambda: dirac_rate(digits=3), "beta: a number is needed"),
        (lambda: dirac_rate(1, digits=0), "digits 0"),
        (lambda: lojasiewicz_constant(0, 1), "overlap 0"),
        (lambda: lojasiewicz_constant("-0.5", 1, tokens=3), "overlap -0.5"),
        (lambda: lojasiewicz_constant(1, 1), "overlap 1"),
        (lambda: lojasiewicz_constant("0.5", inf), "beta inf"),
        (lambda: kuramoto_lojasiewicz(0, -1), "resultant 0"),
        (lambda: kuramoto_lojasiewicz("0.5", "0.6"), "cone 0.6"),
        (lambda: energy_slope([[1, 0]], [[0, 1, 0]]), "velocities of shape"),
        (lambda: energy_slope([[1, 0], [0]], [[0, 1]]), "tokens"),
        (lambda: energy_slope([[1, 0]], [[0, 1]], matrix=[[1]]), "matrix of shape"),
        (lambda: energy_curvature([[1, 0]], [[0, 1]], weights=[1, 2]), "weights of shape"),
        (lambda: pair_angle(1, 4), "angle 4"),
        (lambda: pair_angle(-1, 1), "time -1"),
        (lambda: poisson_resultant(1, 2), "resultant 2"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, words):
    """Each names the value."""
    with pytest.raises(ValueError, match=words) as refusal:
        call()
    assert "\n" not in str(refusal.value)


def test_tokens_start_at_length_one_and_overlap_zero_unless_told():
    """The constant of Pre-LN is C r_0^2 (1 + (n-1) g_0)/n: it tells the defaults from other starts."""
    plain = decay_law("pre", 8, 0, digits=12)
    assert plain == decay_law("pre", 8, 0, start=0, radius=1, digits=12)
    assert float(decay_law("pre", 8, 0, radius=2, digits=12).constant) != float(plain.constant)
    assert float(decay_law("pre", 8, 0, start="1/2", digits=12).constant) != float(plain.constant)
