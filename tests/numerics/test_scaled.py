"""Scaled flows: the weight exp(beta (t - 1)), in the clock t e^beta and the energy E e^-beta, at any beta."""

import json
from math import exp

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from support.few_tokens import lifetime, on_circle

from gegenflow import numerics as nm
from gegenflow.numerics.runs.archives import FORMAT
from gegenflow.numerics.validation.command.main import main

BETA = 3.0
UNIT = exp(BETA)
FLOWS = {
    "few": (nm.uniform(9, 3, rng=0), {}, {}),
    "merging": (nm.uniform(9, 3, rng=0), {}, {"merge": 1e-10}),
    "angles": (nm.uniform(400, 2, rng=0), {}, {}),
    "cells": (nm.uniform(3000, 2, rng=0), {}, {"method": "cells"}),
    "sphere": (nm.uniform(2000, 3, rng=0), {}, {"method": "sphere"}),
    "tiles": (nm.uniform(300, 8, rng=0), {}, {"method": "tiles"}),
    "matrices": (nm.uniform(20, 2, rng=0), {"query_key": [[1, 2], [0, 1]], "value": [[1, 0], [0, 2]]}, {}),
    "pre": (nm.uniform(20, 3, rng=0), {"layer_norm": "pre"}, {}),
    "softmax": (nm.uniform(20, 3, rng=0), {"model": "sa"}, {}),
    "order 5": (nm.uniform(20, 3, rng=0), {}, {"order": 5, "rtol": 1e-9}),
}


@pytest.mark.parametrize("name", FLOWS)
def test_a_scaled_flow_is_the_flow_in_another_clock(name):
    """Every way of stepping and of taking sums; in SA the clock stays, energies shrink in both."""
    start, parts, options = FLOWS[name]
    clock = 1.0 if parts.get("model") == "sa" else UNIT
    observe = [] if {"layer_norm", "value"} & {*parts} else [nm.Energy(), nm.Dissipation()]
    flows = nm.Flow(beta=BETA, **parts), nm.Flow(beta=BETA, scaled=True, **parts)
    plain, scaled = (
        nm.simulate(start, flow, t_end=0.1 * unit, save_at=[0, 0.1 * unit], observe=observe, **options)
        for flow, unit in zip(flows, (1.0, clock), strict=True)
    )
    np.testing.assert_allclose(scaled.tokens, plain.tokens, atol=1e-8)
    np.testing.assert_allclose(scaled.radii, plain.radii, rtol=1e-8)
    if "layer_norm" not in parts:
        fields = [nm.attention_field(start, flow) for flow in flows]
        np.testing.assert_allclose(clock * fields[1], fields[0], atol=1e-12)
    for item in observe:
        shrunk = clock * UNIT if item.name == "dissipation" else UNIT
        np.testing.assert_allclose(shrunk * scaled.observables[item.name], plain.observables[item.name], rtol=1e-6)


def test_a_density_and_quantiles_in_another_clock():
    """The mean-field equation, with its energy and noise, which is that of the clock; quantiles by the circle."""
    bump = nm.circle_density(lambda angle: 1 + 0.1 * np.cos(3 * angle))
    observe = [nm.Energy(), nm.Dissipation()]
    plain = nm.solve_density(bump, beta=BETA, noise=0.05, t_end=0.1, save_at=[0, 0.1], observe=observe)
    scaled_flow = nm.Flow(beta=BETA, noise=0.05 / UNIT, scaled=True)
    scaled = nm.solve_density(bump, scaled_flow, t_end=0.1 * UNIT, save_at=[0, 0.1 * UNIT], observe=observe)
    np.testing.assert_allclose(scaled.density.coefficients, plain.density.coefficients, atol=1e-8)
    for name, unit in (("energy", UNIT), ("dissipation", UNIT**2)):
        np.testing.assert_allclose(unit * scaled.observables[name], plain.observables[name], rtol=1e-8)
    late = nm.solve_quantiles(bump, n=64, beta=BETA, t_end=0.1)
    np.testing.assert_allclose(
        nm.solve_quantiles(bump, n=64, beta=BETA, scaled=True, t_end=0.1 * UNIT).tokens, late.tokens, atol=1e-7
    )


