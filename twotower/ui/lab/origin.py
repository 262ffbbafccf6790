"""Origin of the model on the lab page: data, terms, model card, and how to repeat it all."""

import json
import re
from pathlib import Path

import streamlit as st

from twotower.core.errors import TwoTowerError
from twotower.core.settings import Settings
from twotower.evaluation.report import QUALITY, Report
from twotower.evaluation.summary import TrainingFacts, training_facts
from twotower.ui import components
from twotower.ui.lab.labels import show_table
from twotower.ui.lab.reports import RUN
from twotower.ui.text import escape, pluralise

CARD, LICENCE = "MODEL_CARD.md", "LICENSE"
# name, use, terms; docs/data.md says where to get each
DATA = (
    ("Last.fm listeners of 2011 (HetRec)", "training and test", "non-commercial"),
    (
        "Playlists of 2010 to 2017 (part of the Million Playlist Dataset)",
        "training and test",
        "research; it is no longer offered for download",
    ),
    ("Playlists of 2020 (TidyTuesday)", "test; audio of tracks", "stated with the set"),
    ("Listeners in Germany (a teaching file)", "test only", "not stated"),
    ("Heavy listeners of 2005 (Audioscrobbler)", "test only", "CC BY-NC-SA 1.0"),
    (
        "Genres and audio of artists (public files of 2020 and 2021)",
        "content features of artists",
        "some values came from Spotify's Web API; its developer terms may apply",
    ),
)
CARD_STYLE = (  # lets the tables of the card fit a small screen
    "<style>@media (max-width: 640px) {.st-key-card table {font-size: .75rem} "
    ".st-key-card :is(td, th) {font-size: inherit; padding: .3rem .15rem}}</style>"
)
QUALITY_ABOVE = "The results are above on this page."
TRAINING_SOURCES = {
    "hetrec": "Last.fm listeners of 2011",
    "mpd": "playlists of 2010 to 2017",
    "mpd-withheld": "playlists with only their popular tracks",
}


def show_origin(report: Report) -> None:
    """Show the training data of the model and its terms."""
    st.header("Where the model comes from", anchor=False)
    assets = Settings.from_env().assets
    try:
        facts = training_facts(assets / "model")
    except TwoTowerError as error:
        components.note(escape(str(error)))
    else:
        if facts.listeners:
            st.markdown(_describe_training_data(facts))
    if report.header.get("part") == "test":
        st.markdown(
            "The results above are of models trained again without the test listeners. The "
            "shipped model was trained on all of them."
        )
    st.markdown(
        "The data allow research and **non-commercial use** only. The listeners in this app are "
        "made up. No listening from Spotify's Web API was used for training."
    )
    with st.expander("Data and terms", key="licences"):
        st.markdown("\n".join(f"- **{name}**: {use}. Terms: {terms}." for name, use, terms in DATA))
        if licence := _read_text(assets / LICENCE):
            st.code(licence, language=None, wrap_lines=True)
    if card := _read_text(assets / CARD):
        st.html(CARD_STYLE)
        with st.expander("Model card: data, terms, limits", key="card"):
            st.markdown(adapt_card(card))


def _describe_training_data(facts: TrainingFacts) -> str:
    sources = ", ".join(
        f"{count:,} {TRAINING_SOURCES.get(name, escape(name))}"
        for name, count in facts.listeners.items()
    )
    return (
        f"Trained on {pluralise(sum(facts.listeners.values()), 'listener')}: {sources}. The model "
        f"knows {pluralise(facts.artists, 'artist')}: {facts.played:,} from listening, the others "
        f"from genres, audio and name. Training took {pluralise(facts.seconds / 60, 'minute')}."
    )


def _read_text(path: Path) -> str:
    """Return the text of a file; "" if it can't be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def adapt_card(card: str) -> str:
    """Return the model card for this page.

    The title, comments, links to files and the table of results go, headings move a level down.
    """
    card = re.sub(r"<!-- quality -->.*?<!-- /quality -->", QUALITY_ABOVE, card, flags=re.DOTALL)
    card = re.sub(r"<!--.*?-->\n?", "", card, flags=re.DOTALL)
    card = re.sub(r"\A\s*# .*\n", "", card)
    card = re.sub(r"^```\w*\n(.*)\n```$", r"`\1`", card, flags=re.MULTILINE)  # so that it wraps
    card = re.sub(r"^(#+) ", r"#\1 ", card, flags=re.MULTILINE)
    return re.sub(r"(?<!!)\[([^\]\n]+)\]\((?!https?://)[^)\n]*\)", r"\1", card)


def show_reproduction(report: Report) -> None:
    """Show how to repeat the evaluation, and the setup of this report."""
    st.header("Repeat it yourself", anchor=False)
    st.markdown(
        "docs/data.md names the public data sets. The same data and seeds give the same results."
    )
    st.code(RUN, language=None, wrap_lines=True)
    header = report.header
    with st.expander("Seeds, versions and data", key="made-with"):
        names = ("part", "splits", "seed", "command", "checks", "missing data", "versions")
        st.markdown(
            "\n".join(
                f"- {name.capitalize()}: {escape(_flat(header[name]))}"
                for name in names
                if header.get(name) not in (None, "", [])
            )
        )
        if isinstance(header.get("data"), dict):
            show_table(
                [{"file": str(k), "SHA-256": str(v)} for k, v in header["data"].items()],
                key="hashes",
                alt="Table of the data files and their SHA-256",
            )
    st.download_button(
        "Download the whole report",
        json.dumps(report.to_dict(), ensure_ascii=False, indent=1),
        file_name=QUALITY,
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
        key="download-report",
    )


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
