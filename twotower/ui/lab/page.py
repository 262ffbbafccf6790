"""The lab page: its report, and the plainest answer."""

from pathlib import Path

import streamlit as st

from twotower.core.errors import TwoTowerError
from twotower.core.settings import Settings
from twotower.evaluation.report import QUALITY, Report, how_to_make, load_report
from twotower.evaluation.summary import compare_with_best, is_towers, means_by_method
from twotower.ui import components
from twotower.ui.text import escape

RUN = "TWOTOWER_DATA=path/to/data python -m twotower evaluate --out assets/quality.json"


def require_report() -> Report:
    """The report that ships; without a readable one the page says how to make it, and ends."""
    path = Settings.from_env().assets / QUALITY
    try:
        return _load(path, path.stat().st_mtime_ns if path.exists() else 0)
    except TwoTowerError as error:
        with st.container(border=True, key="no-report"):
            st.header("Nothing measured here yet", anchor=False)
            command = how_to_make(QUALITY)
            st.markdown(f"{escape(str(error)).replace(escape(command), command)}.")
            components.note(
                "For whoever runs this server: it needs the public data sets that docs/data.md "
                "names. This page reads the file as soon as it is there."
            )
            st.code(RUN, language=None, wrap_lines=True)
        st.stop()


@st.cache_resource(max_entries=2, show_spinner="Reading the report …")
def _load(path: Path, changed: int) -> Report:
    """The report at `path` as of a time of change, the same for everyone."""
    return load_report(path)


def opening(report: Report) -> None:
    """What was asked, in plain words, and the plainest answer."""
    st.markdown(
        "A listener whom the model has never met is cut in two. One half of their artists goes "
        "in; the other half waits among the halves of other strangers. **How far up the list does "
        "the model put the right one?** Every method below got the same training listeners and "
        "the same questions."
    )
    first = compare_with_best(report, "halves", "MRR")
    if first is None:
        return
    cards = st.grid(3, min_column_width=220, gap="small")
    pairs = (
        ("Right one in first place", means_by_method(report, "halves", "recall@1")),
        ("Right one in the first ten", means_by_method(report, "halves", "recall@10")),
    )
    towers = first.difference.reference
    for label, found in pairs:
        others = [method for method in found if not is_towers(report, method)]
        if towers in found and others:
            best = max(others, key=lambda method: found[method])
            cards.metric(
                label,
                f"{100 * found[towers]:.0f} %",
                f"best baseline {100 * found[best]:.0f} %, {escape(best)}",
                delta_color="off",
                delta_arrow="off",
                border=True,
                height="stretch",
            )
    splits = {row.split for row in report.rows if row.check == first.check}
    cards.metric(
        "Strangers to choose from"
        + (f", in each of {len(splits)} splits" if len(splits) > 1 else ""),
        f"{first.listeners:,}",
        "none of them in training",
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
    )
