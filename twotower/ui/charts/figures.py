"""Figures: values in, a plotly figure out; colours come from the page's theme.

Streamlit gives the traces of a figure its theme's chart colours in their order, and puts the
page's own background where `PAGE` stands, so one figure serves the light and the dark theme.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from twotower.core.domain import Area, Spread

PAGE = "#000038"  # Streamlit's placeholder for the background of the page
INK = "#000037"  # and for text on it
QUIET = "rgba(128,140,137,0.28)"  # bars and lines behind the data, seen on light and dark
LINES = "rgba(128,140,137,0.9)"
YOU = "#E11D48"  # 3:1 or more on both backgrounds
HUES = 10  # chart colours of the theme
MOST_DRAWN = 30_000  # points of the community; beyond, a fixed sample
LABEL_WIDTH, LABEL_HEIGHT = 0.0125, 0.05  # of the map's width a letter, of its height a line
FINE_SHARE = 0.008  # of all listeners that a small area needs to be named
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
_ROWS = {
    "autorange": "reversed",
    "automargin": True,
    "fixedrange": True,
    "ticks": "",
    "ticklabelstandoff": 8,
    "tickfont": {"size": 14, "color": INK},
}
UNITS = {"loudness": "dB", "tempo": "BPM"}


@dataclass(frozen=True, slots=True)
class Spot:
    """One person who stands out on the map."""

    id: str
    x: float
    y: float
    name: str


def taste_map(
    places: np.ndarray,
    areas: Sequence[Area],
    *,
    you: tuple[float, float] | None = None,
    neighbours: Sequence[Spot] = (),
    around: Sequence[Spot] = (),
    focus: Spot | None = None,
    compact: bool = False,
) -> go.Figure:
    """The community as points, a colour for each area, with you and lines to your neighbours.

    `around` and `focus` get rings, the latter a large one. `compact` is for a small screen:
    fewer and smaller names.

    places  (N, 2) float32; a row without a place is NaN and isn't drawn. Each point's
            `customdata` is its row, or a spot's id. The same arguments give the same bytes, so
            that the browser keeps what it has.
    """
    figure = go.Figure()
    kept_free = [(spot.x, spot.y) for spot in (*neighbours, *around, *([focus] if focus else []))]
    kept_free += [] if you is None else [you]
    for rows in _by_area(places, areas):
        figure.add_trace(_points(places, rows))
    for _ in range(HUES - len(figure.data)):  # keeps the colours below where they are
        figure.add_trace(go.Scattergl(x=[], y=[], mode="markers", hoverinfo="skip"))
    if you is not None:
        _draw_you(figure, you, neighbours)
    for spots, size, colour in (around, 11, INK), ([focus] if focus else [], 21, YOU):
        if spots:
            figure.add_trace(_rings(spots, size, colour))
    figure.update_layout(
        annotations=_area_labels(places, areas, kept_free, compact=compact),
        showlegend=False,
        dragmode="pan",
        clickmode="event+select",
        hovermode="closest",
        uirevision="map",
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        xaxis={"visible": False, "fixedrange": False},
        yaxis={"visible": False, "fixedrange": False},
    )
    return figure


def _by_area(places: np.ndarray, areas: Sequence[Area]) -> list[np.ndarray]:
    """Rows with a place, by the hue of the nearest area; at most `MOST_DRAWN` of them."""
    rows = np.flatnonzero(np.isfinite(places).all(axis=1)) if len(places) else np.arange(0)
    if len(rows) > MOST_DRAWN:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST_DRAWN, replace=False))
    areas = [area for area in areas if area.level == 0]
    if not areas:
        return [rows]
    centres = np.array([(area.x, area.y) for area in areas], np.float32)
    hue = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), 4096):
        part = places[rows[start : start + 4096]]
        distances = ((part[:, None] - centres[None]) ** 2).sum(axis=2)  # (4096, A)
        hue[start : start + 4096] = distances.argmin(axis=1) % HUES
    return [rows[hue == each] for each in range(min(len(areas), HUES))]


def _points(places: np.ndarray, rows: np.ndarray) -> go.Scattergl:
    return go.Scattergl(
        x=places[rows, 0],
        y=places[rows, 1],
        customdata=rows.astype(np.int32),
        mode="markers",
        marker={"size": 5, "opacity": 0.5},
        selected={"marker": {"size": 15, "opacity": 1.0}},
        unselected={"marker": {"opacity": 0.5}},
        hoverinfo="none",  # "skip" would make the points deaf to clicks too
    )


def _rings(spots: Sequence[Spot], size: int, colour: str) -> go.Scattergl:
    return go.Scattergl(
        x=[spot.x for spot in spots],
        y=[spot.y for spot in spots],
        customdata=[spot.id for spot in spots],
        text=[_plain(spot.name) for spot in spots],
        mode="markers",
        marker={"size": size, "symbol": "circle-open", "color": colour, "line": {"width": 2}},
        unselected={"marker": {"opacity": 1.0}},
        hovertemplate="%{text}<extra></extra>",
    )


def _draw_you(figure: go.Figure, you: tuple[float, float], neighbours: Sequence[Spot]) -> None:
    lines_x: list[float | None] = []
    lines_y: list[float | None] = []
    for spot in neighbours:
        lines_x += [you[0], spot.x, None]
        lines_y += [you[1], spot.y, None]
    figure.add_trace(
        go.Scattergl(
            x=lines_x,
            y=lines_y,
            mode="lines",
            line={"color": LINES, "width": 1.2},
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scattergl(
            x=[spot.x for spot in neighbours],
            y=[spot.y for spot in neighbours],
            customdata=[spot.id for spot in neighbours],
            text=[_plain(spot.name) for spot in neighbours],
            mode="markers",
            marker={"size": 11, "color": YOU, "line": {"color": PAGE, "width": 1.5}},
            selected={"marker": {"size": 17}},
            unselected={"marker": {"opacity": 1.0}},
            hovertemplate="%{text}<extra></extra>",
        )
    )
    figure.add_trace(
        go.Scattergl(
            x=[you[0]],
            y=[you[1]],
            mode="markers",
            marker={
                "size": 19,
                "symbol": "star",
                "color": YOU,
                "line": {"color": PAGE, "width": 1.5},
            },
            unselected={"marker": {"opacity": 1.0}},
            hovertemplate="You<extra></extra>",
        )
    )


def _area_labels(
    places: np.ndarray,
    areas: Sequence[Area],
    kept_free: Sequence[tuple[float, float]],
    *,
    compact: bool,
) -> list[dict[str, object]]:
    """Names of the areas, the widest areas first, moved or left out where one would cover another.

    A small area goes by the longest, most particular of its words.

    kept_free   places that no name may cover
    """
    if not len(places) or not np.isfinite(places).any():
        return []
    width, height = np.nanmax(places, axis=0) - np.nanmin(places, axis=0)
    letter, line = float(width) * LABEL_WIDTH or 1.0, float(height) * LABEL_HEIGHT or 1.0
    sizes = {0: 11} if compact else {0: 14, 1: 11}
    taken = [(x, y, letter) for x, y in kept_free]
    labels: list[dict[str, object]] = []
    for area in sorted(areas, key=lambda each: (each.level, -each.size, each.name)):
        if area.level not in sizes or (area.level and area.size < FINE_SHARE * len(places)):
            continue
        size = sizes[area.level]
        name = max(area.name.split(" · "), key=len) if area.level else area.name
        half = letter * size / 14 * (len(name) + 1) / 2 * (2 if compact else 1)
        for y in (area.y + step * line for step in (0, 1, -1, 2, -2)[: 5 - 2 * area.level]):
            if all(abs(area.x - x) >= half + h or abs(y - v) >= line for x, v, h in taken):
                break
        else:
            continue
        taken.append((area.x, y, half))
        labels.append(
            {
                "x": area.x,
                "y": y,
                "text": _plain(name),
                "showarrow": False,
                "bgcolor": PAGE,
                "opacity": 0.85,
                "borderpad": 2,
                "font": {
                    "size": size,
                    "weight": "normal" if area.level else "bold",
                    "color": INK,
                },
                "captureevents": False,
            }
        )
    return labels


def audio_ranges(
    mine: Mapping[str, Spread], community: Mapping[str, tuple[float, float, float]]
) -> go.Figure:
    """Each attribute as a row: the middle 80 % of the community as a bar, you as a point.

    community   attribute -> 10th, 50th and 90th percentile over listeners
    """
    names = [name for name in ATTRIBUTES if name in mine and name in community]
    labels = [_axis_label(name, mine[name].mean) for name in names]
    at = [standing(mine[name].mean, community[name]) for name in names]
    figure = go.Figure()
    figure.add_trace(
        go.Bar(
            y=labels,
            base=10,
            x=[80] * len(names),
            orientation="h",
            width=0.34,
            marker={"color": QUIET, "cornerradius": 8},
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[50] * len(names),
            y=labels,
            mode="markers",
            marker={
                "symbol": "line-ns",
                "size": 13,
                "line": {"color": LINES, "width": 2},
                "color": LINES,
            },
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=at,
            y=labels,
            mode="markers",
            marker={"size": 14, "color": YOU, "line": {"color": PAGE, "width": 2}},
            text=[_range_text(name, mine[name], community[name]) for name in names],
            hovertemplate="%{text}<extra></extra>",
        )
    )
    figure.update_layout(
        height=44 * len(names) + 50,
        showlegend=False,
        margin={"l": 0, "r": 8, "t": 28, "b": 0},
        xaxis={
            "range": [-3, 103],
            "tickvals": [10, 50, 90],
            "ticktext": ["lower tenth", "median", "upper tenth"],
            "side": "top",
            "tickfont": {"size": 13, "color": INK},
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
        yaxis=_ROWS,
        dragmode=False,
    )
    return figure


def standing(value: float, community: tuple[float, float, float]) -> float:
    """Where a value stands from 0 to 100, read off the 10th, 50th and 90th percentile.

    Straight lines between them, and on beyond as far as 1 and 99.
    """
    low, middle, high = community
    if value < middle:
        place = 50.0 if middle <= low else 10 + 40 * (value - low) / (middle - low)
    else:
        place = 50.0 if high <= middle else 50 + 40 * (value - middle) / (high - middle)
    return float(min(max(place, 1.0), 99.0))


def genre_bars(genres: Sequence[tuple[str, float]], *, most: int = 10) -> go.Figure:
    """The largest shares as horizontal bars, the largest on top."""
    shown = list(genres)[:most]
    figure = go.Figure(
        go.Bar(
            x=[100 * share for _, share in shown],
            y=[_plain(name) for name, _ in shown],
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
        yaxis=_ROWS,
        dragmode=False,
    )
    return figure


def _axis_label(name: str, value: float) -> str:
    return f"{ATTRIBUTES[name]}  <b>{in_unit(name, value)}</b>"


def _range_text(name: str, mine: Spread, community: tuple[float, float, float]) -> str:
    low, _, high = (in_unit(name, value) for value in community)
    return f"You {in_unit(name, mine.mean)}, most people {low} to {high}"


def in_unit(name: str, value: float) -> str:
    """An audio attribute as it is read: `121 BPM`, `-8 dB`, `0.64`."""
    unit = UNITS.get(name)
    return f"{value:.0f} {unit}".replace("-", "−") if unit else f"{value:.2f}"


def _plain(text: str) -> str:
    """Text that plotly shows as it is, whatever stands in it."""
    return html.escape(text, quote=False)
