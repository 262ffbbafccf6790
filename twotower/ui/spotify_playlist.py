"""Taking home what the neighbours hear, as a playlist in one's own Spotify account."""

from collections.abc import Sequence

import streamlit as st

from twotower.core.domain import Neighbour, Profile
from twotower.core.errors import LoginExpired
from twotower.core.jobs import Job
from twotower.matching.discoveries import discoveries
from twotower.sources.spotify.playlist import MOST_ARTISTS, TRACKS_EACH, Saved
from twotower.ui import components, spotify, spotify_session, text
from twotower.ui.text import escape
from twotower.web import oauth


def saver(neighbours: Sequence[Neighbour], mine: Profile) -> None:
    """Where the door is open: make the playlist, or ask Spotify to allow it first."""
    if not oauth.session_store().is_open:
        return
    artists = [each.artist for each in discoveries(neighbours, mine, MOST_ARTISTS)]
    now, job = spotify_session.current(), spotify_session.saving()
    allowed = now is not None and spotify_session.may_save(now)
    with st.expander(
        "Take it home as a Spotify playlist",
        expanded=allowed,
        key="spotify-save",
    ):
        if not artists:
            st.write("Your neighbours hear nothing that you don't: there is nothing to take home.")
        elif job is not None and job.is_running:
            _progress()
        else:
            if job is not None:
                _how_it_went(job)
            _offer(artists, allowed=allowed, again=job is not None)


def _offer(artists: Sequence[str], *, allowed: bool, again: bool) -> None:
    st.markdown(
        f"A private playlist in your account: {TRACKS_EACH} tracks each of "
        f"{text.amount(len(artists), 'artist')} that your neighbours hear and you don't. "
        f":gray[{text.names(artists, 8)}]"
    )
    if allowed:
        st.button(
            "Make another" if again else "Make the playlist",
            key="spotify-make",
            icon=":material/playlist_add:",
            on_click=spotify_session.begin_saving,
            args=(artists,),
        )
        return
    components.note(
        "Spotify will ask you to allow this app to make private playlists, and you come back here. "
        "Nothing of your music there is read for it."
    )
    spotify.link(oauth.SAVE, "Allow it at Spotify")


@st.fragment(run_every=components.REFRESH_S)
def _progress() -> None:
    components.under_way(
        spotify_session.saving(),
        "Asking Spotify",
        stop="Cancel",
        key="spotify-save-cancel",
        on_stop=spotify_session.cancel_saving,
    )


def _how_it_went(job: Job[Saved]) -> None:
    saved = job.result
    if job.is_cancelled:
        st.info("Cancelled: no playlist was made.")
    elif job.error is not None:
        st.error(
            escape(spotify.sentence(str(job.error))) + " No playlist was made.",
            icon=":material/error:",
        )
        if isinstance(job.error, LoginExpired):
            spotify.link(oauth.SAVE, "Allow it at Spotify")
    elif saved is not None and saved.problem:
        st.warning(
            f"The [playlist]({saved.link}) was made, but it is still empty: "
            f"{escape(spotify.sentence(saved.problem))}"
        )
    elif saved is not None:
        missed = f" Spotify found nothing of {text.names(saved.missed)}." if saved.missed else ""
        st.success(
            f"[Your playlist]({saved.link}) has {text.amount(saved.tracks, 'track')} of "
            f"{text.amount(len(saved.artists), 'artist')}.{missed}"
        )
