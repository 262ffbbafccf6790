"""Figures of the quality report; colours come from the page's theme, as in charts."""

import html
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from twotower.evaluation.report import Verdict
from twotower.evaluation.summary import BaselineComparison
from twotower.ui.charts.figures import INK, LINES, PAGE, QUIET

MINUS = "−"
NO_BAR = {"displayModeBar": False}  # of plotly's config, for a chart without tools
ROW, COMPACT_ROW = 58, 78  # pixels a check
# The place of a trace gives it the theme's colour, its symbol says the same without colour.
_MARKS: tuple[tuple[Verdict, str, str], ...] = (
    ("ahead", "circle", "the towers, ahead"),
    ("no better", "diamond", "the towers, no better"),
    ("behind", "x", "the towers, behind"),
)
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "star", "x")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def head_to_head(
    standings: Sequence[BaselineComparison], labels: Sequence[str], *, compact: bool = False
) -> go.Figure:
    """A row a check: the best baseline as a line, the towers as a mark with their interval.

    The interval is that of the difference, drawn around the towers: where it reaches the line, the
    towers are no better. `compact` is for a small screen: the words take two lines.
    """
    if len(standings) != len(labels):
        raise ValueError(f"{len(labels)} labels for {len(standings)} checks")
    places = {id(each): len(standings) - row - 1 for row, each in enumerate(standings)}
    figure = go.Figure()
    for kind, symbol, name in _MARKS:
        if kind == "behind":
            figure.add_trace(_baselines(standings, places))  # its place has a hue not wanted here
        figure.add_trace(_towers([each for each in standings if each.verdict == kind], places))
        figure.data[-1].update(marker={"symbol": symbol, "size": 14}, name=name)
    for each in standings:
        figure.add_shape(
            type="line",
            x0=0,
            x1=1,
            y0=places[id(each)],
            y1=places[id(each)],
            line={"color": QUIET, "width": 6},
            layer="below",
        )
    figure.update_layout(
        annotations=[
            _words(each, label, places[id(each)], compact=compact)
            for each, label in zip(standings, labels, strict=True)
        ],
        height=(COMPACT_ROW if compact else ROW) * len(standings) + (150 if compact else 100),
        margin={"l": 8, "r": 8, "t": 0, "b": 0},
        legend=legend(),
        xaxis=scale("MRR: 1 where the right one always comes first"),
        yaxis={
            "visible": False,
            "fixedrange": True,
            "range": [-0.5, len(standings) - 0.5 + (0.35 if compact else 0.15)],
        },
        dragmode=False,
    )
    return figure


def _baselines(standings: Sequence[BaselineComparison], places: Mapping[int, int]) -> go.Scatter:
    line = {"width": 3, "color": INK}
    return go.Scatter(
        x=[each.best for each in standings],
        y=[places[id(each)] for each in standings],
        mode="markers",
        marker={"symbol": "line-ns", "size": 15, "color": INK, "line": line},
        name="the best baseline of the check",
        legendrank=1001,  # after the towers
        text=[f"{plain(each.baseline)} {each.best:.3f}" for each in standings],
        hovertemplate="%{text}<extra></extra>",
    )


def _towers(standings: Sequence[BaselineComparison], places: Mapping[int, int]) -> go.Scatter:
    gaps = [each.difference for each in standings]
    return go.Scatter(
        x=[each.towers for each in standings],
        y=[places[id(each)] for each in standings],
        mode="markers",
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [gap.high - gap.value for gap in gaps],
            "arrayminus": [gap.value - gap.low for gap in gaps],
            "thickness": 2,
            "width": 6,
        },
        showlegend=bool(standings),
        text=[
            f"{plain(each.difference.reference)} {each.towers:.3f}, {told(each.difference.value)} "
            f"[{told(each.difference.low)}, {told(each.difference.high)}] "
            f"against {plain(each.baseline)}"
            for each in standings
        ],
        hovertemplate="%{text}<extra></extra>",
    )


def _words(each: BaselineComparison, label: str, place: int, *, compact: bool) -> dict[str, object]:
    against = {"ahead": "over", "no better": "no better than", "behind": "behind"}[each.verdict]
    gap = f"{told(each.difference.value)}, {against} {plain(each.baseline)}"
    return {
        "xref": "paper",
        "x": 0,
        "xanchor": "left",
        "y": place,
        "yanchor": "bottom",
        "yshift": 11,
        "align": "left",
        "showarrow": False,
        "text": f"<b>{plain(label)}</b>{'<br>' if compact else '  '}{gap}",
        "font": {"size": 13 if compact else 14, "color": INK},
    }


def by_size(
    curves: Mapping[str, Mapping[int, float]],
    measure: str,
    *,
    size: str = "artists in the query",
    unit: str = " artists",
) -> go.Figure:
    """A line a method over a size, as the number of artists in the query; the first is thick.

    curves  method -> size -> value 0..1
    """
    figure = go.Figure()
    for number, (method, curve) in enumerate(curves.items()):
        figure.add_trace(
            go.Scatter(
                x=[str(at) for at in curve],
                y=list(curve.values()),
                mode="lines+markers",
                name=plain(method),
                line={"width": 2 if number else 4, "dash": _DASHES[number % len(_DASHES)]},
                marker={
                    "size": 9 if number else 12,
                    "symbol": _SYMBOLS[number % len(_SYMBOLS)],
                    "line": {"color": PAGE, "width": 1},
                },
                hovertemplate=f"{plain(method)}: %{{y:.3f}} from %{{x}}{unit}<extra></extra>",
            )
        )
    figure.update_layout(
        height=430,
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        legend=legend(),
        xaxis={
            "type": "category",
            "title": {"text": size, "font": {"size": 13, "color": INK}},
            "tickfont": {"size": 13, "color": INK},
            "fixedrange": True,
        },
        yaxis=scale(measure) | {"showgrid": True},
        dragmode=False,
    )
    return figure


def told(value: float) -> str:
    """A difference with its sign: `+0.097`, `−0.010`."""
    return f"{value:+.3f}".replace("-", MINUS)


def scale(title: str) -> dict[str, object]:
    return {
        "range": [0, 1.02],
        "tickvals": [0, 0.25, 0.5, 0.75, 1],
        "ticktext": ["0", ".25", ".5", ".75", "1"],
        "title": {"text": title, "font": {"size": 13, "color": INK}},
        "tickfont": {"size": 13, "color": INK},
        "gridcolor": QUIET,
        "linecolor": LINES,
        "zeroline": False,
        "fixedrange": True,
    }


def legend() -> dict[str, object]:
    return {
        "orientation": "h",
        "yref": "container",
        "y": 0,
        "yanchor": "bottom",
        "x": 0,
        "font": {"size": 13, "color": INK},
        "itemclick": False,
        "itemdoubleclick": False,
    }


def plain(text: str) -> str:
    """Text that plotly shows as it is, whatever stands in it."""
    return html.escape(text, quote=False)
