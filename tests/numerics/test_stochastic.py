"""Tokens with noise: the order of a step, laws known in closed form, and how noisy runs start, end and repeat."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers
from scipy.integrate import quad
from scipy.linalg import expm
from scipy.special import eval_gegenbauer

from gegenflow import numerics as nm
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.integrators.driver import Origin, drive
from gegenflow.numerics.integrators.stochastic import NoisySteps, brownian_step, default_step, drift_step


class Quadrature:
    """In place of random numbers, Gauss-Hermite nodes: every combination of those of the steps is one token."""

    def __init__(self, steps, dim, nodes):
        points, masses = np.polynomial.hermite_e.hermegauss(nodes)
        grid = np.array([*product(range(nodes), repeat=steps * dim)]).reshape(-1, steps, dim)
        self.normals, self.next = points[grid], 0
        self.weights = (masses / masses.sum())[grid].prod(axis=(1, 2))
        self.bit_generator = np.random.PCG64(0)

    def standard_normal(self, shape):
        normal = self.normals[:, self.next]
        assert normal.shape == shape
        self.next += 1
        return normal


def follow_noisy(field, tokens, *, t_end, save_at=(), observe=None, **options):
    steps = NoisySteps(field, tokens, **options)
    return drive(steps, observe or (lambda t, x: x), t_end=t_end, save_at=save_at)


def zonal(degree, dim, t):
    """scipy's Gegenbauer polynomials, normalised to one at t = 1."""
    if dim == 2:
        return np.cos(degree * np.arccos(t))
    return eval_gegenbauer(degree, dim / 2 - 1, t) / eval_gegenbauer(degree, dim / 2 - 1, 1.0)


def after_brownian_step(degree, dim, duration):
    """Expectation of P_k(<x, y>) over the step from x to y, without random numbers."""
    nodes = Quadrature(1, dim, {2: 40, 3: 24, 4: 12}[dim])
    start = np.repeat(np.eye(dim)[:1], len(nodes.weights), axis=0)
    end = brownian_step(start, duration, nodes.standard_normal(start.shape))
    return nodes.weights @ zonal(degree, dim, np.clip(end[:, 0], -1, 1))


@given(degree=integers(1, 5), duration=floats(0.0, 0.4))
def test_brownian_step_on_the_circle_is_exact(degree, duration):
    """The heat kernel of the circle: degree k decays by exp(-k^2 tau), at any length of the step."""
    assert after_brownian_step(degree, 2, duration) == pytest.approx(np.exp(-(degree**2) * duration), abs=1e-12)


@pytest.mark.parametrize("dim", [3, 4])
@pytest.mark.parametrize("degree", [1, 2, 4])
def test_brownian_step_decays_every_degree_to_third_order(dim, degree):
    """The heat semigroup multiplies degree k by exp(-k(k+d-2) tau); what a step leaves halves by eight or more."""
    eigenvalue = degree * (degree + dim - 2)
    durations = np.array([0.2, 0.1, 0.05]) / eigenvalue
    errors = [abs(after_brownian_step(degree, dim, tau) - np.exp(-eigenvalue * tau)) for tau in durations]
    assert errors[0] < 6e-4
    assert all(later < earlier / 6.5 for earlier, later in pairwise(errors))


def north(x, out):
    """The field P_x e towards the first axis, every token by itself."""
    out[:] = np.eye(x.shape[1])[0] - x[:, :1] * x


def exact_mean(dim, noise, start, time, degree=2):
    """Mean of t^degree, t = <x, e>, by the backward equation on polynomials in t: a matrix exponential.

    The generator is nu [(1 - t^2) u'' - (d - 1) t u'] + (1 - t^2) u'.
    """
    size = 40
    generator = np.zeros((size, size))
    for n in range(size):
        generator[n, n] -= noise * n * (n + dim - 2)
        if n >= 2:
            generator[n - 2, n] += noise * n * (n - 1)
        if n >= 1:
            generator[n - 1, n] += n
        if 1 <= n < size - 1:
            generator[n + 1, n] -= n
    return start ** np.arange(size) @ expm(time * generator)[:, degree]


