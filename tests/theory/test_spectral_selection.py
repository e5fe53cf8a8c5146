"""Spectral selection: criteria and boxes against a Jacobian by complex step, roots from random starts, integration."""

from functools import cache
from itertools import product

import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import given
from hypothesis.strategies import composite, integers, lists, sampled_from
from scipy.integrate import solve_ivp
from scipy.optimize import root

from gegenflow import theory as th
from gegenflow.theory import spectral_selection as ss
from gegenflow.theory.spectral_selection import catalogue
from gegenflow.theory.spectral_selection.catalogue import Angles

MARGIN = 1e-9


def field(tokens, values, beta):
    """SA with scores and values V, analytic in the tokens."""
    weights = np.exp(beta * tokens @ values @ tokens.T)
    pulls = weights / weights.sum(axis=1, keepdims=True) @ tokens @ values
    return pulls - np.sum(pulls * tokens, axis=1, keepdims=True) * tokens


def rates(tokens, values, beta):
    """Eigenvalues of the flow linearised at an equilibrium, by a complex step in a frame of each tangent space."""
    frames = [np.linalg.svd(token[None])[2][1:] for token in tokens]
    columns = []
    for i, frame in enumerate(frames):
        for direction in frame:
            moved = tokens.astype(complex)
            moved[i] += 1e-100j * direction
            change = field(moved, values, beta).imag / 1e-100
            columns.append(np.concatenate([f @ row for f, row in zip(frames, change, strict=True)]))
    return np.sort(np.linalg.eigvals(np.array(columns).T).real)[::-1]


def pure(signs, mode, dim):
    """Tokens of a pure mode."""
    tokens = np.zeros((len(signs), dim))
    tokens[:, mode] = signs
    return tokens


@composite
def cases(draw):
    """Signs, a mode and distinct eigenvalues in tenths, beta in hundredths: small groups, where amendments bite."""
    eigenvalues = draw(lists(integers(-20, 20), min_size=2, max_size=4, unique=True))
    signs = draw(lists(sampled_from([1, -1]), min_size=1, max_size=5))
    mode = draw(integers(0, len(eigenvalues) - 1))
    return signs, mode, [str(x / 10) for x in eigenvalues], str(draw(integers(0, 300)) / 100)


@given(cases())
def test_verdict_and_leading_eigenvalue_are_those_of_the_jacobian(case):
    """The whole flow differentiated by a complex step knows no blocks; 1e-9 is its rounding."""
    signs, mode, eigenvalues, beta = case
    numbers = np.array([float(x) for x in eigenvalues])
    found = ss.stability(signs, mode, eigenvalues, beta)
    measured = rates(pure(signs, mode, len(numbers)), np.diag(numbers), float(beta))[0]
    assert float(found.leading_eigenvalue) == pytest.approx(measured, abs=MARGIN)
    if abs(measured) > MARGIN:
        assert found.stable == (measured < 0)
    assert found.stable == (found.leading_eigenvalue < 0)


AMENDED = [
    ([1], ["-1", "-2"], "1", True),
    ([1, -1, -1, -1], ["0.5", "-9"], "1", True),
    ([1, -1, -1], ["0.4", "-3"], "0.7", True),
    ([1, 1, -1], ["-1", "-0.5"], "0.3", False),
    ([1, -1], ["-1", "-0.5"], "0.01", True),
]
"""Where the criterion with all conditions, or with too few, is wrong: signs, eigenvalues, beta, whether stable."""


@pytest.mark.parametrize(("signs", "eigenvalues", "beta", "stable"), AMENDED)
def test_a_group_of_one_token_needs_no_condition_on_itself(signs, eigenvalues, beta, stable):
    """The Jacobian has the last word; the critical beta lies on the side that it says."""
    values = np.diag([float(x) for x in eigenvalues])
    assert (rates(pure(signs, 0, 2), values, float(beta))[0] < -1e-3) == stable
    assert ss.stability(signs, 0, eigenvalues, beta).stable == stable
    assert (ss.critical_beta(signs, 0, eigenvalues) < float(beta)) == stable or len(signs) == 1


