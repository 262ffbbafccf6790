"""The lab page: what the model comes from, and how to ask it all again."""

import json
import re
from pathlib import Path

import streamlit as st

from twotower.core.errors import TwoTowerError
from twotower.core.settings import Settings
from twotower.evaluation.report import QUALITY, Report
from twotower.evaluation.summary import training_facts
from twotower.ui import components, text
from twotower.ui.lab.page import RUN
from twotower.ui.lab.tables import table
from twotower.ui.text import escape

CARD, LICENCE = "MODEL_CARD.md", "LICENSE"
# name, what it is used for, terms; docs/data.md says where anyone gets each.
DATA = (
    ("Last.fm listeners of 2011 (HetRec)", "trained on, and asked about", "non-commercial"),
    (
        "Playlists of 2010 to 2017 (part of the Million Playlist Dataset)",
        "trained on, and asked about",
        "research; it is no longer offered for download",
    ),
    ("Playlists of 2020 (TidyTuesday)", "asked about; audio of tracks", "stated with the set"),
    ("Listeners in Germany (a teaching file)", "asked about only", "not stated"),
    ("Heavy listeners of 2005 (Audioscrobbler)", "asked about only", "CC BY-NC-SA 1.0"),
    (
        "Genres and audio of artists (public files of 2020 and 2021)",
        "what is known of artists",
        "values that came from Spotify's Web API, whose developer terms may apply",
    ),
)
NARROW = (  # so that the tables of the card fit a small screen
    "<style>@media (max-width: 640px) {.st-key-card table {font-size: .75rem} "
    ".st-key-card :is(td, th) {font-size: inherit; padding: .3rem .15rem}}</style>"
)
ABOVE = "The figures stand on this page, above."
SOURCES = {
    "hetrec": "Last.fm listeners of 2011",
    "mpd": "playlists of 2010 to 2017",
    "mpd-withheld": "playlists of which only the popular tracks are known",
}


def origin(report: Report) -> None:
    """What the model was trained on, and under which terms."""
    st.header("What the model comes from", anchor=False)
    assets = Settings.from_env().assets
    try:
        about = training_facts(assets / "model")
    except TwoTowerError as error:
        components.note(escape(str(error)))
    else:
        if about.listeners:
            st.markdown(
                f"Trained on {text.pluralise(sum(about.listeners.values()), 'listener')}: "
                + ", ".join(
                    f"{count:,} {SOURCES.get(name, escape(name))}"
                    for name, count in about.listeners.items()
                )
                + f". It knows {text.pluralise(about.artists, 'artist')}, {about.played:,} of them "
                f"by who plays them and the rest by genres, audio and name. Training took "
                f"{text.pluralise(about.seconds / 60, 'minute')}."
            )
    if report.header.get("part") == "test":
        st.markdown(
            "The figures above are of models trained anew on part of these listeners, so that the "
            "strangers are strangers; the model that ships has seen them all."
        )
    st.markdown(
        "Its data allow research and other **non-commercial use** only. The listeners that ship "
        "with this app are invented, and no listening that came through Spotify's Web API was used "
        "in training."
    )
    with st.expander("The data, and under which terms", key="licences"):
        st.markdown("\n".join(f"- **{name}**: {use}. Terms: {terms}." for name, use, terms in DATA))
        if licence := _text(assets / LICENCE):
            st.code(licence, language=None, wrap_lines=True)
    if card := _text(assets / CARD):
        st.html(NARROW)
        with st.expander("The model card: data, terms, limits", key="card"):
            st.markdown(card_text(card))


def _text(path: Path) -> str:
    """A file's text; "" where there is none to read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def card_text(card: str) -> str:
    """The model card for this page: no title or comments, headings a level down, no links to files.

    Its table of quality is left out, for this page says the same.
    """
    card = re.sub(r"<!-- quality -->.*?<!-- /quality -->", ABOVE, card, flags=re.DOTALL)
    card = re.sub(r"<!--.*?-->\n?", "", card, flags=re.DOTALL)
    card = re.sub(r"\A\s*# .*\n", "", card)
    card = re.sub(r"^```\w*\n(.*)\n```$", r"`\1`", card, flags=re.MULTILINE)  # else can't wrap
    card = re.sub(r"^(#+) ", r"#\1 ", card, flags=re.MULTILINE)
    return re.sub(r"(?<!!)\[([^\]\n]+)\]\((?!https?://)[^)\n]*\)", r"\1", card)


def again(report: Report) -> None:
    """How to ask it all again, and what this report was made with."""
    st.header("Ask it again yourself", anchor=False)
    st.markdown(
        "The public data sets are named in docs/data.md. The same data and seeds give the same "
        "figures."
    )
    st.code(RUN, language=None, wrap_lines=True)
    header = report.header
    with st.expander("Seeds, versions and data of this report", key="made-with"):
        names = ("part", "splits", "seed", "command", "checks", "missing data", "versions")
        st.markdown(
            "\n".join(
                f"- {name.capitalize()}: {escape(_flat(header[name]))}"
                for name in names
                if header.get(name) not in (None, "", [])
            )
        )
        if isinstance(header.get("data"), dict):
            table(
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
