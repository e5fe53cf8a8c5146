"""K_c from below: the inequalities of the proof, the bound on boxes at its edge, and minima over densities."""

from fractions import Fraction

import flint
import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, lists
from scipy.optimize import minimize
from scipy.special import iv

from gegenflow.theory.noise import critical
from gegenflow.theory.noise.critical import Bounds, critical_coupling
from gegenflow.theory.noise.landau import tricritical_beta
from gegenflow.theory.noise.stationary import stationary_equations
from gegenflow.theory.noise.transitions import phase_transition

POINTS = 256
ANGLE = 2 * np.pi * (np.arange(POINTS) + 0.5) / POINTS - np.pi
COSINES = np.cos(np.outer(np.arange(1, 65), ANGLE))
WAVES = np.exp(-1j * np.outer(np.arange(1, 65), ANGLE))


def multipliers(beta):
    """w_1, w_2, ... of the potential by FFT."""
    whole = 2 * np.pi * np.arange(2048) / 2048
    return np.fft.fft(np.exp(beta * np.cos(whole)) / beta).real[1:65] / 2048


def free_energy(q, beta, coupling):
    """F_K[q] - F_K[1] of densities on the grid."""
    entropy = (q * np.log(np.maximum(q, 1e-300))).mean(axis=-1)
    return entropy - 2 * coupling * (abs(q @ WAVES.T / POINTS) ** 2 @ multipliers(beta))


def bounds(beta, modes, share):
    """Bounds at K = share * K_#."""
    equations = stationary_equations(beta, 1, arb(share))
    left = sum(equations.multipliers[modes:], equations.tail / 2)
    return Bounds(equations, arb(share), modes, left)


@given(sizes=lists(floats(-1, 1), min_size=1, max_size=6), radius=floats(0.1, 0.9), turn=floats(0, 6))
def test_the_inequality_of_lebedev_and_milin(sizes, radius, turn):
    """log of the mean of e^g <= sum n |g_n|^2; -2 log|1 - z e^i theta|, with g_n = z^n/n, makes it an equality."""
    g = 2 * np.real(sum(c * np.exp(1j * (n * ANGLE + turn)) for n, c in enumerate(sizes, 1)))
    assert np.log(np.exp(g).mean()) <= sum(n * c * c for n, c in enumerate(sizes, 1)) + 1e-12
    whole = 2 * np.pi * np.arange(4096) / 4096
    sharp = -2 * np.log(abs(1 - radius * np.exp(1j * whole)))
    assert np.log(np.exp(sharp).mean()) == pytest.approx(-np.log(1 - radius**2), rel=1e-9)


@given(seed=integers(0, 10**6), beta=floats(0.5, 12))
def test_rearranged_densities_have_no_more_free_energy_and_the_moments_stated(seed, beta):
    """Sorted from 0 outwards on both sides in turn; |c_n| <= c_1 and c_2 >= 2 c_1^2 - 1 up to the grid."""
    q = np.exp(np.random.default_rng(seed).normal(size=POINTS) * 3)
    q /= q.mean()
    sorted_q = np.empty(POINTS)
    sorted_q[np.argsort(abs(ANGLE), kind="stable")] = np.sort(q)[::-1]
    assert free_energy(sorted_q, beta, 1.0) <= free_energy(q, beta, 1.0) + 1e-9
    c = sorted_q @ COSINES.T / POINTS
    assert (abs(c) <= c[0] + 0.02).all()
    assert c[1] >= 2 * c[0] ** 2 - 1


@settings(max_examples=25, deadline=None)
@given(
    seed=integers(0, 10**6),
    beta=floats(1, 6),
    share=floats(0.6, 0.99),
    width=floats(0, 0.2),
    sharpness=floats(0.1, 4),
)
def test_a_box_bounds_the_free_energy_of_every_density_in_it(seed, beta, share, width, sharpness):
    """Even densities of random fields, their moments anywhere in a box of this width."""
    with flint.ctx.workprec(53):
        proof = bounds(beta, 3, share) if beta < 3 else bounds(beta, 5, share)
        rng = np.random.default_rng(seed)
        q = np.exp(sharpness * rng.normal(size=8) @ COSINES[:8])
        q /= q.mean()
        c = (q @ COSINES.T / POINTS)[: proof.modes]
        low = c - width * rng.random(proof.modes)
        found = proof.floor(list(zip(low.tolist(), (low + width).tolist(), strict=True)))
    assert float(found) <= free_energy(q, beta, share / 2 / multipliers(beta)[0]) + 1e-9


@pytest.mark.parametrize(("beta", "modes", "slack"), [(4, 8, 1e-7), (4, 5, 3e-4), (6, 6, 2e-3)])
def test_the_bound_on_a_point_is_the_free_energy_of_the_stationary_state(beta, modes, slack):
    """At coexistence it is 0: the bound lies below it by no more than what the modes left out may take."""
    found = phase_transition(beta, 12)
    share = float(found.coupling) / float(found.threshold)
    w = multipliers(beta)
    a = float(found.coexistence.amplitude) ** np.arange(1, 65) ** 1.5
    for _ in range(400):
        q = np.exp(2 * share / w[0] * (w * a) @ COSINES)
        a = q @ COSINES.T / POINTS / q.mean()
    assert a[0] == pytest.approx(float(found.coexistence.amplitude), abs=1e-6)
    floor = float(bounds(beta, modes, share).floor([(c, c) for c in a[:modes].tolist()]))
    assert -slack < floor < 1e-9
    width = 0.05
    floor = float(bounds(beta, modes, share).floor([(c - width, c + width) for c in a[:modes].tolist()]))
    assert floor == pytest.approx(-share * width**2 * w[:modes].sum() / w[0], rel=0.3)


