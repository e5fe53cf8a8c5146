"""Stationary states, folds and the transition against an independent solver on a grid, in floats with FFT."""

import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, lists, sampled_from
from scipy.optimize import brentq, minimize_scalar
from scipy.special import i0e, i1e, iv

from gegenflow import theory as th
from gegenflow.theory.growth.rates import noise_threshold
from gegenflow.theory.noise.amplitudes import amplitude_equation, supercritical_beta
from gegenflow.theory.noise.branches import branch
from gegenflow.theory.noise.landau import landau_expansion, s
from gegenflow.theory.noise.stationary import stationary_state, weak_state
from gegenflow.theory.noise.transitions import _passage, branch_fold, phase_transition
from gegenflow.theory.symbols import kappa as noise

POINTS, MODES = 256, 64
ANGLE = 2 * np.pi * np.arange(POINTS) / POINTS


def multipliers(beta, degree):
    """w_{kn}[W], n = 1..MODES, by FFT of the potential itself."""
    whole = 2 * np.pi * np.arange(2048) / 2048
    kernel = np.cos(whole) if beta == 0 else np.exp(beta * np.cos(whole)) / beta
    return np.fft.fft(kernel).real[degree * np.arange(1, MODES + 1)] / 2048


def state(amplitude, beta, degree=1):
    """kappa, F - F(uniform) and the density of the state with this amplitude: floats, step by step."""
    w, cosines = multipliers(beta, degree), np.cos(np.outer(np.arange(1, MODES + 1), ANGLE))
    threshold, w = 1 / w[0], w / w[0]
    ratio, a = 1.0, np.zeros(MODES)
    pace = min(0.04, 0.4 / max(beta, 1e-9))
    for here in np.append(np.arange(pace / 2, amplitude, pace), amplitude):
        a[0] = here
        for _ in range(12):
            q = np.exp(2 * ratio * (w * a) @ cosines)
            q /= q.mean()
            mean = (cosines * q).mean(axis=1)
            gain = 2 * w * ((cosines * q) @ cosines.T / POINTS - np.outer(mean, mean))
            jacobian = np.column_stack([-gain @ a, (np.eye(MODES) - ratio * gain)[:, 1:]])
            step = np.linalg.solve(jacobian, mean - a)
            ratio, a[1:] = ratio + step[0], a[1:] + step[1:]
            if abs(step).max() < 1e-12:
                break
    assert abs(step).max() < 1e-10
    return ratio * threshold, (q * np.log(q)).mean() - ratio * w @ a**2, q


@given(amplitudes=lists(floats(0.01, 0.97), min_size=1, max_size=4, unique=True))
def test_noisy_kuramoto_branch_is_its_closed_solution(amplitudes):
    """a = I_1(kappa a)/I_0(kappa a), by SciPy's Bessel functions: the equation holds along the whole branch."""
    found = branch(0, amplitudes=sorted(amplitudes))
    a, kappa = np.array(found.amplitude), np.array(found.kappa)
    np.testing.assert_allclose(a, i1e(kappa * a) / i0e(kappa * a), rtol=1e-12)
    np.testing.assert_allclose(
        found.free_energy, kappa * a**2 / 2 - np.log(i0e(kappa * a)) - kappa * a, rtol=1e-9, atol=1e-14
    )
    assert found.unstable == (0,) * len(a)
    assert found.coupling == tuple(kappa / 2)


@settings(max_examples=8)
@given(beta=floats(0.2, 9), degree=integers(1, 3), amplitude=floats(0.05, 0.9))
def test_state_is_the_one_of_a_solver_on_a_grid(beta, degree, amplitude):
    """kappa and free energy from floats on 256 points, kernel by FFT: no Bessel function, no balls."""
    found = branch(beta, degree, [amplitude])
    kappa, energy, _ = state(amplitude, beta, degree)
    assert found.kappa[0] == pytest.approx(kappa, rel=1e-9)
    assert found.free_energy[0] == pytest.approx(energy, abs=1e-10)


@settings(max_examples=8)
@given(beta=sampled_from([1.5, 4.0, 6.0, 10.0]), degree=integers(1, 3), amplitude=floats(0.05, 0.9))
def test_index_is_that_of_the_second_variation_on_a_grid(beta, degree, amplitude):
    """Eigenvalues of diag(1/q) - kappa W among all perturbations of mean zero; the rotation's is rounding."""
    found = branch(beta, degree, [amplitude])
    kappa, _, q = state(amplitude, beta, degree)
    q = np.tile(q, degree)
    angle = 2 * np.pi * np.arange(q.size) / q.size
    kernel = np.exp(beta * np.cos(angle[:, None] - angle)) / beta / q.size
    root_q = np.sqrt(q)
    form = np.eye(q.size) - kappa * root_q[:, None] * kernel * root_q
    project = np.eye(q.size) - np.outer(root_q, root_q) / q.size
    values = np.linalg.eigvalsh(project @ form @ project)
    assert abs(values[abs(values).argsort()[:2]]).max() < 1e-9  # the mean and the rotation
    assert found.unstable[0] == (values < -1e-9).sum()


