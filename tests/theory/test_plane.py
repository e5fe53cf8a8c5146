"""The stability diagram: its cells against rates at 60 digits, exact thresholds, and the boundaries without noise."""

import itertools
from fractions import Fraction
from math import log

import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, sampled_from
from matplotlib.figure import Figure

from gegenflow import theory as th
from gegenflow.theory.phases.plane import StabilityCell, StabilityDiagram, stability

KERNELS = None, "exp(beta*t) - exp(-beta*t)/2", "1 + beta*t + beta**2*t**2/2", "beta*relu(t) + exp(-t)", "exp(-beta*t)"
DEGREES = range(1, 9)
PLANES = (3, 0.3, 0.01), (3, 0.7, 0.037), (8, 1.1, 0.013), (64, 2.3, 0.0071)


def leader_at(diagram: StabilityDiagram, beta: float, kappa: float) -> int:
    """The degree of largest certified growth rate at one point, 0 where none is positive."""
    options = {"kernel": diagram.kernel, "noise": 1 / Fraction(kappa), "model": diagram.model, "digits": 60}
    rates = {k: th.growth_rate(k, diagram.dim, Fraction(beta), **options).ball for k in DEGREES}
    best = max(rates, key=lambda k: float(rates[k].mid()))
    assert all(rates[k] < rates[best] for k in DEGREES if k != best) or rates[best] < 0
    return best if rates[best] > 0 else 0


