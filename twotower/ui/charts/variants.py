"""Figures of variants and of training; colours come from the page's theme, as in charts."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from twotower.evaluation.experiments import Estimate
from twotower.evaluation.report import Verdict
from twotower.ui.charts.figures import INK, LINES, QUIET
from twotower.ui.charts.quality import legend, plain, told

ROW = 46  # pixels a mark
NARROWEST = 0.01  # to each side of nought
# The place of a trace gives it the theme's colour, its symbol says the same without colour.
_MARKS: tuple[tuple[Verdict, str], ...] = (
    ("ahead", "circle"),
    ("no better", "diamond"),
    ("behind", "x"),
)


def forest(marks: Sequence[Estimate], axis: str, names: Mapping[Verdict, str]) -> go.Figure:
    """A row a difference with its interval, around a mark at nought, the first on top.

    names  what each verdict is called in the legend
    """
    places = {id(mark): len(marks) - row - 1 for row, mark in enumerate(marks)}
    least = 1.1 * max(NARROWEST, *(-mark.low for mark in marks))
    most = 1.1 * max(NARROWEST, *(mark.high for mark in marks))
    figure = go.Figure()
    for verdict, symbol in _MARKS:
        if verdict == "behind":
            figure.add_trace(go.Scatter(x=[], y=[], showlegend=False))  # a hue not wanted here
        chosen = [mark for mark in marks if mark.verdict == verdict]
        figure.add_trace(
            go.Scatter(
                x=[mark.value for mark in chosen],
                y=[places[id(mark)] for mark in chosen],
                mode="markers",
                marker={"symbol": symbol, "size": 12},
                name=names[verdict],
                showlegend=bool(chosen),
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [mark.high - mark.value for mark in chosen],
                    "arrayminus": [mark.value - mark.low for mark in chosen],
                    "thickness": 2,
                    "width": 5,
                },
                text=[
                    f"{plain(mark.name)}: {told(mark.value)} [{told(mark.low)}, {told(mark.high)}]"
                    for mark in chosen
                ],
                hovertemplate="%{text}<extra></extra>",
            )
        )
    for mark in marks:  # at nought, and not through the words
        low, high = places[id(mark)] - 0.3, places[id(mark)] + 0.15
        line = {"color": INK, "width": 1}
        figure.add_shape(type="line", x0=0, x1=0, y0=low, y1=high, line=line, layer="below")
    figure.update_layout(
        annotations=[
            {
                "xref": "paper",
                "x": 0,
                "xanchor": "left",
                "y": places[id(mark)],
                "yanchor": "bottom",
                "yshift": 7,
                "showarrow": False,
                "text": f"<b>{plain(mark.name)}</b>  {told(mark.value)}, {names[mark.verdict]}",
                "font": {"size": 13, "color": INK},
            }
            for mark in marks
        ],
        height=ROW * len(marks) + 110,
        margin={"l": 8, "r": 8, "t": 0, "b": 0},
        legend=legend(),
        xaxis=_axis(axis) | {"range": [-least, most]},
        yaxis={"visible": False, "fixedrange": True, "range": [-0.6, len(marks) - 0.1]},
        dragmode=False,
    )
    return figure


def over_steps(steps: Sequence[int], values: Sequence[float], name: str) -> go.Figure:
    """How a figure went while training went on."""
    figure = go.Figure(
        go.Scatter(
            x=list(steps),
            y=list(values),
            mode="lines",
            line={"width": 3},
            name=plain(name),
            hovertemplate="%{y:.3f} at step %{x}<extra></extra>",
        )
    )
    figure.update_layout(
        height=280,
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        showlegend=False,
        xaxis=_axis("training step"),
        yaxis=_axis(name),
        dragmode=False,
    )
    return figure


def _axis(title: str) -> dict[str, object]:
    return {
        "title": {"text": title, "font": {"size": 13, "color": INK}},
        "tickfont": {"size": 13, "color": INK},
        "gridcolor": QUIET,
        "linecolor": LINES,
        "zeroline": False,
        "fixedrange": True,
    }
