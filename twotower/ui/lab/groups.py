"""The lab page: what it adds to know more of a listener than artists."""

import streamlit as st

from twotower.evaluation.experiments import (
    Estimate,
    FeatureGain,
    chance_mrr,
    feature_gains,
    feature_listeners,
)
from twotower.evaluation.report import Report, Verdict
from twotower.evaluation.summary import Cell
from twotower.ui import components
from twotower.ui.charts import variants as variant_charts
from twotower.ui.charts.quality import NO_BAR
from twotower.ui.lab.tables import table
from twotower.ui.lab.words import interval
from twotower.ui.text import escape, pluralise

SOURCES = {
    "tidytuesday": ("Playlists of 2020", "playlist"),
    "hetrec": ("Last.fm strangers who gave tags", "listener"),
}
WORDS = {
    "+ audio": "the sound of the tracks",
    "+ playlists": "the playlist's title",
    "+ audio + playlists": "telling both",
    "+ tags": "their own tagging",
}
VERDICTS: dict[Verdict, str] = {
    "ahead": "helps",
    "no better": "adds nothing",
    "behind": "harms",
}


def groups(report: Report) -> None:
    """Audio, titles and tags, beside artists and alone; nothing where the report lacks it."""
    found = feature_gains(report)
    if not found:
        return
    st.header("Does it help to know more than artists?", anchor=False)
    st.markdown(
        "The towers also read the sound of someone's tracks, the titles of playlists, and tags. "
        "Here one half of a listener tells more than its artists, or something else instead of "
        "them; the other half is artists alone."
    )
    for source, shown in found.items():
        name, noun = SOURCES.get(source, (source, "listener"))
        st.subheader(escape(name), anchor=False)
        asked = feature_listeners(report, source)
        st.markdown(_said(shown, pluralise(asked, noun)))
        if marks := [mark for each in shown if (mark := each.estimate)]:
            st.plotly_chart(
                variant_charts.forest(marks, "MRR more or less than from artists alone", VERDICTS),
                key=f"groups-chart-{source}",
                config=NO_BAR,
                alt=f"What it adds to artists, {name}: "
                + "; ".join(f"{mark.name} {interval(mark)}, {_verdict(mark)}" for mark in marks),
            )
        lines = [_line(each) for each in shown]
        told = "; ".join(f"{each.name} {each.value:.3f}" for each in shown)
        table(lines, key=f"groups-{source}", alt=f"Table of MRR by what is told: {told}")
        components.note(f"Guessing among {pluralise(asked, noun)}: {chance_mrr(asked):.3f}.")


def _said(shown: list[FeatureGain], asked: str) -> str:
    """What each group does beside artists, in plain words; Markdown."""
    marks = [mark for each in shown if (mark := each.estimate)]
    if not marks:
        return f"The report has no intervals of what this adds. :gray[{asked}.]"
    parts = [
        f"{WORDS.get(mark.name) or escape(mark.name.removeprefix('+ '))} **{_verdict(mark)}** "
        f"({interval(mark)})"
        for mark in marks
    ]
    return f"Beside artists, {'; '.join(parts)}. :gray[{asked} that have all of it.]"


def _verdict(mark: Estimate) -> str:
    return VERDICTS[mark.verdict]


def _line(each: FeatureGain) -> dict[str, Cell]:
    gain = each.gain
    return {
        "told": each.name,
        "MRR": each.value,
        "beside artists only": gain.value if gain else None,
        "95 % low": gain.low if gain else None,
        "95 % high": gain.high if gain else None,
    }
