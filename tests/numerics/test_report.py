"""Verdicts and how they are shown."""

import json
import signal
from concurrent.futures import BrokenExecutor, Future
from html import unescape

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers
from matplotlib.figure import Figure
from scipy.integrate import quad
from scipy.special import gammaln
from scipy.stats import chisquare, norm
from support.signals import interrupted_after

from gegenflow import numerics as nm
from gegenflow.numerics.tokens.processes import end_processes, new_processes
from gegenflow.numerics.validation.checks import count_check
from gegenflow.numerics.validation.measurements import Unfinished


def check(predicted=2.0, measured=2.0, error=0.02, law="planted modes", name="degree 1", **more):
    return nm.validation.Check(name, predicted=predicted, measured=measured, error=error, law=law, **more)


def report(*checks, status="complete"):
    return nm.validation.Report(tuple(checks), {"beta": "5", "rng": 0}, status, 12.345678)


@given(predicted=floats(0.1, 100), bars=floats(-6, 6), width=floats(0.001, 0.1), sign=floats(-1, 1))
def test_a_check_passes_within_three_bars_of_at_most_five_per_cent(predicted, bars, width, sign):
    """The rule of the issue, in units of the bar; a negative value has the same verdict as its mirror image."""
    predicted = np.copysign(predicted, sign)
    error = width * abs(predicted)
    verdict = check(predicted, predicted + bars * error, error)
    if abs(abs(bars) - 3) > 1e-6 and abs(width - 0.05) > 1e-6:
        assert verdict.passed == (abs(bars) < 3 and width < 0.05)
        assert verdict.off_by == pytest.approx(abs(bars), abs=1e-6)


@pytest.mark.parametrize(
    ("predicted", "measured", "error", "passed"),
    [
        (8.0, 8.75, 0.25, True),  # exactly three bars
        (8.0, 8.7500001, 0.25, False),
        (5.0, 5.0, 0.25, True),  # a bar of exactly five per cent
        (5.0, 5.0, 0.2500001, False),
        (2.0, 2.0, 0.0, True),  # exact agreement needs no bar
        (2.0, 2.0 + 1e-15, 0.0, False),
        (0.0, 0.0, 0.0, True),
        (0.0, 0.0, 0.1, False),  # any bar is too wide for zero
        (np.nan, 2.0, 0.02, False),
        (2.0, np.nan, 0.02, False),
        (2.0, 2.0, np.nan, False),
        (2.0, 2.0, np.inf, False),
        (np.inf, np.inf, 0.02, False),
        (2.0, 2.0, -0.02, False),
    ],
)
def test_verdicts_at_the_edges(predicted, measured, error, passed):
    """Limits are included, what is not a number never passes, and no bar means exact agreement."""
    assert check(predicted, measured, error).passed is passed


def test_distance_without_a_bar():
    """Without a bar exact agreement is no distance, any difference an infinite one."""
    assert check(2.0, 2.5, 0.0).off_by == float("inf")
    assert check(2.0, 2.0, 0.0).off_by == 0


def test_a_report_passes_only_if_complete_and_nothing_failed():
    """One failure, no check at all, or an early end: not passed."""
    good, bad = check(), check(measured=3.0)
    assert report(good, good).passed
    assert not report(good, bad).passed
    assert not report().passed
    assert not report(good, status="interrupted").passed
    assert not report(good, status="interrupted").complete


def test_text_names_every_check_and_the_failures():
    """A heading a law, a line a check with its numbers, the verdict last."""
    text = str(report(check(), check(measured=3.0, name="degree 12"), check(law="energy balance", name="SA")))
    lines = text.splitlines()
    assert [line.split("  ")[0] for line in lines if not line.startswith(" ")][:2] == [
        "planted modes",
        "energy balance",
    ]
    assert [line.split()[:2] for line in lines if line.startswith("  degree")] == [["degree", "1"], ["degree", "12"]]
    assert [("FAILED" in line) for line in lines] == [False, False, True, False, False, False]
    assert "50.0 bars" in lines[2]
    assert lines[-1] == "1 of 3 checks failed  (12 s)"
    columns = {line.index("  2 ") for line in lines if line.startswith("  ")}
    assert len(columns) == 1
    assert str(report(check())).endswith("all 1 checks agree  (12 s)")
    assert str(report(check(), status="interrupted")).splitlines()[-1].endswith(", but interrupted")


