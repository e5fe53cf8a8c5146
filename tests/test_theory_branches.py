"""Stationary states, folds and the transition against an independent solver on a grid, in floats with FFT."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, lists, sampled_from
from scipy.optimize import brentq, minimize_scalar
from scipy.special import i0e, i1e

from gegenflow import theory as th
from gegenflow.theory.amplitudes import amplitude_equation, supercritical_beta
from gegenflow.theory.amplitudes import kappa as noise
from gegenflow.theory.branches import branch
from gegenflow.theory.growth import noise_threshold
from gegenflow.theory.transitions import fold, transition

POINTS, MODES = 128, 30
ANGLE = 2 * np.pi * np.arange(POINTS) / POINTS


def multipliers(beta, degree):
    """w_{kn}[W], n = 1..MODES, by FFT of the potential itself."""
    whole = 2 * np.pi * np.arange(2048) / 2048
    kernel = np.cos(whole) if beta == 0 else np.exp(beta * np.cos(whole)) / beta
    return np.fft.fft(kernel).real[degree * np.arange(1, MODES + 1)] / 2048


def state(amplitude, beta, degree=1):
    """kappa, F - F(uniform) and the density of the state with this amplitude: floats, step by step."""
    w, cosines = multipliers(beta, degree), np.cos(np.outer(np.arange(1, MODES + 1), ANGLE))
    kappa, a = 1 / w[0], np.zeros(MODES)
    for here in np.append(np.arange(0.02, amplitude, 0.04), amplitude):
        a[0] = here
        for _ in range(12):
            q = np.exp(2 * kappa * (w * a) @ cosines)
            q /= q.mean()
            mean = (cosines * q).mean(axis=1)
            gain = 2 * w * ((cosines * q) @ cosines.T / POINTS - np.outer(mean, mean))
            jacobian = np.column_stack([-gain @ a, (np.eye(MODES) - kappa * gain)[:, 1:]])
            step = np.linalg.solve(jacobian, mean - a)
            kappa, a[1:] = kappa + step[0], a[1:] + step[1:]
    assert abs(step).max() < 1e-10
    return kappa, (q * np.log(q)).mean() - kappa * w @ a**2, q


@given(amplitudes=lists(floats(0.01, 0.97), min_size=1, max_size=4, unique=True))
def test_noisy_kuramoto_branch_is_its_closed_solution(amplitudes):
    """a = I_1(kappa a)/I_0(kappa a), by SciPy's Bessel functions: the equation holds along the whole branch."""
    found = branch(0, amplitudes=sorted(amplitudes))
    a, kappa = np.array(found.amplitude), np.array(found.noise)
    np.testing.assert_allclose(a, i1e(kappa * a) / i0e(kappa * a), rtol=1e-12)
    np.testing.assert_allclose(
        found.free_energy, kappa * a**2 / 2 - np.log(i0e(kappa * a)) - kappa * a, rtol=1e-9, atol=1e-14
    )
    assert found.unstable == (0,) * len(a)
    assert found.coupling == tuple(kappa / 2)


@settings(max_examples=25)
@given(beta=floats(0.2, 9), degree=integers(1, 3), amplitude=floats(0.05, 0.9))
def test_state_is_the_one_of_a_solver_on_a_grid(beta, degree, amplitude):
    """kappa and free energy from floats on 256 points, kernel by FFT: no Bessel function, no balls."""
    found = branch(beta, degree, [amplitude])
    kappa, energy, _ = state(amplitude, beta, degree)
    assert found.noise[0] == pytest.approx(kappa, rel=1e-9)
    assert found.free_energy[0] == pytest.approx(energy, abs=1e-10)


@settings(max_examples=20)
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
    for a, kappa in zip(found.amplitude, found.noise, strict=True):
        rate, saturation = (
            float(part.evalf(20, subs={th.beta: beta, noise: kappa})) for part in (mode.growth_rate, mode.saturation)
        )
        left.append(rate / saturation / a**2 - 1)
    assert left[1] / left[0] == pytest.approx(4, rel=0.05)
    assert abs(left[0]) < 0.05


