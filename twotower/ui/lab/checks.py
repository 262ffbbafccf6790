"""The lab page: the towers beside the baselines, check by check."""

import re
from collections.abc import Sequence

import streamlit as st

from twotower.evaluation.report import Difference, Report
from twotower.evaluation.summary import (
    BaselineComparison,
    baseline_differences,
    compared_metrics,
    fewest_listeners,
    headline_comparisons,
    is_towers,
    means_by_method,
    method_table,
    reference_method,
    table_csv,
    task_labels,
)
from twotower.ui import components, text
from twotower.ui.charts import quality as quality_charts
from twotower.ui.lab.tables import spoken, table
from twotower.ui.lab.words import interval, question, title
from twotower.ui.text import escape

METHODS = """
- **two towers**: the model of this app, the mean of both ways between two people. *one way*: who
  asks by the one tower, who is found by the other, and no more. *+ LS*: after local scaling, which
  holds back people who are near to everyone; nothing is trained for it, and baselines stand with it
  too. *+ companions*: with a share for artists that go together. *+ same artists*: what the app
  ranks by; it adds “the very same rare artists” and holds back the same people. It is for whole
  profiles only.
- **popularity**: nearness in how well known the artists are, and nothing else.
- **idf cosine**: the very same artists, rare ones count more. Two halves of a person share no
  artist, so it can't find one from the other; between whole profiles it is strong.
- **SVD**, **ALS**: matrix factors of who plays what, with 32 or 64 numbers a person.
- **ALS + content**: such factors leaning on tags, genres, audio and names.
- **ItemKNN**, **EASE**: what goes with the artists that someone plays.
- *+ playlists*: fitted on playlists too. *+ LS*, *+ MP*: after local scaling, or after mutual
  proximity, which is another way to hold such people back.

Each was tuned on other listeners, as carefully as the towers.
"""
NAMED = 3  # baselines that a sentence names


def headline(report: Report) -> None:
    """The towers beside the best baseline of each check."""
    st.header("Beside the best of the others", anchor=False)
    standings = headline_comparisons(report)
    if not standings:
        components.note("The report has no other method to compare the towers with.")
        return
    st.markdown(summary(standings))
    labels = [
        title(each.check) + ("" if each.metric == "MRR" else f" ({each.metric})")
        for each in standings
    ]
    st.plotly_chart(
        quality_charts.head_to_head(standings, labels, compact=components.is_phone()),
        key="headline",
        config=quality_charts.NO_BAR,
        alt="Dot plot of MRR by check: "
        + "; ".join(
            f"{label}: {each.difference.reference} {each.towers:.3f}, {each.baseline} "
            f"{each.best:.3f}, {each.verdict}"
            for label, each in zip(labels, standings, strict=True)
        ),
    )
    components.note(
        f"The mark is the mean over the splits of {escape(reference_method(report))}, with the "
        "95 % interval of the difference to the baseline: where it reaches the baseline's line, "
        "the towers are no better."
        + _otherwise(report, standings)
        + " The best baseline is chosen after the fact for each check, which favours it. MRR is "
        "the mean of 1 / place: 1 where the right one always comes first, 0.5 where it comes "
        "second."
    )
    with st.expander("What the other methods are", key="methods"):
        st.markdown(METHODS)


def _otherwise(report: Report, standings: Sequence[BaselineComparison]) -> str:
    """Which checks ask about another order of the towers than the rest; Markdown."""
    own: dict[str, list[str]] = {}
    for each in standings:
        if each.difference.reference != reference_method(report):
            own.setdefault(each.difference.reference, []).append(f"“{escape(title(each.check))}”")
    return "".join(
        f" For {', '.join(checks)}, the mark is of {escape(method)}."
        for method, checks in own.items()
    )


def summary(standings: Sequence[BaselineComparison]) -> str:
    """How often the towers are ahead, and a line for each check where they aren't; Markdown."""
    ahead = [each for each in standings if each.verdict == "ahead"]
    parts = [
        f"The towers are ahead of the best baseline in **{len(ahead)} of {len(standings)}** "
        "checks.\n"
    ]
    for each in sorted(standings, key=lambda each: each.verdict != "behind"):
        if each.verdict != "ahead":
            word = "No better" if each.verdict == "no better" else "**Behind**"
            than = "than " if each.verdict == "no better" else ""
            parts.append(
                f"- {word} {than}{escape(each.baseline)} for “{escape(title(each.check))}” "
                f"({interval(each.difference)}, {each.listeners} listeners)."
            )
    return "\n".join(parts)


@st.fragment
def each_check(report: Report) -> None:
    """One check with all methods."""
    st.header("Check by check", anchor=False)
    names = task_labels(report)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        check = st.selectbox(
            "Check", names, format_func=title, key="check", width=420, persist_state="session"
        )
        compared = compared_metrics(report, check)
        metric = next(iter(compared), "")
        if len(compared) > 1:
            metric = st.segmented_control(
                "Measure", compared, default=metric, required=True, key=f"metric-{check}"
            )
    asked = fewest_listeners(report, check)
    st.markdown(f"{question(check)} :gray[{asked:,} listeners asked in a split.]")
    if metric:
        against = baseline_differences(report, check, metric)
        st.markdown(_stands(report, against) + against_all(against))
    lines = method_table(report, check, metric)
    table(lines, key="table", alt=f"Table of {title(check)}, a row a method: {spoken(lines)}")
    st.download_button(
        "Download CSV",
        table_csv(lines),
        file_name=f"{re.sub(r'[^a-z0-9]+', '-', f'{check} {metric}'.lower()).strip('-')}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="download-table",
    )


def _stands(report: Report, against: Sequence[Difference]) -> str:
    """Which order of the towers is compared in a check, where it has others too; Markdown."""
    if not against:
        return ""
    first = against[0]
    asked = means_by_method(report, first.check, first.metric)
    if not any(name != first.reference and is_towers(report, name) for name in asked):
        return ""
    return f"For the towers stands {escape(first.reference)}. "


def against_all(against: Sequence[Difference]) -> str:
    """What the intervals allow to say of the towers beside every baseline; Markdown."""
    if not against:
        return "There is nothing here to compare the towers with."
    kinds: dict[str, list[Difference]] = {}
    for each in against:
        kinds.setdefault(each.verdict, []).append(each)
    if len(kinds.get("ahead", ())) == len(against):
        return f"Ahead of all {len(against)} baselines here; the closest: {_named(against[:1])}."
    parts = []
    if behind := kinds.get("behind"):
        parts.append(f"**Behind** {_named(behind)} here.")
    if level := kinds.get("no better"):
        parts.append(f"**No better** than {_named(level)} here.")
    if ahead := kinds.get("ahead"):
        parts.append(f"Ahead of the other {text.pluralise(len(ahead), 'baseline')}.")
    return " ".join(parts)


def _named(gaps: Sequence[Difference]) -> str:
    """The first of them with their intervals, the others as a number."""
    line = ", ".join(f"{escape(each.method)} ({interval(each)})" for each in gaps[:NAMED])
    rest = len(gaps) - NAMED
    return f"{line} and {rest} more" if rest > 0 else line
