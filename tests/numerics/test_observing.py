"""What is no observable, crossing, generator or weight is refused by name, before or as soon as it shows."""

import warnings

import numpy as np
import pytest

from gegenflow import numerics as nm


class Gives:
    """What it is told to give, one after another."""

    name = "gives"

    def __init__(self, *values):
        self.values = list(values)

    def __call__(self, tokens, weights, flow):
        return self.values.pop(0) if len(self.values) > 1 else self.values[0]

    def of_density(self, density, flow):
        return self(None, None, flow)


def bump(angle):
    return 1 + 0.1 * np.cos(angle)


def tokens(**options):
    return nm.simulate(np.eye(3), beta=1.0, t_end=1.0, **options)


def density(**options):
    return nm.solve_density(bump, beta=1.0, t_end=0.1, **options)


def turning(**options):
    return nm.integrate(lambda x, out: np.copyto(out, 0), np.eye(3), t_end=1.0, **options)


@pytest.mark.parametrize(
    ("solver", "observable"),
    [
        (tokens, nm.Entropy()),  # of densities alone
        (tokens, len),
        (tokens, lambda x: 0.0),
        (density, lambda x, w, f: 0.0),
        (turning, nm.Entropy()),
        (turning, nm.Energy()),
    ],
)
@pytest.mark.parametrize("name", ["stop_when", "record_when"])
def test_a_crossing_of_what_the_solver_cannot_call_is_refused(solver, observable, name):
    with pytest.raises(nm.Refused, match=f"^{name} "):
        solver(**{name: nm.Crossing(observable, 0.1)})


def test_an_observable_that_takes_other_arguments_is_refused():
    class Wrong:
        name = "wrong"

        def __call__(self, tokens):
            return 0.0

    with pytest.raises(nm.Refused, match="must be a function of tokens, weights, flow"):
        tokens(observe=[Wrong()])


@pytest.mark.parametrize("value", [None, "x", {}, 1j], ids=repr)
@pytest.mark.parametrize("solver", [tokens, density])
def test_what_an_observable_gives_must_be_numbers(solver, value):
    with pytest.raises(nm.Refused, match=r"^stop_when: the observable gives .* no real number"):
        solver(stop_when=nm.Crossing(Gives(value), 0.1))
    if value != 1j:  # complex ones are recorded
        with pytest.raises(nm.Refused, match=r"^observe gives: it gives .* no numbers"):
            solver(observe=[Gives(value)])


def test_an_observable_that_changes_its_shape_keeps_what_there_was():
    run = tokens(observe=[Gives(np.ones(2), np.ones(2), np.ones(3))], save_at=[0.0, 0.3, 0.6, 0.9])
    assert run.t.tolist() == [0.0, 0.3]
    assert "shape (3,) after shape (2,)" in str(run.status)


@pytest.mark.parametrize("solver", [tokens, density])
def test_a_status_tells_of_an_observable_that_was_never_a_number(solver):
    """What was to be looked for could not be seen: not ok, at the end of the run and where another crossing ends it."""
    never, at_first = nm.Crossing(Gives(np.nan), 0.5), nm.Crossing(Gives(0.0, np.nan), 0.5)
    run = solver(record_when=[never, at_first])
    assert not run.status
    assert str(run.status).startswith("reached t = ")
    assert str(run.status).endswith(", but gives was never a finite number")
    run = solver(record_when=never, stop_when=nm.Crossing(Gives(0.0, 1.0), 0.5))
    assert not run.status
    assert str(run.status).endswith("where gives is 1, but gives was never a finite number")
    assert not solver(stop_when=never).status
    assert solver(record_when=nm.Crossing(Gives(0.0, np.nan), 0.5)).status


@pytest.mark.parametrize(
    "rng",
    [np.random.RandomState(0), np.random.Generator(np.random.RandomState(0)._bit_generator)],
    ids=["state", "generator"],
)
def test_a_generator_that_spawns_no_streams_is_refused_by_name(rng):
    with pytest.raises(nm.Refused, match=r"^rng "):
        tokens(noise=0.1, rng=rng)


def test_a_generator_of_another_kind_serves():
    runs = [tokens(noise=0.1, rng=np.random.Generator(np.random.MT19937(3))) for _ in range(2)]
    assert np.array_equal(*(run.tokens for run in runs))


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (lambda t: t * 1j, "it gives complex numbers"),
        (lambda t: 1 / t, "it grows without bound near overlap"),
        (lambda t: 1 / (t - 1 / 3), r"it grows without bound near overlap 0\.333333"),
        (lambda t: 2 + 1 / (t + 0.123456) ** 2, r"it grows without bound near overlap -0\.123456"),
        (lambda t: 1e-4 / np.abs(t - 0.7) ** 1.5 + np.exp(5 * t), r"it grows without bound near overlap 0\.7"),
    ],
)
def test_a_weight_that_is_complex_or_has_a_pole_is_refused(kernel, message):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(nm.Refused, match=f"^kernel .*{message}"):
            nm.Flow(kernel=kernel)


@pytest.mark.parametrize(
    "kernel",
    [
        np.sign,
        np.zeros_like,
        lambda t: np.maximum(t, 0),
        lambda t: 1 / (1e-3 + t**2),
        lambda t: np.exp(600 * t),
        lambda t: 1e-200 * t,
        lambda t: t.astype(np.float32),
        lambda t: (t > 0.3).astype(int),
        lambda t: np.sqrt(1 - t),
        lambda t: np.where(t == 1, 0.0, t),
    ],
)
def test_a_steep_or_broken_weight_is_one(kernel):
    assert nm.Flow(kernel=kernel).kernel is kernel