def test_noise_in_another_clock():
    """The same Brownian paths on a grid of steps that are e^beta longer, with noise e^-beta smaller."""
    start = nm.uniform(20, 3, rng=0)
    plain = nm.simulate(start, beta=BETA, noise=0.1, step=1e-3, t_end=0.05, rng=7)
    scaled = nm.simulate(start, beta=BETA, scaled=True, noise=0.1 / UNIT, step=1e-3 * UNIT, t_end=0.05 * UNIT, rng=7)
    np.testing.assert_allclose(scaled.tokens, plain.tokens, atol=1e-12)
    steps = [
        nm.simulate(start, flow, t_end=0.0, rng=0).parameters["step"]
        for flow in (nm.Flow(beta=BETA, noise=1e-9), nm.Flow(beta=BETA, noise=1e-9, scaled=True))
    ]
    assert steps[1] == pytest.approx(UNIT * steps[0], rel=1e-12)


# beyond beta = 700

ANGLES = np.array([0.0, 0.02, 0.05, 0.12, 0.3])
"""Five tokens of the staircase: they meet one after the other, each step later by orders of magnitude."""


def staircase(beta, observe=(), **options):
    given = {"merge": 1e-13, "rtol": 1e-12, "atol": 1e-14, "t_end": 1e230, "save_at": []} | options
    return nm.simulate(on_circle(*ANGLES), beta=beta, scaled=True, observe=observe, **given)


@pytest.mark.parametrize("beta", [500, 1000, 2000, 4000])
def test_the_staircase_of_five_tokens(beta):
    """Every step of it by a route of its own: speeds of all angles, in quadrature once two clusters are left.

    Forces are opposite, so that the mean angle stays where it was; the time from the third meeting to the last is the
    integral of one over the speed of the gap; and the energy of what has met is half its squared masses over beta.
    """
    run = staircase(beta, [nm.Energy()])
    times, left = run.merges.T
    assert left.tolist() == [4.0, 3.0, 2.0, 1.0]
    np.testing.assert_allclose(run.tokens, on_circle(*[ANGLES.mean()] * 5), atol=1e-8)
    between = np.sqrt(times[2] * times[3])
    before = staircase(beta, [nm.Energy()], t_end=between, save_at=[between])
    angle = np.unwrap(np.arctan2(before.tokens[:, 1], before.tokens[:, 0]))
    lone = np.array([0.8, 0.2])
    assert angle[:4] == pytest.approx(angle[0], abs=1e-8)
    assert lone @ angle[[0, 4]] == pytest.approx(ANGLES.mean(), abs=1e-9)
    rest = float(lifetime(angle[4] - angle[0], 1e-13, lone, beta, "usa", scaled=True))
    assert times[3] - between == pytest.approx(rest, rel=1e-8, abs=0.01)  # a chord of 1e-13 is rounded
    gap = float(np.exp(beta * (np.cos(angle[4] - angle[0]) - 1)))
    energy = (lone @ lone + 2 * lone[0] * lone[1] * gap) / (2 * beta)
    assert before.observables["energy"][0] == pytest.approx(energy, rel=1e-7)


@pytest.mark.parametrize("beta", [500, 4000])
def test_the_first_step_of_the_staircase(beta):
    """Angles by another integrator, from the equation as it is written, up to the first meeting."""

    def speed(_, angle):
        apart = angle - angle[:, None]
        return (np.exp(beta * (np.cos(apart) - 1)) * np.sin(apart)).mean(axis=1)

    end = staircase(beta).merges[0, 0] - 5
    exact = solve_ivp(speed, (0, end), ANGLES, method="LSODA", rtol=1e-12, atol=1e-14)
    run = staircase(beta, t_end=end)
    assert len(run.merges) == 0
    np.testing.assert_allclose(run.tokens, on_circle(*exact.y[:, -1]), atol=1e-8)


