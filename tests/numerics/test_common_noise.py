"""Densities on the circle under noise that all tokens share: exact maps, particles, and means over the noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, sampled_from
from scipy.integrate import quad
from scipy.linalg import expm
from scipy.optimize import brentq

from gegenflow import numerics as nm
from gegenflow.numerics.densities.distribution import distribution
from gegenflow.numerics.densities.layered import density_layer
from gegenflow.numerics.densities.spectral import negative_mass
from gegenflow.numerics.fields.circle import circle_points
from gegenflow.numerics.fields.random_fields import covariance
from gegenflow.numerics.runs.motion import streams

START = nm.circle_density(lambda angle: np.exp(np.cos(angle)) * (1 + 0.5 * np.sin(2 * angle)), normalize=True)
PEAK = nm.circle_density(lambda angle: np.exp(3 * np.cos(angle)), normalize=True)
ANGLES = np.linspace(0, 2 * np.pi, 12, endpoint=False) + 0.1


def layers(activation, count=100, width=None, **parts):
    return nm.Flow(**parts, random_layers=nm.RandomLayers(activation, width=width, layers=count))


FLOWS = {
    "field": layers("tanh"),
    "limit": nm.Flow(random_layers=nm.RandomLayers("sin")),
    "network": layers("erf", width=64),
    "function": layers(np.cos),
    "attention": layers("gelu", beta=1, model="sa"),
    "kernel": layers("tanh", kernel=np.exp),
    "heads": layers("cos", heads=[nm.Head(beta=1), nm.Head(beta=2, value=-np.eye(2))]),
}


def matrices(rng, count):
    """The matrices of normal numbers that "linear" layers are, written out from the stream of a run."""
    stream, modes = streams(rng)["rng"], len(covariance("linear").modes())
    return [stream.standard_normal((2, modes, 2))[:, 1] for _ in range(count)]


def by_matrix(density, matrix, angles):
    """The image of a density under a linear map of the plane, by the change of variables."""
    back = circle_points(angles) @ np.linalg.inv(matrix).T
    lengths = np.linalg.norm(back, axis=1)
    return density.values(np.arctan2(back[:, 1], back[:, 0])) / (abs(np.linalg.det(matrix)) * lengths**2)


@settings(max_examples=30)
@given(rng=integers(0, 2**32 - 1), tol=sampled_from([1e-3, 1e-5, 1e-7, 1e-9, 1e-11]))
def test_linear_layers_move_a_density_as_a_product_of_matrices_does(rng, tol):
    """Forty layers of a linear activation are one linear map, so that the density is known; at every tolerance."""
    run = nm.solve_density(START, layers("linear"), t_end=0.4, rng=rng, rtol=tol, save_at=[0.4])
    assert run.status.ok
    product = np.eye(2)
    for matrix in matrices(rng, 40):
        product = (np.eye(2) + 0.1 * matrix) @ product
    exact = by_matrix(START, product, ANGLES)
    apart = np.abs(run.density.values(ANGLES) - exact).max()
    assert apart < 3 * max(tol, 1e-11) * max(1.0, exact.max())
    assert run.minimum[-1] > -3 * tol
    assert negative_mass(run.density) <= 3 * tol


@pytest.mark.parametrize("model", ["usa", "sa"])
@pytest.mark.parametrize("gain", [0.0, 1.0])
def test_a_layer_with_attention_is_its_change_of_variables(model, gain):
    """One layer of a network of three neurons, with its numbers: f(phi^-1) / phi', the attention by quadrature."""
    beta, step = 2.0, 0.05
    parts = {"beta": beta, "model": model} if gain else {}
    flow = layers("tanh", 20, width=3, **parts)
    moved = density_layer(flow, step=step, rtol=1e-10, atol=0.0, max_degree=512)(START, np.random.default_rng(4))
    stream = np.random.default_rng(4)
    inner, outer = stream.standard_normal((3, 2)), stream.standard_normal((3, 2))

    def integral(function):
        return quad(function, 0, 2 * np.pi, epsabs=1e-12, epsrel=1e-12, limit=200)[0] / (2 * np.pi)

    def speed(angle):
        force = integral(lambda a: np.exp(beta * np.cos(a - angle)) * np.sin(a - angle) * START.values(a))
        weight = integral(lambda a: np.exp(beta * np.cos(a - angle)) * START.values(a)) if model == "sa" else 1.0
        return force / weight

    def image(angle):
        x, tangent = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        push = np.tanh(inner @ x) @ outer / np.sqrt(3)
        whole = x + step * gain * (speed(angle) if gain else 0.0) * tangent + np.sqrt(step) * push
        return angle + np.arctan2(whole @ tangent, whole @ x)

    for place in ANGLES[::4]:
        before = brentq(lambda a, place=place: image(a) - place, place - 1.5, place + 1.5, xtol=1e-13)
        slope = (
            8 * (image(before + 1e-3) - image(before - 1e-3)) - image(before + 2e-3) + image(before - 2e-3)
        ) / 0.012
        assert moved.values(place) == pytest.approx(START.values(before) / slope, rel=1e-8)


