"""Figures of experiments: differences with their intervals, and the training curve."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from twotower.evaluation.experiments import Estimate
from twotower.evaluation.report import Verdict
from twotower.ui.charts.style import INK, legend_below, plain_text, value_axis
from twotower.ui.text import format_interval, signed

ROW = 46  # pixels per estimate
MIN_REACH = 0.01  # of the axis, on each side of zero
# The position of a trace decides its colour; the symbol says the same without colour.
_MARKS: tuple[tuple[Verdict, str], ...] = (
    ("ahead", "circle"),
    ("no better", "diamond"),
    ("behind", "x"),
)


def plot_intervals(
    estimates: Sequence[Estimate], axis: str, names: Mapping[Verdict, str]
) -> go.Figure:
    """Plot a row per difference with its interval, around a line at zero (a forest plot).

    names  what each verdict is called in the legend
    """
    heights = {id(each): len(estimates) - row - 1 for row, each in enumerate(estimates)}
    figure = go.Figure()
    for verdict, symbol in _MARKS:
        if verdict == "behind":
            figure.add_trace(go.Scatter(x=[], y=[], showlegend=False))  # skips a colour
        chosen = [each for each in estimates if each.verdict == verdict]
        trace = _marks(chosen, [heights[id(each)] for each in chosen], symbol)
        figure.add_trace(trace.update(name=names[verdict]))
    for height in heights.values():  # the line at zero leaves the text free
        figure.add_shape(
            type="line",
            x0=0,
            x1=0,
            y0=height - 0.3,
            y1=height + 0.15,
            line={"color": INK, "width": 1},
            layer="below",
        )
    least = 1.1 * max(MIN_REACH, *(-each.low for each in estimates))
    most = 1.1 * max(MIN_REACH, *(each.high for each in estimates))
    figure.update_layout(
        annotations=[_row_text(each, heights[id(each)], names[each.verdict]) for each in estimates],
        height=ROW * len(estimates) + 110,
        margin={"l": 8, "r": 8, "t": 0, "b": 0},
        legend=legend_below(),
        xaxis=value_axis(axis) | {"range": [-least, most]},
        yaxis={"visible": False, "fixedrange": True, "range": [-0.6, len(estimates) - 0.1]},
        dragmode=False,
    )
    return figure


def _marks(estimates: Sequence[Estimate], heights: Sequence[int], symbol: str) -> go.Scatter:
    return go.Scatter(
        x=[each.value for each in estimates],
        y=list(heights),
        mode="markers",
        marker={"symbol": symbol, "size": 12},
        showlegend=bool(estimates),
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [each.high - each.value for each in estimates],
            "arrayminus": [each.value - each.low for each in estimates],
            "thickness": 2,
            "width": 5,
        },
        text=[f"{plain_text(each.name)}: {format_interval(each)}" for each in estimates],
        hovertemplate="%{text}<extra></extra>",
    )


def _row_text(estimate: Estimate, height: int, verdict: str) -> dict[str, object]:
    return {
        "xref": "paper",
        "x": 0,
        "xanchor": "left",
        "y": height,
        "yanchor": "bottom",
        "yshift": 7,
        "showarrow": False,
        "text": f"<b>{plain_text(estimate.name)}</b>  {signed(estimate.value)}, {verdict}",
        "font": {"size": 13, "color": INK},
    }


def plot_training(steps: Sequence[int], values: Sequence[float], name: str) -> go.Figure:
    """Plot one training metric over the steps."""
    figure = go.Figure(
        go.Scatter(
            x=list(steps),
            y=list(values),
            mode="lines",
            line={"width": 3},
            name=plain_text(name),
            hovertemplate="%{y:.3f} at step %{x}<extra></extra>",
        )
    )
    figure.update_layout(
        height=280,
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        showlegend=False,
        xaxis=value_axis("training step"),
        yaxis=value_axis(name),
        dragmode=False,
    )
    return figure