def test_dict_is_the_json_of_the_contract():
    """passed, parameters and checks with law, name, numbers and rivals; survives JSON, and in strict JSON."""
    rivals = (nm.validation.Rival("twice", 4.0), nm.validation.Rival("near", 2.05))
    facts = report(check(), check(measured=3.0), check(rivals=rivals)).to_dict()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert facts["passed"] is False
    assert (facts["beta"], facts["rng"], facts["status"]) == ("5", 0, "complete")
    wrong, undecided = facts["checks"][1:]
    assert wrong == {
        "law": "planted modes",
        "name": "degree 1",
        "predicted": 2.0,
        "measured": 3.0,
        "error": 0.02,
        "noticed": pytest.approx((norm.isf(norm.sf(3)) + norm.isf(0.1)) * 0.01),
        "passed": False,
        "verdict": "differs",
        "rivals": [],
    }
    assert undecided["verdict"] == "undecided, as near survives: take more tokens or runs"
    assert [(r["name"], r["predicted"], r["refuted"]) for r in undecided["rivals"]] == [
        ("twice", 4.0, True),
        ("near", 2.05, False),
    ]


def test_dict_of_a_measurement_that_is_no_number_is_strict_json():
    """JSON has no NaN and no Infinity."""
    facts = report(check(measured=float("nan"), error=float("inf"))).to_dict()
    assert json.loads(json.dumps(facts, allow_nan=False))["passed"] is False


def test_html_is_a_table_escaped():
    """Names with markup do no harm; every number is there."""
    shown = report(check(name="<b>&degree", measured=2.0123))._repr_html_()
    assert "<b>" not in shown
    assert "<b>&degree" in unescape(shown)
    assert "2.0123" in shown


def test_a_rival_infinitely_far_is_not_the_nearest():
    """Without a bar every rival but an exact one is infinitely far, and has no number in JSON."""
    far, near = nm.validation.Rival("far", 4.0), nm.validation.Rival("exact", 2.0)
    (row,) = report(check(error=0.0, rivals=(far, near))).to_rows()
    assert (row["rival"], row["rival_off_by"]) == ("exact", 0.0)


@given(freedom=integers(2, 60), off=floats(0, 30))
def test_few_runs_are_allowed_as_many_bars_as_cover_as_often(freedom, off):
    """Student's t by its density: three bars of a Gaussian leave out 1 in 370, five 1 in 1.7 million."""
    mean = check(2.0, 2.0 + 0.01 * off, 0.01, freedom=freedom, rivals=(nm.validation.Rival("there", 2.0),))

    def beyond(bars):
        weight = np.exp(gammaln((freedom + 1) / 2) - gammaln(freedom / 2)) / np.sqrt(freedom * np.pi)
        return 2 * weight * quad(lambda x: (1 + x * x / freedom) ** (-(freedom + 1) / 2), bars, np.inf)[0]

    found = beyond(off)
    if abs(found / 0.0026998 - 1) > 1e-3:
        assert (mean.verdict == "differs") == (found < 0.0026998)
    if abs(found / 5.733e-7 - 1) > 1e-2:
        assert mean.refutes(mean.rivals[0]) == (found < 5.733e-7)


def test_what_would_have_been_noticed_is_noticed_nine_times_in_ten():
    """Measurements of a truth that is off by the stated deviation: 90 % of them differ, 2,000 with a fixed seed."""
    error, truth = 0.01, 2.0
    deviation = check(truth, truth, error).noticed * truth
    found = truth + deviation + error * np.random.default_rng(0).standard_normal(2000)
    share = np.mean([check(truth, one, error).verdict == "differs" for one in found])
    assert share == pytest.approx(0.9, abs=3 * (0.09 / 2000) ** 0.5)


def test_many_true_checks_pass_together_and_one_wrong_one_fails_them():
    """1,000 sets of 50 true checks: as many refuted as Holm's rate, 1 in 370, allows; one at six bars fails its set."""
    rng = np.random.default_rng(1)
    refuted = 0
    for _ in range(1000):
        checks = [check(2.0, 2.0 + 0.01 * off, 0.01) for off in rng.standard_normal(50)]
        refuted += bool(report(*checks).refuted)
    assert refuted <= 9  # mean 2.7, above 9 once in 1,000
    wrong = check(2.0, 2.06, 0.01)
    assert report(*checks, wrong).refuted == (wrong,)
    assert not report(*checks, wrong).passed
    assert report(check(), check(2.0, 2.0301, 0.01), *[check()] * 98).passed  # one of a hundred at 3.01 bars
    assert "as chance explains (0.27 expected)" in str(report(check(2.0, 2.0301, 0.01), *[check()] * 99))


