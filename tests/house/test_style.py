"""The one style: curves are told apart without colours, and legends stay short and cover nothing."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gegenflow import pictures


@pytest.fixture
def ax():
    with pictures.style():
        _, axes = plt.subplots(layout="constrained")
    yield axes
    plt.close("all")


def test_degrees_are_told_apart_without_colour():
    """No two of forty have the same line style and marker; the grey of the uniform state is that of no degree."""
    styles = [pictures.of_degree(k) for k in range(1, 41)]
    assert len({(style["linestyle"], style["marker"]) for style in styles}) == 40
    assert pictures.of_degree(0)["color"] not in {style["color"] for style in styles}


def test_neighbouring_colours_differ_for_the_colour_blind():
    """Two in a row are apart where red and green are one."""
    import matplotlib.colors as mc

    seen = np.array([mc.to_rgb(color) for color in pictures.COLORS])
    without_red_green = seen @ np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    for first, second in zip(without_red_green, np.roll(without_red_green, -1, axis=0), strict=True):
        assert np.abs(first - second).max() > 0.1


@pytest.mark.parametrize("count", [1, 9, 10, 11, 25])
def test_legends_have_at_most_ten_entries_and_count_the_rest(ax, count):
    """The last entry says how many curves it stands for."""
    for k in range(1, count + 1):
        ax.plot([0, 1], [k, k], **pictures.of_degree(k), label=f"degree {k}")
    texts = [text.get_text() for text in pictures.legend(ax).get_texts()]
    assert len(texts) == min(count, 10)
    named = [text for text in texts if text.startswith("degree")]
    assert texts[len(named) :] == ([f"… {count - 9} more"] if count > 10 else [])
    assert len(named) == (9 if count > 10 else count)


def test_a_legend_covers_no_curve(ax):
    """In the corner that is left free, and below the axes where there is none."""
    x = np.linspace(0, 1, 200)
    ax.plot(x, 1 - x**4, label="falls late")
    for place in range(2):
        made = pictures.legend(ax)
        ax.figure.draw_without_rendering()
        box = made.get_window_extent()
        for line in ax.lines:
            assert not line.get_path().transformed(line.get_transform()).intersects_bbox(box)
        assert bool(box.y1 < ax.get_window_extent().y0) == bool(place)
        ax.plot(x, np.sin(300 * x), label="everywhere")


def test_a_legend_covers_no_marker_and_may_stand_between_two(ax):
    """Dots that no line joins, in all corners: it goes to the middle of a side."""
    ax.plot([0, 0, 1, 1], [0, 1, 0, 1], "o", label="corners")
    made = pictures.legend(ax)
    ax.figure.draw_without_rendering()
    box = made.get_window_extent()
    assert not box.count_contains(ax.transData.transform(ax.lines[0].get_xydata()))
    assert ax.get_window_extent().y0 < box.y0
    assert box.y1 < ax.get_window_extent().y1


def test_what_is_not_drawn_has_no_legend_and_what_are_no_axes_are_refused(ax):
    """Nothing to say, nothing said; the sentence names the argument."""
    assert pictures.legend(ax) is None
    assert ax.get_legend() is None
    assert pictures.axes_of(ax) is ax
    assert pictures.axes_of(None) is plt.gca()
    with pytest.raises(ValueError, match=r"ax 'x': it must be matplotlib axes, or None"):
        pictures.axes_of("x")


def test_the_style_ends_where_it_is_left():
    """Settings inside; those from before outside."""
    before = plt.rcParams["axes.prop_cycle"]
    with pictures.style():
        kinds = list(plt.rcParams["axes.prop_cycle"])
        assert len({(kind["color"], kind["linestyle"]) for kind in kinds}) == len(kinds) == 35
    assert plt.rcParams["axes.prop_cycle"] == before
