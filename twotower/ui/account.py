"""The visitor's Spotify session: whether there is one, what is read in it, what goes with it."""

from contextlib import suppress

import streamlit as st

from twotower import auth
from twotower.domain import SPOTIFY_WEB_API, Profile
from twotower.errors import LoginExpired, TwoTowerError
from twotower.job import Job
from twotower.profiles import build_profile
from twotower.sources.spotify import TO_READ, Web
from twotower.sources.spotify_profile import SpotifyReading, read_spotify
from twotower.ui import session

SIGNED_IN = "spotify"  # id of a profile that came by signing in
READING = "reading"  # what is kept in a session
GONE = "What was read from Spotify is gone from this page and this server."
SAID = {  # outcome of a sign-in -> kind of notice, words
    auth.DENIED: ("info", "You said no at Spotify, so nothing was read."),
    auth.EXPIRED: (
        "warning",
        "That sign-in couldn't be finished: it took more than ten minutes, was used before, or "
        "began in another browser. Nothing was read; try again.",
    ),
    auth.FAILED: (
        "warning",
        "Spotify didn't answer the sign-in as it should. Nothing was read; try again in a few "
        "minutes.",
    ),
    auth.REFUSED: (
        "error",
        "Spotify doesn't accept this server's registration. Whoever runs it should check "
        "`SPOTIPY_CLIENT_ID` and `SPOTIPY_REDIRECT_URI` against Spotify's developer dashboard.",
    ),
    auth.CLOSED: ("info", "Spotify sign-in isn't open on this server."),
    auth.OUT: ("success", f"You are signed out. {GONE}"),
    auth.DISCONNECTED: (
        "success",
        f"Disconnected, in every browser. {GONE} To take back what you allowed at Spotify, too, "
        "remove this app on [Spotify's page of apps](https://www.spotify.com/account/apps/).",
    ),
}


def current() -> auth.Session | None:
    """The session of this visitor's browser, looked up anew: it may have ended in another tab."""
    return auth.desk().session(_cookie())


def was_signed_in() -> bool:
    """Whether the browser still names a session that has ended."""
    return _cookie() is not None and current() is None


def _cookie() -> str | None:
    found = st.context.cookies.get(auth.desk().session_cookie)
    return found if isinstance(found, str) else None


def keep_in_step() -> None:
    """Take in what was read, and let go of what belongs to a session that has ended."""
    now = current()
    outcome = st.query_params.get(auth.OUTCOME)
    if outcome is not None:
        del st.query_params[auth.OUTCOME]
        st.session_state["signin"] = outcome
        if outcome == auth.DONE and now is not None and may_read(now):
            begin_reading()
    mine = st.session_state.get("spotify-session")
    if mine is not None and (now is None or now.label != mine):
        del st.session_state["spotify-session"]
        if session.forget(came_by_signing_in):
            st.session_state["signin"] = auth.OUT
    job = None if now is None else reading()
    if job is not None and job.result is not None and session.profile() is None:
        take()


def came_by_signing_in(profile: Profile) -> bool:
    return profile.id == SIGNED_IN and profile.origin == SPOTIFY_WEB_API


def may_read(now: auth.Session) -> bool:
    return TO_READ[0] in now.scopes


def notice() -> None:
    """How a sign-in or sign-out went, once."""
    kind, words = SAID.get(st.session_state.pop("signin", ""), ("", ""))
    if kind:
        show = {"info": st.info, "warning": st.warning, "error": st.error, "success": st.success}
        show[kind](words)


def reading() -> Job[SpotifyReading] | None:
    """The reading of this session: under way, done, failed or cancelled."""
    now = current()
    job: Job[SpotifyReading] | None = None if now is None else now.kept(READING)
    return job


def begin_reading() -> None:
    """Read the person's music, unless that is under way or done."""
    now = current()
    if now is not None:
        with suppress(LoginExpired):
            now.keep(READING, lambda: Job(lambda job: _read(now, job)))


def read_again() -> None:
    now = current()
    if now is not None:
        now.forget(READING)
        st.session_state.pop("spotify-session", None)
        session.forget(came_by_signing_in)
        begin_reading()


def cancel_reading() -> None:
    job = reading()
    if job is not None:
        job.cancel()


def _read(now: auth.Session, job: Job[SpotifyReading]) -> SpotifyReading:
    desk = auth.desk()
    if desk.registration is None:
        raise LoginExpired("Spotify sign-in isn't open on this server any longer")
    web = Web(desk.registration, now.access, pause=job.pause)
    found = read_spotify(web, job.tell, no_audio=desk.no_audio)
    now.account = found.account
    return found


def take() -> None:
    """Make the visitor's profile of what was read; it says where it came from, and stays here."""
    now, job = current(), reading()
    if now is None or job is None or job.result is None:
        return
    if st.session_state.get("spotify-session") == now.label and session.profile() is None:
        return  # taken before, and put away since
    st.session_state["spotify-session"] = now.label
    try:
        session.bring(profile_of(job.result), "Read from Spotify")
    except TwoTowerError as error:
        st.session_state["spotify-problem"] = str(error)


def remove_all() -> None:
    """Let go of all music, whatever door it came through; the sign-in stays."""
    now = current()
    if now is not None:
        now.forget(READING)
    session.forget_all()


def profile_of(found: SpotifyReading) -> Profile:
    """The profile of what was read: by its origin nothing stores it or trains on it."""
    return build_profile(found.plays, id=SIGNED_IN, origin=SPOTIFY_WEB_API)


def links() -> dict[str, str]:
    """Artist key -> page at Spotify, for a profile that came by signing in."""
    mine, job = session.profile(), reading()
    if mine is None or not came_by_signing_in(mine) or job is None or job.result is None:
        return {}
    return dict(job.result.links)
