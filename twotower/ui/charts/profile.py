"""Figures of one profile: genres, and audio attributes beside those of the community."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from twotower.core.domain import Spread
from twotower.ui.charts.style import (
    CATEGORY_AXIS,
    INK,
    LINES,
    PAGE,
    QUIET,
    YOU,
    legend_below,
    plain_text,
)

ATTRIBUTES = {
    "danceability": "danceable",
    "energy": "energetic",
    "valence": "cheerful",
    "acousticness": "acoustic",
    "instrumentalness": "instrumental",
    "liveness": "live",
    "speechiness": "spoken",
    "loudness": "loud",
    "tempo": "fast",
}
SHARES = (  # name, colour and text colour of the parts of the bar of known shares
    ("From listening", YOU, "#FFFFFF"),
    ("By genre only", "rgba(225,29,72,0.35)", INK),
    ("Unknown", QUIET, INK),
)
MIN_LABELLED_SHARE = 0.08  # of the bar, to have its percentage in it
UNITS = {"loudness": "dB", "tempo": "BPM"}


def plot_genres(genres: Sequence[tuple[str, float]], *, count: int = 10) -> go.Figure:
    """Plot the largest (genre, share) pairs as horizontal bars, largest on top."""
    shown = list(genres)[:count]
    figure = go.Figure(
        go.Bar(
            x=[100 * share for _, share in shown],
            y=[plain_text(name) for name, _ in shown],
            orientation="h",
            text=[f"{100 * share:.0f} %" for _, share in shown],
            textposition="outside",
            textfont={"size": 14, "color": INK},
            cliponaxis=False,
            marker={"cornerradius": 5},
            hoverinfo="skip",
        )
    )
    figure.update_layout(
        height=30 * len(shown) + 12,
        showlegend=False,
        bargap=0.32,
        margin={"l": 0, "r": 42, "t": 0, "b": 0},
        xaxis={"visible": False, "fixedrange": True},
        yaxis=CATEGORY_AXIS,
        dragmode=False,
    )
    return figure


def plot_known_shares(shares: Sequence[float]) -> go.Figure:
    """Plot shares of the plays in one bar: known from listening, by genre only, unknown."""
    figure = go.Figure(
        [
            go.Bar(
                x=[share],
                y=[""],
                orientation="h",
                name=name,
                text=[f"{100 * share:.0f} %" if share >= MIN_LABELLED_SHARE else ""],
                textposition="inside",
                insidetextanchor="middle",
                textangle=0,
                textfont={"size": 14, "color": ink},
                marker={"color": colour, "line": {"color": PAGE, "width": 2}, "cornerradius": 5},
                hoverinfo="skip",
            )
            for share, (name, colour, ink) in zip(shares, SHARES, strict=True)
            if share > 0
        ]
    )
    figure.update_layout(
        barmode="stack",
        height=92,
        showlegend=True,
        legend=legend_below() | {"traceorder": "normal"},
        margin={"l": 0, "r": 0, "t": 0, "b": 40},
        xaxis={"visible": False, "fixedrange": True, "range": [0, 1]},
        yaxis={"visible": False, "fixedrange": True},
        dragmode=False,
    )
    return figure


def plot_audio_ranges(
    mine: Mapping[str, Spread], community: Mapping[str, tuple[float, float, float]]
) -> go.Figure:
    """Plot a row per attribute: the middle 80 % of the community as a bar, you as a point.

    community  attribute -> 10th, 50th and 90th percentile over listeners
    """
    names = [name for name in ATTRIBUTES if name in mine and name in community]
    labels = [_label(name, mine[name].mean) for name in names]
    figure = go.Figure(
        [
            _community_bars(labels),
            _community_medians(labels),
            go.Scatter(
                x=[position_in_range(mine[name].mean, community[name]) for name in names],
                y=labels,
                mode="markers",
                marker={"size": 14, "color": YOU, "line": {"color": PAGE, "width": 2}},
                text=[_hover_text(name, mine[name], community[name]) for name in names],
                hovertemplate="%{text}<extra></extra>",
            ),
        ]
    )
    figure.update_layout(
        height=44 * len(names) + 50,
        showlegend=False,
        margin={"l": 0, "r": 8, "t": 28, "b": 0},
        xaxis={
            "range": [-3, 103],
            "tickvals": [10, 50, 90],
            "ticktext": ["low", "middle", "high"],
            "side": "top",
            "tickfont": {"size": 13, "color": INK},
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
        yaxis=CATEGORY_AXIS,
        dragmode=False,
    )
    return figure


def _community_bars(labels: Sequence[str]) -> go.Bar:
    return go.Bar(
        y=labels,
        base=10,
        x=[80] * len(labels),
        orientation="h",
        width=0.34,
        marker={"color": QUIET, "cornerradius": 8},
        hoverinfo="skip",
    )


def _community_medians(labels: Sequence[str]) -> go.Scatter:
    line = {"color": LINES, "width": 2}
    return go.Scatter(
        x=[50] * len(labels),
        y=labels,
        mode="markers",
        marker={"symbol": "line-ns", "size": 13, "line": line, "color": LINES},
        hoverinfo="skip",
    )


def position_in_range(value: float, community: tuple[float, float, float]) -> float:
    """Return the percentile of a value, 1..99, from the 10th, 50th and 90th percentile.

    Linear between the three, and beyond them with the same slope.
    """
    low, middle, high = community
    if value < middle:
        percentile = 50.0 if middle <= low else 10 + 40 * (value - low) / (middle - low)
    else:
        percentile = 50.0 if high <= middle else 50 + 40 * (value - middle) / (high - middle)
    return float(min(max(percentile, 1.0), 99.0))


def with_unit(name: str, value: float) -> str:
    """Return an audio attribute with its unit: `121 BPM`, `−8 dB`, `0.64`."""
    unit = UNITS.get(name)
    return f"{value:.0f} {unit}".replace("-", "\N{MINUS SIGN}") if unit else f"{value:.2f}"


def _label(name: str, value: float) -> str:
    return f"{ATTRIBUTES[name]}  <b>{with_unit(name, value)}</b>"


def _hover_text(name: str, mine: Spread, community: tuple[float, float, float]) -> str:
    low, _, high = (with_unit(name, value) for value in community)
    return f"You {with_unit(name, mine.mean)}, most people {low} to {high}"
