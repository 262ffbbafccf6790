"""The lab page: the report checked while one looks on."""

import streamlit as st

from twotower.core.jobs import Job, SharedJob
from twotower.core.settings import Settings
from twotower.evaluation import halfvectors
from twotower.evaluation.quick import check_again, has_data
from twotower.evaluation.report import Report
from twotower.evaluation.summary import Cell
from twotower.evaluation.verdicts import Gap, Line, Outcome, Verdict, Way
from twotower.ui import components, text
from twotower.ui.lab.tables import table
from twotower.ui.lab.words import title
from twotower.ui.state import visitor_state
from twotower.ui.text import escape

NAMED = 10  # figures that differ, by name
TALL = 12  # rows of a table that stand without scrolling
WAYS: dict[Way, tuple[str, str]] = {
    "ranked": (
        "Ranked again",
        "From the half-vectors that ship: every half ranked anew among all others.",
    ),
    "fitted": (
        "Fitted anew",
        "Plain baselines, fitted on the raw data just now and asked the same questions.",
    ),
    "asked": (
        "The shipped model",
        "Asked just now about people and playlists that it has never seen; beside it the report's "
        "towers, which saw fewer in training. So there is no verdict.",
    ),
}
VERDICTS: dict[Verdict, str] = {"same": "same", "differs": "differs", "beside": "—"}


@st.cache_resource
def _desk() -> SharedJob[Outcome]:
    """Where all visitors of this server ask for a check."""
    return SharedJob()


def check_now(report: Report) -> None:
    """A button that works figures of the report out again; nothing where it can't be done."""
    settings = Settings.from_env()
    raw = has_data(settings.data)
    vectors = (settings.assets / halfvectors.FILE).exists() and halfvectors.TIED in report.header
    st.header("Check it now", anchor=False)
    if not raw and not vectors:
        components.note(
            "This report came without half-vectors, and the public data is not on this server, so "
            "there is nothing here to check it with."
        )
        return
    st.markdown(_offer(raw=raw, vectors=vectors))
    state = visitor_state().quick_check
    if state.report is not report:
        state.job = None  # it checked another report
    going = state.job is not None and state.job.is_running
    st.fragment(_live, run_every=components.REFRESH_S if going else None)(settings, report)


def _offer(*, raw: bool, vectors: bool) -> str:
    parts = []
    if vectors:
        parts.append(
            "The vectors that the towers and the best baselines made of the halves ship with this "
            "app, without names or artists. From them every rank is worked out again, and each "
            "figure set beside the report's."
        )
    if raw:
        parts.append(
            f"The public data is on this server, so three baselines are {'also ' * vectors}fitted "
            "anew, and the shipped model is asked about people it has never seen."
        )
    parts.append("It takes up to a minute." if raw else "It takes seconds.")
    return " ".join(parts)


def _live(settings: Settings, report: Report) -> None:
    """The button, the work while it goes on, and what came of it."""
    state = visitor_state().quick_check
    job = state.job
    if job is not None and job.is_running:
        st.progress(job.share, text=f"{job.share:.0%} · {escape(job.message or 'starting')}")
        if st.button("Cancel", key="quick-cancel", icon=":material/close:"):
            job.leave()
            state.job = None
            st.rerun()
        return
    if state.shown_job is not job:
        state.shown_job = job
        st.rerun()  # as a whole, so that nothing is asked for any more

    def work(job: Job[Outcome]) -> Outcome:
        return check_again(settings.assets, settings.data, on_progress=job.report)

    label = "Run the quick check" if job is None else "Run it again"
    if st.button(label, key="go-quick-check", icon=":material/fact_check:", type="primary"):
        state.job, state.report = _desk().start(work), report
        st.rerun()
    if job is None:
        return
    if job.result is not None:
        _outcome(job.result)
    elif job.error is not None:
        st.error(f"The check came to no end: {escape(str(job.error))}.")


def _outcome(found: Outcome) -> None:
    seconds = text.pluralise(max(found.seconds, 1), "second")
    if found.differing:
        st.error(f"**{found.summary()}** It took {seconds}.", icon=":material/error:")
        named = [
            str(each).replace(each.check, title(each.check), 1) for each in found.differing[:NAMED]
        ]
        st.markdown("\n".join(f"- {escape(line)}" for line in named))
        if len(found.differing) > NAMED:
            components.note(f"And {len(found.differing) - NAMED:,} more.")
    else:
        st.success(f"**{found.summary()}** It took {seconds}.", icon=":material/check:")
    components.note(escape(" ".join(found.notes)))
    for way, (name, what) in WAYS.items():
        if lines := found.lines(way):
            st.subheader(name, anchor=False)
            st.markdown(what)
            if way == "asked":
                lines = [line for line in lines if line.metric == "MRR"]
            _table([_row(line) for line in lines], key=f"quick-{way}", name=name)
    if found.gaps:
        towers = found.gaps[0].reference
        st.subheader("The differences, and how sure they are", anchor=False)
        st.markdown(
            f"{escape(towers.capitalize())} minus each, with 95 % intervals, drawn anew from these "
            "listeners."
        )
        _table([_gap_row(gap) for gap in found.gaps], key="quick-gaps", name="The differences")


def _row(line: Line) -> dict[str, Cell]:
    metric = "" if line.metric == "MRR" else f" ({line.metric})"
    return {
        "method": line.method,
        "check": title(line.check) + metric,
        "report": line.stored,
        "now": line.again,
        "verdict": VERDICTS[line.verdict],
    }


def _gap_row(gap: Gap) -> dict[str, Cell]:
    stored, again = gap.stored, gap.again
    return {
        "method": gap.method,
        "check": title(gap.check),
        "report": stored.value if stored else None,
        "now": again.mean,
        "low, report": stored.low if stored else None,
        "low, now": again.low,
        "high, report": stored.high if stored else None,
        "high, now": again.high,
        "verdict": VERDICTS[gap.verdict],
    }


def _table(rows: list[dict[str, Cell]], *, key: str, name: str) -> None:
    """What differs first; a long table scrolls."""
    rows.sort(key=lambda row: row["verdict"] != VERDICTS["differs"])
    told = "; ".join(", ".join(f"{name} {_said(row[name])}" for name in row) for row in rows)
    table(rows, key=key, alt=f"Table: {name}. {told}", tall=TALL)


def _said(value: Cell) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value or "none")
