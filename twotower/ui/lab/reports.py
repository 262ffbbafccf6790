"""Loading of the reports that the lab page shows."""

from pathlib import Path

import streamlit as st

from twotower.core.errors import IncompatibleModel, MissingData, TwoTowerError
from twotower.core.settings import Settings
from twotower.evaluation.report import QUALITY, Report, how_to_make, load_report
from twotower.ui import components
from twotower.ui.text import escape

RUN = "TWOTOWER_DATA=path/to/data python -m twotower evaluate --out assets/quality.json"


def require_quality() -> Report:
    """Return the quality report; if there is none, show how to make it and end the page."""
    path = Settings.from_env().assets / QUALITY
    try:
        return _load(path, _modified_ns(path))
    except TwoTowerError as error:
        with st.container(border=True, key="no-report"):
            st.header("Nothing measured yet", anchor=False)
            command = how_to_make(QUALITY)
            st.markdown(f"{escape(str(error)).replace(escape(command), command)}.")
            components.note(
                "For the operator of this server: it needs the public data sets. docs/data.md "
                "names them. This page shows the report as soon as it is there."
            )
            st.code(RUN, language=None, wrap_lines=True)
        st.stop()


def experiment(name: str) -> Report | None:
    """Return a report of experiments, None if there is none; say so if it is damaged."""
    path = Settings.from_env().assets / name
    try:
        return _load(path, _modified_ns(path))
    except MissingData:
        return None
    except IncompatibleModel as error:
        components.note(escape(str(error)))
        return None


@st.cache_resource(max_entries=6, show_spinner="Reading the report …")
def _load(path: Path, modified_ns: int) -> Report:
    """Return the report at `path`; one object for all visitors until the file changes."""
    return load_report(path)


def _modified_ns(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0
