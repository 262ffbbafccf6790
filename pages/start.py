"""Start: bring music by trying a demo, picking artists, or reading it from elsewhere."""

import streamlit as st

from twotower.ui import components, services, spotify, start

spotify.show_reading()
components.show_hero()

st.header("Just looking? Borrow somebody's ears", anchor=False)
start.show_demos()

st.header("Or bring your own music", anchor=False)
start.show_artist_picker()
start.show_keep_earlier()
upload, sign_in = st.columns([3, 2], gap="medium")
with upload:
    start.show_upload()
with sign_in:
    spotify.show_sign_in()
services.show_services()
