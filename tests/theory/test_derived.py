"""Named derivations: each holds, fails with any side of any step wrong, and ends at what the rooms state."""

from dataclasses import replace

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis.strategies import integers, sampled_from

from gegenflow import theory as th
from gegenflow.theory.clusters import energy_curvature, energy_slope
from gegenflow.theory.derived.energies import Overlap
from gegenflow.theory.proofs import Step
from gegenflow.theory.symbols import d

NAMES = (
    *("linearisation", "dissipation", "second variation", "equiangular tokens", "equiangular tokens, SA"),
    *("Landau coefficient", "overlap diffusion", "contraction"),
)
DERIVED = {name: th.derivations()[name] for name in NAMES[1:]}
MUTATIONS = {
    "scaled": lambda side: side * sp.Rational(98, 97),
    "negated": lambda side: -side,
    "raised": lambda side: side + sp.Rational(1, 97),
    "dimension": lambda side: side.subs(d, d + 1),
    "tokens": lambda side: side.subs(sp.Symbol("n", integer=True, positive=True), 7),
}


def test_the_list_is_complete_and_short():
    """Names in their order; one that is none is refused with the list of them; it prints within a dozen lines."""
    assert tuple(th.derivations()) == NAMES
    assert len(th.derivations()) == len(NAMES)
    assert len(repr(th.derivations()).splitlines()) <= 12
    assert th.derivations() == th.derived.derivations()
    with pytest.raises(th.Refused, match=r"^name entropy: the derivations are linearisation, dissipation"):
        th.derivations()["entropy"]


@pytest.mark.parametrize("name", NAMES)
def test_every_derivation_holds_with_the_dimension_a_symbol(name):
    """As it is listed."""
    derivation = th.derivations()[name]
    assert derivation.dim == d
    assert derivation.check()
    assert derivation.latex().count(r"\item") == len(derivation.steps)


@settings(max_examples=15)
@given(
    name=sampled_from(NAMES[1:]),
    place=integers(0, 10**6),
    side=sampled_from(["lhs", "rhs"]),
    mutation=sampled_from(sorted(MUTATIONS)),
)
def test_a_wrong_side_of_any_step_is_noticed(name, place, side, mutation):
    """By the proof of the step, and by the derivation."""
    derivation = DERIVED[name]
    number = place % len(derivation.steps)
    step = derivation.steps[number]
    wrong = MUTATIONS[mutation](getattr(step, side))
    if wrong == getattr(step, side):
        return
    bad = replace(step, **{side: wrong})
    assert not replace(derivation, steps=(*derivation.steps[:number], bad, *derivation.steps[number + 1 :])).check()
    assert not bad.holds() or (step.rhs == 0 and side == "lhs")


def test_the_second_variation_is_that_of_tokens():
    """Two tokens on the circle and a matrix, against the sum over all pairs, itself apart from the derivation."""
    t, m1, m2, m3 = sp.symbols("t m_1 m_2 m_3", real=True)
    a, b = sp.symbols("a b", positive=True)
    W = sp.Function("W")
    result = DERIVED["second variation"].result.subs(W(t), sp.exp(2 * t) / 2).doit()
    x, xi = sp.Matrix([[1, 0], [sp.Rational(3, 5), sp.Rational(4, 5)]]), sp.Matrix([[0, 2], [-4, 3]])
    M = sp.Matrix([[1, 2], [2, -1]])
    total = sp.Integer(0)
    for i in range(2):
        for j in range(2):
            pairs = {t: (x, x), m1: (xi, x), m2: (x, xi), m3: (xi, xi)}
            at = {name: (left.row(i) * M * right.row(j).T)[0] for name, (left, right) in pairs.items()}
            total += result.subs({**at, a: xi.row(i).norm(), b: xi.row(j).norm()}) / 8
    given = energy_curvature(x.tolist(), xi.tolist(), 2, matrix=M.tolist())
    assert sp.simplify(total - given) == 0


def test_the_dissipation_is_that_of_tokens():
    """The rate of the energy of three tokens under USA is the sum of the squares of their velocities over n."""
    x = sp.Matrix([[1, 0], [sp.Rational(3, 5), sp.Rational(4, 5)], [-sp.Rational(5, 13), sp.Rational(12, 13)]])
    fields = sp.Matrix(3, 2, lambda i, c: sum(sp.exp(x.row(i).dot(x.row(j))) * x[j, c] for j in range(3)) / 3)
    velocities = sp.Matrix(3, 2, lambda i, c: fields[i, c] - fields.row(i).dot(x.row(i)) * x[i, c])
    rate = energy_slope(x.tolist(), velocities.tolist(), 1)
    assert sp.simplify(rate - sum(velocities.row(i).dot(velocities.row(i)) for i in range(3)) / 3) == 0


def test_the_landau_coefficient_changes_sign_at_the_tricritical_point():
    """By its certified root, in two dimensions; and the coefficient at a point by hand."""
    steps = {step.title: step for step in DERIVED["Landau coefficient"].steps}
    ratio = sp.Symbol("r_2")
    assert steps["threshold"].rhs.subs({d: 2, ratio: sp.Rational(1, 3)}) == sp.Rational(1, 32)
    assert sp.solve(steps["sign"].rhs, ratio) == [1 / d]
    for dim in (2, 5):
        root = sp.Rational(th.noise.tricritical_beta(dim, 30).value)
        assert abs(steps["tricritical"].rhs.subs({d: dim, th.beta: root}).evalf(30) - sp.Rational(1, dim)) < 1e-25


def test_sums_are_compared_in_one_order_of_a_pair_or_the_other():
    """An exchange of indices needs the sum over both orders, and an overlap that is the same for both."""
    i, j, N = sp.symbols("i j N", integer=True, positive=True)
    A, time = sp.Function("A"), sp.Symbol("tau")

    def holds(left, right, *ranges):
        return Step("", "", sp.Sum(left, *ranges), sp.Sum(right, *ranges), "by exchange of the indices", d).holds()

    both = ((i, 1, N), (j, 1, N))
    assert Overlap(j, i, time) == Overlap(i, j, time)
    assert holds(A(i, j), A(j, i), *both)
    assert not holds(A(i, j), A(j, i), (i, 1, N), (j, 1, 2 * N))
    assert not holds(A(i, j), 2 * A(j, i), *both)
    assert holds(Overlap(i, j, time) * A(i, j), Overlap(i, j, time) * A(j, i), *both)
