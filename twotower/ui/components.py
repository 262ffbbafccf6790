"""Parts that several pages are made of, and the one way in which names get onto a page."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from twotower.domain import Listener, Neighbour, Profile, Recognised, artist_key
from twotower.errors import IncompatibleModel, MissingData, TwoTowerError
from twotower.settings import ROOT
from twotower.sources.files import FileReport

if TYPE_CHECKING:
    from twotower.matching import Portrait

JOINER = "\u2060"  # no width, no meaning: it only keeps two characters from being read as one
INVENTED = "invented"  # origin of listeners who are no real people
SHARED, DISCOVER = 6, 6  # artists shown on a card
PICTURE = ROOT / "assets" / "hint.svg"
START, YOU, NEIGHBOURS, MAP = "start.py", "you.py", "neighbours.py", "map.py"

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_DIGRAPH = re.compile(r"(?<=[-<>~=])(?=[-<>=])")  # would become an arrow, a dash or a sign
_OPENER = re.compile(r"(:|@|www)(?=\S)", re.IGNORECASE)  # of an icon, a mail or web address


def escape(text: str) -> str:
    """`text` so that a page shows it letter for letter: no HTML, Markdown, icon, link or maths.

    Line breaks become spaces; some characters without width come in.
    """
    text = " ".join(text.split())
    text = _OPENER.sub(rf"\1{JOINER}", _DIGRAPH.sub(JOINER, text))
    return _PUNCTUATION.sub(r"\\\1", text)


def style() -> None:
    """Darkens the buttons that lead on: white on the dark theme's accent is too faint to read."""
    st.html(
        "<style>[class*='st-key-go-'] button {background-image: "
        "linear-gradient(rgb(0 0 0 / 22%), rgb(0 0 0 / 22%))}</style>"
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


def names(artists: Iterable[str], most: int | None = None) -> str:
    """Artist names as one escaped line: `Low, Codeine and 3 more`."""
    listed = list(artists)
    shown = listed if most is None or len(listed) <= most + 1 else listed[:most]
    line = ", ".join(escape(name) for name in shown)
    rest = len(listed) - len(shown)
    return f"{line} and {rest} more" if rest else line


def percent(percentile: float) -> str:
    """A percentile as it is said, never rounded up to 100: `99.2 %`, `over 99.9 %`."""
    if percentile >= 99.9:
        return "over 99.9 %"
    if percentile >= 90:
        return f"{int(percentile * 10 + 1e-6) / 10:.1f} %"
    return f"{int(percentile + 1e-6)} %"


def amount(number: float, noun: str) -> str:
    """`1 artist`, `12,345 plays`."""
    whole = round(number)
    return f"{whole:,} {noun}" if whole == 1 else f"{whole:,} {noun}s"


def evidence(recognised: Recognised) -> str:
    """What the profile rests on, in plain words."""
    size = recognised.evidence
    if size < 3:
        word = "very little to go on: a few more artists will change the picture"
    elif size < 10:
        word = "a sketch: more artists make it firmer"
    elif size < 30:
        word = "a good picture"
    else:
        word = "a full picture"
    return f"Rests on the equivalent of {amount(size, 'equally played artist')}: {word}."


def neighbours_csv(neighbours: Sequence[Neighbour]) -> str:
    """The neighbours as CSV, with a header; a cell that a spreadsheet would run is quoted."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(
        ["rank", "id", "name", "origin", "similarity", "percentile", "shared", "discover"]
    )
    for each in neighbours:
        table.writerow(
            [
                each.rank,
                each.listener.id,
                _cell(each.listener.name),
                each.listener.origin,
                f"{each.similarity:.4f}",
                f"{each.percentile:.2f}",
                _cell("; ".join(each.shared)),
                _cell("; ".join(each.discover)),
            ]
        )
    return out.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text


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


# People


def heading_line(text: str, listener: Listener | None = None, *, level: int = 3) -> None:
    """A heading and, for an invented listener, the badge that says so."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if level == 3:
            st.subheader(text, anchor=False, width="content")
        else:
            st.header(text, anchor=False, width="content")
        if listener is not None and is_invented(listener):
            st.badge(
                INVENTED,
                color="gray",
                help="Drawn from the model, not a real person: so that there is company from "
                "the first minute, and nobody's data is shown.",
            )


def is_invented(listener: Listener) -> bool:
    return listener.origin == INVENTED


def neighbour_card(neighbour: Neighbour, mine: Profile) -> None:
    """One match: who, how near, what you share and what they could show you."""
    listener = neighbour.listener
    with st.container(gap="xsmall"):
        heading_line(f"{neighbour.rank}. {escape(listener.name)}", listener)
        st.markdown(
            f"Closer to you than **{percent(neighbour.percentile)}** of random pairs "
            f":gray[· cosine {neighbour.similarity:.2f}]"
        )
        if neighbour.shared:
            count = sum(artist_key(name) in mine.artists for name, _ in listener.artists)
            shown = neighbour.shared[:SHARED]
            rest = f" and {count - len(shown)} more" if count > len(shown) else ""
            st.markdown(f":material/join_inner: **You share {count:,}** {names(shown)}{rest}")
        else:
            st.markdown(
                ":material/join_inner: **No artist in common**, yet the same corner of music"
            )
        if neighbour.discover:
            st.markdown(
                f":material/explore: **They could show you** {names(neighbour.discover[:DISCOVER])}"
            )
    with st.container(vertical_alignment="bottom"):
        st.page_link(
            MAP,
            label="See on the map",
            icon=":material/map:",
            query_params={"listener": listener.id},
        )


def person_card(
    listener: Listener, *, mine: Sequence[str] = (), match: Neighbour | None = None
) -> None:
    """A person of the community; `mine` are the visitor's artists that they share."""
    with st.container(border=True, key="person", gap="xsmall"):
        heading_line(escape(listener.name), listener, level=2)
        if match is not None:
            st.markdown(
                f"Your number {match.rank}: closer to you than "
                f"**{percent(match.percentile)}** of random pairs"
            )
        if listener.genres:
            st.markdown(f":gray[{names(listener.genres, 4)}]")
        if mine:
            st.markdown(f":material/join_inner: **You share** {names(mine, 12)}")
        st.markdown(
            f":material/headphones: **Listens to** {names([n for n, _ in listener.artists], 12)}"
        )


def undo_bar(said: str, moved: float | None, on_undo: Callable[[], None]) -> None:
    """What was changed last, how far the vector turned by it (a cosine), and the way back."""
    with st.container(horizontal=True, vertical_alignment="center", key="undo-bar"):
        st.markdown(f":small[:gray[{escape(said)}.{_turn(moved)}]]", width="content")
        st.button("Undo", key="undo", icon=":material/undo:", type="tertiary", on_click=on_undo)


def file_report(report: FileReport) -> None:
    """What was read from one file, and what was left out and why."""
    span = ""
    if report.since and report.until:
        span = f", {report.since:%b %Y} to {report.until:%b %Y}"
    st.markdown(
        f":material/description: **{escape(report.name)}** · {amount(report.plays, 'play')} of "
        f"{amount(report.artists, 'artist')}{span}"
    )
    left_out = ", ".join(f"{n:,} {escape(why)}" for why, n in report.left_out.items() if n)
    if left_out:
        note(f"Left out: {left_out}")


def hero() -> None:
    """What the app does, in one sentence and one picture."""
    words, picture = st.columns([3, 2], gap="large", vertical_alignment="center")
    with words:
        st.title("Find the people who hear music the way you do", anchor=False)
        st.markdown(
            "Bring your music, from anywhere. A trained model places you among "
            "thousands of listeners, and shows who is nearest, how near, and what they could "
            "show you. No account, nothing stored."
        )
    with picture:
        st.image(
            str(PICTURE),
            width="stretch",
            alt="A star joined by lines to the nearest of many coloured points",
        )


def download(neighbours: Sequence[Neighbour]) -> None:
    st.download_button(
        "Download CSV",
        neighbours_csv(neighbours),
        file_name="neighbours.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="download",
    )


def standing(seen: "Portrait", neighbours: Sequence[Neighbour], size: int) -> None:
    """What the list is of, and what it rests on."""
    st.header(f"The nearest {len(neighbours)} of {size:,}", anchor=False)
    note(evidence(seen.recognised))


def _turn(cosine: float | None) -> str:
    if cosine is None:
        return ""
    words = (
        "hardly moved you" if cosine > 0.995
        else "moved you a little" if cosine > 0.95
        else "moved you" if cosine > 0.8
        else "moved you far"
    )  # fmt: skip
    return f" It {words} (cosine {cosine:.3f} to where you were)."