@given(cases(), integers(0, 3))
def test_blocks_have_the_eigenvalues_that_are_stated(case, other):
    """The n x n matrix by numpy, the formulas as expressions and as balls; one direction at a time."""
    signs, mode, eigenvalues, beta = case
    direction = other % len(eigenvalues)
    if direction == mode:
        with pytest.raises(th.Refused, match="direction"):
            ss.block(signs, mode, eigenvalues, beta, direction=direction)
        return
    matrix = np.array(ss.block(signs, mode, eigenvalues, beta, direction=direction).evalf(20), dtype=float)
    measured = np.sort(np.linalg.eigvals(matrix).real)[::-1]
    balls = ss.block_eigenvalues(signs, mode, eigenvalues, beta, direction=direction, digits=12)
    exact = sorted(float(x) for x in ss.block_eigenvalues(signs, mode, eigenvalues, beta, direction=direction))[::-1]
    assert [float(x) for x in balls] == pytest.approx(measured, abs=1e-7)  # multiple eigenvalues move by a root
    assert [float(x) for x in balls] == pytest.approx(exact, abs=1e-11)


@pytest.mark.parametrize("signs", [[1, 1, 1], [1, 1, -1], [1, -1], [-1, -1, 1, 1, 1]])
def test_a_rotation_within_a_plane_of_equal_eigenvalues_is_exactly_neutral(signs):
    """The block of a direction of the same eigenvalue: its eigenvalues by numpy, one of them zero."""
    found = ss.block_eigenvalues(signs, 0, [1, 1], "0.7", direction=1, digits=12)
    table = np.array(ss.block(signs, 0, [1, 1], "0.7", direction=1).evalf(20), dtype=float)
    assert [float(x) for x in found] == pytest.approx(sorted(np.linalg.eigvals(table).real)[::-1], abs=1e-11)
    assert any(x.ball.is_zero() for x in found)


@pytest.mark.parametrize(
    ("signs", "mode", "eigenvalues", "beta"),
    [
        ([1, 1, -1], 0, ["1", "0.5"], "1"),
        ([1, 1, 1, -1, -1], 1, ["-0.3", "-1.7", "0.4"], "0.9"),
        ([1, -1], 0, ["0.9", "0.7", "-3"], "2.5"),
        ([1, 1, 1, 1], 2, ["-1", "1/3", "2"], "7"),
        ([1, -1, -1, -1], 0, ["1.1", "-0.2"], "0.1"),
    ],
)
def test_leading_eigenvalue_to_forty_digits(signs, mode, eigenvalues, beta):
    """The largest eigenvalue of all blocks by mpmath at 60 digits, from their definition as sums over tokens."""
    with mpmath.workdps(60):
        numbers = [mpmath.mpf(sp.Rational(x).p) / sp.Rational(x).q for x in eigenvalues]
        scores = [[mpmath.exp(mpmath.mpf(beta) * numbers[mode] * s * u) for u in signs] for s in signs]
        sums = [sum(line) for line in scores]
        pulls = [
            numbers[mode] * sum(w * s * u for w, u in zip(line, signs, strict=True)) / total
            for line, s, total in zip(scores, signs, sums, strict=True)
        ]
        size, largest = range(len(signs)), -mpmath.inf
        for k, number in enumerate(numbers):
            if k != mode:
                table = [
                    [number * scores[i][j] / mpmath.sqrt(sums[i] * sums[j]) - (i == j) * pulls[i] for j in size]
                    for i in size
                ]
                largest = max(largest, *mpmath.eigsy(mpmath.matrix(table), eigvals_only=True))
        found = ss.stability(signs, mode, eigenvalues, beta, digits=40)
        assert abs(mpmath.mpf(found.leading_eigenvalue.value) / largest - 1) < mpmath.mpf(10) ** -39
        assert found.leading_eigenvalue.ball.rad() < 1e-40


@given(cases())
def test_a_verdict_changes_once_at_the_critical_beta(case):
    """The Jacobian on both sides of it and far above; none changes where there is none."""
    signs, mode, eigenvalues, _ = case
    critical = ss.critical_beta(signs, mode, eigenvalues)
    values = np.diag([float(x) for x in eigenvalues])
    tokens = pure(signs, mode, len(eigenvalues))

    def leads(beta):
        return rates(tokens, values, beta)[0]

    if critical is None:
        assert min(leads(beta) for beta in (0.05, 0.5, 3)) > -MARGIN
    elif float(critical) == 0:
        assert max(leads(beta) for beta in (0.05, 0.5, 3)) < 0
    else:
        at = float(critical)
        assert leads(0.98 * at) > 0 > leads(1.02 * at)
        assert leads(0.5 * at) > 0 > leads(at + 2)
        assert abs(leads(at)) < 1e-8


