"""The visitor's Spotify session: sign-in, reading music, saving a playlist."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from twotower.core.domain import SPOTIFY_WEB_API, Profile
from twotower.core.errors import LoginExpired, TwoTowerError
from twotower.core.jobs import Job
from twotower.sources.profiles import build_profile
from twotower.sources.spotify.api import READ_SCOPES, SAVE_SCOPES, SpotifyClient
from twotower.sources.spotify.playlist import SavedPlaylist, save_playlist
from twotower.sources.spotify.profile import SpotifyReading, read_spotify
from twotower.ui import visitor
from twotower.ui.state import visitor_state
from twotower.web import oauth
from twotower.web.oauth_sessions import ParkedProfile, Session

PROFILE_ID = "spotify"  # of a profile that was read by signing in
READING, SAVING = "reading", "saving"  # jobs of a session
DELETED = "What was read from Spotify is deleted from this page and this server."
NOTICES = {  # outcome of a sign-in or sign-out -> (kind of message, text)
    oauth.MAY_SAVE: ("success", "You can make the playlist now, below."),
    oauth.DENIED: ("info", "You said no at Spotify, so nothing was read."),
    oauth.EXPIRED: (
        "warning",
        "That sign-in is no longer valid. It took more than ten minutes, was used before, or "
        "began in another browser. Nothing was read. Try again.",
    ),
    oauth.FAILED: (
        "warning",
        "Spotify didn't complete the sign-in. Nothing was read. Try again in a few minutes.",
    ),
    oauth.REFUSED: (
        "error",
        "Spotify doesn't accept this server's registration. If you run this server: compare "
        "`SPOTIPY_CLIENT_ID` and `SPOTIPY_REDIRECT_URI` with Spotify's developer dashboard.",
    ),
    oauth.BUSY: (
        "warning",
        "Too many sign-ins at once. Nothing was read. Try again in a few minutes.",
    ),
    oauth.CLOSED: ("info", "Spotify sign-in isn't set up on this server."),
    oauth.WRONG_HOST: (
        "error",
        "Spotify knows this server under another address. If you run this server: let the proxy "
        "pass the original `Host`, the one in `SPOTIPY_REDIRECT_URI`.",
    ),
    oauth.SIGNED_OUT: ("success", f"You are signed out. {DELETED}"),
    oauth.DISCONNECTED: (
        "success",
        f"Disconnected, in every browser. {DELETED} You can also take back your permission: "
        "remove this app on [Spotify's page of apps](https://www.spotify.com/account/apps/).",
    ),
}


def current() -> Session | None:
    """Return the session of this browser. Looked up each time: another tab may have ended it."""
    store = oauth.session_store()
    return store.find_session(_cookie(store.session_cookie))


def was_signed_in() -> bool:
    """Return whether the browser's cookie names a session that has ended."""
    return _cookie(oauth.session_store().session_cookie) is not None and current() is None


def _cookie(name: str) -> str | None:
    value = st.context.cookies.get(name)
    return value if isinstance(value, str) else None


def synchronise() -> None:
    """Bring the visitor's profile in line with the session: use what was read, drop what ended."""
    session, state = current(), visitor_state().spotify
    _restore_parked(session)
    _handle_return(session)
    last_label = state.session_label
    if last_label is not None and (session is None or session.label != last_label):
        state.session_label = None
        if visitor_state().forget(came_by_signing_in):
            state.outcome = oauth.SIGNED_OUT
    job = reading()
    if session is not None and job is not None and job.result is not None:
        is_new_here = visitor.profile() is None and session.label != last_label
        if state.use_when_read or is_new_here:
            use_reading()


def _handle_return(session: Session | None) -> None:
    """Note the outcome in the address, once; after a sign-in to read, begin to read."""
    outcome = st.query_params.get(oauth.OUTCOME)
    if outcome is None:
        return
    del st.query_params[oauth.OUTCOME]
    state = visitor_state().spotify
    state.outcome = outcome
    if outcome == oauth.MAY_READ and session is not None and may_read(session):
        state.use_when_read = True
        begin_reading()


def _restore_parked(session: Session | None) -> None:
    """Restore the profile that the visitor had before going to Spotify."""
    ticket = st.query_params.get(oauth.TICKET)
    if ticket is None:
        return
    del st.query_params[oauth.TICKET]
    store = oauth.session_store()
    parked = store.claim(_cookie(store.browser_cookie), ticket)
    if not isinstance(parked, Profile) or visitor.profile() is not None:
        return
    if came_by_signing_in(parked):
        if session is None or session.get(READING) is None:
            return  # signed out since, or another account
        visitor_state().spotify.session_label = session.label
    visitor.set_profile(parked, "Came back from Spotify")


