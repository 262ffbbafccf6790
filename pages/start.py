"""Bring your music: be a demo listener, pick artists, or drop files."""

import streamlit as st

from twotower.ui import components, services, spotify, start

spotify.reading()
components.hero()

st.header("Look through someone else's ears", anchor=False)
components.note("Five demo listeners: one click, and you see their neighbours.")
start.demo_cards()

st.header("Or bring your own music", anchor=False)
start.picker()
start.joining()
upload, sign_in = st.columns([3, 2], gap="medium")
with upload:
    start.uploads()
with sign_in:
    spotify.door()
services.doors()
