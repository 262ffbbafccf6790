"""Colours, axes and legend that all figures share."""

import html

PAGE = "#000038"  # Streamlit's placeholder for the background of the page
INK = "#000037"  # and for text on it
QUIET = "rgba(128,140,137,0.28)"  # bars and lines behind the data, seen on light and dark
LINES = "rgba(128,140,137,0.9)"
YOU = "#E11D48"  # contrast 3:1 or more on both backgrounds
NO_BAR = {"displayModeBar": False}  # plotly's config for a figure without tools

CATEGORY_AXIS = {
    "autorange": "reversed",
    "automargin": True,
    "fixedrange": True,
    "ticks": "",
    "ticklabelstandoff": 8,
    "tickfont": {"size": 14, "color": INK},
}


def value_axis(title: str) -> dict[str, object]:
    """Return an axis that can't be zoomed."""
    return {
        "title": {"text": title, "font": {"size": 13, "color": INK}},
        "tickfont": {"size": 13, "color": INK},
        "gridcolor": QUIET,
        "linecolor": LINES,
        "zeroline": False,
        "fixedrange": True,
    }


def share_axis(title: str) -> dict[str, object]:
    """Return an axis from 0 to 1."""
    return value_axis(title) | {
        "range": [0, 1.02],
        "tickvals": [0, 0.25, 0.5, 0.75, 1],
        "ticktext": ["0", ".25", ".5", ".75", "1"],
    }


def legend_below() -> dict[str, object]:
    """Return a legend under the figure that can't hide traces."""
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


def plain_text(text: str) -> str:
    """Return text that plotly shows letter for letter."""
    return html.escape(text, quote=False)
