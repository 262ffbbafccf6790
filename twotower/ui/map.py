"""Parts of the page Map: the community as points, and one person beside it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from twotower.core.domain import Listener, Neighbour
from twotower.core.errors import EmptyProfile
from twotower.core.names import artist_key
from twotower.ui import components, profile_edits, visitor
from twotower.ui.charts import taste_map
from twotower.ui.model_cache import matcher
from twotower.ui.neighbours import show_person
from twotower.ui.state import MAP_CLOSEST, MAP_SEARCH, visitor_state
from twotower.ui.text import describe_map_reliability, describe_synthetic, escape

if TYPE_CHECKING:
    from twotower.community import MemberSnapshot
    from twotower.model.portrait import Portrait

LINES = 10  # neighbours joined to the visitor by lines
RINGS = 40  # people with rings around them, for an artist
RESULTS = 4  # of a search, of each kind
MOST_LETTERS = 120  # of a search
HEIGHT, PHONE_HEIGHT = 580, 480  # pixels; on a phone there is room to scroll past the map


@st.fragment
def show_map() -> None:
    """Show the map, and beside it the person who was clicked, chosen or named in the address."""
    snapshot = matcher().snapshot()
    try:
        portrait = visitor.portrait()
    except EmptyProfile as error:
        components.show_too_little(error)
        portrait = None
    closest = () if portrait is None else visitor.neighbours(LINES)
    _follow_link()
    components.note(_introduction(snapshot, portrait))
    state = visitor_state().map
    clickable = snapshot.ids if state.ids is None else state.ids  # rows of the figure on the page
    state.ids = snapshot.ids
    chart, beside = st.columns([7, 4], gap="medium")
    with chart:
        event = st.plotly_chart(
            _figure(portrait, closest),
            key="map",
            height=PHONE_HEIGHT if components.is_phone() else HEIGHT,
            on_select="rerun",
            selection_mode="points",
            config={"scrollZoom": True, "displaylogo": False, "displayModeBar": False},
            alt=_alternative_text(len(snapshot), closest),
        )
    _follow_click(event, clickable)
    with beside:
        _search()
        _choose_from_closest(closest)
        _person(closest, portrait)


def _introduction(snapshot: "MemberSnapshot", portrait: "Portrait | None") -> str:
    if portrait is None:
        action = "Click anyone. Bring some music, and you are on the map too."
    else:
        action = "The star is you. Lines lead to your ten closest. Click anyone."
    reliability = describe_map_reliability(matcher().map_reliability())
    return f"{_size(snapshot)} {describe_synthetic(snapshot)} {action} {reliability}"


def _size(snapshot: "MemberSnapshot") -> str:
    drawn = min(len(snapshot), taste_map.MAX_DRAWN)
    if drawn == snapshot.total:
        return f"{snapshot.total:,} people."
    return f"{snapshot.total:,} people. {drawn:,} of them, picked at random, are drawn."


def _select(listener_id: str, *, ring: bool = True) -> None:
    """Show a person beside the map, and put them into the page's address."""
    state = visitor_state().map
    state.person = state.link = listener_id
    st.query_params["listener"] = listener_id
    if ring:  # a changed figure loses its selection, so a clicked point gets no ring
        state.focus = listener_id


def _follow_link() -> None:
    """Select the person named in the address, once."""
    linked = st.query_params.get("listener", "")
    if linked and linked != visitor_state().map.link:
        _select(linked)


def _follow_click(event: Any, ids: Sequence[str]) -> None:
    """Select the person whose point was clicked since the last run."""
    state = visitor_state().map
    clicked: Any = -1  # a row, or an id for points drawn on their own
    for point in event.selection.points:
        clicked = point.get("customdata", -1)
        clicked = clicked[0] if isinstance(clicked, list) else clicked
    is_new = clicked != state.clicked
    state.clicked = clicked
    if is_new and isinstance(clicked, str):
        _select(clicked, ring=False)
    elif is_new and 0 <= int(clicked) < len(ids):
        _select(ids[int(clicked)], ring=False)