@settings(max_examples=30, deadline=None)
@given(seed=integers(0, 10**6), beta=floats(2.5, 8), share=floats(0.5, 0.95))
def test_up_to_the_radius_the_free_energy_has_the_bound_of_the_proof(seed, beta, share):
    """The bracket with Q, on fields of moments at the radius: Gibbs' bound as it is, not expanded."""
    proof = bounds(beta, 6, share)
    radius, w = proof.radius(), multipliers(beta)
    c = radius * np.append(1, np.random.default_rng(seed).uniform(-1, 1, 5))
    f = share / w[0] * w[:6] * c
    weight = np.exp(2 * f @ COSINES[:6])
    m, part = weight @ COSINES.T / weight.sum(), share * float(proof.left)
    value = share / w[0] * w[:6] @ c**2 - np.log(weight.mean())
    value -= share / w[0] / (1 - 2 * part) * w[6:] @ m[6:] ** 2
    size = 2 * radius * share * w[:6].sum() / w[0]
    bracket = 1 / share - 1 - size * np.exp(size) / 3 - part * np.exp(2 * size) * size**2 / (2 * (1 - 2 * part))
    assert bracket > 0
    assert value >= (f**2).sum() * bracket


def least_free_energy(beta, coupling, rng):
    """The least of F_K[q] - F_K[1] among all densities on 64 points, from bumps and random ones: FFT, L-BFGS."""
    angle = 2 * np.pi * np.arange(64) / 64
    w = np.append(0, multipliers(beta)[:32])

    def value_and_slope(log_q):
        q = np.exp(log_q - log_q.max())
        q /= q.mean()
        field = np.fft.irfft(w * np.fft.rfft(q))
        slope = np.log(q) - 2 * coupling * field
        return (q * (slope + coupling * field)).mean(), q * (slope - (q * slope).mean()) / 64

    waves = np.cos(np.outer(np.arange(1, 7), angle))
    starts = [3 * np.cos(n * angle) for n in (1, 2, 3)]
    starts += [rng.normal(size=6) @ waves * 2 for _ in range(3)]
    options = {"maxiter": 300, "ftol": 1e-14, "gtol": 1e-9}
    return min(minimize(value_and_slope, start, jac=True, method="L-BFGS-B", options=options).fun for start in starts)


@pytest.mark.parametrize(("beta", "gap"), [(3, "1/50"), (4, "1/20")])
def test_no_density_beats_the_uniform_one_at_the_lower_end_and_one_does_at_the_upper(beta, gap):
    """Minimised over all densities on the grid, even or not, just below the ball and just above it."""
    ball = critical_coupling(beta, gap).ball
    low, high = float(ball.lower()), float(ball.upper())
    rng = np.random.default_rng(1)
    assert least_free_energy(beta, low, rng) > -1e-9
    assert least_free_energy(beta, high * 1.0005, rng) < -1e-5
    assert low == pytest.approx(high * (1 - float(Fraction(gap))), rel=1e-6)


def test_the_boxes_cover_the_moments_of_every_mixture_of_arcs(monkeypatch):
    """Boxes narrower than 0.3 count as above: each of 500 random mixtures lies in one of them, or within the radius."""
    kept = []

    def floor(_, box):
        narrow = max(high - low for low, high in box) < 0.3
        kept.extend([box] * narrow)
        return arb(1 if narrow else -1)

    monkeypatch.setattr(Bounds, "floor", floor)
    proof = bounds(4, 3, 0.9)
    assert proof.exclude()
    rng, n = np.random.default_rng(3), np.arange(1, 4)
    boxes = np.array(kept)
    for _ in range(500):
        arcs = np.pi * rng.random(rng.integers(1, 5)) ** rng.choice([0.2, 1, 3])
        c = np.sinc(np.outer(arcs, n) / np.pi).T @ rng.dirichlet(np.ones(len(arcs)))
        inside = (boxes[:, :, 0] <= c + 1e-12) & (c - 1e-12 <= boxes[:, :, 1])
        assert c[0] < proof.radius() or inside.all(axis=1).any()


def test_a_coupling_above_the_critical_one_is_not_proved(monkeypatch):
    """2 % below it is proved; 0.1 % too large is not, by any number of boxes."""
    monkeypatch.setattr(critical, "MOST_BOXES", 1500)
    found = phase_transition(3, 8)
    share = float(found.coupling) / float(found.threshold)
    assert bounds(3, 3, share * 0.98).exclude()
    assert not bounds(3, 3, share * 1.001).exclude()


@settings(max_examples=5, deadline=None)
@given(beta=floats(0.1, 2.4469))
def test_continuous_transitions_are_at_the_linear_threshold(beta):
    """n I_n <= I_1 for all n, the condition of the proof, by SciPy; it fails for n = 2 just above."""
    assert critical_coupling(beta) == phase_transition(beta).threshold
    n = np.arange(1, 30)
    assert (n * iv(n, beta) <= iv(1, beta)).all()
    above = float(tricritical_beta(2)) + 1e-4
    assert 2 * iv(2, above) > iv(1, above)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((4, 0), "gap 0"),
        ((4, 1), "gap 1"),
        ((4, "x"), "gap x"),
        ((-1,), "beta -1"),
        ((101,), "beta 101"),
        ((8, "1e-12"), "gap 1e-12: more than"),
    ],
)
def test_bad_arguments_are_named(monkeypatch, arguments, named):
    """ValueError whose message starts with the parameter and the value."""
    monkeypatch.setattr(critical, "MOST_BOXES", 50)
    with pytest.raises(ValueError, match=f"^{named}"):
        critical_coupling(*arguments)
