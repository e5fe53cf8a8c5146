"""The worked examples run, and their tables say what the papers and the theory say."""

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import cumulative_simpson, simpson
from scipy.special import iv
from support.examples import load_example

from gegenflow import theory as th
from gegenflow.numerics.validation.studies import Study
from gegenflow.numerics.validation.studies.store import Planned
from gegenflow.numerics.validation.studies.workers import perform


def test_metastable_clustering_confirms_rates_and_angles(tmp_path):
    """Rates from uniform tokens and, of all eleven degrees, on densities; angles over nudged starts; in the pictures
    clusters within a fifth of their spacing, three at beta = 5 and four at beta = 7, as the paper reports."""
    trials, angles = load_example("metastable_clustering").main(quick=True, figure=tmp_path / "figure.png")
    assert [len(report.checks) for report in trials] == [5, 5, 1, 5, 6, 1]
    for report in trials:
        assert report.passed, str(report)
    for beta, count in ((5, 3), (7, 4)):
        offsets = [float(row["measured"]) - float(row["cluster near"]) for row in angles.rows if row["beta"] == beta]
        assert len(offsets) == count
        assert max(map(abs, offsets)) < 0.2 * 2 * 3.1416 / count
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_noisy_transition_confirms_the_branches_and_the_published_order(tmp_path):
    """Trials of tokens on the branch, with bars of at most .005, and without order; K_# by SciPy, and K_c/K_# = .95515
    at beta = 4 as computed before this package existed."""
    transitions, trials = load_example("noisy_transition").main(quick=True, figure=tmp_path / "figure.png")
    assert [(row["beta"], row["predicted"]) for row in transitions.rows] == [(2, "continuous"), (4, "discontinuous")]
    smooth, jump = transitions.rows
    for row in (smooth, jump):
        assert row["predicted"] == row["published"]
        assert row["K_#"] == f"{row['beta'] / 2 / iv(1, row['beta']):.6f}"
    assert (smooth["fold/K_#"], smooth["K_c/K_#"]) == ("-", "1.00000")
    assert float(jump["fold/K_#"]) < float(jump["K_c/K_#"]) == 0.95515
    assert len(trials) == 4
    for report in trials:
        assert report.passed, str(report)
        assert all(check.error < 0.005 for check in report.checks)
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_finite_token_selection_follows_the_law_of_the_race(tmp_path):
    """The law by Simpson's rule on the closed form of the circle with SciPy's Bessel functions; 100 runs follow it:
    the degrees and the times between its quantiles by chi-square, the mean within three standard errors."""
    report = load_example("finite_token_selection").main(quick=True, figure=tmp_path / "figure.png")
    degrees, times = np.arange(1, 21), np.linspace(0, 1, 100_001)
    rates = degrees**2 * iv(degrees, 5) / 5
    level = 2000 * 0.1**2 * np.exp(-2 * rates * times[:, None])
    survive, density = -np.expm1(-level), 2 * rates * level * np.exp(-level)
    late = survive.prod(axis=1)
    chances = simpson(density * late[:, None] / survive, x=times, axis=0)
    law = th.finite_tokens.selection_law(2, 5, 2000, amplitude=0.1)
    for degree in (2, 3, 4):
        assert law.selection[degree] == pytest.approx(chances[degree - 1], rel=5e-4)
    for p in (0.1, 0.5, 0.9):
        assert law.quantile(p) == pytest.approx(times[np.argmax(late <= 1 - p)], rel=5e-4)
    counted, mean, between = report.checks
    assert mean.predicted == pytest.approx(simpson(late, x=times), rel=5e-4)
    assert mean.error < 0.05 * mean.predicted
    assert [check.verdict for check in report.checks if check.verdict == "differs"] == []
    assert min(counted.p_value, between.p_value) > 2.7e-3
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_million_tokens_become_the_clusters_of_the_law(tmp_path):
    """A hundredth of the tokens: the degree that the law expects, near its time (one run each, fixed seeds; the
    deviation of a time is a fifth of the mean), a field that is not dense, an error measured and small."""
    table = load_example("million_tokens").main(quick=True, figure=tmp_path / "figure.png")
    assert [row["field"] for row in table.rows] == ["cells", "sphere"]
    for row in table.rows:
        assert row["likely degree"].startswith(f"{row['first degree']} ")
        assert float(row["time"]) == pytest.approx(float(row["mean time"]), rel=0.5)
        assert float(row["error"]) < 1e-2
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_three_phases_end_when_the_expansion_says(tmp_path):
    """The laws hold: ends of both phases, the power of the noise, contraction. From white noise the quasi-linear phase
    ends within 5 %, the linear one, where other modes interfere, within 20 %, and then there are k clusters."""
    table, trials = load_example("three_phases").main(quick=True, figure=tmp_path / "figure.png")
    assert [len(report.checks) for report in trials] == [8, 2, 1, 1]
    for report in trials:
        assert [check.verdict for check in report.checks if check.verdict == "differs"] == []
        assert report.passed, str(report)
    for check in trials[1].checks:
        assert check.measured == pytest.approx(check.predicted, abs=0.05)
    tolerances = {"end of the linear phase": 0.2, "end of the quasi-linear phase": 0.05, "clusters": 0}
    assert len(table.rows) == 6
    for row in table.rows:
        tolerance = tolerances[row["from noise"]]
        assert float(row["measured"]) == pytest.approx(float(row["predicted"]), rel=tolerance), row
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_mean_field_limit_follows_the_law_of_the_fluctuations(tmp_path):
    """The law by a plain sum over SciPy's Bessel functions; the distances within three error bars while small (the
    seed is fixed), slopes of -1/2 likewise from both starts."""
    (distances,), slopes = load_example("mean_field_limit").main(quick=True, figure=tmp_path / "figure.png")
    degrees = np.arange(1, 4000)
    rates = degrees**2 * iv(degrees, 5) / 5
    for check, time in zip(distances.checks, (0, 0.04, 0.08), strict=True):
        law = 2 * (np.exp(2 * rates * time) / degrees**2).sum()
        assert check.predicted == pytest.approx(law, rel=1e-3)
        assert check.verdict == "agrees"
    assert [check.predicted for check in slopes.checks] == [-0.5] * 4
    assert slopes.passed, str(slopes)
    assert len((tmp_path / "figure.csv").read_text().splitlines()) == 8


