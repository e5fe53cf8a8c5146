"""Pages and pictures of studies: they show what the table holds, whatever of it is there."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy.stats import binomtest, norm
from scipy.stats import t as student
from support.browser import CHROMIUM, Browser

from gegenflow import numerics as nm
from gegenflow.numerics.validation import plot_study_curves, plot_study_map
from gegenflow.numerics.validation.checks import ALARMS
from gegenflow.numerics.validation.command.main import main
from gegenflow.numerics.validation.studies import Study, sweep
from gegenflow.numerics.validation.studies.cells import cell_of
from gegenflow.numerics.validation.studies.findings import Finding
from gegenflow.numerics.validation.studies.gathering import compared, read_findings
from gegenflow.numerics.validation.studies.layouts import layout_of
from gegenflow.numerics.validation.studies.store import Finished, reading, writing
from gegenflow.numerics.validation.studies.tables import rows_of

pytest.importorskip("latex2mathml", reason="the extra report is not installed")

RATES = Study("uniform tokens", grid={"beta": ["2", "10", "1"], "dim": [2, 3], "model": ["usa", "sa"]})
OFF = {("1", 2): 0.5, ("2", 2): -4.0, ("10", 2): 1.5, ("1", 3): 3.5, ("2", 3): None, ("10", 3): "failed"}
"""Bars by which degree 1 of USA is off, by beta and dim; None: its bar is too wide."""
TOKENS = Study(
    "simulate",
    grid={"beta": ["1", "2", "3"], "tokens": [8, 16]},
    fixed={"time": "0.1", "times": 3},
    observe=["Energy", "HarmonicPower(2)"],
    repeat=3,
)


def outcome(place, offs, wide=False):
    """What a run leaves whose checks, of degrees 1, 2, ..., are off by so many bars, with 31 degrees of freedom."""
    offs = np.array(offs, dtype=float)
    predicted = float(place["beta"]) * np.arange(1.0, len(offs) + 1)
    error = (0.2 if wide else 0.01) * predicted
    chance = 2 * student.sf(np.abs(offs), 31)
    verdict = np.where(chance < ALARMS, "differs", "agrees")
    case = f"dim {place['dim']} {place.get('model', 'usa').upper()}"
    return {
        "name": np.array([f"{case} degree {k + 1}" for k in range(len(offs))]),
        **{"predicted": predicted, "measured": predicted + offs * error, "error": error},
        **{"freedom": np.full(len(offs), 31.0), "off_by": np.abs(offs), "chance": chance, "passed": chance >= ALARMS},
        "verdict": np.full(len(offs), "bar is too wide: take more tokens or runs") if wide else verdict,
    }


def kept(folder, study, result):
    """A folder with a study whose runs leave what ``result(planned)`` says: arrays, an error, or None, not run."""
    with writing(folder) as store:
        store.plan(study)
        for planned in [*store.planned()]:
            found = result(planned)
            if isinstance(found, str):
                store.add(Finished(planned, {}, found, 0.1))
            elif found is not None:
                store.add(Finished(planned, found, None, 0.1))
    return folder


def rates(planned):
    """As OFF says; of SA nothing is off, and its last point is not run."""
    place = planned.parameters
    off = OFF[place["beta"], place["dim"]] if place["model"] == "usa" else 0.0
    if place["model"] == "sa" and place["beta"] == "10" and place["dim"] == 3:
        return None
    return (
        f"Unfinished: {off} <b>"
        if off == "failed"
        else outcome(place, [0.2 if off is None else off, 0.3], wide=off is None)
    )


@pytest.fixture(scope="module")
def law(tmp_path_factory):
    return kept(tmp_path_factory.mktemp("law"), RATES, rates)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    with ThreadPoolExecutor(1) as executor:
        assert sweep(TOKENS, folder, executor=executor).complete
    return folder


@pytest.fixture
def ax():
    return Figure(layout="constrained").add_subplot()


def cells(page, caption):
    """The rows, as texts, of the first table that begins with this cell in its head."""
    text = page[page.index(f"<th>{caption}</th>") :].partition("</table>")[0]
    return [list(map(unescape, re.findall(r"<td>(.*?)</td>", row))) for row in text.split("</tr>")[1:-1]]


def marks(ax):
    """Where each mark of a map is, by its name."""
    return {line.get_label(): {tuple(map(int, place)) for place in line.get_xydata()} for line in ax.lines}


def test_checks_without_a_bar_have_no_part_in_a_mean_of_bars(tmp_path):
    """One of degree 1 is a bar and a half off, the other has no bar; both of degree 2 have none."""

    def exact(planned):
        off = 1.5 if planned.parameters["beta"] == "1" else 3.0
        found = outcome(planned.parameters, [off, off])
        return found | {"error": found["error"] * np.array([off < 2, False])}

    page = nm.study_page(kept(tmp_path, Study("uniform tokens", grid={"beta": ["1", "2"], "dim": [2]}), exact))
    assert [row[-1] for row in cells(page, "what is compared")] == ["1.50", "no bars"]


def test_a_map_has_the_deviations_and_the_verdicts_at_their_places(law, ax):
    """Columns are beta by size, rows dims: in bars as the checks are off, with marks that need no colour."""
    plot_study_map(law, at={"model": "usa", "quantity": "degree 1"}, ax=ax)
    (mesh,) = (held for held in ax.collections if hasattr(held, "norm") and held.get_array() is not None)
    shown = np.ma.filled(mesh.get_array(), np.nan).reshape(2, 3)
    np.testing.assert_allclose(shown, [[0.5, -4.0, 1.5], [3.5, 0.2, np.nan]], rtol=1e-9)
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("β", "dim", "USA, degree 1")
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "2", "10"]
    assert marks(ax) == {
        "agrees": {(0, 0), (2, 0)},
        "differs, measured below": {(1, 0)},
        "differs, measured above": {(0, 1)},
        "bar too wide": {(1, 1)},
    }
    assert len({line.get_marker() for line in ax.lines}) == len(ax.lines)
    (hatched,) = (held for held in ax.collections if held.get_label() == "failed")
    assert hatched.get_hatch()
    assert hatched.get_paths()[0].get_extents().bounds == (1.5, 0.5, 1.0, 1.0)
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert named == ["agrees", "differs, measured above", "differs, measured below", "bar too wide", "failed"]
    above, below = mesh.cmap(mesh.norm(3.5)), mesh.cmap(mesh.norm(-4.0))
    assert above[0] > above[2]  # vermilion
    assert below[2] > below[0]  # blue


def test_a_map_of_ratios_and_one_the_other_way_round(law, ax):
    """Relative deviations are one per cent a bar; axes are those that are asked for; a number stands for its text."""
    plot_study_map(law, across="dim", down="beta", at={"model": "usa", "quantity": "degree 1"}, relative=True, ax=ax)
    shown = ax.collections[0].get_array().reshape(3, 2)
    np.testing.assert_allclose(shown[:, 0], [0.005, -0.04, 0.015], rtol=1e-9)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("dim", "β")
    other = Figure().add_subplot()
    plot_study_map(law, across="quantity", down="model", at={"beta": 10, "dim": 2.0}, ax=other)
    np.testing.assert_allclose(other.collections[0].get_array().reshape(2, 2), [[1.5, 0.3], [0.0, 0.3]], atol=1e-9)
    assert marks(other)["agrees"] == {(0, 0), (1, 0), (0, 1), (1, 1)}


def test_what_is_not_given_is_taken_together(law, ax):
    """Over both models: the sum of deviations over the root of two, and what is left of a failure is not run."""
    plot_study_map(law, ax=ax)
    shown = np.ma.filled(ax.collections[0].get_array(), np.nan).reshape(2, 3)
    np.testing.assert_allclose(shown[0], np.array([0.5, -4.0, 1.5]) / np.sqrt(2), rtol=1e-9)
    assert ax.get_title() == "degree 1, mean over model"
    assert "differs, measured below" in marks(ax)


def test_curves_are_predicted_and_measured(law, ax):
    """Lines of the prediction, markers with three bars, a cross at each point that differs."""
    plot_study_curves(law, at={"model": "usa", "quantity": "degree 1"}, ax=ax)
    lines = [line for line in ax.lines if line.get_linestyle() not in ("None", "") and len(line.get_xdata()) > 1]
    np.testing.assert_allclose(lines[0].get_xydata(), [[1, 1], [2, 2], [10, 10]])
    first, second = (held for held in ax.containers if held.has_yerr)
    np.testing.assert_allclose(first[0].get_ydata(), [1.005, 1.92, 10.15])
    spans = [np.ptp(segment[:, 1]) for segment in first[2][0].get_segments()]
    np.testing.assert_allclose(spans, [0.06, 0.12, 0.6])
    np.testing.assert_allclose(second[0].get_xdata(), [1, 2])
    crosses = [line.get_xydata().tolist() for line in ax.lines if line.get_marker() == "X"]
    assert crosses == [[[2.0, 1.92]], [[1.0, 1.035]]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["dim 2", "dim 3"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("β", "degree 1", "USA")


def test_curves_over_time_are_means_with_their_errors(tokens, ax):
    """Against numpy, of the three repetitions that the store holds."""
    plot_study_curves(tokens, along="t", by="beta", at={"tokens": 8, "quantity": "energy"}, ax=ax)
    with reading(tokens) as store:
        runs = [run.outcome["energy"] for run in store.finished() if run.planned.parameters["tokens"] == 8]
    for place, line in enumerate(ax.lines):
        own = np.array(runs[3 * place : 3 * place + 3])
        np.testing.assert_allclose(line.get_ydata(), own.mean(axis=0))
        band = ax.collections[place].get_paths()[0].vertices
        top = (own.mean(axis=0) + 3 * own.std(axis=0, ddof=1) / np.sqrt(3)).max()
        assert band[:, 1].max() == pytest.approx(top)
    assert [line.get_label() for line in ax.lines] == ["β 1", "β 2", "β 3"]
    assert ax.get_title() == "tokens 8"


def test_the_page_of_a_law_has_the_numbers_of_the_table(law):
    """Shares and their binomial verdicts, what differs by how much, what failed; nothing of a run is taken as HTML."""
    page = nm.study_page(law)
    with reading(law) as store:
        rows = [*rows_of(store)]
    chances = np.array([row["chance"] for row in rows if row.get("chance") is not None])
    for bars, line in zip((1, 2, 3), cells(page, "bars"), strict=True):
        beyond, expected = int((chances < 2 * norm.sf(bars)).sum()), 2 * norm.sf(bars)
        test = binomtest(beyond, len(chances), expected).pvalue
        assert line[1] == f"{beyond} of {len(chances)}"
        assert line[2:5] == [f"{100 * beyond / len(chances):.2f} %", f"{100 * expected:.2f} %", f"{test:.2g}"]
        assert (line[5] == "as chance has it") == (test >= ALARMS)
    off = [row for row in rows if row.get("verdict") == "differs"]
    told = cells(page, "run")
    assert {int(line[0]) for line in told} == {row["run"] for row in off}
    for line in told:
        row = next(row for row in off if row["run"] == int(line[0]))
        assert line[1:4] == [row["beta"], str(row["dim"]), row["model"].upper()]
        assert line[5:7] == [f"{row['predicted']:.6g}", f"{row['measured']:.6g}"]
        assert line[8] == f"{row['off_by']:.1f}"
    assert abs(float(told[0][8])) == 4.0
    assert "10 runs done, 1 failed, 1 to be made" in page
    assert "<td>Unfinished: failed &lt;b&gt;</td>" in page
    assert cells(page, "what is compared")[0][:6] == ["degree 1", "10", "7", "2", "1", "0"]
    assert nm.validation.law_named("uniform tokens").rivals[0].replace("'", "&#x27;") in page


def test_the_page_of_a_simulation_has_means_with_standard_errors(tokens):
    """Of the last values that the table has."""
    page = nm.study_page(tokens)
    with reading(tokens) as store:
        rows = [*rows_of(store)]
    lines = cells(page, "beta")
    assert len(lines) == 6
    for line in lines:
        own = np.array([row["energy"] for row in rows if (row["beta"], str(row["tokens"])) == tuple(line[:2])])
        assert line[2] == f"{own.mean():.5g} ± {own.std(ddof=1) / np.sqrt(3):.2g}"
    assert cells(page, "runs") == [["18", "reached t = 0.1"]]
    assert "harmonic_power[0]" not in page  # which is one in all of them
    assert page.count("<img") == 3 * 2


def test_a_simulation_that_stopped_has_no_mean_at_the_end(tmp_path):
    """The density needs too many degrees before the time has come; the page says so, and draws how far it came."""
    study = Study("solve_density", fixed={"time": "2", "degree": 1}, grid={"beta": ["1", "5"]}, observe=["Entropy"])
    with ThreadPoolExecutor(1) as executor:
        sweep(study, tmp_path, executor=executor)
    page = nm.study_page(tmp_path)
    assert "stopped at t = " in page
    done, stopped = cells(page, "beta")
    assert float(done[1]) > 0
    assert stopped == ["5", ""]
    times = [found["entropy"][0] for found in read_findings(tmp_path).series.values()]
    assert [one[-1] for one in times] == [2.0, pytest.approx(0.8)]


SMALL = Study("uniform tokens", grid={"beta": ["1", "2", "3"], "dim": [2, 3]}, repeat=2)
STATES = st.sampled_from(["done", "failed", "planned", "wide"])
BARS = st.floats(-1e3, 1e3) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0])


@settings(max_examples=5)
@given(states=st.lists(st.tuples(STATES, st.lists(BARS, max_size=2)), min_size=12, max_size=12))
def test_whatever_was_found_there_is_a_page(states, tmp_path_factory):
    """Any state of any run, any deviation: counts are told, and every check that differs has its place."""
    left = iter(states)

    def result(planned):
        state, offs = next(left)
        if state in ("failed", "planned"):
            return "Refused: no" if state == "failed" else None
        return outcome(planned.parameters, offs, wide=state == "wide")

    page = nm.study_page(kept(tmp_path_factory.mktemp("any"), SMALL, result))
    counts = [sum(state in kinds for state, _ in states) for kinds in (("done", "wide"), ("failed",), ("planned",))]
    assert "{} runs done, {} failed, {} to be made".format(*counts) in page
    assert page.count("<td>Refused: no</td>") == counts[1] + (counts[1] > 1)


@pytest.mark.parametrize(
    ("study", "images"),
    [
        (Study("uniform tokens"), 0),
        (Study("uniform tokens", grid={"beta": "1:3"}), 2),
        (Study("uniform tokens", points=[{"beta": 1, "dim": 2}, {"beta": 2, "dim": 3}, {"beta": 4, "dim": 5}]), 2),
        (Study("uniform tokens", grid={"beta": "1:60", "dim": [2, 3], "model": ["usa", "sa"]}), 4),
    ],
)
def test_small_and_large_studies_have_a_page(study, images, tmp_path):
    """No parameter that varies, one, one that tells another, many values."""
    page = nm.study_page(kept(tmp_path, study, lambda planned: outcome(planned.parameters, [0.5, -0.5])))
    assert page.count("<img") == images
    assert "as chance has it" in page


@pytest.mark.parametrize("result", ["Refused: nothing works", None])
@pytest.mark.parametrize("study", [RATES, TOKENS])
def test_a_study_of_which_nothing_is_done_has_a_page_and_no_picture(study, result, tmp_path):
    """All runs failed, or none was begun."""
    page = nm.study_page(kept(tmp_path, study, lambda planned: result))
    assert "<img" not in page
    assert ("nothing works" in page) == (result is not None)
    with pytest.raises(nm.Refused, match="no run of its study is done yet"):
        plot_study_map(tmp_path)


@pytest.mark.parametrize("failures", [20, 23])
def test_long_lists_are_cut_and_counted(failures, tmp_path):
    """Twenty rows, and how many more."""
    study = Study("uniform tokens", grid={"beta": f"1:{failures}"})
    page = nm.study_page(kept(tmp_path, study, lambda planned: f"Refused: at {planned.run}"))
    assert page.count("<td>Refused: at") == 20
    assert ("3 more failed" in page) == (failures == 23)


# verdicts of cells, layouts, names


def test_cells_differ_as_rarely_as_checks_where_the_law_is_true():
    """Of normal deviations: at most one cell in 370, however many checks it has, and not much less."""
    rng = np.random.default_rng(0)
    for size in (1, 2, 8):
        off = rng.standard_normal((20_000 // size, size))
        chances = 2 * norm.sf(np.abs(off))
        wrong = sum(
            cell_of(
                [
                    Finding(1, {}, "a", 1.0, 1.0 + 0.01 * x, 0.01, p, "differs" if p < ALARMS else "agrees")
                    for x, p in zip(*row, strict=True)
                ]
            ).verdict
            == "differs"
            for row in zip(off, chances, strict=True)
        )
        assert 0.2 * ALARMS < wrong / len(off) < ALARMS + 3 * np.sqrt(ALARMS / len(off))


def test_a_bias_that_no_check_shows_is_seen_in_all_of_them():
    """Ten checks that are off by 1.5 bars on one side; on both sides they agree."""
    chance = 2 * norm.sf(1.5)
    found = [Finding(1, {}, "a", 1.0, 1.015, 0.01, chance, "agrees") for _ in range(10)]
    other = [Finding(1, {}, "a", 1.0, 1.0 + 0.015 * (-1) ** k, 0.01, chance, "agrees") for k in range(10)]
    assert (cell_of(found).verdict, cell_of(other).verdict) == ("differs", "agrees")


def test_checks_that_fit_too_well_are_not_against_a_law():
    """Deviations of exactly nothing, and counts in one class, whose chi-square is 0, however many."""
    exact = [Finding(1, {}, "a", 1.0, 1.0, 0.01, 1.0, "agrees")] * 20
    counts = [Finding(1, {}, "a", 2.0, 1e-30, 2.0, 1 - 1e-16, "agrees", counted=True)] * 20
    assert [(cell.verdict, cell.side) for cell in map(cell_of, (exact, counts))] == [("agrees", 0)] * 2


def test_the_side_is_that_of_what_refutes():
    """One far above among many a little below; a chi-square that is too large beside small ones; all a little below."""
    below = [Finding(1, {}, "a", 1.0, 0.99, 0.01, 2 * norm.sf(1.0), "agrees")] * 4
    far = Finding(1, {}, "a", 1.0, 1.06, 0.01, 2 * norm.sf(6.0), "differs")
    small = [Finding(1, {}, "a", 2.0, 0.1, 2.0, 0.95, "agrees", counted=True)] * 4
    large = Finding(1, {}, "a", 2.0, 20.0, 2.0, 4.5e-5, "differs", counted=True)
    cells = map(cell_of, ([*below, far], [*small, large], below * 3, [far], [*below[:1], far, far]))
    assert [(cell.verdict, cell.side) for cell in cells] == [
        *[("differs", 1), ("differs", 1), ("differs", -1), ("differs", 1), ("differs", 1)],
    ]


@given(sizes=st.dictionaries(st.sampled_from("abcdef"), st.integers(2, 30)), words=st.sets(st.sampled_from("abcdef")))
def test_every_parameter_has_one_place_in_a_layout(sizes, words):
    """Across, down, in panels, of which there are at most twelve, or averaged over; numbers before words."""
    values = {name: ["u" * k if name in words else k for k in range(1, n + 1)] for name, n in sizes.items()}
    layout = layout_of(values, [{name: held[k % len(held)] for name, held in values.items()} for k in range(60)])
    axes = [name for name in (layout.across, layout.down) if name is not None]
    assert sorted([*axes, *layout.panels, *layout.averaged]) == sorted(sizes)
    assert len(axes) == min(2, len(sizes))
    numbers = [name for name in sizes if name not in words]
    assert len([name for name in axes if name in numbers]) == min(2, len(numbers))


def test_axes_have_the_most_pairs_and_panels_are_twelve_at_most():
    """Where dims have tokens of their own, another parameter fills more cells; combinations that are not have none."""
    values = {"dim": [2, 3, 4, 5], "tokens": [1, 2, 3, 4], "beta": [1, 2, 3], "model": ["usa", "sa"]}
    grid = [{"beta": beta, "model": model} for beta in values["beta"] for model in values["model"]]
    pairs = [point | {"dim": k + 2, "tokens": k + 1} for k in range(4) for point in grid]
    assert layout_of(values, pairs).__dict__ == {
        **{"across": "dim", "down": "beta", "panels": ("model", "tokens"), "averaged": ()},
    }
    free = [point | {"dim": dim, "tokens": n} for dim in values["dim"] for n in values["tokens"] for point in grid]
    layout = layout_of(values, free)
    assert (layout.across, layout.down, layout.panels, layout.averaged) == ("dim", "tokens", ("model", "beta"), ())
    values["amplitude"] = [0.1, 0.2, 0.3]
    more = [point | {"amplitude": size} for point in free for size in values["amplitude"]]
    assert (layout_of(values, more).panels, layout_of(values, more).averaged) == (("model", "beta"), ("amplitude",))


@pytest.mark.parametrize(
    ("name", "place", "told"),
    [
        ("dim 3 USA tanh(3*t) noise 0.1 degree 2", {"dim": 3, "model": "usa", "kernel": "tanh(3*t)"}, "degree 2"),
        ("dim 2 SA 1/(beta*(1 - t) + 1) degree 3", {"model": "sa", "kernel": "1/(beta*(1 - t) + 1)"}, "degree 3"),
        ("dim 2 USA degree 3 growth", {"dim": 2, "model": "usa", "degree": 3}, "growth"),
        ("dim 2 beta 1.37 degree 3", {"dim": 2, "degree": 2}, "degree 3"),
        ("beta 2 kappa 1.2 N = 500 ordered start", {"beta": "2", "tokens": 500, "state": "ordered"}, "start"),
        ("4 clusters USA beta 9", {"clusters": 4, "model": "usa", "beta": "9"}, ""),
    ],
)
def test_what_is_compared_is_the_name_without_the_point(name, place, told):
    assert compared(name, place) == told


# the command


def test_the_command_writes_the_page_of_a_folder(law, tmp_path, capsys, monkeypatch):
    """Into a file, or by default beside the runs; facts as JSON; it changes nothing in the folder but the page."""
    assert main(["report", f"{law}/", "--out", str(tmp_path / "study.html")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'study.html'}: 10 runs done, 1 failed, 1 to be made\n"
    page = (tmp_path / "study.html").read_text(encoding="utf-8")
    assert page == f"{nm.study_page(law)}\n"
    monkeypatch.chdir(law.parent)
    before = (law / "study.sqlite").read_bytes()
    assert main(["report", law.name, "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["done"], facts["failed"], facts["planned"], facts["checks"]["count"]) == (10, 1, 1, 20)
    assert (law / "report.html").read_text(encoding="utf-8") == page
    assert (law / "study.sqlite").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("report {tmp} --out {tmp}/x.html", "it holds no study"),
        ("report {tmp}/none/ --out {tmp}/x.html", "it holds no study"),
        ("report {law} --beta 3", "--beta: it goes with laws"),
        ("report {law} --rng 0", "--rng: it goes with laws"),
        ("report {law} --all", "--all: it goes with laws"),
        ("report {law} planted", "stands alone"),
        ("report {law} --out {tmp}/x.pdf", "must end in .html"),
    ],
)
def test_what_does_not_go_with_a_folder_is_one_line(words, told, law, tmp_path, capsys):
    """Status 2, nothing written."""
    with pytest.raises(SystemExit) as stop:
        raise SystemExit(main(words.format(tmp=tmp_path, law=law).split()))
    error = capsys.readouterr().err
    assert (stop.value.code, error.count("\n")) == (2, 1)
    assert told in error
    assert not list(tmp_path.iterdir())


def test_a_folder_named_as_a_law_is_the_law(tmp_path, monkeypatch, capsys):
    """Unless it holds a study."""
    monkeypatch.chdir(tmp_path)
    Path("hitting").mkdir()
    assert main(["report", "hitting", "--runs", "8", "--out", "x.html"]) == 2
    assert "--runs 8: hitting times of equiangular tokens takes" in capsys.readouterr().err
    kept("hitting", Study("hitting times"), lambda planned: None)
    assert main(["report", "hitting", "--out", "x.html"]) == 0
    assert "0 runs done, 0 failed, 1 to be made" in capsys.readouterr().out


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open the page with")
@pytest.mark.parametrize("which", ["law", "tokens"])
def test_it_opens_without_an_error_and_needs_no_network(which, request, tmp_path):
    """Every picture is there, no script, and links to arXiv alone."""
    page = nm.study_page(request.getfixturevalue(which))
    path = tmp_path / "study.html"
    path.write_text(page, encoding="utf-8")
    assert "<script" not in page
    links = re.findall(r'(?:src|href)="((?!data:)[^"]*)', page)
    assert all(link.startswith("https://arxiv.org/abs/") for link in links)
    with Browser() as browser:
        assert browser.faults(path) == []
        assert browser.evaluate("[...document.images].every((image) => image.naturalWidth > 100)")
        assert browser.evaluate("document.images.length") == page.count("<img") > 0
