"""The visitor's Spotify session: whether there is one, what is read in it, what goes with it."""

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
from twotower.sources.spotify.api import TO_READ, TO_SAVE, Web
from twotower.sources.spotify.playlist import Saved, save_playlist
from twotower.sources.spotify.profile import SpotifyReading, read_spotify
from twotower.ui import session
from twotower.web import oauth
from twotower.web.oauth_sessions import ParkedProfile, Session

SIGNED_IN = "spotify"  # id of a profile that came by signing in
READING, SAVING = "reading", "saving"  # what is kept in a session
GONE = "What was read from Spotify is gone from this page and this server."
SAID = {  # outcome of a sign-in -> kind of notice, words
    oauth.MAY_SAVE: ("success", "You may make the playlist now, below."),
    oauth.DENIED: ("info", "You said no at Spotify, so nothing was read."),
    oauth.EXPIRED: (
        "warning",
        "That sign-in couldn't be finished: it took more than ten minutes, was used before, or "
        "began in another browser. Nothing was read; try again.",
    ),
    oauth.FAILED: (
        "warning",
        "Spotify didn't answer the sign-in as it should. Nothing was read; try again in a few "
        "minutes.",
    ),
    oauth.REFUSED: (
        "error",
        "Spotify doesn't accept this server's registration. Whoever runs it should check "
        "`SPOTIPY_CLIENT_ID` and `SPOTIPY_REDIRECT_URI` against Spotify's developer dashboard.",
    ),
    oauth.CLOSED: ("info", "Spotify sign-in isn't open on this server."),
    oauth.WRONG_HOST: (
        "error",
        "This server isn't reached under the address that Spotify knows. Whoever runs it: a proxy "
        "before it must pass the original `Host` on, as `SPOTIPY_REDIRECT_URI` has it.",
    ),
    oauth.SIGNED_OUT: ("success", f"You are signed out. {GONE}"),
    oauth.DISCONNECTED: (
        "success",
        f"Disconnected, in every browser. {GONE} To take back what you allowed at Spotify, too, "
        "remove this app on [Spotify's page of apps](https://www.spotify.com/account/apps/).",
    ),
}


def current() -> Session | None:
    """The session of this visitor's browser, looked up anew: it may have ended in another tab."""
    store = oauth.session_store()
    return store.find_session(_cookie(store.session_cookie))


def was_signed_in() -> bool:
    """Whether the browser still names a session that has ended."""
    return _cookie(oauth.session_store().session_cookie) is not None and current() is None


def _cookie(name: str) -> str | None:
    found = st.context.cookies.get(name)
    return found if isinstance(found, str) else None


def keep_in_step() -> None:
    """Take in what was read, and let go of what belongs to a session that has ended."""
    now = current()
    _take_back(now)
    outcome = st.query_params.get(oauth.OUTCOME)
    if outcome is not None:
        del st.query_params[oauth.OUTCOME]
        st.session_state["signin"] = outcome
        if outcome == oauth.MAY_READ and now is not None and may_read(now):
            st.session_state["spotify-wanted"] = True
            begin_reading()
    mine = st.session_state.get("spotify-session")
    if mine is not None and (now is None or now.label != mine):
        del st.session_state["spotify-session"]
        if session.forget(came_by_signing_in):
            st.session_state["signin"] = oauth.SIGNED_OUT
    job = reading()
    if now is not None and job is not None and job.result is not None:
        new_here = session.profile() is None and now.label != mine
        if st.session_state.get("spotify-wanted") or new_here:
            take()


def _take_back(now: Session | None) -> None:
    """Have the profile again that was here before its owner went to Spotify."""
    ticket = st.query_params.get(oauth.TICKET)
    if ticket is None:
        return
    del st.query_params[oauth.TICKET]
    store = oauth.session_store()
    left = store.claim(_cookie(store.browser_cookie), ticket)
    if not isinstance(left, Profile) or session.profile() is not None:
        return
    if came_by_signing_in(left):
        if now is None or now.get(READING) is None:
            return  # of another account, or signed out since
        st.session_state["spotify-session"] = now.label
    session.bring(left, "Came back from Spotify")


