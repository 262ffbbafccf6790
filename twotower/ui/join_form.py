"""The form for joining and for changing a membership, with a preview of what others see."""

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from twotower.community import MemberRecord, membership
from twotower.community.membership import MAX_VISIBLE, JoinRequest
from twotower.community.pseudonyms import MAX_LENGTH
from twotower.core.domain import Artist
from twotower.core.errors import TwoTowerError
from twotower.core.names import artist_key
from twotower.ui import components
from twotower.ui.model_cache import matcher
from twotower.ui.neighbours import PERSON_ARTISTS, show_person
from twotower.ui.state import (
    JOIN_ARTISTS,
    JOIN_FINDABLE,
    JOIN_NAME,
    JOIN_TRAINING,
    visitor_state,
)
from twotower.ui.text import capitalise, escape, pluralise

if TYPE_CHECKING:
    from twotower.model.portrait import Portrait

CHOSEN_FIRST = 30  # artists that are chosen to begin with
OFFERED = 1000  # artists to choose from, the most played
FINDABLE = "Let others find me"
TRAINING = "Use my music to improve the model"


def show_join_form(portrait: "Portrait | None", record: MemberRecord | None) -> JoinRequest:
    """Show the choices, filled in from `record` if there is one, and return what was chosen.

    Without `portrait` the artists to choose from are those of `record`.
    """
    names = _choosable(portrait, record)
    _fill_in(list(names), portrait, record)
    findable = st.checkbox(FINDABLE, key=JOIN_FINDABLE, persist_state="session")
    components.note(
        "Under a made-up name, with artists you choose. Change or leave at any time with your code."
    )
    name, artists = "", []
    if findable:
        name = _name_field()
        artists = _artist_field(names)
    training = st.checkbox(TRAINING, key=JOIN_TRAINING, persist_state="session")
    components.note(
        "We then store your artists with play counts, genres and sound, at most 5,000. That "
        "includes artists you don't show. No songs, playlists, dates or names. Nobody sees it."
    )
    return JoinRequest(name.strip(), tuple(artists), findable, training)


def _choosable(portrait: "Portrait | None", record: MemberRecord | None) -> dict[str, str]:
    """Return the artists that may be shown, key -> name."""
    artists: Sequence[Artist] = ()
    if portrait is not None:
        artists = matcher().membership.showable_artists(portrait)[:OFFERED]
    elif record is not None:
        artists = membership.visible_artists(record)
    return {artist_key(artist.name): artist.name for artist in artists}


def _fill_in(keys: list[str], portrait: "Portrait | None", record: MemberRecord | None) -> None:
    """Fill the form in when it is about another profile or another membership than before."""
    widgets, state = st.session_state, visitor_state().membership
    member_id = None if record is None else record.id
    subject = (member_id, None if portrait is None else id(portrait.profile))
    previous, state.form_subject = state.form_subject, subject
    if previous == subject and JOIN_FINDABLE in widgets:
        widgets[JOIN_ARTISTS] = [key for key in widgets.get(JOIN_ARTISTS, []) if key in keys]
        return
    if record is None:
        is_same_member = previous is not None and previous[0] is None
        if not is_same_member:
            widgets[JOIN_FINDABLE] = widgets[JOIN_TRAINING] = False
        widgets[JOIN_ARTISTS] = keys[:CHOSEN_FIRST]
        if not is_same_member or not widgets.get(JOIN_NAME):
            _suggest_name()
        return
    shown = [artist_key(name) for name, _ in record.listener.artists]
    widgets[JOIN_FINDABLE], widgets[JOIN_TRAINING] = record.findable, record.training
    widgets[JOIN_ARTISTS] = [key for key in shown if key in keys] or keys[:CHOSEN_FIRST]
    if record.listener.name:
        widgets[JOIN_NAME] = record.listener.name
    else:
        _suggest_name()


def _name_field() -> str:
    field, button = st.columns([3, 2], vertical_alignment="bottom")
    name = field.text_input(
        "Name others see",
        key=JOIN_NAME,
        max_chars=2 * MAX_LENGTH,
        help="Don't use a name people know you by.",
        persist_state="session",
    )
    button.button(
        "Suggest another",
        key="join-suggest",
        icon=":material/casino:",
        on_click=_suggest_name,
        width="stretch",
    )
    return name or ""


def _suggest_name() -> None:
    seed = secrets.randbits(32)
    st.session_state[JOIN_NAME] = matcher().membership.suggest_name(seed)


def _artist_field(names: dict[str, str]) -> list[str]:
    chosen = st.multiselect(
        "Artists others can see",
        list(names),
        format_func=lambda key: names.get(key, key),
        key=JOIN_ARTISTS,
        max_selections=MAX_VISIBLE,
        placeholder="Find one of your artists",
        help="Only artists the model knows can be shown. What you leave out isn't stored or used.",
        persist_state="session",
    )
    with st.container(horizontal=True, gap="small"):
        most = list(names)[:MAX_VISIBLE]
        top = f"Choose the {len(most)} most played"
        st.button(top, key="join-all", on_click=_choose, args=(most,))
        st.button("Choose none", key="join-none", on_click=_choose, args=([],))
    return chosen


def _choose(keys: list[str]) -> None:
    st.session_state[JOIN_ARTISTS] = keys


def show_preview(
    portrait: "Portrait | None", request: JoinRequest, record: MemberRecord | None
) -> None:
    """Show the card that others will see, or the reason why there is none."""
    st.subheader("What others will see", anchor=False)
    if not request.findable:
        st.markdown(":material/visibility_off: Nothing. You appear on nobody's list or map.")
        return
    try:
        if portrait is not None:
            own = None if record is None else record.id
            listener = matcher().membership.preview(portrait, request, own=own)
        elif record is not None:
            listener = matcher().membership.preview_change(record, request)
        else:
            return
    except TwoTowerError as error:
        st.warning(escape(capitalise(error.message)), icon=":material/edit:")
        return
    show_person(listener, key="preview")
    count = len(listener.artists)
    first = f" The card names the first {PERSON_ARTISTS}." if count > PERSON_ARTISTS else ""
    place = " You are a point on the map, too." if listener.place else ""
    components.note(
        f"You show {pluralise(count, 'artist')}.{first} Others see each artist's share of these. "
        f"They never see how often or when you played.{place}"
    )