@pytest.mark.parametrize(("degree", "beta"), [(1, 1.0), (1, 2.3), (1, 5.0), (2, 4.0), (2, 10.0), (3, 15.0)])
def test_branch_leaves_as_the_amplitude_equation_says(degree, beta):
    """lambda = g a^2 at small amplitudes, from an expansion that knows no branch: what is left falls as a^4."""
    found, mode = branch(beta, degree, [0.01, 0.02]), amplitude_equation(degree)
    left = []
    for a, kappa in zip(found.amplitude, found.kappa, strict=True):
        rate, saturation = (
            float(part.evalf(20, subs={th.beta: beta, noise: kappa})) for part in (mode.growth_rate, mode.saturation)
        )
        left.append(rate / saturation / a**2 - 1)
    assert left[1] / left[0] == pytest.approx(4, rel=0.05)
    assert abs(left[0]) < 0.05


@pytest.mark.parametrize(("beta", "degree"), [(0, 1), (1.5, 1), (4, 1), (3, 2), (10, 3)])
def test_the_start_of_a_branch_is_right_to_fourth_order(beta, degree):
    """What Newton's method adds to the second amplitude and to s falls by 16 where the amplitude is halved."""
    added = []
    for a in (0.04, 0.02):
        start = weak_state(sp.Rational(str(beta)), degree, a)
        _, x = stationary_state(sp.Rational(str(beta)), degree, start, a)
        added.append([float(x[1] - start[1]), float(x[-1] - start[-1])])
    np.testing.assert_allclose(np.divide(*added), 16, rtol=0.03)


@pytest.mark.parametrize("beta", [0, 4, 100])
def test_a_weak_state_is_so_weak_that_its_second_amplitude_is_below_a_quarter_of_the_first(beta):
    """At large beta a degree and its double are nearly alike, so that only small amplitudes are weak."""
    first, second, _ = weak_state(sp.Integer(beta), 1, 0.9)
    assert 0 < second <= first / 4 * (1 + arb(2) ** -40)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_sign_must_change_between_both_ends_of_a_ball(sign):
    """A quantity of one sign at every state that is proved has no zero there, whatever midpoints say."""
    honest = _passage(sp.Integer(4), 1, lambda _, x: x[0] - 0.4, 60)
    assert honest[0].contains(arb(0.4))
    assert honest[0].rad() < 1e-17
    for part in _passage(sp.Integer(4), 1, lambda _, x: arb(sign) if x[1].rad() > 0 else x[0] - 0.4, 60):
        assert not part.is_finite()


@pytest.mark.parametrize("amplitude", [1e-6, 1e-4])
@pytest.mark.parametrize("beta", [0.5, 1.0, 4.0])
def test_free_energy_of_a_weak_state_is_the_one_of_landau(beta, amplitude):
    """-F_4 epsilon^4, epsilon = sqrt(2) a, at the minimum of an expansion that knows no branch; Bessel of SciPy."""
    quartic = landau_expansion(1, 2).quartic.subs({s: 1, sp.Symbol("r_2"): iv(2, beta) / iv(1, beta)})
    found = branch(beta, amplitudes=[amplitude])
    assert found.free_energy[0] == pytest.approx(
        -4 * float(quartic) * amplitude**4, rel=10 * amplitude**2 + 1e-12, abs=0
    )


@pytest.mark.parametrize("degree", [10, 20, 40])
def test_branch_of_high_degree_is_that_of_kuramoto(degree):
    """w_2k/w_k < 1e-9 leaves one harmonic: a = I_1(2 s a)/I_0(2 s a), s = kappa w_k, by SciPy's Bessel functions."""
    found = branch(1, degree, [0.3, 0.8])
    a, kappa = np.array(found.amplitude), np.array(found.kappa)
    field = 2 * kappa * iv(degree, 1.0) * a
    np.testing.assert_allclose(a, i1e(field) / i0e(field), rtol=1e-9)
    assert found.unstable == (2 * degree - 2,) * 2


@pytest.mark.parametrize(("beta", "degree"), [(60, 1), (60, 2)])
def test_narrow_states_at_large_beta_are_those_of_the_grid(beta, degree):
    """As above, where kappa is below 1e-17."""
    found = branch(beta, degree, [0.1, 0.5, 0.9])
    for amplitude, kappa, energy in zip(found.amplitude, found.kappa, found.free_energy, strict=True):
        expected = state(amplitude, beta, degree)
        assert kappa == pytest.approx(expected[0], rel=1e-8, abs=0)
        assert energy == pytest.approx(expected[1], rel=1e-7, abs=0)


def test_fold_at_large_beta_is_a_least_kappa_of_the_grid():
    """As above, at and beside the amplitude found."""
    turn = branch_fold(50, digits=8)
    before, at, after = (state(float(turn.amplitude) * factor, 50)[0] for factor in (0.995, 1, 1.005))
    assert float(turn.kappa) == pytest.approx(at, rel=1e-7, abs=0)
    assert at < min(before, after)
    assert abs(before - after) < 0.1 * (before + after - 2 * at)