@settings(max_examples=20)
@given(
    name=sampled_from(["cos", "tanh", "sin", "erf"]),
    model=sampled_from(["usa", "sa"]),
    beta=floats(0, 2),
    rng=integers(0, 2**32 - 1),
)
def test_more_degrees_than_needed_change_nothing(name, model, beta, rng):
    """Four times the degrees at the start, and a finer tolerance, under attention: the same to the tolerance."""
    options = {"t_end": 0.2, "rng": rng, "save_at": [], "max_degree": 4096}
    flow = layers(name, beta=beta, model=model)
    run = nm.solve_density(START, flow, rtol=1e-8, **options)
    finer = nm.solve_density(START.resized(4 * run.density.max_degree), flow, rtol=1e-11, **options)
    assert run.status.ok
    assert finer.status.ok
    top = finer.density.max_degree
    apart = np.linalg.norm(run.density.resized(top).coefficients - finer.density.coefficients)
    assert apart < 1e-7 * np.linalg.norm(finer.density.coefficients)


@pytest.mark.parametrize("name", FLOWS)
def test_tokens_at_quantiles_have_the_moments_of_the_density(name):
    """Under the same noise path, at a rate beyond all powers of n, as the map is analytic."""
    flow, tokens = FLOWS[name], nm.quantiles(START, 400)
    run = nm.solve_density(START, flow, t_end=0.3, rng=7, save_at=[])
    method = "auto" if name == "heads" or not flow.attends else "dense"
    moved = nm.simulate(as_tokens(tokens), flow, t_end=0.3, rng=7, save_at=[], method=method).tokens
    angles = np.arctan2(moved[:, 1], moved[:, 0])
    moments = np.exp(-1j * np.outer(np.arange(4), angles)).mean(axis=1)
    assert np.allclose(run.density.spectrum()[:4], moments, rtol=0, atol=1e-9)


def as_tokens(places):
    return places if places.ndim == 2 else circle_points(places)


def drawn(n, rng):
    return circle_points(distribution(START).inverse(np.random.default_rng(rng).random(n)))


def slope_of(counts, distances):
    """The slope of log mean distance against log n, with its bar from the draws, shape=[counts, draws]."""
    logs = np.log(distances.mean(axis=1))
    bars = distances.std(axis=1, ddof=1) / np.sqrt(distances.shape[1]) / distances.mean(axis=1)
    centred = np.log(counts) - np.log(counts).mean()
    share = centred / (centred @ centred)
    return share @ logs, np.linalg.norm(share * bars)


COUNTS = [100, 400, 1600, 6400]


@pytest.fixture(scope="module")
def path():
    """A density under attention and common noise, and how far from it tokens are that were drawn from its start."""
    flow, options = layers("tanh", beta=1, model="sa"), {"t_end": 0.5, "save_at": []}
    density = nm.solve_density(START, flow, rng=1, **options).density

    def distance(tokens, rng=1):
        return nm.wasserstein_distance(density, nm.simulate(tokens, flow, rng=rng, **options))

    return distance


