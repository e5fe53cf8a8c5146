"""A flow as a value and as an argument: equal when equal, the same in both spellings, refused by name."""

import copy
import pickle
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import builds, floats, integers, none, sampled_from

from gegenflow import numerics as nm
from gegenflow.numerics.fields.method import METHODS
from gegenflow.numerics.fields.sums import NotSmooth, size_of
from gegenflow.numerics.validation.measurements import follow

MODELS = sampled_from(["usa", "sa"])


def matrix(seed, dim=3):
    return np.random.default_rng(seed).standard_normal((dim, dim))


class Tilted:
    """A kernel that holds beta, as those of the theory do: by its ``parameters`` and ``at`` alone."""

    parameters = ("beta",)

    def at(self, *, beta):
        return Line(beta)

    def __call__(self, overlaps):
        raise ValueError("a number is needed in the place of beta")


class Line:
    parameters = ()

    def __init__(self, slope):
        self.slope = float(slope)

    def __call__(self, overlaps):
        return 1 + self.slope * overlaps

    def __eq__(self, other):
        return type(other) is Line and other.slope == self.slope

    def __hash__(self):
        return hash(self.slope)


PARTS = {
    "weight": floats(0, 9) | sampled_from([np.tanh, np.sinh]),
    "query_key": none() | builds(matrix, integers(0, 9)),
    "value": none() | builds(matrix, integers(0, 9)),
    "noise": sampled_from([0.0, 0.1]),
    "model": MODELS,
    "layer_norm": sampled_from(["post", "pre", "peri"]),
    "causal": none() | builds(nm.Causal, decay=floats(0, 3), own=sampled_from([True, False])),
    "random_layers": none() | sampled_from([nm.RandomLayers("tanh", width=8), nm.RandomLayers(np.sin, layers=9)]),
}


def flow_with(weight, **parts):
    if parts["random_layers"] is not None:
        parts |= {"noise": 0.0, "layer_norm": "post"}
    return nm.Flow(**({"kernel": weight} if callable(weight) else {"beta": weight}), **parts)


@given(flow=builds(flow_with, **PARTS), other=builds(flow_with, **PARTS))
def test_flows_are_equal_exactly_when_their_parts_are(flow, other):
    """Copies of any kind are equal and hash alike; two flows differ where, and only where, a part does."""
    twins = [copy.deepcopy(flow), pickle.loads(pickle.dumps(flow)), replace(flow), eval_parts(flow)]
    assert all(twin == flow and hash(twin) == hash(flow) and twin is not flow for twin in twins)
    same = all(np.array_equal(getattr(flow, f.name), getattr(other, f.name)) for f in fields(flow))
    assert (flow == other) == same
    assert len(repr(flow)) < 300
    assert flow._repr_latex_().startswith("$dx_i = " if flow.random_layers is None else r"$x_i \leftarrow N")
    for twin in (flow, *twins):
        assert not any(part.flags.writeable for part in (twin.query_key, twin.value) if part is not None)


def eval_parts(flow):
    return nm.Flow(**{f.name: getattr(flow, f.name) for f in fields(flow)})


def test_a_flow_keeps_no_hand_on_the_arrays_it_was_given():
    given_array = np.eye(2)
    flow = nm.Flow(beta=1, query_key=given_array)
    given_array[0, 0] = 7
    assert flow.query_key[0, 0] == 1


def test_numbers_of_any_kind_are_floats():
    """A float32 would carry its rounding through every sum (B.5)."""
    flow = nm.Flow(beta=np.float32(5.1), noise=np.float64(0.1))
    assert (type(flow.beta), flow.beta) == (float, float(np.float32(5.1)))
    tokens = nm.uniform(9, 3, rng=0)
    exact = nm.attention_field(tokens, beta=float(np.float32(5.1)))
    assert np.array_equal(nm.attention_field(tokens, flow := nm.Flow(beta=np.float32(5.1))), exact)
    assert flow == nm.Flow(beta=float(np.float32(5.1)))
    assert nm.Flow(beta=1, query_key=[[0.0, -0.0], [1, 2]]) == nm.Flow(beta=1, query_key=[[0, 0], [1, 2]])
    assert nm.Flow(beta=1, scaled=np.True_).scaled is True


SHORT = {
    "beta": {"beta": 3, "model": "sa"},
    "kernel": {"kernel": np.tanh},
    "matrices": {"beta": 1, "query_key": matrix(1), "value": matrix(2)},
    "noise": {"beta": 2, "noise": 0.1},
    "peri": {"beta": 1, "layer_norm": "peri", "model": "sa"},
}