def test_ties_are_found_exactly():
    """tanh(log 2) = 3/5: neither stable nor unstable to first order; one digit further it is either."""
    for eigenvalues in ([1, "3/5"], [-1, "3/5"]):
        edge = ss.stability([1, -1], 0, eigenvalues, sp.log(2))
        assert (edge.stable, edge.leading_eigenvalue.value, edge.leading_eigenvalue.error) == (False, "0", "0")
        assert ss.stability([1, -1], 0, eigenvalues, sp.log(2) + sp.Rational(1, 10**40)).stable
        assert not ss.stability([1, -1], 0, eigenvalues, sp.log(2) - sp.Rational(1, 10**40)).stable
    close = str(ss.critical_beta([1, 1, -1], 0, ["1", "0.5"], digits=50).value)
    with pytest.raises(th.Refused, match="too close to the edge"):
        ss.stability([1, 1, -1], 0, ["1", "0.5"], th.certify(lambda: arb(close), 30).ball + arb(0, 1e-30))


@pytest.mark.parametrize(
    ("signs", "eigenvalues", "beta", "leading"),
    [
        ([1, 1], [1, "0.5"], 0, "-0.5"),
        ([1], [-1, -2], 0, "-1"),
        ([1], [0, -2], 3, "-2"),
        ([1, 1], [0, -2], 3, "0"),
        ([1, -1], [2, -1], 0, "0"),
        ([1, -1], [2, "0.75"], 0, "0.75"),
        ([1, -1, -1], [0, -1], 2, "0"),
    ],
)
def test_no_attention_and_no_eigenvalue(signs, eigenvalues, beta, leading):
    """At beta = 0, and for eigenvalue 0 of the mode, all attend to all alike; by the Jacobian too."""
    found = ss.stability(signs, 0, eigenvalues, beta)
    numbers = [float(x) for x in eigenvalues]
    assert float(found.leading_eigenvalue) == float(leading)
    assert rates(pure(signs, 0, 2), np.diag(numbers), beta)[0] == pytest.approx(float(leading), abs=1e-7)
    assert found.stable == (float(leading) < 0)


def test_the_condition_that_decides_is_named_with_its_numbers():
    """Of those that fail the worst; at one token there is no first one."""
    assert ss.stability([1, 1], 0, [-1, -3], 1).condition == "0 < lambda_p: 0 < -1"
    assert ss.stability([1], 0, [-1, -3], 1).condition == "lambda_k < lambda_p: -3 < -1"
    failing = ss.stability([1, 1, 1, -1, -1], 0, ["0.1", "-5"], 1).condition
    assert failing == f"|log r|/(2 beta) < |lambda_p|: {np.log(1.5) / 2:.6g} < 0.1"
    assert ss.stability([1, -1], 0, [1, "0.9"], 1).condition == f"lambda_k < |lambda_p| sigma: 0.9 < {np.tanh(1):.6g}"


@pytest.mark.parametrize("tokens", [4, 5])
def test_the_phase_diagram_has_every_mode_that_is_ever_stable(tokens):
    """All sign patterns at three betas, by the Jacobian."""
    eigenvalues = ["1", "0.6", "-1.4"]
    table = ss.phase_diagram(tokens, eigenvalues, digits=8)
    values = np.diag([float(x) for x in eigenvalues])
    for beta in (0.3, 0.8, 2.0):
        stable = {}
        for mode, signs in product(range(3), product([1, -1], repeat=tokens)):
            if rates(pure(signs, mode, 3), values, beta)[0] < 0:
                key = mode, min(signs.count(1), signs.count(-1))
                stable[key] = stable.get(key, 0) + 1
        assert stable == {(row["mode"], row["smaller"]): row["patterns"] for row in table if float(row["beta"]) < beta}


def test_forces_on_the_circle_and_their_derivative():
    """Central differences at random angles; the units of the rows do not matter where the forces vanish."""
    rng = np.random.default_rng(0)
    for unit in ((0, 0, 1), (2, 1, 2), (1, 2, 0)):
        forces = Angles(arb(1), arb(-0.5), arb(0.8), unit)
        angles = rng.uniform(0, 6, 3)
        slopes = np.array([[float(x.mid()) for x in row] for row in forces.derivative(list(map(arb, angles))).table()])
        for j, step in enumerate(1e-5 * np.eye(3)):
            up, down = (
                np.array([float(f.mid()) for f in forces.residual(list(map(arb, angles + sign * step)))])
                for sign in (1, -1)
            )
            assert (up - down) / 2e-5 == pytest.approx(slopes[:, j], abs=1e-8)


