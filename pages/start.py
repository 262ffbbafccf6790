"""Bring your music: be a demo listener, pick artists, or drop files."""

import streamlit as st

from twotower.ui import components, doors, services

components.hero()

st.header("Look through someone else's ears", anchor=False)
components.note("Five demo listeners: one click, and you see their neighbours.")
doors.demo_cards()

st.header("Or bring your own music", anchor=False)
doors.picker()
doors.joining()
upload, spotify = st.columns([3, 2], gap="medium")
with upload:
    doors.uploads()
with spotify:
    doors.spotify_card()
services.doors()