@pytest.mark.parametrize("name", SHORT)
def test_both_spellings_give_the_same_run_bit_for_bit(name):
    """The run, what it records, and where it has one the field; with each spelling of the flow."""
    short, start = SHORT[name], nm.uniform(8, 3, rng=1)
    runs = [
        nm.simulate(start, t_end=0.3, rng=3, observe=[nm.HarmonicPower(2)], **short),
        nm.simulate(start, nm.Flow(**short), t_end=0.3, rng=3, observe=[nm.HarmonicPower(2)]),
    ]
    assert runs[0] == runs[1]
    if name not in ("noise", "peri"):
        assert np.array_equal(nm.attention_field(start, **short), nm.attention_field(start, nm.Flow(**short)))


def test_both_spellings_agree_in_every_measurement():
    flow, short = nm.Flow(beta=2, model="sa"), {"beta": 2, "model": "sa"}
    start, bump = nm.lattice(60), nm.circle_density(lambda angle: 1 + 0.3 * np.cos(2 * angle))
    calls = [
        lambda *f, **s: nm.solve_density(bump, *f, t_end=0.1, save_at=[], **s),
        lambda *f, **s: nm.solve_quantiles(bump, *f, n=60, t_end=0.1, save_at=[], **s),
        lambda *f, **s: nm.planted_rates(2, *f, max_degree=2, window=0.1, rng=0, **s),
        lambda *f, **s: nm.uniform_rates(2, *f, max_degree=2, window=0.1, tokens=200, runs=4, rng=0, **s),
        lambda *f, **s: nm.validation.energy_gain(nm.normalize(start + 0.1), *f, t_end=0.1, **s),
        lambda *f, **s: nm.runs.emergences(
            2, *f, tokens=20, runs=2, amplitude=0.4, max_degree=2, t_end=9.0, rng=0, **s
        ),
    ]
    for call in calls:
        first, second = call(flow), call(**short)
        if isinstance(first, tuple):
            assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True))
        else:
            assert first == second


def test_a_flow_and_its_parts_are_never_given_together():
    for short in ({"beta": 2}, {"model": "sa"}, {"noise": 0.1}):
        with pytest.raises(nm.Refused, match="give a flow or its parts as keywords, not both") as refusal:
            nm.simulate(np.eye(2), nm.Flow(beta=1), t_end=1, **short)
        assert refusal.value.name in short
    with pytest.raises(nm.Refused, match=r"flow 5\.0: it must be a Flow; its parts are keywords"):
        nm.attention_field(np.eye(2), 5.0)
    with pytest.raises(TypeError, match="bta: there is no such argument"):
        nm.simulate(np.eye(2), bta=1, t_end=1)


@given(beta=floats(0.1, 3))
def test_beta_beside_a_kernel_is_put_in_its_place_or_refused(beta):
    flow = nm.Flow(beta=beta, kernel=Tilted())
    assert flow == nm.Flow(kernel=Line(beta))
    tokens = nm.uniform(5, 2, rng=0)
    assert np.array_equal(nm.attention_field(tokens, flow), nm.attention_field(tokens, kernel=Line(beta)))
    assert not np.array_equal(nm.attention_field(tokens, flow), nm.attention_field(tokens, kernel=Line(2 * beta)))
    for kernel in (np.tanh, Line(1)):
        with pytest.raises(nm.Refused, match="holds no beta") as refusal:
            nm.Flow(beta=beta, kernel=kernel)
        assert refusal.value.name == "beta"


