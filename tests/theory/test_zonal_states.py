"""Zonal stationary states on spheres against SciPy on Gauss-Gegenbauer nodes, closed solutions, coarse equations."""

import flint
import numpy as np
import pytest
import sympy as sp
from flint import arb, fmpq
from hypothesis import given, settings
from hypothesis.strategies import floats, sampled_from
from scipy.integrate import quad
from scipy.optimize import brentq, root
from scipy.special import eval_gegenbauer, ive, roots_gegenbauer

from gegenflow.theory.noise.landau import coupling_threshold, landau_expansion, s
from gegenflow.theory.noise.stationary import continuation, enclose_state, newton_state
from gegenflow.theory.noise.zonal import ZonalEquations, _rule, zonal_equations, zonal_state
from gegenflow.theory.sphere import harmonic_dimension

MODES = 24


def solved(amplitude, beta, dim):
    """a_1, ..., kappa and F - F(uniform) on 80 nodes in floats: no Bessel function, no balls."""
    index = dim / 2 - 1
    t, weights = roots_gegenbauer(80, index)
    weights /= weights.sum()
    p = np.array([eval_gegenbauer(n, index, t) / eval_gegenbauer(n, index, 1.0) for n in range(1, MODES + 1)])
    number = 1 / (p**2 @ weights)
    w = p @ (weights * (np.exp(beta * t) / beta))
    gain = number * w

    def density(kappa, a):
        q = np.exp(kappa * (gain * a) @ p)
        return q / (q @ weights)

    def equations(x, first):
        a = np.append(first, x[1:])
        return p @ (density(x[0] / w[0], a) * weights) - a

    x = np.append(1.0, np.zeros(MODES - 1))
    for first in np.append(np.arange(0.01, amplitude, 0.02), amplitude):
        found = root(equations, x, args=(first,), tol=1e-13)
        x = found.x
    assert abs(found.fun).max() < 1e-11
    kappa, a = x[0] / w[0], np.append(amplitude, x[1:])
    q = density(kappa, a)
    return a, kappa, (q * np.log(q)) @ weights - kappa / 2 * gain @ a**2


@pytest.mark.parametrize(
    ("dim", "beta", "amplitude"),
    [(3, 1.0, 0.3), (3, 3.0, 0.8), (4, 1.5, 0.55), (4, 4.0, 0.25), (8, 1.0, 0.4), (8, 2.5, 0.7)],
)
def test_state_is_the_one_of_scipy(dim, beta, amplitude):
    """Moments, kappa and free energy: quadrature and root finding that know nothing of balls."""
    found = zonal_state(sp.Rational(beta), dim, sp.Rational(amplitude), digits=12)
    a, kappa, energy = solved(amplitude, beta, dim)
    assert [float(one) for one in found.moments] == pytest.approx(a[:4], rel=1e-9)
    assert float(found.kappa) == pytest.approx(kappa, rel=1e-9)
    assert float(found.coupling) == pytest.approx(kappa / 2, rel=1e-9)
    assert float(found.free_energy) == pytest.approx(energy, abs=1e-10)


@settings(max_examples=15, deadline=None)
@given(dim=sampled_from([3, 4, 5, 8, 16]), amplitude=floats(0.01, 0.9))
def test_without_attention_states_are_those_of_von_mises_and_fisher(dim, amplitude):
    """a = I_{d/2}(x)/I_{d/2-1}(x) at x = kappa a, by SciPy's Bessel functions and Brent's method."""
    x = brentq(lambda x: ive(dim / 2, x) / ive(dim / 2 - 1, x) - amplitude, 1e-9, 1e3, xtol=1e-13)
    found = zonal_state(0, dim, amplitude, digits=12)
    assert float(found.kappa) == pytest.approx(x / amplitude, rel=1e-9)
    mass = [quad(lambda a, f=f: np.exp(f * np.cos(a)) * np.sin(a) ** (dim - 2), 0, np.pi)[0] for f in (0, x)]
    assert float(found.free_energy) == pytest.approx(x * amplitude / 2 - np.log(mass[1] / mass[0]), abs=1e-7)


