"""Figures of the quality report say what its values say."""

import measured
import pytest
from measured import HOSTILE, TOWERS

from twotower.evaluation.summary import cold_start_curves, headline_comparisons
from twotower.ui.charts import quality as quality_charts


@pytest.fixture(scope="module")
def standings():
    return headline_comparisons(measured.report())


@pytest.fixture(scope="module")
def figure(standings):
    return quality_charts.head_to_head(standings, [each.check for each in standings])


def towers(figure):
    return [trace for trace in figure.data if trace.name.startswith("the towers")]


def test_each_verdict_has_a_mark_of_its_own_that_needs_no_colour(figure, standings):
    marks = {trace.name: (trace.marker.symbol, len(trace.x)) for trace in towers(figure)}
    assert marks == {
        "the towers, ahead": ("circle", 2),
        "the towers, no better": ("diamond", 2),
        "the towers, behind": ("x", 1),
    }


def test_the_interval_of_the_difference_is_drawn_around_the_towers(figure, standings):
    (behind,) = (each for each in standings if each.verdict == "behind")
    trace = towers(figure)[2]
    assert trace.x == (behind.towers,)
    high = trace.x[0] + trace.error_x.array[0]
    low = trace.x[0] - trace.error_x.arrayminus[0]
    assert high - low == pytest.approx(behind.difference.high - behind.difference.low)
    assert high < behind.best


def test_marks_and_baselines_are_in_the_row_of_their_words(figure, standings):
    baselines = figure.data[2]
    assert list(baselines.x) == [each.best for each in standings]
    assert list(baselines.y) == [note.y for note in figure.layout.annotations]
    assert "halves-head" in figure.layout.annotations[1].text
    assert towers(figure)[2].y == (figure.layout.annotations[1].y,)


def test_words_say_who_is_ahead_and_are_text_not_markup(figure):
    first, second, third, *_ = (note.text for note in figure.layout.annotations)
    assert "+0.100, over EASE" in first
    assert "−0.100, behind EASE" in second
    assert "no better than &lt;b&gt;ALS&lt;/b&gt;" in third
    assert HOSTILE not in figure.to_json()


def test_a_verdict_that_nobody_has_is_not_in_the_legend(standings):
    ahead = [each for each in standings if each.verdict == "ahead"]
    figure = quality_charts.head_to_head(ahead, ["a", "b"], compact=True)
    assert [trace.showlegend for trace in towers(figure)] == [True, False, False]


def test_a_label_for_each_check_is_wanted(standings):
    with pytest.raises(ValueError, match="1 labels for 5 checks"):
        quality_charts.head_to_head(standings, ["one"])


def test_the_first_curve_is_the_thick_one_and_no_two_look_the_same():
    curves = cold_start_curves(measured.report(), "MRR")
    figure = quality_charts.by_size(curves, "MRR")
    towers, *others = figure.data
    assert towers.name == TOWERS
    assert (list(towers.x), list(towers.y)) == (["3", "10"], pytest.approx([0.4, 0.6]))
    assert all(towers.line.width > other.line.width for other in others)
    looks = {(trace.line.dash, trace.marker.symbol) for trace in figure.data}
    assert len(looks) == len(figure.data)
    assert HOSTILE not in figure.to_json()