REFUSED = [
    ("beta", {}),
    ("beta", {"beta": "1"}),
    ("beta", {"beta": np.nan}),
    ("beta", {"beta": -150.5}),
    ("beta", {"beta": 700.5}),
    ("beta", {"beta": [1.0]}),
    ("beta", {"beta": True}),
    ("beta", {"beta": 1, "heads": [nm.Head(beta=1)]}),
    ("beta", {"heads": [nm.Head(beta=701)]}),
    ("kernel", {"kernel": 3}),
    ("kernel", {"kernel": Tilted()}),
    ("kernel", {"kernel": lambda t: t[0]}),
    ("kernel", {"kernel": lambda t: 1 / t[t > 2].sum() * t}),
    ("query_key", {"beta": 1, "query_key": [[1, 2]]}),
    ("query_key", {"beta": 1, "query_key": [[np.nan]]}),
    ("query_key", {"beta": 1, "query_key": [["a"]]}),
    ("query_key", {"beta": 1, "query_key": 5}),
    ("value", {"beta": 1, "value": np.eye(2, 3)}),
    ("value", {"beta": 1, "value": 1j * np.eye(2)}),
    ("value", {"beta": 1, "value": np.eye(2), "query_key": np.eye(3)}),
    ("value", {"heads": [nm.Head(beta=1)], "value": np.eye(2)}),
    ("noise", {"beta": 1, "noise": -0.1}),
    ("noise", {"beta": 1, "noise": np.inf}),
    ("model", {"beta": 1, "model": "USA"}),
    ("model", {"beta": 1, "model": None}),
    ("layer_norm", {"beta": 1, "layer_norm": "layer"}),
    ("heads", {"heads": [3]}),
    ("causal", {"beta": 1, "causal": 3}),
    ("random_layers", {"beta": 1, "random_layers": "tanh"}),
    ("noise", {"beta": 1, "noise": 0.1, "random_layers": nm.RandomLayers("tanh")}),
    ("layer_norm", {"beta": 1, "layer_norm": "pre", "random_layers": nm.RandomLayers("tanh")}),
    ("values", {"random_layers": nm.RandomLayers(values=True)}),
    ("values", {"beta": 1, "causal": nm.Causal(), "random_layers": nm.RandomLayers(values=True)}),
    ("random_layers", {"causal": nm.Causal(), "random_layers": nm.RandomLayers("tanh")}),
]


@pytest.mark.parametrize(("name", "parts"), REFUSED)
def test_each_refusal_names_its_part(name, parts):
    with pytest.raises(nm.Refused) as refusal:
        nm.Flow(**parts)
    assert refusal.value.name == name
    assert "\n" not in str(refusal.value)


HEADS = {"heads": [nm.Head(beta=1), nm.Head(kernel=np.tanh)]}
CALLS = {
    "simulate": lambda **s: nm.simulate(np.eye(2), t_end=1, **s),
    "attention_field": lambda **s: nm.attention_field(np.eye(2), **s),
    "solve_density": lambda **s: nm.solve_density([1.0, 1, 1], t_end=1, **s),
    "solve_quantiles": lambda **s: nm.solve_quantiles([1.0, 1, 1], n=9, t_end=1, **s),
    "planted_rates": lambda **s: nm.planted_rates(2, max_degree=1, window=1, **s),
    "uniform_rates": lambda **s: nm.uniform_rates(2, max_degree=1, window=1, tokens=9, runs=2, **s),
    "energy_gain": lambda **s: nm.validation.energy_gain(np.eye(2), t_end=1, **s),
    "emergences": lambda **s: nm.runs.emergences(2, tokens=9, runs=1, amplitude=0.5, max_degree=1, t_end=1.0, **s),
}
TAKEN = {
    "simulate": {"noise", "layer_norm", "query_key", "value", "causal", "heads", "random_layers"},
    "attention_field": {"query_key", "value", "causal", "heads"},
    "solve_density": {"noise", "heads", "random_layers"},
    "uniform_rates": {"noise"},
    "energy_gain": {"query_key", "value"},
}
GIVEN = {
    "heads": HEADS,
    "causal": {"beta": 1, "causal": nm.Causal()},
    "random_layers": {"beta": 1, "random_layers": nm.RandomLayers("tanh")},
    "noise": {"beta": 1, "noise": 0.1},
    "layer_norm": {"beta": 1, "layer_norm": "peri"},
    "query_key": {"beta": 1, "query_key": np.eye(2)},
    "value": {"beta": 1, "value": np.eye(2)},
}


@pytest.mark.parametrize("part", GIVEN)
@pytest.mark.parametrize("solver", CALLS)
def test_a_part_that_a_solver_does_not_take_is_refused_in_one_sentence(solver, part):
    """By name, before any work; and what it takes is not refused."""
    if part in TAKEN.get(solver, set()):
        return
    with pytest.raises(nm.Refused, match=f"{solver} takes no flow with this part") as refusal:
        CALLS[solver](**GIVEN[part])
    assert refusal.value.name == part


def test_every_method_says_what_it_takes():
    """Each is refused by name for a dim and for matrices that are not its own; all serve through "auto"."""
    for name, method in METHODS.items():
        for dim in (2, 3, 4):
            tokens = nm.uniform(6, dim, rng=0)
            for given_parts in ((), ("query_key",), ("value",), ("query_key", "value")):
                parts = {part: matrix(1, dim) for part in given_parts}
                served = (not method.dims or dim in method.dims) and frozenset(given_parts) in method.takes
                if served or (name == "dense" and given_parts == ("query_key",)):
                    exact = nm.attention_field(tokens, beta=1, method="auto", **parts)
                    assert np.allclose(nm.attention_field(tokens, beta=1, method=name, **parts), exact, atol=1e-11)
                else:
                    with pytest.raises(nm.Refused) as refusal:
                        nm.attention_field(tokens, beta=1, method=name, **parts)
                    assert refusal.value.name == "method"


