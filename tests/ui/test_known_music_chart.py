"""The picture of known music: bars of shares, marks of MRR."""

import pytest
from measured import covered_report

from twotower.evaluation.known_music import known_music
from twotower.ui.charts.known_music import plot_known_music


@pytest.fixture(scope="module")
def rows():
    return known_music(covered_report())


def test_shares_of_a_row_are_stacked_and_differ_without_colour(rows):
    figure = plot_known_music(rows, [row.source for row in rows])
    bars = [trace for trace in figure.data if trace.type == "bar"]
    assert [bar.x[-1] for bar in bars] == pytest.approx([0.5, 0.3, 0.2])
    assert figure.layout.barmode == "stack"
    assert len({bar.marker.pattern.shape for bar in bars}) == 3


def test_marks_are_in_the_row_of_their_label(rows):
    figure = plot_known_music(rows, ["a", "<b>b</b>", "c"])
    baseline, towers = (trace for trace in figure.data if trace.type == "scatter")
    assert list(towers.x) == [row.mrr for row in rows]
    assert list(baseline.x) == [row.best for row in rows]
    assert list(towers.y) == [note.y for note in figure.layout.annotations]
    assert "&lt;b&gt;b" in figure.layout.annotations[1].text


def test_each_source_needs_a_label(rows):
    with pytest.raises(ValueError, match="1 labels for 3 sources"):
        plot_known_music(rows, ["one"])
