"""The map page: the community as points, and one person beside it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from twotower.core.domain import Listener, Neighbour
from twotower.core.errors import EmptyProfile
from twotower.core.names import artist_key
from twotower.ui import (
    components,
    neighbours,
    profile_edits,
    session,
)
from twotower.ui import (
    text as words,
)
from twotower.ui.charts import figures
from twotower.ui.text import escape

if TYPE_CHECKING:
    from twotower.community import MemberSnapshot
    from twotower.model.portrait import Portrait

LINES = 10  # neighbours joined to you
AROUND = 40  # people shown around an artist
FOUND = 4  # search results of each kind
LETTERS = 120  # of a search that are read
HEIGHT, LOW = 580, 480  # pixels; the latter leaves room to scroll past it on a phone

# In the session: "map-person" the id of the person beside the map, "map-focus" of the one that has
# a ring on it, "map-artist" a name, "map-clicked" and "map-link" the click and the link that were
# last obeyed.


@st.fragment
def explorer() -> None:
    """The map, and beside it the person that was clicked, chosen or linked to."""
    snapshot = session.matcher().snapshot()
    try:
        seen = session.portrait()
    except EmptyProfile as error:
        components.too_little(error)
        seen = None
    near = () if seen is None else session.neighbours(LINES)
    _obey_link()
    components.note(
        f"{_size(snapshot)} Near points listen alike, but no flat map can show it all: "
        f"{words.of_fifteen(session.matcher().map_reliability())} "
        f"{words.company(snapshot)} "
        + (
            "The star is you, with lines to your nearest ten. Click a point to meet the person."
            if seen
            else "Click a point to meet the person; bring some music, and you are on it too."
        )
    )
    clicked = st.session_state.get("map-ids", snapshot.ids)  # of the figure that was on the page
    st.session_state["map-ids"] = snapshot.ids
    chart, beside = st.columns([7, 4], gap="medium")
    with chart:
        event = st.plotly_chart(
            _figure(seen, near),
            key="map",
            height=LOW if components.is_phone() else HEIGHT,
            on_select="rerun",
            selection_mode="points",
            config={"scrollZoom": True, "displaylogo": False, "displayModeBar": False},
            alt=_told(len(snapshot), near),
        )
    _obey_click(event, clicked)
    with beside:
        _search()
        _nearest(near)
        _person(near, seen)


def _show(listener_id: str, *, ring: bool = True) -> None:
    """Put a person beside the map, and into the address of the page."""
    st.session_state["map-person"] = st.session_state["map-link"] = listener_id
    st.query_params["listener"] = listener_id
    if ring:  # changes the figure, and that drops the selection on it
        st.session_state["map-focus"] = listener_id


def _obey_link() -> None:
    linked = st.query_params.get("listener", "")
    if linked and linked != st.session_state.get("map-link"):
        _show(linked)


def _obey_click(event: Any, ids: Sequence[str]) -> None:
    """Show the person whose point was selected since the last run."""
    told: Any = -1
    for point in event.selection.points:
        told = point.get("customdata", -1)
        told = told[0] if isinstance(told, list) else told
    new = told != st.session_state.get("map-clicked")
    st.session_state["map-clicked"] = told
    if new and isinstance(told, str):
        _show(told, ring=False)
    elif new and 0 <= int(told) < len(ids):
        _show(ids[int(told)], ring=False)


def _figure(seen: "Portrait | None", near: tuple[Neighbour, ...]) -> Any:
    """The same figure until something on it changes, so that a click leaves the selection alone."""
    matcher = session.matcher()
    snapshot = matcher.snapshot()
    artist = st.session_state.get("map-artist")
    focus = st.session_state.get("map-focus", "")
    now = (matcher.version, snapshot.seq, artist, focus, session.own_id())
    drawn, of, known = st.session_state.get("map-drawn", (None, None, None))
    if drawn == now and of is seen:
        return known
    around: tuple[Neighbour, ...] = ()
    if artist:
        around = matcher.neighbours(matcher.portrait(profile_edits.picked(artist)), AROUND)
    figure = figures.taste_map(
        snapshot.places,
        matcher.areas(),
        you=matcher.place(seen, own=session.own_id()) if seen else None,
        neighbours=_spots([each.listener.id for each in near]),
        around=_spots([each.listener.id for each in around]),
        focus=next(iter(_spots([focus])), None),
        compact=components.is_phone(),
    )
    st.session_state["map-drawn"] = (now, seen, figure)
    return figure


def _spots(ids: list[str]) -> list[figures.Spot]:
    """Those of `ids` who are on the map."""
    return [
        figures.Spot(each.id, *each.place, _named(each))
        for each in session.matcher().people(ids)
        if each.place is not None
    ]


def _named(person: Listener) -> str:
    """The pseudonym, and whether there is no real person behind it."""
    return f"{person.name} (invented)" if person.is_synthetic else person.name


def _size(snapshot: "MemberSnapshot") -> str:
    drawn = min(len(snapshot), figures.MOST_DRAWN)
    if drawn == snapshot.total:
        return f"{snapshot.total:,} people."
    return f"{snapshot.total:,} people, of whom {drawn:,}, drawn by lot, are points."


def _told(size: int, near: tuple[Neighbour, ...]) -> str:
    told = f"Scatter map of {size:,} listeners"
    if near:
        told += ", with you and lines to " + ", ".join(each.listener.name for each in near)
    return told


def _search() -> None:
    """People by pseudonym, and artists, whose listeners then stand out."""
    text = st.text_input(
        "Find a person or an artist",
        key="map-search",
        type="search",
        live="200ms",
        placeholder="A name",
    )
    wanted = (text or "").strip()[:LETTERS]
    if wanted:
        found = session.matcher().named_like(wanted, FOUND)
        artists = session.matcher().catalogue.search(wanted, FOUND)
        with st.container(horizontal=True, gap="xsmall", key="map-found"):
            for artist in artists:
                st.button(
                    escape(artist),
                    key=f"map-artist-{artist_key(artist)}",
                    icon=":material/music_note:",
                    on_click=_choose_artist,
                    args=(artist,),
                )
            for person in found:
                st.button(
                    escape(_named(person)),
                    key=f"map-person-{person.id}",
                    icon=":material/person:",
                    on_click=_choose_person,
                    args=(person.id,),
                )
        if not artists and not found:
            components.note(f"Nobody and nothing like “{escape(wanted)}”.")
    if chosen := st.session_state.get("map-artist"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"Rings: the {AROUND} people nearest to **{escape(chosen)}**", width="stretch"
            )
            st.button(
                "Clear",
                key="map-clear",
                icon=":material/close:",
                type="tertiary",
                on_click=_choose_artist,
                args=(None,),
            )


def _choose_artist(name: str | None) -> None:
    st.session_state["map-artist"] = name
    st.session_state["map-search"] = ""


def _choose_person(listener_id: str) -> None:
    _show(listener_id)
    st.session_state["map-search"] = ""


def _nearest(near: tuple[Neighbour, ...]) -> None:
    """The visitor's neighbours by name, for whoever doesn't click on points."""
    if near:
        labels = {
            each.listener.id: f"{each.rank}. {each.listener.name}"
            + " (invented)" * each.listener.is_synthetic
            for each in near
        }
        st.selectbox(
            "Your nearest people",
            list(labels),
            format_func=lambda id: labels[id],
            index=None,
            placeholder="Choose one",
            key="map-near",
            on_change=_choose_near,
        )


def _choose_near() -> None:
    if chosen := st.session_state["map-near"]:
        _show(chosen)


def _person(near: tuple[Neighbour, ...], seen: "Portrait | None") -> None:
    """The person chosen last; before that, the nearest neighbour."""
    chosen = st.session_state.get("map-person") or (near[0].listener.id if near else "")
    if not chosen:
        st.markdown(":material/ads_click: Nobody chosen yet: click a point, or search by name.")
        return
    person = session.matcher().person(chosen)
    if person is None:
        st.markdown(":material/person_off: This person isn't in the community, or has left it.")
        return
    match = next((each for each in near if each.listener.id == chosen), None)
    if chosen == session.own_id():
        components.note("This is you, as others see you.")
    neighbours.person_card(person, mine=_shared(person, seen), match=match)


def _shared(person: Listener, seen: "Portrait | None") -> list[str]:
    if seen is None:
        return []
    mine = seen.profile.artists
    return [name for name, _ in person.artists if artist_key(name) in mine]
