"""Parts of the page Privacy: what is read, stored and sent, for how long, and how to delete it."""

import math

import streamlit as st

from twotower.ui import components, ended_sessions, spotify, spotify_session, visitor
from twotower.web import oauth

# Source of music -> what is read, where it is kept, for how long
SOURCES = (
    (
        "A demo, or artists you pick",
        "What you click and type",
        "In this session, and in the page's address. So a reload or a bookmark keeps it",
        "Until you start over or close the page",
    ),
    (
        "Files",
        "Artists, tracks, times and playlists. Of a service's ZIP we open only the listening "
        "files. We skip the addresses, devices and names in them",
        "In this session, in memory; never written to disk",
        "Until you start over or close the page",
    ),
    (
        "ListenBrainz and Last.fm",
        "Artists, top tracks and recent plays of the user name you type. We send the service that "
        "name, and the name of this program",
        "In this session, in memory. For an hour we don't ask the service again",
        "Until you start over or close the page",
    ),
    (
        "How your tracks sound, if this server allows it",
        "Audio attributes of your most played tracks, only when you ask. We send the service the "
        "ids of these tracks",
        "In this session, in memory; never stored, never used for training",
        "Until you change your music or close the page",
    ),
    (
        "Spotify sign-in",
        "Your name and id there, top artists and tracks, saved tracks, your own playlists, recent "
        "plays",
        "In this session, in memory; never stored, never used for training",
        "Until you sign out, for half a day after the last use, or until the server stops",
    ),
    (
        "Joining the community",
        "What you choose on the page Community: a made-up name and artists that others see, or "
        "your whole profile for training",
        "In the community's database; details below",
        "Until you leave with your code. Then all of it is deleted at once",
    ),
    (
        "A playlist in your Spotify account",
        "Nothing of yours. We look up names of artists there",
        "In your account, as a private playlist, when you ask for one",
        "Until you delete it there",
    ),
)


def show_summary() -> None:
    """Show the promise in a few sentences."""
    st.markdown(
        "**We read your music to find your neighbours. We forget it when you close the page. We "
        "store it only if you join. Nobody else sees it unless you join.** While you are here, "
        "this server keeps it in memory. No accounts, no tracking, nothing from other companies "
        "on these pages."
    )


def show_sources() -> None:
    """Show what is read from each source, where it is kept, and for how long."""
    st.header("What we read, and for how long", anchor=False)
    grid = st.grid(2, min_column_width=320, gap="small")
    for number, (title, read, where, until) in enumerate(SOURCES):
        with grid.container(border=True, height="stretch", key=f"source-{number}"):
            st.subheader(title, anchor=False)
            st.markdown(f"- **What:** {read}\n- **Where:** {where}\n- **How long:** {until}")
    minutes = math.ceil((ended_sessions.KEEP_S + ended_sessions.EVERY_S) / 60)
    st.markdown(
        f"We forget your music within {minutes} minutes after you close the page. Music from the "
        "Spotify sign-in stays until you sign out. Without use, it stays half a day at most. While "
        "you agree on Spotify's own page, your music stays here for up to twenty minutes."
    )
    st.markdown(
        f"[Spotify's policy]({spotify.POLICY}) restricts the use of its data in machine-learning "
        "models. Finding neighbours for a signed-in visitor is such a use. The operator of this "
        "server is responsible for having permission. We never store that data or train with it. "
        "The program refuses both."
    )


def show_members() -> None:
    """Show what is stored of members, and what is deleted when they leave."""
    st.header("What we store if you join", anchor=False)
    st.markdown(
        "You answer two questions. Both answers are no until you say yes. You can change them "
        "later.\n"
        "- **To be found:** your made-up name, the artists you chose and their genres. Each "
        "artist's share of these plays, in thousandths. A place on the map. Also numbers that "
        "describe your taste. We compute them only from the artists you show. A hidden artist "
        "leaves no trace in them. Such numbers reveal much of the music behind them, but here "
        "everyone sees that music anyway.\n"
        "- **To help train the model:** all your artists, at most 5,000, with their plays, genres, "
        "and how your music sounds. No tracks, playlists, dates or names. Nobody sees it. If "
        "others can't find you, the numbers that describe your taste come from all these artists. "
        "Nobody sees them either.\n"
        "- **In both cases:** where your music came from and your two answers. When you joined "
        "and last changed something. "
        "Also a fingerprint (hash) of your access code. We show the code before we store "
        "anything, and never store it. Your session has it in memory until you close the page.\n\n"
        "Artists appear as the model spells them. So others see nothing else from your files. "
        "To stop people from guessing codes, we count attempts. We do so in memory, by a "
        "fingerprint (hash) of the network address."
    )
    st.markdown(
        "**When you leave,** we delete your entry, these numbers, your place on the map and your "
        "profile in one step. You disappear from every page when it next updates. We keep your "
        "random id, the time and a checksum (digest). With them your receipt can be checked. A "
        "model trained with your profile may keep faint traces until it is next trained, without "
        "you. We can't delete what others downloaded before, or backups made by the operator of "
        "this server."
    )
    st.page_link(components.COMMUNITY, label="Open Community", icon=":material/group_add:")


def show_browser_storage() -> None:
    """Show which cookies the app sets."""
    st.header("In your browser", anchor=False)
    st.markdown(
        "You need no cookie to look around. Streamlit, the software of these pages, sets one to "
        "protect its forms. Signing in to Spotify sets two random cookies. The first connects "
        "the sign-in with your browser for ten minutes. The second identifies your session until "
        "you sign out or close the browser. No script can read them. The keys to your Spotify "
        "account never reach the browser."
    )


def show_server() -> None:
    """Show what the server logs, and which services it asks."""
    st.header("What the server logs, and which services it uses", anchor=False)
    st.markdown(
        "The log has errors of the program, without music, names or keys. The server contacts "
        "other services only when you ask for it. ListenBrainz or Last.fm: when you type a user "
        "name. Spotify: while you are signed in. An audio service: when you look up your tracks. "
        "The people that come with this app are made up and marked. Members are marked, too."
    )


def show_deletion() -> None:
    """Show the buttons that sign out and delete the visitor's music."""
    st.header("Delete my music", anchor=False)
    if spotify_session.current() is not None:
        st.markdown("You are signed in to Spotify.")
        spotify.show_sign_out()
    elif oauth.session_store().is_open:
        st.markdown("You are not signed in to Spotify.")
    if visitor.profile() is None:
        st.markdown("We have no music of yours.")
        st.page_link(components.START, label="Go to the start page", icon=":material/home:")
        return
    st.markdown("Your music is in this session. One click deletes it. You can't undo that.")
    st.button(
        "Delete my music now",
        key="privacy-remove",
        icon=":material/delete:",
        on_click=spotify_session.forget_everything,
    )
