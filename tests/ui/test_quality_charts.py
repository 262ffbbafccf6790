"""Figures of the quality report show its values."""

import html
import re
from dataclasses import replace

import measured
import pytest
from measured import HOSTILE, TOWERS

from twotower.evaluation.summary import cold_start_curves, headline_comparisons
from twotower.ui.charts.quality import plot_baseline_comparisons, plot_curves


@pytest.fixture(scope="module")
def comparisons():
    return headline_comparisons(measured.report())


@pytest.fixture(scope="module")
def figure(comparisons):
    return plot_baseline_comparisons(comparisons, [each.check for each in comparisons])


def towers(figure):
    return [trace for trace in figure.data if trace.name.startswith("the towers")]


def test_each_verdict_has_a_mark_of_its_own_that_needs_no_colour(figure, comparisons):
    marks = {trace.name: (trace.marker.symbol, len(trace.x)) for trace in towers(figure)}
    assert marks == {
        "the towers, better": ("circle", 2),
        "the towers, no better": ("diamond", 2),
        "the towers, worse": ("x", 1),
    }


def test_the_interval_of_the_difference_is_drawn_around_the_towers(figure, comparisons):
    (behind,) = (each for each in comparisons if each.verdict == "behind")
    trace = towers(figure)[2]
    assert trace.x == (behind.towers,)
    high = trace.x[0] + trace.error_x.array[0]
    low = trace.x[0] - trace.error_x.arrayminus[0]
    assert high - low == pytest.approx(behind.difference.high - behind.difference.low)
    assert high < behind.best


def test_marks_and_baselines_are_in_the_row_of_their_text(figure, comparisons):
    baselines = figure.data[2]
    assert list(baselines.x) == [each.best for each in comparisons]
    assert list(baselines.y) == [note.y for note in figure.layout.annotations]
    assert "halves-head" in figure.layout.annotations[1].text
    assert towers(figure)[2].y == (figure.layout.annotations[1].y,)


def test_the_text_names_the_better_method_and_is_no_markup(figure):
    first, second, third, *_ = (note.text for note in figure.layout.annotations)
    assert "+0.100, better than EASE" in first
    assert "−0.100, worse than EASE" in second
    assert "no better than &lt;b&gt;ALS&lt;/b&gt;" in third
    assert HOSTILE not in figure.to_json()


def test_an_unused_verdict_is_not_in_the_legend(comparisons):
    ahead = [each for each in comparisons if each.verdict == "ahead"]
    figure = plot_baseline_comparisons(ahead, ["a", "b"], compact=True)
    assert [trace.showlegend for trace in towers(figure)] == [True, False, False]


def test_text_on_a_small_screen_has_short_lines(comparisons):
    long = [
        replace(each, difference=replace(each.difference, method="ALS + content + EASE + " * 3))
        for each in comparisons
    ]
    labels = ["Listeners in Germany, cut to 50, among all the others (Hit@10)"] * len(long)
    figure = plot_baseline_comparisons(long, labels, compact=True)
    wide = plot_baseline_comparisons(long, labels)
    texts = [re.sub("</?b>", "", note.text) for note in figure.layout.annotations]
    lines = [html.unescape(line) for text in texts for line in text.split("<br>")]
    assert max(map(len, lines)) <= 46
    assert figure.layout.height > wide.layout.height  # room for the lines


def test_each_task_needs_a_label(comparisons):
    with pytest.raises(ValueError, match="1 labels for 5 tasks"):
        plot_baseline_comparisons(comparisons, ["one"])


def test_the_first_curve_is_the_thick_one_and_no_two_look_the_same():
    curves = cold_start_curves(measured.report(), "MRR")
    figure = plot_curves(curves, "MRR")
    towers, *others = figure.data
    assert towers.name == TOWERS
    assert (list(towers.x), list(towers.y)) == (["3", "10"], pytest.approx([0.4, 0.6]))
    assert all(towers.line.width > other.line.width for other in others)
    looks = {(trace.line.dash, trace.marker.symbol) for trace in figure.data}
    assert len(looks) == len(figure.data)
    assert HOSTILE not in figure.to_json()