@settings(max_examples=6)
@given(dim=integers(2, 6), kernel=sampled_from(KERNELS), model=sampled_from(["usa", "sa"]), low=floats(0, 3))
def test_every_corner_of_a_cell_has_its_degree(dim, kernel, model, low):
    """A cell that were too large by any share of its size would be wrong at a corner: rates are those of the corner."""
    diagram = stability(kernel, dim, beta=(low, low + 4), kappa=(0.1, 50), model=model, unresolved=0.5)
    assert {type(cell) for cell in diagram.cells} == {StabilityCell}
    for cell in diagram.cells[:: max(len(diagram.cells) // 6, 1)]:
        for beta in cell.beta:
            for kappa in cell.kappa:
                assert leader_at(diagram, beta, kappa) == cell.degree, (cell, beta, kappa)


def test_curves_of_linear_attention_lie_between_the_cells():
    """On the circle the rates 1/2 - 1/kappa and beta/2 - 4/kappa cross 0 at 2 and 8/beta, and meet at 6/(beta - 1)."""
    diagram = stability("1 + beta*t", 2, beta=(0, 8), kappa=(1, 32), unresolved=0.02)
    assert diagram.degrees == (0, 1, 2)
    assert diagram.unresolved <= 0.02

    def leader(beta: Fraction, kappa: Fraction) -> int:
        rates = [Fraction(0), Fraction(1, 2) - 1 / kappa, beta / 2 - 4 / kappa]
        return rates.index(max(rates))

    for cell in diagram.cells:
        assert {leader(Fraction(b), Fraction(k)) for b in cell.beta for k in cell.kappa} == {cell.degree}


def test_cells_do_not_overlap_and_leave_the_share_that_is_stated():
    diagram = stability(None, 3, beta=(0, 6), kappa=(0.5, 40), unresolved=0.1)
    columns: dict[tuple[float, float], list] = {}
    for cell in diagram.cells:
        columns.setdefault(cell.beta, []).append(cell)
    for cells in columns.values():
        assert all(one.kappa[1] < other.kappa[0] for one, other in itertools.pairwise(cells))
        assert [cell.degree for cell in cells] == sorted({cell.degree for cell in cells})
    covered = sum((c.beta[1] - c.beta[0]) * log(c.kappa[1] / c.kappa[0]) for c in diagram.cells)
    assert 1 - covered / (6 * log(80)) == pytest.approx(diagram.unresolved, abs=1e-12)
    assert 0 < diagram.unresolved <= 0.1


def test_nothing_is_left_of_a_plane_of_one_degree():
    """A share, not a rounding error below zero: every degree is damped at such small kappa."""
    left = [stability("exp(beta*t)", dim, beta=(0, high), kappa=(low, 0.9)).unresolved for dim, high, low in PLANES]
    assert list(map(str, left)) == ["0.0"] * len(PLANES)


def test_an_interval_of_kappa_may_be_as_long_as_floats_go():
    """At beta = 0 kappa = 2 parts degrees 0 and 1, on the circle; the ratio of the ends is beyond floats."""
    diagram = stability(None, 2, beta=(0, 1e-12), kappa=(1e-300, 1e300), unresolved=0.3)
    assert diagram.unresolved < 1e-12
    assert {(cell.degree, cell.kappa[0] > 1.99, cell.kappa[1] < 2.01) for cell in diagram.cells} == {
        (0, False, True),
        (1, True, False),
    }
    assert len(diagram.cells) == 32


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_with_little_noise_the_boundaries_are_those_without(dim):
    """Beyond every threshold kappa no longer matters: the cells at the top change where the rates of all degrees do."""
    diagram = stability(None, dim, beta=(1, 6), kappa=(1e6, 1e9), unresolved=0.05)
    edges = [float(th.critical_beta(k, dim)) for k in range(1, 6)]
    for cell in diagram.cells:
        degrees = {1 + sum(edge < beta for edge in edges) for beta in cell.beta}
        assert degrees == {cell.degree}


def test_a_point_between_cells_is_decided_by_itself():
    """Just on the two sides of a threshold, where no cell is: by the exact comparison."""
    diagram = stability(None, 2, beta=(1, 4), kappa=(0.1, 10), unresolved=0.5)
    threshold = th.noise_threshold(1, 2, 2, digits=25)
    above, below = (Fraction(threshold.value) * (1 + side * Fraction(1, 10**15)) for side in (1, -1))
    assert not any(c.beta[0] <= 2 <= c.beta[1] and c.kappa[0] <= above <= c.kappa[1] for c in diagram.cells)
    assert (diagram.degree_at(2, below), diagram.degree_at(2, above)) == (0, 1)
    assert diagram.degree_at(2, "0.2") == 0
    assert diagram.degree_at("2", threshold * 2) in (1, 2)


def test_a_table_of_the_cells_has_their_numbers():
    diagram = stability(None, 2, beta=(0, 2), kappa=(1, 4), unresolved=0.5)
    table = diagram.to_table()
    assert len(table) == len(diagram.cells)
    assert table["degree"] == tuple(c.degree for c in diagram.cells)
    assert table[0]["kappa_to"] == diagram.cells[0].kappa[1]
    assert table.facts["kernel"] == "exp(beta*t)"
    assert "StabilityDiagram" in diagram._repr_html_()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kernel": "exp(2*t)"}, "a kernel whose one parameter is beta"),
        ({"kernel": "v*exp(beta*t)"}, "a kernel whose one parameter is beta"),
        ({"dim": 1}, "dim 1"),
        ({"beta": (3, 3)}, "beta 3 to 3"),
        ({"kappa": (0, 3)}, "kappa 0"),
        ({"kappa": (-1, 3)}, "kappa -1"),
        ({"kappa": (1, "inf")}, "kappa"),
        ({"model": "softmax"}, "model"),
        ({"unresolved": 0}, "unresolved 0"),
        ({"kernel": "tanh(beta*t)"}, "max_degree"),
        ({"kernel": "-exp(beta*t)", "model": "sa"}, "mean of the weight"),
    ],
)
def test_what_is_refused(given, words):
    with pytest.raises(th.Refused, match=words.replace("(", r"\(")):
        stability(**{"kernel": None, "dim": 2} | given)


def test_points_outside_are_refused():
    diagram = stability(None, 2, beta=(0, 2), kappa=(1, 4), unresolved=0.5)
    for point in ((3, 2), (1, 5), (1, "0.5"), ("x", 2)):
        with pytest.raises(th.Refused, match="the diagram goes from"):
            diagram.degree_at(*point)


def test_the_picture_holds_each_cell_and_names_its_degrees():
    """Every rectangle is drawn where it is, and the number of a degree stands in one of its cells."""
    diagram = stability(None, 2, beta=(0, 3), kappa=(0.5, 9), unresolved=0.3)
    figure = Figure()
    ax = diagram.plot(figure.add_subplot())
    boxes = [area.get_paths()[0].get_extents() for area in ax.collections]
    drawn = {(box.x0, box.x1, box.y0, box.y1) for box in boxes}
    assert drawn == {(*cell.beta, *cell.kappa) for cell in diagram.cells}
    for text in ax.texts:
        assert diagram.degree_at(*text.get_position()) == int(text.get_text())
    assert {int(text.get_text()) for text in ax.texts} == set(diagram.degrees)
    with pytest.raises(ValueError, match="axes"):
        diagram.plot(ax="here")
