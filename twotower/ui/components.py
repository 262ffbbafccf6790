"""Parts that several pages share."""

import math
from collections.abc import Callable, Sequence
from html import escape as html_escape
from typing import Any

import streamlit as st

from twotower.core.errors import IncompatibleModel, MissingData, TwoTowerError
from twotower.core.jobs import Job
from twotower.core.settings import ROOT
from twotower.sources.collector import FileReport
from twotower.ui.text import capitalise, describe_move, escape, list_names, pluralise
from twotower.web.downloads import Download
from twotower.web.security_headers import SCROLL_INTO_VIEW

PICTURE = ROOT / "assets" / "hint.svg"
START, NEIGHBOURS, MAP = "start.py", "neighbours.py", "map.py"
PRIVACY, COMMUNITY = "privacy.py", "community.py"
MOST_REPORTS = 20  # files named one by one after a reading
REFRESH_S = 0.5  # between two updates of a progress bar


def add_styles() -> None:
    """Darken primary buttons and chosen options: white on the dark theme's accent is too faint."""
    st.html(
        "<style>[class*='st-key-go-'] button, [data-testid=stMultiSelect] [data-tag] "
        "{background-image: linear-gradient(rgb(0 0 0 / 22%), rgb(0 0 0 / 22%))}</style>"
    )


def scroll_into_view() -> None:
    """Scroll to the keyed container around this and focus it, the first time it is shown.

    The keyboard focus makes a screen reader read it.
    """
    st.html(SCROLL_INTO_VIEW, unsafe_allow_javascript=True)


def show_hero() -> None:
    """Show what the app does: one sentence and one picture."""
    words, picture = st.columns([3, 2], gap="large", vertical_alignment="center")
    with words:
        st.title("Find the people who hear music the way you do", anchor=False)
        st.markdown(
            "Name a few artists you love. In a second you see who is closest to you. You also see "
            "what they play and you don't. No account. Nothing is stored unless you join."
        )
    with picture:
        st.image(
            str(PICTURE),
            width="stretch",
            alt="A star with lines to the closest of many coloured points",
        )


DOWNLOAD = """<style>
.download button {font: inherit; color: inherit; cursor: pointer; background: transparent;
  border: 1px solid #71827E; border-radius: .6rem; padding: .4rem .8rem; min-height: 2.5rem}
.download button:hover {border-color: currentColor}
.download button:focus-visible {outline: 3px solid #14B8A6; outline-offset: 2px}
</style><form class="download" method="post" action="/download">
<input type="hidden" name="ticket" value="%s"><button type="submit">%s</button></form>"""


def private_download(label: str, download: Download) -> None:
    """Show a button that downloads private data; neither server nor browser stores the file."""
    st.html(DOWNLOAD % (download.ticket, html_escape(label)), width="content")


def primary_link(label: str, page: str, key: str) -> None:
    """Show the primary button of a part; it opens `page`."""
    if st.button(
        label, key=f"go-{key}", type="primary", icon=":material/arrow_forward:", width="stretch"
    ):
        st.switch_page(page)


def note(text: str) -> None:
    """Show a line of small Markdown. Streamlit's captions are too pale for some readers."""
    st.markdown(f":small[:gray[{text}]]")


def show_progress(
    job: Job[Any] | None,
    before: str,
    *,
    stop: str,
    key: str,
    on_stop: Callable[[], None],
    help: str | None = None,
) -> None:
    """Show a job's progress and a button to stop it, inside a fragment.

    `before` is shown until the job has reported something. When the job has ended, the whole page
    runs again.
    """
    if job is None or not job.is_running:
        st.rerun()
    st.progress(job.share, f"{escape(capitalise(job.message) or before)} …")
    wait = job.resumes_in_s
    if wait is not None:
        st.markdown(f":material/hourglass_top: Resuming in {math.ceil(wait)} s")
    st.button(stop, key=key, icon=":material/close:", help=help, on_click=on_stop)


def show_undo(message: str, cosine: float | None, on_undo: Callable[[], None]) -> None:
    """Show the last change, how far it moved the visitor, and a button to undo it."""
    with st.container(horizontal=True, vertical_alignment="center", key="undo-bar"):
        st.markdown(
            f":small[:gray[{escape(message)}. {'' if cosine is None else describe_move(cosine)}]]",
            width="content",
            help=None if cosine is None else f"{cosine:.3f} of 1, which means no change",
        )
        st.button("Undo", key="undo", icon=":material/undo:", type="tertiary", on_click=on_undo)


def show_file_reports(reports: Sequence[FileReport]) -> None:
    """Show what was read from each file, and the names of those that have no listening."""
    read = [report for report in reports if not report.passed_over]
    for report in read[:MOST_REPORTS]:
        show_file_report(report)
    if rest := read[MOST_REPORTS:]:
        plays = sum(report.plays for report in rest)
        note(f"{pluralise(len(rest), 'more file')} with {pluralise(plays, 'play')} or saved tracks")
    names_of: dict[str, list[str]] = {}
    for report in reports:
        if report.passed_over:
            names_of.setdefault(report.passed_over, []).append(report.name)
    for reason, names in names_of.items():
        note(f"Passed over: {list_names(names, MOST_REPORTS)}. {escape(capitalise(reason))}.")


def show_file_report(report: FileReport) -> None:
    """Show what was read from a file, and what was left out and why."""
    span = ""
    if report.since and report.until:
        span = f", {report.since:%b %Y} to {report.until:%b %Y}"
    played = report.plays - report.saved
    rows = [pluralise(played, "play")] if played or not report.saved else []
    if report.saved:
        rows.append(pluralise(report.saved, "saved or listed track"))
    with st.container(gap="xxsmall"):
        st.markdown(
            f":material/description: **{escape(report.name)}** · {' and '.join(rows)} of "
            f"{pluralise(report.artists, 'artist')}{span}"
        )
        left_out = ", ".join(f"{n:,} {escape(why)}" for why, n in report.left_out.items() if n)
        if left_out:
            note(f"Left out: {left_out}")
        for more in report.notes:
            note(escape(more))


def is_phone() -> bool:
    """Return whether the browser reports a small screen."""
    return "Mobi" in str(st.context.headers.get("User-Agent"))


# Instead of a page's content


def show_empty() -> None:
    """Ask for music: the visitor has no profile yet."""
    with st.container(border=True, key="empty"):
        st.header("Bring some music first", anchor=False)
        st.write("Pick artists, upload a file, or try a demo.")
        st.page_link(START, label="Go to the start page", icon=":material/arrow_back:")


def show_too_little(error: TwoTowerError) -> None:
    """Ask for more artists: the model knows too little of the profile."""
    with st.container(border=True, key="too-little"):
        st.header("We don't know these artists yet", anchor=False)
        st.write(escape(capitalise(str(error))))
        st.page_link(START, label="Add artists that many people know", icon=":material/add:")


def show_failure(error: TwoTowerError) -> None:
    """Show an error of the server, with advice for its operator.

    Without the place: visitors needn't know where the server keeps its files and database.
    """
    advice = ""
    if isinstance(error, MissingData | IncompatibleModel):
        advice = (
            "\n\nIf you run this server: the model belongs in `assets/model`. Build it with "
            "`make assets`, or set `TWOTOWER_ASSETS` to its folder. Then restart the server."
        )
    st.error(
        escape(capitalise(error.message)) + advice,
        title="Something is wrong on our side",
        icon=":material/error:",
    )


def on_script_error(error: Exception) -> bool:
    """Show an error of ours in place of a traceback; return whether it was one."""
    if isinstance(error, TwoTowerError):
        show_failure(error)
        return True
    return False
