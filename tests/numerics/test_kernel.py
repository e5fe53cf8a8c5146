"""Any attention kernel in the field and in runs, against sums written out, and its refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, sampled_from

from gegenflow import numerics as nm
from gegenflow.numerics.fields import dense as attention
from gegenflow.numerics.fields.dense import kernel_sums
from gegenflow.numerics.fields.method import attention_field
from gegenflow.numerics.validation.measurements import Unfinished, Unmeasurable

MODELS = sampled_from(["usa", "sa"])


def relu(t):
    return np.maximum(t, 0)


def polynomial(t):
    return 1 + t + t**2 / 2


def two_heads(t):
    return np.exp(2 * t) - 0.5 * np.exp(-t)


def random_weights(n, seed):
    weights = np.random.default_rng(seed).uniform(0.2, 1, n)
    return weights / weights.sum()


def written_out(tokens, weights, kernel, model):
    """The definition, one pair at a time."""
    velocity = np.zeros_like(tokens)
    for i, x in enumerate(tokens):
        values = [w * float(kernel(np.array([min(x @ y, 1.0)]))[0]) for w, y in zip(weights, tokens, strict=True)]
        pull = sum(value * (y - (x @ y) * x) for value, y in zip(values, tokens, strict=True))
        velocity[i] = pull / sum(values) if model == "sa" else pull
    return velocity


@given(
    n=integers(1, 12),
    dim=integers(2, 6),
    kernel=sampled_from([relu, polynomial, two_heads]),
    model=MODELS,
    overlaps=integers(1, 60),
    seed=integers(0, 999),
)
def test_field_of_a_kernel_is_the_sum_written_out(n, dim, kernel, model, overlaps, seed):
    """Every pair by itself, projected by itself, whatever the number of rows that are taken at once."""
    tokens, weights = nm.uniform(n, dim, rng=seed), random_weights(n, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "OVERLAPS", overlaps)
        if model == "sa" and (kernel_sums(tokens, weights, kernel)[1] < 0.1).any():
            model = "usa"
        field = attention_field(tokens, model=model, weights=weights, kernel=kernel)
    np.testing.assert_allclose(field, written_out(tokens, weights, kernel, model), atol=1e-13)


@given(n=integers(1, 600), dim=integers(2, 6), beta=floats(0, 8), model=MODELS, seed=integers(0, 999))
def test_the_exponential_as_a_kernel_is_the_exponential_field(n, dim, beta, model, seed):
    """Matrix products of overlaps against compiled sums of differences."""
    tokens, weights = nm.uniform(n, dim, rng=seed), random_weights(n, seed)
    exact = attention_field(tokens, beta=beta, model=model, weights=weights)
    field = attention_field(tokens, model=model, weights=weights, kernel=lambda t: np.exp(beta * t))
    np.testing.assert_allclose(field, exact, atol=1e-13 * (np.exp(beta) if model == "usa" else 1))


@pytest.mark.parametrize(("model", "t_end"), [("usa", 0.3), ("sa", 3.0)])
def test_a_run_with_the_exponential_as_a_kernel_is_that_with_beta(model, t_end):
    """Whole trajectories, and the dissipation at each time."""
    tokens = nm.uniform(60, 3, rng=1)
    common = {"model": model, "t_end": t_end, "rtol": 1e-11, "atol": 1e-12, "observe": [nm.Dissipation()]}
    run = nm.simulate(tokens, kernel=lambda t: np.exp(3 * t), **common)
    exact = nm.simulate(tokens, beta=3.0, **common)
    assert np.abs(run.trajectories - exact.trajectories).max() < 1e-8
    np.testing.assert_allclose(run.observables["dissipation"], exact.observables["dissipation"], rtol=1e-7)


class Potential:
    """Observable: the interaction energy sum_ij w_i w_j W(<x_i, x_j>) / 2 of a potential W."""

    name = "potential"

    def __init__(self, potential):
        self.potential = potential

    def __call__(self, tokens, weights, flow):
        return weights @ self.potential(tokens @ tokens.T) @ weights / 2


@settings(max_examples=12)
@given(
    case=sampled_from(
        [
            (polynomial, lambda t: t + t**2 / 2 + t**3 / 6),
            (two_heads, lambda t: np.exp(2 * t) / 2 + 0.5 * np.exp(-t)),
            (relu, lambda t: np.maximum(t, 0) ** 2 / 2),
        ]
    ),
    dim=integers(2, 4),
    model=MODELS,
    seed=integers(0, 99),
)
def test_the_energy_of_a_kernel_rises_by_the_integrated_dissipation(case, dim, model, seed):
    """Gauss-Legendre integral of the dissipation over a run against the potential, W' = h, at both ends."""
    kernel, potential = case
    node, weight = np.polynomial.legendre.leggauss(12)
    t_end = 0.3
    run = nm.simulate(
        nm.uniform(60, dim, rng=seed),
        kernel=kernel,
        model=model,
        t_end=t_end,
        observe=[Potential(potential), nm.Dissipation()],
        save_at=[0.0, *(t_end * (node + 1) / 2), t_end],
        rtol=1e-9,
        atol=1e-10,
    )
    energy, dissipation = run.observables["potential"], run.observables["dissipation"]
    tolerance = 1e-3 if kernel is relu else 1e-7  # pairs that cross the kink of ReLU bend the dissipation
    assert energy[-1] - energy[0] == pytest.approx(t_end / 2 * weight @ dissipation[1:-1], rel=tolerance)