@pytest.mark.parametrize(("eigenvalues", "beta"), [((1.0, 0.5), 1.0), ((-1.0, -0.5), 1.0), ((1.0, -1.5), 0.7)])
def test_catalogues_of_two_tokens_hold_what_random_starts_find(eigenvalues, beta):
    """Roots of the forces from 400 starts by SciPy; rates of each; a torus has as many even as odd critical points."""
    found = ss.equilibria(2, [str(x) for x in eigenvalues], str(beta), digits=12)
    check_catalogue(found, eigenvalues, beta, 2, 400)


def test_a_catalogue_of_three_tokens_holds_what_random_starts_find():
    """As for two: four classes, among them the triangle-like state that is not pure."""
    found = ss.equilibria(3, ["1", "0.5"], "1", digits=12)
    check_catalogue(found, (1.0, 0.5), 1.0, 3, 600)
    assert [(one.unstable, one.copies) for one in found] == [(0, 2), (0, 6), (1, 12), (1, 2), (2, 6), (2, 12), (3, 12)]


def check_catalogue(found, eigenvalues, beta, count, starts):
    """Every root found from random starts is in the catalogue, which has as many as are known, and rates agree."""
    values, rng = np.diag(eigenvalues), np.random.default_rng(0)

    def forces(angles):
        tokens = np.column_stack([np.cos(angles), np.sin(angles)])
        tangents = np.column_stack([-np.sin(angles), np.cos(angles)])
        return np.sum(field(tokens, values, beta) * tangents, axis=1)

    known = np.array([[[float(x) for x in row] for row in one.tokens] for one in found])
    seen = set()
    for _ in range(starts):
        answer = root(forces, rng.uniform(0, 2 * np.pi, count), tol=1e-13)
        if answer.success and np.abs(forces(answer.x)).max() < 1e-11:
            tokens = np.abs(np.column_stack([np.cos(answer.x), np.sin(answer.x)]))
            distances = [
                min(np.abs(np.abs(one)[list(order)] - tokens).max() for order in orders(count)) for one in known
            ]
            assert min(distances) < 1e-6
            seen.add(int(np.argmin(distances)))
    folded = {tuple(sorted(map(tuple, np.abs(one).round(6) + 0.0))) for one in known}
    assert len(seen) == len(folded)
    assert sum(one.copies * (-1) ** one.unstable for one in found) == 0
    for one, tokens in zip(found, known, strict=True):
        measured = rates(tokens, values, beta)
        assert measured[0] == pytest.approx(float(one.leading_eigenvalue), abs=1e-9)
        assert (measured > 0).sum() == one.unstable
        assert one.stable == (measured[0] < 0)


@cache
def orders(count):
    """Permutations of tokens."""
    return [order for order in product(range(count), repeat=count) if len(set(order)) == count]


def test_a_mixed_equilibrium_in_dim_three_is_at_rest_and_digits_are_honoured():
    """Six tokens, a matrix that is not diagonal: the equation R X V = M X at 30 digits by mpmath."""
    values = [["-1", "0.2", 0], ["0.2", "-0.6", "0.1"], [0, "0.1", "-0.8"]]
    tokens = np.random.default_rng(3).standard_normal((3, 3))
    tokens /= np.linalg.norm(tokens, axis=1, keepdims=True)
    matrix = np.array([[float(x) for x in row] for row in values])
    end = solve_ivp(lambda _, x: field(x.reshape(3, 3), matrix, 0.2).ravel(), (0, 4000), tokens.ravel(), rtol=1e-9)
    found = ss.equilibrium(end.y[:, -1].reshape(3, 3).tolist(), values, "0.2", digits=30)
    with mpmath.workdps(40):
        v = mpmath.matrix([[mpmath.mpf(str(x)) for x in row] for row in values])
        x = mpmath.matrix([[mpmath.mpf(c.value) for c in row] for row in found.tokens])
        scores = x * v * x.T
        weights = mpmath.matrix(3, 3)
        for i, j in product(range(3), repeat=2):
            weights[i, j] = mpmath.exp(mpmath.mpf("0.2") * scores[i, j])
        pulls = weights * x * v
        for i in range(3):
            along = sum(pulls[i, a] * x[i, a] for a in range(3))
            assert abs(sum(x[i, a] ** 2 for a in range(3)) - 1) < 1e-28
            assert max(abs(pulls[i, a] - along * x[i, a]) for a in range(3)) < 1e-28
    measured = rates(np.array([[float(c) for c in row] for row in found.tokens]), matrix, 0.2)
    assert found.stable
    assert measured[0] == pytest.approx(float(found.leading_eigenvalue), abs=1e-9)
    assert all(c.digits == 30 for row in found.tokens for c in row)