@settings(max_examples=10)
@given(seed=integers(0, 10**6))
def test_counts_fail_as_often_as_stated_and_refute_a_rival(seed):
    """Chi-square against scipy's, on counts of five or more a class; the mean of the statistic under a rival."""
    rng = np.random.default_rng(seed)
    chances, rival = np.array([0.1, 0.3, 0.4, 0.2]), np.array([0.2, 0.4, 0.3, 0.1])
    counts = rng.multinomial(1000, chances)
    found = count_check("degrees", chances, counts, [("mirrored", rival)])
    exact = chisquare(counts, 1000 * chances)
    assert found.measured == pytest.approx(exact.statistic)
    assert found.chance == pytest.approx(exact.pvalue)
    assert found.predicted == 3
    assert found.refutes(found.rivals[0])
    under = [count_check("degrees", chances, rng.multinomial(1000, rival)).measured for _ in range(400)]
    assert np.mean(under) == pytest.approx(found.rivals[0].predicted, abs=4 * np.std(under) / 20)
    rare = count_check("degrees", np.array([0.001, 0.499, 0.499, 0.001]), np.array([0, 480, 520, 0]))
    assert rare.predicted == 1


def test_a_run_that_stops_early_is_named_in_the_report(monkeypatch):
    """The case and the reason end up in the notes; all other checks are kept, and the verdict is no pass."""

    def stopped(*_, **__):
        raise Unfinished("the wind blew it away")

    monkeypatch.setattr("gegenflow.numerics.validation.trials.growth.uniform_rates", stopped)
    shown = nm.validate(dims=[2], models=["usa"], beta=1, tokens=500, runs=4)
    assert not shown.passed
    laws = ["planted modes"] * 3 + ["energy balance", "angles of emerging clusters"]
    assert [c.law for c in shown.checks] == laws
    assert shown.notes == ("uniform tokens at dim 2, model usa, beta 1, tokens 500, runs 4: the wind blew it away",)
    assert shown.notes[0] in str(shown)
    assert "incomplete" in str(shown).splitlines()[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": 99}, "tokens 99"),
        ({"runs": 3}, "runs 3"),
        ({"dims": [1]}, "dim 1"),
        ({"beta": "x"}, "beta x"),
        ({"models": ["relu"]}, "relu"),
        ({"beta": 701}, "701"),
        ({"dims": []}, "dims"),
        ({"models": []}, "models"),
    ],
)
def test_a_validation_of_nothing_or_nonsense_is_refused(change, message):
    """Every refusal names the value."""
    with pytest.raises(ValueError, match=message):
        nm.validate(**({"dims": [2], "runs": 4, "tokens": 100} | change))


def test_plot_checks_draws_every_check_in_bars(monkeypatch):
    """Half a bar and minus two bars, the band of three; nothing is shown, other figures stay as they are."""
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("a window was opened"))
    shown = report(check(measured=2.01), check(measured=1.96, law="uniform tokens", name="degree 7"))
    open_before = plt.get_fignums()
    ax = Figure().add_subplot()
    assert nm.validation.plot_checks(shown, ax=ax, color="red") is ax
    points = [container.lines[0] for container in ax.containers]
    np.testing.assert_allclose([float(point.get_xdata()[0]) for point in points], [0.5, -2.0])
    assert {point.get_color() for point in points} == {"red"}
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "planted modes, degree 1",
        "uniform tokens, degree 7",
    ]
    band = ax.patches[0].get_bbox()
    assert (band.x0, band.x1) == (-3, 3)
    assert plt.get_fignums() == open_before


def test_plot_checks_draws_a_check_without_a_bar():
    """A zero bar with exact agreement passes, so it is drawn, at distance zero."""
    ax = nm.validation.plot_checks(report(check(error=0.0)), ax=Figure().add_subplot())
    np.testing.assert_array_equal(ax.containers[0].lines[0].get_xdata(orig=False), [0.0])


def test_plot_checks_sets_a_failed_check_apart():
    """A check that differs has another shape and another colour than one that agrees."""
    ax = nm.validation.plot_checks(report(check(), check(measured=9.0)), ax=Figure().add_subplot())
    agreed, failed = ((c.lines[0].get_color(), c.lines[0].get_marker()) for c in ax.containers)
    assert agreed[0] != failed[0]
    assert agreed[1] != failed[1]