def test_tokens_come_to_the_density_under_the_same_noise(path):
    """W_2 falls as n^-1/2 over 24 draws for each of four n; rivals: n^-1/4, and a bound that stays."""
    draws = range(24)
    distances = np.array([[path(drawn(n, (n, k))) for k in draws] for n in COUNTS])
    slope, bar = slope_of(COUNTS, distances)
    assert bar < 0.04
    assert abs(slope + 0.5) < 4 * bar
    assert slope < -0.25 - 4 * bar
    assert (distances[-1] < 0.05).all()


def test_tokens_at_quantiles_come_faster_and_those_under_another_noise_do_not(path):
    """W_2 of quantiles is of order 1/n; under another noise path the distance stays, however many tokens there are."""
    starts = [as_tokens(nm.quantiles(START, n)) for n in COUNTS]
    same = np.array([path(start) for start in starts])
    other = np.array([path(start, rng=2) for start in starts])
    assert np.allclose(np.diff(np.log(same)) / np.diff(np.log(COUNTS)), -1.0, atol=0.03)
    assert (other > 0.1).all()
    assert np.allclose(other, other[-1], rtol=0.05)


def test_the_distance_of_independent_tokens_is_that_of_a_brownian_bridge():
    """Without attention tokens are independent given the noise: n E W_2^2 from the density, 100 draws of 2000 tokens.

    The limit is the mean of int B^2 Q'^2 - (int B Q'^2)^2 / int Q'^2, of a bridge B and the quantiles Q.  False alarms:
    4 bars, 1e-4.
    """
    flow, n = layers("tanh"), 2000
    density = nm.solve_density(START, flow, t_end=0.5, rng=3, save_at=[]).density
    labels = (np.arange(2000) + 0.5) / 2000
    squares = (2 * np.pi / density.values(distribution(density).inverse(labels))) ** 2
    spread = np.minimum.outer(labels, labels) - np.outer(labels, labels)
    limit = (labels * (1 - labels)) @ squares / 2000 - squares @ spread @ squares / 2000**2 / squares.mean()
    found = np.empty(100)
    for k in range(100):
        moved = nm.simulate(drawn(n, k), flow, t_end=0.5, rng=3, save_at=[])
        found[k] = n * nm.wasserstein_distance(density, moved) ** 2
    assert found.mean() == pytest.approx(limit, abs=4 * found.std() / 10)
    assert found.std() / 10 < 0.1 * limit


@pytest.fixture(scope="module")
def ensemble():
    """The moments of degrees 1 and 2 after 20 layers of the size 1/50, over 800 draws of the noise."""
    layer = density_layer(layers("cos", 50), step=0.02, rtol=1e-5, atol=0.0, max_degree=512)
    moments = np.empty((800, 2), dtype=complex)
    for k in range(len(moments)):
        density, stream = PEAK, np.random.default_rng(k)
        for _ in range(20):
            density = layer(density, stream)
        moments[k] = density.spectrum()[1:3]
    return moments


def test_moments_decay_on_average_as_under_noise_of_their_own(ensemble):
    """E c_k = c_k(0) m^20, m the mean of cos k psi over the turn psi of one token; in the limit e^(-k^2 K(1) t / 2).

    False alarms: 4 bars for 2 numbers, 1e-4.  No decay, and one that is twice as fast, are refuted.
    """
    own = float(np.exp(-1) * np.cosh(1))  # E cos(Z)^2
    bars = 4 * ensemble.std(axis=0) / np.sqrt(len(ensemble))
    for k in (1, 2):
        factor = mean_turn(k, own * 0.02) ** 20
        assert abs(ensemble[:, k - 1].mean() - PEAK.spectrum()[k] * factor) < bars[k - 1]
        finer = mean_turn(k, own * 0.0002) ** 2000
        assert finer == pytest.approx(np.exp(-(k**2) * own * 0.4 / 2), rel=1e-3)
        assert factor == pytest.approx(finer, rel=0.1)
    for rate in (0.0, 4 * own):
        assert abs(ensemble[:, 1].mean() - PEAK.spectrum()[2] * np.exp(-rate * 0.4)) > bars[1]