def test_the_choice_catches_a_rough_kernel_and_nothing_else(monkeypatch):
    """A kink sends "auto" to the dense sums; a bug in a method is not taken for one."""
    rough = nm.Flow(kernel=lambda t: np.maximum(t, 0))
    for name in ("cells", "circle", "sphere"):
        with pytest.raises(NotSmooth):
            METHODS[name].prepare(rough, size_of(rough), 1e-13)
    start = nm.lattice(400)
    assert nm.simulate(start, rough, t_end=0.0).parameters["method"] == "dense"

    def broken(self, *arguments):
        raise ValueError("a bug")

    monkeypatch.setattr(type(METHODS["circle"]), "prepare", broken)
    with pytest.raises(ValueError, match="a bug"):
        nm.simulate(start, beta=5, t_end=0.0)


@settings(max_examples=12)
@given(beta=sampled_from([-2.0, -0.5, 0.0, 0.3, 1.0, 2.0]), model=MODELS, seed=integers(0, 99), dim=integers(2, 4))
def test_with_one_symmetric_matrix_for_both_there_is_an_energy(beta, model, seed, dim):
    """Value by the definition; along a run it grows at the dissipation, by finite differences (B.18)."""
    half = matrix(seed, dim) / 2
    both, start, weights = half + half.T, nm.uniform(7, dim, rng=seed), np.arange(1.0, 8) / 28
    flow = nm.Flow(beta=beta, query_key=both, value=both, model=model)
    score = start @ both @ start.T
    pairs = score / 2 if flow.beta == 0 else np.exp(beta * score) / (2 * beta)
    assert nm.Energy()(start, weights, flow) == pytest.approx(weights @ pairs @ weights, rel=1e-12)
    field = nm.attention_field(start, flow, weights=weights)
    mass = np.ones(7) if model == "usa" else np.exp(beta * score) @ weights
    found = nm.Dissipation()(start, weights, flow)
    assert found == pytest.approx(weights @ (mass * (field**2).sum(axis=1)), rel=1e-12)
    step = 1e-4 / np.abs(field).max()
    back, ahead = (
        nm.simulate(start, replace(flow, value=sign * both), t_end=step, weights=weights, save_at=[], rtol=1e-13).tokens
        for sign in (-1, 1)
    )
    rise = (nm.Energy()(ahead, weights, flow) - nm.Energy()(back, weights, flow)) / (2 * step)
    constant = 0.0 if beta == 0 else 1 / (2 * abs(beta))
    assert rise == pytest.approx(found, rel=1e-5, abs=1e-14 * (constant + abs(weights @ pairs @ weights)) / step)


def test_the_energy_of_a_gradient_flow_rises_by_its_dissipation():
    both = np.diag([2.0, -1.0, 0.5])
    integral, gain, error = nm.validation.energy_gain(
        nm.uniform(30, 3, rng=4), nm.Flow(beta=1, query_key=both, value=both), t_end=0.5
    )
    assert abs(integral - gain) < 3 * error < 1e-4 * gain


@pytest.mark.parametrize("observable", [nm.Energy(), nm.Dissipation()])
@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("query_key", {"query_key": [[1, 2], [0, 1]], "value": [[1, 2], [0, 1]]}),
        ("query_key", {"query_key": [[1, 0], [0, 2]]}),
        ("value", {"value": [[-1, 0], [0, -1]]}),
    ],
)
def test_without_it_there_is_none(observable, name, parts):
    """Refused before the run, in one sentence."""
    with pytest.raises(nm.Refused, match="needs query_key = value, symmetric") as refusal:
        nm.simulate(np.eye(2), beta=1, t_end=1, observe=[observable], **parts)
    assert refusal.value.name == name
    assert np.isfinite(follow(np.eye(2), nm.Flow(beta=1, query_key=np.eye(2)), 0.1, observe=[observable]).t).all()


@given(beta=floats(-20, 300))
def test_the_size_of_the_exponential_is_that_of_its_samples(beta):
    """Largest pull, value and slope of exp(beta (t - 1)), known, beside those of a kernel that computes it."""
    known, sampled = size_of(nm.Flow(beta=beta)), size_of(nm.Flow(kernel=lambda t: np.exp(beta * (t - 1))))
    assert (known.value, known.own) == (pytest.approx(sampled.value), sampled.own)
    assert known.force == pytest.approx(sampled.force, rel=1e-5)
    assert known.slope == pytest.approx(sampled.slope, rel=1e-2, abs=1e-2)