@pytest.mark.parametrize("dim", [2, 3])
def test_a_step_with_drift_and_noise_has_local_error_of_third_order(dim):
    """A whole step through every node of its random numbers, against the backward equation: global weak order 2."""
    noise, start, steps, errors = 0.7, np.array([0.6, 0.8, 0.0][:dim]), 0.1 / 2.0 ** np.arange(4), []
    for step in steps:
        nodes = Quadrature(2, dim, {2: 10, 3: 6}[dim])
        x = np.repeat(start[None], len(nodes.weights), axis=0)
        end = follow_noisy(north, x, noise=noise, step=step, rng=nodes, t_end=step, save_at=[])
        assert (end.steps, nodes.next) == (1, 2)
        errors.append(abs(nodes.weights @ end.state[:, 0] ** 2 - exact_mean(dim, noise, 0.6, step)))
    assert errors[0] < 4e-4
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(3, abs=0.2)


def test_without_noise_the_steps_are_of_fourth_order():
    """The flow towards a pole in closed form: t = tanh(s + artanh(t_0))."""
    start = nm.uniform(10, 3, rng=0)
    exact = np.tanh(2 + np.arctanh(start[:, 0]))
    steps = 0.5 / 2.0 ** np.arange(5)
    errors = []
    for step in steps:
        x = start
        for _ in range(round(2 / step)):
            x = drift_step(north, x, step)
        errors.append(np.abs(x[:, 0] - exact).max())
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(4, abs=0.2)


@pytest.mark.parametrize(("dim", "noise"), [(2, 0.5), (3, 0.3), (6, 0.2)])
def test_tokens_in_a_field_settle_to_von_mises_and_fisher(dim, noise):
    """The stationary density exp(t/nu): its mean of t by quadrature, against 20,000 independent tokens.

    False alarm rate: three means at 3.5 standard errors, 0.15 % for a fresh seed; this one is fixed.
    """

    def moment(power):
        density = lambda a: np.exp((np.cos(a) - 1) / noise) * np.sin(a) ** (dim - 2)  # noqa: E731
        return quad(lambda a: np.cos(a) ** power * density(a), 0, np.pi)[0]

    mean = moment(1) / moment(0)
    spread = np.sqrt(moment(2) / moment(0) - mean**2)
    start = nm.uniform(20_000, dim, rng=1)
    end = follow_noisy(north, start, noise=noise, step=0.1, rng=np.random.default_rng(2), t_end=8.0, save_at=[])
    assert end.state[:, 0].mean() == pytest.approx(mean, abs=3.5 * spread / np.sqrt(20_000))


@pytest.mark.parametrize("model", ["usa", "sa"])
def test_the_default_step_is_as_good_as_one_eight_times_shorter(model):
    """A point that noise spreads and attention holds: mean power of degrees 1 and 2, on the way and at rest.

    False alarm rate: four differences of 8 runs each at 4 standard errors (Student's t, 14 degrees of freedom), 0.5 %
    for a fresh seed; this one is fixed.
    """
    start, noise = np.repeat([[0.0, 0.0, 1.0]], 200, axis=0), 0.2
    powers = []
    for finer in (1, 8):
        step = default_step(Flow(beta=2, noise=noise, model=model), 3) / finer
        common = {"beta": 2.0, "model": model, "noise": noise, "step": step, "t_end": 0.6, "save_at": [0.1, 0.6]}
        runs = [nm.simulate(start, observe=[nm.HarmonicPower(2)], rng=100 * finer + i, **common) for i in range(8)]
        powers.append(np.array([run.observables["harmonic_power"][:, 1:] for run in runs]))
    error = np.sqrt(sum(power.var(axis=0, ddof=1) for power in powers) / 8)
    default, reference = (power.mean(axis=0) for power in powers)
    assert (error < [[0.01, 0.03], [0.02, 0.05]] * reference).all()
    assert (abs(default - reference) < 4 * error).all()


def options(**change):
    return {"beta": 2.0, "noise": 0.1, "t_end": 0.5, "step": 0.01} | change


def test_a_noisy_run_repeats_for_its_seed_and_differs_from_the_next():
    """The same integer twice, another one, and a run without one, again from the seed that it recorded."""
    start = nm.uniform(30, 3, rng=0)
    first, again, other, fresh = (nm.simulate(start, rng=seed, **options()) for seed in (4, 4, 5, None))
    assert np.array_equal(first.tokens, again.tokens)
    assert not np.isclose(first.tokens, other.tokens).any(axis=1).all()
    assert not np.array_equal(fresh.tokens, nm.simulate(start, **options()).tokens)
    repeated = nm.simulate(start, rng=fresh.parameters["rng"], **options())
    assert np.array_equal(fresh.tokens, repeated.tokens)