def test_critical_table_in_latex_holds_the_certified_digits(capsys):
    """Digits computed before this package existed, in two complete environments; errors small where they must be."""
    boundaries, expansions = load_example("critical_table").main()
    latex = capsys.readouterr().out
    assert latex.count(r"\begin{table}") == latex.count(r"\end{table}") == 2
    assert "$512$ & $341.288428977$ & $615.340924212$ & $880.642426275$ & $1143.69660404$ & $1406.27560909$" in latex
    assert [(row["dim"], row["beta_3"]) for row in boundaries.rows[:2]] == [(2, "6.21129837943"), (3, "7.96237985155")]
    worst = {(row["degree"], row["dim"]): row for row in expansions.rows}
    assert abs(float(worst[100, 2][r"$k \to \infty$"])) < 1e-15
    assert abs(float(worst[1, 512][r"$d \to \infty$"])) < 1e-8
    assert all(float(row["bounds"]) < 0.01 for row in expansions.rows)


def test_several_heads_refute_what_was_claimed_of_them(tmp_path):
    """All trials agree; an energy of one head falls, super-additivity fails, entropy is not monotone."""
    table, trials = load_example("multihead").main(quick=True, figure=tmp_path / "figure.png")
    assert all(report.passed for report in trials)
    falls, excess, share = table.rows
    assert float(falls["measured"]) == pytest.approx(-85.9538, abs=1e-3)
    assert float(excess["predicted"]) < 0
    assert share["measured"] == "agrees"


def test_spectral_selection_confirms_critical_betas_cones_mixed_states_and_signs(tmp_path):
    """Roots of the measured rate to six digits, the reported one apart where a single token stands alone; no angle
    above the bound; resting states to 1e-5; every run (20 a case, a fixed seed) ends in signs that are stable."""
    table, shares = load_example("spectral_selection").main(quick=True, figure=tmp_path / "figure.png")
    rows = {row["quantity"]: row for row in table.rows}
    critical = [row for name, row in rows.items() if name.startswith("critical beta")]
    assert len(critical) == 8
    for row in critical:
        assert float(row["measured"]) == pytest.approx(float(row["predicted"]), abs=2e-6)
    alone = rows["critical beta, 5 against 1, mu = -0.5"]
    assert float(alone["published"]) == pytest.approx(np.log(5) / 2, abs=1e-6)
    assert float(alone["measured"]) < float(alone["published"]) - 0.1
    for name, row in rows.items():
        if "largest tan" in name:
            assert float(row["measured"]) <= 1.000001
        elif "last rate" in name:
            assert float(row["measured"]) == pytest.approx(float(row["predicted"]), rel=0.01)
        elif "e_1>" in name or "share" in name:
            assert float(row["measured"]) == pytest.approx(float(row["predicted"]), abs=1e-5)
    assert len(shares.rows) == 8
    for row in shares.rows:
        gathered = [float(row[str(k)]) for k in range(3) if row[str(k)]]
        assert sum(gathered) + float(row["not gathered"]) == pytest.approx(1)
        assert all(share == 0 or str(k) in row["stable"].split() for k, share in enumerate(gathered))


