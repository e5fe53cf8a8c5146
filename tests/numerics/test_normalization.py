"""Tokens with a length under Pre-LN and Peri-LN: equiangular starts, decay in time, files and refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, sampled_from
from scipy.integrate import solve_ivp

from gegenflow import numerics as nm
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.integrators.normalization import stream_velocity


def equiangular(n, overlap):
    """Rows of a square root of the matrix of overlaps, by its eigenvectors."""
    values, vectors = np.linalg.eigh((1 - overlap) * np.eye(n) + overlap)
    return nm.normalize(vectors * np.sqrt(values) @ vectors.T)


def equiangular_motion(n, beta, model, layer_norm):
    """The rates of overlap g and radius r where all tokens see the same: h(1) for themselves, h(g) for n - 1 others."""

    def rates(_, state):
        g, r = state
        own, other = np.exp(beta), np.exp(beta * g)
        scale = n if model == "usa" else own + (n - 1) * other
        radial = (own + (n - 1) * other * g) / scale
        across = (own * g + other * (1 + (n - 2) * g)) / scale
        square = own**2 + 2 * own * other * (n - 1) * g + other**2 * (n - 1) * (1 + (n - 2) * g)
        pull = {"post": 1.0, "pre": 1.0, "peri": np.sqrt(square) / scale}[layer_norm]
        length = 1.0 if layer_norm == "post" else r
        return [2 * (across - g * radial) / (length * pull), radial / pull if layer_norm != "post" else 0.0]

    return rates


@settings(max_examples=25)
@given(
    n=integers(2, 9),
    beta=floats(-3, 4),
    overlap=floats(0, 0.6),
    radius=floats(0.3, 3),
    model=sampled_from(["usa", "sa"]),
    layer_norm=sampled_from(["post", "pre", "peri"]),
    wide=sampled_from([1, 5]),
)
def test_equiangular_tokens_follow_two_equations(n, beta, overlap, radius, model, layer_norm, wide):
    """scipy on the two scalar equations of overlap and radius, in the dim of the tokens and in a much larger one."""
    t_end = 1.0 if model == "sa" else np.exp(-abs(beta))
    start, radius = equiangular(n, overlap), 1.0 if layer_norm == "post" else radius
    rates = equiangular_motion(n, beta, model, layer_norm)
    g, r = solve_ivp(rates, (0, t_end), [overlap, radius], rtol=1e-11, atol=1e-12).y[:, -1]
    run = nm.simulate(
        np.pad(start, [(0, 0), (0, (wide - 1) * n)]),
        beta=beta,
        model=model,
        layer_norm=layer_norm,
        radii=None if layer_norm == "post" else np.full(n, radius),
        t_end=t_end,
        rtol=1e-10,
    )
    assert run.status.ok
    np.testing.assert_allclose(run.radii, r, rtol=1e-8)
    np.testing.assert_allclose((run.tokens @ run.tokens.T)[~np.eye(n, dtype=bool)], g, atol=1e-8)


@pytest.mark.parametrize(("layer_norm", "power"), [("pre", 2), ("peri", 2)])
def test_near_a_cluster_the_gap_decays_as_the_square_of_the_time(layer_norm, power):
    """Linearised at the cluster r = 1 + t and (1 - g)' = -2 (1 - g)/r, so that (1 - g) r^2 stays what it was."""
    start = equiangular(5, 1 - 1e-4)
    run = nm.simulate(
        start, beta=1.0, model="sa", layer_norm=layer_norm, t_end=1e3, save_at=[0, 10, 1e3], rtol=1e-12, atol=0.0
    )
    gap = 0.5 * ((run.trajectories[:, 0] - run.trajectories[:, 1]) ** 2).sum(axis=1)
    np.testing.assert_allclose(run.observables["radii"], (1 + run.t)[:, None] * np.ones(5), rtol=1e-4)
    np.testing.assert_allclose(gap * (1 + run.t) ** power, gap[0], rtol=1e-3)
    post = nm.simulate(start, beta=1.0, model="sa", t_end=5.0, save_at=[0, 5], rtol=1e-12, atol=0.0).trajectories
    gap = 0.5 * ((post[:, 0] - post[:, 1]) ** 2).sum(axis=1)
    assert gap[1] == pytest.approx(gap[0] * np.exp(-10), rel=1e-3)