def sign_in_address(purpose: str) -> str:
    """Return the address of a sign-in; the current profile is parked until the return.

    It is the same whenever a page of this session runs: a link that is drawn again at the moment
    of a click swallows it.
    """
    state = visitor_state().spotify
    if state.parked is None:
        state.parked = ParkedProfile(None)
        state.ticket = oauth.session_store().park(state.parked)
    state.parked.value = visitor.profile()
    return f"/login?{urlencode({'for': purpose, oauth.TICKET: state.ticket})}"


def came_by_signing_in(profile: Profile) -> bool:
    """Return whether a profile was read by signing in to Spotify."""
    return profile.id == PROFILE_ID and profile.origin == SPOTIFY_WEB_API


def may_read(session: Session) -> bool:
    """Return whether the visitor allowed to read their music."""
    return READ_SCOPES[0] in session.scopes


def may_save(session: Session) -> bool:
    """Return whether the visitor allowed to make private playlists."""
    return SAVE_SCOPES[0] in session.scopes


def show_notice() -> None:
    """Show once how a sign-in or sign-out ended."""
    state = visitor_state().spotify
    kind, text = NOTICES.get(state.outcome, ("", ""))
    state.outcome = ""
    if kind:
        show = {"info": st.info, "warning": st.warning, "error": st.error, "success": st.success}
        show[kind](text)


# Reading


def reading() -> Job[SpotifyReading] | None:
    """Return the job that reads the visitor's music: running, done, failed or cancelled."""
    session = current()
    job: Job[SpotifyReading] | None = None if session is None else session.get(READING)
    return job


def begin_reading() -> None:
    """Read the visitor's music, unless a job does or did."""
    session = current()
    if session is not None:
        with suppress(LoginExpired):
            session.get_or_create(READING, lambda: Job(lambda job: _read(session, job)))


def read_again() -> None:
    """Read the visitor's music once more."""
    session = current()
    if session is not None:
        session.remove(READING)
        visitor_state().spotify.use_when_read = True
        begin_reading()


def cancel_reading() -> None:
    """Cancel the job that reads, if there is one."""
    job = reading()
    if job is not None:
        job.cancel()


def _read(session: Session, job: Job[SpotifyReading]) -> SpotifyReading:
    no_audio = oauth.session_store().no_audio
    result = read_spotify(_web(session, job), job.report, no_audio=no_audio)
    session.account = result.account
    return result


def use_reading() -> None:
    """Make what was read the visitor's profile."""
    session, job, state = current(), reading(), visitor_state().spotify
    state.use_when_read, state.problem = False, ""
    if session is None or job is None or job.result is None:
        return
    state.session_label = session.label
    try:
        visitor.set_profile(profile_of(job.result), "Read from Spotify")
    except TwoTowerError as error:
        state.problem = str(error)


def profile_of(reading: SpotifyReading) -> Profile:
    """Return the profile of what was read; its origin forbids storing it and training with it."""
    return build_profile(reading.plays, id=PROFILE_ID, origin=SPOTIFY_WEB_API)


def links() -> dict[str, str]:
    """Return artist key -> page at Spotify, if the profile was read by signing in."""
    profile, job = visitor.profile(), reading()
    if profile is None or not came_by_signing_in(profile) or job is None or job.result is None:
        return {}
    return dict(job.result.links)


def forget_everything() -> None:
    """Forget all music, from whatever source. The visitor stays signed in."""
    session = current()
    if session is not None:
        session.remove(READING)
    visitor.forget_everything()


# Saving a playlist


def saving() -> Job[SavedPlaylist] | None:
    """Return the job that makes a playlist: running, done, failed or cancelled."""
    session = current()
    job: Job[SavedPlaylist] | None = None if session is None else session.get(SAVING)
    return job


def begin_saving(artists: Sequence[str]) -> None:
    """Make a playlist in the visitor's account, unless one is being made."""
    session, job = current(), saving()
    if session is None or (job is not None and job.is_running):
        return
    session.remove(SAVING)
    with suppress(LoginExpired):
        session.get_or_create(SAVING, lambda: Job(lambda job: _save(session, job, artists)))


def cancel_saving() -> None:
    """Cancel the job that makes a playlist, if there is one."""
    job = saving()
    if job is not None:
        job.cancel()


def _save(session: Session, job: Job[SavedPlaylist], artists: Sequence[str]) -> SavedPlaylist:
    return save_playlist(
        _web(session, job),
        job.report,
        title=f"Musical Neighbours, {date.today():%d %b %Y}",
        description="What people with taste like mine play and I don't yet.",
        artists=artists,
    )


def _web(session: Session, job: Job[Any]) -> SpotifyClient:
    registration = oauth.session_store().registration
    if registration is None:
        raise LoginExpired("Spotify sign-in isn't set up on this server any more")
    return SpotifyClient(registration, session.access, pause=job.pause)