@pytest.mark.parametrize("beta", [2.7, 3.5, 6.0])
def test_fold_and_coexistence_are_those_of_the_solver_on_a_grid(beta):
    """The least kappa by Brent's method, equal free energies by bisection, in floats: no balls, no derivative."""
    found = transition(beta, 12)
    turn = minimize_scalar(lambda a: state(a, beta)[0], bracket=(0.15, float(found.fold.amplitude) * 1.01, 0.97))
    assert float(found.fold.noise) == pytest.approx(turn.fun, rel=1e-9)
    assert float(found.fold.amplitude) == pytest.approx(turn.x, rel=1e-5)
    level = brentq(lambda a: state(a, beta)[1], turn.x, 0.98, xtol=1e-12)
    assert float(found.coexistence.amplitude) == pytest.approx(level, rel=1e-7)
    assert float(found.coupling) == pytest.approx(state(level, beta)[0] / 2, rel=1e-8)


@pytest.mark.parametrize(
    ("beta", "ratio"), [("2.6", ".99918"), ("3", ".99123"), ("4", ".95515"), ("6", ".87748"), ("8", ".81430")]
)
def test_table_of_critical_couplings(beta, ratio):
    """K_c/K_# computed before this package existed."""
    found = transition(beta)
    assert f"{float(found.coupling) / float(found.threshold):.5f}"[1:] == ratio
    assert float(found.fold.coupling) < float(found.coupling) < float(found.threshold)
    if beta in ("3", "4"):
        assert f"{float(found.coupling):.6f}" == {"3": "0.376094", "4": "0.195738"}[beta]


@pytest.mark.parametrize(("beta", "digits"), [(2.5, 8), (4, 1), (6, 20)])
def test_digits_are_those_of_a_longer_calculation(beta, digits):
    """Another precision, hence other modes, nodes and balls: the two agree within the bound."""
    short, long = transition(beta, digits), transition(beta, digits + 8)
    for at in ("coexistence", "fold"):
        for name in ("amplitude", "noise", "coupling"):
            few, many = (getattr(getattr(found, at), name) for found in (short, long))
            with mpmath.workdps(60):
                bound = mpmath.mpf(few.error) + mpmath.mpf(many.error)
                assert abs(mpmath.mpf(few.value) - mpmath.mpf(many.value)) <= bound


@settings(max_examples=8)
@given(beta=floats(0, 2.4469))
def test_transition_is_continuous_up_to_the_tricritical_temperature(beta):
    """K_c = K_#, no fold; the states of the branch lie beyond the threshold, stable and of less free energy."""
    found = transition(beta)
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
        (fold, (2,), "beta 2: the branch of degree 1 has a fold only above beta = 2.44692"),
        (fold, (8, 2), "beta 8: the branch of degree 2 has a fold only above beta = 8.96678"),
        (fold, (4, 0), "degree 0"),
        (fold, (4, 1, 0), "digits 0"),
        (transition, ("x",), "beta x"),
        (transition, (4, -1), "digits -1"),
        (transition, ("2.446919",), "beta 2.446919: too close"),
    ],
)
def test_bad_arguments_are_named(function, arguments, named):
    """ValueError whose message starts with the parameter and the value."""
    with pytest.raises(ValueError, match=f"^{named}"):
        function(*arguments)


def test_degree_two_turns_just_above_its_switching_temperature():
    """Slightly above the switching temperature a fold of small amplitude, close below the threshold of degree 2."""
    beta = float(supercritical_beta(2)) * 1.01
    turn = fold(beta, 2, 10)
    assert 0 < float(turn.amplitude) < 0.3
    assert 0.99 < float(turn.noise) / float(noise_threshold(2, 2, beta, digits=12)) < 1
