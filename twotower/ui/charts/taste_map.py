"""The map: the community as points coloured by area, the visitor, and lines to neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from twotower.core.domain import Area
from twotower.ui.charts.style import INK, LINES, PAGE, YOU, plain_text

HUES = 10  # chart colours of the theme
MAX_DRAWN = 30_000  # points of the community; of a larger one a fixed sample is drawn
LETTER_WIDTH, LINE_HEIGHT = 0.0125, 0.05  # of a label, as shares of the map's width and height
FINE_SHARE = 0.008  # small areas get a name if they have this share of all listeners


@dataclass(frozen=True, slots=True)
class Spot:
    """A person marked on the map."""

    id: str
    x: float
    y: float
    name: str


def plot_map(
    places: np.ndarray,
    areas: Sequence[Area],
    *,
    you: tuple[float, float] | None = None,
    neighbours: Sequence[Spot] = (),
    around: Sequence[Spot] = (),
    focus: Spot | None = None,
    compact: bool = False,
) -> go.Figure:
    """Plot the community as points, a colour per area, you as a star with lines to neighbours.

    places   (N, 2) float32; NaN rows are not drawn
    around   people who get a ring, `focus` a large one
    compact  fewer and smaller labels, for a small screen

    A point's `customdata` is its row, a spot's is its id. The same arguments return the same
    bytes, so that the browser doesn't draw the map again.
    """
    figure = go.Figure()
    occupied = [(spot.x, spot.y) for spot in (*neighbours, *around, *([focus] if focus else []))]
    occupied += [] if you is None else [you]
    for rows in _by_area(places, areas):
        figure.add_trace(_community_points(places, rows))
    for _ in range(HUES - len(figure.data)):  # keeps the colours below where they are
        figure.add_trace(go.Scattergl(x=[], y=[], mode="markers", hoverinfo="skip"))
    if you is not None:
        _draw_you(figure, you, neighbours)
    for spots, size, colour in (around, 11, INK), ([focus] if focus else [], 21, YOU):
        if spots:
            figure.add_trace(_rings(spots, size, colour))
    figure.update_layout(
        annotations=_area_labels(places, areas, occupied, compact=compact),
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
    """Return the rows to draw, grouped by the hue of the nearest area; at most `MAX_DRAWN`."""
    rows = np.flatnonzero(np.isfinite(places).all(axis=1)) if len(places) else np.arange(0)
    if len(rows) > MAX_DRAWN:
        rows = np.sort(np.random.default_rng(0).choice(rows, MAX_DRAWN, replace=False))
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


def _community_points(places: np.ndarray, rows: np.ndarray) -> go.Scattergl:
    return go.Scattergl(
        x=places[rows, 0],
        y=places[rows, 1],
        customdata=rows.astype(np.int32),
        mode="markers",
        marker={"size": 5, "opacity": 0.5},
        selected={"marker": {"size": 15, "opacity": 1.0}},
        unselected={"marker": {"opacity": 0.5}},
        hoverinfo="none",  # with "skip" the points could not be clicked
    )


def _rings(spots: Sequence[Spot], size: int, colour: str) -> go.Scattergl:
    return go.Scattergl(
        x=[spot.x for spot in spots],
        y=[spot.y for spot in spots],
        customdata=[spot.id for spot in spots],
        text=[plain_text(spot.name) for spot in spots],
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
            text=[plain_text(spot.name) for spot in neighbours],
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
    occupied: Sequence[tuple[float, float]],
    *,
    compact: bool,
) -> list[dict[str, object]]:
    """Return labels of the areas, widest areas first; those that would overlap move or go.

    occupied  points that no label may cover
    """
    if not len(places) or not np.isfinite(places).any():
        return []
    width, height = np.nanmax(places, axis=0) - np.nanmin(places, axis=0)
    letter, line = float(width) * LETTER_WIDTH or 1.0, float(height) * LINE_HEIGHT or 1.0
    sizes = {0: 11} if compact else {0: 14, 1: 11}  # level of the area -> font size
    boxes = [(x, y, letter) for x, y in occupied]  # centre and half width of what is drawn
    labels: list[dict[str, object]] = []
    for area in sorted(areas, key=lambda each: (each.level, -each.size, each.name)):
        if area.level not in sizes or (area.level and area.size < FINE_SHARE * len(places)):
            continue
        size, name = sizes[area.level], _short_name(area)
        half = letter * size / 14 * (len(name) + 1) / 2 * (2 if compact else 1)
        lines = (0, 1, -1, 2, -2)[: 5 - 2 * area.level]  # how far a label may move, in lines
        for y in (area.y + step * line for step in lines):
            if all(abs(area.x - x) >= half + h or abs(y - v) >= line for x, v, h in boxes):
                boxes.append((area.x, y, half))
                labels.append(_label(area, y, name, size))
                break
    return labels


def _short_name(area: Area) -> str:
    """Return the longest, most particular word for a small area, else the whole name."""
    return max(area.name.split(" · "), key=len) if area.level else area.name


def _label(area: Area, y: float, name: str, size: int) -> dict[str, object]:
    weight = "normal" if area.level else "bold"
    return {
        "x": area.x,
        "y": y,
        "text": plain_text(name),
        "showarrow": False,
        "bgcolor": PAGE,
        "opacity": 0.85,
        "borderpad": 2,
        "font": {"size": size, "weight": weight, "color": INK},
        "captureevents": False,
    }
