"""First picture of the lab page: does the model know this music, by region and decade?"""

from collections.abc import Sequence

import streamlit as st

from twotower.core.csv_files import Cell
from twotower.evaluation.known_music import KnownMusic, known_music
from twotower.evaluation.report import Report
from twotower.ui import components
from twotower.ui.charts.known_music import plot_known_music
from twotower.ui.charts.style import NO_BAR
from twotower.ui.lab.labels import place_and_years, show_table
from twotower.ui.text import escape


def show_known_music(report: Report) -> None:
    """Show coverage and MRR of each source; nothing if the report has neither of today."""
    rows = sorted(known_music(report), key=lambda row: place_and_years(row.source)[::-1])
    if not rows:
        return
    st.header("Does it know my music?", anchor=False)
    if summary := _summarise(rows):
        st.markdown(summary)
    labels = [_label(row) for row in rows]
    st.plotly_chart(
        plot_known_music(rows, labels),
        key="known-music",
        config=NO_BAR,
        alt="Bars by region and years: " + "; ".join(map(_describe, rows)),
    )
    components.note(
        "Each row is listeners or lists that were held out. The bar is their plays: by artists "
        "that somebody in training played, by artists of known genre, and by unknown artists. The "
        "diamond is how well the other half of a profile is found. MRR is the mean of 1 / rank."
    )
    with st.expander("These figures as a table", key="known-music-table"):
        lines = [_table_row(row) for row in rows]
        show_table(lines, key="known-music-rows", alt="Table of the figures above.")


def _label(row: KnownMusic) -> str:
    """Return region, years and share known, short enough for a phone."""
    place, years = place_and_years(row.source)
    known = "" if row.by_listening is None else f": {100 * row.by_listening:.0f} % known"
    return f"{place}, {years}{known}"


def _summarise(rows: Sequence[KnownMusic]) -> str:
    """Return which music is known best and least, as Markdown."""
    known = [row for row in rows if row.by_listening is not None]
    if len(known) < 2:
        return ""
    least, *_, best = sorted(known, key=lambda row: row.by_listening or 0.0)
    return (
        f"Known best: {_emphasised(best)} of the plays. Known least: {_emphasised(least)}. "
        "Known means: somebody in training played the artist."
    )


def _emphasised(row: KnownMusic) -> str:
    place, years = place_and_years(row.source)
    return f"**{escape(place)}, {years}**, {100 * (row.by_listening or 0.0):.0f} %"


def _describe(row: KnownMusic) -> str:
    """Return all figures of a row as text, for screen readers."""
    parts = []
    if row.unknown is not None:
        parts.append(
            f"{row.by_listening:.0%} of plays known from listening, {row.by_genre:.0%} by genre "
            f"only, {row.unknown:.0%} unknown"
        )
    if row.mrr is not None:
        parts.append(f"MRR {row.mrr:.3f}, {row.baseline} {row.best:.3f}")
    return f"{', '.join(place_and_years(row.source))}: {'; '.join(parts)}"


def _table_row(row: KnownMusic) -> dict[str, Cell]:
    place, years = place_and_years(row.source)
    return {
        "region": place,
        "years": years,
        "known from listening": row.by_listening,
        "by genre only": row.by_genre,
        "unknown": row.unknown,
        "MRR": row.mrr,
        "best baseline": row.baseline,
        "its MRR": row.best,
    }
