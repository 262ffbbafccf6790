"""The visitor's profile, portrait and neighbours, and the changes that the visitor makes.

A profile is in the visitor's own session and nowhere else.
"""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from twotower.bundle.demos import DEMOS, EARLIER_DEMOS
from twotower.core.domain import DEMO, Neighbour, Profile
from twotower.core.errors import EmptyProfile
from twotower.ui import components, profile_edits, url_state
from twotower.ui.model_cache import matcher
from twotower.ui.state import NeighbourList, Step, visitor_state

if TYPE_CHECKING:
    from twotower.model.portrait import Portrait

MOST_STEPS = 30  # that can be undone


def demos() -> tuple[Profile, ...]:
    """Return the demo profiles that are shown. They need no model."""
    return DEMOS


def profile() -> Profile | None:
    """Return the visitor's profile, None before there is one."""
    return visitor_state().profile


def restore() -> None:
    """Read the profile in the page's address once, and keep the address up to date."""
    state = visitor_state()
    if not state.is_restored:
        state.is_restored = True
        demo = st.query_params.get(url_state.DEMO_PARAM)
        artists = st.query_params.get_all(url_state.ARTIST)
        if demo or artists:
            linked = (*demos(), *EARLIER_DEMOS)
            state.profile = url_state.from_query(
                demo, artists, demos=linked, catalogue=matcher().catalogue
            )
    _update_address()


def _update_address() -> None:
    """Bring the page's address, and what a sign-in takes along, in line with the profile."""
    parked = visitor_state().spotify.parked
    if parked is not None:
        parked.value = profile()
    query = url_state.to_query(profile())
    for name in (url_state.DEMO_PARAM, url_state.ARTIST):
        if st.query_params.get_all(name) != query.get(name, []):
            if name in query:
                st.query_params[name] = query[name]
            else:
                st.query_params.pop(name, None)


def portrait() -> "Portrait | None":
    """Return the visitor's profile as the active model sees it, None without a profile.

    Raises EmptyProfile if the model knows too little of it.
    """
    state = visitor_state()
    if state.profile is None:
        return None
    model = matcher()
    is_current = (
        state.portrait is not None
        and state.portrait.profile is state.profile
        and state.portrait_version == model.version  # vectors of two models are never compared
    )
    if not is_current:
        state.portrait = model.portrait(state.profile)
        state.profile = state.portrait.profile  # credits of several artists are split
        state.portrait_version = model.version
    return state.portrait


def require_portrait() -> "Portrait":
    """Return the visitor's portrait; without one, end the page with a link to the start."""
    matcher()
    try:
        current = portrait()
    except EmptyProfile as error:
        components.show_too_little(error)
        st.stop()
    if current is None:
        components.show_empty()
        st.stop()
    return current


def neighbours(count: int) -> tuple[Neighbour, ...]:
    """Return the visitor's `count` closest people, best first; empty without a profile.

    The last list is reused until the portrait or the community changes, or more are needed.
    """
    state, current = visitor_state(), portrait()
    if current is None:
        return ()
    seq, own = matcher().snapshot().seq, own_id()
    last = state.neighbours
    if (
        last is None
        or last.portrait is not current
        or (last.seq, last.own_id) != (seq, own)
        or last.count < count
    ):
        ranked = matcher().neighbours(current, count, own=own)
        last = state.neighbours = NeighbourList(current, seq, own, count, ranked)
    return last.neighbours[:count]


def own_id() -> str | None:
    """Return the visitor's id in the community, None if this session knows of no membership."""
    member = visitor_state().membership.member
    return None if member is None else member.id


# Changes


def set_profile(new: Profile | None, message: str, *, is_edit: bool = False) -> None:
    """Make `new` the visitor's profile, in a step that can be undone.

    With `is_edit`, `new` is a small change of the current profile: the step then has the cosine
    between the vectors before and after.
    """
    state = visitor_state()
    before = state.profile
    if before is None and new is None:
        return
    old_vector = _user_vector() if is_edit else None
    state.profile = new
    new_vector = _user_vector() if is_edit else None
    cosine = None
    if old_vector is not None and new_vector is not None:
        cosine = float(np.dot(old_vector, new_vector))
    state.steps.append(Step(message, before, cosine))
    del state.steps[:-MOST_STEPS]
    _update_address()


def _user_vector() -> np.ndarray | None:
    """Return the unit user vector (D,), None if the model knows too little."""
    try:
        current = portrait()
    except EmptyProfile:
        return None
    return None if current is None else current.user_vector


def last_step() -> Step | None:
    """Return the step that `undo` would undo."""
    steps = visitor_state().steps
    return steps[-1] if steps else None


def undo() -> None:
    """Undo the last step, if there is one."""
    state = visitor_state()
    if state.steps:
        state.profile = state.steps.pop().before
        _update_address()


def start_over() -> None:
    """Begin without a profile; this can be undone."""
    set_profile(None, "Started over")


def forget_everything() -> None:
    """Forget the visitor's music for good; see `VisitorState.clear`."""
    visitor_state().clear()
    _update_address()


def add_artist(name: str) -> None:
    """Add an artist to the profile; in place of a demo, begin a new profile with it."""
    current = profile()
    if current is None or current.origin == DEMO:
        set_profile(profile_edits.picked(name), f"Picked {name}")
    elif current.origin != profile_edits.PICKED or len(current.artists) < profile_edits.MOST_PICKED:
        set_profile(profile_edits.with_artist(current, name), f"Added {name}", is_edit=True)


def remove_artist(key: str) -> None:
    """Remove an artist from the profile, if it is there."""
    current = profile()
    if current is not None and key in current.artists:
        message = f"Removed {current.artists[key].name}"
        set_profile(profile_edits.without_artist(current, key), message, is_edit=True)


def set_liking(key: str, word: str) -> None:
    """Change how much an artist counts; `word` is a key of `LIKING`."""
    current = profile()
    if current is not None and key in current.artists:
        message = f"Changed how much {current.artists[key].name} counts"
        set_profile(profile_edits.with_liking(current, key, word), message, is_edit=True)
