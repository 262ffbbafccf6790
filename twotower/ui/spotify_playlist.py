"""Save what the neighbours play as a playlist in the visitor's Spotify account."""

from collections.abc import Sequence

import streamlit as st

from twotower.core.domain import Neighbour, Profile
from twotower.core.errors import LoginExpired
from twotower.core.jobs import Job
from twotower.matching.discoveries import rank_discoveries
from twotower.sources.spotify.playlist import MOST_ARTISTS, TRACKS_EACH, SavedPlaylist
from twotower.ui import components, spotify, spotify_session
from twotower.ui.text import escape, list_names, pluralise
from twotower.web import oauth

ARTISTS_NAMED = 8


def show_playlist(closest: Sequence[Neighbour], mine: Profile) -> None:
    """Show the button that makes the playlist, or a link to allow it; nothing if sign-in is off."""
    if not oauth.session_store().is_open:
        return
    artists = [each.artist for each in rank_discoveries(closest, mine, MOST_ARTISTS)]
    session, job = spotify_session.current(), spotify_session.saving()
    is_allowed = session is not None and spotify_session.may_save(session)
    with st.expander("Save as a Spotify playlist", expanded=is_allowed, key="spotify-save"):
        if not artists:
            st.write("Your neighbours play nothing that you don't.")
        elif job is not None and job.is_running:
            _progress()
        else:
            with st.container(key="spotify-result"):  # may be empty; the link keeps its place
                if job is not None:
                    _result(job)
            _offer(artists, is_allowed=is_allowed, is_repeat=job is not None)


def _offer(artists: Sequence[str], *, is_allowed: bool, is_repeat: bool) -> None:
    st.markdown(
        f"A private playlist in your account: {TRACKS_EACH} tracks each of "
        f"{pluralise(len(artists), 'artist')} your neighbours play and you don't. "
        f":gray[{list_names(artists, ARTISTS_NAMED)}]"
    )
    if is_allowed:
        st.button(
            "Make another" if is_repeat else "Make the playlist",
            key="spotify-make",
            icon=":material/playlist_add:",
            on_click=spotify_session.begin_saving,
            args=(artists,),
        )
        return
    components.note(
        "Spotify asks you to let this app make private playlists. Then you come back here. We "
        "don't read your music for it."
    )
    spotify.show_link(oauth.SAVE, "Allow it at Spotify")


@st.fragment(run_every=components.REFRESH_S)
def _progress() -> None:
    components.show_progress(
        spotify_session.saving(),
        "Waiting for Spotify",
        stop="Cancel",
        key="spotify-save-cancel",
        on_stop=spotify_session.cancel_saving,
    )


def _result(job: Job[SavedPlaylist]) -> None:
    saved = job.result
    if job.is_cancelled:
        st.info("Cancelled. No playlist was made.")
    elif job.error is not None:
        st.error(
            escape(spotify.as_sentence(str(job.error))) + " No playlist was made.",
            icon=":material/error:",
        )
        if isinstance(job.error, LoginExpired):
            spotify.show_link(oauth.SAVE, "Allow it at Spotify")
    elif saved is not None and saved.problem:
        st.warning(
            f"The [playlist]({saved.link}) was made, but it is still empty: "
            f"{escape(spotify.as_sentence(saved.problem))}"
        )
    elif saved is not None:
        missed = f" Spotify has no tracks of {list_names(saved.missed)}." if saved.missed else ""
        st.success(
            f"[Your playlist]({saved.link}) has {pluralise(saved.tracks, 'track')} of "
            f"{pluralise(len(saved.artists), 'artist')}.{missed}"
        )
