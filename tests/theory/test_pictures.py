"""Results that draw themselves: what is on the axes is what the result holds."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gegenflow import theory as th


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_the_staircase_of_boundaries_steps_where_they_are(ax):
    """Steps from one certified boundary to the next, at the degrees 1, 2, 3, 4; labels as on paper."""
    found = th.boundaries("exp(beta*t)", 2, (1, 7), digits=8)
    assert found.plot(ax=ax) is ax
    steps = [line for line in ax.lines if line.get_linewidth() == 3]
    edges = [1, *(float(th.critical_beta(k, 2)) for k in (1, 2, 3)), 7]
    np.testing.assert_allclose([line.get_xdata() for line in steps], np.array([edges[:-1], edges[1:]]).T, rtol=1e-7)
    assert [line.get_ydata()[0] for line in steps] == [1, 2, 3, 4]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("β", "leading degree")


def test_pieces_that_are_not_proved_are_hatched(ax):
    """A step on each side, and no line between them: a tangency that a sign does not decide."""
    open_one = th.phases.Boundaries(
        **{"parameter": th.beta, "low": 0, "high": 4, "degrees": (1, 1), "boundaries": (), "vanishes": None},
        **{"unresolved": ((1.0, 1.5),), "reach": th.boundaries("exp(beta*t)", 2, (0, 4), digits=4).reach},
    )
    assert open_one.pieces() == [(0.0, 1.0, 1), (1.5, 4.0, 1)]
    open_one.plot(ax=ax)
    assert [patch.get_hatch() for patch in ax.patches] == ["///"]
    assert len(ax.lines) == 2


def test_coexistence_is_a_plane_of_numbered_regions(ax):
    """The line between degrees 1 and 2 stands at the boundary of each cut; regions carry their degrees."""
    lines = th.phases.coexistence("exp(beta*t) + v*exp(2*beta*t)", 2, ("beta", "0.2", 2), ("v", [0, 1, 3]), digits=6)
    lines.plot(ax=ax)
    drawn = [(np.mean(line.get_xdata()), line.get_ydata()[0]) for line in ax.lines]
    cuts = [(value, float(cut.boundaries[0].value)) for value, cut in lines.items() if cut.boundaries]
    heights = dict(zip((-0.0, 1.25, 3.0), (height for _, height in cuts), strict=True))
    assert sorted(height for _, height in drawn) == sorted(
        float(edge.value) for cut in lines.values() for edge in cut.boundaries
    )
    assert max(heights.values()) == pytest.approx(float(th.critical_beta(1, 2)), rel=1e-5)
    assert {"1", "2"} <= {text.get_text() for text in ax.texts}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("v", "β")
    assert lines == {value: lines[value] for value in (0, 1, 3)}
    assert str(lines).count("Boundaries(") == 3


def test_short_names_of_options_replace_the_defaults(ax):
    """As lw does for linewidth wherever matplotlib draws."""
    th.boundaries("exp(beta*t)", 2, (1, 2), digits=5).plot(ax=ax, lw=7)
    th.noise.branch(0, amplitudes=[0.1, 0.2]).plot(ax=ax, c="red", lw=7)
    assert {line.get_linewidth() for line in ax.lines} >= {7}
    assert ax.lines[-1].get_color() == "red"


def test_bars_of_a_selection_law_are_its_chances(ax):
    """Every degree above a thousandth, and nothing that is left out weighs more."""
    law = th.finite_tokens.selection_law(2, 5, 9, amplitude=0.5)
    law.plot(ax=ax)
    names = [tick.get_text() for tick in ax.get_xticklabels()]
    drawn = dict(zip(names, (bar.get_height() for bar in ax.patches), strict=True))
    assert drawn.pop("at start") == law.already
    assert drawn == {str(degree): chance for degree, chance in law.selection.items() if chance >= 1e-3}
    assert ax.get_title() == "dim 2, β = 5, N = 9, a = 0.5"


def test_an_expansion_is_drawn_in_amplitudes_with_what_was_measured(ax):
    """At time 0 epsilon/D_m, in dim 3 a third; markers at the square roots of powers."""
    case = th.expansions.expansion(2, degree=1, dim=3, beta=2)
    power = np.array([[1.0, 4e-6, 1e-10], [1.0, 9e-6, 4e-10]])
    case.plot([0, 0.5], "0.01", ax=ax, power=power)
    degree_1, measured_1, degree_2, measured_2 = ax.lines
    assert degree_1.get_ydata()[0] == pytest.approx(0.01 / 3)
    late = case.evaluate("0.5", "0.01")
    assert degree_1.get_ydata()[1] == pytest.approx(float(late[1]) / 3**0.5)
    assert degree_2.get_ydata()[1] == pytest.approx(float(late[2]) / 5**0.5)
    assert list(measured_1.get_ydata()) == [2e-3, 3e-3]
    assert list(measured_2.get_ydata()) == [1e-5, 2e-5]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["degree 1", "degree 2"]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"times": []}, "times"),
        ({"times": 3}, "times"),
        ({"times": ["x"]}, "time x"),
        ({"power": [[1.0]]}, "power"),
        ({"power": 3}, "power"),
        ({"power": [[1.0, -1.0]] * 2}, "power"),
    ],
)
def test_an_expansion_names_what_it_cannot_draw(given, name):
    with pytest.raises(th.Refused, match=f"^{name}"):
        th.expansions.expansion(2, degree=3, beta=5).plot(**{"times": [0, 0.1], "amplitude": 0.01} | given)


def test_a_branch_is_dashed_where_it_is_not_stable(ax):
    """Up to the first stable state, so that both parts meet; the fold of beta = 4."""
    states = th.noise.branch(4, amplitudes=[0.1, 0.5, 0.6, 0.8])
    states.plot(ax=ax)
    stable, unstable = ax.lines
    np.testing.assert_array_equal(stable.get_ydata(), [np.nan, np.nan, 0.6, 0.8])
    np.testing.assert_array_equal(unstable.get_ydata(), [0.1, 0.5, 0.6, np.nan])
    assert (stable.get_linestyle(), unstable.get_linestyle()) == ("-", "--")
    assert list(stable.get_xdata()) == list(states.coupling)
