"""Spotify sign-in on the page Start: what to know before, the progress, and the result."""

from collections.abc import Mapping
from html import escape as html_escape

import streamlit as st

from twotower.core.errors import LoginExpired, TwoTowerError
from twotower.sources.spotify.profile import SpotifyReading
from twotower.ui import components, spotify_session, visitor
from twotower.ui.state import visitor_state
from twotower.ui.text import capitalise, escape, pluralise
from twotower.web import oauth
from twotower.web.oauth_sessions import Session, SessionStore

EXPORT_PAGE = "https://www.spotify.com/account/privacy/"
POLICY = "https://developer.spotify.com/policy"
APPS = "https://www.spotify.com/account/apps/"
STYLES = """<style>
.sign-in {display: inline-block; padding: .55rem 1.1rem; border-radius: .6rem; font-weight: 600;
  background: #0F766E; color: #FFFFFF !important; text-decoration: none !important}
.sign-in:hover {background: #0B5E58}
.sign-out {display: flex; flex-wrap: wrap; gap: .5rem; align-items: center}
.sign-out form {margin: 0}
.sign-out button {font: inherit; font-size: .875rem; color: inherit; cursor: pointer;
  background: transparent; border: 1px solid #71827E; border-radius: .6rem; padding: .4rem .8rem;
  min-height: 2.5rem}
.sign-out button:hover {border-color: currentColor}
.sign-in:focus-visible, .sign-out button:focus-visible {outline: 3px solid #14B8A6;
  outline-offset: 2px}
</style>"""
SIGN_IN = '<a class="sign-in" href="{href}" target="_self">{label}</a>'
SIGN_OUT = """<div class="sign-out">
<form method="post" action="/logout"><button type="submit">Sign out</button></form>
<form method="post" action="/disconnect"><button type="submit">Disconnect Spotify</button></form>
</div>"""
EXPORT_HELP = (
    "**Without signing in:** ask for “Extended streaming history” on [Spotify's privacy page]"
    f"({EXPORT_PAGE}). Wait for the e-mail (up to 30 days). Drop the ZIP here. It goes back years."
)


def show_sign_in() -> None:
    """Show the card of the sign-in: not set up, signed out, or signed in."""
    with st.container(border=True, key="spotify", height="stretch"):
        st.subheader("Spotify sign-in", anchor=False)
        store, session = oauth.session_store(), spotify_session.current()
        if session is not None:
            _signed_in(session)
        elif store.is_open:
            _signed_out()
        else:
            _not_set_up(store)


def _not_set_up(store: SessionStore) -> None:
    st.markdown("Sign-in isn't set up on this server. Your Spotify data file works as well.")
    st.markdown(EXPORT_HELP)
    problem = store.registration.redirect_uri_problem() if store.registration else ""
    with st.expander("If you run this server", key="spotify-operator"):
        if store.registration is None:
            st.markdown(
                "Create an app in Spotify's developer dashboard. Its redirect URI is "
                "`http://127.0.0.1:8501/callback`. Set `SPOTIPY_CLIENT_ID` to its client id and "
                "restart the server. No secret is needed. The app's owner needs Premium, and can "
                "allow five people. More in docs/spotify.md."
            )
        else:
            st.markdown(
                f"`SPOTIPY_REDIRECT_URI` can't work: {escape(problem)}. Correct it here and in "
                "Spotify's developer dashboard, then restart the server."
            )


def _signed_out() -> None:
    if spotify_session.was_signed_in():
        st.info(
            "You are signed out. You did so in another tab, or half a day passed, or the server "
            "was restarted. What was read is deleted."
        )
    _before_signing_in()
    components.note(EXPORT_HELP)


def _before_signing_in() -> None:
    """Show what is read, how long it is kept, and the button to sign in."""
    st.markdown(
        "- **Read**, after you agree at Spotify: your name there, top artists and tracks, saved "
        "tracks, your own playlists and recent plays. We change nothing.\n"
        "- **Kept** in this session only, in memory: not stored, not shown to others, not used "
        "for training. Signing out deletes it.\n"
        "- **Limits** set by Spotify: five people for this server. Its operator registers them "
        "in advance, and needs Premium.\n"
        f"- [Spotify's policy]({POLICY}) restricts the use of its data in machine-learning models, "
        "and this app is one. The operator of this server is responsible for having permission."
    )
    show_link(oauth.READ, "Sign in with Spotify")
    st.page_link(
        components.PRIVACY, label="More on the page Privacy", icon=":material/shield_person:"
    )


