"""The pages that are notebooks: their cells run, in this process and in a kernel, and end where they say."""

import re

import matplotlib.pyplot as plt
import pytest
from support.pages import ROOT, fenced

from gegenflow import numerics as nm
from gegenflow import theory as th

TOUR, LESSON = ROOT / "docs" / "tour.md", ROOT / "docs" / "lesson.md"


def cells(page):
    """The code of its cells, without the options that stand above it."""
    return [re.sub(r"\A:tags:.*\n\n", "", code) for kind, code in fenced(page) if kind == "{code-cell}"]


def ran(page):
    """The names that its cells leave, run one after the other; each begins without a figure, as in a notebook."""
    names = {}
    for number, code in enumerate(cells(page), start=1):
        exec(compile(code, f"{page.name}, cell {number}", "exec"), names)
        plt.close("all")
    return names


def test_the_tour_arrives():
    """The derivation holds, no boundary is missed, degree 3 has grown most, and the verdict is that of the page."""
    names = ran(TOUR)
    assert names["derivation"].check()
    assert [edge.above for edge in names["edges"].boundaries] == [2, 3, 4, 5]
    assert names["run"].observables["harmonic_power"][-1][1:].argmax() + 1 in (3, 6)
    assert names["seen"].degree == 3
    assert names["report"].passed
    assert abs(sum(names["law"].selection.values()) - 1) < 0.01


def test_the_pictures_are_drawn():
    """Each of its cells; the share of runs in which degree 3 came first is that of the law."""
    names = ran(ROOT / "docs" / "guide" / "pictures.md")
    share = (names["degrees"] == 3).mean()
    chance = names["law"].selection[3]
    assert abs(share - chance) < 4 * (chance * (1 - chance) / len(names["degrees"])) ** 0.5
    assert names["ball"].status.ok


def test_the_lesson_shows_the_clusters_that_it_speaks_of():
    """Two, three and four at its values of beta, which the fastest rate says, too."""
    names = ran(LESSON)
    for beta, wanted in ((2, 2), (5, 3), (7, 4)):
        assert names["rates"](beta).argmax() + 1 == wanted == th.selected_degree(beta, dim=2)
        assert nm.cluster_labels(names["gather"](beta).tokens, min_mass=0.02).max() + 1 == wanted


def test_the_slider_of_the_lesson_moves_in_a_kernel():
    """Every cell, also the one that the site leaves out, which shows a slider and the picture below it."""
    for name in ("ipykernel", "ipywidgets"):
        pytest.importorskip(name)
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    new = nbformat.v4
    notebook = new.new_notebook(cells=[new.new_code_cell(code) for code in cells(LESSON)])
    notebook.cells.append(new.new_code_cell("slider.value = 7.0"))
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=300).execute()
    (slider,) = [cell for cell in notebook.cells if "interact(" in cell.source]
    assert any("application/vnd.jupyter.widget-view+json" in output.get("data", {}) for output in slider.outputs)
    states = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"].values()
    (value,) = [one["state"]["value"] for one in states if one["model_name"] == "FloatSliderModel"]
    drawn = [one["state"]["outputs"] for one in states if one["model_name"] == "OutputModel"]
    assert value == 7
    assert any("image/png" in output.get("data", {}) for outputs in drawn for output in outputs)