def way_to(purpose: str) -> str:
    """The address of a sign-in; the profile that is here comes back from there, too."""
    now = session.profile()
    asked = {"for": purpose}
    if now is not None:
        left: ParkedProfile | None = st.session_state.get("left")
        if left is None or left.value is not now:
            left = st.session_state["left"] = ParkedProfile(now)
            st.session_state["left-ticket"] = oauth.session_store().park(left)
        asked[oauth.TICKET] = st.session_state["left-ticket"]
    return f"/login?{urlencode(asked)}"


def came_by_signing_in(profile: Profile) -> bool:
    return profile.id == SIGNED_IN and profile.origin == SPOTIFY_WEB_API


def may_read(now: Session) -> bool:
    return TO_READ[0] in now.scopes


def may_save(now: Session) -> bool:
    return TO_SAVE[0] in now.scopes


def notice() -> None:
    """How a sign-in or sign-out went, once."""
    kind, words = SAID.get(st.session_state.pop("signin", ""), ("", ""))
    if kind:
        show = {"info": st.info, "warning": st.warning, "error": st.error, "success": st.success}
        show[kind](words)


def reading() -> Job[SpotifyReading] | None:
    """The reading of this session: under way, done, failed or cancelled."""
    now = current()
    job: Job[SpotifyReading] | None = None if now is None else now.get(READING)
    return job


def begin_reading() -> None:
    """Read the person's music, unless that is under way or done."""
    now = current()
    if now is not None:
        with suppress(LoginExpired):
            now.get_or_create(READING, lambda: Job(lambda job: _read(now, job)))


def read_again() -> None:
    now = current()
    if now is not None:
        now.remove(READING)
        st.session_state["spotify-wanted"] = True
        begin_reading()


def cancel_reading() -> None:
    job = reading()
    if job is not None:
        job.cancel()


def _read(now: Session, job: Job[SpotifyReading]) -> SpotifyReading:
    found = read_spotify(_web(now, job), job.report, no_audio=oauth.session_store().no_audio)
    now.account = found.account
    return found


def take() -> None:
    """Make the visitor's profile of what was read; it says where it came from, and stays here."""
    now, job = current(), reading()
    for name in ("spotify-wanted", "spotify-problem"):
        st.session_state.pop(name, None)
    if now is None or job is None or job.result is None:
        return
    st.session_state["spotify-session"] = now.label
    try:
        session.bring(profile_of(job.result), "Read from Spotify")
    except TwoTowerError as error:
        st.session_state["spotify-problem"] = str(error)


def remove_all() -> None:
    """Let go of all music, whatever door it came through; the sign-in stays."""
    now = current()
    if now is not None:
        now.remove(READING)
    session.forget_all()


def profile_of(found: SpotifyReading) -> Profile:
    """The profile of what was read: by its origin nothing stores it or trains on it."""
    return build_profile(found.plays, id=SIGNED_IN, origin=SPOTIFY_WEB_API)


def saving() -> Job[Saved] | None:
    """The making of a playlist: under way, done, failed or cancelled."""
    now = current()
    job: Job[Saved] | None = None if now is None else now.get(SAVING)
    return job


def begin_saving(artists: Sequence[str]) -> None:
    """Make a playlist in the person's account, in place of what was said of the last one."""
    now, job = current(), saving()
    if now is None or (job is not None and job.is_running):
        return
    now.remove(SAVING)
    with suppress(LoginExpired):
        now.get_or_create(SAVING, lambda: Job(lambda job: _save(now, job, artists)))


def cancel_saving() -> None:
    job = saving()
    if job is not None:
        job.cancel()


def _save(now: Session, job: Job[Saved], artists: Sequence[str]) -> Saved:
    return save_playlist(
        _web(now, job),
        job.report,
        title=f"Musical Neighbours, {date.today():%d %b %Y}",
        description="What people with a taste near mine hear, and I don't yet.",
        artists=artists,
    )


def _web(now: Session, job: Job[Any]) -> Web:
    registration = oauth.session_store().registration
    if registration is None:
        raise LoginExpired("Spotify sign-in isn't open on this server any longer")
    return Web(registration, now.access, pause=job.pause)


def links() -> dict[str, str]:
    """Artist key -> page at Spotify, for a profile that came by signing in."""
    mine, job = session.profile(), reading()
    if mine is None or not came_by_signing_in(mine) or job is None or job.result is None:
        return {}
    return dict(job.result.links)