@pytest.mark.parametrize(("dim", "beta"), [(3, "1"), (3, "3"), (4, "2"), (8, "1/2")])
def test_weak_states_leave_at_the_threshold_with_the_free_energy_of_landau(dim, beta):
    """-F_4 epsilon^4 with epsilon = sqrt(d) a_1, the minimum of F_2 epsilon^2 + F_4 epsilon^4; kappa_1 at a_1 -> 0."""
    found, b = zonal_state(beta, dim, "1/10000", digits=10), float(sp.Rational(beta))
    assert float(found.coupling) == pytest.approx(float(coupling_threshold(1, dim, beta, digits=10)), rel=1e-6)
    ratio = ive(dim / 2 + 1, b) / ive(dim / 2, b)
    quartic = float(landau_expansion(1, dim).quartic.subs({s: 1, sp.Symbol("r_2"): ratio}))
    assert float(found.free_energy) == pytest.approx(-quartic * dim**2 * 1e-16, rel=1e-5)


@pytest.mark.parametrize("dim", [3, 4, 8])
@pytest.mark.parametrize(("modes", "nodes"), [(4, 80), (7, 80), (14, 11), (14, 9)])
def test_few_modes_or_few_nodes_enclose_the_state_of_many(dim, modes, nodes):
    """Normaliser, means and free energy where what is left out is large; the middle alone would be off."""
    with flint.ctx.workprec(128):
        x = [arb(0.02), arb(1)]
        for here in (0.02, *continuation(x[0], 0.5)):
            fine = zonal_equations(sp.Integer(2), dim, 2 * x[-1])
            x = newton_state(fine, x, here)
        x = enclose_state(fine, x)
        harmonics, weights, total = _rule(nodes, modes, dim, 128)
        y, rest = arb(1), sum(fine.gains[modes:], fine.tail)
        strip = sum((g * (y * n).cosh() for n, g in enumerate(fine.gains, 1)), arb(1e-9))
        kept = fine.multipliers[:modes], fine.gains[:modes]
        coarse = ZonalEquations(*kept, harmonics, weights, total, fine.power, rest, strip, fmpq(1))
        short = [*x[:modes], x[-1]]
        (one, few), (all_of_it, many) = coarse.moments(short), fine.moments(x)
        assert one.contains(all_of_it)
        assert not all_of_it.overlaps(one.mid() + arb(0, 1e-13))
        assert all(few[n, m].contains(many[n, m]) for n in range(modes + 1) for m in range(modes + 1))
        assert coarse.free_energy(short).contains(fine.free_energy(x))


@pytest.mark.parametrize("dim", [3, 4, 7, 8, 16])
def test_the_rule_integrates_products_of_harmonics(dim):
    """Orthogonality with the norms 1/D_n, exact up to rounding."""
    with flint.ctx.workprec(80):
        harmonics, weights, _ = _rule(24, 8, dim, 80)
        for n in range(9):
            for m in range(n + 1):
                mean = sum((w * harmonics[j, n] * harmonics[j, m] for j, w in enumerate(weights)), arb(0))
                expected = arb(1) / harmonic_dimension(n, dim) if n == m else arb(0)
                assert mean.overlaps(expected)
                assert mean.rad() < 1e-15


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((-1, 3, "0.5"), "beta -1"),
        ((9, 3, "0.5"), "beta 9: zonal states are followed up to beta = 8"),
        ((1, 2, "0.5"), "dim 2: zonal states are those of dims 3 to 16"),
        ((1, 17, "0.5"), "dim 17"),
        ((1, 3, 0), "amplitude 0"),
        ((1, 3, "0.99"), "amplitude 0.99"),
        ((1, 3, "1e-7"), "amplitude 1e-7"),
        ((1, 3, "x"), "amplitude x"),
        ((1, 3, "0.5", 0), "digits 0"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    """ValueError whose message starts with the parameter and the value."""
    with pytest.raises(ValueError, match=f"^{named}"):
        zonal_state(*arguments)