def test_lost_in_the_middle_is_seen_where_the_theory_says(tmp_path):
    """Minima by minimisation of the Bessel sum elsewhere; simulated ones within four bars, profiles of finitely many
    tokens a little lower; four times the tokens miss less than half as much. The seeds are fixed."""
    table = load_example("lost_in_the_middle").main(quick=True, figure=tmp_path / "figure.png")
    rows = {row["quantity"]: row for row in table.rows}
    numbers = {
        name: [float(x) for x in row["measured"].split(" +- ")] for name, row in rows.items() if "+-" in row["measured"]
    }
    for decay, position in ((1, 0.25499), (3, 0.073489)):
        name = f"minimum, beta 1, lam {decay}, M 10, t = 1"
        assert float(rows[name]["predicted"]) == pytest.approx(position, rel=3e-4)
        measured, bar = numbers[name]
        assert abs(measured - position) < 4 * bar < 1.5 * position
    assert [row["predicted"] for name, row in rows.items() if name.startswith("shape")] == ["U", "U", "N", "decreasing"]
    for name, row in rows.items():
        if name.startswith("profile") and "1.5" not in name:
            measured, bar = numbers[name]
            assert abs(measured / float(row["predicted"]) - 1) < 0.08 + 3 * bar
    missing = [float(row["predicted"]) - numbers[name][0] for name, row in rows.items() if name.startswith("memory")]
    assert 0 < missing[1] < missing[0] / 2
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_common_noise_tells_the_three_kinds_of_meeting_apart(tmp_path):
    """Moments of activations by Gauss and Hermite, the conditions as inequalities of them, at every dim of the map;
    the critical dims are where both sides are equal; tokens on the circle have met."""
    example = load_example("common_noise")
    table, kinds, trials = example.main(quick=True, figure=tmp_path / "figure.png")
    nodes, weights = np.polynomial.hermite_e.hermegauss(150)
    moments = {}
    for name, function, slope in (
        ("cos", np.cos, np.sin),
        ("tanh", np.tanh, lambda x: np.cosh(x) ** -2.0),
        ("1+tanh", lambda x: 1 + np.tanh(x), lambda x: np.cosh(x) ** -2.0),
        ("sin", np.sin, np.cos),
    ):
        moments[name] = [float(weights @ f(nodes) ** 2 / weights.sum()) for f in (function, slope)]
    dims = np.unique(np.geomspace(2, 100, 12).round().astype(int))
    for name, (own, steep) in moments.items():
        mean, alone = (dims - 3) * own > (dims - 1) * steep, (dims - 3) * steep < (dims - 1) * own
        assert kinds[example.ACTIVATIONS.index(name)].tolist() == np.where(mean, 2, alone).tolist()
    rows = {row["activation"]: row for row in table.rows}
    assert float(rows["cos"]["mean"]) == pytest.approx(np.e**2 + 2, rel=1e-9)
    own, steep = moments["tanh"]
    assert float(rows["tanh"]["almost surely"]) == pytest.approx((3 * steep - own) / (steep - own), rel=1e-6)
    assert (rows["tanh"]["mean"], rows["cos"]["almost surely"]) == ("oo", "oo")
    assert not [check for report in trials for check in report.checks if check.verdict == "differs"]
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_random_values_end_pairs_as_predicted(tmp_path):
    """The probabilities by Simpson's rule in y = artanh r, in which the scale density is smooth; no trial differs."""
    table, checks = load_example("random_values").main(quick=True, figure=tmp_path / "figure.png")
    assert [check for check in checks if check.verdict == "differs"] == []
    y = np.linspace(-40, 40, 80_001)
    for row in table.rows:
        slopes = 1 / np.cosh(float(row["beta"]) * (1 - np.tanh(y)))
        exponents = cumulative_simpson(slopes, x=y, initial=0)
        density = np.exp(-(row["dim"] - 2) * (exponents - exponents[40_000])) / np.cosh(y)
        below = cumulative_simpson(density, x=y, initial=0)
        share = 1 - np.interp(np.arctanh(float(row["start"])), y, below) / below[-1]
        assert float(row["predicted"]) == pytest.approx(share, abs=1e-6)
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_linear_theory_holds_where_its_map_says(tmp_path):
    """Growth lies beyond its bars as often as chance has it, to three standard deviations of a share; the page has the
    tables; a recorded run comes out again from its stream."""
    example = load_example("linear_theory")
    tables = example.main(quick=True, figure=tmp_path / "figure.png")
    page = (Path(__file__).parents[2] / "docs" / "linear_theory.md").read_text()
    assert all(table.to("markdown") in page for table in tables)
    whole, chance = tables[0].rows[0], tables[0].rows[-1]
    for bars in ("> 1", "> 2", "> 3"):
        share, spread = map(float, chance[bars].split(" ± "))
        assert abs(float(whole[bars]) - share) < 3 * spread
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    given = {"model": "sa", "kernel": "cosh(beta*t)", "dim": 2, "tokens": 200, "beta": "1", "runs": 32}
    study = Study("uniform tokens", fixed=given, rng=1)
    made = perform(*study.order, Planned(1, next(study.points_in_order()), 0)).outcome["measured"]
    same = {"model": "sa", "kernel": "cosh(beta*t)", "dim": 2, "tokens": 200, "beta": 1, "study": "growth"}
    rows = [row for row in example.recorded() if row.items() >= same.items()]
    assert [row["measured"] for row in rows] == pytest.approx(made, rel=1e-5)