def test_plot_sweep_draws_predictions_bars_and_each_rival_in_a_shape():
    """Three bars about what was measured, the line of what was predicted, a marker a rival, a cross where it fails."""
    rivals = (nm.validation.Rival("twice", 4.0), nm.validation.Rival("none", 0.0))
    shown = [check(rivals=rivals), check(measured=9.0, rivals=rivals[:1])]
    ax = nm.validation.plot_sweep(shown, [1, 3], ax=Figure().add_subplot(), capsize=5)
    predicted, *_ = lines = ax.lines
    np.testing.assert_array_equal(predicted.get_xydata(), [[1, shown[0].predicted], [3, shown[1].predicted]])
    (bars,) = ax.containers[0].lines[2]
    middle, half = shown[0].measured, 3 * shown[0].error
    np.testing.assert_allclose(bars.get_segments()[0], [[1, middle - half], [1, middle + half]])
    drawn = {line.get_label(): (line.get_marker(), line.get_xydata().tolist()) for line in lines}
    assert drawn["rival: twice"] == ("D", [[1, 4], [3, 4]])
    assert drawn["rival: none"] == ("^", [[1, 0]])
    assert [line.get_xydata().tolist() for line in lines if line.get_marker() == "X"] == [[[3, 9]]]
    bare = nm.validation.plot_sweep(shown, [1, 3], ax=Figure().add_subplot(), rivals=False)
    assert not any("rival" in str(line.get_label()) for line in bare.lines)


def test_validate_takes_lists_of_any_parameter():
    """Every combination in order, the last list fastest; an empty list is refused, and what is wrong in one."""
    given = {"beta": [1, "1.5"], "overlap": ("0.3", "0.5"), "rng": 1}
    shown = nm.validate("hitting times", tokens=3, **given)
    assert [check.name.split("USA ")[1] for check in shown.checks] == [
        f"beta {beta} overlap {overlap}" for beta in (1, "1.5") for overlap in ("0.3", "0.5")
    ]
    assert shown.passed
    assert (shown.parameters["betas"], shown.parameters["overlaps"]) == ([1, "1.5"], ["0.3", "0.5"])
    for wrong, message in (({"beta": []}, "beta"), ({"beta": [1, 800]}, "beta 800")):
        with pytest.raises(nm.Refused, match=message):
            nm.validate("hitting times", **wrong)


def test_counts_too_few_for_two_classes_decide_nothing():
    """Of ten draws nine and one are expected: the rest joins the one class, which is always as full as it should be."""
    alone = count_check("few", np.array([0.9, 0.1]), np.array([2, 8]))
    assert (alone.p_value, alone.predicted) == (1.0, 0.0)
    two = count_check("enough", np.array([0.5, 0.4, 0.1]), np.array([10, 8, 2]))
    assert (two.predicted, two.measured) == (1.0, 0.0)


def test_processes_find_what_one_does():
    """The same checks, of the same random numbers, in the same order, whoever makes them first."""
    asked = {"beta": ["4", "0.5", "1"], "tokens": 4, "rng": 3}
    executor = new_processes(2)
    try:
        shared = nm.validate("hitting times", "cone", executor=executor, **asked | {"tokens": None})
    finally:
        end_processes(executor)
    alone = nm.validate("hitting times", "cone", **asked | {"tokens": None})
    assert len(alone.checks) > 6
    assert shared.checks == alone.checks


def test_an_interrupt_keeps_the_laws_that_are_done():
    """The first two are, the third is at work for ever and the fourth waits."""

    class Endless:
        def submit(self, function, *given):
            future = Future()
            self.count = getattr(self, "count", 0) + 1
            if self.count < 3:
                future.set_result(function(*given))
            elif self.count == 3:
                future.set_running_or_notify_cancel()
                signal.setitimer(signal.ITIMER_REAL, 0.2)
            return future

    with interrupted_after(3600):
        report = nm.validate("hitting times", beta=["0.5", "1", "2", "4"], tokens=4, executor=Endless())
    assert report.status == "interrupted"
    assert report.checks == nm.validate("hitting times", beta=["0.5", "1"], tokens=4).checks


def test_a_process_that_dies_is_told_and_costs_its_law_alone():
    class Mortal:
        def submit(self, function, law, case, *rest):
            future = Future()
            if case["beta"] == "1":
                future.set_exception(BrokenExecutor())
            else:
                future.set_result(function(law, case, *rest))
            return future

    report = nm.validate("hitting times", beta=["0.5", "1"], tokens=4, executor=Mortal())
    assert report.status == "incomplete"
    assert report.notes == ("hitting times of equiangular tokens: the process that tried it died",)
    assert report.checks == nm.validate("hitting times", beta="0.5", tokens=4).checks
