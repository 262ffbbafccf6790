"""Figures of the quality report: the towers beside the baselines, and curves over a size."""

from collections.abc import Mapping, Sequence
from textwrap import wrap

import plotly.graph_objects as go

from twotower.evaluation.report import Verdict
from twotower.evaluation.summary import BaselineComparison
from twotower.ui.charts.style import INK, PAGE, QUIET, legend_below, plain_text, share_axis
from twotower.ui.text import format_interval, signed

ROW = 58  # pixels per task
COMPACT_ROW, COMPACT_LINE = 44, 17  # pixels per task without its text, and per line of text
COMPACT_CHARACTERS = 46  # of a line of text on a small screen
# The position of a trace decides its colour; the symbol says the same without colour.
_MARKS: tuple[tuple[Verdict, str, str], ...] = (
    ("ahead", "circle", "the towers, better"),
    ("no better", "diamond", "the towers, no better"),
    ("behind", "x", "the towers, worse"),
)
_VERSUS: dict[Verdict, str] = {
    "ahead": "better than",
    "no better": "no better than",
    "behind": "worse than",
}
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "star", "x")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def plot_baseline_comparisons(
    comparisons: Sequence[BaselineComparison], labels: Sequence[str], *, compact: bool = False
) -> go.Figure:
    """Plot a row per task: the best baseline as a line, the towers as a mark with an interval.

    The interval is that of the difference, drawn around the towers. If it reaches the baseline,
    the towers are no better. `compact` breaks the text into short lines, for a small screen.
    """
    if len(comparisons) != len(labels):
        raise ValueError(f"{len(labels)} labels for {len(comparisons)} tasks")
    heights = {id(each): len(comparisons) - row - 1 for row, each in enumerate(comparisons)}
    texts = [
        _row_text(each, label, compact=compact)
        for each, label in zip(comparisons, labels, strict=True)
    ]
    most_lines = max((text.count("<br>") + 1 for text in texts), default=1)
    row = COMPACT_ROW + COMPACT_LINE * most_lines if compact else ROW
    figure = go.Figure()
    for kind, symbol, name in _MARKS:
        if kind == "behind":
            figure.add_trace(_baselines(comparisons, heights))  # skips a colour of the theme
        figure.add_trace(_towers([each for each in comparisons if each.verdict == kind], heights))
        figure.data[-1].update(marker={"symbol": symbol, "size": 14}, name=name)
    for each in comparisons:
        figure.add_shape(
            type="line",
            x0=0,
            x1=1,
            y0=heights[id(each)],
            y1=heights[id(each)],
            line={"color": QUIET, "width": 6},
            layer="below",
        )
    figure.update_layout(
        annotations=[
            _text_above(text, heights[id(each)], size=13 if compact else 14)
            for each, text in zip(comparisons, texts, strict=True)
        ],
        height=row * len(comparisons) + (150 if compact else 100),
        margin={"l": 8, "r": 8, "t": 0, "b": 0},
        legend=legend_below(),
        xaxis=share_axis("MRR (1: the right one always comes first)"),
        yaxis={
            "visible": False,
            "fixedrange": True,
            "range": [-0.5, len(comparisons) - 0.5 + (0.35 if compact else 0.15)],
        },
        dragmode=False,
    )
    return figure


def _baselines(comparisons: Sequence[BaselineComparison], heights: Mapping[int, int]) -> go.Scatter:
    line = {"width": 3, "color": INK}
    return go.Scatter(
        x=[each.best for each in comparisons],
        y=[heights[id(each)] for each in comparisons],
        mode="markers",
        marker={"symbol": "line-ns", "size": 15, "color": INK, "line": line},
        name="the best baseline of the task",
        legendrank=1001,  # after the towers
        text=[f"{plain_text(each.baseline)} {each.best:.3f}" for each in comparisons],
        hovertemplate="%{text}<extra></extra>",
    )


def _towers(comparisons: Sequence[BaselineComparison], heights: Mapping[int, int]) -> go.Scatter:
    gaps = [each.difference for each in comparisons]
    return go.Scatter(
        x=[each.towers for each in comparisons],
        y=[heights[id(each)] for each in comparisons],
        mode="markers",
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [gap.high - gap.value for gap in gaps],
            "arrayminus": [gap.value - gap.low for gap in gaps],
            "thickness": 2,
            "width": 6,
        },
        showlegend=bool(comparisons),
        text=[
            f"{plain_text(each.difference.reference)} {each.towers:.3f}, "
            f"{format_interval(each.difference)} against {plain_text(each.baseline)}"
            for each in comparisons
        ],
        hovertemplate="%{text}<extra></extra>",
    )


def _row_text(each: BaselineComparison, label: str, *, compact: bool) -> str:
    """Return the text above a row: the task, and the baseline that it is compared with."""
    gap = f"{signed(each.difference.value)}, {_VERSUS[each.verdict]} {each.baseline}"
    if not compact:
        return f"<b>{plain_text(label)}</b>  {plain_text(gap)}"
    label_lines, gap_lines = (wrap(text, COMPACT_CHARACTERS) for text in (label, gap))
    bold = [f"<b>{plain_text(line)}</b>" for line in label_lines]
    return "<br>".join([*bold, *map(plain_text, gap_lines)])


def _text_above(text: str, height: int, *, size: int) -> dict[str, object]:
    """Return an annotation above a row, at the left."""
    return {
        "xref": "paper",
        "x": 0,
        "xanchor": "left",
        "y": height,
        "yanchor": "bottom",
        "yshift": 11,
        "align": "left",
        "showarrow": False,
        "text": text,
        "font": {"size": size, "color": INK},
    }


def plot_curves(
    curves: Mapping[str, Mapping[int, float]],
    metric: str,
    *,
    size: str = "artists in the query",
    unit: str = " artists",
) -> go.Figure:
    """Plot one line per method over a size; the first is thick.

    curves  method -> size -> value 0..1
    """
    figure = go.Figure()
    for number, (method, curve) in enumerate(curves.items()):
        figure.add_trace(
            go.Scatter(
                x=[str(at) for at in curve],
                y=list(curve.values()),
                mode="lines+markers",
                name=plain_text(method),
                line={"width": 2 if number else 4, "dash": _DASHES[number % len(_DASHES)]},
                marker={
                    "size": 9 if number else 12,
                    "symbol": _SYMBOLS[number % len(_SYMBOLS)],
                    "line": {"color": PAGE, "width": 1},
                },
                hovertemplate=f"{plain_text(method)}: %{{y:.3f}} from %{{x}}{unit}<extra></extra>",
            )
        )
    figure.update_layout(
        height=430,
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        legend=legend_below(),
        xaxis={
            "type": "category",
            "title": {"text": size, "font": {"size": 13, "color": INK}},
            "tickfont": {"size": 13, "color": INK},
            "fixedrange": True,
        },
        yaxis=share_axis(metric) | {"showgrid": True},
        dragmode=False,
    )
    return figure
