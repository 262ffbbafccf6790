"""Parts of the page Privacy: what is read, stored and sent, for how long, and how to delete it."""

import streamlit as st

from twotower.ui import components, spotify, spotify_session, visitor
from twotower.web import oauth

# Source of music -> what is read, where it is kept, for how long
SOURCES = (
    (
        "A demo, or artists you pick",
        "What you click and type",
        "In this session, and in the page's address, so that a reload or a bookmark keeps it",
        "Until you start over or close the page",
    ),
    (
        "Files",
        "Artists, tracks, times and playlists. Of a Spotify export we open only the listening "
        "files, and skip the addresses, devices and names in them",
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
        "Until you sign out, half a day after the last use, or until the server stops",
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
        "store it only if you join, and nobody else sees it unless you join.** While you are here, "
        "this server keeps it in memory. No accounts, no tracking, nothing from other companies "
        "in these pages."
    )


def show_sources() -> None:
    """Show what is read from each source, where it is kept, and for how long."""
    st.header("What we read, and for how long", anchor=False)
    grid = st.grid(2, min_column_width=320, gap="small")
    for number, (title, read, kept, until) in enumerate(SOURCES):
        with grid.container(border=True, height="stretch", key=f"source-{number}"):
            st.subheader(title, anchor=False)
            st.markdown(f"- **Read:** {read}\n- **Kept:** {kept}\n- **How long:** {until}")
    st.markdown(
        "We forget your music within minutes of closing the page. Music from the Spotify sign-in "
        "waits for your return until you sign out, or half a day. While you are at Spotify to "
        "agree, your music waits here for up to twenty minutes."
    )
    st.markdown(
        f"[Spotify's policy]({spotify.POLICY}) restricts the use of its data in machine-learning "
        "models. Finding neighbours for a signed-in visitor is such a use: the operator of this "
        "server is responsible for having permission. We never store that data or train with it: "
        "the program refuses both."
    )


def show_members() -> None:
    """Show what is stored of members, and what is deleted when they leave."""
    st.header("What we store if you join", anchor=False)
    st.markdown(
        "You answer two questions. Both are no until you say yes, and you can change either "
        "later.\n"
        "- **To be found:** your made-up name, the artists you chose and their genres. Each "
        "artist's share of these plays, in thousandths. Where your music came from, two vectors "
        "and a place on the map. The vectors are made only of the artists you show: a hidden "
        "artist leaves no trace in them. Vectors reveal much of what they are made of; here "
        "everyone sees that anyway.\n"
        "- **To help train the model:** all your artists with their plays, genres, and how your "
        "music sounds. No tracks, playlists, dates or names. Nobody sees it.\n"
        "- **In both cases:** your two answers, when you joined and last changed something, and a "
        "fingerprint (hash) of your code. We show the code once and never store it. Your session "
        "has it in memory until you close the page.\n\n"
        "Artists appear as the model spells them, so nothing else in your files reaches others. "
        "To stop people from guessing codes, we count attempts in memory, by a hash of the "
        "network address."
    )
    st.markdown(
        "**When you leave,** your entry, vectors, place on the map and profile are deleted in one "
        "step. Nobody sees you the next time a page looks. We keep your random id, the time and a "
        "digest, so that your receipt can be checked. A model trained with your profile may keep "
        "faint traces until it is next trained, without you. We can't delete what others "
        "downloaded before, or backups made by the operator of this server."
    )
    st.page_link(components.COMMUNITY, label="Open Community", icon=":material/group_add:")


def show_browser_storage() -> None:
    """Show which cookies the app sets."""
    st.header("In your browser", anchor=False)
    st.markdown(
        "You need no cookie to look around. Streamlit, the software behind these pages, sets one "
        "that protects its forms. Signing in to Spotify sets two random ones: the first ties the "
        "sign-in to your browser for ten minutes. The second names your session until you sign "
        "out or close the browser. No script can read them. The keys to your Spotify account "
        "never reach the browser."
    )


def show_server() -> None:
    """Show what the server logs, and which services it asks."""
    st.header("What the server logs, and whom it asks", anchor=False)
    st.markdown(
        "The log holds errors of the program, without music, names or keys. The server asks "
        "others only when you do. ListenBrainz or Last.fm: when you type a user name. Spotify: "
        "while you are signed in. An audio service: when you look up your tracks. The people "
        "that come with this app are made up, and marked. Members are marked, too."
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
        st.markdown("There is no music of yours here.")
        st.page_link(components.START, label="Go to the start page", icon=":material/home:")
        return
    st.markdown("Your music is in this session. One click deletes it. It can't be undone.")
    st.button(
        "Delete my music now",
        key="privacy-remove",
        icon=":material/delete:",
        on_click=spotify_session.forget_everything,
    )