def test_a_run_with_a_kernel_records_its_name_and_survives_saving(tmp_path):
    """Parameters, the printed head and the way back from a file; noise as well."""
    run = nm.simulate(nm.uniform(40, 2, rng=0), kernel=relu, noise=0.2, t_end=0.5, rng=3)
    facts = run.parameters
    assert (facts["beta"], facts["kernel"], facts["method"], facts["noise"]) == (None, "relu", "dense", 0.2)
    assert repr(run).startswith("Run: 40 tokens, dim 2, kernel relu, noise 0.2, model usa, dense field")
    run.save(tmp_path / "run")
    back = nm.load(tmp_path / "run")
    assert (back.parameters, repr(back)) == (facts, repr(run))
    assert nm.simulate(np.eye(3), kernel=np.tanh, t_end=0.1).parameters["kernel"] == "tanh"


def negative_apart(t):
    return 3 - 4 * t


@pytest.mark.parametrize("noise", [0.0, 1e-6])
def test_a_normaliser_that_reaches_zero_ends_the_run(noise):
    """Two tokens attract from overlap 0 until (h(1) + h(t))/2 = 1 - 2 t vanishes at 1/2; never a token that is nan."""
    step = {"step": 0.05} if noise else {}  # a fixed step jumps into the place where the velocity is infinite
    run = nm.simulate(np.eye(2), kernel=negative_apart, model="sa", t_end=5.0, noise=noise, rng=0, **step)
    assert not run.status.ok
    assert "normaliser of token" in str(run.status) or "step size" in str(run.status)
    assert np.isfinite(run.tokens).all()
    overlap = run.tokens[0] @ run.tokens[1]
    assert 0.2 < overlap < 0.5 + 0.1 * (noise > 0)
    assert len(run.t) == len(run.trajectories) == 3  # t = 0, 0.05 and 0.1


def test_a_kernel_that_breaks_down_later_ends_the_run():
    """Finite where it is tried first, not where the tokens come to; what was reached is kept."""

    def gap(t):  # holes between the 202 overlaps at which a kernel is tried
        from_tried = np.abs((t + 1) * 201 / 2 - np.rint((t + 1) * 201 / 2))
        return np.where((abs(t - 0.7) < 0.1) & (from_tried > 0.2), np.nan, 1.0)

    run = nm.simulate(np.eye(2), kernel=gap, t_end=5.0, rtol=1e-12, atol=1e-14, noise=0.0)
    assert str(run.status).startswith("stopped at t = ")
    assert "the kernel is not finite at an overlap of the tokens" in str(run.status)
    assert np.isfinite(run.tokens).all()
    assert 0 < run.tokens[0] @ run.tokens[1] < 0.8


def scalar(t):
    return 1.0


def pole(t):
    with np.errstate(divide="ignore"):
        return 1 / (1 - t)


def branching(t):
    return t if t > 0 else 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"beta": 1.0}, r"beta 1\.0: the kernel relu holds no beta"),
        ({"kernel": None}, "neither beta nor kernel is given"),
        ({"kernel": scalar}, r"kernel scalar: it maps overlaps of shape \(2, 101\) to shape \(\)"),
        ({"kernel": lambda t: t[0]}, r"to shape \(101,\)"),
        ({"kernel": pole}, "kernel pole: it is not finite at overlap 1"),
        ({"kernel": branching}, "kernel branching: it does not take an array of overlaps"),
        ({"method": "circle", "t_end": 0.0}, "method circle: the kernel needs more than"),
        ({"observe": [nm.Energy()]}, "the energy needs beta"),
    ],
)
def test_a_kernel_that_is_not_one_is_refused(change, message):
    """Every refusal says what is wrong, before the run."""
    arguments = {"kernel": relu, "t_end": 1.0} | change
    with pytest.raises(ValueError, match=message):
        nm.simulate(np.eye(2), **arguments)


def test_the_field_refuses_what_it_cannot_divide_by_and_what_is_not_finite():
    """A normaliser of exactly zero, a negative one, and a kernel with a gap beside the overlaps that it is tried at."""
    for value, shown in ((-1.0, "0"), (-3.0, "-1")):
        with pytest.raises(ValueError, match=f"the normaliser of token 0 is {shown}: SA divides by it"):
            attention_field(np.eye(2), kernel=lambda t, v=value: np.where(t > 0.5, 1.0, v), model="sa")
    with pytest.raises(ValueError, match="not finite at an overlap"):
        attention_field(np.eye(2), kernel=lambda t: np.where(t == 0.0, np.inf, 1.0))


def test_overlaps_stay_within_the_interval():
    """A kernel with an edge at 1, which rounding of <x, x> must not pass."""
    tokens = nm.uniform(2000, 3, rng=0)
    assert ((tokens**2).sum(axis=1) > 1).any()
    assert np.isfinite(attention_field(tokens, kernel=lambda t: np.sqrt(1 - t))).all()


def test_planted_rates_refuse_a_kernel_with_a_kink_and_uniform_rates_too_few_neighbours():
    """The messages say what to use instead; the two neighbours of a token see about nothing but themselves."""
    with pytest.raises(Unmeasurable, match="uniform_rates takes any kernel"):
        nm.planted_rates(2, kernel=relu, max_degree=1, window=1.0)
    with pytest.raises(Unmeasurable, match=r"dim 3: .* at kernel sharp, allowed"):
        nm.planted_rates(3, kernel=sharp, max_degree=1, window=1.0)
    with pytest.raises(Unfinished, match="makes up"):
        nm.uniform_rates(3, kernel=sharp, max_degree=1, window=1.0, tokens=100, runs=2, model="sa", rng=0)


def sharp(t):
    return 7 * np.exp(3000 * (t - 1))
