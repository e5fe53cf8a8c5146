"""Tokens that synchronise: rates at a Dirac, hitting times of equiangular tokens, normalisations, two clusters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, sampled_from
from support.examples import load_example

from gegenflow import numerics as nm
from gegenflow import theory as th
from gegenflow.numerics.validation.ends import gathering_times


@pytest.mark.parametrize("dim", [2, 3, 8])
@pytest.mark.parametrize("beta", [0, 0.5, 1])
@pytest.mark.parametrize("model", ["usa", "sa"])
def test_distance_to_the_dirac_decays_at_its_rate(dim, beta, model):
    """100 tokens in a cap, W_2 by angles, between 1e-3 and 1e-6; 1 % where 0.1 % is seen."""
    predicted = float(th.synchronization.dirac_rate(str(beta), model=model, digits=12))
    start = nm.normalize(np.eye(dim)[0] + 0.2 * np.random.default_rng(dim).standard_normal((100, dim)) / dim**0.5)
    run = nm.simulate(
        start,
        beta=beta,
        model=model,
        t_end=16 / predicted,
        rtol=1e-10,
        atol=1e-12,
        observe=[nm.systems.DiracDistance()],
    )
    distance = run.observables["dirac_distance"]
    late = (distance < 1e-3) & (distance > 1e-6)
    measured = -np.polyfit(run.t[late], np.log(distance[late]), 1)[0]
    assert measured == pytest.approx(predicted, rel=0.01)


@given(n=integers(2, 12), beta=floats(-3, 5), overlap=floats(0.05, 0.99), model=sampled_from(["usa", "sa"]))
def test_orthogonal_tokens_reach_an_overlap_at_the_closed_time(n, beta, overlap, model):
    """Ei and E1 on one side, n tokens in n dims on the other: every pair has that overlap at that time."""
    time = float(th.synchronization.hitting_time(str(overlap), n, str(beta), model=model, digits=15))
    run = nm.simulate(np.eye(n), beta=beta, model=model, t_end=time, save_at=[], rtol=1e-11, atol=1e-13)
    overlaps = (run.tokens @ run.tokens.T)[~np.eye(n, dtype=bool)]
    assert run.status.ok
    assert np.abs(overlaps - overlap).max() < 1e-8


def test_random_tokens_gather_at_the_equiangular_time_the_nearer_the_higher_the_dim():
    """Median of 12 starts of 32 tokens at beta 5, SA: overlaps of random tokens are about dim^{-1/2} apart."""
    exact = float(th.synchronization.hitting_time("0.999", 32, 5, model="sa", digits=12))
    options = {"tokens": 32, "overlap": 0.999, "runs": 12, "t_end": 12.0, "rng": 0}
    dims = (256, 1024, 8192)
    medians = [np.median(gathering_times(dim, nm.Flow(beta=5, model="sa"), **options)) for dim in dims]
    off = np.abs(np.array(medians) - exact) / exact
    assert off[0] > off[1] > off[2]
    assert off[2] < 0.01


@pytest.mark.parametrize("scheme", ["post", "pre", "peri"])
def test_normalisations_slow_the_approach_as_their_law_says(scheme):
    """Six orthogonal tokens, SA: C e^{-2t} where lengths are fixed, C t^{-2} where they grow, with its constant."""
    law = th.synchronization.decay_law(scheme, 6, 1, digits=12)
    time = 6.0 if scheme == "post" else 1e4
    run = nm.simulate(
        np.eye(6),
        beta=1.0,
        model="sa",
        layer_norm=scheme,
        t_end=time,
        save_at=[time],
        rtol=1e-11,
        atol=1e-14,
        observe=[nm.systems.SmallestOverlap()],
    )
    gap = 1 - run.observables["smallest_overlap"][0]
    expected = float(law.constant) * float(law.decay.subs(dict.fromkeys(law.decay.free_symbols, time)))
    assert gap == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("minority", [0.1, 0.3])
def test_the_smaller_of_two_antipodal_clusters_holds_above_the_threshold_only(minority):
    """An arc opposite to the rest: a fifth above beta* it has shrunk, a fifth below it has spread."""
    threshold = float(th.clusters.survival_beta(str(minority), digits=12))
    few, n = round(200 * minority), 200
    spread = np.concatenate([np.linspace(-0.02, 0.02, few), np.pi + np.linspace(-0.02, 0.02, n - few)])
    start = np.column_stack([np.cos(spread), np.sin(spread)])
    widths = []
    for factor in (1.2, 0.8):
        run = nm.simulate(start, beta=factor * threshold, t_end=2.0, save_at=[], rtol=1e-10)
        widths.append(np.ptp(np.arctan2(run.tokens[:few, 1], run.tokens[:few, 0])) / 0.04)
    assert widths[0] < 0.9
    assert widths[1] > 1.1


def test_the_example_puts_three_laws_on_trial(tmp_path):
    """Rates to 1e-5 in caps and from densities, a hundred times what the theorem promises; three schemes."""
    caps, spread, schemes = load_example("synchronization").main(quick=True, figure=tmp_path / "figure.png")
    assert (len(caps.checks), len(spread.checks), len(schemes.checks)) == (12, 6, 3)
    for report in (caps, spread, schemes):
        assert report.passed, str(report)
    for check in (*caps.checks, *spread.checks):
        assert check.measured == pytest.approx(check.predicted, rel=1e-5)
        assert check.refutes(check.rivals[0])
        assert "1/100" in check.rivals[0].name
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_the_phase_curve_is_where_the_tokens_gather(tmp_path):
    """Published values of the curve, medians in dim 1024 within 5 % of it where it lies below 30, and the law."""
    law, table = load_example("phase_curve").main(quick=True, figure=tmp_path / "figure.png")
    assert law.refuted == ()
    assert [check.verdict for check in law.checks if check.verdict != "agrees"] == []
    published = {1: "5.2703", 3: "5.8976", 5: "9.5443", 7: "32.2331", 9: "178.7309"}
    for beta, time in published.items():
        exact = th.synchronization.hitting_time("0.999", 32, beta, model="sa", digits=8)
        assert f"{float(exact):.4f}" == time
    near = [row for row in table.rows if row["dim"] == 1024 and float(row["equiangular"]) < 28]
    assert len(near) == 4
    for row in near:
        assert float(row["median"]) == pytest.approx(float(row["equiangular"]), rel=0.05)
    assert (tmp_path / "figure.png").stat().st_size > 10_000
