"""Parts of the page Neighbours: the list, its summary, and what the neighbours play.

The cards of people are also on the pages Map and Community.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from twotower.core.csv_files import csv_text, joined
from twotower.core.domain import Listener, Neighbour, Profile
from twotower.core.names import artist_key
from twotower.matching.discoveries import Discovery, rank_discoveries
from twotower.matching.playlist_files import search_links, to_csv, to_m3u, to_xspf
from twotower.ui import auto_refresh, visitor
from twotower.ui.components import COMMUNITY, MAP, note
from twotower.ui.model_cache import matcher
from twotower.ui.state import COUNT
from twotower.ui.text import (
    describe_closeness,
    describe_confidence,
    describe_missing,
    describe_synthetic,
    describe_weak_match,
    escape,
    list_names,
    pluralise,
)

if TYPE_CHECKING:
    from twotower.model.portrait import Portrait

SHARED_SHOWN, NEW_SHOWN, COMMON_SHOWN = 6, 6, 8  # artists: on a card, and above the cards
PERSON_ARTISTS, PERSON_GENRES = 12, 4
DISCOVERIES_SHOWN = 12
PLAYLIST_TITLE = "What my musical neighbours play"
SYNTHETIC_HELP = "Not a real person. Made by the model, so the app isn't empty on day one."
MEMBER_HELP = "A real person under a made-up name, who chose what you see."
CLOSENESS_HELP = (
    "Measured on all pairs of people here. You both see the same number. "
    "People who are close to everyone count a little less. It orders this list."
)


# The list


def choose_neighbours() -> tuple[Neighbour, ...]:
    """Show the controls of the list, and return as many neighbours as the visitor chose."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        count = st.slider(
            "How many", 5, 50, 10, step=5, key=COUNT, width=420, persist_state="session"
        )
        closest = visitor.neighbours(count)
        st.download_button(
            "Download CSV",
            neighbours_csv(closest),
            file_name="neighbours.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="download",
        )
    return closest


def show_ranking_summary(closest: Sequence[Neighbour], portrait: "Portrait") -> None:
    """Show the size of the list and of the community, and how sure the model is."""
    snapshot = matcher().snapshot()
    st.header(f"The {len(closest)} closest of {snapshot.total:,} people", anchor=False)
    note(
        f"{describe_weak_match(closest)} {describe_synthetic(snapshot)} "
        f"{describe_confidence(portrait)} {describe_missing(portrait)}"
    )


def show_common_artists(closest: Sequence[Neighbour], mine: Profile) -> None:
    """Show artists that several neighbours play and the visitor doesn't."""
    players: Counter[str] = Counter()
    names: dict[str, str] = {}
    for neighbour in closest:
        for name, _ in neighbour.listener.artists:
            key = artist_key(name)
            if key not in mine.artists:
                players[key] += 1
                names.setdefault(key, name)
    common = [(key, count) for key, count in players.most_common(COMMON_SHOWN) if count > 1]
    if not common:
        return
    (first, count), *others = common
    more = "".join(f", {escape(names[key])} :gray[({count})]" for key, count in others)
    st.markdown(
        f":material/lightbulb: **{count} of your {len(closest)} neighbours play** "
        f"{escape(names[first])}{more}"
    )


def show_cards(closest: Sequence[Neighbour], mine: Profile) -> None:
    """Show a card for each neighbour, in two columns."""
    grid = st.grid(2, min_column_width=320, gap="small")
    for neighbour in closest:
        card = grid.container(
            border=True,
            height="stretch",
            vertical_alignment="distribute",
            key=f"neighbour-{neighbour.rank}",
        )
        with card:
            _neighbour_card(neighbour, mine)


def link_to_community() -> None:
    """Show a link to the page where the visitor can join."""
    st.page_link(COMMUNITY, label="Let others find you", icon=":material/group_add:")


def keep_current(closest: tuple[Neighbour, ...]) -> None:
    """Rerun the page when other people become the visitor's neighbours."""
    auto_refresh.rerun_when_list_changes(closest, st.session_state[COUNT])


def neighbours_csv(closest: Sequence[Neighbour]) -> str:
    """Return the neighbours as CSV with a header."""
    header = [
        "rank",
        "id",
        "name",
        "origin",
        "similarity",
        "percentile",
        "one_in",
        "shared",
        "discover",
    ]
    rows = (
        (
            neighbour.rank,
            neighbour.listener.id,
            neighbour.listener.name,
            neighbour.listener.origin,
            f"{neighbour.similarity:.4f}",
            f"{neighbour.percentile:.2f}",
            "" if neighbour.one_in is None else f"{neighbour.one_in:.0f}",
            joined(neighbour.shared),
            joined(neighbour.discover),
        )
        for neighbour in closest
    )
    return csv_text(header, rows)