@pytest.mark.parametrize("model", ["usa", "sa"])
@pytest.mark.parametrize("beta", [900, 4000])
def test_two_tokens_meet_when_they_should(model, beta):
    """Of unequal weight, half an exponent of 300 apart: the integral of one over the speed of their gap."""
    apart, weights = float(np.arccos(1 - 300 / beta)), [0.3, 0.7]
    options = {"merge": 1e-13, "rtol": 1e-12, "atol": 1e-14, "weights": weights, "save_at": []}
    run = nm.simulate(on_circle(0, apart), beta=beta, scaled=True, model=model, t_end=1e200, **options)
    expected = float(lifetime(apart, 1e-13, weights, beta, model, scaled=True))
    assert run.merges[0, 0] == pytest.approx(expected, rel=1e-9)


def test_energy_and_dissipation_beyond_all_floats():
    """dE/dt is the dissipation, by central differences of a run at beta 4000."""
    step = 1e-3
    run = staircase(4000, [nm.Energy(), nm.Dissipation()], save_at=[1 - step, 1.0, 1 + step], t_end=2.0)
    energy, dissipation = run.observables["energy"], run.observables["dissipation"]
    assert (energy[2] - energy[0]) / (2 * step) == pytest.approx(dissipation[1], rel=1e-5)
    assert np.all(np.diff(energy) > 0)


# as a value, in files, on the command line


def test_it_is_a_part_of_the_flow(tmp_path):
    """It prints, it is in the equation, and a run goes on with it from a file."""
    flow = nm.Flow(beta=900, scaled=True)
    assert repr(flow) == "Flow(beta=900.0, scaled=True)"
    assert "e^{900 (\\langle x_i, x_j\\rangle - 1)}" in flow._repr_latex_()
    assert flow != nm.Flow(beta=900, model="sa", scaled=True)
    assert nm.Flow(beta=1) != nm.Flow(beta=1, scaled=True)
    run = nm.simulate(on_circle(*ANGLES), flow, t_end=10.0)
    assert ", scaled" in repr(run)
    run.save(tmp_path / "run.npz")
    back = nm.load(tmp_path / "run.npz")
    assert (back.flow, FORMAT) == (flow, 1)
    whole = nm.simulate(on_circle(*ANGLES), flow, t_end=20.0)
    np.testing.assert_allclose(back.extend(20.0).tokens, whole.tokens, atol=1e-8)


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({"kernel": np.tanh, "scaled": True}, "scaled"),
        ({"heads": [nm.Head(beta=1)], "scaled": True}, "scaled"),
        ({"beta": 1, "scaled": "yes"}, "scaled"),
        ({"beta": 1, "scaled": 1}, "scaled"),
        ({"beta": 701}, "beta"),
    ],
)
def test_what_cannot_be_scaled_is_refused(parts, name):
    with pytest.raises(nm.Refused) as raised:
        nm.Flow(**parts)
    assert raised.value.name == name


def test_the_command_scales(capsys, tmp_path):
    """The staircase from a file of angles, to its end; the saved run goes on with its own flow."""
    np.savetxt(tmp_path / "angles.txt", ANGLES)
    line = f"simulate --beta 4000 --scaled --start {tmp_path}/angles.txt --time 1e5 --merge 1e-11 --format json"
    assert main([*line.split(), "--out", f"{tmp_path}/run.npz"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["scaled"], told["ok"]) == (True, True)
    assert told["energy"] == pytest.approx((0.4**2 + 3 * 0.2**2 + 0.4**2) / 8000, rel=0.3)
    assert main(f"simulate --start {tmp_path}/run.npz --time 1e60 --format json".split()) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["clusters"], told["scaled"]) == (1, True)
    assert told["energy"] == pytest.approx(1 / 8000, rel=1e-12)
    assert main(f"simulate --beta 5 --scaled --start {tmp_path}/angles.txt --time 0".split()) == 0
    assert "comes first, at rates and a time of the scaled weight\n" in capsys.readouterr().out
    assert main(f"simulate --start {tmp_path}/run.npz --scaled".split()) == 2
    assert "--scaled" in capsys.readouterr().err
    assert main(["simulate", "--beta", "4000", "--tokens", "5"]) == 2
    assert "--beta" in capsys.readouterr().err