def test_pure_modes_of_a_matrix_are_its_eigenvectors():
    """Against numpy, and where stability takes them."""
    values = [["-1", "0.2", 0], ["0.2", "-0.6", "0.1"], [0, "0.1", "0.8"]]
    found = ss.pure_modes(values, digits=12)
    numbers, vectors = np.linalg.eigh(np.array([[float(x) for x in row] for row in values]))
    assert [float(one.eigenvalue) for one in found] == pytest.approx(numbers[::-1], abs=1e-11)
    for one, vector in zip(found, vectors.T[::-1], strict=True):
        assert abs(np.dot([float(x) for x in one.direction], vector)) == pytest.approx(1, abs=1e-11)
    eigenvalues = [one.eigenvalue for one in found]
    assert ss.stability([1, 1, 1], 0, eigenvalues, 1, digits=6).stable
    assert not ss.stability([1, 1, 1], 1, eigenvalues, 1, digits=6).stable


@pytest.mark.parametrize("beta", [0.0, 0.7, 5.0])
def test_no_angle_in_a_cone_shrinks_slower_than_stated(beta):
    """Integration of random tokens; a single token in the plane of the next eigenvector takes all of the time."""
    eigenvalues, rng = (1.5, 0.9, -0.8), np.random.default_rng(1)
    rate = float(ss.consensus_rate(0, [str(x) for x in eigenvalues]))
    times = np.linspace(0, 4, 9)
    for count in (1, 2, 6):
        start = rng.standard_normal((count, 3))
        start[:, 0] = 0.05 + np.abs(start[:, 0]) * 0.1
        if count == 1:
            start = np.array([[0.1, 1.0, 0.0]])
        start /= np.linalg.norm(start, axis=1, keepdims=True)
        run = solve_ivp(
            lambda _, x, n=count: field(x.reshape(n, 3), np.diag(eigenvalues), beta).ravel(),
            (0, 4),
            start.ravel(),
            t_eval=times,
            rtol=1e-10,
            atol=1e-12,
        )
        overlaps = run.y.reshape(count, 3, -1)[:, 0].min(axis=0)
        tangents = np.sqrt(1 - overlaps**2) / overlaps
        assert (tangents <= tangents[0] * np.exp(-rate * times) * (1 + 1e-7)).all()
        bound = float(ss.consensus_time(str(overlaps[-1]), 0, eigenvalues, start=str(overlaps[0]), digits=10))
        assert bound >= 4 - 1e-6
        if count == 1:
            assert bound == pytest.approx(4, abs=1e-5)


