"""Parts that several pages are made of."""

import math
from collections.abc import Callable
from typing import Any

import streamlit as st

from twotower.core.errors import IncompatibleModel, MissingData, TwoTowerError
from twotower.core.jobs import Job
from twotower.core.settings import ROOT
from twotower.sources.collector import FileReport
from twotower.ui.text import amount, capital, escape, turn
from twotower.web.security_headers import SCROLL_INTO_VIEW

PICTURE = ROOT / "assets" / "hint.svg"
START, YOU, NEIGHBOURS, MAP = "start.py", "you.py", "neighbours.py", "map.py"
PRIVACY, COMMUNITY = "privacy.py", "community.py"
REFRESH_S = 0.5  # of a progress bar


def style() -> None:
    """Darkens the buttons that lead on, and what is chosen of many.

    White on the dark theme's accent is too faint to read.
    """
    st.html(
        "<style>[class*='st-key-go-'] button, [data-testid=stMultiSelect] [data-tag] "
        "{background-image: linear-gradient(rgb(0 0 0 / 22%), rgb(0 0 0 / 22%))}</style>"
    )


def into_view() -> None:
    """Bring the keyed container that this stands in to whoever pressed a button far from it.

    On first showing; the keyboard goes there too, so that a screen reader reads it.
    """
    st.html(SCROLL_INTO_VIEW, unsafe_allow_javascript=True)


def hero() -> None:
    """What the app does, in one sentence and one picture."""
    words, picture = st.columns([3, 2], gap="large", vertical_alignment="center")
    with words:
        st.title("Find the people who hear music the way you do", anchor=False)
        st.markdown(
            "Bring your music, from anywhere. A trained model places you among "
            "thousands of listeners, and shows who is nearest, how near, and what they could "
            "show you. No account, nothing stored unless you join."
        )
    with picture:
        st.image(
            str(PICTURE),
            width="stretch",
            alt="A star joined by lines to the nearest of many coloured points",
        )


def lead_on(label: str, page: str, key: str) -> None:
    """The one button of a part that goes where a visitor most wants to go."""
    if st.button(
        label, key=f"go-{key}", type="primary", icon=":material/arrow_forward:", width="stretch"
    ):
        st.switch_page(page)


def note(text: str) -> None:
    """A line of small print; `text` is Markdown. Captions would be too pale to read."""
    st.markdown(f":small[:gray[{text}]]")


def under_way(
    job: Job[Any] | None,
    asking: str,
    *,
    stop: str,
    key: str,
    on_stop: Callable[[], None],
    help: str | None = None,
) -> None:
    """How far a job is, `asking` until it has said so, and a way to end it; for a fragment.

    Once it has ended, the whole page is drawn anew.
    """
    if job is None or not job.is_running:
        st.rerun()
    st.progress(job.share, f"{escape(capital(job.message) or asking)} …")
    wait = job.resumes_in_s
    if wait is not None:
        st.markdown(f":material/hourglass_top: Going on in {math.ceil(wait)} s")
    st.button(stop, key=key, icon=":material/close:", help=help, on_click=on_stop)


def undo_bar(said: str, moved: float | None, on_undo: Callable[[], None]) -> None:
    """What was changed last, how far the vector turned by it (a cosine), and the way back."""
    with st.container(horizontal=True, vertical_alignment="center", key="undo-bar"):
        st.markdown(f":small[:gray[{escape(said)}.{turn(moved)}]]", width="content")
        st.button("Undo", key="undo", icon=":material/undo:", type="tertiary", on_click=on_undo)


def file_report(report: FileReport) -> None:
    """What was read from one file, and what was left out and why."""
    span = ""
    if report.since and report.until:
        span = f", {report.since:%b %Y} to {report.until:%b %Y}"
    played = report.plays - report.saved
    rows = [amount(played, "play")] if played or not report.saved else []
    if report.saved:
        rows.append(amount(report.saved, "saved or listed track"))
    with st.container(gap="xxsmall"):
        st.markdown(
            f":material/description: **{escape(report.name)}** · {' and '.join(rows)} of "
            f"{amount(report.artists, 'artist')}{span}"
        )
        left_out = ", ".join(f"{n:,} {escape(why)}" for why, n in report.left_out.items() if n)
        if left_out:
            note(f"Left out: {left_out}")
        for more in report.notes:
            note(escape(more))


def is_phone() -> bool:
    """Whether the browser says that it has a small screen."""
    return "Mobi" in str(st.context.headers.get("User-Agent"))


# What a page shows when it can't show what it is for


def empty() -> None:
    """The visitor has brought nothing yet."""
    with st.container(border=True, key="empty"):
        st.header("Nothing here yet", anchor=False)
        st.write("Bring some music first: pick artists, drop a file, or be a demo listener.")
        st.page_link(START, label="Go to the start", icon=":material/arrow_back:")


def too_little(error: TwoTowerError) -> None:
    """The model knows too little of what the visitor has brought."""
    with st.container(border=True, key="too-little"):
        st.header("Too little to tell yet", anchor=False)
        st.write(escape(str(error)))
        st.page_link(START, label="Add more artists", icon=":material/add:")


def failed(error: TwoTowerError) -> None:
    """The server can't do its work; mostly only the person who runs it can change that."""
    advice = ""
    if isinstance(error, MissingData | IncompatibleModel):
        advice = (
            "\n\nFor whoever runs this server: the model lies in `assets/model`; `make assets` "
            "builds it anew, and `TWOTOWER_ASSETS` says where else to look. Then start the server "
            "again."
        )
    st.error(
        escape(str(error)) + advice,
        title="The app can't do its work just now",
        icon=":material/error:",
    )


def on_script_error(error: Exception) -> bool:
    """Say what is known of an error; whether that was all there is to say."""
    if isinstance(error, TwoTowerError):
        failed(error)
        return True
    return False
