"""Bring your music: be a demo listener, pick artists, or drop files."""

import streamlit as st

from twotower.ui import components, doors, services, spotify

spotify.reading()
components.hero()

st.header("Look through someone else's ears", anchor=False)
components.note("Five demo listeners: one click, and you see their neighbours.")
doors.demo_cards()

st.header("Or bring your own music", anchor=False)
doors.picker()
doors.joining()
upload, sign_in = st.columns([3, 2], gap="medium")
with upload:
    doors.uploads()
with sign_in:
    spotify.door()
services.doors()
