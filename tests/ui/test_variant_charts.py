"""Figures of experiments: each difference is drawn once, and readable without colour."""

import plotly.graph_objects as go
import pytest
from measured import HOSTILE

from twotower.evaluation.experiments import Estimate
from twotower.ui.charts.experiments import plot_intervals, plot_training

NAMES = {"ahead": "better", "no better": "no different", "behind": "worse"}
ESTIMATES = [
    Estimate("SigLIP", 0.05, 0.04, 0.06),
    Estimate(HOSTILE, 0.0, -0.01, 0.01),
    Estimate("BPR", -0.3, -0.4, -0.2),
]


def drawn(figure: go.Figure) -> list[go.Scatter]:
    return [trace for trace in figure.data if len(trace.x)]


def test_each_verdict_has_its_own_symbol_and_row():
    figure = plot_intervals(ESTIMATES, "MRR", NAMES)
    better, level, worse = drawn(figure)
    assert [trace.name for trace in (better, level, worse)] == list(NAMES.values())
    assert len({trace.marker.symbol for trace in (better, level, worse)}) == 3
    assert [trace.y[0] for trace in (better, level, worse)] == [2, 1, 0]
    assert worse.error_x.array[0] == pytest.approx(0.1)
    assert worse.error_x.arrayminus[0] == pytest.approx(0.1)


def test_zero_and_all_intervals_are_in_view():
    for estimates in (ESTIMATES, ESTIMATES[:1], ESTIMATES[2:], [Estimate("a", 0.0, 0.0, 0.0)]):
        low, high = plot_intervals(estimates, "MRR", NAMES).layout.xaxis.range
        assert low < min(0, *(each.low for each in estimates))
        assert high > max(0, *(each.high for each in estimates))


def test_names_are_text_not_markup():
    figure = plot_intervals(ESTIMATES, "MRR", NAMES)
    texts = [note.text for note in figure.layout.annotations]
    assert texts[0] == "<b>SigLIP</b>  +0.050, better"
    assert texts[1].startswith("<b>&lt;b&gt;ALS&lt;/b&gt; *x* $y$</b>")


def test_a_training_metric_is_a_line_over_steps():
    (line,) = plot_training([0, 10], [2.0, 1.0], "alignment").data
    assert list(line.x) == [0, 10] and list(line.y) == [2.0, 1.0]