def show_link(purpose: str, label: str) -> None:
    """Show a link to Spotify that opens in this tab."""
    href = html_escape(spotify_session.sign_in_address(purpose))
    st.html(STYLES + SIGN_IN.format(href=href, label=label))


def _signed_in(session: Session) -> None:
    job = spotify_session.reading()
    result = job.result if job else None
    if not spotify_session.may_read(session):
        st.markdown("You allowed playlists only. Sign in again so that we can read your music.")
        _before_signing_in()
        show_sign_out()
        return
    name = f" as **{escape(result.name)}**" if result and result.name else ""
    st.markdown(f"You are signed in{name}. What we read stays in this session.")
    profile = visitor.profile()
    if result and (profile is None or not spotify_session.came_by_signing_in(profile)):
        st.button(
            "Use what was read",
            key="spotify-take",
            icon=":material/person:",
            on_click=spotify_session.use_reading,
        )
    if job is None or not job.is_running:
        st.button(
            "Read again" if job else "Read my music",
            key="spotify-read",
            icon=":material/refresh:",
            on_click=spotify_session.read_again,
        )
    show_sign_out()


def show_sign_out() -> None:
    """Show the two buttons that sign out; both delete what was read."""
    st.html(STYLES + SIGN_OUT)
    components.note(
        "Both delete what was read. Disconnecting also signs you out in other browsers. To take "
        f"back your permission, remove this app on [Spotify's page of apps]({APPS})."
    )


def show_reading() -> None:
    """Show the progress of the reading and its result, at the top of the page."""
    job = spotify_session.reading()
    if job is None:
        return
    with st.container(border=True, key="spotify-reading"):
        if job.is_running:
            st.subheader("Reading your music from Spotify", anchor=False)
            _progress()
        elif job.is_cancelled:
            st.subheader("Reading from Spotify was cancelled", anchor=False)
            st.write("Nothing was kept. You are still signed in.")
            _read_again_button()
        elif job.error is not None:
            _failed(job.error)
        elif job.result is not None:
            _result(job.result)


@st.fragment(run_every=components.REFRESH_S)
def _progress() -> None:
    components.show_progress(
        spotify_session.reading(),
        "Waiting for Spotify",
        stop="Cancel",
        key="spotify-cancel",
        on_stop=spotify_session.cancel_reading,
    )


def _read_again_button() -> None:
    st.button(
        "Read again",
        key="spotify-again",
        icon=":material/refresh:",
        on_click=spotify_session.read_again,
    )


def _failed(error: TwoTowerError) -> None:
    st.subheader("We couldn't read from Spotify", anchor=False)
    st.error(escape(as_sentence(str(error))), icon=":material/error:")
    if isinstance(error, LoginExpired):
        show_link(oauth.READ, "Sign in with Spotify")
    else:
        _read_again_button()
        components.note(EXPORT_HELP)


def _result(result: SpotifyReading) -> None:
    problem = visitor_state().spotify.problem
    artists = len({play.artist for play in result.plays})
    st.subheader("Your music from Spotify is here", anchor=False)
    st.markdown(
        f":material/check: {pluralise(artists, 'artist')}, read in "
        f"{pluralise(result.calls, 'request')}. Spotify gives the order of what you play most, "
        "not how often. We use the order in place of play counts."
    )
    if result.stopped:
        st.warning(
            escape(as_sentence(result.stopped)) + " We use what was read until then.",
            icon=":material/hourglass_bottom:",
        )
    if problem:
        st.warning(escape(as_sentence(problem)))
    with st.expander("What was read", key="spotify-steps"):
        lines = [_step_line(s.name, s.rows, s.problem, s.left_out) for s in result.steps]
        st.markdown("\n".join(lines))
        components.note("From Spotify, in this session only.")
    components.primary_link("See your neighbours", components.NEIGHBOURS, "spotify")


def _step_line(name: str, rows: int, problem: str, left_out: Mapping[str, int]) -> str:
    """Return a Markdown item: what was read, how many rows or the problem, what was left out."""
    outcome = problem or pluralise(rows, "row")
    reasons = ", ".join(f"{count:,} {escape(why)}" for why, count in left_out.items())
    return f"- {escape(capitalise(name))}: {outcome}" + (
        f" (left out: {reasons})" if reasons else ""
    )


def as_sentence(text: str) -> str:
    """Return `text` with a capital and a full stop."""
    return f"{capitalise(text)}."
