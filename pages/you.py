"""What the model sees of you, and how to change it."""

import streamlit as st

from twotower.ui import components, portrait, session

st.title("You", anchor=False)
seen = session.require_portrait()
portrait.summary(seen)
portrait.edit_bar()

artists, genres = st.columns([3, 2], gap="large")
with artists:
    portrait.top_artists(seen)
with genres:
    portrait.genres(seen)
    portrait.known(seen)
    portrait.recognition(seen)
portrait.audio(seen, session.matcher().community_audio())
st.page_link(components.START, label="Add artists", icon=":material/add:")
st.page_link(components.COMMUNITY, label="Be found by others", icon=":material/group_add:")
components.lead_on("See your neighbours", components.NEIGHBOURS, "edited")
