"""Zero temperature and its corrections: planted Jordan forms, SciPy's exponentials and integrals, direct quadrature."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, example, given, settings
from hypothesis.strategies import composite, floats, integers, lists, sampled_from, tuples
from scipy.integrate import quad, solve_ivp
from scipy.linalg import block_diag, expm
from scipy.optimize import minimize_scalar
from scipy.special import ive

from gegenflow.theory.low_temperature import flow as lt
from gegenflow.theory.low_temperature.limit_maps import limit_map
from gegenflow.theory.low_temperature.metastability import ProjectionLaw
from gegenflow.theory.low_temperature.pairing import pairing_overlap, pairing_rate, pairing_time
from gegenflow.theory.symbols import t

# limit maps


def jordan(real, imaginary, size):
    """A real Jordan block of a real eigenvalue, or of a pair."""
    cell = np.array([[real, imaginary], [-imaginary, real]]) if imaginary else np.array([[real]])
    return np.kron(np.eye(size, dtype=int), cell) + np.kron(np.eye(size, k=1, dtype=int), np.eye(len(cell), dtype=int))


@composite
def unimodular(draw, size):
    """An integer matrix with an integer inverse, and that inverse."""
    lower, upper = (np.eye(size, dtype=int) for _ in range(2))
    for i in range(size):
        for j in range(i):
            lower[i, j], upper[j, i] = draw(integers(-2, 2)), draw(integers(-2, 2))
    matrix = lower @ upper
    inverse = np.rint(np.linalg.inv(matrix.astype(float))).astype(int)
    assert (matrix @ inverse == np.eye(size)).all()
    return matrix, inverse


@composite
def planted(draw):
    """Blocks (real part, imaginary part, size) and the matrix with those in an oblique basis."""
    block = tuples(integers(-1, 1), integers(0, 2), integers(1, 3))
    blocks = draw(lists(block, min_size=1, max_size=3).filter(lambda b: len(block_diag(*(jordan(*x) for x in b))) >= 2))
    assume(len(block_diag(*(jordan(*x) for x in blocks))) <= 7)
    middle = block_diag(*(jordan(*x) for x in blocks))
    matrix, inverse = draw(unimodular(len(middle)))
    return blocks, matrix @ middle @ inverse, matrix, inverse


@given(planted())
@example(([(1, 0, 1), (1, 2, 1)], block_diag(1, jordan(1, 2, 1)), np.eye(3, dtype=int), np.eye(3, dtype=int)))
@example(
    ([(0, 0, 2), (0, 1, 1)], block_diag(jordan(0, 0, 2), jordan(0, 1, 1)), np.eye(4, dtype=int), np.eye(4, dtype=int))
)
def test_limit_map_finds_the_jordan_form_that_was_planted(case):
    """Kind, index, gap, rank and projection are read off the blocks and the basis, with no polynomial involved."""
    blocks, matrix, basis, inverse = case
    found = limit_map(matrix)
    lines = sorted({real for real, _, _ in blocks}, reverse=True)
    index = max(size for real, _, size in blocks if real == lines[0])
    leading = [(real, imaginary, size) == (lines[0], imaginary, index) for real, imaginary, size in blocks]
    chains = [
        np.linalg.matrix_power(jordan(0, 0, size), index - 1) if first else np.zeros((size, size), dtype=int)
        for (_, _, size), first in zip(blocks, leading, strict=True)
    ]
    tops = block_diag(*(np.kron(c, np.eye(1 + (b[1] > 0), dtype=int)) for c, b in zip(chains, blocks, strict=True)))
    frequencies = {imaginary for (_, imaginary, _), first in zip(blocks, leading, strict=True) if first}
    eigenvalues = {lines[0] + sign * sp.I * w for w in frequencies for sign in (1, -1)}
    rank = sum(1 + (b[1] > 0) for b, first in zip(blocks, leading, strict=True) if first)
    kinds = {True: "points" if rank == 1 else "sphere", False: "circle" if len(frequencies) == 1 else "torus"}
    assert (found.index, found.rank, set(found.eigenvalues)) == (index, rank, eigenvalues)
    assert found.gap == (lines[0] - lines[1] if len(lines) > 1 else sp.oo)
    assert found.kind == kinds[frequencies == {0}]
    assert (np.array(found.projection.tolist()) == basis @ tops @ inverse).all()


@settings(max_examples=10)
@given(dim=integers(2, 3), seed=integers(0, 2**32 - 1))
@example(dim=4, seed=5)
def test_flow_of_a_random_matrix_ends_on_its_limit_map(dim, seed):
    """SciPy's matrix exponential from a random start: the error falls at the gap, or halves as the time doubles."""
    rng = np.random.default_rng(seed)
    values, form = rng.integers(-3, 4, (2, dim, dim))
    assume(abs(np.linalg.det(form)) > 0.5)
    found = limit_map(values, form)
    gap, top = min(float(found.gap), 30.0), float(sp.re(found.eigenvalues[0]))
    assume(gap > 0.3)
    matrix, projection = values @ form.T - top * np.eye(dim), np.array(found.projection.evalf().tolist(), dtype=float)
    start = rng.standard_normal(dim)

    def error(time):
        flow = expm(time * matrix)
        ends = [flow @ start, flow @ projection @ start]
        return np.linalg.norm(ends[0] / np.linalg.norm(ends[0]) - ends[1] / np.linalg.norm(ends[1]))

    if found.index == 1:
        limit = min(30 / gap, 60.0)
        assert error(limit) < 1e-9 + np.exp(-(gap - 0.1) * limit) * 1e4
    elif (first := error(2e3)) > 1e-9:
        assert error(4e3) == pytest.approx(first / 2, rel=0.02)


