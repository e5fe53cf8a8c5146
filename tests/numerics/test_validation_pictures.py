"""What the pictures of theory beside measurement show."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba

from gegenflow import numerics as nm
from gegenflow import theory as th
from gegenflow.numerics import validation


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def check(name, off, **kwargs):
    return validation.Check(name, 2.0, 2.0 + off, 0.02, law="rates", **kwargs)


def test_the_boundaries_of_a_phase_diagram_are_the_critical_betas(ax):
    """Black lines, one for each dim and degree below the top; regions carry their degree; laws run along the lines."""
    validation.plot_phase_diagram([2, 3, 5], beta=(0.0, 9.0), ax=ax)
    edges = [line for line in ax.lines if len(line.get_xdata()) == 2]
    wanted = [float(th.critical_beta(k, dim)) for dim in (2, 3, 5) for k in range(1, 6)]
    np.testing.assert_allclose(
        sorted(line.get_ydata()[0] for line in edges), sorted(edge for edge in wanted if edge < 9), rtol=1e-7
    )
    assert {to_rgba(line.get_color()) for line in edges} == {to_rgba("black")}
    assert {"1", "2", "3"} <= {text.get_text() for text in ax.texts}
    laws = [line for line in ax.lines if len(line.get_xdata()) > 2]
    for degree, line in enumerate(laws[::2], 1):
        here = np.interp(3, line.get_xdata(), line.get_ydata())
        assert here == pytest.approx(float(th.critical_beta(degree, 3)), rel=0.1 / degree)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "law of large degree, 3 terms",
        "law of large dim, 3 terms",
    ]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_ylim()) == ("dim", "β", (0, 9))


def test_a_phase_diagram_over_noise_has_the_stable_state_in_its_corner(ax):
    """Degree 0 below the threshold of degree 1, which is 2/beta I_1(beta)... by the theory of thresholds."""
    cuts = th.phases.coexistence(
        "exp(beta*t)", 2, ("beta", "0.1", 4), ("kappa", ["0.5", 1, "1.5"]), noise=1 / th.kappa, digits=6
    )
    validation.plot_phase_diagram(cuts, ax=ax)
    assert {"0", "1"} <= {text.get_text() for text in ax.texts}
    for kappa, cut in cuts.items():
        edge = float(cut.boundaries[0].value)
        assert float(th.noise_threshold(1, 2, str(edge), digits=8)) == pytest.approx(float(kappa), rel=1e-4)
        assert edge in [pytest.approx(line.get_ydata()[0]) for line in ax.lines]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("κ", "β")


def test_rates_are_the_theory_and_the_markers_what_was_measured(ax):
    """Each degree in its own line style; markers with three bars; curves cross at the boundary."""
    measured = {5.0: (np.array([4.8, 14.0]), np.array([0.1, 0.2]))}
    validation.plot_rates([1, 2, 3], 2, beta=(0.0, 6.0), measured=measured, ax=ax)
    curves = [line for line in ax.lines if line.get_label().startswith("degree")]
    assert len({line.get_linestyle() for line in curves}) == 3
    assert curves[2].get_ydata()[-1] == pytest.approx(float(th.growth_rate(3, 2, 6, digits=12)))
    shown = [container for container in ax.containers if container.has_yerr]
    assert [container[0].get_ydata()[0] for container in shown] == [4.8, 14.0]
    bars = [container[2][0].get_segments()[0][:, 1] for container in shown]
    np.testing.assert_allclose([np.ptp(bar) for bar in bars], [6 * 0.1, 6 * 0.2])
    assert {container[0].get_marker() for container in shown} == {"o", "s"}
    assert ax.get_title() == "dim 2, USA; markers: measured"
    validation.plot_rates([1], 3, beta=(0.0, 1.0), kernel=th.Kernel("exp(beta*t)*t"), noise=0.5, model="usa", ax=ax)
    assert ax.get_title() == "dim 3, USA, h = t*exp(beta*t), noise 0.5"


def test_a_selection_shows_chances_beside_shares(ax):
    """Every degree that won a run has a place, also one that the law hardly expects; bars are those of a share."""
    law = th.finite_tokens.selection_law(2, 5, 2000)
    first = np.array([2] * 9 + [3] * 60 + [4] * 30 + [9])
    validation.plot_selection(law, first, ax=ax)
    shares = dict(zip([tick.get_text() for tick in ax.get_xticklabels()], ax.containers[1][0].get_ydata(), strict=True))
    assert shares == {"2": 0.09, "3": 0.6, "4": 0.3, "5": 0.0, "9": 0.01}
    low, high = ax.containers[1][2][0].get_segments()[1][:, 1]
    chance = law.selection[3]
    assert high - low == pytest.approx(6 * (chance * (1 - chance) / 100) ** 0.5)


def test_verdicts_are_told_by_shape(ax):
    """A circle, a cross and a square; the name of the one law on top; a legend of what there is."""
    far = validation.Rival("published", 6.28)
    wide = validation.Check("wide", 2.0, 2.1, 0.4, law="rates")
    report = validation.Report((check("good", 0.01, rivals=(far,)), check("bad", 0.2), wide), {}, "complete", 1.0)
    assert [one.verdict.split()[0] for one in report.checks] == ["agrees", "differs", "bar"]
    validation.plot_checks(report, ax=ax)
    assert [container[0].get_marker() for container in ax.containers] == ["o", "X", "s"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["rival", "agrees", "differs", "undecided"]
    assert ax.get_title() == "rates"
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["good", "bad", "wide"]


def test_sweeps_on_one_axes_are_told_apart_without_colour(ax):
    """Four of them: no two of one marker, nor of one line style."""
    for n in range(4):
        validation.plot_sweep([check("a", 0.0), check("b", 0.01 * n)], [1.0, 2.0], ax=ax, label=f"case {n}")
    assert len({container[0].get_marker() for container in ax.containers}) == 4
    lines = [line for line in ax.lines if line.get_linestyle() not in ("None", "")]
    assert len({line.get_linestyle() for line in lines if len(line.get_xdata()) == 2}) == 4


def test_what_cannot_be_drawn_is_refused():
    """Every refusal names its argument."""
    for given, message in (
        (lambda: validation.plot_phase_diagram([]), "cuts .*: dims, or lines of coexistence, are needed"),
        (lambda: validation.plot_phase_diagram([2], beta=(3, 1)), "beta 3 to 1: the ends must increase"),
        (lambda: validation.plot_rates([], 2), "degrees .*: at least one degree >= 1 is needed"),
        (lambda: validation.plot_rates([1], 2, beta=(1, 1)), "beta 1 to 1: the ends must increase"),
        (lambda: validation.plot_selection("x", [1]), "law: it is a str, the chances are those of a SelectionLaw"),
        (
            lambda: validation.plot_selection(th.finite_tokens.selection_law(2, 1, 900), [0.5]),
            "first: the",
        ),
    ):
        with pytest.raises(nm.Refused, match=message):
            given()
