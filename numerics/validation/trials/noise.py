"""Laws of noisy tokens: the states in which noise and attention balance."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.circle_starts import circle_density
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.observables.energy import Energy
from gegenflow.numerics.observables.tokens import Entropy, HarmonicAmplitude
from gegenflow.numerics.tokens.geometry import uniform
from gegenflow.numerics.validation.case import simulation_beta
from gegenflow.numerics.validation.checks import Check, Rival, mean_check
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.measurements import follow, follow_density
from gegenflow.theory.growth.rates import noise_threshold
from gegenflow.theory.noise.amplitudes import amplitude_equation
from gegenflow.theory.noise.branches import branch
from gegenflow.theory.noise.transitions import phase_transition

SETTLED = 1e-9
RATIO, SPAN = 0.8, 40  # of the threshold; length of a run in relaxation times


@law(
    "order parameter of the stationary branch",
    r"q \propto \exp\big(\kappa\, W * q\big), \qquad W = e^{\beta\cos}/\beta, \qquad a_1 = \int \cos\theta\, q",
    source="arXiv 2606.05140, 2604.16288",
    rivals=("K in the place of kappa", "a branch 3 % off in kappa"),
    beta=(0.1, 8),
    amplitude=(0.3, 0.95),
)
def stationary_branch(rng: np.random.Generator, *, beta: Any = 2, amplitude: float = 0.8) -> Iterator[Check]:
    """The order parameter at which a density settles, at the kappa of a proved state of the branch."""
    states = branch(beta, amplitudes=[amplitude - 0.01, amplitude, amplitude + 0.01])
    near, kappa, beyond = states.kappa
    found, error = _settled(simulation_beta(beta), 1 / kappa, amplitude)
    rivals = (
        Rival("a branch 3 % off in kappa", amplitude + 0.03 * kappa * 0.02 / (beyond - near)),
        Rival("K in the place of kappa", _settled(simulation_beta(beta), 2 / kappa, amplitude)[0]),
    )
    yield Check(f"beta {beta} kappa {kappa:.6g}", amplitude, found, error, rivals=rivals)


def _settled(
    beta: float, noise: float, amplitude: float, degree: int = 1, slowness: float = 1.0
) -> tuple[float, float]:
    """The amplitude of a degree where a density has come to rest, from an ordered start; what it still moves."""
    wave = np.zeros(2 * 8 * degree)
    wave[2 * degree - 2] = 2**0.5 * min(amplitude, 0.45)
    density: Any = CircleDensity(wave)
    before, span = np.inf, 10 * slowness / noise
    for _ in range(40):
        options: dict[str, Any] = {"observe": [HarmonicAmplitude(degree)], "save_at": [span], "rtol": 1e-11}
        run = follow_density(density, Flow(beta=beta, noise=noise), span, **options)
        now = float(abs(run.observables["harmonic_amplitude"][-1, degree]))
        density, before, moved = run.density, now, abs(now - before)
        if moved < SETTLED:
            break
    return now, moved + 1e-8


@law(
    "fluctuations below the threshold",
    r"E|a_1|^2 = \frac{1}{N(1 - \kappa/\kappa_1)}",
    source="derived here",
    rivals=("independent tokens", "K in the place of kappa"),
    cost="minutes",
    tokens=(200, 1_000_000),
    beta=(0.1, 10),
)
def fluctuations_below_the_threshold(
    rng: np.random.Generator, *, beta: Any = 2, tokens: int = 500, runs: int = 24
) -> Iterator[Check]:
    """The squared mean of noisy tokens at four fifths of the threshold, over long runs from the uniform state."""
    kappa = RATIO * float(noise_threshold(1, 2, beta, digits=15))
    flow = Flow(beta=simulation_beta(beta), noise=1 / kappa)
    relaxation = kappa / (1 - RATIO)
    times = relaxation * np.arange(4, SPAN)
    squares = []
    for stream in rng.spawn(runs):
        start = uniform(tokens, 2, rng=stream)
        options: dict[str, Any] = {
            "observe": [HarmonicAmplitude(1)],
            "save_at": times,
            "step": kappa / 20,
            "method": "circle",
        }
        run = follow(start, flow, times[-1], rng=stream, **options)
        squares.append(tokens * np.mean(np.abs(run.observables["harmonic_amplitude"][:, 1]) ** 2))
    predicted = 1 / (1 - RATIO)
    rivals = Rival("independent tokens", 1.0), Rival("K in the place of kappa", 1 / 0.6)
    yield mean_check(f"beta {beta} N = {tokens} N |a_1|^2", predicted, np.array(squares), rivals=rivals)


@law(
    "amplitude equation",
    r"\dot A = \lambda A - g|A|^2A, \quad \lambda = k^2\Big(w_k - \frac1\kappa\Big), \quad "
    r"g = \frac{k^2 w_k (w_k - 2w_{2k})}{2(1/\kappa - w_{2k})}, \quad w_m = w_m[W]",
    source="derived here; arXiv 2606.05140 for the threshold",
    rivals=("twice the saturation", "K in the place of kappa"),
    degree=(1, 4),
    beta=(0.2, 8),
)
def amplitude_law(rng: np.random.Generator, *, degree: int = 1, beta: Any = 1) -> Iterator[Check]:
    """|A|^2 over its distance from the threshold, where a density settles, extrapolated to the threshold."""
    threshold = float(noise_threshold(degree, 2, beta, digits=17))
    slopes = []
    for above in (0.16, 0.08, 0.04):
        kappa = threshold * (1 + above)
        found, _ = _settled(simulation_beta(beta), 1 / kappa, above**0.5, degree, 1 / (degree**2 * above))
        slopes.append((found / np.sqrt(above)) ** 2)
    equation = amplitude_equation(degree, beta, repr(threshold * (1 + 1e-9)))
    predicted = float(equation.growth_rate / equation.saturation) / 1e-9
    once = [2 * fine - coarse for coarse, fine in pairwise(slopes)]
    measured = (4 * once[1] - once[0]) / 3
    bar = abs(measured - once[1]) + 1e-6 * abs(measured)
    rivals = (Rival("twice the saturation", predicted / 2), Rival("K in the place of kappa", 2 * predicted))
    yield Check(f"beta {beta} degree {degree} |A|^2/(kappa/kappa_k - 1)", predicted, measured, bar, rivals=rivals)


@law(
    "first-order transition",
    r"F_\kappa(q) = \frac1\kappa\int q\log q - \frac{1}{2\beta}\iint e^{\beta\langle x,y\rangle}q\,q, \qquad "
    r"F(q_1) = F(1) \ \text{at}\ \kappa_c",
    source="arXiv 2606.05140; certified on the circle here",
    rivals=("the threshold of linear stability", "K in the place of kappa"),
    beta=(2.6, 8),
)
def first_order_transition(rng: np.random.Generator, *, beta: Any = 4) -> Iterator[Check]:
    """The kappa at which the ordered density and the uniform one have the same free energy, by settled densities."""
    transition = phase_transition(beta)
    if transition.coexistence is None:
        return
    predicted, b = float(transition.coexistence.kappa), simulation_beta(beta)

    ends = predicted * np.array([0.999, 1.001])
    early, late = np.transpose([_free_energies(b, 1 / kappa) for kappa in ends])
    rough, found = (float(ends[0] - v[0] * (ends[1] - ends[0]) / (v[1] - v[0])) for v in (early, late))
    linear = float(noise_threshold(1, 2, beta, digits=15))
    rivals = Rival("the threshold of linear stability", linear), Rival("K in the place of kappa", 2 * predicted)
    yield Check(f"beta {beta} kappa_c", predicted, found, abs(found - rough) + 1e-5 * predicted, rivals=rivals)


def _free_energies(beta: float, noise: float) -> list[float]:
    """Free energy less that of the uniform density, of one that settles in order, at half of the run and its end."""
    flow, span = Flow(beta=beta, noise=noise), 30 / noise
    start = circle_density(lambda angle: np.exp(2 * np.cos(angle)), normalize=True)
    run = follow_density(start, flow, span, save_at=[span / 2, span], rtol=1e-9)
    flat = float(Energy().of_density(circle_density(np.ones_like), flow))
    return [noise * Entropy().of_density(f, flow) - float(Energy().of_density(f, flow)) + flat for f in run.densities]