def test_equal_real_parts_are_told_from_nearly_equal_ones():
    """1 +- 2i and 1 + 10^-60 differ by what no float sees."""
    tie = [[1, 2, 0], [-2, 1, 0], [0, 0, 1]]
    assert (limit_map(tie).kind, limit_map(tie).gap) == ("torus", sp.oo)
    tiny = sp.Rational(1, 10**60)
    tie[2][2] = 1 + tiny
    assert (limit_map(tie).kind, limit_map(tie).gap) == ("points", tiny)
    tie[2][2] = 1 - tiny
    assert (limit_map(tie).kind, limit_map(tie).gap) == ("circle", tiny)


@settings(max_examples=25)
@given(seed=integers(0, 2**32 - 1), dim=integers(2, 3))
def test_softmax_at_zero_temperature_reaches_the_point_at_the_stated_rate(seed, dim):
    """The nonlinear field by SciPy's DOP853, against the sign and the rate c/|B^T u| of the linear map."""
    rng = np.random.default_rng(seed)
    values, form = rng.integers(-2, 3, (2, dim, dim))
    assume(abs(np.linalg.det(form)) > 0.5)
    found = limit_map(values, form)
    assume(found.kind == "points" and found.index == 1 and sp.re(found.gap) > sp.Rational(3, 10))
    eigenvalues = sorted(np.linalg.eigvals((values @ form.T).astype(float)), key=lambda z: -z.real)
    assume(abs(eigenvalues[1].imag) < 1e-9 and (dim == 2 or eigenvalues[1].real - eigenvalues[2].real > 0.3))
    point = np.array(found.projection.evalf().tolist(), dtype=float) @ (start := rng.standard_normal(dim))
    assume(np.linalg.norm(point) > 0.1 * np.linalg.norm(start))
    point /= np.linalg.norm(point)
    rate = float(found.gap) / np.linalg.norm(form.T @ point)

    def field(_, x):
        score = form.T @ x
        pull = values @ score / np.linalg.norm(score)
        return pull - (x @ pull) * x / (x @ x)

    times = np.array([0.0, 9, 12]) / rate
    path = solve_ivp(field, (0, times[-1]), start / np.linalg.norm(start), "DOP853", times, rtol=1e-12, atol=1e-13).y.T
    errors = np.linalg.norm(path - point, axis=1)
    assume(errors[1] > 1e-8)
    assert errors[2] < 0.1
    assert np.log(errors[1] / errors[2]) == pytest.approx(3, abs=0.3)


def test_circle_is_run_through_in_the_period_of_its_frequency():
    """SciPy's exponential after one period, for a pair with an irrational frequency."""
    found = limit_map([[1, 3, 1], [-1, 1, 0], [0, 0, 0]])
    assert (found.kind, found.rank) == ("circle", 2)
    period = 2 * np.pi / abs(float(sp.im(found.eigenvalues[0])))
    start = np.array(found.projection.evalf().tolist(), dtype=float) @ [1.0, 2.0, 3.0]
    matrix = np.array([[1.0, 3, 1], [-1, 1, 0], [0, 0, 0]])
    assert expm(period * (matrix - np.eye(3))) @ start == pytest.approx(start, rel=1e-12)
    assert np.linalg.norm(expm(period / 2 * (matrix - np.eye(3))) @ start - start) > 1