@pytest.mark.parametrize("beta", [2.7, 6.0])
def test_fold_and_coexistence_are_those_of_the_solver_on_a_grid(beta):
    """The least kappa by Brent's method, equal free energies by bisection, in floats: no balls, no derivative."""
    found = phase_transition(beta, 12)
    turn = minimize_scalar(lambda a: state(a, beta)[0], bracket=(0.15, float(found.fold.amplitude) * 1.01, 0.97))
    assert float(found.fold.kappa) == pytest.approx(turn.fun, rel=1e-9)
    assert float(found.fold.amplitude) == pytest.approx(turn.x, rel=1e-5)
    level = brentq(lambda a: state(a, beta)[1], turn.x, 0.98, xtol=1e-12)
    assert float(found.coexistence.amplitude) == pytest.approx(level, rel=1e-7)
    assert float(found.coupling) == pytest.approx(state(level, beta)[0] / 2, rel=1e-8)


@pytest.mark.parametrize(
    ("beta", "ratio"), [("2.6", ".99918"), ("3", ".99123"), ("4", ".95515"), ("6", ".87748"), ("8", ".81430")]
)
def test_table_of_critical_couplings(beta, ratio):
    """K_c/K_# computed before this package existed."""
    found = phase_transition(beta)
    assert f"{float(found.coupling) / float(found.threshold):.5f}"[1:] == ratio
    assert float(found.fold.coupling) < float(found.coupling) < float(found.threshold)
    if beta in ("3", "4"):
        assert f"{float(found.coupling):.6f}" == {"3": "0.376094", "4": "0.195738"}[beta]


@pytest.mark.parametrize(("beta", "digits"), [(2.5, 8), (4, 1), (6, 20)])
def test_digits_are_those_of_a_longer_calculation(beta, digits):
    """Another precision, hence other modes, nodes and balls: the two agree within the bound."""
    short, long = phase_transition(beta, digits), phase_transition(beta, digits + 8)
    for at in ("coexistence", "fold"):
        for name in ("amplitude", "kappa", "coupling"):
            few, many = (getattr(getattr(found, at), name) for found in (short, long))
            with mpmath.workdps(60):
                bound = mpmath.mpf(few.error) + mpmath.mpf(many.error)
                assert abs(mpmath.mpf(few.value) - mpmath.mpf(many.value)) <= bound


@settings(max_examples=8)
@given(beta=floats(0, 2.4469))
def test_transition_is_continuous_up_to_the_tricritical_temperature(beta):
    """K_c = K_#, no fold; the states of the branch lie beyond the threshold, stable and of less free energy."""
    found = phase_transition(beta)
    assert found.fold is found.coexistence is None
    assert found.coupling == found.threshold
    states = branch(beta, amplitudes=[0.2, 0.5, 0.8])
    assert float(found.threshold) < states.coupling[0] < states.coupling[1] < states.coupling[2]
    assert states.unstable == (0, 0, 0)
    assert max(states.free_energy) < 0


@pytest.mark.parametrize(
    ("function", "arguments", "named"),
    [
        (branch, (4, 0), "degree 0"),
        (branch, (0, 2), "degree 2: at beta = 0"),
        (branch, (-1,), "beta -1"),
        (branch, (4, 1, [0.5, 0.4]), r"amplitudes \(0.5, 0.4\)"),
        (branch, (4, 1, [1.0]), r"amplitudes \(1.0,\)"),
        (branch, (4, 1, [float("nan")]), r"amplitudes \(nan,\)"),
        (branch, (4, 1, []), r"amplitudes \(\)"),
        (branch, (4, 1, [1e-41]), r"amplitudes \(1e-41,\)"),
        (branch, (4, 1, 0.5), "amplitudes 0.5: a sequence of numbers"),
        (branch, (4, 1, ["a"]), r"amplitudes \['a'\]: a sequence of numbers"),
        (branch, (101,), "beta 101: branches are followed up to beta = 100"),
        (branch_fold, (1e5,), "beta 100000.0: branches"),
        (phase_transition, (500, 6), "beta 500: branches"),
        (branch_fold, (2,), "beta 2: the branch of degree 1 has a fold only above beta = 2.44692"),
        (branch_fold, (8, 2), "beta 8: the branch of degree 2 has a fold only above beta = 8.96678"),
        (branch_fold, (4, 0), "degree 0"),
        (branch_fold, (4, 1, 0), "digits 0"),
        (phase_transition, ("x",), "beta x"),
        (phase_transition, (4, -1), "digits -1"),
        (phase_transition, ("2.446919",), "beta 2.446919: too close"),
    ],
)
def test_bad_arguments_are_named(function, arguments, named):
    """ValueError whose message starts with the parameter and the value."""
    with pytest.raises(ValueError, match=f"^{named}"):
        function(*arguments)


def test_degree_two_turns_just_above_its_switching_temperature():
    """Slightly above the switching temperature a fold of small amplitude, close below the threshold of degree 2."""
    beta = float(supercritical_beta(2)) * 1.01
    turn = branch_fold(beta, 2, 10)
    assert 0 < float(turn.amplitude) < 0.3
    assert 0.99 < float(turn.kappa) / float(noise_threshold(2, 2, beta, digits=12)) < 1