def _figure(portrait: "Portrait | None", closest: tuple[Neighbour, ...]) -> Any:
    """Return the same figure until something on it changes: a new one would lose the selection."""
    state, model = visitor_state().map, matcher()
    snapshot = model.snapshot()
    drawn = (model.version, snapshot.seq, state.artist, state.focus, visitor.own_id())
    if state.figure is not None and state.drawn == drawn and state.portrait is portrait:
        return state.figure
    around: tuple[Neighbour, ...] = ()
    if state.artist:
        around = model.neighbours(model.portrait(profile_edits.picked(state.artist)), RINGS)
    figure = taste_map.plot_map(
        snapshot.places,
        model.areas(),
        you=model.place(portrait, own=visitor.own_id()) if portrait else None,
        neighbours=_spots([each.listener.id for each in closest]),
        around=_spots([each.listener.id for each in around]),
        focus=next(iter(_spots([state.focus])), None),
        compact=components.is_phone(),
    )
    state.drawn, state.portrait, state.figure = drawn, portrait, figure
    return figure


def _spots(ids: list[str]) -> list[taste_map.Spot]:
    """Return the points of those listeners who are on the map."""
    return [
        taste_map.Spot(each.id, *each.place, _label(each))
        for each in matcher().people(ids)
        if each.place is not None
    ]


def _label(person: Listener) -> str:
    return f"{person.name} (made up)" if person.is_synthetic else person.name


def _alternative_text(size: int, closest: tuple[Neighbour, ...]) -> str:
    text = f"Scatter map of {size:,} people"
    if closest:
        text += ", with you and lines to " + ", ".join(each.listener.name for each in closest)
    return text


def _search() -> None:
    """Search people by name, and artists, whose closest people then get rings."""
    typed = st.text_input(
        "Find a person or an artist",
        key=MAP_SEARCH,
        type="search",
        live="200ms",
        placeholder="A name",
    )
    query = (typed or "").strip()[:MOST_LETTERS]
    if query:
        _results(query)
    if artist := visitor_state().map.artist:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"Rings: the {RINGS} people closest to **{escape(artist)}**", width="stretch"
            )
            st.button(
                "Clear",
                key="map-clear",
                icon=":material/close:",
                type="tertiary",
                on_click=_choose_artist,
                args=(None,),
            )


def _results(query: str) -> None:
    artists = matcher().catalogue.search(query, RESULTS)
    people = matcher().named_like(query, RESULTS)
    with st.container(horizontal=True, gap="xsmall", key="map-found"):
        for artist in artists:
            st.button(
                escape(artist),
                key=f"map-artist-{artist_key(artist)}",
                icon=":material/music_note:",
                on_click=_choose_artist,
                args=(artist,),
            )
        for person in people:
            st.button(
                escape(_label(person)),
                key=f"map-person-{person.id}",
                icon=":material/person:",
                on_click=_choose_person,
                args=(person.id,),
            )
    if not artists and not people:
        components.note(f"No person or artist matches “{escape(query)}”.")


def _choose_artist(name: str | None) -> None:
    visitor_state().map.artist = name
    st.session_state[MAP_SEARCH] = ""


def _choose_person(listener_id: str) -> None:
    _select(listener_id)
    st.session_state[MAP_SEARCH] = ""


def _choose_from_closest(closest: tuple[Neighbour, ...]) -> None:
    """Offer the neighbours by name, as an alternative to clicking on points."""
    if closest:
        labels = {each.listener.id: f"{each.rank}. {_label(each.listener)}" for each in closest}
        st.selectbox(
            "Your closest people",
            list(labels),
            format_func=lambda id: labels[id],
            index=None,
            placeholder="Choose one",
            key=MAP_CLOSEST,
            on_change=_choose_closest,
        )


def _choose_closest() -> None:
    if chosen := st.session_state[MAP_CLOSEST]:
        _select(chosen)


def _person(closest: tuple[Neighbour, ...], portrait: "Portrait | None") -> None:
    """Show the selected person, or the closest neighbour before there is one."""
    chosen = visitor_state().map.person or (closest[0].listener.id if closest else "")
    if not chosen:
        st.markdown(":material/ads_click: Click anyone, or search.")
        return
    person = matcher().person(chosen)
    if person is None:
        st.markdown(":material/person_off: This person has left.")
        return
    match = next((each for each in closest if each.listener.id == chosen), None)
    if chosen == visitor.own_id():
        components.note("This is you, as others see you.")
    show_person(person, shared=_shared(person, portrait), match=match)


def _shared(person: Listener, portrait: "Portrait | None") -> list[str]:
    if portrait is None:
        return []
    own = portrait.profile.artists
    return [name for name, _ in person.artists if artist_key(name) in own]