@settings(max_examples=25)
@given(
    n=integers(1, 12),
    dim=integers(2, 5),
    model=sampled_from(["usa", "sa"]),
    layer_norm=sampled_from(["pre", "peri"]),
    kernel=sampled_from([None, lambda t: 1 + t + t**2 / 2]),
    seed=integers(0, 99),
)
def test_the_velocity_is_the_definition_one_token_at_a_time(n, dim, model, layer_norm, kernel, seed):
    """Sums written out token by token, with lengths, weights, a form and values that are not symmetric."""
    rng = np.random.default_rng(seed)
    form, values = rng.standard_normal((2, dim, dim))
    x, weights = rng.standard_normal((n, dim)), rng.dirichlet(np.ones(n))
    weigh = kernel or (lambda s: np.exp(0.7 * s))
    out = np.empty(n * dim)
    flow = Flow(None if kernel else 0.7, kernel, form, values, model=model, layer_norm=layer_norm)
    expected = np.empty_like(x)
    for i in range(n):
        unit = [row / np.sqrt(row @ row) for row in x]
        value = [w * float(weigh(unit[i] @ form @ y)) for w, y in zip(weights, unit, strict=True)]
        expected[i] = sum(v * (values @ y) for v, y in zip(value, unit, strict=True))
        expected[i] /= sum(value) if model == "sa" else 1.0
        expected[i] /= np.sqrt(expected[i] @ expected[i]) if layer_norm == "peri" else 1.0
    stream_velocity(weights, flow)(x.ravel(), out)
    np.testing.assert_allclose(out.reshape(n, dim), expected, atol=1e-11 * np.abs(expected).max())


def test_lengths_are_recorded_beside_directions_and_survive_saving(tmp_path):
    """The unnormalised tokens of Pre-LN at beta = 0 and SA are x_i(0) + integral of one common mean for all."""
    start, radii = nm.uniform(300, 3, rng=1), np.linspace(0.5, 2, 300)
    run = nm.simulate(
        start,
        beta=0.0,
        model="sa",
        layer_norm="pre",
        radii=radii,
        t_end=2.0,
        observe=[nm.Energy()],
        save_at=[0, 1, 2],
    )
    assert run.parameters["layer_norm"] == "pre"
    assert repr(run).startswith("Run: 300 tokens, dim 3, beta 0.0, layer_norm pre, model sa, dense field")
    np.testing.assert_allclose(np.linalg.norm(run.tokens, axis=1), 1, rtol=1e-14)
    assert run.observables["radii"].shape == (3, 256)
    np.testing.assert_allclose(run.observables["radii"][0], radii[np.arange(256) * 300 // 256], rtol=1e-14)
    shift = run.radii[:, None] * run.tokens - radii[:, None] * start
    np.testing.assert_allclose(shift, shift[:1] * np.ones((300, 1)), atol=1e-7)
    assert (np.diff(run.observables["energy"]) > 0).all()
    run.save(tmp_path / "run")
    back = nm.load(tmp_path / "run")
    assert np.array_equal(back.radii, run.radii)
    assert np.array_equal(back.observables["radii"], run.observables["radii"])
    assert (nm.simulate(start, beta=0.0, t_end=0.1).radii == 1).all()


def test_a_measured_error_compares_tokens_with_their_lengths():
    """The largest distance of tokens, not of their directions alone, from a run at a hundredth of the tolerances."""
    start = nm.uniform(20, 3, rng=2)
    options = {"beta": 2.0, "layer_norm": "pre", "radii": np.full(20, 50.0), "t_end": 30.0, "rtol": 1e-5}
    run = nm.simulate(start, **options, estimate_error=True)
    exact = nm.simulate(start, **options | {"rtol": 1e-12})
    ends = [one.radii[:, None] * one.tokens for one in (run, exact)]
    assert np.linalg.norm(ends[0] - ends[1], axis=1).max() == pytest.approx(run.error, rel=0.2, abs=1e-12)


@pytest.mark.parametrize(
    ("kernel", "values", "what"), [(lambda t: 3 - 4 * t, None, "normaliser of token"), (None, np.zeros((2, 2)), "zero")]
)
def test_a_velocity_that_does_not_exist_ends_the_run(kernel, values, what):
    """A normaliser that reaches zero, and an output without a direction."""
    beta = None if kernel else 1.0
    run = nm.simulate(
        np.eye(2), beta=beta, kernel=kernel, value=values, model="sa", layer_norm="peri", t_end=9.0, save_at=[]
    )
    assert not run.status.ok
    assert what in str(run.status) or "step size" in str(run.status)


@pytest.mark.parametrize("layer_norm", ["pre", "peri"])
def test_a_token_that_shrinks_to_nothing_ends_the_run(layer_norm):
    """One token under V = -I: r' = -1 from 0.7 on, so that nothing is left at t = 0.7."""
    run = nm.simulate(
        np.eye(1, 3), beta=1.0, model="sa", layer_norm=layer_norm, radii=[0.7], value=-np.eye(3), t_end=2.0
    )
    assert str(run.status).startswith("stopped at t = 0.")
    assert "token 0 has shrunk to length" in str(run.status)
    assert run.radii[0] < 1.1e-6
    assert run.t[-1] == pytest.approx(0.7, abs=0.02)
    many = nm.simulate(nm.uniform(30, 3, rng=0), beta=3.0, layer_norm=layer_norm, value=-np.eye(3), t_end=5.0)
    assert not many.status.ok


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer_norm": "layer"}, "layer_norm layer: choose from post, pre, peri"),
        ({"layer_norm": "post", "radii": [1, 1, 1]}, "radii: with layer_norm"),
        ({"radii": [1, 2]}, r"radii: it has shape \(2,\), expected \(n,\) = \(3,\)"),
        ({"radii": [1, -2, 1]}, "radii: entry 1 is -2"),
        ({"radii": [1, np.nan, 1]}, "radii: entry 1 is nan"),
        ({"noise": 0.1}, r"noise 0.1: layer_norm \"pre\" goes with dense sums"),
        ({"merge": 1e-10}, "merge 1e-10: under .* tokens in one direction turn at different speeds"),
        ({"method": "tiles"}, 'method tiles: with layer_norm "pre" it must be'),
        ({"observe": [nm.Dissipation()]}, "layer_norm pre: the dissipation is"),
    ],
)
def test_what_has_no_length_is_refused(change, message):
    """Every refusal names the value, before the run."""
    with pytest.raises(ValueError, match=message):
        nm.simulate(**({"tokens": np.eye(3), "beta": 1.0, "t_end": 1.0, "layer_norm": "pre"} | change))


