"""Verification of the quality report on the lab page, while the visitor watches."""

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from twotower.core.csv_files import Cell
from twotower.core.jobs import Job, SharedJob
from twotower.core.settings import Settings
from twotower.evaluation.report import Report
from twotower.evaluation.verify import has_data, verify_report
from twotower.evaluation.verify_data import HEADER_KEY, VECTORS
from twotower.evaluation.verify_result import (
    CheckLine,
    CheckVerdict,
    DifferenceCheck,
    Source,
    Verification,
)
from twotower.ui import components
from twotower.ui.lab.labels import show_table, task_title
from twotower.ui.state import QuickCheckState, visitor_state
from twotower.ui.text import escape, pluralise

MAX_NAMED = 10  # metrics that differ, in the list
MAX_ROWS = 12  # rows of a table that stand without scrolling
SOURCES: Mapping[Source, tuple[str, str]] = {
    "ranked": ("Ranked again", "All ranks computed again from the shipped vectors."),
    "fitted": ("Trained again", "Baselines, trained on the public data just now. Same tasks."),
    "asked": (
        "The shipped model",
        "Tested just now on people and playlists it has never seen. The report's towers were "
        "trained on fewer people. So there is no verdict.",
    ),
}
VERDICTS: Mapping[CheckVerdict, str] = {"same": "same", "differs": "differs", "beside": "—"}


@st.cache_resource
def _shared_job() -> SharedJob[Verification]:
    """Return the one job that all visitors of this server share."""
    return SharedJob()


def show_verification(report: Report) -> None:
    """Show a button that computes the report's metrics again, or why that isn't possible."""
    settings = Settings.from_env()
    can_train = has_data(settings.data)
    can_rank = (settings.assets / VECTORS).exists() and HEADER_KEY in report.header
    st.header("Check it now", anchor=False)
    if not can_train and not can_rank:
        components.note(
            "The report can't be checked here: its vectors are missing, and so is the public data."
        )
        return
    st.markdown(_describe_offer(can_train=can_train, can_rank=can_rank))
    state = visitor_state().quick_check
    if state.report is not report:
        state.job = None  # its result is about another report
    is_running = state.job is not None and state.job.is_running
    refresh_s = components.REFRESH_S if is_running else None
    st.fragment(_show_job, run_every=refresh_s)(settings, report)


def _describe_offer(*, can_train: bool, can_rank: bool) -> str:
    sentences = ["Compute the report's numbers again and compare."]
    if can_rank:
        sentences.append(
            "The app ships the vectors of the towers and the best baselines, without names or "
            "artists. All ranks follow from them."
        )
    if can_train:
        sentences.append(
            "The public data is on this server. So we train three baselines again and test the "
            "shipped model on people it has never seen."
        )
    sentences.append("It takes up to a minute." if can_train else "It takes a few seconds.")
    return " ".join(sentences)


def _show_job(settings: Settings, report: Report) -> None:
    """Show the button, the progress while it runs, and the result."""
    state = visitor_state().quick_check
    if state.job is not None and state.job.is_running:
        _show_progress(state.job, state)
        return
    if state.shown_job is not state.job:
        state.shown_job = state.job
        st.rerun()  # the whole page, to end the fragment's refreshes

    def verify(job: Job[Verification]) -> Verification:
        return verify_report(settings.assets, settings.data, progress=job.report)

    label = "Run the quick check" if state.job is None else "Run it again"
    if st.button(label, key="go-quick-check", icon=":material/fact_check:", type="primary"):
        state.job, state.report = _shared_job().start(verify), report
        st.rerun()
    if state.job is None:
        return
    if state.job.result is not None:
        _show_result(state.job.result)
    elif state.job.error is not None:
        st.error(f"The check failed: {escape(str(state.job.error))}.")


def _show_progress(job: Job[Verification], state: QuickCheckState) -> None:
    st.progress(job.share, text=f"{job.share:.0%} · {escape(job.message or 'starting')}")
    if st.button("Cancel", key="quick-cancel", icon=":material/close:"):
        job.leave()
        state.job = None
        st.rerun()


def _show_result(result: Verification) -> None:
    seconds = pluralise(max(result.seconds, 1), "second")
    if result.differing:
        st.error(f"**{result.summary()}** It took {seconds}.", icon=":material/error:")
        named = [
            str(replace(each, check=task_title(each.check)))
            for each in result.differing[:MAX_NAMED]
        ]
        st.markdown("\n".join(f"- {escape(line)}" for line in named))
        if len(result.differing) > MAX_NAMED:
            components.note(f"And {len(result.differing) - MAX_NAMED:,} more.")
    else:
        st.success(f"**{result.summary()}** It took {seconds}.", icon=":material/check:")
    components.note(escape(" ".join(result.notes)))
    for source, (name, text) in SOURCES.items():
        if lines := result.lines(source):
            st.subheader(name, anchor=False)
            st.markdown(text)
            if source == "asked":
                lines = [line for line in lines if line.metric == "MRR"]
            _show_comparison([_line_row(line) for line in lines], key=f"quick-{source}", name=name)
    if result.differences:
        towers = escape(result.differences[0].reference)
        st.subheader("Differences and their intervals", anchor=False)
        st.markdown(f"{towers.capitalize()} minus each method, with new 95 % intervals.")
        rows = [_difference_row(each) for each in result.differences]
        _show_comparison(rows, key="quick-gaps", name="The differences")


def _line_row(line: CheckLine) -> dict[str, Cell]:
    metric = "" if line.metric == "MRR" else f" ({line.metric})"
    return {
        "method": line.method,
        "task": task_title(line.check) + metric,
        "report": line.stored,
        "now": line.recomputed,
        "verdict": VERDICTS[line.verdict],
    }


def _difference_row(difference: DifferenceCheck) -> dict[str, Cell]:
    stored, recomputed = difference.stored, difference.recomputed
    return {
        "method": difference.method,
        "task": task_title(difference.check),
        "report": stored.value if stored else None,
        "now": recomputed.mean,
        "low, report": stored.low if stored else None,
        "low, now": recomputed.low,
        "high, report": stored.high if stored else None,
        "high, now": recomputed.high,
        "verdict": VERDICTS[difference.verdict],
    }


def _show_comparison(rows: list[dict[str, Cell]], *, key: str, name: str) -> None:
    """Show a table of stored and recomputed values; rows that differ come first."""
    rows.sort(key=lambda row: row["verdict"] != VERDICTS["differs"])
    alt = "; ".join(", ".join(f"{name} {_spoken(row[name])}" for name in row) for row in rows)
    show_table(rows, key=key, alt=f"Table: {name}. {alt}", max_rows=MAX_ROWS)


def _spoken(value: Cell) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value or "none")