# Cards


def _heading(text: str, listener: Listener, *, level: int) -> None:
    """Show a heading and the badge that says whether the listener is a real person."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        show = st.subheader if level == 3 else st.header
        show(text, anchor=False, width="content")
        if listener.is_synthetic:
            st.badge("made up", color="gray", help=SYNTHETIC_HELP)
        else:
            st.badge("member", color="green", help=MEMBER_HELP)


def _neighbour_card(neighbour: Neighbour, mine: Profile) -> None:
    """Show a neighbour: name, similarity, shared artists, new artists."""
    listener = neighbour.listener
    with st.container(gap="xsmall"):
        _heading(f"{neighbour.rank}. {escape(listener.name)}", listener, level=3)
        st.markdown(describe_closeness(neighbour), help=CLOSENESS_HELP)
        if neighbour.shared:
            count = sum(artist_key(name) in mine.artists for name, _ in listener.artists)
            shown = neighbour.shared[:SHARED_SHOWN]
            rest = f" and {count - len(shown)} more" if count > len(shown) else ""
            st.markdown(f":material/join_inner: **You share {count:,}** {list_names(shown)}{rest}")
        else:
            st.markdown(":material/join_inner: **No artist in common**, but the same kind of music")
        if neighbour.discover:
            new = list_names(neighbour.discover[:NEW_SHOWN])
            st.markdown(f":material/explore: **New to you** {new}")
    with st.container(vertical_alignment="bottom"):
        st.page_link(
            MAP,
            label="See on the map",
            icon=":material/map:",
            query_params={"listener": listener.id},
        )


def show_person(
    listener: Listener,
    *,
    shared: Sequence[str] = (),
    match: Neighbour | None = None,
    key: str = "person",
) -> None:
    """Show a card of a person, with the artists `shared` with the visitor."""
    with st.container(border=True, key=key, gap="xsmall"):
        _heading(escape(listener.name), listener, level=2)
        if match is not None:
            st.markdown(f"Your number {match.rank} · {describe_closeness(match)}")
        if listener.genres:
            st.markdown(f":gray[{list_names(listener.genres, PERSON_GENRES)}]")
        if shared:
            st.markdown(f":material/join_inner: **You share** {list_names(shared, PERSON_ARTISTS)}")
        artists = list_names([name for name, _ in listener.artists], PERSON_ARTISTS)
        st.markdown(f":material/headphones: **Plays** {artists}")


# Discoveries


def show_discoveries(closest: Sequence[Neighbour], mine: Profile) -> None:
    """Show artists that the neighbours play and the visitor doesn't, with links and downloads."""
    artists = rank_discoveries(closest, mine)
    with st.expander("Discover what they play", key="take-home"):
        if not artists:
            st.write("Your neighbours play nothing that you don't.")
            return
        st.markdown(
            f"{pluralise(len(artists), 'artist')} your neighbours play and you don't. The closest "
            "people's come first."
        )
        _downloads(artists)
        st.markdown("\n".join(map(_discovery_line, artists[:DISCOVERIES_SHOWN])))
        if len(artists) > DISCOVERIES_SHOWN:
            note(f"{len(artists) - DISCOVERIES_SHOWN} more are in the download.")
        note(
            "These playlists hold artists, not songs. Some players find them by name; others open "
            "a YouTube search. A link tells that site what you search for."
        )


def _discovery_line(each: Discovery) -> str:
    """Return a numbered Markdown item: artist, who plays it, links."""
    links = " · ".join(
        f"[{site}]({address})" for site, address in search_links(each.artist).items()
    )
    first, *others = each.heard_by
    players = f"{escape(first)} and {len(others)} more" if others else escape(first)
    return f"1. **{escape(each.artist)}** :gray[· played by {players}]  \n   :small[{links}]"


def _downloads(artists: Sequence[Discovery]) -> None:
    with st.container(horizontal=True, gap="small"):
        for label, content, name, kind in (
            ("Download artists (CSV)", to_csv(artists), "discoveries.csv", "text/csv"),
            (
                "Download XSPF playlist",
                to_xspf(artists, PLAYLIST_TITLE),
                "discoveries.xspf",
                "application/xspf+xml",
            ),
            (
                "Download M3U playlist",
                to_m3u(artists, PLAYLIST_TITLE),
                "discoveries.m3u8",
                "audio/x-mpegurl",
            ),
        ):
            st.download_button(
                label,
                content,
                file_name=name,
                mime=kind,
                icon=":material/download:",
                on_click="ignore",
                key=f"take-{name}",
            )