@pytest.mark.parametrize("layer_norm", ["pre", "peri"])
def test_tokens_in_one_direction_part_where_their_lengths_differ(layer_norm):
    """Why they do not merge: scipy's integrator on the equation as it is written, to an angle of a fiftieth or more."""
    start, radii = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.array([1.0, 3.0, 1.0])

    def speed(_, line):
        place = line.reshape(3, 2)
        unit = place / np.hypot(*place.T)[:, None]
        output = np.exp(2 * unit @ unit.T) @ unit / 3
        return (output / np.hypot(*output.T)[:, None] if layer_norm == "peri" else output).ravel()

    exact = solve_ivp(speed, (0, 1), (radii[:, None] * start).ravel(), method="DOP853", rtol=1e-11, atol=1e-12)
    rows = exact.y[:, -1].reshape(3, 2)
    run = nm.simulate(start, beta=2, layer_norm=layer_norm, radii=radii, t_end=1.0)
    np.testing.assert_allclose(run.radii[:, None] * run.tokens, rows, atol=1e-6)
    turned = np.arctan2(rows[:, 1], rows[:, 0])
    assert abs(turned[0] - turned[1]) > 0.02


@pytest.mark.parametrize("method", ["auto", "dense"])
@pytest.mark.parametrize("layer_norm", ["pre", "peri"])
def test_a_query_key_alone_goes_with_dense_sums(layer_norm, method):
    """Asked for by name or not, and the run goes on; the two ways agree with one run through."""
    flow = nm.Flow(beta=1, query_key=[[1, 2], [0, 1]], layer_norm=layer_norm, model="sa")
    start = nm.uniform(5, 2, rng=0)
    first = nm.simulate(start, flow, t_end=0.5, method=method)
    assert first.parameters["method"] == "dense"
    both, whole = first.extend(1.0), nm.simulate(start, flow, t_end=1.0)
    np.testing.assert_allclose(both.tokens, whole.tokens, atol=1e-7)
    np.testing.assert_allclose(both.radii, whole.radii, rtol=1e-7)
