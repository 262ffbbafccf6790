"""Figure of how much music of each source the model knows, and how well it finds listeners."""

from collections.abc import Sequence

import plotly.graph_objects as go

from twotower.evaluation.known_music import KnownMusic
from twotower.ui.charts.style import INK, LINES, PAGE, QUIET, legend_below, plain_text, share_axis

ROW = 62  # pixels per source
# Name, pattern (which says the same as the colour), and colour if not the theme's.
_SHARES = (
    ("known from listening", "", None),
    ("known by genre only", "/", LINES),
    ("unknown", ".", QUIET),
)


def plot_known_music(rows: Sequence[KnownMusic], labels: Sequence[str]) -> go.Figure:
    """Plot a row per source: the shares of its plays as a bar, MRR as marks.

    The diamond is the towers, the line the best baseline. Each row's label is above its bar.
    """
    if len(rows) != len(labels):
        raise ValueError(f"{len(labels)} labels for {len(rows)} sources")
    heights = [len(rows) - number - 1 for number in range(len(rows))]
    shares = [[row.by_listening, row.by_genre, row.unknown] for row in rows]
    figure = go.Figure(
        [
            go.Bar(
                x=[share[number] for share in shares],
                y=heights,
                orientation="h",
                width=0.3,
                name=name,
                marker={
                    "pattern": {
                        "shape": pattern,
                        "size": 6,
                        "fgcolor": PAGE,
                        "fillmode": "overlay",
                    },
                    "color": color,
                },
                text=[f"{plain_text(label)}: {name}" for label in labels],
                hovertemplate="%{text} %{x:.0%}<extra></extra>",
                textposition="none",
            )
            for number, (name, pattern, color) in enumerate(_SHARES)
        ]
    )
    for name, symbol, size, values in (
        ("the best baseline finds", "line-ns", 17, [row.best for row in rows]),
        ("the towers find", "diamond", 13, [row.mrr for row in rows]),
    ):
        figure.add_trace(
            go.Scatter(
                x=values,
                y=heights,
                mode="markers",
                name=f"{name} (MRR)",
                marker={
                    "symbol": symbol,
                    "size": size,
                    "color": INK,
                    "line": {
                        "width": 3 if symbol == "line-ns" else 2,
                        "color": INK if symbol == "line-ns" else PAGE,
                    },
                },
                hovertemplate=f"{name}: MRR %{{x:.3f}}<extra></extra>",
            )
        )
    figure.update_layout(
        annotations=[
            {
                "xref": "paper",
                "x": 0,
                "xanchor": "left",
                "y": height,
                "yanchor": "bottom",
                "yshift": 11,
                "align": "left",
                "showarrow": False,
                "text": plain_text(label),
                "font": {"size": 13, "color": INK},
            }
            for label, height in zip(labels, heights, strict=True)
        ],
        barmode="stack",
        height=ROW * len(rows) + 190,
        margin={"l": 8, "r": 8, "t": 0, "b": 0},
        legend=legend_below() | {"traceorder": "normal"},
        xaxis=share_axis("share of plays; MRR"),
        yaxis={"visible": False, "fixedrange": True, "range": [-0.5, len(rows) - 0.3]},
        dragmode=False,
    )
    return figure