def test_eigenvalues_are_told_apart_however_close():
    """By hand: 1 +- sqrt(2) e-17, of which floats see one number."""
    close = limit_map([["1", "1e-17"], ["2e-17", "1"]])
    assert close.eigenvalues == (1 + sp.sqrt(2) / 10**17,)
    assert close.gap == 2 * sp.sqrt(2) / 10**17
    point = close.projection * sp.Matrix([1, 1])
    assert sp.simplify(point[1] / point[0] - sp.sqrt(2)) == 0


@pytest.mark.parametrize(
    ("values", "form", "word"),
    [
        ([[1, 2]], None, "values"),
        ([[1]], None, "values"),
        (3, None, "values"),
        ([[1, float("nan")], [0, 1]], None, "values entry nan"),
        ([[1, sp.sqrt(2)], [0, 1]], None, "values entry"),
        (np.eye(2), np.eye(3), "form"),
        (np.eye(2), [[1, 1], [1, 1]], "invertible"),
    ],
)
def test_limit_map_refuses_what_has_no_limit_map(values, form, word):
    """One clear sentence."""
    with pytest.raises(ValueError, match=word):
        limit_map(values, form)


# the expansion at large beta


@given(degree=integers(1, 6), dim=integers(2, 7), terms=integers(1, 5))
def test_smoothing_series_errs_by_the_next_power(degree, dim, terms):
    """SciPy's Bessel functions at 4000 and 8000: the error shrinks by two to the number of terms, where it is seen."""
    eigenvalue = degree * (degree + dim - 2)
    series = [float(sp.sympify(c).subs(lt.L, eigenvalue)) for c in lt.smoothing_series(terms, dim)]
    errors = []
    for beta in (400.0, 800.0):
        ratio = ive(degree + dim / 2 - 1, beta) / ive(dim / 2 - 1, beta)
        errors.append(ratio - sum(c / beta**n for n, c in enumerate(series)))
    assume(abs(errors[1]) > 1e-13)
    assert errors[0] / errors[1] == pytest.approx(2**terms, rel=0.25 if terms < 3 else 0.4)


def averages(density, dim, beta, overlap):
    """Mean of the weight exp(beta(<x,y> - 1)) and of it times <y, P_x e>/(1-t^2), by quadrature about x."""
    nodes, weights = np.polynomial.legendre.leggauss(80)
    reach = min(np.pi, 9 / np.sqrt(beta))
    angle, angle_weights = (nodes + 1) * reach / 2, weights * reach / 2
    if dim == 2:
        side, side_weights = np.array([-1.0, 1.0]), np.array([0.5, 0.5])
    else:
        turn = (nodes + 1) * np.pi / 2
        side, side_weights = np.cos(turn), weights * np.sin(turn) ** (dim - 3)
        side_weights /= side_weights.sum()
    slope = np.sqrt(1 - overlap**2)
    there = overlap * np.cos(angle)[:, None] + slope * np.sin(angle)[:, None] * side
    area = quad(lambda a: np.sin(a) ** (dim - 2), 0, np.pi)[0]
    mass = angle_weights * np.exp(-2 * beta * np.sin(angle / 2) ** 2) * np.sin(angle) ** (dim - 2) / area
    mass = mass[:, None] * side_weights * density(there)
    return mass.sum(), (mass * np.sin(angle)[:, None] * side).sum() / slope


def velocity(density, dim, beta, overlap, model):
    """The factor of P_x e, in units of the mean weight for USA."""
    normaliser, pull = averages(density, dim, beta, overlap)
    return pull / (normaliser if model == "sa" else averages(np.ones_like, dim, beta, overlap)[0])


