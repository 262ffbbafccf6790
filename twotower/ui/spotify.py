"""The door of Spotify: what a person should know before the button, and what is read after it."""

from collections.abc import Mapping
from html import escape as html_escape

import streamlit as st

from twotower.core.errors import LoginExpired, TwoTowerError
from twotower.sources.spotify.profile import SpotifyReading
from twotower.ui import components, session, spotify_session
from twotower.ui import text as words
from twotower.ui.text import escape
from twotower.web import oauth
from twotower.web.oauth_sessions import Session, SessionStore

EXPORT_PAGE = "https://www.spotify.com/account/privacy/"
POLICY = "https://developer.spotify.com/policy"
APPS = "https://www.spotify.com/account/apps/"
LOOKS = """<style>
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
LINK = '<a class="sign-in" href="{to}" target="_self">{words}</a>'
SIGN_OUT = """<div class="sign-out">
<form method="post" action="/logout"><button type="submit">Sign out</button></form>
<form method="post" action="/disconnect"><button type="submit">Disconnect Spotify</button></form>
</div>"""


def door() -> None:
    """Always on the start page: closed, open, or behind a person who is signed in."""
    with st.container(border=True, key="spotify", height="stretch"):
        st.subheader("Spotify sign-in", anchor=False)
        store, now = oauth.session_store(), spotify_session.current()
        if now is not None:
            _signed_in(now)
        elif store.is_open:
            _before_the_button()
        else:
            _closed(store)


EXPORT = (
    "our data export does the same, and knows years more: ask for it on [Spotify's privacy "
    f"page]({EXPORT_PAGE}) (“Extended streaming history” is the best one), wait for the mail, and "
    "drop the ZIP here as it is."
)


def _closed(store: SessionStore) -> None:
    st.markdown(f"Not open on this server. Y{EXPORT}")
    problem = store.registration.problem() if store.registration else ""
    with st.expander("For whoever runs this server", key="spotify-operator"):
        if store.registration is None:
            st.markdown(
                "Register an app in Spotify's developer dashboard with the redirect URI "
                "`http://127.0.0.1:8501/callback`, set `SPOTIPY_CLIENT_ID` to its client id, and "
                "start the server again. No secret is needed. Its owner needs Premium, and five "
                "people can be let in. docs/spotify.md tells the rest."
            )
        else:
            st.markdown(
                f"`SPOTIPY_REDIRECT_URI` can't work: {escape(problem)}. Mend it, also in Spotify's "
                "developer dashboard, and start the server again."
            )


def _before_the_button() -> None:
    if spotify_session.was_signed_in():
        st.info(
            "You are signed out: by yourself in another tab, after half a day, or because the "
            "server was started anew. Nothing that was read is left."
        )
    _what_to_know()
    components.note(f"Without signing in: y{EXPORT}")


def _what_to_know() -> None:
    st.markdown(
        "- **Read**, after you agree at Spotify: your name there, top artists and tracks, saved "
        "tracks, your own playlists, and what you played last. Nothing is changed.\n"
        "- **Kept** in this session only, in memory: not stored, not shown to others, not used "
        "for training. Signing out wipes it.\n"
        "- **Limits** set by Spotify: five people for this server, named in advance by whoever "
        "runs it, who needs Premium.\n"
        f"- [Spotify's policy]({POLICY}) restricts feeding its data into machine-learning models, "
        "and this app is one: whoever runs this server answers for having permission."
    )
    link(oauth.READ, "Sign in with Spotify")
    st.page_link(
        components.PRIVACY, label="All of it, on the page Privacy", icon=":material/shield_person:"
    )


def link(purpose: str, words: str) -> None:
    """A way to Spotify in this same tab."""
    st.html(LOOKS + LINK.format(to=html_escape(spotify_session.way_to(purpose)), words=words))


def _signed_in(now: Session) -> None:
    job = spotify_session.reading()
    found = job.result if job else None
    if not spotify_session.may_read(now):
        st.markdown("You allowed playlists. Your music is read only if you sign in for that, too.")
        _what_to_know()
        signing_out()
        return
    named = f" as **{escape(found.name)}**" if found and found.name else ""
    st.markdown(f"You are signed in{named}. What is read stays in this session.")
    mine = session.profile()
    if found and (mine is None or not spotify_session.came_by_signing_in(mine)):
        st.button(
            "Use what was read",
            key="spotify-take",
            icon=":material/person:",
            on_click=spotify_session.take,
        )
    if job is None or not job.is_running:
        st.button(
            "Read again" if job else "Read my music",
            key="spotify-read",
            icon=":material/refresh:",
            on_click=spotify_session.read_again,
        )
    signing_out()


def signing_out() -> None:
    """Two ways to leave; both wipe what was read."""
    st.html(LOOKS + SIGN_OUT)
    components.note(
        "Both wipe what was read. Disconnecting also ends your sessions in other browsers; what "
        f"you allowed at Spotify is taken back on [its page of apps]({APPS})."
    )


def reading() -> None:
    """At the top of the start page: how far the reading is, and how it went."""
    job = spotify_session.reading()
    if job is None:
        return
    with st.container(border=True, key="spotify-reading"):
        if job.is_running:
            st.subheader("Reading your music from Spotify", anchor=False)
            _progress()
        elif job.is_cancelled:
            st.subheader("Reading from Spotify was cancelled", anchor=False)
            st.write("Nothing of it was kept. You are still signed in.")
            _again()
        elif job.error is not None:
            _failed(job.error)
        elif job.result is not None:
            _read(job.result)


@st.fragment(run_every=components.REFRESH_S)
def _progress() -> None:
    components.under_way(
        spotify_session.reading(),
        "Asking Spotify",
        stop="Cancel",
        key="spotify-cancel",
        on_stop=spotify_session.cancel_reading,
    )


def _again() -> None:
    st.button(
        "Read again",
        key="spotify-again",
        icon=":material/refresh:",
        on_click=spotify_session.read_again,
    )


def _failed(error: TwoTowerError) -> None:
    st.subheader("Spotify couldn't be read", anchor=False)
    st.error(escape(sentence(str(error))), icon=":material/error:")
    if isinstance(error, LoginExpired):
        link(oauth.READ, "Sign in with Spotify")
    else:
        _again()
        components.note(f"Without signing in: y{EXPORT}")


def _read(found: SpotifyReading) -> None:
    problem = st.session_state.get("spotify-problem")
    artists = len({play.artist for play in found.plays})
    st.subheader("Your music was read from Spotify", anchor=False)
    st.markdown(
        f":material/check: {words.amount(artists, 'artist')} in "
        f"{words.amount(found.calls, 'question')}. Spotify tells the order of what you play most, "
        "not how often: the order stands in for plays."
    )
    if found.stopped:
        st.warning(
            escape(sentence(found.stopped)) + " What was read until then is kept.",
            icon=":material/hourglass_bottom:",
        )
    if problem:
        st.warning(escape(sentence(problem)))
    with st.expander("What was read", key="spotify-steps"):
        st.markdown("\n".join(_line(step.name, step.rows, step.problem, step.left_out)
                              for step in found.steps))  # fmt: skip
        components.note("From Spotify, in this session only.")
    components.lead_on("See your neighbours", components.NEIGHBOURS, "spotify")


def _line(name: str, rows: int, problem: str, left_out: Mapping[str, int]) -> str:
    told = problem or words.amount(rows, "row")
    rest = ", ".join(f"{count:,} {escape(why)}" for why, count in left_out.items())
    return f"- {escape(words.capital(name))}: {told}" + (f" (left out: {rest})" * bool(rest))


def sentence(text: str) -> str:
    return f"{words.capital(text)}."