def test_noise_is_independent_of_a_start_drawn_with_the_same_seed():
    """One step from uniform(rng=7) with rng=7: the mean of <x(0), x(h)> is exp(-nu (d-1) h), and so is each half of it.

    Were the numbers of the start used again, no token would move in dim 3 in the first half of the step. False alarm
    rate: 1 % at three standard errors of the mean (spread of the overlap below 0.1); the seed is fixed.
    """
    start = nm.uniform(5_000, 3, rng=7)
    run = nm.simulate(start, beta=0.0, noise=0.1, step=0.5, t_end=0.5, save_at=[], rng=7)
    overlap = np.einsum("id,id->i", start, run.tokens)
    assert overlap.std() < 0.1
    assert overlap.mean() == pytest.approx(np.exp(-0.1), abs=3 * 0.1 / np.sqrt(5_000))


def test_saving_changes_no_step_and_no_token():
    """Times that no step divides: the grid is that of the step, and the end is the one without them, bit for bit."""
    times, seen = [0.0, 0.013, 0.5, 0.5, 0.97], []
    common = {"noise": 0.1, "step": 0.1, "t_end": 1.04}
    end = follow_noisy(
        north,
        np.eye(3),
        rng=np.random.default_rng(0),
        save_at=times,
        observe=lambda t, x: seen.append((t, x)),
        **common,
    )
    bare = follow_noisy(north, np.eye(3), rng=np.random.default_rng(0), **common)
    assert np.array_equal(bare.state, end.state)
    assert [t for t, _ in seen] == times
    assert np.array_equal(end.t, times)
    assert np.array_equal(seen[0][1], np.eye(3))
    assert np.array_equal(seen[2][1], seen[3][1])
    assert end.steps == 11
    assert all(np.abs(np.linalg.norm(x, axis=1) - 1).max() < 1e-15 for _, x in seen)
    assert (end.reached, str(end.status)) == (1.04, "reached t = 1.04")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_states_within_a_step_are_a_bridge(share):
    """Without drift <x(s), x(t)> has mean exp(-nu (d-1) |t-s|) for s, t at the start, inside and the end of a step,
    up to the square of nu h.

    An interpolation, or a stream that is independent of the step, gives another law. False alarm rate: 0.3 % each at
    three standard errors; the seed is fixed.
    """
    start, noise, step = np.repeat([[0.0, 0.0, 1.0]], 40_000, axis=0), 0.01, 0.5
    steps = NoisySteps(lambda x, out: out.fill(0), start, noise=noise, step=step, rng=np.random.default_rng(3), key=4)
    steps.advance(1.0)
    inside, whole = steps.at(share * step), steps.at(step)
    for one, other, time in ((start, inside, share), (inside, whole, 1 - share), (start, whole, 1.0)):
        overlap = np.einsum("id,id->i", one, other)
        error = overlap.std() / np.sqrt(len(start))
        assert overlap.mean() == pytest.approx(np.exp(-2 * noise * time * step), abs=3 * error + (noise * step) ** 2)
    near = steps.at(step * (1 - 1e-6))
    assert np.abs(near - whole).max() < 0.01
    assert np.array_equal(steps.at(step * (1 - 1e-12)), whole)


@given(cut=floats(0.05, 0.95), save=floats(0, 1))
def test_a_noisy_run_goes_on_bit_for_bit(cut, save):
    """Left at any time, on the grid or not, and taken up from its memory: the run that never ended."""
    common = {"noise": 0.1, "step": 0.07}
    seen, times = [], sorted([cut + save * (1 - cut), 1.0])
    whole = follow_noisy(
        north, np.eye(3), rng=np.random.default_rng(0), t_end=1.0, save_at=times, observe=lambda t, x: x, **common
    )
    first = follow_noisy(north, np.eye(3), rng=np.random.default_rng(0), t_end=cut, **common)
    rest = follow_noisy(
        north,
        first.state,
        rng=np.random.default_rng(99),
        origin=Origin(cut, memory=first.memory),
        t_end=1.0,
        save_at=times,
        observe=lambda t, x: seen.append(x) or x,
        **common,
    )
    assert np.array_equal(rest.state, whole.state)
    assert np.array_equal(rest.saved[1], whole.saved[1])
    if times[0] > cut:
        assert np.array_equal(rest.saved[0], whole.saved[0])