def test_a_dominant_eigenvalue_that_is_not_dominant_in_size_has_no_cone():
    """Eigenvalues 1 and -3: a pair in the cone about e_1 parts for +-e_2 where 3 tanh(3 beta sin^2) > 1."""
    with pytest.raises(th.Refused, match="larger in size than all others"):
        ss.consensus_rate(0, [1, -3])
    for beta, height, parts in ((0.3, 0.8, True), (0.1, 0.8, False)):
        assert (3 * np.tanh(3 * beta * height**2) > 1) == parts
        start = np.array([[np.sqrt(1 - height**2), height], [np.sqrt(1 - height**2), -height]])
        run = solve_ivp(
            lambda _, x, b=beta: field(x.reshape(2, 2), np.diag([1, -3]), b).ravel(), (0, 30), start.ravel()
        )
        end = run.y[:, -1].reshape(2, 2)
        assert end[0] @ end[1] == pytest.approx(-1 if parts else 1, abs=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ss.stability([1, 2], 0, [1, 2], 1), r"signs\[1\] 2: it must be 1 or -1"),
        (lambda: ss.stability([1, -2], 0, [1, 2], 1), r"signs\[1\] -2: it must be 1 or -1"),
        (lambda: ss.stability([1, 0], 0, [1, 2], 1), r"signs\[1\] 0: it must be 1 or -1"),
        (lambda: ss.stability([], 0, [1, 2], 1), "signs"),
        (lambda: ss.stability([1], 2, [1, 2], 1), "mode 2: it must be the index of an eigenvalue, 0 to 1"),
        (lambda: ss.stability([1], -1, [1, 2], 1), "mode -1"),
        (lambda: ss.stability([1], 0, [1], 1), "two or more real eigenvalues"),
        (lambda: ss.stability([1], 0, [[1, 0], [0, 2]], 1), r"eigenvalues\[0\]"),
        (lambda: ss.stability([1], 0, [1, 1j], 1), r"eigenvalues\[1\]"),
        (lambda: ss.stability([1], 0, ["0.1", sp.Rational(1, 10)], 1), "mode 0: its eigenvalue must differ from all"),
        (lambda: ss.stability([1], 0, [1, 2], -1), "beta -1: the inverse temperature must be a finite number >= 0"),
        (lambda: ss.stability([1], 0, [1, 2], th.beta), "beta"),
        (lambda: ss.stability([1], 0, [1, 2], 1, digits=0), "digits 0"),
        (
            lambda: ss.equilibrium([[1, 0]], [[1, 2], [3, 4]], 1),
            r"values\[0\]\[1\] 2: it must equal values\[1\]\[0\] = 3",
        ),
        (lambda: ss.equilibrium([[1, 0, 0]], [[1, 0], [0, 2]], 1), "tokens"),
        (lambda: ss.equilibrium([[0, 0]], [[1, 0], [0, 2]], 1), "none of them zero"),
        (lambda: ss.equilibrium([[1, 0]], [[1, 0, 0], [0, 2, 0]], 1), "a symmetric square matrix"),
        (lambda: ss.equilibrium([[1, 0]], [[1, 0], [0, 2]], 0), "beta 0: it must be > 0"),
        (lambda: ss.equilibrium([[1, 0.1], [1, 0]], [[1, 0], [0, 1]], 1), "no isolated equilibrium"),
        (lambda: ss.pure_modes([[1, 0], [0, 1]]), "two eigenvalues are equal"),
        (lambda: ss.equilibria(4, [1, 2], 1), "tokens 4: it must be 2 or 3"),
        (lambda: ss.equilibria(2, [1, 1], 1), "two different rational numbers other than 0"),
        (lambda: ss.equilibria(2, [1, 0], 1), "two different rational numbers other than 0"),
        (lambda: ss.equilibria(2, [1, 2, 3], 1), "two different rational numbers"),
        (lambda: ss.equilibria(2, [1, "0.6"], 0), "beta 0: it must be > 0"),
        (lambda: ss.consensus_time("0.5", 0, [2, 1], start="0.6"), "overlap 0.5: it must not lie below the start 0.6"),
        (lambda: ss.consensus_time(1, 0, [2, 1], start="0.6"), "overlap 1"),
        (lambda: ss.phase_diagram(3, [1, 1]), "mode 0: its eigenvalue must differ"),
    ],
)
def test_bad_input_is_refused_with_the_reason(call, message):
    """One sentence with the name, the value and what is allowed."""
    with pytest.raises(th.Refused, match=message):
        call()


def test_values_are_values():
    """Equal, hashable, picklable, told in a notebook."""
    one, other = (ss.stability([1, 1, -1], 0, ["1", "0.5"], 1) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert "lambda_k" in one._repr_html_()


def test_a_search_that_does_not_end_is_given_up(monkeypatch):
    """Where equilibria are nearly degenerate, after a stated number of boxes: here after few."""
    monkeypatch.setattr(catalogue, "MOST_BOXES", 50)
    with pytest.raises(th.Refused, match="beta: equilibria that are not isolated, or nearly so"):
        ss.equilibria(3, ["1", "0.5"], "1")


def test_a_sign_is_that_of_the_ball_and_not_of_its_middle():
    """Two eigenvalues whose balls overlap are not told apart, and a verdict that lies within a ball is refused."""
    wide = th.certify(lambda: arb("0.6"), 20).ball + arb(0, 1e-3)
    with pytest.raises(th.Refused, match="mode 0: its eigenvalue must differ"):
        ss.stability([1, 1], 0, [wide, "0.6"], 1)
    with pytest.raises(th.Refused, match="too close to the edge"):
        ss.stability([1, -1], 0, [1, wide], sp.log(2))
    assert ss.stability([1, -1], 0, [1, wide], "0.7", digits=2).stable
