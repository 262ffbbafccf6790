"""Tables of figures on the lab page."""

from collections.abc import Mapping, Sequence

import streamlit as st

from twotower.evaluation.summary import Cell

FIGURES = {
    "skew of N_10": "how lopsided it is, 0 where nobody is a hub",
    "never listed": "share on nobody's list",
    "most listed / 10": "most lists that one is on, in tenfold",
    "mutual share of top 10": "share of entries that are answered",
}
NAMES = ("method", "variant", "told")  # columns that stay in view
ROW_PX = 35


def table(lines: list[dict[str, Cell]], *, key: str, alt: str, tall: int | None = None) -> None:
    """A row a line; numbers with three places. Rows beyond `tall` are scrolled to."""
    numbers = {
        name: st.column_config.NumberColumn(format="%.3f", help=FIGURES.get(name))
        for line in lines
        for name, value in line.items()
        if isinstance(value, float)
    }
    st.dataframe(
        lines,
        hide_index=True,
        column_config={name: st.column_config.TextColumn(pinned=True) for name in NAMES} | numbers,
        height="content" if tall is None or len(lines) <= tall else ROW_PX * (tall + 1),
        placeholder="—",
        key=key,
        alt=alt,
    )


def spoken(lines: Sequence[Mapping[str, Cell]]) -> str:
    return "; ".join(
        ", ".join(
            f"{name} {value:.3f}" if isinstance(value, float) else f"{value}"
            for name, value in list(line.items())[:2]
        )
        for line in lines
    )