@settings(max_examples=12)
@given(
    dim=integers(2, 6),
    tilt=floats(0.3, 2),
    overlap=floats(-0.8, 0.8),
    terms=integers(1, 3),
    model=sampled_from(["sa", "usa"]),
)
def test_velocity_series_errs_by_the_next_power_of_beta(dim, tilt, overlap, terms, model):
    """Quadrature of the attention integrals about a point, without any harmonic: errors at beta and 2 beta."""
    series = lt.velocity_series(sp.exp(sp.Float(tilt) * t), dim, model=model, terms=terms)
    errors = []
    for beta in (200.0, 400.0):
        exact = velocity(lambda s: np.exp(tilt * s), dim, beta, overlap, model)
        errors.append(exact - float(series.subs({t: overlap, lt.beta: beta})))
    scale = abs(velocity(lambda s: np.exp(tilt * s), dim, 400.0, overlap, model))
    assert abs(errors[1]) < 20 * (1 + dim) ** terms * scale * 400.0**-terms
    assume(abs(errors[1]) > 1e-4 * scale * 400.0**-terms * 400 / 200 + 1e-13)
    assume(abs(errors[1]) * 400.0 ** (terms + 1) > 1)
    assert errors[0] / errors[1] == pytest.approx(2 ** (terms + 1), rel=0.3)


@settings(max_examples=20)
@given(dim=integers(2, 5), overlap=floats(-0.7, 0.7), model=sampled_from(["sa", "usa"]), sign=sampled_from([1, -1]))
def test_densities_move_by_the_diffusion_equation_in_the_stated_time(dim, overlap, model, sign):
    """-div(mu v) T from the quadrature of v, differentiated numerically and extrapolated: a factor 1/2 shows."""

    def density(s):
        return 1 + 0.5 * s + 0.3 * s**2

    def motion(beta):
        h, factor = 1e-3, float(lt.diffusion_time(dim, sp.Rational(beta), model=model))
        mean = 1.0 if model == "sa" else float(sp.exp(beta)) * averages(np.ones_like, dim, beta, 0.0)[0]
        flux = [density(s) * velocity(density, dim, beta, s, model) for s in (overlap - h, overlap, overlap + h)]
        divergence = (1 - overlap**2) * (flux[2] - flux[0]) / (2 * h) - (dim - 1) * overlap * flux[1]
        return -sign * divergence * mean * factor

    equation = lt.diffusion(1 + t / 2 + sp.Rational(3, 10) * t**2, dim, model=model, sign=sign)
    extrapolated = 2 * motion(400) - motion(200)
    assert extrapolated == pytest.approx(float(equation.subs(t, overlap)), rel=2e-3, abs=2e-3)


@given(dim=integers(2, 6), slope=floats(0.05, 0.9), model=sampled_from(["sa", "usa"]))
def test_drift_speed_is_the_norm_of_the_velocity(dim, slope, model):
    """SciPy's integral over the polar angle of the squared velocity, scaled by the time."""
    area = quad(lambda a: np.sin(a) ** (dim - 2), 0, np.pi)[0]
    power = -1 if model == "sa" else 1
    energy = quad(lambda a: slope**2 * np.sin(a) ** dim * (1 + slope * np.cos(a)) ** power, 0, np.pi)[0] / area
    speed = lt.drift_speed(1 + sp.Float(slope) * t, dim, model=model).evalf(12)
    assert float(speed) == pytest.approx(np.sqrt(energy), rel=1e-9)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: lt.smoothing_series(0), "terms 0"),
        (lambda: lt.velocity_series(t, 1), "dim 1"),
        (lambda: lt.velocity_series(1 + t, model="relu"), "model relu"),
        (lambda: lt.diffusion(1 + t, sign=2), "sign 2"),
        (lambda: lt.diffusion_time(2, -1), "beta"),
        (lambda: lt.drift_speed(1 + t, 2, model="relu"), "model relu"),
        (lambda: ProjectionLaw(0, 1), "gap 0"),
        (lambda: ProjectionLaw(1, -1), "growth -1"),
        (lambda: pairing_rate([1]), "weights"),
        (lambda: pairing_rate([1, 0]), "weights"),
        (lambda: pairing_overlap(1, 1), "start 1"),
        (lambda: pairing_time(1, 5), "overlap 1"),
        (lambda: pairing_time("0.5", 5, "0.6"), "start 0.6"),
        (lambda: pairing_time("0.5", 0), "beta 0"),
        (lambda: pairing_time("0.5", 5, model="usa"), "weights"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, word):
    """With the name of what is wrong."""
    with pytest.raises(ValueError, match=word):
        call()


# the distance from the projection, and pairs