def test_a_run_of_too_many_steps_is_refused_before_it_starts():
    """USA at beta 20 has a default step of 2e-10: the estimate is in the message."""
    with pytest.raises(nm.Refused, match=r"t_end 1: 4\.85e\+09 steps of 2\.06e-10 to the end, at most 1e\+08"):
        nm.simulate(np.eye(3), beta=20.0, noise=0.1, t_end=1.0)


def test_the_default_step_sees_every_part_of_the_flow():
    """A form that multiplies overlaps by 4 is four times the beta, values three times as long three times as fast."""
    start = nm.uniform(40, 3, rng=1)
    common = {"noise": 0.01, "t_end": 1e-3, "rng": 5, "save_at": []}
    plain = nm.simulate(start, beta=8.0, **common)
    formed = nm.simulate(start, beta=2.0, query_key=4 * np.eye(3), **common)
    assert formed.parameters["step"] == plain.parameters["step"] == 0.1 / np.exp(8.0)
    np.testing.assert_allclose(formed.tokens, plain.tokens, atol=1e-9)
    pulled = nm.simulate(start, beta=2.0, value=3 * np.eye(3), **common)
    assert pulled.parameters["step"] == pytest.approx(0.1 / (3 * np.exp(2.0)))


def test_an_interrupt_and_a_broken_field_keep_what_was_reached():
    """Everything up to there is in the result and the status says what happened."""

    def impatient(t, x):
        if t > 0.25:
            raise KeyboardInterrupt
        seen.append(t)

    seen, rng = [], np.random.default_rng(0)
    common = {"noise": 0.1, "step": 0.05, "rng": rng, "t_end": 1.0}
    stopped = follow_noisy(north, np.eye(3), observe=impatient, save_at=[0.1, 0.2, 0.3], **common)
    assert seen == stopped.t.tolist() == [0.1, 0.2]
    assert stopped.interrupted
    assert str(stopped.status) == "interrupted at t = 0.3 of 1; everything up to there is kept"
    calls = []

    def field(x, out):
        calls.append(x)
        north(x, out)
        out *= 1 if len(calls) < 30 else np.nan

    broken = follow_noisy(field, np.eye(3), save_at=np.arange(20) / 20, **common)
    assert str(broken.status).startswith("stopped at t = 0.35 of 1: the velocity is not finite")
    assert np.isfinite(broken.state).all()
    assert broken.t[-1] == broken.reached == 0.35


def test_a_noisy_run_records_its_noise_and_step_and_survives_saving(tmp_path):
    """Parameters, the printed head and the way back from a file."""
    run = nm.simulate(nm.uniform(40, 3, rng=0), **options(step=None), observe=[nm.Energy(), nm.Dissipation()])
    facts = run.parameters
    assert (facts["noise"], facts["step"]) == (0.1, 0.1 / np.exp(2.0))
    assert {"rtol", "atol"}.isdisjoint(facts)
    assert isinstance(facts["rng"], int)
    assert repr(run).startswith("Run: 40 tokens, dim 3, beta 2.0, noise 0.1, model usa, dense field")
    run.save(tmp_path / "run")
    back = nm.load(tmp_path / "run")
    assert (back.parameters, repr(back)) == (facts, repr(run))


@given(noise=floats(0, 5), dim=integers(2, 9), beta=floats(0, 5))
def test_default_step_of_a_kernel_is_that_of_the_same_exponential(noise, dim, beta):
    """The largest value and slope found on a grid against exp(beta) and beta."""
    for model in ("usa", "sa"):
        step = default_step(Flow(kernel=lambda t: np.exp(beta * t), noise=noise, model=model), dim)
        assert step == pytest.approx(default_step(Flow(beta=beta, noise=noise, model=model), dim), rel=5e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise": -0.1}, r"noise -0\.1"),
        ({"noise": np.nan}, "noise nan"),
        ({"step": 0.0}, r"step 0\.0"),
        ({"step": np.inf}, "step inf"),
        ({"noise": 0.0}, r"step 0\.01: without noise"),
        ({"first_step": 0.1}, r"first_step 0\.1: with noise"),
        ({"rtol": 1e-8}, r"rtol 1e-08: with noise or random layers all steps are of one size"),
        ({"atol": 1e-8}, r"atol 1e-08: with noise"),
        ({"save_at": [2.0]}, "within"),
    ],
)
def test_a_noise_that_is_not_one_is_refused(change, message):
    """Every refusal names the value."""
    with pytest.raises(ValueError, match=message):
        nm.simulate(np.eye(3), **options(**change))
