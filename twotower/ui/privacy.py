"""The parts of the page Privacy."""

import streamlit as st

from twotower import auth
from twotower.ui import account, components, session, spotify

# What is brought -> what is read of it, where it is kept, for how long.
DOORS = (
    (
        "A demo listener, or artists you pick",
        "What you click and type",
        "In this session, and in the address of the page, so that a reload or a bookmark keeps it",
        "Until you start over or close the page",
    ),
    (
        "Files",
        "Artists, tracks, times, playlists; of a Spotify export only the listening files are "
        "opened, and addresses, devices and names in them are passed over",
        "In this session, in memory; never written to disk",
        "Until you start over or close the page",
    ),
    (
        "ListenBrainz and Last.fm",
        "By the user name you type: artists, top tracks and the latest plays. The service is told "
        "the name, and which program asks",
        "In this session, in memory; what was read is not asked for again within the hour",
        "Until you start over or close the page",
    ),
    (
        "How your tracks sound, where whoever runs the server allows it",
        "Audio attributes of your most played tracks, when you ask. The service is told the ids of "
        "these tracks",
        "In this session, in memory; never stored, never used for training",
        "Until you change your music or close the page",
    ),
    (
        "Spotify sign-in",
        "Your name and id there, top artists and tracks, saved tracks, your own playlists, the "
        "last plays",
        "In this session, in memory; never stored, never used for training",
        "Until you sign out, half a day after the last use, or until the server stops",
    ),
    (
        "A playlist in your Spotify account",
        "Nothing of yours: the names of artists are looked up there",
        "In your account, as a private playlist, when you ask for one",
        "Until you delete it there",
    ),
)


def in_short() -> None:
    st.markdown(
        "**Nothing you bring is stored, and nobody else sees it.** Your music is read on the "
        "machine that serves this app, kept in its memory while you are here, and used for one "
        "thing: finding your neighbours. There are no accounts, no counting of visitors, and no "
        "parts of other companies in these pages."
    )


def each_door() -> None:
    st.header("What is read, and for how long", anchor=False)
    grid = st.grid(2, min_column_width=320, gap="small")
    for number, (title, read, kept, until) in enumerate(DOORS):
        with grid.container(border=True, height="stretch", key=f"door-{number}"):
            st.subheader(title, anchor=False)
            st.markdown(f"- **Read:** {read}\n- **Kept:** {kept}\n- **How long:** {until}")
    st.markdown(
        "After a page is closed, the server lets go of what was in it within a few minutes. What "
        "came through the Spotify sign-in waits for your return until you sign out, or half a day. "
        "While you are at Spotify to say yes or no, what you had here waits up to twenty minutes."
    )
    st.markdown(
        f"[Spotify's policy]({spotify.POLICY}) restricts feeding its data into machine-learning "
        "models. Finding neighbours does that with what the sign-in read, so whoever runs this "
        "server answers for having permission. It is never stored and never trained on: the "
        "program refuses both."
    )


def in_the_browser() -> None:
    st.header("In your browser", anchor=False)
    st.markdown(
        "No cookie is needed to look around; Streamlit, which serves the pages, sets one that "
        "guards its forms. Signing in to Spotify sets two that say nothing: one ties the sign-in "
        "to your browser for ten minutes, the other names your session until you close the "
        "browser or sign out. No script can read them. Spotify's keys to your account never "
        "reach the browser."
    )


def of_the_server() -> None:
    st.header("What the server writes and whom it asks", anchor=False)
    st.markdown(
        "Its log holds faults of the program, without music, names or keys. It asks others only "
        "for what you ask of it: ListenBrainz or Last.fm when you type a user name, Spotify while "
        "you are signed in, and a place that knows how tracks sound when you look yours up. The "
        "listeners that ship with this app are invented, and marked so."
    )


def be_rid_of_it() -> None:
    st.header("How to be rid of it", anchor=False)
    if account.current() is not None:
        st.markdown("You are signed in to Spotify.")
        spotify.signing_out()
    elif auth.desk().is_open:
        st.markdown("You are not signed in to Spotify.")
    if session.profile() is None:
        st.markdown("There is no music of yours here at the moment.")
        st.page_link(components.START, label="To the start", icon=":material/home:")
        return
    st.markdown("Your music is here, in this session. One click removes it, without a way back.")
    st.button(
        "Remove my music",
        key="privacy-remove",
        icon=":material/delete:",
        on_click=account.remove_all,
    )
