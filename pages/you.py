"""What the model sees of you, and how to change it."""

import streamlit as st

from twotower.ui import components, session, you

st.title("You", anchor=False)
seen = session.require_portrait()
you.summary(seen)
you.edit_bar()

artists, genres = st.columns([3, 2], gap="large")
with artists:
    you.top_artists(seen)
with genres:
    you.genres(seen)
    you.known(seen)
    you.recognition(seen)
you.audio(seen, session.matcher().community_audio())
st.page_link(components.START, label="Add artists", icon=":material/add:")
st.page_link(components.COMMUNITY, label="Be found by others", icon=":material/group_add:")
components.lead_on("See your neighbours", components.NEIGHBOURS, "edited")