@given(gap=floats(0.1, 3), growth=floats(0.1, 3), rise=floats(0.1, 2), fall=floats(0.5, 5), beta=floats(20, 1e6))
def test_projection_law_has_its_minimum_where_stated(gap, growth, rise, fall, beta):
    """A numerical minimum of the law written out in floats."""
    law = ProjectionLaw(gap, growth, rise, fall)
    scale = rise * np.sqrt(np.log(beta + 1) / beta)
    least = minimize_scalar(lambda s: scale * np.exp(growth * s) + fall * np.exp(-gap * s), bracket=(0, 1), tol=1e-12)
    assert float(law.best_time(beta)) == pytest.approx(least.x, abs=1e-5)
    assert float(law.best_distance(beta)) == pytest.approx(least.fun, rel=1e-12)
    assert float(law.distance(1.5, beta)) == pytest.approx(scale * np.exp(1.5 * growth) + fall * np.exp(-1.5 * gap))


def test_best_time_grows_like_half_the_logarithm_of_beta():
    """Slope against log beta at 10^200, where log log beta hardly counts: 1/(2(C+c))."""
    law = ProjectionLaw("0.5", 2)
    times = [float(law.best_time(sp.Integer(10) ** n)) for n in (200, 201)]
    assert (times[1] - times[0]) / np.log(10) == pytest.approx(1 / (2 * 2.5), rel=0.01)


@given(
    start=floats(-0.8, 0.6),
    length=floats(0.05, 0.3),
    beta=floats(0.5, 60),
    weights=tuples(floats(0.1, 2), floats(0.1, 2)),
    model=sampled_from(["sa", "usa"]),
)
def test_pairing_time_integrates_the_clock_along_the_tanh(start, length, beta, weights, model):
    """SciPy's integral of exp(beta(1-g)) ds (USA: exp(-beta g)) along the tanh, no exponential integral."""
    end = start + length
    ratio = weights[0] / weights[1]
    rate = ratio + 1 / ratio if model == "sa" else sum(weights)
    offset = 1.0 if model == "sa" else 0.0
    span = (np.arctanh(end) - np.arctanh(start)) / rate
    clock, _ = quad(lambda s: np.exp(-beta * (np.tanh(rate * s + np.arctanh(start)) - start)), 0, span, epsrel=1e-11)
    expected = np.log(clock) + beta * (offset - start)
    time = pairing_time(end, beta, start, weights=weights, model=model, digits=20)
    assert float(sp.log(sp.Float(time.value, 20))) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    overlap = pairing_overlap(span, start, weights=weights, model=model)
    assert float(overlap) == pytest.approx(end, rel=1e-12)


@pytest.mark.parametrize("seed", [0, 3])
def test_eigenvalues_next_to_each_other_are_those_of_the_matrix_magnified(seed):
    """I + 1e-20 M in dim 5, M of integers: the same kind, and eigenvalues 1 + 1e-20 mu with mu by numpy."""
    rng, tiny = np.random.default_rng(seed), sp.Rational(1, 10**20)
    wide = sp.Matrix(5, 5, rng.integers(-3, 4, 25).tolist())
    found = limit_map((sp.eye(5) + tiny * wide).tolist())
    mu = np.linalg.eigvals(np.array(wide, float))
    front = mu[mu.real > mu.real.max() - 1e-9]
    assert found.kind == ("points" if len(front) == 1 else "circle")
    got = [complex((root.evalf(50) - 1) / tiny) for root in found.eigenvalues]
    assert np.allclose(got, sorted(front, key=lambda root: root.imag), rtol=1e-12)


def test_complex_eigenvalues_are_told_from_their_neighbours():
    """Two pairs 1e-25 apart, of an irreducible polynomial of degree 4: the front one by numpy's roots, magnified."""
    tiny = sp.Rational(1, 10**25)
    companion = sp.Matrix([[0, 0, 0, -3], [1, 0, 0, 1], [0, 1, 0, -2], [0, 0, 1, 1]])
    found = limit_map((7 * sp.eye(4) + tiny * companion).tolist())
    front = sorted(np.roots([1, -1, 2, -1, 3]), key=lambda root: root.real)[-2:]
    assert found.kind == "circle"
    got = [complex((root.evalf(50) - 7) / tiny) for root in found.eigenvalues]
    assert np.allclose(got, sorted(front, key=lambda root: root.imag), rtol=1e-12)