def mean_turn(degree, variance):
    """E cos k psi for the direction psi of (1, 0) + a normal vector of this variance, by Gauss and Hermite."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    x, y = np.meshgrid(1 + np.sqrt(variance) * nodes, np.sqrt(variance) * nodes, indexing="ij")
    return weights @ np.cos(degree * np.arctan2(y, x)) @ weights / weights.sum() ** 2


def test_squares_of_moments_obey_the_law_of_two_tokens(ensemble):
    """E |c_k|^2 = E cos k delta of the gap of two tokens, with d delta^2 = 2 (K(1) - K(cos delta) cos delta) dt.

    The generator in Fourier modes; what 50 layers leave of it is below 2 %.  False alarms: 4 bars for 2 numbers, 1e-4.
    Noise of one token each, and noise that turns all tokens alike, are refuted.
    """
    own, degrees, angle = np.exp(-1) * np.cosh(1), np.arange(-40, 41), 2 * np.pi * np.arange(256) / 256
    rate = own - np.exp(-1) * np.cosh(np.cos(angle)) * np.cos(angle)
    modes = np.fft.fft(rate).real / 256
    generator = -modes[degrees[:, None] - degrees] * degrees**2  # of p: (rate e^(ik delta))'s modes times (ik)^2
    powers = np.abs(PEAK.resized(40).spectrum()) ** 2
    squares = np.real(expm(0.4 * generator).T @ np.concatenate([powers[:0:-1], powers]))
    measured, bars = (np.abs(ensemble) ** 2).mean(axis=0), (np.abs(ensemble) ** 2).std(axis=0) / np.sqrt(len(ensemble))
    for k in (1, 2):
        expected = squares[40 + k]
        assert abs(measured[k - 1] - expected) < 4 * bars[k - 1] + 0.02 * expected
    assert abs(measured[1] - powers[2] * np.exp(-4 * own * 0.4)) > 8 * bars[1]
    assert abs(measured[1] - powers[2]) > 8 * bars[1]


@pytest.mark.parametrize("name", FLOWS)
def test_runs_are_made_again_saved_and_extended(name, tmp_path):
    """To the last bit: from the parameters, from a file, and from within a layer on to twice the time."""
    flow = FLOWS[name]
    run = nm.solve_density(START, flow, t_end=0.1037, rng=1, save_at=[0.05, 0.1], observe=[nm.Entropy()])
    assert run.status.ok
    if name != "kernel":
        again = nm.solve_density(START, **run.parameters, save_at=[0.05, 0.1])
        assert again == run
    run.save(tmp_path / "run.npz")
    kept = nm.load(tmp_path / "run.npz")
    held = name not in ("function", "kernel")
    assert kept == run or not held
    longer = kept.extend(0.2, save_at=[0.2], **({} if held else {"flow": flow}))
    whole = nm.solve_density(START, flow, t_end=0.2, rng=1, save_at=[0.05, 0.1, 0.2], observe=[nm.Entropy()])
    assert longer.density == whole.density
    assert np.array_equal(longer.coefficients, whole.coefficients)
    assert np.array_equal(longer.observables["entropy"], whole.observables["entropy"])


def test_an_interrupted_run_goes_on_as_if_nothing_had_been():
    class Interrupt:
        name = "interrupt"
        calls = 0

        def of_density(self, density, flow):
            self.calls += 1
            if self.calls == 50:
                raise KeyboardInterrupt
            return 0.0

    options, interrupt = {"t_end": 0.2, "rng": 5}, Interrupt()
    with pytest.raises(nm.Interrupted) as stop:
        nm.solve_density(START, FLOWS["attention"], observe=[interrupt], **options)
    run = stop.value.run
    assert str(run.status).startswith("interrupted at t = ")
    assert 0 < run.reached < 0.2
    longer = run.extend(0.2, observe=[interrupt])
    assert longer.density == nm.solve_density(START, FLOWS["attention"], **options).density


def test_a_crossing_is_found_at_the_end_of_a_layer():
    """The entropy grows past a level at one of the times h, 2h, ...; the density is constant within a layer."""
    level = nm.Crossing(nm.Entropy(), 0.32)
    run = nm.solve_density(START, FLOWS["field"], t_end=3.0, rng=1, save_at=[], stop_when=level)
    assert "stopped at" in str(run.status)
    assert run.reached * 100 == pytest.approx(round(run.reached * 100), abs=1e-6)
    longer = run.extend(run.reached + 0.1, save_at=[])
    assert longer.density == nm.solve_density(START, FLOWS["field"], t_end=longer.reached, rng=1, save_at=[]).density


def test_a_density_that_cannot_be_resolved_is_kept_up_to_there():
    """Contraction needs ever more degrees; a kink needs them all at once."""
    run = nm.solve_density(START, layers("sin"), t_end=5.0, rng=1, save_at=[0.0], max_degree=128)
    assert "needs more than 128 degrees; raise max_degree, or follow tokens with simulate" in str(run.status)
    assert 0 < run.reached < 1
    assert negative_mass(run.density) < 1e-8
    further = nm.solve_density(START, layers("sin"), t_end=run.reached, rng=1, save_at=[], max_degree=4096)
    apart = further.density.coefficients[:256] - run.density.coefficients
    assert np.linalg.norm(apart) < 1e-8 * np.linalg.norm(run.density.coefficients)
    kink = nm.solve_density(START, layers("relu"), t_end=1.0, rng=1, save_at=[])
    assert kink.reached == 0
    assert "needs more than 2048 degrees" in str(kink.status)
    assert kink.density == START


def test_a_run_prints_its_layers():
    text = repr(nm.solve_density(START, FLOWS["field"], t_end=0.02, rng=1))
    assert "random layers" in text
    assert "step 0.01" in text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"flow": nm.Flow(beta=1, random_layers=nm.RandomLayers(values=True))}, "values"),
        ({"density": nm.zonal_density(lambda t: 1 + 0.1 * t, 3)}, "random_layers: they move a CircleDensity alone"),
        ({"first_step": 0.1}, "first_step 0.1"),
        ({"step": 0.5}, "step 0.5: the flow has 100 layers"),
        ({"flow": FLOWS["limit"], "step": -1.0}, "step -1"),
        ({"flow": FLOWS["limit"], "step": 1e-12}, "step 1e-12"),
        ({"rng": -1}, "rng -1"),
        ({"flow": nm.Flow(beta=1), "step": 0.1}, "step 0.1: it goes with random layers"),
        ({"flow": nm.Flow(beta=1), "rng": 1}, "rng: it goes with random layers"),
        ({"flow": layers("tanh", beta=1, query_key=np.eye(2))}, "query_key"),
        ({"flow": layers("tanh", beta=1, causal=nm.Causal())}, "causal"),
        ({"observe": [nm.Energy()]}, "Energy|energy|beta|weight"),
    ],
)
def test_what_layers_do_not_take_is_refused(given, message):
    """One sentence each, before any work."""
    told = {"density": START, "flow": FLOWS["field"], "t_end": 0.1} | given
    density = told.pop("density")
    with pytest.raises(nm.Refused, match=message):
        nm.solve_density(density, **told)


@pytest.mark.parametrize(
    ("what", "value", "message"),
    [
        ("number", np.array(3), "number is 3 after 10 steps"),
        ("number", None, "memory lacks number"),
        ("rng", np.ones(2, dtype=np.uint64), "rng has shape"),
        ("rng", np.full(6, 2**63, dtype=np.uint64), "rng is no state of a generator"),
    ],
)
def test_forged_memories_are_refused(what, value, message, tmp_path):
    path = tmp_path / "run.npz"
    nm.solve_density(START, FLOWS["field"], t_end=0.1, rng=1, save_at=[]).save(path)
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files if name != f"memory:{what}"}
    np.savez(path, **arrays, **({} if value is None else {f"memory:{what}": value}))
    with pytest.raises(ValueError, match=message):
        nm.load(path)
