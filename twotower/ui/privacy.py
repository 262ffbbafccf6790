"""The parts of the page Privacy."""

import streamlit as st

from twotower.ui import components, session, spotify, spotify_session
from twotower.web import oauth

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
        "Joining the community",
        "What you choose on the page Community and say yes to: a pseudonym and artists that others "
        "may see, or your whole profile for training",
        "In the community's database, until you leave: see below",
        "Until you leave with your code; then every byte of it is removed at once",
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
        "**Nothing you bring is stored, and nobody else sees it, unless you join the community.** "
        "Your music is read on the "
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


def of_who_joins() -> None:
    st.header("What is stored of who joins", anchor=False)
    st.markdown(
        "Two questions, both no until you say yes, and each can be taken back.\n"
        "- **To be found:** your pseudonym, the artists that you chose, each with its share of "
        "what you hear of these in parts of a thousand, genres that follow from them, where your "
        "music came from, two vectors and a place on the map. The vectors are made of exactly the "
        "artists that you show: one that you hide is not stored and leaves no trace in them. "
        "Vectors do tell much of what they are made of; here that is what everyone sees anyway.\n"
        "- **To help to train:** all your artists with their plays, genres, and how your music "
        "sounds. No tracks, playlists, dates or names. Nobody is shown it.\n"
        "- **In both cases** your two answers, when you joined and last changed something, and a "
        "hash of your return code. The code itself is shown once and stored nowhere. It is in the "
        "memory of your session until the page is closed.\n\n"
        "Artists are shown as the catalogue spells them, so nothing else that a file says gets to "
        "others. How often somebody joins or tries a code is counted in memory, by a hash of the "
        "address they come from, so that nobody can try codes without end."
    )
    st.markdown(
        "**Leaving** removes the row, the vectors, the place and the kept profile in one step; "
        "nobody is shown you at their next look. What stays is your random id, the time and a "
        "digest, so that the receipt you get can be checked. A model that learned from your "
        "profile may keep faint traces of it until it is trained again; that training is without "
        "you. What was downloaded by others before, and backups that whoever runs this server "
        "made, are beyond this program."
    )
    st.page_link(components.COMMUNITY, label="To the community", icon=":material/group_add:")


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
        "listeners that ship with this app are invented, and marked so; who joined is marked, too."
    )


def be_rid_of_it() -> None:
    st.header("How to be rid of it", anchor=False)
    if spotify_session.current() is not None:
        st.markdown("You are signed in to Spotify.")
        spotify.signing_out()
    elif oauth.session_store().is_open:
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
        on_click=spotify_session.remove_all,
    )
