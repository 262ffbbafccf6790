"""You: the profile as the model sees it, and how to change it."""

import streamlit as st

from twotower.ui import visitor, you

st.title("What you hear", anchor=False)
portrait = visitor.require_portrait()
you.show_summary(portrait)
you.show_last_change()
artists, genres = st.columns([3, 2], gap="large")
with artists:
    you.show_top_artists(portrait)
with genres:
    you.show_genres(portrait)
    you.show_confidence(portrait)
    you.show_coverage(portrait)
you.show_audio(portrait)
you.show_links()
